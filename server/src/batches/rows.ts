/** Statements about `batch` and `batch_row`. Who writes names the turn it holds, or the state it expects. */
import { writeDeliveries } from '../db/deliveries.ts'
import type { Client, Database } from '../db/pool.ts'
import type { Batch, BatchEventType, BatchProblem, BatchRow, BatchStanding, PauseReason, RowState } from '../domain/batch.ts'
import type { Json } from '../domain/outcome.ts'
import type { StoredProblem } from '../domain/problem.ts'

export interface Owner { projectId: string; livemode: boolean }

interface BatchColumns {
  id: string; account_id: string; project_id: string; key_id: string; livemode: boolean; protocol: string; call: string; state: Batch['state']
  input_file_id: string | null; input_sha256: Buffer | null; output_file_id: string | null; error_file_id: string | null; options: Record<string, Json>; metadata: Record<string, string>
  problems: BatchProblem[]; rows_total: number; rows_done: number; rows_failed: number; rows_cancelled: number; rows_expired: number
  created_at: Date; started_at: Date | null; cancelling_at: Date | null; writing_at: Date | null; ended_at: Date | null; ends_by: Date; output_expires_s: number | null; turn: number
  name: string | null; callback_url: string | null; concurrency: number | null; budget_max_micros: number | null; cost_micros: number; price_min_micros: number | null; price_max_micros: number | null
  paused_at: Date | null; paused_because: PauseReason | null; resumed_at: Date | null
}

const columns = `id, account_id, project_id, key_id, livemode, protocol, call, state, input_file_id, input_sha256, output_file_id, error_file_id, options, metadata, problems,
  rows_total, rows_done, rows_failed, rows_cancelled, rows_expired, created_at, started_at, cancelling_at, writing_at, ended_at, ends_by, output_expires_s, turn,
  name, callback_url, concurrency, budget_max_micros, cost_micros, price_min_micros, price_max_micros, paused_at, paused_because, resumed_at`

const readBatch = (row: BatchColumns): Batch => ({
  id: row.id, accountId: row.account_id, projectId: row.project_id, keyId: row.key_id, livemode: row.livemode, protocol: row.protocol, call: row.call, state: row.state,
  inputFileId: row.input_file_id, inputSha256: row.input_sha256?.toString('hex') ?? null, outputFileId: row.output_file_id, errorFileId: row.error_file_id,
  options: row.options, metadata: row.metadata, problems: row.problems,
  rows: { total: row.rows_total, done: row.rows_done, failed: row.rows_failed, cancelled: row.rows_cancelled, expired: row.rows_expired },
  createdAt: row.created_at, startedAt: row.started_at, cancellingAt: row.cancelling_at, writingAt: row.writing_at, endedAt: row.ended_at, endsBy: row.ends_by,
  outputExpiresS: row.output_expires_s, name: row.name, callbackUrl: row.callback_url, concurrency: row.concurrency, budgetMaxMicros: row.budget_max_micros, costMicros: row.cost_micros,
  priceMinMicros: row.price_min_micros, priceMaxMicros: row.price_max_micros, pausedAt: row.paused_at, pausedBecause: row.paused_because, resumedAt: row.resumed_at,
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
    `insert into batch (id, account_id, project_id, key_id, livemode, protocol, call, input_file_id, input_sha256, options, metadata, idempotency_key, request_sha256, created_at, ends_by, output_expires_s, rows_total,
       name, callback_url, concurrency, budget_max_micros, paused_at, paused_because)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)
     on conflict (project_id, livemode, idempotency_key) where idempotency_key is not null do nothing returning ${columns}`,
    [batch.id, batch.accountId, batch.projectId, batch.keyId, batch.livemode, batch.protocol, batch.call, batch.inputFileId, Buffer.from(batch.inputSha256!, 'hex'),
      JSON.stringify(batch.options), JSON.stringify(batch.metadata), idempotencyKey, requestSha256, batch.createdAt, batch.endsBy, batch.outputExpiresS, batch.rows.total,
      batch.name, batch.callbackUrl, batch.concurrency, batch.budgetMaxMicros, batch.pausedAt, batch.pausedBecause])
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

export async function selectBatch(client: Client, owner: Owner, protocol: string | null, id: string): Promise<Batch | null> {
  const { rows: [row] } = await client.query<BatchColumns>(`select ${columns} from batch where id = $1 and project_id = $2 and livemode = $3 and ($4::text is null or protocol = $4)`, [id, owner.projectId, owner.livemode, protocol])
  return row ? readBatch(row) : null
}

export interface BatchFilter { protocol: string | null; after?: string | undefined; before?: string | undefined; limit: number }

/** Newest first, one more than `limit`; `before` asks for the page above an id. */
export async function selectBatches(client: Client, owner: Owner, { protocol, after, before, limit }: BatchFilter): Promise<Batch[]> {
  const { rows } = await client.query<BatchColumns>(
    `select ${columns} from batch where project_id = $1 and livemode = $2 and ($3::text is null or protocol = $3) and ($4::uuid is null or id < $4) and ($5::uuid is null or id > $5)
     order by id ${before === undefined ? 'desc' : 'asc'} limit $6`, [owner.projectId, owner.livemode, protocol, after ?? null, before ?? null, limit + 1])
  return rows.map(readBatch)
}

export async function markCancelling(client: Client, owner: Owner, id: string, now: Date): Promise<void> {
  await client.query(`update batch set cancelling_at = $4 where id = $1 and project_id = $2 and livemode = $3 and state in ('reading', 'running') and cancelling_at is null`,
    [id, owner.projectId, owner.livemode, now])
}

export async function deleteEnded(client: Client, owner: Owner, id: string): Promise<boolean> {
  const { rowCount } = await client.query(`delete from batch where id = $1 and project_id = $2 and livemode = $3 and state in ('done', 'failed', 'cancelled', 'expired')`, [id, owner.projectId, owner.livemode])
  return rowCount === 1
}

// Batches as the runner sees them -----------------------------------------------------------------------------------------

/** Batches that have not ended, after an id. One that is paused is left alone once nothing of it is in the making. */
export async function selectOpen(client: Client, after: string | null, limit: number): Promise<Batch[]> {
  const { rows } = await client.query<BatchColumns>({ name: 'batch open', text: `
    select ${columns} from batch where state in ('reading', 'running', 'writing') and ($1::uuid is null or id > $1)
      and (paused_at is null or state <> 'running' or cancelling_at is not null or exists (select from batch_row r where r.batch_id = batch.id and r.state in ('claimed', 'making')))
    order by id limit $2` }, [after, limit])
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

export type NewRow = Pick<BatchRow, 'number' | 'name' | 'note' | 'fromByte' | 'sizeBytes' | 'priceMicros' | 'problem'>

/** Begins reading anew: rows of a process that died while it read are of no use. */
export const deleteRows = (client: Client, { batch, turn }: HeldBatch) => client.query('delete from batch_row where batch_id = $1 and exists (select from batch where id = $1 and turn = $2)', [batch.id, turn])

/** Writes rows of a batch in hand. */
export async function insertRows(client: Client, { batch, turn }: HeldBatch, rows: NewRow[]): Promise<boolean> {
  const { rowCount } = await client.query({ name: 'batch rows', text: `
    insert into batch_row (batch_id, number, name, note, from_byte, size_bytes, price_micros, state, problem)
    select $1, r.number, r.name, r.note, r.from_byte, r.size_bytes, r.price_micros, case when r.problem is null then 'waiting' else 'failed' end, r.problem
    from jsonb_to_recordset($3) as r(number int, name text, note jsonb, from_byte bigint, size_bytes bigint, price_micros bigint, problem jsonb)
    where exists (select from batch where id = $1 and turn = $2 and state = 'reading')` },
  [batch.id, turn, JSON.stringify(rows.map(row => ({ number: row.number, name: row.name, note: row.note, from_byte: row.fromByte, size_bytes: row.sizeBytes, price_micros: row.priceMicros, problem: row.problem })))])
  return rowCount === rows.length
}

/** Rows whose name an earlier one has. */
export async function selectTwins(client: Client, batchId: string, limit: number): Promise<{ number: number; name: string }[]> {
  const { rows } = await client.query<{ number: number; name: string }>(
    `select number, name from (select number, name, row_number() over (partition by name order by number) as nth from batch_row where batch_id = $1 and name is not null) named
     where nth > 1 order by number limit $2`, [batchId, limit])
  return rows
}

/** What reading found out about the whole. */
export interface ReadBatch { model: string | null; priceMinMicros: number | null; priceMaxMicros: number | null; /** Rows that are wrong and left out. */ problems: BatchProblem[] }

/** Reading is over: the rows may become tasks. */
export async function beginRunning(client: Client, { batch, turn }: HeldBatch, { model, priceMinMicros, priceMaxMicros, problems }: ReadBatch): Promise<boolean> {
  const { rowCount } = await client.query(
    `update batch set state = 'running', started_at = now(), lease_until = null, options = case when $3::text is null then options else options || jsonb_build_object('model', $3::text) end,
       rows_total = (select count(*) from batch_row where batch_id = $1), rows_failed = (select count(*) from batch_row where batch_id = $1 and state = 'failed'),
       price_min_micros = $4, price_max_micros = $5, problems = $6
     where id = $1 and turn = $2 and state = 'reading'`, [batch.id, turn, model, priceMinMicros, priceMaxMicros, JSON.stringify(problems)])
  return rowCount === 1
}

/** The batch is refused as a whole: none of its rows is made. Its rows go, where the problems say everything there is to say; else they stay, to be looked at. */
export const refuseBatch = (database: Database, { batch, turn }: HeldBatch, problems: BatchProblem[], { keepRows, ...prices }: { keepRows: boolean; priceMinMicros?: number | null; priceMaxMicros?: number | null }): Promise<void> =>
  database.transaction(async client => {
    const { rowCount } = await client.query(
      `update batch set state = 'failed', ended_at = now(), lease_until = null, problems = $3, rows_total = case when $4 then rows_total else 0 end, input_sha256 = case when $4 then input_sha256 end,
         price_min_micros = $5, price_max_micros = $6 where id = $1 and turn = $2 and state = 'reading'`,
      [batch.id, turn, JSON.stringify(problems), keepRows, prices.priceMinMicros ?? null, prices.priceMaxMicros ?? null])
    if (rowCount !== 1) return
    if (keepRows) {
      await client.query(`update batch_row set state = 'cancelled', ended_at = now() where batch_id = $1 and state = 'waiting'`, [batch.id])
      await client.query(`update batch set rows_failed = n.failed, rows_cancelled = n.cancelled from (
        select count(*) filter (where state = 'failed') as failed, count(*) filter (where state = 'cancelled') as cancelled from batch_row where batch_id = $1) n where id = $1`, [batch.id])
    } else await client.query('delete from batch_row where batch_id = $1', [batch.id])
    await tellOf(client, batch, 'batch.failed')
  })

/** Tells of a batch, in the transaction of the fact. */
const tellOf = (client: Client, { id, projectId, livemode, callbackUrl }: Batch, eventType: BatchEventType): Promise<boolean> =>
  writeDeliveries(client, { projectId, livemode, subject: { batchId: id }, eventType, callback: callbackUrl === null ? null : { url: callbackUrl, style: 'plantain' } })

interface RowColumns { number: number; name: string | null; note: Json | null; from_byte: number; size_bytes: number; state: RowState; turn: number; task_id: string | null; problem: StoredProblem | null
  execution_id: string | null; price_micros: number | null; charged_micros: number; attempt: number; tried: string[]; ended_at: Date | null }

const rowColumns = 'number, name, note, from_byte, size_bytes, state, turn, task_id, problem, execution_id, price_micros, charged_micros, attempt, tried, ended_at'

const readRow = (row: RowColumns): BatchRow => ({
  number: row.number, name: row.name, note: row.note, fromByte: row.from_byte, sizeBytes: row.size_bytes, state: row.state, turn: row.turn, taskId: row.task_id, problem: row.problem,
  executionId: row.execution_id, priceMicros: row.price_micros, chargedMicros: row.charged_micros, attempt: row.attempt, tried: row.tried.map(id => id.replaceAll('-', '')), endedAt: row.ended_at,
})

/**
 * Claims rows that are to become tasks, as many as may be in the making beside those that are, and as the cap on its cost allows.
 *
 * The batch row is locked, so both bounds are exact however many processes work on it. Rows in the making count with the most they may be
 * charged; where the next row does not fit and none of them can still turn out cheaper, the batch is paused.
 */
export const claimRows = (database: Database, batchId: string, worker: string, { openMax, atOnce, leaseMs }: { openMax: number; atOnce: number; leaseMs: number }): Promise<{ rows: BatchRow[]; paused: boolean }> =>
  database.transaction(async client => {
    const nothing = { rows: [], paused: false }
    const { rows: [found] } = await client.query<BatchColumns>(`select ${columns} from batch where id = $1 and state = 'running' and cancelling_at is null and paused_at is null and ends_by > now() for update`, [batchId])
    if (!found) return nothing
    const { rows: [open] } = await client.query<{ count: number; micros: number }>({ name: 'batch rows open', text: `
      select count(*)::int as count, coalesce(sum(price_micros), 0)::bigint as micros from batch_row where batch_id = $1 and state in ('claimed', 'making')` }, [batchId])
    const room = Math.min(atOnce, Math.min(openMax, found.concurrency ?? openMax) - open!.count)
    if (room <= 0) return nothing
    let { rows: next } = await client.query<{ number: number; price_micros: number | null }>({ name: 'batch rows next', text: `
      select number, price_micros from batch_row where batch_id = $1 and state = 'waiting' and due_at <= now() order by due_at, number limit $2 for update skip locked` }, [batchId, room])
    if (found.budget_max_micros !== null && next.length > 0) {
      let left = found.budget_max_micros - found.cost_micros - Number(open!.micros)
      const fitting = next.findIndex(({ price_micros }) => (left -= price_micros ?? 0) < 0)
      if (fitting === 0 && open!.count === 0) return { rows: [], paused: await pauseFor(client, readBatch(found), 'budget') }
      if (fitting >= 0) next = next.slice(0, fitting)
    }
    if (next.length === 0) return nothing
    const { rows } = await client.query<RowColumns>({ name: 'batch rows claim', text: `
      update batch_row set state = 'claimed', turn = turn + 1, worker = $2, due_at = now() + make_interval(secs => $4) where batch_id = $1 and number = any($3::int[]) returning ${rowColumns}` },
    [batchId, worker, next.map(row => row.number), leaseMs / 1_000])
    return { rows: rows.map(readRow).sort((a, b) => a.number - b.number), paused: false }
  })

/** Begins no more rows, for a reason of ours that somebody ought to hear. */
async function pauseFor(client: Client, batch: Batch, because: Exclude<PauseReason, 'asked' | 'dry_run'>): Promise<boolean> {
  const { rowCount } = await client.query(`update batch set paused_at = now(), paused_because = $2 where id = $1 and state = 'running' and paused_at is null and cancelling_at is null`, [batch.id, because])
  if (rowCount === 1) await tellOf(client, batch, 'batch.paused')
  return rowCount === 1
}
export const pauseBatch = (database: Database, batch: Batch, because: 'credits' | 'key'): Promise<boolean> => database.transaction(client => pauseFor(client, batch, because))

/** Somebody says stop; what is being looked through goes on, and waits then. */
export async function markPaused(client: Client, owner: Owner, id: string): Promise<void> {
  await client.query(`update batch set paused_at = now(), paused_because = 'asked' where id = $1 and project_id = $2 and livemode = $3 and state in ('reading', 'running') and paused_at is null`, [id, owner.projectId, owner.livemode])
}

/** Lets it go on, for whoever says so: under their key, with as much time as it had. */
export async function markResumed(client: Client, owner: Owner, id: string, { keyId, budgetMaxMicros }: { keyId: string; budgetMaxMicros?: number | null | undefined }): Promise<boolean> {
  const { rowCount } = await client.query(
    `update batch set paused_at = null, paused_because = null, resumed_at = now(), key_id = $4, ends_by = ends_by + (now() - paused_at), budget_max_micros = case when $5 then $6::bigint else budget_max_micros end
     where id = $1 and project_id = $2 and livemode = $3 and paused_at is not null and state in ('reading', 'running')`, [id, owner.projectId, owner.livemode, keyId, budgetMaxMicros !== undefined, budgetMaxMicros ?? null])
  return rowCount === 1
}

/** Rows that ended so wait again, and the batch runs again. Rows that were never in order stay as they are. How many there were. */
export const retryRows = (database: Database, owner: Owner, id: string, { states, keyId, budgetMaxMicros }: { states: RowState[]; keyId: string; budgetMaxMicros?: number | null | undefined }): Promise<number> =>
  database.transaction(async client => {
    const { rowCount: isOurs } = await client.query(`select from batch where id = $1 and project_id = $2 and livemode = $3 and (state in ('done', 'cancelled', 'expired') or state = 'running' and cancelling_at is null) and input_sha256 is not null for update`, [id, owner.projectId, owner.livemode])
    if (isOurs !== 1) return 0
    const { rows: again } = await client.query<{ was: RowState }>(
      `update batch_row r set state = 'waiting', attempt = attempt + 1, tried = case when o.made is null then tried else tried || o.made end, task_id = null, execution_id = null, problem = null, ended_at = null, worker = null, due_at = now()
       from (select number, state as was, coalesce(task_id, execution_id) as made from batch_row where batch_id = $1 and state = any($2) and price_micros is not null) o
       where r.batch_id = $1 and r.number = o.number returning o.was`, [id, states])
    if (again.length === 0) return 0
    const count = (state: RowState) => again.filter(row => row.was === state).length
    await client.query(
      `update batch set state = 'running', cancelling_at = null, ended_at = null, writing_at = null, paused_at = null, paused_because = null, resumed_at = now(), key_id = $2,
         ends_by = greatest(ends_by, now() + (ends_by - created_at)), budget_max_micros = case when $3 then $4::bigint else budget_max_micros end,
         rows_failed = rows_failed - $5, rows_cancelled = rows_cancelled - $6, rows_expired = rows_expired - $7 where id = $1`,
      [id, keyId, budgetMaxMicros !== undefined, budgetMaxMicros ?? null, count('failed'), count('cancelled'), count('expired')])
    return again.length
  })

/** Makes a claimed row the execution that is written in this transaction; false where it has left that state. */
export async function linkExecution(client: Client, { batchId, number, turn }: { batchId: string; number: number; turn: number }, executionId: string): Promise<boolean> {
  const { rowCount } = await client.query(`update batch_row set state = 'making', execution_id = $4, worker = null where batch_id = $1 and number = $2 and turn = $3 and state = 'claimed'`, [batchId, number, turn, executionId])
  return rowCount === 1
}

/** Claims that were not kept: somebody else may have the row. */
export const freeRows = (client: Client, batchId: string) => client.query({ name: 'batch rows free', text: `
  update batch_row set state = 'waiting', worker = null, due_at = now() where batch_id = $1 and state = 'claimed' and due_at < now()` }, [batchId])

/** A claimed row could not be made a task just now. */
export const postponeRow = (client: Client, batchId: string, { number, turn }: Pick<BatchRow, 'number' | 'turn'>, dueAt: Date) => client.query(
  `update batch_row set state = 'waiting', worker = null, due_at = $4 where batch_id = $1 and number = $2 and turn = $3 and state = 'claimed'`, [batchId, number, turn, dueAt])

export interface RowEnd { number: number; state: 'done' | 'failed' | 'cancelled' | 'expired'; problem?: StoredProblem; chargedMicros?: number; /** As it was claimed: one that was tried again meanwhile ends with what it is now. */ turn: number; /** Whether it had become a task or an execution. */ wasMade: boolean }

/** Ends rows and counts them, in one statement: a row that has ended already is not counted again. */
export const endRows = (client: Client, batchId: string, ends: RowEnd[]) => client.query({ name: 'batch rows end', text: `
  with ended as (
    update batch_row r set state = e.state, problem = coalesce(e.problem, r.problem), charged_micros = r.charged_micros + e.charged, worker = null, ended_at = now()
    from jsonb_to_recordset($2) as e(number int, state text, problem jsonb, charged bigint, turn int, made boolean)
    where r.batch_id = $1 and r.number = e.number and r.turn = e.turn and r.state = case when e.made then 'making' else 'claimed' end returning r.state, e.charged)
  update batch b set rows_done = rows_done + n.done, rows_failed = rows_failed + n.failed, rows_cancelled = rows_cancelled + n.cancelled, rows_expired = rows_expired + n.expired, cost_micros = cost_micros + n.charged
  from (select count(*) filter (where state = 'done') as done, count(*) filter (where state = 'failed') as failed, count(*) filter (where state = 'cancelled') as cancelled,
    count(*) filter (where state = 'expired') as expired, coalesce(sum(charged), 0)::bigint as charged from ended) n
  where b.id = $1` }, [batchId, JSON.stringify(ends.map(end => ({ number: end.number, state: end.state, problem: end.problem ?? null, charged: end.chargedMicros ?? 0, turn: end.turn, made: end.wasMade })))])

/** Ends every row that has not become a task. */
export const endWaiting = (client: Client, batchId: string, state: 'cancelled' | 'expired') => client.query(
  `with ended as (update batch_row set state = $2, ended_at = now() where batch_id = $1 and state = 'waiting' returning 1)
   update batch set ${state === 'cancelled' ? 'rows_cancelled = rows_cancelled' : 'rows_expired = rows_expired'} + (select count(*) from ended) where id = $1`, [batchId, state])

/** How what a row became has ended. */
export interface EndedMaking { number: number; turn: number; state: 'done' | 'failed' | 'cancelled'; problem: StoredProblem | null; chargedMicros: number }

/** Rows whose task or execution has ended and that do not know it yet. An execution's cost is known when what it had under way has been stopped. */
export async function selectEndedMakings(client: Client, batchId: string, limit: number): Promise<EndedMaking[]> {
  const { rows } = await client.query<{ number: number; turn: number; state: EndedMaking['state']; problem: StoredProblem | null; charged: number }>({ name: 'batch rows ended', text: `
    (select r.number, r.turn, t.state, t.problem, coalesce(t.charged_micros, 0) as charged from batch_row r join task t on t.id = r.task_id
      where r.batch_id = $1 and r.state = 'making' and t.state in ('done', 'failed', 'cancelled') limit $2)
    union all
    (select r.number, r.turn, e.state, e.problem, e.cost_micros as charged from batch_row r join execution e on e.id = r.execution_id
      where r.batch_id = $1 and r.state = 'making' and e.state in ('done', 'failed', 'cancelled') and not exists (select from node_run n where n.execution_id = e.id and n.stopping) limit $2)` }, [batchId, limit])
  return rows.map(row => ({ number: row.number, turn: row.turn, state: row.state, problem: row.problem, chargedMicros: row.charged }))
}

/** Executions of a batch that are under way. */
export async function selectRunningExecutions(client: Client, batchId: string, limit: number): Promise<string[]> {
  const { rows } = await client.query<{ execution_id: string }>(
    `select r.execution_id from batch_row r join execution e on e.id = r.execution_id where r.batch_id = $1 and r.state = 'making' and e.state = 'running' limit $2`, [batchId, limit])
  return rows.map(row => row.execution_id)
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

/** All rows of a batch without result files have ended, and so has it. */
export const endWithoutFiles = (database: Database, batch: Batch): Promise<boolean> => database.transaction(async client => {
  const { rows: [row] } = await client.query<BatchColumns>(
    `update batch set state = ${endState}, ended_at = now() where id = $1 and state = 'running'
     and not exists (select from batch_row where batch_id = $1 and state in ('waiting', 'claimed', 'making')) returning ${columns}`, [batch.id])
  if (row) await tellOf(client, readBatch(row), endEvents[row.state]!)
  return row !== undefined
})

const endState = `case when cancelling_at is not null then 'cancelled' when rows_expired > 0 then 'expired' else 'done' end`
const endEvents: Partial<Record<Batch['state'], BatchEventType>> = { done: 'batch.completed', cancelled: 'batch.cancelled', expired: 'batch.expired' }

/** Rows in the order of the file, after a number. */
export async function selectRows(client: Client, batchId: string, after: number, limit: number, states: RowState[] | null = null): Promise<BatchRow[]> {
  const { rows } = await client.query<RowColumns>({ name: 'batch rows page', text: `
    select ${rowColumns} from batch_row where batch_id = $1 and number > $2 and ($4::text[] is null or state = any($4)) order by number limit $3` }, [batchId, after, limit, states])
  return rows.map(readRow)
}

/** The end of a batch in hand; false where it is not any more. */
export async function endBatch(client: Client, { batch, turn }: HeldBatch, { outputFileId, errorFileId }: { outputFileId: string | null; errorFileId: string | null }): Promise<boolean> {
  const { rows: [row] } = await client.query<BatchColumns>(
    `update batch set state = ${endState}, ended_at = now(), lease_until = null, output_file_id = $3, error_file_id = $4, input_sha256 = null
     where id = $1 and turn = $2 and state = 'writing' returning ${columns}`, [batch.id, turn, outputFileId, errorFileId])
  if (row) await tellOf(client, readBatch(row), endEvents[row.state]!)
  return row !== undefined
}

// How far it is ----------------------------------------------------------------------------------------------------------

/** How far back the speed of a batch is looked at. */
const latelyS = 60

export async function selectStanding(client: Client, { id, startedAt, resumedAt }: Batch, now: Date): Promise<BatchStanding> {
  const since = Math.max(startedAt?.getTime() ?? 0, resumedAt?.getTime() ?? 0)
  const seconds = since === 0 ? 0 : Math.min(latelyS, Math.max(0, (now.getTime() - since) / 1_000))
  const { rows: [row] } = await client.query<{ checked: number; waiting: number; making: number; done: number; failed: number; cancelled: number; expired: number; lately: number }>({ name: 'batch standing', text: `
    select count(*)::int as checked, count(*) filter (where state = 'waiting')::int as waiting, count(*) filter (where state in ('claimed', 'making'))::int as making,
      count(*) filter (where state = 'done')::int as done, count(*) filter (where state = 'failed')::int as failed, count(*) filter (where state = 'cancelled')::int as cancelled,
      count(*) filter (where state = 'expired')::int as expired, count(*) filter (where ended_at > now() - make_interval(secs => $2))::int as lately from batch_row where batch_id = $1` }, [id, seconds])
  const { checked, waiting, making, lately, ...ended } = row!
  return { checked, waiting, making, ended, endedLately: lately, latelyS: seconds }
}

/** Inputs of batches that ended before a time are let go of: their rows as they were sent, and with them another attempt. */
export const forgetInputs = (client: Client, before: Date) => client.query('update batch set input_sha256 = null where input_sha256 is not null and ended_at < $1', [before])
