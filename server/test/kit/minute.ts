import { until } from './engine.ts'

/** Waits, where the minute of the clock is nearly over, for the next one: what is counted by the minute starts afresh with it, also between two lines of a test. */
export const youngMinute = () => until(() => new Date().getSeconds() < 40, 'a minute that is young enough', 25_000)

/** Waits, where the day (UTC) is over within a minute, for the next one: what is counted by the day or the month is not parted in two then. */
export const youngDay = () => until(() => Date.now() % 86_400_000 < 86_400_000 - 60_000, 'a day that is young enough', 90_000)

/** A schedule that comes once a day, and not within the next hours wherever in Europe: only what a test makes due is due. */
export const farCron = () => `0 ${(new Date().getUTCHours() + 12) % 24} * * *`
