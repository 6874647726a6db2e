import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Problem } from '../../domain/problem.ts'
import { isLost, miss, missingMs, see, waitOrLose } from './missing.ts'

const problem = new Problem('provider_failed', 'It is not known.')
const later = (receipt: { id: string }, nowMs: number) => {
  const outcome = waitOrLose(receipt, nowMs, problem)
  assert.ok(outcome.kind === 'wait')
  return outcome.receipt as { id: string; missingSince: number }
}

test('one look proves nothing, however long ago the job was handed in', () => {
  assert.deepEqual(later({ id: 'a' }, 5_000_000), { id: 'a', missingSince: 5_000_000 })
})

test('a job is lost when it has been missing for a minute, counted from the first look that missed it', () => {
  const missing = later({ id: 'a' }, 1_000)
  assert.deepEqual(later(missing, 1_000 + missingMs - 1), missing)
  const outcome = waitOrLose(missing, 1_000 + missingMs, problem)
  assert.ok(outcome.kind === 'failed')
  assert.equal(outcome.problem, problem)
})

test('a job that was seen again begins anew', () => {
  const job: { id: string; missingSince?: number } = { id: 'a' }
  const seen: typeof job = see(miss(job, 1_000))
  assert.deepEqual(seen, { id: 'a' })
  assert.equal(isLost(seen, 1_000 + 2 * missingMs), false)
})
