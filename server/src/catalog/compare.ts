/** What is different between two cards, field by field: for an operator who wants to see what his own change. Pure. */
import { isDeepStrictEqual } from 'node:util'
import type { Json } from '../domain/outcome.ts'

/** One field that differs. `before` absent: it is new; `after` absent: it is gone. */
export interface Difference { path: string; before?: Json; after?: Json }

/** Objects are looked into, and lists item by item where both have as many; everything else is compared as a whole. */
export function compare(before: Json | undefined, after: Json | undefined, path = ''): Difference[] {
  if (isDeepStrictEqual(before, after)) return []
  const [one, other] = [partsOf(before), partsOf(after)]
  if (one && other && Array.isArray(before) === Array.isArray(after) && (!Array.isArray(before) || before.length === (after as Json[]).length && !isPlain(before))) {
    const names = [...new Set([...Object.keys(one), ...Object.keys(other)])]
    return names.flatMap(name => compare(one[name], other[name], path === '' ? name : `${path}/${name}`))
  }
  return [{ path, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) }]
}

const partsOf = (value: Json | undefined): Record<string, Json> | null => typeof value === 'object' && value !== null ? value as Record<string, Json> : null

/** A list of words or numbers reads better whole. */
const isPlain = (list: Json[]): boolean => list.every(item => typeof item !== 'object' || item === null)
