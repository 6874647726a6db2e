/** Skies: gradient, sun or moon, wind-drawn clouds lit from the sun's side, stars. */
import type { Canvas } from '../kernel/canvas.ts'
import { paintPixels, shadePixels } from '../kernel/canvas.ts'
import type { Rgb } from '../kernel/colour.ts'
import { clamp, gradientAt, lerp, mix, smooth } from '../kernel/colour.ts'
import { disc, spark } from '../kernel/composite.ts'
import { exp, pow } from '../kernel/math.ts'
import { fbm } from '../kernel/noise.ts'
import { Random } from '../kernel/random.ts'
import type { Time } from '../plan/words/phrases.ts'
import { daylights } from './daylight.ts'

export interface SkyOptions {
  time: Time
  seed: number
  sunX: number
  sunY?: number
  /** 0 clear, 1 full. */
  clouds?: number
  isSunShown?: boolean
}

const workSide = 900

export function paintSky(width: number, height: number, { time, seed, sunX, sunY, clouds = 0.5, isSunShown = true }: SkyOptions): Canvas {
  const day = daylights[time]
  const sunHeight = sunY ?? day.sunY
  const aspect = width / height
  const threshold = lerp(0.72, 0.34, clouds)
  const noise = seed % 1000
  const shiftX = noise % 97
  const shiftY = noise % 53
  const canvas = paintPixels(width, height, workSide, (u, v) => {
    let colour: Rgb = gradientAt(day.sky, v)
    const dx = (u - sunX) * aspect
    const dy = v - sunHeight
    const distance = Math.sqrt(dx * dx + dy * dy)
    if (isSunShown) colour = mix(colour, day.sun, clamp(exp(-distance * 3.2) * 0.75 + exp(-distance * 14) * 0.5))
    if (clouds <= 0) return colour
    // Clouds lie on a plane overhead: towards the horizon they crowd together.
    const far = 1 / (0.16 + (1 - v) * 0.9)
    const x = (u - 0.5) * aspect * 3.6 * far + shiftX
    const y = far * 4.1 + shiftY
    const wind = fbm(x * 0.7, y * 0.7, noise, 3)
    const body = fbm(x + wind * 0.9, y + wind * 0.6, noise + 7, 5)
    const density = smooth(threshold, threshold + 0.22, body) * smooth(1.02, 0.72, v)
    if (density <= 0) return colour
    const towards = fbm(x + wind * 0.9 + (sunX - u) * 0.35, y + wind * 0.6 - 0.22, noise + 7, 4)
    const lit = clamp(0.55 + (body - towards) * 3.4)
    const cloud = mix(mix(day.cloudShade, day.cloudLit, lit), day.sun, clamp(exp(-distance * 3) * 0.6))
    return mix(colour, cloud, density * 0.92)
  })
  if (time === 'night') stars(canvas, seed)
  if (isSunShown && time !== 'storm' && time !== 'overcast') {
    const radius = Math.min(width, height * 1.4) * (time === 'night' ? 0.042 : 0.034)
    disc(canvas, sunX * width, sunHeight * height, radius, [255, 255, 250], day.sun, time === 'night' ? 0.08 : 0.25)
  }
  return canvas
}

/** Few bright, many faint, thinning out towards the horizon. */
export function stars(canvas: Canvas, seed: number): Canvas {
  const random = new Random(seed).fork('stars')
  return shadePixels(canvas, (data, width, height) => {
    const unit = Math.max(height, width * 0.6) / 900
    const count = Math.round(460 * Math.min(16, Math.max(1, width / height)))
    for (let i = 0; i < count; i++) {
      const x = random.range(0, width)
      const y = random.range(0, height * 0.9)
      const size = pow(random.next(), 6) * 2.6 + 0.7
      const colour: Rgb = [255, 250, random.range(215, 255)]
      spark(data, width, height, x, y, Math.max(1.1, size * unit * 1.8), colour, random.range(0.3, 1) * (1 - (0.8 * y) / height))
    }
  })
}
