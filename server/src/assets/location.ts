/**
 * Takes the place where a picture was made out of the file, without touching a pixel. Pure.
 *
 * Metadata is cut out part by part and the coded picture stays as it came, so an upload loses no quality and keeps its colour
 * profile and which way is up. What follows the end of the picture goes too: phones hang further pictures there, each with a
 * place of its own, and others hang archives there. A file with nothing to remove comes back as the same bytes.
 */
import { crc32 } from 'node:zlib'
import { withoutMark, type Header } from './header.ts'
import { gifBlocks, jpegSegments, pngChunks, webpChunks, type Part } from './parts.ts'
import type { ImageMime } from './sniff.ts'
import { removeLocation, writeOrientation } from './tiff.ts'

/** XMP is text; a packet that speaks of a place goes as a whole, and so does one that is too long to be looked through. */
const tellsPlace = (bytes: Buffer, from: number, to: number) => to - from > xmpBytesMax || placeWords.test(bytes.toString('utf8', from, to))
const placeWords = /gps|latitude|longitude|location|:city|:country|:state/i
const xmpBytesMax = 1024 * 1024

/** An AVIF has one EXIF, two with a thumbnail's. A file made of nothing but such marks must not keep us busy. */
const attemptsMax = 64
const exifBytesMax = 256 * 1024

/** Pauses where it takes longer than a moment (`kit/turns.ts`). */
export function stripLocation(bytes: Buffer, mime: ImageMime, header: Pick<Header, 'orientation' | 'endsAt'>): Generator<void, Buffer> {
  return strippers[mime](bytes, header)
}

const strippers: Record<ImageMime, (bytes: Buffer, header: Pick<Header, 'orientation' | 'endsAt'>) => Generator<void, Buffer>> = {
  'image/jpeg': (bytes, { orientation }) => rebuild(bytes, bytes.subarray(0, 2), jpegSegments(bytes), ({ name, start, end, from, to }) => {
    // Of the application segments only these say how the picture looks; maps of further pictures, IPTC and the rest are not kept.
    if (!/^e[0-9a-f]$/.test(name)) return 'keep'
    const starts = (mark: string) => bytes.toString('latin1', from, Math.min(to, from + mark.length)) === mark
    if (name === 'e0' && (starts('JFIF\0') || starts('JFXX\0'))) return 'keep'
    if (name === 'e2' && starts('ICC_PROFILE\0')) return 'keep'
    if (name === 'ee' && starts('Adobe')) return 'keep'
    if (name !== 'e1') return null
    if (starts('http://ns.adobe.com/xap/1.0/\0')) return tellsPlace(bytes, from, to) ? null : 'keep'
    if (!starts('Exif\0\0')) return null
    const segment = Buffer.from(bytes.subarray(start, end))
    const found = removeLocation(segment.subarray(10))
    if (found === 'unreadable') return orientation === 1 ? null : jpegExif(writeOrientation(orientation))
    return found === 'clean' ? 'keep' : segment
  }),

  'image/png': (bytes, { orientation }) => rebuild(bytes, bytes.subarray(0, 8), pngChunks(bytes), ({ name, from, to }) => {
    if (name === 'eXIf') {
      const exif = Buffer.from(bytes.subarray(from, to))
      const found = removeLocation(exif)
      if (found === 'unreadable') return orientation === 1 ? null : pngChunk('eXIf', writeOrientation(orientation))
      return found === 'clean' ? 'keep' : pngChunk('eXIf', exif)
    }
    if (name !== 'tEXt' && name !== 'zTXt' && name !== 'iTXt') return 'keep'
    const keyword = bytes.toString('latin1', from, Math.min(to, from + 80)).split('\0', 1)[0]!
    // ImageMagick packs EXIF, XMP and IPTC into text.
    if (/^raw profile type (?!icc)/i.test(keyword) || placeWords.test(keyword)) return null
    if (keyword !== 'XML:com.adobe.xmp') return 'keep'
    const isPacked = name !== 'iTXt' || bytes[from + keyword.length + 1] !== 0
    return isPacked || tellsPlace(bytes, from, to) ? null : 'keep'
  }),

  * 'image/webp'(bytes) {
    let droppedXmp = false
    let droppedExif = false
    const rebuilt = yield* rebuild(bytes, bytes.subarray(0, 12), webpChunks(bytes), ({ name, start, end, from, to }) => {
      if (name === 'XMP ') {
        if (!tellsPlace(bytes, from, to)) return 'keep'
        droppedXmp = true
        return null
      }
      if (name !== 'EXIF') return 'keep'
      const chunk = Buffer.from(bytes.subarray(start, end))
      const found = removeLocation(withoutMark(chunk.subarray(8, 8 + to - from)))
      if (found !== 'unreadable') return found === 'clean' ? 'keep' : chunk
      droppedExif = true
      return null
    })
    if (rebuilt === bytes) return bytes
    rebuilt.writeUInt32LE(rebuilt.length - 8, 4)
    // The extended header announces which metadata there is.
    if (rebuilt.toString('latin1', 12, 16) === 'VP8X') rebuilt[20] = rebuilt[20]! & ~(droppedXmp ? 0x04 : 0) & ~(droppedExif ? 0x08 : 0)
    return rebuilt
  },

  'image/gif': bytes => rebuild(bytes, Buffer.alloc(0), gifBlocks(bytes), ({ name, start, end }) =>
    name === 'extension' && bytes.toString('latin1', start + 3, start + 14) === 'XMP DataXMP' && tellsPlace(bytes, start, end) ? null : 'keep'),

  /** An AVIF is full of offsets, so nothing may move: EXIF is cleaned, and XMP blanked, where they lie. */
  * 'image/avif'(bytes) {
    const copy = Buffer.from(bytes)
    let changed = false
    for (const mark of ['II*\0', 'MM\0*']) {
      let attempts = 0
      for (let at = copy.indexOf(mark, 0, 'latin1'); at >= 0 && attempts < attemptsMax; at = copy.indexOf(mark, at + 4, 'latin1')) {
        attempts += 1
        const attempt = Buffer.from(copy.subarray(at, at + exifBytesMax))
        if (removeLocation(attempt) === 'removed') { attempt.copy(copy, at); changed = true }
        yield
      }
    }
    // What lies within a packet was looked at with it, so each byte is looked at once however many packets say that they begin.
    for (let at = copy.indexOf('<x:xmpmeta'); at >= 0;) {
      const close = copy.indexOf('</x:xmpmeta>', at)
      const end = close < 0 ? copy.length : close + 12
      if (tellsPlace(copy, at, end)) { copy.fill(' ', at, end); changed = true }
      at = copy.indexOf('<x:xmpmeta', end)
      yield
    }
    return changed ? copy : bytes
  },
}

/** The file from its parts: each as it is, replaced, or left out. The same bytes when nothing changes. */
function* rebuild(bytes: Buffer, head: Buffer, parts: Iterable<Part | null>, choose: (part: Part) => 'keep' | Buffer | null): Generator<void, Buffer> {
  const kept: Buffer[] = [head]
  let changed = false
  let end = head.length
  /** Where what is kept and not yet taken begins: most files are kept as a whole. */
  let from = end
  for (const part of parts) {
    if (part === null) { yield; continue }
    const choice = choose(part)
    if (choice !== 'keep') {
      changed = true
      kept.push(bytes.subarray(from, end), ...choice ? [choice] : [])
      from = part.end
    } else if (part.start !== end) {
      // Padding between parts goes as well, where the file is written anew.
      kept.push(bytes.subarray(from, end))
      from = part.start
    }
    end = part.end
  }
  return changed || end < bytes.length ? Buffer.concat([...kept, bytes.subarray(from, end)]) : bytes
}

function jpegExif(tiff: Buffer): Buffer {
  const head = Buffer.from('\xff\xe1\0\0Exif\0\0', 'latin1')
  head.writeUInt16BE(tiff.length + 8, 2)
  return Buffer.concat([head, tiff])
}

function pngChunk(name: string, data: Buffer): Buffer {
  const chunk = Buffer.alloc(12 + data.length)
  chunk.writeUInt32BE(data.length, 0)
  chunk.write(name, 4, 'latin1')
  data.copy(chunk, 8)
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + data.length)), 8 + data.length)
  return chunk
}
