/**
 * Running workflows from outside: by an address nobody can guess, or by the clock.
 *
 * A webhook's address is shown once and kept as a hash. A schedule's time is begun under a key made of trigger and time, so that it is begun once
 * whatever stops in between; times that passed while nobody was there are handled as its policy says.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { Caller } from '../domain/caller.ts'
import type { Trigger, TriggerOrder } from '../domain/graph/execution.ts'
import type { Json } from '../domain/outcome.ts'
import { asProblem, Problem, storeProblem, type StoredProblem } from '../domain/problem.ts'
import type { Client, Database } from '../db/pool.ts'
import { dueTimes, readCron } from '../kit/cron.ts'
import { isId, newId, randomText } from '../kit/id.ts'

interface TriggerRow {
  id: string; workflow_id: string; account_id: string; project_id: string; key_id: string | null; livemode: boolean; kind: 'webhook' | 'schedule'; enabled: boolean
  hook_prefix: string | null; secret: string | null; per_minute: number | null; cron: string | null; time_zone: string | null; missed: Trigger['missed']; next_at: Date | null; last_at: Date | null; last_problem: StoredProblem | null
  inputs: Record<string, Json>; created_at: Date
}
const columns = 'id, workflow_id, account_id, project_id, key_id, livemode, kind, enabled, hook_prefix, secret, per_minute, cron, time_zone, missed, next_at, last_at, last_problem, inputs, created_at'
/** Whether the key a trigger acts for still opens anything: one that was revoked begins nothing more. */
const acts = 'exists (select from api_key k where k.id = workflow_trigger.key_id and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())) as acts'
const keyGone = 'the key that made it was revoked or has expired'

const read = (row: TriggerRow): Trigger => ({
  id: row.id, workflowId: row.workflow_id, kind: row.kind, enabled: row.enabled, livemode: row.livemode, prefix: row.hook_prefix, signed: row.secret !== null, perMinute: row.per_minute,
  cron: row.cron, timeZone: row.time_zone, missed: row.missed, nextAt: row.next_at, lastAt: row.last_at, lastProblem: row.last_problem, inputs: row.inputs, createdAt: row.created_at,
})

/** Who a trigger acts for: the key that made it, without its limits. */
const callerOf = (row: TriggerRow): Caller => ({
  keyId: row.key_id!, keyName: `${row.kind} trigger`, keyPrefix: '', accountId: row.account_id, projectId: row.project_id, livemode: row.livemode,
  scopes: ['tasks:read', 'tasks:write', 'assets:read', 'assets:write'], limits: { requestsPerMinute: null, executionsPerDay: null, concurrent: null },
})

/** An id is one address, with its dashes and without. */
const hashOf = (hook: string): Buffer => createHash('sha256').update(isId(hook) ? hook.replaceAll('-', '') : hook).digest()
const perMinuteMax = 10_000
const perMinuteDefault = 60

export async function createTrigger(database: Database, caller: Caller, workflowId: string, order: TriggerOrder, now: Date): Promise<{ trigger: Trigger; hook: string | null; secret: string | null }> {
  const id = newId()
  const hook = order.kind === 'webhook' ? order.hook ?? `whk_${randomText(32)}` : null
  if (hook !== null && !/^[\w-]{16,128}$/.test(hook)) throw new Problem('bad_request', 'The address of a webhook is 16 to 128 letters, digits, hyphens and underscores that nobody can guess.', { field: 'hook' })
  const taken = () => new Problem('conflict', 'There is a webhook at this address already. Choose another one.', { field: 'hook' })
  // The id of a workflow is an address for that one alone: nobody else waits there for what is sent to it.
  if (hook !== null && isId(hook) && hook.replaceAll('-', '') !== workflowId && (await database.query('select from workflow where id = $1', [hook])).rowCount !== 0) throw taken()
  const secret = order.kind === 'webhook' && order.signed ? `whs_${randomText(40)}` : null
  if (order.kind === 'webhook') checkRate(order.perMinute)
  const next = order.kind === 'schedule' ? readCron(order.cron, order.timeZone).nextRun(now) : null
  const { rows: [row] } = await database.query<TriggerRow>(
    `insert into workflow_trigger (id, workflow_id, account_id, project_id, key_id, livemode, kind, hook_hash, hook_prefix, secret, per_minute, cron, time_zone, missed, next_at, inputs)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) on conflict (hook_hash) do nothing returning ${columns}`,
    [id, workflowId, caller.accountId, caller.projectId, caller.keyId, caller.livemode, order.kind, hook && hashOf(hook), hook && hook.slice(0, 8), secret, order.kind === 'webhook' ? order.perMinute ?? perMinuteDefault : null,
      order.kind === 'schedule' ? order.cron : null, order.kind === 'schedule' ? order.timeZone : null, order.kind === 'schedule' ? order.missed : null, next, JSON.stringify(order.inputs ?? {})])
  if (!row) throw taken()
  return { trigger: read(row), hook, secret }
}

function checkRate(perMinute: number | undefined): void {
  if (perMinute !== undefined && !(Number.isInteger(perMinute) && perMinute >= 1 && perMinute <= perMinuteMax)) throw new Problem('bad_request', `per_minute is a whole number from 1 to ${perMinuteMax}.`, { field: 'per_minute', value: perMinute })
}

export async function listTriggers(client: Client, caller: Caller, workflowId: string): Promise<Trigger[]> {
  const { rows } = await client.query<TriggerRow>(`select ${columns} from workflow_trigger where workflow_id = $1 and project_id = $2 and livemode = $3 order by id`, [workflowId, caller.projectId, caller.livemode])
  return rows.map(read)
}

export async function findTrigger(client: Client, caller: Caller, id: string): Promise<Trigger | null> {
  const { rows: [row] } = await client.query<TriggerRow>(`select ${columns} from workflow_trigger where id = $1 and project_id = $2 and livemode = $3`, [id, caller.projectId, caller.livemode])
  return row ? read(row) : null
}

export async function changeTrigger(database: Database, caller: Caller, id: string, change: { enabled?: boolean; perMinute?: number; inputs?: Record<string, Json> }, now: Date): Promise<Trigger> {
  checkRate(change.perMinute)
  const { rows: [row] } = await database.query<TriggerRow>(
    `update workflow_trigger set enabled = coalesce($4, enabled), per_minute = case when kind = 'webhook' then coalesce($5, per_minute) end, inputs = coalesce($6, inputs) where id = $1 and project_id = $2 and livemode = $3 returning ${columns}`,
    [id, caller.projectId, caller.livemode, change.enabled ?? null, change.perMinute ?? null, change.inputs === undefined ? null : JSON.stringify(change.inputs)])
  if (!row) throw new Problem('not_found', 'There is no such trigger.')
  // Switched on again, a schedule goes on from now: what passed meanwhile was not missed but not wanted.
  if (change.enabled === true && row.kind === 'schedule') {
    const next = readCron(row.cron!, row.time_zone!).nextRun(now)
    await database.query('update workflow_trigger set next_at = $2 where id = $1', [id, next])
    row.next_at = next
  }
  return read(row)
}

export async function removeTrigger(client: Client, caller: Caller, id: string): Promise<boolean> {
  const { rowCount } = await client.query('delete from workflow_trigger where id = $1 and project_id = $2 and livemode = $3', [id, caller.projectId, caller.livemode])
  return rowCount === 1
}

/** A new address; the old one opens nothing from now on. */
export async function rotateTrigger(client: Client, caller: Caller, id: string): Promise<{ trigger: Trigger; hook: string }> {
  const hook = `whk_${randomText(32)}`
  const { rows: [row] } = await client.query<TriggerRow>(`update workflow_trigger set hook_hash = $4, hook_prefix = $5 where id = $1 and project_id = $2 and livemode = $3 and kind = 'webhook' returning ${columns}`, [id, caller.projectId, caller.livemode, hashOf(hook), hook.slice(0, 8)])
  if (!row) throw new Problem('not_found', 'There is no such webhook.')
  return { trigger: read(row), hook }
}

export interface Fired { caller: Caller; workflowId: string; inputs: Record<string, Json>; trigger: string }

async function hookOf(client: Client, hook: string): Promise<TriggerRow> {
  const { rows: [row] } = await client.query<TriggerRow & { acts: boolean }>(`select ${columns}, ${acts} from workflow_trigger where hook_hash = $1`, [hashOf(hook)])
  if (!row || !row.enabled || !row.acts) throw new Problem('not_found', `There is no such webhook, or it was switched off, or ${keyGone}.`)
  return row
}

/** What an address opens. @throws {Problem} `not_found` */
export async function findHook(client: Client, hook: string): Promise<Trigger & { caller: Caller }> {
  const row = await hookOf(client, hook)
  return { ...read(row), caller: callerOf(row) }
}

/**
 * Lets a call to a webhook's address in.
 *
 * @param signature the header `X-Signature-256`: `sha256=` and the hexadecimal HMAC-SHA256 of the body, where the webhook wants one
 * @throws {Problem} `not_found`, `unauthorized` for a signature that is missing or wrong, `rate_limited`
 */
export async function openHook(database: Database, hook: string, body: Uint8Array, signature: string | undefined): Promise<Fired> {
  const row = await hookOf(database, hook)
  if (row.secret !== null) {
    const expected = Buffer.from(`sha256=${createHmac('sha256', row.secret).update(body).digest('hex')}`)
    const given = Buffer.from(signature ?? '')
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw new Problem('unauthorized', 'This webhook wants a signature: X-Signature-256 with sha256= and the HMAC-SHA256 of the body under its secret, in hexadecimal.')
  }
  const { rows: [window] } = await database.query<{ count: number; reset_s: number }>(`
    insert into rate_window (key_id, kind, starts_at, count) values ($1, 'trigger_minute', date_trunc('minute', now()), 1)
    on conflict (key_id, kind, starts_at) do update set count = rate_window.count + 1
    returning count, ceil(extract(epoch from starts_at + interval '1 minute' - now()))::int as reset_s`, [row.id])
  if (window!.count > row.per_minute!) throw new Problem('rate_limited', `This webhook takes ${row.per_minute} calls a minute. Try again in ${window!.reset_s} s.`, { retryAfterS: window!.reset_s, limit: { name: 'trigger_per_minute', max: row.per_minute!, remaining: 0, resetS: window!.reset_s } })
  await database.query('update workflow_trigger set last_at = now() where id = $1', [row.id])
  return { caller: callerOf(row), workflowId: row.workflow_id, inputs: row.inputs, trigger: `webhook ${row.id}` }
}

/** Begins what is due. The time stands on the row until it was begun; beginning it twice gives the same execution. */
export async function runDue(database: Database, now: () => Date, begin: (fired: Fired, key: string) => Promise<unknown>, failed: (id: string, error: unknown) => void): Promise<void> {
  const { rows } = await database.query<TriggerRow & { acts: boolean }>(`select ${columns}, ${acts} from workflow_trigger where enabled and next_at <= $1 order by next_at limit 50`, [now()])
  for (const row of rows) {
    const { times, next } = dueTimes(row.cron!, row.time_zone!, row.missed!, row.next_at!, now())
    let problem = times.length === 0 ? row.last_problem : null
    if (times.length > 0 && !row.acts) problem = storeProblem(new Problem('unauthorized', `Nothing was begun: ${keyGone}. Make this schedule again with a key that works.`))
    else for (const time of times) {
      // A workflow that cannot be begun is told of and does not hold up the next time.
      problem = await begin({ caller: callerOf(row), workflowId: row.workflow_id, inputs: row.inputs, trigger: `schedule ${row.id}` }, `schedule-${row.id}-${time.toISOString()}`).then(() => null, error => { failed(row.id, error); return storeProblem(asProblem(error)) })
    }
    await database.query('update workflow_trigger set next_at = $3, last_at = $4, last_problem = $6 where id = $1 and date_trunc($5, next_at) = $2', [row.id, row.next_at, next, times.at(-1) ?? row.last_at, 'milliseconds', problem === null ? null : JSON.stringify(problem)])
  }
}
