/**
 * `/v1/batches`: a file of calls, and files of their answers.
 *
 * A file whose lines are not what they must be is refused whole, with the lines; a call that is refused is a line of the error file. The
 * money is the rows' own: one that cannot be paid fails with `insufficient_quota`, and can be sent again in another batch.
 */
import type { Batch } from '../../domain/batch.ts'
import { Problem } from '../../domain/problem.ts'
import { isId, newId } from '../../kit/id.ts'
import type { BatchWords, Desk, Route } from '../contract.ts'
import { chatRow } from './chat.ts'
import { fieldsOf, invalid, readRequired, readText, type Fields } from './fields.ts'
import { findFile, readExpiry, readPage, writeFileId } from './files.ts'
import { imageRow } from './images.ts'
import { unixOf } from './images-write.ts'
import { responseRow } from './responses.ts'
import type { RowCall } from './row-call.ts'
import { videoRow } from './videos.ts'
import { readRepetition } from './waiting.ts'

const tag = 'Batches'
const protocol = 'openai'
const fileMax = 200_000_000
const rowsMax = 50_000
const pageMax = 100
const pageDefault = 20
const windows: Record<string, number> = { '24h': 86_400 }

const calls: Record<string, RowCall> = {
  '/v1/images/generations': imageRow('generation'), '/v1/images/edits': imageRow('edit'), '/v1/videos': videoRow, '/v1/responses': responseRow, '/v1/chat/completions': chatRow,
}

const bad = (param: string, message: string, openaiCode: string) => invalid(param, message, { openaiCode })

export const batchWords: BatchWords = {
  rowsMax, badFrame: 'batch', uniqueNames: true, resultPurpose: () => 'batch_output',

  readFrame(row, { call }) {
    if (typeof row !== 'object' || row === null || Array.isArray(row)) throw new Problem('bad_request', 'This line is not a JSON object.', { openaiCode: 'invalid_json_line' })
    const { custom_id: name, method, url, body } = row as Fields
    if (typeof name !== 'string' || name === '') throw bad('custom_id', "Missing required parameter: 'custom_id'.", 'missing_required_parameter')
    if (name.length > 512) throw bad('custom_id', "'custom_id' may have at most 512 characters.", 'string_above_max_length')
    if (method !== 'POST') throw bad('method', "'method' must be POST.", 'invalid_method')
    if (url !== call) throw bad('url', `'url' must be ${call}, the endpoint of the batch, in every line.`, 'mismatched_endpoint')
    if (typeof body !== 'object' || body === null || Array.isArray(body)) throw bad('body', "'body' must be the JSON object of the call.", 'missing_required_parameter')
    const { model } = body as Fields
    return { name, model: typeof model === 'string' ? model.slice(0, 200) : null }
  },

  atRow: (index, message) => `Line ${index + 1}: ${message}`,
  submit: ({ value, inline }, { call }, desk) => calls[call]!.submit({ body: (value as Fields).body, inline }, desk),
  answer: (task, { call }, desk) => calls[call]!.answer(task, desk),
  isAnswer: () => false,

  writeRow({ name }, result, { cancellingAt }) {
    const head = (taskId: string | null) => `{"id":"batch_req_${taskId ?? newId()}","custom_id":${JSON.stringify(name)},`
    switch (result.kind) {
      case 'answered': return { file: 'output', parts: [`${head(result.taskId)}"response":{"status_code":${result.answer.status},"request_id":"req_${result.taskId}","body":`, result.answer, '},"error":null}'] }
      case 'refused': return { file: 'error', parts: [`${head(result.taskId)}"response":{"status_code":${result.refusal.status},"request_id":"req_${result.taskId ?? newId()}","body":`, result.refusal, '},"error":null}'] }
      case 'expired': case 'cancelled': {
        const error = result.kind === 'expired' || !cancellingAt
          ? { code: 'batch_expired', message: 'This request was not made before the batch expired. Nothing was charged for it.' }
          : { code: 'batch_cancelled', message: 'This request was not made: the batch was cancelled. Nothing was charged for it.' }
        return { file: 'error', parts: [`${head(null)}"response":null,"error":${JSON.stringify(error)}}`] }
      }
    }
  },
}

function statusOf({ state, cancellingAt }: Batch): string {
  switch (state) {
    case 'reading': return cancellingAt ? 'cancelling' : 'validating'
    case 'running': return cancellingAt ? 'cancelling' : 'in_progress'
    case 'writing': return cancellingAt ? 'cancelling' : 'finalizing'
    case 'done': return 'completed'
    case 'failed': case 'cancelled': case 'expired': return state
  }
}

const unix = (date: Date | null): number | null => date === null ? null : unixOf(date)
const fileId = (id: string | null): string | null => id === null ? null : writeFileId(id)

export function writeBatch(batch: Batch) {
  const { state, rows } = batch
  const endedAs = (wanted: Batch['state']) => state === wanted ? unix(batch.endedAt) : null
  return {
    id: `batch_${batch.id}`, object: 'batch', endpoint: batch.call, model: batch.options.model ?? null,
    errors: batch.problems.length === 0 ? null : { object: 'list', data: batch.problems },
    input_file_id: fileId(batch.inputFileId), completion_window: '24h', status: statusOf(batch), output_file_id: fileId(batch.outputFileId), error_file_id: fileId(batch.errorFileId),
    created_at: unixOf(batch.createdAt), in_progress_at: unix(batch.startedAt), expires_at: unixOf(batch.endsBy), finalizing_at: unix(batch.writingAt),
    completed_at: endedAs('done'), failed_at: endedAs('failed'), expired_at: endedAs('expired'), cancelling_at: unix(batch.cancellingAt), cancelled_at: endedAs('cancelled'),
    request_counts: { total: rows.total, completed: rows.done, failed: rows.failed + rows.expired + rows.cancelled }, metadata: batch.metadata,
  }
}

function readMetadata(value: unknown): Record<string, string> {
  if (value === undefined) return {}
  const pairs = Object.entries(fieldsOf(value, 'metadata'))
  if (pairs.length > 16) throw invalid('metadata', "'metadata' may have at most 16 pairs.")
  for (const [key, text] of pairs) {
    if (key === '' || key.length > 64) throw invalid('metadata', "A key of 'metadata' has 1 to 64 characters.")
    if (typeof text !== 'string' || text.length > 512) throw invalid(`metadata.${key}`, `'metadata.${key}' must be a string of at most 512 characters.`)
  }
  return Object.fromEntries(pairs) as Record<string, string>
}

const known = ['input_file_id', 'endpoint', 'completion_window', 'metadata', 'output_expires_after']

const create: Route = {
  method: 'POST', path: '/v1/batches', scope: 'tasks:write',
  about: { tag, summary: 'Make a batch of a file', description: 'Every line of the file is a call of `endpoint`. What came of them is in `output_file_id` and `error_file_id` once it has ended.' },
  async handle({ body, headers }, desk) {
    const fields = fieldsOf(body)
    for (const name of Object.keys(fields)) if (!known.includes(name)) throw invalid(name.slice(0, 100), `Unknown parameter: '${name.slice(0, 100)}'.`, { openaiCode: 'unknown_parameter' })
    const endpoint = readRequired(readText(fields, 'endpoint'), 'endpoint')
    if (!Object.hasOwn(calls, endpoint)) throw invalid('endpoint', `'endpoint' must be one of ${Object.keys(calls).join(', ')}.`, { allowed: Object.keys(calls) })
    const window = readRequired(readText(fields, 'completion_window'), 'completion_window')
    if (!Object.hasOwn(windows, window)) throw invalid('completion_window', "'completion_window' must be 24h.", { allowed: Object.keys(windows) })
    const metadata = readMetadata(fields.metadata)
    const outputExpiresS = readExpiry(fields.output_expires_after, 'output_expires_after')
    const file = await findFile(readRequired(readText(fields, 'input_file_id'), 'input_file_id'), 'input_file_id', desk)
    if (file.purpose !== 'batch' && !/json|text|octet/.test(file.mime)) throw invalid('input_file_id', `The file ${writeFileId(file.id)} is ${file.mime}. Upload the lines as JSONL, with the purpose batch.`)
    if (file.sizeBytes > fileMax) throw new Problem('too_large', `The input of a batch may have ${fileMax / 1e6} MB. Send several batches.`, { param: 'input_file_id', allowed: fileMax })
    const { batch, replayed } = await desk.batches.create({ protocol, call: endpoint, input: { fileId: file.id }, windowS: windows[window]!, metadata, outputExpiresS, ...readRepetition(headers) })
    return Response.json(writeBatch(batch), { headers: replayed ? { 'idempotent-replayed': 'true' } : {} })
  },
}

/** @throws {Problem} `not_found` */
async function findBatch(text: string | undefined, param: string, desk: Desk): Promise<Batch> {
  const id = (text ?? '').replace(/^batch_/, '')
  const batch = isId(id) ? await desk.batches.find(protocol, id.replaceAll('-', '')) : null
  if (!batch) throw new Problem('not_found', `No batch found with id '${(text ?? '').slice(0, 100).toWellFormed()}'.`, { param })
  return batch
}

const get: Route = {
  method: 'GET', path: '/v1/batches/:id', scope: 'tasks:read',
  about: { tag, summary: 'How a batch stands' },
  handle: async ({ params }, desk) => Response.json(writeBatch(await findBatch(params.id, 'batch_id', desk))),
}

const list: Route = {
  method: 'GET', path: '/v1/batches', scope: 'tasks:read',
  about: { tag, summary: 'List batches, newest first' },
  async handle({ query }, desk) {
    const { limit, after } = readPage(query, { max: pageMax, standard: pageDefault })
    const { items, next } = await desk.batches.list({ protocol, limit, after: after === null ? undefined : (await findBatch(after, 'after', desk)).id })
    const data = items.map(writeBatch)
    return Response.json({ object: 'list', data, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null, has_more: next !== null })
  },
}

const cancel: Route = {
  method: 'POST', path: '/v1/batches/:id/cancel', scope: 'tasks:write', body: 'none',
  about: { tag, summary: 'Cancel a batch', description: 'Calls that wait are given up; those in the making end by themselves, and what there is by then is in the files.' },
  async handle({ params }, desk) {
    const { id, state } = await findBatch(params.id, 'batch_id', desk)
    if (state !== 'reading' && state !== 'running' && state !== 'cancelled') throw new Problem('conflict', `Cannot cancel a batch that is ${state === 'done' ? 'completed' : state === 'writing' ? 'finalizing' : state}.`, { param: 'batch_id' })
    return Response.json(writeBatch(await desk.batches.cancel(protocol, id)))
  },
}

export const batches: Route[] = [create, get, list, cancel]
