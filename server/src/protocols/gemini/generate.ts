/** The body of generateContent as an order. Pure. */
import type { Card } from '../../domain/card.ts'
import type { Order } from '../../domain/order.ts'
import type { Json } from '../../domain/outcome.ts'
import { isWriter, writingOf } from '../toolkit/talk.ts'
import { readContents, type Picture } from './contents.ts'
import { cannot, check, flag, isObject, join, list, no, oneOf, readFields, shown, text, whole, type Fields, type Kind } from './fields.ts'
import { readImageConfig, readPictureFormat, readResponseFormat, type DeliveryForm } from './picture-settings.ts'

/** What a task of this door needs to be written back as it was asked for. Small: it stands in the task's row. */
export interface GeminiWire {
  method: 'generateContent' | 'predict' | 'predictLongRunning' | 'interactions'
  /** The model as it stood in the address. */
  model: string
  /** Does the caller want the words that come with the pictures? */
  text: boolean
  delivery: DeliveryForm
  /** What the model thought, where it tells. */
  thoughts?: boolean
  /** Thought signatures of others, for an upstream that knows them. */
  signatures?: string[]
  /** What the answer says beside the reason it ended for. */
  note?: string
  /** Imagen: say why a picture was held back. */
  rai?: boolean
  /** Interactions. */
  store?: boolean
  previous?: string
}

export interface Read {
  /** All of it but the pictures, which are still outside. */
  order: Omit<Order, 'inputs'>
  wire: GeminiWire
  pictures: Picture[]
  /** What the house's fields are called in this body, for the sentence of a no. */
  names: Record<string, string>
  /** Does the caller want to see how the picture comes to be? */
  thoughts: boolean
}

export interface Context { model: string; card: Card; livemode: boolean }

const bodyFields = ['model', 'contents', 'systemInstruction', 'generationConfig', 'tools', 'toolConfig', 'safetySettings', 'cachedContent', 'serviceTier', 'labels', 'store', 'continuationToken']
/** Settings of models that write; a model that draws has no use for them. */
const withoutEffect: Record<string, Kind> = {
  temperature: 'number', topP: 'number', topK: 'number', maxOutputTokens: 'whole', stopSequences: 'texts', presencePenalty: 'number', frequencyPenalty: 'number',
  responseLogprobs: 'flag', logprobs: 'whole', mediaResolution: 'text', enableEnhancedCivicAnswers: 'flag',
}
const configFields = [...Object.keys(withoutEffect), 'candidateCount', 'seed', 'responseModalities', 'imageConfig', 'responseFormat', 'thinkingConfig',
  'responseMimeType', 'responseSchema', 'responseJsonSchema', 'speechConfig', 'audioTranscriptionConfig', 'translationConfig']

/** @throws {Problem} `bad_request`, `unsupported_parameter` */
export function readGenerate(body: unknown, context: Context): Read {
  return isWriter(context.card) ? readWriting(body, context) : readDrawing(body, context)
}

function readDrawing(body: unknown, { model, card, livemode }: Context): Read {
  const fields = readFields(body, '', bodyFields)
  if (fields.model !== undefined) text(fields.model, 'model')
  const config = fields.generationConfig === undefined ? {} : readFields(fields.generationConfig, 'generationConfig', configFields)
  const { prompt, pictures, warnings, foreign } = readContents(fields.contents, fields.systemInstruction)
  const parameters: Record<string, Json> = {}
  const names: Record<string, string> = { prompt: 'contents' }

  for (const name of ['responseSchema', 'responseJsonSchema', 'speechConfig', 'audioTranscriptionConfig', 'translationConfig']) {
    if (config[name] !== undefined) throw cannot(`generationConfig.${name}`, `generationConfig.${name}: this model makes pictures. Leave it out.`)
  }
  const idle = Object.entries(withoutEffect).filter(([name]) => config[name] !== undefined)
  for (const [name, kind] of idle) check(config[name], `generationConfig.${name}`, kind)
  if (idle.length > 0) warnings.push(`Without effect on pictures: ${idle.map(([name]) => name).join(', ')}.`)

  const wantsText = readModalities(config.responseModalities, 'generationConfig.responseModalities')
  const older = config.imageConfig === undefined ? null : readImageConfig(config.imageConfig, 'generationConfig.imageConfig')
  const newer = config.responseFormat === undefined ? null : readResponseFormat(config.responseFormat, 'generationConfig.responseFormat')
  for (const settings of [older, newer]) {
    Object.assign(parameters, settings?.parameters)
    Object.assign(names, settings?.names)
    warnings.push(...settings?.warnings ?? [])
  }
  readMimeType(config, parameters, names)
  if (config.candidateCount !== undefined) {
    parameters.count = whole(config.candidateCount, 'generationConfig.candidateCount')
    names['parameters.count'] = 'generationConfig.candidateCount'
  }
  if (config.seed !== undefined) {
    parameters.seed = whole(config.seed, 'generationConfig.seed')
    names['parameters.seed'] = 'generationConfig.seed'
  }
  const thoughts = readThinking(config.thinkingConfig, warnings)
  const note = readTools(fields.tools, { card, livemode, parameters, warnings, names })
  readRest(fields, warnings)

  const wire: GeminiWire = {
    method: 'generateContent', model, text: wantsText, delivery: newer?.delivery ?? 'inline',
    ...(thoughts ? { thoughts } : {}), ...(note === null ? {} : { note }),
    ...(foreign.length > 0 ? { signatures: keepable(foreign, warnings) } : {}),
  }
  return {
    order: {
      model, prompt, parameters, ...readLabels(fields.labels, 'labels'),
      ...(warnings.length > 0 ? { warnings } : {}),
      wire: { protocol: 'gemini', body: { ...wire } },
    },
    wire, pictures, names, thoughts,
  }
}

/** Settings of models that draw, which a model that writes has no use for. */
const forPictures = ['imageConfig', 'speechConfig', 'audioTranscriptionConfig', 'translationConfig', 'responseSchema', 'responseJsonSchema']

/** A body for a model that writes. System text and history stand in the prompt, as they do for one that draws. */
function readWriting(body: unknown, { model, card }: Context): Read {
  const fields = readFields(body, '', bodyFields)
  if (fields.model !== undefined) text(fields.model, 'model')
  const config = fields.generationConfig === undefined ? {} : readFields(fields.generationConfig, 'generationConfig', configFields)
  const { prompt, pictures, warnings } = readContents(fields.contents, fields.systemInstruction)
  for (const name of forPictures) if (config[name] !== undefined) throw cannot(`generationConfig.${name}`, `generationConfig.${name}: this model answers with plain text. Leave it out.`)
  const mime = config.responseMimeType === undefined ? '' : text(config.responseMimeType, 'generationConfig.responseMimeType')
  if (mime !== '' && mime !== 'text/plain') throw cannot('generationConfig.responseMimeType', 'generationConfig.responseMimeType: this model answers with text/plain here. Leave it out.', { value: mime.slice(0, 60) })
  if (config.responseModalities !== undefined && list(config.responseModalities, 'generationConfig.responseModalities').some(one => one !== 'TEXT')) throw cannot('generationConfig.responseModalities', 'generationConfig.responseModalities: this model answers with text. Use TEXT.', { allowed: ['TEXT'] })
  for (const [name, kind] of Object.entries(withoutEffect)) if (config[name] !== undefined) check(config[name], `generationConfig.${name}`, kind)
  const idle = [...Object.keys(withoutEffect), 'seed', 'responseFormat'].filter(name => name !== 'temperature' && name !== 'maxOutputTokens' && config[name] !== undefined)
  if (idle.length > 0) warnings.push(`Without effect here: ${idle.join(', ')}.`)
  if (config.candidateCount !== undefined && whole(config.candidateCount, 'generationConfig.candidateCount') !== 1) throw cannot('generationConfig.candidateCount', 'generationConfig.candidateCount: a model that writes gives one answer here.', { value: config.candidateCount, allowed: [1] })
  if (readThinking(config.thinkingConfig, warnings)) warnings.push('Thoughts are not shown: includeThoughts has no effect on texts here.')
  if (fields.tools !== undefined && (isObject(fields.tools) || list(fields.tools, 'tools').length > 0)) throw cannot('tools', 'tools: a model that writes calls no tools here. Leave them out.')
  readRest(fields, warnings)
  const { maxOutputTokens: maxTokens, temperature } = config as { maxOutputTokens?: number; temperature?: number }
  if (maxTokens !== undefined && maxTokens < 1) throw no('generationConfig.maxOutputTokens', 'generationConfig.maxOutputTokens must be at least 1.', { value: maxTokens })
  const { warnings: read, operation, parameters } = writingOf(card, { system: '', turns: [], maxTokens, temperature })
  const all = [...warnings, ...read]
  const wire: GeminiWire = { method: 'generateContent', model, text: true, delivery: 'inline' }
  return {
    order: { model, operation: operation!, prompt, parameters, ...readLabels(fields.labels, 'labels'), ...(all.length > 0 ? { warnings: all } : {}), wire: { protocol: 'gemini', body: { ...wire } } },
    wire, pictures, thoughts: false,
    names: { prompt: 'contents', 'parameters.max_tokens': 'generationConfig.maxOutputTokens', 'parameters.temperature': 'generationConfig.temperature' },
  }
}

/** Are words wanted beside the picture? @throws {Problem} when no picture is wanted */
export function readModalities(value: unknown, place: string): boolean {
  if (value === undefined) return true
  const modalities = list(value, place).map((one, index) => oneOf(text(one, `${place}[${index}]`).toUpperCase(), `${place}[${index}]`, ['TEXT', 'IMAGE', 'VIDEO', 'AUDIO', 'MODALITY_UNSPECIFIED']))
  if (modalities.length === 0) return true
  if (modalities.includes('AUDIO') || modalities.includes('VIDEO')) throw cannot(place, `${place}: this model answers with pictures and text. Use TEXT and IMAGE.`, { allowed: ['TEXT', 'IMAGE'] })
  if (!modalities.includes('IMAGE')) throw cannot(place, `${place}: this model makes pictures and gives no answer without one. Add IMAGE.`, { allowed: [['IMAGE'], ['TEXT', 'IMAGE']] })
  return modalities.includes('TEXT')
}

/** `text/plain` is what text always is; a picture's type asks for that format. */
function readMimeType({ responseMimeType }: Fields, parameters: Record<string, Json>, names: Record<string, string>): void {
  if (responseMimeType === undefined) return
  const place = 'generationConfig.responseMimeType'
  const mime = text(responseMimeType, place)
  if (mime === '' || mime === 'text/plain') return
  if (!mime.startsWith('image/')) throw cannot(place, `${place}: image models give no structured output. Leave it out.`, { value: mime.slice(0, 60) })
  if (parameters.output_format !== undefined) return
  parameters.output_format = readPictureFormat(mime, place)
  names['parameters.output_format'] = place
}

function readThinking(value: unknown, warnings: string[]): boolean {
  if (value === undefined) return false
  const place = 'generationConfig.thinkingConfig'
  const { includeThoughts, thinkingBudget, thinkingLevel } = readFields(value, place, ['includeThoughts', 'thinkingBudget', 'thinkingLevel'])
  if (thinkingBudget !== undefined) whole(thinkingBudget, `${place}.thinkingBudget`)
  if (thinkingLevel !== undefined) oneOf(text(thinkingLevel, `${place}.thinkingLevel`).toUpperCase(), `${place}.thinkingLevel`, ['MINIMAL', 'LOW', 'MEDIUM', 'HIGH', 'THINKING_LEVEL_UNSPECIFIED'])
  const idle = Object.entries({ thinkingBudget, thinkingLevel }).filter(([, value]) => value !== undefined).map(([name]) => name)
  if (idle.length > 0) warnings.push(`Without effect here: ${idle.join(', ')}.`)
  return includeThoughts !== undefined && flag(includeThoughts, `${place}.includeThoughts`)
}

interface Searching { card: Card; livemode: boolean; parameters: Record<string, Json>; warnings: string[]; names: Record<string, string> }

const toolFields = ['googleSearch', 'googleSearchRetrieval', 'functionDeclarations', 'urlContext', 'codeExecution', 'googleMaps', 'fileSearch', 'computerUse', 'mcpServers', 'retrieval', 'enterpriseWebSearch', 'parallelAiSearch']

function readTools(value: unknown, searching: Searching): string | null {
  let note: string | null = null
  if (value === undefined) return note
  for (const [index, tool] of (isObject(value) ? [value] : list(value, 'tools')).entries()) {
    const place = `tools[${index}]`
    const { googleSearch, functionDeclarations, ...others } = readFields(tool, place, toolFields)
    const wanted = [...(functionDeclarations !== undefined && list(functionDeclarations, `${place}.functionDeclarations`).length > 0 ? ['functionDeclarations'] : []), ...Object.keys(others)]
    if (wanted.length > 0) throw cannot(`${place}.${wanted[0]}`, `${place}.${wanted[0]}: this model knows no tool but googleSearch.`, { allowed: ['googleSearch'] })
    if (googleSearch === undefined) continue
    readFields(googleSearch, `${place}.googleSearch`, ['searchTypes', 'timeRangeFilter', 'excludeDomains', 'blockingConfidence'])
    note = wantSearch(`${place}.googleSearch`, searching)
  }
  return note
}

/** Asks for grounding, where the model has it. A test key has nobody to search with: what is to be said of that. */
export function wantSearch(place: string, { card, livemode, parameters, warnings, names }: Searching): string | null {
  const properties = (card.parameters.properties ?? {}) as Record<string, Json>
  if (properties.google_search === undefined) throw cannot(place, `${place}: ${card.id} does not search the web. Leave the tool out.`)
  if (!livemode) {
    const note = 'Google Search is not available under a test key: the answer has no grounding metadata.'
    warnings.push(note)
    return note
  }
  parameters.google_search = true
  names['parameters.google_search'] = place
  return null
}

const categories = ['HARASSMENT', 'HATE_SPEECH', 'SEXUALLY_EXPLICIT', 'DANGEROUS_CONTENT', 'CIVIC_INTEGRITY', 'JAILBREAK', 'IMAGE_HATE', 'IMAGE_DANGEROUS_CONTENT', 'IMAGE_HARASSMENT', 'IMAGE_SEXUALLY_EXPLICIT', 'UNSPECIFIED']
  .map(name => `HARM_CATEGORY_${name}`)
const thresholds = ['BLOCK_LOW_AND_ABOVE', 'BLOCK_MEDIUM_AND_ABOVE', 'BLOCK_ONLY_HIGH', 'BLOCK_NONE', 'OFF', 'HARM_BLOCK_THRESHOLD_UNSPECIFIED']

/** What stands beside contents and settings. */
function readRest(fields: Fields, warnings: string[]): void {
  if (fields.cachedContent !== undefined && fields.cachedContent !== '') throw cannot('cachedContent', 'cachedContent: nothing is cached here. Send the whole conversation.')
  if (fields.continuationToken !== undefined && fields.continuationToken !== '') throw cannot('continuationToken', 'continuationToken: no answer of this house has to be continued. Send the whole conversation.')
  if (fields.safetySettings !== undefined) {
    const settings = list(fields.safetySettings, 'safetySettings')
    for (const [index, setting] of settings.entries()) {
      const place = `safetySettings[${index}]`
      const { category, threshold } = readFields(setting, place, ['category', 'threshold', 'method'])
      oneOf(category, `${place}.category`, categories)
      oneOf(threshold, `${place}.threshold`, thresholds)
    }
    if (settings.length > 0) warnings.push('safetySettings has no effect here: whoever makes the picture has rules of their own.')
  }
  if (fields.toolConfig !== undefined && !isObject(fields.toolConfig)) throw no('toolConfig', `toolConfig must be an object, not ${shown(fields.toolConfig)}.`)
  if (fields.serviceTier !== undefined) text(fields.serviceTier, 'serviceTier')
  if (fields.store !== undefined) flag(fields.store, 'store')
}

/** The caller's own notes. @throws {Problem} `bad_request` */
export function readLabels(value: unknown, place: string): { metadata?: Record<string, string> } {
  if (value === undefined) return {}
  if (!isObject(value)) throw no(place, `${place} must be an object of texts.`)
  const pairs = Object.entries(value).map(([key, label]): [string, string] => [key, text(label, join(place, key.slice(0, 60)))])
  if (pairs.length > 16 || pairs.some(([key, label]) => key.length < 1 || key.length > 63 || label.length > 63)) throw no(place, `${place} is at most 16 pairs of up to 63 characters each.`)
  return pairs.length > 0 ? { metadata: Object.fromEntries(pairs) } : {}
}

const signaturesMax = 64 * 1024

/** As many signatures as fit into a row. */
export function keepable(signatures: string[], warnings: string[]): string[] {
  let size = 0
  const kept = signatures.filter(one => (size += one.length) <= signaturesMax)
  if (kept.length < signatures.length) warnings.push('Not all thought signatures of other models were kept: there are too many of them.')
  return kept
}
