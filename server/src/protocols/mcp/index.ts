/**
 * The Model Context Protocol's front door: one address, streamable HTTP, each request complete in itself.
 *
 * The session id we hand out is a name and nothing more: nothing is kept under it, and a server that was started a moment ago
 * answers it as well. It only lets a cancellation, which comes as a request of its own, find the call it means in this process.
 * Absent on purpose: the GET stream (there is nothing to tell a client that asks nothing) and DELETE (there is nothing to end).
 */
import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import { Problem } from '../../domain/problem.ts'
import { newId } from '../../kit/id.ts'
import { protocol, type Desk, type Incoming, type Route } from '../contract.ts'
import { openWorkshop } from './counter.ts'
import { refuse } from './refuse.ts'
import { createMcpServer } from './server.ts'
import { tools } from './tools.ts'

/** Base64 makes a picture a third longer, and a few may come in one call. */
const bodyMax = 64 * 1024 * 1024
/** Messages in one request. The protocol has given batches up; older clients may still send them. */
const batchMax = 20

const sessionHeader = 'mcp-session-id'

interface Message { id?: RequestId; method?: string; params?: Record<string, unknown> }

/** Calls under way in this process that a cancellation can find, by key, session and request id. */
const calls = new Map<string, () => void>()

/** A client that does not give its session back counts its requests like any other, so nobody could tell whose call is meant. */
const nameCall = ({ caller }: Desk, headers: Incoming['headers'], id: unknown): string | null =>
  headers[sessionHeader] === undefined ? null : JSON.stringify([caller.keyId, headers[sessionHeader], id])

/** What the transport looks at. */
const pickHeaders = (headers: Incoming['headers']): [string, string][] =>
  ['accept', 'content-type', 'mcp-protocol-version'].flatMap(name => headers[name] === undefined ? [] : [[name, headers[name]]])

/** Does this call wait for a task, and so wants a stream it can be kept alive by? */
const waits = ({ method, params }: Message): boolean =>
  method === 'tools/call' && (params?.name === 'wait_for_task' || tools.some(({ name, makes }) => makes !== undefined && name === params?.name))

const readMessages = (body: unknown): Message[] => {
  const messages = (Array.isArray(body) ? body : [body]) as unknown[]
  if (messages.length > batchMax) throw new Problem('bad_request', `At most ${batchMax} messages come in one request, not ${messages.length}.`, { allowed: { max: batchMax } })
  return messages.filter((message): message is Message => typeof message === 'object' && message !== null)
}

/** The same stream with a comment in front: an answer's head goes out with its first bytes, and those of a quiet call may be long in coming. */
const greet = ({ body, status, headers }: Response, onEnd: () => void): Response => new Response(body?.pipeThrough(new TransformStream<Uint8Array, Uint8Array>({
  start: controller => { controller.enqueue(new TextEncoder().encode(': hello\n\n')) },
  flush: onEnd,
  cancel: onEnd,
})) ?? null, { status, headers })

const post: Route = {
  method: 'POST', path: '/mcp', body: 'inline', bodyMax, scope: 'tasks:read',
  about: { summary: 'Send messages of the Model Context Protocol', description: 'Streamable HTTP. The tools: ' + tools.map(({ name }) => name).join(', ') + '.' },
  async handle(request, desk) {
    const { body, headers, signal } = request
    if (body === undefined) throw new Problem('bad_request', 'The body is empty. Send a JSON-RPC message.')
    const messages = readMessages(body)
    for (const { method, params } of messages) if (method === 'notifications/cancelled') calls.get(nameCall(desk, headers, params?.requestId) ?? '')?.()

    const isStream = messages.some(waits)
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: !isStream })
    const bugs: unknown[] = []
    const open = messages.filter(waits).length
    let ended = 0
    let isLeft = false
    const server = createMcpServer(openWorkshop(desk, text => request.inline(text)), {
      gone: signal,
      onBug: thrown => { bugs.push(thrown) },
      onCallEnd() {
        // A call that was left is not answered, so nothing else would end its stream.
        if (++ended >= open && (isLeft || signal.aborted)) void server.close()
      },
    })
    await server.connect(transport)
    const names = new Map<string, () => void>()
    for (const { id } of messages.filter(waits)) {
      const name = id === undefined ? null : nameCall(desk, headers, id)
      if (name !== null) names.set(name, () => {
        isLeft = true
        transport.onmessage?.({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id! } })
      })
    }
    for (const [name, cancel] of names) calls.set(name, cancel)
    const forget = () => { for (const [name, cancel] of names) if (calls.get(name) === cancel) calls.delete(name) }
    const answer = await transport.handleRequest(new Request('http://house/mcp', { method: 'POST', headers: pickHeaders(headers) }), { parsedBody: body })
    // The one place that writes bugs into the log is behind us.
    if (bugs.length > 0 && !isStream) throw bugs[0]
    if (messages.some(message => message.method === 'initialize')) answer.headers.set(sessionHeader, newId())
    answer.headers.set('access-control-expose-headers', 'Mcp-Session-Id, X-Request-Id, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After')
    if (isStream && answer.ok) return greet(answer, () => {
      forget()
      // The call was told; breaking the stream off behind its answer is how a bug gets into the log from here.
      if (bugs.length > 0) throw bugs[0]
    })
    forget()
    return answer
  },
}

export default protocol({
  id: 'mcp',
  title: 'Model Context Protocol',
  // Wireflow's clients look for it under the second address.
  prefixes: ['/mcp', '/api/mcp'],
  routes: [post, { ...post, path: '/api/mcp', about: { summary: 'The same, where Wireflow has it' } }],
  readSecret: ({ headers }) => /^Bearer\s+(\S+)\s*$/i.exec(headers.authorization ?? '')?.[1] ?? headers['x-api-key'] ?? null,
  refuse,
})
