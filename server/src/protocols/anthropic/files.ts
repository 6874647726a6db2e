/** `/v1/files` in this dialect. A picture among them can be the source of an image block. */
import type { StoredFile } from '../../domain/file.ts'
import { Problem } from '../../domain/problem.ts'
import { isId } from '../../kit/id.ts'
import { mediaType, requireIdentity } from '../../kit/json.ts'
import { readFileForm } from '../../kit/multipart.ts'
import { respondWithAsset } from '../../kit/respond.ts'
import type { Desk, Incoming, Route } from '../contract.ts'

const tag = 'Anthropic'
const pageMax = 1_000
const pageDefault = 20
const secondsMin = 3_600
const secondsMax = 365 * 86_400

const json = (body: unknown, { requestId }: Pick<Incoming, 'requestId'>): Response => Response.json(body, { headers: { 'request-id': requestId } })

const writeFile = ({ id, name, mime, sizeBytes, createdAt, expiresAt }: StoredFile) => ({
  id: `file_${id}`, type: 'file', filename: name ?? 'file', mime_type: mime, size_bytes: sizeBytes, created_at: createdAt.toISOString(), downloadable: true, expires_at: expiresAt?.toISOString() ?? null,
})

/** @throws {Problem} `not_found` */
async function findFile(id: string, desk: Desk): Promise<StoredFile> {
  const text = id.replace(/^file_/, '')
  const file = isId(text) ? await desk.files.find(text.replaceAll('-', '')) : null
  if (!file) throw new Problem('not_found', `File not found: ${id.slice(0, 100)}`, { field: 'file_id' })
  return file
}

/** The bytes in a form, and how long they are to be kept. */
const create: Route = {
  method: 'POST', path: '/v1/files', body: 'stream', scope: 'assets:write',
  about: { tag, summary: 'Upload a file', description: 'As `multipart/form-data` with `file`, and `expires_in_seconds` where it is to go by itself.' },
  async handle(request, desk) {
    const { stream, headers } = request
    if (mediaType(headers['content-type']) !== 'multipart/form-data') throw new Problem('unsupported_media', 'Send the file as multipart/form-data.', { allowed: ['multipart/form-data'] })
    requireIdentity(headers)
    const form = await readFileForm(stream!, headers, { fieldsMax: 20, fieldMax: 64 * 1024 }, file => desk.files.take(file))
    if (!form.file || form.file.field !== 'file') throw new Problem('bad_request', 'file: Field required.', { field: 'file' })
    const fields = new Map(form.fields)
    const seconds = fields.get('expires_in_seconds')
    if (seconds !== undefined && !(/^\d{1,9}$/.test(seconds) && Number(seconds) >= secondsMin && Number(seconds) <= secondsMax)) {
      throw new Problem('bad_request', `expires_in_seconds: must be a whole number from ${secondsMin} to ${secondsMax}.`, { field: 'expires_in_seconds', value: seconds.slice(0, 40) })
    }
    const file = await desk.files.keep(form.file.taken, {
      purpose: 'user_data', name: form.file.name, mime: form.file.mime, ...(seconds === undefined ? {} : { expiresAt: new Date(desk.now().getTime() + Number(seconds) * 1_000) }),
    })
    return json(writeFile(file), request)
  },
}

/** Both majors of the SDK are given what they page by: a mark, and the ids at the ends. */
const list: Route = {
  method: 'GET', path: '/v1/files', scope: 'assets:read',
  about: { tag, summary: 'List files, newest first', description: 'Asked for with `anthropic-version` or `x-api-key`.' },
  async handle(request, desk) {
    const { limit, after } = readPage(request.query, { max: pageMax, standard: pageDefault, marks: ['page', 'after_id'], prefix: 'file_' })
    const { items, next } = await desk.files.list({ limit, after })
    const data = items.map(writeFile)
    return json({ data, has_more: next !== null, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null, next_page: next === null ? null : `file_${next}` }, request)
  },
}

/** @throws {Problem} `bad_request` */
export function readPage(query: URLSearchParams, { max, standard, marks, prefix }: { max: number; standard: number; marks: string[]; prefix: string }): { limit: number; after: string | undefined } {
  const limit = query.get('limit')
  if (limit !== null && !(/^\d{1,5}$/.test(limit) && Number(limit) >= 1 && Number(limit) <= max)) throw new Problem('bad_request', `limit: must be a whole number from 1 to ${max}.`, { field: 'limit', value: limit.slice(0, 40) })
  const mark = marks.find(name => query.get(name))
  const after = mark === undefined ? undefined : query.get(mark)!
  const id = after?.startsWith(prefix) ? after.slice(prefix.length) : after
  if (id !== undefined && !isId(id)) throw new Problem('bad_request', `${mark}: must be what the page before gave.`, { field: mark!, value: after!.slice(0, 100) })
  return { limit: limit === null ? standard : Number(limit), after: id?.replaceAll('-', '') }
}

const get: Route = {
  method: 'GET', path: '/v1/files/:id', scope: 'assets:read',
  about: { tag, summary: 'A file' },
  handle: async (request, desk) => json(writeFile(await findFile(request.params.id ?? '', desk)), request),
}

const content: Route = {
  method: 'GET', path: '/v1/files/:id/content', scope: 'assets:read',
  about: { tag, summary: 'The bytes of a file' },
  async handle({ params, headers, method, requestId }, desk) {
    const response = respondWithAsset(await desk.files.open(await findFile(params.id ?? '', desk)), headers, { method, download: true })
    response.headers.set('request-id', requestId)
    return response
  },
}

const remove: Route = {
  method: 'DELETE', path: '/v1/files/:id', scope: 'assets:write', body: 'none',
  about: { tag, summary: 'Delete a file' },
  async handle(request, desk) {
    const { id } = await findFile(request.params.id ?? '', desk)
    await desk.files.remove(id)
    return json({ id: `file_${id}`, type: 'file_deleted' }, request)
  },
}

export const files: Route[] = [create, list, get, content, remove]
