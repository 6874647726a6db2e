/** Bodies of `/v1/responses`. Pure: a response is one call of the image tool, or one text by a model that writes. */
import type { Json } from '../../domain/outcome.ts'
import type { Incoming } from '../contract.ts'
import type { Talk } from '../toolkit/talk.ts'
import { readTemperature, withoutEffect } from './chat-read.ts'
import { Conversation } from './conversation.ts'
import { fieldsOf, invalid, readChoice, readFlag, readRequired, readText, readWhole, type Fields } from './fields.ts'
import { readFileId, readLink, readReference, type Picture } from './pictures.ts'
import { ignoredIn } from './settings.ts'

/** What a response tells about its request, kept on the task. */
export interface ResponseWire {
  kind: 'response'
  model: string
  instructions: string | null
  previousResponseId: string | null
  store: boolean
  background: boolean
  metadata: Record<string, string>
  tool: Record<string, Json>
  toolChoice: Json
}

export interface ResponseCall {
  conversation: Conversation
  tool: Fields
  action: 'generate' | 'edit' | 'auto'
  mask: Picture | null
  /** A model that writes was named, and no picture asked for: how it is to do it. */
  writing: Pick<Talk, 'maxTokens' | 'temperature' | 'effort'> | null
  stream: boolean
  partials: number
  wire: ResponseWire
  warnings: string[]
}

/** Fields of the tool that are read here and not by `settings.ts`. */
export const toolNames = ['type', 'action', 'model', 'partial_images', 'input_image_mask']

const instructionsKept = 32_000

/** Fields of the body that are read here, or that a picture has no use for and clients send all the same. */
const known = [
  'model', 'input', 'tools', 'tool_choice', 'stream', 'stream_options', 'background', 'store', 'instructions', 'previous_response_id', 'metadata', 'text', 'reasoning', 'include',
  'max_output_tokens', 'max_tool_calls', 'temperature', 'top_p', 'top_logprobs', 'truncation', 'parallel_tool_calls', 'user', 'safety_identifier', 'service_tier', 'prompt_cache_key', 'prompt_cache_retention',
]

/** What would have the model begin from something that is not here: left out silently, it would make another picture. */
const elsewhere: Record<string, string> = {
  conversation: "'conversation': conversations are not kept here. Go on with previous_response_id, or send what was said in input.",
  prompt: "'prompt': there are no stored prompts here. Name a template as the model (template:<slug>), or send the words in input.",
}

/** @throws {Problem} `bad_request` */
export function readResponseCall(body: unknown, inline: Incoming['inline'], named: { isImageModel: boolean; isTextModel: boolean }): ResponseCall {
  const fields = fieldsOf(body)
  const model = readText(fields, 'model', { max: 200 }) ?? ''
  const stream = readFlag(fields, 'stream')
  const background = readFlag(fields, 'background')
  const store = fields.store === undefined ? true : readFlag(fields, 'store')
  if (background && !store) throw invalid('background', 'A response in the background has to be stored.')
  const instructions = readText(fields, 'instructions', { max: Infinity }) ?? null
  const previousResponseId = readText(fields, 'previous_response_id', { max: 200 }) ?? null
  for (const [name, message] of Object.entries(elsewhere)) if (fields[name] !== undefined) throw invalid(name, message, { openaiCode: 'unsupported_parameter' })
  const warnings = ignoredIn(fields, known)

  const writing = named.isTextModel && !wantsPicture(fields) ? readWriting(fields, warnings) : null
  const tool = writing ? {} : readTool(fields, named, warnings)
  if (!writing) readToolChoice(fields.tool_choice)
  const partials = readWhole(tool, 'partial_images', { min: 0, max: 3 }) ?? 0

  const conversation = new Conversation()
  if (instructions !== null) conversation.instruct(instructions)
  if (previousResponseId !== null) conversation.made({ param: 'previous_response_id', callId: previousResponseId })
  readItems(readRequired(fields.input, 'input'), conversation, inline, warnings)

  return {
    conversation, tool, stream, warnings, writing,
    action: readChoice(tool, 'action', ['generate', 'edit', 'auto']) ?? 'auto',
    mask: tool.input_image_mask === undefined ? null : { param: 'tools[0].input_image_mask', role: 'mask', source: readReference(tool.input_image_mask, 'tools[0].input_image_mask', inline) },
    partials: stream ? partials : 0,
    wire: {
      kind: 'response', model, store, background, previousResponseId, metadata: readMetadata(fields.metadata),
      instructions: instructions !== null && instructions.length > instructionsKept ? `${instructions.slice(0, instructionsKept).toWellFormed()}…` : instructions,
      tool: Object.fromEntries(Object.entries(tool).filter(([name, value]) => name !== 'input_image_mask' && (typeof value !== 'object') && !(typeof value === 'string' && value.length > 200))) as Record<string, Json>,
      toolChoice: typeof fields.tool_choice === 'string' ? fields.tool_choice : fields.tool_choice === undefined ? 'auto' : { type: 'image_generation' },
    },
  }
}

const wantsPicture = ({ tools }: Fields): boolean => Array.isArray(tools) && tools.some(one => typeof one === 'object' && one !== null && (one as Fields).type === 'image_generation')

/** @throws {Problem} `bad_request` */
function readWriting(fields: Fields, warnings: string[]): NonNullable<ResponseCall['writing']> {
  const { tool_choice: choice, tools } = fields
  if (choice !== undefined && choice !== 'auto' && choice !== 'none') throw invalid('tool_choice', "'tool_choice' must be auto or none: a model that writes calls no tools here.")
  if (tools !== undefined && !Array.isArray(tools)) throw invalid('tools', "'tools' must be a list of tools.")
  if (Array.isArray(tools) && tools.length > 0) warnings.push('Tools are never called here.')
  warnings.push(...withoutEffect(fields))
  const format = fields.text === undefined ? undefined : fieldsOf(fields.text, 'text').format
  if (format !== undefined && fieldsOf(format, 'text.format').type !== 'text') throw invalid('text.format', "'text.format' must be {\"type\": \"text\"}: models answer with plain text here.", { openaiCode: 'unsupported_parameter' })
  return {
    maxTokens: readWhole(fields, 'max_output_tokens', { min: 1, max: 10_000_000 }), temperature: readTemperature(fields),
    effort: fields.reasoning === undefined ? undefined : readText(fieldsOf(fields.reasoning, 'reasoning'), 'effort', { max: 20 }),
  }
}

/** The image tool. A model that makes pictures by itself needs none. */
function readTool(fields: Fields, { isImageModel }: { isImageModel: boolean }, warnings: string[]): Fields {
  const tools = fields.tools ?? []
  if (!Array.isArray(tools) || tools.length > 200) throw invalid('tools', "'tools' must be a list of tools.")
  const all = tools.map((one, index) => fieldsOf(one, `tools[${index}]`))
  const tool = all.find(one => one.type === 'image_generation')
  if (!tool && !isImageModel) throw invalid('tools', 'This server makes pictures: send the tool {"type": "image_generation"}.')
  if (all.length > (tool ? 1 : 0)) warnings.push('Tools other than image_generation are never called here.')
  return tool ?? { type: 'image_generation' }
}

function readToolChoice(choice: unknown): void {
  if (choice === undefined || choice === 'auto' || choice === 'required') return
  if (typeof choice === 'object' && choice !== null && (choice as Fields).type === 'image_generation') return
  if (typeof choice === 'object' && choice !== null && (choice as Fields).type === 'allowed_tools') return
  throw invalid('tool_choice', "'tool_choice' must be auto, required or {\"type\": \"image_generation\"}: there is no other tool here, and no model that answers without one.")
}

function readMetadata(value: unknown): Record<string, string> {
  if (value === undefined) return {}
  const metadata = fieldsOf(value, 'metadata')
  for (const [key, text] of Object.entries(metadata)) if (typeof text !== 'string') throw invalid('metadata', `'metadata.${key.slice(0, 64)}' must be a string.`)
  return metadata as Record<string, string>
}

function readItems(input: unknown, conversation: Conversation, inline: Incoming['inline'], warnings: string[]): void {
  if (typeof input === 'string') return conversation.say(input)
  if (!Array.isArray(input)) throw invalid('input', "'input' must be a string or a list of items.")
  for (const [index, one] of input.entries()) {
    const param = `input[${index}]`
    const item = fieldsOf(one, param)
    switch (item.type ?? 'message') {
      case 'message': readMessage(item, param, conversation, inline); break
      case 'image_generation_call': {
        const id = readText(item, 'id', { max: 200 })
        // A whole item brings its picture along; an id alone is one of ours.
        if (typeof item.result === 'string' && item.result !== '') conversation.made({ param: `${param}.result`, role: 'reference', source: inline(item.result)?.upload ?? { base64: item.result } })
        else conversation.made({ param: `${param}.id`, callId: readRequired(id, `${param}.id`) })
        break
      }
      case 'item_reference': {
        const id = readRequired(readText(item, 'id', { max: 200 }), `${param}.id`)
        if (id.startsWith('ig_')) conversation.made({ param: `${param}.id`, callId: id })
        break
      }
      case 'reasoning': break
      default: warnings.push(`${param}: an item of type ${String(item.type).slice(0, 60)} has no effect here.`)
    }
  }
  const last: unknown = input.at(-1)
  if (!conversation.hasWords && typeof last === 'object' && last !== null && ['image_generation_call', 'item_reference'].includes(String((last as Fields).type))) conversation.turnRound()
}

function readMessage({ role, content }: Fields, param: string, conversation: Conversation, inline: Incoming['inline']): void {
  const say = (text: string) => {
    if (role === 'system' || role === 'developer') conversation.instruct(text)
    else if (role === 'user') conversation.say(text)
    else if (role === 'assistant') conversation.answer(text)
    else throw invalid(`${param}.role`, `'${param}.role' must be user, assistant, system or developer.`)
  }
  if (typeof content === 'string') return say(content)
  if (!Array.isArray(content)) throw invalid(`${param}.content`, `'${param}.content' must be a string or a list of parts.`)
  for (const [index, one] of content.entries()) {
    const place = `${param}.content[${index}]`
    const part = fieldsOf(one, place)
    switch (part.type) {
      case 'input_text': case 'output_text': case 'text':
        if (typeof part.text !== 'string') throw invalid(`${place}.text`, `'${place}.text' must be a string.`)
        say(part.text)
        break
      case 'input_image': {
        const source = part.image_url === undefined ? readFileId(part.file_id, `${place}.file_id`) : readLink(part.image_url, `${place}.image_url`, inline)
        conversation.show({ param: place, role: 'reference', source })
        break
      }
      case 'refusal': break
      case 'input_file':
        conversation.show({ param: place, role: 'reference', source: readInputFile(part, place, inline) })
        break
      default: throw invalid(`${place}.type`, `'${place}.type' must be input_text, input_image or input_file.`)
    }
  }
}

/** A picture that comes as a file: by its id, its link, or in base64. @throws {Problem} `bad_request`, `not_found` */
function readInputFile({ file_id: fileId, file_url: link, file_data: data }: Fields, place: string, inline: Incoming['inline']): Picture['source'] {
  if ([fileId, link, data].filter(one => one !== undefined).length !== 1) throw invalid(place, `'${place}' must have exactly one of file_id, file_url and file_data.`)
  if (fileId !== undefined) return readFileId(fileId, `${place}.file_id`)
  if (link !== undefined) return readLink(link, `${place}.file_url`, inline)
  if (typeof data !== 'string') throw invalid(`${place}.file_data`, `'${place}.file_data' must be a string: a data URL, or base64.`, { openaiCode: 'invalid_type' })
  return inline(data)?.upload ?? (/^data:/i.test(data) ? { dataUrl: data } : { base64: data })
}
