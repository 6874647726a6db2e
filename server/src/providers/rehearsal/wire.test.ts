import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { JobOutcome } from '../contract.ts'
import { Answer, readAnswer, readLook, readRefusal, readSearch, readSubmission, Refusal, writeJob } from './wire.ts'
import type { Reply } from './wire.ts'

interface Recorded { status: number; retryAfter: string | null; body?: unknown; text?: string }

const folder = new URL('fixtures/', import.meta.url)
const read = new Set<string>()
const reply = (name: string): Reply => {
  read.add(name)
  const { status, retryAfter, body } = JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')) as Recorded
  return { kind: 'answered', status, retryAfterMs: retryAfter === null ? null : Number(retryAfter) * 1_000, body }
}
const said = (outcome: JobOutcome | null) =>
  outcome === null ? null : outcome.kind === 'failed' ? outcome.problem.code : outcome.kind === 'wait' ? outcome.receipt : outcome.value.made.length

const submitted = (name: string, expected: unknown) =>
  test(`handed in, answered with ${name}`, () => assert.deepEqual(said(readSubmission(reply(name))), expected))
const looked = (name: string, expected: unknown) =>
  test(`looked at, answered with ${name}`, () => assert.deepEqual(said(readLook(reply(name), { id: 'job-1' })), expected))
const searched = (name: string, expected: unknown) =>
  test(`searched for, answered with ${name}`, () => assert.deepEqual(said(readSearch(reply(name))), expected))

submitted('submit-ready', 2)
submitted('submit-queued', { id: 'job-2' })
submitted('submit-busy', 'provider_busy')
submitted('submit-internal', 'provider_down')
submitted('submit-refused', 'content_rejected')
submitted('submit-bad', 'provider_rejected')
submitted('submit-unauthorized', 'provider_not_configured')
submitted('submit-gateway', 'outcome_unknown')
submitted('submit-page', 'outcome_unknown')

looked('look-running', { id: 'job-3' })
looked('look-cancelled', 'provider_failed')
looked('look-missing', 'provider_failed')
looked('look-broken', 'provider_failed')
looked('look-refused', 'content_rejected')
looked('submit-internal', { id: 'job-1' })
looked('submit-busy', { id: 'job-1' })
looked('submit-gateway', { id: 'job-1' })

searched('search-found', 2)
searched('search-none', null)

test('a search that fails says nothing about the job', () => {
  for (const name of ['submit-gateway', 'submit-unauthorized', 'submit-page', 'submit-busy']) {
    assert.throws(() => readSearch(reply(name)), { name: 'Problem', code: 'provider_down' })
  }
  for (const kind of ['lost', 'unreached'] as const) assert.throws(() => readSearch({ kind }), { name: 'Problem', code: 'provider_down' })
})

test('a stopped job is told as cancelled, one that has ended as ended', () => {
  const [stopped, ended] = [reply('cancelled'), reply('cancel-ended')]
  assert.deepEqual([stopped.kind === 'answered' && stopped.status, ended.kind === 'answered' && ended.status], [200, 409])
})

test('every recorded answer is read here', () => {
  const recorded = readdirSync(folder).map((name) => name.replace('.json', ''))
  assert.deepEqual(recorded.filter((name) => !read.has(name)), [])
})

test('a line that broke leaves it open, one that never stood does not', () => {
  assert.equal(said(readSubmission({ kind: 'lost' })), 'outcome_unknown')
  assert.equal(said(readSubmission({ kind: 'unreached' })), 'provider_down')
})

test('a look that fails keeps the receipt, whatever broke', () => {
  for (const kind of ['lost', 'unreached'] as const) assert.deepEqual(said(readLook({ kind }, { id: 'job-1' })), { id: 'job-1' })
})

test('a client error without a reason was not taken', () => {
  const answered = (status: number): Reply => ({ kind: 'answered', status, retryAfterMs: null, body: undefined })
  assert.equal(said(readSubmission(answered(404))), 'provider_rejected')
  assert.equal(said(readSubmission(answered(429))), 'provider_busy')
})

test('every status and every code in the schema is read', () => {
  for (const { const: status } of Answer.properties.status.anyOf) assert.ok(readAnswer({ id: 'job-1', status }).kind)
  for (const { const: code } of Refusal.properties.error.properties.code.anyOf) {
    assert.equal(readRefusal({ error: { code, message: 'No.' } }, 400, null).kind, 'failed')
  }
})

test('the pause a busy upstream asks for is handed on', () => {
  const outcome = readSubmission(reply('submit-busy'))
  assert.equal(outcome.kind === 'failed' && outcome.retryAfterMs, 1_000)
  const look = readLook(reply('submit-busy'), { id: 'job-1' })
  assert.equal(look.kind === 'wait' && look.afterMs, 1_000)
})

test('a job is written in the words of the upstream', () => {
  const job = {
    taskId: 't1', attempt: 1, key: 'key-1', cardId: 'c', model: 'm', operation: 'generate' as const, prompt: 'a dog', parameters: { seed: 7 },
    count: 2, width: 64, height: 48, inputs: [], livemode: true, callbackUrl: 'http://us/hook',
  }
  assert.deepEqual(writeJob(job, [{ role: 'mask', mime: 'image/png', data: 'AA==' }]), {
    reference: 't1', model: 'm', operation: 'generate', prompt: 'a dog', options: { seed: 7 }, number: 2, size: '64x48',
    pictures: [{ role: 'mask', mime: 'image/png', data: 'AA==' }], callback_url: 'http://us/hook',
  })
  const bare = writeJob({ ...job, width: null, height: null, callbackUrl: null }, [])
  assert.deepEqual(Object.keys(bare), ['reference', 'model', 'operation', 'prompt', 'options', 'number'])
})
