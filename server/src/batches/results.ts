/** Puts the results of a batch together: a line for every row, in the order of the rows, written while they are made and never held. */
import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import type { BlobStore } from '../assets/contract.ts'
import type { Client, Database } from '../db/pool.ts'
import type { Batch, BatchRow } from '../domain/batch.ts'
import type { StoredFile } from '../domain/file.ts'
import { asProblem, Problem, storeProblem } from '../domain/problem.ts'
import type { Task } from '../domain/task.ts'
import { newId } from '../kit/id.ts'
import type { BatchWords, Desk, ResultWords, RowResult, WrittenRow } from '../protocols/contract.ts'
import { endBatch, keepBatch, selectRows, type HeldBatch, type Owner } from './rows.ts'

export interface WritingTools {
  database: Database
  store: BlobStore
  findTask(owner: Owner, taskId: string): Promise<Task | null>
  /** Says no in the words of the batch's dialect. */
  refuse(problem: Problem, call: string): Response
  insertFile(client: Client, owner: Owner, file: StoredFile): Promise<void>
  /** Until when results are kept where nobody says; null for ever. */
  outputExpiry(at: Date): Date | null
  now(): Date
}

const pageRows = 100
const blockBytes = 256 * 1024

type FileWords = BatchWords & ResultWords

/** Whether results are handed out as files, written at the end; the others are read row by row. */
export const hasFiles = (words: BatchWords): words is FileWords => words.writeRow !== undefined

/** A file on its way into the store. */
class Sink {
  readonly #store: BlobStore
  readonly #file: string
  readonly #sum = createHash('sha256')
  #handle: fs.FileHandle | null = null
  #held: Uint8Array[] = []
  #heldBytes = 0
  sizeBytes = 0

  constructor(store: BlobStore) {
    this.#store = store
    this.#file = store.stagingFile()
  }

  async write(piece: string | Uint8Array): Promise<void> {
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece
    this.#sum.update(bytes)
    this.sizeBytes += bytes.length
    this.#held.push(bytes)
    this.#heldBytes += bytes.length
    if (this.#heldBytes >= blockBytes) await this.#flush()
  }

  async #flush(): Promise<void> {
    this.#handle ??= await fs.open(this.#file, 'wx', 0o600)
    await this.#handle.appendFile(Buffer.concat(this.#held, this.#heldBytes))
    this.#held = []
    this.#heldBytes = 0
  }

  /** The SHA-256 of what is in the store now; null where nothing was written. */
  async end(): Promise<string | null> {
    if (this.sizeBytes === 0) return null
    await this.#flush()
    await this.#handle!.close()
    const sha256 = this.#sum.digest('hex')
    await this.#store.put(sha256, { file: this.#file, sizeBytes: this.sizeBytes }, { mime: 'application/jsonl' })
    return sha256
  }

  async drop(): Promise<void> {
    await this.#handle?.close().catch(() => {})
    await fs.rm(this.#file, { force: true })
  }
}

/**
 * Writes the result files of a batch in hand and ends it, in one transaction with the rows of the files.
 *
 * After a crash it is begun again: files of a first try belong to nobody and are collected.
 */
export async function writeResults(held: HeldBatch, words: FileWords, desk: Desk, tools: WritingTools, signal: AbortSignal): Promise<void> {
  const { batch } = held
  const { database, store, now } = tools
  const sinks = { output: new Sink(store), error: new Sink(store) }
  try {
    let keptAt = Date.now()
    for (let after = 0; ;) {
      const rows = await selectRows(database, batch.id, after, pageRows)
      if (rows.length === 0) break
      after = rows.at(-1)!.number
      const tasks = await Promise.all(rows.map(row => row.taskId === null ? null : tools.findTask(batch, row.taskId)))
      for (const [index, row] of rows.entries()) {
        if (signal.aborted) return
        const { file, parts } = words.writeRow(row, await resultOf(row, tasks[index]!, batch, words, desk, tools), batch)
        await writeParts(parts, sinks[file])
        if (Date.now() - keptAt > 5_000) {
          if (!await keepBatch(database, held)) return
          keptAt = Date.now()
        }
      }
    }
    const made = { output: await sinks.output.end(), error: await sinks.error.end() }
    const createdAt = now()
    const fileOf = (kind: 'output' | 'error'): StoredFile | null => made[kind] === null ? null : {
      id: newId(createdAt.getTime()), source: 'generated', purpose: words.resultPurpose(batch), name: `${batch.id}_${kind}.jsonl`, mime: 'application/jsonl', sha256: made[kind],
      sizeBytes: sinks[kind].sizeBytes, createdAt, expiresAt: batch.outputExpiresS === null ? tools.outputExpiry(createdAt) : new Date(createdAt.getTime() + batch.outputExpiresS * 1_000),
    }
    const files = { output: fileOf('output'), error: fileOf('error') }
    await database.transaction(async client => {
      for (const file of [files.output, files.error]) if (file) await tools.insertFile(client, batch, file)
      const isOurs = await endBatch(client, held, { outputFileId: files.output?.id ?? null, errorFileId: files.error?.id ?? null })
      if (!isOurs) throw new TurnLost()
    }).catch(thrown => { if (!(thrown instanceof TurnLost)) throw thrown })
  } finally {
    await sinks.output.drop()
    await sinks.error.drop()
  }
}

/** Somebody else has the batch: what was written here is dropped. */
class TurnLost extends Error {}

async function resultOf(row: BatchRow, task: Task | null, batch: Batch, words: FileWords, desk: Desk, { refuse }: WritingTools): Promise<RowResult> {
  if (row.state === 'cancelled') return { kind: 'cancelled' }
  if (row.state === 'expired') return { kind: 'expired' }
  const refused = (problem: Problem): RowResult => ({ kind: 'refused', problem: storeProblem(problem), refusal: refuse(problem, batch.call), taskId: task?.id ?? null })
  if (row.problem) return refused(new Problem(row.problem.code, row.problem.message, row.problem.details))
  if (!task) return refused(new Problem('internal', 'The task of this row is gone.'))
  try {
    const answer = await words.answer(task, batch, desk)
    return { kind: 'answered', answer, taskId: task.id }
  } catch (thrown) {
    return refused(asProblem(thrown))
  }
}

async function writeParts(parts: WrittenRow['parts'], sink: Sink): Promise<void> {
  for (const part of parts) {
    if (typeof part === 'string') { await sink.write(part); continue }
    const reader = (part.body as ReadableStream<Uint8Array>).getReader()
    for (let next = await reader.read(); !next.done; next = await reader.read()) await sink.write(next.value)
  }
  await sink.write('\n')
}
