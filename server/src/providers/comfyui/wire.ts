/**
 * What we say to ComfyUI and how we read what it says. Pure.
 *
 * Written after `server.py`, `execution.py` and `comfy_execution/jobs.py` of November 2026. Its queue and history live in memory, under ids
 * we choose: what neither knows is not being made, and was lost in a restart.
 */
import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import { failed, wait } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import type { JobOutcome } from '../contract.ts'
import { shorten, unclaimed, unknown, unreached, unsupported } from '../toolkit.ts'
import type { Reply } from '../toolkit.ts'
import { seedOf, shapeOf, shapes, type Shaped } from '../toolkit/local.ts'
import type { Target, Template, Workflow } from './template.ts'

export const title = 'ComfyUI'

/** Our id of a prompt: a UUID (version 8, of our own making) that is the same for every repetition of an attempt. */
export function promptIdOf(key: string): string {
  const hex = createHash('sha256').update(key).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

export interface WrittenPrompt { prompt: Workflow; seed: number | null; warnings: string[] }

/**
 * An order in a template. `files` are the job's pictures in its order, by the names ComfyUI gave them.
 *
 * @throws {Problem} `unsupported_parameter`, `bad_request` for what the template has no place for, or wants and does not get
 */
export function writePrompt(template: Template, job: Shaped, files: string[]): WrittenPrompt {
  const { fields } = template
  const prompt = structuredClone(template.workflow)
  const set = (targets: Target[], value: Json) => { for (const { node, input } of targets) prompt[node]!.inputs[input] = value }
  const who = `the ComfyUI workflow ${template.name}`
  const warnings: string[] = []

  if (fields.prompt) set(fields.prompt, job.prompt)
  else if (job.prompt.trim() !== '') warnings.push('prompt was not passed on: this workflow takes no words.')
  const shape = shapeOf(job)
  const isShaped = fields.width !== undefined && 'width' in shape
  if (isShaped) { set(fields.width!, shape.width!); set(fields.height!, shape.height!) }
  if (fields.count) set(fields.count, job.count)
  else if (job.count > 1) throw unsupported('count', job.count, [1], who)
  for (const [name, value] of Object.entries(job.parameters)) {
    if (name === 'count' || name === 'seed' && fields.seed) continue
    const targets = fields[name]
    if (targets) set(targets, value)
    else if (!(name in shapes && isShaped)) throw unsupported(name, value, null, who)
  }
  const seed = fields.seed ? seedOf(job) : null
  if (seed !== null) set(fields.seed!, seed)
  placeFiles(template, job, files, set)
  return { prompt, seed, warnings }
}

function placeFiles({ name, inputs }: Template, job: Shaped, files: string[], set: (targets: Target[], value: Json) => void): void {
  const used = new Map<string, number>()
  for (const [index, { role }] of job.inputs.entries()) {
    const place = used.get(role) ?? 0
    used.set(role, place + 1)
    const target = inputs[role]?.[place]
    if (!target) throw new Problem('unsupported_parameter', `The ComfyUI workflow ${name} takes ${inputs[role]?.length ?? 'no'} ${role}${inputs[role] ? ', not more' : ''}.`, { field: 'inputs', value: role, allowed: Object.fromEntries(Object.entries(inputs).map(([one, targets]) => [one, targets.length])) })
    set([target], files[index]!)
  }
  for (const [role, targets] of Object.entries(inputs)) {
    if ((used.get(role) ?? 0) < targets.length) throw new Problem('bad_request', `The ComfyUI workflow ${name} needs ${targets.length === 1 ? `a ${role}` : `${targets.length} pictures as ${role}`}. Add ${targets.length === 1 ? 'one' : 'them'} to inputs.`, { field: 'inputs' })
  }
}

const Fault = Type.Object({ type: Type.String(), message: Type.Optional(Type.String()), details: Type.Optional(Type.String()), extra_info: Type.Optional(Type.Unknown()) })
type Fault = Static<typeof Fault>
const NodeErrors = Type.Record(Type.String(), Type.Object({ class_type: Type.Optional(Type.String()), errors: Type.Array(Fault) }))
const Posted = Type.Object({ prompt_id: Type.String({ minLength: 1, maxLength: 200 }), node_errors: Type.Optional(Type.Unknown()) })
const Refusal = Type.Object({ error: Type.Union([Fault, Type.String()]), node_errors: Type.Optional(Type.Unknown()) })

/** Inputs whose values are files of models. */
const isModelFile = (input: string): boolean => /(^|_)(ckpt|unet|vae|clip|lora|control_net|model|style_model|gligen|text_encoder|diffusion_model|upscale_model)_?(name|path)?\d*$/.test(input)

interface Misfit { node: string; className: string; input: string; fault: Fault }

function readMisfits(errors: unknown): Misfit[] {
  if (!Value.Check(NodeErrors, errors)) return []
  return Object.entries(errors).flatMap(([node, { class_type: className = 'a node', errors: faults }]) => faults.map(fault => (
    { node, className, fault, input: String((fault.extra_info as { input_name?: unknown } | undefined)?.input_name ?? /^([\w-]+)/.exec(fault.details ?? '')?.[1] ?? '') })))
}

/** The parameter or field of an order that fills this input; null where the template fills it itself. */
const fieldOf = ({ fields }: Template, { node, input }: Misfit): string | null =>
  Object.entries(fields).find(([, targets]) => targets.some(target => target.node === node && target.input === input))?.[0] ?? null

/** What a node says against its inputs. Every type ComfyUI has, has a line. */
function readMisfit(template: Template, misfit: Misfit, prompt: Workflow): Problem {
  const { node, className, input, fault } = misfit
  const upstreamCode = fault.type
  const field = fieldOf(template, misfit)
  const value = prompt[node]?.inputs[input]
  const said = shorten([fault.message, fault.details].filter(Boolean).join(': '))
  const fits = (why: string) => unclaimed(title, `the workflow ${template.name}: node ${node} (${className}), ${input || 'inputs'}`, why, upstreamCode, said)
  switch (fault.type) {
    case 'value_not_in_list':
      if (isModelFile(input)) return new Problem('provider_not_configured', `ComfyUI has no ${input} ${JSON.stringify(value)}${field ? `; ask for another ${field}, or put it there` : ''}. See to the workflow ${template.name} and to its folder of models.`, { upstreamCode, cause: said })
      break
    case 'value_smaller_than_min':
    case 'value_bigger_than_max':
    case 'invalid_input_type':
    case 'custom_validation_failed':
      break
    case 'required_input_missing':
    case 'bad_linked_input':
    case 'return_type_mismatch':
    case 'exception_during_validation':
    case 'exception_during_inner_validation':
    case 'dependency_cycle':
      return fits('does not take the workflow of this model as it is')
  }
  if (field === null) return fits('does not take the workflow of this model as it is')
  return field === 'prompt' || field === 'count' || field === 'width' || field === 'height'
    ? new Problem('provider_rejected', `ComfyUI does not take this ${field}: ${said}`, { upstreamCode })
    : new Problem('unsupported_parameter', `ComfyUI does not take ${field} ${JSON.stringify(value)}: ${fault.message ?? fault.type}`, { field: `parameters.${field}`, value, upstreamCode })
}

/** What we come back with. `note`: outputs ComfyUI left out when it took the prompt. */
export const Receipt = Type.Object({ id: Type.String(), seed: Type.Union([Type.Integer(), Type.Null()]), warnings: Type.Array(Type.String()), note: Type.Optional(Type.String()) })
export type Receipt = Static<typeof Receipt>

export function readReceipt(receipt: Json): Receipt {
  if (!Value.Check(Receipt, receipt)) throw new Problem('internal', 'This receipt was not written by the provider comfyui.')
  return receipt
}

/** Soon: the machine is near, and may have had it in its cache. */
export const soonMs = 500

/** Reads what handing in a prompt brought. Every type of error it documents has a line. */
export function readPosted(reply: Reply, template: Template, { prompt, seed, warnings }: WrittenPrompt): JobOutcome {
  if (reply.kind === 'unreached') return failed(unreached(title))
  if (reply.kind === 'lost') return failed(unknown(title))
  const { status, body, retryAfterMs } = reply
  const upstreamCode = String(status)
  if (status < 300) {
    if (!Value.Check(Posted, body)) return failed(unknown(title, upstreamCode))
    // Taken, but without the outputs these nodes lead to.
    const [left] = readMisfits(body.node_errors)
    return wait({ id: body.prompt_id, seed, warnings, ...(left ? { note: readMisfit(template, left, prompt).message } : {}) } satisfies Receipt, soonMs)
  }
  if (status === 400 && Value.Check(Refusal, body)) return failed(readRefusal(body, template, prompt))
  switch (status) {
    case 400: return failed(new Problem('provider_rejected', 'ComfyUI did not accept this and gave no reason.', { upstreamCode }))
    case 401:
    case 403: return failed(unclaimed(title, 'COMFYUI_AUTHORIZATION', 'is guarded by something that does not let us in', upstreamCode))
    case 404:
    case 405: return failed(unclaimed(title, 'COMFYUI_BASE_URL', 'does not answer at this address', upstreamCode))
    case 413: return failed(new Problem('provider_rejected', 'ComfyUI finds this too large.', { upstreamCode }))
    case 429:
    case 503: return failed(new Problem('provider_busy', 'What guards ComfyUI takes no more calls for now.', { upstreamCode }), retryAfterMs)
    default: return failed(unknown(title, upstreamCode))
  }
}

function readRefusal({ error, node_errors: errors }: Static<typeof Refusal>, template: Template, prompt: Workflow): Problem {
  const fault: Fault = typeof error === 'string' ? { type: 'error', message: error } : error
  const said = shorten([fault.message, fault.details].filter(Boolean).join(': '))
  const fits = () => unclaimed(title, `the workflow ${template.name} and the nodes it needs`, 'does not take the workflow of this model', fault.type, said)
  const [misfit] = readMisfits(errors)
  switch (fault.type) {
    case 'prompt_outputs_failed_validation': return misfit ? readMisfit(template, misfit, prompt) : fits()
    // "Cannot execute because node X does not exist": a custom node is missing.
    case 'invalid_prompt':
    case 'missing_node_type':
    case 'prompt_no_outputs':
    case 'no_prompt':
      return fits()
    case 'invalid_prompt_id': return new Problem('internal', 'ComfyUI does not take our id for a prompt.', { upstreamCode: fault.type })
    default: return misfit ? readMisfit(template, misfit, prompt) : new Problem('provider_rejected', `ComfyUI did not accept this: ${said || fault.type}`, { upstreamCode: fault.type })
  }
}

export interface FileRef { filename: string; subfolder: string; type: string }
const FileRef = Type.Object({ filename: Type.String({ minLength: 1 }), subfolder: Type.Optional(Type.String()), type: Type.Optional(Type.String()) })
const Entry = Type.Object({
  outputs: Type.Record(Type.String(), Type.Unknown()),
  status: Type.Optional(Type.Union([Type.Null(), Type.Object({ status_str: Type.Optional(Type.String()), messages: Type.Optional(Type.Array(Type.Unknown())) })])),
})

export type Remembered = { kind: 'absent' } | { kind: 'unreadable' } | { kind: 'made'; files: FileRef[] } | { kind: 'failed'; problem: Problem }

/** Reads what the history has of a prompt. */
export function readHistory(reply: Reply, id: string, { outputs: wanted }: Pick<Template, 'outputs'>): Remembered {
  if (reply.kind !== 'answered' || reply.status >= 300 || typeof reply.body !== 'object' || reply.body === null || Array.isArray(reply.body)) return { kind: 'unreadable' }
  const entry = (reply.body as Record<string, unknown>)[id]
  if (entry === undefined) return { kind: 'error' in reply.body ? 'unreadable' : 'absent' }
  if (!Value.Check(Entry, entry)) return { kind: 'unreadable' }
  const failure = entry.status?.status_str === 'error' ? readExecution(entry.status.messages ?? []) : null
  return failure ? { kind: 'failed', problem: failure } : { kind: 'made', files: readFiles(entry.outputs, wanted) }
}

/** Pictures and films of the wanted nodes; what is kept before what is only shown (previews are temporary). */
function readFiles(outputs: Record<string, unknown>, wanted: string[] | null): FileRef[] {
  const files = Object.entries(outputs).filter(([node]) => wanted === null || wanted.includes(node)).flatMap(([, output]) =>
    typeof output !== 'object' || output === null ? [] : ['images', 'gifs', 'video', 'videos'].flatMap(kind => {
      const list = (output as Record<string, unknown>)[kind]
      return Array.isArray(list) ? list.filter(one => Value.Check(FileRef, one)).map(({ filename, subfolder = '', type = 'output' }) => ({ filename, subfolder, type })) : []
    }))
  const kept = files.filter(({ type }) => type === 'output')
  return kept.length > 0 ? kept : files
}

const Message = Type.Tuple([Type.String(), Type.Unknown()])
const Failure = Type.Object({ node_id: Type.Optional(Type.String()), node_type: Type.Optional(Type.String()), exception_type: Type.Optional(Type.String()), exception_message: Type.Optional(Type.String()) })

/** Why it was not made, from the messages of the history. */
function readExecution(messages: unknown[]): Problem {
  for (const message of messages) {
    if (!Value.Check(Message, message)) continue
    const [event, data] = message
    if (event === 'execution_interrupted') return new Problem('provider_failed', 'This was interrupted at ComfyUI, not by us.', { upstreamCode: event })
    if (event !== 'execution_error' || !Value.Check(Failure, data)) continue
    const { node_type: node = 'a node', exception_type: kind = 'error', exception_message: said = '' } = data
    if (/out ?of ?memory|allocation on device/i.test(`${kind} ${said}`)) return new Problem('provider_failed', 'ComfyUI ran out of memory. Ask for a smaller picture, or fewer at once.', { upstreamCode: kind, cause: shorten(said) })
    return new Problem('provider_failed', `ComfyUI failed in ${node}: ${withoutPaths(said.split('\n')[0]!.trim()) || kind}`, { upstreamCode: kind, cause: shorten(said) })
  }
  return new Problem('provider_failed', 'ComfyUI could not make this and gave no reason; its log has one.', { upstreamCode: 'error' })
}

/** Callers have no business with where files lie on that machine. */
const withoutPaths = (text: string): string => shorten(text.replace(/(?:[A-Za-z]:)?(?:[\\/][\w .@()-]+){2,}/g, '…'))

const Queue = Type.Object({ queue_running: Type.Array(Type.Unknown()), queue_pending: Type.Array(Type.Unknown()) })

/** Where a prompt stands in the queue; null where that cannot be read. */
export function readQueue(reply: Reply, id: string): 'running' | 'pending' | 'absent' | null {
  if (reply.kind !== 'answered' || !Value.Check(Queue, reply.body)) return null
  const has = (entries: unknown[]) => entries.some(entry => Array.isArray(entry) && entry[1] === id)
  return has(reply.body.queue_running) ? 'running' : has(reply.body.queue_pending) ? 'pending' : 'absent'
}

const Uploaded = Type.Object({ name: Type.String({ minLength: 1 }), subfolder: Type.Optional(Type.String()) })

/** Reads what an upload brought: the name a LoadImage takes. Nothing is being made by then, so every failure is a plain one. @throws {Problem} */
export function readUpload(reply: Reply): string {
  if (reply.kind === 'unreached') throw unreached(title)
  if (reply.kind === 'lost') throw new Problem('provider_down', 'ComfyUI broke off while it took a picture.')
  const { status, body } = reply
  const details = { upstreamCode: String(status) }
  if (status < 300 && Value.Check(Uploaded, body)) return body.subfolder ? `${body.subfolder}/${body.name}` : body.name
  switch (status) {
    case 401:
    case 403: throw unclaimed(title, 'COMFYUI_AUTHORIZATION', 'is guarded by something that does not let us in', String(status))
    case 404:
    case 405: throw unclaimed(title, 'COMFYUI_BASE_URL', 'does not answer at this address', String(status))
    case 413: throw new Problem('too_large', 'ComfyUI takes no picture as large as this. Send a smaller one, or start it with a larger --max-upload-size.', { field: 'inputs', ...details })
    default: throw new Problem(status >= 400 && status < 500 ? 'provider_rejected' : 'provider_down', `ComfyUI did not take a picture (HTTP ${status}).`, details)
  }
}

export type Frame =
  | { kind: 'progress'; id: string; percent: number }
  | { kind: 'running'; id: string }
  /** It has left the queue, and the history knows of it. */
  | { kind: 'ended'; id: string }
  | { kind: 'preview'; bytes: Buffer }
  | { kind: 'other' }

const Event = Type.Object({ type: Type.String(), data: Type.Object({ prompt_id: Type.String(), node: Type.Optional(Type.Union([Type.String(), Type.Null()])), value: Type.Optional(Type.Number()), max: Type.Optional(Type.Number()) }) })

/** Reads one frame of the stream. Events that say nothing of where a prompt stands are passed over. */
export function readFrame(frame: string | Buffer): Frame {
  if (typeof frame !== 'string') {
    // Type 1: a preview; its format (1 JPEG, 2 PNG) stands before the bytes, which say it themselves.
    return frame.length > 8 && frame.readUInt32BE(0) === 1 ? { kind: 'preview', bytes: frame.subarray(8) } : { kind: 'other' }
  }
  let event: unknown
  try { event = JSON.parse(frame) } catch { return { kind: 'other' } }
  if (!Value.Check(Event, event)) return { kind: 'other' }
  const { type, data: { prompt_id: id, node, value, max } } = event
  switch (type) {
    case 'execution_start': return { kind: 'running', id }
    case 'executing': return node === null ? { kind: 'ended', id } : { kind: 'running', id }
    case 'progress': return value !== undefined && max ? { kind: 'progress', id, percent: Math.min(99, 100 * value / max) } : { kind: 'other' }
    default: return { kind: 'other' }
  }
}
