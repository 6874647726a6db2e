/**
 * The room of batches: many orders in one file, each row of which becomes a task, and the files of what came of them.
 *
 * Dialects bring words (`BatchWords`): how a row is read and submitted, how its result is written. Absent on purpose: money (a row is
 * a task like any other, and pays like one), and rows in memory.
 */
import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Batch, BatchStanding, MadeRow } from '../domain/batch.ts'
import { batchHasEnded } from '../domain/batch.ts'
import type { Caller } from '../domain/caller.ts'
import type { StoredFile } from '../domain/file.ts'
import type { Execution } from '../domain/graph/execution.ts'
import type { Json } from '../domain/outcome.ts'
import { formatDollars } from '../domain/money.ts'
import { Problem } from '../domain/problem.ts'
import { isId, newId } from '../kit/id.ts'
import { lineOf, readJsonLine } from '../kit/lines.ts'
import type { Desk, NewBatch } from '../protocols/contract.ts'
import { checkRows } from './reading.ts'
import {
  deleteEnded, forgetInputs, freeBatches, insertBatch, markCancelling, markPaused, markResumed, retryRows, selectBatch, selectBatches, selectRepeated, selectRows, selectStanding, type Owner,
} from './rows.ts'
import { createRunner, type Runner, type RunnerOptions } from './runner.ts'
import { changeSchedule, createSchedule, deleteSchedule, selectSchedule, selectSchedules } from './schedules.ts'

export interface BatchesOptions extends RunnerOptions {
  findFile(owner: Owner, fileId: string): Promise<StoredFile | null>
  removeFile(owner: Owner, fileId: string): Promise<void>
  findExecution(caller: Caller, executionId: string): Promise<Execution | null>
  /** Whether this process carries batches on. */
  works: boolean
}

export interface Batches {
  /** @throws {Problem} `not_found` for the input file, `bad_request`, `too_large`, `idempotency_mismatch` */
  create(caller: Caller, batch: NewBatch): Promise<{ batch: Batch; replayed: boolean }>
  /** The room as one caller sees it. */
  of(caller: Caller): Omit<Desk['batches'], 'create'>
  /** For whoever writes a message about it. */
  find(owner: Owner, batchId: string): Promise<Batch | null>
  /** Lets go of inputs whose results are no longer kept either. */
  sweep(): Promise<unknown>
  /** What processes that died had in hand. */
  free(workers: string[]): Promise<void>
  start(): void
  stop(): Promise<void>
}

/** How often somebody who follows a batch is looked for news. */
const lookMs = 300
const sentBytesMax = 4 * 1024 * 1024

export function createBatches(options: BatchesOptions): Batches {
  const { database, now } = options
  const runner: Runner | null = options.works ? createRunner(options) : null

  const wordsOf = (protocol: string) => {
    const dialect = options.wordsOf(protocol)
    if (!dialect) throw new Error(`The door ${protocol} has no batches.`)
    return dialect.words
  }

  const inputOf = async (owner: Owner, input: NewBatch['input']): Promise<{ sha256: string; sizeBytes: number; fileId: string | null }> => {
    if ('taken' in input) return { sha256: input.taken.sha256, sizeBytes: input.taken.sizeBytes, fileId: null }
    const file = await options.findFile(owner, input.fileId)
    if (!file) throw new Problem('not_found', 'There is no such file.')
    return { sha256: file.sha256, sizeBytes: file.sizeBytes, fileId: file.id }
  }

  const batches: Batches = {
    async create(caller, wanted) {
      const words = wordsOf(wanted.protocol)
      const input = await inputOf(caller, wanted.input)
      const requestSha256 = createHash('sha256').update(JSON.stringify([wanted.protocol, wanted.call, input.sha256, input.fileId, wanted.windowS, wanted.options, wanted.metadata, wanted.outputExpiresS, wanted.name, wanted.callbackUrl, wanted.concurrency, wanted.budgetMaxMicros, wanted.dryRun])).digest()
      const idempotencyKey = wanted.idempotencyKey ?? null
      const repeated = async (): Promise<Batch | null> => {
        if (idempotencyKey === null && !wanted.retryCount) return null
        const earlier = await selectRepeated(database, caller, { idempotencyKey, keyId: caller.keyId, requestSha256 })
        if (earlier && !earlier.requestSha256.equals(requestSha256)) throw new Problem('idempotency_mismatch', 'This Idempotency-Key was used with another body within the last 24 hours. Use a new key for a new batch.', { field: 'Idempotency-Key' })
        return earlier?.batch ?? null
      }
      const createdAt = now()
      const batch: Batch = {
        id: newId(createdAt.getTime()), accountId: caller.accountId, projectId: caller.projectId, keyId: caller.keyId, livemode: caller.livemode, protocol: wanted.protocol, call: wanted.call,
        state: 'reading', inputFileId: wanted.fileId ?? input.fileId, inputSha256: input.sha256, outputFileId: null, errorFileId: null, options: wanted.options ?? {}, metadata: wanted.metadata ?? {}, problems: [],
        rows: { total: 0, done: 0, failed: 0, cancelled: 0, expired: 0 }, createdAt, startedAt: null, cancellingAt: null, writingAt: null, endedAt: null,
        endsBy: new Date(createdAt.getTime() + wanted.windowS * 1_000), outputExpiresS: wanted.outputExpiresS ?? null,
        name: wanted.name ?? null, callbackUrl: wanted.callbackUrl ?? null, concurrency: wanted.concurrency ?? null, budgetMaxMicros: wanted.budgetMaxMicros ?? null, costMicros: 0, priceMinMicros: null, priceMaxMicros: null,
        pausedAt: wanted.dryRun ? createdAt : null, pausedBecause: wanted.dryRun ? 'dry_run' : null, resumedAt: null,
      }
      const before = idempotencyKey === null ? await repeated() : null
      if (before) return { batch: before, replayed: true }
      if ('taken' in wanted.input) batch.rows.total = await checkRows(input.sha256, batch, words, options)
      const inserted = await insertBatch(database, { batch, inputSizeBytes: input.sizeBytes, idempotencyKey, requestSha256 })
      if (inserted) {
        runner?.wake()
        return { batch: inserted, replayed: false }
      }
      const earlier = await repeated()
      if (!earlier) throw new Problem('unavailable', 'This batch was made and removed at the same moment. Send it again.', { retryAfterS: 1 })
      return { batch: earlier, replayed: true }
    },

    find: (owner, batchId) => selectBatch(database, owner, null, batchId),
    of: caller => roomOf(caller),
    sweep: async () => {
      const at = now()
      const until = options.outputExpiry(at)
      // Outputs made so long ago are gone by now.
      if (until !== null) await forgetInputs(database, new Date(at.getTime() - (until.getTime() - at.getTime())))
    },
    free: workers => freeBatches(database, workers),
    start: () => runner?.start(),
    stop: async () => { await runner?.stop() },
  }
  return batches

  function roomOf(caller: Caller): Omit<Desk['batches'], 'create'> {
    const find = (protocol: string | null, batchId: string) => isId(batchId) ? selectBatch(database, caller, protocol, batchId) : Promise.resolve(null)
    const found = async (batchId: string, protocol: string | null = null): Promise<Batch> => {
      const batch = await find(protocol, batchId)
      if (!batch) throw new Problem('not_found', 'There is no such batch.')
      return batch
    }
    const standing = async (batch: Batch): Promise<BatchStanding> =>
      batchHasEnded(batch.state) ? { checked: batch.rows.total, waiting: 0, making: 0, ended: batch.rows, endedLately: 0, latelyS: 0 } : selectStanding(database, batch, now())
    const looks = async function* (batchId: string, signal?: AbortSignal): AsyncGenerator<Batch> {
      for (;;) {
        yield await found(batchId)
        await pause(lookMs, undefined, signal ? { signal } : {}).catch(() => {})
        if (signal?.aborted) return
      }
    }

    return {
      find, standing,

      async list(filter) {
        const all = await selectBatches(database, caller, filter)
        const page = all.slice(0, filter.limit)
        // A page above an id comes from below.
        const items = filter.before === undefined ? page : page.reverse()
        return { items, next: all.length > filter.limit ? items.at(-1)!.id : null }
      },

      async cancel(protocol, batchId) {
        await found(batchId, protocol)
        await markCancelling(database, caller, batchId, now())
        runner?.wake()
        return found(batchId)
      },

      async remove(protocol, batchId) {
        const batch = await found(batchId, protocol)
        if (!batchHasEnded(batch.state)) throw new Problem('conflict', 'This batch has not ended. Cancel it first, and wait for its end.')
        for (const fileId of [batch.outputFileId, batch.errorFileId]) {
          if (fileId !== null) await options.removeFile(caller, fileId).catch(thrown => { if (!(thrown instanceof Problem && thrown.code === 'not_found')) throw thrown })
        }
        await deleteEnded(database, caller, batchId)
      },

      async* follow(batchId, signal) {
        let last = ''
        for await (const batch of looks(batchId, signal)) {
          const now: { batch: Batch; standing: BatchStanding } = { batch, standing: await standing(batch) }
          const { endedLately: _lately, latelyS: _seconds, ...counts } = now.standing
          const mark = JSON.stringify([batch.state, batch.rows.total, batch.costMicros, batch.pausedAt, batch.cancellingAt, batch.budgetMaxMicros, counts])
          if (mark !== last) yield now
          last = mark
          if (batchHasEnded(batch.state)) return
        }
      },

      async checked(batchId, { waitMs, signal }) {
        const late = AbortSignal.timeout(waitMs)
        let batch = await found(batchId)
        if (batch.state === 'reading' && waitMs > 0) for await (batch of looks(batchId, signal ? AbortSignal.any([signal, late]) : late)) if (batch.state !== 'reading') break
        return batch
      },

      async pause(batchId) {
        const { state } = await found(batchId)
        if (state !== 'reading' && state !== 'running') throw new Problem('conflict', 'This batch has ended, so there is nothing to pause.')
        await markPaused(database, caller, batchId)
        return found(batchId)
      },

      async resume(batchId, { budgetMaxMicros }) {
        const batch = await found(batchId)
        const budget = budgetMaxMicros === undefined ? batch.budgetMaxMicros : budgetMaxMicros
        if (batch.pausedBecause === 'budget' && budget !== null && budget <= (batch.budgetMaxMicros ?? 0)) {
          throw new Problem('conflict', `This batch has used up its cap of $${formatDollars(batch.budgetMaxMicros ?? 0)}. Resume it with a higher budget_max_micros, or null for none.`, { field: 'budget_max_micros', value: budget })
        }
        if (!await markResumed(database, caller, batchId, { keyId: caller.keyId, budgetMaxMicros })) throw new Problem('conflict', 'This batch is not paused.')
        runner?.wake()
        return found(batchId)
      },

      async retry(batchId, { states, budgetMaxMicros }) {
        const batch = await found(batchId)
        if (batch.inputSha256 === null && batchHasEnded(batch.state)) throw new Problem('conflict', 'The rows of this batch are no longer kept as they were sent. Send those that failed in a new one.')
        if (batch.cancellingAt && !batchHasEnded(batch.state)) throw new Problem('conflict', 'This batch is being cancelled. Wait for its end, then try its rows again.')
        if (batch.state === 'failed') throw new Problem('conflict', 'This batch was refused before anything was made. Mend the rows that errors.csv names, and send it again.')
        if (await retryRows(database, caller, batchId, { states, keyId: caller.keyId, budgetMaxMicros }) === 0) throw new Problem('conflict', `No row of this batch ${states.join(' or ')} that could be tried again. Rows that were not in order are mended in the sheet and sent in a new batch.`)
        runner?.wake()
        return found(batchId)
      },

      async rows(batchId, { after, limit, states }) {
        const batch = await found(batchId)
        const rows = await selectRows(database, batch.id, after, limit, states ?? null)
        return Promise.all(rows.map(async (row): Promise<MadeRow> => ({
          row,
          task: row.taskId === null ? null : await options.findTask(caller, row.taskId),
          execution: row.executionId === null ? null : await options.findExecution(caller, row.executionId),
          sent: await sentOf(batch, row),
        })))
      },

      schedules: {
        create: order => createSchedule(database, caller, order, now()),
        find: id => isId(id) ? selectSchedule(database, caller, id) : Promise.resolve(null),
        async list({ after, limit }) {
          const all = await selectSchedules(database, caller, { after, limit })
          const items = all.slice(0, limit)
          return { items, next: all.length > limit ? items.at(-1)!.id : null }
        },
        async change(id, change) {
          const schedule = isId(id) ? await changeSchedule(database, caller, id, change, now()) : null
          if (!schedule) throw new Problem('not_found', 'There is no such schedule.')
          return schedule
        },
        async remove(id) { if (!isId(id) || !await deleteSchedule(database, caller, id)) throw new Problem('not_found', 'There is no such schedule.') },
      },
    }
  }

  /** A row as it was sent, where that is kept and short enough to be looked at. */
  async function sentOf({ inputSha256 }: Batch, { fromByte, sizeBytes }: { fromByte: number; sizeBytes: number }): Promise<Json> {
    if (inputSha256 === null || sizeBytes === 0 || sizeBytes > sentBytesMax) return null
    const { value, release } = await readJsonLine(lineOf(options.openRange(inputSha256, { start: fromByte, end: fromByte + sizeBytes - 1 })), { bytesMax: sentBytesMax, folder: await options.inlineFolder() })
    await release()
    return value as Json
  }
}
