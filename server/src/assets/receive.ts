/**
 * Reads bytes on their way in, whatever they come from, no further than they may go.
 *
 * What a file is shows in its first bytes, so the right cap holds from there on. Pictures are small enough to be held; films go
 * to a file in the store's staging folder.
 */
import fs from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { Problem } from '../domain/problem.ts'
import { borrow, giveBack } from '../kit/blocks.ts'
import type { Upload } from '../protocols/contract.ts'
import { sniff, sniffBytes, sniffSound, type ImageMime, type Sniffed, type SoundMime, type VideoMime } from './sniff.ts'

export interface Limits {
  imageBytesMax: number
  videoBytesMax: number
  /** Of one frame; all frames of an animation together may have four times as many. */
  pixelsMax: number
  framesMax: number
}

export const defaultLimits: Limits = { imageBytesMax: 30_000_000, videoBytesMax: 100_000_000, pixelsMax: 100_000_000, framesMax: 500 }

/** Bytes that are what they should be by their first few; nothing further is known. A sound goes the way of a film. The file is the receiver's to keep or remove. */
export type Received = { kind: 'image'; mime: ImageMime; bytes: Buffer } | { kind: 'video'; mime: VideoMime | SoundMime; file: string; sizeBytes: number }
type Looked = { kind: 'image'; mime: ImageMime } | { kind: 'video'; mime: VideoMime | SoundMime }

export interface Receiving {
  limits: Limits
  fetch: typeof globalThis.fetch
  /** A fresh file name in the store's staging folder. */
  stagingFile(): string
  signal?: AbortSignal | undefined
  /** Whether a sound is welcome as well. */
  sounds?: boolean
}

/** @throws {Problem} `unsupported_media`, `too_large`, `bad_input_image`, and what `fetch` throws */
export async function receive(upload: Upload, receiving: Receiving): Promise<Received> {
  const { limits } = receiving
  if ('url' in upload && !isDataUrl(upload.url)) return receiveAnswer(await ask(upload.url, receiving), receiving)
  if ('stream' in upload) return receiveStream(upload.stream, receiving)
  if ('bytes' in upload) return receiveChunks([upload.bytes], receiving)
  const text = 'url' in upload ? upload.url : 'dataUrl' in upload ? upload.dataUrl : upload.base64
  return receiveChunks([isDataUrl(text) || 'dataUrl' in upload ? readDataUrl(text, limits) : readBase64(text, limits)], receiving)
}

/** Reads an answer's body; its status is the caller's business. */
export async function receiveAnswer(response: Response, receiving: Receiving): Promise<Received> {
  if (!response.body) return receiveChunks([], receiving)
  const reader = response.body.getReader()
  try {
    return await receiveChunks(chunksOf(reader), receiving)
  } finally {
    await reader.cancel().catch(() => {})
  }
}

async function* chunksOf(reader: ReadableStreamDefaultReader<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    yield value
  }
}

async function ask(url: string, { fetch, signal }: Receiving): Promise<Response> {
  const response = await fetch(url.trim(), { headers: { accept: 'image/*, video/*;q=0.8, */*;q=0.1' }, ...(signal ? { signal } : {}) })
  if (response.ok) return response
  await response.body?.cancel().catch(() => {})
  throw new Problem('input_unreachable', `The link answered ${response.status} and no picture. Give one that can be opened without signing in.`, { upstreamCode: String(response.status) })
}

async function receiveStream(stream: Readable, receiving: Receiving): Promise<Received> {
  try {
    // Not destroyed when we turn away: a request that is cut off cannot be answered any more.
    return await receiveChunks(stream.iterator({ destroyOnReturn: false }), receiving)
  } catch (error) {
    drain(stream, receiving.limits.videoBytesMax)
    if (error instanceof Problem) throw error
    throw new Problem('bad_input_image', 'The upload broke off before its end. Send it again.', { cause: error })
  }
}

/** Reads the rest of a refused upload away, so that its sender comes to read the refusal; one that will not end is cut off. */
function drain(stream: Readable, bytesMax: number): void {
  if (stream.destroyed) return
  let left = bytesMax
  stream.on('error', () => {})
  stream.on('data', (chunk: Buffer) => { if ((left -= chunk.length) < 0) stream.destroy() })
}

async function receiveChunks(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, { limits, stagingFile, signal, sounds = false }: Receiving): Promise<Received> {
  const picture = gather()
  let sizeBytes = 0
  let film: { file: string; handle: fs.FileHandle } | null = null
  let sizeMax = Math.max(limits.imageBytesMax, limits.videoBytesMax)
  const check = () => { if (sizeBytes > sizeMax) throw new Problem('too_large', `The file has more than ${sizeMax / 1e6} MB. Send a smaller one.`, { limitBytes: sizeMax }) }

  /** Decides what this is going to be, once enough has come. */
  const look = async (): Promise<Looked> => {
    const head = picture.whole()
    const sound = sounds ? sniffSound(head) : null
    const found: Looked | Extract<Sniffed, { kind: 'refused' }> = sound === null ? sniff(head) : { kind: 'video', mime: sound }
    if (found.kind === 'refused') throw refusal(found.what, sounds)
    sizeMax = found.kind === 'video' ? limits.videoBytesMax : limits.imageBytesMax
    check()
    if (found.kind === 'video') {
      const file = stagingFile()
      film = { file, handle: await fs.open(file, 'wx', 0o600) }
      await film.handle.writeFile(picture.whole())
    }
    return found
  }
  const filmOf = () => film as { file: string; handle: fs.FileHandle } | null

  let found: Looked | null = null
  try {
    for await (const chunk of chunks) {
      signal?.throwIfAborted()
      const bytes = viewOf(chunk)
      sizeBytes += bytes.length
      check()
      const writing = filmOf()
      if (writing) await writing.handle.writeFile(bytes)
      else picture.add(bytes)
      if (!found && sizeBytes >= sniffBytes) found = await look()
    }
    found ??= await look()
    const written = filmOf()
    await written?.handle.close()
    return found.kind === 'image' ? { kind: 'image', mime: found.mime, bytes: picture.whole() } : { kind: 'video', mime: found.mime, file: written!.file, sizeBytes }
  } catch (error) {
    const written = filmOf()
    await written?.handle.close().catch(() => {})
    if (written) await fs.rm(written.file, { force: true })
    throw error
  }
}

/** Up to here pieces are kept as they came. */
const looseBytesMax = 4 * 1024 * 1024
/** Memory that is not written to is not taken from the machine, so most pictures may have as much as they like. */
const roomBytes = 32 * 1024 * 1024

/** Puts pieces together while they come: all at once in the end, megabytes of fresh memory would hold everybody else up. */
function gather() {
  let loose: Buffer[] = []
  let room: Buffer | null = null
  let size = 0
  const move = (to: Buffer) => {
    let at = 0
    for (const piece of room ? [room.subarray(0, size)] : loose) at += piece.copy(to, at)
    loose = []
    if (room) giveBack(room)
    room = to
  }
  return {
    add(bytes: Buffer): void {
      if (!room && loose.length > 0 && size + bytes.length > looseBytesMax) move(borrow(Math.max(roomBytes, size + bytes.length)))
      else if (room && size + bytes.length > room.length) move(borrow(Math.max(2 * room.length, size + bytes.length)))
      if (room) bytes.copy(room, size)
      else loose.push(bytes)
      size += bytes.length
    },
    whole: (): Buffer => room ? room.subarray(0, size) : loose.length === 1 ? loose[0]! : Buffer.concat(loose),
  }
}

export function refusal(what: string, sounds = false): Problem {
  const wanted = `Send a PNG, JPEG, WebP, GIF or AVIF picture, ${sounds ? 'an MP4, MOV or WebM film, or a WAV, MP3, Ogg or M4A sound' : 'or an MP4, MOV or WebM film'}.`
  if (what === 'nothing at all') return new Problem('bad_input_image', `The file is empty. ${wanted}`)
  if (what === 'a HEIC picture') return new Problem('unsupported_media', 'This is a HEIC picture, which cannot be read here. Save it as JPEG and send that.', { found: what })
  if (what === 'an SVG drawing') return new Problem('unsupported_media', 'This is an SVG drawing, which is a program and not pixels. Export it as PNG and send that.', { found: what })
  return new Problem('unsupported_media', `This is ${what}. ${wanted}`, { found: what })
}

const isDataUrl = (text: string) => /^\s*data:/i.test(text.slice(0, 100))

function readDataUrl(text: string, limits: Limits): Buffer {
  const comma = text.indexOf(',')
  const head = text.slice(0, Math.min(comma < 0 ? 0 : comma, 1000))
  if (!/^\s*data:[^,]*;base64\s*$/i.test(head)) throw new Problem('bad_input_image', 'A data URL must look like data:image/png;base64,… here.')
  const data = text.slice(comma + 1)
  // Some writers escape the "+", "/" and "=" of base64.
  return readBase64(data.includes('%') ? data.replace(/%(2b|2f|3d)/gi, escaped => decodeURIComponent(escaped)) : data, limits)
}

function readBase64(text: string, limits: Limits): Buffer {
  const sizeMax = Math.max(limits.imageBytesMax, limits.videoBytesMax)
  if (text.length * 3 / 4 > sizeMax * 1.05 + 100) throw new Problem('too_large', `The file has more than ${sizeMax / 1e6} MB. Send a smaller one.`, { limitBytes: sizeMax })
  // `Buffer.from` skips what is not base64, and a broken picture would be reported where the text is at fault.
  if (!/^[A-Za-z0-9+/\-_\s]*={0,2}\s*$/.test(text)) throw new Problem('bad_input_image', 'This is not base64: it has characters that base64 has not.')
  return Buffer.from(text, 'base64')
}

const viewOf = (bytes: Uint8Array): Buffer => Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
