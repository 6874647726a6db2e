/**
 * The parts a picture file is made of: PNG chunks, JPEG segments, WebP chunks, GIF blocks, ISO boxes.
 *
 * Pure: bytes in, places out, nothing decoded. A file that ends early, or whose sums are wrong, throws `Broken`. Between parts, and within
 * long ones, comes a null now and then: so much was looked at that whoever walks may want to let others in.
 */
import { crc32 } from 'node:zlib'

/** Bytes that begin like a picture and are none. The message goes on after "The picture …". */
export class Broken extends Error { override name = 'Broken' }

/** `start` to `end` is the whole part with its frame, `from` to `to` what it holds. */
export interface Part { name: string; start: number; end: number; from: number; to: number }

/** A walk, with pauses. */
export type Parts = Generator<Part | null, void>

/** Places looked at, and bytes summed up, before a pause: about half a millisecond. */
const [stepsMax, summedMax] = [4_096, 1_048_576]

const truncated = () => new Broken('ends in the middle: it was cut off on the way')

export function* pngChunks(bytes: Buffer): Parts {
  for (let [at, steps] = [8, 1]; ; steps++) {
    if (at + 12 > bytes.length) throw truncated()
    const length = bytes.readUInt32BE(at)
    const end = at + 12 + length
    if (end > bytes.length) throw truncated()
    const part = { name: bytes.toString('latin1', at + 4, at + 8), start: at, end, from: at + 8, to: end - 4 }
    let sum = 0
    for (let from = at + 4; from < end - 4; from += summedMax) {
      sum = crc32(bytes.subarray(from, Math.min(end - 4, from + summedMax)), sum)
      if (length > summedMax) yield null
    }
    if (sum !== bytes.readUInt32BE(end - 4)) throw new Broken(`is damaged: the checksum of its ${/^[A-Za-z]{4}$/.test(part.name) ? part.name : 'next'} chunk is wrong`)
    yield part
    if (part.name === 'IEND') return
    at = end
    // Most writers put eight kilobytes into each: so many of them are a megabyte.
    if (steps % 128 === 0) yield null
  }
}

/** Segments by their marker in hexadecimal (`e1`); the coded picture itself is one part called `scan`, after its `da`. */
export function* jpegSegments(bytes: Buffer): Parts {
  for (let [at, steps] = [2, 1]; ; steps++) {
    if (steps % stepsMax === 0) yield null
    if (at + 2 > bytes.length) throw truncated()
    if (bytes[at] !== 0xff) throw new Broken('is damaged: there is no marker where one must be')
    if (bytes[at + 1] === 0xff) { at += 1; continue }
    const marker = bytes[at + 1]!
    const name = marker.toString(16).padStart(2, '0')
    if (marker === 0xd9) { yield { name, start: at, end: at + 2, from: at + 2, to: at + 2 }; return }
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7)) { at += 2; continue }
    if (at + 4 > bytes.length) throw truncated()
    const end = at + 2 + bytes.readUInt16BE(at + 2)
    if (end > bytes.length) throw truncated()
    if (end < at + 4 || marker === 0xd8) throw new Broken('is damaged: one of its segments has no length')
    yield { name, start: at, end, from: at + 4, to: end }
    at = end
    if (marker !== 0xda) continue
    const start = at
    for (let marks = 1; ; marks++) {
      if (marks % stepsMax === 0) yield null
      at = bytes.indexOf(0xff, at)
      if (at < 0 || at + 1 >= bytes.length) throw truncated()
      const next = bytes[at + 1]!
      if (next !== 0 && (next < 0xd0 || next > 0xd7) && next !== 0xff) break
      at += next === 0xff ? 1 : 2
    }
    yield { name: 'scan', start, end: at, from: start, to: at }
  }
}

export function* webpChunks(bytes: Buffer): Parts {
  const end = webpEnd(bytes)
  for (let [at, steps] = [12, 1]; at < end; steps++) {
    if (steps % stepsMax === 0) yield null
    if (at + 8 > end) throw truncated()
    const to = at + 8 + bytes.readUInt32LE(at + 4)
    if (to > end) throw truncated()
    const next = Math.min(end, to + (to - at & 1))
    yield { name: bytes.toString('latin1', at, at + 4), start: at, end: next, from: at + 8, to }
    at = next
  }
}

/** Where the file ends by its own word; what comes after is not of the picture. */
export function webpEnd(bytes: Buffer): number {
  if (bytes.length < 20) throw truncated()
  const end = 8 + bytes.readUInt32LE(4)
  if (end > bytes.length) throw truncated()
  return end
}

/** `head` (screen and palette), `frame`, `extension` (its label and what follows), `end`. */
export function* gifBlocks(bytes: Buffer): Parts {
  const paletteSize = (flags: number) => flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0
  const need = (end: number) => { if (end > bytes.length) throw truncated(); return end }
  let steps = 0
  const skipData = function* (from: number): Generator<null, number> {
    let at = from
    for (;;) {
      if (++steps % stepsMax === 0) yield null
      need(at + 1)
      const length = bytes[at]!
      at = need(at + 1 + length)
      if (length === 0) return at
    }
  }
  need(13)
  let at = need(13 + paletteSize(bytes[10]!))
  yield { name: 'head', start: 0, end: at, from: 6, to: at }
  for (;;) {
    need(at + 1)
    const start = at
    const kind = bytes[at]
    if (kind === 0x3b) { yield { name: 'end', start, end: at + 1, from: at + 1, to: at + 1 }; return }
    if (kind === 0x21) {
      at = yield* skipData(need(at + 2))
      yield { name: 'extension', start, end: at, from: start + 1, to: at }
    } else if (kind === 0x2c) {
      need(at + 11)
      at = yield* skipData(at + 10 + paletteSize(bytes[at + 9]!) + 1)
      yield { name: 'frame', start, end: at, from: start + 1, to: at }
    } else throw new Broken('is damaged: one of its blocks is of no known kind')
  }
}

/** Boxes of an ISO base media file (AVIF, MP4, MOV) between two places. */
export function* isoBoxes(bytes: Buffer, from = 0, to = bytes.length): Parts {
  for (let [at, steps] = [from, 1]; at < to; steps++) {
    if (steps % stepsMax === 0) yield null
    if (at + 8 > to) throw truncated()
    const short = bytes.readUInt32BE(at)
    const name = bytes.toString('latin1', at + 4, at + 8)
    if (short === 1 && at + 16 > to) throw truncated()
    const length = short === 0 ? to - at : short === 1 ? Number(bytes.readBigUInt64BE(at + 8)) : short
    const head = short === 1 ? 16 : 8
    if (length < head) throw new Broken('is damaged: one of its boxes has no length')
    if (at + length > to) throw truncated()
    yield { name, start: at, end: at + length, from: at + head, to: at + length }
    at += length
  }
}
