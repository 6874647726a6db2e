/**
 * Films of the Veo family: an operation is begun, looked at, and its files are fetched with our key. Pure.
 */
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import { failed, wait } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import type { JobOutcome } from '../contract.ts'
import { shorten, unknown, unreached, writeParameters } from '../toolkit.ts'
import type { Asked, BytesOf, Reply } from '../toolkit.ts'
import { inlineMax, type SentPicture } from '../toolkit/gemini.ts'
import { readError, readOperationError, title } from '../toolkit/google.ts'
import { MissingSince } from '../toolkit/missing.ts'
import { filmHandlings, isFilm } from './models.ts'

/** Refuses what cannot be honoured, before a picture is read. @throws {Problem} `unsupported_parameter`, `too_large` */
export function checkFilm(job: Asked): { fields: Record<string, Json>; warnings: string[] } {
  if (!isFilm(job.model)) throw new Problem('unsupported_parameter', `${job.model} is no film model of Google's that is known here. Use one of the Veo or Omni family.`, { field: 'model', value: job.model })
  const unfit = job.inputs.find(({ role }) => role === 'mask')
  if (unfit) throw new Problem('unsupported_parameter', `${job.model} takes no mask.`, { field: 'inputs', value: unfit.role })
  const roles = job.inputs.map(({ role }) => role)
  if (roles.includes('last_frame') && !roles.includes('first_frame')) throw new Problem('unsupported_parameter', `${job.model} takes a last picture only beside a first one. Add a first_frame.`, { field: 'inputs', value: 'last_frame' })
  const base64 = job.inputs.reduce((sum, { sizeBytes }) => sum + Math.ceil(sizeBytes / 3) * 4, 0)
  if (base64 > inlineMax) throw new Problem('too_large', `The inputs have ${base64} bytes together as Google takes them; ${inlineMax} fit into a call.`, { field: 'inputs', allowed: inlineMax })
  return writeParameters(job, 'Google', filmHandlings)
}

/** `pictures` are the job's inputs in its order. */
export function writeFilm(job: Asked, pictures: SentPicture[]): { path: string; body: Json; warnings: string[] } {
  const { fields, warnings } = checkFilm(job)
  const all = job.inputs.map(({ role }, index) => ({ role, picture: pictures[index]! }))
  const image = ({ base64, mime }: SentPicture) => ({ bytesBase64Encoded: base64, mimeType: mime })
  const first = all.find(({ role }) => role === 'first_frame')
  const last = all.find(({ role }) => role === 'last_frame')
  const film = all.find(({ role }) => role === 'video')
  const references = all.filter(({ role }) => role === 'reference' || role === 'style' || role === 'character' || role === 'object')
  return {
    path: `models/${encodeURIComponent(job.model)}:predictLongRunning`,
    body: {
      instances: [{
        prompt: job.prompt,
        ...(first ? { image: image(first.picture) } : {}),
        ...(last ? { lastFrame: image(last.picture) } : {}),
        ...(film ? { video: { encodedVideo: film.picture.base64, encoding: film.picture.mime } } : {}),
        ...(references.length > 0 ? { referenceImages: references.map(({ role, picture }) => ({ image: image(picture), referenceType: role === 'style' ? 'style' : 'asset' })) } : {}),
      }],
      parameters: { sampleCount: job.count, ...fields },
    },
    warnings,
  }
}

/** What we come back with. */
export const Receipt = Type.Object({ id: Type.String(), missingSince: MissingSince, warnings: Type.Array(Type.String()), /** Files were refused once, and the operation was asked for fresh links. */ again: Type.Optional(Type.Boolean()) })
export type Receipt = Static<typeof Receipt>

export function readReceipt(receipt: Json): Receipt {
  if (!Value.Check(Receipt, receipt)) throw new Problem('internal', 'This receipt was not written by the provider gemini.')
  return receipt
}

/** An operation's name becomes part of an address: nothing that leads elsewhere. */
const isName = (name: string) => /^[\w./:-]{1,300}$/.test(name) && !name.includes('..') && !name.startsWith('/') && !name.includes('//')

const Operation = Type.Object({
  name: Type.String(), done: Type.Optional(Type.Boolean()),
  error: Type.Optional(Type.Object({ code: Type.Optional(Type.Number()), message: Type.Optional(Type.String()) })),
  response: Type.Optional(Type.Object({
    generateVideoResponse: Type.Optional(Type.Object({
      generatedSamples: Type.Optional(Type.Array(Type.Object({ video: Type.Optional(Type.Object({ uri: Type.Optional(Type.String()), encodedVideo: Type.Optional(Type.String()) })) }))),
      raiMediaFilteredCount: Type.Optional(Type.Number()), raiMediaFilteredReasons: Type.Optional(Type.Array(Type.String())),
    })),
  })),
})
type Operation = Static<typeof Operation>

/** Reads what beginning a film brought. */
export function readBegun(reply: Reply, warnings: string[]): JobOutcome {
  if (reply.kind === 'unreached') return failed(unreached(title))
  if (reply.kind === 'lost') return failed(unknown(title))
  if (reply.status >= 300) return readError(reply, { isCall: false })
  if (!Value.Check(Operation, reply.body) || !isName(reply.body.name)) return failed(unknown(title, String(reply.status)))
  return wait({ id: reply.body.name, warnings } satisfies Receipt)
}

export type Film = { uri: string } | { bytes: Buffer }

export type Looked =
  | { kind: 'pending'; retryAfterMs: number | null }
  | { kind: 'missing' }
  | { kind: 'made'; films: Film[]; warnings: string[]; details?: Record<string, Json> }
  | { kind: 'failed'; problem: Problem }

export const pending = (retryAfterMs: number | null = null): Looked => ({ kind: 'pending', retryAfterMs })

/** Reads what looking at an operation brought. A look that fails says nothing about the film: it counts as still going on. */
export function readLook(reply: Reply): Looked {
  if (reply.kind !== 'answered') return pending()
  const { status, body, retryAfterMs, bytesOf } = reply
  if (status === 404) return { kind: 'missing' }
  if (status >= 300 || !Value.Check(Operation, body)) return pending(retryAfterMs)
  if (body.done !== true) return pending(retryAfterMs)
  return readDone(body, bytesOf)
}

function readDone({ error, response }: Operation, bytesOf: BytesOf): Looked {
  if (error) return { kind: 'failed', problem: readOperationError(error.code ?? 2, shorten(error.message || 'no reason given')) }
  const { generatedSamples = [], raiMediaFilteredCount: filtered = 0, raiMediaFilteredReasons: reasons = [] } = response?.generateVideoResponse ?? {}
  const films = generatedSamples.flatMap(({ video }): Film[] => video?.uri ? [{ uri: video.uri }] : video?.encodedVideo ? [{ bytes: bytesOf(video.encodedVideo) }] : [])
  const why = shorten(reasons.join(' '))
  if (films.length > 0) return { kind: 'made', films, warnings: filtered > 0 ? [`Google held back ${filtered} of the films. ${why}`.trim()] : [] }
  return { kind: 'failed', problem: filtered > 0
    ? new Problem('content_rejected', `Google held the film back. ${why || 'Word it differently.'}`, { upstreamCode: 'raiMediaFiltered' })
    : new Problem('bad_output', 'Google says that the film is made, but names no file.', { upstreamCode: 'done' }) }
}

/** What fetching one file of a finished film means. */
export function readFile(reply: { kind: 'unreached' | 'lost' } | { kind: 'file'; status: number }): 'here' | 'later' | 'refused' | 'gone' {
  if (reply.kind !== 'file') return 'later'
  const { status } = reply
  if (status < 300) return 'here'
  if (status === 401 || status === 403 || status === 404 || status === 410) return 'refused'
  return status === 408 || status === 429 || status >= 500 ? 'later' : 'gone'
}
