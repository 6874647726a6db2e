/** A batch whose servers are killed while it runs, and one that two servers carry on together: every row is bought once and has one result. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import OpenAI, { toFile } from 'openai'
import { readConfig } from '../src/config.ts'
import { startHouse } from '../src/house.ts'
import { createLog } from '../src/kit/log.ts'
import { audit } from '../src/ledger/books.ts'
import { testHouse, testSettings } from './kit/house.ts'
import { startKillable } from './kit/killable.ts'
import { serverProcess } from './kit/server.ts'

const rowsTotal = 40
const kills = 5
/** What rows order: quick, slow and queued upstreams, and one that says no. */
const kinds = ['', 'rehearse:slow', 'rehearse:queued', 'rehearse:refused', 'rehearse:queued']
const endpoint = '/v1/images/generations' as OpenAI.BatchCreateParams['endpoint']
const line = (index: number, prompt: string) => `${JSON.stringify({ custom_id: `row ${index}`, method: 'POST', url: endpoint, body: { model: 'rehearsal-1', prompt } })}\n`

async function until<T>(look: () => Promise<T | null | false>, what: string): Promise<T> {
  for (const end = performance.now() + 120_000; performance.now() < end;) {
    const found = await look().catch(() => null)
    if (found) return found
    await pause(50)
  }
  throw new Error(`${what} never came.`)
}

interface Result { custom_id: string; response: { status_code: number; body: { data?: unknown[] } } | null }

/** Every row has one line in one of the two files, and pictures where it was made. */
async function checkResults(client: OpenAI, batch: OpenAI.Batch, total: number): Promise<Result[]> {
  const results: Result[] = []
  for (const fileId of [batch.output_file_id, batch.error_file_id]) {
    if (!fileId) continue
    const text = await (await client.files.content(fileId)).text()
    results.push(...text.trimEnd().split('\n').map(one => JSON.parse(one) as Result))
  }
  assert.deepEqual(results.map(one => one.custom_id).sort(), Array.from({ length: total }, (_, index) => `row ${index}`).sort())
  for (const one of results) if (one.response?.status_code === 200) assert.equal(one.response.body.data!.length, 1)
  assert.deepEqual([batch.request_counts!.total, batch.request_counts!.completed + batch.request_counts!.failed], [total, total])
  assert.equal(results.filter(one => one.response?.status_code === 200).length, batch.request_counts!.completed)
  return results
}

test('a server that is killed again and again buys no row twice and loses none', async t => {
  const { server, upstream, environment, url, secret } = await startKillable(t)

  const client = new OpenAI({ apiKey: secret, baseURL: `${url}/v1`, maxRetries: 20 })
  const lines = Array.from({ length: rowsTotal }, (_, index) => line(index, `row ${index} ${kinds[index % kinds.length]}`)).join('')
  const { id: input_file_id } = await client.files.create({ file: await toFile(Buffer.from(lines), 'rows.jsonl'), purpose: 'batch' })
  const { id } = await client.batches.create({ input_file_id, endpoint, completion_window: '24h' })
  // The kills spread over reading, making and writing: from at once to a second after each start.
  for (let kill = 0; kill < kills; kill++) {
    await pause(Math.random() * 250 * (kill + 1))
    await server.kill()
    await server.start()
  }
  const batch = await until(async () => {
    const found = await client.batches.retrieve(id)
    return found.completed_at ? found : null
  }, 'The end of the batch')
  assert.equal(batch.status, 'completed')
  await checkResults(client, batch, rowsTotal)

  const { tasks } = upstream.stats()
  await server.stop()
  const house = await startHouse(readConfig({ ...environment, PORT: '0' }), { roles: [], log: createLog('error') })
  try {
    const { rows } = await house.database.query<{ task_id: string; name: string; state: string }>('select task_id, name, state from batch_row')
    assert.equal(new Set(rows.map(row => row.task_id)).size, rowsTotal)
    const { rows: [all] } = await house.database.query<{ count: number }>('select count(*)::int as count from task')
    assert.equal(all!.count, rowsTotal, 'there is no task that no row has')
    for (const row of rows) {
      const accepted = tasks[row.task_id]?.accepted ?? 0
      assert.ok(accepted <= 1, `${row.name} was bought ${accepted} times`)
      if (row.state === 'done') assert.equal(accepted, 1, `${row.name} is done and nobody made it`)
    }
    assert.deepEqual(await audit(house.database), [])
  } finally { await house.close() }
})

test('two servers share a batch, and one of them is killed', async t => {
  const house = await testHouse({ roles: ['serve'] })
  const environment = testSettings({ databaseUrl: house.house.config.DATABASE_URL!, dataDir: house.dataDir, upstreamUrl: house.upstream.url })
  const workers = [serverProcess(environment, ['--work']), serverProcess(environment, ['--work'])]
  t.after(async () => {
    await Promise.all(workers.map(worker => worker.close()))
    await house.close()
  })
  await Promise.all(workers.map(worker => worker.start()))
  const total = 300
  const client = new OpenAI({ apiKey: house.liveKey, baseURL: `${house.url}/v1`, maxRetries: 0 })
  const lines = Array.from({ length: total }, (_, index) => line(index, `row ${index} rehearse:slow`)).join('')
  const { id: input_file_id } = await client.files.create({ file: await toFile(Buffer.from(lines), 'rows.jsonl'), purpose: 'batch' })
  const { id } = await client.batches.create({ input_file_id, endpoint, completion_window: '24h' })
  const claimers = new Set<string>()
  let most = 0
  let isKilled = false
  const batch = await until(async () => {
    const { rows } = await house.database.query<{ worker: string | null; state: string }>(`select worker, state from batch_row where state in ('claimed', 'making')`)
    for (const row of rows) if (row.worker) claimers.add(row.worker)
    most = Math.max(most, rows.length)
    const found = await client.batches.retrieve(id)
    if (!isKilled && found.request_counts!.completed > total / 3) {
      isKilled = true
      await workers[0]!.kill()
    }
    return found.completed_at ? found : null
  }, 'The end of the batch')
  assert.ok(isKilled)
  assert.ok(most > 0 && most <= 128, `${most} rows were in the making at once`)
  assert.ok(claimers.size >= 1)
  await checkResults(client, batch, total)
  const { tasks } = house.upstream.stats()
  for (const [taskId, { accepted }] of Object.entries(tasks)) assert.ok(accepted <= 1, `${taskId} was bought ${accepted} times`)
  assert.equal(Object.keys(tasks).length, total)
  assert.deepEqual(await house.audit(), [])
})
