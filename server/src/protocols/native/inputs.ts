/** Pictures that come with an order: what a caller may write, and taking them in without leaving any behind when the order fails. */
import { Type } from 'typebox'
import type { Static } from 'typebox'
import type { Asset } from '../../domain/asset.ts'
import { roles, type InputReference, type Role } from '../../domain/order.ts'
import { Problem } from '../../domain/problem.ts'
import { isId } from '../../kit/id.ts'
import type { Desk, Upload } from '../contract.ts'

export const InputBody = Type.Union([
  Type.String({ description: 'The id of an asset.' }),
  Type.Object({
    asset: Type.Optional(Type.String({ description: 'The id of an asset.' })),
    url: Type.Optional(Type.String({ maxLength: 4_096, description: 'A public http(s) address, or a link of ours.' })),
    data_url: Type.Optional(Type.String({ description: '`data:image/png;base64,…`' })),
    base64: Type.Optional(Type.String({ description: 'The bytes of the picture.' })),
    role: Type.Optional(Type.Enum([...roles], { description: 'What it is for. Default `reference`.' })),
  }, { additionalProperties: false, description: 'Exactly one of asset, url, data_url and base64.' }),
], { title: 'Input' })

/** A picture an order wants: one we have, or one that has yet to come in. */
export type Wanted = { role: Role } & ({ assetId: string } | { upload: Upload })

const sources = ['asset', 'url', 'data_url', 'base64'] as const

/** @throws {Problem} `bad_request` when it is none, or several at once */
export function readInput(input: Static<typeof InputBody>, field: string): Wanted {
  const body = typeof input === 'string' ? { asset: input } : input
  const role = 'role' in body && body.role !== undefined ? body.role : 'reference'
  const given = sources.filter(source => (body as Record<string, unknown>)[source] !== undefined)
  if (given.length !== 1) {
    throw new Problem('bad_request', `${field} must have exactly one of ${sources.join(', ')}${given.length > 1 ? `, not ${given.join(' and ')}` : ''}.`, { field, allowed: sources })
  }
  if (body.asset !== undefined) {
    if (!isId(body.asset)) throw noAsset(body.asset, field)
    return { role, assetId: body.asset.replaceAll('-', '') }
  }
  return { role, upload: readUpload(body as Static<typeof UploadBody>, field) }
}

export const UploadBody = Type.Object({
  url: Type.Optional(Type.String({ maxLength: 4_096, description: 'A public http(s) address; fetched once, now.' })),
  data_url: Type.Optional(Type.String({ description: '`data:image/png;base64,…`' })),
  base64: Type.Optional(Type.String()),
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
}, { additionalProperties: false, description: 'Exactly one of url, data_url and base64.', examples: [{ url: 'https://example.com/photo.jpg' }] })

export function readUpload(body: Static<typeof UploadBody>, field?: string): Upload {
  const { url, data_url: dataUrl, base64 } = body
  const name = body.name === undefined ? {} : { name: body.name }
  const given = [url, dataUrl, base64].filter(source => source !== undefined)
  if (given.length !== 1) throw new Problem('bad_request', `${field ?? 'The body'} must have exactly one of url, data_url and base64.`, { ...(field ? { field } : {}), allowed: ['url', 'data_url', 'base64'] })
  if (dataUrl !== undefined) return { dataUrl, ...name }
  if (base64 !== undefined) return { base64, ...name }
  if (!/^https?:\/\/./i.test(url!) || !URL.canParse(url!)) {
    throw new Problem('bad_request', 'url must be an address that begins with https:// or http://.', { field: field ? `${field}.url` : 'url', value: url!.slice(0, 100) })
  }
  return { url: url!, ...name }
}

const noAsset = (id: string, field: string) => new Problem('bad_input_image', `${field}: there is no asset ${id.slice(0, 100)}.`, { field, value: id.slice(0, 100) })

export interface TakenIn {
  inputs: InputReference[]
  /** Lets go of what was taken in for this order only. */
  giveBack(): Promise<void>
}

/**
 * Takes in every picture of an order that is still outside.
 *
 * @throws {Problem} `bad_input_image`, `input_unreachable`, `private_address`, `too_large`, …; then nothing that came with this call is kept
 */
export async function takeIn(wanted: Wanted[], desk: Desk): Promise<TakenIn> {
  const fresh: Asset[] = []
  const giveBack = async () => { await Promise.all(fresh.map(asset => desk.assets.remove(asset.id).catch(() => {}))) }
  const take = async (one: Wanted, index: number): Promise<InputReference> => {
    if ('assetId' in one) return one
    const ours = 'url' in one.upload ? await desk.assets.resolveLink(one.upload.url) : null
    if (ours) return { assetId: ours.id, role: one.role }
    try {
      const asset = await desk.assets.keep(one.upload)
      fresh.push(asset)
      return { assetId: asset.id, role: one.role }
    } catch (thrown) {
      if (!(thrown instanceof Problem) || thrown.details.field !== undefined) throw thrown
      throw new Problem(thrown.code, thrown.message, { ...thrown.details, field: `inputs[${index}]`, cause: thrown })
    }
  }
  const results = await Promise.allSettled(wanted.map(take))
  const failure = results.find(result => result.status === 'rejected')
  if (failure) {
    await giveBack()
    throw failure.reason
  }
  return { inputs: results.flatMap(result => result.status === 'fulfilled' ? [result.value] : []), giveBack }
}
