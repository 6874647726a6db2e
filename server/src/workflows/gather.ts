/** Reading what comes to a run along its edges. */
import { collected, project } from '../domain/graph/advance.ts'
import { groupOf, type Layout } from '../domain/graph/layout.ts'
import type { Instance } from '../domain/graph/graph.ts'
import type { Arrived, Values } from '../domain/graph/values.ts'
import type { Json } from '../domain/outcome.ts'
import { grouped } from '../db/group.ts'
import type { Client, Database } from '../db/pool.ts'
import { executionReader, type ExecutionRow } from './rows.ts'
import { writeItem } from './settle.ts'

export interface Gathered {
  arrived: Arrived[]
  /** For a collecting run: how many of its items came, and how many it waited for. */
  came?: number
  awaited?: number
}

interface Place extends Instance { executionId: string }
interface ItemPlace extends Place { position: number }

/** Reading what runs gave, and single items of lists. Null for what is not there. */
export interface Reads {
  run(place: Place): Promise<Values | null>
  item(place: ItemPlace): Promise<Values | null>
}
/** What steps read, many at once. */
export interface StepReads extends Reads { execution(id: string): Promise<ExecutionRow | null> }

// `limit 1` keeps the planner to one look in the index for each: with statistics of a young table it reads all ten thousand items for every item.
const readRuns = async (client: Client, places: Place[]): Promise<(Values | null)[]> => {
  const { rows } = await client.query<{ place: number; outputs: Values }>({ name: 'runs gather', text: `
    select w.place::int as place, r.outputs from unnest($1::uuid[], $2::text[], $3::text[]) with ordinality as w(execution_id, node, item, place)
    cross join lateral (select outputs from node_run where execution_id = w.execution_id and node = w.node and item = w.item::int[] and state = 'done' limit 1) r` },
  [places.map(one => one.executionId), places.map(one => one.node), places.map(one => writeItem(one.item))])
  const found = new Map(rows.map(row => [row.place, row.outputs]))
  return places.map((_, index) => found.get(index + 1) ?? null)
}
const readItems = async (client: Client, places: ItemPlace[]): Promise<(Values | null)[]> => {
  const { rows } = await client.query<{ place: number; value: Values }>({ name: 'runs gather items', text: `
    select w.place::int as place, i.value from unnest($1::uuid[], $2::text[], $3::text[], $4::int[]) with ordinality as w(execution_id, node, item, position, place)
    cross join lateral (select value from node_item where execution_id = w.execution_id and node = w.node and item = w.item::int[] and position = w.position limit 1) i` },
  [places.map(one => one.executionId), places.map(one => one.node), places.map(one => writeItem(one.item)), places.map(one => one.position)])
  const found = new Map(rows.map(row => [row.place, row.value]))
  return places.map((_, index) => found.get(index + 1) ?? null)
}

/** Inside a transaction. */
export const readsOf = (client: Client): Reads => ({ run: async place => (await readRuns(client, [place]))[0]!, item: async place => (await readItems(client, [place]))[0]! })
/** Steps that go side by side read side by side: one statement for those that ask at the same moment. */
export const sharedReads = (database: Database): StepReads => ({
  execution: executionReader(database),
  run: grouped<Place, Values | null>(places => readRuns(database, places), { max: 200, lanes: 2 }),
  item: grouped<ItemPlace, Values | null>(places => readItems(database, places), { max: 200, lanes: 2 }),
})

/** Values of a run's edges; those of sources that gave nothing are left out. */
export async function gather(client: Client, reads: Reads, executionId: string, layout: Layout, run: Instance): Promise<Gathered> {
  const edges = layout.into.get(run.node) ?? []
  if (edges.length === 0) return { arrived: [] }
  if (layout.faceOf(run.node).role === 'collect') return gatherItems(client, executionId, layout, run)
  const scope = layout.scopeOf.get(run.node)!
  const values = new Map(await Promise.all([...new Set(edges.map(({ from }) => from.node))].map(async source => {
    const place = { executionId, node: source, item: project(run.item, scope, layout.scopeOf.get(source)!) }
    return [source, await (layout.faceOf(source).role === 'iterate' ? reads.item({ ...place, position: run.item[scope.indexOf(groupOf(layout.nodes.get(source)!))]! }) : reads.run(place))] as const
  })))
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
