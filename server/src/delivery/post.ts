/** One attempt over the wire, told as a value: nothing that a receiver does is thrown. */
import { Problem } from '../domain/problem.ts'
import { readRetryAfter } from '../kit/fetch.ts'

/** What we ask of a `fetch` (`kit/fetch.ts`): it looks at the address when it connects, and throws `private_address` for one inside. */
export type Fetch = (url: string, init: { method: 'POST'; headers: Record<string, string>; body: string; redirect: 'manual'; signal: AbortSignal }) => Promise<Response>

export interface Result {
  status: number | null
  /** A sentence for the log; null when it was delivered. */
  error: string | null
  /** The begin of what the receiver answered. */
  answer: string | null
  retryAfterMs: number | null
  /** Trying again cannot help. */
  final: boolean
}

const answerBytesMax = 1_024

/** The status is what counts: a receiver that says "200" and never ends its body has got the message. */
const answerWithinMs = 2_000

export interface PostOptions { fetch: Fetch; timeoutMs: number; now(): Date }

export async function post(url: string, headers: Record<string, string>, body: string, { fetch, timeoutMs, now }: PostOptions): Promise<Result> {
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    const response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal: timeout })
    const answer = await readBegin(response)
    const { status } = response
    const retryAfterMs = readRetryAfter(response.headers, now())
    return { status, error: readRefusal(status, response.headers.get('location')), answer, retryAfterMs, final: status === 410 }
  } catch (error) {
    const nothing = { status: null, answer: null, retryAfterMs: null, final: false }
    if (timeout.aborted) return { ...nothing, error: `No answer within ${timeoutMs / 1_000} s.` }
    if (error instanceof Problem) return { ...nothing, error: clean(error.message), final: error.code === 'private_address' }
    return { ...nothing, error: 'The connection failed.' }
  }
}

/** Why a status is no success; null for one that is. */
function readRefusal(status: number, location: string | null): string | null {
  if (status >= 200 && status < 300) return null
  if (status >= 300 && status < 400) return clean(`The receiver redirects${location === null ? '' : ` to ${location.slice(0, 200)}`}. Redirects are not followed: register the final address.`)
  if (status === 410) return 'The receiver says it is gone for good (410).'
  return `The receiver answered ${status}.`
}

async function readBegin(response: Response): Promise<string | null> {
  if (!response.body) return null
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader()
  const stop = () => { reader.cancel().catch(() => {}) }
  const late = setTimeout(stop, answerWithinMs)
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    while (size < answerBytesMax) {
      const { done, value } = await reader.read()
      if (done) break
      chunks.push(value)
      size += value.byteLength
    }
  } catch {
    // Cut in the middle of its body: what came before it is still worth showing.
  } finally {
    clearTimeout(late)
    stop()
  }
  return size === 0 ? null : clean(new TextDecoder().decode(Buffer.concat(chunks).subarray(0, answerBytesMax)))
}

/** Text as the database takes it: anything but NUL, and no half characters. */
const clean = (text: string): string => text.replaceAll('\0', '\uFFFD').toWellFormed()
