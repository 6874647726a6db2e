/** Registered addresses of a project, in one mode: made, changed, removed, their secrets replaced. */
import { writeAct } from '../db/audit.ts'
import type { Client, Database } from '../db/pool.ts'
import { batchEvents } from '../domain/batch.ts'
import { Problem } from '../domain/problem.ts'
import { isId, newId } from '../kit/id.ts'
import type { Endpoint } from '../protocols/contract.ts'
import { overlapUntil, type Owner } from './owner.ts'
import { newWebhookSecret } from './signature.ts'
import { checkTarget } from './target.ts'

/** What an endpoint can listen to. A ping arrives in any case: it was asked for. */
export const endpointEvents: string[] = ['task.completed', 'task.failed', 'task.cancelled', 'task.late_result', 'execution.completed', 'execution.failed', 'execution.cancelled', 'review.requested', ...batchEvents]

const endpointsMax = 50

interface EndpointRow { id: string; url: string; events: string[]; enabled: boolean; livemode: boolean; created_at: Date }

const columns = 'id, url, events, enabled, livemode, created_at'

const readEndpoint = (row: EndpointRow): Endpoint =>
  ({ id: row.id, url: row.url, events: row.events, enabled: row.enabled, livemode: row.livemode, createdAt: row.created_at })

/** @throws {Problem} `bad_request` */
function checkEvents(events: string[]): string[] {
  const unique = [...new Set(events)]
  if (unique.includes('*')) {
    if (unique.length === 1) return unique
    throw new Problem('bad_request', '"*" already stands for every event: name it alone.', { field: 'events', value: events })
  }
  if (unique.length === 0) throw new Problem('bad_request', 'An endpoint listens to at least one event.', { field: 'events', value: events, allowed: [...endpointEvents, '*'] })
  for (const event of unique) {
    if (!endpointEvents.includes(event)) throw new Problem('bad_request', `There is no event "${String(event).slice(0, 100)}".`, { field: 'events', value: event, allowed: [...endpointEvents, '*'] })
  }
  return unique
}

const missing = () => new Problem('not_found', 'This project has no such endpoint.', { field: 'endpoint' })

export interface EndpointsOptions { database: Database; allowPrivate: boolean; now(): Date }

export function createEndpoints(owner: Owner, { database, allowPrivate, now }: EndpointsOptions) {
  const one = async (client: Client, endpointId: string): Promise<EndpointRow | null> => {
    if (!isId(endpointId)) return null
    const { rows: [row] } = await client.query<EndpointRow>(
      `select ${columns} from endpoint where id = $1 and project_id = $2 and livemode = $3`, [endpointId, owner.projectId, owner.livemode])
    return row ?? null
  }

  return {
    async create({ url, events }: { url: string; events: string[] }): Promise<Endpoint> {
      const target = checkTarget(url, { allowPrivate })
      const wanted = checkEvents(events)
      const secret = newWebhookSecret()
      return database.transaction(async client => {
        const { rows: [{ count }] } = await client.query('select count(*)::int as count from endpoint where project_id = $1 and livemode = $2', [owner.projectId, owner.livemode])
        if (count >= endpointsMax) throw new Problem('conflict', `A project can have ${endpointsMax} endpoints. Remove one you no longer need.`)
        const { rows: [row] } = await client.query<EndpointRow>(
          `insert into endpoint (id, project_id, livemode, url, events, secret, created_at) values ($1, $2, $3, $4, $5, $6, $7) returning ${columns}`,
          [newId(), owner.projectId, owner.livemode, target, wanted, secret, now()])
        await writeAct(client, { ...owner, act: 'endpoint.created', subject: row!.id, details: { url: target, events: wanted } })
        return { ...readEndpoint(row!), secret }
      })
    },

    async list(): Promise<Endpoint[]> {
      const { rows } = await database.query<EndpointRow>(
        `select ${columns} from endpoint where project_id = $1 and livemode = $2 order by id`, [owner.projectId, owner.livemode])
      return rows.map(readEndpoint)
    },

    async find(endpointId: string): Promise<Endpoint | null> {
      const row = await one(database, endpointId)
      return row && readEndpoint(row)
    },

    async change(endpointId: string, { url, events, enabled }: { url?: string; events?: string[]; enabled?: boolean }): Promise<Endpoint> {
      const target = url === undefined ? null : checkTarget(url, { allowPrivate })
      const wanted = events === undefined ? null : checkEvents(events)
      return database.transaction(async client => {
        if (!await one(client, endpointId)) throw missing()
        const { rows: [row] } = await client.query<EndpointRow>(
          `update endpoint set url = coalesce($4, url), events = coalesce($5, events), enabled = coalesce($6, enabled)
           where id = $1 and project_id = $2 and livemode = $3 returning ${columns}`,
          [endpointId, owner.projectId, owner.livemode, target, wanted, enabled ?? null])
        if (!row) throw missing()
        await writeAct(client, { ...owner, act: 'endpoint.changed', subject: row.id, details: { url: row.url, events: row.events, enabled: row.enabled } })
        return readEndpoint(row)
      })
    },

    /** What is still on its way there is parked when its turn comes. */
    async remove(endpointId: string): Promise<void> {
      await database.transaction(async client => {
        const row = await one(client, endpointId)
        if (!row) throw missing()
        await client.query('delete from endpoint where id = $1', [row.id])
        await writeAct(client, { ...owner, act: 'endpoint.removed', subject: row.id, details: { url: row.url } })
      })
    },

    /** A new secret. The one it replaces signs as well for `overlapHours`, so that receivers can change over in peace. */
    async rotate(endpointId: string, overlapHours: number): Promise<Endpoint> {
      const until = overlapUntil(overlapHours, now())
      const secret = newWebhookSecret()
      return database.transaction(async client => {
        if (!await one(client, endpointId)) throw missing()
        const { rows: [row] } = await client.query<EndpointRow>(
          `update endpoint set old_secret = case when $3::timestamptz is null then null else secret end, old_secret_until = $3, secret = $2
           where id = $1 returning ${columns}`, [endpointId, secret, until])
        if (!row) throw missing()
        await writeAct(client, { ...owner, act: 'endpoint.rotated', subject: row.id, details: { overlapHours } })
        return { ...readEndpoint(row), secret }
      })
    },
  }
}
