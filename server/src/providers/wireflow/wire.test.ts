import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Problem } from '../../domain/problem.ts'
import { readRetryAfter } from '../../kit/fetch.ts'
import type { Asked, Reply } from '../toolkit.ts'
import { planBy, readRoute, writeRuns } from './plan.ts'
import { fold, keyOf, readCancelled, readDescription, readLook, readPlace, readRefusal, readRun, readUploaded, states } from './wire.ts'

const now = new Date('2026-11-20T12:00:00Z')
type Answered = Extract<Reply, { kind: 'answered' }>
function reply(name: string): Answered {
  const { status, headers = {}, body } = JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8')) as { status: number; headers?: Record<string, string>; body: unknown }
  const all = new Headers(headers)
  return { kind: 'answered', status, headers: all, retryAfterMs: readRetryAfter(all, now), body: typeof body === 'string' ? undefined : body, bytesOf: text => Buffer.from(text, 'base64') }
}

const ran = (name: string, expected: string, retryAfterMs: number | null = null) => test(`asked for a run, answered with ${name}`, () => {
  const read = readRun(reply(name), now)
  assert.deepEqual('id' in read ? [read.id, null] : [read.problem.code, read.retryAfterMs], [expected, retryAfterMs])
})
for (const name of ['run-flat', 'run-data', 'run-list']) ran(name, 'exec_1')
ran('run-no-id', 'outcome_unknown')
ran('run-under-200', 'provider_rejected')
ran('inactive', 'provider_rejected')
ran('policy', 'content_rejected')
for (const name of ['no-header', 'key-object', 'expired-key', 'forbidden', 'credits', 'credits-object']) ran(name, 'provider_not_configured')
for (const name of ['method', 'large', 'graph']) ran(name, 'provider_rejected')
ran('missing', 'provider_not_configured')
ran('mismatch', 'provider_failed')
for (const name of ['busy-key', 'server', 'gateway']) ran(name, 'outcome_unknown')
ran('busy', 'provider_busy', 7_000)
ran('busy-reset', 'provider_busy', 86_400_000)

test('silence is a lost answer, unless nobody was there', () => {
  const code = (kind: 'lost' | 'unreached') => { const read = readRun({ kind }, now); return 'problem' in read && read.problem.code }
  assert.deepEqual([code('lost'), code('unreached')], ['outcome_unknown', 'provider_down'])
})
test('whatever the status, only a limit is surely nothing begun that may pass', () => {
  const codes = Array.from({ length: 200 }, (_, index) => 400 + index).filter(status => ['provider_busy', 'provider_down'].includes(readRefusal({ ...reply('inactive'), status }, now).problem.code))
  assert.deepEqual(codes, [429])
})
test('how much credit there is stays with the operator', () => {
  const read = readRun(reply('credits'), now)
  assert.ok('problem' in read)
  assert.doesNotMatch(read.problem.message, /20|3/)
  assert.match(String(read.problem.cause), /Required: 20/)
})

const looked = (name: string, expected: unknown, output: string | null = null) => test(`looked at, answered with ${name}${output ? ` for ${output}` : ''}`, () => {
  const read = readLook(reply(name), output, now)
  assert.deepEqual(read.kind === 'made' ? read.urls.map(url => url.replace('https://cdn.wireflow.ai/', '')) : read.kind === 'failed' ? read.problem.code : read.kind === 'pending' ? ['pending', read.progress] : read.kind, expected)
})
looked('look-running', ['pending', 40])
looked('look-queued', ['pending', null])
looked('look-new-word', ['pending', null])
looked('gateway', ['pending', null])
looked('busy', ['pending', null])
looked('key-object', ['pending', null])
looked('look-done', ['a.png', 'b.png'])
looked('look-done', ['a.png', 'b.png'], 'gen-1')
looked('look-done', 'bad_output', 'llm-1')
looked('look-done', 'bad_output', 'nobody')
looked('look-done-data', ['a.png'])
looked('look-done-runs', ['big.png'])
looked('look-done-runs', ['a.png'], 'gen-1')
looked('look-done-video', ['a.mp4'])
looked('look-done-empty', 'bad_output')
looked('look-failed', 'provider_failed')
looked('look-failed-object', 'provider_failed')
looked('look-refused', 'content_rejected')
looked('look-cancelled', 'provider_failed')
looked('look-timeout', 'provider_timeout')
looked('look-missing', 'missing')

test('every state has a meaning', () => {
  for (const status of states) assert.equal(readLook({ ...reply('look-running'), body: { status } }, null, now).kind, ['QUEUED', 'PENDING', 'RUNNING', 'IN_PROGRESS'].includes(status) ? 'pending' : 'failed')
})
test('words and credits come along, told once or node by node', () => {
  const done = readLook(reply('look-done'), null, now)
  assert.deepEqual(done.kind === 'made' && [done.text, done.credits], ['A fox in snow.', 20])
  const runs = readLook(reply('look-done-runs'), null, now)
  assert.deepEqual(runs.kind === 'made' && runs.credits, 20)
})
test('a silence while looking says nothing; an execution that is missing is lost after a minute without a sight of it', () => {
  for (const kind of ['lost', 'unreached'] as const) assert.equal(readLook({ kind }, null, now).kind, 'pending')
  const missing = fold({ id: 'a' }, { kind: 'missing' }, 1_000_000)
  assert.deepEqual([missing.failed, fold(missing, { kind: 'missing' }, 1_059_999).failed, fold(missing, { kind: 'missing' }, 1_060_000).failed?.code], [undefined, undefined, 'provider_failed'])
  assert.deepEqual(fold(missing, { kind: 'pending', retryAfterMs: null, progress: null }, 1_030_000), { id: 'a' })
})
test('a cancelled one says so', () => assert.deepEqual(['look-cancelled', 'look-running', 'look-missing'].map(name => readCancelled(reply(name))), [true, false, false]))

const codeOf = (read: () => unknown) => { try { return read() } catch (thrown) { return (thrown as Problem).code } }
test('uploads bring a link or a place; nothing has been run by then', () => {
  assert.equal(readUploaded(reply('uploaded'), now), 'https://cdn.wireflow.ai/up/a.png')
  assert.deepEqual(readPlace(reply('place'), now), { url: 'https://store.example/put', method: 'PUT', mediaId: 'm_1', headers: { 'content-type': 'image/png' } })
  assert.deepEqual(['key-object', 'busy', 'gateway', 'large', 'run-flat'].map(name => codeOf(() => readUploaded(reply(name), now))), ['provider_not_configured', 'provider_busy', 'provider_down', 'provider_rejected', 'provider_down'])
  assert.equal(codeOf(() => readUploaded({ kind: 'lost' }, now)), 'provider_down')
})
test('keys are those of their attempt and run, in the form of a UUID', () => {
  assert.match(keyOf('t-1', 0), /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.equal(keyOf('t-1', 0), keyOf('t-1', 0))
  assert.equal(new Set([keyOf('t-1', 0), keyOf('t-1', 1), keyOf('t-2', 0), keyOf('t-11', 0)]).size, 4)
})

const job = (more: Partial<Asked> = {}): Asked => ({ model: 'wf_1', operation: 'generate', prompt: 'a fox', parameters: {}, count: 1, key: 'k', inputs: [], ...more })
const input = (role: Asked['inputs'][number]['role']): Asked['inputs'][number] => ({ role, mime: 'image/png', sizeBytes: 3, width: 1, height: 1 })
const route = 'wf_1?prompt=input-1&inputs=input-3,input-4&inputs:style=input-5&aspect_ratio=input-2,input-7&seed=input-6&output=gen-1'

test('a route says which input gets what', () => {
  const { plan, asks } = readRoute(route)
  assert.deepEqual([asks, plan], [false, { workflow: 'wf_1', prompt: ['input-1'], inputs: ['input-3', 'input-4'], byRole: { style: ['input-5'] }, parameters: { aspect_ratio: ['input-2', 'input-7'], seed: ['input-6'] }, output: 'gen-1' }])
  assert.deepEqual(writeRuns(job({ count: 2, parameters: { aspect_ratio: '16:9', seed: 7, count: 2 }, inputs: [input('style'), input('reference')] }), plan, ['https://l/style', 'https://l/one']), [7, 8].map(seed => (
    { 'input-1': 'a fox', 'input-2': '16:9', 'input-7': '16:9', 'input-6': seed, 'input-5': 'https://l/style', 'input-3': 'https://l/one' })))
})
test('a route with an output alone asks the workflow', () => assert.deepEqual([readRoute('wf_1?output=gen-1').asks, readRoute('wf_1').asks], [true, true]))
for (const model of ['wf 1', 'wf_1?prompt=', 'wf_1?inputs:hat=input-1', '../keys']) {
  test(`refuses the route ${model}, to the operator`, () => assert.throws(() => readRoute(model), { code: 'provider_not_configured' }))
}

test('a workflow that describes itself needs no more than its id', () => {
  const plan = planBy(readRoute('wf_1').plan, readDescription(reply('inputs'), now), ['aspect_ratio', 'seed'], 'wf_1')
  assert.deepEqual(plan, { workflow: 'wf_1', prompt: ['input-1'], inputs: ['input-3', 'input-4'], byRole: {}, parameters: { aspect_ratio: ['input-2'] }, output: null })
})
test('of several texts the one called prompt is taken; where none is, the operator is asked', () => {
  const texts = (...labels: string[]) => labels.map((label, index) => ({ nodeId: `n${index}`, label, type: 'text', required: false }))
  assert.deepEqual(planBy(readRoute('wf_1').plan, texts('Title', 'Prompt'), [], 'wf_1').prompt, ['n1'])
  assert.throws(() => planBy(readRoute('wf_1').plan, texts('Title', 'Subtitle'), [], 'wf_1'), { code: 'provider_not_configured' })
})

const refused = (name: string, asked: Asked, model = route) => test(`refuses ${name}`, () => assert.throws(() => writeRuns(asked, readRoute(model).plan, asked.inputs.map(() => 'https://l/a')), { code: 'unsupported_parameter' }))
refused('a parameter without a place', job({ parameters: { resolution: '2K' } }))
refused('more pictures than there are places', job({ inputs: [input('reference'), input('reference'), input('reference')] }))
refused('two styles', job({ inputs: [input('style'), input('style')] }))
refused('a prompt without a place', job(), 'wf_1?inputs=input-3')
test('what says nothing needs no place', () => assert.deepEqual(writeRuns(job({ parameters: { resolution: 'auto' } }), readRoute(route).plan, []), [{ 'input-1': 'a fox' }]))
