/** A task as the answer of generateContent, whole or in the chunks of a stream. Pure: pictures are written by whoever is handed in. */
import type { Asset } from '../../domain/asset.ts'
import type { Card } from '../../domain/card.ts'
import type { Json } from '../../domain/outcome.ts'
import type { StoredProblem } from '../../domain/problem.ts'
import type { Task } from '../../domain/task.ts'
import { isCut } from '../toolkit/talk.ts'
import { isObject } from './fields.ts'
import type { GeminiWire } from './generate.ts'
import { signAsset, signTask, upstreamSignatures } from './signature.ts'
import { writeUsage } from './usage.ts'

/** A picture as a part: `inlineData` with its bytes, or `fileData` with a link. */
export type WritePicture = (asset: Asset) => Record<string, unknown>

type Chunk = Record<string, unknown>

/** Why a picture did not come of a prompt that was taken. `CONTINUATION` is not among them: clients would go on by themselves. */
const imageReasons = ['IMAGE_SAFETY', 'IMAGE_PROHIBITED_CONTENT', 'IMAGE_RECITATION', 'IMAGE_OTHER', 'NO_IMAGE', 'RECITATION', 'SPII', 'LANGUAGE', 'MAX_TOKENS']
const blockReasons = ['SAFETY', 'OTHER', 'BLOCKLIST', 'PROHIBITED_CONTENT', 'MODEL_ARMOR', 'JAILBREAK']

/** A refusal for what was asked or made is an answer in this dialect, not an error. Null for every other problem. */
export function blockOf(problem: StoredProblem | null): { stage: 'prompt' | 'image'; reason: string } | null {
  if (!problem) return null
  const own = problem.details?.upstreamCode ?? ''
  const isAnswer = problem.code === 'content_rejected' || problem.code === 'bad_output' || problem.code === 'provider_failed' || problem.code === 'provider_rejected'
  if (isAnswer && imageReasons.includes(own)) return { stage: 'image', reason: own }
  if (problem.code !== 'content_rejected') return null
  return { stage: 'prompt', reason: blockReasons.includes(own) ? own : 'SAFETY' }
}

/** What every answer and every chunk says about itself. */
const frameOf = (task: Task, { model }: GeminiWire) => ({ modelVersion: model.replace(/^models\//, ''), responseId: task.id })

/** Where a model stands in its life, where that is worth knowing. */
export function writeModelStatus(card: Card | null): Chunk {
  if (!card || card.life.state === 'active') return {}
  const { state, since, ends, replacement } = card.life
  const end = ends ?? since
  return { modelStatus: {
    modelStage: state === 'retired' ? 'RETIRED' : 'DEPRECATED',
    message: `${card.id} is ${state}.${replacement ? ` Use ${replacement}.` : ''}`,
    ...(end ? { retirementTime: `${end}T00:00:00Z` } : {}),
  } }
}

interface Candidate { index: number; thought: Record<string, unknown> | null; text: Record<string, unknown> | null; picture: Record<string, unknown> | null; end: Chunk }

/** One candidate for each picture that was asked for; those that did not come say so. */
function candidatesOf(task: Task, wire: GeminiWire, write: WritePicture): Candidate[] {
  const asked = typeof task.parameters.count === 'number' ? task.parameters.count : 1
  const theirs = upstreamSignatures(task)
  const grounding: Json | undefined = task.details.grounding_metadata
  const thoughts: Json | undefined = task.details.thoughts
  return Array.from({ length: Math.max(asked, task.outputs.length) }, (_, index) => {
    const asset = task.outputs[index]
    if (!asset) return { index, thought: null, text: null, picture: null, end: { finishReason: 'IMAGE_OTHER', finishMessage: 'This picture could not be made. It was not charged.' } }
    return {
      index,
      thought: wire.thoughts && index === 0 && typeof thoughts === 'string' ? { text: thoughts, thought: true } : null,
      text: wire.text && task.text ? { text: task.text, thoughtSignature: signTask(task.id) } : null,
      picture: { ...write(asset), thoughtSignature: theirs[index] ?? signAsset(asset.id) },
      end: { finishReason: 'STOP', ...(wire.note ? { finishMessage: wire.note } : {}), ...(index === 0 && isObject(grounding) ? { groundingMetadata: grounding } : {}) },
    }
  })
}

function writeBlocked(task: Task, wire: GeminiWire): Chunk | null {
  const block = blockOf(task.problem)
  if (!block) return null
  const message = task.problem!.message
  const usageMetadata = writeUsage(task, wire.text)
  if (block.stage === 'prompt') return { promptFeedback: { blockReason: block.reason, blockReasonMessage: message, safetyRatings: [] }, usageMetadata, ...frameOf(task, wire) }
  return { candidates: [{ index: 0, content: {}, finishReason: block.reason, finishMessage: message }], usageMetadata, ...frameOf(task, wire) }
}

/** A text is one part, whole, with how it ended. */
const writeWords = (task: Task, wire: GeminiWire, card: Card | null): Chunk => ({
  candidates: [{ index: 0, content: { role: 'model', parts: [{ text: task.text ?? '' }] }, finishReason: isCut(task) ? 'MAX_TOKENS' : 'STOP' }],
  usageMetadata: writeUsage(task, true), ...frameOf(task, wire), ...writeModelStatus(card),
})

/** The whole answer for a task that is done or was refused for its content. */
export function writeAnswer(task: Task, wire: GeminiWire, card: Card | null, write: WritePicture): Chunk {
  return writeBlocked(task, wire) ?? (task.operation === 'write' ? writeWords(task, wire, card) : {
    candidates: candidatesOf(task, wire, write).map(({ index, thought, text, picture, end }) =>
      ({ index, content: picture ? { role: 'model', parts: [...(thought ? [thought] : []), ...(text ? [text] : []), picture] } : {}, ...end })),
    usageMetadata: writeUsage(task, wire.text),
    ...frameOf(task, wire),
    ...writeModelStatus(card),
  })
}

/** The same as chunks: words, then each picture whole, then how it ended and what it took. */
export function* writeChunks(task: Task, wire: GeminiWire, card: Card | null, write: WritePicture): Generator<Chunk> {
  const blocked = writeBlocked(task, wire)
  if (blocked) { yield blocked; return }
  if (task.operation === 'write') { yield writeWords(task, wire, card); return }
  const frame = frameOf(task, wire)
  const candidates = candidatesOf(task, wire, write)
  const chunk = (index: number, part: Record<string, unknown>) => ({ candidates: [{ index, content: { role: 'model', parts: [part] } }], ...frame })
  for (const { index, thought } of candidates) if (thought) yield chunk(index, thought)
  for (const { index, text } of candidates) if (text) yield chunk(index, text)
  for (const { index, picture } of candidates) if (picture) yield chunk(index, picture)
  // Their client forgets a turn of which one chunk has no part.
  yield { candidates: candidates.map(({ index, picture, end }) => ({ index, content: picture ? { role: 'model', parts: [{ text: '' }] } : {}, ...end })), usageMetadata: writeUsage(task, wire.text), ...frame, ...writeModelStatus(card) }
}

/** A picture on its way: a draft the model shows while it works. */
export const writeDraft = (task: Pick<Task, 'id'>, wire: GeminiWire, inlineData: { mimeType: string; data: unknown }): Chunk =>
  ({ candidates: [{ index: 0, content: { role: 'model', parts: [{ inlineData, thought: true }] } }], modelVersion: wire.model.replace(/^models\//, ''), responseId: task.id })
