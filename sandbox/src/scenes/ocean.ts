import { makeCanvas, paintPixels } from '../kernel/canvas.ts'
import type { Rgb } from '../kernel/colour.ts'
import { clamp, luminance, mix, multiply, scale, smooth } from '../kernel/colour.ts'
import { glow } from '../kernel/composite.ts'
import { sin } from '../kernel/math.ts'
import { fbm, noise2 } from '../kernel/noise.ts'
import { Random } from '../kernel/random.ts'
import { daylights, outdoors } from './daylight.ts'
import { has } from './scene.ts'
import type { SceneMaker } from './scene.ts'
import { paintSky } from './sky.ts'

const depths: Record<string, [Rgb, Rgb]> = {
  night: [[8, 20, 40], [22, 44, 70]],
  sunset: [[52, 48, 86], [160, 92, 96]],
  pink: [[66, 52, 100], [176, 100, 124]],
  storm: [[34, 48, 58], [74, 92, 98]],
  overcast: [[52, 78, 92], [104, 134, 140]],
}

/** Open sea to the horizon, with a beach where someone is to stand on it. */
export const ocean: SceneMaker = (plan, width, height) => {
  const { time } = plan
  const day = daylights[time]
  const random = new Random(plan.seed).fork('ocean')
  const noise = plan.seed % 997
  const horizon = random.range(0.4, 0.5)
  const sunX = random.range(0.2, 0.8)
  const afloat = plan.subjects.some((subject) => (subject.kind === 'icon' && floating.has(subject.icon)) || (subject.kind === 'model' && floatingModels.has(subject.model)))
  const beach = has(plan, 'beach') || (plan.subjects.length > 0 && !afloat)
  const canvas = makeCanvas(width, height)
  const context = canvas.getContext('2d')
  const line = Math.round(height * horizon)
  context.drawImage(paintSky(width, line, { time, seed: plan.seed, sunX, clouds: random.range(0.35, 0.6) }), 0, 0)
  const [deep, shallow] = depths[time] ?? [[14, 88, 120], [64, 178, 182]]
  const sunStrength = (luminance(day.key) / 255) * day.strength
  const aspect = Math.max(1, width / height)
  const sea = paintPixels(width, height - line, 900, (u, v) => {
    const far = 1 / (v + 0.025)
    const x = (u - 0.5) * aspect * far * 3 + (noise % 50)
    const y = far * 4.2
    const swell = fbm(x * 0.9 + fbm(x * 0.5, y * 0.5, 2, 2), y * 1.6, noise % 97, 4)
    const sparkle = noise2(x * 6, y * 9, 5)
    let colour = mix(deep, shallow, smooth(0.3, 0.95, v) * (beach ? 1 : 0.35))
    colour = mix(colour, day.haze, clamp(0.85 - v * 4, 0, 0.8) * 0.9)
    colour = mix(colour, mix(day.haze, [255, 255, 255], 0.2), smooth(0.5, 0.72, swell) * 0.35)
    const path = smooth(0.16 + v * 0.18, 0, Math.abs(u - sunX)) * smooth(0.52, 0.7, swell * 0.7 + sparkle * 0.3)
    colour = mix(colour, day.sun, path * 0.85)
    if (!beach) return colour
    const edge = 0.6 + 0.05 * sin(u * aspect * 5 + noise) + 0.06 * (fbm(u * aspect * 5, 2, noise % 31, 3) - 0.5)
    const foam = smooth(0.03, 0, Math.abs(v - edge + 0.02)) * smooth(0.35, 0.6, fbm(u * aspect * 40, v * 60, 3, 3)) + smooth(0.012, 0, Math.abs(v - edge)) * 0.8
    if (v > edge) {
      const grain = fbm(u * aspect * 90 * (1.6 - v), v * 70, 8, 3)
      const dry = mix([228, 200, 158], [196, 162, 116], grain)
      // Wet where the water has just been.
      const sand = mix(scale(dry, 0.62), dry, smooth(0, 0.09, v - edge))
      colour = scale(multiply(sand, day.key), Math.min(1.05, sunStrength + 0.15))
    }
    return mix(colour, [252, 252, 252], clamp(foam) * 0.85 * (time === 'night' ? 0.4 : 1))
  })
  context.drawImage(sea, 0, line)
  return {
    layers: [{ name: 'far', depth: 1, canvas }],
    light: outdoors(time, beach ? [215, 190, 150] : deep, sunX),
    groundY: beach ? 0.9 : afloat ? 0.72 : 0.74,
    subjectScale: 0.56,
    reflect: beach ? 0 : 0.3,
    shadow: beach ? 0.9 : 0.5,
    finish: (target) => glow(target, { u: sunX, v: horizon * 0.75 }, day.sun, time === 'night' ? 0.14 : 0.28),
  }
}

/** Things at home on the water: boats, ships, swans, ducks. */
const floating = new Set(['26f5', '1f6a2', '1f6e5', '26f4', '1f6f3', '1f6f6', '1f9a2', '1f986', '1f433', '1f40b', '1f42c'])
const floatingModels = new Set(['sailboat', 'lighthouse'])
