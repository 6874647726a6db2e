import type { Json } from './outcome.ts'
import { Problem } from './problem.ts'

/** What can be done: verb and modality; the model is a setting. `write` makes text, of words and of pictures (describing one is writing). */
export const operations = ['generate', 'edit', 'upscale', 'remove_background', 'video', 'write'] as const
export type Operation = (typeof operations)[number]

export const roles = ['reference', 'character', 'object', 'style', 'mask', 'first_frame', 'last_frame', 'video'] as const
export type Role = (typeof roles)[number]

export const priorities = ['interactive', 'batch'] as const
export type Priority = (typeof priorities)[number]

/** An asset of ours that goes into the making. Pictures from outside are taken in first, so an order never carries bytes or foreign links. */
export interface InputReference { assetId: string; role: Role }

/** What a caller wants made, in the house's words. Doors translate their dialects into this. */
export interface Order {
  /** A model name as the caller wrote it: a card id, one of its names, or a template (`template:<slug>@<label>`). */
  model: string
  /** Absent: derived from the card and from whether there are inputs. */
  operation?: Operation
  prompt: string
  /** For an order of a template (`template:<slug>`): what its variables stand for. Absent: the prompt says it (`fillTemplate`). */
  variables?: Record<string, Json>
  /** By the card's own names (`aspect_ratio`, `resolution`, `output_format`, `count`, `seed`, …); checked against the card's schema. */
  parameters: Record<string, Json>
  inputs: InputReference[]
  priority?: Priority
  /** Among routes of equal order, orders with the same key go the same way as long as the routes and their health are the same. 1 to 128 characters. Absent: each goes its own. */
  stickyKey?: string
  /** Where to call back when the task has ended, in the words of which protocol. */
  callbackUrl?: string
  /** Seconds from submission: must have started by, must have ended by. */
  startWithinS?: number
  endWithinS?: number
  /** The caller's own notes: at most 16 pairs, keys to 64, values to 512 characters. Given back untouched. */
  metadata?: Record<string, string>
  /** What the caller's dialect needs to read the task back as it was sent (Kie's `param`). Never bytes, never secrets. */
  wire?: { protocol: string; body: Json }
  idempotencyKey?: string
  /**
   * Set by doors that answer with the picture itself: how often the client says it has tried already (0 where it does not say).
   *
   * SDKs send a call again after a time-out without any key. The same order from the same key is taken for such a repetition when
   * the client says so, or when whoever sent the first one went away unanswered; then it gets the first one's task.
   */
  retryCount?: number
  /** How many in-between pictures the caller wants while it waits, 0 to 3; where the provider can make them. */
  partials?: number
  /** What the door changed or ignored, said openly on the task. */
  warnings?: string[]
}

/** What an Idempotency-Key may be: 1 to 255 printable ASCII characters without spaces. */
export const isIdempotencyKey = (key: string): boolean => /^[\x21-\x7e]{1,255}$/.test(key)

/** @throws {Problem} `bad_request` for what is no key */
export function checkIdempotencyKey(key: string): void {
  if (!isIdempotencyKey(key)) throw new Problem('bad_request', 'An Idempotency-Key is 1 to 255 printable ASCII characters without spaces.', { field: 'Idempotency-Key' })
}
