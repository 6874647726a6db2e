import assert from 'node:assert/strict'
import test from 'node:test'
import type { CostList } from '../domain/card.ts'
import { costOf, costsOf, losesOn, type Attempted } from './cost.ts'

const tokens = { textIn: 500_000, imageIn: 500_000, textOut: 3_000_000, imageOut: 60_000_000 }
const costs: CostList[] = [
  { from: '2026-01-01', source: 'test', rows: [{ micros: 999, per: 'image' }] },
  { from: '2026-06-01', source: 'test', rows: [{ when: { resolution: '4K' }, micros: 151_000, per: 'image' }, { tokens }, { micros: 67_000, per: 'image' }], search: { freePerMonth: 5_000, micros: 14_000 } },
]
const usage = { textIn: 16, imageIn: 258, textOut: 100, imageOut: 1_120 }
const cost = (more: Partial<Attempted> = {}, lists: CostList[] | null = costs) => {
  const { micros, basis } = costOf(lists ?? undefined, { took: {}, made: 1, facts: { resolution: '1K' }, seconds: null, pixels: null, now: new Date('2026-11-20'), ...more })
  return [micros, basis]
}

test('what the upstream says it took is better than any table', () => assert.deepEqual(cost({ took: { costMicros: 60_000, usage } }), [60_000, 'reported']))
test('an upstream may say that it took nothing', () => assert.deepEqual(cost({ took: { costMicros: 0 }, made: 0 }), [0, 'reported']))
test('usage at the route’s prices of tokens, a fraction rounded up', () => assert.deepEqual(cost({ took: { usage } }), [8 + 129 + 300 + 67_200, 'usage']))
test('a part of a micro-dollar is one', () => assert.deepEqual(cost({ took: { usage: { textIn: 1 } } }), [1, 'usage']))
test('without usage the price list counts, for as many as came', () => {
  assert.deepEqual(cost({ made: 3 }), [201_000, 'table'])
  assert.deepEqual(cost({ made: 3, took: { usage: { searches: 2 } } }), [201_000, 'table'])
})
test('the first row that agrees counts, also before token rows', () => assert.deepEqual(cost({ facts: { resolution: '4K' }, took: { usage } }), [151_000, 'table']))
test('the list of that day counts', () => assert.deepEqual(cost({ now: new Date('2026-03-01') }), [999, 'table']))
test('nothing came and nothing was told: unknown', () => assert.deepEqual(cost({ made: 0 }), [null, 'unknown']))
test('nothing came and its usage was told: that', () => assert.deepEqual(cost({ made: 0, took: { usage: { textIn: 16, imageIn: 258, textOut: 0, imageOut: 0 } } }), [137, 'usage']))
test('a route without costs, or without a row for this, is unknown', () => {
  assert.deepEqual([cost({}, null), cost({}, [])], [[null, 'unknown'], [null, 'unknown']])
  assert.deepEqual(cost({ took: { usage } }, [{ from: '2026-01-01', source: 'test', rows: [{ when: { resolution: '8K' }, micros: 1, per: 'run' }] }]), [null, 'unknown'])
})
test('a row that says why no figure stands there is unknown, never nothing, and the upstream’s word still wins', () => {
  const lists: CostList[] = [{ from: '2026-01-01', source: 'test', rows: [{ when: { resolution: '1K' }, unlisted: 'no list names it' }, { micros: 1, per: 'image' }] }]
  assert.deepEqual([cost({}, lists), cost({ took: { usage } }, lists), cost({ took: { costMicros: 7 } }, lists)], [[null, 'unknown'], [null, 'unknown'], [7, 'reported']])
  assert.deepEqual(cost({ facts: { resolution: '4K' } }, lists), [1, 'table'])
})
test('by the second of what was asked', () => assert.deepEqual(cost({ seconds: 8, made: 2 }, [{ from: '2026-01-01', source: 'test', rows: [{ micros: 100_000, per: 'second' }] }]), [1_600_000, 'table']))
test('searches are priced where they are written down, and not beside a reported cost', () => {
  const asked = { made: 1, facts: {}, seconds: null, now: new Date('2026-11-20') }
  assert.deepEqual(costOf(costs, { ...asked, took: { usage: { ...usage, searches: 3 } } }).search, { freePerMonth: 5_000, micros: 14_000 })
  assert.equal(costOf(costs, { ...asked, took: { costMicros: 5, usage: { searches: 3 } } }).search, null)
})

const loses = (priceMicros: number, lists: CostList[] | undefined = costs, more: object = {}) =>
  losesOn({ output: { kind: 'image', countMax: 4 } }, lists, { operation: 'generate', parameters: { resolution: '1K' }, count: 2, width: null, height: null, priceMicros, ...more }, new Date('2026-11-20'))
test('an order loses where the list of its day says more than it was sold for, for all of its pictures', () => {
  assert.deepEqual([loses(134_000), loses(133_999), loses(160_000, costs, { parameters: { resolution: '4K' } })], [false, true, true])
})
test('without a figure nobody can say that it loses, nor of words before they are counted', () => {
  assert.deepEqual([loses(1, []), loses(1, [{ from: '2026-01-01', source: 'test', rows: [{ tokens }] }]), loses(1, [{ from: '2026-01-01', source: 'test', rows: [{ unlisted: 'nobody lists it' }] }]), loses(1, costs, { operation: 'write' })], [false, false, false, false])
})
test('a further account of a provider pays what that does, and a name that is not on the card nobody knows what', () => {
  const card = { routes: [{ provider: 'kie', model: 'm', order: 1, weight: 1, costs }] }
  const of = (provider: string, model = 'm') => costsOf(card, { provider, model }, id => id === 'kie-two' ? 'kie' : undefined) === costs
  assert.deepEqual([of('kie'), of('kie-two'), of('fal'), of('kie', 'n')], [true, true, false, false])
})
