/**
 * OpenAI's images API as its wire page tells it: generations in JSON, edits as a form, pictures in base64, streams with in-between
 * pictures. And chat completions.
 *
 * What a prompt may rehearse: the line's faults (`loopback.ts`), `moderation`, `policy`, `quota`, `busy`, `busy_reset`, `busy_page`,
 * `overloaded`, `server`, `server_once`, `key`, `not_found`, `too_large`, `conflict`, `plain_error`, `azure_filter`, `azure_busy`, `fewer`, `links`, `expired`,
 * `other_size`, `not_a_picture`, `empty`, `error_200`; of texts `length`, `length_empty`, `filter`, `refusal`, `no_usage`; in streams `stream_error`, `stream_cut`, `stream_ends`, `stream_none`.
 */
import { Readable } from 'node:stream'
import sharp from 'sharp'
import { readMultipart, type FilePart } from '../../src/kit/multipart.ts'
import { again, answerFault, bought, counter, Cut, inTheCall, lineFault, lineFaults, listen, page, paint, readFault, withTheCall, type Heard, type Loopback, type Rehearsal, type Reply } from './loopback.ts'

export interface OpenaiStats { asked: number; bought: number; files: number }
export interface OpenaiUpstream extends Loopback {
  stats(): OpenaiStats
  /** What was asked for, forms as text. */
  orders(): { path: string; fields: Record<string, any>; files: FilePart[]; key: string | undefined }[]
  clear(): void
}

export const openaiKey = 'openai-rehearsed-key'

const no = (status: number, message: string, { type = 'invalid_request_error', code = null as string | null, param = null as string | null } = {}, headers: Record<string, string> = {}): Reply =>
  ({ status, headers, json: { error: { message, type, param, code } } })

/** Fields the models document; anything else is told off, as OpenAI does it. */
const known = new Set(['model', 'prompt', 'n', 'size', 'quality', 'background', 'moderation', 'output_format', 'output_compression', 'stream', 'partial_images', 'complexity', 'input_fidelity', 'user'])

/** The pixels that are asked for; small ones where nobody says. */
const sizeOf = (fault: string | null, { size }: Record<string, any>): [number, number] => {
  if (fault === 'other_size') return [512, 512]
  const [, width, height] = /^(\d+)x(\d+)$/.exec(size ?? '') ?? []
  return width && height ? [Number(width), Number(height)] : [64, 64]
}
const usage = (count: number) => ({ input_tokens: 22, input_tokens_details: { text_tokens: 22, image_tokens: 0 }, output_tokens: 1056 * count, output_tokens_details: { text_tokens: 0, image_tokens: 1056 * count }, total_tokens: 22 + 1056 * count })
const effects = (fields: Record<string, any>) => ({ background: 'opaque', output_format: fields.output_format ?? 'png', quality: fields.quality ?? 'medium', size: fields.size === undefined || fields.size === 'auto' ? '1024x1024' : fields.size })

const azure = (status: number, code: string, message: string, headers: Record<string, string> = {}): Reply => ({ status, headers, json: { error: { code, message } } })

export async function startOpenai(): Promise<OpenaiUpstream> {
  const counts = counter()
  const orders: ReturnType<OpenaiUpstream['orders']> = []
  let stats: OpenaiStats = { asked: 0, bought: 0, files: 0 }
  const loopback = await listen(handle)
  return {
    ...loopback, stats: () => ({ ...stats }), orders: () => orders,
    clear() { stats = { asked: 0, bought: 0, files: 0 }; counts.reset(); orders.length = 0; loopback.reset() },
  }

  async function handle(heard: Heard): Promise<Reply> {
    const { method, path, headers } = heard
    if (method === 'GET' && path.startsWith('/f/')) { stats.files++; return path.includes('expired') ? { status: 403, text: 'expired' } : { bytes: await paint(64, 64), headers: { 'content-type': 'image/png' } } }
    if (path.startsWith('/openai/')) return handleAzure(heard)
    if (method === 'GET' && path === '/v1/models') return headers.authorization === `Bearer ${openaiKey}` ? { json: { object: 'list', data: [] } } : no(401, 'Incorrect API key provided.', { code: 'invalid_api_key' })
    if (method !== 'POST' || !/^\/v1\/(images\/(generations|edits)|chat\/completions)$/.test(path)) return no(404, 'Unknown request URL.', { code: 'unknown_url' })
    stats.asked++
    if (headers.authorization !== `Bearer ${openaiKey}`) return no(401, 'Incorrect API key provided.', { code: 'invalid_api_key' })
    return path.endsWith('completions') ? talk(heard) : draw(heard, false)
  }

  /** The same calls as Azure serves them: `api-key`, deployments in the path, `api-version`, errors in its words. */
  async function handleAzure(heard: Heard): Promise<Reply> {
    const { method, path, headers, query } = heard
    const [, isV1] = /^\/openai\/(v1|deployments\/[^/]+)\/(?:images\/(?:generations|edits)|chat\/completions)$/.exec(path) ?? []
    if (method !== 'POST' || isV1 === undefined || isV1 !== 'v1' && !query.has('api-version')) return azure(404, '404', 'Resource not found')
    stats.asked++
    if (headers['api-key'] !== openaiKey) return azure(401, '401', 'Access denied due to invalid subscription key or wrong API endpoint.')
    if (path.includes('/deployments/nobody')) return azure(404, 'DeploymentNotFound', 'The API deployment for this resource does not exist.')
    return path.endsWith('completions') ? talk(heard) : draw(heard, true)
  }

  /** A text: 30 tokens in, 20 out, of which 5 were thought. */
  function talk({ path, headers, json }: Heard): Reply {
    const fields: Record<string, any> = json ?? {}
    orders.push({ path, fields, files: [], key: headers['idempotency-key'] as string | undefined })
    const { content } = fields.messages.at(-1)
    const prompt: string = typeof content === 'string' ? content : content.find(({ type }: any) => type === 'text').text
    const fault = readFault(prompt)
    const nth = counts.next(prompt)
    const line = lineFault(fault, nth)
    if (line) return line
    const told = refusal(fault, nth)
    if (told) return told
    const isOwn = fields.model.startsWith('gpt-')
    if (isOwn && (fields.max_tokens !== undefined || fields.temperature !== undefined && fields.reasoning_effort !== 'none')) return no(400, 'Unsupported parameter.', { code: 'unsupported_parameter' })
    if (!isOwn && (fields.max_completion_tokens !== undefined || fields.reasoning_effort !== undefined)) return no(400, 'Unknown parameter.', { code: 'unknown_parameter' })
    stats.bought++
    if (fault === 'error_200') return { json: { error: { message: 'rejected by the safety system', code: 'moderation_blocked' } } }
    const message = { role: 'assistant', content: fault === 'empty' || fault === 'length_empty' ? null : `You said: ${prompt}`, refusal: fault === 'refusal' ? 'I cannot help with that.' : null }
    return answerFault(fault, { json: {
      id: `chatcmpl-${stats.asked}`, object: 'chat.completion', created: 1795170516, model: fields.model,
      choices: [{ index: 0, message, finish_reason: fault?.startsWith('length') ? 'length' : fault === 'filter' ? 'content_filter' : 'stop' }],
      ...(fault === 'no_usage' ? {} : { usage: { prompt_tokens: 30, completion_tokens: 20, total_tokens: 50, completion_tokens_details: { reasoning_tokens: 5 } } }),
    } })
  }

  async function draw(heard: Heard, isAzure: boolean): Promise<Reply> {
    const { path, headers } = heard
    const { fields, files } = await readFields(heard)
    orders.push({ path, fields, files, key: headers['idempotency-key'] as string | undefined })
    const prompt = String(fields.prompt ?? '')
    const fault = readFault(prompt)
    const nth = counts.next(prompt)
    const line = lineFault(fault, nth)
    if (line) return line
    const told = refusal(fault, nth) ?? await mistake(path, fields, files, isAzure)
    if (told) return told
    stats.bought++
    if (fields.stream === true || fields.stream === 'true') return stream(fault, fields, path.endsWith('edits') ? 'image_edit' : 'image_generation')
    return answerFault(fault, { ...await answer(fault, fields), headers: { 'x-request-id': `req_${stats.asked}` } })
  }

  async function readFields({ headers, body, json }: Heard): Promise<{ fields: Record<string, any>; files: FilePart[] }> {
    if (!headers['content-type']?.startsWith('multipart/form-data')) return { fields: json ?? {}, files: [] }
    const form = await readMultipart(Readable.from([body]), headers as Record<string, string>, { filesMax: 20, fieldsMax: 50, fileMax: 60_000_000, fieldMax: 100_000 })
    return { fields: Object.fromEntries(form.fields), files: form.files }
  }

  function refusal(fault: string | null, nth: number): Reply | null {
    switch (fault) {
      case 'moderation': return no(400, 'This request was rejected by the safety system. Request id req_7Hq.', { type: 'image_generation_user_error', code: 'moderation_blocked' })
      case 'policy': return no(400, 'Your request was rejected as a result of our content policy.', { code: null })
      case 'quota': return no(429, 'You exceeded your current quota.', { type: 'insufficient_quota', code: 'insufficient_quota' }, { 'x-should-retry': 'false' })
      case 'busy': return nth === 1 ? no(429, 'Rate limit reached.', { type: 'rate_limit_error', code: 'rate_limit_exceeded' }, { 'retry-after': '1' }) : null
      case 'busy_reset': return no(429, 'Rate limit reached.', { type: 'requests', code: 'rate_limit_exceeded' }, { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '1m30s', 'x-ratelimit-remaining-tokens': '10', 'x-ratelimit-reset-tokens': '9h' })
      case 'busy_page': return nth === 1 ? { ...page, status: 429, headers: { 'retry-after': '1' } } : null
      case 'overloaded': return nth === 1 ? no(503, 'The engine is overloaded.', { type: 'server_error' }) : null
      case 'server': return no(500, 'The server had an error.', { type: 'server_error' })
      case 'server_once': return nth === 1 ? no(500, 'The server had an error.', { type: 'server_error' }) : null
      case 'key': return no(403, 'Your organisation may not use this model.', { code: 'model_access_denied' })
      case 'not_found': return no(404, 'The model does not exist.', { code: 'model_not_found' })
      case 'too_large': return no(413, 'Too large.', { code: 'request_too_large' })
      case 'conflict': return no(409, 'A call with this key is under way.')
      case 'azure_filter': return azure(400, 'contentFilter', 'Your task failed as a result of our safety system.')
      case 'azure_busy': return nth === 1 ? azure(429, '429', 'Requests have exceeded call rate limit. Please retry after 1 second.', { 'retry-after': '1' }) : null
      case 'plain_error': return { status: 400, json: { error: 'n must be at most 8' } }
      default: return null
    }
  }

  async function mistake(path: string, fields: Record<string, any>, files: FilePart[], isAzure: boolean): Promise<Reply | null> {
    const foreign = !isAzure && !String(fields.model).startsWith('gpt-image')
    const strange = Object.keys(fields).find(name => !known.has(name))
    if (strange !== undefined && !foreign) return no(400, `Unknown parameter: '${strange}'.`, { code: 'unknown_parameter', param: strange })
    if (!fields.prompt) return no(400, 'prompt is missing.', { code: 'missing_required_parameter', param: 'prompt' })
    if (path.endsWith('generations')) return files.length > 0 ? no(400, 'No files here.') : null
    const pictures = files.filter(({ field }) => field === 'image' || field === 'image[]')
    if (pictures.length === 0) return no(400, 'image is missing.', { code: 'missing_required_parameter', param: 'image' })
    const mask = files.find(({ field }) => field === 'mask')
    if (!mask) return null
    const [one, other] = await Promise.all([sharp(mask.bytes).metadata(), sharp(pictures[0]!.bytes).metadata()])
    return one.format === 'png' && one.hasAlpha && one.width === other.width && one.height === other.height ? null : no(400, 'Invalid mask.', { code: 'invalid_image_file', param: 'mask' })
  }

  async function answer(fault: string | null, fields: Record<string, any>): Promise<Reply> {
    if (fault === 'error_200') return { json: { error: { message: 'rejected by the safety system', code: 'moderation_blocked' } } }
    const count = fault === 'fewer' ? 1 : fault === 'empty' ? 0 : Number(fields.n ?? 1)
    const data = await Promise.all(Array.from({ length: count }, async (_, index) => {
      if (fault === 'links' || fault === 'expired') return { url: `${loopback.url}/f/${fault}-${index}.png` }
      const bytes = fault === 'not_a_picture' ? Buffer.from(page.text!) : await paint(...sizeOf(fault, fields), fields.output_format ?? 'png')
      return { b64_json: bytes.toString('base64'), revised_prompt: 'A paper boat, at dusk.' }
    }))
    return { json: { created: 1795170516, ...effects(fields), ...(fault === 'other_size' ? { size: '512x512' } : {}), data, usage: usage(count) } }
  }

  async function stream(fault: string | null, fields: Record<string, any>, name: string): Promise<Reply> {
    if (fault === 'stream_none') return answer(null, fields)
    const event = (data: Record<string, unknown>) => `event: ${String(data.type)}\ndata: ${JSON.stringify(data)}\n\n`
    const picture = async () => ({ b64_json: (await paint(...sizeOf(fault, fields), fields.output_format ?? 'png')).toString('base64'), created_at: 1795170516, ...effects(fields) })
    const partials = await Promise.all(Array.from({ length: Number(fields.partial_images ?? 0) }, async (_, index) => event({ type: `${name}.partial_image`, partial_image_index: index, ...await picture() })))
    const end = fault === 'stream_error' ? event({ type: 'error', error: { message: 'It broke.', type: 'image_generation_server_error', code: null, param: null } })
      : fault === 'stream_ends' ? '' : event({ type: `${name}.completed`, ...await picture(), usage: usage(1) })
    const reply = { text: `: ping\n\n${partials.join('')}${end}`, headers: { 'content-type': 'text/event-stream; charset=utf-8', 'x-request-id': 'req_s' } }
    if (fault === 'stream_cut') throw new Cut(reply)
    return reply
  }
}

export async function rehearse(): Promise<Rehearsal> {
  const upstream = await startOpenai()
  return {
    settings: { apiKey: openaiKey, baseUrl: `${upstream.url}/v1` }, model: 'gpt-image-2', key: openaiKey, tellsCost: true,
    stats: upstream.stats, clear: upstream.clear, close: upstream.close,
    faults: {
      ...lineFaults(), busy_when: { says: 'fault:busy', ...again },
      no_picture: { says: 'fault:not_a_picture', ...bought('bad_output') },
      ...inTheCall,
      odd_200: { says: 'fault:error_200', ...bought('content_rejected'), costs: ['open'] },
      // Servers shaped like it answer with links.
      expired: { says: 'fault:expired', ...bought('output_expired') }, expired_once: withTheCall,
    },
  }
}
