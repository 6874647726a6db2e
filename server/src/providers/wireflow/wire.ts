/**
 * What we say to Wireflow and how we read what it says (its docs, and what its own clients read, up to October 2026). Pure.
 *
 * It has two dialects, and every shape of either is read: members at the root or under `data`, errors as a sentence or as an object. An
 * `Idempotency-Key` on a run answers for a day with the first answer, so a run whose answer was lost may be asked for again.
 */
import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import type { Json } from '../../domain/outcome.ts'
import { Problem, type ProblemCode } from '../../domain/problem.ts'
import { shorten, speaksOfPolicy, unclaimed, unknown, unreached } from '../toolkit.ts'
import type { Reply } from '../toolkit.ts'
import { isLost, miss, MissingSince, see } from '../toolkit/missing.ts'
import { Failed, failure, Links, type Failure } from '../toolkit/parts.ts'
import { title, type Described } from './plan.ts'

type Answered = Extract<Reply, { kind: 'answered' }>

/** The key of one run of an attempt, in the form Wireflow's clients use. The same attempt, the same keys. */
export function keyOf(attempt: string, index: number): string {
  const hex = createHash('sha256').update(`${attempt} ${index}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

const Maybe = <T extends Parameters<typeof Type.Optional>[0]>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))
const Wrapped = Type.Object({ data: Type.Object({}) })

/** Members of an answer, at the root or, where they are not there, under `data`. */
const membersOf = (body: unknown): Record<string, unknown> => {
  const root = typeof body === 'object' && body !== null && !Array.isArray(body) ? body as Record<string, unknown> : {}
  return Value.Check(Wrapped, body) ? { ...body.data as Record<string, unknown>, ...root } : root
}

const ErrorText = Type.Union([Type.String(), Type.Object({ type: Maybe(Type.String()), code: Maybe(Type.String()), message: Maybe(Type.String()) })])

/** What it says is wrong, in either form; null where it says nothing. */
function sayingOf(body: unknown): { message: string; code: string } | null {
  const { error } = membersOf(body)
  if (!Value.Check(ErrorText, error)) return null
  return typeof error === 'string' ? { message: error, code: '' } : { message: error.message ?? '', code: error.code ?? error.type ?? '' }
}

/** How long it wants to be left alone: `Retry-After`; else the reset of a limit that is spent, which is a time. The `retryAfter` of its bodies is now one, now the other. */
export function readPause({ retryAfterMs, headers }: Pick<Answered, 'retryAfterMs' | 'headers'>, now: Date): number | null {
  if (retryAfterMs !== null) return retryAfterMs
  const reset = Number(headers.get('x-ratelimit-reset') ?? NaN)
  if (headers.get('x-ratelimit-remaining') !== '0' || !Number.isFinite(reset)) return null
  return Math.min(24 * 3600 * 1000, Math.max(0, reset * 1000 - now.getTime()))
}

/**
 * Reads a no to a run. Every status it documents has a line.
 *
 * Trouble of its own may have begun one all the same.
 */
export function readRefusal(reply: Answered, now: Date): Failure {
  const { status, body } = reply
  const saying = sayingOf(body)
  const said = shorten(saying?.message || 'no reason given')
  const upstreamCode = saying?.code || String(status)
  const no = (problem: ProblemCode, sentence: string) => failure(new Problem(problem, sentence, { upstreamCode }), problem === 'provider_busy' ? readPause(reply, now) : null)
  switch (status) {
    case 400:
    case 422:
      // The first call under this key was read, and this one is not the same (its pictures were uploaded again): asking on would change nothing.
      if (/idempotency/i.test(said)) return failure(new Problem('provider_failed', 'Wireflow took this once already, and its answer was lost. Nothing was charged; send it again if you want it made.', { upstreamCode: 'idempotency' }))
      return speaksOfPolicy(said) ? no('content_rejected', `Wireflow refused this: ${said}`) : no('provider_rejected', `Wireflow did not accept this: ${said}`)
    case 401:
    case 403: return failure(unclaimed(title, 'WIREFLOW_API_KEY', 'does not take our key for this', upstreamCode, said))
    case 402: return failure(unclaimed(title, 'the credits of your account there', 'has not enough credits left for us', upstreamCode, said))
    case 404: return failure(unclaimed(title, 'the route of this model’s card', 'does not have the workflow it names', upstreamCode, said))
    case 405: return no('provider_rejected', `Wireflow does not take this kind of call: ${said}. Is WIREFLOW_BASE_URL right?`)
    case 413: return no('provider_rejected', `Wireflow finds this too large: ${said}`)
    case 429: return no('provider_busy', 'Wireflow runs no more workflows for us for now.')
    case 408:
    case 409:
    case 499: return failure(unknown(title, upstreamCode))
    default: return status >= 400 && status < 500 ? no('provider_rejected', `Wireflow did not accept this: ${said}`) : failure(unknown(title, upstreamCode))
  }
}

const Id = Type.String({ pattern: '^[\\w.:-]{1,200}$' })
const Runs = Type.Array(Type.Object({ id: Id }), { minItems: 1 })

/** Reads what asking for a run brought: the id of its execution, or why not. */
export function readRun(reply: Reply, now: Date): { id: string } | Failure {
  if (reply.kind === 'unreached') return failure(unreached(title))
  if (reply.kind === 'lost') return failure(unknown(title))
  if (reply.status >= 300) return readRefusal(reply, now)
  const { executionId, executionRuns } = membersOf(reply.body)
  const id = executionId ?? (Value.Check(Runs, executionRuns) ? executionRuns[0]!.id : undefined)
  if (Value.Check(Id, id)) return { id }
  return sayingOf(reply.body) ? readRefusal({ ...reply, status: 400 }, now) : failure(unknown(title, String(reply.status)))
}

const Inputs = Type.Array(Type.Object({ nodeId: Type.String(), label: Maybe(Type.String()), type: Maybe(Type.String()), required: Maybe(Type.Boolean()) }))

/** What is said when nothing has been run yet: every failure is a plain one. */
function plainProblem(reply: Reply, what: string, now: Date): Problem {
  if (reply.kind === 'unreached') return unreached(title)
  if (reply.kind === 'lost') return new Problem('provider_down', `Wireflow broke off while it ${what}.`)
  const { problem, retryAfterMs } = readRefusal(reply.status < 300 ? { ...reply, status: 502 } : reply, now)
  if (problem.code === 'outcome_unknown') return new Problem('provider_down', `Wireflow could not answer while it ${what}.`, { upstreamCode: String(reply.status) })
  return retryAfterMs === null ? problem : new Problem(problem.code, problem.message, { ...problem.details, retryAfterS: Math.ceil(retryAfterMs / 1000) })
}

/** Reads how a workflow describes its inputs. @throws {Problem} */
export function readDescription(reply: Reply, now: Date): Described[] {
  const { inputs } = reply.kind === 'answered' && reply.status < 300 ? membersOf(reply.body) : {}
  if (!Value.Check(Inputs, inputs)) throw plainProblem(reply, 'was asked for the inputs of a workflow', now)
  return inputs.map(({ nodeId, label, type, required }) => ({ nodeId, label: label ?? '', type: type ?? 'text', required: required ?? false }))
}

/** Largest file its clients send as a form, and the largest it takes at all. */
export const formMax = 4 * 1024 * 1024
export const fileMax = 25_000_000

/** Reads what an upload brought: a link its executor opens. @throws {Problem} */
export function readUploaded(reply: Reply, now: Date): string {
  const { url } = reply.kind === 'answered' && reply.status < 300 ? membersOf(reply.body) : {}
  if (typeof url === 'string' && URL.canParse(url)) return url
  throw plainProblem(reply, 'took an input', now)
}

const Place = Type.Object({ uploadUrl: Type.String(), method: Maybe(Type.String()), mediaId: Type.String(), headers: Maybe(Type.Record(Type.String(), Type.String())) })

/** Reads where a large file goes. @throws {Problem} */
export function readPlace(reply: Reply, now: Date): { url: string; method: string; mediaId: string; headers: Record<string, string> } {
  const members = reply.kind === 'answered' && reply.status < 300 ? membersOf(reply.body) : {}
  if (!Value.Check(Place, members) || !URL.canParse(members.uploadUrl)) throw plainProblem(reply, 'took an input', now)
  return { url: members.uploadUrl, method: members.method ?? 'PUT', mediaId: members.mediaId, headers: members.headers ?? {} }
}

/** States of an execution, of its polls and of its MCP tools alike. */
export const states = ['QUEUED', 'PENDING', 'RUNNING', 'IN_PROGRESS', 'COMPLETED', 'FAILED', 'CANCELLED', 'TIMEOUT'] as const
export type State = (typeof states)[number]
const isState = (state: string): state is State => (states as readonly string[]).includes(state)

const NodeState = Type.Object({
  nodeId: Type.String(), status: Maybe(Type.String()), error: Maybe(Type.String()), outputUrl: Maybe(Type.String()), outputUrls: Maybe(Type.Array(Type.String())), text: Maybe(Type.String()),
})
const NodeRun = Type.Object({ nodeId: Type.String(), error: Maybe(Type.String()), output: Type.Optional(Type.Unknown()), credits: Maybe(Type.Number()) })
const Execution = Type.Object({
  status: Type.String(), progress: Maybe(Type.Number()), error: Type.Optional(Type.Unknown()), creditsUsed: Maybe(Type.Number()),
  nodeStates: Maybe(Type.Array(NodeState)), nodeResults: Maybe(Type.Object({ nodeRuns: Maybe(Type.Array(NodeRun)) })), finalOutput: Maybe(Type.Object({ url: Maybe(Type.String()) })),
})
type Execution = Static<typeof Execution>

export type Looked =
  | { kind: 'pending'; progress: number | null; retryAfterMs: number | null }
  /** It does not know it. Right after it was begun that may pass. */
  | { kind: 'missing' }
  | { kind: 'made'; urls: string[]; text: string | null; credits: number | null }
  | ({ kind: 'failed'; credits: number | null } & Failure)

const pending = (progress: number | null = null, retryAfterMs: number | null = null): Looked => ({ kind: 'pending', progress, retryAfterMs })

/** Reads what looking at an execution brought. A look that fails says nothing about it. */
export function readLook(reply: Reply, output: string | null, now: Date): Looked {
  if (reply.kind !== 'answered') return pending()
  const members = membersOf(reply.body)
  if (reply.status === 404 && sayingOf(reply.body)) return { kind: 'missing' }
  if (reply.status >= 300 || !Value.Check(Execution, members)) return pending(null, readPause(reply, now))
  const { status, progress = null } = members
  const percent = progress === null ? null : Math.round(Math.min(1, Math.max(0, progress)) * 100)
  const state = status.toUpperCase()
  if (!isState(state)) return pending(percent)
  const failedAs = (problem: ProblemCode, sentence: string): Looked => ({ kind: 'failed', credits: creditsOf(members), ...failure(new Problem(problem, sentence, { upstreamCode: state })) })
  switch (state) {
    case 'QUEUED':
    case 'PENDING':
    case 'RUNNING':
    case 'IN_PROGRESS': return pending(percent)
    case 'COMPLETED': {
      const { urls, text } = outputsOf(members, output)
      return urls.length > 0 ? { kind: 'made', urls, text, credits: creditsOf(members) }
        : failedAs('bad_output', output === null ? 'The workflow ran and gave no link to a result.' : `The workflow ran and its node ${output} gave no link to a result.`)
    }
    case 'FAILED': {
      const said = shorten(sayingOf({ error: members.error })?.message || nodesOf(members).find(({ error }) => error)?.error || 'no reason given')
      return failedAs(speaksOfPolicy(said) || /(reject|refus)\w* (the|this|your) (prompt|image|request)/i.test(said) ? 'content_rejected' : 'provider_failed', `The workflow could not make this: ${said}`)
    }
    case 'CANCELLED': return failedAs('provider_failed', 'This was cancelled at Wireflow.')
    case 'TIMEOUT': return failedAs('provider_timeout', 'The workflow was not ready in time.')
  }
}

/** 1 credit is US$0.01. */
export const microsPerCredit = 10_000

function creditsOf({ creditsUsed, nodeResults }: Execution): number | null {
  if (creditsUsed !== undefined && creditsUsed !== null) return creditsUsed
  const told = (nodeResults?.nodeRuns ?? []).flatMap(({ credits }) => credits === undefined || credits === null ? [] : [credits])
  return told.length > 0 ? told.reduce((sum, one) => sum + one, 0) : null
}

interface NodeOutcome { nodeId: string; error: string | null; urls: string[]; text: string | null }

/** What each node came to, by either list; the normalised one goes first. */
function nodesOf({ nodeStates, nodeResults }: Execution): NodeOutcome[] {
  const found = new Map<string, NodeOutcome>()
  for (const { nodeId, error, outputUrl, outputUrls, text } of nodeStates ?? []) {
    found.set(nodeId, { nodeId, error: error ?? null, urls: outputUrls && outputUrls.length > 0 ? outputUrls : outputUrl ? [outputUrl] : [], text: text ?? null })
  }
  for (const { nodeId, error, output } of nodeResults?.nodeRuns ?? []) {
    const known = found.get(nodeId)
    if (known) found.set(nodeId, { ...known, error: known.error ?? error ?? null, urls: known.urls.length > 0 ? known.urls : linksOf(output), text: known.text ?? wordsOf(output) })
    else found.set(nodeId, { nodeId, error: error ?? null, urls: linksOf(output), text: wordsOf(output) })
  }
  return [...found.values()]
}

const Linked = Type.Object({ images: Maybe(Type.Array(Type.Object({ url: Type.String() }))), url: Maybe(Type.String()), video: Maybe(Type.Object({ url: Type.String() })), text: Maybe(Type.String()) })

/** A node's raw output differs by model: `images[].url`, `url`, `video.url`, or a link alone. */
function linksOf(output: unknown): string[] {
  if (typeof output === 'string') return /^https?:\/\//.test(output) ? [output] : []
  if (!Value.Check(Linked, output)) return []
  if (output.images && output.images.length > 0) return output.images.map(({ url }) => url)
  return output.url ? [output.url] : output.video ? [output.video.url] : []
}
const wordsOf = (output: unknown): string | null => Value.Check(Linked, output) ? output.text ?? null : null

/** Results of the node that is asked for; without one, of the node the final output is of, or else of the last that is no input. */
function outputsOf(execution: Execution, output: string | null): { urls: string[]; text: string | null } {
  const nodes = nodesOf(execution)
  const made = nodes.filter(({ urls }) => urls.length > 0)
  const final = execution.finalOutput?.url ?? null
  const node = output !== null ? nodes.find(({ nodeId }) => nodeId === output)
    : (final !== null && made.find(({ urls }) => urls.includes(final))) || (final === null ? made.filter(({ nodeId }) => !nodeId.startsWith('input')).at(-1) : undefined)
  const urls = node ? node.urls : output === null && final !== null ? [final] : []
  return { urls: urls.filter(url => URL.canParse(url)), text: node?.text ?? (output === null ? nodes.findLast(({ text }) => text)?.text ?? null : null) }
}

/** How many workflows a key sees there: a bare list, or one under `data`. */
export function readWorkflows(body: unknown): string | null {
  const list = Array.isArray(body) ? body : Value.Check(Type.Object({ data: Type.Array(Type.Unknown()) }), body) ? body.data : null
  return list === null ? null : `${list.length} ${list.length === 1 ? 'workflow' : 'workflows'} there`
}

/** Whether it says that an execution was stopped. */
export function readCancelled(reply: Reply): boolean {
  const { status } = reply.kind === 'answered' && reply.status < 300 ? membersOf(reply.body) : {}
  return typeof status === 'string' && status.toUpperCase() === 'CANCELLED'
}

/** What we come back with: every run of a job, and what became of it so far. */
export const Receipt = Type.Object({
  id: Type.String(),
  /** When they were begun, in milliseconds. */
  since: Type.Number(),
  output: Type.Union([Type.String(), Type.Null()]),
  runs: Type.Array(Type.Object({ id: Type.String(), links: Type.Optional(Links), failed: Type.Optional(Failed), credits: Type.Optional(Type.Number()), text: Type.Optional(Type.String()), missingSince: MissingSince })),
  refused: Type.Array(Failed),
})
export type Receipt = Static<typeof Receipt>

export function readReceipt(receipt: Json): Receipt {
  if (!Value.Check(Receipt, receipt)) throw new Problem('internal', 'This receipt was not written by the provider wireflow.')
  return receipt
}

/** So long polls are believed that an execution still runs. */
export const settledMs = 60_000

const textMax = 8_000

/** Folds what one look brought into the receipt. */
export function fold(run: Receipt['runs'][number], looked: Looked, nowMs: number): Receipt['runs'][number] {
  const credits = 'credits' in looked && looked.credits !== null ? { credits: looked.credits } : {}
  switch (looked.kind) {
    case 'pending': return see(run)
    case 'missing': return isLost(run, nowMs) ? { ...run, failed: { code: 'provider_failed', message: 'Wireflow no longer knows this execution.', upstreamCode: '404' } } : miss(run, nowMs)
    case 'made': return { ...run, ...credits, links: looked.urls.map(url => ({ url })), ...(looked.text ? { text: shorten(looked.text, textMax) } : {}) }
    case 'failed': {
      const { code, message, details: { upstreamCode } } = looked.problem
      return { ...run, ...credits, failed: { code, message, ...(upstreamCode === undefined ? {} : { upstreamCode }) } }
    }
  }
}
