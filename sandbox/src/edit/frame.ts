/** Changes of the frame: crop, turn, mirror, and pictures cut or fitted to a size. */
import { makeCanvas, resizeCanvas } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'

/** The largest part of that ratio, from the middle; without one, the middle four fifths. */
export function crop(canvas: Canvas, ratio: number | null): Canvas {
  const { width, height } = canvas
  const wanted = ratio ?? width / height
  const share = ratio === null ? 0.8 : 1
  const w = Math.max(1, Math.round(Math.min(width, height * wanted) * share))
  const h = Math.max(1, Math.round(Math.min(height, width / wanted) * share))
  const result = makeCanvas(w, h)
  result.getContext('2d').drawImage(canvas, -Math.round((width - w) / 2), -Math.round((height - h) / 2))
  return result
}

/** By quarter turns, clockwise. */
export function rotate(canvas: Canvas, quarters: 1 | 2 | 3): Canvas {
  const { width, height } = canvas
  const isLying = quarters !== 2
  const result = makeCanvas(isLying ? height : width, isLying ? width : height)
  const context = result.getContext('2d')
  // Whole-number matrices: a turn through an angle would resample.
  if (quarters === 1) context.setTransform(0, 1, -1, 0, height, 0)
  else if (quarters === 2) context.setTransform(-1, 0, 0, -1, width, height)
  else context.setTransform(0, -1, 1, 0, 0, width)
  context.drawImage(canvas, 0, 0)
  return result
}

export function flip(canvas: Canvas, axis: 'across' | 'down'): Canvas {
  const { width, height } = canvas
  const result = makeCanvas(width, height)
  const context = result.getContext('2d')
  if (axis === 'across') context.setTransform(-1, 0, 0, 1, width, 0)
  else context.setTransform(1, 0, 0, -1, 0, height)
  context.drawImage(canvas, 0, 0)
  return result
}

/** Scaled to fill that size and cut from the middle, without distortion. */
export function cover(canvas: Canvas, width: number, height: number): Canvas {
  if (canvas.width === width && canvas.height === height) return canvas
  const scale = Math.max(width / canvas.width, height / canvas.height)
  const scaled = resizeCanvas(canvas, Math.max(width, Math.round(canvas.width * scale)), Math.max(height, Math.round(canvas.height * scale)))
  const result = makeCanvas(width, height)
  result.getContext('2d').drawImage(scaled, Math.round((width - scaled.width) / 2), Math.round((height - scaled.height) / 2))
  return result
}
