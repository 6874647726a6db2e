/** Another Plantain rehearsed: a card of an operator's own and a live key against a small server that speaks `/plantain/v1`, fault by fault. Two real houses meet in `chain.test.ts`. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import plantain from '../src/providers/plantain/index.ts'
import type { Job, JobOutcome } from '../src/providers/contract.ts'
import { createFetch, providerCodes } from '../src/kit/fetch.ts'
import { until } from './kit/engine.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { moneyTable, send } from './kit/live.ts'
import { freePort } from './kit/port.ts'
import { plantainKey, plantainSecret, startPlantain, type PlantainStats, type PlantainUpstream } from './upstreams/plantain.ts'
import { paint } from './upstreams/loopback.ts'

let upstream: PlantainUpstream
let house: TestHouse
const settings = () => ({ PLANTAIN_API_KEY: plantainKey, PLANTAIN_BASE_URL: `${upstream.url}/plantain/v1`, PLANTAIN_CARDS: join(import.meta.dirname, 'kit/gateways') })
before(async () => {
  upstream = await startPlantain()
  house = await testHouse({ settings: settings() })
})
after(async () => {
  await house?.close()
  await upstream?.close()
})
beforeEach(() => upstream.clear())

const model = 'plantain-1'
const fault = moneyTable({ house: () => house, upstream: () => upstream, model, key: plantainKey })

describe('a live order', () => {
  test('is handed in under our key, looked at through every state, fetched and paid', async () => {
    const { body } = await send(house, { model, prompt: 'a fox fault:states', parameters: { aspect_ratio: '16:9', seed: 7, count: 2 } })
    assert.deepEqual([body.state, body.served_by, body.outputs.length, body.text], ['done', 'plantain', 2, 'Here it is.'], JSON.stringify(body.problem))
    assert.deepEqual(body.warnings, ['seed 7 was not passed on.'])
    assert.equal(body.details.usage_metadata.candidatesTokenCount, 1120)
    assert.deepEqual([body.details.plantain.served_by, body.details.plantain.via, body.upstream_id], ['gemini', { task_id: 'deeper' }, body.details.plantain.task_id])
    const [{ body: asked, key }] = upstream.orders() as [{ body: any; key: string }]
    assert.equal(key, `${body.id}-1`)
    assert.deepEqual(asked, { model: 'nano-banana-2-1', operation: 'generate', prompt: 'a fox fault:states', parameters: { aspect_ratio: '16:9', seed: 7, count: 2 }, inputs: [], metadata: { plantain_attempt: key } })
    assert.deepEqual(upstream.stats(), { asked: 1, bought: 1, looks: 3, uploads: 0, files: 2, cancels: 0 } satisfies PlantainStats)
  })

  test('hands its pictures over first', async () => {
    const { body } = await send(house, { model, prompt: 'make it blue', inputs: [{ base64: (await paint(60, 40)).toString('base64') }, { base64: (await paint(60, 40)).toString('base64') }] })
    assert.equal(body.state, 'done', JSON.stringify(body.problem ?? body.error))
    const { body: asked } = upstream.orders()[0]!
    assert.deepEqual([asked.operation, asked.inputs.length, asked.inputs[0].role, upstream.stats().uploads], ['edit', 2, 'reference', 2])
  })

  test('that is cancelled is cancelled there', async () => {
    const { body } = await send(house, { model, prompt: 'a fox fault:stuck' }, 0)
    await until(() => upstream.stats().looks > 0, 'a look')
    await fetch(`${house.url}/plantain/v1/tasks/${body.id}/cancel`, { method: 'POST', headers: { authorization: `Bearer ${house.liveKey}` } })
    await until(() => upstream.stats().cancels > 0, 'the stop')
    assert.equal(upstream.stats().cancels, 1)
  })
})

describe('what goes wrong', () => {
  fault('no_unavailable_once', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 })
  fault('blind', { asked: 1, bought: 1, captured: 1, made: 1 })
  fault('task_provider_busy_once', { asked: 2, bought: 2, captured: 1, made: 1, attempts: 2, costs: ['told', 'told'] })

  // A lost answer is looked for by our key. What is there is not asked for again; what is not is, as the same attempt.
  for (const word of ['no_internal_once', 'no_idempotency_busy_once']) fault(word, { asked: 2, bought: 1, captured: 1, made: 1 })

  fault('no_content_rejected', { asked: 1, bought: 0, captured: 0, code: 'content_rejected', costs: ['told'] })
  fault('no_unsupported_parameter', { asked: 1, bought: 0, captured: 0, code: 'unsupported_parameter' })
  fault('no_unknown_model', { asked: 1, bought: 0, captured: 0, code: 'provider_not_configured' })
  fault('no_credits_required', { asked: 1, bought: 0, captured: 0, code: 'provider_not_configured' })
  fault('no_unauthorized', { asked: 1, bought: 0, captured: 0, code: 'provider_not_configured' })
  fault('no_provider_not_configured', { asked: 1, bought: 0, captured: 0, code: 'provider_not_configured' })
  fault('task_content_rejected', { asked: 1, bought: 1, captured: 0, code: 'content_rejected', costs: ['told'] })
  fault('task_outcome_unknown', { asked: 1, bought: 1, captured: 0, code: 'outcome_unknown', costs: ['told'] })
  fault('task_internal', { asked: 1, bought: 1, captured: 0, code: 'provider_failed', costs: ['told'] })
  fault('empty', { asked: 1, bought: 1, captured: 0, code: 'bad_output', costs: ['told'] })
  fault('foreign', { asked: 1, bought: 1, captured: 0, code: 'bad_output', costs: ['told'] })
  fault('fewer', { asked: 1, bought: 1, captured: 1, made: 1 }, { parameters: { count: 3 } })
})

test('uploads that are busy or break off have bought nothing, and are tried again', async () => {
  for (const one of ['busy', 'cut'] as const) {
    upstream.clear()
    upstream.uploadFaults.push(one)
    const { body } = await send(house, { model, prompt: 'make it blue', inputs: [{ base64: (await paint(50, 50)).toString('base64') }] })
    assert.deepEqual([body.state, body.attempts, upstream.stats().bought], ['done', 2, 1], JSON.stringify(body.problem))
  }
})

describe('call backs', () => {
  let open: TestHouse
  let port: number
  before(async () => {
    port = await freePort()
    // The first of two secrets is being replaced.
    const secrets = `whsec_${Buffer.alloc(24).toString('base64')} ${plantainSecret}`
    open = await testHouse({ settings: { ...settings(), PORT: String(port), PUBLIC_URL: `http://127.0.0.1:${port}`, PLANTAIN_CALLBACK_SECRET: secrets } })
  })
  after(() => open?.close())
  const called = async (word: string, expected: number) => {
    const { body } = await send(open, { model, prompt: `a fox fault:${word}` })
    assert.equal(body.state, 'done', JSON.stringify(body.problem))
    await until(() => upstream.called.length > 0, 'the call back')
    assert.deepEqual([upstream.called, upstream.stats().bought], [[expected], 1])
    assert.match(upstream.orders()[0]!.body.callback_url, new RegExp(`^http://127\\.0\\.0\\.1:${port}/hooks/plantain/${body.id}-`))
  }
  test('that are signed are taken, and nothing they say is believed', () => called('called', 200))
  test('that come late change nothing', () => called('called_late', 200))
  test('that are forged are refused', () => called('forged', 401))
})

const fetchRaw = createFetch({ ...providerCodes, allowPrivate: true, deadlineMs: 60_000, sizeMax: 50_000_000, redirectsMax: 0 })
after(() => fetchRaw.close())
const job = (more: Partial<Job> = {}): Job => ({
  taskId: '0'.repeat(32), attempt: 1, key: 'key-1', cardId: model, model: 'nano-banana-2-1', operation: 'generate', prompt: 'a fox', parameters: { aspect_ratio: '1:1' },
  count: 1, width: null, height: null, inputs: [], livemode: true, callbackUrl: null, ...more })
const open = (address = upstream.url) => {
  let now = new Date('2026-11-21T12:00:00Z')
  const connection = plantain.connect({ apiKey: plantainKey, baseUrl: address }, { fetch: fetchRaw, now: () => now, log: { info() {}, warn() {} } })
  return { connection, pass(ms: number) { now = new Date(now.getTime() + ms) } }
}
const signal = () => AbortSignal.timeout(60_000)
const codeOf = (outcome: JobOutcome | null) => outcome?.kind === 'failed' ? outcome.problem.code : outcome?.kind

test('one key is one task, however often it is handed in', async () => {
  const { connection } = open()
  const outcomes = await Promise.all(Array.from({ length: 5 }, () => connection.submit(job(), signal())))
  const found = await connection.find!(job(), signal())
  const ids = [...outcomes, found].map(outcome => outcome?.kind === 'wait' ? (outcome.receipt as { id: string }).id : outcome?.kind === 'done' ? outcome.value.upstreamId : null)
  assert.deepEqual([new Set(ids).size, upstream.stats().bought], [1, 1])
  assert.ok(ids[0])
})

test('looking for an attempt never has one made', async () => {
  const { connection } = open()
  assert.equal(await connection.find!(job({ key: 'never-handed-in' }), signal()), null)
  await connection.submit(job({ key: 'handed-in' }), signal())
  assert.equal(codeOf(await connection.find!(job({ key: 'handed-in', inputs: [] }), signal())), 'done')
  assert.equal(codeOf(await open('http://127.0.0.1:1').connection.find!(job(), signal())), 'wait')
  assert.deepEqual([upstream.stats().asked, upstream.stats().bought], [1, 1])
})

test('a task it no longer knows is waited for a minute, then given up', async () => {
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

test('a house that is not there was never asked', async () => assert.equal(codeOf(await open('http://127.0.0.1:1').connection.submit(job(), signal())), 'provider_down'))

test('its key and address are both needed, and what it cost us is told', async () => {
  assert.deepEqual(plantain.settings.required, ['apiKey', 'baseUrl'])
  const { connection } = open()
  const begun = await connection.submit(job({ count: 3 }), signal())
  assert.ok(begun.kind === 'wait')
  const done = await connection.poll!(begun.receipt, job({ count: 3 }), signal())
  assert.ok(done.kind === 'done')
  assert.deepEqual([done.value.costMicros, done.value.usage], [120_000, { textIn: 12, imageOut: 1120 }])
})
