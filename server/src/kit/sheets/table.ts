/** What a table is made of: columns by name, rows of cells, and how much of each there may be. */
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { isKeepable } from '../json.ts'

export const sheetLimits = {
  columns: 200,
  /** Characters of one cell; a spreadsheet takes 32,767. */
  cell: 1_048_576,
  /** Bytes of a workbook, which is read as a whole. */
  workbookBytes: 32 * 1024 * 1024,
  /** Rows that may be looked at, blank ones included: what a spreadsheet can hold. */
  rows: 1_048_576,
}

/** What is wrong with one row: where, with what, and what to do. */
export interface RowFlaw { column: string; value: string; message: string }

export interface SheetRow {
  /** As a spreadsheet counts: the line of the names is a row too. */
  number: number
  cells: Record<string, Json>
  /** The row as it came cannot be used. */
  flaw?: RowFlaw
}

export interface SheetOptions {
  /** Of a workbook, by name; the first visible one. */
  sheet?: string | undefined
  /** Of CSV; found out where nobody says. */
  delimiter?: string | undefined
}

export interface Sheet {
  kind: 'csv' | 'xlsx' | 'jsonl'
  /** Names of its columns; null where only the rows can tell. */
  columns: string[] | null
  /** The tables of a workbook. */
  sheets: string[]
  /** From the first, anew each time: nothing is left open where nobody reads them. */
  rows(): AsyncIterable<SheetRow>
}

/** A column's name as it counts: without spaces around it, and its letters written in one way. */
export const tidyColumn = (name: string): string => name.normalize('NFC').replace(/\s+/g, ' ').trim()

/** The names of columns out of the first row. Pure. @throws {Problem} `bad_request` */
export function readHeader(cells: string[]): string[] {
  const names = cells.map(tidyColumn)
  while (names.at(-1) === '') names.pop()
  if (names.length === 0) throw new Problem('bad_request', 'The first row is empty. Write the names of the columns into it.', { field: 'file' })
  if (names.length > sheetLimits.columns) throw new Problem('too_large', `A sheet may have ${sheetLimits.columns} columns, and this one has ${names.length}.`, { field: 'file', allowed: sheetLimits.columns })
  const unnamed = names.indexOf('')
  if (unnamed >= 0) throw new Problem('bad_request', `Column ${letterOf(unnamed)} has no name. Write one into the first row.`, { field: 'file' })
  for (const name of names) {
    if (name.length > 200 || !isKeepable(name) || name === '__proto__') throw new Problem('bad_request', `The column "${name.slice(0, 60).toWellFormed()}" has a name that cannot be used. Names have 1 to 200 characters.`, { field: 'file' })
  }
  const seen = new Set<string>()
  for (const name of names) {
    if (seen.has(name)) throw new Problem('bad_request', `Two columns are called "${name}". Give each a name of its own.`, { field: 'file', value: name })
    seen.add(name)
  }
  return names
}

/** The first of many, and no more of them is asked for. */
export async function firstOf<T>(all: AsyncIterable<T>): Promise<T | null> {
  for await (const one of all) return one
  return null
}

/** A column as a spreadsheet calls it: A, B, … Z, AA. Pure. */
export const letterOf = (index: number): string => (index >= 26 ? letterOf(Math.floor(index / 26) - 1) : '') + String.fromCharCode(65 + index % 26)

/** An object as a row, its keys being the columns. Pure. */
export function readObject(number: number, object: Record<string, Json>): SheetRow {
  const cells = Object.fromEntries(Object.entries(object).map(([name, cell]) => [tidyColumn(name), cell]))
  const names = Object.keys(cells)
  if (names.length > 0 && names.length <= sheetLimits.columns && names.every(name => name.length >= 1 && name.length <= 200)) return { number, cells }
  return { number, cells: {}, flaw: { column: '', value: names.slice(0, 5).join(', ').slice(0, 100), message: `A row has 1 to ${sheetLimits.columns} columns, with names of 1 to 200 characters.` } }
}

/** A row of cells under the names of its columns; null for a blank one. Pure. */
export function readCells(number: number, cells: readonly Json[], columns: string[], flaw?: RowFlaw): SheetRow | null {
  const isBlank = (cell: Json | undefined) => cell === undefined || cell === null || (typeof cell === 'string' && cell.trim() === '')
  if (cells.every(isBlank) && !flaw) return null
  const row: SheetRow = { number, cells: Object.fromEntries(columns.map((name, index) => [name, cells[index] ?? ''])), ...(flaw ? { flaw } : {}) }
  const more = cells.slice(columns.length).findIndex(cell => !isBlank(cell))
  if (more >= 0) row.flaw ??= { column: letterOf(columns.length + more), value: String(cells[columns.length + more]).slice(0, 100), message: `The row has more cells than the first row has names (${columns.length}). Is a quote missing, or a name?` }
  for (const [name, cell] of Object.entries(row.cells)) {
    if (typeof cell !== 'string') continue
    if (cell.length > sheetLimits.cell) row.flaw ??= { column: name, value: cell.slice(0, 100), message: `A cell may have ${sheetLimits.cell} characters, and this one has ${cell.length}. Shorten it.` }
    if (!isKeepable(cell)) {
      row.flaw ??= { column: name, value: cell.slice(0, 100).replaceAll('\0', ' ').toWellFormed(), message: 'The cell holds a NUL character or half of a character. Type it again.' }
      row.cells[name] = cell.replaceAll('\0', ' ').toWellFormed()
    }
  }
  return row
}
