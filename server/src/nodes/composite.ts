import { Type, type Static } from 'typebox'
import { isMedia } from '../domain/graph/values.ts'
import type { Media } from '../domain/graph/graph.ts'
import type { Json } from '../domain/outcome.ts'
import { Problem } from '../domain/problem.ts'
import { faces, node, port, type Bench } from './contract.ts'
import { anchors, blank, blends, checkCanvas, colourPattern, colourSetting, fromPixels, lay, Measure, measure, openPicture, pixelsOf, placeAt, type Anchor, type Layer } from './toolkit/pixels.ts'
import { fillWords, lookUp } from './toolkit/words.ts'

const places = [1, 2, 3, 4, 5, 6, 7, 8] as const
/** Pictures made at a time, and of one list of data. */
const [atOnce, picturesMax] = [2, 50]
/** Of all layers of a picture together: 400 MB. */
const layerPixelsMax = 100_000_000
/** Where nothing is said, a text fills a line or two and not the picture. */
const textRoom = ['90%', '25%']

const Colour = Type.String({ pattern: colourPattern })
const Spec = Type.Object({
  image: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'Which picture: layer1 to layer8, images.0 and so on, or a name in the data.' })),
  text: Type.Optional(Type.String({ minLength: 1, maxLength: 5_000, description: 'Or a text, with {{names}} out of the data.' })),
  anchor: Type.Optional(Type.Enum(anchors, { description: 'Where it stands. Default: centre.' })),
  x: Type.Optional(Measure), y: Type.Optional(Measure), width: Type.Optional(Measure), height: Type.Optional(Measure),
  fit: Type.Optional(Type.Enum(['inside', 'cover', 'fill'], { description: 'How a picture goes into width and height: wholly inside, covering and cut, or stretched.' })),
  blend: Type.Optional(Type.Enum([...blends])),
  opacity: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  rotate: Type.Optional(Type.Number({ minimum: -360, maximum: 360, description: 'Degrees, clockwise.' })),
  colour: Type.Optional(Colour), face: Type.Optional(Type.Enum([...faces])), size: Type.Optional(Measure), align: Type.Optional(Type.Enum(['left', 'center', 'right'])),
  stroke: Type.Optional(Colour), shadow: Type.Optional(Colour),
}, { additionalProperties: false })
type Spec = Static<typeof Spec>

interface Sources { canvas: { width: number; height: number }; pictures: Map<string, Media>; data: Record<string, Json> }

/** Pictures and texts laid over each other; with a list of data, one picture for each of its records. */
export default node({
  id: 'composite', title: 'Composite', category: 'picture', description: 'Lays pictures and texts over a background, the first at the bottom. `layers` says where each stands, how large, how it blends; without it every picture is fitted in at the centre. With a list at `data`, makes one picture for each record, with the record’s pictures and {{names}}.',
  inputs: Type.Object({
    background: Type.Optional(port.image({ description: 'What lies at the bottom, and how large it all is.' })),
    ...Object.fromEntries(places.map(place => [`layer${place}`, Type.Optional(port.image({ description: `A picture to lay over it, number ${place}.` }))])) as Record<`layer${(typeof places)[number]}`, ReturnType<typeof Type.Optional<ReturnType<typeof port.image>>>>,
    images: Type.Optional(port.images({ maxItems: 50, description: 'More pictures to lay over it.' })),
    data: Type.Optional(port.json({ description: `Values for texts and pictures by name: a JSON object, or a list of up to ${picturesMax} for as many pictures.` })),
    layers: Type.Array(Spec, { default: [], maxItems: 100, description: 'Each layer, from the bottom up. Measures are pixels, or shares of the whole (50%); x and y are the way from the anchor. A text is as large as it fits into width and height (90% and 25% where nothing is said), or no larger than size.' }),
    width: Type.Optional(Type.Integer({ minimum: 1, maximum: 16_384, description: 'Pixels across; those of the background where nothing is said, which else is cut to fit.' })),
    height: Type.Optional(Type.Integer({ minimum: 1, maximum: 16_384, description: 'Pixels down.' })),
    colour: colourSetting('transparent', 'The colour under everything.'),
  }),
  outputs: Type.Object({ image: port.image({ description: 'The picture; the first where there are several.' }), images: port.images({ description: 'All of them.' }), count: port.integer() }),
  async run({ background, images = [], data = {}, layers, width, height, colour, ...numbered }, bench) {
    const records = Array.isArray(data) ? data : [data]
    if (records.length === 0 || records.length > picturesMax || records.some(record => record === null || typeof record !== 'object' || Array.isArray(record))) {
      throw new Problem('bad_request', `data is a JSON object, or a list of 1 to ${picturesMax} of them. For more, iterate.`, { field: 'data' })
    }
    const size = { width: width ?? background?.width ?? 0, height: height ?? background?.height ?? 0 }
    if (size.width === 0 || size.height === 0) throw new Problem('bad_request', 'Without a background, say how large it is to be: width and height.', { field: 'width' })
    checkCanvas(size, 'width')

    const pictures = new Map<string, Media>()
    for (const place of places) { const media = numbered[`layer${place}`]; if (media) pictures.set(`layer${place}`, media) }
    images.forEach((media, index) => pictures.set(`images.${index}`, media))
    const bottom = background === undefined ? null : await pixelsOf((await openPicture(bench, background)).resize({ ...size, fit: 'cover' }))

    const one = async (record: Record<string, Json>): Promise<Media> => {
      const sources = { canvas: size, pictures, data: record }
      const specs: Spec[] = layers.length > 0 ? layers : [...pictures.keys(), ...pictureNames(record)].map(image => ({ image }))
      const laid: Layer[] = []
      for (let [index, left] = [0, layerPixelsMax]; index < specs.length; index++) {
        const layer = await draw(specs[index]!, `layers[${index}]`, sources, bench)
        left -= layer.width * layer.height
        if (left < 0) throw new Problem('bad_request', `The layers have more than ${layerPixelsMax / 1e6} million pixels together. Make them smaller, or lay some of them over each other first.`, { field: `layers[${index}]` })
        laid.push(layer)
      }
      const under = bottom === null ? [] : [{ ...bottom, left: 0, top: 0 }]
      return bench.keep(await (await lay(blank(size, colour), size, [...under, ...laid])).png().toBuffer())
    }
    const made: Media[] = []
    for (let at = 0; at < records.length; at += atOnce) {
      bench.signal.throwIfAborted()
      made.push(...await Promise.all(records.slice(at, at + atOnce).map(record => one(record as Record<string, Json>))))
    }
    return { image: made[0]!, images: made, count: made.length }
  },
})

const pictureNames = (record: Record<string, Json>): string[] => Object.keys(record).filter(name => isMedia(record[name]))

/** One layer, as large and where its spec says. */
async function draw(spec: Spec, field: string, { canvas, pictures, data }: Sources, bench: Bench): Promise<Layer> {
  const { image, text, anchor = 'centre', x = 0, y = 0, blend = 'over', opacity = 1, rotate = 0 } = spec
  if ((image === undefined) === (text === undefined)) throw new Problem('bad_request', `${field} needs either an image or a text.`, { field })
  const [across, down] = text === undefined ? ['100%', '100%'] : textRoom
  const room = { width: Math.abs(measure(spec.width ?? across!, canvas.width)), height: Math.abs(measure(spec.height ?? down!, canvas.height)) }
  if (room.width === 0 || room.height === 0) throw new Problem('bad_request', `${field} has no width or height.`, { field })
  checkCanvas(room, field)
  const flat = text !== undefined ? await write(text, spec, field, room, canvas, data, bench) : await fit(find(image!, field, pictures, data), spec, room, bench)
  const plate = rotate % 360 === 0 ? flat : await pixelsOf(fromPixels(flat).rotate(rotate, { background: { r: 0, g: 0, b: 0, alpha: 0 } }))
  return { ...plate, ...placeAt(anchor as Anchor, canvas, plate, { x: measure(x, canvas.width), y: measure(y, canvas.height) }), blend, opacity }
}

function find(name: string, field: string, pictures: Map<string, Media>, data: Record<string, Json>): Media {
  const named = pictures.get(name) ?? lookUp(data, name)
  if (named !== undefined && isMedia(named)) return named as Media
  const known = [...pictures.keys(), ...pictureNames(data)]
  throw new Problem('bad_request', `${field} names the picture ${name}, which did not come. ${known.length > 0 ? `There is ${known.join(', ')}.` : 'Wire one to layer1, or give it in the data.'}`, { field: `${field}.image`, value: name, allowed: known })
}

/** A picture in its room: in its own size where that fits and nothing else is said. */
async function fit(media: Media, { width, height, fit = 'inside' }: Spec, room: { width: number; height: number }, bench: Bench) {
  const picture = await openPicture(bench, media)
  const size = width === undefined ? height === undefined ? room : { height: room.height } : height === undefined ? { width: room.width } : room
  return pixelsOf(picture.resize({ ...size, fit: 'width' in size && 'height' in size ? fit : 'inside', withoutEnlargement: width === undefined && height === undefined }))
}

function write(text: string, { colour = '#111111', face = 'sans', size, align = 'center', stroke, shadow }: Spec, field: string, room: { width: number; height: number }, canvas: { height: number }, data: Record<string, Json>, bench: Bench) {
  const words = fillWords(text, data, { field: `${field}.text` })
  return bench.type(words, {
    ...room, face, align, fill: colour, maxLines: 20, ...(size === undefined ? {} : { maxSize: Math.max(1, measure(size, canvas.height)) }),
    ...(stroke === undefined ? {} : { stroke }), ...(shadow === undefined ? {} : { shadow }),
  })
}
