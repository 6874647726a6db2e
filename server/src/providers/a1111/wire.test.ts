import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Problem } from '../../domain/problem.ts'
import { readRetryAfter } from '../../kit/fetch.ts'
import type { Reply } from '../toolkit.ts'
import { isAtIt, readCall, readOwn, readProgress, writeCall } from './wire.ts'

function reply(name: string): Reply {
  const { status, headers = {}, body } = JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8')) as { status: number; headers?: Record<string, string>; body: unknown }
  const all = new Headers(headers)
  return { kind: 'answered', status, headers: all, retryAfterMs: readRetryAfter(all, new Date()), body: typeof body === 'string' ? undefined : body, bytesOf: text => Buffer.from(text, 'base64') }
}

const called = (name: string, expected: unknown, value: unknown = null) => test(`answered with ${name}`, () => {
  const outcome = readCall(reply(name), [])
  assert.deepEqual(outcome.kind === 'done' ? ['done', outcome.value.made.map(({ seed }) => seed ?? null)] : outcome.kind === 'failed' ? [outcome.problem.code, outcome.retryAfterMs] : outcome, [expected, value])
})
called('picture', 'done', [12, 13])
called('picture-with-grid', 'done', [12, 13])
called('picture-without-info', 'done', [null])
called('enlarged', 'done', [null])
called('no-pictures', 'bad_output')
called('null-pictures', 'bad_output')
called('sampler-forge', 'provider_rejected')
called('sampler-a1111', 'provider_rejected')
called('init-image', 'provider_rejected')
called('validation', 'provider_rejected')
called('script', 'provider_rejected')
called('checkpoint-a1111', 'provider_not_configured')
called('memory', 'provider_failed')
called('type-error', 'provider_failed')
called('plain', 'provider_failed')
called('encoded-image', 'bad_input_image')
called('no-api', 'provider_not_configured')
called('not-allowed', 'provider_not_configured')
called('auth', 'provider_not_configured')
called('too-large', 'provider_rejected')
called('busy', 'provider_busy', 3_000)
called('gateway', 'outcome_unknown')
called('page', 'outcome_unknown')
called('something-else', 'outcome_unknown')

test('what was sent is never told back, and memory is said in words that help', () => {
  const message = (name: string) => { const outcome = readCall(reply(name), []); return outcome.kind === 'failed' ? outcome.problem.message : '' }
  assert.match(message('validation'), /steps: Input should be a valid integer/)
  assert.doesNotMatch(message('validation'), /SECRET/)
  assert.match(message('memory'), /smaller picture/)
})
test('a silence is a lost answer, unless nobody was there', () => {
  const code = (kind: 'lost' | 'unreached') => { const outcome = readCall({ kind }, []); return outcome.kind === 'failed' && outcome.problem.code }
  assert.deepEqual([code('lost'), code('unreached')], ['outcome_unknown', 'provider_down'])
})

test('what the server is at is read', () => {
  assert.deepEqual(readProgress(reply('progress-idle')), { idle: true, percent: 0, interrupted: false })
  assert.deepEqual(readProgress(reply('progress-busy')), { idle: false, percent: 42, interrupted: false })
  assert.equal(readProgress(reply('progress-begun'))?.idle, false)
  assert.equal(readProgress(reply('progress-interrupted'))?.interrupted, true)
  assert.equal(readProgress(reply('page')), null)
  assert.deepEqual([readOwn(reply('own-active'))?.at, readOwn(reply('own-active'))?.percent, readOwn(reply('own-active'))?.preview?.length], ['active', 42, 8])
  assert.deepEqual([readOwn(reply('own-queued'))?.at, readOwn(reply('own-completed'))?.at, readOwn(reply('no-api'))], ['queued', 'neither', null])
})

const at = (what: string, progress: string, own: string, expected: boolean | null) => test(`a lost job: ${what}`, () => assert.equal(isAtIt(readProgress(reply(progress)), readOwn(reply(own))), expected))
at('a server at rest is at nothing, whatever it says of the name', 'progress-idle', 'own-active', false)
at('it is being made', 'progress-busy', 'own-active', true)
at('it waits its turn', 'progress-busy', 'own-queued', true)
at('somebody else’s is being made', 'progress-busy', 'own-completed', false)
at('something is being made, whose nobody can say', 'progress-busy', 'no-api', true)
at('nobody can say anything', 'gateway', 'gateway', null)

type Shaped = Parameters<typeof writeCall>[0]
const job = (more: Partial<Shaped> = {}): Shaped => ({ model: 'sdxl.safetensors', operation: 'generate', prompt: 'a compass', parameters: {}, count: 1, key: 'key-1', inputs: [], width: 512, height: 768, ...more })
const picture = (role: Shaped['inputs'][number]['role'] = 'reference', width: number | null = 1003): Shaped['inputs'][number] => ({ role, mime: 'image/png', sizeBytes: 3, width, height: 500 })

test('a picture is written in its words', () => {
  assert.deepEqual(writeCall(job({ count: 2, parameters: { size: '512x768', seed: 7, steps: 24, cfg: 6, guidance: 3.5, sampler: 'DPM++ 2M', scheduler: 'Karras', negative_prompt: 'text' } })), {
    path: '/sdapi/v1/txt2img', warnings: [],
    body: {
      prompt: 'a compass', steps: 24, cfg_scale: 6, distilled_cfg_scale: 3.5, sampler_name: 'DPM++ 2M', scheduler: 'Karras', negative_prompt: 'text', width: 512, height: 768, seed: 7, n_iter: 2, batch_size: 1,
      override_settings: { sd_model_checkpoint: 'sdxl.safetensors' }, override_settings_restore_afterwards: false, send_images: true, save_images: false, force_task_id: 'key-1',
    },
  })
})
test('an edit keeps the size of its picture, and a mask fills with what was there', () => {
  const { path, body } = writeCall(job({ model: 'loaded', operation: 'edit', parameters: { strength: 0.6, mask_blur: 8 }, inputs: [picture(), picture('mask')], width: null, height: null }))
  assert.equal(path, '/sdapi/v1/img2img')
  assert.deepEqual([body.width, body.height, body.denoising_strength, body.mask_blur, body.inpainting_fill, body.inpaint_full_res, body.override_settings], [1000, 496, 0.6, 8, 1, false, undefined])
})
test('an upscale names its upscaler', () => assert.deepEqual(writeCall(job({ model: 'R-ESRGAN 4x+', operation: 'upscale', parameters: { factor: 3 }, inputs: [picture()] })),
  { path: '/sdapi/v1/extra-single-image', body: { resize_mode: 0, upscaler_1: 'R-ESRGAN 4x+', upscaling_resize: 3 }, warnings: [] }))

const refused = (name: string, more: Partial<Shaped>, code = 'unsupported_parameter') => test(`refuses ${name}`, () => assert.throws(() => writeCall(job(more)), (thrown: Problem) => thrown instanceof Problem && thrown.code === code))
refused('a film', { operation: 'video' })
refused('a cut-out', { operation: 'remove_background', inputs: [picture()] })
refused('an edit of nothing', { operation: 'edit' }, 'bad_request')
refused('an edit of two', { operation: 'edit', inputs: [picture(), picture()] })
refused('a picture whose size nobody knows', { operation: 'edit', width: null, height: null, inputs: [picture('reference', null)] }, 'bad_input_image')
refused('a style', { operation: 'edit', inputs: [picture(), picture('style')] })
refused('an upscale by nobody', { operation: 'upscale', model: 'loaded', inputs: [picture()] })
refused('two of one upscale', { operation: 'upscale', count: 2, inputs: [picture()] })
refused('a strength without a picture', { parameters: { strength: 0.5 } })
refused('a parameter nobody lists', { parameters: { styles: 'x' } })
