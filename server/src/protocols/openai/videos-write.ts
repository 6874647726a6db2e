/** Tasks as films of this dialect. Pure. */
import type { Task } from '../../domain/task.ts'
import { writeId } from './ids.ts'
import { unixOf } from './images-write.ts'
import { filmSize } from '../toolkit.ts'
import type { VideoWire } from './videos-read.ts'
import { writeError } from './words.ts'

export function videoWireOf({ wire, parameters, outputs }: Task): VideoWire {
  const body = wire?.protocol === 'openai' ? wire.body as unknown as Partial<VideoWire> | null : null
  const [film] = outputs
  return {
    kind: 'video', remixedFrom: null,
    seconds: typeof parameters.duration_s === 'number' ? String(parameters.duration_s) : '4',
    size: typeof parameters.size === 'string' ? parameters.size : filmSize(parameters.aspect_ratio, parameters.resolution ?? '720p') ?? (film?.width && film.height ? `${film.width}x${film.height}` : null),
    // As it was asked for here; what nobody asked for, a template said.
    ...(body?.kind === 'video' ? body : {}),
  }
}

export function statusOf({ state, attempts }: Pick<Task, 'state' | 'attempts'>): 'queued' | 'in_progress' | 'completed' | 'failed' {
  switch (state) {
    // One that is tried again does not step back.
    case 'queued': return attempts > 0 ? 'in_progress' : 'queued'
    case 'running': case 'waiting': return 'in_progress'
    case 'done': return 'completed'
    case 'failed': case 'cancelled': return 'failed'
  }
}

export function writeVideo(task: Task) {
  const wire = videoWireOf(task)
  const status = statusOf(task)
  const expiresAt = task.outputs[0]?.expiresAt ?? null
  const error = status === 'failed' ? writeError(task.problem ?? { code: 'cancelled', message: 'This was cancelled. Nothing was charged.' }) : null
  return {
    id: writeId('video', task.id), object: 'video', model: task.modelAsked, status,
    progress: status === 'completed' ? 100 : status === 'queued' ? 0 : Math.min(99, task.progress ?? 0),
    created_at: unixOf(task.createdAt), completed_at: status === 'completed' && task.endedAt ? unixOf(task.endedAt) : null, expires_at: expiresAt ? unixOf(expiresAt) : null,
    size: wire.size ?? '720x1280', seconds: wire.seconds, prompt: task.prompt, remixed_from_video_id: wire.remixedFrom,
    error: error ? { code: error.code ?? 'server_error', message: error.message } : null,
  }
}
