import { Type } from 'typebox'
import type { Media } from '../domain/graph/graph.ts'
import { isMedia } from '../domain/graph/values.ts'
import { documentLimits, mergeLayers, readDocument, tellStrange, withRecord, type DocumentLayer, type LayeredDocument } from '../domain/layers.ts'
import type { Json } from '../domain/outcome.ts'
import { Problem } from '../domain/problem.ts'
import { node, port } from './contract.ts'
import { compose, pictureNames, type LayerSpec } from './toolkit/compose.ts'
import { checkCanvas } from './toolkit/pixels.ts'

const places = [1, 2, 3, 4, 5, 6, 7, 8] as const
const Layers = Type.Record(Type.String(), Type.Unknown())
type Fields = Record<string, Json>

/**
 * A document of named layers, drawn: once, or for each record of data, which changes some of them.
 *
 * The document is Wireflow's (`compv3`), so that it may come from its editor or out of a language model's mouth; `composite` is the same in words of our own.
 */
export default node({
  id: 'layered', title: 'Layered picture', category: 'picture', description: 'Draws a document of named layers (texts, rectangles, pictures) as Wireflow’s compositor writes it, over a background; with a list at `data`, one picture for each record, which says what is other in it.',
  inputs: Type.Object({
    background: Type.Optional(port.image({ description: 'What lies at the bottom.' })),
    ...Object.fromEntries(places.map(place => [`layer${place}`, Type.Optional(port.image({ description: `The picture of the layer layer_${place}.` }))])) as Record<`layer${(typeof places)[number]}`, ReturnType<typeof Type.Optional<ReturnType<typeof port.image>>>>,
    images: Type.Optional(port.images({ maxItems: 200, description: 'Pictures that layers name as images.0 and so on; without a document they are laid over each other at the centre.' })),
    layers: Type.Optional(port.json({ description: 'Layers by name, as JSON or as a text of it; they are merged onto those of `document`.' })),
    data: Type.Optional(port.json({ description: `A list of up to ${documentLimits.records} records, for as many pictures: by the names of layers a text, a picture, or what is other.` })),
    document: Type.Optional(Type.Object({ layers: Layers, order: Type.Array(Type.String(), { maxItems: documentLimits.layers }) }, { additionalProperties: false, description: 'Layers by name, and their order from the bottom up.' })),
    width: Type.Optional(Type.Integer({ minimum: 1, maximum: 16_384, description: 'Pixels across; those of the background where nothing is said.' })),
    height: Type.Optional(Type.Integer({ minimum: 1, maximum: 16_384, description: 'Pixels down.' })),
  }),
  outputs: Type.Object({ image: port.image({ description: 'The picture; the first where there are several.' }), images: port.images({ description: 'All of them.' }), count: port.integer(), notes: port.texts({ description: 'What is drawn a little otherwise than its editor would, or was not known.' }) }),
  async run({ background, images = [], layers, data, document, width, height, ...numbered }, bench) {
    const pictures = new Map<string, Media>()
    for (const place of places) { const media = numbered[`layer${place}`]; if (media) pictures.set(`layer${place}`, media) }
    images.forEach((media, index) => pictures.set(`images.${index}`, media))
    // Pictures alone are layers too.
    for (const [index, media] of [layers].flat().filter(one => isMedia(one)).entries()) pictures.set(`layers.${index}`, media as Media)
    const said = isMedia(layers) || Array.isArray(layers) && layers.length > 0 && layers.every(one => isMedia(one)) ? {} : readLayers(layers as Json | undefined)
    const records = readRecords(data as Json | undefined)
    const first = records?.map(record => record.bg ?? record.background).find(one => isMedia(one)) as unknown as Media | undefined
    const size = { width: width ?? background?.width ?? first?.width ?? 0, height: height ?? background?.height ?? first?.height ?? 0 }
    if (size.width === 0 || size.height === 0) throw new Problem('bad_request', 'Without a background, say how large it is to be: the stage of the document, or width and height.', { field: 'width' })
    checkCanvas(size, 'width')

    const standing: LayeredDocument = { layers: (document?.layers ?? {}) as Fields, order: document?.order ?? [], stage: size }
    const whole = mergeLayers(standing, said)
    const notes = new Set<string>()
    const known = new Set([...pictures.keys(), ...(background ? ['background'] : [])])
    if (background) pictures.set('background', background)
    const isEmpty = Object.keys(whole.layers).length === 0
    const all = (records ?? [{}]).map((record, index) => {
      // Without a document pictures are laid at the centre, those of the record by their names as well.
      if (isEmpty) return { data: record, layers: [...[...pictures.keys()].filter(name => name !== 'background'), ...pictureNames(record).filter(name => name !== 'bg' && name !== 'background')].map((image): LayerSpec => ({ image })), ...groundOf(record) }
      const { strange, ...changed } = withRecord(whole, record)
      for (const key of strange) notes.add(tellStrange(key, whole))
      const { layers: read, flaws, notes: told } = readDocument(changed, known)
      if (flaws.length > 0) throw new Problem('bad_request', `${records === null ? '' : `Record ${index + 1} of data: `}${flaws.slice(0, 5).join(' ')}`, { field: 'layers', value: flaws.length })
      for (const note of told) notes.add(note)
      return { data: {}, layers: read.map(specOf) }
    })
    // Where the document has a layer of its own for it, it is drawn with the others.
    const isDrawn = Object.hasOwn(whole.layers, 'background')
    const made = await compose(all, { size, colour: 'transparent', background: isDrawn ? undefined : background, pictures }, bench)
    return { image: made[0]!, images: made, count: made.length, notes: [...notes].slice(0, 100) }
  },
})

/** A record's own picture for the bottom, where no document says what becomes of it. */
const groundOf = (record: Fields): { background?: Media } => {
  const ground = record.background ?? record.bg
  return isMedia(ground) ? { background: ground as unknown as Media } : {}
}

const specOf = ({ name, text, ...layer }: DocumentLayer): LayerSpec => ({ ...layer, ...(text === undefined ? {} : { words: text }), field: `The layer ${JSON.stringify(name.slice(0, 60))}`, cornered: true })

const fenced = /^\s*```[a-z]*\s*\n([\s\S]*?)\n?```\s*$/

/** Layers as JSON, or as a text of it with or without a fence around. @throws {Problem} `bad_request` */
function readLayers(layers: Json | undefined): Fields {
  if (layers === undefined || layers === null || layers === '') return {}
  let value: Json = layers
  if (typeof value === 'string') {
    try {
      value = JSON.parse(fenced.exec(value)?.[1] ?? value) as Json
    } catch (thrown) {
      throw new Problem('bad_request', `layers is no JSON (${(thrown as Error).message.slice(0, 100)}). Give an object with a layer under each name.`, { field: 'layers' })
    }
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new Problem('bad_request', 'layers must be an object with a layer under each name: {"headline": {"type": "text", "text": "…"}}.', { field: 'layers' })
  return value as Fields
}

/** Records of data; null where it is no list, for one picture as the document stands. @throws {Problem} `bad_request` */
function readRecords(data: Json | undefined): Fields[] | null {
  const list = typeof data === 'string' && data.trim() !== '' ? readText(data) : data
  if (list !== undefined && list !== null && typeof list === 'object' && !Array.isArray(list) && !isMedia(list)) return [list as Fields]
  if (!Array.isArray(list)) return null
  if (list.length === 0 || list.length > documentLimits.records || list.some(record => record === null || typeof record !== 'object' || Array.isArray(record) || isMedia(record))) {
    throw new Problem('bad_request', `data is a list of 1 to ${documentLimits.records} records, each an object with names of layers. For more, iterate.`, { field: 'data' })
  }
  return list as Fields[]
}

function readText(text: string): Json {
  try {
    return JSON.parse(fenced.exec(text)?.[1] ?? text) as Json
  } catch (thrown) {
    throw new Problem('bad_request', `data is no JSON (${(thrown as Error).message.slice(0, 100)}). Give a list of records.`, { field: 'data' })
  }
}
