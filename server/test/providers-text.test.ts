/** Texts by Google, OpenAI and Anthropic, rehearsed: real cards and a live key against servers that follow their wire pages, fault by fault. Nothing here has met any of them. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import Anthropic, { AuthenticationError, InternalServerError } from '@anthropic-ai/sdk'
import anthropic from '../src/providers/anthropic/index.ts'
import { stopReasons } from '../src/providers/anthropic/wire.ts'
import openai from '../src/providers/openai/index.ts'
import { createFetch, providerCodes } from '../src/kit/fetch.ts'
import { openCatalog } from './kit/catalog.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { jobOf } from './kit/job.ts'
import { costsOf, moneyOf, moneyTable, send } from './kit/live.ts'
import { anthropicKey, startAnthropic, type AnthropicUpstream } from './upstreams/anthropic.ts'
import { geminiKey, startGemini, type GeminiUpstream } from './upstreams/gemini.ts'
import { paint } from './upstreams/loopback.ts'
import { openaiKey, startOpenai, type OpenaiUpstream } from './upstreams/openai.ts'

let google: GeminiUpstream
let chat: OpenaiUpstream
let claude: AnthropicUpstream
let house: TestHouse
before(async () => {
  [google, chat, claude] = await Promise.all([startGemini(), startOpenai(), startAnthropic()])
  house = await testHouse({ settings: { GEMINI_API_KEY: geminiKey, GEMINI_BASE_URL: google.url, OPENAI_API_KEY: openaiKey, OPENAI_BASE_URL: `${chat.url}/v1`, ANTHROPIC_API_KEY: anthropicKey, ANTHROPIC_BASE_URL: `${claude.url}/v1/` } })
})
after(async () => {
  await house?.close()
  await Promise.all([google?.close(), chat?.close(), claude?.close()])
})
beforeEach(() => { google.clear(); chat.clear(); claude.clear() })

const picture = async () => ({ base64: (await paint(40, 30)).toString('base64') })

test('Anthropic’s own client takes the rehearsal for Anthropic', async () => {
  const client = new Anthropic({ apiKey: anthropicKey, baseURL: claude.url, maxRetries: 0 })
  const ask = (text: string) => client.messages.create({ model: 'claude-haiku-4-5', max_tokens: 100, messages: [{ role: 'user', content: [{ type: 'text', text }] }] })
  const answer = await ask('a boat')
  assert.deepEqual([answer.content.map(block => block.type === 'text' && block.text), answer.stop_reason, answer.usage.output_tokens], [['You said: a boat'], 'end_turn', 20])
  await assert.rejects(ask('fault:key'), AuthenticationError)
  await assert.rejects(ask('fault:server'), InternalServerError)
  await assert.rejects(new Anthropic({ apiKey: 'sk-other', baseURL: claude.url, maxRetries: 0 }).models.list(), AuthenticationError)
})

describe('a text by Google', () => {
  test('goes with its instruction, its end and its pictures, and is paid by what was counted', async () => {
    const { body } = await send(house, { model: 'gemini-3.5-flash-lite', prompt: 'a boat', parameters: { system: 'In French.', max_tokens: 300, effort: 'low' }, inputs: [await picture()] })
    assert.deepEqual([body.state, body.served_by, body.text, body.outputs, body.details.finish, body.details.tokens, body.upstream_id], ['done', 'gemini', 'You said: a boat', [], 'stop', { input: 270, output: 25 }, 'r1'], JSON.stringify(body.problem))
    const [{ model, body: asked }] = google.orders() as [{ model: string; body: any }]
    assert.equal(model, 'gemini-3.5-flash-lite')
    assert.deepEqual(asked.systemInstruction, { parts: [{ text: 'In French.' }] })
    assert.deepEqual(asked.contents[0].parts.map((part: any) => Object.keys(part)[0]), ['inlineData', 'text'])
    assert.deepEqual(asked.generationConfig, { responseModalities: ['TEXT'], maxOutputTokens: 300, thinkingConfig: { thinkingLevel: 'LOW' } })
    assert.equal(body.cost.micros, Math.ceil(270 * 0.3 + 25 * 2.5))
    const { rows: [cost] } = await house.database.query<{ micros: number; basis: string; usage: object }>('select micros::int as micros, basis, usage from provider_cost where task_id = $1', [body.id])
    assert.deepEqual(cost, { micros: body.cost.micros, basis: 'usage', usage: { textIn: 12, imageIn: 258, textOut: 25, imageOut: 0 } })
  })

  test('says which parameter was not passed on', async () => {
    const { body } = await send(house, { model: 'gemini-3.8-flash', prompt: 'a boat', parameters: { temperature: 0.4 } })
    assert.deepEqual([body.state, google.orders()[0]!.body.generationConfig.thinkingConfig], ['done', { thinkingLevel: 'LOW' }])
    assert.match(body.warnings[0], /temperature 0.4 was not passed on/)
  })

  test('has the price of its day: half of it until 2027', () => {
    const card = openCatalog().find(({ id }) => id === 'gemini-3.8-flash')!
    assert.deepEqual(card.prices.map(({ from, tokens }) => [from, tokens!.textIn, tokens!.textOut]), [['2026-09-02', 750_000, 3_750_000], ['2027-01-01', 1_500_000, 7_500_000]])
  })

  const takes = Math.ceil(12 * 0.3 + 25 * 2.5)
  const fault = moneyTable({ house: () => house, upstream: () => google, model: 'gemini-3.5-flash-lite', key: geminiKey, takesMicros: takes })
  const told = { asked: 1, bought: 1, captured: 0, costs: ['told' as const] }
  fault('none', { asked: 1, bought: 1, captured: 1, made: 1 })
  fault('status_unavailable_once', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 })
  fault('status_resource_exhausted_once', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 })
  fault('status_invalid_argument', { asked: 1, bought: 0, captured: 0, code: 'provider_rejected' })
  fault('key', { asked: 1, bought: 0, captured: 0, code: 'provider_not_configured' })
  fault('block_safety', { ...told, code: 'content_rejected' })
  fault('finish_prohibited_content', { ...told, code: 'content_rejected' })
  fault('finish_other', { ...told, code: 'provider_failed' })
  fault('empty', { ...told, code: 'bad_output' })
  fault('length', { asked: 1, bought: 1, captured: 1, made: 1 })
  fault('length_empty', { ...told, code: 'bad_output' })
  fault('cut_before', { asked: 1, bought: 0, captured: 0, code: 'outcome_unknown' })
  fault('cut_after', { asked: 1, bought: 1, captured: 0, code: 'outcome_unknown' })
  fault('half_json', { asked: 1, bought: 1, captured: 0, code: 'outcome_unknown' })
  fault('gateway_after', { asked: 1, bought: 1, captured: 0, code: 'outcome_unknown' })
  fault('error_200', { asked: 1, bought: 1, captured: 0, code: 'outcome_unknown' })

  test('without counted tokens is charged as it was told', async () => {
    const { body } = await send(house, { model: 'gemini-3.5-flash-lite', prompt: 'fault:no_usage', parameters: { max_tokens: 100 } })
    const { held, captured } = await moneyOf(house, body.id)
    assert.deepEqual([body.state, captured, await costsOf(house, body.id), await house.audit()], ['done', held, ['open'], []])
  })
})

describe('a text by OpenAI', () => {
  test('goes as a chat completion with the words its models know', async () => {
    const { body } = await send(house, { model: 'gpt-5.6-luna', prompt: 'a boat', parameters: { system: 'In French.', max_tokens: 300, temperature: 0.7 }, inputs: [await picture()] })
    assert.deepEqual([body.state, body.served_by, body.text, body.details.tokens, body.warnings, body.upstream_id], ['done', 'openai', 'You said: a boat', { input: 30, output: 20 }, [], 'chatcmpl-1'], JSON.stringify(body.problem))
    const [{ path, fields, key }] = chat.orders() as [ReturnType<OpenaiUpstream['orders']>[number]]
    const { messages, ...rest } = fields
    assert.deepEqual([path, key], ['/v1/chat/completions', `${body.id}-1`])
    assert.deepEqual(rest, { model: 'gpt-5.6-luna', max_completion_tokens: 300, reasoning_effort: 'none', temperature: 0.7 })
    assert.deepEqual(messages[0], { role: 'system', content: 'In French.' })
    assert.deepEqual(messages[1].content.map(({ type }: any) => type), ['image_url', 'text'])
    assert.match(messages[1].content[0].image_url.url, /^data:image\/png;base64,/)
    assert.equal(body.cost.micros, Math.ceil(30 * 0.2 + 20 * 1.2))
  })

  test('that thinks takes no temperature, and says so', async () => {
    const { body } = await send(house, { model: 'gpt-5.4-mini', prompt: 'a boat', parameters: { temperature: 0.7, effort: 'high' } })
    assert.deepEqual([body.state, chat.orders()[0]!.fields.reasoning_effort, chat.orders()[0]!.fields.temperature], ['done', 'high', undefined])
    assert.match(body.warnings[0], /temperature 0.7 was not passed on/)
  })

  test('by a server shaped like OpenAI’s goes with the words they all know', async () => {
    const fetch = createFetch({ ...providerCodes, allowPrivate: true, deadlineMs: 60_000, sizeMax: 1_000_000, redirectsMax: 0 })
    const connection = openai.connect({ apiKey: openaiKey, baseUrl: `${chat.url}/v1` }, { fetch, now: () => new Date(), log: { info() {}, warn() {} } })
    const job = jobOf('local', 'llama-4')
    const outcome = await connection.submit(job({ operation: 'write', prompt: 'a boat', parameters: { max_tokens: 50, effort: 'high', temperature: 1, system: 'Short.' } }), AbortSignal.timeout(60_000))
    assert.ok(outcome.kind === 'done')
    assert.deepEqual([outcome.value.text, outcome.value.warnings?.length], ['You said: a boat', 1])
    assert.deepEqual(Object.keys(chat.orders()[0]!.fields).sort(), ['max_tokens', 'messages', 'model', 'temperature'])
    await fetch.close()
  })

  const fault = moneyTable({ house: () => house, upstream: () => chat, model: 'gpt-5.6-luna', key: openaiKey, takesMicros: Math.ceil(30 * 0.2 + 20 * 1.2) })
  const told = { asked: 1, bought: 1, captured: 0, costs: ['told' as const] }
  fault('busy', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 })
  fault('overloaded', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 })
  fault('server_once', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 })
  fault('moderation', { asked: 1, bought: 0, captured: 0, code: 'content_rejected', costs: ['open'] })
  fault('quota', { asked: 1, bought: 0, captured: 0, code: 'provider_not_configured' })
  fault('not_found', { asked: 1, bought: 0, captured: 0, code: 'provider_not_configured' })
  fault('filter', { ...told, code: 'content_rejected' })
  fault('refusal', { ...told, code: 'content_rejected' })
  fault('empty', { ...told, code: 'bad_output' })
  fault('length', { asked: 1, bought: 1, captured: 1, made: 1 })
  fault('length_empty', { ...told, code: 'bad_output' })
  fault('cut_before', { asked: 1, bought: 0, captured: 0, code: 'outcome_unknown' })
  fault('cut_after', { asked: 1, bought: 1, captured: 0, code: 'outcome_unknown' })
  fault('page', { asked: 1, bought: 1, captured: 0, code: 'outcome_unknown' })
  fault('error_200', { asked: 1, bought: 1, captured: 0, code: 'content_rejected', costs: ['open'] })

  test('speaks of the chat API when it fails', async () => {
    const { body } = await send(house, { model: 'gpt-5.6-luna', prompt: 'fault:not_found' })
    assert.match(body.problem.message, /^The chat API/)
  })
})

describe('a text by Anthropic', () => {
  test('goes as a message and takes no temperature', async () => {
    const { body } = await send(house, { model: 'claude-haiku-5.5', prompt: 'a boat', parameters: { system: 'In French.', max_tokens: 300, temperature: 1 }, inputs: [await picture()] })
    assert.deepEqual([body.state, body.served_by, body.text, body.details.tokens, body.upstream_id], ['done', 'anthropic', 'You said: a boat', { input: 40, output: 20 }, 'msg_1'], JSON.stringify(body.problem))
    assert.match(body.warnings[0], /temperature 1 was not passed on/)
    const [{ messages: [{ content }], ...rest }] = claude.orders() as [any]
    assert.deepEqual(rest, { model: 'claude-haiku-5-5', system: 'In French.', max_tokens: 300, thinking: { type: 'disabled' } })
    assert.deepEqual(content.map(({ type }: any) => type), ['image', 'text'])
    assert.equal(body.cost.micros, Math.ceil(40 * 0.1 + 20 * 0.5))
  })

  test('may think first, which is not part of the text', async () => {
    const { body } = await send(house, { model: 'claude-haiku-5.5', prompt: 'a boat', parameters: { effort: 'medium' } })
    assert.deepEqual([body.text, claude.orders()[0].thinking, claude.orders()[0].output_config], ['You said: a boat', { type: 'adaptive' }, { effort: 'medium' }])
  })

  test('ends by every reason it documents', async () => {
    for (const reason of stopReasons) {
      const { body } = await send(house, { model: 'claude-haiku-5.5', prompt: `a boat fault:stop_${reason}` })
      const expected = reason === 'refusal' ? ['failed', undefined] : ['done', reason === 'max_tokens' || reason === 'model_context_window_exceeded' ? 'length' : 'stop']
      assert.deepEqual([body.state, body.details.finish], expected, reason)
    }
  })

  const fault = moneyTable({ house: () => house, upstream: () => claude, model: 'claude-haiku-5.5', key: anthropicKey, takesMicros: Math.ceil(40 * 0.1 + 20 * 0.5) })
  const told = { asked: 1, bought: 1, captured: 0, costs: ['told' as const] }
  fault('busy', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 })
  fault('overloaded', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 })
  fault('overloaded_503', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 })
  fault('server_once', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 })
  fault('key', { asked: 1, bought: 0, captured: 0, code: 'provider_not_configured' })
  fault('forbidden', { asked: 1, bought: 0, captured: 0, code: 'provider_not_configured' })
  fault('billing', { asked: 1, bought: 0, captured: 0, code: 'provider_not_configured' })
  fault('invalid', { asked: 1, bought: 0, captured: 0, code: 'provider_rejected' })
  fault('too_large', { asked: 1, bought: 0, captured: 0, code: 'provider_rejected' })
  fault('timeout', { asked: 1, bought: 0, captured: 0, code: 'outcome_unknown' })
  fault('refusal', { ...told, code: 'content_rejected' })
  fault('empty', { ...told, code: 'bad_output' })
  fault('length', { asked: 1, bought: 1, captured: 1, made: 1 })
  fault('length_empty', { ...told, code: 'bad_output' })
  fault('cut_before', { asked: 1, bought: 0, captured: 0, code: 'outcome_unknown' })
  fault('cut_after', { asked: 1, bought: 1, captured: 0, code: 'outcome_unknown' })
  fault('half_json', { asked: 1, bought: 1, captured: 0, code: 'outcome_unknown' })
  fault('page', { asked: 1, bought: 1, captured: 0, code: 'outcome_unknown' })

  test('is all it makes: a picture is refused before it is asked', async () => {
    const fetch = createFetch({ ...providerCodes, allowPrivate: true, deadlineMs: 60_000, sizeMax: 1_000_000, redirectsMax: 0 })
    const connection = anthropic.connect({ apiKey: anthropicKey, baseUrl: claude.url }, { fetch, now: () => new Date(), log: { info() {}, warn() {} } })
    const outcome = await connection.submit(jobOf('x', 'claude-haiku-5-5')({ parameters: {} }), AbortSignal.timeout(60_000))
    assert.deepEqual([outcome.kind === 'failed' && outcome.problem.code, claude.stats().asked], ['unsupported_parameter', 0])
    await fetch.close()
  })
})
