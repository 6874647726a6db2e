/** `/plantain/v1/batches`: tables of orders, checked as a whole, made a few at a time; their progress, their rows, what came of them. */
import type { Readable } from 'node:stream'
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { rowStates, type Batch } from '../../domain/batch.ts'
import { Problem } from '../../domain/problem.ts'
import { mediaType, parseJson, readBytes, requireIdentity, requireJson } from '../../kit/json.ts'
import { readFileForm } from '../../kit/multipart.ts'
import { queryReader, reader } from '../../kit/schema.ts'
import { openSheet } from '../../kit/sheets/sheet.ts'
import { workbookMime } from '../../kit/sheets/workbook.ts'
import { streamEvents } from '../../kit/sse.ts'
import type { Desk, Incoming, Route } from '../contract.ts'
import { BatchBody, readBatchOrder, type BatchOrder } from './batches-order.ts'
import { respondWithCsv, respondWithErrorBook, respondWithErrors, respondWithLines, respondWithZip } from './batches-results.ts'
import { BatchView, eventOf, markOf, RowErrorView, RowView, viewBatch, viewNow, viewRow } from './batches-view.ts'
import { asTaken, createBatch, type Attached } from './batches-words.ts'
import { After, base, found, Limit, limitDefault, missing, readAfter, readId, readIdempotencyKey, waitMaxS } from './read.ts'
import { json, PageView, viewPage } from './view.ts'

const tag = 'Batches'
/** JSON that carries rows. */
const bodyMax = 32 * 1024 * 1024
const checkWaitS = 20

// A form with a table ------------------------------------------------------------------------------------------------------

const jsonFields = new Set(['batch', 'target', 'map', 'metadata', 'rows', 'grid'])
const numberFields = new Set(['concurrency', 'budget_max_micros', 'end_within_s'])

/** The order of a form: `batch` has all of it as JSON, or each field stands for itself. @throws {Problem} `bad_request` */
function readFormOrder(fields: [name: string, text: string][]): Record<string, unknown> {
  const body: Record<string, unknown> = {}
  for (const [name, text] of fields) {
    const value = jsonFields.has(name) ? readField(name, text) : numberFields.has(name) && /^\d{1,15}$/.test(text) ? Number(text) : name === 'dry_run' && /^(true|false)$/.test(text) ? text === 'true' : text
    if (name === 'batch' && (typeof value !== 'object' || value === null || Array.isArray(value))) throw new Problem('bad_request', 'batch must be a JSON object.', { field: 'batch' })
    for (const [key, one] of name === 'batch' ? Object.entries(value as object) : [[name, value] as const]) {
      if (key === '__proto__' || Object.hasOwn(body, key)) throw new Problem('bad_request', `${key.slice(0, 100)} is given twice.`, { field: key.slice(0, 100) })
      body[key] = one
    }
  }
  return body
}

function readField(name: string, text: string): unknown {
  try {
    return parseJson(Buffer.from(text))
  } catch (thrown) {
    throw new Problem('bad_request', `${name} must be JSON in a form. ${(thrown as Error).message}`, { field: name })
  }
}

/** Takes a table of a form in, and keeps it as a file that can be asked for again. */
async function readAttached(stream: Readable, headers: Incoming['headers'], desk: Desk): Promise<{ fields: [string, string][]; attached: Attached | null }> {
  requireIdentity(headers)
  const { fields, file } = await readFileForm(stream, headers, { fieldsMax: 30, fieldMax: 2 * 1024 * 1024 }, one => desk.files.take(one))
  return { fields, attached: file && { taken: file.taken, file: null, name: file.name ?? null } }
}

async function keepAttached({ taken, name }: Attached, desk: Desk): Promise<Attached> {
  return { taken, name, file: await desk.files.keep(taken, { purpose: 'batch', name: name ?? 'sheet' }) }
}

async function readOrder({ headers, stream }: Incoming, desk: Desk): Promise<{ order: BatchOrder; attached: Attached | null }> {
  if (mediaType(headers['content-type']) !== 'multipart/form-data') {
    requireJson(headers)
    return { order: readBatchOrder(parseJson(await readBytes(stream!, bodyMax)), { hasFile: false }), attached: null }
  }
  const { fields, attached } = await readAttached(stream!, headers, desk)
  const order = readBatchOrder(readFormOrder(fields), { hasFile: attached !== null })
  if (attached?.taken.sizeBytes === 0) throw new Problem('bad_request', 'The sheet is empty. Send a table with names in its first row, and rows below.', { field: 'file' })
  return { order, attached: attached && await keepAttached(attached, desk) }
}

// Making and reading batches -----------------------------------------------------------------------------------------------

const CreateQuery = Type.Object({ wait: Type.Optional(Type.Integer({ minimum: 0, maximum: waitMaxS, description: `Seconds to wait until the rows are checked. Default ${checkWaitS}.` })) }, { additionalProperties: false })
const readCreateQuery = queryReader(CreateQuery)

async function make(request: Incoming, desk: Desk, dryRun: boolean): Promise<Response> {
  const { wait } = readCreateQuery(request.query)
  const { order, attached } = await readOrder(request, desk)
  const forget = async () => { if (attached?.file) await desk.files.remove(attached.file.id).catch(() => {}) }
  let made
  try {
    made = await createBatch(dryRun ? { ...order, dry_run: true } : order, attached, desk, readIdempotencyKey(request.headers))
  } catch (thrown) {
    await forget()
    throw thrown
  }
  // The same call again: its table is there already.
  if (made.replayed) await forget()
  const batch = await desk.batches.checked(made.batch.id, { waitMs: (wait ?? (dryRun ? waitMaxS : checkWaitS)) * 1_000, signal: request.signal })
  const view = await viewNow(batch, desk)
  const headers = { location: `${base}/batches/${batch.id}`, ...(made.replayed ? { 'idempotent-replayed': 'true' } : {}) }
  if (batch.state !== 'failed' || dryRun || order.dry_run) return json(view, batch.state === 'reading' ? 202 : dryRun ? 200 : 201, headers)
  const { failed, total } = view.rows
  return json({
    error: {
      code: 'bad_request', message: `${failed} of ${total} rows cannot be made, so nothing was. Mend them (urls.errors_csv and urls.errors_xlsx name each) and send the sheet again, or leave them out with on_errors "skip".`,
      violations: view.errors, batch: batch.id, request_id: request.requestId, doc: '/docs#bad_request',
    }, batch: view,
  }, 400, headers)
}

const described = 'As JSON with `file`, `url`, `rows` or `grid`; or as `multipart/form-data` with the table as `file` (CSV, XLSX or JSON Lines) and the fields beside it (`target` and `map` as JSON), or all of them in `batch`. ' +
  'All rows are checked before the first is bought. With `on_errors: "stop"` a row that is wrong refuses the batch (400, with the batch and its errors).'

const create: Route = {
  method: 'POST', path: `${base}/batches`, body: 'stream', scope: 'tasks:write',
  about: { tag, summary: 'Make a batch of a table', description: described, body: BatchBody, query: CreateQuery, answer: BatchView, status: 201 },
  handle: (request, desk) => make(request, desk, false),
}

const estimate: Route = {
  method: 'POST', path: `${base}/batches/estimate`, body: 'stream', scope: 'tasks:write',
  about: { tag, summary: 'Check and price a table without making any of it', description: 'The same as making one with `dry_run`. The batch waits, paused, and `resume` has it made exactly as it was checked.', body: BatchBody, query: CreateQuery, answer: BatchView },
  handle: (request, desk) => make(request, desk, true),
}

async function theBatch(request: Pick<Incoming, 'params'>, desk: Desk): Promise<Batch> {
  const id = readId(request, 'batch')
  return found(await desk.batches.find(null, id), 'batch', id)
}

const get: Route = {
  method: 'GET', path: `${base}/batches/:id`, scope: 'tasks:read',
  about: { tag, summary: 'How a batch stands', answer: BatchView, description: '`eta` is reckoned from the rows that ended within the last minute (or since it began or went on); it is null while none has, and while it is paused.' },
  handle: async (request, desk) => json(await viewNow(await theBatch(request, desk), desk)),
}

const ListQuery = Type.Object({ after: After, limit: Limit, dialect: Type.Optional(Type.Enum(['native', 'openai', 'gemini', 'anthropic'])) }, { additionalProperties: false })
const readListQuery = queryReader(ListQuery)

const list: Route = {
  method: 'GET', path: `${base}/batches`, scope: 'tasks:read',
  about: { tag, summary: 'List batches, newest first', description: 'Those of other dialects as well.', query: ListQuery, answer: PageView(BatchView) },
  async handle({ query }, desk) {
    const { after, limit, dialect } = readListQuery(query)
    const page = await desk.batches.list({ protocol: dialect ?? null, after: readAfter(after), limit: limit ?? limitDefault })
    return json(viewPage({ next: page.next, items: await Promise.all(page.items.map(async batch => [batch, await desk.batches.standing(batch)] as const)) }, ([batch, standing]) => viewBatch(batch, standing, desk)))
  },
}

const act = (verb: string, summary: string, description: string, handle: Route['handle'], body?: Parameters<typeof Type.Array>[0]): Route => ({
  method: 'POST', path: `${base}/batches/:id/${verb}`, scope: 'tasks:write', ...(body ? {} : { body: 'none' as const }), about: { tag, summary, description, answer: BatchView, ...(body ? { body } : {}) }, handle,
})

const Budget = Type.Optional(Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], { description: 'Another cap on what it may cost; null for none.' }))
const ResumeBody = Type.Object({ budget_max_micros: Budget }, { additionalProperties: false, examples: [{ budget_max_micros: 5_000_000 }] })
const RetryBody = Type.Object({
  states: Type.Optional(Type.Array(Type.Enum(['failed', 'cancelled', 'expired']), { minItems: 1, maxItems: 3, description: 'Which rows. Default: those that failed.' })), budget_max_micros: Budget,
}, { additionalProperties: false, examples: [{ states: ['failed'] }] })
const readResume = reader(ResumeBody)
const readRetry = reader(RetryBody)
const budgetOf = ({ budget_max_micros }: Static<typeof ResumeBody>) => budget_max_micros === undefined ? {} : { budgetMaxMicros: budget_max_micros }

const pause = act('pause', 'Pause a batch', 'No more rows are begun. Those in the making end, and count.', async (request, desk) => json(await viewNow(await desk.batches.pause(readId(request, 'batch')), desk)))
const resume = act('resume', 'Let a batch go on', 'After a pause, whatever brought it: somebody, its cap, want of credits, or that it was only to be checked. From now on it is this key\'s.',
  async (request, desk) => json(await viewNow(await desk.batches.resume(readId(request, 'batch'), budgetOf(readResume(request.body ?? {}))), desk)), ResumeBody)
const cancel = act('cancel', 'Cancel a batch', 'Rows that wait are given up, executions are stopped. Tasks in the making end by themselves; what was made is kept.',
  async (request, desk) => json(await viewNow(await desk.batches.cancel(null, (await theBatch(request, desk)).id), desk)))
const retry = act('retry', 'Try rows again', 'Rows that are done are not touched, and nothing is bought twice: each row that failed becomes a new task, or a new execution of the graph the batch was made with (`workflow` says which), that takes what the earlier one had paid for.', async (request, desk) => {
  const wire = readRetry(request.body ?? {})
  return json(await viewNow(await desk.batches.retry(readId(request, 'batch'), { states: wire.states ?? ['failed'], ...budgetOf(wire) }), desk))
}, RetryBody)

const remove: Route = {
  method: 'DELETE', path: `${base}/batches/:id`, scope: 'tasks:write',
  about: { tag, summary: 'Forget a batch', description: 'Once it has ended. Its tasks and pictures stay.', status: 204 },
  async handle(request, desk) {
    await desk.batches.remove(null, (await theBatch(request, desk)).id)
    return new Response(null, { status: 204 })
  },
}

const RowsQuery = Type.Object({
  after: Type.Optional(Type.Integer({ minimum: 0, maximum: 2_000_000, description: '`next` of the page before: a row\'s number.' })), limit: Limit,
  state: Type.Optional(Type.Array(Type.Enum([...rowStates]), { description: 'May be repeated.' })),
}, { additionalProperties: false })
const readRowsQuery = queryReader(RowsQuery)

const rows: Route = {
  method: 'GET', path: `${base}/batches/:id/rows`, scope: 'tasks:read',
  about: { tag, summary: 'Rows of a batch, with what came of them', query: RowsQuery, answer: Type.Object({ object: Type.Literal('list'), data: Type.Array(RowView), next: Type.Union([Type.Integer(), Type.Null()]), has_more: Type.Boolean() }) },
  async handle(request, desk) {
    const { after, limit = limitDefault, state } = readRowsQuery(request.query)
    const all = await desk.batches.rows((await theBatch(request, desk)).id, { after: after ?? -1, limit: limit + 1, states: state })
    const shown = all.slice(0, limit)
    return json({ object: 'list', data: await Promise.all(shown.map(row => viewRow(row, desk))), next: all.length > limit ? shown.at(-1)!.row.number : null, has_more: all.length > limit })
  },
}

const events: Route = {
  method: 'GET', path: `${base}/batches/:id/events`, scope: 'tasks:read',
  about: {
    tag, summary: 'Follow a batch', answer: BatchView,
    description: 'Server-sent events, each with the whole batch as it stands: first as it is now (left out where `Last-Event-ID` names just that), then `batch.progressed` and `batch.paused` as it changes, and last how it ended. What was missed meanwhile is in the first one, so there is nothing to replay.',
  },
  async handle(request, desk) {
    const { id } = await theBatch(request, desk)
    const stop = new AbortController()
    const signal = AbortSignal.any([request.signal, stop.signal])
    const seen = request.headers['last-event-id']
    const told = async function* () {
      for await (const { batch, standing } of desk.batches.follow(id, signal)) {
        const view = viewBatch(batch, standing, desk)
        const mark = markOf(view)
        if (mark !== seen || view.ended_at !== null) yield { id: mark, event: eventOf(view), data: view }
      }
    }
    return streamEvents(told(), { onEnd: () => stop.abort() })
  },
}

const results = (file: string, mime: string, summary: string, description: string, respond: (batch: Batch, desk: Desk) => Response): Route => ({
  method: 'GET', path: `${base}/batches/:id/${file}`, scope: 'tasks:read', about: { tag, summary, description: `${description} (${mime}).` }, handle: async (request, desk) => respond(await theBatch(request, desk), desk),
})

const resultRoutes = [
  results('results.csv', 'text/csv', 'Results as a table', 'The rows as they were sent, with state, links for a week, text, cost and problem. While it runs, as it stands. Cells that a spreadsheet would run begin with an apostrophe', respondWithCsv),
  results('results.jsonl', 'application/jsonl', 'Results as lines of JSON', 'A row a line, as the list of rows shows it', respondWithLines),
  results('results.zip', 'application/zip', 'Pictures and table in one archive', 'Pictures named by row number and name, and `results.csv` with their file names. Streamed; not packed', respondWithZip),
  results('errors.csv', 'text/csv', 'Rows that are wrong or failed', 'Row, column, value and what to do, with the row as it was sent', respondWithErrors),
  results('errors.xlsx', workbookMime, 'Rows that are wrong or failed, as a workbook', 'The sheet to be mended and sent again: rows as they were sent, with what is wrong coloured and what to do in the last column. Where the batch was refused and nothing made, the rows that are in order stand there too', respondWithErrorBook),
]

const ErrorsQuery = Type.Object({ format: Type.Optional(Type.Enum(['csv', 'xlsx'], { description: 'Default: what `Accept` asks for, else csv.' })) }, { additionalProperties: false })
const readErrorsQuery = queryReader(ErrorsQuery)

const errors: Route = {
  method: 'GET', path: `${base}/batches/:id/errors`, scope: 'tasks:read',
  about: { tag, summary: 'Rows that are wrong or failed, as a table or a workbook', query: ErrorsQuery, description: `What \`errors.csv\` or \`errors.xlsx\` has, by \`format\` or \`Accept\` (${workbookMime}).` },
  async handle(request, desk) {
    const { format } = readErrorsQuery(request.query)
    const batch = await theBatch(request, desk)
    return format === 'xlsx' || format === undefined && prefers(request.headers.accept, workbookMime, 'text/csv') ? respondWithErrorBook(batch, desk) : respondWithErrors(batch, desk)
  },
}

/** Whether an `Accept` header names one kind, and not the other before it. Pure. */
export function prefers(accept: string | undefined, wanted: string, other: string): boolean {
  const weights = new Map((accept ?? '').split(',').map(part => {
    const [name, ...parameters] = part.split(';').map(word => word.trim().toLowerCase())
    const quality = Number(parameters.find(one => one.startsWith('q='))?.slice(2) ?? 1)
    return [name!, Number.isFinite(quality) ? quality : 0] as const
  }))
  return (weights.get(wanted) ?? 0) > (weights.get(other) ?? 0)
}

// Tables before they are a batch -------------------------------------------------------------------------------------------

const SheetQuery = Type.Object({ sheet: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })), delimiter: Type.Optional(Type.Enum([',', ';', '\t', '|'])) }, { additionalProperties: false })
const readSheetQuery = queryReader(SheetQuery)
const SheetView = Type.Object({
  object: Type.Literal('sheet'), file: Type.String(), name: Type.Union([Type.String(), Type.Null()]), kind: Type.Enum(['csv', 'xlsx', 'jsonl']), sheets: Type.Array(Type.String(), { description: 'Tables of a workbook.' }),
  columns: Type.Array(Type.String()), first: Type.Array(Type.Object({ row: Type.Integer(), cells: Type.Record(Type.String(), Type.Unknown()), error: Type.Union([RowErrorView, Type.Null()]) }), { description: 'The first rows.' }),
}, { title: 'Sheet' })
const firstRows = 5

async function lookInto({ taken, file, name }: Attached, query: URLSearchParams, desk: Desk): Promise<Response> {
  const { kind, columns, sheets, rows: all } = await openSheet({ head: taken.head, sizeBytes: taken.sizeBytes, stream: () => desk.files.openTaken(taken) }, readSheetQuery(query))
  const first = []
  for await (const { number: row, cells, flaw } of all()) {
    first.push({ row, cells, error: flaw ? { row, column: flaw.column || null, value: flaw.value, code: 'bad_request', message: flaw.message } : null })
    if (first.length >= firstRows) break
  }
  return json({ object: 'sheet', file: file!.id, name, kind, sheets, columns: columns ?? [...new Set(first.flatMap(({ cells }) => Object.keys(cells)))], first })
}

const upload: Route = {
  method: 'POST', path: `${base}/sheets`, body: 'stream', scope: 'assets:write',
  about: { tag, summary: 'Send a table and look into it', query: SheetQuery, answer: SheetView, description: 'As `multipart/form-data` with one `file`, or as the bytes themselves. Its columns and first rows come back, and `file`, by which batches and schedules name it.' },
  async handle({ headers, stream, query }, desk) {
    readSheetQuery(query)
    const isForm = mediaType(headers['content-type']) === 'multipart/form-data'
    const attached = isForm ? (await readAttached(stream!, headers, desk)).attached : { taken: (requireIdentity(headers), await desk.files.take(stream!)), file: null, name: null }
    if (!attached) throw new Problem('bad_request', 'The form has no file. Send the table as file.', { field: 'file' })
    const kept = await keepAttached(attached, desk)
    try {
      return await lookInto(kept, query, desk)
    } catch (thrown) {
      await desk.files.remove(kept.file!.id).catch(() => {})
      throw thrown
    }
  },
}

const look: Route = {
  method: 'GET', path: `${base}/sheets/:id`, scope: 'assets:read',
  about: { tag, summary: 'Look into a table that was sent before', query: SheetQuery, answer: SheetView },
  async handle(request, desk) {
    const id = readId(request, 'file')
    const file = await desk.files.find(id)
    if (!file) throw missing('file', id)
    return lookInto({ taken: await asTaken(file, desk), file, name: file.name }, request.query, desk)
  },
}

export const batches: Route[] = [create, estimate, list, get, pause, resume, cancel, retry, remove, rows, events, ...resultRoutes, errors, upload, look]
