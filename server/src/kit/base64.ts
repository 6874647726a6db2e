/** Base64 piece by piece, in both directions, for what is too large to be a string. Pure. */

import { borrow, giveBack, hold } from './blocks.ts'

const none = Buffer.alloc(0)
/** Where pieces are decoded, one after the other. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024)
const stringBytes = 48 * 1024

/** Decodes base64 as it comes, standard or URL-safe, with or without its padding. */
export class Base64Decoder {
  /** Characters taken so far, padding not counted. */
  characters = 0
  #carry = ''
  #padding = 0
  #hasStandard = false
  #hasUrlSafe = false

  /** The bytes of these characters as far as they are whole, good until the next call; null when one of them is no base64, and then none has been taken. */
  push(bytes: Buffer): Buffer | null {
    if (bytes.length === 0) return none
    const text = bytes.toString('latin1')
    if (this.#padding > 0) return this.#pad(text, 0)
    const all = this.#carry === '' ? text : this.#carry + text
    const whole = all.length - all.length % 4
    const target = whole / 4 * 3 <= scratch.length ? scratch : Buffer.allocUnsafe(whole / 4 * 3)
    const decoded = target.subarray(0, target.write(whole === all.length ? all : all.slice(0, whole), 'base64'))
    // Node skips what is not base64, so a strange character shows in the length: far cheaper than looking at each.
    if (decoded.length !== whole / 4 * 3 || /[^A-Za-z0-9+/\-_]/.test(all.slice(whole))) {
      const end = text.search(/[^A-Za-z0-9+/\-_]/)
      if (end < 0 || !/^=+$/.test(text.slice(end))) return null
      const last = end === 0 ? none : this.push(bytes.subarray(0, end))
      return this.#pad(text, end) && last
    }
    this.#hasStandard ||= bytes.includes(0x2b) || bytes.includes(0x2f)
    this.#hasUrlSafe ||= bytes.includes(0x2d) || bytes.includes(0x5f)
    this.#carry = all.slice(whole)
    this.characters += text.length
    return decoded
  }

  #pad(text: string, from: number): Buffer | null {
    if (!/^=*$/.test(from === 0 ? text : text.slice(from))) return null
    this.#padding += text.length - from
    return none
  }

  /** The last bytes; null when length or padding cannot be. */
  end(): Buffer | null {
    const rest = this.#carry.length
    if (rest === 1 || (this.#padding > 0 && rest + this.#padding !== 4)) return null
    return Buffer.from(this.#carry, 'base64')
  }

  /** False where both alphabets were mixed: then nobody can say which one a character came from. */
  get mayBeRestored(): boolean { return !(this.#hasStandard && this.#hasUrlSafe) }
  get restoredLength(): number { return this.characters + this.#padding }

  /** What was taken, as text again, from the bytes that were given out. */
  restore(decoded: Buffer): Buffer {
    const text = this.#hasUrlSafe ? decoded.toString('base64').replaceAll('+', '-').replaceAll('/', '_') : decoded.toString('base64')
    return Buffer.from(text + this.#carry + '='.repeat(this.#padding), 'latin1')
  }
}

/** Pieces of text that are whole fours, and small enough to be a string that dies young. */
const pieceCharacters = 64 * 1024

/** What decoded bytes were written as, where encoding them again would say the same. */
const texts = new WeakMap<Uint8Array, Buffer>()

/**
 * Decodes base64 of megabytes that is there as a whole, standard or URL-safe, with or without padding, into borrowed memory; null where
 * anything else is in it.
 */
export function decodeWhole(text: Buffer): Buffer | null {
  let end = text.length
  while (end > 0 && end > text.length - 2 && text[end - 1] === 0x3d) end--
  const sizeBytes = Math.floor(end * 3 / 4)
  const bytes = borrow(sizeBytes)
  let size = 0
  let hasUrlSafe = false
  for (let from = 0; from < end; from += pieceCharacters) {
    const piece = text.toString('latin1', from, Math.min(end, from + pieceCharacters))
    hasUrlSafe ||= piece.includes('-') || piece.includes('_')
    size += bytes.write(piece, size, 'base64')
  }
  if (size !== sizeBytes || end % 4 === 1) {
    giveBack(bytes)
    return null
  }
  if (!hasUrlSafe && isCanonical(text, bytes)) texts.set(bytes, hold(text))
  return bytes
}

/** Padded, and without a bit set that stands for nothing. */
function isCanonical(text: Buffer, bytes: Buffer): boolean {
  const last = Math.floor((bytes.length - 1) / 3) * 3
  return bytes.length > 0 && text.length === base64Length(bytes.length) && bytes.toString('base64', last) === text.toString('latin1', text.length - 4)
}

/** The base64 these very bytes were decoded from, for whoever asks first; he gives it back. Null where it is not there, or not as we would write it. */
export function takeText(bytes: Uint8Array): Buffer | null {
  const text = texts.get(bytes) ?? null
  texts.delete(bytes)
  return text
}

/** Writes the base64 of some bytes to a place in another buffer and says where it ends. Only what ends the whole may be other than whole threes. */
export function encodeInto(bytes: Buffer, from: number, to: number, target: Buffer, at: number): number {
  // Strings of this size die young; larger ones would have to be collected with everything else.
  for (let start = from; start < to; start += stringBytes) at += target.write(bytes.toString('base64', start, Math.min(to, start + stringBytes)), at, 'latin1')
  return at
}

/** Encodes bytes as they come: what it holds back is never more than two bytes. */
export class Base64Encoder {
  #carry: Buffer = none

  push(bytes: Buffer): Buffer {
    const borrowed = this.#carry.length === 0 ? 0 : Math.min(3 - this.#carry.length, bytes.length)
    const first = borrowed === 0 ? this.#carry : Buffer.concat([this.#carry, bytes.subarray(0, borrowed)])
    if (first.length === 1 || first.length === 2) {
      this.#carry = first
      return none
    }
    const end = bytes.length - (bytes.length - borrowed) % 3
    const out = Buffer.allocUnsafe((first.length + end - borrowed) / 3 * 4)
    const at = out.write(first.toString('base64'), 'latin1')
    encodeInto(bytes, borrowed, end, out, at)
    // A copy: otherwise two bytes would keep the whole piece.
    this.#carry = Buffer.from(bytes.subarray(end))
    return out
  }

  end(): Buffer {
    return Buffer.from(this.#carry.toString('base64'), 'latin1')
  }
}

/** Characters that so many bytes take. */
export const base64Length = (sizeBytes: number): number => Math.ceil(sizeBytes / 3) * 4
