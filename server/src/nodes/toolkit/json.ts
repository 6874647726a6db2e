/** JSON in texts, and paths into it. Pure. */
import { jsonpath, JSONPointer } from 'json-p3'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'

/** The value a text is; undefined where it is not JSON. */
export function readJson(text: string): Json | undefined {
  try { return JSON.parse(text) as Json } catch { return undefined }
}

/** JSON out of a text around it, as models write it: the whole, the first fenced block, or the first object or list. @throws {Problem} `bad_request` */
export function findJson(text: string): Json {
  const fenced = /```[a-z]*\s*\n([\s\S]*?)```/i.exec(text)?.[1]
  const value = readJson(text) ?? (fenced === undefined ? undefined : readJson(fenced)) ?? readJson(between(text))
  if (value === undefined) throw new Problem('bad_request', `There is no JSON in this text: ${JSON.stringify(text.slice(0, 80))}. Ask the model for JSON and nothing else.`, { field: 'from' })
  return value
}

/** From the first bracket to its last counterpart. */
function between(text: string): string {
  const from = text.search(/[[{]/)
  return from < 0 ? '' : text.slice(from, text.lastIndexOf(text[from] === '{' ? '}' : ']') + 1)
}

/**
 * Everything a path leads to: JSONPath (RFC 9535), the same without its `$.`, or a JSON Pointer.
 *
 * @throws {Problem} `bad_request` where it is no path
 * @example follow({ shots: [{ prompt: 'a' }] }, 'shots[*].prompt') // ['a']
 */
export function follow(value: Json, path: string): Json[] {
  try {
    if (path.startsWith('/')) { const found = new JSONPointer(path).resolve(value as never, missing as never) as unknown; return found === missing ? [] : [found as Json] }
    const whole = path.startsWith('$') ? path : path.startsWith('[') ? `$${path}` : `$.${path}`
    return jsonpath.query(whole, value as never).values() as Json[]
  } catch (thrown) {
    throw new Problem('bad_request', `${JSON.stringify(path)} is no path into JSON: ${(thrown as Error).message}. Write it as $.shots[0].prompt, shots[*].prompt or /shots/0/prompt.`, { field: 'paths', value: path, cause: thrown })
  }
}
const missing = Symbol('missing')
