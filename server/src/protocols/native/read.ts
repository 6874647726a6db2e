/** Reading what every resource of this door reads alike: ids, pages, headers. */
import { Type } from 'typebox'
import { isIdempotencyKey } from '../../domain/order.ts'
import { Problem } from '../../domain/problem.ts'
import { isId } from '../../kit/id.ts'
import type { Incoming } from '../contract.ts'

/** The address under which this door's resources live. */
export const base = '/plantain/v1'

/** An id of the path, in the house's form. One that cannot be an id names nothing. @throws {Problem} `not_found` */
export function readId(request: Pick<Incoming, 'params'>, what: string): string {
  const text = request.params['id'] ?? ''
  if (!isId(text)) throw missing(what, text)
  return text.replaceAll('-', '')
}

export const missing = (what: string, id: string): Problem => new Problem('not_found', `There is no ${what} ${id.slice(0, 100)}.`)

/** Found, or `not_found`. */
export function found<T>(thing: T | null, what: string, id: string): T {
  if (thing === null) throw missing(what, id)
  return thing
}

export const Limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: 'How many at most. Default 20.' }))
export const After = Type.Optional(Type.String({ description: '`next` of the page before.' }))
export const limitDefault = 20

/** Where a page begins. @throws {Problem} `bad_request` when it is no `next` of ours */
export function readAfter(after: string | undefined, field = 'after'): string | undefined {
  if (after === undefined) return undefined
  if (!isId(after)) throw new Problem('bad_request', `${field} must be the \`next\` of the page before.`, { field, value: after.slice(0, 100) })
  return after.replaceAll('-', '')
}

export function readFilterId(id: string | undefined, field: string): string | undefined {
  if (id === undefined) return undefined
  if (!isId(id)) throw new Problem('bad_request', `${field} must be an id: 32 hexadecimal characters.`, { field, value: id.slice(0, 100) })
  return id.replaceAll('-', '')
}

/** @throws {Problem} `bad_request` */
export function readIdempotencyKey(headers: Incoming['headers']): string | undefined {
  const key = headers['idempotency-key']
  if (key === undefined) return undefined
  if (!isIdempotencyKey(key)) {
    throw new Problem('bad_request', 'Idempotency-Key must be 1 to 255 printable ASCII characters without spaces.', { field: 'Idempotency-Key' })
  }
  return key
}

export const waitMaxS = 60

/** Seconds a caller wants to wait for the end: `?wait=` exactly, `Prefer: wait=` as a wish that is cut to what we give. */
export function readWait({ query, headers }: Pick<Incoming, 'query' | 'headers'>): { seconds: number; preferred: boolean } {
  const asked = query.get('wait')
  if (asked !== null) {
    if (!/^\d{1,4}$/.test(asked) || Number(asked) > waitMaxS) {
      throw new Problem('bad_request', `wait must be a whole number of seconds from 0 to ${waitMaxS}.`, { field: 'wait', value: asked.slice(0, 100), allowed: { min: 0, max: waitMaxS } })
    }
    return { seconds: Number(asked), preferred: false }
  }
  const wish = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})"?/i.exec(headers['prefer'] ?? '')
  return wish ? { seconds: Math.min(waitMaxS, Number(wish[1])), preferred: true } : { seconds: 0, preferred: false }
}
