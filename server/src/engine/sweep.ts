/**
 * What nobody comes back for by himself: deadlines, workers that died, keys and windows that are old.
 *
 * Every sweep takes a bounded number of rows with `skip locked`, so any number of processes may sweep at once.
 */
import { Problem, storeProblem, type ProblemCode, type StoredProblem } from '../domain/problem.ts'
import { findWays, firstOf, isSame, type Candidate } from '../domain/routing.ts'
import type { Client, Database } from '../db/pool.ts'
import type { Receipt, TaskRow } from './rows.ts'
import { settleIn, type Settled, type Settlement } from './settle.ts'
import { movedWarning } from './step.ts'

const batch = 500

interface Overdue { id: string; turn: number; state: 'queued' | 'waiting'; starts: boolean; attempts: number; problem: StoredProblem | null }

/** Ends tasks whose time to start or to end has passed. Tasks in hand end by their own worker's clock. */
export const endOverdue = (database: Database, deliverer: string | null): Promise<Settled> => database.transaction(async client => {
  const { rows } = await client.query<Overdue>({ name: 'sweep overdue', text: `
    with late as materialized (
      select id, turn, state, false as starts, attempts, problem from task where state in ('queued', 'waiting') and end_by <= now() limit $1 for update skip locked),
    unbegun as materialized (
      select id, turn, state, true as starts, attempts, problem from task
      where state = 'queued' and start_by is not null and start_by <= now() and started_at is null and end_by > now() limit $1 for update skip locked)
    select * from late union all select * from unbegun` }, [batch])
  return settleIn(client, rows.map((row): Settlement => ({
    id: row.id, turn: row.turn, forced: true, state: 'failed', chargedMicros: 0, attemptOutcome: row.state === 'waiting' ? 'unknown' : null,
    // Who queued for an upstream that stayed busy to the end is told that, and not that we were slow.
    problem: row.state === 'queued' && row.problem?.code === 'provider_busy' ? row.problem : storeProblem(row.starts
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

/** A queued task as the choice of its route sees it. */
export type Queued = Pick<TaskRow, 'id' | 'project_id' | 'model' | 'sticky_key' | 'livemode' | 'priority' | 'end_by' | 'operation' | 'parameters' | 'count' | 'width' | 'height' | 'price_micros'>
/** Providers that take no work now, models of theirs that have another route that does, and models whose routes were changed just now. */
export interface Stranding { providers: string[]; movable: string[]; changed: string[] }

interface Stranded extends Queued { turn: number; provider: string; upstream_model: string; problem: StoredProblem | null; warnings: string[]; tried: { provider: string; model: string; code: ProblemCode | null }[] | null }

/**
 * Gives queued tasks whose provider is down, wants to be left alone, or is no route of theirs any more to one that can take them now.
 *
 * Never one with an attempt whose end is not known: it may have been bought where it is.
 */
export const reroute = (database: Database, { providers, movable, changed }: Stranding, routesOf: (task: Queued) => Candidate[], now: Date, deliverer: string | null): Promise<Settled> =>
  database.transaction(async client => {
    const { rows } = await client.query<Stranded>({ name: `sweep stranded${changed.length > 0 ? ' or changed' : ''}`, text: `
      select t.id, t.turn, t.project_id, t.model, t.sticky_key, t.livemode, t.priority, t.end_by, t.operation, t.parameters, t.count, t.width, t.height, t.price_micros, t.provider, t.upstream_model, t.problem, t.warnings,
        (select jsonb_agg(jsonb_build_object('provider', a.provider, 'model', a.upstream_model, 'code', a.problem->>'code')) from attempt a where a.task_id = t.id) as tried
      from task t
      where t.state = 'queued' and t.livemode and t.due_at <= now() and (t.provider = any($1) and t.model = any($2)${changed.length > 0 ? ' or t.model = any($4)' : ''})
        and not exists (select from attempt a where a.task_id = t.id and a.ended_at is null)
      order by t.rank limit $3 for update skip locked` }, [providers, movable, batch, ...changed.length > 0 ? [changed] : []])
    return settleIn(client, rows.flatMap((row): Settlement[] => {
      const ranked = routesOf(row)
      const present = { provider: row.provider, model: row.upstream_model }
      const own = ranked.find(one => isSame(one, present))
      if (own?.standing === 'ready' || ranked.length === 0) return []
      const { later } = findWays({ ranked, present, tries: row.tried ?? [], retryAfterMs: null, now })
      // Whoever is ready; only where the present one is no route any more, also one that is not.
      const route = later && (later.floorMs === 0 || !own) ? later.route : own ? null : firstOf(ranked)
      if (!route || isSame(route, present)) return []
      const warning = movedWarning(row, own ? own.standing as 'down' | 'busy' : 'closed')
      return [{ id: row.id, turn: row.turn, forced: true, state: 'queued', attemptOutcome: null, problem: row.problem, route, event: 'task.retried', ...(row.warnings.includes(warning) ? {} : { warnings: [warning] }) }]
    }), deliverer)
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
    and not exists (select from delivery_due d where d.worker = w.id) and not exists (select from delivery_hand h where h.worker = w.id)` }, [workers])

/** Old idempotency keys (24 h), rate windows and call backs that were heard. */
export async function forgetOld(client: Client): Promise<void> {
  await client.query(`delete from idempotency where ctid in (select ctid from idempotency where created_at < now() - interval '24 hours' limit 5000)`)
  await client.query(`delete from recent_call where ctid in (select ctid from recent_call where created_at < now() - interval '1 hour' limit 5000)`)
  await client.query(`delete from callback_seen where ctid in (select ctid from callback_seen where seen_at < now() - interval '1 day' limit 5000)`)
  await client.query(`delete from rate_window where starts_at < now() - interval '2 days'`)
}
