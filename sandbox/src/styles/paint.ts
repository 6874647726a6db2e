/** Oil and watercolour. */
import { fromPixels, readPixels, shadePixels } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import { clamp, lerp, smooth } from '../kernel/colour.ts'
import { fbm, noise2 } from '../kernel/noise.ts'
import { brightnessAt, brightnessOf, softened } from './pixels.ts'
import { paintStrokes } from './strokes.ts'

/** Thick strokes, lit from the upper left as if they stood off the canvas. */
export function oil(canvas: Canvas, seed: number): Canvas {
  const painted = paintStrokes(canvas, { seed, length: 1.3, opacity: 0.97, jitter: 18, density: 1.15 })
  const relief = brightnessOf(softened(painted, 1))
  return shadePixels(painted, (data, width, height) => {
    for (let y = 1; y < height - 1; y++) {
      for (let x = 1; x < width - 1; x++) {
        const i = y * width + x
        const edge = clamp((relief[i - width - 1]! - relief[i + width + 1]!) * -0.45, -34, 34)
        // Linen shows faintly where the paint is thin.
        const weave = ((x & 3) === 0 ? -2 : 1) + ((y & 3) === 0 ? -2 : 1)
        for (let channel = 0; channel < 3; channel++) data[i * 4 + channel] = data[i * 4 + channel]! + edge + weave
      }
    }
  })
}

const paper = [250, 247, 239] as const

/** Transparent washes on rough paper: wavering edges, darker rims where pigment gathered, a white border. */
export function watercolor(canvas: Canvas, seed: number): Canvas {
  const { width, height } = canvas
  const side = Math.max(width, height)
  const washes = softened(paintStrokes(canvas, { seed, widths: [0.022, 0.011, 0.006], opacity: 0.55, jitter: 10, paper: '#faf7ef', density: 1.35 }), side * 0.0018)
  const brightness = brightnessOf(washes)
  const source = readPixels(washes)
  const data = new Uint8ClampedArray(width * height * 4)
  const grid = 1024 / side
  const drift = seed % 97
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const gx = x * grid
      const gy = y * grid
      const waverX = (noise2(gx * 0.035, gy * 0.035, 3) - 0.5) * (12 / grid)
      const waverY = (noise2(gx * 0.035, gy * 0.035, 9) - 0.5) * (12 / grid)
      const j = clamp((y + waverY) | 0, 2, height - 3) * width + clamp((x + waverX) | 0, 2, width - 3)
      const rim = Math.abs(brightness[j - 2]! - brightness[j + 2]!) + Math.abs(brightness[j - 2 * width]! - brightness[j + 2 * width]!)
      const tooth = fbm(gx * 0.35, gy * 0.35, 5, 3) - 0.5
      const pool = fbm(gx * 0.012, gy * 0.012, 7 + drift, 4) - 0.5
      const painted = border(x / width, pool) * border(y / height, pool)
      const grey = brightnessAt(source, j * 4)
      const i = (y * width + x) * 4
      for (let channel = 0; channel < 3; channel++) {
        let value = lerp(grey, source[j * 4 + channel]!, 1.24)
        value = 255 - (255 - value) * 0.84
        value += -Math.min(46, rim * 0.55) + pool * 34 + tooth * 22
        data[i + channel] = lerp(paper[channel]! + tooth * 14, value, painted)
      }
      data[i + 3] = 255
    }
  }
  return fromPixels(data, width, height)
}

const border = (part: number, pool: number) => smooth(0.5, 0.455, Math.abs(part - 0.5) + pool * 0.05)
