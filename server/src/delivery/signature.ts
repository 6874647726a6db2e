/** How a receiver can tell that a delivery is ours. Pure, but for the making of secrets. */
import { createHmac, createPrivateKey, createSecretKey, randomBytes, sign, type KeyObject } from 'node:crypto'
import { randomText } from '../kit/id.ts'

const webhookPrefix = 'whsec_'

/** A secret in the form Standard Webhooks libraries take as it is. */
export const newWebhookSecret = (): string => webhookPrefix + randomBytes(32).toString('base64')

/** A key for Kie's headers, whose bytes are used as they are written. */
export const newKieKey = (): string => `whk_${randomText(40)}`

/** What stands before the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410). */
const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex')

/** The Ed25519 key that 32 random bytes are: the same bytes, the same key pair, on every server. */
export const readSigningKey = (seed: Uint8Array): KeyObject => createPrivateKey({ key: Buffer.concat([pkcs8, seed]), format: 'der', type: 'pkcs8' })

/** Keys made of secrets: making one takes 10 µs, signing with it 1.5. */
const keys = new Map<string, KeyObject>()
const keysMax = 1_000

/** The secret's text is the name it is kept under, so one that was replaced is never signed with. */
function keyOf(secret: string): KeyObject {
  let key = keys.get(secret)
  if (!key) {
    if (keys.size >= keysMax) keys.clear()
    keys.set(secret, key = createSecretKey(Buffer.from(secret.slice(webhookPrefix.length), 'base64')))
  }
  return key
}

export interface Signed {
  id: string
  timestampS: number
  body: string | Uint8Array
  /** One signature each: two while a secret is being replaced. */
  secrets: string[]
  /** Signs for everybody at once: who has the public half can verify, and nobody but us can sign. */
  signingKey?: KeyObject | undefined
}

/**
 * `webhook-signature` of Standard Webhooks, over id, time and body: `v1,` and HMAC-SHA256 once per secret, then `v1a,` and
 * Ed25519 with the house's key.
 *
 * The second only where a project asks for it: measured, a whole delivery takes some 100 µs of this process's CPU, and Ed25519
 * adds 12 to 40 to it (HMAC: 10).
 */
export function signWebhook({ id, timestampS, body, secrets, signingKey }: Signed): string {
  const head = `${id}.${timestampS}.`
  const text = typeof body === 'string' ? Buffer.from(head + body) : Buffer.concat([Buffer.from(head), body])
  const signatures = secrets.map(secret => `v1,${createHmac('sha256', keyOf(secret)).update(text).digest('base64')}`)
  if (signingKey) signatures.push(`v1a,${sign(null, text, signingKey).toString('base64')}`)
  return signatures.join(' ')
}

/** `X-Webhook-Signature` of Kie: over the task's id and the time only, not over the body. */
export const signKie = ({ taskId, timestampS, key }: { taskId: string; timestampS: number; key: string }): string =>
  createHmac('sha256', key).update(`${taskId}.${timestampS}`).digest('base64')
