/**
 * Upstreams by packages of the AI SDK, and the two of two calls, rehearsed: real houses, cards and live keys against servers that follow the
 * wires of the packages, fault by fault. Nothing here has met one of the upstreams itself.
 */
import assert from 'node:assert/strict'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { Value } from 'typebox/value'
import { createFetch, providerCodes } from '../src/kit/fetch.ts'
import { loadFolders } from '../src/kit/loader.ts'
import type { Connection, Job, Provider } from '../src/providers/contract.ts'
import { openCatalog } from './kit/catalog.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { moneyTable, type Expected } from './kit/live.ts'
import { dialects, films, startSdk, tellsCost as tells, type SdkUpstream } from './upstreams/ai-sdk.ts'
import { paint } from './upstreams/loopback.ts'

const ids = Object.keys(dialects)
const folder = mkdtempSync(path.join(tmpdir(), 'sdk-cards-'))
const upstreams = new Map<string, SdkUpstream>()
let house: TestHouse

// A card for each, so that an order goes to this one and nobody else.
const card = (id: string, more: Record<string, unknown> = {}) => ({
  id: `rehearsed-${id}`, title: id, family: 'rehearsed', maker: 'Plantain', kind: 'image', description: 'For tests.', operations: ['generate', 'edit'], aliases: [], dialects: {},
  parameters: { type: 'object', additionalProperties: false, 'x-pixels': 'area', properties: {
    aspect_ratio: { enum: ['auto', '1:1', '16:9'], default: 'auto' }, resolution: { enum: ['512', '1K'], default: '1K' }, output_format: { enum: ['png', 'jpeg'], default: 'png' }, count: { type: 'integer', minimum: 1, maximum: 4, default: 1 }, seed: { type: 'integer' } } },
  prompt: { required: true, charactersMax: 5000 }, inputs: { min: 0, max: 4, mimes: ['image/png'], bytesMax: 10_000_000, pixelsMax: 50_000_000, roles: { reference: 4, mask: 1 } }, output: { kind: 'image', countMax: 4 },
  prices: [{ from: '2026-01-01', source: 'tests', rows: [{ micros: 40_000, per: 'image' }] }], life: { state: 'active' }, routes: [{ provider: id, model: dialects[id]!.model, order: 1, weight: 1 }], endWithinS: 120, ...more,
})
const filmCard = (id: string, model: string) => card(id, {
  id: `rehearsed-film-${id}`, kind: 'video', operations: ['video'], routes: [{ provider: id, model, order: 1, weight: 1 }], output: { kind: 'video', countMax: 2, seconds: { default: 4, max: 8 } }, prices: [{ from: '2026-01-01', source: 'tests', rows: [{ micros: 40_000, per: 'video' }] }],
  parameters: { type: 'object', additionalProperties: false, properties: { aspect_ratio: { enum: ['16:9', '9:16'], default: '16:9' }, duration_s: { enum: [4, 6, 8], default: 4 }, count: { type: 'integer', minimum: 1, maximum: 2, default: 1 } } },
  inputs: { min: 0, max: 2, mimes: ['image/png'], bytesMax: 10_000_000, pixelsMax: 50_000_000, roles: { first_frame: 1, last_frame: 1 } } })

before(async () => {
  for (const id of ids) upstreams.set(id, await startSdk(id))
  for (const one of [...ids.map(id => card(id)), ...Object.entries(films).map(([id, model]) => filmCard(id, model))]) writeFileSync(path.join(folder, `${one.id}.json`), JSON.stringify(one))
  const named = (id: string, name: string) => `${id}_${name.replace(/[A-Z]/g, letter => `_${letter}`)}`.toUpperCase()
  const settings = Object.fromEntries(ids.flatMap(id => Object.entries(upstreams.get(id)!.settings).map(([name, value]) => [named(id, name), value])))
  house = await testHouse({ settings: { ...settings, PLANTAIN_CARDS: folder } })
})
after(async () => {
  await house?.close()
  for (const one of upstreams.values()) await one.close()
  rmSync(folder, { recursive: true })
})

const table = (id: string, model = `rehearsed-${id}`) => {
  const row = moneyTable({ house: () => house, upstream: () => upstreams.get(id)!, model, key: `${id}-rehearsed-key` })
  return (word: string, { costs, ...expected }: Expected, more: Record<string, unknown> = {}) => {
    const came = expected.captured > 0 || word === 'wrong_mime' || word === 'expired'
    row(word, { ...expected, ...(costs ? { costs } : came ? { costs: [tells.has(id) ? 'told' : 'open'] } : {}) } as Expected, more)
  }
}

const once: Expected = { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 }
const lostAfter: Expected = { asked: 1, bought: 1, captured: 0, code: 'outcome_unknown' }
const badOutput: Expected = { asked: 1, bought: 1, captured: 0, code: 'bad_output' }

// Each has an upstream of its own, so they need not wait for each other.
describe('fault by fault', { concurrency: 5 }, () => { for (const id of ids) {
  describe(id, { concurrency: 1 }, () => {
    beforeEach(() => upstreams.get(id)!.clear())
    const fault = table(id)
    // One reading for all of them; two wires are enough.
    if (id === 'together' || id === 'bfl') {
      fault('full', once)
      fault('down', once)
    }
    fault('field', { asked: 1, bought: 0, captured: 0, code: 'provider_rejected' })
    // What was refused may have been charged all the same.
    fault('safety', { asked: 1, bought: 0, captured: 0, code: 'content_rejected', costs: ['open'] })
    if (id === 'bfl' || id === 'luma') {
      fault(id === 'bfl' ? 'states' : 'blind', { asked: 1, bought: 1, captured: 1, made: 1 })
      fault('moderated', { asked: 1, bought: 1, captured: 0, code: 'content_rejected' })
      fault('empty', badOutput)
    }
    // xAI makes up to three in one call, Bedrock five.
    if (id !== 'xai' && id !== 'bedrock') fault('one_busy', { asked: 3, bought: 2, captured: 2, made: 2 }, { parameters: { count: 3 } })

    for (const word of ['key', 'credits']) {
      test(`${word}: the operator is told, and nothing is bought`, async () => {
        const outcome = await (await connect(id)).submit(job({ model: dialects[id]!.model, prompt: `fault:${word}` }), AbortSignal.timeout(60_000))
        assert.ok(outcome.kind === 'failed')
        assert.deepEqual([outcome.problem.code, upstreams.get(id)!.stats().bought], ['provider_not_configured', 0])
        assert.match(outcome.problem.message, new RegExp(id.toUpperCase()))
      })
    }
    test('an upstream that is not there was never asked', async () => {
      const outcome = await (await connect(id, url => url.replace(/127\.0\.0\.1:\d+/, '127.0.0.1:1'))).submit(job({ model: dialects[id]!.model }), AbortSignal.timeout(60_000))
      assert.ok(outcome.kind === 'failed')
      assert.deepEqual([outcome.problem.code, outcome.problem.details.reached], ['provider_down', false])
    })
    test('what it does not know is refused before anybody is asked', async () => {
      const outcome = await (await connect(id)).submit(job({ model: dialects[id]!.model, parameters: { never_heard_of: 1 } }), AbortSignal.timeout(60_000))
      assert.equal(outcome.kind === 'failed' && outcome.problem.code, 'unsupported_parameter')
      assert.equal(upstreams.get(id)!.heard.length, 0)
    })
    test('a caller that has gone has bought nothing', async () => {
      const outcome = await (await connect(id)).submit(job({ model: dialects[id]!.model }), AbortSignal.abort('shutdown'))
      assert.equal(outcome.kind, 'failed')
      assert.equal(upstreams.get(id)!.stats().asked, 0)
    })
  })
} })

for (const [id, model] of Object.entries(films)) {
  describe(`films by ${id}`, () => {
    beforeEach(() => upstreams.get(id)!.clear())
    const fault = table(id, `rehearsed-film-${id}`)
    fault(id === 'xai' ? 'states' : 'blind', { asked: 1, bought: 1, captured: 1, made: 1 })
    fault('busy', once)
    fault('cut_after', lostAfter)
    fault('half_json', lostAfter)
    fault('fails', { asked: 1, bought: 1, captured: 0, code: 'provider_failed' })
    fault('moderated', { asked: 1, bought: 1, captured: 0, code: 'content_rejected' })
    fault('empty', { asked: 1, bought: 1, captured: 0, code: id === 'xai' ? 'provider_failed' : 'bad_output' })
    test('two are begun apart, and another process may look', async () => {
      const signal = AbortSignal.timeout(60_000)
      const asked = job({ model, operation: 'video', count: 2, parameters: { duration_s: 4, seed: 3 }, prompt: 'waves' })
      const begun = await (await connect(id)).submit(asked, signal)
      assert.ok(begun.kind === 'wait', JSON.stringify(begun))
      const kept = JSON.parse(JSON.stringify(begun.receipt))
      const ended = await (await connect(id)).poll!(kept, asked, signal)
      assert.ok(ended.kind === 'done', JSON.stringify(ended))
      assert.deepEqual([ended.value.made.length, upstreams.get(id)!.stats().bought], [2, 2])
      if (id === 'xai') assert.equal(ended.value.costMicros, 500_000)
    })
    test('a receipt holds no film', async () => {
      const signal = AbortSignal.timeout(60_000)
      const asked = job({ model, operation: 'video', count: 1, parameters: { duration_s: 4 }, prompt: 'waves' })
      const [first, second] = await Promise.all([0, 1].map(async one => (await connect(id)).submit({ ...asked, prompt: one ? 'waves fault:states' : 'waves' }, signal)))
      assert.ok(first!.kind === 'wait' && second!.kind === 'wait')
      // One that has ended beside one that has not.
      const both = { ...first!.receipt as object, parts: [first!, second!].flatMap(one => (one.receipt as { parts: object[] }).parts) } as unknown as Job['parameters'][string]
      const looked = await (await connect(id)).poll!(both, { ...asked, count: 2 }, signal)
      assert.ok(looked.kind === 'wait')
      assert.ok(JSON.stringify(looked.receipt).length < 2_000)
    })
  })
}

const providers = new Map((await loadFolders<Provider>(new URL('../src/providers/', import.meta.url))).map(one => [one.id, one]))
const fetchRaw = createFetch({ ...providerCodes, allowPrivate: true, deadlineMs: 60_000, sizeMax: 50_000_000, redirectsMax: 0 })
after(() => fetchRaw.close())
const connect = async (id: string, move: (url: string) => string = url => url, now = () => new Date()): Promise<Connection> => {
  const provider = providers.get(id)!
  const settings = Object.fromEntries(Object.entries(upstreams.get(id)!.settings).map(([name, value]) => [name, name.endsWith('Url') ? move(value) : value]))
  return provider.connect(Value.Parse(provider.settings, Value.Default(provider.settings, settings)), { fetch: fetchRaw, now, log: { info() {}, warn() {} } })
}
const job = (more: Partial<Job> = {}): Job => ({
  taskId: '0'.repeat(32), attempt: 1, key: 'key-1', cardId: 'card', model: 'model', operation: 'generate', prompt: 'a kite', parameters: {}, count: 1, width: 64, height: 64, inputs: [], livemode: true, callbackUrl: null, ...more })
const input = (more: Partial<Job['inputs'][number]> = {}): Job['inputs'][number] => ({ assetId: 'a', role: 'reference', mime: 'image/png', sizeBytes: 3, width: 64, height: 64, sha256: 'f'.repeat(64), read: () => paint(64, 64), link: () => 'https://pictures.example/a.png', ...more })
const ordered = async (id: string, more: Partial<Job>) => {
  const outcome = await (await connect(id)).submit(job(more), AbortSignal.timeout(60_000))
  assert.notEqual(outcome.kind, 'failed', outcome.kind === 'failed' ? outcome.problem.message : '')
  return { outcome, order: upstreams.get(id)!.orders()[0]! }
}

test('half an answer that quotes a prompt about violence is a lost answer, not a refusal', async () => {
  const outcome = await (await connect('together')).submit(job({ model: dialects.together!.model, prompt: 'a safety policy was violated, moderation flagged it fault:half_json' }), AbortSignal.timeout(60_000))
  assert.equal(outcome.kind === 'failed' && outcome.problem.code, 'outcome_unknown')
})

describe('in their words', () => {
  beforeEach(() => { for (const one of upstreams.values()) one.clear() })
  test('Together: pixels, a seed for each, and no false warning', async () => {
    const { outcome } = await ordered('together', { model: 'black-forest-labs/FLUX.2-dev', parameters: { aspect_ratio: '16:9', seed: 7, steps: 8, output_format: 'jpeg' }, width: 1376, height: 768, count: 2 })
    assert.deepEqual(upstreams.get('together')!.orders().map(({ json }) => json).sort((a, b) => a.seed - b.seed),
      [7, 8].map(seed => ({ model: 'black-forest-labs/FLUX.2-dev', prompt: 'a kite', seed, width: 1376, height: 768, response_format: 'base64', steps: 8, output_format: 'jpeg' })))
    assert.ok(outcome.kind === 'done' && outcome.value.made.length === 2)
    assert.deepEqual(outcome.value.warnings ?? [], [])
  })
  test('DeepInfra: an edit is a form, with the picture and its mask', async () => {
    const { order } = await ordered('deepinfra', { model: 'black-forest-labs/FLUX.1-Kontext-dev', operation: 'edit', inputs: [input(), input({ role: 'mask' })] })
    assert.equal(order.path, '/v1/openai/images/edits')
    const body = upstreams.get('deepinfra')!.heard[0]!.body.toString('latin1')
    assert.match(body, /name="image"/)
    assert.match(body, /name="mask"/)
  })
  test('Fireworks: FLUX by ratio; Kontext is not begun at all', async () => {
    const { order } = await ordered('fireworks', { model: 'accounts/fireworks/models/flux-1-schnell-fp8', parameters: { aspect_ratio: 'auto', resolution: '1K', output_format: 'jpeg' } })
    assert.deepEqual([order.path, order.json.aspect_ratio, order.json.output_format], ['/inference/v1/workflows/accounts/fireworks/models/flux-1-schnell-fp8/text_to_image', '1:1', 'jpeg'])
    const outcome = await (await connect('fireworks')).submit(job({ model: 'accounts/fireworks/models/flux-kontext-pro' }), AbortSignal.timeout(60_000))
    assert.equal(outcome.kind === 'failed' && outcome.problem.code, 'unsupported_parameter')
  })
  test('xAI: three in a call, the price it tells, and what it made of the prompt', async () => {
    const { outcome } = await ordered('xai', { model: 'grok-imagine-image', parameters: { aspect_ratio: 'auto' }, count: 4 })
    assert.ok(outcome.kind === 'done')
    assert.deepEqual([upstreams.get('xai')!.orders().map(({ json }) => json.n).sort(), outcome.value.made.length, outcome.value.costMicros], [[1, 3], 4, 80_000])
    assert.match(JSON.stringify(outcome.value.details), /A kite, and more/)
  })
  test('xAI: a film from a first and a last picture', async () => {
    const { order } = await ordered('xai', { model: 'grok-imagine-video-1.5', operation: 'video', parameters: { duration_s: 6, resolution: '1080p', sound: true }, inputs: [input({ role: 'first_frame' }), input({ role: 'last_frame' })] })
    assert.deepEqual([order.json.duration, order.json.resolution, order.json.generate_audio], [6, '1080p', true])
    assert.match(order.json.image.url, /^data:image\/png;base64,/)
    assert.match(order.json.last_frame.url, /^data:image\/png;base64,/)
  })
  test('Bedrock: several in one call, a mask paints within, a cut-out is a task of its own', async () => {
    const { order } = await ordered('bedrock', { model: 'amazon.nova-canvas-v1:0', parameters: { seed: 9, quality: 'premium', negative_prompt: 'text' }, count: 3, width: 1024, height: 1024 })
    assert.deepEqual(order.json, { taskType: 'TEXT_IMAGE', textToImageParams: { text: 'a kite', negativeText: 'text' }, imageGenerationConfig: { width: 1024, height: 1024, seed: 9, numberOfImages: 3, quality: 'premium' } })
    upstreams.get('bedrock')!.clear()
    assert.equal((await ordered('bedrock', { model: 'amazon.nova-canvas-v1:0', operation: 'edit', inputs: [input(), input({ role: 'mask' })] })).order.json.taskType, 'INPAINTING')
    upstreams.get('bedrock')!.clear()
    assert.equal((await ordered('bedrock', { model: 'amazon.nova-canvas-v1:0', operation: 'remove_background', prompt: '', inputs: [input()] })).order.json.taskType, 'BACKGROUND_REMOVAL')
  })
  test('Bedrock: an access key signs the call, and none is said before it', async () => {
    const provider = providers.get('bedrock')!
    const open = (settings: object) => provider.connect(settings as never, { fetch: fetchRaw, now: () => new Date(), log: { info() {}, warn() {} } })
    await open({ region: 'us-east-1', accessKeyId: 'AKIAREHEARSED', secretAccessKey: 'rehearsed', baseUrl: upstreams.get('bedrock')!.url }).submit(job({ model: 'amazon.nova-canvas-v1:0' }), AbortSignal.timeout(60_000))
    assert.match(upstreams.get('bedrock')!.orders()[0]!.headers.authorization!, /^AWS4-HMAC-SHA256 Credential=AKIAREHEARSED\/\d{8}\/us-east-1\/bedrock\/aws4_request/)
    const none = await open({ region: 'us-east-1', baseUrl: upstreams.get('bedrock')!.url }).submit(job(), AbortSignal.timeout(60_000))
    assert.equal(none.kind === 'failed' && none.problem.code, 'provider_not_configured')
  })
  test('Prodia: the price of the job is what it cost', async () => {
    const { outcome } = await ordered('prodia', { model: 'inference.flux-fast.schnell.txt2img.v2', parameters: { steps: 2, seed: 1 } })
    assert.equal(outcome.kind === 'done' && outcome.value.costMicros, 1_100)
  })
  test('Vertex: a token is asked for once, and takes the place of a key', async () => {
    const connection = await connect('vertex')
    const asked = job({ model: 'gemini-3-pro-image', parameters: { aspect_ratio: '16:9', resolution: '2K' }, count: 2, inputs: [input()] })
    for (let i = 0; i < 2; i++) assert.equal((await connection.submit(asked, AbortSignal.timeout(60_000))).kind, 'done')
    const heard = upstreams.get('vertex')!.heard
    assert.deepEqual([heard.filter(({ path: one }) => one === '/token').length, heard.length], [1, 5])
    const { generationConfig, contents } = upstreams.get('vertex')!.orders()[0]!.json
    assert.deepEqual([generationConfig.imageConfig, contents[0].parts.length], [{ imageSize: '2K', aspectRatio: '16:9' }, 2])
  })
  test('Vertex: an account that is refused, or a key that is none, is the operator’s', async () => {
    for (const [name, value] of [['tokenUrl', `${upstreams.get('vertex')!.url}/nowhere`], ['privateKey', 'not a key at all, whatever its length is']] as const) {
      const provider = providers.get('vertex')!
      const connection = provider.connect({ ...upstreams.get('vertex')!.settings, [name]: value } as never, { fetch: fetchRaw, now: () => new Date(), log: { info() {}, warn() {} } })
      const outcome = await connection.submit(job({ model: 'gemini-nano-banana-2.1' }), AbortSignal.timeout(60_000))
      assert.equal(outcome.kind === 'failed' && outcome.problem.code, 'provider_not_configured', name)
    }
    assert.equal(upstreams.get('vertex')!.stats().asked, 0)
  })
  test('Black Forest Labs: pictures by number, pixels, and the credits it says it takes', async () => {
    const { outcome, order } = await ordered('bfl', { model: 'flux-2-pro', operation: 'edit', parameters: { seed: 5, output_format: 'png' }, width: 1376, height: 768, inputs: [input(), input()] })
    assert.deepEqual([order.path, order.json.width, order.json.height, Object.keys(order.json).filter(name => name.startsWith('input_image'))], ['/v1/flux-2-pro', 1376, 768, ['input_image', 'input_image_2']])
    assert.ok(outcome.kind === 'wait')
    const ended = await (await connect('bfl')).poll!(outcome.receipt, job(), AbortSignal.timeout(60_000))
    assert.deepEqual(ended.kind === 'done' && [ended.value.costMicros, ended.value.made.length], [30_000, 1])
  })
  for (const [id, more] of [['bfl', { model: 'flux-2-pro' }], ['xai', { model: 'grok-imagine-video-1.5', operation: 'video', parameters: { duration_s: 6 } }]] as const) {
    test(`${id}: links that have expired are asked for anew, those of an earlier look too`, async () => {
      const upstream = upstreams.get(id)!
      const two = job({ prompt: 'a kite fault:one_slow', count: 2, ...more })
      const connection = await connect(id)
      const begun = await connection.submit(two, AbortSignal.timeout(60_000))
      assert.ok(begun.kind === 'wait')
      const half = await connection.poll!(begun.receipt, two, AbortSignal.timeout(60_000))
      assert.ok(half.kind === 'wait' && JSON.stringify(half.receipt).includes('/sample/'), 'the first has ended')
      const { looks } = upstream.stats()
      const ended = await connection.poll!(half.receipt, { ...two, fresh: true }, AbortSignal.timeout(60_000))
      assert.deepEqual([ended.kind === 'done' && ended.value.made.length, upstream.stats().looks - looks], [2, 2])
    })
    test(`${id}: what it does not know is waited for a minute, then given up`, async () => {
      const lost = job({ prompt: 'a kite fault:lost', ...more })
      const early = await connect(id)
      const begun = await early.submit(lost, AbortSignal.timeout(60_000))
      assert.ok(begun.kind === 'wait')
      const missing = await early.poll!(begun.receipt, lost, AbortSignal.timeout(60_000))
      assert.ok(missing.kind === 'wait')
      const late = await (await connect(id, undefined, () => new Date(Date.now() + 61_000))).poll!(missing.receipt, lost, AbortSignal.timeout(60_000))
      assert.equal(late.kind === 'failed' && late.problem.code, 'provider_failed')
    })
  }
  test('Black Forest Labs: our key goes to no stranger', async () => {
    const { outcome } = await ordered('bfl', { model: 'flux-2-pro' })
    assert.ok(outcome.kind === 'wait')
    const moved = JSON.parse(JSON.stringify(outcome.receipt).replace(/127\.0\.0\.1:\d+/, 'looks.example'))
    assert.equal((await (await connect('bfl')).poll!(moved, job(), AbortSignal.timeout(60_000))).kind, 'wait')
  })
  test('Luma: links by what they are for; without an address of ours, none', async () => {
    const { order } = await ordered('luma', { model: 'photon-1', operation: 'edit', parameters: { aspect_ratio: '16:9', output_format: 'jpeg' }, inputs: [input(), input({ role: 'style' }), input({ role: 'character' })] })
    assert.deepEqual(order.json, { model: 'photon-1', prompt: 'a kite', aspect_ratio: '16:9', format: 'jpg', image_ref: [{ url: 'https://pictures.example/a.png', weight: 0.85 }], style_ref: [{ url: 'https://pictures.example/a.png', weight: 0.8 }], character_ref: { identity0: { images: ['https://pictures.example/a.png'] } } })
    const outcome = await (await connect('luma')).submit(job({ model: 'photon-1', inputs: [input({ link: () => null })] }), AbortSignal.timeout(60_000))
    assert.match(outcome.kind === 'failed' ? outcome.problem.message : '', /PUBLIC_URL/)
  })
})

test('no package is read when the house starts', () => {
  const folder = new URL('../src/providers/', import.meta.url)
  const files = globSync('**/*.ts', { cwd: folder.pathname })
  const eager = files.filter(file => /^import (?!type)[^\n]*'@ai-sdk\//m.test(readFileSync(new URL(file, folder), 'utf8')))
  assert.deepEqual([eager, files.length > 20], [[], true])
})

test('every card that is made by one of these is written, or refused before it is asked', async () => {
  const routed = openCatalog().filter(({ life }) => life.state !== 'retired').flatMap(({ id, parameters, routes, operations }) => routes.filter(({ provider }) => ids.includes(provider)).map(({ provider, model }) => ({ id, provider, model, parameters, operation: operations[0]! })))
  assert.ok(routed.length >= 10, String(routed.length))
  for (const { id, provider, model, parameters, operation } of routed) {
    const defaults = Object.fromEntries(Object.entries(parameters.properties as Record<string, { default?: never }>).flatMap(([name, property]) => property.default === undefined || name === 'count' ? [] : [[name, property.default]]))
    const outcome = await (await connect(provider)).submit(job({ model, operation, parameters: defaults }), AbortSignal.timeout(60_000))
    assert.notEqual(outcome.kind, 'failed', `${id} at ${provider}: ${outcome.kind === 'failed' ? outcome.problem.message : ''}`)
  }
})
