import { linearGradient, paintPixels } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import type { Rgb } from '../kernel/colour.ts'
import { clamp, css, hex, lerp, mix, scale, smooth } from '../kernel/colour.ts'
import { length, sin } from '../kernel/math.ts'
import { fbm, noise2 } from '../kernel/noise.ts'
import { Random } from '../kernel/random.ts'
import type { SceneMaker } from './scene.ts'

/** A seamless paper sweep in one colour, lit from one side. */
export function paintSweep(width: number, height: number, base: Rgb, lightX: number): Canvas {
  const bend = 0.66
  const aspect = width / height
  return paintPixels(width, height, 700, (u, v) => {
    const distance = length((u - lightX) * aspect, (v - 0.32) * 1.1)
    let k = 1.035 - 0.2 * smooth(0.1, 1.15, distance)
    k = lerp(k, k * 0.965 + 0.02 * smooth(bend, 1, v), smooth(bend - 0.1, bend + 0.12, v))
    k *= 1 - 0.08 * smooth(0.5, 1, length((u - 0.5) * aspect, v - 0.55))
    // A breath of grain keeps an 8-bit ramp from showing steps.
    const grain = (noise2(u * 700, v * 700, 3) - 0.5) * 1.6
    return [clamp(base[0] * k + grain, 0, 255), clamp(base[1] * k + grain, 0, 255), clamp(base[2] * k + grain, 0, 255)]
  })
}

export const studio: SceneMaker = (plan, width, height) => {
  const base = hex(plan.background ?? '#f4f3f1')
  const lightX = new Random(plan.seed).fork('studio').range(0.25, 0.75)
  return {
    layers: [{ name: 'far', depth: 1, canvas: paintSweep(width, height, base, lightX) }],
    light: {
      key: [(lightX - 0.5) * 2.2, 0.95, 0.75], colour: [255, 250, 242], strength: 2.2,
      sky: scale(mix(base, [255, 255, 255], 0.5), 0.86), ground: scale(mix(base, [255, 255, 255], 0.2), 0.7), haze: base, ambient: 1.1, studio: true,
    },
    groundY: 0.83,
    subjectScale: 0.68,
    reflect: 0.1,
    bloom: 0.06,
    vignette: 0.1,
  }
}

/** A wooden board before a plain wall. */
export const shelf: SceneMaker = (plan, width, height) => {
  const base: Rgb = plan.background ? hex(plan.background) : [214, 222, 214]
  const random = new Random(plan.seed).fork('shelf')
  const canvas = paintSweep(width, height, base, random.range(0.2, 0.4))
  const context = canvas.getContext('2d')
  const y = 0.78 * height
  const noise = plan.seed % 90
  const board = paintPixels(width * 0.92, Math.max(2, height * 0.075), 900, (u, v) => {
    const grain = fbm(u * 14, v * 2 + u * 0.4, noise, 4)
    const ring = sin(u * 5 + v * 22 + fbm(u * 5, v * 3, 4, 3) * 14) * 0.5 + 0.5
    return mix([176, 124, 76], [222, 176, 124], clamp(grain * 0.6 + ring * 0.35))
  })
  context.drawImage(board, width * 0.04, y - height * 0.055, width * 0.92, height * 0.06)
  context.save()
  context.filter = 'brightness(.72)'
  context.drawImage(board, width * 0.04, y + height * 0.004, width * 0.92, height * 0.034)
  context.restore()
  context.fillStyle = linearGradient(context, [0, y + height * 0.038], [0, y + height * 0.14], [[0, css([20, 24, 20], 0.38)], [1, css([20, 24, 20], 0)]])
  context.fillRect(width * 0.05, y + height * 0.038, width * 0.9, height * 0.1)
  return {
    layers: [{ name: 'far', depth: 1, canvas }],
    light: { key: [-0.8, 1, 0.8], colour: [255, 248, 236], strength: 2.1, sky: [200, 205, 200], ground: [190, 150, 110], haze: base, ambient: 1.1, studio: true },
    groundY: 0.765,
    subjectScale: 0.46,
    bloom: 0.06,
    vignette: 0.14,
  }
}
