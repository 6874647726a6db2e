/**
 * Reserving prices within an execution's cap, once an attempt, before anything is bought.
 *
 * Many runs of one execution reserve at once and all of them on its row: they share one transaction, or each would wait for the commit of the one before.
 */
import type { Instance } from '../domain/graph/graph.ts'
import { grouped } from '../db/group.ts'
import type { Database } from '../db/pool.ts'
import { lockExecutions, runKey, writeItem } from './settle.ts'

export interface Reservation extends Instance { executionId: string; turn: number; micros: number }
/** `beyond` the cap, with what is left under it; `taken` when the run was somebody else's by then. */
export type Reserved = { kind: 'reserved' } | { kind: 'taken' } | { kind: 'beyond'; leftMicros: number }

export const createReserve = (database: Database) => grouped<Reservation, Reserved>(group => database.transaction(async client => {
  const executions = await lockExecutions(client, group.map(one => one.executionId))
  const left = new Map([...executions.values()].map(({ id, cost_max_micros, committed_micros }) => [id, cost_max_micros === null ? Infinity : cost_max_micros - committed_micros]))
  const within = new Set<Reservation>()
  for (const one of group) {
    const room = left.get(one.executionId) ?? 0
    if (one.micros > room) continue
    within.add(one)
    left.set(one.executionId, room - one.micros)
  }
  const wanted = [...within]
  const { rows } = await client.query<{ execution_id: string; node: string; item: number[] }>({ name: 'runs reserve', text: `
    update node_run r set price_micros = w.micros from unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::bigint[]) as w(execution_id, node, item, turn, micros)
    where r.execution_id = w.execution_id and r.node = w.node and r.item = w.item::int[] and r.turn = w.turn and r.state = 'running' and r.price_micros = 0 returning r.execution_id, r.node, r.item` },
  [wanted.map(one => one.executionId), wanted.map(one => one.node), wanted.map(one => writeItem(one.item)), wanted.map(one => one.turn), wanted.map(one => one.micros)])
  const held = new Set(rows.map(({ execution_id, node, item }) => runKey({ executionId: execution_id, node, item })))
  const sums = new Map<string, number>()
  for (const one of wanted) if (held.has(runKey(one))) sums.set(one.executionId, (sums.get(one.executionId) ?? 0) + one.micros)
  await client.query({ name: 'executions reserve', text: 'update execution e set committed_micros = committed_micros + s.micros from unnest($1::uuid[], $2::bigint[]) as s(id, micros) where e.id = s.id' }, [[...sums.keys()], [...sums.values()]])
  return group.map((one): Reserved => !within.has(one) ? { kind: 'beyond', leftMicros: Math.max(0, left.get(one.executionId) ?? 0) } : { kind: held.has(runKey(one)) ? 'reserved' : 'taken' })
}), { max: 200 })
