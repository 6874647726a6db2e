/**
 * Baselines: pictures under a name that `compare` holds others against.
 *
 * The picture of a baseline is an asset of its own beside the one it was made from, without an end, so that it stays when that one is
 * deleted or expires. One that counts no more is given an end and goes with the next collection.
 */
import type { Baseline, Proposal } from '../domain/graph/baseline.ts'
import type { Media } from '../domain/graph/graph.ts'
import { Problem } from '../domain/problem.ts'
import type { Client, Database } from '../db/pool.ts'
import { newId } from '../kit/id.ts'
import type { Owner } from './rows.ts'

interface BaselineRow {
  name: string; approved: Media | null; approved_by: string | null; approved_at: Date | null; proposed: Media | null; proposed_by: string | null; proposed_at: Date | null
  rejected_sha256: string | null; rejected_by: string | null; rejected_at: Date | null; rejected_reason: string | null; updated_at: Date
}
const columns = 'name, approved, approved_by, approved_at, proposed, proposed_by, proposed_at, rejected_sha256, rejected_by, rejected_at, rejected_reason, updated_at'

const read = (row: BaselineRow): Baseline => ({
  name: row.name, approved: row.approved, approvedBy: row.approved_by, approvedAt: row.approved_at, proposed: row.proposed, proposedBy: row.proposed_by, proposedAt: row.proposed_at,
  rejected: row.rejected_sha256 === null ? null : { sha256: row.rejected_sha256, by: row.rejected_by!, at: row.rejected_at!, reason: row.rejected_reason }, updatedAt: row.updated_at,
})

export async function findBaseline(client: Client, owner: Owner, name: string): Promise<Baseline | null> {
  const { rows: [row] } = await client.query<BaselineRow>({ name: 'baseline find', text: `
    select ${columns} from baseline where project_id = $1 and livemode = $2 and name = $3` }, [owner.projectId, owner.livemode, name])
  return row ? read(row) : null
}

/** By name; `waiting` leaves those without an open proposal out. */
export async function listBaselines(client: Client, owner: Owner, { waiting, limit, after }: { waiting: boolean; limit: number; after: string | null }): Promise<Baseline[]> {
  const { rows } = await client.query<BaselineRow>(
    `select ${columns} from baseline where project_id = $1 and livemode = $2 and (not $3 or proposed is not null) and ($4::text is null or name collate "C" > $4) order by name collate "C" limit $5`,
    [owner.projectId, owner.livemode, waiting, after, limit])
  return rows.map(read)
}

/** Proposes a picture, or makes it count at once. What counts already, waits already or was turned down changes nothing. @throws {Problem} `not_found` where the picture is gone */
export const propose = (database: Database, owner: Owner, name: string, media: Media, { by, approve }: { by: string; approve: boolean }): Promise<Proposal> => database.transaction(async client => {
  await client.query('insert into baseline (project_id, livemode, name) values ($1, $2, $3) on conflict do nothing', [owner.projectId, owner.livemode, name])
  const row = (await lock(client, owner, name))!
  if (row.approved?.sha256 === media.sha256) {
    if (approve && row.proposed !== null) {
      await letGo(client, owner, [row.proposed])
      await client.query('update baseline set proposed = null, proposed_by = null, proposed_at = null, updated_at = now() where project_id = $1 and livemode = $2 and name = $3', [owner.projectId, owner.livemode, name])
    }
    return 'approved'
  }
  if (!approve && row.rejected_sha256 === media.sha256) return 'rejected'
  if (!approve && row.proposed?.sha256 === media.sha256) return 'proposed'
  const own = await copy(client, owner, media)
  if (approve) {
    await letGo(client, owner, [row.approved, row.proposed])
    await client.query(`update baseline set approved = $4, approved_by = $5, approved_at = now(), proposed = null, proposed_by = null, proposed_at = null, updated_at = now() where project_id = $1 and livemode = $2 and name = $3`,
      [owner.projectId, owner.livemode, name, JSON.stringify(own), by])
    return 'approved'
  }
  await letGo(client, owner, [row.proposed])
  await client.query('update baseline set proposed = $4, proposed_by = $5, proposed_at = now(), updated_at = now() where project_id = $1 and livemode = $2 and name = $3', [owner.projectId, owner.livemode, name, JSON.stringify(own), by])
  return 'proposed'
})

/** Makes the proposal count. `seen` is the picture whoever approves was shown. @throws {Problem} `not_found`; `conflict` where nothing is proposed, or another picture than the one that was seen */
export const approveBaseline = (database: Database, owner: Owner, name: string, { seen, by }: { seen: string | null; by: string }): Promise<Baseline> => database.transaction(async client => {
  const row = await waiting(client, owner, name, seen)
  await letGo(client, owner, [row.approved])
  await client.query(`update baseline set approved = proposed, approved_by = $4, approved_at = now(), proposed = null, proposed_by = null, proposed_at = null, updated_at = now() where project_id = $1 and livemode = $2 and name = $3`,
    [owner.projectId, owner.livemode, name, by])
  return (await findBaseline(client, owner, name))!
})

/** Turns the proposal down; what counted before goes on counting. @throws {Problem} as `approveBaseline` */
export const rejectBaseline = (database: Database, owner: Owner, name: string, { seen, reason, by }: { seen: string | null; reason: string | null; by: string }): Promise<Baseline> => database.transaction(async client => {
  const row = await waiting(client, owner, name, seen)
  await letGo(client, owner, [row.proposed])
  await client.query(`update baseline set proposed = null, proposed_by = null, proposed_at = null, rejected_sha256 = $4, rejected_by = $5, rejected_at = now(), rejected_reason = $6, updated_at = now() where project_id = $1 and livemode = $2 and name = $3`,
    [owner.projectId, owner.livemode, name, row.proposed!.sha256, by, reason])
  return (await findBaseline(client, owner, name))!
})

/** Forgets a baseline: the next run is a first one again. */
export const removeBaseline = (database: Database, owner: Owner, name: string): Promise<boolean> => database.transaction(async client => {
  const row = await lock(client, owner, name)
  if (!row) return false
  await letGo(client, owner, [row.approved, row.proposed])
  await client.query('delete from baseline where project_id = $1 and livemode = $2 and name = $3', [owner.projectId, owner.livemode, name])
  return true
})

async function lock(client: Client, owner: Owner, name: string): Promise<BaselineRow | undefined> {
  const { rows: [row] } = await client.query<BaselineRow>(`select ${columns} from baseline where project_id = $1 and livemode = $2 and name = $3 for update`, [owner.projectId, owner.livemode, name])
  return row
}

async function waiting(client: Client, owner: Owner, name: string, seen: string | null): Promise<BaselineRow> {
  const row = await lock(client, owner, name)
  if (!row) throw new Problem('not_found', 'There is no such baseline.')
  if (row.proposed === null) throw new Problem('conflict', 'Nothing is proposed for this baseline. Run a comparison with it first.')
  if (seen !== null && row.proposed.sha256 !== seen) throw new Problem('conflict', 'Another picture was proposed meanwhile. Look at it first.', { field: 'sha256', value: seen, allowed: [row.proposed.sha256] })
  return row
}

/** The same bytes as an asset that nobody else decides about. */
async function copy(client: Client, owner: Owner, media: Media): Promise<Media> {
  const id = newId()
  const { rowCount } = await client.query(`insert into asset (id, project_id, livemode, kind, sha256, name, created_at, expires_at) select $1, project_id, livemode, kind, sha256, name, now(), null from asset where id = $2 and project_id = $3 and livemode = $4`,
    [id, media.asset, owner.projectId, owner.livemode])
  if (rowCount === 0) throw new Problem('not_found', 'The picture that was to be a baseline is gone.')
  return { ...media, asset: id }
}

/** Tasks may still read it: the collector knows, so it is only given an end. What has one already is no copy of ours but somebody's own, from before there were copies. */
async function letGo(client: Client, owner: Owner, pictures: (Media | null)[]): Promise<void> {
  const ids = pictures.flatMap(media => media === null ? [] : [media.asset])
  if (ids.length > 0) await client.query('update asset set expires_at = now() where id = any($1::uuid[]) and project_id = $2 and livemode = $3 and expires_at is null', [ids, owner.projectId, owner.livemode])
}
