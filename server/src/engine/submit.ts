/**
 * Accepting orders: idempotency, limits, hold, task row and event in one transaction, shared by everybody who asks meanwhile.
 *
 * A group decides for its members in the order they came: a purse that holds ten pictures pays for the first ten and refuses
 * the rest, whatever else is in the group. Absent on purpose: NOTIFY inside the transaction (it would serialise all commits).
 */
import type { Caller } from '../domain/caller.ts'
import type { CheckedOrder } from '../domain/card.ts'
import { formatDollars } from '../domain/money.ts'
import type { Order } from '../domain/order.ts'
import { Problem } from '../domain/problem.ts'
import type { TurnPlace } from '../domain/session.ts'
import { countDay, uncountDay, type Begun } from '../db/day.ts'
import type { Client, Database } from '../db/pool.ts'
import { availableIn, holdingOf, lockPurses, takeFrom } from '../ledger/ledger.ts'
import { takeTurns } from '../sessions/turns.ts'
import { answerRepeated, isAnswerable, isRepeatable, lastOfEqual } from './repeat.ts'

export interface Submission {
  id: string
  caller: Caller
  order: Order
  checked: CheckedOrder
  provider: string
  upstreamModel: string
  stickyKey: string | null
  attemptsMax: number
  startBy: Date | null
  endBy: Date
  /** SHA-256 over what the caller sent, to tell a repetition from a different order under the same key. */
  bodyHash: Buffer | null
  /** The row of a batch that becomes this task, as it was claimed. */
  row: { batchId: string; number: number; turn: number } | null
  /** The turn of a session that this task is. */
  turn: TurnPlace | null
}

export type Accepted = { kind: 'accepted' } | { kind: 'repeated'; taskId: string } | { kind: 'refused'; problem: Problem }

const accepted: Accepted = { kind: 'accepted' }

/** Seconds of rank between two waiting tasks of one account: every account's next task comes before anyone's second. */
const spacingS = 60
/** How long interactive work goes ahead of batch work. After that a batch task has waited its turn, so nobody starves. */
const batchHeadStartS = 600

/**
 * Writes a group of submissions. One transaction; answers in the order of the group.
 *
 * Nearly every group is as it should be: nobody sent anything twice and everybody can pay. It is looked at and written in one statement;
 * only where that finds something is the group gone through member by member.
 */
export const submitGroup = (database: Database) => async (group: Submission[]): Promise<Accepted[]> => {
  if (group.every(isPlain) && await write(database, group).catch(orFalse)) return group.map(() => accepted)
  return database.transaction(client => submitOneByOne(client, group))
}

/** Nothing of it is counted or linked elsewhere. */
const isPlain = ({ row, turn, caller }: Submission) => row === null && turn === null && caller.limits.executionsPerDay === null

/** Somebody else wrote one of our keys in this very moment (`must_hold`): nothing was written. */
const orFalse = (error: unknown): false => {
  if ((error as { code?: string }).code === 'PT409') return false
  throw error
}

async function submitOneByOne(client: Client, group: Submission[]): Promise<Accepted[]> {
  const answers = new Map<string, Accepted>()
  await refuseRepeated(client, group, answers)
  await answerRepeated(client, group.filter(one => !answers.has(one.id)), answers)
  await refuseWithoutInputs(client, group.filter(one => !answers.has(one.id)), answers)
  await refuseOverLimit(client, group.filter(one => !answers.has(one.id)), answers)

  const wanting = group.filter(one => !answers.has(one.id))
  const purses = await lockPurses(client, wanting.map(one => purseOf(one)))
  for (const one of wanting) {
    const available = availableIn(purses, purseOf(one))
    if (one.checked.priceMicros > available) answers.set(one.id, { kind: 'refused', problem: creditsRequired(one.checked.priceMicros, available) })
    else takeFrom(purses, purseOf(one), one.checked.priceMicros)
  }
  await linkRows(client, wanting.filter(one => !answers.has(one.id)), answers)
  await linkTurns(client, wanting.filter(one => !answers.has(one.id)), answers)
  const taken = wanting.filter(one => !answers.has(one.id))
  await giveBack(client, wanting.filter(one => answers.has(one.id)))
  if (taken.length > 0) await write(client, taken, { sure: true })
  return group.map(one => answers.get(one.id) ?? accepted)
}

/**
 * Makes rows of batches the tasks that are about to be written. A row is claimed under a turn and leaves that state here, in the
 * task's own transaction: whoever comes second, after whatever crash, finds it gone and buys nothing.
 */
async function linkRows(client: Client, group: Submission[], answers: Map<string, Accepted>): Promise<void> {
  const rows = group.flatMap(({ id, row }) => row ? [{ id, ...row }] : [])
  if (rows.length === 0) return
  const { rows: linked } = await client.query<{ task_id: string }>({ name: 'submit rows', text: `
    update batch_row r set state = 'making', task_id = w.task_id, worker = null
    from unnest($1::uuid[], $2::int[], $3::int[], $4::uuid[]) as w(batch_id, number, turn, task_id)
    where r.batch_id = w.batch_id and r.number = w.number and r.turn = w.turn and r.state = 'claimed' returning r.task_id` },
  [rows.map(row => row.batchId), rows.map(row => row.number), rows.map(row => row.turn), rows.map(row => row.id)])
  const ours = new Set(linked.map(row => row.task_id))
  for (const { id } of rows) if (!ours.has(id)) answers.set(id, { kind: 'refused', problem: new Problem('conflict', 'Somebody else has taken this row of the batch.', { row: 'taken' }) })
}

/** Writes tasks down as turns of their sessions, where they are. */
async function linkTurns(client: Client, group: Submission[], answers: Map<string, Accepted>): Promise<void> {
  const turns = group.flatMap(({ id, caller, turn }) => turn === null ? [] : [{ id, owner: caller, place: turn }])
  if (turns.length === 0) return
  for (const [id, problem] of await takeTurns(client, turns)) answers.set(id, { kind: 'refused', problem })
}

const purseOf = ({ caller: { accountId, livemode } }: Submission) => ({ accountId, livemode })

export const creditsRequired = (requiredMicros: number, availableMicros: number) =>
  new Problem('credits_required', `This needs $${formatDollars(requiredMicros)} and $${formatDollars(availableMicros)} is available. Add credits and send it again.`, { requiredMicros, availableMicros })

/**
 * Claims the idempotency keys. One that is there already belongs to an earlier order: the same one gives its task, another one
 * is refused. A transaction under way that holds the key makes us wait for its end, so fifty at once make one task.
 */
async function refuseRepeated(client: Client, group: Submission[], answers: Map<string, Accepted>): Promise<void> {
  const keyed = group.filter(one => one.order.idempotencyKey !== undefined)
  if (keyed.length === 0) return
  // In one order everywhere: two groups that share two keys must not wait for each other.
  keyed.sort((a, b) => a.order.idempotencyKey! < b.order.idempotencyKey! ? -1 : 1)
  const columns = [keyed.map(one => one.caller.projectId), keyed.map(one => one.caller.livemode), keyed.map(one => one.order.idempotencyKey)]
  const { rows: claimed } = await client.query<{ task_id: string }>({ name: 'submit keys', text: `
    insert into idempotency (project_id, livemode, key, body_sha256, task_id)
    select * from unnest($1::uuid[], $2::boolean[], $3::text[], $4::bytea[], $5::uuid[]) on conflict do nothing returning task_id` },
  [...columns, keyed.map(one => one.bodyHash), keyed.map(one => one.id)])
  const own = new Set(claimed.map(row => row.task_id))
  if (own.size === keyed.length) return
  const { rows } = await client.query<{ project_id: string; livemode: boolean; key: string; body_sha256: Buffer; task_id: string }>({ name: 'submit earlier', text: `
    select project_id, livemode, key, body_sha256, task_id from idempotency
    where (project_id, livemode, key) in (select * from unnest($1::uuid[], $2::boolean[], $3::text[]))` }, columns)
  for (const one of keyed) {
    if (own.has(one.id)) continue
    const earlier = rows.find(row => row.key === one.order.idempotencyKey && row.project_id === one.caller.projectId && row.livemode === one.caller.livemode)
    if (!earlier) throw new Error('An idempotency key was taken and is gone.')
    answers.set(one.id, earlier.body_sha256.equals(one.bodyHash!)
      ? { kind: 'repeated', taskId: earlier.task_id }
      : { kind: 'refused', problem: new Problem('idempotency_mismatch', 'This Idempotency-Key was used with another body within the last 24 hours. Use a new key for a new order.', { field: 'Idempotency-Key' }) })
  }
}

/** Holds on to the inputs until the task that names them is written: nobody can remove them in between. What is gone already is refused. */
async function refuseWithoutInputs(client: Client, group: Submission[], answers: Map<string, Accepted>): Promise<void> {
  const wanted = [...new Set(group.flatMap(one => one.order.inputs.map(input => input.assetId)))].sort()
  if (wanted.length === 0) return
  const { rows } = await client.query<{ id: string }>({ name: 'submit inputs', text: 'select id from asset where id = any($1::uuid[]) order by id for key share' }, [wanted])
  const there = new Set(rows.map(row => row.id))
  for (const one of group) {
    const index = one.order.inputs.findIndex(input => !there.has(input.assetId))
    if (index >= 0) answers.set(one.id, { kind: 'refused', problem: new Problem('bad_input_image', `Input ${index + 1} is not there any more. Upload it again.`, { field: `inputs[${index}]`, value: one.order.inputs[index]!.assetId }) })
  }
  await forgetKeys(client, group.filter(one => answers.has(one.id)))
}

/** Counts executions a day per key (UTC days) and refuses what is over. The row stays locked to the commit, so the count is exact. */
async function refuseOverLimit(client: Client, group: Submission[], answers: Map<string, Accepted>): Promise<void> {
  const limited = new Map<string, Submission[]>()
  for (const one of group) if (one.caller.limits.executionsPerDay !== null) limited.set(one.caller.keyId, [...limited.get(one.caller.keyId) ?? [], one])
  if (limited.size === 0) return
  const days = await countDay(client, [...limited].map(([keyId, { length: count }]) => ({ keyId, count })))
  const over: Begun[] = []
  for (const { keyId, count, resetS } of days) {
    const members = limited.get(keyId)!
    const max = members[0]!.caller.limits.executionsPerDay!
    const excess = Math.min(members.length, count - max)
    if (excess <= 0) continue
    over.push({ keyId, count: excess })
    for (const one of members.slice(members.length - excess)) answers.set(one.id, { kind: 'refused', problem: new Problem('rate_limited',
      `This key may make ${max} tasks a day, and has. The next day begins in ${resetS} s (UTC).`, { retryAfterS: resetS, limit: { name: 'executions_per_day', max, remaining: 0, resetS } }) })
  }
  await uncountDay(client, over)
  await forgetKeys(client, group.filter(one => answers.has(one.id)))
}

/** A refused order keeps nothing: neither its idempotency key nor its place in the day. */
async function giveBack(client: Client, refused: Submission[]): Promise<void> {
  await forgetKeys(client, refused)
  const counts = new Map<string, number>()
  for (const one of refused) if (one.caller.limits.executionsPerDay !== null) counts.set(one.caller.keyId, (counts.get(one.caller.keyId) ?? 0) + 1)
  await uncountDay(client, [...counts].map(([keyId, count]) => ({ keyId, count })))
}

const forgetKeys = async (client: Client, refused: Submission[]) => {
  const keyed = refused.filter(one => one.order.idempotencyKey !== undefined)
  if (keyed.length > 0) await client.query({ name: 'submit forget', text: 'delete from idempotency where task_id = any($1::uuid[])' }, [keyed.map(one => one.id)])
}

/**
 * Tasks, events, holds, keys and remembered calls of a group, in one statement. False, and nothing written, where a member was sent
 * before, names an input that is gone, or cannot be paid. `sure`: all that was looked into, in the same transaction, and the keys are written.
 *
 * Locks are taken in the order of the house: keys, remembered calls, purses. The counts that stand between them make the order sure: a part
 * of a statement runs when somebody asks for what it gives. `lateral` keeps the planner from reading whole tables for a group, and
 * `limit` does where it cannot stand: purses are few.
 *
 * The order of admission (`rank`) is time, spread per account: a task's rank is now, or a minute after the account's last waiting one.
 * So the first waiting task of every account is about as old as it looks, a burst of a thousand lies in the future, and one
 * index in rank order is fair between accounts without any bookkeeping when work is taken.
 */
async function write(client: Client, group: Submission[], { sure = false } = {}): Promise<boolean> {
  const places = new Map<string, number>()
  const lastCalls = new Set(lastOfEqual(group))
  const rows = group.map(one => {
    const priority = one.order.priority ?? 'interactive'
    const line = `${one.caller.accountId} ${priority}`
    const place = places.get(line) ?? 0
    places.set(line, place + 1)
    return {
      id: one.id, account_id: one.caller.accountId, project_id: one.caller.projectId, key_id: one.caller.keyId, livemode: one.caller.livemode,
      attempts_max: one.attemptsMax, model: one.checked.card.id, model_asked: one.order.model, operation: one.checked.operation, prompt: one.order.prompt,
      parameters: one.checked.parameters, inputs: one.order.inputs, count: one.checked.count, partials: one.order.partials ?? 0, width: one.checked.width, height: one.checked.height,
      priority, place, provider: one.provider, upstream_model: one.upstreamModel,
      price_micros: one.checked.priceMicros, warnings: [...one.order.warnings ?? [], ...one.checked.warnings], metadata: one.order.metadata ?? {},
      callback_url: one.order.callbackUrl ?? null, wire: one.order.wire ?? null, sticky_key: one.stickyKey, template: one.checked.template ?? null, start_by: one.startBy, end_by: one.endBy,
      key: one.order.idempotencyKey ?? null, body: one.bodyHash?.toString('hex') ?? null, retried: isRepeatable(one) ? one.order.retryCount! > 0 : null, remember: lastCalls.has(one),
    }
  })
  const inputs = sure ? [] : [...new Set(group.flatMap(one => one.order.inputs.map(input => input.assetId)))]
  const { rows: [row] } = await client.query<{ written: boolean }>({ name: 'submit write', text: `
    with s as materialized (
      select *, decode(body, 'hex') as sha256 from jsonb_to_recordset($1) as s(id uuid, account_id uuid, project_id uuid, key_id uuid, livemode boolean, attempts_max int, model text, model_asked text,
        operation text, prompt text, parameters jsonb, inputs jsonb, count int, partials int, width int, height int, priority text, place int, provider text,
        upstream_model text, price_micros bigint, warnings jsonb, metadata jsonb, callback_url text, wire jsonb, sticky_key text, template jsonb, start_by timestamptz, end_by timestamptz,
        key text, body text, retried boolean, remember boolean)),
    there as materialized (select id from asset where id = any($2::uuid[]) order by id for key share),
    new as materialized (
      select not $3 and (select count(*) from there) = cardinality($2::uuid[])
        and not exists (select from s cross join lateral (
          select from idempotency i where i.project_id = s.project_id and i.livemode = s.livemode and i.key = s.key limit 1) earlier)
        and not exists (select from s cross join lateral (
          select from recent_call c join task t on t.id = c.task_id where c.key_id = s.key_id and c.body_sha256 = s.sha256 and ${isAnswerable} and (c.unanswered or s.retried) limit 1) earlier
          where s.retried is not null) as all_new),
    keyed as (
      insert into idempotency (project_id, livemode, key, body_sha256, task_id)
      select project_id, livemode, key, sha256, id from s, new where all_new and key is not null order by key
      on conflict do nothing returning task_id),
    bill as materialized (select account_id, livemode, sum(price_micros)::bigint as micros from s group by 1, 2 limit $4),
    called as materialized (
      select c.key_id from (select key_id, sha256 from s, new where all_new and remember and (select count(*) from keyed) = (select count(key) from s) order by 1, 2) s
      cross join lateral (select key_id from recent_call c where c.key_id = s.key_id and c.body_sha256 = s.sha256 for update) c),
    purse as materialized (
      select suffices from (
        select account_id, livemode, micros from bill, new where all_new and (select count(*) from called) >= 0 and (select count(*) from keyed) = (select count(key) from s) order by 1, 2) bill
      cross join lateral (
        select b.available_micros >= bill.micros as suffices from balance b where b.account_id = bill.account_id and b.livemode = bill.livemode for update) b),
    verdict as materialized (select $3 or (select count(*) filter (where suffices) from purse) = (select count(*) from bill) as written),
    backlog as materialized (
      select account_id, priority, (select max(t.rank) from task t where t.account_id = line.account_id and t.priority = line.priority and t.state = 'queued') as rank
      from (select distinct account_id, priority from s) line),
    task_row as (
      insert into task (id, account_id, project_id, key_id, livemode, attempts_max, model, model_asked, operation, prompt, parameters, inputs, count, partials, width, height,
        priority, rank, provider, upstream_model, price_micros, warnings, metadata, callback_url, wire, sticky_key, template, start_by, end_by)
      select id, account_id, project_id, key_id, livemode, attempts_max, model, model_asked, operation, prompt, parameters, inputs, count, partials, width, height,
        priority, greatest(extract(epoch from now()) + case priority when 'batch' then ${batchHeadStartS} else 0 end, backlog.rank + ${spacingS}) + place * ${spacingS},
        provider, upstream_model, price_micros, warnings, metadata, callback_url, wire, sticky_key, template, start_by, end_by
      from s join backlog using (account_id, priority), verdict where written
      returning id, project_id, livemode),
    told as (insert into event (project_id, livemode, task_id, type) select project_id, livemode, id, 'task.created' from task_row),
    ${holdingOf('s')},
    remembered as (
      insert into recent_call (key_id, body_sha256, task_id) select key_id, sha256, id from s, verdict where written and remember order by key_id, sha256
      on conflict (key_id, body_sha256) do update set task_id = excluded.task_id, unanswered = false, created_at = now())
    select written, must_hold(written or not exists (select from keyed)) from verdict` }, [JSON.stringify(rows), inputs, sure, rows.length])
  return row!.written
}
