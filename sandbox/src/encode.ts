/** Canvas → file. The same pixels and provenance give the same bytes. */
import sharp from 'sharp'
import type { Format, RenderRequest } from './contract.ts'
import { readPixels } from './kernel/canvas.ts'
import type { Canvas } from './kernel/canvas.ts'
import { writeExif, writeXmp } from './provenance.ts'
import type { Provenance } from './provenance.ts'

export interface Encoding {
  format: Exclude<Format, 'gif'>
  quality?: number | undefined
  background?: RenderRequest['background']
}

export const mimeOf = (format: Format) => `image/${format}` as const

const qualityDefault = 90

export async function encodeCanvas(canvas: Canvas, encoding: Encoding, provenance: Provenance): Promise<Uint8Array> {
  return encodePixels(readPixels(canvas), canvas.width, canvas.height, encoding, provenance)
}

/** From raw RGBA: what is larger than a canvas comfortably is (an 8x upscale) never becomes one. */
export async function encodePixels(
  pixels: Uint8ClampedArray | Uint8Array, width: number, height: number, { format, quality = qualityDefault, background }: Encoding, provenance: Provenance,
): Promise<Uint8Array> {
  let image = sharp(Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength), { raw: { width, height, channels: 4 } })
  if (format === 'jpeg' || background === 'opaque') image = image.flatten({ background: '#fff' })
  else if (isOpaque(pixels)) image = image.removeAlpha()
  image = image.withExif(writeExif(provenance)).withXmp(writeXmp(provenance))
  switch (format) {
    case 'png': return image.png({ compressionLevel: 6 }).toBuffer()
    // Full colour resolution where quality is asked for: red letters on white would fray.
    case 'jpeg': return image.jpeg({ quality, chromaSubsampling: quality >= 85 ? '4:4:4' : '4:2:0' }).toBuffer()
    case 'webp': return image.webp({ quality, effort: 3 }).toBuffer()
  }
}

function isOpaque(pixels: Uint8ClampedArray | Uint8Array): boolean {
  for (let i = 3; i < pixels.length; i += 4) if (pixels[i] !== 255) return false
  return true
}
