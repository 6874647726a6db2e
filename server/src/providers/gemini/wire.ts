/**
 * How we read what Google's Gemini API says to a call for a picture or a text. Pure; the words themselves are in `toolkit/gemini.ts`.
 *
 * There is no name of ours it could be asked by later, so a lost answer stays lost.
 */
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import { failed } from '../../domain/outcome.ts'
import { Problem, type ProblemCode } from '../../domain/problem.ts'
import type { JobOutcome } from '../contract.ts'
import { shorten, speaksOfPolicy, unclaimed, unknown, unreached } from '../toolkit.ts'
import type { BytesOf, Reply } from '../toolkit.ts'
import type { Job } from '../contract.ts'
import { Answer, readContent } from '../toolkit/gemini.ts'
import { readText } from '../toolkit/gemini-text.ts'

export const title = 'The Gemini API'

/** Reads what a call for one picture brought. */
export const readGeneration = (reply: Reply, expected: { seed: number | undefined }): JobOutcome => readCall(reply, (answer, bytesOf) => readContent(answer, bytesOf, expected))

/** Reads what a call for a text brought. */
export const readWriting = (reply: Reply, job: Pick<Job, 'parameters'>, warnings: string[]): JobOutcome => readCall(reply, answer => readText(answer, job, warnings))

function readCall(reply: Reply, read: (answer: Answer, bytesOf: BytesOf) => JobOutcome): JobOutcome {
  if (reply.kind === 'unreached') return failed(unreached(title))
  if (reply.kind === 'lost') return failed(unknown(title))
  const { status, body, bytesOf } = reply
  if (status < 300) return Value.Check(Answer, body) && !hasError(body) ? read(body, bytesOf) : failed(unknown(title, String(status)))
  return readError(reply, { isCall: true })
}

const hasError = (body: unknown) => typeof body === 'object' && body !== null && 'error' in body

const ErrorBody = Type.Object({ error: Type.Object({
  code: Type.Optional(Type.Number()), status: Type.Optional(Type.String()), message: Type.Optional(Type.String()),
  details: Type.Optional(Type.Array(Type.Object({ '@type': Type.Optional(Type.String()), reason: Type.Optional(Type.String()), retryDelay: Type.Optional(Type.String()) }))),
}) })
type ErrorBody = Static<typeof ErrorBody>

export const statuses = [
  'INVALID_ARGUMENT', 'FAILED_PRECONDITION', 'UNAUTHENTICATED', 'PERMISSION_DENIED', 'NOT_FOUND', 'ABORTED', 'ALREADY_EXISTS', 'RESOURCE_EXHAUSTED', 'CANCELLED',
  'INTERNAL', 'UNIMPLEMENTED', 'UNAVAILABLE', 'DEADLINE_EXCEEDED', 'UNKNOWN', 'OUT_OF_RANGE', 'DATA_LOSS',
] as const
export type Status = (typeof statuses)[number]
const isStatus = (status: string): status is Status => (statuses as readonly string[]).includes(status)

/** `"7s"`, `"1.5s"`: how long Google asks to be left alone. */
export function readRetryInfo({ error: { details = [] } }: ErrorBody): number | null {
  const delay = details.map(({ retryDelay }) => /^(\d+(?:\.\d+)?)s$/.exec(retryDelay ?? '')?.[1]).find(found => found !== undefined)
  return delay === undefined ? null : Math.min(24 * 3600 * 1000, Math.ceil(Number(delay) * 1000))
}

/**
 * Reads a no. Every status has a line.
 *
 * A call that makes the picture itself ends with its answer: what says in Google's own words that it failed has left nothing
 * behind, and may be asked again. Of a call that begins an operation (`isCall: false`), trouble may have left one running.
 */
export function readError(reply: Extract<Reply, { kind: 'answered' }>, { isCall }: { isCall: boolean }): JobOutcome {
  const { status: http, body, retryAfterMs } = reply
  const upstreamCode = String(http)
  if (!Value.Check(ErrorBody, body)) {
    if (http === 429) return failed(new Problem('provider_busy', 'Google takes no more calls from us for now.', { upstreamCode }), retryAfterMs)
    if (http === 401 || http === 403) return failed(unclaimed(title, 'GEMINI_API_KEY', 'does not take our key', upstreamCode))
    if (http >= 400 && http < 500 && http !== 408 && http !== 499) return failed(new Problem('provider_rejected', `Google refused this with HTTP ${http} and no reason. Is GEMINI_BASE_URL right?`, { upstreamCode }))
    return failed(unknown(title, upstreamCode))
  }
  const { status = '', message = '', details = [] } = body.error
  const said = shorten(message || 'no reason given')
  const pause = retryAfterMs ?? readRetryInfo(body)
  const no = (code: ProblemCode, sentence: string) => failed(new Problem(code, sentence, { upstreamCode }), code === 'provider_busy' || code === 'provider_down' ? pause : null)
  if (!isStatus(status)) return http === 429 ? no('provider_busy', said) : http < 500 ? no('provider_rejected', `Google did not accept this: ${said}`) : failed(unknown(title, upstreamCode))
  switch (status) {
    case 'INVALID_ARGUMENT':
      if (details.some(({ reason }) => reason === 'API_KEY_INVALID')) return failed(unclaimed(title, 'GEMINI_API_KEY', 'does not take our key', upstreamCode))
      return speaksOfPolicy(message) ? no('content_rejected', `Google refused this: ${said}`) : no('provider_rejected', `Google did not accept this: ${said}`)
    case 'FAILED_PRECONDITION': return failed(unclaimed(title, 'the region and billing of your project there', 'does not serve us', upstreamCode, said))
    case 'UNAUTHENTICATED':
    case 'PERMISSION_DENIED': return failed(unclaimed(title, 'GEMINI_API_KEY', 'does not take our key for this', upstreamCode, said))
    case 'NOT_FOUND': return no('provider_rejected', `Google does not know this model: ${said}`)
    case 'ABORTED':
    case 'ALREADY_EXISTS':
    case 'OUT_OF_RANGE': return no('provider_rejected', `Google did not accept this: ${said}`)
    case 'UNIMPLEMENTED': return no('provider_rejected', `Google cannot do this: ${said}`)
    case 'RESOURCE_EXHAUSTED': return no('provider_busy', `Google has no room for us: ${said}`)
    case 'UNAVAILABLE': return no('provider_busy', `Google is overloaded: ${said}`)
    case 'INTERNAL':
    case 'UNKNOWN':
    case 'DATA_LOSS': return isCall ? no('provider_down', `Google had trouble of its own: ${said}`) : failed(unknown(title, upstreamCode))
    case 'CANCELLED':
    case 'DEADLINE_EXCEEDED': return failed(unknown(title, upstreamCode))
  }
}
