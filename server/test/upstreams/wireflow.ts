/**
 * Wireflow as its wire page tells it: workflows that describe their inputs, runs and polls, uploads in two ways, errors in two forms,
 * limits in headers, keys that are remembered.
 *
 * What a prompt may rehearse: the line's faults (`loopback.ts`, on the first call of a key), a refusal (`refused_404`; `refused_429_once`,
 * `refused_500_once` pass), `object_words`, `credits`, `key`, `policy`, `reset_once`, `list_shape`, `data_shape`, `states`, `moment`,
 * `blind`, `lost`, `silent`, `stuck`, `failed`, `refused_prompt`, `timeout`, `cancelled`, `empty`, `expired`, `not_a_picture`, `one_busy`,
 * `one_lost_once`, `one_fails`. Uploads are told by `uploadFaults`.
 */
import { Readable } from 'node:stream'
import { readMultipart } from '../../src/kit/multipart.ts'
import { again, answerFault, bought, counter, Cut, fine, lineFault, lineFaults, listen, page, paint, readFault, type Heard, type Loopback, type Rehearsal, type Reply } from './loopback.ts'

export interface WireflowStats { asked: number; bought: number; looks: number; uploads: number; files: number; described: number; cancels: number }
export interface WireflowUpstream extends Loopback {
  stats(): WireflowStats
  orders(): { inputs: any; key: string }[]
  uploadFaults: ('busy' | 'cut' | 'key')[]
  clear(): void
}

interface Kept { id: string; text: string; fault: string | null; looks: number; nth: number; state: string }

export const wireflowKey = 'wf_live_rehearsed'

const inputs = [
  { nodeId: 'input-1', label: 'Prompt', type: 'text', required: true }, { nodeId: 'input-2', label: 'Aspect ratio', type: 'select', required: false },
  { nodeId: 'input-3', label: 'Picture', type: 'image', required: false }, { nodeId: 'input-4', label: 'Second picture', type: 'image', required: false },
  { nodeId: 'input-5', label: 'Style', type: 'image', required: false }, { nodeId: 'input-6', label: 'Seed', type: 'number', required: false },
]
const no = (status: number, error: unknown, headers: Record<string, string> = {}): Reply => ({ status, json: { error }, headers: { 'x-ratelimit-limit': '10', 'x-ratelimit-remaining': '4', 'x-ratelimit-reset': '1795176015', ...headers } })

export async function startWireflow(): Promise<WireflowUpstream> {
  const runs = new Map<string, Kept>()
  const keys = new Map<string, Kept>()
  const uploaded = new Map<string, number>()
  const counts = counter()
  const orders: { inputs: any; key: string }[] = []
  const uploadFaults: WireflowUpstream['uploadFaults'] = []
  const none = (): WireflowStats => ({ asked: 0, bought: 0, looks: 0, uploads: 0, files: 0, described: 0, cancels: 0 })
  let stats = none()
  let made = 0
  const loopback = await listen(handle)
  return {
    ...loopback, stats: () => ({ ...stats }), orders: () => orders, uploadFaults,
    clear() { stats = none(); runs.clear(); keys.clear(); counts.reset(); orders.length = 0; uploadFaults.length = 0; loopback.reset() },
  }

  async function handle(heard: Heard): Promise<Reply> {
    const { method, path, headers } = heard
    if (method === 'GET' && path.startsWith('/f/')) return openFile(path)
    if (method === 'PUT' && path.startsWith('/put/')) return store(heard)
    if (method === 'POST' && path.endsWith('/run')) stats.asked++
    if (headers.authorization === undefined) return no(401, 'Missing Authorization header')
    if (headers.authorization !== `Bearer ${wireflowKey}`) return no(401, 'Invalid API key')
    if (path.startsWith('/api/v1/media/')) return upload(heard)
    if (method === 'GET' && path === '/api/v1/workflows') return { json: [{ id: 'wf_poster', name: 'Poster', isActive: true, isPublished: true, executionCount: 3 }] }
    const [, workflow] = /^\/api\/v1\/workflows\/([^/]+)\/run$/.exec(path) ?? []
    if (workflow && workflow !== 'wf_poster') return no(404, 'Workflow not found')
    if (workflow && method === 'GET') { stats.described++; return { json: { data: { workflowId: workflow, workflowName: 'Poster', method: 'POST', inputs, example: { inputs: { 'input-1': '…' } } } } } }
    if (workflow && method === 'POST') return run(heard)
    const [, id = '', verb] = /^\/api\/v1\/workflows\/executions\/([^/]+)(?:\/(poll|cancel))?$/.exec(path) ?? []
    const one = runs.get(id)
    if (verb === 'cancel') { stats.cancels++; if (one) one.state = 'CANCELLED' }
    if (method === 'GET') stats.looks++
    return one && one.fault !== 'lost' ? look(one, verb ?? 'details') : no(404, 'Execution not found')
  }

  function run({ headers, json, body }: Heard): Reply {
    const key = String(headers['idempotency-key'])
    const given = json?.inputs ?? {}
    orders.push({ inputs: given, key })
    const prompt = String(given['input-1'] ?? '')
    const fault = readFault(prompt)
    const nth = counts.next(prompt)
    const text = body.toString()
    const earlier = keys.get(key)
    if (earlier) return earlier.text === text ? begun(earlier, null) : no(422, 'Idempotency-Key was already used with a different request body')
    if (nth === 1) { const line = lineFault(fault, nth); if (line) return line }
    const refused = /^refused_(\d+)(_once)?$/.exec(fault ?? '')
    if (refused && !(refused[2] && nth > 1)) return no(Number(refused[1]), 'It did not work.', refused[1] === '429' ? { 'retry-after': '1' } : {})
    switch (fault) {
      case 'object_words': return no(400, { type: 'invalid_request_error', code: 'missing_fields', message: 'Missing required fields.' })
      case 'credits': return { status: 402, json: { error: 'Insufficient credits. Required: 20, Available: 3', insufficientCredits: true, requiredCredits: 20, availableCredits: 3, breakdown: [] } }
      case 'key': return no(403, 'Forbidden')
      case 'policy': return no(400, 'The prompt violates the content policy.')
      case 'reset_once': if (nth === 1) return no(429, 'Too many requests.', { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(Math.floor(Date.now() / 1000) + 1) }); break
      case 'one_busy': if (nth === 2) return no(429, 'Too many workflow executions. Please try again later.', { 'retry-after': '1' }); break
    }
    const strange = Object.keys(given).find(nodeId => !inputs.some(one => one.nodeId === nodeId))
    if (strange !== undefined) return no(400, `Unknown input ${strange}`)
    const outside = ['input-3', 'input-4', 'input-5'].find(node => given[node] !== undefined && !uploaded.has(given[node]))
    if (outside !== undefined) return no(400, `${outside} is not a file of ours`)
    stats.bought++
    const one: Kept = { id: `exec_${++made}`, text, fault, looks: 0, nth, state: 'RUNNING' }
    runs.set(one.id, one)
    keys.set(key, one)
    if (fault === 'one_lost_once' && nth === 2) throw new Cut()
    return begun(one, nth === 1 ? fault : null)
  }

  function begun({ id }: Kept, fault: string | null): Reply {
    const json = fault === 'list_shape' ? { workflowId: 'wf_poster', batchId: 'b', executionRuns: [{ id, status: 'RUNNING', nodeRuns: [] }] } : fault === 'data_shape' ? { data: { executionId: id, status: 'running' } }
      : { executionId: id, workflowId: 'wf_poster', status: 'RUNNING' }
    return answerFault(fault, { status: 202, json, headers: { location: `/api/v1/workflows/executions/${id}/poll` } })
  }

  function look(one: Kept, verb: string): Reply {
    const { id, fault, nth } = one
    const looks = ++one.looks
    if (fault === 'moment' && looks === 1) return no(404, 'Execution not found')
    if (fault === 'blind' && looks <= 2) return looks === 1 ? { ...page, status: 502 } : no(500, 'Internal server error')
    const base = { executionId: id, workflowId: 'wf_poster', error: null }
    if (fault === 'one_slow' && nth === 2 && looks <= 2) return { json: { ...base, status: 'RUNNING', nodeStates: [] } }
    if (one.state === 'CANCELLED') return { json: { ...base, status: 'CANCELLED' } }
    const states = ['queued', 'RUNNING', 'IN_PROGRESS']
    // Polls of a silent one never tell; its details do.
    if (fault === 'stuck' || fault === 'silent' && verb === 'poll' || (fault === 'states' ? looks <= 3 : looks <= 1)) return { json: { ...base, status: fault === 'states' ? states[looks - 1] : 'RUNNING', progress: 0.4, nodeStates: [], finalOutput: null } }
    const failing = (error: string, status = 'FAILED'): Reply => ({ json: { data: { ...base, status, error, creditsUsed: 0, nodeStates: [{ nodeId: 'gen-1', status: 'FAILED', error, outputUrl: null, outputUrls: [] }], finalOutput: null } } })
    switch (fault) {
      case 'failed': return failing('gen-1: the node broke')
      case 'one_fails': if (nth === 2) return failing('gen-1: the node broke'); break
      case 'refused_prompt': return failing('gen-1: provider rejected the prompt')
      case 'timeout': return failing('too slow', 'TIMEOUT')
      case 'cancelled': return failing('stopped', 'CANCELLED')
    }
    const url = `${loopback.url}/f/${fault ?? 'fine'}-${id}.png`
    const outputs = fault === 'empty' ? [] : [url]
    return { json: { ...base, status: 'COMPLETED', creditsUsed: 20, durationMs: 18250, nodeStates: [
      { nodeId: 'input-3', label: 'Picture', status: 'COMPLETED', outputUrl: `${loopback.url}/f/input.png` }, { nodeId: 'gen-1', label: 'Nano Banana Pro', status: 'COMPLETED', error: null, outputUrl: outputs[0] ?? null, outputUrls: outputs, text: 'A poster.' }],
    finalOutput: outputs[0] ? { url: outputs[0] } : null } }
  }

  async function upload({ path, headers, body, json }: Heard): Promise<Reply> {
    const link = (bytes: number) => { const url = `https://cdn.wireflow.ai/up/${++made}.png`; uploaded.set(url, bytes); return { json: { data: { url } } } }
    if (path.endsWith('/upload-url')) return { json: { data: { uploadUrl: `${loopback.url}/put/m_${++made}`, method: 'PUT', mediaId: `m_${made}`, headers: { 'content-type': json.contentType } } } }
    if (path.endsWith('/complete')) return link(0)
    stats.uploads++
    const fault = uploadFaults.shift()
    if (fault === 'busy') return no(429, 'Too many requests.', { 'retry-after': '1' })
    if (fault === 'cut') throw new Cut()
    if (fault === 'key') return no(403, 'Forbidden')
    const form = await readMultipart(Readable.from([body]), headers as Record<string, string>, { filesMax: 1, fieldsMax: 1, fileMax: 4 * 1024 * 1024, fieldMax: 1_000 })
    return form.files[0]?.field === 'file' ? link(form.files[0].bytes.length) : no(400, 'file is missing')
  }

  /** The store takes what it is sent with exactly the headers it named, and no key. */
  function store({ headers, body }: Heard): Reply {
    stats.uploads++
    return headers.authorization === undefined && headers['content-type']?.startsWith('image/') && body.length > 4 * 1024 * 1024 ? { json: {} } : { status: 403, text: 'SignatureDoesNotMatch' }
  }

  async function openFile(path: string): Promise<Reply> {
    stats.files++
    if (path.startsWith('/f/expired') || path.startsWith('/f/once_expired') && counts.next(path) === 1) return { status: 403, text: 'expired' }
    if (path.startsWith('/f/not_a_picture')) return { ...page, headers: { 'content-type': 'image/png' } }
    return { bytes: await paint(64, 64), headers: { 'content-type': 'image/png' } }
  }
}

export async function rehearse(): Promise<Rehearsal> {
  const upstream = await startWireflow()
  return {
    settings: { apiKey: wireflowKey, baseUrl: `${upstream.url}/api/v1` }, model: 'wf_poster', key: wireflowKey, tellsCost: true,
    stats: upstream.stats, clear: upstream.clear, close: upstream.close,
    faults: {
      // Asked for again under the same key, whatever became of it.
      ...lineFaults({ asked: 2, bought: 1, captured: 1, made: 1 }, { asked: 2, bought: 1, captured: 1, made: 1 }), busy_when: { says: 'fault:refused_429_once', ...again },
      no_picture: { says: 'fault:not_a_picture', ...bought('bad_output') },
      lost_job: { says: 'fault:lost', ...bought('provider_failed') }, moment: { says: 'fault:moment', ...fine }, blind: { says: 'fault:blind', ...fine },
      odd_200: { says: 'fault:failed', ...bought('provider_failed'), costs: ['told'] },
      expired: { says: 'fault:expired', ...bought('output_expired') }, expired_once: { says: 'fault:once_expired', ...fine },
    },
  }
}
