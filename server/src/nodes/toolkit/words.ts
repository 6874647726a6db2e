/** Fills words into a text: `{{name}}`, `{{product.price}}`, `{{lines.0}}`, `{{name|what stands where there is none}}`. Pure. */
import { nearest } from '../../domain/graph/lint.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'

// The name is trimmed afterwards: white space that several parts of a pattern may take is tried in every way there is.
const place = /\{\{([^{}|]*)(?:\|([^{}]*))?\}\}/g

/** What a path of names and places from 0 leads to; undefined where it leads nowhere. */
export function lookUp(values: Json, path: string): Json | undefined {
  let at: Json | undefined = values
  for (const name of path.split('.')) {
    if (at === null || typeof at !== 'object' || !Object.hasOwn(at, name)) return undefined
    at = (at as Record<string, Json>)[name]
  }
  return at
}

const written = (value: Json): string => value === null ? '' : typeof value === 'object' ? Array.isArray(value) && value.every(one => typeof one !== 'object') ? value.join(', ') : JSON.stringify(value) : String(value)

/** As long as a file that is read. A long value in many places is more than anybody could hold. */
const charactersMax = 4_000_000

/** What to do about a name nothing was given for. */
export type Missing = 'refuse' | 'empty' | 'keep'

/**
 * @throws {Problem} `bad_request` for a name nothing was given for, where that is to be refused, and for more than anybody could hold
 * @example fillWords('a {{colour}} mug', { colour: 'red' }) // 'a red mug'
 */
export function fillWords(text: string, values: Record<string, Json>, { missing = 'refuse', field = 'template' }: { missing?: Missing; field?: string } = {}): string {
  let characters = text.length
  const put = (word: string): string => {
    characters += word.length
    if (characters > charactersMax) throw new Problem('bad_request', `${field} comes to more than ${charactersMax / 1e6} million characters with these values. Give it shorter ones.`, { field })
    return word
  }
  return text.replace(place, (whole, asked: string, otherwise: string | undefined) => {
    const name = asked.trim()
    const value = Object.hasOwn(values, name) ? values[name] : lookUp(values, name)
    if (value !== undefined && value !== null) return put(written(value))
    if (otherwise !== undefined) return otherwise
    if (missing === 'keep') return whole
    if (missing === 'empty' || value === null) return ''
    const names = Object.keys(values)
    const near = nearest(name, names)
    const shown = name.slice(0, 200).toWellFormed()
    throw new Problem('bad_request', `${field} asks for {{${shown}}}, and nothing was given under that name. ${near ? `Did you mean {{${near}}}?` : names.length > 0 ? `There is ${names.slice(0, 20).join(', ')}.` : 'Nothing was given at all.'}`, { field, value: shown, allowed: names })
  })
}
