/**
 * How much of an iteration may be made at once. Pure.
 *
 * A bound counts runs of whatever stands inside the iteration, all its items together: an execution's `parallelism` counts the same way over
 * everything. Absent on purpose: who takes a run, and when (`workflows/bounded.ts`).
 */
import type { Layout } from './layout.ts'
import type { Given } from './values.ts'

/** Of these nodes, so many runs may be made at once. The nodes stand last first: what was begun goes on before something else begins. */
export interface Bound { max: number; nodes: string[] }

/** The bounds of a graph's iterations; of nodes that iterate side by side the smallest counts. */
export function boundsOf(layout: Layout, given: Given): Bound[] {
  return [...layout.groups].flatMap(([group, { members }]) => {
    const said = members.map(node => given[node]?.parallelism ?? layout.nodes.get(node)!.settings.parallelism).filter(value => typeof value === 'number')
    const nodes = layout.order.filter(node => layout.scopeOf.get(node)!.includes(group)).reverse()
    return said.length === 0 || nodes.length === 0 ? [] : [{ max: Math.min(...said), nodes }]
  })
}

/** Of a node: runs that are being made, and such as may be begun. */
export interface Standing { node: string; making: number; ready: number }

/** How many ready runs of each node may be begun now, within so many places and every bound. */
export function allot(standing: Standing[], bounds: Bound[], places: number): Map<string, number> {
  const rooms = bounds.map(({ max, nodes }) => ({ nodes: new Set(nodes), left: max - standing.reduce((sum, { node, making }) => nodes.includes(node) ? sum + making : sum, 0) }))
  const byNode = new Map(standing.map(one => [one.node, one]))
  const allotted = new Map<string, number>()
  let left = places
  for (const node of new Set([...bounds.flatMap(({ nodes }) => nodes), ...byNode.keys()])) {
    const around = rooms.filter(({ nodes }) => nodes.has(node))
    const count = Math.max(0, Math.min(byNode.get(node)?.ready ?? 0, left, ...around.map(room => room.left)))
    if (count === 0) continue
    allotted.set(node, count)
    left -= count
    for (const room of around) room.left -= count
  }
  return allotted
}
