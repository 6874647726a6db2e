/**
 * Laying one canvas over another, and light over both, in whole numbers.
 *
 * Skia's own blending of half-transparent layers, its `screen` mode and its radial gradients differ in the last bits
 * between CPUs; these do not.
 */
import type { Canvas } from './canvas.ts'
import { readPixels, shadePixels } from './canvas.ts'
import type { Rgb } from './colour.ts'
import { clamp, smooth } from './colour.ts'
import { exp } from './math.ts'

/** x / 255, rounded, without dividing. */
const by255 = (x: number): number => { const t = x + 128; return (t + (t >> 8)) >> 8 }

/** Rows blended at a time: of a large picture's layers only this much is ever read out at once. */
const stripRows = 256

/** Lays `layers` (each the size of `target`) over `target`, the first one lowest. */
export function layOver(target: Canvas, layers: readonly Canvas[]): Canvas {
  if (layers.length === 0) return target
  const { width, height } = target
  for (const layer of layers) if (layer.width !== width || layer.height !== height) throw new Error('a layer must be as large as its target')
  const context = target.getContext('2d')
  for (let top = 0; top < height; top += stripRows) {
    const rows = Math.min(stripRows, height - top)
    const strip = context.getImageData(0, top, width, rows)
    for (const layer of layers) blend(strip.data, layer.getContext('2d').getImageData(0, top, width, rows).data)
    context.putImageData(strip, 0, top)
  }
  return target
}

function blend(data: Uint8ClampedArray, over: Uint8ClampedArray): void {
  for (let i = 0; i < data.length; i += 4) {
    const alpha = over[i + 3]!
    if (alpha === 0) continue
    const below = data[i + 3]!
    if (alpha === 255 || below === 0) {
      data[i] = over[i]!
      data[i + 1] = over[i + 1]!
      data[i + 2] = over[i + 2]!
      data[i + 3] = alpha
    } else if (below === 255) {
      const rest = 255 - alpha
      data[i] = by255(over[i]! * alpha + data[i]! * rest)
      data[i + 1] = by255(over[i + 1]! * alpha + data[i + 1]! * rest)
      data[i + 2] = by255(over[i + 2]! * alpha + data[i + 2]! * rest)
    } else {
      const kept = by255(below * (255 - alpha))
      const sum = alpha + kept
      for (let c = 0; c < 3; c++) data[i + c] = ((over[i + c]! * alpha + data[i + c]! * kept + (sum >> 1)) / sum) | 0
      data[i + 3] = sum
    }
  }
}

/** Adds `light` (the size of `target`) as light adds up: never darker, never beyond white. */
export function screenOver(target: Canvas, light: Canvas): Canvas {
  const over = readPixels(light)
  return shadePixels(target, (data) => {
    for (let i = 0; i < data.length; i += 4) {
      const alpha = over[i + 3]!
      if (alpha === 0) continue
      for (let c = 0; c < 3; c++) data[i + c] = 255 - by255((255 - data[i + c]!) * (255 - by255(over[i + c]! * alpha)))
    }
  })
}

/** A soft light around a point (fractions of the picture): sun through haze, a lamp, a window. */
export function glow(target: Canvas, at: { u: number; v: number }, colour: Rgb, strength: number, reach = 0.75): Canvas {
  return shadePixels(target, (data, width, height) => {
    const radius = Math.max(width, height) * reach
    const cx = at.u * width
    const cy = at.v * height
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const dx = x - cx
        const dy = y - cy
        const t = Math.sqrt(dx * dx + dy * dy) / radius
        if (t >= 1) continue
        const fall = t < 0.4 ? 1 - 1.8 * t : (0.28 * (1 - t)) / 0.6
        const k = Math.round(strength * fall * 256)
        const i = (y * width + x) * 4
        for (let c = 0; c < 3; c++) data[i + c] = 255 - (((255 - data[i + c]!) * (65536 - Math.round(colour[c]!) * k)) >> 16)
      }
    }
  })
}

/** A small round light with a bright heart, added where it stands (pixels): stars, lamps, bokeh. */
export function spark(data: Uint8ClampedArray, width: number, height: number, cx: number, cy: number, radius: number, colour: Rgb, strength: number): void {
  const left = Math.max(0, Math.floor(cx - radius))
  const right = Math.min(width - 1, Math.ceil(cx + radius))
  const top = Math.max(0, Math.floor(cy - radius))
  const bottom = Math.min(height - 1, Math.ceil(cy + radius))
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const dx = (x - cx) / radius
      const dy = (y - cy) / radius
      const d = dx * dx + dy * dy
      if (d >= 1) continue
      const k = strength * exp(-d * 6) * smooth(1, 0.5, d)
      const i = (y * width + x) * 4
      for (let c = 0; c < 3; c++) data[i + c] = data[i + c]! + (255 - data[i + c]!) * clamp((k * colour[c]!) / 255)
    }
  }
}

/** A disc with a soft rim, painted over (pixels): sun, moon. */
export function disc(target: Canvas, cx: number, cy: number, radius: number, heart: Rgb, rim: Rgb, softness = 0.25): Canvas {
  return shadePixels(target, (data, width, height) => {
    const outer = radius * (1 + softness)
    for (let y = Math.max(0, Math.floor(cy - outer)); y <= Math.min(height - 1, cy + outer); y++) {
      for (let x = Math.max(0, Math.floor(cx - outer)); x <= Math.min(width - 1, cx + outer); x++) {
        const dx = x + 0.5 - cx
        const dy = y + 0.5 - cy
        const d = Math.sqrt(dx * dx + dy * dy) / radius
        const alpha = smooth(1 + softness, 1 - softness * 0.4, d)
        if (alpha <= 0) continue
        const i = (y * width + x) * 4
        for (let c = 0; c < 3; c++) {
          const colour = heart[c]! + (rim[c]! - heart[c]!) * clamp(d)
          data[i + c] = data[i + c]! + (colour - data[i + c]!) * alpha
        }
      }
    }
  })
}
