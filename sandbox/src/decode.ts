/** A caller's file → canvas, upright, with the recipe where it is a picture of ours. */
import sharp from 'sharp'
import { RenderError, sideMax } from './contract.ts'
import type { InputPicture, Role } from './contract.ts'
import { fromPixels } from './kernel/canvas.ts'
import type { Canvas } from './kernel/canvas.ts'
import { isOurs, readRecipe } from './provenance.ts'
import type { Recipe } from './provenance.ts'

export interface Picture {
  canvas: Canvas
  role: Role
  recipe: Recipe | null
  /** Drawn by this renderer, whether or not it can be drawn again. */
  isOurs: boolean
}

/** We work at no more than this in all: four times the pixels would take four times as long and a gigabyte. */
export const workPixelsMax = 4096 * 4096

/** The side that a picture's longer one may keep. */
function sideWithin(width: number, height: number): number {
  const shrink = Math.min(1, Math.sqrt(workPixelsMax / (width * height)))
  return Math.max(1, Math.min(sideMax, Math.floor(Math.max(width, height) * shrink)))
}

export async function decodePicture({ bytes, role }: InputPicture): Promise<Picture> {
  try {
    const source = sharp(bytes, { limitInputPixels: 16_384 * 16_384, failOn: 'error' })
    const { xmp, width, height } = await source.metadata()
    const side = sideWithin(width, height)
    const { data, info } = await source.autoOrient()
      .resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
      .toColourspace('srgb').ensureAlpha().raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
    const text = xmp?.toString('utf8')
    return {
      canvas: fromPixels(new Uint8ClampedArray(data.buffer, data.byteOffset, data.byteLength), info.width, info.height),
      role,
      recipe: readRecipe(text),
      isOurs: isOurs(text),
    }
  } catch (cause) {
    throw new RenderError('One of the pictures could not be read as PNG, JPEG or WebP.', { cause })
  }
}
