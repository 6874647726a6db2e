/**
 * Tokens. A provider that counted says so in the task's details (`usage_metadata`, in this dialect's words); else they are worked out:
 * a token for every four characters, and for pictures what Google's price list says. Pure.
 */
import type { Json } from '../../domain/outcome.ts'
import type { Task } from '../../domain/task.ts'
import { tokensOf } from '../toolkit/talk.ts'
import { guessInput, guessTextTokens, pictureOutTokensByClass } from '../toolkit/tokens.ts'
import { isObject } from './fields.ts'

export interface Tokens { prompt: { text: number; image: number }; output: { text: number; image: number; video: number } }

const filmSecond = 258

type Counted = Pick<Task, 'prompt' | 'inputs' | 'outputs' | 'text' | 'model' | 'operation' | 'parameters'>

export function countTokens({ prompt, inputs, outputs, text, model, operation, parameters }: Counted, wantsText: boolean): Tokens {
  const each = pictureOutTokensByClass({ model, parameters })
  const isFilm = operation === 'video'
  const seconds = typeof parameters.duration_s === 'number' ? parameters.duration_s : 8
  return {
    prompt: guessInput({ prompt, inputs }),
    output: { text: wantsText && outputs.length > 0 ? guessTextTokens(text ?? '') : 0, image: isFilm ? 0 : outputs.length * each, video: isFilm ? outputs.length * seconds * filmSecond : 0 },
  }
}

const details = (counts: Record<string, number>) => Object.entries(counts).filter(([, count]) => count > 0).map(([modality, tokenCount]) => ({ modality, tokenCount }))

/** `usageMetadata` of an answer. */
export function writeUsage(task: Counted & Pick<Task, 'details'>, wantsText: boolean): Record<string, unknown> {
  const counted: Json | undefined = task.details.usage_metadata
  if (isObject(counted)) return counted
  if (task.operation === 'write') {
    const { input, output } = tokensOf(task)
    return { promptTokenCount: input, candidatesTokenCount: output, totalTokenCount: input + output, promptTokensDetails: details({ TEXT: input }), candidatesTokensDetails: details({ TEXT: output }) }
  }
  const { prompt, output } = countTokens(task, wantsText)
  const promptTokenCount = prompt.text + prompt.image
  const candidatesTokenCount = output.text + output.image + output.video
  const made = details({ IMAGE: output.image, VIDEO: output.video, TEXT: output.text })
  return {
    promptTokenCount,
    ...(candidatesTokenCount > 0 ? { candidatesTokenCount } : {}),
    totalTokenCount: promptTokenCount + candidatesTokenCount,
    promptTokensDetails: details({ TEXT: prompt.text, IMAGE: prompt.image }),
    ...(made.length > 0 ? { candidatesTokensDetails: made } : {}),
  }
}

/** `usage` of an interaction. */
export function writeInteractionUsage(task: Counted, wantsText: boolean): Record<string, unknown> {
  const { prompt, output } = countTokens(task, wantsText)
  const input = prompt.text + prompt.image
  const made = output.text + output.image + output.video
  const byModality = (counts: Record<string, number>) => Object.entries(counts).filter(([, tokens]) => tokens > 0).map(([modality, tokens]) => ({ modality, tokens }))
  return {
    total_input_tokens: input, total_output_tokens: made, total_thought_tokens: 0, total_tokens: input + made,
    input_tokens_by_modality: byModality({ text: prompt.text, image: prompt.image }),
    output_tokens_by_modality: byModality({ image: output.image, video: output.video, text: output.text }),
  }
}
