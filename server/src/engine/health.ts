/**
 * How upstreams are doing, for all processes: the circuit breaker's rows and the pauses upstreams asked for.
 *
 * Written only when something goes wrong or is over; an upstream that answers costs no statement. Who may find out whether one is back is
 * decided in the claim (`claim.ts`), under its lock, so that it is exactly one.
 */
import { healthy, observe, type Health, type Sign } from '../domain/breaker.ts'
import type { Client, Database } from '../db/pool.ts'

interface HealthRow { state: Health['state']; failures: number; failing_since: Date | null; trips: number; open_until: Date | null; probe_task: string | null }

const readRow = (row: HealthRow): Health => ({ state: row.state, failures: row.failures, failingSince: row.failing_since, trips: row.trips, openUntil: row.open_until })

/** Writes down what an attempt told about its upstream; gives how it stands then. `again`: the task failed there before. The row is locked, so signs of several processes count one after another. */
export const noteSign = (database: Database, provider: string, sign: Sign, { taskId, again }: { taskId: string; again: boolean }, now: Date): Promise<Health> => database.transaction(async client => {
  // There from the first failure on, so that there is something to lock.
  await client.query({ name: 'health begin', text: `insert into provider_health (provider, state) values ($1, 'closed') on conflict do nothing` }, [provider])
  const { rows: [row] } = await client.query<HealthRow>({ name: 'health lock', text: 'select state, failures, failing_since, trips, open_until, probe_task from provider_health where provider = $1 for update' }, [provider])
  const before = readRow(row!)
  const after = observe(before, sign, { now, isProbe: row!.probe_task === taskId, again })
  if (after !== before) {
    await client.query({ name: 'health write', text: `
      update provider_health set state = $2, failures = $3, failing_since = $4, trips = $5, open_until = $6, probe_task = case when $2 = 'half_open' then probe_task end, changed_at = now()
      where provider = $1` }, [provider, after.state, after.failures, after.failingSince, after.trips, after.openUntil])
  }
  return after
})

/** An upstream that was left alone is asked once more, by this task. In the claim's transaction. */
export const beginProbe = (client: Client, provider: string, taskId: string) => client.query({ name: 'health probe', text: `
  update provider_health set state = 'half_open', probe_task = $2, changed_at = now() where provider = $1` }, [provider, taskId])

/** How one provider stands: its breaker, and until when it asked to be left alone. */
export interface ProviderState { provider: string; health: Health; pausedUntil: Date | null }

/** Everything that is not simply well. */
export async function readStates(client: Client): Promise<ProviderState[]> {
  const { rows } = await client.query<Partial<HealthRow> & { provider: string; pause_until: Date | null }>({ name: 'health all', text: `
    select provider, h.state, h.failures, h.failing_since, h.trips, h.open_until, p.pause_until
    from (select provider, pause_until from provider_pace where pause_until > now()) p
    full join (select * from provider_health where state <> 'closed' or failures > 0) h using (provider)` })
  return rows.map(row => ({ provider: row.provider, health: row.state ? readRow(row as HealthRow) : healthy, pausedUntil: row.pause_until }))
}
