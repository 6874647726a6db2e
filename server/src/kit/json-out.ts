/**
 * JSON with megabytes of base64 in it, on its way out: files are encoded while they are sent and never are a string.
 *
 * A file stands in a plain value as `base64Of(open)`. Absent on purpose: any way to make such a value an ordinary string.
 */
import { randomBytes } from 'node:crypto'
import type { OpenAsset } from '../protocols/contract.ts'
import { Base64Encoder, base64Length, encodeInto } from './base64.ts'
import { borrow, giveBack } from './blocks.ts'
import { offerPieces, streamPieces } from './pieces.ts'

// Whoever sends events with files needs both.
export { eventStream, streamPieces } from './pieces.ts'

/** What its parts are marked with in JSON text: nobody outside can write such a mark. */
const mark = `base64:${randomBytes(16).toString('hex')}:`
const cut = new RegExp(`${mark}(\\d+);`)
/** The parts of the value that is being written; null while none is. */
let parts: Base64Part[] | null = null

/** A file in a value that will be JSON. */
export class Base64Part {
  readonly open: OpenAsset
  readonly prefix: string

  constructor(open: OpenAsset, prefix: string) {
    this.open = open
    this.prefix = prefix
  }

  /** Characters it takes between its quotes. */
  get length(): number { return this.prefix.length + base64Length(this.open.asset.sizeBytes) }

  toJSON(): string {
    if (!parts) throw new Error('A file was put into JSON that is made whole. Send it with jsonResponse or sseJson.')
    return `${mark}${parts.push(this) - 1};`
  }
}

/** A file's bytes as base64, or as a data URL, at any place of a value for `jsonResponse` or `sseJson`. The file is opened when its turn comes. */
export function base64Of(open: OpenAsset, { dataUrl = false }: { dataUrl?: boolean } = {}): Base64Part {
  const { mime } = open.asset
  if (!/^[\w.+-]+\/[\w.+-]+$/.test(mime)) throw new Error(`"${mime}" is not a media type.`)
  return new Base64Part(open, dataUrl ? `data:${mime};base64,` : '')
}

/** Text and files that follow each other. */
type Piece = Buffer | Base64Part

function split(value: unknown, before: string, after: string): Piece[] {
  const outer = parts
  parts = []
  try {
    const texts = `${before}${JSON.stringify(value) ?? 'null'}${after}`.split(cut)
    const found = parts
    // Every second one is the number of a part.
    return texts.map((text, index) => index % 2 === 0 ? Buffer.from(text) : found[Number(text)]!)
  } finally {
    parts = outer
  }
}

/** How much is encoded before it is sent. */
const roomBytes = 256 * 1024
/** A piece is not sent for less, if more is to come. */
const leftBytes = 64 * 1024

/** Every piece is the reader's to keep. */
async function* write(pieces: Piece[]): AsyncGenerator<Buffer> {
  for (const piece of pieces) {
    if (Buffer.isBuffer(piece)) yield piece
    else yield* encode(piece)
  }
}

/** The same in few large pieces, each in the same borrowed place as the one before; base64 that is at hand goes as it is. */
async function* pour(pieces: Piece[], length: number): AsyncGenerator<Buffer> {
  const lents = pieces.map(piece => Buffer.isBuffer(piece) ? null : piece.open.lend?.() ?? null)
  const ready = lents.reduce((sum, lent) => sum + (lent?.base64?.length ?? 0), 0)
  const room = borrow(Math.min(length - ready, roomBytes))
  let end = 0
  /** While a piece is with the reader, its place may not go to anybody else, even if he never comes back. */
  let out: Buffer | null = null
  const show = function* (piece: Buffer) {
    out = piece
    if (piece.length > 0) yield piece
    out = null
  }
  const flush = function* () {
    const piece = room.subarray(0, end)
    end = 0
    yield* show(piece)
  }
  const put = function* (bytes: Buffer) {
    if (end + bytes.length > room.length) yield* flush()
    if (bytes.length > room.length) yield bytes
    else end += bytes.copy(room, end)
  }
  try {
    for (const [index, piece] of pieces.entries()) {
      if (Buffer.isBuffer(piece)) { yield* put(piece); continue }
      const lent = lents[index]
      if (!lent) {
        for await (const text of encode(piece)) yield* put(text)
        continue
      }
      yield* put(Buffer.from(piece.prefix))
      if (lent.base64) {
        if (lent.base64.length !== base64Length(piece.open.asset.sizeBytes)) throw new Error('The base64 of a file has not the length of its bytes.')
        yield* flush()
        yield* show(lent.base64)
      } else {
        const size = lent.bytes.length
        checkSize(piece, size)
        for (let from = 0; from < size;) {
          if (room.length - end < Math.min(leftBytes, base64Length(size - from))) yield* flush()
          const to = Math.min(size, from + Math.floor((room.length - end) / 4) * 3)
          end = encodeInto(lent.bytes, from, to, room, end)
          from = to
        }
      }
    }
    yield* flush()
  } finally {
    const buffer = (out as Buffer | null)?.buffer
    for (const lent of lents) if (lent && (lent.base64 ?? lent.bytes).buffer !== buffer) lent.release()
    if (room.buffer !== buffer) giveBack(room)
  }
}

function checkSize({ open: { asset } }: Base64Part, size: number): void {
  if (size !== asset.sizeBytes) throw new Error(`A file of the store has ${size > asset.sizeBytes ? 'more' : 'less'} than its ${asset.sizeBytes} bytes.`)
}

/** A file in base64, as fast as it is taken. Leaving early closes the file. */
async function* encode(part: Base64Part): AsyncGenerator<Buffer> {
  const { open, prefix } = part
  const { sizeBytes } = open.asset
  const encoder = new Base64Encoder()
  let size = 0
  if (prefix !== '') yield Buffer.from(prefix)
  for await (const chunk of open.stream()) {
    size += (chunk as Buffer).length
    // A length has been promised: better no end than a wrong one.
    if (size > sizeBytes) break
    const text = encoder.push(chunk as Buffer)
    if (text.length > 0) yield text
  }
  checkSize(part, size)
  const last = encoder.end()
  if (last.length > 0) yield last
}

/**
 * JSON as an answer, files in it encoded while it is sent: with its exact length, at the reader's pace, some hundred kilobytes at a time.
 *
 * @example jsonResponse({ data: [{ b64_json: base64Of(await desk.assets.open(asset)) }] }, { headers: { 'x-task-id': task.id } })
 */
export function jsonResponse(value: unknown, { status = 200, headers: given }: { status?: number; headers?: Headers | Record<string, string> } = {}): Response {
  const pieces = split(value, '', '')
  const headers = new Headers(given)
  if (!headers.has('content-type')) headers.set('content-type', 'application/json')
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  headers.set('content-length', String(length))
  const [only] = pieces
  if (pieces.length === 1) return new Response(only as Buffer<ArrayBuffer>, { status, headers })
  return offerPieces(streamPieces(write(pieces), { status, headers }), () => pour(pieces, length))
}

/**
 * One server-sent event whose data may have files in it, in one `data` line, piece by piece.
 *
 * @example streamPieces(async function* () { yield* sseJson(null, { b64_json: base64Of(open) }); yield 'data: [DONE]\n\n' }(), { headers: eventStream })
 */
export function sseJson(event: string | null, value: unknown): AsyncIterable<Uint8Array> {
  return write(split(value, `${event === null ? '' : `event: ${event}\n`}data: `, '\n\n'))
}

/** JSON whose files are encoded while it is sent, where there is something around it (`[{…},{…}]`). */
export function streamJson(value: unknown): AsyncIterable<Uint8Array> {
  return write(split(value, '', ''))
}
