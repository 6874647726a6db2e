/**
 * Writing down how claims ended: state, attempt, money, outputs, event and outbox in one transaction, in groups.
 *
 * Every write names the turn it holds. A worker that slept through its lease finds another turn on the row: it changes nothing
 * and is told so by `false`; what it made stays an unreferenced file and is collected.
 */
import { newId } from '../kit/id.ts'
import type { StoredBlob } from '../domain/asset.ts'
import type { Json } from '../domain/outcome.ts'
import type { StoredProblem } from '../domain/problem.ts'
import { endEvent, hasEnded, type EndState, type EventType } from '../domain/task.ts'
import type { Client, Database } from '../db/pool.ts'
import type { Cost } from '../domain/usage.ts'
import { unknownCost, writeCosts } from '../ledger/costs.ts'
import { close } from '../ledger/ledger.ts'
import { beginLate } from './late.ts'
import type { Receipt } from './rows.ts'

/** What becomes of a task in hand. */
export interface Settlement {
  id: string
  turn: number
  state: 'queued' | 'waiting' | EndState
  dueAt?: Date | null
  receipt?: Receipt | null
  /** Whether the attempt is over, and how; null while the upstream goes on with it. */
  attemptOutcome: 'done' | 'failed' | 'unknown' | 'cancelled' | null
  /** Not from the worker that holds the task but over its head (cancel, deadline, lost worker), in a transaction that has locked the row. Raises the turn. */
  forced?: boolean
  /** The attempt did not happen (handed back before the upstream could know): it is not counted. */
  uncount?: boolean
  chargedMicros?: number
  /** What the attempt cost us; absent where it surely cost nothing. */
  cost?: Cost
  problem?: StoredProblem | null
  outputs?: { blob: StoredBlob; name: string; expiresAt: Date | null }[]
  text?: string | null
  details?: Record<string, Json>
  warnings?: string[]
  upstreamId?: string | null
  progress?: number | null
  event?: EventType | null
  /** The route it goes on by; absent where it stays with whom it is. What the last one had begun is not the next one's. */
  route?: { provider: string; model: string } | null
}

/** A delivery row that was written with the fact, already in this process's hands if it delivers. */
export interface Outgoing { id: string; projectId: string; livemode: boolean; taskId: string | null; endpointId: string | null; eventType: string; style: string; url: string }

export interface Settled { ended: string[]; held: Set<string>; outgoing: Outgoing[] }

interface SettledRow {
  id: string; account_id: string; project_id: string; key_id: string | null; livemode: boolean; state: Settlement['state']; attempts: number
  price_micros: number; callback_url: string | null; style: string | null; s_attempt: Settlement['attemptOutcome']
}

/** Settles a group in one transaction. Members whose turn has passed are left out of `held`. */
export const settleGroup = (database: Database, deliverer: string | null) => (group: Settlement[]): Promise<Settled> =>
  database.transaction(client => settleIn(client, group, deliverer))

export async function settleIn(client: Client, group: Settlement[], deliverer: string | null): Promise<Settled> {
  const { rows } = await client.query<SettledRow>({ name: 'settle tasks', text: `
    with s as materialized (
      select * from jsonb_to_recordset($1) as s(id uuid, turn int, state text, due_at timestamptz, receipt jsonb, attempt text, uncount boolean, forced boolean, charged bigint, problem jsonb,
        text text, details jsonb, warnings jsonb, upstream_id text, progress int, ended boolean, provider text, upstream_model text)),
    locked as materialized (select t.id from task t join s on s.id = t.id and s.turn = t.turn where t.state = 'running' or s.forced and t.state in ('queued', 'waiting') order by t.id for update of t),
    settled as (
      update task t set state = s.state, worker = null, due_at = case when t.hinted and s.state = 'waiting' then now() else coalesce(s.due_at, t.due_at) end, hinted = false, receipt = s.receipt, turn = t.turn + s.forced::int,
        attempts = t.attempts - s.uncount::int, charged_micros = s.charged, problem = s.problem, text = coalesce(s.text, t.text),
        details = case when s.details is null then t.details else t.details || s.details end, warnings = case when s.warnings is null then t.warnings else t.warnings || s.warnings end,
        provider = coalesce(s.provider, t.provider), upstream_model = coalesce(s.upstream_model, t.upstream_model),
        upstream_id = case when s.provider is null then coalesce(s.upstream_id, t.upstream_id) end, progress = case when s.provider is null then coalesce(s.progress, t.progress) end, ended_at = case when s.ended then now() end
      from s join locked using (id) where t.id = s.id
      returning t.id, t.account_id, t.project_id, t.key_id, t.livemode, t.state, t.attempts + s.uncount::int as attempts, t.price_micros, t.callback_url, t.wire->>'protocol' as style,
        s.attempt as s_attempt, s.receipt as s_receipt, s.problem as s_problem, s.uncount as s_uncount),
    noted as (
      update attempt a set ended_at = case when s_attempt is null then null else now() end, outcome = s_attempt, problem = s_problem,
        receipt = coalesce(s_receipt, a.receipt), receipt_at = case when s_receipt is null then a.receipt_at else coalesce(a.receipt_at, now()) end
      from settled where a.task_id = settled.id and a.number = settled.attempts and a.ended_at is null)
    select id, account_id, project_id, key_id, livemode, state, attempts, price_micros, callback_url, style, s_attempt from settled` },
  [JSON.stringify(group.map(one => ({
    id: one.id, turn: one.turn, state: one.state, due_at: one.dueAt ?? null, receipt: one.receipt ?? null, attempt: one.attemptOutcome, uncount: one.uncount ?? false, forced: one.forced ?? false,
    charged: hasEnded(one.state as EndState) ? one.chargedMicros ?? 0 : null, problem: one.problem ?? null, text: one.text ?? null,
    details: one.details ?? null, warnings: one.warnings ?? null, upstream_id: one.upstreamId ?? null, progress: one.progress ?? null, ended: hasEnded(one.state as EndState),
    provider: one.route?.provider ?? null, upstream_model: one.route?.model ?? null,
  })))])

  const held = new Set(rows.map(row => row.id))
  const settlements = new Map(group.map(one => [one.id, one]))
  const ended = rows.filter(row => hasEnded(row.state as EndState))
  await close(client, ended.map(row => ({
    accountId: row.account_id, livemode: row.livemode, taskId: row.id, projectId: row.project_id, keyId: row.key_id,
    heldMicros: row.price_micros, chargedMicros: settlements.get(row.id)!.chargedMicros ?? 0,
  })))
  const open = rows.filter(({ s_attempt: outcome }) => outcome === 'unknown' || outcome === 'cancelled')
  const late = await beginLate(client, open.map(row => ({ taskId: row.id, number: row.attempts })))
  await writeCosts(client, rows.flatMap(row => {
    const { attemptOutcome, cost, chargedMicros = 0 } = settlements.get(row.id)!
    if (!row.livemode || attemptOutcome === null) return []
    const charged = hasEnded(row.state as EndState) ? chargedMicros : 0
    // What is still looked after is written down when that is over.
    const surely = attemptOutcome === 'done' || attemptOutcome === 'unknown' && !late.has(row.id) || charged > 0
    return cost || surely ? [{ taskId: row.id, number: row.attempts, cost: cost ?? unknownCost, chargedMicros: charged, late: false }] : []
  }))
  await insertOutputs(client, rows.flatMap(row => (settlements.get(row.id)!.outputs ?? []).map((output, position) => ({ row, output, position, late: false }))))
  await insertEvents(client, rows, settlements)
  const outgoing = await insertDeliveries(client, ended, row => endEvent[row.state as EndState], deliverer)
  return { ended: ended.map(row => row.id), held, outgoing }
}

interface WrittenOutput { row: Pick<SettledRow, 'id' | 'project_id' | 'livemode'>; output: NonNullable<Settlement['outputs']>[number]; position: number; late: boolean }

export async function insertOutputs(client: Client, outputs: WrittenOutput[]): Promise<void> {
  if (outputs.length === 0) return
  await client.query({ name: 'settle outputs', text: `
    with made as materialized (
      select * from jsonb_to_recordset($1) as o(id uuid, project_id uuid, livemode boolean, sha256 text, mime text, size_bytes bigint, width int, height int, name text, task_id uuid, position int, expires_at timestamptz, late boolean)),
    bytes as (
      insert into blob (sha256, mime, size_bytes, width, height) select distinct on (sha256) decode(sha256, 'hex'), mime, size_bytes, width, height from made order by sha256
      on conflict (sha256) do nothing)
    insert into asset (id, project_id, livemode, kind, sha256, name, task_id, position, expires_at, late)
    select id, project_id, livemode, 'output', decode(sha256, 'hex'), name, task_id, position, expires_at, late from made` },
  [JSON.stringify(outputs.map(({ row, output: { blob, name, expiresAt }, position, late }) => ({
    id: newId(), project_id: row.project_id, livemode: row.livemode, sha256: blob.sha256, mime: blob.mime, size_bytes: blob.sizeBytes,
    width: blob.width, height: blob.height, name, task_id: row.id, position, expires_at: expiresAt, late,
  })))])
}

async function insertEvents(client: Client, rows: SettledRow[], settlements: Map<string, Settlement>): Promise<void> {
  const events = rows.flatMap(row => {
    const settlement = settlements.get(row.id)!
    const type = hasEnded(row.state as EndState) ? endEvent[row.state as EndState] : settlement.event ?? null
    if (type === null) return []
    const data: Record<string, Json> = {}
    if (settlement.problem) data.problem = { code: settlement.problem.code, message: settlement.problem.message }
    if (settlement.progress !== undefined && settlement.progress !== null) data.progress = settlement.progress
    if (settlement.route) data.next = { provider: settlement.route.provider, model: settlement.route.model }
    return [{ row, type, data }]
  })
  if (events.length === 0) return
  await client.query({ name: 'settle events', text: `
    insert into event (project_id, livemode, task_id, type, data) select * from unnest($1::uuid[], $2::boolean[], $3::uuid[], $4::text[], $5::jsonb[])` },
  [events.map(one => one.row.project_id), events.map(one => one.row.livemode), events.map(one => one.row.id), events.map(one => one.type), events.map(one => JSON.stringify(one.data))])
}

interface Told extends Pick<SettledRow, 'id' | 'project_id' | 'livemode' | 'callback_url' | 'style'> {}

/** The outbox: one row per call back that was asked for and per endpoint that listens. Held by `deliverer` from the start, so that it need not be claimed. */
export async function insertDeliveries<Row extends Told>(client: Client, ended: Row[], typeOf: (row: Row) => EventType, deliverer: string | null): Promise<Outgoing[]> {
  if (ended.length === 0) return []
  const outgoing: Outgoing[] = []
  const of = (row: Row, endpointId: string | null, style: string, url: string) => outgoing.push({
    id: newId(), projectId: row.project_id, livemode: row.livemode, taskId: row.id, endpointId, eventType: typeOf(row), style, url })
  const { rows: endpoints } = await client.query<{ id: string; project_id: string; livemode: boolean; url: string; events: string[] }>({ name: 'settle endpoints', text: `
    select id, project_id, livemode, url, events from endpoint where enabled and project_id = any($1::uuid[])` }, [[...new Set(ended.map(row => row.project_id))]])
  for (const row of ended) {
    if (row.callback_url !== null) of(row, null, row.style ?? 'plantain', row.callback_url)
    for (const endpoint of endpoints) {
      if (endpoint.project_id !== row.project_id || endpoint.livemode !== row.livemode) continue
      if (endpoint.events.includes('*') || endpoint.events.includes(typeOf(row))) of(row, endpoint.id, 'plantain', endpoint.url)
    }
  }
  if (outgoing.length === 0) return outgoing
  await client.query({ name: 'settle deliveries', text: `
    insert into delivery (id, project_id, livemode, task_id, endpoint_id, event_type, style, url, worker)
    select *, $9::uuid from unnest($1::uuid[], $2::uuid[], $3::boolean[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[])` },
  [outgoing.map(one => one.id), outgoing.map(one => one.projectId), outgoing.map(one => one.livemode), outgoing.map(one => one.taskId), outgoing.map(one => one.endpointId),
    outgoing.map(one => one.eventType), outgoing.map(one => one.style), outgoing.map(one => one.url), deliverer])
  return outgoing
}
