import assert from 'node:assert/strict'
import { test } from 'node:test'
import { done, failed, wait } from './outcome.ts'
import { Problem, problems, type ProblemCode } from './problem.ts'
import { backoffMs, decide, pollMs } from './task.ts'

const now = new Date('2026-11-21T10:00:00Z')
const task = { attempts: 1, attemptsMax: 3, polls: 0, endBy: new Date('2026-11-21T10:10:00Z') }

const check = (code: ProblemCode, attempts: number, state: string, credits: string) => {
  const decision = decide({ ...task, attempts }, failed(new Problem(code, 'x')), now, 0.5)
  assert.deepEqual([decision.state, decision.credits], [state, credits])
}

test('a busy provider is asked again', () => check('provider_busy', 1, 'queued', 'keep'))
test('a broken provider is asked again', () => check('provider_down', 2, 'queued', 'keep'))
test('patience with a broken provider ends', () => check('provider_down', 3, 'failed', 'release'))
test('patience with a busy provider ends with the task’s time only', () => {
  check('provider_busy', 300, 'queued', 'keep')
  const late = { ...task, attempts: 300, endBy: new Date(now.getTime() + 200) }
  assert.equal(decide(late, failed(new Problem('provider_busy', 'x')), now, 0.5).state, 'failed')
})
test('near the end a busy provider is asked once more, not waited for until it is too late', () => {
  const near = { ...task, attempts: 20, endBy: new Date(now.getTime() + 10_000) }
  assert.equal(decide(near, failed(new Problem('provider_busy', 'x')), now, 0.5).dueAt!.getTime() - now.getTime(), 5_000)
})
test('attempts that were declined as busy do not use up the patience with a broken one', () => {
  assert.equal(decide({ ...task, attempts: 9, spared: 7 }, failed(new Problem('provider_down', 'x')), now, 0.5).state, 'queued')
  assert.equal(decide({ ...task, attempts: 9, spared: 6 }, failed(new Problem('provider_down', 'x')), now, 0.5).state, 'failed')
})
test('a refused prompt is final at once', () => check('content_rejected', 1, 'failed', 'release'))
test('an unknown outcome is never bought again', () => check('outcome_unknown', 1, 'failed', 'release'))
test('what only another route could do is not asked of this one again', () => check('provider_not_configured', 1, 'failed', 'release'))

const other = { provider: 'b', model: 'm', order: 2, weight: 1 }
const present = { provider: 'a', model: 'm', order: 1, weight: 1 }
/** Where it goes with another route ready, and when none is. */
const goes = (code: ProblemCode, expected: unknown[], ways: Parameters<typeof decide>[4] = { now: other, later: { route: present, floorMs: 0 } }) => {
  const decision = decide(task, failed(new Problem(code, 'x'), 3_000), now, 0.5, ways)
  assert.deepEqual([decision.state, decision.route?.provider ?? null, decision.dueAt && decision.dueAt.getTime() - now.getTime()], expected)
}

for (const code of ['provider_busy', 'provider_down', 'provider_not_configured', 'unsupported_parameter', 'too_large'] as const) {
  test(`${code}: another route is asked at once`, () => goes(code, ['queued', 'b', 0]))
}
for (const code of ['content_rejected', 'provider_rejected', 'provider_failed', 'provider_timeout', 'bad_output', 'output_expired', 'outcome_unknown', 'bad_input_image', 'internal'] as const) {
  test(`${code}: no other route is asked`, () => goes(code, ['failed', null, null]))
}
test('our own trouble is no reason to ask somebody else', () => goes('unavailable', ['queued', null, 500], { now: other, later: { route: other, floorMs: 0 } }))
test('when every route is busy, the one that is free first is asked after its pause', () => goes('provider_busy', ['queued', 'b', 2_000], { now: null, later: { route: other, floorMs: 2_000 } }))
test('a route that is down takes what no other can, once it is back', () => goes('unsupported_parameter', ['queued', 'b', 7_000], { now: null, later: { route: other, floorMs: 7_000 } }))
test('what no route can honour is refused', () => goes('unsupported_parameter', ['failed', null, null], { now: null, later: null }))
test('the patience with broken upstreams is one for all routes together', () =>
  assert.equal(decide({ ...task, attempts: 3 }, failed(new Problem('provider_down', 'x')), now, 0.5, { now: other, later: null }).state, 'failed'))

test('what is done is captured', () => {
  const decision = decide(task, done([]), now, 0.5)
  assert.deepEqual([decision.state, decision.credits, decision.event], ['done', 'capture', 'task.completed'])
})

test('a receipt waits, in the upstream’s rhythm or in ours, but never beyond the deadline', () => {
  assert.equal(decide(task, wait({ id: 1 }, 4_000), now, 0.5).dueAt!.getTime() - now.getTime(), 4_000)
  assert.equal(decide(task, wait({ id: 1 }), now, 0.5).dueAt!.getTime() - now.getTime(), 1_000)
  assert.deepEqual(decide(task, wait({ id: 1 }, 3_600_000), now, 0.5).dueAt, task.endBy)
})

test('the upstream’s own word about when to come again is a floor', () => {
  assert.equal(decide(task, failed(new Problem('provider_busy', 'x'), 30_000), now, 0.5).dueAt!.getTime() - now.getTime(), 30_000)
  assert.equal(decide(task, failed(new Problem('provider_busy', 'x'), 1), now, 0.5).dueAt!.getTime() - now.getTime(), 500)
})

test('a pause that would end after the deadline is no pause', () => {
  assert.equal(decide(task, failed(new Problem('provider_busy', 'x'), 3_600_000), now, 0.5).state, 'failed')
})

test('pauses grow and have an end', () => {
  assert.deepEqual([1, 2, 3, 20].map(attempt => backoffMs(attempt, 0.5)), [500, 1_000, 2_000, 60_000])
  assert.deepEqual([0, 1, 2, 20].map(polls => pollMs(polls, 0.5)), [1_000, 1_500, 2_250, 10_000])
})

test('every problem has a status a client understands, and none is charged', () => {
  for (const [code, { status, charge }] of Object.entries(problems)) {
    assert.ok(status >= 400 && status < 600, code)
    assert.equal(charge, false, code)
  }
})
