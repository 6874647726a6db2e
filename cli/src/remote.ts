/** A server of Plantain as the commands ask it, through its native door. */
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Exit, exitCodeOf, exitCodes } from './exit.ts'
import { plainLine, type Shared, type Terminal } from './terminal.ts'

export interface Money { micros: number; usd: string }
/** What it costs at least and at most, in dollars. Pure. */
export const showRange = (min: Money, max: Money): string => max.micros === min.micros ? `$${max.usd}` : `$${min.usd} to $${max.usd}`
export interface Output { url: string; mime: string; width: number | null; height: number | null; size_bytes?: number }
export interface TaskView {
  id: string
  state: 'queued' | 'running' | 'waiting' | 'done' | 'failed' | 'cancelled'
  livemode?: boolean
  model: string
  operation?: string
  prompt?: string
  outputs: Output[]
  text?: string | null
  price?: Money
  cost?: Money | null
  progress?: number | null
  problem?: { code: string; message: string } | null
  warnings?: string[]
  created_at?: string
}

export const hasEnded = ({ state }: TaskView): boolean => state === 'done' || state === 'failed' || state === 'cancelled'

export interface Remote {
  url: string
  get<T>(path: string, signal?: AbortSignal): Promise<T>
  /** `key` makes a repetition harmless; such a call is made once more when the line breaks. */
  post<T>(path: string, body: unknown, options?: { idempotencyKey?: string }): Promise<T>
  patch<T>(path: string, body: unknown): Promise<T>
  put<T>(path: string, body: unknown): Promise<T>
  upload<T>(path: string, bytes: Uint8Array<ArrayBuffer>): Promise<T>
  /** An answer that is no JSON, with the key. @throws {Exit} for a refusal */
  open(path: string): Promise<Response>
  download(url: string): Promise<Response>
}

const answerWithinMs = 90_000

/** Where the server is: `--url`, `PLANTAIN_URL`, or this machine. */
export function findUrl({ url }: Shared, env: Terminal['env']): string {
  const text = url ?? (env.PLANTAIN_URL || `http://127.0.0.1:${env.PORT && env.PORT !== '0' ? env.PORT : 7700}`)
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) throw new Exit(exitCodes.usage, 'bad_request', `"${text}" is no address. Give --url as in http://127.0.0.1:7700.`)
  return text.replace(/\/+$/, '')
}

/** The key: `--key`, `PLANTAIN_KEY`, or the one the first boot left in the data folder. */
export async function findKey({ key }: Shared, { env }: Terminal): Promise<string> {
  const given = key ?? env.PLANTAIN_KEY
  if (given) return given.trim()
  // Where the server would look too: its data folder goes by the working directory, wherever the caller stood.
  const file = join(resolve(env.PLANTAIN_DATA_DIR || 'data'), 'first-key.txt')
  const kept = await readFile(file, 'utf8').catch(() => null)
  if (kept?.trim()) return kept.trim()
  throw new Exit(exitCodes.unauthorized, 'unauthorized', `No key. Give --key, set PLANTAIN_KEY, or run where the server keeps its data (there is no ${file}).`)
}

export async function openRemote(shared: Shared, terminal: Terminal): Promise<Remote> {
  const url = findUrl(shared, terminal.env)
  const key = await findKey(shared, terminal)
  const headers = { authorization: `Bearer ${key}`, accept: 'application/json' }

  const reach = async (to: string, init: RequestInit): Promise<Response> => {
    try {
      const signals = [AbortSignal.timeout(answerWithinMs), ...(init.signal ? [init.signal] : [])]
      return await fetch(to, { ...init, signal: AbortSignal.any(signals) })
    } catch (thrown) {
      init.signal?.throwIfAborted()
      const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause.message || (thrown.cause as NodeJS.ErrnoException).code : thrown instanceof Error ? thrown.message : ''
      throw new Exit(exitCodes.unreachable, 'unreachable', `${new URL(to).origin} does not answer${cause ? ` (${cause})` : ''}. Is the server up? Start it with plantain serve, or give --url.`)
    }
  }
  const read = async <T>(response: Response): Promise<T> => {
    const text = await response.text().catch(() => '')
    let body: unknown
    try { body = JSON.parse(text) } catch { body = null }
    if (response.ok && body !== null) return body as T
    const error = (body as { error?: { code?: string; message?: string } } | null)?.error
    if (response.ok || !error?.message) throw new Exit(response.ok ? exitCodes.unreachable : exitCodeOf(response.status), 'unreadable', `${url} answered ${response.status} with something that is not Plantain's. Check --url.`)
    const { message, ...details } = error
    throw new Exit(exitCodeOf(response.status), error.code ?? 'internal', plainLine(message, 1_000), details)
  }

  const change = async <T>(method: 'PATCH' | 'PUT', path: string, body: unknown): Promise<T> => read(await reach(url + path, { method, body: JSON.stringify(body), headers: { ...headers, 'content-type': 'application/json' } }))

  return {
    url,
    get: async (path, signal) => read(await reach(url + path, { headers, ...(signal ? { signal } : {}) })),
    async post(path, body, { idempotencyKey } = {}) {
      const init = { method: 'POST', body: JSON.stringify(body), headers: { ...headers, 'content-type': 'application/json', ...(idempotencyKey ? { 'idempotency-key': idempotencyKey } : {}) } }
      try {
        return await read(await reach(url + path, init))
      } catch (thrown) {
        // The line may have broken after the server took it. With the key, the second call is given the first one's task.
        if (!idempotencyKey || !(thrown instanceof Exit) || thrown.code !== 'unreachable') throw thrown
        return await read(await reach(url + path, init))
      }
    },
    patch: (path, body) => change('PATCH', path, body),
    put: (path, body) => change('PUT', path, body),
    upload: async (path, bytes) => read(await reach(url + path, { method: 'POST', body: bytes, headers: { ...headers, 'content-type': 'application/octet-stream' } })),
    async open(path) {
      const response = await reach(url + path, { headers: { ...headers, accept: '*/*' } })
      return response.ok ? response : read<never>(response)
    },
    // A signed link carries its own right, and may lead to another host that has no business with our key.
    download: (link) => reach(new URL(link, url).href, {}),
  }
}
