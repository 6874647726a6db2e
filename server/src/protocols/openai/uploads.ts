/** `/v1/uploads`: a large file in parts, which may come side by side; their order is said at the end. */
import { Problem } from '../../domain/problem.ts'
import { mediaType, requireIdentity } from '../../kit/json.ts'
import { readFileForm } from '../../kit/multipart.ts'
import type { BegunUpload, Route } from '../contract.ts'
import { fieldsOf, invalid, readChoice, readRequired, readText, readWhole } from './fields.ts'
import { expiryOf, purposes, readExpiry, writeFile } from './files.ts'
import { unixOf } from './images-write.ts'

const tag = 'Uploads'
const partsMax = 10_000

const writeUpload = ({ id, name, purpose, sizeBytes, createdAt, expiresAt, file }: BegunUpload, status: 'pending' | 'completed' | 'cancelled') => ({
  id: `upload_${id}`, object: 'upload', bytes: sizeBytes, created_at: unixOf(createdAt), expires_at: unixOf(expiresAt), filename: name ?? 'file', purpose, status, file: file && writeFile(file),
})

/** A part's id names its upload, so that one of another is told apart without asking. */
const writePartId = (uploadId: string, number: number): string => `part_${uploadId}${number.toString(36)}`

function readPartId(value: unknown, uploadId: string, param: string): number {
  const [, number] = typeof value === 'string' && value.length < 60 && value.startsWith(`part_${uploadId}`) ? /^part_.{30}(0|[1-9a-z][0-9a-z]{0,9})$/.exec(value) ?? [] : []
  if (number === undefined) throw invalid(param, `'${param}' must be the id of a part of this upload.`)
  return Number.parseInt(number, 36)
}

const bare = (id: string | undefined): string => (id ?? '').replace(/^upload_/, '')

/** What the room of files throws, with this dialect's names of things. @throws {Problem} */
function namedHere(thrown: unknown): never {
  if (thrown instanceof Problem && thrown.code === 'not_found') throw new Problem('not_found', 'No such Upload object. Create a new one.', { param: 'upload_id' })
  if (thrown instanceof Problem && typeof thrown.details.field === 'string') throw new Problem(thrown.code === 'unsupported_media' ? 'bad_request' : thrown.code, thrown.message, { ...thrown.details, param: thrown.details.field })
  throw thrown
}

const create: Route = {
  method: 'POST', path: '/v1/uploads', scope: 'assets:write',
  about: { tag, summary: 'Begin to upload a file in parts' },
  async handle({ body }, desk) {
    const fields = fieldsOf(body)
    const sizeBytes = readRequired(readWhole(fields, 'bytes', { min: 1, max: Number.MAX_SAFE_INTEGER }), 'bytes')
    const name = readRequired(readText(fields, 'filename', { max: 1_000 }), 'filename')
    const mime = readRequired(readText(fields, 'mime_type', { max: 100 }), 'mime_type')
    const purpose = readRequired(readChoice(fields, 'purpose', purposes), 'purpose')
    const expiresAt = expiryOf(readExpiry(fields.expires_after, 'expires_after'), purpose, desk)
    const id = await desk.files.begin({ sizeBytes, name, mime, purpose, expiresAt })
    return Response.json(writeUpload(await desk.files.upload(id), 'pending'))
  },
}

const addPart: Route = {
  method: 'POST', path: '/v1/uploads/:id/parts', body: 'stream', scope: 'assets:write', counts: false,
  about: { tag, summary: 'Add a part', description: 'As `multipart/form-data` with `data`. Parts may be sent side by side.' },
  async handle({ params, stream, headers }, desk) {
    if (mediaType(headers['content-type']) !== 'multipart/form-data') throw new Problem('unsupported_media', 'Send the part as multipart/form-data.', { allowed: ['multipart/form-data'] })
    requireIdentity(headers)
    const { id } = await desk.files.upload(bare(params.id)).catch(namedHere)
    const form = await readFileForm(stream!, headers, { fieldsMax: 5, fieldMax: 1_024 }, file => desk.files.take(file))
    if (!form.file) throw invalid('data', form.fields.some(([name]) => name === 'data') ? "'data' must be a file of the form." : "Missing required parameter: 'data'.", { openaiCode: 'missing_required_parameter' })
    if (form.file.field !== 'data') throw invalid(form.file.field.slice(0, 100), `The part must come as 'data', not as '${form.file.field.slice(0, 100)}'.`, { openaiCode: 'unknown_parameter' })
    const number = await desk.files.addPart(id, form.file.taken).catch(namedHere)
    return Response.json({ id: writePartId(id, number), object: 'upload.part', created_at: unixOf(desk.now()), upload_id: `upload_${id}` })
  },
}

const complete: Route = {
  method: 'POST', path: '/v1/uploads/:id/complete', scope: 'assets:write',
  about: { tag, summary: 'Make the file', description: '`part_ids` in the order of the file; with `md5` its bytes are checked.' },
  async handle({ params, body }, desk) {
    const upload = await desk.files.upload(bare(params.id)).catch(namedHere)
    const fields = fieldsOf(body)
    const ids = readRequired(fields.part_ids, 'part_ids')
    if (!Array.isArray(ids) || ids.length < 1 || ids.length > partsMax) throw invalid('part_ids', `'part_ids' must be a list of 1 to ${partsMax} ids.`)
    const parts = ids.map((one, index) => readPartId(one, upload.id, `part_ids[${index}]`))
    if (new Set(parts).size < parts.length) throw invalid('part_ids', "'part_ids' names a part twice.")
    const md5 = readText(fields, 'md5', { max: 32 })
    if (md5 !== undefined && !/^[0-9a-f]{32}$/i.test(md5)) throw invalid('md5', "'md5' must have 32 hexadecimal digits.")
    const file = await desk.files.complete(upload.id, { parts, md5, isPicture: upload.purpose === 'vision' }).catch(namedHere)
    return Response.json(writeUpload({ ...upload, file }, 'completed'))
  },
}

const cancel: Route = {
  method: 'POST', path: '/v1/uploads/:id/cancel', scope: 'assets:write', body: 'none',
  about: { tag, summary: 'Give an upload up' },
  handle: async ({ params }, desk) => Response.json(writeUpload(await desk.files.cancel(bare(params.id)).catch(namedHere), 'cancelled')),
}

export const uploads: Route[] = [create, addPart, complete, cancel]
