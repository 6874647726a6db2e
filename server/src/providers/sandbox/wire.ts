/**
 * A job in the words of the renderer, and its renderings in ours. Pure.
 */
import type { Format, InputPicture, Rendering, RenderRequest } from '@plantain/sandbox'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import type { Job, Making } from '../contract.ts'

const readNumber = (value: Json | undefined): number | undefined => typeof value === 'number' ? value : undefined

function readFormat(value: Json | undefined, operation: RenderRequest['operation']): Format {
  if (operation === 'video') return 'webp'
  switch (value) {
    case 'png': case 'jpeg': case 'webp': case 'gif': return value
    case undefined: return 'png'
    default: throw new Problem('unsupported_parameter', 'The sandbox writes png, jpeg, webp and gif.', { field: 'parameters.output_format', value, allowed: ['png', 'jpeg', 'webp', 'gif'] })
  }
}

/** An input as the renderer takes it. */
export function writeInput({ role, mime }: Job['inputs'][number], bytes: Uint8Array): InputPicture {
  if (role === 'video') throw new Problem('unsupported_parameter', `The sandbox takes pictures, not films (${mime}).`, { field: 'inputs', value: 'video' })
  return { bytes, role }
}

/** Film of the sandbox: enough frames to see it move, few enough to be made in seconds. */
const fps = 8
const videoMaxSide = 854

/** A job that is drawn; texts are written elsewhere. */
export type Drawing = Omit<Job, 'operation'> & { operation: RenderRequest['operation'] }

export function writeRender(job: Drawing, prompt: string, inputs: InputPicture[], variation: number): RenderRequest {
  const { operation, parameters } = job
  for (const name of ['frame_count', 'frame_duration_ms']) {
    if (parameters[name] !== undefined && parameters.output_format !== 'gif') throw new Problem('unsupported_parameter', `${name} goes with the output_format gif only.`, { field: `parameters.${name}`, value: parameters[name] })
  }
  const seed = readNumber(parameters.seed)
  // Where a model's `quality` is a word, how much its files are packed is a number of its own.
  const quality = readNumber(parameters.quality) ?? (parameters.output_compression === 0 ? 1 : readNumber(parameters.output_compression))
  const background = operation === 'remove_background' ? parameters.background ?? 'transparent' : parameters.background
  return {
    operation, prompt, inputs, variation,
    format: readFormat(parameters.output_format, operation),
    ...writeSize(job),
    ...(seed === undefined ? {} : { seed }),
    ...(quality === undefined ? {} : { quality }),
    ...(background === 'transparent' || background === 'opaque' ? { background } : {}),
    ...(parameters.output_format === 'gif' ? { animation: { frames: readNumber(parameters.frame_count) ?? 9, delayMs: readNumber(parameters.frame_duration_ms) ?? 200 } } : {}),
    ...(operation === 'upscale' ? { factor: readFactor(readNumber(parameters.factor) ?? 2) } : {}),
    ...(operation === 'video' ? { video: { seconds: readNumber(parameters.duration_s) ?? 5, fps } } : {}),
    provenance: { taskId: job.taskId },
  }
}

function readFactor(factor: number): number {
  if ([1, 2, 4, 8].includes(factor)) return factor
  throw new Problem('unsupported_parameter', 'The sandbox enlarges 1, 2, 4 or 8 times.', { field: 'parameters.factor', value: factor, allowed: [1, 2, 4, 8] })
}

/** Pixels of the result. A film is made smaller in the same shape; `warnFilm` says so. */
function writeSize({ operation, width, height }: Drawing): { width?: number; height?: number } {
  if (width === null || height === null) return operation === 'generate' ? { width: 1024, height: 1024 } : operation === 'video' ? { width: videoMaxSide, height: 480 } : {}
  if (operation !== 'video') return { width, height }
  const scale = Math.min(1, videoMaxSide / Math.max(width, height))
  const even = (side: number) => Math.max(16, Math.round(side * scale / 2) * 2)
  return { width: even(width), height: even(height) }
}

/** Parameters of other models that change a picture or a text, and not the sandbox's. Those that cards fill in unasked are left out. */
const unread = ['negative_prompt', 'steps', 'acceleration', 'expand_prompt', 'web_search', 'google_search', 'thinking', 'fixed_camera', 'temperature']

/** What the caller gets otherwise than asked, said openly. */
export function warnOf({ operation, width, height, parameters }: Job): string[] {
  const small = width !== null && height !== null && Math.max(width, height) > videoMaxSide ? ` of at most ${videoMaxSide} pixels a side` : ''
  return [
    ...(operation === 'video' ? [`The sandbox makes an animated WebP without sound${small} instead of a film.`] : []),
    ...unread.filter(name => parameters[name] !== undefined && parameters[name] !== false && parameters[name] !== '').map(name => `The sandbox does not read ${name}.`),
  ]
}

/** Renderings of one job as what was made. What was understood is the same for all of them. */
export function readRenderings(renderings: Rendering[], warnings: string[]): Making {
  const [{ understood, rendererVersion, maskConfidence, description }] = renderings as [Rendering, ...Rendering[]]
  return {
    made: renderings.map(({ bytes, mime, seed }) => ({ bytes, mime, seed })),
    text: description,
    details: {
      sandbox: {
        understood: { ...understood },
        renderer_version: rendererVersion,
        ...(maskConfidence === undefined ? {} : { mask_confidence: maskConfidence }),
      },
    },
    ...(warnings.length > 0 ? { warnings } : {}),
  }
}
