/**
 * How much executions publish, and a project a day (UTC, each mode for itself): counted before anything is written.
 *
 * A thing at a place counts once for an execution, however often it is tried, so a run that was killed goes on without counting twice. The sums
 * are rows that stay locked to the commit: exact over all servers. Those of an execution are locked before those of days.
 */
import { hash } from 'node:crypto'
import { Problem } from '../domain/problem.ts'
import { grouped } from '../db/group.ts'
import type { Client, Database } from '../db/pool.ts'
import type { Publication } from '../nodes/contract.ts'

/** 0 bounds nothing. */
export interface PublishLimits { executionFiles: number; executionBytes: number; dayFiles: number; dayBytes: number }
export interface Publisher { id: string; projectId: string; livemode: boolean }

interface Wanted { publisher: Publisher; things: Publication[]; /** Its day. */ at: Date }
interface Sum { files: number; bytes: number }
/** What was counted just now; or what would have gone beyond a limit, in which case nothing was. */
type Answer = { counted: Publication[] } | { problem: Problem }

export interface Published {
  /** All of it or nothing. Gives what was not counted before. @throws {Problem} `too_large` beyond what an execution may publish, `rate_limited` beyond a project's day */
  count(publisher: Publisher, things: Publication[], at: Date): Promise<Publication[]>
  /** What was counted and surely not taken. */
  takeBack(publisher: Publisher, things: Publication[]): Promise<void>
}

const nameOf = ({ to, address, sha256 }: Publication): string => hash('sha256', JSON.stringify([to, address, sha256]))
const dayOf = (at: Date): string => at.toISOString().slice(0, 10)
const dayKey = ({ projectId, livemode }: Publisher, at: Date): string => `${projectId} ${livemode} ${dayOf(at)}`
const show = (bytes: number): string => bytes >= 1e9 ? `${Math.round(bytes / 1e7) / 100} GB` : bytes >= 1e6 ? `${Math.round(bytes / 1e4) / 100} MB` : `${bytes} bytes`

export function createPublished(database: Database, limits: PublishLimits): Published {
  const countAll = grouped<Wanted, Answer>(all => database.transaction(client => count(client, all, limits)), { max: 100, lanes: 1 })
  return {
    async count(publisher, things, at) {
      const answer = await countAll({ publisher, things, at })
      if ('problem' in answer) throw answer.problem
      return answer.counted
    },
    takeBack: (publisher, things) => things.length === 0 ? Promise.resolve() : database.transaction(client => takeBack(client, publisher, things)),
  }
}

async function count(client: Client, all: Wanted[], limits: PublishLimits): Promise<Answer[]> {
  const executions = new Map<string, Sum>()
  const days = new Map<string, Sum>()
  const ids = [...new Set(all.map(({ publisher }) => publisher.id))].sort()
  const { rows: ofExecutions } = await client.query<{ execution_id: string; files: number; size_bytes: number }>({ name: 'published executions', text: `
    insert into published_execution (execution_id, day) select id, $2 from unnest($1::uuid[]) with ordinality as w(id, place) order by place
    on conflict (execution_id) do update set day = excluded.day returning execution_id, files, size_bytes` }, [ids, dayOf(all[0]!.at)])
  for (const row of ofExecutions) executions.set(row.execution_id, { files: row.files, bytes: row.size_bytes })
  const wantedDays = [...new Map(all.map(({ publisher, at }) => [dayKey(publisher, at), { ...publisher, day: dayOf(at) }])).entries()].sort(([a], [b]) => a < b ? -1 : 1)
  for (const [key, { projectId, livemode, day }] of wantedDays) {
    const { rows: [row] } = await client.query<{ files: number; size_bytes: number }>({ name: 'published day', text: `
      insert into published_day (project_id, livemode, day) values ($1, $2, $3) on conflict (project_id, livemode, day) do update set files = published_day.files returning files, size_bytes` }, [projectId, livemode, day])
    days.set(key, { files: row!.files, bytes: row!.size_bytes })
  }
  const named = all.map(({ publisher, things }) => things.map(thing => ({ thing, name: nameOf(thing), key: `${publisher.id} ${nameOf(thing)}` })))
  const { rows: there } = await client.query<{ execution_id: string; thing: string }>({ name: 'published before', text: `
    select execution_id, encode(thing, 'hex') as thing from published where (execution_id, thing) in (select id, decode(thing, 'hex') from unnest($1::uuid[], $2::text[]) as w(id, thing))` },
  [all.flatMap(({ publisher, things }) => things.map(() => publisher.id)), named.flatMap(things => things.map(({ name }) => name))])
  const counted = new Set(there.map(row => `${row.execution_id} ${row.thing}`))

  const rows: { execution_id: string; thing: string; project_id: string; livemode: boolean; day: string; size_bytes: number }[] = []
  const answers = all.map(({ publisher, at }, index): Answer => {
    const fresh = [...new Map(named[index]!.filter(({ key }) => !counted.has(key)).map(one => [one.key, one])).values()]
    const more: Sum = { files: fresh.length, bytes: fresh.reduce((sum, { thing }) => sum + thing.sizeBytes, 0) }
    const execution = executions.get(publisher.id)!
    const day = days.get(dayKey(publisher, at))!
    const problem = fresh.length === 0 ? null : beyond(limits, { execution, day, more, at })
    if (problem) return { problem }
    for (const sum of [execution, day]) { sum.files += more.files; sum.bytes += more.bytes }
    for (const { thing, name, key } of fresh) {
      counted.add(key)
      rows.push({ execution_id: publisher.id, thing: name, project_id: publisher.projectId, livemode: publisher.livemode, day: dayOf(at), size_bytes: thing.sizeBytes })
    }
    return { counted: fresh.map(({ thing }) => thing) }
  })
  if (rows.length === 0) return answers
  await client.query({ name: 'published things', text: `
    insert into published (execution_id, thing, project_id, livemode, day, size_bytes)
    select execution_id, decode(thing, 'hex'), project_id, livemode, day, size_bytes from jsonb_to_recordset($1) as w(execution_id uuid, thing text, project_id uuid, livemode boolean, day date, size_bytes bigint)` }, [JSON.stringify(rows)])
  await client.query({ name: 'published sums', text: `
    update published_execution e set files = w.files, size_bytes = w.bytes from unnest($1::uuid[], $2::bigint[], $3::bigint[]) as w(id, files, bytes) where e.execution_id = w.id` },
  [ids, ids.map(id => executions.get(id)!.files), ids.map(id => executions.get(id)!.bytes)])
  for (const [key, { projectId, livemode, day }] of wantedDays) await client.query({ name: 'published day sum', text: 'update published_day set files = $4, size_bytes = $5 where project_id = $1 and livemode = $2 and day = $3' }, [projectId, livemode, day, days.get(key)!.files, days.get(key)!.bytes])
  return answers
}

/** The first limit these would go beyond, in words that say what to do. */
function beyond(limits: PublishLimits, { execution, day, more, at }: { execution: Sum; day: Sum; more: Sum; at: Date }): Problem | null {
  const resetS = Math.ceil((Date.parse(`${dayOf(at)}T00:00:00Z`) + 86_400_000 - at.getTime()) / 1_000)
  const nothing = `Nothing of ${more.files === 1 ? 'it' : `these ${more.files}`} was written.`
  const check = (max: number, has: number, plus: number, write: (value: number) => string, what: string, setting: string, isDay: boolean): Problem | null => {
    if (max === 0 || has + plus <= max) return null
    const words = `${isDay ? 'This project has published' : 'This execution has published'} ${write(has)} ${isDay ? 'today' : 'so far'}, ${what} ${write(max)}, and this is ${write(plus)} more. ${nothing}`
    if (!isDay) return new Problem('too_large', `${words} Publish less in one execution, or have the operator raise ${setting} and resume it.`, { field: 'value', value: has + plus, allowed: max })
    return new Problem('rate_limited', `${words} The next day begins in ${resetS} s (UTC): resume it then, or have the operator raise ${setting}.`, { retryAfterS: resetS, limit: { name: setting.toLowerCase().replace('plantain_', ''), max, remaining: Math.max(0, max - has), resetS } })
  }
  const files = (value: number) => `${value} ${value === 1 ? 'file' : 'files'}`
  return check(limits.executionFiles, execution.files, more.files, files, 'one may publish', 'PLANTAIN_PUBLISH_EXECUTION_FILES', false)
    ?? check(limits.executionBytes, execution.bytes, more.bytes, show, 'one may publish', 'PLANTAIN_PUBLISH_EXECUTION_BYTES', false)
    ?? check(limits.dayFiles, day.files, more.files, files, 'one may publish', 'PLANTAIN_PUBLISH_DAY_FILES', true)
    ?? check(limits.dayBytes, day.bytes, more.bytes, show, 'one may publish', 'PLANTAIN_PUBLISH_DAY_BYTES', true)
}

async function takeBack(client: Client, { id, projectId, livemode }: Publisher, things: Publication[]): Promise<void> {
  await client.query({ name: 'published lock', text: 'select from published_execution where execution_id = $1 for update' }, [id])
  const { rows } = await client.query<{ day: string; files: number; bytes: number }>({ name: 'published back', text: `
    with gone as (delete from published where execution_id = $1 and thing = any($2::bytea[]) returning day, size_bytes)
    select day::text as day, count(*)::int as files, sum(size_bytes)::bigint as bytes from gone group by day order by day` }, [id, things.map(thing => Buffer.from(nameOf(thing), 'hex'))])
  for (const { day, files, bytes } of rows) {
    await client.query({ name: 'published execution back', text: 'update published_execution set files = files - $2, size_bytes = size_bytes - $3 where execution_id = $1' }, [id, files, bytes])
    await client.query({ name: 'published day back', text: 'update published_day set files = files - $4, size_bytes = size_bytes - $5 where project_id = $1 and livemode = $2 and day = $3' }, [projectId, livemode, day, files, bytes])
  }
}

/** Days that nobody counts towards any more. An execution that goes on after so long counts anew. */
const keptDays = 35

export async function forgetPublished(client: Client): Promise<void> {
  for (const table of ['published', 'published_execution', 'published_day']) {
    await client.query(`delete from ${table} where ctid in (select ctid from ${table} where day < (now() at time zone 'utc')::date - ${keptDays} limit 1000)`)
  }
}
