/** Rows of the outbox for facts about many tasks together: executions and batches. Written in the transaction of the fact. */
import { newId } from '../kit/id.ts'
import type { Client } from './pool.ts'

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
  const outgoing = [...callback ? [{ endpoint: null, ...callback }] : [], ...endpoints.map(({ id, url }) => ({ endpoint: id, style: 'plantain', url }))]
  if (outgoing.length === 0) return false
  await client.query({ name: 'fact deliveries', text: `
    insert into delivery (id, project_id, livemode, execution_id, batch_id, endpoint_id, event_type, style, url)
    select id, $1, $2, $3, $4, endpoint, $5, style, url from unnest($6::uuid[], $7::uuid[], $8::text[], $9::text[]) as o(id, endpoint, style, url)` },
  [projectId, livemode, subject.executionId ?? null, subject.batchId ?? null, eventType, outgoing.map(() => newId()), outgoing.map(one => one.endpoint), outgoing.map(one => one.style), outgoing.map(one => one.url)])
  return true
}
