/**
 * Links to files that need no key: `<PUBLIC_URL>/files/<asset>/<name>.<ext>?expires=…&signature=…`. Pure.
 *
 * The signature covers path, thumbnail side, expiry and whether it is a download, so none of them can be changed. The public
 * address is not signed: the house may move behind another name.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { Problem } from '../domain/problem.ts'

export interface LinkParts { assetId: string; fileName: string; side: number | null; download: boolean; expiresS: number }

export const dayS = 86_400
const secondsMax = 30 * dayS

/**
 * When a link asked for now ends. Long ones are rounded up to the hour, so that whoever asks again within it gets the same text;
 * short ones (an upstream's hour, a download's twenty minutes) are meant to be short.
 */
export function expiryOf(now: Date, seconds: number): number {
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > secondsMax) throw new Problem('bad_request', `A link lives from 1 second to ${secondsMax} (30 days), not ${seconds}.`, { field: 'seconds', value: seconds })
  const stepS = seconds >= dayS ? 3600 : seconds >= 3600 ? 60 : 1
  return Math.ceil((now.getTime() / 1000 + seconds) / stepS) * stepS
}

export function writeLink(base: string, secret: Buffer, parts: LinkParts): string {
  const query = new URLSearchParams({ expires: String(parts.expiresS), ...(parts.side === null ? {} : { side: String(parts.side) }), ...(parts.download ? { download: '1' } : {}) })
  query.set('signature', sign(secret, parts))
  return `${base.replace(/\/+$/, '')}/files/${parts.assetId}/${parts.fileName}?${query.toString()}`
}

/** @throws {Problem} `not_found` for anything that is not a link as we wrote it, `link_expired` */
export function readLink(path: string, query: URLSearchParams, secret: Buffer, now: Date): LinkParts {
  const match = /\/files\/([0-9a-f]{32})\/([A-Za-z0-9._-]{1,120})$/.exec(path)
  const expires = query.get('expires') ?? ''
  const side = query.get('side')
  const download = query.get('download')
  const wrong = () => new Problem('not_found', 'This link is not one of ours, or it was changed on the way. Ask for a new one.')
  if (!match || !/^\d{1,11}$/.test(expires) || (side !== null && !/^\d{1,5}$/.test(side)) || (download !== null && download !== '1')) throw wrong()
  const parts = { assetId: match[1]!, fileName: match[2]!, side: side === null ? null : Number(side), download: download === '1', expiresS: Number(expires) }
  const given = Buffer.from(query.get('signature') ?? '')
  const right = Buffer.from(sign(secret, parts))
  if (given.length !== right.length || !timingSafeEqual(given, right)) throw wrong()
  if (parts.expiresS * 1000 <= now.getTime()) throw new Problem('link_expired', 'This link has expired. Ask for a new one.', { expiredAt: new Date(parts.expiresS * 1000).toISOString() })
  return parts
}

const sign = (secret: Buffer, { assetId, fileName, side, download, expiresS }: LinkParts) =>
  createHmac('sha256', secret).update(`files/${assetId}/${fileName}\n${side ?? ''}\n${download ? 1 : ''}\n${expiresS}`).digest('base64url')

/** The asset's id in any address of ours (signed or not, expired or not); null for a foreign one. */
export function idInLink(link: string, base: string): string | null {
  if (!URL.canParse(link)) return null
  const url = new URL(link)
  const house = new URL(base)
  if (url.protocol !== house.protocol || url.port !== house.port || sameName(url.hostname) !== sameName(house.hostname)) return null
  const prefix = house.pathname.replace(/\/+$/, '')
  if (!url.pathname.startsWith(`${prefix}/`)) return null
  const match = /^\/(?:files|plantain\/v1\/assets)\/([0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12})(?:\/|$)/.exec(url.pathname.slice(prefix.length))
  return match ? match[1]!.replaceAll('-', '') : null
}

/** A machine calls itself by several names, and people write whichever comes to mind. */
const sameName = (host: string) => host === 'localhost' || host === '[::1]' || host.startsWith('127.') ? 'loopback' : host
