/**
 * What we say to Wisdom Gate (WisGate) and how we read what it says. Pure; pictures are in the words of `toolkit/gemini.ts` and
 * `toolkit/openai.ts`, films are its own.
 *
 * It hands calls on and documents no key they could be repeated under, so only what names a limit or an overload is asked again:
 * trouble behind a gateway may have been bought. Its error page is known to the row for 403; three shapes of error are read.
 */
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import { failed, wait } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem, type ProblemCode } from '../../domain/problem.ts'
import type { JobOutcome } from '../contract.ts'
import { nothing, only, shorten, speaksOfPolicy, unclaimed, unknown, unlisted, unreached, when, words, writeParameters } from '../toolkit.ts'
import type { Asked, Handling, Reply } from '../toolkit.ts'
import { Answer, readContent, writeGeneration, type SentPicture } from '../toolkit/gemini.ts'
import { MissingSince } from '../toolkit/missing.ts'
import { Images, readMade, type Said } from '../toolkit/openai.ts'

export const title = 'Wisdom Gate'
const key = 'WISDOM_GATE_API_KEY'

/** Its three surfaces. Gemini's models are asked in Gemini's own words: only those know ratios, sizes and a search. */
export const surfaceOf = ({ model, operation }: Pick<Asked, 'model' | 'operation'>): 'gemini' | 'images' | 'video' =>
  operation === 'video' ? 'video' : /^(gemini-|nano-banana)/.test(model) ? 'gemini' : 'images'

const ratios = words('1:1', '2:3', '3:2', '3:4', '4:3', '4:5', '5:4', '9:16', '16:9', '21:9')
const longRatios = { ...ratios, ...words('1:4', '4:1', '1:8', '8:1') }
const ratio = (allowed: Record<string, Json>): Handling => value => value === 'auto' ? {} : String(value) in allowed ? { send: { aspectRatio: value } } : { refused: ['auto', ...Object.keys(allowed)] }
/** 1K is what comes by itself, and what older models are not told. 512 is spelled 0.5K here. */
const size = (allowed: Record<string, Json>): Handling => value => value === '1K' ? {} : String(value) in allowed ? { send: { imageSize: allowed[String(value)]! } } : { refused: ['1K', ...Object.keys(allowed)] }

const common: Record<string, Handling> = {
  aspect_ratio: ratio(ratios),
  resolution: size(words('2K', '4K')),
  // Nothing it documents names a file type.
  output_format: only('png'),
  seed: value => ({ send: { seed: value }, warning: 'seed was passed on; whether Wisdom Gate hands it on cannot be seen.' }),
  google_search: when(false, nothing, () => ({ send: { search: true } })),
}

/** What each model takes by Wisdom Gate's own table. */
const models: [name: RegExp, handlings: Record<string, Handling>][] = [
  [/^gemini-2\.5-flash-image/, { ...common, resolution: size(words('2K')), google_search: only(false) }],
  [/^gemini-3\.1-flash-image/, { ...common, aspect_ratio: ratio(longRatios), resolution: size({ 512: '0.5K', ...words('2K', '4K') }) }],
  [/^gemini-3-pro-image/, common],
]
export const handlingsOf = (model: string): Record<string, Handling> => models.find(([name]) => name.test(model))?.[1] ?? common

/** One call for each picture, in Gemini's words as this gateway spells them. @throws {Problem} `unsupported_parameter`, `too_large` */
export function writePictures(job: Asked, pictures: SentPicture[]): { path: string; bodies: Json[]; warnings: string[] } {
  const { path, bodies, warnings } = writeGeneration(job, pictures, handlingsOf(job.model))
  const spelled = bodies.map((body): Json => typeof body === 'object' && body !== null && 'tools' in body ? { ...body, tools: [{ google_search: {} }] } : body)
  return { path: `v1beta/${path}`, bodies: spelled, warnings }
}

const Told = Type.Object({
  message: Type.Optional(Type.Union([Type.String(), Type.Null()])), type: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  code: Type.Optional(Type.Union([Type.String(), Type.Number(), Type.Null()])), status: Type.Optional(Type.String()),
})
/** OpenAI's shape, Google's and Anthropic's all have `error`; some gateways of this kind write a sentence there. */
const Refusal = Type.Object({ error: Type.Union([Type.String(), Told]) })

/** `code` is its own word for it, and `name` Google's, where it has one. */
interface Reason { message: string; code: string; name: string }
const told = (body: unknown): Reason | null => {
  if (!Value.Check(Refusal, body)) return null
  if (typeof body.error === 'string') return { message: body.error, code: '', name: '' }
  const { message, code, status, type } = body.error
  return { message: message || 'no reason given', code: String(code ?? status ?? type ?? ''), name: status ?? '' }
}

const speaksOfCredit = ({ message, code }: Reason): boolean => /insufficient|quota|balance|billing|arrears|credits?\b/i.test(`${code} ${message}`)

/** Whether it says that our account there is spent; the operator is then told how it stands. */
export function saysSpent(reply: Reply): boolean {
  const said = reply.kind === 'answered' ? told(reply.body) : null
  return reply.kind === 'answered' && (reply.status === 402 || said !== null && (reply.status === 403 || reply.status === 429 || said.name === 'FAILED_PRECONDITION') && speaksOfCredit(said))
}

/** Statuses of Google's words and of HTTP that are read alike. */
const numberOf: Record<string, number> = { INVALID_ARGUMENT: 400, FAILED_PRECONDITION: 400, UNAUTHENTICATED: 401, PERMISSION_DENIED: 403, NOT_FOUND: 404, RESOURCE_EXHAUSTED: 429, INTERNAL: 500, UNAVAILABLE: 503, DEADLINE_EXCEEDED: 504 }

/**
 * Reads a no. Every status has a line.
 *
 * Under HTTP 200 the error's own code counts; one without any has ended the call and is not asked again.
 */
export function readNo({ status: http, body, retryAfterMs }: Extract<Reply, { kind: 'answered' }>): JobOutcome {
  const given = told(body)
  if (given === null) return readSilentNo(http, retryAfterMs)
  const { message, code, name } = given
  const said = shorten(message)
  const status = http >= 300 ? http : /^[45]\d\d$/.test(code) ? Number(code) : numberOf[name] ?? null
  const upstreamCode = code || String(http)
  const no = (problem: ProblemCode, sentence: string) => failed(new Problem(problem, sentence, { upstreamCode }), problem === 'provider_busy' ? retryAfterMs : null)
  const spent = () => failed(unclaimed(title, 'the balance of your account there', 'has no credit left for us', upstreamCode, said))
  switch (status) {
    case 400:
    case 422:
      // Google's word for what an account has to mend: its region, its billing.
      if (name === 'FAILED_PRECONDITION') return spent()
      return speaksOfPolicy(`${code} ${message}`) ? no('content_rejected', `Wisdom Gate refused this: ${said}`) : no('provider_rejected', `Wisdom Gate did not accept this: ${said}`)
    case 401: return failed(unclaimed(title, key, 'does not take our key', upstreamCode, said))
    case 402: return spent()
    case 403:
      if (speaksOfCredit(given)) return spent()
      if (speaksOfPolicy(`${code} ${message}`)) return no('content_rejected', `Wisdom Gate refused this: ${said}`)
      // A model may refuse one of its parameters with the same status as a key that is switched off.
      return /parameter|not supported|unsupported/i.test(message) ? no('provider_rejected', `Wisdom Gate did not accept this: ${said}`) : failed(unclaimed(title, key, 'does not take our key for this', upstreamCode, said))
    case 404: return failed(unlisted(title, upstreamCode, said))
    case 413: return no('provider_rejected', `Wisdom Gate finds this too large: ${said}`)
    case 429: return speaksOfCredit(given) ? spent() : no('provider_busy', `Wisdom Gate has no room for us: ${said}`)
    case 503: return no('provider_busy', `Wisdom Gate is overloaded: ${said}`)
    case 408:
    case 409:
    case 499:
    case 500:
    case 502:
    case 504: return failed(unknown(title, upstreamCode))
    case null: return speaksOfPolicy(`${code} ${message}`) ? no('content_rejected', `Wisdom Gate refused this: ${said}`) : no('provider_failed', `Wisdom Gate could not make this: ${said}`)
    default: return status < 500 ? no('provider_rejected', `Wisdom Gate did not accept this: ${said}`) : failed(unknown(title, upstreamCode))
  }
}

/** A status without words of its own. */
function readSilentNo(status: number, retryAfterMs: number | null): JobOutcome {
  const upstreamCode = String(status)
  if (status === 429) return failed(new Problem('provider_busy', 'Wisdom Gate takes no more calls from us for now.', { upstreamCode }), retryAfterMs)
  if (status === 401 || status === 403) return failed(unclaimed(title, key, 'does not take our key', upstreamCode))
  if (status === 402) return failed(unclaimed(title, 'the balance of your account there', 'has no credit left for us', upstreamCode))
  if (status >= 400 && status < 500 && status !== 408 && status !== 409 && status !== 499) return failed(new Problem('provider_rejected', `Wisdom Gate refused this with HTTP ${status} and no reason. Is WISDOM_GATE_BASE_URL right?`, { upstreamCode }))
  return failed(unknown(title, upstreamCode))
}

const silent = (reply: Exclude<Reply, { kind: 'answered' }>): JobOutcome => failed(reply.kind === 'unreached' ? unreached(title) : unknown(title))
const isRefusal = (body: unknown): boolean => Value.Check(Refusal, body)

/** Reads what a call for one picture in Gemini's words brought. */
export function readPicture(reply: Reply, seed: number | undefined): JobOutcome {
  if (reply.kind !== 'answered') return silent(reply)
  const { status, body, bytesOf } = reply
  if (status >= 300 || isRefusal(body)) return readNo(reply)
  return Value.Check(Answer, body) ? readContent(body, bytesOf, { seed }) : failed(unknown(title, String(status)))
}

/** Reads what a call for pictures in OpenAI's words brought. */
export function readPictures(reply: Reply, said: Omit<Said, 'requestId'>): JobOutcome {
  if (reply.kind !== 'answered') return silent(reply)
  const { status, body, bytesOf, headers } = reply
  if (status >= 300 || isRefusal(body)) return readNo(reply)
  return Value.Check(Images, body) ? readMade(body, bytesOf, { ...said, requestId: headers.get('x-request-id') }) : failed(unknown(title, String(status)))
}

const shapes: Record<string, string> = { '9:16': '720x1280', '16:9': '1280x720' }
const filmHandlings: Record<string, Handling> = {
  duration_s: value => [4, 8, 12].includes(Number(value)) ? { send: { seconds: String(value) } } : { refused: [4, 8, 12] },
  aspect_ratio: value => value === 'auto' ? {} : String(value) in shapes ? { send: { size: shapes[String(value)]! } } : { refused: Object.keys(shapes) },
  size: value => ['720x1280', '1280x720', '1024x1792', '1792x1024'].includes(String(value)) ? { send: { size: value } } : { refused: ['720x1280', '1280x720', '1024x1792', '1792x1024'] },
}

/** The fields of a film; its first picture goes as a file. @throws {Problem} `unsupported_parameter` */
export function writeFilm(job: Asked): { fields: Record<string, Json>; warnings: string[] } {
  const unfit = job.inputs.find(({ role }, index) => index > 0 || role !== 'reference' && role !== 'first_frame')
  if (unfit) throw new Problem('unsupported_parameter', `${job.model} takes one picture, the first of the film.`, { field: 'inputs', value: unfit.role })
  if (job.count > 1) throw new Problem('unsupported_parameter', `${job.model} makes one film at a time.`, { field: 'parameters.count', value: job.count, allowed: { max: 1 } })
  const { fields, warnings } = writeParameters(job, title, filmHandlings)
  return { fields: { model: job.model, prompt: job.prompt, ...fields }, warnings }
}

export const filmStates = ['queued', 'processing', 'in_progress', 'completed', 'failed'] as const
export type FilmState = (typeof filmStates)[number]
const isFilmState = (state: string): state is FilmState => (filmStates as readonly string[]).includes(state)

const Film = Type.Object({
  id: Type.String({ pattern: '^[\\w.:-]{1,200}$' }), status: Type.String(), progress: Type.Optional(Type.Union([Type.Number(), Type.Null()])),
  error: Type.Optional(Type.Union([Type.Null(), Type.String(), Told])), meta_data: Type.Optional(Type.Union([Type.Null(), Type.Object({ url: Type.Optional(Type.String()) })])),
})

export const Receipt = Type.Object({ id: Type.String(), missingSince: MissingSince, warnings: Type.Array(Type.String()), /** Its file was refused once. */ again: Type.Optional(Type.Boolean()) })
export type Receipt = Static<typeof Receipt>

export function readReceipt(receipt: Json): Receipt {
  if (!Value.Check(Receipt, receipt)) throw new Problem('internal', 'This receipt was not written by the provider wisdom-gate.')
  return receipt
}

/** Reads what handing in a film brought. */
export function readBegun(reply: Reply, warnings: string[]): JobOutcome {
  if (reply.kind !== 'answered') return silent(reply)
  const { status, body } = reply
  if (status >= 300 || !Value.Check(Film, body)) return isRefusal(body) || status >= 300 ? readNo(reply) : failed(unknown(title, String(status)))
  return wait({ id: body.id, warnings } satisfies Receipt)
}

export type Looked = { kind: 'pending'; progress: number | null; retryAfterMs: number | null } | { kind: 'missing' } | { kind: 'made'; url: string | null } | { kind: 'failed'; problem: Problem }
const pending = (progress: number | null = null, retryAfterMs: number | null = null): Looked => ({ kind: 'pending', progress, retryAfterMs })

/** Reads what looking at a film brought. Every state has a line; a look that fails says nothing about the film. */
export function readLook(reply: Reply): Looked {
  if (reply.kind !== 'answered') return pending()
  const { status, body, retryAfterMs } = reply
  if (status === 404 && isRefusal(body)) return { kind: 'missing' }
  if (status >= 300 || !Value.Check(Film, body)) return pending(null, retryAfterMs)
  const progress = body.progress ?? null
  if (!isFilmState(body.status)) return pending(progress)
  switch (body.status) {
    case 'queued':
    case 'processing':
    case 'in_progress': return pending(progress)
    case 'completed': return { kind: 'made', url: body.meta_data?.url !== undefined && URL.canParse(body.meta_data.url) ? body.meta_data.url : null }
    case 'failed': {
      const { message, code } = told({ error: body.error ?? '' }) ?? { message: '', code: '' }
      const said = shorten(message || 'no reason given')
      return { kind: 'failed', problem: new Problem(speaksOfPolicy(`${code} ${message}`) ? 'content_rejected' : 'provider_failed', `Wisdom Gate could not make this film: ${said}`, { upstreamCode: code || 'failed' }) }
    }
  }
}

const Subscription = Type.Object({ hard_limit_usd: Type.Number() })
const Usage = Type.Object({ total_usage: Type.Number() })

/** What is left of our account there, in dollars; null where it does not say (one-api's pages, which Wisdom Gate does not document). */
export function readBalance(subscription: Reply, usage: Reply): number | null {
  if (subscription.kind !== 'answered' || usage.kind !== 'answered' || !Value.Check(Subscription, subscription.body) || !Value.Check(Usage, usage.body)) return null
  return Math.round((subscription.body.hard_limit_usd - usage.body.total_usage / 100) * 100) / 100
}
