/**
 * Beginning executions: the rows and the runs that need nothing before them, in one transaction with the key that makes a repetition harmless.
 */
import { createHash } from 'node:crypto'
import type { Caller } from '../domain/caller.ts'
import { roots } from '../domain/graph/advance.ts'
import { boundsOf } from '../domain/graph/bounds.ts'
import type { Pins } from '../domain/graph/execution.ts'
import type { Graph } from '../domain/graph/graph.ts'
import { layOut } from '../domain/graph/layout.ts'
import type { Given } from '../domain/graph/values.ts'
import { checkIdempotencyKey } from '../domain/order.ts'
import type { Json } from '../domain/outcome.ts'
import { Problem } from '../domain/problem.ts'
import { countDay } from '../db/day.ts'
import type { Client, Database } from '../db/pool.ts'
import { newId } from '../kit/id.ts'
import type { Kinds } from './kinds.ts'
import { keepGraph, type Owner } from './rows.ts'
import { insertRuns } from './settle.ts'

export interface Beginning {
  caller: Caller
  graph: Graph
  given: Given
  workflowId: string | null
  version: number | null
  trigger: string
  target: string | null
  force: boolean
  anew: string[]
  parallelism: number
  costMaxMicros: number | null
  depth: number
  parentId: string | null
  /** What began the execution that calls this one, that one itself where nothing did. */
  rootId: string | null
  batchId: string | null
  position: number
  /** How many of those with the same batch may be at work at once. */
  togetherMax: number | null
  metadata: Record<string, string>
  callbackUrl: string | null
  wire: Json
  pins: Pins | null
  /** Makes a row of a batch this execution, once however often the row is taken in hand; false where it has become one already. */
  linkRow: ((client: Client, executionId: string) => Promise<boolean>) | null
}

/** A name under which something is begun once, and what was asked for under it. */
export interface BeginKey { key: string; body: string }

/**
 * Begins executions that were asked for together, all or none; `ids` are those of an earlier call where its key was used.
 *
 * @throws {Problem} `idempotency_mismatch` for a key that was used for something else
 */
export async function begin(database: Database, kinds: Kinds, { caller, all, key }: { caller: Caller; all: Beginning[]; key: BeginKey | null }): Promise<{ ids: string[]; replayed: boolean }> {
  const ids = all.map(() => newId())
  return database.transaction(async client => {
    if (key !== null && !await claimKey(client, caller, key, ids[0]!)) return { ids: (await findBegun(client, caller, key, all.length > 1))!, replayed: true }
    await checkParents(client, all)
    await countExecutions(client, caller, all.filter(one => one.parentId === null).length)
    for (const [index, one] of all.entries()) await insert(client, kinds, ids[index]!, one)
    return { ids, replayed: false }
  })
}

/** Calls come from executions that go on: whoever cancels one finds all it has called, or this finds it cancelled. */
async function checkParents(client: Client, all: Beginning[]): Promise<void> {
  const ids = [...new Set(all.flatMap(({ parentId }) => parentId === null ? [] : [parentId]))]
  if (ids.length === 0) return
  const { rows } = await client.query<{ state: string }>({ name: 'executions calling', text: 'select state from execution where id = any($1::uuid[]) order by id for share' }, [ids])
  if (rows.length < ids.length || rows.some(({ state }) => state !== 'running')) throw new Problem('conflict', 'The execution that calls this was ended meanwhile.')
}

async function insert(client: Client, kinds: Kinds, id: string, one: Beginning): Promise<void> {
  const layout = layOut(one.graph, kinds.faces)
  const first = roots(layout, new Set(layout.order))
  const bounds = boundsOf(layout, one.given)
  const sha256 = await keepGraph(client, one.graph)
  await client.query({ name: 'execution begin', text: `
    insert into execution (id, account_id, project_id, key_id, livemode, workflow_id, version, graph_sha256, given, trigger, target, force, anew, parallelism, cost_max_micros, depth, parent_id, root_id, batch_id, position, metadata,
      callback_url, wire, pins, together_max, bounds, open)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27)` },
  [id, one.caller.accountId, one.caller.projectId, one.caller.keyId, one.caller.livemode, one.workflowId, one.version, sha256, JSON.stringify(one.given), one.trigger, one.target, one.force, one.anew, one.parallelism,
    one.costMaxMicros, one.depth, one.parentId, one.rootId ?? (layout.order.some(node => layout.faceOf(node).makes === 'call') ? id : null), one.batchId, one.position, JSON.stringify(one.metadata), one.callbackUrl, one.wire === null ? null : JSON.stringify(one.wire), one.pins === null ? null : JSON.stringify(one.pins), one.togetherMax, bounds.length === 0 ? null : JSON.stringify(bounds), first.length])
  if (one.linkRow && !await one.linkRow(client, id)) throw new Problem('conflict', 'Somebody else has taken this row of the batch.', { row: 'taken' })
  await insertRuns(client, id, first.map(instance => ({ ...instance, state: 'ready', because: null })))
}

/**
 * Counts executions towards the key's day, as tasks of its own are (`engine/submit.ts`); what an execution buys is not counted again.
 *
 * @throws {Problem} `rate_limited` beyond the limit; nothing of this transaction is kept then
 */
async function countExecutions(client: Client, { keyId, limits: { executionsPerDay: max } }: Caller, count: number): Promise<void> {
  if (max === null || count === 0) return
  const [day] = await countDay(client, [{ keyId, count }])
  if (day!.count > max) throw new Problem('rate_limited', `This key may begin ${max} executions a day, and ${count === 1 ? 'has' : `has ${Math.max(0, max - day!.count + count)} left`}. The next day begins in ${day!.resetS} s (UTC).`, { retryAfterS: day!.resetS, limit: { name: 'executions_per_day', max, remaining: 0, resetS: day!.resetS } })
}

const hashOf = (body: string): Buffer => createHash('sha256').update(body).digest()

/**
 * What was begun under a key, with what was begun together with it; null where it was not used yet. Asked before anything is planned or taken in: whoever repeats a call hears what
 * came of the first, whatever has become of his purse or the workflow since.
 *
 * @throws {Problem} `bad_request` for what is no key, `idempotency_mismatch` for one that was used for something else
 */
export async function findBegun(client: Client, { projectId, livemode }: Owner, { key, body }: BeginKey, together: boolean): Promise<string[] | null> {
  checkIdempotencyKey(key)
  const { rows: [row] } = await client.query<{ body_sha256: Buffer; execution_id: string; batch_id: string | null }>({ name: 'execution key find', text: `
    select k.body_sha256, k.execution_id, e.batch_id from execution_key k left join execution e on e.id = k.execution_id where k.project_id = $1 and k.livemode = $2 and k.key = $3` }, [projectId, livemode, key])
  if (!row) return null
  if (!row.body_sha256.equals(hashOf(body))) throw new Problem('idempotency_mismatch', 'This Idempotency-Key was used for something else in the last 24 hours. Use a new key for a new execution.', { field: 'Idempotency-Key' })
  if (!together || row.batch_id === null) return [row.execution_id]
  const { rows } = await client.query<{ id: string }>({ name: 'execution batch', text: 'select id from execution where batch_id = $1 and project_id = $2 and livemode = $3 order by position' }, [row.batch_id, projectId, livemode])
  return rows.map(({ id }) => id)
}

/** Claims the key for this id; false where it belongs to another. */
async function claimKey(client: Client, { projectId, livemode }: Owner, { key, body }: BeginKey, id: string): Promise<boolean> {
  const { rowCount } = await client.query({ name: 'execution key', text: `
    insert into execution_key (project_id, livemode, key, body_sha256, execution_id) values ($1, $2, $3, $4, $5) on conflict do nothing` }, [projectId, livemode, key, hashOf(body), id])
  return rowCount === 1
}
