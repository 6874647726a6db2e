/**
 * A circuit breaker: an upstream that fails again and again is left alone for a while, then asked once, and is back when that answers.
 *
 * Pure: the clock is an argument. Absent on purpose: rates and percentages. Failures in a row need no bookkeeping while all is well, and an
 * upstream that fails half the time has five in a row within some thirty calls.
 */

export interface Health {
  state: 'closed' | 'open' | 'half_open'
  /** Failures in a row, within the window that the first of them began. */
  failures: number
  failingSince: Date | null
  /** How often it opened since it was last well: each time it stays open longer. */
  trips: number
  openUntil: Date | null
}

/** What an attempt told about its upstream: it answers (whatever it said), or it is down, too slow or broken. */
export type Sign = 'alive' | 'failing'

export const healthy: Health = { state: 'closed', failures: 0, failingSince: null, trips: 0, openUntil: null }

export const failuresMax = 5
export const windowMs = 60_000

/** How long it is left alone: 10 s, 20 s, 40 s … up to 5 minutes. */
export const openMs = (trips: number): number => Math.min(300_000, 10_000 * 2 ** Math.max(0, trips - 1))

const open = (trips: number, now: Date): Health => ({ state: 'open', failures: 0, failingSince: null, trips, openUntil: new Date(now.getTime() + openMs(trips)) })

/**
 * How an upstream stands after a sign of it. Pure. `again`: this task failed there before, so its failing once more is no news.
 *
 * While it is open or half open only the probe counts: answers of calls that were under way when it opened are about another moment.
 */
export function observe(health: Health, sign: Sign, { now, isProbe, again = false }: { now: Date; isProbe: boolean; again?: boolean }): Health {
  switch (health.state) {
    case 'open': return health
    case 'half_open':
      if (!isProbe) return health
      return sign === 'alive' ? healthy : open(health.trips + 1, now)
    case 'closed': {
      if (sign === 'alive') return healthy
      // One order that breaks an upstream each time it is put to it says something about that order.
      if (again) return health
      const within = health.failingSince !== null && now.getTime() - health.failingSince.getTime() < windowMs
      const failures = within ? health.failures + 1 : 1
      if (failures >= failuresMax) return open(1, now)
      return { state: 'closed', failures, failingSince: within ? health.failingSince : now, trips: 0, openUntil: null }
    }
  }
}

/** Whether it may be asked: freely, by one task that finds out, or not now. `probing`: somebody is finding out. Pure. */
export function mayAsk(health: Pick<Health, 'state' | 'openUntil'>, { now, probing }: { now: Date; probing: boolean }): 'freely' | 'once' | 'no' {
  switch (health.state) {
    case 'closed': return 'freely'
    case 'open': return health.openUntil !== null && health.openUntil > now ? 'no' : 'once'
    case 'half_open': return probing ? 'no' : 'once'
  }
}
