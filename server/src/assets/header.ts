/**
 * What a picture's own words say about it: size, frames, orientation. Pure; nothing is decoded, so a decompression bomb is
 * measured before it can go off.
 *
 * The whole file is walked, part by part with its checksums where it has any: a picture that was cut off on the way is found out
 * here, at a thousandth of the cost of decoding it. Where that takes longer than a moment it pauses (`kit/turns.ts`).
 */
import { Broken, gifBlocks, isoBoxes, jpegSegments, pngChunks, webpChunks, webpEnd } from './parts.ts'
import type { ImageMime } from './sniff.ts'
import { readOrientation } from './tiff.ts'

export interface Header {
  /** As stored, before `orientation` is applied. */
  width: number
  height: number
  frames: number
  /** The EXIF tag: 1 upright, 5 to 8 lie on their side. */
  orientation: number
  /** Where the picture ends; bytes after it belong to something else. */
  endsAt: number
}

/** Texts of a PNG, which its decoder makes an object of each. */
const textsMax = 1_000
const exifMark = 'Exif\0\0'

/** @throws {Broken} when the file ends early or cannot be a picture of its kind. */
export function* readHeader(bytes: Buffer, mime: ImageMime): Generator<void, Header> {
  const header = yield* readers[mime](bytes)
  if (!(header.width > 0 && header.height > 0)) throw new Broken('says it has no size')
  return header
}

const readers: Record<ImageMime, (bytes: Buffer) => Generator<void, Header>> = {
  * 'image/png'(bytes) {
    const header = { width: 0, height: 0, frames: 1, orientation: 1, endsAt: 0 }
    let hasPixels = false
    let texts = 0
    for (const part of pngChunks(bytes)) {
      if (part === null) { yield; continue }
      const { name, from, to, end } = part
      if (/^[tiz](EXt|TXt)$/.test(name) && ++texts > textsMax) throw new Broken(`has more than ${textsMax} texts in it`)
      if (header.width === 0) {
        if (name !== 'IHDR' || to - from !== 13) throw new Broken('has no header')
        header.width = bytes.readUInt32BE(from)
        header.height = bytes.readUInt32BE(from + 4)
        if (header.width === 0) break
      }
      if (name === 'IDAT') hasPixels = true
      if (name === 'acTL' && to - from >= 8) header.frames = bytes.readUInt32BE(from)
      if (name === 'eXIf') header.orientation = readOrientation(bytes.subarray(from, to)) ?? 1
      header.endsAt = end
    }
    if (!hasPixels) throw new Broken('has no pixels in it')
    return header
  },

  * 'image/jpeg'(bytes) {
    const header = { width: 0, height: 0, frames: 1, orientation: 1, endsAt: 0 }
    let hasPixels = false
    for (const part of jpegSegments(bytes)) {
      if (part === null) { yield; continue }
      const { name, from, to, end } = part
      if (/^c[0-9a-f]$/.test(name) && !/^c[48c]$/.test(name) && to - from >= 6) {
        header.height = bytes.readUInt16BE(from + 1)
        header.width = bytes.readUInt16BE(from + 3)
      }
      if (name === 'e1' && bytes.toString('latin1', from, from + 6) === exifMark) header.orientation = readOrientation(bytes.subarray(from + 6, to)) ?? header.orientation
      if (name === 'scan' && to > from) hasPixels = true
      header.endsAt = end
    }
    if (!hasPixels) throw new Broken('has no pixels in it')
    return header
  },

  * 'image/webp'(bytes) {
    const header = { width: 0, height: 0, frames: 0, orientation: 1, endsAt: webpEnd(bytes) }
    let hasPixels = false
    for (const part of webpChunks(bytes)) {
      if (part === null) { yield; continue }
      const { name, from, to } = part
      const size = to - from
      if (name === 'VP8X' && size >= 10) {
        header.width = bytes.readUIntLE(from + 4, 3) + 1
        header.height = bytes.readUIntLE(from + 7, 3) + 1
      }
      if (name === 'VP8 ' && size >= 10) {
        hasPixels = true
        if (header.width === 0) { header.width = bytes.readUInt16LE(from + 6) & 0x3fff; header.height = bytes.readUInt16LE(from + 8) & 0x3fff }
      }
      if (name === 'VP8L' && size >= 5) {
        hasPixels = true
        const packed = bytes.readUInt32LE(from + 1)
        if (header.width === 0) { header.width = (packed & 0x3fff) + 1; header.height = (packed >>> 14 & 0x3fff) + 1 }
      }
      if (name === 'ANMF') { hasPixels = true; header.frames += 1 }
      if (name === 'EXIF') header.orientation = readOrientation(withoutMark(bytes.subarray(from, to))) ?? 1
    }
    if (!hasPixels) throw new Broken('has no pixels in it')
    return { ...header, frames: Math.max(1, header.frames) }
  },

  * 'image/gif'(bytes) {
    const header = { width: bytes.length >= 10 ? bytes.readUInt16LE(6) : 0, height: bytes.length >= 10 ? bytes.readUInt16LE(8) : 0, frames: 0, orientation: 1, endsAt: 0 }
    for (const part of gifBlocks(bytes)) {
      if (part === null) { yield; continue }
      const { name, end } = part
      if (name === 'frame') header.frames += 1
      header.endsAt = end
    }
    if (header.frames === 0) throw new Broken('has no pixels in it')
    return header
  },

  * 'image/avif'(bytes) {
    const header = { width: 0, height: 0, frames: 1, orientation: 1, endsAt: bytes.length }
    let hasPixels = false
    for (const box of isoBoxes(bytes)) {
      if (box === null) { yield; continue }
      if (box.name === 'mdat') hasPixels = true
      if (box.name !== 'meta') continue
      for (const inside of isoBoxes(bytes, box.from + 4, box.to)) {
        if (inside === null) { yield; continue }
        if (inside.name === 'idat') hasPixels = true
        if (inside.name !== 'iprp') continue
        for (const properties of isoBoxes(bytes, inside.from, inside.to)) {
          if (properties === null) { yield; continue }
          if (properties.name !== 'ipco') continue
          for (const property of isoBoxes(bytes, properties.from, properties.to)) {
            if (property === null) { yield; continue }
            if (property.name !== 'ispe' || property.to - property.from < 12) continue
            // Thumbnails and masks have sizes of their own; the picture is the largest.
            const width = bytes.readUInt32BE(property.from + 4)
            const height = bytes.readUInt32BE(property.from + 8)
            if (width * height > header.width * header.height) Object.assign(header, { width, height })
          }
        }
      }
    }
    if (!hasPixels) throw new Broken('has no pixels in it')
    return header
  },
}

/** WebP writers disagree on whether the mark of JPEG's EXIF segment belongs into the chunk. */
export const withoutMark = (exif: Buffer): Buffer => exif.toString('latin1', 0, 6) === exifMark ? exif.subarray(6) : exif
