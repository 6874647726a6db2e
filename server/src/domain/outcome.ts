import type { Problem } from './problem.ts'
import type { Took } from './usage.ts'

/** Any JSON value: what a receipt is made of. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/**
 * What one call outside brought. A provider never waits: it is done, or it hands over a receipt to come back with, or it failed.
 */
export type Outcome<T> =
  | { kind: 'done'; value: T }
  | { kind: 'wait'; receipt: Json; afterMs: number | null; progress?: number }
  | { kind: 'failed'; problem: Problem; retryAfterMs: number | null; took?: Took }

export const done = <T>(value: T): Outcome<T> => ({ kind: 'done', value })

/** The upstream works on it. `afterMs` says when asking makes sense; null leaves the rhythm to the engine (1 s × 1.5 up to 10 s). */
export const wait = (receipt: Json, afterMs: number | null = null, progress?: number): Outcome<never> =>
  ({ kind: 'wait', receipt, afterMs, ...(progress === undefined ? {} : { progress }) })

/** `retryAfterMs` is the upstream's own word (`Retry-After`); null leaves the pause to the engine. `took`: what the upstream says it cost all the same. */
export const failed = (problem: Problem, retryAfterMs: number | null = null, took: Took = {}): Outcome<never> & { kind: 'failed' } =>
  ({ kind: 'failed', problem, retryAfterMs, ...(took.usage || took.costMicros !== undefined ? { took } : {}) })
