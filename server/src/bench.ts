/** What nodes that compute are handed: bytes of the project, baselines, a place to publish. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import { Problem } from './domain/problem.ts'
import type { Database } from './db/pool.ts'
import type { Log } from './kit/log.ts'
import type { Bench } from './nodes/contract.ts'
import type { Desk } from './protocols/contract.ts'
import { findBaseline, propose } from './workflows/baselines.ts'
import { mediaOf } from './workflows/step.ts'

export interface BenchTools {
  database: Database
  /** To public addresses only. */
  fetch: typeof globalThis.fetch
  /** The folder an operator opened for publishing; null where none is. */
  publishDir: string | null
  now(): Date
  log: Log
}

export const createBench = ({ database, fetch, publishDir, now, log }: BenchTools) => (execution: { projectId: string; livemode: boolean; id: string }, desk: Desk, signal: AbortSignal): Bench => ({
  livemode: execution.livemode, now, signal, fetch, log,

  async read(media) {
    const asset = await desk.assets.find(media.asset)
    if (!asset) throw new Problem('bad_input_image', 'A picture this step needs is gone. Upload it again, or run what made it again.', { value: media.asset })
    const { stream } = await desk.assets.open(asset)
    return Buffer.concat(await stream().toArray() as Buffer[])
  },

  async file(id) {
    const file = await desk.files.find(id)
    if (!file) throw new Problem('not_found', 'There is no such file. Upload it first, and give its id.', { field: 'file', value: id.slice(0, 100) })
    const asset = file.mime.startsWith('image/') ? await desk.assets.find(file.id) : null
    return { name: file.name, mime: file.mime, sizeBytes: file.sizeBytes, media: asset && mediaOf(asset), open: async () => Buffer.concat(await (await desk.files.open(file)).stream().toArray() as Buffer[]) }
  },

  // The canvas is a few megabytes of native code, which a server that writes into no picture need not load.
  type: async (text, options) => (await import('@plantain/sandbox/type')).setPlate(text, options),

  async keep(bytes, name) {
    return mediaOf(await desk.assets.keep({ bytes, ...(name === undefined ? {} : { name }) }))
  },

  baseline: async name => (await findBaseline(database, execution, name))?.approved ?? null,
  propose: (name, media, approve) => propose(database, execution, name, media, { approve, by: `execution ${execution.id}` }),

  async publish(path, bytes) {
    if (publishDir === null) throw new Problem('bad_request', 'This server has no folder to publish to. Its operator sets PLANTAIN_PUBLISH_DIR.')
    const inside = normalize(path)
    if (inside.startsWith('..') || inside.startsWith('/') || inside.includes('\0') || path.length > 500) throw new Problem('bad_request', 'A path to publish to stays inside the folder: letters, digits and slashes, without .. in it.', { field: 'path', value: path.slice(0, 100) })
    const file = join(publishDir, execution.livemode ? 'live' : 'test', execution.projectId, inside)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, bytes)
    return file
  },
})
