/** A job in Together's words. Pure. */
import { as, only, words, writeParameters } from '../toolkit.ts'
import { sortFields, takeInputs, type Shaped, type Written } from '../toolkit/ai-sdk.ts'
import { shapeOf, shapes } from '../toolkit/local.ts'

const title = 'Together AI'

/** The models that work on a picture; the others make new ones only. */
const edits = /kontext|FLUX\.2|flash-image|seedream|qwen-image-edit/i

/** @throws {Problem} `unsupported_parameter` for what Together cannot honour */
export function writeJob(job: Shaped): Written {
  const told = takeInputs(job, title, { max: edits.test(job.model) ? 1 : 0 })
  const { fields, warnings } = writeParameters(job, title, {
    ...shapes, seed: as('seed'), steps: as('steps'), guidance: as('guidance'), negative_prompt: as('negative_prompt'), output_format: as('output_format', words('png', 'jpeg')), strength: only(1),
  })
  const { width, height } = shapeOf(job, 16)
  return sortFields({ fields: { ...fields, ...(width && height ? { size: `${width}x${height}` } : {}) }, warnings: [...warnings, ...told] })
}
