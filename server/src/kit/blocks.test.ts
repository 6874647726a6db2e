import assert from 'node:assert/strict'
import { test } from 'node:test'
import { borrow, giveBack, hold } from './blocks.ts'

test('memory that was given back shows its old holder nothing', () => {
  for (const sizeBytes of [100_000, 1_500_000, 2_000_001, 30_000_000]) {
    const first = borrow(sizeBytes).fill(1)
    const view = first.subarray(10)
    assert.equal(first.length, sizeBytes)
    giveBack(first)
    const second = borrow(sizeBytes).fill(2)
    assert.deepEqual([first.length, view.length, second.length], [0, 0, sizeBytes])
    giveBack(first)
    giveBack(view)
    const third = borrow(sizeBytes)
    assert.notEqual(third.buffer, second.buffer)
    assert.ok(second.every(byte => byte === 2))
    giveBack(second)
    giveBack(third)
  }
})

test('memory that several hold stays until the last has let go', () => {
  const bytes = borrow(500_000).fill(3)
  const part = hold(bytes.subarray(1_000, 2_000))
  giveBack(bytes)
  assert.deepEqual([bytes.length, part.length, part[0]], [500_000, 1_000, 3])
  giveBack(part)
  assert.deepEqual([bytes.length, part.length], [0, 0])
})

test('what was never borrowed stays what it is', () => {
  for (const own of [Buffer.from('a picture'), Buffer.alloc(1_000_000, 7), new Uint8Array(3)]) {
    giveBack(own)
    assert.ok(own.length > 0)
  }
  for (const sizeBytes of [0, 5, 40_000_000]) {
    const made = borrow(sizeBytes)
    giveBack(made)
    assert.equal(made.length, sizeBytes)
  }
})
