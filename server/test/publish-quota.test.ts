/** What an execution and a project's day may publish: told before anything is written, counted exactly while many publish at once, after a restart and after a kill between counting and taking. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { youngDay } from './kit/minute.ts'
import { testHouse, testSettings, type TestHouse } from './kit/house.ts'
import { serverProcess } from './kit/server.ts'

let house: TestHouse
let folder: string
/** Somebody who takes what is published, and may be told to say no or nothing. */
let status = 200
const silent: ServerResponse[] = []
let taken = 0
const receiver = createServer((request, response) => {
  request.resume().on('end', () => {
    if (status === 0) { silent.push(response); return }
    if (status < 300) taken++
    response.writeHead(status).end()
  })
})
let address = ''
const limits = { PLANTAIN_PUBLISH_EXECUTION_FILES: '3', PLANTAIN_PUBLISH_EXECUTION_BYTES: '1000', PLANTAIN_PUBLISH_DAY_FILES: '8', PLANTAIN_PUBLISH_DAY_BYTES: '2000' }

before(async () => {
  receiver.listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  address = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`
  folder = await mkdtemp(join(tmpdir(), 'plantain-quota-'))
  house = await testHouse({ settings: { PLANTAIN_PUBLISH_DIR: folder, ...limits } })
})
after(async () => { await house?.close(); receiver.closeAllConnections(); receiver.close(); await rm(folder, { recursive: true, force: true }) })

async function ask(method: string, path: string, body?: unknown, { key, url = house.url }: { key: string; url?: string } = { key: '' }): Promise<any> {
  const response = await fetch(`${url}/plantain/v1${path}`, { method, headers: { authorization: `Bearer ${key || house.testKey}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  return response.json()
}
const files = async () => (await readdir(folder, { recursive: true, withFileTypes: true })).filter(entry => entry.isFile()).length
/** An account of its own, so that its day is its own. */
const newcomer = async () => { const { projectId, testKey, liveKey } = await house.newAccount(); return { projectId, key: testKey, liveKey } }
const day = async (projectId: string) => (await house.database.query<{ files: number; bytes: number; livemode: boolean }>('select files::int, size_bytes::int as bytes, livemode from published_day where project_id = $1 order by livemode', [projectId])).rows
const publish = (values: string[], settings: object = {}) => ({ graph: { nodes: [{ id: 'out', kind: 'publish', settings: { value: values, path: '{{index}}.txt', ...settings } }], edges: [] } })
const each = (values: string[]) => ({
  graph: {
    nodes: [{ id: 'all', kind: 'list', settings: { items: values } }, { id: 'one', kind: 'iterate' }, { id: 'out', kind: 'publish', settings: { path: '{{sha256}}.txt' } }, { id: 'list', kind: 'collect' }, { id: 'told', kind: 'output', settings: { name: 'where' } }],
    edges: [['all.items', 'one.items'], ['one.item', 'out.value'], ['out.address', 'list.items'], ['list.items', 'told.value']].map(([from, to]) => ({ from: { node: from!.split('.')[0], port: from!.split('.')[1] }, to: { node: to!.split('.')[0], port: to!.split('.')[1] } })),
  },
})
const run = (body: object, key: string, url = house.url) => ask('POST', '/executions?wait=60', body, { key, url })

describe('an execution', () => {
  test('that would publish too much is told so before anything is written, and nothing counts', async () => {
    const { key, projectId } = await newcomer()
    const before = await files()
    const refused = await run(publish(['a', 'b', 'c', 'd']), key)
    assert.deepEqual([refused.state, refused.problem.code, await files(), await day(projectId)], ['failed', 'too_large', before, [{ files: 0, bytes: 0, livemode: false }]], JSON.stringify(refused))
    assert.match(refused.problem.message, /has published 0 files so far, one may publish 3 files, and this is 4 files more\. Nothing of these 4 was written\. Publish less in one execution, or have the operator raise PLANTAIN_PUBLISH_EXECUTION_FILES/)
    const heavy = await run(publish(['x'.repeat(600), 'y'.repeat(600)]), key)
    assert.match(heavy.problem.message, /one may publish 1000 bytes, and this is 1200 bytes more.*PLANTAIN_PUBLISH_EXECUTION_BYTES/)
    assert.equal((await run(publish(['a', 'b', 'c']), key)).state, 'done')
    assert.deepEqual([await files(), await day(projectId)], [before + 3, [{ files: 3, bytes: 3, livemode: false }]])
  })

  test('whose items publish all at once has exactly as many as it may, and goes on within it', async () => {
    const { key, projectId } = await newcomer()
    const before = await files()
    const ended = await run(each(['a', 'b', 'c', 'd', 'e', 'f', 'g']), key)
    assert.deepEqual([ended.outputs.where.length, await files() - before, await day(projectId)], [3, 3, [{ files: 3, bytes: 3, livemode: false }]])
    await ask('POST', `/executions/${ended.id}/resume`, {}, { key })
    const again = await ask('GET', `/executions/${ended.id}?wait=60`, undefined, { key })
    assert.deepEqual([again.outputs.where.length, await files() - before, (await day(projectId))[0]!.files], [3, 3, 3])
  })
})

describe('a project\'s day', () => {
  test('is counted over its executions, test and live each, and is nobody else\'s', async () => {
    const { key, liveKey, projectId } = await newcomer()
    const before = await files()
    await youngDay()
    for (let time = 0; time < 2; time++) assert.equal((await run(publish(['a', 'b', 'c']), key)).state, 'done')
    const refused = await run(publish(['a', 'b', 'c']), key)
    assert.deepEqual([refused.state, refused.problem.code, await files() - before], ['failed', 'rate_limited', 3], 'the same files as before, and no others')
    assert.match(refused.problem.message, /has published 6 files today, one may publish 8 files, and this is 3 files more\. Nothing of these 3 was written\. The next day begins in \d+ s \(UTC\)/)
    assert.equal((await run(publish(['a', 'b']), key)).state, 'done')
    assert.equal((await run(publish(['a']), key)).problem.code, 'rate_limited')
    assert.equal((await run(publish(['a']), liveKey)).state, 'done')
    assert.equal((await run(publish(['a']), (await newcomer()).key)).state, 'done')
    assert.deepEqual(await day(projectId), [{ files: 8, bytes: 8, livemode: false }, { files: 1, bytes: 1, livemode: true }])
    // The next day begins at nought.
    await house.database.query(`update published_day set day = day - 1 where project_id = $1`, [projectId])
    assert.equal((await run(publish(['a']), key)).state, 'done')
  })

  test('counts what was sent to addresses, gives back what was turned down, and counts nothing twice', async () => {
    const { key, projectId } = await newcomer()
    const sent = (values: string[]) => publish(values, { to: 'http', url: `${address}/{{index}}` })
    status = 410
    const refused = await run(sent(['a', 'b']), key)
    assert.deepEqual([refused.problem.code, await day(projectId)], ['provider_rejected', [{ files: 0, bytes: 0, livemode: false }]])
    // Whether it was taken is not known.
    status = 503
    const down = await run(sent(['a', 'b']), key)
    assert.deepEqual([down.problem.code, (await day(projectId))[0]!.files], ['provider_down', 1])
    status = 200
    await ask('POST', `/executions/${down.id}/resume`, {}, { key })
    assert.equal((await ask('GET', `/executions/${down.id}?wait=60`, undefined, { key })).state, 'done')
    assert.deepEqual((await day(projectId))[0], { files: 2, bytes: 2, livemode: false })
  })
})

test('a worker that is killed between counting and being told leaves a count of one, and what was counted outlives it', async t => {
  const served = await testHouse({ roles: ['serve'] })
  const environment = testSettings({ databaseUrl: served.house.config.DATABASE_URL!, dataDir: served.dataDir, upstreamUrl: served.upstream.url })
  const [worker, generous] = [serverProcess({ ...environment, ...limits }, ['--work']), serverProcess({ ...environment, ...limits, PLANTAIN_PUBLISH_DAY_FILES: '0' }, ['--work'])]
  t.after(async () => { await Promise.all([worker.close(), generous.close()]); await served.close() })
  await worker.start()
  status = 0
  taken = 0
  const sent = (values: string[]) => publish(values, { to: 'http', url: `${address}/{{index}}` })
  const begun = await ask('POST', '/executions', sent(['a']), { key: served.testKey, url: served.url })
  for (const end = performance.now() + 60_000; silent.length === 0 && performance.now() < end;) await pause(20)
  assert.equal(silent.length, 1, 'it was sent')
  await worker.kill()
  status = 200
  await worker.start()
  const ended = await ask('GET', `/executions/${begun.id}?wait=60`, undefined, { key: served.testKey, url: served.url })
  assert.equal(ended.state, 'done', JSON.stringify(ended))
  assert.deepEqual((await served.database.query('select files::int, size_bytes::int as bytes from published_day')).rows, [{ files: 1, bytes: 1 }])
  assert.equal(taken, 1)
  for (const wanted of ['done', 'done', 'failed']) assert.equal((await run(sent(['a', 'b', 'c']), served.testKey, served.url)).state, wanted)
  assert.equal(taken, 7)
  // Another limit counts from then on.
  await worker.stop()
  await generous.start()
  assert.equal((await run(sent(['a', 'b', 'c']), served.testKey, served.url)).state, 'done')
  assert.deepEqual((await served.database.query('select files::int, size_bytes::int as bytes from published_day')).rows, [{ files: 10, bytes: 10 }])
})
