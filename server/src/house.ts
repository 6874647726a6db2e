/**
 * The house: puts the rooms together, opens the doors and closes them again.
 *
 * Rooms that may not look at each other are handed what they need here. The order matters: what others need is opened first and
 * closed last. Absent on purpose: decisions about tasks, money or dialects.
 */
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { createAccess, type Access } from './access/access.ts'
import { createAssets, type Assets } from './assets/assets.ts'
import { openDiskStore } from './assets/disk.ts'
import { sniff } from './assets/sniff.ts'
import { createBatches, type Batches } from './batches/batches.ts'
import { linkExecution } from './batches/rows.ts'
import { readerOf as batchReader } from './batches/runner.ts'
import { loadCatalog, ownCards, type Catalog } from './catalog/catalog.ts'
import { readAccounts, readPacing, readProviderSettings, type Config } from './config.ts'
import { startEmbedded } from './db/embedded/start.ts'
import { openListener, openNotifier, type Listener, type Notifier } from './db/listen.ts'
import { migrate } from './db/migrate.ts'
import { openDatabase, type Database } from './db/pool.ts'
import { createDelivery, type Delivery } from './delivery/delivery.ts'
import { readSigningKey } from './delivery/signature.ts'
import { createDesks, plainCall } from './desk.ts'
import { Problem } from './domain/problem.ts'
import { isTemplateName } from './domain/template.ts'
import { createEngine, type Engine, type EngineOptions } from './engine/engine.ts'
import type { TaskRow } from './engine/rows.ts'
import type { Workbench } from './engine/step.ts'
import { createFiles, type Files } from './files/files.ts'
import { insertFile } from './files/rows.ts'
import { hearOnce, hooks, hookUrl } from './hooks.ts'
import { serveHttp, type CallFacts, type HttpServer } from './http/server.ts'
import { jwks } from './jwks.ts'
import { createFetch, intakeCodes, providerCodes, type Fetch } from './kit/fetch.ts'
import { newId } from './kit/id.ts'
import { openInlineFolder } from './kit/inline.ts'
import { loadFolders } from './kit/loader.ts'
import { createLog, type Log } from './kit/log.ts'
import { openThreads } from './kit/threads.ts'
import { grant } from './ledger/ledger.ts'
import { createMetrics } from './metrics.ts'
import type { Desk, Protocol } from './protocols/contract.ts'
import { writeBatchEvent } from './protocols/native/batches-view.ts'
import { writeTaskEvent } from './protocols/native/view.ts'
import { writeExecutionEvent } from './protocols/native/workflows.ts'
import { findProviders, hostsOf, limitsOf } from './providers.ts'
import { checkTriggers } from './providers/sandbox/triggers.ts'
import { createRouting, type Routing } from './routing.ts'
import { createSessions } from './sessions/sessions.ts'
import { createTemplates } from './templates/templates.ts'
import type { Caller } from './domain/caller.ts'
import type { Asset } from './domain/asset.ts'
import { createPublished } from './workflows/published.ts'
import { createWorkflows, type Workflows } from './workflows/workflows.ts'
import type { Node } from './nodes/contract.ts'
import { computeWith, createBench } from './bench.ts'
import { createPublish } from './publish.ts'

export type Role = 'serve' | 'work'

export interface HouseOptions {
  /** What this process does; both by default. */
  roles?: Role[]
  /** Folders of cards beside our own, later ones first. */
  cards?: string[]
  /** Folders of providers beside our own. */
  providers?: string[]
  log?: Log
  /** What back doors are told the time is: a minute they wait for can be a moment. */
  providersNow?: () => Date
}

export interface House {
  config: Config
  roles: Role[]
  /** Where it answers; null for a process that only works. */
  url: string | null
  /** The first test key's secret, on the very first boot only. */
  firstKey: string | null
  /** Where that key was written, on this machine. */
  keyFile: string
  embedded: boolean
  database: Database
  access: Access
  assets: Assets
  catalog: Catalog
  delivery: Delivery
  engine: Engine
  files: Files
  batches: Batches
  routing: Routing
  deskFor(caller: Caller, call?: CallFacts): Desk
  workflows: Workflows
  /** Removes what nobody refers to any more. Runs by itself every hour. */
  collect(options?: { graceMs?: number }): Promise<void>
  /** Finishes or hands back what is in hand, and closes everything. */
  close(): Promise<void>
}

/** The embedded database has a folder of its own inside the data folder. */
export const databaseFolder = ({ dataDir }: Config): string => join(dataDir, 'database')

const intakeDeadlineMs = 30_000
const providerDeadlineS = 300
const answerBytesMax = 250_000_000
const lostAfterMs = 10_000
/** Collecting walks the whole store. */
const collectEveryMs = 3_600_000
const tidyEveryMs = 60_000
/** Workflow steps one process has in hand at once: most only hand an order in, some compute with a picture. */
const workflowSlots = 32
/** Threads on which nodes compute; more would only wait for memory. */
const nodeThreadsMax = 8

export async function startHouse(config: Config, { roles = ['serve', 'work'], cards = [], providers = [], log = createLog(config.LOG_LEVEL), providersNow = () => new Date() }: HouseOptions = {}): Promise<House> {
  const closers: (() => Promise<unknown>)[] = []
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer().catch(error => { log.warn({ error }, 'something did not close well') })
  }
  try {
    return await open()
  } catch (error) {
    await close()
    throw error
  }

  async function open(): Promise<House> {
    await mkdir(config.dataDir, { recursive: true })
    const now = () => new Date()
    const serves = roles.includes('serve')
    const works = roles.includes('work')

    const outputExpiry = (at: Date) => config.OUTPUT_DAYS === 0 ? null : new Date(at.getTime() + config.OUTPUT_DAYS * 86_400_000)

    const embedded = config.DATABASE_URL === undefined ? await startEmbedded({ dataDir: databaseFolder(config), log }) : null
    if (embedded) closers.push(() => embedded.stop())
    const address = { url: embedded?.url ?? config.DATABASE_URL! }
    await migrate({ ...address, log })
    const database = openDatabase({ ...address, max: config.DATABASE_POOL, log })
    closers.push(() => database.close())

    const secret = await sharedSecret(database, 'links')
    const signingKey = readSigningKey(await sharedSecret(database, 'webhook signing key'))
    const access = createAccess({ database, now, log })
    closers.push(() => access.drain())
    const keyFile = join(config.dataDir, 'first-key.txt')
    const first = await access.firstBoot(grant, async secret => {
      await writeFile(keyFile, `${secret}\n`, { mode: 0o600 })
      await chmod(keyFile, 0o600)
    })

    const catalog = loadCatalog([ownCards, ...config.PLANTAIN_CARDS ? [config.PLANTAIN_CARDS] : [], ...cards])
    let publicUrl = config.PUBLIC_URL?.replace(/\/+$/, '') ?? `http://${config.HOST === '0.0.0.0' || config.HOST === '::' ? '127.0.0.1' : config.HOST}:${config.PORT}`

    const intakeFetch = createFetch({ ...intakeCodes, allowPrivate: config.ALLOW_PRIVATE_ADDRESSES, deadlineMs: intakeDeadlineMs, sizeMax: config.INPUT_BYTES_MAX * 4, redirectsMax: 5 })
    closers.push(() => intakeFetch.close())
    const store = await openDiskStore({ folder: join(config.dataDir, 'blobs') })
    await store.sweep()
    const upstreams = new Set<string>()
    const madeFetch = createFetch({ ...providerCodes, allowPrivate: (host, port) => config.ALLOW_PRIVATE_ADDRESSES || upstreams.has(`${host}:${port}`), deadlineMs: providerDeadlineS * 1_000, sizeMax: answerBytesMax, redirectsMax: 5 })
    closers.push(() => madeFetch.close())
    const assets = createAssets({
      database, store, fetchMade: madeFetch, linkSecret: secret, publicUrl: () => publicUrl, fetch: intakeFetch, now, log,
      limits: { imageBytesMax: config.INPUT_BYTES_MAX, pixelsMax: config.INPUT_PIXELS_MAX },
    })

    const files = createFiles({
      database, store, now, fetch: intakeFetch, bytesMax: config.FILE_BYTES_MAX, days: config.INPUT_DAYS === 0 ? null : config.INPUT_DAYS,
      pictures: {
        begins: head => sniff(head).kind !== 'refused',
        keep: (owner, upload, options) => assets.keep({ ...owner, inputDays: null }, upload, options),
        find: assets.find, remove: assets.remove,
      },
    })

    const protocols = await loadFolders<Protocol>(new URL('./protocols/', import.meta.url))
    const { benches, missing, known } = await openProviders()

    const accounts = new Map(readAccounts(config.PROVIDER_ACCOUNTS).map(({ id, of }) => [id, of]))
    const routing = createRouting({ database, catalog, known, configured: new Set(benches.keys()), missing, accountOf: id => accounts.get(id), takesLosses: config.ROUTES_AT_A_LOSS, now, log })
    await routing.start()
    closers.push(async () => routing.stop())

    const workerId = newId()
    const notifier: Notifier | null = embedded ? null : openNotifier({ ...address, from: workerId, log })
    if (notifier) closers.push(() => notifier.close())
    let listener: Listener | null = null

    const delivery = createDelivery({
      database, allowPrivate: config.ALLOW_PRIVATE_ADDRESSES, signingKey, workerId, now, log, random: Math.random,
      async writeBody({ taskId, executionId, batchId, projectId, livemode, style, eventType }) {
        if (batchId) {
          const batch = await batches.find({ projectId, livemode }, batchId)
          if (batch === null) throw new Problem('not_found', 'The batch of this delivery is gone.')
          return writeBatchEvent(eventType, batch, deskFor(batchReader(batch)))
        }
        if (executionId) {
          const found = await workflows.told(executionId)
          if (found === null) throw new Problem('not_found', 'The execution of this delivery is gone.')
          const dialect = protocols.find(one => one.id === style)
          return dialect?.writeExecutionCallback ? dialect.writeExecutionCallback(found.execution, found.desk) : writeExecutionEvent(eventType, found.execution, found.desk)
        }
        const task = taskId === null ? null : await engine.find({ projectId, livemode }, taskId)
        if (task === null) throw new Problem('not_found', 'The task of this delivery is gone.')
        const links = (asset: Asset) => assets.link(asset)
        const dialect = protocols.find(one => one.id === style)
        return dialect?.writeCallback ? dialect.writeCallback(task, links) : writeTaskEvent(eventType, task, (asset, options) => assets.link(asset, options))
      },
    })

    const tools: EngineOptions['tools'] = {
      findCard: id => catalog.find(id)?.card ?? null,
      accountOf: id => accounts.get(id),
      inputsOf: row => row.inputs.length === 0 ? Promise.resolve([]) : assets.findMany({ projectId: row.project_id, livemode: row.livemode }, row.inputs.map(input => input.assetId), { expiredToo: true }),
      readBytes: sha256 => assets.read(sha256),
      linkFor: asset => config.PUBLIC_URL ? assets.link(asset, { seconds: 3_600 }) : null,
      storeMade: (made, expect) => assets.storeMade(made, expect),
      callbackUrl: row => config.PUBLIC_URL ? hookUrl(publicUrl, secret, row.provider, row.id) : null,
      outputExpiry: (_row: TaskRow, at) => outputExpiry(at),
      now, chance: Math.random, log,
    }
    const engine: Engine = createEngine({
      database, workerId, benches, tools, roads: routing, work: works ? { slots: config.WORKER_SLOTS } : null, delivers: works, log, now,
      deliver: outgoing => delivery.wake(outgoing),
      freeDeliveries: async workers => { await delivery.free(workers); await workflows.free(workers); await batches.free(workers) },
      ended: ids => workflows.hear(ids),
      ...(notifier ? { notify: (channel, ids) => { if (!listener?.isAlone()) notifier.notify(channel, ids) } } : {}),
      lostAfterMs: embedded ? null : lostAfterMs,
    })

    if (!embedded) {
      const opened = listener = await openListener({
        ...address, except: workerId, log,
        channels: {
          plantain_work: ids => engine.hear('plantain_work', ids),
          plantain_told: ids => { engine.hear('plantain_told', ids); delivery.wake(); workflows.hear(ids) },
        },
        onGap: () => { engine.gap(); delivery.wake() },
      })
      closers.push(() => opened.close())
    }

    /** Pictures that templates and sessions keep for good, as copies of their own. */
    const pictures = {
      find: assets.findMany, copy: assets.copy,
      // One that a task still uses, or that somebody took away before: nothing to do about either.
      drop: (owner: Pick<Asset, 'projectId' | 'livemode'>, id: string) => assets.remove(owner, id).catch(error => { if (!(error instanceof Problem)) throw error }),
    }
    const templates = createTemplates({
      database, now, pictures,
      cardOf(name) {
        const found = catalog.find(name)
        const alias = found ? null : routing.aliasOf(name)
        const meant = found ?? (alias === null ? null : catalog.find(alias))
        return meant && { card: meant.card, ...(meant.name?.operation ? { operation: meant.name.operation } : {}), alias: alias !== null }
      },
      check: (order, inputs, livemode) => catalog.check({ ...order, model: catalog.find(order.model) ? order.model : routing.aliasOf(order.model) ?? order.model }, inputs, now(), { livemode }),
    })
    const sessions = createSessions({ database, pictures })

    const deskFor = createDesks({
      access, assets, batches: () => batches, catalog, database, delivery, engine, files, routing, sessions, templates, workflows: () => workflows,
      publicUrl: () => publicUrl, now, inputDays: config.INPUT_DAYS === 0 ? null : config.INPUT_DAYS, allowPrivate: config.ALLOW_PRIVATE_ADDRESSES,
    })

    const nodeThreads = openThreads({ script: new URL('./bench-thread.ts', import.meta.url), threads: Math.min(nodeThreadsMax, Math.max(2, availableParallelism())) })
    closers.push(() => nodeThreads.close())
    const workflows = createWorkflows({
      database, workerId, deskFor, now, log, nodes: await loadFolders<Node>(new URL('./nodes/', import.meta.url)), work: works ? { slots: workflowSlots } : null, secret, publicUrl: () => publicUrl, deliver: () => delivery.wake(), linkRow: linkExecution,
      async check(order, media, owner, { isOpen = false } = {}) {
        if (!owner.livemode && !isOpen) checkTriggers(order.prompt)
        const seen = media.map((one): Asset => ({ ...one, ...owner, id: one.asset, kind: 'input', sizeBytes: 0, name: null, taskId: null, createdAt: now(), expiresAt: null }))
        return isTemplateName(order.model) ? templates.foresee(owner, order, seen, { isOpen }) : catalog.check(order, seen, now(), { livemode: owner.livemode })
      },
      compute: computeWith(nodeThreads),
      benchFor: createBench({
        database, fetch: intakeFetch, publish: openPublishing(), now, log,
        published: createPublished(database, {
          executionFiles: config.PLANTAIN_PUBLISH_EXECUTION_FILES, executionBytes: config.PLANTAIN_PUBLISH_EXECUTION_BYTES, dayFiles: config.PLANTAIN_PUBLISH_DAY_FILES, dayBytes: config.PLANTAIN_PUBLISH_DAY_BYTES,
        }),
        keep: (owner, bytes, name) => assets.keep({ ...owner, inputDays: null }, name === undefined ? { bytes } : { bytes, name }, { isMade: true, expiresAt: outputExpiry(now()) }),
      }),
    })

    const batches: Batches = createBatches({
      database, store, workerId, works, log, now, insertFile, deskFor: (caller, row) => deskFor(caller, row ? { ...plainCall, row } : plainCall),
      wordsOf(protocol) {
        const door = protocols.find(one => one.id === protocol)
        return door?.batches ? { words: door.batches, refuse: (problem, call) => door.refuse(problem, { method: 'POST', path: call, requestId: newId() }) } : null
      },
      callerOf: access.callerOf, findTask: engine.find, cancelTask: engine.cancel, findFile: files.find, removeFile: files.remove, deliver: () => delivery.wake(),
      findExecution: (caller, id) => workflows.of(caller).execution(id), cancelExecution: (caller, id) => workflows.of(caller).cancel(id),
      openInput: sha256 => store.get(sha256), openRange: (sha256, range) => store.get(sha256, range), inlineFolder: openInlineFolder,
      outputExpiry,
    })

    const collect = async ({ graceMs }: { graceMs?: number } = {}) => {
      await files.sweep()
      await batches.sweep()
      const counts = await assets.collect(graceMs === undefined ? {} : { graceMs })
      await store.sweep()
      await delivery.sweep()
      log.debug({ counts }, 'collected what nobody refers to')
    }

    await engine.start()
    workflows.start()
    if (works) {
      delivery.start()
      batches.start()
      const timer = setInterval(() => { collect().catch(error => log.warn({ error }, 'collecting failed')) }, collectEveryMs).unref()
      const tidy = setInterval(() => { access.sweep().catch(error => log.warn({ error }, 'old windows could not be removed')) }, tidyEveryMs).unref()
      closers.push(async () => { clearInterval(timer); clearInterval(tidy) })
    }
    // Closed in reverse: no new requests, no new rows, then steps finish or are handed back, then what they told is delivered.
    closers.push(() => delivery.stop())
    closers.push(() => engine.stop(config.SHUTDOWN_GRACE_S * 1_000))
    closers.push(() => workflows.stop(config.SHUTDOWN_GRACE_S * 1_000))
    closers.push(() => batches.stop())

    let http: HttpServer | null = null
    if (serves) {
      const metrics = createMetrics({ database, tellsCosts: config.METRICS_COSTS, busy: () => engine.busy() })
      http = await serveHttp({
        host: config.HOST, port: config.PORT, protocols: [...protocols, hooks({ secret, publicUrl: () => publicUrl, connectionOf: id => benches.get(id)?.connection ?? null, hear: (provider, id) => hearOnce(database, provider, id), nudge: taskId => engine.nudge(taskId), log }), jwks(signingKey)], trustProxy: config.TRUST_PROXY, log,
        authenticate: access.identify,
        async countRequest(caller) {
          const rate = await access.countRequest(caller)
          if (rate === null) return null
          const limit = { name: 'requests_per_minute', max: rate.limit, remaining: rate.remaining, resetS: rate.resetS }
          if (!rate.allowed) throw new Problem('rate_limited', `This key may make ${rate.limit} requests a minute. Try again in ${rate.resetS} s.`, { retryAfterS: rate.resetS, limit })
          return limit
        },
        async peekRate(caller) {
          const rate = await access.peekRate(caller)
          return rate && { name: 'requests_per_minute', max: rate.limit, remaining: rate.remaining, resetS: rate.resetS }
        },
        deskFor, publicDesk: { get publicUrl() { return publicUrl }, assets, files, workflows: workflows.strangers },
        health: { ready: async () => { await database.query('select 1'); return true } },
        metrics: () => metrics.write(), observe: answer => metrics.observe(answer),
      })
      if (!config.PUBLIC_URL) publicUrl = http.url
      closers.push(() => http!.close({ graceMs: config.SHUTDOWN_GRACE_S * 1_000 }))
    }

    return {
      config, roles, url: http?.url ?? null, firstKey: first.created ? first.secret : null, keyFile, embedded: embedded !== null,
      database, access, assets, catalog, delivery, engine, files, batches, routing, deskFor, workflows, collect, close,
    }

    /** Connects every provider whose settings are there; says what is missing of the others. */
    async function openProviders() {
      const nudge = (taskId: string) => { engine.nudge(taskId).catch(error => log.info({ taskId, error }, 'a task could not be looked at sooner')) }
      const benches = new Map<string, Workbench>()
      const missing = new Map<string, string[]>()
      const all = await findProviders(config, providers)
      for (const provider of all) {
        const settings = readProviderSettings(provider.id, provider.settings, {
          SANDBOX_THREADS: String(config.SANDBOX_THREADS || Math.max(1, availableParallelism() - 1)), ...withoutEmpty(config.environment),
        })
        if ('missing' in settings) { missing.set(provider.id, settings.missing); continue }
        const fetch = providerFetch(settings.values, (provider.answerWithinS ?? providerDeadlineS) * 1_000)
        closers.push(() => fetch.close())
        const connection = provider.connect(settings.values as never, { fetch, log, now: providersNow, nudge })
        closers.push(async () => connection.close?.())
        const limits = limitsOf(provider, connection, readPacing(provider.id, config.environment))
        benches.set(provider.id, { provider: { ...provider, limits }, connection })
      }
      return { benches, missing, known: all.map(provider => provider.id) }
    }

    /** The folder and the bucket workflows may publish into, as far as they are set up. */
    function openPublishing() {
      const { PLANTAIN_PUBLISH_S3_ENDPOINT: endpoint, PLANTAIN_PUBLISH_S3_ACCESS_KEY_ID: accessKeyId, PLANTAIN_PUBLISH_S3_SECRET_ACCESS_KEY: secretAccessKey } = config
      const fetch = fetchTo(hostsOf({ endpoint }), providerDeadlineS * 1_000)
      closers.push(() => fetch.close())
      return createPublish({
        folder: config.PLANTAIN_PUBLISH_DIR === undefined ? null : resolve(config.PLANTAIN_PUBLISH_DIR), folderUrl: config.PLANTAIN_PUBLISH_URL ?? null, fetch,
        s3: endpoint && accessKeyId && secretAccessKey ? { endpoint, accessKeyId, secretAccessKey, region: config.PLANTAIN_PUBLISH_S3_REGION, url: config.PLANTAIN_PUBLISH_S3_URL ?? null } : null,
      })
    }

    /** An upstream's own address comes from the operator and may be private; an address out of its answers may not. */
    function providerFetch(values: Record<string, unknown>, deadlineMs: number): Fetch {
      const own = hostsOf(values)
      for (const one of own) upstreams.add(one)
      return fetchTo(own, deadlineMs)
    }

    function fetchTo(own: Set<string>, deadlineMs: number): Fetch {
      return createFetch({ ...providerCodes, allowPrivate: (host, port) => config.ALLOW_PRIVATE_ADDRESSES || own.has(`${host}:${port}`), deadlineMs, sizeMax: answerBytesMax, redirectsMax: 3 })
    }
  }
}

const withoutEmpty = (environment: Record<string, string | undefined>) => Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''))

/** A secret all servers of one database share; the first one makes it. */
export async function sharedSecret(database: Database, name: string): Promise<Buffer> {
  await database.query('insert into house_secret (name, value) values ($1, $2) on conflict do nothing', [name, randomBytes(32)])
  const { rows: [row] } = await database.query<{ value: Buffer }>('select value from house_secret where name = $1', [name])
  return row!.value
}
