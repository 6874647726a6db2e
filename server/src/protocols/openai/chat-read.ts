/** Bodies of `/v1/chat/completions`: those that want pictures, as gateways made it a habit, and those that want words. Pure. */
import type { Incoming } from '../contract.ts'
import { Conversation } from './conversation.ts'
import { fieldsOf, invalid, readFlag, readRequired, readText, readWhole, type Fields } from './fields.ts'
import { readLink } from './pictures.ts'
import type { Talk } from '../toolkit/talk.ts'

export interface ChatCall {
  model: unknown
  conversation: Conversation
  aspectRatio: string | undefined
  imageSize: string | undefined
  stream: boolean
  includeUsage: boolean
  /** Writes links to the pictures into the words as well, for clients that drop `images`. */
  imagesInContent: boolean
  /** What is left of the body and of `image_config`: settings the model may know. */
  settings: Fields
  /** For a model that writes: how long, how freely, how thoughtfully. */
  wishes: Pick<Talk, 'maxTokens' | 'temperature' | 'effort'>
  warnings: string[]
}

/** Fields that are read here, or mean nothing to a model of pictures and are always sent. */
export const chatNames = [
  'model', 'messages', 'modalities', 'stream', 'stream_options', 'user', 'safety_identifier', 'metadata', 'store', 'temperature', 'top_p', 'max_tokens', 'max_completion_tokens',
  'presence_penalty', 'frequency_penalty', 'images_in_content', 'service_tier', 'parallel_tool_calls', 'tools', 'functions', 'tool_choice', 'response_format', 'logprobs', 'top_logprobs', 'logit_bias', 'stop', 'reasoning_effort', 'verbosity', 'prediction',
]

/** @throws {Problem} `bad_request` */
export function readChatCall(body: unknown, inline: Incoming['inline'], { writes }: { writes: boolean }): ChatCall {
  const sent = fieldsOf(body)
  const { image_config: config, extra_body: extra, generationConfig, generation_config: generationConfig2, ...fields } = sent
  readModalities(fields.modalities, writes)
  const messages = readRequired(fields.messages, 'messages')
  if (!Array.isArray(messages) || messages.length === 0) throw invalid('messages', "'messages' must be a list of at least one message.")
  for (const name of ['tools', 'functions', 'response_format'] as const) {
    if (name in fields && !isNothing(fields[name])) throw invalid(name, writes ? `'${name}': models answer with plain text here and call no tools. Leave it out.` : `'${name}' means nothing to a model of pictures. Leave it out.`, { openaiCode: 'unsupported_parameter' })
  }
  const shape = readConfig(config, 'image_config')
  // Gemini's own words, where a client puts them.
  const extras = extra === undefined ? {} : fieldsOf(extra, 'extra_body')
  const google = [extras.google, extras, { generation_config: generationConfig ?? generationConfig2 }].flatMap(one => one === undefined ? [] : [readGoogle(fieldsOf(one, 'extra_body'))])
  const first = (name: 'aspectRatio' | 'imageSize') => shape[name] ?? google.find(one => one[name] !== undefined)?.[name]

  const conversation = new Conversation()
  const warnings: string[] = []
  for (const [index, one] of messages.entries()) readMessage(fieldsOf(one, `messages[${index}]`), `messages[${index}]`, conversation, inline)
  if (!conversation.hasWords) throw invalid('messages', "'messages' say nothing to make or change.")
  const { aspect_ratio: _ratio, image_size: _size, ...rest } = config === undefined ? {} : fieldsOf(config, 'image_config')
  return {
    model: fields.model, conversation, aspectRatio: first('aspectRatio'), imageSize: first('imageSize'), warnings,
    stream: readFlag(fields, 'stream'),
    includeUsage: fields.stream_options !== undefined && readFlag(fieldsOf(fields.stream_options, 'stream_options'), 'include_usage'),
    imagesInContent: readFlag(fields, 'images_in_content'),
    settings: { ...fields, ...rest }, wishes: writes ? readWishes(fields) : {},
  }
}

/** What some clients always send: no tools, and text as the form of the words. */
const isNothing = (value: unknown): boolean => Array.isArray(value) ? value.length === 0 : typeof value === 'object' && value !== null && (value as Fields).type === 'text'

const tokensMax = 10_000_000

const idle = ['top_p', 'presence_penalty', 'frequency_penalty', 'stop', 'logprobs', 'top_logprobs', 'logit_bias', 'verbosity', 'prediction']
/** What would change a text at OpenAI's own servers and does not here, said openly. */
export function withoutEffect(fields: Fields): string[] {
  const sent = idle.filter(name => name in fields)
  return sent.length > 0 ? [`Without effect here: ${sent.join(', ')}.`] : []
}

/** @throws {Problem} `bad_request` */
export function readTemperature({ temperature }: Fields): number | undefined {
  if (temperature !== undefined && !(typeof temperature === 'number' && temperature >= 0 && temperature <= 2)) throw invalid('temperature', "'temperature' must be a number from 0 to 2.", { openaiCode: 'invalid_type' })
  return temperature
}

const readWishes = (fields: Fields): ChatCall['wishes'] => ({
  maxTokens: readWhole(fields, 'max_completion_tokens', { min: 1, max: tokensMax }) ?? readWhole(fields, 'max_tokens', { min: 1, max: tokensMax }),
  temperature: readTemperature(fields),
  effort: readText(fields, 'reasoning_effort', { max: 20 }),
})

function readModalities(value: unknown, writes: boolean): void {
  if (value === undefined) return
  if (!Array.isArray(value) || value.some(one => typeof one !== 'string')) throw invalid('modalities', "'modalities' must be a list of words.")
  if (writes) {
    if (value.some(one => one !== 'text')) throw invalid('modalities', "This model answers with text: send \"modalities\": [\"text\"], or leave it out.")
    return
  }
  if (value.includes('audio') || !value.includes('image')) throw invalid('modalities', "This server answers with pictures: send \"modalities\": [\"image\", \"text\"].")
}

const readConfig = (value: unknown, param: string): { aspectRatio: string | undefined; imageSize: string | undefined } => {
  if (value === undefined) return { aspectRatio: undefined, imageSize: undefined }
  const config = fieldsOf(value, param)
  const read = (snake: string, camel: string) => readText(config, snake, { max: 20 }) ?? readText(config, camel, { max: 20 })
  return { aspectRatio: read('aspect_ratio', 'aspectRatio'), imageSize: read('image_size', 'imageSize') }
}

/** `generationConfig.imageConfig`, `imageConfig`, in either spelling. */
function readGoogle(fields: Fields) {
  const generation = fields.generationConfig ?? fields.generation_config
  const inner = generation === undefined ? fields : fieldsOf(generation, 'extra_body.generation_config')
  return readConfig(inner.imageConfig ?? inner.image_config, 'extra_body.image_config')
}

function readMessage({ role, content, images }: Fields, param: string, conversation: Conversation, inline: Incoming['inline']): void {
  if (typeof role !== 'string' || !['system', 'developer', 'user', 'assistant', 'tool'].includes(role)) throw invalid(`${param}.role`, `'${param}.role' must be system, developer, user or assistant.`)
  const say = (text: string) => { if (role === 'user') conversation.say(text); else if (role === 'system' || role === 'developer') conversation.instruct(text); else if (role === 'assistant') conversation.answer(text) }
  const show = (value: unknown, place: string) => {
    const link = typeof value === 'string' ? value : fieldsOf(value, place).url
    const picture = { param: place, role: 'reference' as const, source: readLink(link, `${place}.url`, inline) }
    if (role === 'assistant') conversation.made(picture)
    else conversation.show(picture)
  }
  if (typeof content === 'string') say(content)
  else if (Array.isArray(content)) {
    for (const [index, one] of content.entries()) {
      const place = `${param}.content[${index}]`
      const part = fieldsOf(one, place)
      if (part.type === 'text') say(readRequired(readText(part, 'text', { max: Infinity }), `${place}.text`))
      else if (part.type === 'image_url') show(part.image_url, `${place}.image_url`)
      else if (part.type !== 'refusal') throw invalid(`${place}.type`, `'${place}.type' must be text or image_url.`)
    }
  } else if (content !== undefined) throw invalid(`${param}.content`, `'${param}.content' must be a string or a list of parts.`)
  // Pictures of an earlier answer, sent back as they came.
  if (images !== undefined) {
    if (!Array.isArray(images)) throw invalid(`${param}.images`, `'${param}.images' must be a list.`)
    for (const [index, one] of images.entries()) show(fieldsOf(one, `${param}.images[${index}]`).image_url, `${param}.images[${index}].image_url`)
  }
}
