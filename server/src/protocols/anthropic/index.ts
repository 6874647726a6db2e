/**
 * Anthropic's front door: messages whose answers are pictures, or words by a model that writes.
 *
 * The API takes pictures in and never gives any out, so an answer carries them in the shape they came in, behind a text that shows
 * them too; `output.ts` says who gets what. Absent on purpose: half pictures in a stream, which clients would keep.
 */
import { Type } from 'typebox'
import { Problem } from '../../domain/problem.ts'
import { hasEnded } from '../../domain/task.ts'
import { newId } from '../../kit/id.ts'
import { eventStream, jsonResponse, sseJson, streamPieces } from '../../kit/json-out.ts'
import { protocol, type Desk, type Incoming, type Protocol, type Route } from '../contract.ts'
import { readAnySecret, rename, takeIn, taskHeaders } from '../toolkit.ts'
import { isWriter } from '../toolkit/talk.ts'
import { finish, follow, notYet } from './answer.ts'
import { findModel, readAsked, readRepetition, wantedBy, type Asked } from './asked.ts'
import { batches, batchWords } from './batches.ts'
import { files } from './files.ts'
import { writeMessage, writeRefusal, writeRest, writeStart, type Message, type StreamEvent } from './message.ts'
import { writeModel, writeModels } from './models.ts'
import { readOutput } from './output.ts'
import { toolName } from './plan.ts'
import { countTokens, readMessages } from './read.ts'
import { sayNo, writeError, writeRate } from './words.ts'

const tag = 'Anthropic'
/** Upstream's is 32 MB; base64 is decoded while it comes in, so more costs nobody memory. */
const bodyMax = 64 * 1024 * 1024
/** The SDK waits ten minutes. */
const waitMaxMs = 590_000

const Body = Type.Object({
  model: Type.String({ description: 'Any name of a model; options may follow: `nano-banana-pro@16:9@4k`.' }),
  max_tokens: Type.Integer({ minimum: 1, description: 'Asked for by the dialect; how long a text may become. A picture has no length.' }),
  messages: Type.Array(Type.Unknown(), { description: 'The last turn says what to make; its pictures, those of its tool results and the newest one of the assistant go in.' }),
  stream: Type.Optional(Type.Boolean()),
  image: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'Ours: `size`, `aspect_ratio`, `resolution`, `quality`, `n`, `seed`, `output_format`, `background`. Also as `metadata.image`.' })),
}, { title: 'AnthropicMessage' })

const json = (body: unknown, requestId: string, headers: Record<string, string> = {}, status = 200): Response =>
  Response.json(body, { status, headers: { 'request-id': requestId, ...headers } })

const create: Route = {
  method: 'POST', path: '/v1/messages', body: 'inline', scope: 'tasks:write', bodyMax,
  about: {
    tag, summary: 'Make or change pictures in a conversation, or write', body: Body,
    description: 'Answers with a message whose content is a text and image blocks; `x-image-output: block | url | link | file | tool` asks for another form. With `stream`, the same as events, with pings while it is made.',
  },
  async handle(request, desk) {
    const output = readOutput(request.headers)
    const { draft, card, plan } = await readAsked(request, desk, { callsTool: output === 'tool' })
    if (output === 'tool' && !isWriter(card)) return await callTool(request, desk, { draft, card, plan })
    const { inputs, giveBack } = await takeIn(await wantedBy(plan, card, desk), desk)
    const order = { ...plan.order, inputs, ...readRepetition(request.headers) }
    let isTaken = false
    try {
      return draft.stream ? await stream() : await whole()
    } catch (thrown) {
      if (isTaken) throw thrown
      await giveBack()
      if (thrown instanceof Problem && thrown.code === 'content_rejected') {
        return say(writeRefusal({ id: `msg_${newId()}`, model: draft.model, explanation: thrown.message, task: null }), request, draft.stream)
      }
      throw rename(thrown, plan.names, { says: ': ' })
    }

    async function whole(): Promise<Response> {
      const { task, replayed } = await desk.make(order, { waitMs: readWaitMs(request.headers), signal: request.signal })
      isTaken = true
      if (replayed) await giveBack()
      if (!hasEnded(task.state)) throw notYet(task, request.signal)
      return jsonResponse(writeMessage(await finish(task, output, desk)), { headers: { 'request-id': request.requestId, ...taskHeaders({ task, replayed }) } })
    }

    async function stream(): Promise<Response> {
      const { task, replayed } = await desk.submit(order)
      isTaken = true
      if (replayed) await giveBack()
      const over = new AbortController()
      const events = follow(task, desk, { output, signal: AbortSignal.any([request.signal, over.signal]), requestId: request.requestId })
      return streamPieces(writeEvents(events), { onEnd: () => over.abort(), headers: { ...eventStream, 'request-id': request.requestId, ...taskHeaders({ task, replayed }) } })
    }
  },
}

/** Asks the client's own tool for the picture: nothing is made or paid here. Once the tool has answered, there is nothing left to ask. */
async function callTool(request: Incoming, desk: Desk, { draft, card, plan }: Asked): Promise<Response> {
  if (!draft.tools.includes(toolName)) throw new Problem('bad_request', `tools: x-image-output: tool needs a tool called ${toolName}.`, { field: 'tools' })
  const usage = { input: countTokens(draft), output: 0 }
  const head = { id: `msg_${newId()}`, model: draft.model, stopDetails: null, usage, house: null }
  if (draft.answered.some(({ name }) => name === toolName)) {
    return say({ ...head, content: [{ type: 'text', text: 'The picture is in the result of the tool.', citations: null }], stopReason: 'end_turn' }, request, draft.stream)
  }
  const { inputs, giveBack } = await takeIn(await wantedBy(plan, card, desk), desk)
  const { model, prompt, parameters } = plan.order
  try {
    await desk.estimate({ ...plan.order, inputs })
  } catch (thrown) {
    await giveBack()
    throw rename(thrown, plan.names, { says: ': ' })
  }
  const input = { model, prompt, parameters, ...(inputs.length > 0 ? { inputs: inputs.map(({ assetId, role }) => ({ asset: assetId, role })) } : {}) }
  return say({
    ...head, stopReason: 'tool_use',
    content: [{ type: 'text', text: 'I will have the picture made.', citations: null }, { type: 'tool_use', id: `toolu_${newId()}`, name: toolName, input, caller: { type: 'direct' } }],
  }, request, draft.stream)
}

/** A message that is there already. */
function say(message: Message, { requestId }: Incoming, isStream: boolean): Response {
  if (!isStream) return json(writeMessage(message), requestId)
  return streamPieces(writeEvents([writeStart(message), ...writeRest(message)]), { headers: { ...eventStream, 'request-id': requestId } })
}

/** Events on the wire, a picture in them piece by piece. */
async function* writeEvents(events: AsyncIterable<StreamEvent> | Iterable<StreamEvent>): AsyncGenerator<Uint8Array> {
  for await (const { event, data } of events) yield* sseJson(event, data)
}

/** A little less than the client waits, so that it hears which task it was. */
function readWaitMs(headers: Incoming['headers']): number {
  const seconds = Number(headers['x-stainless-timeout'])
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(waitMaxMs, seconds * 900) : waitMaxMs
}

const count: Route = {
  method: 'POST', path: '/v1/messages/count_tokens', body: 'inline', scope: 'tasks:read', bodyMax,
  about: { tag, summary: 'Guess how many tokens a conversation has' },
  async handle(request, desk) {
    const draft = readMessages(request.body, { inline: text => request.inline(text), counts: true })
    await findModel(draft, desk)
    return json({ input_tokens: countTokens(draft) }, request.requestId)
  },
}

const models: Route = {
  method: 'GET', path: '/v1/models', scope: 'tasks:read',
  about: { tag, summary: 'List models', description: 'Asked for with `anthropic-version` or `x-api-key`.' },
  handle: async ({ query, requestId }, desk) => json(writeModels(desk.models.all(), query), requestId),
}

const model: Route = {
  method: 'GET', path: '/v1/models/:model', scope: 'tasks:read',
  about: { tag, summary: 'Get a model, by any of its names' },
  async handle({ params, requestId }, desk) {
    const name = params.model ?? ''
    const found = await desk.models.find(name, 'anthropic')
    if (!found) throw new Problem('unknown_model', `model: ${name.slice(0, 100)}`, { field: 'model', value: name.slice(0, 100) })
    return json(writeModel(found.card, name), requestId)
  },
}

const routes = [create, count, models, model, ...files, ...batches]

const refuse: Protocol['refuse'] = (problem, { requestId }) => {
  const { status, retry } = sayNo(problem)
  const { taskId } = problem.details
  return json(writeError(problem, requestId), requestId, {
    'x-should-retry': String(retry),
    ...(typeof taskId === 'string' ? { 'x-task-id': taskId } : {}),
  }, status)
}

export default protocol({
  id: 'anthropic',
  title: 'Anthropic',
  // `/v1` is everybody's: an address there that nobody has is refused in these words only where the request is claimed.
  prefixes: ['/v1', '/v1/messages'],
  claims: ({ headers }) => headers['anthropic-version'] !== undefined || headers['x-api-key'] !== undefined,
  readSecret: readAnySecret,
  batches: batchWords,
  routes, refuse, writeRate,
})
