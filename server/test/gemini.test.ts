/** Gemini's door with its official clients, unmodified: pictures, edits, streams, films, interactions, and every way to be told no. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createGoogleGenerativeAI } from '@ai-sdk/google'
import { ApiError, GoogleGenAI, Modality, type Content, type GenerateContentParameters, type GenerateContentResponse, type Part } from '@google/genai'
import { APICallError, experimental_generateVideo, generateImage, generateText, NoImageGeneratedError, RetryError, streamText } from 'ai'
import * as fc from 'fast-check'
import sharp from 'sharp'
import { testHouse, type TestHouse } from './kit/house.ts'
import { draws } from './kit/chance.ts'

const model = 'gemini-3.1-flash-image'
const small = { imageConfig: { imageSize: '512' } }

let house: TestHouse
let ai: GoogleGenAI
let google: ReturnType<typeof createGoogleGenerativeAI>
const outside = await startOutside()

before(async () => {
  house = await testHouse()
  ai = client()
  google = createGoogleGenerativeAI({ baseURL: `${house.url}/v1beta`, apiKey: house.testKey })
})
after(async () => {
  await house?.close()
  await outside.close()
})

const client = (apiKey = house.testKey, httpOptions: object = {}) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl: house.url, ...httpOptions } })

interface Answer { status: number; headers: Headers; text: string; body: any }
type Asking = { key?: string | null; headers?: Record<string, string>; method?: string }

async function ask(path: string, body?: unknown, { key = house.testKey, headers = {}, method = body === undefined ? 'GET' : 'POST' }: Asking = {}): Promise<Answer> {
  const isRaw = typeof body === 'string' || body instanceof Uint8Array
  const response = await fetch(house.url + path, {
    method, headers: { ...(key === null ? {} : { 'x-goog-api-key': key }), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: isRaw ? body as NonNullable<RequestInit['body']> : JSON.stringify(body) }),
  })
  const text = await response.text()
  let parsed: unknown = null
  try { parsed = JSON.parse(text) } catch { /* Not every answer is JSON. */ }
  return { status: response.status, headers: response.headers, text, body: parsed }
}

const generate = (body: unknown, options: Asking & { as?: string } = {}) => ask(`/v1beta/models/${options.as ?? model}:generateContent`, body, options)
const words = (text: string, config: object = {}) => ({ contents: [{ parts: [{ text }] }], generationConfig: { ...small, ...config } })
const tokenOf = () => Math.random().toString(36).slice(2, 8)

const partsOf = (response: GenerateContentResponse, index = 0): Part[] => response.candidates?.[index]?.content?.parts ?? []
const picturesIn = (parts: Part[]) => parts.filter(part => part.inlineData && !part.thought)
async function measure(base64: string | undefined) {
  const { width, height, format } = await sharp(Buffer.from(base64!, 'base64')).metadata()
  return [width, height, format]
}
const photo = (width = 96, height = 64) => sharp({ create: { width, height, channels: 3, background: { r: 200, g: 60, b: 40 } } }).png().toBuffer()

async function nativeTask(id: string): Promise<any> {
  return (await (await fetch(`${house.url}/plantain/v1/tasks/${id}`, { headers: { authorization: `Bearer ${house.testKey}` } })).json())
}
const taskWith = async (prompt: string) => (await house.database.query<{ id: string; state: string }>('select id, state from task where prompt like $1 order by id', [`%${prompt}%`])).rows

async function until<T>(what: string, look: () => Promise<T | null | undefined | false>): Promise<T> {
  for (let looks = 0; looks < 4_800; looks++) {
    const found = await look()
    if (found) return found
    await pause(25)
  }
  throw new Error(`It does not come to this: ${what}.`)
}

/** Everything that may not change when the answer is no. Looked at once everything under way has ended. */
const traces = async () => {
  await until('all tasks ended', async () => (await house.database.query("select 1 from task where state not in ('done', 'failed', 'cancelled') limit 1")).rows.length === 0)
  const { rows } = await house.database.query<Record<string, number>>(`select
    (select count(*) from task)::int as tasks, (select count(*) from ledger)::int as rows, (select coalesce(sum(amount_micros), 0) from ledger)::bigint as money,
    (select count(*) from asset)::int as assets, (select count(*) from event)::int as events, (select count(*) from idempotency)::int as keys, (select count(*) from recent_call)::int as calls`)
  return rows[0]!
}

async function startOutside() {
  const heard: any[] = []
  const server = createServer(async (request, response) => {
    if (request.method === 'POST') {
      let body = ''
      for await (const chunk of request) body += chunk
      heard.push(JSON.parse(body))
      return response.end('{}')
    }
    if (request.url === '/photo.png') return response.setHeader('content-type', 'image/png').end(await photo(120, 80))
    if (request.url === '/page') return response.setHeader('content-type', 'image/png').end('<html>no picture</html>')
    response.statusCode = 404
    response.end()
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  return { heard, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => new Promise<void>(resolve => { server.closeAllConnections(); server.close(() => resolve()) }) }
}

// generateContent -----------------------------------------------------------------------------------------------------

test('from words to a picture and words', async () => {
  const response = await ai.models.generateContent({ model, contents: 'a red kite over a grey sea', config: { imageConfig: { aspectRatio: '16:9', imageSize: '512' } } })
  const [text, picture] = partsOf(response)
  assert.ok(text!.text!.length > 3 && text!.thoughtSignature)
  assert.deepEqual(await measure(picture!.inlineData!.data), [688, 384, 'png'])
  assert.deepEqual([response.candidates![0]!.finishReason, response.modelVersion], ['STOP', model])
  const usage = response.usageMetadata!
  assert.equal(usage.totalTokenCount, usage.promptTokenCount! + usage.candidatesTokenCount!)
  assert.deepEqual(usage.candidatesTokensDetails!.find(({ modality }) => modality === 'IMAGE')!.tokenCount, 747)
  const task = await nativeTask(response.responseId!)
  assert.deepEqual([task.state, task.model, task.model_asked, task.outputs.length], ['done', 'nano-banana-2', model, 1])
})

const ratios = { '1:1': [512, 512], '2:3': [424, 632], '3:2': [632, 424], '3:4': [448, 600], '4:3': [600, 448], '4:5': [464, 576], '5:4': [576, 464], '9:16': [384, 688], '16:9': [688, 384], '21:9': [792, 336], '1:4': [256, 1024], '4:1': [1024, 256], '1:8': [192, 1536], '8:1': [1536, 192] }
test('every ratio at 512', async () => {
  await Promise.all(Object.entries(ratios).map(async ([aspectRatio, [width, height]]) => {
    const response = await ai.models.generateContent({ model, contents: 'a mug', config: { responseModalities: [Modality.IMAGE], imageConfig: { aspectRatio, imageSize: '512' } } })
    assert.deepEqual(await measure(response.data), [width, height, 'png'], aspectRatio)
  }))
})
test('the other sizes', async () => {
  const response = await ai.models.generateContent({ model, contents: 'a mug', config: { responseModalities: [Modality.IMAGE], imageConfig: { imageSize: '1K' } } })
  assert.deepEqual(await measure(response.data), [1024, 1024, 'png'])
  // The largest are ordered and come to nothing: what counts here is that they are understood.
  for (const [imageSize, side] of [['2K', 2_048], ['4K', 4_096]] as const) {
    const { headers } = await generate(words('a mug sandbox:fail=500', { imageConfig: { imageSize } }))
    const { rows: [row] } = await house.database.query<{ width: number; height: number }>('select width, height from task where id = $1', [headers.get('x-task-id')])
    assert.deepEqual([row!.width, row!.height], [side, side])
  }
})
test('the newer form: JPEG behind a link', async () => {
  const { status, body } = await generate({ contents: [{ parts: [{ text: 'a mug' }] }], generation_config: { response_format: { image: { aspect_ratio: 'ASPECT_RATIO_FOUR_BY_ONE', image_size: 'IMAGE_SIZE_FIVE_TWELVE', mime_type: 'image/jpeg', delivery: 'URI' } } } })
  assert.equal(status, 200)
  const { fileData } = body.candidates[0].content.parts.at(-1)
  assert.equal(fileData.mimeType, 'image/jpeg')
  const { width, height } = await sharp(Buffer.from(await (await fetch(fileData.fileUri)).arrayBuffer())).metadata()
  assert.deepEqual([width, height], [1024, 256])
})

test('a photo is edited, as the client and as curl send it', async () => {
  const data = (await photo()).toString('base64')
  const response = await ai.models.generateContent({ model, contents: [{ text: 'make it blue' }, { inlineData: { mimeType: 'image/png', data } }], config: small })
  const task = await nativeTask(response.responseId!)
  assert.deepEqual([task.operation, task.inputs.length, task.prompt], ['edit', 1, 'make it blue'])
  assert.deepEqual((await measure(picturesIn(partsOf(response))[0]!.inlineData!.data)).slice(0, 2), [632, 424])

  const raw = await generate({ contents: [{ parts: [{ text: 'make it green' }, { inline_data: { mime_type: 'image/png', data } }] }], generation_config: { response_modalities: ['IMAGE'], image_config: { image_size: '0.5K', aspect_ratio: '1:1' } } })
  assert.equal(raw.status, 200)
  assert.deepEqual(raw.body.candidates[0].content.parts.map((part: object) => Object.keys(part)[0]), ['inlineData'])
})
test('a photo of several megabytes goes in and comes out whole', async () => {
  const big = await sharp({ create: { width: 1_600, height: 1_200, channels: 3, background: '#888', noise: { type: 'gaussian', mean: 128, sigma: 40 } } }).png().toBuffer()
  assert.ok(big.length > 3_000_000)
  const response = await ai.models.generateContent({ model, contents: [{ text: 'make it warmer' }, { inlineData: { mimeType: 'image/png', data: big.toString('base64') } }], config: small })
  assert.deepEqual((await measure(picturesIn(partsOf(response))[0]!.inlineData!.data)).slice(0, 2), [600, 448])
})
test('pictures come by link, ours and others\'', async () => {
  const first = await generate(words('a boat', { responseFormat: { image: { delivery: 'URI' } } }))
  const fileUri = first.body.candidates[0].content.parts.at(-1).fileData.fileUri as string
  const before = await traces()
  const response = await ai.models.generateContent({ model, contents: [{ fileData: { fileUri, mimeType: 'image/png' } }, { fileData: { fileUri: `${outside.url}/photo.png`, mimeType: 'image/png' } }, { text: 'put them together' }], config: small })
  assert.equal((await nativeTask(response.responseId!)).inputs.length, 2)
  // One came in from outside, one was made.
  assert.equal((await traces()).assets, before.assets! + 2)
})

test('a conversation: signatures come back as they went out, and the picture is not taken in again', async () => {
  const chat = ai.chats.create({ model, config: small })
  const first = await chat.sendMessage({ message: 'a white mug on a table' })
  const signature = picturesIn(partsOf(first))[0]!.thoughtSignature
  assert.ok(signature)
  const before = await traces()
  const second = await chat.sendMessage({ message: 'make the background blue' })
  assert.equal(picturesIn(chat.getHistory()[1]!.parts!)[0]!.thoughtSignature, signature)
  const [one, two] = [await nativeTask(first.responseId!), await nativeTask(second.responseId!)]
  assert.deepEqual([two.operation, two.prompt, two.inputs], ['edit', 'make the background blue', [{ asset: one.outputs[0].id, role: 'reference' }]])
  assert.equal((await traces()).assets, before.assets! + 1)
})
test('another picture under a signature of ours is the one that counts', async () => {
  const first = await ai.models.generateContent({ model, contents: 'a mug', config: small })
  const part = picturesIn(partsOf(first))[0]!
  const history: Content[] = [{ role: 'user', parts: [{ text: 'a mug' }] }, { role: 'model', parts: [{ ...part, inlineData: { mimeType: 'image/png', data: (await photo(50, 90)).toString('base64') } }] }, { role: 'user', parts: [{ text: 'blue' }] }]
  const second = await nativeTask((await ai.models.generateContent({ model, contents: history, config: small })).responseId!)
  assert.notEqual(second.inputs[0].asset, (await nativeTask(first.responseId!)).outputs[0].id)
})
test('signatures of others are taken as they are', async () => {
  const data = (await photo()).toString('base64')
  const { body } = await generate({ contents: [{ role: 'model', parts: [{ inlineData: { mimeType: 'image/png', data }, thoughtSignature: 'RW9DQzEyMw==' }] }, { role: 'user', parts: [{ text: 'blue' }] }], generationConfig: small })
  const { rows: [row] } = await house.database.query<{ wire: any }>('select wire from task where id = $1', [body.responseId])
  assert.deepEqual(row!.wire.body.signatures, ['RW9DQzEyMw=='])
})

test('several candidates, and one that did not come', async () => {
  const response = await ai.models.generateContent({ model, contents: 'a mug', config: { ...small, candidateCount: 3, seed: 7, responseModalities: [Modality.IMAGE] } })
  assert.deepEqual(response.candidates!.map(({ index, finishReason }) => [index, finishReason]), [[0, 'STOP'], [1, 'STOP'], [2, 'STOP']])
  assert.equal(new Set(response.candidates!.map(({ content }) => content!.parts![0]!.inlineData!.data)).size, 3)
  const partial = await ai.models.generateContent({ model, contents: 'a mug sandbox:partial', config: { ...small, candidateCount: 3 } })
  assert.deepEqual(partial.candidates!.map(({ finishReason }) => finishReason), ['STOP', 'STOP', 'IMAGE_OTHER'])
})

test('Google Search: a test key is told in the answer and on the task, and there is no grounding', async () => {
  const response = await ai.models.generateContent({ model, contents: 'a mug', config: { ...small, tools: [{ googleSearch: {} }] } })
  assert.deepEqual([response.candidates![0]!.groundingMetadata, response.candidates![0]!.finishReason], [undefined, 'STOP'])
  assert.match(response.sdkHttpResponse!.headers!['x-warnings']!, /not available under a test key/)
  assert.match((await nativeTask(response.responseId!)).warnings.join(' '), /Google Search is not available under a test key/)
  // The client keeps `finishMessage` from its caller; whoever reads the body finds it.
  const body = { contents: [{ parts: [{ text: 'a mug' }] }], tools: [{ google_search: {} }], generation_config: { image_config: { image_size: '512' } } }
  const whole = (await ask(`/v1beta/models/${model}:generateContent`, body)).body
  const chunks = (await ask(`/v1beta/models/${model}:streamGenerateContent`, body)).body
  for (const { candidates: [{ finishReason, finishMessage }] } of [whole, chunks.at(-1)]) {
    assert.equal(finishReason, 'STOP')
    assert.match(finishMessage, /not available under a test key/)
  }
})

test('content that is refused is an answer, not an error', async () => {
  const response = await ai.models.generateContent({ model, contents: 'a mug sandbox:moderation', config: small })
  assert.deepEqual([response.candidates, response.promptFeedback!.blockReason], [undefined, 'SAFETY'])
  assert.ok(response.promptFeedback!.blockReasonMessage && response.usageMetadata!.promptTokenCount)
  const task = await nativeTask(response.responseId!)
  assert.deepEqual([task.state, task.cost.micros], ['failed', 0])
})

test('the same Idempotency-Key gives the same picture and buys it once', async () => {
  const key = { 'idempotency-key': 'gemini-once' }
  const first = await generate(words('once'), { headers: key })
  const before = await traces()
  const again = await generate(words('once'), { headers: key })
  assert.deepEqual([again.body, again.headers.get('idempotent-replayed'), again.headers.get('x-task-id')], [first.body, 'true', first.body.responseId])
  const other = await generate(words('twice'), { headers: key })
  assert.deepEqual([other.status, other.body.error.status], [409, 'ALREADY_EXISTS'])
  assert.deepEqual(await traces(), before)
})

test('a live key reaches the upstream, once', async () => {
  const { status, body, headers } = await generate({ contents: [{ parts: [{ text: 'a mug' }] }] }, { as: 'rehearsal-1', key: house.liveKey })
  assert.equal(status, 200, JSON.stringify(body).slice(0, 300))
  assert.ok((await measure(body.candidates[0].content.parts.at(-1).inlineData.data))[0])
  const { rows: [row] } = await house.database.query<{ livemode: boolean; attempts: number; charged_micros: number }>('select livemode, attempts, charged_micros from task where id = $1', [headers.get('x-task-id')])
  assert.deepEqual([row!.livemode, row!.attempts, row!.charged_micros], [true, 1, 40_000])
})

// Streams -------------------------------------------------------------------------------------------------------------

test('a stream: drafts as thoughts, words, the picture whole, then reason and usage', async () => {
  const chunks: GenerateContentResponse[] = []
  for await (const chunk of await ai.models.generateContentStream({ model, contents: 'a red kite at night', config: { ...small, thinkingConfig: { includeThoughts: true } } })) chunks.push(chunk)
  const kinds = chunks.map(chunk => { const part = partsOf(chunk)[0]; return chunk.usageMetadata ? 'end' : !part ? 'nothing' : part.thought ? 'draft' : part.inlineData ? 'picture' : 'words' })
  assert.deepEqual(kinds.filter(kind => kind !== 'draft'), ['words', 'picture', 'end'])
  assert.ok(kinds.includes('draft') && kinds.lastIndexOf('draft') < kinds.indexOf('words'))
  for (const chunk of chunks) if (partsOf(chunk)[0]?.inlineData) assert.deepEqual((await measure(partsOf(chunk)[0]!.inlineData!.data)).slice(0, 2), [512, 512])
  assert.deepEqual([chunks.at(-1)!.candidates![0]!.finishReason, chunks.at(-1)!.usageMetadata!.totalTokenCount! > 0], ['STOP', true])
  assert.equal(new Set(chunks.map(({ responseId }) => responseId)).size, 1)
})
test('without alt=sse a stream is one JSON array', async () => {
  const { status, headers, body } = await ask(`/v1/models/${model}:streamGenerateContent`, words('a mug'))
  assert.deepEqual([status, headers.get('content-type'), Array.isArray(body)], [200, 'application/json; charset=utf-8', true])
  assert.equal(body.at(-1).candidates[0].finishReason, 'STOP')
  assert.match(headers.get('x-task-id')!, /^[0-9a-f]{32}$/)
})
test('a conversation in streams', async () => {
  const chat = ai.chats.create({ model, config: small })
  for await (const chunk of await chat.sendMessageStream({ message: 'a red boat' })) void chunk
  const chunks: GenerateContentResponse[] = []
  for await (const chunk of await chat.sendMessageStream({ message: 'make it night' })) chunks.push(chunk)
  const task = await nativeTask(chunks[0]!.responseId!)
  assert.deepEqual([task.operation, task.inputs.length], ['edit', 1])
})
test('what goes wrong under way is the client\'s own error', async () => {
  for (const [prompt, status] of [['a mug sandbox:fail=503', 503], ['a mug sandbox:bad_image', 500], ['a mug sandbox:lost', 400]] as const) {
    await assert.rejects(async () => { for await (const chunk of await ai.models.generateContentStream({ model, contents: prompt, config: small })) void chunk },
      (thrown: unknown) => thrown instanceof ApiError && thrown.status === status)
  }
  const { body } = await ask(`/v1beta/models/${model}:streamGenerateContent`, words('a mug sandbox:fail=503'))
  assert.deepEqual(body.map((chunk: any) => chunk.error?.status), ['UNAVAILABLE'])
})
test('a stream that is refused for its content says so in a chunk', async () => {
  const chunks: GenerateContentResponse[] = []
  for await (const chunk of await ai.models.generateContentStream({ model, contents: 'a mug sandbox:moderation', config: small })) chunks.push(chunk)
  assert.deepEqual(chunks.map(({ promptFeedback }) => promptFeedback?.blockReason), ['SAFETY'])
})

// Clients that leave, wait too short, or come back --------------------------------------------------------------------

test('a client that gives up loses nothing: the same call again gets the same picture', async () => {
  const mark = tokenOf()
  const call: GenerateContentParameters = { model, contents: `a mug ${mark} sandbox:slow=3s`, config: small }
  await assert.rejects(client(house.testKey, { timeout: 1_000 }).models.generateContent(call))
  await until('the house has noticed', async () => (await house.database.query('select 1 from recent_call c join task t on t.id = c.task_id where t.prompt like $1 and c.unanswered', [`%${mark}%`])).rows.length === 1)
  const response = await ai.models.generateContent(call)
  assert.equal(response.candidates![0]!.finishReason, 'STOP')
  assert.equal((await taskWith(mark)).length, 1)
})
test('abort in the middle of a stream: the task goes on, and the same call finds it', async () => {
  const mark = tokenOf()
  const call: GenerateContentParameters = { model, contents: `a mug ${mark} sandbox:slow=2s`, config: { ...small, responseModalities: [Modality.TEXT, Modality.IMAGE] } }
  const leave = new AbortController()
  const stream = await ai.models.generateContentStream({ ...call, config: { ...call.config, abortSignal: leave.signal } })
  const reading = (async () => { for await (const chunk of stream) void chunk })()
  leave.abort()
  await assert.rejects(reading)
  await until('the task is done', async () => (await taskWith(mark))[0]?.state === 'done')
  const [task] = await taskWith(mark)
  await until('the call is remembered', async () => (await house.database.query('select 1 from recent_call where task_id = $1 and unanswered', [task!.id])).rows.length === 1)
  let id: string | undefined
  for await (const chunk of await ai.models.generateContentStream(call)) id = chunk.responseId
  assert.equal(id?.replaceAll('-', ''), task!.id.replaceAll('-', ''))
  assert.equal((await taskWith(mark)).length, 1)
})
test('the client\'s own deadline is honoured, and the answer names the task', async () => {
  const mark = tokenOf()
  const body = words(`a mug ${mark} sandbox:slow=3s`)
  const late = await generate(body, { headers: { 'x-server-timeout': '0.4' } })
  assert.deepEqual([late.status, late.body.error.status], [504, 'DEADLINE_EXCEEDED'])
  const id = late.headers.get('x-task-id')!
  assert.ok(late.body.error.message.includes(id) && JSON.stringify(late.body.error.details).includes(id))
  const again = await generate(body)
  assert.deepEqual([again.status, again.headers.get('x-task-id'), again.headers.get('idempotent-replayed')], [200, id, 'true'])
})
test('two equal calls side by side are two pictures', async () => {
  const mark = tokenOf()
  await Promise.all([generate(words(`a mug ${mark}`)), generate(words(`a mug ${mark}`))])
  assert.equal((await taskWith(mark)).length, 2)
})
test('the client\'s retries: what may pass is tried again, what is final is not', async () => {
  const patient = client(house.testKey, { retryOptions: { attempts: 2 } })
  for (const [trigger, status, tries] of [['fail=503', 503, 2], ['lost', 400, 1]] as const) {
    const mark = tokenOf()
    await assert.rejects(patient.models.generateContent({ model, contents: `a mug ${mark} sandbox:${trigger}`, config: small }), (thrown: unknown) => thrown instanceof ApiError && thrown.status === status)
    assert.equal((await taskWith(mark)).length, tries, trigger)
  }
})

// Errors --------------------------------------------------------------------------------------------------------------

const rejectsWith = (status: number, name: string, call: () => Promise<unknown>) => assert.rejects(call, (thrown: unknown) => {
  assert.ok(thrown instanceof ApiError, String(thrown))
  const { error } = JSON.parse(thrown.message)
  assert.deepEqual([thrown.status, error.code, error.status], [status, status, name], thrown.message)
  assert.ok(error.message.length > 10 && Array.isArray(error.details))
  return true
})
describe('each error is the client\'s own', { concurrency: 8 }, () => {
  const call = (contents: string, options: Partial<GenerateContentParameters> = {}, by = () => ai) => () => by().models.generateContent({ model, contents, config: small, ...options })
  test('a wrong size', () => rejectsWith(400, 'INVALID_ARGUMENT', call('a mug', { model: 'gemini-nano-banana-2.1' })))
  test('a wrong key', () => rejectsWith(400, 'INVALID_ARGUMENT', call('a mug', {}, () => client('sk-test-nobodyhasthiskeynobodyhasthis'))))
  test('a model nobody knows', () => rejectsWith(404, 'NOT_FOUND', call('a mug', { model: 'gemini-nano-apple' })))
  test('credits', () => rejectsWith(400, 'FAILED_PRECONDITION', call('a mug sandbox:credits')))
  test('an upstream\'s 429', () => rejectsWith(429, 'RESOURCE_EXHAUSTED', call('a mug sandbox:fail=429')))
  test('an upstream\'s 500', () => rejectsWith(500, 'INTERNAL', call('a mug sandbox:fail=500')))
  test('an upstream\'s 501', () => rejectsWith(501, 'UNIMPLEMENTED', call('a mug sandbox:fail=501')))
  test('an upstream\'s 401 is not the caller\'s', () => rejectsWith(500, 'INTERNAL', call('a mug sandbox:fail=401')))
  test('an upstream too slow', () => rejectsWith(504, 'DEADLINE_EXCEEDED', call('a mug sandbox:timeout')))
  test('a link that expired', () => rejectsWith(500, 'INTERNAL', call('a mug sandbox:expired_url')))
  test('a key that may not', async () => {
    const { testKey } = await house.newAccount({ scopes: ['tasks:read'] })
    await rejectsWith(403, 'PERMISSION_DENIED', call('a mug', {}, () => client(testKey)))
  })
  test('too many requests', async () => {
    const { testKey } = await house.newAccount({ limits: { requestsPerMinute: 1 } })
    const limited = client(testKey)
    await limited.models.generateContent({ model, contents: 'a mug', config: small })
    await rejectsWith(429, 'RESOURCE_EXHAUSTED', call('a mug', {}, () => limited))
    const { headers, body } = await generate(words('a mug'), { key: testKey })
    const retry = body.error.details.find((detail: any) => detail['@type'].endsWith('RetryInfo'))
    assert.equal(`${headers.get('retry-after')}s`, retry.retryDelay)
    assert.ok(body.error.details.some((detail: any) => detail['@type'].endsWith('QuotaFailure')))
  })
  test('cancelled at another door while somebody waits', async () => {
    const mark = tokenOf()
    const waiting = rejectsWith(499, 'CANCELLED', call(`a mug ${mark} sandbox:slow=20s`))
    const id = await until('it is there', async () => (await taskWith(mark))[0]?.id)
    await fetch(`${house.url}/plantain/v1/tasks/${id}/cancel`, { method: 'POST', headers: { authorization: `Bearer ${house.testKey}` } })
    await waiting
  })
})

// AI SDK --------------------------------------------------------------------------------------------------------------

test('AI SDK: generateImage, with a ratio and with a picture', async () => {
  const { image, usage } = await generateImage({ model: google.image(model), prompt: 'a red kite', aspectRatio: '16:9', providerOptions: { google: { imageConfig: { imageSize: '512' } } } })
  assert.deepEqual(await measure(image.base64), [688, 384, 'png'])
  assert.ok(usage.totalTokens! > 0)
  const edited = await generateImage({ model: google.image('gemini-2.5-flash-image'), prompt: { text: 'make it green', images: [await photo()] } })
  assert.deepEqual((await measure(edited.image.base64)).slice(0, 2), [1248, 832])
})
test('AI SDK: generateText with a picture in it, and streamText', async () => {
  const providerOptions = { google: { responseModalities: ['TEXT', 'IMAGE'], imageConfig: { imageSize: '512', aspectRatio: '4:3' } } }
  const { text, files, finishReason, usage } = await generateText({ model: google(model), prompt: 'a red kite over the sea', providerOptions })
  assert.ok(text.length > 3 && usage.totalTokens! > 0)
  assert.deepEqual([finishReason, files.length, await measure(files[0]!.base64)], ['stop', 1, [600, 448, 'png']])
  const stream = streamText({ model: google(model), prompt: 'a red kite over the sea', providerOptions })
  await stream.consumeStream()
  assert.deepEqual([(await stream.files).length, await stream.finishReason], [1, 'stop'])
})
test('AI SDK: a refused prompt is no picture, once; an error is its own', async () => {
  const mark = tokenOf()
  await assert.rejects(generateImage({ model: google.image(model), prompt: `a mug ${mark} sandbox:moderation` }), NoImageGeneratedError.isInstance)
  assert.equal((await taskWith(mark)).length, 1)
  await assert.rejects(generateImage({ model: google.image('gemini-nano-banana-2.1'), prompt: 'a mug', providerOptions: { google: { imageConfig: { imageSize: '512' } } } }),
    (thrown: unknown) => APICallError.isInstance(thrown) && thrown.statusCode === 400 && /imageSize must be one of/.test(thrown.message))
})
test('AI SDK: what may pass is tried three times, as we said when', async () => {
  const mark = tokenOf()
  await assert.rejects(generateImage({ model: google.image(model), prompt: `a mug ${mark} sandbox:fail=503` }), RetryError.isInstance)
  assert.equal((await taskWith(mark)).length, 3)
  // A second each time is what `retry-after` says; by itself it would wait two and four. From the answer to the next call, whatever a making takes.
  const { rows: pauses } = await house.database.query<{ s: number }>(`select extract(epoch from lead(created_at) over (order by created_at) - ended_at)::float8 as s from task where prompt like $1 order by created_at`, [`%${mark}%`])
  assert.ok(pauses[0]!.s >= 0.9 && pauses[1]!.s >= 0.9 && pauses[1]!.s < 3.9, JSON.stringify(pauses))
})
test('AI SDK: a film, by way of an operation', async () => {
  let bytes = new Uint8Array()
  const { video } = await experimental_generateVideo({
    model: google.video('veo-3.1-lite-generate-preview'), prompt: 'a kite over dunes', duration: 4, resolution: '1280x720', aspectRatio: '16:9',
    poll: { intervalMs: 100 },
    // By itself it does not fetch from this machine.
    download: async ({ url }) => {
      const response = await fetch(url)
      bytes = new Uint8Array(await response.arrayBuffer())
      return { data: bytes, mediaType: response.headers.get('content-type') ?? undefined }
    },
  })
  assert.ok(video.uint8Array.length > 1_000)
  assert.ok((await sharp(bytes, { animated: true }).metadata()).pages! > 10)
})

// Imagen and Veo ------------------------------------------------------------------------------------------------------

test('Imagen: predict', async () => {
  const body = (prompt: string) => ({ instances: [{ prompt }], parameters: { sampleCount: 2, aspectRatio: '4:3', sampleImageSize: '1K', personGeneration: 'allow_adult', includeRaiReason: true, outputOptions: { mimeType: 'image/jpeg', compressionQuality: 80 } } })
  const { status, body: answer } = await ask('/v1beta/models/imagen-4.0-generate-001:predict', body('a mug'))
  assert.deepEqual([status, answer.predictions.length], [200, 2])
  for (const { mimeType, bytesBase64Encoded } of answer.predictions) assert.deepEqual([mimeType, (await measure(bytesBase64Encoded))[2]], ['image/jpeg', 'jpeg'])
  const blocked = await ask('/v1beta/models/imagen-4.0-generate-001:predict', body('a mug sandbox:moderation'))
  assert.deepEqual([blocked.status, blocked.body.predictions.length, typeof blocked.body.predictions[0].raiFilteredReason], [200, 1, 'string'])
})
test('Veo: predictLongRunning, the operation, the film', async () => {
  const frame = { bytesBase64Encoded: (await photo()).toString('base64'), mimeType: 'image/png' }
  const { status, body } = await ask('/v1beta/models/veo-3.1-generate-preview:predictLongRunning', {
    instances: [{ prompt: 'a kite over dunes', image: frame, lastFrame: frame, referenceImages: [{ image: frame, referenceType: 'asset' }] }],
    parameters: { durationSeconds: 4, aspectRatio: '9:16', resolution: '720p', negativePrompt: 'text', sampleCount: 1, seed: 4 },
  })
  assert.equal(status, 200)
  assert.match(body.name, /^models\/veo-3\.1-generate-preview\/operations\/[0-9a-f]{32}$/)
  const operation = await until('the film is there', async () => { const { body: one } = await ask(`/v1beta/${body.name}`); return one.done && one })
  const { uri } = operation.response.generateVideoResponse.generatedSamples[0].video
  assert.match(uri, /\/v1beta\/files\/[0-9a-f]{32}:download\?alt=media$/)
  assert.equal((await fetch(`${uri}&key=${house.testKey}`)).headers.get('content-type'), 'image/webp')
  assert.equal((await fetch(uri)).status, 401)
  const task = await nativeTask(body.name.split('/').at(-1))
  assert.deepEqual(task.inputs.map(({ role }: any) => role), ['first_frame', 'last_frame', 'reference'])

  // The official client fetches it by its link, in the folder it is told.
  const folder = await mkdtemp(join(tmpdir(), 'gemini-film-'))
  try {
    for (const file of [`files/${task.outputs[0].id}`, { uri } as never]) {
      await ai.files.download({ file, downloadPath: join(folder, 'film.webp') })
      assert.equal((await readFile(join(folder, 'film.webp'))).length, task.outputs[0].size_bytes)
    }
  } finally { await rm(folder, { recursive: true }) }
})
test('Veo: the one address that is called back hears of the end', async () => {
  const { body } = await ask('/v1beta/models/veo-3.1-lite-generate-preview:predictLongRunning', { instances: [{ prompt: 'a kite sandbox:fail=503' }], parameters: { durationSeconds: 4 }, webhookConfig: { uris: [`${outside.url}/hook`] } })
  const id = body.name.split('/').at(-1)
  const told = await until('it was told', async () => outside.heard.find(one => one.data?.id === id))
  assert.deepEqual([told.type, told.data.state], ['task.failed', 'failed'])
})
test('Veo: operations that were refused and that failed', async () => {
  const start = async (prompt: string) => {
    const { body } = await ask('/v1/models/veo-3.1-lite-generate-preview:predictLongRunning', { instances: [{ prompt }], parameters: { durationSeconds: 4 } })
    return until('it ended', async () => { const { body: one } = await ask(`/v1/${body.name}`); return one.done && one })
  }
  const { response } = await start('a kite sandbox:moderation')
  assert.deepEqual([response.generateVideoResponse.raiMediaFilteredCount, response.generateVideoResponse.generatedSamples], [1, undefined])
  const { error } = await start('a kite sandbox:fail=503')
  assert.deepEqual([error.code, error.status], [14, 'UNAVAILABLE'])
})

// Interactions --------------------------------------------------------------------------------------------------------

const image = { type: 'image', image_size: '512', aspect_ratio: '4:3' } as const
describe('Interactions', { concurrency: 4 }, () => {
  const create = (params: object): Promise<any> => ai.interactions.create({ model, response_format: image, ...params } as never) as Promise<any>

  test('a picture and words, and what it took', async () => {
    const made = await create({ input: 'a red kite' })
    assert.deepEqual([made.status, made.object, made.model], ['completed', 'interaction', model])
    assert.deepEqual(await measure(made.output_image.data), [600, 448, 'png'])
    assert.ok(made.output_text.length > 3 && made.usage.total_tokens > 0)
    const got: any = await ai.interactions.get(made.id, { include_input: true })
    assert.deepEqual([got.output_image.data === made.output_image.data, got.steps[0].content[0].text], [true, 'a red kite'])
    assert.equal((await nativeTask(made.id)).state, 'done')
  })
  test('an edit: contents in, JPEG behind a link out', async () => {
    const made = await create({ input: [{ type: 'text', text: 'make it blue' }, { type: 'image', data: (await photo()).toString('base64'), mime_type: 'image/png' }], response_format: { type: 'image', mime_type: 'image/jpeg', delivery: 'uri', image_size: '512' } })
    assert.equal(made.output_image.mime_type, 'image/jpeg')
    assert.equal((await fetch(made.output_image.uri)).headers.get('content-type'), 'image/jpeg')
    assert.equal((await nativeTask(made.id)).operation, 'edit')
  })
  test('a conversation by the id of the one before, and by steps', async () => {
    const first = await create({ input: 'a white mug' })
    const second = await create({ input: 'in winter', previous_interaction_id: first.id })
    const asset = (await nativeTask(first.id)).outputs[0].id
    assert.deepEqual([(await nativeTask(second.id)).inputs, second.previous_interaction_id], [[{ asset, role: 'reference' }], first.id])
    const third = await create({ input: [{ type: 'user_input', content: [{ type: 'text', text: 'a white mug' }] }, ...first.steps, { type: 'user_input', content: [{ type: 'text', text: 'at night' }] }] })
    assert.deepEqual((await nativeTask(third.id)).inputs, [{ asset, role: 'reference' }])
  })
  test('streamed, and again from where somebody left', async () => {
    const events: any[] = []
    for await (const event of await create({ input: 'a red kite', stream: true })) events.push(event)
    assert.deepEqual([events[0].event_type, events.at(-1).event_type, events.at(-1).interaction.status], ['interaction.created', 'interaction.completed', 'completed'])
    const picture = events.find(event => event.event_type === 'step.delta' && event.delta.type === 'image')
    assert.deepEqual((await measure(picture.delta.data)).slice(0, 2), [600, 448])
    const rest: any[] = []
    for await (const event of await ai.interactions.get(events[0].interaction.id, { stream: true, last_event_id: picture.event_id } as never) as unknown as AsyncIterable<any>) rest.push(event)
    assert.deepEqual(rest.map(({ event_type }) => event_type), ['step.stop', 'interaction.completed'])
  })
  test('a film in the background', async () => {
    const begun: any = await ai.interactions.create({ model: 'veo-3.1-lite-generate-preview', input: 'a kite over dunes', background: true, response_format: { type: 'video', duration: '4s', aspect_ratio: '16:9', resolution: '720p' } } as never)
    assert.equal(begun.status, 'in_progress')
    const got: any = await until('it is there', async () => { const one: any = await ai.interactions.get(begun.id); return one.status === 'completed' && one })
    const film = await fetch(got.output_video.uri, { headers: { 'x-goog-api-key': house.testKey } })
    assert.deepEqual([film.status, got.output_video.mime_type], [200, film.headers.get('content-type')])
  })
  test('cancelled, and let go of', async () => {
    const begun = await create({ input: 'a kite sandbox:slow=30s', background: true })
    const ended: any = await ai.interactions.cancel(begun.id)
    assert.equal(ended.status, 'cancelled')
    const made = await create({ input: 'a kite' })
    await ai.interactions.delete(made.id)
    await assert.rejects(ai.interactions.get(made.id), (thrown: any) => thrown.status === 404)
    assert.equal((await nativeTask(made.id)).outputs.length, 0)
  })
  test('what is not stored cannot be asked for', async () => {
    const made = await create({ input: 'a kite', store: false })
    assert.equal(made.status, 'completed')
    await assert.rejects(ai.interactions.get(made.id), (thrown: any) => thrown.status === 404)
  })
  test('a refusal is told, an error is thrown', async () => {
    await assert.rejects(create({ input: 'a kite', model: 'gemini-nano-apple' }), (thrown: any) => thrown.status === 404 && /not found/.test(thrown.message))
    const refused = await create({ input: 'a kite sandbox:moderation' })
    assert.deepEqual([refused.status, refused.errors.length], ['failed', 1])
    const { status, body } = await ask('/v1/interactions', { model, input: 5 })
    assert.deepEqual([status, body.error.code, typeof body.error.message], [400, 'invalid_request', 'string'])
  })
  test('AI SDK speaks it too', async () => {
    const { files } = await generateText({ model: google.interactions(model), prompt: 'a red kite', providerOptions: { google: { responseModalities: ['image'] } } })
    assert.equal(files.length, 1)
  })
})

// Catalogue, counting, keys -------------------------------------------------------------------------------------------

test('models: pages, one, and none', async () => {
  const names: string[] = []
  for await (const one of await ai.models.list({ config: { pageSize: 3 } })) names.push(one.name!)
  assert.equal(new Set(names).size, names.length)
  for (const name of ['gemini-2.5-flash-image', 'gemini-3-pro-image', 'gemini-3-pro-image-preview', 'nano-banana-pro-preview', 'gemini-3.1-flash-image', 'gemini-nano-banana-2.1', 'gemini-3.1-flash-lite-image', 'imagen-4.0-generate-001', 'veo-3.1-generate-preview', 'gemini-omni-flash-preview']) {
    assert.ok(names.includes(`models/${name}`), name)
    assert.equal((await ai.models.get({ model: name })).name, `models/${name}`)
  }
  assert.deepEqual((await ai.models.get({ model: 'gemini-3.1-flash-image' })).supportedActions, ['generateContent', 'batchGenerateContent', 'countTokens', 'predict'])
  const veo = await ai.models.get({ model: 'veo-3.1-generate-preview' })
  assert.deepEqual([veo.displayName, veo.supportedActions], ['Veo 3.1', ['predictLongRunning']])
  await rejectsWith(404, 'NOT_FOUND', () => ai.models.get({ model: 'gemini-nano-apple' }))
})
test('tokens are counted', async () => {
  const { totalTokens } = await ai.models.countTokens({ model, contents: [{ text: 'x'.repeat(400) }, { inlineData: { mimeType: 'image/png', data: (await photo()).toString('base64') } }] })
  assert.equal(totalTokens, 358)
})
test('all three versions, and every place for a key', async () => {
  for (const version of ['v1', 'v1beta', 'v1alpha']) assert.equal((await ask(`/${version}/models?pageSize=1`)).body.models.length, 1, version)
  const path = '/v1beta/models?pageSize=1'
  for (const headers of [{ authorization: `Bearer ${house.testKey}` }, { authorization: house.testKey }, { 'x-api-key': house.testKey }] as Record<string, string>[]) assert.equal((await ask(path, undefined, { key: null, headers })).status, 200)
  assert.equal((await ask(`${path}&key=${house.testKey}`, undefined, { key: null })).status, 200)
})
test('whoever speaks another dialect at a shared address is not answered here', async () => {
  const { body } = await ask('/v1/models', undefined, { key: null, headers: { authorization: `Bearer ${house.testKey}` } })
  assert.equal(body.models, undefined)
})
test('the client\'s methods that Google has taken away say so before they ask', async () => {
  await assert.rejects(ai.models.generateImages({ model: 'imagen-4.0-generate-001', prompt: 'x' }), /only supported/)
})

// No ------------------------------------------------------------------------------------------------------------------

describe('bad input gets its error, costs nothing and leaves nothing', () => {
  test('whatever is sent, nothing breaks, and what is refused leaves nothing', async () => {
    const { testKey: key } = await house.newAccount({ testDollars: 0 })
    const value = fc.oneof(fc.string({ maxLength: 20 }), fc.integer(), fc.double(), fc.boolean(), fc.constant(null), fc.constantFrom('auto', '1:1', '4K', 'IMAGE', 'AAAA', 'http://127.0.0.1:9/'), fc.object({ maxDepth: 2 }))
    const part = fc.dictionary(fc.constantFrom('text', 'inlineData', 'file_data', 'thought', 'thoughtSignature', '__proto__'), fc.oneof(value, fc.record({ mimeType: value, data: value }), fc.record({ file_uri: value })), { maxKeys: 3 })
    const generation = fc.dictionary(fc.constantFrom('imageConfig', 'responseFormat', 'responseModalities', 'candidateCount', 'seed', 'thinkingConfig', 'temperature'), fc.oneof(value, fc.dictionary(fc.constantFrom('aspectRatio', 'imageSize', 'image', 'includeThoughts'), value), fc.array(value, { maxLength: 2 })), { maxKeys: 4 })
    const bodies = fc.oneof(
      { weight: 6, arbitrary: fc.record({ contents: fc.oneof(fc.array(fc.record({ role: value, parts: fc.oneof(fc.array(part, { maxLength: 3 }), value) }, { requiredKeys: ['parts'] }), { maxLength: 3 }), value), generationConfig: generation, tools: value, systemInstruction: value }, { requiredKeys: ['contents'] }) },
      { weight: 2, arbitrary: fc.record({ model: fc.constantFrom(model, 'veo-3.1-generate-preview'), input: fc.oneof(value, fc.array(fc.record({ type: fc.constantFrom('text', 'image', 'user_input', 'thought'), text: value, data: value, content: value }, { requiredKeys: ['type'] }), { maxLength: 3 })), response_format: value, stream: value, previous_interaction_id: value }, { requiredKeys: ['model', 'input'] }) },
      { weight: 1, arbitrary: fc.record({ instances: fc.oneof(value, fc.array(fc.record({ prompt: value, image: value, referenceImages: value }, { requiredKeys: [] }), { maxLength: 2 })), parameters: value }) },
      { weight: 1, arbitrary: fc.anything() })
    const paths = fc.constantFrom(`/v1beta/models/${model}:generateContent`, `/v1/models/${model}:streamGenerateContent`, '/v1/interactions', '/v1beta/models/imagen-4.0-generate-001:predict', '/v1beta/models/veo-3.1-generate-preview:predictLongRunning')
    const before = await traces()
    await fc.assert(fc.asyncProperty(paths, bodies, async (path, body) => {
      const answer = await ask(path, JSON.stringify(body) ?? '', { key })
      assert.ok([400, 404].includes(answer.status), answer.text.slice(0, 300))
      assert.ok(answer.body.error.message)
    }), draws(250))
    assert.deepEqual(await traces(), before)
  })

  test('the books add up in the end', async () => assert.deepEqual(await house.audit(), []))
})
