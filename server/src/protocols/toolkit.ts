/** What doors that speak the dialects of others have in common: where their clients put the key, and taking in the pictures of a call. */
import type { Asset } from '../domain/asset.ts'
import type { InputReference, Role } from '../domain/order.ts'
import { Problem, type Mistake } from '../domain/problem.ts'
import type { Desk, Incoming, Submitted, Upload } from './contract.ts'

/**
 * The caller's key, in any form the clients of these dialects send: `Authorization` with `Bearer` or bare, `x-api-key`,
 * `x-goog-api-key`, `?key=`.
 *
 * Every door takes every form: gateways that speak several dialects let a client keep one habit for all of them. A scheme other
 * than `Bearer` is none of them, so that a proxy's own `Basic` is never taken for a key.
 */
export function readAnySecret({ headers, query }: Pick<Incoming, 'headers' | 'query'>): string | null {
  const authorization = /^\s*(?:Bearer\s+)?(\S+)\s*$/i.exec(headers.authorization ?? '')?.[1]
  if (authorization && !/^bearer$/i.test(authorization)) return authorization
  return headers['x-api-key']?.trim() || headers['x-goog-api-key']?.trim() || query.get('key')?.trim() || null
}

/** A picture a call names: one we have, or one that has yet to come in. `field` is where it stands, in the caller's words. */
export type Wanted = { role: Role; field: string } & ({ assetId: string } | { upload: Upload })

export interface TakenIn {
  inputs: InputReference[]
  /** Lets go of what was taken in for this call only. */
  giveBack(): Promise<void>
}

/**
 * Takes in every picture of a call that is still outside, each address once; links of ours are not fetched.
 *
 * @throws {Problem} `bad_input_image`, `input_unreachable`, `private_address`, `too_large`, …, with the caller's name of the field; then nothing that came with this call is kept
 */
export async function takeIn(wanted: Wanted[], desk: Desk): Promise<TakenIn> {
  const fresh: Asset[] = []
  const giveBack = async () => { await Promise.all(fresh.map(asset => desk.assets.remove(asset.id).catch(() => {}))) }
  const take = async (upload: Upload): Promise<string> => {
    const ours = 'url' in upload ? await desk.assets.resolveLink(upload.url) : null
    if (ours) return ours.id
    const asset = await desk.assets.keep(upload)
    fresh.push(asset)
    return asset.id
  }
  const byAddress = new Map<string, Promise<string>>()
  const once = (upload: Upload): Promise<string> => {
    if (!('url' in upload)) return take(upload)
    if (!byAddress.has(upload.url)) byAddress.set(upload.url, take(upload))
    return byAddress.get(upload.url)!
  }
  const results = await Promise.allSettled(wanted.map(async (one): Promise<InputReference> => {
    try {
      return { assetId: 'assetId' in one ? one.assetId : await once(one.upload), role: one.role }
    } catch (thrown) {
      if (!(thrown instanceof Problem)) throw thrown
      // The body itself is of a kind that is taken; what is wrong is a picture in it.
      throw new Problem(thrown.code === 'unsupported_media' ? 'bad_input_image' : thrown.code, `${one.field}: ${thrown.message}`, { ...thrown.details, field: one.field, cause: thrown })
    }
  }))
  const failure = results.find(result => result.status === 'rejected')
  if (failure) {
    await giveBack()
    throw failure.reason
  }
  return { inputs: results.flatMap(result => result.status === 'fulfilled' ? [result.value] : []), giveBack }
}

/** A no in the caller's own names for the fields. `names` has the house's; `says` is what stands between a name and what is wrong with it. */
export function rename(thrown: unknown, names: Record<string, string>, { says = ' ' }: { says?: string } = {}): unknown {
  if (!(thrown instanceof Problem) || thrown.details.field === undefined) return thrown
  const { problems } = thrown.details
  const { field, message } = renamed({ field: thrown.details.field, message: thrown.message }, names, says)
  return new Problem(thrown.code, message, { ...thrown.details, field, ...(problems ? { problems: problems.map(one => ({ ...one, ...renamed(one, names, says) })) } : {}), cause: thrown })
}

function renamed({ field: ours, message }: Mistake, names: Record<string, string>, says: string): Pick<Mistake, 'field' | 'message'> {
  const field = Object.hasOwn(names, ours) ? names[ours]! : ours
  const short = ours.replace(/^parameters\./, '')
  return { field, message: field !== ours && message.startsWith(`${short} `) ? `${field}${says}${message.slice(short.length + 1)}` : message }
}

/** Headers that name the task of an answer; by it the house adds who made it, what it cost and what was not done as asked. */
export const taskHeaders = ({ task, replayed }: Submitted): Record<string, string> => ({ 'x-task-id': task.id, ...(replayed ? { 'idempotent-replayed': 'true' } : {}) })

/** A film in pixels by its shape and shorter side: `16:9` at `720p` is `1280x720`. Null for what has none (`auto`, `4K`). */
export function filmSize(ratio: unknown, side: unknown): string | null {
  const [wide, high] = (typeof ratio === 'string' ? /^(\d{1,2}):(\d{1,2})$/.exec(ratio)?.slice(1) : undefined)?.map(Number) ?? []
  const short = typeof side === 'string' ? Number(/^(\d{2,4})p$/.exec(side)?.[1] ?? 0) : 0
  if (!wide || !high || short === 0) return null
  const long = Math.round(short * Math.max(wide, high) / Math.min(wide, high))
  return wide >= high ? `${long}x${short}` : `${short}x${long}`
}

/** Rate headers as OpenAI spells them. */
export const writeRequestRate = ({ max, remaining, resetS }: { max: number; remaining: number; resetS: number }): Record<string, string> => ({
  'x-ratelimit-limit-requests': String(max),
  'x-ratelimit-remaining-requests': String(remaining),
  'x-ratelimit-reset-requests': `${Math.ceil(resetS)}s`,
})
