/** Wireflow rehearsed: cards of an operator's own and a live key against a server that follows its wire page, fault by fault. Nothing here has met Wireflow. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import wireflow from '../src/providers/wireflow/index.ts'
import type { Job, JobOutcome } from '../src/providers/contract.ts'
import { createFetch, providerCodes } from '../src/kit/fetch.ts'
import { until } from './kit/engine.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { moneyOf, moneyTable, send } from './kit/live.ts'
import { paint } from './upstreams/loopback.ts'
import { startWireflow, wireflowKey, type WireflowStats, type WireflowUpstream } from './upstreams/wireflow.ts'

let upstream: WireflowUpstream
let house: TestHouse
before(async () => {
  upstream = await startWireflow()
  house = await testHouse({ settings: { WIREFLOW_API_KEY: wireflowKey, WIREFLOW_BASE_URL: upstream.url, WIREFLOW_PER_MINUTE: '1000', PLANTAIN_CARDS: join(import.meta.dirname, 'kit/gateways') } })
})
after(async () => {
  await house?.close()
  await upstream?.close()
})
beforeEach(() => upstream.clear())

const model = 'wireflow-poster'
const fault = moneyTable({ house: () => house, upstream: () => upstream, model, key: wireflowKey })
const base64 = async () => (await paint(60, 40)).toString('base64')

describe('a live order', () => {
  test('runs the workflow with its inputs as the card maps them', async () => {
    const { body } = await send(house, { model, prompt: 'a fox fault:states', parameters: { aspect_ratio: '16:9', seed: 7 } }, 40)
    assert.deepEqual([body.state, body.served_by, body.text, body.details.wireflow.credits], ['done', 'wireflow', 'A poster.', 20], JSON.stringify(body.problem))
    assert.deepEqual(upstream.orders().map(one => one.inputs), [{ 'input-1': 'a fox fault:states', 'input-2': '16:9', 'input-6': 7 }])
    assert.deepEqual(upstream.stats(), { asked: 1, bought: 1, looks: 4, uploads: 0, files: 1, described: 0, cancels: 0 } satisfies WireflowStats)
    const { rows } = await house.database.query<{ micros: string }>('select micros from provider_cost where task_id = $1', [body.id])
    assert.deepEqual(rows.map(({ micros }) => Number(micros)), [200_000], '20 credits of a cent')
  })
  test('uploads its pictures first, each to its place', async () => {
    const { body } = await send(house, { model, prompt: 'blue', inputs: [{ base64: await base64() }, { base64: await base64(), role: 'style' }, { base64: await base64() }] })
    assert.equal(body.state, 'done', JSON.stringify(body.problem ?? body.error))
    const { inputs } = upstream.orders()[0]!
    assert.deepEqual([Object.keys(inputs).sort(), upstream.stats().uploads], [['input-1', 'input-2', 'input-3', 'input-4', 'input-5'], 3])
  })
  test('for several is as many runs, each with a key and a seed of its own', async () => {
    const { body } = await send(house, { model, prompt: 'foxes', parameters: { count: 3, seed: 7 } })
    assert.deepEqual([body.outputs.length, body.details.wireflow.credits, upstream.stats().bought], [3, 60, 3], JSON.stringify(body.problem))
    assert.deepEqual(upstream.orders().map(({ inputs }) => inputs['input-6']).sort(), [7, 8, 9])
    assert.equal(new Set(upstream.orders().map(({ key }) => key)).size, 3)
  })
  test('asks a workflow of which only the id is known for its inputs', async () => {
    const { body } = await send(house, { model: 'wireflow-plain', prompt: 'a fox', parameters: { aspect_ratio: '1:1' }, inputs: [{ base64: await base64() }] })
    assert.equal(body.state, 'done', JSON.stringify(body.problem ?? body.error))
    assert.deepEqual([Object.keys(upstream.orders()[0]!.inputs).sort(), upstream.stats().described], [['input-1', 'input-2', 'input-3'], 1])
  })
  test('of what has no place in the workflow is refused before anything is asked', async () => {
    const { body } = await send(house, { model: 'wireflow-plain', prompt: 'a fox', inputs: await Promise.all(['reference', 'reference', 'style'].map(async role => ({ base64: await base64(), role }))) })
    assert.equal(body.state, 'done', 'three places, three pictures')
    upstream.clear()
    const two = await send(house, { model, prompt: 'a fox', inputs: [{ base64: await base64(), role: 'style' }, { base64: await base64(), role: 'style' }] })
    assert.equal((two.body.problem ?? two.body.error).code, 'unsupported_parameter')
    assert.deepEqual([upstream.stats().asked, upstream.stats().uploads], [0, 0])
  })
  test('that is cancelled is cancelled there', async () => {
    const { body } = await send(house, { model, prompt: 'a fox fault:stuck' }, 0)
    await until(() => upstream.stats().looks > 0, 'a look')
    await fetch(`${house.url}/plantain/v1/tasks/${body.id}/cancel`, { method: 'POST', headers: { authorization: `Bearer ${house.liveKey}` } })
    await until(() => upstream.stats().cancels > 0, 'the stop')
    assert.deepEqual([upstream.stats().cancels, (await moneyOf(house, body.id)).captured], [1, 0])
  })
})

describe('what goes wrong', () => {
  fault('reset_once', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 })
  fault('list_shape', { asked: 1, bought: 1, captured: 1, made: 1 })
  fault('data_shape', { asked: 1, bought: 1, captured: 1, made: 1 })
  fault('moment', { asked: 1, bought: 1, captured: 1, made: 1 })
  fault('blind', { asked: 1, bought: 1, captured: 1, made: 1 })

  // After a lost answer it is asked for again under the same key: the same attempt, and one run there.
  fault('refused_500_once', { asked: 2, bought: 1, captured: 1, made: 1 })
  fault('one_lost_once', { asked: 6, bought: 3, captured: 3, made: 3 }, { parameters: { count: 3 } })

  fault('refused_404', { asked: 1, bought: 0, captured: 0, code: 'provider_not_configured' })
  fault('object_words', { asked: 1, bought: 0, captured: 0, code: 'provider_rejected' })
  fault('policy', { asked: 1, bought: 0, captured: 0, code: 'content_rejected', costs: ['open'] })
  fault('credits', { asked: 1, bought: 0, captured: 0, code: 'provider_not_configured' })
  fault('key', { asked: 1, bought: 0, captured: 0, code: 'provider_not_configured' })
  fault('refused_prompt', { asked: 1, bought: 1, captured: 0, code: 'content_rejected', costs: ['told'] })
  fault('timeout', { asked: 1, bought: 1, captured: 0, code: 'provider_timeout', costs: ['told'] })
  fault('cancelled', { asked: 1, bought: 1, captured: 0, code: 'provider_failed', costs: ['told'] })
  fault('empty', { asked: 1, bought: 1, captured: 0, code: 'bad_output', costs: ['told'] })
  fault('one_busy', { asked: 3, bought: 2, captured: 2, made: 2 }, { parameters: { count: 3 } })
  fault('one_fails', { asked: 3, bought: 3, captured: 2, made: 2 }, { parameters: { count: 3 } })
})

test('uploads that are busy or break off have bought nothing, and are tried again', async () => {
  for (const one of ['busy', 'cut'] as const) {
    upstream.clear()
    upstream.uploadFaults.push(one)
    const { body } = await send(house, { model, prompt: 'blue', inputs: [{ base64: await base64() }] })
    assert.deepEqual([body.state, body.attempts, upstream.stats().bought], ['done', 2, 1], JSON.stringify(body.problem))
  }
})

const fetchRaw = createFetch({ ...providerCodes, allowPrivate: true, deadlineMs: 60_000, sizeMax: 50_000_000, redirectsMax: 0 })
after(() => fetchRaw.close())
const job = (more: Partial<Job> = {}): Job => ({
  taskId: '0'.repeat(32), attempt: 1, key: 'key-1', cardId: model, model: 'wf_poster?prompt=input-1&inputs=input-3', operation: 'generate', prompt: 'a fox', parameters: {},
  count: 1, width: null, height: null, inputs: [], livemode: true, callbackUrl: null, ...more })
function open({ address = upstream.url, fetch = fetchRaw as typeof globalThis.fetch } = {}) {
  let now = new Date('2026-11-21T12:00:00Z')
  const connection = wireflow.connect({ apiKey: wireflowKey, baseUrl: address }, { fetch, now: () => now, log: { info() {}, warn() {} } })
  return { connection, pass(ms: number) { now = new Date(now.getTime() + ms) } }
}
const signal = () => AbortSignal.timeout(60_000)
const codeOf = (outcome: JobOutcome | null) => outcome?.kind === 'failed' ? outcome.problem.code : outcome?.kind
const picture = (bytes: Buffer): Job['inputs'][number] => ({ assetId: 'a', role: 'reference', mime: 'image/png', sizeBytes: bytes.length, width: 1, height: 1, sha256: 'f'.repeat(64), read: async () => bytes, link: () => null })

test('large pictures go to the store by the place they are given, and too large ones nowhere', async () => {
  const begun = await open().connection.submit(job({ operation: 'edit', inputs: [picture(Buffer.alloc(4 * 1024 * 1024 + 1))] }), signal())
  assert.equal(begun.kind, 'wait')
  assert.deepEqual(upstream.heard.map(({ method, path }) => `${method} ${path.replace(/\d+$/, 'n')}`), ['POST /api/v1/media/upload-url', 'PUT /put/m_n', 'POST /api/v1/media/upload-url/complete', 'POST /api/v1/workflows/wf_poster/run'])
  upstream.clear()
  assert.equal(codeOf(await open().connection.submit(job({ operation: 'edit', inputs: [picture(Buffer.alloc(25_000_001))] }), signal())), 'too_large')
  assert.equal(upstream.heard.length, 0)
})

test('one key is one run, however often it is asked for, pictures and all; with other inputs nobody knows', async () => {
  const { connection } = open()
  const edit = job({ operation: 'edit', inputs: [picture(await paint(30, 30))] })
  for (let times = 0; times < 3; times++) assert.equal(codeOf(await connection.submit(edit, signal())), 'wait')
  assert.deepEqual([upstream.stats().bought, upstream.stats().uploads], [1, 1])
  // Another process has not uploaded it: its order is another one to Wireflow.
  assert.equal(codeOf(await open().connection.submit(edit, signal())), 'provider_failed')
  assert.equal(upstream.stats().bought, 1)
})

test('looking for an attempt never has one made', async () => {
  assert.equal(await open().connection.find!(job(), signal()), null)
  assert.equal(upstream.stats().asked, 0)
})

test('an execution it has forgotten is waited for a minute, then given up', async () => {
  const { connection, pass } = open()
  const begun = await connection.submit(job({ prompt: 'fault:lost' }), signal())
  assert.ok(begun.kind === 'wait')
  pass(3_600_000)
  const missing = await connection.poll!(begun.receipt, job(), signal())
  assert.ok(missing.kind === 'wait')
  pass(59_000)
  assert.equal(codeOf(await connection.poll!(missing.receipt, job(), signal())), 'wait')
  pass(2_000)
  assert.equal(codeOf(await connection.poll!(missing.receipt, job(), signal())), 'provider_failed')
})

test('links that have expired are asked for anew, those of an earlier look too', async () => {
  const { connection } = open()
  const two = job({ prompt: 'fault:one_slow', count: 2 })
  const begun = await connection.submit(two, signal())
  assert.ok(begun.kind === 'wait')
  await connection.poll!(begun.receipt, two, signal())
  const half = await connection.poll!(begun.receipt, two, signal())
  assert.ok(half.kind === 'wait' && JSON.stringify(half.receipt).includes('/f/'), 'the first has ended')
  const looks = upstream.stats().looks
  const done = await connection.poll!(half.receipt, { ...two, fresh: true }, signal())
  assert.deepEqual([done.kind === 'done' && done.value.made.length, upstream.stats().looks - looks], [2, 2])
})

test('polls that never end are looked behind after a minute', async () => {
  const { connection, pass } = open()
  const begun = await connection.submit(job({ prompt: 'fault:silent' }), signal())
  assert.ok(begun.kind === 'wait')
  assert.equal(codeOf(await connection.poll!(begun.receipt, job(), signal())), 'wait')
  pass(61_000)
  assert.equal(codeOf(await connection.poll!(begun.receipt, job(), signal())), 'done')
})

test('results its store will not hand to a program are opened by its own door', async () => {
  const url = 'https://cdn.wireflow.ai/a.png'
  const answer = (status: number): typeof globalThis.fetch => async (input, init) => init?.method === 'HEAD' ? new Response(null, { status })
    : Response.json(String(input).endsWith('/poll') ? { status: 'COMPLETED', finalOutput: { url } } : { executionId: 'exec_1' })
  const linkAt = async (status: number) => {
    const { connection } = open({ address: 'https://www.wireflow.ai', fetch: answer(status) })
    const begun = await connection.submit(job(), signal())
    const done = begun.kind === 'wait' ? await connection.poll!(begun.receipt, job(), signal()) : begun
    return done.kind === 'done' ? done.value.made : done
  }
  assert.deepEqual(await linkAt(200), [{ url }])
  assert.deepEqual(await linkAt(403), [{ url: `https://www.wireflow.ai/api/download?url=${encodeURIComponent(url)}` }])
})

test('a route that cannot be a workflow is the operator’s to mend', async () => {
  assert.equal(codeOf(await open().connection.submit(job({ model: 'wf_poster?inputs:hat=input-3' }), signal())), 'provider_not_configured')
  assert.equal(codeOf(await open().connection.submit(job({ model: 'wf_other' }), signal())), 'provider_not_configured')
  assert.equal(codeOf(await open({ address: 'http://127.0.0.1:1' }).connection.submit(job(), signal())), 'provider_down')
  assert.equal(upstream.stats().bought, 0)
})
