/**
 * A task: the making of one order, and what may become of it.
 *
 * Absent on purpose: the clock and chance (arguments), I/O, dialects.
 */
import type { Asset } from './asset.ts'
import type { InputReference, Operation, Priority } from './order.ts'
import type { Json, Outcome } from './outcome.ts'
import { problems, type Problem, type StoredProblem } from './problem.ts'

export const states = ['queued', 'running', 'waiting', 'done', 'failed', 'cancelled'] as const
export type State = (typeof states)[number]
export type EndState = 'done' | 'failed' | 'cancelled'

export const hasEnded = (state: State): state is EndState => state === 'done' || state === 'failed' || state === 'cancelled'

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
  /** Text that came with the pictures. */
  text: string | null
  /** What the provider tells about the making (seed, what the sandbox understood, who was tried). */
  details: Record<string, Json>
  warnings: string[]
  problem: StoredProblem | null
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

export type EventType = 'task.created' | 'task.started' | 'task.progressed' | 'task.retried' | 'task.completed' | 'task.failed' | 'task.cancelled'

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
}

const later = (now: Date, ms: number) => new Date(now.getTime() + ms)

/** Pause before asking a busy or broken upstream again: 0.5 s, 1 s, 2 s … up to 60 s, spread by ±25 %. `chance` is in [0, 1). */
export const backoffMs = (attempt: number, chance: number): number =>
  Math.round(Math.min(60_000, 500 * 2 ** Math.max(0, attempt - 1)) * (0.75 + chance / 2))

/** Pause before looking at a waiting job again: 1 s × 1.5 up to 10 s, spread by ±20 % (DESIGN 5). `polls` counts the looks so far. */
export const pollMs = (polls: number, chance: number): number => Math.round(Math.min(10_000, 1_000 * 1.5 ** polls) * (0.8 + 0.4 * chance))

/** What `decide` needs to know of a task. */
export type Deciding = Pick<Task, 'attempts' | 'attemptsMax' | 'endBy'> & { polls: number }

/** Turns an outcome into a decision. Pure: same arguments, same answer. */
export function decide(task: Deciding, outcome: Outcome<unknown>, now: Date, chance: number): Decision {
  switch (outcome.kind) {
    case 'done':
      return { state: 'done', dueAt: null, receipt: null, credits: 'capture', event: 'task.completed', problem: null }
    case 'wait': {
      const dueAt = later(now, outcome.afterMs ?? pollMs(task.polls, chance))
      return { state: 'waiting', dueAt: dueAt < task.endBy ? dueAt : task.endBy, receipt: outcome.receipt, credits: 'keep', event: null, problem: null }
    }
    case 'failed': {
      const { again, charge } = problems[outcome.problem.code]
      if (again === 'later' && task.attempts < task.attemptsMax) {
        // The upstream's own word is a floor: asking sooner only spends an attempt.
        const pause = Math.max(outcome.retryAfterMs ?? 0, backoffMs(task.attempts, chance))
        const dueAt = later(now, pause)
        if (dueAt < task.endBy) return { state: 'queued', dueAt, receipt: null, credits: 'keep', event: 'task.retried', problem: outcome.problem }
      }
      return { state: 'failed', dueAt: null, receipt: null, credits: charge ? 'capture' : 'release', event: 'task.failed', problem: outcome.problem }
    }
  }
}

/** What part of the price is owed when fewer pictures came than were asked for. Whole micro-dollars, rounded in the caller's favour. */
export const chargeFor = (priceMicros: number, asked: number, made: number): number =>
  made >= asked ? priceMicros : Math.floor(priceMicros * made / asked)
