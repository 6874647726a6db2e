import { Type } from 'typebox'
import { Problem } from '../domain/problem.ts'
import { node, port } from './contract.ts'
import { anchors, openPicture, placeAt, sizeOf, type Anchor } from './toolkit/pixels.ts'

const side = (description: string) => Type.Optional(Type.Integer({ minimum: 1, maximum: 16_384, description }))

/** A part of a picture, pixel for pixel: what stands at a place, or as much as a ratio allows, around where people look. */
export default node({
  id: 'crop', title: 'Crop', category: 'picture', description: 'Cuts a part out of a picture without scaling it: an exact rectangle, or the largest part of a ratio (or a part of a size) at a side, or around what draws the eye (`attention`) or has most detail (`entropy`).',
  inputs: Type.Object({
    image: port.image({ description: 'The picture.' }),
    ratio: Type.Optional(Type.String({ pattern: '^\\d{1,4}(\\.\\d{1,3})?:\\d{1,4}(\\.\\d{1,3})?$', description: 'Width to height, as 16:9. The largest part that has it is taken.' })),
    width: side('Pixels across.'),
    height: side('Pixels down.'),
    x: Type.Optional(Type.Integer({ minimum: 0, description: 'Pixels from the left to the rectangle; with y, width and height.' })),
    y: Type.Optional(Type.Integer({ minimum: 0, description: 'Pixels from the top to the rectangle.' })),
    at: Type.Enum([...anchors, 'attention', 'entropy'], { default: 'centre', description: 'Which part is kept, where x and y do not say.' }),
  }),
  outputs: Type.Object({ image: port.image() }),
  async run({ image, ratio, width, height, x, y, at }, bench) {
    // Turned upright first: places are meant as people see them.
    const picture = await openPicture(bench, image)
    const whole = await sizeOf(picture)
    const shown = `The picture has ${whole.width} × ${whole.height} pixels`
    const cut = async (left: number, top: number, size: { width: number; height: number }) => ({ image: await bench.keep(await picture.extract({ left, top, ...size }).png().toBuffer()) })

    if (x !== undefined || y !== undefined) {
      if (x === undefined || y === undefined || width === undefined || height === undefined || ratio !== undefined) throw new Problem('bad_request', 'An exact rectangle needs x, y, width and height, and no ratio.', { field: 'x' })
      if (x + width > whole.width || y + height > whole.height) throw new Problem('bad_request', `${shown}; a rectangle of ${width} × ${height} at ${x}, ${y} reaches over its edge.`, { field: x + width > whole.width ? 'width' : 'height' })
      return cut(x, y, { width, height })
    }
    if (ratio !== undefined && (width !== undefined || height !== undefined)) throw new Problem('bad_request', 'Give a ratio, or a width and height, not both. To scale as well, put resize behind it.', { field: 'ratio' })
    if (ratio === undefined && width === undefined && height === undefined) throw new Problem('bad_request', 'Say what to keep: a ratio, a width or height, or an exact rectangle.', { field: 'ratio' })
    const size = ratio === undefined ? { width: width ?? whole.width, height: height ?? whole.height } : largest(ratio, whole)
    if (size.width > whole.width || size.height > whole.height) throw new Problem('bad_request', `${shown}, so ${size.width} × ${size.height} cannot be cut out of it.`, { field: size.width > whole.width ? 'width' : 'height' })
    if (at !== 'attention' && at !== 'entropy') { const { left, top } = placeAt(at as Anchor, whole, size); return cut(left, top, size) }
    const bytes = await picture.resize({ ...size, fit: 'cover', position: at, withoutReduction: true }).png().toBuffer()
    return { image: await bench.keep(bytes) }
  },
})

/** @throws {Problem} `bad_request` for a ratio of nothing */
function largest(ratio: string, { width, height }: { width: number; height: number }): { width: number; height: number } {
  const [across, down] = ratio.split(':').map(Number) as [number, number]
  if (across === 0 || down === 0) throw new Problem('bad_request', `A ratio has two numbers above 0, as 16:9, not ${ratio}.`, { field: 'ratio', value: ratio })
  const scale = Math.min(width / across, height / down)
  return { width: Math.max(1, Math.min(width, Math.round(across * scale))), height: Math.max(1, Math.min(height, Math.round(down * scale))) }
}
