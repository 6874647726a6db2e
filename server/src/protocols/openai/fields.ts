/**
 * Reading single fields of a body, with this dialect's habits: `null` is the same as not sent, and a form's numbers and truth values
 * come as text. Pure.
 */
import { Problem } from '../../domain/problem.ts'
import type { Form } from '../../kit/multipart.ts'

export type Fields = Record<string, unknown>

export const invalid = (param: string, message: string, details: Record<string, unknown> = {}) => new Problem('bad_request', message, { param, ...details })
const missing = (param: string) => invalid(param, `Missing required parameter: '${param}'.`, { openaiCode: 'missing_required_parameter' })

/** The fields of a body that were sent. @throws {Problem} `bad_request` */
export function fieldsOf(body: unknown, param?: string): Fields {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw param === undefined ? new Problem('bad_request', 'The request body must be a JSON object.') : invalid(param, `'${param}' must be an object.`)
  }
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null && value !== undefined))
}

/** @throws {Problem} `bad_request` */
export function readText(fields: Fields, name: string, { max = 1_000 }: { max?: number } = {}): string | undefined {
  const value = fields[name]
  if (value === undefined) return undefined
  if (typeof value !== 'string') throw invalid(name, `'${name}' must be a string.`, { openaiCode: 'invalid_type' })
  if (value.length > max) throw invalid(name, `'${name}' may have at most ${max} characters.`, { openaiCode: 'string_above_max_length' })
  return value
}

/** A prompt: how long it may be is the model's business. @throws {Problem} `bad_request` */
export function readPrompt(fields: Fields): string {
  const value = readText(fields, 'prompt', { max: Infinity })
  if (value === undefined || value.trim() === '') throw missing('prompt')
  return value
}

/** @throws {Problem} `bad_request` */
export function readWhole(fields: Fields, name: string, { min, max }: { min: number; max: number }): number | undefined {
  const value = fields[name]
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw invalid(name, `'${name}' must be a whole number from ${min} to ${max}.`, { openaiCode: typeof value === 'number' ? 'integer_out_of_range' : 'invalid_type' })
  }
  return value
}

/** @throws {Problem} `bad_request` */
export function readFlag(fields: Fields, name: string): boolean {
  const value = fields[name]
  if (value === undefined) return false
  if (typeof value !== 'boolean') throw invalid(name, `'${name}' must be true or false.`, { openaiCode: 'invalid_type' })
  return value
}

/** @throws {Problem} `bad_request` */
export function readChoice<const T extends string>(fields: Fields, name: string, choices: readonly T[]): T | undefined {
  const value = fields[name]
  if (value === undefined) return undefined
  if (!choices.includes(value as T)) throw invalid(name, `'${name}' must be one of ${choices.join(', ')}.`, { allowed: choices })
  return value as T
}

export function readRequired<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw missing(name)
  return value
}

const numbers = new Set(['n', 'output_compression', 'partial_images', 'frame_count', 'frame_duration_ms', 'seed'])
const flags = new Set(['stream'])

/** A form's text fields as JSON would have them: `a[b]` is an object, `a[]` a list. @throws {Problem} `bad_request` */
export function fieldsOfForm(form: Pick<Form, 'fields'>): Fields {
  const fields: Fields = {}
  for (const [name, text] of form.fields) {
    const [, outer = name, inner] = /^([^[\]]+)\[([^[\]]*)\]$/.exec(name) ?? []
    if (outer === '__proto__' || inner === '__proto__') throw new Problem('bad_request', 'A field may not be called __proto__.')
    if (inner === undefined) {
      if (Object.hasOwn(fields, name)) throw invalid(name.slice(0, 100), `'${name.slice(0, 100)}' is given twice.`)
      fields[name] = numbers.has(name) && /^-?\d{1,10}$/.test(text) ? Number(text) : flags.has(name) && (text === 'true' || text === 'false') ? text === 'true' : text
    } else if (inner === '') {
      const list = fields[outer] ??= []
      if (!Array.isArray(list)) throw invalid(outer.slice(0, 100), `'${outer.slice(0, 100)}' is given in two ways.`)
      list.push(text)
    } else {
      const object = fields[outer] ??= {}
      if (typeof object !== 'object' || object === null || Array.isArray(object)) throw invalid(outer.slice(0, 100), `'${outer.slice(0, 100)}' is given in two ways.`)
      ;(object as Fields)[inner] = text
    }
  }
  return fields
}
