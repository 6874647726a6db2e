/**
 * Masks as OpenAI takes them: a PNG of the first picture's size whose clear pixels are the ones to change.
 *
 * Here a mask may also say it in black (change) and white (keep), without transparency; that is turned into the other.
 */
import sharp from 'sharp'
import { Problem } from '../../domain/problem.ts'

const bytesMax = 4_000_000
const pixelsMax = 50_000_000

/** @throws {Problem} `bad_input_image` */
export async function writeMask(bytes: Buffer, size: { width: number | null; height: number | null }): Promise<Buffer> {
  const picture = sharp(bytes, { limitInputPixels: pixelsMax })
  const { width, height, format, hasAlpha } = await picture.metadata().catch(cause => { throw new Problem('bad_input_image', 'The mask cannot be read. Send a PNG.', { field: 'inputs', cause }) })
  if (size.width !== null && size.height !== null && (width !== size.width || height !== size.height)) {
    throw new Problem('bad_input_image', `The mask is ${width}x${height} and the first picture ${size.width}x${size.height}. Send a mask of the same size.`, { field: 'inputs', value: `${width}x${height}`, allowed: `${size.width}x${size.height}` })
  }
  const clear = hasAlpha && !(await picture.stats()).isOpaque
  const written = clear ? (format === 'png' ? bytes : await sharp(bytes).png().toBuffer()) : await fromBlack(bytes)
  if (written.length > bytesMax) throw new Problem('bad_input_image', `The mask has ${written.length} bytes; OpenAI takes at most ${bytesMax}. Send a simpler one.`, { field: 'inputs', allowed: bytesMax })
  return written
}

/** Black becomes clear, white stays, grey is half of each. */
async function fromBlack(bytes: Buffer): Promise<Buffer> {
  const { data, info: { width, height } } = await sharp(bytes).removeAlpha().greyscale().toColourspace('b-w').raw().toBuffer({ resolveWithObject: true })
  const raw = { width, height }
  return sharp({ create: { ...raw, channels: 3, background: '#000000' } }).joinChannel(data, { raw: { ...raw, channels: 1 } }).png().toBuffer()
}
