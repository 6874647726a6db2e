/** Routes of live work, seen from outside: three rehearsed upstreams behind one card, and who is asked when one of them cannot. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { claim } from '../src/engine/claim.ts'
import { startHouse } from '../src/house.ts'
import { newId } from '../src/kit/id.ts'
import { createLog } from '../src/kit/log.ts'
import { startUpstream, type Upstream } from '../src/providers/rehearsal/upstream.ts'
import type { ProviderLimits } from '../src/providers/contract.ts'
import type { Rule } from '../src/providers/rehearsal/rules.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { makeWell, moneyOf, send } from './kit/live.ts'
import { until } from './kit/engine.ts'
import { youngMinute } from './kit/minute.ts'

let house: TestHouse
let upstreams: Upstream[]
before(async () => {
  const [b, c] = await Promise.all([startUpstream(), startUpstream()])
  house = await testHouse({ settings: { PROVIDER_ACCOUNTS: 'rehearsal-b=rehearsal, rehearsal-c=rehearsal', REHEARSAL_B_BASE_URL: b.url, REHEARSAL_C_BASE_URL: c.url } })
  upstreams = [house.upstream, b, c]
  const { rows: [project] } = await house.database.query('select id from project order by id limit 1')
  const keyOf = async (livemode: boolean) => (await house.house.access.createKeyForOperator(project.id, { name: 'Operator', livemode, scopes: ['operator'], expiresAt: null, limits: { requestsPerMinute: null, executionsPerDay: null, concurrent: null } })).secret
  operatorKey = await keyOf(true)
  testOperatorKey = await keyOf(false)
})
after(async () => {
  await house.close()
  await Promise.all(upstreams.slice(1).map(one => one.close()))
})
beforeEach(() => makeWell(house, upstreams))

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
  assert.ok(performance.now() - started < 28_000, 'nobody waited for the busy one')
  assert.deepEqual(await attemptsOf(body.id), [['rehearsal', 'failed', 'provider_busy'], ['rehearsal-b', 'failed', 'provider_down'], ['rehearsal-c', 'done', null]])
  assert.deepEqual([asked(), bought()], [[1, 1, 1], [0, 0, 1]])
  assert.equal(body.warnings.length, 2)
  assert.match(body.warnings[0], /rehearsal was to make this and did not \(provider_busy\)/)
  const { rows } = await house.database.query(`select data from event where task_id = $1 and type = 'task.retried' order by id`, [body.id])
  assert.deepEqual(rows.map(row => row.data.next.provider), ['rehearsal-b', 'rehearsal-c'])
  assert.deepEqual(body.tried.map((one: any) => [one.attempt, one.provider, one.model, one.outcome, one.code, one.retry_after_s]),
    [[1, 'rehearsal', 'one', 'failed', 'provider_busy', 30], [2, 'rehearsal-b', 'two', 'failed', 'provider_down', null], [3, 'rehearsal-c', 'three', 'done', null, null]])
})

test('every door says in headers who served it, and who was tried', async () => {
  tell(0, { kind: 'busy', retryAfterS: 30 })
  const call = (prompt: string, key = house.liveKey) => fetch(`${house.url}/v1/images/generations`, { method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'rehearsal-3', prompt }) })
  const first = await call('a kite')
  assert.deepEqual([first.status, first.headers.get('x-served-by'), first.headers.get('x-tried')], [200, 'rehearsal-b', 'rehearsal=provider_busy, rehearsal-b=done'])
  const second = await call('a boat')
  assert.deepEqual([second.headers.get('x-served-by'), second.headers.get('x-tried')], ['rehearsal-b', null])
  assert.equal((await call('a boat', house.testKey)).headers.get('x-served-by'), 'sandbox-1')
  await Promise.all([first, second].map(answer => answer.text()))
})

test('a route whose provider is not set up is passed over', async () => {
  await setRoutes('rehearsal-3', [{ provider: 'gemini', model: 'none' }, { provider: 'rehearsal-b', model: 'two' }])
  const fits = await order()
  await wellDone(fits.body, 'rehearsal-b')
  await setRoutes('rehearsal-3', null)
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
  upstreams[0]!.tell({ does: { kind: 'ready' }, slowMs: 4_000, times: 1 })
  await house.database.query(`update provider_health set open_until = now() where provider = 'rehearsal'`)
  await until(() => upstreams[0]!.stats().asked > 0, 'the probe')
  const { rows: [health] } = await house.database.query(`select state from provider_health where provider = 'rehearsal'`)
  assert.equal(health.state, 'half_open')
  assert.equal(upstreams[0]!.stats().asked, 1, 'exactly one probe')
  for (const id of [alone.body.id, second.body.id]) {
    const body = await fetch(`${house.url}/plantain/v1/tasks/${id}/wait?timeout=55`, { headers: { authorization: `Bearer ${house.liveKey}` } }).then(answer => answer.json() as any)
    assert.equal(body.state, 'done', JSON.stringify(body.problem))
  }
  const { rows: [after] } = await house.database.query(`select state, failures from provider_health where provider = 'rehearsal'`)
  assert.deepEqual(after, { state: 'closed', failures: 0 })
})

test('one order that breaks its upstream each time it is asked keeps nobody else from it', async () => {
  tell(0, { kind: 'error', status: 500 }, { times: 5 })
  const { body } = await send(house, { model: 'rehearsal-1', prompt: 'a poisoned word' }, 60)
  assert.deepEqual([body.state, body.attempts, asked()[0]], ['done', 6, 6], JSON.stringify(body.problem))
  assert.equal((await house.database.query(`select from provider_health where provider = 'rehearsal' and state <> 'closed'`)).rowCount, 0)
})

test('an upstream whose work all went elsewhere is asked again too, once, when its time alone is over', async () => {
  tell(0, { kind: 'error', status: 500 }, { times: 6 })
  for (let index = 0; index < 5; index++) await order()
  const over = async () => {
    await house.database.query(`update provider_health set open_until = now() where provider = 'rehearsal'`)
    await house.house.routing.changed()
  }
  await over()
  await wellDone((await order()).body, 'rehearsal-b')
  assert.deepEqual(asked(), [6, 6, 0], 'it was asked once and still failed: that one went on elsewhere')
  await wellDone((await order()).body, 'rehearsal-b')
  assert.deepEqual(asked(), [6, 7, 0])
  await over()
  // This process sent somebody a moment ago; it does so again after a while.
  await until(async () => (await order()).body.served_by === 'rehearsal', 'the first route to serve again')
  assert.equal((await house.database.query(`select state from provider_health where provider = 'rehearsal'`)).rows[0].state, 'closed')
  await wellDone((await order()).body, 'rehearsal')
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
  const made = await fetch(`${house.url}/plantain/v1/tasks/${body.id}/wait?timeout=55`, { headers: { authorization: `Bearer ${house.liveKey}` } }).then(answer => answer.json() as any)
  await wellDone(made, 'rehearsal-b')
  assert.deepEqual(asked(), [0, 1, 0])
})

/** As an operator does it: with a live key that has the scope. */
let operatorKey = ''
let testOperatorKey = ''
const operate = async (method: string, path: string, body?: object, key = operatorKey) => {
  const answer = await fetch(`${house.url}/plantain/v1/routing/${path}`, { method, headers: { authorization: `Bearer ${key}`, ...body ? { 'content-type': 'application/json' } : {} }, ...body ? { body: JSON.stringify(body) } : {} })
  const text = await answer.text()
  return { status: answer.status, body: text === '' ? null : JSON.parse(text) as any }
}
const setRoutes = async (model: string, routes: object[] | null) => {
  const answer = await operate(routes ? 'PUT' : 'DELETE', `models/${model}`, routes ? { routes } : undefined)
  assert.equal(answer.status, 200, JSON.stringify(answer.body))
  return answer.body
}
const b = { provider: 'rehearsal-b', model: 'two' }
const c = { provider: 'rehearsal-c', model: 'three' }

test('routes are swapped while the house runs, with an audit row each, and given back', async () => {
  const set = await setRoutes('rehearsal-3', [c, { ...b, enabled: false }])
  assert.deepEqual([set.source, set.routes.map((one: any) => [one.provider, one.order, one.weight, one.enabled, one.configured, one.standing])], ['operator', [['rehearsal-c', 1, 1, true, true, 'ready'], ['rehearsal-b', 2, 1, false, true, 'ready']]])
  await wellDone((await order()).body, 'rehearsal-c')
  const reset = await setRoutes('rehearsal-3', null)
  assert.deepEqual([reset.source, reset.routes.length], ['card', 3])
  await wellDone((await order()).body, 'rehearsal')
  const { rows } = await house.database.query(`select act, subject, details, key_id is not null as keyed from audit where act like 'routes.%' order by id desc limit 2`)
  assert.deepEqual(rows.map(row => [row.act, row.subject, row.keyed, row.details.after.length]), [['routes.reset', 'rehearsal-3', true, 3], ['routes.set', 'rehearsal-3', true, 2]])
})

test('another process hears of a swap within a moment', async () => {
  const other = await startHouse({ ...house.house.config, PORT: 0 }, { roles: ['serve'], log: createLog('error') })
  try {
    await setRoutes('rehearsal-3', [c])
    await until(() => other.routing.routesIn(other.catalog.find('rehearsal-3')!.card).source === 'operator', 'the other process to know')
  } finally {
    await other.close()
    await setRoutes('rehearsal-3', null)
  }
})

test('queued work follows when its route is taken away', async () => {
  await house.database.query(`insert into provider_health (provider, state, trips, open_until) values ('rehearsal-c', 'open', 1, now() + interval '1 hour')`)
  await house.house.routing.changed()
  await setRoutes('rehearsal-3', [c])
  const { body } = await order({}, 0)
  assert.equal(body.state, 'queued')
  await setRoutes('rehearsal-3', [b])
  const made = await fetch(`${house.url}/plantain/v1/tasks/${body.id}/wait?timeout=55`, { headers: { authorization: `Bearer ${house.liveKey}` } }).then(answer => answer.json() as any)
  await wellDone(made, 'rehearsal-b')
  assert.deepEqual(asked(), [0, 1, 0])
  await setRoutes('rehearsal-3', null)
})

test('a model whose routes are all off says so, and takes nothing', async () => {
  await setRoutes('rehearsal-3', [{ ...b, enabled: false }])
  const { status, body } = await order()
  assert.deepEqual([status, body.error.code], [503, 'provider_not_configured'])
  assert.match(body.error.message, /switched off/)
  await setRoutes('rehearsal-3', null)
  assert.deepEqual([asked(), await house.audit()], [[0, 0, 0], []])
})

test('weights share the traffic, and one sticky key always goes one way', async () => {
  await setRoutes('rehearsal-3', [{ ...b, order: 1, weight: 1 }, { ...c, order: 1, weight: 1 }])
  const bodies = await Promise.all(Array.from({ length: 24 }, (_, index) => order({ prompt: `kite ${index}` })))
  assert.equal(new Set(bodies.map(({ body }) => body.served_by)).size, 2, 'both were asked')
  const sticky = await Promise.all(Array.from({ length: 8 }, () => order({ sticky_key: 'user-17' })))
  assert.equal(new Set(sticky.map(({ body }) => body.served_by)).size, 1)
  const byHeader = await fetch(`${house.url}/v1/images/generations`, { method: 'POST', headers: { authorization: `Bearer ${house.liveKey}`, 'content-type': 'application/json', 'x-sticky-key': 'user-17' }, body: JSON.stringify({ model: 'rehearsal-3', prompt: 'a kite' }) })
  assert.equal(byHeader.headers.get('x-served-by'), sticky[0]!.body.served_by)
  await byHeader.text()
  const wrong = await fetch(`${house.url}/plantain/v1/models`, { headers: { authorization: `Bearer ${house.liveKey}`, 'x-sticky-key': 'x'.repeat(129) } })
  assert.deepEqual([wrong.status, (await wrong.json() as any).error.code], [400, 'bad_request'])
  await setRoutes('rehearsal-3', null)
})

test('an alias is a model at every door, for test keys too, and can be moved', async () => {
  assert.equal((await operate('PUT', 'aliases/hero', { model: 'rehearsal-3' })).status, 200)
  const { body } = await order({ model: 'hero' })
  await wellDone(body, 'rehearsal')
  assert.deepEqual([body.model, body.model_asked], ['rehearsal-3', 'hero'])
  await operate('PUT', 'aliases/hero', { model: 'sandbox-1' })
  const moved = await fetch(`${house.url}/v1/images/generations`, { method: 'POST', headers: { authorization: `Bearer ${house.testKey}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'hero', prompt: 'a kite' }) })
  assert.equal(moved.status, 200, await moved.clone().text())
  assert.deepEqual((await operate('GET', 'aliases')).body.data.map((one: any) => [one.name, one.model]), [['hero', 'sandbox-1']])
  assert.equal((await operate('DELETE', 'aliases/hero')).status, 204)
  assert.deepEqual([(await order({ model: 'hero' })).status, (await operate('DELETE', 'aliases/hero')).status], [404, 404])
})

const actsBefore = async () => Number((await house.database.query('select count(*) as count from audit')).rows[0].count)
const refused = (name: string, method: string, path: string, body: object | undefined, expected: [number, string], key: () => string = () => operatorKey) => test(`refused, and nothing changes: ${name}`, async () => {
  const before = await actsBefore()
  const answer = await operate(method, path, body, key())
  assert.deepEqual([answer.status, answer.body.error.code], expected, JSON.stringify(answer.body))
  assert.deepEqual([await actsBefore(), (await house.house.routing.changes.read()).routes.size, (await house.house.routing.changes.read()).aliases.size], [before, 0, 0])
})
refused('an admin of an account is no operator', 'PUT', 'models/rehearsal-3', { routes: [b] }, [403, 'forbidden'], () => house.liveKey)
refused('nor may it look', 'GET', 'models', undefined, [403, 'forbidden'], () => house.liveKey)
refused('a test key changes nothing of live work', 'PUT', 'models/rehearsal-3', { routes: [b] }, [403, 'forbidden'], () => testOperatorKey)
refused('a provider nobody knows', 'PUT', 'models/rehearsal-3', { routes: [{ provider: 'acme', model: 'x' }] }, [400, 'bad_request'])
refused('the sandbox as a route', 'PUT', 'models/rehearsal-3', { routes: [{ provider: 'sandbox', model: 'x' }] }, [400, 'bad_request'])
refused('the same route twice', 'PUT', 'models/rehearsal-3', { routes: [b, b] }, [400, 'bad_request'])
refused('a name that is a film’s', 'PUT', 'models/rehearsal-3', { routes: [{ provider: 'kie', model: 'kling-2.6/text-to-video' }] }, [400, 'bad_request'])
refused('a name that is a writer’s', 'PUT', 'models/rehearsal-3', { routes: [b, { provider: 'anthropic', model: 'claude-haiku-5-5' }] }, [400, 'bad_request'])
refused('no route at all', 'PUT', 'models/rehearsal-3', { routes: [] }, [400, 'bad_request'])
refused('a weight below zero', 'PUT', 'models/rehearsal-3', { routes: [{ ...b, weight: -1 }] }, [400, 'bad_request'])
refused('a field nobody knows', 'PUT', 'models/rehearsal-3', { routes: [{ ...b, price: 1 }] }, [400, 'bad_request'])
refused('a model nobody knows', 'PUT', 'models/acme-1', { routes: [b] }, [404, 'not_found'])
refused('an alias that would hide a model', 'PUT', 'aliases/nano-banana', { model: 'rehearsal-3' }, [409, 'conflict'])
refused('an alias that would hide a name of another dialect', 'PUT', `aliases/${encodeURIComponent('google/nano-banana-edit')}`, { model: 'rehearsal-3' }, [409, 'conflict'])
refused('an alias for nothing', 'PUT', 'aliases/hero', { model: 'acme-1' }, [404, 'unknown_model'])
refused('an alias of odd signs', 'PUT', `aliases/${encodeURIComponent('he ro')}`, { model: 'rehearsal-3' }, [400, 'bad_request'])

test('an admin cannot make itself an operator', async () => {
  const answer = await fetch(`${house.url}/plantain/v1/keys`, { method: 'POST', headers: { authorization: `Bearer ${house.liveKey}`, 'content-type': 'application/json' }, body: JSON.stringify({ name: 'more', scopes: ['operator'] }) })
  assert.deepEqual([answer.status, (await answer.json() as any).error.code], [403, 'forbidden'])
})

test('an operator sees how every provider stands', async () => {
  await house.database.query(`insert into provider_health (provider, state, trips, open_until) values ('rehearsal-b', 'open', 1, now() + interval '1 hour')`)
  await house.house.routing.changed()
  const { body } = await operate('GET', 'providers')
  const [kie, down] = ['kie', 'rehearsal-b'].map(id => body.data.find((one: any) => one.id === id))
  assert.deepEqual([kie.configured, kie.missing, kie.state, down.configured, down.state, down.open_until !== null], [false, ['KIE_API_KEY'], 'closed', true, 'open', true])
})

/** What a worker would be given of orders that wait for one provider, under other limits than the house's. */
async function waitingOrders(counts: number[]) {
  // Kept from the house's own worker by its breaker while they are ordered.
  await house.database.query(`insert into provider_health (provider, state, trips, open_until) values ('rehearsal-c', 'open', 1, now() + interval '1 hour')`)
  await setRoutes('rehearsal-3', [c])
  for (const count of counts) await order({ parameters: { count } }, 0)
  await house.database.query(`delete from provider_pace where provider = 'rehearsal-c'`)
  return {
    async claimWith(limits: Partial<ProviderLimits>) {
      const worker = newId()
      return house.database.transaction(async client => {
        await client.query(`update provider_health set state = 'closed', open_until = null where provider = 'rehearsal-c'`)
        const { claims } = await claim({ ...house.database, transaction: work => work(client) }, worker, [{ provider: 'rehearsal-c', slots: 100, limits: { concurrency: null, perMinute: null, perProcess: null, ...limits } }], 0)
        await client.query(`update provider_health set state = 'open', open_until = now() + interval '1 hour' where provider = 'rehearsal-c'`)
        return claims.map(one => one.row.count)
      })
    },
    async forget() {
      await house.database.query(`update task set state = 'cancelled' where state in ('queued', 'running', 'waiting') and provider = 'rehearsal-c'`)
      await setRoutes('rehearsal-3', null)
    },
  }
}

test('pictures a minute are exact, and one order that is more than a minute’s gets a minute of its own', async () => {
  await youngMinute()
  const { claimWith, forget } = await waitingOrders([2, 2, 2, 1])
  const claimAs = (imagesPerMinute: number) => claimWith({ imagesPerMinute })
  assert.deepEqual(await claimAs(5), [2, 2], 'the third does not fit, and the small one behind it waits its turn')
  assert.deepEqual(await claimAs(5), [])
  await house.database.query(`update task set operation = 'write' where state = 'queued' and count = 1 and provider = 'rehearsal-c'`)
  assert.deepEqual(await claimAs(5), [1], 'a text is no picture, and goes by them')
  await house.database.query(`update provider_pace set images = 0 where provider = 'rehearsal-c'`)
  assert.deepEqual(await claimAs(1), [2], 'more than a minute’s worth, alone')
  await forget()
})

test('where a call makes one picture, an order takes as many of the places at once; more than there are waits until all are free', async () => {
  const { claimWith, forget } = await waitingOrders([2, 2, 1, 4, 1])
  const atOnce = (concurrency: number) => claimWith({ concurrency, countsCalls: true })
  const end = (one: string) => house.database.query(`update task set state = 'cancelled' where id = (select id from task where provider = 'rehearsal-c' and state = 'running' order by ${one} limit 1)`)
  assert.deepEqual(await atOnce(3), [2], 'the second does not fit, and the small one behind it waits its turn')
  assert.deepEqual(await atOnce(3), [])
  await end('rank')
  assert.deepEqual(await atOnce(3), [2, 1])
  await end('count')
  assert.deepEqual(await atOnce(3), [], 'four do not go beside two')
  await house.database.query(`update task set state = 'waiting' where provider = 'rehearsal-c' and state = 'running'`)
  assert.deepEqual(await atOnce(3), [], 'what waits at the upstream keeps its places')
  await house.database.query(`update task set state = 'cancelled' where provider = 'rehearsal-c' and state = 'waiting'`)
  assert.deepEqual(await atOnce(3), [4], 'alone')
  assert.deepEqual(await atOnce(3), [])
  assert.deepEqual(await claimWith({ concurrency: 3 }), [1], 'where a call makes several, an order is one')
  await forget()
})

test('orders that wait for another minute keep no text from the places at once', async () => {
  await youngMinute()
  const { claimWith, forget } = await waitingOrders([4, 4, 1])
  await house.database.query(`update task set operation = 'write' where state = 'queued' and count = 1 and provider = 'rehearsal-c'`)
  assert.deepEqual(await claimWith({ concurrency: 6, imagesPerMinute: 4, countsCalls: true }), [4, 1])
  await forget()
})
