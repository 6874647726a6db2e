/**
 * What we say to Kie.ai and how we read what it says (docs and recorded traffic up to October 2026). Pure.
 *
 * Nearly everything comes with HTTP 200; the outcome is the body's `code`. Kie gives no way to look a job up by a name of ours, so
 * whatever leaves it open whether a task was begun is `outcome_unknown`, and is never handed in again.
 */
import { createHmac } from 'node:crypto'
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import type { Json } from '../../domain/outcome.ts'
import { Problem, type ProblemCode } from '../../domain/problem.ts'
import type { Took } from '../../domain/usage.ts'
import type { Callback, Verdict } from '../contract.ts'
import { forged, isFresh, isSame, shorten, speaksOfPolicy, unclaimed, unknown, unlisted, unreached } from '../toolkit.ts'
import type { Reply } from '../toolkit.ts'
import { isLost, miss, MissingSince, see } from '../toolkit/missing.ts'
import { Failed, failure, storeFailed, type Failure } from '../toolkit/parts.ts'
import type { Written } from './input.ts'

const title = 'Kie.ai'

export const writeTask = ({ model, input }: Written, callbackUrl: string | null): Json => ({ model, ...(callbackUrl ? { callBackUrl: callbackUrl } : {}), input })

/** Every code the code table of Kie's docs has, and those that were seen. */
export const codes = [200, 400, 401, 402, 404, 405, 408, 422, 429, 430, 433, 451, 455, 500, 501, 505, 531, 550] as const
export type Code = (typeof codes)[number]
const isCode = (code: number): code is Code => (codes as readonly number[]).includes(code)

const Envelope = Type.Object({ code: Type.Number(), msg: Type.Optional(Type.Union([Type.String(), Type.Null()])), message: Type.Optional(Type.String()), data: Type.Optional(Type.Unknown()) })
type Envelope = Static<typeof Envelope>

const Created = Type.Object({ taskId: Type.String({ minLength: 1, maxLength: 200 }) })

/** States as documented. A word nobody documented means that it goes on (docs: "unknown string → still running"). */
export const states = ['waiting', 'queuing', 'generating', 'success', 'fail'] as const
export type State = (typeof states)[number]
const isState = (state: string): state is State => (states as readonly string[]).includes(state)

const Nullable = <T extends Parameters<typeof Type.Optional>[0]>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))
const Results = Type.Object({ resultUrls: Type.Array(Type.String({ minLength: 1 })) })
const Info = Type.Object({
  taskId: Type.String(), state: Type.String(), resultJson: Nullable(Type.Unknown()), response: Nullable(Type.Unknown()),
  failCode: Nullable(Type.Union([Type.String(), Type.Number()])), failMsg: Nullable(Type.String()),
  progress: Nullable(Type.Number()), creditsConsumed: Nullable(Type.Number()),
})
type Info = Static<typeof Info>

const wordsOf = ({ msg, message }: Envelope): string => shorten(msg || message || 'no reason given')

/**
 * What a no to a new task means. Every code has a line.
 *
 * 500 is Kie's word for bad input as well as for trouble of its own; only what names a field is surely nothing begun.
 */
export function readRefusal(code: number, said: string, retryAfterMs: number | null): Failure {
  const upstreamCode = String(code)
  const no = (problem: ProblemCode, sentence: string) => failure(new Problem(problem, sentence, { upstreamCode }), problem === 'provider_busy' ? retryAfterMs : null)
  if (/credits? insufficient|credits are insufficient/i.test(said)) return failure(unclaimed(title, 'the credits of your account there', 'has no credits left for us', upstreamCode))
  if (!isCode(code)) return failure(unknown(title, upstreamCode))
  switch (code) {
    case 200: return failure(unknown(title, upstreamCode))
    case 400: return speaksOfPolicy(said) ? no('content_rejected', `Kie.ai refused this: ${said}`) : no('provider_rejected', `Kie.ai did not accept this: ${said}`)
    case 401: return failure(unclaimed(title, 'KIE_API_KEY', 'does not take our key', upstreamCode))
    case 402: return failure(unclaimed(title, 'the credits of your account there', 'has no credits left for us', upstreamCode))
    case 404: return failure(unlisted(title, upstreamCode, said))
    case 405: return no('provider_rejected', `Kie.ai does not take this kind of call: ${said}`)
    case 408: return failure(unknown(title, upstreamCode))
    case 422:
      if (/model name .*not supported/i.test(said)) return failure(unlisted(title, upstreamCode, said))
      return speaksOfPolicy(said) ? no('content_rejected', `Kie.ai refused this: ${said}`) : no('provider_rejected', `Kie.ai did not accept this: ${said}`)
    case 429: return no('provider_busy', 'Kie.ai takes no more calls from us for now.')
    case 430: return no('provider_busy', 'Kie.ai was asked too often.')
    case 433: return failure(unclaimed(title, 'the cap of KIE_API_KEY', 'says that this key has spent its cap', upstreamCode))
    case 451: return no('input_unreachable', `Kie.ai could not fetch an input: ${said}`)
    case 455: return no('provider_busy', `Kie.ai is being looked after: ${said}`)
    case 500: return readFault(said, upstreamCode)
    case 501: return no('provider_failed', `Kie.ai could not make this: ${said}`)
    case 505: return failure(unlisted(title, upstreamCode, said))
    case 531: return no('provider_failed', `Kie.ai could not make this and gave the credits back: ${said}`)
    case 550: return no('provider_busy', 'The queue of Kie.ai is full.')
  }
}

/** Messages of 500 that were seen when a field was wrong (section 1.6): they are said before anything is begun. */
const fieldFault = /is required|not within the range|please (fill|enter)|must be|invalid|not support|too long|exceed/i

function readFault(said: string, upstreamCode: string): Failure {
  if (speaksOfPolicy(said)) return failure(new Problem('content_rejected', `Kie.ai refused this: ${said}`, { upstreamCode }))
  // "This interface is temporarily paused.": said of models it has taken off.
  if (/temporarily paused/i.test(said)) return failure(unlisted(title, upstreamCode, said))
  if (fieldFault.test(said)) return failure(new Problem('provider_rejected', `Kie.ai did not accept this: ${said}`, { upstreamCode }))
  return failure(unknown(title, upstreamCode))
}

/** What an HTTP status says on its own, where no envelope of Kie's came with it. */
function readStatus(status: number, retryAfterMs: number | null): Failure {
  if (status === 429) return readRefusal(429, '', retryAfterMs)
  if (status === 401 || status === 403) return readRefusal(401, '', null)
  if (status >= 400 && status < 500 && status !== 408 && status !== 499) return failure(new Problem('provider_rejected', `Kie.ai refused this with HTTP ${status} and no reason. Is KIE_BASE_URL right?`, { upstreamCode: String(status) }))
  return failure(unknown(title, String(status)))
}

/** Reads what handing in a task brought: Kie's id of it, or why not. */
export function readCreated(reply: Reply): { id: string } | Failure {
  if (reply.kind === 'unreached') return failure(unreached(title))
  if (reply.kind === 'lost') return failure(unknown(title))
  const { status, body, retryAfterMs } = reply
  if (!Value.Check(Envelope, body)) return readStatus(status, retryAfterMs)
  if (body.code === 200 && Value.Check(Created, body.data)) return { id: body.data.taskId }
  return readRefusal(body.code, wordsOf(body), retryAfterMs)
}

export type Looked =
  | { kind: 'pending'; progress: number | null; retryAfterMs: number | null }
  /** Kie does not know it. Right after it was handed in that may pass. */
  | { kind: 'missing' }
  | { kind: 'made'; urls: string[]; credits: number | null }
  | ({ kind: 'failed'; credits: number | null } & Failure)

const pending = (progress: number | null = null, retryAfterMs: number | null = null): Looked => ({ kind: 'pending', progress, retryAfterMs })

/** Reads what looking at a task brought. A look that fails says nothing about the task: it counts as still pending. */
export function readLook(reply: Reply): Looked {
  if (reply.kind !== 'answered') return pending()
  const { body, retryAfterMs } = reply
  // The docs once print code 505 beside a state of success: the state is what counts.
  if (!Value.Check(Envelope, body)) return pending(null, retryAfterMs)
  if (Value.Check(Info, body.data)) return readInfo(body.data)
  const said = wordsOf(body)
  return (body.code === 422 || body.code === 404) && /null|not (found|exist)/i.test(said) ? { kind: 'missing' } : pending(null, retryAfterMs)
}

/** Reads a task's record. Every state has a line. */
export function readInfo(info: Info): Looked {
  if (!isState(info.state)) return pending(info.progress ?? null)
  switch (info.state) {
    case 'waiting':
    case 'queuing':
    case 'generating':
      return pending(info.progress ?? null)
    case 'success': {
      const urls = readResults(info.resultJson) ?? readResults(info.response) ?? []
      return urls.length > 0 ? { kind: 'made', urls, credits: info.creditsConsumed ?? null }
        : { kind: 'failed', credits: info.creditsConsumed ?? null, ...failure(new Problem('bad_output', 'Kie.ai says that it is made, but gives no link to it.', { upstreamCode: 'success' })) }
    }
    case 'fail':
      // Failed tasks are not charged, and most records of one say so.
      return { kind: 'failed', credits: info.creditsConsumed ?? 0, ...readFailed(String(info.failCode ?? ''), shorten(info.failMsg || 'no reason given')) }
  }
}

/** `resultJson` is a JSON string, an object, empty, null or not there. */
function readResults(result: unknown): string[] | null {
  const parsed = typeof result === 'string' ? parse(result) : result
  return Value.Check(Results, parsed) ? parsed.resultUrls.filter(url => URL.canParse(url)) : null
}

const parse = (text: string): unknown => { try { return JSON.parse(text) } catch { return undefined } }

/**
 * Why a task failed. Failed tasks are not charged, so those that failed for want of room may be handed in again.
 *
 * The codes are those of the envelope, as text, and words nobody lists (`GENERATION_FAILED`).
 */
export function readFailed(failCode: string, said: string): Failure {
  const details = { upstreamCode: failCode || 'fail' }
  if (speaksOfPolicy(said)) return failure(new Problem('content_rejected', `The model refused this: ${said}`, details))
  const code = Number(failCode)
  if (failCode === '' || !isCode(code)) return failure(new Problem('provider_failed', `Kie.ai could not make this: ${said}`, details))
  switch (code) {
    case 429:
    case 430:
    case 455:
    case 550:
      return failure(new Problem('provider_busy', `Kie.ai had no room for this: ${said}`, details))
    case 402:
    case 433:
      return failure(unclaimed(title, 'the credits of your account there', 'has no credits left for us', failCode))
    case 401:
      return failure(unclaimed(title, 'KIE_API_KEY', 'does not take our key', failCode))
    case 451: return failure(new Problem('input_unreachable', `Kie.ai could not fetch an input: ${said}`, details))
    case 408: return failure(new Problem('provider_timeout', `The model behind Kie.ai did not answer in time: ${said}`, details))
    case 400:
    case 404:
    case 405:
    case 422:
    case 505:
      return failure(new Problem('provider_rejected', `Kie.ai did not accept this: ${said}`, details))
    case 200:
    case 500:
    case 501:
    case 531:
      return failure(new Problem('provider_failed', `Kie.ai could not make this: ${said}`, details))
  }
}

/** Reads what asking for a direct link to a result brought; null where there is none to be had (`url is wrong`), and then the first one stands. */
export const readDirect = (reply: Reply): string | null =>
  reply.kind === 'answered' && Value.Check(Envelope, reply.body) && reply.body.code === 200 && typeof reply.body.data === 'string' && /^https?:/.test(reply.body.data) && URL.canParse(reply.body.data) ? reply.body.data : null

const Uploaded = Type.Object({ downloadUrl: Type.Optional(Type.String()), fileUrl: Type.Optional(Type.String()), url: Type.Optional(Type.String()) })

/** Reads what an upload brought: a link. Nothing has been bought by then, so every failure is a plain one. @throws {Problem} */
export function readUpload(reply: Reply): string {
  if (reply.kind === 'unreached') throw unreached(`The upload host of ${title}`)
  if (reply.kind === 'lost') throw new Problem('provider_down', `The upload host of ${title} broke off.`)
  const { status, body, retryAfterMs } = reply
  if (Value.Check(Envelope, body) && body.code === 200 && Value.Check(Uploaded, body.data)) {
    const url = body.data.downloadUrl ?? body.data.fileUrl ?? body.data.url
    if (url !== undefined && URL.canParse(url)) return url
  }
  const code = Value.Check(Envelope, body) && body.code !== 200 ? body.code : status
  const said = Value.Check(Envelope, body) ? wordsOf(body) : `HTTP ${status}`
  const details = { upstreamCode: String(code), ...(retryAfterMs === null ? {} : { retryAfterS: Math.ceil(retryAfterMs / 1000) }) }
  if (code === 401 || code === 403) throw unclaimed(title, 'KIE_API_KEY', 'does not take our key for uploads', String(code))
  if (code === 429) throw new Problem('provider_busy', 'The upload host of Kie.ai takes no more files for now.', details)
  if (code >= 400 && code < 500) throw new Problem('provider_rejected', `Kie.ai did not take an input: ${said}`, details)
  throw new Problem('provider_down', `Kie.ai could not take an input: ${said}`, details)
}

/** What we come back with: every task of a job, and what became of it so far. */
export const Receipt = Type.Object({
  id: Type.String(),
  tasks: Type.Array(Type.Object({
    id: Type.String(), urls: Type.Optional(Type.Array(Type.String())), credits: Type.Optional(Type.Number()),
    failed: Type.Optional(Failed), missingSince: MissingSince,
  })),
  /** Those that were not taken, and what there is to say. */
  refused: Type.Array(Failed),
  warnings: Type.Array(Type.String()),
})
export type Receipt = Static<typeof Receipt>

export function readReceipt(receipt: Json): Receipt {
  if (!Value.Check(Receipt, receipt)) throw new Problem('internal', 'This receipt was not written by the provider kie.')
  return receipt
}

/** Folds what one look brought into the receipt. */
export function fold(task: Receipt['tasks'][number], looked: Looked, nowMs: number): Receipt['tasks'][number] {
  switch (looked.kind) {
    case 'pending': return see(task)
    case 'missing': return isLost(task, nowMs) ? { ...task, failed: { code: 'provider_failed', message: 'Kie.ai no longer knows this task.', upstreamCode: '422' } } : miss(task, nowMs)
    case 'made': return { ...task, urls: looked.urls, ...(looked.credits === null ? {} : { credits: looked.credits }) }
    case 'failed': return { ...task, ...(looked.credits === null ? {} : { credits: looked.credits }), failed: storeFailed(looked.problem) }
  }
}

const Told = Type.Object({ task_id: Nullable(Type.String()), taskId: Nullable(Type.String()), data: Nullable(Type.Object({ task_id: Nullable(Type.String()), taskId: Nullable(Type.String()) })) })

/** Judges a call back by Kie's signature, which covers the task's id and the time, and nothing else of the body. */
export function verifyCallback({ headers, body }: Pick<Callback, 'headers' | 'body'>, key: string, now: Date): Verdict {
  const { 'x-webhook-timestamp': timestamp, 'x-webhook-signature': signature } = headers
  if (!timestamp || !signature) return forged('It is not signed: X-Webhook-Timestamp or X-Webhook-Signature is missing.')
  const told = parse(body.toString())
  // The docs' verifier reads `data.task_id`; bodies that were seen carry one of the others.
  const taskId = Value.Check(Told, told) ? told.data?.task_id ?? told.data?.taskId ?? told.taskId ?? told.task_id : undefined
  if (!taskId) return forged('It names no task.')
  if (!isSame(signature, createHmac('sha256', key).update(`${taskId}.${timestamp}`).digest('base64'))) return forged('Its signature is not made with our key.')
  return isFresh(timestamp, now) ? { kind: 'genuine', id: `${taskId}.${timestamp}` } : forged('Its time is not near ours.')
}

/** What Kie takes for one credit, in micro-dollars. */
export const creditMicros = 5_000

/** What a job took: the credits of its tasks. Told only where Kie told it of every one. */
export const readTook = (tasks: Receipt['tasks']): Took =>
  tasks.some(({ credits }) => credits === undefined) ? {} : { costMicros: Math.round(tasks.reduce((sum, { credits = 0 }) => sum + credits, 0) * creditMicros) }

/** What is left, in Kie's credits. It says no under HTTP 200 as well. @throws {Problem} */
export function readCredit(body: unknown): string | null {
  if (!Value.Check(Envelope, body)) return null
  if (body.code !== 200) throw readRefusal(body.code, wordsOf(body), null).problem
  return typeof body.data === 'number' ? `${body.data} credits left` : null
}
