import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Problem } from '../../domain/problem.ts'
import { readRetryAfter } from '../../kit/fetch.ts'
import type { JobOutcome } from '../contract.ts'
import type { Asked, Reply } from '../toolkit.ts'
import { checkModel, isPaintedOver, readCancelled, readCreated, readLook, states, writeJob } from './wire.ts'

function reply(name: string): Reply {
  const { status, headers = {}, body } = JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8')) as { status: number; headers?: Record<string, string>; body: unknown }
  const all = new Headers(headers)
  return { kind: 'answered', status, headers: all, retryAfterMs: readRetryAfter(all, new Date()), body: typeof body === 'string' ? undefined : body, bytesOf: text => Buffer.from(text, 'base64') }
}
const short = (outcome: JobOutcome) => outcome.kind === 'failed' ? [outcome.problem.code, outcome.retryAfterMs] : outcome.kind === 'wait' ? ['wait', outcome.afterMs] : ['done', outcome.value.made.length]
const receipt = { id: 'job_68f1a2b3_00000007', seed: 11, warnings: [] }

const created = (name: string, expected: string, pause: number | null = null) => test(`handed in, answered with ${name}`, () =>
  assert.deepEqual(short(readCreated(reply(name), receipt)), [expected, pause]))
created('created', 'wait', 1_000)
created('created-without-id', 'outcome_unknown')
created('full', 'provider_busy', 5_000)
created('full-with-pause', 'provider_busy', 7_000)
created('invalid', 'provider_rejected')
created('invalid-json', 'provider_rejected')
created('mode', 'provider_not_configured')
created('server-error', 'provider_down')
created('server-page', 'outcome_unknown')
created('gateway', 'outcome_unknown')
created('guarded', 'provider_not_configured')
created('no-native-api', 'provider_not_configured')
created('too-large', 'provider_rejected')

const looked = (name: string, expected: unknown, value: number | null = null) => test(`looked at, answered with ${name}`, () => assert.deepEqual(short(readLook(reply(name), receipt)), [expected, value]))
looked('queued', 'wait', 1_000)
looked('generating', 'wait', 1_000)
looked('completed', 'done', 2)
looked('completed-film', 'done', 1)
looked('completed-empty', 'bad_output')
looked('failed', 'provider_failed')
looked('failed-memory', 'provider_failed')
looked('cancelled', 'provider_failed')
looked('unknown-job', 'provider_down')
looked('expired-job', 'provider_down')
// Says nothing of the job: a word nobody documents, a gateway, a page that is not the server's.
for (const name of ['new-status', 'gateway', 'no-native-api', 'server-page', 'guarded']) looked(name, 'wait')

test('every state has a line', () => {
  for (const status of states) {
    const outcome = readLook({ ...reply('queued'), body: { id: 'a', status, result: { images: [{ b64_json: 'AA==' }] } } } as Reply, receipt)
    assert.equal(outcome.kind, status === 'completed' ? 'done' : status === 'queued' || status === 'generating' ? 'wait' : 'failed')
  }
})

test('seeds count on from the first', () => {
  const outcome = readLook(reply('completed'), receipt)
  assert.deepEqual(outcome.kind === 'done' && outcome.value.made.map(({ seed }) => seed), [11, 12])
})

test('memory that ran out is said in words that help', () => {
  const outcome = readLook(reply('failed-memory'), receipt)
  assert.match(outcome.kind === 'failed' ? outcome.problem.message : '', /smaller picture/)
})

test('a silence is a lost answer, unless nobody was there; while looking it is nothing', () => {
  assert.deepEqual((['lost', 'unreached'] as const).map(kind => short(readCreated({ kind }, receipt))[0]), ['outcome_unknown', 'provider_down'])
  for (const kind of ['lost', 'unreached'] as const) assert.deepEqual(short(readLook({ kind }, receipt)), ['wait', null])
})

test('only what was still queued is stopped', () => assert.deepEqual(['cancelled', 'cancel-generating', 'unknown-job', 'completed'].map(name => readCancelled(reply(name))), [true, false, false, false]))

test('another model than the route names is not asked', () => {
  for (const name of ['sd_xl_base_1.0', 'sd_xl_base_1.0.safetensors']) checkModel(reply('capabilities'), name)
  for (const [name, code] of [['capabilities', 'provider_not_configured'], ['no-native-api', 'provider_not_configured'], ['guarded', 'provider_not_configured'], ['gateway', 'provider_down']] as const) {
    assert.throws(() => checkModel(reply(name), 'flux1-dev'), { code })
  }
  assert.throws(() => checkModel({ kind: 'lost' }, 'flux1-dev'), { code: 'provider_down' })
})

type Shaped = Parameters<typeof writeJob>[0]
const job = (more: Partial<Shaped> = {}): Shaped => ({ model: 'loaded', operation: 'generate', prompt: 'a heron', parameters: {}, count: 1, key: 'key-1', inputs: [], width: 512, height: 768, ...more })
const picture = (role: Asked['inputs'][number]['role'] = 'reference'): Asked['inputs'][number] => ({ role, mime: 'image/png', sizeBytes: 3, width: 1, height: 1 })

test('a picture is written in its words', () => {
  const { path, body } = writeJob(job({ count: 2, parameters: { size: '512x768', count: 2, seed: 7, steps: 20, cfg: 4.5, guidance: 3.5, sampler: 'euler', scheduler: 'simple', negative_prompt: 'text', output_format: 'webp', output_compression: 80 } }))
  assert.equal(path, '/sdcpp/v1/img_gen')
  assert.deepEqual(body, {
    prompt: 'a heron', negative_prompt: 'text', seed: 7, width: 512, height: 768, batch_count: 2, output_format: 'webp', output_compression: 80,
    sample_params: { sample_steps: 20, guidance: { txt_cfg: 4.5, distilled_guidance: 3.5 }, sample_method: 'euler', scheduler: 'simple' },
  })
})
test('a film is written in its words', () => {
  const { path, body } = writeJob(job({ operation: 'video', parameters: { seed: 7, duration_s: 2, fps: 24 }, inputs: [picture('first_frame'), picture('last_frame')], width: 854, height: 480 }))
  assert.equal(path, '/sdcpp/v1/vid_gen')
  assert.deepEqual(body, { prompt: 'a heron', seed: 7, width: 848, height: 480, fps: 24, video_frames: 49, output_format: 'webm' })
  assert.equal(writeJob(job({ operation: 'video', parameters: { duration_s: 2 } })).body.video_frames, 33)
})
test('what is painted over keeps its size, to the next multiple of 8', () => {
  const { width, height } = writeJob(job({ operation: 'edit', width: null, height: null, inputs: [{ ...picture(), width: 1003, height: 500 }] })).body
  assert.deepEqual([width, height], [1000, 496])
  assert.equal(writeJob(job({ operation: 'edit', width: null, height: null, inputs: [{ ...picture(), width: null, height: null }] })).body.width, undefined)
})
test('a seed nobody names is the same for the same attempt and another for the next', () => {
  const seed = (key: string) => writeJob(job({ key })).seed
  assert.equal(seed('a-1'), seed('a-1'))
  assert.notEqual(seed('a-1'), seed('a-2'))
})
test('a strength or a mask paints over, without either pictures are looked at', () => {
  assert.deepEqual([isPaintedOver({ parameters: { strength: 0.5 }, inputs: [picture()] }), isPaintedOver({ parameters: {}, inputs: [picture()] })], [true, false])
  assert.equal(isPaintedOver({ parameters: {}, inputs: [picture(), picture('mask')] }), true)
})

const refused = (name: string, more: Partial<Shaped>, code = 'unsupported_parameter') => test(`refuses ${name}`, () =>
  assert.throws(() => writeJob(job(more)), (thrown: Problem) => thrown instanceof Problem && thrown.code === code))
refused('an upscale', { operation: 'upscale', inputs: [picture()] })
refused('a film to look at', { operation: 'edit', inputs: [picture('video')] })
refused('a mask without a picture', { operation: 'edit', inputs: [picture('mask')] }, 'bad_request')
refused('a mask in a film', { operation: 'video', inputs: [picture(), picture('mask')] })
refused('two first pictures', { operation: 'video', inputs: [picture(), picture('first_frame')] })
refused('a last picture alone', { operation: 'video', inputs: [picture('last_frame')] }, 'bad_request')
refused('two films at once', { operation: 'video', count: 2 })
refused('a parameter nobody lists', { parameters: { lora: 'ink' } })
refused('a format it cannot write', { parameters: { output_format: 'avif' } })
