/** Many orders under one roof: a file of rows, each of which becomes a task, and the files of what came of them. */
import type { Json } from './outcome.ts'
import type { StoredProblem } from './problem.ts'

/** `reading`: the rows are looked through; `running`: they become tasks; `writing`: all have ended and the results are put together. */
export const batchStates = ['reading', 'running', 'writing', 'done', 'failed', 'cancelled', 'expired'] as const
export type BatchState = (typeof batchStates)[number]
export const batchHasEnded = (state: BatchState): boolean => state === 'done' || state === 'failed' || state === 'cancelled' || state === 'expired'

/** What is wrong with a line of the file, where that fails the batch as a whole. */
export interface BatchProblem { code: string; message: string; line: number | null; param: string | null }

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
}

/** `waiting` to be made a task, `claimed` by a process that makes one, `making` as long as its task has not ended. */
export type RowState = 'waiting' | 'claimed' | 'making' | 'done' | 'failed' | 'cancelled' | 'expired'

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
  /** Why there is no task. */
  problem: StoredProblem | null
}
