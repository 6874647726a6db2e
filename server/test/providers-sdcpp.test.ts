/** stable-diffusion.cpp rehearsed: real cards and a live key against a server that follows its documentation, fault by fault. Nothing here has met sd-server itself. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import sharp from 'sharp'
import { pricedCards } from './kit/catalog.ts'
import { until } from './kit/engine.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { moneyOf, moneyTable, send } from './kit/live.ts'
import { startSdcpp, type SdcppUpstream } from './upstreams/sdcpp.ts'
import { paint } from './upstreams/loopback.ts'

let upstream: SdcppUpstream
let house: TestHouse

before(async () => {
  upstream = await startSdcpp()
  house = await testHouse({ settings: { SDCPP_BASE_URL: upstream.url, SDCPP_AUTHORIZATION: 'Basic cmVoZWFyc2Vk', PLANTAIN_CARDS: pricedCards(['sdcpp-image', 'sdcpp-video'], 30_000) } })
})
after(async () => {
  await house?.close()
  await upstream?.close()
})
beforeEach(() => upstream.clear())

const fault = moneyTable({ house: () => house, upstream: () => upstream, model: 'sdcpp-image', key: 'cmVoZWFyc2Vk' })
const small = { size: '64x64' }

describe('a live order', () => {
  test('is queued, looked at through every state, and paid', async () => {
    const { body } = await send(house, { model: 'sdcpp-image', prompt: 'a heron fault:states', parameters: { size: '96x64', seed: 7, count: 2 } })
    assert.equal(body.state, 'done', JSON.stringify(body.problem ?? body.error))
    assert.deepEqual([body.served_by, body.outputs.map((one: any) => [one.width, one.height]), body.details.seeds], ['sdcpp', [[96, 64], [96, 64]], [7, 8]])
    assert.equal(body.upstream_id, body.details.sdcpp.job_id)
    assert.deepEqual([upstream.orders()[0].batch_count, upstream.orders()[0].sample_params], [2, { sample_steps: 20, guidance: { txt_cfg: 7 } }])
    assert.deepEqual(upstream.stats(), { asked: 1, bought: 1, looks: 3, cancelled: 0 })
    assert.ok(upstream.heard.every(({ headers }) => headers.authorization === 'Basic cmVoZWFyc2Vk'))
  })

  test('to paint over a part sends the picture and a mask that is white there', async () => {
    const picture = await paint(80, 64)
    // Clear on the left: that is to be changed.
    const mask = await sharp({ create: { width: 80, height: 64, channels: 4, background: '#000000ff' } }).composite([{ input: { create: { width: 40, height: 64, channels: 4, background: '#ffffff' } }, left: 0, top: 0, blend: 'dest-out' }]).png().toBuffer()
    const { body } = await send(house, { model: 'sdcpp-image', prompt: 'a hat', inputs: [{ base64: picture.toString('base64') }, { base64: mask.toString('base64'), role: 'mask' }], parameters: { strength: 0.5 } })
    assert.equal(body.state, 'done', JSON.stringify(body.problem ?? body.error))
    const [order] = upstream.orders()
    assert.deepEqual([order.width, order.height, order.strength, order.ref_images], [80, 64, 0.5, undefined])
    assert.deepEqual(Buffer.from(order.init_image, 'base64'), picture)
    const data = await sharp(Buffer.from(order.mask_image, 'base64')).toColourspace('b-w').raw().toBuffer()
    assert.deepEqual([data[0], data[39], data[40], data[79]], [255, 255, 0, 0])
  })

  test('for a film sends its first and last picture and takes WebM', async () => {
    const frame = async (role: string) => ({ base64: (await paint(64, 64)).toString('base64'), role })
    const { body } = await send(house, { model: 'sdcpp-video', prompt: 'waves', parameters: { duration_s: 2 }, inputs: [await frame('first_frame'), await frame('last_frame')] })
    assert.deepEqual([body.state, body.outputs?.[0]?.mime], ['done', 'video/webm'], JSON.stringify(body))
    const [order] = upstream.orders()
    assert.deepEqual([order.video_frames, order.fps, typeof order.init_image, typeof order.end_image, order.batch_count], [33, 16, 'string', 'string', undefined])
    assert.equal((await moneyOf(house, body.id)).captured, 60_000)
  })

  test('that is cancelled while it is queued is stopped there, and costs nothing', async () => {
    const { body: begun } = await send(house, { model: 'sdcpp-image', prompt: 'a heron fault:waits', parameters: small }, 0)
    await until(async () => (await house.database.query(`select from task where id = $1 and state = 'waiting'`, [begun.id])).rowCount === 1, 'the task to wait')
    const answer = await fetch(`${house.url}/plantain/v1/tasks/${begun.id}/cancel`, { method: 'POST', headers: { authorization: `Bearer ${house.liveKey}` } })
    assert.equal((await answer.json() as any).state, 'cancelled')
    await until(() => upstream.stats().cancelled > 0, 'the stop')
    assert.deepEqual([upstream.stats().cancelled, (await moneyOf(house, begun.id)).captured], [1, 0])
  })

  test('costs nothing by the card that comes with the house', async () => {
    const plain = await testHouse({ settings: { SDCPP_BASE_URL: upstream.url }, liveDollars: 0 })
    try {
      const { body } = await send(plain, { model: 'sdcpp-image', prompt: 'a heron', parameters: small })
      assert.deepEqual([body.state, await moneyOf(plain, body.id)], ['done', { held: 0, captured: 0 }], JSON.stringify(body.problem ?? body.error))
      assert.deepEqual(await plain.audit(), [])
    } finally { await plain.close() }
  })
})

describe('what goes wrong', () => {
  const more = { parameters: small }
  fault('server_once', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 }, more)
  fault('blind', { asked: 1, bought: 1, captured: 1, made: 1 }, more)
  // Whatever it had begun is gone: made again, and paid once.
  fault('fewer', { asked: 1, bought: 1, captured: 1, made: 1 }, { parameters: { ...small, count: 3 } })

  fault('invalid', { asked: 1, bought: 0, captured: 0, code: 'provider_rejected' }, more)
  fault('mode', { asked: 1, bought: 0, captured: 0, code: 'provider_not_configured' }, more)
  fault('memory', { asked: 1, bought: 1, captured: 0, code: 'provider_failed' }, more)
  fault('cancelled', { asked: 1, bought: 1, captured: 0, code: 'provider_failed' }, more)
  fault('empty', { asked: 1, bought: 1, captured: 0, code: 'bad_output' }, more)

  test('a queue that stays full ends the task when its time is up, and nothing is held any more', async () => {
    await house.database.query('delete from provider_health')
    const { body } = await send(house, { model: 'sdcpp-image', prompt: 'a heron fault:full_for_good', parameters: small, end_within_s: 8 })
    assert.equal(body.state, 'failed')
    assert.deepEqual([body.problem.code, (await moneyOf(house, body.id)).captured, upstream.stats().bought], ['provider_busy', 0, 0])
  })

  test('a model other than the route names is not asked to make anything', async () => {
    const other = (await import('../src/providers/sdcpp/index.ts')).default.connect({ baseUrl: upstream.url }, { fetch, now: () => new Date(), log: { info() {}, warn() {} } })
    const job = { taskId: '0'.repeat(32), attempt: 1, key: 'k', cardId: 'c', operation: 'generate' as const, prompt: 'a heron', parameters: {}, count: 1, width: 64, height: 64, inputs: [], livemode: true, callbackUrl: null }
    const outcome = await other.submit({ ...job, model: 'flux1-dev' }, AbortSignal.timeout(60_000))
    assert.deepEqual([outcome.kind === 'failed' && outcome.problem.code, upstream.stats().asked], ['provider_not_configured', 0])
    assert.equal((await other.submit({ ...job, model: 'sd_xl_base_1.0' }, AbortSignal.timeout(60_000))).kind, 'wait')
  })
})
