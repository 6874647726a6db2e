/** A job in Prodia's words, and what it says it took. Pure. */
import { as, only, writeParameters } from '../toolkit.ts'
import { sortFields, takeInputs, type Shaped, type Written } from '../toolkit/ai-sdk.ts'
import { shapeOf, shapes } from '../toolkit/local.ts'

const title = 'Prodia'

export const costOf = ({ images }: Record<string, unknown>): number | null => {
  const dollars = (images as { dollars?: number }[] | undefined)?.map(one => one.dollars)
  return dollars && dollars.every(one => typeof one === 'number') ? Math.ceil(dollars.reduce((sum, one) => sum + one!, 0) * 1_000_000) : null
}

/** @throws {Problem} `unsupported_parameter` for what Prodia cannot honour */
export function writeJob(job: Shaped): Written {
  const told = takeInputs(job, title, { max: 0 })
  // It is asked for PNG, and no field names another.
  const { fields, warnings } = writeParameters(job, title, { ...shapes, seed: as('seed'), steps: as('steps'), output_format: only('png') })
  const { width, height } = shapeOf(job, 16)
  return sortFields({ fields: { ...fields, ...(width && height ? { size: `${width}x${height}` } : {}) }, warnings: [...warnings, ...told] })
}
