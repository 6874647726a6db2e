/** What goes to Black Forest Labs and what comes back. Pure. */
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { as, only, words, writeParameters, type Handling } from '../toolkit.ts'
import { nearestRatio, takeInputs, type Shaped } from '../toolkit/ai-sdk.ts'
import { shapeOf, shapes } from '../toolkit/local.ts'
import type { Begun, Looked } from '../toolkit/two-calls.ts'

const title = 'Black Forest Labs'

/** Models that think in ratios; the others take width and height. */
const byRatio = /kontext|ultra/
const ratios = ['1:1', '4:3', '3:4', '16:9', '9:16', '3:2', '2:3', '21:9', '9:21']

/** How many pictures a model works on. */
function picturesMax(model: string): number {
  if (/flux-2-klein/.test(model)) return 4
  if (/flux-2/.test(model)) return 8
  if (/kontext/.test(model)) return 4
  return /fill/.test(model) ? 1 : 0
}

/** `pictures` are the job's inputs as base64, in its order. @throws {Problem} `unsupported_parameter` */
export function writeBody(job: Shaped, pictures: string[]): { body: Record<string, Json>; warnings: string[] } {
  const isFill = /fill/.test(job.model)
  const told = takeInputs(job, title, { max: picturesMax(job.model), mask: isFill })
  const isRatio = byRatio.test(job.model)
  const ratio: Handling = (value, name) => value === 'auto' && job.inputs.length > 0 ? {} : as('aspect_ratio', words(...ratios))(value === 'auto' ? nearestRatio(ratios, job) : value, name, job)
  const { fields, warnings } = writeParameters(job, title, {
    ...(isRatio ? { aspect_ratio: ratio, resolution: only('1K') } : shapes), seed: as('seed'), output_format: as('output_format', words('png', 'jpeg')), expand_prompt: as('prompt_upsampling'),
    // Only these have knobs.
    ...(/flex|fill|dev/.test(job.model) ? { steps: as('steps'), guidance: as('guidance') } : {}), ...(/ultra/.test(job.model) ? { raw: as('raw') } : {}),
  })
  const size = isRatio || isFill ? {} : shapeOf(job, /flux-2/.test(job.model) ? 16 : 32)
  let nth = 0
  const images = Object.fromEntries(job.inputs.map(({ role }, index) => [role === 'mask' ? 'mask' : isFill ? 'image' : nth++ === 0 ? 'input_image' : `input_image_${nth}`, pictures[index]!]))
  return { body: { prompt: job.prompt, ...fields, ...size, ...images }, warnings: [...warnings, ...told] }
}

const Number_ = Type.Optional(Type.Union([Type.Number(), Type.Null()]))
const BegunBody = Type.Object({ id: Type.String({ minLength: 1 }), polling_url: Type.String({ pattern: '^https?://' }), cost: Number_, input_mp: Number_, output_mp: Number_ })

/** A credit is a cent. */
const creditMicros = 10_000

/** What was handed in; null for an answer nobody can read. */
export function readBegun(body: unknown): Begun | null {
  if (!Value.Check(BegunBody, body) || !URL.canParse(body.polling_url)) return null
  const { id, polling_url: look, cost, input_mp: input, output_mp: output } = body
  return { id, look, ...(typeof cost === 'number' ? { costMicros: Math.ceil(cost * creditMicros) } : {}), details: { ...(typeof cost === 'number' ? { credits: cost } : {}), ...(typeof input === 'number' ? { input_megapixels: input } : {}), ...(typeof output === 'number' ? { output_megapixels: output } : {}) } }
}

const LookBody = Type.Object({
  status: Type.String(),
  progress: Number_,
  details: Type.Optional(Type.Unknown()),
  result: Type.Optional(Type.Union([Type.Null(), Type.Object({ sample: Type.Optional(Type.String()), seed: Number_, prompt: Type.Optional(Type.Unknown()) })])),
})

/** How it stands, by every status its pages list. Null for what nobody can read, which is looked at again. */
export function readLook(body: unknown): Looked | null {
  if (!Value.Check(LookBody, body)) return null
  const { status, progress, result } = body
  switch (status) {
    case 'Pending': return { kind: 'pending', ...(typeof progress === 'number' && progress <= 1 ? { progress: Math.round(progress * 100) } : {}) }
    case 'Ready': return typeof result?.sample === 'string' && URL.canParse(result.sample)
      ? { kind: 'made', url: result.sample, ...(typeof result.seed === 'number' ? { seed: result.seed } : {}) }
      : { kind: 'failed', problem: new Problem('bad_output', `${title} ended without a picture.`, { upstreamCode: status }) }
    case 'Request Moderated': return { kind: 'failed', problem: new Problem('content_rejected', `${title} refused this prompt or picture.`, { upstreamCode: status }) }
    case 'Content Moderated': return { kind: 'failed', problem: new Problem('content_rejected', `${title} made a picture and would not show it.`, { upstreamCode: status }) }
    case 'Error': case 'Failed': return { kind: 'failed', problem: new Problem('provider_failed', `${title} could not make this.`, { upstreamCode: status }) }
    case 'Task not found': return { kind: 'gone' }
    // A word nobody has heard of yet.
    default: return { kind: 'pending' }
  }
}

/** Its addresses for looks are those of the region that took the picture; our key goes to its own hosts only. */
export const mayLookAt = (url: URL, base: string): boolean => url.host === new URL(base).host || (url.protocol === 'https:' && (url.hostname === 'bfl.ai' || url.hostname.endsWith('.bfl.ai')))
