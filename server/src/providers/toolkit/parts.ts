/**
 * Orders that become several jobs at an upstream with a queue: what each came to, kept in the receipt until the last has ended.
 *
 * Receipts hold links and never bytes: they stand in a row.
 */
import { Type, type Static } from 'typebox'
import { done, failed } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem, problems, type ProblemCode } from '../../domain/problem.ts'
import type { JobOutcome, Made, Making } from '../contract.ts'
import { gravest, missingOnes } from '../toolkit.ts'

/** A failure, with how long the upstream asks to be left alone. */
export interface Failure { problem: Problem; retryAfterMs: number | null }
export const failure = (problem: Problem, retryAfterMs: number | null = null): Failure => ({ problem, retryAfterMs })

/** A failure as it stands in a receipt. */
export const Failed = Type.Object({ code: Type.String(), message: Type.String(), upstreamCode: Type.Optional(Type.String()) })
export type Failed = Static<typeof Failed>

export const storeFailed = ({ code, message, details: { upstreamCode } }: Problem): Failed => ({ code, message, ...(upstreamCode === undefined ? {} : { upstreamCode }) })
export const failedAgain = ({ code, message, upstreamCode }: Failed): Problem => new Problem(code as ProblemCode, message, upstreamCode === undefined ? {} : { upstreamCode })

/** What one job brought: links, with the seed where it was told. */
export const Links = Type.Array(Type.Object({ url: Type.String(), seed: Type.Optional(Type.Number()) }))

/** A job whose links have expired, as if it had not been looked at. */
export function withoutLinks<T extends { links?: Static<typeof Links> }>(one: T): Omit<T, 'links'> {
  const { links: _, ...rest } = one
  return rest
}

/** All were refused at the door: nothing was begun, so it cost nothing, unless nobody knows about one of them. */
export function refuse(failures: Failure[]): JobOutcome {
  const { problem, retryAfterMs } = gravest(failures)
  const isOpen = failures.some(one => one.problem.code === 'outcome_unknown')
  return failed(problem, retryAfterMs, isOpen || problems[problem.code].bought === 'no' ? {} : { costMicros: 0 })
}

/** Everything asked for has ended: what came is kept, and what did not is said. Failures count only where nothing came. */
export function finish(made: Made[], failures: Failed[], count: number, { warnings = [], ...rest }: Omit<Making, 'made'> & { details: Record<string, Json> }): JobOutcome {
  const problems = failures.map(failedAgain)
  if (made.length === 0) return failed(gravest(problems.map(problem => failure(problem))).problem)
  return done({ made, ...rest, warnings: [...warnings, ...missingOnes(problems, count)] })
}
