import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Caller } from '../domain/caller.ts'
import { Problem } from '../domain/problem.ts'
import { streamEvents } from '../kit/sse.ts'
import type { Desk, Incoming, Protocol } from '../protocols/contract.ts'
import { serveHttp, type HttpOptions, type HttpServer, type RateState } from './server.ts'

const caller: Caller = {
  keyId: 'k', keyName: 'k', keyPrefix: 'sk-test-k', accountId: 'a', projectId: 'p', livemode: false, scopes: ['tasks:read'],
  limits: { requestsPerMinute: null, executionsPerDay: null, concurrent: null },
}

/** Waits for something to become true, looking again at every turn of the loop. */
async function until(what: string, isTrue: () => boolean): Promise<void> {
  const limit = performance.now() + 60_000
  while (!isTrue()) {
    if (performance.now() > limit) assert.fail(`waited in vain for: ${what}`)
    await turn()
  }
}

const inlineFolder = await mkdtemp(join(tmpdir(), 'plantain-server-test-'))
let bytesPulled = 0
let goneCount = 0
let waiting = 0
const seen: Incoming[] = []

const endless = () => new ReadableStream<Uint8Array>({
  pull(controller) { bytesPulled += 65_536; controller.enqueue(new Uint8Array(65_536)) },
}, { highWaterMark: 0 })

const door = (id: string, prefixes: string[], write: (problem: Problem, requestId: string) => Response, routes: Protocol['routes']): Protocol => ({
  id, title: id, prefixes, routes,
  readSecret: ({ headers }) => headers['authorization']?.replace(/^Bearer /, '') ?? null,
  refuse: (problem, { requestId }) => write(problem, requestId),
})

const echo = async (request: Incoming) => { seen.push(request); return Response.json({ body: request.body ?? null, params: request.params }) }

const protocols = [
  door('native', ['/own'], (problem, requestId) => Response.json({ error: { code: problem.code, message: problem.message, requestId } }, { status: problem.status }), [
    { method: 'GET', path: '/own/things/:id', scope: 'tasks:read', handle: echo },
    { method: 'POST', path: '/own/things', scope: 'tasks:read', handle: echo },
    { method: 'DELETE', path: '/own/things/:id', scope: 'tasks:read', handle: async () => new Response(null, { status: 204 }) },
    { method: 'POST', path: '/own/admin', scope: 'admin', handle: echo },
    { method: 'POST', path: '/own/small', scope: null, bodyMax: 100, handle: echo },
    { method: 'POST', path: '/own/free', scope: null, handle: echo },
    { method: 'GET', path: '/own/bug', scope: null, handle: async () => { throw new TypeError('a secret detail') } },
    { method: 'GET', path: '/own/bad-desk', scope: null, handle: async (_request, desk) => Response.json(await desk.money.balance()) },
    { method: 'GET', path: '/own/busy', scope: null, handle: async () => { throw new Problem('provider_busy', 'Busy.', { retryAfterS: 7 }) } },
    { method: 'GET', path: '/own/endless', scope: null, handle: async () => new Response(endless()) },
    { method: 'GET', path: '/own/breaks', scope: null, handle: async () => new Response(new ReadableStream({
      async pull(controller) { controller.enqueue(new Uint8Array(10)); await turn(); controller.error(new Error('the disk is gone')) },
    }), { headers: { 'content-length': '1000' } }) },
    { method: 'GET', path: '/own/waits', scope: null, async handle({ signal }) {
      waiting++
      await new Promise<void>(resolve => { signal.addEventListener('abort', () => { goneCount++; resolve() }, { once: true }) })
      return Response.json({ waited: true })
    } },
    { method: 'GET', path: '/own/events', scope: null, async handle({ signal }) {
      return streamEvents((async function* () {
        yield { id: 1, event: 'first', data: { a: 1 } }
        await new Promise<void>(resolve => { signal.addEventListener('abort', () => resolve(), { once: true }) })
      })(), { onEnd: () => { goneCount++ } })
    } },
    { method: 'POST', path: '/own/upload', scope: null, body: 'stream', async handle({ stream }) {
      let size = 0
      for await (const chunk of stream!) size += (chunk as Buffer).length
      return Response.json({ size }, { headers: { 'x-task-id': 'abc' } })
    } },
    { method: 'POST', path: '/own/inline', scope: null, body: 'inline', async handle({ body, inline }) {
      const { image, ...rest } = body as { image: string }
      const found = inline(image)
      if (image === 'break') throw new Problem('conflict', 'No.')
      return Response.json({ rest, mime: found?.mime ?? null, sizeBytes: found?.sizeBytes ?? null, waiting: (await readdir(inlineFolder)).length })
    } },
    { method: 'POST', path: '/own/unread', scope: null, body: 'stream', handle: async () => { throw new Problem('unauthorized', 'No.') } },
  ]),
  door('other', ['/other', '/own/inner'], problem => Response.json({ code: problem.status, msg: problem.message }, { status: 200 }), [
    { method: 'POST', path: '/other/make', scope: 'tasks:read', handle: echo },
    { method: 'GET', path: '/shared/:name', scope: null, handle: async ({ params }) => Response.json({ other: params }) },
    { method: 'POST', path: '/shared/:name::make', scope: null, handle: async ({ params }) => Response.json({ make: params }) },
    { method: 'POST', path: '/shared/:name', scope: null, handle: async ({ params }) => Response.json({ any: params }) },
  ]),
  {
    ...door('third', ['/shared'], problem => Response.json({ third: problem.code }, { status: problem.status }), [
      { method: 'GET', path: '/shared/:thing', scope: null, handle: async ({ params }) => Response.json({ third: params }) },
    ]),
    claims: ({ headers, query }: Pick<Incoming, 'headers' | 'query'>) => headers['x-third'] === 'yes' || query.get('third') === 'yes',
  },
]

const logged: object[] = []
let rate: RateState | null = null
let isReady = true
const log = { debug() {}, info() {}, warn() {}, error: (fields: object) => { logged.push(fields) } }

const nothing = () => Promise.reject(new Problem('not_found', 'No.'))
const open = (more: Partial<HttpOptions> = {}) => serveHttp({
  host: '127.0.0.1', port: 0, protocols,
  authenticate: async secret => secret === 'good' ? caller : null,
  countRequest: async () => {
    if (rate && rate.remaining < 0) throw new Problem('rate_limited', 'Too many.', { retryAfterS: rate.resetS, limit: rate })
    return rate
  },
  deskFor: () => ({ told: new Map() }) as Partial<Desk> as Desk,
  inlineFolder,
  publicDesk: { publicUrl: 'http://here.example', assets: { openLink: nothing }, files: { progress: nothing, append: nothing, drop: nothing } },
  log, health: { ready: async () => isReady }, metrics: async () => 'tasks_total 1\n', ...more,
})

let server: HttpServer
before(async () => { server = await open() })
after(async () => {
  await server.close({ graceMs: 100 })
  await rm(inlineFolder, { recursive: true })
})

const key = { authorization: 'Bearer good' }
const ask = (path: string, init: RequestInit = {}) => fetch(server.url + path, init)
const bodyOf = async (answer: Promise<Response>) => (await answer).json() as Promise<any>
const send = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = { 'content-type': 'application/json' }, path = '/own/free') => ask(path, { method: 'POST', body, headers })

async function refused(answer: Promise<Response>, status: number, code: string): Promise<Response> {
  const response = await answer
  const body = await response.json() as { error: { code: string; requestId: string } }
  assert.deepEqual([response.status, body.error.code], [status, code])
  assert.equal(response.headers.get('x-request-id'), body.error.requestId)
  return response
}

test('a body, parameters and a key reach the handler', async () => {
  const answer = await send('{"a":[1]}', { ...key, 'content-type': 'application/json; charset=utf-8' }, '/own/things')
  assert.deepEqual(await answer.json(), { body: { a: [1] }, params: {} })
  const get = await ask('/own/things/a%2Fb?x=1', { headers: key })
  assert.deepEqual(await get.json(), { body: null, params: { id: 'a/b' } })
})

test('no key, a wrong key and a key without the scope are told apart', async () => {
  await refused(ask('/own/things/1'), 401, 'unauthorized')
  await refused(ask('/own/things/1', { headers: { authorization: 'Bearer bad' } }), 401, 'unauthorized')
  await refused(send('{}', { ...key, 'content-type': 'application/json' }, '/own/admin'), 403, 'forbidden')
})

for (const [name, body, headers, status, code] of [
  ['half an object', '{"a":', {}, 400, 'bad_request'],
  ['text that is not UTF-8', new Uint8Array([0x7b, 0xff, 0x7d]), {}, 400, 'bad_request'],
  ['NUL in text', '{"a":"\\u0000"}', {}, 400, 'bad_request'],
  ['half a surrogate pair', '{"a":"\\ud83d"}', {}, 400, 'bad_request'],
  ['half a surrogate pair in a key', '{"\\udc00":1}', {}, 400, 'bad_request'],
  ['a hand on the prototype', '{"__proto__":{"a":1}}', {}, 400, 'bad_request'],
  ['a hand on the prototype in disguise', '{"\\u005f_proto__":{"a":1}}', {}, 400, 'bad_request'],
  ['a tower of lists', '['.repeat(100_000) + ']'.repeat(100_000), {}, 400, 'bad_request'],
  ['another type', 'a=1', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'unsupported_media'],
  ['a type that is none', '{}', { 'content-type': 'nonsense' }, 415, 'unsupported_media'],
  ['another charset', '{}', { 'content-type': 'application/json; charset=utf-16' }, 415, 'unsupported_media'],
  ['a compressed body', '{}', { 'content-encoding': 'gzip' }, 415, 'unsupported_media'],
  ['a body that is too large', JSON.stringify('x'.repeat(3_000_000)), {}, 413, 'too_large'],
] as [string, string | Uint8Array<ArrayBuffer>, Record<string, string>, number, string][]) {
  test(`refused in the door's words: ${name}`, async () => {
    await refused(send(body, { 'content-type': 'application/json', ...headers }), status, code)
  })
}

test('a well-formed emoji, an escaped letter and an empty body are fine', async () => {
  assert.deepEqual((await bodyOf(send('{"a":"\\ud83d\\ude00\\u0041"}'))).body, { a: '😀A' })
  assert.equal((await bodyOf(send(''))).body, null)
})

test('a body without an announced length is cut off when it grows too large', async () => {
  let sent = 0
  const body = new ReadableStream<Uint8Array>({ pull(controller) { sent += 50; if (sent > 5_000) controller.close(); else controller.enqueue(new Uint8Array(50).fill(32)) } })
  await refused(ask('/own/small', { method: 'POST', body, duplex: 'half', headers: { 'content-type': 'application/json' } } as RequestInit), 413, 'too_large')
})

test('a large upload that is refused unread still sees the refusal', async () => {
  const body = new Uint8Array(8 * 1024 * 1024)
  for (let round = 0; round < 5; round++) await refused(ask('/own/unread', { method: 'POST', body, headers: { 'content-type': 'image/png' } }), 401, 'unauthorized')
})

test('a stream of bytes reaches the handler whole, and its headers come back', async () => {
  const answer = await ask('/own/upload', { method: 'POST', body: new Uint8Array(3_000_000), headers: { 'content-type': 'image/png' } })
  assert.deepEqual([await answer.json(), answer.headers.get('x-task-id')], [{ size: 3_000_000 }, 'abc'])
})

const until0 = async () => { for (const limit = performance.now() + 60_000; (await readdir(inlineFolder)).length > 0;) if (performance.now() > limit) assert.fail('files were left behind') }
const jpeg = Buffer.alloc(5_000_000, '\xff\xd8\xff\xe0', 'latin1').toString('base64')

test('a picture inside a body waits in a file until the request is answered', async () => {
  const answer = await send(JSON.stringify({ prompt: 'a', image: `data:image/jpeg;base64,${jpeg}` }), undefined, '/own/inline')
  assert.deepEqual(await answer.json(), { rest: { prompt: 'a' }, mime: 'image/jpeg', sizeBytes: 5_000_000, waiting: 1 })
  await until0()
  assert.deepEqual((await bodyOf(send(JSON.stringify({ image: 'abc' }), undefined, '/own/inline'))), { rest: {}, mime: null, sizeBytes: null, waiting: 0 })
})

test('a picture inside a body is gone after a refusal, too', async () => {
  await refused(send(JSON.stringify({ image: 'break', other: jpeg }), undefined, '/own/inline'), 409, 'conflict')
  await refused(send(JSON.stringify({ image: jpeg }) + 'x', undefined, '/own/inline'), 400, 'bad_request')
  await refused(send(JSON.stringify({ image: jpeg, text: 'a b '.repeat(1_200_000) }), undefined, '/own/inline'), 413, 'too_large')
  await refused(send(JSON.stringify(Array.from({ length: 11 }, () => jpeg)), undefined, '/own/inline'), 413, 'too_large')
  await refused(send(JSON.stringify({ image: jpeg }), { 'content-type': 'text/plain' }, '/own/inline'), 415, 'unsupported_media')
  await until0()
})

test('a caller who goes in the middle of a picture leaves none behind', async () => {
  const socket = connect(server.port, '127.0.0.1')
  socket.write(`POST /own/inline HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${jpeg.length}\r\n\r\n{"image":"${jpeg.slice(0, 1_000_000)}`)
  while ((await readdir(inlineFolder)).length === 0) await turn()
  socket.destroy()
  await until0()
})

test('what an earlier process left is swept at the start', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'plantain-server-test-'))
  await writeFile(join(folder, 'left'), 'x')
  const again = await open({ inlineFolder: folder })
  assert.deepEqual(await readdir(folder), [])
  await again.close({ graceMs: 100 })
  await rm(folder, { recursive: true })
})

test('what is not there is said by the door whose prefix fits best', async () => {
  await refused(ask('/own/nothing'), 404, 'not_found')
  await refused(ask('/nowhere/at/all'), 404, 'not_found')
  assert.deepEqual((await bodyOf(ask('/other/nothing'))).code, 404)
  assert.deepEqual((await bodyOf(ask('/own/inner/nothing'))).code, 404)
  await refused(ask('/own/innerst'), 404, 'not_found')
})

test('of two doors at one address the one that claims the request answers, by its own names', async () => {
  assert.deepEqual(await bodyOf(ask('/shared/a%2Fb')), { other: { name: 'a/b' } })
  assert.deepEqual(await bodyOf(ask('/shared/a%2Fb', { headers: { 'x-third': 'yes' } })), { third: { thing: 'a/b' } })
  assert.deepEqual(await bodyOf(ask('/shared/x?third=yes')), { third: { thing: 'x' } })
  assert.deepEqual(await bodyOf(ask('/shared/x/y', { headers: { 'x-third': 'yes' } })), { third: 'not_found' })
  assert.deepEqual(await bodyOf(ask('/shared/x', { method: 'DELETE', headers: { 'x-third': 'yes' } })), { third: 'method_not_allowed' })
})

test('a verb behind a colon is a route of its own', async () => {
  const post = (path: string) => bodyOf(ask(path, { method: 'POST' }))
  assert.deepEqual(await post('/shared/nano-banana:make'), { make: { name: 'nano-banana' } })
  assert.deepEqual(await post('/shared/a:b:make/'), { make: { name: 'a:b' } })
  assert.deepEqual(await post('/shared/a%2Fb%3Amake'), { make: { name: 'a/b' } })
  assert.deepEqual(await post('/shared/nano-banana:take'), { any: { name: 'nano-banana:take' } })
})

test('another method is answered with the ones that work', async () => {
  const answer = await refused(ask('/own/things', { method: 'PUT', body: '{}' }), 405, 'method_not_allowed')
  assert.equal(answer.headers.get('allow'), 'POST, OPTIONS')
  assert.equal((await ask('/own/things/1', { method: 'PATCH' })).headers.get('allow'), 'DELETE, GET, HEAD, OPTIONS')
  await refused(ask('/healthz', { method: 'DELETE' }), 405, 'method_not_allowed')
  assert.deepEqual((await bodyOf(ask('/other/make'))).code, 405)
})

test('every method there is gets an answer of ours', async () => {
  for (const method of ['PROPFIND', 'TRACE', 'SEARCH', 'QUERY', 'MKCOL', 'LOCK']) {
    const status = await new Promise<number>((resolve, reject) => {
      httpRequest(server.url + '/own/things', { method }, answer => {
        answer.resume()
        assert.ok(answer.headers['x-request-id'], method)
        resolve(answer.statusCode!)
      }).on('error', reject).end()
    })
    assert.equal(status, 405, method)
  }
})

test('a request without a host, or with an odd expectation, is answered like any other', async () => {
  for (const head of ['GET /own/things/1 HTTP/1.1', 'GET /own/things/1 HTTP/1.1\r\nhost: x\r\nexpect: the-unexpected', 'GET /own/things/1 HTTP/1.1\r\nhost: x\r\nconnection: upgrade, close\r\nupgrade: websocket']) {
    const socket = connect(server.port, '127.0.0.1')
    let text = ''
    socket.setEncoding('utf8').on('data', part => { text += part })
    socket.write(`${head}\r\nconnection: close\r\n\r\n`)
    await once(socket, 'close')
    assert.match(text, /^HTTP\/1\.1 401 /, head)
    assert.match(text, /x-request-id: [0-9a-f]{32}/i, head)
  }
})

test('addresses that are none are refused in words of ours', async () => {
  await refused(ask('/own/things/%zz', { headers: key }), 400, 'bad_request')
  await refused(ask('/own/things/%00', { headers: key }), 400, 'bad_request')
  await refused(ask('/own/things/1?a=%00', { headers: key }), 400, 'bad_request')
  await refused(ask(`/own/things/${'x'.repeat(5_000)}`, { headers: key }), 404, 'not_found')
})

test('a trailing slash and a doubled one make no difference', async () => {
  assert.equal((await ask('//own//things/1/', { headers: key })).status, 200)
})

test('a browser may ask first', async () => {
  const answer = await ask('/own/things', { method: 'OPTIONS', headers: { origin: 'https://app.example', 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization, content-type, idempotency-key' } })
  assert.equal(answer.status, 204)
  assert.equal(answer.headers.get('access-control-allow-origin'), '*')
  assert.match(answer.headers.get('access-control-allow-methods')!, /POST/)
  for (const name of ['Authorization', 'Content-Type', 'Idempotency-Key']) assert.ok(answer.headers.get('access-control-allow-headers')!.includes(name))
  assert.equal(answer.headers.get('access-control-allow-credentials'), null)
  // What official clients read of an answer; in a page they see what is exposed and nothing else.
  for (const name of ['x-request-id', 'request-id', 'retry-after-ms', 'x-should-retry', 'x-goog-upload-url', 'x-goog-upload-status', 'mcp-session-id']) {
    assert.ok(answer.headers.get('access-control-expose-headers')!.toLowerCase().split(', ').includes(name), name)
  }
  await refused(ask('/nowhere', { method: 'OPTIONS' }), 404, 'not_found')
})

test('HEAD works wherever GET does, without a body', async () => {
  const answer = await ask('/own/things/1', { method: 'HEAD', headers: key })
  assert.deepEqual([answer.status, await answer.text(), answer.headers.get('content-type')], [200, '', 'application/json'])
  assert.equal((await ask('/own/endless', { method: 'HEAD' })).status, 200)
})

test('a request id is taken over when it is a fit one', async () => {
  const idFor = async (id: string) => (await ask('/healthz', { headers: { 'x-request-id': id } })).headers.get('x-request-id')
  assert.equal(await idFor('my.request-1_2'), 'my.request-1_2')
  assert.notEqual(await idFor('no spaces'), 'no spaces')
  assert.notEqual(await idFor('x'.repeat(129)), 'x'.repeat(129))
  assert.match((await idFor('no spaces'))!, /^[0-9a-f]{32}$/)
})

test('a bug is logged whole and told as nothing but a request id', async () => {
  logged.length = 0
  const answer = await ask('/own/bug', { headers: { 'x-request-id': 'find-me' } })
  const text = await answer.text()
  assert.equal(answer.status, 500)
  assert.ok(text.includes('find-me') && !text.includes('secret detail'))
  const [entry] = logged as { requestId: string; err: Error }[]
  assert.equal(entry!.requestId, 'find-me')
  assert.match(entry!.err.stack!, /a secret detail/)
})

test('a route without a key gets a desk that opens links and nothing else', async () => {
  await refused(ask('/own/bad-desk'), 500, 'internal')
})

test('limits are told in headers, and one that is reached stops the request', async () => {
  const before = seen.length
  rate = { name: 'requests_per_minute', max: 10, remaining: 3, resetS: 20 }
  const begunS = Date.now() / 1_000
  const fine = await send('{}', { ...key, 'content-type': 'application/json' }, '/own/things')
  assert.deepEqual([fine.status, fine.headers.get('x-ratelimit-limit'), fine.headers.get('x-ratelimit-remaining')], [200, '10', '3'])
  const reset = Number(fine.headers.get('x-ratelimit-reset'))
  assert.ok(reset > begunS + 19 && reset < Date.now() / 1_000 + 21)
  rate = { name: 'requests_per_minute', max: 10, remaining: -1, resetS: 20 }
  const over = await refused(send('{}', { ...key, 'content-type': 'application/json' }, '/own/things'), 429, 'rate_limited')
  assert.deepEqual([over.headers.get('retry-after'), over.headers.get('x-ratelimit-remaining')], ['20', '0'])
  assert.equal((await ask('/own/things/1', { headers: key })).status, 200, 'looking does not count')
  rate = null
  assert.equal(seen.length, before + 2)
})

test('a busy answer says when to come again', async () => {
  assert.equal((await ask('/own/busy')).headers.get('retry-after'), '7')
})

test('the house answers for itself', async () => {
  assert.deepEqual(await (await ask('/healthz')).json(), { ok: true })
  assert.equal((await ask('/readyz')).status, 200)
  isReady = false
  assert.equal((await ask('/readyz')).status, 503)
  isReady = true
  assert.equal(await (await ask('/metrics')).text(), 'tasks_total 1\n')
})

test('a reader who is slow holds the source back', async () => {
  bytesPulled = 0
  const socket = connect(server.port, '127.0.0.1')
  socket.pause()
  socket.write('GET /own/endless HTTP/1.1\r\nhost: x\r\n\r\n')
  // The source stands still once the buffers between us are full.
  let last = -1
  await until('the source to stand still', (() => { let same = 0; return () => { same = bytesPulled > 0 && bytesPulled === last ? same + 1 : 0; last = bytesPulled; return same > 2_000 } })())
  assert.ok(bytesPulled < 32 * 1024 * 1024, `${bytesPulled} bytes were pulled for a reader who reads nothing`)
  socket.destroy()
})

test('an answer that breaks does not look whole', async () => {
  await assert.rejects(async () => (await ask('/own/breaks')).arrayBuffer())
})

test('a caller who goes is noticed', async () => {
  const before = goneCount
  const stop = new AbortController()
  const asked = ask('/own/waits', { signal: stop.signal })
  await until('the request to arrive', () => waiting > 0)
  stop.abort()
  await assert.rejects(asked)
  await until('the signal', () => goneCount === before + 1)
})

test('events come as they are made, and their source stops when the reader goes', async () => {
  const before = goneCount
  const stop = new AbortController()
  const answer = await ask('/own/events', { signal: stop.signal })
  assert.match(answer.headers.get('content-type')!, /^text\/event-stream/)
  let text = ''
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
  while (!text.includes('"a":1')) text += (await reader.read()).value
  assert.ok(text.endsWith('id: 1\nevent: first\ndata: {"a":1}\n\n'))
  stop.abort()
  await until('the source to stop', () => goneCount === before + 1)
})

test('what is no HTTP gets a short answer with a request id', async () => {
  const socket = connect(server.port, '127.0.0.1')
  socket.write('NONSENSE\r\n\r\n')
  let text = ''
  socket.setEncoding('utf8').on('data', part => { text += part })
  await once(socket, 'close')
  assert.match(text, /^HTTP\/1\.1 400 Bad Request\r\n/)
  assert.match(text, /x-request-id: [0-9a-f]{32}/)
})

test('headers without end are cut off', async () => {
  const socket = connect(server.port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write(`GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: ${'x'.repeat(64 * 1024)}\r\n\r\n`)
  let text = ''
  socket.setEncoding('utf8').on('data', part => { text += part })
  await once(socket, 'close')
  assert.match(text, /^HTTP\/1\.1 431/)
})

test('closing ends streams, answers those who wait, and takes nobody new', async () => {
  const house = await open()
  const waitingBefore = waiting
  const events = await fetch(`${house.url}/own/events`)
  const waits = fetch(`${house.url}/own/waits`)
  await until('the request to wait', () => waiting === waitingBefore + 1)
  // Who waits is called after half of it, and has the other half to answer.
  const closed = house.close({ graceMs: 6_000 })
  await events.text()
  const answer = await waits
  assert.deepEqual([await answer.json(), answer.headers.get('connection')], [{ waited: true }, 'close'])
  await closed
  await assert.rejects(fetch(`${house.url}/healthz`))
})

test('closing does not wait for a connection on which nothing was ever said', async () => {
  const house = await open()
  const socket = connect(house.port, '127.0.0.1').resume()
  const gone = once(socket, 'close')
  await once(socket, 'connect')
  // The server knows of it once it has answered something that came later.
  await fetch(`${house.url}/healthz`).then(answer => answer.text())
  let isClosed = false
  const closed = house.close({ graceMs: 600_000 }).then(() => { isClosed = true })
  await gone
  await closed
  assert.equal(isClosed, true)
})

test('closing does not wait longer than its grace', async () => {
  const house = await open()
  const socket = connect(house.port, '127.0.0.1').resume()
  socket.on('error', () => {})
  const gone = once(socket, 'close')
  socket.write('POST /own/upload HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 1000\r\n\r\nhalf')
  await once(socket, 'ready').catch(() => {})
  // What was written before this answer came has been read.
  await fetch(`${house.url}/healthz`).then(answer => answer.text())
  const begun = performance.now()
  await house.close({ graceMs: 300 })
  await gone
  assert.ok(performance.now() - begun < 60_000)
})
