/**
 * Jobs an upstream took and then says it does not know. It may be true for a moment, after they were made or while it restarts, so one look
 * proves nothing: a job is lost when two looks, a minute or more apart, found it missing and none between them found it there.
 */
import { Type } from 'typebox'
import { failed, wait } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import type { Problem } from '../../domain/problem.ts'
import type { JobOutcome } from '../contract.ts'

/** How long a job has to be missing before it is given up, in milliseconds. */
export const missingMs = 60_000

/** The part of a receipt that remembers it: when the job was first found missing, in milliseconds. Absent while it is there. */
export const MissingSince = Type.Optional(Type.Number())
interface Sought { missingSince?: number }

/** A job that was found missing, and since when. */
export const miss = <T extends Sought>(job: T, nowMs: number): T => ({ ...job, missingSince: job.missingSince ?? nowMs })

/** A job that was not found missing: earlier looks that did are forgotten. */
export function see<T extends Sought>(job: T): Omit<T, 'missingSince'> {
  const { missingSince: _, ...rest } = job
  return rest
}

/** Whether a job that is missing now is lost. */
export const isLost = ({ missingSince }: Sought, nowMs: number): boolean => missingSince !== undefined && nowMs - missingSince >= missingMs

/** What to do with a receipt whose only job is missing. */
export const waitOrLose = <T extends Sought & Record<string, Json>>(receipt: T, nowMs: number, problem: Problem): JobOutcome =>
  isLost(receipt, nowMs) ? failed(problem) : wait(miss(receipt, nowMs))
