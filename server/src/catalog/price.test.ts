import assert from 'node:assert/strict'
import test from 'node:test'
import type { Card, PriceList } from '../domain/card.ts'
import { chargeFor, listAt, priceOf } from './price.ts'

const list = (from: string, micros: number): PriceList => ({ from, source: 'test', rows: [{ micros, per: 'image' }] })
const lists = [list('2026-06-01', 2), list('2026-01-01', 1), list('2027-01-01', 3)]
const at = (day: string) => listAt(lists, new Date(`${day}T12:00:00Z`)).rows[0]!.micros

test('the newest list that has begun counts', () => { assert.deepEqual(['2026-05-31', '2026-06-01', '2026-12-31', '2027-01-01'].map(at), [1, 2, 2, 3]) })
test('before all lists, the first one counts', () => { assert.equal(at('2020-01-01'), 1) })

const price = (per: 'image' | 'megapixel' | 'second' | 'video' | 'run', pixels?: number) => priceOf({ id: 'x', prices: [{ from: '2026-01-01', source: 'test', rows: [{ when: { tone: 'loud' }, micros: 999, per: 'run' }, { micros: 10, per }] }] } as Pick<Card, 'id' | 'prices'>,
  { facts: { tone: 'soft' }, count: 3, seconds: 5, ...(pixels === undefined ? {} : { pixels }), now: new Date('2026-06-01') })

test('by the picture', () => { assert.equal(price('image'), 30) })
test('by the megapixel, in whole micro-dollars', () => { assert.deepEqual([price('megapixel', 1536 * 1024), price('megapixel', 256 * 256), price('megapixel')], [45, 3, 30]) })
test('by the second', () => { assert.equal(price('second'), 150) })
test('by the film', () => { assert.equal(price('video'), 30) })
test('by the run, however many come out', () => { assert.equal(price('run'), 10) })
test('what has no price is a bug, not free', () => {
  assert.throws(() => priceOf({ id: 'x', prices: [{ from: '2026-01-01', source: 'test', rows: [{ when: { a: 1 }, micros: 1, per: 'run' }] }] }, { facts: {}, count: 1, seconds: null, now: new Date() }), /no price/)
})

const charge = (priceMicros: number, asked: number, made: number) => chargeFor({ priceMicros, asked, made, usage: undefined, tokens: undefined })
test('fewer pictures cost less, rounded in the caller’s favour', () => {
  assert.deepEqual([charge(40_000, 4, 3), charge(40_000, 4, 4), charge(10, 3, 1), charge(10, 3, 0)], [30_000, 40_000, 3, 0])
})

const tokens = { textIn: 5_000_000, imageIn: 8_000_000, textOut: 10_000_000, imageOut: 30_000_000 }
const sold = (usage: object | undefined, made = 1) => chargeFor({ priceMicros: 53_000, asked: 1, made, usage, tokens })
test('a model that is sold by what it took takes that, and never more than was held', () => {
  assert.equal(sold({ textIn: 22, imageIn: 0, imageOut: 1056 }), 110 + 31_680)
  assert.equal(sold({ textIn: 22, imageOut: 100_000 }), 53_000)
  assert.equal(sold({ textIn: 1 }, 0), 0)
})
test('where nobody told what it took, the price on the card is taken', () => {
  assert.deepEqual([sold(undefined), sold({}), sold({ searches: 3 })], [53_000, 53_000, 53_000])
})
