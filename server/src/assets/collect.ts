/**
 * Takes away what nobody needs: expired assets, blobs nobody names, files without blobs, pictures made from what is gone.
 *
 * Everything is old before it goes (`graceMs`): a file is stored a moment before the rows that name it, so a young file without a
 * row is a picture on its way. A writer touches the file it finds, which makes it young again.
 */
import type { Database } from '../db/pool.ts'
import type { BlobStore } from './contract.ts'
import { idsInUse } from './rows.ts'

export interface Collected { assets: number; blobs: number; files: number; thumbnails: number }

export interface Collecting { database: Database; store: BlobStore; now: Date; graceMs: number; thumbnailMs: number; onGone(sha256: string): void }

const batch = 500

export async function collect(collecting: Collecting): Promise<Collected> {
  const assets = await repeat(() => deleteExpired(collecting))
  const blobs = await repeat(() => deleteBlobs(collecting))
  return { assets, blobs, ...await deleteFiles(collecting) }
}

/** Until a round finds less than a batch. */
async function repeat(round: () => Promise<number>): Promise<number> {
  for (let total = 0; ;) {
    const count = await round()
    total += count
    if (count < batch) return total
  }
}

/** Locks first and looks at tasks second, as `deleteUnused` does; what a submitter holds this moment waits for the next time. */
const deleteExpired = ({ database, now }: Collecting): Promise<number> => database.transaction(async client => {
  const { rows } = await client.query<{ id: string }>(
    `select a.id from asset a where expires_at <= $1 and replace(a.id::text, '-', '') not in (${idsInUse} where input ->> 'assetId' is not null)
     limit ${batch} for update skip locked`, [now])
  if (rows.length === 0) return 0
  const { rowCount } = await client.query(
    `delete from asset a where id = any($1::uuid[]) and replace(a.id::text, '-', '') not in (${idsInUse} where input ->> 'assetId' is not null)`, [rows.map(row => row.id)])
  return rowCount ?? 0
})

/** Who names a blob `b`, each by an index of its own. */
const isNamed = ['asset', 'file', 'upload_part'].map(table => `exists (select from ${table} n where n.sha256 = b.sha256)`).join(' or ') + ' or exists (select from batch n where n.input_sha256 = b.sha256)'

/**
 * Removes blob rows that nobody names.
 *
 * Without the table lock a settling task could find the row, see it deleted under its hands, and fail when it inserts its asset. The
 * lock waits for those who have inserted and not yet committed (milliseconds) and lets readers be. It gives up rather than make
 * others wait behind it.
 */
async function deleteBlobs({ database, now, graceMs }: Collecting): Promise<number> {
  const before = new Date(now.getTime() - graceMs)
  const { rows } = await database.query<{ sha256: Buffer }>(
    `select sha256 from blob b where created_at < $1 and not (${isNamed}) limit ${batch}`, [before])
  if (rows.length === 0) return 0
  try {
    return await database.transaction(async client => {
      await client.query(`set local lock_timeout = '1s'`)
      await client.query('lock table blob in share row exclusive mode')
      const { rowCount } = await client.query(
        `delete from blob b where sha256 = any($1) and not (${isNamed})`, [rows.map(row => row.sha256)])
      return rowCount ?? 0
    })
  } catch (error) {
    if ((error as { code?: unknown }).code === '55P03') return 0
    throw error
  }
}

async function deleteFiles({ database, store, now, graceMs, thumbnailMs, onGone }: Collecting): Promise<{ files: number; thumbnails: number }> {
  const counts = { files: 0, thumbnails: 0 }
  const before = new Date(now.getTime() - graceMs)
  const thumbnailBefore = new Date(now.getTime() - thumbnailMs)
  const shaOf = (key: string) => key.slice(0, 64)
  const wanted = async (shas: string[]) => {
    const { rows } = await database.query<{ sha256: Buffer }>('select sha256 from blob where sha256 = any($1)', [shas.map(sha => Buffer.from(sha, 'hex'))])
    return new Set(rows.map(row => row.sha256.toString('hex')))
  }

  const decide = async (keys: { key: string; touchedAt: Date }[]) => {
    const named = await wanted([...new Set(keys.map(({ key }) => shaOf(key)))])
    for (const { key, touchedAt } of keys) {
      const isThumbnail = key.length > 64
      if (isThumbnail) {
        if (named.has(shaOf(key)) && touchedAt >= thumbnailBefore) continue
        if (await store.delete(key)) counts.thumbnails += 1
      } else if (!named.has(key)) {
        const gone = await store.delete(key, { untouchedSince: before, wanted: async () => (await wanted([key])).has(key) })
        if (gone) { counts.files += 1; onGone(key) }
      }
    }
  }
  let old: { key: string; touchedAt: Date }[] = []
  for await (const object of store.list()) {
    if (object.touchedAt >= before) continue
    old.push(object)
    if (old.length === batch) { await decide(old); old = [] }
  }
  await decide(old)
  return counts
}
