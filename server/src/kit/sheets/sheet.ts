/**
 * Tables that people send: CSV as spreadsheets write it, XLSX, and JSON Lines, told apart by their bytes and read a row at a time.
 *
 * Everything a file may claim about itself is bounded here: columns, rows, cells, and what an archive unpacks to. Absent on purpose: what
 * a column means, and guesses at an encoding that may turn one word into another.
 */
import type { Readable } from 'node:stream'
import { Problem } from '../../domain/problem.ts'
import { readCsv } from './csv.ts'
import { readJsonLines } from './json-lines.ts'
import { sheetLimits, type Sheet, type SheetOptions } from './table.ts'
import { openWorkbook } from './xlsx.ts'

/** Opens a table. @throws {Problem} `bad_request`, `too_large`, `unsupported_media`; reading its rows does too */
export async function openSheet({ head, stream, sizeBytes }: { head: Buffer; stream(): Readable; sizeBytes: number }, options: SheetOptions = {}): Promise<Sheet> {
  const starts = (...bytes: number[]) => bytes.every((byte, index) => head[index] === byte)
  if (sizeBytes === 0) throw new Problem('bad_request', 'The sheet is empty. Send a table with names in its first row, and rows below.', { field: 'file' })
  if (starts(0x50, 0x4b)) {
    if (sizeBytes > sheetLimits.workbookBytes) throw new Problem('too_large', `A workbook may have ${sheetLimits.workbookBytes / 2 ** 20} MB. Send it as CSV, or split it.`, { field: 'file', allowed: sheetLimits.workbookBytes })
    return openWorkbook(await whole(stream()), options)
  }
  if (starts(0xd0, 0xcf, 0x11, 0xe0)) throw new Problem('unsupported_media', 'This is an old Excel file (.xls), or one with a password. Save it as .xlsx without a password, or as CSV.', { field: 'file' })
  if (starts(0x25, 0x50, 0x44, 0x46) || starts(0x89, 0x50, 0x4e, 0x47) || starts(0xff, 0xd8, 0xff) || starts(0x1f, 0x8b)) {
    throw new Problem('unsupported_media', 'This is not a table. Send CSV, XLSX or JSON Lines, not packed.', { field: 'file' })
  }
  if (options.sheet !== undefined) throw new Problem('bad_request', 'Only a workbook (XLSX) has sheets to choose from. Leave sheet out.', { field: 'sheet', value: options.sheet.slice(0, 100) })
  const text = head.toString('latin1').replace(/^\xef\xbb\xbf/, '').trimStart()
  // Many programs write a page with a table and call it .xls.
  if (/^<(?:!doctype|html|head|body|table|\?xml)/i.test(text)) throw new Problem('unsupported_media', 'This is a web page or XML, whatever its name says. Open it in a spreadsheet program and save it as .xlsx, or as CSV.', { field: 'file' })
  const first = text[0]
  if (first === '{') return { kind: 'jsonl', columns: null, sheets: [], rows: () => readJsonLines(stream()) }
  if (first === '[') throw new Problem('bad_request', 'This is a JSON list. Send JSON Lines (an object a line), or the list as rows of the body.', { field: 'file' })
  return { kind: 'csv', sheets: [], ...await readCsv(stream, head, options) }
}

async function whole(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
