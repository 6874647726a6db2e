/**
 * sd-server as its documentation tells it: jobs in memory that are queued, looked at, cancelled while queued, and gone after a restart.
 *
 * What a prompt may rehearse: the line's faults (`loopback.ts`), `full`, `full_for_good`, `invalid`, `mode`, `server_once`, `states`, `blind`,
 * `fail`, `memory`, `empty`, `fewer`, `cancelled`, `restarted` (forgets the job once), `expired` (once), `not_a_picture`, `waits` (stays queued).
 */
import { again, answerFault, bought, counter, fine, inTheCall, lineFault, lineFaults, listen, page, paint, readFault, smallSize, type Heard, type Loopback, type Rehearsal, type Reply } from './loopback.ts'

export interface SdcppStats { asked: number; bought: number; looks: number; cancelled: number }
export interface SdcppUpstream extends Loopback {
  stats(): SdcppStats
  /** Bodies of jobs. */
  orders(): any[]
  /** What is loaded. */
  loaded: string
  clear(): void
}

interface Kept { id: string; kind: 'img_gen' | 'vid_gen'; body: any; fault: string | null; nth: number; looks: number; cancelled: boolean }

const no = (status: number, error: string, message?: string): Reply => ({ status, json: { error, ...(message ? { message } : {}) } })
/** The first bytes of a WebM film, enough to be known as one. */
const webm = (): Buffer => Buffer.concat([Buffer.from([0x1a, 0x45, 0xdf, 0xa3, 0x9f, 0x42, 0x86, 0x81, 0x01, 0x42, 0xf7, 0x81, 0x01, 0x42, 0xf2, 0x81, 0x04, 0x42, 0xf3, 0x81, 0x08, 0x42, 0x82, 0x84]), Buffer.from('webm'), Buffer.alloc(64, 1)])

export async function startSdcpp(): Promise<SdcppUpstream> {
  const jobs = new Map<string, Kept>()
  const counts = counter()
  const orders: any[] = []
  const none: SdcppStats = { asked: 0, bought: 0, looks: 0, cancelled: 0 }
  let stats = { ...none }
  let made = 0
  const upstream: SdcppUpstream = {
    ...await listen(handle), loaded: 'sd_xl_base_1.0.safetensors', stats: () => ({ ...stats }), orders: () => orders,
    clear() { stats = { ...none }; jobs.clear(); counts.reset(); orders.length = 0; upstream.loaded = 'sd_xl_base_1.0.safetensors'; upstream.reset() },
  }
  return upstream

  function handle(heard: Heard): Reply | Promise<Reply> {
    const { method, path } = heard
    if (method === 'GET' && path === '/sdcpp/v1/capabilities') return { json: { model: { name: upstream.loaded, stem: upstream.loaded.replace(/\.[a-z]+$/, ''), path: `/models/${upstream.loaded}` }, current_mode: 'img_gen', supported_modes: ['img_gen'] } }
    if (method === 'POST' && /^\/sdcpp\/v1\/(img|vid)_gen$/.test(path)) return create(heard, path.endsWith('img_gen') ? 'img_gen' : 'vid_gen')
    const [, id, cancel] = /^\/sdcpp\/v1\/jobs\/([\w-]+)(\/cancel)?$/.exec(path) ?? []
    if (id === undefined) return { status: 404, text: '' }
    return method === 'POST' && cancel ? stop(id) : look(id)
  }

  function create({ json }: Heard, kind: Kept['kind']): Reply {
    stats.asked++
    orders.push(json)
    const fault = readFault(json?.prompt ?? '')
    const nth = counts.next(String(json?.prompt))
    const line = lineFault(fault, nth)
    if (line) return line
    switch (fault) {
      case 'full': if (nth === 1) return { ...no(429, 'job queue is full'), headers: { 'retry-after-ms': '50' } }; break
      case 'full_for_good': return no(429, 'job queue is full')
      case 'invalid': return no(400, 'invalid generation parameters')
      case 'mode': return no(400, `loaded model does not support ${kind} mode`)
      case 'server_once': if (nth === 1) return no(500, 'server_error', 'bad alloc'); break
    }
    if (typeof json?.prompt !== 'string' || kind === 'vid_gen' && (json.batch_count !== undefined || json.ref_images || json.mask_image)) return no(400, 'invalid generation parameters')
    if (!Number.isInteger(json.seed) || (json.width ?? 64) % 8 !== 0) return no(400, 'invalid generation parameters')
    stats.bought++
    const id = `job_68f1a2b3_${String(++made).padStart(8, '0')}`
    jobs.set(id, { id, kind, body: json, fault, nth, looks: 0, cancelled: false })
    return answerFault(fault, { status: 202, json: { id, kind, status: 'queued', created: 1775401200, poll_url: `/sdcpp/v1/jobs/${id}` } })
  }

  async function look(id: string): Promise<Reply> {
    stats.looks++
    const job = jobs.get(id)
    if (!job || job.fault === 'restarted' && job.nth === 1) return no(404, 'job not found')
    const { kind, body, fault, nth } = job
    const looks = ++job.looks
    if (fault === 'expired' && nth === 1) return no(410, 'job expired')
    if (fault === 'blind' && looks === 1) return { ...page, status: 502 }
    const is = (status: string, more: object = {}): Reply => ({ json: { id, kind, status, created: 1775401200, started: status === 'queued' ? null : 1775401203, completed: null, queue_position: status === 'queued' ? 1 : 0, result: null, error: null, ...more } })
    if (job.cancelled || fault === 'cancelled') return is('cancelled', { error: { code: 'cancelled', message: 'job cancelled by client' } })
    if (fault === 'waits') return is('queued')
    if (fault === 'states' && looks <= 2) return is(looks === 1 ? 'queued' : 'generating')
    if (fault === 'fail') return is('failed', { error: { code: 'generation_failed', message: 'generate_image returned no results' } })
    if (fault === 'memory') return is('failed', { error: { code: 'generation_failed', message: 'cudaMalloc failed: out of memory' } })
    if (kind === 'vid_gen') return is('completed', { result: { output_format: 'webm', mime_type: 'video/webm', fps: body.fps, frame_count: body.video_frames, b64_json: webm().toString('base64') } })
    const count = fault === 'empty' ? 0 : fault === 'fewer' ? 1 : body.batch_count
    const images = await Promise.all(Array.from({ length: count }, async (_, index) => ({ index, b64_json: (fault === 'not_a_picture' ? Buffer.from(page.text!) : await paint(body.width ?? 64, body.height ?? 64, body.output_format ?? 'png')).toString('base64') })))
    return is('completed', { result: { output_format: body.output_format ?? 'png', images } })
  }

  function stop(id: string): Reply {
    const job = jobs.get(id)
    if (!job) return no(404, 'job not found')
    if (job.fault !== 'waits') return no(409, 'job is currently generating and cannot be interrupted yet')
    job.cancelled = true
    stats.cancelled++
    return { json: { id, kind: job.kind, status: 'cancelled', result: null, error: { code: 'cancelled', message: 'job cancelled by client' } } }
  }
}

export async function rehearse(): Promise<Rehearsal> {
  const upstream = await startSdcpp()
  return {
    settings: { baseUrl: upstream.url }, model: 'loaded', parameters: smallSize, key: null, tellsCost: true,
    stats: upstream.stats, clear: upstream.clear, close: upstream.close,
    faults: {
      ...lineFaults(), busy_when: { says: 'fault:full', ...again },
      no_picture: { says: 'fault:not_a_picture', ...bought('bad_output') },
      lost_job: { says: 'fault:restarted', asked: 2, bought: 2, captured: 1, made: 1, attempts: 2 },
      moment: 'Its jobs live in its memory: one it does not know is not being made.', blind: { says: 'fault:blind', ...fine },
      odd_200: { says: 'fault:fail', ...bought('provider_failed') },
      // It keeps results for a while: a job that has expired is begun again.
      expired: { says: 'fault:expired', asked: 2, bought: 2, captured: 1, made: 1, attempts: 2 }, expired_once: inTheCall.expired_once,
    },
  }
}
