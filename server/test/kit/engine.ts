/** An engine on a real database with a provider made up in the test: what crosses rooms is real, what is outside is told. */
import { createHash } from 'node:crypto'
import type { Caller } from '../../src/domain/caller.ts'
import type { Card, CheckedOrder } from '../../src/domain/card.ts'
import type { Order } from '../../src/domain/order.ts'
import { done } from '../../src/domain/outcome.ts'
import type { Task } from '../../src/domain/task.ts'
import type { Database } from '../../src/db/pool.ts'
import type { Candidate } from '../../src/domain/routing.ts'
import { createEngine, type Engine, type EngineOptions, type Roads } from '../../src/engine/engine.ts'
import type { Outgoing } from '../../src/engine/settle.ts'
import type { StepTools } from '../../src/engine/step.ts'
import { newId } from '../../src/kit/id.ts'
import { createLog } from '../../src/kit/log.ts'
import { grant } from '../../src/ledger/ledger.ts'
import { noSettings, type Connection, type Job, type Provider, type ProviderLimits } from '../../src/providers/contract.ts'

export const card: Card = {
  id: 'model', title: 'Model', family: 'test', maker: 'test', kind: 'image', description: '', operations: ['generate'], aliases: [], dialects: {}, parameters: {},
  prompt: { required: true, charactersMax: 1000 }, inputs: { min: 0, max: 0, mimes: [], bytesMax: 1, pixelsMax: 1, roles: {} }, output: { kind: 'image', countMax: 4 },
  prices: [], life: { state: 'active' }, routes: [], endWithinS: 60,
}

export const priceMicros = 40_000

export interface TestEngineOptions {
  submit?: Connection['submit']
  poll?: Connection['poll']
  find?: Connection['find']
  cancel?: Connection['cancel']
  glance?: Connection['glance']
  limits?: Partial<ProviderLimits>
  repeat?: Provider['repeat']
  writes?: boolean
  workerId?: string
  work?: EngineOptions['work']
  /** What the model costs us and is sold for, and the format of its files. */
  card?: Partial<Card>
  storeMade?: StepTools['storeMade']
  lostAfterMs?: number | null
  start?: boolean
  /** Further providers, by id. With `made-up` they are the routes of every task, in this order, all ready; with `down`, those are not. */
  others?: Record<string, { submit: Connection['submit']; find?: Connection['find']; repeat?: Provider['repeat'] }>
  down?: string[]
}

export const picture = Buffer.from('a picture')

export const storeAnything: StepTools['storeMade'] = async made => {
  const bytes = 'bytes' in made ? made.bytes : picture
  return { sha256: createHash('sha256').update(bytes).digest('hex'), mime: 'image/png', sizeBytes: bytes.byteLength, width: 64, height: 64 }
}

/** One engine; several on one database are several processes to it. */
export function testEngine(database: Database, { submit = async () => done({ made: [{ bytes: picture }] }), poll, find, cancel, glance, limits = {}, repeat = 'never', writes = false, workerId = newId(), work = { slots: 50 }, lostAfterMs = 60_000, others = {}, down = [], card: more = {}, storeMade = storeAnything }: TestEngineOptions = {}) {
  const connection: Connection = { submit, ...(poll ? { poll } : {}), ...(find ? { find } : {}), ...(cancel ? { cancel } : {}), ...(glance ? { glance } : {}) }
  const provider: Provider = { id: 'made-up', title: 'Made up', settings: noSettings, repeat, ...(writes ? { writes: true as const } : {}), limits: { concurrency: null, perMinute: null, perProcess: null, ...limits }, connect: () => connection }
  const benches = new Map([[provider.id, { provider, connection }], ...Object.entries(others).map(([id, { submit, find, repeat = 'never' }]) => {
    const other: Connection = { submit, ...(find ? { find } : {}) }
    return [id, { provider: { ...provider, id, repeat }, connection: other }] as const
  })])
  const ranked = [...benches.keys()].map((id, index): Candidate => ({ provider: id, model: 'model', order: index, weight: 1, ...down.includes(id) ? { standing: 'down', until: new Date(Date.now() + 3_600_000) } : { standing: 'ready', until: null } }))
  const roads: Roads = { routesOf: () => benches.size > 1 ? ranked : [], isWell: () => true, stranded: () => down.length > 0 ? { providers: down, movable: ['model'], changed: [] } : null, changed: async () => {} }
  const outgoing: Outgoing[] = []
  const now = () => new Date()
  const log = createLog(process.env.LOG_LEVEL ?? 'silent')
  const tools: EngineOptions['tools'] = {
    findCard: () => ({ ...card, ...more }), inputsOf: async () => [], readBytes: async () => picture, linkFor: () => null, callbackUrl: () => null, outputExpiry: () => null, now, chance: () => 0.5, log,
    storeMade,
  }
  const engine: Engine = createEngine({
    database, workerId, benches, roads, work, delivers: false, deliver: rows => outgoing.push(...rows),
    freeDeliveries: async () => {}, lostAfterMs, log, now, tools,
  })
  return { engine, workerId, outgoing, benches, tools }
}

export type Person = Caller

/** An account with money, a project and a caller. */
export async function newPerson(database: Database, { dollars = 100, limits = {}, concurrent = null as number | null, livemode = false } = {}): Promise<Caller> {
  const caller: Caller = {
    keyId: newId(), keyName: 'key', keyPrefix: 'sk-test', accountId: newId(), projectId: newId(), livemode, scopes: ['admin'],
    limits: { requestsPerMinute: null, executionsPerDay: null, concurrent: null, ...limits },
  }
  await database.query('insert into account (id, name, concurrent) values ($1, $2, $3)', [caller.accountId, 'Test', concurrent])
  await database.query('insert into project (id, account_id, name) values ($1, $2, $3)', [caller.projectId, caller.accountId, 'Test'])
  if (dollars > 0) await database.transaction(client => grant(client, caller, Math.round(dollars * 1_000_000), 'Test'))
  return caller
}

export const ownerOf = ({ projectId, livemode }: Caller) => ({ projectId, livemode })

/** Submits one order. */
export function submit(engine: Engine, caller: Caller, { prompt = 'a cat', count = 1, ...more }: Partial<Order> & { count?: number } = {}) {
  const order: Order = { model: 'model', prompt, parameters: {}, inputs: [], ...more }
  const checked: CheckedOrder = { card, operation: more.operation ?? 'generate', parameters: {}, count, width: 64, height: 64, priceMicros: priceMicros * count, warnings: [] }
  return engine.submit({ caller, order, checked, provider: 'made-up', upstreamModel: 'model', bodyHash: createHash('sha256').update(JSON.stringify({ ...order, idempotencyKey: undefined, retryCount: undefined })).digest() })
}

export async function ended(engine: Engine, caller: Caller, taskId: string, waitMs = patienceMs): Promise<Task> {
  const task = await engine.settled(ownerOf(caller), taskId, waitMs)
  if (task === null) throw new Error('The task is not there.')
  return task
}

/** A promise that is kept by hand. */
export function latch<T = void>() {
  let open!: (value: T) => void
  const opened = new Promise<T>(resolve => { open = resolve })
  return { opened, open }
}

/** How long a test waits for what must come: a machine with other things to do takes ten times as long as ours, and longer. What never comes is a failure either way. */
export const patienceMs = 120_000

/** Waits until a condition holds; fails after a generous while. */
export async function until(condition: () => boolean | Promise<boolean>, what = 'the condition', withinMs = patienceMs): Promise<void> {
  const end = performance.now() + withinMs
  while (!await condition()) {
    if (performance.now() > end) throw new Error(`Waited in vain for ${what}.`)
    await new Promise(resolve => { setTimeout(resolve, 10) })
  }
}

export type { Job }

/**
 * A database on which each statement of its transactions in turn is the one that is never heard: `stopAt` counts from 1. `stopped` says whether
 * it came to that.
 */
export function stoppingDatabase(database: Database, stopAt: number) {
  let statements = 0
  const state = { stopped: false }
  const stopping = { ...database, transaction: <T>(work: (client: never) => Promise<T>) => database.transaction(client => work({ ...client, query: (...query: Parameters<typeof client.query>) => {
    if (++statements === stopAt) { state.stopped = true; throw new Error('stopped here') }
    return client.query(...query)
  } } as never)) } as unknown as Database
  return { stopping, state }
}
