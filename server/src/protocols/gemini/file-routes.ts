/**
 * The Files API: uploads in one request or several, the list, and the bytes.
 *
 * The address of an upload that goes on holds an id nobody can guess and wants no key: some clients send none there. Absent on purpose:
 * names of the caller's own choice, and files that lie elsewhere (`files:register` says so).
 */
import type { StoredFile } from '../../domain/file.ts'
import { Problem } from '../../domain/problem.ts'
import { isId } from '../../kit/id.ts'
import { mediaType, parseJson, readBytes, requireIdentity } from '../../kit/json.ts'
import { respondWithAsset } from '../../kit/respond.ts'
import type { Desk, Incoming, NewUpload, Route, UploadState } from '../contract.ts'
import { cannot, no, readFields, text, whole } from './fields.ts'
import { readRelated } from './upload-body.ts'
import { tag, versions } from './versions.ts'

/** As long as Google keeps them. */
const keptMs = 48 * 3_600_000
const pageMax = 100
const pageDefault = 10
const aboutMax = 64 * 1024

const base = (desk: Desk): string => desk.publicUrl.replace(/\/+$/, '')
const stamp = (date: Date): string => date.toISOString()

export const writeFile = (file: StoredFile, desk: Desk, version: string) => ({
  name: `files/${file.id}`, ...(file.name === null ? {} : { displayName: file.name }), mimeType: file.mime, sizeBytes: String(file.sizeBytes),
  createTime: stamp(file.createdAt), updateTime: stamp(file.createdAt), ...(file.expiresAt === null ? {} : { expirationTime: stamp(file.expiresAt) }),
  sha256Hash: Buffer.from(file.sha256, 'hex').toString('base64'), uri: `${base(desk)}/${version}/files/${file.id}`, state: 'ACTIVE',
  source: file.source === 'generated' ? 'GENERATED' : 'UPLOADED', ...(file.source === 'generated' ? { downloadUri: `${base(desk)}/${version}/files/${file.id}:download?alt=media` } : {}),
})

const json = (body: unknown, headers: Record<string, string> = {}): Response => Response.json(body, { headers })

/** What is said of a file before its bytes. @throws {Problem} `bad_request` */
function readAbout(body: unknown, headers: Incoming['headers'], desk: Desk): NewUpload {
  const { file: given } = body === undefined ? { file: undefined } : readFields(body, '', ['file'])
  const file = given === undefined ? {} : readFields(given, 'file', ['name', 'displayName', 'mimeType', 'sizeBytes', 'createTime', 'updateTime', 'expirationTime', 'sha256Hash', 'uri', 'state', 'source', 'error', 'videoMetadata', 'downloadUri'])
  if (file.name !== undefined && file.name !== '') throw cannot('file.name', 'file.name: files are named by this server. Leave it out, and use displayName for a name of your own.')
  const size = file.sizeBytes ?? headers['x-goog-upload-header-content-length']
  const sizeBytes = size === undefined ? null : whole(size, 'file.sizeBytes')
  if (sizeBytes !== null && sizeBytes < 1) throw no('file.sizeBytes', 'file.sizeBytes: the file is empty.')
  return {
    purpose: 'user_data', sizeBytes, expiresAt: new Date(desk.now().getTime() + keptMs),
    name: file.displayName === undefined ? decodeName(headers['x-goog-upload-file-name']) : text(file.displayName, 'file.displayName'),
    mime: file.mimeType === undefined ? headers['x-goog-upload-header-content-type'] : text(file.mimeType, 'file.mimeType'),
  }
}

const decodeName = (name: string | undefined): string | undefined => name === undefined ? undefined : Buffer.from(name, 'latin1').toString('utf8')

const begin = (version: string): Route => ({
  method: 'POST', path: `/upload/${version}/files`, body: 'stream', scope: 'assets:write',
  about: { tag, summary: 'Upload a file, or begin to', description: '`X-Goog-Upload-Protocol: resumable` with the command `start` answers with the address for the bytes (`X-Goog-Upload-URL`); `multipart` and `raw` take them at once.' },
  async handle(request, desk) {
    const { stream, headers, query } = request
    requireIdentity(headers)
    const kind = (headers['x-goog-upload-protocol'] ?? query.get('uploadType') ?? query.get('upload_protocol') ?? (mediaType(headers['content-type']) === 'multipart/related' ? 'multipart' : 'raw')).toLowerCase()
    switch (kind) {
      case 'resumable': {
        const command = headers['x-goog-upload-command'] ?? 'start'
        if (command.trim().toLowerCase() !== 'start') throw no('x-goog-upload-command', `X-Goog-Upload-Command: an upload begins with start, not "${command.slice(0, 40)}".`, { allowed: ['start'] })
        const about = readAbout(parseJson(await readBytes(stream!, aboutMax)), headers, desk)
        const id = await desk.files.begin(about)
        return json({}, { 'x-goog-upload-url': `${base(desk)}/upload/${version}/files/${id}`, 'x-goog-upload-status': 'active', 'x-goog-upload-chunk-granularity': '1', 'x-goog-upload-control-url': `${base(desk)}/upload/${version}/files/${id}` })
      }
      case 'multipart': {
        const { about, mime, file } = await readRelated(stream!, headers['content-type'] ?? '')
        const wanted = readAbout(about, headers, desk)
        const taken = await desk.files.take(file)
        return final(await desk.files.keep(taken, { ...wanted, mime: wanted.mime ?? mime }), desk, version)
      }
      case 'raw': case 'media': {
        const wanted = readAbout(undefined, headers, desk)
        return final(await desk.files.keep(await desk.files.take(stream!), { ...wanted, mime: headers['content-type'] }), desk, version)
      }
      default: throw no('x-goog-upload-protocol', `X-Goog-Upload-Protocol must be resumable, multipart or raw, not "${kind.slice(0, 40)}".`, { allowed: ['resumable', 'multipart', 'raw'] })
    }
  },
})

const final = (file: StoredFile, desk: Desk, version: string): Response => json({ file: writeFile(file, desk, version) }, { 'x-goog-upload-status': 'final' })

const answerState = ({ receivedBytes, file }: UploadState, desk: Desk, version: string): Response => file
  ? final(file, desk, version)
  : json({}, { 'x-goog-upload-status': 'active', 'x-goog-upload-size-received': String(receivedBytes) })

const proceed = (version: string, method: 'POST' | 'PUT'): Route => ({
  method, path: `/upload/${version}/files/:upload`, body: 'stream', scope: null, counts: false,
  about: { tag, summary: 'Go on with an upload', description: '`X-Goog-Upload-Command`: `upload`, `upload, finalize`, `finalize`, `query` or `cancel`; `X-Goog-Upload-Offset` says where the bytes belong.' },
  async handle(request, desk) {
    const { stream, headers, params } = request
    requireIdentity(headers)
    const id = params.upload ?? ''
    const said = headers['x-goog-upload-command'] ?? ''
    const commands = said.toLowerCase().split(',').map(one => one.trim()).filter(one => one !== '').sort().join(' ')
    switch (commands) {
      case 'query': return answerState(await desk.files.progress(id), desk, version)
      case 'cancel':
        await desk.files.drop(id)
        return json({}, { 'x-goog-upload-status': 'cancelled' })
      case 'upload': case 'finalize upload': case 'finalize': {
        const offset = headers['x-goog-upload-offset']
        if (offset !== undefined && !/^\d{1,15}$/.test(offset)) throw no('x-goog-upload-offset', 'X-Goog-Upload-Offset must be a whole number: how many bytes came before these.')
        const { receivedBytes } = await desk.files.progress(id)
        const from = offset === undefined ? receivedBytes : Number(offset)
        return answerState(await desk.files.append(id, { from, stream: stream!, isLast: commands !== 'upload' }), desk, version)
      }
      default: throw no('x-goog-upload-command', `X-Goog-Upload-Command must be upload, "upload, finalize", finalize, query or cancel, not "${said.slice(0, 40)}".`)
    }
  },
})

/** @throws {Problem} `not_found` */
export async function findFile(name: string, desk: Desk): Promise<StoredFile> {
  const id = name.replace(/^files\//, '')
  const file = isId(id) ? await desk.files.find(id.replaceAll('-', '')) : null
  if (!file) throw new Problem('not_found', `There is no file ${name.slice(0, 100)}.`)
  return file
}

/** A page of a list. @throws {Problem} `bad_request` */
export function readPage(query: URLSearchParams, { max, standard }: { max: number; standard: number }): { limit: number; after: string | undefined } {
  const size = query.get('pageSize') ?? query.get('page_size') ?? ''
  const token = query.get('pageToken') ?? query.get('page_token') ?? ''
  if (size !== '' && !/^\d{1,6}$/.test(size)) throw no('pageSize', `pageSize must be a whole number from 1 to ${max}.`)
  if (token !== '' && !isId(token)) throw no('pageToken', 'pageToken must be the nextPageToken of the page before.', { value: token.slice(0, 100) })
  // Google's own servers take a page size that is too large for the largest.
  return { limit: size === '' || Number(size) === 0 ? standard : Math.min(max, Number(size)), after: token === '' ? undefined : token.replaceAll('-', '') }
}

const list = (version: string): Route => ({
  method: 'GET', path: `/${version}/files`, scope: 'assets:read',
  about: { tag, summary: 'List files' },
  async handle({ query }, desk) {
    const { items, next } = await desk.files.list(readPage(query, { max: pageMax, standard: pageDefault }))
    return json({ ...(items.length > 0 ? { files: items.map(file => writeFile(file, desk, version)) } : {}), ...(next === null ? {} : { nextPageToken: next }) })
  },
})

const get = (version: string): Route => ({
  method: 'GET', path: `/${version}/files/:file`, scope: 'assets:read',
  about: { tag, summary: 'A file' },
  handle: async ({ params }, desk) => json(writeFile(await findFile(params.file ?? '', desk), desk, version)),
})

const remove = (version: string): Route => ({
  method: 'DELETE', path: `/${version}/files/:file`, scope: 'assets:write', body: 'none',
  about: { tag, summary: 'Delete a file' },
  async handle({ params }, desk) {
    await desk.files.remove((await findFile(params.file ?? '', desk)).id)
    return json({})
  },
})

const send = async (name: string, { headers, method }: Incoming, desk: Desk): Promise<Response> =>
  respondWithAsset(await desk.files.open(await findFile(name, desk)), headers, { method, immutable: true })

const download = (version: string): Route => ({
  method: 'GET', path: `/${version}/files/:file::download`, scope: 'assets:read',
  about: { tag, summary: 'The bytes of a file' },
  handle: (request, desk) => send(request.params.file ?? '', request, desk),
})

/** The official client puts the whole of a plain `http://` link where the name belongs. */
const clumsyDownload = (version: string): Route => ({
  method: 'GET', path: `/${version}/files/*`, scope: 'assets:read',
  about: { tag, summary: 'The bytes of a file, by its whole link' },
  async handle(request, desk) {
    const name = /(?:^|\/)files\/([0-9a-f]{32}):download/.exec(request.params['*'] ?? '')?.[1]
    if (!name) throw new Problem('not_found', 'There is nothing at this address. A file is fetched at files/{id}:download.')
    return send(name, request, desk)
  },
})

const register = (version: string): Route => ({
  method: 'POST', path: `/${version}/files::register`, scope: 'assets:write',
  about: { tag, summary: 'Register files that lie elsewhere: not possible here' },
  handle() { throw cannot('uris', 'uris: files that lie elsewhere are not registered here. Upload them, or give a picture\'s link as fileData.fileUri.') },
})

export const fileRoutes: Route[] = versions.flatMap(version => [
  begin(version), proceed(version, 'POST'), proceed(version, 'PUT'), list(version), get(version), remove(version), download(version), clumsyDownload(version), register(version),
])
