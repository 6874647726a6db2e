/**
 * Masks as OpenAI takes them: a PNG of the first picture's size whose clear pixels are the ones to change.
 *
 * Here a mask may also say it in black (change) and white (keep), without transparency; that is turned into the other.
 */
import sharp from 'sharp'
import { Problem } from '../../domain/problem.ts'
import { lookAtMask, readGrey, type Size } from './mask.ts'

const bytesMax = 4_000_000

/** @throws {Problem} `bad_input_image` */
export async function writeMask(bytes: Buffer, size: Size): Promise<Buffer> {
  const { clear, format } = await lookAtMask(bytes, size)
  const written = clear ? (format === 'png' ? bytes : await sharp(bytes).png().toBuffer()) : await fromBlack(bytes)
  if (written.length > bytesMax) throw new Problem('bad_input_image', `The mask has ${written.length} bytes; OpenAI takes at most ${bytesMax}. Send a simpler one.`, { field: 'inputs', allowed: bytesMax })
  return written
}

/** Black becomes clear, white stays, grey is half of each. */
async function fromBlack(bytes: Buffer): Promise<Buffer> {
  const { data, info: { width, height } } = await readGrey(bytes)
  const raw = { width, height }
  return sharp({ create: { ...raw, channels: 3, background: '#000000' } }).joinChannel(data, { raw: { ...raw, channels: 1 } }).png().toBuffer()
}
