/**
 * OpenAI's words for what went wrong, and the headers that tell its client whether to ask again. Pure.
 *
 * Both clients send a call again by status: 408, 409, 429 and everything from 500. So what must not be bought a second time by
 * itself never has such a status here, and what cannot get better says `x-should-retry: false`.
 */
import { mistakesOf, problems, type Problem, type ProblemCode, type StoredProblem } from '../../domain/problem.ts'
import { formatDollars } from '../../domain/money.ts'

type ErrorType = 'invalid_request_error' | 'image_generation_user_error' | 'rate_limit_error' | 'insufficient_quota' | 'server_error'

interface Words { status: number; type: ErrorType; code: string | null }

const mend = (status: number, code: string): Words => ({ status, type: 'invalid_request_error', code })
const broken = (status: number, code: string | null): Words => ({ status, type: 'server_error', code })

const table: Record<ProblemCode, Words> = {
  bad_request: mend(400, 'invalid_value'),
  unknown_model: mend(404, 'model_not_found'),
  model_retired: mend(404, 'model_not_found'),
  unsupported_parameter: mend(400, 'invalid_value'),
  bad_input_image: mend(400, 'invalid_image_file'),
  input_unreachable: mend(400, 'failed_to_download_image'),
  private_address: mend(400, 'invalid_image_url'),
  unauthorized: mend(401, 'invalid_api_key'),
  credits_required: { status: 429, type: 'insufficient_quota', code: 'insufficient_quota' },
  forbidden: mend(403, 'insufficient_permissions'),
  not_found: mend(404, 'not_found'),
  method_not_allowed: mend(405, 'method_not_allowed'),
  // Their clients send a 409 again, which helps with none of these but the busy key.
  conflict: mend(400, 'conflict'),
  idempotency_busy: mend(409, 'idempotency_busy'),
  too_large: mend(413, 'request_too_large'),
  unsupported_media: mend(415, 'unsupported_media_type'),
  idempotency_mismatch: mend(422, 'idempotency_mismatch'),
  range_not_satisfiable: mend(416, 'range_not_satisfiable'),
  link_expired: mend(403, 'link_expired'),
  rate_limited: { status: 429, type: 'rate_limit_error', code: 'rate_limit_exceeded' },
  provider_not_configured: broken(503, 'provider_not_configured'),
  content_rejected: { status: 400, type: 'image_generation_user_error', code: 'moderation_blocked' },
  provider_rejected: broken(502, 'provider_rejected'),
  provider_busy: broken(503, 'provider_busy'),
  provider_down: broken(502, 'provider_down'),
  provider_failed: broken(502, 'provider_failed'),
  provider_timeout: broken(504, 'timeout'),
  bad_output: broken(502, 'bad_output'),
  output_expired: broken(502, 'output_expired'),
  // Perhaps it was made and paid for. A client that sends it again by itself would buy it twice, so: a status nobody repeats.
  outcome_unknown: broken(424, 'outcome_unknown'),
  start_deadline: broken(504, 'timeout'),
  deadline: broken(504, 'timeout'),
  cancelled: mend(400, 'cancelled'),
  shutting_down: broken(503, 'shutting_down'),
  unavailable: broken(503, null),
  internal: broken(500, null),
}

export interface ErrorBody {
  message: string
  type: string
  param: string | null
  code: string | null
  moderation_details?: { moderation_stage: 'input' | 'output' | 'unknown'; categories: string[] }
  /** Ours: everything that is wrong, where that is more than one thing. Their client hands on what it does not know. */
  details?: { problems: { param: string; message: string }[] }
}

/** The inside of `error`. A reader of this dialect may name the code and the parameter itself (`details.openaiCode`, `details.param`). */
export function writeError({ code, message, details = {} }: StoredProblem): ErrorBody {
  const words = table[code]
  const field = typeof details.field === 'string' ? details.field : null
  const all = mistakesOf(details).map(one => ({ param: paramOf(one.field), message: inTheirWords(one.message, one.field) }))
  return {
    message: code === 'credits_required' ? writeQuota(message, details) : inTheirWords(message, field),
    type: words.type,
    param: typeof details.param === 'string' ? details.param : field === null ? null : paramOf(field),
    code: typeof details.openaiCode === 'string' ? details.openaiCode : words.code,
    ...(code === 'content_rejected' ? { moderation_details: { moderation_stage: readStage(details.stage), categories: readCategories(details.categories) } } : {}),
    ...(all.length > 0 ? { details: { problems: all } } : {}),
  }
}

const readStage = (stage: unknown) => stage === 'input' || stage === 'output' ? stage : 'unknown'
const readCategories = (categories: unknown): string[] => Array.isArray(categories) ? categories.filter(one => typeof one === 'string') : []

const writeQuota = (message: string, { requiredMicros, availableMicros }: NonNullable<StoredProblem['details']>): string =>
  requiredMicros === undefined || availableMicros === undefined ? message
    : `You exceeded your current quota: this needs $${formatDollars(requiredMicros)} and $${formatDollars(availableMicros)} is available. Add credits and send it again.`

/** Our parameters that are called otherwise here. */
const theirNames: Record<string, string> = { count: 'n', duration_s: 'seconds' }

/** `parameters.count` is `n`; a picture is `image`, unless a reader said which one. */
function paramOf(field: string): string {
  const name = field.replace(/^parameters\./, '')
  if (/^inputs(\[|$)/.test(name)) return 'image'
  return theirNames[name] ?? name
}

function inTheirWords(message: string, field: string | null): string {
  const name = field?.replace(/^parameters\./, '')
  return name !== undefined && Object.hasOwn(theirNames, name) ? message.replaceAll(name, theirNames[name]!) : message
}

/** What passes by itself, or was not the end of anything: sending it again is right. */
const passing: ReadonlySet<ProblemCode> = new Set(['rate_limited', 'idempotency_busy', 'shutting_down', 'provider_timeout', 'start_deadline', 'deadline', 'internal'])

/** A no as an answer. `X-Request-Id` and `Retry-After` are the house's. */
export function refuse(problem: Problem): Response {
  const { status } = table[problem.code]
  const isRepeated = status === 408 || status === 409 || status === 429 || status >= 500
  const { taskId, retryAfterS } = problem.details
  // A task that has ended so may have been bought: the same call again would buy another.
  const mayBeBought = typeof taskId === 'string' && problems[problem.code].bought !== 'no'
  const helps = problem.details.retry === true || (passing.has(problem.code) || problems[problem.code].again === 'later') && !mayBeBought
  return Response.json({ error: writeError(problem) }, {
    status,
    headers: {
      ...(isRepeated ? { 'x-should-retry': String(helps) } : {}),
      ...(typeof taskId === 'string' ? { 'x-task-id': taskId } : {}),
      ...(retryAfterS !== undefined && isRepeated && helps ? { 'retry-after-ms': String(Math.ceil(retryAfterS * 1_000)) } : {}),
      ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    },
  })
}

/** Codes of a response (`/v1/responses`) that failed: theirs is a closed list. */
const responseCodes: Partial<Record<ProblemCode, string>> = {
  content_rejected: 'image_content_policy_violation', rate_limited: 'rate_limit_exceeded', provider_busy: 'rate_limit_exceeded',
  bad_input_image: 'invalid_image', input_unreachable: 'failed_to_download_image', private_address: 'invalid_image_url', bad_request: 'invalid_prompt',
}
export const writeResponseError = ({ code, message }: StoredProblem) => ({ code: responseCodes[code] ?? 'server_error', message })
