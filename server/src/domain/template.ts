/**
 * A template: a prompt with typed variables, and everything about the order that its maker has decided. Pure.
 *
 * An order names one as its model (`template:product-shot@production`); `fillTemplate` turns it into a plain order. What a caller gives goes
 * in as it is: a value is never looked at for variables, so nobody can write a template from outside.
 */
import type { JsonSchema } from './card.ts'
import type { InputReference, Operation, Order, Role } from './order.ts'
import type { Json } from './outcome.ts'
import { Problem, type Mistake } from './problem.ts'

export const variableTypes = ['text', 'number', 'integer', 'boolean', 'choice', 'image'] as const
export type VariableType = (typeof variableTypes)[number]

export interface TemplateVariable {
  name: string
  type: VariableType
  title?: string
  description?: string
  /** Absent: yes, unless there is a default. */
  required?: boolean
  default?: string | number | boolean
  /** Of numbers the value, of text the number of characters. */
  min?: number
  max?: number
  /** What a choice is among. */
  choices?: string[]
  /** What an image is for; absent, what its caller says. */
  role?: Role
}

/** A picture every order of the template takes along, under its id in either mode: test and live never meet, and a template serves both. */
export interface TemplatePicture { role: Role; sha256: string; mime: string; width: number | null; height: number | null; sizeBytes: number; test: string; live: string }

/** What a version fixes. Immutable once it is published. */
export interface TemplateBody {
  /** A card's id, or an operator's alias. */
  model: string
  operation?: Operation
  prompt: string
  /** Notes that go with every prompt. */
  style?: string
  brand?: string
  /** What shall not be there. */
  negative?: string
  variables: TemplateVariable[]
  /** Where the caller says nothing. */
  parameters: Record<string, Json>
  /** Parameters no caller may set. */
  locked: string[]
  pictures: TemplatePicture[]
}

/** A body on its way in: its pictures are assets of whoever sends it. */
export type TemplateSource = Omit<TemplateBody, 'pictures'> & { inputs: InputReference[] }

/** The template as it is worked on. `revision` rises with every write; published versions stand apart. */
export interface Template {
  id: string
  projectId: string
  slug: string
  name: string
  description: string
  draft: TemplateBody
  revision: number
  /** The newest published version; null where there is none. */
  published: number | null
  labels: Record<string, number>
  createdAt: Date
  updatedAt: Date
}

export interface TemplateVersion { number: number; note: string | null; labels: string[]; createdAt: Date; body?: TemplateBody }

/** Which template made a task: a version, or the draft at a revision. */
export interface TemplateStamp { id: string; slug: string; version: number | null; revision?: number; label?: string }

/** A template as an order names it, found. */
export interface ResolvedTemplate { stamp: TemplateStamp; body: TemplateBody }

export const templateLimits = { variables: 64, choices: 200, pictures: 16, promptCharacters: 200_000, noteCharacters: 20_000, textCharacters: 200_000, filledCharacters: 2_000_000, versions: 10_000, templates: 10_000, labels: 50 }

export const slugPattern = /^[a-z0-9](?:[a-z0-9-]{0,78}[a-z0-9])?$/
export const labelPattern = /^[a-z](?:[a-z0-9._-]{0,58}[a-z0-9])?$/
const namePattern = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/
/** The label a bare `template:<slug>` means, where it is set. */
export const mainLabel = 'production'

const prefix = 'template:'
export const isTemplateName = (model: string): boolean => model.startsWith(prefix)

export type Wanted = { kind: 'main' } | { kind: 'version'; number: number } | { kind: 'label'; label: string } | { kind: 'draft' }

/** `template:<slug>`, with `@label`, `@3` or `@draft` behind it. @throws {Problem} `unknown_model` */
export function readTemplateName(model: string): { slug: string; wanted: Wanted } {
  const [slug = '', at, ...rest] = model.slice(prefix.length).split('@')
  const wrong = () => new Problem('unknown_model', `A template is named ${prefix}<slug>, with @<label>, @<version> or @draft behind it where the one in production is not meant; ${JSON.stringify(model.slice(0, 100).toWellFormed())} is none.`, { field: 'model', value: model.slice(0, 100).toWellFormed() })
  if (!slugPattern.test(slug) || rest.length > 0) throw wrong()
  if (at === undefined) return { slug, wanted: { kind: 'main' } }
  if (at === 'draft') return { slug, wanted: { kind: 'draft' } }
  if (/^[1-9]\d{0,8}$/.test(at)) return { slug, wanted: { kind: 'version', number: Number(at) } }
  if (!labelPattern.test(at)) throw wrong()
  return { slug, wanted: { kind: 'label', label: at } }
}

/** How a caller tells which template it was: `product-shot@3`. */
export const showStamp = ({ slug, version }: TemplateStamp): string => `${slug}@${version ?? 'draft'}`

// The text -----------------------------------------------------------------------------------------------------------------

type Part = string | { name: string } | { name: string; inside: Part[] }

// White space stands in one place of the pattern at a time: two that touch are tried in every way there is.
const mark = /\{\{\s*(?:([#/])\s*)?([A-Za-z_][A-Za-z0-9_]{0,63})\s*\}\}/g

/** `{{name}}` and `{{#name}}…{{/name}}`; every other brace is text. @throws {Problem} `bad_request` for a part that is not closed */
export function parseText(text: string, field: string): Part[] {
  const open: { name: string; parts: Part[] }[] = [{ name: '', parts: [] }]
  let at = 0
  const put = (part: Part) => { if (part !== '') open.at(-1)!.parts.push(part) }
  for (const match of text.matchAll(mark)) {
    put(text.slice(at, match.index))
    at = match.index + match[0].length
    const [, kind = '', name] = match as unknown as [string, string | undefined, string]
    if (kind === '') put({ name })
    else if (kind === '#') {
      if (open.length > 8) throw new Problem('bad_request', `${field}: parts stand in one another eight deep at most.`, { field })
      open.push({ name, parts: [] })
    } else {
      const last = open.pop()!
      if (last.name !== name || open.length === 0) throw new Problem('bad_request', `${field}: {{/${name}}} closes ${last.name === '' ? 'nothing' : `{{#${last.name}}}`}.`, { field })
      put({ name, inside: last.parts })
    }
  }
  put(text.slice(at))
  if (open.length > 1) throw new Problem('bad_request', `${field}: {{#${open.at(-1)!.name}}} is not closed with {{/${open.at(-1)!.name}}}.`, { field })
  return open[0]!.parts
}

function* namesIn(parts: Part[]): Generator<string> {
  for (const part of parts) {
    if (typeof part === 'string') continue
    yield part.name
    if ('inside' in part) yield* namesIn(part.inside)
  }
}

/** What a variable says, and whether a part that hangs on it is written: not where it is missing, empty or false. */
interface Said { text: string; holds: boolean }
const nothing: Said = { text: '', holds: false }

/** One pass: what a value holds is text and nothing else. */
const write = (parts: Part[], said: ReadonlyMap<string, Said>): string => parts.map(part => {
  if (typeof part === 'string') return part
  const { text, holds } = said.get(part.name) ?? nothing
  return 'inside' in part ? (holds ? write(part.inside, said) : '') : text
}).join('')

/** How long it will be once it is written: a long value in many places is too much to hold. */
const lengthOf = (parts: Part[], said: ReadonlyMap<string, Said>): number => parts.reduce((sum, part) => {
  if (typeof part === 'string') return sum + part.length
  const { text, holds } = said.get(part.name) ?? nothing
  return sum + ('inside' in part ? (holds ? lengthOf(part.inside, said) : 0) : text.length)
}, 0)

// Is a body sound? ---------------------------------------------------------------------------------------------------------

const texts = ['prompt', 'style', 'brand', 'negative'] as const

/** What is wrong with a body in itself; the card is asked elsewhere. @throws {Problem} `bad_request` */
export function checkBody(body: Omit<TemplateBody, 'pictures'>): void {
  const no = (field: string, message: string, more: Record<string, unknown> = {}) => new Problem('bad_request', message, { field, ...more })
  if (body.variables.length > templateLimits.variables) throw no('variables', `A template has at most ${templateLimits.variables} variables.`)
  const known = new Map<string, TemplateVariable>()
  for (const [index, variable] of body.variables.entries()) {
    checkVariable(variable, `variables[${index}]`, no)
    if (known.has(variable.name)) throw no(`variables[${index}].name`, `There are two variables called ${variable.name}.`, { value: variable.name })
    known.set(variable.name, variable)
  }
  for (const field of texts) {
    const text = body[field]
    if (text === undefined) continue
    const max = field === 'prompt' ? templateLimits.promptCharacters : templateLimits.noteCharacters
    if (text.length > max) throw no(field, `${field} may have at most ${max} characters.`, { allowed: { charactersMax: max } })
    if (!text.isWellFormed() || text.includes('\0')) throw no(field, `${field} must be well-formed Unicode without NUL characters.`)
    for (const name of namesIn(parseText(text, field))) {
      if (!known.has(name)) throw no(field, `${field} uses {{${name}}}, and there is no such variable. ${known.size > 0 ? `There are ${[...known.keys()].join(', ')}.` : 'There are none.'}`, { value: name, allowed: [...known.keys()] })
    }
  }
  if (body.locked.length !== new Set(body.locked).size) throw no('locked', 'A parameter is locked once.')
}

function checkVariable(variable: TemplateVariable, field: string, no: (field: string, message: string, more?: Record<string, unknown>) => Problem): void {
  const { name, type, min, max, choices, role } = variable
  if (!namePattern.test(name) || name === '__proto__') throw no(`${field}.name`, 'A variable is named with 1 to 64 letters, digits and underscores, and begins with no digit.', { value: name.slice(0, 100) })
  const isNumber = type === 'number' || type === 'integer'
  for (const [bound, value] of [['min', min], ['max', max]] as const) {
    if (value === undefined) continue
    if (!isNumber && type !== 'text') throw no(`${field}.${bound}`, `${bound} goes with text and numbers, not with ${type}.`)
    if (type !== 'number' && !Number.isSafeInteger(value) || type === 'text' && value < 0) throw no(`${field}.${bound}`, `${bound} of ${name} must be a whole number${type === 'text' ? ' of characters' : ''}.`, { value })
  }
  if (min !== undefined && max !== undefined && min > max) throw no(`${field}.min`, `min of ${name} is above its max.`, { value: min, allowed: { max } })
  if (type === 'choice' && (choices === undefined || choices.length === 0)) throw no(`${field}.choices`, `${name} needs choices.`)
  if (choices !== undefined && type !== 'choice') throw no(`${field}.choices`, `choices go with a choice, not with ${type}.`)
  if (choices !== undefined && (choices.length > templateLimits.choices || new Set(choices).size !== choices.length)) throw no(`${field}.choices`, `choices of ${name} are at most ${templateLimits.choices}, all different.`)
  if (role !== undefined && type !== 'image') throw no(`${field}.role`, `role goes with an image, not with ${type}.`)
  if (variable.default === undefined) return
  if (type === 'image') throw no(`${field}.default`, 'An image has no default; a picture that is always there belongs into inputs.')
  if (variable.required === true) throw no(`${field}.required`, `${name} has a default, so it is never missing: leave required out.`)
  const flaw = flawOf(variable, variable.default)
  if (flaw !== null) throw no(`${field}.default`, `The default of ${name} ${flaw.message}`, { value: variable.default, ...(flaw.allowed === undefined ? {} : { allowed: flaw.allowed }) })
}

const shorten = (text: string): string => text.length > 500 ? `${text.slice(0, 500).toWellFormed()}…` : text

/** Why a value does not fit its variable; null where it does. */
function flawOf({ type, min, max, choices }: TemplateVariable, value: Json): { message: string; allowed?: Json } | null {
  const kind = value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : typeof value === 'string' ? 'text' : typeof value === 'boolean' ? 'true or false' : 'a number'
  switch (type) {
    case 'text': {
      if (typeof value !== 'string') return { message: `must be text, not ${kind}.`, allowed: 'text' }
      if (!value.isWellFormed() || value.includes('\0')) return { message: 'must be well-formed Unicode without NUL characters.' }
      const length = [...value].length
      const most = max ?? templateLimits.textCharacters
      if (length < (min ?? 0) || length > most) return { message: `must have ${min ?? 0} to ${most} characters, not ${length}.`, allowed: { min: min ?? 0, max: most } }
      return null
    }
    case 'number': case 'integer': {
      if (typeof value !== 'number' || !Number.isFinite(value)) return { message: `must be a number, not ${kind}.`, allowed: type }
      if (type === 'integer' && !Number.isSafeInteger(value)) return { message: `must be a whole number, not ${value}.`, allowed: type }
      if (value < (min ?? -Infinity) || value > (max ?? Infinity)) return { message: `must be ${min === undefined ? `at most ${max}` : max === undefined ? `at least ${min}` : `between ${min} and ${max}`}, not ${value}.`, allowed: { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) } }
      return null
    }
    case 'boolean': return typeof value === 'boolean' ? null : { message: `must be true or false, not ${kind}.`, allowed: [true, false] }
    case 'choice': return choices!.includes(value as string) ? null : { message: `must be one of ${shorten(choices!.join(', '))}.`, allowed: choices! }
    case 'image': return typeof value === 'string' && /^[0-9a-f]{32}$/.test(value) ? null : { message: 'must be the id of an asset, or left out where a picture comes with the order.', allowed: 'asset' }
  }
}

// An order out of it -------------------------------------------------------------------------------------------------------

/** What of a card decides how a template is filled. */
export interface FillingCard { operations: readonly Operation[]; parameters: JsonSchema }

export interface FilledTemplate {
  order: Pick<Order, 'prompt' | 'parameters' | 'inputs' | 'operation'>
  /** What every variable came to; images by their asset. */
  values: Record<string, Json>
}

/** Mistakes that are told in words. */
const mistakesTold = 8

interface CodedMistake extends Mistake { code: 'bad_request' | 'unsupported_parameter' }

/**
 * Fills a template with what an order brings.
 *
 * Variables come as `variables`, or as a prompt that is a JSON object with at least one of their names; any other prompt is the text of the
 * variable `prompt`, of the only text variable, or of the only one that has to be given. Pictures fill image variables in their order; those that are left go along.
 *
 * @throws {Problem} `bad_request` for variables, `unsupported_parameter` for what is locked; several mistakes are all in `details.problems`
 */
export function fillTemplate({ stamp, body }: ResolvedTemplate, order: Order, card: FillingCard, livemode: boolean): FilledTemplate {
  const mistakes: CodedMistake[] = []
  const name = `template ${stamp.slug}`
  const known = new Map(body.variables.map(variable => [variable.name, variable]))

  const given = new Map<string, Json>()
  const { values: sent, text } = readGiven(order, known)
  for (const [key, value] of sent) {
    if (known.has(key)) { if (value !== null) given.set(key, value) } else mistakes.push({ code: 'bad_request', field: `variables.${key.slice(0, 64)}`, message: `The ${name} has no variable ${key.slice(0, 64).toWellFormed()}. ${sayKnown(known)}`, allowed: [...known.keys()] })
  }
  if (text !== '') {
    const open = body.variables.filter(({ type }) => type === 'text')
    const needed = open.filter(({ required, default: standard }) => required !== false && standard === undefined)
    const target = known.get('prompt')?.type === 'text' ? known.get('prompt')! : open.length === 1 ? open[0]! : needed.length === 1 ? needed[0]! : null
    if (target === null) mistakes.push({ code: 'bad_request', field: 'prompt', message: `The ${name} has no place for a prompt as it stands. Send its variables as a JSON object${open.length > 0 ? `, as {"${open[0]!.name}": "…"}` : ' (or {} for none)'}. ${sayKnown(known)}`, allowed: [...known.keys()] })
    else if (given.has(target.name)) mistakes.push({ code: 'bad_request', field: `variables.${target.name}`, message: `${target.name} is given twice: by the prompt and among the variables.` })
    else given.set(target.name, text)
  }

  const left = [...order.inputs]
  const pictures: InputReference[] = []
  const said = new Map<string, Said>()
  const values: Record<string, Json> = {}
  for (const variable of body.variables) {
    let value: Json | undefined = given.get(variable.name)
    if (variable.type === 'image' && value === undefined) {
      const at = left.findIndex(({ role }) => role !== 'mask')
      if (at >= 0) {
        const [picture] = left.splice(at, 1)
        pictures.push({ assetId: picture!.assetId, role: variable.role ?? picture!.role })
        values[variable.name] = picture!.assetId
        said.set(variable.name, { text: `image ${pictures.length}`, holds: true })
        continue
      }
    }
    value ??= variable.default
    if (value === undefined) {
      if (variable.required ?? true) mistakes.push({ code: 'bad_request', field: `variables.${variable.name}`, message: `${variable.name} is missing: the ${name} needs ${variable.type === 'image' ? 'a picture for it' : `it (${variable.type})`}.` })
      continue
    }
    const flaw = flawOf(variable, typeof value === 'string' && variable.type === 'image' ? value.replaceAll('-', '') : value)
    if (flaw !== null) {
      const shown = typeof value === 'string' ? value.slice(0, 100).toWellFormed() : typeof value === 'object' ? null : value
      mistakes.push({ code: 'bad_request', field: `variables.${variable.name}`, message: `${variable.name} ${flaw.message}`, value: shown, ...(flaw.allowed === undefined ? {} : { allowed: flaw.allowed }) })
      continue
    }
    values[variable.name] = value
    if (variable.type === 'image') {
      pictures.push({ assetId: (value as string).replaceAll('-', ''), role: variable.role ?? 'reference' })
      said.set(variable.name, { text: `image ${pictures.length}`, holds: true })
    } else said.set(variable.name, { text: String(value), holds: value !== false && value !== '' })
  }

  for (const [key, value] of Object.entries(order.parameters)) {
    if (!body.locked.includes(key) || isSame(value, body.parameters[key])) continue
    const fixed = body.parameters[key]
    mistakes.push({ code: 'unsupported_parameter', field: `parameters.${key}`, message: `${key} is locked by the ${name}${fixed === undefined ? '' : ` to ${JSON.stringify(fixed)}`}. Leave it out.`, ...(typeof value === 'object' ? {} : { value }), ...(fixed === undefined ? {} : { allowed: [fixed] }) })
  }
  const { operation, mistake } = operationOf(body, order, left.length + pictures.length, name)
  if (mistake) mistakes.push(mistake)
  const [first] = mistakes
  if (first) {
    const { code, message: _first, ...details } = first
    // Most dialects have room for a sentence and nothing else.
    const more = mistakes.length - mistakesTold
    throw new Problem(code, `${mistakes.slice(0, mistakesTold).map(({ message }) => message).join(' ')}${more > 0 ? ` (and ${more} more ${more === 1 ? 'mistake' : 'mistakes'})` : ''}`, { ...details, template: showStamp(stamp), problems: mistakes.map(({ code: _code, ...rest }) => rest) })
  }

  const written = texts.map(field => ({ field, parts: body[field] === undefined ? [] : parseText(body[field], field) }))
  const characters = written.reduce((sum, { parts }) => sum + lengthOf(parts, said), 0)
  if (characters > templateLimits.filledCharacters) {
    throw new Problem('bad_request', `With these variables the ${name} comes to ${characters} characters, and at most ${templateLimits.filledCharacters} are written. Send shorter ones.`, { field: 'variables', value: characters, allowed: { charactersMax: templateLimits.filledCharacters }, template: showStamp(stamp) })
  }
  const say = (field: (typeof texts)[number]) => write(written.find(one => one.field === field)!.parts, said).trim()
  const negative = say('negative')
  const hasNegative = Object.hasOwn((card.parameters.properties ?? {}) as object, 'negative_prompt')
  const prompt = [say('prompt'), note('Style', say('style')), note('Brand', say('brand')), hasNegative ? '' : note('Avoid', negative)].filter(part => part !== '').join('\n\n')
  const own = body.pictures.map((picture): InputReference => ({ assetId: livemode ? picture.live : picture.test, role: picture.role }))
  return {
    values,
    order: {
      prompt, inputs: [...pictures, ...left, ...own],
      parameters: { ...hasNegative && negative !== '' ? { negative_prompt: negative } : {}, ...body.parameters, ...order.parameters },
      ...(operation === undefined ? {} : { operation }),
    },
  }
}

const note = (title: string, text: string): string => text === '' ? '' : `${title}: ${text}`

const isSame = (a: Json | undefined, b: Json | undefined): boolean => JSON.stringify(a) === JSON.stringify(b)

const sayKnown = (known: ReadonlyMap<string, TemplateVariable>): string => known.size === 0 ? 'It has none.' : `It has ${[...known.values()].map(({ name, type }) => `${name} (${type})`).join(', ')}.`

/** What an order brings for variables, and what is only text. */
function readGiven({ variables, prompt }: Order, known: ReadonlyMap<string, TemplateVariable>): { values: [string, Json][]; text: string } {
  const text = prompt.trim()
  if (variables !== undefined) return { values: Object.entries(variables), text }
  if (!text.startsWith('{')) return { values: [], text }
  let object: unknown
  try { object = JSON.parse(text) } catch { return { values: [], text } }
  const values = Object.entries(object as Record<string, Json>)
  // A prompt may be JSON of its own: people describe scenes so.
  return values.length === 0 || values.some(([key]) => known.has(key)) ? { values, text: '' } : { values: [], text }
}

/**
 * The template's operation. A door says `generate` where nobody sent a picture; pictures of the template itself make an edit of it.
 */
function operationOf(body: TemplateBody, { operation: asked, inputs }: Order, pictures: number, name: string): { operation?: Operation | undefined; mistake?: CodedMistake } {
  const isImplied = asked === 'generate' && inputs.length === 0
  if (body.operation === undefined) return { operation: isImplied && pictures + body.pictures.length > 0 ? undefined : asked }
  if (asked === undefined || asked === body.operation || isImplied) return { operation: body.operation }
  return { mistake: { code: 'unsupported_parameter', field: 'operation', message: `The ${name} is there to ${body.operation}, not to ${asked}.`, value: asked, allowed: [body.operation] } }
}
