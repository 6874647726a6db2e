/** What an order costs, before it is made, and how much of that is taken when it is. Pure; whole micro-dollars. */
import type { Card, PriceList, PriceRow, TokenPrices } from '../domain/card.ts'
import type { Operation, Priority } from '../domain/order.ts'
import type { Json } from '../domain/outcome.ts'
import type { Usage } from '../domain/usage.ts'
import { tierOf } from './pixels.ts'

export interface Pricing {
  /** Parameters with their defaults, and what follows from the order: `operation`, `priority`, and `output_tier` (2K, 4K, 8K) where the size is known. */
  facts: Record<string, Json>
  count: number
  seconds: number | null
  /** Of one picture; null where the size is not known before, which counts as one megapixel. */
  pixels?: number | null
  /** The most a call may take, for models sold by tokens. */
  tokens?: Usage
  now: Date
}

/** What an order or a task says that a price may depend on. */
export interface Priced { operation: Operation; prompt: string; inputs: readonly unknown[]; parameters: Record<string, Json>; count: number; width: number | null; height: number | null; priority?: Priority | undefined }

/** Beside the words themselves: roles, marks of a turn, an upstream's own. */
const frameTokens = 64
/** More than makers are known to count for one picture: Google about 1,100, Anthropic's newer models up to some 4,800 (unconfirmed for each of ours). */
const pictureTokensMax = 5_000

/**
 * The most tokens an order to write is charged for: one for every UTF-16 unit that goes in, the dearest picture for every picture, and as many as
 * may come out, thinking included. A token is three or four letters of most scripts, and about one of Chinese or Japanese; where a model knows a
 * script so badly that it takes more, that is the house's loss.
 */
export const tokensMaxOf = ({ prompt, parameters: { system, max_tokens: out }, inputs }: Pick<Priced, 'prompt' | 'parameters' | 'inputs'>): Usage => ({
  textIn: prompt.length + (typeof system === 'string' ? system.length : 0) + frameTokens,
  imageIn: inputs.length * pictureTokensMax,
  textOut: typeof out === 'number' ? out : 0,
})

export function pricingOf(card: Pick<Card, 'output'>, { operation, parameters, count, width, height, priority = 'interactive', ...words }: Priced, now: Date): Pricing {
  const size = width !== null && height !== null ? { width, height } : null
  return {
    facts: { ...parameters, operation, priority, ...(size ? { output_tier: tierOf(size) } : {}) },
    count,
    seconds: operation === 'video' ? typeof parameters.duration_s === 'number' ? parameters.duration_s : card.output.seconds?.default ?? 1 : null,
    pixels: size ? size.width * size.height : null,
    ...(operation === 'write' ? { tokens: tokensMaxOf({ parameters, ...words }) } : {}),
    now,
  }
}

/** The list that counts: the newest that has begun; before all of them, the first. */
export function listAt<List extends { from: string }>(lists: List[], now: Date): List {
  const begun = lists.filter(list => Date.parse(`${list.from}T00:00:00Z`) <= now.getTime())
  return begun.length > 0
    ? begun.reduce((newest, list) => list.from > newest.from ? list : newest)
    : lists.reduce((oldest, list) => list.from < oldest.from ? list : oldest)
}

/** Whether all a row's `when` names agrees with the facts. */
export const agrees = ({ when = {} }: { when?: Record<string, Json> }, facts: Record<string, Json>): boolean =>
  Object.entries(when).every(([name, value]) => facts[name] === value)

/** The first row whose `when` agrees with all facts; null where the list has no price for this. */
export const rowFor = (list: Pick<PriceList, 'rows'>, facts: Record<string, Json>): PriceRow | null => list.rows.find(row => agrees(row, facts)) ?? null

const megapixel = 1024 * 1024

/** What a row comes to. `prices`: what tokens cost, for rows that are by them. */
export function amountOf(row: PriceRow, { count, seconds, pixels, tokens = {} }: Pick<Pricing, 'count' | 'seconds' | 'pixels' | 'tokens'>, prices?: TokenPrices): number {
  switch (row.per) {
    case 'image': case 'video': return row.micros * count
    case 'megapixel': return Math.ceil(row.micros * (pixels ?? megapixel) / megapixel) * count
    case 'second': return row.micros * (seconds ?? 1) * count
    case 'run': return row.micros
    case 'tokens': return row.micros + (prices ? tokensAmount(tokens, prices) : 0)
  }
}

/** The price of an order. Throws an ordinary error for a card without a price, which the check at boot does not let through. */
export function priceOf(card: Pick<Card, 'id' | 'prices'>, pricing: Pricing): number {
  const list = listAt(card.prices, pricing.now)
  const row = rowFor(list, pricing.facts)
  if (!row) throw new Error(`The card ${card.id} has no price for ${JSON.stringify(pricing.facts)}.`)
  return amountOf(row, pricing, list.tokens)
}

const perMillion = 1_000_000

/** Whether an upstream told its tokens; searches alone are none. */
export const hasTokens = ({ textIn, imageIn, textOut, imageOut }: Usage): boolean => [textIn, imageIn, textOut, imageOut].some(count => count !== undefined)

/** Tokens times their prices, a fraction of a micro-dollar rounded up. */
export const tokensAmount = ({ textIn = 0, imageIn = 0, textOut = 0, imageOut = 0 }: Usage, prices: TokenPrices): number =>
  Math.ceil((textIn * prices.textIn + imageIn * prices.imageIn + textOut * prices.textOut + imageOut * prices.imageOut) / perMillion)

/**
 * What is taken of a price that was held: the part of what was made, and not more than it took where the model is sold by that.
 *
 * Never more than was held: the price was told before. Rounded in the caller's favour.
 */
export function chargeFor({ priceMicros, asked, made, usage, tokens }: { priceMicros: number; asked: number; made: number; usage: Usage | undefined; tokens: TokenPrices | undefined }): number {
  const part = made >= asked ? priceMicros : Math.floor(priceMicros * made / asked)
  return tokens && usage && hasTokens(usage) ? Math.min(part, tokensAmount(usage, tokens)) : part
}
