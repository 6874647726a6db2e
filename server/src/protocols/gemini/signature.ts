/**
 * Thought signatures: opaque text a client sends back with the model's turn, exactly as it came. Pure.
 *
 * Ours name the asset (or task) they were given out with, so that a picture which comes back need not be taken in again, and may be
 * left out altogether. They are no secret: an asset is looked up among the caller's own. Those of others are never checked; what
 * an upstream gave goes out as it came, and what a client brings from elsewhere is kept with the order.
 */
import type { Json } from '../../domain/outcome.ts'
import type { Task } from '../../domain/task.ts'
import { isId } from '../../kit/id.ts'

const mark = 'plantain/1 '

export const signAsset = (assetId: string): string => Buffer.from(`${mark}asset ${assetId}`).toString('base64')
export const signTask = (taskId: string): string => Buffer.from(`${mark}task ${taskId}`).toString('base64')

/** The asset a signature of ours names; null for any other text. */
export function assetIn(signature: string): string | null {
  const id = read(signature, 'asset ')
  return id !== null && isId(id) ? id : null
}

export const isOurs = (signature: string): boolean => read(signature, '') !== null

function read(signature: string, kind: string): string | null {
  // Clients of other languages may write it with the other alphabet of base64, or without its padding.
  if (signature.length > 200 || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(signature)) return null
  const text = Buffer.from(signature, 'base64').toString('latin1')
  return text.startsWith(mark + kind) ? text.slice(mark.length + kind.length) : null
}

/** What the upstream signed its pictures with, by their order: a provider that speaks this dialect leaves it in the task's details. */
export function upstreamSignatures({ details }: Pick<Task, 'details'>): string[] {
  const given: Json | undefined = details.thought_signatures
  return Array.isArray(given) ? given.filter(one => typeof one === 'string') : []
}
