/** `/plantain/v1/batch-schedules`: batches by the clock, out of a file that is kept or an address that is asked each time. */
import { Type } from 'typebox'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { missedPolicies } from '../../kit/cron.ts'
import { queryReader, reader } from '../../kit/schema.ts'
import type { Route } from '../contract.ts'
import { readBatchOrder } from './batches-order.ts'
import { BatchView, ScheduleView, viewNow, viewSchedule } from './batches-view.ts'
import { createBatch, protocol } from './batches-words.ts'
import { After, base, found, Limit, limitDefault, readAfter, readId, readIdempotencyKey } from './read.ts'
import { json, PageView, viewPage } from './view.ts'

const tag = 'Batches'
const Cron = Type.String({ minLength: 1, maxLength: 100, description: 'Minute, hour, day, month and weekday: `0 6 * * 1-5`.' })
const Zone = Type.String({ minLength: 1, maxLength: 60, description: 'As `Europe/Berlin`. Default `UTC`.' })
const Missed = Type.Enum([...missedPolicies], { description: 'Times that passed while no server was there: left out (default), made up for once, or each of them.' })
const Name = Type.String({ minLength: 1, maxLength: 200 })
const Order = Type.Object({}, { additionalProperties: true, description: 'The order of the batch, as `POST /plantain/v1/batches` takes it, with `file` or `url`; an address is asked anew each time.' })
const ScheduleBody = Type.Object({ name: Name, cron: Cron, time_zone: Type.Optional(Zone), missed: Type.Optional(Missed), batch: Order }, {
  additionalProperties: false, title: 'NewBatchSchedule', examples: [{ name: 'Catalogue, every night', cron: '0 2 * * *', time_zone: 'Europe/Berlin', batch: { url: 'https://example.com/catalogue.csv', target: { model: 'nano-banana', prompt: 'A picture of {{product}}' } } }],
})
const ChangeBody = Type.Object({ name: Type.Optional(Name), cron: Type.Optional(Cron), time_zone: Type.Optional(Zone), missed: Type.Optional(Missed), enabled: Type.Optional(Type.Boolean()), batch: Type.Optional(Order) }, { additionalProperties: false, minProperties: 1, examples: [{ enabled: false }] })
const readSchedule = reader(ScheduleBody)
const readChange = reader(ChangeBody)

/** An order that can be made again and again. @throws {Problem} `bad_request` */
function readKept(body: unknown): Json {
  const { file, url, dry_run: dryRun } = readBatchOrder(body, { hasFile: false })
  if (file === undefined && url === undefined) throw new Problem('bad_request', 'A schedule takes its rows from a file or a url. Send the table first (POST /plantain/v1/sheets).', { field: 'batch.file' })
  if (dryRun) throw new Problem('bad_request', 'A schedule makes its batches; leave dry_run out.', { field: 'batch.dry_run' })
  return body as Json
}

const create: Route = {
  method: 'POST', path: `${base}/batch-schedules`, scope: 'tasks:write', bodyMax: 512 * 1024,
  about: { tag, summary: 'Make batches by the clock', body: ScheduleBody, answer: ScheduleView, status: 201, description: 'Its batches are ordered and paid by the key that made or last changed it. `batch` is checked as an order; what its rows hold is checked each time.' },
  async handle({ body }, desk) {
    const { name, cron, time_zone: timeZone = 'UTC', missed = 'skip', batch } = readSchedule(body)
    return json(viewSchedule(await desk.batches.schedules.create({ name, protocol, body: readKept(batch), cron, timeZone, missed })), 201)
  },
}

const ListQuery = Type.Object({ after: After, limit: Limit }, { additionalProperties: false })
const readListQuery = queryReader(ListQuery)
const list: Route = {
  method: 'GET', path: `${base}/batch-schedules`, scope: 'tasks:read', about: { tag, summary: 'List schedules, newest first', query: ListQuery, answer: PageView(ScheduleView) },
  async handle({ query }, desk) {
    const { after, limit } = readListQuery(query)
    return json(viewPage(await desk.batches.schedules.list({ after: readAfter(after), limit: limit ?? limitDefault }), viewSchedule))
  },
}

const get: Route = {
  method: 'GET', path: `${base}/batch-schedules/:id`, scope: 'tasks:read', about: { tag, summary: 'Get a schedule', answer: ScheduleView },
  async handle(request, desk) {
    const id = readId(request, 'schedule')
    return json(viewSchedule(found(await desk.batches.schedules.find(id), 'schedule', id)))
  },
}

const change: Route = {
  method: 'PATCH', path: `${base}/batch-schedules/:id`, scope: 'tasks:write', bodyMax: 512 * 1024,
  about: { tag, summary: 'Change a schedule, or switch it off', body: ChangeBody, answer: ScheduleView, description: 'Switched on again, or with another time, it goes on from now.' },
  async handle(request, desk) {
    const { time_zone: timeZone, batch, ...wire } = readChange(request.body)
    return json(viewSchedule(await desk.batches.schedules.change(readId(request, 'schedule'), { ...wire, ...(timeZone === undefined ? {} : { timeZone }), ...(batch === undefined ? {} : { body: readKept(batch) }) })))
  },
}

const run: Route = {
  method: 'POST', path: `${base}/batch-schedules/:id/run`, scope: 'tasks:write', body: 'none', about: { tag, summary: 'Make a schedule\'s batch now, once', answer: BatchView, status: 201 },
  async handle(request, desk) {
    const id = readId(request, 'schedule')
    const schedule = found(await desk.batches.schedules.find(id), 'schedule', id)
    const { batch, replayed } = await createBatch(readBatchOrder(schedule.body, { hasFile: false }), null, desk, readIdempotencyKey(request.headers))
    return json(await viewNow(batch, desk), 201, { location: `${base}/batches/${batch.id}`, ...(replayed ? { 'idempotent-replayed': 'true' } : {}) })
  },
}

const remove: Route = {
  method: 'DELETE', path: `${base}/batch-schedules/:id`, scope: 'tasks:write', about: { tag, summary: 'Remove a schedule', status: 204, description: 'Batches it has made go on.' },
  async handle(request, desk) {
    await desk.batches.schedules.remove(readId(request, 'schedule'))
    return new Response(null, { status: 204 })
  },
}

export const batchSchedules: Route[] = [create, list, get, change, run, remove]
