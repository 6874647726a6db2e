/**
 * Kie's front door: its clients change the base address and the key, and nothing else.
 *
 * On `/api/v1` every route that exists answers HTTP 200 with the code in the body, also a no; clients were written against that.
 * The upload routes answer with real statuses as their pages say. Absent on purpose: cancel and list, which Kie does not have.
 */
import { Type } from 'typebox'
import type { Asset } from '../../domain/asset.ts'
import type { InputReference } from '../../domain/order.ts'
import { Problem } from '../../domain/problem.ts'
import { isId } from '../../kit/id.ts'
import { readMultipart } from '../../kit/multipart.ts'
import { isKeepable, mediaType, requireIdentity } from '../../kit/json.ts'
import { protocol, type Desk, type Incoming, type Protocol, type Route } from '../contract.ts'
import { nameOfTemplate, type Picture } from './input.ts'
import {
  answer, envelope, modelsOf, readBase64, readCreateTask, readFileUrl, readPlace, resultSeconds, uploadSeconds,
  writeCallback, writeModels, writeNoSuchPath, writePricing, writeRecordInfo, writeSchema, writeUpload, type KieModel, type UploadPlace,
} from './wire.ts'
import { creditsOf, sayNo, unknownModel } from './words.ts'

const tag = 'Kie'
const uploadBodyMax = 48 * 1024 * 1024
const uploadFileMax = 64 * 1024 * 1024

/** For the page only: what is wrong with a body is said in Kie's words, by `wire.ts`. */
const CreateBody = Type.Object({
  model: Type.String({ description: 'As Kie calls it: `nano-banana-2`, `google/nano-banana-edit`.' }),
  callBackUrl: Type.Optional(Type.String({ description: 'Called once the task has ended.' })),
  input: Type.Record(Type.String(), Type.Unknown(), { description: 'The model\'s own fields: `/api/v1/models/{model}/schema`.' }),
}, { title: 'KieCreateTask' })
const Base64Body = Type.Object({ base64Data: Type.String({ description: 'Bare or as a data URL.' }), uploadPath: Type.String(), fileName: Type.Optional(Type.String()) })
const UrlBody = Type.Object({ fileUrl: Type.String(), uploadPath: Type.String(), fileName: Type.Optional(Type.String()) })

/** A model by Kie's own name for it, or a template; our names for models are not known here. */
async function findModel(desk: Desk, name: unknown): Promise<KieModel | null> {
  if (typeof name !== 'string' || name.length > 200 || !isKeepable(name)) return null
  const found = await desk.models.serving(name, 'kie')
  if (found?.template) return { card: found.card, name: nameOfTemplate(found.card, name) }
  return found?.name && (found.replaces ?? found.card).dialects.kie?.includes(found.name) ? { card: found.card, name: found.name } : null
}

const createTask: Route = {
  method: 'POST', path: '/api/v1/jobs/createTask', scope: 'tasks:write', bodyMax: 2 * 1024 * 1024,
  about: { tag, summary: 'Create a task', description: 'Answers `data.taskId` to ask recordInfo with. HTTP 200 also for a no: the outcome is `code`.', body: CreateBody },
  async handle({ body, headers }, desk) {
    const found = await findModel(desk, (body as { model?: unknown } | null | undefined)?.model)
    const { order, pictures } = readCreateTask(body, { find: () => found, livemode: desk.caller.livemode })
    const idempotencyKey = headers['idempotency-key']
    const { inputs, giveBack } = await takeIn(pictures, desk)
    try {
      const { task, replayed } = await desk.submit({
        ...order, inputs,
        // A repetition is told by what was sent: a picture behind the same address may have been taken in twice.
        ...(idempotencyKey === undefined ? {} : { idempotencyKey, idempotencyBody: order.wire!.body }),
      })
      if (replayed) await giveBack()
      const response = envelope({ taskId: task.id, recordId: task.id })
      response.headers.set('x-task-id', task.id)
      if (replayed) response.headers.set('idempotent-replayed', 'true')
      return response
    } catch (thrown) {
      await giveBack()
      throw thrown
    }
  },
}

/** Takes in every picture of a task, each address once; links of ours are not fetched. When one fails, none that came with this call is kept. */
async function takeIn(pictures: Picture[], desk: Desk): Promise<{ inputs: InputReference[]; giveBack(): Promise<void> }> {
  const fresh: Asset[] = []
  const giveBack = async () => { await Promise.all(fresh.map(asset => desk.assets.remove(asset.id).catch(() => {}))) }
  const take = async (url: string): Promise<Asset> => {
    const ours = await desk.assets.resolveLink(url)
    if (ours) return ours
    const asset = await desk.assets.keep({ url })
    fresh.push(asset)
    return asset
  }
  const taking = new Map<string, Promise<Asset>>()
  for (const { url } of pictures) if (!taking.has(url)) taking.set(url, take(url))
  const results = await Promise.allSettled(pictures.map(async ({ url, role }): Promise<InputReference> => ({ assetId: (await taking.get(url)!).id, role })))
  const index = results.findIndex(result => result.status === 'rejected')
  if (index >= 0) {
    await giveBack()
    const { reason } = results[index] as PromiseRejectedResult
    throw reason instanceof Problem ? new Problem(reason.code, `${pictures[index]!.field}: ${reason.message}`, { ...reason.details, field: `input.${pictures[index]!.field}`, cause: reason }) : reason
  }
  return { inputs: results.flatMap(result => result.status === 'fulfilled' ? [result.value] : []), giveBack }
}

const recordInfo: Route = {
  method: 'GET', path: '/api/v1/jobs/recordInfo', scope: 'tasks:read',
  about: { tag, summary: 'How a task stands', query: Type.Object({ taskId: Type.String() }) },
  async handle({ query }, desk) {
    const taskId = query.get('taskId')
    if (!taskId) return envelope(null, { code: 400, msg: 'taskId parameter is required' })
    const task = isId(taskId) ? await desk.find(taskId.replaceAll('-', '')) : null
    if (!task) return envelope(null, { code: 422, msg: 'recordInfo is null' })
    return envelope(writeRecordInfo(task, asset => desk.assets.link(asset, { seconds: resultSeconds })))
  },
}

const credit: Route = {
  method: 'GET', path: '/api/v1/chat/credit', scope: 'tasks:read',
  about: { tag, summary: 'Credits left; 1 credit is US$0.005' },
  handle: async (_request, desk) => envelope(creditsOf((await desk.money.balance()).availableMicros)),
}

const downloadUrl: Route = {
  method: 'POST', path: '/api/v1/common/download-url', scope: 'assets:read',
  about: { tag, summary: 'A link for a download, good for 20 minutes', body: Type.Object({ url: Type.String() }) },
  async handle({ body }, desk) {
    const url = typeof body === 'object' && body !== null ? (body as { url?: unknown }).url : undefined
    const asset = typeof url === 'string' && url.length <= 4_096 ? await desk.assets.resolveLink(url) : null
    return asset ? envelope(desk.assets.link(asset, { seconds: 1_200, download: true })) : envelope(null, { code: 422, msg: 'url is wrong' })
  },
}

const models: Route = {
  method: 'GET', path: '/api/v1/models', scope: 'tasks:read',
  about: { tag, summary: 'Models, by taskType, provider and q' },
  handle: async ({ query }, desk) => envelope(writeModels(desk.models.all(), query, desk.now())),
}

/** Names of models have slashes, so what is asked for stands behind the last one. */
const model: Route = {
  method: 'GET', path: '/api/v1/models/*', scope: 'tasks:read',
  about: { tag, summary: 'Schema or price of one model', description: '`/api/v1/models/{model}/schema` and `/api/v1/models/{model}/price`.' },
  async handle({ params, path }, desk) {
    const match = modelPath.exec(params['*'] ?? '')
    if (!match) throw new Problem('not_found', `There is nothing at ${path}.`)
    const found = modelsOf(desk.models.all()).find(({ name }) => name.id === match[1])
    if (!found) return envelope(null, { code: 404, msg: unknownModel })
    return envelope(match[2] === 'schema' ? writeSchema(found) : { model: found.name.id, pricingDesc: writePricing(found.card, desk.now()) })
  },
}
const modelPath = /^(.+)\/(schema|price)$/

// Uploads -------------------------------------------------------------------------------------------------------------

async function keep(upload: Parameters<Desk['assets']['keep']>[0], place: UploadPlace, desk: Desk): Promise<Response> {
  const asset = await desk.assets.keep({ ...upload, ...(place.fileName === null ? {} : { name: `${place.uploadPath}/${place.fileName}` }) })
  return answer(writeUpload(asset, place, desk.assets.link(asset, { seconds: uploadSeconds })))
}

const fieldsOf = (body: unknown): Record<string, unknown> => {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new Problem('bad_request', 'The request body must be a JSON object.')
  return body as Record<string, unknown>
}

const streamUpload: Route = {
  method: 'POST', path: '/api/file-stream-upload', body: 'stream', scope: 'assets:write',
  about: { tag, summary: 'Upload a file as multipart/form-data' },
  async handle({ headers, stream }, desk) {
    if (mediaType(headers['content-type']) !== 'multipart/form-data') throw new Problem('unsupported_media', 'Send the file as multipart/form-data.', { allowed: ['multipart/form-data'] })
    requireIdentity(headers)
    const form = await readMultipart(stream!, headers, { filesMax: 1, fieldsMax: 20, fileMax: uploadFileMax, fieldMax: 4_096 })
    const place = readPlace(Object.fromEntries(form.fields))
    const file = form.files.find(({ field }) => field === 'file')
    if (!file) throw new Problem('bad_request', 'Missing required parameter: file', { field: 'file', kieCode: 400 })
    return keep({ bytes: file.bytes }, place, desk)
  },
}

const base64Upload: Route = {
  method: 'POST', path: '/api/file-base64-upload', scope: 'assets:write', bodyMax: uploadBodyMax,
  about: { tag, summary: 'Upload a file as base64', body: Base64Body },
  async handle({ body }, desk) {
    const fields = fieldsOf(body)
    const place = readPlace(fields)
    return keep(readBase64(fields.base64Data), place, desk)
  },
}

const urlUpload: Route = {
  method: 'POST', path: '/api/file-url-upload', scope: 'assets:write',
  about: { tag, summary: 'Upload a file from an address', body: UrlBody },
  async handle({ body }, desk) {
    const fields = fieldsOf(body)
    const place = readPlace(fields)
    return keep({ url: readFileUrl(fields.fileUrl) }, place, desk)
  },
}

// No ------------------------------------------------------------------------------------------------------------------

const uploads = [streamUpload, base64Upload, urlUpload]
const routes = [createTask, recordInfo, credit, downloadUrl, models, model, ...uploads]

/** Statuses the upload pages name; everything else there that the caller can mend is a 400. */
const uploadStatuses: Partial<Record<string, number>> = { unauthorized: 401, forbidden: 401, method_not_allowed: 405, rate_limited: 429, internal: 500, unavailable: 503, shutting_down: 503 }

function refuse(problem: Problem, { path }: Pick<Incoming, 'method' | 'path' | 'requestId'>): Response {
  const { code, msg } = sayNo({ code: problem.code, message: problem.message, details: problem.details })
  if (uploads.some(route => route.path === path)) {
    const status = uploadStatuses[problem.code] ?? 400
    return answer({ success: false, code: status, msg: problem.code === 'unauthorized' ? 'Authentication failed: Invalid API Key' : msg }, status)
  }
  const isKnown = routes.some(route => route.path === path) || (path.startsWith('/api/v1/models/') && modelPath.test(path.slice('/api/v1/models/'.length)))
  if (problem.code === 'not_found' && !isKnown) return writeNoSuchPath(path, new Date())
  // The catalogue's 401 has no data, not even null.
  return answer(problem.code === 'unauthorized' && /^\/api\/v1\/models(\/|$)/.test(path) ? { code, msg } : { code, msg, data: null })
}

/** `Authorization: Bearer <key>`, the only form there is. */
const readSecret: Protocol['readSecret'] = ({ headers }) => /^Bearer\s+(\S+)\s*$/i.exec(headers.authorization ?? '')?.[1] ?? null

export default protocol({
  id: 'kie',
  title: 'Kie.ai',
  prefixes: ['/api/v1/', ...uploads.map(route => route.path)],
  routes, readSecret, refuse, writeCallback,
})
