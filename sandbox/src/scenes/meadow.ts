import { linearGradient, makeCanvas, softened } from '../kernel/canvas.ts'
import type { Rgb } from '../kernel/colour.ts'
import { clamp, css, luminance, mix, multiply, scale } from '../kernel/colour.ts'
import { glow } from '../kernel/composite.ts'
import { Random } from '../kernel/random.ts'
import { daylights, outdoors } from './daylight.ts'
import { drawGrass, drawTreeline } from './grass.ts'
import { has } from './scene.ts'
import type { SceneMaker } from './scene.ts'
import { paintLandscape } from './terrain.ts'

const bouquets: readonly (readonly Rgb[])[] = [
  [[250, 250, 245], [252, 214, 80]],
  [[226, 110, 150], [250, 190, 210], [255, 255, 255]],
  [[150, 120, 220], [120, 140, 235], [250, 250, 250]],
  [[250, 250, 245], [252, 214, 80], [226, 110, 150], [150, 120, 220]],
]

/** Grass to the viewer's feet, hills, trees or mountains beyond. */
export const meadow: SceneMaker = (plan, width, height) => {
  const { time } = plan
  const day = daylights[time]
  const random = new Random(plan.seed).fork('meadow')
  const horizon = random.pick([0.34, 0.4, 0.46])
  const sunX = random.range(0.15, 0.85)
  const backdrop = random.pick(['trees', 'alps', 'hills'] as const)
  const subjectScale = random.pick([0.56, 0.66, 0.78])
  const clouds = random.range(0.2, 0.7)
  const autumn = has(plan, 'autumn')
  const bouquet = random.pick(bouquets)
  const flowers = has(plan, 'flowers') ? 0.14 : random.pick([0, 0.03, 0.09])
  const far = paintLandscape(width, height, {
    land: backdrop === 'alps' ? 'alpine' : 'hills', seed: plan.seed, time, horizon, sunX, clouds, autumn,
    amplitude: backdrop === 'hills' ? 1.5 : 1, sunY: horizon * 0.35 + (time === 'sunset' || time === 'pink' ? 0.5 : 0),
  })
  const unit = Math.min(width, height)
  if (backdrop !== 'hills') {
    drawTreeline(far.getContext('2d'), width, height * (horizon + 0.035), unit * random.range(0.06, 0.12), plan.seed + 3, autumn ? [150, 90, 36] : [66, 92, 44], day.haze)
  }
  const dry = has(plan, 'wheat') || autumn
  const base: [Rgb, Rgb, Rgb] = dry ? [[168, 128, 48], [214, 176, 84], [236, 208, 132]] : [[46, 92, 30], [98, 142, 46], [186, 192, 84]]
  const light = clamp((luminance(day.key) / 255) * day.strength * 0.95, 0.3, 1.15)
  const colours = base.map((colour) => multiply(colour, day.key)) as [Rgb, Rgb, Rgb]

  const ground = makeCanvas(width, height)
  const context = ground.getContext('2d')
  context.fillStyle = linearGradient(context, [0, height * (horizon + 0.03)], [0, height], [
    [0, css(mix(scale(base[1], light), day.haze, 0.35), 0)],
    [0.12, css(scale(mix(colours[1], colours[2], 0.3), light * 0.95))],
    [1, css(scale(colours[0], light * 0.78))],
  ])
  context.fillRect(0, height * (horizon + 0.03), width, height)
  // One field from the horizon to below the frame: two fields meeting would show as a band.
  drawGrass(context, { width, height, from: height * (horizon + 0.06), to: height * 1.06, seed: plan.seed + 1, colours, count: Math.round(8200 * clamp(width / height, 0.7, 2)), flowers, flowerColours: bouquet, light })

  return {
    layers: [{ name: 'far', depth: 1, canvas: softened(far, unit * 0.0032) }, { name: 'ground', depth: 0.5, canvas: ground }],
    light: outdoors(time, scale(base[1], 0.9), sunX),
    groundY: 0.82,
    subjectScale,
    front: () => {
      const near = makeCanvas(width, height)
      drawGrass(near.getContext('2d'), { width, height, from: height * 0.8, to: height * 1.06, seed: plan.seed + 9, colours, count: Math.round(1150 * clamp(width / height, 0.7, 2)), length: 0.9, flowers: Math.min(0.05, flowers), flowerColours: bouquet, light, nearness: [0.55, 1] })
      const closest = makeCanvas(width, height)
      drawGrass(closest.getContext('2d'), { width, height, from: height * 1.0, to: height * 1.1, seed: plan.seed + 12, colours, count: 170, length: 1.9, light: light * 0.85, nearness: [0.9, 1] })
      return [{ name: 'front', depth: 0.2, canvas: near }, { name: 'closest', depth: 0.1, canvas: softened(closest, unit * 0.006) }]
    },
    finish: (canvas) => glow(canvas, { u: sunX, v: horizon * 0.4 }, day.sun, time === 'night' ? 0.15 : 0.34),
  }
}
