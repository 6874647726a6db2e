/** Where upstreams take pictures: several in a list, one alone, the first and last of a film, a mask. Pure. */
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import type { Asked } from '../toolkit.ts'

/** An upstream's fields by what a picture is for; what has none is refused. */
export interface Slots {
  /** Several pictures in one field, in their order. A last picture of a film stands at the end. */
  list?: { field: string; max: number }
  /** A field for a single link. */
  one?: string
  /** Of a film: a plain picture counts as its first. */
  first?: string
  last?: string
  mask?: string
  /** The model does nothing without a picture. */
  required?: true
}

/** Whether a film's pictures show who or what is to be in it, and are no frames of it. */
export const isReferred = ({ inputs }: Pick<Asked, 'inputs'>): boolean => inputs.length > 0 && !inputs.some(({ role }) => role === 'first_frame' || role === 'last_frame')

/** Roles that say how a picture is meant. Upstreams take plain lists. */
const meant = new Set(['character', 'object', 'style'])

/**
 * Links to a job's pictures in an upstream's fields. `links` stand in the job's order.
 *
 * @throws {Problem} `unsupported_parameter` for a picture it has no place for, `bad_request` where one is missing
 */
export function writePictures(job: Asked, slots: Slots, links: string[], title: string): { fields: Record<string, Json>; warnings: string[] } {
  const taken = job.inputs.map(({ role }, index) => ({ role, link: links[index]! }))
  const no = (message: string, value: Json, allowed?: Json) => new Problem('unsupported_parameter', message, { field: 'inputs', value, ...(allowed === undefined ? {} : { allowed }) })
  const [mask, last] = (['mask', 'last_frame'] as const).map(role => taken.filter(one => one.role === role).at(-1))
  const rest = [...taken.filter(({ role }) => role === 'first_frame'), ...taken.filter(({ role }) => role !== 'first_frame' && role !== 'last_frame' && role !== 'mask')]
  const film = rest.find(({ role }) => role === 'video')
  if (film || (mask && !slots.mask)) throw no(`${title} takes no ${film ? 'video' : 'mask'} for ${job.model}.`, film ? 'video' : 'mask')
  if (last && !slots.last && !slots.list) throw no(`${title} takes no last_frame for ${job.model}.`, 'last_frame')
  if (last && rest.length === 0) throw no(`${title} takes a last picture only beside a first one for ${job.model}. Add a first_frame.`, 'last_frame')
  const all = last && !slots.last ? [...rest, last] : rest
  const max = slots.list?.max ?? (slots.one ?? slots.first ? 1 : 0)
  if (all.length > max) throw no(`${title} takes ${max === 0 ? 'no' : `at most ${max}`} pictures for ${job.model}, not ${all.length}.`, all.length, { max })
  if (all.length === 0 && slots.required) throw new Problem('bad_request', `${job.model} needs a picture. Add one to inputs.`, { field: 'inputs' })
  if (mask && all.length === 0) throw new Problem('bad_request', 'A mask needs the picture it belongs to. Add one to inputs.', { field: 'inputs' })
  const single = slots.one ?? slots.first
  return {
    fields: {
      ...(all.length === 0 ? {} : single === undefined ? { [slots.list!.field]: all.map(({ link }) => link) } : { [single]: all[0]!.link }),
      ...(last && slots.last ? { [slots.last]: last.link } : {}),
      ...(mask ? { [slots.mask!]: mask.link } : {}),
    },
    warnings: all.length > 0 && taken.some(({ role }) => meant.has(role)) ? [`The roles of the pictures were not passed on: ${title} takes a plain list. Say in the prompt what each is for.`] : [],
  }
}
