import { Type } from 'typebox'
import type { Execution, ExecutionOrder, NodeRun, Plan, ReadyMade, Review, ReviewAnswer, Workflow, WorkflowVersion } from '../../domain/graph/execution.ts'
import { graphLimits, type Graph, type NodeFace } from '../../domain/graph/graph.ts'
import { isMedia } from '../../domain/graph/values.ts'
import type { Json } from '../../domain/outcome.ts'
import { Problem } from '../../domain/problem.ts'
import { queryReader, reader } from '../../kit/schema.ts'
import type { Desk, Incoming, Route } from '../contract.ts'
import { After, base, found, Limit, limitDefault, readAfter, readId, readIdempotencyKey, readWait, waitMaxS } from './read.ts'
import { json, moneyOf, MoneyView, ProblemView, viewProblem } from './view.ts'

const Id = Type.String({ pattern: '^[0-9a-f]{32}$' })
const AnyJson = Type.Unknown()
const maybe = <S extends Parameters<typeof Type.Array>[0]>(schema: S) => Type.Union([schema, Type.Null()])
const Time = Type.String({ format: 'date-time' })
const Values = Type.Record(Type.String({ minLength: 1, maxLength: 100 }), AnyJson)
const End = Type.Object({ node: Type.String({ minLength: 1, maxLength: 100 }), port: Type.String({ minLength: 1, maxLength: 100 }) }, { additionalProperties: false })

const GraphBody = Type.Object({
  nodes: Type.Array(Type.Object({
    id: Type.String({ minLength: 1, maxLength: 100 }),
    kind: Type.String({ minLength: 1, maxLength: 100, description: 'Of `GET /plantain/v1/nodes`.' }),
    title: Type.Optional(Type.String({ maxLength: 200 })),
    settings: Type.Optional(Values),
    fresh: Type.Optional(Type.Boolean({ description: 'Made anew by every execution: it takes no earlier results.' })),
    position: Type.Optional(Type.Object({ x: Type.Number(), y: Type.Number() }, { additionalProperties: false })),
  }, { additionalProperties: false }), { maxItems: graphLimits.nodes + 1 }),
  edges: Type.Optional(Type.Array(Type.Object({ from: End, to: End }, { additionalProperties: false }), { maxItems: graphLimits.edges + 1 })),
  inputs: Type.Optional(Type.Array(Type.Object({
    name: Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_-]{0,99}$' }), node: Type.String({ minLength: 1 }), port: Type.String({ minLength: 1 }),
    title: Type.Optional(Type.String({ maxLength: 200 })), description: Type.Optional(Type.String({ maxLength: 2_000 })), required: Type.Optional(Type.Boolean()),
  }, { additionalProperties: false }), { description: 'What whoever runs the workflow fills in, by names of its own.' })),
}, { additionalProperties: false, title: 'Graph' })
type WireGraph = import('typebox').Static<typeof GraphBody>

const readGraph = ({ nodes, edges = [], inputs = [] }: WireGraph): Graph => ({ nodes: nodes.map(node => ({ ...node, settings: (node.settings ?? {}) as Record<string, Json> })), edges, exposed: inputs })
const viewGraph = ({ nodes, edges, exposed }: Graph) => ({ nodes, edges, inputs: exposed })

const WorkflowBody = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 200 }),
  slug: Type.Optional(Type.String({ minLength: 1, maxLength: 80 })),
  description: Type.Optional(Type.String({ maxLength: 10_000 })),
  tags: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 60 }), { maxItems: 50 })),
  active: Type.Optional(Type.Boolean()),
  graph: GraphBody,
}, { additionalProperties: false, title: 'NewWorkflow' })
const WorkflowChangeBody = Type.Object({ ...Type.Partial(WorkflowBody).properties, revision: Type.Optional(Type.Integer({ minimum: 1, description: 'The revision you have seen; refused with 409 when there is a newer one.' })) }, { additionalProperties: false, minProperties: 1 })
const PublishBody = Type.Object({ name: Type.Optional(Type.String({ minLength: 1, maxLength: 60, description: 'A name by which this version may be run (`"version": "production"`); it moves here from the version that had it.' })) }, { additionalProperties: false })
const ExecutionBody = Type.Object({
  workflow: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'A workflow by id or slug, or `ready:<slug>` for one that comes with the house. Without it, send a `graph`.' })),
  version: Type.Optional(Type.Union([Type.Integer({ minimum: 1 }), Type.String({ minLength: 1, maxLength: 60 })], { description: 'A version by its number or name, or `draft`. Default: the published version; the draft where none was published.' })),
  graph: Type.Optional(GraphBody),
  inputs: Type.Optional(Values),
  target: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'Runs this node and what it needs, nothing else.' })),
  force: Type.Optional(Type.Boolean({ description: 'Takes no earlier results.' })),
  parallelism: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, description: 'Runs under way at once. Default 32.' })),
  cost_max_micros: Type.Optional(Type.Integer({ minimum: 0, description: 'What it may cost at most. What would go beyond it is not bought; what was made before is kept.' })),
  callback_url: Type.Optional(Type.String({ minLength: 1, maxLength: 2_048 })),
  metadata: Type.Optional(Type.Record(Type.String({ minLength: 1, maxLength: 64 }), Type.String({ maxLength: 512 }), { maxProperties: 16 })),
}, { additionalProperties: false, title: 'NewExecution', examples: [{ workflow: 'product-variants', inputs: { prompt: 'a mug on oak' } }] })
const ResumeBody = Type.Object({
  node: Type.Optional(Type.String({ minLength: 1 })), item: Type.Optional(Type.Array(Type.Integer({ minimum: 0 }), { maxItems: 8 })),
  cost_max_micros: Type.Optional(maybe(Type.Integer({ minimum: 0 }))),
}, { additionalProperties: false })
const AnswerBody = Type.Union([
  Type.Object({ action: Type.Literal('approve'), chosen: Type.Optional(Type.Array(Type.Integer({ minimum: 0 }), { maxItems: 100, description: 'Candidates by their place, from 0. Default: the first.' })) }, { additionalProperties: false }),
  Type.Object({ action: Type.Literal('redo'), prompt: Type.Optional(Type.String()), node: Type.Optional(Type.String()) }, { additionalProperties: false }),
  Type.Object({ action: Type.Literal('reject'), reason: Type.String({ minLength: 1, maxLength: 2_000 }) }, { additionalProperties: false }),
], { title: 'ReviewAnswer' })
const LinkBody = Type.Object({ seconds: Type.Optional(Type.Integer({ minimum: 60, maximum: 2_592_000, description: 'How long the link is good. Default a week.' })) }, { additionalProperties: false })

const read = {
  workflow: reader(WorkflowBody), change: reader(WorkflowChangeBody), publish: reader(PublishBody), graph: reader(GraphBody), execution: reader(ExecutionBody),
  resume: reader(ResumeBody), answer: reader(AnswerBody), link: reader(LinkBody),
}

const NodeView = Type.Object({ id: Type.String(), title: Type.String(), category: Type.String(), description: Type.String(), buys: Type.Boolean(), inputs: Type.Array(AnyJson), outputs: Type.Array(AnyJson) }, { title: 'NodeKind' })
const viewNode = ({ id, title, category, description, makes, inputs, outputs }: NodeFace) => ({
  id, title, category, description, buys: makes === 'order',
  inputs: inputs.map(port => ({ id: port.id, title: port.title, type: port.type, list: port.list, required: port.required, wireable: port.wireable, schema: port.schema })),
  outputs: outputs.map(port => ({ id: port.id, title: port.title, type: port.type, list: port.list })),
})

const WorkflowView = Type.Object({
  id: Id, object: Type.Literal('workflow'), slug: Type.String(), name: Type.String(), description: Type.String(), tags: Type.Array(Type.String()), active: Type.Boolean(),
  revision: Type.Integer(), published: maybe(Type.Integer()), graph: GraphBody, created_at: Time, updated_at: Time,
}, { title: 'Workflow' })
const viewWorkflow = (workflow: Workflow) => ({
  id: workflow.id, object: 'workflow', slug: workflow.slug, name: workflow.name, description: workflow.description, tags: workflow.tags, active: workflow.active, revision: workflow.revision, published: workflow.published,
  graph: viewGraph(workflow.graph), created_at: workflow.createdAt, updated_at: workflow.updatedAt,
})
const ReadyView = Type.Object({ slug: Type.String(), object: Type.Literal('ready_made'), name: Type.String(), description: Type.String(), tags: Type.Array(Type.String()), example: Values, graph: GraphBody }, { title: 'ReadyMade' })
const viewReady = ({ graph, ...words }: ReadyMade) => ({ object: 'ready_made', ...words, graph: viewGraph(graph) })
const VersionView = Type.Object({ number: Type.Integer(), name: maybe(Type.String()), created_at: Time, graph: Type.Optional(GraphBody) }, { title: 'WorkflowVersion' })
const viewVersion = ({ number, name, createdAt, graph }: WorkflowVersion) => ({ number, name, created_at: createdAt, ...(graph ? { graph: viewGraph(graph) } : {}) })

const ExecutionView = Type.Object({
  id: Id, object: Type.Literal('execution'), state: Type.Enum(['running', 'waiting_for_review', 'done', 'failed', 'cancelled']), livemode: Type.Boolean(), workflow: maybe(Id), version: maybe(Type.Integer()), trigger: Type.String(),
  target: maybe(Type.String()), force: Type.Boolean(), parallelism: Type.Integer(), cost_max: maybe(MoneyView), cost: MoneyView, runs: Type.Record(Type.String(), Type.Integer()), outputs: maybe(Values), problem: maybe(ProblemView),
  metadata: Type.Record(Type.String(), Type.String()), created_at: Time, ended_at: maybe(Time),
}, { title: 'Execution' })

/** Pictures on their way through a graph, with a link to each. */
export async function withLinks(value: Json | undefined, desk: Desk): Promise<Json> {
  if (value === null || value === undefined || typeof value !== 'object') return value ?? null
  if (isMedia(value)) {
    const asset = await desk.assets.find(value.asset)
    return { asset: value.asset, mime: value.mime, width: value.width, height: value.height, sha256: value.sha256, url: asset ? desk.assets.link(asset) : null }
  }
  if (Array.isArray(value)) return Promise.all(value.map(one => withLinks(one, desk)))
  return Object.fromEntries(await Promise.all(Object.entries(value).map(async ([name, one]) => [name, await withLinks(one, desk)] as const)))
}

const viewExecution = async (one: Execution, desk: Desk) => ({
  id: one.id, object: 'execution', state: one.waitingForReview ? 'waiting_for_review' : one.state, livemode: one.livemode, workflow: one.workflowId, version: one.version, trigger: one.trigger, target: one.target, force: one.force,
  parallelism: one.parallelism, cost_max: one.costMaxMicros === null ? null : moneyOf(one.costMaxMicros), cost: moneyOf(one.costMicros), runs: one.counts, outputs: await withLinks(one.outputs ?? undefined, desk),
  problem: one.problem === null ? null : viewProblem(one.problem), metadata: one.metadata, created_at: one.createdAt, ended_at: one.endedAt,
})

const RunView = Type.Object({
  node: Type.String(), item: Type.Array(Type.Integer()), state: Type.String(), attempt: Type.Integer(), task: maybe(Id), execution: maybe(Id), review: maybe(Id), reused: Type.Boolean(),
  because: maybe(Type.String({ description: 'Why it ran, or why an earlier result was taken.' })), outputs: maybe(Values), problem: maybe(ProblemView), cost: MoneyView, started_at: maybe(Time), ended_at: maybe(Time),
}, { title: 'NodeRun' })
const viewRun = async (run: NodeRun, desk: Desk) => ({
  node: run.node, item: run.item, state: run.state, attempt: run.attempt, task: run.taskId, execution: run.childId, review: run.reviewId, reused: run.reused, because: run.because,
  outputs: run.outputs === null ? null : await withLinks(run.outputs, desk), problem: run.problem === null ? null : viewProblem(run.problem), cost: moneyOf(run.chargedMicros), started_at: run.startedAt, ended_at: run.endedAt,
})

const PlanView = Type.Object({
  steps: Type.Array(Type.Object({
    node: Type.String(), title: Type.String(), kind: Type.String(), does: Type.String(), because: Type.String(), times: maybe(Type.Integer()), model: maybe(Type.String()), unit_price: maybe(MoneyView),
    price_min: MoneyView, price_max: maybe(MoneyView), seconds_typical: maybe(Type.Number()),
  })),
  price_min: MoneyView, price_max: maybe(MoneyView), complete: Type.Boolean(), available: MoneyView, sufficient: Type.Boolean(), seconds_typical: maybe(Type.Number()), warnings: Type.Array(Type.String()),
}, { title: 'Plan' })
const maybeMoney = (micros: number | null) => micros === null ? null : moneyOf(micros)
const viewPlan = (plan: Plan) => ({
  steps: plan.steps.map(step => ({ node: step.node, title: step.title, kind: step.kind, does: step.does, because: step.because, times: step.times, model: step.model, unit_price: maybeMoney(step.unitMicros),
    price_min: moneyOf(step.priceMinMicros), price_max: maybeMoney(step.priceMaxMicros), seconds_typical: step.secondsTypical })),
  price_min: moneyOf(plan.priceMinMicros), price_max: maybeMoney(plan.priceMaxMicros), complete: plan.complete, available: moneyOf(plan.availableMicros), sufficient: plan.sufficient, seconds_typical: plan.secondsTypical, warnings: plan.warnings,
})

const ReviewView = Type.Object({
  id: Id, object: Type.Literal('review'), execution: Id, node: Type.String(), item: Type.Array(Type.Integer()), state: Type.String(), candidates: Type.Array(AnyJson), choose_min: Type.Integer(), choose_max: Type.Integer(),
  note: maybe(Type.String()), due_at: maybe(Time), on_timeout: Type.String(), chosen: maybe(Type.Array(Type.Integer())), reason: maybe(Type.String()), decided_by: maybe(Type.String()), decided_at: maybe(Time), created_at: Time,
}, { title: 'Review' })
const viewReview = async (review: Review, desk: Desk) => ({
  id: review.id, object: 'review', execution: review.executionId, node: review.node, item: review.item, state: review.state, candidates: await withLinks(review.candidates as unknown as Json, desk), choose_min: review.chooseMin,
  choose_max: review.chooseMax, note: review.note, due_at: review.dueAt, on_timeout: review.onTimeout, chosen: review.chosen, reason: review.reason, decided_by: review.decidedBy, decided_at: review.decidedAt, created_at: review.createdAt,
})
const ListOf = (schema: Parameters<typeof Type.Array>[0]) => Type.Object({ items: Type.Array(schema), next: maybe(Type.String()) })

const readOrder = (body: unknown): ExecutionOrder => {
  const wire = read.execution(body)
  if (wire.graph !== undefined && wire.version !== undefined) throw new Problem('bad_request', 'A graph that is sent along has no versions. Leave out version, or graph.', { field: 'version' })
  if (wire.workflow === undefined && wire.graph === undefined) throw new Problem('bad_request', 'Name a workflow, or send a graph along.', { field: 'workflow' })
  return {
    ...(wire.workflow === undefined ? {} : { workflowId: wire.workflow }), ...(wire.version === undefined ? {} : { version: wire.version === 'draft' ? null : wire.version }),
    ...(wire.graph === undefined ? {} : { graph: readGraph(wire.graph) }), inputs: (wire.inputs ?? {}) as Record<string, Json>, target: wire.target ?? null, force: wire.force ?? false,
    ...(wire.parallelism === undefined ? {} : { parallelism: wire.parallelism }), costMaxMicros: wire.cost_max_micros ?? null, ...(wire.callback_url === undefined ? {} : { callbackUrl: wire.callback_url }), metadata: wire.metadata ?? {},
  }
}

async function theWorkflow(request: Incoming, desk: Desk): Promise<Workflow> {
  const name = request.params.workflow ?? ''
  return found(await desk.workflows.find(name), 'workflow', name)
}

const OffsetQuery = Type.Object({ limit: Limit, offset: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })), active: Type.Optional(Type.Boolean()) }, { additionalProperties: false })
const readOffset = queryReader(OffsetQuery)
const RunsQuery = Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })), offset: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })), node: Type.Optional(Type.String()),
  state: Type.Optional(Type.Enum(['ready', 'running', 'waiting', 'asking', 'done', 'failed', 'skipped', 'cancelled'])) }, { additionalProperties: false })
const readRuns = queryReader(RunsQuery)
const ExecutionQuery = Type.Object({ limit: Limit, after: After, workflow: Type.Optional(Type.String()) }, { additionalProperties: false })
const readExecutions = queryReader(ExecutionQuery)
const ReviewQuery = Type.Object({ limit: Limit, after: After, state: Type.Optional(Type.Enum(['open', 'approved', 'rejected', 'redone', 'withdrawn'])), execution: Type.Optional(Id) }, { additionalProperties: false })
const readReviews = queryReader(ReviewQuery)

export const workflows: Route[] = [
  { method: 'GET', path: `${base}/nodes`, scope: 'tasks:read', about: { summary: 'List the kinds of nodes', tag: 'Workflows', answer: ListOf(NodeView) },
    handle: async (_request, desk) => json({ items: desk.workflows.kinds().map(viewNode), next: null }) },
  { method: 'GET', path: `${base}/ready-made`, scope: 'tasks:read', about: { summary: 'List ready-made workflows', tag: 'Workflows', answer: ListOf(ReadyView), description: 'Workflows that come with the house. Run one as `ready:<slug>`, or save a copy and change it.' },
    handle: async (_request, desk) => json({ items: desk.workflows.readyMade().map(viewReady), next: null }) },
  { method: 'POST', path: `${base}/ready-made/:slug`, scope: 'tasks:write', about: { summary: 'Save a copy of a ready-made workflow', tag: 'Workflows', answer: WorkflowView, status: 201 },
    async handle({ params }, desk) {
      const { example: _example, ...words } = found(desk.workflows.readyMade().find(one => one.slug === params.slug) ?? null, 'ready-made workflow', params.slug ?? '')
      return json(viewWorkflow(await desk.workflows.create(words)), 201)
    } },
  { method: 'POST', path: `${base}/workflows/lint`, scope: 'tasks:read', counts: false, about: { summary: 'Check a graph', tag: 'Workflows', body: GraphBody, description: 'Every mistake at once, each with what to do about it.' },
    handle: async ({ body }, desk) => json(desk.workflows.lint(readGraph(read.graph(body)))) },
  { method: 'POST', path: `${base}/workflows`, scope: 'tasks:write', about: { summary: 'Save a workflow', tag: 'Workflows', body: WorkflowBody, answer: WorkflowView, status: 201, description: 'A graph with mistakes is refused; `violations` of the answer has them all.' },
    async handle({ body }, desk) {
      const { graph, ...words } = read.workflow(body)
      return json(viewWorkflow(await desk.workflows.create({ ...words, graph: readGraph(graph) })), 201)
    } },
  { method: 'GET', path: `${base}/workflows`, scope: 'tasks:read', about: { summary: 'List workflows, latest change first', tag: 'Workflows', query: OffsetQuery, answer: ListOf(WorkflowView) },
    async handle({ query }, desk) {
      const { limit = limitDefault, offset = 0, active } = readOffset(query)
      const items = await desk.workflows.list({ limit: limit + 1, offset, active: active ?? null })
      return json({ items: items.slice(0, limit).map(viewWorkflow), next: items.length > limit ? String(offset + limit) : null })
    } },
  { method: 'GET', path: `${base}/workflows/:workflow`, scope: 'tasks:read', about: { summary: 'Get a workflow by id or slug', tag: 'Workflows', answer: WorkflowView }, handle: async (request, desk) => json(viewWorkflow(await theWorkflow(request, desk))) },
  { method: 'PATCH', path: `${base}/workflows/:workflow`, scope: 'tasks:write', about: { summary: 'Change a workflow’s draft', tag: 'Workflows', body: WorkflowChangeBody, answer: WorkflowView },
    async handle(request, desk) {
      const { graph, revision, ...words } = read.change(request.body)
      const { id } = await theWorkflow(request, desk)
      return json(viewWorkflow(await desk.workflows.change(id, { ...words, ...(graph === undefined ? {} : { graph: readGraph(graph) }) }, revision ?? null)))
    } },
  { method: 'DELETE', path: `${base}/workflows/:workflow`, scope: 'tasks:write', about: { summary: 'Remove a workflow', tag: 'Workflows', status: 204, description: 'Its executions stay.' },
    async handle(request, desk) { await desk.workflows.remove((await theWorkflow(request, desk)).id); return new Response(null, { status: 204 }) } },
  { method: 'POST', path: `${base}/workflows/:workflow/publish`, scope: 'tasks:write', about: { summary: 'Publish the draft as a version', tag: 'Workflows', body: PublishBody, answer: VersionView, description: 'Triggers and callers run the published version. A name given here moves to the new version.' },
    async handle(request, desk) { return json(viewVersion(await desk.workflows.publish((await theWorkflow(request, desk)).id, read.publish(request.body ?? {}).name ?? null))) } },
  { method: 'GET', path: `${base}/workflows/:workflow/versions`, scope: 'tasks:read', about: { summary: 'List versions', tag: 'Workflows', answer: ListOf(VersionView) },
    async handle(request, desk) { return json({ items: (await desk.workflows.versions((await theWorkflow(request, desk)).id)).map(viewVersion), next: null }) } },
  { method: 'GET', path: `${base}/workflows/:workflow/versions/:version`, scope: 'tasks:read', about: { summary: 'Get a version by number or name', tag: 'Workflows', answer: VersionView },
    async handle(request, desk) {
      const wanted = request.params.version!
      return json(viewVersion(found(await desk.workflows.version((await theWorkflow(request, desk)).id, /^\d{1,9}$/.test(wanted) ? Number(wanted) : wanted), 'version', wanted)))
    } },
  { method: 'POST', path: `${base}/executions/estimate`, scope: 'tasks:read', counts: false, about: { summary: 'Plan an execution without running it', tag: 'Workflows', body: ExecutionBody, answer: PlanView, description: 'What would run, what would be taken from before and why, what it would cost. The run reckons the same way.' },
    handle: async ({ body }, desk) => json(viewPlan(await desk.workflows.plan(readOrder(body)))) },
  { method: 'POST', path: `${base}/executions`, scope: 'tasks:write', about: { summary: 'Run a workflow', tag: 'Workflows', body: ExecutionBody, answer: ExecutionView, status: 202,
    description: `Answers at once; with \`?wait=30\` (up to ${waitMaxS} s) once it has ended or waits for a person.`, query: Type.Object({ wait: Type.Optional(Type.Integer({ minimum: 0, maximum: waitMaxS })) }) },
    async handle(request, desk) {
      const wait = readWait(request)
      const idempotencyKey = readIdempotencyKey(request.headers)
      const { execution, replayed } = await desk.workflows.begin({ ...readOrder(request.body), ...(idempotencyKey === undefined ? {} : { idempotencyKey }) })
      const settled = wait.seconds > 0 ? await desk.workflows.settled(execution.id, wait.seconds * 1_000, request.signal) ?? execution : execution
      return json(await viewExecution(settled, desk), settled.state === 'running' ? 202 : 200, { location: `${base}/executions/${execution.id}`, ...(replayed ? { 'idempotent-replayed': 'true' } : {}) })
    } },
  { method: 'GET', path: `${base}/executions`, scope: 'tasks:read', about: { summary: 'List executions, newest first', tag: 'Workflows', query: ExecutionQuery, answer: ListOf(ExecutionView) },
    async handle({ query }, desk) {
      const { limit = limitDefault, after, workflow } = readExecutions(query)
      const named = workflow === undefined ? undefined : found(await desk.workflows.find(workflow), 'workflow', workflow).id
      const items = await desk.workflows.executions({ workflowId: named, limit: limit + 1, after: readAfter(after) })
      return json({ items: await Promise.all(items.slice(0, limit).map(one => viewExecution(one, desk))), next: items.length > limit ? items[limit - 1]!.id : null })
    } },
  { method: 'GET', path: `${base}/executions/:id`, scope: 'tasks:read', about: { summary: 'Get an execution', tag: 'Workflows', answer: ExecutionView, query: Type.Object({ wait: Type.Optional(Type.Integer({ minimum: 0, maximum: waitMaxS })) }) },
    async handle(request, desk) {
      const id = readId(request, 'execution')
      const wait = readWait(request)
      return json(await viewExecution(found(await desk.workflows.settled(id, wait.seconds * 1_000, request.signal), 'execution', id), desk))
    } },
  { method: 'GET', path: `${base}/executions/:id/runs`, scope: 'tasks:read', about: { summary: 'List the runs of an execution', tag: 'Workflows', query: RunsQuery, answer: ListOf(RunView) },
    async handle(request, desk) {
      const id = readId(request, 'execution')
      const { limit = 100, offset = 0, node, state } = readRuns(request.query)
      found(await desk.workflows.execution(id), 'execution', id)
      const runs = await desk.workflows.runs(id, { node, state, limit: limit + 1, offset })
      return json({ items: await Promise.all(runs.slice(0, limit).map(run => viewRun(run, desk))), next: runs.length > limit ? String(offset + limit) : null })
    } },
  { method: 'POST', path: `${base}/executions/:id/cancel`, scope: 'tasks:write', about: { summary: 'Cancel an execution', tag: 'Workflows', answer: ExecutionView, description: 'Stops what is under way; what was made before is kept.' },
    async handle(request, desk) { const id = readId(request, 'execution'); return json(await viewExecution(found(await desk.workflows.cancel(id), 'execution', id), desk)) } },
  { method: 'POST', path: `${base}/executions/:id/resume`, scope: 'tasks:write', about: { summary: 'Try again what failed', tag: 'Workflows', body: ResumeBody, answer: ExecutionView, description: 'Everything that failed, one node, or one item of it. What was made before is kept and not paid again.' },
    async handle(request, desk) {
      const id = readId(request, 'execution')
      const { node, item, cost_max_micros } = read.resume(request.body ?? {})
      return json(await viewExecution(found(await desk.workflows.resume(id, { ...(node === undefined ? {} : { node }), ...(item === undefined ? {} : { item }), ...(cost_max_micros === undefined ? {} : { costMaxMicros: cost_max_micros }) }), 'execution', id), desk))
    } },
  { method: 'GET', path: `${base}/reviews`, scope: 'tasks:read', about: { summary: 'List reviews; open ones, who waits longest first', tag: 'Reviews', query: ReviewQuery, answer: ListOf(ReviewView) },
    async handle({ query }, desk) {
      const { limit = limitDefault, after, state, execution } = readReviews(query)
      const items = await desk.workflows.reviews({ state: state ?? null, executionId: execution ?? null, limit: limit + 1, after: readAfter(after) ?? null })
      return json({ items: await Promise.all(items.slice(0, limit).map(one => viewReview(one, desk))), next: items.length > limit ? items[limit - 1]!.id : null })
    } },
  { method: 'GET', path: `${base}/reviews/:id`, scope: 'tasks:read', about: { summary: 'Get a review', tag: 'Reviews', answer: ReviewView },
    async handle(request, desk) { const id = readId(request, 'review'); return json(await viewReview(found(await desk.workflows.review(id), 'review', id), desk)) } },
  { method: 'POST', path: `${base}/reviews/:id`, scope: 'tasks:write', about: { summary: 'Answer a review', tag: 'Reviews', body: AnswerBody, answer: ReviewView, description: 'Approve candidates, have them made again (with another prompt), or reject with a reason. Who answers second hears 409.' },
    async handle(request, desk) {
      const id = readId(request, 'review')
      return json(await viewReview(await desk.workflows.answer(id, readAnswer(request.body), desk.caller.keyName), desk))
    } },
  { method: 'POST', path: `${base}/reviews/:id/link`, scope: 'tasks:write', about: { summary: 'Make a link with which anybody may answer', tag: 'Reviews', body: LinkBody, answer: Type.Object({ url: Type.String() }) },
    async handle(request, desk) {
      const id = readId(request, 'review')
      found(await desk.workflows.review(id), 'review', id)
      return json({ url: desk.workflows.reviewLink(id, read.link(request.body ?? {}).seconds ?? 604_800) })
    } },
]

/** What a webhook carries of an execution, reviews that are open included. */
export async function writeExecutionEvent(type: string, execution: Execution, desk: Desk): Promise<string> {
  const open = type === 'review.requested' ? await desk.workflows.reviews({ state: 'open', executionId: execution.id, limit: 100, after: null }) : []
  const data = { ...await viewExecution(execution, desk), ...(type === 'review.requested' ? { reviews: await Promise.all(open.map(review => viewReview(review, desk))) } : {}) }
  return JSON.stringify({ type, timestamp: (execution.endedAt ?? execution.createdAt).toISOString(), data })
}

/** An answer to a review, as JSON says it. @throws {Problem} `bad_request` */
export function readAnswer(body: unknown): ReviewAnswer {
  const answer = read.answer(body)
  switch (answer.action) {
    case 'approve': return { kind: 'approve', chosen: answer.chosen ?? [0] }
    case 'redo': return { kind: 'redo', ...(answer.prompt === undefined ? {} : { prompt: answer.prompt }), ...(answer.node === undefined ? {} : { node: answer.node }) }
    case 'reject': return { kind: 'reject', reason: answer.reason }
  }
}
