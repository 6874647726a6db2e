/**
 * The `input` of every model our cards send to Kie.ai, in Kie's words. Pure.
 *
 * A field Kie marks as required is always sent, defaults too: it fills nothing in ("This field is required"). What it does not
 * know it ignores silently, so whatever is not named here is refused before anything is bought.
 */
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { as, nothing, only, unheard, when, words, writeParameters } from '../toolkit.ts'
import type { Asked, Handling } from '../toolkit.ts'

export interface Written { model: string; input: Record<string, Json>; warnings: string[] }

interface Model {
  /** Kie's name where there are pictures, if it is another one. */
  withPictures?: string
  /** Its field for the links; `one` for a single link, `list` for several. */
  pictures?: { field: string; as: 'one' | 'list'; max: number; required?: true }
  prompt?: false
  parameters: Record<string, Handling>
  always?: Record<string, Json>
}

const title = 'Kie.ai'
const ratios = words('1:1', '2:3', '3:2', '3:4', '4:3', '4:5', '5:4', '9:16', '16:9', '21:9')
const longRatios = { ...ratios, ...words('1:4', '4:1', '1:8', '8:1') }

/** Ours is square without a picture; Kie's `auto` is the model's own choice there. */
const ratio = (allowed: Record<string, Json>): Handling => (value, name, job) =>
  value !== 'auto' ? as('aspect_ratio', allowed)(value, name, job) : { send: { aspect_ratio: job.inputs.length > 0 ? 'auto' : '1:1' } }
/** Films follow their first picture and take no ratio beside it. */
const filmRatio = (allowed: Record<string, Json>, fallback: string, pictureToo: boolean): Handling => (value, name, job) => {
  if (job.inputs.length > 0 && !pictureToo) return value === 'auto' ? {} : { refused: ['auto'] }
  if (value === 'auto') return job.inputs.length > 0 ? {} : { send: { aspect_ratio: fallback } }
  return as('aspect_ratio', allowed)(value, name, job)
}
const asText = (field: string, ...allowed: number[]): Handling => as(field, Object.fromEntries(allowed.map(one => [one, String(one)])))
const seed = unheard('this model has no seed at Kie.ai, so another run gives another picture.')
/** The model writes what it writes; the file that comes is kept as it is. */
const ownFormat = (...possible: string[]): Handling => (value, name, job) =>
  possible.includes(String(value)) ? unheard('Kie.ai lets this model choose its file format itself.')(value, name, job) : { refused: possible }
const jpg = as('output_format', { png: 'png', jpeg: 'jpg' })
const searchUnknown = when(false, nothing, (value) => ({ send: { google_search: value }, warning: 'google_search was passed on, but Kie.ai no longer documents it; whether the web was searched is not known.' }))
const noSearch = only(false)

const nanoBanana: Model = {
  withPictures: 'google/nano-banana-edit', pictures: { field: 'image_urls', as: 'list', max: 10 },
  parameters: { aspect_ratio: ratio(ratios), resolution: only('1K'), output_format: as('output_format', words('png', 'jpeg')), seed },
}
const sora: Model = {
  withPictures: 'sora-2-image-to-video', pictures: { field: 'image_urls', as: 'list', max: 1 }, always: { upload_method: 's3' },
  parameters: { aspect_ratio: when('auto', (_, __, job) => job.inputs.length > 0 ? {} : { send: { aspect_ratio: 'landscape' } }, as('aspect_ratio', { '9:16': 'portrait', '16:9': 'landscape' })), duration_s: asText('n_frames', 10, 15) },
}
const kling26: Model = {
  withPictures: 'kling-2.6/image-to-video', pictures: { field: 'image_urls', as: 'list', max: 1 }, always: { sound: false },
  parameters: { aspect_ratio: filmRatio(words('1:1', '16:9', '9:16'), '1:1', false), duration_s: asText('duration', 5, 10), sound: as('sound') },
}
const recraft: Model = { prompt: false, pictures: { field: 'image', as: 'one', max: 1, required: true }, parameters: { output_format: ownFormat('png', 'webp') } }

const models: Record<string, Model> = {
  'google/nano-banana': nanoBanana,
  'google/nano-banana-edit': nanoBanana,
  'nano-banana-pro': {
    pictures: { field: 'image_input', as: 'list', max: 8 },
    parameters: { aspect_ratio: ratio(ratios), resolution: as('resolution', words('1K', '2K', '4K')), output_format: jpg, seed, google_search: noSearch },
  },
  'nano-banana-2': {
    pictures: { field: 'image_input', as: 'list', max: 14 },
    parameters: { aspect_ratio: ratio(longRatios), resolution: as('resolution', words('1K', '2K', '4K')), output_format: jpg, seed, google_search: searchUnknown },
  },
  'nano-banana-2-1': {
    pictures: { field: 'image_input', as: 'list', max: 10 },
    parameters: { aspect_ratio: ratio(longRatios), resolution: as('resolution', words('1K', '2K', '4K')), output_format: jpg, seed, google_search: noSearch },
  },
  'nano-banana-2-lite': {
    pictures: { field: 'image_urls', as: 'list', max: 10 },
    parameters: { aspect_ratio: ratio(longRatios), resolution: only('1K'), output_format: ownFormat('png'), seed, google_search: noSearch },
  },
  'topaz/image-upscale': { prompt: false, pictures: { field: 'image_url', as: 'one', max: 1, required: true }, parameters: { factor: asText('upscale_factor', 1, 2, 4), output_format: ownFormat('png') } },
  'recraft/crisp-upscale': recraft,
  'recraft/remove-background': recraft,
  'kling/v2-1-standard': {
    pictures: { field: 'image_url', as: 'one', max: 1, required: true },
    parameters: { duration_s: asText('duration', 5, 10), negative_prompt: as('negative_prompt'), cfg_scale: as('cfg_scale') },
  },
  'kling-2.6/text-to-video': kling26,
  'kling-2.6/image-to-video': kling26,
  'kling-3.0/video': {
    pictures: { field: 'image_urls', as: 'list', max: 2 }, always: { multi_shots: false, multi_prompt: [], sound: false },
    parameters: {
      aspect_ratio: filmRatio(words('16:9', '9:16', '1:1'), '1:1', true), resolution: as('mode', { '720p': 'std', '1080p': 'pro', '4K': '4K' }),
      duration_s: asText('duration', 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), sound: as('sound'),
    },
  },
  'sora-2-text-to-video': sora,
  'sora-2-image-to-video': sora,
}

export const modelNames = Object.keys(models)

/** Roles that say how a picture is meant; Kie takes a plain list. */
const meant = new Set(['character', 'object', 'style'])

/**
 * One order in Kie's words. `links` are the job's pictures in its order, where Kie can fetch them.
 *
 * @throws {Problem} `unsupported_parameter` for what Kie cannot honour
 */
export function writeInput(job: Asked, links: string[]): Written {
  const known = models[job.model]
  if (!known) return writeUnlisted(job, links)
  const { fields, warnings } = writeParameters(job, title, known.parameters)
  const pictures = writePictures(job, known, links)
  return {
    model: links.length > 0 && known.withPictures ? known.withPictures : job.model,
    input: { ...(known.prompt === false ? {} : { prompt: job.prompt }), ...known.always, ...fields, ...pictures.fields },
    warnings: [...warnings, ...pictures.warnings, ...(known.prompt === false && job.prompt.trim() !== '' ? ['prompt was not passed on: this model takes no words.'] : [])],
  }
}

function writePictures(job: Asked, { pictures }: Model, links: string[]): { fields: Record<string, Json>; warnings: string[] } {
  if (links.length === 0) {
    if (pictures?.required) throw new Problem('bad_request', `${job.model} needs a picture. Add one to inputs.`, { field: 'inputs' })
    return { fields: {}, warnings: [] }
  }
  if (!pictures || links.length > pictures.max) {
    throw new Problem('unsupported_parameter', `Kie.ai takes ${pictures ? `at most ${pictures.max}` : 'no'} pictures for ${job.model}, not ${links.length}.`, { field: 'inputs', value: links.length, allowed: { max: pictures?.max ?? 0 } })
  }
  const place = (role: string) => role === 'last_frame' ? 1 : 0
  if (job.inputs.some(({ role }) => role === 'last_frame') && !job.inputs.some(({ role }) => role !== 'last_frame')) {
    throw new Problem('unsupported_parameter', `Kie.ai takes a last picture only beside a first one for ${job.model}. Add a first_frame.`, { field: 'inputs' })
  }
  const unfit = job.inputs.find(({ role }) => role === 'mask' || role === 'video')
  if (unfit) throw new Problem('unsupported_parameter', `Kie.ai takes no ${unfit.role} for ${job.model}.`, { field: 'inputs', value: unfit.role })
  const inOrder = job.inputs.map(({ role }, index) => ({ at: place(role), link: links[index]! })).sort((one, other) => one.at - other.at).map(({ link }) => link)
  const told = job.inputs.some(({ role }) => meant.has(role)) ? ['The roles of the pictures were not passed on: Kie.ai takes a plain list. Say in the prompt what each is for.'] : []
  return { fields: { [pictures.field]: pictures.as === 'one' ? inOrder[0]! : inOrder }, warnings: told }
}

/** A model of an operator's own card: its parameters go out under the card's own names. */
function writeUnlisted(job: Asked, links: string[]): Written {
  const { count: _, ...parameters } = job.parameters
  return {
    model: job.model, input: { prompt: job.prompt, ...parameters, ...(links.length > 0 ? { image_urls: links } : {}) },
    warnings: ['This model is not one of those whose fields at Kie.ai are known here; its parameters were passed on under the card’s own names.'],
  }
}
