/**
 * The input of every model our cards send to fal, in fal's words (the types of `@fal-ai/client` 1.10.1 and the pages of its gallery). Pure.
 *
 * One model is several endpoints there: one for words, others for pictures, first and last frames, masks. fal refuses some fields it
 * does not know and ignores others, so whatever is not named here is refused before anything is bought.
 */
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { as, nothing, only, ownFormat, unheard, unsupported, words, writeParameters } from '../toolkit.ts'
import type { Asked, Handling } from '../toolkit.ts'
import { isReferred, writePictures, type Slots } from '../toolkit/pictures.ts'
import type { Job } from '../contract.ts'

/** A job with the pixels it is to have: half of fal's models take no ratio but pixels. */
export type Sized = Asked & Pick<Job, 'width' | 'height'>
/** One request: an endpoint and its input. */
export interface Request { endpoint: string; input: Record<string, Json> }
export interface Written { requests: Request[]; warnings: string[] }

interface Pixels { min: number; max: number; side?: [min: number, max: number] }

interface Model {
  /** The endpoint for this job and its fields for pictures. */
  at(job: Asked): { endpoint: string; slots?: Slots; /** Fields of the others that this endpoint has not. */ without?: string[] }
  prompt?: false
  /** Up to so many pictures in one request; else one request makes one. */
  several?: number
  /** Pixels instead of a ratio, and how many of them fal takes. */
  pixels?: Pixels
  parameters: Record<string, Handling>
  always?: Record<string, Json>
}

const title = 'fal'
const ratios = words('1:1', '2:3', '3:2', '3:4', '4:3', '4:5', '5:4', '9:16', '16:9', '21:9')
const longRatios = { ...ratios, ...words('1:4', '4:1', '1:8', '8:1') }

/** Ours is square without a picture; with one, fal's `auto` follows it. */
const ratio = (allowed: Record<string, Json>): Handling => (value, name, job) =>
  value !== 'auto' ? as('aspect_ratio', allowed)(value, name, job) : { send: { aspect_ratio: job.inputs.length > 0 ? 'auto' : '1:1' } }
/** Films follow their first picture and take no ratio beside it. */
const filmRatio: Handling = (value, name, job) => {
  if (job.inputs.length > 0) return value === 'auto' ? {} : { refused: ['auto'] }
  return as('aspect_ratio', { auto: '1:1', ...words('1:1', '16:9', '9:16') })(value, name, job)
}
const asText = (field: string, ...allowed: number[]): Handling => as(field, Object.fromEntries(allowed.map(one => [one, String(one)])))
const format = as('output_format', words('png', 'jpeg'))
const formats = as('output_format', words('png', 'jpeg', 'webp'))
/** Told in pixels (`image_size`). */
const inPixels: Handling = nothing
const seed = as('seed')
const search = as('enable_web_search')
const steps = as('num_inference_steps')
const guidance = as('guidance_scale')
const negative = as('negative_prompt')
const acceleration = as('acceleration', words('none', 'regular', 'high'))
const megapixel = 1024 * 1024

/** An endpoint for words and another for pictures in a list. */
const listed = (endpoint: string, max: number, edit = `${endpoint}/edit`): Model['at'] => job => job.inputs.length > 0 ? { endpoint: edit, slots: { list: { field: 'image_urls', max } } } : { endpoint }
const single = (endpoint: string, mimes?: string[]): Model['at'] => job => {
  const unfit = mimes && job.inputs.find(({ mime }) => !mimes.includes(mime))
  if (unfit) throw new Problem('unsupported_parameter', `fal takes only ${mimes.join(', ')} for ${endpoint}, not ${unfit.mime}.`, { field: 'inputs', value: unfit.mime, allowed: mimes })
  return { endpoint, slots: { one: 'image_url', required: true } }
}

/** Says more than one picture only where the prompt does not: each is paid for. */
const nanoBanana = (name: string, max: number, allowed: Record<string, Json>, more: Record<string, Handling>): Model => ({
  at: listed(`fal-ai/${name}`, max), several: 4, always: { limit_generations: true },
  parameters: { aspect_ratio: ratio(allowed), output_format: formats, seed, ...more },
})
/** Black Forest Labs' own makes one picture a request and has no sampler's settings. */
const flux = (name: string, more: Record<string, Handling> = {}): Model => ({
  at: listed(`fal-ai/${name}`, 8), pixels: { min: 256 * 256, max: 4 * megapixel },
  parameters: { aspect_ratio: inPixels, resolution: inPixels, output_format: format, seed, ...more },
})
const openFlux = (name: string, more: Record<string, Handling> = {}): Model => ({ ...flux(name, more), at: listed(`fal-ai/${name}`, 4), several: 4 })
const seedream = (version: string, pixels: Pixels, more: Record<string, Handling>): Model => ({
  at: listed(`fal-ai/bytedance/seedream/${version}/text-to-image`, 10, `fal-ai/bytedance/seedream/${version}/edit`), several: 6, pixels,
  parameters: { aspect_ratio: inPixels, resolution: inPixels, output_format: ownFormat('png', 'jpeg'), seed, ...more },
})
const qwen: Record<string, Handling> = { aspect_ratio: inPixels, resolution: inPixels, output_format: format, seed, steps, guidance, negative_prompt: negative, acceleration }
const renderingSpeed = as('rendering_speed', { turbo: 'TURBO', balanced: 'BALANCED', quality: 'QUALITY' })
const style = as('style', { auto: 'AUTO', general: 'GENERAL', realistic: 'REALISTIC', design: 'DESIGN' })
const masked = (job: Asked) => job.inputs.some(({ role }) => role === 'mask')
/** Where only a part is painted anew, the picture keeps its size. */
const unlessMasked = (allowed: string): Handling => (value, name, job) => masked(job) ? only(allowed)(value, name, job) : inPixels(value, name, job)
const ideogram: Record<string, Handling> = {
  aspect_ratio: unlessMasked('auto'), resolution: unlessMasked('1K'), output_format: ownFormat('png', 'jpeg'), seed, expand_prompt: as('expand_prompt'), negative_prompt: negative, strength: as('strength'),
  rendering_speed: renderingSpeed, style,
}
/** Kling's third generation is one endpoint for each size class. */
const tiers: Record<string, string> = { '720p': 'standard', '1080p': 'pro', '4K': '4k' }
const kling3: Model['at'] = job => {
  const tier = tiers[String(job.parameters.resolution)] ?? 'standard'
  const place = job.inputs.length > 0 ? 'image-to-video' : 'text-to-video'
  return { endpoint: `fal-ai/kling-video/v3/${tier}/${place}`, slots: { first: 'start_image_url', last: 'end_image_url' } }
}
/** Veo has an endpoint for each use of pictures; its own rewriting of prompts that were refused is switched off. */
const veo = (name: string, references: boolean): Model => ({
  at({ inputs }) {
    const has = (...roles: string[]) => inputs.some(({ role }) => roles.includes(role))
    if (inputs.length === 0) return { endpoint: `fal-ai/${name}` }
    if (has('last_frame')) return { endpoint: `fal-ai/${name}/first-last-frame-to-video`, slots: { first: 'first_frame_url', last: 'last_frame_url' } }
    if (has('first_frame')) return { endpoint: `fal-ai/${name}/image-to-video`, slots: { one: 'image_url' } }
    return references ? { endpoint: `fal-ai/${name}/reference-to-video`, slots: { list: { field: 'image_urls', max: 3 } }, without: ['negative_prompt', 'seed'] } : { endpoint: `fal-ai/${name}` }
  },
  always: { auto_fix: false, generate_audio: true },
  parameters: {
    aspect_ratio: as('aspect_ratio', words('16:9', '9:16')), negative_prompt: negative, seed, sound: as('generate_audio'),
    duration_s: (value, label, job) => as('duration', isReferred(job) ? { 8: '8s' } : { 4: '4s', 6: '6s', 8: '8s' })(value, label, job),
    resolution: as('resolution', name.endsWith('/lite') ? words('720p', '1080p') : { ...words('720p', '1080p'), '4K': '4k' }),
  },
})

const models: Record<string, Model> = {
  'fal-ai/nano-banana': nanoBanana('nano-banana', 10, ratios, { resolution: only('1K') }),
  'fal-ai/nano-banana-pro': nanoBanana('nano-banana-pro', 14, ratios, { resolution: as('resolution', words('1K', '2K', '4K')), google_search: search }),
  'fal-ai/nano-banana-2': nanoBanana('nano-banana-2', 14, longRatios, { resolution: as('resolution', { 512: '0.5K', ...words('1K', '2K', '4K') }), google_search: search }),
  'fal-ai/flux-2-pro': flux('flux-2-pro'),
  'fal-ai/flux-2-max': flux('flux-2-max'),
  'fal-ai/flux-2-flex': flux('flux-2-flex', { steps, guidance }),
  'fal-ai/flux-2': { ...openFlux('flux-2', { steps, guidance }), pixels: { min: 512 * 512, max: 4 * megapixel, side: [512, 2048] } },
  'fal-ai/flux-2/klein/4b': openFlux('flux-2/klein/4b', { steps }),
  'fal-ai/flux-2/klein/9b': openFlux('flux-2/klein/9b', { steps }),
  'fal-ai/bytedance/seedream/v4': seedream('v4', { min: 960 * 960, max: 4096 * 4096 }, {}),
  'fal-ai/bytedance/seedream/v4.5': seedream('v4.5', { min: 2560 * 1440, max: 4096 * 4096 }, {}),
  'fal-ai/bytedance/seedream/v5/lite': seedream('v5/lite', { min: 2560 * 1440, max: 3072 * 3072 }, { seed: unheard('this model has no seed at fal, so another run gives another picture.') }),
  'fal-ai/qwen-image': {
    at: job => job.inputs.length > 0 ? { endpoint: 'fal-ai/qwen-image/image-to-image', slots: { one: 'image_url' } } : { endpoint: 'fal-ai/qwen-image', without: ['strength'] },
    several: 4, pixels: { min: 256 * 256, max: 4 * megapixel }, parameters: { ...qwen, strength: as('strength') },
  },
  'fal-ai/qwen-image-edit': { at: single('fal-ai/qwen-image-edit'), several: 4, pixels: { min: 256 * 256, max: 4 * megapixel }, parameters: qwen },
  'fal-ai/qwen-image-2': {
    at: listed('fal-ai/qwen-image-2/text-to-image', 3, 'fal-ai/qwen-image-2/edit'), several: 4, pixels: { min: 512 * 512, max: 2048 * 2048 }, always: { enable_prompt_expansion: false },
    parameters: { aspect_ratio: inPixels, resolution: inPixels, output_format: formats, seed, negative_prompt: negative },
  },
  'fal-ai/ideogram/v3': {
    at(job) {
      if (job.inputs.length === 0) return { endpoint: 'fal-ai/ideogram/v3', without: ['strength'] }
      if (!masked(job)) return { endpoint: 'fal-ai/ideogram/v3/remix', slots: { one: 'image_url' } }
      return { endpoint: 'fal-ai/ideogram/v3/edit', slots: { one: 'image_url', mask: 'mask_url' }, without: ['image_size', 'style', 'negative_prompt', 'strength'] }
    },
    several: 8, pixels: { min: 256 * 256, max: 4 * megapixel }, parameters: ideogram,
  },
  'fal-ai/ideogram/v3/reframe': {
    at: single('fal-ai/ideogram/v3/reframe'), prompt: false, several: 8, pixels: { min: 256 * 256, max: 4 * megapixel },
    parameters: { aspect_ratio: inPixels, resolution: inPixels, output_format: ownFormat('png', 'jpeg'), seed, rendering_speed: renderingSpeed, style },
  },
  'fal-ai/topaz/upscale/image': { at: single('fal-ai/topaz/upscale/image'), prompt: false, parameters: { factor: as('upscale_factor'), output_format: format } },
  'fal-ai/recraft/upscale/crisp': { at: single('fal-ai/recraft/upscale/crisp', ['image/png']), prompt: false, parameters: { output_format: ownFormat('png', 'webp') } },
  'fal-ai/bria/background/remove': { at: single('fal-ai/bria/background/remove'), prompt: false, parameters: { output_format: ownFormat('png', 'webp') } },
  'fal-ai/birefnet/v2': { at: single('fal-ai/birefnet/v2'), prompt: false, parameters: { output_format: as('output_format', words('png', 'webp')) } },
  'fal-ai/kling-video/v2.1/standard': {
    at: single('fal-ai/kling-video/v2.1/standard/image-to-video'), parameters: { duration_s: asText('duration', 5, 10), negative_prompt: negative, cfg_scale: as('cfg_scale') },
  },
  'fal-ai/kling-video/v2.6/pro': {
    at: ({ inputs }) => ({ endpoint: `fal-ai/kling-video/v2.6/pro/${inputs.length > 0 ? 'image' : 'text'}-to-video`, slots: { first: 'start_image_url', last: 'end_image_url' } }),
    always: { generate_audio: false }, parameters: { aspect_ratio: filmRatio, duration_s: asText('duration', 5, 10), sound: as('generate_audio'), negative_prompt: negative },
  },
  'fal-ai/kling-video/v3': {
    at: kling3, always: { generate_audio: false },
    parameters: {
      aspect_ratio: filmRatio, resolution: only(...Object.keys(tiers)), duration_s: asText('duration', 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), sound: as('generate_audio'), negative_prompt: negative, cfg_scale: as('cfg_scale'),
    },
  },
  'google/gemini-omni-flash/v1.1': {
    at(job) {
      const endpoint = (place: string) => `google/gemini-omni-flash/v1.1/${place}-to-video`
      if (job.inputs.length === 0) return { endpoint: endpoint('text') }
      return isReferred(job) ? { endpoint: endpoint('reference'), slots: { list: { field: 'image_urls', max: 10 } } } : { endpoint: endpoint('image'), slots: { first: 'image_url', last: 'end_image_url' } }
    },
    parameters: {
      aspect_ratio: as('aspect_ratio', words('16:9', '9:16')), resolution: as('resolution', { ...words('720p', '1080p'), '4K': '4k' }), duration_s: as('duration'),
      seed: unheard('this model has no seed at fal, so another run gives another film.'),
    },
  },
  'fal-ai/veo3.1': veo('veo3.1', true),
  'fal-ai/veo3.1/fast': veo('veo3.1/fast', false),
  'fal-ai/veo3.1/lite': veo('veo3.1/lite', false),
}

export const modelNames = Object.keys(models)

/**
 * One order in fal's words. `links` are the job's pictures in its order, where fal can fetch them.
 *
 * @throws {Problem} `unsupported_parameter` for what fal cannot honour
 */
export function writeRequests(job: Sized, links: string[]): Written {
  const known = models[job.model]
  if (!known) return writeUnlisted(job, links)
  const { endpoint, slots = {}, without = [] } = known.at(job)
  const { fields, warnings } = writeParameters(job, title, known.parameters)
  const size = known.pixels && !without.includes('image_size') ? writeSize(job, known.pixels) : { fields: {}, warnings: [] }
  const pictures = writePictures(job, slots, links, title)
  const unfit = without.find(field => field in fields && !isDefault(field, fields[field]))
  if (unfit) throw unsupported(unfit, fields[unfit]!, null, `${title}, which makes this at ${endpoint}`)
  const all: Record<string, Json> = { ...(known.prompt === false ? {} : { prompt: job.prompt }), ...known.always, ...size.fields, ...fields, ...pictures.fields }
  for (const field of without) delete all[field]
  return {
    requests: share(job.count, known.several ?? 1, all).map(input => ({ endpoint, input })),
    warnings: [...warnings, ...size.warnings, ...pictures.warnings, ...(known.prompt === false && job.prompt.trim() !== '' ? ['prompt was not passed on: this model takes no words.'] : [])],
  }
}

/** A default of the card's that an endpoint has no field for is not a wish of the caller's. */
const isDefault = (field: string, value: Json | undefined): boolean => field === 'style' && value === 'AUTO' || field === 'strength' && value === 0.8

/** By how much a side may grow to reach the fewest pixels of a model: what is still the size class that was asked for. */
const growthMax = 1.5

/**
 * Pixels as the model takes them. Too few are raised to its fewest, ratio kept, and told: fal would do so in silence, and 1K of anything but a square is too
 * few for Seedream 4. Too many are refused, for fal would stretch those.
 */
function writeSize({ width, height, model }: Sized, { min, max, side: [sideMin, sideMax] = [1, Infinity] }: Pixels): { fields: Record<string, Json>; warnings: string[] } {
  if (width === null || height === null) return { fields: {}, warnings: [] }
  const growth = Math.sqrt(min / (width * height))
  const grown = growth > 1 && growth <= growthMax
  const [wide, high] = grown ? [width, height].map(side => Math.ceil(side * growth / 8) * 8) as [number, number] : [width, height]
  if (wide * high >= min && wide * high <= max && Math.min(wide, high) >= sideMin && Math.max(wide, high) <= sideMax) {
    return { fields: { image_size: { width: wide, height: high } }, warnings: grown ? [`${width}x${height} became ${wide}x${high}: fal draws ${model} of ${min} pixels or more.`] : [] }
  }
  const sides = sideMax === Infinity ? '' : ` and sides of ${sideMin} to ${sideMax}`
  throw new Problem('unsupported_parameter', `fal makes ${model} only of ${min} to ${max} pixels in all${sides}, not ${width}x${height}. Take another resolution or aspect_ratio.`,
    { field: 'parameters.resolution', value: `${width}x${height}`, allowed: { min, max } })
}

/** As few requests as make so many pictures. Each has a seed of its own, or they would be the same picture. */
function share(count: number, several: number, input: Record<string, Json>): Record<string, Json>[] {
  const { seed: first } = input
  return Array.from({ length: Math.ceil(count / several) }, (_, index) => {
    const here = Math.min(several, count - index * several)
    return { ...input, ...(several > 1 ? { num_images: here } : {}), ...(typeof first === 'number' ? { seed: (first + index * several) % 2_147_483_648 } : {}) }
  })
}

/** A model of an operator's own card: its parameters go out under the card's own names. */
function writeUnlisted(job: Asked, links: string[]): Written {
  const { count: _, ...parameters } = job.parameters
  return {
    requests: share(job.count, 1, { prompt: job.prompt, ...parameters, ...(links.length > 0 ? { image_urls: links } : {}) }).map(input => ({ endpoint: job.model, input })),
    warnings: ['This model is not one of those whose fields at fal are known here; its parameters were passed on under the card’s own names.'],
  }
}
