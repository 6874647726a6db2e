import { linearGradient, makeCanvas, paintPixels, release, shadePixels, softened } from '../kernel/canvas.ts'
import type { Canvas, SKRSContext2D } from '../kernel/canvas.ts'
import type { Rgb } from '../kernel/colour.ts'
import { clamp, css, gradientAt, hsl, mix, scale, smooth } from '../kernel/colour.ts'
import { glow } from '../kernel/composite.ts'
import { exp, sin, tau } from '../kernel/math.ts'
import { fbm } from '../kernel/noise.ts'
import { Random } from '../kernel/random.ts'
import { daylights } from './daylight.ts'
import { has } from './scene.ts'
import type { SceneMaker } from './scene.ts'

/** Lights out of focus: soft discs with a slightly brighter rim, added to what is there. */
export function drawBokeh(canvas: Canvas, random: Random, colours: readonly Rgb[], count: number, from: number, to: number): void {
  shadePixels(canvas, (data, width, height) => {
    const unit = Math.min(width, height)
    for (let i = 0; i < count; i++) {
      const cx = random.range(0, width)
      const cy = random.range(from, to) * height
      const radius = unit * random.range(0.012, 0.05)
      const colour = random.pick(colours)
      const strength = random.range(0.1, 0.42)
      for (let y = Math.max(0, Math.floor(cy - radius - 1)); y < Math.min(height, cy + radius + 1); y++) {
        for (let x = Math.max(0, Math.floor(cx - radius - 1)); x < Math.min(width, cx + radius + 1); x++) {
          const d = Math.sqrt((x - cx) ** 2 + (y - cy) ** 2) / radius
          const k = strength * smooth(1.03, 0.94, d) * (0.7 + 0.5 * smooth(0.7, 0.97, d))
          if (k <= 0) continue
          const at = (y * width + x) * 4
          for (let c = 0; c < 3; c++) data[at + c] = data[at + c]! + (255 - data[at + c]!) * clamp((k * colour[c]!) / 255)
        }
      }
    }
  })
}

/** What stands behind a table: a window with leaves, boards with books and jars. Drawn sharp, to be blurred. */
function drawBackdrop(context: SKRSContext2D, width: number, height: number, windowX: number, windowWidth: number, wall: Rgb, random: Random, skyTop: Rgb, skyLow: Rgb): void {
  context.fillStyle = linearGradient(context, [0, 0], [0, height * 0.5], [[0, css(skyTop)], [1, css(skyLow)]])
  context.fillRect(windowX, height * 0.02, windowWidth, height * 0.46)
  for (let i = 0; i < 60; i++) {
    context.fillStyle = css(scale([80, 130, 60], random.range(0.6, 1.3)), 0.6)
    context.beginPath()
    context.ellipse(windowX + random.range(0, windowWidth), height * random.range(0.3, 0.48), height * 0.04, height * 0.03, 0, 0, tau)
    context.fill()
  }
  context.fillStyle = css(scale(wall, 0.96))
  context.fillRect(windowX + windowWidth * 0.47, 0, windowWidth * 0.05, height * 0.5)
  context.fillRect(windowX, height * 0.22, windowWidth, height * 0.015)
  context.fillStyle = css([120, 84, 58])
  context.fillRect(width * 0.02, height * 0.3, windowX * 0.8, height * 0.018)
  context.fillRect(windowX + windowWidth + width * 0.04, height * 0.18, width * 0.5, height * 0.016)
  context.fillRect(windowX + windowWidth + width * 0.04, height * 0.36, width * 0.5, height * 0.016)
  for (let row = 0; row < 2; row++) {
    for (let i = 0; i < 14; i++) {
      context.fillStyle = css(hsl(random.range(0, 360), 0.35, random.range(0.3, 0.65)))
      const tall = random.range(0.06, 0.11)
      context.fillRect(windowX + windowWidth + width * 0.05 + i * width * 0.033, height * (0.18 + row * 0.18 - tall), width * random.range(0.014, 0.03), height * tall)
    }
  }
}

/** A table top before a room out of focus: wood or marble, by day or in a café at night. */
export const table: SceneMaker = (plan, width, height) => {
  const random = new Random(plan.seed).fork('table')
  const night = plan.time === 'night'
  const day = daylights[plan.time]
  const edge = 0.56
  const canvas = makeCanvas(width, height)
  const context = canvas.getContext('2d')
  const wall: [Rgb, Rgb] = night ? [[34, 24, 30], [70, 46, 42]] : [[206, 190, 168], [240, 228, 208]]
  context.fillStyle = linearGradient(context, [0, 0], [width * 0.3, height * edge], [[0, css(wall[0])], [1, css(wall[1])]])
  context.fillRect(0, 0, width, height)
  const windowX = random.range(0.08, 0.5) * width
  const windowWidth = width * 0.38
  const backdrop = makeCanvas(width, height)
  drawBackdrop(backdrop.getContext('2d'), width, height, windowX, windowWidth, wall[1], random, gradientAt(day.sky, 0.5), day.haze)
  const soft = softened(backdrop, Math.min(width, height) * 0.02)
  context.drawImage(soft, 0, 0)
  release(soft)
  if (night || has(plan, 'bokeh') || has(plan, 'cafe')) drawBokeh(canvas, random.fork('bokeh'), [[255, 190, 110], [255, 220, 160], [255, 150, 90]], Math.round(26 * Math.min(16, Math.max(1, width / height))), 0.02, 0.5)
  const marble = has(plan, 'marble')
  const noise = plan.seed % 90
  const aspect = width / height
  const lightU = (windowX + windowWidth / 2) / width
  const top = paintPixels(width, height * (1 - edge), 1000, (u, v) => {
    const far = 1 / (v * 0.9 + 0.28)
    const x = (u - 0.5) * Math.max(1, aspect) * far * 2.2
    const y = far * 2.4
    let colour: Rgb
    if (marble) {
      const q = fbm(x * 1.6 + fbm(x, y, 4, 4) * 2.4, y * 1.6, noise, 5)
      colour = mix(mix([240, 238, 236], [224, 222, 222], q), [150, 148, 152], smooth(0.035, 0, Math.abs(q - 0.5)) * 0.75)
    } else {
      const plank = Math.floor(x * 2.1)
      const tone = sin(plank * 91.7) * 0.5 + 0.5
      const grain = fbm(x * 16 + tone * 40, y * 1.1 + tone * 20, noise, 4)
      const ring = sin((x * 9 + fbm(x * 2, y * 0.5, plank + 7, 3) * 7 + tone * 9) * 3.2) * 0.5 + 0.5
      colour = scale(mix([118, 74, 42], [190, 134, 84], grain * 0.7 + ring * 0.25), 0.88 + 0.2 * tone)
      colour = scale(colour, 1 - 0.5 * smooth(0.965, 1, Math.abs(x * 2.1 - plank - 0.5) * 2))
    }
    const sheen = exp(-(u - lightU) * (u - lightU) * 5) * smooth(0.75, 0, v)
    colour = mix(colour, night ? [255, 190, 120] : day.haze, sheen * 0.42)
    return scale(colour, (night ? 0.6 : 1) * (1 - 0.25 * v))
  })
  context.drawImage(top, 0, Math.round(height * edge))
  context.fillStyle = linearGradient(context, [0, height * edge], [0, height * (edge + 0.03)], [[0, css([30, 20, 10], 0.35)], [1, css([30, 20, 10], 0)]])
  context.fillRect(0, Math.round(height * edge), width, height * 0.03)
  return {
    layers: [{ name: 'far', depth: 1, canvas }],
    light: {
      key: [(lightU - 0.5) * 2.6 - 0.2, 0.85, 0.4], colour: night ? [255, 205, 150] : [255, 245, 228], strength: night ? 1.8 : 2.15,
      sky: night ? [130, 104, 96] : [205, 200, 192], ground: marble ? [210, 208, 206] : [150, 105, 70], haze: night ? [60, 44, 40] : [232, 222, 206], ambient: 1.05, studio: true,
    },
    groundY: 0.84,
    subjectScale: 0.56,
    reflect: marble ? 0.16 : 0.07,
    finish: (target) => glow(target, { u: lightU, v: 0.2 }, night ? [255, 170, 90] : day.sun, 0.16),
  }
}
