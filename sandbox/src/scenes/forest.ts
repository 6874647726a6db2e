import { linearGradient, makeCanvas, release, softened } from '../kernel/canvas.ts'
import type { Rgb } from '../kernel/colour.ts'
import { css, lerp, mix, scale } from '../kernel/colour.ts'
import { glow, screenOver } from '../kernel/composite.ts'
import { pow, tau } from '../kernel/math.ts'
import { fbm } from '../kernel/noise.ts'
import { Random } from '../kernel/random.ts'
import { daylights, outdoors } from './daylight.ts'
import { drawGrass } from './grass.ts'
import { has } from './scene.ts'
import type { Layer, SceneMaker } from './scene.ts'

/** Trunks in five depths of mist, with shafts of light between them. */
export const forest: SceneMaker = (plan, width, height) => {
  const { time } = plan
  const day = daylights[time]
  const random = new Random(plan.seed).fork('forest')
  const trees = random.fork('trees')
  const night = time === 'night'
  const autumn = has(plan, 'autumn')
  const snowy = has(plan, 'snow')
  const mist: Rgb = snowy && !night ? mix([214, 224, 236], day.haze, 0.35) : night ? [40, 60, 84] : autumn ? [236, 196, 140] : mix([188, 206, 178], day.haze, 0.35)
  const leaves: Rgb[] = snowy ? (night ? [[70, 86, 116], [112, 130, 164], [84, 100, 134]] : [[182, 196, 212], [240, 245, 250], [206, 217, 230]]) : autumn ? [[190, 90, 30], [220, 140, 50], [150, 60, 30]] : night ? [[16, 34, 36], [28, 54, 50], [12, 24, 30]] : [[44, 84, 34], [92, 134, 54], [26, 56, 30]]
  const far = makeCanvas(width, height)
  const sky = far.getContext('2d')
  sky.fillStyle = linearGradient(sky, [0, 0], [0, height], [[0, css(mix(mist, [255, 255, 255], night ? 0.05 : 0.45))], [0.7, css(mist)], [1, css(scale(mist, 0.5))]])
  sky.fillRect(0, 0, width, height)
  const layers: Layer[] = [{ name: 'far', depth: 1, canvas: far }]
  const unit = Math.min(width, height)
  // A strip a hundred times as wide as tall would otherwise grow half a million leaves.
  const crowd = Math.min(8, width / height)
  const sunX = random.range(0.25, 0.75)
  for (let step = 0; step < 5; step++) {
    const t = step / 4
    const canvas = makeCanvas(width, height)
    const context = canvas.getContext('2d')
    const groundY = height * lerp(0.6, 0.92, t)
    const fog = lerp(0.85, 0.04, pow(t, 0.8))
    context.fillStyle = css(mix(scale(leaves[2]!, 1.2), mist, fog))
    context.beginPath()
    context.moveTo(0, height)
    for (let x = 0; x <= width; x += width / 60) context.lineTo(x, groundY - fbm((x / width) * 4, step * 3, plan.seed % 50, 3) * height * 0.07)
    context.lineTo(width, groundY)
    context.lineTo(width, height)
    context.fill()
    const count = Math.round(lerp(26, 4, t) * Math.max(0.7, crowd))
    for (let i = 0; i < count; i++) {
      // Each trunk has its own chance: one more or less, where rounding a side tips the count, moves no other.
      const random = trees.fork(`${step}:${i}`)
      let u = random.range(-0.05, 1.05)
      // The nearest trunks leave the middle free.
      if (step >= 3 && Math.abs(u - 0.5) < 0.2) u += u < 0.5 ? -0.24 : 0.24
      const x = u * width
      const thick = unit * lerp(0.006, 0.05, t * t) * random.range(0.7, 1.3)
      const bark = mix(night ? [14, 18, 26] : [70, 50, 38], mist, fog)
      const lean = random.bell() * thick * 1.2
      context.fillStyle = linearGradient(context, [x - thick, 0], [x + thick, 0], [[0, css(scale(bark, 0.62))], [0.65, css(scale(bark, 1.15))], [1, css(mix(scale(bark, 1.2), day.sun, 0.25 * (1 - fog)))]])
      context.beginPath()
      context.moveTo(x - thick * 1.35, groundY + height * 0.02)
      context.quadraticCurveTo(x - thick * 0.8, groundY - height * 0.2, x - thick * 0.6 + lean, -height * 0.05)
      context.lineTo(x + thick * 0.6 + lean, -height * 0.05)
      context.quadraticCurveTo(x + thick * 0.8, groundY - height * 0.2, x + thick * 1.35, groundY + height * 0.02)
      context.fill()
      if (t > 0.4) {
        for (let k = 0; k < 60 * t; k++) {
          context.strokeStyle = css(scale(bark, random.range(0.5, 0.9)), 0.5)
          context.lineWidth = Math.max(0.5, thick * 0.05)
          const y = random.range(0, groundY)
          const barkX = x + lean * (1 - y / groundY) + random.range(-1, 1) * thick * lerp(0.6, 0.95, y / groundY)
          context.beginPath()
          context.moveTo(barkX, y)
          context.lineTo(barkX + random.bell() * thick * 0.15, y + height * 0.05)
          context.stroke()
        }
      }
      for (let k = 0; k < lerp(26, 70, t); k++) {
        context.fillStyle = css(mix(scale(random.pick(leaves), random.range(0.7, 1.4)), mist, fog * 0.9), 0.6)
        const size = unit * lerp(0.008, 0.03, t)
        context.beginPath()
        context.ellipse(x + lean + random.bell() * unit * lerp(0.06, 0.17, t), height * random.range(-0.05, lerp(0.34, 0.2, t)), size * random.range(0.5, 1.6), size * random.range(0.4, 0.9), random.range(0, 3), 0, tau)
        context.fill()
      }
    }
    if (step >= 2) {
      const colours = leaves.map((leaf) => mix(leaf, mist, fog)) as [Rgb, Rgb, Rgb]
      drawGrass(context, { width, height, from: groundY - height * 0.02, to: Math.min(height * 1.05, groundY + height * 0.14), seed: plan.seed + step, colours, count: Math.round((560 + step * 300) * Math.max(0.8, crowd)), length: 0.55 + 0.16 * step })
    }
    layers.push({ name: `trees${step}`, depth: lerp(0.95, 0.35, t), canvas: step < 2 ? softened(canvas, unit * 0.003) : canvas })
  }
  return {
    layers,
    light: outdoors(time, [60, 80, 40], sunX),
    groundY: 0.9,
    subjectScale: 0.52,
    front: () => {
      const near = makeCanvas(width, height)
      drawGrass(near.getContext('2d'), { width, height, from: height * 0.9, to: height * 1.06, seed: plan.seed + 31, colours: leaves.map((leaf) => scale(leaf, 0.95)) as [Rgb, Rgb, Rgb], count: Math.round(520 * Math.max(0.8, crowd)), length: 0.9, nearness: [0.6, 1] })
      return [{ name: 'front', depth: 0.2, canvas: near }]
    },
    finish: (canvas) => {
      const shafts = makeCanvas(width, height)
      const context = shafts.getContext('2d')
      const light = random.fork('shafts')
      for (let i = 0; i < 9; i++) {
        context.save()
        context.translate(sunX * width, -height * 0.1)
        context.rotate(light.range(-0.35, 0.35))
        context.fillStyle = linearGradient(context, [0, 0], [0, height], [[0, css(day.sun, night ? 0.07 : 0.17)], [1, css(day.sun, 0)]])
        const half = width * light.range(0.008, 0.03)
        context.beginPath()
        context.moveTo(-half, 0)
        context.lineTo(half, 0)
        context.lineTo(half * 4, height * 1.05)
        context.lineTo(-half * 4, height * 1.05)
        context.fill()
        context.restore()
      }
      const soft = softened(shafts, unit * 0.006)
      screenOver(canvas, soft)
      release(soft)
      glow(canvas, { u: sunX, v: 0 }, day.sun, night ? 0.15 : 0.42)
    },
  }
}
