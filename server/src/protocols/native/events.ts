import { Type } from 'typebox'
import { Problem } from '../../domain/problem.ts'
import { hasEnded, type EventType, type TaskEvent } from '../../domain/task.ts'
import { queryReader } from '../../kit/schema.ts'
import { streamEvents } from '../../kit/sse.ts'
import type { Desk, Incoming, Route } from '../contract.ts'
import { base, found, readId } from './read.ts'
import { EventView, json, ListView, viewEvent } from './view.ts'

export const eventTypes = ['task.created', 'task.started', 'task.progressed', 'task.retried', 'task.completed', 'task.failed', 'task.cancelled', 'task.late_result'] as const satisfies EventType[]
const endTypes = new Set<EventType>(['task.completed', 'task.failed', 'task.cancelled'])

const EventQuery = Type.Object({
  after: Type.Optional(Type.Integer({ minimum: 0, description: 'Only what came after this id. `Last-Event-ID` says the same and wins.' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, description: 'For JSON: how many at most. Default 100.' })),
  type: Type.Optional(Type.Array(Type.Enum([...eventTypes]), { description: 'May be repeated.' })),
  stream: Type.Optional(Type.Boolean({ description: 'Answer with server-sent events whatever `Accept` says.' })),
}, { additionalProperties: false })

const readQuery = queryReader(EventQuery)

/** How long a page may look for events before it answers with what it has, where the desk does not know the end by itself. */
const pageMs = 250

function readPlace({ query, headers }: Incoming) {
  const { after, limit, type, stream } = readQuery(query)
  const last = headers['last-event-id']
  if (last !== undefined && last !== '' && !/^\d{1,15}$/.test(last)) {
    throw new Problem('bad_request', 'Last-Event-ID must be the id of an event.', { field: 'Last-Event-ID', value: last.slice(0, 100) })
  }
  return {
    after: last ? Number(last) : after ?? null,
    limit: limit ?? 100,
    types: type,
    isStream: stream ?? /\btext\/event-stream\b/i.test(headers['accept'] ?? ''),
  }
}

async function* written(events: AsyncIterable<TaskEvent>, types: EventType[] | undefined, untilEnd: boolean) {
  for await (const event of events) {
    if (!types || types.includes(event.type)) yield { id: event.id, event: event.type, data: viewEvent(event) }
    if (untilEnd && endTypes.has(event.type)) return
  }
}

async function answer(request: Incoming, desk: Desk, task: { id: string; hasEnded: boolean } | null): Promise<Response> {
  const { after, limit, types, isStream } = readPlace(request)
  const scope = task ? { taskId: task.id } : {}
  // A task's stream sees every kind, so that it knows the end; what was not asked for is left out on the way.
  const asked = !task && types ? { types } : {}
  const stop = new AbortController()
  const signal = AbortSignal.any([request.signal, stop.signal])
  if (isStream) {
    const live = !(task?.hasEnded)
    const events = desk.events({ ...scope, ...asked, after, live, signal: live ? signal : AbortSignal.any([signal, AbortSignal.timeout(pageMs)]) })
    return streamEvents(written(events, types, task !== null), { onEnd: () => stop.abort() })
  }
  const page: TaskEvent[] = []
  for await (const event of desk.events({ ...scope, ...asked, after: after ?? 0, live: false, signal: AbortSignal.any([signal, AbortSignal.timeout(pageMs)]) })) {
    if (!types || types.includes(event.type)) page.push(event)
    if (page.length > limit) break
  }
  stop.abort()
  const shown = page.slice(0, limit)
  return json({ object: 'list', data: shown.map(viewEvent), next: shown.at(-1)?.id ?? after ?? 0, has_more: page.length > limit })
}

const about = {
  tag: 'Events', query: EventQuery,
  answer: Type.Intersect([ListView(EventView), Type.Object({ next: Type.Integer({ description: 'Hand it back as `after`.' }), has_more: Type.Boolean() })]),
}
const described = 'With `Accept: text/event-stream` a stream: what came after `Last-Event-ID` (or `after`) first, then live, with a comment every 15 s. Otherwise a page of JSON.'

const all: Route = {
  method: 'GET', path: `${base}/events`, scope: 'tasks:read',
  about: { summary: 'Follow all tasks of the project', ...about, description: `${described} A stream without a place to begin starts now.` },
  handle: (request, desk) => answer(request, desk, null),
}

const ofTask: Route = {
  method: 'GET', path: `${base}/tasks/:id/events`, scope: 'tasks:read',
  about: { summary: 'Follow one task', ...about, description: `${described} The stream ends with the task.` },
  async handle(request, desk) {
    const id = readId(request, 'task')
    const task = found(await desk.find(id), 'task', id)
    return answer(request, desk, { id, hasEnded: hasEnded(task.state) })
  },
}

export const events: Route[] = [all, ofTask]
