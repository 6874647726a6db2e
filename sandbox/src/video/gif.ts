/** Animated GIF: frames → file, with where it comes from as XMP in an application block, where GIF has a place for it. */
import sharp from 'sharp'
import { writeXmp } from '../provenance.ts'
import type { Provenance } from '../provenance.ts'

export interface GifShape { width: number; height: number; count: number; delayMs: number }

/** Frames times pixels: all of them are held at once, and 16 of 1536x1536 are 113 MB. */
export const gifPixelsMax = 16 * 1536 * 1536

/** Encodes frames of raw RGB. */
export async function encodeGif(frames: AsyncIterable<Uint8Array>, { width, height, count, delayMs }: GifShape, provenance: Provenance): Promise<Uint8Array> {
  const pixels = Buffer.alloc(width * height * 3 * count)
  let end = 0
  for await (const frame of frames) {
    pixels.set(frame, end)
    end += frame.length
  }
  const file = await sharp(pixels, { raw: { width, height: height * count, channels: 3, pageHeight: height }, limitInputPixels: false })
    // Frames that are alike stay frames: so many were asked for.
    .gif({ loop: 0, delay: Array.from({ length: count }, () => delayMs), effort: 3, keepDuplicateFrames: true }).toBuffer()
  return withXmp(file, writeXmp(provenance))
}

/** The block that Adobe gave XMP: its text, then every byte from 255 to 0, so that a reader who takes the text for sub-blocks finds the end. */
function withXmp(file: Buffer, xmp: string): Buffer {
  const trailer = Buffer.from([0x01, ...Array.from({ length: 256 }, (_, index) => 255 - index), 0x00])
  const last = file.length - 1
  return Buffer.concat([file.subarray(0, last), Buffer.from([0x21, 0xff, 0x0b]), Buffer.from('XMP DataXMP'), Buffer.from(xmp), trailer, file.subarray(last)])
}
