/**
 * Taking work: who may start now, decided for the whole house at once.
 *
 * One claim at a time over all processes (an advisory lock to the commit) makes provider concurrency, provider rates, account
 * concurrency and the one probe of an upstream that was down exact whatever the number of workers; claims are groups, so a slow disk costs a pause and not the rate. A first
 * claim writes its attempt in the same transaction, before the upstream is asked. Every claim raises `turn`.
 */
import { locks } from '../db/locks.ts'
import type { Client, Database } from '../db/pool.ts'
import { mayAsk, type Health } from '../domain/breaker.ts'
import type { ProviderLimits } from '../providers/contract.ts'
import { beginProbe } from './health.ts'
import { taskColumns, type TaskRow } from './rows.ts'

/** A task in hand: `turn` is ours until somebody else claims it. */
export interface Claim { row: TaskRow; /** A job to submit, or a receipt to come back with. */ first: boolean }

/** How much this process can take of one provider's work. */
export interface Room { provider: string; slots: number; limits: ProviderLimits }

export interface Claimed {
  claims: Claim[]
  /** Providers whose queues may still hold something that is due: there was no place for it, or it had to be left to others. */
  left: Set<string>
}

/**
 * Takes due work for a worker: fresh tasks by rank within every limit, and waiting ones whose time has come.
 *
 * Whether there is any is asked first, without the lock: most looks find nothing, and what comes after that question wakes the next look.
 */
export async function claim(database: Database, worker: string, rooms: Room[], waitingMax: number): Promise<Claimed> {
  // Rooms without a place are asked about as well: who gives one back wants to know whether it is waited for.
  const due = await readDue(database, rooms.map(room => room.provider), waitingMax > 0 ? rooms.map(room => room.provider) : [])
  const open = rooms.filter(room => room.slots > 0 && due.queued.has(room.provider))
  const left = new Set(rooms.filter(room => room.slots <= 0 && due.queued.has(room.provider)).map(room => room.provider))
  if (!due.waiting && open.length === 0) return { claims: [], left }
  return underLock(database, async client => {
    const waiting = due.waiting ? await claimWaiting(client, worker, rooms.map(room => room.provider), waitingMax) : []
    const fresh = await claimFresh(client, worker, open)
    return { claims: [...waiting.map(row => ({ row, first: false })), ...fresh.claims], left: new Set([...left, ...fresh.left]) }
  })
}

/** Takes fresh tasks of providers that are known to have some. */
export const claimKnown = (database: Database, worker: string, rooms: Room[]): Promise<Claimed> => underLock(database, client => claimFresh(client, worker, rooms))

const underLock = (database: Database, work: (client: Client) => Promise<Claimed>) => database.transaction(work, { begin: `begin; select pg_advisory_xact_lock(${locks.admission})` })

async function claimFresh(client: Client, worker: string, rooms: Room[]): Promise<Claimed> {
  const claims: Claim[] = []
  const left = new Set<string>()
  for (const room of rooms) {
    const { probe, ...places } = await freePlaces(client, room)
    const rows = places.free <= 0 ? [] : await claimQueued(client, worker, room, places)
    if (places.limited || rows.length >= places.free || places.pictures || places.calls) left.add(room.provider)
    if (rows.length > 0 && probe) await beginProbe(client, room.provider, rows[0]!.id)
    for (const row of rows) claims.push({ row, first: true })
  }
  return { claims, left }
}

/** Providers with anything queued at all, one index probe each; and whether any waiting task is to be looked at. */
async function readDue(client: Client, queued: string[], waiting: string[]): Promise<{ queued: Set<string>; waiting: boolean }> {
  const { rows } = await client.query<{ provider: string | null }>({ name: 'claim due', text: `
    select p.provider from unnest($1::text[]) as p(provider) where exists (select from task t where t.provider = p.provider and t.state = 'queued')
    union all
    select null where exists (select from task where state = 'waiting' and due_at <= now() and provider = any($2))` }, [queued, waiting])
  return { queued: new Set(rows.flatMap(({ provider }) => provider === null ? [] : [provider])), waiting: rows.some(({ provider }) => provider === null) }
}

/** What a task is in calls, where a call makes one picture. */
const callsOf = `case when t.operation = 'write' then 1 else t.count end`
/** More than a claim can hold. */
const everything = 1_000_000_000

const hasPictureRate = ({ limits }: Room): boolean => (limits.imagesPerMinute ?? null) !== null

/** What still fits; `fresh`: nothing is in the way, so that one task of more than ever fit gets all there is to itself. */
interface Fit { left: number; fresh: boolean }

interface Places {
  free: number
  /** Some account or key has a limit of tasks in the making. */
  limited: boolean
  /** Pictures that may still be asked for in this minute; null where they are not counted. */
  pictures: Fit | null
  /** Calls that may still be begun; null where a task is one. */
  calls: Fit | null
  probe: boolean
}

/** How many more submissions the provider's limits and its breaker allow now. `probe`: one, to find out whether it is back. */
async function freePlaces(client: Client, room: Room): Promise<Places> {
  const { provider, slots, limits } = room
  const countsCalls = limits.countsCalls === true && limits.concurrency !== null
  const { rows: [row] } = await client.query<{ limited: boolean; making: number; sent: number; images: number; paused: boolean; state: Health['state'] | null; open_until: Date | null; probing: boolean; now: Date }>({ name: `claim places${countsCalls ? ' by calls' : ''}`, text: `
    select exists (select from account where concurrent is not null) or exists (select from api_key where concurrent is not null) as limited,
      case when $2 then (select ${countsCalls ? `coalesce(sum(${callsOf}), 0)` : 'count(*)'}::int from task t where provider = $1 and state in ('running', 'waiting')) else 0 end as making,
      coalesce(p.count, 0) as sent, coalesce(p.images, 0) as images, coalesce(w.pause_until > now(), false) as paused,
      h.state, h.open_until, coalesce((select t.state = 'running' from task t where t.id = h.probe_task), false) as probing, now() as now
    from (select $1::text as provider) one left join provider_pace w using (provider) left join provider_health h using (provider)
      left join provider_pace p on p.provider = one.provider and p.minute = date_trunc('minute', now())` }, [provider, limits.concurrency !== null])
  const { limited, making, sent, images, paused, state, open_until, probing, now } = row!
  // A model in our own process has no upstream to spare.
  if (limits.concurrency === null && limits.perMinute === null && !hasPictureRate(room) && limits.perProcess !== null) return { free: slots, limited, pictures: null, calls: null, probe: false }
  const asking = state === null ? 'freely' : mayAsk({ state, openUntil: open_until }, { now, probing })
  if (paused || asking === 'no') return { free: 0, limited, pictures: null, calls: null, probe: false }
  const free = Math.min(slots, limits.concurrency === null ? Infinity : limits.concurrency - making, limits.perMinute === null ? Infinity : limits.perMinute - sent, asking === 'once' ? 1 : Infinity)
  // None left is no reason to stop here: texts are no pictures.
  return {
    free, limited, probe: asking === 'once',
    pictures: hasPictureRate(room) ? { left: limits.imagesPerMinute! - images, fresh: images === 0 } : null,
    calls: countsCalls ? { left: limits.concurrency! - making, fresh: making === 0 } : null,
  }
}

/** An upstream asked to be left alone: nobody in the house asks it before then. */
export const pauseProvider = (client: Client, provider: string, ms: number) => client.query({ name: 'claim pause', text: `
  insert into provider_pace (provider, minute, count, pause_until) values ($1, date_trunc('minute', now()), 0, now() + make_interval(secs => $2 / 1000.0))
  on conflict (provider) do update set pause_until = greatest(provider_pace.pause_until, excluded.pause_until)` }, [provider, ms])

/**
 * Takes queued tasks in rank order, leaving out those whose account or key has as many in the making as it may, and those whose time is
 * over: the sweep ends them.
 *
 * The counts are read only for accounts and keys that have a limit; the window functions keep one claim from taking more than
 * is left for each of them. Where pictures a minute or calls at once are counted, the first task that does not fit is waited for: many small ones
 * would otherwise starve a large one.
 */
async function claimQueued(client: Client, worker: string, room: Room, { free, limited, pictures, calls }: Omit<Places, 'probe'>): Promise<TaskRow[]> {
  const isPaced = room.limits.perMinute !== null || pictures !== null
  const candidates = limited ? `
    , making as materialized (select account_id, key_id from task where state in ('running', 'waiting')),
    account_room as materialized (select a.id, a.concurrent - (select count(*) from making m where m.account_id = a.id) as room from account a where a.concurrent is not null),
    key_room as materialized (select k.id, k.concurrent - (select count(*) from making m where m.key_id = k.id) as room from api_key k where k.concurrent is not null),
    counted as (
      select q.id, ar.room as account_room, kr.room as key_room,
        row_number() over (partition by q.account_id order by q.rank) as account_place, row_number() over (partition by q.key_id order by q.rank) as key_place
      from (
        select t.id, t.account_id, t.key_id, t.rank from task t
        where t.provider = $2 and t.state = 'queued' and t.due_at <= now() and t.end_by > now()
          and not exists (select from account_room r where r.id = t.account_id and r.room <= 0) and not exists (select from key_room r where r.id = t.key_id and r.room <= 0)
        order by t.rank limit $3 * 8 + 100) q
      left join account_room ar on ar.id = q.account_id left join key_room kr on kr.id = q.key_id),
    chosen as materialized (
      select t.id from task t join counted c on c.id = t.id
      where (c.account_room is null or c.account_place <= c.account_room) and (c.key_room is null or c.key_place <= c.key_room)
      order by t.rank limit $3 for update of t skip locked)` : `
    , chosen as materialized (
      select id from task where provider = $2 and state = 'queued' and due_at <= now() and end_by > now() order by rank limit $3 for update skip locked)`
  const fits = pictures !== null || calls !== null
  const fitting = !fits ? '' : `
    , in_time as materialized (
      select id, rank, calls from (
        select t.id, t.rank, ${callsOf} as calls, t.operation = 'write' as is_text, row_number() over (partition by t.operation = 'write' order by t.rank, t.id) as place,
          sum(t.count) filter (where t.operation <> 'write') over (order by t.rank, t.id) as pictures from task t join chosen using (id)) c
      where is_text or pictures <= $4 or $5 and place = 1),
    fitting as materialized (
      select id from (select id, sum(calls) over (order by rank, id) as calls, row_number() over (order by rank, id) as place from in_time) c
      where calls <= $6 or $7 and place = 1)`
  const pace = isPaced ? `
    paced as (
      insert into provider_pace (provider, minute, count, images)
      select $2, date_trunc('minute', now()), count(*), coalesce(sum(count) filter (where operation <> 'write'), 0) from taken having count(*) > 0
      on conflict (provider) do update set minute = excluded.minute,
        count = excluded.count + case when provider_pace.minute = excluded.minute then provider_pace.count else 0 end,
        images = excluded.images + case when provider_pace.minute = excluded.minute then provider_pace.images else 0 end),` : ''
  const { rows } = await client.query<TaskRow>({ name: `claim queued${limited ? ' limited' : ''}${fits ? ' fitting' : ''}${isPaced ? ' paced' : ''}`, text: `
    with nothing as (select 1) ${candidates}${fitting},
    taken as (
      update task t set state = 'running', turn = turn + 1, worker = $1, attempts = attempts + 1, polls = 0, receipt = null, started_at = coalesce(started_at, now())
      from ${fits ? 'fitting' : 'chosen'} chosen where t.id = chosen.id returning ${taskColumns}),
    ${pace}
    written as (
      insert into attempt (task_id, number, provider, upstream_model) select id, attempts, provider, upstream_model from taken
      on conflict (task_id, number) do update set sent_at = now(), ended_at = null, outcome = null, asked = attempt.asked + 1),
    told as (
      insert into event (project_id, livemode, task_id, type) select project_id, livemode, id, 'task.started' from taken where attempts = 1)
    select * from taken` }, [worker, room.provider, free, ...fits ? [pictures?.left ?? everything, pictures?.fresh ?? true, calls?.left ?? everything, calls?.fresh ?? true] : []])
  return rows
}

async function claimWaiting(client: Client, worker: string, providers: string[], max: number): Promise<TaskRow[]> {
  const { rows } = await client.query<TaskRow>({ name: 'claim waiting', text: `
    with chosen as materialized (
      select id from task where state = 'waiting' and due_at <= now() and provider = any($2) order by due_at limit $3 for update skip locked)
    update task t set state = 'running', turn = turn + 1, worker = $1, polls = polls + 1 from chosen where t.id = chosen.id returning ${taskColumns}` }, [worker, providers, max])
  return rows
}
