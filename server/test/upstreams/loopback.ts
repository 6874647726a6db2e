/**
 * What the rehearsals of upstreams share: a loopback HTTP server that keeps what it was asked, and the ways in which lines and
 * gateways fail whoever stands behind them. A prompt says which: `fault:cut_after`.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import sharp from 'sharp'
import type { Job } from '../../src/providers/contract.ts'

export interface Heard { method: string; path: string; query: URLSearchParams; headers: IncomingMessage['headers']; body: Buffer; json: any }
export interface Reply { status?: number; json?: unknown; text?: string; bytes?: Buffer; headers?: Record<string, string>; /** Comes in pieces, with pauses between them. */ drip?: true }

/** A rehearsed upstream as the contract suite wants it: `upstreams/<provider>.ts` exports `rehearse`, and nothing has to be named anywhere else. */
export interface Rehearsal {
  /** Settings with which the provider reaches it. */
  settings: object
  /** The upstream's name of a model that draws pictures of the size it is asked for; where it `writes` only, of one that says something. */
  model: string
  /** It makes text and nothing else. */
  writes?: true
  /** What one of its texts takes, in tokens. */
  tokens?: number
  /** Parameters a card of that model has beside the count, as JSON Schema. Absent: none. */
  parameters?: Record<string, unknown>
  /** A model whose result is looked for, where pictures come in the call and films do not. */
  film?: { model: string; parameters: Record<string, unknown> }
  /** What a job must be beside, for upstreams that do not take every one. */
  job?: Pick<Job, 'priority'>
  /** What must not be found in what a caller hears; null where the upstream wants no key. */
  key: string | null
  /** What it was asked and sold since it was cleared; absent where nobody is outside. */
  stats?(): { asked: number; bought: number }
  clear(): void
  /** Whether it says itself what a picture took, so that a price list is not needed (docs/decisions/0009). */
  tellsCost: boolean
  /** What each fault comes to, or why this upstream cannot have it. */
  faults: Faults
  /** A call back as the upstream signs it, about its job of that id; absent where it signs none. */
  callBack?(upstreamId: string, atS: number): { body: string; headers: Record<string, string> }
  close(): Promise<unknown>
}

/** The ways upstreams go wrong that every back door has to stand. */
export const faultNames = [
  /** 429, without and with `Retry-After`. */
  'busy', 'busy_when',
  /** A gateway's 5xx, before it was taken and after. */
  'server_before', 'server_after',
  'cut_before', 'cut_after', 'cut_half', 'drip', 'half_json',
  /** A page instead of the answer; a file that is no picture. */
  'page', 'no_picture',
  /** Taken, and unknown when it is looked at: for ever, or at the first look only. */
  'lost_job', 'moment',
  /** Looks that are answered with a gateway's page, and with trouble of its own. */
  'blind',
  /** A failure under HTTP 200. */
  'odd_200',
  /** A link that is refused when it is opened, and so is every other; or the first one only. */
  'expired', 'expired_once',
] as const
export type FaultName = (typeof faultNames)[number]

/** What a fault came to: how often the upstream was asked, what it sold, how much of the price was taken (in pictures), and what the caller heard. */
export interface Expected {
  asked: number; bought: number; captured: number; code?: string; made?: number; attempts?: number
  /** What the operator's books have of its attempts: the upstream told what it took, or only a price list can say, if anybody. None where surely nothing was bought. */
  costs?: ('told' | 'open')[]
}
export interface Fault extends Expected { /** In the prompt. */ says: string; /** Of the film, not of the picture. */ film?: true }
export type Faults = Record<FaultName, Fault | string>

/** Asked again, and made. */
export const again: Expected = { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 }
export const fine: Expected = { asked: 1, bought: 1, captured: 1, made: 1 }
export const bought = (code: string): Expected => ({ asked: 1, bought: 1, captured: 0, code })
const lost = (bought: number): Expected => ({ asked: 1, bought, captured: 0, code: 'outcome_unknown' })

/** Faults of the line (below), the same at every upstream but for what becomes of a lost answer: by default it stays lost, and is never asked for again. */
export const lineFaults = (before: Expected = lost(0), after: Expected = lost(1)) => ({
  busy: { says: 'fault:limited', ...again }, busy_when: { says: 'fault:limited_when', ...again }, server_before: { says: 'fault:gateway', ...before }, server_after: { says: 'fault:gateway_after', ...after },
  cut_before: { says: 'fault:cut_before', ...before }, cut_after: { says: 'fault:cut_after', ...after }, cut_half: { says: 'fault:cut_half', ...after }, drip: { says: 'fault:drip', ...fine },
  half_json: { says: 'fault:half_json', ...after }, page: { says: 'fault:page', ...after },
} satisfies Partial<Faults>)

/** For models that take pixels. */
export const smallSize = { size: { enum: ['64x64'], default: '64x64' } }

/** Why an upstream that answers with the picture itself has neither. */
export const inTheCall = {
  lost_job: 'It is made in the call: there is nothing to come back for.', moment: 'It is made in the call: there is nothing to look at.', blind: 'It is made in the call: there is nothing to look at.',
  expired: 'Pictures come in the answer, not behind links.', expired_once: 'Pictures come in the answer, not behind links.',
} satisfies Partial<Faults>
/** Why links of one that answers at once cannot be had anew. */
export const withTheCall = 'Its links come in the call, and there is nobody to ask for others.'

export interface Loopback {
  url: string
  heard: Heard[]
  reset(): void
  close(): Promise<void>
}

/** Breaks the line: at once, or after the first half of an answer. */
export class Cut extends Error {
  readonly half: Reply | undefined
  constructor(half?: Reply) { super('cut'); this.half = half }
}

/** `upgrade` takes connections that want to be something else than HTTP. */
export async function listen(handle: (heard: Heard) => Reply | Promise<Reply>, upgrade?: (request: IncomingMessage, socket: Duplex) => void): Promise<Loopback> {
  const heard: Heard[] = []
  const server = createServer((request, response) => { void answer(request, response) })
  const upgraded = new Set<Duplex>()
  if (upgrade) {
    server.on('upgrade', (request, socket) => {
      upgraded.add(socket)
      socket.once('close', () => upgraded.delete(socket))
      upgrade(request, socket)
    })
  }
  server.listen(0, '127.0.0.1')
  await new Promise(resolve => { server.once('listening', resolve) })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heard,
    reset() { heard.length = 0 },
    async close() { for (const socket of upgraded) socket.destroy(); server.closeAllConnections(); await new Promise(resolve => { server.close(resolve) }) },
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = []
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part)
    const body = Buffer.concat(parts)
    const { pathname, searchParams } = new URL(request.url!, 'http://upstream')
    const one: Heard = { method: request.method!, path: decodeURIComponent(pathname), query: searchParams, headers: request.headers, body, json: parse(body) }
    heard.push(one)
    try {
      await send(response, await handle(one))
    } catch (thrown) {
      if (!(thrown instanceof Cut)) { await send(response, { status: 500, text: String((thrown as Error).stack) }); return }
      if (!thrown.half) { request.socket.destroy(); return }
      const { bytes, headers } = write(thrown.half)
      response.writeHead(thrown.half.status ?? 200, { ...headers, 'content-length': bytes.length })
      response.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => request.socket.destroy())
    }
  }
}

const parse = (body: Buffer): unknown => { try { return JSON.parse(body.toString()) } catch { return undefined } }

function write({ json, text, bytes, headers }: Reply): { bytes: Buffer; headers: Record<string, string> } {
  if (bytes) return { bytes, headers: { 'content-type': 'application/octet-stream', ...headers } }
  return text === undefined ? { bytes: Buffer.from(JSON.stringify(json)), headers: { 'content-type': 'application/json', ...headers } } : { bytes: Buffer.from(text), headers: { 'content-type': 'text/html', ...headers } }
}

async function send(response: ServerResponse, reply: Reply): Promise<void> {
  const { bytes, headers } = write(reply)
  response.writeHead(reply.status ?? 200, { ...headers, 'content-length': bytes.length })
  const pieces = reply.drip ? 10 : 1
  for (let piece = 1; piece < pieces; piece++) {
    response.write(bytes.subarray(Math.floor(bytes.length * (piece - 1) / pieces), Math.floor(bytes.length * piece / pieces)))
    await new Promise(resolve => { setTimeout(resolve, 20) })
  }
  response.end(bytes.subarray(Math.floor(bytes.length * (pieces - 1) / pieces)))
}

export const readFault = (prompt: string): string | null => /fault:([a-z0-9_]+)/.exec(prompt)?.[1] ?? null

/** Counts by name, for faults that pass. */
export function counter() {
  const counts = new Map<string, number>()
  return { next(name: string): number { const count = (counts.get(name) ?? 0) + 1; counts.set(name, count); return count }, reset() { counts.clear() } }
}

export const page: Reply = { text: '<!doctype html><title>Bad gateway</title><h1>Bad gateway</h1>' }

/** Faults of the line, before anything is taken; null where the prompt rehearses none of them. */
export function lineFault(fault: string | null, nth: number): void | Reply {
  if (fault === 'cut_before') throw new Cut()
  if (fault === 'gateway') return { ...page, status: 502 }
  // Whatever stands before an upstream says it so, in no words of its own; it passes.
  if (fault === 'limited' && nth === 1) return { status: 429, text: 'Too Many Requests', headers: { 'content-type': 'text/plain' } }
  if (fault === 'limited_when' && nth === 1) return { status: 429, text: 'Too Many Requests', headers: { 'content-type': 'text/plain', 'retry-after': '1' } }
}

/** Faults of the line, after it was taken. */
export function answerFault(fault: string | null, reply: Reply): Reply {
  switch (fault) {
    case 'cut_after': throw new Cut()
    case 'cut_half': throw new Cut(reply)
    case 'half_json': { const { bytes } = write(reply); return { ...reply, bytes: bytes.subarray(0, Math.floor(bytes.length / 2)), headers: { 'content-type': 'application/json' } } }
    case 'page': return page
    case 'drip': return { ...reply, drip: true }
    case 'gateway_after': return { ...page, status: 504 }
    default: return reply
  }
}

let painted = 0
/** Another picture each time. */
export const paint = (width: number, height: number, format: 'png' | 'jpeg' | 'webp' = 'png'): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background: { r: ++painted % 256, g: (painted >> 8) % 256, b: 90 } } })[format]().toBuffer()

/** The boxes of a film, enough to be known as one. */
export const film = (): Buffer => Buffer.concat([
  Buffer.from([0, 0, 0, 0x18]), Buffer.from('ftypisom'), Buffer.from([0, 0, 2, 0]), Buffer.from('isommp42'), Buffer.from([0, 0, 0, 8]), Buffer.from('moov'), Buffer.from([0, 0, 0, 16]), Buffer.from('mdat'), Buffer.alloc(8, ++painted),
])
