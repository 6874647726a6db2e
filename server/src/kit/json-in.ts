/**
 * JSON bodies with megabytes of base64 in them: long strings that are files go to files while they come in; the rest is parsed.
 *
 * A string is a file when it has more than 32 KB of base64 and either says so (`data:image/png;base64,`) or begins like a picture, a film
 * or a document: a prompt of a million times "x" is base64 too, and stays the text it is. Work is done in pieces of at most 64 KB,
 * so that nobody waits for somebody else's picture.
 */
import { readFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { Problem } from '../domain/problem.ts'
import type { InlineUpload } from '../protocols/contract.ts'
import { Base64Decoder } from './base64.ts'
import { randomText } from './id.ts'
import { InlineFile, pendingMax } from './inline.ts'
import { depthMax, parseJson } from './json.ts'

export const inlineBodyMax = 64 * 1024 * 1024
export const inlineTextMax = 4 * 1024 * 1024
/** Base64 characters up to which a string stays text. */
export const inlineFrom = 32 * 1024

const pieceBytes = 64 * 1024
const headBytes = 512
const filesMax = 256

export interface InlineLimits {
  /** Bytes of the whole body. */
  bytesMax?: number
  /** Bytes of what is left of it without the files. */
  textMax?: number
  /** Where the files wait (`openInlineFolder`). */
  folder: string
}

export interface InlineBody {
  /** The parsed body; `undefined` for an empty one. Where a file was, there is a string nobody can guess. */
  value: unknown
  /** What such a string stands for; null for any other text. */
  inline(text: string): InlineUpload | null
  /** Removes the files. */
  release(): Promise<void>
}

/** @throws {Problem} `bad_request`, `too_large` as soon as that is known; the stream stays open, so that the refusal can go out. */
export async function readInlineJson(stream: Readable, { bytesMax = inlineBodyMax, textMax = inlineTextMax, folder }: InlineLimits): Promise<InlineBody> {
  const scanner = new Scanner(folder, Math.min(textMax, bytesMax))
  const { files } = scanner
  const release = async () => { await Promise.all([...files.values()].map(({ file }) => file.release())) }
  try {
    let size = 0
    let pieces = 0
    for await (const chunk of readChunks(stream)) {
      size += chunk.length
      if (size > bytesMax) throw new Problem('too_large', `The body is larger than the ${bytesMax} bytes this address takes.`, { allowed: bytesMax })
      for (let at = 0; at < chunk.length; at += pieceBytes) {
        scanner.push(chunk.length <= pieceBytes ? chunk : chunk.subarray(at, at + pieceBytes))
        const room = scanner.room()
        if (room) await room
        else if (++pieces % 8 === 0) await new Promise(resolve => { setImmediate(resolve) })
      }
    }
    const value = parseJson(await scanner.end())
    for (const [name, { broken }] of files) {
      if (broken !== null) throw brokenFile(findPath(value, name), broken)
    }
    return { value, inline: text => writeUpload(files.get(text)), release }
  } catch (thrown) {
    await release()
    throw thrown
  }
}

/** Chunks of a body. Leaving early leaves the stream open; a body that ends early is refused. */
async function* readChunks(stream: Readable): AsyncGenerator<Buffer> {
  try {
    yield* stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>
  } catch (cause) {
    throw new Problem('bad_request', 'The body broke off before it was complete.', { cause })
  }
}

function writeUpload(found: Found | undefined): InlineUpload | null {
  if (!found) return null
  const { file, mime } = found
  return { mime, sizeBytes: file.sizeBytes, get upload() { return { stream: file.stream() } } }
}

function brokenFile(path: string, why: string): Problem {
  const field = path === '' ? 'body' : path
  return new Problem('bad_request', `${field} ${why}`, { field })
}

/** Where in a body a text stands: `messages[0].content[1].image_url.url`. */
function findPath(root: unknown, text: string): string {
  const open: { value: unknown; path: string }[] = [{ value: root, path: '' }]
  for (let next = open.pop(); next; next = open.pop()) {
    const { value, path } = next
    if (value === text) return path
    if (Array.isArray(value)) value.forEach((item, index) => open.push({ value: item, path: `${path}[${index}]` }))
    else if (typeof value === 'object' && value !== null) {
      for (const [key, item] of Object.entries(value)) open.push({ value: item, path: path === '' ? key : `${path}.${key}` })
    }
  }
  return ''
}

/** A string that became a file. `broken` says what is wrong with it, once that is known. */
interface Found { file: InlineFile; mime: string | null; broken: string | null }

/** A file that turned out to be text: read back when all is there. */
interface PutBack { file: InlineFile; prefix: string; decoder: Base64Decoder }

/** What is known of the string that is being read. */
interface Reading {
  /** `head` and `small` may become anything; `text` and `file` are settled; `lost` is neither, and read away. */
  phase: 'head' | 'small' | 'text' | 'file' | 'lost'
  /** As it came, while it may yet be text. */
  raw: Buffer[]
  rawBytes: number
  /** `data:image/png;base64,` */
  prefix: string
  mime: string | null
  escapes: Unescaper
  decoder: Base64Decoder
  /** Decoded, while it is too short to be a file. */
  decoded: Buffer[]
  name: string
  found: Found | null
}

const quote = 0x22
const backslash = 0x5c
const none = Buffer.alloc(0)
const megabytes = (bytes: number) => `${Math.round(bytes / 1024 / 1024 * 10) / 10} MB`

/** Tells files from text while a body comes in. */
class Scanner {
  readonly files = new Map<string, Found>()
  readonly #folder: string
  readonly #textMax: number
  readonly #secret = randomText(30)
  /** What will be parsed. */
  readonly #text: (Buffer | PutBack)[] = []
  #textBytes = 0
  /** Open lists and objects, true for an object. */
  readonly #open: boolean[] = []
  /** The next string is a key. */
  #isKey = false
  #reading: Reading | null = null
  /** The piece before ended in a backslash, which escapes the first byte of this one. */
  #isEscaped = false
  readonly #unfinished = new Set<InlineFile>()
  readonly #finishing: Promise<void>[] = []

  constructor(folder: string, textMax: number) {
    this.#folder = folder
    this.#textMax = textMax
  }

  /** What has to be waited for before the next piece; null when there is room. */
  room(): Promise<unknown> | null {
    let pending = 0
    for (const file of this.#unfinished) pending += file.pendingBytes
    return pending > pendingMax ? Promise.all([...this.#unfinished].map(file => file.settled())) : null
  }

  push(piece: Buffer): void {
    let slash = -2
    /** Where the string that goes on at `from` ends; -1 when not in this piece. */
    const findEnd = (from: number): number => {
      if (this.#isEscaped) { from += 1; this.#isEscaped = false }
      for (let end = piece.indexOf(quote, from); ;) {
        if (slash !== -1 && slash < from) slash = piece.indexOf(backslash, from)
        if (slash === -1 || (end !== -1 && end < slash)) return end
        from = slash + 2
        if (from > piece.length) { this.#isEscaped = true; return -1 }
        if (end !== -1 && end < from) end = piece.indexOf(quote, from)
      }
    }

    let at = 0
    /** From here to `at` everything is text that has not been put down yet. */
    let mark = 0
    if (this.#reading) {
      const end = findEnd(0)
      this.#read(this.#reading, end === -1 ? piece : piece.subarray(0, end), end !== -1)
      if (end === -1) return
      mark = end
      at = end + 1
    }
    for (; at < piece.length; at++) {
      switch (piece[at]) {
        case 0x7b: case 0x5b: // { [
          this.#isKey = piece[at] === 0x7b
          this.#open.push(this.#isKey)
          if (this.#open.length > depthMax) throw new Problem('bad_request', `The body is nested deeper than ${depthMax} levels.`)
          break
        case 0x7d: case 0x5d: // } ]
          this.#open.pop()
          this.#isKey = false
          break
        case 0x2c: // ,
          this.#isKey = this.#open.at(-1) ?? false
          break
        case 0x3a: // :
          this.#isKey = false
          break
        case quote: {
          const from = at + 1
          const end = findEnd(from)
          if (end !== -1 && end - from <= inlineFrom) { at = end; break }
          this.#put(piece.subarray(mark, from))
          this.#reading = beginReading(this.#isKey)
          this.#read(this.#reading, end === -1 ? piece.subarray(from) : piece.subarray(from, end), end !== -1)
          if (end === -1) return
          mark = at = end
        }
      }
    }
    this.#put(piece.subarray(mark))
  }

  /** The body without its files. */
  async end(): Promise<Buffer> {
    if (this.#reading) this.#toText(this.#reading)
    await Promise.all(this.#finishing)
    const text: Buffer[] = []
    for (const part of this.#text) {
      if (Buffer.isBuffer(part)) text.push(part)
      else text.push(Buffer.from(part.prefix), part.decoder.restore(await readFile(part.file.path)))
    }
    return text.length === 1 ? text[0]! : Buffer.concat(text)
  }

  #put(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.#count(bytes.length)
    // A scrap would keep the whole piece it was cut from.
    this.#text.push(bytes.length < pieceBytes / 4 ? Buffer.from(bytes) : bytes)
  }

  #count(bytes: number): void {
    this.#textBytes += bytes
    if (this.#textBytes > this.#textMax) {
      throw new Problem('too_large', `The text of this body is longer than ${megabytes(this.#textMax)}. Larger bodies are only taken for pictures and films, as base64 without line breaks.`, { allowed: this.#textMax })
    }
  }

  /** Takes the next part of a string. */
  #read(reading: Reading, bytes: Buffer, isEnd: boolean): void {
    this.#take(reading, bytes, isEnd)
    if (!isEnd) return
    if (reading.phase === 'file') this.#endFile(reading)
    else if (reading.phase === 'lost') this.#put(Buffer.from(reading.name))
    else this.#toText(reading)
    this.#reading = null
  }

  #take(reading: Reading, bytes: Buffer, isEnd: boolean): void {
    switch (reading.phase) {
      case 'lost': return
      case 'text': return this.#put(bytes)
      case 'file': {
        const before = reading.escapes.rest
        const decoded = decode(reading, bytes)
        if (decoded) reading.found!.file.write(decoded)
        else this.#putBack(reading, before.length === 0 ? bytes : Buffer.concat([before, bytes]))
        return
      }
      case 'head': case 'small': {
        reading.raw.push(bytes)
        reading.rawBytes += bytes.length
        if (isEnd && reading.rawBytes <= inlineFrom) return
        if (reading.phase === 'head' && reading.rawBytes < headBytes) return
        const decoded = reading.phase === 'head' ? decodeHead(reading) : decode(reading, bytes)
        if (!decoded) return this.#toText(reading)
        reading.decoded.push(Buffer.from(decoded))
        if (reading.decoder.characters > inlineFrom) this.#toFile(reading)
      }
    }
  }

  #toText(reading: Reading): void {
    for (const bytes of reading.raw) this.#put(bytes)
    reading.raw = []
    reading.phase = 'text'
  }

  #toFile(reading: Reading): void {
    if (this.files.size >= filesMax) throw new Problem('too_large', `A body may carry ${filesMax} files. Upload them first and name them.`, { allowed: filesMax })
    const file = new InlineFile(this.#folder)
    reading.found = { file, mime: reading.mime, broken: null }
    reading.name = `plantain-inline-${this.#secret}-${this.files.size}`
    reading.phase = 'file'
    this.files.set(reading.name, reading.found)
    this.#unfinished.add(file)
    for (const bytes of reading.decoded) file.write(bytes)
    reading.decoded = []
    reading.raw = []
  }

  #endFile(reading: Reading): void {
    const { decoder, escapes, found } = reading
    if (escapes.rest.length > 0) {
      this.#putBack(reading, escapes.rest)
      return
    }
    const last = decoder.end()
    if (last) found!.file.write(last)
    else found!.broken = 'is not base64: its length or its padding is wrong. Encode the file again.'
    this.#finish(found!.file)
    this.#put(Buffer.from(reading.name))
  }

  /** What looked like a file is text after all, if there is room for so much; `rest` is what comes next. */
  #putBack(reading: Reading, rest: Buffer): void {
    const { decoder, prefix, found } = reading
    const { file } = found!
    this.#finish(file)
    const length = prefix.length + decoder.restoredLength
    if (!decoder.mayBeRestored || this.#textBytes + length + rest.length > this.#textMax) {
      found!.broken = `is not base64: there is a character in it that base64 has not${prefix === '' ? `, and as text it is longer than ${megabytes(this.#textMax)}` : ''}. Send base64 without line breaks.`
      reading.phase = 'lost'
      return
    }
    this.#count(length)
    this.#text.push({ file, prefix, decoder })
    reading.phase = 'text'
    this.#put(rest)
  }

  #finish(file: InlineFile): void {
    const finished = file.finish().finally(() => this.#unfinished.delete(file))
    // Awaited at the end; until then a failure is nobody's.
    finished.catch(() => {})
    this.#finishing.push(finished)
  }
}

const beginReading = (isKey: boolean): Reading => ({
  phase: isKey ? 'text' : 'head', raw: [], rawBytes: 0, prefix: '', mime: null, escapes: new Unescaper(), decoder: new Base64Decoder(), decoded: [], name: '', found: null,
})

/** The bytes that a part of a string stands for; null when it is not base64. */
function decode({ escapes, decoder }: Reading, raw: Buffer): Buffer | null {
  const characters = escapes.push(raw)
  return characters && decoder.push(characters)
}

/** Looks at the beginning of a string: the bytes it stands for, or null when it is no file. */
function decodeHead(reading: Reading): Buffer | null {
  const characters = reading.escapes.push(reading.raw.length === 1 ? reading.raw[0]! : Buffer.concat(reading.raw))
  if (!characters) return null
  const start = characters.toString('latin1', 0, headBytes)
  const dataUrl = /^data:([a-z0-9][\w.+-]*\/[\w.+-]+)?(?:;[\w.+-]+=[\w.+-]*)*;base64,/i.exec(start)
  if (!dataUrl && !isFile(Buffer.from(start.slice(0, 24), 'base64'))) return null
  reading.prefix = dataUrl?.[0] ?? ''
  reading.mime = dataUrl?.[1]?.toLowerCase() ?? null
  reading.phase = 'small'
  return reading.decoder.push(characters.subarray(reading.prefix.length))
}

/** How files begin that somebody may mean to send: pictures and films, and what is refused later in better words than "too long". */
const beginnings = ['\x89PNG', '\xff\xd8\xff', 'GIF8', 'RIFF', 'BM', 'II*\0', 'MM\0*', '\0\0\x01\0', '\xff\x0a', '\x1a\x45\xdf\xa3', '%PDF-', '<svg', '<?xml', 'PK\x03\x04'].map(text => Buffer.from(text, 'latin1'))

/** AVIF, HEIC, MP4 and MOV have their name after a length. */
const isFile = (bytes: Buffer): boolean => beginnings.some(start => start.equals(bytes.subarray(0, start.length))) || bytes.toString('latin1', 4, 8) === 'ftyp'

/** Takes JSON's escapes out of base64: `\/` as PHP writes it, `\u002B` as .NET does. */
class Unescaper {
  /** The beginning of an escape whose end has not come yet. */
  rest: Buffer = none

  /** Null for an escape that base64 has no use for. */
  push(raw: Buffer): Buffer | null {
    const all = this.rest.length === 0 ? raw : Buffer.concat([this.rest, raw])
    this.rest = none
    const first = all.indexOf(backslash)
    if (first === -1) return all
    const out = Buffer.allocUnsafe(all.length)
    let to = all.copy(out, 0, 0, first)
    for (let at = first; at < all.length;) {
      const byte = all[at]!
      if (byte !== backslash) {
        out[to++] = byte
        at += 1
        continue
      }
      const kind = all[at + 1]
      const isCode = kind === 0x75
      if (kind === undefined || (isCode && at + 6 > all.length)) {
        this.rest = Buffer.from(all.subarray(at))
        break
      }
      const code = isCode ? all.toString('latin1', at + 2, at + 6) : ''
      if (isCode ? !/^00[2-7][0-9a-f]$/i.test(code) : kind !== 0x2f) return null
      out[to++] = isCode ? parseInt(code, 16) : kind
      at += isCode ? 6 : 2
    }
    return out.subarray(0, to)
  }
}
