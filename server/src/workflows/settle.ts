/**
 * Writing down how runs ended, and opening what may follow: one transaction for a group of runs.
 *
 * The execution's row is locked first, so the runs of one execution are brought together one group after another, by whichever process. Every
 * write names the turn it holds; who lost it changes nothing. What follows is decided by `domain/graph/advance.ts`.
 */
import { awaited, candidates, collecting, countItems, decided, judge, tooMany, unequal, type Known, type Opening, type RunState } from '../domain/graph/advance.ts'
import { graphLimits, inPlace, instanceKey, type Instance, type Item } from '../domain/graph/graph.ts'
import type { Layout } from '../domain/graph/layout.ts'
import type { Values } from '../domain/graph/values.ts'
import type { Json } from '../domain/outcome.ts'
import { Problem, storeProblem, type StoredProblem } from '../domain/problem.ts'
import type { ReviewAsk } from '../nodes/contract.ts'
import type { Client } from '../db/pool.ts'
import { newId } from '../kit/id.ts'
import { executionColumns, type ExecutionRow } from './rows.ts'
import { tell } from './tell.ts'

/** What becomes of a run in hand. */
export interface RunSettlement extends Instance {
  executionId: string
  turn: number
  state: 'done' | 'failed' | 'skipped' | 'waiting' | 'asking' | 'ready'
  /** Over the head of whoever holds it (a review's answer, a lost worker); the caller has locked the execution. */
  forced?: boolean
  dueAt?: Date | null
  taskId?: string | null
  childId?: string | null
  outputs?: Values | null
  /** Of an iterating node: its items, port by port; they go into rows of their own. */
  items?: Record<string, Json[]>
  problem?: StoredProblem | null
  key?: Buffer | null
  reused?: boolean
  because?: string | null
  /** The price of what was just bought, where nothing had to be reserved before. */
  pricedMicros?: number
  /** What of its price was charged: set when a purchase has ended. */
  chargedMicros?: number
  /** What the execution it called cost, to be shown: that is booked already, purchase by purchase. */
  calledMicros?: number
  review?: ReviewAsk
}

export interface ExecutionEnd { id: string; parentId: string | null }
/** `told`: something was written for the delivery room. */
export interface SettledRuns { held: Set<string>; opened: number; ended: ExecutionEnd[]; told: boolean }

export const runKey = ({ executionId, node, item }: { executionId: string } & Instance): string => `${executionId} ${instanceKey({ node, item })}`

const keyOfRow = ({ execution_id, node, item }: HeldRow) => runKey({ executionId: execution_id, node, item })

/** An item as PostgreSQL reads it. */
export const writeItem = (item: Item): string => `{${item.join(',')}}`

interface HeldRow { execution_id: string; node: string; item: number[]; state: RunSettlement['state']; price_micros: number }

/** Settles a group; the layouts of their executions are at hand. */
export async function settleRuns(client: Client, ended: RunSettlement[], layoutOf: (execution: ExecutionRow) => Promise<Layout>): Promise<SettledRuns> {
  const executions = await lockExecutions(client, ended.map(one => one.executionId))
  const group = await refuseLists(client, ended, executions, layoutOf)
  const { rows } = await client.query<HeldRow>({ name: 'runs settle', text: `
    with s as materialized (
      select * from jsonb_to_recordset($1) as s(execution_id uuid, node text, item text, turn int, state text, forced boolean, due_at timestamptz, task_id uuid, child_id uuid, outputs jsonb, ports text[],
        length int, problem jsonb, key text, reused boolean, because text, priced bigint, charged bigint, called bigint, ended boolean))
    update node_run r set state = s.state, worker = null, turn = r.turn + s.forced::int, due_at = coalesce(s.due_at, r.due_at), task_id = coalesce(s.task_id, r.task_id), child_id = coalesce(s.child_id, r.child_id),
      outputs = s.outputs, ports = coalesce(s.ports, '{}'), length = s.length, problem = s.problem, key = coalesce(decode(s.key, 'hex'), r.key), reused = s.reused, because = coalesce(s.because, r.because),
      price_micros = coalesce(s.priced, r.price_micros), charged_micros = coalesce(s.called, r.charged_micros + coalesce(s.charged, 0)), ended_at = case when s.ended then now() end
    from s where r.execution_id = s.execution_id and r.node = s.node and r.item = s.item::int[] and r.turn = s.turn and (r.state = 'running' or s.forced and r.state in ('waiting', 'asking'))
    returning r.execution_id, r.node, r.item, r.state, r.price_micros` },
  [JSON.stringify(group.map(one => ({
    execution_id: one.executionId, node: one.node, item: writeItem(one.item), turn: one.turn, state: one.state, forced: one.forced ?? false, due_at: one.dueAt ?? null, task_id: one.taskId ?? null, child_id: one.childId ?? null,
    outputs: one.outputs ?? null, ports: portsOf(one), length: lengthOfItems(one), problem: one.problem ?? null, key: one.key?.toString('hex') ?? null, reused: one.reused ?? false, because: one.because ?? null,
    priced: one.pricedMicros ?? null, charged: one.chargedMicros ?? null, called: one.calledMicros ?? null, ended: hasEnded(one.state),
  })))])
  const held = new Set(rows.map(keyOfRow))
  const ours = group.filter(one => held.has(runKey(one)))
  await insertItems(client, ours)
  await insertReviews(client, ours, executions)
  await keepResults(client, ours, executions)
  await bookCosts(client, ours, new Map(rows.map(row => [keyOfRow(row), row.price_micros])))

  let opened = 0
  const over: ExecutionEnd[] = []
  for (const execution of executions.values()) {
    const settled = ours.flatMap(({ executionId, node, item, state }) => executionId === execution.id && hasEnded(state) ? [{ node, item, state }] : [])
    if (settled.length === 0) continue
    const layout = await layoutOf(execution)
    const balance = execution.state === 'running' ? await open(client, execution.id, layout, settled) : { opened: 0, ready: 0 }
    opened += balance.ready
    const end = await close(client, execution, layout, balance.opened - settled.length)
    if (end) over.push(end)
  }
  return { held, opened, ended: over, told: over.length > 0 || ours.some(one => one.review) }
}

const hasEnded = (state: RunSettlement['state']): state is 'done' | 'failed' | 'skipped' => state === 'done' || state === 'failed' || state === 'skipped'
const portsOf = ({ state, outputs, items }: RunSettlement): string[] => state !== 'done' ? [] : Object.keys(items ?? outputs ?? {})
const lengthOfItems = ({ state, items }: RunSettlement): number | null => state === 'done' && items ? Object.values(items)[0]?.length ?? 0 : null

/** Locked in one order everywhere, together with those that called them: what is spent counts there as well. */
export async function lockExecutions(client: Client, ids: string[]): Promise<Map<string, ExecutionRow>> {
  const { rows } = await client.query<ExecutionRow>({ name: 'executions lock', text: `
    with recursive up as (select id, parent_id from execution where id = any($1::uuid[]) union select e.id, e.parent_id from execution e join up on e.id = up.parent_id)
    select ${executionColumns} from execution e where e.id in (select id from up) order by e.id for update` }, [[...new Set(ids)]])
  return new Map(rows.map(row => [row.id, row]))
}

/** One of them; undefined where it is gone. */
export const lockExecution = async (client: Client, id: string): Promise<ExecutionRow | undefined> => (await lockExecutions(client, [id])).get(id)

/**
 * Lists that cannot be gone through are refused, and the run that gives them fails: those that go side by side need as many items, and no node runs for more
 * combinations than there may be items. Under the execution's lock, since two that end at the same moment would not see each other.
 */
async function refuseLists(client: Client, group: RunSettlement[], executions: Map<string, ExecutionRow>, layoutOf: (execution: ExecutionRow) => Promise<Layout>): Promise<RunSettlement[]> {
  const lists = group.filter(one => one.state === 'done' && one.items !== undefined)
  const refused = new Map<RunSettlement, string>()
  for (const [id, own] of Map.groupBy(lists, one => one.executionId)) {
    const execution = executions.get(id)
    if (!execution) continue
    const layout = await layoutOf(execution)
    const known = createKnowledge(client, id)
    const learn = (one: RunSettlement) => known.learn(one, { state: 'done', ports: portsOf(one), length: lengthOfItems(one) })
    for (const one of own) {
      const [name, { members }] = [...layout.groups].find(([, group]) => group.members.includes(one.node))!
      const length = lengthOfItems(one)!
      const lengths = await known.compute(look => members.map(node => node === one.node ? undefined : look({ node, item: one.item })))
      const other = lengths.find(there => there?.state === 'done' && there.length !== null && there.length !== length)
      if (other) { refused.set(one, unequal(name, other.length!, length)); continue }
      learn(one)
    }
    const grown = new Set(own.flatMap(({ node }) => [...layout.groups].flatMap(([name, { members }]) => members.includes(node) ? [name] : [])))
    const scopes = new Map([...layout.scopeOf.values()].filter(scope => scope.length > 1 && scope.some(name => grown.has(name))).map(scope => [scope.join('\n'), scope]))
    for (const scope of scopes.values()) {
      if (await known.compute(look => countItems(layout, scope, look, graphLimits.items)) <= graphLimits.items) continue
      for (const one of own) if (!refused.has(one) && scope.some(name => layout.groups.get(name)!.members.includes(one.node))) refused.set(one, tooMany)
    }
  }
  return refused.size === 0 ? group : group.map(one => {
    const message = refused.get(one)
    if (message === undefined) return one
    const { items: _items, ...rest } = one
    return { ...rest, state: 'failed', outputs: null, problem: { code: 'bad_request', message } }
  })
}

async function insertItems(client: Client, group: RunSettlement[]): Promise<void> {
  const rows = group.flatMap(one => {
    const ports = Object.entries(one.items ?? {})
    return Array.from({ length: lengthOfItems(one) ?? 0 }, (_, position) => ({
      execution_id: one.executionId, node: one.node, item: writeItem(one.item), position, value: Object.fromEntries(ports.map(([port, list]) => [port, list[position]])),
    }))
  })
  if (rows.length === 0) return
  await client.query({ name: 'runs items', text: `
    insert into node_item (execution_id, node, item, position, value)
    select execution_id, node, item::int[], position, value from jsonb_to_recordset($1) as r(execution_id uuid, node text, item text, position int, value jsonb)
    on conflict (execution_id, node, item, position) do update set value = excluded.value` }, [JSON.stringify(rows)])
}

async function insertReviews(client: Client, group: RunSettlement[], executions: Map<string, ExecutionRow>): Promise<void> {
  for (const { executionId, node, item, review } of group) {
    if (!review) continue
    const execution = executions.get(executionId)!
    const { project_id, livemode } = execution
    await tell(client, execution, 'review.requested')
    await client.query({ name: 'runs review', text: `
      insert into review (id, project_id, livemode, execution_id, node, item, candidates, choose_min, choose_max, note, on_timeout, due_at)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, case when $12::int is null then null else now() + make_interval(secs => $12::int) end)` },
    [newId(), project_id, livemode, executionId, node, item, JSON.stringify(review.candidates), review.chooseMin, review.chooseMax, review.note, review.onTimeout, review.timeoutS])
  }
}

/** Results that may be taken again, by whoever asks for the same. */
async function keepResults(client: Client, group: RunSettlement[], executions: Map<string, ExecutionRow>): Promise<void> {
  const rows = group.filter(one => one.state === 'done' && one.key && !one.reused && one.outputs).map(one => {
    const { project_id, livemode } = executions.get(one.executionId)!
    return { project_id, livemode, key: one.key!.toString('hex'), execution_id: one.executionId, outputs: one.outputs }
  })
  if (rows.length === 0) return
  await client.query({ name: 'runs results', text: `
    insert into node_result (project_id, livemode, key, execution_id, outputs)
    select project_id, livemode, decode(key, 'hex'), execution_id, outputs from jsonb_to_recordset($1) as r(project_id uuid, livemode boolean, key text, execution_id uuid, outputs jsonb)
    on conflict do nothing` }, [JSON.stringify(rows)])
}

/** What was bought counts with its price; once it has ended, with what it cost. */
async function bookCosts(client: Client, group: RunSettlement[], prices: Map<string, number>): Promise<void> {
  const sums = new Map<string, Spending>()
  for (const one of group) {
    if (one.chargedMicros === undefined && one.pricedMicros === undefined) continue
    const sum = sums.get(one.executionId) ?? { committed: 0, cost: 0 }
    sum.committed += one.pricedMicros ?? 0
    if (one.chargedMicros !== undefined) sum.committed += one.chargedMicros - (prices.get(runKey(one)) ?? 0)
    sum.cost += one.chargedMicros ?? 0
    sums.set(one.executionId, sum)
  }
  await book(client, sums)
}

/** What an execution has set aside or spent, and what of it is spent, in micro-dollars. */
export interface Spending { committed: number; cost: number }

/** Books to executions and to those that called them; their rows are locked. */
export async function book(client: Client, sums: Map<string, Spending>): Promise<void> {
  if (sums.size === 0) return
  const all = [...sums.values()]
  await client.query({ name: 'executions book', text: `
    with recursive up as (
      select e.id, e.parent_id, s.committed, s.cost from unnest($1::uuid[], $2::bigint[], $3::bigint[]) as s(id, committed, cost) join execution e on e.id = s.id
      union all select e.id, e.parent_id, up.committed, up.cost from up join execution e on e.id = up.parent_id)
    update execution e set committed_micros = e.committed_micros + s.committed, cost_micros = e.cost_micros + s.cost
    from (select id, sum(committed)::bigint as committed, sum(cost)::bigint as cost from up group by id) s where e.id = s.id` },
  [[...sums.keys()], all.map(one => one.committed), all.map(one => one.cost)])
}

/** Opens what the ended runs make possible, until nothing more follows. Says how many runs were added that have not ended, and how many are ready. */
export async function open(client: Client, executionId: string, layout: Layout, settled: (Instance & { state: RunState })[]): Promise<{ opened: number; ready: number }> {
  const known = createKnowledge(client, executionId)
  let ended: { instance: Instance; state: RunState }[] = settled.map(one => ({ instance: { node: one.node, item: one.item }, state: one.state }))
  let ready = 0
  while (ended.length > 0) {
    const now = ended
    const openings = await known.compute(look => {
      const found = new Map<string, Opening>()
      for (const { instance, state } of now) {
        for (const candidate of candidates(layout, instance, look)) {
          const name = instanceKey(candidate)
          if (found.has(name)) continue
          const opening = judge(layout, candidate, look)
          if (opening) found.set(name, opening)
        }
        for (const opening of decided(layout, instance, state, look)) found.set(instanceKey(opening), opening)
      }
      return [...found.values()]
    })
    for (const opening of await countCollected(client, executionId, layout, now.map(one => one.instance), known)) openings.push(opening)
    const inserted = await insertRuns(client, executionId, openings)
    for (const opening of inserted) known.learn(opening, { state: opening.state, ports: [], length: null })
    ready += inserted.filter(one => one.state === 'ready').length
    ended = inserted.filter(one => one.state === 'skipped').map(instance => ({ instance, state: 'skipped' as const }))
  }
  return { opened: ready, ready }
}

/** Counts ended runs towards the collecting runs they belong to; a run whose last one has come is ready. */
async function countCollected(client: Client, executionId: string, layout: Layout, ended: Instance[], known: Knowledge): Promise<Opening[]> {
  const counts = new Map<string, { instance: Instance; count: number }>()
  for (const instance of ended) {
    for (const collector of collecting(layout, instance)) {
      const name = instanceKey(collector)
      const entry = counts.get(name)
      if (entry) entry.count++
      else counts.set(name, { instance: collector, count: 1 })
    }
  }
  const openings: Opening[] = []
  for (const { instance, count } of counts.values()) {
    const all = await known.compute(look => awaited(layout, instance, look))
    if (all === null) continue
    const { rows: [row] } = await client.query<{ missing: number }>({ name: 'runs count', text: `
      insert into node_count (execution_id, node, item, missing) values ($1, $2, $3, $4::int - $5::int)
      on conflict (execution_id, node, item) do update set missing = node_count.missing - $5::int returning missing` }, [executionId, instance.node, instance.item, all, count])
    if (row!.missing === 0) openings.push({ ...instance, state: 'ready', because: null })
  }
  return openings
}

/** Writes runs that are not there yet; says which those were. */
export async function insertRuns(client: Client, executionId: string, openings: Opening[]): Promise<Opening[]> {
  if (openings.length === 0) return []
  const { rows } = await client.query<{ node: string; item: number[] }>({ name: 'runs open', text: `
    insert into node_run (execution_id, node, item, state, because, ended_at)
    select $1, node, item::int[], state, because, case when state = 'skipped' then now() end from unnest($2::text[], $3::text[], $4::text[], $5::text[]) as o(node, item, state, because)
    on conflict do nothing returning node, item` },
  [executionId, openings.map(one => one.node), openings.map(one => writeItem(one.item)), openings.map(one => one.state), openings.map(one => one.because)])
  const written = new Set(rows.map(instanceKey))
  return openings.filter(one => written.has(instanceKey(one)))
}

interface Knowledge {
  /** Runs a pure question; what it looks for and is not known yet is read, and it is asked again. */
  compute<T>(question: (look: (instance: Instance) => Known | undefined) => T): Promise<T>
  learn(instance: Instance, known: Known): void
}

function createKnowledge(client: Client, executionId: string): Knowledge {
  const seen = new Map<string, Known | null>()
  return {
    learn(instance, known) { seen.set(instanceKey(instance), known) },
    async compute(question) {
      for (;;) {
        const missing = new Map<string, Instance>()
        const answer = question(instance => {
          const name = instanceKey(instance)
          const known = seen.get(name)
          if (known === undefined) missing.set(name, instance)
          return known ?? undefined
        })
        if (missing.size === 0) return answer
        const wanted = [...missing.values()]
        for (const name of missing.keys()) seen.set(name, null)
        const { rows } = await client.query<{ node: string; item: number[]; state: RunState; ports: string[]; length: number | null }>({ name: 'runs look', text: `
          select r.node, r.item, case when r.state = 'asking' then 'waiting' else r.state end as state, r.ports, r.length
          from unnest($2::text[], $3::text[]) as w(node, item) cross join lateral (select * from node_run where execution_id = $1 and node = w.node and item = w.item::int[] limit 1) r` },
        [executionId, wanted.map(one => one.node), wanted.map(one => writeItem(one.item))])
        for (const row of rows) seen.set(instanceKey(row), { state: row.state, ports: row.ports, length: row.length })
      }
    },
  }
}

/** Takes what has ended off the execution's count; at none it ends, with what its output nodes were given. */
export async function close(client: Client, execution: ExecutionRow, layout: Layout, change: number): Promise<ExecutionEnd | null> {
  const { rows: [row] } = await client.query<{ open: number }>({ name: 'execution count', text: 'update execution set open = open + $2 where id = $1 returning open' }, [execution.id, change])
  if (row!.open > 0 || execution.state !== 'running') return null
  const { rows: failures } = await client.query<{ node: string; item: number[]; problem: StoredProblem }>({ name: 'execution failures', text: `
    select node, item, problem from node_run where execution_id = $1 and state = 'failed' order by (item = '{}') desc, created_at, node, item limit 1` }, [execution.id])
  const outputs = await readOutputs(client, execution.id, layout)
  const failure = failures[0]
  // What failed inside an iteration stays with its item, as long as anything came out of it.
  const failed = failure !== undefined && (failure.item.length === 0 || Object.keys(outputs).length === 0)
  const problem = failed ? storeProblem(new Problem(failure.problem.code, inPlace(failure, failure.problem.message))) : null
  const state = failed ? 'failed' : 'done'
  await client.query({ name: 'execution end', text: 'update execution set state = $2, outputs = $3, problem = $4, ended_at = now() where id = $1' }, [execution.id, state, JSON.stringify(outputs), problem === null ? null : JSON.stringify(problem)])
  await tell(client, execution, failed ? 'execution.failed' : 'execution.completed')
  return { id: execution.id, parentId: execution.parent_id }
}

/** What came to the output nodes, by their names; a list, in the order of the items, where one stands inside an iteration. */
export async function readOutputs(client: Client, executionId: string, layout: Layout): Promise<Values> {
  const nodes = layout.order.filter(node => layout.nodes.get(node)!.kind === 'output')
  if (nodes.length === 0) return {}
  const { rows } = await client.query<{ node: string; item: number[]; outputs: Values }>({ name: 'execution outputs', text: `
    select node, item, outputs from node_run where execution_id = $1 and node = any($2) and state = 'done' order by node, item` }, [executionId, nodes])
  const outputs: Values = {}
  for (const node of nodes) {
    const name = String(layout.nodes.get(node)!.settings.name ?? node)
    const runs = rows.filter(row => row.node === node)
    if (runs.length === 0) continue
    outputs[name] = layout.scopeOf.get(node)!.length === 0 ? runs[0]!.outputs.value! : runs.map(run => run.outputs.value!)
  }
  return outputs
}

