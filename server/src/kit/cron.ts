/** Schedules in five parts and a time zone: what begins work by the clock, and what becomes of times that passed while nobody was there. */
import { Cron } from 'croner'
import { Problem } from '../domain/problem.ts'

export const missedPolicies = ['skip', 'once', 'all'] as const
/** Times that were missed: left out, made up for once, or each of them. */
export type Missed = (typeof missedPolicies)[number]

/** Times of a schedule that are made up for at most. */
const madeUpMax = 100
/** Times that are gone through one by one. */
const passedMax = 10_000

/** @throws {Problem} `bad_request` for an expression or a time zone that is none */
export function readCron(cron: string, timeZone: string): Cron {
  if (!isTimeZone(timeZone)) throw new Problem('bad_request', `There is no time zone ${timeZone.slice(0, 100)}. It is one of the IANA names, like Europe/Berlin, or UTC.`, { field: 'time_zone', value: timeZone.slice(0, 100) })
  try {
    const one = new Cron(cron, { timezone: timeZone, mode: '5-part' })
    if (one.nextRun() === null) throw new Error('it never comes')
    return one
  } catch (thrown) {
    throw new Problem('bad_request', `${cron} in ${timeZone} is no schedule: ${(thrown as Error).message}. A schedule has five parts, minute, hour, day, month and weekday ("0 6 * * 1-5"), and a time zone like Europe/Berlin.`, { field: 'cron', value: cron.slice(0, 100) })
  }
}

const isTimeZone = (name: string): boolean => { try { new Intl.DateTimeFormat('en', { timeZone: name }); return true } catch { return false } }

/** Times of a schedule that are due, by its policy: all of them, the last one, or none but the present one. Pure. */
export function dueTimes(cron: string, timeZone: string, missed: Missed, from: Date, now: Date): { times: Date[]; next: Date | null } {
  const schedule = readCron(cron, timeZone)
  const times: Date[] = [from]
  let next = schedule.nextRun(from)
  // Of very many only the last ones count: what lies between is passed over, and nothing is left to be made up for a second time.
  const recently = new Date(now.getTime() - madeUpMax * 60_000)
  while (next !== null && next <= now) { times.push(next); next = schedule.nextRun(times.length === passedMax && next < recently ? recently : next) }
  const last = times.at(-1)!
  switch (missed) {
    case 'all': return { times: times.slice(-madeUpMax), next }
    case 'once': return { times: [last], next }
    // Late by more than a minute is missed.
    case 'skip': return { times: now.getTime() - last.getTime() <= 60_000 ? [last] : [], next }
  }
}
