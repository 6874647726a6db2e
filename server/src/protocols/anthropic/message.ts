/** Writes a task as a message, in one piece or as the events of a stream. Pure. */
import type { Asset } from '../../domain/asset.ts'
import { formatDollars } from '../../domain/money.ts'
import type { Task } from '../../domain/task.ts'
import { base64Of } from '../../kit/json-out.ts'
import type { OpenAsset } from '../contract.ts'
import { isCut, tokensOf } from '../toolkit/talk.ts'
import { guessInput, pictureOutTokens } from '../toolkit/tokens.ts'
import type { Output } from './output.ts'

/** A picture of a task on its way out. `open` where its bytes go into the answer. */
export interface Made { asset: Asset; link: string; open: OpenAsset | null }

const blockTypes = ['image/jpeg', 'image/png', 'image/gif', 'image/webp']

/** Does this go out as its bytes? Films never do: there is no block for them. */
export const isInline = ({ mime }: Asset, output: Output): boolean => output === 'block' && blockTypes.includes(mime)

export interface Block { type: 'text' | 'image' | 'container_upload' | 'tool_use'; [more: string]: unknown }

export interface Message {
  id: string
  model: string
  content: Block[]
  stopReason: 'end_turn' | 'max_tokens' | 'refusal' | 'tool_use'
  stopDetails: { type: 'refusal'; category: null; explanation: string } | null
  usage: { input: number; output: number }
  /** What this house tells beside the dialect. */
  house: Record<string, unknown> | null
}

export const messageId = (taskId: string): string => `msg_${taskId}`

/** A task that made something. The words come first: many programs show only those. */
export function writeMade(task: Task, made: Made[], output: Output): Message {
  const count = made.length
  const words = task.text?.trim() || (count === 1 ? 'Here is the picture.' : `Here are ${count} pictures.`)
  const shown = made.map(({ asset, link }, index) => asset.mime.startsWith('image/') ? `![image ${index + 1}](${link})` : `[video ${index + 1}](${link})`)
  const pictures = made.flatMap(({ asset: { id, mime }, link, open }): Block[] => {
    if (output === 'file') return [{ type: 'container_upload', file_id: `file_${id}` }]
    if (output === 'link' || !blockTypes.includes(mime)) return []
    return [{ type: 'image', source: open ? { type: 'base64', media_type: mime, data: base64Of(open) } : { type: 'url', url: link } }]
  })
  return {
    id: messageId(task.id), model: task.modelAsked,
    content: [{ type: 'text', text: [words, ...shown].join('\n\n'), citations: null }, ...pictures],
    stopReason: 'end_turn', stopDetails: null, usage: readUsage(task), house: writeHouse(task),
  }
}

/** A task that wrote something. */
export const writeText = (task: Task): Message => ({
  id: messageId(task.id), model: task.modelAsked, content: [{ type: 'text', text: task.text ?? '', citations: null }],
  stopReason: isCut(task) ? 'max_tokens' : 'end_turn', stopDetails: null, usage: readUsage(task), house: writeHouse(task),
})

/** A prompt that was refused is an answer, not an error. */
export const writeRefusal = ({ id, model, explanation, task }: { id: string; model: string; explanation: string; task: Task | null }): Message => ({
  id, model, content: [{ type: 'text', text: explanation, citations: null }], stopReason: 'refusal',
  stopDetails: { type: 'refusal', category: null, explanation }, usage: task ? readUsage(task) : { input: 0, output: 0 }, house: task && writeHouse(task),
})

/** The upstream's own count, where it gave one; otherwise a guess at what went in, and pictures by their maker's table. Image tokens count as output. */
export function readUsage(task: Task): Message['usage'] {
  if (task.operation === 'write') return tokensOf(task)
  const { details } = task
  const usage = details.usage
  const told = typeof usage === 'object' && usage !== null && !Array.isArray(usage) ? usage : null
  if (told === null) {
    const { text, image } = guessInput(task)
    return { input: text + image, output: task.outputs.length * pictureOutTokens(task) }
  }
  const count = (value: unknown) => typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : 0
  return { input: count(told.input_tokens), output: count(told.output_tokens) }
}

const writeHouse = ({ id, livemode, provider, chargedMicros, warnings }: Task): Record<string, unknown> => ({
  task_id: id, livemode, served_by: livemode ? provider : 'sandbox-1', cost_usd: chargedMicros === null ? null : formatDollars(chargedMicros), warnings,
})

const restOfUsage = { cache_creation_input_tokens: 0, cache_read_input_tokens: 0, cache_creation: null, server_tool_use: null, service_tier: 'standard', output_tokens_details: null, inference_geo: null, speed: null }

export const writeMessage = ({ id, model, content, stopReason, stopDetails, usage, house }: Message): Record<string, unknown> => ({
  id, type: 'message', role: 'assistant', model, content,
  stop_reason: stopReason, stop_sequence: null, stop_details: stopDetails, container: null, diagnostics: null,
  usage: { input_tokens: usage.input, output_tokens: usage.output, ...restOfUsage },
  ...(house ? { plantain: house } : {}),
})

/** A server-sent event; its name is that of its type, because the SDK drops what has none. */
export interface StreamEvent { event: string; data: { type: string; [more: string]: unknown } }

const event = (data: StreamEvent['data']): StreamEvent => ({ event: data.type, data })

export const ping = event({ type: 'ping' })

/** The first event: sent while nothing is known but that a picture is being made. */
export const writeStart = ({ id, model, usage: { input } }: Pick<Message, 'id' | 'model' | 'usage'>): StreamEvent => event({
  type: 'message_start',
  message: writeMessage({ id, model, content: [], stopReason: null as unknown as 'end_turn', stopDetails: null, usage: { input, output: 0 }, house: null }),
})

/** Everything after the start. A picture is whole in its `content_block_start`: there is no delta for one. */
export function* writeRest({ content, stopReason, stopDetails, usage, house }: Message): Generator<StreamEvent> {
  for (const [index, block] of content.entries()) {
    switch (block.type) {
      case 'text':
        yield event({ type: 'content_block_start', index, content_block: { ...block, text: '' } })
        yield event({ type: 'content_block_delta', index, delta: { type: 'text_delta', text: block.text } })
        break
      case 'tool_use':
        yield event({ type: 'content_block_start', index, content_block: { ...block, input: {} } })
        yield event({ type: 'content_block_delta', index, delta: { type: 'input_json_delta', partial_json: JSON.stringify(block.input) } })
        break
      case 'image': case 'container_upload':
        yield event({ type: 'content_block_start', index, content_block: block })
        break
    }
    yield event({ type: 'content_block_stop', index })
  }
  yield event({
    type: 'message_delta', delta: { stop_reason: stopReason, stop_sequence: null, stop_details: stopDetails, container: null },
    usage: { input_tokens: usage.input, output_tokens: usage.output, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, server_tool_use: null, output_tokens_details: null },
    ...(house ? { plantain: house } : {}),
  })
  yield event({ type: 'message_stop' })
}
