/** Many orders under one roof: a file of rows, each of which becomes a task, and the files of what came of them. */
import type { Json } from './outcome.ts'
import type { Execution } from './graph/execution.ts'
import type { StoredProblem } from './problem.ts'
import type { Task } from './task.ts'

/** `reading`: the rows are looked through; `running`: they become tasks; `writing`: all have ended and the results are put together. */
export const batchStates = ['reading', 'running', 'writing', 'done', 'failed', 'cancelled', 'expired'] as const
export type BatchState = (typeof batchStates)[number]
export const batchHasEnded = (state: BatchState): boolean => state === 'done' || state === 'failed' || state === 'cancelled' || state === 'expired'

/** What is wrong with a line of the file: `param` is the field, and for sheets the column, with what stands there. */
export interface BatchProblem { code: string; message: string; line: number | null; param: string | null; value?: string }

/** Why no row is begun: somebody said so, it was only to be checked, the cap or the credits are used up, or its key opens nothing any more. */
export type PauseReason = 'asked' | 'dry_run' | 'budget' | 'credits' | 'key'

/** What is told of batches to endpoints that listen. `batch.paused` only where nobody asked for the pause. */
export const batchEvents = ['batch.completed', 'batch.failed', 'batch.cancelled', 'batch.expired', 'batch.paused'] as const
export type BatchEventType = (typeof batchEvents)[number]

export interface Batch {
  id: string
  accountId: string
  projectId: string
  keyId: string
  livemode: boolean
  /** Whose words the rows and results are in, and which of its calls every row is. */
  protocol: string
  call: string
  state: BatchState
  inputFileId: string | null
  /** Where the rows lie, until the batch has ended. */
  inputSha256: string | null
  outputFileId: string | null
  errorFileId: string | null
  options: Record<string, Json>
  metadata: Record<string, string>
  problems: BatchProblem[]
  rows: { total: number; done: number; failed: number; cancelled: number; expired: number }
  createdAt: Date
  startedAt: Date | null
  cancellingAt: Date | null
  writingAt: Date | null
  endedAt: Date | null
  /** What has not been made by then is not made. */
  endsBy: Date
  outputExpiresS: number | null
  name: string | null
  callbackUrl: string | null
  /** Rows in the making at once; null for as many as the house gives one batch. */
  concurrency: number | null
  budgetMaxMicros: number | null
  /** What ended rows were charged. */
  costMicros: number
  /** Prices of all rows, as they were checked; null where rows are not checked before. */
  priceMinMicros: number | null
  priceMaxMicros: number | null
  pausedAt: Date | null
  pausedBecause: PauseReason | null
  resumedAt: Date | null
}

/** How far the rows of a batch are, beside its counts of ended ones. */
export interface BatchStanding {
  /** Rows that have been looked through. */
  checked: number
  waiting: number
  making: number
  /** Counted at the same moment as the others. */
  ended: Pick<Batch['rows'], 'done' | 'failed' | 'cancelled' | 'expired'>
  /** Rows that ended within the last `latelyS` seconds, for how fast it goes. */
  endedLately: number
  latelyS: number
}

/** A batch that is made anew by the clock. */
export interface BatchSchedule {
  id: string; accountId: string; projectId: string; keyId: string; livemode: boolean
  name: string; enabled: boolean; protocol: string
  /** The order of the batch, in the dialect's words. */
  body: Json
  cron: string; timeZone: string; missed: 'skip' | 'once' | 'all'
  nextAt: Date | null; lastAt: Date | null; lastBatchId: string | null; lastProblem: StoredProblem | null
  createdAt: Date
}
export interface BatchScheduleOrder { name: string; protocol: string; body: Json; cron: string; timeZone: string; missed: 'skip' | 'once' | 'all' }
export interface BatchScheduleChange { name?: string; enabled?: boolean; body?: Json; cron?: string; timeZone?: string; missed?: 'skip' | 'once' | 'all' }

/** `waiting` to be made a task, `claimed` by a process that makes one, `making` as long as its task or execution has not ended. */
export const rowStates = ['waiting', 'claimed', 'making', 'done', 'failed', 'cancelled', 'expired'] as const
export type RowState = (typeof rowStates)[number]

export interface BatchRow {
  /** The line it stands in, from 1. */
  number: number
  /** The caller's name for it, and what else the dialect wants back with its result. */
  name: string | null
  note: Json | null
  fromByte: number
  sizeBytes: number
  state: RowState
  turn: number
  taskId: string | null
  executionId: string | null
  /** The most it may be charged, as it was checked; null where it was not. */
  priceMicros: number | null
  chargedMicros: number
  attempt: number
  /** Tasks or executions of earlier attempts. */
  tried: string[]
  endedAt: Date | null
  /** Why there is no task. */
  problem: StoredProblem | null
}

/** A row with what came of it. */
export interface MadeRow {
  row: BatchRow
  task: Task | null
  execution: Execution | null
  /** The row as it was sent; null where it is no longer kept. */
  sent: Json
}
