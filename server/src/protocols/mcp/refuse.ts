/** How this door says no: to a request, in HTTP and JSON-RPC; to a tool call, in words an assistant can act on. Pure. */
import { mistakesOf, problems, type Problem, type ProblemCode, type ProblemDetails } from '../../domain/problem.ts'
import { viewProblem } from './views.ts'

const mend = 'Change the call and try again.'
const again = 'Try again in a moment.'
const instead = 'The same again may work, at a new price; another model may as well.'
const operator = 'Only whoever runs this server can mend that: tell the user.'

/** What an assistant should do about it. Every code has a line. */
const advice: Record<ProblemCode, string> = {
  bad_request: mend, unknown_model: 'list_models tells which there are.', model_retired: 'list_models tells what took its place.', unsupported_parameter: mend,
  bad_input_image: 'Give another picture.', input_unreachable: 'Give the picture in another way, as a data URL.', private_address: 'Give the picture in another way, as a data URL.',
  unauthorized: operator, credits_required: 'Ask the user to add credit, or order something cheaper: estimate tells prices.', forbidden: operator,
  not_found: 'Check the id.', method_not_allowed: mend, conflict: again, idempotency_busy: again,
  too_large: 'Give a smaller picture.', unsupported_media: 'Give a PNG, JPEG or WebP picture.', idempotency_mismatch: 'Use a new idempotency_key for another order.',
  range_not_satisfiable: mend, link_expired: 'Call get_task for a new link.', rate_limited: again,
  provider_not_configured: operator, content_rejected: 'The same prompt will be refused again: change it.', provider_rejected: 'Another model may take it.',
  provider_busy: again, provider_down: again, provider_failed: instead, provider_timeout: instead, bad_output: instead, output_expired: instead,
  outcome_unknown: 'It may have been made and paid for. Ask the user before ordering it again.',
  start_deadline: again, deadline: instead, cancelled: 'Order it again if it is still wanted.',
  shutting_down: again, unavailable: again, internal: again,
}

/** A problem as the text of a tool's result. */
export function writeProblem(problem: { code: string; message: string; details?: ProblemDetails }): string {
  const { field, retryAfterS } = problem.details ?? {}
  return [
    `${problem.code}: ${problem.message}`,
    ...(field === undefined ? [] : [`field: ${field}`]),
    ...mistakesOf(problem.details).slice(1).map(({ message }) => `also: ${message}`),
    ...(retryAfterS === undefined ? [] : [`retry after: ${retryAfterS} s`]),
    ...(Object.hasOwn(advice, problem.code) ? [advice[problem.code as ProblemCode]] : []),
  ].join('\n')
}

/** JSON-RPC's own codes, for what never became a call. */
const invalidRequest = -32_600
const internalError = -32_603
/** "Implementation-defined server errors." */
const serverError = -32_000

const rpcCode = ({ code, status }: Problem): number =>
  code === 'internal' ? internalError : status < 500 && problems[code].again === 'no' && status !== 401 && status !== 402 && status !== 403 && status !== 429 ? invalidRequest : serverError

export function refuse(problem: Problem): Response {
  const { code, message, details, status } = problem
  const error = { code: rpcCode(problem), message, data: jsonSafe(viewProblem({ code, message, details })) }
  const headers: Record<string, string> = status === 401 ? { 'www-authenticate': 'Bearer realm="Plantain", error="invalid_token"' } : {}
  return Response.json({ jsonrpc: '2.0', id: null, error }, { status, headers })
}

/** Details as they survive JSON; what does not is left out rather than turning a refusal into a bug. */
function jsonSafe(value: { code: string; message: string }): unknown {
  try {
    return JSON.parse(JSON.stringify(value))
  } catch {
    return { code: value.code, message: value.message }
  }
}
