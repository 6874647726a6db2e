/**
 * What Google's Gemini API has in common whoever asks it: where it is, what its picture models take beside words and pictures, and how it says
 * no. Pure. The words of `generateContent` itself, which gateways speak as well, are in `gemini.ts`.
 */
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import { failed } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem, type ProblemCode } from '../../domain/problem.ts'
import type { JobOutcome } from '../contract.ts'
import { nothing, only, shorten, speaksOfPolicy, unclaimed, unknown, unlisted, when, withoutTail, words } from '../toolkit.ts'
import type { Handling, Reply } from '../toolkit.ts'

export const title = 'The Gemini API'

const versions = /\/v1(beta|alpha)?$/
/** The address with its version; v1beta where none is named. */
export const rootOf = (baseUrl: string): string => {
  const base = baseUrl.replace(/\/+$/, '')
  return versions.test(base) ? base : `${withoutTail(base, versions)}/v1beta`
}

/** Parts of `generationConfig` a parameter becomes; `imageConfig` and the newer `responseFormat` are put together by `wire.ts`. */
const ratios = words('1:1', '2:3', '3:2', '3:4', '4:3', '4:5', '5:4', '9:16', '16:9', '21:9')
const longRatios = { ...ratios, ...words('1:4', '4:1', '1:8', '8:1') }

/** Left out, the first picture's ratio is taken, or 1:1 without one: what `auto` means here. */
const ratio = (allowed: Record<string, Json>): Handling => value => value === 'auto' ? {} : String(value) in allowed ? { send: { aspectRatio: value } } : { refused: ['auto', ...Object.keys(allowed)] }
const size = (...allowed: string[]): Handling => value => allowed.includes(String(value)) ? { send: { imageSize: value } } : { refused: allowed }
/** PNG is what comes by itself. */
const format: Handling = value => value === 'png' ? {} : value === 'jpeg' ? { send: { mimeType: 'image/jpeg' } } : { refused: ['png', 'jpeg'] }
/** Whole numbers, sent as they are. */
export const seed: Handling = value => ({ send: { seed: value } })
const search: Handling = when(false, nothing, () => ({ send: { search: true } }))
const noSearch = only(false)

type Handlings = Record<string, Handling>

/** The newest rules, for names nobody here knows yet. */
const newest: Handlings = { aspect_ratio: ratio(longRatios), resolution: size('512', '1K', '2K', '4K'), output_format: format, seed, google_search: search }

const models: [name: RegExp, handlings: Handlings][] = [
  [/^gemini-2\.5-flash-image/, { aspect_ratio: ratio(ratios), resolution: only('1K'), output_format: format, seed, google_search: noSearch }],
  [/^(gemini-3-pro-image|nano-banana-pro)/, { ...newest, aspect_ratio: ratio(ratios), resolution: size('1K', '2K', '4K') }],
  // Always 1K, and a 400 for who says so.
  [/^gemini-3\.1-flash-lite-image/, { ...newest, resolution: only('1K') }],
  [/^gemini-3\.1-flash-image/, newest],
  [/^gemini-nano-banana-2\.1/, { ...newest, resolution: size('1K', '2K', '4K') }],
]

/** Characters of prompt and history that fit, at four to a token: 32,768 tokens (2.5), 131,072 (3 Pro) and 65,536 (3.1) by gemini.md; others are not known. */
const contexts: [name: RegExp, charactersMax: number][] = [[/^gemini-2\.5-flash-image/, 131_072], [/^(gemini-3-pro-image|nano-banana-pro)/, 524_288], [/^gemini-3\.1-flash/, 262_144]]
export const charactersMaxOf = (model: string): number => contexts.find(([name]) => name.test(model))?.[1] ?? Infinity

export const handlingsOf = (model: string): Handlings => models.find(([name]) => name.test(model))?.[1] ?? newest

const ErrorBody = Type.Object({ error: Type.Object({
  // Interactions say a word here.
  code: Type.Optional(Type.Union([Type.Number(), Type.String()])), status: Type.Optional(Type.String()), message: Type.Optional(Type.String()),
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
 * Reads a no. Every status has a line. `settings` is how the names of the provider's settings begin.
 *
 * A call that makes the picture itself ends with its answer: what says in Google's own words that it failed has left nothing
 * behind, and may be asked again. Of a call that begins an operation (`isCall: false`), trouble may have left one running.
 */
export function readError(reply: Extract<Reply, { kind: 'answered' }>, { isCall, settings = 'GEMINI' }: { isCall: boolean; settings?: string }): JobOutcome {
  const { status: http, body, retryAfterMs } = reply
  const upstreamCode = String(http)
  if (!Value.Check(ErrorBody, body)) return readHttp(http, { said: null, settings, retryAfterMs })
  const { status = '', message = '', details = [] } = body.error
  const said = shorten(message || 'no reason given')
  const pause = retryAfterMs ?? readRetryInfo(body)
  const no = (code: ProblemCode, sentence: string) => failed(new Problem(code, sentence, { upstreamCode }), code === 'provider_busy' || code === 'provider_down' ? pause : null)
  if (!isStatus(status)) return readHttp(http, { said, settings, retryAfterMs: pause })
  switch (status) {
    case 'INVALID_ARGUMENT':
      if (details.some(({ reason }) => reason === 'API_KEY_INVALID')) return failed(unclaimed(title, `${settings}_API_KEY`, 'does not take our key', upstreamCode))
      return speaksOfPolicy(message) ? no('content_rejected', `Google refused this: ${said}`) : no('provider_rejected', `Google did not accept this: ${said}`)
    case 'FAILED_PRECONDITION': return failed(unclaimed(title, 'the region and billing of your project there', 'does not serve us', upstreamCode, said))
    case 'UNAUTHENTICATED':
    case 'PERMISSION_DENIED': return failed(unclaimed(title, `${settings}_API_KEY`, 'does not take our key for this', upstreamCode, said))
    case 'NOT_FOUND': return failed(unlisted(title, upstreamCode, said))
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

/** What an HTTP status says where none of Google's own words came with it; `said`: some other's, a gateway's perhaps. */
function readHttp(http: number, { said, settings, retryAfterMs }: { said: string | null; settings: string; retryAfterMs: number | null }): JobOutcome {
  const upstreamCode = String(http)
  if (http === 429) return failed(new Problem('provider_busy', `Google takes no more calls from us for now${said ? `: ${said}` : '.'}`, { upstreamCode }), retryAfterMs)
  if (http === 401 || http === 403) return failed(unclaimed(title, `${settings}_API_KEY`, 'does not take our key', upstreamCode, said ?? undefined))
  if (http < 400 || http >= 500 || http === 408 || http === 499) return failed(unknown(title, upstreamCode))
  if (http === 404 && said !== null) return failed(unlisted(title, upstreamCode, said))
  if (said === null) return failed(new Problem('provider_rejected', `Google refused this with HTTP ${http} and no reason. Is ${settings}_BASE_URL right?`, { upstreamCode }))
  return failed(new Problem(speaksOfPolicy(said) ? 'content_rejected' : 'provider_rejected', `Google did not accept this: ${said}`, { upstreamCode }))
}

/** How an operation of Google's failed, by the codes of gRPC, 0 to 16. Each has a line. */
export function readOperationError(code: number, said: string, what = 'film'): Problem {
  const no = (problem: ProblemCode) => new Problem(problem, `Google could not make this ${what}: ${said}`, { upstreamCode: String(code) })
  if (speaksOfPolicy(said)) return no('content_rejected')
  switch (code) {
    case 3: // INVALID_ARGUMENT
    case 5: // NOT_FOUND
    case 6: // ALREADY_EXISTS
    case 7: // PERMISSION_DENIED
    case 9: // FAILED_PRECONDITION
    case 11: // OUT_OF_RANGE
    case 12: // UNIMPLEMENTED
    case 16: // UNAUTHENTICATED
      return no('provider_rejected')
    case 4: // DEADLINE_EXCEEDED
      return no('provider_timeout')
    case 0: // OK, with an error beside it
    case 1: // CANCELLED, not by us
    case 2: // UNKNOWN
    case 8: // RESOURCE_EXHAUSTED, after it was begun
    case 10: // ABORTED
    case 13: // INTERNAL
    case 14: // UNAVAILABLE
    case 15: // DATA_LOSS
      return no('provider_failed')
    default: return no('provider_failed')
  }
}

/** Reads the list of models, of which only the key's fate is wanted: a wrong one is a bad argument to Google. @throws {Problem} `provider_not_configured` */
export const readModels = (settings: string) => (body: unknown): null => {
  if (Value.Check(ErrorBody, body) && body.error.details?.some(({ reason }) => reason === 'API_KEY_INVALID')) throw unclaimed(title, `${settings}_API_KEY`, 'does not take our key', '400')
  return null
}
