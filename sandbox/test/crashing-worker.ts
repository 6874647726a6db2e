/** A worker that does as its prompt says: `crash`, `wait`, or answer at once with the number of its thread as the seed. */
import { setTimeout } from 'node:timers/promises'
import { parentPort, threadId } from 'node:worker_threads'
import type { ToWorker } from '../src/messages.ts'

parentPort!.on('message', async ({ id, request }: ToWorker) => {
  if (request.prompt === 'crash') throw new Error('on purpose')
  if (request.prompt === 'wait') await setTimeout(60)
  parentPort!.postMessage({ id, kind: 'done', rendering: { bytes: new Uint8Array(1), seed: threadId, description: request.prompt } }, [])
})
