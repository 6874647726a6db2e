/** The tokens of a picture, as far as anybody knows. Pure. */
import type { Json } from '../../domain/outcome.ts'
import type { Task } from '../../domain/task.ts'
import { tokensOf } from '../toolkit/talk.ts'

export interface Usage { textIn: number; imageIn: number; textOut: number; imageOut: number }

/** Price of one token of a picture that comes out, in micro-dollars (list prices; docs of the makers, 2026). */
const tokenMicros: Record<string, number> = { 'gpt-image-2': 30, 'gpt-image-2.5-flare': 30, 'gpt-image-2.5-sunburst': 30, 'gpt-image-1.5': 32, 'gpt-image-1-mini': 8 }

/** Tokens of one picture of the models that count by size class. */
const classTokens: Record<string, Record<string, number>> = {
  'nano-banana': { '1K': 1_290 },
  'nano-banana-2': { '512': 747, '1K': 1_120, '2K': 1_680, '4K': 2_520 },
  'nano-banana-2-lite': { '1K': 1_120 },
  'nano-banana-2-1': { '1K': 1_120, '2K': 1_680, '4K': 2_520 },
  'nano-banana-pro': { '1K': 1_120, '2K': 1_120, '4K': 2_000 },
}

/**
 * What the upstream counted where it told, otherwise the pictures by their price or table. Words are not counted then: nobody
 * here has the model's own tokens, and a wrong number looks like a right one.
 */
export function usageOf(task: Pick<Task, 'operation' | 'model' | 'details' | 'parameters' | 'priceMicros' | 'outputs'>): Usage {
  if (task.operation === 'write') {
    const { input, output } = tokensOf(task)
    return { textIn: input, imageIn: 0, textOut: output, imageOut: 0 }
  }
  const told = readTold(task.details.usage)
  if (told) return told
  const asked = typeof task.parameters.count === 'number' ? task.parameters.count : 1
  const one = imageTokens(task, task.priceMicros / asked)
  return { textIn: 0, imageIn: 0, textOut: 0, imageOut: one * task.outputs.length }
}

function imageTokens({ model, parameters }: Pick<Task, 'model' | 'parameters'>, priceMicros: number): number {
  const price = tokenMicros[model]
  if (price !== undefined) return Math.round(priceMicros / price)
  return classTokens[model]?.[typeof parameters.resolution === 'string' ? parameters.resolution : '1K'] ?? 0
}

function readTold(usage: Json | undefined): Usage | null {
  if (typeof usage !== 'object' || usage === null || Array.isArray(usage)) return null
  const number = (value: Json | undefined) => typeof value === 'number' && Number.isFinite(value) ? value : 0
  const details = (value: Json | undefined) => typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
  if (typeof usage.output_tokens !== 'number') return null
  const input = details(usage.input_tokens_details)
  const output = details(usage.output_tokens_details)
  const imageOut = typeof output.image_tokens === 'number' ? output.image_tokens : usage.output_tokens
  const imageIn = number(input.image_tokens)
  return { imageIn, textIn: Math.max(0, number(usage.input_tokens) - imageIn), imageOut, textOut: Math.max(0, usage.output_tokens - imageOut) }
}

/** As the images API writes it. */
export function writeUsage({ textIn, imageIn, textOut, imageOut }: Usage) {
  return {
    input_tokens: textIn + imageIn, input_tokens_details: { text_tokens: textIn, image_tokens: imageIn },
    output_tokens: textOut + imageOut, output_tokens_details: { text_tokens: textOut, image_tokens: imageOut },
    total_tokens: textIn + imageIn + textOut + imageOut,
  }
}
