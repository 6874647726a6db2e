/**
 * The input of every model our cards send to Replicate, in the words of its pages there: input schemas of 2026 as public programs carry them. Pure.
 *
 * Replicate hosts what others wrote, so each model has its own names for the same things, and what it does not know it may ignore:
 * whatever is not named here is refused before anything is bought.
 */
import type { Json } from '../../domain/outcome.ts'
import { as, only, ownFormat, unheard, words, writeParameters } from '../toolkit.ts'
import type { Asked, Handling } from '../toolkit.ts'
import { isReferred, writePictures, type Slots } from '../toolkit/pictures.ts'

/** A model of Replicate's and one input for each prediction: it makes one picture at a time. */
export interface Written { model: string; inputs: Record<string, Json>[]; warnings: string[] }

interface Model {
  /** Replicate's name where it is another one for this job. */
  name?(job: Asked): string
  prompt?: false
  slots?: Slots | ((job: Asked) => Slots)
  parameters: Record<string, Handling>
  always?: Record<string, Json>
}

const title = 'Replicate'
const ratios = words('1:1', '2:3', '3:2', '3:4', '4:3', '4:5', '5:4', '9:16', '16:9', '21:9')
const longRatios = { ...ratios, ...words('1:4', '4:1', '1:8', '8:1') }

/** Ours is square without a picture; with one, Replicate's word for following it. */
const ratio = (allowed: Record<string, Json>): Handling => (value, name, job) =>
  value !== 'auto' ? as('aspect_ratio', allowed)(value, name, job) : { send: { aspect_ratio: job.inputs.length > 0 ? 'match_input_image' : '1:1' } }
const square = (allowed: Record<string, Json>): Handling => as('aspect_ratio', { auto: '1:1', ...allowed })
/** Films follow their first picture: a ratio beside it is ignored there, so it is refused here. */
const filmRatio: Handling = (value, name, job) => job.inputs.length > 0 ? only('auto')(value, name, job) : square(words('1:1', '16:9', '9:16'))(value, name, job)
const jpg = as('output_format', { png: 'png', jpeg: 'jpg' })
const jpgOrWebp = as('output_format', { png: 'png', jpeg: 'jpg', webp: 'webp' })
const seed = as('seed')
const negative = as('negative_prompt')
const noSeed = unheard('this model has no seed at Replicate, so another run gives another picture.')
const seconds = (...allowed: number[]): Handling => as('duration', Object.fromEntries(allowed.map(one => [one, one])))

const fluxRatios = words('1:1', '16:9', '9:16', '4:3', '3:4', '3:2', '2:3', '4:5', '5:4')
/** Its sides end at 2048: the wide formats of 2K come smaller than four megapixels. */
const fluxSize: Handling = (value, name, job) => value === '2K' && !['auto', '1:1', undefined].includes(job.parameters.aspect_ratio as string | undefined)
  ? { send: { resolution: '4 MP' }, warning: 'resolution "2K" is drawn with at most 2048 pixels a side at Replicate.' } : as('resolution', { '1K': '1 MP', '2K': '4 MP' })(value, name, job)
const flux = (max: number, always: Record<string, Json> = {}): Model => ({
  slots: { list: { field: 'input_images', max } }, always,
  parameters: { aspect_ratio: ratio(fluxRatios), resolution: fluxSize, output_format: jpgOrWebp, seed },
})
const seedream = (max: number, ...sizes: string[]): Model => ({
  slots: { list: { field: 'image_input', max } }, always: { sequential_image_generation: 'disabled' },
  parameters: { aspect_ratio: ratio(words('1:1', '4:3', '3:4', '16:9', '9:16', '3:2', '2:3', '21:9')), resolution: as('size', words(...sizes)), output_format: ownFormat('png', 'jpeg'), seed: noSeed },
})
/** References are taken only for films of eight seconds in 16:9. */
const veo = (references: boolean, more: Record<string, Handling>, always: Record<string, Json>): Model => ({
  slots: job => isReferred(job) ? (references ? { list: { field: 'reference_images', max: 3 } } : {}) : { first: 'image', last: 'last_frame' }, always,
  parameters: {
    aspect_ratio: (value, name, job) => as('aspect_ratio', isReferred(job) ? words('16:9') : words('16:9', '9:16'))(value, name, job), resolution: as('resolution', words('720p', '1080p')),
    duration_s: (value, name, job) => (isReferred(job) ? seconds(8) : seconds(4, 6, 8))(value, name, job), seed, ...more,
  },
})
const goFast = as('go_fast', { none: false, regular: true, high: true })

const models: Record<string, Model> = {
  'google/nano-banana': { slots: { list: { field: 'image_input', max: 10 } }, parameters: { aspect_ratio: ratio(ratios), resolution: only('1K'), output_format: jpg, seed: noSeed } },
  'google/nano-banana-pro': {
    slots: { list: { field: 'image_input', max: 14 } }, parameters: { aspect_ratio: ratio(ratios), resolution: as('resolution', words('1K', '2K', '4K')), output_format: jpg, seed: noSeed, google_search: only(false) },
  },
  'google/nano-banana-2': {
    slots: { list: { field: 'image_input', max: 14 } }, parameters: { aspect_ratio: ratio(longRatios), resolution: as('resolution', words('1K', '2K', '4K')), output_format: jpg, seed: noSeed, google_search: as('google_search') },
  },
  'black-forest-labs/flux-2-pro': flux(8),
  'black-forest-labs/flux-2-max': flux(8),
  'black-forest-labs/flux-2-flex': flux(10, { prompt_upsampling: false }),
  'black-forest-labs/flux-2-dev': { ...flux(4), parameters: { aspect_ratio: ratio(fluxRatios), resolution: only('1K'), output_format: jpgOrWebp, seed } },
  'bytedance/seedream-4': seedream(10, '1K', '2K', '4K'),
  'bytedance/seedream-4.5': seedream(14, '2K', '4K'),
  'qwen/qwen-image': {
    parameters: {
      aspect_ratio: square(words('1:1', '16:9', '9:16', '4:3', '3:4', '3:2', '2:3')), resolution: as('image_size', { '1K': 'optimize_for_quality' }), output_format: jpgOrWebp, seed, negative_prompt: negative,
      guidance: as('guidance'), steps: as('num_inference_steps'), acceleration: goFast, strength: only(0.8),
    },
  },
  'qwen/qwen-image-edit': { slots: { one: 'image', required: true }, parameters: { aspect_ratio: ratio(words('1:1', '16:9', '9:16', '4:3', '3:4')), resolution: only('1K'), output_format: jpgOrWebp, seed, acceleration: goFast } },
  'qwen/qwen-image-edit-plus': {
    slots: { list: { field: 'image', max: 3 }, required: true }, parameters: { aspect_ratio: ratio(words('1:1', '16:9', '9:16', '4:3', '3:4')), resolution: only('1K'), output_format: jpgOrWebp, seed, acceleration: goFast },
  },
  // One model there for each speed; a picture is painted over only where a mask says so.
  'ideogram-ai/ideogram-v3': {
    name: ({ parameters: { rendering_speed: speed = 'balanced' } }) => `ideogram-ai/ideogram-v3-${String(speed)}`,
    slots: job => job.inputs.some(({ role }) => role === 'mask') ? { one: 'image', mask: 'mask' } : {},
    parameters: {
      aspect_ratio: (value, name, job) => job.inputs.length > 0 ? only('auto')(value, name, job) : square(words('1:1', '3:4', '4:3', '9:16', '16:9'))(value, name, job),
      resolution: only('1K'), rendering_speed: only('turbo', 'balanced', 'quality'),
      style: as('style_type', { auto: 'Auto', general: 'General', realistic: 'Realistic', design: 'Design' }), expand_prompt: as('magic_prompt_option', { true: 'On', false: 'Off' }), output_format: ownFormat('png', 'jpeg'), seed,
    },
  },
  'topazlabs/image-upscale': { prompt: false, slots: { one: 'image', required: true }, parameters: { factor: as('upscale_factor', { 1: 'None', 2: '2x', 4: '4x' }), output_format: jpg } },
  'recraft-ai/recraft-crisp-upscale': { prompt: false, slots: { one: 'image', required: true }, parameters: { output_format: ownFormat('png', 'webp') } },
  'recraft-ai/recraft-remove-background': { prompt: false, slots: { one: 'image', required: true }, parameters: { output_format: ownFormat('png', 'webp') } },
  'kwaivgi/kling-v2.1': {
    slots: { first: 'start_image', required: true }, always: { mode: 'standard' }, parameters: { duration_s: seconds(5, 10), negative_prompt: negative, cfg_scale: only(0.5) },
  },
  'kwaivgi/kling-v2.6': {
    slots: { first: 'start_image' }, always: { generate_audio: false }, parameters: { aspect_ratio: filmRatio, duration_s: seconds(5, 10), sound: as('generate_audio'), negative_prompt: negative },
  },
  'kwaivgi/kling-v3-video': {
    slots: { first: 'start_image', last: 'end_image' }, always: { generate_audio: false },
    parameters: { aspect_ratio: filmRatio, resolution: as('mode', { '720p': 'standard', '1080p': 'pro', '4K': '4k' }), duration_s: seconds(3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), sound: as('generate_audio'), negative_prompt: negative },
  },
  'google/veo-3.1': veo(true, { negative_prompt: negative, sound: as('generate_audio') }, { generate_audio: true }),
  'google/veo-3.1-fast': veo(false, { negative_prompt: negative, sound: as('generate_audio') }, { generate_audio: true }),
  // No sound to switch, no negative prompt, and 1080p for eight seconds only.
  'google/veo-3.1-lite': veo(false, { duration_s: (value, name, job) => seconds(...job.parameters.resolution === '1080p' ? [8] : [4, 6, 8])(value, name, job) }, {}),
}

export const modelNames = Object.keys(models)

/**
 * One order in Replicate's words. `links` are the job's pictures in its order, where Replicate can read them.
 *
 * @throws {Problem} `unsupported_parameter` for what Replicate cannot honour
 */
export function writeInputs(job: Asked, links: string[]): Written {
  const known = models[job.model]
  if (!known) return writeUnlisted(job, links)
  const { fields, warnings } = writeParameters(job, title, known.parameters)
  const { slots = {} } = known
  const pictures = writePictures(job, typeof slots === 'function' ? slots(job) : slots, links, title)
  return {
    model: known.name?.(job) ?? job.model,
    inputs: each(job.count, { ...(known.prompt === false ? {} : { prompt: job.prompt }), ...known.always, ...fields, ...pictures.fields }),
    warnings: [...warnings, ...pictures.warnings, ...(known.prompt === false && job.prompt.trim() !== '' ? ['prompt was not passed on: this model takes no words.'] : [])],
  }
}

/** Each prediction has a seed of its own, or they would be the same picture. */
const each = (count: number, input: Record<string, Json>): Record<string, Json>[] =>
  Array.from({ length: count }, (_, index) => typeof input.seed === 'number' ? { ...input, seed: (input.seed + index) % 2_147_483_648 } : input)

/** A model of an operator's own card: its parameters go out under the card's own names. */
function writeUnlisted(job: Asked, links: string[]): Written {
  const { count: _, ...parameters } = job.parameters
  return {
    model: job.model, inputs: each(job.count, { prompt: job.prompt, ...parameters, ...(links.length > 0 ? { image_input: links } : {}) }),
    warnings: ['This model is not one of those whose fields at Replicate are known here; its parameters were passed on under the card’s own names.'],
  }
}
