/**
 * From cells to orders: which column fills which field, what a cell means there, and where a mistake stands in the sheet. Pure.
 *
 * A cell that is empty says nothing, so that what the target says stands. Texts of the target may hold `{{column}}`; what stands in cells is
 * taken as it is.
 */
import type { JsonSchema } from '../../domain/card.ts'
import { roles, type Role } from '../../domain/order.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { isId } from '../../kit/id.ts'
import { tidyColumn, type RowFlaw, type SheetRow } from '../../kit/sheets/table.ts'
import type { Target } from './batches-order.ts'
import { TaskBody } from './tasks.ts'

export interface Column { name: string; /** What it fills; null where it is left aside. */ field: string | null }

/** What a row becomes, as it is kept until it is made. */
export interface Line {
  name: string | null
  /** The row as it was sent. */
  cells: Record<string, Json>
  /** A task's body, or inputs and metadata of an execution. */
  order: Record<string, Json>
  /** Which column brought which field. */
  from: Record<string, string>
  flaws: RowFlaw[]
}

/** What a target's fields may hold. */
export interface Fields {
  /** Fields that are text or a word. */
  scalars: string[]
  /** Fields with entries of their own, by any name: `parameters.seed`. */
  nested: string[]
  /** Whether pictures come as `inputs.<role>`. */
  hasInputs: boolean
  /** Whether the name of a row is a field of its order as well: a workflow may have an input of that name. */
  takesName: boolean
  /** What a column may be called without further ado: its name to a field. */
  byName: Map<string, string>
  /** What a value in a field must be, where that is known. */
  schemaOf(field: string, order: Record<string, Json>): JsonSchema | null
}

const properties = TaskBody.properties as Record<string, { type?: string }>
const left = new Set(['callback_url', 'priority', 'start_within_s', 'end_within_s', 'inputs'])
const taskScalars = Object.keys(properties).filter(name => !left.has(name) && properties[name]!.type !== 'object')
const taskNested = Object.keys(properties).filter(name => !left.has(name) && properties[name]!.type === 'object')
const pictureNames = ['inputs', 'input', 'image', 'images', 'image_url', 'image_urls', 'picture', 'pictures', 'photo']

/** Fields of a task. `parametersOf` knows the parameters of a model by its name; `parameters` are all there are, `variables` those of its template. */
export function taskFields(parametersOf: (model: string) => JsonSchema | null, parameters: Iterable<string>, variables: Map<string, JsonSchema>): Fields {
  const byName = new Map<string, string>([...parameters].map(name => [name, `parameters.${name}`]))
  // The catalogue's word for something goes before ours for pictures; words that are about anything (style, object) are no column's by themselves.
  for (const name of pictureNames) if (!byName.has(name)) byName.set(name, 'inputs.reference')
  for (const role of ['mask', 'first_frame', 'last_frame']) if (!byName.has(role)) byName.set(role, `inputs.${role}`)
  for (const name of [...taskScalars, ...taskNested, 'name']) byName.set(name, name)
  byName.set('id', 'name')
  for (const name of variables.keys()) byName.set(name, `variables.${name}`)
  return {
    scalars: [...taskScalars, 'name'], nested: taskNested, hasInputs: true, takesName: false, byName,
    schemaOf(field, order) {
      const variable = /^variables\.(.+)$/.exec(field)?.[1]
      if (variable !== undefined) return variables.get(variable) ?? null
      const name = /^parameters\.(.+)$/.exec(field)?.[1]
      const model = order.model
      if (name === undefined || typeof model !== 'string') return null
      const known = (parametersOf(model)?.properties ?? null) as Record<string, JsonSchema> | null
      return known?.[name] ?? null
    },
  }
}

/** Fields of an execution: the workflow's inputs, by their names. */
export function workflowFields(inputs: Map<string, JsonSchema>): Fields {
  const byName = new Map<string, string>([['name', 'name'], ['id', 'name'], ['metadata', 'metadata'], ...[...inputs.keys()].flatMap(name => [[keyOf(name), name], [name, name]] as [string, string][])])
  return { scalars: [...new Set(['name', ...inputs.keys()])], nested: inputs.has('metadata') ? [] : ['metadata'], hasInputs: false, takesName: inputs.has('name'), byName, schemaOf: field => inputs.get(field) ?? null }
}

const keyOf = (name: string): string => tidyColumn(name).toLowerCase().replace(/[\s-]+/g, '_')

/** Which column fills which field. @throws {Problem} `bad_request` for a column or a field that is not there, or a field that two would fill */
export function mapColumns(columns: string[], wanted: Record<string, string | null>, fields: Fields): Column[] {
  const map = new Map(Object.entries(wanted).map(([column, field]) => [tidyColumn(column), field]))
  for (const column of map.keys()) {
    if (!columns.includes(column)) throw new Problem('bad_request', `map names the column "${column.slice(0, 100)}", and there is none. The sheet has ${columns.join(', ').slice(0, 500)}.`, { field: `map.${column.slice(0, 100)}`, allowed: columns })
  }
  const filled = new Map<string, string>()
  for (const [name, said] of map) {
    if (said === null) continue
    const field = checkField(said, name, fields)
    const other = filled.get(field)
    if (other !== undefined && !field.startsWith('inputs.')) throw new Problem('bad_request', `The columns "${other}" and "${name}" both fill ${field}. Map one of them to something else, or to null.`, { field: `map.${name.slice(0, 100)}`, value: field })
    filled.set(field, name)
  }
  // Who is called as the field is goes before who is only alike: beside a name, an id is left aside, and told.
  const guesses = columns.filter(name => !map.has(name)).map(name => ({ name, field: guessField(name, fields) }))
  for (const isExact of [true, false]) for (const { name, field } of guesses) if (field !== null && !filled.has(field) && (field === name) === isExact) filled.set(field, name)
  return columns.map(name => {
    const said = map.get(name)
    const field = said === undefined ? guesses.find(one => one.name === name)!.field : said === null ? null : checkField(said, name, fields)
    return { name, field: field !== null && (filled.get(field) === name || field.startsWith('inputs.')) ? field : null }
  })
}

/** A field by the name of a column. */
function guessField(name: string, fields: Fields): string | null {
  return fields.byName.get(name) ?? fields.byName.get(keyOf(name)) ?? (isField(name, fields) ? name : null)
}

function isField(field: string, { scalars, nested, hasInputs }: Fields): boolean {
  if (scalars.includes(field) || nested.includes(field)) return true
  const [, outer, inner] = /^([a-z_]+)\.([^.].{0,99})$/s.exec(field) ?? []
  if (outer === undefined || inner === '__proto__') return false
  return nested.includes(outer) || (hasInputs && outer === 'inputs' && (roles as readonly string[]).includes(inner!))
}

function checkField(field: string, column: string, fields: Fields): string {
  const wanted = fields.hasInputs && (field === 'inputs' || field === 'image') ? 'inputs.reference' : field
  if (isField(wanted, fields)) return wanted
  const allowed = [...fields.scalars, ...fields.nested.flatMap(name => [name, `${name}.<name>`]), ...fields.hasInputs ? [`inputs.<${roles.join('|')}>`] : []]
  throw new Problem('bad_request', `map sends "${column.slice(0, 60)}" to ${field.slice(0, 100)}, which is no field. Fields are ${allowed.join(', ')}.`, { field: `map.${column.slice(0, 100)}`, value: field.slice(0, 100), allowed })
}

/** With the spaces around its name, and told apart from them afterwards: an expression that does both at once takes minutes over a long run of spaces. */
const hole = /\{\{([^{}]{1,300})\}\}/g
const isNamed = (name: string): boolean => name.trim() !== ''

/** Columns that texts of a target stand for. */
export function holesOf(value: unknown): string[] {
  if (typeof value === 'string') return [...value.matchAll(hole)].filter(([, name]) => isNamed(name!)).map(([, name]) => tidyColumn(name!))
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(holesOf)
}

/** @throws {Problem} `bad_request` for a hole no column fills */
export function checkHoles(target: Target, columns: string[]): void {
  const missing = holesOf(target.kind === 'model' ? target.model : target.workflow).find(name => !columns.includes(name))
  if (missing !== undefined) throw new Problem('bad_request', `target holds {{${missing.slice(0, 100)}}}, and there is no such column. The sheet has ${columns.join(', ').slice(0, 500)}.`, { field: 'target', value: missing.slice(0, 100), allowed: columns })
}

const isEmpty = (cell: Json | undefined): boolean => cell === undefined || cell === null || (typeof cell === 'string' && cell.trim() === '')
const textOf = (cell: Json | undefined): string => isEmpty(cell) ? '' : typeof cell === 'string' ? cell : typeof cell === 'object' ? JSON.stringify(cell) : String(cell)

/** A row as what it becomes. Mistakes that can be seen here are its flaws; the rest shows when it is checked. @throws {Problem} `too_large` where holes would grow beyond all measure */
export function mapRow({ cells, flaw }: SheetRow, columns: Column[], target: Target, fields: Fields): Line {
  const line: Line = { name: null, cells, order: {}, from: {}, flaws: flaw ? [flaw] : [] }
  const flawed = (column: string, value: Json | undefined, message: string) => { line.flaws.push({ column, value: textOf(value).slice(0, 100).toWellFormed(), message }) }

  // First what the target says, then what the row says.
  const { name: nameText, ...standing } = target.kind === 'model' ? target.model : { name: target.workflow.name, inputs: target.workflow.inputs, metadata: target.workflow.metadata }
  const base = target.kind === 'model' ? standing : { ...standing.inputs as Record<string, Json>, ...standing.metadata === undefined ? {} : { metadata: standing.metadata } }
  const room = { left: filledMax }
  for (const [field, value] of Object.entries(base)) {
    const filled = fill(value as Json, cells, room)
    if (filled === undefined) continue
    const said = holesOf(value)[0]
    if (said !== undefined) line.from[field] = said
    if (typeof filled === 'object' && filled !== null && !Array.isArray(filled)) for (const [name, inner] of Object.entries(value as object)) { const column = holesOf(inner)[0]; if (column !== undefined) line.from[`${field}.${name}`] = column }
    line.order[field] = filled
  }
  const pictures = target.kind === 'model' && Array.isArray(line.order.inputs) ? line.order.inputs.flatMap(one => inputsOf(one, 'reference')) : []
  if (target.kind === 'model') delete line.order.inputs
  if (nameText !== undefined) line.name = textOf(fill(nameText, cells, room)) || null

  for (const { name: column, field } of columns) {
    const cell = cells[column]
    if (field === null || isEmpty(cell)) continue
    const [, outer, inner] = /^([^.]+)\.(.+)$/s.exec(field) ?? []
    if (field === 'name') line.name = textOf(cell)
    if (field === 'name' && !fields.takesName) continue
    if (fields.hasInputs && outer === 'inputs') {
      for (const picture of inputsOf(cell!, inner as Role)) { line.from[`inputs[${pictures.length}]`] = column; pictures.push(picture) }
    } else if (outer !== undefined && fields.nested.includes(outer)) {
      const entries = line.order[outer] ??= {}
      if (typeof entries === 'object' && entries !== null && !Array.isArray(entries)) line.order[outer] = { ...entries, [inner!]: cell! }
      line.from[field] = column
    } else if (fields.nested.includes(field)) {
      const entries = typeof cell === 'string' ? readJson(cell) : cell
      if (typeof entries !== 'object' || entries === null || Array.isArray(entries)) { flawed(column, cell, `${field} is an object of names and values, written as JSON: {"seed": 1}.`); continue }
      line.order[field] = { ...line.order[field] as Record<string, Json> | undefined, ...entries }
      line.from[field] = column
    } else {
      line.order[field] = cell!
      line.from[field] = column
    }
  }
  if (line.name !== null && line.name.length > 300) line.name = line.name.slice(0, 300).toWellFormed()
  typed(line, fields)
  if (pictures.length > 0) {
    for (const [index, picture] of pictures.entries()) {
      const source = picture.asset ?? picture.url ?? ''
      if (picture.data_url !== undefined || picture.base64 !== undefined || source.startsWith('data:')) flawed(line.from[`inputs[${index}]`] ?? '', source.slice(0, 40), 'A sheet names pictures by id or link. Upload this one first (POST /plantain/v1/assets).')
      else if (picture.asset === undefined && !/^https?:\/\//i.test(source)) flawed(line.from[`inputs[${index}]`] ?? '', source, 'This is neither the id of an asset nor a link that begins with https://.')
    }
    if (pictures.length > 32) flawed(line.from['inputs[0]'] ?? '', pictures.length, 'A row may have 32 pictures.')
    line.order.inputs = pictures as unknown as Json
  }
  return line
}

interface Picture { role: Role; asset?: string; url?: string; data_url?: string; base64?: string }

/** Pictures of a cell: ids and links, several of them apart by spaces, line breaks or bars; or an object as a task takes it. */
function inputsOf(cell: Json, standard: Role): Picture[] {
  if (Array.isArray(cell)) return cell.flatMap(one => inputsOf(one, standard))
  if (typeof cell === 'object' && cell !== null) return [{ role: standard, ...cell as Omit<Partial<Picture>, 'role'> }]
  return textOf(cell).split(/[\s|]+/).filter(Boolean).map(text => isId(text) ? { role: standard, asset: text } : { role: standard, url: text })
}

/** Characters that cells may bring into the holes of one row: a target may name a long cell many times. */
const filledMax = 4 * 1024 * 1024

/** Fills the holes of a value; undefined where all there is to it is an empty cell. @throws {Problem} `too_large` */
function fill(value: Json, cells: Record<string, Json>, room: { left: number }): Json | undefined {
  const take = (name: string): Json | undefined => {
    const cell = cells[tidyColumn(name)]
    if ((room.left -= typeof cell === 'string' ? cell.length : 100) < 0) throw new Problem('too_large', `The cells of a row would fill more than ${filledMax} characters of the target. Name long columns less often.`, { field: 'target', allowed: filledMax })
    return cell
  }
  if (typeof value === 'string') {
    const whole = /^\{\{([^{}]{1,300})\}\}$/.exec(value)
    if (whole && isNamed(whole[1]!)) { const cell = take(whole[1]!); return isEmpty(cell) ? undefined : cell! }
    return value.replace(hole, (text, name: string) => isNamed(name) ? textOf(take(name)) : text)
  }
  if (Array.isArray(value)) return value.flatMap(one => { const filled = fill(one, cells, room); return filled === undefined ? [] : [filled] })
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).flatMap(([name, one]) => { const filled = fill(one, cells, room); return filled === undefined ? [] : [[name, filled]] }))
  return value
}

/** Gives text the type its field wants: a sheet has only text, and a number where text is wanted is text. */
function typed(line: Line, fields: Fields): void {
  const read = (value: Json, field: string): Json => {
    const schema = fields.schemaOf(field, line.order)
    // What the target says as JSON has a type already; only text may still be read as what is wanted, where that is known.
    const isSaid = line.from[field] === undefined
    return isSaid && (typeof value !== 'string' || schema === null || Object.keys(schema).length === 0) ? value : readAs(value, schema)
  }
  for (const [field, value] of Object.entries(line.order)) {
    if (fields.nested.includes(field) && typeof value === 'object' && value !== null && !Array.isArray(value)) {
      line.order[field] = Object.fromEntries(Object.entries(value).map(([name, inner]) => {
        const path = `${field}.${name}`
        if (field === 'metadata') return [name, textOf(inner)]
        return [name, read(inner, path)]
      }))
    } else if (fields.hasInputs) line.order[field] = typeof value === 'string' || typeof value === 'object' ? value : String(value)
    else line.order[field] = read(value, field)
  }
}

const readJson = (text: string): Json | undefined => {
  try { return JSON.parse(text) as Json } catch { return undefined }
}

/** What a cell means where a schema says what is wanted. What cannot be read so stays as it is, and is refused with the schema's words. Pure. */
export function readAs(cell: Json, schema: JsonSchema | null): Json {
  if (schema === null) return typeof cell === 'string' ? readScalar(cell) : cell
  const choices = [schema, ...(['anyOf', 'oneOf'] as const).flatMap(key => Array.isArray(schema[key]) ? schema[key] as JsonSchema[] : [])]
  const allowed = choices.flatMap(one => Array.isArray(one.enum) ? one.enum as Json[] : 'const' in one ? [one.const as Json] : [])
  const types = new Set(choices.flatMap(one => Array.isArray(one.type) ? one.type as string[] : typeof one.type === 'string' ? [one.type] : []))
  if (allowed.length > 0) {
    const found = allowed.find(one => one === cell) ?? allowed.find(one => String(one) === textOf(cell).trim())
    if (found !== undefined) return found
  }
  if (types.has('string') && !(typeof cell === 'object' && cell !== null)) return types.size === 1 ? textOf(cell) : cell
  if (typeof cell !== 'string') return cell
  const text = cell.trim()
  if ((types.has('integer') || types.has('number')) && /^-?\d{1,15}(\.\d{1,12})?$/.test(text)) return Number(text)
  if (types.has('boolean') && /^(true|false)$/i.test(text)) return text.toLowerCase() === 'true'
  if (types.has('array')) { const list = text.startsWith('[') ? readJson(text) : text.split(/\r?\n|\s*\|\s*/).map(one => one.trim()).filter(Boolean); if (list !== undefined) return list }
  if (types.has('object') && text.startsWith('{')) return readJson(text) ?? cell
  return types.size === 0 ? readScalar(cell) : cell
}

const readScalar = (text: string): Json => /^(true|false)$/i.test(text) ? text.toLowerCase() === 'true' : /^-?(0|[1-9]\d{0,14})(\.\d{1,12})?$/.test(text) ? Number(text) : text
