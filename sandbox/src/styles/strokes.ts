/** Paints a picture over with brush strokes, coarse ones first, along its contours (after Hertzmann). */
import { blurCanvas, makeCanvas, readPixels } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import { clamp, css, lerp } from '../kernel/colour.ts'
import { cos, sin } from '../kernel/math.ts'
import { fbm } from '../kernel/noise.ts'
import { Random } from '../kernel/random.ts'
import { brightnessAt } from './pixels.ts'

export interface Brush {
  seed: number
  /** Stroke widths, as parts of the longer side, widest first. */
  widths?: number[]
  paper?: string
  opacity?: number
  /** How far a stroke's colour may stray, in 8-bit levels. */
  jitter?: number
  density?: number
  length?: number
}

export function paintStrokes(canvas: Canvas, brush: Brush): Canvas {
  const { seed, widths = [0.03, 0.016, 0.008, 0.0045], paper = '#e9e2d2', opacity = 0.92, jitter = 14, density = 1, length = 1 } = brush
  const { width, height } = canvas
  const side = Math.max(width, height)
  const random = new Random(seed)
  const result = makeCanvas(width, height)
  const context = result.getContext('2d')
  context.fillStyle = paper
  context.fillRect(0, 0, width, height)
  context.lineCap = 'round'
  context.lineJoin = 'round'
  widths.forEach((part, layer) => {
    const radius = Math.max(1.2, part * side)
    const target = readPixels(blurCanvas(canvas, radius * 0.55))
    const painted = readPixels(result)
    const step = (radius * 0.95) / density
    const strokes: { x: number; y: number; i: number; chance: number }[] = []
    for (let y = 0; y < height; y += step) {
      for (let x = 0; x < width; x += step) {
        const px = clamp(x + random.range(-0.5, 0.5) * step, 0, width - 1) | 0
        const py = clamp(y + random.range(-0.5, 0.5) * step, 0, height - 1) | 0
        const i = (py * width + px) * 4
        const chance = random.next()
        const wrong = Math.abs(target[i]! - painted[i]!) + Math.abs(target[i + 1]! - painted[i + 1]!) + Math.abs(target[i + 2]! - painted[i + 2]!)
        if (layer === 0 || wrong >= 46 - layer * 4) strokes.push({ x: px, y: py, i, chance })
      }
    }
    strokes.sort((a, b) => a.chance - b.chance)
    for (const { x, y, i, chance } of strokes) {
      const stray = (chance - 0.5) * jitter * 2
      context.strokeStyle = css([target[i]! + stray, target[i + 1]! + stray, target[i + 2]! + stray], opacity)
      context.lineWidth = radius * lerp(0.8, 1.25, chance)
      context.beginPath()
      context.moveTo(x, y)
      follow(target, width, height, { x, y, i, radius, steps: 5 * length, seed }, (nextX, nextY) => context.lineTo(nextX, nextY))
      context.stroke()
    }
  })
  return result
}

/** Walks across the slope of brightness, so that strokes lie along edges, until the colour has changed too much. */
function follow(
  target: Uint8ClampedArray, width: number, height: number,
  from: { x: number; y: number; i: number; radius: number; steps: number; seed: number }, lineTo: (x: number, y: number) => void,
): void {
  const at = (x: number, y: number) => (clamp(y | 0, 0, height - 1) * width + clamp(x | 0, 0, width - 1)) * 4
  let { x, y } = from
  let beforeX = 0
  let beforeY = 0
  for (let n = 0; n < from.steps; n++) {
    const slopeX = brightnessAt(target, at(x + 2, y)) - brightnessAt(target, at(x - 2, y))
    const slopeY = brightnessAt(target, at(x, y + 2)) - brightnessAt(target, at(x, y - 2))
    let dx = -slopeY
    let dy = slopeX
    const steep = Math.sqrt(dx * dx + dy * dy)
    if (steep < 2) {
      const turn = fbm((x / width) * 4, (y / height) * 4, from.seed, 2) * 9
      dx = cos(turn)
      dy = sin(turn)
    } else {
      dx /= steep
      dy /= steep
    }
    if (dx * beforeX + dy * beforeY < 0) {
      dx = -dx
      dy = -dy
    }
    if (n > 0) {
      dx = lerp(dx, beforeX, 0.4)
      dy = lerp(dy, beforeY, 0.4)
    }
    x += dx * from.radius * 0.9
    y += dy * from.radius * 0.9
    const i = at(x, y)
    const changed = Math.abs(target[i]! - target[from.i]!) + Math.abs(target[i + 1]! - target[from.i + 1]!) + Math.abs(target[i + 2]! - target[from.i + 2]!)
    if (n > 1 && changed > 70) return
    lineTo(x, y)
    beforeX = dx
    beforeY = dy
  }
}
