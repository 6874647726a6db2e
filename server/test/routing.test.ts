/** Routes of live work, seen from outside: three rehearsed upstreams behind one card, and who is asked when one of them cannot. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { startUpstream, type Upstream } from '../src/providers/rehearsal/upstream.ts'
import type { Rule } from '../src/providers/rehearsal/rules.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { moneyOf, send } from './kit/live.ts'
import { until } from './kit/engine.ts'

let house: TestHouse
let upstreams: Upstream[]
before(async () => {
  const [b, c] = await Promise.all([startUpstream(), startUpstream()])
  house = await testHouse({ settings: { PROVIDER_ACCOUNTS: 'rehearsal-b=rehearsal, rehearsal-c=rehearsal', REHEARSAL_B_BASE_URL: b.url, REHEARSAL_C_BASE_URL: c.url } })
  upstreams = [house.upstream, b, c]
})
after(async () => {
  await house.close()
  await Promise.all(upstreams.slice(1).map(one => one.close()))
})
beforeEach(async () => {
  for (const upstream of upstreams) upstream.reset()
  await house.database.query('delete from provider_health')
  await house.database.query('delete from provider_pace')
  await settled(() => house.house.routing.states().length === 0)
})

const settled = (condition: () => boolean) => until(condition, 'every process to know')
const order = (more: object = {}, waitS = 20) => send(house, { model: 'rehearsal-3', prompt: 'a kite', ...more }, waitS)
const tell = (which: number, does: Rule['does'], more: Partial<Rule> = {}) => upstreams[which]!.tell({ does, ...more })
const asked = () => upstreams.map(one => one.stats().asked)
const bought = () => upstreams.map(one => one.stats().accepted)
const attemptsOf = async (id: string) => (await house.database.query(`select provider, upstream_model, outcome, problem->>'code' as code from attempt where task_id = $1 order by number`, [id])).rows.map(row => [row.provider, row.outcome, row.code])
const wellDone = async (body: any, servedBy: string) => {
  assert.deepEqual([body.state, body.served_by, body.outputs?.length], ['done', servedBy, 1], JSON.stringify(body.problem ?? body.error))
  assert.deepEqual(await moneyOf(house, body.id), { held: 40_000, captured: 40_000 })
  assert.deepEqual(await house.audit(), [])
}

test('the first route makes it while it can', async () => {
  const { body } = await order()
  await wellDone(body, 'rehearsal')
  assert.deepEqual([asked(), body.warnings], [[1, 0, 0], []])
})

test('a busy, a broken and an unclaimed upstream: the next route is asked at once, and every asking is written down', async () => {
  tell(0, { kind: 'busy', retryAfterS: 30 })
  tell(1, { kind: 'error', status: 500 })
  const started = performance.now()
  const { body } = await order()
  await wellDone(body, 'rehearsal-c')
  assert.ok(performance.now() - started < 5_000, 'nobody waited for the busy one')
  assert.deepEqual(await attemptsOf(body.id), [['rehearsal', 'failed', 'provider_busy'], ['rehearsal-b', 'failed', 'provider_down'], ['rehearsal-c', 'done', null]])
  assert.deepEqual([asked(), bought()], [[1, 1, 1], [0, 0, 1]])
  assert.equal(body.warnings.length, 2)
  assert.match(body.warnings[0], /rehearsal was to make this and did not \(provider_busy\)/)
  const { rows } = await house.database.query(`select data from event where task_id = $1 and type = 'task.retried' order by id`, [body.id])
  assert.deepEqual(rows.map(row => row.data.next.provider), ['rehearsal-b', 'rehearsal-c'])
})

test('an upstream that asked to be left alone is not asked by the next task', async () => {
  tell(0, { kind: 'busy', retryAfterS: 30 })
  await order()
  const { body } = await order()
  await wellDone(body, 'rehearsal-b')
  assert.deepEqual(asked(), [1, 2, 0])
})

for (const [word, code, purchases] of [['refused', 'content_rejected', 0], ['refused_later', 'content_rejected', 1], ['broken', 'provider_failed', 1], ['bad_picture', 'bad_output', 1]] as const) {
  test(`never around ${code} (${word})`, async () => {
    const { body } = await order({ prompt: `rehearse:${word}` })
    assert.deepEqual([body.state, body.problem.code, body.cost.micros], ['failed', code, 0])
    assert.deepEqual([asked(), bought()], [[1, 0, 0], [purchases, 0, 0]])
    assert.deepEqual(await house.audit(), [])
  })
}

test('never after an answer that was lost: it is looked up where it was asked', async () => {
  const { body } = await order({ prompt: 'rehearse:cut_after' })
  await wellDone(body, 'rehearsal')
  assert.deepEqual([asked(), bought()], [[1, 0, 0], [1, 0, 0]])
})

test('every route is busy: the task queues until one is not, past any number of attempts', async () => {
  for (const which of [0, 1, 2]) tell(which, { kind: 'busy', retryAfterS: 1 }, { times: 4 })
  const { body } = await order({}, 60)
  await wellDone(body, body.served_by)
  assert.ok(body.attempts > 8, `${body.attempts} attempts`)
  assert.equal(bought().reduce((sum, one) => sum + one, 0), 1)
})

test('every route stays busy: the task ends with its time, free, and nothing was bought', async () => {
  for (const which of [0, 1, 2]) tell(which, { kind: 'busy', retryAfterS: 1 })
  const { body } = await order({ end_within_s: 4 })
  assert.deepEqual([body.state, body.cost.micros, bought()], ['failed', 0, [0, 0, 0]])
  assert.ok(['deadline', 'provider_busy'].includes(body.problem.code), body.problem.code)
  assert.deepEqual(await house.audit(), [])
})

test('every route stays broken: patience ends after a bounded number of attempts', async () => {
  for (const which of [0, 1, 2]) tell(which, { kind: 'error', status: 500 })
  const { body } = await order({}, 60)
  assert.deepEqual([body.state, body.problem.code, body.attempts, bought()], ['failed', 'provider_down', 8, [0, 0, 0]])
})

test('five failures in a row: new work goes elsewhere without asking; one task finds out when it is back', async () => {
  tell(0, { kind: 'error', status: 500 })
  for (let index = 0; index < 5; index++) await wellDone((await order()).body, 'rehearsal-b')
  assert.deepEqual(asked(), [5, 5, 0])
  await wellDone((await order()).body, 'rehearsal-b')
  assert.deepEqual(asked(), [5, 6, 0], 'the open one was not asked')

  // With the others gone there is only the open one: it is waited for, and asked once when its time has come.
  const alone = await send(house, { model: 'rehearsal-1', prompt: 'alone' }, 1)
  assert.equal(alone.body.state, 'queued')
  assert.equal(upstreams[0]!.stats().asked, 5)
  const second = await send(house, { model: 'rehearsal-1', prompt: 'alone too' }, 0)
  upstreams[0]!.reset()
  upstreams[0]!.tell({ does: { kind: 'ready' }, slowMs: 1_500, times: 1 })
  await house.database.query(`update provider_health set open_until = now() where provider = 'rehearsal'`)
  await until(() => upstreams[0]!.stats().asked > 0, 'the probe')
  const { rows: [health] } = await house.database.query(`select state from provider_health where provider = 'rehearsal'`)
  assert.equal(health.state, 'half_open')
  assert.equal(upstreams[0]!.stats().asked, 1, 'exactly one probe')
  for (const id of [alone.body.id, second.body.id]) {
    const body = await fetch(`${house.url}/plantain/v1/tasks/${id}/wait?timeout=20`, { headers: { authorization: `Bearer ${house.liveKey}` } }).then(answer => answer.json() as any)
    assert.equal(body.state, 'done', JSON.stringify(body.problem))
  }
  const { rows: [after] } = await house.database.query(`select state, failures from provider_health where provider = 'rehearsal'`)
  assert.deepEqual(after, { state: 'closed', failures: 0 })
})

test('a probe that fails opens it again, for longer', async () => {
  tell(0, { kind: 'error', status: 500 })
  await house.database.query(`insert into provider_health (provider, state, trips, open_until) values ('rehearsal', 'open', 1, now())`)
  const { body } = await send(house, { model: 'rehearsal-1', prompt: 'alone' }, 0)
  await until(() => upstreams[0]!.stats().asked === 1, 'the probe')
  await until(async () => (await house.database.query(`select trips from provider_health where provider = 'rehearsal'`)).rows[0].trips === 2, 'it to open again')
  await fetch(`${house.url}/plantain/v1/tasks/${body.id}/cancel`, { method: 'POST', headers: { authorization: `Bearer ${house.liveKey}` } })
})

test('work that is queued for an upstream that went down is given to another route', async () => {
  await house.database.query(`insert into provider_health (provider, state, trips, open_until) values ('rehearsal', 'open', 1, now() + interval '1 hour')`)
  // As if it had been chosen a moment before it went down.
  const { body } = await order({}, 0)
  await house.database.query(`update task set provider = 'rehearsal', upstream_model = 'one', turn = turn + 1 where id = $1 and state = 'queued'`, [body.id])
  const made = await fetch(`${house.url}/plantain/v1/tasks/${body.id}/wait?timeout=20`, { headers: { authorization: `Bearer ${house.liveKey}` } }).then(answer => answer.json() as any)
  await wellDone(made, 'rehearsal-b')
  assert.deepEqual(asked(), [0, 1, 0])
})
