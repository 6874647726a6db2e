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
import { endEvent, hasEnded, type EndState, type EventType, type Task } from '../domain/task.ts'
import { handingOf, type Outgoing } from '../db/deliveries.ts'
import type { Client, Database } from '../db/pool.ts'
import type { Cost } from '../domain/usage.ts'
import { unknownCost, writeCosts } from '../ledger/costs.ts'
import { closingOf } from '../ledger/ledger.ts'
import { beginLate } from './late.ts'
import { readTask, taskColumns, type OutputRow, type Receipt, type TaskRow } from './rows.ts'

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

export type { Outgoing } from '../db/deliveries.ts'

export interface Settled {
  ended: string[]
  held: Set<string>
  outgoing: Outgoing[]
  /** Tasks as they stand now, of those that were asked for and have nothing but their outputs to be read elsewhere. */
  read: Task[]
}

interface SettledRow extends TaskRow { s_number: number; s_attempt: Settlement['attemptOutcome']; /** Of the whole group, with its first row. */ deliveries: Delivering[] | null }
type Delivering = [id: string, taskId: string, endpointId: string | null, eventType: string, style: string, url: string]

/** Settles a group in one transaction. Members whose turn has passed are left out of `held`. `isAwaited`: somebody here would read it next. */
export const settleGroup = (database: Database, deliverer: string | null, isAwaited: (id: string) => boolean = () => false) => (group: Settlement[]): Promise<Settled> =>
  group.every(isPlain) ? settlePlain(database, group, deliverer, isAwaited) : database.transaction(client => settleIn(client, group, deliverer))

/** Nothing but its own rows hangs on it: no attempt to look after, no search to count. */
const isPlain = ({ attemptOutcome, cost }: Settlement): boolean => attemptOutcome !== 'unknown' && attemptOutcome !== 'cancelled' && !isSearching(cost)
const isSearching = (cost: Cost | undefined): boolean => (cost?.usage?.searches ?? 0) > 0

/** Settles a group that need not be plain, in a transaction under way. */
export async function settleIn(client: Client, group: Settlement[], deliverer: string | null): Promise<Settled> {
  const settled = await settlePlain(client, group, deliverer)
  const special = group.filter(one => settled.held.has(one.id) && !isPlain(one))
  if (special.length === 0) return settled
  const late = await beginLate(client, special.filter(({ attemptOutcome: outcome }) => outcome === 'unknown' || outcome === 'cancelled').map(({ id }) => ({ taskId: id, number: settled.numbers.get(id)!.number })))
  await writeCosts(client, special.flatMap(one => {
    const { number, livemode } = settled.numbers.get(one.id)!
    const cost = costOf(one, late.has(one.id))
    return livemode && cost ? [{ taskId: one.id, number, cost, chargedMicros: chargedOf(one), late: false }] : []
  }))
  return settled
}

const chargedOf = ({ state, chargedMicros = 0 }: Settlement): number => hasEnded(state as EndState) ? chargedMicros : 0

/** What is written down of an attempt's cost. What is still looked after is written down when that is over. */
const costOf = (one: Settlement, isLookedAfter: boolean): Cost | undefined => {
  if (one.attemptOutcome === null) return undefined
  const surely = one.attemptOutcome === 'done' || one.attemptOutcome === 'unknown' && !isLookedAfter || chargedOf(one) > 0
  return one.cost ?? (surely ? unknownCost : undefined)
}

/**
 * Task, attempt, money, cost, outputs, event and outbox, in one statement.
 *
 * Locks are taken in the order of the house: tasks by id, then purses; a part of a statement runs when another asks for what it gives.
 *
 * A plan is made for a group nobody has seen and kept for groups of 250. Where it paired every member with every other one it took 100 to 230 ms and
 * not 35, so what could be paired is not: tasks are looked up one by one in `locked`, which also spares reading all that is queued (the second
 * `id = id` says that few are found); `case` hides from the planner how seldom an attempt is open, else it began with those; and deliveries come all in one, with the first row.
 */
async function settlePlain(client: Client, group: Settlement[], deliverer: string | null, isAwaited: (id: string) => boolean = () => false): Promise<Settled & { numbers: Map<string, { number: number; livemode: boolean }> }> {
  const awaited = group.some(one => one.state === 'done' && isAwaited(one.id))
  const made = group.flatMap(one => (one.outputs ?? []).map((output, position) => ({ taskId: one.id, id: newId(), position, ...output })))
  const madeFor = Map.groupBy(made, one => one.taskId)
  const hand = deliverer === null ? null : newId()
  const { rows } = await client.query<SettledRow>({ name: awaited ? 'settle and read' : 'settle', text: `
    with s as materialized (
      select * from jsonb_to_recordset($1) as s(id uuid, turn int, state text, due_at timestamptz, receipt jsonb, attempt text, uncount boolean, forced boolean, charged bigint, problem jsonb,
        text text, details jsonb, warnings jsonb, upstream_id text, progress int, ended boolean, provider text, upstream_model text,
        cost_basis text, cost_micros bigint, cost_usage jsonb, event_type text, event_data jsonb)),
    locked as materialized (
      select s.id from (select id, turn, forced from s order by id) s
      cross join lateral (select t.id from task t where t.id = s.id and t.turn = s.turn and (t.state = 'running' or s.forced and t.state in ('queued', 'waiting')) for update) t
      where t.id = s.id),
    settled as (
      update task t set state = s.state, worker = null, due_at = case when t.hinted and s.state = 'waiting' then now() else coalesce(s.due_at, t.due_at) end, hinted = false, receipt = s.receipt, turn = t.turn + s.forced::int,
        attempts = t.attempts - s.uncount::int, charged_micros = s.charged, problem = s.problem, text = coalesce(s.text, t.text),
        details = case when s.details is null then t.details else t.details || s.details end, warnings = case when s.warnings is null then t.warnings else t.warnings || s.warnings end,
        provider = coalesce(s.provider, t.provider), upstream_model = coalesce(s.upstream_model, t.upstream_model),
        upstream_id = case when s.provider is null then coalesce(s.upstream_id, t.upstream_id) end, progress = case when s.provider is null then coalesce(s.progress, t.progress) end, ended_at = case when s.ended then now() end
      from s join locked using (id) where t.id = s.id
      returning ${taskColumns}, t.attempts + s.uncount::int as s_number, s.attempt as s_attempt, s.ended as s_ended, s.event_type as s_event, s.event_data as s_data),
    noted as (
      update attempt a set ended_at = case when s_attempt is null then null else now() end, outcome = s_attempt, problem = t.problem,
        receipt = coalesce(t.receipt, a.receipt), receipt_at = case when t.receipt is null then a.receipt_at else coalesce(a.receipt_at, now()) end
      from settled t where a.task_id = t.id and a.number = t.s_number and case when a.ended_at is null then true end),
    ${closingOf('select account_id, project_id, key_id, livemode, id as task_id, price_micros as held, coalesce(charged_micros, 0) as charged from settled where s_ended', '$4')},
    costed as (
      insert into provider_cost (task_id, number, account_id, project_id, provider, upstream_model, model, micros, basis, usage, charged_micros)
      select t.id, t.s_number, t.account_id, t.project_id, coalesce(a.provider, t.provider), coalesce(a.upstream_model, t.upstream_model), t.model, s.cost_micros, s.cost_basis, s.cost_usage, coalesce(s.charged, 0)
      from settled t join s using (id) left join attempt a on a.task_id = t.id and a.number = t.s_number where t.livemode and s.cost_basis is not null
      on conflict (task_id, number, (micros is null)) do nothing),
    made as materialized (
      select o.*, t.project_id, t.livemode from jsonb_to_recordset($2) as o(${outputColumns}) join settled t on t.id = o.task_id),
    ${keepingOf('made', 'false')},
    told as (insert into event (project_id, livemode, task_id, type, data) select project_id, livemode, id, s_event, s_data from settled where s_event is not null),
    delivering as (
      insert into delivery (id, project_id, livemode, task_id, endpoint_id, event_type, style, url)
      select new_id(), t.project_id, t.livemode, t.id, null, t.s_event, coalesce(t.wire->>'protocol', 'plantain'), t.callback_url from settled t where t.s_ended and t.callback_url is not null
      union all
      select new_id(), t.project_id, t.livemode, t.id, e.id, t.s_event, 'plantain', e.url from settled t join endpoint e on e.project_id = t.project_id and e.livemode = t.livemode
      where t.s_ended and e.enabled and (e.events @> array['*'] or e.events @> array[t.s_event])
      returning id, task_id, endpoint_id, event_type, style, url),
    ${handingOf('delivering', '$3::uuid', '$5::uuid')},
    delivered as materialized (
      select jsonb_agg(jsonb_build_array(replace(id::text, '-', ''), replace(task_id::text, '-', ''), replace(endpoint_id::text, '-', ''), event_type, style, url)) as deliveries from delivering)
    select ${awaited ? 't.*' : 't.id, t.project_id, t.livemode, t.state, t.s_number'}, case when row_number() over () = 1 then (select deliveries from delivered) end as deliveries from settled t` },
  [JSON.stringify(group.map(one => {
    const cost = isPlain(one) ? costOf(one, false) : undefined
    const ended = hasEnded(one.state as EndState)
    return {
      id: one.id, turn: one.turn, state: one.state, due_at: one.dueAt ?? null, receipt: one.receipt ?? null, attempt: one.attemptOutcome, uncount: one.uncount ?? false, forced: one.forced ?? false,
      charged: ended ? one.chargedMicros ?? 0 : null, problem: one.problem ?? null, text: one.text ?? null,
      details: one.details ?? null, warnings: one.warnings ?? null, upstream_id: one.upstreamId ?? null, progress: one.progress ?? null, ended,
      provider: one.route?.provider ?? null, upstream_model: one.route?.model ?? null,
      ...cost ? { cost_basis: cost.basis, cost_micros: cost.micros, cost_usage: cost.usage } : {}, ...eventOf(one),
    }
  })), JSON.stringify(made.map(({ taskId, ...output }) => writeOutput(taskId, output))), deliverer, group.length, hand])

  const byId = new Map(rows.map(row => [row.id, row]))
  return {
    ended: rows.filter(row => hasEnded(row.state as EndState)).map(row => row.id),
    held: new Set(rows.map(row => row.id)),
    numbers: new Map(rows.map(row => [row.id, { number: row.s_number, livemode: row.livemode }])),
    outgoing: (rows[0]?.deliveries ?? []).map(([id, taskId, endpointId, eventType, style, url]) => {
      const { project_id: projectId, livemode } = byId.get(taskId)!
      return { id, projectId, livemode, taskId, endpointId, eventType, style, url, hand }
    }),
    read: awaited ? rows.filter(row => row.state === 'done' && row.attempts === 1 && row.problem === null && isAwaited(row.id))
      .map(row => readTask({ ...row, outputs: (madeFor.get(row.id) ?? []).map(one => showOutput(one, row.ended_at!)) })) : [],
  }
}

/** What is told of it. */
function eventOf(one: Settlement): { event_type?: EventType; event_data?: Record<string, Json> } {
  const type = hasEnded(one.state as EndState) ? endEvent[one.state as EndState] : one.event ?? null
  if (type === null) return {}
  const data: Record<string, Json> = {}
  if (one.problem) data.problem = { code: one.problem.code, message: one.problem.message }
  if (one.progress !== undefined && one.progress !== null) data.progress = one.progress
  if (one.route) data.next = { provider: one.route.provider, model: one.route.model }
  return { event_type: type, event_data: data }
}

type Output = NonNullable<Settlement['outputs']>[number] & { id: string; position: number }

/** How an output goes to the database, for `jsonb_to_recordset`. */
const outputColumns = 'id uuid, task_id uuid, position int, sha256 text, mime text, size_bytes bigint, width int, height int, name text, expires_at timestamptz'
const writeOutput = (taskId: string, { id, position, blob, name, expiresAt }: Output) =>
  ({ id, task_id: taskId, position, sha256: blob.sha256, mime: blob.mime, size_bytes: blob.sizeBytes, width: blob.width, height: blob.height, name, expires_at: expiresAt })
/** The same as the database gives it back (`withOutputs`). */
const showOutput = ({ id, blob, name, expiresAt }: Output, createdAt: Date): OutputRow =>
  ({ id, sha256: blob.sha256, mime: blob.mime, size_bytes: blob.sizeBytes, width: blob.width, height: blob.height, name, created_at: createdAt.toISOString(), expires_at: expiresAt?.toISOString() ?? null })

/** The parts of a statement that keep outputs; `from` is one of its parts, with the columns of an output, its project and mode. */
const keepingOf = (from: string, late: 'true' | 'false') => `
    bytes as (
      insert into blob (sha256, mime, size_bytes, width, height) select distinct on (sha256) decode(sha256, 'hex'), mime, size_bytes, width, height from ${from} order by sha256
      on conflict (sha256) do nothing),
    kept as (
      insert into asset (id, project_id, livemode, kind, sha256, name, task_id, position, expires_at, late)
      select id, project_id, livemode, 'output', decode(sha256, 'hex'), name, task_id, position, expires_at, ${late} from ${from})`

/** Gives a task that has ended what was made for it in the end. */
export async function insertLate(client: Client, row: Pick<TaskRow, 'id' | 'project_id' | 'livemode'>, outputs: NonNullable<Settlement['outputs']>): Promise<void> {
  if (outputs.length === 0) return
  await client.query({ name: 'settle late outputs', text: `
    with made as materialized (select o.*, $2::uuid as project_id, $3::boolean as livemode from jsonb_to_recordset($1) as o(${outputColumns})), ${keepingOf('made', 'true')}
    select` }, [JSON.stringify(outputs.map((output, position) => writeOutput(row.id, { ...output, id: newId(), position }))), row.project_id, row.livemode])
}

/** Tells the endpoints that listen for what came after a task had ended. Held by `deliverer` from the start, so that it need not be claimed. */
export async function deliverLate(client: Client, row: Pick<TaskRow, 'id' | 'project_id' | 'livemode'>, eventType: EventType, deliverer: string | null): Promise<Outgoing[]> {
  const hand = deliverer === null ? null : newId()
  const { rows } = await client.query<{ id: string; endpoint_id: string; url: string }>({ name: 'settle late deliveries', text: `
    with delivering as (
      insert into delivery (id, project_id, livemode, task_id, endpoint_id, event_type, style, url)
      select new_id(), $2, $3, $1, id, $4, 'plantain', url from endpoint where enabled and project_id = $2 and livemode = $3 and (events @> array['*'] or events @> array[$4])
      returning id, endpoint_id, url),
    ${handingOf('delivering', '$5::uuid', '$6::uuid')}
    select id, endpoint_id, url from delivering` }, [row.id, row.project_id, row.livemode, eventType, deliverer, hand])
  return rows.map(one => ({ id: one.id, projectId: row.project_id, livemode: row.livemode, taskId: row.id, endpointId: one.endpoint_id, eventType, style: 'plantain', url: one.url, hand }))
}
