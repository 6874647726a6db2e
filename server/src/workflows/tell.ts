/** Telling what became of executions: outbox rows in the transaction of the fact, for whoever asked and for endpoints that listen. */
import type { Client } from '../db/pool.ts'
import { newId } from '../kit/id.ts'

export const executionEvents = ['execution.completed', 'execution.failed', 'execution.cancelled', 'review.requested'] as const
export type ExecutionEventType = (typeof executionEvents)[number]

export interface Told { id: string; project_id: string; livemode: boolean; callback_url: string | null; wire: unknown }

/** The style a dialect's call backs are written in: that of the door the execution came in by. */
const styleOf = (wire: unknown): string => typeof wire === 'object' && wire !== null && 'protocol' in wire && typeof wire.protocol === 'string' ? wire.protocol : 'plantain'

export async function tell(client: Client, { id, project_id, livemode, callback_url, wire }: Told, event: ExecutionEventType): Promise<void> {
  const { rows: endpoints } = await client.query<{ id: string; url: string }>({ name: 'execution endpoints', text: `
    select id, url from endpoint where enabled and project_id = $1 and livemode = $2 and (events @> array['*'] or events @> array[$3])` }, [project_id, livemode, event])
  const outgoing = endpoints.map(endpoint => ({ endpoint: endpoint.id as string | null, style: 'plantain', url: endpoint.url }))
  if (callback_url !== null) outgoing.unshift({ endpoint: null, style: styleOf(wire), url: callback_url })
  if (outgoing.length === 0) return
  await client.query({ name: 'execution deliveries', text: `
    insert into delivery (id, project_id, livemode, execution_id, endpoint_id, event_type, style, url)
    select id, $1, $2, $3, endpoint, $4, style, url from unnest($5::uuid[], $6::uuid[], $7::text[], $8::text[]) as o(id, endpoint, style, url)` },
  [project_id, livemode, id, event, outgoing.map(() => newId()), outgoing.map(one => one.endpoint), outgoing.map(one => one.style), outgoing.map(one => one.url)])
}
