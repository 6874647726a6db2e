/** Kie's words for what went wrong: the code in the envelope, the code of a failed task, and its own sentence where it has one. Pure. */
import { tellAll, type ProblemCode, type StoredProblem } from '../../domain/problem.ts'

interface Words { code: number; /** `failCode` of a task that ended this way. */ fail: string; say?: string }

const words = (code: number, fail = '501', say?: string): Words => say === undefined ? { code, fail } : { code, fail, say }

export const unknownModel = 'The model name you specified is not supported. Please check the model name and try again.'
export const paused = 'This interface is temporarily paused.'

const table: Record<ProblemCode, Words> = {
  bad_request: words(400, '422'),
  unknown_model: words(422, '422', unknownModel),
  model_retired: words(500, '500', paused),
  // Kie answers most of what is wrong with an input as 500.
  unsupported_parameter: words(500, '422'),
  bad_input_image: words(500, '422'),
  input_unreachable: words(451, '422'),
  private_address: words(451, '422'),
  unauthorized: words(401, '500', 'Unauthorized – Authentication failed. Please check that your Authorization and Content-Type headers are correctly set.'),
  credits_required: words(402, '500', "Credits insufficient : Your current balance isn't enough to run this request. Please top up to continue."),
  forbidden: words(401, '500', 'You do not have access permissions'),
  not_found: words(404, '500'),
  method_not_allowed: words(405, '500'),
  conflict: words(409, '500'),
  idempotency_busy: words(409, '500'),
  too_large: words(400, '422'),
  unsupported_media: words(400, '422'),
  idempotency_mismatch: words(422, '422'),
  range_not_satisfiable: words(422, '500'),
  link_expired: words(422, '500'),
  rate_limited: words(429, '500', 'Your call frequency is too high. Please try again later.'),
  provider_not_configured: words(455, '500'),
  content_rejected: words(400, '422'),
  provider_rejected: words(501),
  provider_busy: words(455),
  provider_down: words(501),
  provider_failed: words(501),
  provider_timeout: words(408, '408'),
  bad_output: words(501),
  output_expired: words(501),
  outcome_unknown: words(501),
  start_deadline: words(408, '408'),
  deadline: words(408, '408'),
  cancelled: words(501),
  unavailable: words(455, '500', 'The service is under maintenance. Please try again later.'),
  shutting_down: words(455, '500', 'The service is under maintenance. Please try again later.'),
  internal: words(500, '500', 'Server exception, please try again later'),
}

export interface Said { code: number; msg: string }

/** The envelope of a no. A reader of this dialect may name the code itself (`details.kieCode`); then its sentence stands as it is. */
export function sayNo(problem: StoredProblem): Said {
  const { code, message, details } = problem
  const own = details?.kieCode
  if (typeof own === 'number') return { code: own, msg: message }
  // A callback address is no picture: the parameter is wrong.
  if (details?.field === 'callback_url') return { code: 400, msg: message.replace('callback_url', 'callBackUrl') }
  // Whatever is wrong with the bytes of a picture is an input that does not pass.
  if (details?.field?.startsWith('input.') && table[code].code === 400) return { code: 500, msg: message }
  const { code: said, say } = table[code]
  if (code === 'credits_required' && typeof details?.requiredMicros === 'number' && typeof details.availableMicros === 'number') {
    return { code: said, msg: `${say} (required: ${creditsOf(details.requiredMicros)}, available: ${creditsOf(details.availableMicros)})` }
  }
  return { code: said, msg: say ?? tellAll(problem) }
}

/** `failCode` and `failMsg` of a task. The upstream's own code goes before ours. */
export function sayFailed(problem: StoredProblem | null): { failCode: string; failMsg: string } {
  if (!problem) return { failCode: '501', failMsg: 'The task was cancelled.' }
  return { failCode: problem.details?.upstreamCode ?? table[problem.code].fail, failMsg: problem.code === 'content_rejected' ? nameThePolicy(problem.message) : problem.message }
}

/** Kie has no code for a refusal of the model's: its clients know one by the words, so they must be there. */
const nameThePolicy = (message: string): string => /polic|safety|moderat/i.test(message) ? message : `Refused by the content policy: ${message}`

/** 1 credit = US$0.005. */
const microsPerCredit = 5_000
export const creditsOf = (micros: number): number => micros / microsPerCredit
