/**
 * Running workflows and watching them: a graph that is sent along, the saved one with inputs, several at once, an app by its slug.
 *
 * A run makes everything anew; only with `targetNodeId` is what stands before that node taken from earlier runs of the same content, so that
 * nothing served is ever stale. Under an `Idempotency-Key` an execution is begun once, whatever stops in between.
 */
import { randomUUID } from 'node:crypto'
import { Type } from 'typebox'
import type { Execution, ExecutionOrder, Workflow } from '../../domain/graph/execution.ts'
import type { Graph } from '../../domain/graph/graph.ts'
import type { Lint } from '../../domain/graph/lint.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { isId } from '../../kit/id.ts'
import type { Desk, Incoming, Route } from '../contract.ts'
import { fieldsOf, inputsOf, pickInputs, readGraph, tellLint, translate, withoutEmpty, type Filling, type InputFace, type Translation, type WireGraph } from './graph.ts'
import { combinations, withItem, type Combinations } from './iterate.ts'
import type { House } from './kinds.ts'
import { bodyMax, once, readBody, readFlag, readObject, readText, readWhole, wrong, type Fields } from './read.ts'
import { diagnosticsOf, fillingOf, houseOf, open, refuseUnsound, runnable, theWorkflow, type Saved } from './saved.ts'
import { both, executionPath, json, viewBegun, viewExecution, viewListed, viewTask } from './view.ts'
import { no, noExecution, noWorkflow } from './words.ts'

const tag = 'Wireflow'
const base = '/api/v1/workflows'

/** Where graphs are run that no workflow was saved for (ours). */
const scratch = 'scratch'

const ExecuteBody = Type.Object({
  nodes: Type.Optional(Type.Array(Type.Unknown())), edges: Type.Optional(Type.Array(Type.Unknown())), inputs: Type.Optional(Type.Record(Type.String(), Type.Unknown())), triggerData: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  targetNodeId: Type.Optional(Type.String()), force: Type.Optional(Type.Boolean()),
  iteratorConfigs: Type.Optional(Type.Array(Type.Object({ nodeId: Type.String(), key: Type.Optional(Type.String()), items: Type.Array(Type.Unknown()), mode: Type.Optional(Type.Enum(['zip', 'product'])), maxConcurrency: Type.Optional(Type.Integer({ minimum: 1, description: 'How many of the executions are at work at once; of several the smallest counts.' })) }), { description: 'One execution for every item, or every combination of items; up to 200, begun all or none.' })),
}, { title: 'WireflowExecute' })

/** What is run: the drawing as it was sent or saved, and the workflow it belongs to. */
interface Subject {
  workflow: Workflow | null
  saved: Saved | null
  wire: WireGraph
  made: Pick<Translation, 'graph' | 'edgeIds' | 'warnings'>
  house: House
  filling: Filling
}

async function readSubject(name: string, fields: Fields, desk: Desk): Promise<Subject> {
  const hasNodes = fields.nodes !== undefined && fields.nodes !== null
  const house = houseOf(desk)
  const workflow = name === scratch ? await desk.workflows.find(scratch) : await theWorkflow(desk, name)
  if (!hasNodes) {
    if (!workflow) throw noWorkflow()
    return subjectOf(workflow, desk)
  }
  const wire = readGraph(fields.nodes, fields.edges)
  if (wire.nodes.length === 0) throw no('bad_request', 'At least one node must be provided', { code: 'empty_graph' })
  const made = translate(wire, house)
  refuseUnsound(made)
  if (made.graph.nodes.length === 0) throw no('bad_request', 'At least one node must be provided', { code: 'empty_graph' })
  return { workflow, saved: workflow && open(workflow, house).saved, wire, made, house, filling: null }
}

/** A saved workflow as it runs. @throws {Problem} Wireflow's 422 */
function subjectOf(workflow: Workflow, desk: Desk): Subject {
  const house = houseOf(desk)
  const opened = open(workflow, house)
  return { workflow, saved: opened.saved, wire: opened.saved, made: runnable(workflow, opened, house), house, filling: fillingOf(opened.saved) }
}

const facesOf = ({ made, wire, house }: Subject): InputFace[] => inputsOf(made.graph, wire, house)

/** @throws {Problem} Wireflow's 422: what the house finds wrong with a graph when it is to be run */
const inWireflowsWords = (made: Subject['made']) => (thrown: unknown): never => {
  if (thrown instanceof Problem && Array.isArray(thrown.details.violations)) refuseUnsound({ ...tellLint({ violations: thrown.details.violations as Lint['violations'], warnings: [] }, made), migrations: [] })
  throw thrown
}

interface Wanted { trigger: string; target: string | null; force: boolean; anew: string[]; idempotency: { key: string; body: string } | null }

/** The order of one execution. */
const orderOf = ({ workflow, saved }: Subject, whole: Graph, inputs: Record<string, Json>, { trigger, target, force, anew }: Wanted, wire: Record<string, Json> = {}): ExecutionOrder => ({
  ...(workflow ? { workflowId: workflow.id } : {}), graph: withoutEmpty(whole, inputs), inputs, target, force, anew, trigger, wire: { protocol: 'wireflow', ...wire }, ...(saved?.webhookUrl ? { callbackUrl: saved.webhookUrl } : {}),
})

async function begin(subject: Subject, inputs: Record<string, Json>, wanted: Wanted, iterated: Combinations | null, desk: Desk): Promise<{ executions: Execution[]; graphs: Graph[] }> {
  if (iterated === null) {
    const { execution } = await desk.workflows.begin({
      ...orderOf(subject, subject.made.graph, inputs, wanted), ...(wanted.idempotency ? { idempotencyKey: wanted.idempotency.key, idempotencyBody: wanted.idempotency.body } : {}),
    }).catch(inWireflowsWords(subject.made))
    return { executions: [execution], graphs: [subject.made.graph] }
  }
  const batchId = randomUUID().replaceAll('-', '')
  const { all, atOnceMax } = iterated
  const parts = all.map(combination => {
    const made = translate(withItem(subject.wire, combination), subject.house, subject.filling)
    refuseUnsound(made)
    const given = new Set(combination.map(({ nodeId }) => nodeId))
    return { graph: made.graph, inputs: Object.fromEntries(Object.entries(inputs).filter(([name]) => !given.has(name))) }
  })
  const { executions } = await desk.workflows.beginTogether(parts.map((part, position) => ({ ...orderOf(subject, part.graph, part.inputs, wanted, { inputIndex: position }), batch: { id: batchId, position, ...(atOnceMax === null ? {} : { atOnceMax }) } })), wanted.idempotency).catch(inWireflowsWords(subject.made))
  return { executions, graphs: parts.map(({ graph }) => graph) }
}

async function execute(request: Incoming, desk: Desk, idempotency: { key: string; body: string } | null): Promise<Response> {
  const fields = readBody(request.body)
  const name = request.params.workflow ?? ''
  const subject = await readSubject(name, fields, desk)
  const target = readText(fields, 'targetNodeId', 100) ?? null
  if (target !== null && !subject.made.graph.nodes.some(({ id }) => id === target)) throw no('bad_request', `There is no node ${target} in this graph, or it is not one that runs`, { code: 'invalid_request' }, { field: 'targetNodeId' })
  const force = readFlag(fields, 'force') ?? false
  const faces = facesOf(subject)
  const inputs = { ...pickInputs(readObject(fields, 'triggerData') ?? {}, faces, { isStrict: false }), ...pickInputs(readObject(fields, 'inputs') ?? {}, faces, { isStrict: true }) }
  const iterated = combinations(fields.iteratorConfigs, subject.wire)
  const { executions, graphs } = await begin(subject, inputs, { trigger: 'wireflow', target, force: force || target === null, anew: target === null ? [] : [target], idempotency }, iterated, desk)
  return json(both({ ...viewBegun(executions, graphs, subject.workflow?.id ?? scratch), diagnostics: diagnosticsOf([], subject.made.warnings) }), 201, { location: executionPath(executions[0]!.id) })
}

async function run(workflow: Workflow, fields: Fields, desk: Desk, idempotency: { key: string; body: string } | null): Promise<Response> {
  const subject = subjectOf(workflow, desk)
  const inputs = pickInputs(readObject(fields, 'inputs') ?? {}, facesOf(subject), { isStrict: true })
  const { executions: [execution] } = await begin(subject, inputs, { trigger: 'wireflow', target: null, force: true, anew: [], idempotency }, null, desk)
  return json(both({ executionId: execution!.id, workflowId: workflow.id, status: 'RUNNING', diagnostics: diagnosticsOf([], subject.made.warnings) }), 202, { location: executionPath(execution!.id) })
}

/** What `/run` says of a workflow's inputs. */
function describe(workflow: Workflow, endpoint: string, desk: Desk) {
  const inputs = facesOf(subjectOf(workflow, desk))
  return {
    data: {
      workflowId: workflow.id, workflowName: workflow.name, endpoint, method: 'POST',
      inputs: inputs.map(({ nodeId, label, type, required, description, default: standing }) => ({ nodeId, label, type, required, ...(description === null ? {} : { description }), ...(standing === null ? {} : { default: standing }) })),
      example: { inputs: Object.fromEntries(inputs.map(({ name, type, default: standing }) => [name, standing ?? (type === 'text' ? '…' : type === 'number' ? 1 : type === 'boolean' ? true : type === 'json' ? [] : 'https://…')])) },
    },
  }
}

/** Nothing where there is none; whatever else went wrong did. */
const unlessMissing = (thrown: unknown): null => {
  if (thrown instanceof Problem && thrown.code === 'not_found') return null
  throw thrown
}

/** A published workflow, by its slug. @throws {Problem} Wireflow's 404 */
async function theApp(desk: Desk, slug: string | undefined): Promise<Workflow> {
  const workflow = await theWorkflow(desk, slug).catch(unlessMissing)
  if (!workflow || !open(workflow, houseOf(desk)).saved.isPublished) throw no('not_found', 'App not found')
  return workflow
}

// Watching --------------------------------------------------------------------------------------------------------------

const idOf = (text: string | undefined): string | null => text !== undefined && isId(text) ? text.replaceAll('-', '') : null

async function look(request: Incoming, desk: Desk): Promise<Awaited<ReturnType<typeof viewExecution>> | ReturnType<typeof viewTask>> {
  const id = idOf(request.params.execution)
  const execution = id && await desk.workflows.execution(id)
  if (execution) return viewExecution(execution, desk)
  // What another door made can be read here too.
  const task = id && await desk.find(id)
  if (!task) throw noExecution()
  return viewTask(task, desk)
}

async function details(request: Incoming, desk: Desk): Promise<Response> {
  const view = await look(request, desk)
  const execution = await desk.workflows.execution(view.executionId)
  const [graph, given] = execution ? await Promise.all([desk.workflows.graphOf(execution.id), desk.workflows.givenTo(execution.id)]) : [null, {}]
  return json(both({
    ...view, inputs: graph ? Object.fromEntries(graph.exposed.map(({ name, node, port }) => [name, shown(given[node]?.[port] ?? graph.nodes.find(({ id }) => id === node)?.settings[port] ?? null)])) : {},
    ...(execution ? { trigger: execution.trigger, targetNodeId: execution.target, force: execution.force } : {}),
  }))
}

/** A picture that went in is told by its asset's id; a long text by its beginning. */
const shown = (value: Json): Json => typeof value === 'string' && value.length > 20_000 ? `${value.slice(0, 20_000)}…` : fieldsOf(value)?.asset ?? value

async function stop(request: Incoming, desk: Desk): Promise<Response> {
  const id = idOf(request.params.execution)
  const execution = id && await desk.workflows.cancel(id)
  if (!execution) throw noExecution()
  return json(both(await viewExecution(execution, desk)))
}

const listQuery = Type.Object({ limit: Type.Optional(Type.Integer()), after: Type.Optional(Type.String({ description: 'The last id of the page before.' })) })

async function history(request: Incoming, desk: Desk, workflowId: string | undefined): Promise<Response> {
  const { query } = request
  const limit = readWhole(query, 'limit', { min: 1, max: 100, standard: 50 })
  const after = query.get('after')
  if (after !== null && !isId(after)) throw wrong('after', 'after must be the id of an execution')
  const batch = query.get('batchId')
  if (batch !== null && !isId(batch)) throw wrong('batchId', 'batchId must be the id of a batch')
  const found = await desk.workflows.executions({ workflowId, batchId: batch?.replaceAll('-', ''), limit: limit + 1, after: after?.replaceAll('-', '') })
  const items = found.slice(0, limit)
  const next = new URLSearchParams(query)
  next.set('after', items.at(-1)?.id ?? '')
  return json(items.map(viewListed), 200, found.length > limit ? { link: `<${request.path}?${next.toString()}>; rel="next"` } : {})
}

export const executions: Route[] = [
  { method: 'POST', path: `${base}/:workflow/execute`, scope: 'tasks:write', bodyMax, about: { tag, summary: 'Run a graph under a workflow', body: ExecuteBody, status: 201,
    description: 'With `nodes` that graph runs, without them the saved one. `scratch` in place of a workflow runs a graph under none (ours). `targetNodeId` runs that node again and takes what stands before it from earlier runs.' },
    handle: (request, desk) => once(request, desk, key => execute(request, desk, key)) },
  { method: 'GET', path: `${base}/:workflow/run`, scope: 'tasks:read', about: { tag, summary: 'Describe what a workflow is run with' },
    async handle({ params }, desk) {
      const workflow = await theWorkflow(desk, params.workflow)
      return json(describe(workflow, `${base}/${workflow.id}/run`, desk))
    } },
  { method: 'POST', path: `${base}/:workflow/run`, scope: 'tasks:write', bodyMax, about: { tag, summary: 'Run a saved workflow with inputs', description: 'Inputs by the ids of nodes, their labels or the names on them.', body: Type.Object({ inputs: Type.Optional(Type.Record(Type.String(), Type.Unknown())) }), status: 202 },
    handle: (request, desk) => once(request, desk, async key => run(await theWorkflow(desk, request.params.workflow), readBody(request.body), desk, key)) },
  { method: 'GET', path: '/api/v1/apps/:slug', scope: 'tasks:read', about: { tag, summary: 'Describe an app' },
    async handle({ params }, desk) {
      const workflow = await theApp(desk, params.slug)
      return json(describe(workflow, `/api/v1/apps/${workflow.slug}/execute`, desk))
    } },
  { method: 'POST', path: '/api/v1/apps/:slug/execute', scope: 'tasks:write', bodyMax, about: { tag, summary: 'Run a published workflow by its slug', description: 'Ours.', body: Type.Object({ inputs: Type.Record(Type.String(), Type.Unknown()) }), status: 202 },
    handle: (request, desk) => once(request, desk, async key => {
      const workflow = await theApp(desk, request.params.slug)
      const fields = readBody(request.body)
      const strange = Object.keys(fields).find(field => field !== 'inputs')
      if (strange !== undefined) throw wrong(strange.slice(0, 100), `${strange.slice(0, 100)} is not taken here: put the values of the app under inputs`)
      return run(workflow, fields, desk, key)
    }) },
  { method: 'GET', path: `${base}/executions`, scope: 'tasks:read', about: { tag, summary: 'List executions, newest first', description: 'Ours.', query: listQuery }, handle: (request, desk) => history(request, desk, undefined) },
  { method: 'GET', path: `${base}/:workflow/executions`, scope: 'tasks:read', about: { tag, summary: 'List the executions of a workflow', description: 'Ours.', query: listQuery },
    handle: async (request, desk) => history(request, desk, (await theWorkflow(desk, request.params.workflow)).id) },
  { method: 'GET', path: `${base}/executions/:execution/poll`, scope: 'tasks:read', about: { tag, summary: 'How an execution stands', description: 'Takes the id of a task as well, whichever door made it.' }, handle: async (request, desk) => json(both(await look(request, desk))) },
  { method: 'GET', path: `${base}/executions/:execution`, scope: 'tasks:read', about: { tag, summary: 'An execution with what it was run with' }, handle: details },
  { method: 'POST', path: `${base}/executions/:execution/cancel`, scope: 'tasks:write', about: { tag, summary: 'Cancel an execution', description: 'Ours. What was made before is kept.' }, handle: stop },
  { method: 'POST', path: `${base}/executions/:execution/resume`, scope: 'tasks:write', about: { tag, summary: 'Try again what failed', description: 'Ours. What was made before is kept and not paid again.', body: Type.Object({ nodeId: Type.Optional(Type.String()) }) },
    async handle(request, desk) {
      const id = idOf(request.params.execution)
      const node = readText(readBody(request.body), 'nodeId', 100)
      const execution = id && await desk.workflows.resume(id, node === undefined ? {} : { node })
      if (!execution) throw noExecution()
      return json(both(await viewExecution(execution, desk)), 202, { location: executionPath(execution.id) })
    } },
]
