/** Text as `generateContent` writes it: what is said to Google, and what its answers hold. Pure. */
import { failed } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import type { Job, JobOutcome } from '../contract.ts'
import { as, nothing, shorten, unheard, writeParameters } from '../toolkit.ts'
import type { Asked, Handling } from '../toolkit.ts'
import { inlineMax, readBlock, readFinish, readUsage, type Answer, type SentPicture } from './gemini.ts'
import { readWritten, systemOf } from './text.ts'

const levels: Record<string, Json> = { minimal: 'MINIMAL', low: 'LOW', medium: 'MEDIUM', high: 'HIGH' }

export const textHandlings: Record<string, Handling> = {
  system: nothing,
  max_tokens: as('maxOutputTokens'),
  effort: value => levels[String(value)] === undefined ? { refused: Object.keys(levels) } : { send: { thinkingConfig: { thinkingLevel: levels[String(value)]! } } },
  temperature: unheard('Google’s models of this kind choose it themselves.'),
}

/** @throws {Problem} `unsupported_parameter`, `too_large`, before a picture is read */
export function checkText(job: Asked): { fields: Record<string, Json>; warnings: string[] } {
  const base64 = job.inputs.reduce((sum, { sizeBytes }) => sum + Math.ceil(sizeBytes / 3) * 4, 0)
  if (base64 > inlineMax) throw new Problem('too_large', `The pictures have ${base64} bytes together as Google takes them; ${inlineMax} fit into a call. Send fewer or smaller ones.`, { field: 'inputs', allowed: inlineMax })
  return writeParameters(job, 'Google', textHandlings)
}

export function writeText(job: Asked, pictures: SentPicture[]): { path: string; body: Json; warnings: string[] } {
  const { fields, warnings } = checkText(job)
  const system = systemOf(job)
  return {
    path: `models/${encodeURIComponent(job.model)}:generateContent`,
    body: {
      ...(system === null ? {} : { systemInstruction: { parts: [{ text: system }] } }),
      contents: [{ role: 'user', parts: [...pictures.map(({ mime, base64 }) => ({ inlineData: { mimeType: mime, data: base64 } })), { text: job.prompt }] }],
      generationConfig: { responseModalities: ['TEXT'], ...fields },
    },
    warnings,
  }
}

/** Ends that are none of a failure's; whether anything came is seen in the text. */
const plain: ReadonlySet<string | undefined> = new Set([undefined, 'STOP', 'MAX_TOKENS', 'NO_IMAGE', 'CONTINUATION'])

/** What an answer holds: the words, without the model's own thinking. */
export function readText(answer: Answer, job: Pick<Job, 'parameters'>, warnings: string[]): JobOutcome {
  const { blockReason, blockReasonMessage = '' } = answer.promptFeedback ?? {}
  const took = readUsage(answer, { isText: true })
  if (blockReason !== undefined) return failed(readBlock(blockReason, shorten(blockReasonMessage)), null, took)
  const [candidate] = answer.candidates ?? []
  const { finishReason, finishMessage = '' } = candidate ?? {}
  const text = (candidate?.content?.parts ?? []).flatMap(part => part.thought !== true && part.text ? [part.text] : []).join('')
  // The reasons that refuse, refuse a text as well; the others leave what was written as it is, and say why nothing was.
  const refused = readFinish(finishReason, shorten(finishMessage), text !== '' || plain.has(finishReason))
  if (refused) return failed(refused, null, took)
  return readWritten('The model', job, {
    text, finish: finishReason === 'MAX_TOKENS' ? 'length' : 'stop', warnings, upstreamId: answer.responseId ?? null, ...took,
    details: { ...(answer.usageMetadata ? { usage_metadata: answer.usageMetadata as Json } : {}), ...(answer.modelVersion === undefined ? {} : { model_version: answer.modelVersion }) },
  })
}
