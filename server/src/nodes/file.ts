import { Type } from 'typebox'
import type { Json } from '../domain/outcome.ts'
import { Problem } from '../domain/problem.ts'
import { node, port, type Bench } from './contract.ts'
import { readJson } from './toolkit/json.ts'

/** Longer texts are no input for a workflow; a batch takes them line by line. */
const bytesMax = 4_000_000

/**
 * A file of the project, or a text or JSON value in its place: as text, as JSON, as a list of its lines or rows, and as a picture where it is one.
 *
 * Only what the file is comes out; what hangs on another port is skipped.
 */
export default node({
  id: 'file', title: 'File', category: 'input', reusable: false, description: 'A file that was uploaded at `/v1/files` (by its id), or a text or JSON value in its place. Gives it as text, as JSON, as a list (the items of a JSON list, the rows of JSONL, the lines of a text), or as a picture.',
  inputs: Type.Object({
    file: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'The id of a file of this project.' })),
    text: Type.Optional(Type.String({ maxLength: bytesMax, description: 'The text itself, instead of a file.' })),
    json: Type.Optional(Type.Unsafe<Json>({ description: 'A JSON value itself, instead of a file.' })),
  }),
  outputs: Type.Object({ text: Type.Optional(port.text()), json: Type.Optional(port.json()), items: Type.Optional(port.list({ description: 'Its items, rows or lines.' })), image: Type.Optional(port.image()), name: Type.Optional(port.text({ description: 'The name of the file.' })) }),
  async run({ file, text, json }, bench) {
    if ([file, text, json].filter(one => one !== undefined).length !== 1) throw new Problem('bad_request', 'Give one of file, text and json.', { field: 'file' })
    if (json !== undefined) return { text: typeof json === 'string' ? json : JSON.stringify(json), json, ...(Array.isArray(json) ? { items: json } : {}) }
    return text !== undefined ? read(text) : readFile(file!, bench)
  },
})

async function readFile(id: string, bench: Bench) {
  const { name, mime, sizeBytes, media, open } = await bench.file(id)
  const named = name === null ? {} : { name }
  if (media !== null) return { image: media, ...named }
  if (sizeBytes > bytesMax) throw new Problem('too_large', `The file ${name ?? id} has ${sizeBytes} bytes; a workflow reads up to ${bytesMax / 1e6} MB. Send long lists as a batch.`, { field: 'file', limitBytes: bytesMax })
  const text = decode(await open())
  if (text === null) throw new Problem('unsupported_media', `The file ${name ?? id} (${mime}) is neither a picture nor text in UTF-8.`, { field: 'file' })
  return { ...read(text), ...named }
}

function read(text: string): { text: string; json?: Json; items: Json[] } {
  const json = readJson(text)
  if (json !== undefined) return { text, json, items: Array.isArray(json) ? json : [json] }
  const lines = text.split(/\r?\n/).filter(line => line.trim() !== '')
  const rows = lines.map(readJson)
  return { text, items: rows.length > 0 && rows.every(row => row !== undefined && row !== null && typeof row === 'object') ? rows as Json[] : lines }
}

function decode(bytes: Buffer): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return text.includes('\0') ? null : text
  } catch { return null }
}
