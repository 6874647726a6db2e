import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limitsOf } from './providers.ts'

const limits = { concurrency: 10, perMinute: 100, perProcess: null }

test('an order of several that becomes as many calls is held to the calls a minute and at once', () => {
  assert.deepEqual(limitsOf({ limits, oneEach: true }, {}, {}), { ...limits, imagesPerMinute: 100, countsCalls: true })
  assert.deepEqual(limitsOf({ limits, oneEach: true }, {}, { perMinute: 10 }), { ...limits, perMinute: 10, imagesPerMinute: 10, countsCalls: true })
})
test('what the operator says of pictures holds, and so does what a connection says', () => {
  assert.equal(limitsOf({ limits, oneEach: true }, {}, { imagesPerMinute: 7 }).imagesPerMinute, 7)
  assert.deepEqual(limitsOf({ limits, oneEach: true }, { limits: { perMinute: 50, imagesPerMinute: 30 } }, {}), { ...limits, perMinute: 50, imagesPerMinute: 30, countsCalls: true })
})
test('several in one call are one call', () => assert.deepEqual(limitsOf({ limits }, {}, { concurrency: 3 }), { ...limits, concurrency: 3 }))
