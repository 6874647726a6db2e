/** `/v1/chat/completions` with pictures in the answer. A refused prompt is a 400 here, never `finish_reason: content_filter`. */
import type { Order } from '../../domain/order.ts'
import { base64Of, jsonResponse } from '../../kit/json-out.ts'
import type { ServerEvent } from '../../kit/sse.ts'
import type { Desk, Incoming, Route, Submitted } from '../contract.ts'
import { chatNames, readChatCall } from './chat-read.ts'
import { writeChat, writeFirstChunk, writeLastChunks, type ChatWish } from './chat-write.ts'
import { readRequired } from './fields.ts'
import { findModel } from './models.ts'
import { withPictures, type Picture } from './pictures.ts'
import { readSettings, readShape } from './settings.ts'
import { answerStream, follow } from './stream.ts'
import { make, readRepetition, requireDone, taskHeaders } from './waiting.ts'
import { writeError } from './words.ts'

const linkSeconds = 14 * 86_400

const create: Route = {
  method: 'POST', path: '/v1/chat/completions', body: 'inline', scope: 'tasks:write',
  about: { tag: 'Chat', summary: 'Pictures in a chat', description: 'Answers with `message.images`; with `images_in_content: true` links to them stand in the words too.' },
  async handle(request, desk) {
    const call = readChatCall(request.body, request.inline)
    const { card, asked, warnings } = await findModel(readRequired(call.model, 'model'), 'image', desk)
    const settings = readSettings(call.settings, card, chatNames)
    const shape = readShape(call, card)
    const pictures = call.conversation.pictures.filter((picture): picture is Picture => 'source' in picture)
    const order: Omit<Order, 'inputs'> = {
      model: asked, prompt: call.conversation.prompt, parameters: { ...shape.parameters, ...settings.parameters },
      ...(pictures.length === 0 ? { operation: 'generate' } : {}),
      warnings: [...call.warnings, ...warnings, ...settings.warnings, ...shape.warnings],
      wire: { protocol: 'openai', body: { kind: 'chat' } },
    }
    const wish = { imagesInContent: call.imagesInContent, includeUsage: call.includeUsage, link: (asset: Parameters<Desk['assets']['link']>[0]) => desk.assets.link(asset, { seconds: linkSeconds }) }
    if (call.stream) return stream(await withPictures(pictures, desk, inputs => desk.submit({ ...order, inputs, ...readRepetition(request.headers) })), wish, request, desk)
    const made = await withPictures(pictures, desk, inputs => make({ ...order, inputs }, request, desk))
    const task = requireDone(made.task)
    const opened = new Map(await Promise.all(task.outputs.map(async asset => [asset, await desk.assets.open(asset)] as const)))
    return jsonResponse(writeChat(task, asset => base64Of(opened.get(asset)!, { dataUrl: true }), wish), { headers: taskHeaders(made) })
  },
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
