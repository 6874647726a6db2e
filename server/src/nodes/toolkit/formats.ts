/** File formats a node can write, and how good or small. */
import type { Sharp } from 'sharp'
import { Problem } from '../../domain/problem.ts'

export const formats = ['png', 'jpeg', 'webp', 'avif'] as const
export type Format = (typeof formats)[number]
export const formatTitles: Record<Format, string> = { png: 'PNG', jpeg: 'JPEG', webp: 'WebP', avif: 'AVIF' }

/** Whether a format can be clear in places. */
export const hasAlpha = (format: Format): boolean => format !== 'jpeg'
export const formatOf = (mime: string): Format => formats.find(format => mime === `image/${format}`) ?? 'png'

/** Pixels a side that a format can say. */
export const sideMax: Record<Format, number> = { png: 65_535, jpeg: 65_535, webp: 16_383, avif: 16_384 }

/** @throws {Problem} `bad_request` for a format that cannot hold a picture of this size */
export function checkSide(format: Format, { width, height }: { width: number; height: number }): void {
  if (Math.max(width, height) > sideMax[format]) throw new Problem('bad_request', `${formatTitles[format]} holds ${sideMax[format]} pixels a side, and this picture has ${width} × ${height}. Make it smaller first, or take another format.`, { field: 'format', value: format })
}

/**
 * A picture in a format. `quality` is 1 to 100; 100 is without loss where the format knows such a thing. A PNG below 100 has fewer colours.
 *
 * What decides the bytes is said here and not left to the library's defaults: results are known by their content.
 */
export function encode(picture: Sharp, format: Format, quality: number): Sharp {
  switch (format) {
    case 'png': return quality >= 100 ? picture.png({ compressionLevel: 9 }) : picture.png({ palette: true, quality, effort: 7, compressionLevel: 9 })
    case 'jpeg': return picture.jpeg({ quality, mozjpeg: true, chromaSubsampling: quality >= 90 ? '4:4:4' : '4:2:0' })
    case 'webp': return picture.webp(quality >= 100 ? { lossless: true, effort: 4 } : { quality, effort: 4, smartSubsample: true })
    case 'avif': return picture.avif(quality >= 100 ? { lossless: true, effort: 3 } : { quality, effort: 3 })
  }
}
