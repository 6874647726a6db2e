/**
 * The upstreams that are reached through packages of the AI SDK, and two beside them, each by the wire its package speaks (or its pages tell):
 * one loopback server with a table of dialects.
 *
 * What a prompt may rehearse: the line's faults (`loopback.ts`), `busy`, `down`, `full`, `key`, `credits`, `field`, `safety`, `safety_200`,
 * `nothing`, `wrong_mime`, `one_busy`; of those that are looked at also `states`, `blind`, `lost`, `moment`, `one_slow` (the second of several), `fails`, `moderated`, `empty`, `expired`.
 */
import { generateKeyPairSync } from 'node:crypto'
import { again, answerFault, bought, counter, film, fine, inTheCall, lineFault, lineFaults, listen, page, paint, readFault, type Fault, type Heard, type Loopback, type Rehearsal, type Reply } from './loopback.ts'

export interface SdkStats { asked: number; bought: number; looks: number; files: number }
export interface SdkUpstream extends Loopback {
  settings: Record<string, string>
  key: string
  stats(): SdkStats
  /** What was handed in: the address and the body, as far as it was JSON. */
  orders(): { path: string; json: any; headers: Heard['headers'] }[]
  clear(): void
}

/** What was asked for, out of a body. */
interface Asked { prompt: string; count: number; width?: number; height?: number; isFilm?: boolean }

interface Dialect {
  /** The upstream's name of a model that draws at the size it is asked for. */
  model: string
  settings(url: string, key: string): Record<string, string>
  /** Whether a call carries the key. */
  isOurs(headers: Heard['headers'], key: string): boolean
  /** An order, or null for another address. */
  read(heard: Heard): Asked | null
  answer(pictures: Buffer[], heard: Heard): Reply
  /** A refusal in its words. */
  refuse(status: number, message: string, heard: Heard): Reply
  /** A prompt its filter would not have, with HTTP 200; absent where it says so by status. */
  blocked?(): Reply
  /** For those that answer with a receipt. */
  queue?: { begun(id: string, url: string, heard: Heard): Reply; isLook(heard: Heard): string | null; look(state: 'waiting' | 'done' | 'fails' | 'moderated' | 'empty' | 'missing', link: string, id: string, heard: Heard): Reply }
  /** Another call that costs nothing: a token. */
  beside?(heard: Heard): Reply | null
}

const bearer = (headers: Heard['headers'], key: string) => headers.authorization === `Bearer ${key}`
const json = (status: number, body: unknown): Reply => ({ status, json: body })
const b64 = (pictures: Buffer[]) => pictures.map(one => ({ b64_json: one.toString('base64') }))
const post = ({ method, path }: Heard, pattern: RegExp) => method === 'POST' && pattern.test(path)
const field = ({ body }: Heard, name: string) => new RegExp(`name="${name}"\\r\\n\\r\\n([^\\r]*)`).exec(body.toString('latin1'))?.[1] ?? ''

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } })

const xaiQueue: NonNullable<Dialect['queue']> = {
  begun: id => json(200, { request_id: id }),
  isLook: ({ method, path }) => method === 'GET' ? /^\/v1\/videos\/(.+)$/.exec(path)?.[1] ?? null : null,
  look(state, link, id) {
    switch (state) {
      case 'waiting': return json(202, { status: 'pending', progress: 30 })
      case 'fails': return json(200, { status: 'failed', error: { code: 'internal', message: 'The renderer gave up.' } })
      case 'moderated': return json(200, { status: 'done', video: { url: link, respect_moderation: false } })
      case 'empty': return json(200, { status: 'done', video: {} })
      case 'missing': return json(404, { code: 'not-found', error: `No such request: ${id}` })
      case 'done': return json(200, { status: 'done', video: { url: link, duration: 5 }, usage: { cost_in_usd_ticks: 2_500_000_000 } })
    }
  },
}
const vertexQueue: NonNullable<Dialect['queue']> = {
  begun: id => json(200, { name: `projects/rehearsed/operations/${id}` }),
  isLook: heard => post(heard, /:fetchPredictOperation$/) ? /operations\/(.+)$/.exec(heard.json?.operationName)?.[1] ?? '' : null,
  look(state, _link, id) {
    const name = `projects/rehearsed/operations/${id}`
    switch (state) {
      case 'waiting': return json(200, { name })
      case 'fails': return json(200, { name, done: true, error: { code: 13, message: 'Internal trouble.' } })
      case 'moderated': return json(200, { name, done: true, error: { code: 3, message: 'The prompt violates our usage policy.' } })
      case 'empty': return json(200, { name, done: true, response: { raiMediaFilteredCount: 0 } })
      case 'missing': return json(404, { error: { code: 404, message: 'Operation not found.', status: 'NOT_FOUND' } })
      case 'done': return json(200, { name, done: true, response: { videos: [{ bytesBase64Encoded: film().toString('base64'), mimeType: 'video/mp4' }] } })
    }
  },
}

export const dialects: Record<string, Dialect> = {
  together: {
    model: 'black-forest-labs/FLUX.1-schnell', settings: (url, apiKey) => ({ apiKey, baseUrl: `${url}/v1` }), isOurs: bearer,
    read: heard => post(heard, /^\/v1\/images\/generations$/) ? { prompt: heard.json.prompt, count: heard.json.n ?? 1, width: heard.json.width, height: heard.json.height } : null,
    answer: (pictures, heard) => json(200, { id: 'o1', model: 'x', object: 'list', prompt: heard.json.prompt, data: b64(pictures).map((one, index) => ({ index, type: 'b64_json', ...one })) }),
    refuse: (status, message) => json(status, { id: 'o1', error: { message, type: 'invalid_request_error', param: null, code: null } }),
  },
  deepinfra: {
    model: 'black-forest-labs/FLUX-1-schnell', settings: (url, apiKey) => ({ apiKey, baseUrl: `${url}/v1` }), isOurs: bearer,
    read: heard => post(heard, /^\/v1\/inference\//) ? { prompt: heard.json.prompt, count: heard.json.num_images ?? 1, width: Number(heard.json.width), height: Number(heard.json.height) }
      : post(heard, /^\/v1\/openai\/images\/edits$/) ? { prompt: field(heard, 'prompt'), count: Number(field(heard, 'n') || 1) } : null,
    answer: (pictures, { path }) => json(200, path.includes('/openai/') ? { data: b64(pictures) } : { images: pictures.map(one => `data:image/png;base64,${one.toString('base64')}`), nsfw_content_detected: [false], seed: 1, request_id: 'r', inference_status: { status: 'succeeded', cost: 0.0005 } }),
    refuse: (status, message, { path }) => json(status, path.includes('/openai/') ? { error: { message } } : { detail: { error: message } }),
  },
  fireworks: {
    model: 'accounts/fireworks/models/stable-diffusion-xl-1024-v1-0', settings: (url, apiKey) => ({ apiKey, baseUrl: `${url}/inference/v1` }), isOurs: bearer,
    read: heard => post(heard, /\/workflows\/.+\/text_to_image$|\/image_generation\//) ? { prompt: heard.json.prompt, count: 1, width: Number(heard.json.width ?? 64), height: Number(heard.json.height ?? 64) } : null,
    answer: ([picture]) => picture ? { bytes: picture, headers: { 'content-type': 'image/png' } } : { bytes: Buffer.alloc(0), headers: { 'content-type': 'image/png' } },
    refuse: (status, message) => json(status, { error: { object: 'error', type: 'invalid_request_error', message } }),
  },
  xai: {
    model: 'grok-imagine-image', settings: (url, apiKey) => ({ apiKey, baseUrl: `${url}/v1` }), isOurs: bearer,
    read: heard => post(heard, /^\/v1\/images\/(generations|edits)$/) ? { prompt: heard.json.prompt, count: heard.json.n ?? 1 } : post(heard, /^\/v1\/videos\/generations$/) ? { prompt: heard.json.prompt, count: 1, isFilm: true } : null,
    answer: pictures => json(200, { data: b64(pictures).map(one => ({ ...one, revised_prompt: 'A kite, and more.' })), usage: { cost_in_usd_ticks: 200_000_000 * pictures.length } }),
    refuse: (status, message) => json(status, { code: 'invalid-argument', error: message }),
    blocked: () => json(200, { data: [{ b64_json: Buffer.from('x').toString('base64'), respect_moderation: false }] }),
    queue: xaiQueue,
  },
  bedrock: {
    model: 'amazon.nova-canvas-v1:0', settings: (url, apiKey) => ({ region: 'us-east-1', apiKey, baseUrl: url }), isOurs: bearer,
    read: heard => post(heard, /^\/model\/.+\/invoke$/) ? {
      prompt: heard.json.textToImageParams?.text ?? heard.json.imageVariationParams?.text ?? heard.json.inPaintingParams?.text ?? '', count: heard.json.imageGenerationConfig?.numberOfImages ?? 1,
      width: heard.json.imageGenerationConfig?.width, height: heard.json.imageGenerationConfig?.height } : null,
    answer: pictures => json(200, { images: pictures.map(one => one.toString('base64')), error: null }),
    refuse: (status, message) => json(status, { message }),
    blocked: () => json(200, { id: 'm', status: 'Request Moderated', result: null, details: { 'Moderation Reasons': ['Derivative Works Filter'] } }),
  },
  prodia: {
    model: 'inference.flux-fast.schnell.txt2img.v2', settings: (url, apiKey) => ({ apiKey, baseUrl: `${url}/v2` }), isOurs: bearer,
    read: heard => post(heard, /^\/v2\/job$/) ? { prompt: heard.json.config.prompt, count: 1, width: heard.json.config.width, height: heard.json.config.height } : null,
    answer: ([picture]) => ({
      bytes: Buffer.concat([
        Buffer.from(`--seam\r\ncontent-disposition: form-data; name="job"; filename="job.json"\r\ncontent-type: application/json\r\n\r\n${JSON.stringify({ id: 'job-1', config: { seed: 5 }, metrics: { elapsed: 0.2 }, price: { product: 'x', dollars: 0.0011 } })}\r\n`),
        ...picture ? [Buffer.from('--seam\r\ncontent-disposition: form-data; name="output"; filename="output.png"\r\ncontent-type: image/png\r\n\r\n'), picture, Buffer.from('\r\n')] : [], Buffer.from('--seam--\r\n')]),
      headers: { 'content-type': 'multipart/form-data; boundary=seam' },
    }),
    refuse: (status, message) => json(status, { error: 'refused', message }),
  },
  vertex: {
    model: 'gemini-nano-banana-2.1',
    settings: url => ({ project: 'rehearsed-project', location: 'global', clientEmail: 'plantain@rehearsed-project.iam.gserviceaccount.com', privateKey, baseUrl: `${url}/v1beta1/publishers/google`, tokenUrl: `${url}/token` }),
    isOurs: (headers, key) => bearer(headers, key) && headers['x-goog-api-key'] === undefined,
    beside: heard => heard.path === '/token' ? new URLSearchParams(heard.body.toString()).get('assertion')?.split('.').length === 3 ? json(200, { access_token: 'vertex-rehearsed-key', expires_in: 3599, token_type: 'Bearer' }) : json(400, { error: 'invalid_grant' }) : null,
    read: heard => post(heard, /:generateContent$/) ? { prompt: heard.json.contents[0].parts[0].text, count: 1 } : post(heard, /:predictLongRunning$/) ? { prompt: heard.json.instances[0].prompt, count: heard.json.parameters.sampleCount, isFilm: true } : null,
    answer: ([picture]) => json(200, {
      candidates: [{ index: 0, finishReason: 'STOP', content: { role: 'model', parts: picture ? [{ inlineData: { mimeType: 'image/png', data: picture.toString('base64') } }] : [] } }],
      usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 1120, totalTokenCount: 1125 } }),
    refuse: (status, message) => json(status, { error: { code: status, message, status: 'INVALID_ARGUMENT' } }),
    blocked: () => json(200, { candidates: [{ index: 0, content: {}, finishReason: 'IMAGE_SAFETY' }], usageMetadata: { promptTokenCount: 5, totalTokenCount: 5 } }),
    queue: vertexQueue,
  },
  bfl: {
    model: 'flux-2-pro', settings: (url, apiKey) => ({ apiKey, baseUrl: `${url}/v1` }), isOurs: (headers, key) => headers['x-key'] === key,
    read: heard => post(heard, /^\/v1\/flux/) ? { prompt: heard.json.prompt, count: 1, width: heard.json.width, height: heard.json.height } : null,
    answer: () => json(500, {}),
    refuse: (status, message) => json(status, { detail: status === 422 ? [{ loc: ['body', 'prompt'], msg: message, type: 'value_error' }] : message }),
    queue: {
      begun: (id, url) => json(200, { id, polling_url: `${url}/v1/get_result?id=${id}`, cost: 3, input_mp: 0, output_mp: 1 }),
      isLook: ({ method, path, query }) => method === 'GET' && path === '/v1/get_result' ? query.get('id') ?? '' : null,
      look(state, link, id) {
        const of = (status: string, more = {}) => json(200, { id, status, result: null, progress: null, details: null, ...more })
        switch (state) {
          case 'waiting': return of('Pending', { progress: 0.4 })
          case 'fails': return of('Error')
          case 'moderated': return of('Content Moderated', { details: { 'Moderation Reasons': ['Safety Filter'] } })
          case 'empty': return of('Ready', { result: {} })
          case 'missing': return of('Task not found')
          case 'done': return of('Ready', { result: { sample: link, seed: 42, prompt: 'x' } })
        }
      },
    },
  },
  luma: {
    model: 'photon-1', settings: (url, apiKey) => ({ apiKey, baseUrl: `${url}/dream-machine/v1` }), isOurs: bearer,
    read: heard => post(heard, /\/generations\/image$/) ? { prompt: heard.json.prompt, count: 1 } : null,
    answer: () => json(500, {}),
    refuse: (status, message) => json(status, { detail: message }),
    queue: {
      begun: id => json(201, { id, state: 'queued', failure_reason: null, assets: null, model: 'photon-1' }),
      isLook: ({ method, path }) => method === 'GET' ? /^\/dream-machine\/v1\/generations\/(.+)$/.exec(path)?.[1] ?? null : null,
      look(state, link, id) {
        const of = (word: string, more = {}) => json(200, { id, state: word, failure_reason: null, assets: null, ...more })
        switch (state) {
          case 'waiting': return of('dreaming')
          case 'fails': return of('failed', { failure_reason: 'Internal trouble' })
          case 'moderated': return of('failed', { failure_reason: '400: prompt not allowed because advanced moderation failed' })
          case 'empty': return of('completed', { assets: { image: null } })
          case 'missing': return json(404, { detail: 'Generation not found' })
          case 'done': return of('completed', { assets: { image: link } })
        }
      },
    },
  },
}

interface Kept { id: string; fault: string | null; nth: number; looks: number; width: number; height: number; isFilm: boolean }

export async function startSdk(name: string): Promise<SdkUpstream> {
  const dialect = dialects[name]!
  const key = `${name}-rehearsed-key`
  const kept = new Map<string, Kept>()
  const counts = counter()
  let stats: SdkStats = { asked: 0, bought: 0, looks: 0, files: 0 }
  const orders: ReturnType<SdkUpstream['orders']> = []
  const loopback = await listen(handle)
  return {
    ...loopback, key, settings: dialect.settings(loopback.url, key), stats: () => ({ ...stats }), orders: () => orders,
    clear() { stats = { asked: 0, bought: 0, looks: 0, files: 0 }; kept.clear(); counts.reset(); orders.length = 0; loopback.reset() },
  }

  async function handle(heard: Heard): Promise<Reply> {
    const beside = dialect.beside?.(heard)
    if (beside) return beside
    if (heard.method === 'GET' && heard.path.startsWith('/sample/')) return open(heard.path)
    if (heard.method === 'GET' && /\/(models|credits)$/.test(heard.path)) return dialect.isOurs(heard.headers, key) ? json(200, { object: 'list', data: [], credits: 42, credit_balance: 42 }) : dialect.refuse(401, 'Invalid credentials.', heard)
    const looked = dialect.queue?.isLook(heard) ?? null
    if (looked !== null) return look(looked, heard)
    const asked = dialect.read(heard)
    return asked ? order(asked, heard) : { status: 404, json: { error: { message: `No such address: ${heard.method} ${heard.path}` } } }
  }

  async function order({ prompt, count, width = 64, height = 64, isFilm = false }: Asked, heard: Heard): Promise<Reply> {
    stats.asked++
    orders.push({ path: heard.path, json: heard.json, headers: heard.headers })
    const no = (status: number, message: string, headers: Record<string, string> = {}): Reply => ({ ...dialect.refuse(status, message, heard), headers })
    if (!dialect.isOurs(heard.headers, key)) return no(401, 'Invalid credentials.')
    const fault = readFault(prompt)
    const nth = counts.next(`order ${prompt}`)
    const line = lineFault(fault, nth)
    if (line) return line
    switch (fault) {
      case 'busy': if (nth === 1) return no(429, 'Rate limit reached.', { 'retry-after': '1' }); break
      case 'one_busy': if (nth === 2) return no(429, 'Rate limit reached.'); break
      case 'down': if (nth === 1) return no(500, 'Internal server error.'); break
      case 'full': if (nth === 1) return no(503, 'The model is overloaded.', { 'retry-after': '1' }); break
      case 'key': return no(401, 'Invalid credentials.')
      case 'credits': return no(402, 'Insufficient credits.')
      case 'field': return no(name === 'bfl' ? 422 : 400, 'width: must be a multiple of 8.')
      case 'safety': return no(400, 'The prompt was blocked by the content policy.')
      case 'safety_200': if (dialect.blocked) return dialect.blocked(); break
    }
    stats.bought++
    if (dialect.queue && (isFilm || name === 'bfl' || name === 'luma')) {
      const id = `job-${name}-${stats.bought}-${counts.next('id')}`
      kept.set(id, { id, fault, nth, looks: 0, width, height, isFilm })
      return answerFault(fault, dialect.queue.begun(id, loopback.url, heard))
    }
    const pictures = fault === 'nothing' ? [] : fault === 'wrong_mime' ? [Buffer.from(page.text!)] : await Promise.all(Array.from({ length: count }, () => paint(width, height)))
    return answerFault(fault, dialect.answer(pictures, heard))
  }

  function look(id: string, heard: Heard): Reply {
    stats.looks++
    if (!dialect.isOurs(heard.headers, key)) return dialect.refuse(401, 'Invalid credentials.', heard)
    const one = kept.get(id)
    const link = `${loopback.url}/sample/${id}.${one?.isFilm ? 'mp4' : 'png'}`
    const of = (state: Parameters<NonNullable<Dialect['queue']>['look']>[0]) => dialect.queue!.look(state, link, id, heard)
    if (!one || one.fault === 'lost') return of('missing')
    const looks = ++one.looks
    if (one.fault === 'moment' && looks === 1) return of('missing')
    if (one.fault === 'one_slow' && one.nth === 2 && looks === 1) return of('waiting')
    switch (one.fault) {
      case 'states': return of(looks < 3 ? 'waiting' : 'done')
      case 'blind': return looks === 1 ? { ...page, status: 502 } : looks === 2 ? dialect.refuse(500, 'Internal server error.', heard) : of('done')
      case 'fails': case 'moderated': case 'empty': return of(one.fault)
      default: return of('done')
    }
  }

  async function open(path: string): Promise<Reply> {
    stats.files++
    const one = kept.get(/^\/sample\/(.+)\.(png|mp4)$/.exec(path)?.[1] ?? '')
    if (!one || one.fault === 'expired' || one.fault === 'expired_once' && counts.next(path) === 1) return { status: 403, text: 'expired' }
    if (one.fault === 'wrong_mime') return { ...page, headers: { 'content-type': 'image/png' } }
    return one.isFilm ? { bytes: film(), headers: { 'content-type': 'video/mp4' } } : { bytes: await paint(one.width, one.height), headers: { 'content-type': 'image/png' } }
  }
}

/** Those that make films, by which model; and those that say what they took. */
export const films: Record<string, string> = { xai: 'grok-imagine-video-1.5', vertex: 'veo-3.1-generate-001' }
export const tellsCost = new Set(['xai', 'prodia', 'bfl'])
/** What a card of theirs has: pixels, in one way or another. */
export const shapes = { aspect_ratio: { enum: ['auto', '1:1', '16:9'], default: 'auto' }, resolution: { enum: ['1K'], default: '1K' } }

/** A failure under HTTP 200, as each says it. */
function odd(name: string): Fault {
  if (dialects[name]!.blocked) return { says: 'fault:safety_200', asked: 1, bought: 0, captured: 0, code: 'content_rejected', costs: ['open'] }
  return name === 'bfl' || name === 'luma' ? { says: 'fault:fails', ...bought('provider_failed') } : { says: 'fault:nothing', ...bought(name === 'prodia' ? 'outcome_unknown' : 'bad_output') }
}

/** For `upstreams/<provider>.ts`. */
export const rehearseSdk = (name: string) => async (): Promise<Rehearsal> => {
  const upstream = await startSdk(name)
  const { model } = dialects[name]!
  const waits = name === 'bfl' || name === 'luma'
  const filmed = films[name]
  return {
    settings: upstream.settings, model, parameters: shapes, key: upstream.key, tellsCost: tellsCost.has(name),
    ...(filmed ? { film: { model: filmed, parameters: { aspect_ratio: '16:9', duration_s: 4 } } } : {}),
    stats: upstream.stats, clear: upstream.clear, close: upstream.close,
    faults: {
      ...lineFaults(), busy_when: { says: 'fault:busy', ...again },
      // A picture that is the whole answer is half a picture, or a page, and known as none.
      ...(name === 'fireworks' ? { half_json: { says: 'fault:half_json', ...bought('bad_output') }, page: { says: 'fault:page', ...bought('bad_output') } } : {}),
      no_picture: { says: 'fault:wrong_mime', ...bought('bad_output') },
      lost_job: waits || filmed ? { says: 'fault:lost', ...(waits ? {} : { film: true }), ...bought('provider_failed') } : inTheCall.lost_job,
      ...Object.fromEntries((['moment', 'blind'] as const).map(one => [one, waits || filmed ? { says: `fault:${one}`, ...(waits ? {} : { film: true, ...(name === 'xai' ? { costs: ['told'] } : {}) }), ...fine } : inTheCall[one]])) as Record<'moment' | 'blind', Fault | string>,
      odd_200: odd(name),
      expired: waits || name === 'xai' ? { says: 'fault:expired', ...(waits ? {} : { film: true, costs: ['told'] }), ...bought('output_expired') } : inTheCall.expired,
      expired_once: waits || name === 'xai' ? { says: 'fault:expired_once', ...(waits ? {} : { film: true, costs: ['told'] }), ...fine } : inTheCall.expired_once,
    },
  }
}
