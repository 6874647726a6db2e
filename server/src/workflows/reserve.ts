/**
 * Reserving prices within an execution's cap, once an attempt, before anything is bought.
 *
 * Many runs of one execution reserve at once and all of them on its row: they share one transaction, or each would wait for the commit of the one before.
 */
import type { Instance } from '../domain/graph/graph.ts'
import { grouped } from '../db/group.ts'
import type { Database } from '../db/pool.ts'
import type { ExecutionRow } from './rows.ts'
import { book, lockExecutions, runKey, writeItem, type Spending } from './settle.ts'

export interface Reservation extends Instance { executionId: string; turn: number; micros: number }
/** `beyond` the cap, its own or that of an execution that called it, with what is left under it; `taken` when the run was somebody else's by then. */
export type Reserved = { kind: 'reserved' } | { kind: 'taken' } | { kind: 'beyond'; leftMicros: number; maxMicros: number }

export const createReserve = (database: Database) => grouped<Reservation, Reserved>(group => database.transaction(async client => {
  const executions = await lockExecutions(client, group.map(one => one.executionId))
  const left = new Map([...executions.values()].map(({ id, cost_max_micros, committed_micros }) => [id, cost_max_micros === null ? Infinity : cost_max_micros - committed_micros]))
  /** An execution and those that called it, itself first. */
  const upwards = (id: string | null): ExecutionRow[] => { const row = id === null ? undefined : executions.get(id); return row ? [row, ...upwards(row.parent_id)] : [] }
  const columns = [group.map(one => one.executionId), group.map(one => one.node), group.map(one => writeItem(one.item)), group.map(one => one.turn)]
  // Whoever lost his run meanwhile takes no room from the others.
  const { rows } = await client.query<{ execution_id: string; node: string; item: number[] }>({ name: 'runs reserving', text: `
    select r.execution_id, r.node, r.item from unnest($1::uuid[], $2::text[], $3::text[], $4::int[]) as w(execution_id, node, item, turn)
    join node_run r on r.execution_id = w.execution_id and r.node = w.node and r.item = w.item::int[] and r.turn = w.turn and r.state = 'running' and r.price_micros = 0
    order by r.execution_id, r.node, r.item for update of r` }, columns)
  const held = new Set(rows.map(({ execution_id, node, item }) => runKey({ executionId: execution_id, node, item })))
  const sums = new Map<string, Spending>()
  const reserved = group.map((one): Reserved => {
    if (!held.has(runKey(one))) return { kind: 'taken' }
    const all = upwards(one.executionId)
    const full = all.find(({ id }) => one.micros > left.get(id)!)
    if (full) return { kind: 'beyond', leftMicros: Math.max(0, left.get(full.id)!), maxMicros: full.cost_max_micros! }
    for (const { id } of all) left.set(id, left.get(id)! - one.micros)
    sums.set(one.executionId, { committed: (sums.get(one.executionId)?.committed ?? 0) + one.micros, cost: 0 })
    return { kind: 'reserved' }
  })
  await client.query({ name: 'runs reserve', text: `
    update node_run r set price_micros = w.micros from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[]) as w(execution_id, node, item, micros)
    where w.micros is not null and r.execution_id = w.execution_id and r.node = w.node and r.item = w.item::int[]` },
  [...columns.slice(0, 3), group.map((one, index) => reserved[index]!.kind === 'reserved' ? one.micros : null)])
  await book(client, sums)
  return reserved
}), { max: 200 })
