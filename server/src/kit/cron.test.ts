import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dueTimes } from './cron.ts'

const at = (text: string) => new Date(text)

test('times that passed are left out, made up for once, or each of them', () => {
  const due = (missed: 'skip' | 'once' | 'all', now: string) => dueTimes('0 6 * * *', 'UTC', missed, at('2026-01-01T06:00:00Z'), at(now))
  assert.deepEqual(due('skip', '2026-01-01T06:00:30Z'), { times: [at('2026-01-01T06:00:00Z')], next: at('2026-01-02T06:00:00Z') })
  assert.deepEqual(due('skip', '2026-01-03T07:00:00Z'), { times: [], next: at('2026-01-04T06:00:00Z') })
  assert.deepEqual(due('once', '2026-01-03T07:00:00Z'), { times: [at('2026-01-03T06:00:00Z')], next: at('2026-01-04T06:00:00Z') })
  assert.deepEqual(due('all', '2026-01-02T07:00:00Z').times, [at('2026-01-01T06:00:00Z'), at('2026-01-02T06:00:00Z')])
})
test('a month of minutes is made up for once as well, and the next time is still to come', () => {
  const now = at('2026-02-01T00:00:30Z')
  const due = (missed: 'skip' | 'once' | 'all') => dueTimes('* * * * *', 'UTC', missed, at('2026-01-01T00:00:00Z'), now)
  const next = at('2026-02-01T00:01:00Z')
  assert.deepEqual(due('once'), { times: [at('2026-02-01T00:00:00Z')], next })
  assert.deepEqual([due('skip').next, due('all').next, due('all').times.length, due('all').times.at(-1)], [next, next, 100, at('2026-02-01T00:00:00Z')])
})
