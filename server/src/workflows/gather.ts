/** Reading what comes to a run along its edges. */
import { collected, project } from '../domain/graph/advance.ts'
import { groupOf, type Layout } from '../domain/graph/layout.ts'
import { instanceKey, type Instance } from '../domain/graph/graph.ts'
import type { Arrived, Values } from '../domain/graph/values.ts'
import type { Json } from '../domain/outcome.ts'
import type { Client } from '../db/pool.ts'
import { writeItem } from './settle.ts'

export interface Gathered {
  arrived: Arrived[]
  /** For a collecting run: how many of its items came, and how many it waited for. */
  came?: number
  awaited?: number
}

/** Values of a run's edges; those of sources that gave nothing are left out. */
export async function gather(client: Client, executionId: string, layout: Layout, run: Instance): Promise<Gathered> {
  const edges = layout.into.get(run.node) ?? []
  if (edges.length === 0) return { arrived: [] }
  if (layout.faceOf(run.node).role === 'collect') return gatherItems(client, executionId, layout, run)
  const scope = layout.scopeOf.get(run.node)!
  const sources = new Map<string, Instance>()
  const positions = new Map<string, { instance: Instance; position: number }>()
  for (const { from } of edges) {
    const around = layout.scopeOf.get(from.node)!
    const instance = { node: from.node, item: project(run.item, scope, around) }
    if (layout.faceOf(from.node).role === 'iterate') positions.set(from.node, { instance, position: run.item[scope.indexOf(groupOf(layout.nodes.get(from.node)!))]! })
    else sources.set(instanceKey(instance), instance)
  }
  const values = new Map<string, Values>()
  if (sources.size > 0) {
    const wanted = [...sources.values()]
    const { rows } = await client.query<{ node: string; outputs: Values }>({ name: 'runs gather', text: `
      select r.node, r.outputs from unnest($2::text[], $3::text[]) as w(node, item) join node_run r on r.execution_id = $1 and r.node = w.node and r.item = w.item::int[] where r.state = 'done'` },
    [executionId, wanted.map(one => one.node), wanted.map(one => writeItem(one.item))])
    for (const row of rows) values.set(row.node, row.outputs)
  }
  if (positions.size > 0) {
    const wanted = [...positions.values()]
    const { rows } = await client.query<{ node: string; value: Values }>({ name: 'runs gather items', text: `
      select i.node, i.value from unnest($2::text[], $3::text[], $4::int[]) as w(node, item, position)
      join node_item i on i.execution_id = $1 and i.node = w.node and i.item = w.item::int[] and i.position = w.position` },
    [executionId, wanted.map(one => one.instance.node), wanted.map(one => writeItem(one.instance.item)), wanted.map(one => one.position)])
    for (const row of rows) values.set(row.node, row.value)
  }
  return {
    arrived: edges.flatMap((edge): Arrived[] => {
      const value = values.get(edge.from.node)?.[edge.from.port]
      return value === undefined ? [] : [{ edge, value, list: isList(layout, edge.from) }]
    }),
  }
}

const isList = (layout: Layout, { node, port }: { node: string; port: string }): boolean => layout.faceOf(node).outputs.find(({ id }) => id === port)?.list ?? false

async function gatherItems(client: Client, executionId: string, layout: Layout, run: Instance): Promise<Gathered> {
  const [edge] = layout.into.get(run.node)!
  const { source } = collected(layout, run.node)
  const { rows } = await client.query<{ state: string; value: Json | null }>({ name: 'runs gather all', text: `
    select state, outputs -> $3 as value from node_run where execution_id = $1 and node = $2 and item[1:$4::int] = $5::int[] order by item` },
  [executionId, source, edge!.from.port, run.item.length, writeItem(run.item)])
  const items = rows.flatMap(row => row.state === 'done' && row.value !== null ? [row.value] : [])
  return { arrived: [{ edge: edge!, value: items, list: true }], came: items.length, awaited: rows.length }
}
