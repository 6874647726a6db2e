/** Makes a picture larger than it was by its own mirrored surroundings, ever softer: for pictures we cannot draw anew. */
import { blurCanvas, copyCanvas, makeCanvas, shadePixels } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import { smooth } from '../kernel/colour.ts'
import { layOver } from '../kernel/composite.ts'

/** The size a picture grows to for a ratio, never losing a pixel of what is there; without one, a quarter all round. */
export function grownSize(width: number, height: number, ratio: number | null): { width: number; height: number } {
  if (ratio === null) return { width: Math.round(width * 1.5), height: Math.round(height * 1.5) }
  return ratio > width / height ? { width: Math.round(height * ratio), height } : { width, height: Math.round(width / ratio) }
}

export function outpaint(canvas: Canvas, width: number, height: number): Canvas {
  const left = Math.round((width - canvas.width) / 2)
  const top = Math.round((height - canvas.height) / 2)
  const ground = mirrored(canvas, width, height, left, top)
  const placed = makeCanvas(width, height)
  placed.getContext('2d').drawImage(feathered(canvas, left > 0, top > 0), left, top)
  return layOver(ground, [placed])
}

/** Reflections at every edge, ever softer further out: continuous at the seam, and no second face in focus. */
function mirrored(canvas: Canvas, width: number, height: number, left: number, top: number): Canvas {
  const sharp = makeCanvas(width, height)
  const context = sharp.getContext('2d')
  const { width: w, height: h } = canvas
  const reach = Math.ceil(Math.max(left / w, top / h)) + 1
  for (let column = -reach; column <= reach; column++) for (let row = -reach; row <= reach; row++) {
    const isTurnedX = column % 2 !== 0
    const isTurnedY = row % 2 !== 0
    context.setTransform(isTurnedX ? -1 : 1, 0, 0, isTurnedY ? -1 : 1, left + (column + (isTurnedX ? 1 : 0)) * w, top + (row + (isTurnedY ? 1 : 0)) * h)
    context.drawImage(canvas, 0, 0)
  }
  const side = Math.max(width, height)
  const near = blurCanvas(sharp, side * 0.012)
  const far = blurCanvas(sharp, side * 0.04)
  return layOver(near, [shadePixels(far, (data) => {
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
      const outX = Math.max(left - x, x - left - w, 0)
      const outY = Math.max(top - y, y - top - h, 0)
      data[(y * width + x) * 4 + 3] = 255 * smooth(0, side * 0.12, Math.max(outX, outY))
    }
  })])
}

/** Fades out towards the edges that get new neighbours. */
function feathered(canvas: Canvas, isAcross: boolean, isDown: boolean): Canvas {
  const { width, height } = canvas
  const reach = Math.max(2, Math.min(width, height) * 0.1)
  return shadePixels(copyCanvas(canvas), (data) => {
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
      const across = isAcross ? smooth(0, reach, Math.min(x, width - 1 - x)) : 1
      const down = isDown ? smooth(0, reach, Math.min(y, height - 1 - y)) : 1
      if (across * down < 1) data[(y * width + x) * 4 + 3] = data[(y * width + x) * 4 + 3]! * across * down
    }
  })
}
