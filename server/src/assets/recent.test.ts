import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeWhole } from '../kit/base64.ts'
import { borrow, giveBack } from '../kit/blocks.ts'
import { createRecent } from './recent.ts'

const picture = (byte: number) => borrow(100_000).fill(byte)

test('a picture is lent until its first reader is done with it', () => {
  const recent = createRecent()
  recent.keep('a', picture(1))
  const [one, other] = [recent.lend('a')!, recent.lend('a')!]
  one.release()
  one.release()
  assert.equal(recent.lend('a'), null)
  assert.equal(other.bytes![5], 1)
  other.release()
  assert.equal(other.bytes!.length, 0)
})

test('one that is forgotten while it is read is read to its end', () => {
  const recent = createRecent()
  recent.keep('a', picture(1))
  const { bytes, release } = recent.lend('a')!
  recent.forget('a')
  assert.equal(recent.lend('a'), null)
  assert.equal(bytes![5], 1)
  release()
  assert.equal(bytes!.length, 0)
})

test('one that came as base64 is kept as that, and its bytes are let go', () => {
  const recent = createRecent()
  const answer = borrow(400_000)
  const written = picture(7).toString('base64')
  answer.write(written, 100, 'latin1')
  const bytes = decodeWhole(answer.subarray(100, 100 + written.length))!
  recent.keep('a', bytes)
  assert.equal(bytes.length, 0)
  // Whoever read the answer is done with it; the picture in it is not.
  giveBack(answer)
  const { base64, release } = recent.lend('a')!
  assert.equal(base64!.toString('latin1'), written)
  release()
  assert.equal(answer.length, 0)
})

test('base64 that we would write otherwise is decoded only', () => {
  const recent = createRecent()
  for (const [index, written] of [picture(7).toString('base64').replaceAll('=', ''), Buffer.alloc(100_000, 0xff).toString('base64url'), `${Buffer.alloc(99_999).toString('base64')}AR==`].entries()) {
    recent.keep(String(index), decodeWhole(Buffer.from(written))!)
    const { base64, bytes } = recent.lend(String(index))!
    assert.equal(base64, undefined)
    assert.ok(bytes!.equals(Buffer.from(written, 'base64')))
  }
})

test('few are kept: the oldest goes first, and its memory with it', () => {
  const recent = createRecent()
  const kept = Array.from({ length: 12 }, (_, index) => borrow(4_000_000).fill(index))
  for (const [index, bytes] of kept.entries()) recent.keep(`picture ${index}`, bytes)
  assert.equal(recent.lend('picture 0'), null)
  assert.equal(kept[0]!.length, 0)
  assert.equal(recent.lend('picture 11')!.bytes![0], 11)
})
