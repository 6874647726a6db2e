/** How much a key has begun today (UTC). The row stays locked to the commit, so the count is exact over all servers; a day without a limit is not counted. */
import type { Client } from './pool.ts'

export interface Begun { keyId: string; count: number }
export interface Day { keyId: string; /** What was begun today, with what was counted just now. */ count: number; /** Seconds until the next day. */ resetS: number }

/** Counts more towards the day of each key. In the order of the keys, as everybody locks them. */
export async function countDay(client: Client, begun: Begun[]): Promise<Day[]> {
  const sorted = begun.toSorted((a, b) => a.keyId < b.keyId ? -1 : 1)
  const { rows } = await client.query<{ key_id: string; count: number; reset_s: number }>({ name: 'day count', text: `
    insert into rate_window (key_id, kind, starts_at, count)
    select key_id, 'executions_day', date_trunc('day', now(), 'UTC'), count from unnest($1::uuid[], $2::int[]) as wanted(key_id, count)
    on conflict (key_id, kind, starts_at) do update set count = rate_window.count + excluded.count
    returning key_id, count, ceil(extract(epoch from starts_at + interval '1 day' - now()))::int as reset_s` },
  [sorted.map(one => one.keyId), sorted.map(one => one.count)])
  return rows.map(row => ({ keyId: row.key_id, count: row.count, resetS: row.reset_s }))
}

/** Takes back what was counted and did not begin. */
export async function uncountDay(client: Client, begun: Begun[]): Promise<void> {
  if (begun.length > 0) await client.query({ name: 'day uncount', text: `
    update rate_window r set count = r.count - o.count from unnest($1::uuid[], $2::int[]) as o(key_id, count)
    where r.key_id = o.key_id and r.kind = 'executions_day' and r.starts_at = date_trunc('day', now(), 'UTC')` }, [begun.map(one => one.keyId), begun.map(one => one.count)])
}
