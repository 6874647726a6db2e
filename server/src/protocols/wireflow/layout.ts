/** Arranging a board: columns from left to right in the order in which things are made, none over another. Pure. */
import { sortNodes } from '../../domain/graph/layout.ts'
import type { WireGraph, WireNode } from './graph.ts'

export type Place = { x: number; y: number }

/** New places of nodes; notes and groups stay where they are, and so does whatever is not among `only`. */
export function arrange({ nodes, edges }: WireGraph, sizeOf: (node: WireNode) => { width: number; height: number }, { gapX, gapY, only }: { gapX: number; gapY: number; only: ReadonlySet<string> | null }): Map<string, Place> {
  const moving = nodes.filter(({ id, type }) => type !== 'stickyNote' && type !== 'custom_group' && (only === null || only.has(id)))
  const ids = new Set(moving.map(({ id }) => id))
  const among = edges.filter(({ source, target }) => ids.has(source) && ids.has(target))
  const order = sortNodes({ nodes: moving.map(({ id }) => ({ id, kind: '', settings: {} })), edges: among.map(({ source, target }) => ({ from: { node: source, port: '' }, to: { node: target, port: '' } })) })
  const column = new Map<string, number>()
  // Nodes of a cycle have no order: they stand in front.
  for (const { id } of moving) if (!order.includes(id)) column.set(id, 0)
  const into = Map.groupBy(among, ({ target }) => target)
  for (const id of order) column.set(id, Math.max(0, ...(into.get(id) ?? []).map(({ source }) => (column.get(source) ?? 0) + 1)))

  const start = { x: 100, y: 100 }
  const from = only === null ? start : { x: Math.min(...moving.map(({ position }) => position?.x ?? start.x)), y: Math.min(...moving.map(({ position }) => position?.y ?? start.y)) }
  const places = new Map<string, Place>()
  let x = from.x
  for (let at = 0; at <= Math.max(0, ...column.values()); at++) {
    const here = moving.filter(({ id }) => column.get(id) === at)
    let y = from.y
    for (const node of here) {
      places.set(node.id, { x, y })
      y += sizeOf(node).height + gapY
    }
    x += Math.max(0, ...here.map(node => sizeOf(node).width)) + gapX
  }
  return places
}
