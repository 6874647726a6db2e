/** Text as what was made, for back doors that write. Pure. */
import { done, failed } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import type { Took } from '../../domain/usage.ts'
import type { Finish, Job, JobOutcome } from '../contract.ts'
import type { SentPicture } from './gemini.ts'

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
  // In one form, whoever wrote it: doors tell their callers how many tokens it took.
  const tokens: Record<string, Json> = usage ? { tokens: { input: (usage.textIn ?? 0) + (usage.imageIn ?? 0), output: usage.textOut ?? 0 } } : {}
  return done({ made: [], text, details: { finish, ...tokens, ...details }, ...(all.length > 0 ? { warnings: all } : {}), ...(upstreamId ? { upstreamId } : {}), ...took })
}

/** The job's pictures as they go along in a call. */
export const readPictures = ({ inputs }: Pick<Job, 'inputs'>): Promise<SentPicture[]> =>
  Promise.all(inputs.map(async input => ({ mime: input.mime, base64: (await input.read()).toString('base64') })))

/** The instruction that stands over an order to write; null where it has none. */
export const systemOf = ({ parameters: { system } }: Pick<Job, 'parameters'>): string | null => typeof system === 'string' && system.trim() !== '' ? system : null
