/** A workshop behind a desk of this house: what `/mcp` works with. */
import { mayUse, type Scope } from '../../domain/caller.ts'
import type { Order } from '../../domain/order.ts'
import { Problem } from '../../domain/problem.ts'
import type { Desk, Incoming, OpenAsset } from '../contract.ts'
import { takeIn } from '../toolkit.ts'
import { viewBalance, viewEstimate, viewExecution, viewModel, viewTask, viewWorkflow, type TaskView } from './views.ts'
import type { Draft, Workshop } from './workshop.ts'

export function openWorkshop(desk: Desk, inline: Incoming['inline']): Workshop {
  const view = (task: Parameters<typeof viewTask>[0]): TaskView => viewTask(task, asset => desk.assets.link(asset))
  /** The one address of this door needs only what every tool needs; the tools need more. */
  const guard = (scope: Scope) => {
    if (!mayUse(desk.caller, scope)) throw new Problem('forbidden', `This key may not do that: it lacks the scope ${scope}.`, { scope, allowed: desk.caller.scopes })
  }
  const link = async (assetId: string) => { const asset = await desk.assets.find(assetId); return asset ? desk.assets.link(asset) : null }
  const missing = (taskId: string) => new Problem('not_found', `There is no task ${taskId}.`, { field: 'task_id', value: taskId })

  return {
    async submit(draft) {
      guard('tasks:write')
      return withPictures(draft, desk, async order => {
        // Clients of this protocol give up after a minute and ask again, without a key of any kind: who left gets the task he left.
        const { task, replayed } = await desk.submit({ ...order, retryCount: 0 })
        return { value: { task: view(task), replayed }, keep: !replayed }
      })
    },
    unanswered: taskId => desk.unanswered(taskId),
    estimate: draft => withPictures(draft, desk, async order => ({ value: viewEstimate(await desk.estimate(order)), keep: false })),
    async find(taskId) {
      const task = await desk.find(taskId)
      if (!task) throw missing(taskId)
      return view(task)
    },
    settled: async (taskId, options) => view(await desk.settled(taskId, options)),
    async cancel(taskId) {
      guard('tasks:write')
      if (!await desk.find(taskId)) throw missing(taskId)
      return view(await desk.cancel(taskId))
    },
    async list({ after, limit }) {
      const { items, next } = await desk.list({ after, limit })
      return { tasks: items.map(view), next }
    },
    hasAsset: async assetId => await desk.assets.find(assetId) !== null,
    async picture({ id, mime }, side) {
      const asset = mime.startsWith('image/') ? await desk.assets.find(id) : null
      // A picture may have been let go since its task ended; the task is still worth showing.
      return asset ? await (side === 'full' ? desk.assets.open(asset) : desk.assets.thumbnail(asset, side)).then(readAll, unlessGone) : null
    },
    models: async () => desk.models.all().map(card => viewModel(card, desk.now())),
    async model(name) {
      const found = await desk.models.find(name)
      if (!found) throw new Problem('unknown_model', `There is no model "${name.slice(0, 100)}".`, { field: 'model', value: name.slice(0, 100) })
      return viewModel(found.card, desk.now())
    },
    async balance() {
      guard('usage:read')
      return viewBalance(await desk.money.balance())
    },
    workflows: async () => (await desk.workflows.list({ limit: 100, offset: 0, active: null })).map(viewWorkflow),
    async run({ workflow, inputs, idempotencyKey }) {
      guard('tasks:write')
      const { execution, replayed } = await desk.workflows.begin({ workflowId: workflow, inputs, trigger: 'mcp', ...(idempotencyKey === undefined ? {} : { idempotencyKey }) })
      return { execution: await viewExecution(execution, link), replayed }
    },
    async execution(id, { waitMs, signal }) {
      const execution = await desk.workflows.settled(id, waitMs, signal)
      if (!execution) throw new Problem('not_found', `There is no execution ${id}.`, { field: 'execution_id', value: id })
      return viewExecution(execution, link)
    },
    inline,
  }
}

async function readAll({ asset, stream }: OpenAsset): Promise<{ bytes: Buffer; mime: string }> {
  const chunks: Buffer[] = []
  for await (const chunk of stream()) chunks.push(chunk as Buffer)
  return { bytes: Buffer.concat(chunks), mime: asset.mime }
}

const unlessGone = (thrown: unknown): null => {
  if (thrown instanceof Problem && (thrown.code === 'not_found' || thrown.code === 'unsupported_media')) return null
  throw thrown
}

/** Takes in a draft's pictures and hands the order on. Whatever came in and is not used in the end is let go again. */
async function withPictures<T>({ pictures, ...rest }: Draft, desk: Desk, use: (order: Order) => Promise<{ value: T; keep: boolean }>): Promise<T> {
  // A model that is not there is refused before any picture is fetched; `estimate` knows the words for it.
  if (pictures.length > 0 && !await desk.models.find(rest.model)) await desk.estimate({ ...rest, inputs: [] })
  const { inputs, giveBack } = await takeIn(pictures, desk)
  let keep = false
  try {
    const used = await use({ ...rest, inputs })
    keep = used.keep
    return used.value
  } finally {
    if (!keep) await giveBack()
  }
}
