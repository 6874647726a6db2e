/** The Interactions API on the wire: what newer clients use for pictures and films. Names are in snake_case both ways. Pure. */
import type { Asset } from '../../domain/asset.ts'
import type { Json } from '../../domain/outcome.ts'
import { hasEnded, type Task } from '../../domain/task.ts'
import { flatten, readUri, type Picture, type Turn } from './contents.ts'
import { cannot, check, flag, isObject, join, list, no, oneOf, readFields, shown, text, whole, type Fields, type Kind } from './fields.ts'
import { keepable, readLabels, wantSearch, type Context, type GeminiWire, type Read } from './generate.ts'
import { readInteractionImage, readInteractionVideo, type PictureSettings } from './picture-settings.ts'
import { writeInteractionError } from './refusal.ts'
import { assetIn, isOurs, signAsset } from './signature.ts'
import { writeInteractionUsage } from './usage.ts'
import { readWebhook } from './veo.ts'

export interface ReadInteraction extends Read {
  background: boolean
  stream: boolean
  previous: string | null
}

const bodyFields = ['model', 'agent', 'agentConfig', 'input', 'responseFormat', 'responseModalities', 'responseMimeType', 'generationConfig', 'tools', 'systemInstruction',
  'previousInteractionId', 'background', 'store', 'stream', 'labels', 'serviceTier', 'safetySettings', 'webhookConfig', 'cachedContent', 'continuationToken', 'environment', 'id', 'baseEnvironment']
const withoutEffect: Record<string, Kind> = { maxOutputTokens: 'whole', stopSequences: 'texts', temperature: 'number', topP: 'number', thinkingLevel: 'text', thinkingSummaries: 'text', toolChoice: 'any', videoConfig: 'any' }

/** The model's name, which is needed before the rest can be read. @throws {Problem} `bad_request` */
export function readModelName(body: unknown): string {
  const { model, agent } = readFields(body, '', bodyFields)
  if (agent !== undefined) throw cannot('agent', 'agent: there are no agents here. Name a model.')
  if (model === undefined) throw no('model', 'model is missing. Name a model that makes pictures or films.')
  return text(model, 'model')
}

/** @throws {Problem} `bad_request`, `unsupported_parameter` */
export function readInteraction(body: unknown, { model, card, livemode }: Context): ReadInteraction {
  const fields = readFields(body, '', bodyFields)
  for (const name of ['agentConfig', 'environment', 'baseEnvironment', 'cachedContent', 'continuationToken']) {
    if (fields[name] !== undefined && fields[name] !== '') throw cannot(name, `${snake(name)}: this house makes pictures and films in one call. Leave it out.`)
  }
  const isFilm = card.output.kind === 'video'
  const foreign: string[] = []
  const turns = readInput(fields.input, foreign)
  if (turns.at(-1)?.role !== 'user') throw no('input', turns.length === 0 ? 'input is missing. Say what to make.' : 'input must end with what the user says.')
  const system = fields.systemInstruction === undefined ? [] : [text(fields.systemInstruction, 'system_instruction')]
  const { prompt, pictures, warnings } = flatten(turns, system)

  const config = fields.generationConfig === undefined ? {} : readFields(fields.generationConfig, 'generation_config', [...Object.keys(withoutEffect), 'seed', 'imageConfig', 'speechConfig', 'transcriptionConfig'])
  for (const name of ['speechConfig', 'transcriptionConfig']) if (config[name] !== undefined) throw cannot(`generation_config.${snake(name)}`, `generation_config.${snake(name)}: this model makes pictures and films. Leave it out.`)
  const idle = Object.entries(withoutEffect).filter(([name]) => config[name] !== undefined)
  for (const [name, kind] of idle) check(config[name], `generation_config.${snake(name)}`, kind)
  if (idle.length > 0) warnings.push(`Without effect here: ${idle.map(([name]) => snake(name)).join(', ')}.`)

  const names: Record<string, string> = { prompt: 'input', callback_url: 'webhook_config.uris[0]' }
  const parameters: Record<string, Json> = {}
  const older = config.imageConfig === undefined ? null : readInteractionImage(readFields(config.imageConfig, 'generation_config.image_config', ['aspectRatio', 'imageSize']), 'generation_config.image_config')
  const { settings: newer, text: formatsText } = readFormats(fields.responseFormat, isFilm)
  for (const settings of [older, newer]) {
    Object.assign(parameters, settings?.parameters)
    Object.assign(names, settings?.names)
  }
  if (config.seed !== undefined) {
    parameters.seed = whole(config.seed, 'generation_config.seed')
    names['parameters.seed'] = 'generation_config.seed'
  }
  const modalitiesText = readModalities(fields.responseModalities, isFilm)
  readTools(fields.tools, { card, livemode, parameters, warnings, names })
  if (fields.safetySettings !== undefined && list(fields.safetySettings, 'safety_settings').length > 0) warnings.push('safety_settings has no effect here: whoever makes the picture has rules of their own.')
  for (const name of ['serviceTier', 'responseMimeType']) if (fields[name] !== undefined) text(fields[name], snake(name))

  const bool = (name: string, fallback: boolean) => fields[name] === undefined ? fallback : flag(fields[name], name)
  const background = bool('background', false)
  const store = bool('store', true)
  if (background && !store) throw no('store', 'background needs store: what is made later has to be kept until you ask for it.')
  const previous = fields.previousInteractionId === undefined ? null : text(fields.previousInteractionId, 'previous_interaction_id')
  const callbackUrl = readWebhook(fields.webhookConfig, 'webhook_config')
  const wire: GeminiWire = {
    method: 'interactions', model, text: formatsText && modalitiesText, delivery: newer?.delivery ?? (isFilm ? 'uri' : 'inline'), store,
    ...(foreign.length > 0 ? { signatures: keepable(foreign, warnings) } : {}),
    ...(previous === null ? {} : { previous }),
  }
  return {
    order: {
      model, prompt, parameters, ...readLabels(fields.labels, 'labels'),
      ...(callbackUrl === null ? {} : { callbackUrl }),
      ...(warnings.length > 0 ? { warnings } : {}),
      wire: { protocol: 'gemini', body: { ...wire } },
    },
    wire, pictures: isFilm ? asFrames(pictures) : pictures, names, thoughts: false, background, stream: bool('stream', false), previous,
  }
}

/** Of a film the first picture is where it begins. */
export const asFrames = (pictures: Picture[]): Picture[] => pictures.map((picture, index) => index === 0 && picture.role === 'reference' ? { ...picture, role: 'first_frame' as const } : picture)

const snake = (name: string): string => name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)

// Input ---------------------------------------------------------------------------------------------------------------

/** Words, contents, or the steps of a conversation. */
function readInput(value: unknown, foreign: string[]): Turn[] {
  if (value === undefined) return []
  if (typeof value === 'string') return [{ role: 'user', words: [value], pictures: [] }]
  const items = isObject(value) ? [value] : list(value, 'input')
  const isSteps = items.some(item => isObject(item) && ['user_input', 'model_output', 'thought'].includes(String(item.type)))
  if (!isSteps) return items.length === 0 ? [] : [readContent(items, 'input', 'user')]
  const turns: Turn[] = []
  let signature: string | null = null
  for (const [index, item] of items.entries()) {
    const place = `input[${index}]`
    const step = readFields(item, place, ['type', 'content', 'signature', 'summary', 'error', 'id'])
    const type = oneOf(step.type, `${place}.type`, ['user_input', 'model_output', 'thought'])
    if (type === 'thought') {
      if (step.signature === undefined) continue
      signature = text(step.signature, `${place}.signature`)
      if (!isOurs(signature)) foreign.push(signature)
      continue
    }
    const content = step.content === undefined ? [] : typeof step.content === 'string' ? [{ type: 'text', text: step.content }] : isObject(step.content) ? [step.content] : list(step.content, `${place}.content`)
    const turn = readContent(content, `${place}.content`, type === 'user_input' ? 'user' : 'model')
    // The signature of a thought is that of the picture that followed it.
    const signed = type === 'model_output' && signature !== null ? assetIn(signature) : null
    const first = turn.pictures[0]
    if (signed !== null && first) turn.pictures[0] = { ...first, signed }
    signature = null
    turns.push(turn)
  }
  return turns
}

function readContent(items: unknown[], place: string, role: Turn['role']): Turn {
  const turn: Turn = { role, words: [], pictures: [] }
  for (const [index, item] of items.entries()) {
    const here = `${place}[${index}]`
    const content = readFields(typeof item === 'string' ? { type: 'text', text: item } : item, here, ['type', 'text', 'annotations', 'data', 'uri', 'mimeType', 'resolution', 'name', 'processing'])
    const type = oneOf(content.type, `${here}.type`, ['text', 'image', 'video', 'audio', 'document'])
    switch (type) {
      case 'text': turn.words.push(content.text === undefined ? '' : text(content.text, `${here}.text`)); break
      case 'image': case 'video': turn.pictures.push(readMedia(content, here, type)); break
      default: throw cannot(here, `${here}: this model takes text and pictures, not ${type}.`)
    }
  }
  return turn
}

function readMedia({ data, uri, mimeType }: Fields, place: string, type: 'image' | 'video'): Picture {
  const role = type === 'video' ? 'video' : 'reference'
  if (mimeType !== undefined) text(mimeType, join(place, 'mime_type'))
  if (data !== undefined && text(data, join(place, 'data')) !== '') return { field: place, role, source: { data: data as string } }
  if (uri === undefined) throw no(place, `${place} must have data (base64) or uri.`)
  return { field: place, role, source: { uri: readUri(uri, join(place, 'uri')) } }
}

// Settings ------------------------------------------------------------------------------------------------------------

function readFormats(value: unknown, isFilm: boolean): { settings: PictureSettings | null; text: boolean } {
  if (value === undefined) return { settings: null, text: true }
  const isList = Array.isArray(value)
  let settings: PictureSettings | null = null
  let words = false
  for (const [index, one] of (isList ? value as unknown[] : [value]).entries()) {
    const place = isList ? `response_format[${index}]` : 'response_format'
    const fields = readFields(one, place, ['type', 'aspectRatio', 'imageSize', 'mimeType', 'delivery', 'resolution', 'duration', 'gcsUri', 'schema'])
    const type = oneOf(fields.type, `${place}.type`, ['text', 'image', 'video', 'audio'])
    if (type === 'audio' || type === (isFilm ? 'image' : 'video')) throw cannot(`${place}.type`, `${place}.type: this model makes ${isFilm ? 'films' : 'pictures'}, not ${type}.`, { allowed: [isFilm ? 'video' : 'image', 'text'] })
    if (type === 'text') {
      if (fields.schema !== undefined) throw cannot(`${place}.schema`, `${place}.schema: models that make pictures give no structured output. Leave it out.`)
      words = true
    } else settings = type === 'image' ? readInteractionImage(only(fields, place, ['aspectRatio', 'imageSize', 'mimeType', 'delivery']), place) : readInteractionVideo(only(fields, place, ['aspectRatio', 'resolution', 'duration', 'delivery', 'gcsUri']), place)
  }
  // One format for a picture does not say that words are unwelcome; a list names all that is wanted.
  return { settings, text: words || !isList }
}

function only(fields: Fields, place: string, known: string[]): Fields {
  for (const name of Object.keys(fields)) if (name !== 'type' && !known.includes(name)) throw no(`${place}.${snake(name)}`, `Unknown name "${snake(name)}" at '${place}' for ${shown(fields.type)}.`, { allowed: known.map(snake) })
  return fields
}

function readModalities(value: unknown, isFilm: boolean): boolean {
  if (value === undefined) return true
  const modalities = list(value, 'response_modalities').map((one, index) => oneOf(text(one, `response_modalities[${index}]`).toLowerCase(), `response_modalities[${index}]`, ['text', 'image', 'video', 'audio', 'document']))
  const made = isFilm ? 'video' : 'image'
  if (modalities.length > 0 && (!modalities.includes(made) || modalities.some(one => one !== 'text' && one !== made))) throw cannot('response_modalities', `response_modalities: this model makes ${isFilm ? 'films' : 'pictures'}. Use ${made}, with or without text.`, { allowed: [[made], ['text', made]] })
  return modalities.length === 0 || modalities.includes('text')
}

function readTools(value: unknown, searching: Parameters<typeof wantSearch>[1]): void {
  if (value === undefined) return
  for (const [index, tool] of list(value, 'tools').entries()) {
    const place = `tools[${index}]`
    const type = isObject(tool) ? tool.type : undefined
    if (type !== 'google_search') throw cannot(`${place}.type`, `${place}: this model knows no tool but google_search, not ${shown(type)}.`, { allowed: ['google_search'] })
    wantSearch(place, searching)
  }
}

// Answers -------------------------------------------------------------------------------------------------------------

export type Status = 'in_progress' | 'completed' | 'failed' | 'cancelled'

/** `queued` is a word some clients of this dialect do not know. */
export function writeStatusWord({ state }: Pick<Task, 'state'>): Status {
  switch (state) {
    case 'queued': case 'running': case 'waiting': return 'in_progress'
    case 'done': return 'completed'
    case 'failed': return 'failed'
    case 'cancelled': return 'cancelled'
  }
}

/** A picture or film as a content: `data` with its bytes, or `uri`. */
export type WriteMedia = (asset: Asset) => Record<string, unknown>

export type Step = { type: string } & Record<string, unknown>

/** What was made, as steps. The thought carries the signature of the picture after it, so that it can come back. */
export function writeSteps(task: Task, wantsText: boolean, media: WriteMedia): Step[] {
  if (task.state !== 'done' || task.outputs.length === 0) return []
  const type = task.operation === 'video' ? 'video' : 'image'
  return [
    ...(type === 'image' ? [{ type: 'thought', signature: signAsset(task.outputs[0]!.id) }] : []),
    { type: 'model_output', content: [...(wantsText && task.text ? [{ type: 'text', text: task.text }] : []), ...task.outputs.map(asset => ({ type, ...media(asset) }))] },
  ]
}

/** What an interaction says beside its steps. */
export function writeFrame(task: Task, wire: Pick<GeminiWire, 'text' | 'previous'>): Record<string, unknown> {
  const isEnd = hasEnded(task.state)
  return {
    id: task.id, object: 'interaction', status: writeStatusWord(task), model: task.modelAsked.replace(/^models\//, ''),
    created: task.createdAt.toISOString(), updated: (task.endedAt ?? task.startedAt ?? task.createdAt).toISOString(),
    ...(wire.previous === undefined ? {} : { previous_interaction_id: wire.previous }),
    ...(Object.keys(task.metadata).length > 0 ? { labels: task.metadata } : {}),
    ...(task.problem && isEnd ? { errors: [writeInteractionError(task.problem)] } : {}),
    ...(isEnd ? { usage: writeInteractionUsage(task, wire.text) } : {}),
  }
}

export function writeInteraction(task: Task, wire: Pick<GeminiWire, 'text' | 'previous'>, media: WriteMedia, input: Step[] = []): Record<string, unknown> {
  return { ...writeFrame(task, wire), steps: [...input, ...writeSteps(task, wire.text, media)] }
}

/** What was asked, for who wants to see it again. */
export const writeInputSteps = (task: Pick<Task, 'prompt'>, pictures: { mime_type: string; uri: string }[]): Step[] =>
  [{ type: 'user_input', content: [...(task.prompt === '' ? [] : [{ type: 'text', text: task.prompt }]), ...pictures.map(picture => ({ type: 'image', ...picture }))] }]

export interface InteractionEvent { event_type: string; event_id: string; [more: string]: unknown }

/** The events of an interaction that has ended, after `interaction.created`; words and pictures come as deltas, each whole. */
export function* writeEnd(task: Task, wire: Pick<GeminiWire, 'text' | 'previous'>, media: WriteMedia, nextId: () => string): Generator<InteractionEvent> {
  for (const [index, step] of writeSteps(task, wire.text, media).entries()) {
    const { type, content, signature } = step
    yield { event_type: 'step.start', event_id: nextId(), index, step: { type } }
    if (signature !== undefined) yield { event_type: 'step.delta', event_id: nextId(), index, delta: { type: 'thought_signature', signature } }
    for (const delta of (content as Record<string, unknown>[] | undefined) ?? []) yield { event_type: 'step.delta', event_id: nextId(), index, delta }
    yield { event_type: 'step.stop', event_id: nextId(), index }
  }
  if (task.state === 'failed') yield { event_type: 'error', event_id: nextId(), error: writeInteractionError(task.problem!) }
  yield { event_type: 'interaction.completed', event_id: nextId(), interaction: { ...writeFrame(task, wire) } }
}
