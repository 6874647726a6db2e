/** Grass and flowers, blade by blade, and far trees, leaf clump by leaf clump. */
import type { SKRSContext2D } from '../kernel/canvas.ts'
import type { Rgb } from '../kernel/colour.ts'
import { css, lerp, mix, scale } from '../kernel/colour.ts'
import { cos, pow, sin, tau } from '../kernel/math.ts'
import { fbm } from '../kernel/noise.ts'
import { Random } from '../kernel/random.ts'

export interface GrassOptions {
  width: number
  height: number
  /** From where to where blades stand, in pixels. */
  from: number
  to: number
  seed: number
  /** Shade, middle, tips. */
  colours: readonly [Rgb, Rgb, Rgb]
  count: number
  length?: number
  /** How likely a blade carries a flower. */
  flowers?: number
  flowerColours?: readonly Rgb[]
  light?: number
  /** Where on the field's depth (0 far, 1 near) `from` lies: sets how long blades are there. */
  nearness?: readonly [number, number]
  /** Only around this place (fraction of the width), thinning out: grass at someone's feet. */
  around?: { u: number; spread: number }
}

export function drawGrass(context: SKRSContext2D, options: GrassOptions): void {
  const { width, height, from, to, seed, colours, count, length = 1, flowers = 0, flowerColours = [], light = 1, nearness = [0, 1], around } = options
  const random = new Random(seed)
  const unit = Math.min(height, width * 1.4)
  const blades: { x: number; y: number; t: number }[] = []
  for (let i = 0; i < count; i++) {
    const t = pow(random.next(), 0.62)
    const u = around ? around.u + random.bell() * around.spread : random.range(-0.02, 1.02)
    blades.push({ x: u * width, y: lerp(from, to, t), t: lerp(nearness[0], nearness[1], t) })
  }
  blades.sort((a, b) => a.y - b.y)
  context.lineCap = 'round'
  for (const { x, y, t } of blades) {
    const tall = unit * lerp(0.008, 0.085, t * t) * random.range(0.6, 1.4) * length
    const patch = fbm((x / width) * 6, (y / height) * 9, (seed % 1000) + 2, 3)
    const colour = scale(mix(mix(colours[0], colours[1], patch), colours[2], random.next() * 0.5), lerp(0.85, 1.08, random.next()) * light)
    context.strokeStyle = css(colour, 0.92)
    context.lineWidth = Math.max(0.6, unit * lerp(0.0012, 0.0046, t) * random.range(0.6, 1.3))
    const lean = (patch - 0.5) * tall * 1.5 + random.bell() * tall * 0.35
    context.beginPath()
    context.moveTo(x, y + tall * 0.15)
    context.quadraticCurveTo(x + lean * 0.2, y - tall * 0.55, x + lean, y - tall)
    context.stroke()
    if (flowers > 0 && random.chance(flowers)) {
      drawFlower(context, x + lean, y - tall, unit * lerp(0.0018, 0.0085, t), scale(random.pick(flowerColours), light), random)
    }
  }
}

function drawFlower(context: SKRSContext2D, x: number, y: number, radius: number, colour: Rgb, random: Random): void {
  for (let petal = 0; petal < 5; petal++) {
    const angle = (petal * tau) / 5 + random.next()
    context.fillStyle = css(scale(colour, random.range(0.85, 1.05)), 0.95)
    context.beginPath()
    context.ellipse(x + cos(angle) * radius, y + sin(angle) * radius * 0.7, radius * 0.85, radius * 0.6, angle, 0, tau)
    context.fill()
  }
  context.fillStyle = css([250, 200, 60])
  context.beginPath()
  context.arc(x, y, radius * 0.5, 0, tau)
  context.fill()
}

/** A hedge of round trees along `y`, hazier the farther. */
export function drawTreeline(context: SKRSContext2D, width: number, y: number, tall: number, seed: number, colour: Rgb, haze: Rgb): void {
  const random = new Random(seed)
  const count = Math.round(70 * Math.max(1, width / (tall * 12)))
  for (let i = 0; i < Math.min(220, count); i++) {
    const x = random.range(-0.05, 1.05) * width
    const size = tall * random.range(0.5, 1.15)
    const tree = mix(scale(colour, random.range(0.7, 1.15)), haze, random.range(0.15, 0.45))
    for (let leaf = 0; leaf < 16; leaf++) {
      const up = random.range(0.1, 0.95)
      context.fillStyle = css(scale(tree, random.range(0.72, 1) + up * 0.28), 0.8)
      context.beginPath()
      context.ellipse(x + random.bell() * size * 0.5, y - size * up, size * random.range(0.1, 0.24), size * random.range(0.09, 0.2), 0, 0, tau)
      context.fill()
    }
  }
}
