/**
 * Anthropic's messages: what we say, and how we read what comes back. Pure.
 *
 * Text only: it takes pictures in and makes none. It documents no idempotency key, so a lost answer stays lost.
 */
import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'
import { failed } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import type { Job, JobOutcome } from '../contract.ts'
import { as, nothing, shorten, unheard, unknown, unreached, writeParameters } from '../toolkit.ts'
import type { Asked, Handling, Reply } from '../toolkit.ts'
import type { SentPicture } from '../toolkit/gemini.ts'
import { readRefusal } from '../toolkit/refusal.ts'
import { readWritten, systemOf } from '../toolkit/text.ts'

const named = { title: 'Anthropic', setting: 'ANTHROPIC_API_KEY' }

const handlings: Record<string, Handling> = {
  system: nothing,
  max_tokens: as('max_tokens'),
  effort: (value): ReturnType<Handling> => value === 'minimal' ? { send: { thinking: { type: 'disabled' } } } : { send: { thinking: { type: 'adaptive' }, output_config: { effort: value } } },
  temperature: unheard('Anthropic’s models take none any more.'),
}

/** @throws {Problem} `unsupported_parameter` */
export function writeMessage(job: Asked, pictures: SentPicture[]): { body: Json; warnings: string[] } {
  if (job.operation !== 'write') throw new Problem('unsupported_parameter', `Anthropic writes; it makes no pictures and no films. It cannot ${job.operation}.`, { field: 'operation', value: job.operation, allowed: ['write'] })
  const { fields, warnings } = writeParameters(job, 'Anthropic', handlings)
  const system = systemOf(job)
  return {
    body: {
      model: job.model, ...(system === null ? {} : { system }),
      messages: [{ role: 'user', content: [...pictures.map(({ mime, base64 }) => ({ type: 'image', source: { type: 'base64', media_type: mime, data: base64 } })), { type: 'text', text: job.prompt }] }],
      ...fields,
    },
    warnings,
  }
}

const Message = Type.Object({
  id: Type.Optional(Type.String()), model: Type.Optional(Type.String()),
  content: Type.Array(Type.Object({ type: Type.String(), text: Type.Optional(Type.String()) })),
  stop_reason: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  stop_details: Type.Optional(Type.Union([Type.Object({ explanation: Type.Optional(Type.Union([Type.String(), Type.Null()])) }), Type.Null()])),
  usage: Type.Optional(Type.Unknown()),
})
type Message = Static<typeof Message>

const Count = Type.Optional(Type.Union([Type.Number(), Type.Null()]))
const Usage = Type.Object({ input_tokens: Type.Number(), output_tokens: Type.Number(), cache_creation_input_tokens: Count, cache_read_input_tokens: Count })

export const stopReasons = ['end_turn', 'max_tokens', 'stop_sequence', 'tool_use', 'pause_turn', 'refusal', 'model_context_window_exceeded'] as const

/** Reads what a call brought. */
export function readMessage(reply: Reply, job: Pick<Job, 'parameters'>, warnings: string[]): JobOutcome {
  if (reply.kind === 'unreached') return failed(unreached(named.title))
  if (reply.kind === 'lost') return failed(unknown(named.title))
  if (reply.status >= 300) {
    const { problem, retryAfterMs } = readRefusal(reply, named)
    return failed(problem, retryAfterMs)
  }
  return Value.Check(Message, reply.body) ? readContent(reply.body, job, warnings) : failed(unknown(named.title, String(reply.status)))
}

function readContent({ id, model, content, stop_reason: reason, stop_details: stopped, usage }: Message, job: Pick<Job, 'parameters'>, warnings: string[]): JobOutcome {
  // Words out of a cache are cheaper than we say; nothing is cached by calls like ours.
  const took = Value.Check(Usage, usage) ? { usage: { textIn: usage.input_tokens + (usage.cache_creation_input_tokens ?? 0) + (usage.cache_read_input_tokens ?? 0), textOut: usage.output_tokens } } : {}
  const text = content.flatMap(block => block.type === 'text' && block.text ? [block.text] : []).join('')
  const written = (finish: 'stop' | 'length') => readWritten('The model', job, {
    text, finish, warnings, upstreamId: id ?? null, ...took, details: model === undefined ? {} : { model_version: model },
  })
  switch (reason) {
    case 'refusal': return failed(new Problem('content_rejected', `The model refused this: ${shorten(stopped?.explanation || text || 'it gave no reason.')}`, { upstreamCode: 'refusal' }), null, took)
    case 'max_tokens':
    case 'model_context_window_exceeded': return written('length')
    case 'end_turn':
    case 'stop_sequence':
    case 'tool_use':
    case 'pause_turn':
    default: return written('stop')
  }
}
