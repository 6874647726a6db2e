import { makeCanvas, paintPixels } from '../kernel/canvas.ts'
import type { SKRSContext2D } from '../kernel/canvas.ts'
import { clamp, css, gradientAt, hsl, mix, smooth } from '../kernel/colour.ts'
import { glow } from '../kernel/composite.ts'
import { cos, pow, sin, tau } from '../kernel/math.ts'
import { fbm, noise2 } from '../kernel/noise.ts'
import { Random } from '../kernel/random.ts'
import type { SceneMaker } from './scene.ts'

function drawCoral(context: SKRSContext2D, x: number, y: number, angle: number, size: number, unit: number, depth: number, random: Random): void {
  if (depth < 0) return
  const x2 = x + cos(angle) * size
  const y2 = y + sin(angle) * size
  context.lineWidth = unit * 0.004 * (depth + 1)
  context.beginPath()
  context.moveTo(x, y)
  context.lineTo(x2, y2)
  context.stroke()
  drawCoral(context, x2, y2, angle - random.range(0.2, 0.6), size * 0.72, unit, depth - 1, random)
  drawCoral(context, x2, y2, angle + random.range(0.2, 0.6), size * 0.72, unit, depth - 1, random)
}

/** Light from above through blue water, coral on sand, bubbles. */
export const underwater: SceneMaker = (plan, width, height) => {
  const random = new Random(plan.seed).fork('underwater')
  const noise = plan.seed % 60
  const aspect = width / height
  const canvas = paintPixels(width, height, 800, (u, v) => {
    const x = (u - 0.5) * aspect
    let colour = gradientAt([[0, [120, 214, 230]], [0.35, [26, 130, 176]], [1, [6, 36, 74]]], v)
    const q = fbm(x * 7 + v * 2, v * 3, noise, 3)
    const caustic = pow(1 - Math.abs(noise2(x * 16 + q * 3, v * 9 + q * 3, 4) * 2 - 1), 6)
    colour = mix(colour, [190, 245, 250], caustic * 0.4 * smooth(0.5, 0, v))
    const shaft = smooth(0.5, 0.75, noise2((x / (v + 0.6)) * 14 + (plan.seed % 20), 1, 8)) * smooth(0.95, 0, v)
    colour = mix(colour, [170, 235, 245], shaft * 0.33)
    const floor = 0.86 + 0.03 * (fbm(x * 3, 1, noise, 2) - 0.5)
    if (v > floor) {
      const grain = fbm(x * 30, v * 40, 3, 4)
      const sand = mix([196, 190, 150], [120, 136, 130], grain)
      colour = mix(colour, mix(sand, [12, 70, 110], 0.35), smooth(floor, floor + 0.05, v) * 0.85)
    }
    return colour
  })
  const context = canvas.getContext('2d')
  const unit = Math.min(width, height)
  context.lineCap = 'round'
  for (let clump = 0; clump < Math.round(22 * clamp(aspect, 0.6, 3)); clump++) {
    const tall = unit * random.range(0.05, 0.2)
    context.strokeStyle = css(mix(hsl(random.pick([350, 20, 285, 140, 45]), 0.62, 0.5), [10, 60, 100], random.range(0.2, 0.5)), 0.95)
    const u = random.next()
    // Corals keep to the sides, so that what swims in the middle stays clear.
    const side = u < 0.5 ? u * u * 2 : 1 - (1 - u) * (1 - u) * 2
    drawCoral(context, side * width, height * random.range(0.93, 1), -tau / 4, tall * 0.35, unit, 3, random)
  }
  const bubbles = makeCanvas(width, height)
  const air = bubbles.getContext('2d')
  for (let i = 0; i < 60; i++) {
    const radius = unit * pow(random.next(), 2) * 0.013 + 1
    air.strokeStyle = css([220, 250, 255], 0.5)
    air.lineWidth = Math.max(0.6, radius * 0.18)
    const x = random.range(0, width)
    const y = random.range(0, height)
    air.beginPath()
    air.arc(x, y, radius, 0, tau)
    air.stroke()
    air.fillStyle = css([255, 255, 255], 0.7)
    air.beginPath()
    air.arc(x - radius * 0.35, y - radius * 0.35, radius * 0.2, 0, tau)
    air.fill()
  }
  return {
    layers: [{ name: 'far', depth: 1, canvas }, { name: 'bubbles', depth: 0.6, canvas: bubbles }],
    light: { key: [0.2, 1, 0.4], colour: [214, 244, 250], strength: 2, sky: [130, 196, 215], ground: [30, 70, 96], haze: [30, 120, 160], ambient: 1.1 },
    groundY: 0.9,
    subjectScale: 0.55,
    floats: true,
    tint: { colour: [40, 140, 180], alpha: 0.14 },
    finish: (target) => glow(target, { u: 0.5, v: 0 }, [180, 240, 250], 0.35),
  }
}
