/** Wisdom Gate rehearsed: real cards and a live key against a server that follows its wire page, fault by fault. Nothing here has met Wisdom Gate. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import OpenAI from 'openai'
import { GoogleGenAI } from '@google/genai'
import wisdomGate from '../src/providers/wisdom-gate/index.ts'
import { handlingsOf, surfaceOf } from '../src/providers/wisdom-gate/wire.ts'
import type { Job, JobOutcome } from '../src/providers/contract.ts'
import { createFetch, providerCodes } from '../src/kit/fetch.ts'
import { openCatalog } from './kit/catalog.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { moneyTable, send } from './kit/live.ts'
import { paint } from './upstreams/loopback.ts'
import { startWisdomGate, wisdomKey, type WisdomGateUpstream } from './upstreams/wisdom-gate.ts'

let upstream: WisdomGateUpstream
let house: TestHouse
before(async () => {
  upstream = await startWisdomGate()
  house = await testHouse({ settings: { WISDOM_GATE_API_KEY: wisdomKey, WISDOM_GATE_BASE_URL: `${upstream.url}/v1`, PLANTAIN_CARDS: join(import.meta.dirname, 'kit/gateways') } })
})
after(async () => {
  await house?.close()
  await upstream?.close()
})
beforeEach(() => upstream.clear())

const tools = { house: () => house, upstream: () => upstream, key: wisdomKey }
const fault = moneyTable({ ...tools, model: 'nano-banana-2' })
const imagesFault = moneyTable({ ...tools, model: 'gpt-image-2' })
const filmFault = moneyTable({ ...tools, model: 'wisdom-film' })

describe('a live order', () => {
  test('for one of Gemini’s models is in Gemini’s words', async () => {
    const { body } = await send(house, { model: 'nano-banana-2', prompt: 'a desk', parameters: { aspect_ratio: '16:9', resolution: '512', seed: 4 } })
    assert.deepEqual([body.state, body.served_by, body.text, body.details.usage_metadata.totalTokenCount], ['done', 'wisdom-gate', 'Here is the desk.', 1390], JSON.stringify(body.problem))
    assert.deepEqual(upstream.orders()[0]!.body.generationConfig, { responseModalities: ['TEXT', 'IMAGE'], imageConfig: { aspectRatio: '16:9', imageSize: '0.5K' }, seed: 4 })
    assert.ok(body.warnings.some((one: string) => one.startsWith('seed was passed on')))
  })
  test('for several is as many calls', async () => {
    const { body } = await send(house, { model: 'nano-banana-pro', prompt: 'desks', parameters: { count: 3 } })
    assert.deepEqual([body.outputs.length, upstream.stats().bought, body.details.usage_metadata.totalTokenCount], [3, 3, 3 * 1390])
  })
  test('for gpt-image is in OpenAI’s, with pictures as a form', async () => {
    const { body } = await send(house, { model: 'gpt-image-2', prompt: 'a desk', parameters: { count: 2, size: '1024x1024' } })
    assert.deepEqual([body.outputs.length, upstream.orders()[0]!.path, body.details.usage.output_tokens], [2, '/v1/images/generations', 1290], JSON.stringify(body.problem))
    upstream.clear()
    const edit = await send(house, { model: 'gpt-image-2', prompt: 'blue', inputs: [{ base64: (await paint(40, 30)).toString('base64') }] })
    assert.deepEqual([edit.body.state, upstream.orders()[0]!.path, upstream.orders()[0]!.files], ['done', '/v1/images/edits', ['image']], JSON.stringify(edit.body.problem))
  })
  test('with pictures sends them inline', async () => {
    const { body } = await send(house, { model: 'nano-banana-pro', prompt: 'blue', inputs: [{ base64: (await paint(40, 30)).toString('base64') }] })
    assert.equal(body.state, 'done', JSON.stringify(body.problem ?? body.error))
    assert.deepEqual(upstream.orders()[0]!.body.contents[0].parts.map((part: object) => Object.keys(part)[0]), ['text', 'inlineData'])
  })
  test('for a film is handed in, looked at and fetched with the key', async () => {
    const { body } = await send(house, { model: 'wisdom-film', prompt: 'waves', parameters: { duration_s: 8, aspect_ratio: '16:9' }, inputs: [{ base64: (await paint(720, 1280)).toString('base64'), role: 'first_frame' }] })
    assert.deepEqual([body.state, body.outputs?.[0]?.mime, body.upstream_id], ['done', 'video/mp4', body.details.wisdom_gate?.video], JSON.stringify(body.problem ?? body.error))
    const [{ path, body: fields, files }] = upstream.orders() as [ReturnType<WisdomGateUpstream['orders']>[number]]
    assert.deepEqual([path, { ...fields }, files], ['/v1/videos', { model: 'sora-2', prompt: 'waves', seconds: '8', size: '1280x720' }, ['input_reference']])
  })
  test('of what this gateway cannot honour is refused before anything is asked', async () => {
    const { body } = await send(house, { model: 'nano-banana-2', prompt: 'a desk', parameters: { output_format: 'jpeg' } })
    assert.deepEqual([body.problem?.code, body.problem?.field, upstream.stats().asked], ['unsupported_parameter', 'parameters.output_format', 0])
  })
})

describe('what goes wrong with a picture in Gemini’s words', () => {
  fault('refused_503_once', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 })
  fault('under_200_busy_once', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 })
  fault('refused_400', { asked: 1, bought: 0, captured: 0, code: 'provider_rejected' })
  fault('refused_404', { asked: 1, bought: 0, captured: 0, code: 'provider_not_configured' })
  fault('refused_500', { asked: 1, bought: 0, captured: 0, code: 'outcome_unknown' })
  fault('policy', { asked: 1, bought: 0, captured: 0, code: 'content_rejected', costs: ['open'] })
  fault('parameter', { asked: 1, bought: 0, captured: 0, code: 'provider_rejected' })
  fault('anthropic_words', { asked: 1, bought: 0, captured: 0, code: 'provider_rejected' })
  fault('string_words', { asked: 1, bought: 0, captured: 0, code: 'provider_rejected' })
  fault('blocked', { asked: 1, bought: 1, captured: 0, code: 'content_rejected', costs: ['told'] })
  fault('words', { asked: 1, bought: 1, captured: 0, code: 'bad_output', costs: ['told'] })
  fault('one_lost', { asked: 3, bought: 3, captured: 2, made: 2, costs: ['open'] }, { parameters: { count: 3 } })
  for (const [word, bought] of [['cut_before', 0], ['cut_after', 1], ['cut_half', 1], ['half_json', 1], ['page', 1], ['gateway', 0], ['gateway_after', 1]] as const) fault(word, { asked: 1, bought, captured: 0, code: 'outcome_unknown' })
})

describe('what goes wrong in OpenAI’s words', () => {
  imagesFault('refused_429_once', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 })
  imagesFault('links', { asked: 1, bought: 1, captured: 1, made: 1 })
  imagesFault('policy', { asked: 1, bought: 0, captured: 0, code: 'content_rejected', costs: ['open'] })
  imagesFault('under_200', { asked: 1, bought: 0, captured: 0, code: 'provider_failed', costs: ['open'] })
  imagesFault('empty', { asked: 1, bought: 1, captured: 0, code: 'bad_output', costs: ['told'] })
  imagesFault('expired', { asked: 1, bought: 1, captured: 0, code: 'output_expired', costs: ['told'] })
  imagesFault('cut_after', { asked: 1, bought: 1, captured: 0, code: 'outcome_unknown' })
  imagesFault('half_json', { asked: 1, bought: 1, captured: 0, code: 'outcome_unknown' })
})

describe('what goes wrong with a film', () => {
  filmFault('blind', { asked: 1, bought: 1, captured: 1, made: 1, costs: ['open'] })
  filmFault('film_expired_once', { asked: 1, bought: 1, captured: 1, made: 1, costs: ['open'] })
  filmFault('film_link', { asked: 1, bought: 1, captured: 1, made: 1, costs: ['open'] })
  filmFault('film_expired', { asked: 1, bought: 1, captured: 0, code: 'output_expired' })
  filmFault('film_failed', { asked: 1, bought: 1, captured: 0, code: 'provider_failed' })
  filmFault('film_policy', { asked: 1, bought: 1, captured: 0, code: 'content_rejected' })
  filmFault('cut_after', { asked: 1, bought: 1, captured: 0, code: 'outcome_unknown' })
})

const fetchRaw = createFetch({ ...providerCodes, allowPrivate: true, deadlineMs: 60_000, sizeMax: 50_000_000, redirectsMax: 0 })
after(() => fetchRaw.close())
const job = (more: Partial<Job> = {}): Job => ({
  taskId: '0'.repeat(32), attempt: 1, key: 'key-1', cardId: 'nano-banana-2', model: 'gemini-3.1-flash-image-preview', operation: 'generate', prompt: 'a desk', parameters: {},
  count: 1, width: null, height: null, inputs: [], livemode: true, callbackUrl: null, ...more })
const codeOf = (outcome: JobOutcome) => outcome.kind === 'failed' ? outcome.problem.code : outcome.kind
function open({ apiKey = wisdomKey, baseUrl = upstream.url, authorization = 'bearer' as 'bearer' | 'raw' } = {}) {
  const told: object[] = []
  let now = new Date('2026-11-21T12:00:00Z')
  const connection = wisdomGate.connect({ apiKey, baseUrl, authorization }, { fetch: fetchRaw, now: () => now, log: { info() {}, warn(fields) { told.push(fields) } } })
  return { told, pass(ms: number) { now = new Date(now.getTime() + ms) }, connection, ask: (more: Partial<Job>) => connection.submit(job(more), AbortSignal.timeout(60_000)) }
}

test('keys and servers that are not there are the operator’s to mend', async () => {
  for (const word of ['key', 'group']) assert.equal(codeOf(await open().ask({ prompt: `fault:${word}` })), 'provider_not_configured')
  assert.equal(codeOf(await open({ apiKey: 'wrong' }).ask({})), 'provider_not_configured')
  assert.equal(codeOf(await open({ baseUrl: 'http://127.0.0.1:1' }).ask({})), 'provider_down')
  assert.deepEqual([upstream.stats().bought, upstream.stats().probes], [0, 0])
})

test('where the account is spent, the operator is told how it stands', async () => {
  for (const word of ['spent', 'spent_429', 'refused_402']) {
    const { told, ask } = open()
    const outcome = await ask({ prompt: `fault:${word}` })
    assert.ok(outcome.kind === 'failed')
    assert.deepEqual([outcome.problem.code, told[0]], ['provider_not_configured', { provider: 'wisdom-gate', leftUsd: 0.16 }])
    assert.doesNotMatch(outcome.problem.message, /0\.16|token is insufficient/)
  }
  assert.equal(upstream.stats().probes, 6)
})

test('a key may stand in Authorization alone', async () => {
  assert.equal(codeOf(await open({ authorization: 'raw' }).ask({ model: 'gpt-image-2', cardId: 'gpt-image-2' })), 'done')
  assert.equal(codeOf(await open().ask({ model: 'gpt-image-2', cardId: 'gpt-image-2' })), 'done')
  assert.deepEqual(upstream.heard.map(({ headers }) => headers.authorization), [wisdomKey, `Bearer ${wisdomKey}`])
})

test('an error in Google’s shape is read as well, and its pause heard', async () => {
  const outcome = await open().ask({ prompt: 'fault:google_words' })
  assert.deepEqual(outcome.kind === 'failed' && [outcome.problem.code, outcome.retryAfterMs], ['provider_busy', 1_000])
})

test('a film it no longer knows is waited for a minute, then given up', async () => {
  const { connection, pass, ask } = open()
  const film = { model: 'sora-2', operation: 'video' as const, parameters: { duration_s: 4 } }
  const begun = await ask({ ...film, prompt: 'fault:lost' })
  assert.ok(begun.kind === 'wait')
  pass(3_600_000)
  const missing = await connection.poll!(begun.receipt, job(film), AbortSignal.timeout(60_000))
  assert.ok(missing.kind === 'wait')
  pass(59_000)
  assert.equal(codeOf(await connection.poll!(missing.receipt, job(film), AbortSignal.timeout(60_000))), 'wait')
  pass(2_000)
  assert.equal(codeOf(await connection.poll!(missing.receipt, job(film), AbortSignal.timeout(60_000))), 'provider_failed')
})

test('the clients its pages show take the rehearsal for Wisdom Gate', async () => {
  const openai = new OpenAI({ apiKey: wisdomKey, baseURL: `${upstream.url}/v1`, maxRetries: 0 })
  assert.equal((await openai.images.generate({ model: 'gpt-image-2', prompt: 'a desk', n: 2 })).data?.length, 2)
  const google = new GoogleGenAI({ apiKey: wisdomKey, httpOptions: { baseUrl: upstream.url, apiVersion: 'v1beta' } })
  const answer = await google.models.generateContent({ model: 'gemini-3.1-flash-image-preview', contents: 'a desk' })
  assert.ok(answer.candidates?.[0]?.content?.parts?.some(({ inlineData }) => inlineData))
})

test('every card that is made by Wisdom Gate names a model its page names', () => {
  const routed = openCatalog().flatMap(({ routes, operations }) => routes.filter(({ provider }) => provider === 'wisdom-gate').map(({ model }) => ({ model, operation: operations[0]! })))
  assert.deepEqual(routed.map(({ model }) => model).sort(), ['gemini-2.5-flash-image', 'gemini-3-pro-image-preview', 'gemini-3.1-flash-image-preview', 'gpt-image-2'])
  for (const one of routed) if (surfaceOf(one) === 'gemini') assert.ok(handlingsOf(one.model).resolution)
})
