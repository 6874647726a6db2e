/** `plantain doctor`: looks at everything a house needs, changes nothing, and says what to do. */
import { constants } from 'node:fs'
import { access, stat, statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import type { Loss } from '@plantain/server/catalog/cases.ts'
import type { Config } from '@plantain/server/config.ts'
import type { Card } from '@plantain/server/domain/card.ts'
import { formatDollars } from '@plantain/server/domain/money.ts'
import type { ProviderState } from '@plantain/server/engine/health.ts'
import type { Probed } from '@plantain/server/providers.ts'
import { Exit, exitCodes } from './exit.ts'
import { readSettings, within } from './local.ts'
import { findUrl } from './remote.ts'
import { formatBytes, type Shared, type Terminal } from './terminal.ts'

export interface Finding { check: string; verdict: 'ok' | 'warn' | 'fail'; message: string }

const ok = (check: string, message: string): Finding => ({ check, verdict: 'ok', message })
const warn = (check: string, message: string): Finding => ({ check, verdict: 'warn', message })
const fail = (check: string, message: string): Finding => ({ check, verdict: 'fail', message })
const sentence = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown)).split('\n')[0]!

export function judgeNode(version: string): Finding {
  return Number(version.split('.')[0]) >= 24 ? ok('node', version) : fail('node', `This is Node ${version}; Plantain needs 24 or newer. Start it with npm start, which brings its own.`)
}

const spaceFailBytes = 200_000_000
const spaceWarnBytes = 2_000_000_000
export function judgeSpace(bytes: number): Finding {
  const free = `${formatBytes(bytes)} free`
  if (bytes < spaceFailBytes) return fail('disk space', `${free}. The database stops when the disk is full: make room, or move PLANTAIN_DATA_DIR.`)
  return bytes < spaceWarnBytes ? warn('disk space', `${free}. Make room soon, or move PLANTAIN_DATA_DIR.`) : ok('disk space', free)
}

const skewMaxMs = 5_000
export function judgeClock(oursMs: number, theirsMs: number): Finding {
  const skewMs = Math.abs(oursMs - theirsMs)
  return skewMs > skewMaxMs
    ? warn('clock', `This machine and the database are ${Math.round(skewMs / 1000)} s apart. Deadlines, signatures and expiring links go by the clock: let NTP set it.`)
    : ok('clock', 'agrees with the database')
}

/** Purchases of the last week of which nobody knows what became. */
export const judgeUnknown = (count: number): Finding => count === 0 ? ok('outcomes', 'every purchase of the last 7 days has an end')
  : warn('outcomes', `${count} ${count === 1 ? 'attempt' : 'attempts'} of the last 7 days may have been bought, and nobody knows what became of ${count === 1 ? 'it' : 'them'}: plantain unknown`)

/** A provider of which some settings are there and a needed one is not: somebody meant to set it up. */
export const judgeMissing = (id: string, missing: string[], present: string[]): Finding[] => present.length === 0 ? []
  : [warn(id, `${present.join(', ')} ${present.length === 1 ? 'is' : 'are'} set and ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not, so it is not set up. Set ${missing.length === 1 ? 'it' : 'them'}, or take the others away.`)]

export const judgeProbe = (id: string, { answers, takesKey, said }: Probed): Finding =>
  !takesKey ? fail(id, `${said} Live orders that only it could make fail until its key is right.`) : answers ? ok(id, said) : warn(id, `${said.replace(/\.$/, '')}. Live orders go to other routes of their model, or wait.`)

/** A breaker that keeps work away from a provider, or a pause the provider asked for. */
export function judgeStanding({ provider, health, pausedUntil }: ProviderState, now: Date): Finding[] {
  const seconds = (until: Date) => `${Math.max(0, Math.ceil((until.getTime() - now.getTime()) / 1_000))} s`
  if (health.state === 'half_open') return [warn(provider, 'Its breaker is half open: one task is finding out whether it is back.')]
  if (health.state === 'open') return [warn(provider, `Its breaker is open for another ${seconds(health.openUntil ?? now)} (opened ${health.trips} ${health.trips === 1 ? 'time' : 'times'} in a row): it failed again and again, and work goes elsewhere or waits.`)]
  return pausedUntil && pausedUntil > now ? [warn(provider, `It asked to be left alone for another ${seconds(pausedUntil)}.`)] : []
}

const soonMs = 60 * 86_400_000
/** Models that can be made here and end soon, or ended while their provider is still set up. */
export function judgeLives(cards: Pick<Card, 'id' | 'life' | 'routes'>[], configured: ReadonlySet<string>, now: Date): Finding[] {
  return cards.filter(({ routes }) => routes.some(({ provider }) => configured.has(provider))).flatMap(({ id, life: { state, ends, replacement } }) => {
    if (ends === undefined) return []
    const instead = replacement ? ` Use ${replacement}.` : ''
    if (state === 'retired') return [warn('models', `${id} ended on ${ends}: live orders for it are refused.${instead}`)]
    const leftMs = Date.parse(`${ends}T00:00:00Z`) - now.getTime()
    const days = Math.ceil(leftMs / 86_400_000)
    return leftMs <= soonMs ? [warn('models', `${id} ends on ${ends}, in ${days} ${days === 1 ? 'day' : 'days'}.${instead}`)] : []
  })
}

const lossesShown = 5
/** Models sold for less than a provider that is set up takes for them, by the lists on their cards: our own follow the cheapest route. `areTaken`: whether the house makes such orders there (ROUTES_AT_A_LOSS). */
export function judgeLosses(losses: Loss[], areTaken: boolean): Finding[] {
  if (losses.length === 0) return []
  if (!areTaken) return [ok('prices', `nothing is made at a loss (ROUTES_AT_A_LOSS=false): ${losses.length === 1 ? 'one route is' : `${losses.length} routes are`} left out where ${losses.length === 1 ? 'it takes' : 'they take'} more than callers pay`)]
  const told = losses.slice(0, lossesShown).map(({ model, provider, costMicros, priceMicros, per }) => `${model} by ${provider} (up to $${formatDollars(costMicros)} for $${formatDollars(priceMicros)} per ${per})`)
  const more = losses.length > told.length ? ` and ${losses.length - told.length} more` : ''
  return [warn('prices', `${losses.length === 1 ? 'One route' : `${losses.length} routes`} can cost more than callers pay: ${told.join(', ')}${more}. Say your prices on cards of your own (docs/cards.md), set other routes, or leave them out for such orders with ROUTES_AT_A_LOSS=false; plantain routes list --costs shows what each takes.`)]
}

/** What the outside is told about our address. Pure. */
export function judgePublicUrl(publicUrl: string | undefined, host: string): Finding {
  const isOpen = !['127.0.0.1', '::1', 'localhost'].includes(host)
  if (publicUrl === undefined) {
    return isOpen
      ? warn('PUBLIC_URL', `is not set while the server listens on ${host}: links will not work from elsewhere, and upstreams cannot call back. Set it to the address people use.`)
      : ok('PUBLIC_URL', 'not set; links are for this machine')
  }
  const { protocol, hostname, pathname } = new URL(publicUrl)
  const isLocal = /^(localhost|127\.|\[::1\]|0\.0\.0\.0)/.test(hostname)
  if (isLocal) return warn('PUBLIC_URL', `${publicUrl} leads to this machine only: upstreams cannot call back. Set the address people use, or leave it out.`)
  if (protocol === 'http:') return warn('PUBLIC_URL', `${publicUrl} is not encrypted: keys and pictures can be read on the way. Put TLS in front and use https.`)
  if (pathname !== '/' && pathname !== '') return warn('PUBLIC_URL', `${publicUrl} has a path: that works only if the proxy in front takes it away again.`)
  return ok('PUBLIC_URL', publicUrl)
}

async function checkFolder({ dataDir }: Config): Promise<Finding[]> {
  // A folder that is not there yet is made at the first start, so its parent counts.
  let folder = dataDir
  while (!await stat(folder).catch(() => null)) folder = dirname(folder)
  try {
    await access(folder, constants.W_OK | constants.X_OK)
  } catch {
    return [fail('data folder', `${folder} cannot be written. Give it to the user who starts Plantain, or set PLANTAIN_DATA_DIR.`)]
  }
  const { bavail, bsize } = await statfs(folder)
  return [ok('data folder', folder === dataDir ? dataDir : `${dataDir} (made at the first start)`), judgeSpace(bavail * bsize)]
}

/** What the books say; each sentence of what does not add up is a finding of its own, ten of them at most. */
export const judgeBooks = (sentences: string[]): Finding[] => sentences.length === 0 ? [ok('books', 'the ledger and the tasks agree')]
  : [...sentences.slice(0, 10).map((said) => fail('books', said)), ...sentences.length > 10 ? [fail('books', `${sentences.length - 10} more do not add up.`)] : []]

async function checkDatabase(config: Config): Promise<Finding[]> {
  const [{ findRunning }, { databaseFolder }, { openDatabase }, { readMigrations, plan }] = await Promise.all([
    import('@plantain/server/db/embedded/running.ts'), import('@plantain/server/house.ts'),
    import('@plantain/server/db/pool.ts'), import('@plantain/server/db/migrate.ts'),
  ])
  let url = config.DATABASE_URL
  if (url === undefined) {
    const folder = databaseFolder(config)
    if (!await stat(folder).catch(() => null)) return [warn('database', 'The embedded PostgreSQL is made at the first start: npm start.')]
    url = findRunning(folder)?.url
    if (url === undefined) return [warn('database', 'The embedded PostgreSQL is not running; it starts with the server. Nothing to do if the server is meant to be down.')]
  }
  const database = openDatabase({ url, max: 1, waitMs: 5_000 })
  try {
    const { rows: [standing] } = await database.query<{ version: number; now_ms: number; present: boolean }>(
      `select current_setting('server_version_num')::int as version, (extract(epoch from clock_timestamp()) * 1000)::float8 as now_ms,
              to_regclass('public.schema_migration') is not null as present`, [])
    const { version, now_ms, present } = standing!
    const major = Math.floor(version / 10_000)
    const findings = [major >= 15 ? ok('database', `PostgreSQL ${major}`) : fail('database', `PostgreSQL ${major} is too old. Use 15 or newer.`), judgeClock(Date.now(), now_ms)]
    if (!present) return [...findings, warn('migrations', 'None applied yet: plantain migrate, or start the server.')]
    const { rows: applied } = await database.query<{ number: number; name: string; sha256: string }>('select number, name, sha256 from public.schema_migration order by number', [])
    try {
      const missing = plan(await readMigrations(), applied)
      findings.push(missing.length === 0 ? ok('migrations', `all ${applied.length} applied`) : warn('migrations', `${missing.length} to apply: plantain migrate, or start the server.`))
      if (missing.length > 0) return findings
    } catch (thrown) {
      return [...findings, fail('migrations', sentence(thrown))]
    }
    const { rows: [keys] } = await database.query<{ test: number; live: number }>(
      `select count(*) filter (where not livemode)::int as test, count(*) filter (where livemode)::int as live
       from api_key where revoked_at is null and (expires_at is null or expires_at > now())`, [])
    const { test, live } = keys!
    findings.push(test + live === 0 ? fail('keys', 'No key works. Make one: plantain keys create --name first') : ok('keys', `${test} test, ${live} live`))
    const { readUnknown } = await import('@plantain/server/engine/unknown.ts')
    const { audit } = await import('@plantain/server/ledger/books.ts')
    const { readStates } = await import('@plantain/server/engine/health.ts')
    findings.push(...judgeBooks(await audit(database)))
    findings.push(...(await readStates(database)).flatMap(state => judgeStanding(state, new Date())))
    findings.push(judgeUnknown((await readUnknown(database, { since: new Date(Date.now() - 7 * 86_400_000), limit: 1_000 })).length))
    return findings
  } catch (thrown) {
    return [fail('database', `does not answer (${sentence(thrown)}). Check DATABASE_URL and that PostgreSQL runs.`)]
  } finally {
    await database.close()
  }
}

const probeWithinMs = 5_000
const probeBytesMax = 5_000_000

/** Which providers are set up, whether they answer, and which of their models end soon. Costs nothing: each is asked one call it documents for looking. */
async function checkProviders(config: Config): Promise<Finding[]> {
  const [{ findProviders, hostsOf, probeUpstream }, { readProviderSettings, variableOf, ConfigError }, { createFetch, providerCodes }, { loadCatalog, ownCards }, { lossesOf }] = await Promise.all([
    import('@plantain/server/providers.ts'), import('@plantain/server/config.ts'), import('@plantain/server/kit/fetch.ts'), import('@plantain/server/catalog/catalog.ts'),
    import('@plantain/server/catalog/cases.ts'),
  ])
  const present = Object.fromEntries(Object.entries(config.environment).filter(([, value]) => value !== undefined && value !== ''))
  const configured = new Set<string>()
  const findings = await Promise.all((await findProviders(config)).filter(({ id }) => id !== 'sandbox').map(async (provider): Promise<Finding[]> => {
    const { id, settings, probe, title } = provider
    try {
      const read = readProviderSettings(id, settings, present)
      if ('missing' in read) return judgeMissing(id, read.missing, Object.keys(settings.properties).map(setting => variableOf(id, setting)).filter(name => name in present))
      configured.add(id)
      if (!probe) return [ok(id, `${title} is set up; it documents no call that costs nothing, so it was not asked`)]
      const own = hostsOf(read.values)
      const fetch = createFetch({ ...providerCodes, allowPrivate: (host, port) => config.ALLOW_PRIVATE_ADDRESSES || own.has(`${host}:${port}`), deadlineMs: probeWithinMs, sizeMax: probeBytesMax, redirectsMax: 0 })
      try { return [judgeProbe(id, await probeUpstream(probe(read.values as never), fetch, AbortSignal.timeout(probeWithinMs)))] } finally { await fetch.close() }
    } catch (thrown) {
      if (!(thrown instanceof ConfigError)) throw thrown
      return thrown.mistakes.map(mistake => fail(id, mistake))
    }
  }))
  const cards = loadCatalog([ownCards, ...config.PLANTAIN_CARDS ? [config.PLANTAIN_CARDS] : []]).all()
  if (configured.size === 0) findings.push([ok('providers', 'none is set up: test keys draw with the sandbox, live keys have nobody to ask (docs/providers.md)')])
  const now = new Date()
  const losses = cards.filter(({ life }) => life.state !== 'retired').flatMap(card => lossesOf(card, now)).filter(({ provider }) => configured.has(provider))
  return [...findings.flat(), ...judgeLives(cards, configured, now), ...judgeLosses(losses, config.ROUTES_AT_A_LOSS)]
}

async function checkKeyFile({ dataDir }: Config): Promise<Finding[]> {
  const kept = await stat(join(dataDir, 'first-key.txt')).catch(() => null)
  if (!kept) return []
  return (kept.mode & 0o077) === 0 ? [ok('first-key.txt', 'readable by its owner only')] : [warn('first-key.txt', `can be read by others: chmod 600 ${join(dataDir, 'first-key.txt')}`)]
}

/** Loads what the renderer is made of by making it draw: letters from our fonts, pixels from the canvas, a file from sharp. */
async function checkRenderer(): Promise<Finding> {
  try {
    const [{ startPool }, { default: sharp }] = await Promise.all([import('@plantain/sandbox/pool'), import('sharp')])
    const pool = startPool({ threads: 1 })
    try {
      const drawn = await within(30_000, pool.render({ operation: 'generate', prompt: 'a poster with the words "OK"', inputs: [], width: 128, height: 128, seed: 1, format: 'png' }))
      if (!drawn) return fail('renderer', 'did not draw a small picture within 30 s. The machine is very busy, or npm ci was interrupted: run it again.')
      const { width } = await sharp(drawn.bytes).metadata()
      return width === 128 ? ok('renderer', `fonts, canvas and sharp work (${drawn.rendererVersion})`) : fail('renderer', 'drew a picture of the wrong size. Run npm ci again.')
    } finally {
      await pool.close()
    }
  } catch (thrown) {
    return fail('renderer', `cannot draw (${sentence(thrown)}). Run npm ci again on this machine: its parts are made for one platform.`)
  }
}

async function checkServer(config: Config, shared: Shared, { env }: Terminal): Promise<Finding> {
  const url = findUrl(shared, env)
  const up = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(3_000) }).then(async (response) => ({ status: response.status, body: await response.json().catch(() => null) as { ready?: unknown } | null })).catch(() => null)
  if (typeof up?.body?.ready === 'boolean') return up.body.ready ? ok('server', `up on ${url}`) : warn('server', `on ${url} is starting, stopping, or has lost its database.`)
  if (up) return fail('server', `Something else answers on ${url}. Stop it, or set PORT to a free one.`)
  if (config.PORT === 0) return ok('port', 'any free one')
  const trouble = await new Promise<NodeJS.ErrnoException | null>((resume) => {
    const probe = createServer().once('error', resume).listen(config.PORT, config.HOST, () => probe.close(() => resume(null)))
  })
  if (!trouble) return ok('port', `${config.PORT} is free; the server is not running`)
  return trouble.code === 'EADDRINUSE'
    ? fail('port', `${config.PORT} is taken by something that is not Plantain. Stop it, or set PORT to a free one.`)
    : fail('port', `${config.HOST}:${config.PORT} cannot be listened on (${trouble.code}). Check HOST and PORT.`)
}

export async function runDoctor(shared: Shared, terminal: Terminal): Promise<void> {
  const findings: Finding[] = []
  const say = (...found: Finding[]) => {
    for (const finding of found) {
      findings.push(finding)
      if (!shared.json) terminal.print(`${finding.verdict.padEnd(4)}  ${finding.check}: ${finding.message}`)
    }
  }
  say(judgeNode(process.versions.node))
  let config: Config | null = null
  try {
    config = readSettings(terminal)
    say(ok('settings', 'all readable'))
  } catch (thrown) {
    if (!(thrown instanceof Exit)) throw thrown
    say(...thrown.message.split('\n').slice(1).map((line) => fail('settings', line.trim())))
  }
  if (config) {
    say(...await checkFolder(config), judgePublicUrl(config.PUBLIC_URL, config.HOST), ...await checkKeyFile(config))
    say(...await checkProviders(config).catch((thrown: unknown) => [fail('providers', sentence(thrown))]))
    say(...await checkDatabase(config).catch((thrown: unknown) => [fail('database', sentence(thrown))]))
    say(await checkServer(config, shared, terminal))
  }
  say(await checkRenderer())

  const failed = findings.filter(({ verdict }) => verdict === 'fail').length
  if (shared.json) terminal.print(JSON.stringify({ ok: failed === 0, findings }))
  if (failed > 0) throw new Exit(exitCodes.failed, 'unhealthy', shared.json ? '' : `${failed} of ${findings.length} checks failed.`)
}
