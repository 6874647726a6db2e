import { randomBytes, randomFillSync } from 'node:crypto'

const random = Buffer.allocUnsafe(4096)
let used = random.length
let lastMs = 0
let sequence = 0

/**
 * A new id: UUID version 7 (RFC 9562) as 32 hexadecimal characters without dashes, so that every dialect takes it as it is.
 *
 * Ids made by one process rise strictly, also within a millisecond (the 12 bits after the version count up), so a list ordered
 * by id is a list ordered by time.
 */
export function newId(now = Date.now()): string {
  if (now > lastMs) { lastMs = now; sequence = 0 } else if (++sequence > 0xfff) { lastMs += 1; sequence = 0 }
  if (used + 8 > random.length) { randomFillSync(random); used = 0 }
  const tail = random.subarray(used, used += 8)
  tail[0] = tail[0]! & 0x3f | 0x80
  return lastMs.toString(16).padStart(12, '0') + (0x7000 | sequence).toString(16) + tail.toString('hex')
}

/** Is this an id of ours, as text from outside? Dashes are taken too. */
export const isId = (text: string): boolean => /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/.test(text)

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** Random letters and digits, without bias; 30 of them hold 178 bits. */
export function randomText(length: number): string {
  let text = ''
  while (text.length < length) for (const byte of randomBytes(length)) if (byte < 248 && text.length < length) text += alphabet[byte % 62]
  return text
}
