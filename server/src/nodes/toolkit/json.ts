/** JSON in texts, and paths into it. Pure. */
import { createContext, Script } from 'node:vm'
import { jsonpath, JSONPointer } from 'json-p3'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'

/** The value a text is; undefined where it is not JSON. */
export function readJson(text: string): Json | undefined {
  try { return JSON.parse(text) as Json } catch { return undefined }
}

/** JSON out of a text around it, as models write it: the whole, the first fenced block, or the first object or list. @throws {Problem} `bad_request` */
export function findJson(text: string): Json {
  const fenced = /```[a-z]*[^\S\n]*\n([\s\S]*?)```/i.exec(text)?.[1]
  const value = readJson(text) ?? (fenced === undefined ? undefined : readJson(fenced)) ?? readJson(between(text))
  if (value === undefined) throw new Problem('bad_request', `There is no JSON in this text: ${JSON.stringify(text.slice(0, 80))}. Ask the model for JSON and nothing else.`, { field: 'from' })
  return value
}

/** From the first bracket to its last counterpart. */
function between(text: string): string {
  const from = text.search(/[[{]/)
  return from < 0 ? '' : text.slice(from, text.lastIndexOf(text[from] === '{' ? '}' : ']') + 1)
}

/** What a path may take. One with filters in filters, or with a pattern of its own, can take years; a sound one is done in a hundredth of this. */
const pathMsMax = 500
const clock = new Script('work()')
const room: { work?: () => unknown } = createContext(Object.create(null) as object)

/** Does work that cannot be interrupted from within, under a clock that can. */
function inTime<T>(work: () => T): T {
  room.work = work
  try { return clock.runInContext(room, { timeout: pathMsMax }) as T } finally { delete room.work }
}

/**
 * Everything a path leads to: JSONPath (RFC 9535), the same without its `$.`, or a JSON Pointer.
 *
 * @throws {Problem} `bad_request` where it is no path, or one that takes too long
 * @example follow({ shots: [{ prompt: 'a' }] }, 'shots[*].prompt') // ['a']
 */
export function follow(value: Json, path: string): Json[] {
  try {
    if (path.startsWith('/')) { const found = new JSONPointer(path).resolve(value as never, missing as never) as unknown; return found === missing ? [] : [found as Json] }
    const whole = path.startsWith('$') ? path : path.startsWith('[') ? `$${path}` : `$.${path}`
    return inTime(() => jsonpath.query(whole, value as never).values() as Json[])
  } catch (thrown) {
    if ((thrown as { code?: unknown }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw new Problem('bad_request', `${JSON.stringify(path)} takes too long on this JSON. Use fewer .. and filters, or none within one another.`, { field: 'paths', value: path })
    throw new Problem('bad_request', `${JSON.stringify(path)} is no path into JSON: ${(thrown as Error).message}. Write it as $.shots[0].prompt, shots[*].prompt or /shots/0/prompt.`, { field: 'paths', value: path, cause: thrown })
  }
}
const missing = Symbol('missing')
