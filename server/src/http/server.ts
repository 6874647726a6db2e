/**
 * The one place where HTTP comes in and goes out. Doors list routes; here they become a server.
 *
 * Every answer carries `X-Request-Id`; every refusal, also of an address that does not exist, is said in the words of the door it
 * was said at. Absent on purpose: any knowledge of a dialect, the database, the engine; Fastify's own parsers and error bodies.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { fastify as createFastify, type FastifyReply, type FastifyRequest } from 'fastify'
import { mayUse, type Caller } from '../domain/caller.ts'
import { formatDollars } from '../domain/money.ts'
import { asProblem, Problem, problems, type ProblemDetails } from '../domain/problem.ts'
import { openInlineFolder } from '../kit/inline.ts'
import { inlineBodyMax, inlineFrom, readInlineJson, type InlineBody } from '../kit/json-in.ts'
import { isKeepable, parseJson, readBytes, requireJson } from '../kit/json.ts'
import type { Task } from '../domain/task.ts'
import type { Desk, Incoming, Protocol, Route } from '../protocols/contract.ts'
import { openDoors, pathOf, type Asking, type Choice, type Place } from './doors.ts'
import { refuseSocket } from './socket.ts'
import { send } from './send.ts'

/** How much of a limit is left: what `X-RateLimit-*` say. `resetS` counts from now. */
export type RateState = NonNullable<ProblemDetails['limit']>

export interface HttpLog {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface HttpOptions {
  host: string
  /** 0 takes any free port. */
  port: number
  protocols: Protocol[]
  /** Whose secret this is; null for an unknown or revoked one. */
  authenticate(secret: string): Promise<Caller | 'expired' | null>
  /** Counts one request; null for a key without a limit. @throws {Problem} `rate_limited` with `retryAfterS` and `limit` */
  countRequest(caller: Caller): Promise<RateState | null>
  /** How a caller stands without counting this request, for dialects that tell it on every answer. */
  peekRate?(caller: Caller): Promise<RateState | null>
  deskFor(caller: Caller, call: CallFacts): Desk
  /** What somebody without a key may do: open a signed link, go on with an upload whose id nobody can guess. */
  publicDesk: { readonly publicUrl: string; assets: Pick<Desk['assets'], 'openLink'>; files: Pick<Desk['files'], 'progress' | 'append' | 'drop'>; workflows?: Pick<Desk['workflows'], 'hook' | 'fire' | 'byToken' | 'answerByToken'> }
  log: HttpLog
  health: { ready(): Promise<boolean> }
  metrics(): Promise<string>
  /** Believe `X-Forwarded-*` of the proxy in front of us; as Fastify's option of the same name. */
  trustProxy?: boolean | string | string[]
  /** Where pictures wait that came inline, until their request is answered; this process's own. In the machine's folder for temporary files by default. */
  inlineFolder?: string
  /** Told about every answer, for histograms. `route` is a pattern, never a path, so there are few of them. */
  observe?(answer: { door: string; method: string; route: string; status: number; seconds: number }): void
}

/** What holds for every door: what a call says in the house's own headers, and what it is told in them. */
export interface CallFacts {
  /** `X-Sticky-Key`. */
  stickyKey: string | null
  /** Told of every task that is shown, so that the answer can say who served it. */
  seen(task: Task): void
}

export interface HttpServer {
  url: string
  port: number
  /** Stops taking requests, ends event streams, lets the others finish, and cuts what is left after `graceMs`. */
  close(options: { graceMs: number }): Promise<void>
}

/** A header has an end: of many attempts the latest are named. */
const triedShown = 10
const warningsShown = 2_000

const bodyMaxDefault = 2 * 1024 * 1024

const exposed = 'X-Request-Id, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After, X-Task-Id, X-Served-By, X-Tried, X-Cost-Usd, X-Warnings, Idempotent-Replayed, Idempotency-Replayed, X-Total-Count, Link, Preference-Applied, Location, ETag, Content-Range, '
  // What clients of other dialects read, also in a page: without these an upload to the Gemini door ends at its first answer.
  + 'Request-Id, X-Should-Retry, Retry-After-Ms, X-Goog-Upload-URL, X-Goog-Upload-Status, X-Goog-Upload-Size-Received, X-Goog-Upload-Chunk-Granularity, X-Goog-Upload-Control-URL, Mcp-Session-Id'
const allowedHeaders = 'Authorization, Content-Type, Idempotency-Key, Prefer, Last-Event-ID, Range, If-None-Match, X-Request-Id, X-Api-Key, X-Goog-Api-Key, X-Sticky-Key, *'

/** What is true of one request while it is answered. */
interface Visit {
  request: FastifyRequest
  response: ServerResponse
  door: Protocol
  /** The pattern that matched, or '' where none did. */
  pattern: string
  path: string
  requestId: string
  startedAt: number
  rate: RateState | null
  /** The tasks it was about, by id. */
  tasks: Map<string, Task>
  caller: Caller | null
  /** Ends the handler's waiting: the caller has gone, or the server is about to. */
  gone: AbortController
  /** Lets go of what came inline; called when the request is over. */
  release: (() => Promise<void>) | null
}

/** The base address of some clients ends in the version that others add by themselves; where both meet, it stands twice. */
const onceVersioned = (url: string): string => url.replace(/^(?:\/v1(?:beta|alpha)?)+(?=\/v1(?:beta|alpha)?\/)/, '')

export async function serveHttp(options: HttpOptions): Promise<HttpServer> {
  const { protocols, log } = options
  const doors = openDoors(protocols)
  const visits = new Set<Visit>()
  const sockets = new Set<Socket>()
  const streamsEnd = new AbortController()
  const inlineFolder = await openInlineFolder(options.inlineFolder)
  const publicDesk = strangersDesk(options.publicDesk)
  let closing = false

  const app = createFastify({
    logger: false,
    trustProxy: options.trustProxy ?? false,
    genReqId: raw => readRequestId(raw),
    rewriteUrl: raw => onceVersioned(raw.url ?? '/'),
    return503OnClosing: false,
    forceCloseConnections: false,
    // A whole request, a slow upload included; the head alone; and an idle line, a little longer than proxies usually wait.
    requestTimeout: 300_000,
    keepAliveTimeout: 72_000,
    http: { headersTimeout: 20_000, connectionsCheckingInterval: 5_000, maxHeaderSize: 32 * 1024, requireHostHeader: false },
    routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, maxParamLength: 2_048 },
    frameworkErrors: (error, request, reply) => {
      const problem = error.code === 'FST_ERR_BAD_URL'
        ? new Problem('bad_request', 'The address is not a well-formed URL. Check its percent signs.')
        : new Problem('not_found', 'There is nothing at this address.')
      void visitAndRefuse(request as FastifyRequest, reply as FastifyReply, problem)
    },
    clientErrorHandler(error, socket) { void refuseSocket(error, socket as Socket, doors.doorOf({ path: '/', headers: {}, query: new URLSearchParams() })) },
  })

  // Bodies are read here, not by Fastify: each door has its own words for a bad one.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => { done(null) })

  const begin = (request: FastifyRequest, reply: FastifyReply, door: Protocol, pattern: string): Visit => {
    reply.hijack()
    const gone = new AbortController()
    const visit: Visit = {
      request, response: reply.raw, door, pattern, path: pathOf(request.raw.url ?? '/'), requestId: request.id, startedAt: performance.now(), rate: null, tasks: new Map(), caller: null, gone, release: null,
    }
    visits.add(visit)
    reply.raw.once('close', () => {
      visits.delete(visit)
      if (!reply.raw.writableFinished) gone.abort(new Problem('cancelled', 'The caller has gone.'))
    })
    reply.raw.on('error', () => {})
    return visit
  }

  /** Runs `answer` and sends what it gives or throws; the only catch on the way out. */
  const serve = async (visit: Visit, answer: () => Promise<Response>): Promise<void> => {
    try {
      await answerWith(visit, answer)
    } finally {
      await visit.release?.().catch(err => { log.warn({ requestId: visit.requestId, err }, 'what came inline could not be removed') })
    }
  }

  const answerWith = async (visit: Visit, answer: () => Promise<Response>): Promise<void> => {
    const { response, request, door, requestId } = visit
    let out: Response
    let problem: Problem | null = null
    try {
      out = await answer()
    } catch (thrown) {
      problem = asProblem(thrown)
      if (problem.code === 'internal') log.error({ requestId, door: door.id, route: visit.pattern, err: thrown instanceof Problem ? thrown.cause ?? thrown : thrown }, 'a request met a bug')
      out = refuseSafely(visit, problem)
    }
    if (response.destroyed) { void out.body?.cancel().catch(() => {}); return }
    setHouseHeaders(visit, problem, closing)
    const task = visit.tasks.get(out.headers.get('x-task-id') ?? '')
    if (task) setTaskHeaders(response, task)
    const isStream = out.headers.get('content-type')?.startsWith('text/event-stream') ?? false
    try {
      await send(out, request.raw, response, { ...(isStream ? { stop: streamsEnd.signal } : {}), bodyLeft: hasBody(request.raw) && !request.raw.readableEnded })
    } catch (thrown) {
      log.warn({ requestId, door: door.id, route: visit.pattern, err: thrown }, 'an answer broke off')
    }
    const seconds = (performance.now() - visit.startedAt) / 1_000
    options.observe?.({ door: door.id, method: request.method, route: visit.pattern, status: out.status, seconds })
    log.debug({ requestId, door: door.id, method: request.method, path: visit.path, status: out.status, code: problem?.code, ms: Math.round(seconds * 1_000), key: visit.caller?.keyPrefix }, 'answered')
  }

  const visitAndRefuse = (request: FastifyRequest, reply: FastifyReply, problem: Problem): Promise<void> => {
    const visit = begin(request, reply, doors.doorOf(readAsking(request.raw)), '')
    return serve(visit, () => Promise.reject(problem))
  }

  const admit = async (visit: Visit, route: Route, query: URLSearchParams, headers: Incoming['headers']): Promise<Caller | null> => {
    if (route.scope === null) return null
    const secret = visit.door.readSecret({ headers, query })
    if (!secret) throw new Problem('unauthorized', 'No key came with this request. Send Authorization: Bearer <key>.', { missing: true })
    const caller = isKeepable(secret) && secret.length <= 512 ? await options.authenticate(secret) : null
    if (caller === 'expired') throw new Problem('unauthorized', 'This key has expired. Make a new one.', { expired: true })
    if (!caller) throw new Problem('unauthorized', 'This key is not known here, or has been revoked.')
    visit.caller = caller
    if (route.counts ?? route.method !== 'GET') visit.rate = await options.countRequest(caller)
    else if (visit.door.rateMax !== undefined) visit.rate = await options.peekRate?.(caller) ?? null
    if (!mayUse(caller, route.scope)) {
      throw new Problem('forbidden', `This key may not do that: it lacks the scope ${route.scope}.`, { scope: route.scope, allowed: caller.scopes })
    }
    return caller
  }

  const handle = (place: Place) => async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const asking = readAsking(request.raw)
    const choice = doors.choose(place, asking)
    const { door, route } = choice
    const visit = begin(request, reply, door, route.path)
    await serve(visit, async () => {
      if (closing) throw new Problem('shutting_down', 'This server is about to stop. Try again; another one will answer.', { retryAfterS: 1 })
      const { query, headers } = asking
      const params = readParameters(request.params as Record<string, string>, place, choice)
      for (const text of Object.values(params)) {
        if (!isKeepable(text)) throw new Problem('bad_request', 'The address holds a NUL character or half of a surrogate pair.')
      }
      for (const [name, text] of query) {
        if (!isKeepable(name) || !isKeepable(text)) throw new Problem('bad_request', 'The query holds a NUL character or half of a surrogate pair.')
      }
      const caller = await admit(visit, route, query, headers)
      const kind = route.body ?? (route.method === 'GET' || route.method === 'DELETE' ? 'none' : 'json')
      const inline = kind === 'inline' ? await readInline(request.raw, headers, route.bodyMax ?? inlineBodyMax, inlineFolder) : null
      visit.release = inline && inline.release
      const incoming: Incoming = {
        method: request.method, path: visit.path, params, query, headers,
        body: inline ? inline.value : kind === 'json' ? await readJson(request.raw, headers, route.bodyMax ?? bodyMaxDefault) : null,
        inline: inline ? inline.inline : () => null,
        stream: kind === 'stream' ? request.raw : null,
        requestId: visit.requestId,
        signal: visit.gone.signal,
      }
      const desk = caller ? options.deskFor(caller, { stickyKey: readStickyKey(headers), seen: task => { visit.tasks.set(task.id, task) } }) : publicDesk
      const response = await route.handle(incoming, desk)
      if (caller) for (const [name, value] of desk.told) response.headers.set(name, value)
      return response
    })
  }

  for (const place of doors.places) app.route({ method: place.method, url: place.url, handler: handle(place) })

  const plain = (path: string, answer: () => Promise<Response>) => app.route({
    method: 'GET', url: path, handler: (request, reply) => serve(begin(request, reply, doors.doorOf(readAsking(request.raw)), path), answer),
  })
  plain('/healthz', async () => Response.json({ ok: true }))
  plain('/readyz', async () => {
    const ready = !closing && await options.health.ready().catch(() => false)
    return Response.json({ ready }, { status: ready ? 200 : 503 })
  })
  plain('/metrics', async () => new Response(await options.metrics(), { headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' } }))
  const plainPaths = new Set(['/healthz', '/readyz', '/metrics'])

  const answerUnrouted = (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const path = pathOf(request.raw.url ?? '/')
    const methods = plainPaths.has(path) ? ['GET', 'HEAD'] : doors.methodsAt(path)
    if (methods.length === 0) {
      return visitAndRefuse(request, reply, new Problem('not_found', 'There is nothing at this address. The addresses are listed at /docs.'))
    }
    const allow = [...methods, 'OPTIONS'].join(', ')
    reply.raw.setHeader('allow', allow)
    if (request.method === 'OPTIONS') {
      return serve(begin(request, reply, doors.doorOf(readAsking(request.raw)), ''), async () => new Response(null, {
        status: 204,
        headers: { 'access-control-allow-methods': allow, 'access-control-allow-headers': allowedHeaders, 'access-control-max-age': '86400' },
      }))
    }
    return visitAndRefuse(request, reply, new Problem('method_not_allowed', `${request.method} is not possible here. Use ${methods.join(', ')}.`, { allowed: methods }))
  }
  app.setNotFoundHandler(answerUnrouted)

  app.setErrorHandler((error: Error & { code?: string }, request, reply) => {
    // Fastify looks at a body's type before it finds that nothing wants the body.
    if (!doors.methodsAt(pathOf(request.raw.url ?? '/')).includes(request.method)) return answerUnrouted(request, reply)
    const problem = error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE'
      ? new Problem('unsupported_media', 'The Content-Type of this request is not a media type. Send Content-Type: application/json.')
      : asProblem(error)
    return visitAndRefuse(request, reply, problem)
  })

  // Node would answer an expectation it does not know with a bare 417; it may as well be ignored (RFC 9110 10.1.1).
  app.server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => { app.server.emit('request', request, response) })
  app.server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })

  await app.listen({ host: options.host, port: options.port })
  const { port } = app.server.address() as AddressInfo
  const shownHost = options.host === '0.0.0.0' || options.host === '::' ? '127.0.0.1' : options.host.includes(':') ? `[${options.host}]` : options.host

  let closed: Promise<void> | null = null
  const close = async (graceMs: number): Promise<void> => {
    closing = true
    streamsEnd.abort()
    // Those who wait for a task are told how it stands, in time to be heard.
    const hurry = setTimeout(() => { for (const visit of visits) visit.gone.abort(new Problem('shutting_down', 'This server is about to stop.')) }, graceMs / 2)
    const cut = setTimeout(() => { for (const socket of sockets) socket.destroy() }, graceMs)
    const stopped = app.close()
    app.server.closeIdleConnections()
    // Node does not count a connection as idle on which nothing was ever sent, and clients open such ones in advance.
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
    await stopped
    clearTimeout(hurry)
    clearTimeout(cut)
  }
  return { url: `http://${shownHost}:${port}`, port, close: ({ graceMs }) => closed ??= close(graceMs) }
}

async function readJson(stream: IncomingMessage, headers: Incoming['headers'], bodyMax: number): Promise<unknown> {
  if (!hasBody(stream)) return undefined
  checkHead(headers, bodyMax)
  return parseJson(await readBytes(stream, bodyMax))
}

async function readInline(stream: IncomingMessage, headers: Incoming['headers'], bodyMax: number, folder: string): Promise<InlineBody> {
  // What is this short holds no file.
  if (!hasBody(stream) || Number(headers['content-length']) <= inlineFrom) {
    return { value: await readJson(stream, headers, bodyMax), inline: () => null, release: async () => {} }
  }
  checkHead(headers, bodyMax)
  return readInlineJson(stream, { bytesMax: bodyMax, folder })
}

function checkHead(headers: Incoming['headers'], bodyMax: number): void {
  requireJson(headers)
  if (Number(headers['content-length']) > bodyMax) throw new Problem('too_large', `The body is larger than the ${bodyMax} bytes this address takes.`, { allowed: bodyMax })
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] !== undefined && headers['content-length'] !== '0')

const readAsking = (raw: IncomingMessage): Asking =>
  ({ path: pathOf(raw.url ?? '/'), headers: readHeaders(raw), query: new URLSearchParams(raw.url?.split('?').slice(1).join('?') ?? '') })

/** The variable parts of the address as this door calls them; the router knows them by the first door's names. */
function readParameters(params: Record<string, string>, { choices }: Place, { parameters }: Choice): Record<string, string> {
  const known = choices[0]!.parameters
  return parameters === known ? params : Object.fromEntries(parameters.map((name, index) => [name, params[known[index]!] ?? '']))
}

function readHeaders(raw: IncomingMessage): Incoming['headers'] {
  const headers: Incoming['headers'] = {}
  for (const [name, value] of Object.entries(raw.headers)) headers[name] = Array.isArray(value) ? value.join(', ') : value
  return headers
}

function readRequestId(raw: IncomingMessage): string {
  const asked = raw.headers['x-request-id']
  return typeof asked === 'string' && /^[A-Za-z0-9_.-]{1,128}$/.test(asked) ? asked : randomUUID().replaceAll('-', '')
}

function setHouseHeaders({ response, requestId, rate, door }: Visit, problem: Problem | null, closing: boolean): void {
  response.setHeader('x-request-id', requestId)
  response.setHeader('access-control-allow-origin', '*')
  response.setHeader('access-control-expose-headers', exposed)
  response.setHeader('x-content-type-options', 'nosniff')
  const shown = problem?.details.limit ?? rate ?? (door.rateMax === undefined ? null : { max: door.rateMax, remaining: door.rateMax, resetS: 60 })
  if (shown) {
    response.setHeader('x-ratelimit-limit', shown.max)
    response.setHeader('x-ratelimit-remaining', Math.max(0, shown.remaining))
    response.setHeader('x-ratelimit-reset', Math.ceil(Date.now() / 1_000 + shown.resetS))
    for (const [name, value] of Object.entries(door.writeRate?.({ ...shown, remaining: Math.max(0, shown.remaining) }, new Date()) ?? {})) response.setHeader(name, value)
  }
  if (problem && (problem.status === 429 || problem.status === 503)) {
    // What only the operator can mend does not pass within a second.
    const unsaid = problems[problem.code].again === 'elsewhere' ? 60 : 1
    response.setHeader('retry-after', Math.max(1, Math.ceil(problem.details.retryAfterS ?? problem.details.limit?.resetS ?? unsaid)))
  }
  if (closing) response.setHeader('connection', 'close')
}

/**
 * Who made it, and where several were asked, who and why; what it cost; what was not done as it was asked: beside `x-task-id`, whatever
 * the door. Most dialects have no place for these in their bodies, and no client minds a header.
 */
function setTaskHeaders(response: ServerResponse, { state, livemode, provider, tried, chargedMicros, warnings }: Task): void {
  const named = (id: string) => livemode ? id : 'sandbox-1'
  if (chargedMicros !== null) response.setHeader('x-cost-usd', formatDollars(chargedMicros))
  if (warnings.length > 0) response.setHeader('x-warnings', asHeader(warnings.join(' | ')))
  if (state === 'done') response.setHeader('x-served-by', named(provider))
  if (tried.length > 1) response.setHeader('x-tried', tried.slice(-triedShown).map(one => `${named(one.provider)}=${one.code ?? one.outcome ?? 'under_way'}`).join(', '))
}

/** What does not go into a header is left as a question mark; the task has it as it is. */
const asHeader = (text: string): string => text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, warningsShown)

function readStickyKey(headers: Incoming['headers']): string | null {
  const key = headers['x-sticky-key']
  if (key === undefined) return null
  if (!/^[\x20-\x7e]{1,128}$/.test(key)) throw new Problem('bad_request', 'X-Sticky-Key is 1 to 128 printable ASCII characters.', { field: 'X-Sticky-Key' })
  return key
}

/** A door's own no; should the door stumble over saying it, a plain one. */
function refuseSafely({ door, request, path, requestId }: Visit, problem: Problem): Response {
  try {
    return door.refuse(problem, { method: request.method, path, requestId, headers: readHeaders(request.raw) })
  } catch {
    return Response.json({ error: { code: problem.code, message: problem.message, request_id: requestId } }, { status: problem.status })
  }
}

/** The desk of somebody without a key. Whatever else a route without a scope reaches for is a bug, and says so. */
const strangersDesk = (desk: HttpOptions['publicDesk']): Desk => new Proxy(desk, {
  get(target, name) {
    if (name === 'publicUrl' || name === 'assets' || name === 'files' || name === 'workflows') return target[name]
    throw new Error(`A route without a key asked its desk for ${String(name)}.`)
  },
}) as unknown as Desk
