import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isId, newId, randomText } from './id.ts'

test('ids are UUIDs of version 7, and rise even within a millisecond and when the clock steps back', () => {
  const ids = Array.from({ length: 20_000 }, (_, index) => newId(1_800_000_000_000 - index % 3))
  assert.equal(new Set(ids).size, ids.length)
  assert.deepEqual(ids, [...ids].sort())
  assert.match(ids[0]!, /^[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/)
})

test('an id is known with and without dashes, and nothing else is', () => {
  assert.deepEqual(['01a1fd93fcc770008a9ff2a105eb3e60', '01a1fd93-fcc7-7000-8a9f-f2a105eb3e60', '01A1', '', `${'0'.repeat(33)}`].map(isId), [true, true, false, false, false])
})

test('random text has the letters it should have, and its length', () => {
  assert.match(randomText(200), /^[0-9A-Za-z]{200}$/)
  assert.notEqual(randomText(30), randomText(30))
})
