/**
 * Gives everybody else a turn now and then, in work that would go on by itself for long: rows out of a buffer, parts of a large file.
 *
 * Waiting for a promise that is settled already lets nobody in; only `setImmediate` does. It costs a few microseconds, so the clock decides when.
 *
 * @example const turn = takeTurns(); for (const row of rows) { read(row); if (turn.isDue()) await turn.give() }
 */
export interface Turns {
  /** Whether this work has gone on for long enough. */
  isDue(): boolean
  give(): Promise<void>
}

const longestMs = 5

export function takeTurns(): Turns {
  let since = performance.now()
  return {
    isDue: () => performance.now() - since > longestMs,
    give: () => new Promise(resolve => { setImmediate(() => { since = performance.now(); resolve() }) }),
  }
}

/** Work that says by each `yield` that a moment may have passed, done to its end with others in between. */
export async function inTurns<Result>(work: Generator<void, Result>): Promise<Result> {
  const turns = takeTurns()
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
    if (turns.isDue()) await turns.give()
  }
}

/** The same at once, for what is small. */
export function atOnce<Result>(work: Generator<void, Result>): Result {
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
  }
}
