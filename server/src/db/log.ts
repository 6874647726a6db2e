/** Where the database floor says what happened. Any pino logger fits. */
export interface Log {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

const nothing = () => {}

/** For callers who do not want to hear anything. */
export const silent: Log = { info: nothing, warn: nothing, error: nothing }
