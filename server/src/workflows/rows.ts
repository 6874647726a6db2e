/** How executions and their runs stand in the database. */
import { createHash } from 'node:crypto'
import type { RunState } from '../domain/graph/advance.ts'
import type { Execution, ExecutionState, NodeRun, Pins, Review, Workflow } from '../domain/graph/execution.ts'
import type { Graph, Media } from '../domain/graph/graph.ts'
import type { Values } from '../domain/graph/values.ts'
import type { Json } from '../domain/outcome.ts'
import type { StoredProblem } from '../domain/problem.ts'
import { grouped } from '../db/group.ts'
import type { Client, Database } from '../db/pool.ts'

/** Whose workflows and executions: a project, and for executions a mode. */
export interface Owner { projectId: string; livemode: boolean }

/** All of an execution but what its caller gave (`graphs.ts` remembers that): a list of ten thousand is not read for each of its items. */
export interface ExecutionRow {
  id: string; account_id: string; project_id: string; key_id: string | null; livemode: boolean
  workflow_id: string | null; version: number | null; graph_sha256: Buffer
  state: ExecutionState; trigger: string; target: string | null; force: boolean; anew: string[]; parallelism: number
  cost_max_micros: number | null; committed_micros: number; cost_micros: number; open: number; depth: number; parent_id: string | null; root_id: string | null
  batch_id: string | null; position: number; outputs: Values | null; problem: StoredProblem | null
  metadata: Record<string, string>; callback_url: string | null; wire: Json; pins: Pins | null; rounds: number; created_at: Date; ended_at: Date | null
}

export interface RunRow {
  execution_id: string; node: string; item: number[]; state: RunState | 'asking'; turn: number; worker: string | null; attempt: number; due_at: Date
  task_id: string | null; child_id: string | null; override: Values | null; key: Buffer | null; reused: boolean; because: string | null
  outputs: Values | null; ports: string[]; length: number | null; price_micros: number; charged_micros: number; problem: StoredProblem | null
  started_at: Date | null; ended_at: Date | null
}

export const executionColumns = `e.id, e.account_id, e.project_id, e.key_id, e.livemode, e.workflow_id, e.version, e.graph_sha256, e.state, e.trigger, e.target, e.force, e.anew, e.parallelism,
  e.cost_max_micros, e.committed_micros, e.cost_micros, e.open, e.depth, e.parent_id, e.root_id, e.batch_id, e.position, e.outputs, e.problem, e.metadata, e.callback_url, e.wire, e.pins, e.rounds, e.created_at, e.ended_at`

export const runColumns = `r.execution_id, r.node, r.item, r.state, r.turn, r.worker, r.attempt, r.due_at, r.task_id, r.child_id, r.override, r.key, r.reused, r.because, r.outputs, r.ports, r.length,
  r.price_micros, r.charged_micros, r.problem, r.started_at, r.ended_at`

export const findExecutionRow = async (client: Client, id: string): Promise<ExecutionRow | null> =>
  (await client.query<ExecutionRow>({ name: 'execution read', text: `select ${executionColumns} from execution e where e.id = $1` }, [id])).rows[0] ?? null

/** A reader that asks for many at once where many are wanted at the same moment: the steps of one execution all want its row. */
export const executionReader = (database: Database) => grouped<string, ExecutionRow | null>(async ids => {
  const { rows } = await database.query<ExecutionRow>({ name: 'executions read', text: `select ${executionColumns} from execution e where e.id = any($1::uuid[])` }, [[...new Set(ids)]])
  const found = new Map(rows.map(row => [row.id, row]))
  return ids.map(id => found.get(id) ?? null)
}, { max: 500, lanes: 2 })

export const readExecution = (row: ExecutionRow & { counts?: Execution['counts'] | null }): Execution => ({
  id: row.id, projectId: row.project_id, livemode: row.livemode, workflowId: row.workflow_id, version: row.version,
  state: row.state, waitingForReview: row.state === 'running' && (row.counts?.asking ?? 0) > 0 && !row.counts?.ready && !row.counts?.running && !row.counts?.waiting,
  trigger: row.trigger, target: row.target, force: row.force, parallelism: row.parallelism, costMaxMicros: row.cost_max_micros, costMicros: row.cost_micros, committedMicros: row.committed_micros,
  counts: row.counts ?? {}, outputs: row.outputs, problem: row.problem, batchId: row.batch_id, position: row.position, metadata: row.metadata, wire: row.wire,
  createdAt: row.created_at, endedAt: row.ended_at,
})

export const readRun = (row: RunRow & { review_id?: string | null }): NodeRun => ({
  node: row.node, item: row.item, state: row.state, attempt: row.attempt, taskId: row.task_id, childId: row.child_id, reviewId: row.review_id ?? null,
  reused: row.reused, because: row.because, outputs: row.outputs, problem: row.problem, priceMicros: row.price_micros, chargedMicros: row.charged_micros, startedAt: row.started_at, endedAt: row.ended_at,
})

export interface WorkflowRow {
  id: string; project_id: string; slug: string; name: string; description: string; tags: string[]; body: Graph; revision: number; active: boolean
  published: number | null; wire: Json; created_at: Date; updated_at: Date
}
export const readWorkflow = (row: WorkflowRow): Workflow => ({
  id: row.id, projectId: row.project_id, slug: row.slug, name: row.name, description: row.description, tags: row.tags, graph: row.body, revision: row.revision, active: row.active,
  published: row.published, wire: row.wire, createdAt: row.created_at, updatedAt: row.updated_at,
})

export interface ReviewRow {
  id: string; execution_id: string; node: string; item: number[]; state: Review['state']; candidates: Media[]; choose_min: number; choose_max: number; note: string | null
  due_at: Date | null; on_timeout: Review['onTimeout']; chosen: number[] | null; reason: string | null; decided_by: string | null; decided_at: Date | null; created_at: Date
}
export const readReview = (row: ReviewRow): Review => ({
  id: row.id, executionId: row.execution_id, node: row.node, item: row.item, state: row.state, candidates: row.candidates, chooseMin: row.choose_min, chooseMax: row.choose_max,
  note: row.note, dueAt: row.due_at, onTimeout: row.on_timeout, chosen: row.chosen, reason: row.reason, decidedBy: row.decided_by, decidedAt: row.decided_at, createdAt: row.created_at,
})

/** Keeps a graph by its content and says under which name. */
export async function keepGraph(client: Client, graph: Graph): Promise<Buffer> {
  const body = JSON.stringify(graph)
  const sha256 = createHash('sha256').update(body).digest()
  await client.query({ name: 'graph keep', text: 'insert into graph (sha256, body) values ($1, $2) on conflict do nothing' }, [sha256, body])
  return sha256
}
