/**
 * The room of batches: many orders in one file, each row of which becomes a task, and the files of what came of them.
 *
 * Dialects bring words (`BatchWords`): how a row is read and submitted, how its result is written. Absent on purpose: money (a row is
 * a task like any other, and pays like one), and rows in memory.
 */
import { createHash } from 'node:crypto'
import type { Batch } from '../domain/batch.ts'
import { batchHasEnded } from '../domain/batch.ts'
import type { Caller } from '../domain/caller.ts'
import type { StoredFile } from '../domain/file.ts'
import { Problem } from '../domain/problem.ts'
import { isId, newId } from '../kit/id.ts'
import type { NewBatch, Page } from '../protocols/contract.ts'
import { checkRows } from './reading.ts'
import { deleteEnded, freeBatches, insertBatch, markCancelling, selectBatch, selectBatches, selectRepeated, type BatchFilter, type Owner } from './rows.ts'
import { createRunner, type Runner, type RunnerOptions } from './runner.ts'

export interface BatchesOptions extends RunnerOptions {
  findFile(owner: Owner, fileId: string): Promise<StoredFile | null>
  removeFile(owner: Owner, fileId: string): Promise<void>
  /** Whether this process carries batches on. */
  works: boolean
}

export interface Batches {
  /** @throws {Problem} `not_found` for the input file, `bad_request`, `too_large`, `idempotency_mismatch` */
  create(caller: Caller, batch: NewBatch): Promise<{ batch: Batch; replayed: boolean }>
  find(owner: Owner, protocol: string, batchId: string): Promise<Batch | null>
  list(owner: Owner, filter: BatchFilter): Promise<Page<Batch>>
  /** Asks for its end: rows that wait are given up, those in the making end by themselves. @throws {Problem} `not_found` */
  cancel(owner: Owner, protocol: string, batchId: string): Promise<Batch>
  /** @throws {Problem} `not_found`, `conflict` while it has not ended */
  remove(owner: Owner, protocol: string, batchId: string): Promise<void>
  /** What processes that died had in hand. */
  free(workers: string[]): Promise<void>
  start(): void
  stop(): Promise<void>
}

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

  const found = async (owner: Owner, protocol: string, batchId: string): Promise<Batch> => {
    const batch = await batches.find(owner, protocol, batchId)
    if (!batch) throw new Problem('not_found', 'There is no such batch.')
    return batch
  }

  const batches: Batches = {
    async create(caller, wanted) {
      const words = wordsOf(wanted.protocol)
      const input = await inputOf(caller, wanted.input)
      const requestSha256 = createHash('sha256').update(JSON.stringify([wanted.protocol, wanted.call, input.sha256, input.fileId, wanted.windowS, wanted.options, wanted.metadata, wanted.outputExpiresS])).digest()
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
        state: 'reading', inputFileId: input.fileId, inputSha256: input.sha256, outputFileId: null, errorFileId: null, options: wanted.options ?? {}, metadata: wanted.metadata ?? {}, problems: [],
        rows: { total: 0, done: 0, failed: 0, cancelled: 0, expired: 0 }, createdAt, startedAt: null, cancellingAt: null, writingAt: null, endedAt: null,
        endsBy: new Date(createdAt.getTime() + wanted.windowS * 1_000), outputExpiresS: wanted.outputExpiresS ?? null,
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

    find: (owner, protocol, batchId) => isId(batchId) ? selectBatch(database, owner, protocol, batchId) : Promise.resolve(null),

    async list(owner, filter) {
      const all = await selectBatches(database, owner, filter)
      const page = all.slice(0, filter.limit)
      // A page above an id comes from below.
      const items = filter.before === undefined ? page : page.reverse()
      return { items, next: all.length > filter.limit ? items.at(-1)!.id : null }
    },

    async cancel(owner, protocol, batchId) {
      await found(owner, protocol, batchId)
      await markCancelling(database, owner, protocol, batchId, now())
      runner?.wake()
      return found(owner, protocol, batchId)
    },

    async remove(owner, protocol, batchId) {
      const batch = await found(owner, protocol, batchId)
      if (!batchHasEnded(batch.state)) throw new Problem('conflict', 'This batch has not ended. Cancel it first, and wait for its end.')
      for (const fileId of [batch.outputFileId, batch.errorFileId]) {
        if (fileId !== null) await options.removeFile(owner, fileId).catch(thrown => { if (!(thrown instanceof Problem && thrown.code === 'not_found')) throw thrown })
      }
      await deleteEnded(database, owner, protocol, batchId)
    },

    free: workers => freeBatches(database, workers),
    start: () => runner?.start(),
    stop: async () => { await runner?.stop() },
  }
  return batches
}
