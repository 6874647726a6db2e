import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Problem, problems, type ProblemCode } from '../../domain/problem.ts'
import { writeRequestRate } from '../toolkit.ts'
import { refuse, writeError, writeResponseError } from './words.ts'

const codes = Object.keys(problems) as ProblemCode[]
const no = (code: ProblemCode, details = {}) => refuse(new Problem(code, 'A sentence.', details))
/** What both clients send again by themselves, unless told otherwise. */
const isSentAgain = (answer: Response) => (answer.status === 408 || answer.status === 409 || answer.status === 429 || answer.status >= 500) && answer.headers.get('x-should-retry') !== 'false'

test('every problem is said in the four words of this dialect', async () => {
  for (const code of codes) {
    const answer = no(code)
    assert.ok(answer.status >= 400 && answer.headers.get('content-type')!.startsWith('application/json'), code)
    const { error } = await answer.json() as { error: Record<string, unknown> }
    assert.deepEqual(Object.keys(error).slice(0, 4), ['message', 'type', 'param', 'code'], code)
    assert.ok(typeof error.message === 'string' && typeof error.type === 'string', code)
    assert.equal(typeof writeResponseError({ code, message: 'x' }).code, 'string')
  }
})

test('only what may pass by itself is sent again', () => {
  assert.deepEqual(codes.filter(code => isSentAgain(no(code))).sort(), [
    'deadline', 'idempotency_busy', 'internal', 'provider_busy', 'provider_down', 'provider_timeout', 'rate_limited', 'shutting_down', 'start_deadline', 'unavailable',
  ])
})

test('a task that may have been bought is not ordered again by the client itself; one that is still being made is asked for again', () => {
  for (const code of ['provider_timeout', 'deadline', 'internal'] as const) assert.equal(no(code, { taskId: 'x' }).headers.get('x-should-retry'), 'false', code)
  assert.equal(no('provider_timeout', { taskId: 'x', retry: true }).headers.get('x-should-retry'), 'true')
})

test('what may have been bought already has a status nobody repeats', () => assert.equal(no('outcome_unknown').status, 424))

test('a refused prompt names its stage', () => {
  assert.deepEqual(writeError({ code: 'content_rejected', message: 'No.', details: { stage: 'output', categories: ['violence', 7] } }).moderation_details, { moderation_stage: 'output', categories: ['violence'] })
})

const param = (field: string, expected: string) => test(`${field} is called ${expected}`, () => assert.equal(writeError({ code: 'unsupported_parameter', message: 'x', details: { field } }).param, expected))
param('parameters.count', 'n')
param('parameters.duration_s', 'seconds')
param('parameters.size', 'size')
param('inputs[2].role', 'image')
param('inputs', 'image')

test('our names do not stand in the sentence either', () => {
  assert.equal(writeError({ code: 'unsupported_parameter', message: 'count must be between 1 and 4, not 5.', details: { field: 'parameters.count' } }).message, 'n must be between 1 and 4, not 5.')
})

test('a limit is told in their headers', () => {
  assert.deepEqual(writeRequestRate({ max: 60, remaining: 0, resetS: 1.5 }), { 'x-ratelimit-limit-requests': '60', 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '2s' })
})

test('a pause is told in milliseconds', () => assert.equal(no('rate_limited', { retryAfterS: 1.5 }).headers.get('retry-after-ms'), '1500'))
