/**
 * Workbooks (Office Open XML): values of one sheet, as text and numbers, a row at a time.
 *
 * The archive is not believed: what it unpacks to is counted while it unpacks. Documents with a document type are refused, so there are no
 * entities to expand. Absent on purpose: formulas (their last value counts), styles beyond what makes a number a date, and writing (`workbook.ts`).
 */
import type { Readable } from 'node:stream'
import sax from 'sax'
import { fromBufferPromise, type Entry, type ZipFile } from 'yauzl'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { takeTurns } from '../turns.ts'
import { firstOf, letterOf, readCells, readHeader, sheetLimits, type RowFlaw, type Sheet, type SheetOptions, type SheetRow } from './table.ts'

/** Bytes a part may unpack to. */
const partMax = { sheet: 256 * 1024 * 1024, strings: 96 * 1024 * 1024, other: 8 * 1024 * 1024 }
const entriesMax = 2_000
/** Characters of all shared texts together, and of one row: many of its cells may share one long text. */
const stringsMax = 64 * 1024 * 1024
const rowMax = sheetLimits.cell * 2

const broken = (what: string, cause?: unknown) => new Problem('bad_request', `The workbook cannot be read: ${what}. Open it and save it again as .xlsx, or as CSV.`, { field: 'file', cause })
const tooLarge = (what: string) => new Problem('too_large', `The workbook unpacks to more than is taken (${what}). Split it, or send it as CSV.`, { field: 'file' })

type Part = (name: string, max: number) => Promise<Readable | null>

export async function openWorkbook(bytes: Buffer, { sheet: wanted }: SheetOptions): Promise<Sheet> {
  const part = await openParts(bytes)
  const workbook = await readWorkbook(part)
  const names = workbook.sheets.map(({ name }) => name)
  const chosen = wanted === undefined ? workbook.sheets.find(({ hidden }) => !hidden) ?? workbook.sheets[0] : workbook.sheets.find(({ name }) => name === wanted)
  if (!chosen) throw wanted === undefined ? broken('it has no sheets') : new Problem('bad_request', `There is no sheet "${wanted.slice(0, 100)}" in this workbook. It has ${names.join(', ')}.`, { field: 'sheet', value: wanted.slice(0, 100), allowed: names })
  const strings = await readStrings(part, workbook.stringsPath)
  const dates = await readDates(part, workbook.stylesPath)
  const open = async function* (): AsyncGenerator<RawRow> {
    const stream = await part(chosen.path, partMax.sheet)
    if (!stream) throw broken(`the sheet "${chosen.name}" is not in it`)
    yield* readSheet(stream, { strings, dates, is1904: workbook.is1904 })
  }
  const first = await firstOf(open())
  if (!first) throw new Problem('bad_request', `The sheet "${chosen.name}" is empty. Write the names of the columns into its first row, and rows below.`, { field: 'file' })
  const columns = readHeader(first.cells.map(String))
  return { kind: 'xlsx', columns, sheets: names, rows: () => named(open(), columns) }
}

async function* named(rows: AsyncGenerator<RawRow>, columns: string[]): AsyncGenerator<SheetRow> {
  let isFirst = true
  for await (const { number, cells, flaw } of rows) {
    if (isFirst) { isFirst = false; continue }
    const row = readCells(number, cells, columns, flaw && { ...flaw, column: columns[flaw.at] ?? letterOf(flaw.at) })
    if (row) yield row
  }
}

/** The parts of the archive by name. */
async function openParts(bytes: Buffer): Promise<Part> {
  const entries = new Map<string, Entry>()
  let archive: ZipFile
  try {
    archive = await fromBufferPromise(bytes, { lazyEntries: true })
    await new Promise<void>((resolve, reject) => {
      archive.on('entry', (entry: Entry) => {
        entries.set(entry.fileName.toLowerCase(), entry)
        if (entries.size > entriesMax) reject(tooLarge(`${entriesMax} parts`))
        else archive.readEntry()
      })
      archive.on('end', resolve).on('error', reject)
      archive.readEntry()
    })
  } catch (thrown) {
    throw thrown instanceof Problem ? thrown : broken('it is not a whole ZIP archive', thrown)
  }
  return async (name, max) => {
    const entry = entries.get(name.toLowerCase())
    if (!entry) return null
    if (entry.isEncrypted()) throw broken('it has a password')
    if (entry.uncompressedSize > max) throw tooLarge(`${name} alone has ${entry.uncompressedSize} bytes`)
    return archive.openReadStreamPromise(entry).catch(thrown => { throw broken(`${name} cannot be unpacked`, thrown) })
  }
}

interface Xml { open?(name: string, attributes: Record<string, string>): void; text?(text: string): void; close?(name: string): void }

/** What is not packed may come as a whole. */
const pieceBytes = 64 * 1024

/** Reads a part piece by piece; after each piece, what it brought may be taken. */
async function* readXml(stream: Readable, max: number, handlers: Xml): AsyncGenerator<void> {
  const parser = sax.parser(true, { position: false })
  // Names go by their local part: writers differ in the prefix they choose.
  const local = (name: string) => name.slice(name.indexOf(':') + 1)
  let failure: unknown = null
  Object.assign(parser, {
    onerror(error: Error) { failure ??= error; parser.error = null as unknown as Error },
    ondoctype() { failure ??= new Error('it has a document type') },
    onopentag(tag: sax.Tag) { handlers.open?.(local(tag.name), tag.attributes) },
    ontext(text: string) { handlers.text?.(text) },
    oncdata(text: string) { handlers.text?.(text) },
    onclosetag(name: string) { handlers.close?.(local(name)) },
  })
  let size = 0
  const decoder = new TextDecoder('utf-8', { fatal: true })
  // What is stored unpacked comes out of memory, and nobody else would have a turn until its end.
  const turns = takeTurns()
  try {
    for await (const chunk of stream) {
      size += (chunk as Buffer).length
      if (size > max) throw tooLarge(`more than ${max / 2 ** 20} MB`)
      for (let at = 0; at < (chunk as Buffer).length; at += pieceBytes) {
        if (turns.isDue()) await turns.give()
        parser.write(decoder.decode((chunk as Buffer).subarray(at, at + pieceBytes), { stream: true }))
        if (failure) throw failure
        yield
      }
    }
    parser.close()
    if (failure) throw failure
    yield
  } catch (thrown) {
    throw thrown instanceof Problem ? thrown : broken(`its XML is not in order (${String((thrown as Error).message).split('\n')[0]!.slice(0, 100)})`, thrown)
  } finally {
    stream.destroy()
  }
}

async function readAll(part: Part, name: string, max: number, handlers: Xml): Promise<boolean> {
  const stream = await part(name, max)
  if (!stream) return false
  for await (const _ of readXml(stream, max, handlers));
  return true
}

interface Workbook { sheets: { name: string; path: string; hidden: boolean }[]; stringsPath: string; stylesPath: string; is1904: boolean }

async function readWorkbook(part: Part): Promise<Workbook> {
  const relations = new Map<string, { target: string; type: string }>()
  const resolve = (target: string) => target.startsWith('/') ? target.slice(1) : `xl/${target}`
  await readAll(part, 'xl/_rels/workbook.xml.rels', partMax.other, {
    open(name, { Id = '', Target = '', Type = '' }) { if (name === 'Relationship') relations.set(Id, { target: resolve(Target), type: Type.split('/').at(-1)! }) },
  })
  const sheets: Workbook['sheets'] = []
  let is1904 = false
  const isThere = await readAll(part, 'xl/workbook.xml', partMax.other, {
    open(tag, attributes) {
      if (tag === 'workbookPr') is1904 = attributes.date1904 === '1' || attributes.date1904 === 'true'
      if (tag !== 'sheet') return
      const id = Object.entries(attributes).find(([name]) => name.endsWith(':id'))?.[1] ?? ''
      const relation = relations.get(id)
      if (relation?.type === 'worksheet') sheets.push({ name: attributes.name ?? '', path: relation.target, hidden: attributes.state !== undefined && attributes.state !== 'visible' })
    },
  })
  const has = async (name: string) => (await part(name, partMax.other))?.destroy() !== undefined
  if (!isThere && await has('mimetype')) throw new Problem('unsupported_media', 'This is an OpenDocument file (.ods). Save it as .xlsx, or as CSV.', { field: 'file' })
  if (!isThere && await has('xl/workbook.bin')) throw new Problem('unsupported_media', 'This is a binary workbook (.xlsb). Save it as .xlsx, or as CSV.', { field: 'file' })
  if (!isThere) throw new Problem('unsupported_media', 'This is a ZIP archive and not an Excel workbook. Send the table itself: XLSX, CSV or JSON Lines.', { field: 'file' })
  const pathOf = (type: string, standard: string) => [...relations.values()].find(one => one.type === type)?.target ?? standard
  return { sheets, stringsPath: pathOf('sharedStrings', 'xl/sharedStrings.xml'), stylesPath: pathOf('styles', 'xl/styles.xml'), is1904 }
}

/** Texts that cells refer to by number. What stands over a word to say how it is read (`rPh`) is not part of it. */
async function readStrings(part: Part, path: string): Promise<string[]> {
  const strings: string[] = []
  let text = ''
  let total = 0
  let isText = false
  let phonetic = 0
  await readAll(part, path, partMax.strings, {
    open(name) { if (name === 'si') text = ''; else if (name === 'rPh') phonetic++; else if (name === 't') isText = phonetic === 0 },
    text(piece) { if (isText) { text += piece; if ((total += piece.length) > stringsMax) throw tooLarge('its texts') } },
    close(name) { if (name === 'si') strings.push(unescape(text)); else if (name === 'rPh') phonetic--; else if (name === 't') isText = false },
  })
  return strings
}

/** Which cell styles make a number a date. */
async function readDates(part: Part, path: string): Promise<boolean[]> {
  const formats = new Map<string, string>()
  const dates: boolean[] = []
  let inCells = false
  await readAll(part, path, partMax.other, {
    open(name, attributes) {
      if (name === 'numFmt') formats.set(attributes.numFmtId ?? '', attributes.formatCode ?? '')
      else if (name === 'cellXfs') inCells = true
      else if (name === 'xf' && inCells) {
        const id = Number(attributes.numFmtId ?? 0)
        const code = formats.get(String(id))
        dates.push(code === undefined ? (id >= 14 && id <= 22) || (id >= 45 && id <= 47) : /[dmyhs]/i.test(code.replace(/"[^"]*"|\[[^\]]*\]|\\./g, '')))
      }
    },
    close(name) { if (name === 'cellXfs') inCells = false },
  })
  return dates
}

interface RawRow { number: number; cells: Json[]; flaw?: Omit<RowFlaw, 'column'> & { at: number } }
interface Cells { strings: string[]; dates: boolean[]; is1904: boolean }

async function* readSheet(stream: Readable, { strings, dates, is1904 }: Cells): AsyncGenerator<RawRow> {
  let ready: RawRow[] = []
  let row: RawRow | null = null
  let number = 0
  let inRow = 0
  let at = 0
  let type = ''
  let style = 0
  let value = ''
  let hasFormula = false
  let hasValue = false
  let isValue = false
  const flawed = (message: string) => { row!.flaw ??= { at, value: value.slice(0, 100), message } }
  const read = (): Json => {
    switch (type) {
      case 's': return strings[Number(value)] ?? ''
      case 'b': return value === '1'
      case 'e': flawed(`The cell holds the error ${value.slice(0, 20)}. Mend the formula, or write the value.`); return value
      case 'str': case 'inlineStr': return unescape(value)
      case 'd': return value
      default: {
        if (value === '') return ''
        const figure = Number(value)
        if (!Number.isFinite(figure)) { flawed('The cell holds a number that cannot be read. Type it again.'); return value }
        return dates[style] ? writeDate(figure, is1904) : figure
      }
    }
  }
  const handlers: Xml = {
    open(name, attributes) {
      if (name === 'row') {
        number = Number(attributes.r ?? number + 1)
        if (!Number.isInteger(number) || number < 1 || number > sheetLimits.rows) throw broken('a row has a number that cannot be')
        row = { number, cells: [] }
        inRow = 0
        at = -1
      } else if (name === 'c' && row) {
        at = attributes.r === undefined ? at + 1 : columnOf(attributes.r)
        type = attributes.t ?? 'n'
        style = Number(attributes.s ?? 0)
        value = ''
        hasFormula = hasValue = false
      } else if (name === 'f') hasFormula = true
      else if (name === 'v' || name === 't') { isValue = true; hasValue = true }
      else if (name === 'rPh') type = 'phonetic'
    },
    // One that is longer than a cell may be is not read to its end; it is refused with its row.
    text(piece) { if (isValue && type !== 'phonetic' && value.length <= sheetLimits.cell) value += piece },
    close(name) {
      if (name === 'v' || name === 't') isValue = false
      else if (name === 'rPh') type = 'inlineStr'
      else if (name === 'c' && row) {
        if (at >= sheetLimits.columns) { if (value !== '') throw new Problem('too_large', `A sheet may have ${sheetLimits.columns} columns, and there is something in column ${letterOf(at)}.`, { field: 'file', allowed: sheetLimits.columns }); return }
        if (hasFormula && !hasValue) flawed('The cell holds a formula that was never reckoned. Open the workbook in a spreadsheet program and save it, or write the value.')
        while (row.cells.length < at) row.cells.push('')
        const cell = read()
        if (typeof cell === 'string' && (inRow += cell.length) > rowMax) throw new Problem('too_large', `Row ${row.number} is longer than ${rowMax} characters. Shorten its cells.`, { field: 'file', allowed: rowMax })
        row.cells[at] = cell
      } else if (name === 'row' && row) { ready.push(row); row = null }
    },
  }
  const turns = takeTurns()
  for await (const _ of readXml(stream, partMax.sheet, handlers)) {
    const read = ready
    ready = []
    for (const one of read) {
      yield one
      if (turns.isDue()) await turns.give()
    }
  }
}

function columnOf(reference: string): number {
  let index = 0
  for (const letter of /^[A-Z]{1,3}/.exec(reference)?.[0] ?? '') index = index * 26 + letter.charCodeAt(0) - 64
  if (index === 0) throw broken('a cell has a place that cannot be')
  return index - 1
}

/** Letters that XML has no place for are written as their number: `_x000D_`. */
const unescape = (text: string): string => text.replace(/_x([0-9A-F]{4})_/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))

/** Days since the end of 1899 (or 1904) as people write a date: with its time where it has one. Pure. */
function writeDate(days: number, is1904: boolean): string {
  const date = new Date(Math.round((days - (is1904 ? 24_107 : 25_569)) * 86_400) * 1_000)
  if (Number.isNaN(date.getTime())) return String(days)
  const text = date.toISOString()
  return days < 1 ? text.slice(11, 19) : Number.isInteger(days) ? text.slice(0, 10) : text.slice(0, 19)
}
