/**
 * The worker of workflows: takes runs it may, takes a step with each, writes down what came of it.
 *
 * Waking is a hint and looking is the truth. A settlement is repeated until the database has heard it: the turn makes repeating harmless.
 */
import { grouped } from '../db/group.ts'
import type { Database } from '../db/pool.ts'
import type { Log } from '../kit/log.ts'
import { claimRuns, findEnded } from './claim.ts'
import type { RunRow } from './rows.ts'
import type { RunSettlement } from './settle.ts'

export interface RunnerOptions {
  database: Database
  workerId: string
  /** Steps in hand at once in this process. */
  slots: number
  step(run: RunRow, signal: AbortSignal): Promise<RunSettlement>
  settle(group: RunSettlement[]): Promise<boolean[]>
  /** What else is looked after now and then: reviews nobody answered, tasks to be stopped, schedules. */
  sweeps: (() => Promise<unknown>)[]
  log: Log
}

export interface Runner {
  start(): void
  wake(): void
  stop(graceMs: number): Promise<void>
}

const lookEveryMs = 1_000
const sweepEveryMs = 2_000

export function createRunner({ database, workerId, slots, step, settle, sweeps, log }: RunnerOptions): Runner {
  const inHand = new Map<string, { abort: AbortController; finished: Promise<void> }>()
  const write = grouped<RunSettlement, boolean>(settle, { max: 100, lanes: 1 })
  let running = false
  let looking: Promise<void> | null = null
  let again = false
  let timers: NodeJS.Timeout[] = []
  let sweeping: Promise<unknown> | null = null

  const look = async () => {
    do {
      again = false
      const free = slots - inHand.size
      if (free <= 0) return
      const runs = await claimRuns(database, workerId, free)
      for (const run of runs) begin(run)
      if (runs.length > 0) again = true
    } while (again && running)
  }

  const begin = (run: RunRow) => {
    const name = `${run.execution_id} ${run.node} ${run.item.join('.')} ${run.turn}`
    const abort = new AbortController()
    const finished = step(run, abort.signal).then(settleSurely).catch(error => { log.error({ executionId: run.execution_id, node: run.node, error }, 'a workflow step was lost') }).finally(() => {
      inHand.delete(name)
      wake()
    })
    inHand.set(name, { abort, finished })
  }

  const settleSurely = async (settlement: RunSettlement) => {
    for (let tries = 1; ; tries++) {
      try {
        await write(settlement)
        return
      } catch (error) {
        log.warn({ executionId: settlement.executionId, node: settlement.node, tries, error }, 'a run could not be settled yet')
        if (tries >= 12) throw error
        await new Promise(resolve => { setTimeout(resolve, Math.min(5_000, 50 * 2 ** tries)) })
      }
    }
  }

  const wake = () => {
    if (!running) return
    if (looking) { again = true; return }
    looking = look().catch(error => { log.warn({ error }, 'workflow runs could not be claimed') }).finally(() => {
      looking = null
      if (again && running) wake()
    })
  }

  const sweep = () => {
    sweeping ??= (async () => {
      for (const one of [async () => { if (await findEnded(database) > 0) wake() }, ...sweeps]) await one().catch(error => log.warn({ error }, 'a sweep of the workflows failed'))
    })().finally(() => { sweeping = null })
  }

  return {
    start() {
      running = true
      timers = [setInterval(wake, lookEveryMs).unref(), setInterval(sweep, sweepEveryMs).unref()]
      sweep()
      wake()
    },
    wake,
    async stop(graceMs) {
      running = false
      for (const timer of timers) clearInterval(timer)
      await looking
      await sweeping
      const finished = () => Promise.all([...inHand.values()].map(one => one.finished))
      let patience: NodeJS.Timeout | undefined
      await Promise.race([finished(), new Promise(resolve => { patience = setTimeout(resolve, graceMs) })])
      clearTimeout(patience)
      for (const one of inHand.values()) one.abort.abort('shutdown')
      await finished()
    },
  }
}
