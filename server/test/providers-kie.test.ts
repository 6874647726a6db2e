/** Kie.ai rehearsed: real cards and a live key against a server that follows Kie's wire page, fault by fault. Nothing here has met Kie itself. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, describe, test } from 'node:test'
import kie from '../src/providers/kie/index.ts'
import { modelNames } from '../src/providers/kie/models.ts'
import { createFetch, providerCodes } from '../src/kit/fetch.ts'
import { openCatalog } from './kit/catalog.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { jobInput, jobOf } from './kit/job.ts'
import { moneyOf, moneyTable, send } from './kit/live.ts'
import { kieKey, startKie, type KieStats, type KieUpstream } from './upstreams/kie.ts'
import { paint } from './upstreams/loopback.ts'

let upstream: KieUpstream
let house: TestHouse
const settings = () => ({ KIE_API_KEY: kieKey, KIE_BASE_URL: `${upstream.url}/api/v1`, KIE_UPLOAD_URL: upstream.url })

before(async () => {
  upstream = await startKie()
  house = await testHouse({ settings: settings() })
})
after(async () => {
  await house?.close()
  await upstream?.close()
})
beforeEach(() => upstream.clear())

const fault = moneyTable({ house: () => house, upstream: () => upstream, model: 'nano-banana-2-1', key: kieKey })

describe('a live order', () => {
  test('is handed in, looked at through every state, fetched and paid', async () => {
    const { body } = await send(house, { model: 'nano-banana-2-1', prompt: 'a red kite fault:states', parameters: { aspect_ratio: '16:9', resolution: '2K', output_format: 'jpeg' } })
    assert.equal(body.state, 'done', JSON.stringify(body.problem))
    assert.deepEqual([body.served_by, body.outputs.length, body.outputs[0].mime], ['kie', 1, 'image/png'])
    assert.equal(body.upstream_id, body.details.kie.task_ids[0])
    assert.equal(body.details.kie.credits, 6)
    assert.deepEqual(upstream.orders()[0], { model: 'nano-banana-2-1', input: { prompt: 'a red kite fault:states', aspect_ratio: '16:9', resolution: '2K', output_format: 'jpg' } })
    assert.deepEqual({ ...upstream.stats() }, { asked: 1, bought: 1, looks: 4, uploads: 0, files: 1, links: 0 } satisfies KieStats)
  })

  test('whose link is refused is asked for a direct one, once; where Kie has none, the first one stands', async () => {
    const opened = await send(house, { model: 'nano-banana-2-1', prompt: 'a kite fault:expired_link' })
    assert.deepEqual([opened.body.state, upstream.stats().asked, upstream.stats().links, upstream.stats().files], ['done', 1, 1, 2], JSON.stringify(opened.body.problem))
    const { body } = await send(house, { model: 'nano-banana-2-1', prompt: 'a kite fault:expired' })
    assert.deepEqual([body.problem?.code, upstream.stats().asked, upstream.stats().links], ['output_expired', 2, 2])
  })

  test('for several becomes as many tasks', async () => {
    const { body } = await send(house, { model: 'nano-banana-2-1', prompt: 'three kites', parameters: { count: 3 } })
    assert.deepEqual([body.state, body.outputs.length, body.details.kie.task_ids.length, upstream.stats().bought], ['done', 3, 3, 3])
    assert.equal(new Set(body.outputs.map((one: any) => one.sha256)).size, 3)
  })

  test('with pictures uploads them first and uses the name for edits', async () => {
    const picture = (await paint(80, 60)).toString('base64')
    const { body } = await send(house, { model: 'nano-banana', prompt: 'make it blue', inputs: [{ base64: picture }, { base64: (await paint(80, 60)).toString('base64'), role: 'style' }] })
    assert.equal(body.state, 'done', JSON.stringify(body.problem ?? body.error))
    const [order] = upstream.orders()
    assert.equal(order.model, 'google/nano-banana-edit')
    assert.equal(order.input.image_urls.length, 2)
    assert.match(order.input.image_urls[0], /^https:\/\/tempfile\.redpandaai\.co\/kieai\/123456\/plantain\/inputs\/[0-9a-f]{64}\.png$/)
    assert.equal(upstream.stats().uploads, 2)
    assert.ok(body.warnings.some((one: string) => one.includes('roles')))
  })

  test('of what this upstream cannot honour is refused before anything is asked', async () => {
    for (const [model, parameters, field] of [
      ['nano-banana-2', { resolution: '512' }, 'parameters.resolution'], ['nano-banana-pro', { google_search: true }, 'parameters.google_search'],
      ['nano-banana-2-lite', { output_format: 'jpeg' }, 'parameters.output_format'], ['gpt-image-2', { quality: 'high' }, 'parameters.quality'],
    ] as const) {
      upstream.clear()
      const { body } = await send(house, { model, prompt: 'a kite', parameters })
      assert.deepEqual([body.problem?.code, body.problem?.field], ['unsupported_parameter', field])
      assert.deepEqual({ ...upstream.stats() }, { asked: 0, bought: 0, looks: 0, uploads: 0, files: 0, links: 0 })
      assert.equal((await moneyOf(house, body.id)).captured, 0)
    }
  })

  test('of a file format nobody asked for says nothing', async () => {
    const { body } = await send(house, { model: 'flux-2-pro', prompt: 'a kite' })
    assert.deepEqual([body.state, body.warnings], ['done', []], JSON.stringify(body.problem))
  })

  test('with a seed says that it was not passed on', async () => {
    const { body } = await send(house, { model: 'nano-banana-2-1', prompt: 'a kite', parameters: { seed: 7 } })
    assert.equal(body.state, 'done')
    assert.ok(body.warnings.some((one: string) => one.startsWith('seed 7 was not passed on')))
    assert.ok(!('seed' in upstream.orders()[0].input))
  })

  for (const [model, upstreamModel, inputs] of [['kling-2.6', 'kling-2.6/text-to-video', 0], ['kling-2.6', 'kling-2.6/image-to-video', 1], ['kling-3.0', 'kling-3.0/video', 0], ['kling-2.1-standard', 'kling/v2-1-standard', 1], ['gemini-omni-flash', 'gemini-omni-video', 0]] as const) {
    test(`for a film of ${upstreamModel} is in Kie's words`, async () => {
      const picture = { base64: (await paint(400, 400)).toString('base64'), role: 'first_frame' }
      const { body } = await send(house, { model, prompt: 'waves', parameters: { duration_s: 10 }, ...(inputs ? { inputs: [picture] } : {}) })
      assert.equal(body.state, 'done', JSON.stringify(body.problem ?? body.error))
      const [{ model: asked, input }] = upstream.orders()
      assert.deepEqual([asked, input.duration, body.outputs[0].mime], [upstreamModel, '10', 'video/mp4'])
    })
  }

  for (const [model, upstreamModel, parameters, roles] of [
    ['flux-2-pro', 'flux-2/pro-image-to-image', { resolution: '2K' }, ['reference', 'style']], ['seedream-4.5', 'seedream/4.5-text-to-image', { aspect_ratio: '21:9' }, []],
    ['qwen-image', 'qwen/image-to-image', { strength: 0.4 }, ['reference']], ['ideogram-v3', 'ideogram/v3-edit', {}, ['reference', 'mask']], ['ideogram-character', 'ideogram/character-remix', { seed: 4 }, ['character', 'reference', 'style']],
    ['seedance-2', 'bytedance/seedance-2', { duration_s: 4 }, ['first_frame', 'last_frame']],
  ] as const) {
    test(`for ${model} is made by ${upstreamModel}`, async () => {
      const inputs = await Promise.all(roles.map(async role => ({ base64: (await paint(400, 400)).toString('base64'), role })))
      const { body } = await send(house, { model, prompt: 'a kite', parameters, inputs })
      assert.equal(body.state, 'done', JSON.stringify(body.problem ?? body.error))
      assert.deepEqual([upstream.orders()[0].model, upstream.stats().bought, upstream.stats().uploads], [upstreamModel, 1, roles.length])
      assert.deepEqual(await house.audit(), [])
    })
  }

  test('for an upscale or a cut-out sends one link and no words', async () => {
    const inputs = [{ base64: (await paint(60, 60)).toString('base64') }]
    for (const [model, field] of [['topaz-image-upscale', 'image_url'], ['recraft-crisp-upscale', 'image'], ['recraft-remove-background', 'image']] as const) {
      upstream.clear()
      const { body } = await send(house, { model, prompt: '', inputs })
      assert.equal(body.state, 'done', JSON.stringify(body.problem ?? body.error))
      assert.deepEqual(Object.keys(upstream.orders()[0].input).sort(), [field, ...(model.startsWith('topaz') ? ['upscale_factor'] : [])].sort())
    }
  })
})

describe('what goes wrong', () => {
  fault('maintenance', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 })
  fault('moment', { asked: 1, bought: 1, captured: 1, made: 1 })
  fault('blind', { asked: 1, bought: 1, captured: 1, made: 1 })
  fault('fail_full', { asked: 2, bought: 2, captured: 1, made: 1, attempts: 2, costs: ['told', 'told'] })

  fault('field', { asked: 1, bought: 0, captured: 0, code: 'provider_rejected' })
  fault('paused', { asked: 1, bought: 0, captured: 0, code: 'provider_not_configured' })
  fault('fail', { asked: 1, bought: 1, captured: 0, code: 'provider_failed', costs: ['told'] })
  fault('fail_policy', { asked: 1, bought: 1, captured: 0, code: 'content_rejected', costs: ['told'] })
  fault('fail_word', { asked: 1, bought: 1, captured: 0, code: 'provider_failed', costs: ['told'] })
  fault('empty', { asked: 1, bought: 1, captured: 0, code: 'bad_output', costs: ['told'] })

  // Of several, what came is kept and paid.
  fault('one_busy', { asked: 3, bought: 2, captured: 2, made: 2 }, { parameters: { count: 3 } })
  fault('one_lost', { asked: 3, bought: 3, captured: 2, made: 2 }, { parameters: { count: 3 } })
  fault('one_fails', { asked: 3, bought: 3, captured: 2, made: 2 }, { parameters: { count: 3 } })

  for (const word of ['credits', 'credits_500', 'key', 'capped']) {
    test(`${word}: the operator is told, and nothing is bought`, async () => {
      const outcome = await connect().connection.submit(job({ prompt: `fault:${word}` }), AbortSignal.timeout(60_000))
      assert.ok(outcome.kind === 'failed')
      assert.deepEqual([outcome.problem.code, upstream.stats().bought], ['provider_not_configured', 0])
      assert.match(outcome.problem.message, word === 'key' ? /KIE_API_KEY/ : /credits|cap/)
    })
  }
})

describe('uploads', () => {
  const edit = async () => send(house, { model: 'nano-banana-2-1', prompt: 'make it blue', inputs: [{ base64: (await paint(50, 50)).toString('base64') }] })
  test('that are busy or break off have bought nothing, and are tried again', async () => {
    for (const one of ['busy', 'cut'] as const) {
      upstream.clear()
      upstream.uploadFaults.push(one)
      const { body } = await edit()
      assert.deepEqual([body.state, body.attempts, upstream.stats().bought], ['done', 2, 1], JSON.stringify(body.problem))
    }
  })
  test('of large files go as a form', async () => {
    const bytes = Buffer.alloc(10_000_001)
    const reply = await connect().connection.submit(job({ operation: 'edit', inputs: [{ ...input, sizeBytes: bytes.length, read: async () => bytes }] }), AbortSignal.timeout(60_000))
    assert.equal(reply.kind, 'wait')
    assert.deepEqual(upstream.heard.map(({ path }) => path), ['/api/file-stream-upload', '/api/v1/jobs/createTask'])
  })
  test('are not made where Kie can fetch the picture itself', async () => {
    await connect().connection.submit(job({ operation: 'edit', inputs: [{ ...input, link: () => 'https://plantain.example/files/a.png?sig=1' }] }), AbortSignal.timeout(60_000))
    assert.deepEqual([upstream.stats().uploads, upstream.orders()[0].input.image_input], [0, ['https://plantain.example/files/a.png?sig=1']])
  })
  test('stopped half-way have bought nothing and say so', async () => {
    const stop = new AbortController()
    const outcome = await connect().connection.submit(job({ operation: 'edit', inputs: [{ ...input, read: async () => { stop.abort('shutdown'); stop.signal.throwIfAborted(); return Buffer.alloc(1) } }] }), stop.signal)
    assert.equal(outcome.kind === 'failed' && outcome.problem.code, 'provider_down')
    assert.equal(upstream.stats().asked, 0)
  })
})

const fetchRaw = createFetch({ ...providerCodes, allowPrivate: true, deadlineMs: 60_000, sizeMax: 50_000_000, redirectsMax: 0 })
after(() => fetchRaw.close())
const connect = () => {
  let now = new Date('2026-11-21T12:00:00Z')
  const connection = kie.connect({ apiKey: kieKey, baseUrl: upstream.url, uploadUrl: upstream.url }, { fetch: fetchRaw, now: () => now, log: { info() {}, warn() {} } })
  return { connection, pass(ms: number) { now = new Date(now.getTime() + ms) } }
}
const input = jobInput
const job = jobOf('nano-banana-2-1', 'nano-banana-2-1')

test('a task Kie has forgotten is waited for a minute, then given up', async () => {
  const { connection, pass } = connect()
  const signal = AbortSignal.timeout(60_000)
  const begun = await connection.submit(job({ prompt: 'fault:lost' }), signal)
  assert.equal(begun.kind, 'wait')
  if (begun.kind !== 'wait') return
  pass(3_600_000)
  const missing = await connection.poll!(begun.receipt, job(), signal)
  assert.ok(missing.kind === 'wait')
  pass(59_000)
  assert.equal((await connection.poll!(missing.receipt, job(), signal)).kind, 'wait')
  pass(2_000)
  const ended = await connection.poll!(missing.receipt, job(), signal)
  assert.equal(ended.kind === 'failed' && ended.problem.code, 'provider_failed')
})

test('an upstream that is not there was never asked', async () => {
  const connection = kie.connect({ apiKey: kieKey, baseUrl: 'http://127.0.0.1:1', uploadUrl: upstream.url }, { fetch: fetchRaw, now: () => new Date(), log: { info() {}, warn() {} } })
  const outcome = await connection.submit(job(), AbortSignal.timeout(60_000))
  assert.equal(outcome.kind === 'failed' && outcome.problem.code, 'provider_down')
})

test('a call back is a hint: the task is looked at at once, and nothing it says is believed', async () => {
  const probe = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => { probe.once('listening', resolve) })
  const { port } = probe.address() as AddressInfo
  await new Promise(resolve => { probe.close(resolve) })
  const open = await testHouse({ settings: { ...settings(), PORT: String(port), PUBLIC_URL: `http://127.0.0.1:${port}` } })
  try {
    const { body } = await send(open, { model: 'nano-banana-2-1', prompt: 'a kite fault:called' })
    assert.equal(body.state, 'done')
    assert.match(upstream.orders()[0].callBackUrl, new RegExp(`^http://127\\.0\\.0\\.1:${port}/hooks/kie/${body.id}-[0-9a-f]{32}$`))
    assert.equal(upstream.stats().bought, 1)
  } finally { await open.close() }
})

test('every card that is made by Kie names a model whose fields are known here', () => {
  const cards = openCatalog()
  const routed = cards.flatMap(({ routes }) => routes.filter(({ provider }) => provider === 'kie').map(({ model }) => model))
  assert.ok(routed.length > 10)
  assert.deepEqual(routed.filter(model => !modelNames.includes(model)), [])
})
