/** Filters that only change how colours are developed: black and white, vintage, duotone, cyberpunk. */
import { copyCanvas, shadePixels } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import { clamp, gradientAt, hsl, lerp, mix } from '../kernel/colour.ts'
import type { Stop } from '../kernel/colour.ts'
import { Random } from '../kernel/random.ts'
import { finishPhoto } from './finish.ts'
import { brightnessAt } from './pixels.ts'

const contrasted = (t: number, amount: number) => clamp(t + (t * t * (3 - 2 * t) - t) * amount)

export function blackAndWhite(canvas: Canvas, seed: number): Canvas {
  const grey = shadePixels(copyCanvas(canvas), (data) => {
    for (let i = 0; i < data.length; i += 4) {
      // As behind a light yellow filter: skies darken, skin stays clear.
      const value = contrasted((0.4 * data[i]! + 0.45 * data[i + 1]! + 0.15 * data[i + 2]!) / 255, 0.55) * 255
      data[i] = data[i + 1] = data[i + 2] = value
    }
  })
  return finishPhoto(grey, { seed, grain: 7, vignette: 0.35, bloom: 0.15 })
}

/** A print from the seventies: lifted blacks, weak blues, warm paper. */
export function vintage(canvas: Canvas, seed: number): Canvas {
  const faded = shadePixels(copyCanvas(canvas), (data) => {
    for (let i = 0; i < data.length; i += 4) {
      const grey = brightnessAt(data, i)
      data[i] = lerp(grey, data[i]!, 0.72) * 0.92 + 30
      data[i + 1] = lerp(grey, data[i + 1]!, 0.72) * 0.9 + 20
      data[i + 2] = lerp(grey, data[i + 2]!, 0.62) * 0.78 + 28
    }
  })
  return finishPhoto(faded, { seed, grain: 9, vignette: 0.42, bloom: 0.3 })
}

export function duotone(canvas: Canvas, seed: number): Canvas {
  const hue = new Random(seed).fork('duotone').range(0, 360)
  const dark = hsl(hue, 0.75, 0.2)
  const light = hsl(hue + 150, 0.85, 0.74)
  return shadePixels(copyCanvas(canvas), (data) => {
    for (let i = 0; i < data.length; i += 4) {
      const colour = mix(dark, light, contrasted(brightnessAt(data, i) / 255, 0.4))
      for (let channel = 0; channel < 3; channel++) data[i + channel] = colour[channel]!
    }
  })
}

const neonRamp: Stop[] = [[0, [10, 6, 34]], [0.5, [150, 30, 170]], [0.78, [70, 190, 250]], [1, [190, 255, 255]]]

export function cyberpunk(canvas: Canvas, seed: number): Canvas {
  const lit = shadePixels(copyCanvas(canvas), (data) => {
    for (let i = 0; i < data.length; i += 4) {
      const colour = gradientAt(neonRamp, contrasted(brightnessAt(data, i) / 255, 0.6))
      for (let channel = 0; channel < 3; channel++) data[i + channel] = lerp(data[i + channel]!, colour[channel]!, 0.66)
    }
  })
  return finishPhoto(lit, { seed, bloom: 0.5, grain: 4 })
}
