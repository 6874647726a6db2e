/**
 * One call outside for a task in hand, and what it means.
 *
 * *Claim, step, decide, settle*: this is the step. It asks the provider once, puts what was made into the store, and returns a
 * settlement. It never retries and never waits; a call that brought no answer is a lost answer, not a failure.
 */
import type { Asset, StoredBlob } from '../domain/asset.ts'
import type { Sign } from '../domain/breaker.ts'
import type { Card } from '../domain/card.ts'
import { asProblem, Problem, problems, storeProblem, type ProblemCode } from '../domain/problem.ts'
import { findWays, isPatient, isSame, isUnable, type Candidate, type Try, type Ways } from '../domain/routing.ts'
import { backoffMs, decide, pollMs } from '../domain/task.ts'
import { failed, wait, type Outcome } from '../domain/outcome.ts'
import type { Connection, Job, JobInput, JobOutcome, Made, Making, Provider } from '../providers/contract.ts'
import type { Log } from '../kit/log.ts'
import type { Claim } from './claim.ts'
import { costOfFailure, settleMaking } from './making.ts'
import { askingOf, type Receipt, type TaskRow } from './rows.ts'
import type { Settlement } from './settle.ts'

/** What a step needs of the rooms beside the engine. */
export interface StepTools {
  findCard(id: string): Card | null
  /** Whose a further account of a provider is, by its id. */
  accountOf?(provider: string): string | undefined
  inputsOf(row: TaskRow): Promise<Asset[]>
  readBytes(sha256: string): Promise<Buffer>
  linkFor(asset: Asset): string | null
  storeMade(made: Made, expect: { kind: 'image' | 'video' }): Promise<StoredBlob>
  callbackUrl(row: TaskRow): string | null
  /** Shows an in-between picture to whoever follows the task. A hint: it never fails. */
  showPartial(row: TaskRow, index: number, bytes: Uint8Array): Promise<void>
  /** Says how far a task in hand is. A hint likewise. */
  showProgress(row: TaskRow, percent: number): Promise<void>
  outputExpiry(row: TaskRow, now: Date): Date | null
  /** The card's routes in this task's order, and how they stand; empty where there is one way only. */
  routesOf(row: TaskRow): Candidate[]
  /** Every time an upstream was asked for this task so far. `again`: the present attempt was put to it before, under the same key. */
  readTries(row: TaskRow): Promise<{ tries: (Try & { attempt: number })[]; again: boolean }>
  now(): Date
  chance(): number
  log: Log
}

/** A provider that is set up here. */
export interface Workbench { provider: Provider; connection: Connection }

/** How often an upstream that makes it in the call is asked how far it is. */
const glanceMs = 1_000

/** What came of a step: what becomes of the task, how long its provider wants to be left alone, and what it told about its health. */
export interface Stepped { settlement: Settlement; pauseMs?: number; sign?: Sign; /** It failed at this provider before. */ again?: true }

export async function step(claim: Claim, bench: Workbench, tools: StepTools, signal: AbortSignal): Promise<Stepped> {
  const { row } = claim
  const remembered = row.receipt
  try {
    if (!claim.first && remembered?.kind === 'fetch') return { settlement: await settleMaking(row, remembered.making as unknown as Making, tools) }
    const job = writeJob(row, await tools.inputsOf(row), tools)
    // One after the other, as they came; and before the claim is let go, for they are seen only while it is held.
    let shown = Promise.resolve()
    const outcome = await ask(claim, job, bench, signal, tools, (index, bytes) => { shown = shown.then(() => tools.showPartial(row, index, bytes)) })
    await shown
    const sign = claim.first && !signal.aborted ? signOf(outcome) : null
    return { ...await settleAnswer(claim, outcome, bench, tools), ...(sign ? { sign } : {}) }
  } catch (thrown) {
    if (!(thrown instanceof Problem)) tools.log.error({ taskId: row.id, provider: row.provider, error: thrown }, 'a step failed unexpectedly')
    const problem = asProblem(thrown)
    // Our own trouble while the upstream goes on: what is being made is not touched by it, so look again.
    const ours = problem.code === 'internal' || problem.code === 'unavailable'
    return settleOutcome(claim, ours && !claim.first ? wait(null, pollMs(row.polls, 0.5)) : failed(problem), bench, tools)
  }
}

async function settleAnswer(claim: Claim, outcome: Answer, bench: Workbench, tools: StepTools): Promise<Stepped> {
  const { row } = claim
  if (askingOf(row.receipt)?.fresh && (outcome === 'again' || typeof outcome === 'object' && outcome.kind === 'failed')) return { settlement: expire(row, outcome, tools) }
  if (outcome === 'again') return { settlement: askAgain(row, tools) }
  if (outcome === 'lost') return { settlement: loseAnswer(row, bench, tools) }
  if (outcome.kind === 'done') return { settlement: await settleMaking(row, outcome.value, tools) }
  if (outcome.kind === 'failed' && outcome.problem.code === 'outcome_unknown' && claim.first) return { settlement: loseAnswer(row, bench, tools, outcome.problem) }
  return settleOutcome(claim, outcome, bench, tools)
}

const downCodes: ReadonlySet<ProblemCode> = new Set(['provider_down', 'provider_timeout', 'outcome_unknown'])
/** Said by us, or before anybody was asked: no word of the upstream's. */
const ownCodes: ReadonlySet<ProblemCode> = new Set(['bad_input_image', 'internal', 'unavailable', 'deadline', 'cancelled', 'shutting_down'])

/** What the answer to a submission says of the upstream's health; null where it says nothing. */
function signOf(outcome: Answer): Sign | null {
  if (outcome === 'again') return null
  if (outcome === 'lost') return 'failing'
  if (outcome.kind !== 'failed') return 'alive'
  const { code } = outcome.problem
  return downCodes.has(code) ? 'failing' : isUnable(code) || ownCodes.has(code) ? null : 'alive'
}

type Answer = JobOutcome | 'lost' | 'again'

/** Asks the provider. `lost`: no answer came, so nobody here knows whether it is making it. `again`: it certainly never heard of it. */
async function ask(claim: Claim, job: Job, { provider, connection }: Workbench, signal: AbortSignal, tools: StepTools, partial: (index: number, bytes: Uint8Array) => void): Promise<Answer> {
  const { row, first } = claim
  try {
    if (first && row.operation === 'write' && !provider.writes) throw new Problem('unsupported_parameter', `${provider.title}, which makes ${row.upstream_model} here, makes no text.`, { field: 'operation', value: row.operation })
    if (first) {
      const making = connection.submit(job, signal, partial)
      return await (connection.glance ? glancing(making, async () => {
        const percent = await connection.glance!(job, signal, partial)
        if (percent !== null) await tools.showProgress(row, Math.round(Math.min(99, Math.max(0, percent))))
      }) : making)
    }
    if (row.receipt?.kind === 'find') return await connection.find!(job, signal) ?? 'again'
    return await connection.poll!(row.receipt!.kind === 'upstream' ? row.receipt!.receipt : null, job, signal, partial)
  } catch (thrown) {
    const problem = asProblem(thrown)
    if (first && isUnable(problem.code)) return failed(problem)
    const passing = signal.aborted || problem.code === 'provider_down' || problem.code === 'provider_timeout' || problem.code === 'provider_busy'
    if (!passing) throw thrown
    // Looking may fail as often as it likes: what is being made is not touched by it.
    if (!first) return wait(null, pollMs(row.polls, 0.5))
    if (provider.repeat === 'safe') {
      if (signal.aborted) return signal.reason === 'deadline' ? failed(new Problem('deadline', 'This was not ready within the time it was given. Nothing was charged.')) : 'again'
      return failed(problem)
    }
    // A connection that was refused carried nothing; any other silence may hide a purchase.
    return problem.code === 'provider_busy' || !signal.aborted && problem.details.reached === false ? failed(problem) : 'lost'
  }
}

/** Looks now and then at what is being made in a call that has not answered yet, one look at a time. A look that fails is nothing. */
function glancing<T>(making: Promise<T>, look: () => Promise<void>): Promise<T> {
  let looking = false
  const timer = setInterval(() => {
    if (looking) return
    looking = true
    look().catch(() => {}).finally(() => { looking = false })
  }, glanceMs)
  return making.finally(() => clearInterval(timer))
}

export function writeJob(row: TaskRow, inputs: Asset[], tools: Pick<StepTools, 'readBytes' | 'linkFor' | 'callbackUrl'>): Job {
  return {
    ...(askingOf(row.receipt)?.fresh ? { fresh: true } : {}),
    taskId: row.id, attempt: row.attempts, key: `${row.id}-${row.attempts}`, cardId: row.model, model: row.upstream_model, operation: row.operation,
    prompt: row.prompt, parameters: row.parameters, count: row.count, partials: row.partials, width: row.width, height: row.height, livemode: row.livemode, priority: row.priority, endBy: row.end_by,
    callbackUrl: tools.callbackUrl(row),
    inputs: row.inputs.map(({ assetId, role }): JobInput => {
      const asset = inputs.find(one => one.id === assetId)
      if (!asset) throw new Problem('bad_input_image', `The input ${assetId} is gone. Upload it again.`, { field: 'inputs', value: assetId })
      return { assetId, role, mime: asset.mime, sizeBytes: asset.sizeBytes, width: asset.width, height: asset.height, sha256: asset.sha256,
        read: () => tools.readBytes(asset.sha256), link: () => tools.linkFor(asset) }
    }),
  }
}

/** It was made, its links had expired, and there are no others. Whatever the upstream says of it now, it is not bought again. */
function expire(row: TaskRow, outcome: JobOutcome | 'again', tools: StepTools): Settlement {
  const problem = new Problem('output_expired', 'This was made, but the upstream does not hand it out any more. Nothing was charged.')
  const took = outcome !== 'again' && outcome.kind === 'failed' ? outcome.took : undefined
  const cost = costOfFailure(row, problem, took, tools)
  return { id: row.id, turn: row.turn, state: 'failed', attemptOutcome: 'failed', chargedMicros: 0, problem: storeProblem(problem), ...(cost ? { cost } : {}) }
}

/**
 * The upstream surely never heard of this attempt: it is made again under the same number. After a pause where that had to be found out:
 * an upstream that loses every answer would be asked as fast as it can lose them.
 */
const askAgain = (row: TaskRow, tools: StepTools): Settlement =>
  ({ id: row.id, turn: row.turn, state: 'queued', dueAt: new Date(tools.now().getTime() + (row.receipt?.kind === 'find' ? backoffMs(row.polls, tools.chance()) : 0)), receipt: null, attemptOutcome: null, uncount: true })

/** The answer to a submission was lost. Find out what became of it where that can be found out; say so where not. */
function loseAnswer(row: TaskRow, { provider, connection }: Workbench, tools: StepTools, said?: Problem): Settlement {
  if (provider.repeat === 'safe' && !said) return askAgain(row, tools)
  if (provider.repeat === 'find' && connection.find) return { id: row.id, turn: row.turn, state: 'waiting', dueAt: tools.now(), receipt: { kind: 'find' }, attemptOutcome: null }
  return {
    id: row.id, turn: row.turn, state: 'failed', attemptOutcome: 'unknown', chargedMicros: 0,
    problem: storeProblem(said ?? new Problem('outcome_unknown', 'The upstream was asked and its answer was lost, so it may or may not have made this. It was not asked again and nothing was charged. Send it again if you want it made.')),
  }
}

/**
 * Where else a failed attempt may be made.
 *
 * Only what failed when it was submitted, or what an upstream took back by its own word (`later`), was surely not bought. Neither is sure
 * where an earlier asking under the same key was lost: then nobody but the same upstream, which knows the key, may be asked.
 */
async function waysFor({ row, first }: Claim, problem: Problem, retryAfterMs: number | null, bench: Workbench, tools: StepTools): Promise<{ ways: Ways | null; spared?: number; round?: number }> {
  const { code } = problem
  const { again } = problems[code]
  if (again === 'no' && !isUnable(code) || again !== 'later' && !first) return { ways: null }
  const { tries, again: askedBefore } = await tools.readTries(row)
  const earlier = tries.filter(one => one.attempt < row.attempts)
  const unsure = bench.provider.repeat === 'safe' && (askedBefore || code === 'provider_down' && problem.details.reached !== false)
  const ranked = unsure ? [] : tools.routesOf(row)
  const present = { provider: row.provider, model: row.upstream_model }
  return {
    spared: earlier.filter(one => isPatient(one.code)).length,
    round: earlier.filter(one => isSame(one, present)).length + 1,
    ways: findWays({ ranked, present, tries: [...earlier, { ...present, code }], retryAfterMs, now: tools.now() }),
  }
}

async function settleOutcome(claim: Claim, outcome: Outcome<unknown>, bench: Workbench, tools: StepTools): Promise<Stepped> {
  const { row } = claim
  const { ways, ...past }: Awaited<ReturnType<typeof waysFor>> = outcome.kind === 'failed' ? await waysFor(claim, outcome.problem, outcome.retryAfterMs, bench, tools) : { ways: null }
  const decision = decide({ attempts: row.attempts, attemptsMax: row.attempts_max, endBy: row.end_by, polls: row.polls, ...past }, outcome, tools.now(), tools.chance(), ways)
  const problem = decision.problem && storeProblem(outcome.kind === 'failed' && outcome.retryAfterMs !== null && decision.problem.details.retryAfterS === undefined
    ? new Problem(decision.problem.code, decision.problem.message, { ...decision.problem.details, retryAfterS: Math.ceil(outcome.retryAfterMs / 1_000) }) : decision.problem)
  const cost = outcome.kind === 'failed' ? costOfFailure(row, outcome.problem, outcome.took, tools) : undefined
  const common = { id: row.id, turn: row.turn, problem, event: decision.event, ...(cost ? { cost } : {}) }
  const told = {
    ...outcome.kind === 'failed' && outcome.problem.code === 'provider_busy' && outcome.retryAfterMs !== null ? { pauseMs: outcome.retryAfterMs } : {},
    ...(past.round ?? 1) > 1 ? { again: true as const } : {},
  }
  switch (decision.state) {
    case 'waiting': {
      // A look that failed brings no receipt: the one we have stays.
      const receipt: Receipt | null = decision.receipt === null ? row.receipt : { kind: 'upstream', receipt: decision.receipt, ...(askingOf(row.receipt)?.fresh ? { fresh: true } : {}) }
      const progress = outcome.kind === 'wait' ? outcome.progress ?? null : null
      return { settlement: { ...common, state: 'waiting', dueAt: decision.dueAt, receipt, attemptOutcome: null, upstreamId: upstreamIdOf(receipt), progress,
        event: progress !== null && progress !== row.progress ? 'task.progressed' : null } }
    }
    case 'queued': {
      const route = decision.route && decision.route.provider === row.provider && decision.route.model === row.upstream_model ? null : decision.route
      const warning = route ? movedWarning(row, decision.problem!.code) : null
      return { settlement: { ...common, state: 'queued', dueAt: decision.dueAt, receipt: null, attemptOutcome: 'failed', ...(route ? { route } : {}),
        ...(warning && !row.warnings.includes(warning) ? { warnings: [warning] } : {}) }, ...told }
    }
    default:
      return { settlement: { ...common, state: 'failed', attemptOutcome: outcome.kind === 'failed' && outcome.problem.code === 'outcome_unknown' ? 'unknown' : 'failed',
        chargedMicros: decision.credits === 'capture' ? row.price_micros : 0 }, ...told }
  }
}

/** Said once for each provider and reason, however often a task comes back to it. */
export const movedWarning = ({ provider }: Pick<TaskRow, 'provider'>, why: ProblemCode | 'down' | 'busy' | 'closed'): string =>
  `${provider} was to make this and did not (${why}); another route of the model was taken.`

/** The upstream's own id of the job, where the receipt has one under its usual name. */
const upstreamIdOf = (receipt: Receipt | null): string | null => {
  if (receipt?.kind !== 'upstream' || receipt.receipt === null || typeof receipt.receipt !== 'object' || Array.isArray(receipt.receipt)) return null
  const { id } = receipt.receipt
  return typeof id === 'string' ? id.slice(0, 200) : null
}
