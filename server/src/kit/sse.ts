/** Server-sent events (HTML Living Standard 9.2): what a stream of facts looks like over HTTP. */

export interface ServerEvent { id?: string | number; event?: string; /** Written as JSON. */ data: unknown }

/** One event as it goes over the wire. JSON has no raw line breaks, so one `data` line holds it. */
export function writeEvent({ id, event, data }: ServerEvent): string {
  const head = (id === undefined ? '' : `id: ${id}\n`) + (event === undefined ? '' : `event: ${event}\n`)
  return `${head}data: ${JSON.stringify(data)}\n\n`
}

export interface StreamOptions {
  /** How long silence may last before a comment keeps proxies from closing the line. */
  keepAliveMs?: number
  /** Called once when the reader has gone or the stream has ended: stops whatever makes the events. */
  onEnd?: () => void
  headers?: Record<string, string>
}

/**
 * Answers with events as they come.
 *
 * Events are pulled, not pushed: a reader who falls behind stops the source and holds no memory of ours. The first comment goes
 * out at once, so that the reader sees the answer's head before the first event.
 */
export function streamEvents(events: AsyncIterable<ServerEvent>, { keepAliveMs = 15_000, onEnd, headers }: StreamOptions = {}): Response {
  const encoder = new TextEncoder()
  const source = events[Symbol.asyncIterator]()
  let timer: NodeJS.Timeout | undefined
  let ended = false
  const end = () => {
    if (ended) return
    ended = true
    clearInterval(timer)
    onEnd?.()
  }
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(encoder.encode(': hello\n\n'))
      timer = setInterval(() => {
        // Positive only when all that was written has been read: comments never pile up.
        if (!ended && (controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(': still here\n\n'))
      }, keepAliveMs)
      timer.unref()
    },
    async pull(controller) {
      try {
        const { done, value } = await source.next()
        if (ended) return
        if (done) {
          end()
          controller.close()
        } else controller.enqueue(encoder.encode(writeEvent(value)))
      } catch (thrown) {
        if (ended) return
        end()
        controller.error(thrown)
      }
    },
    async cancel() {
      end()
      // Not awaited: a generator that sits in an `await` answers `return` only when that is over.
      void source.return?.().catch(() => {})
    },
  })
  return new Response(body, {
    headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no', ...headers },
  })
}
