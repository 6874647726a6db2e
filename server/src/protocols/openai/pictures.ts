/** Pictures that come with a call: as files, data URLs, links or ids of ours. None that came for a call which failed is kept. */
import type { Asset } from '../../domain/asset.ts'
import type { InputReference, Role } from '../../domain/order.ts'
import { Problem } from '../../domain/problem.ts'
import { isId } from '../../kit/id.ts'
import type { Desk, Incoming, Upload } from '../contract.ts'
import { fieldsOf, invalid } from './fields.ts'

/** A picture a call wants: one we have, or one that has yet to come in. `param` is where it stood. */
export interface Picture { param: string; role: Role; source: { assetId: string } | Upload }

/** OpenAI's own limit, in characters. */
const linkMax = 20_971_520

/** A link, a data URL, or one that was decoded on its way in. @throws {Problem} `bad_request` */
export function readLink(text: unknown, param: string, inline: Incoming['inline']): Upload {
  if (typeof text !== 'string') throw invalid(param, `'${param}' must be a string: a link or a data URL.`, { openaiCode: 'invalid_type' })
  const inlined = inline(text)
  if (inlined) return inlined.upload
  if (text.length > linkMax) throw invalid(param, `'${param}' may have at most ${linkMax} characters.`, { openaiCode: 'string_above_max_length' })
  if (/^data:/i.test(text)) return { dataUrl: text }
  if (text.length <= 4_096 && /^https?:\/\/[^\s]+$/i.test(text) && URL.canParse(text)) return { url: text }
  throw invalid(param, `'${param}' must be an http(s) link or a data URL with base64.`, { openaiCode: 'invalid_image_url' })
}

/** An id of ours, bare or as `file-…`. @throws {Problem} `not_found` */
export function readFileId(value: unknown, param: string): { assetId: string } {
  const id = typeof value === 'string' ? value.replace(/^file[-_]/, '') : ''
  if (isId(id)) return { assetId: id.replaceAll('-', '') }
  throw new Problem('not_found', `No such File object: ${String(value).slice(0, 100)}.`, { param })
}

/** `{ image_url }` or `{ file_id }`, exactly one of them. @throws {Problem} `bad_request`, `not_found` */
export function readReference(value: unknown, param: string, inline: Incoming['inline']): Picture['source'] {
  const { image_url: link, file_id: fileId } = fieldsOf(value, param)
  if ((link === undefined) === (fileId === undefined)) throw invalid(param, `'${param}' must have exactly one of image_url and file_id.`)
  return link === undefined ? readFileId(fileId, `${param}.file_id`) : readLink(link, `${param}.image_url`, inline)
}

/**
 * Takes in every picture and hands the references on. What came in and is not used in the end is let go again.
 *
 * @throws {Problem} `bad_input_image`, `input_unreachable`, `private_address`, `too_large`, naming the parameter
 */
export async function withPictures<T extends { replayed: boolean }>(pictures: Picture[], desk: Desk, use: (inputs: InputReference[]) => Promise<T>): Promise<T> {
  const fresh: Asset[] = []
  let isKept = false
  try {
    const results = await Promise.allSettled(pictures.map(picture => take(picture, desk, fresh)))
    const failure = results.find(result => result.status === 'rejected')
    if (failure) throw failure.reason
    const used = await use(results.flatMap(result => result.status === 'fulfilled' ? [result.value] : [])).catch((thrown: unknown) => { throw namedByPicture(thrown, pictures) })
    isKept = !used.replayed
    return used
  } finally {
    if (!isKept) await Promise.all(fresh.map(asset => desk.assets.remove(asset.id).catch(() => {})))
  }
}

/** The house counts an order's inputs; the caller knows them by where they stood. */
function namedByPicture(thrown: unknown, pictures: Picture[]): unknown {
  const index = thrown instanceof Problem ? /^inputs\[(\d+)\]/.exec(thrown.details.field ?? '')?.[1] : undefined
  const param = index === undefined ? undefined : pictures[Number(index)]?.param
  return thrown instanceof Problem && param !== undefined ? new Problem(thrown.code, thrown.message.replace(`inputs[${index}]`, `'${param}'`), { ...thrown.details, param, cause: thrown }) : thrown
}

async function take({ param, role, source }: Picture, desk: Desk, fresh: Asset[]): Promise<InputReference> {
  if ('assetId' in source) {
    if (await desk.assets.find(source.assetId)) return { assetId: source.assetId, role }
    const file = await desk.files.find(source.assetId)
    if (file) throw new Problem('bad_input_image', `${param}: the file file-${file.id} is ${file.mime} and no picture.`, { param })
    throw new Problem('not_found', `No such File object: ${source.assetId}.`, { param })
  }
  const ours = 'url' in source ? await desk.assets.resolveLink(source.url) : null
  if (ours) return { assetId: ours.id, role }
  try {
    const asset = await desk.assets.keep(source)
    fresh.push(asset)
    return { assetId: asset.id, role }
  } catch (thrown) {
    if (!(thrown instanceof Problem)) throw thrown
    // A file that is no picture is a bad picture here; 415 is about the body as a whole.
    throw new Problem(thrown.code === 'unsupported_media' ? 'bad_input_image' : thrown.code, `${param}: ${thrown.message}`, { ...thrown.details, param, cause: thrown })
  }
}
