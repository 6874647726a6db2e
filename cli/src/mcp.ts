/**
 * `plantain mcp`: the tools of `/mcp` over standard input and output, for assistants that start a command rather than open an address.
 *
 * A thin bridge: the tools are the server's own, and every one of them asks the server's native door with the caller's key.
 */
import { randomUUID } from 'node:crypto'
import { finished } from 'node:stream/promises'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { Problem, problems, type Mistake, type ProblemCode } from '@plantain/server/domain/problem.ts'
import { createMcpServer } from '@plantain/server/protocols/mcp/server.ts'
import { BalanceView, EstimateView, ExecutionView, ModelView, readView, TaskView, WorkflowView } from '@plantain/server/protocols/mcp/views.ts'
import type { Draft, Workshop } from '@plantain/server/protocols/mcp/workshop.ts'
import { Exit } from './exit.ts'
import { openRemote, type Remote } from './remote.ts'
import type { Shared, Terminal } from './terminal.ts'

/** One message may carry a few pictures in base64. */
const messageMax = 64 * 1024 * 1024
/** The native door's longest wait. */
const lookMaxS = 60
/** Orders whose caller left, kept so that the same order again is given its task; as long as the server's own doors do it. */
const leftMax = 100
const leftMaxMs = 600_000

export async function serveMcp(shared: Shared, terminal: Terminal): Promise<void> {
  const remote = await openRemote(shared, terminal)
  const gone = new AbortController()
  const server = createMcpServer(openWorkshop(remote), {
    gone: gone.signal,
    onBug: (thrown) => { terminal.note(thrown instanceof Error ? thrown.stack ?? thrown.message : String(thrown)) },
  })
  // eslint-disable-next-line unicorn/prefer-add-event-listener -- the protocol's server has no other way to say it
  server.onerror = ({ message }) => { terminal.note(message) }
  const { input, output } = terminal.pipes
  const forget = terminal.onInterrupt(() => { input.destroy() })
  await server.connect(new StdioServerTransport(input, output, { maxBufferSize: messageMax }))
  terminal.note(`Offering the tools of ${remote.url} on standard input and output.`)
  // Whoever started us ends us by closing our input.
  await finished(input, { writable: false }).catch(() => {})
  forget()
  gone.abort()
  await server.close()
}

const base = '/plantain/v1'

/** What the native door said no with, as a problem again. */
function problemOf(thrown: unknown): unknown {
  if (!(thrown instanceof Exit)) return thrown
  const { code, message, details } = thrown
  const { field, value, allowed, problems: mistakes, retry_after_s: retryAfterS, upstream_code: upstreamCode } = details as { field?: string; value?: unknown; allowed?: unknown; problems?: Mistake[]; retry_after_s?: number; upstream_code?: string }
  const told = Object.fromEntries(Object.entries({ field, value, allowed, problems: mistakes, retryAfterS, upstreamCode }).filter(([, entry]) => entry !== undefined))
  return new Problem(Object.hasOwn(problems, code) ? code as ProblemCode : 'unavailable', message, { ...told, cause: thrown })
}

const asked = async <T>(answer: Promise<T>): Promise<T> => answer.catch((thrown: unknown) => { throw problemOf(thrown) })

export function openWorkshop(remote: Remote): Workshop {
  const get = (path: string, signal?: AbortSignal) => asked(remote.get<unknown>(`${base}${path}`, signal))
  const post = (path: string, body: unknown, options?: { idempotencyKey?: string }) => asked(remote.post<unknown>(`${base}${path}`, body, options))
  const task = (json: unknown) => readView(TaskView, json)
  /** Idempotency keys of orders that were left, by what was ordered; and of those under way, by their task. */
  const left = new Map<string, { key: string; atMs: number }>()
  const underWay = new Map<string, { order: string; key: string }>()

  return {
    async submit(draft) {
      const body = writeOrder(draft)
      const order = JSON.stringify(body)
      const known = left.get(order)
      left.delete(order)
      if (known && draft.idempotencyKey === undefined && Date.now() - known.atMs < leftMaxMs) {
        const earlier = task(await post('/tasks', body, { idempotencyKey: known.key }))
        underWay.set(earlier.id, { order, key: known.key })
        // What failed is no answer to give again.
        if (earlier.state !== 'failed' && earlier.state !== 'cancelled') return { task: earlier, replayed: true }
      }
      const key = draft.idempotencyKey ?? randomUUID()
      const made = task(await post('/tasks', body, { idempotencyKey: key }))
      if (draft.idempotencyKey === undefined) {
        underWay.set(made.id, { order, key })
        if (underWay.size > leftMax) underWay.delete(underWay.keys().next().value!)
      }
      return { task: made, replayed: false }
    },
    async unanswered(taskId) {
      const order = underWay.get(taskId)
      if (!order) return
      left.set(order.order, { key: order.key, atMs: Date.now() })
      if (left.size > leftMax) left.delete(left.keys().next().value!)
    },
    estimate: async (draft) => readView(EstimateView, await post('/estimate', writeOrder(draft))),
    find: async (taskId) => task(await get(`/tasks/${taskId}`)),
    async settled(taskId, { waitMs, signal }) {
      const timeout = Math.min(lookMaxS, Math.max(1, Math.ceil(waitMs / 1_000)))
      try {
        return task(await get(`/tasks/${taskId}/wait?timeout=${timeout}`, signal))
      } catch (thrown) {
        if (signal.aborted) return task(await get(`/tasks/${taskId}`))
        throw thrown
      }
    },
    cancel: async (taskId) => task(await post(`/tasks/${taskId}/cancel`, {})),
    async list({ after, limit }) {
      const page = await get(`/tasks?${new URLSearchParams({ limit: String(limit), ...(after === undefined ? {} : { after }) })}`) as { data: unknown[]; next: string | null }
      return { tasks: page.data.map(task), next: page.next }
    },
    hasAsset: async (assetId) => get(`/assets/${assetId}`).then(() => true, (thrown: unknown) => {
      if (thrown instanceof Problem && thrown.code === 'not_found') return false
      throw thrown
    }),
    async picture({ id, url, mime }, side) {
      if (!mime.startsWith('image/')) return null
      // A signed link opens without a key; a smaller one has to be asked for.
      const link = side === 'full' ? url : ((await post(`/assets/${id}/link`, { side }).catch(unlessGone)) as { url: string } | null)?.url
      if (link === undefined) return null
      const response = await asked(remote.download(link))
      if (!response.ok) return null
      return { bytes: Buffer.from(await response.arrayBuffer()), mime: response.headers.get('content-type') ?? mime }
    },
    models: async () => ((await get('/models')) as { data: unknown[] }).data.map((model) => readView(ModelView, model)),
    model: async (name) => readView(ModelView, await get(`/models/${name.split('/').map(encodeURIComponent).join('/')}`)),
    balance: async () => readView(BalanceView, await get('/balance')),
    workflows: async () => ((await get('/workflows?limit=100')) as { items: { graph: { inputs: unknown[] } }[] }).items.map((workflow) => readView(WorkflowView, { ...workflow, inputs: workflow.graph.inputs })),
    async run({ workflow, inputs, idempotencyKey }) {
      const execution = readView(ExecutionView, await post('/executions', { workflow, inputs }, idempotencyKey === undefined ? {} : { idempotencyKey }))
      return { execution, replayed: false }
    },
    async execution(id, { waitMs, signal }) {
      const wait = Math.min(lookMaxS, Math.ceil(waitMs / 1_000))
      try {
        return readView(ExecutionView, await get(`/executions/${id}?wait=${wait}`, signal))
      } catch (thrown) {
        if (signal.aborted) return readView(ExecutionView, await get(`/executions/${id}`))
        throw thrown
      }
    },
  }
}

const unlessGone = (thrown: unknown): null => {
  if (thrown instanceof Problem && thrown.code === 'not_found') return null
  throw thrown
}

/** A draft as the native door takes it. Pure. */
function writeOrder({ model, operation, prompt, parameters, pictures, metadata }: Draft): object {
  const inputs = pictures.map((wanted) => {
    const { role } = wanted
    if ('assetId' in wanted) return { asset: wanted.assetId, role }
    const { upload } = wanted
    if ('url' in upload) return { url: upload.url, role }
    if ('dataUrl' in upload) return { data_url: upload.dataUrl, role }
    if ('base64' in upload) return { base64: upload.base64, role }
    throw new Error('A picture from standard input is text.')
  })
  return { model, operation, parameters, ...(prompt === '' ? {} : { prompt }), ...(inputs.length > 0 ? { inputs } : {}), ...(metadata === undefined ? {} : { metadata }) }
}
