/** Edit and describe: one call gives the changed picture and the words for the change, at every door that can carry both, and both are stored in one act. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import OpenAI, { toFile } from 'openai'
import sharp from 'sharp'
import { readConfig } from '../src/config.ts'
import { audit } from '../src/ledger/books.ts'
import { openOperator } from '../src/operator.ts'
import { testDatabase } from './kit/database.ts'
import { testHouse, testSettings, type TestHouse } from './kit/house.ts'
import { freePort } from './kit/port.ts'
import { serverProcess } from './kit/server.ts'

const model = 'gemini-3.1-flash-image'
const instruction = 'make it grayscale'
const photo = await sharp({ create: { width: 96, height: 64, channels: 3, background: '#c83c28' } }).png().toBuffer()
const base64 = photo.toString('base64')
const dataUrl = `data:image/png;base64,${base64}`

interface Told { taskId: string; picture: Buffer; words: string }

const readEvents = async (response: Response): Promise<any[]> =>
  (await response.text()).split(/\n\n/).flatMap(event => /^data: (\{.*)$/m.exec(event)?.[1] ?? []).map(data => JSON.parse(data))

describe('in one call', () => {
  let house: TestHouse
  let openai: OpenAI
  before(async () => {
    house = await testHouse()
    openai = new OpenAI({ apiKey: house.testKey, baseURL: `${house.url}/v1`, maxRetries: 0 })
  })
  after(() => house?.close())

  const ask = async (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> => {
    const response = await fetch(house.url + path, {
      method: 'POST', headers: { authorization: `Bearer ${house.testKey}`, ...(body instanceof FormData ? {} : { 'content-type': 'application/json' }), ...headers }, body: body instanceof FormData ? body : JSON.stringify(body),
    })
    assert.equal(response.status, 200, response.status === 200 ? '' : await response.clone().text())
    return response
  }
  const taskOf = (response: Response) => response.headers.get('x-task-id')!
  const image = () => toFile(photo, 'photo.png', { type: 'image/png' })
  const genai = () => new GoogleGenAI({ apiKey: house.testKey, httpOptions: { baseUrl: house.url } })
  const contents = [{ role: 'user', parts: [{ text: instruction }, { inlineData: { mimeType: 'image/png', data: base64 } }] }]
  const readGemini = (parts: any[], taskId: string): Told => ({ taskId, picture: Buffer.from(parts.find(part => part.inlineData).inlineData.data, 'base64'), words: parts.map(part => part.text ?? '').join('') })
  const anthropic = (more: object = {}) => ({ model, max_tokens: 1_000, messages: [{ role: 'user' as const, content: [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: base64 } }, { type: 'text', text: instruction }] }], ...more }) as Anthropic.MessageCreateParamsNonStreaming
  const claude = () => new Anthropic({ apiKey: house.testKey, baseURL: house.url, maxRetries: 0 })
  const readBlocks = (message: Anthropic.Message): Told => {
    const blocks = message.content as unknown as { type: string; text?: string; source?: { data: string } }[]
    return { taskId: message.id.replace('msg_', ''), picture: Buffer.from(blocks.find(block => block.type === 'image')!.source!.data, 'base64'), words: blocks.find(block => block.type === 'text')!.text! }
  }
  const form = (fields: Record<string, string>): FormData => {
    const made = new FormData()
    for (const [name, value] of Object.entries(fields)) made.append(name, value)
    made.append('image', new Blob([new Uint8Array(photo)], { type: 'image/png' }), 'photo.png')
    return made
  }

  const doors: Record<string, () => Promise<Told>> = {
    async 'openai: images.edit'() {
      const { data: { data }, response } = await openai.images.edit({ model, prompt: instruction, image: await image() }).withResponse()
      return { taskId: taskOf(response), picture: Buffer.from(data![0]!.b64_json!, 'base64'), words: (data![0] as { text?: string }).text! }
    },
    async 'openai: images.edit, streamed'() {
      const { data: stream, response } = await openai.images.edit({ model, prompt: instruction, image: await image(), stream: true }).withResponse()
      let told: Told | null = null
      for await (const event of stream) if (event.type === 'image_edit.completed') told = { taskId: taskOf(response), picture: Buffer.from(event.b64_json, 'base64'), words: (event as { text?: string }).text! }
      return told!
    },
    async 'openai: responses'() {
      const response = await openai.responses.create({
        model: 'gpt-5.5', tools: [{ type: 'image_generation', model }], input: [{ role: 'user', content: [{ type: 'input_text', text: instruction }, { type: 'input_image', image_url: dataUrl, detail: 'auto' }] }],
      })
      return { taskId: response.id.replace('resp_', ''), picture: Buffer.from(response.output.find(item => item.type === 'image_generation_call')!.result!, 'base64'), words: response.output_text }
    },
    async 'openai: chat'() {
      const answer = await openai.chat.completions.create({ model, modalities: ['image', 'text'] as never, messages: [{ role: 'user', content: [{ type: 'text', text: instruction }, { type: 'image_url', image_url: { url: dataUrl } }] }] })
      const message = answer.choices[0]!.message as unknown as { content: string; images: { image_url: { url: string } }[] }
      return { taskId: answer.id.replace('chatcmpl-', ''), picture: Buffer.from(message.images[0]!.image_url.url.split(',')[1]!, 'base64'), words: message.content }
    },
    async 'gemini: generateContent'() {
      const answer = await genai().models.generateContent({ model, contents })
      return readGemini(answer.candidates![0]!.content!.parts!, answer.responseId!)
    },
    async 'gemini: a stream'() {
      const parts: unknown[] = []
      let taskId = ''
      for await (const chunk of await genai().models.generateContentStream({ model, contents })) {
        parts.push(...chunk.candidates?.[0]?.content?.parts ?? [])
        taskId = chunk.responseId!
      }
      return readGemini(parts, taskId)
    },
    async 'gemini: interactions'() {
      const response = await ask('/v1/interactions', { model, input: [{ type: 'text', text: instruction }, { type: 'image', data: base64, mime_type: 'image/png' }] }, { 'x-goog-api-key': house.testKey })
      const { steps } = await response.json() as { steps: { type: string; content: { type: string; text?: string; data?: string }[] }[] }
      const content = steps.flatMap(step => step.type === 'model_output' ? step.content : [])
      return { taskId: taskOf(response), picture: Buffer.from(content.find(one => one.type === 'image')!.data!, 'base64'), words: content.find(one => one.type === 'text')!.text! }
    },
    'anthropic: messages': async () => readBlocks(await claude().messages.create(anthropic())),
    'anthropic: a stream': async () => readBlocks(await claude().messages.stream(anthropic()).finalMessage()),
    async 'wisdom gate: the seed\'s edit, and its address'() {
      const response = await ask('/v1/images/edits', form({ model: 'gemini-3.1-flash-image-preview', prompt: instruction }), { authorization: house.testKey })
      const { data: [made] } = await response.json() as { data: { url: string; text: string }[] }
      return { taskId: taskOf(response), picture: Buffer.from(await (await fetch(made!.url)).arrayBuffer()), words: made!.text }
    },
    async native() {
      const response = await ask('/plantain/v1/tasks?wait=60', { model, prompt: instruction, inputs: [{ data_url: dataUrl }] }, { prefer: 'wait=60' })
      const task = await response.json() as { id: string; text: string; outputs: { url: string }[] }
      return { taskId: task.id, picture: Buffer.from(await (await fetch(task.outputs[0]!.url)).arrayBuffer()), words: task.text }
    },
    async mcp() {
      const client = new Client({ name: 'test', version: '1.0.0' })
      await client.connect(new StreamableHTTPClientTransport(new URL(`${house.url}/mcp`), { requestInit: { headers: { authorization: `Bearer ${house.testKey}` } } }))
      const { content, structuredContent } = await client.callTool({ name: 'edit_image', arguments: { model, prompt: instruction, images: [dataUrl], full: true } }) as { content: { type: string; text?: string; data?: string }[]; structuredContent: { id: string } }
      await client.close()
      return { taskId: structuredContent.id, picture: Buffer.from(content.find(block => block.type === 'image')!.data!, 'base64'), words: content.find(block => block.type === 'text')!.text! }
    },
    async 'openai: a batch, chat'() {
      const body = { model, messages: [{ role: 'user', content: [{ type: 'text', text: instruction }, { type: 'image_url', image_url: { url: dataUrl } }] }] }
      const { id: input_file_id } = await openai.files.create({ file: await toFile(Buffer.from(`${JSON.stringify({ custom_id: 'a', method: 'POST', url: '/v1/chat/completions', body })}\n`), 'rows.jsonl'), purpose: 'batch' })
      let batch = await openai.batches.create({ input_file_id, endpoint: '/v1/chat/completions', completion_window: '24h' })
      while (!batch.completed_at) {
        await pause(25)
        batch = await openai.batches.retrieve(batch.id)
      }
      const { response } = JSON.parse(await (await openai.files.content(batch.output_file_id!)).text()) as { response: { body: any } }
      const { message } = response.body.choices[0]
      return { taskId: response.body.id.replace('chatcmpl-', ''), picture: Buffer.from(message.images[0].image_url.url.split(',')[1], 'base64'), words: message.content }
    },
  }

  for (const [name, call] of Object.entries(doors)) {
    test(name, async () => {
      const { taskId, picture, words } = await call()
      const task = await (await fetch(`${house.url}/plantain/v1/tasks/${taskId}`, { headers: { authorization: `Bearer ${house.testKey}` } })).json() as { operation: string; text: string; outputs: { url: string }[] }
      assert.equal(task.operation, 'edit')
      assert.match(task.text, /^Edited: .*gr[ae]y/i)
      assert.ok(words.includes(task.text), `${words} should hold: ${task.text}`)
      assert.ok(picture.equals(Buffer.from(await (await fetch(task.outputs[0]!.url)).arrayBuffer())), 'the answer shows what was kept')
      const { channels } = await sharp(picture).stats()
      assert.ok(Math.abs(channels[0]!.mean - channels[2]!.mean) < 3, 'the picture is what the words say')
    })
  }

  test('whoever wants the picture alone gets no words', async () => {
    const answer = await (await ask(`/v1beta/models/${model}:generateContent`, { contents, generationConfig: { responseModalities: ['IMAGE'] } }, { 'x-goog-api-key': house.testKey })).json() as any
    assert.deepEqual(answer.candidates[0].content.parts.map((part: object) => 'inlineData' in part), [true])
  })

  test('the chunks of a chat carry both', async () => {
    const chunks = await readEvents(await ask('/v1/chat/completions', { model, stream: true, messages: [{ role: 'user', content: [{ type: 'text', text: instruction }, { type: 'image_url', image_url: { url: dataUrl } }] }] }))
    const deltas = chunks.flatMap(chunk => chunk.choices.map((choice: any) => choice.delta))
    assert.match(deltas.map(delta => delta.content ?? '').join(''), /^Edited: /)
    assert.equal(deltas.flatMap(delta => delta.images ?? []).length, 1)
  })
})

test('a server that is killed between storing the words and storing the picture has stored neither; afterwards both are there, once', async t => {
  const { url: databaseUrl, database, close } = await testDatabase()
  const dataDir = await mkdtemp(join(tmpdir(), 'plantain-describe-'))
  const environment = { ...testSettings({ databaseUrl, dataDir, upstreamUrl: 'http://127.0.0.1:9' }), PORT: String(await freePort()), SHUTDOWN_GRACE_S: '5' }
  const server = serverProcess(environment)
  t.after(async () => {
    await server.close()
    await close()
    await rm(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  })
  await server.start()
  const operator = await openOperator(readConfig(environment))
  const { secret } = await operator.keys.create({ name: 'Crash', livemode: false, scopes: ['admin'], expiresAt: null, limits: { requestsPerMinute: null, executionsPerDay: null, concurrent: null } })
  await operator.close()
  const call = async (path: string, body?: unknown, signal?: AbortSignal): Promise<any> => (await fetch(`http://127.0.0.1:${environment.PORT}${path}`, {
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }), headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' }, ...(signal ? { signal } : {}),
  })).json()
  const until = async (what: string, look: () => Promise<boolean>) => {
    for (const end = performance.now() + 240_000; performance.now() < end; await pause(25)) if (await look()) return
    throw new Error(`It did not come to this: ${what}.`)
  }

  // The words go into the task's row first, the picture into its own after that: whoever writes the picture waits for a lock that is ours.
  const lock = 20_261_129
  await database.query(`
    create function wait_for_the_test() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock(${lock}); return new; end $$;
    create trigger wait_for_the_test before insert on asset for each row when (new.kind = 'output') execute function wait_for_the_test()`)
  const [taken, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const holding = database.transaction(async client => {
    await client.query('select pg_advisory_xact_lock($1)', [lock])
    taken.resolve()
    await over.promise
  })
  await taken.promise
  const prompt = `${instruction} ${randomUUID()}`
  const abandoned = call('/v1/images/edits', { model, prompt, images: [{ image_url: dataUrl }] }).catch(() => null)
  await until('the picture is about to be written', async () => (await database.query(`select 1 from pg_locks where locktype = 'advisory' and not granted and objid = $1`, [lock])).rows.length > 0)
  await server.kill()
  await abandoned

  const stored = async () => (await database.query<{ id: string; state: string; text: string | null; pictures: number; captured: number }>(`
    select id, state, text, (select count(*)::int from asset where task_id = task.id and kind = 'output') as pictures,
      (select count(*)::int from ledger where task_id = task.id and kind = 'capture') as captured from task where prompt = $1`, [prompt])).rows
  const [left] = await stored()
  assert.deepEqual([left!.text, left!.pictures, left!.captured], [null, 0, 0], 'neither is there, and nothing was charged')
  assert.notEqual(left!.state, 'done')
  over.resolve()
  await holding
  await database.query('drop trigger wait_for_the_test on asset')

  await server.start()
  await until('it has been made', async () => (await stored())[0]!.state === 'done')
  const all = await stored()
  assert.deepEqual(all.map(({ text, pictures, captured }) => [typeof text, pictures, captured]), [['string', 1, 1]], 'both are there, once')
  // The same call again is given what was made for the one that was cut off, and after a second kill it still is.
  await server.kill()
  await server.start()
  const task = await call(`/plantain/v1/tasks/${left!.id}`)
  assert.match(task.text, /^Edited: /)
  const picture = Buffer.from(await (await fetch(task.outputs[0].url)).arrayBuffer())
  assert.equal((await sharp(picture).metadata()).format, 'png')
  assert.deepEqual(await audit(database), [])
})
