/** OpenAI's images API rehearsed: real cards and a live key against a server that follows its wire page, fault by fault. Nothing here has met OpenAI. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import OpenAI, { AzureOpenAI } from 'openai'
import sharp from 'sharp'
import openai from '../src/providers/openai/index.ts'
import type { Job, JobOutcome } from '../src/providers/contract.ts'
import { createFetch, providerCodes } from '../src/kit/fetch.ts'
import { openCatalog } from './kit/catalog.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { moneyTable, send } from './kit/live.ts'
import { paint } from './upstreams/loopback.ts'
import { openaiKey, startOpenai, type OpenaiUpstream } from './upstreams/openai.ts'

let upstream: OpenaiUpstream
let house: TestHouse
before(async () => {
  upstream = await startOpenai()
  house = await testHouse({ settings: { OPENAI_API_KEY: openaiKey, OPENAI_BASE_URL: `${upstream.url}/v1/` } })
})
after(async () => {
  await house?.close()
  await upstream?.close()
})
beforeEach(() => upstream.clear())

const fault = moneyTable({ house: () => house, upstream: () => upstream, model: 'gpt-image-2', key: openaiKey })

describe('a live order', () => {
  test('becomes pictures in one call, with usage', async () => {
    const { body } = await send(house, { model: 'gpt-image-2', prompt: 'a boat', parameters: { size: '1536x1024', quality: 'low', count: 2, output_format: 'webp', output_compression: 80, complexity: 'low' } })
    assert.deepEqual([body.state, body.served_by, body.outputs.length, body.outputs[0].mime, body.warnings], ['done', 'openai', 2, 'image/webp', []], JSON.stringify(body.problem))
    assert.deepEqual([body.details.usage.output_tokens, body.details.revised_prompt, body.upstream_id], [2112, 'A paper boat, at dusk.', 'req_1'])
    const [{ path, fields, key }] = upstream.orders() as [ReturnType<OpenaiUpstream['orders']>[number]]
    assert.equal(path, '/v1/images/generations')
    assert.deepEqual(fields, { model: 'gpt-image-2', prompt: 'a boat', n: 2, size: '1536x1024', quality: 'low', output_format: 'webp', output_compression: 80, complexity: 'low' })
    assert.equal(key, `${body.id}-1`)
  })

  test('with pictures and a mask goes as a form, the mask as OpenAI reads it', async () => {
    const picture = await paint(40, 30)
    // Black may change, white stays: no transparency in it.
    const mask = await sharp({ create: { width: 40, height: 30, channels: 3, background: '#ffffff' } }).composite([{ input: { create: { width: 20, height: 30, channels: 3, background: '#000000' } }, left: 0, top: 0 }]).png().toBuffer()
    const base64 = (bytes: Buffer) => bytes.toString('base64')
    const { body } = await send(house, { model: 'gpt-image-2', prompt: 'make it blue', inputs: [{ base64: base64(picture) }, { base64: base64(await paint(20, 20)) }, { base64: base64(mask), role: 'mask' }] })
    assert.equal(body.state, 'done', JSON.stringify(body.problem ?? body.error))
    const [{ path, files, fields }] = upstream.orders() as [ReturnType<OpenaiUpstream['orders']>[number]]
    assert.deepEqual([path, files.map(({ field }) => field), fields.n], ['/v1/images/edits', ['image[]', 'image[]', 'mask'], '1'])
    const { data, info } = await sharp(files[2]!.bytes).raw().toBuffer({ resolveWithObject: true })
    assert.equal(info.channels, 4)
    assert.deepEqual([data[3], data[39 * 4 + 3]], [0, 255], 'what was black is clear')
  })

  test('of what the model cannot honour is refused before anything is asked', async () => {
    for (const parameters of [{ output_compression: 50 }, { background: 'transparent', output_format: 'jpeg' }]) {
      const { body } = await send(house, { model: 'gpt-image-2', prompt: 'a boat', parameters })
      assert.equal((body.problem ?? body.error).code, 'unsupported_parameter')
    }
    const wide = await sharp({ create: { width: 41, height: 30, channels: 4, background: '#00000000' } }).png().toBuffer()
    const { body } = await send(house, { model: 'gpt-image-2', prompt: 'a boat', inputs: [{ base64: (await paint(40, 30)).toString('base64') }, { base64: wide.toString('base64'), role: 'mask' }] })
    assert.equal((body.problem ?? body.error).code, 'bad_input_image')
    assert.equal(upstream.stats().asked, 0)
  })

  test('that brings another size says so', async () => {
    const { body } = await send(house, { model: 'gpt-image-2', prompt: 'fault:other_size', parameters: { size: '1024x1024' } })
    assert.ok(body.warnings.includes('1024x1024 was asked and 512x512 was made.'), JSON.stringify(body.warnings))
  })

  test('takes links where a server sends them', async () => {
    const { body } = await send(house, { model: 'gpt-image-2', prompt: 'fault:links' })
    assert.deepEqual([body.state, upstream.stats().files], ['done', 1])
  })
})

describe('what goes wrong', () => {
  fault('busy_page', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 })
  fault('overloaded', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 })
  fault('server_once', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 })
  fault('moderation', { asked: 1, bought: 0, captured: 0, code: 'content_rejected', costs: ['open'] })
  fault('policy', { asked: 1, bought: 0, captured: 0, code: 'content_rejected', costs: ['open'] })
  fault('not_found', { asked: 1, bought: 0, captured: 0, code: 'provider_not_configured' })
  fault('too_large', { asked: 1, bought: 0, captured: 0, code: 'provider_rejected' })
  fault('plain_error', { asked: 1, bought: 0, captured: 0, code: 'provider_rejected' })
  fault('conflict', { asked: 1, bought: 0, captured: 0, code: 'outcome_unknown' })
  fault('empty', { asked: 1, bought: 1, captured: 0, code: 'bad_output', costs: ['told'] })
  fault('fewer', { asked: 1, bought: 1, captured: 1, made: 1 }, { parameters: { count: 3 } })
})

const fetchRaw = createFetch({ ...providerCodes, allowPrivate: true, deadlineMs: 60_000, sizeMax: 50_000_000, redirectsMax: 0 })
after(() => fetchRaw.close())
const job = (more: Partial<Job> = {}): Job => ({
  taskId: '0'.repeat(32), attempt: 1, key: 'key-1', cardId: 'gpt-image-2', model: 'gpt-image-2', operation: 'generate', prompt: 'a boat', parameters: { size: 'auto', quality: 'medium', output_format: 'png' },
  count: 1, width: null, height: null, inputs: [], livemode: true, callbackUrl: null, ...more })
const codeOf = (outcome: JobOutcome) => outcome.kind === 'failed' ? outcome.problem.code : outcome.kind
const ask = (more: Partial<Job>, { apiKey = openaiKey, baseUrl = `${upstream.url}/v1`, partial }: { apiKey?: string; baseUrl?: string; partial?: (index: number, bytes: Uint8Array) => void } = {}) =>
  openai.connect({ apiKey, baseUrl }, { fetch: fetchRaw, now: () => new Date(), log: { info() {}, warn() {} } }).submit(job(more), AbortSignal.timeout(60_000), partial)

describe('a stream', () => {
  const follow = async (prompt: string, more: Partial<Job> = {}) => {
    const seen: number[] = []
    const outcome = await ask({ prompt, partials: 2, ...more }, { partial: (index, bytes) => { if (bytes.length > 50) seen.push(index) } })
    return { outcome, code: codeOf(outcome), seen }
  }
  test('shows pictures in between, then the one', async () => {
    const { outcome, seen } = await follow('a boat')
    assert.deepEqual(seen, [0, 1])
    assert.ok(outcome.kind === 'done')
    assert.deepEqual([outcome.value.made.length, outcome.value.upstreamId, (outcome.value.details as any).usage.output_tokens], [1, 'req_s', 1056])
    assert.deepEqual([upstream.orders()[0]!.fields.stream, upstream.orders()[0]!.fields.partial_images], [true, 2])
  })
  test('of an edit is told in a form', async () => {
    const picture = await paint(20, 20)
    const inputs: Job['inputs'] = [{ assetId: 'a', role: 'reference', mime: 'image/png', sizeBytes: picture.length, width: 20, height: 20, sha256: '', read: async () => picture, link: () => null }]
    const { code, seen } = await follow('blue', { operation: 'edit', inputs })
    assert.deepEqual([code, seen, upstream.orders()[0]!.files.map(({ field }) => field)], ['done', [0, 1], ['image']])
  })
  test('that ends in an error, early, or half-way is no picture', async () => {
    assert.equal((await follow('fault:stream_error')).code, 'provider_failed')
    assert.equal((await follow('fault:stream_ends')).code, 'outcome_unknown')
    assert.equal((await follow('fault:stream_cut')).code, 'outcome_unknown')
  })
  test('that does not come is an answer like any other', async () => assert.equal((await follow('fault:stream_none')).code, 'done'))
  test('is not asked for several pictures', async () => {
    const { code } = await follow('boats', { count: 2 })
    assert.deepEqual([code, 'stream' in upstream.orders()[0]!.fields], ['done', false])
  })
})

test('credit, keys and servers that are not there are the operator’s to mend', async () => {
  assert.equal(codeOf(await ask({ prompt: 'fault:quota' })), 'provider_not_configured')
  assert.equal(codeOf(await ask({ prompt: 'fault:key' })), 'provider_not_configured')
  assert.equal(codeOf(await ask({}, { apiKey: 'wrong' })), 'provider_not_configured')
  assert.equal(codeOf(await ask({}, { baseUrl: 'http://127.0.0.1:1/v1' })), 'provider_down')
  assert.equal(codeOf(await ask({ prompt: 'fault:server' })), 'provider_down')
  assert.equal(upstream.stats().bought, 0)
})

test('what is said of keys and accounts is for the log, not for callers', async () => {
  const told: object[] = []
  const connection = openai.connect({ apiKey: openaiKey, baseUrl: `${upstream.url}/v1` }, { fetch: fetchRaw, now: () => new Date(), log: { info() {}, warn(fields) { told.push(fields) } } })
  const outcome = await connection.submit(job({ prompt: 'fault:key' }), AbortSignal.timeout(60_000))
  assert.ok(outcome.kind === 'failed')
  assert.ok(!outcome.problem.message.includes('organisation'))
  assert.deepEqual(told, [{ provider: 'openai', upstreamCode: 'model_access_denied', said: 'Your organisation may not use this model.' }])
})

test('a spent allowance says when it comes back', async () => {
  const outcome = await ask({ prompt: 'fault:busy_reset' })
  assert.deepEqual(outcome.kind === 'failed' && [outcome.problem.code, outcome.retryAfterMs], ['provider_busy', 90_000])
})

test('another server gets its own parameters, asks for base64, and no settings hidden in words', async () => {
  const outcome = await ask({ model: 'sd-cpp-local', prompt: 'a boat <sd_cpp_extra_args>{"steps":900}</sd_cpp_extra_args>', parameters: { size: '512x512', seed: 7 } })
  assert.ok(outcome.kind === 'done')
  assert.deepEqual(upstream.orders()[0]!.fields, { model: 'sd-cpp-local', prompt: 'a boat {"steps":900}', n: 1, size: '512x512', seed: 7, response_format: 'b64_json' })
  assert.equal(outcome.value.warnings?.length, 2)
})

test('a house of ours is an upstream like any other: the same picture comes out of both', async () => {
  const other = await testHouse()
  try {
    const outcome = await ask({ model: 'gpt-image-2', prompt: 'a red apple', parameters: { size: '256x256', quality: 'low', output_format: 'png' } }, { apiKey: other.testKey, baseUrl: `${other.url}/v1` })
    assert.ok(outcome.kind === 'done', JSON.stringify(outcome))
    const { rows: [blob] } = await other.database.query<{ sha256: Buffer }>(`select a.sha256 from asset a where a.kind = 'output'`)
    const [made] = outcome.value.made
    assert.ok(made && 'bytes' in made)
    const { createHash } = await import('node:crypto')
    assert.equal(createHash('sha256').update(made.bytes).digest('hex'), Buffer.from(blob!.sha256).toString('hex'))
  } finally { await other.close() }
})

test('OpenAI’s own client takes the rehearsal for OpenAI', async () => {
  const client = new OpenAI({ apiKey: openaiKey, baseURL: `${upstream.url}/v1`, maxRetries: 0 })
  const answer = await client.images.generate({ model: 'gpt-image-2', prompt: 'a boat', n: 2 })
  assert.deepEqual([answer.data?.length, answer.usage?.output_tokens], [2, 2112])
  const seen: string[] = []
  for await (const event of await client.images.generate({ model: 'gpt-image-2', prompt: 'a boat', stream: true, partial_images: 1 })) seen.push(event.type)
  assert.deepEqual(seen, ['image_generation.partial_image', 'image_generation.completed'])
  await assert.rejects(client.images.generate({ model: 'gpt-image-2', prompt: 'fault:moderation' }), { status: 400, code: 'moderation_blocked' })
})

describe('Azure', () => {
  const azure = (more: Partial<Job>, { baseUrl = upstream.url, apiVersion = '2025-04-01-preview', apiKey = openaiKey } = {}) =>
    openai.connect({ apiKey, baseUrl, apiVersion }, { fetch: fetchRaw, now: () => new Date(), log: { info() {}, warn() {} } }).submit(job({ model: 'marketing-pictures', ...more }), AbortSignal.timeout(60_000))

  test('is asked by deployment, with its own key and version, whatever the deployment is called', async () => {
    assert.equal(codeOf(await azure({})), 'done')
    const [{ path, fields }] = upstream.orders() as [ReturnType<OpenaiUpstream['orders']>[number]]
    assert.deepEqual([path, 'response_format' in fields, upstream.heard[0]!.query.get('api-version'), upstream.heard[0]!.headers.authorization], ['/openai/deployments/marketing-pictures/images/generations', false, '2025-04-01-preview', undefined])
  })
  test('is edited at as well', async () => {
    const picture = await paint(20, 20)
    const inputs: Job['inputs'] = [{ assetId: 'a', role: 'reference', mime: 'image/png', sizeBytes: picture.length, width: 20, height: 20, sha256: '', read: async () => picture, link: () => null }]
    assert.equal(codeOf(await azure({ operation: 'edit', inputs }, { baseUrl: `${upstream.url}/openai` })), 'done')
    assert.equal(upstream.orders()[0]!.path, '/openai/deployments/marketing-pictures/images/edits')
  })
  test('says no in its own words', async () => {
    assert.equal(codeOf(await azure({ prompt: 'fault:azure_filter' })), 'content_rejected')
    assert.equal(codeOf(await azure({ prompt: 'fault:azure_busy' })), 'provider_busy')
    assert.equal(codeOf(await azure({ model: 'nobody' })), 'provider_not_configured')
    assert.equal(codeOf(await azure({}, { apiKey: 'wrong' })), 'provider_not_configured')
    assert.equal(upstream.stats().bought, 0)
  })
  test('is set up by settings', async () => {
    const other = await testHouse({ settings: { OPENAI_API_KEY: openaiKey, OPENAI_BASE_URL: upstream.url, OPENAI_API_VERSION: '2025-04-01-preview' } })
    try {
      const { body } = await send(other, { model: 'gpt-image-2', prompt: 'a boat' })
      assert.deepEqual([body.state, upstream.orders()[0]!.path], ['done', '/openai/deployments/gpt-image-2/images/generations'], JSON.stringify(body.problem))
    } finally { await other.close() }
  })
  test('is what its own client takes the rehearsal for', async () => {
    const client = new AzureOpenAI({ apiKey: openaiKey, endpoint: upstream.url, apiVersion: '2025-04-01-preview', maxRetries: 0 })
    const answer = await client.images.generate({ model: 'marketing-pictures', prompt: 'a boat', n: 2 })
    assert.equal(answer.data?.length, 2)
    await assert.rejects(client.images.generate({ model: 'marketing-pictures', prompt: 'fault:azure_filter' }), { status: 400, code: 'contentFilter' })
  })
})

test('every card that is made by OpenAI names a model whose fields are known here', () => {
  const routed = openCatalog().filter(({ life }) => life.state !== 'retired').flatMap(({ kind, routes }) => routes.filter(({ provider }) => provider === 'openai').map(({ model }) => ({ kind, model })))
  assert.ok(routed.length >= 7)
  assert.deepEqual(routed.filter(({ kind, model }) => !model.startsWith(kind === 'text' ? 'gpt-5' : 'gpt-image')), [])
})
