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
const translating = new RegExp(String.raw`\btranslat\w*\b[^:\n]*?\b(?:in)?to\s+${language}`, 'iu')
const rewriting = /\b(rewrit\w*|rephras\w*|reword\w*|shorten|summari[sz]e|proofread|polish)\b/i

/** What stands behind the instruction in a prompt that holds both: after a colon, a line's end, or in quotes. */
const behind = (prompt: string): string | null => /^[^\n:]*?["“]([\s\S]+)["”]\s*[^\n:]*$/.exec(prompt)?.[1] ?? /^[^\n:]*:\s*([\s\S]+)$/.exec(prompt)?.[1] ?? /^[^\n]*\n+([\s\S]+)$/.exec(prompt)?.[1] ?? null

export const lengthOf = (words: string): Length =>
  /\b(in detail|detailed|long|thorough\w*|paragraphs?)\b/i.test(words) ? 'long' : /\b(one sentence|a sentence|short|briefly|few words|alt text|caption)\b/i.test(words) ? 'short' : 'medium'

export function readAsked({ prompt, system = '', pictures }: { prompt: string; system?: string; pictures: number }): Asked {
  const standing = translating.exec(system)
  if (standing) return { task: 'translate', text: prompt, target: readLanguage(standing[1]!) }
  if (pictures === 0 && rewriting.test(system)) return { task: 'rewrite', text: prompt, instruction: system }
  if (pictures > 0) return { task: 'describe', length: lengthOf(`${system}\n${prompt}`) }
  const rest = behind(prompt)
  const spoken = translating.exec(prompt)
  if (spoken && rest !== null) return { task: 'translate', text: rest, target: readLanguage(spoken[1]!) }
  if (rewriting.test(prompt.slice(0, 200)) && rest !== null) return { task: 'rewrite', text: rest, instruction: prompt.slice(0, prompt.length - rest.length) }
  const [, said] = /^\s*(?:say|reply|answer|respond)(?:\s+(?:with|only|just|exactly|this))*\s*:?\s+["“]?([\s\S]+?)["”]?\s*$/i.exec(prompt) ?? []
  if (said) return { task: 'say', text: said }
  const [, count, many] = /\b(\d{1,2})\s+(?:\p{L}+\s+)?(?:ideas|headlines|slogans|names|prompts|captions|variations|titles)\s+(?:for|about|of|on)\s+([^\n.]+)/iu.exec(prompt) ?? []
  if (count && many) return { task: 'list', topic: many.trim(), count: Math.max(1, Number(count)) }
  const [, topic] = /\b(?:headline|slogan|title|caption|name|tagline)\s+(?:for|about|of)\s+([^\n.]+)/i.exec(prompt) ?? []
  if (topic) return { task: 'name', topic: topic.trim() }
  return { task: 'plain', text: prompt }
}
