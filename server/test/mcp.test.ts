/** The Model Context Protocol with its official client, over HTTP and over `plantain mcp`: the same tools, the same answers, the same ways to be told no. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { LoggingMessageNotificationSchema, McpError, type CallToolResult, type Progress } from '@modelcontextprotocol/sdk/types.js'
import sharp from 'sharp'
import { problems } from '../src/domain/problem.ts'
import { newId } from '../src/kit/id.ts'
import { refuse, writeProblem } from '../src/protocols/mcp/refuse.ts'
import { defaultMaskModel, defaultModels, toolNames, tools } from '../src/protocols/mcp/tools.ts'
import { Problem } from '../src/domain/problem.ts'
import { refused } from './doors/mcp.ts'
import { testHouse, type TestHouse } from './kit/house.ts'

let house: TestHouse
/** One that may not look into private addresses. */
let strict: TestHouse
/** A picture somewhere outside. */
const outside = createServer((request, response) => {
  if (request.url !== '/photo.png') return void response.writeHead(404).end()
  void photo().then(bytes => response.setHeader('content-type', 'image/png').end(bytes))
})
let outsideUrl = ''
const clients: Client[] = []

before(async () => {
  outside.listen(0, '127.0.0.1')
  await once(outside, 'listening')
  outsideUrl = `http://127.0.0.1:${(outside.address() as AddressInfo).port}`;
  [house, strict] = await Promise.all([testHouse(), testHouse({ settings: { ALLOW_PRIVATE_ADDRESSES: 'false' } })])
})
after(async () => {
  await Promise.all(clients.map(client => client.close()))
  await Promise.all([house?.close(), strict?.close()])
  outside.close()
})

const photo = (width = 96, height = 64) => sharp({ create: { width, height, channels: 3, background: { r: 200, g: 60, b: 40 } } }).png().toBuffer()
const dataUrl = (bytes: Buffer) => `data:image/png;base64,${bytes.toString('base64')}`

const overHttp = async (at: TestHouse, key = at.testKey) => {
  const client = new Client({ name: 'test', version: '1.0.0' })
  const transport = new StreamableHTTPClientTransport(new URL('/mcp', at.url), { requestInit: { headers: { authorization: `Bearer ${key}` } } })
  await client.connect(transport)
  clients.push(client)
  return client
}
const overStdio = async (at: TestHouse, key = at.testKey) => {
  const client = new Client({ name: 'test', version: '1.0.0' })
  await client.connect(new StdioClientTransport({
    command: process.execPath, args: [join(import.meta.dirname, '../../cli/src/main.ts'), 'mcp'],
    env: { PATH: process.env.PATH ?? '', HOME: tmpdir(), PLANTAIN_URL: at.url, PLANTAIN_KEY: key }, stderr: 'pipe',
  }))
  clients.push(client)
  return client
}

interface Task { id: string; state: string; livemode: boolean; served_by: string; model: string; operation: string; outputs: { id: string; url: string; mime: string; width: number; height: number; size_bytes: number }[]; text: string | null; warnings: string[]; problem: { code: string } | null; price: { micros: number }; cost: { micros: number } | null }
interface Call { task: Task; words: string; pictures: Buffer[]; links: { uri: string; mimeType?: string | undefined; size?: number }[]; isError: boolean; meta: Record<string, unknown> }

const readResult = (result: CallToolResult): Call => ({
  task: result.structuredContent as unknown as Task,
  words: result.content.flatMap(block => block.type === 'text' ? [block.text] : []).join('\n'),
  pictures: result.content.flatMap(block => block.type === 'image' ? [Buffer.from(block.data, 'base64')] : []),
  links: result.content.flatMap(block => block.type === 'resource_link' ? [block as { uri: string; mimeType?: string; size?: number }] : []),
  isError: result.isError === true,
  meta: result._meta ?? {},
})
const call = async (client: Client, name: string, args: Record<string, unknown> = {}, options: Parameters<Client['callTool']>[2] = {}): Promise<Call> =>
  readResult(await client.callTool({ name, arguments: args }, undefined, options) as CallToolResult)

/** Calls a tool that makes something, and sees that all three say the same: the structured thing, the pictures and the links. */
async function made(client: Client, name: string, args: Record<string, unknown>): Promise<Call> {
  const answer = await call(client, name, args)
  assert.equal(answer.isError, false, answer.words)
  assert.equal(answer.task.state, 'done')
  assert.equal(answer.meta['x-task-id'], answer.task.id)
  assert.match(answer.words, new RegExp(`Task: ${answer.task.id}`))
  assert.deepEqual(answer.links.map(({ uri, mimeType, size }) => [uri, mimeType, size]), answer.task.outputs.map(({ url, mime, size_bytes }) => [url, mime, size_bytes]))
  return answer
}
const fetchPicture = async (url: string) => sharp(Buffer.from(await (await fetch(url)).arrayBuffer())).metadata()

/** Everything that may not change when the answer is no. */
const traces = async (at: TestHouse) => {
  const { rows } = await at.database.query<Record<string, number>>(`select
    (select count(*) from task)::int as tasks, (select count(*) from ledger)::int as rows, (select coalesce(sum(amount_micros), 0) from ledger)::bigint as money,
    (select count(*) from asset)::int as assets, (select count(*) from event)::int as events, (select count(*) from idempotency)::int as keys`)
  return rows[0]!
}
const nativeTask = async (at: TestHouse, id: string, key = at.testKey) => (await fetch(`${at.url}/plantain/v1/tasks/${id}`, { headers: { authorization: `Bearer ${key}` } })).json() as Promise<Task>
const taskOf = async (prompt: string) => (await house.database.query<{ id: string }>('select id from task where prompt = $1 order by id desc', [prompt])).rows

const small = { model: 'sandbox-1', resolution: '512' }

// The same over both ways in ------------------------------------------------------------------------------------------

for (const [way, connect] of [['streamable HTTP', overHttp], ['plantain mcp', overStdio]] as const) {
  describe(way, () => {
    let client: Client
    before(async () => { client = await connect(house) })

    test('lists saved workflows, runs one, shows its pictures and finds it again', async () => {
      const slug = `set-${way.replaceAll(' ', '-').toLowerCase()}`
      const graph = {
        nodes: [{ id: 'picture', kind: 'generate', settings: { model: 'sandbox-1', parameters: { resolution: '512', count: 2 } } }, { id: 'out', kind: 'output', settings: { name: 'pictures' } }],
        edges: [{ from: { node: 'picture', port: 'images' }, to: { node: 'out', port: 'value' } }],
        inputs: [{ name: 'prompt', node: 'picture', port: 'prompt', required: true }],
      }
      const saved = await fetch(`${house.url}/plantain/v1/workflows`, { method: 'POST', headers: { authorization: `Bearer ${house.testKey}`, 'content-type': 'application/json' }, body: JSON.stringify({ name: 'A set', slug, graph }) })
      assert.equal(saved.status, 201)
      assert.match((await call(client, 'list_workflows')).words, new RegExp(`${slug} \\(A set\\)[^]*prompt \\(required\\)`))
      const ran = await call(client, 'run_workflow', { workflow: slug, inputs: { prompt: `a kite over ${way}` } })
      assert.deepEqual([ran.isError, ran.task.state, ran.pictures.length, ran.links.length], [false, 'done', 2, 2], ran.words)
      assert.equal((await fetchPicture(ran.links[0]!.uri)).width, 512)
      assert.equal((await call(client, 'get_execution', { execution_id: ran.task.id })).task.state, 'done')
      for (const [name, args, words] of [['run_workflow', { workflow: 'nowhere' }, /no such workflow/], ['run_workflow', { workflow: slug }, /prompt is missing/], ['get_execution', { execution_id: '0'.repeat(32) }, /no execution/i]] as const) {
        const refused = await call(client, name, args)
        assert.ok(refused.isError && words.test(refused.words), refused.words)
      }
    })

    test('says who it is and what it offers', async () => {
      assert.equal(client.getServerVersion()?.name, 'plantain')
      assert.match(client.getInstructions() ?? '', /wait_for_task/)
      const offered = (await client.listTools()).tools
      assert.deepEqual(offered.map(({ name }) => name), [...toolNames])
      for (const { title, annotations, inputSchema, outputSchema, description } of offered) {
        assert.ok(title && description && inputSchema.type === 'object' && outputSchema?.type === 'object')
        for (const hint of ['readOnlyHint', 'idempotentHint', 'openWorldHint'] as const) assert.equal(typeof annotations?.[hint], 'boolean')
      }
      await client.ping()
    })

    test('a prompt becomes a picture: shown small, linked whole, known at the native door', async () => {
      const { task, pictures: [preview], links: [link], words } = await made(client, 'generate_image', { prompt: 'a lighthouse at dusk', resolution: '1K', aspect_ratio: '3:2' })
      const shown = await sharp(preview).metadata()
      assert.deepEqual([shown.format, Math.max(shown.width, shown.height)], ['webp', 1024])
      assert.ok(preview!.length <= 1_000_000)
      const { width, height, format } = await fetchPicture(link!.uri)
      assert.deepEqual([width, height, `image/${format}`], [task.outputs[0]!.width, task.outputs[0]!.height, task.outputs[0]!.mime])
      assert.ok(Math.abs(width / height - 1.5) < 0.05 && width > 1_024)
      assert.match(words, /play money/)
      const native = await nativeTask(house, task.id)
      assert.deepEqual([native.state, native.cost, native.livemode, native.model], ['done', task.cost, false, defaultModels.generate])
    })

    test('full returns the file itself', async () => {
      const { task, pictures } = await made(client, 'generate_image', { prompt: 'a red kite', ...small, full: true, output_format: 'png', count: 2 })
      assert.equal(task.outputs.length, 2)
      for (const [index, bytes] of pictures.entries()) {
        const { format, width } = await sharp(bytes).metadata()
        assert.deepEqual([format, width, bytes.length], ['png', task.outputs[index]!.width, task.outputs[index]!.size_bytes])
      }
      assert.equal(pictures.length, 2)
    })

    test('an edit takes what an earlier task made, an asset, a link, a data URL and base64', async () => {
      const bytes = await photo()
      const first = await made(client, 'edit_image', { prompt: 'make it black and white', images: [dataUrl(bytes)], ...small })
      const again = await made(client, 'edit_image', { prompt: 'make it blue', images: [first.task.id], ...small })
      await made(client, 'edit_image', {
        prompt: 'put them side by side', ...small,
        images: [again.task.outputs[0]!.id, `plantain://tasks/${first.task.id}`, `${first.task.id}/1`, `${outsideUrl}/photo.png`, bytes.toString('base64'), { image: first.links[0]!.uri, role: 'style' }],
      })
      const { rows: [last] } = await house.database.query<{ inputs: { assetId: string; role: string }[] }>(`select inputs from task where prompt = 'put them side by side' order by id desc limit 1`)
      assert.deepEqual(last!.inputs.map(({ role }) => role), ['reference', 'reference', 'reference', 'reference', 'reference', 'style'])
      assert.deepEqual([0, 1, 2, 5].map(index => last!.inputs[index]!.assetId), [again, first, first, first].map(({ task }) => task.outputs[0]!.id))
    })

    test('a mask says where', async () => {
      const mask = await sharp({ create: { width: 96, height: 64, channels: 3, background: '#ffffff' } }).png().toBuffer()
      const { task } = await made(client, 'edit_image', { prompt: 'make it blue', images: [dataUrl(await photo())], mask: dataUrl(mask) })
      assert.deepEqual([task.operation, task.model], ['edit', defaultMaskModel])
    })

    test('a picture becomes larger, then a cut-out', async () => {
      const larger = await made(client, 'upscale_image', { image: dataUrl(await photo()), factor: 4 })
      assert.deepEqual([larger.task.outputs[0]!.width, larger.task.outputs[0]!.height], [384, 256])
      const cut = await made(client, 'remove_background', { image: larger.task.id })
      assert.ok((await fetchPicture(cut.task.outputs[0]!.url)).hasAlpha)
    })

    test('a film is made', async () => {
      const { task } = await made(client, 'generate_video', { prompt: 'a boat at sea', duration_s: 1, first_frame: dataUrl(await photo()), ...small })
      assert.equal(task.operation, 'video')
      assert.ok(((await fetchPicture(task.outputs[0]!.url)).pages ?? 1) > 1)
    })

    test('a text is written, and a picture described', async () => {
      const { task } = await made(client, 'write_text', { prompt: 'Free shipping', system: 'Translate the text the user sends into German.', max_tokens: 100 })
      assert.deepEqual([task.operation, task.text, task.outputs], ['write', 'Kostenloser Versand', []])
      const { task: described } = await made(client, 'write_text', { prompt: 'Describe this in one sentence.', images: [dataUrl(await photo())] })
      assert.match(described.text!, /^A \w+ picture/)
    })

    test('whoever asks for progress gets it, rising', async () => {
      const heard: Progress[] = []
      await call(client, 'generate_image', { prompt: 'a fox sandbox:slow=1500ms', ...small }, { onprogress: progress => { heard.push(progress) } })
      assert.ok(heard.length >= 2, `${heard.length} words`)
      assert.ok(heard.every(({ progress }, index) => index === 0 || progress > heard[index - 1]!.progress), JSON.stringify(heard))
      assert.match(heard[0]!.message!, /^Task [0-9a-f]{32} is (queued|running|waiting)/)
    })

    test('a wait that runs out leaves the task, and wait_for_task brings it', async () => {
      const { task, words, isError } = await call(client, 'generate_image', { prompt: 'an owl sandbox:slow=3s', ...small, wait_s: 0 })
      assert.deepEqual([isError, task.outputs], [false, []])
      assert.match(words, new RegExp(`wait_for_task with task_id ${task.id}`))
      assert.notEqual((await call(client, 'get_task', { task_id: task.id })).task.state, 'done')
      const ended = await made(client, 'wait_for_task', { task_id: task.id })
      assert.equal(ended.pictures.length, 1)
      assert.deepEqual((await made(client, 'get_task', { task_id: task.id })).task, ended.task)
      assert.deepEqual((await call(client, 'cancel_task', { task_id: task.id })).task.state, 'done')
    })

    test('cancel_task stops a task for nothing', async () => {
      const { task } = await call(client, 'generate_image', { prompt: 'an owl sandbox:slow=600s', ...small, wait_s: 0 })
      const { task: stopped, isError } = await call(client, 'cancel_task', { task_id: task.id })
      assert.deepEqual([stopped.state, stopped.cost?.micros, isError], ['cancelled', 0, false])
      const waited = await call(client, 'wait_for_task', { task_id: task.id })
      assert.deepEqual([waited.isError, waited.task.state], [true, 'cancelled'])
    })

    test('a call that is cancelled leaves its task in the making and says so; the same call again is given that task', async () => {
      const prompt = `an owl over ${way} sandbox:slow=4s`
      const said = new Promise<string>(resolve => { client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => { resolve(String(params.data)) }) })
      const gone = new AbortController()
      await assert.rejects(call(client, 'generate_image', { prompt, ...small }, { signal: gone.signal, onprogress: () => gone.abort() }), McpError)
      const [first] = await taskOf(prompt)
      assert.match(await said, new RegExp(`task ${first!.id} goes on`))
      const again = await made(client, 'generate_image', { prompt, ...small })
      assert.equal(again.task.id, first!.id)
      assert.match(again.words, /nothing was bought twice/)
      assert.equal(again.meta['idempotent-replayed'], true)
      assert.equal((await taskOf(prompt)).length, 1)
      const another = await call(client, 'generate_image', { prompt, ...small, wait_s: 0 })
      assert.notEqual(another.task.id, first!.id)
    })

    test('an idempotency key buys once', async () => {
      const args = { prompt: 'a bell', ...small, idempotency_key: `bell-${newId()}` }
      const [one, other] = [await made(client, 'generate_image', args), await made(client, 'generate_image', args)]
      assert.equal(one.task.id, other.task.id)
      const { isError, words } = await call(client, 'generate_image', { ...args, prompt: 'another bell' })
      assert.equal(isError, true)
      assert.match(words, /^idempotency_mismatch: /)
    })

    test('models, prices and money', async () => {
      const all = (await client.callTool({ name: 'list_models', arguments: {} })).structuredContent as { models: { id: string; parameters?: unknown }[] }
      assert.ok(all.models.length > 5 && all.models.every(model => model.parameters === undefined))
      const films = (await client.callTool({ name: 'list_models', arguments: { operation: 'video' } })).structuredContent as { models: { operations: string[] }[] }
      assert.ok(films.models.length > 0 && films.models.every(({ operations }) => operations.includes('video')))
      const one = (await client.callTool({ name: 'list_models', arguments: { model: 'google/nano-banana' } })).structuredContent as { models: { id: string; parameters: { properties: object } }[] }
      assert.deepEqual([one.models.length, one.models[0]!.id], [1, 'nano-banana'])
      assert.ok('aspect_ratio' in one.models[0]!.parameters.properties)
      const before = await traces(house)
      const estimate = (await client.callTool({ name: 'estimate', arguments: { operation: 'upscale', image: dataUrl(await photo()) } })).structuredContent as { price: { usd: string; micros: number }; model: string; width: number }
      assert.deepEqual([estimate.model, estimate.width], [defaultModels.upscale, 192])
      assert.ok(estimate.price.micros > 0)
      const { structuredContent, content } = await client.callTool({ name: 'get_balance', arguments: {} }) as CallToolResult
      assert.ok((structuredContent as { available: { micros: number } }).available.micros > 0)
      assert.match((content[0] as { text: string }).text, /play money/)
      assert.deepEqual(await traces(house), before)
    })

    test('tasks and models are resources', async () => {
      const { task } = await made(client, 'generate_image', { prompt: 'a pond', ...small })
      const { resources, nextCursor } = await client.listResources()
      assert.deepEqual(resources.slice(0, 2).map(({ uri }) => uri), ['plantain://models', `plantain://tasks/${task.id}`])
      if (nextCursor) assert.ok((await client.listResources({ cursor: nextCursor })).resources.every(({ uri }) => uri.startsWith('plantain://tasks/')))
      assert.deepEqual((await client.listResourceTemplates()).resourceTemplates.map(({ uriTemplate }) => uriTemplate), ['plantain://tasks/{id}'])
      const read = async (uri: string) => JSON.parse(((await client.readResource({ uri })).contents[0] as { text: string }).text) as unknown
      assert.deepEqual(await read(`plantain://tasks/${task.id}`), (await call(client, 'get_task', { task_id: task.id })).task)
      assert.ok((await read('plantain://models') as { models: unknown[] }).models.length > 5)
      for (const uri of ['plantain://tasks/nope', `plantain://tasks/${newId()}`, 'plantain://secrets', 'file:///etc/passwd']) await assert.rejects(client.readResource({ uri }), McpError)
      await assert.rejects(client.listResources({ cursor: 'nope' }), McpError)
    })

    test('a task that fails is an error with its code', async () => {
      const fails = async (trigger: string, code: string) => {
        const { isError, words, task } = await call(client, 'generate_image', { prompt: `a dog sandbox:${trigger}`, ...small })
        assert.deepEqual([isError, task.state, task.problem?.code, task.cost?.micros], [true, 'failed', code, 0])
        assert.match(words, new RegExp(`^${code}: .+[.\\n]`))
      }
      await Promise.all([fails('moderation', 'content_rejected'), fails('fail=501', 'provider_failed'), fails('bad_image', 'bad_output'), fails('expired_url', 'output_expired')])
      const { isError, words } = await call(client, 'generate_image', { prompt: 'a dog sandbox:credits' })
      assert.equal(isError, true)
      assert.match(words, /^credits_required: .*\n.*Ask the user/s)
    })

    test('a heavy picture comes in, and what comes out too heavy is a preview and a link', async () => {
      const noise = await sharp({ create: { width: 1_400, height: 1_200, channels: 3, background: '#000000', noise: { type: 'gaussian', mean: 128, sigma: 60 } } }).png().toBuffer()
      assert.ok(noise.length > 3_000_000)
      const { pictures, words, task } = await made(client, 'upscale_image', { image: dataUrl(noise), factor: 2, full: true })
      assert.equal(task.outputs[0]!.width, 2_800)
      assert.ok(task.outputs[0]!.size_bytes > 8_000_000, `${task.outputs[0]!.size_bytes}`)
      assert.match(words, /too large for this answer/)
      assert.ok(pictures[0]!.length <= 1_000_000)
    })
  })
}

// What only HTTP has --------------------------------------------------------------------------------------------------

const post = async (at: TestHouse, body: unknown, headers: Record<string, string> = {}, key: string | null = at.testKey) => fetch(`${at.url}/mcp`, {
  method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body),
  headers: { accept: 'application/json, text/event-stream', 'content-type': 'application/json', ...(key === null ? {} : { authorization: `Bearer ${key}` }), ...headers },
})
const rpc = (name: string, args: unknown = {}, id: unknown = 1) => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } })

describe('over HTTP', () => {
  test('no request needs another before it', async () => {
    const response = await post(house, { jsonrpc: '2.0', id: 7, method: 'tools/list' })
    assert.equal(response.headers.get('content-type'), 'application/json')
    assert.ok(response.headers.get('x-request-id'))
    const { id, result } = await response.json() as { id: number; result: { tools: unknown[] } }
    assert.deepEqual([id, result.tools.length], [7, toolNames.length])
  })

  test('a key is asked for, the way the protocol says', async () => {
    for (const key of [null, 'sk-test-wrong', '']) {
      const response = await post(house, { jsonrpc: '2.0', id: 1, method: 'ping' }, {}, key)
      assert.equal(response.status, 401)
      assert.match(response.headers.get('www-authenticate') ?? '', /^Bearer /)
      assert.equal(((await response.json()) as { error: { data: { code: string } } }).error.data.code, 'unauthorized')
    }
    await assert.rejects(overHttp(house, 'sk-test-wrong'), /401|Unauthorized|not known/i)
  })

  test('there is nothing to get or to end', async () => {
    for (const method of ['GET', 'DELETE', 'PUT']) {
      const response = await fetch(`${house.url}/mcp`, { method, headers: { authorization: `Bearer ${house.testKey}`, accept: 'text/event-stream' } })
      assert.deepEqual([response.status, ((await response.json()) as { jsonrpc: string }).jsonrpc], [405, '2.0'])
    }
    const client = await overHttp(house)
    await (client.transport as StreamableHTTPClientTransport).terminateSession()
    await client.ping()
  })

  test('a dropped line leaves the task in the making; the same call again is given it', async () => {
    const prompt = 'a heron sandbox:slow=4s'
    const gone = new AbortController()
    const response = await fetch(`${house.url}/mcp`, {
      method: 'POST', body: JSON.stringify(rpc('generate_image', { prompt, ...small })), signal: gone.signal,
      headers: { accept: 'application/json, text/event-stream', 'content-type': 'application/json', authorization: `Bearer ${house.testKey}` },
    })
    assert.match(response.headers.get('content-type')!, /^text\/event-stream/)
    while ((await taskOf(prompt)).length === 0) await pause(20)
    gone.abort()
    const [first] = await taskOf(prompt)
    const isRemembered = async () => (await house.database.query('select 1 from recent_call where task_id = $1 and unanswered', [first!.id])).rows.length === 1
    while (!await isRemembered()) await pause(20)
    const { task } = await made(await overHttp(house), 'generate_image', { prompt, ...small })
    assert.equal(task.id, first!.id)
  })

  test('a cancellation finds its own call only', async () => {
    const [one, other] = [await overHttp(house), await overHttp(house)]
    // Both clients count alike, so their calls have the same id.
    const gone = new AbortController()
    const left = call(one, 'generate_image', { prompt: 'a wren sandbox:slow=4s', ...small }, { signal: gone.signal, onprogress: () => gone.abort() })
    const stays = made(other, 'generate_image', { prompt: 'a robin sandbox:slow=1s', ...small })
    await assert.rejects(left, McpError)
    assert.equal((await stays).pictures.length, 1)
  })

  test('what the key may not do is refused by the tool', async () => {
    const { testKey } = await house.newAccount({ scopes: ['tasks:read'] })
    const client = await overHttp(house, testKey)
    for (const [name, args] of [['generate_image', { prompt: 'a dog' }], ['get_balance', {}], ['cancel_task', { task_id: newId() }]] as const) {
      const { isError, words } = await call(client, name, args)
      assert.deepEqual([isError, words.split(':')[0]], [true, 'forbidden'])
    }
    assert.equal((await call(client, 'list_models')).isError, false)
  })

  test('what belongs to somebody else is not there', async () => {
    const { task } = await made(await overHttp(house), 'generate_image', { prompt: 'mine', ...small })
    const stranger = await overHttp(house, (await house.newAccount()).testKey)
    for (const name of ['get_task', 'wait_for_task', 'cancel_task']) assert.match((await call(stranger, name, { task_id: task.id })).words, /^not_found: /)
    assert.match((await call(stranger, 'edit_image', { prompt: 'x', images: [task.outputs[0]!.id] })).words, /^bad_input_image: /)
    await assert.rejects(stranger.readResource({ uri: `plantain://tasks/${task.id}` }), McpError)
  })

  test('a live key reaches the provider', async () => {
    const client = await overHttp(house, house.liveKey)
    const { task } = await made(client, 'generate_image', { prompt: 'a dog', model: 'rehearsal-1' })
    assert.deepEqual([task.livemode, task.served_by], [true, 'rehearsal'])
    assert.match((await call(client, 'generate_image', { prompt: 'a dog' })).words, /^provider_not_configured: /)
  })

  test('requests a minute are counted', async () => {
    const { testKey } = await house.newAccount({ limits: { requestsPerMinute: 2 } })
    const answers = []
    for (let index = 0; index < 3; index++) answers.push(await post(house, { jsonrpc: '2.0', id: index, method: 'ping' }, {}, testKey))
    assert.deepEqual(answers.map(({ status }) => status), [200, 200, 429])
    assert.ok(answers[2]!.headers.get('retry-after'))
  })
})

// No ------------------------------------------------------------------------------------------------------------------

test(`${refused.length} bad calls are told what is wrong through plantain mcp as well, and leave nothing behind`, async () => {
  const [http, stdio] = [await overHttp(strict), await overStdio(strict)]
  const before = await traces(strict)
  const wrong: unknown[] = []
  for (const [tool, args, says] of refused) {
    const { isError, words } = readResult(await stdio.callTool({ name: tool, ...(args === undefined ? {} : { arguments: args as Record<string, unknown> }) }) as CallToolResult)
    if (!isError || !says.test(words)) wrong.push({ tool, args: JSON.stringify(args)?.slice(0, 200), says, words: words.slice(0, 300) })
  }
  assert.deepEqual(wrong, [])
  for (const client of [http, stdio]) await assert.rejects(client.callTool({ name: 'draw', arguments: {} }), (error: McpError) => error.code === -32_602 && /generate_image/.test(error.message))
  assert.deepEqual(await traces(strict), before)
})

test('messages that are none are refused, and no answer is a 500', async () => {
  const before = await traces(strict)
  const cases: [body: unknown, status: number, headers?: Record<string, string>][] = [
    ['', 400], ['{', 400], ['null', 400], ['7', 400], ['"ping"', 400], ['{}', 400], ['[7]', 400],
    [{ jsonrpc: '1.0', id: 1, method: 'ping' }, 400],
    [{ jsonrpc: '2.0', id: { a: 1 }, method: 'ping' }, 400],
    [{ jsonrpc: '2.0', id: 1, method: 7 }, 400],
    [{ jsonrpc: '2.0', id: 1, method: 'tools/call', params: [] }, 400],
    [Array.from({ length: 21 }, (_, id) => ({ jsonrpc: '2.0', id, method: 'ping' })), 400],
    [{ jsonrpc: '2.0', id: 1, method: 'ping' }, 406, { accept: 'application/json' }],
    [{ jsonrpc: '2.0', id: 1, method: 'ping' }, 415, { 'content-type': 'text/plain' }],
    [{ jsonrpc: '2.0', id: 1, method: 'ping' }, 400, { 'mcp-protocol-version': '1999-01-01' }],
    [{ jsonrpc: '2.0', id: 1, method: 'ping', params: { __proto__x: '\ud800' } }, 400],
    [{ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 99 } }, 202, { 'mcp-session-id': 'x' }],
    [{ jsonrpc: '2.0', id: 1, method: 'tools/steal' }, 200],
    [{ jsonrpc: '2.0', id: 1, method: 'tools/call', params: {} }, 200],
    [{ jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri: 5 } }, 200],
    [{ jsonrpc: '2.0', id: 1, method: 'initialize', params: {} }, 200],
  ]
  for (const [body, status, headers] of cases) {
    const response = await post(strict, body, headers)
    const text = await response.text()
    assert.equal(response.status, status, `${JSON.stringify(body).slice(0, 200)} ${text.slice(0, 300)}`)
    if (status === 200) assert.ok('error' in JSON.parse(text), text)
    if (status >= 400) assert.equal(typeof JSON.parse(text).error.message, 'string')
  }
  assert.deepEqual(await traces(strict), before)
})

// Pure ----------------------------------------------------------------------------------------------------------------

test('every problem is said in the dialect, to a request and to a call', () => {
  for (const code of Object.keys(problems) as (keyof typeof problems)[]) {
    const problem = new Problem(code, 'What went wrong.', { field: 'prompt' })
    assert.equal(refuse(problem).status, problems[code].status)
    const lines = writeProblem({ code, message: 'What went wrong.', details: problem.details }).split('\n')
    assert.deepEqual([lines[0], lines[1], lines.length], [`${code}: What went wrong.`, 'field: prompt', 3])
  }
})

test('every default model exists and does what it is the default for', () => {
  const cards = house.house.catalog.all()
  for (const [operation, id] of [...Object.entries(defaultModels), ['edit', defaultMaskModel]]) {
    const card = cards.find(one => one.id === id)
    assert.ok(card?.life.state === 'active' && (card.operations as string[]).includes(operation!), `${operation}: ${id}`)
  }
  assert.ok(cards.find(({ id }) => id === defaultMaskModel)!.inputs.roles.mask)
  assert.deepEqual(tools.map(({ name }) => name), [...toolNames])
})

test('what was made adds up', async () => assert.deepEqual([await house.audit(), await strict.audit()], [[], []]))
