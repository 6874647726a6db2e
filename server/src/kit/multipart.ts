/** Forms that come as `multipart/form-data`, read while they arrive: what is too large is refused before the rest is taken. */
import type { Readable } from 'node:stream'
import { Busboy, type BusboyHeaders, type BusboyInstance } from '@fastify/busboy'
import { Problem } from '../domain/problem.ts'
import { isKeepable } from './json.ts'

export interface FilePart { field: string; /** As the caller calls it; undefined where that is no name. */ name: string | undefined; bytes: Buffer }
export interface Form { fields: [name: string, text: string][]; files: FilePart[] }

/** What became of a form's one large file, and its fields. */
export interface FileForm<T> { fields: [name: string, text: string][]; file: { field: string; name: string | undefined; mime: string; taken: T } | null }

export interface FormLimits {
  filesMax: number
  fieldsMax: number
  /** Bytes of one file, and of one field. */
  fileMax: number
  fieldMax: number
}

/** All parts of a form. Leaves the stream open, so that a refusal can still go out. @throws {Problem} `bad_request`, `too_large` */
export function readMultipart(stream: Readable, headers: Record<string, string | undefined>, { filesMax, fieldsMax, fileMax, fieldMax }: FormLimits): Promise<Form> {
  return new Promise((resolve, reject) => {
    let parser: BusboyInstance
    try {
      parser = new Busboy({
        headers: headers as unknown as BusboyHeaders,
        // One more of each than is taken: only then can "too many" be told from "exactly as many as may be".
        limits: { fields: fieldsMax + 1, files: filesMax + 1, parts: fieldsMax + filesMax + 2, fileSize: fileMax, fieldSize: fieldMax, fieldNameSize: 200, headerPairs: 50, headerSize: 16 * 1024 },
      })
    } catch {
      reject(new Problem('bad_request', 'This form has no boundary. Let your client write the Content-Type of the form.'))
      return
    }
    const form: Form = { fields: [], files: [] }
    let isOver = false
    let filesSeen = 0
    const end = (finish: () => void) => {
      if (isOver) return
      isOver = true
      stream.unpipe(parser)
      stream.off('close', onClose).off('error', onClose)
      finish()
    }
    const fail = (problem: Problem) => end(() => { stream.pause(); parser.destroy(); reject(problem) })
    const onClose = () => { if (!stream.readableEnded) fail(new Problem('bad_request', 'The body broke off before it was complete.')) }
    const tooMany = () => fail(new Problem('too_large', `This form has too many parts. It may have ${filesMax} ${filesMax === 1 ? 'file' : 'files'} and ${fieldsMax} fields.`, { allowed: { filesMax, fieldsMax } }))

    parser.on('field', (name, text, nameCut, textCut) => {
      const field = String(name).slice(0, 100)
      if (nameCut || textCut) return fail(new Problem('too_large', `The field ${field} is too long.`, { field, allowed: fieldMax }))
      if (!isKeepable(name) || !isKeepable(text)) return fail(new Problem('bad_request', 'The form holds text with a NUL character or half of a surrogate pair.'))
      if (form.fields.length >= fieldsMax) return tooMany()
      form.fields.push([name, text])
    })
    parser.on('file', (field, file, name) => {
      if (++filesSeen > filesMax) { file.resume(); return tooMany() }
      const chunks: Buffer[] = []
      file.on('data', (chunk: Buffer) => { if (!isOver) chunks.push(chunk) })
      file.on('limit', () => fail(new Problem('too_large', `A file of this form may have ${fileMax} bytes.`, { field, allowed: fileMax })))
      file.on('error', () => {})
      file.on('end', () => { if (!isOver) form.files.push({ field, name: name && isKeepable(name) ? name : undefined, bytes: Buffer.concat(chunks) }) })
    })
    for (const limit of ['filesLimit', 'fieldsLimit', 'partsLimit'] as const) parser.on(limit, tooMany)
    parser.on('error', () => fail(new Problem('bad_request', 'This form is not written as multipart/form-data must be.')))
    parser.on('finish', () => end(() => resolve(form)))
    stream.on('close', onClose).on('error', onClose)
    stream.pipe(parser)
  })
}

/**
 * A form with one large file, which is handed on while it comes in and never held. `take` reads the file to its end.
 *
 * Leaves the stream open, so that a refusal can still go out. @throws {Problem} `bad_request`, `too_large`, and what `take` throws
 */
export function readFileForm<T>(stream: Readable, headers: Record<string, string | undefined>, { fieldsMax, fieldMax }: Pick<FormLimits, 'fieldsMax' | 'fieldMax'>, take: (file: Readable) => Promise<T>): Promise<FileForm<T>> {
  return new Promise((resolve, reject) => {
    let parser: BusboyInstance
    try {
      parser = new Busboy({ headers: headers as unknown as BusboyHeaders, limits: { fields: fieldsMax + 1, files: 2, parts: fieldsMax + 3, fieldSize: fieldMax, fieldNameSize: 200, headerPairs: 50, headerSize: 16 * 1024 } })
    } catch {
      reject(new Problem('bad_request', 'This form has no boundary. Let your client write the Content-Type of the form.'))
      return
    }
    const fields: FileForm<T>['fields'] = []
    let taking: Promise<FileForm<T>['file']> | null = null
    let open: Readable | null = null
    let isOver = false
    const end = (finish: () => void) => {
      if (isOver) return
      isOver = true
      stream.unpipe(parser)
      stream.off('close', onClose).off('error', onClose)
      finish()
    }
    const fail = (thrown: unknown) => end(() => {
      stream.pause()
      // Whoever reads the file must not wait for more of it.
      open?.destroy(new Error('The form was refused.'))
      parser.destroy()
      reject(thrown)
    })
    const onClose = () => { if (!stream.readableEnded) fail(new Problem('bad_request', 'The body broke off before it was complete.')) }
    const tooMany = () => fail(new Problem('too_large', `This form has too many parts. It may have one file and ${fieldsMax} fields.`, { allowed: { filesMax: 1, fieldsMax } }))

    parser.on('field', (name, text, nameCut, textCut) => {
      const field = String(name).slice(0, 100)
      if (nameCut || textCut) return fail(new Problem('too_large', `The field ${field} is too long.`, { field, allowed: fieldMax }))
      if (!isKeepable(name) || !isKeepable(text)) return fail(new Problem('bad_request', 'The form holds text with a NUL character or half of a surrogate pair.'))
      if (fields.length >= fieldsMax) return tooMany()
      fields.push([name, text])
    })
    parser.on('file', (field, file, name, _encoding, mime) => {
      file.on('error', () => {})
      if (taking || isOver) { file.resume(); return tooMany() }
      open = file
      taking = take(file).then(taken => ({ field, name: name && isKeepable(name) ? name : undefined, mime, taken }))
      taking.catch(fail)
    })
    for (const limit of ['filesLimit', 'fieldsLimit', 'partsLimit'] as const) parser.on(limit, tooMany)
    parser.on('error', () => fail(new Problem('bad_request', 'This form is not written as multipart/form-data must be.')))
    parser.on('finish', () => { (taking ?? Promise.resolve(null)).then(file => end(() => resolve({ fields, file })), fail) })
    stream.on('close', onClose).on('error', onClose)
    stream.pipe(parser)
  })
}
