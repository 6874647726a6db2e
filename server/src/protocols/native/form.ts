/** Orders and pictures that come as `multipart/form-data`, the way `curl -F` and browsers send them. */
import type { Readable } from 'node:stream'
import type { Role } from '../../domain/order.ts'
import { Problem } from '../../domain/problem.ts'
import { parseJson } from '../../kit/json.ts'
import { readMultipart, type Form } from '../../kit/multipart.ts'
import type { Incoming, Upload } from '../contract.ts'
import type { Wanted } from './inputs.ts'

/** Bytes of one file, and of a whole form that says how long it is. */
const fileMax = 32 * 1024 * 1024
const formMax = 128 * 1024 * 1024

function readForm(stream: Readable, headers: Incoming['headers'], filesMax: number): Promise<Form> {
  if (Number(headers['content-length']) > formMax) throw new Problem('too_large', `A form may have ${formMax} bytes.`, { allowed: formMax })
  return readMultipart(stream, headers, { filesMax, fieldsMax: 100, fileMax, fieldMax: 2 * 1024 * 1024 })
}

/** Fields that are written as JSON text, and those that are numbers. */
const jsonFields = new Set(['parameters', 'inputs', 'metadata', 'variables'])
const numberFields = new Set(['start_within_s', 'end_within_s'])
const pictureFields: Record<string, Role> = { image: 'reference', 'image[]': 'reference', images: 'reference', 'images[]': 'reference', mask: 'mask' }

/** An order out of a form: the same names as in JSON; `parameters[seed]=5` and `metadata[colour]=red` work as well. @throws {Problem} `bad_request` */
export async function readTaskForm(stream: Readable, headers: Incoming['headers']): Promise<{ body: Record<string, unknown>; pictures: Wanted[] }> {
  const { fields, files } = await readForm(stream, headers, 17)
  const body: Record<string, unknown> = {}
  for (const [name, text] of fields) {
    const nested = /^(parameters|metadata)\[([^\]]{1,100})\]$/.exec(name)
    if (nested) {
      const [, outer, inner] = nested as unknown as [string, string, string]
      const pairs = body[outer] ??= {}
      if (typeof pairs !== 'object' || pairs === null || Array.isArray(pairs)) throw new Problem('bad_request', `${outer} is given in two ways. Use one.`, { field: outer })
      define(pairs as Record<string, unknown>, inner, outer === 'parameters' ? readScalar(text) : text, name)
    } else define(body, name, jsonFields.has(name) ? readJsonField(name, text) : numberFields.has(name) && /^\d{1,9}$/.test(text) ? Number(text) : text, name)
  }
  const pictures = files.map(({ field, name, bytes }): Wanted => {
    const role = Object.hasOwn(pictureFields, field) ? pictureFields[field]! : null
    if (!role) throw new Problem('bad_request', `A file may come as image or mask, not as ${field.slice(0, 100)}.`, { field: field.slice(0, 100), allowed: ['image', 'mask'] })
    return { role, upload: { bytes, ...(name ? { name } : {}) } }
  })
  return { body, pictures }
}

/** The one picture of an upload form. @throws {Problem} `bad_request` */
export async function readUploadForm(stream: Readable, headers: Incoming['headers']): Promise<Upload> {
  const { fields, files } = await readForm(stream, headers, 1)
  for (const [name] of fields) if (name !== 'name') throw new Problem('bad_request', `There is no field ${name.slice(0, 100)}. Send one file, and its name if you like.`, { field: name.slice(0, 100), allowed: ['file', 'name'] })
  const [file] = files
  if (!file) throw new Problem('bad_request', 'The form has no file. Send one as `file`.', { field: 'file' })
  const name = fields[0]?.[1] || file.name
  return { bytes: file.bytes, ...(name ? { name: name.slice(0, 200) } : {}) }
}

function define(target: Record<string, unknown>, name: string, value: unknown, field: string): void {
  if (name === '__proto__') throw new Problem('bad_request', 'A field may not be called __proto__.')
  if (Object.hasOwn(target, name)) throw new Problem('bad_request', `${field} is given twice.`, { field })
  target[name] = value
}

function readJsonField(name: string, text: string): unknown {
  try {
    return parseJson(Buffer.from(text))
  } catch (thrown) {
    throw new Problem('bad_request', `${name} must be JSON in a form. ${(thrown as Error).message}`, { field: name })
  }
}

/** A form has only text: what looks like a number or a truth value is one. */
const readScalar = (text: string): unknown => text === 'true' ? true : text === 'false' ? false : /^-?\d{1,15}(\.\d{1,9})?$/.test(text) ? Number(text) : text
