/**
 * Wireflow's words for what went wrong, in the two forms its clients know: a sentence at `error` (its docs), or an object there (its own tools).
 *
 * The form follows the request; what only its tools know is always an object. Pure.
 */
import { mistakesOf, Problem, type ProblemCode, type ProblemDetails } from '../../domain/problem.ts'
import type { Incoming, Protocol } from '../contract.ts'

/** 1 credit is US$0.01. A charge is rounded up and a balance down, so that nobody is shown more than he has. */
const microsPerCredit = 10_000
export const creditsOf = (micros: number): number => Math.ceil(micros / microsPerCredit)
export const balanceOf = (micros: number): number => Math.floor(micros / microsPerCredit)

/** What a problem of this door carries beside the house's own details. */
interface Said {
  /** Wireflow's own code. */
  code?: string
  status?: number
  /** Members beside `error`. */
  extra?: Record<string, unknown>
  /** Its docs have no form for it: always an object. */
  isObject?: boolean
}

/** A no in Wireflow's words; the sentence stands as it is. */
export const no = (code: ProblemCode, message: string, said: Said = {}, details: ProblemDetails = {}): Problem => new Problem(code, message, { ...details, said })

export const noWorkflow = (): Problem => no('not_found', 'Workflow not found')
export const noExecution = (): Problem => no('not_found', 'Execution not found')

/** Where Wireflow's status is another one than the house's: what the caller can mend is a 400. */
const statuses: Partial<Record<ProblemCode, number>> = { unknown_model: 400, model_retired: 400, unsupported_media: 400, range_not_satisfiable: 400, content_rejected: 400 }

const typeOf = (status: number): string => status === 401 || status === 403 ? 'authentication_error' : status === 402 ? 'insufficient_credits_error' : status === 409 ? 'conflict_error'
  : status === 429 || status >= 500 ? 'api_error' : 'invalid_request_error'

/** Does this request want errors as objects? */
export const wantsObject = (headers: Incoming['headers'] = {}): boolean =>
  /^Bearer\s+wf_/i.test(headers.authorization ?? '') || headers['wireflow-error-format']?.trim().toLowerCase() === 'object'

interface Sentence { error: string; extra?: Record<string, unknown>; code?: string }

/** What stands at `error` by the docs, where they have a text of their own. */
function say({ code, message, details }: Problem, headers: Incoming['headers']): Sentence {
  switch (code) {
    case 'unauthorized':
      if (details.expired) return { error: 'API key has expired', code: 'api_key_expired' }
      if (!details.missing) return { error: details.said === undefined ? 'Invalid API key' : message, code: 'invalid_api_key' }
      return headers.authorization === undefined ? { error: 'Missing Authorization header', code: 'missing_api_key' } : { error: 'Invalid API key format. Expected: Bearer sk-...', code: 'invalid_api_key' }
    case 'forbidden': return { error: 'Forbidden' }
    case 'credits_required': {
      const required = creditsOf(details.requiredMicros ?? 0)
      const available = balanceOf(details.availableMicros ?? 0)
      const breakdown = Array.isArray(details.breakdown) ? details.breakdown as { node: string; title: string; micros: number }[] : []
      return { error: `Insufficient credits. Required: ${required}, Available: ${available}`, code: 'insufficient_credits', extra: {
        insufficientCredits: true, requiredCredits: required, availableCredits: available, breakdown: breakdown.map(({ node, title, micros }) => ({ nodeId: node, nodeLabel: title, credits: creditsOf(micros) })),
      } }
    }
    case 'rate_limited': {
      const retryAfter = Math.ceil(Date.now() / 1_000 + (details.retryAfterS ?? details.limit?.resetS ?? 1))
      return details.reason === 'feedback' ? { error: message, code: 'feedback_rate_limited', extra: { retryAfter } } : { error: 'Too many workflow executions. Please try again later.', extra: { retryAfter } }
    }
    case 'idempotency_mismatch': return { error: 'Idempotency-Key was already used with a different request body' }
    case 'conflict': return details.reason === 'inactive' ? { error: 'Workflow is not active' } : { error: message }
    case 'internal': return { error: 'Internal server error' }
    case 'not_found': return { error: details.said === undefined && /at this address/.test(message) ? 'Not found' : message }
    default: return { error: message }
  }
}

/** Problems the house has more to say about than Wireflow's own words do. */
const isOurs: ReadonlySet<ProblemCode> = new Set(['forbidden', 'rate_limited', 'conflict', 'idempotency_mismatch'])

export const refuse: Protocol['refuse'] = (problem, { headers = {} }) => {
  const said = (problem.details.said ?? {}) as Said
  const sentence = say(problem, headers)
  const status = said.status ?? (problem.code === 'conflict' && problem.details.reason === 'inactive' ? 400 : statuses[problem.code] ?? problem.status)
  const code = said.code ?? sentence.code ?? problem.code
  const isObject = said.isObject === true || wantsObject(headers)
  // Where the docs fix the sentence, what to do about it stands in the object.
  const problems = mistakesOf(problem.details).map(({ field: param, message }) => ({ param, message }))
  const full = { type: typeOf(status), code, message: isOurs.has(problem.code) ? problem.message : sentence.error, ...(problem.details.field === undefined ? {} : { param: problem.details.field }), ...(problems.length > 0 ? { problems } : {}) }
  return Response.json({ ...(isObject ? { error: full } : { error: sentence.error, errorDetails: full }), ...sentence.extra, ...said.extra }, { status })
}
