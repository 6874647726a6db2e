/**
 * What back doors to models on one's own machines have in common. Pure.
 *
 * Nothing is sold there: what is made a second time costs time. What may not happen all the same is that a caller pays twice, or gets
 * another picture than was asked for.
 */
import { createHash } from 'node:crypto'
import type { Job } from '../contract.ts'
import { nothing } from '../toolkit.ts'
import type { Asked, Handling } from '../toolkit.ts'

/** The seed of a job that names none: the same for every repetition of an attempt, another for the next, and told to the caller. */
export const seedOf = ({ parameters, key }: Pick<Asked, 'parameters' | 'key'>): number =>
  typeof parameters.seed === 'number' ? parameters.seed : createHash('sha256').update(key).digest().readUInt32BE(0) >>> 1

/** Shapes are worked out by the card and sent as width and height. */
export const shapes: Record<string, Handling> = { size: nothing, aspect_ratio: nothing, resolution: nothing }

/** A job with the pixels it asks for. */
export type Shaped = Asked & Pick<Job, 'width' | 'height'>

/**
 * The pixels to make: a size that was asked for as it is; shapes by ratio, and the picture's own where the card leaves it open, cut to
 * the blocks the model draws in. Empty where nobody knows.
 */
export function shapeOf({ width, height, inputs, parameters }: Shaped, block = 8): { width: number; height: number } | Record<string, never> {
  if (width && height && parameters.size !== undefined) return { width, height }
  const first = inputs.find(({ role }) => role === 'reference' || role === 'first_frame') ?? inputs[0]
  const [wide, high] = width && height ? [width, height] : [first?.width, first?.height]
  if (!wide || !high) return {}
  const whole = (edge: number) => Math.max(block, Math.floor(edge / block) * block)
  return { width: whole(wide), height: whole(high) }
}

/** Roles that say how a picture is meant, which these models do not ask. */
const meant = new Set(['character', 'object', 'style'])
export const rolesLost = (inputs: Asked['inputs']): string[] => inputs.some(({ role }) => meant.has(role)) ? ['The roles of the pictures were not passed on. Say in the prompt what each is for.'] : []

/** A route to this model takes whatever the server has loaded. */
export const loaded = 'loaded'

/** The address of a call below the one in the settings, which may have a path of its own. */
export const below = (base: string, path: string): URL => new URL(`${base.replace(/\/+$/, '')}${path}`)

/** A header for whatever guards the server; these have no keys of their own. */
export const guardedBy = (authorization: string | undefined): Record<string, string> => authorization ? { authorization } : {}

/** The pictures of a job by what they are for, each with its bytes still to be read. */
export function sortInputs({ inputs }: Pick<Job, 'inputs'>) {
  return {
    pictures: inputs.filter(({ role }) => role !== 'mask' && role !== 'first_frame' && role !== 'last_frame' && role !== 'video'),
    mask: inputs.find(({ role }) => role === 'mask'),
    first: inputs.find(({ role }) => role === 'first_frame'),
    last: inputs.find(({ role }) => role === 'last_frame'),
    video: inputs.find(({ role }) => role === 'video'),
  }
}
