/**
 * Masks as callers send them: clear pixels are to be changed; where nothing is clear, black ones are, and white stays.
 */
import sharp from 'sharp'
import { Problem } from '../../domain/problem.ts'

const pixelsMax = 50_000_000

export interface Size { width: number | null; height: number | null }

/** How a mask says it: by transparency, or in black and white. @throws {Problem} `bad_input_image` when it is none, or of another size than its picture */
export async function lookAtMask(bytes: Buffer, size: Size): Promise<{ clear: boolean; format: string | undefined }> {
  const picture = sharp(bytes, { limitInputPixels: pixelsMax })
  const { width, height, format, hasAlpha } = await picture.metadata().catch(cause => { throw new Problem('bad_input_image', 'The mask cannot be read. Send a PNG.', { field: 'inputs', cause }) })
  if (size.width !== null && size.height !== null && (width !== size.width || height !== size.height)) {
    throw new Problem('bad_input_image', `The mask is ${width}x${height} and the first picture ${size.width}x${size.height}. Send a mask of the same size.`, { field: 'inputs', value: `${width}x${height}`, allowed: `${size.width}x${size.height}` })
  }
  return { clear: hasAlpha && !(await picture.stats()).isOpaque, format }
}

/** One byte a pixel of what a black and white mask says, as it says it. */
export const readGrey = (bytes: Buffer) => sharp(bytes).removeAlpha().greyscale().toColourspace('b-w').raw().toBuffer({ resolveWithObject: true })

/** The mask as local models take it: a black and white PNG, white where the picture is painted anew. @throws {Problem} `bad_input_image` */
export async function writeWhiteMask(bytes: Buffer, size: Size): Promise<Buffer> {
  const { clear } = await lookAtMask(bytes, size)
  const { data, info: { width, height } } = clear ? await sharp(bytes).ensureAlpha().extractChannel('alpha').raw().toBuffer({ resolveWithObject: true }) : await readGrey(bytes)
  return sharp(data, { raw: { width, height, channels: 1 } }).negate().toColourspace('b-w').png().toBuffer()
}
