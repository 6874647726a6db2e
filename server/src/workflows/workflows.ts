/**
 * The room of workflows: graphs are saved, planned and run here, on the task engine.
 *
 * Rows are the only truth: an execution, its runs, its reviews. What a run buys is a task like any other, bought once under a name of its own, so
 * that a killed process costs time and never money. Absent on purpose: what nodes do (`nodes/`), dialects (`protocols/`), prices (cards).
 */
import { createHash } from 'node:crypto'
import type { Caller } from '../domain/caller.ts'
import type { CheckedOrder } from '../domain/card.ts'
import { unsound, type Execution, type ExecutionOrder, type Pins, type Plan, type Review, type ReviewAnswer, type Trigger, type Workflow } from '../domain/graph/execution.ts'
import type { Graph, Item, Media, NodeFace } from '../domain/graph/graph.ts'
import { layOut, type Layout } from '../domain/graph/layout.ts'
import { lint } from '../domain/graph/lint.ts'
import type { Given, Values } from '../domain/graph/values.ts'
import { formatDollars } from '../domain/money.ts'
import type { Order } from '../domain/order.ts'
import type { Json } from '../domain/outcome.ts'
import { Problem } from '../domain/problem.ts'
import type { Bench, Computing, Node } from '../nodes/contract.ts'
import type { Desk, WorkflowDesk } from '../protocols/contract.ts'
import type { Client, Database } from '../db/pool.ts'
import { createGate } from '../kit/gate.ts'
import { isId } from '../kit/id.ts'
import type { Log } from '../kit/log.ts'
import { calledBy, resume, stillStopping } from './again.ts'
import { approveBaseline, findBaseline, listBaselines, propose, rejectBaseline, removeBaseline } from './baselines.ts'
import { begin, findBegun, type BeginKey } from './begin.ts'
import { createBought } from './bought.ts'
import { freeRuns, nudgeTasks } from './claim.ts'
import { place, takeIn } from './fill.ts'
import { createGraphs, prune } from './graphs.ts'
import { createKinds } from './kinds.ts'
import { sharedReads } from './gather.ts'
import { plan } from './plan.ts'
import { forgetPublished } from './published.ts'
import { readyMade, readyName } from './ready.ts'
import { answerReview, endOverdue, findReview, listReviews, readToken, reviewToken } from './reviews.ts'
import { executionColumns, findExecutionRow, keepGraph, readExecution, readRun, runColumns, type ExecutionRow, type Owner, type RunRow } from './rows.ts'
import { createReserve } from './reserve.ts'
import { createRunner, type Runner } from './runner.ts'
import { changeWorkflow, countWorkflows, createWorkflow, findVersion, findWorkflow, listVersions, listWorkflows, tally, publishWorkflow, removeWorkflow } from './saved.ts'
import { book, lockExecution, lockExecutions, runKey, settleRuns, type ExecutionEnd, type RunSettlement, type SettledRuns } from './settle.ts'
import { tell } from './tell.ts'
import { changeTrigger, createTrigger, findHook, findTrigger, listTriggers, openHook, removeTrigger, rotateTrigger, runDue, type Fired } from './triggers.ts'
import { callerOf, mediaOf, stepRun, type StepTools } from './step.ts'

export interface WorkflowsOptions {
  database: Database
  nodes: Node[]
  workerId: string
  deskFor(caller: Caller): Desk
  benchFor(execution: { projectId: string; livemode: boolean; id: string }, desk: Desk, signal: AbortSignal): Bench
  compute(node: Computing, values: Values, bench: Bench): Promise<Values>
  /** Checks and prices an order whose pictures are these, without looking for them. */
  check(order: Order, media: Media[], owner: Owner, options?: { /** Its words are still to come. */ isOpen?: boolean }): Promise<CheckedOrder>
  /** Something was written to the outbox; a hint. */
  deliver(): void
  /** Makes a row of a batch the execution that is about to be written; false where somebody else has the row. */
  linkRow(client: Client, row: { batchId: string; number: number; turn: number }, executionId: string): Promise<boolean>
  /** Whether this process runs workflows, and how many steps at once. */
  work: { slots: number } | null
  secret: Buffer
  publicUrl(): string
  now(): Date
  log: Log
}

export interface Workflows {
  of(caller: Caller): WorkflowDesk
  /** An execution with the desk of whoever runs it, for the body of a delivery; null when it is gone. */
  told(executionId: string): Promise<{ execution: Execution; desk: Desk } | null>
  /** What needs no key: an address nobody can guess, or a signed link. */
  strangers: Pick<WorkflowDesk, 'hook' | 'fire' | 'byToken' | 'answerByToken'>
  faces: ReadonlyMap<string, NodeFace>
  /** Tasks have ended; a hint. */
  hear(taskIds: string[]): void
  /** What processes that died had in hand is begun again. */
  free(workers: string[]): Promise<unknown>
  start(): void
  stop(graceMs: number): Promise<void>
}

const parallelism = { default: 32, max: 500 }
/** What an order asks for, as far as another one under the same key must agree with it. */
const bodyOf = (order: ExecutionOrder): string =>
  JSON.stringify([order.workflowId ?? null, order.version ?? null, order.graph ?? null, order.inputs ?? {}, order.given ?? {}, order.target ?? null, order.force ?? false, order.anew ?? []])

/** @throws {Problem} `credits_required` where there is less than these surely cost together, node by node */
function refuseDear(plans: Plan[]): void {
  const requiredMicros = plans.reduce((sum, one) => sum + one.priceMinMicros, 0)
  const availableMicros = plans.at(-1)!.availableMicros
  if (availableMicros >= requiredMicros) return
  const breakdown = new Map<string, { node: string; title: string; micros: number }>()
  for (const { node, title, priceMinMicros } of plans.flatMap(one => one.steps)) {
    if (priceMinMicros > 0) breakdown.set(node, { node, title, micros: priceMinMicros + (breakdown.get(node)?.micros ?? 0) })
  }
  throw new Problem('credits_required', `This needs at least $${formatDollars(requiredMicros)} and $${formatDollars(availableMicros)} is available. Add credits and begin it again.`, { requiredMicros, availableMicros, breakdown: [...breakdown.values()] })
}

/** Calls of workflows inside workflows. */
const depthMax = 8
const refuseDepth = (depth: number) => { if (depth >= depthMax) throw new Problem('bad_request', `Workflows call each other more than ${depthMax} deep. Does one call itself?`) }
/** What is run where a workflow is called by another one: the version that is published, or as it is pinned. What may be spent is up to those that call. */
const callOf = ({ pins }: Pick<ExecutionRow, 'pins'>, workflow: string, inputs: Record<string, Json>, force: boolean): ExecutionOrder => ({ workflowId: workflow, inputs, force, trigger: 'workflow', ...(pins ? { pins } : {}) })
const lookMs = 500
type Stopping = Pick<RunRow, 'execution_id' | 'node' | 'item' | 'task_id' | 'child_id' | 'price_micros'>
/** What pictures that nodes work on may take at once, decoded; a larger one is worked on alone. */
const decodedBytesMax = 400_000_000
/** Executions begun in one transaction. */
const togetherMax = 200
/** Calls of other workflows that are looked into for one plan; of further ones only the run can tell. */
const callsPlannedMax = 200

export function createWorkflows(options: WorkflowsOptions): Workflows {
  const { database, now, log } = options
  const kinds = createKinds(options.nodes)
  const graphs = createGraphs(kinds)
  const layoutOf = (execution: ExecutionRow): Promise<Layout> => graphs.layout(database, execution.graph_sha256)
  const waiting = new Set<() => void>()
  let runner: Runner | null = null

  const told = () => { for (const wake of waiting) wake(); waiting.clear() }
  const afterwards = (settled: SettledRuns): SettledRuns => {
    if (settled.opened > 0) runner?.wake()
    if (settled.told) options.deliver()
    if (settled.ended.length > 0) { told(); void returnCalls(settled.ended) }
    return settled
  }
  /** Runs that called an execution which has ended are due. */
  const returnCalls = async (ended: ExecutionEnd[]) => {
    const ids = ended.filter(one => one.parentId !== null).map(one => one.id)
    if (ids.length === 0) return
    await database.query({ name: 'runs return', text: `update node_run set due_at = now() where child_id = any($1::uuid[]) and state = 'waiting'` }, [ids]).then(() => runner?.wake(), error => log.warn({ error }, 'a call could not be told that it ended'))
  }

  const bought = createBought(taskIds => { void nudgeTasks(database, taskIds).then(count => { if (count > 0) runner?.wake() }, error => log.info({ error }, 'runs could not be told that their tasks have ended')) })

  const tools: StepTools = {
    bought, database, kinds, graphs, reads: sharedReads(database), reserve: createReserve(database), decoding: createGate(decodedBytesMax), now, log, check: options.check, compute: options.compute, deskFor: options.deskFor,
    benchFor: (execution, desk, signal) => options.benchFor({ projectId: execution.project_id, livemode: execution.livemode, id: execution.id }, desk, signal),
    async call(execution, run, workflow, inputs) {
      refuseDepth(execution.depth)
      const name = createHash('sha256').update(JSON.stringify([execution.id, run.node, run.item, run.attempt, workflow, inputs])).digest('hex')
      const { execution: child } = await beginFor(callerOf(execution), { ...callOf(execution, workflow, inputs, execution.force || execution.anew.includes(run.node)), parallelism: execution.parallelism, idempotencyKey: `call-${name}` }, execution)
      return child.id
    },
    async foresee({ caller, depth, pins, parallelism }, { workflow, inputs }, force, calls) {
      refuseDepth(depth)
      const order = { ...callOf({ pins }, workflow, inputs, force), parallelism }
      return planFor(caller, await prepare(caller, order), order, { depth: depth + 1, calls })
    },
  }

  const settleGroup = async (group: RunSettlement[]): Promise<boolean[]> => {
    const settled = afterwards(await database.transaction(client => settleRuns(client, group, layoutOf)))
    if (settled.told) told()
    bought.written(group.flatMap(one => one.taskId == null ? [] : [one.taskId]))
    // Bought while somebody cancelled: the cancelled run takes its purchase with it, and the sweep stops it.
    for (const one of group) {
      if (one.taskId == null || settled.held.has(runKey(one))) continue
      await database.query({ name: 'runs late', text: `update node_run set task_id = $4, stopping = true where execution_id = $1 and node = $2 and item = $3 and state = 'cancelled' and task_id is null` }, [one.executionId, one.node, one.item, one.taskId])
    }
    return group.map(one => settled.held.has(runKey(one)))
  }

  /** The graph an order speaks of, sound, with what it is called. */
  async function readGraph(caller: Caller, order: ExecutionOrder): Promise<{ graph: Graph; workflow: Workflow | null; version: number | null }> {
    const ready = order.workflowId === undefined ? null : readyName(order.workflowId)
    const pin = order.workflowId !== undefined && order.pins && Object.hasOwn(order.pins, order.workflowId) ? order.pins[order.workflowId]! : null
    const pinned = pin && { graph: (await graphs.layout(database, Buffer.from(pin.sha256, 'hex'))).graph, version: pin.version }
    if (pinned && ready !== null) return { ...pinned, workflow: null }
    if (ready !== null) {
      const made = readyMade.get(ready)
      if (!made) throw new Problem('not_found', `No ready-made workflow is called ${ready}. There are: ${[...readyMade.keys()].join(', ')}.`)
      return { graph: made.graph, workflow: null, version: null }
    }
    const workflow = order.workflowId === undefined ? null : await findWorkflow(database, caller.projectId, order.workflowId)
    if (order.workflowId !== undefined && workflow === null) throw new Problem('not_found', 'There is no such workflow.')
    if (workflow && !workflow.active) throw new Problem('conflict', 'This workflow is not active. Activate it first.', { reason: 'inactive' })
    if (pinned) return { ...pinned, workflow }
    if (order.graph) return { graph: order.graph, workflow, version: null }
    if (!workflow) throw new Problem('bad_request', 'Say which workflow to run, or send a graph along.')
    const wanted = order.version === undefined ? workflow.published : order.version
    if (wanted === null) return { graph: workflow.graph, workflow, version: null }
    const version = await findVersion(database, workflow.id, wanted)
    if (!version) throw new Problem('not_found', `This workflow has no version ${wanted}.`)
    return { graph: version.graph, workflow, version: version.number }
  }

  /** Keeps what a name stands for now, and whatever is called by name inside it. What is given the name of a workflow only when it runs is not known yet. */
  async function pin(caller: Caller, { workflowId, version }: { workflowId: string; version?: number | null }): Promise<{ graph: Graph; pins: Pins }> {
    const pins: Pins = {}
    const keep = async (name: string, wanted: number | null | undefined): Promise<Graph> => {
      const { graph, version: number } = await readGraph(caller, { workflowId: name, ...(wanted === undefined ? {} : { version: wanted }) })
      pins[name] = { sha256: (await keepGraph(database, graph)).toString('hex'), version: number }
      return graph
    }
    const graph = await keep(workflowId, version)
    const todo = [graph]
    for (let at = todo.pop(); at; at = todo.pop()) {
      const called = at.nodes.flatMap(({ kind, settings }) => kinds.faces.get(kind)?.makes === 'call' && typeof settings.workflow === 'string' ? [settings.workflow] : [])
      for (const name of called) {
        if (Object.hasOwn(pins, name)) continue
        // One that is not there, or not active, is told where it is called.
        const found = await keep(name, undefined).catch(thrown => { if (thrown instanceof Problem) return null; throw thrown })
        if (found) todo.push(found)
      }
    }
    return { graph, pins }
  }

  function checkGraph(graph: Graph): void {
    const { ok, violations } = lint(graph, kinds.faces, kinds.checkSetting)
    if (!ok) throw new Problem('bad_request', `${unsound} The first: ${violations[0]!.message} ${violations[0]!.fix}`, { violations: violations as unknown as Json, field: 'graph' })
  }

  interface Prepared { graph: Graph; layout: Layout; given: Given; workflow: Workflow | null; version: number | null; anew: string[]; limits: { parallelism: number; costMaxMicros: number | null } }

  async function prepare(caller: Caller, order: ExecutionOrder): Promise<Prepared> {
    const { graph: whole, workflow, version } = await readGraph(caller, order)
    checkGraph(whole)
    const graph = order.target == null ? whole : prune(whole, order.target, kinds)
    const layout = layOut(graph, kinds.faces)
    const placed = place(layout, pickInputs(order, graph, whole), kinds)
    for (const [node, values] of Object.entries(order.given ?? {})) placed[node] = { ...values, ...placed[node] }
    const wanted = order.parallelism ?? parallelism.default
    if (!Number.isInteger(wanted) || wanted < 1 || wanted > parallelism.max) throw new Problem('bad_request', `parallelism is a whole number from 1 to ${parallelism.max}.`, { field: 'parallelism', value: wanted })
    const anew = [...new Set([...order.anew ?? [], ...graph.nodes.flatMap(({ id, fresh }) => fresh ? [id] : [])])]
    return { graph, layout, given: await takeIn(layout, placed, options.deskFor(caller)), workflow, version, anew, limits: { parallelism: wanted, costMaxMicros: order.costMaxMicros ?? null } }
  }

  /** With a target, inputs of nodes it does not need are left aside rather than refused. */
  const pickInputs = ({ inputs = {} }: ExecutionOrder, graph: Graph, whole: Graph): Record<string, Json> => {
    const outside = new Set(whole.exposed.filter(one => !graph.exposed.includes(one)).map(({ name }) => name))
    return Object.fromEntries(Object.entries(inputs).filter(([name]) => !outside.has(name)))
  }

  async function planFor(caller: Caller, { layout, given, anew, limits }: Prepared, { force = false, pins = {} }: Pick<ExecutionOrder, 'force' | 'pins'>, within = { depth: 0, calls: { left: callsPlannedMax } }): ReturnType<typeof plan> {
    const { availableMicros } = await options.deskFor(caller).money.balance()
    const foreseen = await plan({ layout, given, caller, projectId: caller.projectId, livemode: caller.livemode, force, anew, pins, target: null, parallelism: limits.parallelism, availableMicros, ...within }, tools)
    const { priceMaxMicros, warnings } = foreseen.plan
    if (limits.costMaxMicros !== null && (priceMaxMicros === null || priceMaxMicros > limits.costMaxMicros)) warnings.push(`${priceMaxMicros === null ? 'What this costs is not known beforehand' : `This comes to up to $${formatDollars(priceMaxMicros)}`}, and it may cost $${formatDollars(limits.costMaxMicros)}: what would go beyond that is not bought.`)
    return foreseen
  }

  async function beginFor(caller: Caller, order: ExecutionOrder, parent: ExecutionRow | null = null): Promise<{ execution: Execution; replayed: boolean }> {
    const { executions: [execution], replayed } = await beginAll(caller, [order], order.idempotencyKey === undefined ? null : { key: order.idempotencyKey, body: order.idempotencyBody ?? bodyOf(order) }, parent)
    return { execution: execution!, replayed }
  }

  /** Begins what was asked for together: all of it or nothing. */
  async function beginAll(caller: Caller, orders: ExecutionOrder[], key: BeginKey | null, parent: ExecutionRow | null = null): Promise<{ executions: Execution[]; replayed: boolean }> {
    const read = async (ids: string[]) => Promise.all(ids.map(async id => (await findExecution(caller, id))!))
    const earlier = key === null ? null : await findBegun(database, caller, key, orders.length > 1)
    if (earlier !== null) return { executions: await read(earlier), replayed: true }
    const prepared: Prepared[] = []
    const plans: Plan[] = []
    for (const order of orders) {
      const one = await prepare(caller, order)
      const { plan: foreseen, refused } = await planFor(caller, one, order, { depth: parent ? parent.depth + 1 : 0, calls: { left: callsPlannedMax } })
      if (refused) throw refused
      prepared.push(one)
      plans.push(foreseen)
    }
    refuseDear(plans)
    const { ids, replayed } = await begin(database, kinds, {
      caller, key, all: orders.map((order, index) => ({
        caller, graph: prepared[index]!.graph, given: prepared[index]!.given, workflowId: prepared[index]!.workflow?.id ?? null, version: prepared[index]!.version, trigger: order.trigger ?? 'api', target: order.target ?? null,
        force: order.force ?? false, anew: prepared[index]!.anew, ...prepared[index]!.limits, depth: parent ? parent.depth + 1 : 0, parentId: parent?.id ?? null, rootId: parent && (parent.root_id ?? parent.id), batchId: order.batch?.id ?? null, position: order.batch?.position ?? 0, togetherMax: order.batch?.atOnceMax ?? null,
        metadata: order.metadata ?? {}, callbackUrl: order.callbackUrl ?? null, wire: order.wire ?? null, pins: order.pins ?? null,
        linkRow: order.batch?.turn === undefined ? null : (client, id) => options.linkRow(client, { batchId: order.batch!.id, number: order.batch!.position + 1, turn: order.batch!.turn! }, id),
      })),
    })
    runner?.wake()
    return { executions: await read(ids), replayed }
  }

  async function findExecution(owner: Owner, id: string): Promise<Execution | null> {
    if (!isId(id)) return null
    const { rows: [row] } = await database.query<ExecutionRow & { counts: Execution['counts'] }>({ name: 'execution find', text: `
      select ${executionColumns}, (select jsonb_object_agg(state, n) from (select state, count(*) as n from node_run r where r.execution_id = e.id group by state) s) as counts
      from execution e where e.id = $1 and e.project_id = $2 and e.livemode = $3` }, [id, owner.projectId, owner.livemode])
    return row ? readExecution(row) : null
  }

  async function settledExecution(owner: Owner, id: string, waitMs: number, signal?: AbortSignal): Promise<Execution | null> {
    const until = performance.now() + waitMs
    for (;;) {
      const stop = new AbortController()
      const remaining = until - performance.now()
      const heard = remaining <= 0 ? null : new Promise<void>(resolve => {
        const finish = () => { clearTimeout(timer); waiting.delete(finish); signal?.removeEventListener('abort', finish); resolve() }
        const timer = setTimeout(finish, Math.min(lookMs, remaining))
        waiting.add(finish)
        signal?.addEventListener('abort', finish, { once: true })
        stop.signal.addEventListener('abort', finish, { once: true })
      })
      const execution = await findExecution(owner, id)
      if (execution === null || execution.state !== 'running' || execution.waitingForReview || heard === null || signal?.aborted) { stop.abort(); return execution }
      await heard
    }
  }

  /** Ends an execution: what is under way is stopped, what was paid is kept. */
  async function cancelExecution(owner: Owner, id: string): Promise<Execution | null> {
    const found = await findExecution(owner, id)
    if (found === null || found.state !== 'running') return found
    await database.transaction(async client => {
      const execution = await lockExecution(client, found.id)
      if (execution?.state !== 'running') return
      // Purchases are stopped by the sweep, a killed process included; their runs say so until then.
      await client.query(`update node_run set stopping = (task_id is not null or child_id is not null) and state in ('running', 'waiting'), state = 'cancelled', turn = turn + 1, worker = null, ended_at = now()
        where execution_id = $1 and state in ('ready', 'running', 'waiting', 'asking')`, [id])
      await client.query(`update review set state = 'withdrawn', decided_at = now() where execution_id = $1 and state = 'open'`, [id])
      await client.query(`update execution set state = 'cancelled', open = 0, ended_at = now(), problem = $2 where id = $1`, [id, JSON.stringify({ code: 'cancelled', message: 'This was cancelled. What was made before is kept.' })])
      await tell(client, execution, 'execution.cancelled')
    })
    options.deliver()
    await stopPurchases()
    await stopCalled()
    told()
    return findExecution(owner, id)
  }

  /** Stops what cancelled executions had called, whether or not the run that called has heard what it began. */
  async function stopCalled(): Promise<void> {
    const { rows } = await database.query<{ id: string; project_id: string; livemode: boolean }>({ name: 'executions orphaned', text: `
      select c.id, c.project_id, c.livemode from execution c join execution p on p.id = c.parent_id where c.state = 'running' and p.state = 'cancelled' limit 200` })
    for (const { id, project_id, livemode } of rows) await cancelExecution({ projectId: project_id, livemode }, id)
  }

  /** Stops what cancelled executions had bought and not got. */
  async function stopPurchases(): Promise<void> {
    const { rows } = await database.query<Stopping>(`select execution_id, node, item, task_id, child_id, price_micros from node_run where stopping order by random() limit 200`)
    for (const row of rows) await stopPurchase(row).catch(error => log.warn({ executionId: row.execution_id, node: row.node, error }, 'a purchase could not be stopped yet'))
  }

  async function stopPurchase(row: Stopping): Promise<void> {
    const execution = await findExecutionRow(database, row.execution_id)
    if (!execution) return
    const desk = options.deskFor(callerOf(execution))
    let chargedMicros = 0
    if (row.task_id !== null) chargedMicros = (await desk.cancel(row.task_id)).chargedMicros ?? 0
    if (row.child_id !== null) await cancelExecution({ projectId: execution.project_id, livemode: execution.livemode }, row.child_id)
    await database.transaction(async client => {
      await lockExecution(client, row.execution_id)
      const { rowCount } = await client.query('update node_run set stopping = false, charged_micros = charged_micros + $4 where execution_id = $1 and node = $2 and item = $3 and stopping', [row.execution_id, row.node, row.item, chargedMicros])
      if (rowCount === 1) await book(client, new Map([[row.execution_id, { committed: chargedMicros - row.price_micros, cost: chargedMicros }]]))
    })
  }

  async function resumeExecution(owner: Owner, id: string, only: { node?: string; item?: Item; costMaxMicros?: number | null }): Promise<Execution | null> {
    const found = await findExecution(owner, id)
    if (found === null) return null
    await database.transaction(async client => {
      const executions = await lockExecutions(client, [found.id, ...await calledBy(client, found.id)])
      const { rowCount: called } = await client.query(`select from execution c where c.parent_id = $1 and c.state = 'running' and exists (select from execution p where p.id = $1 and p.state = 'cancelled') limit 1`, [found.id])
      if (called !== 0) throw stillStopping()
      if (only.costMaxMicros !== undefined) await client.query('update execution set cost_max_micros = $2 where id = $1', [found.id, only.costMaxMicros])
      const count = await resume(client, executions.get(found.id)!, executions, layoutOf, { ...(only.node === undefined ? {} : { node: only.node }), ...(only.item === undefined ? {} : { item: only.item }) })
      if (count === 0) throw new Problem('conflict', 'Nothing of this execution failed, so there is nothing to resume.')
    })
    runner?.wake()
    return findExecution(owner, id)
  }

  const reviewTools = { database, kinds, graphs, layoutOf, log, check: options.check }

  async function answer(owner: Owner, id: string, given: ReviewAnswer, by: string): Promise<Review> {
    if (!isId(id)) throw new Problem('not_found', 'There is no such review.')
    afterwards(await answerReview(reviewTools, owner, id, given, by))
    runner?.wake()
    return (await findReview(database, owner, id))!
  }

  const reviewLink = (id: string, seconds: number): string => `${options.publicUrl()}/review/${reviewToken(options.secret, id, Math.floor(now().getTime() / 1_000) + seconds)}`

  if (options.work) {
    runner = createRunner({
      database, workerId: options.workerId, slots: options.work.slots, log, settle: settleGroup, step: (run: RunRow, signal) => stepRun(run, tools, signal),
      sweeps: [
        async () => { for (const settled of await endOverdue(reviewTools)) afterwards(settled) },
        stopPurchases,
        stopCalled,
        () => runDue(database, now, (fired, idempotencyKey) => fill(fired, {}, idempotencyKey).then(order => beginFor(fired.caller, order)), (triggerId, error) => log.warn({ triggerId, error }, 'a scheduled workflow could not be begun')),
        () => forgetPublished(database),
        () => database.query(`delete from execution_key where ctid in (select ctid from execution_key where created_at < now() - interval '24 hours' limit 1000)`),
      ],
    })
  }

  const strangers: Workflows['strangers'] = {
    async hook(hook) {
      const { caller, ...trigger } = await findHook(database, hook)
      const workflow = await findWorkflow(database, caller.projectId, trigger.workflowId)
      if (!workflow) throw new Problem('not_found', 'There is no such webhook, or it was switched off.')
      return { workflow, trigger }
    },
    async fire(hook, { body, signature, values, idempotencyKey, more }) {
      const fired = await openHook(database, hook, body, signature)
      return beginFor(fired.caller, { ...await fill(fired, values, idempotencyKey), ...more })
    },
    async byToken(token) {
      const { owner, id } = await tokenOwner(token)
      const review = (await findReview(database, owner, id))!
      const desk = options.deskFor(callerOf((await findExecutionRow(database, review.executionId))!))
      const links = await Promise.all(review.candidates.map(async ({ asset }) => { const found = await desk.assets.find(asset); return found ? desk.assets.link(found, { side: 1024 }) : '' }))
      return { review, links }
    },
    async answerByToken(token, given, by) { const { owner, id } = await tokenOwner(token); return answer(owner, id, given, by) },
  }

  async function tokenOwner(token: string): Promise<{ owner: Owner; id: string }> {
    const id = readToken(options.secret, token, now())
    const { rows: [row] } = await database.query<{ project_id: string; livemode: boolean }>('select project_id, livemode from review where id = $1', [id])
    if (!row) throw new Problem('not_found', 'There is no such review.')
    return { owner: { projectId: row.project_id, livemode: row.livemode }, id }
  }

  /** Inputs of a trigger fit its workflow as it stands; nobody but a schedule itself can give what it leaves out. @throws {Problem} `bad_request` */
  async function checkTriggered(caller: Caller, workflowId: string, inputs: Record<string, Json> = {}, kind: Trigger['kind']): Promise<void> {
    const workflow = await findWorkflow(database, caller.projectId, workflowId)
    if (!workflow || kind === 'webhook' && Object.keys(inputs).length === 0) return
    const graph = workflow.published === null ? workflow.graph : (await findVersion(database, workflow.id, workflow.published))!.graph
    place(layOut({ ...graph, exposed: kind === 'schedule' ? graph.exposed : graph.exposed.map(one => ({ ...one, required: false })) }, kinds.faces), inputs, kinds)
  }

  /** What a trigger runs: its own inputs, and of the call's values those that name an input, or the node or port it fills. */
  async function fill(fired: Fired, values: Record<string, Json>, idempotencyKey: string | undefined): Promise<ExecutionOrder> {
    const { graph } = await readGraph(fired.caller, { workflowId: fired.workflowId })
    const given: Record<string, Json> = {}
    for (const { name, node, port } of graph.exposed) {
      const value = [name, node, port].map(word => values[word]).find(one => one !== undefined)
      if (value !== undefined) given[name] = value
    }
    return { workflowId: fired.workflowId, inputs: { ...fired.inputs, ...given }, trigger: fired.trigger, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) }
  }

  return {
    faces: kinds.faces,
    of: caller => ({
      kinds: () => [...kinds.faces.values()],
      readyMade: () => [...readyMade.values()],
      lint: graph => lint(graph, kinds.faces, kinds.checkSetting),
      async create(draft) { if (!draft.unfinished) checkGraph(draft.graph); return createWorkflow(database, caller.projectId, draft) },
      find: name => findWorkflow(database, caller.projectId, name),
      list: filter => listWorkflows(database, caller.projectId, filter),
      count: active => countWorkflows(database, caller.projectId, active),
      tally: ids => tally(database, caller, ids),
      async change(id, change, revision) { if (change.graph && !change.unfinished) checkGraph(change.graph); return changeWorkflow(database, caller.projectId, id, change, revision) },
      remove: id => removeWorkflow(database, caller.projectId, id),
      publish: (id, name) => publishWorkflow(database, caller.projectId, id, name, caller.keyId),
      versions: id => listVersions(database, id),
      version: (id, version) => findVersion(database, id, version),
      pin: order => pin(caller, order),
      async plan(order) {
        const prepared = await prepare(caller, order)
        const { plan: foreseen, refused } = await planFor(caller, prepared, order)
        if (refused) throw refused
        return foreseen
      },
      begin: order => beginFor(caller, order),
      async beginTogether(orders, idempotency) {
        if (orders.length < 1 || orders.length > togetherMax) throw new Problem('bad_request', `Up to ${togetherMax} executions are begun together, not ${orders.length}.`, { allowed: { max: togetherMax } })
        return beginAll(caller, orders, idempotency)
      },
      execution: id => findExecution(caller, id),
      async executions({ workflowId, batchId, limit, after }) {
        const { rows } = await database.query<ExecutionRow>(
          `select ${executionColumns} from execution e where e.project_id = $1 and e.livemode = $2 and ($3::uuid is null or e.workflow_id = $3) and ($4::uuid is null or e.batch_id = $4) and ($5::uuid is null or e.id < $5) order by e.id desc limit $6`,
          [caller.projectId, caller.livemode, workflowId ?? null, batchId ?? null, after ?? null, limit])
        return rows.map(row => readExecution(row))
      },
      async runs(id, { node, state, limit, offset }) {
        const { rows } = await database.query<RunRow & { review_id: string | null }>(
          `select ${runColumns}, (select v.id from review v where v.execution_id = r.execution_id and v.node = r.node and v.item = r.item order by v.id desc limit 1) as review_id
           from node_run r where r.execution_id = $1 and ($2::text is null or r.node = $2) and ($3::text is null or r.state = $3) order by r.created_at, r.node, r.item limit $4 offset $5`, [id, node ?? null, state ?? null, limit, offset])
        return rows.map(readRun)
      },
      async graphOf(id) {
        const { rows: [row] } = await database.query<{ body: Graph }>('select g.body from execution e join graph g on g.sha256 = e.graph_sha256 where e.id = $1 and e.project_id = $2 and e.livemode = $3', [id, caller.projectId, caller.livemode])
        return row?.body ?? null
      },
      givenTo: async id => await findExecution(caller, id) === null ? {} : graphs.given(database, id),
      settled: (id, waitMs, signal) => settledExecution(caller, id, waitMs, signal),
      cancel: id => cancelExecution(caller, id),
      resume: (id, only) => resumeExecution(caller, id, only),
      reviews: filter => listReviews(database, caller, filter),
      review: id => isId(id) ? findReview(database, caller, id) : Promise.resolve(null),
      answer: (id, given, by) => answer(caller, id, given, by),
      reviewLink,
      baselines: filter => listBaselines(database, caller, filter),
      baseline: name => findBaseline(database, caller, name),
      async setBaseline(name, assetId, by) {
        const asset = await options.deskFor(caller).assets.find(assetId)
        if (!asset?.mime.startsWith('image/')) throw new Problem('not_found', 'There is no such picture. Upload it first (POST /plantain/v1/assets).', { field: 'asset', value: assetId.slice(0, 100) })
        await propose(database, caller, name, mediaOf(asset), { by, approve: true })
        return (await findBaseline(database, caller, name))!
      },
      approveBaseline: (name, seen, by) => approveBaseline(database, caller, name, { seen, by }),
      rejectBaseline: (name, seen, reason, by) => rejectBaseline(database, caller, name, { seen, reason, by }),
      removeBaseline: name => removeBaseline(database, caller, name),
      triggers: workflowId => listTriggers(database, caller, workflowId),
      async createTrigger(workflowId, order) {
        await checkTriggered(caller, workflowId, order.inputs, order.kind)
        return createTrigger(database, caller, workflowId, order, now())
      },
      async changeTrigger(id, change) {
        const trigger = change.inputs === undefined ? null : await findTrigger(database, caller, id)
        if (trigger) await checkTriggered(caller, trigger.workflowId, change.inputs, trigger.kind)
        return changeTrigger(database, caller, id, change, now())
      },
      removeTrigger: id => removeTrigger(database, caller, id),
      rotateTrigger: id => rotateTrigger(database, caller, id),
      ...strangers,
    }),
    async told(executionId) {
      const row = await findExecutionRow(database, executionId)
      const execution = row ? await findExecution({ projectId: row.project_id, livemode: row.livemode }, executionId) : null
      return row && execution ? { execution, desk: options.deskFor(callerOf(row)) } : null
    },
    strangers,
    hear(taskIds) {
      bought.ended(taskIds)
    },
    free: workers => freeRuns(database, workers).then(() => runner?.wake()),
    start: () => runner?.start(),
    stop: async graceMs => { await runner?.stop(graceMs) },
  }
}
