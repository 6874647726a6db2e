/**
 * ComfyUI's stream of events: how far our prompts are, what they look like in between, and that one has ended.
 *
 * A hint in every way: what it says is shown or makes the engine look, and is never believed. A stream that breaks is opened again
 * when the next prompt is handed in or looked at; nothing here waits. Prompts of other processes come by their own streams.
 */
import { WebSocket } from 'undici'
import { readFrame } from './wire.ts'

interface Watched { taskId: string; partials: number; shown: number; percent: number | null; preview: Buffer | null }

export interface StreamOptions {
  url: URL
  headers: Record<string, string>
  now(): Date
  /** There is news of a task. */
  nudge(taskId: string): void
}

export interface Stream {
  /** Follows a prompt; opens the stream where it is not open. Resolves at once or when the stream stands or fails. */
  watch(promptId: string, job: { taskId: string; partials: number }): Promise<void>
  /** What is known of a prompt by now; an in-between picture is given out once. */
  take(promptId: string): { percent: number | null; partial: { index: number; bytes: Buffer } | null }
  forget(promptId: string): void
  close(): void
}

const reopenMs = 5_000
/** Something in between may swallow what is no plain HTTP: then there is no stream, and nobody waits for it. */
const openMs = 2_000
/** More than any queue of ours; what is forgotten is only looked at without a hint. */
const watchedMax = 2_000

export function openStream({ url, headers, now, nudge }: StreamOptions): Stream {
  const watched = new Map<string, Watched>()
  let socket: WebSocket | null = null
  let opened: Promise<void> = Promise.resolve()
  let triedAt = -Infinity
  /** Previews carry no id: they are of the prompt that was last heard to run. */
  let running: string | null = null

  const open = (): Promise<void> => {
    const at = now().getTime()
    if (socket !== null || at - triedAt < reopenMs) return opened
    triedAt = at
    const mine = new WebSocket(url.href, { headers })
    mine.binaryType = 'arraybuffer'
    socket = mine
    mine.addEventListener('message', ({ data }) => hear(typeof data === 'string' ? data : Buffer.from(data as ArrayBuffer)))
    opened = new Promise(resolve => {
      mine.addEventListener('open', () => resolve())
      mine.addEventListener('error', () => resolve())
      mine.addEventListener('close', () => { if (socket === mine) socket = null; resolve() })
      AbortSignal.timeout(openMs).addEventListener('abort', () => { if (mine.readyState === WebSocket.CONNECTING) mine.close(); resolve() })
    })
    return opened
  }

  function hear(frame: string | Buffer): void {
    const heard = readFrame(frame)
    if (heard.kind === 'other') return
    const id = heard.kind === 'preview' ? running : heard.id
    const one = id === null ? undefined : watched.get(id)
    if (heard.kind !== 'preview') running = heard.kind === 'ended' ? null : heard.id
    if (!one) return
    switch (heard.kind) {
      case 'progress': one.percent = Math.max(one.percent ?? 0, heard.percent); break
      case 'preview':
        // Spread over the making: the first of two after a quarter of it.
        if (one.shown < one.partials && one.preview === null && (one.percent ?? 0) >= 100 * (one.shown + 1) / (one.partials + 2)) {
          one.preview = heard.bytes
          nudge(one.taskId)
        }
        break
      case 'ended': nudge(one.taskId); break
      case 'running': break
    }
  }

  return {
    watch(promptId, { taskId, partials }) {
      if (!watched.has(promptId)) {
        if (watched.size >= watchedMax) watched.delete(watched.keys().next().value!)
        watched.set(promptId, { taskId, partials, shown: 0, percent: null, preview: null })
      }
      return open()
    },
    take(promptId) {
      const one = watched.get(promptId)
      if (!one) return { percent: null, partial: null }
      const partial = one.preview === null ? null : { index: one.shown++, bytes: one.preview }
      one.preview = null
      return { percent: one.percent, partial }
    },
    forget(promptId) { watched.delete(promptId) },
    close() { socket?.close() },
  }
}
