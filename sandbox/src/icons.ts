/**
 * The long tail of things: one flat colour icon per code point (Noto, Apache-2.0), drawn at any size.
 *
 * The canvas reads SVG synchronously, so callers need no await. The whole set is one brotli file (some 1.5 MB), opened
 * at the first icon.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { brotliDecompressSync } from 'node:zlib'
import { makeCanvas } from './kernel/canvas.ts'
import type { Canvas } from './kernel/canvas.ts'

let bodies: Record<string, string> | undefined
const drawn = new Map<string, Canvas>()
/** About 40 MB at the usual 512 px. */
const drawnMax = 40

/** Whether there is an icon for this code point, written as in the lexicon: "1f680", "2764". */
export function hasIcon(codePoint: string): boolean {
  return codePoint in open()
}

/** The icon, `size` pixels square on nothing; null when there is none. The caller may draw on it. */
export function iconCanvas(codePoint: string, size: number): Canvas | null {
  const body = open()[codePoint]
  if (!body) return null
  const side = Math.max(1, Math.round(size))
  const key = `${codePoint}@${side}`
  let art = drawn.get(key)
  if (!art) {
    art = rasterise(body, side)
    if (drawn.size >= drawnMax) drawn.delete(drawn.keys().next().value!)
    if (side <= 1024) drawn.set(key, art)
  }
  const canvas = makeCanvas(side, side)
  canvas.getContext('2d').drawImage(art, 0, 0)
  return canvas
}

function rasterise(body: string, side: number): Canvas {
  // Required, not imported: `kernel/canvas.ts` must have switched the system fonts off first.
  const { Image } = createRequire(import.meta.url)('@napi-rs/canvas') as typeof import('@napi-rs/canvas')
  const image = new Image()
  image.src = Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 128 128" width="${side}" height="${side}">${body}</svg>`)
  const canvas = makeCanvas(side, side)
  canvas.getContext('2d').drawImage(image, 0, 0, side, side)
  return canvas
}

function open(): Record<string, string> {
  bodies ??= Object.assign(Object.create(null), JSON.parse(
    brotliDecompressSync(readFileSync(new URL('../assets/icons.json.br', import.meta.url))).toString('utf8'))) as Record<string, string>
  return bodies
}
