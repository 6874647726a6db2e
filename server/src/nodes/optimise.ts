import { Type } from 'typebox'
import { Problem } from '../domain/problem.ts'
import { node, port } from './contract.ts'
import { checkSide, encode, sideMax, formatOf, formats, formatTitles, hasAlpha, type Format } from './toolkit/formats.ts'
import { colourSetting, decoded, fromPixels, pixelsOf, readColour } from './toolkit/pixels.ts'

/** How much smaller each try is, once quality alone does not do. */
const step = 0.85
const sideMin = 16

/** A picture that keeps to a number of bytes: the best quality that fits, and what was done to it. */
export default node({
  id: 'optimise', title: 'Optimise', category: 'picture', description: 'Finds the best quality whose file keeps to a number of bytes. Where even the lowest does not fit, the run is refused, or the picture is made smaller if that is allowed. Says what it did.',
  inputs: Type.Object({
    image: port.image({ description: 'The picture.' }),
    bytes_max: Type.Integer({ minimum: 500, maximum: 100_000_000, default: 300_000, description: 'How large the file may be.' }),
    format: Type.Enum(['keep', ...formats], { default: 'keep', description: 'The format; keep takes the one it has.' }),
    quality_min: Type.Integer({ minimum: 1, maximum: 100, default: 40, description: 'No worse than this.' }),
    quality_max: Type.Integer({ minimum: 1, maximum: 100, default: 95, description: 'No better than this, however much room there is. 100 tries without loss first, where the format can.' }),
    shrink: Type.Boolean({ default: false, description: 'Whether it may be made smaller in pixels where quality alone does not do.' }),
    background: colourSetting('#ffffff', 'What stands where the picture is clear, in JPEG.'),
  }),
  outputs: Type.Object({
    image: port.image(), bytes: port.integer({ description: 'How large the file is.' }), quality: port.integer({ description: 'The quality it was written with; 100 where it was left as it is.' }),
    did: port.text({ description: 'What was done, in a sentence.' }),
  }),
  async run({ image, bytes_max, format, quality_min, quality_max, shrink, background }, bench) {
    if (quality_min > quality_max) throw new Problem('bad_request', `quality_min (${quality_min}) is above quality_max (${quality_max}).`, { field: 'quality_min' })
    const original = await bench.read(image)
    const wanted = format === 'keep' ? formatOf(image.mime) : format as Format
    // Without loss and small enough already: nothing is better than what is there.
    if (original.length <= bytes_max && image.mime === `image/${wanted}`) return { image, bytes: original.length, quality: 100, did: `Left as it is: ${original.length} bytes keep to ${bytes_max}.` }

    const clear = await decoded(bench, image)
    const whole = hasAlpha(wanted) ? clear : await pixelsOf(fromPixels(clear).flatten({ background: readColour(background) }))
    if (!shrink) checkSide(wanted, whole)
    for (let scale = 1; ; scale *= step) {
      const size = { width: Math.max(1, Math.round(whole.width * scale)), height: Math.max(1, Math.round(whole.height * scale)) }
      bench.signal.throwIfAborted()
      if (Math.max(size.width, size.height) > sideMax[wanted]) continue
      const picture = async (quality: number) => {
        const pixels = hasAlpha(wanted) ? fromPixels(whole) : fromPixels(whole).removeAlpha()
        return encode(scale === 1 ? pixels : pixels.resize({ ...size, fit: 'fill' }), wanted, quality).toBuffer()
      }
      const best = await bestThatFits(picture, { bytesMax: bytes_max, from: quality_min, to: quality_max })
      if (best.fits) {
        const shrunk = scale === 1 ? '' : `, made smaller from ${whole.width} × ${whole.height} to ${size.width} × ${size.height}`
        return { image: await bench.keep(best.bytes), bytes: best.bytes.length, quality: best.quality, did: `${formatTitles[wanted]} at quality ${best.quality}${shrunk}: ${best.bytes.length} of ${bytes_max} bytes, where it had ${original.length}.` }
      }
      if (!shrink) throw new Problem('bad_request', `Even at quality ${quality_min} this ${formatTitles[wanted]} has ${best.bytes.length} bytes, more than ${bytes_max}. Allow more bytes, a lower quality_min, another format, or shrink.`, { field: 'bytes_max', value: bytes_max, allowed: { minimum: best.bytes.length } })
      if (Math.min(size.width, size.height) < sideMin) throw new Problem('bad_request', `Nothing of this picture fits into ${bytes_max} bytes.`, { field: 'bytes_max', value: bytes_max })
    }
  },
})

/** The best quality whose bytes fit, by halving; the worst and that it does not fit where none does. Bytes are taken to grow with quality. */
async function bestThatFits(encoded: (quality: number) => Promise<Buffer>, { bytesMax, from, to }: { bytesMax: number; from: number; to: number }): Promise<{ fits: boolean; quality: number; bytes: Buffer }> {
  const top = await encoded(to)
  if (top.length <= bytesMax) return { fits: true, quality: to, bytes: top }
  const bottom = from === to ? top : await encoded(from)
  if (bottom.length > bytesMax) return { fits: false, quality: from, bytes: bottom }
  let best = { fits: true, quality: from, bytes: bottom }
  for (let [low, high] = [from, to]; high - low > 1;) {
    const quality = Math.floor((low + high) / 2)
    const bytes = await encoded(quality)
    if (bytes.length <= bytesMax) { best = { fits: true, quality, bytes }; low = quality } else high = quality
  }
  return best
}
