/**
 * Lets in as much as there is room for; whoever comes then waits in order, so that nothing heavy is passed by what is light for ever.
 *
 * What is heavier than the whole room goes in alone.
 */
export interface Gate {
  /** Does the work when there is room for its weight. @throws the signal's reason when it fires before */
  <T>(weight: number, work: () => Promise<T>, signal?: AbortSignal): Promise<T>
}

export function createGate(room: number): Gate {
  let [inside, weight] = [0, 0]
  const waiting: { weight: number; go(): void }[] = []

  const fits = (more: number) => inside === 0 || weight + more <= room
  const letIn = () => { while (waiting.length > 0 && fits(waiting[0]!.weight)) waiting.shift()!.go() }
  const enter = (own: number, signal: AbortSignal | undefined) => new Promise<void>((resolve, reject) => {
    const one = { weight: own, go() { signal?.removeEventListener('abort', stop); inside += 1; weight += own; resolve() } }
    const stop = () => { waiting.splice(waiting.indexOf(one), 1); reject(signal!.reason as Error); letIn() }
    if (signal?.aborted) { reject(signal.reason as Error); return }
    signal?.addEventListener('abort', stop, { once: true })
    waiting.push(one)
    letIn()
  })

  return async (own, work, signal) => {
    await enter(own, signal)
    try {
      return await work()
    } finally {
      inside -= 1
      weight -= own
      letIn()
    }
  }
}
