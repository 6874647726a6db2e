/** What came of a batch, as tables and as one archive: made while they are read, so that ten thousand rows need no more room than a hundred. */
import { makeZip } from 'client-zip'
import type { Asset } from '../../domain/asset.ts'
import type { Batch, MadeRow, RowState } from '../../domain/batch.ts'
import { formatDollars } from '../../domain/money.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { tidyName } from '../../kit/name.ts'
import { streamPieces } from '../../kit/pieces.ts'
import { writeDisposition } from '../../kit/respond.ts'
import { cellMax, workbookMime, writeWorkbook, type WorkbookCell } from '../../kit/sheets/workbook.ts'
import { mark, writeRow } from '../../kit/sheets/write.ts'
import type { Desk, OpenAsset } from '../contract.ts'
import { errorsOf, outputsOf, sentOf, viewRow } from './batches-view.ts'
import { keptOf, protocol } from './batches-words.ts'

const pageRows = 100

/** Rows of a batch, page by page. */
export async function* rowsOf(batch: Batch, desk: Desk, states?: RowState[]): AsyncGenerator<MadeRow> {
  for (let after = -1; ;) {
    const page = await desk.batches.rows(batch.id, { after, limit: pageRows, states })
    yield* page
    if (page.length < pageRows) return
    after = page.at(-1)!.row.number
  }
}

const columnsOf = (batch: Batch): string[] => batch.protocol === protocol ? keptOf(batch).columns.map(({ name }) => name) : []
const cellOf = (value: Json | undefined): string | number | boolean | null => value !== null && typeof value === 'object' ? JSON.stringify(value) : value ?? null

const ours = ['result_row', 'result_name', 'result_state', 'result_links', 'result_text', 'result_cost_usd', 'result_error_code', 'result_error', 'result_id']

/** A row of the table of results; `files` in place of links where the pictures come along. */
async function writeResult(made: MadeRow, columns: string[], desk: Desk, files: string[] | null): Promise<string> {
  const { row } = made
  const { outputs, text } = await outputsOf(made, desk)
  const problem = row.state === 'done' ? null : row.problem ?? made.task?.problem ?? made.execution?.problem ?? null
  const sent = sentOf(made)
  return writeRow([
    ...columns.map(name => cellOf(sent?.[name])), row.number, row.name, row.state, (files ?? outputs.map(({ url }) => url)).join('\n'), text, formatDollars(row.chargedMicros), problem?.code ?? null, problem?.message ?? null,
    row.taskId ?? row.executionId,
  ])
}

async function* csv(batch: Batch, desk: Desk): AsyncGenerator<string> {
  const columns = columnsOf(batch)
  yield mark + writeRow([...columns, ...ours])
  for await (const made of rowsOf(batch, desk)) yield writeResult(made, columns, desk, null)
}

/** What went wrong with a row: when it was checked, or when it was made. */
function whyFailed(made: MadeRow): ReturnType<typeof errorsOf> {
  const told = errorsOf(made)
  const problem = made.task?.problem ?? made.execution?.problem
  return told.length > 0 || !problem ? told : [{ row: made.row.number, column: null, value: '', code: problem.code, message: problem.message }]
}

async function* errorsCsv(batch: Batch, desk: Desk): AsyncGenerator<string> {
  const columns = columnsOf(batch)
  yield mark + writeRow(['row', 'column', 'value', 'code', 'what_to_do', ...columns])
  for await (const made of rowsOf(batch, desk, ['failed'])) {
    const sent = sentOf(made)
    for (const { row, column, value, code, message } of whyFailed(made)) yield writeRow([row, column, value, code, message, ...columns.map(name => cellOf(sent?.[name]))])
  }
}

/** What stands beside the rows in a workbook of errors: named as in the table of results, so that a column means the same in both. */
const beside = ['result_row', 'result_error_code', 'result_error']

/**
 * The sheet as it came, to be mended and sent again: a line for each row that is wrong or failed, and for all others as well where the whole batch
 * was refused and nothing made. What is wrong is coloured, and the last column says what to do. Of a sheet that was mended and sent again, the
 * columns it was given then are left out.
 */
function writeErrors(batch: Batch, desk: Desk): ReadableStream<Uint8Array> {
  const mapped = batch.protocol === protocol ? keptOf(batch).columns : []
  const columns = mapped.filter(({ name, field }) => field !== null || !beside.includes(name)).map(({ name }) => name)
  const own = beside.map(name => columns.includes(name) ? `${name}_2` : name)
  const rows = async function* (): AsyncGenerator<WorkbookCell[]> {
    for await (const made of rowsOf(batch, desk, batch.state === 'failed' ? undefined : ['failed'])) {
      const sent = sentOf(made)
      const errors = made.row.state === 'failed' ? whyFailed(made) : []
      const cut = columns.filter(name => { const cell = cellOf(sent?.[name]); return typeof cell === 'string' && cell.length > cellMax })
      const said = [
        ...errors.map(({ column, message }) => column === null || columns.length === 0 ? message : `${column}: ${message}`),
        ...cut.map(name => `${name}: this is longer than a cell of a workbook may be and is cut off here after ${cellMax} characters; errors.csv has all of it.`),
      ]
      const wrong = new Set([...errors.map(({ column }) => column), ...cut])
      yield [
        ...columns.map((name): WorkbookCell => wrong.has(name) ? { look: cellOf(sent?.[name]) } : cellOf(sent?.[name])),
        made.row.number, errors[0]?.code ?? null, said.join('\n'),
      ]
    }
  }
  return writeWorkbook({ sheet: 'Errors', columns: [...columns, ...own], wide: [own.at(-1)!], rows: rows(), at: batch.endedAt ?? batch.createdAt })
}

async function* lines(batch: Batch, desk: Desk): AsyncGenerator<string> {
  for await (const made of rowsOf(batch, desk)) yield `${JSON.stringify(await viewRow(made, desk))}\n`
}

const headers = (mime: string, batch: Batch, end: string) => ({
  'content-type': mime, 'content-disposition': writeDisposition('attachment', `${tidyName(batch.name ?? '') ?? `batch-${batch.id.slice(-8)}`}-${end}`), 'cache-control': 'no-store', 'x-content-type-options': 'nosniff',
})

export const respondWithCsv = (batch: Batch, desk: Desk): Response => streamPieces(csv(batch, desk), { headers: headers('text/csv; charset=utf-8', batch, 'results.csv') })
export const respondWithErrors = (batch: Batch, desk: Desk): Response => streamPieces(errorsCsv(batch, desk), { headers: headers('text/csv; charset=utf-8', batch, 'errors.csv') })
export const respondWithErrorBook = (batch: Batch, desk: Desk): Response => new Response(writeErrors(batch, desk), { headers: headers(workbookMime, batch, 'errors.xlsx') })
export const respondWithLines = (batch: Batch, desk: Desk): Response => streamPieces(lines(batch, desk), { headers: headers('application/jsonl', batch, 'results.jsonl') })

const endings: Record<string, string> = { 'image/png': 'png', 'image/jpeg': 'jpg', 'image/webp': 'webp', 'image/gif': 'gif', 'image/avif': 'avif', 'video/mp4': 'mp4', 'video/webm': 'webm' }

/** What a picture of a row is called in the archive: the row's number, so that they sort, its name, and which of several it is. Pure. */
export function nameFile(row: { number: number; name: string | null }, nth: number, mime: string): string {
  const name = (row.name ?? '').normalize('NFKD').replace(/[^\p{L}\p{N}._-]+/gu, '-').replace(/^[-.]+|[-.]+$/g, '').slice(0, 80)
  return `${[String(row.number).padStart(5, '0'), ...name === '' ? [] : [name], nth + 1].join('-')}.${endings[mime] ?? 'bin'}`
}

interface ZipEntry { name: string; input: AsyncIterable<Uint8Array>; lastModified: Date }

/** Pictures as they are asked for, then the table that names them. Pictures do not get smaller by packing, so nothing is packed. */
async function* entries(batch: Batch, desk: Desk): AsyncGenerator<ZipEntry> {
  const columns = columnsOf(batch)
  for await (const { name, opened, lastModified } of ahead(pictures())) {
    const asset = await opened
    if (asset) yield { name, input: asset.stream(), lastModified }
  }
  yield { name: 'results.csv', lastModified: batch.endedAt ?? batch.createdAt, input: table() }

  async function* pictures() {
    for await (const made of rowsOf(batch, desk)) {
      const { assets } = await outputsOf(made, desk)
      for (const [nth, asset] of assets.entries()) yield { name: nameFile(made.row, nth, asset.mime), opened: openOutput(asset, desk), lastModified: made.row.endedAt ?? batch.createdAt }
    }
  }

  async function* table(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(mark + writeRow([...columns, ...ours.map(name => name === 'result_links' ? 'result_files' : name)]))
    for await (const made of rowsOf(batch, desk)) {
      const { outputs } = await outputsOf(made, desk)
      yield Buffer.from(await writeResult(made, columns, desk, outputs.map(({ mime }, nth) => nameFile(made.row, nth, mime))))
    }
  }
}

/** A picture whose bytes are looked for; null where they are gone. */
const openOutput = (asset: Asset, desk: Desk): Promise<OpenAsset | null> => desk.assets.open(asset).catch(thrown => {
  if (thrown instanceof Problem && thrown.code === 'not_found') return null
  throw thrown
})

const aheadMax = 16

/** The same, a few ahead of whoever takes them: what each begins is under way meanwhile. */
async function* ahead<T extends { opened: Promise<unknown> }>(all: AsyncIterable<T>): AsyncGenerator<T> {
  const held: T[] = []
  for await (const one of all) {
    one.opened.catch(() => {})
    held.push(one)
    if (held.length > aheadMax) yield held.shift()!
  }
  yield* held
}

export const respondWithZip = (batch: Batch, desk: Desk): Response => new Response(makeZip(entries(batch, desk)), { headers: headers('application/zip', batch, 'results.zip') })
