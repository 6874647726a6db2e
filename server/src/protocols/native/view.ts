/** How the house's things look as JSON at this door. Pure, but for the links a desk signs. */
import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import type { Asset } from '../../domain/asset.ts'
import { scopes } from '../../domain/caller.ts'
import { kinds, outputKinds, units, type Card, type CheckedOrder } from '../../domain/card.ts'
import { formatDollars } from '../../domain/money.ts'
import { operations, priorities, roles } from '../../domain/order.ts'
import { mistakesOf } from '../../domain/problem.ts'
import { states, type Task, type TaskEvent } from '../../domain/task.ts'
import type { TemplateStamp } from '../../domain/template.ts'
import type { Balance, Delivery, Desk, Endpoint, Key, LedgerRow, Page, UsageRow } from '../contract.ts'

export const Id = Type.String({ pattern: '^[0-9a-f]{32}$', description: '32 hexadecimal characters.' })
export const Time = Type.String({ format: 'date-time' })
const maybe = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()])
const AnyJson = Type.Unknown()

export const MoneyView = Type.Object({
  micros: Type.Integer({ description: 'Whole micro-dollars: 1,000,000 are one US dollar.' }),
  usd: Type.String({ description: 'The same as a decimal number, exact.' }),
}, { title: 'Money' })
/** An amount as this door shows it. */
export const moneyOf = (micros: number): Static<typeof MoneyView> => ({ micros, usd: formatDollars(micros) })
const money = moneyOf

export const ProblemView = Type.Object({
  code: Type.String({ description: 'From the table of problems; stable.' }),
  message: Type.String({ description: 'A sentence that says what to do.' }),
  field: Type.Optional(Type.String()),
  value: Type.Optional(AnyJson),
  allowed: Type.Optional(AnyJson),
  retry_after_s: Type.Optional(Type.Number()),
  required_micros: Type.Optional(Type.Integer()),
  available_micros: Type.Optional(Type.Integer()),
  upstream_code: Type.Optional(Type.String()),
  problems: Type.Optional(Type.Array(Type.Object({ field: Type.String(), value: Type.Optional(AnyJson), allowed: Type.Optional(AnyJson), message: Type.String() }), { description: 'Every mistake, where there are several; at most ten.' })),
  violations: Type.Optional(Type.Array(AnyJson, { description: 'Of a workflow: every mistake, each with what to do about it.' })),
  breakdown: Type.Optional(Type.Array(AnyJson, { description: 'What the money would go to, node by node.' })),
}, { title: 'Problem' })

export const OutputView = Type.Object({
  id: Id, url: Type.String({ description: 'Signed; needs no key; expires.' }), thumbnail_url: Type.String(),
  mime: Type.String(), width: maybe(Type.Integer()), height: maybe(Type.Integer()),
  size_bytes: Type.Integer(), sha256: Type.String(), expires_at: maybe(Time),
}, { title: 'Output' })

export const TriedView = Type.Object({
  attempt: Type.Integer(), provider: Type.String(), model: Type.String({ description: 'The name it has there.' }),
  outcome: maybe(Type.Enum(['done', 'failed', 'unknown', 'cancelled'], { description: 'Null while it is being made.' })),
  code: maybe(Type.String({ description: 'The problem, where it failed.' })), message: maybe(Type.String()),
  retry_after_s: maybe(Type.Number({ description: 'How long it asked to be left alone.' })),
  at: Time, ended_at: maybe(Time),
}, { title: 'Tried' })

export const StampView = Type.Object({
  slug: Type.String(), version: maybe(Type.Integer({ description: 'Null for a draft.' })), revision: Type.Optional(Type.Integer({ description: 'Of the draft.' })),
  label: Type.Optional(Type.String({ description: 'The label it was found by.' })),
}, { title: 'TemplateStamp', description: 'The template it was made from.' })
export const viewStamp = ({ slug, version, revision, label }: TemplateStamp): Static<typeof StampView> =>
  ({ slug, version, ...(revision === undefined ? {} : { revision }), ...(label === undefined ? {} : { label }) })

export const TaskView = Type.Object({
  id: Id,
  object: Type.Literal('task'),
  state: Type.Enum([...states]),
  livemode: Type.Boolean({ description: 'False for tasks of a test key, which the sandbox model makes for free.' }),
  served_by: Type.String({ description: 'The provider that makes it; `sandbox-1` under a test key.' }),
  upstream_id: maybe(Type.String()),
  model: Type.String(), model_asked: Type.String(), template: maybe(StampView), operation: Type.Enum([...operations]),
  prompt: Type.String(),
  parameters: Type.Record(Type.String(), AnyJson),
  inputs: Type.Array(Type.Object({ asset: Id, role: Type.Enum([...roles]) })),
  outputs: Type.Array(OutputView),
  late_outputs: Type.Array(OutputView, { description: 'What came after the task had ended: kept, never charged, and no part of its result.' }),
  text: maybe(Type.String({ description: 'Text that came with the pictures; of an order to write, what was made: such a task has no outputs.' })),
  details: Type.Record(Type.String(), AnyJson, { description: 'What the maker tells: the seed, what it understood and what not.' }),
  warnings: Type.Array(Type.String()),
  problem: maybe(ProblemView),
  tried: Type.Array(TriedView, { description: 'Who was asked to make it, in order: an upstream that could not is followed by another route of the model, never by another model. Of more than 50 the latest.' }),
  price: MoneyView,
  cost: maybe(MoneyView),
  attempts: Type.Integer(), progress: maybe(Type.Integer()), priority: Type.Enum([...priorities]),
  metadata: Type.Record(Type.String(), Type.String()),
  callback_url: maybe(Type.String()),
  created_at: Time, started_at: maybe(Time), ended_at: maybe(Time), start_by: maybe(Time), end_by: Time,
  expires_at: maybe(Type.String({ format: 'date-time', description: 'When the first of its outputs goes; null while none will.' })),
}, { title: 'Task' })

/** Under a test key every model is made by this one, whatever it stands in for. */
const testModel = 'sandbox-1'

const time = (date: Date | null): string | null => date?.toISOString() ?? null

export function viewProblem(problem: { code: string; message: string; details?: Record<string, unknown> | undefined }): Static<typeof ProblemView> {
  const { field, value, allowed, retryAfterS, requiredMicros, availableMicros, upstreamCode, violations, breakdown } = problem.details ?? {}
  const problems = mistakesOf(problem.details)
  const told = { field, value, allowed, retry_after_s: retryAfterS, required_micros: requiredMicros, available_micros: availableMicros, upstream_code: upstreamCode, problems: problems.length > 0 ? problems : undefined, violations, breakdown }
  return { code: problem.code, message: problem.message, ...Object.fromEntries(Object.entries(told).filter(([, entry]) => entry !== undefined)) }
}

/** Signs a link to an asset, or to its thumbnail. */
export type Links = (asset: Asset, options?: { side?: number }) => string

export const viewTask = (task: Task, desk: Desk): Static<typeof TaskView> => writeTask(task, (asset, options) => desk.assets.link(asset, options))

/** What a webhook in the house's own words carries: the event, and the task as this door shows it. */
export const writeTaskEvent = (type: string, task: Task, links: Links): string =>
  JSON.stringify({ type, timestamp: (task.endedAt ?? task.createdAt).toISOString(), data: writeTask(task, links) })

function writeTask(task: Task, links: Links): Static<typeof TaskView> {
  const viewOutput = (asset: Asset) => ({
    id: asset.id, url: links(asset), thumbnail_url: links(asset, { side: 256 }),
    mime: asset.mime, width: asset.width, height: asset.height, size_bytes: asset.sizeBytes, sha256: asset.sha256, expires_at: time(asset.expiresAt),
  })
  const expiries = task.outputs.flatMap(({ expiresAt }) => expiresAt ? [expiresAt.getTime()] : [])
  return {
    id: task.id, object: 'task', state: task.state, livemode: task.livemode, served_by: task.livemode ? task.provider : testModel, upstream_id: task.upstreamId,
    model: task.model, model_asked: task.modelAsked, template: task.template ? viewStamp(task.template) : null, operation: task.operation,
    prompt: task.prompt, parameters: task.parameters,
    inputs: task.inputs.map(({ assetId, role }) => ({ asset: assetId, role })),
    outputs: task.outputs.map(viewOutput), late_outputs: (task.lateOutputs ?? []).map(viewOutput),
    text: task.text, details: task.details, warnings: task.warnings,
    problem: task.problem ? viewProblem(task.problem) : null,
    tried: task.tried.map(({ attempt, provider, model, outcome, code, message, retryAfterS, at, endedAt }) =>
      ({ attempt, provider: task.livemode ? provider : testModel, model, outcome, code, message, retry_after_s: retryAfterS, at: at.toISOString(), ended_at: time(endedAt) })),
    price: money(task.priceMicros), cost: task.chargedMicros === null ? null : money(task.chargedMicros),
    attempts: task.attempts, progress: task.progress, priority: task.priority,
    metadata: task.metadata, callback_url: task.callbackUrl,
    created_at: task.createdAt.toISOString(), started_at: time(task.startedAt), ended_at: time(task.endedAt),
    start_by: time(task.startBy), end_by: task.endBy.toISOString(),
    expires_at: expiries.length > 0 ? new Date(Math.min(...expiries)).toISOString() : null,
  }
}

export const EstimateView = Type.Object({
  object: Type.Literal('estimate'),
  model: Type.String(), template: maybe(StampView), operation: Type.Enum([...operations]),
  parameters: Type.Record(Type.String(), AnyJson, { description: 'As they will be used, defaults filled in.' }),
  count: Type.Integer(), width: maybe(Type.Integer()), height: maybe(Type.Integer()),
  price: MoneyView, warnings: Type.Array(Type.String()),
}, { title: 'Estimate' })

export const viewEstimate = ({ card, template, operation, parameters, count, width, height, priceMicros, warnings }: CheckedOrder): Static<typeof EstimateView> =>
  ({ object: 'estimate', model: card.id, template: template ? viewStamp(template) : null, operation, parameters, count, width, height, price: money(priceMicros), warnings })

export const AssetView = Type.Object({
  id: Id, object: Type.Literal('asset'), livemode: Type.Boolean(), kind: Type.Enum(['input', 'output']),
  mime: Type.String(), size_bytes: Type.Integer(), width: maybe(Type.Integer()), height: maybe(Type.Integer()),
  sha256: Type.String(), name: maybe(Type.String()), task: maybe(Id),
  url: Type.String({ description: 'Signed; needs no key; expires.' }), thumbnail_url: Type.String(),
  created_at: Time, expires_at: maybe(Time),
}, { title: 'Asset' })

export const viewAsset = (asset: Asset, desk: Desk): Static<typeof AssetView> => ({
  id: asset.id, object: 'asset', livemode: asset.livemode, kind: asset.kind,
  mime: asset.mime, size_bytes: asset.sizeBytes, width: asset.width, height: asset.height,
  sha256: asset.sha256, name: asset.name, task: asset.taskId,
  url: desk.assets.link(asset), thumbnail_url: desk.assets.link(asset, { side: 256 }),
  created_at: asset.createdAt.toISOString(), expires_at: time(asset.expiresAt),
})

export const ModelView = Type.Object({
  id: Type.String(), object: Type.Literal('model'), title: Type.String(), family: Type.String(), maker: Type.String(),
  kind: Type.Enum([...kinds]), description: Type.String(),
  operations: Type.Array(Type.Enum([...operations])),
  aliases: Type.Array(Type.String()),
  names: Type.Record(Type.String(), Type.Array(Type.String()), { description: 'What other dialects call it.' }),
  parameters: Type.Record(Type.String(), AnyJson, { description: 'JSON Schema (2020-12) of what `parameters` may hold.' }),
  prompt: Type.Object({ required: Type.Boolean(), characters_max: Type.Integer() }),
  inputs: Type.Object({
    min: Type.Integer(), max: Type.Integer(), mimes: Type.Array(Type.String()), bytes_max: Type.Integer(), pixels_max: Type.Integer(),
    roles: Type.Record(Type.String(), Type.Integer()),
  }),
  output: Type.Object({ kind: Type.Enum([...outputKinds]), count_max: Type.Integer(), seconds: maybe(Type.Object({ default: Type.Number(), max: Type.Number() })) }),
  prices: Type.Array(Type.Object({ when: Type.Record(Type.String(), AnyJson), price: MoneyView, per: Type.Enum([...units]) }),
    { description: 'The first row whose `when` matches the parameters counts. `tokens`: the most tokens the order may take, by `token_prices`, and this beside them.' }),
  token_prices: maybe(Type.Object({ text_in: MoneyView, image_in: MoneyView, text_out: MoneyView, image_out: MoneyView },
    { description: 'For a million tokens, of models sold by what they took: `prices` are then held, and the most that is charged. Null for the others, and charged by `prices` where the upstream tells no tokens.' })),
  life: Type.Object({ state: Type.Enum(['active', 'deprecated', 'retired']), since: maybe(Type.String()), ends: maybe(Type.String({ description: 'The day from which it is retired, where that is known before.' })), replacement: maybe(Type.String()), note: maybe(Type.String()) }),
  configured: Type.Boolean({ description: 'Whether a live key can have it made here: one of its providers is set up, and it is not retired.' }),
  end_within_s: Type.Integer(),
}, { title: 'Model' })

export function viewModel(card: Card, desk: Desk): Static<typeof ModelView> {
  const now = desk.now()
  const begun = card.prices.filter(({ from }) => new Date(from) <= now).sort((a, b) => a.from < b.from ? 1 : -1)[0]
  const { prompt, inputs, output, life } = card
  return {
    id: card.id, object: 'model', title: card.title, family: card.family, maker: card.maker, kind: card.kind, description: card.description,
    operations: card.operations, aliases: card.aliases,
    names: Object.fromEntries(Object.entries(card.dialects).map(([dialect, names]) => [dialect, names.map(({ id }) => id)])),
    parameters: card.parameters,
    prompt: { required: prompt.required, characters_max: prompt.charactersMax },
    inputs: { min: inputs.min, max: inputs.max, mimes: inputs.mimes, bytes_max: inputs.bytesMax, pixels_max: inputs.pixelsMax, roles: inputs.roles as Record<string, number> },
    output: { kind: output.kind, count_max: output.countMax, seconds: output.seconds ?? null },
    prices: (begun?.rows ?? []).map(({ when, micros, per }) => ({ when: when ?? {}, price: money(micros), per })),
    token_prices: begun?.tokens ? { text_in: money(begun.tokens.textIn), image_in: money(begun.tokens.imageIn), text_out: money(begun.tokens.textOut), image_out: money(begun.tokens.imageOut) } : null,
    life: { state: life.state, since: life.since ?? null, ends: life.ends ?? null, replacement: life.replacement ?? null, note: life.note ?? null },
    configured: desk.models.isConfigured(card), end_within_s: card.endWithinS,
  }
}

export const EventView = Type.Object({
  id: Type.Integer(), object: Type.Literal('event'), type: Type.String(), task: Id, livemode: Type.Boolean(), created_at: Time,
  data: Type.Record(Type.String(), AnyJson),
}, { title: 'Event' })

export const viewEvent = ({ id, type, taskId, livemode, createdAt, data }: TaskEvent): Static<typeof EventView> =>
  ({ id, object: 'event', type, task: taskId, livemode, created_at: createdAt.toISOString(), data })

export const BalanceView = Type.Object({
  object: Type.Literal('balance'), livemode: Type.Boolean(), available: MoneyView, held: MoneyView, spent: MoneyView,
}, { title: 'Balance' })

export const viewBalance = ({ livemode, availableMicros, heldMicros, spentMicros }: Balance): Static<typeof BalanceView> =>
  ({ object: 'balance', livemode, available: money(availableMicros), held: money(heldMicros), spent: money(spentMicros) })

export const UsageView = Type.Object({
  day: Type.String(), model: Type.String(), key: maybe(Id), project: Id,
  tasks: Type.Integer(), done: Type.Integer(), failed: Type.Integer(), cost: MoneyView,
}, { title: 'UsageRow' })

export const viewUsage = ({ day, model, keyId, projectId, tasks, done, failed, chargedMicros }: UsageRow): Static<typeof UsageView> =>
  ({ day, model, key: keyId, project: projectId, tasks, done, failed, cost: money(chargedMicros) })

export const LedgerView = Type.Object({
  id: Type.Integer(), kind: Type.Enum(['grant', 'hold', 'capture', 'release', 'adjust']),
  amount: MoneyView, task: maybe(Id), note: maybe(Type.String()), created_at: Time,
}, { title: 'LedgerRow' })

export const viewLedger = ({ id, kind, amountMicros, taskId, note, createdAt }: LedgerRow): Static<typeof LedgerView> =>
  ({ id, kind, amount: money(amountMicros), task: taskId, note, created_at: createdAt.toISOString() })

export const KeyView = Type.Object({
  id: Id, object: Type.Literal('key'), name: Type.String(), prefix: Type.String({ description: 'The beginning of the secret, to tell keys apart.' }), livemode: Type.Boolean(),
  scopes: Type.Array(Type.Enum([...scopes])),
  limits: Type.Object({ requests_per_minute: maybe(Type.Integer()), executions_per_day: maybe(Type.Integer()), concurrent: maybe(Type.Integer()) }),
  created_at: Time, expires_at: maybe(Time), revoked_at: maybe(Time), last_used_at: maybe(Time),
  secret: Type.Optional(Type.String({ description: 'Only in the answer that made the key.' })),
}, { title: 'Key' })

export const viewKey = (key: Key, secret?: string): Static<typeof KeyView> => ({
  id: key.id, object: 'key', name: key.name, prefix: key.prefix, livemode: key.livemode, scopes: key.scopes,
  limits: { requests_per_minute: key.limits.requestsPerMinute, executions_per_day: key.limits.executionsPerDay, concurrent: key.limits.concurrent },
  created_at: key.createdAt.toISOString(), expires_at: time(key.expiresAt), revoked_at: time(key.revokedAt), last_used_at: time(key.lastUsedAt),
  ...(secret === undefined ? {} : { secret }),
})

export const EndpointView = Type.Object({
  id: Id, object: Type.Literal('webhook'), url: Type.String(), events: Type.Array(Type.String()), enabled: Type.Boolean(), livemode: Type.Boolean(),
  created_at: Time,
  secret: Type.Optional(Type.String({ description: 'Only in the answers that made or rotated it.' })),
}, { title: 'Webhook' })

export const viewEndpoint = ({ id, url, events, enabled, livemode, createdAt, secret }: Endpoint): Static<typeof EndpointView> =>
  ({ id, object: 'webhook', url, events, enabled, livemode, created_at: createdAt.toISOString(), ...(secret === undefined ? {} : { secret }) })

export const DeliveryView = Type.Object({
  id: Id, object: Type.Literal('delivery'), event: Type.String(), task: maybe(Id), webhook: maybe(Id), url: Type.String(), style: Type.String(),
  state: Type.Enum(['pending', 'delivered', 'parked']), attempts: Type.Integer(), due_at: maybe(Time), created_at: Time, delivered_at: maybe(Time),
  last_status: maybe(Type.Integer()), last_error: maybe(Type.String()),
  log: Type.Optional(Type.Array(Type.Object({
    number: Type.Integer(), at: Time, status: maybe(Type.Integer()), error: maybe(Type.String()), took_ms: Type.Integer(), answer: maybe(Type.String()),
  }))),
}, { title: 'Delivery' })

export const viewDelivery = (delivery: Delivery): Static<typeof DeliveryView> => ({
  id: delivery.id, object: 'delivery', event: delivery.eventType, task: delivery.taskId, webhook: delivery.endpointId, url: delivery.url, style: delivery.style,
  state: delivery.state, attempts: delivery.attempts, due_at: time(delivery.dueAt), created_at: delivery.createdAt.toISOString(), delivered_at: time(delivery.deliveredAt),
  last_status: delivery.lastStatus, last_error: delivery.lastError,
  ...(delivery.log ? { log: delivery.log.map(({ number, at, status, error, tookMs, answer }) => ({ number, at: at.toISOString(), status, error, took_ms: tookMs, answer })) } : {}),
})

/** A page of anything: hand `next` back as `after` for the one that follows. */
export const PageView = <S extends TSchema & { title?: string }>(item: S) =>
  Type.Object({ object: Type.Literal('list'), data: Type.Array(item), next: maybe(Type.String()), has_more: Type.Boolean() })

export const viewPage = <T, V>({ items, next }: Page<T>, view: (item: T) => V) =>
  ({ object: 'list' as const, data: items.map(view), next, has_more: next !== null })

/** A list that is always whole. */
export const ListView = <S extends TSchema>(item: S) => Type.Object({ object: Type.Literal('list'), data: Type.Array(item) })
export const viewList = <T, V>(items: T[], view: (item: T) => V) => ({ object: 'list' as const, data: items.map(view) })

/** JSON as an answer, with its length, so that one write carries it. */
export function json(value: unknown, status = 200, headers: Record<string, string> = {}): Response {
  const text = JSON.stringify(value)
  return new Response(text, { status, headers: { 'content-type': 'application/json; charset=utf-8', 'content-length': String(Buffer.byteLength(text)), 'cache-control': 'no-store', ...headers } })
}
