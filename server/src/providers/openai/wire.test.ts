import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { readRetryAfter } from '../../kit/fetch.ts'
import type { JobOutcome } from '../contract.ts'
import type { Asked, Reply } from '../toolkit.ts'
import { readUsage, writeFields } from '../toolkit/openai.ts'
import { readAddress } from './address.ts'
import { readEvents } from './events.ts'
import { readDuration, readEvent, readImages, readReason } from './wire.ts'

function reply(name: string): Reply {
  const { status, headers = {}, body } = JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8')) as { status: number; headers?: Record<string, string>; body: unknown }
  const all = new Headers(headers)
  return { kind: 'answered', status, headers: all, retryAfterMs: readRetryAfter(all, new Date()), body: typeof body === 'string' ? undefined : body, bytesOf: text => Buffer.from(text, 'base64') }
}
const said = (outcome: JobOutcome): unknown => outcome.kind === 'failed' ? outcome.problem.code : outcome.kind === 'done' ? outcome.value.made.length : outcome.kind

const answered = (name: string, expected: unknown, retryAfterMs: number | null = null) => test(`answered with ${name}`, () => {
  const outcome = readImages(reply(name), {}, [])
  assert.deepEqual([said(outcome), outcome.kind === 'failed' ? outcome.retryAfterMs : null], [expected, retryAfterMs])
})
answered('picture', 1)
answered('link', 1)
answered('sd-cpp', 1)
answered('nothing', 'bad_output')
answered('bad-size', 'provider_rejected')
answered('moderation', 'content_rejected')
answered('key', 'provider_not_configured')
answered('model', 'provider_not_configured')
answered('quota', 'provider_not_configured')
answered('busy', 'provider_busy', 1_500)
answered('busy-reset', 'provider_busy', 360_000)
answered('server', 'provider_down')
answered('overloaded', 'provider_busy')
answered('string-error', 'provider_rejected')
answered('gateway', 'outcome_unknown')
answered('azure-filter', 'content_rejected')
answered('azure-filter-inner', 'content_rejected')
answered('azure-deployment', 'provider_not_configured')
answered('azure-resource', 'provider_not_configured')
answered('azure-key', 'provider_not_configured')
answered('azure-token', 'provider_not_configured')
answered('azure-busy', 'provider_busy', 20_000)
answered('azure-server', 'provider_down')
answered('localai-error', 'provider_down')
answered('localai-key', 'provider_not_configured')
answered('sd-cpp-error', 'provider_down')
answered('sd-cpp-busy', 'provider_busy')

test('silence is a lost answer, unless nobody was there', () => {
  assert.deepEqual([said(readImages({ kind: 'lost' }, {}, [])), said(readImages({ kind: 'unreached' }, {}, []))], ['outcome_unknown', 'provider_down'])
})

test('whatever the status, only what was surely not taken may be asked again', () => {
  const codes = Array.from({ length: 200 }, (_, index) => 400 + index).filter(status => ['provider_busy', 'provider_down'].includes(readReason({ error: { message: 'x' } }, status).problem.code))
  assert.deepEqual(codes, [429, 500, 503])
})

test('resets of allowances are read as they are written', () => {
  const cases: [string, number | null][] = [['1s', 1_000], ['6m0s', 360_000], ['250ms', 250], ['1h2m3s', 3_723_000], ['0.5s', 500], ['', null], ['soon', null], ['12', null]]
  for (const [text, ms] of cases) assert.equal(readDuration(text), ms, text)
})

const job = (more: Partial<Asked> = {}): Asked => ({ model: 'gpt-image-2', operation: 'generate', prompt: 'a boat', parameters: {}, count: 1, key: 'k', inputs: [], ...more })
const input = (role: Asked['inputs'][number]['role']): Asked['inputs'][number] => ({ role, mime: 'image/png', sizeBytes: 3, width: 1, height: 1 })

test('nothing is sent that was not asked for', () => assert.deepEqual(writeFields(job(), { partials: 0 }).fields, { model: 'gpt-image-2', prompt: 'a boat', n: 1 }))

test('how true to be to a picture is only said where there is one', () => {
  assert.deepEqual(writeFields(job({ model: 'gpt-image-1.5', parameters: { input_fidelity: 'high' } }), { partials: 0 }).warnings.length, 1)
  assert.equal(writeFields(job({ model: 'gpt-image-1.5', parameters: { input_fidelity: 'high' }, inputs: [input('reference')] }), { partials: 0 }).fields.input_fidelity, 'high')
})

const refused = (name: string, asked: Asked, code = 'unsupported_parameter') => test(`refuses ${name}`, () => assert.throws(() => writeFields(asked, { partials: 0 }), { code }))
refused('a seed, which the model does not know', job({ parameters: { seed: 1 } }))
refused('compression of PNG', job({ parameters: { output_format: 'png', output_compression: 5 } }))
refused('a film to edit', job({ inputs: [input('video')] }))
refused('seventeen pictures', job({ inputs: Array.from({ length: 17 }, () => input('reference')) }))
refused('a mask alone', job({ inputs: [input('mask')] }), 'bad_request')

test('events are read in whatever pieces they come', async () => {
  const text = ': ping\n\nevent: a\r\ndata: {"one":1}\r\n\r\ndata: {"two":\ndata: 2}\n\ndata: [DONE]\n\ndata: {"never":'
  for (const size of [1, 3, 7, 1_000]) {
    const pieces = async function* () { for (let at = 0; at < text.length; at += size) yield Buffer.from(text.slice(at, at + size)) }
    const events: string[] = []
    for await (const data of readEvents(pieces())) events.push(data.toString())
    assert.deepEqual(events, ['{"one":1}', '{"two":2}', '[DONE]'])
  }
})

test('every kind of event has a meaning', () => {
  const base64 = Buffer.from('abc').toString('base64')
  const read = (body: unknown) => readEvent(body, text => Buffer.from(text, 'base64'), { asked: {}, warnings: [], requestId: null })
  for (const name of ['image_generation', 'image_edit']) {
    const partial = read({ type: `${name}.partial_image`, partial_image_index: 1, b64_json: base64 })
    assert.deepEqual([partial.kind, partial.kind === 'partial' && partial.bytes.toString()], ['partial', 'abc'])
    const end = read({ type: `${name}.completed`, b64_json: base64, usage: { input_tokens: 1 } })
    assert.ok(end.kind === 'end' && end.outcome.kind === 'done')
  }
  const broken = read({ type: 'error', error: { message: 'It broke.', type: 'image_generation_server_error', code: null } })
  assert.equal(broken.kind === 'end' && said(broken.outcome), 'provider_failed')
  const refusedLate = read({ type: 'error', error: { message: 'No.', type: 'image_generation_user_error', code: 'moderation_blocked' } })
  assert.equal(refusedLate.kind === 'end' && said(refusedLate.outcome), 'content_rejected')
  assert.equal(read({ type: 'never.heard.of' }).kind, 'other')
  assert.equal(read(undefined).kind, 'other')
})

const took = (usage: unknown, expected: object | undefined) => assert.deepEqual(readUsage(usage).usage, expected)
test('tokens are told apart by modality; what is not told apart goes in as text and comes out as pictures', () => {
  took({ input_tokens: 40, input_tokens_details: { text_tokens: 22, image_tokens: 18 }, output_tokens: 1060, output_tokens_details: { text_tokens: 4, image_tokens: 1056 }, total_tokens: 1100 }, { textIn: 22, imageIn: 18, textOut: 4, imageOut: 1056 })
  took({ input_tokens: 40, output_tokens: 1056 }, { textIn: 40, imageIn: 0, textOut: 0, imageOut: 1056 })
  took({ input_tokens: 40, input_tokens_details: { image_tokens: 18 }, output_tokens: 9, output_tokens_details: null }, { textIn: 22, imageIn: 18, textOut: 0, imageOut: 9 })
})
test('usage that is not there, or cannot be read, is not told, and no reason to lose a picture', () => {
  for (const none of [undefined, null, {}, 'many', { input_tokens: 'many' }, { total_tokens: 4 }]) took(none, undefined)
})

const goes = (baseUrl: string, apiVersion: string | undefined, expected: string, header: string) => test(`a call to ${baseUrl}${apiVersion ? ` of ${apiVersion}` : ''}`, () => {
  const address = readAddress(baseUrl, apiVersion)
  assert.deepEqual([address.url('images/edits', 'my pictures').href, Object.keys(address.headers('k'))], [expected, [header]])
})
goes('https://api.openai.com/v1/', undefined, 'https://api.openai.com/v1/images/edits', 'authorization')
goes('http://localhost:8080/v1', undefined, 'http://localhost:8080/v1/images/edits', 'authorization')
goes('https://pics.openai.azure.com', undefined, 'https://pics.openai.azure.com/openai/v1/images/edits', 'api-key')
goes('https://pics.openai.azure.com/openai/v1/', 'preview', 'https://pics.openai.azure.com/openai/v1/images/edits?api-version=preview', 'api-key')
goes('https://pics.openai.azure.com/', '2025-04-01-preview', 'https://pics.openai.azure.com/openai/deployments/my%20pictures/images/edits?api-version=2025-04-01-preview', 'api-key')
goes('https://pics.services.ai.azure.com/openai', '2025-04-01-preview', 'https://pics.services.ai.azure.com/openai/deployments/my%20pictures/images/edits?api-version=2025-04-01-preview', 'api-key')
goes('https://gate.example/openai/deployments/one', '2025-04-01-preview', 'https://gate.example/openai/deployments/one/images/edits?api-version=2025-04-01-preview', 'api-key')

test('a deployment of any name is asked as a model of OpenAI’s', () => {
  const written = writeFields(job({ model: 'marketing-pictures', parameters: { output_format: 'png' } }), { partials: 0, isOwn: true })
  assert.deepEqual(written, { path: 'images/generations', fields: { model: 'marketing-pictures', prompt: 'a boat', n: 1, output_format: 'png' }, warnings: [] })
  assert.throws(() => writeFields(job({ model: 'marketing-pictures', parameters: { seed: 1 } }), { partials: 0, isOwn: true }), { code: 'unsupported_parameter' })
})
