/** Files of JSON, one value a line: read in one pass, a line at a time, none of them held where it is long. */
import { Readable } from 'node:stream'
import { parseJson } from './json.ts'
import { readInlineJson, type InlineBody, type InlineLimits } from './json-in.ts'
import { takeTurns } from './turns.ts'

export interface Line {
  /** Counted from 1. */
  number: number
  fromByte: number
  /** What has been read of it. */
  readonly sizeBytes: number
  /** Its next bytes, without the line's end; null when there are no more. */
  read(): Promise<Buffer | null>
}

/** Takes a stream of bytes apart at line feeds. The next line begins where the one before ends, however much of that was read. */
export class Lines {
  readonly #chunks: AsyncIterator<Buffer>
  #held: Buffer = Buffer.alloc(0)
  #atByte = 0
  #number = 0
  #isOver = false
  #open: { line: Line; hasEnded: boolean } | null = null
  /** Whoever reads waits for whoever read before. */
  #turn: Promise<unknown> = Promise.resolve()
  /** A piece of a file may be a quarter of a million lines. */
  readonly #turns = takeTurns()

  constructor(stream: AsyncIterable<Buffer>) { this.#chunks = stream[Symbol.asyncIterator]() }

  async next(): Promise<Line | null> {
    while (this.#open && await this.#open.line.read() !== null);
    if (this.#turns.isDue()) await this.#turns.give()
    if (this.#held.length === 0 && !await this.#more()) return null
    let sizeBytes = 0
    const open: { hasEnded: boolean; line: Line } = {
      hasEnded: false,
      line: {
        number: ++this.#number, fromByte: this.#atByte,
        get sizeBytes() { return sizeBytes },
        read: () => {
          const piece = this.#turn.then(async () => {
            const next = open.hasEnded ? null : await this.#piece(open)
            sizeBytes += next?.length ?? 0
            return next
          })
          this.#turn = piece.catch(() => {})
          return piece
        },
      },
    }
    this.#open = open
    return open.line
  }

  async #piece(open: { hasEnded: boolean }): Promise<Buffer | null> {
    if (this.#held.length === 0 && !await this.#more()) { open.hasEnded = true; return null }
    const end = this.#held.indexOf(0x0a)
    const piece = end === -1 ? this.#held : this.#held.subarray(0, end)
    this.#atByte += piece.length + (end === -1 ? 0 : 1)
    this.#held = end === -1 ? Buffer.alloc(0) : this.#held.subarray(end + 1)
    open.hasEnded = end !== -1
    return piece.length === 0 && open.hasEnded ? null : piece
  }

  async #more(): Promise<boolean> {
    while (!this.#isOver && this.#held.length === 0) {
      const { done, value } = await this.#chunks.next()
      if (done) this.#isOver = true
      else this.#held = value
    }
    return this.#held.length > 0
  }
}

/** Lines up to this size are parsed as they are; in longer ones base64 goes to files. */
const smallMax = 64 * 1024

/** The value of a line; `undefined` for an empty one. @throws {Problem} `bad_request`, `too_large` */
export async function readJsonLine(line: Pick<Line, 'read'>, limits: InlineLimits): Promise<InlineBody> {
  const first: Buffer[] = []
  let sizeBytes = 0
  for (let piece = await line.read(); piece !== null; piece = await line.read()) {
    first.push(piece)
    sizeBytes += piece.length
    if (sizeBytes > smallMax) return readInlineJson(readable(first, line), limits)
  }
  return { value: parseJson(Buffer.concat(first, sizeBytes)), inline: () => null, release: async () => {} }
}

const readable = (first: Buffer[], line: Pick<Line, 'read'>): Readable => new Readable({
  highWaterMark: 0,
  read() {
    const next = first.shift()
    if (next) this.push(next)
    else line.read().then(piece => this.push(piece), error => this.destroy(error as Error))
  },
})

/** A part of a file as a line: what `Lines` told of it. */
export function lineOf(stream: AsyncIterable<Buffer>): Pick<Line, 'read'> {
  const chunks = stream[Symbol.asyncIterator]()
  return { read: async () => { const { done, value } = await chunks.next(); return done ? null : value } }
}
