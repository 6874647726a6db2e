/** The delivery log of a project, in one mode: read, sent again, tried with a ping. */
import { writeAct } from '../db/audit.ts'
import { writeOutgoing } from '../db/deliveries.ts'
import type { Client, Database } from '../db/pool.ts'
import { Problem } from '../domain/problem.ts'
import { isId, newId } from '../kit/id.ts'
import type { Delivery, Page } from '../protocols/contract.ts'
import type { Owner } from './owner.ts'

interface DeliveryRow {
  id: string
  event_type: string
  task_id: string | null
  endpoint_id: string | null
  url: string
  style: string
  state: Delivery['state']
  attempts: number
  due_at: Date
  created_at: Date
  delivered_at: Date | null
  last_status: number | null
  last_error: string | null
}

const columns = 'id, event_type, task_id, endpoint_id, url, style, state, attempts, due_at, created_at, delivered_at, last_status, last_error'

const readDelivery = (row: DeliveryRow): Delivery => ({
  id: row.id, eventType: row.event_type, taskId: row.task_id, endpointId: row.endpoint_id, url: row.url, style: row.style,
  state: row.state, attempts: row.attempts, dueAt: row.state === 'pending' ? row.due_at : null, createdAt: row.created_at,
  deliveredAt: row.delivered_at, lastStatus: row.last_status, lastError: row.last_error,
})

interface AttemptRow { number: number; at: Date; status: number | null; error: string | null; took_ms: number; answer: string | null }

export interface DeliveryFilter {
  after?: string | undefined
  limit: number
  endpointId?: string | undefined
  taskId?: string | undefined
  state?: Delivery['state'] | undefined
}

const pageMax = 200

/** Log entries shown of one delivery: the newest, should somebody have redelivered it for weeks. */
const attemptsShown = 200

const missing = () => new Problem('not_found', 'This project has no such delivery.', { field: 'delivery' })

export function createDeliveries(owner: Owner, { database, now, wake }: { database: Database; now(): Date; wake(): void }) {
  const one = async (client: Client, deliveryId: string, lock: '' | 'for update' = ''): Promise<DeliveryRow | null> => {
    if (!isId(deliveryId)) return null
    const { rows: [row] } = await client.query<DeliveryRow>(
      `select ${columns} from delivery where id = $1 and project_id = $2 and livemode = $3 ${lock}`, [deliveryId, owner.projectId, owner.livemode])
    return row ?? null
  }

  return {
    /** Newest first. */
    async deliveries({ after, limit, endpointId, taskId, state }: DeliveryFilter): Promise<Page<Delivery>> {
      if (after !== undefined && !isId(after)) throw new Problem('bad_request', 'Hand back the `next` of the page before as `after`.', { field: 'after', value: after.slice(0, 100) })
      if ((endpointId !== undefined && !isId(endpointId)) || (taskId !== undefined && !isId(taskId))) return { items: [], next: null }
      const size = Math.min(Math.max(1, limit), pageMax)
      const { rows } = await database.query<DeliveryRow>(
        `select ${columns} from delivery
         where project_id = $1 and livemode = $2 and ($3::uuid is null or id < $3) and ($4::uuid is null or endpoint_id = $4)
           and ($5::uuid is null or task_id = $5) and ($6::text is null or state = $6)
         order by id desc limit $7`,
        [owner.projectId, owner.livemode, after ?? null, endpointId ?? null, taskId ?? null, state ?? null, size + 1])
      const items = rows.slice(0, size).map(readDelivery)
      return { items, next: rows.length > size ? items.at(-1)!.id : null }
    },

    async delivery(deliveryId: string): Promise<Delivery | null> {
      const row = await one(database, deliveryId)
      if (!row) return null
      const { rows } = await database.query<AttemptRow>(
        `select number, at, status, error, took_ms, answer from delivery_attempt where delivery_id = $1
         union select last_number, last_at, last_status, last_error, last_took_ms, last_answer from delivery where id = $1 and last_number is not null
         order by number desc limit ${attemptsShown}`, [row.id])
      return { ...readDelivery(row), log: rows.reverse().map(({ took_ms: tookMs, ...attempt }) => ({ ...attempt, tookMs })) }
    },

    /** Sends it now, whatever became of it, with a fresh schedule of retries. One that is being sent this very moment is left to it. */
    async redeliver(deliveryId: string): Promise<Delivery> {
      const delivery = await database.transaction(async client => {
        // Claims lock in this order, too.
        if (isId(deliveryId)) await client.query('select from delivery_due where delivery_id = $1 for update', [deliveryId])
        const row = await one(client, deliveryId, 'for update')
        if (!row) throw missing()
        // An endpoint that has moved since is told at its present address.
        const { rows: [again] } = await client.query<DeliveryRow>(
          `update delivery set state = 'pending', due_at = $2, delivered_at = null, attempts_before = attempts,
             url = coalesce((select url from endpoint where endpoint.id = endpoint_id), url)
           where id = $1 and (endpoint_id is null or exists (select from endpoint where endpoint.id = endpoint_id)) returning ${columns}`, [row.id, now()])
        if (!again) throw new Problem('conflict', 'The endpoint of this delivery was removed, so there is nowhere to send it.', { field: 'delivery' })
        // One that is pending without being due is in the hand of whoever wrote it.
        await client.query(row.state === 'pending'
          ? 'update delivery_due set due_at = $3, host = host_of($2) where delivery_id = $1'
          : 'insert into delivery_due (delivery_id, host, due_at) values ($1, host_of($2), $3) on conflict (delivery_id) do update set host = excluded.host, due_at = excluded.due_at, worker = null', [again.id, again.url, again.due_at])
        await writeAct(client, { ...owner, act: 'delivery.redelivered', subject: row.id })
        return readDelivery(again)
      })
      wake()
      return delivery
    },

    /** Sends a `ping` through the same machinery, also to an endpoint that is switched off. */
    async ping(endpointId: string): Promise<Delivery> {
      const id = newId()
      const row = isId(endpointId) ? await database.transaction(async client => {
        const { rows: [endpoint] } = await client.query<{ url: string }>('select url from endpoint where id = $1 and project_id = $2 and livemode = $3', [endpointId, owner.projectId, owner.livemode])
        if (!endpoint) return null
        await writeOutgoing(client, [{ ...owner, id, taskId: null, endpointId, eventType: 'ping', style: 'plantain', url: endpoint.url }], null)
        return one(client, id)
      }) : null
      if (!row) throw new Problem('not_found', 'This project has no such endpoint.', { field: 'endpoint' })
      wake()
      return readDelivery(row)
    },
  }
}
