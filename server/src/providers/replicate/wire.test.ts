import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Problem } from '../../domain/problem.ts'
import { readRetryAfter } from '../../kit/fetch.ts'
import type { Asked, Reply } from '../toolkit.ts'
import { modelNames, writeInputs } from './models.ts'
import { fold, isCancelled, markOf, readCreated, readLook, readPage, readSecret, readUpload, states, writeCreate } from './wire.ts'

function reply(name: string): Reply {
  const { status, headers = {}, body } = JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8')) as { status: number; headers?: Record<string, string>; body: unknown }
  const all = new Headers(headers)
  return { kind: 'answered', status, headers: all, retryAfterMs: readRetryAfter(all, new Date()), body: typeof body === 'string' ? undefined : body, bytesOf: text => Buffer.from(text, 'base64') }
}
const id = 'gm3qorzdhgbfurvjtvhg6dckhu'

const created = (name: string, expected: string, more: string | number | null = null) => test(`asked for, answered with ${name}`, () => {
  const read = readCreated(reply(name))
  assert.deepEqual('id' in read ? [read.id, read.looked.kind] : [read.problem.code, read.retryAfterMs], [expected, more])
})
created('create-ok', id, 'pending')
created('create-accepted', id, 'pending')
created('create-done', id, 'made')
created('create-failed', id, 'failed')
created('create-no-id', 'outcome_unknown')
created('create-field', 'provider_rejected')
created('create-flagged', 'content_rejected')
created('create-bad', 'provider_rejected')
created('create-key', 'provider_not_configured')
created('create-credit', 'provider_not_configured')
created('create-forbidden', 'provider_not_configured')
created('create-unknown-model', 'provider_not_configured')
created('create-busy', 'provider_busy', 30_000)
created('create-busy-field', 'provider_busy', 10_000)
created('create-busy-when', 'provider_busy', 7_000)
created('create-busy-bare', 'provider_busy')
created('create-fault', 'outcome_unknown')
created('create-down', 'outcome_unknown')
created('gateway', 'outcome_unknown')

test('a silence while asking is a lost answer, unless nobody was there', () => {
  const code = (kind: 'lost' | 'unreached') => { const read = readCreated({ kind }); return 'problem' in read && read.problem.code }
  assert.deepEqual([code('lost'), code('unreached')], ['outcome_unknown', 'provider_down'])
})

const looked = (name: string, expected: unknown) => test(`looked at, answered with ${name}`, () => {
  const read = readLook(reply(name))
  assert.deepEqual(read.kind === 'made' ? [read.links.length, read.links[0]!.seed ?? null, read.seconds] : read.kind === 'failed' ? [read.problem.code, read.problem.details.upstreamCode] : read.kind === 'pending' ? ['pending', read.progress] : read.kind, expected)
})
for (const name of ['look-starting', 'look-new-word', 'create-busy', 'create-key', 'create-fault', 'gateway']) looked(name, ['pending', null])
looked('look-processing', ['pending', 48])
looked('look-link', [1, 4711, 2.5])
looked('look-list', [2, null, 2.5])
looked('look-object', [1, null, 2.5])
looked('look-empty', ['bad_output', 'succeeded'])
looked('look-words', ['bad_output', 'succeeded'])
looked('look-removed', ['output_expired', 'data_removed'])
looked('look-failed', ['provider_failed', 'failed'])
looked('look-failed-flagged', ['content_rejected', 'E005'])
looked('look-failed-nsfw', ['content_rejected', 'failed'])
looked('look-failed-bare', ['provider_failed', 'failed'])
looked('look-canceled', ['provider_failed', 'canceled'])
looked('look-aborted', ['provider_timeout', 'aborted'])
looked('look-missing', 'missing')

test('no state that ended lets a prediction be bought again', () => {
  for (const status of states) {
    const read = readLook({ kind: 'answered', status: 200, headers: new Headers(), retryAfterMs: null, body: { id, status }, bytesOf: text => Buffer.from(text) })
    assert.ok(read.kind === 'pending' ? status === 'starting' || status === 'processing' : read.kind === 'failed' && !['provider_busy', 'provider_down'].includes(read.problem.code), status)
  }
})

test('a silence while looking says nothing about the prediction; one that is missing is lost after a minute without a sight of it', () => {
  for (const kind of ['lost', 'unreached'] as const) assert.equal(readLook({ kind }).kind, 'pending')
  const missing = fold({ id }, { kind: 'missing' }, 1_000_000)
  assert.deepEqual([missing.failed, fold(missing, { kind: 'missing' }, 1_059_999).failed, fold(missing, { kind: 'missing' }, 1_060_000).failed?.code], [undefined, undefined, 'provider_failed'])
  assert.deepEqual(fold(missing, { kind: 'pending', retryAfterMs: null, progress: null }, 1_030_000), { id })
})

test('marks an address of ours, and only one Replicate may call', () => {
  assert.equal(markOf('https://plantain.example/hooks/replicate/t', 't-1', 0), 'https://plantain.example/hooks/replicate/t?prediction=t-1-0')
  assert.notEqual(markOf('https://plantain.example/h', 't-1', 1), markOf('https://plantain.example/h', 't-2', 1))
  assert.deepEqual([markOf('http://plantain.example/h', 't-1', 0), markOf(null, 't-1', 0)], [null, null])
})

test('finds what was lost in the list by its mark, and goes on to the next page', () => {
  const mark = markOf('https://plantain.example/hooks/replicate/t', 't-1', 0)!
  const from = Date.parse('2026-11-20T08:50:00Z')
  assert.deepEqual(readPage(reply('list-found'), [mark], from), { found: { [mark]: id }, next: '?cursor=cD0yMDIy' })
  assert.deepEqual(readPage(reply('list-found'), ['https://plantain.example/hooks/replicate/t?prediction=t-2-0'], from)?.found, {})
  assert.deepEqual(readPage(reply('list-mute'), [mark], from), { found: {}, next: null })
  // Older than anything we asked for: there is nothing of ours on further pages.
  assert.equal(readPage(reply('list-old'), [mark], from)?.next, null)
  assert.deepEqual([readPage(reply('gateway'), [mark], from), readPage(reply('create-key'), [mark], from), readPage({ kind: 'lost' }, [mark], from)], [null, null, null])
})

test('reads uploads, secrets and what became of a cancel', () => {
  const place = (name: string) => { try { return readUpload(reply(name)) } catch (thrown) { return (thrown as Problem).code } }
  assert.deepEqual(['upload-ok', 'create-key', 'create-busy', 'create-field', 'create-fault', 'gateway'].map(place), ['https://api.replicate.com/v1/files/f', 'provider_not_configured', 'provider_busy', 'provider_rejected', 'provider_down', 'provider_down'])
  assert.deepEqual([readSecret(reply('secret')), readSecret(reply('create-key'))], ['whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD', null])
  assert.deepEqual(['look-canceled', 'look-processing', 'look-link', 'look-failed', 'look-missing'].map(name => isCancelled(reply(name))), [true, true, false, false, false])
})

test('asks for official models by name and for others by version', () => {
  assert.deepEqual(['google/nano-banana', 'owner/name:abc', 'abc'].map(writeCreate), [{ path: 'models/google/nano-banana/predictions' }, { path: 'predictions', version: 'abc' }, { path: 'predictions', version: 'abc' }])
})

const job = (model: string, more: Partial<Asked> = {}): Asked => ({ model, operation: 'generate', prompt: 'a kite', parameters: {}, count: 1, key: 'k', inputs: [], ...more })
const picture = (role: Asked['inputs'][number]['role'] = 'reference'): Asked['inputs'][number] => ({ role, mime: 'image/png', sizeBytes: 3, width: 1, height: 1 })
const write = (asked: Asked) => writeInputs(asked, asked.inputs.map((_, index) => `https://f.example/${index}`))
const everything = { aspect_ratio: 'auto', resolution: '1K', output_format: 'jpeg', seed: 7 }

const written = (model: string, asked: Asked, expected: object) => test(`writes ${model}`, () => {
  const { model: name, inputs } = write(asked)
  assert.deepEqual([name, inputs], [model, [expected]])
})
written('google/nano-banana', job('google/nano-banana', { parameters: everything }), { prompt: 'a kite', aspect_ratio: '1:1', output_format: 'jpg' })
written('google/nano-banana-pro', job('google/nano-banana-pro', { parameters: { ...everything, resolution: '4K' }, inputs: [picture(), picture('style')] }), { prompt: 'a kite', aspect_ratio: 'match_input_image', resolution: '4K', output_format: 'jpg', image_input: ['https://f.example/0', 'https://f.example/1'] })
written('google/nano-banana-2', job('google/nano-banana-2', { parameters: { google_search: true } }), { prompt: 'a kite', google_search: true })
written('black-forest-labs/flux-2-pro', job('black-forest-labs/flux-2-pro', { parameters: { ...everything, resolution: '2K' }, inputs: [picture()] }), { prompt: 'a kite', aspect_ratio: 'match_input_image', resolution: '4 MP', output_format: 'jpg', seed: 7, input_images: ['https://f.example/0'] })
written('black-forest-labs/flux-2-flex', job('black-forest-labs/flux-2-flex', { parameters: { aspect_ratio: '16:9', resolution: '1K' } }), { prompt: 'a kite', prompt_upsampling: false, aspect_ratio: '16:9', resolution: '1 MP' })
written('black-forest-labs/flux-2-dev', job('black-forest-labs/flux-2-dev', { parameters: everything }), { prompt: 'a kite', aspect_ratio: '1:1', output_format: 'jpg', seed: 7 })
written('bytedance/seedream-4.5', job('bytedance/seedream-4.5', { parameters: { aspect_ratio: '21:9', resolution: '4K' } }), { prompt: 'a kite', sequential_image_generation: 'disabled', aspect_ratio: '21:9', size: '4K' })
written('qwen/qwen-image', job('qwen/qwen-image', { parameters: { ...everything, steps: 30, guidance: 3, negative_prompt: 'rain', acceleration: 'none' } }),
  { prompt: 'a kite', aspect_ratio: '1:1', image_size: 'optimize_for_quality', output_format: 'jpg', seed: 7, num_inference_steps: 30, guidance: 3, negative_prompt: 'rain', go_fast: false })
written('qwen/qwen-image-edit', job('qwen/qwen-image-edit', { parameters: everything, inputs: [picture()] }), { prompt: 'a kite', aspect_ratio: 'match_input_image', output_format: 'jpg', seed: 7, image: 'https://f.example/0' })
written('qwen/qwen-image-edit-plus', job('qwen/qwen-image-edit-plus', { parameters: { aspect_ratio: 'auto' }, inputs: [picture(), picture()] }), { prompt: 'a kite', aspect_ratio: 'match_input_image', image: ['https://f.example/0', 'https://f.example/1'] })
written('ideogram-ai/ideogram-v3-quality', job('ideogram-ai/ideogram-v3', { parameters: { rendering_speed: 'quality', style: 'design', expand_prompt: false, aspect_ratio: '4:3' } }), { prompt: 'a kite', style_type: 'Design', magic_prompt_option: 'Off', aspect_ratio: '4:3' })
written('ideogram-ai/ideogram-v3-balanced', job('ideogram-ai/ideogram-v3', { parameters: { aspect_ratio: 'auto' }, inputs: [picture('mask'), picture()] }), { prompt: 'a kite', image: 'https://f.example/1', mask: 'https://f.example/0' })
written('topazlabs/image-upscale', job('topazlabs/image-upscale', { prompt: '', parameters: { factor: 4, output_format: 'png' }, inputs: [picture()] }), { upscale_factor: '4x', output_format: 'png', image: 'https://f.example/0' })
written('recraft-ai/recraft-remove-background', job('recraft-ai/recraft-remove-background', { prompt: '', parameters: { output_format: 'png' }, inputs: [picture()] }), { image: 'https://f.example/0' })
written('kwaivgi/kling-v2.1', job('kwaivgi/kling-v2.1', { parameters: { duration_s: 10, cfg_scale: 0.5 }, inputs: [picture()] }), { prompt: 'a kite', mode: 'standard', duration: 10, start_image: 'https://f.example/0' })
written('kwaivgi/kling-v2.6', job('kwaivgi/kling-v2.6', { parameters: { aspect_ratio: 'auto', sound: true } }), { prompt: 'a kite', aspect_ratio: '1:1', generate_audio: true })
written('kwaivgi/kling-v3-video', job('kwaivgi/kling-v3-video', { parameters: { resolution: '4K', aspect_ratio: 'auto' }, inputs: [picture('last_frame'), picture('first_frame')] }), { prompt: 'a kite', generate_audio: false, mode: '4k', start_image: 'https://f.example/1', end_image: 'https://f.example/0' })
written('google/veo-3.1', job('google/veo-3.1', { parameters: { duration_s: 8, aspect_ratio: '16:9', resolution: '720p' }, inputs: [picture(), picture('style')] }), { prompt: 'a kite', generate_audio: true, duration: 8, aspect_ratio: '16:9', resolution: '720p', reference_images: ['https://f.example/0', 'https://f.example/1'] })
written('google/veo-3.1-lite', job('google/veo-3.1-lite', { parameters: { duration_s: 4, seed: 1 }, inputs: [picture('first_frame'), picture('last_frame')] }), { prompt: 'a kite', duration: 4, seed: 1, image: 'https://f.example/0', last_frame: 'https://f.example/1' })

test('asks for each picture of several with a seed of its own', () => {
  assert.deepEqual(write(job('black-forest-labs/flux-2-pro', { count: 2, parameters: { seed: 2_147_483_647 } })).inputs.map(({ seed }) => seed), [2_147_483_647, 0])
})

test('passes on what an operator’s own card says, and says so', () => {
  const { model, inputs, warnings } = write(job('nobody/knows-this', { parameters: { quality: 'high', count: 2, seed: 5 }, count: 2, inputs: [picture()] }))
  assert.deepEqual([model, inputs], ['nobody/knows-this', [5, 6].map(seed => ({ prompt: 'a kite', quality: 'high', seed, image_input: ['https://f.example/0'] }))])
  assert.equal(warnings.length, 1)
})

test('says where a size is not reached', () => {
  assert.equal(write(job('black-forest-labs/flux-2-pro', { parameters: { resolution: '2K', aspect_ratio: '16:9' } })).warnings.length, 1)
  assert.equal(write(job('black-forest-labs/flux-2-pro', { parameters: { resolution: '2K', aspect_ratio: '1:1' } })).warnings.length, 0)
})

const refused = (name: string, asked: Asked, code: Problem['code'] = 'unsupported_parameter') => test(`refuses ${name}`, () => assert.throws(() => write(asked), (thrown: Problem) => thrown.code === code))
refused('512 of Nano Banana 2', job('google/nano-banana-2', { parameters: { resolution: '512' } }))
refused('a search nobody documents', job('google/nano-banana-pro', { parameters: { google_search: true } }))
refused('a parameter nobody lists', job('google/nano-banana', { parameters: { strength: 1 } }))
refused('2K of the open weights', job('black-forest-labs/flux-2-dev', { parameters: { resolution: '2K' } }))
refused('1K of Seedream 4.5', job('bytedance/seedream-4.5', { parameters: { resolution: '1K' } }))
refused('a picture for Qwen Image', job('qwen/qwen-image', { inputs: [picture()] }))
refused('a mask where there is no field for one', job('google/nano-banana-pro', { inputs: [picture(), picture('mask')] }))
refused('a negative prompt of Ideogram', job('ideogram-ai/ideogram-v3', { parameters: { negative_prompt: 'rain' } }))
refused('a picture of Ideogram without a mask', job('ideogram-ai/ideogram-v3', { inputs: [picture()] }))
refused('a strength of the prompt nobody takes', job('kwaivgi/kling-v2.1', { parameters: { cfg_scale: 0.9 }, inputs: [picture()] }))
refused('a ratio beside a first picture', job('kwaivgi/kling-v2.6', { parameters: { aspect_ratio: '16:9' }, inputs: [picture('first_frame')] }))
refused('references for the fast film', job('google/veo-3.1-fast', { inputs: [picture()] }))
refused('a short film of Veo Lite in 1080p', job('google/veo-3.1-lite', { parameters: { resolution: '1080p', duration_s: 4 } }))
refused('references for a short film', job('google/veo-3.1', { parameters: { duration_s: 4 }, inputs: [picture()] }))
refused('more pictures than Replicate takes', job('black-forest-labs/flux-2-dev', { inputs: Array.from({ length: 5 }, () => picture()) }))
refused('no picture where one is needed', job('topazlabs/image-upscale', { prompt: '' }), 'bad_request')

test('no model lets an unknown parameter through in silence', () => {
  for (const model of modelNames) assert.throws(() => write(job(model, { parameters: { never_heard_of: 1 } })), { code: 'unsupported_parameter' }, model)
})
