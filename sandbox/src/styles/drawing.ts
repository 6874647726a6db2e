/** Pencil, ink line and cel cartoon. */
import { copyCanvas, fromPixels, shadePixels } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import { clamp, hsl, lerp, rgbToHsl, smooth } from '../kernel/colour.ts'
import { fbm, noise2 } from '../kernel/noise.ts'
import { brightnessAt, brightnessOf, softened } from './pixels.ts'
import { paintStrokes } from './strokes.ts'

/** Graphite on tooth paper: dodged outlines, and three directions of hatching as it gets darker. */
export function pencil(canvas: Canvas): Canvas {
  const { width, height } = canvas
  const side = Math.max(width, height)
  const brightness = brightnessOf(canvas)
  const negative = shadePixels(copyCanvas(canvas), (data) => {
    for (let i = 0; i < data.length; i += 4) data[i] = data[i + 1] = data[i + 2] = 255 - brightnessAt(data, i)
  })
  const spread = brightnessOf(softened(negative, side * 0.005))
  const tone = brightnessOf(softened(canvas, side * 0.003))
  const grid = 1024 / side
  const data = new Uint8ClampedArray(width * height * 4)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x
      const outline = clamp(brightness[i]! / (256 - spread[i]!), 0, 1)
      const gx = x * grid
      const gy = y * grid
      const dark = 1 - tone[i]! / 255
      let hatch = 0
      if (dark > 0.28) hatch += smooth(0.35, 0.8, noise2((gx + gy) * 0.42, (gx - gy) * 0.022, 3)) * smooth(0.28, 0.6, dark) * 0.34
      if (dark > 0.5) hatch += smooth(0.35, 0.8, noise2((gx - gy) * 0.42, (gx + gy) * 0.022, 5)) * smooth(0.5, 0.8, dark) * 0.34
      if (dark > 0.68) hatch += smooth(0.35, 0.8, noise2(gx * 0.4, gy * 0.02, 8)) * smooth(0.68, 0.95, dark) * 0.34
      const tooth = (fbm(gx * 0.5, gy * 0.5, 11, 3) - 0.5) * 26
      const value = 248 * clamp(outline * Math.sqrt(outline) * (1 - hatch) - dark * 0.12) + tooth
      data[i * 4] = value
      data[i * 4 + 1] = value * 0.995
      data[i * 4 + 2] = value * 0.98
      data[i * 4 + 3] = 255
    }
  }
  return fromPixels(data, width, height)
}

/** A colouring page: outlines only, on white. */
export function lineart(canvas: Canvas): Canvas {
  const side = Math.max(canvas.width, canvas.height)
  const brightness = brightnessOf(softened(canvas, side * 0.0024))
  const reach = Math.max(1, Math.round(side / 1024))
  return shadePixels(copyCanvas(canvas), (data, width, height) => {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const i = (y * width + x) * 4
        const value = 255 - smooth(7, 17, slopeAt(brightness, width, height, x, y, reach)) * 240
        data[i] = data[i + 1] = data[i + 2] = value
        data[i + 3] = 255
      }
    }
  })
}

/** Flat, saturated areas in seven steps of light, with dark outlines. */
export function cartoon(canvas: Canvas, seed: number): Canvas {
  const side = Math.max(canvas.width, canvas.height)
  const flat = softened(paintStrokes(canvas, { seed, widths: [0.014, 0.007, 0.004], opacity: 1, jitter: 2, length: 1.2, density: 1.2 }), side * 0.0008)
  const brightness = brightnessOf(softened(canvas, side * 0.0011))
  const reach = Math.max(1, Math.round(side / 560))
  return shadePixels(flat, (data, width, height) => {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const i = (y * width + x) * 4
        const [hue, saturation, lightness] = rgbToHsl([data[i]!, data[i + 1]!, data[i + 2]!])
        const colour = hsl(hue, clamp(saturation * 1.25), lerp(lightness, Math.round(lightness * 7) / 7, 0.7))
        const ink = 1 - smooth(26, 64, slopeAt(brightness, width, height, x, y, reach)) * 0.85
        for (let channel = 0; channel < 3; channel++) data[i + channel] = colour[channel]! * ink
      }
    }
  })
}

function slopeAt(brightness: Float32Array, width: number, height: number, x: number, y: number, reach: number): number {
  const left = Math.max(0, x - reach)
  const right = Math.min(width - 1, x + reach)
  const above = Math.max(0, y - reach)
  const below = Math.min(height - 1, y + reach)
  const dx = brightness[y * width + right]! - brightness[y * width + left]!
  const dy = brightness[below * width + x]! - brightness[above * width + x]!
  return Math.sqrt(dx * dx + dy * dy)
}
