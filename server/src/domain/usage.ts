/** What a making takes: by the upstream's own count, and what that comes to for us. */

/** What an upstream says a making took, by modality. Absent fields were not told, which is not the same as zero. */
export interface Usage {
  /** Tokens of the prompt's text, and of the pictures sent with it. */
  textIn?: number
  imageIn?: number
  /** Tokens of text that came back, thinking included, and of pictures. */
  textOut?: number
  imageOut?: number
  /** Web searches the upstream ran to ground the answer. */
  searches?: number
}

/** What an upstream told of an attempt's cost, whether it made something or not. */
export interface Took {
  usage?: Usage
  /** What it says it took from us, in whole micro-dollars. */
  costMicros?: number
}

/** How well we know what an attempt cost: the upstream said so, its usage times prices, a price list, or not at all. */
export type CostBasis = 'reported' | 'usage' | 'table' | 'unknown'

/** What an attempt cost the house. `micros` is null exactly where `basis` is `unknown`. */
export interface Cost {
  micros: number | null
  basis: CostBasis
  usage: Usage | null
  /** What searches cost beyond those that are free each month; they are counted where the cost is written down. Null where they are in `micros` or free. */
  search: { freePerMonth: number; micros: number } | null
}

const fields = ['textIn', 'imageIn', 'textOut', 'imageOut', 'searches'] as const

/** Several calls as one. What one of them did not tell is not told of all, for a sum that leaves out a part would be too small. */
export function addTook(all: Took[]): Took {
  const usages = all.flatMap(({ usage }) => usage ? [usage] : [])
  const costs = all.flatMap(({ costMicros }) => costMicros === undefined ? [] : [costMicros])
  const sums = Object.fromEntries(fields.flatMap(name => {
    const told = usages.flatMap(usage => usage[name] === undefined ? [] : [usage[name]])
    return told.length > 0 ? [[name, told.reduce((sum, one) => sum + one, 0)]] : []
  }))
  return {
    ...(usages.length > 0 && usages.length === all.length ? { usage: sums } : {}),
    ...(costs.length > 0 && costs.length === all.length ? { costMicros: costs.reduce((sum, one) => sum + one, 0) } : {}),
  }
}
