/** The tokens of a picture, as far as anybody knows. Pure. */
import type { Json } from '../../domain/outcome.ts'
import type { Task } from '../../domain/task.ts'
import { tokensOf } from '../toolkit/talk.ts'
import { guessInput, pictureOutTokens } from '../toolkit/tokens.ts'

export interface Usage { textIn: number; imageIn: number; textOut: number; imageOut: number }

/** What the upstream counted where it told; otherwise what went in by guess, and the pictures by their price or their maker's table. */
export function usageOf(task: Pick<Task, 'operation' | 'model' | 'details' | 'parameters' | 'priceMicros' | 'prompt' | 'inputs' | 'outputs'>): Usage {
  if (task.operation === 'write') {
    const { input, output } = tokensOf(task)
    return { textIn: input, imageIn: 0, textOut: output, imageOut: 0 }
  }
  const told = readTold(task.details.usage)
  if (told) return told
  const { text, image } = guessInput(task)
  return { textIn: text, imageIn: image, textOut: 0, imageOut: pictureOutTokens(task) * task.outputs.length }
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
