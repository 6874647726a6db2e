/**
 * Tokens where nobody told any: a guess for what went in, the makers' own tables for pictures that came out. Pure.
 *
 * What an upstream counted always goes before this. Absent on purpose: pictures of models that are not counted in tokens, where any number would
 * look like one somebody knows.
 */
import type { Task } from '../../domain/task.ts'

/** Four letters a token; other scripts are denser. */
export function guessTextTokens(...texts: string[]): number {
  let plain = 0
  let other = 0
  for (const text of texts) for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) < 0x250) plain++; else other++
  return Math.ceil(plain / 4 + other / 1.5)
}

/** What a picture counts that goes in, as Gemini counts it. */
export const pictureInTokens = 258

/** Price of one token of a picture that comes out, in micro-dollars (list prices; docs of the makers, 2026; of 2.6 none is confirmed). */
const tokenMicros: Record<string, number> = {
  'gpt-image-2': 30, 'gpt-image-2.5-flare': 30, 'gpt-image-2.5-sunburst': 30, 'gpt-image-2.6-flare': 30, 'gpt-image-2.6-sunburst': 30, 'gpt-image-1.5': 32, 'gpt-image-1-mini': 8,
}

/** Tokens of one picture of the models that count by size class (Google's price list). */
const newer: Record<string, number> = { '512': 747, '1K': 1_120, '2K': 1_680, '4K': 2_520 }
const classTokens: Record<string, Record<string, number>> = {
  'nano-banana': { '1K': 1_290 },
  'nano-banana-2': newer, 'nano-banana-2-lite': newer, 'nano-banana-2-1': newer,
  'nano-banana-pro': { '1K': 1_120, '2K': 1_120, '4K': 2_000 },
}

/** One picture a task makes; 0 for a model that is not counted in tokens. */
export function pictureOutTokens({ model, parameters, priceMicros }: Pick<Task, 'model' | 'parameters' | 'priceMicros'>): number {
  const price = tokenMicros[model]
  const count = typeof parameters.count === 'number' ? parameters.count : 1
  return price === undefined ? classTokens[model]?.[sizeClass(parameters)] ?? 0 : Math.round(priceMicros / count / price)
}

/** The same at a door whose dialect counts every picture: one of a model without a table as Nano Banana 2 would be. */
export const pictureOutTokensByClass = ({ model, parameters }: Pick<Task, 'model' | 'parameters'>): number => {
  const table = classTokens[model] ?? newer
  return table[sizeClass(parameters)] ?? table['1K']!
}

const sizeClass = ({ resolution }: Task['parameters']): string => typeof resolution === 'string' ? resolution : '1K'

/** What a task was given, by guess. A mask is no picture to look at. */
export const guessInput = ({ prompt, inputs }: Pick<Task, 'prompt' | 'inputs'>): { text: number; image: number } =>
  ({ text: guessTextTokens(prompt), image: inputs.filter(({ role }) => role !== 'mask').length * pictureInTokens })
