import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import net, { type AddressInfo, type LookupFunction } from 'node:net'
import { after, before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { Problem } from '../domain/problem.ts'
import { giveBack } from './blocks.ts'
import { createFetch, failOn5xx, providerCodes, readRetryAfter, type Fetch, type FetchOptions } from './fetch.ts'

interface Seen { method: string; url: string; headers: http.IncomingHttpHeaders; body: string }
const seen: Seen[] = []
let port = 0
let otherPort = 0
const open: Fetch[] = []

const largeOf = (what: string): Buffer => Buffer.alloc(1_500_000 + what.length, `${what} is what this is about. `)

/** Answers by path; remembers what it was asked. */
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const chunk of request) body += String(chunk)
  seen.push({ method: request.method!, url: request.url!, headers: request.headers, body })
  const url = new URL(request.url!, 'http://x')
  switch (url.pathname) {
    case '/to': response.writeHead(Number(url.searchParams.get('status') ?? 302), { location: url.searchParams.get('location')! }).end('moved'); return
    case '/loop': response.writeHead(302, { location: '/loop' }).end(); return
    case '/endless': {
      response.writeHead(200)
      const more = () => { while (!response.destroyed && response.write(Buffer.alloc(16_384))); }
      response.on('drain', more)
      more()
      return
    }
    case '/drip': {
      response.writeHead(200)
      const timer = setInterval(() => response.write('.'), 10)
      response.on('close', () => clearInterval(timer))
      return
    }
    case '/declared': response.writeHead(200, { 'content-length': '100000' }).write('x'); return
    case '/zipped': response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(50_000))); return
    case '/cut': response.writeHead(200, { 'content-length': '100' }).write('half', () => response.socket!.destroy()); return
    case '/slam': request.socket.destroy(); return
    case '/broken': response.writeHead(503, { 'retry-after': '7' }).end('down for repairs'); return
    case '/large': {
      const bytes = largeOf(url.searchParams.get('of')!)
      response.writeHead(200, url.searchParams.has('chunked') ? {} : { 'content-length': bytes.length })
      response.end(bytes)
      return
    }
    case '/nothing': response.writeHead(204).end(); return
    default: response.writeHead(200, { 'x-seen': 'yes' }).end(`ok ${url.pathname}`)
  }
})
const other = http.createServer((request, response) => {
  seen.push({ method: request.method!, url: request.url!, headers: request.headers, body: '' })
  response.end('other')
})

before(async () => {
  for (const one of [server, other]) { one.listen(0, '127.0.0.1'); await once(one, 'listening') }
  port = (server.address() as AddressInfo).port
  otherPort = (other.address() as AddressInfo).port
})
after(async () => {
  await Promise.all(open.map(one => one.close().catch(() => {})))
  for (const one of [server, other]) { one.closeAllConnections(); one.close() }
})

const make = (options: Partial<FetchOptions> = {}) => {
  const made = createFetch({ allowPrivate: (host, asked) => host === '127.0.0.1' && (asked === port || asked === otherPort), deadlineMs: 60_000, sizeMax: 20_000, redirectsMax: 3, ...options })
  open.push(made)
  return made
}
const at = (path: string) => `http://127.0.0.1:${port}${path}`
const codeOf = async (work: Promise<unknown>) => {
  const error = await work.then(() => assert.fail('should have been refused'), (thrown: unknown) => thrown)
  assert.ok(error instanceof Problem, String(error))
  return error
}
/** A deadline that a drip does not meet and its headers do, on a machine that does other things too. */
const dripMs = 3_000
const names = (answers: Record<string, string | string[]>): LookupFunction => {
  const asked: Record<string, number> = {}
  return (host, options, callback) => {
    const all = answers[host]
    const address = Array.isArray(all) ? all[Math.min(all.length - 1, asked[host] = (asked[host] ?? -1) + 1)]! : all
    if (!address) return callback(Object.assign(new Error('unknown'), { code: 'ENOTFOUND' }), '', 0)
    const family = address.includes(':') ? 6 : 4
    return options.all ? callback(null, [{ address, family }]) : callback(null, address, family)
  }
}

test('an answer is an answer, with its headers and its final address', async () => {
  const response = await make()(at('/hello'))
  assert.ok(response instanceof Response)
  assert.deepEqual([response.status, response.headers.get('x-seen'), await response.text(), response.url, response.redirected], [200, 'yes', 'ok /hello', at('/hello'), false])
  assert.equal((await make()(at('/nothing'))).body, null)
})

test('loopback is refused without an allowance, in every notation, and nothing is asked', async () => {
  const asked = seen.length
  const hosts = ['127.0.0.1', 'localhost', '[::1]', '0x7f.1', '2130706433', '0177.0.0.1', '127.1', '0.0.0.0', '[::ffff:127.0.0.1]', '127.0.0.1.']
  for (const host of hosts) {
    const problem = await codeOf(make({ allowPrivate: false })(`http://${host}:${port}/`))
    assert.deepEqual([host, problem.code, problem.details['reached']], [host, 'private_address', false])
  }
  assert.equal(seen.length, asked)
})

test('the allowance is for one host and port', async () => {
  const one = make({ allowPrivate: (host, asked) => host === '127.0.0.1' && asked === port })
  assert.equal((await one(at('/'))).status, 200)
  assert.equal((await codeOf(one(`http://127.0.0.1:${otherPort}/`))).code, 'private_address')
})

test('a name is judged by where it leads', async () => {
  const lookup = names({ 'inside.example': '127.0.0.1', 'inside6.example': '::1', 'mapped.example': '::ffff:10.0.0.1', 'localhost.': '127.0.0.1' })
  for (const host of ['inside.example', 'inside6.example', 'mapped.example', 'localhost.']) {
    assert.equal((await codeOf(make({ lookup })(`http://${host}:${port}/`))).code, 'private_address', host)
  }
  assert.equal((await codeOf(make({ lookup })('http://unknown.example/'))).code, 'input_unreachable')
})

test('a name that turns private on the second look gains nothing', async () => {
  const asked = seen.length
  // The first answer passes (and nobody is there for us); the second is the one an attacker wants.
  const lookup = names({ 'rebind.example': ['2606:4700::ffff:1', '127.0.0.1'] })
  const fetch = make({ lookup, connectMs: 100 })
  const codes = []
  for (let round = 0; round < 2; round += 1) codes.push((await codeOf(fetch(`http://rebind.example:${port}/`))).code)
  assert.deepEqual(codes, ['input_unreachable', 'private_address'])
  // What a guard that looks first and connects later would have done: look once, and let the socket look again.
  const looks: string[] = []
  const counting: LookupFunction = (host, options, callback) => { looks.push(host); return names({ 'rebind.example': '127.0.0.1' })(host, options, callback) }
  await codeOf(make({ lookup: counting })(`http://rebind.example:${port}/`))
  assert.deepEqual(looks, ['rebind.example'])
  assert.equal(seen.length, asked)
})

test('private and public addresses under one name: only the public ones are tried', async () => {
  const lookup: LookupFunction = (_host, _options, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }, { address: '2001:db8::1', family: 6 }])
  assert.equal((await codeOf(make({ lookup })(`http://mixed.example:${port}/`))).code, 'private_address')
})

test('redirects are followed, each judged anew', async () => {
  const response = await make()(at(`/to?location=${encodeURIComponent('/end')}`))
  assert.deepEqual([await response.text(), response.url, response.redirected], ['ok /end', at('/end'), true])
  for (const location of ['http://169.254.169.254/latest/meta-data', 'http://[::1]/', 'http://10.0.0.1/', 'http://localhost/']) {
    assert.equal((await codeOf(make()(at(`/to?location=${encodeURIComponent(location)}`)))).code, 'private_address', location)
  }
  for (const location of ['file:///etc/passwd', 'data:text/plain,x', 'http://user:pass@127.0.0.1/', 'http://']) {
    assert.equal((await codeOf(make()(at(`/to?location=${encodeURIComponent(location)}`)))).code, 'input_unreachable', location)
  }
  assert.match((await codeOf(make()(at('/loop')))).message, /again and again/)
  assert.equal((await make()(at('/loop'), { redirect: 'manual' })).status, 302)
  assert.equal((await codeOf(make()(at('/loop'), { redirect: 'error' }))).code, 'input_unreachable')
})

test('credentials stay with the host they were meant for', async () => {
  const headers = { authorization: 'Bearer x', cookie: 'a=b', 'x-api-key': 'y', accept: 'image/png' }
  await make()(at(`/to?location=${encodeURIComponent(`http://127.0.0.1:${otherPort}/there`)}`), { headers })
  const there = seen.findLast(one => one.url === '/there')!
  assert.deepEqual(['authorization', 'cookie', 'x-api-key', 'accept'].map(name => there.headers[name]), [undefined, undefined, undefined, 'image/png'])
  await make()(at(`/to?location=${encodeURIComponent('/same')}`), { headers })
  assert.equal(seen.findLast(one => one.url === '/same')!.headers['x-api-key'], 'y')
})

test('a body goes along with 307 and turns into GET with 303', async () => {
  await make()(at(`/to?status=307&location=${encodeURIComponent('/again')}`), { method: 'POST', body: 'hello' })
  await make()(at(`/to?status=303&location=${encodeURIComponent('/look')}`), { method: 'POST', body: 'hello' })
  const last = (url: string) => { const { method, body } = seen.findLast(one => one.url === url)!; return [method, body] }
  assert.deepEqual([last('/again'), last('/look')], [['POST', 'hello'], ['GET', '']])
})

test('forms, parameters and blobs are sent as what they are', async () => {
  const form = new FormData()
  form.set('prompt', 'a cat')
  await make()(at('/form'), { method: 'POST', body: form })
  await make()(at('/parameters'), { method: 'POST', body: new URLSearchParams({ a: '1' }) })
  const of = (url: string) => seen.findLast(one => one.url === url)!
  assert.match(of('/form').headers['content-type']!, /^multipart\/form-data; boundary=/)
  assert.match(of('/form').body, /name="prompt"\r\n\r\na cat/)
  assert.deepEqual([of('/parameters').headers['content-type'], of('/parameters').body], ['application/x-www-form-urlencoded;charset=UTF-8', 'a=1'])
})

test('only http and https, no passwords, no nonsense', async () => {
  for (const url of ['ftp://example.com/', 'file:///etc/passwd', 'data:text/plain,x', 'http://a:b@example.com/', 'nonsense', '', '//example.com', 'http://']) {
    assert.equal((await codeOf(make()(url))).code, 'input_unreachable', url)
  }
})

test('more than the cap is refused: declared, counted, and after unpacking', async () => {
  assert.equal((await codeOf(make()(at('/declared')))).code, 'too_large')
  for (const path of ['/endless', '/zipped']) {
    const response = await make()(at(path))
    assert.equal((await codeOf(response.arrayBuffer())).code, 'too_large', path)
  }
  assert.equal((await (await make({ sizeMax: 50_000 })(at('/zipped'))).arrayBuffer()).byteLength, 50_000)
})

test('a whole body comes in one piece, declared or not, through a redirect, and as long as it may be', async () => {
  const fetch = make({ sizeMax: 2_000_000 })
  for (const path of ['/large?of=cats', '/large?of=dogs&chunked', `/to?location=${encodeURIComponent('/large?of=birds')}`]) {
    const { response, bytes } = await fetch.whole(at(path), {})
    assert.equal(response.status, 200)
    assert.ok(bytes!.equals(largeOf(/cats|dogs|birds/.exec(path)![0])), path)
    giveBack(bytes!)
  }
  assert.equal((await fetch.whole(at('/nothing'), {})).bytes!.length, 0)
  assert.equal((await codeOf(make({ sizeMax: 1_000_000 }).whole(at('/large?of=cats'), {}))).code, 'too_large')
  assert.equal((await codeOf(make({ sizeMax: 1_000_000 }).whole(at('/large?of=cats&chunked'), {}))).code, 'too_large')
})

test('a body that is packed, or not wanted whole, comes as a stream', async () => {
  const fetch = make({ sizeMax: 2_000_000 })
  const packed = await fetch.whole(at('/zipped'), {})
  assert.deepEqual([packed.bytes, (await packed.response.arrayBuffer()).byteLength], [null, 50_000])
  const large = await fetch.whole(at('/large?of=cats'), {}, ({ sizeBytes }) => sizeBytes! < 1_000_000)
  assert.ok(large.bytes === null && Buffer.from(await large.response.arrayBuffer()).equals(largeOf('cats')))
})

test('a whole body that breaks off, drips or is not waited for ends as a stream would', async () => {
  const facts = async (work: Promise<unknown>) => { const { code, details } = await codeOf(work); return [code, details['reached']] }
  assert.deepEqual(await facts(make(providerCodes).whole(at('/cut'), {})), ['provider_down', true])
  assert.deepEqual(await facts(make({ ...providerCodes, deadlineMs: dripMs }).whole(at('/drip'), {})), ['provider_down', true])
  const controller = new AbortController()
  const reason = new Error('gone')
  setTimeout(() => controller.abort(reason), 100)
  await assert.rejects(make().whole(at('/drip'), { signal: controller.signal }), error => error === reason)
})

test('headers that come in pieces are theirs, whatever else comes in between', async () => {
  const value = 'k'.repeat(900)
  const halves: (() => void)[] = []
  const slow = net.createServer(socket => {
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nx-first: ${value}\r\nx-second: ${value.slice(0, 400)}`)
      halves.push(() => { socket.write(`${value.slice(400)}\r\ncontent-length: 4\r\n\r\nbody`) })
    })
  }).listen(0, '127.0.0.1')
  await once(slow, 'listening')
  try {
    const { port: slowPort } = slow.address() as AddressInfo
    const fetch = make({ allowPrivate: true, sizeMax: 2_000_000 })
    const asked = [fetch(`http://127.0.0.1:${slowPort}/`), fetch.whole(`http://127.0.0.1:${slowPort}/`, {})] as const
    while (halves.length < 2) await new Promise(resolve => { setImmediate(resolve) })
    // The kernel has both first halves; they are read before what is asked for now.
    for (const what of ['cats', 'dogs']) assert.ok((await fetch.whole(at(`/large?of=${what}`), {})).bytes!.equals(largeOf(what)))
    for (const half of halves) half()
    const [streamed, { response, bytes }] = await Promise.all(asked)
    for (const one of [streamed, response]) assert.deepEqual([one.headers.get('x-first'), one.headers.get('x-second')], [value, value])
    assert.deepEqual([await streamed.text(), bytes!.toString()], ['body', 'body'])
  } finally {
    slow.close()
  }
})

test('answers that are read at once, slowly, and not to their end keep apart', async () => {
  const fetch = make({ sizeMax: 2_000_000 })
  const readers: ((what: string) => Promise<void>)[] = [
    async what => {
      const { bytes } = await fetch.whole(at(`/large?of=${what}`), {})
      assert.ok(bytes!.equals(largeOf(what)))
      giveBack(bytes!)
    },
    async what => {
      const chunks: Uint8Array[] = []
      for await (const chunk of (await fetch(at(`/large?of=${what}`))).body!) {
        chunks.push(chunk)
        if (chunks.length % 5 === 0) await new Promise(resolve => { setImmediate(resolve) })
      }
      assert.ok(Buffer.concat(chunks).equals(largeOf(what)))
    },
    async what => { await (await fetch(at(`/large?of=${what}`))).body!.cancel() },
    async what => { assert.equal(await (await fetch(at(`/${what}`))).text(), `ok /${what}`) },
  ]
  await Promise.all(Array.from({ length: 48 }, (_, index) => readers[index % readers.length]!(`number${index}`)))
})

test('a slow drip ends with the deadline', async () => {
  const response = await make({ deadlineMs: dripMs })(at('/drip'))
  const problem = await codeOf(response.text())
  assert.deepEqual([problem.code, problem.details['late']], ['input_unreachable', true])
})

test('dead connections are problems that say whether anything was sent', async () => {
  const fetch = make({ ...providerCodes, allowPrivate: true })
  const free = http.createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const { port: closed } = free.address() as AddressInfo
  await new Promise(resolve => { free.close(resolve) })
  const facts = async (work: Promise<unknown>) => { const { code, details } = await codeOf(work); return [code, details['reached']] }
  assert.deepEqual(await facts(fetch(`http://127.0.0.1:${closed}/`)), ['provider_down', false])
  assert.deepEqual(await facts(fetch('http://127.0.0.1:6000/')), ['provider_down', false])
  assert.deepEqual(await facts(fetch(at('/slam'), { method: 'POST', body: 'x' })), ['provider_down', true])
  assert.deepEqual(await facts(fetch(at('/cut')).then(response => response.text())), ['provider_down', true])
})

test("the caller's own signal is not a problem", async () => {
  const controller = new AbortController()
  const response = await make()(at('/drip'), { signal: controller.signal })
  const reason = new Error('gone')
  controller.abort(reason)
  await assert.rejects(response.text(), error => error === reason)
})

test('a 5xx is an answer until somebody says otherwise', async () => {
  const now = new Date()
  const response = await make()(at('/broken'))
  assert.equal(response.status, 503)
  const problem = await codeOf(failOn5xx(response, now))
  assert.deepEqual([problem.code, problem.details.upstreamCode, problem.details.retryAfterS, problem.cause], ['provider_down', '503', 7, 'down for repairs'])
  const fine = await make()(at('/fine'))
  assert.equal(await failOn5xx(fine, now), fine)
})

test('Retry-After in its forms', () => {
  const now = new Date('2026-01-01T00:00:00Z')
  const read = (headers: Record<string, string>) => readRetryAfter(new Headers(headers), now)
  const rows: [Record<string, string>, number | null][] = [
    [{}, null], [{ 'retry-after': '3' }, 3000], [{ 'retry-after': ' 1.5 ' }, 1500], [{ 'retry-after': '0' }, 0], [{ 'retry-after': '-5' }, null], [{ 'retry-after': 'soon' }, null],
    [{ 'retry-after': 'Thu, 01 Jan 2026 00:00:30 GMT' }, 30_000], [{ 'retry-after': 'Wed, 31 Dec 2025 23:59:00 GMT' }, 0], [{ 'retry-after': '99999999999' }, 86_400_000],
    [{ 'retry-after-ms': '250', 'retry-after': '9' }, 250], [{ 'retry-after': '1e9' }, null],
  ]
  for (const [headers, expected] of rows) assert.equal(read(headers), expected, JSON.stringify(headers))
})
