import assert from 'node:assert/strict'
import test from 'node:test'
import type { Card, CostRow, PriceRow } from '../domain/card.ts'
import { casesOf, lossesOf } from './cases.ts'

const now = new Date('2026-11-30')
const card = (prices: PriceRow[], costs?: CostRow[]) => ({
  id: 'm', operations: ['generate'], prices: [{ from: '2026-01-01', source: 'test', rows: prices }],
  parameters: { type: 'object', properties: { resolution: { enum: ['1K', '2K'], default: '1K' }, search: { type: 'boolean' }, duration_s: { type: 'integer', default: 8 } } },
  routes: [{ provider: 'kie', model: 'm', order: 1, weight: 1, ...(costs ? { costs: [{ from: '2026-01-01', source: 'test', rows: costs }] } : {}) }],
}) as unknown as Card
const lost = (prices: PriceRow[], costs?: CostRow[]) => lossesOf(card(prices, costs), now).map(({ facts, costMicros, priceMicros }) => [facts.resolution, costMicros, priceMicros])

test('an order may have each value of a list, a yes or no that may be left out, and of a number what the rows name', () => {
  const of = (...rows: object[]) => casesOf(card([]), 'generate', rows)
  assert.deepEqual(of({}), [{ operation: 'generate' }])
  assert.deepEqual(of({ when: { resolution: '2K' } }), [{ operation: 'generate', resolution: '1K' }, { operation: 'generate', resolution: '2K' }])
  assert.deepEqual(of({ when: { search: true } }).map(({ search }) => search), [true, false, undefined])
  assert.deepEqual(of({ when: { duration_s: 5 } }, {}).map(({ duration_s: seconds }) => seconds), [5, 8])
  assert.deepEqual(of({ when: { operation: 'generate', priority: 'batch' } }).map(({ priority }) => priority), ['interactive', 'batch'])
})

test('a route loses where its cost for an order is above the price of the same order, and tells the worst of them', () => {
  const price: PriceRow[] = [{ when: { resolution: '2K' }, micros: 60, per: 'image' }, { micros: 40, per: 'image' }]
  assert.deepEqual(lost(price, [{ when: { resolution: '2K' }, micros: 70, per: 'image' }, { micros: 80, per: 'image' }]), [['1K', 80, 40]])
  assert.deepEqual(lost(price, [{ when: { resolution: '2K' }, micros: 60, per: 'image' }, { micros: 40, per: 'image' }]), [])
})

test('what is not listed, sold by another measure or by tokens, or has no costs, says nothing about losses', () => {
  const price: PriceRow[] = [{ micros: 40, per: 'image' }]
  assert.deepEqual([lost(price), lost(price, [{ unlisted: 'why' }]), lost(price, [{ micros: 90, per: 'second' }]), lost(price, [{ tokens: { textIn: 1, imageIn: 1, textOut: 1, imageOut: 1 } }])], [[], [], [], []])
})
