/** Journeys through our own door: a real house, a real database, the rehearsal upstream for what is made under a live key. */
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import sharp from 'sharp'
import { Webhook } from 'standardwebhooks'
import { testHouse, type TestHouse } from './kit/house.ts'
import { youngDay } from './kit/minute.ts'

let house: TestHouse
before(async () => { house = await testHouse() })
after(() => house.close())

interface Answer { status: number; headers: Headers; body: any }
interface Ask { key?: string; body?: unknown; headers?: Record<string, string>; method?: string }

/** One call as a client makes it; a body makes it a POST. */
async function call(path: string, { key = house.liveKey, body, headers = {}, method = body === undefined ? 'GET' : 'POST' }: Ask = {}): Promise<Answer> {
  const isForm = body instanceof FormData || body instanceof Uint8Array
  const answer = await fetch(house.url + (path.startsWith('/') ? path : `/plantain/v1/${path}`), {
    method, headers: { authorization: `Bearer ${key}`, ...(body === undefined || isForm ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: isForm ? body as FormData : JSON.stringify(body) }),
  })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, body: /json/.test(answer.headers.get('content-type') ?? '') && text ? JSON.parse(text) : text }
}

const make = (prompt: string, more: Record<string, unknown> = {}, path = 'tasks?wait=60') => call(path, { body: { model: 'rehearsal-1', prompt, ...more } })
const photo = (width = 40, height = 30) => sharp({ create: { width, height, channels: 3, background: '#c08040' } }).png().toBuffer()
const base64Of = async () => (await photo()).toString('base64')

async function until<T>(what: string, look: () => Promise<T | null | undefined | false>): Promise<T> {
  const limit = performance.now() + 120_000
  for (;;) {
    const seen = await look()
    if (seen) return seen
    if (performance.now() > limit) assert.fail(`waited in vain for: ${what}`)
    await new Promise(resolve => { setTimeout(resolve, 20) })
  }
}

test('models are listed by family, life and whether a live key can have them made here', async () => {
  const ids = async (query: string) => (await call(`models?${query}`)).body.data.map(({ id }: { id: string }) => id)
  assert.ok((await ids('family=rehearsal')).every((id: string) => id.startsWith('rehearsal-')))
  const configured = await ids('configured=true')
  assert.ok(configured.includes('rehearsal-1') && configured.includes('sandbox-1') && !configured.includes('flux-2-pro'))
  assert.ok((await ids('configured=false&family=flux-2')).includes('flux-2-pro'))
  const retired = await ids('life=retired')
  assert.ok(retired.includes('sora-2') && !retired.includes('flux-2-pro'))
  assert.deepEqual([(await call('models/rehearsal-1')).body.configured, (await call('models/sora-2')).body.configured], [true, false])
  assert.equal((await call('models?life=dead')).status, 400)
})

test('a prompt becomes a picture: priced, charged, and behind a link that needs no key', async () => {
  const before = (await call('balance')).body
  const made = await make('a red boat', { parameters: { aspect_ratio: '16:9' }, metadata: { order: '17' } })
  assert.equal(made.status, 200)
  const task = made.body
  assert.deepEqual(
    [task.object, task.state, task.livemode, task.served_by, task.model, task.operation, task.parameters.aspect_ratio, task.metadata, task.problem],
    ['task', 'done', true, 'rehearsal', 'rehearsal-1', 'generate', '16:9', { order: '17' }, null])
  assert.deepEqual([task.price, task.cost], [{ micros: 40_000, usd: '0.04' }, { micros: 40_000, usd: '0.04' }])
  assert.equal(made.headers.get('x-task-id'), task.id)
  assert.equal(made.headers.get('location'), `/plantain/v1/tasks/${task.id}`)
  const [output] = task.outputs
  const file = await fetch(output.url)
  assert.equal(file.status, 200)
  const { width, height } = await sharp(Buffer.from(await file.arrayBuffer())).metadata()
  assert.deepEqual([width, height], [output.width, output.height])
  assert.equal((await sharp(Buffer.from(await (await fetch(output.thumbnail_url)).arrayBuffer())).metadata()).format, 'webp')
  const afterwards = (await call('balance')).body
  assert.deepEqual([before.available.micros - afterwards.available.micros, afterwards.spent.micros - before.spent.micros, afterwards.held.micros], [40_000, 40_000, 0])
  const ledger = (await call(`ledger?task=${task.id}`)).body.data
  assert.deepEqual(ledger.map((row: { kind: string }) => row.kind).sort(), ['capture', 'hold'])
})

test('without waiting the task comes at once, and can be waited for', async () => {
  const made = await make('rehearse:queued', {}, 'tasks')
  assert.equal(made.status, 202)
  assert.ok(['queued', 'running', 'waiting'].includes(made.body.state))
  const now = await call(`tasks/${made.body.id}/wait?timeout=0`)
  assert.notEqual(now.body.state, 'done')
  assert.equal((await call(`tasks/${made.body.id}/wait?timeout=30`)).body.state, 'done')
  assert.equal((await call(`tasks/${made.body.id}`)).body.state, 'done')
})

test('a wish to wait is granted as far as it goes, and says so', async () => {
  const made = await call('tasks', { body: { model: 'rehearsal-1', prompt: 'quick' }, headers: { prefer: 'respond-async, wait=300' } })
  assert.deepEqual([made.status, made.body.state, made.headers.get('preference-applied')], [200, 'done', 'wait=60'])
})

test('a test key makes it on the sandbox model, and neither kind of key sees the other\'s tasks', async () => {
  const made = await call('tasks?wait=60', { key: house.testKey, body: { model: 'nano-banana', prompt: 'a boat' } })
  assert.deepEqual([made.body.state, made.body.livemode, made.body.served_by, made.body.outputs.length], ['done', false, 'sandbox-1', 1])
  assert.equal((await call(`tasks/${made.body.id}`, { key: house.liveKey })).status, 404)
  assert.equal((await call(`tasks/${made.body.id}`, { key: house.testKey })).status, 200)
  const foreign = await house.newAccount()
  assert.equal((await call(`tasks/${made.body.id}`, { key: foreign.testKey })).status, 404)
})

test('the same Idempotency-Key gives the same task and buys once, pictures included', async () => {
  const body = { model: 'rehearsal-1', prompt: 'one of a kind', inputs: [{ base64: await base64Of() }] }
  const send = (headers: Record<string, string>, more = {}) => call('tasks', { body: { ...body, ...more }, headers })
  const before = house.upstream.stats().accepted
  const headers = { 'idempotency-key': 'once-1' }
  const first = await send(headers)
  const assets = (await call('assets?kind=input')).body.data.length
  const second = await send(headers)
  assert.deepEqual([second.body.id, first.headers.get('idempotent-replayed'), second.headers.get('idempotent-replayed')], [first.body.id, null, 'true'])
  assert.equal((await call('assets?kind=input')).body.data.length, assets, 'the repetition keeps no second picture')
  const other = await send(headers, { prompt: 'another' })
  assert.deepEqual([other.status, other.body.error.code], [422, 'idempotency_mismatch'])
  await call(`tasks/${first.body.id}/wait`)
  assert.equal(house.upstream.stats().accepted - before, 1)
})

test('an edit takes its picture as an asset, an address, a data URL, base64 or one of our own links', async () => {
  const bytes = await photo()
  const uploaded = await call('assets', { body: new Uint8Array(bytes), headers: { 'content-type': 'image/png' } })
  assert.deepEqual([uploaded.status, uploaded.body.mime, uploaded.body.width, uploaded.body.kind], [201, 'image/png', 40, 'input'])
  const site = await serveBytes(bytes)
  const base64 = bytes.toString('base64')
  const ways: unknown[] = [uploaded.body.id, { asset: uploaded.body.id, role: 'reference' }, { url: `${site.url}/photo.png` }, { data_url: `data:image/png;base64,${base64}` }, { base64 }, { url: uploaded.body.url }]
  for (const input of ways) {
    const made = await make('make it blue', { inputs: [input] })
    assert.deepEqual([made.status, made.body.state, made.body.operation, made.body.inputs.length], [200, 'done', 'edit', 1], JSON.stringify(input).slice(0, 60))
    if (input === ways[5]) assert.equal(made.body.inputs[0].asset, uploaded.body.id, 'our own link is not taken in again')
  }
  site.server.close()
})

test('an order may come as a form', async () => {
  const form = new FormData()
  form.set('model', 'rehearsal-1')
  form.set('prompt', 'from a form')
  form.set('parameters[count]', '2')
  form.set('metadata', '{"a":"b"}')
  form.append('image', new Blob([new Uint8Array(await photo())], { type: 'image/png' }), 'photo.png')
  const made = await call('tasks?wait=60', { body: form, method: 'POST' })
  assert.deepEqual([made.status, made.body.state, made.body.operation, made.body.outputs.length, made.body.metadata], [200, 'done', 'edit', 2, { a: 'b' }])
})

test('an estimate prices as the order would, and leaves nothing behind', async () => {
  const before = await traces()
  const estimate = await call('estimate', { body: { model: 'rehearsal-1', prompt: 'x', parameters: { count: 3 }, inputs: [{ base64: await base64Of() }] } })
  assert.deepEqual([estimate.status, estimate.body.price.micros, estimate.body.operation, estimate.body.parameters.aspect_ratio], [200, 120_000, 'edit', '1:1'])
  assert.deepEqual(await traces(), before)
})

test('what an upstream refuses is told on the task, and costs nothing', async () => {
  const made = await make('rehearse:refused')
  assert.deepEqual([made.status, made.body.state, made.body.problem.code, made.body.cost], [200, 'failed', 'content_rejected', { micros: 0, usd: '0.00' }])
})

test('a model no provider is set up for says which setting to add', async () => {
  const made = await call('tasks', { body: { model: 'nano-banana', prompt: 'a boat' } })
  assert.deepEqual([made.status, made.body.error.code, made.headers.get('retry-after')], [503, 'provider_not_configured', '60'])
})

test('a cancelled task ends at once and gives its money back', async () => {
  const made = await make('rehearse:stuck', {}, 'tasks')
  await until('the upstream to have it', async () => (await call(`tasks/${made.body.id}`)).body.state === 'waiting')
  const cancelled = await call(`tasks/${made.body.id}/cancel`, { method: 'POST' })
  assert.deepEqual([cancelled.body.state, cancelled.body.cost.micros], ['cancelled', 0])
  assert.equal((await call(`tasks/${made.body.id}/cancel`, { method: 'POST' })).body.state, 'cancelled')
  assert.equal((await call('balance')).body.held.micros, 0)
})

test('too little credit is refused with what is needed and what is there', async () => {
  const poor = await house.newAccount({ liveDollars: 0.05 })
  const made = await call('tasks', { key: poor.liveKey, body: { model: 'rehearsal-1', prompt: 'x', parameters: { count: 4 } } })
  assert.deepEqual([made.status, made.body.error.code, made.body.error.required_micros, made.body.error.available_micros], [402, 'credits_required', 160_000, 50_000])
})

test('lists are paged newest first and filtered', async () => {
  const person = await house.newAccount()
  const ask = (path: string) => call(path, { key: person.liveKey })
  const ids: string[] = []
  for (let number = 0; number < 5; number++) ids.push((await call('tasks', { key: person.liveKey, body: { model: 'rehearsal-1', prompt: number === 2 ? 'rehearse:refused' : 'fine', metadata: { number: String(number) } } })).body.id)
  for (const id of ids) await ask(`tasks/${id}/wait`)
  const seen: string[] = []
  for (let next: string | null = ''; next !== null;) {
    const page: any = (await ask(`tasks?limit=2${next && `&after=${next}`}`)).body
    assert.equal(page.has_more, page.next !== null)
    seen.push(...page.data.map((task: { id: string }) => task.id))
    next = page.next
  }
  assert.deepEqual(seen, ids.toReversed())
  const numbers = async (query: string) => (await ask(`tasks?${query}`)).body.data.map((task: { metadata: { number: string } }) => Number(task.metadata.number)).toReversed()
  assert.deepEqual(await numbers('state=failed'), [2])
  assert.deepEqual(await numbers('state=failed&state=done'), [0, 1, 2, 3, 4])
  assert.deepEqual(await numbers('state=failed,cancelled'), [2])
  assert.deepEqual(await numbers('metadata[number]=3'), [3])
  assert.deepEqual(await numbers('model=nano-banana'), [])
  assert.deepEqual(await numbers('operation=generate&created_after=2020-01-01'), [0, 1, 2, 3, 4])
  assert.deepEqual(await numbers('created_before=2020-01-01T00:00:00Z'), [])
})

/** Reads server-sent events until `isLast` says so or the stream ends. */
async function readEvents(path: string, isLast: (event: { id: number; event: string }) => boolean, headers: Record<string, string> = {}) {
  const stop = new AbortController()
  const answer = await fetch(`${house.url}/plantain/v1/${path}`, { headers: { authorization: `Bearer ${house.liveKey}`, accept: 'text/event-stream', ...headers }, signal: stop.signal })
  assert.match(answer.headers.get('content-type')!, /^text\/event-stream/)
  const events: { id: number; event: string; data: any }[] = []
  let rest = ''
  for await (const part of answer.body!.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + part).split('\n\n')
    rest = blocks.pop()!
    for (const block of blocks) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1]
      if (field('data')) events.push({ id: Number(field('id')), event: field('event')!, data: JSON.parse(field('data')!) })
    }
    if (events.some(isLast)) break
  }
  stop.abort()
  return events
}

test('a task\'s events come live, end with the task, and are replayed after an id', async () => {
  const made = await make('rehearse:queued', {}, 'tasks')
  const path = `tasks/${made.body.id}/events`
  const live = await readEvents(path, () => false)
  assert.deepEqual([live[0]!.event, live.at(-1)!.event, live[0]!.data.task], ['task.created', 'task.completed', made.body.id])
  assert.deepEqual(live.map(({ id }) => id), live.map(({ id }) => id).toSorted((a, b) => a - b))
  const rest = live.slice(1)
  assert.deepEqual(await readEvents(path, () => false, { 'last-event-id': String(live[0]!.id) }), rest)
  assert.deepEqual(await readEvents(`${path}?after=${live[0]!.id}`, () => false), rest)
  assert.deepEqual(await readEvents(path, () => false, { 'last-event-id': String(live.at(-1)!.id) }), [], 'a stream of what has ended ends')
  const page = await call(`${path}?limit=1`)
  assert.deepEqual([page.body.data.length, page.body.has_more, page.body.next], [1, true, live[0]!.id])
  assert.deepEqual((await call(`${path}?after=${live[0]!.id}`)).body.data, rest.map(({ data }) => data))
})

test('the project\'s events are followed from any place', async () => {
  const from = (await call('events?limit=500')).body.next
  const made = await make('seen by all')
  const events = await readEvents(`events?after=${from}&type=task.completed`, ({ event }) => event === 'task.completed')
  assert.deepEqual(events.map(({ data }) => [data.type, data.task]), [['task.completed', made.body.id]])
})

test('a file answers ranges, revalidation and HEAD', async () => {
  const { body: asset } = await call('assets', { body: { base64: await base64Of(), name: 'boat.png' } })
  const path = `assets/${asset.id}/content`
  const whole = await call(path)
  assert.equal(whole.headers.get('content-length'), String(asset.size_bytes))
  const part = await call(path, { headers: { range: 'bytes=0-9' } })
  assert.deepEqual([part.status, part.headers.get('content-range')], [206, `bytes 0-9/${asset.size_bytes}`])
  assert.equal((await call(path, { headers: { range: `bytes=${asset.size_bytes}-` } })).status, 416)
  assert.equal((await call(path, { headers: { 'if-none-match': whole.headers.get('etag')! } })).status, 304)
  const head = await call(path, { method: 'HEAD' })
  assert.deepEqual([head.status, head.body, head.headers.get('content-length')], [200, '', String(asset.size_bytes)])
  assert.equal((await call(`assets/${asset.id}/thumbnail?side=64`)).headers.get('content-type'), 'image/webp')
})

test('a link opens without a key until it is changed or the asset goes', async () => {
  const { body: asset } = await call('assets', { body: { data_url: `data:image/png;base64,${await base64Of()}` } })
  const { body: link } = await call(`assets/${asset.id}/link`, { body: { seconds: 60, download: true } })
  const opened = await fetch(link.url)
  assert.deepEqual([opened.status, opened.headers.get('content-disposition')?.split(';')[0]], [200, 'attachment'])
  await opened.arrayBuffer()
  const changed = await fetch(link.url.replace('download=1', 'download=0'))
  assert.deepEqual([changed.status, ((await changed.json()) as any).error.code], [404, 'not_found'])
  assert.equal((await call(`assets/${asset.id}`, { method: 'DELETE' })).status, 204)
  assert.equal((await call(`assets/${asset.id}`)).status, 404)
  assert.equal((await fetch(link.url)).status, 404)
})

test('an upload may come as a form, and lists show it', async () => {
  const form = new FormData()
  form.set('file', new Blob([new Uint8Array(await photo(64, 64))], { type: 'image/png' }), 'square.png')
  const uploaded = await call('assets', { body: form, method: 'POST' })
  assert.deepEqual([uploaded.status, uploaded.body.name, uploaded.body.width], [201, 'square.png', 64])
  const page = await call('assets?kind=input&limit=1')
  assert.equal(page.body.data[0].id, uploaded.body.id)
})

test('models say what they take and cost, by any of their names', async () => {
  const all = (await call('models')).body.data
  assert.ok(all.some((model: { id: string }) => model.id === 'sandbox-1'))
  const [model] = all.filter(({ names }: { names: Record<string, string[]> }) => names.kie?.some(name => name.includes('/')))
  const name = model.names.kie.find((one: string) => one.includes('/'))
  const found = await call(`models/${name}`)
  assert.deepEqual([found.status, found.body.id, found.body.parameters.type], [200, model.id, 'object'])
  assert.ok(found.body.prices.every((row: { price: { micros: number } }) => Number.isInteger(row.price.micros)))
  assert.deepEqual((await call('models?kind=video')).body.data.map((one: { kind: string }) => one.kind).filter((kind: string) => kind !== 'video'), [])
  assert.equal((await call('models/no/such/model')).body.error.code, 'unknown_model')
})

test('a key is shown once, is held to its scopes, and ends at once', async () => {
  const made = await call('keys', { body: { name: 'Reader', scopes: ['tasks:read'], livemode: false } })
  assert.equal(made.status, 201)
  const { secret, id } = made.body
  assert.match(secret, /^sk-test-/)
  assert.equal((await call('tasks', { key: secret })).status, 200)
  const refused = await call('tasks', { key: secret, body: { model: 'rehearsal-1', prompt: 'x' } })
  assert.deepEqual([refused.status, refused.body.error.code], [403, 'forbidden'])
  const listed = (await call('keys')).body.data.find((key: { id: string }) => key.id === id)
  assert.deepEqual([listed.name, listed.secret, listed.prefix.length < secret.length], ['Reader', undefined, true])
  assert.ok((await call(`keys/${id}/revoke`, { method: 'POST' })).body.revoked_at)
  assert.equal((await call('tasks', { key: secret })).status, 401)
  const escalation = await call('keys', { key: house.testKey, body: { name: 'More', livemode: true } })
  assert.deepEqual([escalation.status, escalation.body.error.code], [403, 'forbidden'])
})

test('a limit of requests is told, kept and passes', async () => {
  const person = await house.newAccount({ limits: { requestsPerMinute: 2 } })
  const answers: Answer[] = []
  for (let count = 0; count < 3; count++) answers.push(await call('estimate', { key: person.liveKey, body: { model: 'rehearsal-1', prompt: 'x' } }))
  assert.deepEqual([answers[0]!.status, answers[0]!.headers.get('x-ratelimit-limit')], [200, '2'])
  const over = answers[2]!
  assert.equal(over.status, 429)
  assert.equal(over.body.error.code, 'rate_limited')
  assert.ok(Number(over.headers.get('retry-after')) >= 1 && Number(over.headers.get('x-ratelimit-reset')) > Date.now() / 1_000 - 1)
  assert.equal((await call('balance', { key: person.liveKey })).status, 200, 'looking does not count')
})

test('usage adds up by day and model', async () => {
  const person = await house.newAccount()
  await youngDay()
  for (const prompt of ['one', 'two', 'rehearse:refused']) await call('tasks?wait=60', { key: person.liveKey, body: { model: 'rehearsal-1', prompt } })
  const [row, ...more] = (await call('usage', { key: person.liveKey })).body.data
  assert.deepEqual([more.length, row.model, row.tasks, row.done, row.failed, row.cost.micros], [0, 'rehearsal-1', 3, 2, 1, 80_000])
})

test('a webhook is registered, rings, verifies, and is sent again on request', async () => {
  const heard = await serveHooks()
  const made = await call('webhooks', { body: { url: `${heard.url}/hook`, events: ['task.completed'] } })
  assert.equal(made.status, 201)
  const { id, secret } = made.body
  const verify = new Webhook(secret)
  const { body: task } = await make('call me')
  const letter = await until('the webhook', async () => heard.letters.find(one => one.body.includes(task.id)))
  const event: any = verify.verify(letter.body, letter.headers)
  assert.deepEqual([event.type, event.data.id, event.data.state, event.data.outputs.length], ['task.completed', task.id, 'done', 1])
  const delivery = await until('the log', async () => (await call(`deliveries?task=${task.id}`)).body.data.find((one: { state: string }) => one.state === 'delivered'))
  const { body: logged } = await call(`deliveries/${delivery.id}`)
  assert.deepEqual([logged.webhook, logged.log.length, logged.log[0].status], [id, 1, 200])

  assert.equal((await call(`deliveries/${delivery.id}/redeliver`, { method: 'POST' })).status, 202)
  await until('the second letter', async () => heard.letters.filter(one => one.body.includes(task.id)).length === 2)

  assert.equal((await call(`webhooks/${id}/ping`, { method: 'POST' })).status, 202)
  const ping = await until('the ping', async () => heard.letters.find(one => one.body.includes('"ping"')))
  assert.equal((verify.verify(ping.body, ping.headers) as any).type, 'ping')

  const rotated = await call(`webhooks/${id}/rotate`, { body: { overlap_hours: 1 } })
  assert.notEqual(rotated.body.secret, secret)
  await make('call me again')
  const third = await until('a letter after the rotation', async () => heard.letters.find(one => one.body.includes('call me again')))
  for (const one of [secret, rotated.body.secret]) new Webhook(one).verify(third.body, third.headers)

  assert.deepEqual((await call(`webhooks/${id}`, { method: 'PATCH', body: { enabled: false } })).body.enabled, false)
  assert.equal((await call('webhooks')).body.data.find((one: { id: string }) => one.id === id).secret, undefined)
  assert.equal((await call(`webhooks/${id}`, { method: 'DELETE' })).status, 204)
  assert.equal((await call(`webhooks/${id}`)).status, 404)
  heard.server.close()
})

test('an order\'s own call back comes with the task', async () => {
  const heard = await serveHooks()
  const { body: task } = await make('ring', { callback_url: `${heard.url}/mine` })
  const letter = await until('the call back', async () => heard.letters.find(one => one.body.includes(task.id)))
  assert.equal(JSON.parse(letter.body).data.id, task.id)
  heard.server.close()
})

test('Kie\'s signing key is made, shown once and replaced', async () => {
  const first = await call('webhooks/kie-key', { method: 'POST' })
  assert.equal(first.status, 201)
  assert.ok(first.body.key.length >= 16)
  const shown = await call('webhooks/kie-key')
  assert.deepEqual([shown.body.key, typeof shown.body.created_at], [undefined, 'string'])
  assert.notEqual((await call('webhooks/kie-key', { method: 'POST' })).body.key, first.body.key)
})

test('the description and its page are there without a key, and load nothing from elsewhere', async () => {
  const description = await fetch(`${house.url}/openapi.json`)
  assert.equal(((await description.json()) as any).openapi, '3.1.0')
  const page = await fetch(`${house.url}/docs`)
  const html = await page.text()
  assert.match(page.headers.get('content-type')!, /^text\/html/)
  assert.match(page.headers.get('content-security-policy')!, /default-src 'none'; script-src 'sha256-/)
  assert.ok(!/(src|href)="?(https?:)?\/\/|@import|\burl\(/.test(html))
  assert.equal((await fetch(`${house.url}/docs`, { headers: { 'if-none-match': page.headers.get('etag')! } })).status, 304)
})

test('the books balance', async () => {
  assert.deepEqual(await house.audit(), [])
})

/** What a call could have left behind. */
async function traces() {
  const { rows: [row] } = await house.database.query(`select (select count(*)::int from task) as tasks, (select count(*)::int from ledger) as ledger, (select count(*)::int from asset) as assets,
    (select count(*)::int from idempotency) as keys, (select count(*)::int from event) as events`)
  return row
}

async function listen(server: Server) {
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function serveBytes(bytes: Buffer) {
  const server = createServer((_request, answer) => { answer.setHeader('content-type', 'image/png').end(bytes) })
  return { server, url: await listen(server) }
}

async function serveHooks() {
  const letters: { body: string; headers: Record<string, string> }[] = []
  const server = createServer((request, answer) => {
    let body = ''
    request.setEncoding('utf8').on('data', part => { body += part }).on('end', () => {
      letters.push({ body, headers: request.headers as Record<string, string> })
      answer.end()
    })
  })
  return { server, letters, url: await listen(server) }
}
