/**
 * What we send to the rehearsal upstream, and how we read what it says. Pure: recorded answers in `fixtures/` are its tests.
 *
 * The one question that matters for money is asked here: after this answer, may the upstream be working for us or not? What
 * says "not taken" may be asked again; what leaves it open is `outcome_unknown`, and the engine looks it up by our own key.
 * Absent on purpose: I/O, the clock.
 */
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import { done, failed, wait } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import type { Job, JobOutcome, Made } from '../contract.ts'

/** One picture of ours on its way out: a link where we can be reached, the bytes themselves where not. */
export type SentPicture = { role: string; mime: string } & ({ url: string } | { data: string })

export const writeJob = (job: Job, pictures: SentPicture[]) => ({
  reference: job.taskId,
  model: job.model,
  operation: job.operation,
  prompt: job.prompt,
  options: job.parameters,
  number: job.count,
  ...(job.width && job.height ? { size: `${job.width}x${job.height}` } : {}),
  ...(pictures.length > 0 ? { pictures } : {}),
  ...(job.callbackUrl ? { callback_url: job.callbackUrl } : {}),
})

export const Answer = Type.Object({
  id: Type.String({ minLength: 1 }),
  status: Type.Union([
    Type.Literal('queued'), Type.Literal('running'), Type.Literal('ready'),
    Type.Literal('refused'), Type.Literal('broken'), Type.Literal('cancelled'),
  ]),
  progress: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
  retry_after_ms: Type.Optional(Type.Number({ minimum: 0 })),
  pictures: Type.Optional(Type.Array(Type.Object({
    url: Type.Optional(Type.String()),
    data: Type.Optional(Type.String()),
    mime: Type.Optional(Type.String()),
    seed: Type.Optional(Type.Integer()),
  }))),
  text: Type.Optional(Type.String()),
  reason: Type.Optional(Type.String()),
})
export type Answer = Static<typeof Answer>

export const Refusal = Type.Object({
  error: Type.Object({
    code: Type.Union([
      Type.Literal('bad_request'), Type.Literal('unauthorized'), Type.Literal('refused'), Type.Literal('busy'),
      Type.Literal('internal'), Type.Literal('not_found'), Type.Literal('ended'),
    ]),
    message: Type.String(),
  }),
})
export type Refusal = Static<typeof Refusal>

const Found = Type.Object({ jobs: Type.Array(Answer) })

/** What came back from one call: an answer, or one of two kinds of silence. Only `unreached` proves that nobody was asked. */
export type Reply =
  | { kind: 'answered'; status: number; retryAfterMs: number | null; /** Undefined where it was no JSON, or not all of it. */ body: unknown }
  | { kind: 'unreached' }
  | { kind: 'lost' }

/** What we come back with. */
export const Receipt = Type.Object({ id: Type.String() })
export type Receipt = Static<typeof Receipt>

export function readReceipt(receipt: Json): Receipt {
  if (!Value.Check(Receipt, receipt)) throw new Problem('internal', 'This receipt was not written by the rehearsal provider.')
  return receipt
}

const readPicture = ({ url, data, mime, seed }: NonNullable<Answer['pictures']>[number]): Made => {
  const more = { ...(mime === undefined ? {} : { mime }), ...(seed === undefined ? {} : { seed }) }
  return url === undefined ? { bytes: Buffer.from(data ?? '', 'base64'), ...more } : { url, ...more }
}

/** Reads what the upstream says about a job. Every status it documents has a line here. */
export function readAnswer(answer: Answer): JobOutcome {
  switch (answer.status) {
    case 'queued':
    case 'running':
      return wait({ id: answer.id }, answer.retry_after_ms ?? null, answer.progress)
    case 'ready':
      return done({
        made: (answer.pictures ?? []).map(readPicture),
        upstreamId: answer.id,
        ...(answer.text === undefined ? {} : { text: answer.text }),
      })
    case 'refused':
      return failed(new Problem('content_rejected', answer.reason ?? 'The upstream refused this prompt. Word it differently.'))
    case 'broken':
      return failed(new Problem('provider_failed', answer.reason ?? 'The upstream could not finish this job.', { upstreamCode: 'broken' }))
    case 'cancelled':
      return failed(new Problem('provider_failed', 'The job was cancelled at the upstream, not by us.', { upstreamCode: 'cancelled' }))
  }
}

/** Reads a no of the upstream's. Every code it documents has a line here, and all of them mean that nothing is being made. */
export function readRefusal({ error }: Refusal, status: number, retryAfterMs: number | null): JobOutcome {
  const upstreamCode = String(status)
  switch (error.code) {
    case 'bad_request': return failed(new Problem('provider_rejected', `The upstream did not accept the job: ${error.message}`, { upstreamCode }))
    case 'unauthorized': return failed(new Problem('provider_not_configured', 'The upstream does not take our key. Set REHEARSAL_API_KEY.', { upstreamCode }))
    case 'refused': return failed(new Problem('content_rejected', error.message, { upstreamCode }))
    case 'busy': return failed(new Problem('provider_busy', 'The upstream has too much to do.', { upstreamCode }), retryAfterMs)
    case 'internal': return failed(new Problem('provider_down', 'The upstream had trouble of its own and did not take the job.', { upstreamCode }))
    case 'not_found': return failed(new Problem('provider_failed', 'The upstream no longer knows this job.', { upstreamCode }))
    case 'ended': return failed(new Problem('provider_failed', 'The upstream says that this job has ended.', { upstreamCode }))
  }
}

/**
 * Reads what handing a job in brought.
 *
 * A 2xx or 5xx we cannot read, and a line that broke, leave it open whether the job was taken: it is never simply handed
 * in again. A 4xx was not taken, whatever its body says.
 */
export function readSubmission(reply: Reply): JobOutcome {
  if (reply.kind === 'unreached') return failed(new Problem('provider_down', 'The upstream cannot be reached.'))
  if (reply.kind === 'answered') {
    const { status, body, retryAfterMs } = reply
    if (status < 300 && Value.Check(Answer, body)) return readAnswer(body)
    if (status >= 400 && Value.Check(Refusal, body)) return readRefusal(body, status, retryAfterMs)
    if (status === 429) return readRefusal({ error: { code: 'busy', message: '' } }, status, retryAfterMs)
    if (status >= 400 && status < 500) {
      return failed(new Problem('provider_rejected', `The upstream refused the job with HTTP ${status} and no reason.`, { upstreamCode: String(status) }))
    }
  }
  return failed(new Problem('outcome_unknown', 'The upstream may have taken this job, but its answer never came. Nothing was charged; send it again if you want it made.'))
}

/**
 * Reads what looking at a job brought.
 *
 * A look that fails says nothing about the job: the receipt stays and the engine looks again, until the task's deadline.
 * Reporting it as a failure would have the job bought a second time.
 */
export function readLook(reply: Reply, receipt: Receipt): JobOutcome {
  if (reply.kind !== 'answered') return wait(receipt)
  const { status, body, retryAfterMs } = reply
  if (status < 300 && Value.Check(Answer, body)) return readAnswer(body)
  if (status === 404 && Value.Check(Refusal, body)) return readRefusal(body, status, retryAfterMs)
  return wait(receipt, retryAfterMs)
}

/**
 * Reads what a search by our key brought: `null` when the upstream knows of no such job, so that asking again buys nothing twice.
 *
 * @throws {Problem} `provider_down` when the search itself failed, which says nothing about the job
 */
export function readSearch(reply: Reply): JobOutcome | null {
  if (reply.kind !== 'answered' || reply.status >= 300 || !Value.Check(Found, reply.body)) {
    throw new Problem('provider_down', 'The upstream could not say what became of the job.')
  }
  const [job] = reply.body.jobs
  return job ? readAnswer(job) : null
}
