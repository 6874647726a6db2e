import { createHash } from 'node:crypto'
import { randomText } from '../kit/id.ts'

/** A key's secret as it is handed out once: the mode is readable, the rest holds 178 random bits. */
export const newSecret = (livemode: boolean): string => `sk-${livemode ? 'live' : 'test'}-${randomText(30)}`

/** Could this text be a secret of ours? What could not is turned away without asking the database. */
export const isSecret = (text: string): boolean => /^sk-(test|live)-[0-9A-Za-z]{30}$/.test(text)

/** What is stored of a secret. It has 178 random bits, so a slow hash would add nothing but time to every request. */
export const hashSecret = (secret: string): Buffer => createHash('sha256').update(secret).digest()

/** What is shown of a secret afterwards, so that people can tell their keys apart: `sk-test-8FaK`. */
export const prefixOf = (secret: string): string => secret.slice(0, 12)
