import { until } from './engine.ts'

/** Waits, where the minute of the clock is nearly over, for the next one: what is counted by the minute starts afresh with it, also between two lines of a test. */
export const youngMinute = () => until(() => new Date().getSeconds() < 40, 'a minute that is young enough', 25_000)
