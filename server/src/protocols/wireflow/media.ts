/** Pictures, films and sounds of the caller's: taken in by form, by address or in two steps, listed, and handed out again. */
import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import type { Asset } from '../../domain/asset.ts'
import { isId } from '../../kit/id.ts'
import { mediaType, parseJson, readBytes, requireIdentity } from '../../kit/json.ts'
import { readMultipart } from '../../kit/multipart.ts'
import { respondWithAsset } from '../../kit/respond.ts'
import type { Desk, Incoming, Route } from '../contract.ts'
import { once, readBody, readText, readWhole, wrong } from './read.ts'
import { both, json } from './view.ts'
import { no } from './words.ts'

const tag = 'Wireflow'
const base = '/api/v1/media'
/** What its clients send as a form, with room to spare; and the largest file it takes at all. */
const fileMax = 25 * 1024 * 1024
/** How long links to uploads are good: they are written into graphs. */
const linkSeconds = 30 * 86_400

const viewMedia = (asset: Asset, desk: Desk) => ({
  id: asset.id, mediaId: asset.id, url: desk.assets.link(asset, { seconds: linkSeconds }), filename: asset.name, contentType: asset.mime, bytes: asset.sizeBytes, width: asset.width, height: asset.height, createdAt: asset.createdAt.toISOString(),
})

async function upload(request: Incoming, desk: Desk): Promise<Response> {
  const { headers, stream } = request
  const kept = async (take: Parameters<Desk['assets']['keep']>[0]) => json(both(viewMedia(await desk.assets.keep(take, { sounds: true }), desk)), 201)
  if (mediaType(headers['content-type']) === 'multipart/form-data') {
    requireIdentity(headers)
    const form = await readMultipart(stream!, headers, { filesMax: 1, fieldsMax: 20, fileMax, fieldMax: 4_096 })
    const file = form.files.find(({ field }) => field === 'file')
    if (!file) throw no('bad_request', 'Missing required fields: file', { code: 'missing_fields' }, { field: 'file' })
    return once(request, desk, () => kept({ bytes: file.bytes, ...(file.name === undefined ? {} : { name: file.name }) }), [file.name ?? null, createHash('sha256').update(file.bytes).digest('hex')])
  }
  const body = parseJson(await readBytes(stream!, 64 * 1024))
  const url = readText(readBody(body), 'url', 8_192)
  if (!url) throw no('bad_request', 'Send a file as multipart/form-data, or {"url": "https://…"}', { code: 'missing_fields' }, { field: 'url' })
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) throw wrong('url', 'url must be an address that begins with https:// or http://')
  return once(request, desk, async () => {
    const ours = await desk.assets.resolveLink(url)
    return ours ? json(both(viewMedia(ours, desk)), 201) : kept({ url })
  }, body)
}

/** The bytes of an upload that was begun. Whoever has its address may send them, as the address is all its clients send. */
const receive: Route = {
  method: 'PUT', path: `${base}/uploads/:upload`, body: 'stream', scope: null, counts: false,
  about: { tag, summary: 'Send the bytes of an upload', description: 'To the address and with the headers that `upload-url` gave; needs no key.' },
  async handle({ params, stream, headers }, desk) {
    requireIdentity(headers)
    const { receivedBytes, file, sizeBytes } = await desk.files.progress(params.upload ?? '')
    if (file || receivedBytes > 0) throw no('conflict', 'These bytes are here already. Complete the upload, or begin a new one.', { code: 'already_uploaded' })
    const length = Number(headers['content-length'] ?? NaN)
    if (sizeBytes !== null && Number.isFinite(length) && length !== sizeBytes) throw wrong('bytes', `This upload was announced with ${sizeBytes} bytes, and ${length} are coming`)
    await desk.files.append(params.upload ?? '', { from: 0, stream: stream!, isLast: true })
    return new Response(null, { status: 200 })
  },
}

export const media: Route[] = [
  { method: 'POST', path: `${base}/upload`, body: 'stream', scope: 'assets:write', about: { tag, summary: 'Upload a file', description: 'As `multipart/form-data` with one `file`, or as JSON with a `url` that is fetched once.', body: Type.Object({ url: Type.Optional(Type.String()) }), status: 201 }, handle: upload },
  { method: 'POST', path: `${base}/upload-url`, scope: 'assets:write', about: { tag, summary: 'Begin the upload of a large file', body: Type.Object({ bytes: Type.Integer(), filename: Type.String(), contentType: Type.Optional(Type.String()) }) },
    handle: (request, desk) => once(request, desk, async () => {
      const fields = readBody(request.body)
      const filename = readText(fields, 'filename', 200)
      const contentType = readText(fields, 'contentType', 100) ?? 'application/octet-stream'
      if (!filename || fields.bytes === undefined) throw no('bad_request', 'Missing required fields: bytes, filename', { code: 'missing_fields' })
      if (typeof fields.bytes !== 'number' || !Number.isInteger(fields.bytes) || fields.bytes < 1) throw wrong('bytes', 'bytes must be a whole number of at least 1')
      if (fields.bytes > fileMax) throw no('too_large', `A file has at most ${fileMax} bytes, not ${fields.bytes}`, {}, { field: 'bytes', allowed: { max: fileMax } })
      if (!/^[\w.+-]+\/[\w.+-]+$/.test(contentType)) throw wrong('contentType', 'contentType must be a media type like image/png')
      const id = await desk.files.begin({ purpose: 'media', name: filename, mime: contentType, sizeBytes: fields.bytes, expiresAt: null })
      return json({ data: { uploadUrl: `${desk.publicUrl.replace(/\/+$/, '')}${base}/uploads/${id}`, method: 'PUT', mediaId: id, headers: { 'Content-Type': contentType } } })
    }) },
  { method: 'POST', path: `${base}/upload-url/complete`, scope: 'assets:write', about: { tag, summary: 'Complete the upload of a large file', body: Type.Object({ mediaId: Type.String(), filename: Type.Optional(Type.String()) }) },
    async handle({ body }, desk) {
      const mediaId = readText(readBody(body), 'mediaId', 200)
      if (!mediaId) throw no('bad_request', 'Missing required fields: mediaId', { code: 'missing_fields' }, { field: 'mediaId' })
      const { file } = await desk.files.progress(mediaId)
      if (!file) throw no('bad_request', 'The bytes of this upload are not here yet. Send them to its uploadUrl first.', { code: 'not_uploaded' }, { field: 'mediaId' })
      const asset = await desk.assets.find(file.id)
      if (!asset) throw no('bad_input_image', 'This file is neither a picture nor a film that can be read. PNG, JPEG, WebP, GIF, AVIF, MP4, MOV and WebM are taken.', {}, { field: 'mediaId' })
      return json(both(viewMedia(asset, desk)))
    } },
  receive,
  { method: 'GET', path: base, scope: 'assets:read', about: { tag, summary: 'List what was uploaded, newest first', query: Type.Object({ limit: Type.Optional(Type.Integer()), after: Type.Optional(Type.String()) }) },
    async handle({ query }, desk) {
      const limit = readWhole(query, 'limit', { min: 1, max: 100, standard: 50 })
      const after = query.get('after')
      if (after !== null && !isId(after)) throw wrong('after', 'after must be the id of an upload')
      const page = await desk.assets.list({ limit, kind: 'input', after: after?.replaceAll('-', '') })
      return json({ data: page.items.map(asset => viewMedia(asset, desk)), next: page.next }, 200, page.next === null ? {} : { link: `<${base}?limit=${limit}&after=${page.next}>; rel="next"` })
    } },
  { method: 'GET', path: '/api/download', scope: null, about: { tag, summary: 'Download a result', description: 'Needs no key. Opens signed links of this house and nothing else.', query: Type.Object({ url: Type.String() }) },
    async handle({ query, headers, method }, desk) {
      const text = query.get('url') ?? ''
      const house = `${desk.publicUrl.replace(/\/+$/, '')}/`
      if (!URL.canParse(text) || !new URL(text).href.startsWith(new URL(house).href)) throw wrong('url', 'url must be a link to a file of this server')
      const url = new URL(text)
      return respondWithAsset(await desk.assets.openLink(url.pathname, url.searchParams), headers, { method, immutable: true, download: true })
    } },
]
