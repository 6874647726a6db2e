/** Wireflow's front door from outside: the curls of its article and docs, every call of its clients, both forms of errors, money, keys, webhooks. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { grant } from '../src/ledger/ledger.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { paint } from './upstreams/loopback.ts'

let house: TestHouse
before(async () => { house = await testHouse({ settings: { DATABASE_POOL: '10' } }) })
after(() => house?.close())

interface Answer { status: number; body: any; headers: Headers }
interface Options { key?: string | null; headers?: Record<string, string> }

async function ask(method: string, path: string, body?: unknown, { key = house.testKey, headers = {} }: Options = {}): Promise<Answer> {
  const isForm = body instanceof FormData
  const answer = await fetch(`${house.url}/api/v1${path}`, {
    method, headers: { ...(key === null ? {} : { authorization: `Bearer ${key}` }), ...(body === undefined || isForm ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: isForm ? body : typeof body === 'string' ? body : JSON.stringify(body) }) })
  const text = await answer.text()
  // On every answer, a no included.
  for (const header of ['x-request-id', 'x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset']) assert.ok(answer.headers.get(header), `${method} ${path} has no ${header}`)
  assert.ok(Number(answer.headers.get('x-ratelimit-reset')) > Date.now() / 1_000 - 1)
  return { status: answer.status, body: text === '' ? null : JSON.parse(text), headers: answer.headers }
}

/** Polls until it has ended, as any client does. */
async function ended(id: string, options: Options = {}): Promise<any> {
  for (let looks = 0; looks < 4_800; looks++) {
    const { status, body } = await ask('GET', `/workflows/executions/${id}/poll`, undefined, options)
    assert.equal(status, 200, JSON.stringify(body))
    assert.deepEqual(body.data.status, body.status)
    if (body.status !== 'RUNNING') return body
    await pause(25)
  }
  throw new Error(`${id} does not end.`)
}

const bytesOf = async (url: string) => Buffer.from(await (await fetch(url)).arrayBuffer())
const sizeOf = async (url: string) => { const { width, height, format } = await sharp(await bytesOf(url)).metadata(); return { width, height, format } }
const stateOf = (body: any, nodeId: string) => body.nodeStates.find((one: any) => one.nodeId === nodeId)
const runOf = (body: any, nodeId: string) => body.nodeResults.nodeRuns.find((one: any) => one.nodeId === nodeId)
const count = async (table: string) => (await house.database.query<{ count: number }>(`select count(*)::int as count from ${table}`)).rows[0]!.count
/** What a call can leave behind. */
const traces = async () => ({ tasks: await count('task'), executions: await count('execution'), ledger: await count('ledger'), workflows: await count('workflow'), assets: await count('asset'), triggers: await count('workflow_trigger') })

const quiet = async () => { for (let looks = 0; looks < 4_800 && (await house.database.query(`select 1 from execution where state = 'running' limit 1`)).rows.length > 0; looks++) await pause(25) }

const text = (id: string, prompt: string | null, more: object = {}) => ({ id, type: 'basedNode', position: { x: 100, y: 200 }, data: { label: 'Prompt', nodeType: 'input:text', category: 'input', config: prompt === null ? {} : { prompt }, ...more } })
const made = (id: string, config: object = {}, more: object = {}) => ({ id, type: 'basedNode', position: { x: 500, y: 200 }, data: { label: 'Picture', nodeType: 'generate:sandbox_1', category: 'generate', config: { resolution: '512', ...config }, ...more } })
const wire = (from: string, to: string, id?: string) => { const [[source, out], [target, into]] = [from.split('.'), to.split('.')]; return { ...(id ? { id } : {}), source: source!, target: target!, sourceHandle: `out-${out}`, targetHandle: `in-${into}` } }
const poster = (prompt: string | null = 'a poster of a fox') => ({ name: 'Poster', description: 'One picture', tags: ['test'], nodes: [text('input-1', prompt), made('gen-1')], edges: [wire('input-1.prompt', 'gen-1.prompt', 'e1')] })
const save = async (body: object = poster(), options: Options = {}) => {
  const { status, body: saved } = await ask('POST', '/workflows', body, options)
  assert.equal(status, 201, JSON.stringify(saved))
  return saved
}
const begun = async (path: string, body: object, options: Options = {}) => {
  const { status, body: answer } = await ask('POST', path, body, options)
  assert.ok(status === 201 || status === 202, JSON.stringify(answer))
  return answer
}
const run = async (path: string, body: object, options: Options = {}) => ended((await begun(path, body, options)).executionId, options)

// The article and the docs, by curl -------------------------------------------------------------------------------------

const shell = promisify(execFile)
/** Runs a command as it stands in an article: only host, key and the words to fill in are others. Gives what is printed, with the status behind it. */
async function curl(command: string, words: Record<string, string> = {}): Promise<{ status: number; body: any }> {
  let filled = command.replaceAll('https://www.wireflow.ai', house.url).replaceAll('sk-your-api-key', house.testKey)
  for (const [word, value] of Object.entries(words)) filled = filled.replaceAll(word, value)
  const { stdout } = await shell('bash', ['-c', `${filled} -s -w '\\n%{http_code}'`])
  const lines = stdout.trimEnd().split('\n')
  return { status: Number(lines.at(-1)), body: JSON.parse(lines.slice(0, -1).join('\n')) }
}

const step2 = String.raw`curl -X POST https://www.wireflow.ai/api/v1/workflows/YOUR_WORKFLOW_ID/execute \
  -H "Authorization: Bearer sk-your-api-key" \
  -H "Content-Type: application/json" \
  -d '{
    "nodes": [
      {
        "id": "input-1",
        "type": "basedNode",
        "data": {
          "nodeType": "input:text",
          "category": "input",
          "params": {
            "prompt": "A golden retriever sitting in a sunlit meadow, photorealistic, 4K"
          }
        }
      },
      {
        "id": "gen-1",
        "type": "basedNode",
        "data": {
          "nodeType": "generate:nano_banana_pro",
          "category": "generate",
          "params": {
            "resolution": "2K",
            "aspect_ratio": "16:9"
          }
        }
      }
    ],
    "edges": [
      {
        "source": "input-1",
        "target": "gen-1",
        "sourceHandle": "out-prompt",
        "targetHandle": "in-prompt"
      }
    ]
  }'`
const step3 = String.raw`curl https://www.wireflow.ai/api/v1/workflows/executions/YOUR_EXECUTION_ID/poll \
  -H "Authorization: Bearer sk-your-api-key"`
const step6 = String.raw`curl -X POST https://www.wireflow.ai/api/v1/workflow/YOUR_WEBHOOK_ID/trigger \
  -H "Content-Type: application/json" \
  -d '{"prompt": "A minimalist product shot of a white sneaker on marble"}'`

describe('the article', () => {
  test('its three curls, unmodified but for host and key, make what they say', async () => {
    const { id, webhookId } = await save({ ...poster(), name: 'Of the article', webhookId: 'new' })
    const two = await curl(step2, { YOUR_WORKFLOW_ID: id })
    assert.deepEqual([two.status, two.body.status, two.body.executionId, two.body.workflowId], [201, 'RUNNING', two.body.executionRuns[0].id, id])
    let three = await curl(step3, { YOUR_EXECUTION_ID: two.body.executionId })
    for (let looks = 0; three.body.status === 'RUNNING' && looks < 2_400; looks++) { await pause(50); three = await curl(step3, { YOUR_EXECUTION_ID: two.body.executionId }) }
    assert.deepEqual([three.status, three.body.status], [200, 'COMPLETED'], JSON.stringify(three.body.error))
    const { output } = runOf(three.body, 'gen-1')
    const size = await sizeOf(output.url)
    assert.ok(size.width >= 2_000 && Math.abs(size.width / size.height - 16 / 9) < 0.03, JSON.stringify(size))
    assert.deepEqual([output.images[0].width, output.images[0].height, output.images[0].url], [size.width, size.height, output.url])
    assert.ok(three.body.durationMs > 0 && three.body.creditsUsed >= 0 && three.body.finalOutput.url === output.url)

    const six = await curl(step6, { YOUR_WEBHOOK_ID: webhookId })
    assert.deepEqual([six.status, six.body.status, six.body.message], [202, 'queued', 'Workflow execution queued successfully'])
    const triggered = await ended(six.body.executionId)
    assert.deepEqual([triggered.status, stateOf(triggered, 'input-1').text], ['COMPLETED', 'A minimalist product shot of a white sneaker on marble'])
  })

  test('the forms of the docs: values on data itself, a node without handles, inputs without a graph', async () => {
    const { id } = await save()
    const executions = await curl(String.raw`curl -X POST https://www.wireflow.ai/api/v1/workflows/WORKFLOW/execute -H "Authorization: Bearer sk-your-api-key" -H "Content-Type: application/json" \
      -d '{"nodes":[{"id":"node-1","type":"model","position":{"x":0,"y":0},"data":{"label":"Text to Image","nodeType":"model:fal:text-to-image","category":"model","prompt":"A serene mountain landscape","inputs":[],"outputs":[]}}],"edges":[]}'`, { WORKFLOW: id })
    assert.equal(executions.status, 201, JSON.stringify(executions.body))
    assert.equal((await ended(executions.body.executionRuns[0].id)).status, 'COMPLETED')
    const index = await curl(String.raw`curl -X POST https://www.wireflow.ai/api/v1/workflows/WORKFLOW/execute -H "Authorization: Bearer sk-your-api-key" -H "Content-Type: application/json" -d '{"inputs":{"prompt":"a cat"}}'`, { WORKFLOW: id })
    assert.equal(index.status, 201)
    const done = await curl(String.raw`curl https://www.wireflow.ai/api/v1/workflows/executions/ID -H "Authorization: Bearer sk-your-api-key"`, { ID: (await ended(index.body.executionId)).executionId })
    assert.deepEqual([done.body.status, done.body.inputs, stateOf(done.body, 'input-1').text], ['COMPLETED', { 'input-1': 'a cat' }, 'a cat'])
    const bare = await run(`/workflows/${id}/execute`, { nodes: [text('a', 'a red ball'), made('b')], edges: [{ source: 'a', target: 'b' }] })
    assert.equal(bare.status, 'COMPLETED')
  })
})

// Saved workflows -------------------------------------------------------------------------------------------------------

describe('a saved workflow', () => {
  test('comes back as it was drawn', async () => {
    const nodes = [
      { ...text('input-1', 'a fox'), measured: { width: 300, height: 140 }, data: { ...text('input-1', 'a fox').data, description: 'What to paint', inputs: [], outputs: [{ id: 'prompt', type: 'TEXT', label: 'Prompt' }] } },
      { id: 'note', type: 'stickyNote', position: { x: 1, y: 2 }, style: { width: 200, height: 100 }, data: { nodeType: 'utility:sticky_note', text: 'Remember the ears' } },
      { id: 'group', type: 'custom_group', position: { x: 0, y: 0 }, data: { childNodeIds: ['input-1', 'gen-1'] } },
      { ...made('gen-1', { aspect_ratio: '16:9' }), data: { ...made('gen-1').data, output: null, result: null, selectedIndex: 0 } },
    ]
    const edges = [{ ...wire('input-1.prompt', 'gen-1.prompt', 'e1'), animated: true }]
    const saved = await save({ name: 'Drawn', nodes, edges, mediaId: 'media-1', webhookUrl: 'https://hooks.example/x' })
    assert.deepEqual([saved.data.id, saved.meta, saved.diagnostics.counts], [saved.id, { migrations: [], warnings: [] }, { error: 0, warning: 0, info: 0 }])
    const { body, status } = await ask('GET', `/workflows/${saved.id}`)
    assert.equal(status, 200)
    assert.deepEqual(body.nodes.map(({ dims: _dims, ...node }: any) => node), nodes)
    assert.deepEqual([body.edges, body.nodes[0].dims, body.nodes[3].dims.source], [edges, { width: 300, height: 140, source: 'measured' }, 'estimated'])
    assert.deepEqual([body.name, body.isActive, body.isPublished, body.webhookId, body.webhookUrl, body.mediaId, body.executionCount, body.lastExecutedAt], ['Drawn', true, false, null, 'https://hooks.example/x', 'media-1', 0, null])
    assert.match(body.updatedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    assert.deepEqual(body.data.nodes, body.nodes)
    // What is sent back as it was read is the same again.
    const again = await ask('PUT', `/workflows/${saved.id}`, { name: body.name, nodes: body.nodes, edges: body.edges, baseUpdatedAt: body.updatedAt })
    assert.equal(again.status, 200, JSON.stringify(again.body))
    assert.deepEqual(again.body.nodes.map(({ dims: _dims, ...node }: any) => node), nodes)
  })

  test('drawn in the house is shown by its own kinds, and runs', async () => {
    const answer = await fetch(`${house.url}/plantain/v1/workflows`, { method: 'POST', headers: { authorization: `Bearer ${house.testKey}`, 'content-type': 'application/json' }, body: JSON.stringify({ name: 'Native one', graph: {
      nodes: [{ id: 'picture', kind: 'generate', settings: { model: 'sandbox-1', parameters: { resolution: '512' } } }, { id: 'small', kind: 'resize', settings: { width: 100 } }],
      edges: [{ from: { node: 'picture', port: 'image' }, to: { node: 'small', port: 'image' } }], inputs: [{ name: 'what', node: 'picture', port: 'prompt' }] } }) })
    const { id } = await answer.json() as { id: string }
    const { body } = await ask('GET', `/workflows/${id}`)
    assert.deepEqual([body.nodes.map((one: any) => one.data.nodeType), body.edges[0].targetHandle], [['plantain:generate', 'plantain:resize'], 'in-image'])
    assert.deepEqual((await ask('GET', `/workflows/${id}/run`)).body.data.inputs, [{ nodeId: 'what', label: 'picture', type: 'text', required: true }])
    const done = await run(`/workflows/${id}/run`, { inputs: { what: 'a blue vase' } })
    assert.deepEqual([done.status, (await sizeOf(done.finalOutput.url)).width], ['COMPLETED', 100])
    // The drawing that was read runs as well, as it is.
    assert.equal((await run(`/workflows/${id}/execute`, { nodes: body.nodes.map((one: any) => one.id === 'picture' ? { ...one, data: { ...one.data, config: { ...one.data.config, prompt: 'a vase' } } } : one), edges: body.edges })).status, 'COMPLETED')
    const patched = await ask('PATCH', `/workflows/${id}/nodes/small`, { config: { width: 50 } })
    assert.equal(patched.status, 200, JSON.stringify(patched.body))
  })

  test('changed elsewhere is drawn anew', async () => {
    const { id } = await save()
    const native = await (await fetch(`${house.url}/plantain/v1/workflows/${id}`, { headers: { authorization: `Bearer ${house.testKey}` } })).json() as any
    const graph = { ...native.graph, nodes: native.graph.nodes.map((one: any) => one.kind === 'text' ? { ...one, settings: { text: 'another fox' } } : one) }
    assert.equal((await fetch(`${house.url}/plantain/v1/workflows/${id}`, { method: 'PATCH', headers: { authorization: `Bearer ${house.testKey}`, 'content-type': 'application/json' }, body: JSON.stringify({ graph }) })).status, 200)
    const { body } = await ask('GET', `/workflows/${id}`)
    assert.deepEqual(body.nodes[0].data.config, { text: 'another fox' })
    assert.equal(stateOf(await run(`/workflows/${id}/run`, {}), 'input-1').text, 'another fox')
  })

  test('is listed, the last changed first, page by page', async () => {
    const { testKey: key } = await house.newAccount()
    const names = ['First', 'Second', 'Third']
    for (const name of names) await save({ ...poster(), name, isActive: name !== 'Second', ...(name === 'Third' ? { mediaId: 'm3' } : {}) }, { key })
    const all = await ask('GET', '/workflows', undefined, { key })
    assert.deepEqual([all.body.map((one: any) => one.name), all.headers.get('x-total-count'), all.headers.get('link')], [['Third', 'Second', 'First'], '3', null])
    assert.deepEqual(Object.keys(all.body[0]).slice(0, 12), ['id', 'name', 'description', 'webhookId', 'webhookUrl', 'isActive', 'isPublished', 'executionCount', 'lastExecutedAt', 'tags', 'createdAt', 'updatedAt'])
    assert.deepEqual((await ask('GET', '/workflows?isActive=false', undefined, { key })).body.map((one: any) => one.name), ['Second'])
    assert.deepEqual((await ask('GET', '/workflows?mediaId=m3', undefined, { key })).body.map((one: any) => one.name), ['Third'])
    const page = await ask('GET', '/workflows?limit=2', undefined, { key })
    assert.deepEqual([page.body.length, page.headers.get('link')], [2, '</api/v1/workflows?limit=2&offset=2>; rel="next"'])
    assert.deepEqual((await ask('GET', '/workflows?limit=2&offset=2', undefined, { key })).body.map((one: any) => one.name), ['First'])
  })

  test('is written only by whoever has seen the last write', async () => {
    const saved = await save()
    const first = await ask('PUT', `/workflows/${saved.id}`, { ...poster('a hare'), baseUpdatedAt: saved.updatedAt })
    assert.equal(first.status, 200)
    const late = await ask('PUT', `/workflows/${saved.id}`, { ...poster('a late hare'), baseUpdatedAt: saved.updatedAt })
    assert.deepEqual([late.status, late.body.error.type, late.body.error.code, late.body.currentUpdatedAt, late.body.yourBaseUpdatedAt], [409, 'conflict_error', 'stale_write', first.body.updatedAt, saved.updatedAt])
    assert.equal((await ask('PATCH', `/workflows/${saved.id}/nodes/gen-1`, { label: 'x', baseUpdatedAt: saved.updatedAt })).status, 409)
    assert.equal((await ask('GET', `/workflows/${saved.id}`)).body.nodes[0].data.config.prompt, 'a hare')
    const races = await Promise.all([1, 2, 3, 4].map(number => ask('PATCH', `/workflows/${saved.id}/nodes/input-1`, { config: { prompt: `hare ${number}` }, baseUpdatedAt: first.body.updatedAt })))
    assert.deepEqual(races.map(({ status }) => status).sort(), [200, 409, 409, 409])
  })

  test('loses nothing of writes that come at once and say nothing of what they have seen', async () => {
    const saved = await save()
    const note = { id: 'note', type: 'stickyNote', position: { x: 1, y: 2 }, data: { text: 'keep me' } }
    const writes = await Promise.all([
      ask('PUT', `/workflows/${saved.id}`, { ...poster('a stoat'), nodes: [...poster('a stoat').nodes, note] }), ask('PUT', `/workflows/${saved.id}`, { webhookId: 'new' }),
      ...Array.from({ length: 6 }, (_, number) => ask('PUT', `/workflows/${saved.id}`, { description: `no. ${number}`, mediaId: 'cover' })),
    ])
    assert.deepEqual(writes.map(({ status }) => status), writes.map(() => 200), JSON.stringify(writes.find(({ status }) => status !== 200)?.body))
    const { body } = await ask('GET', `/workflows/${saved.id}`)
    assert.deepEqual([body.nodes[0].data.config.prompt, body.nodes.at(-1).data.text, body.mediaId], ['a stoat', 'keep me', 'cover'])
    // The webhook that is open is the one that is shown.
    assert.equal((await ask('GET', `/workflows/${body.webhookId}/trigger`)).status, 200)
  })

  test('tells whoever comes second in layout and visibility what Wireflow tells', async () => {
    const saved = await save()
    const write = (number: number) => number % 2 === 0 ? ask('POST', `/workflows/${saved.id}/layout`, { gapX: 100 + number }) : ask('POST', `/workflows/${saved.id}/visibility`, { visibility: number % 4 === 1 ? 'view' : 'private' })
    let late: Awaited<ReturnType<typeof write>>[] = []
    // As often as it takes for two to meet.
    for (let round = 0; late.length === 0 && round < 50; round++) late = (await Promise.all(Array.from({ length: 12 }, (_, number) => write(number)))).filter(({ status }) => status !== 200)
    assert.ok(late.length > 0)
    for (const { status, body } of late) assert.deepEqual([status, body.error.code, typeof body.currentUpdatedAt], [409, 'stale_write', 'string'])
  })

  test('is patched node by node', async () => {
    const { id } = await save()
    const { status, body } = await ask('PATCH', `/workflows/${id}/nodes/gen-1`, { config: { aspect_ratio: '16:9', resolution: null }, params: { seed: 4 }, label: 'Wide', position: { x: 7, y: 8 } })
    assert.equal(status, 200, JSON.stringify(body))
    assert.deepEqual([body.data.node.id, body.data.node.data.label, body.data.node.data.config, body.data.node.data.params, body.data.node.position], ['gen-1', 'Wide', { aspect_ratio: '16:9' }, { aspect_ratio: '16:9', seed: 4 }, { x: 7, y: 8 }])
    assert.equal((await ask('GET', `/workflows/${id}`)).body.updatedAt, body.data.updatedAt)
    for (const field of ['output', 'result', 'nodeType', 'isExecuting', 'id']) {
      const refused = await ask('PATCH', `/workflows/${id}/nodes/gen-1`, { [field]: 'x', label: 'y' })
      assert.deepEqual([refused.status, refused.body.error.code], [400, 'invalid_field'])
    }
    assert.equal((await ask('PATCH', `/workflows/${id}/nodes/gen-1`, {})).status, 400)
    assert.equal((await ask('PATCH', `/workflows/${id}/nodes/gen-9`, { label: 'x' })).status, 404)
    assert.equal((await ask('PATCH', `/workflows/${id}/nodes/gen-1`, { config: { prompt: 'x'.repeat(300_000) } })).status, 413)
    assert.equal((await ask('GET', `/workflows/${id}`)).body.nodes[1].data.label, 'Wide')
  })

  test('is updated by POST with an id, copied, published, run as an app, arranged and deleted', async () => {
    const { id } = await save({ ...poster(), name: 'Everything of it', webhookId: 'new' })
    assert.equal((await ask('POST', '/workflows', { ...poster('a badger'), id })).status, 200)
    const copy = await ask('POST', `/workflows/${id}/duplicate`, {})
    assert.deepEqual([copy.status, copy.body.data.name], [201, 'Poster (copy)'])
    const copied = (await ask('GET', `/workflows/${copy.body.data.id}`)).body
    assert.deepEqual([copied.nodes[0].data.config.prompt, copied.webhookId, copied.isPublished], ['a badger', null, false])
    assert.equal((await ask('POST', `/workflows/${id}/duplicate`, { name: 'Named' })).body.data.name, 'Named')

    const { slug } = copied
    assert.equal((await ask('POST', `/apps/${slug}/execute`, { inputs: {} })).status, 404)
    assert.deepEqual((await ask('POST', `/workflows/${copied.id}/visibility`, { visibility: 'view' })).body.linkPermission, 'VIEW')
    assert.equal((await ask('GET', `/apps/${slug}`)).body.data.endpoint, `/api/v1/apps/${slug}/execute`)
    assert.equal((await run(`/apps/${slug}/execute`, { inputs: { Prompt: 'a mole' } })).status, 'COMPLETED')
    assert.equal((await ask('POST', `/apps/${slug}/execute`, { prompt: 'a mole' })).status, 400)
    assert.deepEqual((await ask('POST', `/workflows/${copied.id}/visibility`, { visibility: 'private' })).body.data.linkPermission, 'PRIVATE')
    assert.equal((await ask('POST', `/apps/${slug}/execute`, { inputs: {} })).status, 404)

    const piled = { ...poster(), name: 'Piled up', nodes: poster().nodes.map(node => ({ ...node, position: { x: 0, y: 0 } })) }
    const pile = await save(piled)
    const { body: arranged } = await ask('POST', `/workflows/${pile.id}/layout`, { gapX: 50 })
    assert.deepEqual([arranged.moved, Object.keys(arranged.positions)], [['input-1', 'gen-1'], ['input-1', 'gen-1']])
    assert.ok(arranged.positions['gen-1'].x >= arranged.positions['input-1'].x + 370)
    const { nodes } = (await ask('GET', `/workflows/${pile.id}`)).body
    assert.deepEqual(nodes.map((one: any) => one.position), Object.values(arranged.positions))
    assert.deepEqual((await ask('POST', `/workflows/${pile.id}/layout`, { gapX: 50 })).body.moved, [])

    assert.deepEqual((await ask('DELETE', `/workflows/${id}`)).body.success, true)
    for (const [method, path] of [['GET', ''], ['DELETE', ''], ['PUT', ''], ['POST', '/run'], ['GET', '/run'], ['POST', '/execute'], ['POST', '/estimate'], ['POST', '/duplicate'], ['POST', '/layout'], ['POST', '/visibility'], ['GET', '/executions']] as const) {
      const gone = await ask(method, `/workflows/${id}${path}`, method === 'GET' || method === 'DELETE' ? undefined : {})
      assert.deepEqual([gone.status, gone.body.error], [404, 'Workflow not found'], path)
    }
  })

  test('with mistakes is refused with all of them, or kept as a drawing that cannot run', async () => {
    await quiet()
    const before_ = await traces()
    const wrong = { name: 'Wrong', nodes: [text('input-1', 'x'), made('gen-1'), { id: 'song', data: { nodeType: 'audio:elevenlabs_music' } }], edges: [wire('input-1.prompt', 'gen-1.promt', 'e7'), wire('input-1.prompt', 'nobody.prompt')] }
    const refused = await ask('POST', '/workflows', wrong)
    assert.deepEqual([refused.status, refused.body.error.type, refused.body.error.code], [422, 'invalid_request_error', 'invalid_graph'])
    assert.deepEqual(refused.body.violations.map((one: any) => [one.rule, one.nodeId ?? null, one.edgeId ?? null]), [['unknown-node-type', 'song', null], ['bad-target-handle', 'gen-1', 'e7'], ['dangling-edge', null, '2']])
    assert.match(refused.body.violations[1].fix, /Did you mean "in-prompt"/)
    assert.deepEqual((await ask('POST', '/workflows/lint', wrong)).body.data.ok, false)
    const crossed = { nodes: [text('t', 'x'), made('a'), made('b')], edges: [wire('t.prompt', 'a.prompt', 'one'), wire('t.prompt', 'b.prompt', 'two'), wire('t.prompt', 'b.image1', 'three')] }
    assert.deepEqual((await ask('POST', '/workflows/lint', crossed)).body.violations.map((one: any) => [one.rule, one.nodeId, one.edgeId]), [['types', 'b', 'three']])
    assert.deepEqual(await traces(), before_)
    const kept = await ask('POST', '/workflows?strict=false', wrong)
    assert.deepEqual([kept.status, kept.body.diagnostics.counts.error, kept.body.nodes.length], [201, 3, 3])
    assert.equal((await ask('POST', `/workflows/${kept.body.id}/run`, {})).status, 422)
    assert.equal((await ask('PATCH', `/workflows/${kept.body.id}/nodes/gen-1`, { config: { seed: 1 } })).status, 200)
    assert.equal((await ask('POST', `/workflows/${kept.body.id}/execute`, {})).status, 422)
    assert.equal((await ask('PUT', `/workflows/${kept.body.id}`, poster())).status, 200)
    assert.equal((await run(`/workflows/${kept.body.id}/run`, {})).status, 'COMPLETED')
    assert.deepEqual((await ask('POST', '/workflows/lint', poster())).body, { ok: true, violations: [], warnings: [], data: { ok: true, violations: [], warnings: [] } })
  })

  test('with every type its page names is served, or told what nothing here does; of a model that is no more, by the one that came after it, and that is said', async () => {
    const typed = (nodeType: string) => ({ nodes: [text('input-1', 'a cat'), { id: 'a', data: { label: 'A', nodeType, config: {} } }], edges: [{ source: 'input-1', target: 'a', sourceHandle: 'out-prompt' }] })
    const lintOf = async (nodeType: string) => (await ask('POST', '/workflows/lint', typed(nodeType))).body.data
    for (const nodeType of ['generate:nano_banana_pro', 'generate:nano_banana_2', 'generate:flux_2', 'generate:flux_pro_v1_1_ultra', 'generate:imagen_3', 'generate:openai_gpt_image_2', 'generate:kling_1_6_pro', 'generate:veo_2', 'llm:openrouter_router', 'video:kling_video_2_5_i2v',
      'video:kling_video_v2_6_pro_image_to_video', 'video:bytedance_seedance_v1_lite_text_to_video', 'utility:prompt_concat', 'utility:sticky_note', 'logic:router', 'output:preview', 'iterator:anything', 'model:fal:text-to-image']) assert.deepEqual([nodeType, (await lintOf(nodeType)).violations], [nodeType, []])
    for (const [nodeType, words] of [['audio:whisper', /writes down what is said/], ['video:remotion', /Remotion/], ['compose:remotion', /Remotion/], ['process:video_composite', /films are not put together/], ['generate:nano_banna_2', /no node type/]] as const) {
      const { ok, violations: [flaw] } = await lintOf(nodeType)
      assert.deepEqual([ok, flaw.rule], [false, 'unknown-node-type'])
      assert.match(flaw.message, words)
    }
    // The film of its own examples.
    const film = { name: 'Text to film', nodes: [text('input-1', 'a cat in an alley'), { id: 'llm', data: { label: 'Expand', nodeType: 'llm:openrouter_router', category: 'llm', config: { systemPrompt: 'Make it longer.', userPrompt: '' } } }, { id: 'film', data: { label: 'Kling 1.6 Pro', nodeType: 'generate:kling_1_6_pro', category: 'generate', config: { duration: 5, aspect_ratio: '9:16' } } }],
      edges: [wire('input-1.prompt', 'llm.prompt'), wire('llm.text', 'film.prompt')] }
    const saved = await ask('POST', '/workflows', film)
    assert.deepEqual([saved.status, saved.body.meta.migrations], [201, [{ nodeId: 'film', from: 'generate:kling_1_6_pro', to: 'video:kling_2_5_turbo' }]])
    assert.equal(saved.body.nodes[2].data.nodeType, 'generate:kling_1_6_pro', 'the drawing stays as it was')
    const begun = await ask('POST', `/workflows/${saved.body.id}/run`, {})
    assert.equal(begun.status, 202, JSON.stringify(begun.body))
    assert.deepEqual([begun.status, begun.body.diagnostics.diagnostics.map((one: any) => [one.code, one.severity, one.target.nodeId])], [202, [['replaced-model', 'warning', 'film']]])
    assert.match(begun.body.diagnostics.diagnostics[0].message, /made with Kling 2\.5/)
  })
  test('is not active: nothing runs', async () => {
    const { id, webhookId } = await save({ ...poster(), isActive: false, webhookId: 'new' })
    for (const answer of [await ask('POST', `/workflows/${id}/run`, {}), await ask('POST', `/workflows/${id}/execute`, {}), await ask('POST', `/workflow/${webhookId}/trigger`, {}, { key: null })]) {
      assert.deepEqual([answer.status, answer.body.error], [400, 'Workflow is not active'])
    }
    assert.equal((await ask('GET', `/workflow/${webhookId}/trigger`, undefined, { key: null })).body.isActive, false)
  })

  test('is made of a prompt, and runs', async () => {
    const answer = await fetch(`${house.url}/api/v1/workflows/generate/stream`, { method: 'POST', headers: { authorization: `Bearer ${house.testKey}`, 'content-type': 'application/json' }, body: JSON.stringify({ prompt: 'a paper boat' }) })
    assert.match(answer.headers.get('content-type')!, /^text\/event-stream/)
    const events = (await answer.text()).split('\n').filter(line => line.startsWith('data: ')).map(line => JSON.parse(line.slice(6)))
    assert.deepEqual(events.map(one => [one.done, one.workflow.nodes.length]), [[false, 1], [false, 2], [true, 3]])
    assert.equal((await run(`/workflows/${events.at(-1)!.workflow.id}/run`, {})).status, 'COMPLETED')
  })

  test('belongs to its project', async () => {
    const { id } = await save()
    const { testKey: key } = await house.newAccount()
    const execution = await begun(`/workflows/${id}/run`, {})
    const before_ = await traces()
    for (const [method, path, body] of [['GET', `/workflows/${id}`], ['PUT', `/workflows/${id}`, poster()], ['DELETE', `/workflows/${id}`], ['PATCH', `/workflows/${id}/nodes/gen-1`, { label: 'x' }], ['POST', `/workflows/${id}/execute`, poster()], ['POST', `/workflows/${id}/run`, {}], ['POST', `/workflows/${id}/duplicate`, {}],
      ['GET', `/workflows/${id}/executions`], ['GET', `/workflows/executions/${execution.executionId}`], ['GET', `/workflows/executions/${execution.executionId}/poll`], ['POST', `/workflows/executions/${execution.executionId}/cancel`], ['POST', `/workflows/executions/${execution.executionId}/resume`]] as const) {
      assert.equal((await ask(method, path, body, { key })).status, 404, `${method} ${path}`)
    }
    assert.deepEqual((await ask('GET', '/workflows', undefined, { key })).body, [])
    assert.deepEqual((await traces()).workflows, before_.workflows)
    // Its executions are those of one mode.
    assert.equal((await ask('GET', `/workflows/executions/${execution.executionId}/poll`, undefined, { key: house.liveKey })).status, 404)
  })
})

// Running ---------------------------------------------------------------------------------------------------------------

describe('a run', () => {
  test('describes its inputs and takes them by id, label or name', async () => {
    const { id } = await save({ name: 'Inputs', nodes: [text('t1', null, { label: 'Motif' }), text('t2', 'in oil', { label: 'Style' }), { id: 'p1', data: { label: 'Photo', nodeType: 'input:image' } }, { id: 'j', data: { nodeType: 'utility:prompt_concat' } }, made('gen-1')],
      edges: [wire('t1.prompt', 'j.prompt1'), wire('t2.text', 'j.prompt2'), wire('j.prompt', 'gen-1.prompt'), wire('p1.media', 'gen-1.image1')] })
    const { body } = await ask('GET', `/workflows/${id}/run`)
    assert.deepEqual(body.data.inputs, [{ nodeId: 't1', label: 'Motif', type: 'text', required: true }, { nodeId: 't2', label: 'Style', type: 'text', required: false, default: 'in oil' }, { nodeId: 'p1', label: 'Photo', type: 'image', required: false }])
    const photo = `data:image/png;base64,${(await paint(64, 48)).toString('base64')}`
    const done = await run(`/workflows/${id}/run`, { inputs: { t1: 'a boat', Style: 'in ink', image: photo } })
    assert.equal(done.status, 'COMPLETED', done.error)
    assert.match(stateOf(done, 'j').text, /a boat.*in ink/s)
    assert.equal((await sizeOf(stateOf(done, 'p1').outputUrl)).width, 64)
    const ambiguous = await ask('POST', `/workflows/${id}/run`, { inputs: { prompt: 'x', p1: photo } })
    assert.deepEqual([ambiguous.status, ambiguous.body.errorDetails.code], [400, 'ambiguous_input'])
    assert.equal((await ask('POST', `/workflows/${id}/run`, { inputs: { nobody: 'x' } })).status, 400)
    assert.equal((await ask('POST', `/workflows/${id}/run`, { inputs: {} })).status, 400)
    const exposed = await ask('PUT', `/workflows/${id}`, { exposedInputs: ['t1'] })
    assert.equal(exposed.status, 422, 'a photo nobody can fill in')
  })

  test('leaves an empty import out where nothing needs it, by every way of running', async () => {
    const { id, webhookId } = await save({ name: 'Optional', webhookId: 'new', nodes: [text('t', 'a boat'), { id: 'p', data: { label: 'Photo', nodeType: 'input:image' } }, made('gen-1')], edges: [wire('t.prompt', 'gen-1.prompt'), wire('p.image', 'gen-1.image1')] })
    assert.deepEqual((await ask('GET', `/workflows/${id}/run`)).body.data.inputs.map((one: any) => [one.nodeId, one.required]), [['t', false], ['p', false]])
    assert.equal((await ask('POST', `/workflows/${id}/estimate`, {})).body.data.estimateComplete, true)
    for (const done of [await run(`/workflows/${id}/run`, {}), await run(`/workflows/${id}/execute`, {}), await ended((await ask('POST', `/workflow/${webhookId}/trigger`, {}, { key: null })).body.executionId)]) {
      assert.deepEqual([done.status, done.nodeStates.map((one: any) => one.nodeId)], ['COMPLETED', ['t', 'gen-1']], done.error)
    }
  })

  test('passes pictures on, in the order of their handles, through routers and past notes', async () => {
    const [red, blue] = await Promise.all([paint(40, 30), paint(20, 60)]).then(all => all.map(bytes => `data:image/png;base64,${bytes.toString('base64')}`))
    const done = await run('/workflows/scratch/execute', {
      nodes: [text('t', 'both of them'), { id: 'two', data: { nodeType: 'input:image', config: { image: blue } } }, { id: 'one', data: { nodeType: 'input:image', inputType: 'image', config: { imageUrl: red } } }, { id: 'r', data: { nodeType: 'logic:router' } }, { id: 'note', type: 'stickyNote', data: { text: 'x' } },
        made('gen-1', { image3: red, num_images: 2 }), made('gen-2'), { id: 'show', data: { nodeType: 'output:preview', label: 'Shown' } }],
      edges: [wire('t.prompt', 'r.in'), wire('r.out', 'gen-1.prompt'), wire('t.prompt', 'gen-2.prompt'), wire('two.image', 'gen-1.image2'), wire('one.url', 'gen-1.image1'), wire('gen-1.images', 'gen-2.image1'), wire('gen-2.images', 'show.image'), { source: 'note', target: 'gen-1' }],
    })
    assert.equal(done.status, 'COMPLETED', done.error)
    const { rows: [task] } = await house.database.query<{ inputs: { assetId: string }[] }>('select inputs from task where id = $1', [stateOf(done, 'gen-1').requestId])
    const widths = await Promise.all(task!.inputs.map(async ({ assetId }) => (await house.database.query<{ width: number }>('select width from asset join blob using (sha256) where id = $1', [assetId])).rows[0]!.width))
    assert.deepEqual(widths, [40, 20, 40])
    assert.deepEqual([stateOf(done, 'gen-1').outputUrls.length, done.nodeStates.map((one: any) => one.nodeId).sort(), done.finalOutput.url], [2, ['gen-1', 'gen-2', 'one', 'show', 't', 'two'], stateOf(done, 'show').outputUrl])
    assert.deepEqual([runOf(done, 'gen-1').output.images.length, runOf(done, 't').output.prompt], [2, 'both of them'])
  })

  test('of one node takes what stands before it from earlier runs, and makes the node anew', async () => {
    const graph = { nodes: [text('t', `a pear ${Math.random()}`), made('first'), made('second', { prompt: 'smaller' })], edges: [wire('t.prompt', 'first.prompt'), wire('first.image', 'second.image1')] }
    const { id } = await save({ name: 'Two steps', ...graph })
    const whole = await run(`/workflows/${id}/run`, {})
    const { nodes, edges } = (await ask('GET', `/workflows/${id}`)).body
    const answer = await begun(`/workflows/${id}/execute`, { nodes, edges, targetNodeId: 'second' })
    assert.deepEqual(answer.staleDependencies, [])
    const one = await ended(answer.executionId)
    assert.deepEqual([runOf(one, 'first').reused, runOf(one, 'second').reused, stateOf(one, 'first').outputUrl.split('?')[0]], [true, false, stateOf(whole, 'first').outputUrl.split('?')[0]])
    assert.notEqual(stateOf(one, 'second').requestId, stateOf(whole, 'second').requestId)
    // Another prompt before it, and results of the first run kept on the drawing, as its editor keeps them: nothing stale is served, so nothing stale is told.
    const kept = nodes.map((node: any) => node.id === 't' ? text('t', `a plum ${Math.random()}`) : { ...node, data: { ...node.data, output: { url: stateOf(whole, 'first').outputUrl }, result: { url: stateOf(whole, 'first').outputUrl } } })
    const anew = await begun(`/workflows/${id}/execute`, { nodes: kept, edges, targetNodeId: 'second' })
    assert.deepEqual([anew.staleDependencies, anew.data.staleDependencies], [[], []])
    const changed = await ended(anew.executionId)
    assert.equal(runOf(changed, 'first').reused, false)
    assert.notEqual(stateOf(changed, 'first').outputUrl.split('?')[0], stateOf(whole, 'first').outputUrl.split('?')[0])
    // The same again is taken from before, by what went in and not by which run was last.
    const back = await run(`/workflows/${id}/execute`, { nodes, edges, targetNodeId: 'second' })
    assert.deepEqual([runOf(back, 'first').reused, stateOf(back, 'first').outputUrl.split('?')[0]], [true, stateOf(whole, 'first').outputUrl.split('?')[0]])
    const forced = await run(`/workflows/${id}/execute`, { nodes, edges, targetNodeId: 'second', force: true })
    assert.equal(runOf(forced, 'first').reused, false)
    const part = await run(`/workflows/${id}/execute`, { nodes, edges, targetNodeId: 'first' })
    assert.deepEqual(part.nodeStates.map((node: any) => node.nodeId).sort(), ['first', 't'])
    // The whole again is made again.
    assert.equal(runOf(await run(`/workflows/${id}/execute`, { nodes, edges }), 'first').reused, false)
  })

  test('over items is several executions of one batch, all or none', async () => {
    const { id } = await save()
    const answer = await begun(`/workflows/${id}/execute`, { iteratorConfigs: [{ nodeId: 'input-1', items: ['a cat', 'a dog'] }, { nodeId: 'gen-1', key: 'aspect_ratio', items: ['1:1', '16:9'], maxConcurrency: 1 }] })
    assert.deepEqual([answer.executionRuns.length, new Set(answer.executionRuns.map((one: any) => one.batchId)).size, answer.executionRuns.map((one: any) => [one.runIndexInBatch, one.inputIndex]), answer.executionId], [4, 1, [[0, 0], [1, 1], [2, 2], [3, 3]], answer.executionRuns[0].id])
    assert.equal(answer.warnings, undefined)
    const all = await Promise.all(answer.executionRuns.map((one: any) => ended(one.id)))
    assert.deepEqual(all.map(one => [one.status, stateOf(one, 'input-1').text, one.inputIndex, one.batchId]), ['a cat', 'a cat', 'a dog', 'a dog'].map((word, index) => ['COMPLETED', word, index, answer.batchId]))
    const sizes = await Promise.all(all.map(one => sizeOf(one.finalOutput.url)))
    assert.deepEqual(sizes.map(({ width, height }) => width > height), [false, true, false, true])
    assert.equal((await ask('GET', `/workflows/executions?batchId=${answer.batchId}`)).body.length, 4)
    const zipped = await begun(`/workflows/${id}/execute`, { iteratorConfigs: [{ nodeId: 'input-1', key: 'prompt', items: ['x', 'y'], mode: 'zip' }, { nodeId: 'gen-1', key: 'seed', items: [1, 2], mode: 'zip' }] })
    assert.equal(zipped.executionRuns.length, 2)
    const { testKey: key } = await house.newAccount({ testDollars: 0.0015 })
    await quiet()
    const before_ = await traces()
    const dear = await ask('POST', '/workflows/scratch/execute', { ...poster(), iteratorConfigs: [{ nodeId: 'input-1', items: ['a', 'b'] }] }, { key })
    assert.equal(dear.status, 402, JSON.stringify(dear.body))
    assert.deepEqual(await traces(), before_)
    assert.equal((await begun('/workflows/scratch/execute', poster(), { key })).status, 'RUNNING')
  })

  test('that fails says which node, and goes on from there when it is asked to', async () => {
    const failing = await run('/workflows/scratch/execute', { nodes: [text('t', 'a kite sandbox:fail=501'), made('gen-1'), made('gen-2')], edges: [wire('t.prompt', 'gen-1.prompt'), wire('t.prompt', 'gen-2.prompt'), wire('gen-1.image', 'gen-2.image1')] })
    assert.deepEqual([failing.status, stateOf(failing, 'gen-1').status, stateOf(failing, 'gen-2').status, failing.creditsUsed, failing.finalOutput?.url ?? null], ['FAILED', 'FAILED', 'PENDING', 0, null])
    assert.match(failing.error, /^gen-1: /)
    assert.equal(typeof stateOf(failing, 'gen-1').error, 'string')
    const resumed = await ask('POST', `/workflows/executions/${failing.executionId}/resume`, {})
    assert.equal(resumed.status, 202)
    assert.equal((await ended(failing.executionId)).status, 'FAILED')
    const fine = await run('/workflows/scratch/execute', poster())
    assert.equal((await ask('POST', `/workflows/executions/${fine.executionId}/resume`, {})).status, 409)
    assert.deepEqual(await house.audit(), [])
  })

  test('is cancelled', async () => {
    const { executionId } = await begun('/workflows/scratch/execute', { nodes: [text('t', 'slow sandbox:slow=60s'), made('gen-1')], edges: [wire('t.prompt', 'gen-1.prompt')] })
    for (let looks = 0; looks < 4_800 && stateOf((await ask('GET', `/workflows/executions/${executionId}/poll`)).body, 'gen-1').requestId === null; looks++) await pause(25)
    assert.equal((await ask('POST', `/workflows/executions/${executionId}/cancel`, {})).body.status, 'CANCELLED')
    const done = await ended(executionId)
    assert.deepEqual([done.status, stateOf(done, 'gen-1').status, done.creditsUsed], ['CANCELLED', 'FAILED', 0])
    assert.equal((await ask('POST', `/workflows/executions/${executionId}/cancel`, {})).status, 200)
  })

  test('of nodes of every kind: texts, numbers, films, compositions', async () => {
    const done = await run('/workflows/scratch/execute', {
      nodes: [text('t', 'a lamp'), { id: 'say', data: { nodeType: 'llm:openrouter_router', config: { system_prompt: 'Be short.' } } }, made('a'), { id: 'film', data: { nodeType: 'video:sandbox_1', config: { duration: '2' } } },
        { id: 'data', data: { nodeType: 'utility:build_data' } }, { id: 'big', data: { nodeType: 'upscale:sandbox_1', config: { factor: 2 } } }, { id: 'cut', data: { nodeType: 'process:sandbox_1' } }],
      edges: [wire('t.text', 'say.prompt'), wire('t.prompt', 'a.prompt'), wire('t.prompt', 'film.prompt'), wire('a.images', 'film.image_url'), wire('a.images', 'data.images'), wire('a.image', 'big.image'), wire('a.image', 'cut.image_url')],
    })
    assert.equal(done.status, 'COMPLETED', `${done.error} ${JSON.stringify(done.nodeStates.map((one: any) => [one.nodeId, one.error]))}`)
    assert.ok(stateOf(done, 'say').text.length > 0)
    assert.equal((await sizeOf(runOf(done, 'film').output.video.url)).format, 'webp')
    assert.equal((await sizeOf(stateOf(done, 'big').outputUrl)).width, 2 * (await sizeOf(stateOf(done, 'a').outputUrl)).width)
  })

  describe('of a compositor', () => {
    const links = new Map<string, Buffer>()
    const shop = createServer((request, response) => { const body = links.get(request.url!); if (body) response.end(body); else { response.statusCode = 404; response.end() } })
    let at = ''
    before(async () => {
      shop.listen(0, '127.0.0.1')
      await once(shop, 'listening')
      at = `http://127.0.0.1:${(shop.address() as AddressInfo).port}`
      for (const [name, background] of [['red', '#ff0000'], ['blue', '#0000ff'], ['logo', '#ffffff']] as const) links.set(`/${name}.png`, await sharp({ create: { width: 40, height: 40, channels: 3, background } }).png().toBuffer())
    })
    after(() => { shop.closeAllConnections(); shop.close() })
    const comp = (data: object) => ({ id: 'comp1', type: 'basedNode', data: { nodeType: 'compv3', category: 'process', label: 'Compositor 1', ...data } })
    const preview = { id: 'show', data: { nodeType: 'output:preview' } }
    const execute = (nodes: object[], edges: object[] = []) => run('/workflows/scratch/execute', { nodes, edges })
    const colourAt = async (url: string, left: number, top: number) => [...await sharp(await bytesOf(url)).extract({ left, top, width: 1, height: 1 }).removeAlpha().raw().toBuffer()]
    const logo = () => ({ type: 'image', url: `${at}/logo.png`, x: 80, y: 0, width: 20, height: 20 })
    const scrim = { type: 'rectangle', x: 0, y: 50, width: 100, height: 50, fill: { kind: 'linear', angle: 0, stops: [{ color: '#00000000', offset: 0 }, { color: '#000000', offset: 1 }] } }
    const headline = { type: 'text', text: 'TEMPLATE', fontFamily: 'Inter', fontWeight: 800, fontSize: 12, fill: '#00ff00', x: 5, y: 70, width: 90 }

    test('makes a picture of the document its editor keeps, and says what is drawn in its own way', async () => {
      const answer = await begun('/workflows/scratch/execute', { nodes: [comp({ config: {}, data: { stage: { width: 100, height: 100 }, layers: { background: { type: 'image', url: `${at}/red.png` }, scrim, headline, logo: logo() }, layerOrder: ['background', 'scrim', 'headline', 'logo'] } }), preview], edges: [wire('comp1.image', 'show.value')] })
      assert.deepEqual(answer.diagnostics.diagnostics.map((one: any) => [one.target.nodeId, one.message]), [['comp1', 'Compositor 1 (compv3): The layer "headline": fontWeight is as the type of this house has it.'], ['comp1', 'Compositor 1 (compv3): The layer "headline": Inter is set in the nearest face of this house.']])
      const done = await ended(answer.executionId)
      assert.equal(done.status, 'COMPLETED', `${done.error}`)
      const url = runOf(done, 'comp1').output.url
      assert.deepEqual([await sizeOf(url), await colourAt(url, 2, 2), await colourAt(url, 90, 10), await colourAt(url, 2, 99)], [{ width: 100, height: 100, format: 'png' }, [255, 0, 0], [255, 255, 255], [0, 0, 0]])
      assert.equal(done.finalOutput.url, url)
    })

    test('with a list of data makes a picture of each, in order, with what no record names the same in all; links and layers come by wire as well', async () => {
      const data = [{ headline: 'ONE', bg: `${at}/red.png` }, { headline: { text: 'TWO', fill: '#FF6B00' }, bg: `${at}/blue.png` }, { headline: 'THREE', bg: `${at}/red.png` }]
      const done = await execute([comp({ config: { width: 100, height: 100, layers: { logo: logo(), scrim, headline }, data } }), preview], [wire('comp1.image', 'show.value')])
      assert.equal(done.status, 'COMPLETED', `${done.error}`)
      const urls = stateOf(done, 'comp1').outputUrls
      assert.equal(urls.length, 3)
      assert.deepEqual(await Promise.all(urls.map((url: string) => colourAt(url, 2, 2))), [[255, 0, 0], [0, 0, 255], [255, 0, 0]])
      assert.deepEqual(await Promise.all(urls.map((url: string) => colourAt(url, 90, 10))), [0, 1, 2].map(() => [255, 255, 255]))
      assert.deepEqual(stateOf(done, 'show').outputUrls, urls)

      const wired = await execute([
        text('words', '[{"headline": "ONE"}, {"headline": "TWO"}]'), { id: 'one', data: { nodeType: 'utility:json_multi_extract', config: { paths: ['$'] } } }, { id: 'pic', data: { nodeType: 'input:image', config: { image: `${at}/blue.png` } } },
        text('doc', '```json\n{"headline": {"fontSize": 20}, "bar": {"type": "rectangle", "fill": "#ffff00", "x": 0, "y": 90, "width": 100, "height": 10}}\n```'), { id: 'zip', data: { nodeType: 'utility:build_data' } },
        comp({ data: { stage: { width: 100, height: 100 }, layers: { headline }, layerOrder: ['headline'] } }),
      ], [wire('words.prompt', 'one.json'), wire('one.value', 'zip.records'), wire('pic.image', 'zip.images'), wire('zip.data', 'comp1.data'), wire('doc.text', 'comp1.layers')])
      assert.equal(wired.status, 'COMPLETED', `${wired.error}`)
      const both_ = stateOf(wired, 'comp1').outputUrls
      assert.deepEqual([both_.length, await colourAt(both_[0], 2, 2), await colourAt(both_[1], 2, 95)], [2, [0, 0, 255], [255, 255, 0]])
    })

    test('is refused where it would come out as another picture, before anything runs, with the layer and what to do', async () => {
      await quiet()
      const before_ = await traces()
      const stage = { width: 100, height: 100 }
      for (const [config, words] of [
        [{ layers: { headline: { ...headline, highlightWord: '3PM' } } }, /"headline": highlightWord: one word in another colour is not drawn here; set that word as a text layer of its own/], [{ layers: { pen: { type: 'draw', points: [] } } }, /"pen": freehand drawings are not drawn here/],
        [{ layers: { layer_1: { type: 'image', x: 3 } } }, /"layer_1": its picture "layer1" did not come\. Wire it/], [{ layers: 'x' }, /layers must be an object/], [{ layers: { headline }, layerOrder: [7] }, /layerOrder must be a list/], [{ layers: { headline }, stage: { width: 1e9, height: 1 } }, /width of the stage/],
        [{ layers: { headline }, data: [{ headlin: 'x' }] }, /Record 1: data names the layer "headlin".*Did you mean "headline"/], [{ layers: { headline }, data: Array.from({ length: 51 }, () => ({ headline: 'x' })) }, /1 to 50 records/], [{ layers: { headline }, data: 'x' }, /1 to 50 records/], [{ layers: { headline }, glow: 3 }, /has no setting glow/],
      ] as [object, RegExp][]) {
        const lint = await ask('POST', '/workflows/lint', { nodes: [comp({ config: { stage, ...config } })], edges: [] })
        assert.deepEqual([lint.body.ok, lint.body.violations[0].nodeId], [false, 'comp1'], JSON.stringify(config))
        assert.match(JSON.stringify(lint.body.violations.map((one: any) => one.message)).replaceAll('\\"', '"'), words)
        assert.equal((await ask('POST', '/workflows/scratch/execute', { nodes: [comp({ config: { stage, ...config } })], edges: [] })).status, 422)
      }
      assert.deepEqual(await traces(), before_)
    })
  })

  test('with what is not made here says why, and what to do instead', async () => {
    for (const [nodeType, why, fix] of [
      ['audio:elevenlabs_music', /no sound/, /input:audio.*or run this workflow at Wireflow/], ['audio:mmaudio_v2', /no sound/, /input:audio/], ['audio:whisper', /writes down what is said/, /input:text/], ['video:remotion', /Remotion are not rendered/, /compv3 lays texts over pictures/], ['compose:remotion', /Remotion/, /video model/],
      ['process:video_composite', /films are not put together/, /output:preview/], ['action:social_publish', /posted to other services/, /plantain:publish/], ['generate:nano_banana_por', /There is no node type/, /Did you mean "generate:nano_banana_pro"/],
    ] as const) {
      const { body } = await ask('POST', '/workflows/lint', { nodes: [{ id: 'x', data: { nodeType } }], edges: [] })
      assert.deepEqual(body.violations.map((one: any) => [one.rule, one.nodeId]), [['unknown-node-type', 'x']], nodeType)
      assert.match(body.violations[0].message, why)
      assert.match(body.violations[0].fix, fix)
    }
  })

  test('is listed and told with what it was run with', async () => {
    const { id } = await save()
    const first = await run(`/workflows/${id}/run`, { inputs: { 'input-1': 'one' } })
    const second = await run(`/workflows/${id}/run`, { inputs: { 'input-1': 'two' } })
    const list = await ask('GET', `/workflows/${id}/executions?limit=1`)
    assert.deepEqual([list.body.map((one: any) => one.id), list.headers.get('link')], [[second.executionId], `</api/v1/workflows/${id}/executions?limit=1&after=${second.executionId}>; rel="next"`])
    assert.deepEqual((await ask('GET', `/workflows/${id}/executions?limit=1&after=${second.executionId}`)).body.map((one: any) => one.id), [first.executionId])
    assert.equal((await ask('GET', '/workflows/executions')).body[0].id, second.executionId)
    assert.deepEqual((await ask('GET', `/workflows/executions/${first.executionId}`)).body.inputs, { 'input-1': 'one' })
    // Ids are taken with dashes as well.
    const dashed = first.executionId.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
    assert.equal((await ask('GET', `/workflows/executions/${dashed}/poll`)).body.executionId, first.executionId)
    const { body } = await ask('GET', `/workflows/${id}`)
    assert.deepEqual([body.executionCount, body.lastExecutedAt], [2, second.startTime])
  })
})

// Money, keys, limits ---------------------------------------------------------------------------------------------------

describe('errors', () => {
  test('come as a sentence, or as an object to whoever wants that', async () => {
    const cases: [what: string, status: number, error: string, options: Options][] = [
      ['no key', 401, 'Missing Authorization header', { key: null }],
      ['a key in another form', 401, 'Invalid API key format. Expected: Bearer sk-...', { key: null, headers: { authorization: 'Token abc' } }],
      ['an unknown key', 401, 'Invalid API key', { key: 'sk-test-nobodyhasthiskeynobodyhasthis' }],
    ]
    for (const [what, status, error, options] of cases) {
      const plain = await ask('GET', '/workflows', undefined, options)
      assert.deepEqual([plain.status, plain.body.error, plain.body.errorDetails.type], [status, error, 'authentication_error'], what)
      const object = await ask('GET', '/workflows', undefined, { ...options, headers: { ...options.headers, 'wireflow-error-format': 'object' } })
      assert.deepEqual([object.body.error.message, object.body.error.type, object.body.errorDetails], [error, 'authentication_error', undefined], what)
    }
    const byKey = await ask('GET', '/workflows/nobody', undefined, { key: house.testKey.replace('sk-test-', 'wf_test_') })
    assert.deepEqual([byKey.status, byKey.body.error], [404, { type: 'invalid_request_error', code: 'not_found', message: 'Workflow not found' }])
    await house.database.query(`update api_key set expires_at = now() - interval '1 second' where id = (select id from api_key where name = 'Short')`)
    const made_ = await (await fetch(`${house.url}/plantain/v1/keys`, { method: 'POST', headers: { authorization: `Bearer ${house.testKey}`, 'content-type': 'application/json' }, body: JSON.stringify({ name: 'Short', livemode: false, scopes: ['tasks:read'], expires_at: new Date(Date.now() + 60_000).toISOString() }) })).json() as { id: string; secret: string }
    assert.deepEqual([(await ask('POST', '/workflows', poster(), { key: made_.secret })).body.error, (await ask('GET', '/workflows', undefined, { key: made_.secret })).status], ['Forbidden', 200])
    await house.database.query(`update api_key set expires_at = now() - interval '1 second' where id = $1`, [made_.id])
    assert.deepEqual([(await ask('GET', '/workflows', undefined, { key: made_.secret })).body.error], ['API key has expired'])
  })

  test('of a purse say what is needed, node by node, and in both forms', async () => {
    const { testKey: key } = await house.newAccount({ testDollars: 0.03 })
    await quiet()
    const before_ = await traces()
    const graph = { nodes: [text('t', 'x'), { id: 'gen-1', data: { label: 'Pro', nodeType: 'generate:nano_banana_pro', config: { resolution: '4K' } } }], edges: [wire('t.prompt', 'gen-1.prompt')] }
    const { status, body } = await ask('POST', '/workflows/scratch/execute', graph, { key })
    assert.deepEqual([status, body.insufficientCredits, body.availableCredits, body.breakdown], [402, true, 3, [{ nodeId: 'gen-1', nodeLabel: 'Pro', credits: body.requiredCredits }]])
    assert.equal(body.error, `Insufficient credits. Required: ${body.requiredCredits}, Available: 3`)
    const object = await ask('POST', '/workflows/scratch/execute', graph, { key: key.replace('sk-test-', 'wf_test_') })
    assert.deepEqual([object.status, object.body.error.type, object.body.requiredCredits], [402, 'insufficient_credits_error', body.requiredCredits])
    assert.deepEqual(await traces(), before_)
  })

  test('of a limit say when to come back', async () => {
    const { testKey: key } = await house.newAccount({ limits: { requestsPerMinute: 2 } })
    const first = await ask('POST', '/workflows/scratch/execute', poster(), { key })
    assert.deepEqual([first.status, first.headers.get('x-ratelimit-limit'), first.headers.get('x-ratelimit-remaining')], [201, '2', '1'])
    // Looking is not counted, and told how much is left.
    for (let looks = 0; looks < 5; looks++) assert.equal((await ask('GET', `/workflows/executions/${first.body.executionId}/poll`, undefined, { key })).headers.get('x-ratelimit-limit'), '2')
    const over = await Promise.all([1, 2, 3].map(() => ask('POST', '/workflows/scratch/execute', poster(), { key })))
    const limited = over.filter(({ status }) => status === 429)
    assert.ok(limited.length >= 1)
    assert.equal(limited[0]!.body.error, 'Too many workflow executions. Please try again later.')
    assert.ok(Number(limited[0]!.headers.get('retry-after')) >= 1 && limited[0]!.body.retryAfter > Date.now() / 1_000 - 1)
    assert.equal((await ask('GET', `/workflows/executions/${first.body.executionId}/poll`, undefined, { key })).status, 200)
  })

  test('of a day\'s limit count executions, and a batch as many as it is', async () => {
    const { testKey: key } = await house.newAccount({ limits: { executionsPerDay: 3 } })
    const three = (count: number) => ask('POST', '/workflows/scratch/execute', { ...poster(), iteratorConfigs: [{ nodeId: 'input-1', items: Array.from({ length: count }, (_, index) => `${index}`) }] }, { key })
    assert.deepEqual([(await three(2)).status, (await three(2)).status, (await ask('POST', '/workflows/scratch/execute', poster(), { key })).status], [201, 429, 201])
    await quiet()
    const before_ = await traces()
    const over = await ask('POST', '/workflows/scratch/execute', poster(), { key })
    assert.deepEqual([over.status, over.body.error, over.headers.get('x-ratelimit-limit')], [429, 'Too many workflow executions. Please try again later.', '3'])
    assert.deepEqual(await traces(), before_)
  })

  test('of an address say that there is nothing there, and of a method that it is none', async () => {
    assert.deepEqual([(await ask('GET', '/workflows/x/y/z')).status, (await ask('GET', '/feedback')).status, (await ask('DELETE', '/nodes')).status], [404, 405, 405])
  })
})

describe('an Idempotency-Key', () => {
  test('gives the first answer again, whatever has become of purse and workflow, and runs nothing twice', async () => {
    const { testKey: key, accountId } = await house.newAccount({ testDollars: 0.0015 })
    const saved = await save(poster(), { key })
    const send = (body: object, name: string, path = `/workflows/${saved.id}/execute`) => ask('POST', path, body, { key, headers: { 'idempotency-key': name } })
    const first = await send(poster(), 'k1')
    await ended(first.body.executionId, { key })
    const before_ = await traces()
    const again = await send(poster(), 'k1')
    assert.deepEqual([again.status, again.body, again.headers.get('location'), again.headers.get('idempotency-replayed'), first.headers.get('idempotency-replayed')], [201, first.body, first.headers.get('location'), 'true', null])
    assert.notEqual(again.headers.get('x-request-id'), first.headers.get('x-request-id'))
    const other = await send(poster('something else'), 'k1')
    assert.deepEqual([other.status, other.body.error], [422, 'Idempotency-Key was already used with a different request body'])
    // A want of money is not kept: with money the same call is made.
    assert.equal((await send(poster(), 'k2')).status, 402)
    assert.deepEqual(await traces(), before_)
    await house.database.transaction(client => grant(client, { accountId, livemode: false }, 1_000_000, 'Test'))
    assert.equal((await send(poster(), 'k2')).status, 201)
    // A bad request is, and another path or key of the caller's is another call.
    assert.equal((await send({ nodes: [] }, 'k3')).status, 400)
    assert.equal((await send({ nodes: [] }, 'k3')).headers.get('idempotency-replayed'), 'true')
    assert.equal((await send({}, 'k1', `/workflows/${saved.id}/run`)).status, 202)
    assert.equal((await ask('DELETE', `/workflows/${saved.id}`, undefined, { key })).status, 200)
    assert.deepEqual((await send(poster(), 'k1')).body, first.body)
  })

  test('holds where the answer was lost with the process that made it', async () => {
    const { testKey: key } = await house.newAccount()
    const send = () => ask('POST', '/workflows/scratch/execute', poster(), { key, headers: { 'idempotency-key': 'lost' } })
    const first = await send()
    // As if the process had died between the execution and its answer, long enough ago.
    await house.database.query(`update reply set status = null, body = null, begun_at = now() - interval '10 minutes' where call like '%lost'`)
    const before_ = await count('execution')
    const again = await send()
    assert.deepEqual([again.status, again.body, await count('execution')], [201, first.body, before_])
  })

  test('of many calls at once lets one through, for executions, batches, workflows and uploads', async () => {
    const { testKey: key } = await house.newAccount()
    const photo = await paint(33, 22)
    const form = () => { const made_ = new FormData(); made_.set('file', new Blob([new Uint8Array(photo)], { type: 'image/png' }), 'photo.png'); return made_ }
    const calls: [path: string, body: () => unknown, table: string, rows: number][] = [
      ['/workflows/scratch/execute', () => poster(), 'execution', 1],
      ['/workflows/scratch/execute', () => ({ ...poster(), iteratorConfigs: [{ nodeId: 'input-1', items: ['a', 'b', 'c'] }] }), 'execution', 3],
      ['/workflows', () => poster(), 'workflow', 1],
      ['/media/upload', form, "asset where kind = 'input'", 1],
    ]
    for (const [index, [path, body, table, rows]] of calls.entries()) {
      const was = await count(table)
      const answers = await Promise.all(Array.from({ length: 12 }, () => ask('POST', path, body(), { key, headers: { 'idempotency-key': `many-${index}` } })))
      assert.equal(await count(table) - was, rows, path)
      for (const answer of answers) assert.deepEqual([answer.status, answer.body], [201, answers[0]!.body])
      assert.equal(answers.filter(answer => answer.headers.get('idempotency-replayed') === null).length, 1)
    }
  })
})

// Webhooks --------------------------------------------------------------------------------------------------------------

describe('a webhook', () => {
  test('is opened, kept, moved and closed by its workflow', async () => {
    const saved = await save({ ...poster(), webhookId: 'new' })
    assert.match(saved.webhookId, /^whk_\w{32}$/)
    const state = await ask('GET', `/workflow/${saved.webhookId}/trigger`, undefined, { key: null })
    assert.deepEqual([state.status, state.body], [200, { workflowId: saved.id, name: 'Poster', isActive: true, message: 'Webhook is configured. Use POST to trigger execution.' }])
    for (const path of [`/workflow/${saved.webhookId}/trigger`, `/workflows/${saved.webhookId}/trigger`]) {
      const answer = await ask('POST', path, { Prompt: 'by its label', nobody: 1 }, { key: null })
      assert.equal(answer.status, 202)
      assert.equal(stateOf(await ended(answer.body.executionId), 'input-1').text, 'by its label')
    }
    const keyed = () => ask('POST', `/workflow/${saved.webhookId}/trigger`, { prompt: 'once' }, { key: null, headers: { 'idempotency-key': 'hook-1' } })
    const [one, two] = [await keyed(), await keyed()]
    assert.deepEqual([two.body, two.headers.get('idempotency-replayed')], [one.body, 'true'])
    assert.equal((await ask('POST', `/workflow/${saved.webhookId}/trigger`, { prompt: 'twice' }, { key: null, headers: { 'idempotency-key': 'hook-1' } })).status, 422)

    // Its own id opens it only when its owner says so.
    assert.deepEqual((await ask('POST', `/workflow/${saved.id}/trigger`, {}, { key: null })).body.error, 'Workflow not found')
    const moved = await ask('PUT', `/workflows/${saved.id}`, { webhookId: saved.id })
    assert.deepEqual([moved.status, moved.body.webhookId], [200, saved.id])
    assert.equal((await ask('POST', `/workflow/${saved.webhookId}/trigger`, {}, { key: null })).status, 404)
    assert.equal((await ask('POST', `/workflow/${saved.id}/trigger`, {}, { key: null })).status, 202)
    const own = await ask('PUT', `/workflows/${saved.id}`, { webhookId: 'whk_from_wireflow_0001' })
    assert.equal(own.body.webhookId, 'whk_from_wireflow_0001')
    await quiet()
    const before_ = await traces()
    assert.equal((await ask('POST', '/workflows', { ...poster(), webhookId: 'whk_from_wireflow_0001' })).status, 409)
    assert.equal((await ask('POST', '/workflows', { ...poster(), webhookId: 'short' })).status, 400)
    assert.equal((await ask('POST', '/workflow/whk_from_wireflow_0001/trigger', '[1]', { key: null })).status, 400)
    assert.deepEqual(await traces(), before_)
    assert.equal((await ask('PUT', `/workflows/${saved.id}`, { webhookId: null }, { key: house.liveKey })).status, 409, 'a live key does not close what a test key opened')
    assert.equal((await ask('POST', '/workflow/whk_from_wireflow_0001/trigger', {}, { key: null })).status, 202)
    assert.equal((await ask('PUT', `/workflows/${saved.id}`, { webhookId: null })).body.webhookId, null)
    assert.equal((await ask('POST', '/workflow/whk_from_wireflow_0001/trigger', {}, { key: null })).status, 404)
  })

  test('stand at an id of any kind, written with its dashes or without, but never at the id of a workflow that is not theirs', async () => {
    const address = randomUUID()
    const saved = await save({ ...poster(), webhookId: address })
    assert.equal(saved.webhookId, address)
    for (const written of [address, address.replaceAll('-', '')]) assert.equal((await ask('GET', `/workflow/${written}/trigger`, undefined, { key: null })).body.workflowId, saved.id)
    const own = saved.id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
    assert.equal((await ask('PUT', `/workflows/${saved.id}`, { webhookId: own })).status, 200)
    for (const written of [own, saved.id]) assert.equal((await ask('GET', `/workflow/${written}/trigger`, undefined, { key: null })).status, 200)
    assert.equal((await ask('GET', `/workflow/${address}/trigger`, undefined, { key: null })).status, 404)

    const { testKey: key } = await house.newAccount()
    const target = await save()
    const before = await traces()
    for (const wanted of [target.id, saved.id]) assert.equal((await ask('POST', '/workflows', { ...poster(), webhookId: wanted }, { key })).status, 409)
    assert.deepEqual(await traces(), before)
    assert.equal((await ask('POST', `/workflow/${target.id}/trigger`, {}, { key: null })).status, 404)
  })

  test('of results is told what came out, signed', async () => {
    const heard: { headers: any; body: any }[] = []
    const server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', chunk => chunks.push(chunk)).on('end', () => { heard.push({ headers: request.headers, body: JSON.parse(Buffer.concat(chunks).toString()) }); response.end() })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      const { id, webhookId } = await save({ ...poster(), webhookUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/told`, webhookId: 'new' })
      const ids = [(await run(`/workflows/${id}/run`, {})).executionId, (await ended((await ask('POST', `/workflow/${webhookId}/trigger`, {}, { key: null })).body.executionId)).executionId]
      for (let looks = 0; looks < 4_800 && heard.length < 2; looks++) await pause(25)
      assert.deepEqual(heard.map(({ body }) => [body.type, body.status, body.executionId, body.data.executionId]).sort(), ids.map(one => ['execution.completed', 'COMPLETED', one, one]).sort())
      assert.ok(heard[0]!.headers['webhook-signature'] && heard[0]!.headers['webhook-id'])
      assert.equal((await sizeOf(heard[0]!.body.finalOutput.url)).format, 'png')
    } finally { server.close() }
  })
})

// The rest --------------------------------------------------------------------------------------------------------------

describe('what is around it', () => {
  test('the catalogue has what can be drawn, and every name in it can be wired', async () => {
    const { body } = await ask('GET', '/nodes')
    const types = new Map<string, any>(body.nodes.map((one: any) => [one.nodeType, one]))
    for (const nodeType of ['input:text', 'input:image', 'generate:nano_banana_pro', 'generate:nano_banana_2', 'generate:flux_2', 'generate:flux_pro_v1_1_ultra', 'generate:openai_gpt_image_2', 'video:kling_video_2_5_i2v', 'llm:openrouter_router', 'compv3', 'utility:prompt_concat', 'utility:json_multi_extract', 'output:preview', 'plantain:approval']) assert.ok(types.has(nodeType), nodeType)
    assert.deepEqual(types.get('generate:nano_banana_pro').inputs.filter((one: any) => one.isPort).map((one: any) => [one.id, one.type, one.required]), [['prompt', 'TEXT', true], ['image1', 'IMAGE', false]])
    assert.ok(types.get('generate:nano_banana_pro').inputs.some((one: any) => one.id === 'aspect_ratio' && !one.isPort && one.options.includes('16:9')))
    const wrong: string[] = []
    for (const { nodeType, inputs } of body.nodes) {
      for (const { id } of inputs.filter((one: any) => one.isPort)) {
        const { violations } = (await ask('POST', '/workflows/lint', { nodes: [text('t', 'x'), { id: 'n', data: { nodeType } }], edges: [{ source: 't', target: 'n', sourceHandle: 'out-text', targetHandle: `in-${id}` }] })).body
        if (violations.some((one: any) => one.rule === 'bad-target-handle' || one.rule === 'unknown-node-type')) wrong.push(`${nodeType} ${id}`)
      }
    }
    assert.deepEqual(wrong, [])
  })

  test('an estimate says what a run costs, and a run costs that', async () => {
    const { id } = await save({ name: 'Priced', nodes: [text('t', null), made('gen-1', { num_images: 3 })], edges: [wire('t.prompt', 'gen-1.prompt')] })
    const { body: { data } } = await ask('POST', `/workflows/${id}/estimate`, {})
    assert.deepEqual([data.workflowId, data.sufficient, data.estimateComplete, data.breakdown.map((one: any) => [one.nodeId, one.model, one.iterations, one.unknownIterations]), data.warnings.length], [id, true, true, [['gen-1', 'sandbox-1', 1, false]], 1])
    const done = await run(`/workflows/${id}/run`, { inputs: { t: 'three pears' } })
    assert.deepEqual([done.costMicros, done.creditsUsed], [data.estimatedMicros, data.estimatedCredits])
    // What it calls counts as well, in both.
    const caller = await save({ name: 'Caller', nodes: [{ id: 'call', data: { label: 'Call', nodeType: 'blueprint:invoke', config: { workflowId: id, inputs: { t: 'three plums' } } } }], edges: [] })
    const { body: { data: whole } } = await ask('POST', `/workflows/${caller.id}/estimate`, {})
    assert.deepEqual([whole.estimateComplete, whole.estimatedMicros, whole.breakdown.map((one: any) => [one.nodeId, one.model, one.iterations])], [true, data.estimatedMicros, [['call', 'workflow', 1]]])
    assert.equal((await run(`/workflows/${caller.id}/run`, {})).costMicros, whole.estimatedMicros)
  })

  test('media is taken in by form, by address and in two steps, and listed', async () => {
    const { testKey: key } = await house.newAccount()
    const photo = await paint(50, 40)
    const form = new FormData()
    form.set('file', new Blob([new Uint8Array(photo)], { type: 'application/octet-stream' }), 'photo.png')
    const uploaded = await ask('POST', '/media/upload', form, { key })
    assert.deepEqual([uploaded.status, await sizeOf(uploaded.body.data.url)], [201, { width: 50, height: 40, format: 'png' }])
    assert.equal((await ask('POST', '/media/upload', { url: uploaded.body.data.url }, { key })).body.data.id, uploaded.body.data.id)
    const large = await paint(900, 700)
    const place = (await ask('POST', '/media/upload-url', { bytes: large.length, filename: 'large.png', contentType: 'image/png' }, { key })).body.data
    assert.deepEqual([place.method, place.headers], ['PUT', { 'Content-Type': 'image/png' }])
    assert.equal((await ask('POST', '/media/upload-url/complete', { mediaId: place.mediaId, filename: 'large.png' }, { key })).status, 400)
    assert.equal((await fetch(place.uploadUrl, { method: 'PUT', headers: place.headers, body: new Uint8Array(large) })).status, 200)
    const complete = await ask('POST', '/media/upload-url/complete', { mediaId: place.mediaId, filename: 'large.png' }, { key })
    assert.equal((await sizeOf(complete.body.data.url)).width, 900)
    assert.deepEqual((await ask('GET', '/media', undefined, { key })).body.data.map((one: any) => [one.width, one.contentType]), [[900, 'image/png'], [50, 'image/png']])
    const done = await run('/workflows/scratch/execute', { nodes: [text('t', 'like this'), { id: 'p', data: { nodeType: 'input:image', config: { image: complete.body.data.url } } }, made('gen-1')], edges: [wire('t.prompt', 'gen-1.prompt'), wire('p.url', 'gen-1.image1')] }, { key })
    assert.equal(done.status, 'COMPLETED', done.error)
    const download = await fetch(`${house.url}/api/download?url=${encodeURIComponent(done.finalOutput.url)}`)
    assert.deepEqual([download.status, download.headers.get('content-type'), download.headers.get('content-disposition')?.startsWith('attachment')], [200, 'image/png', true])
    for (const url of ['https://example.com/a.png', 'http://169.254.169.254/latest', `${house.url}/plantain/v1/tasks`, `${house.url}/files/x`, `${house.url}.evil.example/files/a`, 'file:///etc/passwd', '']) {
      assert.ok([400, 404].includes((await fetch(`${house.url}/api/download?url=${encodeURIComponent(url)}`)).status), url)
    }
    assert.equal((await ask('POST', '/media/upload-url', { bytes: 60_000_000, filename: 'x.png' }, { key })).status, 413)
    const wave = Buffer.alloc(844)
    wave.write('RIFF', 0); wave.writeUInt32LE(836, 4); wave.write('WAVEfmt ', 8); wave.writeUInt32LE(16, 16); wave.writeUInt16LE(1, 20); wave.writeUInt16LE(1, 22); wave.writeUInt32LE(8_000, 24); wave.writeUInt32LE(8_000, 28); wave.writeUInt16LE(1, 32); wave.writeUInt16LE(8, 34); wave.write('data', 36); wave.writeUInt32LE(800, 40)
    const sound = new FormData()
    sound.set('file', new Blob([new Uint8Array(wave)], { type: 'audio/wav' }), 'voice.wav')
    const heard = await ask('POST', '/media/upload', sound, { key })
    assert.deepEqual([heard.status, heard.body.data.contentType], [201, 'audio/wav'])
    const wrong = await ask('POST', '/workflows/scratch/execute', { nodes: [{ id: 'p', data: { nodeType: 'input:image', config: { image: heard.body.data.url } } }, made('gen-1', { prompt: 'like this' })], edges: [wire('p.image', 'gen-1.image1')] }, { key })
    assert.equal(wrong.status, 400, JSON.stringify(wrong.body))
    const bogus = new FormData()
    bogus.set('file', new Blob(['hello']), 'photo.png')
    assert.equal((await ask('POST', '/media/upload', bogus, { key })).status, 400)
  })

  test('usage, feedback, an empty video editor, and the assistants\' address', async () => {
    const { testKey: key } = await house.newAccount({ testDollars: 2.345 })
    const { body } = await ask('GET', '/developer/usage', undefined, { key })
    assert.deepEqual([body.data.credits, body.credits, body.availableMicros, body.livemode], [234, 234, 2_345_000, false])
    const word = { title: 'Handles', body: 'Which is it, image or images?', category: 'confusing-contract', context: { route: '/nodes' } }
    for (let said = 0; said < 10; said++) assert.equal((await ask('POST', '/feedback', word, { key })).status, 201)
    const eleventh = await ask('POST', '/feedback', word, { key })
    assert.deepEqual([eleventh.status, eleventh.body.errorDetails.code], [429, 'feedback_rate_limited'])
    assert.equal(await count('feedback'), 10)
    for (const bad of [{ ...word, title: '' }, { ...word, title: 'x'.repeat(201) }, { ...word, category: 'praise' }, { ...word, context: { secret: 'x' } }, { ...word, body: 5 }]) assert.equal((await ask('POST', '/feedback', bad)).status, 400)
    assert.deepEqual([(await ask('GET', '/remotion/templates')).body, (await ask('GET', '/blocks?use=endcard')).body, (await ask('GET', '/remotion/templates/x')).status, (await ask('POST', '/render/remotion/preview', {})).status], [{ data: [] }, { blocks: [] }, 404, 404])
    const mcp = await fetch(`${house.url}/api/mcp`, { method: 'POST', headers: { authorization: `Bearer ${house.testKey}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' }, body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }) })
    assert.equal(mcp.status, 200)
  })

  test('a task of another door is read here', async () => {
    const task = await (await fetch(`${house.url}/plantain/v1/tasks?wait=60`, { method: 'POST', headers: { authorization: `Bearer ${house.testKey}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'sandbox-1', prompt: 'a bell', parameters: { resolution: '512' } }) })).json() as { id: string }
    const body = await ended(task.id)
    assert.deepEqual([body.status, (await sizeOf(body.finalOutput.url)).format], ['COMPLETED', 'png'])
  })
})

// Bad input -------------------------------------------------------------------------------------------------------------

test('what is wrong is told in a sentence, costs nothing and leaves nothing', async () => {
  const { id, updatedAt } = await save({ ...poster(), name: 'Bad things happen to it' })
  const cases: [method: string, path: string, body: unknown, status: number][] = [
    ['POST', '/workflows', {}, 400], ['POST', '/workflows', [], 400], ['POST', '/workflows', 'x', 400], ['POST', '/workflows', { ...poster(), name: '' }, 400], ['POST', '/workflows', { ...poster(), name: 5 }, 400], ['POST', '/workflows', { ...poster(), name: 'x'.repeat(201) }, 400],
    ['POST', '/workflows', { name: 'x', nodes: poster().nodes }, 400], ['POST', '/workflows', { name: 'x', nodes: [], edges: [] }, 400], ['POST', '/workflows', { ...poster(), nodes: {} }, 400], ['POST', '/workflows', { ...poster(), tags: 'a' }, 400], ['POST', '/workflows', { ...poster(), tags: [5] }, 400],
    ['POST', '/workflows', { ...poster(), isActive: 'yes' }, 400], ['POST', '/workflows', { ...poster(), description: 5 }, 400], ['POST', '/workflows', { ...poster(), linkPermission: 'VIEW' }, 400], ['POST', '/workflows', { ...poster(), webhookUrl: 'nowhere' }, 400], ['POST', '/workflows', { ...poster(), webhookUrl: 'file:///etc' }, 400],
    ['POST', '/workflows', { ...poster(), webhookId: 5 }, 400], ['POST', '/workflows', { ...poster(), exposedInputs: 'all' }, 400], ['POST', '/workflows', { ...poster(), exposedInputs: [5] }, 400], ['POST', '/workflows', { ...poster(), id: 'nobody' }, 404], ['POST', '/workflows', { ...poster(), nodes: [{ ...made('gen-1', { sharpness: 1 }) }] }, 422],
    ['PUT', `/workflows/${id}`, { linkPermission: 'VIEW' }, 400], ['PUT', `/workflows/${id}`, { nodes: [] }, 400], ['PUT', `/workflows/${id}`, { nodes: [], edges: [] }, 400], ['PUT', `/workflows/${id}`, { baseUpdatedAt: 'yesterday' }, 400], ['PUT', `/workflows/${id}`, { baseUpdatedAt: 5 }, 400], ['PUT', `/workflows/${id}`, { name: 'late', baseUpdatedAt: '2026-01-01T00:00:00.000Z' }, 409],
    ['PUT', '/workflows/nobody', poster(), 404], ['PUT', '/workflows/constructor', poster(), 404], ['PATCH', `/workflows/${id}/nodes/gen-1`, { config: 'x' }, 400], ['PATCH', `/workflows/${id}/nodes/gen-1`, { position: { x: 'a' } }, 400], ['PATCH', `/workflows/${id}/nodes/gen-1`, { label: 5 }, 400], ['PATCH', `/workflows/${id}/nodes/constructor`, { label: 'x' }, 404],
    ['POST', `/workflows/${id}/visibility`, {}, 400], ['POST', `/workflows/${id}/visibility`, { visibility: 'all' }, 400], ['POST', `/workflows/${id}/layout`, { gapX: -1 }, 400], ['POST', `/workflows/${id}/layout`, { gapY: 'wide' }, 400], ['POST', `/workflows/${id}/layout`, { scope: ['nobody'] }, 400], ['POST', `/workflows/${id}/layout`, { scope: 5 }, 400],
    ['POST', `/workflows/${id}/duplicate`, { name: 5 }, 400], ['POST', `/workflows/${id}/estimate`, { inputs: [] }, 400], ['POST', `/workflows/${id}/estimate`, { inputs: { nobody: 1 } }, 400], ['POST', `/workflows/${id}/run`, [], 400], ['POST', `/workflows/${id}/run`, { inputs: 'x' }, 400], ['POST', `/workflows/${id}/run`, { inputs: { 'input-1': { a: 1 } } }, 400],
    ['POST', '/workflows/lint', { nodes: 5 }, 400], ['POST', '/workflows/generate/stream', {}, 400], ['POST', '/workflows/generate/stream', { prompt: '  ' }, 400], ['POST', '/workflows/generate/stream', { prompt: 'x', images: ['/etc/passwd'] }, 400], ['GET', '/workflows?limit=0', undefined, 400], ['GET', '/workflows?limit=x', undefined, 400], ['GET', '/workflows?offset=-1', undefined, 400],
    ['GET', '/workflows?isActive=maybe', undefined, 400], ['GET', '/workflows?teamId=5', undefined, 400], ['GET', '/workflows/executions?after=x', undefined, 400], ['GET', '/workflows/executions?batchId=x', undefined, 400], ['GET', '/workflows/executions/x/poll', undefined, 404], ['GET', '/workflows/executions/0192f0a000007000800000000000abcd', undefined, 404],
    ['POST', '/workflows/executions/x/cancel', {}, 404], ['POST', '/workflows/executions/x/resume', {}, 404], ['POST', '/media/upload', { url: 'nowhere' }, 400], ['POST', '/media/upload', {}, 400], ['POST', '/media/upload', { url: 'http://[::ffff:7f00:1]:1/a.png' }, 400], ['POST', '/media/upload-url', { bytes: 0, filename: 'a' }, 400], ['POST', '/media/upload-url', { filename: 'a' }, 400], ['POST', '/media/upload-url', { bytes: 5, filename: 'a', contentType: 'x y' }, 400],
    ['POST', '/media/upload-url/complete', {}, 400], ['POST', '/media/upload-url/complete', { mediaId: 'x' }, 404], ['GET', '/media?limit=1000', undefined, 400], ['POST', '/apps/nobody/execute', {}, 404], ['GET', '/apps/nobody', undefined, 404], ['POST', '/workflow/nobody/trigger', {}, 404], ['GET', '/workflow/nobody/trigger', undefined, 404], ['POST', '/blocks', {}, 404],
  ]
  const wrong: string[] = []
  await quiet()
  const before_ = await traces()
  for (const [method, path, body, status] of cases) {
    const answer = await ask(method, path, body)
    const sentence = typeof answer.body?.error === 'string' ? answer.body.error : answer.body?.error?.message
    if (answer.status !== status || typeof sentence !== 'string' || sentence.length < 6 || /undefined|\[object|NaN/.test(sentence)) wrong.push(`${method} ${path} ${JSON.stringify(body)?.slice(0, 80)}: ${answer.status} ${sentence}`)
  }
  assert.deepEqual(wrong, [])
  assert.deepEqual(await traces(), before_)
  assert.equal((await ask('GET', `/workflows/${id}`)).body.updatedAt, updatedAt)
})

test('after all that the books balance', async () => {
  await quiet()
  assert.deepEqual(await house.audit(), [])
})
