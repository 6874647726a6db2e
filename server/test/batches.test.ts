/** Batches at the OpenAI, Gemini and Anthropic doors, through their clients unmodified: made, followed, cancelled, expired, their results read and their pictures measured. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import Anthropic, { BadRequestError as AnthropicBadRequest, NotFoundError as AnthropicNotFound } from '@anthropic-ai/sdk'
import { ApiError, GoogleGenAI, JobState } from '@google/genai'
import OpenAI, { BadRequestError, NotFoundError, toFile, UnprocessableEntityError } from 'openai'
import sharp from 'sharp'
import { testHouse, type TestHouse } from './kit/house.ts'

let house: TestHouse
let openai: OpenAI
let google: GoogleGenAI
let anthropic: Anthropic

before(async () => {
  house = await testHouse()
  openai = openaiFor(house.testKey)
  google = new GoogleGenAI({ apiKey: house.testKey, httpOptions: { baseUrl: house.url } })
  anthropic = anthropicFor(house.testKey)
})
after(async () => { await house?.close() })

const openaiFor = (apiKey: string) => new OpenAI({ apiKey, baseURL: `${house.url}/v1`, maxRetries: 0 })
const anthropicFor = (apiKey: string) => new Anthropic({ apiKey, baseURL: house.url, maxRetries: 0 })
const photo = (width = 96, height = 64) => sharp({ create: { width, height, channels: 3, background: '#c83c28' } }).png().toBuffer()
async function measure(base64: string): Promise<string> {
  const { width, height, format } = await sharp(Buffer.from(base64, 'base64')).metadata()
  return `${width}x${height} ${format}`
}
const count = async (table: string, where = 'true', values: unknown[] = []) => (await house.database.query<{ count: number }>(`select count(*)::int as count from ${table} where ${where}`, values)).rows[0]!.count
async function until<T>(look: () => Promise<T | null | false>, what: string): Promise<T> {
  for (const end = performance.now() + 180_000; performance.now() < end;) {
    const found = await look()
    if (found) return found
    await pause(25)
  }
  throw new Error(`${what} never came.`)
}

interface Answer { status: number; headers: Headers; text: string; body: any }
async function ask(method: string, path: string, body?: unknown, { headers = {}, key = house.testKey }: { headers?: Record<string, string>; key?: string } = {}): Promise<Answer> {
  const response = await fetch(house.url + path, {
    method, headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  let parsed: unknown = null
  try { parsed = JSON.parse(text) } catch { /* Lines. */ }
  return { status: response.status, headers: response.headers, text, body: parsed }
}

// OpenAI --------------------------------------------------------------------------------------------------------------

const small = { model: 'gpt-image-2', size: '256x256', quality: 'low' }
const line = (custom_id: string, body: object, url = '/v1/images/generations') => JSON.stringify({ custom_id, method: 'POST', url, body })
const upload = async (lines: string[], client = openai) => (await client.files.create({ file: await toFile(Buffer.from(lines.map(one => `${one}\n`).join('')), 'rows.jsonl'), purpose: 'batch' })).id
type Endpoint = OpenAI.BatchCreateParams['endpoint']
const begin = async (lines: string[], endpoint: string = '/v1/images/generations', client = openai) =>
  client.batches.create({ input_file_id: await upload(lines, client), endpoint: endpoint as Endpoint, completion_window: '24h' })
const ended = (id: string, client = openai) => until(async () => {
  const batch = await client.batches.retrieve(id)
  return batch.completed_at || batch.failed_at || batch.cancelled_at || batch.expired_at ? batch : null
}, `The end of ${id}`)

interface Result { id: string; custom_id: string; response: { status_code: number; request_id: string; body: any } | null; error: { code: string; message: string } | null }
async function read(fileId: string | null | undefined, client = openai): Promise<Result[]> {
  if (!fileId) return []
  const text = await (await client.files.content(fileId)).text()
  assert.ok(text.endsWith('\n'))
  return text.trimEnd().split('\n').map(one => JSON.parse(one) as Result)
}

describe('openai', () => {
  test('a file of pictures: made, counted, read back in the order of the lines', async () => {
    const file = await upload([line('a', { ...small, prompt: 'a mug', n: 2 }), line('b', { ...small, prompt: 'a cup', output_format: 'webp' }), line('c', { ...small, prompt: 'a jug', response_format: 'b64_json' })])
    const batch = await openai.batches.create({ input_file_id: file, endpoint: '/v1/images/generations', completion_window: '24h', metadata: { shop: '7' }, output_expires_after: { anchor: 'created_at', seconds: 3_600 } })
    assert.match(batch.id, /^batch_[0-9a-f]{32}$/)
    assert.deepEqual([batch.object, batch.endpoint, batch.input_file_id, batch.completion_window, batch.metadata], ['batch', '/v1/images/generations', file, '24h', { shop: '7' }])
    assert.equal(batch.expires_at! - batch.created_at, 86_400)
    const done = await ended(batch.id)
    assert.equal(done.status, 'completed', JSON.stringify(done))
    assert.deepEqual(done.request_counts, { total: 3, completed: 3, failed: 0 })
    assert.deepEqual([done.error_file_id, done.errors, done.model], [null, null, 'gpt-image-2'])
    assert.ok(done.in_progress_at && done.finalizing_at && done.completed_at! >= done.in_progress_at)
    const results = await read(done.output_file_id)
    assert.deepEqual(results.map(one => one.custom_id), ['a', 'b', 'c'])
    for (const one of results) assert.deepEqual([one.response!.status_code, one.error], [200, null])
    assert.deepEqual(results.map(one => one.response!.body.data.length), [2, 1, 1])
    assert.equal(await measure(results[0]!.response!.body.data[1].b64_json), '256x256 png')
    assert.equal(await measure(results[1]!.response!.body.data[0].b64_json), '256x256 webp')
    assert.equal('url' in results[2]!.response!.body.data[0], false)
    const output = await openai.files.retrieve(done.output_file_id!)
    assert.deepEqual([output.purpose, output.expires_at! - output.created_at], ['batch_output', 3_600])
    // Rows are tasks like any other: of the batch kind, paid one by one.
    assert.equal(await count('task', `priority = 'batch' and id in (select task_id from batch_row where batch_id = $1)`, [batch.id.slice(6)]), 3)
    assert.deepEqual(await house.audit(), [])
  })

  test('edits, responses and chats, with pictures by file and inline', async () => {
    const { id: file_id } = await openai.files.create({ file: await toFile(await photo(), 'a.png'), purpose: 'vision' })
    const large = await sharp({ create: { width: 300, height: 300, channels: 3, background: '#808080', noise: { type: 'gaussian', mean: 128, sigma: 60 } } }).png().toBuffer()
    const dataUrl = `data:image/png;base64,${large.toString('base64')}`
    assert.ok(dataUrl.length > 200_000)
    const edits = await begin([line('by file', { ...small, prompt: 'bluer', images: [{ file_id }] }, '/v1/images/edits'), line('inline', { ...small, prompt: 'greener', images: [{ image_url: dataUrl }] }, '/v1/images/edits')], '/v1/images/edits')
    const tool = { type: 'image_generation', size: '256x256', quality: 'low' }
    const responses = await begin([line('r', { model: 'gpt-5.5', tools: [tool], input: [{ role: 'user', content: [{ type: 'input_text', text: 'in winter' }, { type: 'input_image', image_url: dataUrl }] }] }, '/v1/responses')], '/v1/responses')
    const chats = await begin([line('c', { model: 'gpt-image-2', messages: [{ role: 'user', content: 'a fox' }], size: '256x256', quality: 'low' }, '/v1/chat/completions')], '/v1/chat/completions')
    const edited = await read((await ended(edits.id)).output_file_id)
    assert.deepEqual(edited.map(one => one.custom_id), ['by file', 'inline'], JSON.stringify(await read((await ended(edits.id)).error_file_id)))
    for (const one of edited) assert.equal(await measure(one.response!.body.data[0].b64_json), '256x256 png')
    const [response] = await read((await ended(responses.id)).output_file_id)
    assert.equal(response!.response!.body.status, 'completed')
    assert.equal(await measure(response!.response!.body.output[0].result), '256x256 png')
    const [chat] = await read((await ended(chats.id)).output_file_id)
    assert.equal(await measure(chat!.response!.body.choices[0].message.images[0].image_url.url.split(',')[1]), '256x256 png')
  })

  test('a row that is refused is a line of the error file, and the others are made', async () => {
    const batch = await begin([
      line('fine', { ...small, prompt: 'a mug' }), line('no prompt', small), line('model', { ...small, model: 'no-such-model', prompt: 'x' }), line('size', { ...small, size: '900x900', prompt: 'x' }),
      line('moderated', { ...small, prompt: 'x sandbox:moderation' }), line('broken', { ...small, prompt: 'x sandbox:fail=501' }), line('streamed', { ...small, prompt: 'x', stream: true }),
    ])
    const done = await ended(batch.id)
    assert.deepEqual([done.status, done.request_counts], ['completed', { total: 7, completed: 1, failed: 6 }])
    assert.deepEqual((await read(done.output_file_id)).map(one => one.custom_id), ['fine'])
    const errors = await read(done.error_file_id)
    assert.deepEqual(errors.map(one => [one.custom_id, one.response!.status_code, one.response!.body.error.code]), [
      ['no prompt', 400, 'missing_required_parameter'], ['model', 404, 'model_not_found'], ['size', 400, 'invalid_value'],
      ['moderated', 400, 'moderation_blocked'], ['broken', 502, 'provider_failed'], ['streamed', 400, 'invalid_value'],
    ])
    assert.deepEqual(await house.audit(), [])
  })

  test('a file that is not what it must be is refused whole, with its lines', async () => {
    const before = await count('task')
    const refused = async (lines: string[]) => {
      const batch = await ended((await begin(lines)).id)
      assert.equal(batch.status, 'failed')
      assert.deepEqual([batch.output_file_id, batch.error_file_id, batch.request_counts], [null, null, { total: 0, completed: 0, failed: 0 }])
      return batch.errors!.data!.map(one => [one.code, one.line])
    }
    const good = line('a', { ...small, prompt: 'a' })
    assert.deepEqual(await refused(['']), [['empty_file', null]])
    assert.deepEqual(await refused([good, 'not json', '[]', '{}']), [['invalid_request', 2], ['invalid_json_line', 3], ['missing_required_parameter', 4]])
    assert.deepEqual(await refused([good, line('b', {}), good, good]), [['duplicate_custom_id', 3], ['duplicate_custom_id', 4]])
    assert.deepEqual(await refused([line('a', {}, '/v1/images/edits')]), [['mismatched_endpoint', 1]])
    assert.deepEqual(await refused([JSON.stringify({ custom_id: 'a', method: 'GET', url: '/v1/images/generations', body: {} })]), [['invalid_method', 1]])
    assert.deepEqual(await refused([JSON.stringify({ custom_id: 'a', method: 'POST', url: '/v1/images/generations' })]), [['missing_required_parameter', 1]])
    assert.deepEqual(await refused([good, `{"custom_id":"z","x":"${'\\u0000'}"}`]), [['invalid_request', 2]])
    assert.equal(await count('task'), before)
  })

  test('the input may be removed while the batch runs', async () => {
    const batch = await begin([line('a', { ...small, prompt: 'a' }), line('b', { ...small, prompt: 'b sandbox:slow=1s' })])
    await openai.files.delete(batch.input_file_id)
    await house.house.collect({ graceMs: 0 })
    assert.equal((await ended(batch.id)).request_counts!.completed, 2)
  })

  test('cancelled: what waits is given up, what was made is in the file', async () => {
    const { testKey } = await house.newAccount({ testDollars: 10 })
    const client = openaiFor(testKey)
    const lines = Array.from({ length: 200 }, (_, index) => line(`row ${index}`, { ...small, prompt: `${index} ${index < 2 ? '' : 'sandbox:slow=500ms'}` }))
    const batch = await begin(lines, '/v1/images/generations', client)
    await until(async () => (await client.batches.retrieve(batch.id)).request_counts!.completed >= 2, 'Two rows')
    const cancelling = await client.batches.cancel(batch.id)
    assert.equal(cancelling.status, 'cancelling')
    assert.ok(cancelling.cancelling_at)
    const done = await ended(batch.id, client)
    assert.equal(done.status, 'cancelled')
    const output = await read(done.output_file_id, client)
    const errors = await read(done.error_file_id, client)
    assert.ok(output.length >= 2 && errors.length > 0)
    assert.ok(errors.every(one => one.response === null && one.error!.code === 'batch_cancelled'))
    assert.deepEqual(new Set([...output, ...errors].map(one => one.custom_id)).size, 200)
    assert.equal(done.request_counts!.completed, output.length)
    assert.deepEqual(await house.audit(), [])
    await assert.rejects(openai.batches.cancel(batch.id), NotFoundError)
    assert.equal((await client.batches.cancel(batch.id)).status, 'cancelled')
  })

  test('expired: what was not made in time is told as expired', async () => {
    const { testKey } = await house.newAccount({ testDollars: 10 })
    const client = openaiFor(testKey)
    const batch = await begin(Array.from({ length: 150 }, (_, index) => line(`row ${index}`, { ...small, prompt: `${index} ${index === 0 ? '' : 'sandbox:slow=3s'}` })), '/v1/images/generations', client)
    await until(async () => (await client.batches.retrieve(batch.id)).request_counts!.completed >= 1, 'One row')
    await house.database.query(`update batch set ends_by = now() where id = $1`, [batch.id.slice(6)])
    const done = await ended(batch.id, client)
    assert.equal(done.status, 'expired')
    const errors = await read(done.error_file_id, client)
    assert.ok(errors.some(one => one.error?.code === 'batch_expired'))
    assert.equal((await read(done.output_file_id, client)).length + errors.length, 150)
    assert.deepEqual(await house.audit(), [])
  })

  test('without money rows fail, and say so', async () => {
    const { testKey } = await house.newAccount({ testDollars: 0.001 })
    const client = openaiFor(testKey)
    const done = await ended((await begin(Array.from({ length: 6 }, (_, index) => line(`row ${index}`, { ...small, prompt: `${index}` })), '/v1/images/generations', client)).id, client)
    const errors = await read(done.error_file_id, client)
    assert.deepEqual([done.status, done.request_counts], ['completed', { total: 6, completed: 2, failed: 4 }])
    assert.ok(errors.every(one => one.response!.status_code === 429 && one.response!.body.error.code === 'insufficient_quota'))
    assert.deepEqual(await house.audit(), [])
  })

  test('with a key that was revoked nothing more is made', async () => {
    const { testKey, projectId } = await house.newAccount()
    const client = openaiFor(testKey)
    // More rows than may be in the making at once, so that some have to wait for the others.
    const lines = Array.from({ length: 150 }, (_, index) => line(`row ${index}`, { ...small, prompt: `${index} sandbox:slow=1s` }))
    const batch = await begin(lines, '/v1/images/generations', client)
    const batchId = batch.id.slice(6)
    await until(async () => await count('batch_row', `batch_id = $1 and state = 'making'`, [batchId]) > 0, 'A row in the making')
    await house.database.query('update api_key set revoked_at = now() where project_id = $1', [projectId])
    await until(async () => await count('batch', `id = $1 and state = 'done'`, [batchId]) === 1, 'The end')
    const refused = await count('batch_row', `batch_id = $1 and state = 'failed' and problem ->> 'code' = 'unauthorized' and task_id is null`, [batchId])
    const made = await count('batch_row', `batch_id = $1 and state = 'done' and task_id is not null`, [batchId])
    assert.ok(refused >= 22 && made > 0, `${refused} refused, ${made} made`)
    assert.equal(refused + made, 150)
    assert.deepEqual(await house.audit(), [])
  })

  test('the list is the project\'s own, and paged', async () => {
    const { testKey } = await house.newAccount()
    const client = openaiFor(testKey)
    const made: string[] = []
    for (let index = 0; index < 3; index++) made.push((await begin([line('a', { ...small, prompt: `${index}` })], '/v1/images/generations', client)).id)
    const seen: string[] = []
    for await (const batch of client.batches.list({ limit: 2 })) seen.push(batch.id)
    assert.deepEqual(seen, made.toReversed())
    await assert.rejects(openai.batches.retrieve(made[0]!), NotFoundError)
    await Promise.all(made.map(id => ended(id, client)))
  })

  test('sent twice it is one batch', async () => {
    const input_file_id = await upload([line('a', { ...small, prompt: 'a' })])
    const body = { input_file_id, endpoint: '/v1/images/generations' as Endpoint, completion_window: '24h' as const }
    const all = await Promise.all(Array.from({ length: 5 }, () => openai.batches.create(body, { headers: { 'idempotency-key': 'one batch' .replace(' ', '-') } })))
    assert.equal(new Set(all.map(batch => batch.id)).size, 1)
    await assert.rejects(openai.batches.create({ ...body, metadata: { other: 'yes' } }, { headers: { 'idempotency-key': 'one-batch' } }), UnprocessableEntityError)
    const retried = await ask('POST', '/v1/batches', body, { headers: { 'x-stainless-retry-count': '1' } })
    assert.deepEqual([retried.body.id, retried.headers.get('idempotent-replayed')], [all[0]!.id, 'true'])
    assert.notEqual((await openai.batches.create(body)).id, all[0]!.id)
    assert.equal((await ask('POST', '/v1/batches', body, { headers: { 'idempotency-key': 'k'.repeat(10_000) } })).status, 400)
  })

  test('films are rows too, and are fetched at their own address', async () => {
    const batch = await begin([line('film', { model: 'sora-2', prompt: 'waves', seconds: '4', size: '720x1280' }, '/v1/videos')], '/v1/videos')
    const done = await ended(batch.id)
    const [film] = await read(done.output_file_id)
    assert.equal(film?.response?.body.status, 'completed', JSON.stringify(await read(done.error_file_id)))
    assert.equal((await openai.videos.retrieve(film.response.body.id)).status, 'completed')
  })

  test('a pdf is no file of lines', async () => {
    const { id } = await openai.files.create({ file: await toFile(Buffer.from('%PDF-1.4'), 'a.pdf', { type: 'application/pdf' }), purpose: 'user_data' })
    await assert.rejects(openai.batches.create({ input_file_id: id, endpoint: '/v1/responses', completion_window: '24h' }), BadRequestError)
  })
})

// Gemini --------------------------------------------------------------------------------------------------------------

const model = 'gemini-3.1-flash-image'
const contents = (text: string) => [{ role: 'user', parts: [{ text }] }]
const generationConfig = { imageConfig: { imageSize: '512' } }
const request = (text: string) => ({ contents: contents(text), generationConfig })
/** The client knows an inline request's settings as `config`, and writes them where generateContent has them. */
const inlined = (text: string, metadata: Record<string, string>) => ({ contents: contents(text), metadata, config: generationConfig })
const over = (name: string) => until(async () => {
  const job = await google.batches.get({ name })
  return job.endTime ? job : null
}, `The end of ${name}`)

describe('@google/genai', () => {
  test('requests that come along: their answers are in the batch', async () => {
    const job = await google.batches.create({ model, src: [inlined('a mug', { key: 'row-1', shop: '7' }), inlined('x sandbox:fail=501', { key: 'row-2' }), inlined('x sandbox:moderation', { key: 'row-3' })], config: { displayName: 'catalogue' } })
    assert.match(job.name!, /^batches\/[0-9a-f]{32}$/)
    assert.deepEqual([job.displayName, job.model, job.state], ['catalogue', `models/${model}`, JobState.JOB_STATE_PENDING])
    const done = await over(job.name!)
    assert.equal(done.state, JobState.JOB_STATE_SUCCEEDED)
    const answers = done.dest!.inlinedResponses!
    assert.deepEqual(answers.map(one => one.metadata), [{ key: 'row-1', shop: '7' }, { key: 'row-2' }, { key: 'row-3' }])
    const part = answers[0]!.response!.candidates![0]!.content!.parts!.find(one => one.inlineData)!
    assert.equal(await measure(part.inlineData!.data!), '512x512 png')
    assert.deepEqual([answers[1]!.response, answers[1]!.error!.code], [undefined, 12])
    assert.equal(answers[2]!.response!.promptFeedback!.blockReason, 'SAFETY')
    const { body } = await ask('GET', `/v1beta/${job.name}`)
    assert.deepEqual(body.metadata.batchStats, { requestCount: '3', successfulRequestCount: '2', failedRequestCount: '1', pendingRequestCount: '0' })
    assert.deepEqual([body.done, body.metadata.state], [true, 'BATCH_STATE_SUCCEEDED'])
    // What lies behind it is nobody's file.
    assert.equal((await openai.files.list()).data.some(file => (file.purpose as string) === 'internal'), false)
  })

  test('a file of lines: its answers are a file', async () => {
    const lines = [JSON.stringify({ key: 'one', request: request('a mug') }), '', 'not json', JSON.stringify({ key: 'two', request: { contents: [] } }), JSON.stringify({ key: 'three', request: request('a jug') })].join('\n')
    const file = await google.files.upload({ file: new Blob([lines]), config: { mimeType: 'application/jsonl' } })
    const job = await google.batches.create({ model, src: file.name!, config: { displayName: 'from a file' } })
    const done = await over(job.name!)
    assert.equal(done.state, JobState.JOB_STATE_SUCCEEDED)
    const { text, status } = await ask('GET', `/v1beta/${done.dest!.fileName}:download?alt=media`)
    assert.equal(status, 200)
    const results = text.trimEnd().split('\n').map(one => JSON.parse(one))
    assert.deepEqual(results.map(one => [one.key, one.error?.code ?? null]), [['one', null], [undefined, 3], ['two', 3], ['three', null]])
    assert.equal(await measure(results[3].response.candidates[0].content.parts.find((one: any) => one.inlineData).inlineData.data), '512x512 png')
  })

  test('listed, cancelled, deleted', async () => {
    const job = await google.batches.create({ model, src: Array.from({ length: 150 }, (_, index) => inlined(`${index} sandbox:slow=500ms`, { key: String(index) })) })
    await google.batches.cancel({ name: job.name! })
    await assert.rejects(google.batches.delete({ name: job.name! }), (error: unknown) => error instanceof ApiError && error.status === 409)
    const done = await over(job.name!)
    assert.equal(done.state, JobState.JOB_STATE_CANCELLED)
    assert.equal(done.dest!.inlinedResponses!.length, 150)
    assert.ok(done.dest!.inlinedResponses!.some(one => one.error?.code === 1))
    const names: (string | undefined)[] = []
    for await (const one of await google.batches.list({ config: { pageSize: 2 } })) names.push(one.name)
    assert.ok(names.includes(job.name))
    await google.batches.delete({ name: job.name! })
    await assert.rejects(google.batches.get({ name: job.name! }), (error: unknown) => error instanceof ApiError && error.status === 404)
    assert.deepEqual(await house.audit(), [])
  })

  test('snake case, and pictures of megabytes', async () => {
    const noise = await sharp({ create: { width: 400, height: 400, channels: 3, background: '#808080', noise: { type: 'gaussian', mean: 128, sigma: 60 } } }).png().toBuffer()
    const row = { request: { contents: [{ parts: [{ text: 'bluer' }, { inline_data: { mime_type: 'image/png', data: noise.toString('base64') } }] }], generation_config: { image_config: { image_size: '512' } } }, metadata: { key: 'a' } }
    const { body, status } = await ask('POST', `/v1beta/models/${model}:batchGenerateContent`, { batch: { display_name: 'snake', input_config: { requests: { requests: [row, row] } } } })
    assert.equal(status, 200, JSON.stringify(body))
    const done = await over(body.name)
    for (const one of done.dest!.inlinedResponses!) assert.equal(await measure(one.response!.candidates![0]!.content!.parts!.find(part => part.inlineData)!.inlineData!.data!), '512x512 png')
  })
})

// Anthropic -----------------------------------------------------------------------------------------------------------

const params = (content: Anthropic.MessageParam['content'], more: object = {}) => ({ model, max_tokens: 1_000, messages: [{ role: 'user' as const, content }], image: { size: '512' }, ...more }) as Anthropic.MessageCreateParamsNonStreaming
const finished = (id: string, client = anthropic) => until(async () => {
  const batch = await client.messages.batches.retrieve(id)
  return batch.processing_status === 'ended' ? batch : null
}, `The end of ${id}`)
async function resultsOf(id: string, client = anthropic) {
  const results: any[] = []
  for await (const one of await client.messages.batches.results(id)) results.push(one)
  return results
}

describe('@anthropic-ai/sdk', () => {
  test('messages: made, followed, their results read', async () => {
    const batch = await anthropic.messages.batches.create({ requests: [
      { custom_id: 'a', params: params('a mug') }, { custom_id: 'b', params: params('x sandbox:moderation') }, { custom_id: 'c', params: params('x', { model: 'no-such-model' }) },
      { custom_id: 'd', params: params([{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: (await photo()).toString('base64') } }, { type: 'text', text: 'bluer' }]) },
      { custom_id: 'e', params: params('x', { stream: true }) },
    ] })
    assert.match(batch.id, /^msgbatch_[0-9a-f]{32}$/)
    assert.deepEqual([batch.type, batch.processing_status, batch.results_url, batch.ended_at], ['message_batch', 'in_progress', null, null])
    assert.deepEqual(batch.request_counts, { processing: 5, succeeded: 0, errored: 0, canceled: 0, expired: 0 })
    const done = await finished(batch.id)
    assert.deepEqual(done.request_counts, { processing: 0, succeeded: 3, errored: 2, canceled: 0, expired: 0 })
    const results = await resultsOf(batch.id)
    assert.deepEqual(results.map(one => [one.custom_id, one.result.type]), [['a', 'succeeded'], ['b', 'succeeded'], ['c', 'errored'], ['d', 'succeeded'], ['e', 'errored']])
    assert.equal(await measure(results[0].result.message.content.find((block: any) => block.type === 'image').source.data), '512x512 png')
    assert.equal(results[1].result.message.stop_reason, 'refusal')
    assert.deepEqual([results[2].result.error.type, results[2].result.error.error.type], ['error', 'not_found_error'])
  })

  test('listed in both directions, cancelled, deleted', async () => {
    const { testKey } = await house.newAccount({ testDollars: 100 })
    const client = anthropicFor(testKey)
    const batch = await client.messages.batches.create({ requests: Array.from({ length: 150 }, (_, index) => ({ custom_id: `r${index}`, params: params(`${index} sandbox:slow=500ms`) })) })
    const cancelling = await client.messages.batches.cancel(batch.id)
    assert.equal(cancelling.processing_status, 'canceling')
    await assert.rejects(client.messages.batches.delete(batch.id), AnthropicBadRequest)
    const done = await finished(batch.id, client)
    assert.ok(done.request_counts.canceled > 0)
    assert.ok(done.cancel_initiated_at && done.ended_at)
    assert.equal((await resultsOf(batch.id, client)).length, 150)
    const more: string[] = [batch.id]
    for (let index = 0; index < 2; index++) more.push((await client.messages.batches.create({ requests: [{ custom_id: 'a', params: params('a') }] })).id)
    const seen: string[] = []
    for await (const one of client.messages.batches.list({ limit: 2 })) seen.push(one.id)
    assert.deepEqual(seen, more.toReversed())
    assert.deepEqual((await client.messages.batches.list({ limit: 1, before_id: more[0]! })).data.map(one => one.id), [more[1]])
    await finished(more[1]!, client)
    assert.deepEqual(await client.messages.batches.delete(more[1]!).then(({ id, type }) => [id, type]), [more[1], 'message_batch_deleted'])
    await assert.rejects(client.messages.batches.retrieve(more[1]!), AnthropicNotFound)
    await assert.rejects(anthropic.messages.batches.retrieve(more[2]!), AnthropicNotFound)
    await finished(more[2]!, client)
    assert.deepEqual(await house.audit(), [])
  })
})

// What it costs -------------------------------------------------------------------------------------------------------

test('who sells batches for half says so on the card, and a batch at any door is held and charged by it; a call by itself is not', async t => {
  const cards = await mkdtemp(join(tmpdir(), 'plantain-half-'))
  t.after(() => rm(cards, { recursive: true, force: true }))
  const rows = [{ when: { priority: 'interactive' }, micros: 40_000, per: 'image' }, { when: { priority: 'batch' }, micros: 20_000, per: 'image' }]
  for (const name of ['nano-banana-2', 'gpt-image-2']) await writeFile(join(cards, `${name}.json`), JSON.stringify({ extends: name, prices: [{ from: '2026-01-01', source: 'Half for who can wait', rows }] }))
  const cheap = await testHouse({ settings: { PLANTAIN_CARDS: cards } })
  t.after(() => cheap.close())
  const [openai, google, anthropic] = [
    new OpenAI({ apiKey: cheap.testKey, baseURL: `${cheap.url}/v1`, maxRetries: 0 }), new GoogleGenAI({ apiKey: cheap.testKey, httpOptions: { baseUrl: cheap.url } }), new Anthropic({ apiKey: cheap.testKey, baseURL: cheap.url, maxRetries: 0 }),
  ]
  const contents = [{ role: 'user', parts: [{ text: 'alone' }] }]
  const alone = await google.models.generateContent({ model, contents, config: { imageConfig: { imageSize: '512' } } })
  assert.equal(alone.sdkHttpResponse!.headers!['x-cost-usd'], '0.04')

  const ofOpenai = await begin([line('a', { ...small, prompt: 'at openai', n: 2 })], '/v1/images/generations', openai)
  const ofGoogle = await google.batches.create({ model, src: [{ contents: [{ role: 'user', parts: [{ text: 'at gemini' }] }], config: { imageConfig: { imageSize: '512' } } }] })
  const ofAnthropic = await anthropic.messages.batches.create({ requests: [{ custom_id: 'a', params: params('at anthropic') }] })
  await ended(ofOpenai.id, openai)
  await finished(ofAnthropic.id, anthropic)
  await until(async () => (await google.batches.get({ name: ofGoogle.name! })).endTime, 'The end of the batch at Gemini')
  const { rows: tasks } = await cheap.database.query<{ prompt: string; priority: string; price: number; charged: number }>('select prompt, priority, price_micros as price, charged_micros as charged from task order by prompt')
  assert.deepEqual(tasks.map(({ prompt, priority, price, charged }) => [prompt, priority, price, charged]), [
    ['alone', 'interactive', 40_000, 40_000], ['at anthropic', 'batch', 20_000, 20_000], ['at gemini', 'batch', 20_000, 20_000], ['at openai', 'batch', 40_000, 40_000],
  ])
  assert.deepEqual(await cheap.audit(), [])
})

// Told no -------------------------------------------------------------------------------------------------------------

const id = '0193f1c2a4b57c3d8e9f001122334455'
const asAnthropic = { 'anthropic-version': '2023-06-01' }
const geminiBatch = `/v1beta/models/${model}:batchGenerateContent`
const openaiBody = { input_file_id: `file-${id}`, endpoint: '/v1/images/generations', completion_window: '24h' }
const good = { custom_id: 'a', params: { model, max_tokens: 1, messages: [{ role: 'user', content: 'x' }] } }

type Bad = [name: string, status: number, method: string, path: string, body?: unknown, headers?: Record<string, string>]
const badInputs: Bad[] = [
  ['no body', 400, 'POST', '/v1/batches'],
  ['a list', 400, 'POST', '/v1/batches', []],
  ['no JSON', 400, 'POST', '/v1/batches', '{'],
  ['no file', 400, 'POST', '/v1/batches', { ...openaiBody, input_file_id: undefined }],
  ['a file of a number', 400, 'POST', '/v1/batches', { ...openaiBody, input_file_id: 7 }],
  ['a file nobody has', 404, 'POST', '/v1/batches', openaiBody],
  ['no endpoint', 400, 'POST', '/v1/batches', { ...openaiBody, endpoint: undefined }],
  ['an endpoint of talk', 400, 'POST', '/v1/batches', { ...openaiBody, endpoint: '/v1/embeddings' }],
  ['an endpoint of the prototype', 400, 'POST', '/v1/batches', { ...openaiBody, endpoint: 'constructor' }],
  ['no window', 400, 'POST', '/v1/batches', { ...openaiBody, completion_window: undefined }],
  ['a window of an hour', 400, 'POST', '/v1/batches', { ...openaiBody, completion_window: '1h' }],
  ['metadata as text', 400, 'POST', '/v1/batches', { ...openaiBody, metadata: 'x' }],
  ['metadata of numbers', 400, 'POST', '/v1/batches', { ...openaiBody, metadata: { a: 1 } }],
  ['metadata of many', 400, 'POST', '/v1/batches', { ...openaiBody, metadata: Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, 'v'])) }],
  ['metadata with a long key', 400, 'POST', '/v1/batches', { ...openaiBody, metadata: { ['k'.repeat(65)]: 'v' } }],
  ['metadata with a long value', 400, 'POST', '/v1/batches', { ...openaiBody, metadata: { k: 'v'.repeat(513) } }],
  ['results that go at once', 400, 'POST', '/v1/batches', { ...openaiBody, output_expires_after: { anchor: 'created_at', seconds: 1 } }],
  ['results counted from elsewhere', 400, 'POST', '/v1/batches', { ...openaiBody, output_expires_after: { anchor: 'now', seconds: 3_600 } }],
  ['a field nobody knows', 400, 'POST', '/v1/batches', { ...openaiBody, colour: 'red' }],
  ['a limit of none', 400, 'GET', '/v1/batches?limit=0'],
  ['a limit of many', 400, 'GET', '/v1/batches?limit=101'],
  ['after nothing', 404, 'GET', '/v1/batches?after=x'],
  ['a batch nobody has', 404, 'GET', `/v1/batches/batch_${id}`],
  ['no batch', 404, 'GET', '/v1/batches/x'],
  ['cancelling nothing', 404, 'POST', `/v1/batches/batch_${id}/cancel`],
  ['gemini: no body', 400, 'POST', geminiBatch],
  ['gemini: no JSON', 400, 'POST', geminiBatch, '{"batch":{"inputConfig":{"requests":{"requests":[{}'],
  ['gemini: nothing in it', 400, 'POST', geminiBatch, {}],
  ['gemini: no input', 400, 'POST', geminiBatch, { batch: {} }],
  ['gemini: both inputs', 400, 'POST', geminiBatch, { batch: { inputConfig: { fileName: 'files/x', requests: { requests: [] } } } }],
  ['gemini: no requests', 400, 'POST', geminiBatch, { batch: { inputConfig: { requests: { requests: [] } } } }],
  ['gemini: requests that are no list', 400, 'POST', geminiBatch, { batch: { inputConfig: { requests: { requests: {} } } } }],
  ['gemini: a comma too many', 400, 'POST', geminiBatch, '{"batch":{"inputConfig":{"requests":{"requests":[{},,{}]}}}}'],
  ['gemini: a row without a request', 400, 'POST', geminiBatch, { batch: { inputConfig: { requests: { requests: [{ metadata: {} }] } } } }],
  ['gemini: a row that is a number', 400, 'POST', geminiBatch, { batch: { inputConfig: { requests: { requests: [7] } } } }],
  ['gemini: a row of an unknown field', 400, 'POST', geminiBatch, { batch: { inputConfig: { requests: { requests: [{ request: {}, colour: 'red' }] } } } }],
  ['gemini: a row for another model', 400, 'POST', geminiBatch, { batch: { inputConfig: { requests: { requests: [{ request: { model: 'models/other' } }] } } } }],
  ['gemini: metadata as text', 400, 'POST', geminiBatch, { batch: { inputConfig: { requests: { requests: [{ request: {}, metadata: 'x' }] } } } }],
  ['gemini: a file nobody has', 404, 'POST', geminiBatch, { batch: { inputConfig: { fileName: `files/${id}` } } }],
  ['gemini: a file of a number', 400, 'POST', geminiBatch, { batch: { inputConfig: { fileName: 7 } } }],
  ['gemini: a call back', 400, 'POST', geminiBatch, { batch: { webhookConfig: { uris: ['https://a.example'] }, inputConfig: { requests: { requests: [{ request: {} }] } } } }],
  ['gemini: a long name', 400, 'POST', geminiBatch, { batch: { displayName: 'x'.repeat(513), inputConfig: { requests: { requests: [{ request: {} }] } } } }],
  ['gemini: an unknown field', 400, 'POST', geminiBatch, { batch: { colour: 'red', inputConfig: { requests: { requests: [{ request: {} }] } } } }],
  ['gemini: an unknown model', 404, 'POST', '/v1beta/models/nothing:batchGenerateContent', { batch: {} }],
  ['gemini: a model of films', 404, 'POST', '/v1beta/models/veo-3.1-generate-preview:batchGenerateContent', { batch: {} }],
  ['gemini: a form', 400, 'POST', geminiBatch, 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }],
  ['gemini: a page size in words', 400, 'GET', '/v1beta/batches?pageSize=x'],
  ['gemini: a page nobody gave', 400, 'GET', '/v1beta/batches?pageToken=x'],
  ['gemini: a batch nobody has', 404, 'GET', `/v1beta/batches/${id}`],
  ['gemini: cancelling nothing', 404, 'POST', `/v1beta/batches/${id}:cancel`],
  ['gemini: deleting nothing', 404, 'DELETE', `/v1beta/batches/x`],
  ['anthropic: no body', 400, 'POST', '/v1/messages/batches', undefined, asAnthropic],
  ['anthropic: no JSON', 400, 'POST', '/v1/messages/batches', 'hello', asAnthropic],
  ['anthropic: a list', 400, 'POST', '/v1/messages/batches', [good], asAnthropic],
  ['anthropic: a form', 400, 'POST', '/v1/messages/batches', 'a=b', { ...asAnthropic, 'content-type': 'application/x-www-form-urlencoded' }],
  ['anthropic: compressed', 400, 'POST', '/v1/messages/batches', 'x', { ...asAnthropic, 'content-encoding': 'gzip' }],
  ['anthropic: requests of nothing', 400, 'POST', '/v1/messages/batches', { requests: null }, asAnthropic],
  ['anthropic: requests twice', 400, 'POST', '/v1/messages/batches', '{"requests":[],"requests":[]}', asAnthropic],
  ['anthropic: a comma too many', 400, 'POST', '/v1/messages/batches', '{"requests":[{},,{}]}', asAnthropic],
  ['anthropic: more behind the end', 400, 'POST', '/v1/messages/batches', `${JSON.stringify({ requests: [good] })}x`, asAnthropic],
  ['anthropic: a request that is a list', 400, 'POST', '/v1/messages/batches', { requests: [[good]] }, asAnthropic],
  ['anthropic: a request of nothing', 400, 'POST', '/v1/messages/batches', { requests: [null] }, asAnthropic],
  ['anthropic: the second request without its frame', 400, 'POST', '/v1/messages/batches', { requests: [good, {}] }, asAnthropic],
  ['anthropic: an empty custom_id', 400, 'POST', '/v1/messages/batches', { requests: [{ ...good, custom_id: '' }] }, asAnthropic],
  ['anthropic: a custom_id that is a number', 400, 'POST', '/v1/messages/batches', { requests: [{ ...good, custom_id: 7 }] }, asAnthropic],
  ['anthropic: params that are text', 400, 'POST', '/v1/messages/batches', { requests: [{ custom_id: 'a', params: 'x' }] }, asAnthropic],
  ['anthropic: params that are a list', 400, 'POST', '/v1/messages/batches', { requests: [{ custom_id: 'a', params: [] }] }, asAnthropic],
  ['anthropic: half of a surrogate pair', 400, 'POST', '/v1/messages/batches', '{"requests":[{"custom_id":"a","params":{"model":"\\ud800"}}]}', asAnthropic],
  ['anthropic: a hand on the prototype', 400, 'POST', '/v1/messages/batches', '{"requests":[{"custom_id":"a","params":{},"__proto__":{}}]}', asAnthropic],
  ['anthropic: a limit of many', 400, 'GET', '/v1/messages/batches?limit=1001', undefined, asAnthropic],
  ['anthropic: before nothing', 400, 'GET', '/v1/messages/batches?before_id=x', undefined, asAnthropic],
  ['anthropic: no batch', 404, 'GET', '/v1/messages/batches/x', undefined, asAnthropic],
  ['anthropic: results of no batch', 404, 'GET', '/v1/messages/batches/x/results', undefined, asAnthropic],
  ['anthropic: a method nobody knows', 405, 'PATCH', `/v1/messages/batches/msgbatch_${id}`, {}, asAnthropic],
  ['anthropic: no requests', 400, 'POST', '/v1/messages/batches', {}, asAnthropic],
  ['anthropic: an empty list', 400, 'POST', '/v1/messages/batches', { requests: [] }, asAnthropic],
  ['anthropic: no list', 400, 'POST', '/v1/messages/batches', { requests: 'x' }, asAnthropic],
  ['anthropic: half a list', 400, 'POST', '/v1/messages/batches', '{"requests":[{"custom_id":"a"', asAnthropic],
  ['anthropic: a request that is text', 400, 'POST', '/v1/messages/batches', { requests: ['x'] }, asAnthropic],
  ['anthropic: no custom_id', 400, 'POST', '/v1/messages/batches', { requests: [{ params: good.params }] }, asAnthropic],
  ['anthropic: a custom_id with a space', 400, 'POST', '/v1/messages/batches', { requests: [{ ...good, custom_id: 'a b' }] }, asAnthropic],
  ['anthropic: a long custom_id', 400, 'POST', '/v1/messages/batches', { requests: [{ ...good, custom_id: 'a'.repeat(65) }] }, asAnthropic],
  ['anthropic: a custom_id twice', 400, 'POST', '/v1/messages/batches', { requests: [good, good] }, asAnthropic],
  ['anthropic: no params', 400, 'POST', '/v1/messages/batches', { requests: [{ custom_id: 'a' }] }, asAnthropic],
  ['anthropic: a field too many', 400, 'POST', '/v1/messages/batches', { requests: [{ ...good, colour: 'red' }] }, asAnthropic],
  ['anthropic: a field too many outside', 400, 'POST', '/v1/messages/batches', { requests: [good], colour: 'red' }, asAnthropic],
  ['anthropic: a tool of nobody', 400, 'POST', '/v1/messages/batches', { requests: [good] }, { ...asAnthropic, 'x-image-output': 'tool' }],
  ['anthropic: an output of no kind', 400, 'POST', '/v1/messages/batches', { requests: [good] }, { ...asAnthropic, 'x-image-output': 'oil' }],
  ['anthropic: a key with a space', 400, 'POST', '/v1/messages/batches', { requests: [good] }, { ...asAnthropic, 'idempotency-key': 'a b' }],
  ['anthropic: a limit of none', 400, 'GET', '/v1/messages/batches?limit=0', undefined, asAnthropic],
  ['anthropic: after nothing', 400, 'GET', '/v1/messages/batches?after_id=x', undefined, asAnthropic],
  ['anthropic: a batch nobody has', 404, 'GET', `/v1/messages/batches/msgbatch_${id}`, undefined, asAnthropic],
  ['anthropic: results of nothing', 404, 'GET', `/v1/messages/batches/msgbatch_${id}/results`, undefined, asAnthropic],
  ['anthropic: cancelling nothing', 404, 'POST', `/v1/messages/batches/x/cancel`, undefined, asAnthropic],
  ['anthropic: deleting nothing', 404, 'DELETE', `/v1/messages/batches/msgbatch_${id}`, undefined, asAnthropic],
]

describe('told no', () => {
  for (const [name, status, method, path, body, headers] of badInputs) {
    test(`${name}: ${status}`, async () => {
      const before = [await count('batch'), await count('batch_row'), await count('task'), await count('ledger')]
      const answer = await ask(method, path, body, { headers: headers ?? {} })
      assert.equal(answer.status, status, answer.text.slice(0, 500))
      const message = answer.body?.error?.message
      assert.ok(typeof message === 'string' && message.length > 10, answer.text)
      assert.deepEqual([await count('batch'), await count('batch_row'), await count('task'), await count('ledger')], before)
    })
  }
})
