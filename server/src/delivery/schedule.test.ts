import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pauseMs, pausesMs } from './schedule.ts'

const half = 0.5

test('eleven attempts over a day', () => {
  assert.equal(pausesMs.length + 1, 11)
  const hours = pausesMs.reduce((sum, pause) => sum + pause, 0) / 3_600_000
  assert.ok(hours > 23 && hours <= 24, `${hours} hours`)
})

test('the first pause is five seconds and the last attempt has none', () => {
  assert.equal(pauseMs(1, null, half), 5_000)
  assert.equal(pauseMs(2, null, half), 30_000)
  assert.equal(pauseMs(10, null, half), 8 * 3_600_000)
  assert.equal(pauseMs(11, null, half), null)
  assert.equal(pauseMs(200, null, half), null)
})

test('chance spreads a pause by a fifth either way', () => {
  assert.equal(pauseMs(1, null, 0), 4_000)
  assert.equal(pauseMs(1, null, 0.999_999), 6_000)
})

test("the receiver's patience is a floor, not a wish", () => {
  assert.equal(pauseMs(1, 60_000, half), 60_000)
  assert.equal(pauseMs(3, 1_000, half), 120_000)
})

test('patience does not prolong the schedule', () => assert.equal(pauseMs(11, 60_000, half), null))
