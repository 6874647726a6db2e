/** A server in a process of its own with a database of its own, a rehearsed upstream and a live key that can pay: for tests that kill it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '../../src/config.ts'
import { openOperator } from '../../src/operator.ts'
import { startUpstream } from '../../src/providers/rehearsal/upstream.ts'
import { testSettings } from './house.ts'
import { freePort } from './port.ts'
import { serverProcess, type ServerProcess } from './server.ts'

export interface Killable { server: ServerProcess; upstream: Awaited<ReturnType<typeof startUpstream>>; environment: Record<string, string>; url: string; secret: string }

/** Started and ready; gone with the test. */
export async function startKillable(t: { after(close: () => Promise<void>): void }): Promise<Killable> {
  const dataDir = await mkdtemp(join(tmpdir(), 'plantain-killed-'))
  const upstream = await startUpstream({ port: 0 })
  const environment = { ...testSettings({ databaseUrl: '', dataDir, upstreamUrl: upstream.url }), PORT: String(await freePort()), SHUTDOWN_GRACE_S: '5', REHEARSAL_LOOKUP: 'true' }
  const server = serverProcess(environment)
  t.after(async () => {
    await server.close()
    await upstream.close()
    await rm(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  })
  await server.start()
  const operator = await openOperator(readConfig(environment))
  const { secret } = await operator.keys.create({ name: 'Crash', livemode: true, scopes: ['admin'], expiresAt: null, limits: { requestsPerMinute: null, executionsPerDay: null, concurrent: null } })
  await operator.credits.grant(1_000_000_000, { livemode: true, note: 'Crash' })
  await operator.close()
  return { server, upstream, environment, url: `http://127.0.0.1:${environment.PORT}`, secret }
}
