/** `/v1/chat/completions`, with pictures in the answer or with words. A refused prompt is a 400 here, never `finish_reason: content_filter`. */
import type { Asset } from '../../domain/asset.ts'
import type { Order } from '../../domain/order.ts'
import type { Task } from '../../domain/task.ts'
import { base64Of, jsonResponse } from '../../kit/json-out.ts'
import type { ServerEvent } from '../../kit/sse.ts'
import type { Desk, Incoming, Route, Submitted } from '../contract.ts'
import { taskHeaders } from '../toolkit.ts'
import { isWriter, writingOf } from '../toolkit/talk.ts'
import { chatNames, readChatCall, withoutEffect, type ChatCall } from './chat-read.ts'
import { writeChat, writeFirstChunk, writeLastChunks, type ChatWish } from './chat-write.ts'
import { invalid, readRequired } from './fields.ts'
import { cardNamedIn, findModel } from './models.ts'
import { withPictures, type Picture } from './pictures.ts'
import type { RowCall } from './row-call.ts'
import { readSettings, readShape } from './settings.ts'
import { answerStream, follow } from './stream.ts'
import { make, readRepetition, requireDone } from './waiting.ts'
import { writeError } from './words.ts'

const linkSeconds = 14 * 86_400

const create: Route = {
  method: 'POST', path: '/v1/chat/completions', body: 'inline', scope: 'tasks:write',
  about: { tag: 'Chat', summary: 'Pictures or words in a chat', description: 'A model that draws answers with `message.images`; with `images_in_content: true` links to them stand in the words too. A model that writes answers in words.' },
  async handle(request, desk) {
    const { call, order, pictures } = await readCall(request.body, request.inline, desk)
    if (call.stream) {
      const submitted = await withPictures(pictures, desk, inputs => desk.submit({ ...order, inputs, ...readRepetition(request.headers) }))
      return stream(submitted, { imagesInContent: call.imagesInContent, includeUsage: call.includeUsage, link: linkAt(desk) }, request, desk)
    }
    const made = await withPictures(pictures, desk, inputs => make({ ...order, inputs }, request, desk))
    return answer(made.task, desk, taskHeaders(made))
  },
}

const linkAt = (desk: Desk) => (asset: Asset): string => desk.assets.link(asset, { seconds: linkSeconds })

/** What a call asks for: a draft of its order, and the pictures it names. @throws {Problem} */
async function readCall(body: unknown, inline: Incoming['inline'], desk: Desk): Promise<{ call: ChatCall; order: Omit<Order, 'inputs'>; pictures: Picture[] }> {
  const named = await cardNamedIn(body, desk)
  const writes = named !== undefined && isWriter(named)
  const call = readChatCall(body, inline, { writes })
  if (writes) return readTextCall(call, desk)
  const { card, asked, warnings } = await findModel(readRequired(call.model, 'model'), 'image', desk)
  const settings = readSettings(call.settings, card, chatNames)
  const shape = readShape(call, card)
  const pictures = call.conversation.pictures.filter((picture): picture is Picture => 'source' in picture)
  const order: Omit<Order, 'inputs'> = {
    model: asked, prompt: call.conversation.prompt, parameters: { ...shape.parameters, ...settings.parameters },
    ...(pictures.length === 0 ? { operation: 'generate' } : {}),
    warnings: [...call.warnings, ...warnings, ...settings.warnings, ...shape.warnings],
    wire: { protocol: 'openai', body: { kind: 'chat', ...(call.imagesInContent ? { imagesInContent: true } : {}) } },
  }
  return { call, order, pictures }
}

/** The same for a model that writes. */
async function readTextCall(call: ChatCall, desk: Desk): ReturnType<typeof readCall> {
  const { conversation } = call
  const { card, asked, warnings } = await findModel(readRequired(call.model, 'model'), 'text', desk)
  const settings = readSettings(call.settings, card, chatNames)
  const { warnings: read, ...writing } = writingOf(card, { system: conversation.system, turns: conversation.turns, ...call.wishes })
  const order: Omit<Order, 'inputs'> = {
    model: asked, ...writing, parameters: { ...settings.parameters, ...writing.parameters },
    warnings: [...call.warnings, ...warnings, ...settings.warnings, ...read, ...withoutEffect(call.settings)],
    wire: { protocol: 'openai', body: { kind: 'chat' } },
  }
  return { call, order, pictures: conversation.shown }
}

/** The answer to a call whose task has ended. @throws {Problem} */
async function answer(ended: Task, desk: Desk, headers: Record<string, string> = {}): Promise<Response> {
  const task = requireDone(ended)
  const imagesInContent = (task.wire?.body as { imagesInContent?: boolean } | null)?.imagesInContent ?? false
  const opened = new Map(await Promise.all(task.outputs.map(async asset => [asset, await desk.assets.open(asset)] as const)))
  return jsonResponse(writeChat(task, asset => base64Of(opened.get(asset)!, { dataUrl: true }), { imagesInContent, link: linkAt(desk) }), { headers })
}

/** `/v1/chat/completions` as a row of a batch. */
export const chatRow: RowCall = {
  async submit({ body, inline }, desk) {
    const { call, order, pictures } = await readCall(body, inline, desk)
    if (call.stream) throw invalid('stream', 'A request of a batch cannot be streamed.')
    return withPictures(pictures, desk, inputs => desk.submit({ ...order, inputs }))
  },
  answer: (task, desk) => answer(task, desk),
}

function stream(submitted: Submitted, wish: ChatWish & { includeUsage: boolean }, { signal }: Incoming, desk: Desk): Response {
  const events = async function* (): AsyncGenerator<ServerEvent> {
    yield { data: writeFirstChunk(submitted.task) }
    for await (const happening of follow(submitted.task, desk, signal)) {
      if (happening.kind !== 'end') continue
      const task = requireDone(happening.task)
      const pictures = await Promise.all(task.outputs.map(async asset => base64Of(await desk.assets.open(asset), { dataUrl: true })))
      for (const chunk of writeLastChunks(task, pictures, wish)) yield { data: chunk }
    }
  }
  return answerStream(submitted, events(), { isDone: true, writeFailure: problem => ({ data: { error: writeError(problem) } }) })
}

export const chat: Route[] = [create]
