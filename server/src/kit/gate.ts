/** Lets so many in at once; whoever comes then waits in order. */
export interface Gate {
  /** Does the work when there is room. @throws the signal's reason when it fires before */
  <T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>
}

export function createGate(roomFor: number): Gate {
  let inside = 0
  const waiting = new Set<() => void>()

  const enter = (signal: AbortSignal | undefined) => new Promise<void>((resolve, reject) => {
    const go = () => { signal?.removeEventListener('abort', stop); inside += 1; resolve() }
    const stop = () => { waiting.delete(go); reject(signal!.reason as Error) }
    if (signal?.aborted) { reject(signal.reason as Error); return }
    if (inside < roomFor) { go(); return }
    waiting.add(go)
    signal?.addEventListener('abort', stop, { once: true })
  })

  return async (work, signal) => {
    await enter(signal)
    try {
      return await work()
    } finally {
      inside -= 1
      const [next] = waiting
      if (next) { waiting.delete(next); next() }
    }
  }
}
