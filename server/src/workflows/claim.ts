/**
 * Taking runs in hand: those whose purchase or call is to be looked at, and ready ones within each execution's parallelism.
 *
 * One claim at a time over all processes (an advisory lock to the commit), so that parallelism is exact whatever the number of workers. A run that
 * waits for a person takes no place.
 */
import { locks } from '../db/locks.ts'
import type { Client, Database } from '../db/pool.ts'
import { claimBounded } from './bounded.ts'
import { runColumns, type RunRow } from './rows.ts'

/** Executions looked at in one claim. They share the free places, so that a long one does not keep the others waiting. */
const executionsMax = 200

export const claimRuns = (database: Database, worker: string, free: number): Promise<RunRow[]> => database.transaction(async client => {
  await client.query({ name: 'runs lock', text: 'select pg_advisory_xact_lock($1)' }, [locks.runs])
  const { rows: due } = await client.query<RunRow>({ name: 'runs claim due', text: `
    with chosen as materialized (
      select execution_id, node, item from node_run where state = 'waiting' and due_at <= now() order by due_at limit $2 for update skip locked)
    update node_run r set state = 'running', turn = turn + 1, worker = $1 from chosen c
    where r.execution_id = c.execution_id and r.node = c.node and r.item = c.item returning ${runColumns}` }, [worker, free])
  const left = free - due.length
  if (left <= 0) return due
  // Half of the places, the odd one by lot, so that neither kind keeps the other waiting; what the others leave goes to them as well.
  const half = Math.floor(left / 2 + Math.random())
  const bounded = await claimBounded(client, worker, half)
  const plain = await claimPlain(client, worker, left - bounded.length)
  const more = bounded.length === half ? await claimBounded(client, worker, left - bounded.length - plain.length) : []
  return [...due, ...bounded, ...plain, ...more]
})

/** Ready runs of executions that nothing but their own parallelism bounds. */
async function claimPlain(client: Client, worker: string, free: number): Promise<RunRow[]> {
  const { rows } = await client.query<RunRow>({ name: 'runs claim ready', text: `
    with room as materialized (
      select e.id, e.parallelism - (select count(*) from node_run m where m.execution_id = e.id and m.state in ('running', 'waiting'))::int as places
      from execution e where e.state = 'running' and e.together_max is null and e.bounds is null and e.root_id is null and exists (select from node_run q where q.execution_id = e.id and q.state = 'ready' and q.due_at <= now())),
    open as materialized (select id, places from room where places > 0 order by id limit ${executionsMax}),
    chosen as materialized (
      select q.execution_id, q.node, q.item from open cross join lateral (
        select execution_id, node, item from node_run where execution_id = open.id and state = 'ready' and due_at <= now() order by created_at, item limit least(open.places, (select greatest(1, ceil($2::numeric / count(*))) from open)::int) for update skip locked) q
      limit $2)
    update node_run r set state = 'running', turn = turn + 1, worker = $1, started_at = coalesce(started_at, now()) from chosen c
    where r.execution_id = c.execution_id and r.node = c.node and r.item = c.item returning ${runColumns}` }, [worker, free])
  return rows
}

/** Runs whose process died are begun again: what they bought is found under its name. */
export async function freeRuns(client: Client, workers: string[]): Promise<number> {
  const { rowCount } = await client.query({ name: 'runs free', text: `
    update node_run set state = case when task_id is null and child_id is null then 'ready' else 'waiting' end, turn = turn + 1, worker = null, due_at = now()
    where worker = any($1::uuid[]) and state = 'running'` }, [workers])
  return rowCount ?? 0
}

/** Purchases and calls that have ended, whether or not anybody was told: their runs are due. */
export async function findEnded(client: Client): Promise<number> {
  const { rowCount } = await client.query({ name: 'runs ended', text: `
    update node_run r set due_at = now() from (
      select q.execution_id, q.node, q.item from node_run q join task t on t.id = q.task_id where q.state = 'waiting' and q.due_at > now() and t.ended_at is not null limit 500) e
    where r.execution_id = e.execution_id and r.node = e.node and r.item = e.item and r.state = 'waiting'` })
  const { rowCount: calls } = await client.query({ name: 'runs returned', text: `
    update node_run r set due_at = now() from (
      select q.execution_id, q.node, q.item from node_run q join execution c on c.id = q.child_id where q.state = 'waiting' and q.due_at > now() and c.state <> 'running' limit 500) e
    where r.execution_id = e.execution_id and r.node = e.node and r.item = e.item and r.state = 'waiting'` })
  return (rowCount ?? 0) + (calls ?? 0)
}

/** These tasks have ended: whoever waits for them is due. */
export async function nudgeTasks(client: Client, taskIds: string[]): Promise<number> {
  const { rowCount } = await client.query({ name: 'runs nudge', text: `update node_run set due_at = now() where task_id = any($1::uuid[]) and state = 'waiting' and due_at > now()` }, [taskIds])
  return rowCount ?? 0
}
