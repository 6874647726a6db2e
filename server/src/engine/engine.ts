/**
 * The task engine: *claim, step, decide, settle*, on rows.
 *
 * The task row is the only truth. A claim is an update of that row under the admission lock, so there is no second queue that
 * could disagree with it (docs/decisions/0003). Notifications are hints, sent outside every transaction. What survives a crash:
 * everything a caller was told. What does not: hints, and steps in hand, which the next process takes over by their attempts.
 *
 * Absent on purpose: dialects, HTTP, any waiting inside a provider, any money outside the transaction of its fact.
 */
import { hostname } from 'node:os'
import type { Sign } from '../domain/breaker.ts'
import type { Caller } from '../domain/caller.ts'
import { mayUse } from '../domain/caller.ts'
import type { CheckedOrder } from '../domain/card.ts'
import type { Order } from '../domain/order.ts'
import { Problem, storeProblem, type ProblemCode } from '../domain/problem.ts'
import type { Candidate } from '../domain/routing.ts'
import { hasEnded, type EventType, type Task, type TaskEvent } from '../domain/task.ts'
import { grouped } from '../db/group.ts'
import type { Database } from '../db/pool.ts'
import { newId } from '../kit/id.ts'
import type { Log } from '../kit/log.ts'
import { insertPartial, insertProgress, lastEventId, readEvents } from './events.ts'
import { createFinder, listTasks, type Listing, type Owner } from './find.ts'
import { noteSign } from './health.ts'
import { createLateLooks, forgetLate, hurryLate, keepLate, stopLate } from './late.ts'
import { createPump, type Pump } from './pump.ts'
import { markUnanswered } from './repeat.ts'
import { settleGroup, settleIn, type Outgoing, type Settled, type Settlement } from './settle.ts'
import type { TaskRow } from './rows.ts'
import type { StepTools, Workbench } from './step.ts'
import { submitGroup, type Submission } from './submit.ts'
import { beat, endOverdue, forgetOld, forgetWorkers, freeClaims, readDead, reroute, type Queued, type RepeatOf, type Stranding } from './sweep.ts'
import { createWatch } from './watch.ts'

export interface EngineOptions {
  database: Database
  workerId: string
  benches: Map<string, Workbench>
  tools: Omit<StepTools, 'showPartial' | 'showProgress' | 'routesOf' | 'readTries'>
  /** Absent: every task has one way, and nothing is known of health. */
  roads?: Roads
  /** Whether this process takes work, and how many steps at once. */
  work: { slots: number } | null
  /** Whether deliveries are sent from this process: it then holds the outbox rows it writes. */
  delivers: boolean
  /** What to do with outbox rows this process holds. */
  deliver(outgoing: Outgoing[]): void
  /** Tasks have ended, here or by word of another process: a hint for whoever waits for them in the house. */
  ended?(taskIds: string[]): void
  /** What to do with rows of workers that died: the share of other rooms. */
  freeDeliveries(workers: string[]): Promise<unknown>
  /** Tells other processes. Absent where there are none (our own embedded database). */
  notify?(channel: 'plantain_work' | 'plantain_told', ids: string[]): void
  /** Missed beats that mean death; null where every other worker must be dead (nobody else can reach the database). */
  lostAfterMs: number | null
  log: Log
  now(): Date
}

/** What the engine is told of routes. Answers from memory: it is asked on every step. */
export interface Roads {
  /** The routes of a task's card in the order it tries them, and how they stand; empty where there is one way only. */
  routesOf(task: Queued): Candidate[]
  /** Whether the provider is known to be well, so that a sign of life is no news. */
  isWell(provider: string): boolean
  /** What queued tasks had better be taken away from; null for nothing. */
  stranded(): Stranding | null
  /** Something was written down about a provider. */
  changed(): Promise<void>
}

export interface Submit {
  /** Made beforehand where the choice of the route hangs on it. */
  id?: string
  caller: Caller
  order: Order
  checked: CheckedOrder
  provider: string
  upstreamModel: string
  /** What the choice among equal routes sticks to; absent: the task itself. */
  stickyKey?: string | null
  bodyHash: Buffer | null
  row?: Submission['row']
  /** The turn of a session it is. */
  turn?: Submission['turn']
}

export interface Engine {
  submit(submit: Submit): Promise<{ taskId: string; replayed: boolean }>
  find(owner: Owner, taskId: string): Promise<Task | null>
  list(listing: Listing): Promise<Task[]>
  /** The task once it has ended, or as it stands after `waitMs` or when the signal fires; null for a foreign id. */
  settled(owner: Owner, taskId: string, waitMs: number, signal?: AbortSignal): Promise<Task | null>
  cancel(owner: Owner, taskId: string): Promise<Task | null>
  /** What happened after an id; with `live`, also what happens from now on until the signal fires. */
  events(owner: Owner, options: { taskId: string | null; types: EventType[] | null; after: number | null; live: boolean; signal: AbortSignal }): AsyncGenerator<TaskEvent>
  /** Whoever asked for this task went away before it was answered. */
  unanswered(taskId: string): Promise<void>
  /** An upstream called back about a task: look at it now. */
  nudge(taskId: string): Promise<void>
  /** Hints from other processes. */
  hear(channel: 'plantain_work' | 'plantain_told', ids: string[]): void
  /** Hints may have been lost. */
  gap(): void
  busy(): number
  start(): Promise<void>
  stop(graceMs: number): Promise<void>
}

const oneWay: Roads = { routesOf: () => [], isWell: () => true, stranded: () => null, changed: async () => {} }

/** How often upstreams may be asked for one task before it fails. Those that were only busy do not count: a task queues for them until its deadline. */
const attemptsMax = 8
const beatMs = 2_000
const overdueMs = 1_000
const tidyMs = 60_000
const lateLooksMs = 5_000
/** Waiters look by themselves this often, should every hint be lost. */
const lookMs = 1_000

export function createEngine(options: EngineOptions): Engine {
  const { database, workerId, benches, log, now, roads = oneWay } = options
  const tools: StepTools = { ...options.tools, showPartial, showProgress, readTries, routesOf: row => roads.routesOf(row) }
  const watch = createWatch()
  const find = createFinder(database)
  const deliverer = options.delivers ? workerId : null
  const timers: NodeJS.Timeout[] = []
  let pump: Pump | null = null

  /** Tasks taken here that nobody has said anything of yet. Bounded: what is forgotten is only looked at once more. */
  const young = new Set<string>()
  const youngMax = 50_000
  /** Tasks as their settlement read them, for those who were woken by it; forgotten a moment later. */
  const fresh = new Map<string, Task>()

  const settledMany = (settled: Settled, all: Iterable<string>) => {
    for (const id of all) young.delete(id)
    for (const task of settled.read) fresh.set(task.id, task)
    watch.tell(all)
    if (settled.read.length > 0) setImmediate(() => { for (const { id } of settled.read) fresh.delete(id) })
    if (settled.outgoing.length > 0) options.deliver(settled.outgoing)
    // Only ends are told to other processes: whoever still has such a task in hand drops it.
    if (settled.ended.length > 0) { options.notify?.('plantain_told', settled.ended); options.ended?.(settled.ended) }
  }

  const write = settleGroup(database, deliverer, watch.isAwaited)
  const settle = grouped<Settlement, boolean>(async group => {
    const settled = await write(group)
    settledMany(settled, settled.held)
    return group.map(one => settled.held.has(one.id))
  }, { max: 250, lanes: 2, besideMax: 32 })

  const submit = grouped(submitGroup(database), { max: 250, lanes: 1 })

  const wakeWorkers = (ids: string[]) => {
    pump?.wake()
    options.notify?.('plantain_work', ids)
  }
  /** A task was taken in: it is for whoever has room, and nobody else need hear of it where that is us. */
  const wakeFor = (id: string, provider: string) => {
    if (pump?.hasRoom(provider)) pump.wake(provider)
    else wakeWorkers([id])
  }

  /** Something came for a task after it had ended. */
  const toldLate = (taskId: string, outgoing: Outgoing[]) => {
    watch.tell([taskId])
    if (outgoing.length > 0) options.deliver(outgoing)
    options.notify?.('plantain_work', [taskId])
  }
  const late = options.work ? createLateLooks({ database, benches, tools, deliverer, told: toldLate, log }) : null
  const keepMissed = async (row: TaskRow, settlement: Settlement) => {
    const { attached, outgoing } = await keepLate(database, row, settlement, deliverer)
    if (attached) toldLate(row.id, outgoing)
  }

  if (options.work) pump = createPump({ database, workerId, benches, tools, slots: options.work.slots, settle, keepLate: keepMissed, noteHealth, log })

  /** A provider that cannot be asked here (not set up, or without a look-up) leaves the outcome unknown. */
  const repeatOf: RepeatOf = id => {
    const bench = benches.get(id)
    return !bench || bench.provider.repeat === 'find' && !bench.connection.find ? 'never' : bench.provider.repeat
  }

  const freeDead = async () => {
    const dead = await readDead(database, workerId, options.lostAfterMs)
    if (dead.length === 0) return
    for (;;) {
      const settled = await freeClaims(database, dead, repeatOf, now(), deliverer)
      settledMany(settled, settled.held)
      if (settled.taken === 0) break
      log.info({ taken: settled.taken, dead }, 'took over the work of a lost process')
    }
    await options.freeDeliveries(dead)
    await forgetWorkers(database, dead)
    wakeWorkers(['dead'])
  }

  /** Runs something again and again until stopped; a failure is logged and does not end it. */
  const every = (ms: number, what: string, work: () => Promise<unknown>) => {
    let busy = false
    timers.push(setInterval(() => {
      if (busy) return
      busy = true
      work().catch(error => log.warn({ error, what }, 'a sweep failed')).finally(() => { busy = false })
    }, ms).unref())
  }

  const owned = (task: Task | null, owner: Owner): Task | null => task !== null && task.projectId === owner.projectId && task.livemode === owner.livemode ? task : null

  const engine: Engine = {
    async submit({ id, caller, order, checked, provider, upstreamModel, stickyKey = null, bodyHash, row = null, turn = null }) {
      if (!mayUse(caller, 'tasks:write')) throw new Problem('forbidden', 'This key may not make tasks: it lacks the scope tasks:write.')
      const start = now().getTime()
      const submission: Submission = {
        id: id ?? newId(start), caller, order, checked, provider, upstreamModel, stickyKey, attemptsMax, bodyHash, row, turn,
        startBy: order.startWithinS === undefined ? null : new Date(start + order.startWithinS * 1_000),
        endBy: new Date(start + (order.endWithinS ?? checked.card.endWithinS) * 1_000),
      }
      const answer = await submit(submission)
      switch (answer.kind) {
        case 'refused': throw answer.problem
        case 'repeated': return { taskId: answer.taskId, replayed: true }
        case 'accepted':
          if (young.size < youngMax) young.add(submission.id)
          watch.tell([submission.id])
          wakeFor(submission.id, provider)
          return { taskId: submission.id, replayed: false }
      }
    },

    find: async (owner, taskId) => owned(await find(taskId), owner),
    list: listing => listTasks(database, listing),

    async settled(owner, taskId, waitMs, signal) {
      const until = performance.now() + waitMs
      // A task this process took and has heard nothing of since has not ended: looking would only cost.
      if (young.has(taskId) && waitMs > 0) await watch.heard(taskId, Math.min(lookMs, waitMs), signal)
      for (;;) {
        // Listening begins before looking, so that nothing falls between the two.
        const remaining = until - performance.now()
        const stop = new AbortController()
        const heard = remaining > 0 ? watch.heard(taskId, Math.min(lookMs, remaining), signal ? AbortSignal.any([signal, stop.signal]) : stop.signal) : null
        const task = owned(fresh.get(taskId) ?? await find(taskId), owner)
        if (task === null || hasEnded(task.state) || heard === null || signal?.aborted) { stop.abort(); return task }
        await heard
      }
    },

    async cancel(owner, taskId) {
      const before = owned(await find(taskId), owner)
      if (before === null) return null
      const settled = await database.transaction(async client => {
        const { rows: [row] } = await client.query<{ turn: number; state: Task['state']; attempts: number }>('select turn, state, attempts from task where id = $1 for update', [taskId])
        if (!row || hasEnded(row.state)) return null
        return settleIn(client, [{
          id: taskId, turn: row.turn, forced: true, state: 'cancelled', chargedMicros: 0, attemptOutcome: row.state === 'queued' ? null : 'cancelled',
          problem: storeProblem(new Problem('cancelled', 'This was cancelled. Nothing was charged.')),
        }], deliverer)
      })
      if (settled) {
        settledMany(settled, [taskId])
        pump?.drop([taskId])
        pump?.wake()
        if (before.state === 'waiting' || before.state === 'running') void stopUpstream(before)
      }
      return owned(await find(taskId), owner)
    },

    async *events(owner, { taskId, types, after, live, signal }) {
      let last = after ?? (taskId === null ? await lastEventId(database, owner) : 0)
      while (!signal.aborted) {
        const stop = new AbortController()
        const heard = taskId === null
          ? watch.heardAny(lookMs, AbortSignal.any([signal, stop.signal]))
          : watch.heard(taskId, lookMs, AbortSignal.any([signal, stop.signal]))
        const events = await readEvents(database, owner, { taskId, types, after: last, limit: 500 })
        for (const event of events) { last = event.id; yield event }
        if (events.length === 500 || !live) stop.abort()
        if (events.length < 500 && !live) return
        await heard
      }
    },

    async unanswered(taskId) { await markUnanswered(database, taskId) },

    async nudge(taskId) {
      await database.query(`update task set due_at = now() where id = $1 and state = 'waiting' and due_at > now()`, [taskId])
      // Before its receipt is written: whoever writes it looks at once. After its task has ended: who looks after it does.
      await database.query(`update task set hinted = true where id = $1 and state = 'running'`, [taskId])
      await hurryLate(database, taskId)
      wakeWorkers([taskId])
      void late?.look().catch(error => log.warn({ error }, 'late looks failed'))
    },

    hear(channel, ids) {
      if (channel === 'plantain_work') { pump?.wake(); watch.tellAll(); return }
      for (const id of ids) young.delete(id)
      watch.tell(ids)
      pump?.drop(ids)
    },
    gap() { young.clear(); pump?.wake(); watch.tellAll() },
    busy: () => pump?.busy() ?? 0,

    async start() {
      if (pump === null) {
        every(overdueMs, 'overdue', async () => { const settled = await endOverdue(database, deliverer); settledMany(settled, settled.held) })
        return
      }
      await beat(database, { id: workerId, host: hostname(), pid: process.pid })
      await freeDead()
      every(beatMs, 'beat', () => beat(database, { id: workerId, host: hostname(), pid: process.pid }))
      every(beatMs, 'lost workers', () => options.lostAfterMs === null ? Promise.resolve() : freeDead())
      every(overdueMs, 'overdue', async () => { const settled = await endOverdue(database, deliverer); settledMany(settled, settled.held); if (settled.held.size > 0) pump!.wake() })
      every(overdueMs, 'stranded work', rerouteStranded)
      every(tidyMs, 'old rows', async () => { await forgetOld(database); await forgetLate(database) })
      every(lateLooksMs, 'late looks', () => late!.look())
      pump.start()
    },

    async stop(graceMs) {
      for (const timer of timers) clearInterval(timer)
      await Promise.all([pump?.stop(graceMs), late?.stop()])
      await settle.drain()
      await submit.drain()
    },
  }

  /** An in-between picture: its bytes into the store, an event that names them. Only while the claim it belongs to is held. */
  async function showPartial(row: TaskRow, index: number, bytes: Uint8Array): Promise<void> {
    try {
      const blob = await options.tools.storeMade({ bytes }, { kind: 'image' })
      if (!await insertPartial(database, row, { index, sha256: blob.sha256, mime: blob.mime })) return
      watch.tell([row.id])
      options.notify?.('plantain_work', [row.id])
    } catch (error) {
      log.info({ taskId: row.id, error }, 'an in-between picture could not be shown')
    }
  }

  /** How far a task in hand is: on its row and as an event. */
  async function showProgress(row: TaskRow, percent: number): Promise<void> {
    try {
      if (!await insertProgress(database, row, percent)) return
      watch.tell([row.id])
      options.notify?.('plantain_work', [row.id])
    } catch (error) {
      log.info({ taskId: row.id, error }, 'how far a task is could not be shown')
    }
  }

  /**
   * Every time an upstream was asked for a task. Asked after failures only. A step must come to an end, so a database that is away is
   * waited for as long as for the settlement itself.
   */
  async function readTries(row: TaskRow): ReturnType<StepTools['readTries']> {
    for (let tries = 1; ; tries++) {
      try {
        const { rows } = await database.query<{ number: number; provider: string; model: string; code: ProblemCode | null; asked: number }>({ name: 'engine tries', text: `
          select number, provider, upstream_model as model, problem->>'code' as code, asked from attempt where task_id = $1 order by number` }, [row.id])
        return { tries: rows.map(({ number, provider, model, code }) => ({ attempt: number, provider, model, code })), again: rows.some(one => one.number === row.attempts && one.asked > 1) }
      } catch (error) {
        log.warn({ taskId: row.id, tries, error }, 'the attempts of a task could not be read yet')
        // Without them this counts as the first attempt; nothing is bought twice for it.
        if (tries === 8) return { tries: [], again: true }
        await new Promise(resolve => { setTimeout(resolve, Math.min(5_000, 100 * 2 ** tries)) })
      }
    }
  }

  async function noteHealth(provider: string, sign: Sign, task: { taskId: string; again: boolean }): Promise<void> {
    if (sign === 'alive' && roads.isWell(provider)) return
    try {
      const health = await noteSign(database, provider, sign, task, now())
      if (health.state === 'open') log.warn({ provider, until: health.openUntil }, 'a provider is left alone for a while: it failed again and again')
      await roads.changed()
    } catch (error) {
      log.warn({ provider, error }, 'the health of a provider could not be written down')
    }
  }

  async function rerouteStranded(): Promise<void> {
    const stranded = roads.stranded()
    if (stranded === null) return
    const settled = await reroute(database, stranded, task => roads.routesOf(task), now(), deliverer)
    if (settled.held.size === 0) return
    settledMany(settled, settled.held)
    log.info({ moved: settled.held.size, ...stranded }, 'queued work was given to other routes')
    wakeWorkers([...settled.held].slice(0, 1))
  }

  /** Tells the upstream that nobody wants it any more. Best effort, once: the task has ended either way. */
  const stopUpstream = async (task: Task) => {
    const bench = benches.get(task.provider)
    if (!bench?.connection.cancel) return
    const { rows: [row] } = await database.query('select receipt from attempt where task_id = $1 and number = $2', [task.id, task.attempts])
    if (row?.receipt?.kind !== 'upstream') return
    const job = { taskId: task.id, attempt: task.attempts, key: `${task.id}-${task.attempts}`, cardId: task.model, model: task.upstreamModel, operation: task.operation, prompt: task.prompt,
      parameters: task.parameters, count: 1, partials: 0, width: null, height: null, inputs: [], livemode: task.livemode, callbackUrl: null }
    const stopped = await bench.connection.cancel(row.receipt.receipt, job, AbortSignal.timeout(5_000))
      .catch(error => log.info({ taskId: task.id, error }, 'the upstream could not be told to stop'))
    // What has surely stopped needs nobody to look for it.
    if (stopped === true) await stopLate(database, task.id, task.attempts).catch(error => log.warn({ taskId: task.id, error }, 'that the upstream stopped could not be written down'))
  }

  return engine
}
