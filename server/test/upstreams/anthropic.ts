/**
 * Anthropic's messages as its wire page tells them: one call, one text.
 *
 * What a prompt may rehearse: the line's faults (`loopback.ts`), `busy`, `overloaded`, `overloaded_503`, `server`, `server_once`, `key`, `forbidden`,
 * `billing`, `invalid`, `too_large`, `timeout`, `refusal`, `empty`, `length`, `length_empty`, `no_usage`, `stop_<reason>`.
 */
import { again, answerFault, bought, counter, inTheCall, lineFault, lineFaults, listen, readFault, type Heard, type Loopback, type Rehearsal, type Reply } from './loopback.ts'

export interface AnthropicUpstream extends Loopback {
  stats(): { asked: number; bought: number }
  /** Bodies of the calls. */
  orders(): any[]
  clear(): void
}

export const anthropicKey = 'anthropic-rehearsed-key'

const no = (status: number, type: string, message: string, headers: Record<string, string> = {}): Reply =>
  ({ status, headers: { 'request-id': 'req_018c', ...headers }, json: { type: 'error', error: { type, message }, request_id: 'req_018c' } })

/** Clients of the 0.x line send the one, those of 1.x the other. */
const isKey = (headers: Heard['headers']): boolean => headers['x-api-key'] === anthropicKey || headers.authorization === `Bearer ${anthropicKey}`

export async function startAnthropic(): Promise<AnthropicUpstream> {
  const counts = counter()
  const orders: any[] = []
  let stats = { asked: 0, bought: 0 }
  const loopback = await listen(handle)
  return {
    ...loopback, stats: () => ({ ...stats }), orders: () => orders,
    clear() { stats = { asked: 0, bought: 0 }; counts.reset(); orders.length = 0; loopback.reset() },
  }

  function handle({ method, path, headers, json }: Heard): Reply {
    if (method === 'GET' && path === '/v1/models') return isKey(headers) ? { json: { data: [], has_more: false, first_id: null, last_id: null } } : no(401, 'authentication_error', 'invalid x-api-key')
    if (method !== 'POST' || path !== '/v1/messages') return no(404, 'not_found_error', 'Not found')
    stats.asked++
    if (!isKey(headers)) return no(401, 'authentication_error', 'invalid x-api-key')
    if (!['2023-06-01', '2026-10-21'].includes(String(headers['anthropic-version']))) return no(400, 'invalid_request_error', 'anthropic-version: header is required')
    orders.push(json)
    const prompt: string = json.messages[0].content.find(({ type }: any) => type === 'text').text
    const fault = readFault(prompt)
    const nth = counts.next(prompt)
    const line = lineFault(fault, nth)
    if (line) return line
    switch (fault) {
      case 'busy': if (nth === 1) return no(429, 'rate_limit_error', 'Slow down.', { 'retry-after': '1' }); break
      case 'overloaded': if (nth === 1) return no(529, 'overloaded_error', 'Overloaded'); break
      case 'overloaded_503': if (nth === 1) return no(503, 'overloaded_error', 'Overloaded'); break
      case 'server': return no(500, 'api_error', 'Internal server error')
      case 'server_once': if (nth === 1) return no(500, 'api_error', 'Internal server error'); break
      case 'key': return no(401, 'authentication_error', 'invalid x-api-key')
      case 'forbidden': return no(403, 'permission_error', 'Your key may not use this model.')
      case 'billing': return no(402, 'billing_error', 'Your credit balance is too low.')
      case 'invalid': return no(400, 'invalid_request_error', 'messages: text content blocks must be non-empty')
      case 'too_large': return no(413, 'request_too_large', 'Request exceeds the maximum size')
      case 'timeout': return no(504, 'timeout_error', 'Request timed out')
    }
    const strange = Object.keys(json).find(name => !['model', 'max_tokens', 'messages', 'system', 'thinking', 'output_config'].includes(name))
    if (strange) return no(400, 'invalid_request_error', `${strange}: Extra inputs are not permitted`)
    if (!(Number.isInteger(json.max_tokens) && json.max_tokens > 0)) return no(400, 'invalid_request_error', 'max_tokens: Field required')
    stats.bought++
    const reason = /^stop_(\w+)$/.exec(fault ?? '')?.[1] ?? (fault === 'refusal' ? 'refusal' : fault?.startsWith('length') ? 'max_tokens' : 'end_turn')
    const content = fault === 'empty' || fault === 'length_empty' ? [] : [...(json.thinking?.type === 'adaptive' ? [{ type: 'thinking', thinking: 'It is easy.', signature: 'x' }] : []), { type: 'text', text: `You said: ${prompt}`, citations: null }]
    return answerFault(fault, { headers: { 'request-id': `req_${stats.asked}` }, json: {
      id: `msg_${stats.asked}`, type: 'message', role: 'assistant', model: json.model, content, stop_reason: reason, stop_sequence: null,
      stop_details: fault === 'refusal' ? { type: 'refusal', category: null, explanation: 'That is not for me.' } : null,
      ...(fault === 'no_usage' ? {} : { usage: { input_tokens: 40, output_tokens: 20, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 } }),
    } })
  }
}

export async function rehearse(): Promise<Rehearsal> {
  const upstream = await startAnthropic()
  return {
    settings: { apiKey: anthropicKey, baseUrl: upstream.url }, model: 'claude-haiku-5-5', writes: true, tokens: 60, key: anthropicKey, tellsCost: true,
    stats: upstream.stats, clear: upstream.clear, close: upstream.close,
    faults: {
      ...lineFaults(), busy_when: { says: 'fault:busy', ...again },
      no_picture: { says: 'fault:empty', ...bought('bad_output') },
      odd_200: { says: 'fault:refusal', ...bought('content_rejected'), costs: ['told'] },
      ...inTheCall, lost_job: 'It writes in the call: there is nothing to come back for.', expired: 'Words come in the answer, not behind links.', expired_once: 'Words come in the answer, not behind links.',
    },
  }
}
