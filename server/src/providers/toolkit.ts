/**
 * What back doors that speak HTTP have in common: one question and its answer, parameters an upstream may not know, and several
 * answers to one job.
 *
 * The question that matters for money is asked of every answer: may the upstream be working for us after this, or not? Absent on
 * purpose: retries, pauses, anything that knows a single upstream.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { failed } from '../domain/outcome.ts'
import type { Json } from '../domain/outcome.ts'
import { Problem, problems, type ProblemCode } from '../domain/problem.ts'
import { addTook } from '../domain/usage.ts'
import { decodeWhole } from '../kit/base64.ts'
import { giveBack } from '../kit/blocks.ts'
import { fetchWhole, readRetryAfter } from '../kit/fetch.ts'
import type { Callback, Job, JobOutcome, Making, Verdict } from './contract.ts'

/** What came back from one call: an answer, or one of two kinds of silence. Only `unreached` proves that nobody was asked. */
export type Reply =
  | { kind: 'answered'; status: number; retryAfterMs: number | null; /** Undefined where it was no JSON, or not all of it. */ body: unknown; bytesOf: BytesOf; headers: { get(name: string): string | null }; /** Lets go of the answer's memory: nothing is read from it after this. */ release?(): void }
  | { kind: 'unreached' }
  | { kind: 'lost' }

/** The bytes a string of base64 in an answer stands for. Of pictures, borrowed memory (`kit/blocks.ts`): whoever hands them to the engine hands over that too. */
export type BytesOf = (text: string) => Buffer

const base64Of: BytesOf = text => Buffer.from(text, 'base64')

/** Asks once. What `fetch` throws becomes a kind of silence; our own giving up is one as well, for the request may have been read. */
export const asking = (fetch: typeof globalThis.fetch, now: () => Date) => async (url: URL, init: RequestInit): Promise<Reply> => {
  try {
    const { response, bytes } = await fetchWhole(fetch, url, init)
    return writeReply(response, bytes, now())
  } catch (thrown) {
    return silence(thrown)
  }
}

/** Reads a reply, after which its memory may be somebody else's. */
export function readOnce<T>(reply: Reply, read: (reply: Reply) => T): T {
  try { return read(reply) } finally { if (reply.kind === 'answered') reply.release?.() }
}

export const silence = (thrown: unknown): Reply => ({ kind: thrown instanceof Problem && thrown.details.reached === false ? 'unreached' : 'lost' })

export const readReply = async (response: Response, now: Date): Promise<Reply> => writeReply(response, Buffer.from(await response.arrayBuffer()), now)

function writeReply({ status, headers }: Response, bytes: Buffer, now: Date): Reply {
  return { kind: 'answered', status, retryAfterMs: readRetryAfter(headers, now), ...readAnswer(bytes), headers, release: () => giveBack(bytes) }
}

/** Strings shorter than this are parsed with the rest. */
const pictureFrom = 16 * 1024
const quote = 0x22
const backslash = 0x5c

/**
 * Parses JSON with pictures in it. Long strings of base64 are cut out before and decoded from their bytes when they are wanted:
 * a picture of megabytes never becomes a parsed value.
 */
export function readAnswer(bytes: Buffer): { body: unknown; bytesOf: BytesOf } {
  const mark = randomBytes(12).toString('hex')
  const cut = new Map<string, Buffer>()
  const rest: Buffer[] = []
  let from = 0
  for (let at = bytes.indexOf(quote); at !== -1;) {
    const end = endOfString(bytes, at + 1)
    if (end === -1) break
    if (end - at > pictureFrom && isBase64(bytes, at + 1, end)) {
      const name = `${mark}-${cut.size}`
      cut.set(name, bytes.subarray(at + 1, end))
      rest.push(bytes.subarray(from, at + 1), Buffer.from(name))
      from = end
    }
    at = bytes.indexOf(quote, end + 1)
  }
  const text = (cut.size === 0 ? bytes : Buffer.concat([...rest, bytes.subarray(from)])).toString()
  const bytesOf: BytesOf = name => {
    const found = cut.get(name)
    if (!found) return base64Of(name)
    // JSON may write a slash as `\/` and a line break as `\n`.
    return decodeWhole(found) ?? base64Of(JSON.parse(`"${found.toString('latin1')}"`) as string)
  }
  try { return { body: JSON.parse(text), bytesOf } } catch { return { body: undefined, bytesOf } }
}

function endOfString(bytes: Buffer, from: number): number {
  for (let end = bytes.indexOf(quote, from); end !== -1; end = bytes.indexOf(quote, end + 1)) {
    let slashes = 0
    while (bytes[end - 1 - slashes] === backslash) slashes++
    if (slashes % 2 === 0) return end
  }
  return -1
}

/** Looked at in its first kilobyte only: what is cut out wrongly would be a text of 16 KB without a space. */
function isBase64(bytes: Buffer, from: number, end: number): boolean {
  return /^(?:[A-Za-z0-9+/_-]|\\\/)+$/.test(bytes.toString('latin1', from, Math.min(from + 1024, end - 4)))
}

/** What a job looks like to a pure `wire.ts`. */
export type Asked = Pick<Job, 'model' | 'operation' | 'prompt' | 'parameters' | 'count' | 'key'> & { inputs: Pick<Job['inputs'][number], 'role' | 'mime' | 'sizeBytes' | 'width' | 'height'>[] }

/** How an upstream takes one parameter of the house's: under which name and word, or not at all. */
export type Handling = (value: Json, name: string, job: Asked) => { send?: Record<string, Json>; warning?: string } | { refused: Json[] | null }

/** Sent under a name of the upstream's; with `words`, only those values, in its words. */
export const as = (field: string, words?: Record<string, Json>): Handling => value => {
  if (!words) return { send: { [field]: value } }
  const word = words[String(value)]
  return word === undefined ? { refused: Object.keys(words) } : { send: { [field]: word } }
}
export const words = (...values: string[]): Record<string, Json> => Object.fromEntries(values.map(value => [value, value]))
/** There is only this, so nothing is sent. */
export const only = (...values: Json[]): Handling => (value): ReturnType<Handling> => values.includes(value) ? {} : { refused: values }
/** The model chooses among these file formats itself, and nothing is sent. Where another comes than was asked for the house says so, of the very file; who asked for none hears nothing. */
export const ownFormat = only
/** Not sent, and said so. */
export const unheard = (because: string): Handling => (value, name) => ({ warning: `${name} ${JSON.stringify(value)} was not passed on: ${because}` })
/** One way for one value, another for the rest. */
export const when = (value: Json, first: Handling, rest: Handling): Handling => (given, name, job) => given === value ? first(given, name, job) : rest(given, name, job)
export const nothing: Handling = () => ({})

/**
 * The parameters of a job in an upstream's words.
 *
 * @throws {Problem} `unsupported_parameter` for one it cannot honour, before anything is asked
 */
export function writeParameters(job: Asked, title: string, handlings: Record<string, Handling>): { fields: Record<string, Json>; warnings: string[] } {
  const fields: Record<string, Json> = {}
  const warnings: string[] = []
  for (const [name, value] of Object.entries(job.parameters)) {
    // How many is the job's own word; each upstream has its own way of making several.
    if (name === 'count') continue
    const handled = handlings[name]?.(value, name, job) ?? { refused: null }
    if ('refused' in handled) throw unsupported(name, value, handled.refused, `${title}, which makes ${job.model}`)
    Object.assign(fields, handled.send)
    if (handled.warning) warnings.push(handled.warning)
  }
  return { fields, warnings }
}

export function unsupported(name: string, value: Json, allowed: Json[] | null, who: string): Problem {
  const message = allowed === null ? `${who}, does not know ${name}. Leave it out.` : `${who}, takes ${name} only as ${allowed.join(', ')}, not ${JSON.stringify(value)}.`
  return new Problem('unsupported_parameter', message, { field: `parameters.${name}`, value, ...(allowed === null ? {} : { allowed }) })
}

/** Refuses a prompt one upstream has no room for, so that another route of the card may be asked. */
export const tooLong = (title: string, model: string, prompt: string, charactersMax: number): Problem =>
  new Problem('unsupported_parameter', `${title} takes prompts of up to ${charactersMax} characters for ${model}, not ${prompt.length}.`, { field: 'prompt', value: prompt.length, allowed: { charactersMax } })

export const unreached = (title: string): Problem => new Problem('provider_down', `${title} cannot be reached.`, { reached: false })
export const unknown = (title: string, upstreamCode?: string): Problem =>
  new Problem('outcome_unknown', `${title} may have taken this, but its answer never came or could not be read. Nothing was charged; send it again if you want it made.`, upstreamCode === undefined ? {} : { upstreamCode })
/** The operator's to mend. What the upstream said of keys and accounts is for the log (`cause`), not for callers. */
export const unclaimed = (title: string, setting: string, why: string, upstreamCode: string, said?: string): Problem =>
  new Problem('provider_not_configured', `${title} ${why}. See to ${setting}.`, { upstreamCode, ...(said ? { cause: said } : {}) })

/** The route's own name for the model is none the upstream has, any more or at all: the operator's to mend, and another route may have it. */
export const unlisted = (title: string, upstreamCode: string, said?: string): Problem => unclaimed(title, 'the name on the card’s route', 'does not have the model this card names', upstreamCode, said)

/** Tells the operator what only he can mend. */
export function tellOperator<T extends JobOutcome>(outcome: T, provider: string, log: { warn(fields: object, message: string): void }): T {
  if (outcome.kind === 'failed' && outcome.problem.code === 'provider_not_configured') {
    log.warn({ provider, upstreamCode: outcome.problem.details.upstreamCode, said: outcome.problem.cause }, outcome.problem.message)
  }
  return outcome
}

/** Nothing has been asked of anybody yet: whatever stops us here has bought nothing. */
export function stoppedBefore(thrown: unknown, signal: AbortSignal): JobOutcome {
  if (signal.aborted) {
    return failed(signal.reason === 'deadline' ? new Problem('deadline', 'This was not ready within the time it was given. Nothing was charged.')
      : new Problem('provider_down', 'This was stopped before its upstream was asked.', { reached: false }))
  }
  if (thrown instanceof Problem) return failed(thrown, thrown.details.retryAfterS === undefined ? null : thrown.details.retryAfterS * 1000)
  throw thrown
}

/** Runs what comes before an upstream is asked. */
export async function before<T>(signal: AbortSignal, run: () => T | Promise<T>): Promise<{ value: T } | { stopped: JobOutcome }> {
  try { return { value: await run() } } catch (thrown) { return { stopped: stoppedBefore(thrown, signal) } }
}

const graver: Record<'no' | 'later' | 'elsewhere', number> = { no: 2, elsewhere: 1, later: 0 }
const weight = (code: ProblemCode) => code === 'outcome_unknown' ? 3 : graver[problems[code].again]

/** The failure that speaks for several: what may have been bought first, what is final next, and only if all may pass, that. */
export const gravest = (all: { problem: Problem; retryAfterMs: number | null }[]): { problem: Problem; retryAfterMs: number | null } =>
  all.reduce((worst, one) => {
    const more = weight(one.problem.code) - weight(worst.problem.code)
    return more > 0 || more === 0 && (one.retryAfterMs ?? 0) > (worst.retryAfterMs ?? 0) ? one : worst
  })

/** What is said about those of several that did not come. */
export const missingOnes = (all: Problem[], count: number): string[] =>
  all.map(({ code, message }) => `One of ${count} was not made (${code}): ${message}`)

/** Several answers to one job, for upstreams that make one at a time: what came is kept, and what did not is said. */
export function gather(outcomes: JobOutcome[], merge: (makings: Making[]) => Making): JobOutcome {
  const failures = outcomes.flatMap(one => one.kind === 'failed' ? [one] : [])
  const makings = outcomes.flatMap(one => one.kind === 'done' ? [one.value] : [])
  // What surely bought nothing has nothing to tell.
  const took = addTook(outcomes.flatMap(one => one.kind === 'done' ? [one.value] : one.kind === 'failed' && (one.took || problems[one.problem.code].bought !== 'no') ? [one.took ?? {}] : []))
  if (makings.length === 0) return failed(...problemOf(gravest(failures)), took)
  const making = makings.length === 1 && failures.length === 0 ? makings[0]! : merge(makings)
  const warnings = [...new Set([...making.warnings ?? [], ...missingOnes(failures.map(({ problem }) => problem), outcomes.length)])]
  const { usage: _, costMicros: __, ...rest } = making
  return { kind: 'done', value: { ...rest, ...took, ...(warnings.length > 0 ? { warnings } : {}) } }
}

export const problemOf = ({ problem, retryAfterMs }: { problem: Problem; retryAfterMs: number | null }): [Problem, number | null] => [problem, retryAfterMs]

/** An upstream's address from the settings: `https://host/` and `https://host/v1` as people write them. */
export const withoutTail = (address: string, tail: RegExp): string => address.replace(/\/+$/, '').replace(tail, '').replace(/\/+$/, '')

const extensions: Record<string, string> = { 'image/png': 'png', 'image/jpeg': 'jpg', 'image/webp': 'webp', 'image/gif': 'gif', 'image/avif': 'avif', 'video/mp4': 'mp4', 'video/webm': 'webm', 'video/quicktime': 'mov' }
export const extensionOf = (mime: string): string => extensions[mime] ?? 'bin'

/** Words an upstream uses when its own filter said no; for those that have no code for it. */
export const speaksOfPolicy = (message: string): boolean =>
  /content[ _-]?policy|polic(y|ies)|safety|moderation|prohibited|nsfw|sensitive|inappropriate|violat|flagged|blocked by/i.test(message)

export const shorten = (text: string, max = 300): string => text.length > max ? `${text.slice(0, max)}…` : text

/** How far the time a call back was signed at may lie from ours: what Standard Webhooks advises, and most upstreams with it. */
export const signedWithinMs = 300_000

/** Whether a signed time, in Unix seconds as it stands in a header, is near enough to ours. */
export const isFresh = (timestampS: string, now: Date): boolean => /^\d{1,12}$/.test(timestampS) && Math.abs(now.getTime() - Number(timestampS) * 1000) <= signedWithinMs

/** Equality in a time that does not tell where two texts differ. */
export function isSame(given: string, right: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(right)]
  return one.length === other.length && timingSafeEqual(one, other)
}

export const forged = (why: string): Verdict => ({ kind: 'forged', why })

/**
 * Judges a call back by the rules of Standard Webhooks: HMAC-SHA256 (`v1`) over id, time and bytes, with any of the secrets
 * (`whsec_` and base64), so that one may be replaced by another.
 */
export function verifyWebhook({ headers, body }: Pick<Callback, 'headers' | 'body'>, secrets: string[], now: Date): Verdict {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures } = headers
  if (!id || !timestamp || !signatures) return forged('It is not signed: webhook-id, webhook-timestamp or webhook-signature is missing.')
  if (!isFresh(timestamp, now)) return forged('Its time is not near ours.')
  const given = signatures.split(' ').flatMap(one => one.startsWith('v1,') ? [one.slice(3)] : [])
  // An empty key is one that everybody has.
  const keys = secrets.map(secret => Buffer.from(secret.replace(/^whsec_/, ''), 'base64')).filter(key => key.length > 0)
  const right = keys.map(key => createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64'))
  return right.some(one => given.some(other => isSame(other, one))) ? { kind: 'genuine', id } : forged('Its signature is not made with our secret.')
}

/** For a probe whose answer holds one number worth telling. */
export const tellNumber = (field: string, what: string) => (body: unknown): string | null => {
  const value = (body as Record<string, unknown> | null | undefined)?.[field]
  return typeof value === 'number' ? `${value} ${what}` : null
}
