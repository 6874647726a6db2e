/**
 * Carries batches on: reads their rows, makes tasks of them a few at a time, notes how these end, writes the results.
 *
 * Everything is decided by the rows: any process may take any step, and one that dies leaves nothing but a lease. A row becomes a task
 * in the transaction that writes the task (`engine/submit.ts`), so it is bought once whoever claims it how often. Absent on purpose: a
 * batch in memory; between two looks nothing of it is held.
 */
import type { Database } from '../db/pool.ts'
import type { Batch, BatchRow } from '../domain/batch.ts'
import type { Caller } from '../domain/caller.ts'
import { asProblem, Problem, storeProblem } from '../domain/problem.ts'
import { lineOf, readJsonLine } from '../kit/lines.ts'
import type { BatchWords, Desk } from '../protocols/contract.ts'
import { readBatchRows, rowBytesMax, type ReadingTools } from './reading.ts'
import { hasFiles, writeResults, type WritingTools } from './results.ts'
import { beginDue } from './schedules.ts'
import {
  beginWriting, claimBatch, claimRows, endRows, endWaiting, endWithoutFiles, freeRows, leaveBatch, pauseBatch, postponeRow, selectEndedMakings, selectOpen, selectQueuedTasks, selectRunningExecutions,
  type EndedMaking, type Owner, type RowEnd,
} from './rows.ts'

/** The row a desk's next order belongs to. */
export interface RowPlace { batchId: string; number: number; turn: number; /** What is left of the batch's time. */ endWithinS: number; /** As it was checked; a dearer one is not bought. */ priceMaxMicros: number | null }

export interface RunnerOptions extends ReadingTools, Omit<WritingTools, 'refuse' | 'database'> {
  database: Database
  workerId: string
  /** The words of a dialect; null where no door speaks it any more. */
  wordsOf(protocol: string): { words: BatchWords; refuse(problem: Problem, call: string): Response } | null
  /** Whose a key is; null where it opens nothing any more. */
  callerOf(keyId: string): Promise<Caller | null>
  /** A desk whose orders are rows of a batch; without a row, one that reads. */
  deskFor(caller: Caller, row: RowPlace | null): Desk
  cancelTask(owner: Owner, taskId: string): Promise<unknown>
  cancelExecution(caller: Caller, executionId: string): Promise<unknown>
  /** Something was written to the outbox; a hint. */
  deliver(): void
  /** Bytes of an input, from and to a byte. */
  openRange(sha256: string, range: { start: number; end: number }): AsyncIterable<Buffer>
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void; error(fields: object, message: string): void }
}

/** Tasks of one batch in the making at once, over all processes: enough to keep an upstream busy, too few to be in anybody's way. */
export const openMax = 128
/** Rows a process claims, and makes tasks of, at the same time. */
const claimAtOnce = 64
const submitAtOnce = 8
/** A claim outlives the slowest input that is fetched from outside. */
const claimMs = 120_000
/** Batches of one look; the next one goes on behind them, so that those which only wait are in nobody's way. */
const batchesMax = 50
const lookMs = 250
const idleMs = 1_000
const pauseS = 5
/** How often schedules are looked at. */
const dueEveryMs = 1_000
/** What ends a pause for the whole batch, where all its rows would meet the same: credits are added, another key lets it go on. */
const pausing: Partial<Record<string, 'credits' | 'key'>> = { credits_required: 'credits', unauthorized: 'key' }
/** What passes by itself: such a row waits and is tried again. Everything else is the row's result. */
const passing = new Set(['rate_limited', 'unavailable', 'shutting_down', 'idempotency_busy'])

export interface Runner {
  start(): void
  /** There is something new. */
  wake(): void
  stop(): Promise<void>
}

export function createRunner(options: RunnerOptions): Runner {
  const { database, workerId, log, now } = options
  const stopping = new AbortController()
  const busy = new Map<string, Promise<void>>()
  let timer: NodeJS.Timeout | undefined
  let looking: Promise<void> | null = null
  let isWoken = false
  let lookedUpTo: string | null = null
  let dueAt = 0
  /** Schedules under way: an address that is slow to answer holds up no batch. */
  let beginning: Promise<void> | null = null

  /** Begins a step of every batch that nobody here has in hand; when to look again. */
  const look = async (): Promise<number> => {
    isWoken = false
    if (!beginning && Date.now() >= dueAt) {
      dueAt = Date.now() + dueEveryMs
      beginning = beginDue(options).then(hasBegun => { if (hasBegun) wake() }, err => { log.warn({ err }, 'scheduled batches could not be begun just now') }).finally(() => { beginning = null })
    }
    const open = await selectOpen(database, lookedUpTo, batchesMax)
    const isFull = open.length === batchesMax
    const hasMore = lookedUpTo !== null || isFull
    lookedUpTo = isFull ? open.at(-1)!.id : null
    for (const batch of open) {
      if (busy.has(batch.id) || stopping.signal.aborted) continue
      busy.set(batch.id, carryOn(batch)
        .catch(err => { log.warn({ batchId: batch.id, err }, 'a batch could not be carried on just now'); return false })
        .then(goesOn => { busy.delete(batch.id); if (goesOn) wake() }))
    }
    return open.length > 0 || hasMore ? lookMs : idleMs
  }

  const lookIn = (ms: number) => {
    if (stopping.signal.aborted) return
    clearTimeout(timer)
    timer = setTimeout(turn, isWoken ? 0 : ms).unref()
  }
  const turn = () => {
    if (looking || stopping.signal.aborted) return
    looking = look().catch(err => {
      log.warn({ err }, 'batches could not be looked at')
      return idleMs
    }).then(ms => {
      looking = null
      lookIn(ms)
    })
  }

  const wake = () => { isWoken = true; if (!looking) lookIn(0) }

  /** One step of a batch; true where the next one need not wait. */
  async function carryOn(batch: Batch): Promise<boolean> {
    const dialect = options.wordsOf(batch.protocol)
    if (!dialect) return false
    const { words } = dialect
    if (batch.state === 'running') return makeRows(batch, words)
    const held = await claimBatch(database, batch.id, batch.state as 'reading' | 'writing', workerId)
    if (!held) return false
    try {
      if (batch.state === 'reading') {
        const caller = words.check ? await options.callerOf(batch.keyId) : null
        await readBatchRows(held, words, caller && options.deskFor(caller, null), options, stopping.signal)
      } else if (hasFiles(words)) await writeResults(held, words, options.deskFor(readerOf(batch), null), { ...options, refuse: dialect.refuse }, stopping.signal)
    } catch (thrown) {
      log.error({ batchId: batch.id, err: thrown }, `a batch could not be ${batch.state === 'reading' ? 'read' : 'written'}; it is tried again`)
      // The lease stays: a bug is met again when it is over, and not at once.
      return false
    }
    await leaveBatch(database, held)
    options.deliver()
    return true
  }

  async function makeRows(batch: Batch, words: BatchWords): Promise<boolean> {
    // While it is paused its time stands still (`markResumed`).
    const isLate = batch.pausedAt === null && batch.endsBy <= now()
    for (;;) {
      const ended = await selectEndedMakings(database, batch.id, 500)
      if (ended.length > 0) await endRows(database, batch.id, ended.map(making => endOf(making, batch, words, isLate)))
      if (ended.length < 500) break
    }
    if (batch.cancellingAt || isLate) {
      await endWaiting(database, batch.id, batch.cancellingAt ? 'cancelled' : 'expired')
      // What is being made is paid for and goes on; what waits is given up.
      for (const taskId of await selectQueuedTasks(database, batch.id, openMax)) await options.cancelTask(batch, taskId)
      // An execution may have far to go, and may wait for a person: what it has paid for is kept.
      for (const executionId of await selectRunningExecutions(database, batch.id, openMax)) await options.cancelExecution(readerOf(batch), executionId)
    }
    await freeRows(database, batch.id)
    if (hasFiles(words)) await beginWriting(database, batch.id)
    else if (await endWithoutFiles(database, batch)) { options.deliver(); return false }
    const { rows, paused } = await claimRows(database, batch.id, workerId, { openMax, atOnce: claimAtOnce, leaseMs: claimMs })
    if (paused) options.deliver()
    if (rows.length === 0) return false
    const caller = await options.callerOf(batch.keyId)
    const waiting = rows.values()
    await Promise.all(Array.from({ length: submitAtOnce }, async () => { for (const row of waiting) await makeRow(row, batch, words, caller) }))
    return true
  }

  async function makeRow(row: BatchRow, batch: Batch, words: BatchWords, caller: Caller | null): Promise<void> {
    const { number, turn } = row
    try {
      if (stopping.signal.aborted) return void await postponeRow(database, batch.id, row, now())
      if (!caller) throw new Problem('unauthorized', 'The key of this batch has expired or was revoked.')
      const endWithinS = Math.min(86_400, Math.max(1, Math.ceil((batch.endsBy.getTime() - now().getTime()) / 1_000)))
      const chunks = options.openRange(batch.inputSha256!, { start: row.fromByte, end: row.fromByte + row.sizeBytes - 1 })
      const { value, inline, release } = await readJsonLine(lineOf(chunks), { bytesMax: rowBytesMax, folder: await options.inlineFolder() })
      try {
        const { note, priceMicros } = row
        await words.submit({ value, inline, note, number, turn, priceMicros }, batch, options.deskFor(caller, { batchId: batch.id, number, turn, endWithinS, priceMaxMicros: priceMicros }))
      } finally {
        await release()
      }
    } catch (thrown) {
      const problem = asProblem(thrown)
      // Another process has the row by now, or has made it a task already.
      if (problem.details.row === 'taken') return
      if (passing.has(problem.code)) {
        await postponeRow(database, batch.id, row, new Date(now().getTime() + (problem.details.retryAfterS ?? pauseS) * 1_000))
        return
      }
      const because = hasFiles(words) ? undefined : pausing[problem.code]
      if (because) {
        await postponeRow(database, batch.id, row, now())
        if (await pauseBatch(database, batch, because)) options.deliver()
        return
      }
      if (problem.code === 'internal') log.error({ batchId: batch.id, row: number, err: thrown }, 'a row of a batch met a bug')
      await endRows(database, batch.id, [{ number, turn, wasMade: false, state: 'failed', problem: storeProblem(problem) }])
    }
  }

  return {
    start() { turn() },
    wake,
    async stop() {
      stopping.abort()
      clearTimeout(timer)
      await looking
      await Promise.all([...busy.values(), beginning])
    },
  }
}

/** What the end of a task or an execution means for its row. */
function endOf({ number, turn, state, problem, chargedMicros }: EndedMaking, batch: Batch, words: BatchWords, isLate: boolean): RowEnd {
  const end = (state: RowEnd['state']): RowEnd => ({ number, turn, wasMade: true, state, chargedMicros, ...(problem && state === 'failed' && !hasFiles(words) ? { problem } : {}) })
  if (state === 'done') return end('done')
  if (state === 'cancelled') return end(isLate && !batch.cancellingAt ? 'expired' : 'cancelled')
  if (isLate && problem?.code === 'deadline') return end('expired')
  return end(problem && words.isAnswer?.(problem) ? 'done' : 'failed')
}

/** Who reads the results and stops what is left: the batch's own project, whatever has become of the key. */
export const readerOf = ({ accountId, projectId, keyId, livemode }: Batch): Caller => ({
  accountId, projectId, keyId, livemode, keyName: 'batch', keyPrefix: '', scopes: ['tasks:read', 'tasks:write', 'assets:read'], limits: { requestsPerMinute: null, executionsPerDay: null, concurrent: null },
})

