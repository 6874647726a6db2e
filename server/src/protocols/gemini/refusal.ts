/** What went wrong in the words of Google's APIs: an HTTP status, a name for it, and details a program can read. Pure. */
import { mistakesOf, tellAll, type Problem, type ProblemCode, type StoredProblem } from '../../domain/problem.ts'

interface Words { http: number; status: string }

const words = (http: number, status: string): Words => ({ http, status })
const invalid = words(400, 'INVALID_ARGUMENT')
/** For what must not be tried again before something has been mended: their clients repeat every 409, 429 and 5xx by themselves. */
const precondition = words(400, 'FAILED_PRECONDITION')
const missing = words(404, 'NOT_FOUND')
const internal = words(500, 'INTERNAL')
const unavailable = words(503, 'UNAVAILABLE')
const late = words(504, 'DEADLINE_EXCEEDED')

const table: Record<ProblemCode, Words> = {
  bad_request: invalid,
  unknown_model: missing,
  model_retired: missing,
  unsupported_parameter: invalid,
  bad_input_image: invalid,
  input_unreachable: invalid,
  private_address: invalid,
  unauthorized: invalid,
  credits_required: precondition,
  forbidden: words(403, 'PERMISSION_DENIED'),
  not_found: missing,
  method_not_allowed: words(405, 'UNIMPLEMENTED'),
  conflict: words(409, 'ABORTED'),
  idempotency_busy: words(409, 'ABORTED'),
  too_large: invalid,
  unsupported_media: invalid,
  idempotency_mismatch: words(409, 'ALREADY_EXISTS'),
  range_not_satisfiable: words(416, 'OUT_OF_RANGE'),
  link_expired: words(403, 'PERMISSION_DENIED'),
  rate_limited: words(429, 'RESOURCE_EXHAUSTED'),
  provider_not_configured: precondition,
  content_rejected: invalid,
  provider_rejected: internal,
  provider_busy: unavailable,
  provider_down: unavailable,
  provider_failed: internal,
  provider_timeout: late,
  bad_output: internal,
  output_expired: internal,
  // Nobody knows whether it was made; a client that repeats it by itself might buy it twice.
  outcome_unknown: precondition,
  start_deadline: late,
  deadline: late,
  cancelled: words(499, 'CANCELLED'),
  shutting_down: unavailable,
  unavailable,
  internal,
}

/** Codes of an upstream that mean the same here as there. Its 401 and 403 are between it and us. */
const mirrored: Record<string, Words> = {
  400: invalid, 429: words(429, 'RESOURCE_EXHAUSTED'), 500: internal, 501: words(501, 'UNIMPLEMENTED'), 503: unavailable, 504: late,
}

const grpcCodes: Record<string, number> = {
  CANCELLED: 1, INVALID_ARGUMENT: 3, DEADLINE_EXCEEDED: 4, NOT_FOUND: 5, ALREADY_EXISTS: 6, PERMISSION_DENIED: 7, RESOURCE_EXHAUSTED: 8, FAILED_PRECONDITION: 9,
  ABORTED: 10, OUT_OF_RANGE: 11, UNIMPLEMENTED: 12, INTERNAL: 13, UNAVAILABLE: 14, UNAUTHENTICATED: 16,
}

function wordsFor({ code, details }: StoredProblem): Words {
  if (code === 'unauthorized' && details?.missing === true) return words(401, 'UNAUTHENTICATED')
  return code === 'provider_failed' ? mirrored[details?.upstreamCode ?? ''] ?? internal : table[code]
}

/** Seconds after which trying again makes sense; null where it makes none. */
const retryAfter = ({ details }: StoredProblem, http: number): number | null =>
  http === 429 || http === 503 ? Math.max(1, Math.ceil(details?.retryAfterS ?? details?.limit?.resetS ?? 1)) : null

type Detail = { '@type': string } & Record<string, unknown>

function writeDetails(problem: StoredProblem, { http, status }: Words): Detail[] {
  const { code, message, details = {} } = problem
  const type = (name: string) => `type.googleapis.com/google.rpc.${name}`
  const metadata = (more: Record<string, unknown>) => Object.fromEntries(Object.entries(more).filter(([, value]) => value !== undefined && value !== null).map(([name, value]) => [name, String(value).slice(0, 200)]))
  if (code === 'unauthorized' && status === 'INVALID_ARGUMENT') {
    return [{ '@type': type('ErrorInfo'), reason: 'API_KEY_INVALID', domain: 'googleapis.com', metadata: { service: 'generativelanguage.googleapis.com' } }]
  }
  const seconds = retryAfter(problem, http)
  return [
    {
      '@type': type('ErrorInfo'), reason: code.toUpperCase(), domain: 'plantain',
      metadata: metadata({ task_id: details.taskId, upstream_code: details.upstreamCode, required_micros: details.requiredMicros, available_micros: details.availableMicros }),
    },
    ...(status === 'INVALID_ARGUMENT' && details.field !== undefined ? [{ '@type': type('BadRequest'), fieldViolations: violationsOf(details.field, problem) }] : []),
    ...(http === 429 ? [{ '@type': type('QuotaFailure'), violations: [{ subject: details.limit?.name ?? 'requests', description: message }] }] : []),
    ...(seconds === null ? [] : [{ '@type': type('RetryInfo'), retryDelay: `${seconds}s` }]),
  ]
}

/** Every field that is wrong, with what is wrong about it. */
function violationsOf(field: string, { message, details }: StoredProblem): { field: string; description: string }[] {
  const all = mistakesOf(details)
  return all.length > 0 ? all.map(one => ({ field: one.field, description: one.message })) : [{ field, description: message }]
}

/** The object under `error`. */
export function writeError(problem: StoredProblem) {
  const said = wordsFor(problem)
  return { code: said.http, message: sentenceOf(problem, said), status: said.status, details: writeDetails(problem, said) }
}

const sentenceOf = ({ code, message }: StoredProblem, { status }: Words): string =>
  code === 'unauthorized' && status === 'INVALID_ARGUMENT' ? `API key not valid. Please pass a valid API key. ${message}` : message

/** The error of an operation that has ended badly: gRPC's number. */
export function writeStatus(problem: StoredProblem) {
  const { message, status, details } = writeError(problem)
  return { code: grpcCodes[status] ?? 2, message, status, details }
}

/** Interactions have words for codes, and a sentence for all that is wrong. */
export function writeInteractionError(problem: StoredProblem): { code: string; message: string } {
  const { status, message } = writeError({ ...problem, message: tellAll(problem) })
  return { code: status === 'INVALID_ARGUMENT' && problem.code !== 'unauthorized' ? 'invalid_request' : status.toLowerCase(), message }
}

export const isInteraction = (path: string): boolean => /^\/v1(?:beta|alpha)?\/interactions(?:\/|$)/.test(path)

/** Says no, to a call or to the maker of a task. The task's id goes along where there is one. */
export function refuseWith(problem: Problem | StoredProblem, path: string, taskId?: string): Response {
  const stored: StoredProblem = { code: problem.code, message: problem.message, details: { ...problem.details, ...(taskId === undefined ? {} : { taskId }) } }
  const error = writeError(stored)
  const seconds = retryAfter(stored, error.code)
  const body = isInteraction(path) ? { error: writeInteractionError(stored) } : { error }
  return new Response(JSON.stringify(body), {
    status: error.code,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      ...(seconds === null ? {} : { 'retry-after': String(seconds) }),
      ...(taskId === undefined ? {} : { 'x-task-id': taskId }),
    },
  })
}
