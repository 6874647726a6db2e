/** Rows of `file`. */
import type { Client } from '../db/pool.ts'
import type { StoredFile } from '../domain/file.ts'

/** Whose a file is: what belongs to another project or mode is not there. */
export interface Owner { projectId: string; livemode: boolean }

interface FileRow {
  id: string; source: StoredFile['source']; purpose: string; name: string | null; mime: string; sha256: Buffer; size_bytes: number; created_at: Date; expires_at: Date | null
}

const columns = 'id, source, purpose, name, mime, sha256, size_bytes, created_at, expires_at'

const readFile = (row: FileRow): StoredFile => ({
  id: row.id, source: row.source, purpose: row.purpose, name: row.name, mime: row.mime, sha256: row.sha256.toString('hex'), sizeBytes: row.size_bytes,
  createdAt: row.created_at, expiresAt: row.expires_at,
})

/** Writes a file down. Its blob may be there already; updating it holds it against the collector until the file that names it is committed. */
export async function insertFile(client: Client, { projectId, livemode }: Owner, file: StoredFile): Promise<void> {
  await client.query({ name: 'file insert', text: `
    with kept as (
      insert into blob (sha256, mime, size_bytes, created_at) values ($1, $2, $3, $4) on conflict (sha256) do update set mime = blob.mime)
    insert into file (id, project_id, livemode, source, purpose, name, mime, sha256, size_bytes, created_at, expires_at)
    values ($5, $6, $7, $8, $9, $10, $2, $1, $3, $4, $11)` },
  [Buffer.from(file.sha256, 'hex'), file.mime, file.sizeBytes, file.createdAt, file.id, projectId, livemode, file.source, file.purpose, file.name, file.expiresAt])
}

export async function selectFile(client: Client, { projectId, livemode }: Owner, id: string, now: Date): Promise<StoredFile | null> {
  const { rows: [row] } = await client.query<FileRow>({ name: 'file select', text: `
    select ${columns} from file where id = $1 and project_id = $2 and livemode = $3 and (expires_at is null or expires_at > $4)` }, [id, projectId, livemode, now])
  return row ? readFile(row) : null
}

/** Files that are shown in another form, and in no list: results that a dialect hands out at an address of its own. */
const hidden = 'internal'

export interface FileFilter { after?: string | undefined; limit: number; order?: 'asc' | 'desc' | undefined; purpose?: string | undefined }

/** One more than `limit`, so that the caller sees whether there is a next page. */
export async function selectFiles(client: Client, { projectId, livemode }: Owner, { after, limit, order = 'desc', purpose }: FileFilter, now: Date): Promise<StoredFile[]> {
  const values: unknown[] = [projectId, livemode, now, limit + 1]
  const value = (given: unknown) => `$${values.push(given)}`
  const conditions = [
    ...(after === undefined ? [] : [`id ${order === 'desc' ? '<' : '>'} ${value(after)}`]),
    ...(purpose === undefined ? [] : [`purpose = ${value(purpose)}`]),
  ]
  const { rows } = await client.query<FileRow>(
    `select ${columns} from file where project_id = $1 and livemode = $2 and (expires_at is null or expires_at > $3) and purpose <> '${hidden}'${conditions.map(one => ` and ${one}`).join('')}
     order by id ${order} limit $4`, values)
  return rows.map(readFile)
}

export async function deleteFile(client: Client, { projectId, livemode }: Owner, id: string): Promise<boolean> {
  const { rowCount } = await client.query('delete from file where id = $1 and project_id = $2 and livemode = $3', [id, projectId, livemode])
  return rowCount === 1
}
