/**
 * How we read what Google's Gemini API says to a call for a picture or a text. Pure; the words themselves are in `toolkit/gemini.ts`, how it
 * says no in `toolkit/google.ts`.
 *
 * There is no name of ours it could be asked by later, so a lost answer stays lost.
 */
import { Value } from 'typebox/value'
import { failed } from '../../domain/outcome.ts'
import type { JobOutcome } from '../contract.ts'
import { unknown, unreached } from '../toolkit.ts'
import type { BytesOf, Reply } from '../toolkit.ts'
import type { Job } from '../contract.ts'
import { Answer, readContent } from '../toolkit/gemini.ts'
import { readText } from '../toolkit/gemini-text.ts'
import { readError, title } from '../toolkit/google.ts'

/** Reads what a call for one picture brought. */
export const readGeneration = (reply: Reply, expected: { seed: number | undefined }): JobOutcome => readCall(reply, (answer, bytesOf) => readContent(answer, bytesOf, expected))

/** Reads what a call for a text brought. */
export const readWriting = (reply: Reply, job: Pick<Job, 'parameters'>, warnings: string[]): JobOutcome => readCall(reply, answer => readText(answer, job, warnings))

function readCall(reply: Reply, read: (answer: Answer, bytesOf: BytesOf) => JobOutcome): JobOutcome {
  if (reply.kind === 'unreached') return failed(unreached(title))
  if (reply.kind === 'lost') return failed(unknown(title))
  const { status, body, bytesOf } = reply
  if (status < 300) return Value.Check(Answer, body) && !hasError(body) ? read(body, bytesOf) : failed(unknown(title, String(status)))
  return readError(reply, { isCall: true })
}

const hasError = (body: unknown) => typeof body === 'object' && body !== null && 'error' in body
