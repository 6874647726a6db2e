/** Workflows: checked, published, fetched and run from files, with what comes out saved in a folder. */
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Exit, exitCodes, usage } from './exit.ts'
import { openRemote, showRange, type Money, type Remote } from './remote.ts'
import { extensionOf, saveBody, saveFile, showFile, showPath } from './save.ts'
import { formatTable, plainLine, type Shared, type Terminal } from './terminal.ts'
import { turning, watch } from './waiting.ts'

interface Graph { nodes: { id: string; kind: string }[]; edges?: unknown[]; inputs?: { name: string; title?: string; description?: string }[] }
/** A workflow as a file holds it: what `workflow get` writes and everything else reads. */
interface WorkflowFile { name?: string; slug?: string; description?: string; tags?: string[]; graph: Graph }
interface WorkflowView extends WorkflowFile { id: string; name: string; slug: string; revision: number; published: number | null; active: boolean; updated_at: string }
interface Finding { rule: string; message: string; fix: string; node?: string; edge?: number }
interface Lint { ok: boolean; violations: Finding[]; warnings: Finding[] }
interface ExecutionView {
  id: string
  state: 'running' | 'waiting_for_review' | 'done' | 'failed' | 'cancelled'
  livemode: boolean
  cost: Money
  runs: Record<string, number>
  outputs: Record<string, unknown> | null
  problem: { code: string; message: string } | null
}
interface PlanView {
  steps: { node: string; kind: string; does: string; because: string; times: number | null; model: string | null; price_min: Money; price_max: Money | null }[]
  price_min: Money; price_max: Money | null; available: Money; sufficient: boolean; seconds_typical: number | null; warnings: string[]
}

export interface RunOptions extends Shared {
  input?: Record<string, unknown>
  inputs?: string
  workflowVersion?: string
  target?: string
  force?: boolean
  costMax?: number
  parallelism?: number
  estimate?: boolean
  out?: string
  wait: boolean
}

async function readText(place: string, { folder }: Terminal): Promise<string> {
  try {
    return await readFile(resolve(folder, place), 'utf8')
  } catch (thrown) {
    throw usage(`${place} cannot be read (${(thrown as NodeJS.ErrnoException).code ?? 'unknown'}).`)
  }
}

/** A workflow's file: whole, or its graph alone. @throws {Exit} `usage` */
async function readWorkflow(place: string, terminal: Terminal): Promise<WorkflowFile> {
  let value: unknown
  try {
    value = JSON.parse(await readText(place, terminal))
  } catch (thrown) {
    if (thrown instanceof Exit) throw thrown
    throw usage(`${place} is not JSON: ${(thrown as Error).message}`)
  }
  const read = value as Partial<WorkflowFile> & Partial<Graph>
  if (Array.isArray(read?.graph?.nodes)) return read as WorkflowFile
  if (Array.isArray(read?.nodes)) return { graph: { nodes: read.nodes, ...(read.edges ? { edges: read.edges } : {}), ...(read.inputs ? { inputs: read.inputs } : {}) } }
  throw usage(`${place} holds no workflow: an object with "nodes" and "edges", or with "name" and "graph", as plantain workflow get writes it.`)
}

const isFile = (word: string): boolean => /[./\\]/.test(word)
const pathOf = (name: string): string => `/plantain/v1/workflows/${encodeURIComponent(name)}`
const showFinding = ({ rule, message, fix, node, edge }: Finding): string[] => [node ?? (edge === undefined ? '' : `edge ${edge + 1}`), rule, plainLine(`${message} ${fix}`, 400)]

export async function lintWorkflow(place: string, options: Shared, terminal: Terminal): Promise<void> {
  const { graph } = await readWorkflow(place, terminal)
  const remote = await openRemote(options, terminal)
  const lint = await remote.post<Lint>('/plantain/v1/workflows/lint', graph)
  if (options.json) terminal.print(JSON.stringify(lint))
  else {
    for (const line of formatTable([...lint.violations.map(one => ['wrong', ...showFinding(one)]), ...lint.warnings.map(one => ['warning', ...showFinding(one)])])) terminal.print(line)
    if (lint.ok) terminal.print(`${place} is sound: ${graph.nodes.length} nodes, ${graph.edges?.length ?? 0} edges.`)
    else terminal.note(`${lint.violations.length} to mend.`)
  }
  if (!lint.ok) throw new Exit(exitCodes.failed, 'unsound', '')
}

export async function listWorkflows(options: Shared & { limit: number }, terminal: Terminal): Promise<void> {
  const remote = await openRemote(options, terminal)
  const page = await remote.get<{ items: WorkflowView[] }>(`/plantain/v1/workflows?limit=${options.limit}`)
  if (options.json) return terminal.print(JSON.stringify(page))
  if (page.items.length === 0) return terminal.note('No workflows yet. Save one with: plantain workflow publish poster.json')
  for (const line of formatTable([['workflow', 'version', 'nodes', 'changed (UTC)', 'name'], ...page.items.map(({ slug, published, active, graph, updated_at, name }) =>
    [slug, `${published ?? 'draft'}${active ? '' : ', off'}`, String(graph.nodes.length), updated_at.slice(0, 19).replace('T', ' '), plainLine(name, 60)])])) terminal.print(line)
}

/** Workflows that come with the house, or a copy of one saved. */
export async function readyWorkflows(slug: string | undefined, options: Shared, terminal: Terminal): Promise<void> {
  const remote = await openRemote(options, terminal)
  if (slug !== undefined) {
    const kept = await remote.post<WorkflowView>(`/plantain/v1/ready-made/${encodeURIComponent(slug)}`, {})
    return terminal.print(options.json ? JSON.stringify(kept) : `Saved as ${kept.slug}. Change it with: plantain workflow get ${kept.slug} --out ${kept.slug}.json`)
  }
  const page = await remote.get<{ items: { slug: string; name: string; graph: Graph }[] }>('/plantain/v1/ready-made')
  if (options.json) return terminal.print(JSON.stringify(page))
  for (const line of formatTable([['workflow', 'inputs', ''], ...page.items.map(({ slug: one, name, graph }) => [`ready:${one}`, (graph.inputs ?? []).map(input => input.name).join(', '), name])])) terminal.print(line)
}

/** Prints a workflow as a file, or writes it to one. */
export async function getWorkflow(name: string, options: Shared & { workflowVersion?: string; out?: string }, terminal: Terminal): Promise<void> {
  const remote = await openRemote(options, terminal)
  const { slug, name: title, description, tags, graph } = await remote.get<WorkflowView>(pathOf(name))
  const version = options.workflowVersion === undefined || options.workflowVersion === 'draft' ? null : await remote.get<{ graph: Graph }>(`${pathOf(name)}/versions/${encodeURIComponent(options.workflowVersion)}`)
  const file: WorkflowFile = { name: title, slug, ...(description ? { description } : {}), ...(tags?.length ? { tags } : {}), graph: version?.graph ?? graph }
  if (options.json) return terminal.print(JSON.stringify(file))
  if (options.out === undefined) return terminal.print(JSON.stringify(file, null, 2))
  await saveBody(new Response(`${JSON.stringify(file, null, 2)}\n`), resolve(terminal.folder, options.out))
  terminal.print(showPath(resolve(terminal.folder, options.out), terminal.folder))
}

/** Publishes a saved workflow's draft; a file is saved first, in place of the draft under its slug or as a new workflow. */
export async function publishWorkflow(word: string, options: Shared & { name?: string }, terminal: Terminal): Promise<void> {
  const remote = await openRemote(options, terminal)
  const slug = isFile(word) ? await keepFile(word, remote, terminal) : word
  const { number } = await remote.post<{ number: number }>(`${pathOf(slug)}/publish`, options.name === undefined ? {} : { name: options.name })
  if (options.json) return terminal.print(JSON.stringify({ workflow: slug, version: number, name: options.name ?? null }))
  terminal.print(`${slug} is published as version ${number}${options.name === undefined ? '' : `, ${options.name}`}. Run it with: plantain workflow run ${slug}`)
}

async function keepFile(place: string, remote: Remote, terminal: Terminal): Promise<string> {
  const file = await readWorkflow(place, terminal)
  const fallback = place.split(/[/\\]/).at(-1)!.replace(/\.json$/i, '')
  const words = { ...file, name: file.name ?? fallback, slug: file.slug ?? fallback.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '') }
  const earlier = await remote.get<WorkflowView>(pathOf(words.slug)).catch(ignoreMissing)
  // Somebody else's change since we looked is not overwritten: the revision says so.
  const kept = earlier ? await remote.patch<WorkflowView>(pathOf(earlier.id), { ...words, revision: earlier.revision }) : await remote.post<WorkflowView>('/plantain/v1/workflows', words)
  return kept.slug
}

const ignoreMissing = (thrown: unknown): null => {
  if (thrown instanceof Exit && thrown.code === 'not_found') return null
  throw thrown
}

/** Values for the workflow's inputs: those of a file, and over them those named one by one. `@photo.jpg` is the picture in that file. */
async function readInputs({ inputs, input = {} }: RunOptions, remote: Remote, terminal: Terminal): Promise<Record<string, unknown>> {
  let given: Record<string, unknown> = {}
  if (inputs !== undefined) {
    try { given = JSON.parse(await readText(inputs, terminal)) as Record<string, unknown> } catch (thrown) { if (thrown instanceof Exit) throw thrown; throw usage(`${inputs} is not JSON: ${(thrown as Error).message}`) }
    if (given === null || typeof given !== 'object' || Array.isArray(given)) throw usage(`${inputs} must hold an object: the workflow's inputs by name.`)
  }
  const upload = async (value: unknown): Promise<unknown> => {
    if (Array.isArray(value)) return Promise.all(value.map(upload))
    if (typeof value !== 'string' || !value.startsWith('@') || value.length < 2) return value
    const place = value.slice(1)
    const bytes = await readFile(resolve(terminal.folder, place)).catch((thrown: NodeJS.ErrnoException) => { throw usage(`${place} cannot be read (${thrown.code ?? 'unknown'}). @ before a value means a picture's file; write \\@ for a text that begins so.`) })
    return (await remote.upload<{ id: string }>('/plantain/v1/assets', bytes)).id
  }
  const entries = await Promise.all(Object.entries({ ...given, ...input }).map(async ([name, value]) => [name, typeof value === 'string' && value.startsWith('\\@') ? value.slice(1) : await upload(value)] as const))
  return Object.fromEntries(entries)
}

export async function runWorkflow(word: string, options: RunOptions, terminal: Terminal): Promise<void> {
  const remote = await openRemote(options, terminal)
  const order = {
    ...(isFile(word) ? { graph: (await readWorkflow(word, terminal)).graph } : { workflow: word }),
    ...(options.workflowVersion === undefined ? {} : { version: /^\d+$/.test(options.workflowVersion) ? Number(options.workflowVersion) : options.workflowVersion }),
    inputs: await readInputs(options, remote, terminal), force: options.force ?? false,
    ...(options.target === undefined ? {} : { target: options.target }), ...(options.parallelism === undefined ? {} : { parallelism: options.parallelism }),
    ...(options.costMax === undefined ? {} : { cost_max_micros: options.costMax }),
  }
  if (options.estimate) return showPlan(await remote.post<PlanView>('/plantain/v1/executions/estimate', order), options, terminal)
  let interrupted = false
  const forget = terminal.onInterrupt(() => { interrupted = true })
  const execution = await remote.post<ExecutionView>('/plantain/v1/executions', order, { idempotencyKey: randomUUID() }).finally(forget)
  if (!options.wait) {
    if (options.json) return terminal.print(JSON.stringify(execution))
    terminal.print(execution.id)
    return terminal.note(`The execution is on its way. Fetch it with: plantain workflow wait ${execution.id}`)
  }
  await finishExecution(await waitForExecution(execution, remote, terminal, interrupted), options, remote, terminal)
}

const executionPath = (id: string): string => {
  if (!/^[0-9a-f-]{32,36}$/.test(id)) throw usage(`"${id}" is no execution id: 32 hexadecimal characters, as workflow run shows them.`)
  return `/plantain/v1/executions/${id}`
}

export async function waitExecution(id: string, options: Shared & { out?: string }, terminal: Terminal): Promise<void> {
  const path = executionPath(id)
  const remote = await openRemote(options, terminal)
  await finishExecution(await waitForExecution(await remote.get<ExecutionView>(path), remote, terminal), options, remote, terminal)
}

/** Tries again what failed, and waits for it. */
export async function resumeExecution(id: string, options: Shared & { node?: string; item?: string; costMax?: number; out?: string; wait: boolean }, terminal: Terminal): Promise<void> {
  const path = executionPath(id)
  if (options.item !== undefined && !/^[1-9]\d{0,4}(\.[1-9]\d{0,4})*$/.test(options.item)) throw usage(`--item is a place in the list, counted from 1, as in 3 or 3.1, not ${plainLine(options.item, 40)}.`)
  const remote = await openRemote(options, terminal)
  const execution = await remote.post<ExecutionView>(`${path}/resume`, { ...(options.node === undefined ? {} : { node: options.node }), ...(options.item === undefined ? {} : { item: options.item.split('.').map(place => Number(place) - 1) }), ...(options.costMax === undefined ? {} : { cost_max_micros: options.costMax }) })
  if (!options.wait) return terminal.print(options.json ? JSON.stringify(execution) : `${id} is ${execution.state}`)
  await finishExecution(await waitForExecution(execution, remote, terminal), options, remote, terminal)
}

export async function cancelExecution(id: string, options: Shared, terminal: Terminal): Promise<void> {
  const path = executionPath(id)
  const remote = await openRemote(options, terminal)
  const execution = await remote.post<ExecutionView>(`${path}/cancel`, {})
  terminal.print(options.json ? JSON.stringify(execution) : execution.state === 'cancelled' ? `cancelled, charged $${execution.cost.usd}` : `It had ended before: ${execution.state}, charged $${execution.cost.usd}`)
}

const hasEnded = ({ state }: ExecutionView): boolean => state === 'done' || state === 'failed' || state === 'cancelled'

/** What stands in the line while an execution runs: steps that are over, of those that are known so far. Pure. */
export function showExecution({ state, runs, cost }: Pick<ExecutionView, 'state' | 'runs' | 'cost'>, seconds: number, frame: number): string {
  const all = Object.values(runs).reduce((sum, one) => sum + one, 0)
  const over = (runs.done ?? 0) + (runs.skipped ?? 0) + (runs.failed ?? 0) + (runs.cancelled ?? 0)
  return `${turning(frame)} ${state === 'waiting_for_review' ? 'waiting for a person' : state}  ${over} of ${all} steps${runs.failed ? `, ${runs.failed} failed` : ''}  $${cost.usd}  ${seconds} s`
}

async function waitForExecution(execution: ExecutionView, remote: Remote, terminal: Terminal, interrupted = false): Promise<ExecutionView> {
  const told = new Set<string>()
  /** People without a key answer by a link: whoever waits here gets one for each review. */
  const tellReviews = async ({ id, state }: ExecutionView) => {
    if (state !== 'waiting_for_review') return
    const { items } = await remote.get<{ items: { id: string; node: string; note: string | null }[] }>(`/plantain/v1/reviews?state=open&limit=100&execution=${id}`)
    for (const review of items) {
      if (told.has(review.id)) continue
      told.add(review.id)
      const { url } = await remote.post<{ url: string }>(`/plantain/v1/reviews/${review.id}/link`, {})
      terminal.note(`${plainLine(review.node, 60)} waits for a person${review.note ? ` (${plainLine(review.note, 200)})` : ''}: ${url}`)
    }
  }
  await tellReviews(execution)
  return watch<ExecutionView>({
    now: execution, isOver: hasEnded, show: showExecution, comeBack: `The execution goes on; fetch it with: plantain workflow wait ${execution.id}`, details: { execution: execution.id },
    async look(seconds, signal) {
      const now = await remote.get<ExecutionView>(`/plantain/v1/executions/${execution.id}?wait=${seconds}`, signal)
      await tellReviews(now)
      return now
    },
  }, terminal, interrupted)
}

interface Link { url: string; mime: string; width: number | null; height: number | null }
const isLink = (value: unknown): value is Link => typeof value === 'object' && value !== null && typeof (value as Link).url === 'string' && typeof (value as Link).mime === 'string'

/** Saves what came out, a file for each value: `name.png`, `name-1.png` and so on of a list, text as .txt, all else as .json. @throws {Exit} `failed` for one that failed */
async function finishExecution(execution: ExecutionView, { out, json }: Pick<RunOptions, 'out' | 'json'>, remote: Remote, terminal: Terminal): Promise<void> {
  const folder = resolve(terminal.folder, out ?? '.')
  const saved: { path: string; line: string }[] = []
  const keep = async (name: string, value: unknown): Promise<void> => {
    if (Array.isArray(value) && value.length > 0 && value.every(one => isLink(one) || typeof one === 'string')) {
      await Promise.all(value.map((one, index) => keep(`${name}-${String(index + 1).padStart(String(value.length).length, '0')}`, one)))
    } else if (isLink(value)) {
      const path = join(folder, `${name}${extensionOf(value.mime)}`)
      const bytes = await saveFile(value.url, path, remote, `plantain workflow wait ${execution.id}`)
      saved.push({ path, line: showFile({ path, width: value.width, height: value.height, bytes }, terminal.folder) })
    } else if (value !== null && value !== undefined) {
      const path = join(folder, typeof value === 'string' ? `${name}.txt` : `${name}.json`)
      await saveBody(new Response(typeof value === 'string' ? `${value}\n` : `${JSON.stringify(value, null, 2)}\n`), path)
      saved.push({ path, line: showPath(path, terminal.folder) })
    }
  }
  await Promise.all(Object.entries(execution.outputs ?? {}).map(([name, value]) => keep(name.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[.-]+/, '') || 'output', value)))
  saved.sort((a, b) => a.path.localeCompare(b.path, 'en', { numeric: true }))
  if (execution.state !== 'done') {
    for (const { line } of saved) if (!json) terminal.print(line)
    const { code, message } = execution.problem ?? { code: execution.state, message: `The execution was ${execution.state}.` }
    throw new Exit(exitCodes.failed, code, `${message}${execution.state === 'failed' ? ` Once it is mended: plantain workflow resume ${execution.id}` : ''}`, { execution: json ? execution : execution.id })
  }
  if (json) return terminal.print(JSON.stringify({ ...execution, files: saved.map(({ path }) => path) }))
  for (const { line } of saved) terminal.print(line)
  const { failed = 0 } = execution.runs
  if (failed > 0) {
    const { items } = await remote.get<{ items: { node: string; item: number[]; problem: { message: string } | null }[] }>(`${executionPath(execution.id)}/runs?state=failed&limit=5`)
    for (const { node, item, problem } of items) terminal.note(`${node}${item.length > 0 ? ` (item ${item.map(place => place + 1).join('.')})` : ''}: ${plainLine(problem?.message ?? 'failed', 300)}`)
    terminal.note(`${failed} ${failed === 1 ? 'step' : 'steps'} failed and the rest went on. Try them again with: plantain workflow resume ${execution.id}${failed > 1 ? ' (one alone: --node, --item)' : ''}`)
  }
  terminal.print(`${saved.length === 1 ? '1 file' : `${saved.length} files`}, $${execution.cost.usd}${execution.livemode ? '' : ' of play money (test key)'}, execution ${execution.id}`)
}

/** What a run would do, step by step, and what it would cost. */
function showPlan(plan: PlanView, { json }: Shared, terminal: Terminal): void {
  if (json) return terminal.print(JSON.stringify(plan))
  const rows = plan.steps.map(({ node, kind, does, times, model, price_min, price_max, because }) =>
    [node, kind, model ?? '', does, times === null ? '?' : `${times}×`, showPrice(price_min, price_max), plainLine(because, 100)])
  for (const line of formatTable([['step', 'kind', 'model', 'does', 'times', 'price', 'because'], ...rows])) terminal.print(line)
  for (const warning of plan.warnings) terminal.note(`warning: ${plainLine(warning, 400)}`)
  terminal.print(`${showPrice(plan.price_min, plan.price_max)} in all, $${plan.available.usd} available${plan.sufficient ? '' : ': not enough'}${plan.seconds_typical === null ? '' : `, about ${Math.ceil(plan.seconds_typical)} s`}`)
}

const showPrice = (min: Money, max: Money | null): string => max === null ? `$${min.usd} or more` : showRange(min, max)
