/** Interactions: make (whole, streamed, or in the background), get, cancel, let go. */
import { Type } from 'typebox'
import { asProblem, Problem } from '../../domain/problem.ts'
import { hasEnded, type Task } from '../../domain/task.ts'
import { isId } from '../../kit/id.ts'
import { jsonResponse, sseJson } from '../../kit/json-out.ts'
import { eventStream, streamPieces } from '../../kit/pieces.ts'
import type { Desk, Incoming, Route } from '../contract.ts'
import { taskHeaders } from '../toolkit.ts'
import { failureOf, openAll } from './content-routes.ts'
import { isWriter } from '../toolkit/talk.ts'
import { cannot, isObject, no } from './fields.ts'
import type { GeminiWire } from './generate.ts'
import { asFrames, readInteraction, readModelName, writeEnd, writeFrame, writeInputSteps, writeInteraction, type InteractionEvent, type Step, type WriteMedia } from './interactions.ts'
import { filmLink } from './media-routes.ts'
import { findModel, orderOf, placeOrder, waitMsOf } from './order.ts'
import { writeInteractionError } from './refusal.ts'
import { bodyMax, tag, versions } from './versions.ts'

const Body = Type.Object({
  model: Type.String(), input: Type.Unknown({ description: 'Words, contents, or the steps of a conversation.' }),
  response_format: Type.Optional(Type.Unknown({ description: '`{type: "image", aspect_ratio, image_size, mime_type, delivery}` or `{type: "video", aspect_ratio, resolution, duration, delivery}`.' })),
  background: Type.Optional(Type.Boolean()), stream: Type.Optional(Type.Boolean()), store: Type.Optional(Type.Boolean()), previous_interaction_id: Type.Optional(Type.String()),
}, { title: 'GeminiInteraction' })

type Kept = Pick<GeminiWire, 'text' | 'delivery' | 'previous' | 'store'>

/** How a task wants to be written; one of another door as this dialect does by itself. */
function wireOf(task: Task): Kept {
  const body: unknown = task.wire?.protocol === 'gemini' ? task.wire.body : null
  if (!isObject(body)) return { text: true, delivery: task.operation === 'video' ? 'uri' : 'inline' }
  return {
    text: body.text !== false || task.operation === 'video', delivery: body.delivery === 'uri' ? 'uri' : 'inline',
    ...(typeof body.previous === 'string' ? { previous: body.previous } : {}), ...(typeof body.store === 'boolean' ? { store: body.store } : {}),
  }
}

async function mediaOf(task: Task, desk: Desk, { delivery }: Pick<GeminiWire, 'delivery'>, path: string): Promise<WriteMedia> {
  if (delivery === 'uri') return asset => ({ mime_type: asset.mime, uri: task.operation === 'video' ? filmLink(desk, path, asset.id) : desk.assets.link(asset) })
  const data = await openAll(task.outputs, desk)
  return asset => ({ mime_type: asset.mime, data: data(asset) })
}

/** An interaction of the caller's. One whose pictures were let go, or that was not to be stored, is not there. @throws {Problem} `not_found` */
async function findInteraction(id: string, desk: Desk): Promise<Task> {
  const task = isId(id) ? await desk.find(id.replaceAll('-', '')) : null
  if (!task || wireOf(task).store === false || (task.state === 'done' && task.outputs.length === 0)) throw new Problem('not_found', `There is no interaction ${id.slice(0, 100)}.`)
  return task
}

const create = (version: string): Route => ({
  method: 'POST', path: `/${version}/interactions`, body: 'inline', bodyMax, scope: 'tasks:write',
  about: { tag, summary: 'Make a picture or a film', body: Body },
  async handle(request, desk) {
    const context = await findModel(desk, readModelName(request.body), 'any', 'interactions')
    if (isWriter(context.card)) throw cannot('model', `model: ${context.model} writes text, and interactions here make pictures and films. Use generateContent.`)
    const read = readInteraction(request.body, context)
    const earlier = read.previous === null ? [] : await picturesBefore(read.previous, desk)
    const pictures = context.card.output.kind === 'video' && earlier.length > 0 ? [...asFrames(earlier), ...read.pictures.map(one => one.role === 'first_frame' ? { ...one, role: 'reference' as const } : one)] : [...earlier, ...read.pictures]
    const taken = await orderOf({ ...read, pictures }, desk, request)
    const submitted = await placeOrder(taken, order => read.background || read.stream ? desk.submit(order) : desk.make(order, { waitMs: waitMsOf(request.headers), signal: request.signal }))
    const { task } = submitted
    if (read.stream) return streamInteraction(task, read.wire, request, desk, { isNew: true, after: 0, headers: taskHeaders(submitted) })
    // What failed and cannot be looked up later has to be said now; a refusal for content is an answer like any other.
    const failure = !read.background && hasEnded(task.state) ? failureOf(task, request.path) : null
    if (failure) return failure
    return jsonResponse(writeInteraction(task, read.wire, await mediaOf(task, desk, read.wire, request.path)), { headers: taskHeaders(submitted) })
  },
})

/** What an earlier interaction made, to go on from. */
async function picturesBefore(id: string, desk: Desk) {
  const task = await findInteraction(id, desk).catch(() => { throw new Problem('not_found', `There is no interaction ${id.slice(0, 100)}.`, { field: 'previous_interaction_id' }) })
  if (!hasEnded(task.state)) throw new Problem('conflict', `The interaction ${task.id} has not ended yet. Wait for it.`, { field: 'previous_interaction_id' })
  return task.outputs.map(asset => ({ field: 'previous_interaction_id', role: asset.mime.startsWith('video/') ? 'video' as const : 'reference' as const, source: { assetId: asset.id } }))
}

interface Streaming { isNew: boolean; /** Events the reader has seen. */ after: number; headers: Record<string, string> }

function streamInteraction(task: Task, wire: Kept, request: Incoming, desk: Desk, { isNew, after, headers }: Streaming): Response {
  async function* pieces(): AsyncGenerator<Uint8Array | string> {
    yield ': hello\n\n'
    for await (const event of eventsOf(task, wire, request, desk, isNew)) if (Number(event.event_id) > after) yield* sseJson(event.event_type, event)
    yield 'data: [DONE]\n\n'
  }
  return streamPieces(pieces(), { headers: { ...eventStream, ...headers }, keepAlive: { everyMs: 15_000, text: ': still here\n\n' } })
}

async function* eventsOf(task: Task, wire: Kept, request: Incoming, desk: Desk, isNew: boolean): AsyncGenerator<InteractionEvent> {
  let last = 0
  let isTold = !isNew
  const nextId = () => String(++last)
  try {
    // Always the same first event, so that a reader who comes back counts as the one before.
    yield { event_type: 'interaction.created', event_id: nextId(), interaction: { ...writeFrame({ ...task, state: 'queued', problem: null }, wire) } }
    const ended = hasEnded(task.state) ? task : await desk.settled(task.id, { waitMs: waitMsOf(request.headers), signal: request.signal })
    if (!hasEnded(ended.state)) {
      yield { event_type: 'interaction.status_update', event_id: nextId(), interaction_id: task.id, status: 'in_progress' }
      return
    }
    yield* writeEnd(ended, wire, await mediaOf(ended, desk, wire, request.path), nextId)
    isTold = true
  } catch (thrown) {
    yield { event_type: 'error', event_id: nextId(), error: writeInteractionError(asProblem(thrown)) }
  } finally {
    if (!isTold) await desk.unanswered(task.id).catch(() => {})
  }
}

const get = (version: string): Route => ({
  method: 'GET', path: `/${version}/interactions/:id`, scope: 'tasks:read',
  about: {
    tag, summary: 'How an interaction stands', description: 'A task of any door can be read here.',
    query: Type.Object({ stream: Type.Optional(Type.Boolean()), last_event_id: Type.Optional(Type.String()), include_input: Type.Optional(Type.Boolean()) }),
  },
  async handle(request, desk) {
    const { query, params, path } = request
    const task = await findInteraction(params.id ?? '', desk)
    const wire = wireOf(task)
    if (readFlag(query, 'stream')) {
      const seen = query.get('last_event_id') ?? request.headers['last-event-id'] ?? '0'
      if (!/^\d{0,9}$/.test(seen)) throw no('last_event_id', 'last_event_id is not one of ours. Use the event_id you saw last.', { value: seen.slice(0, 60) })
      return streamInteraction(task, wire, request, desk, { isNew: false, after: Number(seen), headers: { 'x-task-id': task.id } })
    }
    const input: Step[] = readFlag(query, 'include_input') ? writeInputSteps(task, await inputsOf(task, desk)) : []
    return jsonResponse(writeInteraction(task, wire, await mediaOf(task, desk, wire, path), input), { headers: { 'x-task-id': task.id } })
  },
})

function readFlag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name) ?? ''
  if (!['', 'true', 'false'].includes(value)) throw no(name, `${name} must be true or false, not "${value.slice(0, 60)}".`)
  return value === 'true'
}

async function inputsOf(task: Task, desk: Desk): Promise<{ mime_type: string; uri: string }[]> {
  const assets = await Promise.all(task.inputs.map(({ assetId }) => desk.assets.find(assetId)))
  return assets.flatMap(asset => asset ? [{ mime_type: asset.mime, uri: desk.assets.link(asset) }] : [])
}

const cancel = (version: string): Route => ({
  method: 'POST', path: `/${version}/interactions/:id/cancel`, scope: 'tasks:write',
  about: { tag, summary: 'Cancel an interaction' },
  async handle({ params, path }, desk) {
    const task = await desk.cancel((await findInteraction(params.id ?? '', desk)).id)
    const wire = wireOf(task)
    return jsonResponse(writeInteraction(task, wire, await mediaOf(task, desk, wire, path)), { headers: { 'x-task-id': task.id } })
  },
})

/** Lets go of what was made; what it cost stays in the books. One that is under way is cancelled first. */
const remove = (version: string): Route => ({
  method: 'DELETE', path: `/${version}/interactions/:id`, scope: 'tasks:write',
  about: { tag, summary: 'Let go of what an interaction made' },
  async handle({ params }, desk) {
    const found = await findInteraction(params.id ?? '', desk)
    const task = hasEnded(found.state) ? found : await desk.cancel(found.id)
    for (const asset of task.outputs) await desk.assets.remove(asset.id)
    return jsonResponse({})
  },
})

export const interactionRoutes: Route[] = versions.flatMap(version => [create(version), get(version), cancel(version), remove(version)])

