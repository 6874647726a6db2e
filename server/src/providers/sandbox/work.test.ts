import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Rendering, RenderRequest } from '@plantain/sandbox'
import type { Job, JobInput, JobOutcome } from '../contract.ts'
import { connectRenderer } from './work.ts'

const signal = new AbortController().signal
const job = (prompt: string, more: Partial<Job> = {}): Job => ({
  taskId: 'task-1', attempt: 1, key: 'key-1', cardId: 'sandbox-1', model: 'sandbox-1', operation: 'generate', prompt, parameters: {}, count: 1,
  width: 64, height: 48, inputs: [], livemode: false, callbackUrl: null, ...more,
})
const input = (role: JobInput['role']): JobInput =>
  ({ assetId: 'a', role, mime: 'image/png', sizeBytes: 3, width: 1, height: 1, sha256: '', read: async () => Buffer.from(role), link: () => null })
const rendering = ({ seed = 5, format }: RenderRequest): Rendering => ({
  bytes: new Uint8Array([1]), mime: `image/${format}`, width: 64, height: 48, seed, description: 'A dog.', rendererVersion: '1.0.0', maskConfidence: 0.4,
  understood: { kind: 'scene', subjects: ['dog'], setting: null, time: null, style: null, texts: [], edits: [], unmatched: ['chess'] },
})

/** A bench with a clock that is turned by hand and a pool that writes down what it was asked. */
function bench(answer: (request: RenderRequest, signal: AbortSignal) => Promise<Rendering> = async (request) => rendering(request)) {
  const asked: RenderRequest[] = []
  const clock = { ms: 1_000 }
  let started = 0
  let closed = 0
  const connection = connectRenderer(
    async () => { started++; return { render: (request, options) => { asked.push(request); return answer(request, options.signal!) }, close: async () => { closed++ } } },
    { now: () => new Date(clock.ms), log: { info() {}, warn() {} } })
  return { connection, asked, clock, counts: () => ({ started, closed }) }
}
const said = (outcome: JobOutcome) => outcome.kind === 'failed' ? outcome.problem.code : outcome.kind

const writes = (what: string, more: Partial<Job>, expected: Partial<RenderRequest>) => test(`the renderer is asked for ${what}`, async () => {
  const { connection, asked } = bench()
  assert.equal(said(await connection.submit(job('a dog', more), signal)), 'done')
  assert.deepEqual(Object.fromEntries(Object.keys(expected).map((name) => [name, asked[0]![name as keyof RenderRequest]])), expected)
})
writes('a picture', {}, { operation: 'generate', prompt: 'a dog', width: 64, height: 48, format: 'png', variation: 0, seed: undefined, provenance: { taskId: 'task-1' } })
writes('a size of its own choice', { width: null, height: null }, { width: 1024, height: 1024 })
writes('a seed, a format and a quality', { parameters: { seed: 7, output_format: 'jpeg', quality: 80 } }, { seed: 7, format: 'jpeg', quality: 80 })
writes('an edit in the size of its input', { operation: 'edit', width: null, height: null, inputs: [input('reference'), input('mask')] },
  { width: undefined, inputs: [{ bytes: Buffer.from('reference'), role: 'reference' }, { bytes: Buffer.from('mask'), role: 'mask' }] })
writes('an upscale', { operation: 'upscale', parameters: { factor: 4 } }, { factor: 4 })
writes('a cut-out that keeps its alpha', { operation: 'remove_background' }, { background: 'transparent', format: 'png' })
writes('a film of the length asked for', { operation: 'video', width: 1920, height: 1080, parameters: { duration_s: 10 } }, { video: { seconds: 10, fps: 8 }, width: 854, height: 480, format: 'webp' })

test('four pictures are four variations, rendered at the same time', async () => {
  const waiting: (() => void)[] = []
  const { connection, asked } = bench((request) => new Promise((resume) => { waiting.push(() => resume(rendering(request))) }))
  const submitted = connection.submit(job('a dog', { count: 4, parameters: { seed: 9 } }), signal)
  while (waiting.length < 4) await new Promise(setImmediate)
  for (const resume of waiting.reverse()) resume()
  const outcome = await submitted
  assert.ok(outcome.kind === 'done')
  assert.deepEqual(asked.map(({ variation, seed }) => [variation, seed]), [[0, 9], [1, 9], [2, 9], [3, 9]])
  assert.equal(outcome.value.made.length, 4)
})

test('the answer says what was understood', async () => {
  const outcome = await bench().connection.submit(job('a dog playing chess'), signal)
  assert.ok(outcome.kind === 'done')
  assert.deepEqual(outcome.value.made, [{ bytes: new Uint8Array([1]), mime: 'image/png', seed: 5 }])
  assert.equal(outcome.value.text, 'A dog.')
  assert.deepEqual(outcome.value.details, { sandbox: { understood: { ...rendering({ format: 'png' } as RenderRequest).understood }, renderer_version: '1.0.0', mask_confidence: 0.4 } })
})

test('what is made otherwise than asked is said', async () => {
  const outcome = await bench().connection.submit(job('a dog', { operation: 'video', width: 1920, height: 1080, parameters: { negative_prompt: 'cats' } }), signal)
  assert.ok(outcome.kind === 'done')
  assert.deepEqual(outcome.value.warnings!.map((warning) => /854|negative_prompt/.exec(warning)?.[0]), ['854', 'negative_prompt'])
})

test('what the renderer cannot honour is the caller’s to mend', async () => {
  const { connection } = bench(async () => { throw Object.assign(new Error('There is no picture to edit.'), { name: 'RenderError' }) })
  const outcome = await connection.submit(job('x'), signal)
  assert.ok(outcome.kind === 'failed')
  assert.deepEqual([outcome.problem.code, outcome.problem.message], ['bad_request', 'There is no picture to edit.'])
})
test('a renderer that breaks is tried again', async () => {
  assert.equal(said(await bench(async () => { throw new Error('out of memory') }).connection.submit(job('x'), signal)), 'provider_down')
})
test('a film as input is refused', async () => {
  const { connection, asked } = bench()
  assert.equal(said(await connection.submit(job('x', { operation: 'edit', inputs: [input('video')] }), signal)), 'unsupported_parameter')
  assert.equal(asked.length, 0)
})

test('one picture that fails lets go of the others, and so does the caller', async () => {
  const stopped: number[] = []
  const { connection } = bench((request, either) => request.variation === 0
    ? Promise.reject(new Error('broken'))
    : new Promise((_, refuse) => { either.addEventListener('abort', () => { stopped.push(request.variation!); refuse(either.reason as Error) }) }))
  assert.equal(said(await connection.submit(job('x', { count: 3 }), signal)), 'provider_down')
  assert.deepEqual(stopped, [1, 2])

  const caller = new AbortController()
  const other = bench((_request, either) => new Promise((_, refuse) => { either.addEventListener('abort', () => refuse(either.reason as Error)) }))
  const submitted = other.connection.submit(job('x'), caller.signal)
  while (other.asked.length === 0) await new Promise(setImmediate)
  caller.abort(new Error('shutting down'))
  await assert.rejects(submitted, /shutting down/)
})

test('slow waits by receipt and then renders without the trigger in its prompt', async () => {
  const { connection, asked, clock } = bench()
  const slow = job('a dog sandbox:slow=8s')
  const first = await connection.submit(slow, signal)
  assert.deepEqual(first, { kind: 'wait', receipt: { readyAt: 9_000 }, afterMs: 8_000 })
  assert.ok(first.kind === 'wait')
  clock.ms = 8_500
  assert.deepEqual(await connection.poll!(first.receipt, slow, signal), { kind: 'wait', receipt: { readyAt: 9_000 }, afterMs: 500 })
  assert.equal(asked.length, 0)
  clock.ms = 9_000
  assert.equal(said(await connection.poll!(first.receipt, slow, signal)), 'done')
  assert.equal(asked[0]!.prompt, 'a dog')
})

const ends = (prompt: string, expected: string, afterMs: number) => test(`${prompt} ends as ${expected} after ${afterMs} ms`, async () => {
  const { connection, asked, clock } = bench()
  let outcome = await connection.submit(job(prompt), signal)
  if (outcome.kind === 'wait') {
    clock.ms += outcome.afterMs!
    outcome = await connection.poll!(outcome.receipt, job(prompt), signal)
  }
  assert.deepEqual([said(outcome), clock.ms - 1_000, asked.length], [expected, afterMs, expected === 'done' ? 1 : 0])
})
ends('a dog', 'done', 0)
ends('sandbox:timeout', 'provider_timeout', 3_000)
ends('sandbox:lost', 'outcome_unknown', 1_000)
ends('sandbox:fail=501', 'provider_failed', 0)
ends('sandbox:fail=501 sandbox:slow=2s', 'provider_failed', 2_000)
ends('sandbox:moderation', 'content_rejected', 0)
ends('sandbox:expired_url', 'output_expired', 0)
ends('sandbox:busy', 'provider_busy', 0)

test('busy renders at the third attempt', async () => assert.equal(said(await bench().connection.submit(job('sandbox:busy', { attempt: 3 }), signal)), 'done'))
test('partial makes three of four and says so', async () => {
  const outcome = await bench().connection.submit(job('a dog sandbox:partial', { count: 4 }), signal)
  assert.ok(outcome.kind === 'done')
  assert.equal(outcome.value.made.length, 3)
  assert.match(outcome.value.warnings![0]!, /3 of 4/)
})
test('bad_image hands over bytes that are no picture', async () => {
  const { connection, asked } = bench()
  const outcome = await connection.submit(job('sandbox:bad_image'), signal)
  assert.ok(outcome.kind === 'done' && 'bytes' in outcome.value.made[0]!)
  assert.match(Buffer.from(outcome.value.made[0].bytes).toString(), /no picture/)
  assert.equal(asked.length, 0)
})
test('under a live key a trigger is a word like any other', async () => {
  const { connection, asked } = bench()
  assert.equal(said(await connection.submit(job('a dog sandbox:fail=501', { livemode: true }), signal)), 'done')
  assert.equal(asked[0]!.prompt, 'a dog sandbox:fail=501')
})
test('a prompt of triggers only still has a picture', async () => {
  const { connection, asked } = bench()
  await connection.submit(job('sandbox:partial'), signal)
  assert.equal(asked[0]!.prompt, 'abstract colours')
})

test('the pool starts with the first picture and closes with the connection', async () => {
  const { connection, counts } = bench()
  await connection.submit(job('sandbox:fail=500'), signal)
  assert.deepEqual(counts(), { started: 0, closed: 0 })
  await Promise.all([connection.submit(job('a'), signal), connection.submit(job('b'), signal)])
  await connection.close!()
  assert.deepEqual(counts(), { started: 1, closed: 1 })
})
