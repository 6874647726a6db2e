/** Changes of light and colour over a whole picture. */
import { copyCanvas, shadePixels } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import { pow } from '../kernel/math.ts'
import { brightnessAt, softened } from '../styles/pixels.ts'
import type { Tone } from './instruction.ts'

const curve = (value: (t: number) => number) => Uint8ClampedArray.from({ length: 256 }, (_, i) => value(i / 255) * 255)

const lighter = curve((t) => pow(t, 0.72))
const darker = curve((t) => pow(t, 1.12) * 0.72)
const steeper = curve((t) => t + (t * t * (3 - 2 * t) - t) * 0.8)

export function applyTone(canvas: Canvas, tone: Tone): Canvas {
  return shadePixels(copyCanvas(canvas), (data) => {
    for (let i = 0; i < data.length; i += 4) shade[tone](data, i)
  })
}

type Shade = (data: Uint8ClampedArray, i: number) => void

const through = (table: Uint8ClampedArray): Shade => (data, i) => {
  for (let channel = 0; channel < 3; channel++) data[i + channel] = table[data[i + channel]!]!
}

/** Moves colours away from (or towards) their own grey. */
const saturation = (amount: number): Shade => (data, i) => {
  const grey = brightnessAt(data, i)
  for (let channel = 0; channel < 3; channel++) data[i + channel] = grey + (data[i + channel]! - grey) * amount
}

const shade: Record<Tone, Shade> = {
  brighten: through(lighter),
  darken: through(darker),
  contrast: through(steeper),
  warm(data, i) {
    data[i] = data[i]! * 1.1
    data[i + 1] = data[i + 1]! * 1.015
    data[i + 2] = data[i + 2]! * 0.84
  },
  cool(data, i) {
    data[i] = data[i]! * 0.86
    data[i + 2] = data[i + 2]! * 1.12
  },
  saturate: saturation(1.45),
  mute: saturation(0.5),
  grayscale: saturation(0),
  sepia(data, i) {
    const grey = brightnessAt(data, i)
    data[i] = grey * 1.07 + 12
    data[i + 1] = grey * 0.93 + 6
    data[i + 2] = grey * 0.74
  },
  invert(data, i) {
    for (let channel = 0; channel < 3; channel++) data[i + channel] = 255 - data[i + channel]!
  },
}

/** Blurs as much as a portrait lens would, whatever the size. */
export const blurWhole = (canvas: Canvas): Canvas => softened(canvas, Math.max(canvas.width, canvas.height) * 0.009)

/** Unsharp mask, gentle enough not to ring. */
export function sharpen(canvas: Canvas, amount = 0.7): Canvas {
  const soft = softened(canvas, Math.max(1, Math.max(canvas.width, canvas.height) / 900))
  const blurred = soft.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data
  return shadePixels(copyCanvas(canvas), (data) => {
    for (let i = 0; i < data.length; i += 4) for (let channel = 0; channel < 3; channel++) data[i + channel] = data[i + channel]! + (data[i + channel]! - blurred[i + channel]!) * amount
  })
}
