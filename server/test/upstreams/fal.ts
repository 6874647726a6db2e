/**
 * fal's queue as its pages and its own client tell it: requests with addresses of their own, results that are asked for apart, files that
 * expire, uploads in two steps, call backs signed with Ed25519.
 *
 * What a prompt may rehearse: the line's faults (`loopback.ts`), `busy`, `busy_when`, `down`, `credits`, `key`, `forbidden`, `field`,
 * `safety`, `error_200`, `states`, `blind`, `moment`, `lost`, `fails`, `fails_logged`, `no_room`, `late`, `no_media`, `blocked`, `download`,
 * `stopped`, `hidden`, `half_hidden`, `empty`, `result_fault`, `expired`, `not_a_picture`, `wrong_mime`, `drip_file`, `one_lost`, `one_fails`.
 * The storage is told by `uploadFaults`.
 */
import { createHash, generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto'
import { endpointOf, unfitOf, type Endpoint } from './fal-types.ts'
import { again, answerFault, bought, counter, Cut, film, fine, lineFault, lineFaults, listen, page, paint, readFault, type Heard, type Loopback, type Rehearsal, type Reply } from './loopback.ts'

export interface FalStats { asked: number; bought: number; looks: number; results: number; uploads: number; files: number; cancelled: number; keys: number }
export interface FalUpstream extends Loopback {
  stats(): FalStats
  /** Endpoints and inputs, as they were handed in. */
  orders(): { endpoint: string; input: any; webhook: string | null; lifecycle: string | undefined }[]
  /** What the storage does next, first one first. */
  uploadFaults: ('busy' | 'cut' | 'key' | 'put')[]
  /** The headers fal signs a call back with. */
  signed(body: string, options?: { key?: KeyObject; atS?: number; id?: string }): Record<string, string>
  /** New keys, as after an exchange. */
  rotate(): void
  clear(): void
}

interface Kept { id: string; endpoint: string; input: any; fault: string | null; looks: number; nth: number; cancelled: boolean; count: number; makes: Endpoint['makes'] }

export const falKey = 'fal-rehearsed-id:fal-rehearsed-secret'
const userId = 'github|rehearsed'

const flaw = (type: string, msg: string, field = 'prompt', status = 422): Reply => ({ status, json: { detail: [{ loc: ['body', field], msg, type, url: `https://docs.fal.ai/errors#${type}` }] } })
const trouble = (status: number, error_type: string, detail: string): Reply => ({ status, json: { detail, error_type }, headers: { 'x-fal-error-type': error_type } })

const unknown: Reply = { status: 404, json: { detail: 'Request not found' } }

export async function startFal(): Promise<FalUpstream> {
  const kept = new Map<string, Kept>()
  const counts = counter()
  const orders: ReturnType<FalUpstream['orders']> = []
  const uploadFaults: FalUpstream['uploadFaults'] = []
  const none: FalStats = { asked: 0, bought: 0, looks: 0, results: 0, uploads: 0, files: 0, cancelled: 0, keys: 0 }
  let stats = { ...none }
  let pair = generateKeyPairSync('ed25519')
  const loopback = await listen(handle)

  return {
    ...loopback,
    stats: () => ({ ...stats }), orders: () => orders, uploadFaults, signed,
    rotate() { pair = generateKeyPairSync('ed25519') },
    clear() { stats = { ...none }; kept.clear(); counts.reset(); orders.length = 0; uploadFaults.length = 0; loopback.reset() },
  }

  function signed(body: string, { key = pair.privateKey, atS = Math.floor(Date.now() / 1000), id = randomUUID() }: { key?: KeyObject; atS?: number; id?: string } = {}): Record<string, string> {
    const message = [id, userId, atS, createHash('sha256').update(body).digest('hex')].join('\n')
    return { 'x-fal-webhook-request-id': id, 'x-fal-webhook-user-id': userId, 'x-fal-webhook-timestamp': String(atS), 'x-fal-webhook-signature': sign(null, Buffer.from(message), key).toString('hex') }
  }

  async function handle(heard: Heard): Promise<Reply> {
    const { method, path, headers } = heard
    if (method === 'GET' && path === '/.well-known/jwks.json') return publish()
    if (method === 'GET' && path.startsWith('/files/')) return openFile(path)
    if (method === 'PUT' && path.startsWith('/upload/')) return store(heard)
    if (headers.authorization !== `Key ${falKey}`) return { status: 401, json: { detail: 'Authentication is required to access this application.' } }
    if (method === 'POST' && path === '/storage/upload/initiate') return initiate(heard)
    const [, app, id, what = ''] = /^\/([^/]+\/[^/]+)\/requests\/([^/]+)(\/status|\/cancel)?$/.exec(path) ?? []
    if (app) return what === '/status' ? look(id!, app) : what === '/cancel' ? cancel(id!, method) : result(id!, app)
    if (method === 'POST') return queue(heard)
    return { status: 404, json: { detail: 'Not Found' } }
  }

  function publish(): Reply {
    stats.keys++
    const { x } = pair.publicKey.export({ format: 'jwk' })
    return { json: { keys: [{ kty: 'OKP', crv: 'Ed25519', x, kid: 'rehearsed' }] } }
  }

  function queue({ path, query, headers, json }: Heard): Reply {
    stats.asked++
    const endpoint = path.slice(1)
    orders.push({ endpoint, input: json, webhook: query.get('fal_webhook'), lifecycle: headers['x-fal-object-lifecycle-preference'] as string | undefined })
    const fault = readFault(json?.prompt ?? '')
    const nth = counts.next(`queue ${json?.prompt}`)
    const line = lineFault(fault, nth)
    if (line) return line
    switch (fault) {
      case 'busy': if (nth === 1) return { status: 429, json: { detail: 'Too many requests.' } }; break
      case 'busy_when': if (nth === 1) return { status: 429, headers: { 'retry-after': '1' }, json: { detail: 'Too many requests.' } }; break
      case 'down': return trouble(503, 'internal_error', 'Service unavailable')
      case 'credits': return { status: 403, json: { detail: 'User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing.' } }
      case 'key': return { status: 401, json: { detail: 'Cannot access application. Authentication is required to access this application.' } }
      case 'forbidden': return { status: 403, json: { detail: 'The key does not have the permission for this operation.' } }
      case 'field': return flaw('missing', 'Field required')
      case 'safety': return flaw('content_policy_violation', 'The content could not be processed because it contained material flagged by a content checker.')
      case 'error_200': return { json: { detail: [{ loc: ['body', 'prompt'], msg: 'flagged', type: 'content_policy_violation' }] } }
    }
    const known = endpointOf(endpoint)
    if (!known) return { status: 404, json: { detail: `Application "${endpoint}" not found` } }
    const wrong = unfitOf(endpoint, json ?? {})
    if (wrong) return flaw(wrong.type, wrong.why, wrong.field)
    stats.bought++
    const id = randomUUID()
    kept.set(id, { id, endpoint, input: json, fault, looks: 0, nth, cancelled: false, count: json.num_images ?? 1, makes: known.makes })
    if (fault === 'one_lost' && nth === 2) throw new Cut()
    const app = `${loopback.url}/${endpoint.split('/').slice(0, 2).join('/')}/requests/${id}`
    return answerFault(fault, { json: { status: 'IN_QUEUE', request_id: id, response_url: app, status_url: `${app}/status`, cancel_url: `${app}/cancel`, logs: null, metrics: {}, queue_position: 0 } })
  }

  function find(id: string, app: string): Kept | null {
    const one = kept.get(id)
    return one && one.fault !== 'lost' && one.endpoint.startsWith(app) ? one : null
  }

  function look(id: string, app: string): Reply {
    stats.looks++
    const one = find(id, app)
    if (!one) return unknown
    const looks = ++one.looks
    if (one.fault === 'moment' && looks === 1) return unknown
    if (one.fault === 'blind' && looks <= 2) return looks === 1 ? { ...page, status: 502 } : trouble(500, 'internal_error', 'Internal error')
    const base = { request_id: id, response_url: `${loopback.url}/${app}/requests/${id}` }
    if (one.fault === 'states' && looks <= 3) {
      return looks === 3 ? { status: 202, json: { status: 'SOMETHING_NEW', ...base } } : { status: 202, json: looks === 1 ? { status: 'IN_QUEUE', ...base, queue_position: 3 } : { status: 'IN_PROGRESS', ...base, logs: [] } }
    }
    const failed = (error: string, error_type?: string): Reply => ({ json: { status: 'COMPLETED', ...base, logs: [], error, ...(error_type ? { error_type } : {}), metrics: { inference_time: 0.4 } } })
    if (one.cancelled || one.fault === 'stopped') return failed('Request was cancelled', 'client_cancelled')
    switch (one.fault) {
      case 'fails': return failed('Runner disconnected', 'runner_disconnected')
      case 'fails_logged': return failed('Invalid status code: 500')
      case 'no_room': if (one.nth === 1) return failed('No runner could be allocated', 'runner_scheduling_failure'); break
      case 'late': return failed('Request timed out', 'request_timeout')
      case 'one_fails': if (one.nth === 2) return failed('Runner server error', 'runner_server_error'); break
    }
    return { json: { status: 'COMPLETED', ...base, logs: [{ message: 'done', level: 'INFO', source: 'USER', timestamp: '2026-11-20T09:00:00Z' }], metrics: { inference_time: 3.25 } } }
  }

  async function result(id: string, app: string): Promise<Reply> {
    stats.results++
    const one = find(id, app)
    if (!one) return unknown
    const { fault, endpoint, nth, count, makes } = one
    if (one.cancelled || fault === 'stopped') return trouble(499, 'client_cancelled', 'Request was cancelled')
    switch (fault) {
      case 'fails': return trouble(503, 'runner_disconnected', 'Runner disconnected')
      case 'fails_logged': return { status: 500, json: { detail: 'CUDA error: out of memory' } }
      case 'no_room': if (nth === 1) return trouble(503, 'runner_scheduling_failure', 'No runner could be allocated'); break
      case 'late': return trouble(504, 'request_timeout', 'Request timed out')
      case 'one_fails': if (nth === 2) return trouble(500, 'runner_server_error', 'Runner server error'); break
      case 'no_media': return flaw('no_media_generated', 'The model generated no image for this prompt.')
      case 'blocked': return flaw('content_policy_violation', 'The content was flagged by a content checker.')
      case 'download': return flaw('file_download_error', 'Failed to download the file.', 'image_url')
      case 'empty': return { json: { images: [], seed: 1 } }
      case 'result_fault': if (counts.next(`result ${id}`) === 1) return trouble(500, 'unheard_of', 'Try again'); break
    }
    const headers = { 'x-fal-request-id': id, 'x-fal-billable-units': String(count) }
    const file = (index: number, type: string) => ({ url: `${loopback.url}/files/${id}_${index}.${type === 'video/mp4' ? 'mp4' : 'png'}`, content_type: type, file_name: `${index}`, file_size: 1000 })
    if (makes === 'video') return { json: { video: file(0, 'video/mp4') }, headers }
    if (makes === 'image') return { json: { image: file(0, 'image/png') }, headers }
    const images = Array.from({ length: count }, (_, index) => ({ ...file(index, 'image/png'), width: 64, height: 64 }))
    if (/nano-banana/.test(endpoint) && fault !== 'hidden' && fault !== 'half_hidden') return { json: { images, description: '' }, headers }
    return { json: { images, seed: one.input.seed ?? 4711, has_nsfw_concepts: images.map((_, index) => fault === 'hidden' || fault === 'half_hidden' && index === 0), prompt: one.input.prompt, timings: { inference: 3.2 } }, headers }
  }

  function cancel(id: string, method: string): Reply {
    const one = kept.get(id)
    if (method !== 'PUT') return { status: 405, json: { detail: 'Method Not Allowed' } }
    if (!one) return { status: 404, json: { status: 'NOT_FOUND' } }
    if (one.looks > 0 && one.fault !== 'states') return { status: 400, json: { status: 'ALREADY_COMPLETED' } }
    stats.cancelled++
    one.cancelled = true
    return { status: 202, json: { status: 'CANCELLATION_REQUESTED' } }
  }

  async function openFile(path: string): Promise<Reply> {
    stats.files++
    const one = kept.get(path.slice(7, 43))
    if (!one) return { status: 404, text: 'not found' }
    if (one.fault === 'expired' || one.fault === 'expired_once' && counts.next(`file ${path}`) === 1) return { status: 404, text: 'The file has expired' }
    if (one.fault === 'not_a_picture') return { ...page, headers: { 'content-type': 'image/png' } }
    if (path.endsWith('.mp4')) return { bytes: film(), headers: { 'content-type': 'video/mp4' } }
    return { bytes: await paint(64, 64), headers: { 'content-type': one.fault === 'wrong_mime' ? 'text/html' : 'image/png' }, ...(one.fault === 'drip_file' ? { drip: true } : {}) }
  }

  function initiate({ json, query }: Heard): Reply {
    stats.uploads++
    const fault = uploadFaults[0] === 'put' ? undefined : uploadFaults.shift()
    if (fault === 'busy') return { status: 429, headers: { 'retry-after': '1' }, json: { detail: 'Too many requests.' } }
    if (fault === 'cut') throw new Cut()
    if (fault === 'key') return { status: 401, json: { detail: 'No user found for Key ID and Secret' } }
    if (!json?.content_type || !json?.file_name || query.get('storage_type') !== 'fal-cdn-v3') return flaw('missing', 'Field required', 'content_type')
    return { json: { upload_url: `${loopback.url}/upload/${json.file_name}?signature=abc`, file_url: `https://v3b.fal.media/files/b/${json.file_name}` } }
  }

  function store({ headers, body }: Heard): Reply {
    if (headers.authorization) return { status: 400, text: '<Error>a signed address takes no key</Error>' }
    if (uploadFaults[0] === 'put') { uploadFaults.shift(); return { status: 503, text: '<Error><Code>SlowDown</Code></Error>' } }
    return body.length > 0 ? { text: '' } : { status: 400, text: 'empty' }
  }
}

export async function rehearse(): Promise<Rehearsal> {
  const upstream = await startFal()
  return {
    settings: { apiKey: falKey, queueUrl: upstream.url, restUrl: upstream.url }, model: 'fal-ai/nano-banana-pro', key: falKey, tellsCost: false,
    stats: upstream.stats, clear: upstream.clear, close: upstream.close,
    callBack: (id, atS) => { const body = JSON.stringify({ request_id: id, gateway_request_id: id, status: 'OK', payload: { images: [] } }); return { body, headers: upstream.signed(body, { atS }) } },
    faults: {
      ...lineFaults(), busy: { says: 'fault:busy', ...again }, busy_when: { says: 'fault:busy_when', ...again },
      no_picture: { says: 'fault:not_a_picture', ...bought('bad_output') },
      lost_job: { says: 'fault:lost', ...bought('provider_failed') }, moment: { says: 'fault:moment', ...fine }, blind: { says: 'fault:blind', ...fine },
      // Refused at the door, which surely cost nothing.
      odd_200: { says: 'fault:error_200', asked: 1, bought: 0, captured: 0, code: 'content_rejected', costs: ['told'] },
      expired: { says: 'fault:expired', ...bought('output_expired') }, expired_once: { says: 'fault:expired_once', ...fine },
    },
  }
}
