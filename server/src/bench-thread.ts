/** A thread of the nodes: computes one of them, with a bench whose bytes and rows are on the other side. */
import type { Values } from './domain/graph/values.ts'
import { serveThread, type Ask } from './kit/thread.ts'
import { handOver } from './kit/threads.ts'
import type { callsTo } from './bench.ts'
import type { Bench, Computing } from './nodes/contract.ts'

export interface ThreadJob { node: string; values: Values; livemode: boolean; nowMs: number }

type Asked = keyof ReturnType<typeof callsTo>

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer => Buffer.from(buffer, byteOffset, byteLength)

/** Whoever gives a step up ends its thread, so nothing here looks at the signal for long. */
function benchOver(asking: Ask, { livemode, nowMs }: { livemode: boolean; nowMs: number }): Bench {
  const ahead = nowMs - Date.now()
  const ask = <Answer>(name: Asked, ...given: unknown[]): Promise<Answer> => asking<Answer>(name, ...given)
  const tell = (level: keyof Bench['log']) => (fields: object, message: string) => { void ask('log', level, fields, message) }
  return {
    livemode, now: () => new Date(Date.now() + ahead), signal: new AbortController().signal,
    // The canvas is a few megabytes of native code, which a thread that writes into no picture need not load.
    type: async (text, options) => (await import('@plantain/sandbox/type')).setPlate(text, options),
    read: async media => bytesOf(await ask<Uint8Array>('read', media)),
    async file(id) { return { ...await ask<Omit<Awaited<ReturnType<Bench['file']>>, 'open'>>('file', id), open: async () => bytesOf(await ask<Uint8Array>('openFile', id)) } },
    keep: (bytes, name) => ask('keep', handOver(bytes), name),
    baseline: name => ask('baseline', name),
    propose: (...given) => ask('propose', ...given),
    sizeOf: media => ask('sizeOf', media),
    count: () => { throw new Error('What is published is counted where it is sent from: let the node say that it is not heavy.') },
    publish: (to, path, bytes, mime) => ask('publish', to, path, handOver(bytes), mime),
    sign: (id, body) => ask('sign', id, body),
    fetch: () => { throw new Error('A node that runs on a thread fetches nothing: let it say that it is not heavy.') },
    log: { info: tell('info'), warn: tell('warn') },
  }
}

serveThread(async (given, ask) => {
  const job = given as ThreadJob
  const { default: node } = await import(new URL(`./nodes/${job.node}.ts`, import.meta.url).href) as { default: Computing }
  return node.run(job.values as never, benchOver(ask, job))
})
