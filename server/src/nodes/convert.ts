import { Type } from 'typebox'
import { node, port } from './contract.ts'
import { checkSide, encode, formats, hasAlpha, type Format } from './toolkit/formats.ts'
import { colourSetting, openPicture, readColour, sizeOf } from './toolkit/pixels.ts'

/** A picture in another file format. */
export default node({
  id: 'convert', title: 'Convert', category: 'picture', description: 'Writes a picture in another format. What is clear gets the colour of `background`, always in JPEG, which knows nothing clear.',
  inputs: Type.Object({
    image: port.image({ description: 'The picture.' }),
    format: Type.Enum(formats, { default: 'webp', description: 'The format.' }),
    quality: Type.Integer({ minimum: 1, maximum: 100, default: 90, description: 'How good: 100 is without loss in PNG, WebP and AVIF; less is a PNG of fewer colours.' }),
    background: colourSetting('transparent', 'What stands where the picture is clear; in JPEG white instead of transparent.'),
  }),
  outputs: Type.Object({ image: port.image(), bytes: port.integer({ description: 'How large the file is.' }) }),
  async run({ image, format, quality, background }, bench) {
    const picture = await openPicture(bench, image)
    checkSide(format as Format, await sizeOf(picture))
    const colour = background !== 'transparent' ? background : hasAlpha(format as Format) ? null : '#ffffff'
    const bytes = await encode(colour === null ? picture : picture.flatten({ background: readColour(colour) }), format as Format, quality).toBuffer()
    return { image: await bench.keep(bytes), bytes: bytes.length }
  },
})
