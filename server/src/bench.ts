/** What nodes that compute are handed: bytes of the project, baselines, a place to publish. */
import type { Asset } from './domain/asset.ts'
import type { Media } from './domain/graph/graph.ts'
import type { Values } from './domain/graph/values.ts'
import { Problem } from './domain/problem.ts'
import type { ThreadJob } from './bench-thread.ts'
import type { Database } from './db/pool.ts'
import { signWebhook } from './delivery/signature.ts'
import type { Log } from './kit/log.ts'
import { handOver, ThreadLost, type Calls, type Threads } from './kit/threads.ts'
import type { Bench, Computing } from './nodes/contract.ts'
import type { Desk, OpenAsset } from './protocols/contract.ts'
import type { Publish } from './publish.ts'
import { findBaseline, propose } from './workflows/baselines.ts'
import type { Published } from './workflows/published.ts'
import { mediaOf } from './workflows/step.ts'

export interface BenchTools {
  database: Database
  /** To public addresses only. */
  fetch: typeof globalThis.fetch
  publish: Publish
  published: Published
  /** Keeps what a node made as an asset of the project, as long as outputs are kept. */
  keep(owner: { projectId: string; livemode: boolean }, bytes: Uint8Array, name: string | undefined): Promise<Asset>
  now(): Date
  log: Log
}

export const createBench = ({ database, fetch, publish, published, keep, now, log }: BenchTools) => (execution: { projectId: string; livemode: boolean; id: string }, desk: Desk, signal: AbortSignal): Bench => ({
  livemode: execution.livemode, now, signal, fetch, log,

  async read(media) {
    return whole(await desk.assets.open(await theAsset(desk, media)))
  },

  async file(id) {
    // As our own door calls it, or as the dialect it was uploaded in.
    const file = await desk.files.find(id.replace(/^file[-_]|^files\//, ''))
    if (!file) throw new Problem('not_found', 'There is no such file. Upload it first, and give its id.', { field: 'file', value: id.slice(0, 100) })
    const asset = file.mime.startsWith('image/') ? await desk.assets.find(file.id) : null
    return { name: file.name, mime: file.mime, sizeBytes: file.sizeBytes, media: asset && mediaOf(asset), open: async () => whole(await desk.files.open(file)) }
  },

  type: () => Promise.reject(new Error('Letters are drawn on a thread: let the node say that it is heavy.')),

  keep: async (bytes, name) => mediaOf(await keep(execution, bytes, name)),

  baseline: async name => (await findBaseline(database, execution, name))?.approved ?? null,
  propose: (name, media, approve) => propose(database, execution, name, media, { approve, by: `execution ${execution.id}` }),

  sizeOf: async media => (await theAsset(desk, media)).sizeBytes,

  async count(things) {
    for (const { to, address } of things) if (to !== 'http') publish.check(to, address)
    const counted = new Set(await published.count(execution, things, now()))
    // What an earlier try counted may have been taken then.
    return { takeBack: some => published.takeBack(execution, some.filter(thing => counted.has(thing))) }
  },

  publish: (to, path, bytes, mime) => publish(to, execution, path, bytes, mime),

  async sign(id, body) {
    const timestampS = Math.floor(now().getTime() / 1_000)
    return { 'webhook-id': id, 'webhook-timestamp': String(timestampS), 'webhook-signature': signWebhook({ id, timestampS, body, secrets: [await desk.webhooks.publishSecret()] }) }
  },
})

/** @throws {Problem} `bad_input_image` where it is gone */
async function theAsset(desk: Desk, media: Media): Promise<Asset> {
  const asset = await desk.assets.find(media.asset)
  if (!asset) throw new Problem('bad_input_image', 'A picture this step needs is gone. Upload it again, or run what made it again.', { value: media.asset })
  return asset
}

/** All bytes of a file, put where they belong while they come: a hundred megabytes put together at the end would hold everybody else up. */
async function whole({ asset, stream }: OpenAsset): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(asset.sizeBytes)
  let at = 0
  for await (const chunk of stream()) at += (chunk as Buffer).copy(bytes, at)
  return bytes.subarray(0, at)
}

/**
 * Has nodes compute: on a thread what may take more than a moment, here what is done before a thread had heard of it.
 *
 * What a thread died of may not have been this node: it is done once more by another one, since computing again buys nothing and keeps the same bytes.
 */
export const computeWith = (threads: Threads) => async (node: Computing, values: Values, bench: Bench): Promise<Values> => {
  const isHeavy = node.heavy?.(values as never) ?? (node.category === 'picture' || node.category === 'check')
  if (!isHeavy) return await node.run(values as never, bench) as Values
  const onThread = () => threads.run<Values>({ node: node.id, values, livemode: bench.livemode, nowMs: bench.now().getTime() } satisfies ThreadJob, { signal: bench.signal, calls: callsTo(bench) })
  return onThread().catch(thrown => {
    if (!(thrown instanceof ThreadLost)) throw thrown
    bench.log.warn({ node: node.id, error: thrown }, 'the thread of a node died; another one does it again')
    return onThread()
  }).catch(thrown => { throw thrown instanceof ThreadLost ? new Problem('internal', 'The thread that worked on this ended twice before it was done; perhaps it had too little memory. Resume it, or give it smaller pictures or fewer at once.', { cause: thrown }) : thrown })
}

/** What a node on a thread asks of its bench. Bytes change owner on their way. */
export const callsTo = (bench: Bench) => ({
  read: async (media: Parameters<Bench['read']>[0]) => handOver(await bench.read(media)),
  async file(id: string) { const { open: _, ...file } = await bench.file(id); return file },
  openFile: async (id: string) => handOver(await (await bench.file(id)).open()),
  sizeOf: bench.sizeOf, keep: bench.keep, baseline: bench.baseline, propose: bench.propose, publish: bench.publish, sign: bench.sign,
  log: (level: keyof Bench['log'], fields: object, message: string) => bench.log[level](fields, message),
}) satisfies Calls
