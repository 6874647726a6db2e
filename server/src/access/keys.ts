/**
 * Keys of a project: made, listed, revoked.
 *
 * Invariants: a key hands on nothing it has not got (scopes, live mode, looser request limits); a test key neither sees
 * nor touches a live one. Absent on purpose: secrets (shown once, stored as a hash) and changing a key (make another).
 */
import { writeAct } from '../db/audit.ts'
import type { Client, Database } from '../db/pool.ts'
import { mayUse, scopes as allScopes, type Caller, type KeyLimits, type Scope } from '../domain/caller.ts'
import { Problem } from '../domain/problem.ts'
import { isId, newId } from '../kit/id.ts'
import type { Key, NewKey } from '../protocols/contract.ts'
import { isLooser, lesser } from './limits.ts'
import { hashSecret, newSecret, prefixOf } from './secret.ts'

interface KeyRow {
  id: string
  name: string
  prefix: string
  livemode: boolean
  scopes: Scope[]
  requests_per_minute: number | null
  executions_per_day: number | null
  concurrent: number | null
  created_at: Date
  expires_at: Date | null
  revoked_at: Date | null
  last_used_at: Date | null
}

const columns = `id, name, prefix, livemode, scopes, requests_per_minute, executions_per_day, concurrent, created_at, expires_at, revoked_at, last_used_at`

export const readKey = (row: KeyRow): Key => ({
  id: row.id,
  name: row.name,
  prefix: row.prefix,
  livemode: row.livemode,
  scopes: row.scopes,
  limits: { requestsPerMinute: row.requests_per_minute, executionsPerDay: row.executions_per_day, concurrent: row.concurrent },
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  revokedAt: row.revoked_at,
  lastUsedAt: row.last_used_at,
})

/** Keys a project can have at once, so that a loop gone wrong ends. */
const keysMax = 1_000
const int4Max = 2_147_483_647

/** @throws {Problem} `bad_request` with the field that is wrong */
function checkKey({ name, scopes, expiresAt, limits }: NewKey, now: Date): NewKey['name'] {
  const tidy = name.trim()
  if (tidy.length < 1 || tidy.length > 100 || /\p{Cc}/u.test(tidy)) {
    throw new Problem('bad_request', 'A key needs a name of 1 to 100 characters without line breaks.', { field: 'name', value: name.slice(0, 200) })
  }
  if (scopes.length === 0) throw new Problem('bad_request', 'A key needs at least one scope.', { field: 'scopes', value: scopes, allowed: allScopes })
  for (const scope of scopes) {
    if (!allScopes.includes(scope)) throw new Problem('bad_request', `There is no scope "${String(scope).slice(0, 100)}".`, { field: 'scopes', value: scope, allowed: allScopes })
  }
  if (expiresAt !== null && !(expiresAt > now)) {
    throw new Problem('bad_request', 'A key has to expire in the future, or not at all.', { field: 'expires_at', value: Number.isNaN(expiresAt.getTime()) ? null : expiresAt.toISOString() })
  }
  for (const [field, limit] of Object.entries(limits)) {
    if (limit !== null && !(Number.isInteger(limit) && limit >= 1 && limit <= int4Max)) {
      throw new Problem('bad_request', `The limit ${field} must be a whole number of at least 1, or absent.`, { field: `limits.${field}`, value: limit })
    }
  }
  return tidy
}

/** @throws {Problem} `forbidden` where the new key would be allowed more than the one that makes it */
function checkHandedOn(caller: Caller, { livemode, scopes, limits }: NewKey): void {
  if (livemode && !caller.livemode) {
    throw new Problem('forbidden', 'A test key cannot make a live key. Use a live key, or make the first one on the server with `plantain keys create`.', { field: 'livemode', value: true })
  }
  const missing = scopes.filter(scope => !mayUse(caller, scope))
  if (missing.length > 0) {
    throw new Problem('forbidden', `A key cannot give scopes it has not got: ${missing.join(', ')}.`, { field: 'scopes', value: missing, allowed: caller.scopes })
  }
  for (const field of ['requestsPerMinute', 'executionsPerDay'] satisfies (keyof KeyLimits)[]) {
    if (isLooser(limits[field], caller.limits[field])) {
      throw new Problem('forbidden', `A key with the limit ${field} of ${caller.limits[field]} cannot make one with a looser limit.`, { field: `limits.${field}`, value: limits[field], allowed: caller.limits[field] })
    }
  }
}

/** The caller's limit is the lesser of its own and its account's; the account's holds for the new key as well, so it need not be repeated. */
async function checkConcurrent(client: Client, { accountId, limits: own }: Caller, { limits }: NewKey): Promise<void> {
  if (own.concurrent === null) return
  const { rows: [account] } = await client.query<{ concurrent: number | null }>('select concurrent from account where id = $1', [accountId])
  if (isLooser(lesser(limits.concurrent, account?.concurrent ?? null), own.concurrent)) {
    throw new Problem('forbidden', `A key with the limit concurrent of ${own.concurrent} cannot make one with a looser limit.`, { field: 'limits.concurrent', value: limits.concurrent, allowed: own.concurrent })
  }
}

/** Where a key belongs, and which key made it (null for the operator). */
export interface KeyHome { accountId: string; projectId: string; byKeyId: string | null }

/** Writes a key that has been checked, with its audit row, in the caller's transaction. */
export async function insertKey(client: Client, { accountId, projectId, byKeyId }: KeyHome, key: NewKey, now: Date): Promise<{ key: Key; secret: string }> {
  const { limits } = key
  const name = checkKey(key, now)
  const scopes = [...new Set(key.scopes)]
  const secret = newSecret(key.livemode)
  const { rows: [{ count }] } = await client.query<any>('select count(*)::int as count from api_key where project_id = $1 and revoked_at is null', [projectId])
  if (count >= keysMax) throw new Problem('conflict', `A project can have ${keysMax} keys. Revoke one you no longer need.`)
  const { rows: [row] } = await client.query<KeyRow>(
    `insert into api_key (id, account_id, project_id, name, livemode, hash, prefix, scopes, requests_per_minute, executions_per_day, concurrent, created_at, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
     returning ${columns}`,
    [newId(), accountId, projectId, name, key.livemode, hashSecret(secret), prefixOf(secret), scopes,
      limits.requestsPerMinute, limits.executionsPerDay, limits.concurrent, now, key.expiresAt])
  const made = readKey(row!)
  await writeAct(client, { accountId, projectId, keyId: byKeyId, act: 'key.created', subject: made.id, details: { name, livemode: key.livemode, scopes } })
  return { key: made, secret }
}

/** Ends a key at once and for good; one that has ended stays as it is. Null where the project has no such key. */
export async function revokeKey(database: Database, { accountId, projectId, byKeyId }: KeyHome, keyId: string, { alsoLive, now }: { alsoLive: boolean; now: Date }): Promise<Key | null> {
  if (!isId(keyId)) return null
  return database.transaction(async client => {
    const { rows: [before] } = await client.query<KeyRow>(
      `select ${columns} from api_key where id = $1 and project_id = $2 and ($3 or not livemode) for update`, [keyId, projectId, alsoLive])
    if (!before || before.revoked_at) return before ? readKey(before) : null
    const { rows: [row] } = await client.query<KeyRow>(`update api_key set revoked_at = $2 where id = $1 returning ${columns}`, [keyId, now])
    await writeAct(client, { accountId, projectId, keyId: byKeyId, act: 'key.revoked', subject: row!.id, details: { name: row!.name } })
    return readKey(row!)
  })
}

export async function listKeys(client: Client, projectId: string, { alsoLive }: { alsoLive: boolean }): Promise<Key[]> {
  const { rows } = await client.query<KeyRow>(
    `select ${columns} from api_key where project_id = $1 and ($2 or not livemode) order by id desc limit 10000`, [projectId, alsoLive])
  return rows.map(readKey)
}

/** The keys of a project as one of its keys sees them. */
export interface Keys {
  /** @throws {Problem} `bad_request`, `forbidden`, `conflict` */
  create(caller: Caller, key: NewKey): Promise<{ key: Key; secret: string }>
  list(caller: Caller): Promise<Key[]>
  /** @throws {Problem} `not_found` */
  revoke(caller: Caller, keyId: string): Promise<Key>
}

export const createKeys = ({ database, now }: { database: Database; now(): Date }): Keys => ({
  async create(caller, key) {
    checkKey(key, now())
    checkHandedOn(caller, key)
    return database.transaction(async client => {
      await checkConcurrent(client, caller, key)
      return insertKey(client, homeOf(caller), key, now())
    })
  },

  list: caller => listKeys(database, caller.projectId, { alsoLive: caller.livemode }),

  async revoke(caller, keyId) {
    const key = await revokeKey(database, homeOf(caller), keyId, { alsoLive: caller.livemode, now: now() })
    if (!key) throw new Problem('not_found', 'This project has no such key.', { field: 'key' })
    return key
  },
})

const homeOf = ({ accountId, projectId, keyId }: Caller): KeyHome => ({ accountId, projectId, byKeyId: keyId })
