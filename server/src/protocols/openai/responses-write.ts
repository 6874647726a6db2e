/** Tasks as responses, whole and as the events they come in. Pure: pictures are handed in as text, or as what stands for it. */
import type { Asset } from '../../domain/asset.ts'
import type { Problem, StoredProblem } from '../../domain/problem.ts'
import type { Task } from '../../domain/task.ts'
import type { ServerEvent } from '../../kit/sse.ts'
import { writeId } from './ids.ts'
import { unixOf, writeEffects } from './images-write.ts'
import type { ResponseWire } from './responses-read.ts'
import { isCut } from '../toolkit/talk.ts'
import { usageOf, writeUsage, type Usage } from './usage.ts'
import { writeResponseError } from './words.ts'

/** What the request said, where it came in at this door. */
export function wireOf({ wire, modelAsked }: Task): ResponseWire {
  const body = wire?.protocol === 'openai' ? wire.body as unknown as Partial<ResponseWire> | null : null
  if (body?.kind === 'response') return body as ResponseWire
  return { kind: 'response', model: modelAsked, instructions: null, previousResponseId: null, store: true, background: false, metadata: {}, tool: { type: 'image_generation' }, toolChoice: 'auto' }
}

type Status = 'queued' | 'in_progress' | 'completed' | 'incomplete' | 'failed' | 'cancelled'

export function statusOf({ state, details }: Pick<Task, 'state' | 'details'>): Status {
  switch (state) {
    case 'queued': return 'queued'
    case 'running': case 'waiting': return 'in_progress'
    case 'done': return isCut({ details }) ? 'incomplete' : 'completed'
    case 'failed': return 'failed'
    case 'cancelled': return 'cancelled'
  }
}

const writeCall = <T>(task: Task, asset: Asset, index: number, result: T) => {
  const { revised_prompt: revised } = task.details
  return {
    id: writeId('ig', task.id, index), type: 'image_generation_call', status: 'completed', result,
    revised_prompt: typeof revised === 'string' ? revised : task.prompt.slice(0, 32_000), action: task.operation === 'generate' ? 'generate' : 'edit', ...writeEffects(task, asset),
  }
}

const writeMessage = (task: Task, text: string) => ({
  id: writeId('msg', task.id), type: 'message', status: 'completed', role: 'assistant',
  content: [{ type: 'output_text', text, annotations: [], logprobs: [] }],
})

/** The pictures, and the words that came with them. */
const writeOutput = <T>(task: Task, result: (asset: Asset) => T) => [
  ...task.outputs.map((asset, index) => writeCall(task, asset, index, result(asset))),
  ...(task.text === null || task.text === '' ? [] : [writeMessage(task, task.text)]),
]

export function writeResponse<T>(task: Task, result: (asset: Asset) => T, { status = statusOf(task), isEmpty = false }: { status?: Status; isEmpty?: boolean } = {}) {
  const wire = wireOf(task)
  const isDone = status === 'completed' || status === 'incomplete'
  const isText = task.operation === 'write'
  const usage = usageOf(task)
  return {
    id: writeId('resp', task.id), object: 'response', created_at: unixOf(task.createdAt), completed_at: isDone && task.endedAt ? unixOf(task.endedAt) : null, status,
    background: wire.background,
    error: status === 'failed' && task.problem ? writeResponseError(task.problem) : null,
    incomplete_details: status === 'incomplete' ? { reason: 'max_output_tokens' } : null, instructions: wire.instructions, max_output_tokens: null, metadata: wire.metadata, model: wire.model || task.modelAsked,
    output: isDone && !isEmpty ? writeOutput(task, result) : [],
    parallel_tool_calls: true, previous_response_id: wire.previousResponseId, reasoning: { effort: null, summary: null }, service_tier: 'default',
    temperature: 1, top_p: 1, tool_choice: wire.toolChoice, tools: isText ? [] : [wire.tool], truncation: 'disabled', store: wire.store, text: { format: { type: 'text' } },
    // Of a picture they are counted as the tool's: the language model that would have counted them does not exist here.
    usage: isDone ? writeTokens(isText ? usage : { textIn: 0, textOut: 0 }) : null,
    ...(isDone && !isText ? { tool_usage: { image_gen: writeUsage(usage) } } : {}),
  }
}

const writeTokens = ({ textIn, textOut }: Pick<Usage, 'textIn' | 'textOut'>) => ({
  input_tokens: textIn, input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 }, output_tokens: textOut, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: textIn + textOut,
})

export interface PartialPicture { index: number; base64: string; mime: string; size: string | null }

/**
 * The events of a response, numbered in the order they are written.
 *
 * Numbers are the same however often a response is streamed: an in-between picture that is gone still takes its number.
 */
export class ResponseEvents {
  #next = 0
  readonly #task: Task
  readonly #item: { output_index: number; item_id: string }

  constructor(task: Task) {
    this.#task = task
    this.#item = { output_index: 0, item_id: writeId('ig', task.id) }
  }

  begin(): ServerEvent[] {
    const { background } = wireOf(this.#task)
    const early = (status: Status) => ({ response: writeResponse(this.#task, () => null, { status, isEmpty: true }) })
    return [
      this.#write('response.created', early(background ? 'queued' : 'in_progress')),
      ...(background ? [this.#write('response.queued', early('queued'))] : []),
      this.#write('response.in_progress', early('in_progress')),
      // Of a text nothing can be told before it is there.
      ...(this.#task.operation === 'write' ? [] : this.#beginPicture()),
    ]
  }

  #beginPicture(): ServerEvent[] {
    return [
      this.#write('response.output_item.added', { output_index: 0, item: { id: this.#item.item_id, type: 'image_generation_call', status: 'in_progress', result: null } }),
      this.#write('response.image_generation_call.in_progress', this.#item),
      this.#write('response.image_generation_call.generating', this.#item),
    ]
  }

  partial({ index, base64, mime, size }: PartialPicture): ServerEvent {
    return this.#write('response.image_generation_call.partial_image', {
      ...this.#item, partial_image_index: index, partial_image_b64: base64, ...writeEffects(this.#task), size: size ?? 'auto', output_format: mime.replace('image/', ''),
    })
  }

  skip(): void { this.#next += 1 }

  /** `results` are the pictures, in the order of the task's outputs. */
  *complete(task: Task, results: unknown[]): Generator<ServerEvent> {
    for (const [index, asset] of task.outputs.entries()) {
      const item = { output_index: index, item_id: writeId('ig', task.id, index) }
      if (index > 0) yield this.#write('response.output_item.added', { output_index: index, item: { id: item.item_id, type: 'image_generation_call', status: 'in_progress', result: null } })
      yield this.#write('response.image_generation_call.completed', item)
      yield this.#write('response.output_item.done', { output_index: index, item: writeCall(task, asset, index, results[index]) })
    }
    if (task.text !== null && task.text !== '') yield* this.#say(task, task.text, task.outputs.length)
    yield this.#write(statusOf(task) === 'incomplete' ? 'response.incomplete' : 'response.completed', { response: writeResponse(task, asset => results[task.outputs.indexOf(asset)]) })
  }

  *#say(task: Task, text: string, output_index: number): Generator<ServerEvent> {
    const message = writeMessage(task, text)
    const place = { item_id: message.id, output_index, content_index: 0 }
    const part = (words: string) => ({ type: 'output_text', text: words, annotations: [], logprobs: [] })
    yield this.#write('response.output_item.added', { output_index, item: { ...message, status: 'in_progress', content: [] } })
    yield this.#write('response.content_part.added', { ...place, part: part('') })
    yield this.#write('response.output_text.delta', { ...place, delta: text, logprobs: [] })
    yield this.#write('response.output_text.done', { ...place, text, logprobs: [] })
    yield this.#write('response.content_part.done', { ...place, part: part(text) })
    yield this.#write('response.output_item.done', { output_index, item: message })
  }

  fail(task: Task): ServerEvent {
    const problem: StoredProblem = task.problem ?? { code: 'cancelled', message: 'This was cancelled. Nothing was charged.' }
    return this.#write('response.failed', { response: writeResponse({ ...task, problem }, () => null, { status: 'failed' }) })
  }

  /** When not even the task can be told any more. */
  breakOff(problem: Problem): ServerEvent {
    const { code, message } = writeResponseError(problem)
    return this.#write('error', { code, message, param: null })
  }

  #write(type: string, data: object): ServerEvent { return { event: type, data: { type, sequence_number: this.#next++, ...data } } }
}

/** What went in, as items. */
export const writeInputItems = (task: Task, link: (assetId: string) => string | null) => ({
  object: 'list',
  data: [{
    id: writeId('msg', task.id), type: 'message', role: 'user', status: 'completed',
    content: [
      ...(task.prompt === '' ? [] : [{ type: 'input_text', text: task.prompt }]),
      ...task.inputs.map(({ assetId }) => ({ type: 'input_image', detail: 'auto', file_id: `file-${assetId}`, image_url: link(assetId) })),
    ],
  }],
  first_id: writeId('msg', task.id), last_id: writeId('msg', task.id), has_more: false,
})
