/** A job in xAI's words, and what it says it took. Pure. */
import { Problem } from '../../domain/problem.ts'
import { as, unheard, words, writeParameters, type Handling } from '../toolkit.ts'
import { nearestRatio, sortFields, takeInputs, type Shaped, type Written } from '../toolkit/ai-sdk.ts'

const title = 'xAI'
const ratios = ['1:1', '2:3', '3:2', '3:4', '4:3', '9:16', '16:9', '1:2', '2:1']
const seed = unheard('xAI has no seed, so another run gives another picture.')

export const isFilm = (model: string): boolean => /video/.test(model)

/** A tick is a ten-billionth of a dollar. */
export const costOf = ({ costInUsdTicks }: Record<string, unknown>): number | null => typeof costInUsdTicks === 'number' ? Math.ceil(costInUsdTicks / 10_000) : null

/** @throws {Problem} `unsupported_parameter` for what xAI cannot honour */
export function writePicture(job: Shaped): Written {
  const told = takeInputs(job, title, { max: 5 })
  // An edit follows its picture.
  const ratio: Handling = (value, name) => value === 'auto' && job.inputs.length > 0 ? {} : as('aspectRatio', words(...ratios))(value === 'auto' ? nearestRatio(ratios, job) : value, name, job)
  const { fields, warnings } = writeParameters(job, title, {
    aspect_ratio: ratio, resolution: as('resolution', { '1K': '1k', '2K': '2k' }), quality: as('quality', { standard: 'medium', low: 'low', medium: 'medium', high: 'high' }), output_format: as('output_format', words('png', 'jpeg')), seed,
  })
  return sortFields({ fields, warnings: [...warnings, ...told] })
}

/** @throws {Problem} `unsupported_parameter` for what xAI cannot honour */
export function writeFilm(job: Shaped): Written {
  const isNewer = /1\.5/.test(job.model)
  const ends = job.inputs.filter(({ role }) => role === 'first_frame' || role === 'last_frame')
  const references = job.inputs.filter(({ role }) => role === 'reference')
  const no = (message: string, value: string) => new Problem('unsupported_parameter', message, { field: 'inputs', value })
  const unfit = job.inputs.find(({ role }) => role !== 'first_frame' && role !== 'last_frame' && role !== 'reference')
  if (unfit) throw no(`${title} takes no ${unfit.role} for ${job.model}.`, unfit.role)
  if (ends.length > 0 && references.length > 0) throw no(`${title} takes references or first and last pictures for ${job.model}, not both.`, 'reference')
  if (!isNewer && ends.some(({ role }) => role === 'last_frame')) throw no(`${title} takes a last picture only for grok-imagine-video-1.5.`, 'last_frame')
  if (ends.length > 0 && !ends.some(({ role }) => role === 'first_frame')) throw no(`${title} takes a last picture only beside a first one. Add a first_frame.`, 'last_frame')
  const sizes = isNewer && references.length === 0 ? ['480p', '720p', '1080p'] : ['480p', '720p']
  const ratio: Handling = (value, name) => value === 'auto' && ends.length > 0 ? {} : as('aspectRatio', words(...ratios))(value === 'auto' ? nearestRatio(ratios, job) : value, name, job)
  return sortFields(writeParameters(job, title, {
    aspect_ratio: ratio, resolution: as('resolution', words(...sizes)), duration_s: as('duration'), sound: as('generateAudio'), seed,
  }))
}
