/** What only shows when several processes or the outside play along: apart, called back, killed databases, stopped servers. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readConfig } from '../src/config.ts'
import { startHouse } from '../src/house.ts'
import { createLog } from '../src/kit/log.ts'
import { testDatabase } from './kit/database.ts'
import { until } from './kit/engine.ts'
import { testHouse, testSettings } from './kit/house.ts'
import { youngDay } from './kit/minute.ts'
import { freePort } from './kit/port.ts'

const order = (url: string, key: string, body: object, wait = 60, headers: Record<string, string> = {}) => fetch(`${url}/plantain/v1/tasks?wait=${wait}`, {
  method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) }).then(async answer => ({ status: answer.status, body: await answer.json() as any }))

test('one process answers and another works, on one database and one folder', async () => {
  const door = await testHouse({ roles: ['serve'] })
  const worker = await startHouse(door.house.config, { roles: ['work'], log: createLog('error') })
  try {
    assert.equal(worker.url, null)
    const { status, body } = await order(door.url, door.testKey, { model: 'nano-banana', prompt: 'a cat', parameters: { aspect_ratio: '1:1' } })
    assert.deepEqual([status, body.state, body.outputs.length], [200, 'done', 1])
    assert.equal((await fetch(body.outputs[0].url)).status, 200)
  } finally {
    await worker.close()
    await door.close()
  }
})

test('an upstream that calls back is looked at at once; a forged call back is not heard', async () => {
  // The address must be known before the house stands: a port is found first.
  const port = await freePort()
  const house = await testHouse({ settings: { PORT: String(port), PUBLIC_URL: `http://127.0.0.1:${port}` } })
  try {
    const { body } = await order(house.url, house.liveKey, { model: 'rehearsal-1', prompt: 'rehearse:callback' })
    assert.equal(body.state, 'done')
    assert.ok(house.upstream.stats().callbacksTaken >= 1, 'the call back was taken')
    assert.equal(house.upstream.stats().tasks[body.id]?.accepted, 1)
    const forged = await fetch(`${house.url}/hooks/rehearsal/${body.id}-${'0'.repeat(32)}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })
    assert.equal(forged.status, 404)
  } finally { await house.close() }
})

test('the first key is in a file only its owner can read, and a second start keeps everything', async () => {
  const { url: databaseUrl, close } = await testDatabase()
  const dataDir = await mkdtemp(join(tmpdir(), 'plantain-boot-'))
  const config = readConfig(testSettings({ databaseUrl, dataDir, upstreamUrl: 'http://127.0.0.1:9' }))
  try {
    const first = await startHouse(config, { log: createLog('error') })
    const key = (await readFile(first.keyFile, 'utf8')).trim()
    assert.equal(key, first.firstKey)
    assert.equal((await stat(first.keyFile)).mode & 0o777, 0o600)
    const made = await order(first.url!, key, { model: 'sandbox-1', prompt: 'a pear', parameters: { resolution: '512' } })
    assert.equal(made.body.state, 'done')
    await first.close()

    const second = await startHouse(config, { log: createLog('error') })
    assert.equal(second.firstKey, null)
    const again = await fetch(`${second.url}/plantain/v1/tasks/${made.body.id}`, { headers: { authorization: `Bearer ${key}` } }).then(answer => answer.json() as any)
    assert.deepEqual([again.state, again.outputs[0].sha256], ['done', made.body.outputs[0].sha256])
    await second.close()
  } finally {
    await close()
    await rm(dataDir, { recursive: true, force: true })
  }
})

test('a live key whose model has no provider hears which setting is missing, and pays nothing', async () => {
  const house = await testHouse()
  try {
    const { status, body } = await order(house.url, house.liveKey, { model: 'nano-banana-2', prompt: 'a cat' })
    assert.deepEqual([status, body.error.code], [503, 'provider_not_configured'])
    const { rows: [count] } = await house.database.query('select count(*)::int as tasks from task')
    assert.equal(count.tasks, 0)
    assert.deepEqual(await house.audit(), [])
  } finally { await house.close() }
})

test('an operator sets how much an upstream bears', async () => {
  const house = await testHouse({ settings: { REHEARSAL_CONCURRENCY: '1' } })
  try {
    const made = await Promise.all([1, 2, 3].map(number => order(house.url, house.liveKey, { model: 'rehearsal-1', prompt: `${number} rehearse:slow` })))
    assert.deepEqual(made.map(({ body }) => body.state), ['done', 'done', 'done'])
    const { rows: [row] } = await house.database.query('select count(*)::int as beside from task a join task b on a.id < b.id and a.started_at < b.ended_at and b.started_at < a.ended_at')
    assert.equal(row.beside, 0, 'no two were in the making at once')
  } finally { await house.close() }
})

test('a database that goes away under load comes back to work that ends', async () => {
  const house = await testHouse()
  try {
    const ids: string[] = []
    for (let index = 0; index < 30; index++) {
      // What is not acknowledged is sent again under the same key, as clients do.
      const send = () => order(house.url, house.liveKey, { model: 'rehearsal-1', prompt: index % 2 ? 'rehearse:queued' : 'rehearse:slow' }, 0, { 'idempotency-key': `k${index}` })
      let answer = await send()
      await until(async () => answer.status !== 503 || (answer = await send()).status !== 503, 'the database to be back')
      assert.equal(answer.status, 202)
      ids.push(answer.body.id)
      // Every connection is cut, as a restart of the server does.
      if (index % 10 === 5) await house.database.query('select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()')
    }
    await until(async () => (await house.database.query('select count(*)::int as open from task where ended_at is null')).rows[0].open === 0, 'every task to end')
    const { rows } = await house.database.query(`select state, problem->>'code' as code, count(*)::int as count from task group by 1, 2`)
    assert.deepEqual(rows, [{ state: 'done', code: null, count: 30 }])
    for (const id of ids) assert.equal(house.upstream.stats().tasks[id]?.accepted, 1)
    assert.deepEqual(await house.audit(), [])
  } finally { await house.close() }
})

test('how much of a limit is left is told on good answers too, in the words of each door', async () => {
  const house = await testHouse()
  try {
    const { testKey } = await house.newAccount({ limits: { requestsPerMinute: 50 } })
    const ask = (path: string, headers: Record<string, string>, body: object) => fetch(`${house.url}${path}`, {
      method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) })
    const openai = await ask('/v1/images/generations', { authorization: `Bearer ${testKey}` }, { model: 'gpt-image-1-mini', prompt: 'a pear', quality: 'low' })
    assert.deepEqual([openai.status, openai.headers.get('x-ratelimit-limit-requests'), openai.headers.get('x-ratelimit-remaining-requests')], [200, '50', '49'])
    const anthropic = await ask('/v1/messages/count_tokens', { 'x-api-key': testKey, 'anthropic-version': '2023-06-01' }, { model: 'nano-banana', messages: [{ role: 'user', content: 'a pear' }] })
    assert.deepEqual([anthropic.status, anthropic.headers.get('anthropic-ratelimit-requests-limit'), anthropic.headers.get('anthropic-ratelimit-requests-remaining')], [200, '50', '48'])
    assert.match(anthropic.headers.get('anthropic-ratelimit-requests-reset') ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  } finally { await house.close() }
})

test('what was bought today is among the gauges where the operator says so; how much of it nobody knows, always', async () => {
  for (const tells of [false, true]) {
    const house = await testHouse({ settings: { METRICS_COSTS: String(tells) } })
    try {
      await youngDay()
      const { body } = await order(house.url, house.liveKey, { model: 'rehearsal-1', prompt: 'a cat' })
      assert.equal(body.state, 'done')
      const told = await (await fetch(`${house.url}/metrics`)).text()
      assert.match(told, /plantain_cost_unknown_today\{provider="rehearsal",model="rehearsal-1"\} 1/)
      assert.equal(/plantain_charged_today_dollars\{provider="rehearsal",model="rehearsal-1"\} 0\.04/.test(told), tells)
      assert.equal(told.includes('plantain_cost_today_dollars'), tells)
    } finally { await house.close() }
  }
})
