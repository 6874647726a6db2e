import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Problem } from '../../domain/problem.ts'
import { readRetryAfter } from '../../kit/fetch.ts'
import type { Asked, Reply } from '../toolkit.ts'
import { writeInput } from './input.ts'
import { modelNames } from './models.ts'
import { codes, fold, readCreated, readFailed, readLook, readRefusal, readTook, readUpload, verifyCallback } from './wire.ts'

function reply(name: string): Reply {
  const { status, headers = {}, body } = JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8')) as { status: number; headers?: Record<string, string>; body: unknown }
  const all = new Headers(headers)
  return { kind: 'answered', status, headers: all, retryAfterMs: readRetryAfter(all, new Date()), body: typeof body === 'string' ? undefined : body, bytesOf: text => Buffer.from(text, 'base64') }
}

const created = (name: string, expected: string, retryAfterMs: number | null = null) => test(`handed in, answered with ${name}`, () => {
  const read = readCreated(reply(name))
  assert.deepEqual('id' in read ? [read.id, null] : [read.problem.code, read.retryAfterMs], [expected, retryAfterMs])
})
created('create-ok', '0f3c9d2e7a5b41688c1d2e3f4a5b6c7d')
created('create-docs', 'task_nano-banana-2_1765178625768')
created('create-unknown-model', 'provider_not_configured')
created('create-field', 'provider_rejected')
created('create-range', 'provider_rejected')
created('create-paused', 'provider_not_configured')
created('create-server', 'outcome_unknown')
created('create-credits', 'provider_not_configured')
created('create-credits-500', 'provider_not_configured')
created('create-key', 'provider_not_configured')
created('create-busy', 'provider_busy')
created('create-busy-http', 'provider_busy', 7_000)
created('create-no-id', 'outcome_unknown')
created('gateway', 'outcome_unknown')
created('not-found', 'provider_rejected')

const looked = (name: string, expected: unknown) => test(`looked at, answered with ${name}`, () => {
  const read = readLook(reply(name))
  assert.deepEqual(read.kind === 'made' ? read.urls.length : read.kind === 'failed' ? read.problem.code : read.kind === 'pending' ? ['pending', read.progress] : read.kind, expected)
})
for (const name of ['look-waiting', 'look-queuing', 'look-generating', 'look-new-word', 'look-busy', 'gateway', 'create-key']) looked(name, ['pending', null])
looked('look-progress', ['pending', 40])
looked('look-success', 1)
looked('look-success-parsed', 2)
looked('look-success-response', 1)
looked('look-success-505', 1)
looked('look-empty', 'bad_output')
looked('look-fail', 'provider_failed')
looked('look-fail-policy', 'content_rejected')
looked('look-fail-word', 'provider_failed')
looked('look-fail-full', 'provider_busy')
looked('look-missing', 'missing')

test('a silence while looking says nothing about the task; one that is missing is lost after a minute without a sight of it', () => {
  for (const kind of ['lost', 'unreached'] as const) assert.equal(readLook({ kind }).kind, 'pending')
  const missing = fold({ id: 'a' }, { kind: 'missing' }, 1_000_000)
  assert.deepEqual([missing.failed, fold(missing, { kind: 'missing' }, 1_059_999).failed, fold(missing, { kind: 'missing' }, 1_060_000).failed?.code], [undefined, undefined, 'provider_failed'])
  assert.deepEqual(fold(missing, { kind: 'pending', retryAfterMs: null, progress: null }, 1_030_000), { id: 'a' })
})

test('a silence while handing in is a lost answer, unless nobody was there', () => {
  const code = (kind: 'lost' | 'unreached') => { const read = readCreated({ kind }); return 'problem' in read && read.problem.code }
  assert.deepEqual([code('lost'), code('unreached')], ['outcome_unknown', 'provider_down'])
})

const uploaded = (name: string, expected: string) => test(`uploaded, answered with ${name}`, () => {
  let got: string
  try { got = readUpload(reply(name)) } catch (thrown) { got = (thrown as Problem).code }
  assert.equal(got, expected)
})
uploaded('upload-ok', 'https://tempfile.redpandaai.co/kieai/123456/images/refs/ref-1.png')
uploaded('upload-quickstart', 'https://tempfile.redpandaai.co/f1.png')
uploaded('upload-bad', 'provider_rejected')
uploaded('upload-key', 'provider_not_configured')
uploaded('upload-fault', 'provider_down')
uploaded('gateway', 'provider_down')

test('what may have been begun is never said to be free to ask again', () => {
  const again = new Set(['provider_busy', 'provider_down', 'provider_not_configured'])
  const asked = codes.filter(code => again.has(readRefusal(code, 'no', null).problem.code))
  assert.deepEqual(asked, [401, 402, 404, 429, 430, 433, 455, 505, 550])
  assert.equal(readRefusal(599, 'no', null).problem.code, 'outcome_unknown')
  for (const code of codes) assert.ok(readFailed(String(code), 'no').problem instanceof Problem)
})

const job = (model: string, more: Partial<Asked> = {}): Asked => ({ model, operation: 'generate', prompt: 'a kite', parameters: {}, count: 1, key: 'k', inputs: [], ...more })
const picture = (role: Asked['inputs'][number]['role'] = 'reference'): Asked['inputs'][number] => ({ role, mime: 'image/png', sizeBytes: 3, width: 1, height: 1 })

const written = (name: string, asked: Asked, expected: unknown) => test(`writes ${name}`, () => {
  const { model, input } = writeInput(asked, asked.inputs.map((_, index) => `https://f.example/${index}`))
  assert.deepEqual({ model, input }, expected)
})
written('a square where ours says auto without a picture', job('nano-banana-pro', { parameters: { aspect_ratio: 'auto', output_format: 'jpeg' } }), { model: 'nano-banana-pro', input: { prompt: 'a kite', aspect_ratio: '1:1', output_format: 'jpg' } })
written('auto with a picture', job('google/nano-banana', { parameters: { aspect_ratio: 'auto', output_format: 'jpeg' }, inputs: [picture()] }),
  { model: 'google/nano-banana-edit', input: { prompt: 'a kite', aspect_ratio: 'auto', output_format: 'jpeg', image_urls: ['https://f.example/0'] } })
written('the last picture after the first', job('kling-3.0/video', { parameters: { duration_s: 3, resolution: '720p', aspect_ratio: 'auto' }, inputs: [picture('last_frame'), picture('first_frame')] }),
  { model: 'kling-3.0/video', input: { prompt: 'a kite', multi_shots: false, multi_prompt: [], sound: false, duration: '3', mode: 'std', image_urls: ['https://f.example/1', 'https://f.example/0'] } })
written('one link where one is wanted', job('topaz/image-upscale', { prompt: '', parameters: { factor: 4 }, inputs: [picture()] }), { model: 'topaz/image-upscale', input: { upscale_factor: '4', image_url: 'https://f.example/0' } })
written('what an operator’s own card says', job('qwen2-1/text-to-image', { parameters: { resolution: '2K', count: 2 } }), { model: 'qwen2-1/text-to-image', input: { prompt: 'a kite', resolution: '2K' } })

const refused = (name: string, asked: Asked) => test(`refuses ${name}`, () =>
  assert.throws(() => writeInput(asked, asked.inputs.map(() => 'https://f.example/a')), (thrown: Problem) => thrown.code === 'unsupported_parameter'))
refused('a size nobody lists', job('nano-banana-2', { parameters: { resolution: '512' } }))
refused('a parameter nobody lists', job('nano-banana-2', { parameters: { strength: 1 } }))
refused('a ratio beside a first picture', job('kling-2.6/text-to-video', { parameters: { aspect_ratio: '16:9' }, inputs: [picture('first_frame')] }))
refused('a mask', job('nano-banana-pro', { inputs: [picture(), picture('mask')] }))
refused('a last picture alone', job('kling-3.0/video', { inputs: [picture('last_frame')] }))
refused('more pictures than Kie takes', job('nano-banana-pro', { inputs: Array.from({ length: 9 }, () => picture()) }))

test('no model lets an unknown parameter through in silence', () => {
  for (const model of modelNames) assert.throws(() => writeInput(job(model, { parameters: { never_heard_of: 1 }, inputs: [picture()] }), ['https://f.example/a']), { code: 'unsupported_parameter' }, model)
})

const vector = { key: 'whk_test', taskId: '0f3c9d2e7a5b41688c1d2e3f4a5b6c7d', timestamp: '1794560441', signature: 'VkHsi/4lDoDzRtvtGSGu4kxOD+n7/Gs3zBjSX3PL7f4=' }
const verify = ({ body = { data: { taskId: vector.taskId } } as unknown, timestamp = vector.timestamp as string | null, signature = vector.signature as string | null, key = vector.key, lateS = 0 } = {}) =>
  verifyCallback({ headers: { 'x-webhook-timestamp': timestamp ?? undefined, 'x-webhook-signature': signature ?? undefined }, body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)) }, key, new Date((Number(vector.timestamp) + lateS) * 1000))

test('a call back with the signature of the wire page is genuine, wherever it names its task', () => {
  for (const body of [{ data: { taskId: vector.taskId } }, { data: { task_id: vector.taskId, callbackType: 'task_completed' }, taskId: 'other' }, { taskId: vector.taskId, data: null }, { task_id: vector.taskId }]) {
    assert.deepEqual(verify({ body }), { kind: 'genuine', id: `${vector.taskId}.${vector.timestamp}` })
  }
})
test('one that is unsigned, signed otherwise, for another task, too old or no JSON is forged', () => {
  for (const wrong of [{ signature: null }, { timestamp: null }, { signature: vector.signature.replace('V', 'W') }, { key: 'whk_other' }, { body: { data: { taskId: 'another' } } }, { body: {} }, { body: 'no' }, { lateS: 301 }, { timestamp: '1794560442' }]) {
    assert.equal(verify(wrong).kind, 'forged', JSON.stringify(wrong))
  }
})

test('a credit is half a cent, and a job took what all its tasks took', () => {
  assert.deepEqual(readTook([{ id: 'a', credits: 6 }, { id: 'b', credits: 0 }, { id: 'c', credits: 2.5 }]), { costMicros: 42_500 })
  assert.deepEqual(readTook([{ id: 'a', credits: 6 }, { id: 'b' }]), {}, 'a sum without one of them would be too small')
})
