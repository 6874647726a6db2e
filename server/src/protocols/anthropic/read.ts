/**
 * Reads the body of `POST /v1/messages` (and of `count_tokens`). Pure.
 *
 * As upstream: what it does not know is refused, with the path of the field (`messages.0.content.1.source`). What only a language
 * model could honour (temperature, thinking, tools it may leave alone) is named as a warning; what an answer would have to obey
 * (a forced tool, a JSON schema) is refused.
 */
import { Problem, type ProblemDetails } from '../../domain/problem.ts'
import { isId } from '../../kit/id.ts'
import type { InlineUpload, Upload } from '../contract.ts'
import { guessTextTokens, pictureInTokens } from '../toolkit/tokens.ts'

/** A picture of the conversation and where it stands in it. */
export type Picture = { field: string } & ({ assetId: string } | { upload: Upload })

export interface Turn { role: 'user' | 'assistant'; text: string }

export interface ToolUse { id: string; name: string }

export interface Draft {
  model: string
  stream: boolean
  system: string
  /** The last turn's words, and everything said before it. */
  prompt: string
  earlier: Turn[]
  /** Pictures of the last turn, then those of its tool results. */
  pictures: Picture[]
  /** The newest picture an assistant's turn holds; where it holds none, addresses its text shows as pictures. */
  latest: { picture: Picture } | { links: { field: string; url: string }[] } | null
  image: { options: Record<string, unknown>; field: string } | null
  metadata: Record<string, string>
  /** Names of the tools the client offers, and which of the calls made so far are answered in the last turn. */
  tools: string[]
  answered: ToolUse[]
  /** Does the client insist on a tool being called? */
  forced: boolean
  /** Of everything that was said and shown, for counting tokens. */
  size: { text: string[]; pictures: number }
  /** Settings of an answer in words; `wordsOnly` names those of them that only a language model has a use for. */
  maxTokens: number | null
  temperature: number | null
  wordsOnly: string[]
}

export interface Reading {
  /** What a long string of the body stands for; null for text that is what it says. */
  inline(text: string): InlineUpload | null
  /** `count_tokens` needs no `max_tokens`. */
  counts?: boolean
}

const no = (field: string, sentence: string, details: ProblemDetails = {}) => new Problem('bad_request', `${field}: ${sentence}`, { field, ...details })

type Fields = Record<string, unknown>
const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)
const has = (fields: Fields, name: string): boolean => fields[name] !== undefined && fields[name] !== null

/** Fields that change nothing here and promise nothing; `max_tokens` is an end only for words. */
const silent = new Set(['max_tokens', 'service_tier', 'cache_control', 'inference_geo', 'diagnostics', 'speed', 'user_profile_id', 'workspace_id', 'container', 'betas', 'anthropic_beta'])
/** Fields that would change an answer in words. */
const wordsOnly = new Set(['temperature', 'top_p', 'top_k', 'stop_sequences', 'thinking', 'context_management', 'mcp_servers'])
const read = new Set(['model', 'messages', 'system', 'stream', 'metadata', 'image', 'tools', 'tool_choice', 'output_config', 'output_format'])

const shapes: Record<string, [is: (value: unknown) => boolean, what: string]> = {
  stream: [value => typeof value === 'boolean', 'true or false'],
  temperature: [value => typeof value === 'number', 'a number'],
  top_p: [value => typeof value === 'number', 'a number'],
  top_k: [Number.isInteger, 'a whole number'],
  stop_sequences: [value => Array.isArray(value) && value.every(one => typeof one === 'string'), 'a list of texts'],
  thinking: [isObject, 'an object'],
  tools: [Array.isArray, 'a list'],
  tool_choice: [isObject, 'an object'],
  output_config: [isObject, 'an object'],
  metadata: [isObject, 'an object'],
  image: [isObject, 'an object'],
}

/** @throws {Problem} `bad_request`, `unsupported_parameter` */
export function readMessages(body: unknown, { inline, counts = false }: Reading): Draft {
  if (!isObject(body)) throw new Problem('bad_request', 'The body must be a JSON object with model, max_tokens and messages.')
  for (const name of Object.keys(body)) {
    if (!read.has(name) && !silent.has(name) && !wordsOnly.has(name)) throw no(name.slice(0, 100), 'Extra inputs are not permitted.', { allowed: [...read, ...silent, ...wordsOnly] })
  }
  for (const [name, [is, what]] of Object.entries(shapes)) if (has(body, name) && !is(body[name])) throw no(name, `must be ${what}.`)
  if (typeof body.model !== 'string' || body.model === '') throw no('model', has(body, 'model') ? 'must be the name of a model.' : 'Field required.')
  if (body.model.length > 200) throw no('model', 'may have at most 200 characters.')
  if (!counts) {
    if (!has(body, 'max_tokens')) throw no('max_tokens', 'Field required.')
    if (!Number.isInteger(body.max_tokens) || (body.max_tokens as number) < 1) throw no('max_tokens', 'must be a whole number of at least 1.', { value: body.max_tokens })
  }

  const conversation = new Conversation(inline)
  const system = has(body, 'system') ? readSystem(body.system, conversation) : ''
  conversation.read(body.messages)
  const tools = readTools(body, conversation)
  return {
    model: body.model,
    stream: body.stream === true,
    system,
    ...conversation.done(),
    tools,
    forced: isObject(body.tool_choice) && (body.tool_choice.type === 'any' || body.tool_choice.type === 'tool'),
    ...readMetadata(body),
    maxTokens: Number.isInteger(body.max_tokens) ? body.max_tokens as number : null,
    temperature: typeof body.temperature === 'number' ? body.temperature : null,
    wordsOnly: [...wordsOnly].filter(name => has(body, name)),
  }
}

function readSystem(system: unknown, conversation: Conversation): string {
  if (typeof system === 'string') return conversation.say(system, 'system')
  if (!Array.isArray(system)) throw no('system', 'must be text or a list of text blocks.')
  return join(system.map((block, index) => {
    if (!isObject(block) || block.type !== 'text') throw no(`system.${index}`, 'must be a text block.')
    return conversation.say(block.text, `system.${index}.text`)
  }))
}

/** @throws {Problem} `unsupported_parameter` where the client leaves no choice but words */
function readTools(body: Fields, { size }: Conversation): string[] {
  const tools = (Array.isArray(body.tools) ? body.tools : []).map((tool: unknown, index) => {
    if (!isObject(tool) || typeof tool.name !== 'string') throw no(`tools.${index}.name`, 'Field required.')
    return tool.name
  })
  if (tools.length > 0) size.text.push(JSON.stringify(body.tools))
  const format = isObject(body.output_config) ? body.output_config.format : body.output_format
  if (format !== undefined && format !== null) throw new Problem('unsupported_parameter', 'output_config.format: models cannot answer in a schema here. Leave it out.', { field: 'output_config.format' })
  if (isObject(body.tool_choice)) {
    const { type, name } = body.tool_choice
    if (type !== 'auto' && type !== 'any' && type !== 'tool' && type !== 'none') throw no('tool_choice.type', 'must be auto, any, tool or none.', { allowed: ['auto', 'any', 'tool', 'none'] })
    if (type === 'tool' && typeof name !== 'string') throw no('tool_choice.name', 'Field required.')
  }
  return tools
}

function readMetadata({ metadata, image }: Fields): Pick<Draft, 'metadata' | 'image'> {
  if (!isObject(metadata)) return { metadata: {}, image: isObject(image) ? { options: image, field: 'image' } : null }
  for (const name of Object.keys(metadata)) if (name !== 'user_id' && name !== 'image') throw no(`metadata.${name.slice(0, 100)}`, 'Extra inputs are not permitted.', { allowed: ['user_id', 'image'] })
  const { user_id: userId, image: nested } = metadata
  if (has(metadata, 'user_id') && (typeof userId !== 'string' || userId.length > 512)) throw no('metadata.user_id', 'must be text of at most 512 characters.')
  if (has(metadata, 'image') && !isObject(nested)) throw no('metadata.image', 'must be an object.')
  if (isObject(nested) && isObject(image)) throw no('image', 'stands beside metadata.image. Send one of them.')
  const options = isObject(image) ? { options: image, field: 'image' } : isObject(nested) ? { options: nested, field: 'metadata.image' } : null
  return { metadata: typeof userId === 'string' ? { user_id: userId } : {}, image: options }
}

const join = (texts: string[]): string => texts.filter(text => text.trim() !== '').join('\n')

const imageTypes = ['image/jpeg', 'image/png', 'image/gif', 'image/webp']

/** Blocks of an assistant's turn that carry nothing a picture could be made of. */
const unsaid = new Set(['thinking', 'redacted_thinking', 'server_tool_use', 'web_search_tool_result', 'web_fetch_tool_result', 'code_execution_tool_result',
  'bash_code_execution_tool_result', 'text_editor_code_execution_tool_result', 'tool_search_tool_result', 'container_upload', 'fallback'])

/** Everything one turn says. */
interface Said { role: Turn['role']; texts: string[]; results: string[]; pictures: Picture[]; resultPictures: Picture[]; uses: ToolUse[]; answers: string[]; links: { field: string; url: string }[] }

/** Goes through the turns once and remembers what they say. */
class Conversation {
  readonly size: Draft['size'] = { text: [], pictures: 0 }
  readonly #inline: Reading['inline']
  readonly #turns: Said[] = []

  constructor(inline: Reading['inline']) { this.#inline = inline }

  say(text: unknown, field: string): string {
    if (typeof text !== 'string') throw no(field, 'must be text.')
    if (this.#inline(text) !== null) throw no(field, 'is base64, not text. Send pictures as image blocks.')
    this.size.text.push(text)
    return text
  }

  read(messages: unknown): void {
    if (!Array.isArray(messages)) throw no('messages', messages === undefined || messages === null ? 'Field required.' : 'must be a list.')
    if (messages.length === 0) throw no('messages', 'at least one message is required.')
    if (messages.length > 100_000) throw no('messages', 'may have at most 100000 items.')
    for (const [index, message] of messages.entries()) this.#turns.push(this.#readTurn(message, `messages.${index}`))
    if (this.#turns[0]!.role !== 'user') throw no('messages.0.role', 'the first turn must be the user\'s.')
    if (this.#turns.at(-1)!.role !== 'user') throw no(`messages.${messages.length - 1}.role`, 'the last turn must be the user\'s; a picture cannot be begun for the model.')
  }

  done(): Pick<Draft, 'prompt' | 'earlier' | 'pictures' | 'latest' | 'answered' | 'size'> {
    const last = this.#turns.at(-1)!
    const before = this.#turns.slice(0, -1)
    const answers = new Set(last.answers)
    return {
      prompt: join(last.texts) || join(last.results),
      earlier: before.map(({ role, texts, results }) => ({ role, text: join([...texts, ...results]) })).filter(({ text }) => text !== ''),
      pictures: [...last.pictures, ...last.resultPictures],
      latest: latestOf(before),
      answered: before.flatMap(turn => turn.uses).filter(({ id }) => answers.has(id)),
      size: this.size,
    }
  }

  #readTurn(message: unknown, field: string): Said {
    if (!isObject(message)) throw no(field, 'must be an object with role and content.')
    const { role, content } = message
    if (role !== 'user' && role !== 'assistant') throw no(`${field}.role`, 'must be user or assistant.', { allowed: ['user', 'assistant'] })
    for (const name of Object.keys(message)) if (name !== 'role' && name !== 'content') throw no(`${field}.${name.slice(0, 100)}`, 'Extra inputs are not permitted.')
    const said: Said = { role, texts: [], results: [], pictures: [], resultPictures: [], uses: [], answers: [], links: [] }
    if (typeof content === 'string') this.#readText(content, `${field}.content`, said)
    else if (Array.isArray(content)) for (const [index, block] of content.entries()) this.#readBlock(block, `${field}.content.${index}`, said)
    else throw no(`${field}.content`, content === undefined ? 'Field required.' : 'must be text or a list of blocks.')
    return said
  }

  #readText(text: unknown, field: string, said: Said): void {
    const words = this.say(text, field)
    said.texts.push(words)
    if (said.role === 'assistant') for (const [, url] of words.matchAll(shown)) said.links.push({ field, url: url! })
  }

  #readBlock(block: unknown, field: string, said: Said): void {
    if (!isObject(block)) throw no(field, 'must be a block, an object with a type.')
    switch (block.type) {
      case 'text': return this.#readText(block.text, `${field}.text`, said)
      case 'image': said.pictures.push(this.#readImage(block, field)); return
      case 'tool_use':
        if (said.role !== 'assistant') throw no(field, 'a tool_use block belongs to an assistant\'s turn.')
        if (typeof block.id !== 'string' || typeof block.name !== 'string') throw no(`${field}.id`, 'a tool_use block has an id and a name.')
        said.uses.push({ id: block.id, name: block.name })
        return
      case 'tool_result':
        if (said.role !== 'user') throw no(field, 'a tool_result block belongs to a user\'s turn.')
        if (typeof block.tool_use_id !== 'string') throw no(`${field}.tool_use_id`, 'Field required.')
        said.answers.push(block.tool_use_id)
        return this.#readResult(block.content, `${field}.content`, said)
      default:
        if (said.role === 'assistant' && typeof block.type === 'string' && unsaid.has(block.type)) return
        throw new Problem('unsupported_parameter', `${field}.type: blocks here are text, image and tool_result${typeof block.type === 'string' ? `, not ${block.type.slice(0, 40)}` : ''}.`, { field: `${field}.type`, allowed: ['text', 'image', 'tool_result'] })
    }
  }

  #readResult(content: unknown, field: string, said: Said): void {
    if (content === undefined || content === null) return
    if (typeof content === 'string') { said.results.push(this.say(content, field)); return }
    if (!Array.isArray(content)) throw no(field, 'must be text or a list of blocks.')
    for (const [index, block] of content.entries()) {
      const place = `${field}.${index}`
      if (!isObject(block)) throw no(place, 'must be a block, an object with a type.')
      if (block.type === 'text') said.results.push(this.say(block.text, `${place}.text`))
      else if (block.type === 'image') said.resultPictures.push(this.#readImage(block, place))
      else if (block.type !== 'search_result' && block.type !== 'tool_reference') throw new Problem('unsupported_parameter', `${place}.type: a tool result here holds text and image blocks.`, { field: `${place}.type`, allowed: ['text', 'image'] })
    }
  }

  #readImage({ source }: Fields, field: string): Picture {
    this.size.pictures++
    const place = `${field}.source`
    if (!isObject(source)) throw no(place, 'Field required.')
    switch (source.type) {
      case 'base64': {
        const { media_type: type, data } = source
        if (typeof type !== 'string' || !imageTypes.includes(type)) throw no(`${place}.media_type`, `must be one of ${imageTypes.join(', ')}.`, { allowed: imageTypes })
        if (typeof data !== 'string' || data === '') throw no(`${place}.data`, 'must be the base64 of a picture.')
        const long = this.#inline(data)
        return { field: place, upload: long?.upload ?? (data.startsWith('data:') ? { dataUrl: data } : { base64: data }) }
      }
      case 'url': {
        const { url } = source
        if (typeof url !== 'string') throw no(`${place}.url`, 'must be an address.')
        const long = this.#inline(url)
        if (long) return { field: place, upload: long.upload }
        if (url.startsWith('data:')) return { field: place, upload: { dataUrl: url } }
        if (!/^https?:\/\/./i.test(url) || !URL.canParse(url) || url.length > 4_096) throw no(`${place}.url`, 'must be an address that begins with https:// or http://.', { value: url.slice(0, 100) })
        return { field: place, upload: { url } }
      }
      case 'file': {
        const id = typeof source.file_id === 'string' ? source.file_id.replace(/^file_/, '') : ''
        if (!isId(id)) throw no(`${place}.file_id`, 'must be the id of an asset of this server, as uploading one gives it.', { value: String(source.file_id).slice(0, 100) })
        return { field: place, assetId: id.replaceAll('-', '') }
      }
      default: throw no(`${place}.type`, 'must be base64, url or file.', { allowed: ['base64', 'url', 'file'] })
    }
  }
}

/** A picture shown in a text: `![image 1](https://…)`. */
const shown = /!\[[^\]\n]{0,200}\]\((https?:\/\/[^\s)]{1,4096})\)/g

function latestOf(turns: Said[]): Draft['latest'] {
  const turn = turns.findLast(({ role, pictures, links }) => role === 'assistant' && (pictures.length > 0 || links.length > 0))
  if (!turn) return null
  const picture = turn.pictures.at(-1)
  return picture ? { picture } : { links: turn.links }
}

/** A guess, as every count before the fact is one. */
export const countTokens = ({ size }: Pick<Draft, 'size'>): number => Math.max(1, guessTextTokens(...size.text)) + size.pictures * pictureInTokens
