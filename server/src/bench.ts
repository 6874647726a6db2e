/** What nodes that compute are handed: bytes of the project, baselines, a place to publish. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import { Problem } from './domain/problem.ts'
import type { Database } from './db/pool.ts'
import type { Media } from './domain/graph/graph.ts'
import type { Log } from './kit/log.ts'
import type { Bench } from './nodes/contract.ts'
import type { Desk } from './protocols/contract.ts'

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

  async keep(bytes, name) {
    const asset = await desk.assets.keep({ bytes, ...(name === undefined ? {} : { name }) })
    return { asset: asset.id, sha256: asset.sha256, mime: asset.mime, width: asset.width, height: asset.height }
  },

  async baseline(name) {
    const { rows: [row] } = await database.query<{ approved: Media | null }>('select approved from baseline where project_id = $1 and livemode = $2 and name = $3', [execution.projectId, execution.livemode, name])
    return row?.approved ?? null
  },

  async propose(name, media, approve) {
    await database.query(
      `insert into baseline (project_id, livemode, name, approved, proposed, approved_by, approved_at) values ($1, $2, $3, case when $5 then $4::jsonb end, case when $5 then null else $4::jsonb end, case when $5 then $6 end, case when $5 then now() end)
       on conflict (project_id, livemode, name) do update set approved = coalesce(excluded.approved, baseline.approved), proposed = excluded.proposed, approved_by = coalesce(excluded.approved_by, baseline.approved_by),
         approved_at = coalesce(excluded.approved_at, baseline.approved_at), updated_at = now()`, [execution.projectId, execution.livemode, name, JSON.stringify(media), approve, `execution ${execution.id}`])
  },

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
