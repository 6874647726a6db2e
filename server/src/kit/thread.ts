/** The other side of `threads.ts`: what runs on a thread. */
import { parentPort } from 'node:worker_threads'
import { readThrown, unhand, writeThrown, type FromThread, type ToThread } from './threads.ts'

/** Asks whoever has this done for something by name. What is handed over (`handOver`) among the arguments changes owner. */
export type Ask = <Answer>(name: string, ...given: unknown[]) => Promise<Answer>

/** Does what this thread is handed, one job at a time. */
export function serveThread(work: (job: unknown, ask: Ask) => unknown): void {
  const port = parentPort!
  const asked = new Map<number, { resolve(value: unknown): void; reject(reason: unknown): void }>()
  let nextCall = 1
  const post = (message: FromThread, memory: ArrayBuffer[] = []) => { port.postMessage(message, memory) }

  async function take(id: number, job: unknown): Promise<void> {
    const ask: Ask = (name, ...given) => {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>()
      const call = nextCall++
      asked.set(call, { resolve, reject })
      const parts = given.map(unhand)
      post({ kind: 'call', id, call, name, given: parts.map(({ value }) => value) }, parts.flatMap(({ memory }) => memory))
      return promise as never
    }
    try {
      const { value, memory } = unhand(await work(job, ask))
      post({ kind: 'done', id, value }, memory)
    } catch (thrown) {
      post({ kind: 'failed', id, thrown: writeThrown(thrown) })
    }
  }

  port.on('message', (message: ToThread) => {
    if (message.kind === 'job') { void take(message.id, message.job); return }
    const waiting = asked.get(message.call)
    asked.delete(message.call)
    if (message.kind === 'answer') waiting?.resolve(message.value)
    else waiting?.reject(readThrown(message.thrown))
  })
}
