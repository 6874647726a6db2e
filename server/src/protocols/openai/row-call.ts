import type { Task } from '../../domain/task.ts'
import type { Desk, Incoming, Submitted } from '../contract.ts'

/** A call as a row of a batch: its body read and submitted as the call itself does, and its answer once the task has ended. */
export interface RowCall {
  /** @throws {Problem} */
  submit(row: { body: unknown; inline: Incoming['inline'] }, desk: Desk): Promise<Submitted>
  /** @throws {Problem} */
  answer(task: Task, desk: Desk): Promise<Response>
}
