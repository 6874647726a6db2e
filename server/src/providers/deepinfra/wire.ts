/** A job in DeepInfra's words. Pure. */
import { as, ownFormat, unheard, writeParameters } from '../toolkit.ts'
import { sortFields, takeInputs, type Shaped, type Written } from '../toolkit/ai-sdk.ts'
import { shapeOf, shapes } from '../toolkit/local.ts'

const title = 'DeepInfra'
const edits = /kontext|edit/i

/** @throws {Problem} `unsupported_parameter` for what DeepInfra cannot honour */
export function writeJob(job: Shaped): Written {
  const isEdit = job.inputs.length > 0
  const told = takeInputs(job, title, { max: edits.test(job.model) ? 4 : 0, mask: edits.test(job.model) })
  const { fields, warnings } = writeParameters(job, title, {
    ...shapes,
    // Its OpenAI-shaped edits have no such fields.
    seed: isEdit ? unheard('edits have no seed there, so another run gives another picture.') : as('seed'),
    ...(isEdit ? {} : { steps: as('num_inference_steps'), guidance: as('guidance_scale'), negative_prompt: as('negative_prompt') }),
    output_format: ownFormat('png', 'jpeg'),
  })
  const { width, height } = shapeOf(job, 16)
  return sortFields({ fields: { ...fields, ...(width && height ? { size: `${width}x${height}` } : {}) }, warnings: [...warnings, ...told] })
}
