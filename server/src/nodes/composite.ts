import { Type } from 'typebox'
import type { Media } from '../domain/graph/graph.ts'
import type { Json } from '../domain/outcome.ts'
import { Problem } from '../domain/problem.ts'
import { faces, node, port } from './contract.ts'
import { compose, pictureNames } from './toolkit/compose.ts'
import { anchors, blends, checkCanvas, colourPattern, colourSetting, Measure } from './toolkit/pixels.ts'

const places = [1, 2, 3, 4, 5, 6, 7, 8] as const
/** Pictures made of one list of data. */
const picturesMax = 50

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
  fill: Type.Optional(Type.Union([Colour, Type.Object({
    angle: Type.Enum([0, 180], { default: 0 }), stops: Type.Array(Type.Object({ at: Type.Number({ minimum: 0, maximum: 1 }), colour: Colour }, { additionalProperties: false }), { minItems: 1, maxItems: 50 }),
  }, { additionalProperties: false })], { description: 'Or a rectangle: a colour, or colours from the top down (angle 0) or from the bottom up (180).' })),
  radius: Type.Optional(Type.Integer({ minimum: 0, maximum: 16_384, description: 'Round corners, of a picture or a rectangle, in pixels.' })),
}, { additionalProperties: false })

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
    const all = records.map(record => ({ data: record as Record<string, Json>, layers: layers.length > 0 ? layers : [...pictures.keys(), ...pictureNames(record as Record<string, Json>)].map(image => ({ image })) }))
    const made = await compose(all, { size, colour, background, pictures }, bench)
    return { image: made[0]!, images: made, count: made.length }
  },
})
