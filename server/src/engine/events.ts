/**
 * Reading what happened, in order and without holes.
 *
 * Ids are given out before a transaction commits, so a reader that has seen 7 could miss a 6 that commits later. Events of a
 * project are therefore shown only when every transaction that could still bring an earlier one has ended (`xid` below the
 * oldest one under way). One task's events come from one writer at a time and need no such care.
 */
import type { TaskEvent } from '../domain/task.ts'
import type { Client } from '../db/pool.ts'
import type { Json } from '../domain/outcome.ts'
import type { Owner } from './find.ts'

interface EventRow { id: number; type: TaskEvent['type']; task_id: string; livemode: boolean; created_at: Date; data: Record<string, Json> }

const readEvent = (row: EventRow): TaskEvent => ({ id: row.id, type: row.type, taskId: row.task_id, livemode: row.livemode, createdAt: row.created_at, data: row.data })

export async function readEvents(client: Client, owner: Owner, { taskId, types, after, limit }: { taskId: string | null; types: string[] | null; after: number; limit: number }): Promise<TaskEvent[]> {
  const { rows } = taskId === null
    ? await client.query<EventRow>({ name: 'events project', text: `
      select id, type, task_id, livemode, created_at, data from event
      where project_id = $1 and livemode = $2 and id > $3 and ($4::text[] is null or type = any($4)) and xid < pg_snapshot_xmin(pg_current_snapshot())
      order by id limit $5` }, [owner.projectId, owner.livemode, after, types, limit])
    : await client.query<EventRow>({ name: 'events task', text: `
      select id, type, task_id, livemode, created_at, data from event
      where task_id = $1 and project_id = $2 and livemode = $3 and id > $4 and ($5::text[] is null or type = any($5))
      order by id limit $6` }, [taskId, owner.projectId, owner.livemode, after, types, limit])
  return rows.map(readEvent)
}

/** The id of the newest event of a project: where "from now on" begins. */
export async function lastEventId(client: Client, owner: Owner): Promise<number> {
  const { rows: [row] } = await client.query<{ id: number }>({ name: 'events last', text: `
    select coalesce(max(id), 0) as id from event where project_id = $1 and livemode = $2 and xid < pg_snapshot_xmin(pg_current_snapshot())` }, [owner.projectId, owner.livemode])
  return row!.id
}

/** Says that an in-between picture is there, if the claim that made it is still held. */
export async function insertPartial(client: Client, { id, turn }: { id: string; turn: number }, partial: { index: number; sha256: string; mime: string }): Promise<boolean> {
  const { rowCount } = await client.query({ name: 'events partial', text: `
    insert into event (project_id, livemode, task_id, type, data)
    select project_id, livemode, id, 'task.progressed', jsonb_build_object('partial', $3::jsonb) from task where id = $1 and turn = $2 and state = 'running' for share` },
  [id, turn, JSON.stringify(partial)])
  return rowCount === 1
}

/** Says how far a task in hand is, if its claim is still held and it is news. */
export async function insertProgress(client: Client, { id, turn }: { id: string; turn: number }, percent: number): Promise<boolean> {
  const { rowCount } = await client.query({ name: 'events progress', text: `
    with moved as (
      update task set progress = $3 where id = $1 and turn = $2 and state = 'running' and progress is distinct from $3 returning id, project_id, livemode)
    insert into event (project_id, livemode, task_id, type, data)
    select project_id, livemode, id, 'task.progressed', jsonb_build_object('progress', $3::int) from moved` }, [id, turn, percent])
  return rowCount === 1
}
