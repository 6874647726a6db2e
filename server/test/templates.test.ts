/**
 * Templates over HTTP: one used at every door, by the official clients where there is one; labels that move while they are used; what is locked
 * and what is wrong, in each dialect's words and at no cost; a project that takes nothing else.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI, { toFile } from 'openai'
import sharp from 'sharp'
import { testHouse, type TestHouse } from './kit/house.ts'

let house: TestHouse
before(async () => { house = await testHouse() })
after(async () => { await house?.close() })

interface Answered { status: number; headers: Headers; text: string; body: any }
const ask = async (method: string, path: string, body?: unknown, { key = house.testKey, headers = {} }: { key?: string; headers?: Record<string, string> } = {}): Promise<Answered> => {
  const answer = await fetch(house.url + path, { method, headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  const text = await answer.text()
  let parsed: unknown = null
  try { parsed = JSON.parse(text) } catch { /* a stream of events */ }
  return { status: answer.status, headers: answer.headers, text, body: parsed }
}
const native = (method: string, path: string, body?: unknown, options?: { key?: string; headers?: Record<string, string> }) => ask(method, `/plantain/v1${path}`, body, options)
const rows = async (what: string, values: unknown[] = []) => (await house.database.query(what, values)).rows as Record<string, any>[]
/** What there is, once nothing is being made any more. */
const happened = async () => {
  while ((await rows(`select from task where state not in ('done', 'failed', 'cancelled') limit 1`)).length > 0) await new Promise(resolve => { setTimeout(resolve, 20) })
  return counted()
}
const counted = async () => (await rows('select (select count(*)::int from task) as tasks, (select count(*)::int from ledger where task_id is not null) as moves, (select count(*)::int from event) as events, (select count(*)::int from asset) as assets'))[0]
const pixels = async (bytes: Buffer) => createHash('sha256').update(await sharp(bytes).raw().toBuffer()).digest('hex')
const fetched = async (url: string) => Buffer.from(await (await fetch(url)).arrayBuffer())
const photo = (background = '#c83c28') => sharp({ create: { width: 64, height: 64, channels: 3, background } }).png().toBuffer()
const upload = async (bytes: Buffer, key = house.testKey): Promise<string> => (await native('POST', '/assets', { base64: bytes.toString('base64') }, { key })).body.id
const made = async (slug: string, template: object, { publish = true, label, key = house.testKey }: { publish?: boolean; label?: string; key?: string } = {}) => {
  const { status, text } = await native('POST', '/templates', { slug, name: slug, template }, { key })
  assert.equal(status, 201, text)
  if (publish) assert.equal((await native('POST', `/templates/${slug}/publish`, label === undefined ? {} : { label }, { key })).status, 200)
}
const order = (model: string, more: object = {}, key = house.testKey) => native('POST', '/tasks?wait=60', { model, ...more }, { key })

const animal = {
  model: 'sandbox-1', prompt: 'A {{colour}} {{animal}}{{#place}} on {{place}}{{/place}}', style: 'watercolour',
  variables: [{ name: 'animal', type: 'text' }, { name: 'colour', type: 'choice', choices: ['red', 'blue'], default: 'red' }, { name: 'place', type: 'choice', choices: ['a hill', 'a beach'], required: false }],
  parameters: { seed: 7, aspect_ratio: '1:1', resolution: '512', output_format: 'png' }, locked: ['seed', 'aspect_ratio'],
}
const filled = 'A blue fox on a hill\n\nStyle: watercolour'
const words = '{"animal":"fox","colour":"blue","place":"a hill"}'

describe('one template, every door', () => {
  const model = 'template:animal@production'
  let wanted = ''
  before(async () => {
    await made('animal', animal, { label: 'production' })
    const { status, text, body, headers } = await order(model, { variables: JSON.parse(words) })
    assert.equal(status, 200, text)
    assert.equal(headers.get('x-template'), 'animal@1')
    assert.deepEqual([body.prompt, body.model, body.model_asked, body.template, body.parameters.seed], [filled, 'sandbox-1', model, { slug: 'animal', version: 1, label: 'production' }, 7])
    wanted = await pixels(await fetched(body.outputs[0].url))
  })

  /** The picture is the same, and the task says where it came from. */
  const same = async (picture: Buffer) => {
    assert.equal(await pixels(picture), wanted)
    const [task] = await rows('select prompt, template, model_asked from task order by id desc limit 1')
    assert.deepEqual([task!.prompt, task!.template.slug, task!.template.version, task!.model_asked], [filled, 'animal', 1, model])
  }
  const openai = () => new OpenAI({ apiKey: house.testKey, baseURL: `${house.url}/v1`, maxRetries: 0 })

  test('openai: images', async () => same(Buffer.from((await openai().images.generate({ model, prompt: words })).data![0]!.b64_json!, 'base64')))
  test('openai: responses, by the tool and as the model', async () => {
    for (const body of [{ model: 'gpt-5', tools: [{ type: 'image_generation', model }], input: words }, { model, input: words }]) {
      const { output } = await openai().responses.create(body as never) as OpenAI.Responses.Response
      await same(Buffer.from((output.find(item => item.type === 'image_generation_call') as { result: string }).result, 'base64'))
    }
  })
  test('openai: chat', async () => {
    const { choices } = await openai().chat.completions.create({ model, messages: [{ role: 'user', content: words }] })
    const [image] = (choices[0]!.message as unknown as { images: { image_url: { url: string } }[] }).images
    await same(Buffer.from(image!.image_url.url.split(',')[1]!, 'base64'))
  })
  test('openai: a row of a batch', async () => {
    const client = openai()
    const file = await client.files.create({ file: await toFile(Buffer.from(`${JSON.stringify({ custom_id: 'a', method: 'POST', url: '/v1/images/generations', body: { model, prompt: words } })}\n`), 'rows.jsonl'), purpose: 'batch' })
    const { id } = await client.batches.create({ input_file_id: file.id, endpoint: '/v1/images/generations' as never, completion_window: '24h' })
    let batch = await client.batches.retrieve(id)
    while (!batch.completed_at) { await new Promise(resolve => { setTimeout(resolve, 50) }); batch = await client.batches.retrieve(id) }
    const line = JSON.parse(await (await client.files.content(batch.output_file_id!)).text())
    await same(Buffer.from(line.response.body.data[0].b64_json, 'base64'))
  })
  test('gemini: by its client, and with the name escaped in the address', async () => {
    const google = new GoogleGenAI({ apiKey: house.testKey, httpOptions: { baseUrl: house.url } })
    const { candidates } = await google.models.generateContent({ model, contents: words, config: { responseModalities: ['IMAGE'] } })
    await same(Buffer.from(candidates![0]!.content!.parts!.find(part => part.inlineData)!.inlineData!.data!, 'base64'))
    for (const name of [model, encodeURIComponent(model), model.replace('@', '%40')]) {
      const { status, text, body } = await ask('POST', `/v1beta/models/${name}:generateContent`, { contents: [{ parts: [{ text: words }] }] })
      assert.equal(status, 200, text)
      await same(Buffer.from(body.candidates[0].content.parts.find((part: any) => part.inlineData).inlineData.data, 'base64'))
    }
  })
  test('anthropic', async () => {
    const client = new Anthropic({ apiKey: house.testKey, baseURL: house.url, maxRetries: 0 })
    const { content } = await client.messages.create({ model, max_tokens: 1_000, messages: [{ role: 'user', content: words }] })
    const image = content.find(block => (block as { type: string }).type === 'image') as unknown as { source: { data: string } } | undefined
    const link = /\((http[^)]+)\)/.exec((content.find(block => block.type === 'text') as { text: string } | undefined)?.text ?? '')?.[1]
    await same(image ? Buffer.from(image.source.data, 'base64') : await fetched(link!))
  })
  test('kie', async () => {
    const { body } = await ask('POST', '/api/v1/jobs/createTask', { model, input: { prompt: words } })
    assert.equal(body.code, 200, body.msg)
    await native('GET', `/tasks/${body.data.taskId}/wait`)
    const { data } = (await ask('GET', `/api/v1/jobs/recordInfo?taskId=${body.data.taskId}`)).body
    assert.equal(data.model, model)
    await same(await fetched(JSON.parse(data.resultJson).resultUrls[0]))
  })
  test('mcp', async () => {
    const { text } = await ask('POST', '/mcp', { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'generate_image', arguments: { model, prompt: words } } }, { headers: { accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2025-06-18' } })
    assert.match(text, /"structuredContent"/)
    const [task] = await rows('select id from task order by id desc limit 1')
    const { outputs } = (await native('GET', `/tasks/${task!.id}/wait`)).body
    await same(await fetched(outputs[0].url))
  })
  test('a node of a workflow, whose plan knows the price; another version is another result', async () => {
    const graph = { nodes: [{ id: 'a', kind: 'generate', settings: { model, prompt: words } }, { id: 'o', kind: 'output', settings: {} }], edges: [{ from: { node: 'a', port: 'image' }, to: { node: 'o', port: 'value' } }] }
    const begun = await native('POST', '/executions?wait=60', { graph })
    assert.equal(begun.body.state, 'done', begun.text)
    const [task] = await rows('select id from task order by id desc limit 1')
    await same(await fetched((await native('GET', `/tasks/${task!.id}`)).body.outputs[0].url))
    const again = await native('POST', '/executions?wait=60', { graph: { ...graph, nodes: [{ ...graph.nodes[0], settings: { model: 'template:animal@draft', prompt: words } }, graph.nodes[1]] } })
    assert.equal(again.body.state, 'done')
    assert.notEqual((await rows('select id from task order by id desc limit 1'))[0]!.id, task!.id, 'a draft is not the version it was made from')
  })
  test('a node whose words are still to come is priced before they are there', async () => {
    await made('numbered', { model: 'sandbox-1', prompt: 'House number {{n}}', variables: [{ name: 'n', type: 'integer', min: 1 }], parameters: { resolution: '512' } })
    const graph = {
      nodes: [{ id: 'p', kind: 'generate', settings: { model: 'sandbox-1', prompt: 'x', parameters: { resolution: '512' } } }, { id: 's', kind: 'describe', settings: {} }, { id: 'a', kind: 'generate', settings: { model: 'template:numbered' } }, { id: 'o', kind: 'output', settings: {} }],
      edges: [{ from: { node: 'p', port: 'image' }, to: { node: 's', port: 'image' } }, { from: { node: 's', port: 'text' }, to: { node: 'a', port: 'prompt' } }, { from: { node: 'a', port: 'image' }, to: { node: 'o', port: 'value' } }],
    }
    const { status, text, body } = await native('POST', '/executions/estimate', { graph })
    assert.deepEqual([status, body.warnings], [200, []], text)
    assert.ok(body.steps.find((step: any) => step.node === 'a').unit_price.micros > 0)
  })
  test('a form of the native door', async () => {
    const form = new FormData()
    form.set('model', model)
    form.set('variables', words)
    const { id } = await (await fetch(`${house.url}/plantain/v1/tasks?wait=60`, { method: 'POST', headers: { authorization: `Bearer ${house.testKey}` }, body: form })).json() as { id: string }
    await same(await fetched((await native('GET', `/tasks/${id}/wait`)).body.outputs[0].url))
  })
  test('wisdom-gate: a film whose length the template says', async () => {
    await made('film', { model: 'sora-2', operation: 'video', prompt: '{{prompt}} at dusk', variables: [{ name: 'prompt', type: 'text' }], parameters: { duration_s: 8, aspect_ratio: '16:9' }, locked: ['duration_s', 'aspect_ratio'] })
    const { status, text, body } = await ask('POST', '/v1/video', { model: 'template:film', prompt: 'waves' })
    assert.equal(status, 200, text)
    assert.deepEqual([body.model, body.seconds, body.prompt], ['template:film', '8', 'waves at dusk'])
    const spoken = await ask('POST', '/v1/videos', { model: 'template:film', prompt: 'waves' })
    assert.equal(spoken.status, 200, spoken.text)
    assert.equal((await rows('select parameters from task order by id desc limit 1'))[0]!.parameters.duration_s, 8)
    assert.equal(spoken.body.seconds, '8')
    assert.equal((await ask('POST', '/v1/video', { model: 'template:film', prompt: 'waves', seconds: '4' })).status, 400)
  })
  test('models are shown under the name where one is asked for', async () => {
    assert.equal((await ask('GET', `/v1/models/${model}`)).body.id, model)
    assert.equal((await ask('GET', `/v1beta/models/${model}`, undefined, { headers: { 'x-goog-api-key': house.testKey } })).status, 200)
    assert.equal((await native('GET', `/models/${encodeURIComponent(model)}`)).body.id, 'sandbox-1')
  })
  test('tasks are listed by it, also by version; a call back says it', async () => {
    const all = (await native('GET', '/tasks?template=animal&limit=100')).body.data
    assert.ok(all.length > 8 && all.every((task: any) => task.template.slug === 'animal'))
    assert.equal((await native('GET', '/tasks?template=animal@2')).body.data.length, 0)
    assert.equal((await native('GET', '/tasks?template=nobody')).body.data.length, 0)
    assert.equal((await native('GET', '/tasks?template=A%20B')).status, 400)
  })
})

test('a locked parameter is refused at every door, in its words, and nothing happens', async () => {
  const model = 'template:animal'
  const before = await happened()
  const refused = async (method: string, path: string, body: unknown, status: number, field: RegExp, headers: Record<string, string> = {}) => {
    const answer = await ask(method, path, body, { headers })
    assert.equal(answer.status, status, `${path}: ${answer.text}`)
    assert.match(answer.text, /locked by the template animal to/, path)
    assert.match(answer.text, field, path)
    return answer
  }
  const sentence = /aspect_ratio|aspectRatio/
  assert.equal((await refused('POST', '/plantain/v1/tasks', { model, prompt: words, parameters: { aspect_ratio: '16:9' } }, 400, sentence)).body.error.field, 'parameters.aspect_ratio')
  assert.equal((await refused('POST', '/plantain/v1/estimate', { model, prompt: words, parameters: { seed: 1 } }, 400, /seed/)).body.error.code, 'unsupported_parameter')
  assert.equal((await refused('POST', '/v1/images/generations', { model, prompt: words, size: '1536x864' }, 400, sentence)).body.error.param, 'aspect_ratio')
  await refused('POST', '/v1/responses', { model: 'gpt-5', input: words, tools: [{ type: 'image_generation', model, seed: 3 }] }, 400, /seed/)
  await refused('POST', '/v1/chat/completions', { model, messages: [{ role: 'user', content: words }], image_config: { aspect_ratio: '16:9' } }, 400, sentence)
  const google = await refused('POST', `/v1beta/models/${model}:generateContent`, { contents: [{ parts: [{ text: words }] }], generationConfig: { imageConfig: { aspectRatio: '16:9' } } }, 400, sentence)
  assert.equal(google.body.error.status, 'INVALID_ARGUMENT')
  assert.equal((await refused('POST', '/v1/messages', { model, max_tokens: 100, messages: [{ role: 'user', content: words }], image: { aspect_ratio: '16:9' } }, 400, sentence, { 'anthropic-version': '2023-06-01' })).body.error.type, 'invalid_request_error')
  assert.ok((await refused('POST', '/api/v1/jobs/createTask', { model, input: { prompt: words, aspect_ratio: '16:9' } }, 200, sentence)).body.code >= 400)
  assert.match((await refused('POST', '/mcp', { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'generate_image', arguments: { model, prompt: words, aspect_ratio: '16:9' } } }, 200, sentence, { accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2025-06-18' })).text, /"isError":true/)
  assert.deepEqual(await happened(), before)
})

describe('bad input costs nothing', () => {
  const wrong: [what: string, body: object, status: number, code: string, field: string][] = [
    ['a template nobody made', { model: 'template:nobody', prompt: 'x' }, 404, 'unknown_model', 'model'],
    ['no slug', { model: 'template:', prompt: 'x' }, 404, 'unknown_model', 'model'],
    ['a slug in capitals', { model: 'template:Animal', prompt: 'x' }, 404, 'unknown_model', 'model'],
    ['a version there is not', { model: 'template:animal@99', prompt: words }, 404, 'unknown_model', 'model'],
    ['a label there is not', { model: 'template:animal@staging', prompt: words }, 404, 'unknown_model', 'model'],
    ['two labels', { model: 'template:animal@a@b', prompt: words }, 404, 'unknown_model', 'model'],
    ['SQL for a label', { model: 'template:animal@\'; drop table task', prompt: words }, 404, 'unknown_model', 'model'],
    ['a variable that is missing', { model: 'template:animal', variables: {} }, 400, 'bad_request', 'variables.animal'],
    ['no prompt at all', { model: 'template:animal' }, 400, 'bad_request', 'variables.animal'],
    ['one it does not have', { model: 'template:animal', variables: { animal: 'fox', size: 3 } }, 400, 'bad_request', 'variables.size'],
    ['one of another type', { model: 'template:animal', variables: { animal: 5 } }, 400, 'bad_request', 'variables.animal'],
    ['a list for a text', { model: 'template:animal', variables: { animal: ['fox'] } }, 400, 'bad_request', 'variables.animal'],
    ['a choice there is not', { model: 'template:animal', variables: { animal: 'fox', colour: 'green' } }, 400, 'bad_request', 'variables.colour'],
    ['a variable twice', { model: 'template:animal', prompt: 'fox', variables: { animal: 'hare' } }, 400, 'bad_request', 'variables.animal'],
    ['NUL in a value', { model: 'template:animal', prompt: '{"animal":"a\\u0000b"}' }, 400, 'bad_request', 'variables.animal'],
    ['a name of an object\'s own', { model: 'template:animal', variables: { animal: 'fox', constructor: 'x' } }, 400, 'bad_request', 'variables.constructor'],
    ['a value that is too long once it is filled in', { model: 'template:animal', variables: { animal: 'x'.repeat(300_000) } }, 400, 'bad_request', 'variables.animal'],
    ['variables without a template', { model: 'sandbox-1', prompt: 'x', variables: { a: 1 } }, 400, 'bad_request', 'variables'],
    ['variables that are text', { model: 'template:animal', variables: 'fox' }, 400, 'bad_request', 'variables'],
    ['a parameter the model does not have', { model: 'template:animal', variables: { animal: 'fox' }, parameters: { wings: 2 } }, 400, 'unsupported_parameter', 'parameters.wings'],
    ['another operation', { model: 'template:film', prompt: 'x', operation: 'edit' }, 400, 'unsupported_parameter', 'operation'],
    ['a picture that is not there', { model: 'template:room', inputs: ['f'.repeat(32)] }, 400, 'bad_input_image', 'inputs[0]'],
    ['a picture by a link', { model: 'template:room', variables: { room: 'https://a.example/b.png' } }, 400, 'bad_request', 'variables.room'],
    ['no picture', { model: 'template:room' }, 400, 'bad_request', 'variables.room'],
    ['words where there is no place for them', { model: 'template:room', prompt: 'hello' }, 400, 'bad_request', 'prompt'],
    ['a draft that is not sound under a live key', { model: 'template:animal@draft', prompt: words }, 404, 'unknown_model', 'model'],
    ['one that was never published', { model: 'template:unpublished', prompt: 'x' }, 404, 'unknown_model', 'model'],
    ['a trigger there is not', { model: 'template:animal', variables: { animal: 'sandbox:nonsense' } }, 400, 'bad_request', 'prompt'],
  ]
  before(async () => {
    await made('room', { model: 'sandbox-1', prompt: 'Paint {{room}} green', variables: [{ name: 'room', type: 'image' }] })
    await made('unpublished', { model: 'sandbox-1', prompt: 'x' }, { publish: false })
  })
  for (const [what, body, status, code, field] of wrong) {
    test(what, async () => {
      const before = await happened()
      const answer = await native('POST', '/tasks', body, { key: what.includes('live key') ? house.liveKey : house.testKey })
      assert.deepEqual([answer.status, answer.body.error.code, answer.body.error.field], [status, code, field], answer.text)
      assert.deepEqual(await happened(), before)
    })
  }
  test('in the words of every dialect', async () => {
    const before = await happened()
    const model = 'template:animal'
    const bad = '{"animal":"fox","colour":"green"}'
    const says = async (path: string, body: unknown, status: number, headers: Record<string, string> = {}) => {
      const answer = await ask('POST', path, body, { headers })
      assert.equal(answer.status, status, answer.text)
      assert.match(answer.text, /colour must be one of red, blue/, path)
    }
    await says('/v1/images/generations', { model, prompt: bad }, 400)
    await says(`/v1beta/models/${model}:generateContent`, { contents: [{ parts: [{ text: bad }] }] }, 400)
    await says('/v1/messages', { model, max_tokens: 9, messages: [{ role: 'user', content: bad }] }, 400, { 'anthropic-version': '2023-06-01' })
    await says('/api/v1/jobs/createTask', { model, input: { prompt: bad } }, 200)
    const missing = 'template:animal@staging'
    assert.equal((await ask('POST', '/v1/images/generations', { model: missing, prompt: words })).body.error.code, 'model_not_found')
    assert.match((await ask('POST', '/v1/images/generations', { model: missing, prompt: words })).body.error.message, /has no label staging.*labels production/)
    assert.equal((await ask('POST', `/v1beta/models/${missing}:generateContent`, { contents: [] })).body.error.status, 'NOT_FOUND')
    assert.equal((await ask('POST', '/v1/messages', { model: missing, max_tokens: 9, messages: [{ role: 'user', content: 'x' }] }, { headers: { 'anthropic-version': '2023-06-01' } })).body.error.type, 'not_found_error')
    assert.equal((await ask('POST', '/api/v1/jobs/createTask', { model: missing, input: {} })).body.code, 422)
    assert.deepEqual(await happened(), before)
  })
  test('what is saved is sound', async () => {
    const before = [await happened(), await rows('select count(*)::int from template')]
    const base = { model: 'sandbox-1', prompt: 'x' }
    const unsound: [what: object, code: string, field: string][] = [
      [{ ...base, model: 'nobody' }, 'unknown_model', 'model'], [{ ...base, model: 'template:animal' }, 'unknown_model', 'model'], [{ ...base, prompt: '{{x}}' }, 'bad_request', 'prompt'],
      [{ ...base, parameters: { wings: 2 } }, 'unsupported_parameter', 'parameters.wings'], [{ ...base, parameters: { aspect_ratio: '7:1' } }, 'unsupported_parameter', 'parameters.aspect_ratio'], [{ ...base, locked: ['wings'] }, 'unsupported_parameter', 'locked[0]'],
      [{ ...base, inputs: ['f'.repeat(32)] }, 'bad_input_image', 'inputs[0]'], [{ ...base, inputs: ['photo.png'] }, 'bad_input_image', 'inputs[0]'], [{ ...base, operation: 'fly' }, 'bad_request', 'template.operation'],
      [{ ...base, variables: [{ name: 'a b', type: 'text' }] }, 'bad_request', 'variables[0].name'], [{ ...base, variables: [{ name: 'a', type: 'colour' }] }, 'bad_request', 'template.variables[0].type'], [{ ...base, prompt: '' }, 'bad_request', 'prompt'],
      [{ ...base, model: 'imagen-4', variables: [{ name: 'room', type: 'image' }] }, 'unsupported_parameter', 'inputs'],
    ]
    for (const [template, code, field] of unsound) {
      const answer = await native('POST', '/templates', { slug: 'unsound', name: 'x', template })
      assert.deepEqual([answer.body.error?.code, answer.body.error?.field], [code, field], answer.text)
    }
    for (const slug of ['Upper', 'a b', '-a', 'x'.repeat(81), '']) assert.equal((await native('POST', '/templates', { slug, name: 'x', template: base })).status, 400, slug)
    assert.equal((await native('POST', '/templates', { slug: 'animal', name: 'x', template: base })).status, 409)
    assert.deepEqual([await happened(), await rows('select count(*)::int from template')], before)
  })
})

describe('versions and labels', () => {
  const body = (prompt: string) => ({ model: 'sandbox-1', prompt, parameters: { resolution: '512' } })
  const at = async (name: string, key?: string) => { const { body, text } = await order(`template:moving${name}`, { prompt: '' }, key); return body.template?.version ?? body.template?.revision ?? text }

  test('a draft is worked on apart, and what is published never changes', async () => {
    await made('moving', body('one'))
    assert.equal(await at(''), 1)
    assert.equal((await native('PATCH', '/templates/moving', { template: body('two'), revision: 1 })).body.revision, 2)
    assert.equal(await at(''), 1)
    const { body: draft } = await order('template:moving@draft')
    assert.deepEqual([draft.prompt, draft.template], ['two', { slug: 'moving', version: null, revision: 2 }])
    const stale = await native('PATCH', '/templates/moving', { template: body('three'), revision: 1 })
    assert.deepEqual([stale.status, stale.body.error.code], [409, 'conflict'])
    assert.equal((await native('POST', '/templates/moving/publish', { revision: 1 })).status, 409)
    assert.equal((await native('POST', '/templates/moving/publish', { note: 'two', revision: 2 })).body.number, 2)
    assert.equal((await native('POST', '/templates/moving/publish', {})).body.number, 2, 'the same is no new version')
    assert.equal((await native('GET', '/templates/moving/versions/1')).body.template.prompt, 'one')
    assert.equal((await native('GET', '/templates/moving/versions/3')).status, 404)
    assert.equal(await at(''), 2, 'without production, the newest')
    assert.equal(await at('@1'), 1)
  })
  test('a label moves while it is used: every order has one version or the other, and says which', async () => {
    const move = (version: number) => native('PUT', '/templates/moving/labels/production', { version })
    assert.equal((await move(1)).body.labels.production, 1)
    assert.equal(await at(''), 1)
    let moving = true
    const mover = (async () => { for (let version = 2; moving; version = 3 - version) assert.equal((await move(version)).status, 200) })()
    const answers = await Promise.all(Array.from({ length: 16 }, async () => (await order('template:moving@production')).body))
    moving = false
    await mover
    for (const { prompt, template } of answers) assert.equal(prompt, template.version === 1 ? 'one' : 'two')
    assert.equal((await move(2)).status, 200)
    assert.equal(await at('@production'), 2)
    assert.equal((await move(9)).status, 404)
    for (const label of ['draft', 'Two', '7', 'a@b']) assert.equal((await native('PUT', `/templates/moving/labels/${encodeURIComponent(label)}`, { version: 1 })).status, 400, label)
    assert.equal((await native('DELETE', '/templates/moving/labels/production')).status, 200)
    assert.equal((await native('DELETE', '/templates/moving/labels/production')).status, 404)
    assert.ok((await rows(`select details from audit where act = 'template.labelled'`)).length >= 3)
  })
  test('a repetition is told by what was asked for, not by what a label makes of it', async () => {
    await native('PUT', '/templates/moving/labels/production', { version: 1 })
    const once = () => native('POST', '/tasks', { model: 'template:moving@production' }, { headers: { 'idempotency-key': 'moved' } })
    const first = await once()
    await native('PUT', '/templates/moving/labels/production', { version: 2 })
    const second = await once()
    assert.deepEqual([second.body.id, second.headers.get('idempotent-replayed')], [first.body.id, 'true'])
    assert.equal((await native('POST', '/tasks', { model: 'template:moving@1' }, { headers: { 'idempotency-key': 'moved' } })).status, 422)
  })
  test('who makes tasks writes drafts; who administers publishes; others see nothing of it', async () => {
    const other = await house.newAccount({ scopes: ['tasks:read', 'tasks:write'] })
    await made('mine', body('mine'), { key: other.testKey, publish: false })
    for (const [method, path, sent] of [['POST', '/templates/mine/publish', {}], ['PUT', '/templates/mine/labels/production', { version: 1 }], ['DELETE', '/templates/mine', undefined]] as const) assert.equal((await native(method, path, sent, { key: other.testKey })).status, 403, path)
    assert.equal((await native('GET', '/templates/mine')).status, 404)
    assert.equal((await native('GET', '/templates/moving', undefined, { key: other.testKey })).status, 404)
    assert.equal((await order('template:moving', {}, other.testKey)).body.error.code, 'unknown_model')
    assert.deepEqual((await native('GET', '/templates', undefined, { key: other.testKey })).body.data.map((one: any) => one.slug), ['mine'])
  })
  test('a page goes on where the one before ended', async () => {
    const first = (await native('GET', '/templates?limit=2')).body
    const second = (await native('GET', `/templates?limit=2&after=${first.next}`)).body
    assert.equal(first.has_more, true)
    assert.ok(second.data[0].slug > first.data[1].slug)
  })
  test('removed, its tasks keep what they say of it', async () => {
    await made('gone', body('gone'))
    const { body: task } = await order('template:gone')
    assert.equal((await native('DELETE', '/templates/gone')).status, 204)
    assert.equal((await native('DELETE', '/templates/gone')).status, 404)
    assert.equal((await order('template:gone')).status, 404)
    assert.deepEqual((await native('GET', `/tasks/${task.id}`)).body.template, { slug: 'gone', version: 1 })
  })
})

describe('pictures', () => {
  test('a template\'s own serve both modes, outlive the upload, and go with the template', async () => {
    const asset = await upload(await photo())
    const template = { model: 'rehearsal-1', prompt: 'Like the picture: {{prompt}}', variables: [{ name: 'prompt', type: 'text' }], inputs: [{ asset, role: 'reference' }] }
    await made('styled', template)
    assert.equal((await native('DELETE', `/assets/${asset}`)).status, 204)
    const { body: saved } = await native('GET', '/templates/styled')
    assert.notEqual(saved.draft.inputs[0].asset, asset)
    for (const key of [house.testKey, house.liveKey]) {
      const { status, body, text } = await order('template:styled', { prompt: 'a cup' }, key)
      assert.deepEqual([status, body.state, body.inputs.length, body.operation], [200, 'done', 1, 'edit'], text)
    }
    // Also where the address says that there is no picture.
    const spoken = await ask('POST', '/v1/images/generations', { model: 'template:styled', prompt: 'a cup' })
    assert.equal(spoken.status, 200, spoken.text)
    const kept = async () => (await rows('select count(*)::int as n from asset where id = $1', [saved.draft.inputs[0].asset]))[0]!.n
    assert.equal((await native('PATCH', '/templates/styled', { template: { ...template, inputs: [saved.draft.inputs[0].asset] } })).body.draft.inputs[0].asset, saved.draft.inputs[0].asset, 'what is known is not copied')
    await native('PATCH', '/templates/styled', { template: { ...template, inputs: [] } })
    assert.equal(await kept(), 1, 'a published version still needs it')
    await native('DELETE', '/templates/styled')
    assert.equal(await kept(), 0)
  })
  test('drafts written at once keep the pictures of the one that stays, and no others', async () => {
    const { testKey: key } = await house.newAccount({ scopes: ['admin'] })
    const uploads: string[] = []
    for (let index = 0; index < 6; index++) uploads.push((await native('POST', '/assets', { base64: (await photo()).toString('base64') }, { key })).body.id)
    const body = (inputs: unknown[]) => ({ model: 'sandbox-1', prompt: 'x', inputs })
    const saved = await native('POST', '/templates', { slug: 'busy', name: 'Busy', template: body([uploads[0]]) }, { key })
    assert.equal(saved.status, 201, saved.text)
    const kept = saved.body.draft.inputs[0].asset
    const answers = await Promise.all(uploads.map((one, index) => native('PATCH', '/templates/busy', { template: body(index % 2 === 0 ? [kept, one] : [one]) }, { key })))
    assert.ok(answers.some(({ status }) => status === 200), answers[0]!.text)
    for (const { status, text } of answers) assert.ok(status === 200 || status === 409, text)
    const { draft } = (await native('GET', '/templates/busy', undefined, { key })).body
    const left = (await rows('select a.id from asset a where a.project_id = (select project_id from asset where id = $1) and not a.livemode and a.id <> all($2::uuid[]) order by a.id', [uploads[0], uploads])).map(row => row.id.replaceAll('-', ''))
    assert.deepEqual(left, draft.inputs.map((one: any) => one.asset.replaceAll('-', '')).toSorted())
  })
  test('what a caller sends fills the variables in order, at any door', async () => {
    await made('put', { model: 'nano-banana-2', prompt: 'Put {{chair}} into {{room}}', variables: [{ name: 'room', type: 'image' }, { name: 'chair', type: 'image' }] })
    const [room, chair] = await Promise.all([upload(await photo('#aabbcc')), upload(await photo('#112233'))])
    const one = (await order('template:put', { inputs: [room, chair] })).body
    assert.deepEqual([one.prompt, one.inputs.map((input: any) => input.asset)], ['Put image 2 into image 1', [room, chair]])
    const two = (await order('template:put', { variables: { chair }, inputs: [room] })).body
    assert.deepEqual(two.inputs.map((input: any) => input.asset), [room, chair])
    const client = new OpenAI({ apiKey: house.testKey, baseURL: `${house.url}/v1`, maxRetries: 0 })
    const edited = await client.images.edit({ model: 'template:put', prompt: '{}', image: [await toFile(await photo('#aabbcc'), 'a.png', { type: 'image/png' }), await toFile(await photo('#112233'), 'b.png', { type: 'image/png' })] })
    assert.equal(edited.data!.length, 1)
    assert.equal((await rows('select prompt from task order by id desc limit 1'))[0]!.prompt, 'Put image 2 into image 1')
    const kie = await ask('POST', '/api/v1/jobs/createTask', { model: 'template:put', input: { prompt: '{}', image_input: [one.outputs[0].url, two.outputs[0].url] } })
    assert.equal(kie.body.code, 200, kie.text)
  })
})

test('every mistake is told in the one sentence a dialect has room for', async () => {
  await made('strict', { model: 'sandbox-1', prompt: '{{thing}} {{surface}}', variables: [{ name: 'thing', type: 'text' }, { name: 'surface', type: 'choice', choices: ['oak', 'linen'] }] })
  const before = await happened()
  const both = /thing is missing.*surface must be one of oak, linen\./
  const prompt = '{"surface":"silk"}'
  const openai = await ask('POST', '/v1/images/generations', { model: 'template:strict', prompt })
  assert.deepEqual([openai.status, openai.body.error.param], [400, 'variables.thing'], openai.text)
  const gemini = await ask('POST', '/v1beta/models/template:strict:generateContent', { contents: [{ parts: [{ text: prompt }] }] })
  const own = await order('template:strict', { prompt })
  for (const { body } of [openai, gemini, own]) assert.match(body.error.message, both)
  assert.deepEqual(await happened(), before)
})

test('a rendering shows what an order would be, and buys nothing', async () => {
  const before = await happened()
  const { status, body, text } = await native('POST', '/templates/animal/render', { variables: JSON.parse(words), at: '1' })
  assert.equal(status, 200, text)
  assert.deepEqual([body.prompt, body.template, body.variables, body.estimate.model, body.estimate.parameters.seed], [filled, { slug: 'animal', version: 1 }, JSON.parse(words), 'sandbox-1', 7])
  assert.equal((await native('POST', '/templates/animal/render', { variables: {} })).status, 400)
  assert.equal((await native('POST', '/templates/nobody/render', {})).status, 404)
  assert.equal((await native('POST', '/templates/animal/render', { at: 'nowhere', prompt: words })).status, 404)
  assert.deepEqual(await happened(), before)
})

test('a project that takes templates only', async () => {
  const mine = await house.newAccount({ scopes: ['admin'] })
  const plain = { model: 'sandbox-1', prompt: 'x' }
  const graph = { nodes: [{ id: 'a', kind: 'generate', settings: { model: 'sandbox-1', prompt: 'x' } }, { id: 'o', kind: 'output', settings: {} }], edges: [{ from: { node: 'a', port: 'image' }, to: { node: 'o', port: 'value' } }] }
  await made('only', { model: 'sandbox-1', prompt: 'x', parameters: { resolution: '512' } }, { key: mine.testKey })
  assert.equal((await native('PATCH', '/project', { templates_only: true }, { key: mine.testKey })).body.templates_only, true)
  const before = await happened()
  const refused = await native('POST', '/tasks', plain, { key: mine.testKey })
  assert.deepEqual([refused.status, refused.body.error.code, refused.body.error.field], [403, 'forbidden', 'model'])
  assert.equal((await native('POST', '/estimate', plain, { key: mine.testKey })).status, 403)
  assert.equal((await native('POST', '/sessions', { model: 'sandbox-1' }, { key: mine.testKey })).status, 403)
  assert.equal((await ask('POST', '/v1/images/generations', plain, { key: mine.testKey })).status, 403)
  assert.equal((await ask('POST', '/v1beta/models/sandbox-1:generateContent', { contents: [{ parts: [{ text: 'x' }] }] }, { key: mine.testKey })).body.error.status, 'PERMISSION_DENIED')
  assert.match((await ask('POST', '/api/v1/jobs/createTask', { model: 'sandbox-1', input: { prompt: 'x' } }, { key: mine.testKey })).body.msg, /do not have access/)
  const run = (await native('POST', '/executions?wait=60', { graph }, { key: mine.testKey })).body
  assert.equal(run.state, 'failed', 'a workflow is no way around it')
  assert.deepEqual((await happened())!.tasks, before!.tasks)
  assert.equal((await order('template:only', {}, mine.testKey)).body.state, 'done')
  assert.equal((await native('PATCH', '/project', { templates_only: 'yes' }, { key: mine.testKey })).status, 400)
  assert.deepEqual((await rows(`select details from audit where act = 'project.changed' and project_id = $1`, [mine.projectId])).map(row => row.details), [{ templates_only: { from: false, to: true } }])
  assert.equal((await native('PATCH', '/project', { templates_only: false }, { key: mine.testKey })).body.templates_only, false)
  assert.equal((await native('POST', '/tasks', plain, { key: mine.testKey })).status, 202)
})

test('a webhook says which template it was', async () => {
  const { writeTaskEvent } = await import('../src/protocols/native/view.ts')
  const { body } = await order('template:animal', { prompt: words })
  const { rows: [row] } = await house.database.query<{ project_id: string }>('select project_id from task where id = $1', [body.id])
  const task = await house.house.engine.find({ projectId: row!.project_id, livemode: false }, body.id)
  assert.equal(JSON.parse(writeTaskEvent('task.completed', task!, () => 'x')).data.template.slug, 'animal')
})

test('the books add up', async () => assert.deepEqual(await house.audit(), []))
