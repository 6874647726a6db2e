/**
 * Failures we expected. The table knows the status, whether trying again can help, and who pays; nobody else repeats that.
 *
 * Absent on purpose: dialects. A door turns a code into its own words (`refuse` in its folder).
 */

/**
 * `again`: `no` is final at once; `later` may pass by itself (the engine asks again after a pause); `elsewhere` is this
 * provider's own trouble, so the next route of the card is tried. `charge`: the work was done and is paid although it failed.
 * `bought`: whether an attempt that ended so cost the house something at the upstream.
 */
interface Line { status: number; again: 'no' | 'later' | 'elsewhere'; charge: boolean; bought: 'no' | 'maybe' | 'yes' }

const line = (status: number, again: Line['again'] = 'no', bought: Line['bought'] = 'no', charge = false): Line => ({ status, again, charge, bought })

export const problems = {
  // What the caller can mend.
  bad_request: line(400),
  unknown_model: line(404),
  model_retired: line(410),
  unsupported_parameter: line(400),
  bad_input_image: line(400),
  input_unreachable: line(400),
  private_address: line(400),
  unauthorized: line(401),
  credits_required: line(402),
  forbidden: line(403),
  not_found: line(404),
  method_not_allowed: line(405),
  conflict: line(409),
  idempotency_busy: line(409),
  too_large: line(413),
  unsupported_media: line(415),
  idempotency_mismatch: line(422),
  range_not_satisfiable: line(416),
  link_expired: line(403),
  rate_limited: line(429),
  // What the operator can mend.
  provider_not_configured: line(503, 'elsewhere'),
  // What an upstream did.
  content_rejected: line(422, 'no', 'maybe'),
  provider_rejected: line(502),
  provider_busy: line(503, 'later'),
  provider_down: line(502, 'later'),
  provider_failed: line(502, 'no', 'maybe'),
  provider_timeout: line(504, 'no', 'maybe'),
  bad_output: line(502, 'no', 'yes'),
  output_expired: line(502, 'no', 'yes'),
  outcome_unknown: line(502, 'no', 'maybe'),
  // What time or a person did.
  start_deadline: line(504),
  deadline: line(504, 'no', 'maybe'),
  cancelled: line(409, 'no', 'maybe'),
  // What we did.
  shutting_down: line(503),
  unavailable: line(503, 'later'),
  internal: line(500, 'no', 'maybe'),
} as const satisfies Record<string, Line>

export type ProblemCode = keyof typeof problems

/** One of the things that are wrong with a call. `field` is in the house's words until a door turns it into its own. */
export interface Mistake { field: string; value?: unknown; allowed?: unknown; message: string }

export interface ProblemDetails {
  /** The field of the order that is wrong, in the house's words (`parameters.aspect_ratio`), and what was sent and may be sent there. */
  field?: string
  value?: unknown
  allowed?: unknown
  /** Seconds until trying again makes sense. */
  retryAfterS?: number
  /** Money, in micro-dollars, for `credits_required`. */
  requiredMicros?: number
  availableMicros?: number
  /** The upstream's own code, as text ("501"), where it gave one. */
  upstreamCode?: string
  /** Everything that is wrong, where a check found it all; the sentence says the first and how many there are. */
  problems?: Mistake[]
  limit?: { name: string; max: number; remaining: number; resetS: number }
  [more: string]: unknown
}

/** A failure somebody outside can understand: a code from the table and a sentence that says what to do. */
export class Problem extends Error {
  override name = 'Problem'
  readonly code: ProblemCode
  readonly details: ProblemDetails

  constructor(code: ProblemCode, message: string, details: ProblemDetails & { cause?: unknown } = {}) {
    const { cause, ...rest } = details
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.details = rest
  }

  get status(): number { return problems[this.code].status }
}

/** Nobody mends more at a time, and a refusal must not outgrow what it refuses. */
const mistakesTold = 10

/** What is wrong with a call beside what the sentence of its problem says, that first one included; empty where the sentence says it all. */
export const mistakesOf = ({ problems = [] }: ProblemDetails = {}): Mistake[] => problems.length > 1 ? problems.slice(0, mistakesTold) : []

/** Everything that is wrong as sentences, for dialects that have room for nothing else. */
export function tellAll({ message, details }: StoredProblem): string {
  const mistakes = mistakesOf(details)
  const more = (details?.problems?.length ?? 0) - mistakes.length
  return mistakes.length === 0 ? message : `${mistakes.map(one => one.message).join(' ')}${more > 0 ? ` (and ${more} more ${more === 1 ? 'mistake' : 'mistakes'})` : ''}`
}

/** A problem as it stands in a row: no stack, no cause. */
export interface StoredProblem { code: ProblemCode; message: string; details?: ProblemDetails }

export const storeProblem = ({ code, message, details }: Problem): StoredProblem =>
  Object.keys(details).length > 0 ? { code, message, details } : { code, message }

/** Anything thrown, as a problem; what was not expected becomes `internal` and keeps the original as its cause. */
export function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown
  return new Problem('internal', 'Something went wrong on our side. Nothing was charged for it.', { cause: thrown })
}
