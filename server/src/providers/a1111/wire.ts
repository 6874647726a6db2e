/**
 * What we say to AUTOMATIC1111 and Forge (`/sdapi/v1`), and how we read what they say. Pure.
 *
 * Written after `modules/api` and `modules/progress.py` of Forge. The call itself brings the picture, and nobody can come back for one whose
 * answer was lost; but the server says what it is at (`/internal/progress` by our name of the job, `/sdapi/v1/progress` for all). Forge answers
 * errors bare (`{detail}`, or plain text), AUTOMATIC1111 wraps them (`{error, detail, body, errors}`).
 */
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import { done, failed } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import type { JobOutcome } from '../contract.ts'
import { as, nothing, shorten, unclaimed, unknown, unreached, writeParameters } from '../toolkit.ts'
import type { Handling, Reply } from '../toolkit.ts'
import { loaded, seedOf, shapeOf, shapes, type Shaped } from '../toolkit/local.ts'

export const title = 'The Stable Diffusion web UI'

export interface WrittenCall { path: '/sdapi/v1/txt2img' | '/sdapi/v1/img2img' | '/sdapi/v1/extra-single-image'; body: Record<string, Json>; warnings: string[] }

const common: Record<string, Handling> = {
  ...shapes,
  negative_prompt: as('negative_prompt'),
  seed: nothing,
  steps: as('steps'),
  cfg: as('cfg_scale'),
  guidance: as('distilled_cfg_scale'),
  sampler: as('sampler_name'),
  scheduler: as('scheduler'),
}
const edits: Record<string, Handling> = { ...common, strength: as('denoising_strength'), mask_blur: as('mask_blur') }
const upscales: Record<string, Handling> = { factor: as('upscaling_resize') }

/**
 * The body of a call, pictures apart.
 *
 * @throws {Problem} `unsupported_parameter`, `bad_request`, `bad_input_image`
 */
export function writeCall(job: Shaped): WrittenCall {
  const { operation, model, inputs, count } = job
  if (operation !== 'generate' && operation !== 'edit' && operation !== 'upscale') throw new Problem('unsupported_parameter', `The web UI cannot ${operation.replace('_', ' ')}.`, { field: 'operation', value: operation, allowed: ['generate', 'edit', 'upscale'] })
  const unfit = inputs.find(({ role }) => role !== 'reference' && !(role === 'mask' && operation === 'edit'))
  if (unfit) throw new Problem('unsupported_parameter', `The web UI takes no ${unfit.role} to ${operation}.`, { field: 'inputs', value: unfit.role, allowed: operation === 'edit' ? ['reference', 'mask'] : ['reference'] })
  const pictures = inputs.filter(({ role }) => role === 'reference')
  if (operation === 'generate' ? inputs.length > 0 : pictures.length !== 1) {
    throw new Problem(pictures.length === 0 ? 'bad_request' : 'unsupported_parameter', operation === 'generate' ? 'The web UI takes no pictures to generate. Use the operation edit.' : `The web UI needs one picture to ${operation}, not ${pictures.length}.`, { field: 'inputs', value: pictures.length })
  }
  if (operation === 'upscale') {
    if (model === loaded) throw new Problem('unsupported_parameter', 'To upscale, the route of the card must name an upscaler of the web UI (R-ESRGAN 4x+).', { field: 'model' })
    if (count > 1) throw new Problem('unsupported_parameter', 'An enlarged picture is always the same. Ask for one.', { field: 'parameters.count', value: count, allowed: { max: 1 } })
    const { fields, warnings } = writeParameters(job, title, upscales)
    return { path: '/sdapi/v1/extra-single-image', body: { resize_mode: 0, upscaler_1: model, ...fields }, warnings }
  }
  const { fields, warnings } = writeParameters(job, title, operation === 'edit' ? edits : common)
  const shape = shapeOf(job)
  // It would squeeze the picture into 512 x 512.
  if (operation === 'edit' && !('width' in shape)) throw new Problem('bad_input_image', 'The size of the picture is not known. Send a PNG, JPEG or WebP.', { field: 'inputs' })
  return {
    path: operation === 'edit' ? '/sdapi/v1/img2img' : '/sdapi/v1/txt2img', warnings,
    body: {
      prompt: job.prompt, ...fields, ...shape, seed: seedOf(job),
      // One after the other: as much memory as one needs.
      n_iter: count, batch_size: 1,
      ...(model === loaded ? {} : { override_settings: { sd_model_checkpoint: model }, override_settings_restore_afterwards: false }),
      ...(inputs.some(({ role }) => role === 'mask') ? { inpainting_fill: 1, inpaint_full_res: false } : {}),
      send_images: true, save_images: false, force_task_id: job.key,
    },
  }
}

const Pictures = Type.Object({ images: Type.Array(Type.String({ minLength: 1 })), info: Type.Optional(Type.Union([Type.String(), Type.Null()])) })
const Enlarged = Type.Object({ image: Type.String({ minLength: 1 }) })
const Info = Type.Object({ all_seeds: Type.Optional(Type.Array(Type.Integer())), index_of_first_image: Type.Optional(Type.Integer({ minimum: 0 })), sd_model_name: Type.Optional(Type.Union([Type.String(), Type.Null()])) })

/** `info` is JSON in a string; sd.cpp's imitation leaves it empty. */
function readInfo(text: string | null | undefined): Static<typeof Info> {
  try {
    const read: unknown = JSON.parse(text || '{}')
    return Value.Check(Info, read) ? read : {}
  } catch { return {} }
}

const strip = (text: string) => text.replace(/^data:[^,]*,/, '')

/** Reads what a call brought. Grids before the pictures and control maps behind them are left out. */
export function readCall(reply: Reply, warnings: string[]): JobOutcome {
  if (reply.kind === 'unreached') return failed(unreached(title))
  if (reply.kind === 'lost') return failed(unknown(title))
  const { status, body, bytesOf } = reply
  if (status >= 300) return readError(reply)
  const told = { costMicros: 0, ...(warnings.length > 0 ? { warnings } : {}) }
  if (Value.Check(Enlarged, body)) return done({ made: [{ bytes: bytesOf(strip(body.image)) }], ...told })
  if (Value.Check(Pictures, body)) {
    const { all_seeds: seeds = [], index_of_first_image: first = 0, sd_model_name: checkpoint } = readInfo(body.info)
    const made = body.images.slice(first, seeds.length > 0 ? first + seeds.length : undefined).map((image, index) => ({ bytes: bytesOf(strip(image)), ...(seeds[index] === undefined ? {} : { seed: seeds[index] }) }))
    return made.length === 0 ? failed(nothingMade()) : done({ made, ...told, ...(checkpoint ? { details: { a1111: { checkpoint } } } : {}) })
  }
  // `images: null` and the like: it answered, and there is nothing.
  return typeof body === 'object' && body !== null && ('images' in body || 'image' in body) ? failed(nothingMade()) : failed(unknown(title, String(status)))
}

const nothingMade = () => new Problem('bad_output', 'The web UI answered without a picture.', { upstreamCode: '200' })

const Wrapped = Type.Object({ error: Type.Optional(Type.String()), errors: Type.Optional(Type.Unknown()), detail: Type.Optional(Type.Unknown()) })
const Mistakes = Type.Array(Type.Object({ loc: Type.Array(Type.Union([Type.String(), Type.Integer()])), msg: Type.String() }))

/** The words of an error, whatever its shape: never what was sent, which FastAPI echoes. */
function readWords(body: unknown): { kind: string; said: string } | null {
  if (!Value.Check(Wrapped, body)) return null
  const { error = '', detail, errors } = body
  const said = Value.Check(Mistakes, detail) ? detail.slice(0, 5).map(({ loc, msg }) => `${loc.filter(part => part !== 'body').join('.')}: ${msg}`).join('; ')
    : typeof detail === 'string' && detail !== '' ? detail : typeof errors === 'string' ? errors : ''
  return error === '' && said === '' ? null : { kind: error, said: shorten(said || error) }
}

/** Reads a no. A call that was answered by the web UI itself has ended, whatever it says. */
function readError({ status, body, retryAfterMs }: Extract<Reply, { kind: 'answered' }>): JobOutcome {
  const upstreamCode = String(status)
  const words = readWords(body)
  const no = (code: 'provider_rejected' | 'provider_failed', sentence: string, cause?: string) => failed(new Problem(code, sentence, { upstreamCode, ...(cause ? { cause } : {}) }))
  if (words !== null && /out ?of ?memory/i.test(`${words.kind} ${words.said}`)) return no('provider_failed', 'The web UI ran out of memory. Ask for a smaller picture, or fewer at once.', words.said)
  if (words !== null && /model .* not found|checkpoint/i.test(words.said)) return failed(unclaimed(title, 'the name on the card’s route', 'does not have the checkpoint this card names', upstreamCode, words.said))
  switch (status) {
    case 400:
    case 422:
      return no('provider_rejected', `The web UI did not accept this: ${words?.said ?? 'it gave no reason'}`)
    case 401:
    case 403: return failed(unclaimed(title, 'A1111_USER and A1111_PASSWORD', 'does not let us in', upstreamCode))
    case 404:
      // FastAPI's own word for an address it does not have: the API is not switched on.
      if (words === null || words.said === 'Not Found') return failed(unclaimed(title, 'A1111_BASE_URL, and start it with --api', 'has no API at this address', upstreamCode))
      return no('provider_rejected', `The web UI did not accept this: ${words.said}`)
    case 405: return failed(unclaimed(title, 'A1111_BASE_URL, and start it with --api', 'has no API at this address', upstreamCode))
    case 413: return no('provider_rejected', 'The web UI finds this too large. Send smaller pictures.')
    case 429:
    case 503: return failed(new Problem('provider_busy', 'What guards the web UI takes no more calls for now.', { upstreamCode }), retryAfterMs)
    case 500:
      if (words !== null && /invalid (encoded image|image url)/i.test(words.said)) return failed(new Problem('bad_input_image', 'The web UI could not read a picture. Send a PNG.', { field: 'inputs', upstreamCode }))
      return no('provider_failed', words === null ? 'The web UI failed at this and gave no reason; its log has one.' : `The web UI could not make this: ${words.said}`)
    default: return status < 500 ? no('provider_rejected', `The web UI refused this with HTTP ${status}.`) : failed(unknown(title, upstreamCode))
  }
}

const Progress = Type.Object({
  progress: Type.Number(),
  state: Type.Object({ job: Type.Optional(Type.String()), job_count: Type.Optional(Type.Integer()), interrupted: Type.Optional(Type.Boolean()), skipped: Type.Optional(Type.Boolean()) }),
})

/** What the server is at, whoever's it is; null where it does not say. */
export function readProgress(reply: Reply): { idle: boolean; percent: number; interrupted: boolean } | null {
  if (reply.kind !== 'answered' || !Value.Check(Progress, reply.body)) return null
  const { progress, state: { job = '', job_count: jobs = 0, interrupted = false } } = reply.body
  return { idle: jobs === 0 && job === '', percent: progress * 100, interrupted }
}

const Own = Type.Object({ active: Type.Boolean(), queued: Type.Boolean(), completed: Type.Boolean(), progress: Type.Optional(Type.Union([Type.Number(), Type.Null()])), live_preview: Type.Optional(Type.Union([Type.String(), Type.Null()])) })

/** What the server says of one job by our name of it; null where it cannot be asked (`--nowebui`). */
export function readOwn(reply: Reply): { at: 'active' | 'queued' | 'neither'; percent: number | null; preview: Buffer | null } | null {
  if (reply.kind !== 'answered' || !Value.Check(Own, reply.body)) return null
  const { active, queued, progress, live_preview: preview } = reply.body
  return { at: active ? 'active' : queued ? 'queued' : 'neither', percent: active && typeof progress === 'number' ? progress * 100 : null, preview: preview ? reply.bytesOf(strip(preview)) : null }
}

/** Is a job whose answer we lost still in the making there? Null where nobody can say. */
export function isAtIt(progress: ReturnType<typeof readProgress>, own: ReturnType<typeof readOwn>): boolean | null {
  if (progress === null) return null
  // A job that failed stays "active" by name until the next begins; a server at rest is at nothing.
  return progress.idle ? false : own === null || own.at !== 'neither'
}
