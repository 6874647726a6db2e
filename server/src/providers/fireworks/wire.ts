/** A job in Fireworks' words. Pure. */
import { Problem } from '../../domain/problem.ts'
import { as, only, ownFormat, words, writeParameters, type Handling } from '../toolkit.ts'
import { nearestRatio, sortFields, takeInputs, type Shaped, type Written } from '../toolkit/ai-sdk.ts'
import { shapeOf, shapes } from '../toolkit/local.ts'

const title = 'Fireworks AI'
/** Its older models take pixels, its FLUX ratios. */
const bySize = /stable-diffusion|playground|SSD-1B/i
const ratios = ['1:1', '21:9', '16:9', '3:2', '5:4', '4:5', '2:3', '9:16', '9:21', '4:3', '3:4']

/** @throws {Problem} `unsupported_parameter` for what Fireworks cannot honour */
export function writeJob(job: Shaped): Written {
  if (/kontext/i.test(job.model)) throw new Problem('unsupported_parameter', `${title} makes ${job.model} in a way that a restart would lose. Have another provider make it (bfl).`, { field: 'model', value: job.model })
  const told = takeInputs(job, title, { max: 0 })
  const ratio: Handling = (value, name) => as('aspectRatio', words(...ratios))(value === 'auto' ? nearestRatio(ratios, job) : value, name, job)
  const pixels = bySize.test(job.model)
  const { width, height } = pixels ? shapeOf(job, 64) : {}
  const { fields, warnings } = writeParameters(job, title, {
    ...(pixels ? shapes : { aspect_ratio: ratio, resolution: only('1K'), size: only() }), seed: as('seed'), steps: as(pixels ? 'steps' : 'num_inference_steps'), guidance: as(pixels ? 'cfg_scale' : 'guidance_scale'),
    output_format: pixels ? ownFormat('png', 'jpeg') : as('output_format', words('png', 'jpeg')),
    ...(pixels ? { negative_prompt: as('negative_prompt') } : {}),
  })
  return sortFields({ fields: { ...fields, ...(width && height ? { size: `${width}x${height}` } : {}) }, warnings: [...warnings, ...told] })
}
