import type { IncomingMessage, ServerResponse } from 'node:http'
import { piecesOf } from '../kit/pieces.ts'

/** A reader who takes nothing for this long is gone, whatever the socket says. */
const stallMs = 60_000

/** How much of a body nobody wanted is still read, so that its sender gets to see the refusal, and for how long. */
const lingerBytes = 16 * 1024 * 1024
const lingerMs = 5_000

export interface SendOptions {
  /** Fires when what is left of the answer should not be sent any more; then it ends as if it were whole. */
  stop?: AbortSignal
  /** False when the request's body has been read to its end, or there is none. */
  bodyLeft: boolean
}

/**
 * Sends a Web `Response` over a Node socket: small answers in one piece with their length, streams with back-pressure.
 *
 * Returns when the last byte was handed to the socket. A body that breaks half-way destroys the connection, because an answer
 * that just ends early looks complete to the reader.
 */
export async function send(answer: Response, request: IncomingMessage, response: ServerResponse, { stop, bodyLeft }: SendOptions): Promise<void> {
  for (const [name, value] of answer.headers) if (name !== 'set-cookie') response.setHeader(name, value)
  const cookies = answer.headers.getSetCookie()
  if (cookies.length > 0) response.setHeader('set-cookie', cookies)
  response.statusCode = answer.status
  if (bodyLeft) response.setHeader('connection', 'close')

  const mayHaveBody = request.method !== 'HEAD' && answer.status !== 204 && answer.status !== 304
  if (!answer.body || !mayHaveBody) {
    void answer.body?.cancel().catch(() => {})
    if (!answer.body && answer.status !== 204 && answer.status !== 304 && !response.hasHeader('content-length')) response.setHeader('content-length', 0)
    return finish(request, response, bodyLeft)
  }

  const pieces = piecesOf(answer)
  if (pieces) {
    try {
      for await (const piece of pieces) {
        if (response.destroyed) return
        await flushed(response, piece)
      }
      return await finish(request, response, bodyLeft)
    } catch (thrown) {
      response.destroy()
      throw thrown
    }
  }

  const reader = answer.body.getReader()
  const leave = () => { void reader.cancel().catch(() => {}) }
  response.once('close', leave)
  stop?.addEventListener('abort', leave, { once: true })
  if (stop?.aborted || response.destroyed) leave()
  try {
    let next = await reader.read()
    const isStream = answer.headers.get('content-type')?.startsWith('text/event-stream') ?? false
    if (!isStream && !next.done && !response.hasHeader('content-length')) {
      // A body made from a string is over right after its first piece; then the length is known and one write does.
      const first = next.value
      const second = reader.read()
      const soon = await Promise.race([second, new Promise<null>(resolve => { setImmediate(resolve, null) })])
      if (soon?.done) {
        response.setHeader('content-length', first.byteLength)
        response.write(first)
        return await finish(request, response, bodyLeft)
      }
      if (!response.write(first)) await drained(response)
      next = await second
    } else if (isStream) response.flushHeaders()
    while (!next.done) {
      if (response.destroyed) { leave(); return }
      if (!response.write(next.value)) await drained(response)
      next = await reader.read()
    }
    await finish(request, response, bodyLeft)
  } catch (thrown) {
    leave()
    response.destroy()
    throw thrown
  } finally {
    response.off('close', leave)
    stop?.removeEventListener('abort', leave)
  }
}

/** Writes a piece and waits until the kernel has it, or the socket is gone: its memory may be used again then. */
function flushed(response: ServerResponse, piece: Uint8Array): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      clearTimeout(timer)
      response.off('close', done)
      resolve()
    }
    const timer = setTimeout(() => { response.destroy() }, stallMs)
    response.on('close', done)
    response.write(piece, done)
  })
}

/** Waits until the socket takes more, or is gone. */
function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed || !response.writableNeedDrain) return Promise.resolve()
  return new Promise(resolve => {
    const done = () => {
      clearTimeout(timer)
      response.off('drain', done).off('close', done)
      resolve()
    }
    const timer = setTimeout(() => { response.destroy(); done() }, stallMs)
    response.on('drain', done).on('close', done)
  })
}

/**
 * Ends an answer. Where part of the request's body was not wanted, it is read and thrown away first, within limits: closing a
 * socket with unread bytes makes the kernel reset it, and the caller loses the answer that says what was wrong.
 */
async function finish(request: IncomingMessage, response: ServerResponse, bodyLeft: boolean): Promise<void> {
  if (!bodyLeft || request.readableEnded || request.destroyed) { response.end(); return }
  if (response.hasHeader('content-length')) response.flushHeaders()
  else { response.end(); return }
  await new Promise<void>(resolve => {
    let size = 0
    const done = () => {
      clearTimeout(timer)
      request.off('data', count).off('end', done).off('close', done).off('error', done)
      resolve()
    }
    const count = (chunk: Buffer) => { size += chunk.length; if (size > lingerBytes) done() }
    const timer = setTimeout(done, lingerMs)
    request.on('data', count).on('end', done).on('close', done).on('error', done)
    request.resume()
  })
  response.end()
}
