import { Problem } from '../domain/problem.ts'

/**
 * The database could not be reached, or the connection was lost on the way.
 *
 * `mayHaveHappened` is the question that matters afterwards: `false` means nothing was sent, so asking again is safe;
 * `true` means the statement (or the commit) was under way and nobody knows, so ask again only what is idempotent.
 */
export class DatabaseDown extends Problem {
  override name = 'DatabaseDown'
  readonly mayHaveHappened: boolean

  constructor(message: string, { cause, mayHaveHappened }: { cause: unknown, mayHaveHappened: boolean }) {
    super('unavailable', message, { cause, retryAfterS: 2 })
    this.mayHaveHappened = mayHaveHappened
  }
}

const socketCodes = new Set([
  'ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'ENOENT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EACCES',
])

/** 08: connection exception. 57P01 to 57P03: shutting down, crashed, still starting. 57P05: idle too long. 53300: no connection left. */
const serverCodes = /^(08...|57P0[1235]|53300)$/

/** What `pg` says without a code. */
const words = /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|Client has encountered a connection error|Client was closed)/

/** Whether an error means that the connection is gone, rather than that a statement was wrong. */
export function isConnectionLoss(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isConnectionLoss)
  if (!(error instanceof Error)) return false
  const code = (error as { code?: unknown }).code
  if (typeof code === 'string') return socketCodes.has(code) || serverCodes.test(code)
  return words.test(error.message)
}

/** Turns a lost connection into `DatabaseDown` and leaves every other error as it is. */
export function readLoss(error: unknown, mayHaveHappened: boolean): unknown {
  if (error instanceof DatabaseDown || !isConnectionLoss(error)) return error
  return new DatabaseDown(`The database cannot be reached (${(error as Error).message}).`, { cause: error, mayHaveHappened })
}
