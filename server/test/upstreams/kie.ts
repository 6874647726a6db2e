/**
 * Kie.ai as its wire page tells it: HTTP 200 for nearly everything, tasks that are looked at, links that expire, an upload host.
 *
 * What a prompt may rehearse: the line's faults (`loopback.ts`), `busy`, `busy_http`, `credits`, `credits_500`, `key`, `capped`,
 * `maintenance`, `field`, `paused`, `server`, `fail`, `fail_policy`, `fail_word`, `fail_full`, `moment`, `lost`, `blind`, `expired`,
 * `expired_link` (a direct one opens), `not_a_picture`, `empty`, `one_busy`, `one_lost`, `one_fails`, `states`, `called`. The upload host is told by `uploadFaults`.
 */
import { createHmac } from 'node:crypto'
import { openCatalog } from '../kit/catalog.ts'
import { again, answerFault, bought, counter, Cut, film, fine, lineFault, lineFaults, listen, page, paint, readFault, type Heard, type Loopback, type Rehearsal, type Reply } from './loopback.ts'

export interface KieStats { asked: number; bought: number; looks: number; uploads: number; files: number; links: number }
export interface KieUpstream extends Loopback {
  stats(): KieStats
  /** Bodies of `createTask`. */
  orders(): any[]
  /** What the upload host does next, first one first. */
  uploadFaults: ('busy' | 'cut' | 'key')[]
  clear(): void
}

interface Kept { id: string; model: string; input: any; callBackUrl: string | undefined; fault: string | null; looks: number; nth: number; link: string }

/** Required fields by model, and the words their fields may have (docs of August 2026). */
const rules: Record<string, { required: string[]; words?: Record<string, unknown[]>; lists?: Record<string, number> }> = {
  'google/nano-banana': { required: ['prompt'], words: { output_format: ['png', 'jpeg'] } },
  'google/nano-banana-edit': { required: ['prompt', 'image_urls'], words: { output_format: ['png', 'jpeg'] }, lists: { image_urls: 10 } },
  'nano-banana-pro': { required: ['prompt'], words: { output_format: ['png', 'jpg'], resolution: ['1K', '2K', '4K'] }, lists: { image_input: 8 } },
  'nano-banana-2': { required: ['prompt'], words: { output_format: ['png', 'jpg'], resolution: ['1K', '2K', '4K'] }, lists: { image_input: 14 } },
  'nano-banana-2-1': { required: ['prompt'], words: { output_format: ['png', 'jpg'], resolution: ['1K', '2K', '4K'] }, lists: { image_input: 10 } },
  'nano-banana-2-lite': { required: ['prompt', 'aspect_ratio'], lists: { image_urls: 10 } },
  'topaz/image-upscale': { required: ['image_url', 'upscale_factor'], words: { upscale_factor: ['1', '2', '4'] } },
  'recraft/crisp-upscale': { required: ['image'] },
  'recraft/remove-background': { required: ['image'] },
  'kling/v2-1-standard': { required: ['prompt', 'image_url'], words: { duration: ['5', '10'] } },
  'kling-2.6/text-to-video': { required: ['prompt', 'aspect_ratio', 'duration', 'sound'], words: { aspect_ratio: ['1:1', '16:9', '9:16'], duration: ['5', '10'] } },
  'kling-2.6/image-to-video': { required: ['prompt', 'image_urls', 'duration', 'sound'], words: { duration: ['5', '10'] }, lists: { image_urls: 1 } },
  'kling-3.0/video': { required: ['prompt', 'duration', 'mode', 'multi_shots', 'multi_prompt', 'sound'], words: { mode: ['std', 'pro', '4K'], aspect_ratio: ['16:9', '9:16', '1:1'] }, lists: { image_urls: 2 } },
}
/** The rest is read off the cards, which were written after the same pages. */
for (const card of openCatalog()) {
  for (const { id, input } of card.dialects.kie ?? []) {
    const fields = Object.entries((input?.properties ?? {}) as Record<string, { enum?: unknown[]; maxItems?: number }>)
    rules[id] ??= {
      required: input?.required as string[], words: Object.fromEntries(fields.flatMap(([name, field]) => field.enum ? [[name, field.enum]] : [])),
      lists: Object.fromEntries(fields.flatMap(([name, field]) => field.maxItems === undefined ? [] : [[name, field.maxItems]])),
    }
  }
}
const ratios = ['1:1', '2:3', '3:2', '1:4', '4:1', '3:4', '4:3', '4:5', '5:4', '1:8', '8:1', '9:16', '16:9', '21:9', 'auto']
const links = ['image_urls', 'image_input', 'image_url', 'image', 'input_urls', 'mask_url', 'reference_image_urls', 'tail_image_url', 'first_frame_url', 'last_frame_url']

export const kieKey = 'kie-rehearsed-key'
const kieWebhookKey = 'whk_rehearsed'

const no = (code: number, msg: string): Reply => ({ json: { code, msg, data: null } })
const yes = (data: unknown): Reply => ({ json: { code: 200, msg: 'success', data } })

export async function startKie(): Promise<KieUpstream> {
  const tasks = new Map<string, Kept>()
  const counts = counter()
  const orders: any[] = []
  const uploadFaults: KieUpstream['uploadFaults'] = []
  let stats: KieStats = { asked: 0, bought: 0, looks: 0, uploads: 0, files: 0, links: 0 }
  let made = 0
  const loopback = await listen(handle)

  return {
    ...loopback,
    stats: () => ({ ...stats }), orders: () => orders, uploadFaults,
    clear() { stats = { asked: 0, bought: 0, looks: 0, uploads: 0, files: 0, links: 0 }; tasks.clear(); counts.reset(); orders.length = 0; uploadFaults.length = 0; loopback.reset() },
  }

  async function handle(heard: Heard): Promise<Reply> {
    const { method, path } = heard
    if (method === 'GET' && path.startsWith('/f/')) return openFile(heard)
    if (path.startsWith('/api/file-')) return upload(heard)
    if (method === 'GET' && path === '/api/v1/chat/credit') return heard.headers.authorization === `Bearer ${kieKey}` ? yes(312.5) : no(401, 'You do not have access permissions')
    if (method === 'POST' && path === '/api/v1/common/download-url') return link(heard)
    if (method === 'POST' && path === '/api/v1/jobs/createTask') return create(heard)
    if (method === 'GET' && path === '/api/v1/jobs/recordInfo') return look(heard)
    return { status: 404, json: { timestamp: '2026-11-20T09:00:00.000+00:00', status: 404, error: 'Not Found', message: 'No message available', path } }
  }

  function create({ headers, json }: Heard): Reply {
    stats.asked++
    orders.push(json)
    if (headers.authorization !== `Bearer ${kieKey}`) return no(401, 'You do not have access permissions')
    const { model, input, callBackUrl } = json ?? {}
    const fault = readFault(input?.prompt ?? '')
    const nth = counts.next(`create ${input?.prompt}`)
    const line = lineFault(fault, nth)
    if (line) return line
    switch (fault) {
      case 'busy': if (nth === 1) return no(429, 'Your call frequency is too high. Please try again later.'); break
      case 'busy_http': if (nth === 1) return { status: 429, headers: { 'retry-after': '1' }, json: { code: 429, msg: 'Your call frequency is too high. Please try again later.', data: null } }; break
      case 'one_busy': if (nth === 2) return no(429, 'Your call frequency is too high. Please try again later.'); break
      case 'credits': return no(402, 'Credits insufficient : Your current balance isn\'t enough to run this request. Please top up.')
      case 'credits_500': return no(500, 'Credits insufficient : Your current balance isn\'t enough to run this request. Please top up.')
      case 'key': return no(401, 'You do not have access permissions')
      case 'capped': return no(433, 'The sub-key has used up its quota.')
      case 'maintenance': if (nth === 1) return no(455, 'The service is under maintenance.'); break
      case 'field': return no(500, 'This field is required')
      case 'paused': return no(500, 'This interface is temporarily paused.')
      case 'server': return no(500, 'Server exception, please try again later')
    }
    const rule = rules[model]
    if (!rule) return no(422, 'The model name you specified is not supported. Please check it.')
    for (const field of rule.required) if (input?.[field] === undefined) return no(500, 'This field is required')
    for (const [field, allowed] of Object.entries<unknown[]>({ aspect_ratio: ratios, ...rule.words })) {
      if (input[field] !== undefined && !allowed.includes(input[field])) return no(500, `${field} is not within the range of allowed options`)
    }
    for (const field of links) {
      const given = input[field] === undefined ? [] : [input[field]].flat()
      if (given.some((one: unknown) => typeof one !== 'string' || !/^https?:\/\//.test(one)) || given.length > (rule.lists?.[field] ?? 14)) return no(500, `${field} is required`)
    }
    stats.bought++
    const id = (++made).toString(16).padStart(32, '0')
    tasks.set(id, { id, model, input, callBackUrl, fault, looks: 0, nth, link: `${loopback.url}/f/${id}_1.${/kling|sora|seedance|omni-video/.test(model) ? 'mp4' : 'png'}` })
    if (callBackUrl) setTimeout(() => { void callBack(tasks.get(id)!) }, 20).unref()
    if (fault === 'one_lost' && nth === 2) throw new Cut()
    return answerFault(fault, yes({ taskId: id, recordId: id }))
  }

  async function callBack({ id, model, callBackUrl, link }: Kept): Promise<void> {
    const data = { taskId: id, model, state: 'success', param: '{}', resultJson: JSON.stringify({ resultUrls: [link] }), failCode: null, failMsg: null, creditsConsumed: 12 }
    await fetch(callBackUrl!, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ code: 200, msg: 'Playground task completed successfully.', data }) }).catch(() => {})
  }

  function look({ headers, query }: Heard): Reply {
    stats.looks++
    if (headers.authorization !== `Bearer ${kieKey}`) return no(401, 'You do not have access permissions')
    const task = tasks.get(query.get('taskId') ?? '')
    if (!task || task.fault === 'lost') return no(422, 'recordInfo is null')
    const { id, model, input, fault, nth, link } = task
    const looks = ++task.looks
    if (fault === 'moment' && looks === 1) return no(422, 'recordInfo is null')
    if (fault === 'blind' && looks <= 2) return looks === 1 ? { ...page, status: 502 } : no(500, 'Server exception, please try again later')
    const data = {
      taskId: id, model, state: 'success', param: JSON.stringify({ model, input: JSON.stringify(input) }), resultJson: JSON.stringify({ resultUrls: [link] }) as string | null,
      failCode: null as string | null, failMsg: null as string | null, costTime: 41, completeTime: 1794560441907, createTime: 1794560400512, creditsConsumed: 6.0,
    }
    const failing = (failCode: string, failMsg: string) => yes({ ...data, state: 'fail', resultJson: '', failCode, failMsg, creditsConsumed: 0 })
    if (fault === 'states' || fault === 'called') {
      const state = ['waiting', 'queuing', 'generating'][looks - 1]
      if (state && (fault === 'states' || looks === 1)) return yes({ ...data, state, resultJson: '', completeTime: null, costTime: null })
    }
    switch (fault) {
      case 'fail': return failing('500', 'internal error, please try again later.')
      case 'fail_policy': return failing('501', 'The prompt was flagged by the content policy of the provider.')
      case 'fail_word': return failing('GENERATION_FAILED', 'The provider returned no image for this prompt.')
      case 'fail_full': if (nth === 1) return failing('550', 'The queue is full.'); break
      case 'one_fails': if (nth === 2) return failing('501', 'The provider returned no image for this prompt.'); break
      case 'empty': return yes({ ...data, resultJson: '{"resultUrls":[]}' })
    }
    return yes(data)
  }

  /** A direct link to a file of its own, good for 20 minutes. */
  function link({ headers, json }: Heard): Reply {
    stats.links++
    if (headers.authorization !== `Bearer ${kieKey}`) return no(401, 'You do not have access permissions')
    return [...tasks.values()].some(one => one.link === json?.url) ? yes(`${json.url}?X-Amz-Expires=1200&X-Amz-Signature=abc`) : no(422, 'url is wrong')
  }

  async function openFile({ path, query }: Heard): Promise<Reply> {
    stats.files++
    const task = tasks.get(path.slice(3, 35))
    if (!task) return { status: 404, text: 'not found' }
    if (task.fault === 'expired' || task.fault === 'expired_link' && !query.has('X-Amz-Signature')) return { status: 403, text: '<Error><Code>AccessDenied</Code></Error>' }
    if (task.fault === 'not_a_picture') return { ...page, headers: { 'content-type': 'image/png' } }
    return path.endsWith('.mp4') ? { bytes: film(), headers: { 'content-type': 'video/mp4' } } : { bytes: await paint(64, 64), headers: { 'content-type': 'image/png' } }
  }

  function upload({ path, headers, json, body }: Heard): Reply {
    stats.uploads++
    if (headers.authorization !== `Bearer ${kieKey}`) return { status: 401, json: { success: false, code: 401, msg: 'Authentication failed: Invalid API Key' } }
    const isForm = path === '/api/file-stream-upload'
    const name = isForm ? /name="fileName"\r\n\r\n([^\r]+)/.exec(body.toString('latin1'))?.[1] : json?.fileName
    const folder = isForm ? /name="uploadPath"\r\n\r\n([^\r]+)/.exec(body.toString('latin1'))?.[1] : json?.uploadPath
    if (!folder) return { status: 400, json: { success: false, code: 400, msg: 'Missing required parameter: uploadPath' } }
    const fault = uploadFaults.shift()
    if (fault === 'busy') return { status: 429, headers: { 'retry-after': '1' }, json: { success: false, code: 429, msg: 'Too many requests' } }
    if (fault === 'cut') throw new Cut()
    if (fault === 'key') return { status: 401, json: { success: false, code: 401, msg: 'Authentication failed: Invalid API Key' } }
    if (!isForm && !/^data:image\/[a-z]+;base64,[A-Za-z0-9+/]+=*$/.test(json?.base64Data)) return { status: 400, json: { success: false, code: 400, msg: 'Base64 decoding failed: Invalid Base64 format' } }
    return { json: { success: true, code: 200, msg: 'File uploaded successfully', data: {
      success: true, fileName: name, filePath: `kieai/123456/${folder}/${name}`, downloadUrl: `https://tempfile.redpandaai.co/kieai/123456/${folder}/${name}`, fileSize: body.length, mimeType: 'image/png', uploadedAt: '2026-04-30T08:53:07.838Z' } } }
  }
}

export async function rehearse(): Promise<Rehearsal> {
  const upstream = await startKie()
  return {
    settings: { apiKey: kieKey, baseUrl: upstream.url, uploadUrl: upstream.url, webhookKey: kieWebhookKey }, model: 'nano-banana-2-1', key: kieKey, tellsCost: true,
    stats: upstream.stats, clear: upstream.clear, close: upstream.close,
    callBack: (id, atS) => ({
      body: JSON.stringify({ code: 200, msg: 'done', data: { taskId: id, state: 'success' } }),
      headers: { 'x-webhook-timestamp': String(atS), 'x-webhook-signature': createHmac('sha256', kieWebhookKey).update(`${id}.${atS}`).digest('base64') },
    }),
    faults: {
      ...lineFaults(),
      // Its own words for a limit come under HTTP 200.
      busy: { says: 'fault:busy', ...again }, busy_when: { says: 'fault:busy_http', ...again },
      no_picture: { says: 'fault:not_a_picture', ...bought('bad_output') },
      lost_job: { says: 'fault:lost', ...bought('provider_failed') }, moment: { says: 'fault:moment', ...fine }, blind: { says: 'fault:blind', ...fine },
      odd_200: { says: 'fault:server', asked: 1, bought: 0, captured: 0, code: 'outcome_unknown' },
      // Its record names the same link for ever; the fresh one is asked for.
      expired: { says: 'fault:expired', ...bought('output_expired') }, expired_once: { says: 'fault:expired_link', ...fine },
    },
  }
}
