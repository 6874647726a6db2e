/** Wisdom Gate's door: the seed article's own calls, keys without Bearer, the older spelling of videos, and the billing questions. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import sharp from 'sharp'
import { until } from './kit/engine.ts'
import { testHouse, type TestHouse } from './kit/house.ts'

let house: TestHouse
before(async () => { house = await testHouse() })
after(async () => { await house?.close() })

interface Answer { status: number; headers: Headers; body: any }
type Ask = { key?: string; headers?: Record<string, string>; method?: string }

/** Keys go bare, as its raw callers send them. */
async function ask(path: string, body?: unknown, { key = house.testKey, headers = {}, method = body === undefined ? 'GET' : 'POST' }: Ask = {}): Promise<Answer> {
  const isRaw = typeof body === 'string' || body instanceof FormData
  const response = await fetch(house.url + path, {
    method,
    headers: { ...(key === '' ? {} : { authorization: key }), ...(body === undefined || body instanceof FormData ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: isRaw ? body as string | FormData : JSON.stringify(body) }),
  })
  const type = response.headers.get('content-type') ?? ''
  return { status: response.status, headers: response.headers, body: type.startsWith('application/json') ? await response.json() : Buffer.from(await response.arrayBuffer()) }
}

const sizeOf = async (bytes: Buffer) => { const { width, height, format } = await sharp(bytes).metadata(); return [width, height, format] }
const photo = () => sharp({ create: { width: 96, height: 64, channels: 3, background: { r: 200, g: 60, b: 40 } } }).png().toBuffer()

async function ended(id: string): Promise<any> {
  for (let looks = 0; looks < 2_400; looks++) {
    const { status, body } = await ask(`/v1/video/${id}`)
    assert.equal(status, 200)
    if (body.status === 'completed' || body.status === 'failed') return body
    assert.ok(['queued', 'processing'].includes(body.status), body.status)
    await pause(50)
  }
  throw new Error('The video does not end.')
}

// The seed ------------------------------------------------------------------------------------------------------------

const seed = { model: 'gemini-3.1-flash-image-preview', prompt: 'Minimalist product shot of wireless headphones on a white background', n: 1, size: '1024x1024' }

test('the seed\'s curl: a picture with an address', async () => {
  const { status, body } = await ask('/v1/images/generations', JSON.stringify(seed), { headers: { authorization: `Bearer ${house.testKey}`, 'user-agent': 'curl/8.5.0', accept: '*/*' } })
  assert.equal(status, 200, JSON.stringify(body).slice(0, 500))
  assert.equal(body.data.length, 1)
  const picture = await fetch(body.data[0].url)
  assert.deepEqual(await sizeOf(Buffer.from(await picture.arrayBuffer())), [1024, 1024, 'png'])
})

test('the seed\'s Python: `response.data[0].url` is set', async () => {
  // As openai-python writes it.
  const { status, body } = await ask('/v1/images/generations', JSON.stringify({ prompt: seed.prompt, model: seed.model, n: seed.n, size: seed.size }), {
    headers: {
      authorization: `Bearer ${house.testKey}`, accept: 'application/json', 'user-agent': 'OpenAI/Python 2.8.1', 'x-stainless-lang': 'python', 'x-stainless-package-version': '2.8.1',
      'x-stainless-retry-count': '0', 'x-stainless-read-timeout': '600', 'x-stainless-async': 'false',
    },
  })
  assert.equal(status, 200, JSON.stringify(body).slice(0, 500))
  assert.match(body.data[0].url, /^http/)
  assert.equal(typeof body.created, 'number')
})

test('the seed\'s swap of models: one line and no other', async () => {
  const openai = new OpenAI({ apiKey: house.testKey, baseURL: `${house.url}/v1`, maxRetries: 0 })
  for (const model of ['gemini-3-pro-image-preview', 'gemini-3.1-flash-image-preview']) {
    const response = await openai.images.generate({ ...seed, size: '1024x1024', model })
    assert.match(response.data![0]!.url!, /^http/)
  }
})

test('the seed\'s edit: the picture and its description in one call', async () => {
  const form = new FormData()
  form.append('model', 'gemini-3.1-flash-image-preview')
  form.append('prompt', 'make the background blue')
  form.append('image', new Blob([new Uint8Array(await photo())], { type: 'image/png' }), 'photo.png')
  const { status, body } = await ask('/v1/images/edits', form, { headers: { authorization: `Bearer ${house.testKey}` } })
  assert.equal(status, 200, JSON.stringify(body).slice(0, 500))
  assert.match(body.data[0].url, /^http/)
  assert.ok((body.data[0].text ?? body.data[0].revised_prompt ?? '').length > 0)
})

test('the same key works at every dialect it speaks, bare or not', async () => {
  const token = { model: 'gemini-3.1-flash-image-preview', messages: [{ role: 'user', content: 'x' }] }
  const forms: Record<string, string>[] = [{ authorization: house.testKey }, { authorization: `Bearer ${house.testKey}` }, { 'x-api-key': house.testKey }, { 'x-goog-api-key': house.testKey }]
  for (const headers of forms) {
    for (const [path, body] of [['/v1/models', undefined], ['/v1/messages/count_tokens', token], ['/v1beta/models', undefined], ['/v1/dashboard/billing/usage', undefined]] as const) {
      const { status, body: said } = await ask(path, body, { key: '', headers })
      assert.equal(status, 200, `${path} with ${Object.keys(headers)[0]}: ${JSON.stringify(said).slice(0, 300)}`)
    }
  }
})

test('the Anthropic SDK reaches it without /v1', async () => {
  const message = await new Anthropic({ apiKey: house.testKey, baseURL: house.url }).messages.create({
    model: 'gemini-3.1-flash-image-preview', max_tokens: 1_000, messages: [{ role: 'user', content: 'a cup' }], image: { size: '512' } } as Anthropic.MessageCreateParamsNonStreaming)
  assert.deepEqual((message.content as { type: string }[]).map(({ type }) => type), ['text', 'image'])
  assert.match((message.content[0] as Anthropic.TextBlock).text, /!\[image 1\]\(http/)
})

// Videos --------------------------------------------------------------------------------------------------------------

test('a video by form, asked for until it is there, and fetched', async () => {
  const form = new FormData()
  for (const [name, text] of Object.entries({ model: 'sora-2', prompt: 'waves at dawn', seconds: '4', size: '1280x720' })) form.append(name, text)
  const created = await ask('/v1/video', form)
  assert.equal(created.status, 200, JSON.stringify(created.body))
  const { id, status, object, seconds, size, prompt, progress } = created.body
  assert.deepEqual([id, object, seconds, size, prompt], [`video_${created.headers.get('x-task-id')}`, 'video', '4', '1280x720', 'waves at dawn'])
  assert.ok(['queued', 'processing', 'completed'].includes(status) && Number.isInteger(progress))

  const video = await ended(id)
  assert.deepEqual([video.status, video.progress, video.error], ['completed', 100, null])
  assert.ok(video.completed_at >= video.created_at)
  const linked = Buffer.from(await (await fetch(video.meta_data.url)).arrayBuffer())
  const fetched = await ask(`/v1/video/${id}/content`)
  assert.equal(fetched.status, 200)
  assert.ok(linked.equals(fetched.body) && fetched.body.length > 1_000)
  const [width, height] = await sizeOf(fetched.body)
  assert.ok(Math.abs(width as number / (height as number) - 16 / 9) < 0.02)
  // The newer spelling tells the same film, begun here, in the size that was asked for.
  assert.deepEqual((({ status, size, seconds }) => [status, size, seconds])((await ask(`/v1/videos/${id}`)).body), ['completed', '1280x720', '4'])
  const part = await fetch(`${house.url}/v1/video/${id}/content`, { headers: { authorization: house.testKey, range: 'bytes=0-9' } })
  assert.deepEqual([part.status, (await part.arrayBuffer()).byteLength], [206, 10])
  assert.equal((await sizeOf((await ask(`/v1/video/${id}/content?variant=thumbnail`)).body))[2], 'webp')

  // The newer spelling knows it too, in its own words.
  const newer = await ask(`/v1/videos/${id}`, undefined, { headers: { authorization: `Bearer ${house.testKey}` } })
  assert.deepEqual([newer.status, newer.body.id, newer.body.status], [200, id, 'completed'])
  const native = await ask(`/plantain/v1/tasks/${created.headers.get('x-task-id')}`, undefined, { headers: { authorization: `Bearer ${house.testKey}` } })
  assert.deepEqual([native.body.state, native.body.operation], ['done', 'video'])
})

test('a video of the newer spelling is processing here', async () => {
  const openai = new OpenAI({ apiKey: house.testKey, baseURL: `${house.url}/v1`, maxRetries: 0 })
  const { id } = await openai.videos.create({ model: 'sora-2', prompt: 'waves sandbox:slow=8s', seconds: '4', size: '720x1280' })
  let seen: any
  await until(async () => { seen = (await ask(`/v1/video/${id}`)).body; return seen.status !== 'queued' }, 'the making')
  assert.deepEqual([seen.status, seen.seconds, seen.size], ['processing', '4', '720x1280'])
  const early = await ask(`/v1/video/${id}/content`)
  assert.deepEqual([early.status, early.body.error.type, early.body.error.param], [400, 'invalid_request_error', 'video_id'])
  await ended(id)
})

test('a video from a first picture, by form and by JSON', async () => {
  const bytes = await photo()
  const form = new FormData()
  form.append('prompt', 'let it move')
  form.append('input_reference', new Blob([new Uint8Array(bytes)], { type: 'image/png' }), 'first.png')
  for (const body of [form, { prompt: 'let it move', seconds: 4, input_reference: `data:image/png;base64,${bytes.toString('base64')}` }]) {
    const created = await ask('/v1/video', body)
    assert.equal(created.status, 200, JSON.stringify(created.body))
    assert.deepEqual([created.body.model, created.body.seconds, created.body.size], ['sora-2', '4', '720x1280'])
    const { rows: [row] } = await house.database.query<{ inputs: { role: string }[] }>('select inputs from task where id = $1', [created.headers.get('x-task-id')])
    assert.deepEqual(row!.inputs.map(({ role }) => role), ['first_frame'])
    assert.equal((await ended(created.body.id)).status, 'completed')
  }
})

test('a video that cannot be made says why', async () => {
  const { body: { id } } = await ask('/v1/video', { prompt: 'waves sandbox:moderation' })
  const { status, error, meta_data: data } = await ended(id)
  assert.deepEqual([status, error.code, data], ['failed', 'content_policy_violation', undefined])
  assert.equal((await ask(`/v1/video/${id}/content`)).status, 400)
})

test('the same Idempotency-Key gives the same video', async () => {
  const headers = { 'idempotency-key': 'waves-1' }
  const [first, second] = [await ask('/v1/video', { prompt: 'waves' }, { headers }), await ask('/v1/video', { prompt: 'waves' }, { headers })]
  assert.equal(first.body.id, second.body.id)
  assert.equal(second.headers.get('idempotent-replayed'), 'true')
  assert.equal((await ask('/v1/video', { prompt: 'dunes' }, { headers })).status, 422)
  await ended(first.body.id)
})

// Billing -------------------------------------------------------------------------------------------------------------

test('limit less usage is the balance, at both addresses', async () => {
  const account = await house.newAccount({ testDollars: 3 })
  const key = account.testKey
  const dayFromNow = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)
  const left = async (base: string) => {
    const { body: subscription } = await ask(`${base}/subscription`, undefined, { key })
    const { body: usage } = await ask(`${base}/usage?start_date=${dayFromNow(-30)}&end_date=${dayFromNow(1)}`, undefined, { key })
    assert.deepEqual([subscription.object, usage.object], ['billing_subscription', 'list'])
    return Math.round((subscription.hard_limit_usd - usage.total_usage / 100) * 1e6) / 1e6
  }
  assert.equal(await left('/v1/dashboard/billing'), 3)
  const made = await ask('/plantain/v1/tasks?wait=60', { model: 'nano-banana-2', prompt: 'a cup', parameters: { resolution: '512' } }, { headers: { authorization: `Bearer ${key}` } })
  assert.equal(made.body.state, 'done')
  assert.equal(await left('/dashboard/billing'), 2.96)
  assert.equal(await left('/v1/dashboard/billing'), 2.96)
})

// No ------------------------------------------------------------------------------------------------------------------

test('a picture is no video here, and a stranger\'s video is nobody\'s', async () => {
  const { body: { id } } = await ask('/v1/video', { prompt: 'waves' })
  const { testKey } = await house.newAccount()
  assert.equal((await ask(`/v1/video/${id}`, undefined, { key: testKey })).status, 404)
  assert.equal((await ask(`/v1/video/${id}`, undefined, { key: house.liveKey })).status, 404)
  const { rows: [picture] } = await house.database.query<{ id: string }>("select id from task where operation = 'generate' limit 1")
  assert.equal((await ask(`/v1/video/${picture!.id}`)).status, 404)
  await ended(id)
})

test('in the end the books are right', async () => { assert.deepEqual(await house.audit(), []) })
