/**
 * Every provider keeps its contract. Runs over whatever the loader found; a new provider is held against this without being named here.
 *
 * Each is asked: the sandbox its renderer, the others the rehearsal of their upstream in `test/upstreams/<id>.ts`.
 */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import sharp from 'sharp'
import { Value } from 'typebox/value'
import { createFetch, providerCodes } from '../../src/kit/fetch.ts'
import { loadFolders } from '../../src/kit/loader.ts'
import type { Connection, Job, Making, Provider, Workshop } from '../../src/providers/contract.ts'
import { startUpstream } from '../../src/providers/rehearsal/upstream.ts'
import type { Rehearsal } from '../upstreams/loopback.ts'

const providers = await loadFolders<Provider>(new URL('../../src/providers/', import.meta.url))
const rehearsals = new Map(await Promise.all(providers.map(async ({ id }) => {
  const { rehearse } = await import(`../upstreams/${id}.ts`) as { rehearse(): Promise<Rehearsal> }
  return [id, await rehearse()] as const
})))
const fetch = createFetch({ ...providerCodes, allowPrivate: true, deadlineMs: 10_000, sizeMax: 50_000_000, redirectsMax: 0 })
const workshop: Workshop = { fetch, now: () => new Date(), log: { info() {}, warn() {} } }
const opened: Connection[] = []
after(async () => {
  await Promise.all(opened.map((connection) => connection.close?.()))
  await fetch.close()
  await Promise.all([...rehearsals.values()].map((one) => one.close()))
})

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
      assert.deepEqual(Object.keys(provider.limits).filter((name) => name !== 'imagesPerMinute').sort(), ['concurrency', 'perMinute', 'perProcess'])
      for (const limit of Object.values(provider.limits)) assert.ok(limit === null || (Number.isInteger(limit) && limit > 0))
    })

    const { settings, model } = rehearsals.get(provider.id)!
    test('the repeat mode is one it can keep', () => {
      const connection = open(provider, settings)
      assert.ok(['safe', 'find', 'never'].includes(provider.repeat))
      assert.equal(provider.repeat === 'find', connection.find !== undefined, '`find` is declared where the upstream can be asked by our key, and only there')
      if (connection.cancel) assert.ok(connection.poll, 'what can be cancelled can be looked at')
    })

    test('a job becomes a picture', async () => {
      const { made } = await make(open(provider, settings), job({ model }))
      assert.equal(made.length, 1)
      const { width, height } = await sharp(await bytesOf(made[0]!)).metadata()
      assert.deepEqual([width, height], [64, 64])
    })

    test('a count becomes as many different pictures', async () => {
      const { made } = await make(open(provider, settings), job({ model, count: 3 }))
      const pictures = await Promise.all(made.map(bytesOf))
      assert.equal(new Set(pictures.map((bytes) => bytes.toString('base64'))).size, 3)
    })

    test('a caller that has gone is let go', async () => {
      const gone = AbortSignal.abort(new Error('gone'))
      const outcome = await open(provider, settings).submit(job({ model }), gone).catch((thrown: unknown) => thrown)
      assert.ok(outcome instanceof Error || (typeof outcome === 'object' && outcome !== null && 'kind' in outcome && outcome.kind !== 'done'), 'nothing is made for nobody')
    })
  })
}

test('the rehearsal counts what it was asked, by task', async () => {
  const upstream = await startUpstream()
  await make(open(providers.find(({ id }) => id === 'rehearsal')!, { baseUrl: upstream.url }), job({ taskId: 'counted' }))
  assert.deepEqual(upstream.stats().tasks, { counted: { asked: 1, accepted: 1, delivered: 1 } })
  await upstream.close()
})

describe('the sandbox', () => {
  const sandbox = providers.find(({ id }) => id === 'sandbox')!
  test('draws the same pixels for the same job', async () => {
    const connection = open(sandbox, { threads: 1 })
    const pixels = async () => (await sharp(await bytesOf((await make(connection, job({ parameters: { seed: 11 } }))).made[0]!)).raw().toBuffer()).toString('base64')
    assert.equal(await pixels(), await pixels())
  })
  test('says which words it had no picture for', async () => {
    const { details, text } = await make(open(sandbox, { threads: 1 }), job({ prompt: 'a red apple and a flibbertigibbet' }))
    const { understood, renderer_version } = details!.sandbox as { understood: { unmatched: string[] }; renderer_version: string }
    assert.ok(understood.unmatched.includes('flibbertigibbet'))
    assert.match(renderer_version, /^\d+\.\d+\.\d+$/)
    assert.ok(text && text.length > 5)
  })
  test('edits a picture in its own size', async () => {
    const picture = await sharp({ create: { width: 90, height: 60, channels: 3, background: '#c04030' } }).png().toBuffer()
    const input: Job['inputs'][number] = { assetId: 'a', role: 'reference', mime: 'image/png', sizeBytes: picture.length, width: 90, height: 60, sha256: '', read: async () => picture, link: () => null }
    const { made } = await make(open(sandbox, { threads: 1 }), job({ operation: 'edit', prompt: 'make it black and white', inputs: [input], width: null, height: null }))
    const { width, height } = await sharp(await bytesOf(made[0]!)).metadata()
    assert.deepEqual([width, height], [90, 60])
  })
  test('refuses an edit of nothing, in a sentence', async () => {
    await assert.rejects(make(open(sandbox, { threads: 1 }), job({ operation: 'edit', prompt: 'brighter' })), { name: 'Problem', code: 'bad_request' })
  })
})
