/**
 * Which tasks are wanted by runs of this process, so that the end of any other task costs nobody a statement.
 *
 * A task may have ended before its run is written as waiting for it: it is remembered until then. What is forgotten here (there are
 * bounds, and processes die) is found by the sweep, a moment later.
 */
export interface Bought {
  /** A run handed this task in. */
  handedIn(taskId: string, hasEnded: boolean): void
  /** Runs stand written as waiting for these tasks. */
  written(taskIds: string[]): void
  /** These tasks have ended. */
  ended(taskIds: string[]): void
}

const rememberedMax = 100_000

/** @param nudge makes the runs that wait for these tasks due */
export function createBought(nudge: (taskIds: string[]) => void): Bought {
  const tasks = new Map<string, 'handed in' | 'written' | 'ended'>()
  const move = (taskIds: string[], from: 'written' | 'ended', to: 'written' | 'ended') => {
    const due: string[] = []
    for (const id of taskIds) {
      const stands = tasks.get(id)
      if (stands === 'handed in') tasks.set(id, to)
      if (stands !== from) continue
      tasks.delete(id)
      due.push(id)
    }
    if (due.length > 0) nudge(due)
  }
  return {
    handedIn(taskId, hasEnded) { if (tasks.size < rememberedMax) tasks.set(taskId, hasEnded ? 'ended' : 'handed in') },
    written: taskIds => move(taskIds, 'ended', 'written'),
    ended: taskIds => move(taskIds, 'written', 'ended'),
  }
}
