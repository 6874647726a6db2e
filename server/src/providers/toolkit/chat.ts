/**
 * Text as OpenAI's chat completions write it, and every server shaped like them: what is said, and what the answers hold. Pure.
 *
 * Absent on purpose: errors by HTTP status, in which every server has words of its own.
 */
import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'
import { failed } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import type { Took } from '../../domain/usage.ts'
import type { Job, JobOutcome } from '../contract.ts'
import { as, nothing, shorten, unheard, writeParameters } from '../toolkit.ts'
import type { Asked, Handling } from '../toolkit.ts'
import type { SentPicture } from './gemini.ts'
import { readWritten, systemOf } from './text.ts'

/** OpenAI's own models, whose fields are known; others get what they all take. */
const isOpenai = (model: string): boolean => /^(gpt-|chatgpt-|o\d)/.test(model)
/** Those of them that think, and the word for not doing so: `minimal` for the first of the fifth family, `none` since. */
const thinks = (model: string): boolean => !/^(gpt-[34]|chatgpt-)/.test(model)
const least = (model: string): string => /^gpt-5(-|$)/.test(model) ? 'minimal' : 'none'

const own: Record<string, Handling> = {
  system: nothing,
  max_tokens: as('max_completion_tokens'),
  effort: (value, _name, { model }) => !thinks(model) ? value === 'minimal' ? {} : { warning: `effort ${String(value)} was not passed on: ${model} does not think first.` } : { send: { reasoning_effort: value === 'minimal' ? least(model) : value } },
  temperature: (value, name, job) => thinks(job.model) && job.parameters.effort !== 'minimal' ? unheard('OpenAI takes none for models that think. Set effort to minimal for it.')(value, name, job) : { send: { temperature: value } },
}
const foreign: Record<string, Handling> = {
  system: nothing,
  max_tokens: as('max_tokens'),
  effort: (value, name, job) => value === 'minimal' ? {} : unheard('servers shaped like OpenAI’s have no common word for it.')(value, name, job),
  temperature: as('temperature'),
}

/** @throws {Problem} `unsupported_parameter` */
export function writeChat(job: Asked, pictures: SentPicture[], { isOwn = isOpenai(job.model) }: { isOwn?: boolean } = {}): { fields: Record<string, Json>; warnings: string[] } {
  const { fields, warnings } = writeParameters(job, 'the chat API', isOwn ? own : foreign)
  const system = systemOf(job)
  const content: Json = pictures.length === 0 ? job.prompt
    : [...pictures.map(({ mime, base64 }) => ({ type: 'image_url', image_url: { url: `data:${mime};base64,${base64}` } })), { type: 'text', text: job.prompt }]
  return { fields: { model: job.model, messages: [...(system === null ? [] : [{ role: 'system', content: system }]), { role: 'user', content }], ...fields }, warnings }
}

const maybe = <S extends Parameters<typeof Type.Optional>[0]>(schema: S) => Type.Optional(Type.Union([schema, Type.Null()]))
export const Chat = Type.Object({
  id: maybe(Type.String()), model: maybe(Type.String()),
  choices: Type.Array(Type.Object({ finish_reason: maybe(Type.String()), message: Type.Object({ content: maybe(Type.String()), refusal: maybe(Type.String()) }) })),
  usage: Type.Optional(Type.Unknown()),
})
export type Chat = Static<typeof Chat>

const Counted = Type.Object({ prompt_tokens: Type.Number(), completion_tokens: Type.Number() })

/** Pictures that went in are counted with the words, and thinking with what came back. */
const readTokens = (usage: unknown): Took => Value.Check(Counted, usage) ? { usage: { textIn: usage.prompt_tokens, textOut: usage.completion_tokens } } : {}

export function readChat({ id, model, choices: [choice], usage }: Chat, job: Pick<Job, 'parameters'>, warnings: string[]): JobOutcome {
  const took = readTokens(usage)
  const refused = (said: string, upstreamCode: string) => failed(new Problem('content_rejected', `The model refused this${said ? `: ${shorten(said)}` : '. Word it differently.'}`, { upstreamCode }), null, took)
  const { message, finish_reason: reason } = choice ?? { message: {} }
  if (message.refusal) return refused(message.refusal, 'refusal')
  if (reason === 'content_filter') return refused('', 'content_filter')
  return readWritten('The model', job, {
    text: message.content ?? '', finish: reason === 'length' ? 'length' : 'stop', warnings, upstreamId: id ?? null, ...took,
    details: model ? { model_version: model } : {},
  })
}
