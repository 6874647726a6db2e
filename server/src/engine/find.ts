/** Reading tasks. Everything is asked within one project and mode, so a foreign id is simply not there. */
import type { State, Task } from '../domain/task.ts'
import type { Client } from '../db/pool.ts'
import { grouped } from '../db/group.ts'
import { readTask, taskColumns, withOutputs, type TaskRow } from './rows.ts'

export interface Owner { projectId: string; livemode: boolean }

export interface Listing extends Owner {
  after: string | null
  limit: number
  states: State[] | null
  model: string | null
  operation: string | null
  createdAfter: Date | null
  createdBefore: Date | null
  metadata: Record<string, string> | null
  /** What the named template made; a version of it, where one is named. */
  template: { slug: string; version: number | null } | null
}

/** A reader that asks for many tasks at once where many are wanted at the same moment (thousands of callers wait on one loop). */
export const createFinder = (client: Client) => grouped<string, Task | null>(async ids => {
  const { rows } = await client.query<TaskRow>({ name: 'find tasks', text: `select ${taskColumns}, ${withOutputs} from task t where t.id = any($1::uuid[])` }, [ids])
  const tasks = new Map(rows.map(row => [row.id, readTask(row)]))
  return ids.map(id => tasks.get(id) ?? null)
}, { max: 200, lanes: 2 })

/** Newest first. The index on (project, mode, id) gives the page; the filters are tried on the way. */
export async function listTasks(client: Client, listing: Listing): Promise<Task[]> {
  const { rows } = await client.query<TaskRow>(`
    select ${taskColumns}, ${withOutputs} from task t
    where t.project_id = $1 and t.livemode = $2 and ($3::uuid is null or t.id < $3) and ($4::text[] is null or t.state = any($4))
      and ($5::text is null or t.model = $5 or t.model_asked = $5) and ($6::text is null or t.operation = $6)
      and ($7::timestamptz is null or t.created_at >= $7) and ($8::timestamptz is null or t.created_at < $8) and ($9::jsonb is null or t.metadata @> $9)
      and ($11::text is null or t.template->>'slug' = $11) and ($12::int is null or (t.template->>'version')::int = $12)
    order by t.id desc limit $10`,
  [listing.projectId, listing.livemode, listing.after, listing.states, listing.model, listing.operation, listing.createdAfter, listing.createdBefore,
    listing.metadata === null ? null : JSON.stringify(listing.metadata), listing.limit, listing.template?.slug ?? null, listing.template?.version ?? null])
  return rows.map(readTask)
}
