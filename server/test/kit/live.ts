import assert from 'node:assert/strict'
import { test } from 'node:test'
/** A live order from outside and what it did to the money: for the suites that send real cards to rehearsed upstreams. */
import type { Expected } from '../upstreams/loopback.ts'
import type { TestHouse } from './house.ts'

export type { Expected }

export interface Sent { status: number; body: any }

/** Orders, and waits for the end, on a busy machine several times; with `waitS` below 20 only as long as that. */
export async function send(house: TestHouse, body: object, waitS = 55, key = house.liveKey): Promise<Sent> {
  const headers = { authorization: `Bearer ${key}` }
  const read = async (answer: Response): Promise<Sent> => ({ status: answer.status, body: await answer.json() })
  let sent = await read(await fetch(`${house.url}/plantain/v1/tasks?wait=${waitS}`, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body) }))
  for (let waits = 0; waitS >= 20 && sent.body.ended_at === null && waits < 10; waits++) sent = await read(await fetch(`${house.url}/plantain/v1/tasks/${sent.body.id}/wait?timeout=55`, { headers }))
  return sent
}

/**
 * What was held for a task and what it took in the end, in micro-dollars, by the ledger.
 *
 * A hold takes the price away at once; a capture gives back what was held too much, a release everything.
 */
export async function moneyOf(house: TestHouse, taskId: string): Promise<{ held: number; captured: number }> {
  const { rows } = await house.database.query<{ kind: string; amount: number }>('select kind, amount_micros::float8 as amount from ledger where task_id = $1', [taskId])
  const held = -(rows.find(({ kind }) => kind === 'hold')?.amount ?? 0) || 0
  return { held, captured: -rows.reduce((sum, { amount }) => sum + amount, 0) || 0 }
}

/** Before each test of a house whose upstreams were told to misbehave: they are well, and nobody remembers that they were not. */
export async function makeWell(house: TestHouse, upstreams: { reset(): void }[]): Promise<void> {
  for (const upstream of upstreams) upstream.reset()
  await house.database.query('delete from provider_health')
  await house.database.query('delete from provider_pace')
  await house.house.routing.changed()
}

/** What the operator's books have of a task's attempts, in order. */
export async function costsOf(house: TestHouse, taskId: string): Promise<NonNullable<Expected['costs']>> {
  const { rows } = await house.database.query<{ told: boolean }>(`select basis = 'reported' or usage is not null as told from provider_cost where task_id = $1 order by id`, [taskId])
  return rows.map(({ told }) => told ? 'told' : 'open')
}

export interface MoneyTable {
  house(): TestHouse
  upstream(): { stats(): { asked: number; bought: number } }
  model: string
  /** Must not be found in what the caller hears. */
  key: string
  /** What one making takes, where the model is sold by tokens and writes. Absent: all that was held. */
  takesMicros?: number
}

/** A money table's rows: each orders `fault:<word>` of the rehearsed upstream and checks what it cost everybody. */
export const moneyTable = (table: MoneyTable) => (word: string, expected: Expected, more: Record<string, unknown> = {}) =>
  test(titleOf(word, expected), async () => {
    const { house, upstream, model, key, takesMicros } = table
    // Each fault meets an upstream that was well: the breaker (`routing.test.ts`) would leave one alone that had five in a row.
    await house().database.query('delete from provider_health')
    const { body } = await send(house(), { model, prompt: `a kite fault:${word}`, ...more })
    await checkMoney(house(), body, { stats: upstream().stats(), key, takesMicros, expected, count: (more.parameters as { count?: number } | undefined)?.count ?? 1 })
    assert.deepEqual(await house().audit(), [])
  })

export const titleOf = (word: string, { asked, bought, captured, code }: Expected) => `${word}: asked ${asked}, bought ${bought}, captured ${captured}${code ? `, ${code}` : ''}`

/** Holds a task that has ended against what it should have come to. `stats`: what the upstream counted, where there is one outside. */
export async function checkMoney(house: TestHouse, body: any, { stats, key, takesMicros, count = 1, expected }: { stats: { asked: number; bought: number } | undefined; key: string | null; takesMicros?: number | undefined; count?: number; expected: Expected }): Promise<void> {
  const { asked, bought, captured, code, made = 0, attempts = 1, costs = captured > 0 ? ['told'] : bought > 0 || code === 'outcome_unknown' ? ['open'] : [] } = expected
  assert.deepEqual([body.problem?.code, body.operation === 'write' ? Number(body.text !== null) : body.outputs?.length], [code, made], JSON.stringify(body.problem ?? body.error))
  const money = await moneyOf(house, body.id)
  assert.ok(money.held > 0)
  assert.deepEqual({ ...(stats ? { asked: stats.asked, bought: stats.bought } : {}), attempts: body.attempts, captured: money.captured }, { ...(stats ? { asked, bought } : {}), attempts, captured: captured * (takesMicros ?? money.held / count) })
  assert.deepEqual(await costsOf(house, body.id), costs)
  if (key !== null) assert.ok(!JSON.stringify(body).includes(key), 'the key stays here')
}
