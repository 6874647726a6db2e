/**
 * Replicate as its HTTP API and its own client tell it: predictions that are asked for, looked at, listed and cancelled, files that are
 * uploaded, call backs by Standard Webhooks.
 *
 * What a prompt may rehearse: the line's faults (`loopback.ts`), `busy`, `busy_when`, `down`, `credits`, `key`, `forbidden`, `field`, `safety`,
 * `at_once`, `fails_at_once`, `states`, `blind`, `moment`, `lost`, `fails`, `flagged`, `canceled`, `aborted`, `removed`, `empty`, `object`, `own_file`,
 * `expired`, `not_a_picture`, `wrong_mime`, `drip_file`, `one_busy`, `one_lost`, `one_fails`, `mute` (the answer is lost, and the list does not
 * tell where it calls back). The storage is told by `uploadFaults`.
 */
import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import { unfitOf } from './replicate-schemas.ts'
import { again, answerFault, bought, counter, Cut, film, fine, lineFault, lineFaults, listen, page, paint, readFault, type Heard, type Loopback, type Rehearsal, type Reply } from './loopback.ts'

export interface ReplicateStats { asked: number; bought: number; looks: number; lists: number; uploads: number; files: number; cancelled: number; secrets: number }
export interface ReplicateUpstream extends Loopback {
  stats(): ReplicateStats
  /** Bodies of new predictions, with the path they were sent to. */
  orders(): { path: string; input: any; version: string | undefined; webhook: string | undefined; webhook_events_filter: string[] | undefined }[]
  uploadFaults: ('busy' | 'cut' | 'key')[]
  /** The headers Replicate signs a call back with. */
  signed(body: string, options?: { secret?: string; atS?: number; id?: string }): Record<string, string>
  secret: string
  /** The host of results, another one than that of the API. */
  delivery: Loopback
  /** Predictions of others, the newest first in the list, made so many milliseconds ago. */
  crowd(count: number, agoMs?: number): void
  clear(): void
}

interface Kept { id: string; model: string; input: any; webhook: string | undefined; fault: string | null; looks: number; nth: number; cancelled: boolean; at: number }

export const replicateKey = 'r8_rehearsed'
const secret = `whsec_${randomBytes(24).toString('base64')}`
const no = (status: number, title: string, detail: string, headers: Record<string, string> = {}): Reply => ({ status, json: { title, detail, status }, headers })
const unfit = (field: string, description: string): Reply => ({ status: 422, json: { title: 'Input validation failed', detail: `- input.${field}: ${description}\n`, status: 422, invalid_fields: [{ type: 'invalid', field: `input.${field}`, description }] } })
const missing = no(404, 'Not found', 'The requested resource could not be found.')
const newId = () => randomUUID().replaceAll('-', '').slice(0, 26)

export async function startReplicate(): Promise<ReplicateUpstream> {
  const kept = new Map<string, Kept>()
  const counts = counter()
  const orders: ReturnType<ReplicateUpstream['orders']> = []
  const uploadFaults: ReplicateUpstream['uploadFaults'] = []
  const none: ReplicateStats = { asked: 0, bought: 0, looks: 0, lists: 0, uploads: 0, files: 0, cancelled: 0, secrets: 0 }
  let stats = { ...none }
  const loopback = await listen(handle)
  const delivery = await listen(({ path }) => openFile(path))

  return {
    ...loopback,
    stats: () => ({ ...stats }), orders: () => orders, uploadFaults, signed, secret, delivery,
    async close() { await Promise.all([loopback.close(), delivery.close()]) },
    crowd(count, agoMs = 0) { for (let index = 0; index < count; index++) keep({ model: 'someone/else', input: {}, webhook: `https://else.example/${index}`, fault: null, nth: 1, at: Date.now() - agoMs }) },
    clear() { stats = { ...none }; kept.clear(); counts.reset(); orders.length = 0; uploadFaults.length = 0; loopback.reset(); delivery.reset() },
  }

  function signed(body: string, { secret: key = secret, atS = Math.floor(Date.now() / 1000), id = `msg_${newId()}` }: { secret?: string; atS?: number; id?: string } = {}): Record<string, string> {
    const signature = createHmac('sha256', Buffer.from(key.slice(6), 'base64')).update(`${id}.${atS}.${body}`).digest('base64')
    return { 'webhook-id': id, 'webhook-timestamp': String(atS), 'webhook-signature': `v1,${signature}` }
  }

  function keep(one: Omit<Kept, 'id' | 'looks' | 'cancelled'>): Kept {
    const all: Kept = { ...one, id: newId(), looks: 0, cancelled: false }
    kept.set(all.id, all)
    return all
  }

  async function handle(heard: Heard): Promise<Reply> {
    const { method, path, headers } = heard
    if (headers.authorization !== `Bearer ${replicateKey}`) return no(401, 'Unauthenticated', 'You did not pass a valid authentication token')
    if (method === 'GET' && path === '/v1/account') return { json: { type: 'organization', username: 'rehearsed', name: 'Rehearsed' } }
    if (method === 'GET' && path === '/v1/webhooks/default/secret') { stats.secrets++; return { json: { key: secret } } }
    if (method === 'POST' && path === '/v1/files') return upload(heard)
    if (method === 'GET' && path.startsWith('/v1/files/')) { stats.files++; return { bytes: await paint(64, 64), headers: { 'content-type': 'image/png' } } }
    const [, owner] = /^\/v1\/models\/([^/]+\/[^/]+)\/predictions$/.exec(path) ?? []
    if (method === 'POST' && (owner || path === '/v1/predictions')) return create(heard, owner ?? null)
    if (method === 'GET' && path === '/v1/predictions') return list(heard)
    const [, id, cancelling] = /^\/v1\/predictions\/([^/]+)(\/cancel)?$/.exec(path) ?? []
    if (id && method === 'GET' && !cancelling) return look(id)
    if (id && method === 'POST' && cancelling) return cancel(id)
    return missing
  }

  function create({ path, json }: Heard, owner: string | null): Reply {
    stats.asked++
    const { input, version, webhook, webhook_events_filter } = json ?? {}
    orders.push({ path, input, version, webhook, webhook_events_filter })
    const fault = readFault(input?.prompt ?? '')
    const nth = counts.next(`create ${input?.prompt}`)
    const line = lineFault(fault, nth)
    if (line) return line
    switch (fault) {
      case 'busy': if (nth === 1) return { status: 429, json: { detail: 'Request was throttled. Your rate limit resets in ~1s.' } }; break
      case 'busy_when': if (nth === 1) return { status: 429, headers: { 'retry-after': '1' }, json: { detail: 'Request was throttled. Your rate limit resets in ~1s.', status: 429, retry_after: 1 } }; break
      case 'one_busy': if (nth === 2) return { status: 429, json: { detail: 'Request was throttled. Your rate limit resets in ~1s.' } }; break
      case 'down': return no(503, 'Service unavailable', 'The service is currently unavailable.')
      case 'credits': return no(402, 'Insufficient credit', 'You have insufficient credit to run this model. Go to https://replicate.com/account/billing#billing to purchase credit.')
      case 'key': return no(401, 'Unauthenticated', 'You did not pass a valid authentication token')
      case 'forbidden': return no(403, 'Forbidden', 'You do not have permission to perform this action.')
      case 'field': return unfit('prompt', 'prompt is required')
      case 'safety': return no(422, 'Unprocessable', 'The input was flagged as sensitive.')
    }
    if (webhook !== undefined && !webhook.startsWith('https:')) return unfit('webhook', 'must be an HTTPS URL')
    const model = owner ?? 'by/version'
    if (!owner && !version) return missing
    // What a version takes is its own.
    const wrong = owner ? unfitOf(owner, input ?? {}) : null
    if (wrong === undefined) return missing
    if (wrong) return unfit(wrong.field, wrong.why)
    stats.bought++
    const one = keep({ model, input, webhook, fault, nth, at: Date.now() })
    if (fault === 'one_lost' && nth === 2 || fault === 'mute') throw new Cut()
    const answer: Reply = { status: 201, json: fault === 'at_once' ? write(one, 'succeeded') : fault === 'fails_at_once' ? { ...write(one, 'failed'), error: 'Broken (E001)' } : write(one, 'starting') }
    return answerFault(fault, answer)
  }

  function write({ id, model, input, webhook, at, fault }: Kept, status: string): any {
    const ended = !['starting', 'processing'].includes(status)
    const link = fault === 'own_file' ? `${loopback.url}/v1/files/${id}/download` : `${delivery.url}/xezq/${id}.${/kling|veo/.test(model) ? 'mp4' : 'png'}`
    return {
      id, model, version: 'hidden', input, logs: '', output: status !== 'succeeded' ? null : fault === 'object' ? { image: link, note: 'no link' } : /seedream|qwen/.test(model) ? [link] : link, data_removed: false, error: null, source: 'api', status,
      created_at: new Date(at).toISOString(), started_at: ended ? new Date(at).toISOString() : null, completed_at: ended ? new Date(at).toISOString() : null, ...(ended ? { metrics: { predict_time: 2.5, total_time: 3 } } : {}),
      ...(webhook ? { webhook, webhook_events_filter: ['completed'] } : {}), urls: { get: `${loopback.url}/v1/predictions/${id}`, cancel: `${loopback.url}/v1/predictions/${id}/cancel`, web: `https://replicate.com/p/${id}` },
    }
  }

  function list({ query }: Heard): Reply {
    stats.lists++
    const all = [...kept.values()].reverse()
    const from = Number(query.get('cursor') ?? 0)
    const results = all.slice(from, from + 100).map(one => { const { webhook, logs: _, ...rest } = write(one, 'processing'); return one.fault === 'mute' ? rest : { ...rest, webhook } })
    return { json: { previous: null, next: from + 100 < all.length ? `https://api.replicate.com/v1/predictions?cursor=${from + 100}` : null, results } }
  }

  function look(id: string): Reply {
    stats.looks++
    const one = kept.get(id)
    if (!one || one.fault === 'lost') return missing
    const { fault, nth } = one
    const looks = ++one.looks
    if (fault === 'moment' && looks === 1) return missing
    if (fault === 'blind' && looks <= 2) return looks === 1 ? { ...page, status: 502 } : no(500, 'Internal server error', 'Something went wrong')
    if (fault === 'states' && looks <= 3) {
      return { json: looks === 1 ? write(one, 'starting') : { ...write(one, looks === 2 ? 'processing' : 'something_new'), logs: 'Using seed: 4711\n 12%|█         | 3/25 [00:01<00:08]\n 48%|████▊     | 12/25 [00:04<00:05]\n' } }
    }
    if (one.cancelled || fault === 'canceled') return { json: write(one, 'canceled') }
    const failing = (error: string) => ({ json: { ...write(one, 'failed'), error, logs: 'Traceback (most recent call last):\n  …\n' } })
    switch (fault) {
      case 'fails': return failing('Prediction failed: CUDA out of memory (E001)')
      case 'flagged': return failing('The input or output was flagged as sensitive. Please try again with different inputs. (E005)')
      case 'aborted': return { json: write(one, 'aborted') }
      case 'removed': return { json: { ...write(one, 'succeeded'), output: null, data_removed: true } }
      case 'empty': return { json: { ...write(one, 'succeeded'), output: [] } }
      case 'one_fails': if (nth === 2) return failing('Broken (E002)'); break
      case 'states': return { json: { ...write(one, 'succeeded'), logs: 'Using seed: 4711\n100%|██████████| 25/25 [00:09<00:00]\n' } }
    }
    return { json: write(one, 'succeeded') }
  }

  function cancel(id: string): Reply {
    const one = kept.get(id)
    if (!one) return missing
    if (one.looks > 0 && one.fault !== 'states') return { json: write(one, 'succeeded') }
    stats.cancelled++
    one.cancelled = true
    return { json: write(one, 'canceled') }
  }

  async function openFile(path: string): Promise<Reply> {
    stats.files++
    const one = kept.get(path.slice('/xezq/'.length).split('.')[0]!)
    if (!one) return { status: 404, text: 'not found' }
    if (one.fault === 'expired' || one.fault === 'expired_once' && counts.next(`file ${path}`) === 1) return { status: 404, text: '<Error><Code>NoSuchKey</Code></Error>' }
    if (one.fault === 'not_a_picture') return { ...page, headers: { 'content-type': 'image/png' } }
    if (path.endsWith('.mp4')) return { bytes: film(), headers: { 'content-type': 'video/mp4' } }
    return { bytes: await paint(64, 64), headers: { 'content-type': one.fault === 'wrong_mime' ? 'application/octet-stream' : 'image/png' }, ...(one.fault === 'drip_file' ? { drip: true } : {}) }
  }

  function upload({ headers, body }: Heard): Reply {
    stats.uploads++
    const fault = uploadFaults.shift()
    if (fault === 'busy') return { status: 429, json: { detail: 'Request was throttled. Your rate limit resets in ~1s.' } }
    if (fault === 'cut') throw new Cut()
    if (fault === 'key') return no(401, 'Unauthenticated', 'You did not pass a valid authentication token')
    const [, name] = /name="content"; filename="([^"]+)"/.exec(body.subarray(0, 1000).toString('latin1')) ?? []
    if (!name || !headers['content-type']?.startsWith('multipart/form-data')) return unfit('content', 'content is required')
    return { status: 201, json: { id: name, name, content_type: 'image/png', size: body.length, etag: name, checksums: { sha256: name }, metadata: {}, created_at: '2026-11-20T09:00:00Z', expires_at: '2026-11-21T09:00:00Z', urls: { get: `https://api.replicate.com/v1/files/${name}` } } }
  }
}

export async function rehearse(): Promise<Rehearsal> {
  const upstream = await startReplicate()
  return {
    settings: { apiKey: replicateKey, baseUrl: `${upstream.url}/v1`, webhookSecret: secret }, model: 'google/nano-banana-pro', key: replicateKey, tellsCost: false,
    stats: upstream.stats, clear: upstream.clear, close: upstream.close,
    callBack: (id, atS) => { const body = JSON.stringify({ id, status: 'succeeded' }); return { body, headers: upstream.signed(body, { atS }) } },
    faults: {
      // As where it cannot call us back; what is found where it can is in `providers-replicate.test.ts`.
      ...lineFaults(), busy: { says: 'fault:busy', ...again }, busy_when: { says: 'fault:busy_when', ...again },
      no_picture: { says: 'fault:not_a_picture', ...bought('bad_output') },
      lost_job: { says: 'fault:lost', ...bought('provider_failed') }, moment: { says: 'fault:moment', ...fine }, blind: { says: 'fault:blind', ...fine },
      odd_200: { says: 'fault:fails_at_once', ...bought('provider_failed') },
      expired: { says: 'fault:expired', ...bought('output_expired') }, expired_once: { says: 'fault:expired_once', ...fine },
    },
  }
}
