/** A call for pictures with its files, for servers shaped like OpenAI's images API: JSON without pictures, a form with them. */
import type { Json } from '../../domain/outcome.ts'
import type { Job } from '../contract.ts'
import { extensionOf } from '../toolkit.ts'
import { writeMask } from './clear-mask.ts'
import { writeFields, type Wishes, type WrittenCall } from './openai.ts'

export interface PreparedCall extends WrittenCall { files: { field: string; name: string; mime: string; bytes: Buffer }[] }

/** Everything that can be refused is, and every file is read, before anything is sent. @throws {Problem} */
export async function prepareCall(job: Job, wishes: Wishes): Promise<PreparedCall> {
  const written = writeFields(job, wishes)
  const pictures = job.inputs.filter(({ role }) => role !== 'mask')
  const mask = job.inputs.find(({ role }) => role === 'mask')
  const files = await Promise.all(pictures.map(async (input, index) => (
    { field: pictures.length === 1 ? 'image' : 'image[]', name: `picture-${index + 1}.${extensionOf(input.mime)}`, mime: input.mime, bytes: await input.read() })))
  return { ...written, files: mask ? [...files, { field: 'mask', name: 'mask.png', mime: 'image/png', bytes: await writeMask(await mask.read(), pictures[0]!) }] : files }
}

/** Headers and body of the call. */
export const writeCall = ({ fields, files }: Pick<PreparedCall, 'fields' | 'files'>, headers: Record<string, string>): { headers: Record<string, string>; body: FormData | string } =>
  files.length > 0 ? { headers, body: writeForm(fields, files) } : { headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(fields) }

export function writeForm(fields: Record<string, Json>, files: PreparedCall['files']): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.set(name, typeof value === 'string' ? value : JSON.stringify(value))
  for (const { field, name, mime, bytes } of files) form.append(field, new Blob([new Uint8Array(bytes)], { type: mime }), name)
  return form
}
