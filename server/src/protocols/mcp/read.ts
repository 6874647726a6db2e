/** From a tool's arguments to a draft. Pure, but for asking the workshop what an id is. */
import type { Operation, Role } from '../../domain/order.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { hasEnded } from '../../domain/task.ts'
import { isId } from '../../kit/id.ts'
import { reader } from '../../kit/schema.ts'
import type { Wanted } from '../toolkit.ts'
import { defaultMaskModel, defaultModels, tools, type Tool, type ToolName } from './tools.ts'
import type { Draft, Workshop } from './workshop.ts'

type Arguments = Record<string, unknown>

const readers = new Map(tools.map(tool => [tool.name, reader(tool.inputSchema, 'The arguments')]))

/** A tool and its arguments, checked. Null for a tool that is not there. @throws {Problem} `bad_request` */
export function readCall(name: string, given: unknown): { tool: Tool; args: Arguments } | null {
  const tool = tools.find(one => one.name === name as ToolName)
  return tool ? { tool, args: readers.get(tool.name)!(given ?? {}) as Arguments } : null
}

/** Where a picture is to be found, as somebody wrote it. Pure. */
export type Source = { kind: 'id'; id: string; number: number | null } | { kind: 'url' | 'dataUrl' | 'base64'; text: string }

/** @throws {Problem} `bad_request` when it is none of what a picture may be */
export function readSource(text: string, field: string): Source {
  const [, id, number] = /^(?:plantain:\/\/tasks\/)?([0-9a-f-]{32,36})(?:\/(\d{1,3}))?$/.exec(text) ?? []
  if (id && isId(id)) return { kind: 'id', id: id.replaceAll('-', ''), number: number === undefined ? null : Number(number) }
  if (/^https?:\/\/./i.test(text)) {
    if (text.length <= 4_096 && URL.canParse(text)) return { kind: 'url', text }
  } else if (/^data:/i.test(text)) return { kind: 'dataUrl', text }
  // The smallest picture there is takes more than this; a shorter text is a slip, most likely a file's name.
  else if (text.length >= 48 && /^[A-Za-z0-9+/_=\s-]+$/.test(text.slice(0, 1_000))) return { kind: 'base64', text }
  throw new Problem('bad_request', `${field} must be a link (https://…), a data URL, base64, the id of an asset or the id of an earlier task. It is none of these.`, { field, value: text.slice(0, 100) })
}

interface Named { text: string; role: Role; field: string; single: boolean }

/** The pictures among a tool's arguments, in the order they are handed on. */
function namePictures(args: Arguments): Named[] {
  const one = (name: string, role: Role): Named[] => typeof args[name] === 'string' ? [{ text: args[name], role, field: name, single: true }] : []
  const several = (args.images ?? []) as (string | { image: string; role: Role })[]
  return [
    ...one('image', 'reference'),
    ...several.map((entry, index): Named => typeof entry === 'string'
      ? { text: entry, role: 'reference', field: `images[${index}]`, single: false }
      : { text: entry.image, role: entry.role, field: `images[${index}].image`, single: false }),
    ...one('mask', 'mask'), ...one('first_frame', 'first_frame'), ...one('last_frame', 'last_frame'),
  ]
}

async function findPicture({ text, role, field, single }: Named, workshop: Workshop): Promise<Wanted[]> {
  const inline = workshop.inline?.(text)
  if (inline) return [{ role, field, upload: inline.upload }]
  const source = readSource(text, field)
  switch (source.kind) {
    case 'url': return [{ role, field, upload: { url: source.text } }]
    case 'dataUrl': return [{ role, field, upload: { dataUrl: source.text } }]
    case 'base64': return [{ role, field, upload: { base64: source.text } }]
    case 'id': return (await findById(source, field, single, workshop)).map(assetId => ({ role, field, assetId }))
  }
}

/** The asset of this id, or what the task of this id made. */
async function findById({ id, number }: { id: string; number: number | null }, field: string, single: boolean, workshop: Workshop): Promise<string[]> {
  const refuse = (sentence: string) => new Problem('bad_input_image', `${field}: ${sentence}`, { field, value: id })
  if (number === null && await workshop.hasAsset(id)) return [id]
  const task = await workshop.find(id).catch((thrown: unknown) => {
    if (thrown instanceof Problem && thrown.code === 'not_found') throw refuse(`there is no asset and no task ${id}.`)
    throw thrown
  })
  if (!hasEnded(task.state)) throw refuse(`the task ${id} is still ${task.state}. Call wait_for_task first.`)
  if (task.outputs.length === 0) throw refuse(task.state === 'done' ? `the task ${id} made a text and no picture.` : `the task ${id} made nothing: it ${task.state === 'cancelled' ? 'was cancelled' : 'failed'}.`)
  if (number !== null) {
    const output = task.outputs[number - 1]
    if (!output) throw refuse(`the task ${id} made ${task.outputs.length}; there is no number ${number}.`)
    return [output.id]
  }
  if (single && task.outputs.length > 1) throw refuse(`the task ${id} made ${task.outputs.length} pictures, and one is wanted. Name it as ${id}/1 to ${id}/${task.outputs.length}.`)
  return task.outputs.map(output => output.id)
}

const shortcuts = ['aspect_ratio', 'resolution', 'count', 'seed', 'output_format', 'factor', 'duration_s', 'system', 'max_tokens'] as const

function readParameters(args: Arguments): Record<string, Json> {
  const parameters = { ...args.parameters as Record<string, Json> | undefined }
  for (const name of shortcuts) {
    if (args[name] === undefined) continue
    if (Object.hasOwn(parameters, name)) throw new Problem('bad_request', `${name} is given twice: by itself and in parameters. Give it once.`, { field: name })
    parameters[name] = args[name] as Json
  }
  return parameters
}

/** @throws {Problem} `bad_request`, `bad_input_image` */
export async function readDraft(operation: Operation, args: Arguments, workshop: Workshop): Promise<Draft> {
  const prompt = (args.prompt ?? '') as string
  if (workshop.inline?.(prompt)) throw new Problem('bad_request', 'prompt is a file in base64. Put pictures into the fields for pictures, and words into prompt.', { field: 'prompt' })
  const metadata = args.metadata as Record<string, string> | undefined
  for (const key of Object.keys(metadata ?? {})) if (key.length < 1 || key.length > 64) throw new Problem('bad_request', 'A key of metadata has 1 to 64 characters.', { field: `metadata.${key.slice(0, 100)}` })
  const parameters = readParameters(args)
  const pictures = await Promise.all(namePictures(args).map(named => findPicture(named, workshop)))
  const model = args.model ?? (operation === 'edit' && args.mask !== undefined ? defaultMaskModel : defaultModels[operation])
  return {
    model: model as string, operation, prompt, parameters, pictures: pictures.flat(),
    ...(metadata === undefined ? {} : { metadata }),
    ...(args.idempotency_key === undefined ? {} : { idempotencyKey: args.idempotency_key as string }),
  }
}

/** The house counts an order's inputs; whoever called a tool knows them by its fields. */
export function inWordsOfTheCall(thrown: unknown, { pictures }: Draft): unknown {
  const number = thrown instanceof Problem ? /^inputs\[(\d+)\]/.exec(thrown.details.field ?? '')?.[1] : undefined
  const field = number === undefined ? undefined : pictures[Number(number)]?.field
  if (!(thrown instanceof Problem) || field === undefined) return thrown
  return new Problem(thrown.code, `${field}: ${thrown.message}`, { ...thrown.details, field, cause: thrown })
}

/** @throws {Problem} `not_found` for a text that cannot be an id */
export function readTaskId(text: string): string {
  const id = text.replace(/^plantain:\/\/tasks\//, '')
  if (!isId(id)) throw new Problem('not_found', `There is no task ${text.slice(0, 100)}. A task's id has 32 hexadecimal characters, as the making tools return it.`, { field: 'task_id', value: text.slice(0, 100) })
  return id.replaceAll('-', '')
}

/** @throws {Problem} `not_found` for what cannot be the id of an execution */
export function readExecutionId(text: string): string {
  if (!isId(text)) throw new Problem('not_found', `There is no execution ${text.slice(0, 100)}. An execution's id has 32 hexadecimal characters, as run_workflow returns it.`, { field: 'execution_id', value: text.slice(0, 100) })
  return text.replaceAll('-', '')
}
