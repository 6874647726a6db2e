/** How a receiver can tell that a delivery is ours. Pure, but for the making of secrets. */
import { createHmac, randomBytes } from 'node:crypto'
import { randomText } from '../kit/id.ts'

const webhookPrefix = 'whsec_'

/** A secret in the form Standard Webhooks libraries take as it is. */
export const newWebhookSecret = (): string => webhookPrefix + randomBytes(32).toString('base64')

/** A key for Kie's headers, whose bytes are used as they are written. */
export const newKieKey = (): string => `whk_${randomText(40)}`

export interface Signed {
  id: string
  timestampS: number
  body: string
  /** One signature each: two while a secret is being replaced. */
  secrets: string[]
}

/** `webhook-signature` of Standard Webhooks: `v1,` and HMAC-SHA256 over id, time and body, once per secret. */
export const signWebhook = ({ id, timestampS, body, secrets }: Signed): string => secrets
  .map(secret => `v1,${createHmac('sha256', Buffer.from(secret.slice(webhookPrefix.length), 'base64')).update(`${id}.${timestampS}.${body}`).digest('base64')}`)
  .join(' ')

/** `X-Webhook-Signature` of Kie: over the task's id and the time only, not over the body. */
export const signKie = ({ taskId, timestampS, key }: { taskId: string; timestampS: number; key: string }): string =>
  createHmac('sha256', key).update(`${taskId}.${timestampS}`).digest('base64')
