import type { Sharp } from 'sharp'
import { Type } from 'typebox'
import { Problem } from '../domain/problem.ts'
import { faces, node, port, type Plate } from './contract.ts'
import { anchors, blank, colourSetting, decoded, fromPixels, lay, openPicture, pixelsOf, placeAt, type Anchor } from './toolkit/pixels.ts'

/** A mark on a picture: a text or a picture of its own, in a corner or all over. */
export default node({
  id: 'watermark', title: 'Watermark', category: 'picture', description: 'Marks a picture with a text or another picture: at a side, or all over it, as clear as you like.',
  inputs: Type.Object({
    image: port.image({ description: 'The picture.' }),
    text: Type.Optional(port.text({ minLength: 1, maxLength: 200, description: 'What stands on it.' })),
    mark: Type.Optional(port.image({ description: 'Or a picture that does, such as a logo; clear where it is not to be seen.' })),
    at: Type.Enum(anchors, { default: 'bottom_right', description: 'Where.' }),
    tiled: Type.Boolean({ default: false, description: 'All over the picture instead.' }),
    size: Type.Number({ minimum: 0.01, maximum: 1, default: 0.25, description: 'How wide the mark is, as a share of the picture’s width.' }),
    margin: Type.Number({ minimum: 0, maximum: 0.5, default: 0.03, description: 'How far from the edge, as a share of the shorter side.' }),
    opacity: Type.Number({ minimum: 0.02, maximum: 1, default: 0.6, description: 'How well it is seen, 0 to 1.' }),
    rotate: Type.Number({ minimum: -180, maximum: 180, default: 0, description: 'Degrees, clockwise.' }),
    colour: colourSetting('#ffffff', 'Of the text.'),
    face: Type.Enum([...faces], { default: 'sans', description: 'Of the text.' }),
  }),
  outputs: Type.Object({ image: port.image() }),
  sound({ text, mark }) {
    if (text === undefined && mark === undefined) throw new Problem('bad_request', 'Give either a text or a picture as the mark.', { field: 'text' })
  },
  async run({ image, text, mark, at, tiled, size, margin, opacity, rotate, colour, face }, bench) {
    if ((text === undefined) === (mark === undefined)) throw new Problem('bad_request', 'Give either a text or a picture as the mark.', { field: 'text' })
    if (text?.trim() === '') throw new Problem('bad_request', 'The text of the mark is empty.', { field: 'text' })
    const picture = await decoded(bench, image)
    const width = Math.max(8, Math.round(picture.width * size))
    const made = mark ? await pixelsOf((await openPicture(bench, mark)).resize({ width, height: picture.height, fit: 'inside' }))
      : await bench.type(text!, { width, height: picture.height, maxLines: text!.includes('\n') || text!.length > 40 ? 4 : 1, maxSize: picture.height / 4, face, fill: colour, shadow: shadowOf(colour) })
    const plate = rotate === 0 ? made : await pixelsOf(fromPixels(made).rotate(rotate, { background: { r: 0, g: 0, b: 0, alpha: 0 } }))
    const away = Math.round(Math.min(picture.width, picture.height) * margin)
    const marked = tiled ? await spread(plate, picture, opacity) : await lay(fromPixels(picture), picture, [{ ...plate, ...placeAt(at as Anchor, picture, plate, { x: away, y: away }), opacity }])
    return { image: await bench.keep(await marked.png().toBuffer()) }
  },
})

/** What keeps light letters readable on a light ground, and dark ones on a dark one. */
function shadowOf(colour: string): string {
  const [red, green, blue] = [1, 3, 5].map(at => parseInt(colour.slice(at, at + 2), 16)) as [number, number, number]
  return red * 0.3 + green * 0.59 + blue * 0.11 > 110 ? 'rgba(0, 0, 0, 0.55)' : 'rgba(255, 255, 255, 0.55)'
}

/** All over a picture, every other row half a step aside: as a pattern, since a small mark fits thousands of times. */
async function spread(plate: Plate, picture: Plate, opacity: number): Promise<Sharp> {
  const step = { across: Math.ceil(plate.width * 1.5), down: Math.ceil(plate.height * 2 + picture.height * 0.06) }
  const half = Math.round(step.across / 2)
  const pattern = { width: step.across, height: 2 * step.down }
  const places = [{ left: 0, top: Math.round(step.down / 3) }, { left: half, top: Math.round(step.down * 4 / 3) }, { left: half - step.across, top: Math.round(step.down * 4 / 3) }]
  const drawn = await pixelsOf(fromPixels(await pixelsOf(await lay(blank(pattern, 'transparent'), pattern, places.map(place => ({ ...plate, ...place, opacity })))))
    .extract({ left: 0, top: 0, width: Math.min(pattern.width, picture.width), height: Math.min(pattern.height, picture.height) }))
  return fromPixels(picture).composite([{ input: drawn.pixels, raw: { width: drawn.width, height: drawn.height, channels: 4 }, tile: true, gravity: 'northwest' }])
}
