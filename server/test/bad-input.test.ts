/**
 * Whatever is sent to our own door, nothing meets a bug. What it is sent by mistake in particular stands in `doors/native.ts`.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import * as fc from 'fast-check'
import { problems } from '../src/domain/problem.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { draws } from './kit/chance.ts'

let house: TestHouse
// Private addresses are refused here, as they are in production.
before(async () => { house = await testHouse({ settings: { ALLOW_PRIVATE_ADDRESSES: 'false' } }) })
after(() => house.close())

interface Sent { method?: string; path?: string; /** A value is sent as JSON, text and bytes as they are. */ body?: unknown; headers?: Record<string, string>; key?: string | null }

async function send({ method, path = 'tasks', body, headers = {}, key = house.liveKey }: Sent) {
  const isRaw = typeof body === 'string' || body instanceof Uint8Array
  const answer = await fetch(house.url + (path.startsWith('/') ? path : `/plantain/v1/${path}`), {
    method: method ?? 'POST',
    headers: { ...(key === null ? {} : { authorization: `Bearer ${key}` }), ...(body === undefined || isRaw ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: isRaw ? body as string : JSON.stringify(body) }),
  })
  return { status: answer.status, headers: answer.headers, text: await answer.text() }
}

/** Anything JSON can hold, and now and then what nearly fits. */
const anything = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.string({ unit: 'binary' }), fc.integer(), fc.double(), fc.constantFrom('__proto__', '', '\0', '\ud800', 1e308, -0, null))
const nearly = <T>(fits: fc.Arbitrary<T>) => fc.oneof({ weight: 3, arbitrary: fits as fc.Arbitrary<unknown> }, { weight: 2, arbitrary: anything })
const maybe = (fits: fc.Arbitrary<unknown>) => nearly(fits)

const bodies: Record<string, fc.Arbitrary<unknown>> = {
  tasks: fc.record({
    model: nearly(fc.constantFrom('rehearsal-1', 'nano-banana', 'sora-2', 'topaz-image-upscale', 'sandbox-1')),
    prompt: nearly(fc.string({ maxLength: 50 })),
    operation: maybe(fc.constantFrom('generate', 'edit', 'upscale', 'video')),
    parameters: maybe(fc.dictionary(fc.constantFrom('count', 'aspect_ratio', 'resolution', 'seed', 'output_format', 'duration_s', 'factor', 'toString'), anything)),
    inputs: maybe(fc.array(fc.record({ base64: anything, url: anything, role: anything }, { requiredKeys: [] }), { maxLength: 3 })),
    metadata: maybe(fc.dictionary(fc.string({ maxLength: 5 }), fc.string({ maxLength: 5 }))),
    priority: maybe(fc.constant('batch')), start_within_s: maybe(fc.integer({ min: 1, max: 9 })), callback_url: anything,
  }, { requiredKeys: [] }),
  assets: fc.record({ url: anything, data_url: anything, base64: anything, name: anything }, { requiredKeys: [] }),
  keys: fc.record({ name: nearly(fc.string({ minLength: 1, maxLength: 9 })), scopes: maybe(fc.array(fc.constantFrom('admin', 'tasks:read'))), expires_at: anything, requests_per_minute: anything, livemode: anything }, { requiredKeys: [] }),
  webhooks: fc.record({ url: nearly(fc.webUrl()), events: maybe(fc.array(fc.constantFrom('task.completed', 'task.failed'))) }, { requiredKeys: [] }),
}

for (const [path, body] of Object.entries(bodies)) {
  test(`nothing sent to ${path} meets a bug`, { timeout: 120_000 }, async () => {
    const estimate = path === 'tasks'
    await fc.assert(fc.asyncProperty(fc.oneof({ weight: 5, arbitrary: body }, { weight: 1, arbitrary: anything }), async sent => {
      const answer = await send({ path: estimate ? 'estimate' : path, body: JSON.stringify(sent) ?? 'null', headers: { 'content-type': 'application/json' } })
      assert.notEqual(answer.status, 500, `${JSON.stringify(sent)}\n${answer.text}`)
      assert.ok(answer.headers.get('x-request-id'))
      if (answer.status >= 400) assert.ok(JSON.parse(answer.text).error.code in problems)
    }), draws(150))
  })
}

test('no query meets a bug', { timeout: 120_000 }, async () => {
  const names = fc.constantFrom('after', 'limit', 'state', 'model', 'operation', 'created_after', 'created_before', 'metadata[a]', 'metadata[__proto__]', 'kind', 'task', 'from', 'to', 'type', 'timeout', 'side', '__proto__', 'webhook')
  const values = fc.oneof(fc.string({ maxLength: 20 }), fc.constantFrom('1', '0', '-1', '1e9', 'done', '2026-01-01', '0000-01-01', '9999-12-31T23:59:59+14:00', '99999999999999', '0'.repeat(32), 'true', '\0', '%'))
  const paths = fc.constantFrom('tasks', 'assets', 'usage', 'ledger', 'deliveries', 'models', 'events')
  await fc.assert(fc.asyncProperty(paths, fc.array(fc.tuple(names, values), { maxLength: 3 }), async (path, pairs) => {
    const answer = await send({ method: 'GET', path: `${path}?${new URLSearchParams(pairs.map(([name, value]): [string, string] => [name, value.toWellFormed()]))}` })
    assert.notEqual(answer.status, 500, `${path} ${JSON.stringify(pairs)}\n${answer.text}`)
  }), draws(250))
})

test('no path meets a bug', { timeout: 120_000 }, async () => {
  const heads = fc.constantFrom('tasks', 'assets', 'models', 'keys', 'webhooks', 'deliveries', '/files', 'events', '')
  await fc.assert(fc.asyncProperty(heads, fc.array(fc.string({ maxLength: 12, unit: 'binary' }), { maxLength: 3 }), fc.constantFrom('GET', 'POST', 'DELETE', 'PATCH', 'PUT', 'HEAD', 'OPTIONS'), async (head, parts, method) => {
    const answer = await send({ method, path: [head, ...parts.map(part => encodeURIComponent(part.toWellFormed()))].join('/') })
    assert.notEqual(answer.status, 500, `${method} ${head} ${JSON.stringify(parts)}\n${answer.text}`)
  }), draws(250))
})

test('after all that the books balance', async () => {
  assert.deepEqual(await house.audit(), [])
})
