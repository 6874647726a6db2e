import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { Problem } from '../domain/problem.ts'
import type { Protocol } from '../protocols/contract.ts'

const phrases: Record<number, string> = { 400: 'Bad Request', 408: 'Request Timeout', 431: 'Request Header Fields Too Large' }

function explain(code: string | undefined): [status: number, sentence: string] {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT': return [408, 'The request came too slowly. Send it again.']
    case 'HPE_HEADER_OVERFLOW': return [431, 'The headers are too large. 32 KiB are taken.']
    default: return [400, 'This is not HTTP as it should be.']
  }
}

/** Answers what is no HTTP, or came too slowly or too large to become a request: there is no request to answer, only a socket. */
export async function refuseSocket(error: NodeJS.ErrnoException, socket: Socket, door: Protocol): Promise<void> {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) { socket.destroy(); return }
  const [status, sentence] = explain(error.code)
  const requestId = randomUUID().replaceAll('-', '')
  const refusal = door.refuse(new Problem('bad_request', sentence), { method: 'GET', path: '/', requestId })
  const body = await refusal.text()
  const head = [
    `HTTP/1.1 ${status} ${phrases[status]}`, 'content-type: application/json', `x-request-id: ${requestId}`, 'connection: close',
    `content-length: ${Buffer.byteLength(body)}`,
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
