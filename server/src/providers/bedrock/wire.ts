/** A job in the words of the Nova Canvas wire. Pure. */
import { as, only, unheard, words, writeParameters } from '../toolkit.ts'
import { sortFields, takeInputs, type Shaped, type Written } from '../toolkit/ai-sdk.ts'
import { shapeOf, shapes } from '../toolkit/local.ts'

export const title = 'Amazon Bedrock'

/** @throws {Problem} `unsupported_parameter` for what this wire cannot honour */
export function writeJob(job: Shaped): Written {
  const told = takeInputs(job, title, { max: 5, mask: true })
  const isMasked = job.inputs.some(({ role }) => role === 'mask')
  const { fields, warnings } = writeParameters(job, title, {
    ...shapes, seed: as('seed'), quality: as('quality', words('standard', 'premium')), negative_prompt: as('negativeText'), guidance: as('cfgScale'), strength: (value) => ({ send: { similarityStrength: 1 - Number(value) } }),
    output_format: (value, name, one) => value === 'png' ? {} : value === 'jpeg' ? { refused: ['png'] } : unheard('')(value, name, one), style: only('auto'),
  })
  const { width, height } = isMasked || job.operation === 'remove_background' ? {} : shapeOf(job, 16)
  return sortFields({ fields: { ...fields, ...(job.operation === 'remove_background' ? { taskType: 'BACKGROUND_REMOVAL' } : {}), ...(width && height ? { size: `${width}x${height}` } : {}) }, warnings: [...warnings, ...told] })
}
