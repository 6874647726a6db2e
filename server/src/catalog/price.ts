/** What an order costs, before it is made. Pure; whole micro-dollars. */
import type { Card, PriceList, PriceRow } from '../domain/card.ts'
import type { Json } from '../domain/outcome.ts'

export interface Pricing {
  /** Parameters with their defaults, and what follows from them: `operation`, and `output_tier` (2K, 4K, 8K) where the size is known. */
  facts: Record<string, Json>
  count: number
  seconds: number | null
  /** Of one picture; null where the size is not known before, which counts as one megapixel. */
  pixels?: number | null
  now: Date
}

/** The price list that counts: the newest that has begun; before all of them, the first. */
export function listAt(lists: PriceList[], now: Date): PriceList {
  const begun = lists.filter(list => Date.parse(`${list.from}T00:00:00Z`) <= now.getTime())
  return begun.length > 0
    ? begun.reduce((newest, list) => list.from > newest.from ? list : newest)
    : lists.reduce((oldest, list) => list.from < oldest.from ? list : oldest)
}

/** The first row whose `when` agrees with all facts; null where the list has no price for this. */
export const rowFor = (list: PriceList, facts: Record<string, Json>): PriceRow | null =>
  list.rows.find(({ when = {} }) => Object.entries(when).every(([name, value]) => facts[name] === value)) ?? null

const megapixel = 1024 * 1024

/** The price of an order. Throws an ordinary error for a card without a price, which the check at boot does not let through. */
export function priceOf(card: Pick<Card, 'id' | 'prices'>, { facts, count, seconds, pixels, now }: Pricing): number {
  const row = rowFor(listAt(card.prices, now), facts)
  if (!row) throw new Error(`The card ${card.id} has no price for ${JSON.stringify(facts)}.`)
  switch (row.per) {
    case 'image': case 'video': return row.micros * count
    case 'megapixel': return Math.ceil(row.micros * (pixels ?? megapixel) / megapixel) * count
    case 'second': return row.micros * (seconds ?? 1) * count
    case 'run': return row.micros
  }
}
