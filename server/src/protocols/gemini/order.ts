/** From what was read to a task: takes in the pictures of a call, orders, and lets go of what is not needed. */
import type { Card } from '../../domain/card.ts'
import type { Order } from '../../domain/order.ts'
import { Problem } from '../../domain/problem.ts'
import type { Desk, Incoming, Submitted, Upload } from '../contract.ts'
import { rename, takeIn, type Wanted } from '../toolkit.ts'
import { fileIn, type Picture } from './contents.ts'
import { isWriter } from '../toolkit/talk.ts'
import { cannot, no } from './fields.ts'
import type { Context, Read } from './generate.ts'

/** The model of an address or body. `content`: pictures or text, as generateContent gives both. @throws {Problem} `unknown_model` */
export async function findModel(desk: Desk, name: string, kinds: 'picture' | 'film' | 'content' | 'any', method: string): Promise<Context> {
  const model = name.replace(/^models\//, '')
  const found = model.length <= 200 ? await desk.models.serving(model, 'gemini') : null
  const shown = model.slice(0, 100)
  if (!found) throw new Problem('unknown_model', `models/${shown} is not found. Call ListModels to see the list of available models and their supported methods.`, { field: 'model', value: shown })
  const makes = isFilmModel(found.card) ? 'film' : isWriter(found.card) ? 'text' : 'picture'
  const fits = kinds === 'any' || (kinds === 'content' ? makes !== 'film' : makes === kinds)
  if (!fits) {
    throw new Problem('unknown_model', `models/${shown} is not supported for ${method}. Call ListModels to see the list of available models and their supported methods.`, { field: 'model', value: shown })
  }
  return { model, card: found.card, livemode: desk.caller.livemode }
}

export const isFilmModel = (card: Card): boolean => card.output.kind === 'video'

/** A file of Google's own Files API: its owner's key opens it, and nobody else's. */
const isGoogles = (uri: string): boolean => { const { hostname, pathname } = new URL(uri); return hostname.endsWith('.googleapis.com') && /\/files\/[^/]+/.test(pathname) }

/** Where a picture comes from, in the house's words. A signature of ours spares its bytes, as long as they are the ones it was given for. */
async function wantedOf({ field, role, source, signed }: Picture, desk: Desk, inline: Incoming['inline']): Promise<Wanted> {
  const own = signed === undefined ? null : await desk.assets.find(signed)
  if ('assetId' in source) {
    const asset = await desk.assets.find(source.assetId)
    if (!asset) throw new Problem('bad_input_image', `${field} names a picture that is not there any more. Send its bytes.`, { field })
    return { field, role, assetId: asset.id }
  }
  if ('uri' in source) {
    const id = fileIn(source.uri)
    const asset = id === null ? null : await desk.assets.find(id)
    if (asset) return { field, role, assetId: asset.id }
    const file = id === null ? null : await desk.files.find(id)
    if (file) throw no(field, `${field}: files/${file.id} is ${file.mime} and no picture.`, { value: file.mime })
    const isOwn = !/^https?:/i.test(source.uri) || id !== null && source.uri.startsWith(`${desk.publicUrl.replace(/\/+$/, '')}/`)
    if (isOwn) throw no(field, `${field}: there is no file ${source.uri.slice(0, 120)}. Upload it with the Files API, or give a link.`, { value: source.uri.slice(0, 120) })
    if (isGoogles(source.uri)) throw cannot(field, `${field}: files that lie with Google cannot be read from here. Upload the picture to this server's Files API, or send it inline.`, { value: source.uri.slice(0, 120) })
    return { field, role, upload: { url: source.uri } }
  }
  const file = inline(source.data)
  const upload: Upload = file ? file.upload : /^\s*data:/i.test(source.data.slice(0, 100)) ? { dataUrl: source.data } : { base64: source.data }
  const sizeBytes = file ? file.sizeBytes : Math.floor(source.data.replace(/[\s=]+$/, '').length * 3 / 4)
  if (own && own.sizeBytes === sizeBytes) return { field, role, assetId: own.id }
  return { field, role, upload }
}

export interface Taken {
  order: Order
  giveBack(): Promise<void>
  names: Record<string, string>
}

/** An order with its pictures. @throws {Problem} as `keep`; then nothing that came with the call is kept */
export async function orderOf({ order, pictures, names }: Read, desk: Desk, { inline, headers }: Pick<Incoming, 'inline' | 'headers'>): Promise<Taken> {
  const all = { ...names, ...Object.fromEntries(pictures.flatMap(({ field }, index) => [[`inputs[${index}]`, field], [`inputs[${index}].role`, field]])) }
  if (order.prompt.split('\n').some(line => inline(line))) throw no(names.prompt ?? 'contents', 'A text holds a file in base64. Send it as inlineData, not as text.')
  const { inputs, giveBack } = await takeIn(await Promise.all(pictures.map(picture => wantedOf(picture, desk, inline))), desk)
  const idempotencyKey = headers['idempotency-key']
  return {
    order: { ...order, inputs, retryCount: readRetryCount(headers), ...(idempotencyKey === undefined ? {} : { idempotencyKey }) },
    giveBack, names: all,
  }
}

const readRetryCount = (headers: Incoming['headers']): number => {
  const count = headers['x-stainless-retry-count'] ?? '0'
  return /^\d{1,3}$/.test(count) ? Number(count) : 0
}

/** Orders by way of `place` (submit or make); what came in for it goes again unless a new task has it. */
export async function placeOrder({ order, giveBack, names }: Taken, place: (order: Order) => Promise<Submitted>): Promise<Submitted> {
  try {
    const submitted = await place(order)
    if (submitted.replayed) await giveBack()
    return submitted
  } catch (thrown) {
    await giveBack()
    throw rename(thrown, names)
  }
}

const waitMaxMs = 600_000

/** How long the caller waits: `x-server-timeout` in seconds, where it says so. A little less, so that our answer is there first. */
export function waitMsOf(headers: Incoming['headers']): number {
  const seconds = Number(/^\d{1,6}(?:\.\d{1,6})?$/.exec(headers['x-server-timeout'] ?? '')?.[0] ?? NaN)
  return Number.isNaN(seconds) ? waitMaxMs : Math.max(100, Math.min(waitMaxMs, seconds * 1_000 * 0.95 - 100))
}

/** The wait is over and the task is not: it goes on, and the same call finds it again. */
export async function stillMaking(taskId: string, desk: Desk): Promise<Problem> {
  await desk.unanswered(taskId)
  return new Problem('deadline', `The picture is not ready yet. It is made all the same: send the same request again to wait for it, or ask for the task ${taskId}.`, { taskId })
}
