/** Batches out of tables whose servers are killed while they run: rows of tasks and rows of executions are bought once, and every batch ends. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { readConfig } from '../src/config.ts'
import { startHouse } from '../src/house.ts'
import { createLog } from '../src/kit/log.ts'
import { audit } from '../src/ledger/books.ts'
import { startKillable } from './kit/killable.ts'

const rowsTotal = 30
const kills = 4
const ways = ['', 'rehearse:slow', 'rehearse:queued']
const price = 40_000

test('a server that is killed again and again buys no row twice and loses none, of tasks or of executions', async t => {
  const { server, upstream, environment, url, secret } = await startKillable(t)

  const ask = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<any> => {
    for (;;) {
      try {
        const answer = await fetch(`${url}/plantain/v1${path}`, { method, headers: { authorization: `Bearer ${secret}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
        if (answer.status < 500) return await answer.json()
      } catch { /* It was killed, or is not up yet. */ }
      await pause(30)
    }
  }
  const wire = (from: string, to: string) => { const [[a, p], [b, q]] = [from.split('.'), to.split('.')]; return { from: { node: a, port: p }, to: { node: b, port: q } } }
  await ask('POST', '/workflows', { name: 'Two', slug: 'two', graph: {
    nodes: [{ id: 'words', kind: 'text', settings: { text: 'x' } }, { id: 'made', kind: 'generate', settings: { model: 'rehearsal-1' } }, { id: 'out', kind: 'output', settings: {} }],
    edges: [wire('words.text', 'made.prompt'), wire('made.image', 'out.value')], inputs: [{ name: 'what', node: 'words', port: 'text' }] } })
  const rows = (what: string) => Array.from({ length: rowsTotal }, (_, n) => ({ what: `${what} ${n} ${ways[n % ways.length]}` }))
  const ids: string[] = []
  const sending = (async () => {
    ids.push((await ask('POST', '/batches?wait=0', { target: { model: 'rehearsal-1', prompt: '{{what}}' }, rows: rows('task') }, { 'idempotency-key': 'tasks' })).id)
    ids.push((await ask('POST', '/batches?wait=0', { target: { workflow: 'two' }, rows: rows('execution'), budget_max_micros: rowsTotal * price }, { 'idempotency-key': 'executions' })).id)
  })()
  // The kills spread over reading, checking, making and ending.
  for (let kill = 0; kill < kills; kill++) {
    await pause(Math.random() * 300 * (kill + 1))
    await server.kill()
    await server.start()
  }
  await sending
  for (const id of ids) {
    for (const end = performance.now() + 120_000; ;) {
      const batch = await ask('GET', `/batches/${id}`)
      if (batch.state === 'done') { assert.deepEqual([batch.rows.done, batch.rows.total, batch.cost.micros], [rowsTotal, rowsTotal, rowsTotal * price]); break }
      assert.ok(!['failed', 'cancelled', 'expired', 'paused'].includes(batch.state), JSON.stringify(batch))
      assert.ok(performance.now() < end, `The end of ${id} never came: ${JSON.stringify(batch.rows)}`)
      await pause(100)
    }
  }
  const { tasks, accepted } = upstream.stats()
  for (const [id, one] of Object.entries(tasks)) assert.ok(one.accepted <= 1, `${id} was bought ${one.accepted} times`)
  assert.equal(accepted, 2 * rowsTotal)
  await server.stop()
  const house = await startHouse(readConfig({ ...environment, PORT: '0' }), { roles: [], log: createLog('error') })
  try {
    const { rows: [all] } = await house.database.query<{ tasks: number; executions: number; linked: number }>(`select (select count(*)::int from task) as tasks, (select count(*)::int from execution) as executions,
      (select count(distinct coalesce(task_id, execution_id))::int from batch_row) as linked`)
    assert.deepEqual(all, { tasks: 2 * rowsTotal, executions: rowsTotal, linked: 2 * rowsTotal }, 'there is no task and no execution that no row has')
    assert.deepEqual(await audit(house.database), [])
  } finally { await house.close() }
})
