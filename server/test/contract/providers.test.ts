/**
 * Every provider keeps its contract. Runs over whatever the loader found; a new provider is held against this without being named here.
 *
 * Those that can be asked offline are asked: the sandbox its renderer, the others a rehearsal of their upstream.
 */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import sharp from 'sharp'
import { Value } from 'typebox/value'
import { createFetch, providerCodes } from '../../src/kit/fetch.ts'
import { loadFolders } from '../../src/kit/loader.ts'
import type { Connection, Job, Making, Provider, Workshop } from '../../src/providers/contract.ts'
import { startUpstream } from '../../src/providers/rehearsal/upstream.ts'
import { geminiKey, startGemini } from '../upstreams/gemini.ts'
import { kieKey, startKie } from '../upstreams/kie.ts'
import { openaiKey, startOpenai } from '../upstreams/openai.ts'

const providers = await loadFolders<Provider>(new URL('../../src/providers/', import.meta.url))
const upstream = await startUpstream()
const [kie, gemini, openai] = await Promise.all([startKie(), startGemini(), startOpenai()])
const fetch = createFetch({ ...providerCodes, allowPrivate: true, deadlineMs: 10_000, sizeMax: 50_000_000, redirectsMax: 0 })
const workshop: Workshop = { fetch, now: () => new Date(), log: { info() {}, warn() {} } }
const opened: Connection[] = []
after(async () => {
  await Promise.all(opened.map((connection) => connection.close?.()))
  await fetch.close()
  await Promise.all([upstream, kie, gemini, openai].map((one) => one.close()))
})

/** Settings for those that can be asked here without the world outside. */
const offline: Record<string, object> = {
  rehearsal: { baseUrl: upstream.url }, sandbox: { threads: 1 },
  kie: { apiKey: kieKey, baseUrl: kie.url, uploadUrl: kie.url }, gemini: { apiKey: geminiKey, baseUrl: gemini.url }, openai: { apiKey: openaiKey, baseUrl: `${openai.url}/v1` },
}
/** The upstream's name of a model, for those that know only their own. */
const models: Record<string, string> = { kie: 'nano-banana-2-1', gemini: 'gemini-nano-banana-2.1', openai: 'gpt-image-2' }

const open = (provider: Provider, settings: object): Connection => {
  const connection = provider.connect(Value.Parse(provider.settings, Value.Default(provider.settings, { ...settings })), workshop)
  opened.push(connection)
  return connection
}
const job = (more: Partial<Job> = {}): Job => ({
  taskId: '0'.repeat(32), attempt: 1, key: 'key-1', cardId: 'card', model: 'model', operation: 'generate', prompt: 'a red apple on a table', parameters: {}, count: 1,
  width: 64, height: 64, inputs: [], livemode: false, callbackUrl: null, ...more,
})

async function make(connection: Connection, asked: Job): Promise<Making> {
  const signal = AbortSignal.timeout(60_000)
  let outcome = await connection.submit(asked, signal)
  for (let looks = 0; outcome.kind === 'wait' && looks < 20; looks++) outcome = await connection.poll!(outcome.receipt, asked, signal)
  if (outcome.kind === 'failed') throw outcome.problem
  assert.equal(outcome.kind, 'done')
  return outcome.kind === 'done' ? outcome.value : assert.fail()
}
const bytesOf = async (made: Making['made'][number]) => 'bytes' in made ? Buffer.from(made.bytes) : Buffer.from(await (await fetch(made.url)).arrayBuffer())

test('the house has the two providers it cannot do without', () => {
  assert.deepEqual(['rehearsal', 'sandbox'].filter((id) => !providers.some((provider) => provider.id === id)), [])
})

for (const provider of providers) {
  describe(provider.id, () => {
    test('has a title for people and an id that fits a setting’s name', () => {
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
      assert.deepEqual(Object.keys(provider.limits).sort(), ['concurrency', 'perMinute', 'perProcess'])
      for (const limit of Object.values(provider.limits)) assert.ok(limit === null || (Number.isInteger(limit) && limit > 0))
    })

    const settings = offline[provider.id]
    test('the repeat mode is one it can keep', { skip: settings ? false : 'cannot be opened here' }, () => {
      const connection = open(provider, settings!)
      assert.ok(['safe', 'find', 'never'].includes(provider.repeat))
      assert.equal(provider.repeat === 'find', connection.find !== undefined, '`find` is declared where the upstream can be asked by our key, and only there')
      if (connection.cancel) assert.ok(connection.poll, 'what can be cancelled can be looked at')
    })

    test('a job becomes a picture', { skip: settings ? false : 'cannot be asked here' }, async () => {
      const { made } = await make(open(provider, settings!), job({ model: models[provider.id] ?? 'model' }))
      assert.equal(made.length, 1)
      const { width, height } = await sharp(await bytesOf(made[0]!)).metadata()
      assert.deepEqual([width, height], [64, 64])
    })

    test('a count becomes as many different pictures', { skip: settings ? false : 'cannot be asked here' }, async () => {
      const { made } = await make(open(provider, settings!), job({ model: models[provider.id] ?? 'model', count: 3 }))
      const pictures = await Promise.all(made.map(bytesOf))
      assert.equal(new Set(pictures.map((bytes) => bytes.toString('base64'))).size, 3)
    })

    test('a caller that has gone is let go', { skip: settings ? false : 'cannot be asked here' }, async () => {
      const gone = AbortSignal.abort(new Error('gone'))
      const outcome = await open(provider, settings!).submit(job({ model: models[provider.id] ?? 'model' }), gone).catch((thrown: unknown) => thrown)
      assert.ok(outcome instanceof Error || (typeof outcome === 'object' && outcome !== null && 'kind' in outcome && outcome.kind !== 'done'), 'nothing is made for nobody')
    })
  })
}

test('the rehearsal counts what it was asked, by task', async () => {
  upstream.reset()
  await make(open(providers.find(({ id }) => id === 'rehearsal')!, offline.rehearsal!), job({ taskId: 'counted' }))
  assert.deepEqual(upstream.stats().tasks, { counted: { asked: 1, accepted: 1, delivered: 1 } })
})

describe('the sandbox', () => {
  const sandbox = providers.find(({ id }) => id === 'sandbox')!
  test('draws the same pixels for the same job', async () => {
    const connection = open(sandbox, offline.sandbox!)
    const pixels = async () => (await sharp(await bytesOf((await make(connection, job({ parameters: { seed: 11 } }))).made[0]!)).raw().toBuffer()).toString('base64')
    assert.equal(await pixels(), await pixels())
  })
  test('says which words it had no picture for', async () => {
    const { details, text } = await make(open(sandbox, offline.sandbox!), job({ prompt: 'a red apple and a flibbertigibbet' }))
    const { understood, renderer_version } = details!.sandbox as { understood: { unmatched: string[] }; renderer_version: string }
    assert.ok(understood.unmatched.includes('flibbertigibbet'))
    assert.match(renderer_version, /^\d+\.\d+\.\d+$/)
    assert.ok(text && text.length > 5)
  })
  test('edits a picture in its own size', async () => {
    const picture = await sharp({ create: { width: 90, height: 60, channels: 3, background: '#c04030' } }).png().toBuffer()
    const input: Job['inputs'][number] = { assetId: 'a', role: 'reference', mime: 'image/png', sizeBytes: picture.length, width: 90, height: 60, sha256: '', read: async () => picture, link: () => null }
    const { made } = await make(open(sandbox, offline.sandbox!), job({ operation: 'edit', prompt: 'make it black and white', inputs: [input], width: null, height: null }))
    const { width, height } = await sharp(await bytesOf(made[0]!)).metadata()
    assert.deepEqual([width, height], [90, 60])
  })
  test('refuses an edit of nothing, in a sentence', async () => {
    await assert.rejects(make(open(sandbox, offline.sandbox!), job({ operation: 'edit', prompt: 'brighter' })), { name: 'Problem', code: 'bad_request' })
  })
})
