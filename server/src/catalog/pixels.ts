/**
 * How many pixels an order asks for. Pure.
 *
 * Google's edges are not a formula: they are looked up, and doubled for each size class. Ratios no page gives (the very long
 * ones) keep the area of one megapixel on edges that are multiples of 16.
 */
import type { Json } from '../domain/outcome.ts'

export interface Size { width: number; height: number }

const gemini3: Record<string, Size> = {
  '1:1': size(1024, 1024), '2:3': size(848, 1264), '3:2': size(1264, 848), '3:4': size(896, 1200), '4:3': size(1200, 896), '4:5': size(928, 1152), '5:4': size(1152, 928),
  '9:16': size(768, 1376), '16:9': size(1376, 768), '21:9': size(1584, 672), '1:4': size(512, 2048), '4:1': size(2048, 512), '1:8': size(384, 3072), '8:1': size(3072, 384),
}
const gemini25: Record<string, Size> = {
  '1:1': size(1024, 1024), '2:3': size(832, 1248), '3:2': size(1248, 832), '3:4': size(864, 1184), '4:3': size(1184, 864), '4:5': size(896, 1152), '5:4': size(1152, 896),
  '9:16': size(768, 1344), '16:9': size(1344, 768), '21:9': size(1536, 672),
}
const factors: Record<string, number> = { '512': 0.5, '1K': 1, '1.5K': 1.5, '2K': 2, '3K': 3, '4K': 4 }
/** The shorter side of a film. */
const shortSides: Record<string, number> = { '480p': 480, '720p': 720, '1080p': 1080, '4K': 2160 }

/** Tables a card may name in `x-pixels`: ratio and size class to pixels. */
export const tables: Record<string, (ratio: string, resolution: string | null) => Size> = {
  'gemini-2.5': (ratio, resolution) => scale(gemini25[ratio] ?? byArea(ratio), factors[resolution ?? '1K'] ?? 1),
  'gemini-3': (ratio, resolution) => scale(gemini3[ratio] ?? byArea(ratio), factors[resolution ?? '1K'] ?? 1),
  // One megapixel for 1K whatever the ratio, for models that think in areas or whose pages give no pixels.
  area: (ratio, resolution) => scale(byArea(ratio), factors[resolution ?? '1K'] ?? 1),
  // 1024 on the longer edge for 1K: ByteDance's, Alibaba's and Ideogram's named sizes (landscape_16_9 is 1024x576).
  'long-edge': (ratio, resolution) => byLongEdge(ratio, 1024 * (factors[resolution ?? '1K'] ?? 1)),
  'video-720p': (ratio, resolution) => film(ratio, shortSides[resolution ?? '720p'] ?? 720),
  // Three shapes when nothing else is asked for; a size in pixels is the parameter `size`.
  openai: ratio => { const wide = quotient(ratio); return wide > 1.25 ? size(1536, 1024) : wide < 0.8 ? size(1024, 1536) : size(1024, 1024) },
}

export interface SizeQuestion {
  /** The card's `x-pixels`; absent where the upstream decides. */
  table: Json | undefined
  /** `1536x1024`: pixels, where the model takes them; then ratio and size class do not matter. */
  size?: Json | undefined
  aspectRatio: Json | undefined
  resolution: Json | undefined
  /** Ratios `auto` may become. Empty: the first picture's own. */
  ratios: string[]
  /** The first picture that goes in. */
  first: { width: number | null; height: number | null } | null
}

/** The pixels asked for; null where the upstream decides. */
export function sizeOf({ table, size: wanted, aspectRatio, resolution, ratios, first }: SizeQuestion): Size | null {
  const pixels = typeof wanted === 'string' ? /^(\d{1,5})x(\d{1,5})$/.exec(wanted) : null
  if (pixels) return size(Number(pixels[1]), Number(pixels[2]))
  const sizes = typeof table === 'string' ? tables[table] : undefined
  if (!sizes) return null
  const ratio = typeof aspectRatio === 'string' && aspectRatio !== 'auto' ? aspectRatio : ratioOf(first, ratios)
  return sizes(ratio, typeof resolution === 'string' ? resolution : null)
}

/** What `auto` stands for: the allowed ratio nearest to the first picture's, 1:1 without a picture. */
export function ratioOf(first: SizeQuestion['first'], ratios: string[]): string {
  if (!first?.width || !first.height) return '1:1'
  const choices = ratios.filter(ratio => ratio !== 'auto')
  if (choices.length === 0) return `${first.width}:${first.height}`
  const wanted = Math.log(first.width / first.height)
  const distance = (ratio: string) => Math.abs(Math.log(quotient(ratio)) - wanted)
  return choices.reduce((best, ratio) => distance(ratio) < distance(best) ? ratio : best)
}

/** Size classes a result is priced by, from its longest side. */
export const tierOf = ({ width, height }: Size): '2K' | '4K' | '8K' => {
  const longest = Math.max(width, height)
  return longest <= 2048 ? '2K' : longest <= 4096 ? '4K' : '8K'
}

function size(width: number, height: number): Size { return { width, height } }

const scale = ({ width, height }: Size, factor: number): Size => size(width * factor, height * factor)

const quotient = (ratio: string): number => {
  const [width, height] = ratio.split(':').map(Number)
  return width! / height!
}

function byArea(ratio: string): Size {
  const edge = (exact: number) => Math.max(16, Math.round(exact / 16) * 16)
  return size(edge(1024 * Math.sqrt(quotient(ratio))), edge(1024 / Math.sqrt(quotient(ratio))))
}

function byLongEdge(ratio: string, long: number): Size {
  const wide = quotient(ratio)
  const short = Math.max(16, Math.round(long * Math.min(wide, 1 / wide)))
  return wide >= 1 ? size(long, short) : size(short, long)
}

/** Encoders want even edges. */
function film(ratio: string, short: number): Size {
  const even = (exact: number) => Math.max(2, Math.round(exact / 2) * 2)
  const wide = quotient(ratio)
  return wide >= 1 ? size(even(short * Math.min(wide, 4)), short) : size(short, even(short * Math.min(1 / wide, 4)))
}
