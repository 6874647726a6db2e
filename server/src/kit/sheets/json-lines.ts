/** JSON Lines: an object a line, whose keys are the columns. */
import type { Readable } from 'node:stream'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { parseJson } from '../json.ts'
import { Lines, type Line } from '../lines.ts'
import { readObject, sheetLimits, type SheetRow } from './table.ts'

const lineMax = sheetLimits.cell * 2

export async function* readJsonLines(stream: Readable): AsyncGenerator<SheetRow> {
  const lines = new Lines(stream as AsyncIterable<Buffer>)
  try {
    for (let line = await lines.next(); line !== null; line = await lines.next()) {
      if (line.number > sheetLimits.rows) throw new Problem('too_large', `The sheet has more than ${sheetLimits.rows} lines.`, { field: 'file', allowed: sheetLimits.rows })
      const row = await readLine(line)
      if (row) yield row
    }
  } finally {
    stream.destroy()
  }
}

async function readLine(line: Line): Promise<SheetRow | null> {
  const pieces: Buffer[] = []
  let sizeBytes = 0
  for (let piece = await line.read(); piece !== null; piece = await line.read()) {
    sizeBytes += piece.length
    if (sizeBytes > lineMax) throw new Problem('too_large', `Line ${line.number} is longer than ${lineMax / 2 ** 20} MB. Upload pictures first (POST /plantain/v1/assets) and name them by id.`, { field: 'file', allowed: lineMax })
    pieces.push(piece)
  }
  let bytes = Buffer.concat(pieces, sizeBytes)
  if (line.number === 1 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) bytes = bytes.subarray(3)
  const broken = (message: string): SheetRow => ({ number: line.number, cells: {}, flaw: { column: '', value: bytes.toString('utf8').slice(0, 100).replaceAll('\0', ' ').toWellFormed(), message } })
  let value: unknown
  try {
    value = parseJson(bytes)
  } catch (thrown) {
    return broken((thrown as Problem).message.replace('The body', 'The line'))
  }
  if (value === undefined) return null
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return broken('The line is not a JSON object. Write one object a line, its keys being the columns.')
  return readObject(line.number, value as Record<string, Json>)
}
