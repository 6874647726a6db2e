/**
 * The one way out: `fetch` with a deadline over everything, a cap on what comes back, and no road into private networks.
 *
 * The address is judged when the socket connects, so a name that resolves to something else the second time gains nothing.
 * Absent on purpose: retries (the engine owns them), proxies from the environment, cookies, a switch that turns the guard off
 * for everyone: `allowPrivate` is asked per host and port.
 */
import dns from 'node:dns'
import type { LookupFunction, Socket } from 'node:net'
import { Agent, buildConnector, fetch as undiciFetch, type Dispatcher } from 'undici'
import { Problem, type ProblemCode } from '../domain/problem.ts'
import { isAddress, isPrivateAddress } from './address.ts'
import { borrow, giveBack } from './blocks.ts'

export interface FetchCodes {
  /** Nobody answered, the answer broke off, or the deadline passed. */
  deadCode: ProblemCode
  /** The road led to a private address. */
  privateCode: ProblemCode
  /** More bytes than `sizeMax`. */
  largeCode: ProblemCode
}

/** For links a caller handed us. */
export const intakeCodes: FetchCodes = { deadCode: 'input_unreachable', privateCode: 'private_address', largeCode: 'too_large' }
/** For upstreams, and links out of their answers. */
export const providerCodes: FetchCodes = { deadCode: 'provider_down', privateCode: 'provider_failed', largeCode: 'provider_failed' }

/** Where connections may lead, and how they are made. */
export interface RoadOptions {
  /** Hosts and ports that may be private: a provider's configured address, never one out of a caller's hands. Default: none. */
  allowPrivate?: boolean | ((host: string, port: number) => boolean)
  connectMs?: number
  /** How names become addresses; the machine's own way by default. */
  lookup?: LookupFunction
}

export interface FetchOptions extends RoadOptions, Partial<FetchCodes> {
  /** From the call to the last byte of the answer, redirects included. */
  deadlineMs: number
  /** Bytes of an answer's body, as declared and as counted after decompression. */
  sizeMax: number
  /** Redirects followed; each one is judged anew. */
  redirectsMax: number
}

/** `fetch` as providers know it, one that brings whole bodies, and a way to let its idle connections go. */
export type Fetch = typeof globalThis.fetch & {
  /**
   * Asks for something that is wanted whole: the body goes from the socket into one borrowed piece of memory (`blocks.ts`), which the caller may
   * give back. `bytes` is null where the body comes as a stream all the same: packed, or not to `take`'s liking.
   */
  whole(url: URL | string, init: RequestInit, take?: Take): Promise<{ response: Response; bytes: Buffer | null }>
  close(): Promise<void>
}

/** Is an answer that begins like this wanted whole? `sizeBytes` as it was declared; null where it was not. */
export type Take = (answer: { status: number; sizeBytes: number | null; contentType: string }) => boolean

const takeAll: Take = () => true

/** The whole body of an answer, by the short way where this `fetch` is ours. */
export async function fetchWhole(fetch: typeof globalThis.fetch, url: URL | string, init: RequestInit): Promise<{ response: Response; bytes: Buffer }> {
  const { response, bytes } = 'whole' in fetch ? await (fetch as Fetch).whole(url, init) : { response: await fetch(url, init), bytes: null }
  return { response, bytes: bytes ?? Buffer.from(await response.arrayBuffer()) }
}

/**
 * Makes a `fetch`. It throws a `Problem` when nobody answers; an answer is an answer, whatever its status (`failOn5xx` throws for those).
 *
 * `details.reached` on the problem is `false` when not one byte of the request can have left: then asking again cannot buy twice.
 */
export function createFetch(options: FetchOptions): Fetch {
  const { deadlineMs, sizeMax, redirectsMax } = options
  const codes: FetchCodes = { ...intakeCodes, ...definedOf(options) }
  const agent = openAgent(options, { readInPlace: true })

  const guarded = async (input: string | URL | Request, init: RequestInit = {}, sink?: Sink): Promise<Response> => {
    let request = await readRequest(input, init, codes)
    const deadline = new AbortController()
    const timer = setTimeout(() => deadline.abort(new Late()), deadlineMs)
    timer.unref()
    const signal = request.signal ? AbortSignal.any([request.signal, deadline.signal]) : deadline.signal
    const explain = (error: unknown, url: URL, answered: boolean) => {
      if (request.signal?.aborted && !deadline.signal.aborted) return request.signal.reason
      return asFetchProblem(deadline.signal.aborted ? new Late() : error, url, codes, deadlineMs, answered)
    }

    try {
      for (let redirects = 0; ; redirects += 1) {
        const { url } = request
        const answer = await undiciFetch(url, {
          method: request.method, headers: [...request.headers], body: request.body as never, redirect: 'manual', signal, dispatcher: diverting(agent, sink), duplex: 'half',
        }).catch(error => { throw explain(error, url, false) }) as unknown as Response
        const location = isRedirect(answer.status) && request.redirect !== 'manual' ? answer.headers.get('location') : null
        if (location === null && sink?.body) {
          sink.body = sink.body.catch(error => { throw error instanceof Problem ? error : explain(error, url, true) }).finally(() => clearTimeout(timer))
          // Whoever asked waits for it in a moment; until then a failure is nobody's.
          sink.body.catch(() => {})
          return answer
        }
        if (location === null) return capped(answer, { url, sizeMax, codes, redirected: redirects > 0, end: () => clearTimeout(timer), explain: error => explain(error, url, true) })
        await answer.body?.cancel().catch(() => {})
        if (request.redirect === 'error' || redirects >= redirectsMax) {
          throw new Problem(codes.deadCode, `The server at ${url.host} sends us on to another address${redirects > 0 ? ' again and again' : ''}. Give the address it ends at.`, { reached: true })
        }
        request = followed(request, answer.status, location, codes)
      }
    } catch (error) {
      clearTimeout(timer)
      throw error
    }
  }
  return Object.assign(((input, init) => guarded(input, init)) as typeof globalThis.fetch, {
    async whole(url: URL | string, init: RequestInit, take = takeAll) {
      const headers = new Headers(init.headers)
      // Base64 packed is a quarter smaller, and unpacking it costs more than everything else we do with it.
      if (!headers.has('accept-encoding')) headers.set('accept-encoding', 'identity')
      const sink: Sink = { take, sizeMax, codes, body: null }
      const response = await guarded(url, { ...init, headers }, sink)
      return { response, bytes: sink.body && await sink.body }
    },
    close: () => agent.close(),
  })
}

/** Where a whole body goes. */
interface Sink { take: Take; sizeMax: number; codes: FetchCodes; body: Promise<Buffer> | null }

/** Stands between `fetch` and its connections: a body for the sink is written straight to where it is wanted, and `fetch` hears of its end only. */
function diverting(agent: Agent, sink: Sink | undefined): Dispatcher {
  const dispatch = (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) => {
    let whole: Whole | null = null
    let socket: Socket | null = null
    const end = () => { if (socket) inPlace.delete(socket) }
    return agent.dispatch(options, {
      onRequestStart: (controller, context) => handler.onRequestStart?.(controller, context),
      onResponseStarted: () => handler.onResponseStarted?.(),
      onResponseStart(controller, status, headers, message) {
        if (sink && status >= 200 && !isRedirect(status) && options.method !== 'HEAD') whole = beginWhole(sink, status, headers)
        if (whole && reading) inPlace.add(socket = reading)
        handler.onResponseStart?.(controller, status, headers, message)
      },
      onResponseData(controller, chunk) {
        if (whole === null) handler.onResponseData?.(controller, chunk)
        else if (!whole.add(chunk)) controller.abort(new Error('too large'))
      },
      onResponseEnd(controller, trailers) {
        end()
        whole?.end()
        handler.onResponseEnd?.(controller, trailers)
      },
      onResponseError(controller, error) {
        end()
        whole?.fail(error)
        handler.onResponseError?.(controller, error)
      },
    })
  }
  return { dispatch } as unknown as Dispatcher
}

interface Whole { /** False when there is too much of it. */ add(chunk: Uint8Array): boolean; end(): void; fail(error: unknown): void }

/** How much is borrowed for a body of which nobody said how long it is, and at most on a promise alone. */
const unknownBytes = 512 * 1024
const promisedBytesMax = 8 * 1024 * 1024

function beginWhole(sink: Sink, status: number, headers: Record<string, string | string[] | undefined>): Whole | null {
  const { sizeMax, codes } = sink
  const declared = headers['content-length'] === undefined ? null : Number(headers['content-length'])
  if ((headers['content-encoding'] ?? 'identity') !== 'identity' || Number.isNaN(declared) || (declared ?? 0) > sizeMax) return null
  if (!sink.take({ status, sizeBytes: declared, contentType: String(headers['content-type'] ?? '') })) return null
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  // It may break off before anybody waits for it.
  promise.catch(() => {})
  sink.body = promise
  let bytes = borrow(Math.min(declared ?? unknownBytes, promisedBytesMax))
  let size = 0
  return {
    add(chunk) {
      if (size + chunk.byteLength > sizeMax) {
        reject(new Problem(codes.largeCode, `The server sent more than ${sizeMax} bytes.`, { reached: true, limitBytes: sizeMax }))
        return false
      }
      if (size + chunk.byteLength > bytes.length) {
        const larger = borrow(Math.max(bytes.length * 2, size + chunk.byteLength))
        larger.set(bytes.subarray(0, size))
        giveBack(bytes)
        bytes = larger
      }
      bytes.set(chunk, size)
      size += chunk.byteLength
      return true
    },
    end: () => resolve(bytes.subarray(0, size)),
    fail: reject,
  }
}

/** Hands on an answer below 500 and throws for the rest, with what the upstream said in `details`. For doors whose upstream says nothing useful with a 5xx. */
export async function failOn5xx(response: Response, now: Date, code: ProblemCode = 'provider_down'): Promise<Response> {
  if (response.status < 500) return response
  const text = (await response.text().catch(() => '')).slice(0, 500)
  const retryAfterMs = readRetryAfter(response.headers, now)
  throw new Problem(code, `The upstream answered ${response.status}.`, {
    reached: true, upstreamCode: String(response.status), ...(retryAfterMs === null ? {} : { retryAfterS: Math.ceil(retryAfterMs / 1000) }), ...(text ? { cause: text } : {}),
  })
}

const retryAfterMaxMs = 24 * 3600 * 1000

/** How long an upstream asks to be left alone, in milliseconds: `Retry-After` as seconds or as a date, or `retry-after-ms`; at most a day, null without one. */
export function readRetryAfter(headers: { get(name: string): string | null }, now: Date): number | null {
  const bounded = (ms: number) => Number.isFinite(ms) ? Math.min(retryAfterMaxMs, Math.max(0, Math.ceil(ms))) : null
  const exact = headers.get('retry-after-ms')?.trim()
  if (exact && /^\d+(\.\d+)?$/.test(exact)) return bounded(Number(exact))
  const said = headers.get('retry-after')?.trim()
  if (!said) return null
  if (/^\d+(\.\d+)?$/.test(said)) return bounded(Number(said) * 1000)
  // Only the date form has letters; `Date.parse` would take "-5" for a year.
  return /[a-z]/i.test(said) ? bounded(Date.parse(said) - now.getTime()) : null
}

/** Our own patience has ended. */
export class Late extends Error { override name = 'Late' }
class Refused extends Error { override name = 'Refused' }

const definedOf = (options: Partial<FetchCodes>): Partial<FetchCodes> =>
  Object.fromEntries((['deadCode', 'privateCode', 'largeCode'] as const).flatMap(key => options[key] === undefined ? [] : [[key, options[key]]]))

/** Connections that lead nowhere private. Time is up when whoever uses them says so: they have no deadlines but for connecting. */
export function openAgent({ allowPrivate = false, ...road }: RoadOptions, { readInPlace = false } = {}): Agent {
  const isAllowed = (host: string, port: number) => typeof allowPrivate === 'function' ? allowPrivate(host, port) : allowPrivate
  return new Agent({ connect: guardedConnect(isAllowed, { ...road, readInPlace }), allowH2: false, headersTimeout: 0, bodyTimeout: 0 })
}

/**
 * A connector that looks at every address before and after it connects.
 *
 * A literal never reaches `lookup`, so it is judged first; the peer is judged again at the end, should anything have slipped between.
 */
function guardedConnect(isAllowed: (host: string, port: number) => boolean, { connectMs = 10_000, lookup = dns.lookup as LookupFunction, readInPlace }: Omit<RoadOptions, 'allowPrivate'> & { readInPlace: boolean }): buildConnector.connector {
  const publicOnly: LookupFunction = (host, options, callback) => lookup(host, { ...options, all: true }, (error, found) => {
    const addresses = Array.isArray(found) ? found : found ? [{ address: found, family: found.includes(':') ? 6 : 4 }] : []
    if (error) return callback(error, options.all ? [] : '', 0)
    const open = addresses.filter(({ address }) => !isPrivateAddress(address))
    if (open.length === 0) return callback(new Refused(), options.all ? [] : '', 0)
    return options.all ? callback(null, open) : callback(null, open[0]!.address, open[0]!.family)
  })
  const common = { allowH2: false, timeout: connectMs, autoSelectFamily: true, ...readInPlace ? { onread: readingInPlace } : {} }
  const guarded = buildConnector({ ...common, lookup: publicOnly } as buildConnector.BuildOptions)
  const open = buildConnector({ ...common, lookup } as buildConnector.BuildOptions)

  return (target, callback) => {
    const host = target.hostname.replace(/^\[(.*)\]$/, '$1')
    const port = Number(target.port) || (target.protocol === 'https:' ? 443 : 80)
    if (isAllowed(host, port)) return open(target, callback)
    if (isAddress(host) && isPrivateAddress(host)) return callback(new Refused(), null)
    return guarded(target, (error: Error | null, socket: unknown) => {
      if (error) return callback(error, null)
      const connected = socket as Socket
      if (!isPrivateAddress(connected.remoteAddress ?? '')) return callback(null, connected)
      connected.destroy()
      return callback(new Refused(), null)
    })
  }
}

/** The connection whose reader is being told of something. */
let reading: Socket | null = null
/** What it is told of. */
let fresh: Buffer | null = null
/** Connections on which a whole body is coming in. Of everything else, headers above all, the reader keeps what he was shown. */
const inPlace = new WeakSet<Socket>()
const prepared = new WeakSet<Socket>()

/**
 * Reads every connection into one and the same piece of memory, and has bodies that are wanted whole taken from there at once.
 *
 * Node gives each read a buffer of its own otherwise: 2 MB of garbage for a picture. `undici` asks for what there is as soon as it hears
 * `readable`, and has parsed it when it returns. What it leaves, because it was told to pause, is copied and goes the ordinary way.
 */
const readingInPlace = {
  buffer: Buffer.allocUnsafeSlow(128 * 1024),
  callback(this: Socket, sizeBytes: number, buffer: Uint8Array): boolean {
    return tell(this, Buffer.from(buffer.buffer, buffer.byteOffset, sizeBytes))
  },
}

/** Has a connection's reader take what was read. False when it should stop reading. */
function tell(socket: Socket, bytes: Buffer): boolean {
  if (!prepared.has(socket)) prepare(socket)
  // What came before comes first.
  if (socket.readableLength > 0 || socket.listenerCount('readable') === 0) return socket.push(Buffer.from(bytes))
  reading = socket
  fresh = inPlace.has(socket) ? bytes : Buffer.from(bytes)
  try {
    socket.emit('readable')
    return fresh === null || socket.push(Buffer.from(fresh))
  } finally {
    reading = null
    fresh = null
  }
}

function prepare(socket: Socket): void {
  prepared.add(socket)
  const read = socket.read.bind(socket)
  const unshift = socket.unshift.bind(socket)
  socket.read = size => {
    if (reading !== socket || fresh === null) return read(size)
    const bytes = fresh
    fresh = null
    return bytes
  }
  socket.unshift = (chunk: Uint8Array) => { unshift(Buffer.from(chunk)) }
}

type Sendable = NonNullable<RequestInit['body']>

interface Asked { url: URL; method: string; headers: Headers; body: Sendable | null; redirect: Request['redirect']; signal: AbortSignal | null }

/** Reads what `fetch` may be called with into plain parts. Forms and blobs become bytes: this `undici` does not know the classes of Node's own. */
async function readRequest(input: string | URL | Request, init: RequestInit, codes: FetchCodes): Promise<Asked> {
  const from = input instanceof Request ? input : null
  const url = readUrl(from ? from.url : String(input), undefined, codes)
  const headers = new Headers(init.headers ?? from?.headers)
  const asked: Asked = {
    url, headers, method: (init.method ?? from?.method ?? 'GET').toUpperCase(), body: null,
    redirect: init.redirect ?? from?.redirect ?? 'follow', signal: init.signal ?? from?.signal ?? null,
  }
  asked.signal?.throwIfAborted()
  const body = init.body ?? from?.body ?? null
  if (body === null || typeof body === 'string' || ArrayBuffer.isView(body) || body instanceof ReadableStream) {
    if (typeof body === 'string' && !headers.has('content-type')) headers.set('content-type', 'text/plain;charset=UTF-8')
    return { ...asked, body: body as Sendable | null }
  }
  if (Symbol.asyncIterator in (body as object)) return { ...asked, body: body as Sendable }
  const written = new Response(body as Sendable)
  const type = written.headers.get('content-type')
  if (type && !headers.has('content-type')) headers.set('content-type', type)
  return { ...asked, body: new Uint8Array(await written.arrayBuffer()) }
}

/** A link as we take it. @throws {Problem} for anything but a whole http(s) link without a password */
export function readUrl(text: string, base: string | undefined, codes: FetchCodes): URL {
  const url = URL.canParse(text, base) ? new URL(text, base) : null
  const shown = text.slice(0, 200)
  if (!url) throw new Problem(codes.deadCode, `"${shown}" is not a link. Give a whole one, with https:// in front.`, { reached: false })
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new Problem(codes.deadCode, `Only http and https links can be fetched, not ${url.protocol.slice(0, 20)} ones.`, { reached: false })
  if (url.username || url.password) throw new Problem(codes.deadCode, 'A link must not carry a user name or password.', { reached: false })
  return url
}

const isRedirect = (status: number) => status === 301 || status === 302 || status === 303 || status === 307 || status === 308

/** Headers that are the same question to anybody. Everything else may be a credential (`x-api-key`, `x-goog-api-key`) and stays with its origin. */
const harmless = new Set(['accept', 'accept-language', 'content-type', 'content-language', 'range', 'if-range', 'user-agent'])

function followed(request: Asked, status: number, location: string, codes: FetchCodes): Asked {
  const url = readUrl(location, request.url.href, codes)
  if (!url.hash) url.hash = request.url.hash
  const becomesGet = (status === 303 && request.method !== 'HEAD') || ((status === 301 || status === 302) && request.method === 'POST')
  if (!becomesGet && request.body !== null && typeof request.body !== 'string' && !ArrayBuffer.isView(request.body)) {
    throw new Problem(codes.deadCode, `The server at ${request.url.host} sends us on to another address, and a streamed body cannot be sent twice.`, { reached: true })
  }
  const headers = new Headers([...request.headers].filter(([name]) => (url.origin === request.url.origin || harmless.has(name)) && !(becomesGet && name.startsWith('content-'))))
  return { ...request, url, headers, ...(becomesGet ? { method: 'GET', body: null } : {}) }
}

interface Capping { url: URL; sizeMax: number; codes: FetchCodes; redirected: boolean; end(): void; explain(error: unknown): unknown }

/** The answer with its body counted while it is read. The deadline runs until the last byte or until the reader turns away. */
async function capped(answer: Response, { url, sizeMax, codes, redirected, end, explain }: Capping): Promise<Response> {
  const tooLarge = () => new Problem(codes.largeCode, `The server at ${url.host} sent more than ${sizeMax} bytes.`, { reached: true, limitBytes: sizeMax })
  const declared = Number(answer.headers.get('content-length') ?? 0)
  if (declared > sizeMax && answer.body) {
    await answer.body.cancel().catch(() => {})
    throw tooLarge()
  }
  const reader = answer.body?.getReader()
  if (!reader) end()
  let size = 0
  const body = reader && new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read()
        if (done) { end(); controller.close(); return }
        size += value.byteLength
        if (size > sizeMax) throw tooLarge()
        controller.enqueue(value)
      } catch (error) {
        end()
        controller.error(error instanceof Problem ? error : explain(error))
        await reader.cancel().catch(() => {})
      }
    },
    cancel(reason) { end(); return reader.cancel(reason) },
  }, { highWaterMark: 0 })
  const headers = new Headers([...answer.headers])
  // The bytes handed on are the unpacked ones.
  if (headers.has('content-encoding')) { headers.delete('content-encoding'); headers.delete('content-length') }
  const hasBody = body !== undefined && ![204, 205, 304].includes(answer.status)
  if (body && !hasBody) await body.cancel()
  const response = new Response(hasBody ? body : null, { status: answer.status, statusText: answer.statusText, headers })
  Object.defineProperties(response, { url: { value: url.href }, redirected: { value: redirected } })
  return response
}

/** Errors that come before a connection stands: the request cannot have been seen. */
const beforeConnection = new Set([
  'ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EAI_NODATA', 'EAI_FAIL', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL', 'UND_ERR_CONNECT_TIMEOUT', 'ERR_INVALID_ARG_VALUE',
  'CERT_HAS_EXPIRED', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'ERR_TLS_CERT_ALTNAME_INVALID', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
])

/** Why a request came to nothing, in words for whoever gave us the link. */
export function asFetchProblem(error: unknown, url: URL, { deadCode, privateCode }: FetchCodes, deadlineMs: number, answered: boolean): Problem {
  if (error instanceof Problem) return error
  const chain = causes(error)
  if (chain.some(one => one instanceof Refused)) {
    return new Problem(privateCode, `The link to ${url.hostname} leads into a private network. Give a link that can be reached from the internet.`, { reached: false })
  }
  if (error instanceof Late) return new Problem(deadCode, `The server at ${url.host} did not finish answering within ${deadlineMs / 1000} seconds.`, { reached: true, late: true })
  const code = chain.map(one => (one as { code?: unknown }).code).find(found => typeof found === 'string') as string | undefined
  const isBadPort = chain.some(one => (one as Error).message === 'bad port')
  if (isBadPort) return new Problem(deadCode, `Port ${url.port} is one that no web server uses, and is not asked.`, { reached: false })
  const reached = !(code !== undefined && beforeConnection.has(code))
  const how = answered ? 'broke off in the middle of its answer' : code === 'ENOTFOUND' ? 'cannot be found: nobody knows that name' : reached ? 'closed the connection without an answer' : 'could not be reached'
  return new Problem(deadCode, `The server at ${url.host} ${how}${code ? ` (${code})` : ''}.`, { reached, cause: error })
}

/** An error, what caused it, and what is gathered inside (Happy Eyeballs reports all addresses at once). */
function causes(error: unknown, depth = 0): unknown[] {
  if (!(error instanceof Error) || depth > 5) return []
  const gathered = error instanceof AggregateError ? error.errors.flatMap((one: unknown) => causes(one, depth + 1)) : []
  return [error, ...gathered, ...causes(error.cause, depth + 1)]
}
