/** Bytes of a text file as text, by its mark or by its bytes. */
import { Problem } from '../../domain/problem.ts'
import { takeTurns } from '../turns.ts'

export type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be'

/** How the text is written: as its mark says, else UTF-16 where every other byte is nothing, else UTF-8. Pure. */
export function encodingOf(head: Buffer): Encoding {
  if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le'
  if (head[0] === 0xfe && head[1] === 0xff) return 'utf-16be'
  const sample = head.subarray(0, 512)
  let even = 0
  let odd = 0
  for (const [index, byte] of sample.entries()) if (byte === 0) { if (index % 2 === 0) even++; else odd++ }
  if (odd > sample.length / 4 && even < odd / 8) return 'utf-16le'
  if (even > sample.length / 4 && odd < even / 8) return 'utf-16be'
  return 'utf-8'
}

const pieceBytes = 64 * 1024

/** @throws {Problem} `bad_request` for bytes that are no text of that encoding: they are not guessed at */
export async function* decode(chunks: AsyncIterable<Buffer>, encoding: Encoding): AsyncGenerator<string> {
  const decoder = new TextDecoder(encoding, { fatal: true })
  let atByte = 0
  const read = (chunk?: Buffer): string => {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode()
    } catch (cause) {
      throw new Problem('bad_request', `The sheet is not ${encoding.toUpperCase()} text (near byte ${atByte + 1}). Save it as "CSV UTF-8", or send it as XLSX.`, { field: 'file', cause })
    }
  }
  // Whoever reads on does so at once, so a piece is no larger than what is read in a moment, and others come in between.
  const turns = takeTurns()
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += pieceBytes) {
      const piece = chunk.subarray(at, at + pieceBytes)
      const text = read(piece)
      atByte += piece.length
      if (text !== '') yield text
      if (turns.isDue()) await turns.give()
    }
  }
  const rest = read()
  if (rest !== '') yield rest
}
