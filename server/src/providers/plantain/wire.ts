/**
 * What we say to another Plantain and how we read what it says: its own interface, `/plantain/v1`. Pure.
 *
 * Its problems have the names ours have, so most of them mean here what they mean there. What is between it and us (keys, credit, limits,
 * its own providers) is not the caller's to mend and is told to the operator.
 */
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import { failed, wait } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem, problems, type ProblemCode } from '../../domain/problem.ts'
import type { State } from '../../domain/task.ts'
import type { Took, Usage } from '../../domain/usage.ts'
import type { Job, JobOutcome, Making } from '../contract.ts'
import { shorten, unclaimed, unknown, unlisted, unreached } from '../toolkit.ts'
import type { Reply } from '../toolkit.ts'
import { MissingSince } from '../toolkit/missing.ts'

export const title = 'The other Plantain'

export interface SentInput { asset: string; role: string }

/** A task in its words, which are ours. By `plantain_attempt` it can be found again, by us and by people over there. */
export const writeTask = (job: Pick<Job, 'model' | 'operation' | 'prompt' | 'parameters' | 'count' | 'key' | 'callbackUrl'>, inputs: SentInput[]): Json => ({
  model: job.model, operation: job.operation, prompt: job.prompt,
  parameters: { ...job.parameters, ...(job.count > 1 ? { count: job.count } : {}) },
  inputs: inputs.map(input => ({ ...input })),
  metadata: { plantain_attempt: job.key },
  ...(job.callbackUrl === null ? {} : { callback_url: job.callbackUrl }),
})

const Maybe = <T extends Parameters<typeof Type.Optional>[0]>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))

const Told = Type.Object({
  code: Type.String(), message: Type.Optional(Type.String()), field: Type.Optional(Type.String()), value: Type.Optional(Type.Unknown()), allowed: Type.Optional(Type.Unknown()),
  retry_after_s: Type.Optional(Type.Number()), upstream_code: Type.Optional(Type.String()),
})
type Told = Static<typeof Told>
const Refusal = Type.Object({ error: Told })

const Money = Type.Object({ micros: Type.Integer() })
const Count = Type.Optional(Type.Integer({ minimum: 0 }))
const Task = Type.Object({
  object: Type.Literal('task'), id: Type.String({ pattern: '^[0-9a-f]{32}$' }), state: Type.String(), livemode: Type.Boolean(), operation: Type.Optional(Type.String()), served_by: Type.Optional(Type.String()), upstream_id: Maybe(Type.String()),
  outputs: Type.Optional(Type.Array(Type.Object({ url: Type.String(), mime: Type.Optional(Type.String()) }))),
  text: Maybe(Type.String()), details: Type.Optional(Type.Record(Type.String(), Type.Unknown())), warnings: Type.Optional(Type.Array(Type.String())),
  problem: Maybe(Told), cost: Maybe(Money), attempts: Type.Optional(Type.Integer()), progress: Maybe(Type.Number()),
  usage: Maybe(Type.Object({ text_in: Count, image_in: Count, text_out: Count, image_out: Count, searches: Count })),
})
type Task = Static<typeof Task>

export const Receipt = Type.Object({ id: Type.String(), missingSince: MissingSince })
export type Receipt = Static<typeof Receipt>

export function readReceipt(receipt: Json): Receipt {
  if (!Value.Check(Receipt, receipt)) throw new Problem('internal', 'This receipt was not written by the provider plantain.')
  return receipt
}

const isCode = (code: string): code is ProblemCode => Object.hasOwn(problems, code)

/** Where the field is named as the caller knows it, it is named to him as well. */
const detailsOf = ({ code, field, value, allowed, upstream_code: upstreamCode }: Told) => ({
  upstreamCode: upstreamCode ?? code, ...(field === undefined ? {} : { field }), ...(value === undefined ? {} : { value }), ...(allowed === undefined ? {} : { allowed }),
})

/**
 * What a no to a new task means. Every problem has a line.
 *
 * A refusal in its own words has begun nothing, except where it says that the call came twice or that it stumbled itself.
 */
export function readRefusal(told: Told): Problem {
  const { code, message } = told
  const said = shorten(message ?? 'no reason given')
  const no = (problem: ProblemCode, sentence: string) => new Problem(problem, sentence, detailsOf(told))
  // Between that house and us: the caller never gave it an address to call.
  if (told.field === 'callback_url') return unclaimed(title, 'PUBLIC_URL', 'does not call us back', code, said)
  if (!isCode(code)) return unknown(title, code)
  switch (code) {
    case 'unsupported_parameter':
    case 'bad_input_image':
    case 'too_large':
    case 'content_rejected':
    case 'input_unreachable':
      return no(code, said)
    case 'unknown_model':
    case 'model_retired': return unlisted(title, code, said)
    case 'bad_request':
    case 'private_address':
    case 'not_found':
    case 'method_not_allowed':
    case 'conflict':
    case 'unsupported_media':
    case 'range_not_satisfiable':
    case 'link_expired':
    case 'provider_rejected':
      return no('provider_rejected', `${title} did not accept this: ${said}`)
    case 'unauthorized':
    case 'forbidden': return unclaimed(title, 'PLANTAIN_API_KEY', 'does not take our key for this', code, said)
    case 'credits_required': return unclaimed(title, 'the credit of our account there', 'has no credit left for us', code, said)
    case 'provider_not_configured': return unclaimed(title, 'its settings', 'has nobody set up who makes this', code, said)
    case 'rate_limited':
    case 'provider_busy':
    case 'shutting_down':
    case 'unavailable':
      return no('provider_busy', `${title} takes no more from us for now: ${said}`)
    // Something stands under this key already, or may.
    case 'idempotency_mismatch':
    case 'idempotency_busy':
    case 'outcome_unknown':
    case 'internal':
    case 'provider_down':
    case 'provider_failed':
    case 'provider_timeout':
    case 'bad_output':
    case 'output_expired':
    case 'start_deadline':
    case 'deadline':
    case 'cancelled':
      return unknown(title, code)
  }
}

/** Why a task over there failed. It was charged nothing for that, so what may pass may be handed in again. Every problem has a line. */
export function readFailure(told: Told): Problem {
  const { code, message } = told
  const said = shorten(message ?? 'no reason given')
  const no = (problem: ProblemCode, sentence = said) => new Problem(problem, sentence, detailsOf(told))
  if (!isCode(code)) return no('provider_failed')
  switch (code) {
    case 'unsupported_parameter':
    case 'bad_input_image':
    case 'too_large':
    case 'content_rejected':
    case 'input_unreachable':
    case 'provider_rejected':
    case 'provider_busy':
    case 'provider_down':
    case 'provider_failed':
    case 'provider_timeout':
    case 'bad_output':
    case 'output_expired':
    case 'outcome_unknown':
      return no(code)
    case 'provider_not_configured': return unclaimed(title, 'its settings', 'has nobody set up who makes this', code, said)
    case 'unauthorized':
    case 'forbidden': return unclaimed(title, 'PLANTAIN_API_KEY', 'does not take our key for this', code, said)
    case 'credits_required': return unclaimed(title, 'the credit of our account there', 'has no credit left for us', code, said)
    case 'start_deadline':
    case 'deadline': return no('provider_timeout', `${title} was not ready in time: ${said}`)
    case 'cancelled': return no('provider_failed', `This was cancelled at ${title.toLowerCase()}.`)
    case 'rate_limited':
    case 'shutting_down':
    case 'unavailable': return no('provider_busy')
    case 'bad_request':
    case 'unknown_model':
    case 'model_retired':
    case 'private_address':
    case 'not_found':
    case 'method_not_allowed':
    case 'conflict':
    case 'unsupported_media':
    case 'range_not_satisfiable':
    case 'link_expired':
    case 'idempotency_busy':
    case 'idempotency_mismatch': return no('provider_rejected')
    case 'internal': return no('provider_failed')
  }
}

const pauseOf = ({ retryAfterMs }: { retryAfterMs: number | null }, told?: Told): number | null => retryAfterMs ?? (told?.retry_after_s === undefined ? null : told.retry_after_s * 1000)
const mayPass = ({ code }: Problem): boolean => problems[code].again === 'later'

/** Reads what handing in a task brought: a receipt, a task that has ended already, or why not. */
export function readBegun(reply: Reply, root: string): JobOutcome {
  if (reply.kind === 'unreached') return failed(unreached(title))
  if (reply.kind === 'lost') return failed(unknown(title))
  const { status, body } = reply
  if (status < 300) {
    if (!Value.Check(Task, body)) return failed(unknown(title, String(status)))
    const looked = readTask(body, root)
    return looked.kind === 'pending' ? wait({ id: body.id } satisfies Receipt, null, looked.progress ?? undefined) : looked
  }
  if (Value.Check(Refusal, body)) {
    const problem = readRefusal(body.error)
    // What was refused at the door has cost nothing, and that is known.
    return failed(problem, mayPass(problem) ? pauseOf(reply, body.error) : null, problem.code === 'content_rejected' ? { costMicros: 0 } : {})
  }
  const upstreamCode = String(status)
  if (status === 429) return failed(new Problem('provider_busy', `${title} takes no more calls from us for now.`, { upstreamCode }), reply.retryAfterMs)
  if (status === 401 || status === 403) return failed(unclaimed(title, 'PLANTAIN_API_KEY', 'does not take our key', upstreamCode))
  if (status < 500 && status !== 408 && status !== 409 && status !== 499) return failed(new Problem('provider_rejected', `${title} refused this with HTTP ${status} and no reason. Is PLANTAIN_BASE_URL right?`, { upstreamCode }))
  return failed(unknown(title, upstreamCode))
}

const Page = Type.Object({ object: Type.Literal('list'), data: Type.Array(Task) })

/** Reads what looking for an attempt by its key brought: what became of it, or null where there is none. A look that fails leaves it open. */
export function readFound(reply: Reply, root: string): JobOutcome | null {
  if (reply.kind !== 'answered' || reply.status >= 300 || !Value.Check(Page, reply.body)) return wait(null, reply.kind === 'answered' ? reply.retryAfterMs : null)
  const [task] = reply.body.data
  return task === undefined ? null : readBegun({ ...reply, body: task }, root)
}

type Seen = { kind: 'pending'; progress: number | null; retryAfterMs: number | null } | Extract<JobOutcome, { kind: 'done' | 'failed' }>
export type Looked = Seen | { kind: 'missing' }

const pending = (progress: number | null = null, retryAfterMs: number | null = null): Seen => ({ kind: 'pending', progress, retryAfterMs })

/** Reads what looking at a task brought. A look that fails says nothing about the task. */
export function readLook(reply: Reply, root: string): Looked {
  if (reply.kind !== 'answered') return pending()
  const { status, body, retryAfterMs } = reply
  if (status < 300 && Value.Check(Task, body)) return readTask(body, root)
  return status === 404 && Value.Check(Refusal, body) && body.error.code === 'not_found' ? { kind: 'missing' } : pending(null, retryAfterMs)
}

const isState = (state: string): state is State => ['queued', 'running', 'waiting', 'done', 'failed', 'cancelled'].includes(state)

/** Reads a task. Every state has a line; one nobody knows yet means that it goes on. */
function readTask(task: Task, root: string): Seen {
  const { state, problem } = task
  const progress = task.progress ?? null
  if (!isState(state)) return pending(progress)
  switch (state) {
    case 'queued':
    case 'running':
    case 'waiting': return pending(progress)
    case 'done': return readMade(task, root)
    case 'failed': return failed(readFailure(problem ?? { code: 'provider_failed' }), problem?.retry_after_s === undefined ? null : problem.retry_after_s * 1000, readTook(task))
    case 'cancelled': return failed(readFailure(problem ?? { code: 'cancelled' }), null, readTook(task))
  }
}

function readMade(task: Task, root: string): Seen {
  const made = (task.outputs ?? []).flatMap(({ url, mime }) => {
    const link = readLink(url, root)
    return link === null ? [] : [{ url: link, ...(mime === undefined ? {} : { mime }) }]
  })
  const isText = task.operation === 'write'
  if (isText ? !task.text : made.length === 0) return failed(new Problem('bad_output', `${title} says that it is made, but gives ${isText ? 'no text' : 'no link to it'}.`, { upstreamCode: 'done' }), null, readTook(task))
  const { plantain: deeper, ...details } = (task.details ?? {}) as Record<string, Json>
  const about: Record<string, Json> = {
    task_id: task.id, livemode: task.livemode, ...(task.served_by === undefined ? {} : { served_by: task.served_by }), ...(task.upstream_id ? { upstream_id: task.upstream_id } : {}),
    ...(task.attempts === undefined ? {} : { attempts: task.attempts }), ...(deeper === undefined ? {} : { via: deeper }),
  }
  return {
    kind: 'done', value: {
      made: isText ? [] : made, upstreamId: task.id, details: { ...details, plantain: about }, warnings: task.warnings ?? [],
      ...(task.text ? { text: task.text } : {}), ...readTook(task),
    } satisfies Making,
  }
}

/** A signed link of that house, opened where we reach it: it may call itself by a name that means nothing here. */
export function readLink(url: string, root: string): string | null {
  const path = URL.canParse(url, root) ? /\/files\/.+$/.exec(new URL(url, root).pathname)?.[0] : undefined
  return path === undefined ? null : `${root}${path}${new URL(url, root).search}`
}

/** How many tokens a text took, as every house writes it down. */
const Tokens = Type.Object({ input: Type.Integer({ minimum: 0 }), output: Type.Integer({ minimum: 0 }) })

/** What it took from us, whether it made something or not. Play money under a test key has cost nobody anything. */
function readTook({ usage: told, details, cost, livemode }: Task): Took {
  const usage = readUsage(told) ?? (Value.Check(Tokens, details?.tokens) ? { textIn: details.tokens.input, textOut: details.tokens.output } : null)
  return { ...(usage ? { usage } : {}), ...(cost ? { costMicros: livemode ? cost.micros : 0 } : {}) }
}

function readUsage(told: Task['usage']): Usage | null {
  if (!told) return null
  const names = { text_in: 'textIn', image_in: 'imageIn', text_out: 'textOut', image_out: 'imageOut', searches: 'searches' } as const
  const usage: Usage = {}
  for (const [theirs, ours] of Object.entries(names) as [keyof typeof names, keyof Usage][]) {
    const count = told[theirs]
    if (count !== undefined) usage[ours] = count
  }
  return Object.keys(usage).length > 0 ? usage : null
}

const Asset = Type.Object({ object: Type.Literal('asset'), id: Type.String({ pattern: '^[0-9a-f]{32}$' }) })

/** Reads what an upload brought: the id of an asset. Nothing has been bought by then, so every failure is a plain one. @throws {Problem} */
export function readUpload(reply: Reply): string {
  if (reply.kind === 'unreached') throw unreached(title)
  if (reply.kind === 'lost') throw new Problem('provider_down', `${title} broke off while it was handed an input.`)
  const { status, body } = reply
  if (status < 300 && Value.Check(Asset, body)) return body.id
  const told = Value.Check(Refusal, body) ? body.error : undefined
  const pause = pauseOf(reply, told)
  const retry = pause === null ? {} : { retryAfterS: Math.ceil(pause / 1000) }
  const problem = told ? readRefusal(told) : null
  if (problem && problem.code !== 'outcome_unknown') throw mayPass(problem) ? new Problem(problem.code, problem.message, { ...problem.details, ...retry }) : problem
  if (status === 401 || status === 403) throw unclaimed(title, 'PLANTAIN_API_KEY', 'does not take our key', String(status))
  if (status === 429) throw new Problem('provider_busy', `${title} takes no more files for now.`, { upstreamCode: '429', ...retry })
  throw new Problem(status < 500 ? 'provider_rejected' : 'provider_down', `${title} could not take an input (HTTP ${status}).`, { upstreamCode: String(status), ...retry })
}

/** Whether it says that a task was stopped. */
export const readCancelled = (reply: Reply): boolean => reply.kind === 'answered' && reply.status < 300 && Value.Check(Task, reply.body) && reply.body.state === 'cancelled'
