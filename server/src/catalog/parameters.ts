/**
 * A card's parameters as schemas: which of them an operation has, and compiled checks for each.
 *
 * Besides JSON Schema's own words a card may use four of ours: `x-operations` on a parameter (only these operations have it),
 * `x-pixels` (the table in `pixels.ts` its sizes come from), `x-size` (limits of a size in pixels) and `x-side-max` (longest side an
 * enlarged picture may have).
 * A dialect's input field may have `x-house`, which maps its values to the house's.
 */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import type { Card, JsonSchema } from '../domain/card.ts'
import type { Operation } from '../domain/order.ts'
import type { Json } from '../domain/outcome.ts'
import type { Mistake } from '../domain/problem.ts'

export type Properties = Record<string, JsonSchema>

/** `once`: for schemas that are compiled to see whether they can be, where making the code fast takes longer than running it. */
export const createAjv = ({ once = false } = {}): Ajv2020 => {
  const ajv = new Ajv2020({ ...(once ? { code: { optimize: false } } : {}), allErrors: true, strict: true, strictTypes: false, strictRequired: false, useDefaults: true, formats: { uri: true }, verbose: true })
  ajv.addVocabulary(['x-operations', 'x-pixels', 'x-side-max', 'x-size', 'x-house'])
  return ajv
}

export const propertiesOf = (schema: JsonSchema): Properties => (schema.properties ?? {}) as Properties

/** The parameters one operation of a card has. */
export function parametersOf(card: Pick<Card, 'parameters'>, operation: Operation): Properties {
  return Object.fromEntries(Object.entries(propertiesOf(card.parameters)).filter(([, property]) => {
    const only = property['x-operations'] as Json[] | undefined
    return only === undefined || only.includes(operation)
  }))
}

export const compileParameters = (ajv: Ajv2020, card: Card, operation: Operation): ValidateFunction =>
  ajv.compile({ ...card.parameters, properties: parametersOf(card, operation) })

/** What is wrong with parameters, one mistake per field, in the order they were written. Pure. */
export function readMistakes(errors: ErrorObject[], card: Pick<Card, 'id'>, operation: Operation, known: Properties, sent: Record<string, Json>): Mistake[] {
  const mistakes = new Map<string, Mistake>()
  for (const error of errors) {
    const name = error.instancePath === '' ? nameIn(error) : error.instancePath.slice(1).split('/')[0]!.replaceAll('~1', '/').replaceAll('~0', '~')
    if (!mistakes.has(name)) mistakes.set(name, describe(error, name, card, operation, known))
  }
  const position = new Map(Object.keys(sent).map((name, index) => [name, index]))
  return [...mistakes.entries()].sort(([a], [b]) => (position.get(a) ?? Infinity) - (position.get(b) ?? Infinity)).map(([, mistake]) => mistake)
}

const nameIn = ({ params }: ErrorObject): string => {
  const { additionalProperty, missingProperty } = params as { additionalProperty?: string; missingProperty?: string }
  return additionalProperty ?? missingProperty ?? 'parameters'
}

function describe(error: ErrorObject, name: string, card: Pick<Card, 'id'>, operation: Operation, known: Properties): Mistake {
  const field = `parameters.${clip(name)}`
  const value = error.keyword === 'additionalProperties' ? shorten((error.data as Record<string, unknown>)[name]) : shorten(error.data)
  const property = Object.hasOwn(known, name) ? known[name]! : {}
  switch (error.keyword) {
    case 'additionalProperties': {
      const names = Object.keys(known)
      const list = names.length > 0 ? `It takes ${names.join(', ')}.` : 'It takes none.'
      return { field, value, allowed: names, message: `${card.id} has no parameter ${clip(name)} for ${operation}. ${list}` }
    }
    case 'required': return { field, message: `${name} is missing; ${card.id} needs it.` }
    case 'enum': return { field, value, allowed: property.enum, message: `${name} must be one of ${(property.enum as Json[]).join(', ')}, not ${say(value)}.` }
    case 'type': return { field, value, allowed: property.type, message: `${name} must be ${kinds[String(property.type)] ?? String(property.type)}, not ${say(value)}.` }
    case 'minimum': case 'maximum': {
      const { minimum: min, maximum: max } = property
      const range = min !== undefined && max !== undefined ? `between ${min} and ${max}` : min !== undefined ? `at least ${min}` : `at most ${max}`
      return { field, value, allowed: { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) }, message: `${name} must be ${range}, not ${say(value)}.` }
    }
    case 'maxLength': return { field, value, allowed: { charactersMax: property.maxLength }, message: `${name} may have at most ${property.maxLength} characters.` }
    // A pattern is for programs; what a size looks like, people know from one.
    case 'pattern': return { field, value, message: name === 'size' ? `size must be written as 1024x1024${/auto/.test(String(property.pattern)) ? ', or auto' : ''}, not ${say(value)}.` : `${name} ${error.message ?? 'is not what this model takes'}.` }
    default: return { field, value, message: `${name} ${error.message ?? 'is not what this model takes'}.` }
  }
}

const kinds: Record<string, string> = { integer: 'a whole number', number: 'a number', string: 'text', boolean: 'true or false', array: 'a list', object: 'an object' }

const clip = (text: string): string => text.length > 100 ? `${text.slice(0, 100).toWellFormed()}…` : text.toWellFormed()

/** A value as it may be told back: enough to find it again, never a picture's worth. */
const shorten = (value: unknown): unknown =>
  typeof value === 'string' ? clip(value) : Array.isArray(value) ? 'a list' : typeof value === 'object' && value !== null ? 'an object' : value

const say = (value: unknown): string => typeof value === 'string' && value !== 'a list' && value !== 'an object' ? `"${value}"` : String(value)
