import type { KeyObject } from 'node:crypto'
import { signKie, signWebhook } from './signature.ts'

/** What the headers of one attempt are made of. */
export interface Letter {
  id: string
  taskId: string | null
  eventType: string
  style: string
  body: string
  timestampS: number
  secrets: string[]
  kieKey: string | null
  /** The house's own key, for those who would rather not keep a secret. */
  signingKey?: KeyObject | undefined
}

const standard = ({ id, eventType, body, timestampS, secrets, signingKey }: Letter): Record<string, string> => ({
  'webhook-id': `msg_${id}`,
  'webhook-timestamp': String(timestampS),
  'webhook-signature': signWebhook({ id: `msg_${id}`, timestampS, body, secrets, signingKey }),
  'x-plantain-event': eventType,
})

/** Kie signs only for accounts that asked for a key, and sends neither header otherwise. */
const kie = ({ taskId, timestampS, kieKey }: Letter): Record<string, string> => taskId === null || kieKey === null ? {} : {
  'x-webhook-timestamp': String(timestampS),
  'x-webhook-signature': signKie({ taskId, timestampS, key: kieKey }),
}

/** Dialects with headers of their own. Any other style is signed the standard way. */
const styles: Record<string, (letter: Letter) => Record<string, string>> = { kie }

/** Does this style sign with a `whsec_` secret? */
export const isStandard = (style: string): boolean => !Object.hasOwn(styles, style)

export const writeHeaders = (letter: Letter): Record<string, string> => (isStandard(letter.style) ? standard : styles[letter.style]!)(letter)
