/** Laying pictures, texts and rectangles over each other, one picture for each record. */
import type { Blend } from 'sharp'
import type { Media } from '../../domain/graph/graph.ts'
import { isMedia } from '../../domain/graph/values.ts'
import type { Paint } from '../../domain/layers.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import type { Bench, Plate, TypeOptions } from '../contract.ts'
import { blank, checkCanvas, fromPixels, lay, measure, openPicture, pixelsOf, placeAt, type Anchor, type Layer } from './pixels.ts'
import { fillWords, lookUp } from './words.ts'

/** Pictures made at a time. */
const atOnce = 2
/** Of all layers of a picture together: 400 MB. */
const layerPixelsMax = 100_000_000
/** Where nothing is said, a text fills a line or two and not the picture. */
const textRoom = ['90%', '25%']

interface Size { width: number; height: number }

/** A layer as it is to be drawn. Measures are pixels, or shares of the whole. */
export interface LayerSpec {
  /** What it is called when something is wrong with it. */
  field?: string
  /** One of these: a picture by name or itself, a text with `{{names}}` (`words`: one that is taken as it is), a rectangle. */
  image?: string | Media
  text?: string
  words?: string
  fill?: Paint
  anchor?: string
  x?: number | string
  y?: number | string
  width?: number | string
  height?: number | string
  fit?: 'inside' | 'cover' | 'fill'
  /** Of a picture: its own size by so much. */
  scale?: { x: number; y: number }
  radius?: number
  blend?: Blend
  opacity?: number
  rotate?: number
  /** It turns about its corner and stands there as it stood, and a text stands in its room as its lines do: as editors that draw from a corner have it. */
  cornered?: boolean
  colour?: string
  face?: TypeOptions['face']
  size?: number | string
  align?: TypeOptions['align']
  stroke?: string
  shadow?: string
}

export interface Ground { size: Size; colour: string; background: Media | undefined; pictures: ReadonlyMap<string, Media> }
interface Sources { canvas: Size; pictures: ReadonlyMap<string, Media>; data: Record<string, Json> }

/** Makes a picture of each. @throws {Problem} `bad_request` naming the layer that cannot be drawn */
export async function compose(all: { layers: LayerSpec[]; data: Record<string, Json>; background?: Media }[], { size, colour, background, pictures }: Ground, bench: Bench): Promise<Media[]> {
  const under = async (media: Media | undefined): Promise<Layer[]> => media === undefined ? [] : [{ ...await pixelsOf((await openPicture(bench, media)).resize({ ...size, fit: 'cover' })), left: 0, top: 0 }]
  const ground = await under(background)
  const one = async ({ layers, data, background: own }: (typeof all)[number]): Promise<Media> => {
    const laid: Layer[] = []
    for (let [index, left] = [0, layerPixelsMax]; index < layers.length; index++) {
      const field = layers[index]!.field ?? `layers[${index}]`
      const layer = await draw(layers[index]!, field, { canvas: size, pictures, data }, bench)
      left -= layer.width * layer.height
      if (left < 0) throw new Problem('bad_request', `The layers have more than ${layerPixelsMax / 1e6} million pixels together. Make them smaller, or lay some of them over each other first.`, { field })
      laid.push(layer)
    }
    return bench.keep(await (await lay(blank(size, colour), size, [...own === undefined ? ground : await under(own), ...laid])).png().toBuffer())
  }
  const made: Media[] = []
  for (let at = 0; at < all.length; at += atOnce) {
    bench.signal.throwIfAborted()
    made.push(...await Promise.all(all.slice(at, at + atOnce).map(one)))
  }
  return made
}

export const pictureNames = (record: Record<string, Json>): string[] => Object.keys(record).filter(name => isMedia(record[name]))

/** One layer, as large and where its spec says. */
async function draw(spec: LayerSpec, field: string, { canvas, pictures, data }: Sources, bench: Bench): Promise<Layer> {
  const { image, text, words, fill, anchor = 'centre', blend = 'over', opacity = 1, rotate = 0, radius = 0, cornered = false } = spec
  if ([image, text ?? words, fill].filter(one => one !== undefined).length !== 1) throw new Problem('bad_request', `${field} needs either an image or a text or a fill.`, { field })
  const isText = text !== undefined || words !== undefined
  const [across, down] = isText ? textRoom : ['100%', '100%']
  const room = { width: Math.abs(measure(spec.width ?? across!, canvas.width)), height: Math.abs(measure(spec.height ?? down!, canvas.height)) }
  if (room.width === 0 || room.height === 0) throw new Problem('bad_request', `${field} has no width or height.`, { field })
  checkCanvas(room, field)
  const flat = isText ? await write(words ?? fillWords(text!, data, { field: `${field}.text` }), spec, room, canvas, bench) : fill !== undefined ? paint(room, fill) : await fit(find(image!, field, pictures, data), spec, field, room, canvas, bench)
  const cut = radius > 0 && !isText ? rounded(flat, radius) : flat
  const plate = rotate % 360 === 0 ? cut : await pixelsOf(fromPixels(cut).rotate(rotate, { background: { r: 0, g: 0, b: 0, alpha: 0 } }))
  const [x, y] = [measure(spec.x ?? 0, canvas.width), measure(spec.y ?? 0, canvas.height)]
  const place = cornered ? { left: x + (isText ? (flat as Plate & { left: number }).left : 0), top: y } : placeAt(anchor as Anchor, canvas, plate, { x, y })
  const turned = cornered && plate !== cut ? cornerOf(cut, rotate) : { left: 0, top: 0 }
  return { ...plate, left: Math.round(place.left + turned.left), top: Math.round(place.top + turned.top), blend, opacity }
}

/** Where the box around a thing begins when it is turned about its corner. */
function cornerOf({ width, height }: Size, degrees: number): { left: number; top: number } {
  const [sin, cos] = [Math.sin(degrees * Math.PI / 180), Math.cos(degrees * Math.PI / 180)]
  return { left: Math.min(0, width * cos, -height * sin, width * cos - height * sin), top: Math.min(0, width * sin, height * cos, width * sin + height * cos) }
}

function find(name: string | Media, field: string, pictures: ReadonlyMap<string, Media>, data: Record<string, Json>): Media {
  if (typeof name !== 'string') return name
  const named = pictures.get(name) ?? lookUp(data, name)
  if (named !== undefined && isMedia(named)) return named as Media
  const known = [...pictures.keys(), ...pictureNames(data)]
  throw new Problem('bad_request', `${field} names the picture ${name}, which did not come. ${known.length > 0 ? `There is ${known.join(', ')}.` : 'Wire one to layer1, or give it in the data.'}`, { field: `${field}.image`, value: name, allowed: known })
}

/** A picture in its room: in its own size where that fits and nothing else is said. */
async function fit(media: Media, { width, height, fit = 'inside', scale }: LayerSpec, field: string, room: Size, canvas: Size, bench: Bench): Promise<Plate> {
  const picture = await openPicture(bench, media)
  if (scale) {
    const size = { width: Math.max(1, Math.round((media.width ?? canvas.width) * scale.x)), height: Math.max(1, Math.round((media.height ?? canvas.height) * scale.y)) }
    checkCanvas(size, field)
    return pixelsOf(picture.resize({ ...size, fit: 'fill' }))
  }
  const size = width === undefined ? height === undefined ? room : { height: room.height } : height === undefined ? { width: room.width } : room
  return pixelsOf(picture.resize({ ...size, fit: 'width' in size && 'height' in size ? fit : 'inside', withoutEnlargement: width === undefined && height === undefined }))
}

function write(words: string, { colour = '#111111', face = 'sans', size, align = 'center', stroke, shadow }: LayerSpec, room: Size, canvas: Size, bench: Bench) {
  return bench.type(words, {
    ...room, face, align, fill: colour, maxLines: 20, ...(size === undefined ? {} : { maxSize: Math.max(1, measure(size, canvas.height)) }),
    ...(stroke === undefined ? {} : { stroke }), ...(shadow === undefined ? {} : { shadow }),
  })
}

const channels = (colour: string): number[] => colour === 'transparent' ? [0, 0, 0, 0] : [1, 3, 5, 7].map(at => at < colour.length ? Number.parseInt(colour.slice(at, at + 2), 16) : 255)

/** A rectangle of one colour, or of colours that go into each other, line by line. */
function paint({ width, height }: Size, fill: Paint): Plate {
  const pixels = Buffer.alloc(width * height * 4)
  const { angle, stops } = typeof fill === 'string' ? { angle: 0, stops: [{ at: 0, colour: fill }] } : fill
  const colours = stops.toSorted((a, b) => a.at - b.at).map(({ at, colour }) => ({ at, is: channels(colour) }))
  for (let y = 0; y < height; y++) {
    const way = height === 1 ? 0 : (angle === 180 ? height - 1 - y : y) / (height - 1)
    const next = colours.findIndex(({ at }) => at >= way)
    const [from, to] = next === -1 ? [colours.at(-1)!, colours.at(-1)!] : [colours[Math.max(0, next - 1)]!, colours[next]!]
    const share = to.at === from.at ? 1 : Math.max(0, (way - from.at) / (to.at - from.at))
    const line = Buffer.from(from.is.map((value, index) => Math.round(value + (to.is[index]! - value) * share)))
    pixels.fill(line, y * width * 4, (y + 1) * width * 4)
  }
  return { pixels, width, height }
}

/** The same with round corners, whose edges are soft. */
function rounded(plate: Plate, wanted: number): Plate {
  const { width, height } = plate
  const radius = Math.min(wanted, Math.floor(Math.min(width, height) / 2))
  const pixels = Buffer.from(plate.pixels)
  for (let y = 0; y < radius; y++) {
    for (let x = 0; x < radius; x++) {
      const cover = Math.min(1, Math.max(0, radius - Math.hypot(radius - x - 0.5, radius - y - 0.5) + 0.5))
      if (cover === 1) continue
      for (const at of [y * width + x, y * width + width - 1 - x, (height - 1 - y) * width + x, (height - 1 - y) * width + width - 1 - x]) pixels[at * 4 + 3] = Math.round(pixels[at * 4 + 3]! * cover)
    }
  }
  return { ...plate, pixels }
}
