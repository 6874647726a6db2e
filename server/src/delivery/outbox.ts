/**
 * The rows of the outbox: claimed, sealed, recorded, handed back.
 *
 * A row is written with the fact it tells of. Whoever holds it (`worker`) may send it; `attempts` is what a sender saw when
 * it took the row, and a sender that was thought dead finds another number there and changes nothing.
 */
import { grouped } from '../db/group.ts'
import type { Client } from '../db/pool.ts'
import { isStandard } from './headers.ts'
import { firstWidth } from './lanes.ts'
import { liveSecrets, makeCallbackSecret } from './secrets.ts'

/** A delivery as the engine writes it: pending, with `attempts` 0, and in this process's hands when `worker` is its id. */
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
}

/** A delivery in our hands. */
export interface HeldDelivery extends Outgoing {
  host: string
  /** `attempts` in the row while we hold it, and the number of the attempt that is about to be made. */
  seen: number
  number: number
  attemptsBefore: number
}

/** The same as the generated column `host`. */
export const hostOf = (url: string): string => (/^[^:/]+:\/\/([^/?#]+)/.exec(url)?.[1] ?? '?').toLowerCase()

/** Does it tell of nothing but that it can be told? */
export const isPing = ({ taskId, executionId, batchId }: Outgoing): boolean => taskId === null && !executionId && !batchId

/** Takes a row that was written in our hands. */
export const holdFresh = (row: Outgoing): HeldDelivery => ({ ...row, host: hostOf(row.url), seen: 0, number: 1, attemptsBefore: 0 })

interface ClaimedRow {
  id: string
  project_id: string
  livemode: boolean
  task_id: string | null
  execution_id: string | null
  batch_id: string | null
  endpoint_id: string | null
  event_type: string
  style: string
  url: string
  host: string
  attempts: number
  attempts_before: number
}

// Steps from host to host through the index, so a dead host's backlog of a hundred thousand rows costs the others one probe.
const claimSql = {
  name: 'delivery claim',
  text: `with recursive stop as (
           (select host from delivery where state = 'pending' and worker is null and host > $3 order by host limit 1)
           union all
           select (select d.host from delivery d where d.state = 'pending' and d.worker is null and d.host > stop.host order by d.host limit 1)
           from stop where stop.host is not null
         ), due as materialized (
           select d.id
           from stop
           left join unnest($4::text[], $5::int[]) lane(host, room) on lane.host = stop.host
           cross join lateral (
             select id from delivery
             where host = stop.host and state = 'pending' and worker is null and due_at <= $2
             order by due_at
             limit coalesce(lane.room, ${firstWidth})
             for update skip locked) d
           where stop.host is not null
           limit $6
         )
         update delivery d set worker = $1, attempts = d.attempts + 1
         from due
         where d.id = due.id
         returning d.id, d.project_id, d.livemode, d.task_id, d.execution_id, d.batch_id, d.endpoint_id, d.event_type, d.style, d.url, d.host, d.attempts, d.attempts_before`,
}

export interface Claim {
  workerId: string
  now: Date
  /** Hosts up to this one had their turn. */
  after: string
  rooms: { host: string; room: number }[]
  limit: number
}

/** Takes due rows nobody holds, from every host as many as its lane has room for. */
export async function claim(client: Client, { workerId, now, after, rooms, limit }: Claim): Promise<HeldDelivery[]> {
  const { rows } = await client.query<ClaimedRow>(claimSql, [workerId, now, after, rooms.map(({ host }) => host), rooms.map(({ room }) => room), limit])
  return rows.map(row => ({
    id: row.id, projectId: row.project_id, livemode: row.livemode, taskId: row.task_id, executionId: row.execution_id, batchId: row.batch_id, endpointId: row.endpoint_id,
    eventType: row.event_type, style: row.style, url: row.url, host: row.host,
    seen: row.attempts, number: row.attempts, attemptsBefore: row.attempts_before,
  }))
}

/** When the next row that nobody holds becomes due after `now`; null when there is none. */
export async function nextDue(client: Client, now: Date): Promise<Date | null> {
  const { rows: [row] } = await client.query<{ due_at: Date | null }>(
    { name: 'delivery next due', text: `select min(due_at) as due_at from delivery where state = 'pending' and worker is null and due_at > $1` }, [now])
  return row?.due_at ?? null
}

/** A row that has been due so long while ours but not in our hands was lost on the way to them (a commit nobody heard of). */
const lostAfter = '10 seconds'

/** A holder without a beat for so long is dead, whatever the sweep thinks. It matters only where no sweep runs. */
const deadAfter = '60 seconds'

/** Gives back rows whose holder has lost them: this process, or one that is dead. */
export async function rescue(client: Client, { workerId, now, inHand }: { workerId: string; now: Date; inHand: string[] }): Promise<number> {
  const { rowCount } = await client.query(
    { name: 'delivery rescue', text: `
      update delivery d set worker = null
      where worker is not null and state = 'pending' and case when worker = $1
        then due_at < $2::timestamptz - interval '${lostAfter}' and id <> all($3::uuid[])
        else due_at < $2::timestamptz - interval '${deadAfter}' and not exists (
          select from worker w where w.id = d.worker and w.beat_at > now() - interval '${deadAfter}') end` },
    [workerId, now, inHand])
  return rowCount ?? 0
}

/** Gives back what dead processes held. */
export async function free(client: Client, workerIds: string[]): Promise<number> {
  const { rowCount } = await client.query(
    { name: 'delivery free', text: `update delivery set worker = null where worker = any($1::uuid[]) and state = 'pending'` }, [workerIds])
  return rowCount ?? 0
}

/** Gives back rows we hold and have not sent, so that the attempt is not counted. */
export async function handBack(client: Client, workerId: string, held: HeldDelivery[]): Promise<void> {
  await client.query(
    { name: 'delivery hand back', text: `
      update delivery d set worker = null, attempts = held.number - 1
      from unnest($2::uuid[], $3::int[], $4::int[]) held(id, seen, number)
      where d.id = held.id and d.worker = $1 and d.attempts = held.seen and d.state = 'pending'` },
    [workerId, held.map(({ id }) => id), held.map(({ seen }) => seen), held.map(({ number }) => number)])
}

/** What else an attempt needs to know, of this very moment: a rotated secret or a changed address counts at once. */
export interface Seal {
  createdAt: Date
  url: string
  secrets: string[]
  kieKey: string | null
  /** Does the project want the house's own signature as well? */
  houseSignature: boolean
  /** Why it must not be sent; null when it may. */
  obstacle: string | null
}

interface SealRow {
  id: string
  created_at: Date
  endpoint_url: string | null
  enabled: boolean | null
  endpoint_secret: string | null
  endpoint_old_secret: string | null
  endpoint_old_until: Date | null
  callback_secret: string | null
  callback_old_secret: string | null
  callback_old_until: Date | null
  house_signature: boolean | null
  kie_key: string | null
}

/** Makes the function that looks up an attempt's seal, many at a time; null when the delivery is no longer to be sent. */
export const createSeals = ({ database, workerId, now }: { database: Client; workerId: string; now(): Date }) =>
  grouped(async (asked: HeldDelivery[]): Promise<(Seal | null)[]> => {
    const { rows } = await database.query<SealRow>({ name: 'delivery seals', text: `
      select d.id, d.created_at, k.key as kie_key,
        e.url as endpoint_url, e.enabled, e.secret as endpoint_secret, e.old_secret as endpoint_old_secret, e.old_secret_until as endpoint_old_until,
        c.secret as callback_secret, c.old_secret as callback_old_secret, c.old_secret_until as callback_old_until, c.house_signature
      from delivery d
      left join kie_key k on k.project_id = d.project_id and k.livemode = d.livemode
      left join endpoint e on e.id = d.endpoint_id
      left join callback_secret c on c.project_id = d.project_id and c.livemode = d.livemode
      where d.id = any($1::uuid[]) and d.worker = $2 and d.state = 'pending'` }, [asked.map(({ id }) => id), workerId])
    const found = new Map(rows.map(row => [row.id, row]))
    return Promise.all(asked.map(async (held): Promise<Seal | null> => {
      const row = found.get(held.id)
      if (!row) return null
      const common = { createdAt: row.created_at, kieKey: row.kie_key, houseSignature: row.house_signature ?? false, obstacle: null }
      if (held.endpointId === null) {
        const secret = row.callback_secret ?? (isStandard(held.style) ? await makeCallbackSecret(database, held) : null)
        return { ...common, url: held.url, secrets: liveSecrets({ secret, old: row.callback_old_secret, oldUntil: row.callback_old_until }, now()) }
      }
      const secrets = liveSecrets({ secret: row.endpoint_secret, old: row.endpoint_old_secret, oldUntil: row.endpoint_old_until }, now())
      if (row.endpoint_url === null) return { ...common, url: held.url, secrets, obstacle: 'The endpoint was removed.' }
      if (!row.enabled && !isPing(held)) return { ...common, url: row.endpoint_url, secrets, obstacle: 'The endpoint is switched off. Switch it on and deliver again.' }
      return { ...common, url: row.endpoint_url, secrets }
    }))
  }, { max: 500, lanes: 2 })

/** How an attempt ended. */
export interface Attempted {
  held: HeldDelivery
  state: 'pending' | 'delivered' | 'parked'
  dueAt: Date
  url: string
  at: Date
  tookMs: number
  status: number | null
  error: string | null
  answer: string | null
}

/**
 * Makes the function that writes attempts down, delivery and log in one statement, many at a time.
 *
 * It may be called again after a lost connection: the same attempt is written once. `false` when the row is in other
 * hands by now, so that this attempt was one too many.
 */
export const createRecord = ({ database, workerId }: { database: Client; workerId: string }) =>
  grouped(async (attempts: Attempted[]): Promise<boolean[]> => {
    const { rows } = await database.query<{ id: string }>({ name: 'delivery record', text: `
      with attempt as materialized (
        select * from unnest($2::uuid[], $3::int[], $4::int[], $5::text[], $6::timestamptz[], $7::text[], $8::timestamptz[], $9::int[], $10::int[], $11::text[], $12::text[])
          as attempt(id, seen, number, state, due_at, url, at, took_ms, status, error, answer)
      ), recorded as (
        update delivery d set state = attempt.state, worker = null, attempts = attempt.number, due_at = attempt.due_at, url = attempt.url,
          delivered_at = case when attempt.state = 'delivered' then attempt.at + attempt.took_ms * interval '1 millisecond' end,
          last_status = attempt.status, last_error = attempt.error
        from attempt
        where d.id = attempt.id and d.attempts = attempt.seen and d.state = 'pending' and (d.worker = $1 or d.worker is null)
        returning d.id
      ), logged as (
        insert into delivery_attempt (delivery_id, number, at, took_ms, status, error, answer)
        select id, number, at, took_ms, status, error, answer from attempt join recorded using (id)
        on conflict do nothing
      )
      select id from recorded` },
    [workerId, attempts.map(({ held }) => held.id), attempts.map(({ held }) => held.seen), attempts.map(({ held }) => held.number),
      attempts.map(({ state }) => state), attempts.map(({ dueAt }) => dueAt), attempts.map(({ url }) => url), attempts.map(({ at }) => at),
      attempts.map(({ tookMs }) => tookMs), attempts.map(({ status }) => status), attempts.map(({ error }) => error), attempts.map(({ answer }) => answer)])
    const recorded = new Set(rows.map(row => row.id))
    return attempts.map(({ held }) => recorded.has(held.id))
  }, { max: 500 })

/** How long an ended delivery and its log are kept. */
const keepDays = 30
const sweepMax = 5_000

/** Removes ended deliveries of long ago, with their logs; call it until it answers 0. Ids rise with time, so the key finds them. */
export async function sweep(client: Client, now: Date): Promise<number> {
  const before = Math.max(0, now.getTime() - keepDays * 86_400_000).toString(16).padStart(12, '0').padEnd(32, '0')
  const { rowCount } = await client.query(
    `delete from delivery where id in (select id from delivery where id < $1::uuid and state <> 'pending' order by id limit ${sweepMax})`, [before])
  return rowCount ?? 0
}
