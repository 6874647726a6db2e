/** Wisdom Gate's words for what went wrong: status, type and code of `{ error: { message, type, param, code } }`. Pure. */
import { mistakesOf, type Problem, type ProblemCode, type StoredProblem } from '../../domain/problem.ts'

interface Words { status: number; type: string; code: string; /** `x-should-retry`, which the SDK that reads these answers obeys. */ retry: boolean }

const words = (status: number, type: string, code: string, retry = false): Words => ({ status, type, code, retry })
const invalid = (code: string, status = 400) => words(status, 'invalid_request_error', code)
const server = (status: number, code: string, retry = false) => words(status, 'server_error', code, retry)

const table: Record<ProblemCode, Words> = {
  bad_request: invalid('invalid_format'),
  unknown_model: invalid('model_not_found', 404),
  model_retired: invalid('model_not_found', 404),
  unsupported_parameter: invalid('unsupported_parameter'),
  bad_input_image: invalid('invalid_image'),
  input_unreachable: invalid('invalid_image_url'),
  private_address: invalid('invalid_image_url'),
  unauthorized: words(401, 'authentication_error', 'invalid_api_key'),
  credits_required: words(402, 'insufficient_quota', 'insufficient_quota'),
  forbidden: words(403, 'permission_error', 'permission_denied'),
  not_found: invalid('not_found', 404),
  method_not_allowed: invalid('method_not_allowed', 405),
  conflict: invalid('conflict', 409),
  idempotency_busy: words(409, 'invalid_request_error', 'conflict', true),
  too_large: invalid('request_too_large', 413),
  unsupported_media: invalid('invalid_format', 415),
  idempotency_mismatch: invalid('idempotency_mismatch', 422),
  range_not_satisfiable: invalid('invalid_range', 416),
  link_expired: words(403, 'permission_error', 'link_expired'),
  rate_limited: words(429, 'rate_limit_error', 'rate_limit_exceeded', true),
  provider_not_configured: server(503, 'model_not_available'),
  content_rejected: invalid('content_policy_violation'),
  provider_rejected: server(502, 'upstream_error'),
  provider_busy: server(503, 'upstream_busy'),
  provider_down: server(502, 'upstream_error'),
  provider_failed: server(502, 'upstream_error'),
  provider_timeout: server(504, 'upstream_timeout'),
  bad_output: server(502, 'upstream_error'),
  output_expired: server(502, 'upstream_error'),
  outcome_unknown: server(502, 'outcome_unknown'),
  start_deadline: server(504, 'timeout'),
  deadline: server(504, 'timeout'),
  cancelled: invalid('cancelled', 409),
  shutting_down: server(503, 'service_unavailable', true),
  unavailable: server(503, 'service_unavailable', true),
  internal: server(500, 'internal_error', true),
}

/** What a field of the house is called here. */
const fields: Record<string, string> = { 'parameters.duration_s': 'seconds', 'parameters.aspect_ratio': 'size', 'parameters.resolution': 'size', inputs: 'input_reference', 'inputs[0]': 'input_reference' }

export function sayNo({ code, message, details }: Problem): { status: number; retry: boolean; body: object } {
  const { status, type, code: said, retry } = table[code]
  const { field } = details
  const problems = mistakesOf(details).map(one => ({ param: paramOf(one.field), message: one.message }))
  return { status, retry, body: { error: { message, type, param: typeof field === 'string' ? paramOf(field) : null, code: said, ...(problems.length > 0 ? { details: { problems } } : {}) } } }
}

const paramOf = (field: string): string => Object.hasOwn(fields, field) ? fields[field]! : field.replace(/^parameters\./, '')

/** The `error` of a video that was not made. */
export const sayFailed = (problem: StoredProblem | null): { code: string; message: string } =>
  problem ? { code: table[problem.code].code, message: problem.message } : { code: 'cancelled', message: 'The video was cancelled.' }
