/**
 * Requests a minute, counted over all servers.
 *
 * One row per key and minute of the clock, raised by the requests of one moment together. The row's lock makes it exact:
 * of 50 requests at once against a limit of 10, 10 are let in. A fixed minute was chosen over a sliding one because its
 * headers can be told exactly; its price is that the end of one minute and the begin of the next can be used together.
 */
import { grouped } from '../db/group.ts'
import type { Client } from '../db/pool.ts'
import type { Caller } from '../domain/caller.ts'

export interface Rate {
  limit: number
  remaining: number
  /** Seconds until the minute ends. */
  resetS: number
  allowed: boolean
}

// The commit does not wait for the disk: a crash of the database forgives at most the last moment.
// In order of key, so that two servers cannot wait for each other in a circle.
const raise = {
  name: 'access raise rate',
  text: `with quick as materialized (select set_config('synchronous_commit', 'off', true))
         insert into rate_window (key_id, kind, starts_at, count)
         select raised.key_id, 'request', raised.starts_at, raised.count
         from quick, unnest($1::uuid[], $2::timestamptz[], $3::int[]) raised(key_id, starts_at, count)
         order by raised.key_id, raised.starts_at
         on conflict (key_id, kind, starts_at) do update set count = rate_window.count + excluded.count
         returning key_id, starts_at, count`,
}

const minuteMs = 60_000
const minuteOf = (ms: number) => ms - ms % minuteMs

interface Request { keyId: string; startsAtMs: number }

const nameOf = ({ keyId, startsAtMs }: Request) => `${keyId} ${startsAtMs}`

export function createRate({ database, now }: { database: Client; now(): Date }) {
  /** Answers, for each request, the how-manieth of its minute it is. */
  const count = grouped(async (requests: Request[]) => {
    const windows = new Map<string, Request & { count: number }>()
    for (const request of requests) {
      const window = windows.get(nameOf(request))
      if (window) window.count++
      else windows.set(nameOf(request), { ...request, count: 1 })
    }
    const wanted = [...windows.values()]
    const { rows } = await database.query<{ key_id: string; starts_at: Date; count: number }>(raise, [
      wanted.map(window => window.keyId), wanted.map(window => new Date(window.startsAtMs)), wanted.map(window => window.count)])
    const last = new Map(rows.map(row => [nameOf({ keyId: row.key_id, startsAtMs: row.starts_at.getTime() }), row.count]))
    return requests.map(request => {
      const window = windows.get(nameOf(request))!
      return last.get(nameOf(request))! - --window.count
    })
  })

  return {
    /** Counts one request of a caller and says whether it is let in; null where the key has no limit. */
    async countRequest({ keyId, limits }: Pick<Caller, 'keyId' | 'limits'>): Promise<Rate | null> {
      const limit = limits.requestsPerMinute
      if (limit === null) return null
      const startsAtMs = minuteOf(now().getTime())
      const position = await count({ keyId, startsAtMs })
      const resetS = Math.max(1, Math.ceil((startsAtMs + minuteMs - now().getTime()) / 1_000))
      return { limit, remaining: Math.max(0, limit - position), resetS, allowed: position <= limit }
    },

    /** How a caller stands, without counting; null where the key has no limit. */
    async peekRate({ keyId, limits }: Pick<Caller, 'keyId' | 'limits'>): Promise<Rate | null> {
      const limit = limits.requestsPerMinute
      if (limit === null) return null
      const startsAtMs = minuteOf(now().getTime())
      const { rows: [row] } = await database.query<{ count: number }>({ name: 'access peek rate', text: `select count from rate_window where key_id = $1 and kind = 'request' and starts_at = $2` }, [keyId, new Date(startsAtMs)])
      return { limit, remaining: Math.max(0, limit - (row?.count ?? 0)), resetS: Math.max(1, Math.ceil((startsAtMs + minuteMs - now().getTime()) / 1_000)), allowed: true }
    },

    /** Forgets windows nobody will ask about again. Other kinds may be as long as a day. */
    async sweep(): Promise<number> {
      const { rowCount } = await database.query(
        `delete from rate_window
         where starts_at < $1::timestamptz - case kind when 'request' then interval '5 minutes' else interval '2 days' end`,
        [now()])
      return rowCount ?? 0
    },
  }
}
