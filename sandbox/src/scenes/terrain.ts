/**
 * Land seen from eye height, drawn front to back over a height field ("voxel space"), with mirrored water.
 *
 * One pass over distance, a column's horizon rising as it goes: a few hundred milliseconds for a whole range of
 * mountains, which no triangle drawing in plain JavaScript comes near.
 */
import type { Canvas } from '../kernel/canvas.ts'
import { fromPixels, makeCanvas, readPixels, release, resizeCanvas } from '../kernel/canvas.ts'
import type { Rgb } from '../kernel/colour.ts'
import { clamp, lerp, mix, multiply, scale, smooth } from '../kernel/colour.ts'
import { exp, length, pow } from '../kernel/math.ts'
import { fbm, noise2, ridge } from '../kernel/noise.ts'
import type { Time } from '../plan/words/phrases.ts'
import { daylights } from './daylight.ts'
import type { Daylight } from './daylight.ts'
import { paintSky } from './sky.ts'

export type Land = 'alpine' | 'snow' | 'hills' | 'dunes'

export interface TerrainOptions {
  land: Land
  seed: number
  time: Time
  /** Height of the horizon, 0 at the top. */
  horizon: number
  sunX: number
  sunY?: number | undefined
  clouds?: number
  hasWater?: boolean
  amplitude?: number
  autumn?: boolean
}

const workSide = 1100

const heights: Record<Land, (x: number, z: number, seed: number) => number> = {
  alpine: (x, z, seed) => ridge(x * 0.16, z * 0.16, seed, 6) * 3.4 * smooth(3, 10, z) + fbm(x * 0.4, z * 0.4, seed + 3, 4) * 0.7 - 1,
  snow: (x, z, seed) => ridge(x * 0.15, z * 0.15, seed, 6) * 3.4 * smooth(2, 9, z) + fbm(x * 0.4, z * 0.4, seed + 3, 4) * 0.6 - 0.7,
  hills: (x, z, seed) => fbm(x * 0.16, z * 0.16, seed, 4) * 2.6 * smooth(0, 9, z) + fbm(x * 0.6, z * 0.6, seed + 9, 3) * 0.22 - 0.6,
  dunes: (x, z, seed) => {
    const bend = x * 0.35 + fbm(x * 0.2, z * 0.2, seed, 3) * 3
    const phase = z * 0.42 + bend - Math.floor(z * 0.42 + bend)
    // A long windward slope, a short slip face.
    const rise = phase < 0.72 ? phase / 0.72 : (1 - phase) / 0.28
    return rise * rise * (3 - 2 * rise) * 0.55 * (0.4 + fbm(x * 0.12, z * 0.12, seed + 4, 3)) + fbm(x * 0.15, z * 0.15, seed + 2, 3) * 1.6 * smooth(0, 12, z) - 0.5
  },
}

function groundColour(land: Land, x: number, z: number, height: number, slope: number, seed: number, autumn: boolean): Rgb {
  const grain = fbm(x * 2.3, z * 2.3, seed + 40, 3)
  switch (land) {
    case 'dunes': return mix([214, 160, 96], [240, 196, 136], grain)
    case 'snow': return slope > 0.62 ? mix([196, 206, 222], [226, 231, 240], grain) : mix([92, 96, 106], [140, 146, 156], grain)
    case 'hills': {
      const grass = autumn ? mix([150, 108, 44], [204, 156, 70], grain) : mix([70, 118, 46], [122, 158, 62], grain)
      return mix(grass, [168, 168, 84], smooth(0.4, 0.8, fbm(x * 0.5, z * 0.5, seed + 70, 3)) * 0.6)
    }
    case 'alpine': {
      const snow = smooth(0.95, 1.35, height + grain * 0.5) * smooth(0.5, 0.68, slope)
      const rock = mix([88, 80, 74], [134, 124, 116], grain)
      const grass = autumn ? mix([128, 84, 36], [190, 134, 56], grain) : mix([52, 84, 40], [98, 122, 56], grain)
      return mix(mix(grass, rock, clamp(smooth(0.82, 0.6, slope) * smooth(0, 0.4, height) + smooth(0.5, 0.9, height))), [244, 248, 255], clamp(snow))
    }
  }
}

const openSky = 0
const water = 1
const ground = 2

/** Fills `data` with land; returns for every pixel whether it is sky, water or ground. */
function drawLand(data: Uint8ClampedArray, width: number, height: number, options: TerrainOptions, day: Daylight): Uint8Array {
  const { land, seed, time, horizon, sunX, hasWater = false, amplitude = 1, autumn = false } = options
  const noise = seed % 1000
  const heightAt = (x: number, z: number): number => heights[land](x, z, noise) * amplitude
  const what = new Uint8Array(width * height)
  const eye = hasWater ? 0.85 : 1.15
  // On a tall picture the horizon must not lift the near ground out of view.
  const focal = 0.9 * Math.min(height, width * 1.6)
  const horizonY = horizon * height
  const top = new Int32Array(width).fill(height)
  const lx = (sunX - 0.5) * 2
  const ly = time === 'sunset' || time === 'pink' ? 0.5 : 0.9
  const lz = 0.45
  const lightLength = length(lx, ly, lz)
  const fogReach = land === 'dunes' ? 30 : 26
  const shiftX = noise % 61
  for (let z = 0.9, step = 0.012; z < 48; z += step, step *= 1.0075) {
    const fog = 1 - exp(-pow(z / fogReach, 1.6))
    const reach = focal / z
    for (let column = 0; column < width; column++) {
      const x = ((column - width / 2) / focal) * z * 1.05 + shiftX
      let y = heightAt(x, z)
      const isWater = hasWater && y < 0
      if (isWater) y = 0
      const screenY = Math.max(0, Math.floor(horizonY - (y - eye) * reach))
      const until = top[column]!
      if (screenY >= until) continue
      let colour: Rgb | null = null
      if (!isWater) {
        const e = 0.03 + z * 0.004
        const nx = heightAt(x - e, z) - heightAt(x + e, z)
        const nz = heightAt(x, z - e) - heightAt(x, z + e)
        const ny = 2 * e
        const normal = length(nx, ny, nz)
        const facing = clamp((nx * lx + ny * ly + nz * lz * 0.4) / (normal * lightLength))
        const base = groundColour(land, x, z, y, ny / normal, noise, autumn)
        const lit: Rgb = [0, 1, 2].map((c) => (day.ambient[c]! / 255) * 0.62 + (day.key[c]! / 255) * facing * day.strength * 0.95) as Rgb
        colour = mix([base[0] * lit[0], base[1] * lit[1], base[2] * lit[2]], day.haze, fog)
      }
      for (let row = screenY; row < until; row++) {
        const at = row * width + column
        what[at] = colour ? ground : water
        if (!colour) continue
        data[at * 4] = colour[0]
        data[at * 4 + 1] = colour[1]
        data[at * 4 + 2] = colour[2]
      }
      top[column] = screenY
    }
  }
  return what
}

/** Water mirrors what stands above the horizon, bent by ripples, darker towards the viewer. */
function drawWater(data: Uint8ClampedArray, width: number, height: number, what: Uint8Array, options: TerrainOptions, day: Daylight): void {
  const horizonY = Math.round(options.horizon * height)
  const noise = options.seed % 1000
  const deep = mix([18, 52, 66], scale(day.haze, 0.45), 0.35)
  for (let y = horizonY; y < height; y++) {
    const t = (y - horizonY) / (height - horizonY)
    const far = 1 / (t + 0.02)
    for (let x = 0; x < width; x++) {
      if (what[y * width + x] !== water) continue
      const swell = fbm((x / width) * 9 * far * 0.35, far * 3.2, noise + 90, 3) - 0.5
      const ripple = noise2((x / width) * 60, t * 40 * (0.4 + t) + far, noise + 93) - 0.5
      const mirrorY = clamp(Math.round(horizonY - (y - horizonY) * 0.92 + swell * height * 0.05 * (0.3 + t)), 0, horizonY - 1)
      const mirrorX = clamp(Math.round(x + ripple * width * 0.012 * (0.3 + t)), 0, width - 1)
      const from = (mirrorY * width + mirrorX) * 4
      const at = (y * width + x) * 4
      const mirrored = 0.72 - 0.45 * t
      const aside = Math.abs(x / width - options.sunX)
      const glitter = aside < 0.12 && swell + ripple > 0.22 ? 0.5 * (1 - aside / 0.12) : 0
      for (let c = 0; c < 3; c++) data[at + c] = lerp(lerp(deep[c]!, data[from + c]!, mirrored) + ripple * 12 * t, day.sun[c]!, glitter)
    }
  }
}

/** Sky, land and water together, opaque. */
export function paintLandscape(width: number, height: number, options: TerrainOptions): Canvas {
  const shrink = Math.min(1, Math.max(workSide / Math.max(width, height), Math.sqrt((workSide * workSide) / 2 / (width * height))))
  const w = Math.max(1, Math.round(width * shrink))
  const h = Math.max(1, Math.round(height * shrink))
  const day = daylights[options.time]
  const skyHeight = Math.max(1, Math.round(h * Math.min(1, options.horizon + 0.12)))
  const canvas = makeCanvas(w, h)
  const sky = paintSky(w, skyHeight, { time: options.time, seed: options.seed, sunX: options.sunX, clouds: options.clouds ?? 0.5, ...(options.sunY === undefined ? {} : { sunY: options.sunY }) })
  canvas.getContext('2d').drawImage(sky, 0, 0)
  release(sky)
  const data = readPixels(canvas)
  const what = drawLand(data, w, h, options, day)
  for (let i = 0; i < what.length; i++) {
    data[i * 4 + 3] = 255
    if (what[i] === openSky && i >= skyHeight * w) for (let c = 0; c < 3; c++) data[i * 4 + c] = day.haze[c]!
  }
  if (options.hasWater) drawWater(data, w, h, what, options, day)
  const small = fromPixels(data, w, h)
  release(canvas)
  const result = resizeCanvas(small, width, height)
  if (result !== small) release(small)
  return result
}

/** Sunlight's colour on a surface, for what is drawn by hand before the land. */
export const sunlit = (colour: Rgb, day: Daylight, k = 1): Rgb => scale(multiply(colour, day.key), k * day.strength)
