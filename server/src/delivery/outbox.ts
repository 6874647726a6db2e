/**
 * The rows of the outbox: claimed, sealed, recorded, handed back.
 *
 * A row is written with the fact it tells of (`db/deliveries.ts`). Whoever holds it, by its row in `delivery_due` or by a hand, may send it;
 * `attempts` is what a sender saw when it took the row, and a sender that was thought dead finds another number there and changes nothing.
 *
 * What ends a first attempt is one update of columns that no index has (measured with 10,000 deliveries: 150 µs of PostgreSQL's time each
 * when the update moved the row through five indexes and wrote a log row with a foreign key, 20 now).
 */
import type { Outgoing } from '../db/deliveries.ts'
import { grouped } from '../db/group.ts'
import type { Client } from '../db/pool.ts'
import { isStandard } from './headers.ts'
import { firstWidth } from './lanes.ts'
import { liveSecrets, makeCallbackSecret } from './secrets.ts'

export type { Outgoing } from '../db/deliveries.ts'

/** A delivery in our hands. */
export interface HeldDelivery extends Outgoing {
  host: string
  /** `attempts` in the row while we hold it, and the number of the attempt that is about to be made. */
  seen: number
  number: number
  attemptsBefore: number
  createdAt: Date
}

/** The same as `host_of` in the database. */
export const hostOf = (url: string): string => (/^[^:/]+:\/\/([^/?#]+)/.exec(url)?.[1] ?? '?').toLowerCase()

/** Does it tell of nothing but that it can be told? */
export const isPing = ({ taskId, executionId, batchId }: Outgoing): boolean => taskId === null && !executionId && !batchId

/** Takes a row that was written in our hands. */
export const holdFresh = (row: Outgoing, now: Date): HeldDelivery => ({ ...row, host: hostOf(row.url), seen: 0, number: 1, attemptsBefore: 0, createdAt: now })

/** A hand nothing is left in, and how many deliveries we took out of it. */
interface EmptyHand { id: string; size: number }

/**
 * The hands of this process: which deliveries of each are still with us, and which hands are empty.
 *
 * The row of an empty hand is taken away with the next attempts that are written down, if we held all that is in it. Should that not come
 * to pass, whoever finds it lets what is still pending in it wait for anybody.
 */
export function createHands() {
  const full = new Map<string, { ids: Set<string>; size: number }>()
  let empty: EmptyHand[] = []
  return {
    take(rows: Outgoing[]): void {
      for (const { id, hand } of rows) {
        if (!hand) continue
        let held = full.get(hand)
        if (!held) full.set(hand, held = { ids: new Set(), size: 0 })
        if (held.ids.has(id)) continue
        held.ids.add(id)
        held.size++
      }
    },
    /** It is told, or waits in `delivery_due`. */
    release({ id, hand }: Outgoing): void {
      const held = hand ? full.get(hand) : undefined
      if (!held?.ids.delete(id) || held.ids.size > 0) return
      full.delete(hand!)
      empty.push({ id: hand!, size: held.size })
    },
    takeEmpty(): EmptyHand[] { return empty.splice(0) },
    giveEmpty(hands: EmptyHand[]): void { empty = empty.concat(hands) },
    ids: () => [...full.keys(), ...empty.map(({ id }) => id)],
  }
}
export type Hands = ReturnType<typeof createHands>

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
  created_at: Date
}

// Steps from host to host through the index, so a dead host's backlog of a hundred thousand rows costs the others one probe.
const claimSql = {
  name: 'delivery claim',
  text: `with recursive stop as (
           (select host from delivery_due where worker is null and host > $3 order by host limit 1)
           union all
           select (select d.host from delivery_due d where d.worker is null and d.host > stop.host order by d.host limit 1)
           from stop where stop.host is not null
         ), due as materialized (
           select d.delivery_id, stop.host
           from stop
           left join unnest($4::text[], $5::int[]) lane(host, room) on lane.host = stop.host
           cross join lateral (
             select delivery_id from delivery_due
             where host = stop.host and worker is null and due_at <= $2
             order by due_at
             limit coalesce(lane.room, ${firstWidth})
             for update skip locked) d
           where stop.host is not null
           limit $6
         ), taken as (
           update delivery d set attempts = d.attempts + 1
           from due
           where d.id = due.delivery_id and d.state = 'pending'
           returning d.id, d.project_id, d.livemode, d.task_id, d.execution_id, d.batch_id, d.endpoint_id, d.event_type, d.style, d.url, due.host, d.attempts, d.attempts_before, d.created_at
         ), held as (
           update delivery_due d set worker = $1 from taken where d.delivery_id = taken.id
         ), ended as (
           delete from delivery_due d using due where d.delivery_id = due.delivery_id and not exists (select from taken where taken.id = d.delivery_id)
         )
         select * from taken`,
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
    seen: row.attempts, number: row.attempts, attemptsBefore: row.attempts_before, createdAt: row.created_at,
  }))
}

/** When the next row that nobody holds becomes due after `now`; null when there is none. */
export async function nextDue(client: Client, now: Date): Promise<Date | null> {
  const { rows: [row] } = await client.query<{ due_at: Date | null }>(
    { name: 'delivery next due', text: `select min(due_at) as due_at from delivery_due where worker is null and due_at > $1` }, [now])
  return row?.due_at ?? null
}

/** What has been due so long while ours but not in our hands was lost on the way to them (a commit nobody heard of). */
const lostAfter = '10 seconds'

/** A holder without a beat for so long is dead, whatever the sweep thinks. It matters only where no sweep runs. */
const deadAfter = '60 seconds'

/** Opens hands and lets go of single rows: what is in them and still pending waits for whoever comes. */
const giveUp = (hands: string, rows: string) => `
  with hand as (delete from delivery_hand h where ${hands} returning deliveries),
  waiting as (
    insert into delivery_due (delivery_id, host, due_at)
    select d.id, host_of(d.url), d.due_at from hand cross join unnest(hand.deliveries) as held(id) join delivery d using (id) where d.state = 'pending'
    on conflict do nothing returning delivery_id),
  freed as (update delivery_due d set worker = null where worker is not null and ${rows} returning delivery_id)
  select ((select count(*) from waiting) + (select count(*) from freed))::int as count`

const noBeat = (holder: string) => `not exists (select from worker w where w.id = ${holder}.worker and w.beat_at > now() - interval '${deadAfter}')`

const rescueSql = {
  name: 'delivery rescue',
  text: giveUp(
    `case when worker = $1 then created_at < $2::timestamptz - interval '${lostAfter}' and id <> all($4::uuid[])
      else created_at < $2::timestamptz - interval '${deadAfter}' and ${noBeat('h')} end`,
    `case when worker = $1 then due_at < $2::timestamptz - interval '${lostAfter}' and delivery_id <> all($3::uuid[])
      else due_at < $2::timestamptz - interval '${deadAfter}' and ${noBeat('d')} end`),
}

/** Gives back rows whose holder has lost them: this process, or one that is dead. */
export async function rescue(client: Client, { workerId, now, inHand, hands }: { workerId: string; now: Date; inHand: string[]; hands: string[] }): Promise<number> {
  const { rows: [row] } = await client.query<{ count: number }>(rescueSql, [workerId, now, inHand, hands])
  return row!.count
}

/** Gives back what dead processes held. */
export async function free(client: Client, workerIds: string[]): Promise<number> {
  const { rows: [row] } = await client.query<{ count: number }>({ name: 'delivery free', text: giveUp('worker = any($1::uuid[])', 'worker = any($1::uuid[])') }, [workerIds])
  return row!.count
}

/** Gives back rows we hold and have not sent, so that the attempt is not counted. */
export async function handBack(client: Client, workerId: string, held: HeldDelivery[]): Promise<void> {
  await client.query(
    { name: 'delivery hand back', text: `
      with unsent as (
        update delivery d set attempts = held.number - 1
        from unnest($2::uuid[], $3::int[], $4::int[]) held(id, seen, number)
        where d.id = held.id and d.attempts = held.seen and d.state = 'pending'
        returning d.id, d.url, d.due_at)
      insert into delivery_due as due (delivery_id, host, due_at) select id, host_of(url), due_at from unsent
      on conflict (delivery_id) do update set worker = null where due.worker = $1` },
    [workerId, held.map(({ id }) => id), held.map(({ seen }) => seen), held.map(({ number }) => number)])
}

/** Takes empty hands away, for whoever writes no more attempts down. */
export async function forgetHands(client: Client, hands: EmptyHand[]): Promise<void> {
  if (hands.length === 0) return
  await client.query('delete from delivery_hand h using unnest($1::uuid[], $2::int[]) as empty(id, size) where h.id = empty.id and cardinality(h.deliveries) = empty.size',
    [hands.map(({ id }) => id), hands.map(({ size }) => size)])
}

/** What else an attempt needs to know, of when it was taken in hand: a rotated secret or a changed address counts for all that is told of afterwards. */
export interface Seal {
  url: string
  secrets: string[]
  kieKey: string | null
  /** Does the project want the house's own signature as well? */
  houseSignature: boolean
  /** Why it must not be sent; null when it may. */
  obstacle: string | null
}

interface SealRow {
  number: number
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

/** Makes the function that looks up an attempt's seal, many at a time and each project's endpoint once. */
export const createSeals = ({ database, now }: { database: Client; now(): Date }) =>
  grouped(async (asked: HeldDelivery[]): Promise<Seal[]> => {
    const keyOf = ({ projectId, livemode, endpointId, style }: HeldDelivery) => `${projectId} ${livemode} ${endpointId ?? style}`
    const kinds = [...new Map(asked.map(held => [keyOf(held), held])).values()]
    const { rows } = await database.query<SealRow>({ name: 'delivery seals', text: `
      select kind.number::int, k.key as kie_key,
        e.url as endpoint_url, e.enabled, e.secret as endpoint_secret, e.old_secret as endpoint_old_secret, e.old_secret_until as endpoint_old_until,
        c.secret as callback_secret, c.old_secret as callback_old_secret, c.old_secret_until as callback_old_until, c.house_signature
      from unnest($1::uuid[], $2::boolean[], $3::uuid[]) with ordinality as kind(project_id, livemode, endpoint_id, number)
      left join kie_key k on k.project_id = kind.project_id and k.livemode = kind.livemode
      left join endpoint e on e.id = kind.endpoint_id
      left join callback_secret c on c.project_id = kind.project_id and c.livemode = kind.livemode` },
    [kinds.map(one => one.projectId), kinds.map(one => one.livemode), kinds.map(one => one.endpointId)])
    const found = new Map(await Promise.all(rows.map(async row => {
      const kind = kinds[row.number - 1]!
      const secret = row.callback_secret ?? (kind.endpointId === null && isStandard(kind.style) ? await makeCallbackSecret(database, kind) : null)
      return [keyOf(kind), { ...row, callback_secret: secret }] as const
    })))
    return asked.map((held): Seal => {
      const row = found.get(keyOf(held))!
      const common = { kieKey: row.kie_key, houseSignature: row.house_signature ?? false, obstacle: null }
      if (held.endpointId === null) {
        return { ...common, url: held.url, secrets: liveSecrets({ secret: row.callback_secret, old: row.callback_old_secret, oldUntil: row.callback_old_until }, now()) }
      }
      const secrets = liveSecrets({ secret: row.endpoint_secret, old: row.endpoint_old_secret, oldUntil: row.endpoint_old_until }, now())
      if (row.endpoint_url === null) return { ...common, url: held.url, secrets, obstacle: 'The endpoint was removed.' }
      if (!row.enabled && !isPing(held)) return { ...common, url: row.endpoint_url, secrets, obstacle: 'The endpoint is switched off. Switch it on and deliver again.' }
      return { ...common, url: row.endpoint_url, secrets }
    })
  }, { max: 500, lanes: 2 })

/** Makes the function that says whether a delivery is still to be sent by us, many at a time: for those that waited long. */
export const createChecks = ({ database, workerId }: { database: Client; workerId: string }) =>
  grouped(async (asked: HeldDelivery[]): Promise<boolean[]> => {
    const { rows } = await database.query<{ id: string }>({ name: 'delivery checks', text: `
      select d.id from unnest($1::uuid[], $2::int[], $3::boolean[]) as held(id, seen, fresh) join delivery d using (id) left join delivery_due due on due.delivery_id = d.id
      where d.state = 'pending' and d.attempts = held.seen and case when fresh then due.delivery_id is null else due.worker = $4 end` },
    [asked.map(({ id }) => id), asked.map(({ seen }) => seen), asked.map(({ hand }) => !!hand), workerId])
    const open = new Set(rows.map(row => row.id))
    return asked.map(({ id }) => open.has(id))
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

/** Answers of one moment are written down together. Measured at 256 callers: groups of 40 instead of 16. */
const recordLingerMs = 10

/**
 * Makes the function that writes attempts down, many at a time and in one statement. The newest attempt stands on the delivery's own
 * row, and moves into the log when the next one is made.
 *
 * Nobody waits for the disk: a record that a crash of the database takes with it means one more delivery under the same id, which
 * "at least once" allows, and the commits of tasks need not queue behind it.
 *
 * It may be called again after a lost connection: the same attempt is written once. `false` when the row is in other
 * hands by now, so that this attempt was one too many.
 */
export const createRecord = ({ database, hands }: { database: Client; hands: Hands }) =>
  grouped(async (attempts: Attempted[]): Promise<boolean[]> => {
    const empty = hands.takeEmpty()
    try {
      const { rows } = await database.query<{ id: string }>({ name: 'delivery record', text: `
        with unhurried as materialized (select set_config('synchronous_commit', 'off', true) as setting),
        attempt as materialized (
          select attempt.* from unhurried, unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::timestamptz[], $6::text[], $7::timestamptz[], $8::int[], $9::int[], $10::text[], $11::text[])
            as attempt(id, seen, number, state, due_at, url, at, took_ms, status, error, answer)
          where setting = 'off'
        ), due as materialized (
          select delivery_id from delivery_due where delivery_id = any($1) order by delivery_id for update
        ), recorded as (
          update delivery d set state = attempt.state, attempts = attempt.number, due_at = attempt.due_at, url = attempt.url,
            delivered_at = case when attempt.state = 'delivered' then attempt.at + attempt.took_ms * interval '1 millisecond' end,
            last_number = attempt.number, last_at = attempt.at, last_took_ms = attempt.took_ms, last_status = attempt.status, last_error = attempt.error, last_answer = attempt.answer
          from attempt left join due on due.delivery_id = attempt.id
          where d.id = attempt.id and d.attempts = attempt.seen and d.state = 'pending'
          returning d.id, d.state, d.attempts, d.url, d.due_at
        ), logged as (
          insert into delivery_attempt (delivery_id, number, at, took_ms, status, error, answer)
          select d.id, d.last_number, d.last_at, d.last_took_ms, d.last_status, d.last_error, d.last_answer
          from recorded join delivery d using (id) where recorded.attempts > 1 and d.last_number < recorded.attempts
          on conflict do nothing
        ), ended as (
          delete from delivery_due d using recorded, due where recorded.id = due.delivery_id and d.delivery_id = due.delivery_id and recorded.state <> 'pending'
        ), again as (
          insert into delivery_due (delivery_id, host, due_at) select id, host_of(url), due_at from recorded where state = 'pending'
          on conflict (delivery_id) do update set worker = null, host = excluded.host, due_at = excluded.due_at
        ), emptied as (
          delete from delivery_hand h using unnest($12::uuid[], $13::int[]) as empty(id, size) where h.id = empty.id and cardinality(h.deliveries) = empty.size
        )
        select id from recorded` },
      [attempts.map(({ held }) => held.id), attempts.map(({ held }) => held.seen), attempts.map(({ held }) => held.number),
        attempts.map(({ state }) => state), attempts.map(({ dueAt }) => dueAt), attempts.map(({ url }) => url), attempts.map(({ at }) => at),
        attempts.map(({ tookMs }) => tookMs), attempts.map(({ status }) => status), attempts.map(({ error }) => error), attempts.map(({ answer }) => answer), empty.map(({ id }) => id), empty.map(({ size }) => size)])
      const recorded = new Set(rows.map(row => row.id))
      return attempts.map(({ held }) => recorded.has(held.id))
    } catch (error) {
      hands.giveEmpty(empty)
      throw error
    }
  }, { max: 500, lingerMs: recordLingerMs })

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
