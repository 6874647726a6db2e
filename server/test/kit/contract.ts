/** What every provider has to keep, as tests: ours (`contract/providers.test.ts`), and those an operator adds in a folder of his own. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import sharp from 'sharp'
import { Value } from 'typebox/value'
import { createFetch, providerCodes } from '../../src/kit/fetch.ts'
import { flawOf, type Connection, type Job, type Making, type Provider, type Workshop } from '../../src/providers/contract.ts'
import type { Rehearsal } from '../upstreams/loopback.ts'

const fetch = createFetch({ ...providerCodes, allowPrivate: true, deadlineMs: 60_000, sizeMax: 50_000_000, redirectsMax: 0 })
const workshop: Workshop = { fetch, now: () => new Date(), log: { info() {}, warn() {} } }
const opened: Connection[] = []
after(async () => {
  await Promise.all(opened.map((connection) => connection.close?.()))
  await fetch.close()
})

export const open = (provider: Provider, settings: object, asking: typeof globalThis.fetch = fetch): Connection => {
  const connection = provider.connect(Value.Parse(provider.settings, Value.Default(provider.settings, { ...settings })), { ...workshop, fetch: asking })
  opened.push(connection)
  return connection
}
/** Keeps what is asked through it. */
export function recordingFetch() {
  let asked: string[] = []
  return {
    fetch: ((input: string | URL, init: RequestInit = {}) => {
      asked.push(`${init.method ?? 'GET'} ${String(input)} ${typeof init.body === 'string' ? init.body : ''}`)
      return fetch(input, init)
    }) as typeof globalThis.fetch,
    /** What was asked more often than once, looks (GET) more often than `looks`. */
    repeated: (looks: number) => [...new Set(asked)].filter((one) => asked.filter((other) => other === one).length > (one.startsWith('GET') ? looks : 1)),
    clear() { asked = [] },
  }
}

/** A key is one attempt's: who asks twice with one is answered once. */
let jobs = 0
export const job = (more: Partial<Job> = {}): Job => ({
  taskId: '0'.repeat(32), attempt: 1, key: `key-${++jobs}`, cardId: 'card', model: 'model', operation: 'generate', prompt: 'a red apple on a table', parameters: {}, count: 1,
  width: 64, height: 64, inputs: [], livemode: false, callbackUrl: null, ...more,
})

/** Asks and looks until it is made; a rehearsed upstream needs a few looks and no time. */
export async function make(connection: Connection, asked: Job): Promise<Making> {
  const signal = AbortSignal.timeout(300_000)
  let outcome = await connection.submit(asked, signal)
  for (let looks = 0; outcome.kind === 'wait' && looks < 20; looks++) outcome = await connection.poll!(outcome.receipt, asked, signal)
  if (outcome.kind === 'failed') throw outcome.problem
  assert.equal(outcome.kind, 'done')
  return outcome.kind === 'done' ? outcome.value : assert.fail()
}
export const bytesOf = async (made: Making['made'][number]) => 'bytes' in made ? Buffer.from(made.bytes) : Buffer.from(await (await fetch(made.url)).arrayBuffer())

/** The suite of one provider, against the rehearsal of its upstream. */
export function keepsContract(provider: Provider, rehearsal: () => Pick<Rehearsal, 'settings' | 'model' | 'writes' | 'job' | 'stats'>): void {
  describe(provider.id, () => {
    test('has a title for people and an id that fits a setting’s name', () => {
      assert.equal(flawOf(provider), null)
      assert.ok(provider.title.length > 2)
      assert.match(provider.id, /^[a-z][a-z0-9-]*$/)
    })

    test('every setting says what it is for', () => {
      assert.equal(provider.settings.type, 'object')
      for (const [name, schema] of Object.entries(provider.settings.properties)) {
        assert.match(name, /^[a-z][a-zA-Z0-9]*$/, `${name} becomes ${provider.id.toUpperCase()}_… in the environment`)
        const { description = '' } = schema as { description?: string }
        assert.match(description, /^[A-Z].{10,}\.$/s, `the setting ${name} needs a sentence as its description`)
      }
    })

    test('defaults fit their own schema', () => {
      for (const [name, schema] of Object.entries(provider.settings.properties)) {
        if ('default' in schema) assert.ok(Value.Check(schema, schema.default), name)
      }
    })

    test('limits are whole numbers above zero, or none', () => {
      assert.deepEqual(Object.keys(provider.limits).filter((name) => name !== 'imagesPerMinute').sort(), ['concurrency', 'perMinute', 'perProcess'])
      for (const limit of Object.values(provider.limits)) assert.ok(limit === null || (Number.isInteger(limit) && limit > 0))
    })

    test('the repeat mode is one it can keep', () => {
      const connection = open(provider, rehearsal().settings)
      assert.ok(['safe', 'find', 'never'].includes(provider.repeat))
      assert.equal(provider.repeat === 'find', connection.find !== undefined, '`find` is declared where the upstream can be asked by our key, and only there')
      if (connection.cancel) assert.ok(connection.poll, 'what can be cancelled can be looked at')
    })

    test('a job becomes a picture, or a text where that is all it makes', async () => {
      const { settings, model, writes, job: more } = rehearsal()
      if (writes) {
        const connection = open(provider, settings)
        const { made, text, details } = await make(connection, job({ model, operation: 'write', parameters: { max_tokens: 100 } }))
        assert.ok(made.length === 0 && text && details?.finish === 'stop')
        await assert.rejects(make(connection, job({ model })), { name: 'Problem', code: 'unsupported_parameter' })
        return
      }
      const { made } = await make(open(provider, settings), job({ model, ...more }))
      assert.equal(made.length, 1)
      const { width, height } = await sharp(await bytesOf(made[0]!)).metadata()
      assert.deepEqual([width, height], [64, 64])
    })

    test('a count becomes as many different pictures; where that is as many calls, it says so', async (context) => {
      const { settings, model, writes, job: more, stats } = rehearsal()
      if (writes) return context.skip('it writes one text')
      const before = stats?.().asked ?? 0
      const { made } = await make(open(provider, settings), job({ model, count: 3, ...more }))
      const pictures = await Promise.all(made.map(bytesOf))
      assert.equal(new Set(pictures.map((bytes) => bytes.toString('base64'))).size, 3)
      if (stats) assert.equal(stats().asked - before, provider.oneEach ? 3 : 1)
    })

    test('a caller that has gone is let go', async () => {
      const { settings, model, writes, job: more, stats } = rehearsal()
      const before = stats?.().asked
      const gone = AbortSignal.abort(new Error('gone'))
      const outcome = await open(provider, settings).submit(job({ model, ...more, ...(writes ? { operation: 'write' as const } : {}) }), gone).catch((thrown: unknown) => thrown)
      assert.ok(outcome instanceof Error || (typeof outcome === 'object' && outcome !== null && 'kind' in outcome && outcome.kind !== 'done'), 'nothing is made for nobody')
      assert.equal(stats?.().asked, before, 'nor asked for')
    })

    test('looking for an attempt never has one made', async (context) => {
      const { settings, model, job: more, stats } = rehearsal()
      const connection = open(provider, settings)
      if (!connection.find) return context.skip('it cannot be asked by our key')
      const before = stats?.().asked
      for (let looks = 0; looks < 2; looks++) await connection.find(job({ model, ...more, count: 2 }), AbortSignal.timeout(60_000)).catch(() => null)
      assert.equal(stats?.().asked, before)
    })
  })
}
