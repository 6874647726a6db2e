/** What a text model is asked for, read out of its instruction and its prompt. Pure. */
import { readLanguage, type Target } from './languages.ts'
import type { Length } from './describe.ts'

export type Asked =
  | { task: 'translate'; text: string; target: Target }
  | { task: 'rewrite'; text: string; instruction: string }
  | { task: 'describe'; length: Length }
  | { task: 'say'; text: string }
  | { task: 'name'; topic: string }
  | { task: 'list'; topic: string; count: number }
  | { task: 'plain'; text: string }

const language = String.raw`([\p{L}]+(?:-[\p{L}]+)?(?:\s*\([A-Za-z-]{2,12}\))?)`
// Every pattern here is read against words from outside: what two neighbours in it could both take would be tried in every way there is.
const translating = new RegExp(String.raw`\btranslat\w*\b[^:\n]*?\b(?:in)?to\s+${language}`, 'iu')
const rewriting = /\b(rewrit\w*|rephras\w*|reword\w*|shorten|summari[sz]e|proofread|polish)\b/i

/** What stands behind the instruction in a prompt that holds both: after a colon, a line's end, or in quotes. */
function behind(prompt: string): string | null {
  const head = prompt.search(/[\n:]/)
  const [open, close] = [prompt.search(/["“]/), Math.max(prompt.lastIndexOf('"'), prompt.lastIndexOf('”'))]
  const isQuoted = open >= 0 && (head < 0 || open < head) && close > open + 1 && !/[\n:]/.test(prompt.slice(close + 1).trimStart())
  if (isQuoted) return prompt.slice(open + 1, close)
  return head < 0 ? null : prompt.slice(head + 1).trimStart() || null
}

/** How far into a prompt an instruction is looked for. */
const instructionMax = 4_000

export const lengthOf = (words: string): Length =>
  /\b(in detail|detailed|long|thorough\w*|paragraphs?)\b/i.test(words) ? 'long' : /\b(one sentence|a sentence|short|briefly|few words|alt text|caption)\b/i.test(words) ? 'short' : 'medium'

export function readAsked({ prompt, system = '', pictures }: { prompt: string; system?: string; pictures: number }): Asked {
  const standing = translating.exec(system.slice(0, instructionMax))
  if (standing) return { task: 'translate', text: prompt, target: readLanguage(standing[1]!) }
  if (pictures === 0 && rewriting.test(system)) return { task: 'rewrite', text: prompt, instruction: system }
  if (pictures > 0) return { task: 'describe', length: lengthOf(`${system}\n${prompt}`) }
  const rest = behind(prompt)
  const spoken = translating.exec(prompt.slice(0, instructionMax))
  if (spoken && rest !== null) return { task: 'translate', text: rest, target: readLanguage(spoken[1]!) }
  if (rewriting.test(prompt.slice(0, 200)) && rest !== null) return { task: 'rewrite', text: rest, instruction: prompt.slice(0, prompt.length - rest.length) }
  const [told] = /^\s*(?:say|reply|answer|respond)(?:\s+(?:with|only|just|exactly|this)(?![^\s:]))*(?:\s*:)?\s+/i.exec(prompt) ?? []
  const said = told === undefined ? '' : prompt.slice(told.length).trim().replace(/^["“](?=[\s\S])|(?<=[\s\S])["”]$/g, '')
  if (said) return { task: 'say', text: said }
  const [, count, many] = /\b(\d{1,2})\s+(?:\p{L}+\s+)?(?:ideas|headlines|slogans|names|prompts|captions|variations|titles)\s+(?:for|about|of|on)\s+([^\n.]+)/iu.exec(prompt) ?? []
  if (count && many) return { task: 'list', topic: many.trim(), count: Math.max(1, Number(count)) }
  const [, topic] = /\b(?:headline|slogan|title|caption|name|tagline)\s+(?:for|about|of)\s+([^\n.]+)/i.exec(prompt) ?? []
  if (topic) return { task: 'name', topic: topic.trim() }
  return { task: 'plain', text: prompt }
}
