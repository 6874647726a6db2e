/**
 * What we say to Replicate and how we read what it says (its HTTP API and webhook pages as of November 2026). Pure.
 *
 * Replicate takes no key of ours, but it lists predictions, and one tells where it calls back. So the address we give carries a mark: a
 * prediction whose answer was lost is looked for by it. Not finding one proves nothing (the pages do not promise the field in lists), so it is
 * never handed in again.
 */
import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'
import type { Json } from '../../domain/outcome.ts'
import { Problem, type ProblemCode } from '../../domain/problem.ts'
import { shorten, speaksOfPolicy, unclaimed, unknown, unlisted, unreached } from '../toolkit.ts'
import type { Reply } from '../toolkit.ts'
import { isLost, miss, MissingSince, see } from '../toolkit/missing.ts'
import { Failed, failure, Links, storeFailed, type Failure } from '../toolkit/parts.ts'

const title = 'Replicate'

const Nullable = <T extends Parameters<typeof Type.Optional>[0]>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))

/** Where a prediction is asked for: official models by their name, others by a version (`owner/name:version`, or the version alone). */
export function writeCreate(model: string): { path: string; version?: string } {
  const [name = '', version] = model.split(':')
  if (version !== undefined || !name.includes('/')) return { path: 'predictions', version: version ?? name }
  return { path: `models/${name.split('/').map(encodeURIComponent).join('/')}/predictions` }
}

/** Our address with a mark of this very prediction; null where there is no address, or none that Replicate calls (it must be HTTPS). */
export function markOf(callbackUrl: string | null, key: string, index: number): string | null {
  if (callbackUrl === null || !callbackUrl.startsWith('https:')) return null
  const url = new URL(callbackUrl)
  url.searchParams.set('prediction', `${key}-${index}`)
  return url.href
}

/** States of a prediction. A word nobody documented means that it goes on. */
export const states = ['starting', 'processing', 'succeeded', 'failed', 'canceled', 'aborted'] as const
export type State = (typeof states)[number]
const isState = (state: string): state is State => (states as readonly string[]).includes(state)

const Prediction = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 200 }), status: Type.String(), output: Type.Optional(Type.Unknown()), error: Type.Optional(Type.Unknown()), logs: Nullable(Type.String()), webhook: Nullable(Type.String()),
  created_at: Nullable(Type.String()), data_removed: Nullable(Type.Boolean()), metrics: Nullable(Type.Object({ predict_time: Nullable(Type.Number()) })),
})
type Prediction = Static<typeof Prediction>
const Page = Type.Object({ next: Nullable(Type.String()), results: Type.Array(Type.Unknown()) })
const Fault = Type.Object({ title: Nullable(Type.String()), detail: Nullable(Type.Union([Type.String(), Type.Array(Type.Unknown())])), error: Nullable(Type.String()), retry_after: Nullable(Type.Number()) })

function wordsOf(body: unknown): string {
  if (!Value.Check(Fault, body)) return 'no reason given'
  const { detail, title: heading, error } = body
  return shorten((typeof detail === 'string' ? detail.trim() : detail ? JSON.stringify(detail) : null) || error || heading || 'no reason given')
}

/** How long Replicate asks to be left alone: a header, a field, or only words ("resets in ~30s"). */
function pauseOf(body: unknown, headerMs: number | null): number | null {
  if (headerMs !== null) return headerMs
  if (Value.Check(Fault, body) && typeof body.retry_after === 'number' && body.retry_after >= 0) return Math.ceil(body.retry_after * 1000)
  const [, told] = /resets in ~?(\d{1,5})\s*s/.exec(wordsOf(body)) ?? []
  return told === undefined ? null : Number(told) * 1000
}

/** What a no to a new prediction means; every status of the pages has a line. Nothing was begun, but where nobody knows. */
function readRefusal(status: number, body: unknown, retryAfterMs: number | null): Failure {
  const said = wordsOf(body)
  const upstreamCode = String(status)
  const no = (code: ProblemCode, sentence: string) => failure(new Problem(code, sentence, { upstreamCode }))
  switch (status) {
    case 400:
    case 413:
    case 422:
      return speaksOfPolicy(said) ? no('content_rejected', `Replicate refused this: ${said}`) : no('provider_rejected', `Replicate did not accept this: ${said}`)
    case 401: return failure(unclaimed(title, 'REPLICATE_API_KEY', 'does not take our key', upstreamCode, said))
    case 402: return failure(unclaimed(title, 'the credit of your account there', 'has no credit left for us', upstreamCode, said))
    case 403: return failure(unclaimed(title, 'the permissions of REPLICATE_API_KEY', 'does not let our key do this', upstreamCode, said))
    case 404: return failure(unlisted(title, upstreamCode, said))
    case 429: return failure(new Problem('provider_busy', 'Replicate takes no more predictions from us for now.', { upstreamCode }), pauseOf(body, retryAfterMs))
    case 408:
    case 499:
      return failure(unknown(title, upstreamCode))
    default: return status >= 400 && status < 500 ? no('provider_rejected', `Replicate refused this with HTTP ${status}: ${said}`) : failure(unknown(title, upstreamCode))
  }
}

/** Reads what asking for a prediction brought: its id and where it stands, or why not. */
export function readCreated(reply: Reply): { id: string; looked: Looked } | Failure {
  if (reply.kind === 'unreached') return failure(unreached(title))
  if (reply.kind === 'lost') return failure(unknown(title))
  const { status, body, retryAfterMs } = reply
  if (status < 200 || status >= 300) return readRefusal(status, body, retryAfterMs)
  return Value.Check(Prediction, body) ? { id: body.id, looked: readPrediction(body) } : failure(unknown(title, String(status)))
}

export type Looked =
  | { kind: 'pending'; progress: number | null; retryAfterMs: number | null }
  | { kind: 'missing' }
  | { kind: 'made'; links: Static<typeof Links>; seconds: number | null }
  | ({ kind: 'failed'; seconds: number | null } & Failure)

const pending = (progress: number | null = null, retryAfterMs: number | null = null): Looked => ({ kind: 'pending', progress, retryAfterMs })

/** Reads what looking at a prediction brought. A look that fails says nothing about it: it counts as still pending. */
export function readLook(reply: Reply): Looked {
  if (reply.kind !== 'answered') return pending()
  const { status, body, retryAfterMs } = reply
  if (status >= 200 && status < 300 && Value.Check(Prediction, body)) return readPrediction(body)
  return status === 404 && Value.Check(Fault, body) ? { kind: 'missing' } : pending(null, pauseOf(body, retryAfterMs))
}

/** Reads a prediction. Every state has a line. */
export function readPrediction(prediction: Prediction): Looked {
  const { status, logs = null, error, output = null, data_removed: removed, metrics } = prediction
  const seconds = metrics?.predict_time ?? null
  if (!isState(status)) return pending()
  switch (status) {
    case 'starting':
    case 'processing':
      return pending(progressOf(logs ?? ''))
    case 'succeeded': {
      const urls = linksIn(output)
      if (urls.length > 0) return { kind: 'made', seconds, links: urls.map(url => ({ url, ...seedOf(logs ?? '', urls.length) })) }
      return { kind: 'failed', seconds, ...failure(removed ? new Problem('output_expired', 'Replicate has removed the result: it keeps them for an hour.', { upstreamCode: 'data_removed' })
        : new Problem('bad_output', 'Replicate says that it is made, but gives no link to it.', { upstreamCode: status })) }
    }
    case 'failed': return { kind: 'failed', seconds, ...readFailed(error) }
    case 'canceled': return { kind: 'failed', seconds, ...failure(new Problem('provider_failed', 'This was cancelled at Replicate.', { upstreamCode: status })) }
    case 'aborted': return { kind: 'failed', seconds, ...failure(new Problem('provider_timeout', 'Replicate did not begin this in time.', { upstreamCode: status })) }
  }
}

/** Why a prediction failed. It may have been paid for, so it is never handed in again. */
function readFailed(error: unknown): Failure {
  const said = shorten(typeof error === 'string' && error.trim() !== '' ? error.trim() : error ? JSON.stringify(error) : 'no reason given')
  // Codes stand at the end, in brackets: "… flagged as sensitive. (E005)".
  const upstreamCode = /\b(E\d{3,5})\b/.exec(said)?.[1] ?? 'failed'
  if (upstreamCode === 'E005' || speaksOfPolicy(said)) return failure(new Problem('content_rejected', `The model refused this: ${said}`, { upstreamCode }))
  return failure(new Problem('provider_failed', `The model at Replicate could not make this: ${said}`, { upstreamCode }))
}

/** Outputs are a link, a list of links, or an object with links in it, as each model likes. */
function linksIn(output: unknown): string[] {
  if (typeof output === 'string') return /^https?:\/\//.test(output) && URL.canParse(output) ? [output] : []
  if (Array.isArray(output)) return output.flatMap(linksIn)
  return typeof output === 'object' && output !== null ? Object.values(output).flatMap(linksIn) : []
}

/** The last percentage of a progress bar in the logs, as Replicate's own client reads it. */
function progressOf(logs: string): number | null {
  const line = logs.split('\n').reverse().find(one => /^\s*\d+%\s*\|.+?\|\s*\d+\/\d+/.test(one))
  const percent = line === undefined ? Number.NaN : Number.parseInt(line, 10)
  return percent >= 0 && percent <= 100 ? percent : null
}

/** Many models write the seed they took into their logs; several pictures of one prediction have no seed each. */
function seedOf(logs: string, count: number): { seed?: number } {
  const [, seed] = count === 1 ? /\busing seed:?\s*(\d{1,15})\b/i.exec(logs) ?? [] : []
  return seed === undefined ? {} : { seed: Number(seed) }
}

/** Whether a request to stop was heard: the prediction it answers with has stopped, or has not ended otherwise. */
export const isCancelled = (reply: Reply): boolean =>
  reply.kind === 'answered' && reply.status >= 200 && reply.status < 300 && (!Value.Check(Prediction, reply.body) || !['succeeded', 'failed'].includes(reply.body.status))

/** Reads one page of the list: predictions by the marks sought, and where the next page is. Null where it could not be had. */
export function readPage(reply: Reply, marks: string[], from: number): { found: Record<string, string>; next: string | null } | null {
  if (reply.kind !== 'answered' || reply.status !== 200 || !Value.Check(Page, reply.body)) return null
  const predictions = reply.body.results.filter(one => Value.Check(Prediction, one))
  const found = Object.fromEntries(predictions.flatMap(({ id, webhook }) => webhook && marks.includes(webhook) ? [[webhook, id]] : []))
  // The newest come first; what was begun before we may have asked is not ours.
  const beyond = predictions.some(({ created_at: at }) => at && Date.parse(at) < from)
  const cursor = reply.body.next && URL.canParse(reply.body.next) ? new URL(reply.body.next).search : null
  return { found, next: beyond ? null : cursor }
}

/** How far back the list is read where we know when we asked (clocks differ), and where we do not: results are gone after an hour anyway. */
export const lookBackMs = { asked: 600_000, unknown: 3_600_000 }

const Uploaded = Type.Object({ urls: Type.Object({ get: Type.String({ minLength: 1 }) }) })

/** Reads what an upload brought: a link. Nothing has been bought by then, so every failure is a plain one. @throws {Problem} */
export function readUpload(reply: Reply): string {
  if (reply.kind === 'unreached') throw unreached('The file storage of Replicate')
  if (reply.kind === 'lost') throw new Problem('provider_down', 'The file storage of Replicate broke off.')
  const { status, body, retryAfterMs } = reply
  if (status >= 200 && status < 300 && Value.Check(Uploaded, body) && URL.canParse(body.urls.get)) return body.urls.get
  if (status >= 400 && status < 500) {
    const { problem, retryAfterMs: pauseMs } = readRefusal(status, body, retryAfterMs)
    throw pauseMs === null ? problem : new Problem(problem.code, 'The file storage of Replicate takes no more files for now.', { ...problem.details, retryAfterS: Math.ceil(pauseMs / 1000) })
  }
  throw new Problem('provider_down', `Replicate could not take an input: ${wordsOf(body)}`, { upstreamCode: String(status) })
}

const Secret = Type.Object({ key: Type.String({ minLength: 1 }) })
/** Reads the secret of the account's call backs; null where it could not be had. */
export const readSecret = (reply: Reply): string | null => reply.kind === 'answered' && reply.status === 200 && Value.Check(Secret, reply.body) ? reply.body.key : null

/** What we come back with: every prediction of a job, and what became of it so far. */
export const Receipt = Type.Object({
  /** Absent until the first one is known. */
  id: Type.Optional(Type.String()),
  /** When they were asked for, in milliseconds. */
  since: Type.Number(),
  predictions: Type.Array(Type.Object({
    /** Absent while it is looked for by its mark. */
    id: Type.Optional(Type.String()), mark: Type.Optional(Type.String()),
    links: Type.Optional(Links), seconds: Type.Optional(Type.Number()), failed: Type.Optional(Failed), missingSince: MissingSince,
  })),
  /** While something is looked for: the page of the list that comes next, and the time before which nothing is ours. */
  page: Type.Optional(Type.String()),
  from: Type.Optional(Type.Number()),
  /** Those that were not taken. */
  refused: Type.Array(Failed),
  warnings: Type.Array(Type.String()),
})
export type Receipt = Static<typeof Receipt>
export type Sought = Receipt['predictions'][number]

export function readReceipt(receipt: Json): Receipt {
  if (!Value.Check(Receipt, receipt)) throw new Problem('internal', 'This receipt was not written by the provider replicate.')
  return receipt
}

/** Folds what a look brought into the receipt. */
export function fold(prediction: Sought, looked: Looked, nowMs: number): Sought {
  switch (looked.kind) {
    case 'pending': return see(prediction)
    case 'missing': return isLost(prediction, nowMs) ? { ...prediction, failed: { code: 'provider_failed', message: 'Replicate no longer knows this prediction.', upstreamCode: '404' } } : miss(prediction, nowMs)
    case 'made': return { ...prediction, links: looked.links, ...(looked.seconds === null ? {} : { seconds: looked.seconds }) }
    case 'failed': return { ...prediction, failed: storeFailed(looked.problem), ...(looked.seconds === null ? {} : { seconds: looked.seconds }) }
  }
}
