/**
 * What the tools show: schemas (they are the tools' output schemas) and writers. Pure, but for the links a desk signs.
 *
 * Names and shapes are the native door's, less what an assistant has no use for, so that `plantain mcp` shows the same by reading
 * that door's answers through these schemas.
 */
import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import { Value } from 'typebox/value'
import type { Asset } from '../../domain/asset.ts'
import { kinds, type Card, type CheckedOrder } from '../../domain/card.ts'
import type { Execution, Workflow } from '../../domain/graph/execution.ts'
import { formatDollars } from '../../domain/money.ts'
import { operations } from '../../domain/order.ts'
import { mistakesOf, type StoredProblem } from '../../domain/problem.ts'
import { states, type Task } from '../../domain/task.ts'
import type { Balance } from '../contract.ts'

const maybe = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()])
const Dollars = Type.Object({ micros: Type.Integer({ description: 'Millionths of a US dollar.' }), usd: Type.String() })
const dollars = (micros: number): Static<typeof Dollars> => ({ micros, usd: formatDollars(micros) })
const AnyValues = Type.Record(Type.String(), Type.Unknown())

export const ProblemView = Type.Object({
  code: Type.String(), message: Type.String(),
  field: Type.Optional(Type.String()), allowed: Type.Optional(Type.Unknown()),
  problems: Type.Optional(Type.Array(Type.Object({ field: Type.String(), value: Type.Optional(Type.Unknown()), allowed: Type.Optional(Type.Unknown()), message: Type.String() }))),
  retry_after_s: Type.Optional(Type.Number()), upstream_code: Type.Optional(Type.String()),
})
export type ProblemView = Static<typeof ProblemView>

export const OutputView = Type.Object({
  id: Type.String({ description: 'Of the asset. Give it to another tool as a picture.' }),
  url: Type.String({ description: 'The full file. Needs no key; expires.' }),
  mime: Type.String(), width: maybe(Type.Integer()), height: maybe(Type.Integer()), size_bytes: Type.Integer(),
})
export type OutputView = Static<typeof OutputView>

export const TaskView = Type.Object({
  id: Type.String({ description: 'Give it to get_task, wait_for_task or cancel_task, or to another tool as its picture.' }),
  state: Type.Enum([...states]),
  livemode: Type.Boolean({ description: 'False for a test key: made for free by the sandbox model.' }),
  served_by: Type.String(),
  model: Type.String(), operation: Type.Enum([...operations]), prompt: Type.String(), parameters: AnyValues,
  outputs: Type.Array(OutputView),
  text: maybe(Type.String({ description: 'Words that came with the pictures.' })),
  warnings: Type.Array(Type.String()),
  problem: maybe(ProblemView),
  price: Dollars, cost: maybe(Dollars),
  progress: maybe(Type.Integer({ description: 'Percent, where the model tells.' })),
  created_at: Type.String(), ended_at: maybe(Type.String()),
})
export type TaskView = Static<typeof TaskView>

/** Under a test key every model is made by this one, whatever it stands in for. */
const testModel = 'sandbox-1'

export function viewProblem({ code, message, details = {} }: StoredProblem): ProblemView {
  const { field, allowed, retryAfterS, upstreamCode } = details
  const problems = mistakesOf(details)
  const told = { field, allowed, problems: problems.length > 0 ? problems : undefined, retry_after_s: retryAfterS, upstream_code: upstreamCode }
  return { code, message, ...Object.fromEntries(Object.entries(told).filter(([, entry]) => entry !== undefined)) }
}

export const viewTask = (task: Task, link: (asset: Asset) => string): TaskView => ({
  id: task.id, state: task.state, livemode: task.livemode, served_by: task.livemode ? task.provider : testModel,
  model: task.model, operation: task.operation, prompt: task.prompt, parameters: task.parameters,
  outputs: task.outputs.map(asset => ({ id: asset.id, url: link(asset), mime: asset.mime, width: asset.width, height: asset.height, size_bytes: asset.sizeBytes })),
  text: task.text, warnings: task.warnings, problem: task.problem ? viewProblem(task.problem) : null,
  price: dollars(task.priceMicros), cost: task.chargedMicros === null ? null : dollars(task.chargedMicros),
  progress: task.progress, created_at: task.createdAt.toISOString(), ended_at: task.endedAt?.toISOString() ?? null,
})

export const ModelView = Type.Object({
  id: Type.String(), title: Type.String(), maker: Type.String(), kind: Type.Enum([...kinds]), description: Type.String(),
  operations: Type.Array(Type.Enum([...operations])),
  prices: Type.Array(Type.Object({ when: AnyValues, price: Dollars, per: Type.String() }), { description: 'The first row whose `when` matches the parameters counts. `tokens`: the most tokens the order may take, by `token_prices`.' }),
  token_prices: maybe(Type.Object({ text_in: Dollars, image_in: Dollars, text_out: Dollars, image_out: Dollars }, { description: 'For a million tokens: what is charged is what was taken, and never more than the estimate.' })),
  life: Type.Object({ state: Type.Enum(['active', 'deprecated', 'retired']), replacement: maybe(Type.String()), note: maybe(Type.String()) }),
  parameters: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'JSON Schema of what `parameters` may hold.' })),
  prompt: Type.Optional(Type.Object({ required: Type.Boolean(), characters_max: Type.Integer() })),
  inputs: Type.Optional(Type.Object({ min: Type.Integer(), max: Type.Integer(), mimes: Type.Array(Type.String()), bytes_max: Type.Integer(), pixels_max: Type.Integer(), roles: Type.Record(Type.String(), Type.Integer()) })),
})
export type ModelView = Static<typeof ModelView>

export function viewModel({ id, title, maker, kind, description, operations, prices, life, parameters, prompt, inputs }: Card, now: Date): ModelView {
  const begun = prices.filter(({ from }) => new Date(from) <= now).sort((a, b) => a.from < b.from ? 1 : -1)[0]
  return {
    id, title, maker, kind, description, operations,
    prices: (begun?.rows ?? []).map(({ when, micros, per }) => ({ when: when ?? {}, price: dollars(micros), per })),
    token_prices: begun?.tokens ? { text_in: dollars(begun.tokens.textIn), image_in: dollars(begun.tokens.imageIn), text_out: dollars(begun.tokens.textOut), image_out: dollars(begun.tokens.imageOut) } : null,
    life: { state: life.state, replacement: life.replacement ?? null, note: life.note ?? null },
    parameters,
    prompt: { required: prompt.required, characters_max: prompt.charactersMax },
    inputs: { min: inputs.min, max: inputs.max, mimes: inputs.mimes, bytes_max: inputs.bytesMax, pixels_max: inputs.pixelsMax, roles: inputs.roles as Record<string, number> },
  }
}

/** A model in a list: an assistant's window is small, and a schema is long. */
export const shorten = ({ parameters: _parameters, prompt: _prompt, inputs: _inputs, ...short }: ModelView): ModelView => short

export const ModelsView = Type.Object({ models: Type.Array(ModelView) })

export const EstimateView = Type.Object({
  model: Type.String(), operation: Type.Enum([...operations]),
  parameters: Type.Record(Type.String(), Type.Unknown(), { description: 'As they would be used, defaults filled in.' }),
  count: Type.Integer(), width: maybe(Type.Integer()), height: maybe(Type.Integer()), price: Dollars, warnings: Type.Array(Type.String()),
})
export type EstimateView = Static<typeof EstimateView>

export const viewEstimate = ({ card, operation, parameters, count, width, height, priceMicros, warnings }: CheckedOrder): EstimateView =>
  ({ model: card.id, operation, parameters, count, width, height, price: dollars(priceMicros), warnings })

export const BalanceView = Type.Object({ livemode: Type.Boolean(), available: Dollars, held: Dollars, spent: Dollars })
export type BalanceView = Static<typeof BalanceView>

export const viewBalance = ({ livemode, availableMicros, heldMicros, spentMicros }: Balance): BalanceView =>
  ({ livemode, available: dollars(availableMicros), held: dollars(heldMicros), spent: dollars(spentMicros) })

/** The native door's JSON as one of these views: what the schema does not name is left out. @throws when it is not that thing at all */
export const readView = <S extends TSchema>(schema: S, json: unknown): Static<S> => Value.Parse(schema, Value.Clean(schema, structuredClone(json))) as Static<S>

export const WorkflowView = Type.Object({
  id: Type.String(), slug: Type.String({ description: 'Give it to run_workflow.' }), name: Type.String(), description: Type.String(), active: Type.Boolean(),
  inputs: Type.Array(Type.Object({ name: Type.String(), title: Type.Optional(Type.String()), description: Type.Optional(Type.String()), required: Type.Optional(Type.Boolean()) }), { description: 'What may be given to run_workflow, by name.' }),
})
export type WorkflowView = Static<typeof WorkflowView>
export const WorkflowsView = Type.Object({ workflows: Type.Array(WorkflowView) })

export const viewWorkflow = ({ id, slug, name, description, active, graph }: Workflow): WorkflowView =>
  ({ id, slug, name, description, active, inputs: graph.exposed.map(({ name: input, title, description: about, required }) => ({ name: input, ...(title === undefined ? {} : { title }), ...(about === undefined ? {} : { description: about }), ...(required === undefined ? {} : { required }) })) })

export const ExecutionView = Type.Object({
  id: Type.String({ description: 'Give it to get_execution.' }),
  state: Type.Enum(['running', 'waiting_for_review', 'done', 'failed', 'cancelled']),
  livemode: Type.Boolean(), cost: Dollars, runs: Type.Record(Type.String(), Type.Integer(), { description: 'Steps by state.' }),
  outputs: maybe(AnyValues), problem: maybe(ProblemView), created_at: Type.String(), ended_at: maybe(Type.String()),
})
export type ExecutionView = Static<typeof ExecutionView>

/** Pictures among the outputs of an execution, however deep, as the native door shows them. Pure. */
export function* mediaOf(value: unknown): Generator<OutputView> {
  if (value === null || typeof value !== 'object') return
  const { asset, url, mime, width, height } = value as Record<string, unknown>
  if (typeof asset === 'string' && typeof mime === 'string') {
    if (typeof url === 'string') yield { id: asset, url, mime, width: typeof width === 'number' ? width : null, height: typeof height === 'number' ? height : null, size_bytes: 0 }
    return
  }
  for (const one of Object.values(value)) yield* mediaOf(one)
}

/** An execution, its pictures with the links that `link` finds for them. */
export async function viewExecution(execution: Execution, link: (assetId: string) => Promise<string | null>): Promise<ExecutionView> {
  const withLinks = async (value: unknown): Promise<unknown> => {
    if (value === null || typeof value !== 'object') return value
    if (Array.isArray(value)) return Promise.all(value.map(withLinks))
    const entries = await Promise.all(Object.entries(value).map(async ([name, one]) => [name, await withLinks(one)] as const))
    const copy: Record<string, unknown> = Object.fromEntries(entries)
    return typeof copy.asset === 'string' && typeof copy.sha256 === 'string' ? { ...copy, url: await link(copy.asset) } : copy
  }
  return {
    id: execution.id, state: execution.waitingForReview ? 'waiting_for_review' : execution.state, livemode: execution.livemode, cost: dollars(execution.costMicros), runs: execution.counts as Record<string, number>,
    outputs: await withLinks(execution.outputs) as ExecutionView['outputs'], problem: execution.problem ? { code: execution.problem.code, message: execution.problem.message } : null,
    created_at: execution.createdAt.toISOString(), ended_at: execution.endedAt?.toISOString() ?? null,
  }
}
