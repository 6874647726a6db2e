/**
 * The worker: takes what it may, takes a step with each, writes down what came of it.
 *
 * Waking is a hint and looking is the truth: `wake` makes it look now, a timer at the next known due time, and a look every
 * second in any case. A settlement is repeated until the database has heard it: the turn makes repeating harmless. Absent on
 * purpose: decisions (`step`, `decide`), and any list of work that is not in the database.
 */
import type { Sign } from '../domain/breaker.ts'
import { Problem, storeProblem } from '../domain/problem.ts'
import type { Database } from '../db/pool.ts'
import type { Log } from '../kit/log.ts'
import { claim, claimKnown, pauseProvider, type Claim, type Room } from './claim.ts'
import type { TaskRow } from './rows.ts'
import type { Settlement } from './settle.ts'
import { step, type StepTools, type Workbench } from './step.ts'
import { takeOver } from './sweep.ts'

export interface PumpOptions {
  database: Database
  workerId: string
  benches: Map<string, Workbench>
  tools: StepTools
  /** Steps in hand at once in this process. */
  slots: number
  settle(settlement: Settlement): Promise<boolean>
  /** Keeps what was brought for a task that had been ended meanwhile. */
  keepLate(row: TaskRow, settlement: Settlement): Promise<void>
  /** Writes down what an attempt told about its upstream. Never fails. */
  noteHealth(provider: string, sign: Sign, task: { taskId: string; again: boolean }): Promise<void>
  log: Log
}

export interface Pump {
  start(): void
  /** There may be work; with a provider, there is some of its. */
  wake(provider?: string): void
  /** Whether a task of this provider would be begun here at once, as far as this process is concerned. */
  hasRoom(provider: string): boolean
  /** Somebody ended a task that may be in hand here. */
  drop(taskIds: Iterable<string>): void
  /** How many steps are in hand. */
  busy(): number
  /** Which tasks are in hand. */
  holds(taskId: string): boolean
  /** Takes nothing more, lets steps finish for `graceMs`, then hands the rest back. */
  stop(graceMs: number): Promise<void>
}

const lookEveryMs = 1_000
/** Waiting jobs looked after in one claim. */
const waitingMax = 500

export function createPump({ database, workerId, benches, tools, slots, settle, keepLate, noteHealth, log }: PumpOptions): Pump {
  const inHand = new Map<string, { provider: string; abort: AbortController; finished: Promise<void> }>()
  let running = false
  let looking: Promise<void> | null = null
  /** Another look is due: at everything, or at what these providers were given. */
  let again = false
  const given = new Set<string>()
  /** Providers whose queues may hold what could not be taken when they were last looked at. */
  const left = new Set<string>()
  /** Rises with every step that ends. */
  let finished = 0
  let timer: NodeJS.Timeout | undefined
  let timerAt = Infinity
  let lost = false

  const rooms = (): Room[] => [...benches.values()].map(({ provider }) => {
    let held = 0
    if (provider.limits.perProcess !== null) for (const one of inHand.values()) if (one.provider === provider.id) held++
    return { provider: provider.id, limits: provider.limits, slots: Math.max(0, Math.min(slots - inHand.size, (provider.limits.perProcess ?? Infinity) - held)) }
  })

  const look = async () => {
    do {
      // What was handed in here is known to be there: it is taken without asking first whether there is anything.
      const known = again ? null : [...given]
      again = false
      given.clear()
      const before = finished
      const offered = known === null ? rooms() : rooms().filter(room => known.includes(room.provider))
      const free = slots - inHand.size
      if (free <= 0) {
        for (const { provider } of offered) left.add(provider)
        return
      }
      try {
        if (lost) await recover()
        const { claims, left: remaining } = known === null ? await claim(database, workerId, offered, Math.min(free, waitingMax)) : await claimKnown(database, workerId, offered)
        for (const { provider } of offered) if (remaining.has(provider)) left.add(provider); else left.delete(provider)
        for (const one of claims) begin(one)
        // Less than there was room for is all there was: who comes later, or gives back a place, wakes us. A place may have been given back meanwhile.
        if (claims.length >= Math.min(free, waitingMax) || left.size > 0 && finished !== before) again = true
      } catch (error) {
        // What was claimed in a commit whose answer was lost is ours and unknown to us: see `recover`.
        lost = true
        log.warn({ error }, 'work could not be claimed')
        return
      }
    } while ((again || given.size > 0) && running)
  }

  /** Claims that are ours by the row and that nobody holds: their commit's answer was lost. They were never begun. */
  const recover = async () => {
    const { rows } = await database.query<{ id: string; turn: number; attempts: number; receipt: Claim['row']['receipt']; provider: string }>(
      `select id, turn, attempts, receipt, provider from task where worker = $1 and state = 'running'`, [workerId])
    for (const row of rows) {
      if (inHand.has(row.id)) continue
      await settle({ ...takeOver(row, () => 'safe', tools.now()), forced: false })
    }
    lost = false
  }

  const begin = (one: Claim) => {
    const { row } = one
    const abort = new AbortController()
    const step = handle(one, abort).catch(error => { log.error({ taskId: row.id, error }, 'a step was lost') }).finally(() => {
      inHand.delete(row.id)
      finished++
      if (left.size > 0) wake()
    })
    inHand.set(row.id, { provider: row.provider, abort, finished: step })
  }

  const handle = async (one: Claim, abort: AbortController) => {
    const { row } = one
    const bench = benches.get(row.provider)!
    const clock = setTimeout(() => abort.abort('deadline'), Math.max(0, row.end_by.getTime() - tools.now().getTime()))
    const { settlement, pauseMs, sign, again = false } = await step(one, bench, tools, abort.signal).finally(() => clearTimeout(clock))
    // Before the settlement: whoever claims this task or the next one knows of it, and a probe is not over before its word is written.
    if (pauseMs !== undefined) await pauseProvider(database, row.provider, Math.min(pauseMs, 60_000)).catch(() => {})
    if (sign !== undefined && row.livemode) await noteHealth(row.provider, sign, { taskId: row.id, again })
    if (!await settleSurely(settlement)) await keepLate(row, settlement).catch(error => { log.error({ taskId: row.id, error }, 'what came after the end of a task could not be kept') })
    if (settlement.dueAt) lookAt(settlement.dueAt)
  }

  const settleSurely = async (settlement: Settlement): Promise<boolean> => {
    for (let tries = 1; ; tries++) {
      try {
        const held = await settle(settlement)
        if (!held) log.info({ taskId: settlement.id, turn: settlement.turn }, 'the task was ended or taken by somebody else meanwhile')
        return held
      } catch (error) {
        log.warn({ taskId: settlement.id, tries, error }, 'a settlement could not be written yet')
        if (tries === 8) settlement = { id: settlement.id, turn: settlement.turn, state: 'failed', attemptOutcome: 'failed', chargedMicros: 0, ...(settlement.cost ? { cost: settlement.cost } : {}),
          problem: storeProblem(new Problem('internal', 'The result could not be written down. Nothing was charged.')) }
        if (tries > 16) throw error
        await new Promise(resolve => { setTimeout(resolve, Math.min(5_000, 100 * 2 ** tries)) })
      }
    }
  }

  const wake = (provider?: string) => {
    if (provider === undefined) again = true
    else given.add(provider)
    startLooking()
  }

  const startLooking = () => {
    if (!running) return
    looking ??= look().finally(() => {
      looking = null
      if (again || given.size > 0) startLooking()
    })
  }

  /** Looks again at a time this process knows of. Only the soonest is kept; each look finds the rest. */
  const lookAt = (time: Date) => {
    const at = time.getTime()
    if (!running || at >= timerAt) return
    clearTimeout(timer)
    timerAt = at
    timer = setTimeout(() => { timerAt = Infinity; regular(); wake() }, Math.max(0, at - tools.now().getTime()))
  }
  const regular = () => lookAt(new Date(tools.now().getTime() + lookEveryMs))

  return {
    start() { running = true; regular(); wake() },
    wake,
    hasRoom: provider => running && benches.has(provider) && inHand.size < slots && rooms().some(room => room.provider === provider && room.slots > 0),
    drop(taskIds) { for (const id of taskIds) inHand.get(id)?.abort.abort('cancelled') },
    busy: () => inHand.size,
    holds: taskId => inHand.has(taskId),
    async stop(graceMs) {
      running = false
      clearTimeout(timer)
      await looking
      const allFinished = () => Promise.all([...inHand.values()].map(one => one.finished))
      let patience: NodeJS.Timeout | undefined
      await Promise.race([allFinished(), new Promise(resolve => { patience = setTimeout(resolve, graceMs) })])
      clearTimeout(patience)
      for (const one of inHand.values()) one.abort.abort('shutdown')
      await allFinished()
    },
  }
}
