/** The last touch of a photograph: light that blooms, corners that fall off, a film's contrast and grain. */
import { blurCanvas, resizeCanvas, shadePixels } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import { smooth } from '../kernel/colour.ts'
import { screenOver } from '../kernel/composite.ts'

export interface Finish {
  seed: number
  /** 0 to 1: how far bright light spreads. */
  bloom?: number
  /** Amplitude in 8-bit levels. */
  grain?: number
  /** 0 to 1: how dark the corners get. */
  vignette?: number
  /** 0 to 1: how much of the S-curve. */
  contrast?: number
}

/** Finishes in place and gives the same canvas back; alpha stays. */
export function finishPhoto(canvas: Canvas, { seed, bloom = 0.28, grain = 3.2, vignette = 0.16, contrast = 0.22 }: Finish): Canvas {
  if (bloom > 0) screenOver(canvas, lightOf(canvas, bloom))
  const offset = seed % 9973
  return shadePixels(canvas, (data, width, height) => {
    // Grain is as coarse as on a 1024 px picture, so that a larger one, seen whole, looks the same.
    const grainStep = 1 / Math.max(1, Math.min(width, height) / 1024)
    for (let y = 0, i = 0; y < height; y++) {
      const v = y / height - 0.5
      const row = Math.imul(((y * grainStep) | 0) + offset, 668265263)
      for (let x = 0; x < width; x++, i += 4) {
        const u = x / width - 0.5
        const corner = (u * u + v * v) * 2
        const shade = 1 - vignette * corner * corner * 2.2
        let hash = Math.imul(((x * grainStep) | 0) + offset, 374761393) ^ row
        hash = Math.imul(hash ^ (hash >>> 13), 1274126177)
        const speck = (((hash ^ (hash >>> 16)) >>> 0) / 4294967296 - 0.5) * grain * 2
        for (let channel = 0; channel < 3; channel++) {
          const t = (data[i + channel]! / 255) * shade
          data[i + channel] = (t + (t * t * (3 - 2 * t) - t) * contrast) * 255 + speck
        }
      }
    }
  })
}

/** What is brighter than paper, blurred: computed at a quarter, since nobody sees detail in it. */
function lightOf(canvas: Canvas, strength: number): Canvas {
  const { width, height } = canvas
  const side = Math.max(1, Math.min(width, height))
  const small = shadePixels(resizeCanvas(canvas, width / 4, height / 4), (data) => {
    for (let i = 0; i < data.length; i += 4) {
      const luminance = 0.2126 * data[i]! + 0.7152 * data[i + 1]! + 0.0722 * data[i + 2]!
      const bright = smooth(205, 255, luminance) * strength * (data[i + 3]! / 255)
      for (let channel = 0; channel < 3; channel++) data[i + channel] = data[i + channel]! * bright
      data[i + 3] = 255
    }
  })
  return resizeCanvas(blurCanvas(small, side * 0.25 * 0.02), width, height)
}
