/**
 * What attempts cost the house: written in the transaction that ends them, beside what their caller was charged, and read by the
 * operator. Customers see prices; what the house pays for them stands here only.
 *
 * Absent on purpose: updates and deletes, prices of cards, anything about test mode.
 */
import type { Cost } from '../domain/usage.ts'
import type { Client } from '../db/pool.ts'

export interface CostEntry { taskId: string; number: number; cost: Cost; chargedMicros: number; late: boolean }

export const unknownCost: Cost = { micros: null, basis: 'unknown', usage: null, search: null }

/** Writes down what attempts cost. What is there already stays as it is. Searches are counted here, so that the month's free ones are given away once. */
export async function writeCosts(client: Client, entries: CostEntry[]): Promise<void> {
  if (entries.length === 0) return
  const free = await useFreeSearches(client, entries)
  await client.query({ name: 'costs write', text: `
    insert into provider_cost (task_id, number, account_id, project_id, provider, upstream_model, model, micros, basis, usage, searches_free, charged_micros, late)
    select c.task_id, c.number, t.account_id, t.project_id, coalesce(a.provider, t.provider), coalesce(a.upstream_model, t.upstream_model), t.model, c.micros, c.basis, c.usage, c.free, c.charged, c.late
    from jsonb_to_recordset($1) as c(task_id uuid, number int, micros bigint, basis text, usage jsonb, free int, charged bigint, late boolean)
    cross join lateral (select * from task where id = c.task_id limit 1) t left join lateral (select * from attempt where task_id = c.task_id and number = c.number limit 1) a on true
    on conflict (task_id, number, (micros is null)) do nothing` },
  [JSON.stringify(entries.map(({ taskId, number, cost: { micros, basis, usage, search }, chargedMicros, late }, index) => ({
    task_id: taskId, number, basis, usage, free: free[index], charged: chargedMicros, late,
    micros: micros === null ? null : micros + (search ? ((usage?.searches ?? 0) - free[index]!) * search.micros : 0),
  })))])
}

/**
 * Counts searches against what the upstream gives away this month, and says how many of each entry's were free.
 *
 * The row stays locked to the commit, so the count is exact with any number of writers. Rows are locked after purses, in the order of
 * their providers.
 */
async function useFreeSearches(client: Client, entries: CostEntry[]): Promise<number[]> {
  const free = entries.map(() => 0)
  const searching = entries.flatMap((entry, index) => entry.cost.usage?.searches ? [{ index, searches: entry.cost.usage.searches, freePerMonth: entry.cost.search?.freePerMonth ?? 0, taskId: entry.taskId, number: entry.number }] : [])
  if (searching.length === 0) return free
  const { rows } = await client.query<{ task_id: string; number: number; provider: string }>({ name: 'costs providers', text: `
    select task_id, number, provider from attempt where (task_id, number) in (select * from unnest($1::uuid[], $2::int[]))` }, [searching.map(one => one.taskId), searching.map(one => one.number)])
  const providerOf = new Map(rows.map(row => [`${row.task_id} ${row.number}`, row.provider]))
  const byProvider = new Map<string, typeof searching>()
  for (const one of searching) {
    const provider = providerOf.get(`${one.taskId} ${one.number}`)
    if (provider !== undefined) byProvider.set(provider, [...byProvider.get(provider) ?? [], one])
  }
  for (const [provider, all] of [...byProvider].sort(([one], [other]) => one < other ? -1 : 1)) {
    const sum = all.reduce((total, { searches }) => total + searches, 0)
    const { rows: [row] } = await client.query<{ used: number }>({ name: 'costs free', text: `
      insert into free_use (provider, what, month, used) values ($1, 'search', date_trunc('month', now(), 'UTC') at time zone 'UTC', $2)
      on conflict (provider, what, month) do update set used = free_use.used + excluded.used returning used` }, [provider, sum])
    let used = row!.used - sum
    for (const { index, searches, freePerMonth } of all) {
      free[index] = Math.max(0, Math.min(searches, freePerMonth - used))
      used += searches
    }
  }
  return free
}

export interface CostLine {
  day: string
  provider: string
  model: string
  /** Attempts that cost something or may have, and those of them whose cost nobody knows. */
  attempts: number
  unknown: number
  /** Attempts whose result came after its task had ended. */
  late: number
  costMicros: number
  chargedMicros: number
}

/** What the house paid and what it charged for it, by UTC day, provider and model. */
export async function readCosts(client: Client, { from, to }: { from: Date; to: Date }): Promise<CostLine[]> {
  const { rows } = await client.query<{ day: string; provider: string; model: string; attempts: number; unknown: number; late: number; cost: number; charged: number }>(
    `select to_char(created_at at time zone 'utc', 'YYYY-MM-DD') as day, provider, model, count(distinct (task_id, number))::int as attempts,
       (count(*) filter (where micros is null and not exists (select from provider_cost k where k.task_id = c.task_id and k.number = c.number and k.micros is not null)))::int as unknown,
       (count(*) filter (where late and micros is not null))::int as late, coalesce(sum(micros), 0)::bigint as cost, sum(charged_micros)::bigint as charged
     from provider_cost c where created_at >= $1 and created_at < $2
     group by 1, 2, 3 order by 1, 2, 3`, [from, to])
  return rows.map(row => ({ day: row.day, provider: row.provider, model: row.model, attempts: row.attempts, unknown: row.unknown, late: row.late, costMicros: row.cost, chargedMicros: row.charged }))
}
