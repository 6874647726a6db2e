/**
 * A text by itself, on nothing: pixels to lay over a picture, cut to the ink.
 *
 * The faces are those the renderer draws with and none of the machine's, so the same text is the same pixels everywhere.
 */
import { makeCanvas, readPixels, release } from '../kernel/canvas.ts'
import { drawText } from './draw.ts'
import type { TextOptions } from './draw.ts'

/** RGBA, not premultiplied, row by row; `left` and `top` are where the ink begins in its box, so that lines of different letters stand level. */
export interface Plate { pixels: Buffer; width: number; height: number; left: number; top: number }

export interface PlateOptions extends Pick<TextOptions, 'face' | 'fill' | 'align' | 'maxLines' | 'maxSize' | 'stroke' | 'shadow'> {
  /** The box the text has to fit, in pixels. */
  width: number
  height: number
}

/** Sets a text as large as it fits, or as `maxSize` says. Nothing but blanks is a plate of one clear pixel. */
export function setPlate(text: string, { width, height, ...options }: PlateOptions): Plate {
  // Shadows, outlines and slanted letters reach over the box.
  const rim = Math.ceil(Math.min(height, options.maxSize ?? height) * 0.25) + 2
  const canvas = makeCanvas(width + 2 * rim, height + 2 * rim)
  drawText(canvas.getContext('2d'), text, { ...options, x: rim, y: rim, width, height })
  const plate = cutToInk(Buffer.from(readPixels(canvas).buffer), canvas.width, canvas.height, rim)
  release(canvas)
  return plate
}

function cutToInk(pixels: Buffer, width: number, height: number, rim: number): Plate {
  let [left, top, right, bottom] = [width, height, -1, -1]
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (pixels[(y * width + x) * 4 + 3] === 0) continue
      left = Math.min(left, x)
      right = Math.max(right, x)
      top = Math.min(top, y)
      bottom = y
    }
  }
  if (right < 0) return { pixels: Buffer.alloc(4), width: 1, height: 1, left: 0, top: 0 }
  const cut = { width: right - left + 1, height: bottom - top + 1 }
  const rows = Array.from({ length: cut.height }, (_, row) => pixels.subarray(((top + row) * width + left) * 4, ((top + row) * width + right + 1) * 4))
  return { pixels: Buffer.concat(rows), ...cut, left: left - rim, top: top - rim }
}
