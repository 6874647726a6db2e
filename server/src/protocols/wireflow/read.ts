/** Reading what the calls of this door have in common: bodies, pages, keys that make a repetition harmless. */
import { createHash } from 'node:crypto'
import type { Json } from '../../domain/outcome.ts'
import { asProblem, Problem } from '../../domain/problem.ts'
import type { Desk, Incoming } from '../contract.ts'
import { fieldsOf } from './graph.ts'
import { no, refuse } from './words.ts'

/** As much as Wireflow's platform lets through. */
export const bodyMax = 4_718_592

export type Fields = Record<string, Json>

/** @throws {Problem} `bad_request` where the body is no object; none at all is an empty one */
export function readBody(body: unknown): Fields {
  if (body === undefined || body === null) return {}
  const fields = fieldsOf(body)
  if (!fields) throw no('bad_request', 'The request body must be a JSON object', { code: 'invalid_request' })
  return fields
}

export const wrong = (field: string, message: string, details: { allowed?: unknown } = {}): Problem => no('bad_request', message, { code: 'invalid_request' }, { field, ...details })

export function readText(fields: Fields, field: string, max: number): string | undefined {
  const value = fields[field]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw wrong(field, `${field} must be text`)
  if (value.length > max) throw wrong(field, `${field} may have at most ${max} characters`, { allowed: { charactersMax: max } })
  return value
}

export function readFlag(fields: Fields, field: string): boolean | undefined {
  const value = fields[field]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'boolean') throw wrong(field, `${field} must be true or false`)
  return value
}

export function readTexts(fields: Fields, field: string): string[] | undefined {
  const value = fields[field]
  if (value === undefined || value === null) return undefined
  if (!Array.isArray(value) || value.some(one => typeof one !== 'string')) throw wrong(field, `${field} must be a list of texts`)
  return value as string[]
}

export function readObject(fields: Fields, field: string): Fields | undefined {
  const value = fields[field]
  if (value === undefined || value === null) return undefined
  const object = fieldsOf(value)
  if (!object) throw wrong(field, `${field} must be an object`)
  return object
}

/** A whole number in the query. */
export function readWhole(query: URLSearchParams, field: string, { min, max, standard }: { min: number; max: number; standard: number }): number {
  const text = query.get(field)
  if (text === null) return standard
  const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN
  if (!(value >= min && value <= max)) throw wrong(field, `${field} must be a whole number from ${min} to ${max}`, { allowed: { min, max } })
  return value
}

const kept = (status: number): boolean => status < 300 || status >= 400 && status < 500 && status !== 401 && status !== 402 && status !== 429

const sorted = (value: unknown): string => JSON.stringify(value, (_name, one: unknown) =>
  one !== null && typeof one === 'object' && !Array.isArray(one) ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => a < b ? -1 : 1)) : one) ?? ''

/**
 * Answers a call with an `Idempotency-Key` once for this key, method and path, and the same again to whoever repeats it within a day.
 *
 * `handle` is given a name for work of its own that must not be done twice; without a key there is none.
 *
 * @throws {Problem} `idempotency_mismatch`, `idempotency_busy`
 */
export async function once(request: Incoming, desk: Desk, handle: (key: { key: string; body: string } | null) => Promise<Response>, body: unknown = request.body): Promise<Response> {
  const key = request.headers['idempotency-key']
  if (key === undefined) return handle(null)
  const call = `${request.method} ${request.path}`
  const text = sorted(body)
  const name = `wireflow-${createHash('sha256').update(JSON.stringify([desk.caller.keyId, call, key])).digest('hex')}`
  const { answer, replayed } = await desk.once({ key, call, body: text, isKept: one => kept(one.status) }, async () => {
    try {
      return await handle({ key: name, body: text })
    } catch (thrown) {
      const problem = asProblem(thrown)
      if (problem.code === 'internal') throw thrown
      const said = refuse(problem, request)
      if (!kept(said.status)) throw thrown
      return said
    }
  })
  if (replayed) answer.headers.set('idempotency-replayed', 'true')
  return answer
}
