/** A long list in a JSON body: each of its items becomes a line while it comes in, and only the rest is parsed. */
import type { Readable } from 'node:stream'
import { Problem } from '../domain/problem.ts'
import { depthMax, parseJson } from './json.ts'

export interface ListLimits {
  /** Bytes of the whole body, and of what is left of it without the list. */
  bytesMax: number
  textMax?: number
  itemsMax: number
}

interface Level { isObject: boolean; key: string }

const keyMax = 200

/**
 * The items of the list at one of these paths (`requests`, `batch.inputConfig.requests.requests`), as lines in the order they came.
 *
 * `rest` has the body without them once the lines are read. Items are taken apart and not looked into: whether each is JSON shows when
 * its line is read.
 */
export class ListBody {
  readonly #stream: Readable
  readonly #paths: string[]
  readonly #limits: Required<ListLimits>
  readonly #rest: Buffer[] = []
  #restBytes = 0
  readonly #levels: Level[] = []
  /** In a string: after a backslash, or not; and the bytes of a key. */
  #string: { isEscaped: boolean; key: number[] | null } | null = null
  #expectsKey = false
  /** How deep the list lies, while it is being read; -1 before and after. */
  #listDepth = -1
  #isItemOpen = false
  items = 0
  isFound = false

  constructor(stream: Readable, paths: string[], { bytesMax, textMax = 1024 * 1024, itemsMax }: ListLimits) {
    this.#stream = stream
    this.#paths = paths
    this.#limits = { bytesMax, textMax, itemsMax }
  }

  /** @throws {Problem} `bad_request`, `too_large` */
  async *lines(): AsyncGenerator<Buffer> {
    let sizeBytes = 0
    for await (const chunk of this.#chunks()) {
      sizeBytes += chunk.length
      if (sizeBytes > this.#limits.bytesMax) throw new Problem('too_large', `The body is larger than the ${this.#limits.bytesMax} bytes this address takes.`, { allowed: this.#limits.bytesMax })
      const lines = this.#push(chunk)
      if (lines.length > 0) yield lines
    }
  }

  async *#chunks(): AsyncGenerator<Buffer> {
    try {
      yield* this.#stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>
    } catch (cause) {
      throw new Problem('bad_request', 'The body broke off before it was complete.', { cause })
    }
  }

  /** The body without its list. @throws {Problem} `bad_request` */
  rest(): unknown { return parseJson(Buffer.concat(this.#rest)) }

  #push(chunk: Buffer): Buffer {
    const out = Buffer.allocUnsafe(chunk.length * 2)
    let to = 0
    /** Bytes outside the list, from here on, that are not put down yet. */
    let mark = this.#listDepth === -1 ? 0 : -1
    const keep = (end: number) => {
      if (mark === -1 || end <= mark) return
      this.#restBytes += end - mark
      if (this.#restBytes > this.#limits.textMax) throw new Problem('too_large', `Without its requests this body is longer than ${this.#limits.textMax} bytes.`, { allowed: this.#limits.textMax })
      this.#rest.push(Buffer.from(chunk.subarray(mark, end)))
    }
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!
      const inList = this.#listDepth !== -1
      if (this.#string) {
        if (inList) out[to++] = byte
        this.#inString(byte)
        continue
      }
      switch (byte) {
        case 0x20: case 0x09: case 0x0a: case 0x0d: continue
        case 0x22:
          this.#string = { isEscaped: false, key: this.#expectsKey ? [] : null }
          break
        case 0x7b: case 0x5b:
          if (!inList && byte === 0x5b && !this.isFound && this.#paths.includes(this.#path())) {
            this.#open(false)
            this.isFound = true
            this.#listDepth = this.#levels.length
            keep(at + 1)
            mark = -1
            continue
          }
          this.#open(byte === 0x7b)
          break
        case 0x7d: case 0x5d:
          if (inList && this.#levels.length === this.#listDepth) {
            if (this.#isItemOpen) { out[to++] = 0x0a; this.#isItemOpen = false } else if (this.items > 0) throw notList()
            this.#listDepth = -1
            mark = at
          }
          this.#levels.pop()
          this.#expectsKey = false
          break
        case 0x2c:
          if (inList && this.#levels.length === this.#listDepth) {
            if (!this.#isItemOpen) throw notList()
            out[to++] = 0x0a
            this.#isItemOpen = false
            continue
          }
          this.#expectsKey = this.#levels.at(-1)?.isObject ?? false
          break
        case 0x3a: this.#expectsKey = false
      }
      if (this.#listDepth !== -1) {
        if (!this.#isItemOpen) {
          this.#isItemOpen = true
          if (++this.items > this.#limits.itemsMax) throw new Problem('too_large', `This has more than ${this.#limits.itemsMax} requests. Send several batches.`, { allowed: this.#limits.itemsMax })
        }
        out[to++] = byte
      }
    }
    keep(chunk.length)
    return out.subarray(0, to)
  }

  #inString(byte: number): void {
    const { isEscaped, key } = this.#string!
    if (!isEscaped && byte === 0x22) {
      if (key) this.#levels.at(-1)!.key = Buffer.from(key).toString()
      this.#string = null
      return
    }
    if (key && key.length < keyMax) key.push(byte)
    this.#string!.isEscaped = !isEscaped && byte === 0x5c
  }

  #open(isObject: boolean): void {
    if (this.#levels.length >= depthMax) throw new Problem('bad_request', `The body is nested deeper than ${depthMax} levels.`)
    this.#levels.push({ isObject, key: '' })
    this.#expectsKey = isObject
  }

  #path(): string { return this.#levels.map(({ isObject, key }) => isObject ? key : '[]').join('.') }
}

const notList = () => new Problem('bad_request', 'The body is not JSON: there is a comma too many in its list of requests.')
