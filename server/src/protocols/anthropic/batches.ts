/**
 * Message batches: many messages at once, their results as lines.
 *
 * The requests come along and are looked through before the batch is made, so a mistake in their frame is heard at once; a message that
 * is refused is a result of its own.
 */
import { Readable } from 'node:stream'
import type { Batch } from '../../domain/batch.ts'
import { batchHasEnded } from '../../domain/batch.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { isId, newId } from '../../kit/id.ts'
import { requireJson } from '../../kit/json.ts'
import { ListBody } from '../../kit/json-list.ts'
import { jsonResponse } from '../../kit/json-out.ts'
import { respondWithAsset } from '../../kit/respond.ts'
import type { BatchWords, Desk, Incoming, Route } from '../contract.ts'
import { rename, takeIn } from '../toolkit.ts'
import { finish } from './answer.ts'
import { readAsked, readRepetition, wantedBy } from './asked.ts'
import { readPage } from './files.ts'
import { writeMessage, writeRefusal } from './message.ts'
import { readOutput, type Output } from './output.ts'

const tag = 'Anthropic'
const protocol = 'anthropic'
const rowsMax = 100_000
const bytesMax = 256 * 1024 * 1024
const windowS = 86_400
const pageMax = 1_000
const pageDefault = 20
/** As long as upstream keeps results. */
const resultsS = 29 * 86_400

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
const outputOf = ({ options }: Batch): Output => options.output as Output

export const batchWords: BatchWords = {
  rowsMax, badFrame: 'batch', uniqueNames: true, resultPurpose: () => 'internal',

  readFrame(row) {
    if (!isObject(row)) throw new Problem('bad_request', 'must be an object.')
    const { custom_id: name, params, ...others } = row
    if (typeof name !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(name)) throw new Problem('bad_request', 'custom_id: must be 1 to 64 letters, digits, underscores or hyphens.', { field: 'custom_id' })
    if (!isObject(params)) throw new Problem('bad_request', 'params: Field required.', { field: 'params' })
    const [extra] = Object.keys(others)
    if (extra !== undefined) throw new Problem('bad_request', `${extra.slice(0, 100)}: Extra inputs are not permitted.`, { field: extra.slice(0, 100) })
    return { name, model: typeof params.model === 'string' ? params.model.slice(0, 200) : null }
  },

  atRow: (index, message) => `requests.${index}.${message}`,

  async submit({ value, inline }, _batch, desk) {
    const { draft, card, plan } = await readAsked({ body: (value as { params: unknown }).params, inline }, desk, { callsTool: false })
    if (draft.stream) throw new Problem('bad_request', 'stream: a request of a batch cannot be streamed.', { field: 'stream' })
    const { inputs, giveBack } = await takeIn(await wantedBy(plan, card, desk), desk)
    try {
      return await desk.submit({ ...plan.order, inputs })
    } catch (thrown) {
      await giveBack()
      throw rename(thrown, plan.names, { says: ': ' })
    }
  },

  answer: async (task, batch, desk) => jsonResponse(writeMessage(await finish(task, outputOf(batch), desk))),
  isAnswer: ({ code }) => code === 'content_rejected',

  writeRow({ name }, result, { options }) {
    const head = `{"custom_id":${JSON.stringify(name)},"result":{"type":`
    const line = (...parts: (string | Response)[]) => ({ file: 'output' as const, parts: [head, ...parts, '}}'] })
    switch (result.kind) {
      case 'answered': return line('"succeeded","message":', result.answer)
      case 'refused': {
        const { code, message } = result.problem
        if (code !== 'content_rejected') return line('"errored","error":', result.refusal)
        return line('"succeeded","message":', JSON.stringify(writeMessage(writeRefusal({ id: `msg_${newId()}`, model: String(options.model ?? ''), explanation: message, task: null }))))
      }
      case 'cancelled': return line('"canceled"')
      case 'expired': return line('"expired"')
    }
  },
}

const write = (batch: Batch, desk: Desk) => {
  const { id, state, rows } = batch
  const hasEnded = batchHasEnded(state)
  return {
    id: `msgbatch_${id}`, type: 'message_batch', processing_status: hasEnded ? 'ended' : batch.cancellingAt ? 'canceling' : 'in_progress',
    request_counts: { processing: rows.total - rows.done - rows.failed - rows.cancelled - rows.expired, succeeded: rows.done, errored: rows.failed, canceled: rows.cancelled, expired: rows.expired },
    created_at: batch.createdAt.toISOString(), expires_at: batch.endsBy.toISOString(), ended_at: batch.endedAt?.toISOString() ?? null, archived_at: null,
    cancel_initiated_at: batch.cancellingAt?.toISOString() ?? null,
    results_url: hasEnded && batch.outputFileId !== null ? `${desk.publicUrl.replace(/\/+$/, '')}/v1/messages/batches/msgbatch_${id}/results` : null,
  }
}

const json = (body: unknown, { requestId }: Pick<Incoming, 'requestId'>, headers: Record<string, string> = {}): Response => Response.json(body, { headers: { 'request-id': requestId, ...headers } })

const create: Route = {
  method: 'POST', path: '/v1/messages/batches', body: 'stream', scope: 'tasks:write',
  about: { tag, summary: 'Make a batch of messages', description: '`requests` is a list of `{custom_id, params}`; `x-image-output` says for all of them how pictures are given.' },
  async handle(request, desk) {
    const { headers, stream } = request
    requireJson(headers)
    const output = readOutput(headers)
    if (output === 'tool') throw new Problem('bad_request', 'x-image-output: a batch has nobody whose tool could be called.', { field: 'x-image-output' })
    const list = new ListBody(stream!, ['requests'], { bytesMax, itemsMax: rowsMax })
    const taken = await desk.files.take(Readable.from(list.lines()))
    const body = list.rest()
    if (!isObject(body)) throw new Problem('bad_request', 'The body must be a JSON object.')
    if (!list.isFound) throw new Problem('bad_request', `requests: ${body.requests === undefined ? 'Field required' : 'must be a list'}.`, { field: 'requests' })
    const extra = Object.keys(body).find(name => name !== 'requests' && name !== 'betas' && name !== 'anthropic_beta')
    if (extra !== undefined) throw new Problem('bad_request', `${extra.slice(0, 100)}: Extra inputs are not permitted.`, { field: extra.slice(0, 100) })
    const { batch, replayed } = await desk.batches.create({
      protocol, call: 'messages', input: { taken }, windowS, options: { output } satisfies Record<string, Json>, outputExpiresS: resultsS, ...readRepetition(headers),
    })
    return json(write(batch, desk), request, replayed ? { 'idempotent-replayed': 'true' } : {})
  },
}

/** @throws {Problem} `not_found` */
async function findBatch({ params }: Incoming, desk: Desk): Promise<Batch> {
  const id = (params.id ?? '').replace(/^msgbatch_/, '')
  const batch = isId(id) ? await desk.batches.find(protocol, id.replaceAll('-', '')) : null
  if (!batch) throw new Problem('not_found', `Message batch not found: ${(params.id ?? '').slice(0, 100)}`, { field: 'message_batch_id' })
  return batch
}

const list: Route = {
  method: 'GET', path: '/v1/messages/batches', scope: 'tasks:read',
  about: { tag, summary: 'List message batches, newest first' },
  async handle(request, desk) {
    const { query } = request
    const { limit, after } = readPage(query, { max: pageMax, standard: pageDefault, marks: ['after_id'], prefix: 'msgbatch_' })
    const { after: before } = readPage(query, { max: pageMax, standard: pageDefault, marks: ['before_id'], prefix: 'msgbatch_' })
    const { items, next } = await desk.batches.list({ protocol, limit, after, before })
    const data = items.map(batch => write(batch, desk))
    return json({ data, has_more: next !== null, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null }, request)
  },
}

const get: Route = {
  method: 'GET', path: '/v1/messages/batches/:id', scope: 'tasks:read',
  about: { tag, summary: 'How a message batch stands' },
  handle: async (request, desk) => json(write(await findBatch(request, desk), desk), request),
}

const cancel: Route = {
  method: 'POST', path: '/v1/messages/batches/:id/cancel', scope: 'tasks:write', body: 'none',
  about: { tag, summary: 'Cancel a message batch', description: 'Messages that wait are given up; those in the making end by themselves.' },
  handle: async (request, desk) => json(write(await desk.batches.cancel(protocol, (await findBatch(request, desk)).id), desk), request),
}

const remove: Route = {
  method: 'DELETE', path: '/v1/messages/batches/:id', scope: 'tasks:write', body: 'none',
  about: { tag, summary: 'Delete a message batch that has ended' },
  async handle(request, desk) {
    const { id, state } = await findBatch(request, desk)
    // A 409 would be sent again, which helps nobody.
    if (!batchHasEnded(state)) throw new Problem('bad_request', 'This message batch has not ended. Cancel it first, and wait for its end.', { field: 'message_batch_id' })
    await desk.batches.remove(protocol, id)
    return json({ id: `msgbatch_${id}`, type: 'message_batch_deleted' }, request)
  },
}

const results: Route = {
  method: 'GET', path: '/v1/messages/batches/:id/results', scope: 'tasks:read',
  about: { tag, summary: 'The results of a message batch, as lines' },
  async handle(request, desk) {
    const { state, outputFileId } = await findBatch(request, desk)
    if (!batchHasEnded(state)) throw new Problem('bad_request', 'This message batch has not ended, so there are no results yet.', { field: 'message_batch_id' })
    const file = outputFileId === null ? null : await desk.files.find(outputFileId)
    if (!file) throw new Problem('not_found', 'The results of this message batch are no longer kept.', { field: 'message_batch_id' })
    const { asset, stream } = await desk.files.open(file)
    const response = respondWithAsset({ asset: { ...asset, mime: 'application/x-jsonl' }, stream }, request.headers, { method: request.method })
    response.headers.set('request-id', request.requestId)
    return response
  },
}

export const batches: Route[] = [create, list, get, cancel, remove, results]
