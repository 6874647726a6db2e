/**
 * Films of the Omni family: an interaction is begun in the background, looked at by its id, and can be told to stop. Pure.
 *
 * Written after Google's own client (`@google/genai` 3.1, its types of interactions) and the wire page, which has tried the shapes of pictures
 * only. Words are in snake_case, and the code of an error is a word.
 */
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import { failed, wait } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem, type ProblemCode } from '../../domain/problem.ts'
import type { JobOutcome } from '../contract.ts'
import { as, nothing, shorten, speaksOfPolicy, unclaimed, unknown, unreached, unheard, when, words, writeParameters } from '../toolkit.ts'
import type { Asked, BytesOf, Handling, Reply } from '../toolkit.ts'
import { inlineMax, type SentPicture } from '../toolkit/gemini.ts'
import { readError, readOperationError, title } from '../toolkit/google.ts'
import { pending, type Film, type Looked, type Receipt } from './film.ts'

export const isOmni = (model: string): boolean => model.startsWith('gemini-omni-')

const fit: ReadonlySet<string> = new Set(['first_frame', 'reference', 'character', 'object', 'style', 'video'])

export const omniHandlings: Record<string, Handling> = {
  aspect_ratio: as('aspect_ratio', words('16:9', '9:16')),
  resolution: as('resolution', { '720p': '720p', '1080p': '1080p', '4K': '4k' }),
  duration_s: value => ({ send: { duration: `${Number(value)}s` } }),
  seed: value => ({ send: { seed: value } }),
  sound: when(true, nothing, unheard('films of this family always have sound.')),
}

/** Refuses what cannot be honoured, before a picture is read. @throws {Problem} `unsupported_parameter`, `too_large` */
export function checkInteraction(job: Asked): { fields: Record<string, Json>; warnings: string[] } {
  const unfit = job.inputs.find(({ role }) => !fit.has(role))
  if (unfit) throw new Problem('unsupported_parameter', `${job.model} takes no ${unfit.role}.`, { field: 'inputs', value: unfit.role, allowed: [...fit] })
  if (job.count > 1) throw new Problem('unsupported_parameter', `${job.model} makes one film at a time.`, { field: 'parameters.count', value: job.count, allowed: { max: 1 } })
  const base64 = job.inputs.reduce((sum, { sizeBytes }) => sum + Math.ceil(sizeBytes / 3) * 4, 0)
  if (base64 > inlineMax) throw new Problem('too_large', `The inputs have ${base64} bytes together as Google takes them; ${inlineMax} fit into a call.`, { field: 'inputs', allowed: inlineMax })
  const { fields, warnings } = writeParameters(job, 'Google', omniHandlings)
  const told = new Set(job.inputs.map(({ role }) => role))
  const isMixed = told.size > 1 || told.has('style') || told.has('character') || told.has('object')
  return { fields, warnings: isMixed ? [...warnings, 'The roles of the pictures were not passed on: Google takes them in order. Say in the prompt what each is for.'] : warnings }
}

/** What the film begins with says what is to be done with it; of several kinds the model finds out by itself. */
function taskOf({ inputs }: Asked): Record<string, Json> {
  const roles = new Set(inputs.map(({ role }) => role))
  if (roles.size !== 1) return {}
  if (roles.has('first_frame')) return { video_config: { task: 'image_to_video' } }
  return roles.has('video') ? {} : { video_config: { task: 'reference_to_video' } }
}

/** `pictures` are the job's inputs in its order. */
export function writeInteraction(job: Asked, pictures: SentPicture[]): { path: string; body: Json; warnings: string[] } {
  const { fields: { seed, ...format }, warnings } = checkInteraction(job)
  const config = { ...(seed === undefined ? {} : { seed }), ...taskOf(job) }
  return {
    path: 'interactions', warnings,
    body: {
      model: job.model, background: true, store: true,
      input: [{ type: 'text', text: job.prompt }, ...pictures.map(({ base64, mime }) => ({ type: mime.startsWith('video/') ? 'video' : 'image', data: base64, mime_type: mime }))],
      response_format: { type: 'video', ...format, delivery: 'uri' },
      ...(Object.keys(config).length > 0 ? { generation_config: config } : {}),
    },
  }
}

/** States an interaction can have. A word nobody documented means that it goes on. */
export const states = ['queued', 'in_progress', 'requires_action', 'requires_continuation', 'completed', 'failed', 'cancelled', 'incomplete', 'budget_exceeded'] as const
type State = (typeof states)[number]
const isState = (state: string): state is State => (states as readonly string[]).includes(state)

const Said = Type.Object({ code: Type.Optional(Type.Union([Type.Number(), Type.String()])), message: Type.Optional(Type.String()) })
const Step = Type.Object({
  type: Type.Optional(Type.String()), error: Type.Optional(Said),
  content: Type.Optional(Type.Array(Type.Object({ type: Type.String(), text: Type.Optional(Type.String()), data: Type.Optional(Type.String()), uri: Type.Optional(Type.String()) }))),
})
const Interaction = Type.Object({ id: Type.String({ pattern: '^[\\w.-]{1,200}$' }), status: Type.String(), steps: Type.Optional(Type.Array(Step)), error: Type.Optional(Said), usage: Type.Optional(Type.Unknown()) })
type Interaction = Static<typeof Interaction>

const prefix = 'interactions/'
/** A receipt of an interaction, and not of an operation. */
export const isInteraction = ({ id }: Pick<Receipt, 'id'>): boolean => id.startsWith(prefix)

/** Reads what beginning an interaction brought. */
export function readInteractionBegun(reply: Reply, warnings: string[]): JobOutcome {
  if (reply.kind === 'unreached') return failed(unreached(title))
  if (reply.kind === 'lost') return failed(unknown(title))
  if (reply.status >= 300) return readError(reply, { isCall: false })
  if (!Value.Check(Interaction, reply.body)) return failed(unknown(title, String(reply.status)))
  return wait({ id: `${prefix}${reply.body.id}`, warnings } satisfies Receipt)
}

/** Reads what looking at an interaction brought. A look that fails says nothing about the film: it counts as still going on. */
export function readInteraction(reply: Reply): Looked {
  if (reply.kind !== 'answered') return pending()
  const { status, body, retryAfterMs, bytesOf } = reply
  if (status === 404) return { kind: 'missing' }
  if (status >= 300 || !Value.Check(Interaction, body) || !isState(body.status)) return pending(retryAfterMs)
  const no = (code: ProblemCode, sentence: string): Looked => ({ kind: 'failed', problem: new Problem(code, sentence, { upstreamCode: body.status }) })
  switch (body.status) {
    case 'queued':
    case 'in_progress': return pending(retryAfterMs)
    case 'completed': return readFilms(body, bytesOf)
    case 'failed': return { kind: 'failed', problem: readTrouble(body) }
    case 'cancelled': return no('provider_failed', 'This was cancelled at Google, not by us.')
    case 'incomplete': return no('provider_failed', 'The model stopped half-way.')
    case 'requires_action':
    case 'requires_continuation': return no('provider_failed', 'The model asked for something back and made no film. Say all it needs in the prompt.')
    case 'budget_exceeded': return { kind: 'failed', problem: unclaimed(title, 'the budget of your project there', 'has no budget left for us', body.status) }
  }
}

function readFilms({ steps = [], usage }: Interaction, bytesOf: BytesOf): Looked {
  const content = steps.flatMap(step => step.type === 'model_output' ? step.content ?? [] : [])
  const films = content.flatMap(({ type, uri, data }): Film[] => type !== 'video' ? [] : uri ? [{ uri }] : data ? [{ bytes: bytesOf(data) }] : [])
  const said = shorten(content.flatMap(({ type, text }) => type === 'text' && text ? [text] : []).join(' ').trim())
  if (films.length > 0) return { kind: 'made', films, warnings: [], ...(typeof usage === 'object' && usage !== null ? { details: { usage: usage as Json } } : {}) }
  return { kind: 'failed', problem: new Problem(speaksOfPolicy(said) ? 'content_rejected' : 'bad_output', said ? `The model answered without a film. ${said}` : 'Google says that the film is made, but names no file.', { upstreamCode: 'completed' }) }
}

/** Why it failed: a number is one of gRPC's. */
function readTrouble({ error, steps = [] }: Interaction): Problem {
  const { code, message } = error ?? steps.find(step => step.error)?.error ?? {}
  const said = shorten(message || 'no reason given')
  if (typeof code === 'number' && code <= 16) return readOperationError(code, said)
  return new Problem(speaksOfPolicy(`${code} ${said}`) ? 'content_rejected' : 'provider_failed', `Google could not make this film: ${said}`, { upstreamCode: String(code ?? 'failed') })
}

/** Whether it says that an interaction was stopped. */
export const readStopped = (reply: Reply): boolean => reply.kind === 'answered' && reply.status < 300 && Value.Check(Interaction, reply.body) && reply.body.status === 'cancelled'
