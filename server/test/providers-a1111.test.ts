/** AUTOMATIC1111 and Forge rehearsed: real cards and a live key against a server that follows their API, fault by fault. Nothing here has met either of them. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import a1111 from '../src/providers/a1111/index.ts'
import { pricedCards } from './kit/catalog.ts'
import { until } from './kit/engine.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { moneyOf, moneyTable, send } from './kit/live.ts'
import { startA1111, type A1111Upstream } from './upstreams/a1111.ts'
import { paint } from './upstreams/loopback.ts'

let upstream: A1111Upstream
let house: TestHouse
const cards = pricedCards(['a1111-image', 'a1111-upscale'], 30_000)
const basic = `Basic ${Buffer.from('maker:rehearsed-password').toString('base64')}`
const settings = (more: Record<string, string> = {}) => ({ A1111_BASE_URL: upstream.url, A1111_USER: 'maker', A1111_PASSWORD: 'rehearsed-password', PLANTAIN_CARDS: cards, ...more })

before(async () => {
  upstream = await startA1111()
  upstream.authorization = basic
  house = await testHouse({ settings: settings() })
})
after(async () => {
  await house?.close()
  await upstream?.close()
})
beforeEach(() => { upstream.clear(); upstream.authorization = basic })

const fault = moneyTable({ house: () => house, upstream: () => upstream, model: 'a1111-image', key: 'rehearsed-password' })
const more = { parameters: { size: '64x64' } }
const begin = async (prompt: string, extra: object = {}) => (await send(house, { model: 'a1111-image', prompt, ...more, ...extra }, 0)).body.id as string
const look = async (id: string) => await (await fetch(`${house.url}/plantain/v1/tasks/${id}`, { headers: { authorization: `Bearer ${house.liveKey}` } })).json() as any
const ended = async (id: string) => { let task: any; await until(async () => ['done', 'failed', 'cancelled'].includes((task = await look(id)).state), 'the task to end'); return task }

describe('a live order', () => {
  test('comes in the call, one after the other, with its seeds', async () => {
    const { body } = await send(house, { model: 'a1111-image', prompt: 'a compass', parameters: { size: '96x64', count: 2, seed: 7, sampler: 'DPM++ 2M' } })
    assert.deepEqual([body.state, body.served_by, body.outputs?.map((one: any) => [one.width, one.height]), body.details.seeds], ['done', 'a1111', [[96, 64], [96, 64]], [7, 8]], JSON.stringify(body.problem ?? body.error))
    const [{ body: order }] = upstream.orders() as [{ path: string; body: any }]
    assert.deepEqual([order.n_iter, order.batch_size, order.steps, order.sampler_name, order.override_settings, order.force_task_id], [2, 1, 24, 'DPM++ 2M', undefined, `${body.id}-1`])
  })

  test('two at once are made one after the other', async () => {
    const [first, second] = [await begin('fault:held one'), await begin('two')]
    await until(() => upstream.stats().asked === 1)
    assert.equal((await look(second)).state, 'queued')
    upstream.release()
    assert.deepEqual([(await ended(first)).state, (await ended(second)).state, upstream.stats().asked], ['done', 'done', 2])
  })

  test('shows how far it is and in-between pictures while it lasts', async () => {
    upstream.progress = 0.4
    const stream = fetch(`${house.url}/v1/images/generations`, { method: 'POST', headers: { authorization: `Bearer ${house.liveKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'a1111-image', prompt: 'fault:held stream', size: '64x64', stream: true, partial_images: 2 }) }).then(answer => answer.text())
    await until(() => upstream.stats().bought === 1)
    const { rows } = await house.database.query<{ id: string }>('select id from task order by id desc limit 1')
    const { id } = rows[0]!
    const partials = async () => (await house.database.query<{ count: number }>(`select count(*)::int as count from event where task_id = $1 and data ? 'partial'`, [id])).rows[0]!.count
    await until(async () => (await look(id)).progress === 40 && await partials() === 1, 'the first picture')
    upstream.progress = 0.8
    await until(async () => (await look(id)).progress === 80 && await partials() === 2, 'the second')
    upstream.release()
    const text = await stream
    assert.deepEqual([(await ended(id)).state, text.match(/^event: image_generation\.partial_image$/gm)?.length, text.match(/^event: image_generation\.completed$/gm)?.length], ['done', 2, 1])
  })

  test('that is cancelled is interrupted there, and costs nothing', async () => {
    const id = await begin('fault:held')
    await until(() => upstream.stats().bought === 1)
    await fetch(`${house.url}/plantain/v1/tasks/${id}/cancel`, { method: 'POST', headers: { authorization: `Bearer ${house.liveKey}` } })
    await until(() => upstream.stats().interrupts === 1, 'the interrupt')
    assert.deepEqual([(await look(id)).state, (await moneyOf(house, id)).captured], ['cancelled', 0])
  })

  test('edits and upscales send the picture', async () => {
    const inputs = [{ base64: (await paint(80, 64)).toString('base64') }, { base64: (await paint(80, 64)).toString('base64'), role: 'mask' }]
    const edit = await send(house, { model: 'a1111-image', prompt: 'a hat', inputs, parameters: { strength: 0.5 } })
    assert.equal(edit.body.state, 'done', JSON.stringify(edit.body.problem ?? edit.body.error))
    const [{ path, body }] = upstream.orders() as [{ path: string; body: any }]
    assert.deepEqual([path, body.width, body.height, body.init_images.length, typeof body.mask, body.denoising_strength], ['/sdapi/v1/img2img', 80, 64, 1, 'string', 0.5])
    const larger = await send(house, { model: 'a1111-upscale', prompt: '', inputs: inputs.slice(0, 1), parameters: { factor: 2 } })
    assert.deepEqual([larger.body.state, larger.body.outputs?.[0]?.width, upstream.orders()[1]!.body.upscaler_1], ['done', 160, 'R-ESRGAN 4x+'], JSON.stringify(larger.body.problem ?? larger.body.error))
  })
})

describe('what goes wrong', () => {
  fault('busy', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 }, more)
  fault('grid', { asked: 1, bought: 1, captured: 2, made: 2 }, { parameters: { size: '64x64', count: 2 } })
  fault('no_info', { asked: 1, bought: 1, captured: 1, made: 1 }, more)

  fault('sampler', { asked: 1, bought: 0, captured: 0, code: 'provider_rejected' }, more)
  fault('field', { asked: 1, bought: 0, captured: 0, code: 'provider_rejected' }, more)
  fault('checkpoint', { asked: 1, bought: 0, captured: 0, code: 'provider_not_configured' }, more)
  fault('memory', { asked: 1, bought: 0, captured: 0, code: 'provider_failed', costs: ['open'] }, more)
  fault('broken', { asked: 1, bought: 0, captured: 0, code: 'provider_failed', costs: ['open'] }, more)
  fault('plain', { asked: 1, bought: 0, captured: 0, code: 'provider_failed', costs: ['open'] }, more)
  fault('interrupted', { asked: 1, bought: 1, captured: 0, code: 'provider_failed' }, more)

  test('while the server is still at it, nothing is made again', async () => {
    upstream.bare = true
    upstream.busy = true
    const id = await begin('fault:cut_after busy')
    await until(() => upstream.heard.filter(({ path }) => path === '/sdapi/v1/progress').length >= 2, 'two looks')
    assert.deepEqual([(await look(id)).outputs.length, upstream.stats().asked], [0, 1])
    upstream.busy = false
    assert.deepEqual([(await ended(id)).state, upstream.stats().asked, (await moneyOf(house, id)).captured], ['done', 2, 30_000])
  })
})

test('an operator may have lost answers end instead', async () => {
  const strict = await testHouse({ settings: settings({ A1111_REMAKE: 'false' }) })
  try {
    const { body } = await send(strict, { model: 'a1111-image', prompt: 'fault:cut_after', ...more })
    assert.deepEqual([body.problem?.code, upstream.stats().asked, (await moneyOf(strict, body.id)).captured], ['outcome_unknown', 1, 0])
  } finally { await strict.close() }
})

test('a wrong password is the operator’s to mend', async () => {
  const connection = a1111.connect({ baseUrl: upstream.url, user: 'maker', password: 'wrong', remake: true }, { fetch, now: () => new Date(), log: { info() {}, warn() {} } })
  const job = { taskId: '0'.repeat(32), attempt: 1, key: 'k', cardId: 'c', model: 'loaded', operation: 'generate' as const, prompt: 'a compass', parameters: {}, count: 1, width: 64, height: 64, inputs: [], livemode: true, callbackUrl: null }
  const outcome = await connection.submit(job, AbortSignal.timeout(60_000))
  assert.ok(outcome.kind === 'failed' && outcome.problem.code === 'provider_not_configured' && /A1111_PASSWORD/.test(outcome.problem.message))
})
