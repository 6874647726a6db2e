/**
 * Kie's dialect on the wire: reads bodies into orders, writes tasks as records. Pure; `input.ts` reads the models' own fields,
 * `words.ts` knows the codes.
 */
import type { Asset } from '../../domain/asset.ts'
import type { Card, DialectName, PriceRow } from '../../domain/card.ts'
import type { Order } from '../../domain/order.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import type { Task } from '../../domain/task.ts'
import { isKeepable } from '../../kit/json.ts'
import { isAddress, readInput, type Picture } from './input.ts'
import { creditsOf, paused, sayFailed, unknownModel } from './words.ts'

/** How long links to results are good. */
export const resultSeconds = 14 * 86_400
export const uploadSeconds = 3 * 86_400

export const envelope = (data: unknown, { code = 200, msg = 'success' }: { code?: number; msg?: string } = {}): Response => answer({ code, msg, data })

/** Every answer of a route that exists is HTTP 200; the code is in the body. */
export const answer = (body: unknown, status = 200): Response =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json;charset=UTF-8' } })

export interface KieModel { card: Card; name: DialectName }

export interface ReadTask {
  /** All of it but the pictures, which are still outside. */
  order: Omit<Order, 'inputs'>
  pictures: Picture[]
}

/**
 * Reads the body of createTask. The model's name is looked at first, then whether it still runs, then its input, as live.
 *
 * @throws {Problem} with Kie's sentence, its code in `details.kieCode` or by `words.ts`
 */
export function readCreateTask(body: unknown, { find, livemode }: { find(name: string): KieModel | null; livemode: boolean }): ReadTask {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new Problem('bad_request', 'The request body must be a JSON object with model and input.')
  const { model, callBackUrl, input, ...others } = body as Record<string, unknown>
  const found = typeof model === 'string' && isKeepable(model) && model.length <= 200 ? find(model) : null
  if (!found) throw new Problem('unknown_model', unknownModel, { field: 'model' })
  if (livemode && found.card.life.state === 'retired') throw new Problem('model_retired', paused, { field: 'model' })

  const callbackUrl = readCallbackUrl(callBackUrl)
  const { prompt, parameters, pictures, warnings, kept } = readInput(input, found.name)
  if (isKeepable(prompt) === false) throw new Problem('bad_request', 'prompt contains invalid characters', { field: 'input.prompt', kieCode: 500 })
  const ignored = Object.keys(others).slice(0, 10).map(name => name.slice(0, 60))
  if (ignored.length > 0) warnings.push(`Ignored beside input: ${ignored.join(', ')}.`)
  return {
    order: {
      model: model as string,
      prompt,
      parameters,
      ...(callbackUrl === undefined ? {} : { callbackUrl }),
      ...(warnings.length > 0 ? { warnings } : {}),
      wire: { protocol: 'kie', body: { model: model as string, ...(callbackUrl === undefined ? {} : { callBackUrl: callbackUrl }), input: kept } },
    },
    pictures,
  }
}

function readCallbackUrl(value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value === 'string' && value.length <= 2_048 && isKeepable(value) && isAddress(value)) return value
  throw new Problem('bad_request', 'callBackUrl is not a valid URL', { field: 'callBackUrl' })
}

// Records -------------------------------------------------------------------------------------------------------------

type KieState = 'waiting' | 'queuing' | 'generating' | 'success' | 'fail'

/** A task in Kie's five words. One that goes back to the queue for another try is still generating: their states never step back. */
export function writeState({ state, attempts }: Pick<Task, 'state' | 'attempts'>): KieState {
  switch (state) {
    case 'queued': return attempts > 0 ? 'generating' : 'waiting'
    case 'running': case 'waiting': return 'generating'
    case 'done': return 'success'
    case 'failed': case 'cancelled': return 'fail'
  }
}

/** What recordInfo and the callback share: the ten fields every record has, in the order of the real one, and the credits. */
function writeRecord(task: Task, links: (asset: Asset) => string) {
  const state = writeState(task)
  const isEnd = state === 'success' || state === 'fail'
  const completeTime = isEnd ? (task.endedAt ?? task.createdAt).getTime() : null
  const createTime = task.createdAt.getTime()
  const results = state === 'success' ? { resultUrls: task.outputs.map(links) } : null
  const failure = state === 'fail' ? sayFailed(task.problem) : { failCode: null, failMsg: null }
  return {
    results,
    record: {
      taskId: task.id,
      model: task.modelAsked,
      state,
      param: writeParam(task),
      resultJson: results ? JSON.stringify(results) : '',
      ...failure,
      costTime: completeTime === null ? null : Math.max(0, Math.round((completeTime - createTime) / 1_000)),
      completeTime,
      createTime,
      creditsConsumed: creditsOf(isEnd ? task.chargedMicros ?? 0 : task.priceMicros),
    },
  }
}

/** `data` of recordInfo, as live: base fields in their order, then what the newer service adds. */
export function writeRecordInfo(task: Task, links: (asset: Asset) => string) {
  const { record, results } = writeRecord(task, links)
  return {
    ...record,
    // Only their films have it.
    ...(task.operation === 'video' && task.progress !== null ? { progress: task.progress } : {}),
    operationType: record.model,
    successFlag: record.state === 'success' ? 1 : record.state === 'fail' ? 3 : 0,
    paramJson: record.param,
    ...(results ? { response: results } : {}),
  }
}

/** The body of createTask as the real service gives it back: `input` is a JSON string inside the JSON string. Made up for tasks of other doors. */
function writeParam({ wire, modelAsked, prompt, parameters, inputs, callbackUrl }: Task): string {
  const body = wire?.protocol === 'kie' ? wire.body as { model: string; callBackUrl?: string; input: Json } : {
    model: modelAsked,
    ...(callbackUrl === null ? {} : { callBackUrl: callbackUrl }),
    input: { prompt, ...parameters, ...(inputs.length > 0 ? { image_input: inputs.map(({ assetId }) => assetId) } : {}) } as Json,
  }
  return JSON.stringify({ input: JSON.stringify(body.input), ...(body.callBackUrl === undefined ? {} : { callBackUrl: body.callBackUrl }), model: body.model })
}

/**
 * The body of the call back. The id stands in all three places receivers look for it (`taskId`, `data.taskId`, `data.task_id`).
 * Pure: `updateTime` is the time the task ended, so that every repetition has the same bytes.
 */
export function writeCallback(task: Task, links: (asset: Asset) => string): string {
  const { record } = writeRecord(task, links)
  const { creditsConsumed, ...base } = record
  const isSuccess = record.state === 'success'
  return JSON.stringify({
    code: isSuccess ? 200 : 501,
    msg: isSuccess ? 'Playground task completed successfully.' : 'Playground task failed.',
    taskId: task.id,
    data: { ...base, resultJson: isSuccess ? base.resultJson : null, updateTime: record.completeTime, creditsConsumed, task_id: task.id },
  })
}

// Uploads -------------------------------------------------------------------------------------------------------------

export interface UploadPlace { uploadPath: string; fileName: string | null }

const uploadNo = (msg: string, field: string) => new Problem('bad_request', msg, { field, kieCode: 400 })

/** Where an upload wants to lie. The path is a label on the asset, never a place on a disk. @throws {Problem} */
export function readPlace({ uploadPath, fileName }: { uploadPath?: unknown; fileName?: unknown }): UploadPlace {
  if (uploadPath === undefined || uploadPath === null || uploadPath === '') throw uploadNo('Missing required parameter: uploadPath', 'uploadPath')
  const path = typeof uploadPath === 'string' && uploadPath.length <= 200 ? uploadPath.replace(/^\/+|\/+$/g, '') : ''
  if (path === '' || !path.split('/').every(isPlainName)) throw uploadNo('Invalid parameter: uploadPath', 'uploadPath')
  if (fileName === undefined || fileName === null || fileName === '') return { uploadPath: path, fileName: null }
  if (typeof fileName !== 'string' || fileName.length > 150 || !isPlainName(fileName)) throw uploadNo('Invalid parameter: fileName', 'fileName')
  return { uploadPath: path, fileName }
}

const isPlainName = (name: string): boolean => name !== '' && name !== '.' && name !== '..' && isKeepable(name) && !/[\p{Cc}/\\]/u.test(name)

/** Bare base64 or a data URL. @throws {Problem} */
export function readBase64(value: unknown): { base64: string } | { dataUrl: string } {
  if (value === undefined || value === null || value === '') throw uploadNo('Missing required parameter: base64Data', 'base64Data')
  const isDataUrl = typeof value === 'string' && /^data:[^,]{0,200};base64,/.test(value)
  const start = isDataUrl ? value.indexOf(',') + 1 : 0
  if (typeof value !== 'string' || value.length === start || !isBase64(value, start)) throw uploadNo('Base64 decoding failed: Invalid Base64 format', 'base64Data')
  return isDataUrl ? { dataUrl: value } : { base64: value }
}

const base64 = /[A-Za-z0-9+/_\-\s]*={0,2}\s*$/y
function isBase64(text: string, start: number): boolean {
  base64.lastIndex = start
  return base64.test(text)
}

/** @throws {Problem} */
export function readFileUrl(value: unknown): string {
  if (value === undefined || value === null || value === '') throw uploadNo('Missing required parameter: fileUrl', 'fileUrl')
  if (typeof value !== 'string' || !isAddress(value)) throw uploadNo('Invalid parameter: fileUrl', 'fileUrl')
  return value
}

const extensions: Record<string, string> = { 'image/png': 'png', 'image/jpeg': 'jpg', 'image/webp': 'webp', 'image/gif': 'gif', 'image/avif': 'avif', 'video/mp4': 'mp4', 'video/webm': 'webm', 'video/quicktime': 'mov' }

export function writeUpload(asset: Asset, { uploadPath, fileName }: UploadPlace, link: string) {
  const extension = extensions[asset.mime]
  const name = fileName ?? `${asset.id}${extension ? `.${extension}` : ''}`
  return {
    success: true, code: 200, msg: 'File uploaded successfully',
    data: {
      success: true, fileName: name, filePath: `kieai/${asset.projectId}/${uploadPath}/${name}`, downloadUrl: link,
      fileSize: asset.sizeBytes, mimeType: asset.mime, uploadedAt: asset.createdAt.toISOString(),
    },
  }
}

// Catalogue -----------------------------------------------------------------------------------------------------------

export const modelsOf = (cards: Card[]): KieModel[] =>
  cards.flatMap(card => (card.dialects.kie ?? []).map(name => ({ card, name }))).sort((a, b) => a.name.id < b.name.id ? -1 : 1)

export function writeModels(cards: Card[], query: URLSearchParams, now: Date) {
  const types = (query.get('taskType') ?? '').split(',').map(type => type.trim().toLowerCase()).filter(Boolean)
  const provider = query.get('provider')?.trim().toLowerCase() ?? ''
  const text = query.get('q')?.trim().toLowerCase() ?? ''
  const models = modelsOf(cards).map(model => writeModel(model, now)).filter(model =>
    (types.length === 0 || model.taskType.some(type => types.includes(type.toLowerCase())))
    && (provider === '' || model.provider.toLowerCase() === provider)
    && (text === '' || `${model.model} ${model.title} ${model.description}`.toLowerCase().includes(text)))
  return { total: models.length, models }
}

const writeModel = (model: KieModel, now: Date) => ({
  model: model.name.id,
  slug: model.name.id.replaceAll('/', '-'),
  title: model.card.title,
  provider: model.card.maker,
  taskType: writeTaskTypes(model),
  description: model.card.description,
  pricingDesc: writePricing(model.card, now),
})

function writeTaskTypes({ card, name: { operation, input, fields = {} } }: KieModel): string[] {
  const pictures = Object.keys(fields).filter(field => fields[field]!.startsWith('inputs'))
  const isNeeded = pictures.some(field => (input as { required?: string[] } | undefined)?.required?.includes(field))
  if (card.operations.includes('video') && card.output.kind === 'video') {
    return pictures.length === 0 ? ['Text to Video'] : isNeeded ? ['Image to Video'] : ['Text to Video', 'Image to Video']
  }
  if (operation === 'generate') return ['Text to Image']
  if (operation === 'edit') return ['Image to Image', 'Image Editing']
  if (operation === undefined) return ['Text to Image', 'Image to Image', 'Image Editing']
  return ['Image Editing']
}

/** "8 credits (≈ $0.04) per image (resolution 1K); …" of the price list that counts now. */
export function writePricing(card: Card, now: Date): string {
  const today = now.toISOString().slice(0, 10)
  const begun = card.prices.filter(list => list.from <= today)
  const list = begun.length > 0 ? begun.reduce((newest, one) => one.from > newest.from ? one : newest) : card.prices[0]!
  return list.rows.map(writeRow).join('; ')
}

const writeRow = ({ when = {}, micros, per }: PriceRow): string => {
  const conditions = Object.entries(when).map(([name, value]) => `${name.replaceAll('_', ' ')} ${String(value)}`).join(', ')
  return `${creditsOf(micros)} credits (≈ $${micros / 1_000_000}) per ${per}${conditions ? ` (${conditions})` : ''}`
}

export const writeSchema = ({ card, name }: KieModel) => ({
  model: name.id,
  openapi: {
    openapi: '3.0.1',
    info: { title: card.title, description: card.description, version: '1.0.0' },
    paths: {
      '/api/v1/jobs/createTask': {
        post: {
          summary: `Create a task of ${name.id}`,
          requestBody: { content: { 'application/json': { schema: {
            type: 'object', required: ['model', 'input'],
            properties: { model: { type: 'string', enum: [name.id], default: name.id }, callBackUrl: { type: 'string', format: 'uri' }, input: withoutOurs(name.input ?? { type: 'object' }) },
          } } } },
          responses: { 200: { description: 'code, msg and data.taskId' } },
        },
      },
    },
  },
})

const withoutOurs = (schema: Json): Json => JSON.parse(JSON.stringify(schema, (key, value) => key.startsWith('x-') ? undefined : value)) as Json

// What is not there ---------------------------------------------------------------------------------------------------

/** An address nobody knows, in the words of their framework. */
export const writeNoSuchPath = (path: string, at: Date): Response =>
  answer({ timestamp: at.toISOString().replace('Z', '+00:00'), status: 404, error: 'Not Found', message: 'No message available', path }, 404)
