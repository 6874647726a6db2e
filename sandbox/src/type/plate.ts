/**
 * A text by itself, on nothing: pixels to lay over a picture, cut to the ink.
 *
 * The faces are those the renderer draws with and none of the machine's, so the same text is the same pixels everywhere.
 */
import { makeCanvas, readPixels, release } from '../kernel/canvas.ts'
import { drawText } from './draw.ts'
import type { TextOptions } from './draw.ts'

/** RGBA, not premultiplied, row by row; `left` and `top` are where the ink begins in its box, so that lines of different letters stand level. */
export interface Plate { pixels: Buffer; width: number; height: number; left: number; top: number; /** Of the letters, as they were set. */ size: number }

export interface PlateOptions extends Pick<TextOptions, 'face' | 'fill' | 'align' | 'maxLines' | 'maxSize' | 'stroke' | 'shadow'> {
  /** The box the text has to fit, in pixels. */
  width: number
  height: number
}

/** Nothing is set larger, whatever room there is: a letter of this height has four million pixels. */
const sizeMax = 2_000
/** How far ink reaches over the lines it stands on, in sizes: shadows, outlines, slanted and stacked letters. */
const reach = 0.5

/** Sets a text as large as it fits, or as `maxSize` says. Nothing but blanks is a plate of one clear pixel. */
export function setPlate(text: string, { width, height, maxSize = height, ...options }: PlateOptions): Plate {
  const set = { ...options, maxSize: Math.min(maxSize, sizeMax), width, height }
  const probe = makeCanvas(1, 1)
  const { x, y, width: wide, height: high, size } = drawText(probe.getContext('2d'), text, { ...set, x: 0, y: 0 })
  release(probe)
  // The canvas is as large as the words and not as the room they could have filled: what is cut away was drawn, read and looked at.
  const rim = Math.ceil(size * reach) + 2
  const [left, top] = [Math.floor(x) - rim, Math.floor(y) - rim]
  const canvas = makeCanvas(Math.ceil(x + wide) + rim - left, Math.ceil(y + high) + rim - top)
  drawText(canvas.getContext('2d'), text, { ...set, x: -left, y: -top })
  const plate = { ...cutToInk(Buffer.from(readPixels(canvas).buffer), canvas.width, canvas.height, { left, top }), size }
  release(canvas)
  return plate
}

/** `from`: where the corner of the canvas is in the box. */
function cutToInk(pixels: Buffer, width: number, height: number, from: { left: number; top: number }): Omit<Plate, 'size'> {
  const isInk = (x: number, y: number) => pixels[(y * width + x) * 4 + 3] !== 0
  const inRow = (y: number) => { for (let x = 0; x < width; x++) if (isInk(x, y)) return true; return false }
  let [top, bottom] = [0, height - 1]
  while (top < height && !inRow(top)) top++
  if (top === height) return { pixels: Buffer.alloc(4), width: 1, height: 1, left: 0, top: 0 }
  while (!inRow(bottom)) bottom--
  const inColumn = (x: number) => { for (let y = top; y <= bottom; y++) if (isInk(x, y)) return true; return false }
  let [left, right] = [0, width - 1]
  while (!inColumn(left)) left++
  while (!inColumn(right)) right--
  const cut = { width: right - left + 1, height: bottom - top + 1 }
  const rows = Array.from({ length: cut.height }, (_, row) => pixels.subarray(((top + row) * width + left) * 4, ((top + row) * width + right + 1) * 4))
  return { pixels: Buffer.concat(rows), ...cut, left: left + from.left, top: top + from.top }
}
