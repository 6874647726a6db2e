/** A whole house for a test file: its own database, its own data folder, both kinds of key, and the rehearsal upstream for live ones. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '../../src/config.ts'
import type { Database } from '../../src/db/pool.ts'
import type { KeyLimits, Scope } from '../../src/domain/caller.ts'
import { startHouse, type House, type Role } from '../../src/house.ts'
import { audit } from '../../src/ledger/books.ts'
import { grant } from '../../src/ledger/ledger.ts'
import { createLog } from '../../src/kit/log.ts'
import { startUpstream } from '../../src/providers/rehearsal/upstream.ts'
import { testDatabase } from './database.ts'
import { youngDay, youngMinute } from './minute.ts'

export interface TestHouse {
  url: string
  /** Admin of the first project, in test mode and in live mode. */
  testKey: string
  liveKey: string
  database: Database
  house: House
  dataDir: string
  upstream: Awaited<ReturnType<typeof startUpstream>>
  /** Another account with its own project, keys and money (dollars of each kind). */
  newAccount(options?: { testDollars?: number; liveDollars?: number; limits?: Partial<KeyLimits>; scopes?: Scope[]; concurrent?: number | null }): Promise<{ accountId: string; projectId: string; testKey: string; liveKey: string }>
  /** What does not add up. */
  audit(): Promise<string[]>
  close(): Promise<void>
}

export interface TestHouseOptions {
  settings?: Record<string, string>
  roles?: Role[]
  /** Live credits of the first account, in dollars; 100 by default. */
  liveDollars?: number
  providersNow?: () => Date
}

/** Settings of a house on a test database, for this process or for one that is started beside it. */
export const testSettings = ({ databaseUrl, dataDir, upstreamUrl }: { databaseUrl: string; dataDir: string; upstreamUrl: string }): Record<string, string> => ({
  DATABASE_URL: databaseUrl, PLANTAIN_DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: process.env.LOG_LEVEL ?? 'error', DATABASE_POOL: '6', SANDBOX_THREADS: '1',
  PLANTAIN_CARDS: join(import.meta.dirname, 'cards'), REHEARSAL_BASE_URL: upstreamUrl, ALLOW_PRIVATE_ADDRESSES: 'true',
})

const allScopes: Scope[] = ['admin']

export async function testHouse({ settings = {}, roles = ['serve', 'work'], liveDollars = 100, providersNow }: TestHouseOptions = {}): Promise<TestHouse> {
  const { url: databaseUrl, database, close: closeDatabase } = await testDatabase()
  const dataDir = await mkdtemp(join(tmpdir(), 'plantain-test-'))
  const upstream = await startUpstream({ port: 0 })
  const config = readConfig({ ...testSettings({ databaseUrl, dataDir, upstreamUrl: upstream.url }), ...settings })
  const house = await startHouse(config, { roles, log: createLog(config.LOG_LEVEL), ...(providersNow ? { providersNow } : {}) }).catch(async error => {
    // A house that does not open must fail its test file, not keep it waiting.
    await upstream.close()
    await closeDatabase()
    throw error
  })
  const { rows: [first] } = await database.query<{ account_id: string; project_id: string }>('select account_id, id as project_id from project order by id limit 1')
  const newKeys = async (projectId: string, scopes: Scope[], limits: Partial<KeyLimits>) => {
    const make = async (livemode: boolean) => (await house.access.createKeyForOperator(projectId, {
      name: livemode ? 'Live' : 'Test', livemode, scopes, expiresAt: null, limits: { requestsPerMinute: null, executionsPerDay: null, concurrent: null, ...limits } })).secret
    return { testKey: await make(false), liveKey: await make(true) }
  }
  const give = (accountId: string, livemode: boolean, dollars: number) => dollars > 0
    ? database.transaction(client => grant(client, { accountId, livemode }, Math.round(dollars * 1_000_000), 'Test')) : Promise.resolve()
  await give(first!.account_id, true, liveDollars)
  const keys = await newKeys(first!.project_id, allScopes, {})
  return {
    url: house.url ?? '', ...keys, database, house, dataDir, upstream,
    async newAccount({ testDollars = 10, liveDollars: dollars = 10, limits = {}, scopes = allScopes, concurrent = null } = {}) {
      const account = await house.access.createAccount({ name: 'Another', concurrent })
      const project = await house.access.createProject({ accountId: account.id, name: `Another ${account.id.slice(-6)}` })
      await give(account.id, false, testDollars)
      await give(account.id, true, dollars)
      if (limits.executionsPerDay) await youngDay()
      if (limits.requestsPerMinute) await youngMinute()
      return { accountId: account.id, projectId: project.id, ...await newKeys(project.id, scopes, limits) }
    },
    audit: () => audit(database),
    async close() {
      await house.close()
      await upstream.close()
      await closeDatabase()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
