import { Type, type Static } from 'typebox'
import type { Media } from '../domain/graph/graph.ts'
import { Problem } from '../domain/problem.ts'
import { node, port, type Bench, type Plate } from './contract.ts'
import { differ, distance, lookOf, similarity } from './toolkit/likeness.ts'
import { decoded, fromPixels, Measure, measure, pixelsOf } from './toolkit/pixels.ts'

/** Of the pixels, where no limit is set at all. */
const differentStandard = 0.001
/** Three pictures are held at once. */
const pixelsMax = 40_000_000

const Region = Type.Object({ x: Measure, y: Measure, width: Measure, height: Measure }, { additionalProperties: false })

/**
 * Whether a picture is still the one it was: held against a wired picture, or against the approved one of a name.
 *
 * Never taken from before: a baseline may have been approved meanwhile.
 */
export default node({
  id: 'compare', title: 'Compare', category: 'check', reusable: false,
  description: 'Holds a picture against another, or against the approved baseline of a name: pixel by pixel, by structure (SSIM) and by look (perceptual hash). Within the limits it goes on at `pass`, else at `fail`, with a picture of what differs. The first picture of a name is proposed as its baseline, and so is one that differs; a person approves it (`/plantain/v1/baselines`).',
  inputs: Type.Object({
    image: port.image({ description: 'The picture.' }),
    against: Type.Optional(port.image({ description: 'What it is held against.' })),
    baseline: Type.Optional(port.text({ minLength: 1, maxLength: 200, description: 'Or the name of a baseline; wired, each item of an iteration can have its own.' })),
    different_max: Type.Optional(Type.Number({ minimum: 0, maximum: 1, description: `How large a share of the pixels may differ. ${differentStandard} where no limit is set at all.` })),
    similarity_min: Type.Optional(Type.Number({ minimum: -1, maximum: 1, description: 'How alike the structure must be (SSIM), 1 for the same.' })),
    distance_max: Type.Optional(Type.Integer({ minimum: 0, maximum: 64, description: 'In how many of 64 bits the look may differ; 10 is much alike, 32 has nothing to do with it.' })),
    tolerance: Type.Number({ minimum: 0, maximum: 1, default: 0.1, description: 'How far two colours may be apart and count as one: 0 not at all, 1 is black and white.' }),
    edges: Type.Boolean({ default: false, description: 'Whether edges that were only drawn a little softer count as different.' }),
    ignore: Type.Array(Region, { default: [], maxItems: 50, description: 'Rectangles that are not looked at, in pixels or shares (50%).' }),
    scale: Type.Boolean({ default: false, description: 'Whether a picture of another size is scaled before it is looked at. Otherwise another size is a difference.' }),
    first_run: Type.Enum(['pass', 'fail', 'approve'], { default: 'pass', description: 'What becomes of a picture whose baseline has none yet: it passes and is proposed, fails and is proposed, or is the baseline from now on.' }),
    on_difference: Type.Enum(['go_on', 'fail'], { default: 'go_on', description: 'What a difference does: the picture goes on at `fail`, or the run fails.' }),
  }),
  outputs: Type.Object({
    pass: Type.Optional(port.image({ description: 'The picture, where it is within the limits.' })), fail: Type.Optional(port.image({ description: 'The picture, where it is not.' })),
    passed: port.boolean({ description: 'Whether it is.' }), status: port.text({ description: 'same, different, resized (another size) or new (no baseline yet).' }),
    overlay: Type.Optional(port.image({ description: 'The picture in grey, with what differs in red, and edges that are only softer in yellow.' })),
    different: Type.Optional(port.number({ description: 'Share of the pixels that differ.' })), similarity: Type.Optional(port.number({ description: 'SSIM.' })), distance: Type.Optional(port.integer({ description: 'Bits in which the look differs.' })),
    report: port.text({ description: 'All of it in a sentence.' }),
  }),
  async run(inputs, bench) {
    const { image, against, baseline, first_run, on_difference } = inputs
    if ((against === undefined) === (baseline === undefined)) throw new Problem('bad_request', 'Wire a picture to hold it against, or give the name of a baseline; one of the two.', { field: 'against' })
    if (baseline !== undefined && /\p{Cc}/u.test(baseline)) throw new Problem('bad_request', 'The name of a baseline has no line breaks or other control characters.', { field: 'baseline' })
    const standard = against ?? await bench.baseline(baseline!)
    const judged: Judged = standard === null ? await begin(image, baseline!, first_run, bench) : await judge(standard, inputs, bench)
    if (baseline !== undefined && standard !== null && !judged.passed) judged.report += proposals[await bench.propose(baseline, image, false)]
    if (!judged.passed && on_difference === 'fail') {
      throw new Problem('bad_request', `${judged.report}`, { status: judged.status, different: judged.different, similarity: judged.similarity, distance: judged.distance, ...(judged.overlay ? { overlay: judged.overlay.asset } : {}) })
    }
    return { ...judged, ...(judged.passed ? { pass: image } : { fail: image }) }
  },
})

interface Judged { passed: boolean; status: string; report: string; overlay?: Media; different?: number; similarity?: number; distance?: number }
const proposals = { proposed: ' It is proposed as the new baseline.', approved: '', rejected: ' It was proposed before and turned down.' }

/** The first picture of a name. */
async function begin(image: Media, name: string, first: string, bench: Bench): Promise<Judged> {
  const proposal = await bench.propose(name, image, first === 'approve')
  const report = proposal === 'approved' ? `This is the baseline ${name} from now on.` : `The baseline ${name} has no approved picture yet.${proposals[proposal]}`
  return { passed: first !== 'fail' && proposal !== 'rejected', status: 'new', report }
}

interface Asked { image: Media; different_max?: number; similarity_min?: number; distance_max?: number; tolerance: number; edges: boolean; ignore: Static<typeof Region>[]; scale: boolean }

async function judge(standard: Media, { image, tolerance, edges, ignore, scale, ...limits }: Asked, bench: Bench): Promise<Judged> {
  const [one, own] = [await decoded(bench, standard, pixelsMax), await decoded(bench, image, pixelsMax)]
  const sized = own.width === one.width && own.height === one.height
  if (!sized && !scale) {
    return { passed: false, status: 'resized', report: `It has ${own.width} × ${own.height} pixels, and what it is held against ${one.width} × ${one.height}.` }
  }
  const other = sized ? own : await pixelsOf(fromPixels(own).resize({ width: one.width, height: one.height, fit: 'fill' }))
  for (const region of ignore) for (const plate of [one, other]) cover(plate, region)

  const { count, overlay } = await differ(one, other, { tolerance, edges, signal: bench.signal })
  const different = round(count / (one.width * one.height))
  const alike = round(await similarity(one, other))
  const far = distance(await lookOf(one), await lookOf(other))
  const none = limits.different_max === undefined && limits.similarity_min === undefined && limits.distance_max === undefined
  const { different_max = none ? differentStandard : 1, similarity_min = -1, distance_max = 64 } = limits
  const beyond = [
    ...(different > different_max ? [`${percent(different)} of the pixels differ, and ${percent(different_max)} may`] : []),
    ...(alike < similarity_min ? [`its structure is ${alike} alike, and ${similarity_min} is asked for`] : []),
    ...(far > distance_max ? [`its look differs in ${far} of 64 bits, and ${distance_max} may`] : []),
  ]
  const report = beyond.length > 0 ? `Different: ${beyond.join('; ')}.` : `The same within the limits: ${percent(different)} of the pixels differ, structure ${alike}, look ${far} of 64 bits apart.`
  return { passed: beyond.length === 0, status: beyond.length === 0 ? 'same' : 'different', report, different, similarity: alike, distance: far, overlay: await bench.keep(await fromPixels(overlay).png().toBuffer()) }
}

/** Numbers that are kept and compared, to six places. */
const round = (value: number): number => Math.round(value * 1e6) / 1e6
const percent = (share: number): string => `${Number((share * 100).toPrecision(3))}%`

/** Paints a rectangle over, in both pictures alike. */
function cover({ pixels, width, height }: Plate, region: Static<typeof Region>): void {
  const [left, top] = [Math.max(0, measure(region.x, width)), Math.max(0, measure(region.y, height))]
  const [right, bottom] = [Math.min(width, left + measure(region.width, width)), Math.min(height, top + measure(region.height, height))]
  for (let y = top; y < bottom; y++) if (right > left) pixels.fill(Buffer.from([128, 128, 128, 255]), (y * width + left) * 4, (y * width + right) * 4)
}
