/** The order of a batch: where its rows come from, what is made of each, which column goes where. */
import { Type } from 'typebox'
import type { Static } from 'typebox'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { reader } from '../../kit/schema.ts'
import { sheetLimits } from '../../kit/sheets/table.ts'
import { InputBody } from './inputs.ts'
import { TaskBody } from './tasks.ts'

/** Rows of one batch. */
export const rowsMax = 10_000
/** Characters of a target, written as JSON. */
const targetMax = 262_144

const Name = Type.String({ minLength: 1, maxLength: 300, description: 'What a row is called in the results; `{{column}}` stands for a cell.' })
const { callback_url: _callback, priority: _priority, start_within_s: _start, end_within_s: _end, ...ordered } = TaskBody.properties
const Inputs = Type.Array(Type.Union([Type.String({ description: 'An asset or a link.' }), InputBody]), { maxItems: 32 })
const anyText = Type.Optional(Type.String({ maxLength: 200 }))
export const ModelTarget = Type.Object({
  ...Type.Partial(Type.Object(ordered)).properties, operation: anyText, inputs: Type.Optional(Inputs), name: Type.Optional(Name),
}, { additionalProperties: false, title: 'ModelTarget', description: 'A task with holes: text may hold `{{column}}`, and what a column brings goes before what stands here.' })
export const WorkflowTarget = Type.Object({
  workflow: Type.String({ minLength: 1, maxLength: 100, description: 'A workflow by id or slug, or `ready:<slug>` for one that comes with the house.' }),
  version: Type.Optional(Type.Union([Type.Integer({ minimum: 1 }), Type.Literal('draft')], { description: 'Default: the one that is published when the batch is made; the draft where none is.' })),
  inputs: Type.Optional(Type.Record(Type.String({ minLength: 1, maxLength: 100 }), Type.Unknown())),
  parallelism: Type.Optional(Type.Integer({ minimum: 1, maximum: 500 })),
  cost_max_micros: Type.Optional(Type.Integer({ minimum: 0, description: 'What one row may cost at most.' })),
  metadata: Type.Optional(Type.Record(Type.String({ minLength: 1, maxLength: 64 }), Type.String({ maxLength: 512 }), { maxProperties: 16 })),
  name: Type.Optional(Name),
}, { additionalProperties: false, title: 'WorkflowTarget' })

const FileId = Type.String({ minLength: 1, maxLength: 60, description: 'A file by its id: one that `POST /plantain/v1/sheets` took in, or any other upload.' })
const Address = Type.String({ minLength: 1, maxLength: 4_096, description: 'A public address, asked now.' })
const Cell = Type.Unknown()
const common = {
  file: Type.Optional(FileId),
  url: Type.Optional(Address),
  rows: Type.Optional(Type.Array(Type.Record(Type.String(), Cell), { description: `The rows themselves, at most ${rowsMax}.` })),
  grid: Type.Optional(Type.Record(Type.String(), Type.Array(Cell, { minItems: 1, maxItems: rowsMax }), { description: 'Every value with every other: `{"prompt": […], "seed": […], "model": […]}`.' })),
  sheet: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'Of a workbook. Default: the first that is not hidden.' })),
  delimiter: Type.Optional(Type.Enum([',', ';', '\t', '|'], { description: 'Of CSV. Default: found out.' })),
  map: Type.Optional(Type.Record(Type.String(), Type.Union([Type.String({ minLength: 1, maxLength: 200 }), Type.Null()]), { description: 'Column to field (`prompt`, `parameters.seed`, `inputs.mask`, `metadata.sku`, `name`, or an input of the workflow); null leaves the column aside. Columns whose names are fields need no entry.' })),
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  on_errors: Type.Optional(Type.Enum(['stop', 'skip'], { description: '`stop` (default): nothing is made while any row is wrong. `skip`: such rows are left out.' })),
  concurrency: Type.Optional(Type.Integer({ minimum: 1, maximum: 128, description: 'Rows in the making at once. Default 128.' })),
  budget_max_micros: Type.Optional(Type.Integer({ minimum: 0, description: 'What it may cost at most. Before a row would go beyond it, the batch is paused; what was made is kept.' })),
  end_within_s: Type.Optional(Type.Integer({ minimum: 60, maximum: 2_592_000, description: 'Rows that have not ended by then are given up. Default a week. Pauses do not count.' })),
  callback_url: Type.Optional(Type.String({ minLength: 1, maxLength: 2_048, description: 'Called when it has ended, and when it was paused for want of money; signed like every webhook.' })),
  metadata: Type.Optional(Type.Record(Type.String({ minLength: 1, maxLength: 64 }), Type.String({ maxLength: 512 }), { maxProperties: 16 })),
}
const once = { ...common, dry_run: Type.Optional(Type.Boolean({ description: 'Only looks through the rows. `resume` lets it run.' })) }
export const BatchBody = Type.Object({ ...once, target: Type.Union([ModelTarget, WorkflowTarget]) }, {
  additionalProperties: false, title: 'NewBatch',
  examples: [{ rows: [{ product: 'a mug', seed: 1 }, { product: 'a teapot', seed: 2 }], target: { model: 'nano-banana', prompt: 'A studio picture of {{product}}', name: '{{product}}' } }],
})
type Common = Omit<Static<typeof BatchBody>, 'target'>
export type Target = { kind: 'model'; model: Static<typeof ModelTarget> } | { kind: 'workflow'; workflow: Static<typeof WorkflowTarget> }
export interface BatchOrder extends Common { target: Target }

const readModel = reader(Type.Object({ ...once, target: ModelTarget }, { additionalProperties: false }))
const readWorkflow = reader(Type.Object({ ...once, target: WorkflowTarget }, { additionalProperties: false }))
const sources = ['file', 'url', 'rows', 'grid'] as const

/** @throws {Problem} `bad_request` */
export function readBatchOrder(body: unknown, { hasFile }: { hasFile: boolean }): BatchOrder {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new Problem('bad_request', 'The body must be an object with target and one of file, url, rows and grid.')
  const { target } = body as { target?: unknown }
  const isWorkflow = typeof target === 'object' && target !== null && 'workflow' in target
  const order: BatchOrder = isWorkflow ? (wire => ({ ...wire, target: { kind: 'workflow' as const, workflow: wire.target } }))(readWorkflow(body)) : (wire => ({ ...wire, target: { kind: 'model' as const, model: wire.target } }))(readModel(body))
  if (JSON.stringify(target).length > targetMax) throw new Problem('too_large', `target may have ${targetMax} characters. Put long texts into the rows.`, { field: 'target', allowed: targetMax })
  const given = sources.filter(source => order[source] !== undefined)
  if (given.length + Number(hasFile) !== 1) {
    throw new Problem('bad_request', `A batch has its rows from exactly one of ${sources.join(', ')} or a form's file${given.length + Number(hasFile) > 1 ? `, not from ${[...given, ...hasFile ? ['a form\'s file'] : []].join(' and ')}` : ''}.`, { field: given[1] ?? 'file', allowed: sources })
  }
  const isTable = hasFile || order.file !== undefined || order.url !== undefined
  for (const field of ['sheet', 'delimiter'] as const) if (order[field] !== undefined && !isTable) throw new Problem('bad_request', `${field} is for a file; this batch has ${given[0]}.`, { field })
  if (order.rows && order.rows.length > rowsMax) throw tooMany()
  return order
}

export const tooMany = () => new Problem('too_large', `A batch has at most ${rowsMax} rows. Send several.`, { allowed: rowsMax })

/** Every value of a grid with every other, the last one changing fastest. @throws {Problem} `too_large` */
export function* readGrid(grid: Record<string, unknown[]>): Generator<Record<string, Json>> {
  const axes = Object.entries(grid)
  if (axes.length === 0 || axes.length > 20) throw new Problem('bad_request', 'A grid has 1 to 20 fields, each with its values.', { field: 'grid' })
  const total = axes.reduce((product, [, values]) => product * values.length, 1)
  if (total > rowsMax) throw new Problem('too_large', `This grid has ${total} combinations, and a batch has at most ${rowsMax} rows. Make it smaller, or several.`, { field: 'grid', value: total, allowed: rowsMax })
  for (let index = 0; index < total; index++) {
    let rest = index
    const cells: [string, Json][] = []
    for (const [name, values] of axes.toReversed()) {
      cells.unshift([name, values[rest % values.length] as Json])
      rest = Math.floor(rest / values.length)
    }
    yield Object.fromEntries(cells)
  }
}

/** Keys of rows as columns. @throws {Problem} `bad_request` */
export function columnsOf(rows: Iterable<Record<string, unknown>>): string[] {
  const names = new Set<string>()
  for (const row of rows) for (const name of Object.keys(row)) names.add(name)
  if (names.size > sheetLimits.columns) throw new Problem('too_large', `Rows may have ${sheetLimits.columns} columns, and these have ${names.size} different ones.`, { allowed: sheetLimits.columns })
  return [...names]
}
