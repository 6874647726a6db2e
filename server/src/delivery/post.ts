/** One attempt over the wire, told as a value: nothing that a receiver does is thrown. */
import { Problem } from '../domain/problem.ts'
import { readRetryAfter } from '../kit/fetch.ts'
import type { Post } from '../kit/post.ts'

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

/** How much of an answer the log keeps. */
export const answerBytesMax = 1_024

export async function send(post: Post, url: string, message: { headers: Record<string, string>; body: string }, { timeoutMs, now }: { timeoutMs: number; now(): Date }): Promise<Result> {
  try {
    const { status, headers, answer } = await post(url, message)
    return {
      status, error: readRefusal(status, headers.get('location')), answer: answer.length === 0 ? null : clean(new TextDecoder().decode(answer)),
      retryAfterMs: readRetryAfter(headers, now()), final: status === 410,
    }
  } catch (error) {
    const nothing = { status: null, answer: null, retryAfterMs: null, final: false }
    if (!(error instanceof Problem)) return { ...nothing, error: 'The connection failed.' }
    if (error.details.late) return { ...nothing, error: `No answer within ${timeoutMs / 1_000} s.` }
    return { ...nothing, error: clean(error.message), final: error.code === 'private_address' }
  }
}

/** Why a status is no success; null for one that is. */
function readRefusal(status: number, location: string | null): string | null {
  if (status >= 200 && status < 300) return null
  if (status >= 300 && status < 400) return clean(`The receiver redirects${location === null ? '' : ` to ${location.slice(0, 200)}`}. Redirects are not followed: register the final address.`)
  if (status === 410) return 'The receiver says it is gone for good (410).'
  return `The receiver answered ${status}.`
}

/** Text as the database takes it: anything but NUL, and no half characters. */
const clean = (text: string): string => text.replaceAll('\0', '\uFFFD').toWellFormed()
