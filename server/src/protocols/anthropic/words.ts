/** Anthropic's words for what went wrong: status, type, and whether its SDK may try again by itself. Pure. */
import { mistakesOf, type Problem, type ProblemCode } from '../../domain/problem.ts'

export type ErrorType =
  | 'invalid_request_error' | 'authentication_error' | 'billing_error' | 'permission_error' | 'not_found_error' | 'conflict_error'
  | 'request_too_large' | 'rate_limit_error' | 'api_error' | 'overloaded_error' | 'timeout_error'

interface Words { status: number; type: ErrorType; /** `x-should-retry`: the SDK retries 409, 429 and 5xx unless it is told otherwise. */ retry: boolean }

const words = (status: number, type: ErrorType, retry = false): Words => ({ status, type, retry })

const invalid = words(400, 'invalid_request_error')
/** The work was tried and has ended: the same call again would only hear the same answer. */
const ended = words(500, 'api_error')

const table: Record<ProblemCode, Words> = {
  bad_request: invalid,
  unknown_model: words(404, 'not_found_error'),
  // A model that is gone is one Anthropic does not know.
  model_retired: words(404, 'not_found_error'),
  unsupported_parameter: invalid,
  bad_input_image: invalid,
  input_unreachable: invalid,
  private_address: invalid,
  unauthorized: words(401, 'authentication_error'),
  credits_required: words(402, 'billing_error'),
  forbidden: words(403, 'permission_error'),
  not_found: words(404, 'not_found_error'),
  method_not_allowed: words(405, 'invalid_request_error'),
  conflict: words(409, 'conflict_error'),
  idempotency_busy: words(409, 'conflict_error', true),
  too_large: words(413, 'request_too_large'),
  unsupported_media: invalid,
  idempotency_mismatch: words(422, 'invalid_request_error'),
  range_not_satisfiable: invalid,
  link_expired: words(403, 'permission_error'),
  rate_limited: words(429, 'rate_limit_error', true),
  provider_not_configured: words(503, 'api_error'),
  // Only before a task exists; a task that ends so is a message with `stop_reason: "refusal"`.
  content_rejected: invalid,
  provider_rejected: ended,
  provider_busy: words(529, 'overloaded_error'),
  provider_down: ended,
  provider_failed: ended,
  provider_timeout: words(504, 'timeout_error'),
  bad_output: ended,
  output_expired: ended,
  outcome_unknown: ended,
  start_deadline: words(504, 'timeout_error'),
  deadline: words(504, 'timeout_error'),
  cancelled: words(409, 'conflict_error'),
  shutting_down: words(503, 'overloaded_error', true),
  unavailable: words(503, 'overloaded_error', true),
  internal: words(500, 'api_error', true),
}

export interface ErrorBody { type: 'error'; error: { type: ErrorType; message: string; details?: { error_code: string; field?: string; allowed?: unknown; problems?: { field: string; message: string }[] } }; request_id: string }

/** The body of a no; the same in an answer and as the `error` event of a stream. The house's own code goes where the SDK shows it (`errorCode`). */
export function writeError({ code, message, details }: Pick<Problem, 'code' | 'message' | 'details'>, requestId: string): ErrorBody {
  const { field, allowed } = details
  const problems = mistakesOf(details).map(({ field, message }) => ({ field, message }))
  return {
    type: 'error',
    error: {
      type: table[code].type, message,
      details: { error_code: code, ...(typeof field === 'string' ? { field } : {}), ...(allowed === undefined ? {} : { allowed }), ...(problems.length > 0 ? { problems } : {}) },
    },
    request_id: requestId,
  }
}

/** A problem of this door that says itself whether trying again makes sense (a wait that ran out) carries `retry`. */
export function sayNo(problem: Problem): { status: number; retry: boolean } {
  const { status, retry } = table[problem.code]
  return { status, retry: typeof problem.details.retry === 'boolean' ? problem.details.retry : retry }
}

/** Rate headers as upstream writes them, from how much of a limit is left. */
export const writeRate = ({ max, remaining, resetS }: { max: number; remaining: number; resetS: number }, now: Date): Record<string, string> => ({
  'anthropic-ratelimit-requests-limit': String(max),
  'anthropic-ratelimit-requests-remaining': String(Math.max(0, remaining)),
  'anthropic-ratelimit-requests-reset': new Date(Math.ceil(now.getTime() / 1_000 + resetS) * 1_000).toISOString().replace('.000Z', 'Z'),
})
