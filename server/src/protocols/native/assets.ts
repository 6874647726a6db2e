import { Type } from 'typebox'
import { Problem } from '../../domain/problem.ts'
import { mediaType, parseJson, readBytes, requireIdentity, requireJson } from '../../kit/json.ts'
import { respondWithAsset } from '../../kit/respond.ts'
import { queryReader, reader } from '../../kit/schema.ts'
import type { Incoming, Route, Upload } from '../contract.ts'
import { readUploadForm } from './form.ts'
import { readUpload, UploadBody } from './inputs.ts'
import { After, base, found, Limit, limitDefault, readAfter, readFilterId, readId } from './read.ts'
import { AssetView, json, PageView, viewAsset, viewPage } from './view.ts'

const bodyMax = 64 * 1024 * 1024
const readBody = reader(UploadBody)

const UploadQuery = Type.Object({ name: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'The file\'s name, for a raw body.' })) }, { additionalProperties: false })
const readUploadQuery = queryReader(UploadQuery)

const create: Route = {
  method: 'POST', path: `${base}/assets`, body: 'stream', scope: 'assets:write',
  about: {
    summary: 'Upload a picture', tag: 'Assets', body: UploadBody, query: UploadQuery, answer: AssetView, status: 201,
    description: 'As JSON with `url`, `data_url` or `base64`; as `multipart/form-data` with one `file`; or as the bytes themselves with their own content type. What it is is read from the bytes, not from what it is called. Films (MP4, MOV, WebM) and sounds (WAV, MP3, Ogg, M4A) are taken as well.',
  },
  async handle(request, desk) {
    const { name } = readUploadQuery(request.query)
    return json(viewAsset(await desk.assets.keep(await readFile(request, name), { sounds: true }), desk), 201)
  },
}

async function readFile({ headers, stream }: Incoming, name: string | undefined): Promise<Upload> {
  const type = mediaType(headers['content-type'])
  if (type === 'multipart/form-data') {
    requireIdentity(headers)
    return await readUploadForm(stream!, headers)
  }
  if (/^(image|video|audio)\//.test(type) || type === 'application/octet-stream') {
    requireIdentity(headers)
    if (headers['content-length'] === '0') throw new Problem('bad_input_image', 'The body is empty. Send the bytes of a picture.')
    return { stream: stream!, ...(name === undefined ? {} : { name }) }
  }
  if (type === '' || (type !== 'application/json' && !type.endsWith('+json'))) {
    throw new Problem('unsupported_media', 'Send a picture as image/…, application/octet-stream, multipart/form-data or application/json.', {
      value: type, allowed: ['image/*', 'video/*', 'audio/*', 'application/octet-stream', 'multipart/form-data', 'application/json'],
    })
  }
  requireJson(headers)
  return readUpload(readBody(parseJson(await readBytes(stream!, bodyMax))))
}

const AssetQuery = Type.Object({
  after: After, limit: Limit,
  kind: Type.Optional(Type.Enum(['input', 'output'])),
  task: Type.Optional(Type.String({ description: 'Only what this task made.' })),
}, { additionalProperties: false })
const readQuery = queryReader(AssetQuery)

const list: Route = {
  method: 'GET', path: `${base}/assets`, scope: 'assets:read',
  about: { summary: 'List assets, newest first', tag: 'Assets', query: AssetQuery, answer: PageView(AssetView) },
  async handle({ query }, desk) {
    const { after, limit, kind, task } = readQuery(query)
    const page = await desk.assets.list({ after: readAfter(after), limit: limit ?? limitDefault, kind, taskId: readFilterId(task, 'task') })
    return json(viewPage(page, asset => viewAsset(asset, desk)))
  },
}

const get: Route = {
  method: 'GET', path: `${base}/assets/:id`, scope: 'assets:read',
  about: { summary: 'Get an asset', tag: 'Assets', answer: AssetView },
  async handle(request, desk) {
    const id = readId(request, 'asset')
    return json(viewAsset(found(await desk.assets.find(id), 'asset', id), desk))
  },
}

const content: Route = {
  method: 'GET', path: `${base}/assets/:id/content`, scope: 'assets:read',
  about: { summary: 'Get an asset\'s bytes', tag: 'Assets', description: 'Takes `Range`, `If-None-Match` and `If-Range`.' },
  async handle(request, desk) {
    const id = readId(request, 'asset')
    const asset = found(await desk.assets.find(id), 'asset', id)
    return respondWithAsset(await desk.assets.open(asset), request.headers, { method: request.method, immutable: true })
  },
}

const sides = [64, 256, 512, 1024] as const
const ThumbnailQuery = Type.Object({ side: Type.Optional(Type.Integer({ description: 'Longest side in pixels: 64, 256, 512 or 1024. Default 256.' })) }, { additionalProperties: false })
const readThumbnailQuery = queryReader(ThumbnailQuery)

const thumbnail: Route = {
  method: 'GET', path: `${base}/assets/:id/thumbnail`, scope: 'assets:read',
  about: { summary: 'Get a small WebP of an asset', tag: 'Assets', query: ThumbnailQuery },
  async handle(request, desk) {
    const { side = 256 } = readThumbnailQuery(request.query)
    if (!(sides as readonly number[]).includes(side)) throw new Problem('bad_request', `side must be one of ${sides.join(', ')}.`, { field: 'side', value: side, allowed: sides })
    const id = readId(request, 'asset')
    const asset = found(await desk.assets.find(id), 'asset', id)
    return respondWithAsset(await desk.assets.thumbnail(asset, side), request.headers, { method: request.method, immutable: true })
  },
}

const LinkBody = Type.Object({
  seconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 604_800, description: 'How long it opens. Default: an hour.' })),
  side: Type.Optional(Type.Integer({ description: 'Of a thumbnail: 64, 256, 512 or 1024.' })),
  download: Type.Optional(Type.Boolean({ description: 'Makes browsers save it instead of showing it.' })),
}, { additionalProperties: false, examples: [{ seconds: 86_400 }] })
const readLink = reader(LinkBody)
const LinkView = Type.Object({ object: Type.Literal('link'), asset: Type.String(), url: Type.String(), expires_at: Type.String({ format: 'date-time' }) })

const link: Route = {
  method: 'POST', path: `${base}/assets/:id/link`, scope: 'assets:read',
  about: { summary: 'Make a link that needs no key', tag: 'Assets', body: LinkBody, answer: LinkView },
  async handle(request, desk) {
    const { seconds = 3_600, side, download } = readLink(request.body ?? {})
    if (side !== undefined && !(sides as readonly number[]).includes(side)) throw new Problem('bad_request', `side must be one of ${sides.join(', ')}.`, { field: 'side', value: side, allowed: sides })
    const id = readId(request, 'asset')
    const asset = found(await desk.assets.find(id), 'asset', id)
    const url = desk.assets.link(asset, { seconds, ...(side === undefined ? {} : { side }), ...(download === undefined ? {} : { download }) })
    return json({ object: 'link', asset: asset.id, url, expires_at: new Date(desk.now().getTime() + seconds * 1_000).toISOString() })
  },
}

const remove: Route = {
  method: 'DELETE', path: `${base}/assets/:id`, scope: 'assets:write',
  about: { summary: 'Delete an asset', tag: 'Assets', status: 204, description: 'Refused while a task that has not ended uses it.' },
  async handle(request, desk) {
    await desk.assets.remove(readId(request, 'asset'))
    return new Response(null, { status: 204 })
  },
}

const openLink: Route = {
  method: 'GET', path: '/files/*', scope: null,
  about: { summary: 'Open a signed link', tag: 'Assets', description: 'Needs no key. Takes `Range`, `If-None-Match` and `If-Range`.' },
  async handle({ path, query, headers, method }, desk) {
    const open = await desk.assets.openLink(path, query)
    return respondWithAsset(open, headers, { method, immutable: true, download: query.get('download') === '1' })
  },
}

export const assets: Route[] = [create, list, get, content, thumbnail, link, remove, openLink]
