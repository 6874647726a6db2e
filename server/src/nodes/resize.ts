import sharp, { type FitEnum } from 'sharp'
import { Type } from 'typebox'
import { node, port } from './contract.ts'

/** A picture in another size, with its proportions kept unless both sides are given. */
export default node({
  id: 'resize', title: 'Resize', category: 'picture', description: 'Makes a picture smaller or larger. With one side given the other follows; with both, `fit` says how.',
  inputs: Type.Object({
    image: port.image({ description: 'The picture.' }),
    width: Type.Optional(Type.Integer({ minimum: 1, maximum: 8_192, description: 'Pixels across.' })),
    height: Type.Optional(Type.Integer({ minimum: 1, maximum: 8_192, description: 'Pixels down.' })),
    fit: Type.Enum(['cover', 'contain', 'fill', 'inside', 'outside'], { default: 'cover', description: 'How a picture of other proportions is fitted in: cut, with bars, stretched, wholly inside or wholly covering.' }),
    background: Type.String({ pattern: '^(#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?|transparent)$', default: 'transparent', description: 'Colour of the bars.' }),
  }),
  outputs: Type.Object({ image: port.image() }),
  async run({ image, width, height, fit, background }, bench) {
    const colour = background === 'transparent' ? { r: 0, g: 0, b: 0, alpha: 0 } : background
    const bytes = await sharp(await bench.read(image)).rotate().resize({ ...(width === undefined ? {} : { width }), ...(height === undefined ? {} : { height }), fit: fit as keyof FitEnum, background: colour }).png().toBuffer()
    return { image: await bench.keep(bytes) }
  },
})
