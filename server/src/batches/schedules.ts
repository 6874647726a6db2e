/**
 * Batches by the clock. A time is begun under a key made of schedule and time, so that it is begun once whatever stops in between; times
 * that passed while nobody was there are handled as the schedule's policy says.
 */
import type { Client, Database } from '../db/pool.ts'
import type { Batch, BatchSchedule, BatchScheduleChange, BatchScheduleOrder } from '../domain/batch.ts'
import type { Caller } from '../domain/caller.ts'
import type { Json } from '../domain/outcome.ts'
import { asProblem, Problem, storeProblem, type StoredProblem } from '../domain/problem.ts'
import { dueTimes, readCron, type Missed } from '../kit/cron.ts'
import { newId } from '../kit/id.ts'
import type { BatchWords, Desk } from '../protocols/contract.ts'
import type { Owner } from './rows.ts'

interface ScheduleRow {
  id: string; account_id: string; project_id: string; key_id: string; livemode: boolean; name: string; enabled: boolean; protocol: string; body: Json
  cron: string; time_zone: string; missed: Missed; next_at: Date | null; last_at: Date | null; last_batch_id: string | null; last_problem: StoredProblem | null; created_at: Date
}
const columns = 'id, account_id, project_id, key_id, livemode, name, enabled, protocol, body, cron, time_zone, missed, next_at, last_at, last_batch_id, last_problem, created_at'
const schedulesMax = 200

const read = (row: ScheduleRow): BatchSchedule => ({
  id: row.id, accountId: row.account_id, projectId: row.project_id, keyId: row.key_id, livemode: row.livemode, name: row.name, enabled: row.enabled, protocol: row.protocol, body: row.body,
  cron: row.cron, timeZone: row.time_zone, missed: row.missed, nextAt: row.next_at, lastAt: row.last_at, lastBatchId: row.last_batch_id, lastProblem: row.last_problem, createdAt: row.created_at,
})

/** @throws {Problem} `bad_request` for a time that never comes, `conflict` where there are too many */
export async function createSchedule(database: Database, caller: Caller, { name, protocol, body, cron, timeZone, missed }: BatchScheduleOrder, now: Date): Promise<BatchSchedule> {
  const next = readCron(cron, timeZone).nextRun(now)
  const { rows: [row] } = await database.query<ScheduleRow>(
    `insert into batch_schedule (id, account_id, project_id, key_id, livemode, name, protocol, body, cron, time_zone, missed, next_at, created_at)
     select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 where (select count(*) from batch_schedule where project_id = $3 and livemode = $5) < ${schedulesMax} returning ${columns}`,
    [newId(now.getTime()), caller.accountId, caller.projectId, caller.keyId, caller.livemode, name, protocol, JSON.stringify(body), cron, timeZone, missed, next, now])
  if (!row) throw new Problem('conflict', `A project has at most ${schedulesMax} schedules. Remove one first.`)
  return read(row)
}

export async function selectSchedule(client: Client, owner: Owner, id: string): Promise<BatchSchedule | null> {
  const { rows: [row] } = await client.query<ScheduleRow>(`select ${columns} from batch_schedule where id = $1 and project_id = $2 and livemode = $3`, [id, owner.projectId, owner.livemode])
  return row ? read(row) : null
}

/** Newest first, one more than `limit`. */
export async function selectSchedules(client: Client, owner: Owner, { after, limit }: { after?: string | undefined; limit: number }): Promise<BatchSchedule[]> {
  const { rows } = await client.query<ScheduleRow>(`select ${columns} from batch_schedule where project_id = $1 and livemode = $2 and ($3::uuid is null or id < $3) order by id desc limit $4`,
    [owner.projectId, owner.livemode, after ?? null, limit + 1])
  return rows.map(read)
}

/** Changed times count from now; so does a schedule that is switched on again: what passed meanwhile was not missed but not wanted. */
export async function changeSchedule(database: Database, caller: Caller, id: string, change: BatchScheduleChange, now: Date): Promise<BatchSchedule | null> {
  return database.transaction(async client => {
    const { rows: [found] } = await client.query<ScheduleRow>(`select ${columns} from batch_schedule where id = $1 and project_id = $2 and livemode = $3 for update`, [id, caller.projectId, caller.livemode])
    if (!found) return null
    const { cron = found.cron, timeZone = found.time_zone } = change
    const isTimed = change.cron !== undefined || change.timeZone !== undefined || (change.enabled === true && !found.enabled)
    const next = isTimed ? readCron(cron, timeZone).nextRun(now) : found.next_at
    // Whoever changes what is made answers for it from now on.
    const { rows: [row] } = await client.query<ScheduleRow>(
      `update batch_schedule set name = $2, enabled = $3, body = $4, cron = $5, time_zone = $6, missed = $7, next_at = $8, key_id = $9 where id = $1 returning ${columns}`,
      [id, change.name ?? found.name, change.enabled ?? found.enabled, JSON.stringify(change.body ?? found.body), cron, timeZone, change.missed ?? found.missed, next, caller.keyId])
    return read(row!)
  })
}

export async function deleteSchedule(client: Client, owner: Owner, id: string): Promise<boolean> {
  const { rowCount } = await client.query('delete from batch_schedule where id = $1 and project_id = $2 and livemode = $3', [id, owner.projectId, owner.livemode])
  return rowCount === 1
}

export interface DueTools {
  database: Database
  now(): Date
  wordsOf(protocol: string): { words: BatchWords } | null
  callerOf(keyId: string): Promise<Caller | null>
  deskFor(caller: Caller, row: null): Desk
  log: { warn(fields: object, message: string): void }
}

/** Begins what is due; whether anything was. The time stands on the row until it was begun; beginning it twice gives the same batch. */
export async function beginDue(tools: DueTools): Promise<boolean> {
  const { database, now, log } = tools
  const { rows } = await database.query<ScheduleRow>({ name: 'schedules due', text: `select ${columns} from batch_schedule where enabled and next_at <= $1 order by next_at limit 20` }, [now()])
  for (const row of rows) {
    const { times, next } = dueTimes(row.cron, row.time_zone, row.missed, row.next_at!, now())
    let batch: Batch | null = null
    let problem: Problem | null = null
    for (const time of times) {
      try {
        batch = await beginOne(read(row), `schedule-${row.id}-${time.toISOString()}`, tools)
        problem = null
      } catch (thrown) {
        problem = asProblem(thrown)
        if (problem.code === 'unavailable') throw thrown
        // The address brought another sheet when this time was begun before: that one counts.
        if (problem.code === 'idempotency_mismatch') problem = null
        else log.warn({ scheduleId: row.id, err: thrown }, 'a scheduled batch could not be begun')
      }
    }
    await database.query(`update batch_schedule set next_at = $3, last_at = $4, last_batch_id = coalesce($5, last_batch_id), last_problem = $6 where id = $1 and date_trunc('milliseconds', next_at) = $2`,
      [row.id, row.next_at, next, times.at(-1) ?? row.last_at, batch?.id ?? null, problem ? JSON.stringify(storeProblem(problem)) : null])
  }
  return rows.length > 0
}

async function beginOne(schedule: BatchSchedule, key: string, { callerOf, deskFor, wordsOf }: DueTools): Promise<Batch> {
  const caller = await callerOf(schedule.keyId)
  if (!caller) throw new Problem('unauthorized', 'The key of this schedule has expired or was revoked. Change the schedule with another key.')
  const begin = wordsOf(schedule.protocol)?.words.begin
  if (!begin) throw new Problem('not_found', `The door ${schedule.protocol} begins no batches by the clock.`)
  return begin(schedule.body, deskFor(caller, null), key)
}
