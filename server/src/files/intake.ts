/** Takes bytes of any kind into the store: counted, hashed and written while they come, never held. */
import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import type { Readable } from 'node:stream'
import type { BlobStore } from '../assets/contract.ts'
import { Problem } from '../domain/problem.ts'
import type { Taken } from '../protocols/contract.ts'

/** How much of the beginning tells what it is. */
const headBytes = 4096

/** @throws {Problem} `too_large` as soon as that is known, `bad_request` for what broke off. The stream stays open, so that the refusal can go out. */
export async function takeBytes(chunks: AsyncIterable<Uint8Array>, store: BlobStore, bytesMax: number): Promise<Taken> {
  const file = store.stagingFile()
  const handle = await fs.open(file, 'wx', 0o600)
  const sum = createHash('sha256')
  let sizeBytes = 0
  let head: Buffer = Buffer.alloc(0)
  try {
    for await (const chunk of chunks) {
      sizeBytes += chunk.length
      if (sizeBytes > bytesMax) throw new Problem('too_large', `The file has more than ${bytesMax / 1e6} MB. Send a smaller one, or several.`, { allowed: bytesMax })
      if (head.length < headBytes) head = Buffer.concat([head, chunk.subarray(0, headBytes - head.length)])
      sum.update(chunk)
      await handle.appendFile(chunk)
    }
    await handle.close()
    const sha256 = sum.digest('hex')
    await store.put(sha256, { file, sizeBytes }, { mime: 'application/octet-stream' })
    return { sha256, sizeBytes, head }
  } catch (thrown) {
    await handle.close().catch(() => {})
    await fs.rm(file, { force: true })
    throw thrown
  }
}

/** Chunks of a request. Leaving early leaves it open; one that ends early is refused. */
export async function* readStream(stream: Readable): AsyncGenerator<Buffer> {
  try {
    yield* stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>
  } catch (cause) {
    if (cause instanceof Problem) throw cause
    throw new Problem('bad_request', 'The upload broke off before its end. Send it again.', { cause })
  }
}
