/**
 * What every model our cards send to Kie.ai takes there, in Kie's words. Pure.
 *
 * A field Kie marks as required is always sent, defaults too: it fills nothing in ("This field is required"). What it does not
 * know it ignores silently, so whatever is not named here is refused before anything is bought.
 */
import type { Role } from '../../domain/order.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { as, nothing, only, ownFormat, unheard, unsupported, when, words } from '../toolkit.ts'
import type { Asked, Handling } from '../toolkit.ts'

/** Where pictures go: one field for all of them, or for those of some roles only. */
export interface Pictures { field: string; as: 'one' | 'list'; max: number; required?: true; roles?: Role[] }

export interface Model {
  /** Kie's name, if it is another one than the route's. */
  name?: string
  /** Kie's name where there are pictures, if it is another one. */
  withPictures?: string
  pictures?: Pictures | Pictures[]
  prompt?: false
  /** Fewest characters it takes. */
  promptMin?: number
  /** Most characters it takes, where that is less than the model's own context (kie.md). */
  promptMax?: number
  parameters: Record<string, Handling>
  always?: Record<string, Json>
}

export const title = 'Kie.ai'
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
const jpg = as('output_format', { png: 'png', jpeg: 'jpg' })
const searchUnknown = when(false, nothing, (value) => ({ send: { google_search: value }, warning: 'google_search was passed on, but Kie.ai no longer documents it; whether the web was searched is not known.' }))
const noSearch = only(false)

const nanoBanana: Model = {
  withPictures: 'google/nano-banana-edit', pictures: { field: 'image_urls', as: 'list', max: 10 }, promptMax: 5_000,
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

const quotient = (ratio: string): number => { const [width, height] = ratio.split(':').map(Number); return width! / height! }
/** The ratio nearest to the first picture's; square where there is none, or none whose size is known. */
function nearest(allowed: string[], { inputs: [first] }: Asked): string {
  const wide = first?.width && first.height ? first.width / first.height : 1
  const distance = (one: string) => Math.abs(Math.log(quotient(one) / wide))
  return allowed.filter(one => one.includes(':')).reduce((best, one) => distance(one) < distance(best) ? one : best)
}
/** For models that have no `auto`: the house's is worked out here. */
const plainRatio = (...allowed: string[]): Handling => (value, name, job) => as('aspect_ratio', words(...allowed))(value === 'auto' ? nearest(allowed, job) : value, name, job)
const sizeWord = (...allowed: string[]): Handling => (value, name, job) => as('image_size', words(...allowed))(value === 'auto' ? nearest(allowed, job) : value, name, job)

/** Shapes by name; `square` is the small one. The resolution is part of the name. */
const shapes: Record<string, Json> = { '1:1': 'square_hd', '3:4': 'portrait_4_3', '4:3': 'landscape_4_3', '9:16': 'portrait_16_9', '16:9': 'landscape_16_9' }
const named: Record<string, Handling> = {
  aspect_ratio(value, name, job) {
    const ratio = value === 'auto' ? nearest(Object.keys(shapes), job) : value
    if (job.parameters.resolution === '512') return ratio === '1:1' ? { send: { image_size: 'square' } } : { refused: ['1:1'] }
    return as('image_size', shapes)(ratio, name, job)
  },
  resolution: only('512', '1K'),
}
const moreShapes = { ...shapes, '2:3': 'portrait_3_2', '3:2': 'landscape_3_2', '21:9': 'landscape_21_9' }

const flux = (word: string): Model => ({
  withPictures: `flux-2/${word}-image-to-image`, pictures: { field: 'input_urls', as: 'list', max: 8 }, promptMin: 3,
  parameters: { aspect_ratio: ratio(words('1:1', '4:3', '3:4', '16:9', '9:16', '3:2', '2:3')), resolution: as('resolution', words('1K', '2K')), output_format: ownFormat('png'), seed },
})
const seedreamRatio = plainRatio('1:1', '4:3', '3:4', '16:9', '9:16', '2:3', '3:2', '21:9')
const seedream = (withPictures: string, max: number, { format = as('output_format', words('png', 'jpeg')), ...more }: { size: Handling; format?: Handling; promptMin?: number }): Model => ({
  withPictures, pictures: { field: 'image_urls', as: 'list', max }, ...(more.promptMin ? { promptMin: more.promptMin } : {}), parameters: { aspect_ratio: seedreamRatio, resolution: more.size, output_format: format, seed },
})
const qwen: Record<string, Handling> = {
  guidance: as('guidance_scale'), steps: as('num_inference_steps'), negative_prompt: as('negative_prompt'), acceleration: as('acceleration', words('none', 'regular', 'high')), output_format: as('output_format', words('png', 'jpeg')), seed: as('seed'),
}
/** What is made over again keeps its size. */
const ownSize = { aspect_ratio: only('auto'), resolution: only('1K') }
const qwen3 = (stem: string): Model => ({
  withPictures: `${stem}image-to-image`, pictures: { field: 'image_urls', as: 'list', max: 3 },
  parameters: { aspect_ratio: sizeWord('1:1', '3:2', '2:3', '4:3', '3:4', '16:9', '9:16', '21:9'), resolution: as('resolution', words('1K', '2K')), negative_prompt: as('negative_prompt'), expand_prompt: as('prompt_extend'), output_format: as('output_format', words('png', 'jpeg')), seed: as('seed') },
})
const qwen2: Handling = (value, name, job) => job.inputs.length > 0 ? sizeWord('1:1', '2:3', '3:2', '3:4', '4:3', '9:16', '16:9', '21:9')(value, name, job) : sizeWord('1:1', '3:4', '4:3', '9:16', '16:9')(value, name, job)

const speed = as('rendering_speed', { turbo: 'TURBO', balanced: 'BALANCED', quality: 'QUALITY' })
const style = (...allowed: string[]): Handling => as('style', Object.fromEntries(allowed.map(one => [one, one.toUpperCase()])))
const ideogramStyle = style('auto', 'general', 'realistic', 'design')
const one: Pictures = { field: 'image_url', as: 'one', max: 1, roles: ['reference'], required: true }
const mask: Pictures = { field: 'mask_url', as: 'one', max: 1, roles: ['mask'], required: true }
const character: Pictures = { field: 'reference_image_urls', as: 'list', max: 1, roles: ['character'], required: true }
const ideogram: Record<string, Handling> = { rendering_speed: speed, expand_prompt: as('expand_prompt'), seed: as('seed'), output_format: ownFormat('png') }
const characterStyle = style('auto', 'realistic', 'fiction')
const has = ({ inputs }: Asked, ...wanted: Role[]): boolean => inputs.some(({ role }) => wanted.includes(role))

/** Kie takes a ratio where OpenAI takes pixels. What it makes of a ratio is about one megapixel. */
const openaiSize = (...allowed: string[]): Handling => (value, name, job) => {
  if (value === 'auto') return { send: { aspect_ratio: allowed.includes('auto') ? 'auto' : nearest(allowed, job) } }
  const [width, height] = String(value).split('x').map(Number) as [number, number]
  const close = allowed.find(one => one.includes(':') && Math.abs(Math.log(quotient(one) * height / width)) < 0.02)
  if (!close || width * height > 1.6 * 1024 * 1024 || width * height < 0.8 * 1024 * 1024) return { refused: ['auto', '1024x1024', '1536x1024', '1024x1536'] }
  return { send: { aspect_ratio: close }, warning: `size ${String(value)} became the ratio ${close}: Kie.ai takes no pixels for this model, and those of the result are its own.` }
}
const ownEffort = unheard('Kie.ai has no such setting for this model.')
/** A model's usual quality may be left to Kie. Any other has a price of its own, and would be sold without being made: another route is asked. */
const ownQuality = when('medium', ownEffort, only('medium'))
const gptImage = (withPictures: string, size: Handling, more: Record<string, Handling> = {}, always: Record<string, Json> = { resolution: '1K' }): Model => ({
  withPictures, pictures: { field: 'input_urls', as: 'list', max: 16 }, always, parameters: { size, quality: ownQuality, output_format: ownFormat('png'), moderation: ownEffort, complexity: ownEffort, ...more },
})
const gptImage25 = (word: string): Model => gptImage(`gpt-image-2-5-${word}-image-to-image`, openaiSize('auto', '1:1', '16:9', '9:16', '4:3', '3:4', '3:2', '2:3', '21:9', '27:16', '16:27', '9:8', '8:9'), { background: as('background', words('opaque', 'transparent')) })

const wan = (forPictures: Handling): Model => ({
  pictures: { field: 'input_urls', as: 'list', max: 9 }, always: { n: 1, enable_sequential: false },
  parameters: {
    aspect_ratio: (value, name, job) => job.inputs.length > 0 ? only('auto')(value, name, job) : plainRatio('1:1', '16:9', '4:3', '21:9', '3:4', '9:16', '8:1', '1:8')(value, name, job),
    resolution: forPictures, thinking: (value, name, job) => job.inputs.length > 0 ? only(false)(value, name, job) : as('thinking_mode')(value, name, job), output_format: ownFormat('png'), seed: as('seed'),
  },
})

const first: Pictures = { field: 'image_url', as: 'one', max: 1, roles: ['first_frame', 'reference'] }
const last: Pictures = { field: 'tail_image_url', as: 'one', max: 1, roles: ['last_frame'] }
const oldKling: Record<string, Handling> = { duration_s: asText('duration', 5, 10), negative_prompt: as('negative_prompt'), cfg_scale: as('cfg_scale') }
const klingRatio = filmRatio(words('1:1', '16:9', '9:16'), '1:1', false)
const seconds15 = asText('duration', 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)

/** Films of ByteDance: the ratio `adaptive` is the house's `auto` where there is a picture to follow. */
const seedance = (max: number, ...sizes: string[]) => (job: Asked): Model => {
  if (has(job, 'reference') && has(job, 'first_frame', 'last_frame')) throw new Problem('unsupported_parameter', `${title} takes references or first and last pictures for ${job.model}, not both.`, { field: 'inputs' })
  return {
    promptMin: 3,
    pictures: [{ field: 'first_frame_url', as: 'one', max: 1, roles: ['first_frame'] }, { field: 'last_frame_url', as: 'one', max: 1, roles: ['last_frame'] }, { field: 'reference_image_urls', as: 'list', max, roles: ['reference'] }],
    parameters: {
      aspect_ratio: (value, name) => value === 'auto' ? { send: { aspect_ratio: job.inputs.length > 0 ? 'adaptive' : '1:1' } } : as('aspect_ratio', words('1:1', '4:3', '3:4', '16:9', '9:16', '21:9'))(value, name, job),
      resolution: as('resolution', Object.fromEntries(sizes.map(size => [size === '4k' ? '4K' : size, size]))), duration_s: as('duration'), sound: as('generate_audio'),
      web_search: (value, name) => job.inputs.length > 0 ? only(false)(value, name, job) : as('web_search')(value, name, job),
    },
  }
}

/** By the route's name; a function where Kie has several names and fields for what is one model here. */
const models: Record<string, Model | ((job: Asked) => Model)> = {
  'google/nano-banana': nanoBanana,
  'google/nano-banana-edit': nanoBanana,
  'nano-banana-pro': {
    promptMax: 10_000, pictures: { field: 'image_input', as: 'list', max: 8 },
    parameters: { aspect_ratio: ratio(ratios), resolution: as('resolution', words('1K', '2K', '4K')), output_format: jpg, seed, google_search: noSearch },
  },
  'nano-banana-2': {
    promptMax: 20_000, pictures: { field: 'image_input', as: 'list', max: 14 },
    parameters: { aspect_ratio: ratio(longRatios), resolution: as('resolution', words('1K', '2K', '4K')), output_format: jpg, seed, google_search: searchUnknown },
  },
  'nano-banana-2-1': {
    promptMax: 20_000, pictures: { field: 'image_input', as: 'list', max: 10 },
    parameters: { aspect_ratio: ratio(longRatios), resolution: as('resolution', words('1K', '2K', '4K')), output_format: jpg, seed, google_search: noSearch },
  },
  'nano-banana-2-lite': {
    promptMax: 20_000, pictures: { field: 'image_urls', as: 'list', max: 10 },
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
  'flux-2/pro-text-to-image': flux('pro'),
  'flux-2/flex-text-to-image': flux('flex'),
  'bytedance/seedream': { parameters: { ...named, guidance: as('guidance_scale'), output_format: ownFormat('png'), seed: as('seed') } },
  'bytedance/seedream-v4-text-to-image': {
    withPictures: 'bytedance/seedream-v4-edit', pictures: { field: 'image_urls', as: 'list', max: 10 }, always: { max_images: 1 },
    parameters: { aspect_ratio: (value, name, job) => as('image_size', moreShapes)(value === 'auto' ? nearest(Object.keys(moreShapes), job) : value, name, job), resolution: as('image_resolution', words('1K', '2K', '4K')), output_format: ownFormat('png'), seed: as('seed') },
  },
  'seedream/4.5-text-to-image': seedream('seedream/4.5-edit', 14, { size: as('quality', { '2K': 'basic', '4K': 'high' }), format: ownFormat('png') }),
  'seedream/5-lite-text-to-image': seedream('seedream/5-lite-image-to-image', 14, { size: as('quality', { '2K': 'basic', '3K': 'high', '4K': 'ultra' }), promptMin: 3 }),
  'seedream/5-pro-text-to-image': seedream('seedream/5-pro-image-to-image', 10, { size: as('quality', { '1K': 'basic', '2K': 'high' }), promptMin: 3 }),
  'seedream/5-flash-text-to-image': seedream('seedream/5-flash-image-to-image', 10, { size: as('size', words('1K', '1.5K', '2K')), promptMin: 3 }),
  'qwen/text-to-image': job => job.inputs.length === 0 ? { parameters: { ...qwen, ...named } }
    : { name: 'qwen/image-to-image', pictures: { field: 'image_url', as: 'one', max: 1 }, parameters: { ...qwen, ...ownSize, strength: as('strength') } },
  'qwen/image-edit': { pictures: { field: 'image_url', as: 'one', max: 1, required: true }, always: { num_images: '1' }, parameters: { ...qwen, ...named } },
  'qwen2/text-to-image': { withPictures: 'qwen2/image-edit', pictures: { field: 'image_url', as: 'one', max: 1 }, parameters: { aspect_ratio: qwen2, output_format: as('output_format', words('png', 'jpeg')), seed: as('seed') } },
  'qwen3/text-to-image': qwen3('qwen3/'),
  'qwen3/pro-text-to-image': qwen3('qwen3/pro-'),
  'ideogram/v3-text-to-image'(job) {
    // A mask's edit keeps the picture as large as it is, and knows neither style nor strength.
    if (has(job, 'mask')) return { name: 'ideogram/v3-edit', pictures: [one, mask], parameters: { ...ideogram, ...ownSize, style: only('auto') } }
    const parameters = { ...ideogram, ...named, style: ideogramStyle, negative_prompt: as('negative_prompt') }
    return job.inputs.length === 0 ? { parameters } : { name: 'ideogram/v3-remix', pictures: one, always: { num_images: '1' }, parameters: { ...parameters, strength: as('strength') } }
  },
  'ideogram/v3-reframe': { prompt: false, pictures: { field: 'image_url', as: 'one', max: 1, required: true }, always: { num_images: '1' }, parameters: { ...named, rendering_speed: speed, style: ideogramStyle, output_format: ownFormat('png'), seed: as('seed') } },
  'ideogram/character'(job) {
    const parameters = { ...ideogram, style: characterStyle }
    const shaped = { ...parameters, ...named, negative_prompt: as('negative_prompt') }
    if (has(job, 'mask')) return { name: 'ideogram/character-edit', pictures: [one, mask, character], always: { num_images: '1' }, parameters: { ...parameters, ...ownSize } }
    if (!has(job, 'reference')) return { pictures: character, always: { num_images: '1' }, parameters: shaped }
    return { name: 'ideogram/character-remix', pictures: [one, character, { field: 'image_urls', as: 'list', max: 4, roles: ['style'] }], always: { num_images: '1' }, parameters: { ...shaped, strength: as('strength') } }
  },
  'z-image': { parameters: { aspect_ratio: plainRatio('1:1', '4:3', '3:4', '16:9', '9:16'), output_format: ownFormat('png'), seed } },
  'grok-imagine/text-to-image'(job): Model {
    const parameters = { output_format: ownFormat('png', 'jpeg'), seed }
    return job.inputs.length === 0
      ? { parameters: { ...parameters, aspect_ratio: plainRatio('2:3', '3:2', '1:1', '16:9', '9:16'), quality: as('enable_pro', { standard: false, high: true }) } }
      : { name: 'grok-imagine/image-to-image', pictures: { field: 'image_urls', as: 'list', max: 5 }, parameters: { ...parameters, aspect_ratio: only('auto') } }
  },
  'grok-imagine-image-2-0/text-to-image': { parameters: { aspect_ratio: plainRatio('1:1', '2:3', '3:2', '16:9', '9:16'), output_format: ownFormat('png', 'jpeg'), seed } },
  'wan/2-7-image': wan(as('resolution', words('1K', '2K', '4K'))),
  'wan/2-7-image-pro': wan((value, name, job) => as('resolution', words(...job.inputs.length > 0 ? ['1K', '2K'] : ['1K', '2K', '4K']))(value, name, job)),
  'gpt-image/1.5-text-to-image': gptImage('gpt-image/1.5-image-to-image', openaiSize('1:1', '2:3', '3:2'), { quality: as('quality', words('medium', 'high')), input_fidelity: ownEffort }, {}),
  'gpt-image-2-text-to-image': gptImage('gpt-image-2-image-to-image', openaiSize('auto', '1:1', '3:2', '2:3', '4:3', '3:4', '5:4', '4:5', '16:9', '9:16', '2:1', '1:2', '3:1', '1:3', '21:9', '9:21')),
  'gpt-image-2-5-flare-text-to-image': gptImage25('flare'),
  'gpt-image-2-5-sunburst-text-to-image': gptImage25('sunburst'),
  'kling/v2-1-pro': { pictures: [{ ...first, required: true }, last], parameters: oldKling },
  'kling/v2-1-master-text-to-video': { withPictures: 'kling/v2-1-master-image-to-video', pictures: first, parameters: { ...oldKling, aspect_ratio: klingRatio } },
  'kling/v2-5-turbo-text-to-video-pro': {
    withPictures: 'kling/v2-5-turbo-image-to-video-pro', pictures: [first, last],
    parameters: { ...oldKling, aspect_ratio: klingRatio, negative_prompt: (value, name, job) => {
      if (job.inputs.length > 0 && typeof value === 'string' && value.length > 500) throw unsupported(name, `${value.length} characters`, ['at most 500 characters'], `${title}, which makes ${job.model} from pictures`)
      return as('negative_prompt')(value, name, job)
    } },
  },
  'kling/v3-turbo-text-to-video': { withPictures: 'kling/v3-turbo-image-to-video', pictures: { ...first, field: 'image_urls', as: 'list' }, parameters: { aspect_ratio: klingRatio, duration_s: seconds15, resolution: as('resolution', words('720p', '1080p')) } },
  'bytedance/seedance-1.5-pro': {
    promptMin: 3, pictures: { field: 'input_urls', as: 'list', max: 2 },
    parameters: { aspect_ratio: plainRatio('1:1', '4:3', '3:4', '16:9', '9:16', '21:9'), resolution: as('resolution', words('480p', '720p', '1080p')), duration_s: as('duration'), sound: as('generate_audio'), fixed_camera: as('fixed_lens') },
  },
  'bytedance/seedance-2': seedance(9, '480p', '720p', '1080p', '4k'),
  'bytedance/seedance-2-fast': seedance(9, '480p', '720p'),
  'bytedance/seedance-2-mini': seedance(9, '480p', '720p'),
  'bytedance/seedance-2-5': seedance(30, '480p', '720p', '1080p'),
  // Its pictures are references; films, voices and characters that go in have no place at our doors.
  'gemini-omni-video': {
    promptMax: 20_000, pictures: { field: 'image_urls', as: 'list', max: 7, roles: ['reference'] },
    parameters: { aspect_ratio: as('aspect_ratio', words('16:9', '9:16')), resolution: as('resolution', { ...words('720p', '1080p'), '4K': '4k' }), duration_s: asText('duration', 4, 6, 8, 10), seed: as('seed') },
  },
  'sora-2-text-to-video': sora,
  'sora-2-image-to-video': sora,
}

export const modelNames = Object.keys(models)

/** What Kie takes for a job; null for a model that is not known here. */
export function modelOf(job: Asked): Model | null {
  const entry = models[job.model]
  return typeof entry === 'function' ? entry(job) : entry ?? null
}
