/**
 * How we read what OpenAI's images API and chat completions, and servers shaped like them, say to a call. Pure; the words themselves are in
 * `toolkit/openai.ts` and `toolkit/chat.ts`.
 *
 * OpenAI documents no idempotency key for pictures (our own door and some gateways honour one, so it is sent), so a lost answer stays
 * lost.
 */
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import { failed } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem, type ProblemCode } from '../../domain/problem.ts'
import type { Job, JobOutcome } from '../contract.ts'
import { shorten, speaksOfPolicy, unclaimed, unknown, unlisted, unreached } from '../toolkit.ts'
import type { BytesOf, Reply } from '../toolkit.ts'
import { Chat, readChat } from '../toolkit/chat.ts'
import { Effects, Images, readMade, type Said } from '../toolkit/openai.ts'

export const title = 'The images API'
export const chatTitle = 'The chat API'

/** Reads what a call brought. */
export function readImages(reply: Reply, asked: Record<string, Json>, warnings: string[]): JobOutcome {
  if (reply.kind === 'unreached') return failed(unreached(title))
  if (reply.kind === 'lost') return failed(unknown(title))
  const { status, body, bytesOf, headers } = reply
  if (status >= 300) return readError(reply)
  if (Value.Check(Images, body)) return readMade(body, bytesOf, { asked, warnings, requestId: headers.get('x-request-id') })
  // A refusal under 200, as some gateways send it.
  return Value.Check(ErrorBody, body) ? failed(readReason(body, null).problem) : failed(unknown(title, String(status)))
}

/** Reads what a call for a text brought. */
export function readWriting(reply: Reply, job: Pick<Job, 'parameters'>, warnings: string[]): JobOutcome {
  if (reply.kind === 'unreached') return failed(unreached(chatTitle))
  if (reply.kind === 'lost') return failed(unknown(chatTitle))
  const { status, body } = reply
  if (status >= 300) return readError(reply, chatTitle)
  if (Value.Check(Chat, body)) return readChat(body, job, warnings)
  return Value.Check(ErrorBody, body) ? failed(readReason(body, null, chatTitle).problem) : failed(unknown(chatTitle, String(status)))
}

const Inner = Type.Union([Type.Object({ code: Type.Optional(Type.String()) }), Type.Null()])
const ErrorBody = Type.Object({ error: Type.Union([
  Type.String(),
  Type.Object({ message: Type.Optional(Type.Union([Type.String(), Type.Null()])), type: Type.Optional(Type.Union([Type.String(), Type.Null()])), code: Type.Optional(Type.Union([Type.String(), Type.Number(), Type.Null()])), param: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    // Azure's filter says so here, under one name or the other.
    inner_error: Type.Optional(Inner), innererror: Type.Optional(Inner) }),
]) })
type ErrorBody = Static<typeof ErrorBody>

/** A no the upstream gave a reason for, and the HTTP status that came with it; null inside a stream. */
export function readReason({ error }: ErrorBody, status: number | null, who = title): { problem: Problem; busy: boolean } {
  const { message, type, code, inner_error, innererror } = typeof error === 'string' ? { message: error } : error
  const said = shorten(message || 'no reason given')
  const upstreamCode = String(code ?? status ?? type ?? 'error')
  const no = (problem: ProblemCode, sentence: string) => ({ problem: new Problem(problem, sentence, { upstreamCode }), busy: problem === 'provider_busy' || problem === 'provider_down' })
  if ((inner_error ?? innererror)?.code === 'ResponsibleAIPolicyViolation') return no('content_rejected', `The model refused this: ${said}`)
  switch (code) {
    case 'moderation_blocked':
    case 'contentFilter':
    case 'content_filter':
    case 'content_policy_violation': return no('content_rejected', `The model refused this: ${said}`)
    case 'insufficient_quota':
    case 'billing_hard_limit_reached': return { problem: unclaimed(who, 'the credit of your account there', 'has no credit left for us', upstreamCode, said), busy: false }
    case 'invalid_api_key': return { problem: unclaimed(who, 'OPENAI_API_KEY', 'does not take our key', upstreamCode, said), busy: false }
    case 'rate_limit_exceeded': return no('provider_busy', `${who} has no room for us: ${said}`)
    case 'DeploymentNotFound':
    case 'model_not_found': return { problem: unlisted(who, upstreamCode, said), busy: false }
  }
  switch (type) {
    case 'image_generation_user_error': return no('content_rejected', `The model refused this: ${said}`)
    case 'insufficient_quota': return { problem: unclaimed(who, 'the credit of your account there', 'has no credit left for us', upstreamCode, said), busy: false }
  }
  switch (status) {
    case 400:
    case 422: return speaksOfPolicy(said) ? no('content_rejected', `The model refused this: ${said}`) : no('provider_rejected', `${who} did not accept this: ${said}`)
    case 401:
    case 403: return { problem: unclaimed(who, 'OPENAI_API_KEY', 'does not take our key for this', upstreamCode, said), busy: false }
    case 402: return { problem: unclaimed(who, 'the credit of your account there', 'has no credit left for us', upstreamCode, said), busy: false }
    case 404: return { problem: unlisted(who, upstreamCode, said), busy: false }
    case 413: return no('provider_rejected', `${who} finds this too large: ${said}`)
    case 429: return no('provider_busy', `${who} has no room for us: ${said}`)
    case 503: return no('provider_busy', `${who} is overloaded: ${said}`)
    // A call that ends with its own words of trouble has left nothing behind.
    case 500: return no('provider_down', `${who} had trouble of its own: ${said}`)
    // Another call with this key is under way, or the time was up: something may be in the making.
    case 408:
    case 409:
    case 499:
    case 502:
    case 504: return { problem: unknown(who, upstreamCode), busy: false }
    // Inside a stream: it was begun, and it says that it failed.
    case null: return speaksOfPolicy(said) ? no('content_rejected', `The model refused this: ${said}`) : no('provider_failed', `${who} could not finish this: ${said}`)
    default: return status < 500 ? no('provider_rejected', `${who} did not accept this: ${said}`) : { problem: unknown(who, upstreamCode), busy: false }
  }
}

function readError({ status, body, retryAfterMs, headers }: Extract<Reply, { kind: 'answered' }>, who = title): JobOutcome {
  const pause = retryAfterMs ?? readReset(headers)
  if (Value.Check(ErrorBody, body)) {
    const { problem, busy } = readReason(body, status, who)
    return failed(problem, busy ? pause : null)
  }
  const upstreamCode = String(status)
  if (status === 429) return failed(new Problem('provider_busy', `${who} takes no more calls from us for now.`, { upstreamCode }), pause)
  if (status === 401 || status === 403) return failed(unclaimed(who, 'OPENAI_API_KEY', 'does not take our key', upstreamCode))
  if (status >= 400 && status < 500 && status !== 408 && status !== 409 && status !== 499) {
    return failed(new Problem('provider_rejected', `${who} refused this with HTTP ${status} and no reason. Is OPENAI_BASE_URL right?`, { upstreamCode }))
  }
  return failed(unknown(who, upstreamCode))
}

/** `1s`, `6m0s`, `250ms`, `1h2m3s`: when a spent allowance comes back, in milliseconds. */
export function readDuration(text: string): number | null {
  const match = /^(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?$/.exec(text.trim())
  if (!match || text.trim() === '') return null
  const [, hours = '0', minutes = '0', seconds = '0', milliseconds = '0'] = match
  return Math.ceil(((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + Number(milliseconds))
}

/** Where no `Retry-After` came: the longest reset of an allowance that has nothing left. */
export function readReset(headers: { get(name: string): string | null }): number | null {
  const resets = ['requests', 'tokens', 'images'].flatMap(what => {
    const reset = headers.get(`x-ratelimit-reset-${what}`)
    const ms = reset === null || headers.get(`x-ratelimit-remaining-${what}`) !== '0' ? null : readDuration(reset)
    return ms === null ? [] : [ms]
  })
  return resets.length === 0 ? null : Math.min(24 * 3600 * 1000, Math.max(...resets))
}

const Partial = Type.Object({ type: Type.String(), b64_json: Type.String(), partial_image_index: Type.Integer({ minimum: 0, maximum: 3 }) })
const Completed = Type.Object({ type: Type.String(), b64_json: Type.String(), ...Effects })

export type Event = { kind: 'partial'; index: number; bytes: Buffer } | { kind: 'end'; outcome: JobOutcome } | { kind: 'other' }

/** Reads one event of a stream. Every type it documents has a line; others are passed over. */
export function readEvent(body: unknown, bytesOf: BytesOf, said: Said): Event {
  if (Value.Check(ErrorBody, body)) return { kind: 'end', outcome: failed(readReason(body, null).problem) }
  const type = typeof body === 'object' && body !== null ? (body as { type?: unknown }).type : undefined
  switch (type) {
    case 'image_generation.partial_image':
    case 'image_edit.partial_image':
      return Value.Check(Partial, body) ? { kind: 'partial', index: body.partial_image_index, bytes: bytesOf(body.b64_json) } : { kind: 'other' }
    case 'image_generation.completed':
    case 'image_edit.completed': {
      if (!Value.Check(Completed, body)) return { kind: 'end', outcome: failed(unknown(title, 'completed')) }
      const { b64_json: base64, type: _, ...effects } = body
      return { kind: 'end', outcome: readMade({ data: [{ b64_json: base64 }], ...effects }, bytesOf, said) }
    }
    default: return { kind: 'other' }
  }
}
