/**
 * The input schemas of Replicate's models, as public programs carry them: pictures by a gateway's table of fields and by Puter's catalogue of
 * 2026-09-16, films by pages of single versions and by what two programs send. Only fields that we could write are noted. Replicate refuses a field it does
 * not know with 422.
 */
import type { Json } from '../../src/domain/outcome.ts'

/** What a field takes; a list: these values only. */
export type Field = 'text' | 'link' | 'links' | 'whole' | 'number' | 'yes or no' | Json[]
type Schema = Record<string, Field>

const match = 'match_input_image'
const jpg = { output_format: ['jpg', 'png'] }
const webp = { output_format: ['webp', 'jpg', 'png'] }
const common = ['1:1', '2:3', '3:2', '3:4', '4:3', '4:5', '5:4', '9:16', '16:9']
const nanoBanana: Schema = { prompt: 'text', image_input: 'links', aspect_ratio: [match, ...common, '21:9'], ...jpg }
const flux: Schema = { prompt: 'text', input_images: 'links', aspect_ratio: [match, 'custom', ...common], seed: 'whole', ...webp }
const fluxPro: Schema = { ...flux, resolution: ['0.5 MP', '1 MP', '2 MP', '4 MP'], safety_tolerance: 'whole' }
const seedream: Schema = { prompt: 'text', image_input: 'links', size: ['1K', '2K', '4K', 'custom'], aspect_ratio: [match, '1:1', '4:3', '3:4', '16:9', '9:16', '3:2', '2:3', '21:9'], sequential_image_generation: ['disabled', 'auto'], max_images: 'whole' }
const qwenEdit: Schema = { prompt: 'text', aspect_ratio: [match, '1:1', '16:9', '9:16', '4:3', '3:4'], go_fast: 'yes or no', seed: 'whole', ...webp }
const ideogram: Schema = {
  prompt: 'text', aspect_ratio: [...common, '1:3', '3:1', '1:2', '2:1', '10:16', '16:10'], magic_prompt_option: ['Auto', 'On', 'Off'], image: 'link', mask: 'link', style_type: ['None', 'Auto', 'General', 'Realistic', 'Design'], seed: 'whole',
}
const filmRatios = ['16:9', '9:16', '1:1']
const veo: Schema = { prompt: 'text', image: 'link', last_frame: 'link', aspect_ratio: ['16:9', '9:16'], duration: [4, 6, 8], resolution: ['720p', '1080p'], seed: 'whole' }
const veoHeard: Schema = { ...veo, negative_prompt: 'text', generate_audio: 'yes or no' }

/** What is not known here it does not have. */
const schemas: Record<string, Schema> = {
  'google/nano-banana': nanoBanana,
  'google/nano-banana-pro': { ...nanoBanana, resolution: ['1K', '2K', '4K'], safety_filter_level: ['block_low_and_above', 'block_medium_and_above', 'block_only_high'], allow_fallback_model: 'yes or no' },
  'google/nano-banana-2': { ...nanoBanana, aspect_ratio: [match, ...common, '21:9', '1:4', '4:1', '1:8', '8:1'], resolution: ['1K', '2K', '4K'], google_search: 'yes or no', image_search: 'yes or no' },
  'black-forest-labs/flux-2-pro': { ...fluxPro, prompt_upsampling: 'yes or no' },
  'black-forest-labs/flux-2-max': fluxPro,
  'black-forest-labs/flux-2-flex': { ...fluxPro, prompt_upsampling: 'yes or no', steps: 'whole', guidance: 'number' },
  'black-forest-labs/flux-2-dev': { ...flux, go_fast: 'yes or no' },
  'bytedance/seedream-4': { ...seedream, enhance_prompt: 'yes or no' },
  'bytedance/seedream-4.5': { ...seedream, size: ['2K', '4K', 'custom'] },
  'qwen/qwen-image': {
    prompt: 'text', aspect_ratio: ['1:1', '16:9', '9:16', '4:3', '3:4', '3:2', '2:3'], image_size: ['optimize_for_quality', 'optimize_for_speed'], negative_prompt: 'text', num_inference_steps: 'whole', guidance: 'number', go_fast: 'yes or no',
    seed: 'whole', image: 'link', strength: 'number', enhance_prompt: 'yes or no', ...webp,
  },
  'qwen/qwen-image-edit': { ...qwenEdit, image: 'link' },
  'qwen/qwen-image-edit-plus': { ...qwenEdit, image: 'links' },
  'ideogram-ai/ideogram-v3-turbo': ideogram,
  'ideogram-ai/ideogram-v3-balanced': ideogram,
  'ideogram-ai/ideogram-v3-quality': ideogram,
  'topazlabs/image-upscale': { image: 'link', upscale_factor: ['None', '2x', '4x', '6x'], enhance_model: ['Standard V2', 'Low Resolution V2', 'CGI', 'High Fidelity V2', 'Text Refine'], ...jpg },
  'recraft-ai/recraft-crisp-upscale': { image: 'link' },
  'recraft-ai/recraft-remove-background': { image: 'link' },
  'kwaivgi/kling-v2.1': { prompt: 'text', mode: ['standard', 'pro'], start_image: 'link', end_image: 'link', duration: [5, 10], negative_prompt: 'text' },
  'kwaivgi/kling-v2.6': { prompt: 'text', start_image: 'link', aspect_ratio: filmRatios, duration: [5, 10], generate_audio: 'yes or no', negative_prompt: 'text' },
  'kwaivgi/kling-v3-video': {
    prompt: 'text', mode: ['standard', 'pro', '4k'], start_image: 'link', end_image: 'link', aspect_ratio: filmRatios, duration: [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], generate_audio: 'yes or no', negative_prompt: 'text',
  },
  'google/veo-3.1': { ...veoHeard, reference_images: 'links' },
  'google/veo-3.1-fast': veoHeard,
  'google/veo-3.1-lite': veo,
}

const pictures: Record<string, string> = {
  'qwen/qwen-image-edit': 'image', 'qwen/qwen-image-edit-plus': 'image', 'topazlabs/image-upscale': 'image', 'recraft-ai/recraft-crisp-upscale': 'image', 'recraft-ai/recraft-remove-background': 'image', 'kwaivgi/kling-v2.1': 'start_image',
}

const fits = (field: Field, value: Json): boolean => Array.isArray(field) ? field.includes(value)
  : field === 'yes or no' ? typeof value === 'boolean' : field === 'whole' ? Number.isInteger(value) : field === 'number' ? typeof value === 'number'
    : field === 'links' ? Array.isArray(value) && value.every(isLink) : field === 'link' ? isLink(value) : typeof value === 'string'
const isLink = (value: Json): boolean => typeof value === 'string' && /^(https?:\/\/|data:image\/)/.test(value)

/** Why an input is none of a model's: the field and a reason; null where it is one. Undefined for a model nobody has heard of. */
export function unfitOf(model: string, input: Record<string, Json>): { field: string; why: string } | null | undefined {
  const schema = schemas[model]
  if (!schema) return undefined
  const missing = [...Object.hasOwn(schema, 'prompt') ? ['prompt'] : [], ...pictures[model] ? [pictures[model]] : []].find(field => input[field] === undefined)
  if (missing) return { field: missing, why: `${missing} is required` }
  for (const [field, value] of Object.entries(input)) {
    if (!Object.hasOwn(schema, field)) return { field, why: 'Additional property is not allowed' }
    const one = schema[field]!
    if (!fits(one, value)) return { field, why: Array.isArray(one) ? `must be one of ${one.join(', ')}` : one === 'link' || one === 'links' ? 'Does not match format "uri"' : `must be ${one}` }
  }
  return null
}
