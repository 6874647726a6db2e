import { fromPixels, paintPixels, shadePixels } from '../kernel/canvas.ts'
import type { Rgb } from '../kernel/colour.ts'
import { clamp, hsl, mix, scale, smooth } from '../kernel/colour.ts'
import { glow, layOver, spark } from '../kernel/composite.ts'
import { length, pow } from '../kernel/math.ts'
import { fbm } from '../kernel/noise.ts'
import { Random } from '../kernel/random.ts'
import { makeCanvas } from '../kernel/canvas.ts'
import type { SceneMaker } from './scene.ts'

/** A nebula, stars, and a planet off to one side. */
export const space: SceneMaker = (plan, width, height) => {
  const random = new Random(plan.seed).fork('space')
  const noise = plan.seed % 77
  const hue = random.range(200, 330)
  const first = hsl(hue, 0.8, 0.5)
  const second = hsl(hue + 70, 0.75, 0.45)
  const aspect = width / height
  const heart = { u: random.range(0.15, 0.85), v: random.range(0.2, 0.7) }
  const canvas = paintPixels(width, height, 800, (u, v) => {
    const x = u * aspect * 2.4 + (plan.seed % 40)
    const y = v * 2.4
    const q = fbm(x, y, noise, 4)
    const drift = fbm(x + q * 2.2 + 4, y + q * 1.8, noise + 3, 5)
    const gas = fbm(x * 1.4 + drift * 2, y * 1.4 + q * 2, noise + 9, 5)
    const distance = length((u - heart.u) * aspect, v - heart.v)
    const k = smooth(0.42, 0.85, gas) * smooth(1.1, 0.1, distance) * 1.5
    let colour = mix([5, 6, 16], scale(first, 0.9), clamp(k))
    colour = mix(colour, second, clamp(smooth(0.5, 0.8, drift) * 0.55 * smooth(1, 0.2, distance)))
    return mix(colour, [255, 240, 235], clamp(pow(k, 3) * 0.5))
  })
  const unit = Math.min(width, height)
  shadePixels(canvas, (data, w, h) => {
    const star = random.fork('stars')
    const count = Math.round(900 * clamp(Math.max(aspect, 1 / aspect), 1, 4))
    for (let i = 0; i < count; i++) {
      const size = pow(star.next(), 8) * 0.0042 + 0.0011
      const tone = hsl(star.pick([210, 40, 300, 220]), 0.7, 0.86)
      spark(data, w, h, star.range(0, w), star.range(0, h), Math.max(1, unit * size), tone, star.range(0.25, 1))
    }
    for (let i = 0; i < 20; i++) {
      const x = star.range(0, w)
      const y = star.range(0, h)
      const radius = unit * star.range(0.006, 0.016)
      spark(data, w, h, x, y, radius, [255, 255, 255], 1)
      spark(data, w, h, x, y, radius * 3.5, hsl(star.pick([210, 40, 300]), 0.9, 0.75), 0.35)
    }
  })
  layOver(canvas, [planet(width, height, { radius: unit * random.range(0.14, 0.26), x: width * (heart.u > 0.5 ? random.range(0.12, 0.32) : random.range(0.68, 0.88)), y: height * random.range(0.2, 0.42), hue: random.range(0, 360), noise })])
  return {
    layers: [{ name: 'far', depth: 1, canvas }],
    light: { key: [0.6, 0.6, 0.6], colour: [245, 240, 255], strength: 2.3, sky: scale(first, 0.7), ground: scale(second, 0.5), haze: [20, 20, 40], ambient: 0.8, rim: first },
    groundY: 0.86,
    subjectScale: 0.62,
    floats: true,
    finish: (target) => glow(target, heart, first, 0.16),
  }
}

function planet(width: number, height: number, { radius, x, y, hue, noise }: { radius: number; x: number; y: number; hue: number; noise: number }) {
  const side = Math.max(2, Math.ceil(radius * 2) + 2)
  const data = new Uint8ClampedArray(side * side * 4)
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const nx = (column - radius) / radius
      const ny = (row - radius) / radius
      const reach = nx * nx + ny * ny
      if (reach > 1) continue
      const nz = Math.sqrt(1 - reach)
      const bands = fbm(nx * 1.5 + 5 + ny * 0.3, ny * 5 + fbm(nx * 3, ny * 3, 4, 3) * 1.4, noise, 5)
      const colour: Rgb = mix(hsl(hue, 0.45, 0.35), hsl(hue + 35, 0.5, 0.72), bands)
      const light = clamp(nx * 0.6 - ny * 0.5 + nz * 0.55)
      const air = pow(1 - nz, 3) * light
      const at = (row * side + column) * 4
      data[at] = colour[0] * light * 1.15 + air * 150
      data[at + 1] = colour[1] * light * 1.15 + air * 180
      data[at + 2] = colour[2] * light * 1.15 + air * 255
      data[at + 3] = 255 * smooth(1, 0.975, reach)
    }
  }
  const layer = makeCanvas(width, height)
  layer.getContext('2d').drawImage(fromPixels(data, side, side), Math.round(x - radius), Math.round(y - radius))
  return layer
}
