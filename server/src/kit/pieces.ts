/** Answers that come piece by piece. */

export interface PiecesOptions {
  status?: number
  headers?: Headers | Record<string, string>
  /** Sent before the first piece is there, so that the reader sees that an answer has begun. */
  first?: string
  /** Sent when there has been nothing for so long, between two pieces of which the first ended a line. */
  keepAlive?: { everyMs: number; text: string }
  /** Called once when the reader has gone or all is sent: stops whatever makes the pieces. */
  onEnd?: () => void
}

/**
 * An answer out of pieces as they come: event streams and lists in a dialect's own form.
 *
 * Pieces are pulled, not pushed: a reader who falls behind stops the source and holds no memory of ours.
 */
export function streamPieces(pieces: AsyncIterable<Uint8Array | string>, { status = 200, headers, first, keepAlive, onEnd }: PiecesOptions = {}): Response {
  const source = pieces[Symbol.asyncIterator]()
  let timer: NodeJS.Timeout | undefined
  let isBetween = true
  let ended = false
  const end = () => {
    if (ended) return
    ended = true
    clearInterval(timer)
    onEnd?.()
  }
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      if (first !== undefined) controller.enqueue(Buffer.from(first))
      if (!keepAlive) return
      timer = setInterval(() => {
        // Positive only when all that was written has been read: comments never pile up.
        if (!ended && isBetween && (controller.desiredSize ?? 0) > 0) controller.enqueue(Buffer.from(keepAlive.text))
      }, keepAlive.everyMs)
      timer.unref()
    },
    async pull(controller) {
      try {
        const { done, value } = await source.next()
        if (ended) return
        if (done) {
          end()
          controller.close()
          return
        }
        const bytes = typeof value === 'string' ? Buffer.from(value) : value
        if (bytes.length > 0) isBetween = bytes[bytes.length - 1] === 0x0a
        controller.enqueue(bytes)
      } catch (thrown) {
        if (ended) return
        end()
        controller.error(thrown)
      }
    },
    cancel() {
      end()
      // Not awaited: a generator that sits in an `await` answers `return` only when that is over.
      void source.return?.().catch(() => {})
    },
  }, { highWaterMark: keepAlive ? 1 : 0 })
  return new Response(body, { status, ...(headers ? { headers } : {}) })
}

const direct = new WeakMap<Response, () => AsyncIterable<Uint8Array>>()

/** Says how an answer's body may be had without a web stream around it. Each piece is good until the next one is asked for, and must have been sent by then. */
export function offerPieces(response: Response, pieces: () => AsyncIterable<Uint8Array>): Response {
  direct.set(response, pieces)
  return response
}
export const piecesOf = (response: Response): AsyncIterable<Uint8Array> | null => direct.get(response)?.() ?? null

/** The headers of server-sent events. */
export const eventStream = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' }
