/** Looks whether a picture or film is what it says, before anybody relies on it. */
import fs from 'node:fs/promises'
import sharp from 'sharp'
import { Problem } from '../domain/problem.ts'
import { inTurns, takeTurns } from '../kit/turns.ts'
import { readHeader, type Header } from './header.ts'
import { Broken } from './parts.ts'
import type { Limits } from './receive.ts'
import type { ImageMime, SoundMime, VideoMime } from './sniff.ts'

/**
 * Reads a picture's size by its own words and holds it against the caps; nothing is decoded.
 *
 * @throws {Problem} `bad_input_image` for a file that was cut off, is damaged, or has too many pixels or frames
 */
export async function checkPicture(bytes: Buffer, mime: ImageMime, { pixelsMax, framesMax }: Limits): Promise<Header> {
  const header = await readOrRefuse(() => inTurns(readHeader(bytes, mime)))
  const { width, height, frames } = header
  const size = `${width} × ${height}`
  if (width * height > pixelsMax) throw new Problem('bad_input_image', `The picture has ${size} pixels; at most ${pixelsMax / 1e6} million are taken. Make it smaller first.`, { width, height, pixelsMax })
  if (frames > framesMax) throw new Problem('bad_input_image', `The animation has ${frames} frames; at most ${framesMax} are taken.`, { frames, framesMax })
  if (width * height * frames > 4 * pixelsMax) throw new Problem('bad_input_image', `The animation has ${frames} frames of ${size} pixels, which is too much. Make it smaller or shorter.`, { width, height, frames })
  return header
}

/**
 * Decodes the whole picture once, line by line and down to a stamp, so that one that cannot be shown is found out now.
 *
 * @throws {Problem} `bad_input_image`
 */
export async function decodeOnce(bytes: Buffer, mime: ImageMime, { frames }: Header, { pixelsMax }: Limits): Promise<{ width: number; height: number }> {
  const options = { animated: frames > 1 && mime !== 'image/png', limitInputPixels: 4 * pixelsMax, sequentialRead: true } as const
  const decode = (failOn: 'warning' | 'error') => sharp(bytes, { ...options, failOn }).resize({ width: 16, height: 16, fit: 'fill' }).raw().toBuffer()
  try {
    const { width, height, pageHeight } = await sharp(bytes, options).metadata()
    // A JPEG whose middle is missing is only a warning to its decoder, and so is the padding some cameras write.
    if (mime === 'image/jpeg') await decode('warning').catch(error => /premature end|Huffman|restart marker/i.test(String(error)) ? Promise.reject(error) : decode('error'))
    else await decode('error')
    return { width, height: pageHeight ?? height }
  } catch (error) {
    const line = (error as Error).message.split('\n', 1)[0]!.slice(0, 120)
    throw new Problem('bad_input_image', `The picture cannot be decoded (${line}). Save it again and send the new file.`, { cause: error })
  }
}

/** Which way round people see it: a photo that lies on its side has its sides exchanged. */
export const upright = ({ width, height, orientation }: Pick<Header, 'width' | 'height' | 'orientation'>) => orientation >= 5 ? { width: height, height: width } : { width, height }

/**
 * Looks through a film's outermost boxes, and takes the place it was made at out of it.
 *
 * Players need the `moov` box; a film cut off on the way has lost it or part of the pixels. Coordinates stand in it as text
 * (ISO 6709, `+48.8584+002.2945/`), so their digits become zeros and no offset moves.
 */
export async function checkFilm(file: string, sizeBytes: number, mime: VideoMime | SoundMime): Promise<{ seconds: number | null }> {
  if (mime === 'audio/wav') await checkWave(file, sizeBytes)
  if (mime === 'video/webm' || mime === 'audio/wav' || mime === 'audio/mpeg' || mime === 'audio/ogg') return { seconds: null }
  const handle = await fs.open(file, 'r+')
  try {
    const head = Buffer.alloc(16)
    let hasMoov = false
    let seconds: number | null = null
    for (let at = 0, boxes = 0; at < sizeBytes; boxes += 1) {
      const { bytesRead } = await handle.read(head, 0, 16, at)
      const short = bytesRead >= 8 ? head.readUInt32BE(0) : 1
      const length = short === 0 ? sizeBytes - at : short === 1 ? bytesRead < 16 ? 0 : Number(head.readBigUInt64BE(8)) : short
      if (length < 8 || at + length > sizeBytes || boxes > 100_000) throw new Broken('ends in the middle: it was cut off on the way')
      if (head.toString('latin1', 4, 8) === 'moov') { hasMoov = true; seconds ??= await readSeconds(handle, at + (short === 1 ? 16 : 8), at + length); await blankPlace(handle, at, Math.min(length, 64_000_000)) }
      at += length
    }
    if (!hasMoov) throw new Broken('has no index (moov), so nobody can play it')
    return { seconds }
  } catch (error) {
    return await readOrRefuse(() => Promise.reject(error), mime.startsWith('audio/') ? 'sound' : 'film')
  } finally {
    await handle.close()
  }
}

/** A WAV says how long it is: one that is shorter was cut off on the way. Recorders that could not go back wrote 0 or all ones. */
async function checkWave(file: string, sizeBytes: number): Promise<void> {
  const handle = await fs.open(file, 'r')
  try {
    const head = Buffer.alloc(12)
    await handle.read(head, 0, 12, 0)
    const length = head.readUInt32LE(4)
    if (length !== 0 && length !== 0xffff_ffff && length + 8 > sizeBytes + 1) await readOrRefuse(() => Promise.reject(new Broken('ends in the middle: it was cut off on the way')), 'sound')
  } finally { await handle.close() }
}

/** How long a film plays by its header (`mvhd`, ISO 14496-12 8.2.2), in seconds; null where it has none or leaves it to its fragments. */
async function readSeconds(handle: fs.FileHandle, from: number, to: number): Promise<number | null> {
  const head = Buffer.alloc(40)
  for (let at = from, boxes = 0; at + 8 <= to && boxes < 1_000; boxes += 1) {
    const { bytesRead } = await handle.read(head, 0, 40, at)
    const length = bytesRead < 8 ? 0 : head.readUInt32BE(0)
    if (length < 8) return null
    if (head.toString('latin1', 4, 8) === 'mvhd') {
      const isLong = head[8] === 1
      if (bytesRead < (isLong ? 40 : 28) || length < (isLong ? 40 : 28)) return null
      const [scale, duration] = isLong ? [head.readUInt32BE(28), Number(head.readBigUInt64BE(32))] : [head.readUInt32BE(20), head.readUInt32BE(24)]
      const seconds = duration / scale
      return scale > 0 && duration > 0 && seconds < 86_400 ? seconds : null
    }
    at += length
  }
  return null
}

/** Looked through in pieces that overlap by more than a place has letters. */
const [placePiece, placeLength] = [512 * 1024, 128]

async function blankPlace(handle: fs.FileHandle, at: number, length: number): Promise<void> {
  const moov = Buffer.alloc(Math.min(length, placePiece + placeLength))
  const turns = takeTurns()
  for (let from = 0; from < length; from += placePiece) {
    const { bytesRead } = await handle.read(moov, 0, Math.min(moov.length, length - from), at + from)
    for (const { 0: found, index } of moov.toString('latin1', 0, bytesRead).matchAll(/[+-]\d{2,6}(\.\d{1,12})[+-]\d{3,7}(\.\d{1,12})([+-]\d{1,8}(\.\d{1,8})?)?/g)) {
      await handle.write(Buffer.from(found.replace(/\d/g, '0'), 'latin1'), 0, found.length, at + from + index)
    }
    if (turns.isDue()) await turns.give()
  }
}

async function readOrRefuse<T>(read: () => Promise<T>, what = 'picture'): Promise<T> {
  try {
    return await read()
  } catch (error) {
    // A length that leads out of the file.
    const said = error instanceof Broken ? error.message : error instanceof RangeError ? 'is damaged' : null
    if (said === null) throw error
    throw new Problem('bad_input_image', `The ${what} ${said}. Send it again.`, { cause: error })
  }
}
