/** A house that makes nothing at a loss (`ROUTES_AT_A_LOSS=false`), seen from outside: routes whose lists say more than the caller pays are not there for that order. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import type { Card, CostRow } from '../src/domain/card.ts'
import { startUpstream, type Upstream } from '../src/providers/rehearsal/upstream.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { makeWell, moneyOf, send } from './kit/live.ts'

/** Sold at 40,000: the first upstream takes more for 16:9, the second less for all but two at once, and nobody knows what the third takes. */
const card = JSON.parse(readFileSync(new URL('kit/cards/rehearsal-3.json', import.meta.url), 'utf8')) as Card
const costing = (index: number, rows: CostRow[], from = '2026-01-01') => ({ ...card.routes[index]!, costs: [{ from, source: 'tests', rows }] })
const dear: CostRow = { micros: 41_000, per: 'image' }
const cards = [
  { ...card, routes: [costing(0, [{ ...dear, when: { aspect_ratio: '16:9' } }, { micros: 40_000, per: 'image' }]), costing(1, [{ micros: 30_000, per: 'image' }]), card.routes[2]!] },
  { ...card, id: 'rehearsal-dear', routes: [costing(0, [dear]), costing(1, [dear])] },
]

let house: TestHouse
let careless: TestHouse
let upstreams: Upstream[]
before(async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'plantain-losses-'))
  after(() => rmSync(folder, { recursive: true }))
  for (const one of cards) writeFileSync(path.join(folder, `${one.id}.json`), JSON.stringify(one))
  const [b, c] = await Promise.all([startUpstream(), startUpstream()])
  const settings = { PLANTAIN_CARDS: folder, PROVIDER_ACCOUNTS: 'rehearsal-b=rehearsal, rehearsal-c=rehearsal', REHEARSAL_B_BASE_URL: b.url, REHEARSAL_C_BASE_URL: c.url }
  house = await testHouse({ settings: { ...settings, ROUTES_AT_A_LOSS: 'false' } })
  careless = await testHouse({ settings })
  upstreams = [house.upstream, b, c]
})
after(async () => {
  await Promise.all([house?.close(), careless?.close()])
  await Promise.all(upstreams.slice(1).map(one => one.close()))
})
beforeEach(() => makeWell(house, upstreams))

const order = (parameters: object, model = 'rehearsal-3', at = house) => send(at, { model, prompt: 'a kite', parameters }, 20)
const asked = () => upstreams.map(one => one.stats().asked)

test('a route that takes no more than is paid is taken', async () => {
  const { body } = await order({})
  assert.deepEqual([body.state, body.served_by, asked()], ['done', 'rehearsal', [1, 0, 0]], JSON.stringify(body.problem))
})
test('for what it takes more for, the next one is, and the price stays', async () => {
  const { body } = await order({ aspect_ratio: '16:9', count: 2 })
  assert.deepEqual([body.state, body.served_by, body.tried.length, body.outputs.length], ['done', 'rehearsal-b', 1, 2], JSON.stringify(body.problem))
  assert.deepEqual(await moneyOf(house, body.id), { held: 80_000, captured: 80_000 })
  assert.equal(upstreams[0]!.stats().asked, 0)
})
test('no fallback leads there either; who has no figure is asked', async () => {
  upstreams[1]!.tell({ does: { kind: 'busy', retryAfterS: 30 } })
  const { body } = await order({ aspect_ratio: '16:9' })
  assert.deepEqual([body.state, body.served_by, asked()], ['done', 'rehearsal-c', [0, 1, 1]], JSON.stringify(body.problem))
})
test('where everybody takes more it is refused, and nothing happens', async () => {
  const before = await house.database.query('select count(*)::int as count from task')
  const { status, body } = await order({}, 'rehearsal-dear')
  assert.deepEqual([status, body.error.code], [503, 'provider_not_configured'])
  assert.match(body.error.message, /takes more for this than it is sold for/)
  assert.deepEqual([(await house.database.query('select count(*)::int as count from task')).rows, asked()], [before.rows, [0, 0, 0]])
  assert.deepEqual(await house.audit(), [])
})
test('a house that was not told so takes the routes in their order', async () => {
  const { body } = await order({}, 'rehearsal-dear', careless)
  assert.deepEqual([body.state, body.served_by], ['done', 'rehearsal'], JSON.stringify(body.problem))
})
