import { linearGradient, paintPixels } from '../kernel/canvas.ts'
import type { SKRSContext2D } from '../kernel/canvas.ts'
import type { Rgb } from '../kernel/colour.ts'
import { clamp, css, gradientAt, hex, hsl, mix, multiply, scale, smooth } from '../kernel/colour.ts'
import { glow } from '../kernel/composite.ts'
import { sin, tau } from '../kernel/math.ts'
import { fbm } from '../kernel/noise.ts'
import { Random } from '../kernel/random.ts'
import { daylights } from './daylight.ts'
import { has } from './scene.ts'
import type { SceneMaker } from './scene.ts'
import { paintSky } from './sky.ts'

/** Boards of books, or of books and pots. */
function drawBookcase(context: SKRSContext2D, x: number, y: number, w: number, h: number, rows: number, light: number, random: Random): void {
  const wood: Rgb = scale([112, 74, 48], light)
  context.fillStyle = css(scale(wood, 0.55))
  context.fillRect(x, y, w, h)
  const pitch = h / rows
  for (let row = 0; row < rows; row++) {
    const floor = y + (row + 1) * pitch - pitch * 0.07
    let at = x + w * 0.02
    while (at < x + w * 0.965) {
      const thick = pitch * random.range(0.1, 0.24)
      const tall = pitch * random.range(0.55, 0.84)
      if (random.chance(0.07)) { at += thick * 2; continue }
      const colour = scale(hsl(random.pick([8, 28, 42, 140, 205, 220, 350]), random.range(0.2, 0.5), random.range(0.24, 0.58)), light)
      const right = Math.min(at + thick, x + w * 0.98)
      context.fillStyle = linearGradient(context, [at, 0], [right, 0], [[0, css(scale(colour, 0.75))], [0.4, css(scale(colour, 1.12))], [1, css(scale(colour, 0.7))]])
      context.fillRect(at, floor - tall, right - at - 0.6, tall)
      context.fillStyle = css(mix(colour, [255, 226, 160], 0.5), 0.8)
      if (thick > pitch * 0.15) context.fillRect(at + thick * 0.2, floor - tall * 0.85, thick * 0.55, pitch * 0.02)
      at += thick
    }
    context.fillStyle = linearGradient(context, [0, floor], [0, floor + pitch * 0.08], [[0, css(scale(wood, 1.25))], [1, css(scale(wood, 0.8))]])
    context.fillRect(x, floor, w, pitch * 0.08)
  }
  context.strokeStyle = css(wood)
  context.lineWidth = w * 0.02
  context.strokeRect(x, y, w, h)
}

/** A room seen straight on: wall, window, boards, something on the wall; a library where books are named. */
export const room: SceneMaker = (plan, width, height) => {
  const random = new Random(plan.seed).fork('room')
  const { time } = plan
  const night = time === 'night'
  const day = daylights[time]
  const skirting = 0.72
  const unit = Math.min(width, height)
  const light = night ? 0.5 : 1
  const library = has(plan, 'books')
  const paint: Rgb = plan.background ? hex(plan.background) : library ? [140, 108, 80] : hsl(random.pick([30, 45, 150, 205, 340]), random.range(0.12, 0.3), random.range(0.72, 0.84))
  const wall = scale(multiply(paint, night ? [255, 214, 170] : [255, 250, 242]), light)
  const windowU = random.pick([0.24, 0.76])
  const canvas = paintPixels(width, height, 900, (u, v) => {
    const d = Math.sqrt(((u - windowU) * width) ** 2 + ((v - 0.35) * height) ** 2) / Math.max(width, height)
    if (v < skirting) return scale(wall, 1.06 - 0.34 * smooth(0.05, 0.9, d) - 0.1 * smooth(0.25, 0, v))
    const deep = (v - skirting) / (1 - skirting)
    const far = 1 / (deep * 0.9 + 0.3)
    const x = (u - 0.5) * (width / height) * far * 2.6
    const plank = Math.floor(x * 2.4)
    const tone = sin(plank * 57.3) * 0.5 + 0.5
    const grain = fbm(x * 14 + tone * 30, far * 3 + tone * 9, plan.seed % 90, 4)
    let colour = scale(mix([126, 84, 52], [186, 136, 90], grain), 0.9 + 0.16 * tone)
    colour = scale(colour, 1 - 0.45 * smooth(0.96, 1, Math.abs(x * 2.4 - plank - 0.5) * 2))
    const pool = smooth(0.34, 0, Math.abs(u - windowU - (0.5 - windowU) * deep * 0.5)) * smooth(1.1, 0.2, deep)
    return scale(mix(colour, night ? [255, 190, 120] : day.sun, clamp(pool * 0.34)), light * (1.02 - 0.2 * deep))
  })
  const context = canvas.getContext('2d')
  const floorY = height * skirting
  const windowWidth = Math.min(width * 0.34, unit * 0.5)
  const windowX = windowU * width - windowWidth / 2
  const windowTop = height * 0.1
  const windowHeight = height * 0.42
  if (library) {
    const columns = Math.max(2, Math.round((width / unit) * 3))
    for (let i = 0; i < columns; i++) drawBookcase(context, (i * width) / columns, height * 0.02, width / columns, floorY - height * 0.02, 5, light * (night ? 1.1 : 0.95), random.fork(`case${i}`))
  } else {
    const caseX = windowU > 0.5 ? width * 0.06 : width * 0.64
    drawBookcase(context, caseX, height * 0.34, width * 0.3, floorY - height * 0.34, 3, light, random.fork('case'))
    const frame = { w: unit * 0.2, h: unit * 0.15 }
    const frameX = caseX + width * 0.15 - frame.w / 2
    context.fillStyle = css(scale([60, 44, 34], light))
    context.fillRect(frameX - unit * 0.01, height * 0.12 - unit * 0.01, frame.w + unit * 0.02, frame.h + unit * 0.02)
    context.drawImage(paintSky(Math.round(frame.w), Math.round(frame.h), { time: 'sunset', seed: plan.seed + 5, sunX: 0.4, clouds: 0.5 }), frameX, height * 0.12)
  }
  if (!library) drawWindow()
  // Skirting, and a rug to stand on.
  context.fillStyle = css(scale(mix(wall, [255, 255, 255], 0.5), 0.95))
  context.fillRect(0, floorY - height * 0.025, width, height * 0.025)
  context.fillStyle = linearGradient(context, [0, floorY], [0, floorY + height * 0.05], [[0, css([20, 12, 6], 0.4)], [1, css([20, 12, 6], 0)]])
  context.fillRect(0, floorY, width, height * 0.05)
  const rugHue = random.range(0, 360)
  for (const [size, lightness] of [[1, 0.34], [0.93, 0.62], [0.86, 0.4]] as const) {
    context.fillStyle = css(scale(hsl(rugHue, 0.3, lightness), light))
    context.beginPath()
    context.ellipse(width / 2, height * 0.88, Math.min(width * 0.44, unit * 0.6) * size, height * 0.085 * size, 0, 0, tau)
    context.fill()
  }
  return {
    layers: [{ name: 'far', depth: 1, canvas }],
    light: {
      key: [(windowU - 0.5) * 3, 0.9, 0.6], colour: night ? [255, 205, 150] : mix(day.key, [255, 255, 255], 0.3), strength: night ? 1.7 : 2.1,
      sky: night ? [130, 104, 96] : [205, 204, 200], ground: [160, 116, 80], haze: wall, ambient: 1.05, studio: true,
    },
    groundY: 0.9,
    subjectScale: 0.56,
    finish: (target) => glow(target, { u: windowU, v: 0.3 }, night ? [255, 180, 110] : day.sun, night ? 0.2 : 0.28),
  }

  /** The window with its view, frame and sill. */
  function drawWindow(): void {
    const outside = paintSky(Math.round(windowWidth), Math.round(windowHeight), { time, seed: plan.seed + 3, sunX: 0.5, clouds: 0.5 })
    context.drawImage(outside, windowX, windowTop)
    for (let i = 0; i < 70; i++) {
      const green = scale(mix([70, 110, 56], gradientAt(day.sky, 0.8), random.range(0.1, 0.5)), night ? 0.35 : 1)
      context.fillStyle = css(green, 0.85)
      const leafX = windowX + random.range(0, windowWidth)
      context.save()
      context.beginPath()
      context.rect(windowX, windowTop, windowWidth, windowHeight)
      context.clip()
      context.beginPath()
      context.ellipse(leafX, windowTop + windowHeight * random.range(0.78, 1), unit * random.range(0.02, 0.05), unit * random.range(0.015, 0.035), 0, 0, tau)
      context.fill()
      context.restore()
    }
    context.strokeStyle = css(scale([246, 242, 234], night ? 0.5 : 1))
    context.lineWidth = unit * 0.016
    context.strokeRect(windowX, windowTop, windowWidth, windowHeight)
    context.lineWidth = unit * 0.009
    context.beginPath()
    context.moveTo(windowX + windowWidth / 2, windowTop)
    context.lineTo(windowX + windowWidth / 2, windowTop + windowHeight)
    context.moveTo(windowX, windowTop + windowHeight * 0.42)
    context.lineTo(windowX + windowWidth, windowTop + windowHeight * 0.42)
    context.stroke()
    context.fillStyle = css(scale([238, 232, 222], night ? 0.5 : 1))
    context.fillRect(windowX - unit * 0.03, windowTop + windowHeight, windowWidth + unit * 0.06, unit * 0.02)
    context.fillStyle = linearGradient(context, [0, windowTop + windowHeight + unit * 0.02], [0, windowTop + windowHeight + unit * 0.07], [[0, css([20, 14, 8], 0.25)], [1, css([20, 14, 8], 0)]])
    context.fillRect(windowX - unit * 0.03, windowTop + windowHeight + unit * 0.02, windowWidth + unit * 0.06, unit * 0.05)
  }
}
