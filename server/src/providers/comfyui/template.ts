/**
 * Workflow templates: what ComfyUI's "Export (API)" writes, and which of its inputs an order fills in. One JSON file a model.
 *
 * Checked when the provider connects, and every mistake in every file is named: a template that fits badly draws another picture than was
 * asked for. What only the server knows (nodes, files of models) shows when it is asked. Absent on purpose: I/O beyond reading a folder.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { roles, type Role } from '../../domain/order.ts'
import type { Json } from '../../domain/outcome.ts'

const closed = { additionalProperties: false }
const Node = Type.Object({ class_type: Type.String({ minLength: 1 }), inputs: Type.Record(Type.String(), Type.Unknown()), _meta: Type.Optional(Type.Unknown()) })
/** One input of one node, as `6.inputs.text`, or several of them. */
const Places = Type.Unsafe<string | string[]>({})
const File = Type.Object({
  title: Type.Optional(Type.String()),
  workflow: Type.Record(Type.String(), Node),
  /** Prompt, width, height, count and parameters by the card's names → where they go; several places get the same. */
  fields: Type.Record(Type.String(), Places),
  /** Role of a picture → where its file's name goes; the second place takes the second picture. */
  inputs: Type.Optional(Type.Record(Type.String(), Places)),
  /** Nodes whose pictures are the result; all that save some, if it is left out. */
  outputs: Type.Optional(Type.Array(Type.String(), { minItems: 1 })),
}, closed)

export type Workflow = Record<string, { class_type: string; inputs: Record<string, Json> }>
export interface Target { node: string; input: string }
export interface Template { name: string; workflow: Workflow; fields: Record<string, Target[]>; inputs: Partial<Record<Role, Target[]>>; outputs: string[] | null }

const placeForm = /^([^.]+)\.inputs\.(.+)$/
const arePlaces = (places: unknown): places is string | string[] => {
  const all = [places].flat()
  return all.length > 0 && all.every(place => typeof place === 'string' && placeForm.test(place))
}
const readPlaces = (places: string | string[]): Target[] => [places].flat().map(place => {
  const [, node = '', input = ''] = placeForm.exec(place) ?? []
  return { node, input }
})

/** A link to another node's output: `["4", 0]`. */
const isLink = (value: unknown): value is [string, number] => Array.isArray(value) && value.length === 2 && typeof value[0] === 'string' && typeof value[1] === 'number'

/** Reads one file. @returns the template, or what is wrong with it */
export function readTemplate(name: string, text: string): { template: Template } | { mistakes: string[] } {
  let read: unknown
  try { read = JSON.parse(text) } catch (cause) { return { mistakes: [`it is no JSON: ${(cause as Error).message}`] } }
  const bare = read as { nodes?: unknown; workflow?: { nodes?: unknown } } | null
  if (Array.isArray(bare?.nodes) || Array.isArray(bare?.workflow?.nodes)) return { mistakes: ['this is the editor\'s own format. Save the workflow with "Export (API)" and put that into "workflow".'] }
  if (!Value.Check(File, read)) {
    return { mistakes: Value.Errors(File, read).filter(({ keyword }) => keyword !== 'boolean').map(({ instancePath, message, params }) => `${instancePath || '/'} ${message}${'additionalProperties' in params ? ` (${String(params.additionalProperties)})` : ''}`) }
  }
  const { workflow, fields, inputs = {}, outputs } = read
  const mistakes: string[] = []
  const taken = new Map<string, string>()
  const check = (where: string, targets: Target[]) => {
    for (const { node, input } of targets) {
      const place = `${node}.inputs.${input}`
      if (!Object.hasOwn(workflow, node)) mistakes.push(`${where} points at node ${node}, which is not in the workflow.`)
      else if (!Object.hasOwn(workflow[node]!.inputs, input)) mistakes.push(`${where} points at ${place}, which ${workflow[node]!.class_type} does not have; it has ${Object.keys(workflow[node]!.inputs).join(', ')}.`)
      else if (isLink(workflow[node]!.inputs[input])) mistakes.push(`${where} points at ${place}, which is linked to another node. Point at that node's input.`)
      const other = taken.get(place)
      if (other) mistakes.push(`${where} and ${other} both point at ${place}.`)
      taken.set(place, where)
    }
  }
  const targetsOf = (what: string, given: Record<string, unknown>) => Object.entries(given).flatMap(([name, places]) => {
    if (arePlaces(places)) return [[name, readPlaces(places)] as const]
    mistakes.push(`${what}.${name} must be a place in the workflow like "6.inputs.text", or a list of them.`)
    return []
  })
  const fieldTargets = targetsOf('fields', fields)
  const inputTargets = targetsOf('inputs', inputs)
  for (const [field, targets] of fieldTargets) check(`fields.${field}`, targets)
  for (const [role, targets] of inputTargets) {
    if (!(roles as readonly string[]).includes(role)) mistakes.push(`inputs.${role} is no role of a picture; there are ${roles.join(', ')}.`)
    check(`inputs.${role}`, targets)
  }
  if (('width' in fields) !== ('height' in fields)) mistakes.push('fields has one of width and height; it takes both or neither.')
  for (const [id, { inputs: given }] of Object.entries(workflow)) {
    for (const [input, value] of Object.entries(given)) {
      if (isLink(value) && !Object.hasOwn(workflow, value[0])) mistakes.push(`workflow.${id}.inputs.${input} is linked to node ${value[0]}, which is not there.`)
    }
  }
  for (const output of outputs ?? []) if (!Object.hasOwn(workflow, output)) mistakes.push(`outputs names node ${output}, which is not in the workflow.`)
  if (mistakes.length > 0) return { mistakes }
  return { template: { name, workflow: workflow as Workflow, fields: Object.fromEntries(fieldTargets), inputs: Object.fromEntries(inputTargets), outputs: outputs ?? null } }
}

/**
 * Reads folders of templates; one in a later folder takes the place of an earlier one of its name.
 *
 * @throws {Error} naming every mistake
 */
export function readTemplates(folders: string[]): Map<string, Template> {
  const templates = new Map<string, Template>()
  const mistakes: string[] = []
  for (const folder of folders) {
    let names: string[]
    try { names = readdirSync(folder).filter(name => name.endsWith('.json')).sort() } catch { mistakes.push(`${folder}: there is no such folder.`); continue }
    for (const file of names) {
      const read = readTemplate(file.slice(0, -'.json'.length), readFileSync(join(folder, file), 'utf8'))
      if ('template' in read) templates.set(read.template.name, read.template)
      else mistakes.push(...read.mistakes.map(mistake => `${join(folder, file)}: ${mistake}`))
    }
  }
  if (mistakes.length > 0) throw new Error(`The workflow templates of ComfyUI have ${mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`}:\n${mistakes.map(mistake => `  ${mistake}`).join('\n')}`)
  return templates
}

/** The template of a model for what is asked: `sdxl.inpaint` where there is a mask, `sdxl.edit` for an edit, `sdxl` for all else. Null where there is none. */
export function findTemplate(templates: Map<string, Template>, { model, operation, inputs }: { model: string; operation: string; inputs: { role: Role }[] }): Template | null {
  const variant = inputs.some(({ role }) => role === 'mask') ? 'inpaint' : operation
  return templates.get(`${model}.${variant}`) ?? templates.get(model) ?? null
}
