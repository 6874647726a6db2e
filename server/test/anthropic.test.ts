/** Anthropic's door through its own SDK, unmodified: pictures in and out, streams, models, every way to be told no, and what is sent twice. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import Anthropic, {
  APIError, APIUserAbortError, AuthenticationError, BadRequestError, ContentTooLargeError, GatewayTimeoutError, InternalServerError, NotFoundError,
  OverloadedError, PaymentRequiredError, PermissionDeniedError, RateLimitError, ServiceUnavailableError, UnprocessableEntityError,
} from '@anthropic-ai/sdk'
import sharp from 'sharp'
import { testHouse, type TestHouse } from './kit/house.ts'

let house: TestHouse
const outside = await startOutside()

/** Begun first and looked at later: it takes longer than everything around it. */
let longStream: Promise<string>

before(async () => {
  house = await testHouse()
  longStream = fetch(`${house.url}/v1/messages`, {
    method: 'POST', headers: { authorization: house.testKey, 'content-type': 'application/json' }, body: JSON.stringify(asked('a fox sandbox:slow=10500ms', { stream: true })),
  }).then(response => response.text())
})
after(async () => {
  await house?.close()
  await outside.close()
})

const client = (options: ConstructorParameters<typeof Anthropic>[0] = {}) => new Anthropic({ apiKey: house.testKey, baseURL: house.url, maxRetries: 0, ...options })

type Params = Anthropic.MessageCreateParamsNonStreaming
/** A small picture, so that a test is quick; `image` is no part of the SDK's types. */
const asked = (content: Anthropic.MessageParam['content'], more: object = {}): Params => ({
  model: 'gemini-3.1-flash-image', max_tokens: 4096, messages: [{ role: 'user', content }], image: { size: '512' }, ...more,
} as Params)

interface ImageBlock { type: 'image'; source: { type: 'base64'; media_type: string; data: string } | { type: 'url'; url: string } }
const imagesOf = ({ content }: { content: unknown[] }) => (content as { type: string }[]).filter(block => block.type === 'image') as ImageBlock[]
const bytesOf = ({ source }: ImageBlock) => Buffer.from((source as { data: string }).data, 'base64')
const sizeOf = async (bytes: Buffer) => { const { width, height, format } = await sharp(bytes).metadata(); return [width, height, format] }
const textOf = ({ content }: { content: unknown[] }) => (content as { type: string; text?: string }[]).filter(block => block.type === 'text').map(block => block.text).join('\n')

const photo = (width = 96, height = 64) => sharp({ create: { width, height, channels: 3, background: { r: 200, g: 60, b: 40 } } }).png().toBuffer()
const block = (bytes: Buffer): Anthropic.ImageBlockParam => ({ type: 'image', source: { type: 'base64', media_type: 'image/png', data: bytes.toString('base64') } })

async function native(taskId: string): Promise<any> {
  const response = await fetch(`${house.url}/plantain/v1/tasks/${taskId}`, { headers: { authorization: `Bearer ${house.testKey}` } })
  return { status: response.status, ...await response.json() as object }
}
async function latestTask(): Promise<any> {
  const { rows } = await house.database.query<{ id: string }>('select id from task order by id desc limit 1')
  return native(rows[0]!.id)
}
const countTasks = async () => (await house.database.query<{ count: number }>('select count(*)::int as count from task')).rows[0]!.count

async function until<T>(what: string, look: () => Promise<T | null | undefined | false>): Promise<T> {
  for (let looks = 0; looks < 2_400; looks++) {
    const seen = await look()
    if (seen) return seen
    await pause(50)
  }
  throw new Error(`It did not come to this: ${what}.`)
}

/** Somebody outside who shows a picture. */
async function startOutside() {
  const server = createServer(async (request, response) => {
    if (request.url === '/photo.png') return response.setHeader('content-type', 'image/png').end(await photo(120, 80))
    response.statusCode = 404
    response.end()
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => new Promise<void>(resolve => { server.closeAllConnections(); server.close(() => resolve()) }) }
}

// Pictures ------------------------------------------------------------------------------------------------------------

test('from words to a picture, which is a task like any other', async () => {
  const { data: message, response, request_id: requestId } = await client().messages.create(asked('a red fox in the snow', { metadata: { user_id: 'u-311' } })).withResponse()
  assert.deepEqual([message.type, message.role, message.model, message.stop_reason, message.stop_sequence, message.container], ['message', 'assistant', 'gemini-3.1-flash-image', 'end_turn', null, null])
  assert.deepEqual([message.usage.input_tokens, message.usage.output_tokens], [6, 747])
  assert.deepEqual((message.content as { type: string }[]).map(({ type }) => type), ['text', 'image'])
  const [image] = imagesOf(message)
  assert.deepEqual(await sizeOf(bytesOf(image!)), [512, 512, 'png'])

  assert.equal(requestId, response.headers.get('x-request-id'))
  assert.equal((message as { _request_id?: string })._request_id, requestId)
  const taskId = response.headers.get('x-task-id')!
  assert.equal(message.id, `msg_${taskId}`)
  const task = await native(taskId)
  assert.deepEqual([task.state, task.model, task.model_asked, task.operation, task.metadata.user_id], ['done', 'nano-banana-2', 'gemini-3.1-flash-image', 'generate', 'u-311'])
  assert.ok(textOf(message).startsWith(task.text), 'the description comes with the picture')

  const [, shown] = /!\[image 1\]\((\S+)\)/.exec(textOf(message))!
  assert.ok(bytesOf(image!).equals(Buffer.from(await (await fetch(shown!)).arrayBuffer())), 'the address shows the same picture')
  const told = (message as unknown as { plantain: Record<string, unknown> }).plantain
  assert.deepEqual([told.task_id, told.livemode, told.served_by, told.cost_usd], [taskId, false, 'sandbox-1', '0.04'])
})

test('two pictures of a shape, asked for behind the name', async () => {
  const message = await client().messages.create({ ...asked('a lighthouse'), model: 'nano-banana-2@16:9@jpeg', image: { n: 2, resolution: '512' } } as Params)
  const images = imagesOf(message)
  assert.equal(images.length, 2)
  for (const image of images) assert.deepEqual(await sizeOf(bytesOf(image)), [688, 384, 'jpeg'])
  assert.equal(images[0]!.source.type === 'base64' && images[0]!.source.media_type, 'image/jpeg')
})

test('a picture goes in as base64, as an address and out of a tool', async () => {
  const create = async (content: Anthropic.MessageParam['content'], before: Anthropic.MessageParam[] = []) => {
    const message = await client().messages.create({ ...asked(content), messages: [...before, { role: 'user', content }] })
    assert.equal(imagesOf(message).length, 1)
    const { operation, inputs } = await latestTask()
    return [operation, inputs.length]
  }
  assert.deepEqual(await create([block(await photo()), { type: 'text', text: 'make it blue' }]), ['edit', 1])
  assert.deepEqual(await create([{ type: 'image', source: { type: 'url', url: `${outside.url}/photo.png` } }, { type: 'text', text: 'make it blue' }]), ['edit', 1])
  assert.deepEqual(await create(
    [{ type: 'tool_result', tool_use_id: 'toolu_1', content: [block(await photo())] }, { type: 'text', text: 'make it green' }],
    [{ role: 'user', content: 'find my photo' }, { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'find', input: {} }] }]), ['edit', 1])
})

test('a large picture goes in', async () => {
  const noise = await sharp(Buffer.alloc(1000 * 1000 * 3, 0).map((_, index) => (index * 7919 + (index >> 3) * 104_729) & 255), { raw: { width: 1000, height: 1000, channels: 3 } }).png({ compressionLevel: 0 }).toBuffer()
  assert.ok(noise.length > 2_900_000)
  const message = await client().messages.create(asked([block(noise), { type: 'text', text: 'make it blue' }]))
  assert.equal(imagesOf(message).length, 1)
})

test('a conversation goes on: the answer is sent back and changed', async () => {
  const first = await client().messages.create(asked('a red fox'))
  const messages = (content: unknown): Anthropic.MessageParam[] => [
    { role: 'user', content: 'a red fox' }, { role: 'assistant', content: content as Anthropic.ContentBlockParam[] }, { role: 'user', content: 'make it blue' },
  ]
  const second = await client().messages.create({ ...asked(''), messages: messages(first.content) })
  assert.equal(imagesOf(second).length, 1)
  const { operation, inputs, prompt, warnings } = await latestTask()
  assert.deepEqual([operation, inputs.length, prompt], ['edit', 1, 'make it blue'])
  assert.match(warnings.join(), /sandbox reads no conversation/)

  // A client that only keeps the text still has the picture: its address is ours.
  await client().messages.create({ ...asked(''), messages: messages(textOf(first)) })
  const again = await latestTask()
  assert.deepEqual([again.operation, again.inputs.length], ['edit', 1])
  assert.ok(textOf(first).includes(again.inputs[0].asset))
})

test('a client that bears no picture gets its address', async () => {
  const shown = async (headers: Record<string, string>) => {
    const message = await client({ defaultHeaders: headers }).messages.create(asked('a boat'))
    return [imagesOf(message).map(({ source }) => source.type), /!\[image 1\]\(http/.test(textOf(message))]
  }
  assert.deepEqual(await shown({ 'user-agent': 'ai/7.0.173 ai-sdk/anthropic/4.0.1' }), [[], true])
  assert.deepEqual(await shown({ 'x-image-output': 'url' }), [['url'], true])
  assert.deepEqual(await shown({ 'user-agent': 'ai/7.0.173', 'x-image-output': 'block' }), [['base64'], true])
})

test('a client that takes files gets the name of one', async () => {
  const own = client({ defaultHeaders: { 'x-image-output': 'file' } })
  const message = await own.messages.create(asked('a boat'))
  const streamed = await own.messages.stream(asked('a boat')).finalMessage()
  for (const { content } of [message, streamed]) {
    const [words, upload] = content
    assert.deepEqual([words!.type, upload!.type], ['text', 'container_upload'])
    const { file_id } = upload as Anthropic.ContainerUploadBlock
    assert.equal((await sharp(Buffer.from(await (await own.files.download(file_id)).arrayBuffer())).metadata()).format, 'png')
  }
})

test('a client with a tool of its own is asked to use it', async () => {
  const tools: Anthropic.Tool[] = [{ name: 'generate_image', description: 'Makes a picture.', input_schema: { type: 'object' } }]
  const own = client({ defaultHeaders: { 'x-image-output': 'tool' } })
  const tasks = await countTasks()
  const message = await own.messages.create(asked('a boat', { tools }))
  assert.equal(message.stop_reason, 'tool_use')
  const use = message.content.find(one => one.type === 'tool_use')!
  assert.deepEqual([use.name, use.input], ['generate_image', { model: 'gemini-3.1-flash-image', prompt: 'a boat', parameters: { resolution: '512' } }])
  assert.equal(await countTasks(), tasks)
  const streamed = await own.messages.stream(asked('a boat', { tools })).finalMessage()
  assert.deepEqual((streamed.content.find(one => one.type === 'tool_use') as Anthropic.ToolUseBlock).input, use.input)

  // What the tool is handed is what our own door takes.
  const made = await fetch(`${house.url}/plantain/v1/tasks?wait=60`, { method: 'POST', headers: { authorization: `Bearer ${house.testKey}`, 'content-type': 'application/json' }, body: JSON.stringify(use.input) })
  assert.equal(made.status, 200)
  const after = await own.messages.create(asked('', { tools, messages: [
    { role: 'user', content: 'a boat' }, { role: 'assistant', content: message.content }, { role: 'user', content: [{ type: 'tool_result', tool_use_id: use.id, content: [block(await photo())] }] },
  ] }))
  assert.equal(after.stop_reason, 'end_turn')
})

test('a film is shown by its address', async () => {
  const message = await client().messages.create({ ...asked('waves', { image: { aspect_ratio: '16:9' } }), model: 'sora-2' })
  assert.match(textOf(message), /\(http\S+\)/)
})

// Streams -------------------------------------------------------------------------------------------------------------

test('a stream says what the page says, event for event', async () => {
  const response = await fetch(`${house.url}/v1/messages`, {
    method: 'POST', headers: { 'x-api-key': house.testKey, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' }, body: JSON.stringify(asked('a fox', { stream: true })),
  })
  assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  const text = await response.text()
  const events = text.trim().split('\n\n').map(one => /^event: (\S+)\ndata: (.*)$/.exec(one)!)
  assert.ok(events.every(event => JSON.parse(event[2]!).type === event[1]))
  const names = events.map(event => event[1]).filter((name, index, all) => !(name === 'ping' && all[index - 1] === 'ping'))
  assert.deepEqual(names, ['message_start', 'ping', 'content_block_start', 'content_block_delta', 'content_block_stop', 'content_block_start', 'content_block_stop', 'message_delta', 'message_stop'])
  const start = JSON.parse(events[0]![2]!).message
  assert.deepEqual([start.id, start.content, start.stop_reason, start.usage.input_tokens, start.usage.output_tokens], [`msg_${response.headers.get('x-task-id')}`, [], null, 2, 0])
  const delta = JSON.parse(events.at(-2)![2]!)
  assert.deepEqual([delta.delta.stop_reason, delta.usage.output_tokens, delta.plantain.cost_usd], ['end_turn', 747, '0.04'])
})

test('the SDK reads a stream: as events, and put together', async () => {
  const stream = await client().messages.create({ ...asked('a fox at night'), stream: true })
  const seen: string[] = []
  let picture: ImageBlock | null = null
  for await (const event of stream) {
    seen.push(event.type)
    if (event.type === 'content_block_start' && (event.content_block as { type: string }).type === 'image') picture = event.content_block as unknown as ImageBlock
  }
  assert.deepEqual(seen, ['message_start', 'content_block_start', 'content_block_delta', 'content_block_stop', 'content_block_start', 'content_block_stop', 'message_delta', 'message_stop'])
  assert.deepEqual(await sizeOf(bytesOf(picture!)), [512, 512, 'png'])

  const heard: string[] = []
  const helper = client().messages.stream(asked('a fox at night')).on('text', words => heard.push(words))
  const message = await helper.finalMessage()
  assert.equal(heard.join(''), textOf(message))
  assert.deepEqual(await sizeOf(bytesOf(imagesOf(message)[0]!)), [512, 512, 'png'])
  assert.ok(helper.request_id)
})

test('a long stream is kept alive', { timeout: 300_000 }, async () => {
  const pings = (await longStream).match(/^event: ping$/gm)!.length
  assert.ok(pings >= 2, `${pings} pings`)
})

test('a stream that goes wrong after its start raises the SDK\'s own error', async () => {
  const stream = await client().messages.create({ ...asked('a fox sandbox:fail=501'), stream: true })
  await assert.rejects(async () => { for await (const event of stream) assert.equal(event.type, 'message_start') }, (thrown: unknown) =>
    thrown instanceof APIError && thrown.type === 'api_error' && thrown.errorCode === 'provider_failed')
  await assert.rejects(client().messages.stream(asked('a fox sandbox:timeout')).finalMessage(), (thrown: unknown) => thrown instanceof APIError && thrown.type === 'timeout_error')
})

test('who leaves in the middle of a stream loses nothing, and the same call again finds the same task', async () => {
  const body = asked('a heron sandbox:slow=1500ms')
  const helper = client().messages.stream(body)
  const taskId = await new Promise<string>(resolve => { helper.on('streamEvent', event => { if (event.type === 'message_start') resolve(event.message.id.replace('msg_', '')) }) })
  helper.abort()
  await assert.rejects(helper.finalMessage(), APIUserAbortError)
  await until('the task is known to be unanswered', async () => (await house.database.query('select 1 from recent_call where task_id = $1 and unanswered', [taskId])).rows.length > 0)
  const { data: message, response } = await client().messages.create(body).withResponse()
  assert.deepEqual([response.headers.get('x-task-id'), response.headers.get('idempotent-replayed')], [taskId, 'true'])
  assert.equal(imagesOf(message).length, 1)
  assert.equal((await native(taskId)).state, 'done')
})

// Sent twice ----------------------------------------------------------------------------------------------------------

test('a call that was given up and sent again by the SDK is made once', async () => {
  const tasks = await countTasks()
  const { data: message, response } = await client({ maxRetries: 12, timeout: 1_000 }).messages.create(asked('an owl sandbox:slow=2500ms'), { timeout: 1_000 }).withResponse()
  assert.equal(imagesOf(message).length, 1)
  assert.equal(response.headers.get('idempotent-replayed'), 'true')
  assert.equal(await countTasks(), tasks + 1)
})

test('a wait that runs out names the task', async () => {
  // Says that it waits for a second, and waits longer: which of the two gives up first is no question of luck.
  const hurried: typeof fetch = (url, init = {}) => {
    const headers = new Headers(init.headers)
    assert.equal(headers.get('x-stainless-timeout'), '60', 'the client says by itself how long it waits')
    headers.set('x-stainless-timeout', '1')
    return fetch(url, { ...init, headers })
  }
  await assert.rejects(client({ fetch: hurried }).messages.create(asked('a mole sandbox:slow=4s'), { timeout: 60_000 }), (thrown: unknown) => {
    assert.ok(thrown instanceof GatewayTimeoutError, String(thrown))
    assert.equal(thrown.type, 'timeout_error')
    assert.ok(thrown.message.includes(thrown.headers!.get('x-task-id')!))
    return true
  })
})

test('the same Idempotency-Key gives the same picture, and another body is refused', async () => {
  const headers = { 'idempotency-key': 'fox-1' }
  const first = await client().messages.create(asked('a fox'), { headers }).withResponse()
  const second = await client().messages.create(asked('a fox'), { headers }).withResponse()
  assert.equal(second.data.id, first.data.id)
  assert.equal(second.response.headers.get('idempotent-replayed'), 'true')
  await assert.rejects(client().messages.create(asked('a wolf'), { headers }), UnprocessableEntityError)
})

test('pictures of a repeated call are not kept twice', async () => {
  const headers = { 'idempotency-key': 'edit-1' }
  const body = asked([block(await photo(70, 70)), { type: 'text', text: 'make it blue' }])
  await client().messages.create(body, { headers })
  const count = async () => (await house.database.query<{ count: number }>("select count(*)::int as count from asset where kind = 'input'")).rows[0]!.count
  const inputs = await count()
  await client().messages.create(body, { headers })
  assert.equal(await count(), inputs)
})

// No ------------------------------------------------------------------------------------------------------------------

test('a refused prompt is an answer, whole and streamed', async () => {
  for (const message of [await client().messages.create(asked('sandbox:moderation')), await client().messages.stream(asked('sandbox:moderation at once')).finalMessage()]) {
    assert.equal(message.stop_reason, 'refusal')
    assert.deepEqual([message.stop_details?.type, message.stop_details?.category], ['refusal', null])
    assert.ok(message.stop_details!.explanation)
    assert.deepEqual(message.content.map(({ type }) => type), ['text'])
  }
})

const raises = (name: string, run: () => Promise<unknown>, kind: abstract new (...args: never[]) => Error, status: number, type: string) => test(`${name} raises ${kind.name}`, async () => {
  await assert.rejects(run(), (thrown: unknown) => {
    assert.ok(thrown instanceof kind, String(thrown))
    const error = thrown as unknown as APIError
    assert.deepEqual([error.status, error.type], [status, type])
    assert.ok(error.requestID)
    assert.equal((error.error as { request_id: string }).request_id, error.requestID)
    assert.ok(error.errorCode)
    return true
  })
})

describe('each error is the SDK\'s own', () => {
  raises('a bad body', () => client().messages.create(asked('')), BadRequestError, 400, 'invalid_request_error')
  raises('a wrong key', () => client({ apiKey: 'sk-test-nobody' }).messages.create(asked('x')), AuthenticationError, 401, 'authentication_error')
  raises('no credit', () => client().messages.create(asked('x sandbox:credits')), PaymentRequiredError, 402, 'billing_error')
  raises('a key without the scope', async () => client({ apiKey: (await house.newAccount({ scopes: ['usage:read'] })).testKey }).messages.create(asked('x')), PermissionDeniedError, 403, 'permission_error')
  raises('an unknown model', () => client().messages.create({ ...asked('x'), model: 'claude-nobody' }), NotFoundError, 404, 'not_found_error')
  raises('a retired model', () => client({ apiKey: house.liveKey }).messages.create({ ...asked('x', { image: {} }), model: 'sora-2' }), NotFoundError, 404, 'not_found_error')
  raises('a body that is too large', () => client().messages.create(asked('x'.repeat(66 * 1024 * 1024))), ContentTooLargeError, 413, 'request_too_large')
  raises('a model nobody serves', () => client({ apiKey: house.liveKey }).messages.create(asked('x')), ServiceUnavailableError, 503, 'api_error')
  raises('an upstream that fails', () => client().messages.create(asked('x sandbox:fail=500')), InternalServerError, 500, 'api_error')
  raises('an upstream that is too slow', () => client().messages.create(asked('x sandbox:timeout')), GatewayTimeoutError, 504, 'timeout_error')
  raises('too many requests', async () => {
    const { testKey } = await house.newAccount({ limits: { requestsPerMinute: 1 } })
    const limited = client({ apiKey: testKey })
    await limited.messages.countTokens({ model: 'nano-banana', messages: [{ role: 'user', content: 'x' }] })
    return limited.messages.countTokens({ model: 'nano-banana', messages: [{ role: 'user', content: 'x' }] })
  }, RateLimitError, 429, 'rate_limit_error')
})

test('a busy upstream is asked again, not the client', async () => {
  const message = await client().messages.create(asked('x sandbox:busy'))
  assert.equal(imagesOf(message).length, 1)
})

test('an upstream that stays busy raises OverloadedError, and the SDK does not buy again', async () => {
  const live = client({ apiKey: house.liveKey, maxRetries: 2 })
  house.upstream.tell({ word: 'always_busy', does: { kind: 'busy', retryAfterS: 0 } })
  const tasks = await countTasks()
  const call = live.messages.create({ model: 'rehearsal-1', max_tokens: 1, messages: [{ role: 'user', content: 'x rehearse:always_busy' }] }).then(() => null, (thrown: unknown) => thrown)
  // The house queues for a busy upstream to the end of a task's time; this one's is near.
  await until('the upstream was asked', async () => (await house.database.query("update task set end_by = now() where model = 'rehearsal-1' and state = 'queued' and attempts > 0 returning id")).rows.length > 0)
  const thrown = await call
  assert.ok(thrown instanceof OverloadedError, String(thrown))
  assert.deepEqual([thrown.status, thrown.type, thrown.headers!.get('x-should-retry')], [529, 'overloaded_error', 'false'])
  assert.equal(await countTasks(), tasks + 1)
})

test('what is made under a live key says who served it', async () => {
  const message = await client({ apiKey: house.liveKey }).messages.create({ model: 'rehearsal-1', max_tokens: 1, messages: [{ role: 'user', content: 'a fox' }] })
  const told = (message as unknown as { plantain: Record<string, unknown> }).plantain
  assert.deepEqual([told.livemode, told.served_by, imagesOf(message).length], [true, 'rehearsal', 1])
})

// The rest ------------------------------------------------------------------------------------------------------------

test('tokens are counted', async () => {
  const { input_tokens: count } = await client().messages.countTokens({ model: 'nano-banana', messages: [{ role: 'user', content: [block(await photo()), { type: 'text', text: 'Put this mug on a beach at dawn, now and here' }] }] })
  assert.equal(count, 270)
})

test('models are listed page by page, and found by any name', async () => {
  const ids: string[] = []
  for await (const model of client().models.list({ limit: 3 })) ids.push(model.id)
  assert.ok(ids.includes('nano-banana-2') && !ids.includes('sora-2'), ids.join())
  assert.equal(new Set(ids).size, ids.length)
  const all = await client().models.list({ limit: 1000, lifecycle: ['retired'] })
  assert.ok(all.data.some(({ id, lifecycle, retires_at: at }) => id === 'sora-2' && lifecycle === 'retired' && at === '2026-09-24T00:00:00Z'))
  const back = await client().models.list({ before_id: ids[3]!, limit: 2 })
  assert.deepEqual(back.data.map(({ id }) => id), ids.slice(1, 3))

  const model = await client().models.retrieve('google/nano-banana-edit')
  assert.deepEqual([model.type, model.id, model.display_name, model.capabilities?.image_input.supported, model.deprecated_at], ['model', 'google/nano-banana-edit', 'Nano Banana', true, '2026-10-02T00:00:00Z'])
  assert.deepEqual([model.created_at > '2020', model.capabilities?.batch.supported], [true, true], 'it has a day, and batches of messages to it are taken')
  await assert.rejects(client().models.retrieve('nobody'), NotFoundError)
})

test('the SDK\'s beta half reaches the same door', async () => {
  const { beta } = client()
  const message = await beta.messages.create({ ...asked('a boat'), betas: ['files-api-2025-04-14'] } as Anthropic.Beta.Messages.MessageCreateParamsNonStreaming)
  assert.equal(imagesOf(message).length, 1)
  assert.ok((await beta.messages.countTokens({ model: 'nano-banana', messages: [{ role: 'user', content: 'x' }] })).input_tokens > 0)
  assert.ok((await beta.models.list()).data.length > 0)
})

test('what this house does not have is said in the dialect', async () => {
  await assert.rejects(async () => { await client().skills.list() }, (thrown: unknown) => thrown instanceof NotFoundError && thrown.type === 'not_found_error')
})

test('every form of key opens, and `/v1` may stand twice', async () => {
  const body = JSON.stringify({ model: 'nano-banana', messages: [{ role: 'user', content: 'x' }] })
  const ask = (headers: Record<string, string>, path = '/v1/messages/count_tokens') => fetch(house.url + path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body })
  const forms: [string, string][] = [['authorization', `Bearer ${house.testKey}`], ['authorization', house.testKey], ['x-api-key', house.testKey], ['x-goog-api-key', house.testKey]]
  for (const [name, value] of forms) assert.equal((await ask({ [name]: value })).status, 200)
  assert.equal((await ask({}, `/v1/messages/count_tokens?key=${house.testKey}`)).status, 200)
  assert.equal((await ask({ 'x-api-key': house.testKey }, '/v1/v1/messages/count_tokens')).status, 200)
  const { status, headers } = await ask({})
  assert.deepEqual([status, headers.has('request-id')], [401, true])
})

test('in the end the books are right', async () => { assert.deepEqual(await house.audit(), []) })
