/** Following a task for somebody who listens: in-between pictures as they come, then the end. */
import { asProblem, Problem } from '../../domain/problem.ts'
import { hasEnded, type EventType, type Task } from '../../domain/task.ts'
import { eventStream, sseJson, streamPieces } from '../../kit/json-out.ts'
import type { ServerEvent } from '../../kit/sse.ts'
import type { Desk, Submitted } from '../contract.ts'
import { taskHeaders } from '../toolkit.ts'

export type Happening =
  | { kind: 'partial'; index: number; bytes: Buffer; mime: string }
  /** An in-between picture that is gone: somebody came back after the end. */
  | { kind: 'lost'; index: number }
  | { kind: 'end'; task: Task }

const ends: ReadonlySet<EventType> = new Set(['task.completed', 'task.failed', 'task.cancelled'])

/** What happens to a task from its beginning on. Ends with the task, or with its listener, whose leaving is remembered. */
export async function* follow(task: Task, desk: Desk, signal: AbortSignal): AsyncGenerator<Happening> {
  const stop = new AbortController()
  let isTold = false
  try {
    for await (const event of desk.events({ taskId: task.id, after: 0, signal: AbortSignal.any([signal, stop.signal]) })) {
      if (ends.has(event.type)) break
      const partial = event.type === 'task.progressed' ? event.data.partial : undefined
      if (typeof partial !== 'object' || partial === null || Array.isArray(partial) || typeof partial.index !== 'number') continue
      const picture = await desk.partial(event)
      yield picture ? { kind: 'partial', ...picture } : { kind: 'lost', index: partial.index }
    }
    const last = await desk.find(task.id)
    if (last && hasEnded(last.state)) {
      isTold = true
      yield { kind: 'end', task: last }
    }
  } finally {
    stop.abort()
    if (!isTold) await desk.unanswered(task.id).catch(() => {})
  }
}

/** Silence after which a comment keeps proxies from closing the line. */
const keepAlive = { everyMs: 15_000, text: ': still here\n\n' }

interface StreamOptions { writeFailure(problem: Problem): ServerEvent; /** Ends with `data: [DONE]`. */ isDone?: boolean }

/**
 * An answer that is a stream of events; pictures in them (`base64Of`) are encoded while they are sent.
 *
 * A failure half-way is one more event: the head of the answer has long been sent. Only a picture that breaks off in the middle of
 * its event breaks the line as well.
 */
export function answerStream(submitted: Submitted, events: AsyncIterable<ServerEvent>, { writeFailure, isDone = false }: StreamOptions): Response {
  const guarded = async function* (): AsyncGenerator<ServerEvent> {
    try {
      yield* events
    } catch (thrown) {
      yield writeFailure(asProblem(thrown))
    }
  }
  const pieces = async function* () {
    // Seen at once, so that nobody takes the line for dead before the first event.
    yield ': hello\n\n'
    for await (const { event, data } of guarded()) yield* sseJson(event ?? null, data)
    if (isDone) yield 'data: [DONE]\n\n'
  }
  return streamPieces(pieces(), { headers: { ...eventStream, 'cache-control': 'no-cache', ...taskHeaders(submitted) }, keepAlive })
}
