/**
 * ComfyUI as its source tells it: prompts under ids of ours, a queue and a history in memory, uploads, files, and a stream of events.
 *
 * What a prompt may rehearse: the line's faults (`loopback.ts`; those before it is taken once), `busy`, `server_once`, `restarted` (forgets the first), `blind`, `states`,
 * `held` (until `release`), `fail`, `memory`, `interrupted`, `nothing`, `partly`, `not_a_picture`, `no_file`. Uploads are told by `uploadFaults`.
 */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Duplex } from 'node:stream'
import { readMultipart } from '../../src/kit/multipart.ts'
import { answerFault, bought, counter, Cut, fine, lineFault, lineFaults, listen, page, paint, readFault, smallSize, type Heard, type Loopback, type Rehearsal, type Reply } from './loopback.ts'

export interface ComfyuiStats { asked: number; bought: number; uploads: number; deleted: number; interrupts: number }
export interface ComfyuiUpstream extends Loopback {
  stats(): ComfyuiStats
  /** Bodies of `/prompt`. */
  orders(): any[]
  uploadFaults: ('busy' | 'cut' | 'full')[]
  /** How many streams stand. */
  streams(): number
  /** Says something on the stream of whoever handed in the prompt: an event, or the bytes of a preview. */
  say(promptId: string, event: { type: string; data?: object } | Buffer): void
  /** Lets held prompts be made. */
  release(): Promise<void>
  /** Loses its memory. */
  restart(): void
  /** `Authorization` it wants, if any. */
  authorization: string | undefined
  /** Something in between swallows what is no plain HTTP. */
  deaf: boolean
  clear(): void
}

interface Kept { id: string; client: string; workflow: Record<string, { class_type: string; inputs: any }>; fault: string | null; looks: number; stage: 'pending' | 'running' | 'made'; entry: any }

const classes = new Set(['KSampler', 'CheckpointLoaderSimple', 'EmptyLatentImage', 'EmptySD3LatentImage', 'CLIPTextEncode', 'VAEDecode', 'VAEEncode', 'SaveImage', 'LoadImage', 'LoadImageMask', 'ImageScale', 'RepeatLatentBatch', 'MaskToImage', 'ImageToMask',
  'SetLatentNoiseMask', 'UNETLoader', 'DualCLIPLoader', 'VAELoader', 'FluxGuidance', 'ConditioningZeroOut'])
const lists: Record<string, unknown[]> = { ckpt_name: ['sd_xl_base_1.0.safetensors'], sampler_name: ['euler', 'dpmpp_2m'], scheduler: ['normal', 'simple', 'karras'], unet_name: [], clip_name1: [], clip_name2: [], vae_name: [] }

const refuse = (type: string, message: string, nodeErrors: object = {}): Reply => ({ status: 400, json: { error: { type, message, details: '', extra_info: {} }, node_errors: nodeErrors } })
const frame = (opcode: number, bytes: Buffer): Buffer => {
  const head = bytes.length < 126 ? Buffer.from([0x80 | opcode, bytes.length]) : Buffer.from([0x80 | opcode, 126, bytes.length >> 8, bytes.length & 255])
  return Buffer.concat([head, bytes])
}

export async function startComfyui(): Promise<ComfyuiUpstream> {
  const prompts = new Map<string, Kept>()
  const files = new Map<string, Buffer>()
  const sockets = new Map<string, Duplex>()
  const counts = counter()
  const orders: any[] = []
  const none: ComfyuiStats = { asked: 0, bought: 0, uploads: 0, deleted: 0, interrupts: 0 }
  let stats = { ...none }
  let saved = 0
  const upstream: ComfyuiUpstream = {
    ...await listen(handle, (request, socket) => {
      if (upstream.deaf) return
      const { pathname, searchParams } = new URL(request.url!, 'http://upstream')
      if (pathname !== '/ws' || upstream.authorization !== undefined && request.headers.authorization !== upstream.authorization) { socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n'); return }
      const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
      const client = searchParams.get('clientId')!
      sockets.set(client, socket)
      socket.on('error', () => {})
      socket.on('close', () => { if (sockets.get(client) === socket) sockets.delete(client) })
      socket.on('data', bytes => { if ((bytes[0]! & 15) === 8) socket.end() })
      socket.write(frame(1, Buffer.from(JSON.stringify({ type: 'status', data: { status: { exec_info: { queue_remaining: 0 } }, sid: client } }))))
    }),
    authorization: undefined, deaf: false, uploadFaults: [], stats: () => ({ ...stats }), orders: () => orders, streams: () => sockets.size,
    say(promptId, event) {
      const socket = sockets.get(prompts.get(promptId)!.client)
      socket?.write(Buffer.isBuffer(event) ? frame(2, Buffer.concat([Buffer.from([0, 0, 0, 1, 0, 0, 0, 2]), event])) : frame(1, Buffer.from(JSON.stringify({ ...event, data: { prompt_id: promptId, ...event.data } }))))
    },
    async release() {
      for (const one of prompts.values()) {
        if (one.stage === 'made') continue
        await make(one)
        upstream.say(one.id, { type: 'executing', data: { node: null } })
      }
    },
    restart() { prompts.clear() },
    clear() { stats = { ...none }; prompts.clear(); files.clear(); counts.reset(); orders.length = 0; upstream.uploadFaults.length = 0; upstream.deaf = false; upstream.reset() },
  }
  return upstream

  async function handle(heard: Heard): Promise<Reply> {
    const { method, path, query, json, headers } = heard
    if (upstream.authorization !== undefined && headers.authorization !== upstream.authorization) return { status: 401, text: 'Unauthorized' }
    if (method === 'GET' && path === '/system_stats') return { json: { system: { comfyui_version: '0.3.70' }, devices: [] } }
    if (method === 'POST' && path === '/prompt') return post(json)
    if (method === 'POST' && path === '/upload/image') return upload(heard)
    if (method === 'POST' && path === '/queue') { for (const id of json.delete ?? []) if (prompts.get(id)?.stage === 'pending') { prompts.delete(id); stats.deleted++ } return { bytes: Buffer.alloc(0) } }
    if (method === 'POST' && path === '/interrupt') { const one = prompts.get(json.prompt_id); if (one?.stage === 'running') { stats.interrupts++; one.stage = 'made'; one.entry = failure('execution_interrupted', {}) } return { bytes: Buffer.alloc(0) } }
    if (path === '/queue') { const at = (stage: Kept['stage']) => [...prompts.values()].filter(one => one.stage === stage).map(one => [0, one.id, one.workflow, {}, ['9']]); return { json: { queue_running: at('running'), queue_pending: at('pending') } } }
    if (path.startsWith('/history/')) return remember(path.slice('/history/'.length))
    if (path === '/view') { const bytes = files.get(query.get('filename')!); return bytes ? { bytes, headers: { 'content-type': 'image/png' } } : { status: 404, text: '404: Not Found' } }
    return { status: 404, text: '404: Not Found' }
  }

  async function post(body: any): Promise<Reply> {
    stats.asked++
    orders.push(body)
    const workflow: Kept['workflow'] = body.prompt
    const text = Object.values(workflow).map(({ class_type: kind, inputs }) => kind === 'CLIPTextEncode' ? inputs.text : '').join(' ')
    const fault = readFault(text)
    const nth = counts.next(text)
    if (nth === 1) { const line = lineFault(fault, nth); if (line) return line }
    if (fault === 'busy' && nth === 1) return { status: 503, text: 'busy', headers: { 'retry-after-ms': '50' } }
    if (fault === 'server_once' && nth === 1) return { status: 500, text: '500 Internal Server Error', headers: { 'content-type': 'text/plain' } }
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(body.prompt_id)) return refuse('invalid_prompt_id', 'prompt_id must be a valid UUID')
    const strange = Object.values(workflow).find(({ class_type: kind }) => !classes.has(kind))
    if (strange) return refuse('invalid_prompt', `Cannot execute because node ${strange.class_type} does not exist.`)
    for (const [node, { class_type: kind, inputs }] of Object.entries(workflow)) {
      for (const [input, value] of Object.entries(inputs)) {
        if (lists[input] && !lists[input].includes(value)) return refuse('prompt_outputs_failed_validation', 'Prompt outputs failed validation', { [node]: { class_type: kind, dependent_outputs: ['9'], errors: [{ type: 'value_not_in_list', message: 'Value not in list', details: `${input}: '${String(value)}' not in ${JSON.stringify(lists[input])}`, extra_info: { input_name: input } }] } })
      }
    }
    stats.bought++
    const one: Kept = { id: body.prompt_id, client: body.client_id, workflow, fault, looks: 0, stage: 'pending', entry: null }
    if (!(fault === 'restarted' && nth === 1)) prompts.set(one.id, one)
    if (fault === 'held') one.stage = 'running'
    else if (fault !== 'states' && fault !== 'waits') await make(one)
    const nodeErrors = fault === 'partly' ? { 9: { class_type: 'SaveImage', dependent_outputs: ['9'], errors: [{ type: 'required_input_missing', message: 'Required input is missing', details: 'images', extra_info: { input_name: 'images' } }] } } : {}
    const reply: Reply = { json: { prompt_id: one.id, number: stats.bought, node_errors: nodeErrors } }
    return nth === 1 ? answerFault(fault, reply) : reply
  }

  async function make(one: Kept): Promise<void> {
    const { fault, workflow } = one
    one.stage = 'made'
    if (fault === 'fail') { one.entry = failure('execution_error', { node_id: '8', node_type: 'VAEDecode', exception_type: 'RuntimeError', exception_message: 'mat1 and mat2 shapes cannot be multiplied in /home/maker/ComfyUI/nodes.py' }); return }
    if (fault === 'memory') { one.entry = failure('execution_error', { node_id: '3', node_type: 'KSampler', exception_type: 'torch.OutOfMemoryError', exception_message: 'Allocation on device ' }); return }
    if (fault === 'interrupted') { one.entry = failure('execution_interrupted', { node_id: '3', node_type: 'KSampler' }); return }
    const all = Object.values(workflow).map(({ inputs }) => inputs)
    const { width, height } = all.find(inputs => Number.isInteger(inputs.width)) ?? { width: 64, height: 64 }
    const count = all.find(inputs => Number.isInteger(inputs.batch_size))?.batch_size ?? all.find(inputs => Number.isInteger(inputs.amount))?.amount ?? 1
    const images = await Promise.all(Array.from({ length: fault === 'nothing' || fault === 'partly' ? 0 : count }, async () => {
      const filename = `plantain_${String(++saved).padStart(5, '0')}_.png`
      if (fault !== 'no_file') files.set(filename, fault === 'not_a_picture' ? Buffer.from(page.text!) : await paint(width, height))
      return { filename, subfolder: '', type: 'output' }
    }))
    one.entry = { prompt: [0, one.id, workflow, {}, ['9']], outputs: images.length > 0 ? { 9: { images } } : {}, status: { status_str: 'success', completed: true, messages: [['execution_success', { prompt_id: one.id }]] } }
  }

  async function remember(id: string): Promise<Reply> {
    const one = prompts.get(id)
    if (!one) return { json: {} }
    const looks = ++one.looks
    if (one.fault === 'blind' && looks === 1) return { ...page, status: 502 }
    if (one.fault === 'states') { if (looks === 2) one.stage = 'running'; if (looks === 3) await make(one) }
    return { json: one.stage === 'made' ? { [id]: one.entry } : {} }
  }

  async function upload({ headers, body }: Heard): Promise<Reply> {
    stats.uploads++
    const fault = upstream.uploadFaults.shift()
    if (fault === 'busy') return { status: 503, text: 'busy' }
    if (fault === 'cut') throw new Cut()
    if (fault === 'full') return { status: 413, text: '' }
    const form = await readMultipart(Readable.from([body]), headers as Record<string, string>, { filesMax: 1, fieldsMax: 5, fileMax: 60_000_000, fieldMax: 1_000 })
    const [file] = form.files
    const fields = new Map(form.fields)
    if (!file?.name || fields.get('type') !== 'input') return { status: 400, text: '' }
    files.set(`input/${file.name}`, file.bytes)
    return { json: { name: file.name, subfolder: fields.get('subfolder') ?? '', type: 'input' } }
  }
}

const failure = (event: string, data: object) => ({ prompt: [], outputs: {}, status: { status_str: 'error', completed: false, messages: [['execution_start', {}], [event, data]] } })

export async function rehearse(): Promise<Rehearsal> {
  const upstream = await startComfyui()
  return {
    settings: { baseUrl: upstream.url }, model: 'sdxl', parameters: smallSize, key: null, tellsCost: true,
    stats: upstream.stats, clear: upstream.clear, close: upstream.close,
    faults: {
      // Found under our own id in queue and history; what is in neither is begun again.
      ...lineFaults({ asked: 2, bought: 1, captured: 1, made: 1 }, fine),
      no_picture: { says: 'fault:not_a_picture', ...bought('bad_output') },
      lost_job: { says: 'fault:restarted', asked: 2, bought: 2, captured: 1, made: 1, attempts: 2 },
      moment: 'What neither its queue nor its history knows is not being made there.', blind: { says: 'fault:blind', ...fine },
      odd_200: { says: 'fault:partly', ...bought('bad_output'), costs: ['open'] },
      expired: { says: 'fault:no_file', ...bought('output_expired'), costs: ['open'] }, expired_once: 'Its files lie on that machine and have no links: one that is gone is gone.',
    },
  }
}
