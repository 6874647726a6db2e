/** CSV as it comes: commas, semicolons, tabs or bars; quotes; UTF-8 with a mark or without, UTF-16 with one. */
import { Readable } from 'node:stream'
import { CsvError, parse } from 'csv-parse'
import { Problem } from '../../domain/problem.ts'
import { takeTurns } from '../turns.ts'
import { firstOf, readCells, readHeader, sheetLimits, type Sheet, type SheetOptions, type SheetRow } from './table.ts'
import { decode, encodingOf } from './text.ts'

const delimiters = [',', ';', '\t', '|'] as const

/** What stands between the cells of the first row, outside its quotes; commas where there is nothing. Pure. */
export function findDelimiter(text: string): string {
  const counts = new Map<string, number>()
  let isQuoted = false
  for (const letter of text) {
    if (letter === '"') isQuoted = !isQuoted
    if (isQuoted) continue
    if (letter === '\n' || letter === '\r') break
    if ((delimiters as readonly string[]).includes(letter)) counts.set(letter, (counts.get(letter) ?? 0) + 1)
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? ','
}

/** What Excel writes into a line before the names, so that it reads its own file in every country; no row, and not shown as one. Pure. */
const saidDelimiter = (text: string): string | null => /^\ufeff?sep=(.)\r?\n/i.exec(text)?.[1] ?? null

export async function readCsv(open: () => Readable, head: Buffer, { delimiter }: SheetOptions): Promise<Pick<Sheet, 'columns' | 'rows'>> {
  const encoding = encodingOf(head)
  const start = new TextDecoder(encoding).decode(head.subarray(0, encoding === 'utf-8' ? head.length : head.length - head.length % 2))
  if (encoding === 'utf-8' && head.subarray(0, 512).includes(0)) throw new Problem('unsupported_media', 'This is not text. Send CSV, XLSX or JSON Lines.', { field: 'file' })
  const said = saidDelimiter(start)
  const wanted = delimiter ?? said ?? findDelimiter(start)
  const records = () => readRecords(open(), encoding, wanted, said === null ? 1 : 2)
  const first = await firstOf(records())
  if (!first) throw new Problem('bad_request', 'The sheet is empty. Send a table with names in its first row, and rows below.', { field: 'file' })
  const columns = readHeader(first)
  return { columns, rows: () => readRows(records(), columns) }
}

async function* readRows(records: AsyncGenerator<string[]>, columns: string[]): AsyncGenerator<SheetRow> {
  let number = 0
  for await (const record of records) {
    if (++number === 1) continue
    const row = readCells(number, record, columns)
    if (row) yield row
    if (number >= sheetLimits.rows) throw new Problem('too_large', `The sheet has more than ${sheetLimits.rows} rows.`, { field: 'file', allowed: sheetLimits.rows })
  }
}

async function* readRecords(stream: Readable, encoding: ReturnType<typeof encodingOf>, delimiter: string, fromLine: number): AsyncGenerator<string[]> {
  const parser = parse({ delimiter, bom: true, from_line: fromLine, relax_column_count: true, max_record_size: sheetLimits.cell * 2 })
  const text = Readable.from(decode(stream as AsyncIterable<Buffer>, encoding), { objectMode: true })
  text.on('error', error => parser.destroy(error))
  text.pipe(parser)
  const turns = takeTurns()
  try {
    for await (const record of parser) {
      yield record as string[]
      if (turns.isDue()) await turns.give()
    }
  } catch (thrown) {
    if (!(thrown instanceof CsvError)) throw thrown
    const line = typeof thrown.lines === 'number' ? thrown.lines : null
    const at = line === null ? '' : ` near line ${line}`
    throw new Problem(thrown.code === 'CSV_MAX_RECORD_SIZE' ? 'too_large' : 'bad_request', thrown.code === 'CSV_MAX_RECORD_SIZE'
      ? `A row${at} is longer than ${sheetLimits.cell * 2} characters. Is a closing quote missing?`
      : `The sheet cannot be read as CSV${at}: a quote is opened and not closed, or stands inside a cell without being doubled. Cells with "${delimiter === '\t' ? 'tabs' : delimiter}", quotes or line breaks stand in quotes, and a quote in them is written twice.`, { field: 'file', cause: thrown })
  } finally {
    text.destroy()
    stream.destroy()
  }
}
