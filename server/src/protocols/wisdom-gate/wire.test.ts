import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Card } from '../../domain/card.ts'
import { Problem } from '../../domain/problem.ts'
import type { Task } from '../../domain/task.ts'
import { planVideo, readVideo, readVideoId, writeSubscription, writeUsage, writeVideo } from './wire.ts'
import { sayNo } from './words.ts'

const cardOf = (id: string) => JSON.parse(readFileSync(new URL(`../../catalog/cards/${id}.json`, import.meta.url), 'utf8')) as Card
const plan = (fields: Record<string, unknown>, card = 'sora-2') => planVideo(readVideo({ prompt: 'waves', ...fields }, null), cardOf(card))

test('a video has a length and a shape, said or not', () => {
  assert.deepEqual(plan({}), { model: 'sora-2', prompt: 'waves', operation: 'video', parameters: { duration_s: 4, aspect_ratio: '9:16' }, wire: { protocol: 'wisdom-gate', body: { seconds: '4', size: '720x1280' } } })
  assert.deepEqual(plan({ seconds: 8, size: '1280x720' }).parameters, { duration_s: 8, aspect_ratio: '16:9' })
})
test('a model that is asked in pixels gets pixels, one that follows its picture gets none', () => {
  assert.deepEqual(plan({ size: '1792x1024' }, 'sora-2-pro').parameters, { duration_s: 4, size: '1792x1024' })
  assert.deepEqual(plan({ seconds: '5', size: '1080x1920' }, 'kling-3.0').parameters, { duration_s: 5, aspect_ratio: '9:16', resolution: '1080p' })
  assert.deepEqual(plan({ seconds: '5' }, 'kling-2.1-standard').parameters, { duration_s: 5 })
})

const refused = (name: string, run: () => unknown, field: string) => test(`refused: ${name}`, () => { assert.throws(run, (thrown: unknown) => thrown instanceof Problem && thrown.details.field === field) })
refused('no prompt', () => readVideo({}, null), 'prompt')
refused('a size the model has not', () => plan({ size: '1024x1792' }), 'size')
refused('a size for a model without', () => plan({ size: '720x1280' }, 'kling-2.1-standard'), 'size')
refused('a length in words', () => plan({ seconds: 'long' }), 'seconds')
refused('a picture model', () => plan({}, 'nano-banana'), 'model')
refused('an unknown field', () => plan({ fps: 30 }), 'fps')
refused('a reference twice', () => readVideo({ prompt: 'x', input_reference: 'https://a.example/b.png' }, { base64: 'AAAA' }), 'input_reference')

test('a first picture comes as a file, an address or a data URL', () => {
  assert.deepEqual(readVideo({ prompt: 'x', input_reference: 'https://a.example/b.png' }, null).reference, { url: 'https://a.example/b.png' })
  assert.deepEqual(readVideo({ prompt: 'x', input_reference: { image_url: 'data:image/png;base64,AA==' } }, null).reference, { dataUrl: 'data:image/png;base64,AA==' })
  assert.deepEqual(readVideo({ prompt: 'x' }, { base64: 'AAAA' }).reference, { base64: 'AAAA' })
})

const id = '0123456789abcdef0123456789abcdef'
const task = {
  id, state: 'running', modelAsked: 'sora-2', progress: 33, problem: null, outputs: [], createdAt: new Date(1_763_632_800_000), endedAt: null, prompt: 'waves',
  parameters: { duration_s: 8, aspect_ratio: '16:9' }, wire: { protocol: 'wisdom-gate', body: { seconds: '8', size: '1280x720' } },
} as unknown as Task
const film = { id: 'f', expiresAt: new Date(1_763_719_200_000) }
const shown = (more: object) => writeVideo({ ...task, ...more } as Task, () => 'https://house.example/f.mp4')

test('a video in the making', () => {
  assert.deepEqual(shown({}), {
    id: `video_${id}`, object: 'video', model: 'sora-2', status: 'processing', progress: 33, created_at: 1_763_632_800, completed_at: null, expires_at: null, error: null,
    seconds: '8', size: '1280x720', remixed_from_video_id: null, prompt: 'waves',
  })
  assert.equal(shown({ state: 'queued', progress: null }).status, 'queued')
  assert.equal(shown({ state: 'waiting' }).status, 'processing')
})
test('a video that is there', () => {
  const { status, progress, completed_at: at, expires_at: until, meta_data: data } = shown({ state: 'done', endedAt: new Date(1_763_632_860_000), outputs: [film] })
  assert.deepEqual([status, progress, at, until, data], ['completed', 100, 1_763_632_860, 1_763_719_200, { url: 'https://house.example/f.mp4' }])
})
test('a video that is not to be', () => {
  assert.deepEqual(shown({ state: 'failed', problem: { code: 'content_rejected', message: 'No.' } }).error, { code: 'content_policy_violation', message: 'No.' })
  assert.deepEqual([shown({ state: 'cancelled' }).status, (shown({ state: 'cancelled' }).error as { code: string }).code], ['failed', 'cancelled'])
})
test('a video of another door is told by its parameters', () => {
  assert.deepEqual([shown({ wire: null }).seconds, shown({ wire: null }).size], ['8', '1280x720'])
  assert.equal(shown({ wire: null, parameters: { duration_s: 5, aspect_ratio: '1:1', resolution: '1080p' } }).size, '1080x1080')
})
test('ids come with their prefix or without', () => {
  assert.deepEqual([readVideoId(`video_${id}`), readVideoId(id), readVideoId('video_x')], [id, id, null])
})

test('limit less usage is what is left', () => {
  const balance = { livemode: true, availableMicros: 7_250_000, heldMicros: 250_000, spentMicros: 2_500_000 }
  const subscription = writeSubscription(balance)
  assert.deepEqual([subscription.object, subscription.hard_limit_usd, subscription.system_hard_limit_usd, subscription.access_until], ['billing_subscription', 10, 10, 0])
  assert.deepEqual(writeUsage(balance), { object: 'list', total_usage: 275 })
})

test('a no names the parameter as the caller does', () => {
  const { status, body } = sayNo(new Problem('unsupported_parameter', 'No.', { field: 'parameters.duration_s' }))
  assert.deepEqual([status, body], [400, { error: { message: 'No.', type: 'invalid_request_error', param: 'seconds', code: 'unsupported_parameter' } }])
  assert.deepEqual(sayNo(new Problem('unauthorized', 'No key.')).body, { error: { message: 'No key.', type: 'authentication_error', param: null, code: 'invalid_api_key' } })
})
