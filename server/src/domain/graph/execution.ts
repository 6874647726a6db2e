/** Executions of workflows as they are shown, and what one may be asked for. */
import type { Json } from '../outcome.ts'
import type { StoredProblem } from '../problem.ts'
import type { RunState } from './advance.ts'
import type { Graph, Item, Media } from './graph.ts'
import type { Values } from './values.ts'

export type ExecutionState = 'running' | 'done' | 'failed' | 'cancelled'

export interface Workflow {
  id: string; projectId: string; slug: string; name: string; description: string; tags: string[]
  graph: Graph; revision: number; active: boolean; published: number | null; wire: Json
  createdAt: Date; updatedAt: Date
}
export interface WorkflowDraft { name: string; slug?: string; description?: string; tags?: string[]; graph: Graph; active?: boolean; wire?: Json; /** Kept although it cannot run: a drawing somebody is at work on. */ unfinished?: boolean }
export type WorkflowChange = Partial<Omit<WorkflowDraft, 'wire'>> & { wire?: Json }
export interface WorkflowVersion { number: number; name: string | null; createdAt: Date; graph?: Graph }

/** A workflow that comes with the house. `example` fills its inputs, pictures aside. */
export interface ReadyMade { slug: string; name: string; description: string; tags: string[]; example: Record<string, Json>; graph: Graph }

export interface NodeRun {
  node: string; item: Item; state: RunState | 'asking'; attempt: number
  taskId: string | null; childId: string | null; reviewId: string | null
  reused: boolean; because: string | null
  outputs: Values | null; problem: StoredProblem | null
  priceMicros: number; chargedMicros: number
  startedAt: Date | null; endedAt: Date | null
}

export interface Execution {
  id: string; projectId: string; livemode: boolean; workflowId: string | null; version: number | null
  /** `waiting` where nothing goes on before a person has answered. */
  state: ExecutionState; waitingForReview: boolean
  trigger: string; target: string | null; force: boolean; parallelism: number
  costMaxMicros: number | null; costMicros: number; committedMicros: number
  /** Runs by state. */
  counts: Partial<Record<NodeRun['state'], number>>
  outputs: Values | null; problem: StoredProblem | null
  batchId: string | null; position: number
  metadata: Record<string, string>; wire: Json
  createdAt: Date; endedAt: Date | null
}

/** Graphs as they stood at some moment, by the names workflows are run and called under (an id, a slug, `ready:<slug>`): each by its content, with the version it was. */
export type Pins = Record<string, { sha256: string; version: number | null }>

/** What may be asked for with an execution. */
export interface ExecutionOrder {
  /** A saved workflow (or `ready:<slug>`, one that comes with the house) and which version of it, by number or name (null: the draft), or a graph that is sent along; with both, the graph is run under the workflow's name. */
  workflowId?: string
  version?: number | string | null
  graph?: Graph
  /** Runs workflows of these names, this one and those it calls, as they stood then. */
  pins?: Pins
  /** Values of the workflow's inputs, by their names. */
  inputs?: Record<string, Json>
  /** Values by node and port, for dialects that fill nodes themselves. */
  given?: Record<string, Values>
  /** Runs this node and what it needs, nothing else. */
  target?: string | null
  /** Takes no earlier results. */
  force?: boolean
  /** Nodes that take no earlier results, where the others may. */
  anew?: string[]
  /** Runs under way at once, 1 to 500. */
  parallelism?: number
  costMaxMicros?: number | null
  metadata?: Record<string, string>
  callbackUrl?: string
  idempotencyKey?: string
  /** What was asked for under the key, where it is more or less than what this order says. */
  idempotencyBody?: string
  trigger?: string
  /** Executions that were asked for together: their common id (a UUID), and this one's place among them, from 0. */
  batch?: { id: string; position: number; /** Where it is the making of a row: the turn under which that was claimed. */ turn?: number; /** How many of them may be at work at once, the same for each. */ atOnceMax?: number }
  wire?: Json
}

export interface Review {
  id: string; executionId: string; node: string; item: Item
  state: 'open' | 'approved' | 'rejected' | 'redone' | 'withdrawn'
  candidates: Media[]; chooseMin: number; chooseMax: number; note: string | null
  dueAt: Date | null; onTimeout: 'approve' | 'reject'
  chosen: number[] | null; reason: string | null; decidedBy: string | null; decidedAt: Date | null; createdAt: Date
}
/** What a person answers: candidates by their place, a redo with another prompt (of the node that made them, where several did), or no. */
export type ReviewAnswer =
  | { kind: 'approve'; chosen: number[] }
  | { kind: 'redo'; prompt?: string; node?: string }
  | { kind: 'reject'; reason: string }

/** A way to run a workflow from outside. */
export interface Trigger {
  id: string; workflowId: string; kind: 'webhook' | 'schedule'; enabled: boolean; livemode: boolean
  /** Of a webhook: how its address begins, whether callers sign, and how often a minute it may be called. */
  prefix: string | null; signed: boolean; perMinute: number | null
  /** Of a schedule: when (five parts), where, and what becomes of times that passed while nobody was there. */
  cron: string | null; timeZone: string | null; missed: 'skip' | 'once' | 'all' | null; nextAt: Date | null; lastAt: Date | null
  /** Why the last time of a schedule brought no execution. */
  lastProblem: StoredProblem | null
  /** Inputs that stand unless the call says otherwise. */
  inputs: Record<string, Json>
  createdAt: Date
}
export type TriggerOrder =
  | { kind: 'webhook'; /** An address of the caller's own choice (its last part), 16 characters or more; made here otherwise. */ hook?: string; signed?: boolean; perMinute?: number; inputs?: Record<string, Json> }
  | { kind: 'schedule'; cron: string; timeZone: string; missed: 'skip' | 'once' | 'all'; inputs?: Record<string, Json> }

/** What a run would do, node by node. */
export interface PlanStep {
  node: string; title: string; kind: string
  /** `run`, `skip` because nothing comes its way, `reuse` an earlier result, `some` of its items one way and some the other, or `unknown` where only the run can tell. */
  does: 'run' | 'skip' | 'reuse' | 'some' | 'unknown'
  because: string
  /** How often it runs: exactly, or null while lists are made by the run itself. */
  times: number | null
  /** A model, for steps that buy; prices of all its runs, least and most. Most is null where the number of runs is not known. */
  model: string | null
  unitMicros: number | null
  priceMinMicros: number
  priceMaxMicros: number | null
  /** From how long its like took before; null where there is no history. */
  secondsTypical: number | null
}
export interface Plan {
  steps: PlanStep[]
  priceMinMicros: number
  priceMaxMicros: number | null
  /** Whether every price and number of runs is known. */
  complete: boolean
  availableMicros: number
  sufficient: boolean
  secondsTypical: number | null
  warnings: string[]
}

/** A workflow that cannot be run as it is: `details.violations` has every mistake. */
export const unsound = 'The workflow has mistakes; see violations.'
