/**
 * Rows of `upload`: files that come in several requests, each part kept as soon as it is there.
 *
 * A part's number is how many bytes had come before it. Where parts come in order that is its place in the file; where they come side by
 * side it only tells them apart, and their order is said at the end.
 */
import type { Client, Database } from '../db/pool.ts'
import { Problem } from '../domain/problem.ts'
import type { Taken } from '../protocols/contract.ts'
import type { Owner } from './rows.ts'

export interface Upload extends Owner {
  id: string
  purpose: string
  name: string | null
  mime: string | null
  /** As announced; null where nothing was. */
  sizeBytes: number | null
  receivedBytes: number
  fileExpiresAt: Date | null
  /** Set when all of it is there. */
  fileId: string | null
  createdAt: Date
  expiresAt: Date
}

interface UploadRow {
  id: string; project_id: string; livemode: boolean; purpose: string; name: string | null; mime: string | null; size_bytes: number | null; received_bytes: number
  file_expires_at: Date | null; file_id: string | null; created_at: Date; expires_at: Date
}

const columns = 'id, project_id, livemode, purpose, name, mime, size_bytes, received_bytes, file_expires_at, file_id, created_at, expires_at'

const readUpload = (row: UploadRow): Upload => ({
  id: row.id, projectId: row.project_id, livemode: row.livemode, purpose: row.purpose, name: row.name, mime: row.mime, sizeBytes: row.size_bytes,
  receivedBytes: row.received_bytes, fileExpiresAt: row.file_expires_at, fileId: row.file_id, createdAt: row.created_at, expiresAt: row.expires_at,
})

export async function insertUpload(client: Client, upload: Upload): Promise<void> {
  await client.query(`insert into upload (id, project_id, livemode, purpose, name, mime, size_bytes, file_expires_at, created_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [upload.id, upload.projectId, upload.livemode, upload.purpose, upload.name, upload.mime, upload.sizeBytes, upload.fileExpiresAt, upload.createdAt, upload.expiresAt])
}

export async function selectUpload(client: Client, id: string, now: Date): Promise<Upload | null> {
  const { rows: [row] } = await client.query<UploadRow>(`select ${columns} from upload where id = $1 and expires_at > $2`, [id, now])
  return row ? readUpload(row) : null
}

/** Writes down that a part has come, where it belongs. @throws {Problem} `conflict` when another request was quicker */
export const insertPart = (database: Database, { id, receivedBytes }: Upload, part: Taken, now: Date): Promise<void> => database.transaction(async client => {
  const { rowCount } = await client.query('update upload set received_bytes = received_bytes + $3 where id = $1 and received_bytes = $2 and file_id is null', [id, receivedBytes, part.sizeBytes])
  if (rowCount === 0) throw outOfPlace(receivedBytes)
  await insertPartRow(client, id, receivedBytes, part, now)
})

/** Writes down a part whose place is said at the end: its number, or null where the upload has ended or `bytesMax` have come. */
export const insertPartAnywhere = (database: Database, { id }: Upload, part: Taken, { bytesMax, now }: { bytesMax: number; now: Date }): Promise<number | null> => database.transaction(async client => {
  const { rows: [row] } = await client.query<{ number: number }>(`
    update upload set received_bytes = received_bytes + $2 where id = $1 and file_id is null and received_bytes + $2::bigint <= $3
    returning received_bytes - $2::bigint as number`, [id, part.sizeBytes, bytesMax])
  if (!row) return null
  await insertPartRow(client, id, row.number, part, now)
  return row.number
})

const insertPartRow = (client: Client, uploadId: string, number: number, { sha256, sizeBytes }: Taken, now: Date) => client.query(`
  with kept as (
    insert into blob (sha256, mime, size_bytes, created_at) values ($1, 'application/octet-stream', $2, $5) on conflict (sha256) do update set mime = blob.mime)
  insert into upload_part (upload_id, from_byte, sha256, size_bytes) values ($3, $4, $1, $2)`, [Buffer.from(sha256, 'hex'), sizeBytes, uploadId, number, now])

export const outOfPlace = (receivedBytes: number) =>
  new Problem('conflict', `These bytes are not the next ones of this upload: ${receivedBytes} are here. Ask how far it is, and go on from there.`, { receivedBytes })

export interface UploadPart extends Taken { number: number }

/** The parts of an upload, by their numbers. */
export async function selectParts(client: Client, id: string): Promise<UploadPart[]> {
  const { rows } = await client.query<{ from_byte: number; sha256: Buffer; size_bytes: number }>('select from_byte, sha256, size_bytes from upload_part where upload_id = $1 order by from_byte', [id])
  return rows.map(row => ({ number: row.from_byte, sha256: row.sha256.toString('hex'), sizeBytes: row.size_bytes, head: Buffer.alloc(0) }))
}

/** The parts have become a file; false where another request had made one of them already. */
export const endUpload = (database: Database, id: string, fileId: string): Promise<boolean> => database.transaction(async client => {
  const { rowCount } = await client.query('update upload set file_id = $2 where id = $1 and file_id is null', [id, fileId])
  if (rowCount === 0) return false
  await client.query('delete from upload_part where upload_id = $1', [id])
  return true
})

export async function deleteUpload(client: Client, id: string): Promise<boolean> {
  const { rowCount } = await client.query('delete from upload where id = $1 and file_id is null', [id])
  return rowCount === 1
}
