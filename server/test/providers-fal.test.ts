/** fal rehearsed: real cards and a live key against a server that follows its queue's pages, fault by fault. Nothing here has met fal itself. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, beforeEach, describe, test } from 'node:test'
import { createFalClient } from '@fal-ai/client'
import fal from '../src/providers/fal/index.ts'
import { modelNames, writeRequests } from '../src/providers/fal/models.ts'
import type { Callback, Job } from '../src/providers/contract.ts'
import { createFetch, providerCodes } from '../src/kit/fetch.ts'
import { hookUrl } from '../src/hooks.ts'
import { sharedSecret } from '../src/house.ts'
import { defaultsOf, openCatalog } from './kit/catalog.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { jobInput, jobOf } from './kit/job.ts'
import { moneyOf, moneyTable, send } from './kit/live.ts'
import { falKey, startFal, type FalStats, type FalUpstream } from './upstreams/fal.ts'
import { everyRoute } from './kit/routes.ts'
import { paint } from './upstreams/loopback.ts'

let upstream: FalUpstream
let house: TestHouse
const settings = () => ({ FAL_API_KEY: falKey, FAL_QUEUE_URL: `${upstream.url}/`, FAL_REST_URL: upstream.url })

before(async () => {
  upstream = await startFal()
  house = await testHouse({ settings: settings() })
})
after(async () => {
  await house?.close()
  await upstream?.close()
})
beforeEach(() => upstream.clear())

const table = { house: () => house, upstream: () => upstream, key: falKey }
/** fal tells units and no prices: what was made has a cost only a price list can say. */
const costing = (row: ReturnType<typeof moneyTable>): ReturnType<typeof moneyTable> => (word, expected, more) => row(word, expected.captured > 0 ? { costs: ['open'], ...expected } : expected, more)
const fault = costing(moneyTable({ ...table, model: 'nano-banana-pro' }))
/** Films are one request each. */
const films = costing(moneyTable({ ...table, model: 'veo-3.1-fast' }))
const base64 = async (width = 80, height = 60) => (await paint(width, height)).toString('base64')

describe('a live order', () => {
  test('is queued, looked at through every state, fetched and paid', async () => {
    const { body } = await send(house, { model: 'nano-banana-pro', prompt: 'a red kite fault:states', parameters: { aspect_ratio: '16:9', resolution: '2K', output_format: 'jpeg', seed: 7 } })
    assert.equal(body.state, 'done', JSON.stringify(body.problem))
    assert.deepEqual([body.served_by, body.outputs.length, body.outputs[0].mime], ['fal', 1, 'image/png'])
    assert.deepEqual(body.details.fal, { request_ids: [body.upstream_id], inference_seconds: 3.25, billable_units: 1 })
    assert.deepEqual(upstream.orders(), [{
      endpoint: 'fal-ai/nano-banana-pro', webhook: null, lifecycle: '{"expiration_duration_seconds":86400}',
      input: { prompt: 'a red kite fault:states', limit_generations: true, aspect_ratio: '16:9', resolution: '2K', output_format: 'jpeg', seed: 7, num_images: 1 },
    }])
    assert.deepEqual(upstream.stats(), { asked: 1, bought: 1, looks: 4, results: 1, uploads: 0, files: 1, cancelled: 0, keys: 0 } satisfies FalStats)
  })

  test('for several is one request where the model can make several', async () => {
    const { body } = await send(house, { model: 'nano-banana-pro', prompt: 'three kites', parameters: { count: 3 } })
    assert.deepEqual([body.state, body.outputs.length, body.details.fal.request_ids.length, body.details.fal.billable_units, upstream.stats().bought], ['done', 3, 1, 3, 1])
    assert.equal(new Set(body.outputs.map((one: any) => one.sha256)).size, 3)
  })

  test('and as many requests where it cannot, each with its own seed', async () => {
    const { body } = await send(house, { model: 'veo-3.1-fast', prompt: 'two waves', parameters: { count: 2, seed: 2_147_483_647 } })
    assert.deepEqual([body.state, body.outputs.length, body.outputs[0].mime, upstream.stats().bought], ['done', 2, 'video/mp4', 2], JSON.stringify(body.problem))
    assert.deepEqual(upstream.orders().map(({ input: { seed } }) => seed).sort(), [0, 2_147_483_647])
  })

  test('with pictures uploads them first, in two steps, and uses the endpoint for edits', async () => {
    const { body } = await send(house, { model: 'nano-banana', prompt: 'make it blue', inputs: [{ base64: await base64() }, { base64: await base64(), role: 'style' }] })
    assert.equal(body.state, 'done', JSON.stringify(body.problem ?? body.error))
    const [{ endpoint, input }] = upstream.orders() as [FalUpstream['orders'] extends () => (infer One)[] ? One : never]
    assert.equal(endpoint, 'fal-ai/nano-banana/edit')
    assert.equal(input.aspect_ratio, 'auto')
    assert.match(input.image_urls.join(), /^https:\/\/v3b\.fal\.media\/files\/b\/[0-9a-f]{64}\.png,https:\/\/v3b\.fal\.media\/files\/b\/[0-9a-f]{64}\.png$/)
    assert.equal(upstream.stats().uploads, 2)
    assert.ok(upstream.heard.filter(({ method }) => method === 'PUT').every(({ headers }) => headers.authorization === undefined), 'a signed address is not shown our key')
    assert.ok(body.warnings.some((one: string) => one.includes('roles')))
  })

  test('of what this upstream cannot honour is refused before anything is asked', async () => {
    for (const [model, parameters, field, inputs] of [
      ['veo-3.1-fast', {}, 'inputs', [{ base64: await base64(400, 400), role: 'reference' }]],
      ['kling-2.6', { aspect_ratio: '16:9' }, 'parameters.aspect_ratio', [{ base64: await base64(400, 400), role: 'first_frame' }]],
      ['recraft-crisp-upscale', {}, 'inputs', [{ base64: (await paint(60, 60, 'jpeg')).toString('base64') }]],
    ] as const) {
      upstream.clear()
      const { body } = await send(house, { model, prompt: model.includes('upscale') ? '' : 'a kite', parameters, inputs })
      assert.deepEqual([body.problem?.code, body.problem?.field], ['unsupported_parameter', field], JSON.stringify(body.problem ?? body.error))
      assert.deepEqual([upstream.stats().asked, upstream.stats().uploads], [0, 0])
      assert.equal((await moneyOf(house, body.id)).captured, 0)
    }
  })

  for (const [model, endpoint, duration, inputs] of [['kling-2.6', 'fal-ai/kling-video/v2.6/pro/text-to-video', '5', 0], ['kling-3.0', 'fal-ai/kling-video/v3/pro/image-to-video', '5', 2], ['veo-3.1-fast', 'fal-ai/veo3.1/fast', '8s', 0]] as const) {
    test(`for a film of ${endpoint} is in its words`, async () => {
      const pictures = inputs === 0 ? [] : [{ base64: await base64(400, 400), role: 'last_frame' }, { base64: await base64(400, 400), role: 'first_frame' }]
      const { body } = await send(house, { model, prompt: 'waves', parameters: model === 'kling-3.0' ? { resolution: '1080p' } : {}, inputs: pictures })
      assert.equal(body.state, 'done', JSON.stringify(body.problem ?? body.error))
      assert.deepEqual([upstream.orders()[0]!.endpoint, upstream.orders()[0]!.input.duration, body.outputs[0].mime], [endpoint, duration, 'video/mp4'])
    })
  }

  test('for an upscale sends one link and no words', async () => {
    const { body } = await send(house, { model: 'topaz-image-upscale', prompt: 'sharper', parameters: { factor: 4 }, inputs: [{ base64: await base64(60, 60) }] })
    assert.equal(body.state, 'done', JSON.stringify(body.problem ?? body.error))
    assert.deepEqual(Object.keys(upstream.orders()[0]!.input).sort(), ['image_url', 'output_format', 'upscale_factor'])
    assert.ok(body.warnings.some((one: string) => one.startsWith('prompt was not passed on')))
  })
})

describe('every route of our cards', () => everyRoute({ provider: 'fal', house: () => house, upstream: () => upstream }))

describe('what goes wrong', () => {
  fault('no_room', { asked: 2, bought: 2, captured: 1, made: 1, attempts: 2 })
  // Trouble while looking, fetching or listening says nothing about the request.
  for (const word of ['moment', 'blind', 'result_fault', 'drip_file', 'wrong_mime']) fault(word, { asked: 1, bought: 1, captured: 1, made: 1 })

  fault('field', { asked: 1, bought: 0, captured: 0, code: 'provider_rejected' })
  // Refused at the door, which surely cost nothing.
  fault('safety', { asked: 1, bought: 0, captured: 0, code: 'content_rejected', costs: ['told'] })
  fault('fails', { asked: 1, bought: 1, captured: 0, code: 'provider_failed' })
  fault('fails_logged', { asked: 1, bought: 1, captured: 0, code: 'provider_failed' })
  fault('late', { asked: 1, bought: 1, captured: 0, code: 'provider_timeout' })
  fault('stopped', { asked: 1, bought: 1, captured: 0, code: 'provider_failed' })
  fault('no_media', { asked: 1, bought: 1, captured: 0, code: 'bad_output' })
  fault('blocked', { asked: 1, bought: 1, captured: 0, code: 'content_rejected' })
  fault('download', { asked: 1, bought: 1, captured: 0, code: 'input_unreachable', costs: [] })
  fault('hidden', { asked: 1, bought: 1, captured: 0, code: 'content_rejected' })
  fault('empty', { asked: 1, bought: 1, captured: 0, code: 'bad_output' })

  // Nobody can tell whether it was queued: never asked again, whichever it was.
  fault('down', { asked: 1, bought: 0, captured: 0, code: 'outcome_unknown' })

  // Of several, what came is kept and paid.
  fault('half_hidden', { asked: 1, bought: 1, captured: 2, made: 2 }, { parameters: { count: 3 } })
  films('one_lost', { asked: 3, bought: 3, captured: 2, made: 2 }, { parameters: { count: 3 } })
  films('one_fails', { asked: 3, bought: 3, captured: 2, made: 2 }, { parameters: { count: 3 } })

  for (const [word, setting] of [['credits', /balance/], ['key', /FAL_API_KEY/], ['forbidden', /permissions/]] as const) {
    test(`${word}: the operator is told, and nothing is bought`, async () => {
      const outcome = await connect().connection.submit(job({ prompt: `fault:${word}` }), AbortSignal.timeout(60_000))
      assert.ok(outcome.kind === 'failed')
      assert.deepEqual([outcome.problem.code, upstream.stats().bought], ['provider_not_configured', 0])
      assert.match(outcome.problem.message, setting)
    })
  }
})

describe('uploads', () => {
  const edit = async () => send(house, { model: 'nano-banana-pro', prompt: 'make it blue', inputs: [{ base64: await base64(50, 50) }] })
  test('that are busy, break off or are not taken have bought nothing, and are tried again', async () => {
    for (const one of ['busy', 'cut', 'put'] as const) {
      upstream.clear()
      upstream.uploadFaults.push(one)
      const { body } = await edit()
      assert.deepEqual([body.state, body.attempts, upstream.stats().bought], ['done', 2, 1], JSON.stringify(body.problem))
    }
  })
  test('are not made where fal can fetch the picture itself', async () => {
    await connect().connection.submit(job({ operation: 'edit', inputs: [{ ...input, link: () => 'https://plantain.example/files/a.png?sig=1' }] }), AbortSignal.timeout(60_000))
    assert.deepEqual([upstream.stats().uploads, upstream.orders()[0]!.input.image_urls], [0, ['https://plantain.example/files/a.png?sig=1']])
  })
  test('stopped half-way have bought nothing and say so', async () => {
    const stop = new AbortController()
    const outcome = await connect().connection.submit(job({ operation: 'edit', inputs: [{ ...input, read: async () => { stop.abort('shutdown'); stop.signal.throwIfAborted(); return Buffer.alloc(1) } }] }), stop.signal)
    assert.equal(outcome.kind === 'failed' && outcome.problem.code, 'provider_down')
    assert.equal(upstream.stats().asked, 0)
  })
})

const fetchRaw = createFetch({ ...providerCodes, allowPrivate: true, deadlineMs: 60_000, sizeMax: 50_000_000, redirectsMax: 0 })
after(() => fetchRaw.close())
const connect = (queueUrl = upstream.url) => {
  let now = new Date()
  const connection = fal.connect({ apiKey: falKey, queueUrl, restUrl: upstream.url }, { fetch: fetchRaw, now: () => now, log: { info() {}, warn() {} } })
  return { connection, pass(ms: number) { now = new Date(now.getTime() + ms) } }
}
const input = jobInput
const job = jobOf('nano-banana-pro', 'fal-ai/nano-banana-pro')
const begin = async (asked: Job) => {
  const connected = connect()
  let outcome = await connected.connection.submit(asked, AbortSignal.timeout(60_000))
  assert.equal(outcome.kind, 'wait', JSON.stringify(outcome))
  const receiptOf = () => outcome.kind === 'wait' ? outcome.receipt : null
  return { ...connected, receipt: receiptOf(), async look() { outcome = await connected.connection.poll!(receiptOf(), asked, AbortSignal.timeout(60_000)); return outcome } }
}

test('a request fal has forgotten is waited for a minute, then given up', async () => {
  const { look, pass } = await begin(job({ prompt: 'fault:lost' }))
  pass(3_600_000)
  assert.equal((await look()).kind, 'wait')
  pass(59_000)
  assert.equal((await look()).kind, 'wait')
  pass(2_000)
  const ended = await look()
  assert.equal(ended.kind === 'failed' && ended.problem.code, 'provider_failed')
})

test('links that have expired are asked for anew, of all that was made', async () => {
  const { connection, receipt } = await begin(job())
  const known = { ...receipt as object, requests: (receipt as { requests: object[] }).requests.map(one => ({ ...one, links: [{ url: 'https://v3.fal.media/gone' }] })) }
  const urls = async (fresh: boolean) => { const made = await connection.poll!(known, job(fresh ? { fresh } : {}), AbortSignal.timeout(60_000)); return made.kind === 'done' ? made.value.made.map(one => 'url' in one && one.url.startsWith(upstream.url)) : made.kind }
  assert.deepEqual([await urls(false), upstream.stats().looks], [[false], 0])
  assert.deepEqual([await urls(true), upstream.stats().looks], [[true], 1])
})

test('an upstream that is not there was never asked', async () => {
  const outcome = await connect('http://127.0.0.1:1').connection.submit(job(), AbortSignal.timeout(60_000))
  assert.equal(outcome.kind === 'failed' && outcome.problem.code, 'provider_down')
})

test('cancelling tells fal; what has ended there already cannot be stopped', async () => {
  const running = await begin(job({ prompt: 'fault:states' }))
  assert.equal(await running.connection.cancel!(running.receipt, job(), AbortSignal.timeout(60_000)), true)
  assert.equal(upstream.stats().cancelled, 1)
  const over = await begin(job())
  await over.look()
  assert.equal(await over.connection.cancel!(over.receipt, job(), AbortSignal.timeout(60_000)), false)
})

describe('call backs', () => {
  const body = JSON.stringify({ request_id: 'r-1', gateway_request_id: 'r-1', status: 'OK', payload: { images: [] } })
  const callback = (headers: Callback['headers'], text = body): Callback => ({ headers, query: new URLSearchParams(), body: Buffer.from(text), url: 'https://plantain.example/hooks/fal/t' })
  const judge = (connection: ReturnType<typeof connect>['connection'], one: Callback) => connection.verify!(one, AbortSignal.timeout(60_000))

  test('signed by fal are genuine, and numbered by its request', async () => {
    assert.deepEqual(await judge(connect().connection, callback(upstream.signed(body, { id: 'r-1' }))), { kind: 'genuine', id: 'r-1' })
  })
  test('by another key, over other bytes, old, from the future, without a signature or with a crippled one are forged', async () => {
    const { connection } = connect()
    const now = Math.floor(Date.now() / 1000)
    const genuine = upstream.signed(body)
    for (const [name, one] of Object.entries({
      key: callback(upstream.signed(body, { key: generateKeyPairSync('ed25519').privateKey })), bytes: callback(genuine, `${body} `), id: callback({ ...genuine, 'x-fal-webhook-request-id': 'r-2' }),
      user: callback({ ...genuine, 'x-fal-webhook-user-id': 'another' }), old: callback(upstream.signed(body, { atS: now - 301 })), future: callback(upstream.signed(body, { atS: now + 301 })),
      unsigned: callback({}), part: callback({ ...genuine, 'x-fal-webhook-timestamp': undefined }), short: callback({ ...genuine, 'x-fal-webhook-signature': 'abcd' }), words: callback({ ...genuine, 'x-fal-webhook-timestamp': '-5' }),
    })) assert.equal((await judge(connection, one)).kind, 'forged', name)
  })
  test('are judged by keys that are fetched once, and again when one does not fit, but not for every forger', async () => {
    const { connection, pass } = connect()
    await judge(connection, callback(upstream.signed(body)))
    await judge(connection, callback(upstream.signed(body)))
    assert.equal(upstream.stats().keys, 1)
    upstream.rotate()
    pass(60_000)
    assert.equal((await judge(connection, callback(upstream.signed(body)))).kind, 'genuine')
    for (let times = 0; times < 5; times++) await judge(connection, callback(upstream.signed(body, { key: generateKeyPairSync('ed25519').privateKey })))
    assert.equal(upstream.stats().keys, 2)
  })
  test('cannot be told genuine where the keys cannot be had', async () => {
    const connection = fal.connect({ apiKey: falKey, queueUrl: upstream.url, restUrl: 'http://127.0.0.1:1' }, { fetch: fetchRaw, now: () => new Date(), log: { info() {}, warn() {} } })
    assert.deepEqual(await judge(connection, callback(upstream.signed(body))), { kind: 'forged', why: 'The public keys of fal could not be fetched to judge it.' })
  })

  test('through HTTP: a genuine one makes the house look, again does no harm, a forged one is refused', async () => {
    const open = await testHouse({ roles: ['serve'], settings: settings() })
    try {
      const { body: task } = await send(open, { model: 'nano-banana-pro', prompt: 'a kite' }, 0)
      await open.database.query(`update task set state = 'waiting', attempts = 1, due_at = now() + interval '1 hour' where id = $1`, [task.id])
      const isDue = async () => (await open.database.query<{ due: boolean }>('select due_at <= now() as due from task where id = $1', [task.id])).rows[0]!.due
      const url = hookUrl(open.url, await sharedSecret(open.database, 'links'), 'fal', task.id)
      const call = async (headers: Record<string, string>) => (await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body })).status
      assert.deepEqual([await call({}), await call(upstream.signed(body, { key: generateKeyPairSync('ed25519').privateKey })), await isDue()], [401, 401, false])
      const genuine = upstream.signed(body)
      assert.deepEqual([await call(genuine), await isDue(), await call(genuine)], [200, true, 200])
    } finally { await open.close() }
  })

  test('are asked for at an address of ours', async () => {
    await connect().connection.submit(job({ callbackUrl: 'https://plantain.example/hooks/fal/t-0?a=b&c' }), AbortSignal.timeout(60_000))
    assert.equal(upstream.orders()[0]!.webhook, 'https://plantain.example/hooks/fal/t-0?a=b&c')
  })
})

test('the official client reads what this rehearsal answers', async () => {
  const at = (url: string | URL | Request) => new URL(String(url instanceof Request ? url.url : url).replace(/^https:\/\/(queue\.fal\.run|rest\.fal\.ai)/, upstream.url))
  const client = createFalClient({ credentials: falKey, fetch: (url, init) => fetch(at(url), init), retry: { maxRetries: 0 } })
  const link = await client.storage.upload(new Blob([new Uint8Array(await paint(10, 10))], { type: 'image/png' }))
  assert.match(link, /^https:\/\/v3b\.fal\.media\//)
  const { data, requestId } = await client.subscribe('fal-ai/nano-banana-pro/edit', { input: { prompt: 'a kite fault:states', image_urls: [link], num_images: 2 }, pollInterval: 5 })
  assert.deepEqual([data.images.length, data.images[0]!.content_type, requestId.length], [2, 'image/png', 36])
  const queued = await client.queue.submit('fal-ai/nano-banana-pro', { input: { prompt: 'fault:states' }, webhookUrl: 'https://plantain.example/hooks' })
  assert.equal(queued.status, 'IN_QUEUE')
  await client.queue.cancel('fal-ai/nano-banana-pro', { requestId: queued.request_id })
  assert.equal(upstream.stats().cancelled, 1)
  await assert.rejects(client.subscribe('fal-ai/nano-banana-pro', { input: { prompt: 'fault:blocked' }, pollInterval: 5 }), (thrown: any) => thrown.name === 'ValidationError' && thrown.fieldErrors[0].type === 'content_policy_violation')
})

test('every card that is made by fal names a model whose fields are known here, and its defaults can be honoured', () => {
  const routed = openCatalog().flatMap(card => card.routes.filter(({ provider }) => provider === 'fal').map(({ model }) => ({ card, model })))
  assert.ok(routed.length > 20)
  assert.deepEqual(routed.flatMap(({ model }) => modelNames.includes(model) ? [] : [model]), [])
  for (const { card, model } of routed) {
    const inputs = Array.from({ length: card.inputs.min }, () => input)
    const parameters = defaultsOf(card)
    const side = parameters.resolution === '2K' ? 2048 : 1024
    assert.ok(writeRequests(job({ model, parameters, inputs, width: side, height: side }), inputs.map(() => 'https://f.example/a')).requests.length > 0, card.id)
  }
})
