/**
 * How a batch of this door is made: a table becomes lines, each with the order of its row; every line is checked, then becomes a task or an
 * execution.
 */
import { Readable } from 'node:stream'
import type { Batch, BatchProblem } from '../../domain/batch.ts'
import type { JsonSchema } from '../../domain/card.ts'
import type { ExecutionOrder, Pins } from '../../domain/graph/execution.ts'
import type { Graph, Port } from '../../domain/graph/graph.ts'
import type { InputReference } from '../../domain/order.ts'
import type { Json } from '../../domain/outcome.ts'
import { asProblem, Problem } from '../../domain/problem.ts'
import type { StoredFile } from '../../domain/file.ts'
import { isTemplateName, mainLabel, readTemplateName } from '../../domain/template.ts'
import { isId } from '../../kit/id.ts'
import { openSheet } from '../../kit/sheets/sheet.ts'
import { takeTurns } from '../../kit/turns.ts'
import { readObject, type RowFlaw, type SheetRow } from '../../kit/sheets/table.ts'
import type { BatchWords, CheckedRow, Desk, Taken } from '../contract.ts'
import { columnsOf, readBatchOrder, readGrid, rowsMax, tooMany, type BatchOrder, type Target } from './batches-order.ts'
import { checkHoles, mapColumns, mapRow, taskFields, workflowFields, type Column, type Fields, type Line } from './batches-map.ts'
import type { Wanted } from './inputs.ts'
import { readTask } from './tasks.ts'

export const protocol = 'native'
const weekS = 7 * 86_400

/** What is kept of an order beside its lines. */
export interface Kept {
  target: Target
  columns: Column[]
  onErrors: 'stop' | 'skip'
  /** Of a workflow: which it is, which version of it every row is (null: the draft), and its graph as it stood, with those it calls; batches made before graphs were kept have none. */
  workflow?: { id: string; slug: string; version: number | null; pins?: Pins; /** Inputs that are pictures or films. */ media: string[]; /** Which input fills which node and port. */ places: Record<string, string> }
  source: string
}
export const keptOf = (batch: Pick<Batch, 'options'>): Kept => batch.options as unknown as Kept

// Making one -------------------------------------------------------------------------------------------------------------

/** A table somebody sent along, and the file it was kept as. */
export interface Attached { taken: Taken; file: StoredFile | null; name: string | null }

/** Makes a batch: the rows become lines in the store, and the batch is written. @throws {Problem} what is wrong with the order or the table as a whole; then nothing is kept */
export async function createBatch(order: BatchOrder, attached: Attached | null, desk: Desk, idempotencyKey?: string): Promise<{ batch: Batch; replayed: boolean }> {
  const { fields, workflow } = await fieldsOf(order.target, desk)
  const table = await openTable(order, attached, desk)
  const columns = mapColumns(table.columns, order.map ?? {}, fields)
  checkHoles(order.target, table.columns)
  const taken = await desk.files.take(Readable.from(writeLines(table, columns, order.target, fields, order.sheet)))
  const kept: Kept = { target: order.target, columns, onErrors: order.on_errors ?? 'stop', source: table.source, ...(workflow ? { workflow } : {}) }
  return desk.batches.create({
    protocol, call: order.target.kind, input: { taken }, windowS: order.end_within_s ?? weekS, options: kept as unknown as Record<string, Json>, metadata: order.metadata ?? {}, dryRun: order.dry_run ?? false,
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }), ...(order.name === undefined ? {} : { name: order.name }), ...(order.callback_url === undefined ? {} : { callbackUrl: order.callback_url }),
    ...(order.concurrency === undefined ? {} : { concurrency: order.concurrency }), ...(order.budget_max_micros === undefined ? {} : { budgetMaxMicros: order.budget_max_micros }),
    ...(table.fileId === null ? {} : { fileId: table.fileId }),
  })
}

/** What the target can be filled with. */
async function fieldsOf(target: Target, desk: Desk): Promise<{ fields: Fields; workflow: Kept['workflow'] | null }> {
  if (target.kind === 'model') {
    const cards = desk.models.all()
    const schemas = new Map<string, JsonSchema | null>()
    const names = new Set(cards.flatMap(card => Object.keys(card.parameters.properties as object ?? {})))
    const card = target.model.model === undefined ? null : (await desk.models.find(target.model.model))?.card ?? null
    const byModel = (name: string): JsonSchema | null => {
      if (!schemas.has(name)) schemas.set(name, cards.find(one => one.id === name || one.aliases.includes(name))?.parameters ?? (name === target.model.model ? card?.parameters : null) ?? null)
      return schemas.get(name)!
    }
    return { fields: taskFields(byModel, card ? Object.keys(card.parameters.properties as object ?? {}) : names, await variablesOf(target.model.model, desk)), workflow: null }
  }
  const { id, slug, version, graph, pins } = await theWorkflow(target.workflow, desk)
  const kinds = new Map(desk.workflows.kinds().map(kind => [kind.id, kind]))
  const ports = new Map(graph.exposed.map(({ name, node, port }) => [name, kinds.get(graph.nodes.find(({ id }) => id === node)?.kind ?? '')?.inputs.find(({ id }) => id === port)] as const))
  const media = [...ports].flatMap(([name, port]) => port && (port.type === 'image' || port.type === 'video' || port.type === 'audio') ? [name] : [])
  return { fields: workflowFields(new Map([...ports].map(([name, port]) => [name, schemaOf(port)]))), workflow: { id, slug, version, pins, media, places: Object.fromEntries(graph.exposed.map(({ name, node, port }) => [`nodes.${node}.${port}`, name])) } }
}

/** The workflow a target names, one of the project's or one that comes with the house, as it stands now and as every row will run it. @throws {Problem} `not_found` */
async function theWorkflow({ workflow: name, version: wanted }: Extract<Target, { kind: 'workflow' }>['workflow'], desk: Desk): Promise<{ id: string; slug: string; version: number | null; graph: Graph; pins: Pins }> {
  const missing = (version: number | null) => new Problem('not_found', `This workflow has no version ${String(version)}.`, { field: 'target.version', value: version })
  const isReady = desk.workflows.readyMade().some(({ slug }) => `ready:${slug}` === name)
  if (isReady && typeof wanted === 'number') throw missing(wanted)
  const workflow = isReady ? null : await desk.workflows.find(name)
  if (!isReady && !workflow) throw new Problem('not_found', `There is no workflow ${name.slice(0, 100)}.`, { field: 'target.workflow', value: name.slice(0, 100) })
  const version = wanted === 'draft' ? null : wanted ?? workflow?.published ?? null
  if (workflow && version !== null && !await desk.workflows.version(workflow.id, version)) throw missing(version)
  const id = workflow?.id ?? name
  return { id, slug: workflow?.slug ?? name, version, ...await desk.workflows.pin({ workflowId: id, version }) }
}

/** What a template's variables take, as cells are read for them; which template it is in the end, and whether there is one, shows when rows are checked. */
async function variablesOf(model: string | undefined, desk: Desk): Promise<Map<string, JsonSchema>> {
  if (model === undefined || !isTemplateName(model)) return new Map()
  const { slug, wanted } = readTemplateName(model)
  const template = await desk.templates.find(slug)
  if (!template) return new Map()
  const number = wanted.kind === 'version' ? wanted.number : wanted.kind === 'label' ? template.labels[wanted.label] : wanted.kind === 'main' ? template.labels[mainLabel] ?? template.published : null
  const body = number == null ? template.draft : (await desk.templates.version(slug, number))?.body ?? template.draft
  return new Map(body.variables.map(({ name, type, choices }): [string, JsonSchema] => [name, type === 'choice' ? { enum: choices ?? [] } : { type: type === 'text' || type === 'image' ? 'string' : type }]))
}

/** What a port takes, as a cell is read for it. */
function schemaOf(port: Port | undefined): JsonSchema {
  if (!port) return {}
  const type = port.list ? 'array' : port.type === 'number' || port.type === 'boolean' ? port.type : port.type === 'json' ? 'object' : port.type === 'any' ? null : 'string'
  return { ...(type === null ? {} : { type }), ...(Array.isArray(port.schema.enum) ? { enum: port.schema.enum } : {}) }
}

interface Table { columns: string[]; /** Of a workbook: which was read, and which others there are. */ sheets?: string[]; rows(): AsyncIterable<SheetRow> | Iterable<SheetRow>; fileId: string | null; source: string }

async function openTable(order: BatchOrder, attached: Attached | null, desk: Desk): Promise<Table> {
  const given = order.rows ?? (order.grid ? [...readGrid(order.grid)] : null)
  if (given) {
    const rows = (given as Record<string, Json>[]).map((cells, index) => readObject(index + 1, cells))
    if (rows.length === 0) throw new Problem('bad_request', 'There are no rows. Send at least one.', { field: 'rows' })
    return { columns: columnsOf(rows.map(({ cells }) => cells)), rows: () => rows, fileId: null, source: order.rows ? 'rows' : 'grid' }
  }
  const file = attached ?? await openSource(order, desk)
  const sheet = await openSheet({ head: file.taken.head, sizeBytes: file.taken.sizeBytes, stream: () => desk.files.openTaken(file.taken) }, { sheet: order.sheet, delimiter: order.delimiter })
  const source = file.name ?? sheet.kind
  if (sheet.columns) return { columns: sheet.columns, sheets: sheet.sheets, rows: () => sheet.rows(), fileId: file.file?.id ?? null, source }
  // Lines of JSON say only one by one which columns there are.
  const names: Record<string, true> = {}
  for await (const { cells } of sheet.rows()) { Object.assign(names, Object.fromEntries(Object.keys(cells).map(name => [name, true]))); if (Object.keys(names).length > 10_000) break }
  return { columns: columnsOf([names]), rows: () => sheet.rows(), fileId: file.file?.id ?? null, source }
}

async function openSource({ file: id, url }: BatchOrder, desk: Desk): Promise<Attached> {
  if (url !== undefined) return { taken: await desk.files.fetch(url), file: null, name: new URL(url).pathname.split('/').at(-1) || null }
  const file = isId(id!) ? await desk.files.find(id!.replaceAll('-', '')) : null
  if (!file) throw new Problem('not_found', `There is no file ${id!.slice(0, 60)}. Send it first (POST /plantain/v1/sheets).`, { field: 'file', value: id!.slice(0, 60) })
  return { taken: await asTaken(file, desk), file, name: file.name }
}

/** A file that is kept, as bytes that were just taken in. */
export async function asTaken(file: StoredFile, desk: Desk): Promise<Taken> {
  const opened = await desk.files.open(file)
  const head: Buffer[] = []
  if (file.sizeBytes > 0) for await (const chunk of opened.stream({ start: 0, end: Math.min(file.sizeBytes, 4_096) - 1 })) head.push(chunk as Buffer)
  return { sha256: file.sha256, sizeBytes: file.sizeBytes, head: Buffer.concat(head) }
}

/** The lines of a table: each stands at its row's number, so that both count alike. @throws {Problem} `too_large` for too many rows */
async function* writeLines({ rows, sheets = [] }: Table, columns: Column[], target: Target, fields: Fields, chosen: string | undefined): AsyncGenerator<Buffer> {
  let at = 1
  let count = 0
  const turns = takeTurns()
  for await (const row of rows()) {
    if (turns.isDue()) await turns.give()
    if (++count > rowsMax) throw tooMany()
    if (row.number < at) throw new Problem('bad_request', `Row ${row.number} stands below a later one. Save the workbook again.`, { field: 'file' })
    yield Buffer.from(`${'\n'.repeat(row.number - at)}${JSON.stringify(mapRow(row, columns, target, fields))}\n`)
    at = row.number + 1
  }
  if (count === 0) throw new Problem('bad_request', `The sheet has names of columns (${columns.map(({ name }) => `"${name}"`).join(', ').slice(0, 200)}) and no rows. Write at least one${sheets.length > 1 ? `, or name another sheet of the workbook: ${sheets.filter(name => name !== chosen).map(name => `"${name}"`).join(', ').slice(0, 500)}` : ''}.`, sheets.length > 1 ? { field: 'sheet', allowed: sheets } : { field: 'file' })
}

// Making its rows ----------------------------------------------------------------------------------------------------------

const lineOf = (value: unknown): Line => value as Line
type Memory = Map<string, Promise<unknown>>
interface Fetched { assetId: string; fresh: boolean }

export const batchWords: BatchWords = {
  rowsMax, badFrame: 'row', uniqueNames: false,
  readFrame: row => ({ name: lineOf(row).name }),
  atRow: (index, message) => `Row ${index + 1}: ${message}`,

  async check({ value }, batch, desk, memory) {
    const line = lineOf(value)
    if (line.flaws.length > 0) throw new Problem('bad_request', line.flaws[0]!.message, { flaws: line.flaws as unknown as Json })
    try {
      return await (batch.call === 'model' ? checkTask(line, desk, memory) : checkExecution(line, batch, desk, memory))
    } catch (thrown) {
      const problem = asProblem(thrown)
      if (problem.code === 'internal') throw thrown
      throw new Problem(problem.code, problem.message, { ...problem.details, flaws: flawsOf(problem, line, keptOf(batch)) as unknown as Json, cause: thrown })
    }
  },

  tell: ({ code, message, details }, number): BatchProblem[] => {
    const flaws = (details?.flaws ?? []) as RowFlaw[]
    return flaws.length === 0 ? [{ code, message, line: number, param: null }] : flaws.map(flaw => ({ code, message: flaw.message, line: number, param: flaw.column || null, value: flaw.value }))
  },

  async forget(memory, desk) {
    for (const one of await Promise.allSettled(memory.values())) {
      const fetched = one.status === 'fulfilled' ? one.value as Fetched : null
      if (fetched?.fresh) await desk.assets.remove(fetched.assetId).catch(() => {})
    }
  },

  async submit({ value, note, number, turn, priceMicros }, batch, desk) {
    const line = lineOf(value)
    if (batch.call === 'model') {
      const { order, wanted } = readTask(line.order)
      const ids = (note as { assets: string[] } | null)?.assets ?? []
      return desk.submit({ ...order, inputs: wanted.map(({ role }, index): InputReference => ({ role, assetId: ids[index]! })) })
    }
    const { costMaxMicros, ...rest } = executionOf(line, batch)
    return desk.workflows.begin({
      // Under a cap on the batch a row counts with what it was checked at, and so may cost no more than that.
      ...rest, inputs: (note as { inputs: Record<string, Json> }).inputs, costMaxMicros: batch.budgetMaxMicros === null ? costMaxMicros ?? null : priceMicros,
      trigger: `batch ${batch.id}`, batch: { id: batch.id, position: number - 1, turn },
    })
  },

  async begin(body, desk, idempotencyKey) {
    const { batch } = await createBatch(readBatchOrder(body, { hasFile: false }), null, desk, idempotencyKey)
    return batch
  },
}

/** Every mistake a check has found in a row: a card names all of them. */
function flawsOf({ message, details }: Problem, line: Line, kept: Kept): RowFlaw[] {
  const all = details.problems && details.problems.length > 0 ? details.problems : [{ message, field: details.field, value: details.value }]
  return all.map(one => flawOf(one, line, kept))
}

/** Where a mistake stands in the sheet: the column that brought the field, or what the target says. */
function flawOf({ message, field: saidField, value: saidValue }: { message: string; field?: string | undefined; value?: unknown }, { from, order }: Line, { columns, workflow }: Kept): RowFlaw {
  const said = saidField ?? ''
  const field = workflow?.places[said.replace(/\[\d+\]$/, '')] ?? said.replace(/^inputs\.(?=[^[])/, '')
  const outer = field.replace(/[.[].*$/s, '')
  // What is missing has a column as well, where one would have filled it.
  const column = from[field] ?? from[outer] ?? columns.find(one => one.field === field)?.name ?? ''
  const value = saidValue ?? order[field]
  return { column, value: value === undefined ? '' : (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, 100).toWellFormed(), message }
}

async function checkTask({ order: body }: Line, desk: Desk, memory: Memory): Promise<CheckedRow> {
  const { order, wanted } = readTask(body)
  // A model that is not there is refused before any picture is fetched; `estimate` knows the words for it.
  if (wanted.length > 0 && !await desk.models.find(order.model)) await desk.estimate({ ...order, inputs: [] })
  const inputs = await Promise.all(wanted.map(async (one, index): Promise<InputReference> => ({ role: one.role, assetId: await idOf(one, `inputs[${index}]`, desk, memory) })))
  // As it will be ordered: some cards cost less for who can wait.
  const { priceMicros } = await desk.estimate({ ...order, inputs, priority: 'batch' })
  return { priceMinMicros: priceMicros, priceMaxMicros: priceMicros, ...(inputs.length > 0 ? { note: { assets: inputs.map(({ assetId }) => assetId) } } : {}) }
}

async function idOf(wanted: Wanted, field: string, desk: Desk, memory: Memory): Promise<string> {
  if ('assetId' in wanted) return wanted.assetId
  if (!('url' in wanted.upload)) throw new Problem('bad_request', 'A sheet names pictures by id or link. Upload this one first (POST /plantain/v1/assets).', { field })
  return fetchOnce(wanted.upload.url, field, desk, memory)
}

/** The same address is asked once for all rows that name it. */
async function fetchOnce(url: string, field: string, desk: Desk, memory: Memory): Promise<string> {
  let fetched = memory.get(url) as Promise<Fetched> | undefined
  if (!fetched) {
    fetched = (async () => {
      const ours = await desk.assets.resolveLink(url)
      return ours ? { assetId: ours.id, fresh: false } : { assetId: (await desk.assets.keep({ url })).id, fresh: true }
    })()
    memory.set(url, fetched)
    fetched.catch(() => {})
  }
  try {
    return (await fetched).assetId
  } catch (thrown) {
    const problem = asProblem(thrown)
    throw new Problem(problem.code, problem.message, { value: url.slice(0, 100), ...problem.details, field, cause: thrown })
  }
}

function executionOf({ order }: Line, batch: Batch): ExecutionOrder {
  const { target, workflow } = keptOf(batch)
  const { parallelism, cost_max_micros: costMaxMicros } = target.kind === 'workflow' ? target.workflow : {}
  const { metadata, ...inputs } = order
  return {
    workflowId: workflow!.id, version: workflow!.version, ...(workflow!.pins ? { pins: workflow!.pins } : {}), inputs, costMaxMicros: costMaxMicros ?? null, ...(parallelism === undefined ? {} : { parallelism }),
    ...(metadata === undefined ? {} : { metadata: metadata as Record<string, string> }),
  }
}

async function checkExecution(line: Line, batch: Batch, desk: Desk, memory: Memory): Promise<CheckedRow> {
  const order = executionOf(line, batch)
  const inputs: Record<string, Json> = { ...order.inputs }
  for (const name of keptOf(batch).workflow!.media) if (inputs[name] !== undefined) inputs[name] = await withAssets(inputs[name], name, desk, memory)
  const plan = await desk.workflows.plan({ ...order, inputs })
  const cap = order.costMaxMicros ?? null
  if (plan.priceMaxMicros === null && cap === null && batch.budgetMaxMicros !== null) {
    throw new Problem('bad_request', 'What this row costs is only known when it has run, so the budget cannot be kept. Set target.cost_max_micros: what one row may cost at most.', { field: 'target.cost_max_micros' })
  }
  const most = plan.priceMaxMicros ?? cap ?? plan.priceMinMicros
  return { priceMinMicros: plan.priceMinMicros, priceMaxMicros: cap === null ? most : Math.min(most, cap), note: { inputs } }
}

/** Links to pictures become assets, so that they are fetched once, before anything is bought. */
async function withAssets(value: Json, field: string, desk: Desk, memory: Memory): Promise<Json> {
  if (Array.isArray(value)) return Promise.all(value.map(one => withAssets(one, field, desk, memory)))
  return typeof value === 'string' && /^https?:\/\/\S+$/i.test(value) ? { asset: await fetchOnce(value, field, desk, memory) } : value
}
