/** Server-sent events as they come in: the data of each, in bytes, so that a picture inside need not become text. */

const newline = 0x0a

/** Ends with the stream; what was begun and not finished is left out. */
export async function* readEvents(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let data: Buffer[] = []
  for await (const line of readLines(stream)) {
    if (line.length === 0) {
      if (data.length > 0) yield data.length === 1 ? data[0]! : Buffer.concat(data)
      data = []
    } else if (line.subarray(0, 5).toString('latin1') === 'data:') {
      data.push(line.subarray(line[5] === 0x20 ? 6 : 5))
    }
  }
}

async function* readLines(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let begun: Buffer[] = []
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let from = 0
    for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, from)) {
      begun.push(bytes.subarray(from, end))
      const line = begun.length === 1 ? begun[0]! : Buffer.concat(begun)
      yield line.at(-1) === 0x0d ? line.subarray(0, -1) : line
      begun = []
      from = end + 1
    }
    if (from < bytes.length) begun.push(bytes.subarray(from))
  }
}
