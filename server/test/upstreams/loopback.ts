/**
 * What the rehearsals of upstreams share: a loopback HTTP server that keeps what it was asked, and the ways in which lines and
 * gateways fail whoever stands behind them. A prompt says which: `fault:cut_after`.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import sharp from 'sharp'

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
  close(): Promise<unknown>
}

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
export function lineFault(fault: string | null): void | Reply {
  if (fault === 'cut_before') throw new Cut()
  if (fault === 'gateway') return { ...page, status: 502 }
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
