/** How a command ends, for scripts: the number is part of the contract. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, unreachable: 3, unauthorized: 4, credits: 5, interrupted: 130 } as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** A command that ends with a sentence for people, a code for programs, and a number for scripts. */
export class Exit extends Error {
  override name = 'Exit'
  readonly code: string
  readonly exitCode: ExitCode
  readonly details: Record<string, unknown>

  constructor(exitCode: ExitCode, code: string, message: string, details: Record<string, unknown> = {}) {
    super(message)
    this.exitCode = exitCode
    this.code = code
    this.details = details
  }
}

export const usage = (message: string): Exit => new Exit(exitCodes.usage, 'bad_request', message)

/** The number for a refusal of the server. */
export function exitCodeOf(status: number): ExitCode {
  if (status === 401 || status === 403) return exitCodes.unauthorized
  if (status === 402) return exitCodes.credits
  if (status === 502 || status === 503 || status === 504) return exitCodes.unreachable
  if (status >= 400 && status < 500) return exitCodes.usage
  return exitCodes.failed
}
