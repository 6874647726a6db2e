/** Breaks a text into lines and finds the largest size at which they fit a box. */
import type { SKRSContext2D } from '../kernel/canvas.ts'
import { familyList } from './faces.ts'
import type { Face } from './faces.ts'

export interface Fitted {
  lines: string[]
  size: number
  family: string
  /** Line height, as a multiple of `size`. */
  leading: number
}

export interface FitBox {
  width: number
  height: number
  maxSize?: number
  maxLines?: number
}

const sizeMin = 6
/** Scripts written without spaces may break between any two characters, but not before these. */
const notAtStart = /^[、。，．！？：；」』）》〉】…ー々ぁぃぅぇぉっゃゅょ.,!?:;)\]}]/u
const unspaced = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u

export const isRightToLeft = (text: string): boolean => /[\p{Script=Arabic}\p{Script=Hebrew}]/u.test(text)

export function fitText(context: SKRSContext2D, text: string, face: Face, { width, height, maxSize = height, maxLines = 6 }: FitBox): Fitted {
  const family = familyList(face, text)
  const leading = leadingOf(face, text)
  const pieces = text.split('\n').map(splitLine)
  let last: Fitted = { lines: [text], size: sizeMin, family, leading }
  for (let size = Math.max(sizeMin, Math.min(maxSize, height)); ; size = Math.max(sizeMin, size * 0.95)) {
    context.font = `${size}px ${family}`
    const lines = pieces.flatMap((each) => wrap(context, each, width))
    last = { lines, size, family, leading }
    if (lines.length <= maxLines && lines.length * size * leading <= height && lines.every((line) => context.measureText(line).width <= width)) break
    if (size <= sizeMin) break
  }
  last.lines = balance(context, last, pieces, width)
  if (last.lines.length <= maxLines) return last
  // Smaller than this nobody can read: what is left over is cut off, visibly.
  return { ...last, lines: [...last.lines.slice(0, maxLines - 1), `${last.lines[maxLines - 1]!.slice(0, -1)}…`] }
}

function leadingOf(face: Face, text: string): number {
  if (/[\p{Script=Arabic}\p{Script=Devanagari}\p{Script=Thai}\p{Script=Bengali}\p{Script=Tamil}]/u.test(text)) return 1.42
  return { script: 1.4, pixel: 1.45, neon: 1.22, body: 1.32 }[face as string] ?? 1.14
}

/** Words with the space before them; single characters where the script has no spaces. */
function splitLine(line: string): string[] {
  const pieces: string[] = []
  for (const word of line.trim().split(/(?=\s)/)) {
    if (!unspaced.test(word)) {
      if (word.trim()) pieces.push(word.replace(/^\s+/, ' '))
      continue
    }
    for (const { segment } of new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(word)) {
      if (notAtStart.test(segment) && pieces.length) pieces[pieces.length - 1] += segment
      else pieces.push(segment)
    }
  }
  return pieces
}

function wrap(context: SKRSContext2D, pieces: string[], width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const piece of pieces) {
    if (line && context.measureText(line + piece).width > width) {
      lines.push(line.trim())
      line = piece.trimStart()
    } else line += piece
  }
  if (line.trim()) lines.push(line.trim())
  return lines
}

/** Evens out the lines at the chosen size: no orphaned last word when the same number of lines can share better. */
function balance(context: SKRSContext2D, { lines, size, family }: Fitted, pieces: string[][], width: number): string[] {
  if (lines.length < 2 || pieces.length > 1) return lines
  context.font = `${size}px ${family}`
  let best = lines
  for (let narrow = width * 0.97; narrow > width * 0.4; narrow *= 0.97) {
    const tried = wrap(context, pieces[0]!, narrow)
    if (tried.length > lines.length) break
    if (tried.every((line) => context.measureText(line).width <= width)) best = tried
  }
  return best
}
