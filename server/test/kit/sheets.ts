/** Batches of our own door for tests: sent as forms or JSON, followed to their end, their results read back. */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { parse } from 'csv-parse/sync'
import { fromBufferPromise, type Entry } from 'yauzl'
import type { TestHouse } from './house.ts'

export interface Answer { status: number; headers: Headers; text: string; body: any }

export function sheetClient(house: () => TestHouse) {
  async function ask(method: string, path: string, body?: unknown, { key = house().testKey, headers = {} }: { key?: string; headers?: Record<string, string> } = {}): Promise<Answer> {
    const isForm = body instanceof FormData
    const response = await fetch(`${house().url}/plantain/v1${path}`, {
      method, headers: { authorization: `Bearer ${key}`, ...(body === undefined || isForm ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: isForm ? body : typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    // As bytes: a client's own reading of text would drop the mark.
    const text = Buffer.from(await response.arrayBuffer()).toString()
    let parsed: unknown = null
    try { parsed = JSON.parse(text) } catch { /* A table. */ }
    return { status: response.status, headers: response.headers, text, body: parsed }
  }
  /** A table as a form, with the fields of the batch beside it. */
  const form = (file: Buffer | string, fields: Record<string, unknown>, name = 'sheet.csv'): FormData => {
    const all = new FormData()
    for (const [field, value] of Object.entries(fields)) all.append(field, typeof value === 'string' ? value : JSON.stringify(value))
    all.append('file', new Blob([new Uint8Array(Buffer.from(file as Buffer))]), name)
    return all
  }
  const send = (file: Buffer | string, fields: Record<string, unknown>, options: { key?: string; headers?: Record<string, string>; name?: string; path?: string } = {}) =>
    ask('POST', options.path ?? '/batches', form(file, fields, options.name), options)
  async function until<T>(look: () => Promise<T | null | false | undefined>, what: string): Promise<T> {
    for (const end = performance.now() + 180_000; performance.now() < end;) {
      const found = await look()
      if (found) return found
      await pause(25)
    }
    throw new Error(`${what} never came.`)
  }
  const batchOf = async (id: string, key?: string) => (await ask('GET', `/batches/${id}`, undefined, key === undefined ? {} : { key })).body
  const reaches = (id: string, states: string[], key?: string) => until(async () => { const batch = await batchOf(id, key); return states.includes(batch.state) ? batch : null }, `${states.join(' or ')} of ${id}`)
  const ended = (id: string, key?: string) => reaches(id, ['done', 'failed', 'cancelled', 'expired'], key)
  const rowsOf = async (id: string, query = '', key?: string) => (await ask('GET', `/batches/${id}/rows?limit=100${query}`, undefined, key === undefined ? {} : { key })).body.data as any[]
  const count = async (table: string, where = 'true', values: unknown[] = []) => (await house().database.query<{ count: number }>(`select count(*)::int as count from ${table} where ${where}`, values)).rows[0]!.count
  return { ask, form, send, until, batchOf, reaches, ended, rowsOf, count }
}

/** A table as records, its mark and names checked. */
export function readTable(text: string): Record<string, string>[] {
  assert.equal(text[0], '\ufeff', 'spreadsheets know it for UTF-8')
  return parse(text, { columns: true, bom: true }) as Record<string, string>[]
}

/** The files of an archive, by name. */
export async function unpack(bytes: Buffer): Promise<Map<string, Buffer>> {
  const archive = await fromBufferPromise(bytes, { lazyEntries: true })
  const entries: Entry[] = []
  await new Promise<void>((resolve, reject) => { archive.on('entry', (entry: Entry) => { entries.push(entry); archive.readEntry() }).on('end', resolve).on('error', reject); archive.readEntry() })
  const files = new Map<string, Buffer>()
  for (const entry of entries) {
    assert.equal(entry.compressionMethod, 0, 'nothing is packed')
    const chunks: Buffer[] = []
    for await (const chunk of await archive.openReadStreamPromise(entry)) chunks.push(chunk as Buffer)
    files.set(entry.fileName, Buffer.concat(chunks))
  }
  return files
}
