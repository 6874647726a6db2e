/** What every filter reads from a picture: how bright its pixels are. */
import { blurCanvas, copyCanvas, readPixels } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'

/** Brightness as film sees it, 0 to 255. */
export const brightnessAt = (data: Uint8ClampedArray, i: number): number => 0.299 * data[i]! + 0.587 * data[i + 1]! + 0.114 * data[i + 2]!

export function brightnessOf(canvas: Canvas): Float32Array {
  const data = readPixels(canvas)
  const brightness = new Float32Array(data.length / 4)
  for (let i = 0; i < brightness.length; i++) brightness[i] = brightnessAt(data, i * 4)
  return brightness
}

/** A blurred picture that is never the picture itself, however small the radius. */
export function softened(canvas: Canvas, radius: number): Canvas {
  const result = blurCanvas(canvas, radius)
  return result === canvas ? copyCanvas(canvas) : result
}
