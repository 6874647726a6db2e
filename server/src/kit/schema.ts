/**
 * Readers made from schemas: the same TypeBox schema gives the type, the check, the sentence that says what is wrong, and the page
 * in the API description.
 *
 * Absent on purpose: repair. A value that does not fit is refused with its field, never cut, filled or turned into another.
 */
import type { Static, TObject, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { Problem } from '../domain/problem.ts'
import { isKeepable } from './json.ts'

/** Reads a value from outside, or says what is wrong with it. @throws {Problem} `bad_request` with `field`, `value`, `allowed` */
export type Read<T> = (value: unknown) => T

interface Flaw { keyword: string; schemaPath: string; instancePath: string; params: Record<string, unknown>; message: string }

/** A reader for JSON bodies. `what` names the whole in a sentence ("The body"). */
export function reader<S extends TSchema>(schema: S, what = 'The body'): Read<Static<S>> {
  const compiled = Compile(schema)
  return value => {
    if (compiled.Check(value)) return value as Static<S>
    throw explain(value, compiled.Errors(value) as Flaw[], schema, what)
  }
}

/**
 * A reader for query strings: numbers and booleans are read from text as the schema asks, a repeated name fills an array.
 *
 * `metadata[colour]=red` fills the object `metadata`. A name the schema does not have is refused, because a filter that is
 * misspelt and silently ignored answers another question than the one that was asked.
 */
export function queryReader<S extends TObject>(schema: S): Read<Static<S>> {
  const read = reader(schema, 'The query')
  const properties = schema.properties as Record<string, Shape>
  return query => {
    const value: Record<string, unknown> = {}
    for (const [name, text] of query as URLSearchParams) {
      if (!isKeepable(name) || !isKeepable(text)) {
        throw new Problem('bad_request', 'The query holds text with a NUL character or half of a surrogate pair.')
      }
      const nested = /^([a-z_]+)\[([^\]]*)\]$/.exec(name)
      if (nested && Object.hasOwn(properties, nested[1]!) && properties[nested[1]!]!.type === 'object') {
        const pairs = (value[nested[1]!] ??= Object.create(null)) as Record<string, string>
        pairs[nested[2]!] = text
        continue
      }
      const shape = Object.hasOwn(properties, name) ? properties[name]! : undefined
      if (shape?.type === 'array') {
        ((value[name] ??= []) as unknown[]).push(...text.split(',').map(part => readText(part, shape.items ?? {})))
        continue
      }
      if (Object.hasOwn(value, name)) throw new Problem('bad_request', `${name} may stand in the query once only.`, { field: name })
      Object.defineProperty(value, name, { value: readText(text, shape ?? {}), enumerable: true, configurable: true, writable: true })
    }
    return read(value)
  }
}

interface Shape { type?: string; items?: Shape }

function readText(text: string, shape: Shape): unknown {
  if (shape.type === 'integer' && /^-?\d{1,15}$/.test(text)) return Number(text)
  if (shape.type === 'number' && /^-?\d{1,15}(\.\d{1,9})?$/.test(text)) return Number(text)
  if (shape.type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  return text
}

/** An instant a caller wrote. Years outside 1970 to 9999 are slips, and PostgreSQL has another idea of them. @throws {Problem} `bad_request` */
export function readInstant(text: string, field: string): Date {
  const date = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/.test(text) ? new Date(text) : new Date(NaN)
  if (Number.isNaN(date.getTime()) || date.getTime() < 0 || date.getUTCFullYear() > 9999) {
    throw new Problem('bad_request', `${field} must be a time like 2026-01-31T12:00:00Z or a day like 2026-01-31.`, { field, value: text.slice(0, 100) })
  }
  return date
}

/** Turns the first flaw that helps into a sentence. Pure. */
function explain(value: unknown, flaws: Flaw[], schema: TSchema, what: string): Problem {
  const flaw = pick(flaws)
  if (!flaw) return new Problem('bad_request', `${what} is not what this address takes.`)
  const path = readPointer(flaw.instancePath)
  const field = (more?: string) => nameField(more === undefined ? path : [...path, more])
  const found = at(value, path)
  const name = path.length > 0 ? field() : what
  const place = at(schema, flaw.schemaPath.replace(/^#/, '').split('/').slice(1))
  const say = (sentence: string, details: Record<string, unknown> = {}) =>
    new Problem('bad_request', sentence, { ...(path.length > 0 ? { field: field(), value: shorten(found) } : {}), ...details })

  switch (flaw.keyword) {
    case 'required': {
      const missing = (flaw.params.requiredProperties as string[])[0]!
      return new Problem('bad_request', `${field(missing)} is missing.`, { field: field(missing) })
    }
    case 'additionalProperties': {
      const unknown = (flaw.params.additionalProperties as string[])[0]!
      const known = Object.keys((place as { properties?: object } | undefined)?.properties ?? {})
      const short = unknown.slice(0, 100)
      return new Problem('bad_request', `There is no field ${field(short)}.${known.length > 0 ? ` Known are ${known.join(', ')}.` : ''}`,
        { field: field(short), value: shorten(at(found, [unknown])), ...(known.length > 0 ? { allowed: known } : {}) })
    }
    case 'type': return say(`${name} must be ${article(flaw.params.type)}, not ${kindOf(found)}.`, { allowed: flaw.params.type })
    case 'anyOf': {
      const choices = (place as { anyOf?: { const?: unknown; type?: string }[] } | undefined)?.anyOf ?? []
      const allowed = choices.flatMap(choice => choice.const === undefined ? [] : [choice.const])
      if (allowed.length > 0 && allowed.length === choices.length) return say(`${name} must be one of ${allowed.join(', ')}.`, { allowed })
      return say(`${name} must be ${choices.map(choice => article(choice.type)).join(' or ')}.`)
    }
    case 'enum': return say(`${name} must be one of ${(flaw.params.allowedValues as unknown[]).join(', ')}.`, { allowed: flaw.params.allowedValues })
    case 'const': return say(`${name} must be ${String(flaw.params.allowedValue)}.`, { allowed: [flaw.params.allowedValue] })
    case 'minLength': return say(`${name} must have at least ${flaw.params.limit} characters.`, { allowed: { charactersMin: flaw.params.limit } })
    case 'maxLength': return say(`${name} may have at most ${flaw.params.limit} characters.`, { allowed: { charactersMax: flaw.params.limit } })
    case 'minItems': return say(`${name} must have at least ${flaw.params.limit} items.`, { allowed: { min: flaw.params.limit } })
    case 'maxItems': return say(`${name} may have at most ${flaw.params.limit} items.`, { allowed: { max: flaw.params.limit } })
    case 'maxProperties': return say(`${name} may have at most ${flaw.params.limit} entries.`, { allowed: { max: flaw.params.limit } })
    case 'minimum': case 'maximum': case 'exclusiveMinimum': case 'exclusiveMaximum': {
      const { minimum, maximum } = (place ?? {}) as { minimum?: number; maximum?: number }
      const range = minimum !== undefined && maximum !== undefined ? `between ${minimum} and ${maximum}` : `${flaw.params.comparison} ${flaw.params.limit}`
      return say(`${name} must be ${range}, not ${shorten(found)}.`, { allowed: { ...(minimum === undefined ? {} : { min: minimum }), ...(maximum === undefined ? {} : { max: maximum }) } })
    }
    case 'pattern': case 'format': {
      const { description } = (place ?? {}) as { description?: string }
      return say(`${name} is not written as it must be${description ? `: ${description}` : '.'}`)
    }
    default: return say(`${name} ${flaw.message}.`)
  }
}

/**
 * The flaw worth telling. Under a choice (`anyOf`) every branch complains; the branch that had the right type knows best, so
 * complaints about the type at the very place of the choice are left out when another one is more exact.
 */
function pick(flaws: Flaw[]): Flaw | undefined {
  const useful = flaws.filter(flaw => flaw.keyword !== 'boolean')
  const choices = useful.filter(flaw => flaw.keyword === 'anyOf')
  const isInside = (flaw: Flaw, choice: Flaw) => flaw !== choice && flaw.schemaPath.startsWith(`${choice.schemaPath}/anyOf/`)
  for (const choice of choices) {
    const exact = useful.find(flaw => isInside(flaw, choice) && !['type', 'const', 'anyOf'].includes(flaw.keyword))
      ?? useful.find(flaw => isInside(flaw, choice) && flaw.instancePath !== choice.instancePath && flaw.keyword !== 'anyOf')
    if (exact) return exact
  }
  return useful.find(flaw => !choices.some(choice => isInside(flaw, choice)))
}

const readPointer = (pointer: string): string[] =>
  pointer.split('/').slice(1).map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))

const nameField = (path: string[]): string =>
  path.reduce((name, part) => /^\d+$/.test(part) ? `${name}[${part}]` : name === '' ? part : `${name}.${part}`, '').slice(0, 200)

function at(value: unknown, path: string[]): unknown {
  let here = value
  for (const part of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, part)) return undefined
    here = (here as Record<string, unknown>)[part]
  }
  return here
}

/** A value as it may be told back: enough to find it again, never a picture's worth. */
function shorten(value: unknown): unknown {
  if (typeof value === 'string') return value.length > 100 ? `${value.slice(0, 100).toWellFormed()}…` : value
  if (typeof value === 'object' && value !== null) return kindOf(value)
  return value
}

const kindOf = (value: unknown): string =>
  value === null ? 'null' : value === undefined ? 'nothing' : Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object'
    : typeof value === 'string' ? 'text' : typeof value === 'boolean' ? 'true or false' : Number.isInteger(value) ? 'a whole number' : 'a number'

function article(type: unknown): string {
  switch (type) {
    case 'string': return 'text'
    case 'integer': return 'a whole number'
    case 'number': return 'a number'
    case 'boolean': return 'true or false'
    case 'array': return 'a list'
    case 'object': return 'an object'
    case 'null': return 'null'
    default: return Array.isArray(type) ? type.map(article).join(' or ') : 'another kind of value'
  }
}
