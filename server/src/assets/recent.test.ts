import assert from 'node:assert/strict'
import { test } from 'node:test'
import { borrow } from '../kit/blocks.ts'
import { createRecent } from './recent.ts'

const picture = (byte: number) => borrow(100_000).fill(byte)

test('a picture is lent until its first reader is done with it', () => {
  const recent = createRecent()
  recent.keep('a', picture(1))
  const [one, other] = [recent.lend('a')!, recent.lend('a')!]
  one.release()
  one.release()
  assert.equal(recent.lend('a'), null)
  assert.equal(other.bytes[5], 1)
  other.release()
  assert.equal(other.bytes.length, 0)
})

test('one that is forgotten while it is read is read to its end', () => {
  const recent = createRecent()
  recent.keep('a', picture(1))
  const { bytes, release } = recent.lend('a')!
  recent.forget('a')
  assert.equal(recent.lend('a'), null)
  assert.equal(bytes[5], 1)
  release()
  assert.equal(bytes.length, 0)
})

test('few are kept: the oldest goes first, and its memory with it', () => {
  const recent = createRecent()
  const kept = Array.from({ length: 12 }, (_, index) => borrow(4_000_000).fill(index))
  for (const [index, bytes] of kept.entries()) recent.keep(`picture ${index}`, bytes)
  assert.equal(recent.lend('picture 0'), null)
  assert.equal(kept[0]!.length, 0)
  assert.equal(recent.lend('picture 11')!.bytes[0], 11)
})
