/**
 * What can be made: the cards, found by any of their names, and the check every order passes before it costs anything.
 *
 * Cards do not change while the house stands, but for one thing: the day a model ends it is retired, without a restart. Absent on purpose:
 * the database, who is asking.
 */
import type { ValidateFunction } from 'ajv'
import type { Asset } from '../domain/asset.ts'
import type { RetiredModels } from '../domain/caller.ts'
import type { Card, CheckedOrder, DialectName } from '../domain/card.ts'
import type { Operation, Order } from '../domain/order.ts'
import { Problem } from '../domain/problem.ts'
import { checkOrder } from './check.ts'
import { ownCards, readCards } from './load.ts'
import { nearNames } from './near.ts'
import { compileParameters, createAjv } from './parameters.ts'

export interface Found {
  card: Card
  /** The name it was found by, where that is one of a dialect's; with `replaces`, still the retired card's. */
  name: DialectName | null
  /** The retired card that was named, where this one takes its place. */
  replaces?: Card
}

export interface Catalog {
  all(): Card[]
  /** By any name, upper and lower case apart; with a dialect, by that dialect's names first. */
  find(name: string, dialect?: string): Found | null
  /** The same for who wants a replacement rather than a no: of a retired card, the first one in its place that is not retired itself. */
  serving(name: string, dialect?: string): Found | null
  /**
   * Checks an order against its card, fills in defaults, and prices it. `inputs` are the order's pictures, in its order.
   *
   * @throws {Problem} `unknown_model` with near names, `model_retired` (live), `unsupported_parameter`, `bad_request`, `bad_input_image`;
   * several mistakes are all in `details.problems`
   */
  check(order: Order, inputs: Asset[], now: Date, mode: { livemode: boolean; retired?: RetiredModels }): CheckedOrder
}

export { ownCards } from './load.ts'

/** A card in a later folder takes the place of an earlier one with its id. `now` tells whose end has come. @throws {CatalogError} with every mistake in every card */
export function loadCatalog(folders: string[] = [ownCards], now: () => Date = () => new Date()): Catalog {
  const cards = readCards(folders)
  const ending = cards.filter(({ life }) => life.ends !== undefined).sort((a, b) => a.life.ends! < b.life.ends! ? -1 : 1)
  /** Asked before every look: who knows a card reads its `life`, and need not know the day. */
  const retireEnded = () => {
    while (ending[0] && hasEnded(ending[0], now())) {
      const card = ending.shift()!
      card.life = { ...card.life, state: 'retired', since: card.life.ends! }
    }
  }
  const native = new Map<string, Found>()
  const dialects = new Map<string, Map<string, Found>>()
  for (const card of cards) {
    for (const [dialect, names] of Object.entries(card.dialects)) {
      if (!dialects.has(dialect)) dialects.set(dialect, new Map())
      for (const name of names) dialects.get(dialect)!.set(name.id, { card, name })
    }
    for (const alias of card.aliases) native.set(alias, { card, name: null })
  }
  for (const [id, found] of dialects.get('native') ?? []) native.set(id, found)
  for (const card of cards) native.set(card.id, { card, name: null })

  const find = (name: string, dialect?: string): Found | null => {
    retireEnded()
    const own = dialect === undefined ? undefined : dialects.get(dialect)?.get(name)
    if (own ?? native.get(name)) return (own ?? native.get(name))!
    for (const names of dialects.values()) if (names.has(name)) return names.get(name)!
    return null
  }

  const serving = (name: string, dialect?: string): Found | null => {
    const found = find(name, dialect)
    if (found?.card.life.state !== 'retired') return found
    const seen = new Set<Card>()
    let card: Card | undefined = found.card
    while (card?.life.state === 'retired' && !seen.has(card)) {
      seen.add(card)
      card = native.get(card.life.replacement ?? '')?.card
    }
    return card === undefined || card.life.state === 'retired' ? found : { card, name: found.name, replaces: found.card }
  }

  const ajv = createAjv()
  // Compiled for the first order of each: nobody waits for all of them at the start.
  const validators = new Map<Card, Map<Operation, ValidateFunction>>(cards.map(card => [card, new Map()]))
  const validatorOf = (card: Card) => (operation: Operation): ValidateFunction => {
    const known = validators.get(card)!
    const validate = known.get(operation) ?? compileParameters(ajv, card, operation)
    known.set(operation, validate)
    return validate
  }

  return {
    all: () => { retireEnded(); return cards },
    find, serving,
    check(order, inputs, now, { livemode, retired = 'refuse' }) {
      const dialect = order.wire?.protocol
      const found = (livemode && retired === 'replace' ? serving : find)(order.model, dialect)
      if (!found) throw unknownModel(order.model, [...native.keys(), ...(dialects.get(dialect ?? '')?.keys() ?? [])])
      if (inputs.length !== order.inputs.length) throw new Error(`The order names ${order.inputs.length} pictures and ${inputs.length} came with it.`)
      return checkOrder(order, { ...found, instead: serving(order.model, dialect)!.card, validatorOf: validatorOf(found.card), inputs, now, livemode })
    },
  }
}

/** Days begin at midnight UTC, as those of prices do. */
const hasEnded = ({ life: { ends } }: Card, now: Date): boolean => ends !== undefined && Date.parse(`${ends}T00:00:00Z`) <= now.getTime()

function unknownModel(wanted: string, names: string[]): Problem {
  const near = nearNames(wanted, names)
  const shown = wanted.length > 100 ? `${wanted.slice(0, 100)}…` : wanted
  return new Problem('unknown_model', `There is no model called ${shown.toWellFormed()}.${near.length > 0 ? ` Did you mean ${near.join(', ')}?` : ''}`, { field: 'model', value: shown.toWellFormed(), allowed: near, near })
}
