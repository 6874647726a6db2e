/**
 * Finds the subject of a photo without a model: what differs from the border, and is hard to reach from it.
 *
 * Good on a plain ground, doubtful on a busy one; `confidence` says which it was. Worked out at 320 px.
 */
import { blurCanvas, makeCanvas, readPixels, resizeCanvas, shadePixels } from '../kernel/canvas.ts'
import type { Canvas } from '../kernel/canvas.ts'
import { clamp, smooth } from '../kernel/colour.ts'

export interface Cutout {
  /** Its alpha is the mask, as large as the photo. */
  mask: Canvas
  /** 0 to 1; below 0.5 doubtful. */
  confidence: number
}

const workSide = 320
const borderColours = 7

export function segment(canvas: Canvas): Cutout {
  const shrink = Math.min(1, workSide / Math.max(canvas.width, canvas.height))
  const width = Math.max(8, Math.round(canvas.width * shrink))
  const height = Math.max(8, Math.round(canvas.height * shrink))
  const pixels = readPixels(resizeCanvas(canvas, width, height))
  const transparent = ownAlpha(pixels)
  if (transparent > 0.03) return { mask: canvas, confidence: 0.95 }

  const lab = labOf(pixels)
  const border = borderOf(width, height)
  const strangeness = distanceToPalette(lab, paletteOf(lab, border))
  const effort = effortFromBorder(lab, strangeness, width, height)
  const score = new Float32Array(width * height)
  let scoreMax = 1e-6
  for (let i = 0; i < score.length; i++) {
    score[i] = Math.min(1, effort[i]! * 0.55) + strangeness[i]! * 2.2
    scoreMax = Math.max(scoreMax, score[i]!)
  }
  const { threshold, separation } = otsu(score, scoreMax)
  const inside = new Uint8Array(score.length)
  for (let i = 0; i < score.length; i++) inside[i] = score[i]! > threshold * scoreMax * 0.82 ? 1 : 0
  keepMainParts(inside, width, height)
  fillHoles(inside, strangeness, width, height)

  const share = inside.reduce((sum, each) => sum + each, 0) / inside.length
  const touching = border.filter((i) => inside[i]).length / border.length
  const restless = border.reduce((sum, i) => sum + strangeness[i]!, 0) / border.length
  const confidence = clamp(smooth(0.42, 0.1, varietyOf(lab, border)) * smooth(0.45, 0.85, separation) * smooth(0.004, 0.02, share) * smooth(0.9, 0.6, share)
    * smooth(0.45, 0.08, touching) * smooth(0.16, 0.035, restless) * smooth(0.02, 0.16, scoreMax))
  return { mask: maskFrom(inside, width, height, canvas.width, canvas.height), confidence: Math.round(confidence * 100) / 100 }
}

/** The part of a picture that is already cut out. */
function ownAlpha(pixels: Uint8ClampedArray): number {
  let clear = 0
  for (let i = 3; i < pixels.length; i += 4) if (pixels[i]! < 128) clear++
  return clear / (pixels.length / 4)
}

/** Oklab, with colour counting for more than light: shadows belong to the ground. */
function labOf(pixels: Uint8ClampedArray): Float32Array {
  const lab = new Float32Array((pixels.length / 4) * 3)
  for (let i = 0, k = 0; i < pixels.length; i += 4, k += 3) {
    const r = (pixels[i]! / 255) ** 2
    const g = (pixels[i + 1]! / 255) ** 2
    const b = (pixels[i + 2]! / 255) ** 2
    const l = Math.cbrt(0.4122 * r + 0.5363 * g + 0.0514 * b)
    const m = Math.cbrt(0.2119 * r + 0.6807 * g + 0.1074 * b)
    const s = Math.cbrt(0.0883 * r + 0.2817 * g + 0.63 * b)
    lab[k] = (0.2104 * l + 0.7936 * m - 0.0041 * s) * 0.8
    lab[k + 1] = (1.978 * l - 2.4286 * m + 0.4506 * s) * 2.2
    lab[k + 2] = (0.0259 * l + 0.7828 * m - 0.8087 * s) * 2.2
  }
  return lab
}

const square = (lab: Float32Array, i: number, [l, a, b]: number[]) => (lab[i * 3]! - l!) ** 2 + (lab[i * 3 + 1]! - a!) ** 2 + (lab[i * 3 + 2]! - b!) ** 2

function borderOf(width: number, height: number): number[] {
  const rim = Math.max(2, Math.round(Math.min(width, height) * 0.03))
  const border: number[] = []
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
    if (x < rim || x >= width - rim || y < rim || y >= height - rim) border.push(y * width + x)
  }
  return border
}

/** k-means over the border, started at quantiles of light so that it always ends the same. */
function paletteOf(lab: Float32Array, border: number[]): number[][] {
  const sorted = [...border].sort((a, b) => lab[a * 3]! - lab[b * 3]! || a - b)
  let centres = Array.from({ length: borderColours }, (_, n) => {
    const i = sorted[Math.floor(((n + 0.5) / borderColours) * sorted.length)]!
    return [lab[i * 3]!, lab[i * 3 + 1]!, lab[i * 3 + 2]!]
  })
  for (let round = 0; round < 8; round++) {
    const sums = centres.map(() => [0, 0, 0, 0])
    for (const i of sorted) {
      let best = 0
      for (let n = 1; n < centres.length; n++) if (square(lab, i, centres[n]!) < square(lab, i, centres[best]!)) best = n
      for (let channel = 0; channel < 3; channel++) sums[best]![channel]! += lab[i * 3 + channel]!
      sums[best]![3]!++
    }
    centres = centres.map((centre, n) => (sums[n]![3] ? [sums[n]![0]! / sums[n]![3]!, sums[n]![1]! / sums[n]![3]!, sums[n]![2]! / sums[n]![3]!] : centre))
  }
  return centres
}

/** How much the border's colours differ among themselves: a plain ground has next to none. */
function varietyOf(lab: Float32Array, border: number[]): number {
  const mean = [0, 1, 2].map((channel) => border.reduce((sum, i) => sum + lab[i * 3 + channel]!, 0) / border.length)
  return Math.sqrt(border.reduce((sum, i) => sum + square(lab, i, mean), 0) / border.length)
}

function distanceToPalette(lab: Float32Array, palette: number[][]): Float32Array {
  const distance = new Float32Array(lab.length / 3)
  for (let i = 0; i < distance.length; i++) {
    let least = Infinity
    for (const centre of palette) least = Math.min(least, square(lab, i, centre))
    distance[i] = Math.sqrt(least)
  }
  return distance
}

const neighbours = [[1, 0], [-1, 0], [0, 1], [0, -1]] as const

function* around(i: number, width: number, height: number): Generator<number> {
  const x = i % width
  const y = (i / width) | 0
  for (const [dx, dy] of neighbours) if (x + dx >= 0 && y + dy >= 0 && x + dx < width && y + dy < height) yield i + dy * width + dx
}

/** How much contrast must be crossed to come here from the edge of the picture (Dijkstra in buckets). */
function effortFromBorder(lab: Float32Array, strangeness: Float32Array, width: number, height: number): Float64Array {
  // Double precision: rounded costs would look cheaper again and again, and the buckets never empty.
  const effort = new Float64Array(width * height).fill(1e9)
  const step = 0.012
  const buckets: number[][] = Array.from({ length: 1024 }, () => [])
  for (let i = 0; i < effort.length; i++) {
    const x = i % width
    const y = (i / width) | 0
    if (x && y && x < width - 1 && y < height - 1) continue
    effort[i] = 0
    buckets[0]!.push(i)
  }
  for (let b = 0; b < buckets.length; b++) {
    const bucket = buckets[b]!
    for (let q = 0; q < bucket.length; q++) {
      const i = bucket[q]!
      if (effort[i]! < (b - 1) * step) continue
      const x = i % width
      const y = (i / width) | 0
      for (const [dx, dy] of neighbours) {
        if (x + dx < 0 || y + dy < 0 || x + dx >= width || y + dy >= height) continue
        const j = i + dy * width + dx
        const contrast = Math.sqrt((lab[i * 3]! - lab[j * 3]!) ** 2 + (lab[i * 3 + 1]! - lab[j * 3 + 1]!) ** 2 + (lab[i * 3 + 2]! - lab[j * 3 + 2]!) ** 2)
        const cost = effort[i]! + Math.max(0, contrast - 0.012) * 0.8 + strangeness[j]! * 0.06 + 0.0006
        if (cost >= effort[j]!) continue
        effort[j] = cost
        buckets[Math.min(buckets.length - 1, (cost / step) | 0)]!.push(j)
      }
    }
  }
  return effort
}

/** The threshold (0 to 1 of the maximum) that parts the scores best, and how well: between-class over total variance. */
function otsu(score: Float32Array, scoreMax: number): { threshold: number; separation: number } {
  const histogram = new Float32Array(256)
  let sum = 0
  let squares = 0
  for (const value of score) {
    const bin = Math.min(255, ((value / scoreMax) * 255) | 0)
    histogram[bin]!++
    sum += bin
    squares += bin * bin
  }
  const count = score.length
  let below = 0
  let sumBelow = 0
  let best = { threshold: 0, between: 0 }
  for (let bin = 0; bin < 256; bin++) {
    below += histogram[bin]!
    sumBelow += bin * histogram[bin]!
    if (!below || below === count) continue
    const gap = sumBelow / below - (sum - sumBelow) / (count - below)
    const between = (below / count) * ((count - below) / count) * gap * gap
    if (between > best.between) best = { threshold: bin / 255, between }
  }
  const variance = squares / count - (sum / count) ** 2
  return { threshold: best.threshold, separation: variance > 0 ? best.between / variance : 0 }
}

/** Drops specks: only parts near in weight to the heaviest stay, and the middle weighs more. */
function keepMainParts(inside: Uint8Array, width: number, height: number): void {
  const label = new Int32Array(inside.length).fill(-1)
  const weights: number[] = []
  for (let start = 0; start < inside.length; start++) {
    if (!inside[start] || label[start]! >= 0) continue
    const name = weights.length
    const stack = [start]
    label[start] = name
    let count = 0
    let sumX = 0
    let sumY = 0
    while (stack.length) {
      const i = stack.pop()!
      count++
      sumX += i % width
      sumY += (i / width) | 0
      for (const j of around(i, width, height)) if (inside[j] && label[j]! < 0) {
        label[j] = name
        stack.push(j)
      }
    }
    const offX = sumX / count / width - 0.5
    const offY = sumY / count / height - 0.5
    weights.push(count * (1.3 - Math.sqrt(offX * offX + offY * offY)))
  }
  const heaviest = Math.max(1, ...weights)
  for (let i = 0; i < inside.length; i++) if (inside[i] && weights[label[i]!]! < heaviest * 0.14) inside[i] = 0
}

/** Fills what the ground cannot reach, except holes that look like the ground (a mug's handle). */
function fillHoles(inside: Uint8Array, strangeness: Float32Array, width: number, height: number): void {
  const ground = new Uint8Array(inside.length)
  const stack: number[] = []
  for (let i = 0; i < inside.length; i++) {
    const x = i % width
    const y = (i / width) | 0
    if (inside[i] || (x && y && x < width - 1 && y < height - 1)) continue
    ground[i] = 1
    stack.push(i)
  }
  while (stack.length) for (const j of around(stack.pop()!, width, height)) if (!inside[j] && !ground[j]) {
    ground[j] = 1
    stack.push(j)
  }
  for (let i = 0; i < inside.length; i++) if (!inside[i] && !ground[i] && strangeness[i]! > 0.05) inside[i] = 1
}

function maskFrom(inside: Uint8Array, width: number, height: number, fullWidth: number, fullHeight: number): Canvas {
  const small = shadePixels(makeCanvas(width, height), (data) => {
    for (let i = 0; i < inside.length; i++) data[i * 4 + 3] = inside[i]! * 255
  })
  return shadePixels(resizeCanvas(blurCanvas(small, 0.9), fullWidth, fullHeight), (data) => {
    for (let i = 3; i < data.length; i += 4) data[i] = 255 * smooth(0.42, 0.72, data[i]! / 255)
  })
}
