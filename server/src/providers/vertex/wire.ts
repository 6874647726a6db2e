/** A job in the words of Vertex AI. Pure. */
import { Problem } from '../../domain/problem.ts'
import { as, nothing, only, unheard, when, words, writeParameters, type Handling } from '../toolkit.ts'
import { nearestRatio, sortFields, takeInputs, type Shaped, type Written } from '../toolkit/ai-sdk.ts'

const title = 'Google Vertex AI'
const ratios = ['1:1', '2:3', '3:2', '3:4', '4:3', '4:5', '5:4', '9:16', '16:9', '21:9']

export const isFilm = (model: string): boolean => model.startsWith('veo-')

/** @throws {Problem} `unsupported_parameter` for what Vertex cannot honour */
export function writePicture(job: Shaped): Written {
  const told = takeInputs(job, title, { max: 14 })
  const sizes = /2\.5|lite/.test(job.model) ? ['1K'] : ['1K', '2K', '4K']
  const { fields, warnings } = writeParameters(job, title, {
    // Without a word the model follows its picture, as ours does.
    aspect_ratio: (value, name) => value === 'auto' ? job.inputs.length > 0 ? {} : as('aspectRatio')('1:1', name, job) : as('aspectRatio', words(...ratios))(value, name, job),
    resolution: (value, name) => sizes.length === 1 ? only('1K')(value, name, job) : as('imageSize', words(...sizes))(value, name, job),
    output_format: (value, name, one) => value === 'png' ? {} : only('png')(value, name, one), seed: as('seed'), google_search: only(false),
  })
  const { imageSize, ...rest } = fields
  return sortFields({ fields: { ...rest, ...(imageSize === undefined ? {} : { imageConfig: { imageSize } }) }, warnings: [...warnings, ...told] })
}

/** @throws {Problem} `unsupported_parameter` for what Vertex cannot honour */
export function writeFilm(job: Shaped): Written {
  const ends = job.inputs.filter(({ role }) => role === 'first_frame' || role === 'last_frame')
  const references = job.inputs.filter(({ role }) => role === 'reference')
  const unfit = job.inputs.find(({ role }) => role !== 'first_frame' && role !== 'last_frame' && role !== 'reference')
  if (unfit) throw new Problem('unsupported_parameter', `${title} takes no ${unfit.role} for ${job.model}.`, { field: 'inputs', value: unfit.role })
  if (ends.length > 0 && references.length > 0) throw new Problem('unsupported_parameter', `${title} takes references or first and last pictures for ${job.model}, not both.`, { field: 'inputs' })
  const needsEight = job.parameters.resolution !== undefined && job.parameters.resolution !== '720p' || references.length > 0
  const ratio: Handling = (value, name) => as('aspectRatio', words('16:9', '9:16'))(value === 'auto' ? nearestRatio(['16:9', '9:16'], job) : value, name, job)
  return sortFields(writeParameters(job, title, {
    aspect_ratio: ratio, resolution: as('resolution', { '720p': '720p', '1080p': '1080p', '4K': '4k' }), duration_s: (value) => (needsEight ? [8] : [4, 6, 8]).includes(Number(value)) ? { send: { duration: value } } : { refused: needsEight ? [8] : [4, 6, 8] },
    negative_prompt: as('negativePrompt'), seed: as('seed'), sound: when(true, nothing, unheard('films of this family always have sound.')),
  }))
}
