/**
 * Hearing that something happened to a task: a hint from this process or, by NOTIFY, from another. Rows are the truth, so every
 * waiter also looks by itself now and then; a lost hint costs a moment, never an answer.
 */

export interface Watch {
  /** Something ended, or was otherwise settled. */
  tell(taskIds: Iterable<string>): void
  /** Something happened somewhere; look. */
  tellAll(): void
  /** Resolves when the task was spoken of, after `ms`, or when the signal fires. */
  heard(taskId: string, ms: number, signal?: AbortSignal): Promise<void>
  /** Resolves at the next word about any task, after `ms`, or when the signal fires. */
  heardAny(ms: number, signal?: AbortSignal): Promise<void>
  /** Whether anybody here waits for word of this task. */
  isAwaited(taskId: string): boolean
}

export function createWatch(): Watch {
  const byTask = new Map<string, Set<() => void>>()
  const any = new Set<() => void>()

  const listen = (set: Set<() => void>, ms: number, signal: AbortSignal | undefined, forget: () => void) => new Promise<void>(resolve => {
    if (signal?.aborted) { resolve(); return }
    const finish = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', finish)
      set.delete(finish)
      forget()
      resolve()
    }
    const timer = setTimeout(finish, ms)
    set.add(finish)
    signal?.addEventListener('abort', finish, { once: true })
  })

  const wakeAny = () => { for (const wake of any) wake() }

  return {
    tell(taskIds) {
      for (const id of taskIds) for (const wake of byTask.get(id) ?? []) wake()
      wakeAny()
    },
    tellAll() {
      for (const set of byTask.values()) for (const wake of set) wake()
      wakeAny()
    },
    heard(taskId, ms, signal) {
      const set = byTask.get(taskId) ?? new Set()
      byTask.set(taskId, set)
      return listen(set, ms, signal, () => { if (set.size === 0 && byTask.get(taskId) === set) byTask.delete(taskId) })
    },
    heardAny: (ms, signal) => listen(any, ms, signal, () => {}),
    isAwaited: taskId => byTask.has(taskId),
  }
}
