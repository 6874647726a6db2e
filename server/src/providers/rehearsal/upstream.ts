/**
 * The upstream that `providers/rehearsal` speaks to: a loopback HTTP server that takes jobs, hands out pictures, and can be told
 * to go wrong in every way upstreams do (`rules.ts`).
 *
 * It counts per key and per task what it was asked, what it took and what it handed over, so that "asked once" can be proved.
 * It runs inside a test, or as a process of its own that outlives a server killed under test:
 * `node server/src/providers/rehearsal/upstream.ts --port 7799` prints its address as one line of JSON.
 */
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { paintPlain } from './picture.ts'
import { fits, readWord, words } from './rules.ts'
import type { Behaviour, Rule } from './rules.ts'
import type { Answer, Refusal } from './wire.ts'

/** `asked`: requests to make it. `accepted`: those taken, each a purchase. `delivered`: finished answers handed over. */
export interface Count { asked: number; accepted: number; delivered: number }

export interface Stats {
  asked: number
  accepted: number
  delivered: number
  polls: number
  searches: number
  cancelled: number
  files: number
  /** Callbacks sent, and those that were answered with 2xx. */
  callbacks: number
  callbacksTaken: number
  keys: Record<string, Count>
  /** By the caller's own reference, the task: attempts with other keys add up here. */
  tasks: Record<string, Count>
}

export interface UpstreamOptions {
  /** 0 takes any free port. */
  port?: number
  /** What it does where no rule fits. */
  otherwise?: Behaviour
  /** Whether a repeated `idempotency-key` is given its first job again. Off: every repetition is another purchase, and counted. */
  honourKeys?: boolean
  /** Asked as `authorization: Bearer`. Absent: anybody may. */
  apiKey?: string
}

export interface Upstream {
  url: string
  stats(): Stats
  /** The newest rule comes first. */
  tell(rule: Rule): void
  /** Forgets rules, jobs and counts. */
  reset(): void
  close(): Promise<void>
}

interface Sent { reference?: string; prompt?: string; number?: number; size?: string; callback_url?: string }
interface Kept { id: string; key: string; task: string; does: Behaviour; pictures: string[]; polls: number; readyAt: number; cancelled: boolean }

const bodyMax = 64 * 1024 * 1024

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length
    if (size > bodyMax) throw new Error('The body is too large.')
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}

const pause = (ms: number) => new Promise<void>((resume) => { setTimeout(resume, ms).unref() })

function send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers })
  response.end(text)
}

const sendRefusal = (response: ServerResponse, status: number, code: Refusal['error']['code'], message: string, headers?: Record<string, string>) =>
  send(response, status, { error: { code, message } } satisfies Refusal, headers)

const page = (title: string) => `<!doctype html><title>${title}</title><h1>${title}</h1>`

export async function startUpstream({ port = 0, otherwise = { kind: 'ready' }, honourKeys = false, apiKey }: UpstreamOptions = {}): Promise<Upstream> {
  let url = ''
  let made = 0
  let rules: { rule: Rule; used: number; usedBy: Map<string, number> }[] = []
  const jobs = new Map<string, Kept>()
  const byKey = new Map<string, Kept[]>()
  const keys = new Map<string, Count>()
  const tasks = new Map<string, Count>()
  const total = { asked: 0, accepted: 0, delivered: 0, polls: 0, searches: 0, cancelled: 0, files: 0, callbacks: 0, callbacksTaken: 0 }

  const countIn = (counts: Map<string, Count>, name: string): Count => {
    const kept = counts.get(name)
    if (kept) return kept
    const fresh = { asked: 0, accepted: 0, delivered: 0 }
    counts.set(name, fresh)
    return fresh
  }
  const count = (what: keyof Count, { key, task }: { key: string; task: string }) => {
    total[what]++
    countIn(keys, key)[what]++
    countIn(tasks, task)[what]++
  }

  const reset = () => {
    rules = Object.entries(words).map(([word, rule]) => ({ rule: { word, ...rule }, used: 0, usedBy: new Map<string, number>() }))
    jobs.clear(); byKey.clear(); keys.clear(); tasks.clear()
    for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] = 0
  }
  reset()

  const choose = (prompt: string, task: string): { does: Behaviour; slowMs: number } => {
    const request = { nth: total.asked, word: readWord(prompt) }
    for (const entry of rules) {
      const { rule } = entry
      const usedBy = entry.usedBy.get(task) ?? 0
      if (!fits(rule, request) || entry.used >= (rule.times ?? Infinity) || usedBy >= (rule.timesPerTask ?? Infinity)) continue
      entry.used++
      if (rule.timesPerTask !== undefined) entry.usedBy.set(task, usedBy + 1)
      return { does: rule.does, slowMs: rule.slowMs ?? 0 }
    }
    return { does: otherwise, slowMs: 0 }
  }

  const isReady = (job: Kept): boolean => {
    switch (job.does.kind) {
      case 'queued': return (job.does.polls !== undefined && job.polls > job.does.polls + (job.does.polls500 ?? 0)) || (job.readyAt > 0 && Date.now() >= job.readyAt)
      case 'twice': return Date.now() >= job.readyAt
      case 'stuck': case 'lost': return false
      default: return true
    }
  }

  /** How a job stands, as its answer. */
  const describe = (job: Kept): Answer => {
    if (job.cancelled) return { id: job.id, status: 'cancelled' }
    if (job.does.kind === 'refused') return { id: job.id, status: 'refused', reason: 'The upstream refused this prompt.' }
    if (job.does.kind === 'broken') return { id: job.id, status: 'broken', reason: 'The upstream could not finish this job.' }
    if (!isReady(job)) return { id: job.id, status: job.polls === 0 ? 'queued' : 'running', progress: Math.min(99, job.polls * 10) }
    return { id: job.id, status: 'ready', pictures: job.pictures.map((name, index) => ({ url: `${url}/files/${name}`, mime: 'image/png', seed: index + 1 })) }
  }

  /** Says how a job stands, and counts it as handed over once the whole answer has left. */
  const tellJob = (response: ServerResponse, status: number, job: Kept) => {
    const answer = describe(job)
    if (answer.status === 'ready') response.once('finish', () => count('delivered', job))
    send(response, status, answer)
  }

  const accept = (key: string, sent: Sent, does: Behaviour): Kept => {
    const id = `job-${++made}`
    const kind = does.kind === 'bad_picture' ? 'bad' : does.kind === 'expired' ? 'old' : sent.size ?? '64x64'
    const number = Math.max(1, (sent.number ?? 1) - (does.kind === 'fewer' ? 1 : 0))
    const afterMs = does.kind === 'queued' ? does.afterMs : does.kind === 'twice' ? does.afterMs ?? 0 : undefined
    const job: Kept = {
      id, key, task: sent.reference ?? '', does, polls: 0, cancelled: false,
      pictures: Array.from({ length: number }, (_, index) => `${id}-${index + 1}-${kind}.png`),
      readyAt: afterMs === undefined ? 0 : Date.now() + afterMs,
    }
    jobs.set(id, job)
    byKey.set(key, [job, ...byKey.get(key) ?? []])
    count('accepted', job)
    if (sent.callback_url && afterMs !== undefined && !(does.kind === 'queued' && does.callback === false)) {
      void callBack(job, sent.callback_url, afterMs, does.kind === 'twice' ? 2 : 1)
    }
    return job
  }

  async function callBack(job: Kept, to: string, afterMs: number, times: number): Promise<void> {
    await pause(afterMs)
    // A timer may go off a moment before the clock has come so far.
    while (Date.now() < job.readyAt) await pause(1)
    for (let sent = 0; sent < times && !job.cancelled && jobs.get(job.id) === job; sent++) {
      const answer = describe(job)
      total.callbacks++
      try {
        const { ok, body } = await fetch(to, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(answer), signal: AbortSignal.timeout(10_000) })
        await body?.cancel()
        if (ok) { total.callbacksTaken++; count('delivered', job) }
      } catch { /* An upstream that cannot reach us does not care: looking finds it all the same. */ }
    }
  }

  async function takeJob(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const key = String(request.headers['idempotency-key'] ?? '')
    let sent: Sent
    try { sent = JSON.parse(await readBody(request)) as Sent } catch { return sendRefusal(response, 400, 'bad_request', 'The body is no JSON.') }
    const task = sent.reference ?? ''
    count('asked', { key, task })
    const known = honourKeys ? byKey.get(key)?.[0] : undefined
    if (known) return tellJob(response, 200, known)
    const { does, slowMs } = choose(sent.prompt ?? '', task)
    const take = () => accept(key, sent, does)
    if (slowMs > 0) await pause(slowMs)

    switch (does.kind) {
      case 'ready': case 'bad_picture': case 'expired': case 'fewer': return tellJob(response, 200, take())
      case 'queued': case 'stuck': case 'lost': case 'twice': return tellJob(response, 202, take())
      case 'broken': return send(response, 202, { id: take().id, status: 'queued' } satisfies Answer)
      case 'refused':
        return does.later
          ? send(response, 202, { id: take().id, status: 'queued' } satisfies Answer)
          : sendRefusal(response, 422, 'refused', 'The upstream refused this prompt.')
      case 'busy': return sendRefusal(response, 429, 'busy', 'Too many jobs at once.', does.retryAfterS === null ? {} : { 'retry-after': String(does.retryAfterS ?? 1) })
      case 'error':
        if (does.taken) take()
        return does.html
          ? send(response, does.status, page('Bad gateway'), { 'content-type': 'text/html' })
          : sendRefusal(response, does.status, 'internal', 'Something broke here.')
      case 'cut': {
        if (does.when === 'before') { request.socket.destroy(); return }
        const answer = JSON.stringify(describe(take()))
        if (does.when === 'after') { request.socket.destroy(); return }
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length })
        response.write(answer.slice(0, answer.length / 2), () => request.socket.destroy())
        return
      }
      case 'drip': {
        const job = take()
        const answer = JSON.stringify(describe(job))
        response.once('finish', () => count('delivered', job))
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length })
        for (let at = 0; at < answer.length; at += 40) { response.write(answer.slice(at, at + 40)); await pause(10) }
        response.end()
        return
      }
      case 'half_json': { const answer = JSON.stringify(describe(take())); return send(response, 200, answer.slice(0, answer.length / 2)) }
      case 'html': take(); return send(response, 200, page('Welcome'), { 'content-type': 'text/html' })
      case 'plain': {
        const job = take()
        response.once('finish', () => count('delivered', job))
        return send(response, 200, describe(job), { 'content-type': 'text/plain' })
      }
      case 'silent': take()
    }
  }

  function lookAt(response: ServerResponse, id: string): void {
    const job = jobs.get(id)
    total.polls++
    if (!job || job.does.kind === 'lost') return sendRefusal(response, 404, 'not_found', 'There is no such job.')
    job.polls++
    if (job.does.kind === 'queued' && job.polls <= (job.does.polls500 ?? 0)) return sendRefusal(response, 500, 'internal', 'Something broke here.')
    tellJob(response, 200, job)
  }

  function search(response: ServerResponse, key: string): void {
    total.searches++
    const found = (byKey.get(key) ?? []).filter((job) => job.does.kind !== 'lost').map((job) => ({ job, answer: describe(job) }))
    for (const { job, answer } of found) if (answer.status === 'ready') response.once('finish', () => count('delivered', job))
    send(response, 200, { jobs: found.map(({ answer }) => answer) })
  }

  function stop(response: ServerResponse, id: string): void {
    const job = jobs.get(id)
    if (!job) return sendRefusal(response, 404, 'not_found', 'There is no such job.')
    if (job.cancelled || isReady(job)) return sendRefusal(response, 409, 'ended', 'This job has ended.')
    job.cancelled = true
    total.cancelled++
    send(response, 200, describe(job))
  }

  function handOut(response: ServerResponse, name: string): void {
    total.files++
    const match = /^(job-\d+-\d+)-(?:(\d{1,4})x(\d{1,4})|(bad)|old)\.png$/.exec(name)
    if (!match) return sendRefusal(response, 404, 'not_found', 'There is no such file.')
    const [, note, width, height, bad] = match
    if (!width && !bad) return send(response, 403, page('Link expired'), { 'content-type': 'text/html' })
    const bytes = bad ? Buffer.from('These bytes are no picture.') : paintPlain(Number(width), Number(height), note!)
    response.writeHead(200, { 'content-type': 'image/png', 'content-length': bytes.length })
    response.end(bytes)
  }

  const stats = (): Stats => ({ ...total, keys: Object.fromEntries(keys), tasks: Object.fromEntries(tasks) })
  const tell = (rule: Rule) => { rules.unshift({ rule, used: 0, usedBy: new Map() }) }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '/'
    const doing = `${request.method} ${path.split(/[/?]/, 2).join('/')}`
    const rest = decodeURIComponent(/^\/[a-z]+\/([^/?]+)$/.exec(path)?.[1] ?? '')
    if (doing === 'GET /files') return handOut(response, rest)
    if (doing === 'GET /stats') return send(response, 200, stats())
    if (doing === 'POST /tell') { tell(JSON.parse(await readBody(request)) as Rule); return send(response, 200, {}) }
    if (doing === 'POST /reset') { reset(); return send(response, 200, {}) }
    if (apiKey && request.headers.authorization !== `Bearer ${apiKey}`) return sendRefusal(response, 401, 'unauthorized', 'This key is not known here.')
    if (doing === 'POST /jobs') return await takeJob(request, response)
    if (doing === 'GET /jobs') return rest ? lookAt(response, rest) : search(response, new URLSearchParams(path.split('?', 2)[1]).get('key') ?? '')
    if (doing === 'DELETE /jobs') return stop(response, rest)
    sendRefusal(response, 404, 'not_found', 'There is nothing here.')
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((thrown: unknown) => {
      if (!response.headersSent) sendRefusal(response, 400, 'bad_request', thrown instanceof Error ? thrown.message : 'This request cannot be read.')
    })
  })
  // Held longer than any client of ours holds its end, so that no request meets a line that is just being closed.
  server.keepAliveTimeout = 120_000
  await new Promise<void>((resume, refuse) => { server.once('error', refuse).listen(port, '127.0.0.1', resume) })
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    url, stats, tell, reset,
    close: () => new Promise<void>((resume) => { server.close(() => resume()); server.closeAllConnections() }),
  }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { port: { type: 'string' }, 'honour-keys': { type: 'boolean' }, queued: { type: 'string' } } })
  const upstream = await startUpstream({
    port: Number(values.port ?? 0),
    honourKeys: values['honour-keys'] ?? false,
    ...(values.queued === undefined ? {} : { otherwise: { kind: 'queued', polls: Number(values.queued) } }),
  })
  process.stdout.write(`${JSON.stringify({ url: upstream.url })}\n`)
}
