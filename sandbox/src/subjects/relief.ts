/** Gives a flat icon body: its outline is blown up like a cushion and lit by the scene. */
import { readPixels, shadePixels } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import type { Rgb } from '../kernel/colour.ts'
import { clamp, hsl, lerp, luminance, mix, rgbToHsl, smooth } from '../kernel/colour.ts'
import { pow } from '../kernel/math.ts'
import { noise2 } from '../kernel/noise.ts'
import type { Box, Light } from '../scenes/scene.ts'

/** Two passes of a box filter, both ways. */
function soften(source: Float32Array, width: number, height: number, radius: number): Float32Array {
  const result = new Float32Array(source.length)
  const rows = new Float32Array(source.length)
  const span = 2 * radius + 1
  let from = source
  for (let pass = 0; pass < 2; pass++) {
    for (let y = 0; y < height; y++) {
      let sum = 0
      for (let x = -radius; x <= radius; x++) sum += from[y * width + clamp(x, 0, width - 1)]!
      for (let x = 0; x < width; x++) {
        rows[y * width + x] = sum / span
        sum += from[y * width + Math.min(width - 1, x + radius + 1)]! - from[y * width + Math.max(0, x - radius)]!
      }
    }
    for (let x = 0; x < width; x++) {
      let sum = 0
      for (let y = -radius; y <= radius; y++) sum += rows[clamp(y, 0, height - 1) * width + x]!
      for (let y = 0; y < height; y++) {
        result[y * width + x] = sum / span
        sum += rows[Math.min(height - 1, y + radius + 1) * width + x]! - rows[Math.max(0, y - radius) * width + x]!
      }
    }
    from = result
  }
  return result
}

export function relight(canvas: Canvas, light: Light, seed: number): Canvas {
  return shadePixels(canvas, (data, width, height) => {
    const size = width * height
    const alpha = new Float32Array(size)
    const tone = new Float32Array(size)
    for (let i = 0; i < size; i++) {
      alpha[i] = data[i * 4 + 3]! / 255
      tone[i] = alpha[i]! * (luminance([data[i * 4]!, data[i * 4 + 1]!, data[i * 4 + 2]!]) / 255)
    }
    const blur = (share: number): Float32Array => soften(alpha, width, height, Math.max(1, Math.floor(width * share)))
    const rim = blur(0.012)
    const edge = blur(0.035)
    const body = blur(0.09)
    const relief = soften(tone, width, height, Math.max(1, Math.floor(width * 0.006)))
    const high = new Float32Array(size)
    for (let i = 0; i < size; i++) {
      if (!alpha[i]) continue
      high[i] = (Math.sqrt(Math.max(0, rim[i]! - 0.5) * 2) * 0.25 + Math.sqrt(Math.max(0, edge[i]! - 0.35) / 0.65) * 0.5 + Math.sqrt(Math.max(0, body[i]! - 0.2) / 0.8) * 0.9) * 0.16 + relief[i]! * 0.02
    }
    const keyLength = Math.sqrt(light.key[0] ** 2 + light.key[1] ** 2 + light.key[2] ** 2)
    const lx = light.key[0] / keyLength
    const ly = light.key[1] / keyLength
    const lz = Math.max(0.35, light.key[2] / keyLength)
    const half = 1 / Math.sqrt(lx * lx + ly * ly + (lz + 1) ** 2)
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const i = y * width + x
        if (!data[i * 4 + 3]) continue
        let nx = (high[y * width + Math.max(0, x - 1)]! - high[y * width + Math.min(width - 1, x + 1)]!) * width * 0.5
        let ny = -(high[Math.max(0, y - 1) * width + x]! - high[Math.min(height - 1, y + 1) * width + x]!) * width * 0.5
        nx = clamp(nx, -2.2, 2.2)
        ny = clamp(ny, -2.2, 2.2)
        const n = 1 / Math.sqrt(nx * nx + ny * ny + 1)
        nx *= n
        ny *= n
        const nz = n
        const diffuse = clamp((nx * lx + ny * ly + nz * lz + 0.25) / 1.25)
        const ambient = mix(light.ground, light.sky, 0.5 + 0.5 * ny)
        const gloss = pow(clamp((nx * lx + ny * ly + nz * (lz + 1)) * half), 38) * 0.42
        const rimLight = pow(1 - nz, 2.2) * 0.4
        const grain = 1 + (noise2(x * 0.9, y * 0.9, seed % 1000) - 0.5) * 0.05
        for (let c = 0; c < 3; c++) {
          const own = data[i * 4 + c]! / 255
          const lit = (light.colour[c]! / 255) * diffuse * 0.92 * (light.strength / 2.2) + (ambient[c]! / 255) * 0.5
          data[i * 4 + c] = clamp((own * lit * grain + (gloss * light.colour[c]! * 0.8) / 255 + (rimLight * (light.rim ?? light.sky)[c]! * 0.35) / 255) * 255, 0, 255)
        }
      }
    }
  })
}

/** Turns the icon's main hue into `colour`, leaving the others. */
export function recolour(canvas: Canvas, colour: Rgb): Canvas {
  const [hue, saturation, lightness] = rgbToHsl(colour)
  return shadePixels(canvas, (data) => {
    const votes = new Float64Array(36)
    for (let i = 0; i < data.length; i += 4) {
      if (data[i + 3]! < 128) continue
      const [h, s, l] = rgbToHsl([data[i]!, data[i + 1]!, data[i + 2]!])
      if (s > 0.2 && l > 0.12 && l < 0.92) votes[Math.floor(h / 10) % 36]! += s
    }
    const most = Math.max(...votes)
    const main = votes.indexOf(most) * 10 + 5
    const isGrey = most < 20
    for (let i = 0; i < data.length; i += 4) {
      if (!data[i + 3]) continue
      const [h, s, l] = rgbToHsl([data[i]!, data[i + 1]!, data[i + 2]!])
      const share = isGrey ? 1 : smooth(60, 25, Math.abs(((h - main + 540) % 360) - 180)) * smooth(0.08, 0.25, s)
      if (share <= 0) continue
      const isDull = saturation < 0.08
      const wished = hsl(hue, isDull ? saturation : lerp(saturation, s, 0.3), clamp(isDull ? lerp(lightness, l, 0.35) : lerp(l, lightness, 0.35)))
      for (let c = 0; c < 3; c++) data[i + c] = lerp(data[i + c]!, wished[c]!, share)
    }
  })
}

/** The box of what is visible, in pixels. */
export function inkBox(canvas: Canvas): Box {
  const { width, height } = canvas
  const data = readPixels(canvas)
  let [left, top, right, bottom] = [width, height, -1, -1]
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[(y * width + x) * 4 + 3]! <= 24) continue
      if (x < left) left = x
      if (x > right) right = x
      if (y < top) top = y
      bottom = y
    }
  }
  return right < 0 ? [0, 0, width, height] : [left, top, right + 1, bottom + 1]
}
