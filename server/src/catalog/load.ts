/**
 * Reads card files. Every mistake in every file is reported at once, with the file and the place in it, and nothing is served
 * from a catalogue with a mistake: a wrong card takes money for the wrong thing.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { Value } from 'typebox/value'
import type { Card, JsonSchema } from '../domain/card.ts'
import type { Json } from '../domain/outcome.ts'
import { casesOf } from './cases.ts'
import { nearNames } from './near.ts'
import { createAjv, propertiesOf } from './parameters.ts'
import { tables } from './pixels.ts'
import { rowFor } from './price.ts'
import { CardFile } from './schema.ts'

const ajv = createAjv({ once: true })

/** Cards that do not hold together: the message lists every mistake. */
export class CatalogError extends Error {
  override name = 'CatalogError'
  readonly mistakes: string[]
  constructor(mistakes: string[]) {
    super(`The catalogue has ${mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`}:\n${mistakes.map(mistake => `  ${mistake}`).join('\n')}`)
    this.mistakes = mistakes
  }
}

/** A card, and the file it came from: the last one that said something of it. */
export interface Filed { file: string; card: Card }

/**
 * Reads cards from folders, or from single files, in their order.
 *
 * A later card takes the place of an earlier one with its id, whole. A file with `extends` changes an earlier one instead and says only what
 * is different (`merge`); what comes of it is checked as a whole.
 *
 * @throws {CatalogError}
 */
export function readFiled(places: string[]): Filed[] {
  const mistakes: string[] = []
  const byId = new Map<string, Filed>()
  for (const place of places) {
    for (const file of filesIn(place, mistakes)) {
      const card = readCard(file, { byId, mistakes, isProven: place === ownCards })
      if (card) byId.set(card.id, { file, card })
    }
  }
  const cards = [...byId.values()]
  mistakes.push(...findClashes(cards))
  if (cards.length === 0 && mistakes.length === 0) mistakes.push(`There are no cards in ${places.join(', ')}.`)
  if (mistakes.length > 0) throw new CatalogError(mistakes)
  return cards
}

/** The cards that come with the house. Their schemas are compiled by its tests (`catalog.test.ts`) and not again at every start: that takes longer than the rest of it. */
export const ownCards = path.join(import.meta.dirname, 'cards')

export const readCards = (places: string[]): Card[] => readFiled(places).map(({ card }) => card)

/** Card files of a folder by name, or the file itself. */
export function filesIn(place: string, mistakes: string[] = []): string[] {
  try {
    return statSync(place).isFile() ? [place] : readdirSync(place).filter(name => name.endsWith('.json')).sort().map(name => path.join(place, name))
  } catch (cause) {
    mistakes.push(`${place}: ${(cause as Error).message}`)
    return []
  }
}

/**
 * Lays a change over a card, as RFC 7396 does: objects are merged field by field, everything else takes the place of what was there, lists
 * whole, and null takes a field away. Pure.
 */
export function merge(under: Json, over: Json): Json {
  if (!isObject(over)) return over
  const merged: Record<string, Json> = isObject(under) ? { ...under } : {}
  for (const [name, value] of Object.entries(over)) {
    if (value === null) delete merged[name]
    else merged[name] = merge(Object.hasOwn(merged, name) ? merged[name]! : null, value)
  }
  return merged
}

const isObject = (value: unknown): value is Record<string, Json> => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The card a file stands for: what it says itself, or an earlier card with its changes. Null, and a mistake, where that is not there. */
function readChanged(file: string, read: unknown, byId: ReadonlyMap<string, Filed>, mistakes: string[]): unknown {
  if (!isObject(read) || !Object.hasOwn(read, 'extends')) return read
  const { extends: name, ...change } = read
  const under = typeof name === 'string' ? byId.get(name) : undefined
  if (!under) {
    const near = typeof name === 'string' ? nearNames(name, byId.keys()) : []
    mistakes.push(`${file}/extends: there is no card ${JSON.stringify(name)} to change${near.length > 0 ? `; did you mean ${near.join(', ')}?` : ''}`)
    return null
  }
  if (change.id !== undefined && change.id !== name) {
    mistakes.push(`${file}/id: a change of ${String(name)} keeps its id; leave it out, or write a whole card without extends`)
    return null
  }
  return merge(under.card as unknown as Json, change)
}

function readCard(file: string, { byId, mistakes, isProven }: { byId: ReadonlyMap<string, Filed>; mistakes: string[]; isProven: boolean }): Card | null {
  let read: unknown
  try {
    read = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    mistakes.push(`${file}: ${(cause as Error).message}`)
    return null
  }
  read = readChanged(file, read, byId, mistakes)
  if (read === null) return null
  const flaws = Value.Check(CardFile, read) ? [] : [...Value.Errors(CardFile, read)].filter(({ keyword }) => keyword !== 'boolean')
  if (flaws.length > 0) {
    for (const { instancePath, message, params } of flaws) mistakes.push(`${file}${instancePath || '/'}: ${message} ${JSON.stringify(params)}`)
    return null
  }
  const card = read as Card
  const own = [...checkCard(card, isProven ? () => [] : checkSchema)]
  if (path.basename(file) !== `${card.id}.json`) own.push(`/id: a card called ${card.id} belongs in ${card.id}.json`)
  for (const mistake of own) mistakes.push(`${file}${mistake}`)
  return own.length > 0 ? null : card
}

/** What a schema cannot say about one card. */
function* checkCard(card: Card, checkOne: (place: string, schema: JsonSchema) => Iterable<string>): Generator<string> {
  yield* checkOne('/parameters', card.parameters)
  if (card.parameters.type !== 'object' || card.parameters.additionalProperties !== false) yield '/parameters: must be an object with additionalProperties false'
  const table = card.parameters['x-pixels']
  if (table !== undefined && (typeof table !== 'string' || !Object.hasOwn(tables, table))) yield `/parameters/x-pixels: must be one of ${Object.keys(tables).join(', ')}`
  const sideMax = card.parameters['x-side-max']
  if (sideMax !== undefined && !Number.isInteger(sideMax)) yield '/parameters/x-side-max: must be a whole number'
  if (card.inputs.min > card.inputs.max) yield '/inputs/min: must not be above max'
  if (card.inputs.max > 0 && Object.keys(card.inputs.roles).length === 0) yield '/inputs/roles: pictures that may come in need a role'
  if (card.operations.includes('video') && !card.output.seconds) yield '/output/seconds: films need a length'
  const names = propertiesOf(card.parameters)
  for (const [dialect, list] of Object.entries(card.dialects)) {
    for (const [index, { operation, input, fields = {} }] of list.entries()) {
      const place = `/dialects/${dialect}/${index}`
      if (operation && !card.operations.includes(operation)) yield `${place}/operation: ${operation} is none of the card's`
      if (input) yield* checkOne(`${place}/input`, input)
      for (const [field, house] of Object.entries(fields)) {
        if (input && !Object.hasOwn(propertiesOf(input), field)) yield `${place}/fields/${field}: there is no such field in input`
        const roles = /^inputs(?::(.+))?$/.exec(house)
        for (const role of roles?.[1]?.split(',') ?? []) if (!Object.hasOwn(card.inputs.roles, role)) yield `${place}/fields/${field}: ${role} is no role of this card`
        if (roles || house === 'prompt') continue
        const parameters = house.split(',')
        for (const one of parameters) if (!Object.hasOwn(names, one)) yield `${place}/fields/${field}: there is no parameter ${one}`
        if (input) yield* checkWords(`${place}/input/properties/${field}`, propertiesOf(input)[field] ?? {}, parameters.length)
      }
    }
  }
  yield* checkWriting(card, names)
  const isSized = table !== undefined || names.factor !== undefined
  if (!isSized && card.prices.some(({ rows }) => rows.some(({ when = {} }) => 'output_tier' in when))) yield '/prices: output_tier needs x-pixels or a factor'
  for (const operation of card.operations) {
    for (const [index, list] of card.prices.entries()) {
      for (const facts of casesOf(card, operation, list.rows)) {
        if (!rowFor(list, facts)) yield `/prices/${index}: no row for ${JSON.stringify(facts)}`
      }
    }
  }
}

/** Text is an output of its own, and a price by tokens has an end only where the order does. */
function* checkWriting({ operations, output, prices, routes }: Card, names: Record<string, JsonSchema>): Generator<string> {
  const isWriter = operations.includes('write')
  if (isWriter !== (output.kind === 'text') || isWriter && operations.length > 1) yield '/operations: write and output.kind text belong together, and a card that writes does nothing else'
  const isByTokens = (per: string) => per === 'tokens'
  for (const [index, { rows, tokens }] of prices.entries()) {
    if (!rows.some(({ per }) => isByTokens(per))) continue
    if (!tokens) yield `/prices/${index}: a row by tokens needs the prices of tokens beside it`
    if (names.max_tokens?.default === undefined) yield `/prices/${index}: a row by tokens needs a parameter max_tokens with a default`
  }
  for (const [index, { costs = [] }] of routes.entries()) {
    if (costs.some(({ rows }) => rows.some(row => 'per' in row && isByTokens(row.per)))) yield `/routes/${index}/costs: what tokens cost is a row with tokens`
  }
}

/** A field that stands for several parameters needs a value for each of them under every word it takes. */
function* checkWords(place: string, field: JsonSchema, parameters: number): Generator<string> {
  const words = (field['x-house'] ?? {}) as Record<string, Json>
  if (parameters > 1) for (const word of (field.enum ?? []) as Json[]) {
    const values = words[String(word)]
    if (!Array.isArray(values) || values.length !== parameters) yield `${place}/x-house: ${String(word)} must be a list of ${parameters} values`
  }
  if (parameters > 1 && !field.enum) yield `${place}: a field for ${parameters} parameters needs an enum`
}

function* checkSchema(place: string, schema: JsonSchema): Generator<string> {
  let validate
  try {
    validate = ajv.compile(schema)
  } catch (cause) {
    yield `${place}: ${(cause as Error).message}`
    return
  }
  // Defaults are filled in unseen, so they have to be values the schema itself would take.
  const defaults = Object.fromEntries(Object.entries(propertiesOf(schema)).flatMap(([name, property]) => property.default === undefined ? [] : [[name, property.default]]))
  validate(defaults)
  for (const { instancePath, keyword, message } of validate.errors ?? []) if (keyword !== 'required') yield `${place}/properties${instancePath}/default: ${message}`
}

/** A name that means two things would sell the wrong one. */
function* findClashes(cards: { file: string; card: Card }[]): Generator<string> {
  const taken = new Map<string, string>()
  for (const { file, card } of cards) {
    const own = [card.id, ...card.aliases, ...(card.dialects.native ?? []).map(({ id }) => id)].map(name => `native ${name}`)
    const foreign = Object.entries(card.dialects).filter(([dialect]) => dialect !== 'native').flatMap(([dialect, list]) => list.map(({ id }) => `${dialect} ${id}`))
    for (const name of [...own, ...foreign]) {
      const other = taken.get(name)
      if (other) yield `${file}: the name ${name.split(' ').slice(1).join(' ')} (${name.split(' ')[0]}) is taken by ${other}`
      else taken.set(name, file)
    }
  }
  for (const { file, card } of cards) {
    const { replacement, state, ends } = card.life
    if (state === 'retired' && ends !== undefined) yield `${file}/life/ends: a model that is retired has ended; say since when instead`
    if (replacement && !cards.some(other => other.card.id === replacement)) yield `${file}/life/replacement: there is no card ${replacement}`
  }
}
