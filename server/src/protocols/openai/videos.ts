/** `/v1/videos`: films, in the shape of an API whose upstream is gone; other models make them. A film is a task. */
import type { Asset } from '../../domain/asset.ts'
import type { InputReference, Order } from '../../domain/order.ts'
import { Problem } from '../../domain/problem.ts'
import { hasEnded, type Task } from '../../domain/task.ts'
import { mediaType, requireIdentity, requireJson } from '../../kit/json.ts'
import { openInlineFolder } from '../../kit/inline.ts'
import { readInlineJson } from '../../kit/json-in.ts'
import { readMultipart } from '../../kit/multipart.ts'
import { respondWithAsset } from '../../kit/respond.ts'
import type { Desk, Incoming, Route } from '../contract.ts'
import { taskHeaders } from '../toolkit.ts'
import { fieldsOf, fieldsOfForm, invalid, readPrompt, readRequired, readText, type Fields } from './fields.ts'
import { readId, writeId } from './ids.ts'
import { unixOf } from './images-write.ts'
import { findModel } from './models.ts'
import { readReference, withPictures, type Picture } from './pictures.ts'
import { readVideoCall } from './videos-read.ts'
import type { RowCall } from './row-call.ts'
import { videoWireOf, writeVideo } from './videos-write.ts'
import { readRepetition, requireDone } from './waiting.ts'

const tag = 'Videos'
const fileMax = 100 * 1024 * 1024
const listMax = 100
/** How far a list in rising order looks: the house lists from the newest, so the oldest are found by walking there. */
const walkedMax = 5_000

interface Body { fields: Fields; files: Map<string, Uint8Array> }

/** A body in either form; `use` has it until it returns. */
async function withBody<T>({ headers, stream }: Incoming, use: (body: Body, inline: Incoming['inline']) => Promise<T>): Promise<T> {
  if (mediaType(headers['content-type']) === 'multipart/form-data') {
    requireIdentity(headers)
    const form = await readMultipart(stream!, headers, { filesMax: 1, fieldsMax: 50, fileMax, fieldMax: 24 * 1024 * 1024 })
    return use({ fields: fieldsOfForm(form), files: new Map(form.files.map(({ field, bytes }) => [field, bytes])) }, () => null)
  }
  requireJson(headers)
  const body = await readInlineJson(stream!, { folder: await openInlineFolder() })
  try {
    return await use({ fields: fieldsOf(body.value), files: new Map() }, body.inline)
  } finally {
    await body.release()
  }
}

async function submit(order: Omit<Order, 'inputs'>, pictures: Picture[], { headers }: Incoming, desk: Desk): Promise<Response> {
  const submitted = await withPictures(pictures, desk, (inputs: InputReference[]) => desk.submit({ ...order, inputs, ...readRepetition(headers) }))
  return Response.json(writeVideo(submitted.task), { headers: taskHeaders(submitted) })
}

const create: Route = {
  method: 'POST', path: '/v1/videos', body: 'stream', scope: 'tasks:write',
  about: { tag, summary: 'A film', description: 'As a form or as JSON; `input_reference` is the picture it begins with.' },
  handle: (request, desk) => withBody(request, async (body, inline) => {
    const { order, pictures } = await readCreation(body, inline, desk)
    return submit(order, pictures, request, desk)
  }),
}

async function readCreation({ fields, files }: Body, inline: Incoming['inline'], desk: Desk): Promise<{ order: Omit<Order, 'inputs'>; pictures: Picture[] }> {
  const model = await findModel(fields.model, 'video', desk)
  const order = readVideoCall(fields, model)
  const role = model.card.inputs.roles.first_frame ? 'first_frame' : 'reference'
  const file = files.get('input_reference')
  for (const name of files.keys()) if (name !== 'input_reference') throw invalid(name.slice(0, 100), "A file may come as 'input_reference' only.", { openaiCode: 'unknown_parameter' })
  const source = file ? { bytes: file } : fields.input_reference === undefined ? null : readReference(fields.input_reference, 'input_reference', inline)
  return { order, pictures: source ? [{ param: 'input_reference', role, source }] : [] }
}

/** `/v1/videos` as a row of a batch: its result is the film as it stands when it is ready, to be fetched at its own address. */
export const videoRow: RowCall = {
  async submit({ body, inline }, desk) {
    const { order, pictures } = await readCreation({ fields: fieldsOf(body), files: new Map() }, inline, desk)
    return withPictures(pictures, desk, inputs => desk.submit({ ...order, inputs }))
  },
  answer: async task => Response.json(writeVideo(requireDone(task))),
}

/** Not there: no film, or one whose file has been deleted. */
const isHidden = (task: Task): boolean => task.operation !== 'video' || (task.state === 'done' && task.outputs.length === 0)

async function findVideo(text: unknown, desk: Desk): Promise<Task> {
  const id = typeof text === 'string' ? readId('video', text) : null
  const task = id ? await desk.find(id.id) : null
  if (!task || isHidden(task)) throw new Problem('not_found', `Video with id '${String(text).slice(0, 100).toWellFormed()}' not found.`, { param: 'video_id' })
  return task
}

const get: Route = {
  method: 'GET', path: '/v1/videos/:id', scope: 'tasks:read',
  about: { tag, summary: 'How a film stands' },
  handle: async ({ params }, desk) => Response.json(writeVideo(await findVideo(params.id, desk))),
}

const list: Route = {
  method: 'GET', path: '/v1/videos', scope: 'tasks:read',
  about: { tag, summary: 'Films, newest first' },
  async handle({ query }, desk) {
    const limit = query.get('limit') ?? '20'
    if (!/^\d{1,3}$/.test(limit) || Number(limit) < 1 || Number(limit) > listMax) throw invalid('limit', `'limit' must be a whole number from 1 to ${listMax}.`)
    const order = query.get('order') ?? 'desc'
    if (order !== 'asc' && order !== 'desc') throw invalid('order', "'order' must be asc or desc.")
    const after = query.get('after')
    const afterId = after === null ? undefined : readId('video', after)?.id
    if (after !== null && afterId === undefined) throw invalid('after', "'after' must be the id of a film of this list.")
    const { videos, hasMore } = order === 'desc' ? await readDown(desk, Number(limit), afterId) : await readUp(desk, Number(limit), afterId)
    const data = videos.map(writeVideo)
    return Response.json({ object: 'list', data, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null, has_more: hasMore })
  },
}

/** Deleted films leave gaps, so a page is filled from as many of the house's as it takes. */
async function readDown(desk: Desk, limit: number, after: string | undefined): Promise<{ videos: Task[]; hasMore: boolean }> {
  const videos: Task[] = []
  for (let next: string | undefined = after; ;) {
    const page = await desk.list({ operation: 'video', limit: listMax, after: next })
    videos.push(...page.items.filter(task => !isHidden(task)))
    if (videos.length > limit || page.next === null) return { videos: videos.slice(0, limit), hasMore: videos.length > limit }
    next = page.next
  }
}

async function readUp(desk: Desk, limit: number, after: string | undefined): Promise<{ videos: Task[]; hasMore: boolean }> {
  let found: Task[] = []
  let isMore = false
  for (let next: string | undefined, walked = 0; ;) {
    const page = await desk.list({ operation: 'video', limit: listMax, after: next })
    const wanted = page.items.filter(task => after === undefined || task.id > after)
    found = [...found, ...wanted.filter(task => !isHidden(task))]
    if (found.length > limit) { isMore = true; found = found.slice(-limit) }
    walked += page.items.length
    if (page.next === null || wanted.length < page.items.length) return { videos: found.reverse(), hasMore: isMore }
    if (walked >= walkedMax) throw invalid('order', `There are more than ${walkedMax} films. List them with order=desc.`)
    next = page.next
  }
}

const remove: Route = {
  method: 'DELETE', path: '/v1/videos/:id', scope: 'tasks:write', body: 'none',
  about: { tag, summary: 'Delete a film' },
  async handle({ params }, desk) {
    const task = await findVideo(params.id, desk)
    if (!hasEnded(task.state)) throw invalid('video_id', 'This film is still being made. Delete it when it has ended.')
    for (const asset of task.outputs) await desk.assets.remove(asset.id)
    return Response.json({ id: writeId('video', task.id), object: 'video.deleted', deleted: true })
  },
}

const content: Route = {
  method: 'GET', path: '/v1/videos/:id/content', scope: 'tasks:read',
  about: { tag, summary: 'The film itself, or a small picture of it' },
  async handle({ params, query, headers, method }, desk) {
    const task = await findVideo(params.id, desk)
    const variant = query.get('variant') ?? 'video'
    if (task.state !== 'done') {
      throw hasEnded(task.state) ? new Problem('not_found', 'This film was not made, so there is nothing to download.', { param: 'video_id' }) : invalid('video_id', 'This film is not ready yet. Ask again when its status is completed.')
    }
    const film = task.outputs[0]!
    switch (variant) {
      case 'video': return respondWithAsset(await desk.assets.open(film), headers, { method })
      case 'thumbnail': return respondWithAsset(await readThumbnail(film, desk), headers, { method })
      default: throw invalid('variant', variant === 'spritesheet' ? 'No spritesheets are made here. Use video or thumbnail.' : "'variant' must be video or thumbnail.", { allowed: ['video', 'thumbnail'] })
    }
  },
}

async function readThumbnail(film: Asset, desk: Desk) {
  try {
    return await desk.assets.thumbnail(film, 512)
  } catch (thrown) {
    if (thrown instanceof Problem && thrown.code === 'unsupported_media') throw invalid('variant', 'This film is no picture that could be made smaller. Use the variant video.')
    throw thrown
  }
}

/**
 * Another film from an earlier one, by new words.
 *
 * The model gets the film where it takes such a thing, otherwise what the film was made from; a warning says which.
 */
async function again(task: Task, fields: Fields, request: Incoming, desk: Desk): Promise<Response> {
  if (!hasEnded(task.state)) throw invalid('video_id', 'This film is still being made. Wait for it first.')
  const model = await findModel(task.modelAsked, 'video', desk)
  const film = task.outputs[0]
  const { roles, mimes } = model.card.inputs
  const role = (['video', 'first_frame', 'reference'] as const).find(one => roles[one] !== undefined)
  const takesFilm = film !== undefined && role !== undefined && mimes.includes(film.mime)
  const size = videoWireOf(task).size
  const order = readVideoCall({ seconds: videoWireOf(task).seconds, ...fields }, model, writeId('video', task.id))
  const { aspect_ratio: ratio, resolution, size: pixels } = task.parameters
  // The same shape as before, as it was asked for then.
  const shape = Object.fromEntries(Object.entries({ aspect_ratio: ratio, resolution, size: pixels }).filter(([, value]) => value !== undefined)) as Order['parameters']
  const pictures: Picture[] = takesFilm
    ? [{ param: 'video', role, source: { assetId: film.id } }]
    : task.inputs.map(({ assetId, role: before }) => ({ param: 'video', role: before, source: { assetId } }))
  return submit({
    ...order, parameters: { ...task.parameters, ...order.parameters, ...shape },
    wire: { protocol: 'openai', body: { ...(order.wire!.body as object), size } as never },
    warnings: [...order.warnings ?? [], takesFilm ? `The earlier film went in as ${role.replace('_', ' ')}.` : `${model.card.id} takes no films: this one was begun anew from the earlier order.`],
  }, pictures, request, desk)
}

const remix: Route = {
  method: 'POST', path: '/v1/videos/:id/remix', scope: 'tasks:write',
  about: { tag, summary: 'Another film from one of yours' },
  async handle(request, desk) {
    const task = await findVideo(request.params.id, desk)
    const fields = fieldsOf(request.body)
    return again(task, { prompt: readPrompt(fields) }, request, desk)
  },
}

/** `edits` and `extensions`: the film is named (`video.id`), or comes along as a file. */
const from = (kind: 'edits' | 'extensions'): Route => ({
  method: 'POST', path: `/v1/videos/${kind}`, body: 'stream', scope: 'tasks:write',
  about: { tag, summary: kind === 'edits' ? 'Change a film' : 'Go on with a film' },
  handle: (request, desk) => withBody(request, async ({ fields, files }) => {
    const prompt = readPrompt(fields)
    const wanted = { prompt, ...(kind === 'extensions' ? { seconds: readRequired(fields.seconds, 'seconds') } : {}) }
    const file = files.get('video')
    if (!file) return again(await findVideo(fieldsOf(readRequired(fields.video, 'video'), 'video').id, desk), wanted, request, desk)
    const model = await findModel(fields.model, 'video', desk)
    const role = (['video', 'first_frame', 'reference'] as const).find(one => model.card.inputs.roles[one] !== undefined)
    if (!role) throw invalid('video', `${model.card.id} takes no films.`)
    return submit(readVideoCall(wanted, model), [{ param: 'video', role, source: { bytes: file } }], request, desk)
  }),
})

const writeCharacter = ({ id, createdAt, name }: Asset) => ({ id: writeId('char', id), object: 'video.character', created_at: unixOf(createdAt), name })

const createCharacter: Route = {
  method: 'POST', path: '/v1/videos/characters', body: 'stream', scope: 'assets:write',
  about: { tag, summary: 'Keep a film as a character' },
  handle: (request, desk) => withBody(request, async ({ fields, files }) => {
    const name = readRequired(readText(fields, 'name', { max: 80 }), 'name')
    const bytes = readRequired(files.get('video'), 'video')
    if (name === '') throw invalid('name', "'name' must have 1 to 80 characters.")
    return Response.json(writeCharacter(await desk.assets.keep({ bytes, name })))
  }),
}

const getCharacter: Route = {
  method: 'GET', path: '/v1/videos/characters/:id', scope: 'assets:read',
  about: { tag, summary: 'A character' },
  async handle({ params }, desk) {
    const id = readId('char', params.id ?? '')
    const asset = id ? await desk.assets.find(id.id) : null
    if (!asset) throw new Problem('not_found', `Character with id '${(params.id ?? '').slice(0, 100).toWellFormed()}' not found.`, { param: 'character_id' })
    return Response.json(writeCharacter(asset))
  },
}


export const videos: Route[] = [create, list, get, remove, content, remix, from('edits'), from('extensions'), createCharacter, getCharacter]
