/** Replicate rehearsed: real cards and a live key against a server that follows its HTTP API's pages, fault by fault. Nothing here has met Replicate itself. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import Replicate, { validateWebhook } from 'replicate'
import replicate from '../src/providers/replicate/index.ts'
import { modelNames, writeInputs } from '../src/providers/replicate/models.ts'
import type { Callback, Job } from '../src/providers/contract.ts'
import { createFetch, providerCodes } from '../src/kit/fetch.ts'
import { hookUrl } from '../src/hooks.ts'
import { sharedSecret } from '../src/house.ts'
import { defaultsOf, openCatalog } from './kit/catalog.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { jobInput, jobOf } from './kit/job.ts'
import { moneyOf, moneyTable, send } from './kit/live.ts'
import { everyRoute } from './kit/routes.ts'
import { paint } from './upstreams/loopback.ts'
import { replicateKey, startReplicate, type ReplicateStats, type ReplicateUpstream } from './upstreams/replicate.ts'

let upstream: ReplicateUpstream
let house: TestHouse
/** A house that can be called: its predictions carry marks, so lost ones can be found. */
let callable: TestHouse
const settings = () => ({ REPLICATE_API_KEY: replicateKey, REPLICATE_BASE_URL: upstream.url })

before(async () => {
  upstream = await startReplicate()
  house = await testHouse({ settings: settings() })
  callable = await testHouse({ settings: { ...settings(), PUBLIC_URL: 'https://plantain.example' } })
})
after(async () => {
  await house?.close()
  await callable?.close()
  await upstream?.close()
})
beforeEach(() => upstream.clear())

const table = { upstream: () => upstream, key: replicateKey, model: 'nano-banana-pro' }
/** Replicate tells seconds and no prices: what was made has a cost only a price list can say. */
const costing = (row: ReturnType<typeof moneyTable>): ReturnType<typeof moneyTable> => (word, expected, more) => row(word, expected.captured > 0 ? { costs: ['open'], ...expected } : expected, more)
const fault = costing(moneyTable({ ...table, house: () => house }))
const marked = costing(moneyTable({ ...table, house: () => callable }))
const base64 = async (width = 80, height = 60) => (await paint(width, height)).toString('base64')

describe('a live order', () => {
  test('is asked for, looked at through every state with its progress, fetched and paid', async () => {
    const { body } = await send(house, { model: 'nano-banana-pro', prompt: 'a red kite fault:states', parameters: { aspect_ratio: '16:9', resolution: '2K', output_format: 'jpeg' } })
    assert.equal(body.state, 'done', JSON.stringify(body.problem))
    assert.deepEqual([body.served_by, body.outputs.length, body.outputs[0].mime], ['replicate', 1, 'image/png'])
    assert.deepEqual([body.details.replicate, body.details.seeds], [{ prediction_ids: [body.upstream_id], predict_seconds: 2.5 }, [4711]])
    assert.deepEqual(upstream.orders(), [{ path: '/v1/models/google/nano-banana-pro/predictions', version: undefined, webhook: undefined, webhook_events_filter: undefined,
      input: { prompt: 'a red kite fault:states', aspect_ratio: '16:9', resolution: '2K', output_format: 'jpg' } }])
    assert.deepEqual(upstream.stats(), { asked: 1, bought: 1, looks: 4, lists: 0, uploads: 0, files: 1, cancelled: 0, secrets: 0 } satisfies ReplicateStats)
    const { rows } = await house.database.query<{ data: { progress?: number } }>(`select data from event where task_id = $1 and type = 'task.progressed' order by id`, [body.id])
    assert.ok(rows.some(({ data }) => JSON.stringify(data).includes('48')), 'the progress bar in the logs is shown')
  })

  test('for several becomes as many predictions', async () => {
    const { body } = await send(house, { model: 'nano-banana-pro', prompt: 'three kites', parameters: { count: 3 } })
    assert.deepEqual([body.state, body.outputs.length, body.details.replicate.prediction_ids.length, body.details.replicate.predict_seconds, upstream.stats().bought], ['done', 3, 3, 7.5, 3])
    assert.equal(new Set(body.outputs.map((one: any) => one.sha256)).size, 3)
    assert.ok(upstream.delivery.heard.length === 3 && upstream.delivery.heard.every(({ headers }) => headers.authorization === undefined))
  })

  test('with pictures sends small ones as they are and uploads large ones', async () => {
    const large = (await sharpNoise(600, 600)).toString('base64')
    const { body } = await send(house, { model: 'nano-banana', prompt: 'make it blue', inputs: [{ base64: await base64() }, { base64: large, role: 'style' }] })
    assert.equal(body.state, 'done', JSON.stringify(body.problem ?? body.error))
    const [{ input: { image_input: [first, second], aspect_ratio } }] = upstream.orders() as unknown as [{ input: any }]
    assert.match(first, /^data:image\/png;base64,[A-Za-z0-9+/]+=*$/)
    assert.match(second, /^https:\/\/api\.replicate\.com\/v1\/files\/[0-9a-f]{64}\.png$/)
    assert.deepEqual([aspect_ratio, upstream.stats().uploads], ['match_input_image', 1])
    assert.ok(body.warnings.some((one: string) => one.includes('roles')))
  })

  test('of what this upstream cannot honour is refused before anything is asked', async () => {
    for (const [model, parameters, field, inputs] of [
      ['nano-banana-2', { resolution: '512' }, 'parameters.resolution', []], ['nano-banana-pro', { google_search: true }, 'parameters.google_search', []],
      ['veo-3.1-fast', { resolution: '4K' }, 'parameters.resolution', []], ['kling-2.1-standard', { cfg_scale: 0.9 }, 'parameters.cfg_scale', [{ base64: await base64(400, 400), role: 'first_frame' }]],
    ] as const) {
      upstream.clear()
      const { body } = await send(house, { model, prompt: 'a kite', parameters, inputs })
      assert.deepEqual([body.problem?.code, body.problem?.field], ['unsupported_parameter', field], JSON.stringify(body.problem ?? body.error))
      assert.deepEqual([upstream.stats().asked, upstream.stats().uploads], [0, 0])
      assert.equal((await moneyOf(house, body.id)).captured, 0)
    }
  })

  test('for films is in the words of each model', async () => {
    for (const [model, name, duration] of [['kling-2.6', 'kwaivgi/kling-v2.6', 5], ['veo-3.1-fast', 'google/veo-3.1-fast', 8]] as const) {
      upstream.clear()
      const { body } = await send(house, { model, prompt: 'waves' })
      assert.equal(body.state, 'done', JSON.stringify(body.problem ?? body.error))
      assert.deepEqual([upstream.orders()[0]!.path, upstream.orders()[0]!.input.duration, body.outputs[0].mime], [`/v1/models/${name}/predictions`, duration, 'video/mp4'])
    }
  })

  test('for an upscale or a cut-out sends one picture and no words', async () => {
    for (const [model, fields] of [['topaz-image-upscale', ['image', 'output_format', 'upscale_factor']], ['recraft-remove-background', ['image']]] as const) {
      upstream.clear()
      const { body } = await send(house, { model, prompt: '', inputs: [{ base64: await base64(60, 60) }] })
      assert.equal(body.state, 'done', JSON.stringify(body.problem ?? body.error))
      assert.deepEqual(Object.keys(upstream.orders()[0]!.input).sort(), fields)
    }
  })
})

describe('every route of our cards', () => everyRoute({ provider: 'replicate', house: () => house, upstream: () => upstream, never: ['qwen-image edit'] }))

describe('what goes wrong', () => {
  for (const word of ['moment', 'blind', 'drip_file', 'wrong_mime', 'at_once', 'object', 'own_file']) fault(word, { asked: 1, bought: 1, captured: 1, made: 1 })

  fault('field', { asked: 1, bought: 0, captured: 0, code: 'provider_rejected' })
  // Refused at the door, which surely cost nothing.
  fault('safety', { asked: 1, bought: 0, captured: 0, code: 'content_rejected', costs: ['told'] })
  fault('fails', { asked: 1, bought: 1, captured: 0, code: 'provider_failed' })
  fault('flagged', { asked: 1, bought: 1, captured: 0, code: 'content_rejected' })
  fault('canceled', { asked: 1, bought: 1, captured: 0, code: 'provider_failed' })
  fault('aborted', { asked: 1, bought: 1, captured: 0, code: 'provider_timeout' })
  fault('removed', { asked: 1, bought: 1, captured: 0, code: 'output_expired' })
  fault('empty', { asked: 1, bought: 1, captured: 0, code: 'bad_output' })

  // Without an address to call back nobody can tell whether it was begun: never asked again, whichever it was.
  fault('down', { asked: 1, bought: 0, captured: 0, code: 'outcome_unknown' })
  // With one it is found in the list by its mark, and paid for once.
  for (const word of ['cut_after', 'cut_half', 'half_json', 'page', 'gateway_after']) marked(word, { asked: 1, bought: 1, captured: 1, made: 1 })
  marked('one_lost', { asked: 3, bought: 3, captured: 3, made: 3 }, { parameters: { count: 3 } })

  // Of several, what came is kept and paid.
  fault('one_busy', { asked: 3, bought: 2, captured: 2, made: 2 }, { parameters: { count: 3 } })
  fault('one_lost', { asked: 3, bought: 3, captured: 2, made: 2 }, { parameters: { count: 3 } })
  fault('one_fails', { asked: 3, bought: 3, captured: 2, made: 2 }, { parameters: { count: 3 } })

  for (const [word, setting] of [['credits', /credit/], ['key', /REPLICATE_API_KEY/], ['forbidden', /permissions/]] as const) {
    test(`${word}: the operator is told, and nothing is bought`, async () => {
      const outcome = await connect().connection.submit(job({ prompt: `fault:${word}` }), AbortSignal.timeout(60_000))
      assert.ok(outcome.kind === 'failed')
      assert.deepEqual([outcome.problem.code, upstream.stats().bought], ['provider_not_configured', 0])
      assert.match(outcome.problem.message, setting)
    })
  }
})

describe('uploads', () => {
  const large = { sizeBytes: 300_000, read: async () => Buffer.alloc(300_000) }
  test('that are busy or break off have bought nothing, and say when to come back', async () => {
    for (const [one, code, after] of [['busy', 'provider_busy', 1_000], ['cut', 'provider_down', null], ['key', 'provider_not_configured', null]] as const) {
      upstream.clear()
      upstream.uploadFaults.push(one)
      const outcome = await connect().connection.submit(job({ operation: 'edit', inputs: [{ ...input, ...large }] }), AbortSignal.timeout(60_000))
      assert.deepEqual(outcome.kind === 'failed' && [outcome.problem.code, outcome.retryAfterMs, upstream.stats().asked], [code, after, 0])
    }
  })
  test('are not made where Replicate can fetch the picture itself', async () => {
    await connect().connection.submit(job({ operation: 'edit', inputs: [{ ...input, ...large, link: () => 'https://plantain.example/files/a.png?sig=1' }] }), AbortSignal.timeout(60_000))
    assert.deepEqual([upstream.stats().uploads, upstream.orders()[0]!.input.image_input], [0, ['https://plantain.example/files/a.png?sig=1']])
  })
  test('stopped half-way have bought nothing and say so', async () => {
    const stop = new AbortController()
    const outcome = await connect().connection.submit(job({ operation: 'edit', inputs: [{ ...input, read: async () => { stop.abort('shutdown'); stop.signal.throwIfAborted(); return Buffer.alloc(1) } }] }), stop.signal)
    assert.equal(outcome.kind === 'failed' && outcome.problem.code, 'provider_down')
    assert.equal(upstream.stats().asked, 0)
  })
})

const sharpNoise = async (width: number, height: number): Promise<Buffer> => {
  const { default: sharp } = await import('sharp')
  return sharp({ create: { width, height, channels: 3, background: '#808080', noise: { type: 'gaussian', mean: 128, sigma: 60 } } }).png().toBuffer()
}
const fetchRaw = createFetch({ ...providerCodes, allowPrivate: true, deadlineMs: 60_000, sizeMax: 50_000_000, redirectsMax: 0 })
after(() => fetchRaw.close())
const connect = (more: { baseUrl?: string; webhookSecret?: string } = {}) => {
  let now = new Date()
  const connection = replicate.connect({ apiKey: replicateKey, baseUrl: `${upstream.url}/v1`, ...more }, { fetch: fetchRaw, now: () => now, log: { info() {}, warn() {} } })
  return { connection, pass(ms: number) { now = new Date(now.getTime() + ms) } }
}
const input = jobInput
const callbackUrl = 'https://plantain.example/hooks/replicate/t-0'
const job = jobOf('nano-banana-pro', 'google/nano-banana-pro')
const within = () => AbortSignal.timeout(60_000)
const begin = async (asked: Job) => {
  const connected = connect()
  let outcome = await connected.connection.submit(asked, within())
  assert.equal(outcome.kind, 'wait', JSON.stringify(outcome))
  return { ...connected, receipt: () => outcome.kind === 'wait' ? outcome.receipt : null, async look() { outcome = await connected.connection.poll!(outcome.kind === 'wait' ? outcome.receipt : null, asked, within()); return outcome } }
}

test('a prediction Replicate has forgotten is waited for a minute, then given up', async () => {
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
  const { connection, receipt } = await begin(job({ count: 2 }))
  const known = { ...receipt() as object, predictions: (receipt() as { predictions: object[] }).predictions.map(one => ({ ...one, links: [{ url: 'https://replicate.delivery/gone' }] })) }
  const urls = async (fresh: boolean) => { const made = await connection.poll!(known, job({ count: 2, ...(fresh ? { fresh } : {}) }), within()); return made.kind === 'done' ? made.value.made.map(one => 'url' in one && one.url.startsWith(upstream.delivery.url)) : made.kind }
  assert.deepEqual([await urls(false), upstream.stats().looks], [[false, false], 0])
  assert.deepEqual([await urls(true), upstream.stats().looks], [[true, true], 2])
})

test('an upstream that is not there was never asked', async () => {
  const outcome = await connect({ baseUrl: 'http://127.0.0.1:1' }).connection.submit(job(), within())
  assert.equal(outcome.kind === 'failed' && outcome.problem.code, 'provider_down')
})

describe('a lost answer', () => {
  test('is looked for page by page, one page a look', async () => {
    const { look } = await begin(job({ prompt: 'fault:cut_after', callbackUrl }))
    upstream.crowd(250)
    assert.deepEqual([(await look()).kind, (await look()).kind, (await look()).kind, upstream.stats().lists], ['wait', 'wait', 'done', 3])
    assert.equal(upstream.stats().asked, 1)
  })
  test('that is nowhere in the list for a minute stays lost, and is never asked for again', async () => {
    for (const word of ['cut_before', 'mute']) {
      upstream.clear()
      upstream.crowd(3, 20 * 60_000)
      const { look, pass } = await begin(job({ prompt: `fault:${word}`, callbackUrl }))
      assert.equal((await look()).kind, 'wait')
      pass(60_000)
      const ended = await look()
      assert.equal(ended.kind === 'failed' && ended.problem.code, 'outcome_unknown', word)
      assert.equal(upstream.stats().asked, 1)
    }
  })
  test('of an attempt that a crash broke off is found by the same marks, all or some of it', async () => {
    const asked = job({ prompt: 'two kites', count: 2, callbackUrl })
    await connect().connection.submit(asked, within())
    const found = await connect().connection.find!(asked, within())
    assert.deepEqual(found?.kind === 'done' && [found.value.made.length, found.value.upstreamId?.length], [2, 26])
    const { connection, pass } = connect()
    const part = await connection.find!({ ...asked, count: 3 }, within())
    assert.equal(part?.kind, 'wait')
    pass(60_000)
    const ended = part?.kind === 'wait' ? await connection.poll!(part.receipt, { ...asked, count: 3 }, within()) : null
    assert.deepEqual(ended?.kind === 'done' && [ended.value.made.length, ended.value.warnings?.length], [2, 1])
    assert.equal(upstream.stats().asked, 2)
  })
  test('of another attempt is not taken for ours', async () => {
    await connect().connection.submit(job({ callbackUrl }), within())
    assert.equal((await connect().connection.find!(job({ key: 'key-2', callbackUrl }), within()))?.kind, 'wait')
  })
  test('cannot be looked for where we cannot be called', async () => {
    const outcome = await connect().connection.find!(job(), within())
    assert.deepEqual(outcome?.kind === 'failed' && [outcome.problem.code, upstream.stats().lists], ['outcome_unknown', 0])
  })
  test('is looked for on and on while the list cannot be read', async () => {
    const { connection, pass } = connect({ baseUrl: 'http://127.0.0.1:1' })
    pass(0)
    const begun = await connection.find!(job({ callbackUrl }), within())
    pass(120_000)
    assert.equal(begun?.kind === 'wait' && (await connection.poll!(begun.receipt, job({ callbackUrl }), within())).kind, 'wait')
  })
})

test('cancelling tells Replicate; what has ended there already cannot be stopped', async () => {
  const running = await begin(job({ prompt: 'fault:states' }))
  assert.equal(await running.connection.cancel!(running.receipt(), job(), within()), true)
  assert.equal(upstream.stats().cancelled, 1)
  const over = await begin(job())
  const receipt = over.receipt()
  await over.look()
  assert.equal(await over.connection.cancel!(receipt, job(), within()), false)
})

test('files of its own API are opened with our key, which goes nowhere else', async () => {
  const { look } = await begin(job({ prompt: 'fault:own_file' }))
  const made = await look()
  assert.ok(made.kind === 'done' && 'bytes' in made.value.made[0]!)
  const { look: other } = await begin(job())
  const linked = await other()
  assert.ok(linked.kind === 'done' && 'url' in linked.value.made[0]! && linked.value.made[0].url.startsWith(upstream.delivery.url))
  assert.equal(upstream.stats().files, 1)
})

describe('call backs', () => {
  const body = JSON.stringify({ id: 'p-1', status: 'succeeded', output: 'https://replicate.delivery/a.png' })
  const callback = (headers: Callback['headers'], text = body): Callback => ({ headers, query: new URLSearchParams(), body: Buffer.from(text), url: callbackUrl })
  const judge = (connection: ReturnType<typeof connect>['connection'], one: Callback) => connection.verify!(one, within())

  test('signed by Replicate are genuine, and numbered; its own client agrees', async () => {
    const headers = upstream.signed(body, { id: 'msg_1' })
    assert.deepEqual(await judge(connect().connection, callback(headers)), { kind: 'genuine', id: 'msg_1' })
    assert.equal(await validateWebhook({ id: headers['webhook-id']!, timestamp: headers['webhook-timestamp']!, signature: headers['webhook-signature']!, body, secret: upstream.secret }), true)
  })
  test('by another secret, over other bytes, old, from the future or without a signature are forged', async () => {
    const { connection } = connect()
    const now = Math.floor(Date.now() / 1000)
    const genuine = upstream.signed(body)
    for (const [name, one] of Object.entries({
      secret: callback(upstream.signed(body, { secret: `whsec_${Buffer.alloc(24).toString('base64')}` })), bytes: callback(genuine, `${body} `), id: callback({ ...genuine, 'webhook-id': 'msg_2' }),
      old: callback(upstream.signed(body, { atS: now - 301 })), future: callback(upstream.signed(body, { atS: now + 301 })), unsigned: callback({}), part: callback({ ...genuine, 'webhook-signature': undefined }),
    })) assert.equal((await judge(connection, one)).kind, 'forged', name)
  })
  test('are judged by the secret of the settings, or by one that is asked for once', async () => {
    const { connection, pass } = connect()
    await judge(connection, callback(upstream.signed(body)))
    await judge(connection, callback(upstream.signed(body)))
    assert.equal(upstream.stats().secrets, 1)
    pass(3_600_000)
    await judge(connection, callback(upstream.signed(body)))
    assert.equal(upstream.stats().secrets, 2)
    assert.equal((await judge(connect({ webhookSecret: upstream.secret }).connection, callback(upstream.signed(body)))).kind, 'genuine')
    assert.equal(upstream.stats().secrets, 2)
    assert.equal((await judge(connect({ baseUrl: 'http://127.0.0.1:1' }).connection, callback(upstream.signed(body)))).kind, 'forged')
  })

  test('through HTTP: a genuine one makes the house look, again does no harm, a forged one is refused', async () => {
    const open = await testHouse({ roles: ['serve'], settings: settings() })
    try {
      const { body: task } = await send(open, { model: 'nano-banana-pro', prompt: 'a kite' }, 0)
      await open.database.query(`update task set state = 'waiting', attempts = 1, due_at = now() + interval '1 hour' where id = $1`, [task.id])
      const isDue = async () => (await open.database.query<{ due: boolean }>('select due_at <= now() as due from task where id = $1', [task.id])).rows[0]!.due
      const url = `${hookUrl(open.url, await sharedSecret(open.database, 'links'), 'replicate', task.id)}?prediction=${task.id}-1-0`
      const call = async (headers: Record<string, string>) => (await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body })).status
      assert.deepEqual([await call({}), await call(upstream.signed(body, { secret: `whsec_${Buffer.alloc(24).toString('base64')}` })), await isDue()], [401, 401, false])
      const genuine = upstream.signed(body)
      assert.deepEqual([await call(genuine), await isDue(), await call(genuine)], [200, true, 200])
    } finally { await open.close() }
  })

  test('are asked for at an address of ours with a mark, when it has ended, and only over HTTPS', async () => {
    await connect().connection.submit(job({ callbackUrl, count: 2 }), within())
    assert.deepEqual(upstream.orders().map(({ webhook, webhook_events_filter: when }) => [webhook, when]).sort(), [0, 1].map(index => [`${callbackUrl}?prediction=key-1-${index}`, ['completed']]))
    upstream.clear()
    await connect().connection.submit(job({ callbackUrl: 'http://plantain.example/hooks/replicate/t-0' }), within())
    assert.equal(upstream.orders()[0]!.webhook, undefined)
  })
})

test('a model by its version is asked for at the other address', async () => {
  await connect().connection.submit(job({ model: 'owner/own:0123abcd' }), within())
  assert.deepEqual([upstream.orders()[0]!.path, upstream.orders()[0]!.version], ['/v1/predictions', '0123abcd'])
})

test('the official client reads what this rehearsal answers', async () => {
  const client = new Replicate({ auth: replicateKey, baseUrl: `${upstream.url}/v1`, useFileOutput: false })
  const file = await client.files.create(new Blob([new Uint8Array(await paint(10, 10))], { type: 'image/png' }), { for: 'a test' })
  assert.match(file.urls.get, /^https:\/\/api\.replicate\.com\/v1\/files\//)
  const created = await client.predictions.create({ model: 'google/nano-banana-pro', input: { prompt: 'fault:states' }, webhook: callbackUrl, webhook_events_filter: ['completed'] })
  const listed = await client.predictions.list()
  assert.deepEqual(listed.results.map(({ id, webhook }) => [id, webhook]), [[created.id, callbackUrl]])
  assert.equal((await client.wait(created, { interval: 5 })).status, 'succeeded')
  assert.match(String(await client.run('google/nano-banana-pro', { input: { prompt: 'a kite' }, wait: { mode: 'poll', interval: 5 } })), /\/xezq\//)
  const another = await client.predictions.create({ model: 'google/nano-banana-pro', input: { prompt: 'fault:states' } })
  assert.equal((await client.predictions.cancel(another.id)).status, 'canceled')
  assert.deepEqual(await client.webhooks.default.secret.get(), { key: upstream.secret })
  await assert.rejects(client.predictions.create({ model: 'google/nano-banana-pro', input: {} }), (thrown: any) => thrown.response.status === 422)
})

test('every card that is made by Replicate names a model whose fields are known here, and its defaults can be honoured', () => {
  const routed = openCatalog().flatMap(card => card.routes.filter(({ provider }) => provider === 'replicate').map(({ model }) => ({ card, model })))
  assert.ok(routed.length > 15)
  assert.deepEqual(routed.flatMap(({ model }) => modelNames.includes(model) ? [] : [model]), [])
  for (const { card, model } of routed) {
    const inputs = Array.from({ length: card.inputs.min }, () => input)
    assert.equal(writeInputs(job({ model, parameters: defaultsOf(card), inputs }), inputs.map(() => 'https://f.example/a')).inputs.length, 1, card.id)
  }
})
