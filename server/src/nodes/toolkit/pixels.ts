/** What nodes that work on pictures have in common: colours, places, layers. */
import sharp, { type Blend, type OverlayOptions, type Sharp } from 'sharp'
import { Type } from 'typebox'
import type { Media } from '../../domain/graph/graph.ts'
import { Problem } from '../../domain/problem.ts'
import type { Bench, Plate } from '../contract.ts'

/** Largest picture a node makes: 256 MB once it is decoded. */
export const pixelsMax = 64_000_000
export const sideMax = 16_384

export const colourPattern = '^(#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?|transparent)$'
export const colourSetting = (standard: string, description: string) => Type.String({ pattern: colourPattern, default: standard, description: `${description} #rrggbb, #rrggbbaa or transparent.` })
export const readColour = (text: string) => text === 'transparent' ? { r: 0, g: 0, b: 0, alpha: 0 } : text

export const anchors = ['top_left', 'top', 'top_right', 'left', 'centre', 'right', 'bottom_left', 'bottom', 'bottom_right'] as const
export type Anchor = (typeof anchors)[number]
const shares: Record<Anchor, [across: number, down: number]> = {
  top_left: [0, 0], top: [0.5, 0], top_right: [1, 0], left: [0, 0.5], centre: [0.5, 0.5], right: [1, 0.5], bottom_left: [0, 1], bottom: [0.5, 1], bottom_right: [1, 1],
}

interface Size { width: number; height: number }

/** The corner of a thing that stands at an anchor of a room; `x` and `y` move it away from that side, or right and down of the middle. */
export function placeAt(anchor: Anchor, room: Size, thing: Size, { x = 0, y = 0 } = {}): { left: number; top: number } {
  const [across, down] = shares[anchor]
  return {
    left: Math.round((room.width - thing.width) * across + (across === 1 ? -x : x)),
    top: Math.round((room.height - thing.height) * down + (down === 1 ? -y : y)),
  }
}

/** A number of pixels, or a share of what it is measured by (`50%`). */
export const Measure = Type.Union([Type.Number({ minimum: -sideMax, maximum: sideMax }), Type.String({ pattern: '^-?\\d{1,4}(\\.\\d{1,3})?%$' })])
export const measure = (given: number | string, whole: number): number => Math.round(typeof given === 'number' ? given : Number(given.slice(0, -1)) / 100 * whole)

/** A picture of the project, the way round people see it. */
export const openPicture = async (bench: Pick<Bench, 'read'>, media: Media): Promise<Sharp> => sharp(await bench.read(media), { sequentialRead: true }).autoOrient()

/** As large as people see it. */
export async function sizeOf(picture: Sharp): Promise<Size> {
  const { autoOrient } = await picture.metadata()
  return { width: autoOrient.width, height: autoOrient.height }
}

/** Decoded: RGBA, not premultiplied. */
export async function pixelsOf(picture: Sharp): Promise<Plate> {
  const { data, info } = await picture.toColourspace('srgb').ensureAlpha().raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
  return { pixels: data, width: info.width, height: info.height }
}

/** A whole picture, decoded. @throws {Problem} `bad_request` for one that nobody could hold */
export async function decoded(bench: Pick<Bench, 'read'>, media: Media, max = pixelsMax): Promise<Plate> {
  const picture = await openPicture(bench, media)
  const { width, height } = await sizeOf(picture)
  if (width * height > max) throw new Problem('bad_request', `The picture has ${width} × ${height} pixels; this is done with up to ${max / 1e6} million. Put resize before it.`, { field: 'image' })
  return pixelsOf(picture)
}

export const fromPixels = ({ pixels, width, height }: Plate): Sharp => sharp(pixels, { raw: { width, height, channels: 4 } })

export const blends = ['over', 'multiply', 'screen', 'overlay', 'darken', 'lighten', 'colour-dodge', 'colour-burn', 'hard-light', 'soft-light', 'difference', 'exclusion', 'add', 'dest-in', 'dest-out'] as const satisfies Blend[]

export interface Layer extends Plate { left: number; top: number; blend?: Blend; /** 0 to 1. */ opacity?: number }

/** Refuses a canvas nobody could hold. @throws {Problem} `bad_request` */
export function checkCanvas({ width, height }: Size, field: string): void {
  if (width > sideMax || height > sideMax || width * height > pixelsMax) throw new Problem('bad_request', `This would make a picture of ${width} × ${height} pixels; at most ${pixelsMax / 1e6} million are made, ${sideMax} a side. Make it smaller.`, { field })
}

/** Lays pictures over a canvas, the first at the bottom. What hangs over its edge is cut off. */
export async function lay(canvas: Sharp, size: Size, layers: Layer[]): Promise<Sharp> {
  const overlays = (await Promise.all(layers.map(layer => cut(layer, size)))).filter(overlay => overlay !== null)
  return overlays.length === 0 ? canvas : canvas.composite(overlays)
}

/** The part of a layer that is on the canvas, faded; null where nothing of it is. */
async function cut({ left, top, blend = 'over', opacity = 1, ...plate }: Layer, canvas: Size): Promise<OverlayOptions | null> {
  const from = { left: Math.max(0, -left), top: Math.max(0, -top) }
  const width = Math.min(plate.width - from.left, canvas.width - Math.max(0, left))
  const height = Math.min(plate.height - from.top, canvas.height - Math.max(0, top))
  if (width <= 0 || height <= 0 || opacity === 0) return null
  const whole = width === plate.width && height === plate.height
  const { pixels } = whole ? plate : await pixelsOf(fromPixels(plate).extract({ ...from, width, height }))
  return { input: opacity === 1 ? pixels : faded(pixels, opacity), raw: { width, height, channels: 4 }, left: Math.max(0, left), top: Math.max(0, top), blend }
}

function faded(pixels: Buffer, opacity: number): Buffer {
  const copy = Buffer.from(pixels)
  for (let at = 3; at < copy.length; at += 4) copy[at] = Math.round(copy[at]! * opacity)
  return copy
}

/** An even canvas. */
export const blank = ({ width, height }: Size, colour: string): Sharp => sharp({ create: { width, height, channels: 4, background: readColour(colour) } })

/** A rectangle with round corners. */
export const card = ({ width, height }: Size, radius: number, colour: string): Promise<Plate> => pixelsOf(sharp(Buffer.from(
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><rect width="${width}" height="${height}" rx="${radius}" fill="${colour}"/></svg>`)))
