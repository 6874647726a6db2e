/** Google's batches rehearsed: who is sent there and who is not, at which price, and what becomes of them. Nothing here has met Google. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { GoogleGenAI } from '@google/genai'
import geminiBatch from '../src/providers/gemini-batch/index.ts'
import type { Job, JobOutcome } from '../src/providers/contract.ts'
import { createFetch, providerCodes } from '../src/kit/fetch.ts'
import { until } from './kit/engine.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { jobOf } from './kit/job.ts'
import { moneyTable, send } from './kit/live.ts'
import { geminiKey, startGemini, type GeminiUpstream } from './upstreams/gemini.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'batch-cards-'))
let upstream: GeminiUpstream
let house: TestHouse
before(async () => {
  upstream = await startGemini()
  // An operator who hands half of the price on.
  const card = JSON.parse(readFileSync(new URL('../src/catalog/cards/nano-banana-pro.json', import.meta.url), 'utf8'))
  writeFileSync(path.join(folder, 'nano-banana-pro.json'), JSON.stringify({ extends: 'nano-banana-pro', prices: card.prices.map((list: any) => ({ ...list, rows: [
    ...list.rows.map((row: any) => ({ ...row, when: { ...row.when, priority: 'batch' }, micros: row.micros / 2 })), ...list.rows] })) }))
  house = await testHouse({ settings: { GEMINI_API_KEY: geminiKey, GEMINI_BASE_URL: upstream.url, GEMINI_BATCH_API_KEY: geminiKey, GEMINI_BATCH_BASE_URL: upstream.url, PLANTAIN_CARDS: folder } })
})
after(async () => {
  await house?.close()
  await upstream?.close()
  rmSync(folder, { recursive: true })
})
beforeEach(() => upstream.clear())

const model = 'nano-banana-2-1'
const patient = { priority: 'batch', end_within_s: 86_400 }
const ask = (body: object, waitS = 55) => send(house, { model, prompt: 'a boat', ...body }, waitS)
const costsOf = async (taskId: string) => (await house.database.query<{ provider: string; micros: number; basis: string }>('select provider, micros::float8 as micros, basis from provider_cost where task_id = $1', [taskId])).rows
const look = async (id: string) => (await fetch(`${house.url}/plantain/v1/tasks/${id}`, { headers: { authorization: `Bearer ${house.liveKey}` } })).json() as any

describe('an order that can wait', () => {
  test('goes into a batch, is looked at, and costs half', async () => {
    const { body } = await ask({ ...patient, prompt: 'a boat fault:states', parameters: { aspect_ratio: '16:9', resolution: '2K', seed: 5 } })
    assert.deepEqual([body.state, body.served_by, body.text, body.outputs?.[0]?.mime], ['done', 'gemini-batch', 'Here it is.', 'image/png'], JSON.stringify(body.problem))
    assert.match(body.upstream_id, /^batches\/b\d+$/)
    assert.deepEqual([body.details.gemini_batch, body.details.seeds], [{ batch: body.upstream_id }, [5]])
    const [{ model: asked, body: sent }] = upstream.orders() as [{ model: string; body: any }]
    assert.equal(asked, 'gemini-nano-banana-2.1')
    const key = `${body.id}-1`
    assert.deepEqual(sent, { batch: { displayName: `plantain ${key}`, inputConfig: { requests: { requests: [{ metadata: { key: `${key}-0` }, request: {
      contents: [{ role: 'user', parts: [{ text: 'a boat fault:states' }] }], generationConfig: { responseModalities: ['TEXT', 'IMAGE'], imageConfig: { aspectRatio: '16:9', imageSize: '2K' }, seed: 5 } } }] } } } })
    const { asked: times, bought, looks } = upstream.stats()
    assert.deepEqual({ times, bought, looks }, { times: 1, bought: 1, looks: 3 })

    const called = await ask({ parameters: { aspect_ratio: '16:9', resolution: '2K', seed: 5 } })
    assert.equal(called.body.served_by, 'gemini')
    const [half, whole] = [(await costsOf(body.id))[0]!, (await costsOf(called.body.id))[0]!]
    assert.deepEqual([half.provider, half.basis, half.micros], ['gemini-batch', 'usage', Math.ceil(whole.micros / 2)])
    assert.equal(body.price.micros, called.body.price.micros, 'what callers pay is the card’s to say')
    assert.deepEqual(await house.audit(), [])
  })

  test('for several is one batch, and each is found by its own key', async () => {
    const { body } = await ask({ ...patient, parameters: { count: 3, seed: 5 } })
    assert.deepEqual([body.outputs?.length, body.details.seeds, upstream.stats().asked, upstream.orders()[0]!.body.batch.inputConfig.requests.requests.length], [3, [5, 6, 7], 1, 3], JSON.stringify(body.problem))
    assert.equal(body.details.usage_metadata.candidatesTokenCount, 3 * 1132)
  })

  test('costs its caller half where the card says so, and the price is told before', async () => {
    const price = async (more: object) => (await (await fetch(`${house.url}/plantain/v1/estimate`, { method: 'POST', headers: { authorization: `Bearer ${house.liveKey}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'nano-banana-pro', prompt: 'a boat', ...more }) })).json() as any).price.micros
    const [whole, half] = [await price({}), await price(patient)]
    assert.equal(half, whole / 2)
    const { body } = await ask({ ...patient, model: 'nano-banana-pro' })
    assert.deepEqual([body.served_by, body.cost.micros], ['gemini-batch', half], JSON.stringify(body.problem))
  })

  test('for half a day only, or of somebody who waits, is made in a call', async () => {
    for (const more of [{ priority: 'batch', end_within_s: 3_600 }, { priority: 'batch' }, { end_within_s: 86_400 }, {}]) {
      const { body } = await ask(more)
      assert.deepEqual([body.state, body.served_by, body.warnings], ['done', 'gemini', []], JSON.stringify(more))
    }
  })

  test('that does not fit into a batch goes to the next route, and says so', async () => {
    const bytes = Buffer.alloc(15_000_000, 1)
    const outcome = await open().connection.submit(job({ inputs: [{ assetId: 'a', role: 'reference', mime: 'image/png', sizeBytes: bytes.length, width: 1, height: 1, sha256: '', read: async () => bytes, link: () => null }] }), AbortSignal.timeout(60_000))
    assert.deepEqual([codeOf(outcome), upstream.stats().asked], ['too_large', 0])
  })

  test('is cancelled at Google as well', async () => {
    const { body: { id } } = await ask({ ...patient, prompt: 'a boat fault:long' }, 0)
    await until(async () => (await look(id)).upstream_id !== null, 'the batch to be known')
    await fetch(`${house.url}/plantain/v1/tasks/${id}/cancel`, { method: 'POST', headers: { authorization: `Bearer ${house.liveKey}` } })
    await until(() => upstream.stats().cancelled === 1, 'Google to hear of it')
    assert.equal((await look(id)).state, 'cancelled')
    assert.deepEqual(await house.audit(), [])
  })
})

test('a house with batches alone makes nothing for who waits, and names what would', async () => {
  const alone = await testHouse({ settings: { GEMINI_BATCH_API_KEY: geminiKey, GEMINI_BATCH_BASE_URL: upstream.url } })
  try {
    const { body: { error } } = await send(alone, { model, prompt: 'a boat' })
    assert.equal(error.code, 'provider_not_configured')
    assert.match(error.message, /KIE_API_KEY.*GEMINI_API_KEY/)
    assert.ok(!error.message.includes('GEMINI_BATCH'), error.message)
    const { configured } = await (await fetch(`${alone.url}/plantain/v1/models/${model}`, { headers: { authorization: `Bearer ${alone.liveKey}` } })).json() as any
    assert.equal(configured, false)
    assert.equal((await send(alone, { model, prompt: 'a boat', ...patient })).body.served_by, 'gemini-batch')
  } finally { await alone.close() }
})

describe('what goes wrong', () => {
  const row = moneyTable({ house: () => house, upstream: () => upstream, model, key: geminiKey })
  const fault = (word: string, expected: Parameters<typeof row>[1], more: object = {}) => row(word, expected, { ...patient, ...more })
  fault('blind', { asked: 1, bought: 1, captured: 1, made: 1 })
  // Google has no room for a batch: it is made in a call.
  fault('limited', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 })
  fault('batch_cancelled', { asked: 1, bought: 1, captured: 0, code: 'provider_failed' })
  fault('batch_expired', { asked: 1, bought: 1, captured: 0, code: 'provider_timeout' })
  fault('batch_empty', { asked: 1, bought: 1, captured: 0, code: 'bad_output' })
  fault('batch_file', { asked: 1, bought: 1, captured: 0, code: 'bad_output' })
  fault('finish_image_safety', { asked: 1, bought: 1, captured: 0, code: 'content_rejected', costs: ['told'] })
  fault('row_error', { asked: 1, bought: 1, captured: 2, made: 2 }, { parameters: { count: 3 } })
  fault('row_missing', { asked: 1, bought: 1, captured: 2, made: 2, costs: ['open'] }, { parameters: { count: 3 } })
})

const fetchRaw = createFetch({ ...providerCodes, allowPrivate: true, deadlineMs: 60_000, sizeMax: 50_000_000, redirectsMax: 0 })
after(() => fetchRaw.close())
const job = (more: Partial<Job> = {}): Job => jobOf(model, 'gemini-nano-banana-2.1')({ priority: 'batch', key: 'task-1', parameters: {}, ...more })
const codeOf = (outcome: JobOutcome) => outcome.kind === 'failed' ? outcome.problem.code : outcome.kind
const open = () => {
  let now = new Date('2026-11-29T12:00:00Z')
  const connection = geminiBatch.connect({ apiKey: geminiKey, baseUrl: upstream.url }, { fetch: fetchRaw, now: () => now, log: { info() {}, warn() {} } })
  return { connection, pass(ms: number) { now = new Date(now.getTime() + ms) } }
}
const signal = () => AbortSignal.timeout(60_000)
/** Looks until it ends, at most so often. */
async function follow({ connection }: ReturnType<typeof open>, outcome: JobOutcome | null, looks: number): Promise<JobOutcome | null> {
  let last = outcome
  for (let index = 0; last?.kind === 'wait' && index < looks; index++) last = await connection.poll!(last.receipt, job(), signal())
  return last
}

test('a batch whose answer was lost, or whose server was killed, is found in the list by its name, and never handed in again', async () => {
  const one = open()
  const lost = await one.connection.submit(job({ prompt: 'fault:cut_after' }), signal())
  upstream.crowd(120)
  assert.equal(codeOf((await follow(one, lost, 5))!), 'done')
  assert.deepEqual([upstream.stats().asked, upstream.stats().lists], [1, 3], 'it stands on the third page')
  const another = open()
  assert.equal(codeOf((await follow(another, await another.connection.find!(job(), signal()), 5))!), 'done')
  assert.equal(upstream.stats().bought, 1)
})

test('one that is not in the list is looked for during one minute, and is nobody’s to hand in again', async () => {
  const one = open()
  const lost = await one.connection.submit(job({ prompt: 'fault:unlisted' }), signal())
  assert.ok(lost.kind === 'wait')
  const looked = await follow(one, lost, 3)
  assert.equal(looked?.kind, 'wait')
  one.pass(61_000)
  assert.equal(codeOf((await follow(one, looked, 1))!), 'outcome_unknown')
  assert.equal(await one.connection.cancel!(lost.receipt, job(), signal()), false, 'what is not known cannot be stopped')
  const another = open()
  const sought = await another.connection.find!(job(), signal())
  assert.equal(sought?.kind, 'wait')
  assert.equal(upstream.stats().asked, 1)
})

test('a batch that is not new any more is looked at once a minute', async () => {
  const one = open()
  const begun = await one.connection.submit(job({ prompt: 'fault:long' }), signal())
  const first = await follow(one, begun, 1)
  assert.equal(first?.kind === 'wait' && first.afterMs, null)
  one.pass(61_000)
  const later = await follow(one, first, 1)
  assert.equal(later?.kind === 'wait' && later.afterMs, 60_000)
})

test('who cannot wait is refused before anything is asked', async () => {
  const { connection } = open()
  for (const more of [{ priority: 'interactive' }, { endBy: new Date('2026-11-29T12:30:00Z') }, { operation: 'video', model: 'veo-3.1-generate-preview' }] as Partial<Job>[]) {
    assert.equal(codeOf(await connection.submit(job(more), signal())), 'unsupported_parameter')
  }
  assert.equal(upstream.stats().asked, 0)
})

test('Google’s own client takes the rehearsal’s batches for Google’s', async () => {
  const client = new GoogleGenAI({ apiKey: geminiKey, httpOptions: { baseUrl: upstream.url, apiVersion: 'v1beta' } })
  const begun = await client.batches.create({ model: 'gemini-nano-banana-2.1', src: [{ contents: [{ role: 'user', parts: [{ text: 'a boat' }] }], metadata: { key: 'row-1' } }], config: { displayName: 'catalogue' } })
  const batch = await client.batches.get({ name: begun.name! })
  assert.deepEqual([batch.state, batch.displayName], ['JOB_STATE_SUCCEEDED', 'catalogue'])
  assert.equal(batch.dest?.inlinedResponses?.[0]?.response?.candidates?.[0]?.content?.parts?.some(({ inlineData }) => inlineData?.mimeType === 'image/png'), true)
  const listed = []
  for await (const one of await client.batches.list()) listed.push(one.name)
  assert.deepEqual(listed, [begun.name])
  await client.batches.cancel({ name: begun.name! })
  assert.equal(upstream.stats().cancelled, 1)
})
