/**
 * Taking runs in hand where more is bounded than one execution by itself: iterations that make so many of their runs at once, executions that were
 * asked for together of which so many are at work at once, and executions that call each other, which share the places of the first.
 *
 * Asked inside the claim, under its lock, and everything is counted from the runs as they stand: exact for any number of workers, and after a kill.
 * What waits for a person takes no place. A call takes one of its own execution, so that only so many are begun, and none of those they all share: these
 * are for what is made, so that calls never wait for places that calls have.
 */
import { allot, type Bound } from '../domain/graph/bounds.ts'
import type { Client } from '../db/pool.ts'
import { runColumns, type RunRow } from './rows.ts'

/** Executions looked at in one claim, by lot: those whose bounds are full are in nobody's way for long. */
const executionsMax = 200

interface Room { id: string; root_id: string | null; places: number; shared: number | null; bounds: Bound[] | null }

/** Takes up to `free` runs of bounded executions. The caller holds the claim's lock. */
export async function claimBounded(client: Client, worker: string, free: number): Promise<RunRow[]> {
  if (free <= 0) return []
  const { rows: rooms } = await client.query<Room>({ name: 'runs bounded rooms', text: `
    with bounded as materialized (
      select e.id, e.root_id, e.batch_id, e.together_max, e.parallelism, e.bounds, m.making, m.made from execution e cross join lateral (
        select count(*)::int as making, count(*) filter (where child_id is null)::int as made from node_run m where m.execution_id = e.id and m.state in ('running', 'waiting')) m
      where e.state = 'running' and (e.together_max is not null or e.bounds is not null or e.root_id is not null)),
    together as materialized (select batch_id, min(together_max) - count(*) filter (where making > 0) as free from bounded where together_max is not null group by batch_id),
    family as materialized (select root_id, (min(parallelism) filter (where id = root_id) - sum(made))::int as shared from bounded where root_id is not null group by root_id),
    open as (
      select b.*, t.free, f.shared, row_number() over (partition by b.batch_id, b.making > 0 order by b.id) as place from bounded b left join together t on t.batch_id = b.batch_id left join family f on f.root_id = b.root_id
      where exists (select from node_run q where q.execution_id = b.id and q.state = 'ready' and q.due_at <= now()))
    select id, root_id, parallelism - making as places, shared, bounds from open where parallelism > making and (shared is null or shared > 0) and (together_max is null or making > 0 or place <= free) order by random() limit ${executionsMax}` })
  if (rooms.length === 0) return []
  const { rows: standing } = await client.query<{ execution_id: string; node: string; making: number; ready: number }>({ name: 'runs bounded nodes', text: `
    select execution_id, node, count(*) filter (where state <> 'ready')::int as making, count(*) filter (where state = 'ready' and due_at <= now())::int as ready
    from node_run where execution_id = any($1::uuid[]) and state in ('ready', 'running', 'waiting') group by execution_id, node` }, [rooms.map(({ id }) => id)])
  const byExecution = Map.groupBy(standing, one => one.execution_id)
  const share = Math.ceil(free / rooms.length)
  const left = new Map(rooms.map(({ id, root_id, shared }) => [root_id ?? id, shared ?? Infinity]))
  const wanted = rooms.flatMap(({ id, root_id, places, bounds }) => {
    const family = root_id ?? id
    const allotted = [...allot(byExecution.get(id) ?? [], bounds ?? [], Math.min(places, share, left.get(family)!))]
    left.set(family, left.get(family)! - allotted.reduce((sum, [, count]) => sum + count, 0))
    return allotted.map(([node, count]) => ({ id, node, count }))
  })
  const { rows } = await client.query<RunRow>({ name: 'runs claim bounded', text: `
    with chosen as materialized (
      select q.execution_id, q.node, q.item from unnest($2::uuid[], $3::text[], $4::int[]) as w(execution_id, node, count) cross join lateral (
        select execution_id, node, item from node_run where execution_id = w.execution_id and node = w.node and state = 'ready' and due_at <= now() order by created_at, item limit w.count for update skip locked) q
      limit $5)
    update node_run r set state = 'running', turn = turn + 1, worker = $1, started_at = coalesce(started_at, now()) from chosen c
    where r.execution_id = c.execution_id and r.node = c.node and r.item = c.item returning ${runColumns}` }, [worker, wanted.map(one => one.id), wanted.map(one => one.node), wanted.map(one => one.count), free])
  return rows
}
