/** Calls that answer with the picture itself: how long they wait, and what is said when it did not come. */
import type { Order } from '../../domain/order.ts'
import { Problem } from '../../domain/problem.ts'
import { hasEnded, type Task } from '../../domain/task.ts'
import type { Desk, Incoming, Submitted } from '../contract.ts'

/** Node's `fetch` gives up on an answer whose head has not come after five minutes. */
const waitMaxMs = 280_000

/** A little less than the client says it will wait, so that it hears which task it was. */
export function waitMsOf(headers: Incoming['headers']): number {
  const seconds = Number(headers['x-stainless-timeout'])
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(waitMaxMs, Math.max(500, seconds * 1_000 - 500)) : waitMaxMs
}

/** What a call says beside its body: its key, and whether it is a repetition. */
export function readRepetition(headers: Incoming['headers']): Pick<Order, 'idempotencyKey' | 'retryCount'> {
  const key = headers['idempotency-key']
  const count = headers['x-stainless-retry-count']
  return {
    ...(key === undefined ? {} : { idempotencyKey: key }),
    retryCount: count !== undefined && /^\d{1,3}$/.test(count) ? Number(count) : 0,
  }
}

/** Makes an order and waits for what came of it. @throws {Problem} what the task failed with, or that it is not done yet */
export async function make(order: Order, { headers, signal }: Pick<Incoming, 'headers' | 'signal'>, desk: Desk): Promise<Submitted> {
  return desk.make({ ...order, ...readRepetition(headers) }, { waitMs: waitMsOf(headers), signal })
}

/** The task of a call, made. @throws {Problem} */
export function requireDone(task: Task): Task {
  if (task.state === 'done') return task
  if (!hasEnded(task.state)) {
    throw new Problem('provider_timeout', `The ${task.operation === 'write' ? 'text' : 'picture'} is not ready yet. Task ${task.id} goes on: send the same request again to wait for it, or read /plantain/v1/tasks/${task.id}.`, { taskId: task.id, retry: true })
  }
  const { code, message, details } = task.problem ?? { code: 'cancelled' as const, message: 'This was cancelled. Nothing was charged.' }
  throw new Problem(code, message, { ...details, taskId: task.id })
}
