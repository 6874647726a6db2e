import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import test from 'node:test'
import { readMultipart, type FormLimits } from './multipart.ts'

const limits: FormLimits = { filesMax: 1, fieldsMax: 2, fileMax: 1_000, fieldMax: 100 }

async function send(form: FormData | string, contentType?: string, cut = Infinity) {
  const request = typeof form === 'string' ? null : new Response(form)
  const body = request ? Buffer.from(await request.arrayBuffer()) : Buffer.from(form as string)
  const pieces = Array.from({ length: Math.ceil(Math.min(body.length, cut) / 7) }, (_, index) => body.subarray(index * 7, Math.min(index * 7 + 7, cut)))
  return readMultipart(Readable.from(pieces), { 'content-type': contentType ?? request?.headers.get('content-type') ?? 'multipart/form-data' }, limits)
}
const formOf = (fields: [string, string][], files: [string, number][]) => {
  const form = new FormData()
  for (const [name, text] of fields) form.append(name, text)
  for (const [name, size] of files) form.append(name, new Blob([new Uint8Array(size).fill(7)]), `${name}.png`)
  return form
}
const refused = async (code: string, sent: Promise<unknown>) => { await assert.rejects(sent, { name: 'Problem', code }) }

test('fields and files come out as they went in, in whatever pieces', async () => {
  const { fields, files } = await send(formOf([['uploadPath', 'images/ü']], [['file', 1_000 - 1]]))
  assert.deepEqual(fields, [['uploadPath', 'images/ü']])
  assert.deepEqual([files[0]!.field, files[0]!.name, files[0]!.bytes.length], ['file', 'file.png', 999])
})
test('exactly as many parts as may be are taken', async () => { assert.equal((await send(formOf([['a', '1'], ['b', '2']], [['file', 1]]))).fields.length, 2) })
test('a file too large', () => refused('too_large', send(formOf([], [['file', 5_000]]))))
test('a field too long', () => refused('too_large', send(formOf([['a', 'x'.repeat(101)]], []))))
test('too many files', () => refused('too_large', send(formOf([], [['file', 1], ['file', 1]]))))
test('too many fields', () => refused('too_large', send(formOf([['a', '1'], ['b', '2'], ['c', '3']], []))))
test('no boundary', () => refused('bad_request', send('nothing', 'multipart/form-data')))
test('no form at all', () => refused('bad_request', send('nothing', 'multipart/form-data; boundary=x')))
test('a form that breaks off', () => refused('bad_request', send(formOf([], [['file', 900]]), undefined, 300)))
test('NUL in a field', () => refused('bad_request', send(formOf([['a', 'x\0']], []))))
