/** Finds the sky of a picture by flooding down from its top edge, and puts another in its place. */
import { blurCanvas, copyCanvas, makeCanvas, readPixels, resizeCanvas, shadePixels } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import { lerp, luminance } from '../kernel/colour.ts'
import { Random } from '../kernel/random.ts'
import type { Time } from '../plan/words/phrases.ts'
import { daylights } from '../scenes/daylight.ts'
import { paintSky } from '../scenes/sky.ts'
import { joinByMask } from './mask.ts'

export interface SkyMask {
  /** Alpha is the sky. */
  mask: Canvas
  /** How much of the picture it is. */
  share: number
  /** Its lowest point, 0 to 1 of the height. */
  low: number
}

const workSide = 400

export function findSky(canvas: Canvas): SkyMask {
  const shrink = Math.min(1, workSide / Math.max(canvas.width, canvas.height))
  const width = Math.max(2, Math.round(canvas.width * shrink))
  const height = Math.max(2, Math.round(canvas.height * shrink))
  const data = readPixels(resizeCanvas(canvas, width, height))
  const isSky = new Uint8Array(width * height)
  const stack: number[] = []
  for (let x = 0; x < width; x++) if (looksLikeSky(data, x * 4)) {
    isSky[x] = 1
    stack.push(x)
  }
  while (stack.length) {
    const i = stack.pop()!
    const x = i % width
    const y = (i / width) | 0
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]] as const) {
      if (x + dx < 0 || y + dy < 0 || x + dx >= width || y + dy > height * 0.8) continue
      const j = i + dy * width + dx
      if (isSky[j] || !looksLikeSky(data, j * 4)) continue
      const step = Math.abs(data[i * 4]! - data[j * 4]!) + Math.abs(data[i * 4 + 1]! - data[j * 4 + 1]!) + Math.abs(data[i * 4 + 2]! - data[j * 4 + 2]!)
      if (step >= 26) continue
      isSky[j] = 1
      stack.push(j)
    }
  }
  let count = 0
  let lowest = 0
  const mask = shadePixels(makeCanvas(width, height), (alpha) => {
    for (let i = 0; i < isSky.length; i++) if (isSky[i]) {
      alpha[i * 4 + 3] = 255
      count++
      lowest = (i / width) | 0
    }
  })
  return { mask: resizeCanvas(blurCanvas(mask, 0.9), canvas.width, canvas.height), share: count / isSky.length, low: (lowest + 1) / height }
}

/** Bright enough, and bluer or paler than leaves and earth are. Dark blue counts too: night photos have skies. */
function looksLikeSky(data: Uint8ClampedArray, i: number): boolean {
  const r = data[i]!
  const g = data[i + 1]!
  const b = data[i + 2]!
  const light = luminance([r, g, b])
  if (g > b * 1.12 && g > r) return false
  if (light < 70) return b > r * 1.15 && b > 25
  // Evening skies are red and pink, yet not as deep as brick.
  return b >= r * 0.86 || light > 165 || (light > 120 && b > g * 0.75 && r > 180)
}

export function replaceSky(canvas: Canvas, { mask, low }: SkyMask, time: Time, seed: number): Canvas {
  const { width, height } = canvas
  const random = new Random(seed).fork('sky')
  const skyHeight = Math.max(8, Math.round(height * Math.min(1, low + 0.02)))
  const sky = makeCanvas(width, height)
  sky.getContext('2d').drawImage(paintSky(width, skyHeight, { time, seed, sunX: random.range(0.2, 0.8), clouds: time === 'night' ? 0.25 : 0.55 }), 0, 0)
  return joinByMask(relightGround(canvas, time), sky, mask)
}

/** Tints what lies under the sky with its light, so that the two belong together. */
export function relightGround(canvas: Canvas, time: Time): Canvas {
  const { key } = daylights[time]
  const strength = time === 'night' ? 0.48 : time === 'storm' ? 0.8 : 0.97
  return shadePixels(copyCanvas(canvas), (data) => {
    for (let i = 0; i < data.length; i += 4) for (let channel = 0; channel < 3; channel++) {
      const value = data[i + channel]!
      data[i + channel] = lerp(value, (value * key[channel]!) / 235, 0.45) * strength
    }
  })
}
