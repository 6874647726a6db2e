/** Text as what was made, for back doors that write. Pure. */
import { done, failed } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import type { Took } from '../../domain/usage.ts'
import type { Finish, Job, JobOutcome } from '../contract.ts'

export interface Written extends Took {
  text: string
  finish: Finish
  details?: Record<string, Json>
  warnings?: string[]
  upstreamId?: string | null
}

/** A text, or what it means that none came. `title`: who wrote it, as a sentence begins. */
export function readWritten(title: string, { parameters }: Pick<Job, 'parameters'>, { text, finish, details = {}, warnings = [], upstreamId, usage, costMicros }: Written): JobOutcome {
  const took: Took = { ...(usage ? { usage } : {}), ...(costMicros === undefined ? {} : { costMicros }) }
  if (text.trim() === '') {
    return failed(new Problem('bad_output', finish === 'length' ? `${title} used up the tokens it was allowed before it wrote a word. Raise max_tokens, or lower effort.` : `${title} answered without a text.`, { upstreamCode: finish }), null, took)
  }
  const cut = finish === 'length' ? [`The text was cut off after ${String(parameters.max_tokens ?? 'as many')} tokens. Raise max_tokens for the rest.`] : []
  const all = [...warnings, ...cut]
  return done({ made: [], text, details: { finish, ...details }, ...(all.length > 0 ? { warnings: all } : {}), ...(upstreamId ? { upstreamId } : {}), ...took })
}

/** The instruction that stands over an order to write; null where it has none. */
export const systemOf = ({ parameters: { system } }: Pick<Job, 'parameters'>): string | null => typeof system === 'string' && system.trim() !== '' ? system : null
