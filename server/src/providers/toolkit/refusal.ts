/**
 * Refusals of upstreams that say no by HTTP status, with words in JSON. Pure.
 *
 * Only a refusal in the upstream's own words says that nothing was begun; a page, or a gateway's status, leaves it open.
 */
import { Problem } from '../../domain/problem.ts'
import { shorten, speaksOfPolicy, unclaimed, unknown, unlisted } from '../toolkit.ts'
import { failure, type Failure } from './parts.ts'

/** What to call an upstream, and the setting an operator looks at when its key is refused. */
export interface Named { title: string; setting: string }

/** The words of a refusal, wherever an upstream puts them. */
export function wordsOf(body: unknown): string {
  if (typeof body === 'string') return body
  if (Array.isArray(body)) return body.map(wordsOf).filter(Boolean).join('; ')
  if (typeof body !== 'object' || body === null) return ''
  const { error, detail, message, msg, Message, errors } = body as Record<string, unknown>
  // Beside a sentence, `error` as a word is only a code.
  for (const part of [typeof error === 'object' ? error : null, detail, message, msg, Message, errors, error]) {
    const words = wordsOf(part)
    if (words) return words
  }
  return ''
}

/** Statuses as these upstreams document them. */
export function readRefusal({ status, body, retryAfterMs }: { status: number; body: unknown; retryAfterMs: number | null }, { title, setting }: Named): Failure {
  const upstreamCode = String(status)
  const said = shorten(wordsOf(body))
  const isOwn = typeof body === 'object' && body !== null
  if (status !== 429 && status !== 401 && status < 500 && isOwn && speaksOfPolicy(said)) return failure(new Problem('content_rejected', `${title} refused this: ${said}`, { upstreamCode }))
  switch (status) {
    case 401: case 403: return failure(unclaimed(title, setting, 'refused our key', upstreamCode, said))
    case 402: return failure(unclaimed(title, setting, 'has no credit of ours left', upstreamCode, said))
    case 429: return failure(new Problem('provider_busy', `${title} is busy.`, { upstreamCode }), retryAfterMs)
    case 404: return failure(unlisted(title, upstreamCode, said))
    case 408: case 502: case 504: return failure(unknown(title, upstreamCode))
    case 500: case 503: case 529: return isOwn ? failure(new Problem(status === 500 ? 'provider_down' : 'provider_busy', `${title} has trouble${said ? `: ${said}` : '.'}`, { upstreamCode }), retryAfterMs) : failure(unknown(title, upstreamCode))
    default: return status < 500 ? failure(new Problem('provider_rejected', `${title} would not take this${said ? `: ${said}` : '.'}`, { upstreamCode })) : failure(unknown(title, upstreamCode))
  }
}
