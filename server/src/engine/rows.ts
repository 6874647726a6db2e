/** How a task stands in the database, and how it comes out of it. */
import type { Asset } from '../domain/asset.ts'
import type { InputReference, Operation, Priority } from '../domain/order.ts'
import type { Json } from '../domain/outcome.ts'
import type { ProblemCode, StoredProblem } from '../domain/problem.ts'
import type { State, Task, Tried } from '../domain/task.ts'
import type { TemplateStamp } from '../domain/template.ts'

export interface TaskRow {
  id: string; account_id: string; project_id: string; key_id: string | null; livemode: boolean
  state: State; turn: number; attempts: number; attempts_max: number; polls: number
  model: string; model_asked: string; operation: Operation; prompt: string; parameters: Record<string, Json>; inputs: InputReference[]
  count: number; partials: number; width: number | null; height: number | null; priority: Priority
  provider: string; upstream_model: string; upstream_id: string | null; progress: number | null; receipt: Receipt | null
  price_micros: number; charged_micros: number | null
  text: string | null; details: Record<string, Json>; warnings: string[]; problem: StoredProblem | null
  metadata: Record<string, string>; callback_url: string | null; wire: { protocol: string; body: Json } | null
  sticky_key: string | null; template: TemplateStamp | null; created_at: Date; started_at: Date | null; ended_at: Date | null; due_at: Date; start_by: Date | null; end_by: Date
  outputs?: OutputRow[] | null
  late_outputs?: OutputRow[] | null
  tried?: TriedRow[] | null
}

/**
 * What the engine keeps of an attempt that is under way. `upstream` is the provider's own receipt. `find`: the answer was lost,
 * the upstream is to be asked by our key. `fetch`: it is made, and its links are being fetched; `from` is what the links came by.
 * `fresh`: links of an earlier answer had expired, and this is the one time the upstream is asked for new ones.
 */
export type Receipt = Asking | { kind: 'fetch'; making: Json; from?: Asking | null }
export type Asking = { kind: 'upstream'; receipt: Json; fresh?: true } | { kind: 'find'; fresh?: true }

/** What the upstream can be asked by again; null where nothing was given to come back with. */
export const askingOf = (receipt: Receipt | null): Asking | null => receipt?.kind === 'fetch' ? receipt.from ?? null : receipt

interface TriedRow { number: number; provider: string; model: string; outcome: Tried['outcome']; code: ProblemCode | null; message: string | null; retry_after_s: number | null; sent_at: string; ended_at: string | null }

export interface OutputRow { id: string; sha256: string; mime: string; size_bytes: number; width: number | null; height: number | null; name: string | null; created_at: string; expires_at: string | null }

/** A task that queued for a busy upstream all day has been asked very often. */
const triedMax = 50

/**
 * Who was asked. One attempt that went well, or is under way, is told by the task itself and costs no reading: that is nearly every task.
 */
const readTried = (row: TaskRow): Tried[] => row.tried
  ? row.tried.map(one => ({ attempt: one.number, provider: one.provider, model: one.model, outcome: one.outcome, code: one.code, message: one.message, retryAfterS: one.retry_after_s,
    at: new Date(one.sent_at), endedAt: one.ended_at === null ? null : new Date(one.ended_at) }))
  : row.attempts === 1 && row.started_at !== null
    ? [{ attempt: 1, provider: row.provider, model: row.upstream_model, outcome: row.state === 'done' ? 'done' : null, code: null, message: null, retryAfterS: null, at: row.started_at, endedAt: row.ended_at }]
    : []

/** The columns of a task as it is shown, with its outputs in order and who was tried. */
export const taskColumns = `t.id, t.account_id, t.project_id, t.key_id, t.livemode, t.state, t.turn, t.attempts, t.attempts_max, t.polls,
  t.model, t.model_asked, t.operation, t.prompt, t.parameters, t.inputs, t.count, t.partials, t.width, t.height, t.priority, t.provider, t.upstream_model, t.upstream_id,
  t.progress, t.receipt, t.price_micros, t.charged_micros, t.text, t.details, t.warnings, t.problem, t.metadata, t.callback_url, t.wire, t.sticky_key, t.template,
  t.created_at, t.started_at, t.ended_at, t.due_at, t.start_by, t.end_by`

const outputsOf = (late: boolean) => `(
  select jsonb_agg(jsonb_build_object('id', replace(a.id::text, '-', ''), 'sha256', encode(a.sha256, 'hex'), 'mime', b.mime, 'size_bytes', b.size_bytes,
    'width', b.width, 'height', b.height, 'name', a.name, 'created_at', a.created_at, 'expires_at', a.expires_at) order by ${late ? 'a.id' : 'a.position'})
  from asset a join blob b using (sha256) where a.task_id = t.id and ${late ? '' : 'not '}a.late)`

export const withOutputs = `case when t.state = 'done' then ${outputsOf(false)} end as outputs, case when t.late then ${outputsOf(true)} end as late_outputs,
  case when t.attempts > 1 or t.attempts = 1 and (t.state = 'queued' or t.problem is not null) then (
  select jsonb_agg(to_jsonb(a) order by a.number) from (
    select number, provider, upstream_model as model, outcome, problem->>'code' as code, problem->>'message' as message, (problem->'details'->>'retryAfterS')::float8 as retry_after_s, sent_at, ended_at
    from attempt where task_id = t.id order by number desc limit ${triedMax}) a) end as tried`

export function readTask(row: TaskRow): Task {
  const read = (output: OutputRow): Asset => ({
    id: output.id, projectId: row.project_id, livemode: row.livemode, kind: 'output', sha256: output.sha256, mime: output.mime, sizeBytes: output.size_bytes,
    width: output.width, height: output.height, name: output.name, taskId: row.id, createdAt: new Date(output.created_at), expiresAt: output.expires_at === null ? null : new Date(output.expires_at),
  })
  const outputs = (row.outputs ?? []).map(read)
  return {
    id: row.id, accountId: row.account_id, projectId: row.project_id, keyId: row.key_id, livemode: row.livemode,
    state: row.state, turn: row.turn, attempts: row.attempts, attemptsMax: row.attempts_max,
    model: row.model, modelAsked: row.model_asked, ...(row.template === null ? {} : { template: row.template }), operation: row.operation, prompt: row.prompt, parameters: row.parameters, inputs: row.inputs, priority: row.priority,
    provider: row.provider, upstreamModel: row.upstream_model, upstreamId: row.upstream_id, progress: row.progress,
    priceMicros: row.price_micros, chargedMicros: row.charged_micros, outputs, ...(row.late_outputs ? { lateOutputs: row.late_outputs.map(read) } : {}), text: row.text, details: row.details, warnings: row.warnings, problem: row.problem, tried: readTried(row),
    metadata: row.metadata, callbackUrl: row.callback_url, wire: row.wire,
    createdAt: row.created_at, startedAt: row.started_at, endedAt: row.ended_at, dueAt: row.due_at, startBy: row.start_by, endBy: row.end_by,
  }
}
