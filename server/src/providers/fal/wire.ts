/**
 * What we say to fal's queue and how we read what it says (its Queue API, error and webhook pages as of November 2026). Pure.
 *
 * A request that is in the queue is told by its id alone: the queue takes no key of ours, and fal's history cannot be asked for one. So
 * whatever leaves it open whether a request was queued is `outcome_unknown`, and is never handed in again.
 */
import { createHash, createPublicKey, verify, type KeyObject } from 'node:crypto'
import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'
import type { Json } from '../../domain/outcome.ts'
import { Problem, type ProblemCode } from '../../domain/problem.ts'
import type { Callback, Verdict } from '../contract.ts'
import { forged, isFresh, shorten, speaksOfPolicy, unclaimed, unknown, unlisted, unreached } from '../toolkit.ts'
import type { Reply } from '../toolkit.ts'
import { isLost, miss, MissingSince, see } from '../toolkit/missing.ts'
import { Failed, failure, Links, storeFailed, type Failure } from '../toolkit/parts.ts'

const title = 'fal'

const Nullable = <T extends Parameters<typeof Type.Optional>[0]>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))

/** States of a request in the queue. A word nobody documented means that it goes on. */
export const states = ['IN_QUEUE', 'IN_PROGRESS', 'COMPLETED'] as const
type State = (typeof states)[number]
const isState = (state: string): state is State => (states as readonly string[]).includes(state)

/** Why a request failed on its way through fal: a flat body, `error_type`. */
export const requestErrors = [
  'request_timeout', 'startup_timeout', 'runner_scheduling_failure', 'runner_connection_timeout', 'runner_disconnected', 'runner_connection_refused', 'runner_connection_error',
  'runner_incomplete_response', 'runner_server_error', 'client_disconnected', 'client_cancelled', 'bad_request', 'internal_error',
] as const
/** Why a model refused an input: a list of these, `detail[].type`. Any other type is a plain validation error, say the docs. */
export const modelErrors = [
  'internal_server_error', 'generation_timeout', 'downstream_service_error', 'downstream_service_unavailable', 'content_policy_violation', 'no_media_generated',
  'image_too_small', 'image_too_large', 'image_load_error', 'file_download_error', 'face_detection_error', 'file_too_large', 'unsupported_image_format', 'unsupported_video_format', 'unsupported_audio_format',
  'video_duration_too_long', 'video_duration_too_short', 'audio_duration_too_long', 'audio_duration_too_short', 'invalid_archive', 'archive_file_count_below_minimum', 'archive_file_count_exceeds_maximum',
  'greater_than', 'greater_than_equal', 'less_than', 'less_than_equal', 'multiple_of', 'sequence_too_short', 'sequence_too_long', 'one_of', 'feature_not_supported',
] as const
type Known = (typeof requestErrors)[number] | (typeof modelErrors)[number]
const isKnown = (type: string): type is Known => [...requestErrors, ...modelErrors].includes(type as Known)

const Flaw = Type.Object({ type: Nullable(Type.String()), msg: Nullable(Type.String()), loc: Nullable(Type.Array(Type.Union([Type.String(), Type.Number()]))) })
const Fault = Type.Object({
  detail: Nullable(Type.Union([Type.String(), Type.Array(Flaw)])), error_type: Nullable(Type.String()), error: Nullable(Type.Union([Type.String(), Type.Object({ message: Nullable(Type.String()) })])), message: Nullable(Type.String()),
})
const Queued = Type.Object({ request_id: Type.String({ minLength: 1, maxLength: 200 }), status_url: Nullable(Type.String()), response_url: Nullable(Type.String()), cancel_url: Nullable(Type.String()) })
const Status = Type.Object({ status: Type.String(), error: Nullable(Type.String()), error_type: Nullable(Type.String()), queue_position: Nullable(Type.Number()), metrics: Nullable(Type.Object({ inference_time: Nullable(Type.Number()) })) })
const File = Type.Object({ url: Type.String({ minLength: 1 }) })
const Output = Type.Object({
  images: Nullable(Type.Array(File)), image: Nullable(File), video: Nullable(File), seed: Nullable(Type.Number()), has_nsfw_concepts: Nullable(Type.Array(Type.Boolean())), description: Nullable(Type.String()),
})

/** What an answer's own words say went wrong: its type, and a sentence. */
function read(body: unknown): { type: string | null; said: string } | null {
  if (!Value.Check(Fault, body)) return null
  const { detail, error_type: type = null, error, message } = body
  if (Array.isArray(detail)) {
    const [first] = detail
    const said = detail.map(({ msg, loc }) => `${loc ? `${loc.filter(part => part !== 'body').join('.')}: ` : ''}${msg ?? ''}`).join('; ')
    return { type: first?.type ?? type ?? 'value_error', said: shorten(said || 'no reason given') }
  }
  const said = detail ?? (typeof error === 'string' ? error : error?.message) ?? message
  return said || type ? { type, said: shorten(said || type!) } : null
}

/** What a failed request failed of. Every type has a line. fal does not charge for its own faults, and has tried ten times by then. */
function readFailed(type: string | null, said: string, status: number | null): Failure {
  const details = { upstreamCode: type ?? (status === null ? 'error' : String(status)) }
  const as = (code: ProblemCode, sentence: string) => failure(new Problem(code, sentence, details))
  if (type === null || !isKnown(type)) {
    if (speaksOfPolicy(said)) return as('content_rejected', `The model refused this: ${said}`)
    return status !== null && status >= 500 || status === null ? as('provider_failed', `fal could not make this: ${said}`) : as('provider_rejected', `fal did not accept this: ${said}`)
  }
  switch (type) {
    case 'content_policy_violation': return as('content_rejected', `The model refused this: ${said}`)
    case 'no_media_generated': return speaksOfPolicy(said) ? as('content_rejected', `The model refused this: ${said}`) : as('bad_output', `The model made nothing of this: ${said}`)
    case 'startup_timeout':
    case 'runner_scheduling_failure':
    case 'downstream_service_unavailable':
      return as('provider_busy', `fal had no room for this: ${said}`)
    case 'request_timeout':
    case 'generation_timeout':
      return as('provider_timeout', `The model at fal was not ready in time: ${said}`)
    case 'client_cancelled': return as('provider_failed', 'This was cancelled at fal.')
    case 'runner_connection_timeout':
    case 'runner_disconnected':
    case 'runner_connection_refused':
    case 'runner_connection_error':
    case 'runner_incomplete_response':
    case 'runner_server_error':
    case 'client_disconnected':
    case 'internal_error':
    case 'internal_server_error':
    case 'downstream_service_error':
      return speaksOfPolicy(said) ? as('content_rejected', `The model refused this: ${said}`) : as('provider_failed', `fal could not make this: ${said}`)
    case 'file_download_error': return as('input_unreachable', `fal could not fetch an input: ${said}`)
    case 'image_too_small':
    case 'image_too_large':
    case 'image_load_error':
    case 'face_detection_error':
    case 'file_too_large':
    case 'unsupported_image_format':
    case 'unsupported_video_format':
      return as('bad_input_image', `fal cannot use an input: ${said}`)
    case 'unsupported_audio_format':
    case 'video_duration_too_long':
    case 'video_duration_too_short':
    case 'audio_duration_too_long':
    case 'audio_duration_too_short':
    case 'invalid_archive':
    case 'archive_file_count_below_minimum':
    case 'archive_file_count_exceeds_maximum':
    case 'greater_than':
    case 'greater_than_equal':
    case 'less_than':
    case 'less_than_equal':
    case 'multiple_of':
    case 'sequence_too_short':
    case 'sequence_too_long':
    case 'one_of':
    case 'feature_not_supported':
    case 'bad_request':
      return as('provider_rejected', `fal did not accept this: ${said}`)
  }
}

/** What a no to a new request means; every status of the docs has a line. Nothing was queued, but where nobody knows. */
function readRefusal(status: number, body: unknown, retryAfterMs: number | null): Failure {
  const { type = null, said = 'no reason given' } = read(body) ?? {}
  const upstreamCode = type ?? String(status)
  switch (status) {
    case 401: return failure(unclaimed(title, 'FAL_API_KEY', 'does not take our key', upstreamCode, said))
    case 402: return failure(unclaimed(title, 'the balance of your account there', 'has no balance left for us', upstreamCode, said))
    case 403: return failure(/balance|locked|billing/i.test(said) ? unclaimed(title, 'the balance of your account there', 'has no balance left for us', upstreamCode, said)
      : unclaimed(title, 'the permissions of FAL_API_KEY', 'does not let our key do this', upstreamCode, said))
    case 404: return failure(unlisted(title, upstreamCode, said))
    case 408: return failure(unknown(title, upstreamCode))
    case 429: return failure(new Problem('provider_busy', 'fal takes no more requests from us for now.', { upstreamCode }), retryAfterMs)
    case 499: return failure(unknown(title, upstreamCode))
    default: return status >= 400 && status < 500 ? readFailed(type, said, status) : failure(unknown(title, upstreamCode))
  }
}

/** Where a request is looked at. The docs ask not to build these ourselves. */
export interface Entry { id: string; status: string; response: string; cancel: string }

/**
 * Reads what handing in a request brought. Our key goes to the address the operator named and to no other: links that lead elsewhere are put
 * together from the endpoint's first two parts, as fal's own client does.
 */
export function readQueued(reply: Reply, queueUrl: string, endpoint: string): Entry | Failure {
  if (reply.kind === 'unreached') return failure(unreached(title))
  if (reply.kind === 'lost') return failure(unknown(title))
  const { status, body, retryAfterMs } = reply
  if (status < 200 || status >= 300) return readRefusal(status, body, retryAfterMs)
  if (!Value.Check(Queued, body)) {
    const fault = read(body)
    // An error under 200 says that nothing was queued only where it is one of the documented refusals.
    return fault?.type && isKnown(fault.type) ? readFailed(fault.type, fault.said, status) : failure(unknown(title, String(status)))
  }
  const own = (link: string | null | undefined, tail: string) =>
    link && URL.canParse(link) && new URL(link).origin === new URL(queueUrl).origin ? link : `${queueUrl}/${endpoint.split('/').slice(0, 2).join('/')}/requests/${encodeURIComponent(body.request_id)}${tail}`
  return { id: body.request_id, status: own(body.status_url, '/status'), response: own(body.response_url, ''), cancel: own(body.cancel_url, '/cancel') }
}

export type Looked = { kind: 'pending'; retryAfterMs: number | null } | { kind: 'missing' } | { kind: 'ended'; seconds: number | null; failed: Failure | null }

/** Reads what looking at a request brought. A look that fails says nothing about the request: it counts as still pending. */
export function readStatus(reply: Reply): Looked {
  if (reply.kind !== 'answered') return { kind: 'pending', retryAfterMs: null }
  const { status, body, retryAfterMs } = reply
  if (status === 404 && read(body) !== null) return { kind: 'missing' }
  if (status < 200 || status >= 300 || !Value.Check(Status, body) || !isState(body.status)) return { kind: 'pending', retryAfterMs }
  switch (body.status) {
    case 'IN_QUEUE':
    case 'IN_PROGRESS':
      return { kind: 'pending', retryAfterMs }
    case 'COMPLETED':
      return { kind: 'ended', seconds: body.metrics?.inference_time ?? null, failed: body.error || body.error_type ? readFailed(body.error_type ?? null, shorten(body.error || body.error_type || ''), null) : null }
  }
}

export type Result = { kind: 'pending'; retryAfterMs: number | null } | { kind: 'missing' } | { kind: 'made'; links: Static<typeof Links>; hidden: number; seed: number | null; text: string | null; units: number | null } | ({ kind: 'failed' } & Failure)

/**
 * Reads the result of a request that has ended; `told` is the failure its status spoke of, which says less than the result.
 *
 * A failed request is answered with the status the model gave; a fault of the line, or of our key, has no body of fal's and means nothing.
 */
export function readResult(reply: Reply, told: Failure | null): Result {
  const silent: Result = told ? { kind: 'failed', ...told } : { kind: 'pending', retryAfterMs: null }
  if (reply.kind !== 'answered') return silent
  const { status, body, retryAfterMs, headers } = reply
  if (status >= 200 && status < 300) return readOutput(body, headers.get('x-fal-billable-units')) ?? silent
  const fault = read(body)
  if (fault === null || status === 401 || status === 403 || status === 429) return told ? silent : { kind: 'pending', retryAfterMs }
  if (status === 404) return told ? silent : { kind: 'missing' }
  if (status === 400 && /still in progress/i.test(fault.said)) return { kind: 'pending', retryAfterMs }
  // Trouble of the queue itself looks like trouble of the model, but for a type and for what the status said.
  if (status >= 500 && !told && (fault.type === null || !isKnown(fault.type))) return { kind: 'pending', retryAfterMs }
  return { kind: 'failed', ...readFailed(fault.type, fault.said, status) }
}

/** Reads an output: a list of pictures, one picture, or a film. Null where it is none of fal's. */
function readOutput(body: unknown, units: string | null): Result | null {
  if (typeof body !== 'object' || body === null) return null
  if (!Value.Check(Output, body)) return { kind: 'failed', ...failure(new Problem('bad_output', 'fal sent a result that cannot be read.', { upstreamCode: 'output' })) }
  const files = [...body.images ?? [], ...(body.image ? [body.image] : []), ...(body.video ? [body.video] : [])].map(({ url }) => url)
  // What its checker flags comes back black.
  const shown = files.filter((url, index) => body.has_nsfw_concepts?.[index] !== true && URL.canParse(url))
  if (shown.length === 0) {
    const fault = files.length === 0 ? read(body) : null
    if (fault) return { kind: 'failed', ...readFailed(fault.type, fault.said, 200) }
    return { kind: 'failed', ...failure(files.length > 0 && body.has_nsfw_concepts?.some(Boolean) ? new Problem('content_rejected', 'The checker of fal flagged what the model made of this.', { upstreamCode: 'has_nsfw_concepts' })
      : new Problem('bad_output', 'fal says that it is made, but gives no link to it.', { upstreamCode: 'COMPLETED' })) }
  }
  const seed = body.seed ?? null
  return {
    kind: 'made', links: shown.map(url => ({ url, ...(seed !== null && files.length === 1 ? { seed } : {}) })), hidden: files.length - shown.length, seed,
    text: body.description || null, units: units !== null && /^\d+(\.\d+)?$/.test(units.trim()) ? Number(units) : null,
  }
}

/** Whether a request to stop was heard: removed from the queue (200) or told to the runner (202). */
export const isCancelled = (reply: Reply): boolean => reply.kind === 'answered' && (reply.status === 200 || reply.status === 202)

const Initiated = Type.Object({ upload_url: Type.String({ minLength: 1 }), file_url: Type.String({ minLength: 1 }) })

/** Reads where an input is to be put and where it will be. Nothing has been bought by then, so every failure is a plain one. @throws {Problem} */
export function readInitiated(reply: Reply): Static<typeof Initiated> {
  const body = reply.kind === 'answered' && reply.status < 300 ? reply.body : undefined
  if (Value.Check(Initiated, body) && URL.canParse(body.upload_url) && URL.canParse(body.file_url)) return body
  throw uploadProblem(reply)
}

/** @throws {Problem} */
export function readStored(reply: Reply): void {
  if (reply.kind !== 'answered' || reply.status >= 300) throw uploadProblem(reply)
}

function uploadProblem(reply: Reply): Problem {
  if (reply.kind === 'unreached') return unreached('The storage of fal')
  if (reply.kind === 'lost') return new Problem('provider_down', 'The storage of fal broke off.')
  const { status, body, retryAfterMs } = reply
  const said = read(body)?.said ?? `HTTP ${status}`
  const details = { upstreamCode: String(status), ...(retryAfterMs === null ? {} : { retryAfterS: Math.ceil(retryAfterMs / 1000) }) }
  if (status === 401 || status === 403) return /balance|locked/i.test(said) ? unclaimed(title, 'the balance of your account there', 'has no balance left for us', String(status), said) : unclaimed(title, 'FAL_API_KEY', 'does not take our key for uploads', String(status), said)
  if (status === 429) return new Problem('provider_busy', 'The storage of fal takes no more files for now.', details)
  if (status >= 400 && status < 500) return new Problem('provider_rejected', `fal did not take an input: ${said}`, details)
  return new Problem('provider_down', `fal could not take an input: ${said}`, details)
}

/** What we come back with: every request of a job, and what became of it so far. */
export const Receipt = Type.Object({
  id: Type.String(),
  requests: Type.Array(Type.Object({
    id: Type.String(), count: Type.Number(), status: Type.String(), response: Type.String(), cancel: Type.String(),
    links: Type.Optional(Links), hidden: Type.Optional(Type.Number()), seed: Type.Optional(Type.Number()), seconds: Type.Optional(Type.Number()), units: Type.Optional(Type.Number()), text: Type.Optional(Type.String()),
    failed: Type.Optional(Failed), missingSince: MissingSince,
  })),
  /** Those that were not taken. */
  refused: Type.Array(Failed),
  warnings: Type.Array(Type.String()),
})
export type Receipt = Static<typeof Receipt>
type Request = Receipt['requests'][number]

export function readReceipt(receipt: Json): Receipt {
  if (!Value.Check(Receipt, receipt)) throw new Problem('internal', 'This receipt was not written by the provider fal.')
  return receipt
}

/** Folds what a look brought into the receipt. */
export function fold(request: Request, result: Result, seconds: number | null, nowMs: number): Request {
  switch (result.kind) {
    case 'pending': return see(request)
    case 'missing': return isLost(request, nowMs) ? { ...request, failed: { code: 'provider_failed', message: 'fal no longer knows this request.', upstreamCode: '404' } } : miss(request, nowMs)
    case 'failed': return { ...request, failed: storeFailed(result.problem) }
    case 'made': {
      const { links, hidden, seed, text, units } = result
      return { ...request, links, ...(hidden > 0 ? { hidden } : {}), ...(seed === null ? {} : { seed }), ...(text === null ? {} : { text }), ...(units === null ? {} : { units }), ...(seconds === null ? {} : { seconds }) }
    }
  }
}

const KeySet = Type.Object({ keys: Type.Array(Type.Object({ kty: Type.Optional(Type.String()), crv: Type.Optional(Type.String()), x: Type.String() })) })

/** Reads fal's public keys; null where the answer was none. */
export function readKeys(reply: Reply): KeyObject[] | null {
  if (reply.kind !== 'answered' || reply.status !== 200 || !Value.Check(KeySet, reply.body)) return null
  const keys = reply.body.keys.flatMap(({ kty = 'OKP', crv = 'Ed25519', x }) => {
    try { return [createPublicKey({ key: { kty, crv, x }, format: 'jwk' })] } catch { return [] }
  })
  return keys.length > 0 ? keys : null
}

/** A call back's headers, as far as they can be judged without a key. */
export function readSigned({ headers, body }: Pick<Callback, 'headers' | 'body'>, now: Date): { message: Buffer; signature: Buffer; id: string } | Verdict {
  const { 'x-fal-webhook-request-id': id, 'x-fal-webhook-user-id': user, 'x-fal-webhook-timestamp': timestamp, 'x-fal-webhook-signature': signature } = headers
  if (!id || user === undefined || !timestamp || !signature) return forged('It is not signed: a header X-Fal-Webhook-… is missing.')
  if (!isFresh(timestamp, now)) return forged('Its time is not near ours.')
  if (!/^[0-9a-f]{128}$/i.test(signature)) return forged('Its signature is none of Ed25519.')
  const message = [id, user, timestamp, createHash('sha256').update(body).digest('hex')].join('\n')
  return { message: Buffer.from(message), signature: Buffer.from(signature, 'hex'), id }
}

/** Judges a signature by every key there is: fal tells which one by nothing. */
export const isSigned = ({ message, signature }: { message: Buffer; signature: Buffer }, keys: KeyObject[]): boolean => keys.some(key => verify(null, message, key, signature))
