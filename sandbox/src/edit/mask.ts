/** Masks: what a caller marked, and pictures joined along one. */
import { copyCanvas, makeCanvas, readPixels, resizeCanvas, shadePixels } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import { brightnessAt } from '../styles/pixels.ts'

/** Left, top, width, height in pixels. */
export interface Bounds { x: number; y: number; width: number; height: number }

/** A canvas whose alpha says how much each pixel may change: from a mask where black, or clear, means "change". */
export function readMask(mask: Canvas, width: number, height: number): Canvas {
  const fitted = mask.width === width && mask.height === height ? copyCanvas(mask) : resizeCanvas(mask, width, height)
  const pixels = readPixels(fitted)
  let isClear = false
  for (let i = 3; i < pixels.length && !isClear; i += 4) isClear = pixels[i]! < 250
  return shadePixels(fitted, (data) => {
    for (let i = 0; i < data.length; i += 4) {
      data[i + 3] = 255 - (isClear ? data[i + 3]! : brightnessAt(data, i))
      data[i] = data[i + 1] = data[i + 2] = 0
    }
  })
}

/** `changed` where the mask's alpha is, `original` elsewhere, byte for byte. */
export function joinByMask(original: Canvas, changed: Canvas, mask: Canvas): Canvas {
  const over = readPixels(changed)
  const share = readPixels(mask)
  return shadePixels(copyCanvas(original), (data) => {
    for (let i = 0; i < data.length; i += 4) {
      const k = share[i + 3]!
      if (k === 0) continue
      for (let channel = 0; channel < 4; channel++) data[i + channel] = (data[i + channel]! * (255 - k) + over[i + channel]! * k) / 255
    }
  })
}

/** The picture where the mask is, nothing elsewhere. */
export function cutOut(canvas: Canvas, mask: Canvas): Canvas {
  const share = readPixels(mask)
  return shadePixels(copyCanvas(canvas), (data) => {
    for (let i = 3; i < data.length; i += 4) data[i] = (data[i]! * share[i]!) / 255
  })
}

/** Takes the old ground's colour out of half-covered edge pixels, which would glow on another ground. */
export function withoutFringe(cut: Canvas): Canvas {
  const { width, height } = cut
  const source = readPixels(cut)
  return shadePixels(cut, (data) => {
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
      const i = (y * width + x) * 4
      if (source[i + 3]! < 4 || source[i + 3]! > 250) continue
      // The most solid neighbour within three pixels knows what colour the thing is here.
      let best = i
      for (let dy = -3; dy <= 3; dy++) for (let dx = -3; dx <= 3; dx++) {
        if (x + dx < 0 || y + dy < 0 || x + dx >= width || y + dy >= height) continue
        const j = i + (dy * width + dx) * 4
        if (source[j + 3]! > source[best + 3]!) best = j
      }
      for (let channel = 0; channel < 3; channel++) data[i + channel] = (source[i + channel]! + 2 * source[best + channel]!) / 3
    }
  })
}

/** Where alpha is solid enough to see; null when nowhere. */
export function boundsOf(canvas: Canvas, threshold = 60): Bounds | null {
  const { width, height } = canvas
  const data = readPixels(canvas)
  let left = width
  let top = height
  let right = -1
  let bottom = -1
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) if (data[(y * width + x) * 4 + 3]! > threshold) {
    left = Math.min(left, x)
    right = Math.max(right, x)
    top = Math.min(top, y)
    bottom = Math.max(bottom, y)
  }
  return right < 0 ? null : { x: left, y: top, width: right - left + 1, height: bottom - top + 1 }
}

/**
 * Fills the masked part from what surrounds it: shrunk copies with a hole, coarsest first, each laid over the last.
 *
 * No detail is invented; it reads as an out-of-focus patch of the surroundings.
 */
export function fillFromAround(canvas: Canvas, mask: Canvas): Canvas {
  const { width, height } = canvas
  const hole = cutAway(canvas, mask)
  const result = makeCanvas(width, height)
  const context = result.getContext('2d')
  for (let factor = 256; factor >= 2; factor /= 2) {
    const w = Math.round(width / factor)
    const h = Math.round(height / factor)
    if (w < 1 || h < 1) continue
    context.drawImage(resizeCanvas(solid(resizeCanvas(hole, w, h)), width, height), 0, 0)
  }
  context.drawImage(hole, 0, 0)
  return result
}

function cutAway(canvas: Canvas, mask: Canvas): Canvas {
  const share = readPixels(mask)
  return shadePixels(copyCanvas(canvas), (data) => {
    for (let i = 3; i < data.length; i += 4) data[i] = (data[i]! * (255 - share[i]!)) / 255
  })
}

/** A cell that saw anything at all is taken whole, so no hole shows through as darkness. */
const solid = (canvas: Canvas) => shadePixels(canvas, (data) => {
  for (let i = 3; i < data.length; i += 4) data[i] = Math.min(255, data[i]! * 3)
})
