/**
 * Translation by a table of phrases, for what posters and shops say. Pure.
 *
 * What is in the table goes over; what is not stays as it was and is marked (`[de] …`), so that nobody takes it for translated. Numbers,
 * prices and marks go over as they are.
 */
import type { Target } from './languages.ts'
import { phraseIn } from './phrases.ts'

/** Where a text may be taken apart, the coarsest first. Each keeps what stands between. */
// A run of blanks or dots is looked at from its beginning only, or a long one would be gone through once for each of them.
const seams = [/((?:(?<!\s)\s+)?\n\s*)/, /((?<![.!?])[.!?]+\s+)/, /((?:(?<!\s)\s+)?[•|·—–:;]\s*|(?<!\s)\s+[-/]\s+)/, /(,\s+)/, /((?<!\s)\s+(?:&|and|\+)\s+)/i]

const number = /(?:[$€£¥]\s?)?\d+(?:[.,:]\d+)*(?:\s?(?:%|€|\$|£|¥|kg|g|ml|l|cm|mm|km|m|px)(?![\p{L}]))?/gu

export interface Translated { text: string; /** Parts that stayed as they were. */ unknown: string[] }

export function translate(text: string, target: Target): Translated {
  const unknown: string[] = []
  return { text: part(text, target, unknown, 0), unknown }
}

function part(text: string, target: Target, unknown: string[], seam: number): string {
  const [before] = /^[\s"'“”‘’«»¡¿([]*/.exec(text)!
  const [after] = before.length === text.length ? [''] : /(?<![\s"'“”‘’«»)\].!?…,])[\s"'“”‘’«»)\].!?…,]*$/.exec(text.slice(before.length)) ?? ['']
  const words = text.slice(before.length, text.length - after.length)
  if (!/\p{L}/u.test(words.replaceAll(number, ''))) return text
  const whole = target.known && lookUp(words, target)
  if (whole) return `${before}${whole}${target.known === 'ja' ? after.replaceAll('!', '！').replaceAll('.', '。') : after}`
  for (let at = seam; at < seams.length; at++) {
    const parts = words.split(seams[at]!)
    if (parts.length < 3) continue
    // Without a table there is nothing to gain from taking a line apart.
    if (!target.known && at > 0) break
    return `${before}${parts.map((one, index) => index % 2 === 0 ? part(one, target, unknown, at + 1) : joint(one, target)).join('')}${after}`
  }
  unknown.push(words)
  return `${before}[${target.tag}] ${words}${after}`
}

/** What stands between parts: an `and` is a word like any other. */
const joint = (between: string, { known }: Target): string =>
  known && /and/i.test(between) ? known === 'ja' ? phraseIn('and', 'ja')! : ` ${phraseIn('and', known)} ` : between

function lookUp(words: string, { known }: Target): string | null {
  const numbers: string[] = []
  const key = words.replaceAll(number, (found) => { numbers.push(found); return '#' }).toLowerCase().replace(/\s+/g, ' ').replaceAll('’', '\'')
  const found = phraseIn(key, known!)
  if (found === null) return null
  const filled = found.replaceAll('#', () => numbers.shift() ?? '')
  const letters = words.replace(/[^\p{L}]/gu, '')
  // A poster that shouts goes on shouting.
  if (letters.length > 1 && letters === letters.toUpperCase()) return filled.toUpperCase()
  return /^\p{Ll}/u.test(words) && /^\p{Lu}/u.test(filled) && known !== 'de' ? filled[0]!.toLowerCase() + filled.slice(1) : filled
}
