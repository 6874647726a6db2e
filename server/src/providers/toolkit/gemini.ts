/**
 * Pictures as `generateContent` makes them: what is said to Google, and to gateways that hand its calls on, and what their answers
 * hold. Pure.
 *
 * One call makes one picture and answers with it. Blocked prompts and pictures come with HTTP 200. Absent on purpose: errors by HTTP
 * status, in which every server has words of its own.
 */
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import { done, failed } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem, type ProblemCode } from '../../domain/problem.ts'
import type { Took } from '../../domain/usage.ts'
import type { JobOutcome, Made, Making } from '../contract.ts'
import { shorten, writeParameters } from '../toolkit.ts'
import type { Asked, BytesOf, Handling } from '../toolkit.ts'

/** Inline parts of one call, as base64, that Google takes (100 MB since January 2026, with room for the words). */
export const inlineMax = 95_000_000

export interface SentPicture { mime: string; base64: string }
export interface WrittenCall { path: string; bodies: Json[]; warnings: string[] }

const ratioNames: Record<string, string> = {
  '1:1': 'ONE_BY_ONE', '2:3': 'TWO_BY_THREE', '3:2': 'THREE_BY_TWO', '3:4': 'THREE_BY_FOUR', '4:3': 'FOUR_BY_THREE', '4:5': 'FOUR_BY_FIVE', '5:4': 'FIVE_BY_FOUR',
  '9:16': 'NINE_BY_SIXTEEN', '16:9': 'SIXTEEN_BY_NINE', '21:9': 'TWENTY_ONE_BY_NINE', '1:4': 'ONE_BY_FOUR', '4:1': 'FOUR_BY_ONE', '1:8': 'ONE_BY_EIGHT', '8:1': 'EIGHT_BY_ONE',
}
const sizeNames: Record<string, string> = { '512': 'FIVE_TWELVE', '1K': 'ONE_K', '2K': 'TWO_K', '4K': 'FOUR_K' }

const meant = new Set(['character', 'object', 'style'])

/** Refuses what the model cannot honour, before a picture is read. @throws {Problem} `unsupported_parameter`, `too_large` */
export function checkGeneration(job: Asked, handlings: Record<string, Handling>): { fields: Record<string, Json>; warnings: string[] } {
  const unfit = job.inputs.find(({ role }) => !meant.has(role) && role !== 'reference')
  if (unfit) throw new Problem('unsupported_parameter', `${job.model} takes no ${unfit.role}. Say in the prompt what to change, and send the picture as a reference.`, { field: 'inputs', value: unfit.role })
  const base64 = job.inputs.reduce((sum, { sizeBytes }) => sum + Math.ceil(sizeBytes / 3) * 4, 0)
  if (base64 > inlineMax) throw new Problem('too_large', `The pictures have ${base64} bytes together as Google takes them; ${inlineMax} fit into a call. Send fewer or smaller ones.`, { field: 'inputs', allowed: inlineMax })
  const { fields, warnings } = writeParameters(job, 'Google', handlings)
  const told = job.inputs.some(({ role }) => meant.has(role)) ? ['The roles of the pictures were not passed on: Google takes them in order. Say in the prompt what each is for.'] : []
  return { fields, warnings: [...warnings, ...told] }
}

/** One call for each picture: Google makes one at a time. With a seed, each has its own. */
export function writeGeneration(job: Asked, pictures: SentPicture[], handlings: Record<string, Handling>): WrittenCall {
  const { fields: { aspectRatio, imageSize, mimeType, seed, search }, warnings } = checkGeneration(job, handlings)
  // Only the newer form can name a file type; the older one is known by every model.
  const format: Record<string, Json> = mimeType === undefined
    ? aspectRatio === undefined && imageSize === undefined ? {} : { imageConfig: { ...(aspectRatio === undefined ? {} : { aspectRatio }), ...(imageSize === undefined ? {} : { imageSize }) } }
    : { responseFormat: { image: {
        ...(aspectRatio === undefined ? {} : { aspectRatio: `ASPECT_RATIO_${ratioNames[String(aspectRatio)]}` }), ...(imageSize === undefined ? {} : { imageSize: `IMAGE_SIZE_${sizeNames[String(imageSize)]}` }),
        mimeType, delivery: 'INLINE' } } }
  const bodies = Array.from({ length: job.count }, (_, index): Json => ({
    contents: [{ role: 'user', parts: [{ text: job.prompt }, ...pictures.map(({ mime, base64 }) => ({ inlineData: { mimeType: mime, data: base64 } }))] }],
    generationConfig: { responseModalities: ['TEXT', 'IMAGE'], ...format, ...(typeof seed === 'number' ? { seed: seedOf(seed, index) } : {}) },
    ...(search === true ? { tools: [{ googleSearch: {} }] } : {}),
  }))
  return { path: `models/${encodeURIComponent(job.model)}:generateContent`, bodies, warnings }
}

/** Seeds are whole numbers of 31 bits; the next picture takes the next one. */
const seedOf = (seed: number, index: number): number => (seed + index) % 2_147_483_648

const Part = Type.Object({
  text: Type.Optional(Type.String()), thought: Type.Optional(Type.Boolean()), thoughtSignature: Type.Optional(Type.String()),
  inlineData: Type.Optional(Type.Object({ mimeType: Type.Optional(Type.String()), data: Type.String() })),
  fileData: Type.Optional(Type.Object({ mimeType: Type.Optional(Type.String()), fileUri: Type.String() })),
})
type Part = Static<typeof Part>
const Candidate = Type.Object({
  content: Type.Optional(Type.Object({ parts: Type.Optional(Type.Array(Part)) })),
  finishReason: Type.Optional(Type.String()), finishMessage: Type.Optional(Type.String()), groundingMetadata: Type.Optional(Type.Unknown()),
})
const Tokens = Type.Optional(Type.Array(Type.Object({ modality: Type.Optional(Type.String()), tokenCount: Type.Optional(Type.Number()) })))
const UsageMetadata = Type.Object({
  promptTokenCount: Type.Optional(Type.Number()), candidatesTokenCount: Type.Optional(Type.Number()), thoughtsTokenCount: Type.Optional(Type.Number()),
  promptTokensDetails: Tokens, candidatesTokensDetails: Tokens,
})
const Grounding = Type.Object({ webSearchQueries: Type.Optional(Type.Array(Type.Unknown())), imageSearchQueries: Type.Optional(Type.Array(Type.Unknown())) })

/**
 * What a call took. Of the prompt, what is no picture counts as text; of the answer, pictures are what is said to be one, and the rest is
 * text, with the thinking. Without details an answer counts as pictures, the dearer of the two, unless it was to be a text.
 */
export function readUsage({ usageMetadata, candidates = [] }: Pick<Answer, 'usageMetadata' | 'candidates'>, { isText = false } = {}): Took {
  const searches = candidates.reduce((sum, { groundingMetadata: grounding }) =>
    Value.Check(Grounding, grounding) ? sum + (grounding.webSearchQueries?.length ?? 0) + (grounding.imageSearchQueries?.length ?? 0) : sum, 0)
  const searched = searches > 0 ? { searches } : {}
  // Counts nobody can read are no reason to lose a picture.
  if (!Value.Check(UsageMetadata, usageMetadata)) return searches > 0 ? { usage: searched } : {}
  const { promptTokenCount, candidatesTokenCount, thoughtsTokenCount = 0, promptTokensDetails, candidatesTokensDetails } = usageMetadata
  const pictures = (details: NonNullable<typeof promptTokensDetails>) => details.reduce((sum, { modality, tokenCount = 0 }) => modality === 'IMAGE' ? sum + tokenCount : sum, 0)
  const imageIn = promptTokensDetails ? pictures(promptTokensDetails) : 0
  const imageOut = candidatesTokensDetails ? pictures(candidatesTokensDetails) : isText ? 0 : candidatesTokenCount ?? 0
  return { usage: {
    ...(promptTokenCount === undefined ? {} : { textIn: Math.max(0, promptTokenCount - imageIn), imageIn }),
    textOut: Math.max(0, (candidatesTokenCount ?? imageOut) - imageOut) + thoughtsTokenCount, imageOut,
    ...searched,
  } }
}

export const Answer = Type.Object({
  candidates: Type.Optional(Type.Array(Candidate)),
  promptFeedback: Type.Optional(Type.Object({ blockReason: Type.Optional(Type.String()), blockReasonMessage: Type.Optional(Type.String()) })),
  usageMetadata: Type.Optional(Type.Object({})), modelVersion: Type.Optional(Type.String()), responseId: Type.Optional(Type.String()),
})
export type Answer = Static<typeof Answer>

export const finishReasons = [
  'STOP', 'MAX_TOKENS', 'SAFETY', 'RECITATION', 'LANGUAGE', 'OTHER', 'BLOCKLIST', 'PROHIBITED_CONTENT', 'SPII', 'MALFORMED_FUNCTION_CALL', 'IMAGE_SAFETY',
  'UNEXPECTED_TOOL_CALL', 'TOO_MANY_TOOL_CALLS', 'IMAGE_PROHIBITED_CONTENT', 'NO_IMAGE', 'IMAGE_RECITATION', 'IMAGE_OTHER', 'CONTINUATION', 'MALFORMED_RESPONSE',
] as const
export type FinishReason = (typeof finishReasons)[number]
const isFinishReason = (reason: string): reason is FinishReason => (finishReasons as readonly string[]).includes(reason)

/**
 * Why the model stopped without a picture, or, for the reasons that refuse, at all. Every reason has a line; null leaves what came as it is.
 */
export function readFinish(reason: string | undefined, said: string, hasPicture: boolean): Problem | null {
  const no = (code: ProblemCode, sentence: string) => new Problem(code, said ? `${sentence} ${said}` : sentence, { upstreamCode: reason ?? 'none' })
  const without = (sentence: string) => hasPicture ? null : no('bad_output', sentence)
  if (reason === undefined || !isFinishReason(reason)) return without('The model answered without a picture.')
  switch (reason) {
    case 'STOP': return without('The model answered without a picture.')
    case 'MAX_TOKENS': return without('The model ran out of tokens before a picture came. Ask for less.')
    case 'SAFETY':
    case 'IMAGE_SAFETY': return no('content_rejected', 'The model refused this for safety. Word it differently.')
    case 'BLOCKLIST': return no('content_rejected', 'The prompt holds words the model does not take.')
    case 'PROHIBITED_CONTENT':
    case 'IMAGE_PROHIBITED_CONTENT': return no('content_rejected', 'The model refused this as prohibited.')
    case 'SPII': return no('content_rejected', 'The model refused this because of personal data.')
    case 'RECITATION':
    case 'IMAGE_RECITATION': return no('content_rejected', 'The model stopped because the result came too close to something that exists. Word it differently.')
    case 'LANGUAGE': return hasPicture ? null : no('provider_rejected', 'The model does not know the language of the prompt.')
    case 'NO_IMAGE': return without('The model decided to make no picture. Ask for one in the prompt.')
    case 'OTHER':
    case 'IMAGE_OTHER': return hasPicture ? null : no('provider_failed', 'The model could not make this.')
    case 'CONTINUATION': return without('The model stopped half-way.')
    case 'MALFORMED_FUNCTION_CALL':
    case 'UNEXPECTED_TOOL_CALL':
    case 'TOO_MANY_TOOL_CALLS':
    case 'MALFORMED_RESPONSE': return hasPicture ? null : no('provider_failed', 'The model lost its thread.')
  }
}

export const blockReasons = ['SAFETY', 'OTHER', 'BLOCKLIST', 'PROHIBITED_CONTENT', 'IMAGE_SAFETY', 'MODEL_ARMOR', 'JAILBREAK'] as const
export type BlockReason = (typeof blockReasons)[number]
const isBlockReason = (reason: string): reason is BlockReason => (blockReasons as readonly string[]).includes(reason)

/** Why a prompt was not even begun. Every reason has a line, and all of them are final. */
export function readBlock(reason: string, said: string): Problem {
  const no = (sentence: string) => new Problem('content_rejected', said ? `${sentence} ${said}` : sentence, { upstreamCode: reason })
  if (!isBlockReason(reason)) return no('Google blocked this prompt.')
  switch (reason) {
    case 'SAFETY': return no('Google blocked this prompt for safety. Word it differently.')
    case 'IMAGE_SAFETY': return no('Google blocked a picture of this for safety. Send another one.')
    case 'BLOCKLIST': return no('This prompt holds words Google does not take.')
    case 'PROHIBITED_CONTENT': return no('Google blocked this prompt as prohibited.')
    case 'MODEL_ARMOR': return no('The guard in front of the model blocked this prompt.')
    case 'JAILBREAK': return no('Google took this prompt for an attempt to get around its rules.')
    case 'OTHER': return no('Google blocked this prompt and gave no reason.')
  }
}

/** Pictures and words, without the model's own thinking: drafts are not results. */
const isResult = (part: Part): boolean => part.thought !== true

const textMax = 8_000
/** A signature has to go back as it came or not at all; one larger than this does not belong into a row. */
const signatureMax = 32 * 1024

export function readContent(answer: Answer, bytesOf: BytesOf, { seed }: { seed: number | undefined }): JobOutcome {
  const { blockReason, blockReasonMessage = '' } = answer.promptFeedback ?? {}
  const took = readUsage(answer)
  if (blockReason !== undefined) return failed(readBlock(blockReason, shorten(blockReasonMessage)), null, took)
  const candidates = answer.candidates ?? []
  const parts = candidates.flatMap(candidate => candidate.content?.parts ?? [])
  const pictures = parts.filter(part => isResult(part) && (part.inlineData !== undefined || part.fileData !== undefined))
  const said = parts.filter(isResult).flatMap(({ text }) => text ? [text] : []).join('').trim()
  const stopped = candidates.map(({ finishReason, finishMessage = '' }) => readFinish(finishReason, shorten(finishMessage || (pictures.length === 0 ? said : '')), pictures.length > 0)).find(problem => problem !== null)
  if (stopped) return failed(stopped, null, took)
  if (pictures.length === 0) return failed(new Problem('bad_output', 'The model answered with neither a picture nor a reason.', { upstreamCode: 'none' }), null, took)
  const thoughts = parts.filter(part => part.thought === true).flatMap(({ text }) => text ? [text] : []).join('').trim()
  const grounding = candidates.find(({ groundingMetadata }) => groundingMetadata !== undefined)?.groundingMetadata
  const made = pictures.map(({ inlineData, fileData }): Made => {
    const type = (inlineData ?? fileData)!.mimeType
    const more = { ...(type === undefined ? {} : { mime: type }), ...(seed === undefined ? {} : { seed }) }
    return inlineData ? { bytes: bytesOf(inlineData.data), ...more } : { url: fileData!.fileUri, ...more }
  })
  return done({
    made,
    ...(said ? { text: shorten(said, textMax) } : {}),
    ...(answer.responseId === undefined ? {} : { upstreamId: answer.responseId }),
    details: {
      ...(answer.usageMetadata ? { usage_metadata: answer.usageMetadata as Json } : {}),
      ...(grounding === undefined ? {} : { grounding_metadata: grounding as Json }),
      ...signaturesOf(pictures.map(({ thoughtSignature }) => thoughtSignature === undefined ? null : readSignature(bytesOf(thoughtSignature)))),
      ...(thoughts ? { thoughts: shorten(thoughts, textMax) } : {}),
      ...(answer.modelVersion === undefined ? {} : { model_version: answer.modelVersion }),
    },
    ...took,
  } satisfies Making)
}

const readSignature = (bytes: Buffer): string | null => bytes.length > 0 && bytes.length <= signatureMax ? bytes.toString('base64') : null

/** By the order of the pictures, so all of them or none. */
const signaturesOf = (signatures: (string | null)[]): Record<string, Json> =>
  signatures.length > 0 && signatures.every(one => one !== null) ? { thought_signatures: signatures } : {}

/** Several calls as one: pictures in order, tokens added up. */
export function mergeMakings(makings: Making[]): Making {
  const [first] = makings
  const texts = [...new Set(makings.flatMap(({ text }) => text ? [text] : []))]
  const signatures = makings.flatMap(({ made, details }) => (details?.thought_signatures as string[] | undefined) ?? made.map(() => null))
  const { thought_signatures: _, ...firstDetails } = first?.details ?? {}
  const usages = makings.flatMap(({ details }) => details?.usage_metadata ? [details.usage_metadata] : [])
  const warnings = [...new Set(makings.flatMap(one => one.warnings ?? []))]
  return {
    made: makings.flatMap(({ made }) => made),
    ...(texts.length > 0 ? { text: texts.join('\n\n') } : {}),
    ...(first?.upstreamId === undefined ? {} : { upstreamId: first.upstreamId }),
    details: { ...firstDetails, ...(usages.length > 0 ? { usage_metadata: usages.reduce<Json>(addUp, {}) } : {}), ...signaturesOf(signatures) },
    ...(warnings.length > 0 ? { warnings } : {}),
  }
}

/** Adds two usages: numbers by name, lists of modalities by modality. */
export function addUp(one: Json, other: Json): Json {
  if (typeof one === 'number' && typeof other === 'number') return one + other
  if (Array.isArray(one) && Array.isArray(other)) {
    const counts = new Map<string, number>()
    for (const each of [...one, ...other]) {
      const { modality, tokenCount } = each as { modality?: Json; tokenCount?: Json }
      if (typeof modality === 'string' && typeof tokenCount === 'number') counts.set(modality, (counts.get(modality) ?? 0) + tokenCount)
    }
    return [...counts].map(([modality, tokenCount]) => ({ modality, tokenCount }))
  }
  if (one !== null && other !== null && typeof one === 'object' && typeof other === 'object' && !Array.isArray(one) && !Array.isArray(other)) {
    const sum: Record<string, Json> = { ...one }
    for (const [name, value] of Object.entries(other)) sum[name] = sum[name] === undefined ? value : addUp(sum[name], value)
    return sum
  }
  return one
}
