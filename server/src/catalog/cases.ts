/** Which orders a list of prices or costs tells apart, and where one of our costs is above what callers pay. Pure. */
import type { Card, PriceRow } from '../domain/card.ts'
import { priorities, type Operation } from '../domain/order.ts'
import type { Json } from '../domain/outcome.ts'
import { parametersOf } from './parameters.ts'
import { agrees, listAt, rowFor } from './price.ts'

type Facts = Record<string, Json>

/** Every combination of the values that rows tell apart, as an order may have them; of a parameter that is any number, those the rows name. */
export function casesOf(card: Card, operation: Operation, rows: readonly { when?: Facts }[]): Facts[] {
  const known = parametersOf(card, operation)
  const named = (name: string): Json[] => rows.flatMap(({ when = {} }) => Object.hasOwn(when, name) ? [when[name]!] : [])
  const values = (name: string): (Json | undefined)[] => {
    if (name === 'priority') return [...priorities]
    if (name === 'output_tier') return ['2K', '4K', '8K']
    const property = known[name]
    if (!property) return [undefined]
    const { enum: allowed, type, default: usual } = property
    return [...new Set(allowed as Json[] | undefined ?? (type === 'boolean' ? [true, false] : [...named(name), ...(usual === undefined ? [] : [usual])])), ...(usual === undefined ? [undefined] : [])]
  }
  return [...new Set(rows.flatMap(({ when = {} }) => Object.keys(when)))].filter(name => name !== 'operation').reduce<Facts[]>(
    (all, name) => all.flatMap(facts => values(name).map(value => value === undefined ? facts : { ...facts, [name]: value })), [{ operation }])
}

export interface Loss { model: string; provider: string; facts: Facts; costMicros: number; priceMicros: number; per: PriceRow['per'] }

/** For each route whose upstream takes more than callers pay, by the lists on the card, the order that loses the largest part. Only where both are by the same measure. */
export function lossesOf(card: Card, now: Date): Loss[] {
  if (card.prices.length === 0) return []
  const prices = listAt(card.prices, now)
  return card.routes.flatMap(({ provider, costs }) => {
    if (!costs) return []
    const { rows } = listAt(costs, now)
    const losses = card.operations.flatMap(operation => casesOf(card, operation, [...prices.rows, ...rows]).flatMap((facts): Loss[] => {
      const cost = rows.find(row => agrees(row, facts) && !('tokens' in row))
      const price = rowFor(prices, facts)
      if (!cost || !('micros' in cost) || !price || price.per !== cost.per || cost.micros <= price.micros) return []
      return [{ model: card.id, provider, facts, costMicros: cost.micros, priceMicros: price.micros, per: price.per }]
    }))
    return losses.length === 0 ? [] : [losses.reduce((worst, one) => one.costMicros * worst.priceMicros > worst.costMicros * one.priceMicros ? one : worst)]
  })
}
