/** When to try again. Pure: time and chance are arguments. */

const second = 1_000
const minute = 60 * second
const hour = 60 * minute

/** The pause after each failed attempt: eleven attempts over a day (23 h 42 min), then the delivery is parked. */
export const pausesMs = [5 * second, 30 * second, 2 * minute, 10 * minute, 30 * minute, hour, 2 * hour, 4 * hour, 8 * hour, 8 * hour]

/**
 * Milliseconds until the next attempt, spread by ±20 % so that a host that comes back is not met by all at once; null when
 * this was the last. The receiver's own `Retry-After` (a day at most) is a floor: asking sooner only spends an attempt.
 *
 * @param attempt how many attempts there have been, this one included
 * @param chance in [0, 1)
 */
export function pauseMs(attempt: number, retryAfterMs: number | null, chance: number): number | null {
  const pause = pausesMs[attempt - 1]
  if (pause === undefined) return null
  return Math.max(Math.round(pause * (0.8 + 0.4 * chance)), retryAfterMs ?? 0)
}
