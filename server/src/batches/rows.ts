/** Statements about `batch` and `batch_row`. Who writes names the turn it holds, or the state it expects. */
import type { Client, Database } from '../db/pool.ts'
import type { Batch, BatchProblem, BatchRow, RowState } from '../domain/batch.ts'
import type { Json } from '../domain/outcome.ts'
import type { StoredProblem } from '../domain/problem.ts'

export interface Owner { projectId: string; livemode: boolean }

interface BatchColumns {
  id: string; account_id: string; project_id: string; key_id: string; livemode: boolean; protocol: string; call: string; state: Batch['state']
  input_file_id: string | null; input_sha256: Buffer | null; output_file_id: string | null; error_file_id: string | null; options: Record<string, Json>; metadata: Record<string, string>
  problems: BatchProblem[]; rows_total: number; rows_done: number; rows_failed: number; rows_cancelled: number; rows_expired: number
  created_at: Date; started_at: Date | null; cancelling_at: Date | null; writing_at: Date | null; ended_at: Date | null; ends_by: Date; output_expires_s: number | null; turn: number
}

const columns = `id, account_id, project_id, key_id, livemode, protocol, call, state, input_file_id, input_sha256, output_file_id, error_file_id, options, metadata, problems,
  rows_total, rows_done, rows_failed, rows_cancelled, rows_expired, created_at, started_at, cancelling_at, writing_at, ended_at, ends_by, output_expires_s, turn`

const readBatch = (row: BatchColumns): Batch => ({
  id: row.id, accountId: row.account_id, projectId: row.project_id, keyId: row.key_id, livemode: row.livemode, protocol: row.protocol, call: row.call, state: row.state,
  inputFileId: row.input_file_id, inputSha256: row.input_sha256?.toString('hex') ?? null, outputFileId: row.output_file_id, errorFileId: row.error_file_id,
  options: row.options, metadata: row.metadata, problems: row.problems,
  rows: { total: row.rows_total, done: row.rows_done, failed: row.rows_failed, cancelled: row.rows_cancelled, expired: row.rows_expired },
  createdAt: row.created_at, startedAt: row.started_at, cancellingAt: row.cancelling_at, writingAt: row.writing_at, endedAt: row.ended_at, endsBy: row.ends_by,
  outputExpiresS: row.output_expires_s,
})

// Batches as their makers see them --------------------------------------------------------------------------------------

export interface Inserting { batch: Batch; inputSizeBytes: number; idempotencyKey: string | null; requestSha256: Buffer }

/** Writes a batch down; null where its idempotency key is taken. An old key (24 h) is free again. */
export const insertBatch = (database: Database, { batch, inputSizeBytes, idempotencyKey, requestSha256 }: Inserting): Promise<Batch | null> => database.transaction(async client => {
  // Updating it holds it against the collector until the batch that names it is committed.
  await client.query(`insert into blob (sha256, mime, size_bytes) values ($1, 'application/jsonl', $2) on conflict (sha256) do update set mime = blob.mime`, [Buffer.from(batch.inputSha256!, 'hex'), inputSizeBytes])
  if (idempotencyKey !== null) {
    await client.query(`update batch set idempotency_key = null where project_id = $1 and livemode = $2 and idempotency_key = $3 and created_at < now() - interval '24 hours'`,
      [batch.projectId, batch.livemode, idempotencyKey])
  }
  const { rows: [row] } = await client.query<BatchColumns>(
    `insert into batch (id, account_id, project_id, key_id, livemode, protocol, call, input_file_id, input_sha256, options, metadata, idempotency_key, request_sha256, created_at, ends_by, output_expires_s, rows_total)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
     on conflict (project_id, livemode, idempotency_key) where idempotency_key is not null do nothing returning ${columns}`,
    [batch.id, batch.accountId, batch.projectId, batch.keyId, batch.livemode, batch.protocol, batch.call, batch.inputFileId, Buffer.from(batch.inputSha256!, 'hex'),
      JSON.stringify(batch.options), JSON.stringify(batch.metadata), idempotencyKey, requestSha256, batch.createdAt, batch.endsBy, batch.outputExpiresS, batch.rows.total])
  return row ? readBatch(row) : null
})

/** An earlier batch of the same request: under the same key, or sent again by a client that says so. */
export async function selectRepeated(client: Client, owner: Owner, { idempotencyKey, keyId, requestSha256 }: { idempotencyKey: string | null; keyId: string; requestSha256: Buffer }): Promise<{ batch: Batch; requestSha256: Buffer } | null> {
  const { rows: [row] } = await client.query<BatchColumns & { request_sha256: Buffer }>(idempotencyKey === null
    ? `select ${columns}, request_sha256 from batch where key_id = $3 and request_sha256 = $4 and project_id = $1 and livemode = $2 and created_at > now() - interval '10 minutes' order by id desc limit 1`
    : `select ${columns}, request_sha256 from batch where project_id = $1 and livemode = $2 and idempotency_key = $3 and $4::bytea is not null`,
  [owner.projectId, owner.livemode, idempotencyKey ?? keyId, requestSha256])
  return row ? { batch: readBatch(row), requestSha256: row.request_sha256 } : null
}

export async function selectBatch(client: Client, owner: Owner, protocol: string, id: string): Promise<Batch | null> {
  const { rows: [row] } = await client.query<BatchColumns>(`select ${columns} from batch where id = $1 and project_id = $2 and livemode = $3 and protocol = $4`, [id, owner.projectId, owner.livemode, protocol])
  return row ? readBatch(row) : null
}

export interface BatchFilter { protocol: string; after?: string | undefined; before?: string | undefined; limit: number }

/** Newest first, one more than `limit`; `before` asks for the page above an id. */
export async function selectBatches(client: Client, owner: Owner, { protocol, after, before, limit }: BatchFilter): Promise<Batch[]> {
  const { rows } = await client.query<BatchColumns>(
    `select ${columns} from batch where project_id = $1 and livemode = $2 and protocol = $3 and ($4::uuid is null or id < $4) and ($5::uuid is null or id > $5)
     order by id ${before === undefined ? 'desc' : 'asc'} limit $6`, [owner.projectId, owner.livemode, protocol, after ?? null, before ?? null, limit + 1])
  return rows.map(readBatch)
}

export async function markCancelling(client: Client, owner: Owner, protocol: string, id: string, now: Date): Promise<void> {
  await client.query(`update batch set cancelling_at = $5 where id = $1 and project_id = $2 and livemode = $3 and protocol = $4 and state in ('reading', 'running') and cancelling_at is null`,
    [id, owner.projectId, owner.livemode, protocol, now])
}

export async function deleteEnded(client: Client, owner: Owner, protocol: string, id: string): Promise<boolean> {
  const { rowCount } = await client.query(`delete from batch where id = $1 and project_id = $2 and livemode = $3 and protocol = $4 and state in ('done', 'failed', 'cancelled', 'expired')`, [id, owner.projectId, owner.livemode, protocol])
  return rowCount === 1
}

// Batches as the runner sees them -----------------------------------------------------------------------------------------

/** Batches that have not ended, after an id. */
export async function selectOpen(client: Client, after: string | null, limit: number): Promise<Batch[]> {
  const { rows } = await client.query<BatchColumns>({ name: 'batch open', text: `
    select ${columns} from batch where state in ('reading', 'running', 'writing') and ($1::uuid is null or id > $1) order by id limit $2` }, [after, limit])
  return rows.map(readBatch)
}

/** A batch in hand: for what one process alone may do. */
export interface HeldBatch { batch: Batch; turn: number }

const leaseS = 30

/** Takes a batch in hand that is being read or written; null where somebody has it. */
export async function claimBatch(client: Client, id: string, state: 'reading' | 'writing', worker: string): Promise<HeldBatch | null> {
  const { rows: [row] } = await client.query<BatchColumns>(
    `update batch set turn = turn + 1, worker = $3, lease_until = now() + interval '${leaseS} seconds'
     where id = (select id from batch where id = $1 and state = $2 and (lease_until is null or lease_until < now()) for update skip locked) returning ${columns}`, [id, state, worker])
  return row ? { batch: readBatch(row), turn: row.turn } : null
}

export async function keepBatch(client: Client, { batch, turn }: HeldBatch): Promise<boolean> {
  const { rowCount } = await client.query(`update batch set lease_until = now() + interval '${leaseS} seconds' where id = $1 and turn = $2`, [batch.id, turn])
  return rowCount === 1
}

/** Lets go of a batch before its time, so that somebody else may go on. */
export const leaveBatch = (client: Client, { batch, turn }: HeldBatch) => client.query('update batch set lease_until = null where id = $1 and turn = $2', [batch.id, turn])

/** What processes that died had in hand. */
export async function freeBatches(client: Client, workers: string[]): Promise<void> {
  await client.query('update batch set lease_until = null where worker = any($1::uuid[]) and lease_until is not null', [workers])
  await client.query(`update batch_row r set state = 'waiting', worker = null, due_at = now() from batch b
    where b.id = r.batch_id and b.state = 'running' and r.state = 'claimed' and r.worker = any($1::uuid[])`, [workers])
}

export type NewRow = Pick<BatchRow, 'number' | 'name' | 'note' | 'fromByte' | 'sizeBytes' | 'problem'>

/** Begins reading anew: rows of a process that died while it read are of no use. */
export const deleteRows = (client: Client, { batch, turn }: HeldBatch) => client.query('delete from batch_row where batch_id = $1 and exists (select from batch where id = $1 and turn = $2)', [batch.id, turn])

/** Writes rows of a batch in hand. */
export async function insertRows(client: Client, { batch, turn }: HeldBatch, rows: NewRow[]): Promise<boolean> {
  const { rowCount } = await client.query({ name: 'batch rows', text: `
    insert into batch_row (batch_id, number, name, note, from_byte, size_bytes, state, problem)
    select $1, r.number, r.name, r.note, r.from_byte, r.size_bytes, case when r.problem is null then 'waiting' else 'failed' end, r.problem
    from jsonb_to_recordset($3) as r(number int, name text, note jsonb, from_byte bigint, size_bytes bigint, problem jsonb)
    where exists (select from batch where id = $1 and turn = $2 and state = 'reading')` },
  [batch.id, turn, JSON.stringify(rows.map(row => ({ number: row.number, name: row.name, note: row.note, from_byte: row.fromByte, size_bytes: row.sizeBytes, problem: row.problem })))])
  return rowCount === rows.length
}

/** Rows whose name an earlier one has. */
export async function selectTwins(client: Client, batchId: string, limit: number): Promise<{ number: number; name: string }[]> {
  const { rows } = await client.query<{ number: number; name: string }>(
    `select number, name from (select number, name, row_number() over (partition by name order by number) as nth from batch_row where batch_id = $1 and name is not null) named
     where nth > 1 order by number limit $2`, [batchId, limit])
  return rows
}

/** Reading is over: the rows may become tasks. */
export async function beginRunning(client: Client, { batch, turn }: HeldBatch, model: string | null): Promise<boolean> {
  const { rowCount } = await client.query(
    `update batch set state = 'running', started_at = now(), lease_until = null, options = case when $3::text is null then options else options || jsonb_build_object('model', $3::text) end,
       rows_total = (select count(*) from batch_row where batch_id = $1), rows_failed = (select count(*) from batch_row where batch_id = $1 and state = 'failed')
     where id = $1 and turn = $2 and state = 'reading'`, [batch.id, turn, model])
  return rowCount === 1
}

/** The batch is refused as a whole: none of its rows is made. */
export const refuseBatch = (database: Database, { batch, turn }: HeldBatch, problems: BatchProblem[]): Promise<void> => database.transaction(async client => {
  const { rowCount } = await client.query(
    `update batch set state = 'failed', ended_at = now(), lease_until = null, problems = $3, rows_total = 0, input_sha256 = null where id = $1 and turn = $2 and state = 'reading'`, [batch.id, turn, JSON.stringify(problems)])
  if (rowCount === 1) await client.query('delete from batch_row where batch_id = $1', [batch.id])
})

interface RowColumns { number: number; name: string | null; note: Json | null; from_byte: number; size_bytes: number; state: RowState; turn: number; task_id: string | null; problem: StoredProblem | null }

const rowColumns = 'number, name, note, from_byte, size_bytes, state, turn, task_id, problem'

const readRow = (row: RowColumns): BatchRow => ({
  number: row.number, name: row.name, note: row.note, fromByte: row.from_byte, sizeBytes: row.size_bytes, state: row.state, turn: row.turn, taskId: row.task_id, problem: row.problem,
})

/**
 * Claims rows that are to become tasks, as many as may be in the making beside those that are.
 *
 * The batch row is locked, so the bound is exact however many processes work on it.
 */
export const claimRows = (database: Database, batchId: string, worker: string, { openMax, atOnce, leaseMs }: { openMax: number; atOnce: number; leaseMs: number }): Promise<BatchRow[]> =>
  database.transaction(async client => {
    const { rowCount } = await client.query(`select from batch where id = $1 and state = 'running' and cancelling_at is null and ends_by > now() for update`, [batchId])
    if (rowCount === 0) return []
    const { rows: [open] } = await client.query<{ count: number }>({ name: 'batch rows open', text: `select count(*)::int as count from batch_row where batch_id = $1 and state in ('claimed', 'making')` }, [batchId])
    const room = Math.min(atOnce, openMax - open!.count)
    if (room <= 0) return []
    const { rows } = await client.query<RowColumns>({ name: 'batch rows claim', text: `
      update batch_row set state = 'claimed', turn = turn + 1, worker = $2, due_at = now() + make_interval(secs => $4)
      where (batch_id, number) in (select batch_id, number from batch_row where batch_id = $1 and state = 'waiting' and due_at <= now() order by due_at, number limit $3 for update skip locked)
      returning ${rowColumns}` }, [batchId, worker, room, leaseMs / 1_000])
    return rows.map(readRow).sort((a, b) => a.number - b.number)
  })

/** Claims that were not kept: somebody else may have the row. */
export const freeRows = (client: Client, batchId: string) => client.query({ name: 'batch rows free', text: `
  update batch_row set state = 'waiting', worker = null, due_at = now() where batch_id = $1 and state = 'claimed' and due_at < now()` }, [batchId])

/** A claimed row could not be made a task just now. */
export const postponeRow = (client: Client, batchId: string, { number, turn }: Pick<BatchRow, 'number' | 'turn'>, dueAt: Date) => client.query(
  `update batch_row set state = 'waiting', worker = null, due_at = $4 where batch_id = $1 and number = $2 and turn = $3 and state = 'claimed'`, [batchId, number, turn, dueAt])

export interface RowEnd { number: number; state: 'done' | 'failed' | 'cancelled' | 'expired'; problem?: StoredProblem; /** For a row that is claimed; one that is being made ends with its task. */ turn?: number }

/** Ends rows and counts them, in one statement: a row that has ended already is not counted again. */
export const endRows = (client: Client, batchId: string, ends: RowEnd[]) => client.query({ name: 'batch rows end', text: `
  with ended as (
    update batch_row r set state = e.state, problem = coalesce(e.problem, r.problem), worker = null
    from jsonb_to_recordset($2) as e(number int, state text, problem jsonb, turn int)
    where r.batch_id = $1 and r.number = e.number and (r.state = 'making' and e.turn is null or r.state = 'claimed' and r.turn = e.turn) returning r.state)
  update batch b set rows_done = rows_done + n.done, rows_failed = rows_failed + n.failed, rows_cancelled = rows_cancelled + n.cancelled, rows_expired = rows_expired + n.expired
  from (select count(*) filter (where state = 'done') as done, count(*) filter (where state = 'failed') as failed, count(*) filter (where state = 'cancelled') as cancelled,
    count(*) filter (where state = 'expired') as expired from ended) n
  where b.id = $1` }, [batchId, JSON.stringify(ends.map(end => ({ number: end.number, state: end.state, problem: end.problem ?? null, turn: end.turn ?? null })))])

/** Ends every row that has not become a task. */
export const endWaiting = (client: Client, batchId: string, state: 'cancelled' | 'expired') => client.query(
  `with ended as (update batch_row set state = $2 where batch_id = $1 and state = 'waiting' returning 1)
   update batch set ${state === 'cancelled' ? 'rows_cancelled = rows_cancelled' : 'rows_expired = rows_expired'} + (select count(*) from ended) where id = $1`, [batchId, state])

export interface EndedTask { number: number; taskId: string; state: 'done' | 'failed' | 'cancelled'; problem: StoredProblem | null }

/** Rows whose task has ended and that do not know it yet. */
export async function selectEndedTasks(client: Client, batchId: string, limit: number): Promise<EndedTask[]> {
  const { rows } = await client.query<{ number: number; task_id: string; state: EndedTask['state']; problem: StoredProblem | null }>({ name: 'batch rows ended', text: `
    select r.number, r.task_id, t.state, t.problem from batch_row r join task t on t.id = r.task_id
    where r.batch_id = $1 and r.state = 'making' and t.state in ('done', 'failed', 'cancelled') limit $2` }, [batchId, limit])
  return rows.map(row => ({ number: row.number, taskId: row.task_id, state: row.state, problem: row.problem }))
}

/** Tasks of a batch that have not been begun. */
export async function selectQueuedTasks(client: Client, batchId: string, limit: number): Promise<string[]> {
  const { rows } = await client.query<{ task_id: string }>(
    `select r.task_id from batch_row r join task t on t.id = r.task_id where r.batch_id = $1 and r.state = 'making' and t.state = 'queued' limit $2`, [batchId, limit])
  return rows.map(row => row.task_id)
}

/** All rows have ended: the results may be put together. */
export const beginWriting = (client: Client, batchId: string) => client.query(
  `update batch set state = 'writing', writing_at = now(), lease_until = null where id = $1 and state = 'running'
   and not exists (select from batch_row where batch_id = $1 and state in ('waiting', 'claimed', 'making'))`, [batchId])

/** Rows in the order of the file, after a number. */
export async function selectRows(client: Client, batchId: string, after: number, limit: number): Promise<BatchRow[]> {
  const { rows } = await client.query<RowColumns>({ name: 'batch rows page', text: `select ${rowColumns} from batch_row where batch_id = $1 and number > $2 order by number limit $3` }, [batchId, after, limit])
  return rows.map(readRow)
}

/** The end of a batch in hand; false where it is not any more. */
export async function endBatch(client: Client, { batch, turn }: HeldBatch, { outputFileId, errorFileId }: { outputFileId: string | null; errorFileId: string | null }): Promise<boolean> {
  const { rowCount } = await client.query(
    `update batch set state = case when cancelling_at is not null then 'cancelled' when rows_expired > 0 then 'expired' else 'done' end,
       ended_at = now(), lease_until = null, output_file_id = $3, error_file_id = $4, input_sha256 = null
     where id = $1 and turn = $2 and state = 'writing'`, [batch.id, turn, outputFileId, errorFileId])
  return rowCount === 1
}
