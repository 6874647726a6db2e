/** What attempts cost the house: written with the fact they belong to, once, and adding up. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Caller } from '../src/domain/caller.ts'
import type { Card, CostList } from '../src/domain/card.ts'
import { done, failed } from '../src/domain/outcome.ts'
import { Problem } from '../src/domain/problem.ts'
import type { Usage } from '../src/domain/usage.ts'
import type { Database } from '../src/db/pool.ts'
import { claim } from '../src/engine/claim.ts'
import { settleGroup, type Settlement } from '../src/engine/settle.ts'
import { newId } from '../src/kit/id.ts'
import { audit } from '../src/ledger/books.ts'
import { readCosts } from '../src/ledger/costs.ts'
import { testDatabase } from './kit/database.ts'
import { ended, newPerson, picture, priceMicros, stoppingDatabase, submit, testEngine } from './kit/engine.ts'
import { youngDay } from './kit/minute.ts'

let database: Database
let close: () => Promise<void>
before(async () => { ({ database, close } = await testDatabase({ max: 20 })) })
after(() => close())

const tokens = { textIn: 500_000, imageIn: 500_000, textOut: 3_000_000, imageOut: 60_000_000 }
const selling = (costs: CostList[], prices: Card['prices'] = []): Partial<Card> => ({ prices, routes: [{ provider: 'made-up', model: 'model', order: 1, weight: 1, costs }] })
const byPicture = selling([{ from: '2026-01-01', source: 'test', rows: [{ tokens }, { micros: 25_000, per: 'image' }], search: { freePerMonth: 5, micros: 14_000 } }])

async function withEngine<T>(options: Parameters<typeof testEngine>[1], work: (running: ReturnType<typeof testEngine>) => Promise<T>): Promise<T> {
  const running = testEngine(database, { card: byPicture, ...options })
  await running.engine.start()
  try { return await work(running) } finally { await running.engine.stop(2_000) }
}

/** What stands in the books about one task's attempts. */
const costsOf = async (taskId: string) => (await database.query<{ number: number; micros: number | null; basis: string; free: number; charged: number }>(
  'select number, micros, basis, searches_free as free, charged_micros as charged from provider_cost where task_id = $1 order by id', [taskId])).rows.map(row => [row.number, row.micros, row.basis, row.charged])

/** Makes one, and says how it ended and what it cost. */
const make = async (submitting: NonNullable<Parameters<typeof testEngine>[1]>['submit'], { count = 1, livemode = true, options = {} as Parameters<typeof testEngine>[1] } = {}) =>
  withEngine({ ...options, ...(submitting ? { submit: submitting } : {}) }, async ({ engine }) => {
    const caller = await newPerson(database, { livemode })
    const { taskId } = await submit(engine, caller, { count })
    const task = await ended(engine, caller, taskId)
    assert.deepEqual(await audit(database), [])
    return { task, costs: await costsOf(taskId) }
  })
const pictures = (count: number) => Array.from({ length: count }, (_, index) => ({ bytes: Buffer.from(`picture ${index}`) }))

test('what the upstream says it took is what it cost', async () => {
  const { costs } = await make(async () => done({ made: [{ bytes: picture }], costMicros: 60_000 }))
  assert.deepEqual(costs, [[1, 60_000, 'reported', priceMicros]])
})

test('else its tokens at the route’s prices, else the route’s list', async () => {
  assert.deepEqual((await make(async () => done({ made: [{ bytes: picture }], usage: { textIn: 2, imageOut: 1_120 } }))).costs, [[1, 67_201, 'usage', priceMicros]])
  assert.deepEqual((await make(async () => done({ made: pictures(3) }), { count: 4 })).costs, [[1, 75_000, 'table', priceMicros * 3]])
})

test('a route without costs is unknown, and is said to be', async () => {
  assert.deepEqual((await make(undefined, { options: { card: selling([]) } })).costs, [[1, null, 'unknown', priceMicros]])
})

test('what is made under a test key costs nothing and is not in these books', async () => {
  assert.deepEqual((await make(undefined, { livemode: false })).costs, [])
})

test('an attempt that failed and cost something all the same is written down', async () => {
  const blocked = await make(async () => failed(new Problem('content_rejected', 'no'), null, { usage: { textIn: 16, imageIn: 258, textOut: 0, imageOut: 0 } }))
  assert.deepEqual([blocked.task.chargedMicros, blocked.costs], [0, [[1, 137, 'usage', 0]]])
  const useless = await make(async () => done({ made: [{ bytes: picture }] }), { options: { storeMade: async () => { throw new Problem('bad_output', 'no picture') } } })
  assert.deepEqual([useless.task.problem?.code, useless.task.chargedMicros, useless.costs], ['bad_output', 0, [[1, 25_000, 'table', 0]]])
  assert.deepEqual((await make(async () => failed(new Problem('provider_failed', 'no')))).costs, [[1, null, 'unknown', 0]])
  assert.deepEqual((await make(async () => failed(new Problem('provider_failed', 'no'), null, { costMicros: 0 }))).costs, [[1, 0, 'reported', 0]])
  assert.deepEqual((await make(async () => { throw new Problem('provider_down', 'cut', { reached: true }) })).costs, [[1, null, 'unknown', 0]])
})

test('what was never bought costs nothing: busy, down, refused as it was written', async () => {
  const { task, costs } = await make(async job => job.attempt < 3 ? failed(new Problem('provider_busy', 'busy'), 5) : done({ made: [{ bytes: picture }] }))
  assert.deepEqual([task.attempts, costs], [3, [[3, 25_000, 'table', priceMicros]]])
  assert.deepEqual((await make(async () => failed(new Problem('provider_rejected', 'no')))).costs, [])
})

test('a model sold by what it took takes that, and never more than was held', async () => {
  const card = selling([], [{ from: '2026-01-01', source: 'test', rows: [{ micros: priceMicros, per: 'image' }], tokens: { textIn: 1_000_000, imageIn: 0, textOut: 0, imageOut: 30_000_000 } }])
  const sold = (usage: Usage | undefined, count = 1) => make(async () => done({ made: pictures(count), ...(usage ? { usage } : {}) }), { count, options: { card } })
  assert.equal((await sold({ textIn: 100, imageOut: 500 })).task.chargedMicros, 15_100)
  assert.equal((await sold({ textIn: 100, imageOut: 5_000 })).task.chargedMicros, priceMicros)
  assert.equal((await sold(undefined)).task.chargedMicros, priceMicros)
  assert.deepEqual((await sold({ textIn: 100, imageOut: 1_000 }, 2)).costs, [[1, null, 'unknown', 30_100]])
})

test('the month’s free searches are given away once, whoever settles at the same time', async () => {
  await youngDay()
  await withEngine({ submit: async () => done({ made: [{ bytes: picture }], usage: { imageOut: 1_000, searches: 2 } }) }, one => withEngine({ submit: async () => done({ made: [{ bytes: picture }], usage: { imageOut: 1_000, searches: 2 } }) }, async other => {
    const caller = await newPerson(database, { livemode: true })
    const tasks = await Promise.all(Array.from({ length: 20 }, (_, index) => submit(index % 2 ? one.engine : other.engine, caller)))
    await Promise.all(tasks.map(({ taskId }) => ended(one.engine, caller, taskId)))
    const { rows: [sum] } = await database.query<{ micros: number; free: number }>('select sum(micros)::bigint as micros, sum(searches_free)::int as free from provider_cost where task_id = any($1::uuid[])', [tasks.map(task => task.taskId)])
    // 40 searches, five of them free.
    assert.deepEqual(sum, { micros: 20 * 60_000 + 35 * 14_000, free: 5 })
  }))
  assert.deepEqual(await audit(database), [])
})

test('free searches begin anew each month', async () => {
  await database.query(`update free_use set month = month - interval '1 month'`)
  await database.query(`update provider_cost set created_at = created_at - interval '1 month'`)
  await withEngine({ submit: async () => done({ made: [{ bytes: picture }], usage: { imageOut: 1_000, searches: 2 } }) }, async ({ engine }) => {
    const caller = await newPerson(database, { livemode: true })
    const { taskId } = await submit(engine, caller)
    await ended(engine, caller, taskId)
    assert.deepEqual(await costsOf(taskId), [[1, 60_000, 'usage', priceMicros]])
  })
  assert.deepEqual(await audit(database), [])
})

/** A settlement in hand, not yet written. */
async function inHand(caller: Caller): Promise<Settlement> {
  const { engine } = testEngine(database, { work: null })
  const { taskId } = await submit(engine, caller)
  const { claims } = await claim(database, newId(), [{ provider: 'made-up', slots: 1000, limits: { concurrency: null, perMinute: null, perProcess: null } }], 0)
  const { row } = claims.find(one => one.row.id === taskId)!
  return { id: taskId, turn: row.turn, state: 'done', attemptOutcome: 'done', chargedMicros: priceMicros, outputs: [], cost: { micros: 60_000, basis: 'usage', usage: { imageOut: 1_000, searches: 2 }, search: { freePerMonth: 5, micros: 14_000 } } }
}

test('a stop between two statements of a settlement leaves neither a cost nor a charge nor a used search; written again, each once', async () => {
  const used = async () => (await database.query<{ used: number }>('select coalesce(sum(used), 0)::int as used from free_use')).rows[0]!.used
  const usedBefore = await used()
  const settlement = await inHand(await newPerson(database, { livemode: true }))
  // Each statement of the transaction in turn is the one that is never heard.
  for (let stopAt = 1; ; stopAt++) {
    const { stopping, state } = stoppingDatabase(database, stopAt)
    await settleGroup(stopping, null)([settlement]).catch(error => { assert.match(String(error), /stopped here/) })
    if (!state.stopped) break
    assert.deepEqual([await costsOf(settlement.id), await used()], [[], usedBefore], `stopped at statement ${stopAt}`)
    assert.deepEqual(await audit(database), [])
  }
  assert.deepEqual(await costsOf(settlement.id), [[1, 60_000, 'usage', priceMicros]])
  assert.equal((await settleGroup(database, null)([settlement])).held.size, 0)
  assert.deepEqual([await costsOf(settlement.id), await used(), await audit(database)], [[[1, 60_000, 'usage', priceMicros]], usedBefore + 2, []])
})

test('an attempt that was done without its cost is found by the audit', async () => {
  const settlement = await inHand(await newPerson(database, { livemode: true }))
  await settleGroup(database, null)([settlement])
  await assert.rejects(database.transaction(async client => {
    await client.query('delete from provider_cost where task_id = $1', [settlement.id])
    const found = await audit(client)
    assert.ok(found.some(sentence => sentence.includes('nobody wrote down what it cost')), found.join('\n'))
    throw new Error('put back')
  }), /put back/)
})

test('the operator sees by day, provider and model what was paid and what was charged', async () => {
  await make(undefined, { options: { card: selling([]) } })
  // Some of it may have been made before midnight.
  const lines = await readCosts(database, { from: new Date(0), to: new Date(Date.now() + 60_000) })
  const { rows } = await database.query<{ cost: number; charged: number; attempts: number; unknown: number }>(`
    select sum(micros)::bigint as cost, sum(charged_micros)::bigint as charged, count(*)::int as attempts, count(*) filter (where micros is null)::int as unknown from provider_cost
    group by date_trunc('day', created_at, 'UTC') order by date_trunc('day', created_at, 'UTC')`)
  const ordered = lines.toSorted((one, other) => String(one.day).localeCompare(String(other.day)))
  assert.deepEqual(ordered.map(line => [line.provider, line.model, line.costMicros, line.chargedMicros, line.attempts, line.unknown]), rows.map(sum => ['made-up', 'model', sum.cost, sum.charged, sum.attempts, sum.unknown]))
})

