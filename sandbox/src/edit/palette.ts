/** Gives a picture the colours of another: each channel's mean and spread (Reinhard), in a space without grey/colour mixing. */
import { copyCanvas, readPixels, resizeCanvas, shadePixels } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import { clamp } from '../kernel/colour.ts'

const strength = 0.75

export function matchPalette(canvas: Canvas, model: Canvas): Canvas {
  const from = measure(canvas)
  const to = measure(model)
  return shadePixels(copyCanvas(canvas), (data) => {
    const axes = [0, 0, 0]
    for (let i = 0; i < data.length; i += 4) {
      toAxes(data, i, axes)
      for (let axis = 0; axis < 3; axis++) {
        const spread = clamp(to[axis]!.spread / Math.max(1, from[axis]!.spread), 0.4, 1.6)
        const moved = (axes[axis]! - from[axis]!.mean) * spread + to[axis]!.mean
        axes[axis] = axes[axis]! + (moved - axes[axis]!) * strength
      }
      const [light, redGreen, yellowBlue] = axes as [number, number, number]
      data[i] = light + redGreen + yellowBlue
      data[i + 1] = light - redGreen + yellowBlue
      data[i + 2] = light - 2 * yellowBlue
    }
  })
}

/** Light, red against green, yellow against blue: independent enough, and exactly reversible. */
function toAxes(data: Uint8ClampedArray, i: number, axes: number[]): void {
  const r = data[i]!
  const g = data[i + 1]!
  const b = data[i + 2]!
  axes[0] = (r + g + b) / 3
  axes[1] = (r - g) / 2
  axes[2] = (r + g - 2 * b) / 6
}

function measure(canvas: Canvas): { mean: number; spread: number }[] {
  const data = readPixels(resizeCanvas(canvas, Math.min(96, canvas.width), Math.min(96, canvas.height)))
  const sums = [0, 0, 0]
  const squares = [0, 0, 0]
  const axes = [0, 0, 0]
  const count = data.length / 4
  for (let i = 0; i < data.length; i += 4) {
    toAxes(data, i, axes)
    for (let axis = 0; axis < 3; axis++) {
      sums[axis]! += axes[axis]!
      squares[axis]! += axes[axis]! * axes[axis]!
    }
  }
  return sums.map((sum, axis) => ({ mean: sum / count, spread: Math.sqrt(Math.max(0, squares[axis]! / count - (sum / count) ** 2)) }))
}
