/** What the pool and its workers say to each other. */
import type { RenderRequest, Rendering } from './contract.ts'

export interface ToWorker { id: number; request: RenderRequest }

export type FromWorker =
  | { id: number; kind: 'partial'; rendering: Rendering }
  | { id: number; kind: 'done'; rendering: Rendering }
  | { id: number; kind: 'failed'; isRefusal: boolean; message: string }
