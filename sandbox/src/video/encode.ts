/**
 * Frames → animated WebP, looping, with the picture's provenance.
 *
 * Each frame is a WebP of its own, put into the container by us. libwebp's own animation encoder stores differences and
 * treats near-equal pixels as equal, which leaves blocks standing in dark, slowly moving places; and it wants all raw
 * frames in memory at once.
 */
import sharp from 'sharp'
import { writeExif, writeXmp } from '../provenance.ts'
import type { Provenance } from '../provenance.ts'

export interface VideoShape { width: number; height: number; fps: number; quality?: number | undefined }

/** Frames being encoded at once; more would only fill memory. */
const inFlightMax = 4

export async function encodeVideo(frames: AsyncIterable<Uint8Array>, { width, height, fps, quality = 76 }: VideoShape, provenance: Provenance): Promise<Uint8Array> {
  const encoded: Promise<Buffer>[] = []
  let index = 0
  for await (const pixels of frames) {
    let image = sharp(Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength), { raw: { width, height, channels: 3 } })
    // The first frame carries the metadata in, from where the container takes it.
    if (index === 0) image = image.withExif(writeExif(provenance)).withXmp(writeXmp(provenance))
    encoded.push(image.webp({ quality, effort: 2 }).toBuffer())
    index++
    if (index >= inFlightMax) await encoded[index - inFlightMax]
  }
  return muxFrames(await Promise.all(encoded), width, height, fps)
}

interface Chunk { name: string; data: Buffer }

function muxFrames(files: Buffer[], width: number, height: number, fps: number): Buffer {
  const metadata = readChunks(files[0]!).filter(({ name }) => name === 'EXIF' || name === 'XMP ')
  const hasAnimation = 0x02
  const header = Buffer.alloc(10)
  header[0] = hasAnimation | (metadata.some(({ name }) => name === 'EXIF') ? 0x08 : 0) | (metadata.some(({ name }) => name === 'XMP ') ? 0x04 : 0)
  header.writeUIntLE(width - 1, 4, 3)
  header.writeUIntLE(height - 1, 7, 3)
  const frames = files.map((file, index) => {
    const head = Buffer.alloc(16)
    head.writeUIntLE(width - 1, 6, 3)
    head.writeUIntLE(height - 1, 9, 3)
    // Whole milliseconds, shared out so that the sum is right.
    head.writeUIntLE(Math.round(((index + 1) * 1000) / fps) - Math.round((index * 1000) / fps), 12, 3)
    head[15] = 0x02 // Drawn over the last frame without blending: every frame is whole.
    return chunk('ANMF', Buffer.concat([head, ...readChunks(file).filter(({ name }) => name === 'VP8 ' || name === 'VP8L' || name === 'ALPH').map(({ name, data }) => chunk(name, data))]))
  })
  // Background white, looping for ever.
  const animation = Buffer.from([255, 255, 255, 255, 0, 0])
  const body = Buffer.concat([Buffer.from('WEBP'), chunk('VP8X', header), chunk('ANIM', animation), ...frames, ...metadata.map(({ name, data }) => chunk(name, data))])
  const riff = Buffer.alloc(8)
  riff.write('RIFF')
  riff.writeUInt32LE(body.length, 4)
  return Buffer.concat([riff, body])
}

function chunk(name: string, data: Buffer): Buffer {
  const head = Buffer.alloc(8)
  head.write(name)
  head.writeUInt32LE(data.length, 4)
  return Buffer.concat(data.length % 2 ? [head, data, Buffer.alloc(1)] : [head, data])
}

function readChunks(file: Buffer): Chunk[] {
  const chunks: Chunk[] = []
  for (let at = 12; at + 8 <= file.length;) {
    const size = file.readUInt32LE(at + 4)
    chunks.push({ name: file.toString('latin1', at, at + 4), data: file.subarray(at + 8, at + 8 + size) })
    at += 8 + size + (size % 2)
  }
  return chunks
}
