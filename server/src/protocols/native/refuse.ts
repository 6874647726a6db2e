import { Type } from 'typebox'
import type { Problem } from '../../domain/problem.ts'
import type { Incoming } from '../contract.ts'
import { json, ProblemView, viewProblem } from './view.ts'

export const ErrorView = Type.Object({
  error: Type.Intersect([ProblemView, Type.Object({ request_id: Type.String({ description: 'Also in `X-Request-Id`; name it when you ask for help.' }), doc: Type.String() })]),
}, { title: 'Error' })

/** This door's no: the code and status of the table, the sentence, and what was wrong where. */
export function refuse(problem: Problem, { requestId }: Pick<Incoming, 'requestId'>): Response {
  const { code, message, details, status } = problem
  // The details are written for rows and logs as well; a caller gets the ones that are named here and no others.
  const error = { ...viewProblem({ code, message, details: jsonSafe(details) }), request_id: requestId, doc: `/docs#${code}` }
  return json({ error }, status, status === 401 ? { 'www-authenticate': 'Bearer' } : {})
}

/** Details as they survive JSON; what does not (a cycle, a BigInt) is left out rather than turning a refusal into a bug. */
function jsonSafe(details: Record<string, unknown>): Record<string, unknown> {
  try {
    return JSON.parse(JSON.stringify(details)) as Record<string, unknown>
  } catch {
    return {}
  }
}
