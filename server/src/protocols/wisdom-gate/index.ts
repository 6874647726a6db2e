/**
 * Wisdom Gate's front door, as far as it is its own: the older spelling of videos (`/v1/video`) and the billing questions.
 *
 * Everything else it speaks is OpenAI, Anthropic or Gemini at the same paths, so those doors answer it; all of them take its keys
 * without `Bearer`. Absent on purpose: list and delete of videos, which only the newer spelling (`/v1/videos`) has.
 */
import { Type } from 'typebox'
import type { Role } from '../../domain/order.ts'
import { Problem } from '../../domain/problem.ts'
import { hasEnded, type Task } from '../../domain/task.ts'
import { mediaType, parseJson, readBytes, requireIdentity, requireJson } from '../../kit/json.ts'
import { readMultipart } from '../../kit/multipart.ts'
import { respondWithAsset } from '../../kit/respond.ts'
import { protocol, type Desk, type Incoming, type Protocol, type Route, type Upload } from '../contract.ts'
import { readAnySecret, takeIn, taskHeaders, writeRequestRate, type Wanted } from '../toolkit.ts'
import { planVideo, readVideo, readVideoId, writeSubscription, writeUsage, writeVideo, type VideoAsked } from './wire.ts'
import { sayNo } from './words.ts'

const tag = 'Wisdom Gate'
const fileMax = 32 * 1024 * 1024
/** A data URL makes a picture a third longer. */
const bodyMax = 48 * 1024 * 1024
/** Links in an answer are good for a day. */
const linkSeconds = 86_400

const Video = Type.Object({
  prompt: Type.String(), model: Type.Optional(Type.String({ description: 'Default `sora-2`.' })),
  seconds: Type.Optional(Type.String({ description: '`4`, `8` or `12`. Default `4`.' })),
  size: Type.Optional(Type.String({ description: 'Default `720x1280`.' })),
  input_reference: Type.Optional(Type.String({ description: 'The first picture: a file of the form, an address or a data URL.' })),
}, { title: 'WisdomGateVideo' })

const show = (task: Task, desk: Desk) => writeVideo(task, asset => desk.assets.link(asset, { seconds: linkSeconds }))

const create: Route = {
  method: 'POST', path: '/v1/video', body: 'stream', scope: 'tasks:write',
  about: { tag, summary: 'Make a video', body: Video, description: 'As `multipart/form-data` or JSON. Answers at once; ask `/v1/video/{id}` how it stands.' },
  async handle(request, desk) {
    const asked = await readAsked(request)
    const found = await desk.models.serving(asked.model, 'wisdom-gate')
    if (!found) await desk.estimate({ model: asked.model, prompt: '', parameters: {}, inputs: [] })
    const { card } = found!
    const order = planVideo(asked, card, { isTemplate: found!.template !== undefined })
    const role: Role = card.inputs.roles.first_frame ? 'first_frame' : 'reference'
    const wanted: Wanted[] = asked.reference ? [{ upload: asked.reference, role, field: 'input_reference' }] : []
    if (wanted.length > card.inputs.max) throw new Problem('unsupported_parameter', `${asked.model} takes no pictures.`, { field: 'input_reference', allowed: { max: card.inputs.max } })
    const key = request.headers['idempotency-key']
    const { inputs, giveBack } = await takeIn(wanted, desk)
    try {
      const submitted = await desk.submit({ ...order, inputs, ...(key === undefined ? {} : { idempotencyKey: key }), retryCount: readRetryCount(request.headers) })
      if (submitted.replayed) await giveBack()
      return Response.json(show(submitted.task, desk), { headers: taskHeaders(submitted) })
    } catch (thrown) {
      await giveBack()
      throw thrown
    }
  },
}

async function readAsked({ headers, stream }: Incoming): Promise<VideoAsked> {
  if (mediaType(headers['content-type']) === 'multipart/form-data') {
    requireIdentity(headers)
    const form = await readMultipart(stream!, headers, { filesMax: 1, fieldsMax: 20, fileMax, fieldMax: 1024 * 1024 })
    const fields: Record<string, string> = {}
    for (const [name, text] of form.fields) {
      if (Object.hasOwn(fields, name) || name === '__proto__') throw new Problem('bad_request', `'${name.slice(0, 100)}' is given twice.`, { field: name.slice(0, 100) })
      fields[name] = text
    }
    const [file] = form.files
    if (file && file.field !== 'input_reference') throw new Problem('bad_request', `Unknown file: '${file.field.slice(0, 100)}'. Send the picture as 'input_reference'.`, { field: file.field.slice(0, 100) })
    const upload: Upload | null = file ? { bytes: file.bytes, ...(file.name === undefined ? {} : { name: file.name }) } : null
    return readVideo(fields, upload)
  }
  requireJson(headers)
  const body = parseJson(await readBytes(stream!, bodyMax))
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new Problem('bad_request', 'The request body must be a JSON object or a form.')
  return readVideo(body as Record<string, unknown>, null)
}

const readRetryCount = (headers: Incoming['headers']): number => /^\d{1,3}$/.test(headers['x-stainless-retry-count'] ?? '') ? Number(headers['x-stainless-retry-count']) : 0

async function findVideo({ params }: Incoming, desk: Desk): Promise<Task> {
  const id = readVideoId(params.id ?? '')
  const task = id === null ? null : await desk.find(id)
  if (!task || task.operation !== 'video') throw new Problem('not_found', `Video with id '${(params.id ?? '').slice(0, 100)}' not found.`, { field: 'video_id' })
  return task
}

const get: Route = {
  method: 'GET', path: '/v1/video/:id', scope: 'tasks:read',
  about: { tag, summary: 'How a video stands' },
  async handle(request, desk) {
    const task = await findVideo(request, desk)
    return Response.json(show(task, desk), { headers: { 'x-task-id': task.id } })
  },
}

const content: Route = {
  method: 'GET', path: '/v1/video/:id/content', scope: 'tasks:read',
  about: { tag, summary: 'The video itself', query: Type.Object({ variant: Type.Optional(Type.Enum(['video', 'thumbnail'])) }), description: 'Takes `Range` and `If-None-Match`.' },
  async handle(request, desk) {
    const variant = request.query.get('variant') ?? 'video'
    if (variant !== 'video' && variant !== 'thumbnail') throw new Problem('unsupported_parameter', `'variant' must be video or thumbnail, not ${variant.slice(0, 40)}.`, { field: 'variant', allowed: ['video', 'thumbnail'] })
    const task = await findVideo(request, desk)
    if (!hasEnded(task.state)) throw new Problem('bad_request', 'This video is not ready yet. Ask GET /v1/video/{id} until its status is completed.', { field: 'video_id' })
    if (task.state !== 'done') throw new Problem('bad_request', 'This video could not be made, so there is nothing to get. Its error says why.', { field: 'video_id' })
    const [film] = task.outputs
    if (!film) throw new Problem('not_found', 'This video is no longer kept.', { field: 'video_id' })
    const open = variant === 'video' ? await desk.assets.open(film) : await desk.assets.thumbnail(film, 512)
    return respondWithAsset(open, request.headers, { method: request.method })
  },
}

/** One-api, on which such gateways are built, answers with and without `/v1`. */
const billing = ['/v1/dashboard/billing', '/dashboard/billing'].flatMap((base): Route[] => [
  {
    method: 'GET', path: `${base}/subscription`, scope: 'tasks:read', about: { tag, summary: 'What may be spent in all, in dollars' },
    handle: async (_request, desk) => Response.json(writeSubscription(await desk.money.balance())),
  },
  {
    method: 'GET', path: `${base}/usage`, scope: 'tasks:read', about: { tag, summary: 'What has been spent, in cents' },
    handle: async (_request, desk) => Response.json(writeUsage(await desk.money.balance())),
  },
])

const refuse: Protocol['refuse'] = (problem) => {
  const { status, retry, body } = sayNo(problem)
  return Response.json(body, { status, headers: {
    'x-should-retry': String(retry),
  } })
}

export default protocol({
  id: 'wisdom-gate',
  title: 'Wisdom Gate',
  prefixes: ['/v1/video', '/v1/dashboard', '/dashboard'],
  routes: [create, get, content, ...billing],
  readSecret: readAnySecret,
  refuse,
  writeRate: writeRequestRate,
})
