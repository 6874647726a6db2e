/**
 * Reading messages by the rules of proto JSON: a name in camelCase or snake_case, null for "not there", and no name nobody knows. Pure.
 *
 * An unknown name is refused in the words of Google's own servers, so that a slip never passes as a picture.
 */
import { Problem } from '../../domain/problem.ts'
import type { Json } from '../../domain/outcome.ts'

export type Fields = Record<string, unknown>

export const no = (field: string, message: string, details: Record<string, unknown> = {}): Problem =>
  new Problem('bad_request', message, { field: field.slice(0, 200), ...details })

/** For what a message may ask and this house cannot do. */
export const cannot = (field: string, message: string, details: Record<string, unknown> = {}): Problem =>
  new Problem('unsupported_parameter', message, { field: field.slice(0, 200), ...details })

const camel = (name: string): string => name.replace(/_([a-z0-9])/g, (_all, letter: string) => letter.toUpperCase())

export const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The fields of a message by their camelCase names. `place` is where it stands; '' for the body. @throws {Problem} `bad_request` */
export function readFields(value: unknown, place: string, known: readonly string[]): Fields {
  if (!isObject(value)) throw no(place || 'body', `${place || 'The body'} must be an object, not ${kindOf(value)}.`)
  const fields: Fields = Object.create(null) as Fields
  for (const [sent, one] of Object.entries(value)) {
    const name = camel(sent)
    if (!known.includes(name)) {
      const shown = sent.slice(0, 100)
      throw no(join(place, shown), `Invalid JSON payload received. Unknown name "${shown}"${place ? ` at '${place}'` : ''}: Cannot find field.`, { allowed: [...known] })
    }
    if (one === null || one === undefined) continue
    if (Object.hasOwn(fields, name)) throw no(join(place, name), `${join(place, name)} is given twice, as ${name} and in another spelling. Send it once.`)
    fields[name] = one
  }
  return fields
}

export const join = (place: string, name: string): string => place ? `${place}.${name}` : name

export function text(value: unknown, place: string): string {
  if (typeof value !== 'string') throw no(place, `${place} must be text, not ${kindOf(value)}.`)
  return value
}

/** Proto JSON writes 64-bit numbers as text; both are taken. */
export function whole(value: unknown, place: string): number {
  const number = typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) throw no(place, `${place} must be a whole number, not ${kindOf(value)}.`)
  return number
}

export function list(value: unknown, place: string): unknown[] {
  if (!Array.isArray(value)) throw no(place, `${place} must be a list, not ${kindOf(value)}.`)
  return value
}

export function flag(value: unknown, place: string): boolean {
  if (typeof value !== 'boolean') throw no(place, `${place} must be true or false, not ${kindOf(value)}.`)
  return value
}

export function oneOf<T extends string>(value: unknown, place: string, allowed: readonly T[]): T {
  const found = allowed.find(one => one === value)
  if (found === undefined) throw no(place, `${place} must be one of ${allowed.join(', ')}, not ${shown(value)}.`, { value: shown(value), allowed: [...allowed] })
  return found
}

export type Kind = 'number' | 'whole' | 'text' | 'flag' | 'texts' | 'any'

/** Is this field of the kind its page says? For fields that are looked at and not used. */
export function check(value: unknown, place: string, kind: Kind): void {
  switch (kind) {
    case 'number':
      if (typeof value !== 'number') throw no(place, `${place} must be a number, not ${kindOf(value)}.`)
      return
    case 'whole': whole(value, place); return
    case 'text': text(value, place); return
    case 'flag': flag(value, place); return
    case 'texts': for (const [index, one] of list(value, place).entries()) text(one, `${place}[${index}]`); return
    case 'any': return
  }
}

/** Something short enough to be told back. */
export const shown = (value: unknown): string => typeof value === 'string' ? `"${value.slice(0, 60).toWellFormed()}"` : typeof value === 'number' || typeof value === 'boolean' ? String(value) : kindOf(value)

const kindOf = (value: unknown): string =>
  value === null ? 'null' : value === undefined ? 'nothing' : Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object'
    : typeof value === 'string' ? 'text' : typeof value === 'boolean' ? 'true or false' : Number.isInteger(value) ? 'a whole number' : 'a number'

/** Makes what moves a field of `parameters` into the house's, if it was sent, and remembers under which name it came. A field that reads as null is as good as not sent. */
export const taker = (fields: Fields, parameters: Record<string, Json>, names: Record<string, string>) =>
  (name: string, house: string, read: (value: unknown, place: string) => Json): void => {
    if (fields[name] === undefined) return
    const value = read(fields[name], `parameters.${name}`)
    names[`parameters.${house}`] = `parameters.${name}`
    if (value !== null) parameters[house] = value
  }
