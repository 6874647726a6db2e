import { paintPixels } from '../kernel/canvas.ts'
import type { Rgb } from '../kernel/colour.ts'
import { clamp, hex, hsl, mix, rgbToHsl, scale, smooth } from '../kernel/colour.ts'
import { fbm } from '../kernel/noise.ts'
import { Random } from '../kernel/random.ts'
import { colours } from '../plan/words/colours.ts'
import { has } from './scene.ts'
import type { SceneMaker } from './scene.ts'

/** Poured paint: noise bent by noise, with a sheen along the folds. */
export const abstract: SceneMaker = (plan, width, height) => {
  const random = new Random(plan.seed).fork('abstract')
  const wished = plan.prompt.toLowerCase().split(/[^\p{L}\p{M}]+/u).map((word) => colours.get(word)).filter((colour) => colour !== undefined)
  const lightness = has(plan, 'pastel') ? [0.72, 0.8, 0.86, 0.93] : [0.14, 0.42, 0.6, 0.84]
  const hue = plan.background ? rgbToHsl(hex(plan.background))[0] : random.range(0, 360)
  const saturation = random.range(0.5, 0.78)
  // Neighbouring hues and one from across: rich, never a rainbow.
  const turns = [0, 26, 58, 196]
  const palette = lightness.map((level, index) => {
    const wish = wished[index % Math.max(1, wished.length)]
    if (!wish) return hsl(hue + turns[index]!, saturation, level)
    const [wishedHue, wishedSaturation] = rgbToHsl(hex(wish))
    return hsl(wishedHue, wishedSaturation, level)
  }) as [Rgb, Rgb, Rgb, Rgb]
  const aspect = width / height
  const zoom = random.range(0.8, 1.5)
  const noise = plan.seed % 71
  const shift = plan.seed % 30
  const canvas = paintPixels(width, height, 900, (u, v) => {
    const x = u * aspect * zoom + shift
    const y = v * zoom
    const q = fbm(x * 1.3, y * 1.3, noise, 4)
    const s = fbm(x * 1.3 + q * 3.2 + 1.7, y * 1.3 + q * 2.6 + 9.2, noise + 5, 4)
    const bentX = x + s * 3.2
    const bentY = y + s * 2.8
    const n = fbm(bentX, bentY, noise + 8, 5)
    let colour = mix(palette[0], palette[1], smooth(0.25, 0.6, n))
    colour = mix(colour, palette[2], smooth(0.35, 0.7, s) * 0.85)
    colour = mix(colour, palette[3], smooth(0.5, 0.75, q * 0.5 + n * 0.5) * 0.8)
    const fold = fbm(bentX + 0.004, bentY, noise + 8, 3) - fbm(bentX - 0.004, bentY, noise + 8, 3)
    return scale(colour, 1 + clamp(fold * 26, -0.35, 0.5))
  })
  return {
    layers: [{ name: 'far', depth: 1, canvas }],
    light: { key: [0.5, 1, 0.7], colour: [255, 245, 235], strength: 2.2, sky: palette[2], ground: palette[1], haze: palette[3], ambient: 1.05, studio: true },
    groundY: 0.84,
    subjectScale: 0.6,
    bloom: 0.2,
  }
}
