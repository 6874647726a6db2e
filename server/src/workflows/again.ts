/**
 * Going on after an end: what failed is tried again, and what a person wants otherwise is made again. What was paid is kept.
 *
 * Runs that ended well stay as they are. Those that failed, and those that were skipped because of it, are taken away and opened anew by the same
 * rules that opened them first; collecting runs behind them collect again.
 */
import { hasRunEnded, project, type RunState } from '../domain/graph/advance.ts'
import { instanceKey, itemKey, type Instance } from '../domain/graph/graph.ts'
import type { Layout } from '../domain/graph/layout.ts'
import type { Values } from '../domain/graph/values.ts'
import { Problem } from '../domain/problem.ts'
import type { Client } from '../db/pool.ts'
import type { ExecutionRow } from './rows.ts'
import { open, writeItem } from './settle.ts'

/** Nodes that read, directly or not, what these give. */
export function behind(layout: Layout, from: Iterable<string>): Set<string> {
  const found = new Set<string>()
  const todo = [...from]
  for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
    for (const { to } of layout.outOf.get(node) ?? []) if (!found.has(to.node)) { found.add(to.node); todo.push(to.node) }
  }
  return found
}

/** Of some runs, those that stand behind one of these and belong to the same items, as far as both stand inside the same iterations. */
export function dependants<T extends Instance>(layout: Layout, of: Instance[], among: T[]): T[] {
  const found = new Set<T>()
  const byNode = Map.groupBy(among, run => run.node)
  for (const [node, runs] of Map.groupBy(of, run => run.node)) {
    const scope = layout.scopeOf.get(node)!
    for (const later of behind(layout, [node])) {
      const there = layout.scopeOf.get(later)!
      const shared = scope.filter(group => there.includes(group))
      const keys = new Set(runs.map(run => itemKey(project(run.item, scope, shared))))
      for (const run of byNode.get(later) ?? []) if (keys.has(itemKey(project(run.item, there, shared)))) found.add(run)
    }
  }
  return [...found]
}

interface Standing extends Instance { state: RunState | 'asking' }

const readRuns = async (client: Client, executionId: string, nodes: Iterable<string> | null): Promise<Standing[]> => {
  const { rows } = await client.query<Standing>({ name: 'runs standing', text: `
    select node, item, state from node_run where execution_id = $1 and ($2::text[] is null or node = any($2))` }, [executionId, nodes === null ? null : [...nodes]])
  return rows
}

/** What they had bought is kept beside: where the same goes in again, it is not bought again. */
const remove = async (client: Client, executionId: string, runs: Instance[]): Promise<void> => {
  if (runs.length === 0) return
  await client.query({ name: 'runs remove', text: `
    with gone as (
      delete from node_run r using unnest($2::text[], $3::text[]) as w(node, item) where r.execution_id = $1 and r.node = w.node and r.item = w.item::int[]
      returning r.node, r.item, r.key, r.outputs, r.state = 'done' and r.key is not null and (r.task_id is not null or r.child_id is not null) as bought)
    insert into node_past (execution_id, node, item, key, outputs) select $1, node, item, key, outputs from gone where bought
    on conflict (execution_id, node, item, key) do update set outputs = excluded.outputs, created_at = now()` }, [executionId, runs.map(run => run.node), runs.map(run => writeItem(run.item))])
}

/** What a run of this node and item gave before it was taken away, of the same content; null where there was none. */
export async function findPast(client: Client, { executionId, node, item }: Instance & { executionId: string }, key: Buffer): Promise<Values | null> {
  const { rows: [row] } = await client.query<{ outputs: Values }>({ name: 'runs past', text: 'select outputs from node_past where execution_id = $1 and node = $2 and item = $3 and key = $4' }, [executionId, node, item, key])
  return row?.outputs ?? null
}

/**
 * Begins runs again in an execution whose row is locked: these begin anew, what stands behind them is taken away, and what has ended before
 * opens what may follow. Answers how many runs are open now.
 */
export async function beginAgain(client: Client, execution: Pick<ExecutionRow, 'id'>, layout: Layout, again: (Instance & { override?: Values; /** What it called goes on as well. */ childId?: string })[]): Promise<void> {
  const later = behind(layout, again.map(run => run.node))
  const standing = await readRuns(client, execution.id, later)
  const anew = new Set(again.map(instanceKey))
  const gone = dependants(layout, again, standing).filter(run => !anew.has(instanceKey(run)))
  if (gone.some(run => run.state === 'running' || run.state === 'waiting')) throw new Problem('conflict', 'Something behind this is being made right now. Wait until it has ended, or cancel the execution first.')
  await remove(client, execution.id, gone)
  await client.query({ name: 'reviews withdraw', text: `
    update review v set state = 'withdrawn', decided_at = now() from unnest($2::text[], $3::text[]) as w(node, item) where v.execution_id = $1 and v.node = w.node and v.item = w.item::int[] and v.state = 'open'` },
  [execution.id, gone.map(run => run.node), gone.map(run => writeItem(run.item))])
  await client.query({ name: 'runs again', text: `
    update node_run r set state = 'ready', turn = turn + 1, worker = null, attempt = attempt + 1, due_at = now(), task_id = null, child_id = w.child, override = coalesce(w.override, r.override), outputs = null, ports = '{}', length = null,
      problem = null, reused = false, because = null, price_micros = 0, ended_at = null, started_at = null
    from unnest($2::text[], $3::text[], $4::jsonb[], $5::uuid[]) as w(node, item, override, child) where r.execution_id = $1 and r.node = w.node and r.item = w.item::int[]` },
  [execution.id, again.map(run => run.node), again.map(run => writeItem(run.item)), again.map(run => run.override === undefined ? null : JSON.stringify(run.override)), again.map(run => run.childId ?? null)])
  // Counts follow from what stands there, so they are made anew while it is opened.
  await client.query({ name: 'runs uncount', text: 'delete from node_count where execution_id = $1' }, [execution.id])
  await reopen(client, execution.id, layout)
  await client.query({ name: 'execution again', text: `
    update execution set state = 'running', ended_at = null, outputs = null, problem = null, rounds = rounds + 1,
      open = (select count(*) from node_run where execution_id = $1 and state in ('ready', 'running', 'waiting', 'asking')) where id = $1` }, [execution.id])
}

/** Opens whatever may follow from what has ended. Runs that are there already stay. */
async function reopen(client: Client, executionId: string, layout: Layout): Promise<void> {
  const ended = (await readRuns(client, executionId, null)).flatMap(({ node, item, state }) => state !== 'asking' && hasRunEnded(state) ? [{ node, item, state }] : [])
  // A thousand at a time, so that the questions of one step stay small.
  for (let from = 0; from < ended.length; from += 1_000) await open(client, executionId, layout, ended.slice(from, from + 1_000))
}

export const stillStopping = () => new Problem('conflict', 'What this execution had under way is still being stopped. Try again in a moment.', { retryAfterS: 2 })

/** Executions that this one called and that did not end well, and those they called, in turn. */
export async function calledBy(client: Client, executionId: string): Promise<string[]> {
  const { rows } = await client.query<{ child_id: string }>({ name: 'executions called', text: `
    with recursive down as (
      select child_id from node_run where execution_id = $1 and child_id is not null and state in ('failed', 'cancelled')
      union select r.child_id from down join node_run r on r.execution_id = down.child_id where r.child_id is not null and r.state in ('failed', 'cancelled'))
    select child_id from down` }, [executionId])
  return rows.map(row => row.child_id)
}

/**
 * What a resumed execution begins anew: runs that failed, and those that were cancelled. Skipped ones follow by themselves, and where a workflow it called
 * failed, that one goes on where it stopped. All of them are locked. Says how many runs of this execution begin again.
 */
export async function resume(client: Client, execution: ExecutionRow, executions: ReadonlyMap<string, ExecutionRow>, layoutOf: (execution: ExecutionRow) => Promise<Layout>, only: { node?: string; item?: readonly number[] }): Promise<number> {
  const { rows: standing } = await client.query<Standing & { child_id: string | null; stopping: boolean }>({ name: 'runs to resume', text: `
    select node, item, state, child_id, stopping from node_run where execution_id = $1 and (state in ('failed', 'cancelled') or stopping)` }, [execution.id])
  if (standing.some(run => run.stopping)) throw stillStopping()
  const again = standing.filter(run => (only.node === undefined || run.node === only.node) && (only.item === undefined || run.item.join('.') === only.item.join('.')))
  if (again.length === 0) return 0
  const children = new Map<Standing, string>()
  for (const run of again) {
    const child = run.child_id === null ? undefined : executions.get(run.child_id)
    if (child && (child.state === 'failed' || child.state === 'cancelled') && await resume(client, child, executions, layoutOf, {}) > 0) children.set(run, child.id)
  }
  await beginAgain(client, execution, await layoutOf(execution), again.map(run => ({ ...run, ...(children.has(run) ? { childId: children.get(run)! } : {}) })))
  return again.length
}
