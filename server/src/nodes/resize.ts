import type { FitEnum } from 'sharp'
import { Type } from 'typebox'
import { Problem } from '../domain/problem.ts'
import { node, port } from './contract.ts'
import { colourSetting, openPicture, readColour } from './toolkit/pixels.ts'

/** A picture in another size, with its proportions kept unless both sides are given. */
export default node({
  id: 'resize', title: 'Resize', category: 'picture', description: 'Makes a picture smaller or larger. With one side given the other follows; with both, `fit` says how.',
  inputs: Type.Object({
    image: port.image({ description: 'The picture.' }),
    width: Type.Optional(Type.Integer({ minimum: 1, maximum: 8_192, description: 'Pixels across.' })),
    height: Type.Optional(Type.Integer({ minimum: 1, maximum: 8_192, description: 'Pixels down.' })),
    fit: Type.Enum(['cover', 'contain', 'fill', 'inside', 'outside'], { default: 'cover', description: 'How a picture of other proportions is fitted in: cut, with bars, stretched, wholly inside or wholly covering.' }),
    background: colourSetting('transparent', 'Colour of the bars.'),
  }),
  outputs: Type.Object({ image: port.image() }),
  sound: refuseSizeless,
  async run({ image, width, height, fit, background }, bench) {
    refuseSizeless({ width, height })
    const bytes = await (await openPicture(bench, image)).resize({ ...(width === undefined ? {} : { width }), ...(height === undefined ? {} : { height }), fit: fit as keyof FitEnum, background: readColour(background) }).png().toBuffer()
    return { image: await bench.keep(bytes) }
  },
})

function refuseSizeless({ width, height }: { width?: unknown; height?: unknown }): void {
  if (width === undefined && height === undefined) throw new Problem('bad_request', 'Say how large it is to be: width, height or both.', { field: 'width' })
}
