/** Tables that people get: CSV that spreadsheets open without taking any of it for a formula. */

/** A row of CSV (RFC 4180), with its line end. */
export const writeRow = (cells: readonly (string | number | boolean | null | undefined)[]): string => `${cells.map(writeCell).join(',')}\r\n`

/** What a spreadsheet would run when the file is opened gets an apostrophe before it; plain numbers stay numbers. */
function writeCell(value: string | number | boolean | null | undefined): string {
  if (value === null || value === undefined) return ''
  if (typeof value !== 'string') return String(value)
  const safe = /^[=+\-@\t\r]/.test(value) && !/^[+-]?\d+([.,]\d+)?$/.test(value) ? `'${value}` : value
  return /[",\r\n;\t]|^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** The mark by which spreadsheets know UTF-8. */
export const mark = '\ufeff'
