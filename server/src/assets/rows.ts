/** Rows of `asset` and `blob`. */
import { newId } from '../kit/id.ts'
import type { Client } from '../db/pool.ts'
import type { Asset, StoredBlob } from '../domain/asset.ts'

export const assetColumns = `a.id, a.project_id, a.livemode, a.kind, a.sha256, b.mime, b.size_bytes, b.width, b.height, a.name, a.task_id, a.created_at, a.expires_at`

interface AssetRow {
  id: string; project_id: string; livemode: boolean; kind: Asset['kind']; sha256: Buffer; mime: string; size_bytes: number
  width: number | null; height: number | null; name: string | null; task_id: string | null; created_at: Date; expires_at: Date | null
}

/** Reads an asset joined with its blob (`assetColumns`). */
export const readAsset = (row: AssetRow): Asset => ({
  id: row.id, projectId: row.project_id, livemode: row.livemode, kind: row.kind, sha256: row.sha256.toString('hex'), mime: row.mime, sizeBytes: row.size_bytes,
  width: row.width, height: row.height, name: row.name, taskId: row.task_id, createdAt: row.created_at, expiresAt: row.expires_at,
})

/** Whose an asset is: what belongs to another project or mode is not there. */
export interface Owner { projectId: string; livemode: boolean }

/**
 * Writes down that an owner has these bytes. The blob row may be there already; updating it holds it against the collector
 * until the asset that names it is committed.
 */
export async function insertInput(client: Client, owner: Owner, blob: StoredBlob, { name, createdAt, expiresAt }: { name: string | null; createdAt: Date; expiresAt: Date | null }): Promise<Asset> {
  const id = newId()
  await client.query({
    name: 'asset_insert_input',
    text: `with kept as (
             insert into blob (sha256, mime, size_bytes, width, height, created_at) values ($1, $2, $3, $4, $5, $6)
             -- Bytes that came in parts are nothing in particular until somebody has looked at them.
             on conflict (sha256) do update set mime = case when blob.mime = 'application/octet-stream' then excluded.mime else blob.mime end, width = coalesce(blob.width, excluded.width), height = coalesce(blob.height, excluded.height))
           insert into asset (id, project_id, livemode, kind, sha256, name, created_at, expires_at) values ($7, $8, $9, 'input', $1, $10, $6, $11)`,
  }, [Buffer.from(blob.sha256, 'hex'), blob.mime, blob.sizeBytes, blob.width, blob.height, createdAt, id, owner.projectId, owner.livemode, name, expiresAt])
  return { id, projectId: owner.projectId, livemode: owner.livemode, kind: 'input', ...blob, name, taskId: null, createdAt, expiresAt }
}

/** The assets out of `ids` that are the owner's. Expired ones only on request: a task that has begun may still read its inputs. */
export async function selectMany(client: Client, owner: Owner, ids: string[], now: Date, expiredToo: boolean): Promise<Asset[]> {
  const { rows } = await client.query<AssetRow>({
    name: 'asset_select_many',
    text: `select ${assetColumns} from asset a join blob b using (sha256)
           where a.id = any($1::uuid[]) and a.project_id = $2 and a.livemode = $3 and ($5 or a.expires_at is null or a.expires_at > $4)`,
  }, [ids, owner.projectId, owner.livemode, now, expiredToo])
  const found = new Map(rows.map(row => [row.id, readAsset(row)]))
  return ids.flatMap(id => found.get(id.replaceAll('-', '')) ?? [])
}

/** An asset whoever it belongs to: for signed links, whose signature is the right to it. */
export async function selectAny(client: Client, id: string, now: Date): Promise<Asset | null> {
  const { rows } = await client.query<AssetRow>({
    name: 'asset_select_any',
    text: `select ${assetColumns} from asset a join blob b using (sha256) where a.id = $1 and (a.expires_at is null or a.expires_at > $2)`,
  }, [id, now])
  return rows[0] ? readAsset(rows[0]) : null
}

export interface AssetFilter { after?: string | undefined; limit: number; kind?: Asset['kind'] | undefined; taskId?: string | undefined }

/** Newest first; one more than `limit`, so that the caller sees whether there is a next page. */
export async function selectPage(client: Client, owner: Owner, { after, limit, kind, taskId }: AssetFilter, now: Date): Promise<Asset[]> {
  const values: unknown[] = [owner.projectId, owner.livemode, now, limit + 1]
  const value = (given: unknown) => `$${values.push(given)}`
  const conditions = [
    ...(after === undefined ? [] : [`a.id < ${value(after)}`]),
    ...(kind === undefined ? [] : [`a.kind = ${value(kind)}`]),
    ...(taskId === undefined ? [] : [`a.task_id = ${value(taskId)}`]),
  ]
  const { rows } = await client.query<AssetRow>(
    `select ${assetColumns} from asset a join blob b using (sha256)
     where a.project_id = $1 and a.livemode = $2 and (a.expires_at is null or a.expires_at > $3)${conditions.map(one => ` and ${one}`).join('')}
     order by a.id desc limit $4`, values)
  return rows.map(readAsset)
}

/**
 * Which of these assets an unfinished task names, as a subselect over `asset a`.
 *
 * The two halves are written apart so that each finds its own partial index (`task_queued`, `task_making`): finished tasks, a
 * million of them, are never looked at.
 */
export const idsInUse = `select replace(input ->> 'assetId', '-', '') from (
    select inputs from task where state = 'queued'
    union all select inputs from task where state in ('running', 'waiting')) live, jsonb_array_elements(live.inputs) input`

/**
 * Removes an owner's asset unless an unfinished task uses it.
 *
 * The row is locked before tasks are looked at: whoever submits a task holds its inputs `for key share`, so either the task is
 * seen here or the submitter finds the asset gone.
 */
export async function deleteUnused(client: Client, owner: Owner, id: string): Promise<'deleted' | 'missing' | 'used'> {
  const { rowCount: found } = await client.query('select from asset where id = $1 and project_id = $2 and livemode = $3 for update', [id, owner.projectId, owner.livemode])
  if (found === 0) return 'missing'
  const { rowCount } = await client.query(`delete from asset a where id = $1 and replace(a.id::text, '-', '') not in (${idsInUse} where input ->> 'assetId' is not null)`, [id])
  return rowCount === 0 ? 'used' : 'deleted'
}
