/** How batches, their rows and their schedules look at this door. Pure, but for the links a desk signs. */
import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import type { Static } from 'typebox'
import type { Asset } from '../../domain/asset.ts'
import { batchHasEnded, rowStates, type Batch, type BatchSchedule, type BatchStanding, type MadeRow } from '../../domain/batch.ts'
import { isMedia } from '../../domain/graph/values.ts'
import type { Json } from '../../domain/outcome.ts'
import type { Desk } from '../contract.ts'
import { base } from './read.ts'
import { Id, moneyOf, MoneyView, OutputView, ProblemView, Time, viewProblem } from './view.ts'
import { keptOf, protocol, type Kept } from './batches-words.ts'
import { holesOf, type Line } from './batches-map.ts'

const maybe = <S extends Parameters<typeof Type.Array>[0]>(schema: S) => Type.Union([schema, Type.Null()])
const Text = maybe(Type.String())
const count = (description: string) => Type.Integer({ description })

export const RowErrorView = Type.Object({ row: maybe(Type.Integer({ description: 'As a spreadsheet counts.' })), column: Text, value: Type.Optional(Type.String()), code: Type.String(), message: Type.String({ description: 'What to do.' }) })
export const BatchView = Type.Object({
  id: Id, object: Type.Literal('batch'), name: Text,
  state: Type.Enum(['checking', 'running', 'paused', 'cancelling', 'writing', 'done', 'failed', 'cancelled', 'expired'], { description: '`checking`: all rows are looked through before the first is made. `failed`: it was refused then, and nothing was made.' }),
  livemode: Type.Boolean(), dialect: Type.String({ description: 'The door it was made at; `native` is this one.' }),
  target: Type.Unknown({ description: 'As it was sent; null for other dialects.' }),
  workflow: maybe(Type.Object({ id: Type.String(), slug: Type.String(), version: maybe(Type.Integer()), graph_sha256: Text, message: Type.String() }, { description: 'Of a workflow: what every row runs, rows that are tried again included.' })),
  columns: Type.Array(Type.Object({ name: Type.String(), field: Text }), { description: 'Which column fills which field.' }), unmapped: Type.Array(Type.String(), { description: 'Columns that fill no field and no `{{column}}`.' }),
  rows: Type.Object({
    total: Type.Integer(), checked: count('Looked through.'), waiting: Type.Integer(), making: Type.Integer(), done: Type.Integer(), failed: Type.Integer(), cancelled: Type.Integer(), expired: Type.Integer(),
  }),
  progress: Type.Number({ description: 'Rows that have ended, of all: 0 to 1.' }),
  eta: maybe(Type.Object({ seconds: Type.Integer(), at: Time, reckoned: Type.String() })),
  price: maybe(Type.Object({ min: MoneyView, max: MoneyView }, { description: 'Of all rows that are in order, as they were checked.' })), cost: MoneyView, budget_max: maybe(MoneyView), concurrency: maybe(Type.Integer()),
  paused: maybe(Type.Object({ because: Type.Enum(['asked', 'dry_run', 'budget', 'credits', 'key']), message: Type.String(), at: Time })),
  on_errors: maybe(Type.Enum(['stop', 'skip'])), errors: Type.Array(RowErrorView, { description: 'The first of the rows that are wrong; `errors.csv` has them all.' }),
  file: maybe(Id), source: Text, callback_url: Text, metadata: Type.Record(Type.String(), Type.String()),
  urls: Type.Object({ rows: Type.String(), events: Type.String(), results_csv: Type.String(), results_jsonl: Type.String(), results_zip: Type.String(), errors_csv: Type.String(), errors_xlsx: Type.String() }),
  created_at: Time, started_at: maybe(Time), ended_at: maybe(Time), ends_by: Time,
}, { title: 'Batch' })

const errorsShown = 20
const time = (date: Date | null): string | null => date?.toISOString() ?? null

const because: Record<NonNullable<Batch['pausedBecause']>, string> = {
  asked: 'Somebody paused it. Resume it to go on.',
  dry_run: 'It was only to be checked. Resume it to have it made.',
  budget: 'The next row would go beyond its cap. Resume it with a higher budget_max_micros.',
  credits: 'There are not enough credits for the next row. Add credits and resume it.',
  key: 'Its key has expired or was revoked. Resume it with another key, which pays from then on.',
}

function stateOf({ state, pausedAt, cancellingAt }: Batch): Static<typeof BatchView>['state'] {
  if (batchHasEnded(state)) return state as 'done'
  if (cancellingAt) return 'cancelling'
  if (state === 'reading') return 'checking'
  return state === 'running' && pausedAt ? 'paused' : state as 'running'
}

/** Seconds until all rows have ended, at the speed of the last minute; null while nobody can know. Pure. */
export function etaOf(batch: Batch, { waiting, making, endedLately, latelyS }: BatchStanding): number | null {
  if (batch.state !== 'running' || batch.pausedAt || endedLately === 0 || latelyS === 0) return null
  return Math.max(1, Math.ceil((waiting + making) * latelyS / endedLately))
}

export function viewBatch(batch: Batch, standing: BatchStanding, desk: Desk): Static<typeof BatchView> {
  const kept: Partial<Kept> = batch.protocol === protocol ? keptOf(batch) : {}
  const rows = { ...batch.rows, ...standing.ended }
  const ended = rows.done + rows.failed + rows.cancelled + rows.expired
  const eta = etaOf(batch, standing)
  const target = kept.target ? kept.target.kind === 'model' ? kept.target.model : kept.target.workflow : null
  const filled = new Set(holesOf(target))
  const urlOf = (what: string) => `${desk.publicUrl}${base}/batches/${batch.id}/${what}`
  return {
    id: batch.id, object: 'batch', name: batch.name, state: stateOf(batch), livemode: batch.livemode, dialect: batch.protocol,
    target, workflow: kept.workflow ? viewWorkflow(kept.workflow) : null,
    columns: kept.columns ?? [], unmapped: (kept.columns ?? []).flatMap(({ name, field }) => field === null && !filled.has(name) ? [name] : []),
    rows: { total: rows.total, checked: standing.checked, waiting: standing.waiting, making: standing.making, done: rows.done, failed: rows.failed, cancelled: rows.cancelled, expired: rows.expired },
    progress: rows.total === 0 ? 0 : Math.min(1, Math.round(ended / rows.total * 1e4) / 1e4),
    eta: eta === null ? null : { seconds: eta, at: new Date(desk.now().getTime() + eta * 1_000).toISOString(), reckoned: `${standing.endedLately} rows ended in the last ${Math.round(standing.latelyS)} s; the rest at that speed` },
    price: batch.priceMaxMicros === null ? null : { min: moneyOf(batch.priceMinMicros ?? 0), max: moneyOf(batch.priceMaxMicros) },
    cost: moneyOf(batch.costMicros), budget_max: batch.budgetMaxMicros === null ? null : moneyOf(batch.budgetMaxMicros), concurrency: batch.concurrency,
    paused: batch.pausedAt && batch.pausedBecause && !batchHasEnded(batch.state) ? { because: batch.pausedBecause, message: because[batch.pausedBecause], at: batch.pausedAt.toISOString() } : null,
    on_errors: kept.onErrors ?? null,
    errors: batch.problems.slice(0, errorsShown).map(({ line, param, value, code, message }) => ({ row: line, column: param, ...(value === undefined ? {} : { value }), code, message })),
    file: batch.inputFileId, source: kept.source ?? null, callback_url: batch.callbackUrl, metadata: batch.metadata,
    urls: { rows: urlOf('rows'), events: urlOf('events'), results_csv: urlOf('results.csv'), results_jsonl: urlOf('results.jsonl'), results_zip: urlOf('results.zip'), errors_csv: urlOf('errors.csv'), errors_xlsx: urlOf('errors.xlsx') },
    created_at: batch.createdAt.toISOString(), started_at: time(batch.startedAt), ended_at: time(batch.endedAt), ends_by: batch.endsBy.toISOString(),
  }
}

function viewWorkflow({ id, slug, version, pins }: NonNullable<Kept['workflow']>): Static<typeof BatchView>['workflow'] {
  const sha256 = pins?.[id]?.sha256 ?? null
  const what = version === null ? id.startsWith('ready:') ? 'this workflow' : 'the draft' : `version ${version}`
  return {
    id, slug, version, graph_sha256: sha256,
    message: sha256 === null ? `Every row runs ${what} as it is when the row is made.` : `Every row, and every row that is tried again, runs ${what} as it was when the batch was made; what it calls by name, too.`,
  }
}

export const viewNow = async (batch: Batch, desk: Desk) => viewBatch(batch, await desk.batches.standing(batch), desk)

/** What a webhook about a batch carries: the event, and the batch as this door shows it. */
export const writeBatchEvent = async (type: string, batch: Batch, desk: Desk): Promise<string> => JSON.stringify({ type, timestamp: (batch.endedAt ?? batch.pausedAt ?? batch.createdAt).toISOString(), data: await viewNow(batch, desk) })

/** A name for how a batch stands, so that whoever has seen it is not told again. Pure. */
export const markOf = ({ eta: _eta, ...view }: Static<typeof BatchView>): string => createHash('sha1').update(JSON.stringify([view.state, view.rows, view.cost.micros, view.paused?.because, view.budget_max?.micros])).digest('hex').slice(0, 16)

export const eventOf = ({ state }: Static<typeof BatchView>): string => {
  switch (state) {
    case 'done': return 'batch.completed'
    case 'failed': case 'cancelled': case 'expired': case 'paused': return `batch.${state}`
    default: return 'batch.progressed'
  }
}

// Rows ---------------------------------------------------------------------------------------------------------------------

export const RowView = Type.Object({
  row: Type.Integer(), name: Text, state: Type.Enum([...rowStates]), attempt: Type.Integer(), task: maybe(Id), execution: maybe(Id), earlier: Type.Array(Id, { description: 'Tasks or executions of earlier attempts.' }),
  sent: Type.Unknown({ description: 'The cells as they came; null where they are no longer kept.' }),
  outputs: Type.Array(OutputView), values: Type.Unknown({ description: 'What an execution brought that is no picture.' }), text: Text,
  price_max: maybe(MoneyView), cost: MoneyView, problem: maybe(ProblemView), errors: Type.Array(RowErrorView), ended_at: maybe(Time),
}, { title: 'BatchRow' })

/** A picture of a row: what `OutputView` shows, and the asset it is. */
export type RowOutput = Static<typeof OutputView>

const linkSeconds = 7 * 86_400

/** Pictures and other values of a row, with links that hold for a week. */
export async function outputsOf({ task, execution }: MadeRow, desk: Desk): Promise<{ outputs: RowOutput[]; assets: Asset[]; values: Record<string, Json>; text: string | null }> {
  const outputs: RowOutput[] = []
  const assets: Asset[] = []
  const values: Record<string, Json> = {}
  const show = (asset: Asset | null) => {
    if (!asset) return
    assets.push(asset)
    outputs.push({
      id: asset.id, url: desk.assets.link(asset, { seconds: linkSeconds }), thumbnail_url: desk.assets.link(asset, { seconds: linkSeconds, side: 256 }), mime: asset.mime, width: asset.width, height: asset.height,
      size_bytes: asset.sizeBytes, sha256: asset.sha256, expires_at: time(asset.expiresAt),
    })
  }
  for (const asset of task?.outputs ?? []) show(asset)
  const look = async (value: Json): Promise<boolean> => {
    if (Array.isArray(value)) { let all = value.length > 0; for (const one of value) all = await look(one) && all; return all }
    if (!isMedia(value)) return false
    show(await desk.assets.find(value.asset))
    return true
  }
  for (const [name, value] of Object.entries(execution?.outputs ?? {})) if (!await look(value)) values[name] = value
  const words = Object.values(values).filter(value => typeof value === 'string')
  return { outputs, assets, values, text: task?.text ?? (words.length > 0 ? words.join('\n') : null) }
}

/** Every mistake of a row, with its place. Pure. */
export function errorsOf({ row }: MadeRow): Static<typeof RowErrorView>[] {
  const { problem } = row
  if (!problem || row.state !== 'failed') return []
  const flaws = (problem.details?.flaws ?? []) as { column: string; value: string; message: string }[]
  if (flaws.length === 0) return [{ row: row.number, column: null, code: problem.code, message: problem.message }]
  return flaws.map(({ column, value, message }) => ({ row: row.number, column: column || null, value, code: problem.code, message }))
}

export const sentOf = ({ sent }: MadeRow): Record<string, Json> | null => sent !== null && typeof sent === 'object' && !Array.isArray(sent) && 'cells' in sent ? (sent as unknown as Line).cells : null

export async function viewRow(made: MadeRow, desk: Desk): Promise<Static<typeof RowView>> {
  const { row } = made
  const problem = row.problem ?? made.task?.problem ?? made.execution?.problem ?? null
  const { assets: _assets, ...brought } = await outputsOf(made, desk)
  return {
    row: row.number, name: row.name, state: row.state, attempt: row.attempt, task: row.taskId, execution: row.executionId, earlier: row.tried, sent: sentOf(made), ...brought,
    price_max: row.priceMicros === null ? null : moneyOf(row.priceMicros), cost: moneyOf(row.chargedMicros), problem: problem && row.state !== 'done' ? viewProblem(problem) : null, errors: errorsOf(made), ended_at: time(row.endedAt),
  }
}

// Schedules ----------------------------------------------------------------------------------------------------------------

export const ScheduleView = Type.Object({
  id: Id, object: Type.Literal('batch_schedule'), name: Type.String(), enabled: Type.Boolean(), livemode: Type.Boolean(), cron: Type.String(), time_zone: Type.String(), missed: Type.Enum(['skip', 'once', 'all']),
  batch: Type.Unknown({ description: 'The order that is made each time.' }), next_at: maybe(Time), last_at: maybe(Time), last_batch: maybe(Id), last_problem: maybe(ProblemView), created_at: Time,
}, { title: 'BatchSchedule' })

export const viewSchedule = (one: BatchSchedule): Static<typeof ScheduleView> => ({
  id: one.id, object: 'batch_schedule', name: one.name, enabled: one.enabled, livemode: one.livemode, cron: one.cron, time_zone: one.timeZone, missed: one.missed, batch: one.body,
  next_at: one.enabled ? time(one.nextAt) : null, last_at: time(one.lastAt), last_batch: one.lastBatchId, last_problem: one.lastProblem && viewProblem(one.lastProblem), created_at: one.createdAt.toISOString(),
})

