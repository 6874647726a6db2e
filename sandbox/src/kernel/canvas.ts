/**
 * The one door to the 2D canvas, and the few things we do to whole canvases.
 *
 * The system's fonts must never be seen: they differ between machines. The switch has to be set before the native
 * module loads, and ES imports are hoisted, so the module is required here, after it. Scaling up is ours, because
 * Skia's differs with the CPU; scaling down and Gaussian blur are Skia's, which do not.
 */
import { createRequire } from 'node:module'
import type { Canvas, SKRSContext2D } from '@napi-rs/canvas'
import { clamp } from './colour.ts'
import type { Rgb } from './colour.ts'

process.env.DISABLE_SYSTEM_FONTS_LOAD = '1'
const native = createRequire(import.meta.url)('@napi-rs/canvas') as typeof import('@napi-rs/canvas')

export const { createCanvas, loadImage, GlobalFonts } = native
export type { Canvas, SKRSContext2D } from '@napi-rs/canvas'

/** A canvas of whole pixels, at least one each way. */
export function makeCanvas(width: number, height: number): Canvas {
  return createCanvas(Math.max(1, Math.round(width)), Math.max(1, Math.round(height)))
}

/** Runs over the raw RGBA bytes of a canvas, in place. */
export function shadePixels(canvas: Canvas, shade: (data: Uint8ClampedArray, width: number, height: number) => void): Canvas {
  const context = canvas.getContext('2d')
  const image = context.getImageData(0, 0, canvas.width, canvas.height)
  shade(image.data, canvas.width, canvas.height)
  context.putImageData(image, 0, 0)
  return canvas
}

/** The raw RGBA bytes of a canvas, to read. */
export function readPixels(canvas: Canvas): Uint8ClampedArray {
  return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data
}

/** A canvas from raw RGBA bytes. */
export function fromPixels(data: Uint8ClampedArray, width: number, height: number): Canvas {
  const canvas = makeCanvas(width, height)
  const context = canvas.getContext('2d')
  const image = context.createImageData(width, height)
  image.data.set(data)
  context.putImageData(image, 0, 0)
  return canvas
}

/**
 * Computes every pixel from its place (0 to 1 each way), at no more than `sideMax` pixels a side, then scales up.
 *
 * What is smooth by nature (sky, water, light) does not gain from more.
 */
export function paintPixels(width: number, height: number, sideMax: number, colourAt: (u: number, v: number) => Rgb): Canvas {
  // A panorama gets the pixels of a 2:1 picture, or its short side would be too coarse to enlarge.
  const shrink = Math.min(1, Math.max(sideMax / Math.max(width, height), Math.sqrt((sideMax * sideMax) / 2 / (width * height))))
  const w = Math.max(1, Math.round(width * shrink))
  const h = Math.max(1, Math.round(height * shrink))
  const data = new Uint8ClampedArray(w * h * 4)
  for (let y = 0, i = 0; y < h; y++) {
    for (let x = 0; x < w; x++, i += 4) {
      const colour = colourAt((x + 0.5) / w, (y + 0.5) / h)
      data[i] = colour[0]
      data[i + 1] = colour[1]
      data[i + 2] = colour[2]
      data[i + 3] = 255
    }
  }
  const small = fromPixels(data, w, h)
  const result = resizeCanvas(small, width, height)
  if (result !== small) release(small)
  return result
}

/** Where each output pixel takes its four neighbours from, and how much of each (Catmull-Rom, 12-bit). */
function taps(from: number, to: number): { at: Int32Array; weight: Int32Array } {
  const at = new Int32Array(to * 4)
  const weight = new Int32Array(to * 4)
  for (let i = 0; i < to; i++) {
    const centre = ((i + 0.5) * from) / to - 0.5
    const first = Math.floor(centre)
    const t = centre - first
    const w = [
      ((-0.5 * t + 1) * t - 0.5) * t,
      (1.5 * t - 2.5) * t * t + 1,
      ((-1.5 * t + 2) * t + 0.5) * t,
      (0.5 * t - 0.5) * t * t,
    ]
    let sum = 0
    for (let k = 0; k < 4; k++) {
      at[i * 4 + k] = clamp(first - 1 + k, 0, from - 1)
      weight[i * 4 + k] = Math.round(w[k]! * 4096)
      sum += weight[i * 4 + k]!
    }
    weight[i * 4 + 1]! += 4096 - sum
  }
  return { at, weight }
}

/** Rows scaled up at a time: keeps a 4096 px picture's scratch memory near 10 MB. */
const stripRows = 256

function enlarge(canvas: Canvas, width: number, height: number): Canvas {
  const { width: w, height: h } = canvas
  const source = readPixels(canvas)
  let opaque = true
  for (let i = 3; i < source.length; i += 4) if (source[i] !== 255) { opaque = false; break }
  // Colour is weighed by alpha, or a cut-out would get a dark rim.
  const planes = new Int16Array(source.length)
  for (let i = 0; i < source.length; i += 4) {
    const alpha = source[i + 3]!
    for (let c = 0; c < 3; c++) planes[i + c] = opaque ? source[i + c]! * 16 : Math.round((source[i + c]! * alpha * 16) / 255)
    planes[i + 3] = alpha * 16
  }
  const across = taps(w, width)
  const down = taps(h, height)
  const result = makeCanvas(width, height)
  const context = result.getContext('2d')
  const rows = new Map<number, Int16Array>()
  const widened = (row: number): Int16Array => {
    const known = rows.get(row)
    if (known) return known
    // Lines are used again: one for each of thousands of rows would be garbage faster than it is collected.
    let line: Int16Array | undefined
    if (rows.size > 7) {
      const oldest = Math.min(...rows.keys())
      line = rows.get(oldest)
      rows.delete(oldest)
    }
    line ??= new Int16Array(width * 4)
    const start = row * w * 4
    for (let x = 0; x < width; x++) {
      const k = x * 4
      const a = start + across.at[k]! * 4
      const b = start + across.at[k + 1]! * 4
      const c = start + across.at[k + 2]! * 4
      const d = start + across.at[k + 3]! * 4
      const p = across.weight[k]!
      const q = across.weight[k + 1]!
      const r = across.weight[k + 2]!
      const s = across.weight[k + 3]!
      for (let n = 0; n < 4; n++) {
        line[k + n] = (planes[a + n]! * p + planes[b + n]! * q + planes[c + n]! * r + planes[d + n]! * s + 2048) >> 12
      }
    }
    rows.set(row, line)
    return line
  }
  const strip = context.createImageData(width, Math.min(stripRows, height))
  for (let top = 0; top < height; top += stripRows) {
    const count = Math.min(stripRows, height - top)
    const image = count === strip.height ? strip : context.createImageData(width, count)
    const { data } = image
    if (!opaque) data.fill(0)
    for (let y = 0; y < count; y++) {
      const k = (top + y) * 4
      const a = widened(down.at[k]!)
      const b = widened(down.at[k + 1]!)
      const c = widened(down.at[k + 2]!)
      const d = widened(down.at[k + 3]!)
      const p = down.weight[k]!
      const q = down.weight[k + 1]!
      const r = down.weight[k + 2]!
      const s = down.weight[k + 3]!
      const start = y * width * 4
      for (let i = 0; i < width * 4; i += 4) {
        const alpha = opaque ? 4080 : (a[i + 3]! * p + b[i + 3]! * q + c[i + 3]! * r + d[i + 3]! * s + 2048) >> 12
        if (alpha <= 8) continue
        for (let n = 0; n < 3; n++) {
          const value = (a[i + n]! * p + b[i + n]! * q + c[i + n]! * r + d[i + n]! * s + 2048) >> 12
          data[start + i + n] = opaque ? (value + 8) >> 4 : (value * 255) / alpha
        }
        data[start + i + 3] = (alpha + 8) >> 4
      }
    }
    context.putImageData(image, 0, top)
  }
  return result
}

/** The same picture at another size. */
export function resizeCanvas(canvas: Canvas, width: number, height: number): Canvas {
  const w = Math.max(1, Math.round(width))
  const h = Math.max(1, Math.round(height))
  if (w === canvas.width && h === canvas.height) return canvas
  if (w >= canvas.width && h >= canvas.height) return enlarge(canvas, w, h)
  if (w > canvas.width || h > canvas.height) return resizeCanvas(resizeCanvas(canvas, Math.min(w, canvas.width), Math.min(h, canvas.height)), w, h)
  const result = makeCanvas(w, h)
  const context = result.getContext('2d')
  context.imageSmoothingEnabled = true
  context.imageSmoothingQuality = 'high'
  context.drawImage(canvas, 0, 0, w, h)
  return result
}

/** Drawn at no more than so many pixels in all, in the same shape, and enlarged to that size. */
export function drawnWithin(pixelsMax: number, width: number, height: number, draw: (width: number, height: number) => Canvas): Canvas {
  const shrink = Math.min(1, Math.sqrt(pixelsMax / (width * height)))
  const small = draw(Math.max(1, Math.round(width * shrink)), Math.max(1, Math.round(height * shrink)))
  const result = resizeCanvas(small, width, height)
  if (result !== small) release(small)
  return result
}

/** Gaussian blur that does not darken the edges of the picture. */
export function blurCanvas(canvas: Canvas, radiusPx: number): Canvas {
  if (radiusPx < 0.6) return canvas
  const { width: w, height: h } = canvas
  const rim = Math.ceil(radiusPx * 3) + 1
  const wide = makeCanvas(w + 2 * rim, h + 2 * rim)
  const padded = wide.getContext('2d')
  padded.drawImage(canvas, 0, 0, 1, h, 0, rim, rim, h)
  padded.drawImage(canvas, w - 1, 0, 1, h, w + rim, rim, rim, h)
  padded.drawImage(canvas, rim, rim)
  padded.drawImage(wide, 0, rim, w + 2 * rim, 1, 0, 0, w + 2 * rim, rim)
  padded.drawImage(wide, 0, h + rim - 1, w + 2 * rim, 1, 0, h + rim, w + 2 * rim, rim)
  const result = makeCanvas(w, h)
  const context = result.getContext('2d')
  context.filter = `blur(${radiusPx.toFixed(2)}px)`
  context.drawImage(wide, -rim, -rim)
  release(wide)
  return result
}

/**
 * Gives a canvas's pixels back at once; it must not be used any more.
 *
 * They lie outside JavaScript's memory, so the collector does not hurry: a large picture would hold gigabytes.
 */
export function release(canvas: Canvas): void {
  canvas.width = 1
  canvas.height = 1
}

/** Blurs and lets go of the sharp one. */
export function softened(canvas: Canvas, radiusPx: number): Canvas {
  const result = blurCanvas(canvas, radiusPx)
  if (result !== canvas) release(canvas)
  return result
}

/** An untouched copy. */
export function copyCanvas(canvas: Canvas): Canvas {
  const result = makeCanvas(canvas.width, canvas.height)
  result.getContext('2d').drawImage(canvas, 0, 0)
  return result
}

/** A linear gradient from evenly or explicitly placed stops. */
export function linearGradient(context: SKRSContext2D, from: [number, number], to: [number, number], stops: readonly (readonly [number, string])[]) {
  const gradient = context.createLinearGradient(from[0], from[1], to[0], to[1])
  for (const [at, colour] of stops) gradient.addColorStop(clamp(at), colour)
  return gradient
}
