/**
 * Layered documents, as Wireflow's compositor (`compv3`) keeps them, read into layers that can be drawn. Pure.
 *
 * A document names its layers (`{"headline": {"type": "text", …}}`) and says their order; a record of data changes some of them for one picture.
 * What would come out as something else is a flaw with what to do, and nothing is drawn; what comes out nearly the same is a note. What nobody reads
 * there (`letterSpacing`) says nothing here.
 */
import type { Media } from './graph/graph.ts'
import { isMedia } from './graph/values.ts'
import { nearest } from './graph/lint.ts'
import type { Json } from './outcome.ts'

/** A colour (#rrggbb or #rrggbbaa), or one that changes downwards (upwards at 180 degrees); `at` is the way, 0 to 1. */
export type Paint = string | { angle: 0 | 180; stops: { at: number; colour: string }[] }

/** A layer in the house's words; measures are pixels from the top left corner. */
export interface DocumentLayer {
  name: string
  /** A picture: one that came, by name, or itself. */
  image?: string | Media
  text?: string
  fill?: Paint
  x: number
  y: number
  width?: number
  height?: number
  /** Of a picture: its own size by so much, or how it goes into the whole. */
  scale?: { x: number; y: number }
  fit?: 'cover' | 'inside' | 'fill'
  /** Degrees, clockwise, about its corner. */
  rotate: number
  opacity: number
  radius: number
  colour?: string
  face?: 'sans' | 'body' | 'serif' | 'cond'
  size?: number
  align?: 'left' | 'center' | 'right'
  stroke?: string
  shadow?: string
}

export interface LayeredDocument { layers: Record<string, Json>; order: string[]; stage: { width: number; height: number } | null }
/** `layers` bottom first. */
export interface ReadDocument { layers: DocumentLayer[]; flaws: string[]; notes: string[] }

export const documentLimits = { layers: 100, records: 50 }

type Fields = Record<string, Json>
const fieldsOf = (value: Json | undefined): Fields | null => typeof value === 'object' && value !== null && !Array.isArray(value) && !isMedia(value) ? value as Fields : null

/** A document with layers laid over those of another: what both name is merged, with the later one's word. Whatever is new stands on top. */
export function mergeLayers({ layers, order, stage }: LayeredDocument, more: Fields): LayeredDocument {
  const merged: Fields = { ...layers }
  for (const [name, layer] of Object.entries(more)) merged[name] = { ...fieldsOf(merged[name]), ...fieldsOf(layer) }
  return { layers: merged, order: [...order, ...Object.keys(more).filter(name => !order.includes(name))], stage }
}

/** What a record says of layers: a text or a picture alone is that of its layer, an object is merged onto it. */
export function withRecord({ layers, order, stage }: LayeredDocument, record: Fields): LayeredDocument & { strange: string[] } {
  const changed: Fields = { ...layers }
  const strange: string[] = []
  let ground = order
  for (const [key, value] of Object.entries(record)) {
    // Its own examples call the picture at the bottom `bg`, whatever the layer is called.
    const name = Object.hasOwn(layers, key) ? key : key === 'bg' || key === 'background' ? 'background' : null
    if (name === null) { strange.push(key); continue }
    if (!ground.includes(name)) ground = [name, ...ground]
    const layer = fieldsOf(changed[name]) ?? {}
    const { transform, ...said } = fieldsOf(value) ?? (kindOf(name, layer) === 'text' && !isMedia(value) ? { text: value } : { url: value })
    changed[name] = { ...layer, ...said, ...(fieldsOf(transform) ? { transform: { ...fieldsOf(layer.transform), ...fieldsOf(transform) } } : {}) }
  }
  return { layers: changed, order: ground, stage, strange }
}

/** A record's keys that no layer is called, with what may have been meant. */
export const tellStrange = (key: string, { layers }: LayeredDocument): string => {
  const names = Object.keys(layers)
  const near = nearest(key, names)
  return `data names the layer ${JSON.stringify(key.slice(0, 60))}, which is not there. ${near ? `Did you mean ${JSON.stringify(near)}?` : `There is ${names.join(', ').slice(0, 200) || 'none'}.`}`
}

const kindOf = (name: string, { type, text, url, src, image, stops, fill, width }: Fields): string =>
  typeof type === 'string' ? type : text !== undefined ? 'text' : url !== undefined || src !== undefined || image !== undefined || name === 'background' || /^layer_?\d+$/.test(name) ? 'image' : stops !== undefined || fill !== undefined && width !== undefined ? 'rectangle' : 'nothing'

/** What each kind of layer may say here. `near`: what our own type and shapes have in their own way. `idle`: nobody reads it there either. */
const common = ['type', 'name', 'id', 'x', 'y', 'width', 'height', 'opacity', 'rotation', 'visible', 'locked', 'transform', 'zIndex']
const known: Record<string, { reads: string[]; near: string[] }> = {
  text: { reads: ['text', 'fill', 'color', 'fontFamily', 'fontSize', 'align', 'autoFit', 'autoFitMaxHeight', 'stroke', 'shadowColor', 'letterSpacing'], near: ['fontWeight', 'fontStyle', 'lineHeight', 'autoFitMinFontSize', 'strokeWidth', 'shadowBlur', 'shadowOffsetX', 'shadowOffsetY'] },
  rectangle: { reads: ['fill', 'color', 'angle', 'stops', 'cornerRadius', 'borderRadius'], near: [] },
  image: { reads: ['url', 'src', 'image', 'scaleX', 'scaleY', 'fit', 'cornerRadius', 'borderRadius'], near: [] },
}
/** What would come out as another picture, and what to do instead. */
const refused: Record<string, string> = {
  highlightWord: 'one word in another colour is not drawn here; set that word as a text layer of its own', highlightFill: 'see highlightWord', highlightBg: 'see highlightWord',
  textBg: 'no block is drawn behind a text here; put a rectangle with cornerRadius under it',
  imageBorderColor: 'pictures get no border here; put a rectangle under it that is larger', imageBorderWidth: 'see imageBorderColor',
  shadowColor: 'pictures and rectangles get no shadow here; wire a picture of one', shadowBlur: 'see shadowColor', shadowOffsetX: 'see shadowColor', shadowOffsetY: 'see shadowColor',
}
const isPlain = (name: string, value: Json): boolean => value === null || value === false || value === '' || value === 0 || name === 'lineHeight' && value === 1 || name === 'fontStyle' && value === 'normal'

/** Reads a document; `pictures` are the names of those that come by wire (`background`, `layer1`, `images.0`). */
export function readDocument({ layers, order, stage }: LayeredDocument, pictures: ReadonlySet<string>): ReadDocument {
  const read: ReadDocument = { layers: [], flaws: [], notes: [] }
  const names = [...new Set([...order, ...Object.keys(layers)])].filter(name => Object.hasOwn(layers, name))
  if (names.length > documentLimits.layers) return { ...read, flaws: [`A document has up to ${documentLimits.layers} layers, not ${names.length}.`] }
  for (const name of names) {
    const layer = fieldsOf(layers[name])
    const told = JSON.stringify(name.slice(0, 60))
    if (!layer) { read.flaws.push(`The layer ${told} must be an object.`); continue }
    if (layer.visible === false) continue
    const made = readLayer(name, { ...layer, ...fieldsOf(layer.transform) }, stage, pictures)
    read.flaws.push(...made.flaws.map(flaw => `The layer ${told}: ${flaw}`))
    read.notes.push(...made.notes.map(note => `The layer ${told}: ${note}`))
    if (made.layer) read.layers.push(made.layer)
  }
  return read
}

function readLayer(name: string, fields: Fields, stage: LayeredDocument['stage'], pictures: ReadonlySet<string>): { layer: DocumentLayer | null; flaws: string[]; notes: string[] } {
  const flaws: string[] = []
  const notes: string[] = []
  const kind = kindOf(name, fields) === 'gradient' ? 'rectangle' : kindOf(name, fields)
  if (kind === 'draw') return { layer: null, notes, flaws: ['freehand drawings are not drawn here; save it as a picture and wire that.'] }
  const words = known[kind]
  if (!words) return { layer: null, notes, flaws: [`${kind === 'nothing' ? 'it says neither text nor url nor fill' : `there is no kind ${JSON.stringify(kind.slice(0, 40))}`}. Layers are text, rectangle or image.`] }
  for (const [field, value] of Object.entries(fields)) {
    if (isPlain(field, value) || common.includes(field) || words.reads.includes(field)) continue
    const why = Object.hasOwn(refused, field) ? refused[field] : undefined
    if (words.near.includes(field)) notes.push(`${field} is as the type of this house has it.`)
    else if (why !== undefined) { if (!why.startsWith('see ')) flaws.push(`${field}: ${why}.`) } else notes.push(`${field.slice(0, 60)} is not known and does nothing.`)
  }
  const number = (field: string, otherwise: number, least = -16_384, most = 16_384): number => {
    const value = fields[field]
    const found = typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value ?? otherwise
    if (typeof found === 'number' && found >= least && found <= most) return found
    flaws.push(`${field} must be a number from ${least} to ${most}.`)
    return otherwise
  }
  const size = (field: string): number | undefined => fields[field] == null ? undefined : Math.max(1, Math.round(number(field, 1, 0, 16_384)))
  const colour = (field: string, value: Json | undefined): string => {
    const found = readCssColour(value)
    if (found === null) flaws.push(`${field}: ${JSON.stringify(value ?? null).slice(0, 60)} is no colour this reads. Write #rrggbb, #rrggbbaa, rgb() or rgba().`)
    return found ?? '#000000'
  }
  const opacity = number('opacity', 100, 0, 100)
  if (opacity > 0 && opacity < 1) flaws.push(`opacity goes from 0 to 100; ${opacity} is next to nothing. Write ${Math.round(opacity * 100)} for that share.`)
  const radius = Math.round(number(fields.cornerRadius == null ? 'borderRadius' : 'cornerRadius', 0, 0, 16_384))
  const layer: DocumentLayer = { name, x: Math.round(number('x', 0)), y: Math.round(number('y', 0)), rotate: number('rotation', 0, -3_600, 3_600), opacity: opacity / 100, radius: kind === 'text' ? 0 : radius }
  const [width, height] = [size('width'), size('height')]
  switch (kind) {
    case 'text': {
      if (typeof fields.text !== 'string' && typeof fields.text !== 'number') flaws.push('text is missing.')
      if (layer.rotate % 360 !== 0) flaws.push('texts are not turned here; set it upright, or wire a picture of it.')
      const family = typeof fields.fontFamily === 'string' ? fields.fontFamily : ''
      if (family !== '') notes.push(`${family.slice(0, 60)} is set in the nearest face of this house.`)
      const { align } = fields
      if (align != null && align !== 'left' && align !== 'center' && align !== 'right') flaws.push('align must be left, center or right.')
      const room = { width: width ?? (stage ? Math.max(1, stage.width - layer.x) : undefined), height: size('autoFitMaxHeight') ?? height ?? (stage ? Math.max(1, stage.height - layer.y) : undefined) }
      Object.assign(layer, {
        text: String(fields.text ?? ''), colour: colour('fill', fields.fill ?? fields.color ?? '#000000'), face: faceOf(family, fields.fontWeight), size: Math.max(1, Math.round(number('fontSize', 48, 1, 4_000))), align: align ?? 'left',
        ...(room.width === undefined ? {} : { width: room.width }), ...(room.height === undefined ? {} : { height: room.height }),
        ...(fields.stroke == null || fields.stroke === '' ? {} : { stroke: colour('stroke', fields.stroke) }), ...(fields.shadowColor == null || fields.shadowColor === '' ? {} : { shadow: colour('shadowColor', fields.shadowColor) }),
      })
      break
    }
    case 'rectangle': {
      if (width === undefined || height === undefined) {
        if (!stage) flaws.push('width and height are missing.')
        notes.push('without width and height it fills the whole.')
      }
      Object.assign(layer, { width: width ?? stage?.width ?? 1, height: height ?? stage?.height ?? 1, fill: readPaint(fields, colour, flaws) })
      break
    }
    default: {
      const { fit } = fields
      if (fit != null && fit !== 'cover' && fit !== 'contain' && fit !== 'stretch') flaws.push('fit must be cover, contain or stretch.')
      const source = fields.url ?? fields.src ?? fields.image ?? name.replace(/^layer_(?=\d+$)/, 'layer')
      if (typeof source === 'string' && !pictures.has(source)) flaws.push(/^(https?:|data:)/i.test(source) ? 'its picture is a link, and links are fetched where they are written on the node. Write it there, or wire the picture.' : `its picture ${JSON.stringify(source.slice(0, 60))} did not come. Wire it, or write its link as url.`)
      else if (typeof source !== 'string' && !isMedia(source)) flaws.push('url must be a link.')
      const isGround = name === 'background' && fit == null && width === undefined && height === undefined && fields.scaleX == null && fields.scaleY == null
      Object.assign(layer, {
        image: source as string | Media, ...(isGround || fit === 'cover' ? { fit: 'cover' } : fit === 'contain' ? { fit: 'inside' } : fit === 'stretch' || width !== undefined && height !== undefined ? { fit: 'fill' } : {}),
        ...(isGround || fit != null ? stage ?? {} : { ...(width === undefined ? {} : { width }), ...(height === undefined ? {} : { height }) }),
        ...(fields.scaleX == null && fields.scaleY == null && (isGround || fit != null || width !== undefined || height !== undefined) ? {} : { scale: { x: number('scaleX', 1, 0.001, 100), y: number('scaleY', 1, 0.001, 100) } }),
      })
    }
  }
  return { layer: flaws.length > 0 ? null : layer, flaws, notes }
}

function readPaint(fields: Fields, colour: (field: string, value: Json | undefined) => string, flaws: string[]): Paint {
  const said = fieldsOf(fields.fill)
  const kind = said?.kind ?? (fields.stops !== undefined || said?.stops !== undefined ? 'linear' : 'solid')
  if (kind === 'solid') return colour('fill', said ? said.color ?? said.colour : fields.fill ?? fields.color ?? '#000000')
  if (kind !== 'linear') { flaws.push(`fill: ${JSON.stringify(kind).slice(0, 40)} is not drawn here; use a solid colour, a linear one, or wire a picture of it.`); return '#000000' }
  const stops = said?.stops ?? fields.stops
  const angle = said?.angle ?? fields.angle ?? 0
  if (angle !== 0 && angle !== 180) flaws.push(`angle: only 0 (downwards) and 180 (upwards) are drawn here, not ${JSON.stringify(angle).slice(0, 20)}.`)
  if (!Array.isArray(stops) || stops.length < 1 || stops.length > 50) { flaws.push('stops must be a list of colours with offset, 1 to 50 of them.'); return '#000000' }
  return {
    angle: angle === 180 ? 180 : 0,
    stops: stops.map((stop, index) => {
      const at = fieldsOf(stop)?.offset ?? fieldsOf(stop)?.position
      if (typeof at !== 'number' || at < 0 || at > 1) flaws.push(`stops[${index}].offset must be a number from 0 to 1.`)
      return { at: Number(at), colour: colour(`stops[${index}].color`, fieldsOf(stop)?.color) }
    }).sort((a, b) => a.at - b.at),
  }
}

const named: Record<string, string> = { white: '#ffffff', black: '#000000', transparent: '#00000000', red: '#ff0000', green: '#008000', blue: '#0000ff', yellow: '#ffff00', gray: '#808080', grey: '#808080', orange: '#ffa500' }
const hex = (value: number): string => Math.round(value).toString(16).padStart(2, '0')

/** A colour as pages write it, as #rrggbb or #rrggbbaa; null for what is none. Pure. */
export function readCssColour(value: Json | undefined): string | null {
  if (typeof value !== 'string') return null
  const text = value.trim().toLowerCase()
  if (Object.hasOwn(named, text)) return named[text]!
  if (/^#[0-9a-f]{3,4}$/.test(text)) return text.replace(/[0-9a-f]/g, digit => digit + digit)
  if (/^#([0-9a-f]{6}|[0-9a-f]{8})$/.test(text)) return text
  const parts = /^rgba?\(\s*(\d{1,3})\s*[, ]\s*(\d{1,3})\s*[, ]\s*(\d{1,3})\s*(?:[,/]\s*(\d?\.?\d{1,6}%?)\s*)?\)$/.exec(text)
  if (!parts) return null
  const [red, green, blue] = parts.slice(1, 4).map(Number) as [number, number, number]
  const alpha = parts[4] === undefined ? 1 : parts[4].endsWith('%') ? Number(parts[4].slice(0, -1)) / 100 : Number(parts[4])
  if (red > 255 || green > 255 || blue > 255 || !(alpha >= 0 && alpha <= 1)) return null
  return `#${hex(red)}${hex(green)}${hex(blue)}${alpha === 1 ? '' : hex(alpha * 255)}`
}

const faceOf = (family: string, weight: Json | undefined): DocumentLayer['face'] =>
  /anton|impact|bebas|oswald|condensed|league gothic|arial black/i.test(family) ? 'cond' : /georgia|times|serif(?! ?sans)|playfair|merriweather|garamond/i.test(family) && !/sans/i.test(family) ? 'serif' : Number(weight ?? 400) >= 600 || weight === 'bold' ? 'sans' : 'body'
