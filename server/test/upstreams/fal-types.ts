/**
 * What fal's endpoints take and give, out of the types of its own client, read as text: a field the client does not know is refused as fal does, and so is a word
 * that is none of a field's. What lies within a number or a link the types do not say.
 *
 * Absent: what the client has under a type of several parts (lists of elements, colours), for nothing of ours is sent there.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Field { required: boolean; /** Words it takes, where it takes no others. */ words: string[]; fits(value: unknown): boolean }
export interface Endpoint { fields: Map<string, Field>; makes: 'images' | 'image' | 'video' }

const text = readFileSync(path.join(path.dirname(fileURLToPath(import.meta.resolve('@fal-ai/client'))), 'types/endpoints.d.ts'), 'utf8')
const types = new Map([...text.matchAll(/^export type (\w+) = ([\s\S]*?);\n(?=export |$|type )/gm)].map(([, name, body]) => [name!, body!]))
const endpoints = new Map([...text.matchAll(/^ {4}"([^"]+)": \{\n\s+input: (\w+);\n\s+output: (\w+);/gm)].map(([, name, input, output]) => [name!, { input: input!, output: output! }]))

const linesOf = (name: string): [field: string, optional: string, type: string][] => {
  let body = types.get(name)
  while (body !== undefined && /^\w+$/.test(body)) body = types.get(body)
  return [...(body ?? '').matchAll(/^ {4}(\w+)(\??): (.+);$/gm)].map(([, field, optional, type]) => [field!, optional!, type!])
}

function readField(optional: string, type: string): Field {
  const words = [...type.matchAll(/"([^"]*)"/g)].map(([, word]) => word!)
  const parts = type.replace(/"[^"]*"/g, '').split('|').map(part => part.trim()).filter(part => part !== '')
  const isPixels = (value: unknown) => typeof value === 'object' && value !== null && Object.keys(value).sort().join() === 'height,width' && Object.values(value).every(side => Number.isInteger(side))
  const fits = (value: unknown): boolean => words.includes(value as string) || parts.some(part => {
    switch (part) {
      case 'string': case 'number': case 'boolean': return typeof value === part
      case 'Array<string>': return Array.isArray(value) && value.every(one => typeof one === 'string')
      case 'ImageSize': return isPixels(value)
      default: return false
    }
  })
  return { required: optional === '', words: parts.length === 0 ? words : [], fits }
}

/** Newer than the client, by fal's pages of October 2026: another endpoint's fields, or its own. */
const alike: Record<string, string> = {
  'fal-ai/flux-2/klein/4b': 'fal-ai/flux-2/klein/9b',
  'fal-ai/kling-video/v3/4k/text-to-video': 'fal-ai/kling-video/v3/pro/text-to-video', 'fal-ai/kling-video/v3/4k/image-to-video': 'fal-ai/kling-video/v3/pro/image-to-video',
}
const omni = { prompt: 'string', 'aspect_ratio?': '"16:9" | "9:16"', 'resolution?': '"720p" | "1080p" | "4k"', 'duration?': 'number' }
const newer: Record<string, Record<string, string>> = {
  'google/gemini-omni-flash/v1.1/text-to-video': omni,
  'google/gemini-omni-flash/v1.1/image-to-video': { ...omni, image_url: 'string', 'end_image_url?': 'string' },
  'google/gemini-omni-flash/v1.1/reference-to-video': { ...omni, image_urls: 'Array<string>' },
}
/** 4K is on the pages of Veo and Veo Fast, and in the client's types of some of their endpoints only; Lite has none. */
const is4k = /^fal-ai\/veo3\.1(\/fast)?(\/(image|reference|first-last-frame)-to-video)?$/

const fieldsOf = (fields: Record<string, string>): Map<string, Field> => new Map(Object.entries(fields).map(([name, type]) => [name.replace('?', ''), readField(name.endsWith('?') ? '?' : '', type)]))

/** Null for an endpoint nobody has heard of. */
export function endpointOf(name: string): Endpoint | null {
  if (newer[name]) return { fields: fieldsOf(newer[name]), makes: 'video' }
  const found = endpoints.get(alike[name] ?? name)
  if (!found) return null
  const given = linesOf(found.output).map(([field]) => field)
  const fields = linesOf(found.input).map(([field, optional, type]): [string, string, string] => [field, optional, field === 'resolution' && is4k.test(name) ? `${type} | "4k"` : type])
  return {
    fields: new Map(fields.map(([field, optional, type]) => [field, readField(optional, type)])),
    makes: given.includes('video') ? 'video' : given.includes('images') ? 'images' : 'image',
  }
}

/** Why an input is none of an endpoint's: the field, fal's word for the mistake, and a sentence; null where it is one. Undefined for an endpoint nobody has heard of. */
export function unfitOf(name: string, input: Record<string, unknown>): { field: string; type: string; why: string } | null | undefined {
  const known = endpointOf(name)
  if (!known) return undefined
  for (const [field, { required }] of known.fields) if (required && input[field] === undefined) return { field, type: 'missing', why: 'Field required' }
  for (const [field, value] of Object.entries(input)) {
    const one = known.fields.get(field)
    if (!one) return { field, type: 'extra_forbidden', why: 'Extra inputs are not permitted' }
    if (!one.fits(value)) return { field, type: 'one_of', why: `Input should be ${one.words.length > 0 ? `one of ${one.words.join(', ')}` : 'of another type'}` }
    if (/_urls?$/.test(field) && ![value].flat().every(link => /^https?:\/\//.test(String(link)))) return { field, type: 'file_download_error', why: 'Failed to download the file.' }
  }
  return null
}
