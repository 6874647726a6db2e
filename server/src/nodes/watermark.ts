import { Type } from 'typebox'
import { Problem } from '../domain/problem.ts'
import { faces, node, port, type Plate } from './contract.ts'
import { anchors, colourSetting, decoded, fromPixels, lay, openPicture, pixelsOf, placeAt, type Anchor, type Layer } from './toolkit/pixels.ts'

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
  async run({ image, text, mark, at, tiled, size, margin, opacity, rotate, colour, face }, bench) {
    if ((text === undefined) === (mark === undefined)) throw new Problem('bad_request', 'Give either a text or a picture as the mark.', { field: 'text' })
    if (text?.trim() === '') throw new Problem('bad_request', 'The text of the mark is empty.', { field: 'text' })
    const picture = await decoded(bench, image)
    const width = Math.max(8, Math.round(picture.width * size))
    const made = mark ? await pixelsOf((await openPicture(bench, mark)).resize({ width, height: picture.height, fit: 'inside' }))
      : await bench.type(text!, { width, height: picture.height, maxLines: text!.includes('\n') || text!.length > 40 ? 4 : 1, maxSize: picture.height / 4, face, fill: colour, shadow: shadowOf(colour) })
    const plate = rotate === 0 ? made : await pixelsOf(fromPixels(made).rotate(rotate, { background: { r: 0, g: 0, b: 0, alpha: 0 } }))
    const away = Math.round(Math.min(picture.width, picture.height) * margin)
    const layers: Layer[] = (tiled ? spread(plate, picture) : [placeAt(at as Anchor, picture, plate, { x: away, y: away })]).map(place => ({ ...plate, ...place, opacity }))
    const marked = await lay(fromPixels(picture), picture, layers)
    return { image: await bench.keep(await marked.png().toBuffer()) }
  },
})

/** What keeps light letters readable on a light ground, and dark ones on a dark one. */
function shadowOf(colour: string): string {
  const [red, green, blue] = [1, 3, 5].map(at => parseInt(colour.slice(at, at + 2), 16)) as [number, number, number]
  return red * 0.3 + green * 0.59 + blue * 0.11 > 110 ? 'rgba(0, 0, 0, 0.55)' : 'rgba(255, 255, 255, 0.55)'
}

/** Places all over a picture, every other row half a step aside, a little over its edges. */
function spread({ width, height }: Plate, picture: { width: number; height: number }): { left: number; top: number }[] {
  const [across, down] = [Math.ceil(width * 1.5), Math.ceil(height * 2 + picture.height * 0.06)]
  const places: { left: number; top: number }[] = []
  for (let row = 0, top = Math.round(-height / 2); top < picture.height; row++, top += down) {
    for (let left = row % 2 === 0 ? -Math.round(width / 4) : -Math.round(width / 4 + across / 2); left < picture.width; left += across) places.push({ left, top })
  }
  return places
}
