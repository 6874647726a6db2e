/** What goes to Luma and what comes back. Pure. */
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { as, only, shorten, speaksOfPolicy, unheard, words, writeParameters, type Handling } from '../toolkit.ts'
import { nearestRatio, type Shaped } from '../toolkit/ai-sdk.ts'
import type { Begun, Looked } from '../toolkit/two-calls.ts'

const title = 'Luma'
const ratios = ['1:1', '3:4', '4:3', '9:16', '16:9', '9:21', '21:9']

/** Where each kind of picture goes, and how many of a kind. */
const places = { reference: { field: 'image_ref', max: 4, weight: 0.85 }, object: { field: 'image_ref', max: 4, weight: 0.85 }, style: { field: 'style_ref', max: 4, weight: 0.8 }, character: { field: 'character_ref', max: 4, weight: 1 } } as const

/** `links` are the job's inputs where Luma can fetch them; null where it cannot. @throws {Problem} `unsupported_parameter` */
export function writeBody(job: Shaped, links: (string | null)[]): { body: Record<string, Json>; warnings: string[] } {
  const ratio: Handling = (value, name) => as('aspect_ratio', words(...ratios))(value === 'auto' ? nearestRatio(ratios, job) : value, name, job)
  const { fields, warnings } = writeParameters(job, title, {
    aspect_ratio: ratio, resolution: only('1K'), output_format: as('format', { png: 'png', jpeg: 'jpg' }), seed: unheard('Luma has no seed, so another run gives another picture.'),
  })
  return { body: { model: job.model, prompt: job.prompt, ...fields, ...writePictures(job, links) }, warnings }
}

function writePictures({ inputs, model, operation }: Shaped, links: (string | null)[]): Record<string, Json> {
  const no = (message: string, value: Json, allowed?: Json) => new Problem('unsupported_parameter', message, { field: 'inputs', value, ...(allowed === undefined ? {} : { allowed }) })
  if (links.includes(null)) throw no(`${title} takes pictures as links only, and this server has no address it could fetch them from. Set PUBLIC_URL, or send no pictures.`, inputs.length)
  // One picture and words is a change of that picture; several are what a new one is made after.
  if (operation === 'edit' && inputs.length === 1 && inputs[0]!.role === 'reference') return { modify_image_ref: { url: links[0]!, weight: 1 } }
  const fields: Record<string, { url: string; weight: number }[]> = {}
  const characters: string[] = []
  for (const [index, { role }] of inputs.entries()) {
    const place = Object.hasOwn(places, role) ? places[role as keyof typeof places] : null
    if (!place) throw no(`${title} takes no ${role} for ${model}.`, role)
    if (place.field === 'character_ref') characters.push(links[index]!)
    else (fields[place.field] ??= []).push({ url: links[index]!, weight: place.weight })
  }
  for (const [field, list] of [...Object.entries(fields), ['character_ref', characters]] as const) if (list.length > 4) throw no(`${title} takes at most 4 pictures as ${field}, not ${list.length}.`, list.length, { max: 4 })
  return { ...fields, ...(characters.length > 0 ? { character_ref: { identity0: { images: characters } } } : {}) }
}

const Body = Type.Object({
  id: Type.String({ minLength: 1 }), state: Type.String(), failure_reason: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  assets: Type.Optional(Type.Union([Type.Null(), Type.Object({ image: Type.Optional(Type.Union([Type.String(), Type.Null()])) })])),
})

export const readBegunAt = (base: string) => (body: unknown): Begun | null => Value.Check(Body, body) ? { id: body.id, look: `${base}/generations/${encodeURIComponent(body.id)}` } : null

/** How it stands, by every state its pages list. Null for what nobody can read, which is looked at again. */
export function readLook(body: unknown): Looked | null {
  if (!Value.Check(Body, body)) return null
  const { state, assets, failure_reason: reason } = body
  switch (state) {
    case 'queued': case 'dreaming': return { kind: 'pending' }
    case 'completed': return typeof assets?.image === 'string' && URL.canParse(assets.image) ? { kind: 'made', url: assets.image } : { kind: 'failed', problem: new Problem('bad_output', `${title} ended without a picture.`, { upstreamCode: state }) }
    case 'failed': {
      const said = shorten(reason ?? '')
      return { kind: 'failed', problem: speaksOfPolicy(said) ? new Problem('content_rejected', `${title} refused this: ${said}`, { upstreamCode: state }) : new Problem('provider_failed', `${title} could not make this${said ? `: ${said}` : '.'}`, { upstreamCode: state }) }
    }
    // A word nobody has heard of yet.
    default: return { kind: 'pending' }
  }
}
