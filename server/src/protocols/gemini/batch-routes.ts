/**
 * batchGenerateContent: many requests at once, sent along or as a file of lines, told of as operations.
 *
 * A row that cannot be read or made is an error in its own place, never the end of the others. Absent on purpose: batches of films and
 * embeddings, and call backs of their own (`webhookConfig`).
 */
import { Readable } from 'node:stream'
import type { Batch, BatchRow } from '../../domain/batch.ts'
import { batchHasEnded } from '../../domain/batch.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem, type StoredProblem } from '../../domain/problem.ts'
import { isId } from '../../kit/id.ts'
import { requireJson } from '../../kit/json.ts'
import { ListBody } from '../../kit/json-list.ts'
import { streamPieces } from '../../kit/pieces.ts'
import type { BatchWords, Desk, Incoming, OpenAsset, Route, RowResult } from '../contract.ts'
import { blockOf } from './answer.ts'
import { generateRow } from './content-routes.ts'
import { cannot, isObject, no, readFields, shown, text } from './fields.ts'
import { findFile, readPage } from './file-routes.ts'
import { findModel } from './order.ts'
import { writeStatus } from './refusal.ts'
import { bodyMax, tag, versions } from './versions.ts'

const protocol = 'gemini'
const rowsMax = 100_000
const windowS = 86_400
const pageMax = 1_000
const pageDefault = 50
/** A name for a row is as long as it likes, within reason. */
const keyMax = 512

/** The requests of a row's frame, in either form. */
const requestOf = (row: unknown): unknown => (row as { request: unknown }).request
const modelOf = ({ options }: Pick<Batch, 'options'>): string => String(options.model).replace(/^models\//, '')

export const batchWords: BatchWords = {
  rowsMax, badFrame: 'row', uniqueNames: false,
  // Answers that are given inline lie in a file all the same; nobody is to see it twice.
  resultPurpose: ({ options }) => options.inline ? 'internal' : 'batch_output',

  readFrame(row, batch) {
    const { key, request, metadata } = readFields(row, '', ['key', 'request', 'metadata'])
    const name = key === undefined ? null : text(key, 'key')
    if (name !== null && name.length > keyMax) throw no('key', `key may have at most ${keyMax} characters.`)
    if (!isObject(request)) throw no('request', 'request must be the body of a generateContent call.')
    if (metadata !== undefined && (!isObject(metadata) || JSON.stringify(metadata).length > 8_192)) throw no('metadata', 'metadata must be an object of up to 8192 characters.')
    const { model } = request
    if (typeof model === 'string' && model.replace(/^models\//, '') !== modelOf(batch)) throw no('request.model', `request.model must be the model of the batch, models/${modelOf(batch)}, not ${shown(model)}.`)
    return { name, note: (metadata ?? null) as Json }
  },

  atRow: (index, message) => `requests[${index}]: ${message}`,
  submit: ({ value, inline }, batch, desk) => generateRow.submit({ body: requestOf(value), inline }, modelOf(batch), desk),
  answer: (task, _batch, desk) => generateRow.answer(task, desk),
  isAnswer: problem => blockOf(problem) !== null,

  writeRow(row, result, batch) {
    const head = writeHead(row, batch)
    return { file: 'output', parts: result.kind === 'answered' ? [`{${head}"response":`, result.answer, '}'] : [`{${head}"error":${JSON.stringify(writeStatus(problemOf(result)))}}`] }
  },
}

const writeHead = ({ name, note }: BatchRow, { options }: Batch): string => options.inline
  ? note === null ? '' : `"metadata":${JSON.stringify(note)},`
  : name === null ? '' : `"key":${JSON.stringify(name)},`

function problemOf(result: Exclude<RowResult, { kind: 'answered' }>): StoredProblem {
  switch (result.kind) {
    case 'refused': return { ...result.problem, details: { ...result.problem.details, ...(result.taskId === null ? {} : { taskId: result.taskId }) } }
    case 'cancelled': return { code: 'cancelled', message: 'This request was not made: the batch was cancelled. Nothing was charged for it.' }
    case 'expired': return { code: 'deadline', message: 'This request was not made before the batch expired. Nothing was charged for it.' }
  }
}

function stateOf({ state }: Batch): string {
  switch (state) {
    case 'reading': return 'BATCH_STATE_PENDING'
    case 'running': case 'writing': return 'BATCH_STATE_RUNNING'
    case 'done': return 'BATCH_STATE_SUCCEEDED'
    case 'failed': return 'BATCH_STATE_FAILED'
    case 'cancelled': return 'BATCH_STATE_CANCELLED'
    case 'expired': return 'BATCH_STATE_EXPIRED'
  }
}

const type = (name: string) => `type.googleapis.com/google.ai.generativelanguage.v1main.${name}`

/** A batch as an operation. `output` stands for answers that are written into it. */
function writeOperation(batch: Batch, output?: unknown) {
  const { id, state, rows, options } = batch
  const name = `batches/${id}`
  const failed = rows.failed + rows.cancelled + rows.expired
  const [problem] = batch.problems
  return {
    name,
    metadata: {
      '@type': type('GenerateContentBatch'), name, model: `models/${modelOf(batch)}`, displayName: options.displayName ?? '', state: stateOf(batch),
      createTime: batch.createdAt.toISOString(), updateTime: (batch.endedAt ?? batch.writingAt ?? batch.startedAt ?? batch.createdAt).toISOString(), ...(batch.endedAt ? { endTime: batch.endedAt.toISOString() } : {}),
      ...(batch.inputFileId === null ? {} : { inputConfig: { fileName: `files/${batch.inputFileId}` } }),
      batchStats: { requestCount: String(rows.total), successfulRequestCount: String(rows.done), failedRequestCount: String(failed), pendingRequestCount: String(rows.total - rows.done - failed) },
      ...(output === undefined ? {} : { output }),
    },
    ...(batchHasEnded(state) ? { done: true } : {}),
    ...(state === 'failed' ? { error: { code: 3, message: problem ? problem.message : 'The batch could not be read.' } } : {}),
    ...(state === 'done' || state === 'cancelled' || state === 'expired' ? { response: options.inline || output === undefined ? {} : { '@type': type('GenerateContentBatch.Output'), ...output } } : {}),
  }
}

/** What `inlinedResponses` is written as, until the answers take its place. */
const answersMark = '"plantain-answers-stand-here"'

async function answer(batch: Batch, desk: Desk): Promise<Response> {
  if (batch.outputFileId === null) return Response.json(writeOperation(batch))
  if (!batch.options.inline) return Response.json(writeOperation(batch, { responsesFile: `files/${batch.outputFileId}` }))
  const file = await desk.files.find(batch.outputFileId)
  if (!file) return Response.json(writeOperation(batch))
  const open = await desk.files.open(file)
  const [before, after] = JSON.stringify(writeOperation(batch, { inlinedResponses: { inlinedResponses: [JSON.parse(answersMark)] } })).split(answersMark) as [string, string]
  return streamPieces(async function* () {
    yield before
    yield* asList(open)
    yield after
  }(), { headers: { 'content-type': 'application/json; charset=utf-8' } })
}

/** Lines as the items of a list: a line feed stands nowhere but between two of them, and at the end. */
async function* asList({ asset, stream }: OpenAsset): AsyncGenerator<Uint8Array> {
  let left = asset.sizeBytes
  for await (const chunk of stream() as AsyncIterable<Buffer>) {
    const bytes = Buffer.from(chunk)
    for (let at = bytes.indexOf(0x0a); at !== -1; at = bytes.indexOf(0x0a, at + 1)) bytes[at] = at === left - 1 ? 0x20 : 0x2c
    left -= bytes.length
    yield bytes
  }
}

const create = (version: string): Route => ({
  method: 'POST', path: `/${version}/models/:model::batchGenerateContent`, body: 'stream', scope: 'tasks:write',
  about: { tag, summary: 'Make a batch of requests', description: 'With `batch.inputConfig.requests.requests` they come along, with `batch.inputConfig.fileName` they are lines of a file: `{"key": …, "request": {…}}`.' },
  async handle({ params, headers, stream }, desk) {
    requireJson(headers)
    const { model } = await findModel(desk, params.model ?? '', 'content', 'batchGenerateContent')
    const list = new ListBody(stream!, ['batch.inputConfig.requests.requests', 'batch.input_config.requests.requests'], { bytesMax: bodyMax, itemsMax: rowsMax })
    const taken = await desk.files.take(Readable.from(list.lines()))
    const { batch: given } = readFields(list.rest(), '', ['batch'])
    const batch = readFields(given ?? {}, 'batch', ['displayName', 'inputConfig', 'webhookConfig', 'priority', 'model', 'name'])
    if (batch.webhookConfig !== undefined) throw cannot('batch.webhookConfig', 'batch.webhookConfig: batches do not call back here. Ask for the batch until it is done.')
    const displayName = batch.displayName === undefined ? '' : text(batch.displayName, 'batch.displayName')
    if (displayName.length > 512) throw no('batch.displayName', 'batch.displayName may have at most 512 characters.')
    const { fileName, requests } = readFields(batch.inputConfig ?? {}, 'batch.inputConfig', ['fileName', 'requests'])
    if (list.isFound === (fileName !== undefined)) throw no('batch.inputConfig', 'batch.inputConfig must have exactly one of requests.requests (a list) and fileName.')
    if (requests !== undefined && !list.isFound) throw no('batch.inputConfig.requests', 'batch.inputConfig.requests.requests must be a list of requests.')
    const input = fileName === undefined ? { taken } : { fileId: (await findFile(text(fileName, 'batch.inputConfig.fileName'), desk)).id }
    const { batch: made, replayed } = await desk.batches.create({
      protocol, call: 'generateContent', input, windowS, options: { model, displayName, ...(fileName === undefined ? { inline: true } : {}) }, idempotencyKey: headers['idempotency-key'],
    })
    return Response.json(writeOperation(made), { headers: replayed ? { 'idempotent-replayed': 'true' } : {} })
  },
})

/** @throws {Problem} `not_found` */
async function findBatch({ params }: Incoming, desk: Desk): Promise<Batch> {
  const id = params.batch ?? ''
  const batch = isId(id) ? await desk.batches.find(protocol, id.replaceAll('-', '')) : null
  if (!batch) throw new Problem('not_found', `There is no batch batches/${id.slice(0, 100)}.`)
  return batch
}

const get = (version: string): Route => ({
  method: 'GET', path: `/${version}/batches/:batch`, scope: 'tasks:read',
  about: { tag, summary: 'How a batch stands', description: 'When it has ended, with the answers or the name of the file they are in.' },
  handle: async (request, desk) => answer(await findBatch(request, desk), desk),
})

const list = (version: string): Route => ({
  method: 'GET', path: `/${version}/batches`, scope: 'tasks:read',
  about: { tag, summary: 'List batches, newest first', description: 'Without the answers of those that were sent along.' },
  async handle({ query }, desk) {
    const { items, next } = await desk.batches.list({ protocol, ...readPage(query, { max: pageMax, standard: pageDefault }) })
    const operations = items.map(batch => writeOperation(batch, batch.outputFileId === null || batch.options.inline ? undefined : { responsesFile: `files/${batch.outputFileId}` }))
    return Response.json({ ...(operations.length > 0 ? { operations } : {}), ...(next === null ? {} : { nextPageToken: next }) })
  },
})

const cancel = (version: string): Route => ({
  method: 'POST', path: `/${version}/batches/:batch::cancel`, scope: 'tasks:write', body: 'none',
  about: { tag, summary: 'Cancel a batch' },
  async handle(request, desk) {
    await desk.batches.cancel(protocol, (await findBatch(request, desk)).id)
    return Response.json({})
  },
})

const remove = (version: string): Route => ({
  method: 'DELETE', path: `/${version}/batches/:batch`, scope: 'tasks:write', body: 'none',
  about: { tag, summary: 'Delete a batch that has ended' },
  async handle(request, desk) {
    await desk.batches.remove(protocol, (await findBatch(request, desk)).id)
    return Response.json({})
  },
})

export const batchRoutes: Route[] = versions.flatMap(version => [create(version), get(version), list(version), cancel(version), remove(version)])
