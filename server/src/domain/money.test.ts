import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { formatDollars, readDollars } from './money.ts'
import { draws } from '../../test/kit/chance.ts'

test('micro-dollars are written without waste', () =>
  assert.deepEqual([0, 1, 33_600, 40_000, 1_000_000, 1_234_567_890, -5_000].map(formatDollars), ['0.00', '0.000001', '0.0336', '0.04', '1.00', '1234.56789', '-0.005']))

test('what is finer than a micro-dollar, or no amount, is none', () =>
  assert.deepEqual(['12.5', '0.0000001', '-1', '1e3', '', '1.', '1000000000'].map(readDollars), [12_500_000, null, null, null, null, null, null]))

test('what is written is read back exactly', () => fc.assert(fc.property(fc.integer({ min: 0, max: 999_999_999_999_999 }), micros => { assert.equal(readDollars(formatDollars(micros)), micros) }), draws(100)))
