import assert from 'node:assert/strict'
import { randomFillSync } from 'node:crypto'
import { test } from 'node:test'
import { decodeWhole, encodeInto } from './base64.ts'

const whole = (text: string) => decodeWhole(Buffer.from(text, 'latin1'))

test('megabytes of either alphabet, padded or not, are decoded whole', () => {
  for (const sizeBytes of [0, 1, 2, 3, 49_151, 49_152, 49_153, 100_000, 1_504_001]) {
    const bytes = randomFillSync(Buffer.alloc(sizeBytes))
    const text = bytes.toString('base64')
    for (const written of [text, text.replace(/=+$/, ''), bytes.toString('base64url')]) assert.ok(whole(written)!.equals(bytes), `${sizeBytes} ${written.slice(-4)}`)
  }
})

test('anything else in it is seen', () => {
  const text = randomFillSync(Buffer.alloc(90_000)).toString('base64')
  for (const at of [0, 1, 65_535, 65_536, 119_990]) for (const strange of [' ', '\\', '\n', '=', '%', '\xff']) {
    assert.equal(whole(text.slice(0, at) + strange + text.slice(at + 1)), null, `${strange} at ${at}`)
  }
  assert.equal(whole('AAAAA'), null)
})

test('pieces are encoded into their place', () => {
  const bytes = randomFillSync(Buffer.alloc(200_000))
  const target = Buffer.alloc(300_000)
  const middle = encodeInto(bytes, 0, 99_999, target, 7)
  const end = encodeInto(bytes, 99_999, bytes.length, target, middle)
  assert.equal(target.toString('latin1', 7, end), bytes.toString('base64'))
})
