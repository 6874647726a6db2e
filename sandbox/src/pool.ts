/**
 * Draws on other threads: a few workers, one picture at a time each, a queue in front.
 *
 * A render cannot be interrupted from inside, so an abort ends its worker and another takes its place; so does a crash,
 * and so does age, since canvas memory is only given back with the thread. At most one very large picture is drawn at
 * a time over the whole pool: one alone can hold a gigabyte. Results are handed over, not copied; the caller's input
 * pictures stay the caller's, who may need them for another try.
 */
import { Worker } from 'node:worker_threads'
import { RenderError } from './contract.ts'
import type { RenderRequest, Rendering } from './contract.ts'
import type { FromWorker, ToWorker } from './messages.ts'

export interface PoolOptions {
  threads: number
  /** A worker is replaced after this many pictures. */
  recycleAfter?: number
  /** Pictures that may wait; the next one is refused. */
  queueMax?: number
  /** Another worker script, for tests. */
  script?: URL
}

export interface RenderOptions {
  signal?: AbortSignal | undefined
  onPartial?: ((rendering: Rendering) => void) | undefined
}

export interface Pool {
  render(request: RenderRequest, options?: RenderOptions): Promise<Rendering>
  /** Refuses what waits, ends what runs. */
  close(): Promise<void>
  /** How many pictures are being drawn now. */
  busy(): number
}

interface Job {
  id: number
  request: RenderRequest
  isLarge: boolean
  onPartial: ((rendering: Rendering) => void) | undefined
  resolve(rendering: Rendering): void
  reject(reason: unknown): void
}

interface Hand {
  worker: Worker
  job: Job | null
  drawn: number
}

/** From here on a picture is drawn alone: 4K, or an upscale that ends there. */
const largePixels = 2560 * 2560

export function startPool({ threads, recycleAfter = 150, queueMax = 1_000, script = new URL('worker.ts', import.meta.url) }: PoolOptions): Pool {
  const hands = new Set<Hand>()
  const queue: Job[] = []
  let nextId = 1
  let isClosed = false

  function hire(): Hand {
    const hand: Hand = { worker: new Worker(script), job: null, drawn: 0 }
    hands.add(hand)
    hand.worker.on('message', (message: FromWorker) => hear(hand, message))
    hand.worker.on('error', (error) => lose(hand, error instanceof Error ? error.message : String(error)))
    hand.worker.on('exit', (code) => lose(hand, `it left with code ${code}`))
    return hand
  }

  function hear(hand: Hand, message: FromWorker): void {
    const { job } = hand
    if (!job || job.id !== message.id) return
    if (message.kind === 'partial') {
      job.onPartial?.(message.rendering)
      return
    }
    hand.job = null
    hand.drawn++
    if (message.kind === 'done') job.resolve(message.rendering)
    else job.reject(message.isRefusal ? new RenderError(message.message) : new Error(`The sandbox renderer failed: ${message.message}`))
    if (hand.drawn >= recycleAfter) dismiss(hand)
    else hand.worker.unref()
    advance()
  }

  function lose(hand: Hand, why: string): void {
    if (!hands.delete(hand)) return
    hand.job?.reject(new Error(`The thread that drew this picture ended before it was done (${why}). Asking again is safe.`))
    hand.job = null
    advance()
  }

  function dismiss(hand: Hand): Promise<number> {
    hands.delete(hand)
    return hand.worker.terminate()
  }

  function advance(): void {
    if (isClosed) return
    for (;;) {
      const isLargeRunning = [...hands].some(({ job }) => job?.isLarge)
      const at = queue.findIndex((job) => !(job.isLarge && isLargeRunning))
      const hand = [...hands].find(({ job }) => !job) ?? (hands.size < threads ? null : undefined)
      if (at < 0 || hand === undefined) return
      const [job] = queue.splice(at, 1)
      const chosen = hand ?? hire()
      chosen.job = job!
      chosen.worker.ref()
      chosen.worker.postMessage({ id: job!.id, request: job!.request } satisfies ToWorker, [])
    }
  }

  return {
    async render(request, { signal, onPartial } = {}) {
      signal?.throwIfAborted()
      if (isClosed) throw new RenderError('The renderer is closed.')
      if (queue.length >= queueMax) throw new RenderError(`${queueMax} pictures are waiting already; try again later.`)
      const { promise, resolve, reject } = Promise.withResolvers<Rendering>()
      const job: Job = { id: nextId++, request, isLarge: isLarge(request), onPartial, resolve, reject }
      const abort = () => {
        const at = queue.indexOf(job)
        if (at >= 0) queue.splice(at, 1)
        const hand = [...hands].find((each) => each.job === job)
        if (hand) {
          hand.job = null
          void dismiss(hand)
        }
        reject(signal!.reason)
        advance()
      }
      signal?.addEventListener('abort', abort, { once: true })
      queue.push(job)
      advance()
      try {
        return await promise
      } finally {
        signal?.removeEventListener('abort', abort)
      }
    },
    async close() {
      isClosed = true
      for (const job of queue.splice(0)) job.reject(new RenderError('The renderer was closed before this picture was drawn.'))
      await Promise.all([...hands].map((hand) => {
        hand.job?.reject(new RenderError('The renderer was closed while this picture was drawn.'))
        hand.job = null
        return dismiss(hand)
      }))
    },
    busy: () => [...hands].filter(({ job }) => job).length,
  }
}

/** A photo file from about here on holds as many pixels as a picture we call large; its size is not known before it is read. */
const largeFileBytes = 4_000_000

function isLarge({ operation, width = 0, height = 0, factor = 1, inputs }: RenderRequest): boolean {
  if (operation === 'upscale' && factor >= 4) return true
  return width * height > largePixels || inputs.some(({ bytes }) => bytes.length > largeFileBytes)
}
