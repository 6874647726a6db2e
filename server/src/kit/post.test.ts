import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo, LookupFunction, Socket } from 'node:net'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { Problem } from '../domain/problem.ts'
import { createPost, type Post, type PostOptions } from './post.ts'

interface Seen { url: string; headers: http.IncomingHttpHeaders; body: string; socket: Socket }
const seen: Seen[] = []
const ended = new Set<string>()
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const chunk of request) body += chunk
  const url = request.url!
  seen.push({ url, headers: request.headers, body, socket: request.socket })
  response.on('close', () => ended.add(url))
  switch (url.split('?')[0]) {
    case '/to': response.writeHead(307, { location: '/there' }).end('moved'); return
    case '/hang': return
    case '/slam': request.socket.destroy(); return
    case '/cut': response.writeHead(200, { 'content-length': '100' }).write('half', () => response.socket!.destroy()); return
    case '/open': response.writeHead(200).write('begun'); return
    case '/long': response.writeHead(200).end('x'.repeat(20_000)); return
    case '/early': response.writeEarlyHints({ link: '</a>; rel=preload' }); response.writeHead(202).end('late'); return
    case '/promise': response.writeEarlyHints({ link: '</a>; rel=preload' }); return
    case '/zipped': response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('words')); return
    case '/endless': {
      response.writeHead(200)
      const more = () => { while (!response.destroyed && response.write(Buffer.alloc(16_384, 'x'))); }
      response.on('drain', more)
      more()
      return
    }
    default: response.writeHead(200, { 'x-many': ['a', 'b'] }).end(`ok ${url}`)
  }
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
const opened: Post[] = []
after(async () => {
  await Promise.all(opened.map(one => one.close()))
  server.closeAllConnections()
  server.close()
})

const make = (options: Partial<PostOptions> = {}) => {
  const made = createPost({ allowPrivate: true, deadlineMs: 60_000, answerBytes: 1_024, ...options })
  opened.push(made)
  return made
}
const at = (path: string) => `http://127.0.0.1:${port}${path}`
const message = { headers: { 'content-type': 'application/json' }, body: '{"a":"Äpfelchen"}' }
const problemOf = async (work: Promise<unknown>) => {
  const error = await work.then(() => assert.fail('should have been refused'), (thrown: unknown) => thrown)
  assert.ok(error instanceof Problem, String(error))
  return error
}
/** Waits for something the other side does. */
const until = async (look: () => boolean | Promise<boolean>) => {
  for (const end = Date.now() + 60_000; !await look(); await new Promise(done => { setTimeout(done, 5) })) assert.ok(Date.now() < end, look.toString())
}

test('a message goes out as it is, and the answer comes back', async () => {
  const { status, headers, answer } = await make()(at('/hook?a=b#c'), message)
  assert.deepEqual([status, headers.get('x-many'), headers.get('x-none'), answer.toString()], [200, 'a, b', null, 'ok /hook?a=b'])
  const { headers: sent, body } = seen.at(-1)!
  assert.deepEqual([body, sent['content-type'], sent['content-length'], sent['host']], [message.body, 'application/json', '18', `127.0.0.1:${port}`])
})

test('a redirect is an answer, and not followed', async () => {
  const count = seen.length
  const { status, headers } = await make()(at('/to'), message)
  assert.deepEqual([status, headers.get('location'), seen.length], [307, '/there', count + 1])
})

test('hints before the answer are not the answer', async () => {
  const { status, answer } = await make()(at('/early'), message)
  assert.deepEqual([status, answer.toString()], [202, 'late'])
  assert.equal((await problemOf(make({ deadlineMs: 150, answerMs: 10 })(at('/promise'), message))).details['late'], true)
})

test('private addresses are refused in every notation and by name, and nothing is sent', async () => {
  const count = seen.length
  const lookup: LookupFunction = (_host, options, callback) => options.all ? callback(null, [{ address: '127.0.0.1', family: 4 }]) : callback(null, '127.0.0.1', 4)
  for (const host of ['127.0.0.1', 'localhost', '[::1]', '0x7f.1', '2130706433', '[::ffff:127.0.0.1]']) {
    const { code, details } = await problemOf(make({ allowPrivate: false })(`http://${host}:${port}/`, message))
    assert.deepEqual([host, code, details['reached']], [host, 'private_address', false])
  }
  assert.equal((await problemOf(make({ allowPrivate: false, lookup })(`http://inside.example:${port}/`, message))).code, 'private_address')
  assert.equal(seen.length, count)
})

test('nonsense, passwords and ports of other trades are refused', async () => {
  for (const url of ['nonsense', 'ftp://127.0.0.1/', `http://a:b@127.0.0.1:${port}/`, 'http://127.0.0.1:25/', 'http://127.0.0.1:6379x/']) {
    assert.equal((await problemOf(make()(url, message))).details['reached'], false, url)
  }
})

test('the begin of a long answer is kept, the rest dropped, and the connection used again', async () => {
  const post = make()
  const { answer } = await post(at('/long'), message)
  assert.equal(answer.toString(), 'x'.repeat(1_024))
  const { socket } = seen.at(-1)!
  // Until the rest has arrived, the connection is busy and another one is opened.
  await until(async () => {
    await post(at('/next'), message)
    return seen.at(-1)!.socket === socket
  })
})

test('an endless answer is let go', async () => {
  const { status, answer } = await make({ deadlineMs: 60_000, answerMs: 60_000 })(at('/endless'), message)
  assert.deepEqual([status, answer.length], [200, 1_024])
  await until(() => ended.has('/endless'))
})

test('an answer that does not end, or is cut, counts with what there is of it', async () => {
  const { status, answer } = await make({ answerMs: 50 })(at('/open'), message)
  assert.deepEqual([status, answer.toString()], [200, 'begun'])
  await until(() => ended.has('/open'))
  const cut = await make()(at('/cut'), message)
  assert.deepEqual([cut.status, cut.answer.toString()], [200, 'half'])
})

test('the deadline holds for the body too', async () => {
  const begun = performance.now()
  // The headers have to come within it as well, on a machine that does other things too.
  assert.equal((await make({ deadlineMs: 3_000, answerMs: 600_000 })(at('/open?2'), message)).status, 200)
  assert.ok(performance.now() - begun < 60_000)
})

test('a compressed answer is not shown as noise', async () => {
  const { status, answer } = await make()(at('/zipped'), message)
  assert.deepEqual([status, answer.length], [200, 0])
})

test('dead ends are problems: silence, a slammed door, nobody there, a connection that never stands', async () => {
  // One that was late before it had sent anything tells nothing of a silence.
  while (!seen.some(({ url }) => url === '/hang')) {
    const late = await problemOf(make({ deadlineMs: 100 })(at('/hang'), message))
    assert.deepEqual([late.code, late.details['late']], ['input_unreachable', true])
  }
  await until(() => ended.has('/hang'))
  assert.match((await problemOf(make()(at('/slam'), message))).message, /closed the connection/)
  const closed = http.createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port: free } = closed.address() as AddressInfo
  closed.close()
  await once(closed, 'close')
  const nobody = await problemOf(make()(`http://127.0.0.1:${free}/`, message))
  assert.deepEqual([nobody.details['reached'], nobody.details['late']], [false, undefined])
  const count = seen.length
  let lookedUp: (() => void) | undefined
  const slow: LookupFunction = (_host, options, callback) => { lookedUp = () => options.all ? callback(null, [{ address: '127.0.0.1', family: 4 }]) : callback(null, '127.0.0.1', 4) }
  const post = make({ deadlineMs: 100, lookup: slow })
  assert.equal((await problemOf(post(`http://slow.example:${port}/`, message))).details['late'], true)
  const met = once(server, 'connection')
  lookedUp!()
  const [socket] = await met as [Socket]
  await once(socket, 'close')
  assert.equal(seen.length, count, 'what nobody waits for any more is not sent')
})

test('after closing nothing is sent', async () => {
  const post = make()
  await post(at('/a'), message)
  await post.close()
  await post.close()
  const count = seen.length
  await problemOf(post(at('/b'), message))
  assert.equal(seen.length, count)
})
