/**
 * How alike two pictures are: pixel by pixel, by structure (SSIM), and by how they look from afar (a perceptual hash).
 *
 * All three take decoded pictures of one size. The first works in strips: what it draws is held once more for a strip and not for the whole.
 */
import { setImmediate } from 'node:timers/promises'
import pixelmatch from 'pixelmatch'
import { ssim } from 'ssim.js'
import type { Plate } from '../contract.ts'
import { fromPixels } from './pixels.ts'

export interface Difference { /** Pixels that differ. */ count: number; /** The second picture in grey, with what differs in red. */ overlay: Plate }

const stripRows = 128
/** How far around a pixel is looked to tell an edge that was drawn a little softer from a change. */
const reach = 2
const colours = { diffColor: [226, 0, 58] as [number, number, number], aaColor: [255, 176, 0] as [number, number, number], alpha: 0.28 }

export async function differ(one: Plate, other: Plate, { tolerance, edges, signal }: { /** Colour distance, 0 to 1. */ tolerance: number; /** Whether softer edges count. */ edges: boolean; signal: AbortSignal }): Promise<Difference> {
  const { width, height } = other
  const overlay = Buffer.alloc(width * height * 4)
  let count = 0
  for (let top = 0; top < height; top += stripRows) {
    const [from, until] = [Math.max(0, top - reach), Math.min(height, top + stripRows + reach)]
    const [bottom, rows] = [Math.min(height, top + stripRows), until - from]
    // The rows around a strip are looked at and not counted: they are its neighbours' own.
    const ignoreMask = new Uint8Array(width * rows).fill(1)
    ignoreMask.fill(0, (top - from) * width, (bottom - from) * width)
    const drawn = Buffer.alloc(width * rows * 4)
    count += pixelmatch(strip(other, from, until), strip(one, from, until), drawn, width, rows, { threshold: tolerance, includeAA: edges, ignoreMask, ...colours })
    drawn.copy(overlay, top * width * 4, (top - from) * width * 4, (bottom - from) * width * 4)
    await setImmediate()
    signal.throwIfAborted()
  }
  return { count, overlay: { pixels: overlay, width, height } }
}

/** Whole words lie on places that four divides, so the rows are copied where they might not. */
const strip = ({ pixels, width }: Plate, from: number, until: number): Uint8Array => {
  const rows = pixels.subarray(from * width * 4, until * width * 4)
  return rows.byteOffset % 4 === 0 ? rows : new Uint8Array(rows)
}

const structureSide = 512
/** SSIM needs a window of eleven pixels. */
const structureSideMin = 16

/** Structural similarity, up to 1 for the same picture, of pictures no larger than 512 pixels a side. */
export async function similarity(one: Plate, other: Plate): Promise<number> {
  const shrink = Math.min(1, structureSide / Math.max(other.width, other.height))
  const size = { width: Math.max(structureSideMin, Math.round(other.width * shrink)), height: Math.max(structureSideMin, Math.round(other.height * shrink)) }
  const small = async (plate: Plate) => ({ ...size, data: new Uint8ClampedArray(await fromPixels(plate).flatten({ background: '#ffffff' }).resize({ ...size, fit: 'fill' }).ensureAlpha().raw().toBuffer()) })
  const [a, b] = await Promise.all([small(one), small(other)])
  return ssim(a, b, { downsample: false }).mssim
}

const [hashSide, hashBits] = [32, 8]
const cosines = Float64Array.from({ length: hashSide * (hashBits + 1) }, (_, index) => Math.cos((2 * (index % hashSide) + 1) * Math.floor(index / hashSide) * Math.PI / (2 * hashSide)))

/** A perceptual hash of 64 bits: the low frequencies of the picture in grey (a DCT), each above or below their median. */
export async function lookOf(plate: Plate): Promise<bigint> {
  const grey = await fromPixels(plate).flatten({ background: '#ffffff' }).greyscale().resize({ width: hashSide, height: hashSide, fit: 'fill' }).raw().toBuffer()
  const waves: number[] = []
  for (let v = 1; v <= hashBits; v++) {
    for (let u = 1; u <= hashBits; u++) {
      let sum = 0
      for (let y = 0; y < hashSide; y++) for (let x = 0; x < hashSide; x++) sum += grey[y * hashSide + x]! * cosines[u * hashSide + x]! * cosines[v * hashSide + y]!
      waves.push(sum)
    }
  }
  const median = waves.toSorted((a, b) => a - b)[waves.length / 2]!
  return waves.reduce((hash, wave) => hash << 1n | (wave >= median ? 1n : 0n), 0n)
}

/** Bits in which two hashes differ: 0 looks the same, about 32 has nothing to do with it. */
export const distance = (one: bigint, other: bigint): number => [...(one ^ other).toString(2)].filter(bit => bit === '1').length
