/** One thread of the pool: draws what it is handed, one picture at a time. */
import { parentPort } from 'node:worker_threads'
import sharp from 'sharp'
import { RenderError } from './contract.ts'
import type { Rendering } from './contract.ts'
import { render } from './index.ts'
import type { FromWorker, ToWorker } from './messages.ts'

// The pool is the parallelism; libvips' own threads would fight it for the cores, and its cache never hits.
sharp.concurrency(1)
sharp.cache(false)

const port = parentPort!

port.on('message', async ({ id, request }: ToWorker) => {
  try {
    const rendering = await render(request, { onPartial: (partial) => post({ id, kind: 'partial', rendering: partial }) })
    post({ id, kind: 'done', rendering })
  } catch (error) {
    const isRefusal = error instanceof RenderError
    post({ id, kind: 'failed', isRefusal, message: isRefusal ? error.message : String((error as Error)?.stack ?? error) })
  }
})

function post(message: FromWorker): void {
  if (message.kind === 'failed') return port.postMessage(message)
  const rendering = owned(message.rendering)
  port.postMessage({ ...message, rendering }, [rendering.bytes.buffer as ArrayBuffer])
}

/** libvips keeps its own memory, which cannot change threads, so the file is copied once into memory that can. */
const owned = (rendering: Rendering): Rendering => ({ ...rendering, bytes: new Uint8Array(rendering.bytes) })
