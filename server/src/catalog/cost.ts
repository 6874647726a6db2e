/** What an attempt cost us, by the costs that stand on its route. Pure; whole micro-dollars. */
import type { Card, CostList, CostRow } from '../domain/card.ts'
import type { Cost, Took } from '../domain/usage.ts'
import { agrees, amountOf, hasTokens, listAt, pricingOf, tokensAmount, type Priced, type Pricing } from './price.ts'

export interface Attempted extends Omit<Pricing, 'count'> {
  took: Took
  /** How many pictures, films or texts came; what a price list sells by the piece. */
  made: number
}

const isByTokens = (row: CostRow): row is Extract<CostRow, { tokens: unknown }> => 'tokens' in row

/** The costs that stand on a card for a route. A further account of a provider (`accountOf`: whose it is) pays what the provider's own does. */
export function costsOf({ routes }: Pick<Card, 'routes'>, { provider, model }: { provider: string; model: string }, accountOf: (provider: string) => string | undefined = () => undefined): CostList[] | undefined {
  const named = routes.filter(one => one.model === model)
  return (named.find(one => one.provider === provider) ?? named.find(one => one.provider === accountOf(provider)))?.costs
}

/** An order as it was sold. */
export interface Sold extends Omit<Priced, 'prompt' | 'inputs'> { priceMicros: number }

/** Whether a route's list says, before anything is made, that an order costs us more than it was sold for. Without a figure it says nothing, and of words only the counted tokens tell. */
export function losesOn(card: Pick<Card, 'output'>, costs: CostList[] | undefined, { priceMicros, ...sold }: Sold, now: Date): boolean {
  if (sold.operation === 'write') return false
  const { count, ...pricing } = pricingOf(card, { ...sold, prompt: '', inputs: [] }, now)
  const { micros } = costOf(costs, { ...pricing, took: {}, made: count })
  return micros !== null && micros > priceMicros
}

/**
 * What is best known: the upstream's own word, else its usage at the route's prices of tokens, else the route's price list.
 *
 * Where nothing came out and the upstream told nothing, the list says nothing either: a refused prompt may be free or not.
 */
export function costOf(costs: CostList[] | undefined, { took: { usage, costMicros }, made, ...pricing }: Attempted): Cost {
  const told = { usage: usage ?? null }
  if (costMicros !== undefined) return { micros: costMicros, basis: 'reported', ...told, search: null }
  const unknown: Cost = { micros: null, basis: 'unknown', ...told, search: null }
  if (!costs || costs.length === 0) return unknown
  const list = listAt(costs, pricing.now)
  const tokens = usage && hasTokens(usage) ? usage : null
  const row = list.rows.find(one => agrees(one, pricing.facts) && (tokens !== null || !isByTokens(one)))
  if (!row || 'unlisted' in row) return unknown
  const search = list.search ?? null
  if (isByTokens(row)) return { micros: tokensAmount(tokens!, row.tokens), basis: 'usage', ...told, search }
  return made > 0 ? { micros: amountOf(row, { ...pricing, count: made }), basis: 'table', ...told, search } : unknown
}
