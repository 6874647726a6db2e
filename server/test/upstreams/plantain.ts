/**
 * Another Plantain as its own interface tells it (`/plantain/v1`): tasks that are handed in and looked at, assets, signed links. Small and
 * told to misbehave; a real second house stands in `chain.test.ts`.
 *
 * What a prompt may rehearse: the line's faults (`loopback.ts`), a problem at the door (`no_content_rejected`; `no_unavailable_once`
 * passes), a problem of the task (`task_provider_failed`; `task_provider_busy_once` passes), `page_429_once`, `blind`, `lost`, `states`,
 * `called`, `forged`, `called_late`, `expired`, `not_a_picture`, `empty`, `fewer`, `foreign`, `stuck`.
 */
import { createHmac } from 'node:crypto'
import { problems, type ProblemCode } from '../../src/domain/problem.ts'
import { again, answerFault, bought, counter, fine, lineFault, lineFaults, listen, page, paint, readFault, type Heard, type Loopback, type Rehearsal, type Reply } from './loopback.ts'

export interface PlantainStats { asked: number; bought: number; looks: number; uploads: number; files: number; cancels: number }
export interface PlantainUpstream extends Loopback {
  stats(): PlantainStats
  /** Bodies of new tasks, and the keys they came with. */
  orders(): { body: any; key: string }[]
  /** What its call backs were answered with. */
  called: number[]
  uploadFaults: ('busy' | 'cut' | 'key')[]
  clear(): void
}

interface Kept { id: string; text: string; body: any; fault: string | null; looks: number; state: string }

export const plantainKey = 'sk-live-plantain-rehearsed-key'
export const plantainSecret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

const no = (code: string, message = 'It did not work.', more: object = {}): Reply =>
  ({ status: problems[code as ProblemCode]?.status ?? 400, json: { error: { code, message, ...more, request_id: 'r1', doc: `/docs#${code}` } } })

/** A call back about one of its tasks; with a salt it is forged. */
function sign(id: string, atS: number, salt = ''): { body: string; headers: Record<string, string> } {
  const body = JSON.stringify({ type: 'task.completed', data: { id } })
  const signature = createHmac('sha256', Buffer.from(plantainSecret.slice(6), 'base64')).update(`msg_${id}.${atS}.${body}${salt}`).digest('base64')
  return { body, headers: { 'webhook-id': `msg_${id}`, 'webhook-timestamp': String(atS), 'webhook-signature': `v1,${signature}` } }
}

export async function startPlantain(): Promise<PlantainUpstream> {
  const tasks = new Map<string, Kept>()
  const keys = new Map<string, Kept>()
  const counts = counter()
  const orders: { body: any; key: string }[] = []
  const uploadFaults: PlantainUpstream['uploadFaults'] = []
  const called: number[] = []
  const none = (): PlantainStats => ({ asked: 0, bought: 0, looks: 0, uploads: 0, files: 0, cancels: 0 })
  let stats = none()
  let made = 0
  const newId = () => (++made).toString(16).padStart(32, '0')
  const loopback = await listen(handle)
  return {
    ...loopback, stats: () => ({ ...stats }), orders: () => orders, called, uploadFaults,
    clear() { stats = none(); tasks.clear(); keys.clear(); counts.reset(); orders.length = 0; called.length = 0; uploadFaults.length = 0; loopback.reset() },
  }

  async function handle(heard: Heard): Promise<Reply> {
    const { method, path, headers } = heard
    if (method === 'GET' && path.startsWith('/files/')) return openFile(heard)
    if (method === 'POST' && path === '/plantain/v1/tasks') stats.asked++
    if (headers.authorization !== `Bearer ${plantainKey}`) return no('unauthorized', 'There is no such key.')
    if (method === 'GET' && path === '/plantain/v1/project') return { json: { object: 'project', id: 'p1', name: 'Rehearsed' } }
    if (method === 'POST' && path === '/plantain/v1/assets') return upload(heard)
    if (method === 'POST' && path === '/plantain/v1/tasks') return create(heard)
    if (method === 'GET' && path === '/plantain/v1/tasks') {
      stats.looks++
      const found = keys.get(heard.query.get('metadata[plantain_attempt]') ?? '')
      return { json: { object: 'list', data: found ? [look(found).json] : [], next: null, has_more: false } }
    }
    const [, id = '', verb] = /^\/plantain\/v1\/tasks\/([^/]+)(?:\/(wait|cancel))?$/.exec(path) ?? []
    const task = tasks.get(id)
    if (verb === 'cancel') { stats.cancels++; if (task && task.state === 'running') task.state = 'cancelled' }
    if (method === 'GET') stats.looks++
    return task && task.fault !== 'lost' && !(task.fault === 'moment' && counts.next(`look ${id}`) === 1) ? look(task) : no('not_found', 'There is no task.')
  }

  function upload({ headers, body }: Heard): Reply {
    stats.uploads++
    const fault = uploadFaults.shift()
    if (fault === 'busy') return { ...no('rate_limited', 'Slowly.', { retry_after_s: 1 }), headers: { 'retry-after': '1' } }
    if (fault === 'cut') return { ...page, status: 502 }
    if (fault === 'key') return no('forbidden', 'This key lacks the scope assets:write.')
    if (!headers['content-type']?.startsWith('image/') || body.length === 0) return no('bad_input_image')
    return { status: 201, json: { id: newId(), object: 'asset', mime: headers['content-type'] } }
  }

  function create({ headers, json, body }: Heard): Reply {
    const key = String(headers['idempotency-key'])
    orders.push({ body: json, key })
    const fault = readFault(json?.prompt ?? '')
    const nth = counts.next(json?.prompt)
    const text = body.toString()
    const earlier = keys.get(key)
    if (earlier) return earlier.text === text ? look(earlier, { 'idempotent-replayed': 'true' }) : no('idempotency_mismatch', 'This key was used for something else.')
    // The line breaks once; whoever asks again is answered.
    const line = nth === 1 ? lineFault(fault, nth) : undefined
    if (line) return line
    const refused = /^no_([a-z_]+?)(_once)?$/.exec(fault ?? '')
    if (refused && !(refused[2] && nth > 1)) return no(refused[1]!, 'Not so.', refused[1] === 'unavailable' ? { retry_after_s: 1 } : { field: 'parameters.aspect_ratio', value: 'wide', allowed: ['1:1'] })
    if (fault === 'page_429_once' && nth === 1) return { ...page, status: 429, headers: { 'retry-after': '1' } }
    stats.bought++
    const task: Kept = { id: newId(), text, body: json, fault: /^task_[a-z_]+_once$/.test(fault ?? '') && nth > 1 ? null : fault, looks: 0, state: 'running' }
    tasks.set(task.id, task)
    keys.set(key, task)
    if (json.callback_url && fault?.startsWith('called')) setTimeout(() => { void callBack(task) }, fault === 'called_late' ? 6_000 : 20).unref()
    if (json.callback_url && fault === 'forged') setTimeout(() => { void callBack(task, 'x') }, 20).unref()
    return answerFault(nth === 1 ? fault : null, { ...look(task), status: 202 })
  }

  async function callBack({ id, body }: Kept, salt = ''): Promise<void> {
    const { body: text, headers } = sign(id, Math.floor(Date.now() / 1000), salt)
    const answer = await fetch(body.callback_url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: text }).catch(() => null)
    called.push(answer?.status ?? 0)
  }

  function look(task: Kept, headers: Record<string, string> = {}): Reply {
    const { id, body, fault } = task
    const looks = ++task.looks
    if (fault === 'blind' && (looks === 2 || looks === 3)) return looks === 2 ? { ...page, status: 502 } : no('internal')
    const count = fault === 'empty' ? 0 : fault === 'fewer' ? 1 : body.parameters?.count ?? 1
    const view = {
      id, object: 'task', state: 'running', livemode: true, served_by: 'gemini', upstream_id: 'g1', model: body.model, outputs: [] as object[], text: null as string | null,
      details: {}, warnings: [] as string[], problem: null as object | null, price: { micros: 40_000 * count, usd: '0.04' }, cost: null as object | null, attempts: 1, progress: 30,
    }
    const reply = (more: object): Reply => ({ json: { ...view, ...more }, headers })
    if (task.state === 'cancelled') return reply({ state: 'cancelled', cost: { micros: 0, usd: '0' } })
    const sleepy = fault === 'states' || fault === 'called' || fault === 'called_late' || fault === 'forged'
    if (fault === 'stuck' || looks <= (fault === 'called_late' ? 1 : sleepy ? 3 : 1)) return reply({ state: ['queued', 'running', 'waiting'][(looks - 1) % 3], progress: looks * 20 })
    const failing = /^task_([a-z_]+?)(_once)?$/.exec(fault ?? '')?.[1]
    if (failing) return reply({ state: 'failed', cost: { micros: 0, usd: '0' }, problem: { code: failing, message: 'It came to nothing there.', upstream_code: '501' } })
    task.state = 'done'
    const outputs = Array.from({ length: count }, (_, index) => ({
      id: newId(), mime: 'image/png', url: fault === 'foreign' ? 'http://127.0.0.1:9/secret.png' : `https://name.of.its.own.example/files/${fault ?? 'fine'}-${id}-${index}.png?expires=9&signature=ab` }))
    return reply({
      state: 'done', outputs, text: 'Here it is.', warnings: ['seed 7 was not passed on.'], cost: { micros: 40_000 * count, usd: '0.04' }, progress: 100,
      details: { usage_metadata: { promptTokenCount: 12, candidatesTokenCount: 1120, totalTokenCount: 1132 }, plantain: { task_id: 'deeper' } }, usage: { text_in: 12, image_out: 1120 },
    })
  }

  async function openFile({ path, query }: Heard): Promise<Reply> {
    stats.files++
    if (query.get('signature') !== 'ab') return no('link_expired')
    if (path.startsWith('/files/expired') || path.startsWith('/files/once_expired') && counts.next(path) === 1) return no('link_expired', 'This link has expired.')
    if (path.startsWith('/files/not_a_picture')) return { ...page, headers: { 'content-type': 'image/png' } }
    return { bytes: await paint(64, 64), headers: { 'content-type': 'image/png' } }
  }
}

export async function rehearse(): Promise<Rehearsal> {
  const upstream = await startPlantain()
  return {
    settings: { apiKey: plantainKey, baseUrl: upstream.url, callbackSecret: plantainSecret }, model: 'nano-banana-2-1', key: plantainKey, tellsCost: true,
    stats: upstream.stats, clear: upstream.clear, close: upstream.close,
    callBack: sign,
    faults: {
      // Found by our key; what is not there is handed in again under it.
      ...lineFaults({ asked: 2, bought: 1, captured: 1, made: 1 }, fine), busy_when: { says: 'fault:page_429_once', ...again },
      no_picture: { says: 'fault:not_a_picture', ...bought('bad_output') },
      lost_job: { says: 'fault:lost', ...bought('provider_failed') }, moment: { says: 'fault:moment', ...fine }, blind: { says: 'fault:blind', ...fine },
      odd_200: { says: 'fault:task_provider_failed', ...bought('provider_failed'), costs: ['told'] },
      expired: { says: 'fault:expired', ...bought('output_expired') }, expired_once: { says: 'fault:once_expired', ...fine },
    },
  }
}
