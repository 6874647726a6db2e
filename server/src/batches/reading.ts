/** Looks through the rows of a batch once, a line at a time: what they are called, where they stand, what is wrong with their frame. */
import type { Database } from '../db/pool.ts'
import type { Batch, BatchProblem } from '../domain/batch.ts'
import { asProblem, Problem, storeProblem } from '../domain/problem.ts'
import { Lines, readJsonLine } from '../kit/lines.ts'
import type { BatchWords, Desk, RowFrame } from '../protocols/contract.ts'
import { beginRunning, deleteRows, insertRows, keepBatch, refuseBatch, selectTwins, type HeldBatch, type NewRow } from './rows.ts'

/** Bytes of one row; a picture in it may be as large as in a call. */
export const rowBytesMax = 100 * 1024 * 1024
const atOnce = 500
/** Mistakes that are told; more of them help nobody. */
const problemsMax = 100
/** Rows that are looked into at the same time, and those of one write. */
const checkAtOnce = 8
const checkPage = 100
/** Bytes of lines that are held for one write at most, but for a single longer one. */
const checkBytes = 8 * 1024 * 1024
const keepEveryMs = 5_000

type Body = Awaited<ReturnType<typeof readJsonLine>>
interface Read { row: NewRow; frame: RowFrame | null; /** The row itself, for whoever wants to look into it and lets it go then. */ body: Body | null }

/** The rows of a stream, each with what is wrong with it. Blank lines are none. */
async function* readRows(stream: AsyncIterable<Buffer>, batch: Pick<Batch, 'call' | 'options'>, words: BatchWords, folder: string, keep = false): AsyncGenerator<Read> {
  const lines = new Lines(stream)
  for (let line = await lines.next(); line !== null; line = await lines.next()) {
    let frame: RowFrame | null = null
    let problem: Problem | null = null
    let kept: Body | null = null
    try {
      const body = await readJsonLine(line, { bytesMax: rowBytesMax, folder })
      try {
        if (body.value === undefined) continue
        frame = words.readFrame(body.value, batch)
        if (keep) kept = body
      } finally {
        if (kept === null) await body.release()
      }
    } catch (thrown) {
      problem = asProblem(thrown)
      if (problem.code === 'internal') throw thrown
    }
    // A line that was given up half-way is read to its end before it is measured.
    while (await line.read() !== null);
    yield { frame, body: kept, row: { number: line.number, name: frame?.name ?? null, note: frame?.note ?? null, fromByte: line.fromByte, sizeBytes: line.sizeBytes, priceMicros: null, problem: problem && storeProblem(problem) } }
  }
}

/** What `checkRows` needs, and `readBatchRows` besides. */
export interface ReadingTools { database: Database; openInput(sha256: string): AsyncIterable<Buffer>; inlineFolder(): Promise<string> }

/**
 * Tries the frames of all rows before the batch is taken, for dialects that send the rows along and want to hear of mistakes at once.
 *
 * @returns how many there are. @throws {Problem} `bad_request` for the first mistake, `too_large` for too many rows
 */
export async function checkRows(sha256: string, batch: Pick<Batch, 'call' | 'options'>, words: BatchWords, tools: ReadingTools): Promise<number> {
  const names = new Set<string>()
  let count = 0
  for await (const { row, frame } of readRows(tools.openInput(sha256), batch, words, await tools.inlineFolder())) {
    if (++count > words.rowsMax) throw tooMany(words)
    if (row.problem) throw new Problem(row.problem.code, words.atRow(count - 1, row.problem.message), row.problem.details)
    if (!words.uniqueNames || !frame?.name) continue
    if (names.has(frame.name)) throw new Problem('bad_request', words.atRow(count - 1, `custom_id "${frame.name}" is there twice. Give every request one of its own.`), { field: 'custom_id', value: frame.name })
    names.add(frame.name)
  }
  if (count === 0) throw new Problem('bad_request', 'There are no requests in this batch.', { field: 'requests' })
  return count
}

const tooMany = ({ rowsMax }: BatchWords) => new Problem('too_large', `A batch has at most ${rowsMax} requests. Send several.`, { allowed: rowsMax })

/** Reads the rows of a batch in hand into the table and lets it run, or refuses it as a whole. Begun again after a crash. */
export async function readBatchRows(held: HeldBatch, words: BatchWords, desk: Desk | null, tools: ReadingTools, signal: AbortSignal): Promise<void> {
  // Checking may wait for addresses elsewhere; the batch stays ours meanwhile.
  const keeping = setInterval(() => { keepBatch(tools.database, held).catch(() => {}) }, keepEveryMs)
  try {
    await (words.check ? readChecked(held, words, desk, tools, signal) : readFrames(held, words, tools, signal))
  } finally {
    clearInterval(keeping)
  }
}

async function readFrames(held: HeldBatch, words: BatchWords, { database, openInput, inlineFolder }: ReadingTools, signal: AbortSignal): Promise<void> {
  const { batch } = held
  const problems: BatchProblem[] = []
  let model: string | null = null
  let rows: NewRow[] = []
  let count = 0
  const flush = async (): Promise<boolean> => {
    const full = rows
    rows = []
    return full.length === 0 || await insertRows(database, held, full)
  }
  const say = (code: string, message: string, line: number | null, param: string | null = null) => { if (problems.length < problemsMax) problems.push({ code, message, line, param }) }

  await deleteRows(database, held)
  for await (const { row, frame } of readRows(openInput(batch.inputSha256!), batch, words, await inlineFolder())) {
    if (signal.aborted) return
    if (++count > words.rowsMax) { say('too_many_requests', tooMany(words).message, row.number); break }
    if (row.problem && words.badFrame === 'batch') {
      const { message, details = {} } = row.problem
      say(typeof details.openaiCode === 'string' ? details.openaiCode : 'invalid_request', message, row.number, typeof details.param === 'string' ? details.param : null)
    }
    model ??= frame?.model ?? null
    rows.push(row)
    if (rows.length >= atOnce && !await flush()) return
  }
  if (!await flush()) return
  if (count === 0) say('empty_file', 'The input file has no lines.', null)
  if (words.uniqueNames) for (const { number, name } of await selectTwins(database, batch.id, problemsMax)) say('duplicate_custom_id', `The custom_id "${name}" is there twice. Give every line one of its own.`, number, 'custom_id')
  if (problems.length > 0) await refuseBatch(database, held, problems.sort((a, b) => (a.line ?? 0) - (b.line ?? 0)), { keepRows: false })
  else await beginRunning(database, held, { model, priceMinMicros: null, priceMaxMicros: null, problems: [] })
}

/**
 * Looks into every row before the first is bought: order, pictures, price.
 *
 * With a row that is wrong the batch is refused, unless its maker said to leave such rows out; the rows stay either way, so that what is
 * wrong with each can be read.
 */
async function readChecked(held: HeldBatch, words: BatchWords, desk: Desk | null, { database, openInput, inlineFolder }: ReadingTools, signal: AbortSignal): Promise<void> {
  const { batch } = held
  const memory = new Map<string, Promise<unknown>>()
  const problems: BatchProblem[] = []
  const prices = { priceMinMicros: 0, priceMaxMicros: 0 }
  let total = 0
  let wrong = 0

  const check = async ({ row, body }: Read): Promise<void> => {
    if (!body) return
    try {
      if (!desk) throw new Problem('unauthorized', 'The key of this batch has expired or was revoked.')
      const { priceMinMicros, priceMaxMicros, note } = await words.check!(body, batch, desk, memory)
      Object.assign(row, { priceMicros: priceMaxMicros, ...(note === undefined ? {} : { note }) })
      prices.priceMinMicros += priceMinMicros
      prices.priceMaxMicros += priceMaxMicros
    } catch (thrown) {
      const problem = asProblem(thrown)
      // The house's own trouble is not the row's.
      if (problem.code === 'internal' || problem.code === 'unavailable') throw thrown
      row.problem = storeProblem(problem)
    } finally {
      await body.release()
    }
  }
  const flush = async (reads: Read[]): Promise<boolean> => {
    const waiting = reads.values()
    await Promise.all(Array.from({ length: checkAtOnce }, async () => { for (const read of waiting) if (!signal.aborted) await check(read) }))
    if (signal.aborted) return false
    for (const { row } of reads) {
      if (!row.problem) continue
      wrong++
      for (const told of words.tell?.(row.problem, row.number) ?? []) if (problems.length < problemsMax) problems.push(told)
    }
    return await insertRows(database, held, reads.map(({ row }) => row))
  }

  await deleteRows(database, held)
  let reads: Read[] = []
  let heldBytes = 0
  for await (const read of readRows(openInput(batch.inputSha256!), batch, words, await inlineFolder(), true)) {
    if (signal.aborted) return
    total++
    reads.push(read)
    heldBytes += read.row.sizeBytes
    if (reads.length >= checkPage || heldBytes >= checkBytes) { if (!await flush(reads)) return; reads = []; heldBytes = 0 }
  }
  if (reads.length > 0 && !await flush(reads)) return
  const isRefused = wrong > 0 && (batch.options.onErrors !== 'skip' || wrong === total)
  if (isRefused) {
    await refuseBatch(database, held, problems, { keepRows: true, ...prices })
    if (desk) await words.forget?.(memory, desk)
  } else await beginRunning(database, held, { model: null, ...prices, problems })
}
