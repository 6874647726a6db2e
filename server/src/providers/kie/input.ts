/** A job as the `input` of Kie's createTask, by what `models.ts` says of its model. Pure. */
import type { Role } from '../../domain/order.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { tooLong, writeParameters, type Asked } from '../toolkit.ts'
import { modelOf, title, type Model, type Pictures } from './models.ts'

export interface Written { model: string; input: Record<string, Json>; warnings: string[] }

/** Roles that say how a picture is meant; Kie takes a plain list. */
const meant = new Set(['character', 'object', 'style'])

/**
 * One order in Kie's words. `links` are the job's pictures in its order, where Kie can fetch them.
 *
 * @throws {Problem} `unsupported_parameter` for what Kie cannot honour
 */
export function writeInput(job: Asked, links: string[]): Written {
  const known = modelOf(job)
  if (!known) return writeUnlisted(job, links)
  checkPrompt(job, known)
  const { fields, warnings } = writeParameters(job, title, known.parameters)
  const pictures = writePictures(job, known, links)
  return {
    model: known.name ?? (links.length > 0 && known.withPictures ? known.withPictures : job.model),
    input: { ...(known.prompt === false ? {} : { prompt: job.prompt }), ...known.always, ...fields, ...pictures.fields },
    warnings: [...warnings, ...pictures.warnings, ...(known.prompt === false && job.prompt.trim() !== '' ? ['prompt was not passed on: this model takes no words.'] : [])],
  }
}

function checkPrompt({ prompt, model }: Asked, { promptMin = 0, promptMax = Infinity }: Model): void {
  if (prompt.length > promptMax) throw tooLong(title, model, prompt, promptMax)
  // Some of its models take no prompt at all, but none a shorter one.
  if (prompt !== '' && prompt.length < promptMin) throw new Problem('bad_request', `${title} takes prompts from ${promptMin} characters for ${model}. Say a little more.`, { field: 'prompt', value: prompt })
}

function writePictures(job: Asked, { pictures = [] }: Model, links: string[]): { fields: Record<string, Json>; warnings: string[] } {
  const places = [pictures].flat()
  if (job.inputs.some(({ role }) => role === 'last_frame') && !job.inputs.some(({ role }) => role !== 'last_frame')) {
    throw new Problem('unsupported_parameter', `${title} takes a last picture only beside a first one for ${job.model}. Add a first_frame.`, { field: 'inputs' })
  }
  const taken = new Map<Pictures, { role: Role; link: string }[]>()
  for (const [index, { role }] of job.inputs.entries()) {
    const place = places.find(({ roles }) => roles ? roles.includes(role) : role !== 'mask' && role !== 'video')
    if (!place) throw new Problem('unsupported_parameter', places.length === 0 ? `${title} takes no pictures for ${job.model}, not ${links.length}.` : `${title} takes no ${role} for ${job.model}.`, { field: 'inputs', value: role })
    taken.set(place, [...taken.get(place) ?? [], { role, link: links[index]! }])
  }
  const fields: Record<string, Json> = {}
  for (const place of places) {
    const here = taken.get(place) ?? []
    const what = place.roles?.[0] ?? 'picture'
    if (here.length > place.max) throw new Problem('unsupported_parameter', `${title} takes at most ${place.max} pictures as ${place.field} for ${job.model}, not ${here.length}.`, { field: 'inputs', value: here.length, allowed: { max: place.max } })
    if (here.length === 0) {
      if (place.required) throw new Problem('bad_request', `${job.model} needs a ${what === 'reference' ? 'picture' : what}. Add one to inputs.`, { field: 'inputs' })
      continue
    }
    // In a list the last picture stands behind the first.
    const inOrder = here.toSorted((a, b) => Number(a.role === 'last_frame') - Number(b.role === 'last_frame')).map(({ link }) => link)
    fields[place.field] = place.as === 'one' ? inOrder[0]! : inOrder
  }
  const untold = [...taken].some(([{ roles }, here]) => !roles && here.some(({ role }) => meant.has(role)))
  return { fields, warnings: untold ? [`The roles of the pictures were not passed on: ${title} takes a plain list. Say in the prompt what each is for.`] : [] }
}

/** A model of an operator's own card: its parameters go out under the card's own names. */
function writeUnlisted(job: Asked, links: string[]): Written {
  const { count: _, ...parameters } = job.parameters
  return {
    model: job.model, input: { prompt: job.prompt, ...parameters, ...(links.length > 0 ? { image_urls: links } : {}) },
    warnings: ['This model is not one of those whose fields at Kie.ai are known here; its parameters were passed on under the card’s own names.'],
  }
}
