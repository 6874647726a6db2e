/**
 * What nobody comes back for by himself: deadlines, workers that died, keys and windows that are old.
 *
 * Every sweep takes a bounded number of rows with `skip locked`, so any number of processes may sweep at once.
 */
import { Problem, storeProblem } from '../domain/problem.ts'
import type { Client, Database } from '../db/pool.ts'
import type { Receipt } from './rows.ts'
import { settleIn, type Settled, type Settlement } from './settle.ts'

const batch = 500

interface Overdue { id: string; turn: number; state: 'queued' | 'waiting'; starts: boolean; attempts: number }

/** Ends tasks whose time to start or to end has passed. Tasks in hand end by their own worker's clock. */
export const endOverdue = (database: Database, deliverer: string | null): Promise<Settled> => database.transaction(async client => {
  const { rows } = await client.query<Overdue>({ name: 'sweep overdue', text: `
    with late as materialized (
      select id, turn, state, false as starts, attempts from task where state in ('queued', 'waiting') and end_by <= now() limit $1 for update skip locked),
    unbegun as materialized (
      select id, turn, state, true as starts, attempts from task
      where state = 'queued' and start_by is not null and start_by <= now() and started_at is null and end_by > now() limit $1 for update skip locked)
    select * from late union all select * from unbegun` }, [batch])
  return settleIn(client, rows.map((row): Settlement => ({
    id: row.id, turn: row.turn, forced: true, state: 'failed', chargedMicros: 0, attemptOutcome: row.state === 'waiting' ? 'unknown' : null,
    problem: storeProblem(row.starts
      ? new Problem('start_deadline', 'This was not begun within the time it was given. Nothing was charged.')
      : new Problem('deadline', 'This was not ready within the time it was given. Nothing was charged.')),
  })), deliverer)
})

/** What a lost worker's claim means, by provider: see `Provider.repeat`. Unknown providers count as `never`. */
export type RepeatOf = (provider: string) => 'safe' | 'find' | 'never'

interface Orphan { id: string; turn: number; attempts: number; receipt: Receipt | null; provider: string }

/** What becomes of a claim that nobody holds any more. Pure. */
export function takeOver(orphan: Orphan, repeatOf: RepeatOf, now: Date): Settlement {
  const common = { id: orphan.id, turn: orphan.turn, forced: true, dueAt: now }
  if (orphan.receipt !== null) return { ...common, state: 'waiting', receipt: orphan.receipt, attemptOutcome: null }
  switch (repeatOf(orphan.provider)) {
    case 'safe': return { ...common, state: 'queued', receipt: null, attemptOutcome: null, uncount: true }
    case 'find': return { ...common, state: 'waiting', receipt: { kind: 'find' }, attemptOutcome: null }
    case 'never': return {
      ...common, state: 'failed', attemptOutcome: 'unknown', chargedMicros: 0,
      problem: storeProblem(new Problem('outcome_unknown', 'The server stopped while the upstream was being asked, so it may or may not have made this. It was not asked again and nothing was charged. Send it again if you want it made.')),
    }
  }
}

/** Takes over the claims of these workers; call until it took none. */
export const freeClaims = (database: Database, workers: string[], repeatOf: RepeatOf, now: Date, deliverer: string | null): Promise<Settled & { taken: number }> =>
  database.transaction(async client => {
    const { rows } = await client.query<Orphan>({ name: 'sweep orphans', text: `
      select id, turn, attempts, receipt, provider from task where worker = any($1::uuid[]) and state = 'running' order by id limit $2 for update skip locked` }, [workers, batch])
    const settled = await settleIn(client, rows.map(row => takeOver(row, repeatOf, now)), deliverer)
    return { ...settled, taken: rows.length }
  })

export const beat = (client: Client, worker: { id: string; host: string; pid: number }) => client.query({ name: 'worker beat', text: `
  insert into worker (id, host, pid) values ($1, $2, $3) on conflict (id) do update set beat_at = now()` }, [worker.id, worker.host, worker.pid])

/** Workers that missed their beats, or all others when nobody else can be alive (our own embedded database). */
export async function readDead(client: Client, own: string, lostAfterMs: number | null): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>({ name: 'worker dead', text: `
    select id from worker where id <> $1 and ($2::int is null or beat_at < now() - make_interval(secs => $2::int / 1000.0))` }, [own, lostAfterMs])
  return rows.map(row => row.id)
}

/** Forgets workers that hold nothing any more. */
export const forgetWorkers = (client: Client, workers: string[]) => client.query({ name: 'worker forget', text: `
  delete from worker w where w.id = any($1::uuid[]) and not exists (select from task t where t.worker = w.id and t.state = 'running')
    and not exists (select from delivery d where d.worker = w.id)` }, [workers])

/** Old idempotency keys (24 h) and rate windows. */
export async function forgetOld(client: Client): Promise<void> {
  await client.query(`delete from idempotency where ctid in (select ctid from idempotency where created_at < now() - interval '24 hours' limit 5000)`)
  await client.query(`delete from recent_call where ctid in (select ctid from recent_call where created_at < now() - interval '1 hour' limit 5000)`)
  await client.query(`delete from rate_window where starts_at < now() - interval '2 days'`)
}
