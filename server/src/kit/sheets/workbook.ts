/**
 * Workbooks that people get (Office Open XML): one sheet, written while it is read, so that ten thousand rows need no more room than a hundred.
 *
 * Texts are written as texts: nothing in a cell is ever run, and what looks like a number keeps its noughts. Absent on purpose: packing (the
 * archive holds its parts as they are), formulas, and more than one table.
 */
import { makeZip } from 'client-zip'
import { letterOf } from './table.ts'

export type CellValue = string | number | boolean | null
/** A cell, or one that is to be looked at. */
export type WorkbookCell = CellValue | { look: CellValue }

/** Characters a spreadsheet program takes in one cell; a file with more does not open. */
export const cellMax = 32_767

/** Places in `styles.xml`. */
const [plain, heading, text, lookedAt, lookedAtText] = [0, 1, 2, 3, 4]
const head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
const main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
const relations = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'
const packages = 'http://schemas.openxmlformats.org/package/2006'
const kinds = 'application/vnd.openxmlformats-officedocument.spreadsheetml'
export const workbookMime = `${kinds}.sheet`

// Number format 49 is "text": what is typed into such a cell stays as it is typed.
const xf = (more: string) => `<xf borderId="0" xfId="0" ${more} applyAlignment="1"><alignment vertical="top" wrapText="1"/></xf>`
const parts: Record<string, string> = {
  '[Content_Types].xml': `<Types xmlns="${packages}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="${kinds}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="${kinds}.worksheet+xml"/><Override PartName="/xl/styles.xml" ContentType="${kinds}.styles+xml"/></Types>`,
  '_rels/.rels': `<Relationships xmlns="${packages}/relationships"><Relationship Id="rId1" Type="${relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
  'xl/_rels/workbook.xml.rels': `<Relationships xmlns="${packages}/relationships"><Relationship Id="rId1" Type="${relations}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="${relations}/styles" Target="styles.xml"/></Relationships>`,
  'xl/styles.xml': `<styleSheet ${main}><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts><fills count="3"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill><fill><patternFill patternType="solid"><fgColor rgb="FFFFE0B2"/></patternFill></fill></fills><borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="5">${[
    'numFmtId="0" fontId="0" fillId="0"', 'numFmtId="49" fontId="1" fillId="0" applyNumberFormat="1" applyFont="1"', 'numFmtId="49" fontId="0" fillId="0" applyNumberFormat="1"', 'numFmtId="0" fontId="0" fillId="2" applyFill="1"', 'numFmtId="49" fontId="0" fillId="2" applyNumberFormat="1" applyFill="1"',
  ].map(xf).join('')}</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>`,
}

export interface WorkbookSpec {
  sheet: string
  /** Names in the first row, which stays in sight. */
  columns: string[]
  /** Columns that hold sentences. */
  wide: string[]
  rows: AsyncIterable<WorkbookCell[]>
  at: Date
}

/** A workbook, piece by piece. */
export function writeWorkbook({ sheet, columns, wide, rows, at }: WorkbookSpec): ReadableStream<Uint8Array> {
  const workbook = `<workbook ${main} xmlns:r="${relations}"><sheets><sheet name="${escape(sheet)}" sheetId="1" r:id="rId1"/></sheets></workbook>`
  const worksheet = async function* (): AsyncGenerator<Uint8Array> {
    const widths = columns.map((name, index) => `<col min="${index + 1}" max="${index + 1}" width="${wide.includes(name) ? 70 : 20}" customWidth="1"/>`).join('')
    yield Buffer.from(`${head}<worksheet ${main}><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><cols>${widths}</cols><sheetData>${writeRow(1, columns, true)}`)
    let number = 1
    for await (const row of rows) yield Buffer.from(writeRow(++number, row, false))
    yield Buffer.from('</sheetData></worksheet>')
  }
  return makeZip([
    ...[...Object.entries(parts), ['xl/workbook.xml', workbook] as const].map(([name, body]) => ({ name, input: head + body, lastModified: at })),
    { name: 'xl/worksheets/sheet1.xml', input: worksheet(), lastModified: at },
  ])
}

const writeRow = (number: number, cells: WorkbookCell[], isHeading: boolean): string => `<row r="${number}">${cells.map((cell, index) => writeCell(cell, `${letterOf(index)}${number}`, isHeading)).join('')}</row>`

function writeCell(cell: WorkbookCell, place: string, isHeading: boolean): string {
  const isLookedAt = cell !== null && typeof cell === 'object'
  const value = isLookedAt ? cell.look : cell
  const bare = isLookedAt ? lookedAt : plain
  if (value === null || value === '') return isLookedAt ? `<c r="${place}" s="${bare}"/>` : ''
  if (typeof value === 'boolean') return `<c r="${place}" s="${bare}" t="b"><v>${Number(value)}</v></c>`
  if (typeof value === 'number' && Number.isFinite(value)) return `<c r="${place}" s="${bare}"><v>${value}</v></c>`
  return `<c r="${place}" s="${isHeading ? heading : isLookedAt ? lookedAtText : text}" t="inlineStr"><is><t xml:space="preserve">${escape(String(value).slice(0, cellMax))}</t></is></c>`
}

/** What XML has no place for is written as its number, and what looks like such a number too. */
const escape = (value: string): string => value.toWellFormed()
  .replace(/_(?=x[0-9A-F]{4}_)/gi, '_x005F_')
  // eslint-disable-next-line no-control-regex
  .replace(/[\x00-\x08\x0b-\x1f\ufffe\uffff]/g, letter => `_x${letter.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}_`)
  .replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
