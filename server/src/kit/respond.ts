/** Sends a file of ours as an HTTP answer: ranges, revalidation, and headers under which a picture can never act as a page. */
import { Readable } from 'node:stream'
import type { OpenAsset } from '../protocols/contract.ts'

export interface RespondOptions {
  /** `GET` unless told; `HEAD` gets the same headers and no bytes. */
  method?: string
  /** The bytes behind this address never change: browsers need not ask again. */
  immutable?: boolean
  /** Offer it as a file to save and not as something to look at. */
  download?: boolean
}

/**
 * One answer for one open asset.
 *
 * A list of several ranges is answered with the whole (RFC 9110 14.2 leaves that free): nobody asks a picture for two pieces.
 */
export function respondWithAsset({ asset, stream }: OpenAsset, requestHeaders: Record<string, string | undefined>, { method = 'GET', immutable = false, download = false }: RespondOptions = {}): Response {
  const etag = `"${asset.sha256}"`
  const headers: Record<string, string> = {
    'content-type': asset.mime,
    'content-disposition': writeDisposition(download ? 'attachment' : 'inline', asset.name ?? 'picture'),
    'cache-control': immutable ? 'private, max-age=31536000, immutable' : 'private, no-cache',
    'content-security-policy': "default-src 'none'; sandbox",
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'cross-origin',
    'accept-ranges': 'bytes',
    etag,
  }
  if (hasMatch(requestHeaders['if-none-match'], etag)) return new Response(null, { status: 304, headers })

  const ifRange = requestHeaders['if-range']
  const range = ifRange === undefined || ifRange === etag ? readRange(requestHeaders['range'], asset.sizeBytes) : null
  if (range === 'unsatisfiable') return new Response(null, { status: 416, headers: { ...headers, 'content-range': `bytes */${asset.sizeBytes}`, 'content-length': '0' } })
  const body = (part?: { start: number; end: number }) => method === 'HEAD' ? null : Readable.toWeb(stream(part)) as ReadableStream
  if (!range) return new Response(body(), { status: 200, headers: { ...headers, 'content-length': String(asset.sizeBytes) } })
  return new Response(body(range), {
    status: 206,
    headers: { ...headers, 'content-length': String(range.end - range.start + 1), 'content-range': `bytes ${range.start}-${range.end}/${asset.sizeBytes}` },
  })
}

const hasMatch = (header: string | undefined, etag: string): boolean =>
  header !== undefined && header.split(',').some(one => one.trim() === '*' || one.trim().replace(/^W\//, '') === etag)

/** A single byte range, both ends included; null where the whole is meant, also for what we do not read. */
export function readRange(header: string | undefined, sizeBytes: number): { start: number; end: number } | 'unsatisfiable' | null {
  const match = header === undefined ? null : /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/i.exec(header)
  if (!match || (match[1] === '' && match[2] === '')) return null
  const [, first, last] = match
  if (first === '') {
    const count = Number(last)
    return count === 0 || sizeBytes === 0 ? 'unsatisfiable' : { start: Math.max(0, sizeBytes - count), end: sizeBytes - 1 }
  }
  const start = Number(first)
  if (last !== '' && Number(last) < start) return null
  if (start >= sizeBytes) return 'unsatisfiable'
  return { start, end: last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1) }
}

/** A `Content-Disposition` whose name is safe in a header: plain letters for old readers, UTF-8 for the rest (RFC 6266). */
export function writeDisposition(kind: 'inline' | 'attachment', name: string): string {
  const plain = name.normalize('NFKD').replace(/[^\x20-\x7e]/g, '').replace(/["\\%;/]/g, '_').trim() || 'picture'
  // A half of a surrogate pair cannot be written in UTF-8 at all.
  const encoded = encodeURIComponent(name.toWellFormed().replace(/[\p{Cc}/\\]/gu, '_')).replace(/['()*]/g, letter => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`)
  return plain === name ? `${kind}; filename="${plain}"` : `${kind}; filename="${plain}"; filename*=UTF-8''${encoded}`
}
