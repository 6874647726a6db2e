/**
 * One step of one run in hand: what goes in, whether that was made before, and what becomes of it.
 *
 * A run that buys does so under a name made of execution, node, item and attempt: begun again after a crash, it finds the task it had
 * made. Absent on purpose: opening what follows (`settle.ts`), waiting (a bought run is looked at again when its task has ended).
 */
import { createHash } from 'node:crypto'
import type { Caller } from '../domain/caller.ts'
import type { CheckedOrder } from '../domain/card.ts'
import { formatDollars } from '../domain/money.ts'
import type { Order } from '../domain/order.ts'
import type { Json } from '../domain/outcome.ts'
import { asProblem, Problem, storeProblem } from '../domain/problem.ts'
import { hasEnded } from '../domain/task.ts'
import type { Asset } from '../domain/asset.ts'
import type { Plan } from '../domain/graph/execution.ts'
import { itemKey, type Media, type NodeFace } from '../domain/graph/graph.ts'
import type { Layout } from '../domain/graph/layout.ts'
import { isKnown, keyText, mediaIn, refuseLarge, resolve, type Given, type Values } from '../domain/graph/values.ts'
import type { Bench, Computing, Node, NodeOrder } from '../nodes/contract.ts'
import type { Desk } from '../protocols/contract.ts'
import type { Database } from '../db/pool.ts'
import type { Gate } from '../kit/gate.ts'
import type { Log } from '../kit/log.ts'
import { findPast } from './again.ts'
import type { Bought } from './bought.ts'
import { gather, type StepReads } from './gather.ts'
import type { Graphs } from './graphs.ts'
import type { Kinds } from './kinds.ts'
import type { Planning } from './plan.ts'
import type { ExecutionRow, Owner, RunRow } from './rows.ts'
import type { Reservation, Reserved } from './reserve.ts'
import type { RunSettlement } from './settle.ts'

export interface StepTools {
  database: Database
  kinds: Kinds
  graphs: Graphs
  deskFor(caller: Caller): Desk
  benchFor(execution: ExecutionRow, desk: Desk, signal: AbortSignal): Bench
  /** Has a node compute, where it holds nobody up. */
  compute(node: Computing, values: Values, bench: Bench): Promise<Values>
  /** Begins another workflow inside this run; the same run gets the same execution. */
  call(execution: ExecutionRow, run: RunRow, workflow: string, inputs: Record<string, Json>): Promise<string>
  /** What such a call would do and cost. @throws {Problem} for a workflow that is not there, or inputs it has not */
  foresee(within: Pick<Planning, 'caller' | 'depth' | 'pins' | 'parallelism'>, call: { workflow: string; inputs: Record<string, Json> }, force: boolean, calls: Planning['calls']): Promise<{ plan: Plan; refused: Problem | null }>
  /** Checks and prices an order whose pictures are these, buying nothing. @throws {Problem} as `desk.estimate` */
  check(order: Order, media: Media[], owner: Owner, options?: { /** Its words are still to come. */ isOpen?: boolean }): Promise<CheckedOrder>
  reads: StepReads
  /** Sets a price aside within the execution's cap. */
  reserve(wanted: Reservation): Promise<Reserved>
  bought: Pick<Bought, 'handedIn'>
  /** Nodes that work on pictures share memory for so many bytes of them, decoded: a hundred times their files. */
  decoding: Gate
  now(): Date
  log: Log
}

/** How long a node that computes may take. */
const computeMs = 120_000
/** A bought run is looked at when its task is said to have ended, and by itself this often. */
const lookMs = 30_000

/** Who runs an execution: its key's project and mode, without the limits on calls, which were counted when it was begun. */
export const callerOf = (row: ExecutionRow): Caller => ({
  keyId: row.key_id!, keyName: 'workflow', keyPrefix: '', accountId: row.account_id, projectId: row.project_id, livemode: row.livemode,
  scopes: ['tasks:read', 'tasks:write', 'assets:read', 'assets:write'], limits: { requestsPerMinute: null, executionsPerDay: null, concurrent: null },
})

export async function stepRun(run: RunRow, tools: StepTools, signal: AbortSignal): Promise<RunSettlement> {
  const common = { executionId: run.execution_id, node: run.node, item: run.item, turn: run.turn }
  try {
    const execution = await tools.reads.execution(run.execution_id)
    if (!execution || execution.state !== 'running') return { ...common, state: 'skipped', because: 'the execution was ended' }
    const layout = await tools.graphs.layout(tools.database, execution.graph_sha256)
    const given = await tools.graphs.given(tools.database, execution.id)
    const step = { ...common, run, execution, layout, given, desk: tools.deskFor(callerOf(execution)) }
    // What was bought is paid and comes whole.
    if (run.task_id !== null) return await readTask(step, tools)
    const settled = run.child_id !== null ? await readChild(step, tools) : await begin(step, tools, signal)
    if (settled.outputs) refuseLarge(run.node, settled.outputs, 'out')
    return settled
  } catch (thrown) {
    if (signal.aborted) return { ...common, state: 'ready' }
    const problem = asProblem(thrown)
    if (problem.code === 'unavailable') return { ...common, state: run.task_id === null && run.child_id === null ? 'ready' : 'waiting', dueAt: new Date(tools.now().getTime() + 1_000) }
    if (problem.code === 'internal') tools.log.error({ executionId: run.execution_id, node: run.node, item: itemKey(run.item), error: thrown }, 'a workflow step failed unexpectedly')
    return { ...common, state: 'failed', problem: storeProblem(problem), ...(run.price_micros > 0 ? { chargedMicros: 0 } : {}) }
  }
}

interface Step { executionId: string; node: string; item: number[]; turn: number; run: RunRow; execution: ExecutionRow; layout: Layout; given: Given; desk: Desk }
const base = ({ executionId, node, item, turn }: Step) => ({ executionId, node, item, turn })

async function begin(step: Step, tools: StepTools, signal: AbortSignal): Promise<RunSettlement> {
  const { run, execution, layout, desk } = step
  const face = layout.faceOf(run.node)
  const node = tools.kinds.node(face.id)
  const gathered = await gather(tools.database, tools.reads, run.execution_id, layout, run)
  if (gathered.came === 0 && gathered.awaited! > 0) return { ...base(step), state: 'skipped', because: 'every item failed' }
  const values = valuesOf(layout, run, gathered.arrived, step.given)
  tools.kinds.checkInputs(run.node, face, values)

  const order = 'order' in node ? writeOrder(execution, run, node.order(values as never)) : null
  const checked = order === null ? null : await tools.check(order, picturesOf(order, values), { projectId: execution.project_id, livemode: execution.livemode })
  const key = keyOf(face, values, checked)
  const isKept = face.reusable && !isCheap(face)
  const redone = run.override !== null || run.attempt > 1
  const isForced = execution.force || execution.anew.includes(run.node)
  const earlier = isKept && !isForced && !redone ? await findResult(tools, execution, key, desk) : null
  if (earlier?.outputs) return { ...base(step), state: 'done', outputs: earlier.outputs, key, reused: true, because: earlier.because }
  // Something before it was made anew, and the same came of that: what was bought then stands.
  const past = !redone && execution.rounds > 0 && (order !== null || 'call' in node) ? await findPast(tools.database, step, key) : null
  if (past !== null && await areThere(past, desk)) return { ...base(step), state: 'done', outputs: past, key, reused: true, because: 'it was made of the same before' }
  const because = run.override !== null ? 'a person asked for it again' : redone ? 'it was tried again' : !isKept ? 'it runs every time' : isForced ? 'earlier results were not wanted' : earlier!.because

  if (order !== null) return { ...base(step), state: 'waiting', ...await buy(step, tools, order, checked!), key, because, dueAt: new Date(tools.now().getTime() + lookMs) }
  if ('review' in node) return { ...base(step), state: 'asking', review: node.review(values as never), because }
  if ('call' in node) {
    const { workflow, inputs } = node.call(values as never)
    return { ...base(step), state: 'waiting', childId: await tools.call(execution, run, workflow, inputs), key, because, dueAt: new Date(tools.now().getTime() + lookMs) }
  }
  if (!('run' in node)) throw new Error(`The node ${face.id} does nothing.`)
  const compute = async () => {
    const late = AbortSignal.timeout(computeMs)
    try {
      return await tools.compute(node, values, tools.benchFor(execution, desk, AbortSignal.any([signal, late])))
    } catch (thrown) {
      throw late.aborted && !(thrown instanceof Problem) ? new Problem('deadline', `This step took more than ${computeMs / 1_000} s. Give it smaller pictures, or fewer at once.`, { cause: thrown }) : thrown
    }
  }
  const outputs = await (face.category === 'picture' || face.category === 'check' ? tools.decoding(decodedBytes(values), compute, signal) : compute())
  // The items of an iteration stand in rows of their own.
  if (face.role === 'iterate') return { ...base(step), state: 'done', outputs: {}, items: outputs as Record<string, Json[]>, because }
  return { ...base(step), state: 'done', outputs, ...(isKept ? { key } : {}), because }
}

/** What a node that works on pictures will hold, about: each of them and what is made, in four bytes a pixel. */
function decodedBytes(values: Values): number {
  const { width, height } = values
  let pixels = typeof width === 'number' && typeof height === 'number' ? width * height : 0
  for (const media of mediaIn(values as Json)) pixels += (media.width ?? 1_000) * (media.height ?? 1_000)
  return pixels * 2 * 4
}

export const valuesOf = (layout: Layout, run: { node: string; override: Values | null }, arrived: Parameters<typeof resolve>[2], given: Given): Values => {
  const resolved = resolve(layout.nodes.get(run.node)!, layout.faceOf(run.node), arrived, given, run.override)
  if (!isKnown(resolved)) throw new Error('A run began before everything had come to it.')
  return resolved
}

/** Nodes that only handle what is there already: computed while planning, and every time, since to look for an earlier result would take longer. */
export const isCheap = (face: NodeFace): boolean => face.makes === 'nothing' && (face.category === 'input' || face.category === 'text' || face.category === 'flow')

/** What decides a result, as one hash. A model's name counts as the card it stands for, a template's as the version that is meant now. */
export const keyOf = (face: NodeFace, values: Values, checked: CheckedOrder | null): Buffer =>
  createHash('sha256').update(keyText(face, values, checked === null ? null : checked.template ? [checked.card.id, checked.template.id, checked.template.version, checked.template.revision ?? null] : checked.card.id)).digest()

/** The order of a run: bought under a name that is the same for every repetition of this attempt, as long as it asks for the same. */
export function writeOrder(execution: Pick<ExecutionRow, 'id' | 'metadata'> & { trigger?: string }, run: Pick<RunRow, 'node' | 'item' | 'attempt'>, wanted: NodeOrder): Order {
  const { model, operation, prompt, parameters, inputs } = wanted
  const name = createHash('sha256').update(JSON.stringify([execution.id, run.node, run.item, run.attempt, wanted])).digest('hex')
  return {
    model, prompt, parameters, ...(operation === undefined ? {} : { operation }), inputs: inputs.map(({ asset, role }) => ({ assetId: asset, role })),
    // Rows of a batch wait behind what somebody sits in front of.
    ...(execution.trigger?.startsWith('batch ') ? { priority: 'batch' as const } : {}),
    idempotencyKey: `workflow-${name}`, metadata: { execution_id: execution.id, node: run.node.slice(0, 512), ...(run.item.length > 0 ? { item: itemKey(run.item) } : {}) },
  }
}

/** The pictures of an order, in its order, out of the values it was made from. */
export function picturesOf({ inputs }: Order, values: Values): Media[] {
  const known = new Map([...mediaIn(values)].map(media => [media.asset, media]))
  return inputs.map(({ assetId }) => known.get(assetId)!)
}

/** Buys; where the execution has a cap, or one that called it may have, the price is reserved within it first, once an attempt. */
async function buy({ run, execution, desk, turn }: Step, tools: StepTools, order: Order, { priceMicros }: CheckedOrder): Promise<{ taskId: string; pricedMicros?: number }> {
  const capped = execution.cost_max_micros !== null || execution.parent_id !== null
  if (capped && run.price_micros === 0 && priceMicros > 0) {
    const reserved = await tools.reserve({ executionId: execution.id, node: run.node, item: run.item, turn, micros: priceMicros })
    if (reserved.kind === 'taken') throw new Problem('conflict', 'This run was taken by somebody else meanwhile.')
    if (reserved.kind === 'beyond') throw new Problem('credits_required', `This would cost $${formatDollars(priceMicros)} more, and the execution may cost $${formatDollars(reserved.maxMicros)} in all. What was made before is kept; raise the cap and resume it.`, { requiredMicros: priceMicros, availableMicros: reserved.leftMicros })
    run.price_micros = priceMicros
  }
  const { task } = await desk.submit(order)
  tools.bought.handedIn(task.id, hasEnded(task.state))
  return { taskId: task.id, ...(run.price_micros === 0 ? { pricedMicros: priceMicros } : {}) }
}

/** An earlier result of the same content, or why there is none. What the same execution made meanwhile does not count: the outcome would hang on who came first. */
export async function findResult({ database }: Pick<StepTools, 'database'>, execution: Pick<ExecutionRow, 'id' | 'project_id' | 'livemode' | 'created_at'>, key: Buffer, desk: Pick<Desk, 'assets'>): Promise<{ outputs: Values | null; because: string }> {
  const { rows: [row] } = await database.query<{ outputs: Values; execution_id: string }>({ name: 'result find', text: `
    select outputs, execution_id from node_result where project_id = $1 and livemode = $2 and key = $3 and execution_id <> $4 and created_at < $5 order by created_at desc limit 1` },
  [execution.project_id, execution.livemode, key, execution.id, execution.created_at])
  if (!row) return { outputs: null, because: 'nothing was made of this before' }
  if (!await areThere(row.outputs, desk)) return { outputs: null, because: 'an earlier result is no longer kept' }
  return { outputs: row.outputs, because: `made by execution ${row.execution_id}` }
}

async function areThere(outputs: Values, desk: Pick<Desk, 'assets'>): Promise<boolean> {
  for (const media of mediaIn(outputs)) if (await desk.assets.find(media.asset) === null) return false
  return true
}

export const mediaOf = (asset: Asset): Media => ({ asset: asset.id, sha256: asset.sha256, mime: asset.mime, width: asset.width, height: asset.height })

/** Looks at what was bought. */
async function readTask(step: Step, tools: StepTools): Promise<RunSettlement> {
  const { run, layout, desk } = step
  const task = await desk.find(run.task_id!)
  if (task === null) throw new Problem('not_found', 'The task of this run is gone.')
  if (!hasEnded(task.state)) return { ...base(step), state: 'waiting', dueAt: new Date(tools.now().getTime() + lookMs) }
  const chargedMicros = task.chargedMicros ?? 0
  if (task.state !== 'done') return { ...base(step), state: 'failed', chargedMicros, problem: task.problem ?? storeProblem(new Problem('internal', 'The task ended without a word.')) }
  const face = layout.faceOf(run.node)
  const node = tools.kinds.node(face.id) as Extract<Node, { order: unknown }>
  const { arrived } = await gather(tools.database, tools.reads, run.execution_id, layout, run)
  const outputs = node.read({ outputs: task.outputs.map(mediaOf), text: task.text, details: task.details, taskId: task.id, costMicros: chargedMicros }, valuesOf(layout, run, arrived, step.given) as never) as Values
  return { ...base(step), state: 'done', outputs, chargedMicros, ...(face.reusable && run.key ? { key: run.key } : {}) }
}

/** Looks at the execution this run called. */
async function readChild(step: Step, tools: StepTools): Promise<RunSettlement> {
  const { run, layout } = step
  const child = await tools.reads.execution(run.child_id!)
  if (!child) throw new Problem('not_found', 'The execution this run called is gone.')
  if (child.state === 'running') return { ...base(step), state: 'waiting', dueAt: new Date(tools.now().getTime() + lookMs) }
  if (child.state !== 'done') return { ...base(step), state: 'failed', calledMicros: child.cost_micros, problem: child.problem ?? storeProblem(new Problem('cancelled', 'The workflow it called was cancelled.')) }
  const node = tools.kinds.node(layout.faceOf(run.node).id) as Extract<Node, { call: unknown }>
  const { arrived } = await gather(tools.database, tools.reads, run.execution_id, layout, run)
  return { ...base(step), state: 'done', calledMicros: child.cost_micros, outputs: node.returned(child.outputs ?? {}, valuesOf(layout, run, arrived, step.given) as never) as Values }
}
