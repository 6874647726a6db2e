import type { Readable } from 'node:stream'
import { Problem } from '../domain/problem.ts'

/** Deepest nesting a body may have. Deeper ones would overflow the stack of whatever walks them next. */
export const depthMax = 64

/**
 * All bytes of a body, unless it is larger than it may be.
 *
 * @throws {Problem} `too_large` as soon as that is known, without reading the rest.
 */
export async function readBytes(stream: Readable, bytesMax: number): Promise<Buffer> {
  const tooLarge = () => new Problem('too_large', `The body is larger than the ${bytesMax} bytes this address takes.`, { allowed: bytesMax })
  const chunks: Buffer[] = []
  let size = 0
  // By hand and not with `for await`: leaving that loop early destroys the stream, and with it the socket the refusal has to go out on.
  return await new Promise((resolve, reject) => {
    const settle = (finish: () => void) => {
      stream.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose)
      finish()
    }
    const onData = (chunk: Buffer) => {
      size += chunk.length
      if (size > bytesMax) return settle(() => { stream.pause(); reject(tooLarge()) })
      chunks.push(chunk)
    }
    const onEnd = () => settle(() => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)))
    const onError = () => settle(() => reject(new Problem('bad_request', 'The body broke off before it was complete.')))
    const onClose = onError
    stream.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose)
  })
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * Reads JSON that came from outside; `undefined` for an empty body.
 *
 * Refuses what later floors could not keep: text with NUL (PostgreSQL has no place for it), halves of surrogate pairs (UTF-8 has
 * none), keys that reach for an object's prototype, and nesting without end.
 *
 * @throws {Problem} `bad_request`
 */
export function parseJson(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return undefined
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    throw new Problem('bad_request', 'The body is not UTF-8 text. Send JSON encoded as UTF-8.')
  }
  if (text.trim() === '') return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new Problem('bad_request', `The body is not JSON: ${(cause as Error).message.slice(0, 200)}.`)
  }
  refuseWhatCannotBeKept(value, /\\u(?:0000|d[89a-f])/i.test(text), /__proto__|\\u/.test(text))
  return value
}

/** Is this text that every floor can keep: no NUL, no half of a surrogate pair? */
export const isKeepable = (text: string): boolean => !text.includes('\0') && text.isWellFormed()

function refuseWhatCannotBeKept(root: unknown, mayHoldBadText: boolean, mayHoldPrototype: boolean): void {
  const open: { value: unknown; depth: number }[] = [{ value: root, depth: 0 }]
  const check = (text: string) => {
    if (mayHoldBadText && !isKeepable(text)) {
      throw new Problem('bad_request', 'The body holds text with a NUL character or half of a surrogate pair. Send well-formed Unicode.')
    }
  }
  for (let next = open.pop(); next; next = open.pop()) {
    const { value, depth } = next
    if (typeof value === 'string') check(value)
    if (typeof value !== 'object' || value === null) continue
    if (depth >= depthMax) throw new Problem('bad_request', `The body is nested deeper than ${depthMax} levels.`)
    if (Array.isArray(value)) {
      for (const item of value) open.push({ value: item, depth: depth + 1 })
      continue
    }
    for (const key of Object.keys(value)) {
      check(key)
      if (mayHoldPrototype && key === '__proto__') throw new Problem('bad_request', 'A field may not be called __proto__.')
      open.push({ value: (value as Record<string, unknown>)[key], depth: depth + 1 })
    }
  }
}

/** The media type of a `Content-Type` header, lower case and without its parameters; '' where there is none. */
export const mediaType = (contentType: string | undefined): string => (contentType ?? '').split(';', 1)[0]!.trim().toLowerCase()

/** Refuses a body that does not say it is JSON. None said is taken as JSON. @throws {Problem} `unsupported_media` */
export function requireJson(headers: Record<string, string | undefined>): void {
  const type = mediaType(headers['content-type'])
  if (type !== '' && type !== 'application/json' && !type.endsWith('+json')) {
    throw new Problem('unsupported_media', `This address takes JSON, not ${type}. Send Content-Type: application/json.`, { value: type, allowed: ['application/json'] })
  }
  const charset = /charset\s*=\s*"?([^\s;"]+)/i.exec(headers['content-type'] ?? '')?.[1]
  if (charset && !/^(utf-?8|us-ascii)$/i.test(charset)) {
    throw new Problem('unsupported_media', `The body is said to be ${charset}. Send JSON encoded as UTF-8.`, { value: charset, allowed: ['utf-8'] })
  }
  requireIdentity(headers)
}

/** Refuses a compressed body. @throws {Problem} `unsupported_media` */
export function requireIdentity(headers: Record<string, string | undefined>): void {
  const encoding = headers['content-encoding']?.trim().toLowerCase()
  if (encoding && encoding !== 'identity') {
    throw new Problem('unsupported_media', `Bodies compressed with ${encoding} are not taken. Send the body as it is.`, { value: encoding, allowed: ['identity'] })
  }
}
