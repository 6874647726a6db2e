/** `/v1/files`: what a client uploads and names later. A picture among them is an asset as well, so `file_id` takes it. */
import type { StoredFile } from '../../domain/file.ts'
import { Problem } from '../../domain/problem.ts'
import { isId } from '../../kit/id.ts'
import { mediaType, requireIdentity } from '../../kit/json.ts'
import { readFileForm } from '../../kit/multipart.ts'
import { respondWithAsset } from '../../kit/respond.ts'
import type { Desk, Route } from '../contract.ts'
import { fieldsOf, fieldsOfForm, invalid, readChoice, readRequired, type Fields } from './fields.ts'
import { unixOf } from './images-write.ts'

const tag = 'Files'
export const purposes = ['assistants', 'batch', 'fine-tune', 'vision', 'user_data', 'evals'] as const
/** Input of a batch goes by itself after this, as theirs does. */
const batchDays = 30
const pageMax = 10_000
const pageDefault = 1_000

export const writeFileId = (id: string): string => `file-${id}`

/** @throws {Problem} `not_found` */
export async function findFile(id: unknown, param: string, desk: Desk): Promise<StoredFile> {
  const text = typeof id === 'string' ? id.replace(/^file[-_]/, '') : ''
  const file = isId(text) ? await desk.files.find(text.replaceAll('-', '')) : null
  if (!file) throw new Problem('not_found', `No such File object: ${String(id).slice(0, 100).toWellFormed()}`, { param })
  return file
}

export const writeFile = ({ id, sizeBytes, createdAt, expiresAt, name, purpose }: StoredFile) => ({
  id: writeFileId(id), object: 'file', bytes: sizeBytes, created_at: unixOf(createdAt), expires_at: expiresAt === null ? null : unixOf(expiresAt), filename: name ?? 'file', purpose,
  status: 'processed', status_details: null,
})

/** `{ anchor: 'created_at', seconds }`, from an hour to thirty days. @throws {Problem} `bad_request` */
export function readExpiry(value: unknown, param: string): number | undefined {
  if (value === undefined) return undefined
  const { anchor, seconds } = fieldsOf(value, param)
  if (anchor !== 'created_at') throw invalid(`${param}.anchor`, `'${param}.anchor' must be created_at.`, { allowed: ['created_at'] })
  const count = typeof seconds === 'string' && /^\d{1,9}$/.test(seconds) ? Number(seconds) : seconds
  if (typeof count !== 'number' || !Number.isInteger(count) || count < 3_600 || count > 2_592_000) throw invalid(`${param}.seconds`, `'${param}.seconds' must be a whole number from 3600 to 2592000.`)
  return count
}

/** When a file is to go by itself, from what was asked and what it is for; null where nobody said. */
export function expiryOf(asked: number | undefined, purpose: string, desk: Desk): Date | null {
  const seconds = asked ?? (purpose === 'batch' ? batchDays * 86_400 : null)
  return seconds === null ? null : new Date(desk.now().getTime() + seconds * 1_000)
}

/** Reads how many of a list are wanted, and after which one. @throws {Problem} `bad_request` */
export function readPage(query: URLSearchParams, { max, standard }: { max: number; standard: number }): { limit: number; after: string | null } {
  const limit = query.get('limit')
  if (limit !== null && !(/^\d{1,6}$/.test(limit) && Number(limit) >= 1 && Number(limit) <= max)) throw invalid('limit', `'limit' must be a whole number from 1 to ${max}.`)
  return { limit: limit === null ? standard : Number(limit), after: query.get('after') }
}

const create: Route = {
  method: 'POST', path: '/v1/files', body: 'stream', scope: 'assets:write',
  about: { tag, summary: 'Upload a file', description: 'As `multipart/form-data` with `file` and `purpose`; `expires_after` where it is to go by itself. A picture can be named as `file_id` afterwards.' },
  async handle({ stream, headers }, desk) {
    if (mediaType(headers['content-type']) !== 'multipart/form-data') throw new Problem('unsupported_media', 'Send the file as multipart/form-data.', { allowed: ['multipart/form-data'] })
    requireIdentity(headers)
    const form = await readFileForm(stream!, headers, { fieldsMax: 20, fieldMax: 64 * 1024 }, file => desk.files.take(file))
    const fields: Fields = fieldsOf(fieldsOfForm(form))
    if (!form.file) throw invalid('file', fields.file === undefined ? "Missing required parameter: 'file'." : "'file' must be a file of the form.", { openaiCode: 'missing_required_parameter' })
    if (form.file.field !== 'file') throw invalid(form.file.field.slice(0, 100), `The file must come as 'file', not as '${form.file.field.slice(0, 100)}'.`, { openaiCode: 'unknown_parameter' })
    const purpose = readRequired(readChoice(fields, 'purpose', purposes), 'purpose')
    const expiresAt = expiryOf(readExpiry(fields.expires_after, 'expires_after'), purpose, desk)
    const file = await desk.files.keep(form.file.taken, {
      purpose, name: form.file.name, mime: form.file.mime, isPicture: purpose === 'vision', ...(expiresAt === null ? {} : { expiresAt }),
    }).catch(thrown => { throw thrown instanceof Problem && thrown.status < 500 ? new Problem('bad_request', thrown.message, { ...thrown.details, param: 'file' }) : thrown })
    return Response.json(writeFile(file))
  },
}

const list: Route = {
  method: 'GET', path: '/v1/files', scope: 'assets:read',
  about: { tag, summary: 'List files', description: 'Newest first; `purpose`, `limit`, `order` and `after`.' },
  async handle({ query }, desk) {
    const { limit, after } = readPage(query, { max: pageMax, standard: pageDefault })
    const order = query.get('order') ?? 'desc'
    if (order !== 'asc' && order !== 'desc') throw invalid('order', "'order' must be asc or desc.", { allowed: ['asc', 'desc'] })
    const purpose = query.get('purpose') ?? undefined
    if (purpose !== undefined && purpose.length > 100) throw invalid('purpose', "'purpose' must be the purpose of a file.")
    const mark = after === null ? undefined : (await findFile(after, 'after', desk)).id
    const { items, next } = await desk.files.list({ limit, order, purpose, after: mark })
    const data = items.map(writeFile)
    return Response.json({ object: 'list', data, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null, has_more: next !== null })
  },
}

const get: Route = {
  method: 'GET', path: '/v1/files/:id', scope: 'assets:read',
  about: { tag, summary: 'A file' },
  handle: async ({ params }, desk) => Response.json(writeFile(await findFile(params.id, 'id', desk))),
}

const content: Route = {
  method: 'GET', path: '/v1/files/:id/content', scope: 'assets:read',
  about: { tag, summary: 'The bytes of a file' },
  async handle({ params, headers, method }, desk) {
    const { asset, stream } = await desk.files.open(await findFile(params.id, 'id', desk))
    return respondWithAsset({ asset: { ...asset, mime: 'application/octet-stream' }, stream }, headers, { method, download: true })
  },
}

const remove: Route = {
  method: 'DELETE', path: '/v1/files/:id', scope: 'assets:write', body: 'none',
  about: { tag, summary: 'Delete a file' },
  async handle({ params }, desk) {
    const { id } = await findFile(params.id, 'id', desk)
    await desk.files.remove(id)
    return Response.json({ id: writeFileId(id), object: 'file', deleted: true })
  },
}

export const files: Route[] = [create, list, get, content, remove]
