import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addTook } from './usage.ts'

test('several calls are added up, field by field', () => {
  assert.deepEqual(addTook([{ usage: { textIn: 1, imageOut: 10 }, costMicros: 5 }, { usage: { textIn: 2, searches: 1 }, costMicros: 0 }]), { usage: { textIn: 3, imageOut: 10, searches: 1 }, costMicros: 5 })
})
test('what one call did not tell is not told of all', () => {
  assert.deepEqual(addTook([{ usage: { textIn: 1 }, costMicros: 5 }, {}]), {})
  assert.deepEqual(addTook([]), {})
})
