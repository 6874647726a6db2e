/**
 * Beginning executions: the row and the runs that need nothing before them, in one transaction with the key that makes a repetition harmless.
 */
import { createHash } from 'node:crypto'
import type { Caller } from '../domain/caller.ts'
import { roots } from '../domain/graph/advance.ts'
import type { Graph } from '../domain/graph/graph.ts'
import { layOut } from '../domain/graph/layout.ts'
import type { Given } from '../domain/graph/values.ts'
import type { Json } from '../domain/outcome.ts'
import { Problem } from '../domain/problem.ts'
import type { Client, Database } from '../db/pool.ts'
import { newId } from '../kit/id.ts'
import type { Kinds } from './kinds.ts'
import { keepGraph } from './rows.ts'
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
  parallelism: number
  costMaxMicros: number | null
  depth: number
  parentId: string | null
  batchId: string | null
  position: number
  metadata: Record<string, string>
  callbackUrl: string | null
  wire: Json
  /** A name under which this is begun once, and what was asked for under it. */
  idempotency: { key: string; body: string } | null
}

/** @throws {Problem} `idempotency_mismatch` for a key that was used for something else */
export async function begin(database: Database, kinds: Kinds, one: Beginning): Promise<{ id: string; replayed: boolean }> {
  const layout = layOut(one.graph, kinds.faces)
  const first = roots(layout, new Set(layout.order))
  return database.transaction(async client => {
    const id = newId()
    const earlier = one.idempotency === null ? null : await claimKey(client, one, one.idempotency, id)
    if (earlier !== null) return { id: earlier, replayed: true }
    const sha256 = await keepGraph(client, one.graph)
    await client.query({ name: 'execution begin', text: `
      insert into execution (id, account_id, project_id, key_id, livemode, workflow_id, version, graph_sha256, given, trigger, target, force, parallelism, cost_max_micros, depth, parent_id, batch_id, position, metadata,
        callback_url, wire, open)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)` },
    [id, one.caller.accountId, one.caller.projectId, one.caller.keyId, one.caller.livemode, one.workflowId, one.version, sha256, JSON.stringify(one.given), one.trigger, one.target, one.force, one.parallelism,
      one.costMaxMicros, one.depth, one.parentId, one.batchId, one.position, JSON.stringify(one.metadata), one.callbackUrl, one.wire === null ? null : JSON.stringify(one.wire), first.length])
    await insertRuns(client, id, first.map(instance => ({ ...instance, state: 'ready', because: null })))
    return { id, replayed: false }
  })
}

/** Claims the key for this id; the id it belongs to already, where it was used for the same. */
async function claimKey(client: Client, { caller }: Beginning, { key, body }: { key: string; body: string }, id: string): Promise<string | null> {
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) throw new Problem('bad_request', 'An Idempotency-Key is 1 to 255 printable ASCII characters without spaces.', { field: 'Idempotency-Key' })
  const sha256 = createHash('sha256').update(body).digest()
  const { rowCount } = await client.query({ name: 'execution key', text: `
    insert into execution_key (project_id, livemode, key, body_sha256, execution_id) values ($1, $2, $3, $4, $5) on conflict do nothing` }, [caller.projectId, caller.livemode, key, sha256, id])
  if (rowCount === 1) return null
  const { rows: [row] } = await client.query<{ body_sha256: Buffer; execution_id: string }>('select body_sha256, execution_id from execution_key where project_id = $1 and livemode = $2 and key = $3', [caller.projectId, caller.livemode, key])
  if (!row!.body_sha256.equals(sha256)) throw new Problem('idempotency_mismatch', 'This Idempotency-Key was used for something else in the last 24 hours. Use a new key for a new execution.', { field: 'Idempotency-Key' })
  return row!.execution_id
}

