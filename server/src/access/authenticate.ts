/**
 * Who is asking.
 *
 * Absent on purpose: a cache. A key that was revoked or has expired is refused by the next request on every server; the
 * requests of one moment share a query instead.
 */
import { DatabaseDown } from '../db/down.ts'
import { grouped } from '../db/group.ts'
import type { Client } from '../db/pool.ts'
import type { Caller, RetiredModels, Scope } from '../domain/caller.ts'
import { lesser } from './limits.ts'
import { hashSecret, isSecret } from './secret.ts'

interface KeyRow {
  id: string
  name: string
  prefix: string
  hash: Buffer
  account_id: string
  project_id: string
  livemode: boolean
  scopes: Scope[]
  requests_per_minute: number | null
  executions_per_day: number | null
  concurrent: number | null
  account_concurrent: number | null
  retired_models: RetiredModels
  templates_only: boolean
  expires_at: Date | null
  revoked_at: Date | null
  last_used_at: Date | null
}

const selectKeys = `select key.id, key.name, key.prefix, key.hash, key.account_id, key.project_id, key.livemode, key.scopes, key.requests_per_minute,
           key.executions_per_day, key.concurrent, account.concurrent as account_concurrent, project.retired_models, project.templates_only, key.expires_at, key.revoked_at, key.last_used_at
         from api_key key join account on account.id = key.account_id join project on project.id = key.project_id`

const findKeys = { name: 'access find keys', text: `${selectKeys} where key.hash = any($1::bytea[])` }
const findKey = { name: 'access find key', text: `${selectKeys} where key.id = $1` }

// Not worth waiting for the disk, and said within the statement so that it stays one round trip.
const markUsed = {
  name: 'access mark used',
  text: `with quick as materialized (select set_config('synchronous_commit', 'off', true))
         update api_key set last_used_at = $2
         from quick
         where id = any($1::uuid[]) and (last_used_at is null or last_used_at <= $2::timestamptz - interval '1 minute')`,
}

const usedEveryMs = 60_000

/** Keys whose last use this process remembers; beyond it, it forgets them all and the statement's own condition holds. */
const rememberedMax = 10_000

export interface AuthenticateOptions {
  database: Client
  now(): Date
  log: { warn(fields: object, message: string): void }
}

/** Makes the functions that turn a secret into a caller; null where the secret opens nothing (any more). */
export function createAuthenticate({ database, now, log }: AuthenticateOptions) {
  const find = grouped(async (hashes: Buffer[]) => {
    const { rows } = await database.query<KeyRow>(findKeys, [hashes])
    const found = new Map(rows.map(row => [row.hash.toString('latin1'), row]))
    return hashes.map(hash => found.get(hash.toString('latin1')) ?? null)
  }, { lanes: 4 })

  const mark = grouped(async (ids: string[]) => {
    // In order, so that two servers that mark the same keys do not wait for each other in a circle.
    await database.query(markUsed, [[...new Set(ids)].sort(), now()])
    return ids
  })

  const markedAt = new Map<string, number>()

  /** Writes down that a key was used, at most once a minute and in nobody's way. */
  const noteUse = ({ id, last_used_at: last }: KeyRow, at: number) => {
    if (at - Math.max(markedAt.get(id) ?? 0, last?.getTime() ?? 0) < usedEveryMs) return
    if (markedAt.size >= rememberedMax) markedAt.clear()
    markedAt.set(id, at)
    mark(id).catch((error: unknown) => {
      markedAt.delete(id)
      log.warn({ error, down: error instanceof DatabaseDown }, 'could not note the use of a key')
    })
  }

  const identify = async (secret: string): Promise<Caller | 'expired' | null> => {
    if (!isSecret(secret)) return null
    const row = await find(hashSecret(secret))
    const at = now()
    if (!row || row.revoked_at) return null
    if (!opens(row, at)) return 'expired'
    noteUse(row, at.getTime())
    return readCaller(row)
  }

  const authenticate = async (secret: string): Promise<Caller | null> => {
    const caller = await identify(secret)
    return caller === 'expired' ? null : caller
  }

  const callerOf = async (keyId: string): Promise<Caller | null> => {
    const { rows: [row] } = await database.query<KeyRow>(findKey, [keyId])
    return row && opens(row, now()) ? readCaller(row) : null
  }

  return { identify, authenticate, callerOf, drain: () => mark.drain() }
}

const opens = ({ revoked_at: revoked, expires_at: expires }: KeyRow, at: Date): boolean => !revoked && (!expires || expires > at)

const readCaller = (row: KeyRow): Caller => ({
  keyId: row.id,
  keyName: row.name,
  keyPrefix: row.prefix,
  accountId: row.account_id,
  projectId: row.project_id,
  livemode: row.livemode,
  scopes: row.scopes,
  limits: {
    requestsPerMinute: row.requests_per_minute,
    executionsPerDay: row.executions_per_day,
    concurrent: lesser(row.concurrent, row.account_concurrent),
  },
  ...(row.retired_models === 'replace' ? { retiredModels: row.retired_models } : {}),
  templatesOnly: row.templates_only,
})
