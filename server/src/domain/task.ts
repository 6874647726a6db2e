/**
 * A task: the making of one order, and what may become of it.
 *
 * Absent on purpose: the clock and chance (arguments), I/O, dialects.
 */
import type { Asset } from './asset.ts'
import type { InputReference, Operation, Priority } from './order.ts'
import type { Json, Outcome } from './outcome.ts'
import { problems, type Problem, type ProblemCode, type StoredProblem } from './problem.ts'
import { isUnable, type Route, type Ways } from './routing.ts'
import type { TemplateStamp } from './template.ts'

export const states = ['queued', 'running', 'waiting', 'done', 'failed', 'cancelled'] as const
export type State = (typeof states)[number]
export type EndState = 'done' | 'failed' | 'cancelled'

export const hasEnded = (state: State): state is EndState => state === 'done' || state === 'failed' || state === 'cancelled'

/** One time an upstream was asked to make a task, and what came of it: null while nothing has. */
export interface Tried {
  attempt: number
  provider: string
  model: string
  outcome: 'done' | 'failed' | 'unknown' | 'cancelled' | null
  code: ProblemCode | null
  message: string | null
  /** Seconds the upstream asked to be left alone for. */
  retryAfterS: number | null
  at: Date
  endedAt: Date | null
}

export interface Task {
  /** 32 lower-case hexadecimal characters, rising with time (UUID version 7). */
  id: string
  accountId: string
  projectId: string
  keyId: string | null
  livemode: boolean
  state: State
  /** Raised by every claim; a write-back names the turn it holds. */
  turn: number
  /** How often an upstream was asked to make it. */
  attempts: number
  attemptsMax: number
  /** The card's id, and the name the caller used. */
  model: string
  modelAsked: string
  /** Which template it was made from, where it was. */
  template?: TemplateStamp
  operation: Operation
  prompt: string
  parameters: Record<string, Json>
  inputs: InputReference[]
  priority: Priority
  /** Who makes it, under which upstream name; the receipt's upstream id when one is known. */
  provider: string
  upstreamModel: string
  upstreamId: string | null
  /** 0 to 100, where the upstream says. */
  progress: number | null
  priceMicros: number
  /** Set when the task has ended. */
  chargedMicros: number | null
  outputs: Asset[]
  /** What its upstreams made after it had ended: kept, and never charged. */
  lateOutputs?: Asset[]
  /** Text that came with the pictures; of an order to write, what was made. */
  text: string | null
  /** What the provider tells about the making (seed, what the sandbox understood). */
  details: Record<string, Json>
  warnings: string[]
  problem: StoredProblem | null
  /** Who was asked, in order; of very many the latest. */
  tried: Tried[]
  metadata: Record<string, string>
  callbackUrl: string | null
  wire: { protocol: string; body: Json } | null
  createdAt: Date
  startedAt: Date | null
  endedAt: Date | null
  dueAt: Date
  startBy: Date | null
  endBy: Date
}

export type EventType = 'task.created' | 'task.started' | 'task.progressed' | 'task.retried' | 'task.completed' | 'task.failed' | 'task.cancelled' | 'task.late_result'

export interface TaskEvent {
  /** Rises within a project; a reader that has seen N asks for what came after N. */
  id: number
  type: EventType
  taskId: string
  livemode: boolean
  createdAt: Date
  data: Record<string, Json>
}

export const endEvent: Record<EndState, EventType> = { done: 'task.completed', failed: 'task.failed', cancelled: 'task.cancelled' }

/** What becomes of the hold: kept while work goes on, captured when it is paid, released when it is not. */
export type Credits = 'keep' | 'capture' | 'release'

export interface Decision {
  state: 'queued' | 'waiting' | EndState
  /** For `queued` and `waiting`: when to look again. */
  dueAt: Date | null
  receipt: Json | null
  credits: Credits
  event: EventType | null
  problem: Problem | null
  /** Where it goes; null where it stays with whom it is. */
  route: Route | null
}

const later = (now: Date, ms: number) => new Date(now.getTime() + ms)

/** Pause before asking a busy or broken upstream again: 0.5 s, 1 s, 2 s … up to 60 s, spread by ±25 %. `chance` is in [0, 1). */
export const backoffMs = (attempt: number, chance: number): number =>
  Math.round(Math.min(60_000, 500 * 2 ** Math.max(0, attempt - 1)) * (0.75 + chance / 2))

/** Pause before looking at a waiting job again: 1 s × 1.5 up to 10 s, spread by ±20 % (DESIGN 5). `polls` counts the looks so far. */
export const pollMs = (polls: number, chance: number): number => Math.round(Math.min(10_000, 1_000 * 1.5 ** polls) * (0.8 + 0.4 * chance))

/** Pause before looking again at an attempt whose task has ended: 30 s, 1 min, 2 min … up to 15 min. `looks` counts those that were. */
export const lateMs = (looks: number): number => Math.min(900_000, 30_000 * 2 ** Math.max(0, Math.min(10, looks - 1)))

/** What `decide` needs to know of a task. `spared`: how many of its earlier attempts do not count (`isPatient`); `round`: how often its present route was asked. */
export type Deciding = Pick<Task, 'attempts' | 'attemptsMax' | 'endBy'> & { polls: number; spared?: number; round?: number }

/** Where a busy upstream says when to come back, our own pauses do not grow beyond this: it knows better. */
const toldBackoffMs = 5_000

/** Below this a task is not put off again: there would be no time left to make anything. */
const pauseMinMs = 250

/**
 * Turns an outcome into a decision. Pure: same arguments, same answer.
 *
 * `ways` says where a failed attempt may go on (`findWays`); null where nothing else may be asked, because there is nobody or because it
 * may have been bought.
 */
export function decide(task: Deciding, outcome: Outcome<unknown>, now: Date, chance: number, ways: Ways | null = null): Decision {
  switch (outcome.kind) {
    case 'done':
      return { state: 'done', dueAt: null, receipt: null, credits: 'capture', event: 'task.completed', problem: null, route: null }
    case 'wait': {
      const dueAt = later(now, outcome.afterMs ?? pollMs(task.polls, chance))
      return { state: 'waiting', dueAt: dueAt < task.endBy ? dueAt : task.endBy, receipt: outcome.receipt, credits: 'keep', event: null, problem: null, route: null }
    }
    case 'failed': {
      const { code } = outcome.problem
      const { again, charge } = problems[code]
      const queued = (dueAt: Date, route: Route | null): Decision => ({ state: 'queued', dueAt, receipt: null, credits: 'keep', event: 'task.retried', problem: outcome.problem, route })
      // Patience for an upstream that is only full ends with the task's time; for one that is broken, with a number of attempts.
      const isBusy = code === 'provider_busy'
      const patient = isBusy || task.attempts - (task.spared ?? 0) < task.attemptsMax
      if (ways && patient && code !== 'unavailable' && (again !== 'no' || isUnable(code))) {
        if (ways.now && now < task.endBy) return queued(now, ways.now)
        if (again !== 'later' && ways.later) {
          const dueAt = later(now, ways.later.floorMs)
          if (dueAt < task.endBy) return queued(dueAt, ways.later.route)
        }
      }
      if (again === 'later' && patient) {
        // The upstream's own word is a floor: asking sooner only spends an attempt.
        const floor = ways?.later ? ways.later.floorMs : outcome.retryAfterMs ?? 0
        const remaining = task.endBy.getTime() - now.getTime()
        const backoff = Math.min(backoffMs(task.round ?? task.attempts, chance), isBusy && outcome.retryAfterMs !== null ? toldBackoffMs : Infinity)
        const pause = Math.max(floor, isBusy ? Math.max(pauseMinMs, Math.min(backoff, remaining / 2)) : backoff)
        const dueAt = later(now, pause)
        if (dueAt < task.endBy) return queued(dueAt, code === 'unavailable' ? null : ways?.later?.route ?? null)
      }
      return { state: 'failed', dueAt: null, receipt: null, credits: charge ? 'capture' : 'release', event: 'task.failed', problem: outcome.problem, route: null }
    }
  }
}
