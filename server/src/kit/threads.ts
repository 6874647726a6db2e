/**
 * Work that would hold everybody else up, done on other threads: a few of them, one job at a time each, a queue in front.
 *
 * A job cannot be interrupted from within, so an abort ends its thread and another takes its place; so does a crash, and so does age. A job
 * may ask its caller for things it has no hands for (`calls`): bytes of the store, a row. What is handed over whole (`Handed`) changes owner and
 * is not copied. The first job starts the first thread; one that is idle for a while is let go, with the memory it took.
 */
import { isMarkedAsUntransferable, Worker } from 'node:worker_threads'
import { Problem, storeProblem, type StoredProblem } from '../domain/problem.ts'

/** Things a job may ask for, by name. */
export type Calls = Record<string, (...given: never[]) => unknown>

export interface Threads {
  /**
   * @throws what the job threw: a `Problem` as itself, anything else with its words and stack
   * @throws {ThreadLost} when its thread ended first
   * @throws {Problem} `unavailable` when too many wait, `shutting_down` once closed; the signal's reason when it fires
   */
  run<Result>(job: unknown, options?: { signal?: AbortSignal; calls?: Calls }): Promise<Result>
  /** Jobs that are being done now, and threads there are. */
  busy(): number
  size(): number
  /** Refuses what waits, ends what runs. */
  close(): Promise<void>
}

export interface ThreadsOptions {
  /** What a thread does: a module that calls `serveThread`. */
  script: URL
  threads: number
  /** Jobs that may wait. */
  queueMax?: number
  /** Jobs after which a thread is replaced: what native code holds is given back only with its thread. */
  jobsMax?: number
  idleMs?: number
  /** JavaScript memory of one thread; a job that takes more fails by itself. Buffers do not count. */
  heapMb?: number
}

/** What is thrown on one thread and caught on another. */
export interface Thrown { problem?: StoredProblem; message: string; stack?: string }
export type ToThread = { kind: 'job'; id: number; job: unknown } | { kind: 'answer'; call: number; value: unknown } | { kind: 'refusal'; call: number; thrown: Thrown }
export type FromThread = { kind: 'call'; id: number; call: number; name: string; given: unknown[] } | { kind: 'done'; id: number; value: unknown } | { kind: 'failed'; id: number; thrown: Thrown }

export function writeThrown(thrown: unknown): Thrown {
  if (thrown instanceof Problem) return { problem: storable(thrown), message: thrown.message }
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  return { message: error.message, ...(error.stack === undefined ? {} : { stack: error.stack }) }
}

/** Details that cannot change threads (functions, handles) are left behind rather than the whole problem. */
function storable(problem: Problem): StoredProblem {
  const { details, ...rest } = storeProblem(problem)
  return details === undefined ? rest : { ...rest, details: JSON.parse(JSON.stringify(details)) as typeof details }
}

export function readThrown({ problem, message, stack }: Thrown): Error {
  if (problem) return new Problem(problem.code, problem.message, problem.details)
  const error = new Error(message)
  if (stack !== undefined) error.stack = stack
  return error
}

const handed = Symbol('handed')
/** A value, and the memory in it that changes owner with it. */
export interface Handed<Value> { [handed]: true; value: Value; memory: ArrayBuffer[] }

/** Bytes that are handed over: their owner has them no more. Small ones, parts of something larger and what a library keeps for itself are copied. */
export function handOver(bytes: Uint8Array): Handed<Uint8Array> {
  const isOwn = bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer && !isMarkedAsUntransferable(bytes.buffer)
  const own = isOwn ? bytes : new Uint8Array(bytes)
  return { [handed]: true, value: own, memory: [own.buffer as ArrayBuffer] }
}

/** What is posted for a value, and what changes owner. */
export const unhand = (value: unknown): { value: unknown; memory: ArrayBuffer[] } =>
  typeof value === 'object' && value !== null && handed in value ? value as Handed<unknown> : { value, memory: [] }

/** A thread ended, of itself or by what it was at, before its job was done. */
export class ThreadLost extends Error { override name = 'ThreadLost' }

interface Job { id: number; job: unknown; calls: Calls; resolve(value: unknown): void; reject(reason: unknown): void }
interface Hand { worker: Worker; job: Job | null; done: number; idle: NodeJS.Timeout | null }

export function openThreads({ script, threads, queueMax = 500, jobsMax = 200, idleMs = 30_000, heapMb = 1_024 }: ThreadsOptions): Threads {
  const hands = new Set<Hand>()
  /** Threads that are being ended: what they were at in native code ends in its own time, and takes memory until then. */
  let leaving = 0
  const queue: Job[] = []
  let nextId = 1
  let isClosed = false

  function hire(): Hand {
    const hand: Hand = { worker: new Worker(script, { resourceLimits: { maxOldGenerationSizeMb: heapMb } }), job: null, done: 0, idle: null }
    hands.add(hand)
    hand.worker.on('message', (message: FromThread) => hear(hand, message))
    hand.worker.on('error', error => lose(hand, error instanceof Error ? error.message : String(error)))
    hand.worker.on('exit', code => lose(hand, `it left with code ${code}`))
    return hand
  }

  function hear(hand: Hand, message: FromThread): void {
    const { job } = hand
    if (!job || job.id !== message.id) return
    if (message.kind === 'call') { void answer(hand, job, message); return }
    hand.job = null
    hand.done++
    if (message.kind === 'done') job.resolve(message.value)
    else job.reject(readThrown(message.thrown))
    if (hand.done >= jobsMax) void dismiss(hand)
    else rest(hand)
    advance()
  }

  async function answer(hand: Hand, job: Job, { call, name, given }: Extract<FromThread, { kind: 'call' }>): Promise<void> {
    try {
      const { value, memory } = unhand(await job.calls[name]!(...given as never[]))
      if (hand.job === job) hand.worker.postMessage({ kind: 'answer', call, value } satisfies ToThread, memory)
    } catch (thrown) {
      if (hand.job === job) hand.worker.postMessage({ kind: 'refusal', call, thrown: writeThrown(thrown) } satisfies ToThread, [])
    }
  }

  /** Nobody is kept alive by a thread that has nothing to do. */
  function rest(hand: Hand): void {
    hand.worker.unref()
    hand.idle = setTimeout(() => { void dismiss(hand) }, idleMs).unref()
  }

  function lose(hand: Hand, why: string): void {
    if (!hands.delete(hand)) return
    if (hand.idle) clearTimeout(hand.idle)
    hand.job?.reject(new ThreadLost(`The thread that was at this ended before it was done (${why}).`))
    hand.job = null
    advance()
  }

  async function dismiss(hand: Hand): Promise<void> {
    hands.delete(hand)
    if (hand.idle) clearTimeout(hand.idle)
    leaving++
    await hand.worker.terminate()
    leaving--
    advance()
  }

  function advance(): void {
    while (!isClosed && queue.length > 0) {
      const hand = [...hands].find(({ job }) => !job) ?? (hands.size + leaving < threads ? hire() : null)
      if (!hand) return
      const job = queue.shift()!
      if (hand.idle) clearTimeout(hand.idle)
      hand.job = job
      hand.worker.ref()
      try {
        const { value, memory } = unhand(job.job)
        hand.worker.postMessage({ kind: 'job', id: job.id, job: value } satisfies ToThread, memory)
      } catch (thrown) {
        hand.job = null
        rest(hand)
        job.reject(thrown)
      }
    }
  }

  return {
    async run<Result>(job: unknown, { signal, calls = {} }: { signal?: AbortSignal; calls?: Calls } = {}) {
      signal?.throwIfAborted()
      if (isClosed) throw closed()
      if (queue.length >= queueMax) throw new Problem('unavailable', `${queueMax} steps wait for a thread already. Try again in a moment.`, { retryAfterS: 1 })
      const { promise, resolve, reject } = Promise.withResolvers<unknown>()
      const own: Job = { id: nextId++, job, calls, resolve, reject }
      const abort = () => {
        const at = queue.indexOf(own)
        if (at >= 0) queue.splice(at, 1)
        const hand = [...hands].find(one => one.job === own)
        if (hand) {
          hand.job = null
          void dismiss(hand)
        }
        reject(signal!.reason)
        advance()
      }
      signal?.addEventListener('abort', abort, { once: true })
      queue.push(own)
      advance()
      try {
        return await promise as Result
      } finally {
        signal?.removeEventListener('abort', abort)
      }
    },
    busy: () => [...hands].filter(({ job }) => job).length,
    size: () => hands.size,
    async close() {
      isClosed = true
      for (const job of queue.splice(0)) job.reject(closed())
      await Promise.all([...hands].map(hand => {
        hand.job?.reject(closed())
        hand.job = null
        return dismiss(hand)
      }))
    },
  }
}

const closed = () => new Problem('shutting_down', 'The server is stopping. Try again in a moment.')
