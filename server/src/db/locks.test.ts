import assert from 'node:assert/strict'
import { test } from 'node:test'
import { locks } from './locks.ts'

test('no two locks are one', () => {
  const numbers: number[] = Object.values(locks)
  assert.equal(new Set(numbers).size, numbers.length)
})
