/** Server-sent events (HTML Living Standard 9.2): what a stream of facts looks like over HTTP. */
import { eventStream, streamPieces } from './pieces.ts'

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
  const source = events[Symbol.asyncIterator]()
  // By hand and not as a generator: when the reader goes, the source is told so even while it is being waited for.
  const pieces: AsyncIterator<string> = {
    async next() {
      const next = await source.next()
      return next.done ? { done: true, value: undefined } : { done: false, value: writeEvent(next.value) }
    },
    async return() {
      await source.return?.()
      return { done: true, value: undefined }
    },
  }
  return streamPieces({ [Symbol.asyncIterator]: () => pieces }, {
    first: ': hello\n\n', keepAlive: { everyMs: keepAliveMs, text: ': still here\n\n' }, headers: { ...eventStream, ...headers }, ...(onEnd ? { onEnd } : {}),
  })
}
