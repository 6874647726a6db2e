/** Makes the message of a task that has ended, and follows one that has not as a stream. */
import { Problem } from '../../domain/problem.ts'
import { hasEnded, type Task } from '../../domain/task.ts'
import type { Desk } from '../contract.ts'
import { isInline, messageId, ping, readUsage, writeMade, writeRefusal, writeRest, writeStart, writeText, type Message, type StreamEvent } from './message.ts'
import type { Output } from './output.ts'
import { writeError } from './words.ts'

/** Links in an answer outlive the conversation they stand in. */
const linkSeconds = 7 * 86_400

/** @throws {Problem} what the task ended with, unless the prompt was refused: that is a message */
export async function finish(task: Task, output: Output, desk: Desk): Promise<Message> {
  const { id, state, problem, outputs, modelAsked } = task
  if (state === 'cancelled') throw new Problem('cancelled', `Task ${id} was cancelled before it was done.`, { taskId: id })
  if (state !== 'done') {
    if (problem?.code === 'content_rejected') return writeRefusal({ id: messageId(id), model: modelAsked, explanation: problem.message, task })
    throw problem ? new Problem(problem.code, problem.message, { ...problem.details, taskId: id }) : new Problem('internal', `Task ${id} ended without a reason.`, { taskId: id })
  }
  if (task.operation === 'write') return writeText(task)
  if (outputs.length === 0) throw new Problem('output_expired', `What task ${id} made is no longer kept. Ask for it again, as a new call.`, { taskId: id })
  const made = await Promise.all(outputs.map(async asset => ({
    asset, link: desk.assets.link(asset, { seconds: linkSeconds }), open: isInline(asset, output) ? await desk.assets.open(asset) : null,
  })))
  return writeMade(task, made, output)
}

/** The task has not ended and this call cannot wait for it any more. */
export function notYet({ id }: Task, signal: AbortSignal): Problem {
  const { reason } = signal
  if (signal.aborted) return new Problem(reason instanceof Problem ? reason.code : 'cancelled', `This call ended before task ${id} did. The task goes on.`, { taskId: id })
  // The same call again waits for the same task, so trying again is right.
  return new Problem('deadline', `Task ${id} is still being made. Send the same call again to wait for it, or look at it with GET /plantain/v1/tasks/${id}.`, { taskId: id, retry: true })
}

/** Upstream's own rhythm is between ten and fifteen seconds. */
const pingMs = 10_000

export interface Following { output: Output; signal: AbortSignal; requestId: string; pingEveryMs?: number }

/** A task as the events of a stream: its start at once, pings while it is made, then the message or what went wrong. */
export async function* follow(submitted: Task, desk: Desk, { output, signal, requestId, pingEveryMs = pingMs }: Following): AsyncGenerator<StreamEvent> {
  yield writeStart({ id: messageId(submitted.id), model: submitted.modelAsked, usage: readUsage(submitted) })
  yield ping
  let task = submitted
  while (!hasEnded(task.state)) {
    task = await desk.settled(task.id, { waitMs: pingEveryMs, signal })
    if (hasEnded(task.state)) break
    if (signal.aborted) return await desk.unanswered(task.id)
    yield ping
  }
  let message: Message
  try {
    message = await finish(task, output, desk)
  } catch (thrown) {
    if (!(thrown instanceof Problem)) throw thrown
    return yield { event: 'error', data: { ...writeError(thrown, requestId) } }
  }
  yield* writeRest(message)
}
