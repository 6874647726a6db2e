/** `multipart/related` of two parts: what the file is, as JSON, and its bytes, which are handed on while they come. */
import { Readable } from 'node:stream'
import { Problem } from '../../domain/problem.ts'
import { parseJson } from '../../kit/json.ts'

const headMax = 64 * 1024
const broken = () => new Problem('bad_request', 'This body is not written as multipart/related must be: a part of JSON, then a part with the bytes.')

/** @throws {Problem} `bad_request` */
export async function readRelated(stream: Readable, contentType: string): Promise<{ about: unknown; mime: string; file: Readable }> {
  const boundary = /boundary="?([^";,]{1,200})"?/i.exec(contentType)?.[1]
  if (!boundary) throw broken()
  const chunks = (stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  let held: Buffer = Buffer.alloc(0)
  /** Everything up to a mark, which is taken away. */
  const upTo = async (mark: string): Promise<Buffer> => {
    for (;;) {
      const at = held.indexOf(mark)
      if (at >= 0) {
        const before = held.subarray(0, at)
        held = held.subarray(at + mark.length)
        return before
      }
      const next = held.length > headMax ? null : await chunks.next()
      if (!next || next.done) throw broken()
      held = Buffer.concat([held, next.value])
    }
  }
  held = Buffer.from('\r\n')
  await upTo(`\r\n--${boundary}\r\n`)
  await upTo('\r\n\r\n')
  const about = parseJson(await upTo(`\r\n--${boundary}\r\n`))
  const head = (await upTo('\r\n\r\n')).toString('latin1')
  const mark = Buffer.from(`\r\n--${boundary}`)
  const file = async function* (): AsyncGenerator<Buffer> {
    for (;;) {
      const at = held.indexOf(mark)
      if (at >= 0) {
        if (at > 0) yield held.subarray(0, at)
        // What comes after the last part is nobody's.
        for (let rest = await chunks.next(); !rest.done;) rest = await chunks.next()
        return
      }
      const sure = Math.max(0, held.length - mark.length)
      if (sure > 0) yield held.subarray(0, sure)
      held = held.subarray(sure)
      const next = await chunks.next()
      if (next.done) throw broken()
      held = Buffer.concat([held, next.value])
    }
  }
  return { about, mime: /^content-type:\s*([^\r\n;]+)/im.exec(head)?.[1]?.trim() ?? '', file: Readable.from(file()) }
}
