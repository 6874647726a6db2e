/**
 * Late results: what upstreams still bring after a task has ended without it.
 *
 * An attempt that had something to come back with when its task was cancelled, or ran out of time, is looked at for some hours more: few at
 * once, with growing pauses, from rows and not from timers. What is made in the end belongs to the task's owner and is kept (`late_outputs`).
 * The task's state does not change and nothing is charged; what it cost us is written down. Nothing here ever asks for a making.
 */
import { asProblem, Problem, problems, storeProblem } from '../domain/problem.ts'
import type { StoredBlob } from '../domain/asset.ts'
import { hasEnded, lateMs, type State } from '../domain/task.ts'
import type { Cost } from '../domain/usage.ts'
import type { Client, Database } from '../db/pool.ts'
import type { Json } from '../domain/outcome.ts'
import { unknownCost, writeCosts } from '../ledger/costs.ts'
import type { Making } from '../providers/contract.ts'
import type { Log } from '../kit/log.ts'
import { costFor, costOfFailure, countMade, hasOnlyLinks, resultOf, storeMaking } from './making.ts'
import { askingOf, taskColumns, type Receipt, type TaskRow } from './rows.ts'
import { deliverLate, insertLate, type Outgoing, type Settlement } from './settle.ts'
import { writeJob, type StepTools, type Workbench } from './step.ts'

/** How long an attempt is looked after once its task has ended. Upstreams give up on their own jobs well before. */
const lookForS = 6 * 3_600
/** The first look comes after this: a cancel may still be on its way to the upstream. */
const firstLookS = 30
/** Looks in hand at once in one process: what is owed now goes first. */
const looksMax = 4
/** A look that has not come back after this was lost with its process. */
const leaseS = 300

export interface LateLook { taskId: string; number: number; turn: number; looks: number; receipt: Receipt; until: Date; row: TaskRow }

/** Begins to look after attempts whose tasks end without them, in the transaction that ends them. Says which have something to come back with. */
export async function beginLate(client: Client, attempts: { taskId: string; number: number }[]): Promise<Set<string>> {
  if (attempts.length === 0) return new Set()
  const { rows } = await client.query<{ task_id: string }>({ name: 'late begin', text: `
    insert into late_look (task_id, number, receipt, due_at, until)
    select task_id, number, receipt, now() + make_interval(secs => $3), now() + make_interval(secs => $4) from attempt
    where (task_id, number) in (select * from unnest($1::uuid[], $2::int[])) and receipt is not null
    on conflict do nothing returning task_id` }, [attempts.map(one => one.taskId), attempts.map(one => one.number), firstLookS, lookForS])
  return new Set(rows.map(row => row.task_id))
}

/** Takes due looks in hand. */
async function claimLate(database: Database, providers: string[], max: number): Promise<LateLook[]> {
  const { rows } = await database.query<{ task_id: string; number: number; turn: number; looks: number; receipt: Receipt; until: Date; provider: string; upstream_model: string }>({ name: 'late claim', text: `
    with due as materialized (
      select l.task_id, l.number, a.provider, a.upstream_model from late_look l join attempt a using (task_id, number)
      where l.state = 'open' and l.due_at <= now() and a.provider = any($1) order by l.due_at limit $2 for update of l skip locked)
    update late_look l set turn = l.turn + 1, looks = l.looks + 1, due_at = now() + make_interval(secs => $3) from due
    where l.task_id = due.task_id and l.number = due.number
    returning l.task_id, l.number, l.turn, l.looks, l.receipt, l.until, due.provider, due.upstream_model` }, [providers, max, leaseS])
  if (rows.length === 0) return []
  const { rows: tasks } = await database.query<TaskRow>({ name: 'late tasks', text: `select ${taskColumns} from task t where t.id = any($1::uuid[])` }, [rows.map(row => row.task_id)])
  return rows.flatMap(({ task_id: taskId, number, turn, looks, receipt, until, provider, upstream_model }) => {
    const task = tasks.find(one => one.id === taskId)
    // The attempt's own provider and number: the task may have gone on by another route.
    return task ? [{ taskId, number, turn, looks, receipt, until, row: { ...task, provider, upstream_model, attempts: number, receipt, inputs: [] } }] : []
  })
}

/** What a look came to. */
type Ending =
  | { state: 'open'; receipt: Receipt }
  | { state: 'nothing'; problem: Problem | null; cost: Cost | undefined }
  | { state: 'made'; making: Making; blobs: StoredBlob[]; cost: Cost }

/** Looks once. Failures of the look say nothing about the job; those of our own neither. */
async function look({ row, receipt }: LateLook, { connection }: Workbench, tools: StepTools, signal: AbortSignal): Promise<Ending> {
  const open: Ending = { state: 'open', receipt }
  // Settings have changed since: nobody here can ask any more.
  if (receipt.kind === 'find' && !connection.find || receipt.kind === 'upstream' && !connection.poll) return { state: 'nothing', problem: null, cost: unknownCost }
  try {
    const outcome = receipt.kind === 'fetch' ? { kind: 'done' as const, value: receipt.making as unknown as Making }
      : receipt.kind === 'find' ? await connection.find!(writeJob(row, [], tools), signal)
        : await connection.poll!(receipt.receipt, writeJob(row, [], tools), signal)
    if (outcome === null) return { state: 'nothing', problem: null, cost: undefined }
    switch (outcome.kind) {
      case 'wait': return outcome.receipt === null ? open : { state: 'open', receipt: { kind: 'upstream', receipt: outcome.receipt, ...(askingOf(receipt)?.fresh ? { fresh: true } : {}) } }
      case 'failed': return { state: 'nothing', problem: outcome.problem, cost: costOfFailure(row, outcome.problem, outcome.took, tools) }
      case 'done': return await keep(row, receipt, outcome.value, tools)
    }
  } catch (thrown) {
    const problem = asProblem(thrown)
    if (problem.code === 'internal') tools.log.error({ taskId: row.id, error: thrown }, 'a late look failed unexpectedly')
    return open
  }
}

async function keep(row: TaskRow, receipt: Receipt, making: Making, tools: StepTools): Promise<Ending> {
  const stored = await storeMaking(row, making, tools)
  const cost = costFor(row, making, countMade(row, making), tools)
  if ('blobs' in stored) return { state: 'made', making, blobs: stored.blobs, cost }
  const { problem } = stored
  const from = askingOf(receipt)
  if (problem.code === 'output_expired' && from && !from.fresh) return { state: 'open', receipt: { ...from, fresh: true } }
  if (hasOnlyLinks(making) && problems[problem.code].again !== 'no') return { state: 'open', receipt: { kind: 'fetch', making: making as unknown as Json, from } }
  return { state: 'nothing', problem, cost }
}

/** Writes down what a look came to, if it is still ours. `attached`: something was kept for the task. */
const settleLate = (database: Database, one: LateLook, ending: Ending, tools: StepTools, deliverer: string | null): Promise<{ attached: boolean; outgoing: Outgoing[] }> => database.transaction(async client => {
  const { taskId, number, turn, looks, until, row } = one
  const none = { attached: false, outgoing: [] }
  // The task first, as everywhere.
  await client.query({ name: 'late task', text: 'select from task where id = $1 for update' }, [taskId])
  const givesUp = ending.state === 'open' && tools.now() >= until
  const { rowCount } = await client.query({ name: 'late settle', text: `
    update late_look set state = $4, receipt = coalesce($5, receipt), due_at = $6, problem = $7, ended_at = case when $4 <> 'open' then now() end
    where task_id = $1 and number = $2 and turn = $3 and state = 'open'` },
  [taskId, number, turn, givesUp ? 'given_up' : ending.state, ending.state === 'open' ? JSON.stringify(ending.receipt) : null, new Date(tools.now().getTime() + lateMs(looks)),
    ending.state === 'nothing' && ending.problem ? JSON.stringify(storeProblem(ending.problem)) : null])
  if (rowCount !== 1) return none
  const cost = ending.state === 'open' ? givesUp ? unknownCost : undefined : ending.cost
  if (row.livemode && cost) await writeCosts(client, [{ taskId, number, cost, chargedMicros: 0, late: true }])
  return ending.state === 'made' ? { attached: true, outgoing: await attach(client, row, number, resultOf(row, ending.making, ending.blobs, tools), deliverer) } : none
})

/** Gives a task what was made for it after it had ended: outputs (a late text among the details), event and outbox. */
async function attach(client: Client, row: TaskRow, number: number, { outputs = [], text = null }: Pick<Settlement, 'outputs' | 'text'>, deliverer: string | null): Promise<Outgoing[]> {
  const lateText = row.operation === 'write' && text !== null ? { late_text: text } : {}
  await client.query({ name: 'late mark', text: 'update task set late = true, details = details || $2 where id = $1' }, [row.id, JSON.stringify(lateText)])
  await insertLate(client, row, outputs)
  await client.query({ name: 'late event', text: `
    insert into event (project_id, livemode, task_id, type, data) values ($1, $2, $3, 'task.late_result', $4)` },
  [row.project_id, row.livemode, row.id, JSON.stringify({ attempt: number, outputs: outputs.length })])
  // Whoever asked to be called back in the request was told how it ended; this goes to those who listen for it.
  return deliverLate(client, row, 'task.late_result', deliverer)
}

/**
 * Keeps what a worker brought for a task that somebody else had ended meanwhile: a receipt is looked after from now on, a making is attached
 * at once. A task that goes on, in somebody else's hands, needs nothing from us.
 */
export const keepLate = (database: Database, row: TaskRow, settlement: Settlement, deliverer: string | null): Promise<{ attached: boolean; outgoing: Outgoing[] }> => database.transaction(async client => {
  const none = { attached: false, outgoing: [] }
  const number = row.attempts
  const { rows: [standing] } = await client.query<{ state: State; outcome: string | null }>({ name: 'late standing', text: `
    select t.state, (select a.outcome from attempt a where a.task_id = t.id and a.number = $2) as outcome from task t where t.id = $1 for update` }, [row.id, number])
  if (!standing || !hasEnded(standing.state) || standing.outcome !== 'cancelled' && standing.outcome !== 'unknown') return none
  switch (settlement.state) {
    case 'waiting':
      if (settlement.receipt) {
        await client.query({ name: 'late receipt', text: 'update attempt set receipt = $3, receipt_at = now() where task_id = $1 and number = $2 and receipt is null' }, [row.id, number, JSON.stringify(settlement.receipt)])
        await beginLate(client, [{ taskId: row.id, number }])
      }
      return none
    case 'done': {
      const { rowCount } = await client.query({ name: 'late made', text: `
        insert into late_look (task_id, number, receipt, state, due_at, until, ended_at) values ($1, $2, '{"kind":"find"}', 'made', now(), now(), now()) on conflict do nothing` }, [row.id, number])
      // There is a look under way, which will bring it.
      if (rowCount !== 1) return none
      if (row.livemode) await writeCosts(client, [{ taskId: row.id, number, cost: settlement.cost ?? unknownCost, chargedMicros: 0, late: true }])
      return { attached: true, outgoing: await attach(client, row, number, settlement, deliverer) }
    }
    case 'queued':
      return none
    case 'failed':
    case 'cancelled':
      if (row.livemode && (settlement.cost || settlement.attemptOutcome === 'unknown')) {
        await writeCosts(client, [{ taskId: row.id, number, cost: settlement.cost ?? unknownCost, chargedMicros: 0, late: true }])
      }
      return none
  }
})

/** The upstream was told to stop, and did: nobody needs to look. What it took until then is not known. */
export const stopLate = (database: Database, taskId: string, number: number): Promise<void> => database.transaction(async client => {
  const { rows: [task] } = await client.query<{ livemode: boolean }>({ name: 'late stop task', text: 'select livemode from task where id = $1 for update' }, [taskId])
  const { rowCount } = await client.query({ name: 'late stop', text: `update late_look set state = 'stopped', ended_at = now() where task_id = $1 and number = $2 and state = 'open'` }, [taskId, number])
  if (rowCount === 1 && task?.livemode) await writeCosts(client, [{ taskId, number, cost: unknownCost, chargedMicros: 0, late: false }])
})

/** Looks whose provider nobody has any more, a day after their time. */
export const forgetLate = (client: Client) => client.query({ name: 'late forget', text: `
  update late_look set state = 'given_up', ended_at = now() where (task_id, number) in (
    select task_id, number from late_look where state = 'open' and until < now() - interval '1 day' limit 500 for update skip locked)` })

/** An upstream called back: look now. */
export const hurryLate = (client: Client, taskId: string) => client.query({ name: 'late hurry', text: `
  update late_look set due_at = now() where task_id = $1 and state = 'open' and due_at > now()` }, [taskId])

export interface LateOptions {
  database: Database
  benches: ReadonlyMap<string, Workbench>
  tools: StepTools
  deliverer: string | null
  /** Something was kept for these tasks. */
  told(taskId: string, outgoing: Outgoing[]): void
  log: Log
}

export interface LateLooks {
  /** Takes what is due, and comes back when that is done. */
  look(): Promise<void>
  stop(): Promise<void>
}

export function createLateLooks({ database, benches, tools, deliverer, told, log }: LateOptions): LateLooks {
  const stopped = new AbortController()
  let looking: Promise<void> | null = null
  const providers = [...benches.values()].filter(({ connection }) => connection.poll || connection.find).map(({ provider }) => provider.id)

  const one = async (taken: LateLook) => {
    const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(leaseS * 500)])
    const ending = await look(taken, benches.get(taken.row.provider)!, tools, signal)
    const { attached, outgoing } = await settleLate(database, taken, ending, tools, deliverer)
    if (!attached) return
    log.info({ taskId: taken.taskId, attempt: taken.number, provider: taken.row.provider }, 'a result came after its task had ended')
    told(taken.taskId, outgoing)
  }

  const lookAll = async () => {
    for (let more = true; more && !stopped.signal.aborted;) {
      const taken = await claimLate(database, providers, looksMax)
      await Promise.all(taken.map(each => one(each).catch(error => { log.warn({ taskId: each.taskId, error }, 'a late look could not be written down; it is taken again') })))
      more = taken.length === looksMax
    }
  }

  return {
    look: () => looking ??= lookAll().finally(() => { looking = null }),
    async stop() {
      stopped.abort('shutdown')
      await looking?.catch(() => {})
    },
  }
}

