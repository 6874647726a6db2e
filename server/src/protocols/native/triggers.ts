import { Type } from 'typebox'
import type { Trigger } from '../../domain/graph/execution.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { parseJson, readBytes } from '../../kit/json.ts'
import { reader } from '../../kit/schema.ts'
import type { Route } from '../contract.ts'
import { base, found, readId, readIdempotencyKey } from './read.ts'
import { json } from './view.ts'

const Id = Type.String({ pattern: '^[0-9a-f]{32}$' })
const Inputs = Type.Record(Type.String({ minLength: 1, maxLength: 100 }), Type.Unknown(), { description: 'Inputs that stand unless the call says otherwise.' })
const PerMinute = Type.Integer({ minimum: 1, maximum: 10_000, description: 'Calls a minute. Default 60.' })
const maybe = <S extends Parameters<typeof Type.Array>[0]>(schema: S) => Type.Union([schema, Type.Null()])

const WebhookBody = Type.Object({ kind: Type.Literal('webhook'), signed: Type.Optional(Type.Boolean({ description: 'Callers sign: `X-Signature-256: sha256=<hex HMAC-SHA256 of the body>`.' })), per_minute: Type.Optional(PerMinute), inputs: Type.Optional(Inputs) }, { additionalProperties: false })
const ScheduleBody = Type.Object({
  kind: Type.Literal('schedule'), cron: Type.String({ minLength: 1, maxLength: 200, description: 'Minute, hour, day, month, weekday: `0 6 * * 1-5`.' }), time_zone: Type.Optional(Type.String({ minLength: 1, maxLength: 60, description: 'Default UTC.' })),
  missed: Type.Optional(Type.Enum(['skip', 'once', 'all'], { description: 'What becomes of times that passed while no server ran: nothing, one run, or one for each (up to 100). Default `once`.' })), inputs: Type.Optional(Inputs),
}, { additionalProperties: false })
const TriggerBody = Type.Union([WebhookBody, ScheduleBody], { title: 'NewTrigger' })
const TriggerChange = Type.Object({ enabled: Type.Optional(Type.Boolean()), per_minute: Type.Optional(PerMinute), inputs: Type.Optional(Inputs) }, { additionalProperties: false, minProperties: 1 })
const TriggerView = Type.Object({
  id: Id, object: Type.Literal('trigger'), workflow: Id, kind: Type.Enum(['webhook', 'schedule']), enabled: Type.Boolean(), livemode: Type.Boolean(), prefix: maybe(Type.String()), signed: Type.Boolean(), per_minute: maybe(Type.Integer()),
  cron: maybe(Type.String()), time_zone: maybe(Type.String()), missed: maybe(Type.String()), next_at: maybe(Type.String()), last_at: maybe(Type.String()), last_problem: maybe(Type.Object({ code: Type.String(), message: Type.String() }, { description: 'Why the last time of a schedule brought no execution.' })), inputs: Inputs, created_at: Type.String(),
  url: Type.Optional(Type.String({ description: 'Shown when it is made and rotated only.' })), secret: Type.Optional(Type.String({ description: 'Shown when it is made only.' })),
}, { title: 'Trigger' })
const read = { kind: reader(Type.Object({ kind: Type.Enum(['webhook', 'schedule']) })), webhook: reader(WebhookBody), schedule: reader(ScheduleBody), change: reader(TriggerChange) }
/** What is wrong is told of the kind that was meant. */
const readTrigger = (body: unknown) => read.kind(body).kind === 'webhook' ? read.webhook(body) : read.schedule(body)

const view = (one: Trigger) => ({
  id: one.id, object: 'trigger', workflow: one.workflowId, kind: one.kind, enabled: one.enabled, livemode: one.livemode, prefix: one.prefix, signed: one.signed, per_minute: one.perMinute, cron: one.cron, time_zone: one.timeZone,
  missed: one.missed, next_at: one.nextAt, last_at: one.lastAt, last_problem: one.lastProblem && { code: one.lastProblem.code, message: one.lastProblem.message }, inputs: one.inputs, created_at: one.createdAt,
})
const hookUrl = (publicUrl: string, hook: string): string => `${publicUrl}${base}/hooks/${hook}`
/** Largest body a webhook takes. */
const hookBytesMax = 1_000_000

export const triggers: Route[] = [
  { method: 'POST', path: `${base}/workflows/:workflow/triggers`, scope: 'tasks:write', about: { summary: 'Run a workflow by webhook or schedule', tag: 'Workflows', body: TriggerBody, answer: TriggerView, status: 201,
    description: 'A webhook needs no key: whoever has its address runs the workflow, at the expense of this account. It runs the published version, the draft where none was published.' },
    async handle(request, desk) {
      const name = request.params.workflow ?? ''
      const { id } = found(await desk.workflows.find(name), 'workflow', name)
      const body = readTrigger(request.body)
      const { trigger, hook, secret } = await desk.workflows.createTrigger(id, body.kind === 'webhook'
        ? { kind: 'webhook', signed: body.signed ?? false, ...(body.per_minute === undefined ? {} : { perMinute: body.per_minute }), inputs: (body.inputs ?? {}) as Record<string, Json> }
        : { kind: 'schedule', cron: body.cron, timeZone: body.time_zone ?? 'UTC', missed: body.missed ?? 'once', inputs: (body.inputs ?? {}) as Record<string, Json> })
      return json({ ...view(trigger), ...(hook === null ? {} : { url: hookUrl(desk.publicUrl, hook) }), ...(secret === null ? {} : { secret }) }, 201)
    } },
  { method: 'GET', path: `${base}/workflows/:workflow/triggers`, scope: 'tasks:read', about: { summary: 'List triggers', tag: 'Workflows', answer: Type.Object({ items: Type.Array(TriggerView) }) },
    async handle(request, desk) {
      const name = request.params.workflow ?? ''
      return json({ items: (await desk.workflows.triggers(found(await desk.workflows.find(name), 'workflow', name).id)).map(view) })
    } },
  { method: 'PATCH', path: `${base}/triggers/:id`, scope: 'tasks:write', about: { summary: 'Change a trigger', tag: 'Workflows', body: TriggerChange, answer: TriggerView },
    async handle(request, desk) {
      const { enabled, per_minute, inputs } = read.change(request.body)
      return json(view(await desk.workflows.changeTrigger(readId(request, 'trigger'), { ...(enabled === undefined ? {} : { enabled }), ...(per_minute === undefined ? {} : { perMinute: per_minute }), ...(inputs === undefined ? {} : { inputs: inputs as Record<string, Json> }) })))
    } },
  { method: 'DELETE', path: `${base}/triggers/:id`, scope: 'tasks:write', about: { summary: 'Remove a trigger', tag: 'Workflows', status: 204 },
    async handle(request, desk) {
      const id = readId(request, 'trigger')
      found(await desk.workflows.removeTrigger(id) ? id : null, 'trigger', id)
      return new Response(null, { status: 204 })
    } },
  { method: 'POST', path: `${base}/triggers/:id/rotate`, scope: 'tasks:write', about: { summary: 'Give a webhook a new address', tag: 'Workflows', answer: TriggerView, description: 'The old one opens nothing from now on.' },
    async handle(request, desk) {
      const { trigger, hook } = await desk.workflows.rotateTrigger(readId(request, 'trigger'))
      return json({ ...view(trigger), url: hookUrl(desk.publicUrl, hook) })
    } },
  { method: 'GET', path: `${base}/hooks/:hook`, scope: null, about: { summary: 'Ask whether a webhook is there', tag: 'Workflows', answer: Type.Object({ workflow: Type.String(), active: Type.Boolean() }) },
    async handle(request, desk) {
      const { workflow } = await desk.workflows.hook(request.params.hook!)
      return json({ workflow: workflow.name, active: workflow.active })
    } },
  { method: 'POST', path: `${base}/hooks/:hook`, scope: null, counts: false, body: 'stream', about: { summary: 'Run a workflow by its webhook', tag: 'Workflows', status: 202, answer: Type.Object({ execution: Id, state: Type.String() }),
    description: 'Any JSON object. Its members fill the workflow’s inputs of those names, or the nodes and ports they fill; the rest is left aside. Takes an `Idempotency-Key`.' },
    async handle(request, desk) {
      const body = await readBytes(request.stream!, hookBytesMax)
      const values = parseJson(body) ?? {}
      if (typeof values !== 'object' || values === null || Array.isArray(values)) throw new Problem('bad_request', 'A webhook takes a JSON object.')
      const idempotencyKey = readIdempotencyKey(request.headers)
      const { execution, replayed } = await desk.workflows.fire(request.params.hook!, { body, signature: request.headers['x-signature-256'], values: values as Record<string, Json>, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) })
      return json({ execution: execution.id, state: execution.state }, 202, replayed ? { 'idempotent-replayed': 'true' } : {})
    } },
]
