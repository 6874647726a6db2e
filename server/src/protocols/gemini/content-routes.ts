/** generateContent, whole and streamed, and countTokens. */
import { Type } from 'typebox'
import type { Asset } from '../../domain/asset.ts'
import { asProblem, Problem, type StoredProblem } from '../../domain/problem.ts'
import { hasEnded, type Task } from '../../domain/task.ts'
import { base64Of, jsonResponse, sseJson, streamJson } from '../../kit/json-out.ts'
import { eventStream, streamPieces } from '../../kit/pieces.ts'
import type { Desk, Incoming, Route, Submitted } from '../contract.ts'
import { taskHeaders } from '../toolkit.ts'
import { guessTextTokens, pictureInTokens } from '../toolkit/tokens.ts'
import { blockOf, writeAnswer, writeChunks, writeDraft, type WritePicture } from './answer.ts'
import { readContents } from './contents.ts'
import { isObject, no, readFields } from './fields.ts'
import { readGenerate, type Context, type GeminiWire } from './generate.ts'
import { findModel, orderOf, placeOrder, stillMaking, waitMsOf } from './order.ts'
import { refuseWith, writeError } from './refusal.ts'
import { bodyMax, tag, versions } from './versions.ts'

const Body = Type.Object({
  contents: Type.Array(Type.Unknown(), { description: 'The conversation; the last content is what the user says now.' }),
  generationConfig: Type.Optional(Type.Unknown({ description: '`responseModalities`, `imageConfig {aspectRatio, imageSize}`, `responseFormat`, `candidateCount`, `seed`.' })),
}, { title: 'GeminiGenerateContent' })

/** Writes the pictures of a task as parts. Files are opened here and read when their turn comes. */
export async function picturesOf(task: Task, desk: Desk, { delivery }: Pick<GeminiWire, 'delivery'>): Promise<WritePicture> {
  if (delivery === 'uri') return asset => ({ fileData: { mimeType: asset.mime, fileUri: desk.assets.link(asset) } })
  const open = await openAll(task.outputs, desk)
  return asset => ({ inlineData: { mimeType: asset.mime, data: open(asset) } })
}

/** Base64 of any of these assets, as it will stand in the answer. */
export async function openAll(assets: Asset[], desk: Desk): Promise<(asset: Asset) => unknown> {
  const opened = new Map(await Promise.all(assets.map(async asset => [asset.id, base64Of(await desk.assets.open(asset))] as const)))
  return asset => opened.get(asset.id)
}

/** What a task that has not been made says at this door; null for one that was, or was refused for its content. */
export function failureOf(task: Task, path: string): Response | null {
  if (task.state === 'done' || blockOf(task.problem)) return null
  return refuseWith(task.problem ?? cancelled, path, task.id)
}

const generate = (version: string): Route => ({
  method: 'POST', path: `/${version}/models/:model::generateContent`, body: 'inline', bodyMax, scope: 'tasks:write',
  about: { tag, summary: 'Make or edit a picture, or write a text, and wait for it', body: Body },
  async handle(request, desk) {
    const context = await findModel(desk, request.params.model ?? '', 'content', 'generateContent')
    const read = readGenerate(request.body, context)
    if (read.thoughts) read.order.warnings = [...read.order.warnings ?? [], 'includeThoughts shows drafts in a stream only: use streamGenerateContent.']
    const submitted = await placeOrder(await orderOf(read, desk, request), order => desk.make(order, { waitMs: waitMsOf(request.headers), signal: request.signal }))
    const { task } = submitted
    if (!hasEnded(task.state)) return refuseWith(await stillMaking(task.id, desk), request.path, task.id)
    return failureOf(task, request.path)
      ?? jsonResponse(writeAnswer(task, read.wire, context.card, await picturesOf(task, desk, read.wire)), { headers: taskHeaders(submitted) })
  },
})

/** generateContent as a row of a batch: the task of a body, and the answer once it has ended. */
export const generateRow = {
  async submit({ body, inline }: { body: unknown; inline: Incoming['inline'] }, model: string, desk: Desk): Promise<Submitted> {
    const read = readGenerate(body, await findModel(desk, model, 'content', 'batchGenerateContent'))
    return placeOrder(await orderOf(read, desk, { inline, headers: {} }), order => desk.submit(order))
  },
  /** @throws {Problem} */
  async answer(task: Task, desk: Desk): Promise<Response> {
    if (task.state !== 'done' && !blockOf(task.problem)) throw new Problem((task.problem ?? cancelled).code, (task.problem ?? cancelled).message, { ...task.problem?.details, taskId: task.id })
    const wire = task.wire!.body as unknown as GeminiWire
    return jsonResponse(writeAnswer(task, wire, (await findModel(desk, task.model, 'content', 'batchGenerateContent')).card, await picturesOf(task, desk, wire)))
  },
}

const stream = (version: string): Route => ({
  method: 'POST', path: `/${version}/models/:model::streamGenerateContent`, body: 'inline', bodyMax, scope: 'tasks:write',
  about: { tag, summary: 'Make or edit a picture, or write a text, answered in chunks', description: 'Server-sent events with `?alt=sse`, else one JSON array. With `includeThoughts` drafts come as thoughts.', body: Body },
  async handle(request, desk) {
    const alt = request.query.get('alt') ?? request.query.get('$alt') ?? 'json'
    if (alt !== 'sse' && alt !== 'json') throw no('alt', `alt must be sse or json, not "${alt.slice(0, 60)}".`, { allowed: ['sse', 'json'] })
    const context = await findModel(desk, request.params.model ?? '', 'content', 'streamGenerateContent')
    const read = readGenerate(request.body, context)
    const taken = await orderOf(read, desk, request)
    const submitted = await placeOrder(taken, order => desk.submit({ ...order, ...(read.thoughts ? { partials: 2 } : {}) }))
    const chunks = chunksOf(submitted, { request, desk, wire: read.wire, thoughts: read.thoughts, card: context.card })
    return alt === 'sse'
      ? streamPieces(asEvents(chunks), { headers: { ...eventStream, ...taskHeaders(submitted) }, keepAlive: { everyMs: 15_000, text: ': still here\n\n' } })
      : streamPieces(asList(chunks), { headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', ...taskHeaders(submitted) }, keepAlive: { everyMs: 15_000, text: '\n' } })
  },
})

interface Streaming { request: Incoming; desk: Desk; wire: GeminiWire; thoughts: boolean; card: Context['card'] }

/** The chunks of a stream, drafts first; what went wrong is the last one. Who leaves before the end is remembered. */
async function* chunksOf({ task }: Submitted, { request, desk, wire, thoughts, card }: Streaming): AsyncGenerator<Record<string, unknown>> {
  const waitMs = waitMsOf(request.headers)
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(Math.ceil(waitMs))])
  let isTold = false
  try {
    if (thoughts && !hasEnded(task.state)) yield* draftsOf(task, desk, wire, signal)
    const ended = await desk.settled(task.id, { waitMs, signal })
    if (!hasEnded(ended.state)) throw request.signal.reason instanceof Problem ? request.signal.reason : await stillMaking(task.id, desk)
    if (ended.state !== 'done' && !blockOf(ended.problem)) {
      isTold = true
      yield writeFailure(ended.problem ?? cancelled, task.id)
      return
    }
    yield* writeChunks(ended, wire, card, await picturesOf(ended, desk, wire))
    isTold = true
  } catch (thrown) {
    yield writeFailure(asProblem(thrown), task.id)
  } finally {
    if (!isTold) await desk.unanswered(task.id).catch(() => {})
  }
}

const cancelled: StoredProblem = { code: 'cancelled', message: 'The task was cancelled while you waited for it.' }

const writeFailure = ({ code, message, details }: StoredProblem, taskId: string) => ({ error: writeError({ code, message, details: { ...details, taskId } }) })

/** Pictures of how the picture comes to be, until it is there. */
async function* draftsOf(task: Task, desk: Desk, wire: GeminiWire, signal: AbortSignal): AsyncGenerator<Record<string, unknown>> {
  for await (const event of desk.events({ taskId: task.id, types: ['task.progressed', 'task.completed', 'task.failed', 'task.cancelled'], after: 0, signal })) {
    if (event.type !== 'task.progressed') return
    const draft = await desk.partial(event)
    if (draft) yield writeDraft(task, wire, { mimeType: draft.mime, data: draft.bytes.toString('base64') })
  }
}

async function* asEvents(chunks: AsyncIterable<Record<string, unknown>>): AsyncGenerator<Uint8Array | string> {
  // At once, so that the reader has the head of the answer, and the task's id in it.
  yield ': hello\n\n'
  for await (const chunk of chunks) yield* sseJson(null, chunk)
}

async function* asList(chunks: AsyncIterable<Record<string, unknown>>): AsyncGenerator<Uint8Array | string> {
  yield '[\n'
  let isFirst = true
  for await (const chunk of chunks) {
    if (!isFirst) yield ',\n'
    isFirst = false
    yield* streamJson(chunk)
    yield '\n'
  }
  yield ']\n'
}

const count = (version: string): Route => ({
  method: 'POST', path: `/${version}/models/:model::countTokens`, body: 'inline', bodyMax, scope: 'tasks:read', counts: false,
  about: { tag, summary: 'About how many tokens a prompt has', description: 'By guess: a token for every four letters, other scripts denser, 258 for a picture.' },
  async handle({ body, params }, desk) {
    await findModel(desk, params.model ?? '', 'any', 'countTokens')
    const { contents, generateContentRequest } = readFields(body, '', ['contents', 'generateContentRequest', 'model', 'systemInstruction', 'tools', 'generationConfig'])
    const asked = generateContentRequest === undefined ? { contents, systemInstruction: isObject(body) ? body.systemInstruction ?? body.system_instruction : undefined }
      : { contents: pick(generateContentRequest, 'contents'), systemInstruction: pick(generateContentRequest, 'systemInstruction') ?? pick(generateContentRequest, 'system_instruction') }
    if (contents !== undefined && generateContentRequest !== undefined) throw no('contents', 'contents and generateContentRequest may not both be given.')
    const { words, pictures } = countWords(asked.contents, asked.systemInstruction ?? undefined)
    const details = [...(words > 0 ? [{ modality: 'TEXT', tokenCount: words }] : []), ...(pictures > 0 ? [{ modality: 'IMAGE', tokenCount: pictures * pictureInTokens }] : [])]
    return jsonResponse({ totalTokens: words + pictures * pictureInTokens, promptTokensDetails: details })
  },
})

const pick = (value: unknown, name: string): unknown => isObject(value) ? value[name] : undefined

/** Of the whole conversation, not only of what would go to the model. */
function countWords(contents: unknown, systemInstruction: unknown): { words: number; pictures: number } {
  const all = isObject(contents) ? [contents] : Array.isArray(contents) ? contents as unknown[] : contents === undefined ? [] : [contents]
  // Read each by itself: it is counted, not answered, so the order of turns does not matter.
  const read = all.map(content => readContents([isObject(content) ? { ...content, role: 'user' } : content], undefined))
  const system = systemInstruction === undefined ? [] : [readContents([systemInstruction], undefined)]
  if (read.length === 0) throw no('contents', 'contents is not specified.')
  return {
    words: [...system, ...read].reduce((sum, { prompt }) => sum + guessTextTokens(prompt), 0),
    pictures: read.reduce((sum, { pictures }) => sum + pictures.length, 0),
  }
}

export const contentRoutes: Route[] = versions.flatMap(version => [generate(version), stream(version), count(version)])
