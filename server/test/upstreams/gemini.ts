/**
 * Google's Gemini API as its wire page tells it: `generateContent` for pictures, `predictLongRunning` and operations for films,
 * files that are opened with the key.
 *
 * What a prompt may rehearse: the line's faults (`loopback.ts`), a finish reason in small letters (`finish_image_safety`), a block
 * reason (`block_jailbreak`), an error status (`status_unavailable`; `status_unavailable_once` passes), `key`, `no_key`, `words`,
 * `thinks`, `empty`, `length`, `length_empty`, `no_usage` (texts), `jpeg`, `not_a_picture`, `error_200`, `one_busy`, `one_lost`; for films `filtered`, `one_filtered`, `operation_13`,
 * `blind`, `lost`, `refused`, `refused_once`, `inline`, `elsewhere`, `no_files`; for those of the Omni family
 * also `omni_` and a state, `omni_failed`, `omni_refused`, `omni_words`, `omni_empty`, `omni_stuck`, `omni_http_` and a status; for batches `states`, `blind`, `lost`, `unlisted` (its answer is cut, and
 * the list does not tell of it), `batch_failed`, `batch_cancelled`, `batch_expired`, `batch_empty`, `batch_file`, `row_error`, `row_missing`.
 */
import { tables } from '../../src/catalog/pixels.ts'
import { again, answerFault, bought, counter, Cut, film, fine, lineFault, lineFaults, listen, page, paint, readFault, type Heard, type Loopback, type Rehearsal, type Reply } from './loopback.ts'

export interface GeminiStats { asked: number; bought: number; looks: number; files: number; lists: number; cancelled: number }
export interface GeminiUpstream extends Loopback {
  stats(): GeminiStats
  /** Batches of others, the newest first in the list. */
  crowd(count: number): void
  /** Bodies of calls that make something, with the model. */
  orders(): { model: string; body: any }[]
  clear(): void
}

const sizes: Record<string, string> = { FIVE_TWELVE: '512', ONE_K: '1K', TWO_K: '2K', FOUR_K: '4K' }
const words = ['ZERO', 'ONE', 'TWO', 'THREE', 'FOUR', 'FIVE', 'SIX', 'SEVEN', 'EIGHT', 'NINE']
const numbers: Record<string, number> = { ...Object.fromEntries(words.map((word, index) => [word, index])), SIXTEEN: 16, TWENTY_ONE: 21 }

/** The pixels that are asked for in either form; small ones where nobody says. */
function sizeOf(model: string, { imageConfig, responseFormat }: any): [number, number] {
  const { aspectRatio, imageSize } = imageConfig ?? responseFormat?.image ?? {}
  if (aspectRatio === undefined) return [64, 64]
  const ratio = String(aspectRatio).startsWith('ASPECT_RATIO_') ? aspectRatio.slice('ASPECT_RATIO_'.length).split('_BY_').map((word: string) => numbers[word]).join(':') : aspectRatio
  const resolution = String(imageSize ?? '1K').replace(/^IMAGE_SIZE_/, '')
  const { width, height } = tables[model.includes('2.5') ? 'gemini-2.5' : 'gemini-3']!(ratio, sizes[resolution] ?? resolution)
  return [width, height]
}

interface Kept { name: string; displayName: string; model: string; requests: { key: string; request: any }[]; fault: string | null; looks: number; cancelled: boolean }

export const geminiKey = 'gemini-rehearsed-key'

const https: Record<string, number> = {
  INVALID_ARGUMENT: 400, FAILED_PRECONDITION: 400, OUT_OF_RANGE: 400, UNAUTHENTICATED: 401, PERMISSION_DENIED: 403, NOT_FOUND: 404, ABORTED: 409, ALREADY_EXISTS: 409,
  RESOURCE_EXHAUSTED: 429, CANCELLED: 499, INTERNAL: 500, UNKNOWN: 500, DATA_LOSS: 500, UNIMPLEMENTED: 501, UNAVAILABLE: 503, DEADLINE_EXCEEDED: 504,
}
const models = /^(gemini-2\.5-flash-image|gemini-3-pro-image|gemini-3\.1-flash-image|gemini-3\.1-flash-lite-image|gemini-nano-banana-2\.1|veo-3\.1-(fast-|lite-)?generate-preview|gemini-3\.5-flash-lite|gemini-3\.8-flash)$/

function no(status: string, message = 'It did not work.', details: unknown[] = []): Reply {
  const retry = status === 'RESOURCE_EXHAUSTED' || status === 'UNAVAILABLE' ? [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '1s' }] : []
  return { status: https[status]!, json: { error: { code: https[status], status, message, details: [...details, ...retry] } } }
}

export async function startGemini(): Promise<GeminiUpstream> {
  const operations = new Map<string, { fault: string | null; looks: number; count: number }>()
  const batches = new Map<string, Kept>()
  const interactions = new Map<string, { fault: string | null; looks: number; cancelled: boolean }>()
  const counts = counter()
  const orders: { model: string; body: any }[] = []
  let stats: GeminiStats = { asked: 0, bought: 0, looks: 0, files: 0, lists: 0, cancelled: 0 }
  let made = 0
  const loopback = await listen(handle)
  return {
    ...loopback, stats: () => ({ ...stats }), orders: () => orders,
    crowd(count) { for (let index = 0; index < count; index++) keep({ displayName: `another ${index}`, model: 'x', requests: [], fault: null }) },
    clear() { stats = { asked: 0, bought: 0, looks: 0, files: 0, lists: 0, cancelled: 0 }; operations.clear(); batches.clear(); interactions.clear(); counts.reset(); orders.length = 0; loopback.reset() },
  }

  async function handle(heard: Heard): Promise<Reply> {
    const { method, path, headers } = heard
    const call = /^\/v1beta\/models\/([^/]+):(generateContent|predictLongRunning|batchGenerateContent)$/.exec(path)
    if (call) stats.asked++
    if (headers['x-goog-api-key'] === undefined) return no('PERMISSION_DENIED', 'Method doesn\'t allow unregistered callers.')
    if (headers['x-goog-api-key'] !== geminiKey) return badKey()
    if (method === 'POST' && call) return call[2] === 'generateContent' ? generate(call[1]!, heard) : call[2] === 'predictLongRunning' ? begin(call[1]!, heard) : beginBatch(call[1]!, heard)
    if (method === 'GET' && path === '/v1beta/models') return { json: { models: [{ name: 'models/gemini-nano-banana-2.1', supportedGenerationMethods: ['generateContent', 'countTokens', 'batchGenerateContent'] }] } }
    if (method === 'GET' && path === '/v1beta/batches') return listBatches(heard)
    const batch = /^\/v1beta\/(batches\/[\w-]+)(:cancel)?$/.exec(path)
    if (batch) return method === 'GET' ? lookBatch(batch[1]!) : cancelBatch(batch[1]!)
    if (method === 'POST' && path === '/v1beta/interactions') { stats.asked++; return beginInteraction(heard) }
    const interaction = /^\/v1beta\/interactions\/([\w.-]+)(\/cancel)?$/.exec(path)
    if (interaction) return method === 'GET' ? lookInteraction(interaction[1]!) : cancelInteraction(interaction[1]!)
    if (method === 'GET' && path.includes('/operations/')) return look(path.replace('/v1beta/', ''))
    if (method === 'GET' && /^\/v1beta\/files\/\w+:download$/.test(path)) return open(path)
    return no('NOT_FOUND', 'Requested entity was not found.')
  }

  async function generate(model: string, { json }: Heard): Promise<Reply> {
    orders.push({ model, body: json })
    const parts: any[] = json?.contents?.[0]?.parts ?? []
    const prompt = parts.find(({ text }) => text !== undefined)?.text ?? ''
    const isText = /flash-lite$|3\.8-flash$/.test(model)
    const fault = readFault(prompt)
    const nth = counts.next(prompt)
    const line = lineFault(fault, nth)
    if (line) return line
    const status = /^status_([a-z_]+?)(_once)?$/.exec(fault ?? '')
    if (status && !(status[2] && nth > 1)) return no(status[1]!.toUpperCase())
    if (fault === 'key') return badKey()
    if (fault === 'one_busy' && nth === 2) return no('RESOURCE_EXHAUSTED', 'Queue is full, try again in 1 s.')
    const config = json?.generationConfig ?? {}
    if (isText !== (config.responseModalities?.join() === 'TEXT')) return no('INVALID_ARGUMENT', 'Model does not support the requested response modalities.')
    if (isText && config.temperature !== undefined) return no('INVALID_ARGUMENT', 'temperature is not supported.')
    if (model.includes('3.8') && config.thinkingConfig?.thinkingLevel === 'MINIMAL') return no('INVALID_ARGUMENT', 'Thinking level MINIMAL is not supported for this model.')
    if (!models.test(model)) return no('NOT_FOUND', `models/${model} is not found for API version v1beta.`)
    if (config.candidateCount > 1) return no('INVALID_ARGUMENT', 'Only one candidate can be made.')
    const size = config.imageConfig?.imageSize ?? config.responseFormat?.image?.imageSize
    if (model.includes('lite') && size !== undefined) return no('INVALID_ARGUMENT', 'imageSize is not supported.')
    if (size !== undefined && !/^(512|1K|2K|4K|IMAGE_SIZE_(FIVE_TWELVE|ONE_K|TWO_K|FOUR_K))$/.test(size)) return no('INVALID_ARGUMENT', 'Unknown imageSize.')
    if (parts.some(({ inlineData }) => inlineData && (typeof inlineData.data !== 'string' || typeof inlineData.mimeType !== 'string'))) return no('INVALID_ARGUMENT', 'inlineData is not valid.')
    stats.bought++
    if (fault === 'one_lost' && nth === 2) throw new Cut()
    return answerFault(fault, { json: isText ? words(fault, prompt, json, model) : await answer(fault, json, model) })
  }

  /** A text: 12 tokens of prompt, 258 of a picture, 5 of thinking, 20 of answer. */
  function words(fault: string | null, prompt: string, { contents }: any, model: string): unknown {
    const pictures = contents[0].parts.filter(({ inlineData }: any) => inlineData).length
    const usageMetadata = {
      promptTokenCount: 12 + 258 * pictures, candidatesTokenCount: 20, thoughtsTokenCount: 5, totalTokenCount: 37 + 258 * pictures,
      promptTokensDetails: [{ modality: 'TEXT', tokenCount: 12 }, ...(pictures > 0 ? [{ modality: 'IMAGE', tokenCount: 258 * pictures }] : [])],
    }
    const more = { ...(fault === 'no_usage' ? {} : { usageMetadata }), modelVersion: model, responseId: `r${++made}` }
    const finish = /^finish_(\w+)$/.exec(fault ?? '')?.[1]
    const block = /^block_(\w+)$/.exec(fault ?? '')?.[1]
    if (block) return { promptFeedback: { blockReason: block.toUpperCase(), blockReasonMessage: 'No.', safetyRatings: [] }, usageMetadata }
    if (fault === 'error_200') return { error: { code: 500, status: 'INTERNAL', message: 'late trouble' } }
    const parts = finish || fault === 'empty' || fault === 'length_empty' ? [] : [{ text: 'It is easy.', thought: true }, { text: `You said: ${prompt}` }]
    return { candidates: [{ index: 0, content: { role: 'model', parts }, finishReason: finish?.toUpperCase() ?? (fault?.startsWith('length') ? 'MAX_TOKENS' : 'STOP') }], ...more }
  }

  async function answer(fault: string | null, { generationConfig: config = {}, tools }: any, model: string): Promise<unknown> {
    const usageMetadata = {
      promptTokenCount: 274, candidatesTokenCount: 1132, thoughtsTokenCount: 88, totalTokenCount: 1494,
      promptTokensDetails: [{ modality: 'TEXT', tokenCount: 16 }, { modality: 'IMAGE', tokenCount: 258 }], candidatesTokensDetails: [{ modality: 'IMAGE', tokenCount: 1120 }, { modality: 'TEXT', tokenCount: 12 }],
    }
    const more = { usageMetadata, modelVersion: model, responseId: `r${++made}` }
    const finish = /^finish_(\w+)$/.exec(fault ?? '')?.[1]
    const block = /^block_(\w+)$/.exec(fault ?? '')?.[1]
    if (block) return { promptFeedback: { blockReason: block.toUpperCase(), blockReasonMessage: 'No.', safetyRatings: [] }, usageMetadata }
    if (finish) return { candidates: [{ index: 0, content: {}, finishReason: finish.toUpperCase(), finishMessage: 'It stopped.' }], ...more }
    if (fault === 'error_200') return { error: { code: 500, status: 'INTERNAL', message: 'late trouble' } }
    if (fault === 'words') return { candidates: [{ index: 0, content: { role: 'model', parts: [{ text: 'What colour should it be?' }] }, finishReason: 'STOP' }], ...more }
    const mimeType = fault === 'jpeg' || config.responseFormat?.image?.mimeType === 'image/jpeg' ? 'image/jpeg' : 'image/png'
    const bytes = fault === 'not_a_picture' ? Buffer.from(page.text!) : await paint(...sizeOf(model, config), mimeType === 'image/jpeg' ? 'jpeg' : 'png')
    const draft = fault === 'thinks' ? [{ text: 'A boat needs water.', thought: true }, { inlineData: { mimeType, data: (await paint(8, 8)).toString('base64') }, thought: true }] : []
    return {
      candidates: [{
        index: 0, finishReason: 'STOP', safetyRatings: [],
        content: { role: 'model', parts: [...draft, { text: 'Here it is.', thoughtSignature: 'Eo8CCg==' }, { inlineData: { mimeType, data: bytes.toString('base64') }, thoughtSignature: `RW84Q${made % 10}==` }] },
        ...(tools ? { groundingMetadata: { webSearchQueries: ['boats'], groundingChunks: [{ web: { uri: 'https://w.example/b', title: 'w.example' } }] } } : {}),
      }], ...more,
    }
  }

  function keep(batch: Omit<Kept, 'name' | 'looks' | 'cancelled'>): Kept {
    const all: Kept = { ...batch, name: `batches/b${++made}`, looks: 0, cancelled: false }
    batches.set(all.name, all)
    return all
  }

  function beginBatch(model: string, { json }: Heard): Reply {
    orders.push({ model, body: json })
    const { displayName, inputConfig } = json?.batch ?? {}
    const requests: { request: any; metadata?: { key?: string } }[] = inputConfig?.requests?.requests ?? []
    const prompt = requests[0]?.request?.contents?.[0]?.parts?.find(({ text }: any) => text !== undefined)?.text ?? ''
    const fault = readFault(prompt)
    const nth = counts.next(prompt)
    const line = lineFault(fault, nth)
    if (line) return line
    const status = /^status_([a-z_]+?)(_once)?$/.exec(fault ?? '')
    if (status && !(status[2] && nth > 1)) return no(status[1]!.toUpperCase())
    if (!models.test(model) || model.startsWith('veo')) return no('NOT_FOUND', `models/${model} is not found.`)
    if (requests.length === 0 || new Set(requests.map(({ metadata }) => metadata?.key)).size !== requests.length) return no('INVALID_ARGUMENT', 'Every request needs a key of its own.')
    stats.bought++
    const batch = keep({ displayName, model, requests: requests.map(({ request, metadata }) => ({ key: metadata!.key!, request })), fault })
    if (fault === 'unlisted') throw new Cut()
    return answerFault(fault, { json: standing(batch, 'PENDING') })
  }

  function standing({ name, model, displayName, requests }: Kept, state: string, more: object = {}) {
    return {
      name, ...(state === 'PENDING' || state === 'RUNNING' ? {} : { done: true }),
      metadata: { '@type': 'type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch', name, model: `models/${model}`, displayName, state: `BATCH_STATE_${state}`, batchStats: { requestCount: String(requests.length) }, ...more },
    }
  }

  async function lookBatch(name: string): Promise<Reply> {
    stats.looks++
    const batch = batches.get(name)
    if (!batch || batch.fault === 'lost') return no('NOT_FOUND', 'Requested entity was not found.')
    const looks = ++batch.looks
    if (batch.fault === 'moment' && looks === 1) return no('NOT_FOUND', 'Requested entity was not found.')
    if (batch.cancelled) return { json: standing(batch, 'CANCELLED') }
    if (batch.fault === 'blind' && looks <= 2) return looks === 1 ? { ...page, status: 502 } : no('UNAVAILABLE')
    if ((batch.fault === 'states' || batch.fault === 'long') && (looks <= 2 || batch.fault === 'long')) return { json: standing(batch, looks === 1 ? 'PENDING' : 'RUNNING') }
    switch (batch.fault) {
      case 'batch_failed': return { json: { ...standing(batch, 'FAILED'), error: { code: 13, message: 'Internal trouble.' } } }
      case 'batch_cancelled': return { json: standing(batch, 'CANCELLED') }
      case 'batch_expired': return { json: standing(batch, 'EXPIRED') }
      case 'batch_empty': return { json: standing(batch, 'SUCCEEDED', { output: { inlinedResponses: { inlinedResponses: [] } } }) }
      case 'batch_file': return { json: standing(batch, 'SUCCEEDED', { output: { responsesFile: 'files/out9' } }) }
    }
    const rows = await Promise.all(batch.requests.map(async ({ key, request }, index) =>
      batch.fault === 'row_error' && index === 0 ? { metadata: { key }, error: { code: 3, message: 'bad image' } } : { metadata: { key }, response: await answer(batch.fault, request, batch.model) }))
    // In an order of its own.
    return { json: standing(batch, 'SUCCEEDED', { output: { inlinedResponses: { inlinedResponses: rows.slice(batch.fault === 'row_missing' ? 1 : 0).reverse() } } }) }
  }

  function listBatches({ query }: Heard): Reply {
    stats.lists++
    const all = [...batches.values()].filter(({ fault }) => fault !== 'unlisted').reverse()
    const [from, size] = [Number(query.get('pageToken') ?? 0), Number(query.get('pageSize') ?? 50)]
    return { json: { operations: all.slice(from, from + size).map(one => standing(one, 'RUNNING')), ...(from + size < all.length ? { nextPageToken: String(from + size) } : {}) } }
  }

  function cancelBatch(name: string): Reply {
    const batch = batches.get(name)
    if (!batch) return no('NOT_FOUND', 'Requested entity was not found.')
    batch.cancelled = true
    stats.cancelled++
    return { json: {} }
  }

  function begin(model: string, { json }: Heard): Reply {
    orders.push({ model, body: json })
    const prompt = json?.instances?.[0]?.prompt ?? ''
    const fault = readFault(prompt)
    const nth = counts.next(prompt)
    const line = lineFault(fault, nth)
    if (line) return line
    const status = /^status_([a-z_]+?)(_once)?$/.exec(fault ?? '')
    if (status && !(status[2] && nth > 1)) return no(status[1]!.toUpperCase())
    if (!models.test(model) || !model.startsWith('veo')) return no('NOT_FOUND', `models/${model} is not found.`)
    const { parameters = {} } = json
    if (![4, 6, 8].includes(parameters.durationSeconds) || !['720p', '1080p', '4k'].includes(parameters.resolution)) return no('INVALID_ARGUMENT', 'Unknown durationSeconds or resolution.')
    stats.bought++
    const name = `models/${model}/operations/op${++made}`
    operations.set(name, { fault, looks: 0, count: parameters.sampleCount ?? 1 })
    return answerFault(fault, { json: { name } })
  }

  /** Errors of interactions have a word for a code. */
  function wordNo(status: number, code: string, message = 'It did not work.'): Reply {
    return { status, json: { error: { code, message } } }
  }

  function beginInteraction({ json }: Heard): Reply {
    orders.push({ model: json?.model, body: json })
    const prompt = json?.input?.find?.(({ type }: any) => type === 'text')?.text ?? ''
    const fault = readFault(prompt)
    const nth = counts.next(prompt)
    const line = lineFault(fault, nth)
    if (line) return line
    const status = /^omni_http_(\d+)$/.exec(fault ?? '')?.[1]
    if (status) return wordNo(Number(status), 'a_word')
    if (!/^gemini-omni-(flash-preview|1\.[12]-flash)$/.test(json?.model)) return wordNo(404, 'not_found')
    const { type, aspect_ratio: ratio, resolution, duration, delivery, ...strange } = json.response_format ?? {}
    if (type !== 'video' || !['16:9', '9:16'].includes(ratio) || !['720p', '1080p', '4k'].includes(resolution) || !/^([3-9]|10)s$/.test(duration) || delivery !== 'uri' || Object.keys(strange).length > 0) return wordNo(400, 'invalid_request', 'response_format is wrong.')
    if (json.background !== true || json.input.some(({ type: kind, data, mime_type: mime }: any) => kind !== 'text' && (typeof data !== 'string' || !mime?.startsWith(`${kind}/`)))) return wordNo(400, 'invalid_request', 'input is wrong.')
    stats.bought++
    const id = `int_${++made}`
    interactions.set(id, { fault, looks: 0, cancelled: false })
    return answerFault(fault, { json: { id, object: 'interaction', status: 'in_progress', model: json.model, steps: [] } })
  }

  function lookInteraction(id: string): Reply {
    stats.looks++
    const one = interactions.get(id)
    if (!one || one.fault === 'lost') return wordNo(404, 'not_found')
    const looks = ++one.looks
    if (one.fault === 'blind' && looks <= 2) return looks === 1 ? { ...page, status: 502 } : wordNo(500, 'internal')
    const is = (status: string, more: object = {}): Reply => ({ json: { id, object: 'interaction', status, steps: [], ...more } })
    if (one.cancelled) return is('cancelled')
    if (looks === 1 || one.fault === 'omni_stuck') return is(looks === 1 ? 'queued' : 'in_progress')
    const says = (text: string) => ({ steps: [{ type: 'thought' }, { type: 'model_output', content: [{ type: 'text', text }] }] })
    switch (one.fault) {
      case 'omni_failed': return is('failed', { steps: [{ type: 'model_output', error: { code: 13, message: 'It broke.' } }] })
      case 'omni_refused': return is('failed', { error: { code: 'blocked', message: 'The prompt violates our policies.' } })
      case 'omni_words': return is('completed', says('Which waves?'))
      case 'omni_empty': return is('completed')
      case 'omni_incomplete': case 'omni_requires_action': case 'omni_requires_continuation': case 'omni_budget_exceeded': case 'omni_cancelled': return is(one.fault.slice('omni_'.length))
    }
    const video = one.fault === 'inline' ? { data: film().toString('base64') } : { uri: `${loopback.url}/v1beta/files/${one.fault ?? 'v'}x${looks}x0:download?alt=media` }
    return is('completed', { steps: [{ type: 'model_output', content: [{ type: 'video', mime_type: 'video/mp4', ...video }, { type: 'text', text: 'Here it is.' }] }], usage: { total_input_tokens: 6, total_output_tokens: 5_792, total_tokens: 5_798 } })
  }

  function cancelInteraction(id: string): Reply {
    const one = interactions.get(id)
    if (!one) return wordNo(404, 'not_found')
    one.cancelled = true
    stats.cancelled++
    return { json: { id, object: 'interaction', status: 'cancelled', steps: [] } }
  }

  function look(name: string): Reply {
    stats.looks++
    const operation = operations.get(name)
    if (!operation || operation.fault === 'lost') return no('NOT_FOUND', 'Operation not found.')
    const looks = ++operation.looks
    if (operation.fault === 'moment' && looks === 1) return no('NOT_FOUND', 'Operation not found.')
    if (operation.fault === 'blind' && looks <= 2) return looks === 1 ? { ...page, status: 502 } : no('UNAVAILABLE')
    if (looks === 1) return { json: { name, done: false } }
    const done = (response: unknown) => ({ json: { name, done: true, response: { '@type': 'type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningResponse', generateVideoResponse: response } } })
    const code = /^operation_(\d+)$/.exec(operation.fault ?? '')?.[1]
    if (code) return { json: { name, done: true, error: { code: Number(code), message: 'It did not work.' } } }
    const samples = Array.from({ length: operation.count }, (_, index) => ({ video: operation.fault === 'inline' ? { encodedVideo: film().toString('base64') }
      : { uri: `${operation.fault === 'elsewhere' ? 'http://localhost:9' : loopback.url}/v1beta/files/${operation.fault ?? 'v'}x${looks}x${index}:download?alt=media` } }))
    switch (operation.fault) {
      case 'filtered': return done({ raiMediaFilteredCount: 1, raiMediaFilteredReasons: ['Faces of children cannot be shown.'] })
      case 'one_filtered': return done({ generatedSamples: samples.slice(1), raiMediaFilteredCount: 1, raiMediaFilteredReasons: ['Too loud.'] })
      case 'no_files': return done({ generatedSamples: [] })
      default: return done({ generatedSamples: samples })
    }
  }

  function open(path: string): Reply {
    stats.files++
    if (path.includes('/refused_oncex') && counts.next('refused') === 1) return no('PERMISSION_DENIED', 'This link has expired.')
    if (path.includes('/refusedx')) return no('PERMISSION_DENIED', 'This link has expired.')
    return { bytes: film(), headers: { 'content-type': 'video/mp4' } }
  }
}

const badKey = (): Reply => no('INVALID_ARGUMENT', 'API key not valid. Please pass a valid API key.', [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID', domain: 'googleapis.com', metadata: { service: 'generativelanguage.googleapis.com' } }])

export async function rehearse(): Promise<Rehearsal> {
  const upstream = await startGemini()
  return {
    settings: { apiKey: geminiKey, baseUrl: upstream.url }, model: 'gemini-nano-banana-2.1', key: geminiKey, tellsCost: true,
    film: { model: 'veo-3.1-fast-generate-preview', parameters: { aspect_ratio: '16:9', duration_s: 8, resolution: '720p' } },
    stats: upstream.stats, clear: upstream.clear, close: upstream.close,
    faults: {
      ...lineFaults(), busy_when: { says: 'fault:status_resource_exhausted_once', ...again },
      no_picture: { says: 'fault:not_a_picture', ...bought('bad_output') },
      lost_job: { says: 'fault:lost', film: true, ...bought('provider_failed') }, moment: { says: 'fault:moment', film: true, ...fine }, blind: { says: 'fault:blind', film: true, ...fine },
      odd_200: { says: 'fault:error_200', ...bought('outcome_unknown') },
      expired: { says: 'fault:refused', film: true, ...bought('output_expired') }, expired_once: { says: 'fault:refused_once', film: true, ...fine },
    },
  }
}
