/**
 * The tools an assistant is offered: names, what they are for, what they take and give. Pure data; the `/mcp` door and `plantain mcp`
 * offer the same.
 */
import { Type } from 'typebox'
import type { TObject } from 'typebox'
import { kinds } from '../../domain/card.ts'
import { operations, roles, type Operation } from '../../domain/order.ts'
import { BalanceView, EstimateView, ExecutionView, ModelsView, TaskView, WorkflowsView } from './views.ts'

/** Longest a call may wait for its task, and how long it does unless told: clients of this protocol commonly give up after 60 s. */
export const waitMaxS = 600
export const waitDefaultS = 50

/** What is used when no model is named. */
export const defaultModels: Record<Operation, string> = {
  generate: 'nano-banana-2-1', edit: 'nano-banana-2-1', upscale: 'topaz-image-upscale', remove_background: 'recraft-remove-background', video: 'kling-3.0', write: 'gemini-3.5-flash-lite',
}
/** The same for an edit that comes with a mask, which most models cannot take. */
export const defaultMaskModel = 'gpt-image-2'

const picture = 'A link, a data URL, base64, the id of an asset, or the id of an earlier task (`<task id>/2` for its second picture).'
const Picture = Type.String({ minLength: 1, description: picture })
const PictureWithRole = Type.Union([
  Picture,
  Type.Object({ image: Picture, role: Type.Enum([...roles], { description: 'What it is for. Default `reference`.' }) }, { additionalProperties: false }),
])
const Pictures = (what: string, min: number) => Type.Array(PictureWithRole, { minItems: min, maxItems: 32, description: what })

const Prompt = (what: string) => Type.String({ minLength: 1, description: what })

const model = (operation: Operation) => ({
  model: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: `See list_models. Default ${defaultModels[operation]}.` })),
})
const look = {
  aspect_ratio: Type.Optional(Type.String({ maxLength: 20, description: 'Width to height, as `16:9`.' })),
  resolution: Type.Optional(Type.String({ maxLength: 20, description: '`512`, `1K`, `2K` or `4K`, as far as the model goes.' })),
  seed: Type.Optional(Type.Integer({ minimum: 0, description: 'The same seed and order give the same picture, where the model can.' })),
}
const file = {
  count: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: 'How many pictures. Default 1.' })),
  output_format: Type.Optional(Type.Enum(['png', 'jpeg', 'webp'])),
}
const duration = { duration_s: Type.Optional(Type.Integer({ minimum: 1, maximum: 60, description: 'Length in seconds, as the model allows.' })) }
const parameters = { parameters: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'Any parameter of the model: list_models with its name tells which.' })) }
const terms = {
  metadata: Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 512 }), { maxProperties: 16, description: 'Notes to find the task by later.' })),
  idempotency_key: Type.Optional(Type.String({ pattern: '^[\\x21-\\x7e]{1,255}$', description: 'The same key and arguments within 24 hours give the same task and buy nothing twice.' })),
}
const full = { full: Type.Optional(Type.Boolean({ description: 'Return the files themselves instead of previews of at most 1024 pixels. Default false.' })) }
const wait = { wait_s: Type.Optional(Type.Integer({ minimum: 0, maximum: waitMaxS, description: `Seconds to wait for the end. Default ${waitDefaultS}; 0 returns at once. The task goes on in any case: use wait_for_task.` })) }
const answering = { ...wait, ...full }
const taskId = { task_id: Type.String({ minLength: 1, maxLength: 100, description: 'As a making tool returned it.' }) }
const closed = { additionalProperties: false }

export interface Tool {
  name: ToolName
  title: string
  description: string
  inputSchema: TObject
  outputSchema: TObject
  annotations: { readOnlyHint: boolean; destructiveHint: boolean; idempotentHint: boolean; openWorldHint: boolean }
  /** Makes a task with this operation. */
  makes?: Operation
}

const makes = { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true }
const reads = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false }
const goesOn = 'Costs money, unless the key is a test key. Returns previews and links. Cancelling the call leaves the task in the making; stop it with cancel_task.'

export const toolNames = [
  'generate_image', 'edit_image', 'upscale_image', 'remove_background', 'generate_video', 'write_text',
  'get_task', 'wait_for_task', 'cancel_task', 'list_models', 'estimate', 'get_balance',
  'list_workflows', 'run_workflow', 'get_execution',
] as const
export type ToolName = (typeof toolNames)[number]

export const tools: Tool[] = [
  {
    name: 'generate_image', title: 'Generate an image', makes: 'generate', annotations: makes, outputSchema: TaskView,
    description: `Make pictures from words. ${goesOn}`,
    inputSchema: Type.Object({ prompt: Prompt('What to draw.'), ...model('generate'), ...look, ...file, ...parameters, ...terms, ...answering }, closed),
  },
  {
    name: 'edit_image', title: 'Edit an image', makes: 'edit', annotations: makes, outputSchema: TaskView,
    description: `Change pictures, or make a new one from several, by an instruction. ${goesOn}`,
    inputSchema: Type.Object({
      prompt: Prompt('What to do with the pictures.'),
      images: Pictures('The pictures, in the order the prompt speaks of them.', 1),
      mask: Type.Optional(Type.String({ minLength: 1, description: `Where to change: black is changed, white is kept. For models that take one; default ${defaultMaskModel} then. ${picture}` })),
      ...model('edit'), ...look, ...file, ...parameters, ...terms, ...answering,
    }, closed),
  },
  {
    name: 'upscale_image', title: 'Upscale an image', makes: 'upscale', annotations: makes, outputSchema: TaskView,
    description: `Make a picture larger. ${goesOn}`,
    inputSchema: Type.Object({
      image: Picture, factor: Type.Optional(Type.Integer({ minimum: 1, maximum: 16, description: 'How many times larger, as the model allows.' })),
      ...model('upscale'), output_format: file.output_format, ...parameters, ...terms, ...answering,
    }, closed),
  },
  {
    name: 'remove_background', title: 'Remove the background', makes: 'remove_background', annotations: makes, outputSchema: TaskView,
    description: `Cut out what a picture shows; the rest becomes transparent. ${goesOn}`,
    inputSchema: Type.Object({ image: Picture, ...model('remove_background'), output_format: file.output_format, ...parameters, ...terms, ...answering }, closed),
  },
  {
    name: 'generate_video', title: 'Generate a video', makes: 'video', annotations: makes, outputSchema: TaskView,
    description: `Make a short film from words, or from a first picture. Often takes minutes: call wait_for_task when the wait has run out. ${goesOn}`,
    inputSchema: Type.Object({
      prompt: Prompt('What happens in the film.'),
      first_frame: Type.Optional(Picture), last_frame: Type.Optional(Picture), images: Type.Optional(Pictures('Pictures to go by.', 1)),
      ...model('video'), ...look, ...duration, ...parameters, ...terms, ...answering,
    }, closed),
  },
  {
    name: 'write_text', title: 'Write text', makes: 'write', annotations: makes, outputSchema: TaskView,
    description: `Have text written, translated or rewritten by a language model, or pictures described. ${goesOn}`,
    inputSchema: Type.Object({
      prompt: Prompt('What to write, or what to say about the pictures.'),
      images: Type.Optional(Pictures('Pictures it is about, in the order the prompt speaks of them.', 1)),
      system: Type.Optional(Type.String({ minLength: 1, description: 'What holds for the answer whatever the prompt says.' })),
      max_tokens: Type.Optional(Type.Integer({ minimum: 1, description: 'How long it may become; a token is about four letters. The price of the estimate follows.' })),
      ...model('write'), ...parameters, ...terms, ...wait,
    }, closed),
  },
  {
    name: 'get_task', title: 'Get a task', annotations: reads, outputSchema: TaskView,
    description: 'How a task stands, and what it made. Does not wait.',
    inputSchema: Type.Object({ ...taskId, ...full }, closed),
  },
  {
    name: 'wait_for_task', title: 'Wait for a task', annotations: reads, outputSchema: TaskView,
    description: 'Wait until a task has ended, and show what it made. Returns the task as it stands when the wait has run out; call it again then.',
    inputSchema: Type.Object({ ...taskId, ...answering }, closed),
  },
  {
    name: 'cancel_task', title: 'Cancel a task', outputSchema: TaskView,
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: true },
    description: 'Stop a task and say what was charged. One that has ended stays as it is.',
    inputSchema: Type.Object(taskId, closed),
  },
  {
    name: 'list_models', title: 'List models', annotations: reads, outputSchema: ModelsView,
    description: 'What can be asked for and what it costs. With a name: everything about that model, its parameters included.',
    inputSchema: Type.Object({
      model: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'One model, by any of its names.' })),
      operation: Type.Optional(Type.Enum([...operations])),
      kind: Type.Optional(Type.Enum([...kinds])),
    }, closed),
  },
  {
    name: 'estimate', title: 'Estimate a price', annotations: reads, outputSchema: EstimateView,
    description: 'Check an order and say what it would cost. Buys nothing.',
    inputSchema: Type.Object({
      operation: Type.Enum([...operations]),
      model: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'Default: what the making tool would use.' })),
      prompt: Type.Optional(Type.String()), image: Type.Optional(Picture), images: Type.Optional(Pictures('As for the making tool.', 1)),
      mask: Type.Optional(Picture), first_frame: Type.Optional(Picture), last_frame: Type.Optional(Picture),
      factor: Type.Optional(Type.Integer({ minimum: 1, maximum: 16 })), system: Type.Optional(Type.String({ minLength: 1 })), max_tokens: Type.Optional(Type.Integer({ minimum: 1 })),
      ...look, ...file, ...duration, ...parameters,
    }, closed),
  },
  {
    name: 'get_balance', title: 'Get the balance', annotations: reads, outputSchema: BalanceView,
    description: 'What is left to spend: play money for a test key. `held` is set aside for tasks in the making.',
    inputSchema: Type.Object({}, closed),
  },
  {
    name: 'list_workflows', title: 'List workflows', annotations: reads, outputSchema: WorkflowsView,
    description: 'Saved workflows (chains of models and tools) and what each takes.',
    inputSchema: Type.Object({}, closed),
  },
  {
    name: 'run_workflow', title: 'Run a workflow', annotations: makes, outputSchema: ExecutionView,
    description: 'Run a saved workflow with its inputs and show what it puts out. Costs money, unless the key is a test key. It goes on when the wait runs out: call get_execution.',
    inputSchema: Type.Object({
      workflow: Type.String({ minLength: 1, maxLength: 100, description: 'Its slug or id, as list_workflows says.' }),
      inputs: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'By the names list_workflows gives. A picture is a link, a data URL or an asset id.' })),
      idempotency_key: terms.idempotency_key, ...answering,
    }, closed),
  },
  {
    name: 'get_execution', title: 'Get an execution', annotations: reads, outputSchema: ExecutionView,
    description: 'How a run of a workflow stands, and what it put out. Waits only if told to.',
    inputSchema: Type.Object({ execution_id: Type.String({ minLength: 1, maxLength: 100, description: 'As run_workflow returned it.' }), ...answering }, closed),
  },
]

export const instructions = `Make and edit pictures and short films, write text and describe pictures. Every call that makes something is a durable task: it goes on when a call is \
cancelled or its wait runs out, and wait_for_task brings the result. Hand a task's id to another tool to work on what it made. \
Models differ in what they accept: when an order is refused, the answer names the field and what is allowed; list_models with a model's name tells everything.`
