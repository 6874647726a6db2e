import { Type } from 'typebox'
import type { Static } from 'typebox'
import { operations, priorities, type Order } from '../../domain/order.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { hasEnded, states, type Task } from '../../domain/task.ts'
import { mediaType, parseJson, readBytes, requireIdentity, requireJson } from '../../kit/json.ts'
import { queryReader, readInstant, reader } from '../../kit/schema.ts'
import type { Desk, Incoming, Route, TaskFilter } from '../contract.ts'
import { readTaskForm } from './form.ts'
import { InputBody, readInput, takeIn, type Wanted } from './inputs.ts'
import { After, base, found, Limit, limitDefault, readAfter, readId, readIdempotencyKey, readWait, waitMaxS } from './read.ts'
import { EstimateView, json, PageView, TaskView, viewEstimate, viewPage, viewTask } from './view.ts'

/** Base64 makes a picture a third longer, and a few may come in one body. */
const bodyMax = 64 * 1024 * 1024

export const TaskBody = Type.Object({
  model: Type.String({ minLength: 1, maxLength: 200, description: 'A model of `GET /plantain/v1/models`, by its id or any of its names; or a template: `template:<slug>`, `template:<slug>@<label>`, `@<version>`, `@draft`.' }),
  prompt: Type.Optional(Type.String({ description: 'What to make, change or write. Some tools need none.' })),
  variables: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'For a template: what its variables stand for. Images by the ids of assets; those left out take the pictures of `inputs` in order.' })),
  operation: Type.Optional(Type.Enum([...operations], { description: 'Default: what the model does with the inputs given.' })),
  parameters: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'As the model\'s own schema says (`parameters` of the model).' })),
  inputs: Type.Optional(Type.Array(InputBody, { maxItems: 32 })),
  callback_url: Type.Optional(Type.String({ minLength: 1, maxLength: 2_048, description: 'Called once the task has ended, signed like every webhook.' })),
  priority: Type.Optional(Type.Enum([...priorities], { description: 'Default `interactive`; `batch` waits behind it.' })),
  sticky_key: Type.Optional(Type.String({ minLength: 1, maxLength: 128, pattern: '^[\\x20-\\x7e]+$', description: 'Where a model has several routes of the same order, tasks with the same key go the same way. The header `X-Sticky-Key` says the same at every door.' })),
  start_within_s: Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400, description: 'Fails when it has not begun by then.' })),
  end_within_s: Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400, description: 'Fails when it has not ended by then. Default: the model\'s own.' })),
  metadata: Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 512 }), { maxProperties: 16, description: 'Your own notes, given back untouched: 16 pairs, keys to 64 and values to 512 characters.' })),
}, {
  additionalProperties: false, title: 'NewTask',
  examples: [{ model: 'nano-banana', prompt: 'A red fox in fresh snow, morning light', parameters: { aspect_ratio: '16:9' } }],
})

const readBody = reader(TaskBody)

export interface Draft { order: Omit<Order, 'inputs'>; wanted: Wanted[] }

/** Reads a body into an order, its pictures still outside. @throws {Problem} `bad_request` */
export function readTask(body: unknown): Draft {
  const wire: Static<typeof TaskBody> = readBody(body)
  for (const key of Object.keys(wire.metadata ?? {})) {
    if (key.length < 1 || key.length > 64) throw new Problem('bad_request', 'A key of metadata has 1 to 64 characters.', { field: `metadata.${key.slice(0, 100)}` })
  }
  return {
    order: {
      model: wire.model,
      prompt: wire.prompt ?? '',
      ...(wire.variables === undefined ? {} : { variables: wire.variables as Record<string, Json> }),
      parameters: (wire.parameters ?? {}) as Record<string, Json>,
      ...(wire.operation === undefined ? {} : { operation: wire.operation }),
      ...(wire.priority === undefined ? {} : { priority: wire.priority }),
      ...(wire.sticky_key === undefined ? {} : { stickyKey: wire.sticky_key }),
      ...(wire.callback_url === undefined ? {} : { callbackUrl: wire.callback_url }),
      ...(wire.start_within_s === undefined ? {} : { startWithinS: wire.start_within_s }),
      ...(wire.end_within_s === undefined ? {} : { endWithinS: wire.end_within_s }),
      ...(wire.metadata === undefined ? {} : { metadata: wire.metadata }),
    },
    wanted: (wire.inputs ?? []).map((input, index) => readInput(input, `inputs[${index}]`)),
  }
}

async function readDraft({ headers, stream }: Incoming): Promise<Draft> {
  if (mediaType(headers['content-type']) === 'multipart/form-data') {
    requireIdentity(headers)
    const form = await readTaskForm(stream!, headers)
    const { order, wanted } = readTask(form.body)
    return { order, wanted: [...wanted, ...form.pictures] }
  }
  requireJson(headers)
  return readTask(parseJson(await readBytes(stream!, bodyMax)))
}

/** Takes in a draft's pictures and hands the order on. Whatever came in and is not used in the end is let go again. */
async function withPictures<T>({ order, wanted }: Draft, desk: Desk, use: (order: Order) => Promise<{ value: T; keep: boolean }>): Promise<T> {
  // A model that is not there is refused before any picture is fetched; `estimate` knows the words for it.
  if (wanted.length > 0 && !await desk.models.find(order.model)) await desk.estimate({ ...order, inputs: [] })
  const { inputs, giveBack } = await takeIn(wanted, desk)
  let keep = false
  try {
    const used = await use({ ...order, inputs })
    keep = used.keep
    return used.value
  } finally {
    if (!keep) await giveBack()
  }
}

const create: Route = {
  method: 'POST', path: `${base}/tasks`, body: 'stream', scope: 'tasks:write',
  about: {
    summary: 'Make a picture, an edit, a film or a text', tag: 'Tasks', body: TaskBody, answer: TaskView, status: 202,
    description: `Answers at once with the task; with \`?wait=30\` or \`Prefer: wait=30\` (up to ${waitMaxS} s) once it has ended, then with status 200. ` +
      'Send an `Idempotency-Key` so that a repetition gives the same task and buys nothing twice. Also takes `multipart/form-data`: the same fields as text, pictures as `image` files.',
    query: Type.Object({ wait: Type.Optional(Type.Integer({ minimum: 0, maximum: waitMaxS, description: 'Seconds to wait for the end.' })) }),
  },
  async handle(request, desk) {
    const wait = readWait(request)
    const idempotencyKey = readIdempotencyKey(request.headers)
    const submitted = await withPictures(await readDraft(request), desk, async order => {
      const value = await desk.submit({ ...order, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) })
      return { value, keep: !value.replayed }
    })
    const task = wait.seconds > 0 && !hasEnded(submitted.task.state)
      ? await desk.settled(submitted.task.id, { waitMs: wait.seconds * 1_000, signal: request.signal })
      : submitted.task
    return json(viewTask(task, desk), hasEnded(task.state) ? 200 : 202, {
      location: `${base}/tasks/${task.id}`,
      'x-task-id': task.id,
      ...(submitted.replayed ? { 'idempotent-replayed': 'true' } : {}),
      ...(wait.preferred ? { 'preference-applied': `wait=${wait.seconds}` } : {}),
    })
  },
}

const estimate: Route = {
  method: 'POST', path: `${base}/estimate`, body: 'stream', scope: 'tasks:read',
  about: {
    summary: 'Check and price a task without making it', tag: 'Tasks', body: TaskBody, answer: EstimateView,
    description: 'The same body as for making one. Pictures that come with it are looked at, because a price may depend on their size, and let go again. Buys nothing.',
  },
  async handle(request, desk) {
    const checked = await withPictures(await readDraft(request), desk, async order => ({ value: await desk.estimate(order), keep: false }))
    return json(viewEstimate(checked))
  },
}

const TaskQuery = Type.Object({
  after: After, limit: Limit,
  state: Type.Optional(Type.Array(Type.Enum([...states]), { description: 'May be repeated.' })),
  model: Type.Optional(Type.String({ maxLength: 200 })),
  template: Type.Optional(Type.String({ pattern: '^[a-z0-9-]{1,80}(@[1-9][0-9]{0,8})?$', description: 'What this template made: its slug, or `slug@3` for a version.' })),
  operation: Type.Optional(Type.Enum([...operations])),
  created_after: Type.Optional(Type.String({ description: 'A time or a day (ISO 8601).' })),
  created_before: Type.Optional(Type.String()),
  metadata: Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 512 }), { maxProperties: 16, description: 'As `metadata[key]=value`.' })),
}, { additionalProperties: false })

const readQuery = queryReader(TaskQuery)

function readFilter(query: URLSearchParams): TaskFilter {
  const { after, limit, state, model, operation, created_after, created_before, metadata, template } = readQuery(query)
  return {
    limit: limit ?? limitDefault, after: readAfter(after), states: state, model, operation, metadata,
    template: template === undefined ? undefined : { slug: template.split('@')[0]!, version: Number(template.split('@')[1] ?? NaN) || null },
    createdAfter: created_after === undefined ? undefined : readInstant(created_after, 'created_after'),
    createdBefore: created_before === undefined ? undefined : readInstant(created_before, 'created_before'),
  }
}

const list: Route = {
  method: 'GET', path: `${base}/tasks`, scope: 'tasks:read',
  about: { summary: 'List tasks, newest first', tag: 'Tasks', query: TaskQuery, answer: PageView(TaskView) },
  handle: async ({ query }, desk) => json(viewPage(await desk.list(readFilter(query)), (task: Task) => viewTask(task, desk))),
}

const get: Route = {
  method: 'GET', path: `${base}/tasks/:id`, scope: 'tasks:read',
  about: { summary: 'Get a task', tag: 'Tasks', answer: TaskView },
  async handle(request, desk) {
    const id = readId(request, 'task')
    return json(viewTask(found(await desk.find(id), 'task', id), desk))
  },
}

const WaitQuery = Type.Object({
  timeout: Type.Optional(Type.Integer({ minimum: 0, maximum: waitMaxS, description: 'Seconds. Default 30.' })),
}, { additionalProperties: false })
const readWaitQuery = queryReader(WaitQuery)

const waitFor: Route = {
  method: 'GET', path: `${base}/tasks/:id/wait`, scope: 'tasks:read',
  about: { summary: 'Wait for a task to end', tag: 'Tasks', query: WaitQuery, answer: TaskView, description: 'Answers when it has ended, or as it stands when the time is over. Ask again then.' },
  async handle(request, desk) {
    const { timeout } = readWaitQuery(request.query)
    return json(viewTask(await desk.settled(readId(request, 'task'), { waitMs: (timeout ?? 30) * 1_000, signal: request.signal }), desk))
  },
}

const cancel: Route = {
  method: 'POST', path: `${base}/tasks/:id/cancel`, scope: 'tasks:write',
  about: { summary: 'Cancel a task', tag: 'Tasks', answer: TaskView, description: 'Frees its slot at once. One that has ended comes back as it is; `cost` says what was charged.' },
  handle: async (request, desk) => json(viewTask(await desk.cancel(readId(request, 'task')), desk)),
}

export const tasks: Route[] = [create, estimate, list, get, waitFor, cancel]
