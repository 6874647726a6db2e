/** Wireflow's workflows: a graph sent along and run, its task found by the poll. */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { Answer, Bad, Call, Door } from '../kit/door.ts'
import type { TestHouse } from '../kit/house.ts'

const execute = '/api/v1/workflows/scratch/execute'
const input = (prompt: unknown, more: object = {}) => ({ id: 'input-1', type: 'basedNode', data: { nodeType: 'input:text', params: { prompt }, ...more } })
const made = (more: object = {}) => ({ id: 'gen-1', type: 'basedNode', data: { nodeType: 'generate:sandbox_1', params: { resolution: '512' }, ...more } })
const edge = { source: 'input-1', target: 'gen-1', sourceHandle: 'out-prompt', targetHandle: 'in-prompt' }
const graph = (prompt: unknown, more: object = {}) => ({ nodes: [input(prompt), made(more)], edges: [edge] })
const poll = (id: string): Call => ({ method: 'GET', path: `/api/v1/workflows/executions/${id}/poll` })

export const door: Door = {
  keyForms: (key): Record<string, string>[] => [{ authorization: `Bearer ${key}` }, { authorization: `Bearer ${key.replace(/^sk-(\w+)-/, 'wf_$1_')}` }],
  look: { method: 'GET', path: '/api/v1/workflows' },
  make: (prompt, idempotencyKey) => ({ path: execute, body: graph(prompt), ...(idempotencyKey === undefined ? {} : { headers: { 'idempotency-key': idempotencyKey } }) }),
  makes: 'image', isSync: false,
  async taskOf({ headers, body }, look) {
    for (let looks = 0; looks < 4_800; looks++) {
      const id = (await look(poll(body.executionId))).body.nodeStates.find((one: any) => one.nodeId === 'gen-1').requestId
      if (id !== null) return { id, replayed: headers.get('idempotency-replayed') === 'true' }
      await pause(20)
    }
    throw new Error('The execution never ordered its picture.')
  },
  read: { image: poll, video: poll },
  pictureOf: async ({ body }, fetch) => fetch(body.nodeStates[0].outputUrl),
  refusalOf({ status, body }: Answer) {
    if (status < 400) return null
    const { error, errorDetails } = body
    if (typeof error === 'object') {
      assert.ok(error.type && error.code)
      return { status, message: error.message }
    }
    assert.ok(errorDetails.type && errorDetails.code && errorDetails.message)
    return { status, message: error }
  },
  flawed: { call: { path: execute, body: graph('x', { params: { aspect_ratio: '7:5', resolution: '9K' } }) }, told: [/aspect_ratio must be one of/, /resolution must be one of/] },
  statuses: { unauthorized: 401, credits: 402, notFound: 404, mismatch: 422, limited: 429 },
  limitHeaders: ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset'],
  bad,
}

function bad(house: TestHouse): Bad[] {
  const list: [what: string, status: number | null, body: unknown, options?: Partial<Call> | (() => Promise<Partial<Call>>)][] = [
    ['no JSON', 400, '{"nodes":'],
    ['a list', 400, []],
    ['text', 400, '"nodes"'],
    ['NUL in a prompt', 400, '{"nodes":[{"id":"a","data":{"nodeType":"input:text","params":{"prompt":"a\\u0000b"}}}]}'],
    ['half a surrogate pair', 400, '{"nodes":[{"id":"\\ud800"}]}'],
    ['nesting without end', 400, '['.repeat(10_000)],
    ['a prototype', 400, '{"__proto__":{"nodes":[]}}'],
    ['a huge body', 413, { nodes: [input('x'.repeat(5_000_000))], edges: [] }],
    ['another media type', 400, 'nodes=1', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
    ['neither a graph nor a workflow', 404, {}],
    ['no nodes', 400, { nodes: [], edges: [] }],
    ['only notes', 400, { nodes: [{ id: 'n', type: 'stickyNote', data: { text: 'hello' } }], edges: [] }],
    ['nodes that are text', 400, { nodes: 'all', edges: [] }],
    ['a node that is text', 400, { nodes: ['gen-1'], edges: [] }],
    ['a node without an id', 400, { nodes: [{ data: { nodeType: 'input:text' } }], edges: [] }],
    ['an id that is a number', 400, { nodes: [{ ...made(), id: 5 }], edges: [] }],
    ['an id without end', 400, { nodes: [{ ...made(), id: 'x'.repeat(10_000) }], edges: [] }],
    ['an id every object has', 400, { nodes: [{ ...made(), id: '__proto__' }], edges: [] }],
    ['an id called like a method', 400, { nodes: [{ ...made(), id: 'constructor' }], edges: [] }],
    ['a hidden id', 400, { nodes: [{ ...made(), id: '~gen-1.1' }], edges: [] }],
    ['data that is text', 400, { nodes: [{ id: 'a', data: 'x' }], edges: [] }],
    ['a position without numbers', 400, { nodes: [{ ...made(), position: { x: 'left' } }], edges: [] }],
    ['the same id twice', 422, { nodes: [input('x'), input('y')], edges: [] }],
    ['no type', 422, { nodes: [{ id: 'a', data: {} }], edges: [] }],
    ['a type nobody has', 422, { nodes: [{ id: 'a', data: { nodeType: 'generate:nano_apple' } }], edges: [] }],
    ['a type called like a method', 422, { nodes: [{ id: 'a', data: { nodeType: 'constructor' } }], edges: [] }],
    ['a kind nobody has', 422, { nodes: [{ id: 'a', data: { nodeType: 'plantain:teleport' } }], edges: [] }],
    ['a model without a name', 400, { nodes: [{ id: 'a', data: { model: { provider: 'fal' } } }], edges: [] }],
    ['an edge without a target', 400, { nodes: [made()], edges: [{ source: 'gen-1' }] }],
    ['an edge that is text', 400, { nodes: [made()], edges: ['a'] }],
    ['a handle that is a number', 400, { nodes: [input('x'), made()], edges: [{ ...edge, sourceHandle: 5 }] }],
    ['an edge to nowhere', 422, { nodes: [input('x'), made()], edges: [{ ...edge, target: 'gen-2' }] }],
    ['a handle nobody has', 422, { nodes: [input('x'), made()], edges: [{ ...edge, targetHandle: 'in-promt' }] }],
    ['a handle called like a method', 422, { nodes: [input('x'), made()], edges: [{ ...edge, sourceHandle: 'out-constructor' }] }],
    ['a cycle', 422, { nodes: [made(), { ...made(), id: 'gen-2' }], edges: [{ source: 'gen-1', target: 'gen-2', targetHandle: 'in-image1' }, { source: 'gen-2', target: 'gen-1', targetHandle: 'in-image1' }] }],
    ['text where a picture goes', 422, { nodes: [input('x'), made()], edges: [edge, { ...edge, targetHandle: 'in-image1' }] }],
    ['no prompt at all', 422, { nodes: [made()], edges: [] }],
    ['an empty prompt', 400, graph('')],
    ['a prompt that is an object', null, graph({ a: 1 })],
    ['a parameter the model has not', 400, graph('x', { params: { sharpness: 5 } })],
    ['a ratio there is not', 400, graph('x', { params: { aspect_ratio: '7:3' } })],
    ['a resolution there is not', 400, graph('x', { params: { resolution: '9K' } })],
    ['more pictures than there may be', 400, graph('x', { params: { num_images: 500 } })],
    ['half a picture', 400, graph('x', { params: { num_images: 1.5 } })],
    ['a picture at a private address', 400, { nodes: [input('x'), made({ config: { image1: 'http://127.0.0.1:80/a.png' } })], edges: [edge] }],
    ['the cloud\'s metadata', 400, { nodes: [input('x'), made({ config: { image1: 'http://169.254.169.254/latest' } })], edges: [edge] }],
    ['a picture nobody has', 400, { nodes: [input('x'), made({ config: { image1: 'https://pictures.invalid/a.png' } })], edges: [edge] }],
    ['bytes that are no picture', 400, { nodes: [input('x'), made({ config: { image1: `data:image/png;base64,${'A'.repeat(100)}` } })], edges: [edge] }],
    ['a file of ours', 400, { nodes: [input('x'), made({ config: { image1: 'file:///etc/passwd' } })], edges: [edge] }],
    ['inputs that are a list', 400, { ...graph('x'), inputs: ['x'] }],
    ['an input there is not', 400, { ...graph('x'), inputs: { 'input-9': 'x' } }],
    ['an input called like a method', 400, { ...graph('x'), inputs: { constructor: 'x' } }],
    ['trigger data that is text', 400, { ...graph('x'), triggerData: 'x' }],
    ['a target there is not', 400, { ...graph('x'), targetNodeId: 'gen-9' }],
    ['a target that is a number', 400, { ...graph('x'), targetNodeId: 9 }],
    ['force that is text', 400, { ...graph('x'), force: 'yes' }],
    ['iterators that are an object', 400, { ...graph('x'), iteratorConfigs: {} }],
    ['an iterator over nobody', 400, { ...graph('x'), iteratorConfigs: [{ nodeId: 'input-9', items: ['a'] }] }],
    ['an iterator over nothing', 400, { ...graph('x'), iteratorConfigs: [{ nodeId: 'input-1', items: [] }] }],
    ['an iterator without a key', 400, { ...graph('x'), iteratorConfigs: [{ nodeId: 'gen-1', items: [1] }] }],
    ['an iterator over what is wired', 400, { ...graph('x'), iteratorConfigs: [{ nodeId: 'gen-1', key: 'prompt', items: ['a'] }] }],
    ['an iterator that goes some other way', 400, { ...graph('x'), iteratorConfigs: [{ nodeId: 'input-1', items: ['a'], mode: 'random' }] }],
    ['lists of different lengths side by side', 400, { ...graph('x'), iteratorConfigs: [{ nodeId: 'input-1', items: ['a', 'b'], mode: 'zip' }, { nodeId: 'gen-1', key: 'seed', items: [1], mode: 'zip' }] }],
    ['more executions than are begun at once', 400, { ...graph('x'), iteratorConfigs: [{ nodeId: 'input-1', items: Array.from({ length: 201 }, (_, index) => `${index}`) }] }],
    ['one bad execution among good ones', 400, { ...graph('x'), iteratorConfigs: [{ nodeId: 'gen-1', key: 'resolution', items: ['512', '9K'] }] }],
    ['a workflow nobody has', 404, graph('x'), { path: '/api/v1/workflows/0192f0a000007000800000000000abcd/execute' }],
    ['a workflow\'s name without end', 404, graph('x'), { path: `/api/v1/workflows/${'x'.repeat(1_000)}/execute` }],
    ['an Idempotency-Key with spaces', 400, graph('x'), { headers: { 'idempotency-key': 'a b' } }],
    ['an Idempotency-Key without end', 400, graph('x'), { headers: { 'idempotency-key': 'k'.repeat(300) } }],
    ['no key', 401, graph('x'), { key: null }],
    ['a wrong key', 401, graph('x'), { key: 'sk-test-nobodyhasthiskeynobodyhasthis' }],
    ['a key that may only look', 403, graph('x'), async () => ({ key: (await house.newAccount({ scopes: ['tasks:read'] })).testKey })],
    ['an empty purse', 402, graph('x'), async () => ({ key: (await house.newAccount({ testDollars: 0 })).testKey })],
  ]
  return list.map(([what, status, body, options]): Bad => ({ what, status, call: async () => ({ path: execute, body, ...(typeof options === 'function' ? await options() : options) }) }))
}
