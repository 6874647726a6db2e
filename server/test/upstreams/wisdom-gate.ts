/**
 * Wisdom Gate as its wire page tells it: `generateContent` with its spellings, images in JSON and as a form, films that are looked at, two
 * pages about money it does not document.
 *
 * What a prompt may rehearse: the line's faults (`loopback.ts`), a refusal (`refused_429_once`, `refused_503_once`, `refused_400`,
 * `refused_500`, `refused_404`), `policy`, `key`, `group`, `parameter`, `spent`, `spent_429`, `google_words` (an error in Google's shape),
 * `anthropic_words`, `string_words`, `under_200`, `under_200_busy_once`, `blocked`, `words`, `not_a_picture`, `links`, `expired`, `empty`,
 * `one_lost`; for films `film_failed`, `film_policy`, `blind`, `lost`, `film_expired`, `film_expired_once`, `film_link`.
 */
import { Readable } from 'node:stream'
import { readMultipart } from '../../src/kit/multipart.ts'
import { again, answerFault, bought, counter, Cut, film, fine, lineFault, lineFaults, listen, page, paint, readFault, type Heard, type Loopback, type Rehearsal, type Reply } from './loopback.ts'

export interface WisdomGateStats { asked: number; bought: number; looks: number; files: number; probes: number }
export interface WisdomGateUpstream extends Loopback {
  stats(): WisdomGateStats
  orders(): { path: string; body: any; files: string[] }[]
  clear(): void
}

export const wisdomKey = 'sk-wisdom-rehearsed'

const no = (status: number, message: string, type = 'invalid_request_error', code: string | null = null, headers: Record<string, string> = {}): Reply => ({ status, headers, json: { error: { message, type, param: null, code } } })
const models = /^(gemini-2\.5-flash-image|gemini-3-pro-image-preview|gemini-3\.1-flash-image-preview|gpt-image-2|gpt-image-1|sora-2|sora-2-pro)$/

export async function startWisdomGate(): Promise<WisdomGateUpstream> {
  const films = new Map<string, { fault: string | null; looks: number }>()
  const counts = counter()
  const orders: { path: string; body: any; files: string[] }[] = []
  const none = (): WisdomGateStats => ({ asked: 0, bought: 0, looks: 0, files: 0, probes: 0 })
  let stats = none()
  let made = 0
  const loopback = await listen(handle)
  return {
    ...loopback, stats: () => ({ ...stats }), orders: () => orders,
    clear() { stats = none(); films.clear(); counts.reset(); orders.length = 0; loopback.reset() },
  }

  async function handle(heard: Heard): Promise<Reply> {
    const { method, path, headers } = heard
    if (method === 'GET' && path.startsWith('/f/')) return openFile(path)
    const call = /^\/v1beta\/models\/([^/]+):generateContent$/.exec(path)
    const makes = method === 'POST' && (call !== null || /^\/v1\/(images\/(generations|edits)|videos)$/.test(path))
    if (makes) stats.asked++
    // Authorization with or without Bearer; Gemini's surface takes Google's header.
    const given = call ? headers['x-goog-api-key'] : headers.authorization?.replace(/^Bearer /, '')
    if (given !== wisdomKey) return no(401, 'Invalid token', 'authentication_error', 'invalid_api_key')
    if (makes) return make(heard, call?.[1] ?? null)
    if (method === 'GET' && path === '/v1/models') return { json: { object: 'list', data: [] } }
    if (method === 'GET' && path.startsWith('/v1/dashboard/billing/')) {
      stats.probes++
      return { json: path.endsWith('usage') ? { object: 'list', total_usage: 1234 } : { object: 'billing_subscription', has_payment_method: true, soft_limit_usd: 12.5, hard_limit_usd: 12.5, system_hard_limit_usd: 12.5, access_until: 0 } }
    }
    const [, id = '', content] = /^\/v1\/videos\/([^/]+)(\/content)?$/.exec(path) ?? []
    if (method === 'GET' && id) return content ? openFilm(id) : look(id)
    return no(404, 'Invalid URL')
  }

  async function make(heard: Heard, geminiModel: string | null): Promise<Reply> {
    const { fields, files } = await readFields(heard)
    orders.push({ path: heard.path, body: fields, files })
    const parts: any[] = fields.contents?.[0]?.parts ?? []
    const prompt = String(geminiModel ? parts.find(({ text }) => text !== undefined)?.text ?? '' : fields.prompt ?? '')
    const fault = readFault(prompt)
    const nth = counts.next(prompt)
    const line = lineFault(fault, nth)
    if (line) return line
    const told = refusal(fault, nth) ?? mistake(geminiModel, fields)
    if (told) return told
    stats.bought++
    if (fault === 'one_lost' && nth === 2) throw new Cut()
    if (heard.path === '/v1/videos') {
      const id = `video_${++made}`
      films.set(id, { fault, looks: 0 })
      return answerFault(fault, { json: { id, object: 'video', model: fields.model, status: 'queued', progress: 0, seconds: fields.seconds, size: fields.size } })
    }
    return answerFault(fault, { json: geminiModel ? await draw(fault, geminiModel) : await drawImages(fault, Number(fields.n ?? 1)), headers: { 'x-request-id': `wg_${++made}` } })
  }

  async function readFields({ headers, body, json }: Heard): Promise<{ fields: any; files: string[] }> {
    if (!headers['content-type']?.startsWith('multipart/form-data')) return { fields: json ?? {}, files: [] }
    const form = await readMultipart(Readable.from([body]), headers as Record<string, string>, { filesMax: 20, fieldsMax: 50, fileMax: 60_000_000, fieldMax: 100_000 })
    return { fields: Object.fromEntries(form.fields), files: form.files.map(({ field }) => field) }
  }

  function refusal(fault: string | null, nth: number): Reply | null {
    const refused = /^refused_(\d+)(_once)?$/.exec(fault ?? '')
    if (refused) return refused[2] && nth > 1 ? null : no(Number(refused[1]), 'It did not work.', 'api_error', null, { 'retry-after': '1' })
    switch (fault) {
      case 'policy': return no(400, 'Your request was rejected by the safety system.', 'invalid_request_error', 'content_policy_violation')
      case 'key': return no(401, 'Invalid token', 'authentication_error', 'invalid_api_key')
      case 'group': return no(403, 'Token Group vip Has Been Disabled', 'permission_error')
      case 'parameter': return no(403, 'This parameter is not supported by the model.', 'permission_error')
      case 'spent': return no(403, 'The balance of this token is insufficient.', 'new_api_error', 'insufficient_user_quota')
      case 'spent_429': return no(429, 'You exceeded your current quota.', 'insufficient_quota', 'insufficient_quota')
      case 'google_words': return { status: 429, json: { error: { code: 429, message: 'Resource has been exhausted.', status: 'RESOURCE_EXHAUSTED' } }, headers: { 'retry-after': '1' } }
      case 'anthropic_words': return { status: 400, json: { type: 'error', error: { type: 'invalid_request_error', message: 'No such thing.' }, request_id: 'r' } }
      case 'string_words': return { status: 400, json: { error: 'no such thing' } }
      case 'under_200': return { json: { error: { message: 'upstream error', type: 'upstream_error', param: null, code: null } } }
      case 'under_200_busy_once': return nth > 1 ? null : { json: { error: { message: 'busy', type: 'rate_limit_error', param: null, code: 429 } } }
      default: return null
    }
  }

  function mistake(geminiModel: string | null, fields: any): Reply | null {
    if (!models.test(geminiModel ?? fields.model)) return no(404, 'The model does not exist', 'invalid_request_error', 'model_not_found')
    const { imageSize, aspectRatio } = fields.generationConfig?.imageConfig ?? {}
    if (imageSize !== undefined && !['0.5K', '1K', '2K', '4K'].includes(imageSize)) return no(400, 'imageSize is wrong', 'invalid_request_error', 'invalid_format')
    if (aspectRatio !== undefined && !/^\d+:\d+$/.test(aspectRatio)) return no(400, 'aspectRatio is wrong', 'invalid_request_error', 'invalid_format')
    if (geminiModel && fields.generationConfig?.responseFormat) return no(400, 'responseFormat is unknown', 'invalid_request_error', 'invalid_format')
    return null
  }

  async function draw(fault: string | null, model: string): Promise<unknown> {
    const more = { usageMetadata: { promptTokenCount: 270, candidatesTokenCount: 1120, totalTokenCount: 1390 }, modelVersion: model, responseId: `wg${made}` }
    if (fault === 'blocked') return { candidates: [{ index: 0, content: {}, finishReason: 'IMAGE_SAFETY' }], ...more }
    if (fault === 'words') return { candidates: [{ index: 0, content: { parts: [{ text: 'Which dog?' }] }, finishReason: 'STOP' }], ...more }
    if (fault === 'empty') return { candidates: [], ...more }
    const bytes = fault === 'not_a_picture' ? Buffer.from(page.text!) : await paint(64, 64)
    return { candidates: [{ index: 0, finishReason: 'STOP', content: { role: 'model', parts: [{ text: 'Here is the desk.' }, { inlineData: { mimeType: 'image/png', data: bytes.toString('base64') } }] } }], ...more }
  }

  async function drawImages(fault: string | null, count: number): Promise<unknown> {
    const data = await Promise.all(Array.from({ length: fault === 'empty' ? 0 : count }, async (_, index) =>
      fault === 'links' || fault === 'expired' ? { url: `${loopback.url}/f/${fault}-${index}.png` } : { b64_json: (await paint(64, 64)).toString('base64') }))
    return { created: 1763632800, data, usage: { input_tokens: 12, output_tokens: 1290, total_tokens: 1302, input_tokens_details: { text_tokens: 12, image_tokens: 0 } } }
  }

  async function openFile(path: string): Promise<Reply> {
    stats.files++
    return path.includes('expired') ? { status: 403, text: 'expired' } : path.endsWith('.mp4') ? { bytes: film(), headers: { 'content-type': 'video/mp4' } } : { bytes: await paint(64, 64), headers: { 'content-type': 'image/png' } }
  }

  function look(id: string): Reply {
    stats.looks++
    const one = films.get(id)
    if (!one || one.fault === 'lost') return no(404, 'Video not found')
    const looks = ++one.looks
    if (one.fault === 'moment' && looks === 1) return no(404, 'Video not found')
    if (one.fault === 'blind' && looks <= 2) return looks === 1 ? { ...page, status: 502 } : no(500, 'trouble', 'api_error')
    if (looks === 1) return { json: { id, object: 'video', status: 'processing', progress: 33, error: null } }
    if (one.fault === 'film_failed') return { json: { id, object: 'video', status: 'failed', error: { code: 'server_error', message: 'It broke.' } } }
    if (one.fault === 'film_policy') return { json: { id, object: 'video', status: 'failed', error: { code: 'moderation_blocked', message: 'No.' } } }
    return { json: { id, object: 'video', status: 'completed', progress: 100, error: null, ...(one.fault === 'film_link' ? { meta_data: { url: `${loopback.url}/f/${id}.mp4` } } : {}) } }
  }

  function openFilm(id: string): Reply {
    stats.files++
    const { fault } = films.get(id)!
    if (fault === 'film_link' || fault === 'film_expired' || fault === 'film_expired_once' && counts.next(`file ${id}`) === 1) return no(404, 'The file has expired.')
    return { bytes: film(), headers: { 'content-type': 'video/mp4' } }
  }
}

export async function rehearse(): Promise<Rehearsal> {
  const upstream = await startWisdomGate()
  return {
    settings: { apiKey: wisdomKey, baseUrl: upstream.url }, model: 'gemini-3.1-flash-image-preview', key: wisdomKey, tellsCost: true,
    film: { model: 'sora-2', parameters: { aspect_ratio: '16:9', duration_s: 4 } },
    stats: upstream.stats, clear: upstream.clear, close: upstream.close,
    faults: {
      ...lineFaults(), busy_when: { says: 'fault:refused_429_once', ...again },
      no_picture: { says: 'fault:not_a_picture', ...bought('bad_output') },
      lost_job: { says: 'fault:lost', film: true, ...bought('provider_failed') }, moment: { says: 'fault:moment', film: true, ...fine }, blind: { says: 'fault:blind', film: true, ...fine },
      odd_200: { says: 'fault:under_200', asked: 1, bought: 0, captured: 0, code: 'provider_failed', costs: ['open'] },
      expired: { says: 'fault:film_expired', film: true, ...bought('output_expired') }, expired_once: { says: 'fault:film_expired_once', film: true, ...fine },
    },
  }
}
