/** Wisdom Gate's own wire: its older spelling of videos, and the billing questions desktop programs ask. Pure. */
import type { Asset } from '../../domain/asset.ts'
import type { Card } from '../../domain/card.ts'
import { microsPerDollar } from '../../domain/money.ts'
import type { Order } from '../../domain/order.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem, type ProblemDetails } from '../../domain/problem.ts'
import { hasEnded, type Task } from '../../domain/task.ts'
import { isId } from '../../kit/id.ts'
import type { Balance, Upload } from '../contract.ts'
import { filmSize } from '../toolkit.ts'
import { sayFailed } from './words.ts'

// Videos --------------------------------------------------------------------------------------------------------------

export const modelDefault = 'sora-2'
const secondsDefault = '4'
const sizeDefault = '720x1280'

const no = (field: string, sentence: string, details: ProblemDetails = {}) => new Problem('bad_request', sentence, { field, ...details })

/** The fields of a form or a JSON body. `input_reference` may be a file of the form, an address or a data URL. */
export interface VideoAsked { model: string; prompt: string; /** Null where the caller left it open, both. */ seconds: string | null; size: string | null; reference: Upload | null }

const known = ['model', 'prompt', 'seconds', 'size', 'input_reference']

/** @throws {Problem} `bad_request` */
export function readVideo(fields: Record<string, unknown>, file: Upload | null, inline: (text: string) => { upload: Upload } | null = () => null): VideoAsked {
  for (const name of Object.keys(fields)) if (!known.includes(name)) throw no(name.slice(0, 100), `Unknown parameter: '${name.slice(0, 100)}'. Known are ${known.join(', ')}.`, { allowed: known })
  const text = (name: string, otherwise: string | null): string => {
    const value = fields[name] ?? otherwise
    if (value === null) throw no(name, `Missing required parameter: '${name}'.`)
    // JSON callers write seconds as a number, the form as text.
    if (name === 'seconds' && Number.isInteger(value)) return String(value)
    if (typeof value !== 'string') throw no(name, `'${name}' must be a string.`)
    return value
  }
  const model = text('model', modelDefault)
  if (model === '' || model.length > 200) throw no('model', '\'model\' must be the name of a model.')
  const prompt = text('prompt', null)
  const seconds = fields.seconds === undefined || fields.seconds === null ? null : text('seconds', null)
  if (seconds !== null && !/^[1-9]\d{0,2}$/.test(seconds)) throw no('seconds', '\'seconds\' must be a whole number, as in "4".', { value: seconds.slice(0, 40) })
  const size = fields.size === undefined || fields.size === null ? null : text('size', null)
  if (size !== null && !/^[1-9]\d{1,4}x[1-9]\d{1,4}$/.test(size)) throw no('size', '\'size\' must be width and height, as in "720x1280".', { value: size.slice(0, 40) })
  return { model, prompt, seconds, size, reference: readReference(fields.input_reference, file, inline) }
}

function readReference(value: unknown, file: Upload | null, inline: (text: string) => { upload: Upload } | null): Upload | null {
  if (value === undefined || value === null) return file
  if (file) throw no('input_reference', '\'input_reference\' is given twice.')
  // The SDK's newer form says which of both it is.
  const reference = typeof value === 'object' && !Array.isArray(value) ? (value as { image_url?: unknown }).image_url : value
  if (typeof reference !== 'string' || reference === '') throw no('input_reference', '\'input_reference\' must be a file, an address or a data URL.')
  const long = inline(reference)
  if (long) return long.upload
  if (reference.startsWith('data:')) return { dataUrl: reference }
  if (!/^https?:\/\/./i.test(reference) || !URL.canParse(reference) || reference.length > 4_096) throw no('input_reference', '\'input_reference\' must be a file, an address or a data URL.', { value: reference.slice(0, 100) })
  return { url: reference }
}

type Property = { enum?: Json[] }

/** @throws {Problem} `unsupported_parameter` for a size the model does not make */
export function planVideo({ model, prompt, seconds, size }: VideoAsked, card: Card, { isTemplate = false } = {}): Omit<Order, 'inputs'> {
  if (!card.operations.includes('video')) throw new Problem('unsupported_parameter', `${model} makes no videos.`, { field: 'model', value: model })
  const properties = (card.parameters.properties ?? {}) as Record<string, Property>
  // What nobody asks for has a usual value here, and a template says it itself.
  const length = seconds ?? (isTemplate ? null : secondsDefault)
  const shape = size === null && isTemplate ? {} : readSize(size, card, properties)
  return {
    model, prompt, operation: 'video',
    parameters: { ...length === null ? {} : { duration_s: Number(length) }, ...shape },
    wire: { protocol: 'wisdom-gate', body: isTemplate ? {} : { seconds: length, size: size ?? sizeDefault } },
  }
}

/** Models are asked in pixels, or by shape and shorter side; one that has neither follows its picture. */
function readSize(asked: string | null, card: Card, { size: pixelSize, aspect_ratio: ratio, resolution }: Record<string, Property>): Record<string, Json> {
  if (pixelSize) return { size: asked ?? sizeDefault }
  if (!ratio && asked === null) return {}
  if (!ratio) throw new Problem('unsupported_parameter', `${card.id} takes no 'size': its videos have the shape of their picture.`, { field: 'size', value: asked })
  const size = asked ?? sizeDefault
  const [width, height] = size.split('x').map(Number) as [number, number]
  const ratios = ((ratio.enum ?? []) as string[]).filter(one => /^\d+:\d+$/.test(one))
  const same = ratios.find(one => Number(one.split(':')[0]) * height === Number(one.split(':')[1]) * width)
  const short = `${Math.min(width, height)}p`
  const shorts = resolution ? (resolution.enum ?? []) as string[] : ['720p']
  if (!same || !shorts.includes(short)) {
    const allowed = ratios.flatMap(one => shorts.flatMap(side => filmSize(one, side) ?? []))
    throw new Problem('unsupported_parameter', `'size' must be one of ${allowed.join(', ')} for ${card.id}, not ${size}.`, { field: 'size', value: size, allowed })
  }
  return { aspect_ratio: same, ...(resolution ? { resolution: short } : {}) }
}

export const videoId = (taskId: string): string => `video_${taskId}`
/** Out of `video_…`, or a bare id of ours; null where it is neither. */
export function readVideoId(text: string): string | null {
  const id = text.replace(/^video_/, '')
  return isId(id) ? id.replaceAll('-', '') : null
}

/** This spelling says `processing` where the newer one says `in_progress`. */
const statusOf = ({ state }: Pick<Task, 'state'>): string =>
  state === 'queued' ? 'queued' : state === 'done' ? 'completed' : hasEnded(state) ? 'failed' : 'processing'

const seconds = (date: Date | null): number | null => date === null ? null : Math.floor(date.getTime() / 1_000)

export function writeVideo(task: Task, link: (asset: Asset) => string): Record<string, unknown> {
  const { id, state, modelAsked, progress, problem, outputs: [film], createdAt, endedAt, prompt } = task
  return {
    id: videoId(id), object: 'video', model: modelAsked, status: statusOf(task), progress: state === 'done' ? 100 : progress ?? 0,
    created_at: seconds(createdAt), completed_at: state === 'done' ? seconds(endedAt) : null, expires_at: film ? seconds(film.expiresAt) : null,
    error: state === 'failed' || state === 'cancelled' ? sayFailed(problem) : null,
    ...writeShape(task), remixed_from_video_id: null, prompt,
    ...(film ? { meta_data: { url: link(film) } } : {}),
  }
}

/** As it was asked for here; a video that was begun at another door is told by its parameters. */
function writeShape({ wire, parameters }: Task): { seconds: string; size: string } {
  const body = wire?.protocol === 'wisdom-gate' ? wire.body as { seconds?: string; size?: string } : {}
  if (body.seconds !== undefined && body.size !== undefined) return { seconds: body.seconds, size: body.size }
  const { duration_s: duration, aspect_ratio: ratio, resolution, size: asked } = parameters
  const size = typeof asked === 'string' ? asked : filmSize(ratio, resolution ?? '720p')
  return { seconds: String(duration ?? secondsDefault), size: size ?? sizeDefault }
}

// Billing -------------------------------------------------------------------------------------------------------------

/** Nobody pays after the fact here, so every limit is what was ever granted. */
export function writeSubscription({ availableMicros, heldMicros, spentMicros }: Balance): Record<string, unknown> {
  const limit = (availableMicros + heldMicros + spentMicros) / microsPerDollar
  return { object: 'billing_subscription', has_payment_method: true, soft_limit_usd: limit, hard_limit_usd: limit, system_hard_limit_usd: limit, access_until: 0 }
}

/**
 * What was spent, in cents, and what is held: limit less usage is what the caller still has.
 *
 * Of all time, whatever days were asked for: programs take this from the limit and show the rest as the balance, and one-api, whose
 * form this is, answers so.
 */
export const writeUsage = ({ heldMicros, spentMicros }: Balance): Record<string, unknown> => ({ object: 'list', total_usage: (heldMicros + spentMicros) / (microsPerDollar / 100) })
