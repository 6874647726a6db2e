/** Tokens of a Google service account (RFC 7523): asked for with a signed assertion, by our own `fetch`, and kept until shortly before they end. */
import { createPrivateKey, createSign } from 'node:crypto'
import { Problem } from '../../domain/problem.ts'
import type { Workshop } from '../contract.ts'
import { asking, unclaimed, unreached } from '../toolkit.ts'

const title = 'Google Vertex AI'
const scope = 'https://www.googleapis.com/auth/cloud-platform'
/** A token that ends sooner is not begun with: the call it is for may take this long to be read. */
const spareMs = 60_000

export interface Account { clientEmail: string; privateKey: string; tokenUrl: string }
export interface Token { (signal: AbortSignal): Promise<string>; current(): string }

const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url')

/** The assertion a token is asked for with. @throws {Problem} `provider_not_configured` where the key is no key */
export function writeAssertion({ clientEmail, privateKey, tokenUrl }: Account, now: Date): string {
  const issuedS = Math.floor(now.getTime() / 1000)
  const text = `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode({ iss: clientEmail, scope, aud: tokenUrl, iat: issuedS, exp: issuedS + 3_600 })}`
  try {
    return `${text}.${createSign('RSA-SHA256').update(text).sign(createPrivateKey(privateKey.replaceAll('\\n', '\n'))).toString('base64url')}`
  } catch (cause) {
    throw new Problem('provider_not_configured', `${title} has no private key that can be read. See to VERTEX_CLIENT_EMAIL and VERTEX_PRIVATE_KEY.`, { cause })
  }
}

/** Hands out the present token, and gets a new one when it is about to end. Several who want one share the asking. */
export function createToken(account: Account, { fetch, now }: Pick<Workshop, 'fetch' | 'now'>): Token {
  const ask = asking(fetch, now)
  let kept: { token: string; untilMs: number } | null = null
  let getting: Promise<string> | null = null

  const get = async (signal: AbortSignal): Promise<string> => {
    const body = new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: writeAssertion(account, now()) })
    const reply = await ask(new URL(account.tokenUrl), { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: body.toString(), signal })
    // Nothing is bought by asking for a token, so every silence may be asked again.
    if (reply.kind !== 'answered' || reply.status >= 500) throw unreached(title)
    const { access_token: token, expires_in: seconds } = (reply.body ?? {}) as { access_token?: string; expires_in?: number }
    if (reply.status >= 400 || typeof token !== 'string') throw unclaimed(title, 'VERTEX_CLIENT_EMAIL and VERTEX_PRIVATE_KEY', 'refused our service account', String(reply.status))
    kept = { token, untilMs: now().getTime() + (typeof seconds === 'number' ? seconds : 3_600) * 1000 }
    return token
  }

  const token = async (signal: AbortSignal): Promise<string> => {
    if (kept && kept.untilMs - now().getTime() > spareMs) return kept.token
    getting ??= get(signal).finally(() => { getting = null })
    return getting
  }
  return Object.assign(token, { current: () => kept?.token ?? '' })
}

/** A `fetch` that puts the present token where the package put a key. */
export const signWith = (token: Token, fetch: typeof globalThis.fetch): typeof globalThis.fetch => async (input, init) => {
  const headers = new Headers(init?.headers)
  headers.delete('x-goog-api-key')
  headers.set('authorization', `Bearer ${token.current()}`)
  return fetch(input, { ...init, headers })
}
