import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { EndpointTypeMap } from '@fal-ai/client/endpoints'
import { Problem } from '../../domain/problem.ts'
import { readRetryAfter } from '../../kit/fetch.ts'
import type { Reply } from '../toolkit.ts'
import { modelNames, writeRequests, type Sized } from './models.ts'
import { fold, modelErrors, readInitiated, readKeys, readQueued, readResult, readStatus, readStored, requestErrors } from './wire.ts'

function reply(name: string): Reply {
  const { status, headers = {}, body } = JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8')) as { status: number; headers?: Record<string, string>; body: unknown }
  const all = new Headers(headers)
  return { kind: 'answered', status, headers: all, retryAfterMs: readRetryAfter(all, new Date()), body: typeof body === 'string' ? undefined : body, bytesOf: text => Buffer.from(text, 'base64') }
}

const queueUrl = 'https://queue.fal.run'
const id = '764cabcf-b745-4b3e-ae38-1200304cf45b'
const at = `${queueUrl}/fal-ai/nano-banana-pro/requests/${id}`

const queued = (name: string, expected: string, retryAfterMs: number | null = null) => test(`handed in, answered with ${name}`, () => {
  const read = readQueued(reply(name), queueUrl, 'fal-ai/nano-banana-pro/edit')
  assert.deepEqual('id' in read ? [read.id, null] : [read.problem.code, read.retryAfterMs], [expected, retryAfterMs])
})
for (const name of ['queued-ok', 'queued-elsewhere', 'queued-bare']) queued(name, id)
queued('queued-no-id', 'outcome_unknown')
queued('queued-error', 'content_rejected')
queued('queue-field', 'provider_rejected')
queued('queue-safety', 'content_rejected')
queued('queue-bad', 'provider_rejected')
queued('queue-key', 'provider_not_configured')
queued('queue-credits', 'provider_not_configured')
queued('queue-forbidden', 'provider_not_configured')
queued('queue-unknown-model', 'provider_not_configured')
queued('queue-busy', 'provider_busy')
queued('queue-busy-when', 'provider_busy', 7_000)
queued('queue-fault', 'outcome_unknown')
queued('queue-down', 'outcome_unknown')
queued('gateway', 'outcome_unknown')

test('our key goes to no address but the one we were given', () => {
  for (const name of ['queued-ok', 'queued-elsewhere', 'queued-bare']) {
    assert.deepEqual(readQueued(reply(name), queueUrl, 'fal-ai/nano-banana-pro/edit'), { id, status: `${at}/status`, response: at, cancel: `${at}/cancel` })
  }
})

test('a silence while handing in is a lost answer, unless nobody was there', () => {
  const code = (kind: 'lost' | 'unreached') => { const read = readQueued({ kind }, queueUrl, 'a/b'); return 'problem' in read && read.problem.code }
  assert.deepEqual([code('lost'), code('unreached')], ['outcome_unknown', 'provider_down'])
})

const looked = (name: string, expected: unknown) => test(`looked at, answered with ${name}`, () => {
  const read = readStatus(reply(name))
  assert.deepEqual(read.kind === 'ended' ? [read.seconds, read.failed?.problem.code ?? null] : read.kind, expected)
})
for (const name of ['status-queued', 'status-running', 'status-new-word', 'status-key', 'gateway', 'queue-busy', 'queue-fault']) looked(name, 'pending')
looked('status-missing', 'missing')
looked('status-done', [3.7, null])
looked('status-failed', [null, 'provider_timeout'])
looked('status-failed-plain', [null, 'provider_failed'])

const resulted = (name: string, expected: unknown, told: string | null = null) => test(`ended${told ? ` with ${told}` : ''}, answered with ${name}`, () => {
  const status = told === null ? null : readStatus(reply(told))
  const read = readResult(reply(name), status?.kind === 'ended' ? status.failed : null)
  assert.deepEqual(read.kind === 'made' ? [read.links.length, read.hidden, read.seed, read.units] : read.kind === 'failed' ? read.problem.code : read.kind, expected)
})
resulted('result-pictures', [2, 0, null, 2])
resulted('result-seed', [1, 0, 4711, null])
resulted('result-image', [1, 0, null, null])
resulted('result-film', [1, 0, null, null])
resulted('result-half-hidden', [1, 1, 1, null])
resulted('result-hidden', 'content_rejected')
resulted('result-empty', 'bad_output')
resulted('result-odd', 'bad_output')
resulted('result-error-200', 'bad_output')
resulted('result-no-media', 'bad_output')
resulted('result-unsafe', 'content_rejected')
resulted('result-download', 'input_unreachable')
resulted('result-image-load', 'bad_input_image')
resulted('result-field', 'provider_rejected')
resulted('queue-safety', 'content_rejected')
resulted('result-fault', 'provider_failed')
resulted('result-runner', 'provider_failed')
resulted('result-gone', 'missing')
for (const name of ['result-running', 'result-trouble', 'gateway', 'queue-key', 'queue-busy']) resulted(name, 'pending')
// What the status said stands where the result cannot be had.
resulted('gateway', 'provider_timeout', 'status-failed')
resulted('result-gone', 'provider_timeout', 'status-failed')
resulted('result-trouble', 'provider_failed', 'status-failed-plain')
resulted('queue-safety', 'content_rejected', 'status-failed-plain')

test('a silence while looking says nothing about the request; one that is missing is lost after a minute without a sight of it', () => {
  for (const kind of ['lost', 'unreached'] as const) assert.deepEqual([readStatus({ kind }).kind, readResult({ kind }, null).kind], ['pending', 'pending'])
  const request = { id: 'a', count: 1, status: 's', response: 'r', cancel: 'c' }
  const missing = fold(request, { kind: 'missing' }, null, 1_000_000)
  assert.deepEqual([missing.failed, fold(missing, { kind: 'missing' }, null, 1_059_999).failed, fold(missing, { kind: 'missing' }, null, 1_060_000).failed?.code], [undefined, undefined, 'provider_failed'])
  assert.deepEqual(fold(missing, { kind: 'pending', retryAfterMs: null }, null, 1_030_000), request)
})

test('every documented error has its line, and only those that began nothing may be asked again', () => {
  const code = (body: unknown) => { const read = readResult({ kind: 'answered', status: 422, headers: new Headers(), retryAfterMs: null, body, bytesOf: text => Buffer.from(text) }, null); return read.kind === 'failed' ? read.problem.code : read.kind }
  const codes = Object.fromEntries([...requestErrors.map(type => [type, code({ detail: 'words', error_type: type })]), ...modelErrors.map(type => [type, code({ detail: [{ loc: ['body'], msg: 'words', type }] })])])
  assert.deepEqual(Object.keys(codes).filter(type => codes[type] === 'provider_busy'), ['startup_timeout', 'runner_scheduling_failure', 'downstream_service_unavailable'])
  assert.deepEqual(Object.keys(codes).filter(type => codes[type] === 'content_rejected'), ['content_policy_violation'])
  assert.ok(!Object.values(codes).includes('pending'))
})

test('reads uploads', () => {
  const place = (name: string) => { try { return readInitiated(reply(name)).file_url } catch (thrown) { return (thrown as Problem).code } }
  assert.deepEqual(['upload-ok', 'upload-odd', 'upload-key', 'upload-credits', 'queue-busy', 'gateway'].map(place),
    ['https://v3b.fal.media/files/b/ref.png', 'provider_down', 'provider_not_configured', 'provider_not_configured', 'provider_busy', 'provider_down'])
  assert.throws(() => readStored(reply('upload-large')), { code: 'provider_rejected' })
  assert.throws(() => readStored({ kind: 'lost' }), { code: 'provider_down' })
})

test('reads the keys it can use', () => {
  assert.equal(readKeys(reply('keys'))?.length, 1)
  assert.equal(readKeys(reply('gateway')), null)
})

const job = (model: string, more: Partial<Sized> = {}): Sized => ({ model, operation: 'generate', prompt: 'a kite', parameters: {}, count: 1, key: 'k', inputs: [], width: 1024, height: 1024, ...more })
const picture = (role: Sized['inputs'][number]['role'] = 'reference', mime = 'image/png'): Sized['inputs'][number] => ({ role, mime, sizeBytes: 3, width: 1, height: 1 })
const write = (asked: Sized) => writeRequests(asked, asked.inputs.map((_, index) => `https://f.example/${index}`))

/** The expected input is held against the official client's own type of that endpoint, so a field it does not know is a mistake of the compiler's. */
const written = <Endpoint extends keyof EndpointTypeMap>(endpoint: Endpoint, asked: Sized, expected: EndpointTypeMap[Endpoint]['input']) => test(`writes ${endpoint}`, () => {
  assert.deepEqual(write(asked).requests, [{ endpoint, input: expected }])
})
/** Of endpoints that are newer than the client's types: their pages as others read them in October 2026 have the fields of these neighbours of theirs. */
const writtenLike = <Neighbour extends keyof EndpointTypeMap>(_neighbour: Neighbour, endpoint: string, asked: Sized, expected: EndpointTypeMap[Neighbour]['input']) => test(`writes ${endpoint}`, () => {
  assert.deepEqual(write(asked).requests, [{ endpoint, input: expected }])
})
const everything = { aspect_ratio: 'auto', resolution: '1K', output_format: 'png', seed: 7 }
written('fal-ai/nano-banana', job('fal-ai/nano-banana', { parameters: everything, count: 2 }), { prompt: 'a kite', limit_generations: true, aspect_ratio: '1:1', output_format: 'png', seed: 7, num_images: 2 })
written('fal-ai/nano-banana/edit', job('fal-ai/nano-banana', { parameters: everything, inputs: [picture()] }), { prompt: 'a kite', limit_generations: true, aspect_ratio: 'auto', output_format: 'png', seed: 7, num_images: 1, image_urls: ['https://f.example/0'] })
written('fal-ai/nano-banana-pro', job('fal-ai/nano-banana-pro', { parameters: { resolution: '4K', google_search: true } }), { prompt: 'a kite', limit_generations: true, resolution: '4K', enable_web_search: true, num_images: 1 })
written('fal-ai/nano-banana-2', job('fal-ai/nano-banana-2', { parameters: { resolution: '512', aspect_ratio: '8:1' } }), { prompt: 'a kite', limit_generations: true, resolution: '0.5K', aspect_ratio: '8:1', num_images: 1 })
written('fal-ai/nano-banana-2/edit', job('fal-ai/nano-banana-2', { inputs: [picture('object')] }), { prompt: 'a kite', limit_generations: true, num_images: 1, image_urls: ['https://f.example/0'] })
written('fal-ai/flux-2-pro', job('fal-ai/flux-2-pro', { parameters: everything, width: 1360, height: 768 }), { prompt: 'a kite', image_size: { width: 1360, height: 768 }, output_format: 'png', seed: 7 })
written('fal-ai/flux-2-max/edit', job('fal-ai/flux-2-max', { inputs: [picture(), picture()], width: null, height: null }), { prompt: 'a kite', image_urls: ['https://f.example/0', 'https://f.example/1'] })
written('fal-ai/flux-2-flex', job('fal-ai/flux-2-flex', { parameters: { steps: 20, guidance: 4 } }), { prompt: 'a kite', image_size: { width: 1024, height: 1024 }, num_inference_steps: 20, guidance_scale: 4 })
written('fal-ai/flux-2', job('fal-ai/flux-2', { parameters: { steps: 20, guidance: 4 }, count: 4 }), { prompt: 'a kite', image_size: { width: 1024, height: 1024 }, num_inference_steps: 20, guidance_scale: 4, num_images: 4 })
written('fal-ai/flux-2/klein/9b/edit', job('fal-ai/flux-2/klein/9b', { inputs: [picture()] }), { prompt: 'a kite', image_size: { width: 1024, height: 1024 }, num_images: 1, image_urls: ['https://f.example/0'] })
written('fal-ai/bytedance/seedream/v4/text-to-image', job('fal-ai/bytedance/seedream/v4', { parameters: everything }), { prompt: 'a kite', image_size: { width: 1024, height: 1024 }, seed: 7, num_images: 1 })
written('fal-ai/bytedance/seedream/v4/text-to-image', job('fal-ai/bytedance/seedream/v4', { width: 1024, height: 768 }), { prompt: 'a kite', image_size: { width: 1112, height: 832 }, num_images: 1 })
written('fal-ai/bytedance/seedream/v4.5/edit', job('fal-ai/bytedance/seedream/v4.5', { inputs: [picture()], width: 2048, height: 2048 }), { prompt: 'a kite', image_size: { width: 2048, height: 2048 }, num_images: 1, image_urls: ['https://f.example/0'] })
written('fal-ai/bytedance/seedream/v5/lite/text-to-image', job('fal-ai/bytedance/seedream/v5/lite', { parameters: { seed: 1 }, width: 2048, height: 2048 }), { prompt: 'a kite', image_size: { width: 2048, height: 2048 }, num_images: 1 })
written('fal-ai/qwen-image', job('fal-ai/qwen-image', { parameters: { strength: 0.8, guidance: 3, steps: 30, acceleration: 'none', negative_prompt: 'rain', output_format: 'jpeg' } }),
  { prompt: 'a kite', image_size: { width: 1024, height: 1024 }, guidance_scale: 3, num_inference_steps: 30, acceleration: 'none', negative_prompt: 'rain', output_format: 'jpeg', num_images: 1 })
written('fal-ai/qwen-image/image-to-image', job('fal-ai/qwen-image', { parameters: { strength: 0.5 }, inputs: [picture()] }), { prompt: 'a kite', image_size: { width: 1024, height: 1024 }, strength: 0.5, num_images: 1, image_url: 'https://f.example/0' })
written('fal-ai/qwen-image-edit', job('fal-ai/qwen-image-edit', { parameters: { seed: 3 }, inputs: [picture()] }), { prompt: 'a kite', image_size: { width: 1024, height: 1024 }, seed: 3, num_images: 1, image_url: 'https://f.example/0' })
written('fal-ai/qwen-image-2/edit', job('fal-ai/qwen-image-2', { inputs: [picture()] }), { prompt: 'a kite', enable_prompt_expansion: false, image_size: { width: 1024, height: 1024 }, num_images: 1, image_urls: ['https://f.example/0'] })
written('fal-ai/ideogram/v3', job('fal-ai/ideogram/v3', { parameters: { rendering_speed: 'turbo', style: 'design', expand_prompt: false, negative_prompt: 'rain' } }),
  { prompt: 'a kite', image_size: { width: 1024, height: 1024 }, rendering_speed: 'TURBO', style: 'DESIGN', expand_prompt: false, negative_prompt: 'rain', num_images: 1 })
written('fal-ai/ideogram/v3/remix', job('fal-ai/ideogram/v3', { parameters: { strength: 0.4, style: 'auto' }, inputs: [picture()] }), { prompt: 'a kite', image_size: { width: 1024, height: 1024 }, strength: 0.4, style: 'AUTO', num_images: 1, image_url: 'https://f.example/0' })
written('fal-ai/ideogram/v3/edit', job('fal-ai/ideogram/v3', { parameters: { rendering_speed: 'quality', style: 'auto', aspect_ratio: 'auto', resolution: '1K' }, inputs: [picture('mask'), picture()] }),
  { prompt: 'a kite', rendering_speed: 'QUALITY', num_images: 1, image_url: 'https://f.example/1', mask_url: 'https://f.example/0' })
written('fal-ai/ideogram/v3/reframe', job('fal-ai/ideogram/v3/reframe', { prompt: '', parameters: { aspect_ratio: '16:9' }, inputs: [picture()], width: 1024, height: 576 }), { image_size: { width: 1024, height: 576 }, num_images: 1, image_url: 'https://f.example/0' })
written('fal-ai/topaz/upscale/image', job('fal-ai/topaz/upscale/image', { prompt: '', parameters: { factor: 4, output_format: 'jpeg' }, inputs: [picture()] }), { upscale_factor: 4, output_format: 'jpeg', image_url: 'https://f.example/0' })
written('fal-ai/recraft/upscale/crisp', job('fal-ai/recraft/upscale/crisp', { prompt: '', inputs: [picture()] }), { image_url: 'https://f.example/0' })
written('fal-ai/bria/background/remove', job('fal-ai/bria/background/remove', { prompt: '', inputs: [picture()] }), { image_url: 'https://f.example/0' })
written('fal-ai/birefnet/v2', job('fal-ai/birefnet/v2', { prompt: '', parameters: { output_format: 'webp' }, inputs: [picture()] }), { output_format: 'webp', image_url: 'https://f.example/0' })
written('fal-ai/kling-video/v2.1/standard/image-to-video', job('fal-ai/kling-video/v2.1/standard', { parameters: { duration_s: 10, cfg_scale: 0.5 }, inputs: [picture('first_frame')] }), { prompt: 'a kite', duration: '10', cfg_scale: 0.5, image_url: 'https://f.example/0' })
written('fal-ai/kling-video/v2.6/pro/text-to-video', job('fal-ai/kling-video/v2.6/pro', { parameters: { aspect_ratio: 'auto', sound: true } }), { prompt: 'a kite', aspect_ratio: '1:1', generate_audio: true })
written('fal-ai/kling-video/v2.6/pro/image-to-video', job('fal-ai/kling-video/v2.6/pro', { inputs: [picture()] }), { prompt: 'a kite', generate_audio: false, start_image_url: 'https://f.example/0' })
written('fal-ai/kling-video/v3/standard/text-to-video', job('fal-ai/kling-video/v3', { parameters: { resolution: '720p', duration_s: 15 } }), { prompt: 'a kite', generate_audio: false, duration: '15' })
written('fal-ai/kling-video/v3/pro/image-to-video', job('fal-ai/kling-video/v3', { parameters: { resolution: '1080p', aspect_ratio: 'auto' }, inputs: [picture('last_frame'), picture('first_frame')] }),
  { prompt: 'a kite', generate_audio: false, start_image_url: 'https://f.example/1', end_image_url: 'https://f.example/0' })
writtenLike('fal-ai/kling-video/v3/pro/text-to-video', 'fal-ai/kling-video/v3/4k/text-to-video', job('fal-ai/kling-video/v3', { parameters: { resolution: '4K', aspect_ratio: '16:9', sound: true, negative_prompt: 'rain' } }),
  { prompt: 'a kite', generate_audio: true, aspect_ratio: '16:9', negative_prompt: 'rain' })
writtenLike('fal-ai/kling-video/v3/pro/image-to-video', 'fal-ai/kling-video/v3/4k/image-to-video', job('fal-ai/kling-video/v3', { parameters: { resolution: '4K', duration_s: 3 }, inputs: [picture('first_frame')] }), { prompt: 'a kite', generate_audio: false, duration: '3', start_image_url: 'https://f.example/0' })
const omni = { aspect_ratio: '9:16', resolution: '4K', duration_s: 3, seed: 1 }
const omniSent = { prompt: 'a kite', aspect_ratio: '9:16', resolution: '4k', duration: 3 }
const omniModel = 'google/gemini-omni-flash/v1.1'
/** No neighbour has these fields; fal's page does. */
const writtenAlone = (endpoint: string, asked: Sized, expected: Record<string, unknown>) => test(`writes ${endpoint}`, () => { assert.deepEqual(write(asked).requests, [{ endpoint, input: expected }]) })
writtenAlone(`${omniModel}/text-to-video`, job(omniModel, { parameters: omni }), omniSent)
writtenAlone(`${omniModel}/image-to-video`, job(omniModel, { parameters: omni, inputs: [picture('first_frame'), picture('last_frame')] }), { ...omniSent, image_url: 'https://f.example/0', end_image_url: 'https://f.example/1' })
writtenAlone(`${omniModel}/reference-to-video`, job(omniModel, { parameters: omni, inputs: [picture(), picture()] }), { ...omniSent, image_urls: ['https://f.example/0', 'https://f.example/1'] })
const veo = { aspect_ratio: '9:16', resolution: '720p', duration_s: 8 }
written('fal-ai/veo3.1', job('fal-ai/veo3.1', { parameters: { ...veo, negative_prompt: 'rain', seed: 1 } }), { prompt: 'a kite', auto_fix: false, generate_audio: true, aspect_ratio: '9:16', resolution: '720p', duration: '8s', negative_prompt: 'rain', seed: 1 })
written('fal-ai/veo3.1/lite/image-to-video', job('fal-ai/veo3.1/lite', { parameters: veo, inputs: [picture('first_frame')] }), { prompt: 'a kite', auto_fix: false, generate_audio: true, aspect_ratio: '9:16', resolution: '720p', duration: '8s', image_url: 'https://f.example/0' })
written('fal-ai/veo3.1/first-last-frame-to-video', job('fal-ai/veo3.1', { parameters: { ...veo, resolution: '4K' }, inputs: [picture('first_frame'), picture('last_frame')] }),
  { prompt: 'a kite', auto_fix: false, generate_audio: true, aspect_ratio: '9:16', resolution: '4k', duration: '8s', first_frame_url: 'https://f.example/0', last_frame_url: 'https://f.example/1' })
written('fal-ai/veo3.1/reference-to-video', job('fal-ai/veo3.1', { parameters: veo, inputs: [picture(), picture('style')] }),
  { prompt: 'a kite', auto_fix: false, generate_audio: true, aspect_ratio: '9:16', resolution: '720p', duration: '8s', image_urls: ['https://f.example/0', 'https://f.example/1'] })

test('says that too few pixels were raised', () => assert.match(write(job('fal-ai/bytedance/seedream/v4', { width: 1024, height: 768 })).warnings.join(), /1024x768 became 1112x832/))

test('shares a count among as few requests as the model allows, each with its own seeds', () => {
  const inputs = (asked: Sized) => write(asked).requests.map(({ input: { num_images: count = null, seed = null } }) => [count, seed])
  assert.deepEqual(inputs(job('fal-ai/nano-banana', { count: 6, parameters: { seed: 10 } })), [[4, 10], [2, 14]])
  assert.deepEqual(inputs(job('fal-ai/flux-2-pro', { count: 2, parameters: { seed: 2_147_483_647 } })), [[null, 2_147_483_647], [null, 0]])
  assert.deepEqual(inputs(job('fal-ai/flux-2-pro', { count: 2 })), [[null, null], [null, null]])
})

test('passes on what an operator’s own card says, and says so', () => {
  const { requests, warnings } = write(job('nobody/knows/this', { parameters: { quality: 'high', count: 2, seed: 5 }, count: 2, inputs: [picture()] }))
  assert.deepEqual(requests.map(({ endpoint, input }) => [endpoint, input.quality, input.seed, input.image_urls]), [['nobody/knows/this', 'high', 5, ['https://f.example/0']], ['nobody/knows/this', 'high', 6, ['https://f.example/0']]])
  assert.equal(warnings.length, 1)
})

const refused = (name: string, asked: Sized, code: Problem['code'] = 'unsupported_parameter') => test(`refuses ${name}`, () => assert.throws(() => write(asked), (thrown: Problem) => thrown.code === code))
refused('a resolution nobody lists', job('fal-ai/nano-banana', { parameters: { resolution: '2K' } }))
refused('a parameter nobody lists', job('fal-ai/nano-banana-2', { parameters: { style: 'oil' } }))
refused('a mask where there is no field for one', job('fal-ai/nano-banana-pro', { inputs: [picture(), picture('mask')] }))
refused('a mask without a picture', job('fal-ai/ideogram/v3', { inputs: [picture('mask')] }), 'bad_request')
refused('a ratio beside a mask', job('fal-ai/ideogram/v3', { parameters: { aspect_ratio: '16:9' }, inputs: [picture(), picture('mask')] }))
refused('a negative prompt beside a mask', job('fal-ai/ideogram/v3', { parameters: { negative_prompt: 'rain' }, inputs: [picture(), picture('mask')] }))
refused('a strength without a picture', job('fal-ai/qwen-image', { parameters: { strength: 0.3 } }))
refused('too many pixels', job('fal-ai/flux-2-pro', { width: 2720, height: 1600 }))
refused('far too few', job('fal-ai/bytedance/seedream/v4', { width: 512, height: 512 }))
refused('too long a side', job('fal-ai/flux-2', { width: 2720, height: 1536 }))
refused('a JPEG where only PNG is taken', job('fal-ai/recraft/upscale/crisp', { prompt: '', inputs: [picture('reference', 'image/jpeg')] }))
refused('more pictures than fal takes', job('fal-ai/flux-2', { inputs: Array.from({ length: 5 }, () => picture()) }))
refused('no picture where one is needed', job('fal-ai/topaz/upscale/image', { prompt: '' }), 'bad_request')
refused('a film to go on from', job('fal-ai/veo3.1', { inputs: [picture('video', 'video/mp4')] }))
refused('references for the fast film', job('fal-ai/veo3.1/fast', { inputs: [picture()] }))
refused('4K of the light film', job('fal-ai/veo3.1/lite', { parameters: { resolution: '4K' } }))
refused('references beside a first picture', job('google/gemini-omni-flash/v1.1', { inputs: [picture('first_frame'), picture()] }))
refused('a seed beside references', job('fal-ai/veo3.1', { parameters: { seed: 1 }, inputs: [picture()] }))
refused('a last picture alone', job('fal-ai/kling-video/v3', { inputs: [picture('last_frame')] }))

test('no model lets an unknown parameter through in silence', () => {
  for (const model of modelNames) assert.throws(() => write(job(model, { parameters: { never_heard_of: 1 }, inputs: [picture('first_frame')] })), { code: 'unsupported_parameter' }, model)
})
