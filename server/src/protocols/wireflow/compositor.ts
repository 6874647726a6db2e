/**
 * What stands on a `compv3` node: the document its editor keeps (`data.data`) or its callers write (`config.layers`), as settings of `layered`. Pure.
 *
 * Links in it become pictures of their own, taken in before anything runs. What is known beforehand to be drawn otherwise is refused here; what comes by
 * wire is looked at when it has come.
 */
import { documentLimits, mergeLayers, readDocument, tellStrange, withRecord, type LayeredDocument } from '../../domain/layers.ts'
import type { Values } from '../../domain/graph/values.ts'
import type { Json } from '../../domain/outcome.ts'

type Fields = Record<string, Json>
const fieldsOf = (value: Json | undefined): Fields | null => typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Fields : null
const isLink = (value: Json | undefined): value is string => typeof value === 'string' && /^(https?:|data:)/i.test(value)

/** Names on the node that the document is read from. */
const own = new Set(['layers', 'layerOrder', 'stage', 'data', 'batchData', 'width', 'height'])

export interface Compositor {
  settings: Values
  /** Links of the document, in the order in which it names them (`images.0` and so on, from `from`). */
  links: string[]
  flaws: string[]
  notes: string[]
  /** What was written besides, for whoever reads settings as ever. */
  rest: Map<string, { value: Json; isLoose: boolean }>
}

/** Reads the document of a node; `taken` are the ports that are wired, `from` how many pictures `images` gets by wire. */
export function readCompositor(written: ReadonlyMap<string, { value: Json; isLoose: boolean }>, taken: ReadonlySet<string>, from: number): Compositor {
  const rest = new Map([...written].filter(([name]) => !own.has(name)))
  const flaws: string[] = []
  const said = (name: string): Json | undefined => written.get(name)?.value
  // `data` on the node itself is what its editor keeps; in config it is the list of records.
  const kept = written.get('data')?.isLoose ? fieldsOf(said('data')) ?? {} : {}
  const layers = readFields(said('layers') ?? kept.layers, 'layers', flaws)
  const order = said('layerOrder') ?? kept.layerOrder ?? Object.keys(layers)
  if (!Array.isArray(order) || order.some(name => typeof name !== 'string')) flaws.push('layerOrder must be a list of names of layers.')
  const stage = fieldsOf(said('stage') ?? kept.stage) ?? {}
  const sideOf = (name: 'width' | 'height'): number | null => {
    const value = said(name) ?? stage[name]
    if (value === undefined || value === null) return null
    if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 16_384) return value
    flaws.push(`${name} of the stage must be a whole number from 1 to 16384.`)
    return null
  }
  const [width, height] = [sideOf('width'), sideOf('height')]
  const batch = (written.get('data')?.isLoose === false ? said('data') : undefined) ?? said('batchData') ?? kept.batchData
  const records = batch === undefined || batch === null || taken.has('data') ? null : readList(batch, flaws)

  const links: string[] = []
  const placed = (value: Json): Json => isLink(value) ? `images.${from + links.push(value) - 1}` : value
  const withPictures = (layer: Json): Json => {
    const fields = fieldsOf(layer)
    return fields ? Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, name === 'url' || name === 'src' || name === 'image' ? placed(value) : value])) : layer
  }
  const document = { layers: Object.fromEntries(Object.entries(layers).map(([name, layer]) => [name, withPictures(layer)])), order: Array.isArray(order) ? order.filter(name => typeof name === 'string') : [] }
  const data = records?.map(record => Object.fromEntries(Object.entries(record).map(([name, value]) => [name, fieldsOf(value) ? withPictures(value) : isPicture(name, layers) ? placed(value) : value])))

  const notes: string[] = []
  // What comes by wire may say what is missing here.
  if (flaws.length === 0 && !taken.has('layers') && !taken.has('data')) {
    const named = (port: string) => taken.has(port) || [...rest.keys()].some(name => name.replace('layer_', 'layer') === port)
    const known = new Set([...links.map((_, index) => `images.${from + index}`), ...Array.from({ length: from }, (_, index) => `images.${index}`), ...['background', ...Array.from({ length: 8 }, (_, index) => `layer${index + 1}`)].filter(named)])
    const standing: LayeredDocument = { ...document, stage: { width: width ?? 1_024, height: height ?? 1_024 } }
    const read = (one: LayeredDocument, at: string) => {
      const found = readDocument(mergeLayers(one, {}), known)
      flaws.push(...found.flaws.map(flaw => at + flaw))
      notes.push(...found.notes)
    }
    if (!data) read(standing, '')
    for (const [index, record] of (data ?? []).entries()) {
      const { strange, ...changed } = withRecord(standing, record as Fields)
      flaws.push(...strange.map(key => `Record ${index + 1}: ${tellStrange(key, standing)}`))
      if (flaws.length < 20) read(changed, `Record ${index + 1}: `)
    }
  }
  return {
    links, flaws: [...new Set(flaws)], notes: [...new Set(notes)], rest,
    settings: {
      ...(Object.keys(document.layers).length > 0 ? { document } : {}), ...(width === null ? {} : { width }), ...(height === null ? {} : { height }), ...(data ? { data: data as Json } : {}),
    },
  }
}

/** Whether what a record says under this name is a picture's link and not a text. */
function isPicture(name: string, layers: Fields): boolean {
  const layer = fieldsOf(layers[name])
  if (!layer) return true
  return layer.type === 'image' || layer.type === undefined && layer.text === undefined
}

function readFields(value: Json | undefined, what: string, flaws: string[]): Fields {
  if (value === undefined || value === null || value === '') return {}
  const read = typeof value === 'string' ? readJson(value) : value
  const fields = fieldsOf(read)
  if (!fields) flaws.push(`${what} must be an object with a layer under each name: {"headline": {"type": "text", "text": "…"}}.`)
  return fields ?? {}
}

function readList(value: Json, flaws: string[]): Fields[] | null {
  const read = typeof value === 'string' ? readJson(value) : value
  const list = Array.isArray(read) ? read.map(one => fieldsOf(one)) : fieldsOf(read) ? [fieldsOf(read)] : null
  if (list && list.length >= 1 && list.length <= documentLimits.records && list.every(one => one !== null)) return list as Fields[]
  flaws.push(`data must be a list of 1 to ${documentLimits.records} records, each an object with names of layers.`)
  return null
}

function readJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}
