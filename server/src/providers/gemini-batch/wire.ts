/**
 * Google's batches: what is handed in, how a batch stands, and what lies in it at the end. Pure.
 *
 * One job is one batch, with a request for each picture. The engine hands jobs over one by one, and a batch of one job can be cancelled,
 * lost and paid with it. A batch bears our key as its display name, which Google's list tells: a lost answer can be looked for.
 */
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import { failed, wait } from '../../domain/outcome.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import type { Job, JobOutcome } from '../contract.ts'
import { gather, shorten, unknown, unreached } from '../toolkit.ts'
import type { Reply } from '../toolkit.ts'
import { Answer, mergeMakings, readContent } from '../toolkit/gemini.ts'
import { readError, readOperationError, title } from '../toolkit/google.ts'
import { MissingSince, see, waitOrLose } from '../toolkit/missing.ts'

export const settings = 'GEMINI_BATCH'

/** Requests of one batch that are sent along, in bytes, with room for the words around them (20 MB, says Google). */
export const batchBytesMax = 19_000_000
/** Who has less time left is not sent here: the batch might be made for nobody. */
const leftMinMs = 3_600_000

/** Refuses what cannot wait, before anything is asked; then another route of the card makes it. @throws {Problem} `unsupported_parameter` */
export function checkPatience({ priority = 'interactive', endBy }: Pick<Job, 'priority' | 'endBy'>, now: Date): void {
  if (priority !== 'batch') throw new Problem('unsupported_parameter', 'Google’s batches take up to a day, so only orders of the priority batch are sent there.', { field: 'priority', value: priority, allowed: ['batch'] })
  const leftMs = endBy ? endBy.getTime() - now.getTime() : Infinity
  if (leftMs < leftMinMs) throw new Problem('unsupported_parameter', `Google’s batches take up to a day, and this must be ready in ${Math.max(0, Math.floor(leftMs / 60_000))} minutes.`, { field: 'end_within_s' })
}

export const displayNameOf = (key: string): string => `plantain ${key}`
const requestKey = (key: string, index: number): string => `${key}-${index}`

export function writeBatch(key: string, bodies: Json[]): Json {
  return { batch: { displayName: displayNameOf(key), inputConfig: { requests: { requests: bodies.map((request, index) => ({ request, metadata: { key: requestKey(key, index) } })) } } } }
}

/** What we come back with. Without an id the batch is looked for in the list, from this page on. */
export const Receipt = Type.Object({
  id: Type.Optional(Type.String()), key: Type.String(), count: Type.Number(), since: Type.Number(), seed: Type.Optional(Type.Number()), page: Type.Optional(Type.String()), missingSince: MissingSince, warnings: Type.Array(Type.String()),
})
export type Receipt = Static<typeof Receipt>

export function readReceipt(receipt: Json): Receipt {
  if (!Value.Check(Receipt, receipt)) throw new Problem('internal', 'This receipt was not written by the provider gemini-batch.')
  return receipt
}

/** A batch's name becomes part of an address: nothing that leads elsewhere. */
const isName = (name: string) => /^batches\/[\w-]{1,200}$/.test(name)

const Row = Type.Object({
  metadata: Type.Optional(Type.Object({ key: Type.Optional(Type.String()) })), response: Type.Optional(Answer),
  error: Type.Optional(Type.Object({ code: Type.Optional(Type.Number()), message: Type.Optional(Type.String()) })),
})
const Output = Type.Object({ inlinedResponses: Type.Optional(Type.Object({ inlinedResponses: Type.Optional(Type.Array(Row)) })), responsesFile: Type.Optional(Type.String()) })
type Output = Static<typeof Output>
const Batch = Type.Object({
  name: Type.String(), done: Type.Optional(Type.Boolean()),
  metadata: Type.Optional(Type.Object({ state: Type.Optional(Type.String()), displayName: Type.Optional(Type.String()), output: Type.Optional(Output) })),
  response: Type.Optional(Output),
  error: Type.Optional(Type.Object({ code: Type.Optional(Type.Number()), message: Type.Optional(Type.String()) })),
})
type Batch = Static<typeof Batch>

/** Reads what handing a batch in brought. Where it may have been taken, it is looked for. */
export function readBegun(reply: Reply, receipt: Receipt): JobOutcome {
  if (reply.kind === 'unreached') return failed(unreached(title))
  if (reply.kind === 'lost') return wait(receipt)
  if (reply.status < 300) return Value.Check(Batch, reply.body) && isName(reply.body.name) ? wait({ ...receipt, id: reply.body.name }) : wait(receipt)
  const refused = readError(reply, { isCall: false, settings })
  return refused.kind === 'failed' && refused.problem.code === 'outcome_unknown' ? wait(receipt) : refused
}

/** How often a batch that is not new any more is looked at: it may take a day. */
const restMs = 60_000

const patiently = (receipt: Receipt, ageMs: number, retryAfterMs: number | null = null): JobOutcome => wait(receipt, retryAfterMs ?? (ageMs < restMs ? null : restMs))

const List = Type.Object({ operations: Type.Optional(Type.Array(Type.Object({ name: Type.String(), metadata: Type.Optional(Type.Object({ displayName: Type.Optional(Type.String()) })) }))), nextPageToken: Type.Optional(Type.String()) })

/** Reads a page of the list for our batch. Not finding it proves nothing, so it is never handed in again. */
export function readPage(reply: Reply, receipt: Receipt, nowMs: number): JobOutcome {
  const { page: _, ...rest } = receipt
  // A look that fails says nothing; the same page is read again.
  if (reply.kind !== 'answered' || reply.status >= 300 || !Value.Check(List, reply.body)) return wait(receipt, reply.kind === 'answered' ? reply.retryAfterMs : null)
  const found = reply.body.operations?.find(({ name, metadata }) => metadata?.displayName === displayNameOf(receipt.key) && isName(name))
  if (found) return wait({ ...see(rest), id: found.name }, 0)
  if (reply.body.nextPageToken) return wait({ ...rest, page: reply.body.nextPageToken })
  return waitOrLose(rest, nowMs, unknown(title))
}

/** Reads what looking at a batch brought. A look that fails says nothing about it: it counts as still going on. */
export function readLook(reply: Reply, kept: Receipt, nowMs: number): JobOutcome {
  const ageMs = nowMs - kept.since
  const receipt = see(kept)
  if (reply.kind !== 'answered') return patiently(receipt, ageMs)
  if (reply.status === 404) return waitOrLose(kept, nowMs, new Problem('provider_failed', 'Google no longer knows this batch.', { upstreamCode: '404' }))
  if (reply.status >= 300 || !Value.Check(Batch, reply.body)) return patiently(receipt, ageMs, reply.retryAfterMs)
  const { metadata, error } = reply.body
  const said = shorten(error?.message || 'no reason given')
  const ended = (code: 'provider_failed' | 'provider_timeout', sentence: string) => failed(new Problem(code, sentence, { upstreamCode: metadata?.state ?? 'none' }))
  switch (metadata?.state?.replace(/^(BATCH|JOB)_STATE_/, '')) {
    case 'SUCCEEDED': return readOutput(reply.body, receipt, reply)
    case 'FAILED': return error ? failed(readOperationError(error.code ?? 2, said, 'batch')) : ended('provider_failed', 'Google could not make this batch.')
    case 'CANCELLED': return ended('provider_failed', 'This batch was cancelled at Google, not by us.')
    case 'EXPIRED': return ended('provider_timeout', 'Google did not come to this batch within its day. Nothing was made.')
    case 'PENDING':
    case 'RUNNING':
    // A state nobody has heard of: it has one day either way.
    default: return patiently(receipt, ageMs, reply.retryAfterMs)
  }
}

/** Requests are told apart by our keys: Google promises no order. */
function readOutput({ name, metadata, response }: Batch, { key, count, seed, warnings }: Receipt, { bytesOf }: Extract<Reply, { kind: 'answered' }>): JobOutcome {
  const output: Output = metadata?.output ?? response ?? {}
  const rows = output.inlinedResponses?.inlinedResponses ?? []
  if (rows.length === 0) return failed(new Problem('bad_output', output.responsesFile ? `Google put the result into ${shorten(output.responsesFile)}, where it was not asked to.` : 'Google says that the batch is made, and nothing is in it.', { upstreamCode: 'empty' }))
  const outcomes = Array.from({ length: count }, (_, index): JobOutcome => {
    const row = rows.find(one => one.metadata?.key === requestKey(key, index))
    if (row?.response) return readContent(row.response, bytesOf, { seed: seed === undefined ? undefined : (seed + index) % 2_147_483_648 })
    return failed(row?.error ? readOperationError(row.error.code ?? 2, shorten(row.error.message || 'no reason given'), 'picture') : new Problem('provider_failed', 'Google left this request out of its batch.', { upstreamCode: 'missing' }))
  })
  const gathered = gather(outcomes, mergeMakings)
  return gathered.kind !== 'done' ? gathered : { ...gathered, value: { ...gathered.value, upstreamId: name, details: { ...gathered.value.details, gemini_batch: { batch: name } }, warnings: [...warnings, ...gathered.value.warnings ?? []] } }
}
