/**
 * Pictures as OpenAI's images API makes them: what is said to it, to servers shaped like it and to gateways that hand its calls on,
 * and what their answers hold. Pure.
 *
 * The call itself brings the pictures. Absent on purpose: errors by HTTP status, in which every server has words of its own.
 */
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import { done, failed } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import type { Took } from '../../domain/usage.ts'
import type { JobOutcome, Made } from '../contract.ts'
import { as, nothing, when, words, writeParameters } from '../toolkit.ts'
import type { Asked, BytesOf, Handling } from '../toolkit.ts'

export interface Wishes {
  /** In-between pictures that are wanted; 0 asks for none. */
  partials: number
  /** It is a model of OpenAI's, whatever its name. */
  isOwn?: boolean
}

export interface WrittenCall { path: 'images/generations' | 'images/edits'; fields: Record<string, Json>; warnings: string[] }

/** OpenAI's own models, whose fields are known; others get what they can take. */
const isOpenai = (model: string): boolean => /^(gpt-image|chatgpt-image)/.test(model)

const compression: Handling = (value, _name, { parameters }) => parameters.output_format === 'jpeg' || parameters.output_format === 'webp' ? { send: { output_compression: value } } : { refused: null }
const ofGif: Handling = (value, name, { parameters }) => parameters.output_format === 'gif' ? { send: { [name]: value } } : { refused: null }
const background: Handling = (value, _name, { parameters }) => value === 'transparent' && parameters.output_format === 'jpeg' ? { refused: ['opaque'] } : { send: { background: value } }

const common: Record<string, Handling> = {
  size: as('size'),
  quality: as('quality'),
  background,
  output_format: as('output_format', words('png', 'jpeg', 'webp', 'gif')),
  frame_count: ofGif,
  frame_duration_ms: ofGif,
  output_compression: compression,
  moderation: as('moderation', words('auto', 'low')),
  complexity: as('complexity', words('low', 'medium', 'high')),
  // Only edits look at a picture.
  input_fidelity: (value, _name, { inputs }) => inputs.length > 0 ? { send: { input_fidelity: value } } : { warning: 'input_fidelity was not passed on: there is no picture to be true to.' },
}

/** sd.cpp reads settings out of the prompt; a caller must not reach them through words. */
const hidden = /<\/?sd_cpp_extra_args[^>]*>/gi

/**
 * The fields of a call, files apart.
 *
 * @throws {Problem} `unsupported_parameter` for what the model cannot honour
 */
export function writeFields(job: Asked, { partials, isOwn = isOpenai(job.model) }: Wishes): WrittenCall {
  const unfit = job.inputs.find(({ role }) => role === 'video' || role === 'first_frame' || role === 'last_frame')
  if (unfit) throw new Problem('unsupported_parameter', `${job.model} takes no ${unfit.role}.`, { field: 'inputs', value: unfit.role })
  const pictures = job.inputs.filter(({ role }) => role !== 'mask')
  if (pictures.length === 0 && job.inputs.length > 0) throw new Problem('bad_request', 'A mask needs a picture to lie on. Add one to inputs.', { field: 'inputs' })
  if (pictures.length > 16) throw new Problem('unsupported_parameter', `${job.model} takes at most 16 pictures, not ${pictures.length}.`, { field: 'inputs', value: pictures.length, allowed: { max: 16 } })
  const { fields, warnings } = writeParameters(job, 'the images API', isOwn ? common : { ...extensions(job), ...common })
  const prompt = isOwn ? job.prompt : job.prompt.replace(hidden, '')
  const told = job.inputs.some(({ role }) => role === 'character' || role === 'object' || role === 'style') ? ['The roles of the pictures were not passed on. Say in the prompt what each is for.'] : []
  const cleaned = prompt === job.prompt ? [] : ['Settings hidden in the prompt were taken out.']
  return {
    path: job.inputs.length > 0 ? 'images/edits' : 'images/generations',
    fields: {
      model: job.model, prompt, n: job.count, ...fields,
      // Older and foreign models answer with links unless they are told.
      ...(isOwn ? {} : { response_format: 'b64_json' }),
      // A stream carries one picture; more of them come in one piece.
      ...(partials > 0 && job.count === 1 ? { stream: true, partial_images: Math.min(3, partials) } : {}),
    },
    warnings: [...warnings, ...told, ...cleaned],
  }
}

/** Servers shaped like OpenAI's know parameters of their own: passed on by name, and said so. */
const extensions = ({ parameters }: Asked): Record<string, Handling> => Object.fromEntries(Object.keys(parameters).filter(name => !(name in common)).map(name => [name, when('auto', nothing,
  (value, given) => ({ send: { [given]: value }, warning: `${given} was passed on as it is; whether this server knows it cannot be seen.` }))]))

const Usage = Type.Object({ input_tokens: Type.Optional(Type.Number()), output_tokens: Type.Optional(Type.Number()), total_tokens: Type.Optional(Type.Number()) })
export const Effects = { background: Type.Optional(Type.Unknown()), output_format: Type.Optional(Type.Unknown()), quality: Type.Optional(Type.Unknown()), size: Type.Optional(Type.Unknown()), usage: Type.Optional(Type.Union([Usage, Type.Null()])) }
export const Images = Type.Object({
  data: Type.Array(Type.Object({ b64_json: Type.Optional(Type.Union([Type.String(), Type.Null()])), url: Type.Optional(Type.Union([Type.String(), Type.Null()])), revised_prompt: Type.Optional(Type.Union([Type.String(), Type.Null()])) })),
  ...Effects,
})
export type Images = Static<typeof Images>

const Count = Type.Optional(Type.Number())
const Details = Type.Optional(Type.Union([Type.Object({ text_tokens: Count, image_tokens: Count }), Type.Null()]))
const Counted = Type.Object({ input_tokens: Count, output_tokens: Count, input_tokens_details: Details, output_tokens_details: Details })

/** What a call took. What an images API does not tell apart goes in as text and comes out as pictures. */
export function readUsage(usage: unknown): Took {
  if (!Value.Check(Counted, usage)) return {}
  const { input_tokens: input, output_tokens: output, input_tokens_details: given, output_tokens_details: came } = usage
  if (input === undefined && output === undefined) return {}
  const imageIn = given?.image_tokens ?? 0
  const textOut = came?.text_tokens ?? 0
  return { usage: {
    ...(input === undefined ? {} : { textIn: given?.text_tokens ?? Math.max(0, input - imageIn), imageIn }),
    ...(output === undefined ? {} : { textOut, imageOut: came?.image_tokens ?? Math.max(0, output - textOut) }),
  } }
}

const formats: Record<string, string> = { png: 'image/png', jpeg: 'image/jpeg', webp: 'image/webp', gif: 'image/gif' }

/** What was asked for and what there is to say beside the answer. */
export interface Said { asked: Record<string, Json>; warnings: string[]; requestId: string | null }

/** What an answer holds. */
export function readMade({ data, ...effects }: Images, bytesOf: BytesOf, { asked, warnings, requestId }: Said): JobOutcome {
  const mime = formats[String(effects.output_format)]
  const made = data.flatMap(({ b64_json: base64, url }): Made[] => base64 ? [{ bytes: bytesOf(base64), ...(mime ? { mime } : {}) }] : url && URL.canParse(url) ? [{ url, ...(mime ? { mime } : {}) }] : [])
  if (made.length === 0) return failed(new Problem('bad_output', 'The images API answered without a picture.', { upstreamCode: '200' }), null, readUsage(effects.usage))
  const revised = data.find(({ revised_prompt: one }) => one)?.revised_prompt
  // What no file shows: an answer that names something else says that it did not listen.
  const { background } = effects
  const changed = typeof background === 'string' && asked.background !== undefined && asked.background !== 'auto' && background !== 'auto' && background !== asked.background
    ? [`background ${String(asked.background)} was asked and ${background} was made.`] : []
  const told = Object.fromEntries((['size', 'quality', 'background', 'output_format'] as const).flatMap(name => typeof effects[name] === 'string' ? [[name, effects[name]]] : []))
  const all = [...warnings, ...changed]
  return done({
    made,
    ...(requestId ? { upstreamId: requestId } : {}),
    details: { ...(effects.usage ? { usage: effects.usage as Json } : {}), ...(revised ? { revised_prompt: revised } : {}), ...(Object.keys(told).length > 0 ? { openai: told } : {}) },
    ...(all.length > 0 ? { warnings: all } : {}),
    ...readUsage(effects.usage),
  })
}
