/** An engine with its delivery room and a provider that takes no time, as one process has them. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Caller } from '../src/domain/caller.ts'
import { done, wait } from '../src/domain/outcome.ts'
import type { Database } from '../src/db/pool.ts'
import { createDelivery } from '../src/delivery/delivery.ts'
import { createEngine, type Engine } from '../src/engine/engine.ts'
import { newId } from '../src/kit/id.ts'
import { createLog } from '../src/kit/log.ts'
import { noSettings, type Connection } from '../src/providers/contract.ts'
import { card } from '../test/kit/engine.ts'

export interface BenchEngine {
  engine: Engine
  close(): Promise<void>
}

const picture = Buffer.from('a picture')
const blob = { sha256: createHash('sha256').update(picture).digest('hex'), mime: 'image/png', sizeBytes: picture.length, width: 1, height: 1 }

export async function benchEngine(database: Database, { submit = async () => done({ made: [{ bytes: picture }] }), poll, slots = 512, begun }: Partial<Connection> & { slots?: number; begun?: (taskId: string) => void } = {}): Promise<BenchEngine> {
  const log = createLog('error')
  const now = () => new Date()
  const workerId = newId()
  const delivery = createDelivery({ database, allowPrivate: true, workerId, now, log, writeBody: async ({ taskId, eventType }) => JSON.stringify({ type: eventType, data: { id: taskId } }) })
  const connection: Connection = { submit: (job, signal, partial) => { begun?.(job.taskId); return submit(job, signal, partial) }, ...(poll ? { poll } : {}) }
  const provider = { id: 'made-up', title: '', settings: noSettings, repeat: 'safe' as const, limits: { concurrency: null, perMinute: null, perProcess: slots }, connect: () => connection }
  const engine = createEngine({
    database, workerId, benches: new Map([['made-up', { provider, connection }]]), work: { slots }, delivers: true, deliver: rows => delivery.wake(rows), freeDeliveries: ids => delivery.free(ids),
    lostAfterMs: null, log, now,
    tools: { findCard: () => card, inputsOf: async () => [], readBytes: async () => picture, linkFor: () => null, storeMade: async () => blob, callbackUrl: () => null, outputExpiry: () => null, now, chance: Math.random, log },
  })
  await engine.start()
  delivery.start()
  return {
    engine,
    async close() {
      await engine.stop(1_000)
      await delivery.stop()
    },
  }
}

/** A receiver of webhooks that only counts. */
export async function benchReceiver() {
  const heard = new Int32Array(new SharedArrayBuffer(4))
  const thread = new Worker(new URL('./receiver.ts', import.meta.url), { workerData: heard.buffer })
  const [port] = await once(thread, 'message')
  return { url: `http://127.0.0.1:${port}/`, count: () => Atomics.load(heard, 0), close: async () => { await thread.terminate() } }
}

export const order = (engine: Engine, caller: Caller, callbackUrl?: string) => engine.submit({
  caller, provider: 'made-up', upstreamModel: 'model', bodyHash: null,
  order: { model: 'model', prompt: 'a cat on a mat, in the manner of a tired photographer', parameters: {}, inputs: [], ...(callbackUrl ? { callbackUrl } : {}) },
  checked: { card: { ...card, endWithinS: 3_600 }, operation: 'generate', parameters: {}, count: 1, width: 64, height: 64, priceMicros: 5, warnings: [] },
})

export const waiting = wait({ id: 'x' }, 3_000)
