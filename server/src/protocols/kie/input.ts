/**
 * Reads `input` of createTask by the model's own schema, and says no in Kie's sentences. Pure.
 *
 * As live: required fields with a default are not filled in (the default is what their web page shows), fields nobody knows are
 * ignored (here: with a warning), numbers that the page writes as strings are strings. Not as live: a wrong value never goes through.
 */
import type { Card, DialectName, JsonSchema } from '../../domain/card.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { roles, type Role } from '../../domain/order.ts'
import { isKeepable } from '../../kit/json.ts'

/** A picture the input points at. */
export interface Picture { field: string; url: string; role: Role }

export interface ReadInput {
  prompt: string
  parameters: Record<string, Json>
  pictures: Picture[]
  warnings: string[]
  /** The input as recordInfo gives it back: what was sent, without fields nobody knows that are too big to keep. */
  kept: Record<string, Json>
}

/** A field a schema knows: the few words of JSON Schema the cards use for Kie. */
interface Field {
  type?: string
  enum?: Json[]
  minLength?: number; maxLength?: number
  minimum?: number; maximum?: number
  minItems?: number; maxItems?: number
  items?: Field
  format?: string
  default?: Json
  'x-house'?: Record<string, Json>
}
/** Every word of a schema this reader honours; a test holds the cards against it. */
export const knownWords = ['type', 'enum', 'minLength', 'maxLength', 'minimum', 'maximum', 'minItems', 'maxItems', 'items', 'format', 'default', 'x-house']

const no = (field: string, msg: string) => new Problem('unsupported_parameter', msg, { field: `input.${field.slice(0, 100)}`, kieCode: 500 })

/** @throws {Problem} with Kie's sentence */
export function readInput(input: unknown, { input: schema = {}, fields = {} }: DialectName): ReadInput {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) throw new Problem('bad_request', 'input is required', { field: 'input', kieCode: 500 })
  const sent = input as Record<string, unknown>
  const properties: Record<string, Field> = (schema.properties as Record<string, Field> | undefined) ?? plainFields(fields)
  const required = (schema as { required?: string[] }).required ?? []
  const read: ReadInput = { prompt: '', parameters: {}, pictures: [], warnings: [], kept: {} }

  for (const [name, field] of Object.entries(properties)) {
    const value = Object.hasOwn(sent, name) ? sent[name] ?? undefined : undefined
    if (required.includes(name) && isEmpty(value)) throw no(name, field.default === undefined ? `${name} is required` : 'This field is required')
    if (value !== undefined) check(name, value, field)
  }

  const given = (name: string): boolean => Object.hasOwn(sent, name) && sent[name] !== undefined && sent[name] !== null
  for (const [name, field] of Object.entries(properties)) {
    const house = fields[name]
    if (!given(name)) {
      if (field.default === undefined || required.includes(name)) continue
      if (house === undefined) read.kept[name] = field.default
      else if (!Object.keys(properties).some(other => fields[other] === house && given(other))) put(read, name, house, field.default, field)
      continue
    }
    const value = sent[name] as Json
    read.kept[name] = value
    if (house === undefined) {
      const isNothing = value === (field.default ?? null) || value === false || (Array.isArray(value) && value.length === 0)
      if (!isNothing && !(field.enum?.length === 1)) read.warnings.push(`${name} has no effect here.`)
    } else put(read, name, house, value, field)
  }
  ignore(sent, properties, read)
  return { ...read, kept: inOrderOf(sent, read.kept) }
}

/** As it was sent, what the dialect fills in behind it. */
function inOrderOf(sent: Record<string, unknown>, kept: Record<string, Json>): Record<string, Json> {
  const names = Object.keys(sent).filter(name => Object.hasOwn(kept, name))
  return Object.fromEntries([...new Set([...names, ...Object.keys(kept)])].map(name => [name, kept[name]!]))
}

/** Fields of a model that has no schema of its own for this dialect: words are text, pictures are links, the rest is the card's to check. */
const plainFields = (fields: Record<string, string>): Record<string, Field> =>
  Object.fromEntries(Object.entries(fields).map(([name, house]) => [name, house === 'prompt' ? { type: 'string' } : house.startsWith('inputs') ? { type: 'array', items: { type: 'string', format: 'uri' } } : {}]))

/**
 * The input of a template: every field its model has here, and our parameters by their names. Nothing is required and nothing has a value of
 * its own, for what is not sent the template says.
 */
export function nameOfTemplate(card: Card, id: string): DialectName {
  const fields: Record<string, string> = { prompt: 'prompt', image_input: 'inputs' }
  const properties: Record<string, JsonSchema> = { prompt: { type: 'string' }, image_input: { type: 'array', items: { type: 'string', format: 'uri' } } }
  for (const { input, fields: theirs = {} } of card.dialects.kie ?? []) {
    for (const [field, house] of Object.entries(theirs)) {
      if (Object.hasOwn(fields, field)) continue
      const { default: _usual, minItems: _least, maxLength: _longest, minLength: _shortest, ...rest } = ((input?.properties ?? {}) as Record<string, JsonSchema>)[field] ?? {}
      fields[field] = house
      properties[field] = rest
    }
  }
  for (const name of Object.keys((card.parameters.properties ?? {}) as JsonSchema)) {
    if (Object.hasOwn(fields, name)) continue
    fields[name] = name
    properties[name] = {}
  }
  return { id, fields, input: { type: 'object', properties } }
}

const isEmpty = (value: unknown): boolean => value === undefined || (typeof value === 'string' && value.trim() === '') || (Array.isArray(value) && value.length === 0)

function check(name: string, value: unknown, field: Field): void {
  if (field.enum) {
    if (!field.enum.includes(value as Json)) throw new Problem('unsupported_parameter', `${name} is not within the range of allowed options`, { field: `input.${name}`, allowed: field.enum, kieCode: 500 })
    return
  }
  switch (field.type) {
    case 'string': {
      if (typeof value !== 'string') throw no(name, `${name} must be a string`)
      if (!isKeepable(value)) throw no(name, `${name} contains invalid characters`)
      if (field.maxLength !== undefined && value.length > field.maxLength && Array.from(value).length > field.maxLength) throw no(name, `${name} exceeds the maximum length of ${field.maxLength} characters`)
      if (value.length < (field.minLength ?? 0)) throw no(name, `${name} is required`)
      if (field.format === 'uri' && !isAddress(value)) throw no(name, `${name} is not a valid URL`)
      return
    }
    case 'boolean':
      if (typeof value !== 'boolean') throw no(name, `${name} must be a boolean`)
      return
    case 'integer': case 'number': {
      if (typeof value !== 'number' || !Number.isFinite(value)) throw no(name, `${name} must be a number`)
      if (field.type === 'integer' && !Number.isSafeInteger(value)) throw no(name, `${name} must be an integer`)
      if (value < (field.minimum ?? -Infinity) || value > (field.maximum ?? Infinity)) throw no(name, `${name} is not within the range of allowed options`)
      return
    }
    case 'array': {
      if (!Array.isArray(value)) throw no(name, `${name} must be an array`)
      if (value.length > (field.maxItems ?? Infinity)) throw no(name, `${name} exceeds the maximum number of items: ${field.maxItems}`)
      if (value.length < (field.minItems ?? 0)) throw no(name, `${name} is required`)
      if (field.items) for (const item of value) check(name, item, field.items)
      return
    }
  }
}

/** A link somebody else could open; whether we may is the intake's business. */
export const isAddress = (text: string): boolean => text.length <= 4_096 && /^https?:\/\/[^\s]+$/i.test(text) && URL.canParse(text)

function put(read: ReadInput, name: string, house: string, value: Json, field: Field): void {
  if (house === 'prompt') { read.prompt = value as string; return }
  const inputs = /^inputs(?::(.+))?$/.exec(house)
  if (inputs) {
    // `inputs:first_frame,last_frame`: the first picture is the one, the second the other.
    const wanted = (inputs[1]?.split(',') ?? ['reference']).filter((role): role is Role => (roles as readonly string[]).includes(role))
    const links = (Array.isArray(value) ? value : [value]) as string[]
    for (const [index, url] of links.entries()) read.pictures.push({ field: name, url, role: wanted[Math.min(index, wanted.length - 1)]! })
    return
  }
  const mapping = field['x-house']
  const meant = mapping && Object.hasOwn(mapping, String(value)) ? mapping[String(value)]! : value
  const parameters = house.split(',')
  for (const [index, parameter] of parameters.entries()) {
    // Two of its fields may mean one of ours (`image_size` is the old `aspect_ratio`): the newer one, which stands first, counts.
    if (Object.hasOwn(read.parameters, parameter)) read.warnings.push(`${name} was ignored: ${parameter} is given too.`)
    else read.parameters[parameter] = parameters.length === 1 ? meant : (meant as Json[])[index]!
  }
}

/** Fields nobody knows: told in a warning, and kept for reading back only where they are small. */
function ignore(sent: Record<string, unknown>, properties: JsonSchema | Record<string, unknown>, read: ReadInput): void {
  const unknown = Object.keys(sent).filter(name => !Object.hasOwn(properties, name))
  if (unknown.length === 0) return
  const shown = unknown.slice(0, 10).map(name => name.slice(0, 60))
  read.warnings.push(`Ignored, because this model does not know ${unknown.length === 1 ? 'it' : 'them'}: ${shown.join(', ')}${unknown.length > shown.length ? ' and more' : ''}.`)
  for (const name of unknown.slice(0, 20)) {
    const value = sent[name]
    const isSmall = value === null || typeof value === 'boolean' || typeof value === 'number' || (typeof value === 'string' && value.length <= 500 && !value.startsWith('data:'))
    if (isSmall && name.length <= 60) read.kept[name] = value as Json
  }
}
