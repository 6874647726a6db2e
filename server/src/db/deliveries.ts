/**
 * Rows of the outbox, written in the transaction of the fact they tell of: a task, an execution, a batch, a ping.
 *
 * A pending delivery has a row in `delivery_due`, or stands in one of `delivery_hand`: there are the ones whose writer sends them
 * himself, a whole settlement in one row, so that most deliveries cost an insert and an update that touches no index.
 */
import { newId } from '../kit/id.ts'
import type { Client } from './pool.ts'

/** A delivery as it is written: pending, with `attempts` 0. */
export interface Outgoing {
  id: string
  projectId: string
  livemode: boolean
  /** Null for a ping, and for what tells of an execution or a batch. */
  taskId: string | null
  executionId?: string | null
  batchId?: string | null
  endpointId: string | null
  eventType: string
  style: string
  url: string
  /** The hand it was written in; null or absent where nobody holds it. */
  hand?: string | null
}

/** The parts of a statement that put what its part `from` wrote (`id`, `url`) into one hand of a worker; where that is null, among what waits for anybody. */
export const handingOf = (from: string, worker: string, hand: string): string => `
    in_hand as (insert into delivery_hand (id, worker, deliveries) select ${hand}, ${worker}, array_agg(id) from ${from} where ${worker} is not null having count(*) > 0),
    in_waiting as (insert into delivery_due (delivery_id, host, due_at) select id, host_of(url), now() from ${from} where ${worker} is null)`

/** Writes them, all in one hand where `worker` is to send them, and gives them back as they stand now. */
export async function writeOutgoing(client: Client, outgoing: Outgoing[], worker: string | null): Promise<Outgoing[]> {
  if (outgoing.length === 0) return outgoing
  const hand = worker === null ? null : newId()
  await client.query({ name: 'outbox', text: `
    with written as (
      insert into delivery (id, project_id, livemode, task_id, execution_id, batch_id, endpoint_id, event_type, style, url)
      select * from unnest($1::uuid[], $2::uuid[], $3::boolean[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::text[], $9::text[], $10::text[])
      returning id, url),
    ${handingOf('written', '$11::uuid', '$12::uuid')}
    select` },
  [outgoing.map(one => one.id), outgoing.map(one => one.projectId), outgoing.map(one => one.livemode), outgoing.map(one => one.taskId), outgoing.map(one => one.executionId ?? null),
    outgoing.map(one => one.batchId ?? null), outgoing.map(one => one.endpointId), outgoing.map(one => one.eventType), outgoing.map(one => one.style), outgoing.map(one => one.url), worker, hand])
  return outgoing.map(one => ({ ...one, hand }))
}

/** What is told of, by one of its ids. */
export type Subject = { executionId: string; batchId?: never } | { batchId: string; executionId?: never }

export interface Fact {
  projectId: string
  livemode: boolean
  subject: Subject
  eventType: string
  /** Who asked to be called back, in the words of which protocol; endpoints that listen are told besides. */
  callback: { url: string; style: string } | null
}

/** Tells whoever asked and every endpoint that listens; whether there was anybody. */
export async function writeDeliveries(client: Client, { projectId, livemode, subject, eventType, callback }: Fact): Promise<boolean> {
  const { rows: endpoints } = await client.query<{ id: string; url: string }>({ name: 'fact endpoints', text: `
    select id, url from endpoint where enabled and project_id = $1 and livemode = $2 and (events @> array['*'] or events @> array[$3])` }, [projectId, livemode, eventType])
  const to = [...callback ? [{ endpointId: null, ...callback }] : [], ...endpoints.map(({ id, url }) => ({ endpointId: id, style: 'plantain', url }))]
  await writeOutgoing(client, to.map(one => ({ id: newId(), projectId, livemode, taskId: null, ...subject, eventType, ...one })), null)
  return to.length > 0
}
