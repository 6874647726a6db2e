/**
 * What we say to sd-server (stable-diffusion.cpp) by its native API, and how we read what it says. Pure.
 *
 * Written after `examples/server/api.md` and the server's source of August 2026. Jobs live in its memory: after a restart it knows none
 * of them, and then none is being made. It cannot be asked for a job by a name of ours, so a lost answer to a submission stays lost.
 */
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import { done, failed, wait } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import type { JobOutcome } from '../contract.ts'
import { as, nothing, shorten, unclaimed, unknown, unreached, words, writeParameters } from '../toolkit.ts'
import type { Asked, Handling, Reply } from '../toolkit.ts'
import { rolesLost, seedOf, shapeOf, shapes, type Shaped } from '../toolkit/local.ts'

export const title = 'sd-server'

export interface WrittenJob { path: '/sdcpp/v1/img_gen' | '/sdcpp/v1/vid_gen'; body: Record<string, Json>; seed: number; warnings: string[] }

const common: Record<string, Handling> = {
  ...shapes,
  negative_prompt: as('negative_prompt'),
  seed: nothing,
  strength: as('strength'),
  steps: as('sample_params.sample_steps'),
  cfg: as('sample_params.guidance.txt_cfg'),
  guidance: as('sample_params.guidance.distilled_guidance'),
  sampler: as('sample_params.sample_method'),
  scheduler: as('sample_params.scheduler'),
  clip_skip: as('clip_skip'),
}
const picture: Record<string, Handling> = { ...common, output_format: as('output_format', words('png', 'jpeg', 'webp')), output_compression: as('output_compression') }
const film: Record<string, Handling> = {
  ...common,
  fps: as('fps'),
  // It rounds down to 4n + 1, and a film of n seconds has one picture more than it has gaps.
  duration_s: (value, _name, { parameters }) => ({ send: { video_frames: Number(value) * Number(parameters.fps ?? fpsUnlessSaid) + 1 } }),
}
const fpsUnlessSaid = 16
/** Film models draw in larger blocks. */
const filmBlock = 16

/**
 * The body of a job, pictures apart.
 *
 * @throws {Problem} `unsupported_parameter`, `bad_request`
 */
export function writeJob(job: Shaped): WrittenJob {
  const isFilm = job.operation === 'video'
  if (job.operation !== 'generate' && job.operation !== 'edit' && !isFilm) throw new Problem('unsupported_parameter', `sd-server cannot ${job.operation.replace('_', ' ')}.`, { field: 'operation', value: job.operation, allowed: ['generate', 'edit', 'video'] })
  const fit = isFilm ? ['first_frame', 'last_frame', 'reference'] : ['reference', 'character', 'object', 'style', 'mask']
  const unfit = job.inputs.find(({ role }) => !fit.includes(role))
  if (unfit) throw new Problem('unsupported_parameter', `sd-server takes no ${unfit.role} to ${isFilm ? 'make a film' : job.operation}.`, { field: 'inputs', value: unfit.role, allowed: fit })
  const firsts = job.inputs.filter(({ role }) => role !== 'last_frame').length
  if (isFilm && firsts > 1) throw new Problem('unsupported_parameter', 'A film begins with one picture at most.', { field: 'inputs', value: firsts, allowed: { max: 1 } })
  if (isFilm && firsts === 0 && job.inputs.length > 0) throw new Problem('bad_request', 'A last picture needs a first one. Add a first_frame.', { field: 'inputs' })
  if (isFilm && job.count !== 1) throw new Problem('unsupported_parameter', 'sd-server makes one film at a time. Order them one by one.', { field: 'parameters.count', value: job.count, allowed: { max: 1 } })
  if (job.inputs.length > 0 && job.inputs.every(({ role }) => role === 'mask')) throw new Problem('bad_request', 'A mask needs a picture to lie on. Add one to inputs.', { field: 'inputs' })
  const { fields, warnings } = writeParameters(job, title, isFilm ? film : picture)
  const seed = seedOf(job)
  return {
    path: isFilm ? '/sdcpp/v1/vid_gen' : '/sdcpp/v1/img_gen', seed, warnings: [...warnings, ...rolesLost(job.inputs)],
    body: {
      prompt: job.prompt, ...nest(fields), seed,
      ...shapeOf(job, isFilm ? filmBlock : undefined),
      ...(isFilm ? { fps: fields.fps ?? fpsUnlessSaid, output_format: 'webm' } : { batch_count: job.count }),
    },
  }
}

/** With a strength or a mask the first picture is painted over; without, pictures are looked at. */
export const isPaintedOver = ({ parameters, inputs }: Pick<Asked, 'parameters' | 'inputs'>): boolean =>
  parameters.strength !== undefined || inputs.some(({ role }) => role === 'mask')

/** `a.b.c` as objects inside each other. */
function nest(fields: Record<string, Json>): Record<string, Json> {
  const whole: Record<string, Json> = {}
  for (const [path, value] of Object.entries(fields)) {
    const names = path.split('.')
    let at = whole
    for (const name of names.slice(0, -1)) at = (at[name] ??= {}) as Record<string, Json>
    at[names.at(-1)!] = value
  }
  return whole
}

const Refusal = Type.Object({ error: Type.String(), message: Type.Optional(Type.String()) })
const Created = Type.Object({ id: Type.String({ minLength: 1, maxLength: 200 }) })
const Capabilities = Type.Object({ model: Type.Object({ name: Type.String(), stem: Type.String() }), supported_modes: Type.Optional(Type.Array(Type.String())) })

/**
 * Is what is loaded there what the route names? @throws {Problem} when it is not, or cannot be told: nothing has been asked yet
 */
export function checkModel(reply: Reply, model: string): void {
  if (reply.kind !== 'answered') throw unreached(title)
  if (!Value.Check(Capabilities, reply.body)) {
    if (reply.status === 401 || reply.status === 403) throw unclaimed(title, 'SDCPP_AUTHORIZATION', 'is guarded by something that does not let us in', String(reply.status))
    if (reply.status === 404) throw unclaimed(title, 'SDCPP_BASE_URL', 'has no native API at this address; a newer one has it', '404')
    throw new Problem('provider_down', `${title} could not say what it has loaded.`, { upstreamCode: String(reply.status) })
  }
  const { name, stem } = reply.body.model
  if (model !== name && model !== stem) throw unclaimed(title, `the card's route, or start it with ${model}`, 'has another model loaded than this card is for', 'model', `loaded: ${name}`)
}

/** What we come back with. */
export const Receipt = Type.Object({ id: Type.String(), seed: Type.Integer(), warnings: Type.Array(Type.String()) })
export type Receipt = Static<typeof Receipt>

export function readReceipt(receipt: Json): Receipt {
  if (!Value.Check(Receipt, receipt)) throw new Problem('internal', 'This receipt was not written by the provider sdcpp.')
  return receipt
}

/** Where a full queue says nothing of when to come back. */
const fullMs = 5_000
/** One of our own is near, and may have been fast. */
const lookMs = 1_000

/** Reads what handing in a job brought. Every status the API documents has a line. */
export function readCreated(reply: Reply, { seed, warnings }: Pick<WrittenJob, 'seed' | 'warnings'>): JobOutcome {
  if (reply.kind === 'unreached') return failed(unreached(title))
  if (reply.kind === 'lost') return failed(unknown(title))
  const { status, body, retryAfterMs } = reply
  if (status < 300 && Value.Check(Created, body)) return wait({ id: body.id, seed, warnings } satisfies Receipt, lookMs)
  const said = Value.Check(Refusal, body) ? shorten(body.message ? `${body.error}: ${body.message}` : body.error) : null
  const upstreamCode = String(status)
  switch (status) {
    case 400:
      // "model does not support img_gen" and the like: what is loaded is for something else.
      if (said !== null && /\bmode\b|does not support|unsupported/i.test(said)) return failed(unclaimed(title, 'the model it was started with', 'cannot do this with the model it has loaded', upstreamCode, said))
      return failed(new Problem('provider_rejected', said === null ? 'sd-server did not accept this and gave no reason.' : `sd-server did not accept this: ${said}`, { upstreamCode }))
    case 401:
    case 403: return failed(unclaimed(title, 'SDCPP_AUTHORIZATION', 'is guarded by something that does not let us in', upstreamCode))
    case 404:
    case 405: return failed(unclaimed(title, 'SDCPP_BASE_URL', 'has no native API at this address; a newer one has it', upstreamCode))
    case 413: return failed(new Problem('provider_rejected', 'sd-server finds this too large. Send smaller pictures.', { upstreamCode }))
    case 429: return failed(new Problem('provider_busy', 'The queue of sd-server is full.', { upstreamCode }), retryAfterMs ?? fullMs)
    // Its own words: it broke while it read the job, before it queued it.
    case 500: return failed(said === null ? unknown(title, upstreamCode) : new Problem('provider_down', `sd-server had trouble of its own: ${said}`, { upstreamCode }))
    default: return failed(unknown(title, upstreamCode))
  }
}

export const states = ['queued', 'generating', 'completed', 'failed', 'cancelled'] as const
const Look = Type.Object({
  id: Type.String(),
  status: Type.Enum([...states]),
  result: Type.Optional(Type.Unknown()),
  error: Type.Optional(Type.Union([Type.Null(), Type.Object({ code: Type.Optional(Type.String()), message: Type.Optional(Type.String()) })])),
})
const Pictures = Type.Object({ output_format: Type.Optional(Type.String()), images: Type.Array(Type.Object({ index: Type.Optional(Type.Integer()), b64_json: Type.String({ minLength: 1 }) })) })
const Film = Type.Object({ mime_type: Type.Optional(Type.String()), b64_json: Type.String({ minLength: 1 }), fps: Type.Optional(Type.Number()), frame_count: Type.Optional(Type.Number()) })

/**
 * Reads what looking at a job brought.
 *
 * A look that fails says nothing. That the server does not know the job says all: it was restarted, or kept the result only for a
 * while; either way nothing is being made, so it may be begun again.
 */
export function readLook(reply: Reply, receipt: Receipt): JobOutcome {
  const pending = wait(receipt, lookMs)
  if (reply.kind !== 'answered') return wait(receipt)
  const { status, body, bytesOf, retryAfterMs } = reply
  if ((status === 404 || status === 410) && Value.Check(Refusal, body)) {
    return failed(new Problem('provider_down', status === 404 ? 'sd-server no longer knows this job; it was restarted meanwhile.' : 'sd-server has let go of this result before it was fetched.', { upstreamCode: String(status) }))
  }
  if (status >= 300 || !Value.Check(Look, body)) return wait(receipt, retryAfterMs)
  switch (body.status) {
    case 'queued':
    case 'generating':
      return pending
    case 'completed': return readResult(body.result, receipt, bytesOf)
    case 'failed': return failed(readFailure(body.error?.code ?? 'failed', shorten(body.error?.message || 'no reason given')))
    case 'cancelled': return failed(new Problem('provider_failed', 'The job was cancelled at sd-server, not by us.', { upstreamCode: 'cancelled' }))
  }
}

function readResult(result: unknown, { id, seed, warnings }: Receipt, bytesOf: (text: string) => Buffer): JobOutcome {
  const told = { upstreamId: id, costMicros: 0, details: { sdcpp: { job_id: id } }, ...(warnings.length > 0 ? { warnings } : {}) }
  if (Value.Check(Film, result)) {
    const { mime_type: mime = 'video/webm', fps, frame_count } = result
    return done({ ...told, made: [{ bytes: bytesOf(result.b64_json), mime, seed }], details: { sdcpp: { job_id: id, ...(fps === undefined ? {} : { fps }), ...(frame_count === undefined ? {} : { frame_count }) } } })
  }
  if (!Value.Check(Pictures, result) || result.images.length === 0) return failed(new Problem('bad_output', 'sd-server says that it is made, but gives no picture.', { upstreamCode: 'completed' }))
  const mime = `image/${result.output_format ?? 'png'}`
  return done({ ...told, made: result.images.map(({ index, b64_json: base64 }, place) => ({ bytes: bytesOf(base64), mime, seed: seed + (index ?? place) })) })
}

/** Memory is what most often runs out; the sentence says what helps. */
export function readFailure(upstreamCode: string, said: string): Problem {
  return /out of memory|alloc|OOM/i.test(said)
    ? new Problem('provider_failed', 'sd-server ran out of memory. Ask for a smaller picture, or fewer at once.', { upstreamCode, cause: said })
    : new Problem('provider_failed', `sd-server could not make this: ${said}`, { upstreamCode })
}

/** Did it stop? Only what is still queued can be. */
export const readCancelled = (reply: Reply): boolean => reply.kind === 'answered' && reply.status === 200 && Value.Check(Look, reply.body) && reply.body.status === 'cancelled'
