/** Telling what became of executions: outbox rows in the transaction of the fact, for whoever asked and for endpoints that listen. */
import { writeDeliveries } from '../db/deliveries.ts'
import type { Client } from '../db/pool.ts'

export const executionEvents = ['execution.completed', 'execution.failed', 'execution.cancelled', 'review.requested'] as const
export type ExecutionEventType = (typeof executionEvents)[number]

export interface Told { id: string; project_id: string; livemode: boolean; callback_url: string | null; wire: unknown }

/** The style a dialect's call backs are written in: that of the door the execution came in by. */
const styleOf = (wire: unknown): string => typeof wire === 'object' && wire !== null && 'protocol' in wire && typeof wire.protocol === 'string' ? wire.protocol : 'plantain'

export async function tell(client: Client, { id, project_id, livemode, callback_url, wire }: Told, event: ExecutionEventType): Promise<void> {
  await writeDeliveries(client, { projectId: project_id, livemode, subject: { executionId: id }, eventType: event, callback: callback_url === null ? null : { url: callback_url, style: styleOf(wire) } })
}
