/**
 * All the tools need of a house, wherever it is: behind a desk in this process (`counter.ts`), or behind its native door (`plantain mcp`).
 *
 * Everything throws `Problem`.
 */
import type { Operation } from '../../domain/order.ts'
import type { Json } from '../../domain/outcome.ts'
import type { Upload } from '../contract.ts'
import type { Wanted } from '../toolkit.ts'
import type { BalanceView, EstimateView, ExecutionView, ModelView, OutputView, TaskView, WorkflowView } from './views.ts'

export interface Draft {
  model: string
  operation: Operation
  prompt: string
  parameters: Record<string, Json>
  /** `field` is where the caller wrote it. */
  pictures: Wanted[]
  metadata?: Record<string, string>
  idempotencyKey?: string
}

export interface Workshop {
  submit(draft: Draft): Promise<{ task: TaskView; replayed: boolean }>
  /** Nobody waits for this task's answer any more: the same order again is given it. */
  unanswered(taskId: string): Promise<void>
  estimate(draft: Draft): Promise<EstimateView>
  /** @throws {Problem} `not_found` */
  find(taskId: string): Promise<TaskView>
  /** The task once it has ended, or as it stands after `waitMs` or when `signal` fires. @throws {Problem} `not_found` */
  settled(taskId: string, options: { waitMs: number; signal: AbortSignal }): Promise<TaskView>
  cancel(taskId: string): Promise<TaskView>
  /** Newest first. */
  list(page: { after: string | undefined; limit: number }): Promise<{ tasks: TaskView[]; next: string | null }>
  hasAsset(assetId: string): Promise<boolean>
  /** A file as it is, or a small WebP of it; null where there is none to be had (of a film). */
  picture(output: OutputView, side: number | 'full'): Promise<{ bytes: Buffer; mime: string } | null>
  models(): Promise<ModelView[]>
  /** By any of its names. @throws {Problem} `unknown_model` */
  model(name: string): Promise<ModelView>
  balance(): Promise<BalanceView>
  /** Saved workflows, latest change first. */
  workflows(): Promise<WorkflowView[]>
  /** Begins a workflow, by slug or id. @throws {Problem} `not_found`, `bad_request`, `credits_required` */
  run(order: { workflow: string; inputs: Record<string, Json>; idempotencyKey?: string }): Promise<{ execution: ExecutionView; replayed: boolean }>
  /** The execution once it has ended or waits for a person, or as it stands after `waitMs` or when `signal` fires. @throws {Problem} `not_found` */
  execution(id: string, options: { waitMs: number; signal: AbortSignal }): Promise<ExecutionView>
  /** What a long string of a request stands for, where the request was taken apart on its way in. */
  inline?(text: string): { upload: Upload } | null
}
