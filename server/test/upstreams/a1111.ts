/**
 * The Stable Diffusion web UI as its API's source tells it: the call brings the picture, one at a time; progress for all and by name.
 *
 * What a prompt may rehearse: the line's faults (`loopback.ts`; `cut_after` and its like once, `gone` for ever), `sampler`, `field`, `checkpoint`, `memory`, `broken`, `plain`, `bare`,
 * `busy`, `null_images`, `interrupted`, `grid`, `no_info`, `not_a_picture`, `held` (until `release`).
 */
import sharp from 'sharp'
import { answerFault, bought, counter, Cut, inTheCall, lineFault, lineFaults, listen, page, paint, readFault, smallSize, type Heard, type Loopback, type Rehearsal, type Reply } from './loopback.ts'

export interface A1111Stats { asked: number; bought: number; interrupts: number }
export interface A1111Upstream extends Loopback {
  stats(): A1111Stats
  orders(): { path: string; body: any }[]
  /** Lets held calls go. */
  release(): void
  /** How far it says it is, 0 to 1. */
  progress: number
  /** Whether it is at something. */
  busy: boolean
  /** Without the pages there is no progress by name (`--nowebui`). */
  bare: boolean
  /** `Authorization` it wants, if any. */
  authorization: string | undefined
  clear(): void
}

export async function startA1111(): Promise<A1111Upstream> {
  const counts = counter()
  const orders: { path: string; body: any }[] = []
  const none: A1111Stats = { asked: 0, bought: 0, interrupts: 0 }
  let stats = { ...none }
  let interrupted = false
  let active: string | null = null
  let held: (() => void)[] = []
  const upstream: A1111Upstream = {
    ...await listen(handle), stats: () => ({ ...stats }), orders: () => orders, progress: 0.5, busy: false, bare: false, authorization: undefined,
    release() { for (const go of held.splice(0)) go() },
    clear() { stats = { ...none }; interrupted = false; active = null; held = []; counts.reset(); orders.length = 0; Object.assign(upstream, { progress: 0.5, busy: false, bare: false }); upstream.reset() },
  }
  return upstream

  function handle(heard: Heard): Reply | Promise<Reply> {
    const { method, path, headers, json } = heard
    if (path === '/internal/progress' && method === 'POST') {
      if (upstream.bare) return { status: 404, json: { detail: 'Not Found' } }
      const mine = active !== null && json.id_task === active
      return mine ? preview(json.live_preview) : { json: { active: false, queued: false, completed: false, progress: null, eta: null, live_preview: null, id_live_preview: -1, textinfo: 'Waiting...' } }
    }
    if (path === '/sdapi/v1/progress') {
      const idle = active === null && !upstream.busy
      return { json: { progress: idle ? 0 : upstream.progress, eta_relative: 0, state: { skipped: false, interrupted, job: idle ? '' : 'scripts_txt2img', job_count: idle ? 0 : 1, job_no: 0, sampling_step: 0, sampling_steps: 20 }, current_image: null, textinfo: null } }
    }
    if (upstream.authorization !== undefined && headers.authorization !== upstream.authorization) return { status: 401, json: { detail: 'Incorrect username or password' } }
    if (method === 'GET' && path === '/sdapi/v1/options') return { json: { sd_model_checkpoint: 'sd_xl_base_1.0' } }
    if (path === '/sdapi/v1/interrupt') { stats.interrupts++; interrupted = true; upstream.release(); return { json: {} } }
    if (method === 'POST' && /^\/sdapi\/v1\/(txt2img|img2img|extra-single-image)$/.test(path)) return make(heard)
    return { status: 404, json: { detail: 'Not Found' } }
  }

  async function preview(wanted: boolean): Promise<Reply> {
    return { json: { active: true, queued: false, completed: false, progress: upstream.progress, eta: 1, live_preview: wanted ? `data:image/png;base64,${(await paint(16, 16)).toString('base64')}` : null, id_live_preview: 1, textinfo: null } }
  }

  async function make({ path, json }: Heard): Promise<Reply> {
    stats.asked++
    orders.push({ path, body: json })
    const fault = readFault(json.prompt ?? '')
    const nth = counts.next(json.prompt ?? path)
    if (fault === 'gone') throw new Cut()
    if (nth === 1) { const line = lineFault(fault, nth); if (line) return line }
    switch (fault) {
      case 'busy': if (nth === 1) return { status: 503, text: 'busy', headers: { 'retry-after-ms': '50' } }; break
      case 'sampler': return { status: 400, json: { detail: 'Sampler not found' } }
      case 'field': return { status: 422, json: { detail: [{ type: 'int_parsing', loc: ['body', 'steps'], msg: 'Input should be a valid integer', input: 'SECRET' }] } }
      case 'checkpoint': return { status: 500, json: { error: 'RuntimeError', detail: '', body: '', errors: "model 'sdxl' not found" } }
      case 'memory': return { status: 500, json: { error: 'OutOfMemoryError', detail: '', body: '', errors: 'CUDA out of memory. Tried to allocate 2.00 GiB' } }
      case 'broken': return { status: 500, json: { error: 'TypeError', detail: '', body: '', errors: "'NoneType' object is not iterable" } }
      case 'plain': return { status: 500, text: 'Internal Server Error', headers: { 'content-type': 'text/plain' } }
    }
    stats.bought++
    if (path.endsWith('extra-single-image')) {
      const { width, height } = await sharp(Buffer.from(json.image, 'base64')).metadata()
      return { json: { html_info: '<p></p>', image: (await paint(width * json.upscaling_resize, height * json.upscaling_resize)).toString('base64') } }
    }
    active = json.force_task_id
    interrupted = fault === 'interrupted'
    if (fault === 'held') await new Promise<void>(resolve => { held.push(resolve) })
    active = null
    const count = json.n_iter * json.batch_size
    const pictures = await Promise.all(Array.from({ length: count }, async () => (fault === 'not_a_picture' ? Buffer.from(page.text!) : await paint(json.width, json.height)).toString('base64')))
    const seeds = pictures.map((_, index) => json.seed + index)
    const grid = fault === 'grid' ? [(await paint(8, 8)).toString('base64')] : []
    const info = fault === 'no_info' ? '' : JSON.stringify({ seed: json.seed, all_seeds: seeds, index_of_first_image: grid.length, sd_model_name: 'sd_xl_base_1.0', infotexts: [] })
    const reply: Reply = { json: { images: fault === 'null_images' ? null : [...grid, ...pictures, ...grid], parameters: {}, info } }
    return nth === 1 ? answerFault(fault, reply) : reply
  }
}

export async function rehearse(): Promise<Rehearsal> {
  const upstream = await startA1111()
  return {
    settings: { baseUrl: upstream.url }, model: 'loaded', parameters: smallSize, key: null, tellsCost: true,
    stats: upstream.stats, clear: upstream.clear, close: upstream.close,
    faults: {
      // Made again once the server is at rest: drawn twice, charged once.
      ...lineFaults({ asked: 2, bought: 1, captured: 1, made: 1 }, { asked: 2, bought: 2, captured: 1, made: 1 }),
      no_picture: { says: 'fault:not_a_picture', ...bought('bad_output') },
      odd_200: { says: 'fault:null_images', ...bought('bad_output'), costs: ['open'] },
      ...inTheCall,
    },
  }
}
