/** `/v1/responses`: the image tool, turn by turn, and texts. A response is a task: its id carries the task's. */
import type { InputReference, Order } from '../../domain/order.ts'
import { Problem } from '../../domain/problem.ts'
import { hasEnded, type Task } from '../../domain/task.ts'
import { base64Of, jsonResponse } from '../../kit/json-out.ts'
import type { ServerEvent } from '../../kit/sse.ts'
import type { Desk, Incoming, Route, Submitted } from '../contract.ts'
import { taskHeaders } from '../toolkit.ts'
import type { Made } from './conversation.ts'
import { invalid } from './fields.ts'
import { readId, type Prefix } from './ids.ts'
import { isWriter, writingOf } from '../toolkit/talk.ts'
import { cardNamedIn, findModel } from './models.ts'
import { withPictures, type Picture } from './pictures.ts'
import { sizeOfPicture } from './pixels.ts'
import { readResponseCall, toolNames, type ResponseCall } from './responses-read.ts'
import type { RowCall } from './row-call.ts'
import { ResponseEvents, wireOf, writeInputItems, writeResponse } from './responses-write.ts'
import { readSettings } from './settings.ts'
import { answerStream, follow } from './stream.ts'
import { make, readRepetition, requireDone } from './waiting.ts'

const tag = 'Responses'

const create: Route = {
  method: 'POST', path: '/v1/responses', body: 'inline', scope: 'tasks:write',
  about: { tag, summary: 'Pictures by the image_generation tool, or a text', description: 'Also streamed, in the background, and turn by turn with `previous_response_id`.' },
  async handle(request, desk) {
    const { call, order, pictures } = await readCall(request.body, request.inline, desk)
    const isLater = call.stream || call.wire.background
    const submitted = await withPictures(pictures, desk, (inputs: InputReference[]) => isLater
      ? desk.submit({ ...order, inputs, ...readRepetition(request.headers) })
      : make({ ...order, inputs }, request, desk))
    if (call.stream) return stream(submitted, request, desk, -1)
    return answer(isLater ? submitted.task : requireDone(submitted.task), desk, taskHeaders(submitted))
  },
}

/** What a call asks for: a draft of its order, and the pictures it names. @throws {Problem} */
async function readCall(body: unknown, inline: Incoming['inline'], desk: Desk): Promise<{ call: ResponseCall; order: Omit<Order, 'inputs'>; pictures: Picture[] }> {
  const own = await cardNamedIn(body, desk)
  const call = readResponseCall(body, inline, { isImageModel: own !== undefined && own.output.kind === 'image' && own.kind !== 'tool', isTextModel: own !== undefined && isWriter(own) })
  if (call.writing) return readTextCall(call, call.writing, desk)
  const toolModel = call.tool.model
  const isOwn = own?.output.kind === 'image'
  const { card, asked, warnings } = await findModel(toolModel ?? (isOwn ? call.wire.model : undefined), 'image', desk)
  const settings = readSettings(call.tool, card, toolNames)
  const pictures = await findPictures(call, desk)
  if (call.action === 'edit' && pictures.length === 0) throw invalid('tools[0].action', 'There is no picture to edit. Send one, or name an earlier response.')
  if (!call.conversation.hasWords) throw invalid('input', "'input' says nothing to make or change.")
  const order = {
    model: asked, prompt: call.conversation.prompt, parameters: settings.parameters,
    ...(pictures.length === 0 ? { operation: 'generate' as const } : {}),
    warnings: [...call.warnings, ...warnings, ...settings.warnings],
    metadata: call.wire.metadata,
    wire: { protocol: 'openai', body: call.wire as never },
    ...(call.partials > 0 ? { partials: call.partials } : {}),
  }
  return { call, order, pictures }
}

/** The same for a model that writes. */
async function readTextCall(call: ResponseCall, wishes: NonNullable<ResponseCall['writing']>, desk: Desk): ReturnType<typeof readCall> {
  const { conversation, wire } = call
  if (wire.previousResponseId !== null) throw invalid('previous_response_id', "'previous_response_id': texts are not gone on from here. Send the whole conversation in input.", { openaiCode: 'unsupported_parameter' })
  const { card, asked, warnings } = await findModel(wire.model, 'text', desk)
  if (!conversation.hasWords) throw invalid('input', "'input' says nothing to answer.")
  const { warnings: read, ...writing } = writingOf(card, { system: conversation.system, turns: conversation.turns, ...wishes })
  const order = { model: asked, ...writing, warnings: [...call.warnings, ...warnings, ...read], metadata: wire.metadata, wire: { protocol: 'openai', body: wire as never } }
  return { call, order, pictures: conversation.shown }
}

/** `/v1/responses` as a row of a batch. */
export const responseRow: RowCall = {
  async submit({ body, inline }, desk) {
    const { call, order, pictures } = await readCall(body, inline, desk)
    if (call.stream || call.wire.background) throw invalid(call.stream ? 'stream' : 'background', 'A request of a batch can neither be streamed nor sent to the background.')
    return withPictures(pictures, desk, inputs => desk.submit({ ...order, inputs }))
  },
  answer: (task, desk) => answer(requireDone(task), desk),
}

/** Pictures of the conversation, those of earlier responses by their tasks. */
async function findPictures({ conversation, action, mask }: ResponseCall, desk: Desk): Promise<Picture[]> {
  const found: Picture[] = []
  for (const picture of conversation.pictures) {
    if ('source' in picture) {
      if (action === 'generate') throw invalid('tools[0].action', 'The action generate takes no pictures. Leave it out, or use edit.')
      found.push(picture)
      // A new picture is made without looking at earlier ones; they still have to be there.
    } else found.push(...(await findMade(picture, desk)).filter(() => action !== 'generate'))
  }
  if (mask && found.length === 0) throw invalid('tools[0].input_image_mask', 'A mask needs a picture to lie on.')
  return mask ? [...found, mask] : found
}

async function findMade({ callId, param }: Made, desk: Desk): Promise<Picture[]> {
  const prefix: Prefix = param === 'previous_response_id' ? 'resp' : 'ig'
  const id = readId(prefix, callId)
  const task = id ? await desk.find(id.id) : null
  if (!id || !task || isHidden(task)) {
    throw prefix === 'resp' ? new Problem('bad_request', `Previous response with id '${callId.slice(0, 100)}' not found.`, { param, openaiCode: 'previous_response_not_found' }) : new Problem('not_found', `Item with id '${callId.slice(0, 100)}' not found.`, { param })
  }
  if (!hasEnded(task.state)) throw invalid(param, `Response ${callId.slice(0, 100)} is still being made. Wait for it first.`)
  const outputs = prefix === 'resp' ? task.outputs : task.outputs.slice(id.index, id.index + 1)
  if (outputs.length === 0) throw invalid(param, `Response ${callId.slice(0, 100)} has no picture to go on from.`)
  return outputs.map(({ id: assetId }): Picture => ({ param, role: 'reference', source: { assetId } }))
}

/** Not there for this door: never to be stored, or its pictures have been deleted. */
const isHidden = (task: Task): boolean => !wireOf(task).store || (task.state === 'done' && task.outputs.length === 0 && task.operation !== 'write')

async function find({ params }: Incoming, desk: Desk): Promise<Task> {
  const text = params.id ?? ''
  const id = readId('resp', text)
  const task = id ? await desk.find(id.id) : null
  if (!task || isHidden(task)) throw new Problem('not_found', `Response with id '${text.slice(0, 100).toWellFormed()}' not found.`, { param: 'response_id' })
  return task
}

async function answer(task: Task, desk: Desk, headers: Record<string, string> = {}): Promise<Response> {
  const opened = new Map(await Promise.all(task.outputs.map(async asset => [asset, await desk.assets.open(asset)] as const)))
  return jsonResponse(writeResponse(task, asset => base64Of(opened.get(asset)!)), { headers })
}

/** The events of a response after a number; -1 gives them all. */
function stream(submitted: Submitted, { signal }: Incoming, desk: Desk, after: number): Response {
  const { task } = submitted
  const written = new ResponseEvents(task)
  const events = async function* (): AsyncGenerator<ServerEvent> {
    yield* written.begin()
    for await (const happening of follow(task, desk, signal)) {
      switch (happening.kind) {
        case 'lost': written.skip(); break
        case 'partial': yield written.partial({ index: happening.index, base64: happening.bytes.toString('base64'), mime: happening.mime, size: sizeOfPicture(happening.bytes) }); break
        case 'end':
          if (happening.task.state !== 'done') yield written.fail(happening.task)
          else yield* written.complete(happening.task, await Promise.all(happening.task.outputs.map(async asset => base64Of(await desk.assets.open(asset)))))
      }
    }
  }
  const later = async function* () {
    for await (const event of events()) if ((event.data as { sequence_number: number }).sequence_number > after) yield event
  }
  return answerStream(submitted, later(), { writeFailure: problem => written.breakOff(problem) })
}

const get: Route = {
  method: 'GET', path: '/v1/responses/:id', scope: 'tasks:read',
  about: { tag, summary: 'A response', description: 'With `stream=true` its events, after `starting_after` where that is given.' },
  async handle(request, desk) {
    const task = await find(request, desk)
    if (request.query.get('stream') !== 'true') return answer(task, desk)
    const after = request.query.get('starting_after')
    if (after !== null && !/^\d{1,9}$/.test(after)) throw invalid('starting_after', "'starting_after' must be the sequence_number of an event.")
    return stream({ task, replayed: false }, request, desk, after === null ? -1 : Number(after))
  },
}

const remove: Route = {
  method: 'DELETE', path: '/v1/responses/:id', scope: 'tasks:write', body: 'none',
  about: { tag, summary: 'Delete a response and its pictures' },
  async handle(request, desk) {
    const task = await find(request, desk)
    if (task.operation === 'write') throw invalid('response_id', 'A text stands in its task and cannot be deleted here. Send store: false where it is not to be read again.')
    if (!hasEnded(task.state)) await desk.cancel(task.id)
    for (const asset of task.outputs) await desk.assets.remove(asset.id)
    return Response.json({ id: request.params.id, object: 'response', deleted: true })
  },
}

const cancel: Route = {
  method: 'POST', path: '/v1/responses/:id/cancel', scope: 'tasks:write', body: 'none',
  about: { tag, summary: 'Cancel a response in the background' },
  async handle(request, desk) {
    const task = await find(request, desk)
    if (!wireOf(task).background) throw invalid('response_id', 'Only responses in the background can be cancelled.')
    return answer(task.state === 'done' ? task : await desk.cancel(task.id), desk)
  },
}

const inputItems: Route = {
  method: 'GET', path: '/v1/responses/:id/input_items', scope: 'tasks:read',
  about: { tag, summary: 'What went into a response' },
  async handle(request, desk) {
    const task = await find(request, desk)
    const assets = await Promise.all(task.inputs.map(({ assetId }) => desk.assets.find(assetId)))
    const links = new Map(assets.flatMap(asset => asset ? [[asset.id, desk.assets.link(asset, { seconds: 3_600 })] as const] : []))
    return Response.json(writeInputItems(task, assetId => links.get(assetId) ?? null))
  },
}

export const responses: Route[] = [create, get, remove, cancel, inputItems]
