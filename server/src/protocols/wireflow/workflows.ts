/** Saved workflows: list, write, patch, copy, show, arrange, price, check, and make one of a prompt. */
import { Type } from 'typebox'
import type { Workflow } from '../../domain/graph/execution.ts'
import { Problem } from '../../domain/problem.ts'
import { readInstant } from '../../kit/schema.ts'
import { streamEvents, type ServerEvent } from '../../kit/sse.ts'
import type { Desk, Incoming, Route } from '../contract.ts'
import { diagnosticsOf, dimsOf, examine, fillingOf, hashOf, houseOf, open, refuseUnsound, runnable, theWorkflow, viewListed, viewWorkflow, wireOf, type Opened, type Saved } from './saved.ts'
import { inputsOf, pickInputs, readGraph, withoutEmpty, type Filling, type Translation, type Violation, type WireGraph, type WireNode } from './graph.ts'
import { compose } from './compose.ts'
import type { House } from './kinds.ts'
import { arrange } from './layout.ts'
import { bodyMax, once, readBody, readFlag, readObject, readText, readTexts, readWhole, wrong, type Fields } from './read.ts'
import { both, json } from './view.ts'
import { balanceOf, creditsOf, no } from './words.ts'

const tag = 'Wireflow'
const base = '/api/v1/workflows'

const AnyNode = Type.Object({ id: Type.String(), type: Type.Optional(Type.String()), position: Type.Optional(Type.Object({ x: Type.Number(), y: Type.Number() })), data: Type.Optional(Type.Record(Type.String(), Type.Unknown())) })
const AnyEdge = Type.Object({ id: Type.Optional(Type.String()), source: Type.String(), target: Type.String(), sourceHandle: Type.Optional(Type.String()), targetHandle: Type.Optional(Type.String()) })
/** For the page only: what is wrong with a body is said in Wireflow's words. */
const WorkflowBody = Type.Object({
  name: Type.String(), nodes: Type.Array(AnyNode), edges: Type.Array(AnyEdge), description: Type.Optional(Type.String()), tags: Type.Optional(Type.Array(Type.String())), isActive: Type.Optional(Type.Boolean()),
  webhookId: Type.Optional(Type.String({ description: '`new` for an address nobody can guess, one of your own (16 characters or more), the workflow’s own id to open it to whoever knows that, null to close it.' })),
  webhookUrl: Type.Optional(Type.String({ description: 'Told how every execution ended.' })), mediaId: Type.Optional(Type.String()), exposedInputs: Type.Optional(Type.Array(Type.String())), baseUpdatedAt: Type.Optional(Type.String()),
}, { title: 'WireflowWorkflow' })
const GraphBody = Type.Object({ nodes: Type.Array(AnyNode), edges: Type.Array(AnyEdge) }, { title: 'WireflowGraph' })

// Reading ---------------------------------------------------------------------------------------------------------------

interface Written { name?: string; description?: string; tags?: string[]; active?: boolean; graph?: WireGraph; exposedInputs?: string[] | null; webhookId?: string | null; webhookUrl?: string | null; mediaId?: string | null }

const isEmptyList = (value: unknown) => Array.isArray(value) && value.length === 0

/** @throws {Problem} `bad_request` in the words of its docs */
function readWritten(fields: Fields, { isNew }: { isNew: boolean }): Written {
  if ('linkPermission' in fields) throw no('bad_request', 'linkPermission cannot be written here. Use POST /workflows/{id}/visibility.', { code: 'invalid_field' }, { field: 'linkPermission' })
  const hasGraph = fields.nodes !== undefined || fields.edges !== undefined
  if (isNew && (fields.name === undefined || fields.name === null || fields.name === '') || (isNew || hasGraph) && (!Array.isArray(fields.nodes) || !Array.isArray(fields.edges))) throw no('bad_request', 'Missing required fields: name, nodes, edges', { code: 'missing_fields' })
  if (isEmptyList(fields.nodes) && isEmptyList(fields.edges)) throw no('bad_request', 'Cannot save workflow with 0 nodes and 0 edges. This appears to be a frontend bug. Reload the page.', { code: 'empty_graph' })
  const optional = <K extends 'webhookId' | 'webhookUrl' | 'mediaId'>(field: K, max: number) => fields[field] === undefined ? {} : { [field]: readText(fields, field, max) ?? null }
  const text = (field: 'name' | 'description', max: number) => { const value = readText(fields, field, max); return value === undefined ? {} : { [field]: value } }
  const tags = readTexts(fields, 'tags')
  const active = readFlag(fields, 'isActive')
  return {
    ...text('name', 200), ...text('description', 10_000), ...(tags === undefined ? {} : { tags }), ...(active === undefined ? {} : { active }), ...(hasGraph ? { graph: withoutDims(readGraph(fields.nodes, fields.edges)) } : {}),
    ...(fields.exposedInputs === undefined ? {} : { exposedInputs: readExposed(fields) }), ...optional('webhookId', 128), ...readHookUrl(optional('webhookUrl', 2_048)), ...optional('mediaId', 200),
  }
}

/** Ids, or objects that have one. */
function readExposed(fields: Fields): string[] | null {
  if (fields.exposedInputs === null) return null
  if (!Array.isArray(fields.exposedInputs)) throw wrong('exposedInputs', 'exposedInputs must be a list of the ids of nodes')
  return fields.exposedInputs.map((one, index) => {
    const id = typeof one === 'string' ? one : one !== null && typeof one === 'object' && !Array.isArray(one) ? one.nodeId ?? one.id : undefined
    if (typeof id !== 'string') throw wrong(`exposedInputs[${index}]`, `exposedInputs[${index}] must be the id of a node`)
    return id
  })
}

function readHookUrl<T extends { webhookUrl?: string | null }>(read: T): T {
  if (typeof read.webhookUrl === 'string' && !(/^https?:\/\//i.test(read.webhookUrl) && URL.canParse(read.webhookUrl))) throw wrong('webhookUrl', 'webhookUrl must be an address that begins with https:// or http://')
  return read
}

/** Sizes we told of nodes come back with them, and are not the drawing's. */
const withoutDims = ({ nodes, edges }: WireGraph): WireGraph => ({
  edges, nodes: nodes.map(node => { const { dims, ...rest } = node; return dims !== null && typeof dims === 'object' && !Array.isArray(dims) && 'source' in dims ? rest as WireNode : node }),
})

const isStrict = ({ query }: Pick<Incoming, 'query'>): boolean => query.get('strict') !== 'false'

/** `updatedAt` as the caller saw it. @throws {Problem} Wireflow's 409 where the workflow was written since */
function checkBase(fields: Fields, workflow: Workflow): number | null {
  const text = readText(fields, 'baseUpdatedAt', 40)
  if (text === undefined) return null
  if (readInstant(text, 'baseUpdatedAt').getTime() !== workflow.updatedAt.getTime()) throw stale(workflow.updatedAt, text)
  return workflow.revision
}

const stale = (current: Date, yours: string): Problem =>
  no('conflict', 'The workflow was changed since you loaded it. Load it again and make your change on top; nothing was written.', { code: 'stale_write', isObject: true, extra: { currentUpdatedAt: current.toISOString(), yourBaseUpdatedAt: yours } })

// Writing ---------------------------------------------------------------------------------------------------------------

interface Examined { change: { graph: Parameters<typeof hashOf>[0]; unfinished?: boolean } | null; warnings: Violation[]; violations: Violation[]; migrations: Translation['migrations'] }

/** The graph that is saved with a drawing. One that is wrong is refused, or, where the caller wants it kept all the same, saved as a drawing that cannot run. */
function examined(graph: WireGraph | undefined, filling: Filling, desk: Desk, house: House, strict: boolean): Examined {
  if (!graph) return { change: null, warnings: [], violations: [], migrations: [] }
  const made = examine(graph, desk, house, filling)
  if (strict) refuseUnsound(made)
  const { warnings, violations, migrations } = made
  return { warnings, violations, migrations, change: violations.length === 0 ? { graph: made.graph } : { graph: { nodes: [], edges: [], exposed: [] }, unfinished: true } }
}

/** Opens a webhook as the caller wants it; null where it stays as it is. What was open before stays so until `closeHook`. @throws {Problem} `conflict`, `bad_request` */
async function openHook(workflow: Workflow, { webhookId, webhookTrigger }: Saved, wanted: string | null | undefined, desk: Desk): Promise<Pick<Saved, 'webhookId' | 'webhookTrigger'> | null> {
  if (wanted === undefined || wanted === webhookId) return null
  if (webhookTrigger && webhookTrigger.livemode !== desk.caller.livemode) throw no('conflict', `The webhook of this workflow was made with a ${webhookTrigger.livemode ? 'live' : 'test'} key. Change it with one.`, { code: 'other_mode' })
  if (wanted === null) return { webhookId: null, webhookTrigger: null }
  const { hook, trigger } = await desk.workflows.createTrigger(workflow.id, { kind: 'webhook', ...(wanted === 'new' ? {} : { hook: wanted }) })
  return { webhookId: hook, webhookTrigger: { id: trigger.id, livemode: trigger.livemode } }
}

/** It may have been removed elsewhere in the house already. */
const closeHook = async ({ webhookTrigger }: Pick<Saved, 'webhookTrigger'>, desk: Desk) => { if (webhookTrigger) await desk.workflows.removeTrigger(webhookTrigger.id) }

async function show(workflow: Workflow, { saved }: Pick<Opened, 'saved'>, desk: Desk) {
  return both(viewWorkflow(workflow, saved, (await desk.workflows.tally([workflow.id])).get(workflow.id)))
}

async function create(request: Incoming, desk: Desk): Promise<Response> {
  const fields = readBody(request.body)
  if (typeof fields.id === 'string' && fields.id !== '') return update(await theWorkflow(desk, fields.id), fields, request, desk)
  const written = readWritten(fields, { isNew: true })
  const house = houseOf(desk)
  const { change, warnings, violations, migrations } = examined(written.graph, fillingOf({ exposedInputs: written.exposedInputs ?? null, inputs: null }), desk, house, isStrict(request))
  const saved: Saved = { protocol: 'wireflow', hash: hashOf(change!.graph), ...written.graph!, exposedInputs: written.exposedInputs ?? null, inputs: null, webhookId: null, webhookTrigger: null, webhookUrl: written.webhookUrl ?? null, mediaId: written.mediaId ?? null, isPublished: false }
  let workflow = await desk.workflows.create({
    name: written.name!, ...change!, wire: wireOf(saved), ...(written.description === undefined ? {} : { description: written.description }), ...(written.tags === undefined ? {} : { tags: written.tags }), ...(written.active === undefined ? {} : { active: written.active }) })
  if (written.webhookId != null) {
    try {
      Object.assign(saved, await openHook(workflow, saved, written.webhookId, desk))
      workflow = await desk.workflows.change(workflow.id, { wire: wireOf(saved) }, null)
    } catch (thrown) {
      await desk.workflows.remove(workflow.id)
      throw thrown
    }
  }
  return json({ ...await show(workflow, { saved }, desk), meta: { migrations, warnings }, diagnostics: diagnosticsOf(violations, warnings) }, 201, { location: `${base}/${workflow.id}` })
}

/** How often a write that says nothing of what it has seen goes on top of others that came in between. */
const againMax = 20

async function update(workflow: Workflow, fields: Fields, request: Incoming, desk: Desk, again = 0): Promise<Response> {
  const written = readWritten(fields, { isNew: false })
  const hasBase = checkBase(fields, workflow) !== null
  const house = houseOf(desk)
  const { saved } = open(workflow, house)
  const filled = written.exposedInputs === undefined ? { exposedInputs: saved.exposedInputs, inputs: saved.inputs } : { exposedInputs: written.exposedInputs, inputs: null }
  const isRedrawn = written.graph !== undefined || written.exposedInputs !== undefined
  const { change, warnings, violations, migrations } = examined(isRedrawn ? written.graph ?? saved : undefined, fillingOf(filled), desk, house, isStrict(request))
  const next: Saved = {
    ...saved, ...written.graph, ...filled, ...(change ? { hash: hashOf(change.graph) } : {}), ...(written.webhookUrl === undefined ? {} : { webhookUrl: written.webhookUrl }), ...(written.mediaId === undefined ? {} : { mediaId: written.mediaId }),
  }
  const hook = await openHook(workflow, saved, written.webhookId, desk)
  Object.assign(next, hook)
  // Always on top of what was read, or the drawing and the webhook of a write in between would be lost; without a base, as often as it takes.
  const changed = await desk.workflows.change(workflow.id, {
    ...(written.name === undefined ? {} : { name: written.name }), ...(written.description === undefined ? {} : { description: written.description }), ...(written.tags === undefined ? {} : { tags: written.tags }),
    ...(written.active === undefined ? {} : { active: written.active }), ...change, wire: wireOf(next),
  }, workflow.revision).catch(async (thrown: unknown) => {
    if (hook) await closeHook(hook, desk)
    if (!isOvertaken(thrown)) throw thrown
    return null
  })
  if (changed === null) {
    const current = await theWorkflow(desk, workflow.id)
    if (hasBase || again === againMax) throw stale(current.updatedAt, readText(fields, 'baseUpdatedAt', 40) ?? workflow.updatedAt.toISOString())
    return update(current, fields, request, desk, again + 1)
  }
  if (hook) await closeHook(saved, desk)
  return json({ ...await show(changed, { saved: next }, desk), meta: { migrations, warnings }, diagnostics: diagnosticsOf(violations, warnings) })
}

const isOvertaken = (thrown: unknown): boolean => thrown instanceof Problem && thrown.code === 'conflict' && thrown.details.field === 'revision'

/** A write that came second, in Wireflow's words. */
async function writing(written: Promise<Workflow>, workflow: Workflow, fields: Fields, desk: Desk): Promise<Workflow> {
  try {
    return await written
  } catch (thrown) {
    if (!isOvertaken(thrown)) throw thrown
    throw stale((await theWorkflow(desk, workflow.id)).updatedAt, readText(fields, 'baseUpdatedAt', 40) ?? workflow.updatedAt.toISOString())
  }
}

// One node --------------------------------------------------------------------------------------------------------------

const patchable = ['config', 'params', 'label', 'position', 'baseUpdatedAt']

/** Members that are set, and those that are taken away with null. What is written in `config` is mirrored in `params`, as its own server does. */
function patched(node: WireNode, fields: Fields): WireNode {
  const data = { ...node.data }
  const merge = (home: 'config' | 'params', change: Fields) => {
    const members = new Map(Object.entries((typeof data[home] === 'object' && data[home] !== null && !Array.isArray(data[home]) ? data[home] : {}) as Fields))
    for (const [name, value] of Object.entries(change)) if (value === null) members.delete(name); else members.set(name, value)
    data[home] = Object.fromEntries(members)
  }
  const [config, params] = [readObject(fields, 'config'), readObject(fields, 'params')]
  if (config) { merge('config', config); merge('params', config) }
  if (params) merge('params', params)
  const label = readText(fields, 'label', 200)
  if (label !== undefined) data.label = label
  const position = readObject(fields, 'position')
  if (position && !(Number.isFinite(position.x) && Number.isFinite(position.y))) throw wrong('position', 'position must have the numbers x and y')
  return { ...node, data, ...(position ? { position: position as unknown as { x: number; y: number } } : {}) }
}

const patchNode: Route = {
  method: 'PATCH', path: `${base}/:workflow/nodes/:node`, scope: 'tasks:write', bodyMax: 256 * 1024,
  about: { tag, summary: 'Patch one node', description: '`config` and `params` merge by key, null takes a key away; `label` and `position` replace. A write that comes second hears 409.' },
  async handle(request, desk) {
    const workflow = await theWorkflow(desk, request.params.workflow)
    const fields = readBody(request.body)
    const strange = Object.keys(fields).find(name => !patchable.includes(name))
    if (strange !== undefined) throw no('bad_request', `${strange.slice(0, 100)} cannot be patched. ${patchable.slice(0, 4).join(', ')} can.`, { code: 'invalid_field', isObject: true }, { field: strange.slice(0, 100), allowed: patchable })
    if (!patchable.slice(0, 4).some(name => fields[name] !== undefined && fields[name] !== null)) throw no('bad_request', 'At least one of config, params, label, position is required', { code: 'missing_fields' })
    checkBase(fields, workflow)
    const house = houseOf(desk)
    const { saved } = open(workflow, house)
    const node = saved.nodes.find(({ id }) => id === request.params.node)
    if (!node) throw no('not_found', 'Node not found')
    const next = patched(node, fields)
    const graph = { nodes: saved.nodes.map(one => one === node ? next : one), edges: saved.edges }
    // A drawing that cannot run yet may be mended node by node.
    const strict = isStrict(request) && workflow.graph.nodes.length > 0
    const { change } = examined(graph, fillingOf(saved), desk, house, strict)
    const changed = await writing(desk.workflows.change(workflow.id, { ...change!, wire: wireOf({ ...saved, ...graph, hash: hashOf(change!.graph) }) }, workflow.revision), workflow, fields, desk)
    return json({ data: { node: { id: next.id, type: next.type ?? 'basedNode', position: next.position ?? null, data: next.data }, updatedAt: changed.updatedAt.toISOString() } })
  },
}

// Price -----------------------------------------------------------------------------------------------------------------

const estimate: Route = {
  method: 'POST', path: `${base}/:workflow/estimate`, scope: 'tasks:read', counts: false,
  about: { tag, summary: 'Predict what a run costs', description: 'Inputs that have no value are reckoned with as if a short text were there.' },
  async handle(request, desk) {
    const workflow = await theWorkflow(desk, request.params.workflow)
    const given = readObject(readBody(request.body), 'inputs') ?? {}
    const house = houseOf(desk)
    const opened = open(workflow, house)
    const { graph } = runnable(workflow, opened, house)
    const faces = inputsOf(graph, opened.saved, house)
    const inputs = pickInputs(given, faces, { isStrict: true })
    const unfilled = faces.filter(({ name, required }) => required && inputs[name] === undefined)
    const guessed = unfilled.filter(({ type }) => type === 'text')
    const missing = unfilled.find(({ type }) => type !== 'text')
    if (missing) throw wrong(`inputs.${missing.name}`, `${missing.label} has no value, and what it costs depends on it. Send it in inputs, or write one on the node.`)
    const filled = { ...inputs, ...Object.fromEntries(guessed.map(({ name }) => [name, 'a picture'])) }
    const plan = await desk.workflows.plan({ workflowId: workflow.id, graph: withoutEmpty(graph, filled), force: true, inputs: filled })
    // What calls another workflow has no model of its own, and a price.
    const buys = plan.steps.filter(({ model, priceMaxMicros }) => model !== null || priceMaxMicros !== 0)
    const breakdown = buys.map(step => ({
      nodeId: step.node, nodeLabel: step.title, model: step.model ?? step.kind, credits: creditsOf(step.priceMaxMicros ?? step.priceMinMicros), unitCredits: creditsOf(step.unitMicros ?? 0), iterations: step.times ?? 1,
      unknownIterations: step.times === null, fanOutUncertainty: step.times === null ? 'unknown' : 'none',
    }))
    const micros = plan.priceMaxMicros ?? plan.priceMinMicros
    return json({ data: {
      workflowId: workflow.id, estimatedCredits: creditsOf(micros), estimatedMicros: micros, estimatedProviderCostUsd: micros / 1_000_000, availableCredits: balanceOf(plan.availableMicros), creditSource: `account:${desk.caller.livemode ? 'live' : 'test'}`,
      sufficient: plan.sufficient, estimateComplete: plan.complete, breakdown, warnings: [...plan.warnings, ...guessed.map(({ label }) => `${label} has no value; a short text was assumed.`)],
    } })
  },
}

// Prompt to workflow ----------------------------------------------------------------------------------------------------

async function* composing(prompt: string, images: string[], request: Incoming, desk: Desk): AsyncGenerator<ServerEvent> {
  const graph = compose(prompt, images)
  const house = houseOf(desk)
  for (let count = 1; count < graph.nodes.length; count++) {
    const nodes = graph.nodes.slice(0, count)
    yield { data: { done: false, workflow: { name: prompt.slice(0, 80), nodes, edges: graph.edges.filter(({ source, target }) => [source, target].every(end => nodes.some(({ id }) => id === end))) } } }
  }
  const { change } = examined(graph, null, desk, house, true)
  const saved: Saved = { protocol: 'wireflow', hash: hashOf(change!.graph), ...graph, exposedInputs: null, inputs: null, webhookId: null, webhookTrigger: null, webhookUrl: null, mediaId: null, isPublished: false }
  const workflow = await desk.workflows.create({ name: prompt.trim().slice(0, 80) || 'Workflow', graph: change!.graph, tags: ['generated'], wire: wireOf(saved) })
  if (request.signal.aborted) return
  yield { data: { done: true, workflow: viewWorkflow(workflow, saved, undefined) } }
}

const generate: Route = {
  method: 'POST', path: `${base}/generate/stream`, scope: 'tasks:write', bodyMax,
  about: { tag, summary: 'Make a workflow of a prompt', description: 'Server-sent events. No language model looks at it: the prompt, and the pictures if there are any, go into one node that makes the picture.', body: Type.Object({ prompt: Type.String(), images: Type.Optional(Type.Array(Type.String())) }) },
  async handle(request, desk) {
    const fields = readBody(request.body)
    const prompt = readText(fields, 'prompt', 20_000)?.trim()
    if (!prompt) throw no('bad_request', 'Missing required fields: prompt', { code: 'missing_fields' }, { field: 'prompt' })
    const images = readTexts(fields, 'images') ?? []
    if (images.length > 14) throw wrong('images', 'images may have at most 14 items', { allowed: { max: 14 } })
    for (const [index, image] of images.entries()) if (!/^(https?:\/\/|data:image\/)/i.test(image)) throw wrong(`images[${index}]`, `images[${index}] must be the address of a picture`)
    return streamEvents(composing(prompt, images, request, desk))
  },
}

// Routes ----------------------------------------------------------------------------------------------------------------

const listMax = 1_000

const list: Route = {
  method: 'GET', path: base, scope: 'tasks:read',
  about: { tag, summary: 'List workflows, the last changed first', query: Type.Object({ isActive: Type.Optional(Type.Enum(['true', 'false'])), mediaId: Type.Optional(Type.String()), limit: Type.Optional(Type.Integer()), offset: Type.Optional(Type.Integer()) }) },
  async handle({ query }, desk) {
    const isActive = query.get('isActive')
    if (isActive !== null && isActive !== 'true' && isActive !== 'false') throw wrong('isActive', 'isActive must be true or false')
    const teamId = query.get('teamId')
    if (teamId) throw wrong('teamId', 'There are no teams here: a key sees the workflows of its project. Leave teamId out.')
    const active = isActive === null ? null : isActive === 'true'
    const limit = readWhole(query, 'limit', { min: 1, max: 100, standard: 100 })
    const offset = readWhole(query, 'offset', { min: 0, max: 1_000_000, standard: 0 })
    const mediaId = query.get('mediaId')
    const house = houseOf(desk)
    const found = (await desk.workflows.list(mediaId === null ? { limit, offset, active } : { limit: listMax, offset: 0, active })).map(workflow => ({ workflow, saved: open(workflow, house).saved }))
    const shown = mediaId === null ? found : found.filter(({ saved }) => saved.mediaId === mediaId).slice(offset, offset + limit)
    const total = mediaId === null ? await desk.workflows.count(active) : found.filter(({ saved }) => saved.mediaId === mediaId).length
    const tallies = await desk.workflows.tally(shown.map(({ workflow }) => workflow.id))
    return json(shown.map(({ workflow, saved }) => viewListed(workflow, saved, tallies.get(workflow.id))), 200, {
      'x-total-count': String(total), ...(offset + limit < total ? { link: `<${base}?${pageQuery(query, limit, offset + limit)}>; rel="next"` } : {}) })
  },
}

const pageQuery = (query: URLSearchParams, limit: number, offset: number): string => {
  const next = new URLSearchParams(query)
  next.set('limit', String(limit))
  next.set('offset', String(offset))
  return next.toString()
}

export const workflows: Route[] = [
  list,
  { method: 'POST', path: base, scope: 'tasks:write', bodyMax, about: { tag, summary: 'Save a workflow', description: 'With an `id` it is changed. `?strict=false` keeps a drawing that cannot run yet.', body: WorkflowBody, status: 201 },
    handle: (request, desk) => once(request, desk, () => create(request, desk)) },
  { method: 'POST', path: `${base}/lint`, scope: 'tasks:read', bodyMax, counts: false, about: { tag, summary: 'Check a graph', body: GraphBody },
    async handle({ body }, desk) {
      const { nodes, edges, exposedInputs } = readBody(body)
      const { violations, warnings } = examine(readGraph(nodes ?? [], edges ?? []), desk, houseOf(desk), fillingOf({ exposedInputs: exposedInputs === undefined ? null : readExposed({ exposedInputs }), inputs: null }))
      return json(both({ ok: violations.length === 0, violations: violations.slice(0, 100), warnings }))
    } },
  generate,
  { method: 'GET', path: `${base}/:workflow`, scope: 'tasks:read', about: { tag, summary: 'Get a workflow' },
    async handle({ params }, desk) {
      const workflow = await theWorkflow(desk, params.workflow)
      return json(await show(workflow, open(workflow, houseOf(desk)), desk))
    } },
  { method: 'PUT', path: `${base}/:workflow`, scope: 'tasks:write', bodyMax, about: { tag, summary: 'Change a workflow', description: 'What is left out stays. With `baseUpdatedAt` a write that comes second hears 409.', body: WorkflowBody },
    async handle(request, desk) { return update(await theWorkflow(desk, request.params.workflow), readBody(request.body), request, desk) } },
  { method: 'DELETE', path: `${base}/:workflow`, scope: 'tasks:write', about: { tag, summary: 'Delete a workflow', description: 'Its executions stay.' },
    async handle({ params }, desk) {
      const { id } = await theWorkflow(desk, params.workflow)
      await desk.workflows.remove(id)
      return json({ success: true, id, data: { success: true, id } })
    } },
  patchNode,
  { method: 'POST', path: `${base}/:workflow/duplicate`, scope: 'tasks:write', about: { tag, summary: 'Copy a workflow', description: 'The copy has no webhook and is private.', status: 201 },
    handle: (request, desk) => once(request, desk, async () => {
      const workflow = await theWorkflow(desk, request.params.workflow)
      const name = readText(readBody(request.body), 'name', 200) ?? `${workflow.name.slice(0, 190)} (copy)`
      const { saved } = open(workflow, houseOf(desk))
      const copied = { ...saved, webhookId: null, webhookTrigger: null, webhookUrl: null, isPublished: false }
      const copy = await desk.workflows.create({ name, description: workflow.description, tags: workflow.tags, graph: workflow.graph, unfinished: workflow.graph.nodes.length === 0, active: workflow.active, wire: wireOf(copied) })
      return json({ data: { id: copy.id, name: copy.name, slug: copy.slug, url: `${desk.publicUrl}${base}/${copy.id}` } }, 201, { location: `${base}/${copy.id}` })
    }) },
  { method: 'POST', path: `${base}/:workflow/visibility`, scope: 'tasks:write', about: { tag, summary: 'Publish or unpublish', description: 'A published workflow runs as an app (`POST /api/v1/apps/{slug}/execute`). There is no public page.', body: Type.Object({ visibility: Type.Enum(['view', 'private']) }) },
    async handle({ params, body }, desk) {
      const workflow = await theWorkflow(desk, params.workflow)
      const visibility = readText(readBody(body), 'visibility', 20)?.toLowerCase()
      if (visibility !== 'view' && visibility !== 'private') throw wrong('visibility', 'visibility must be view or private', { allowed: ['view', 'private'] })
      const { saved } = open(workflow, houseOf(desk))
      await writing(desk.workflows.change(workflow.id, { wire: wireOf({ ...saved, isPublished: visibility === 'view' }) }, workflow.revision), workflow, {}, desk)
      return json(both({ linkPermission: visibility === 'view' ? 'VIEW' : 'PRIVATE', isPublished: visibility === 'view', slug: workflow.slug }))
    } },
  { method: 'POST', path: `${base}/:workflow/layout`, scope: 'tasks:write', about: { tag, summary: 'Arrange the board', body: Type.Object({ gapX: Type.Optional(Type.Number()), gapY: Type.Optional(Type.Number()), scope: Type.Optional(Type.Unknown()) }) },
    async handle({ params, body }, desk) {
      const workflow = await theWorkflow(desk, params.workflow)
      const { gapX = 120, gapY = 60, scope = 'all' } = readBody(body)
      for (const [field, gap] of Object.entries({ gapX, gapY })) if (typeof gap !== 'number' || !(gap >= 0 && gap <= 2_000)) throw wrong(field, `${field} must be a number from 0 to 2000`)
      const house = houseOf(desk)
      const { saved, isDrawnHere } = open(workflow, house)
      const known = new Set(saved.nodes.map(({ id }) => id))
      if (scope !== 'all' && !(Array.isArray(scope) && scope.every(one => typeof one === 'string' && known.has(one)))) throw wrong('scope', 'scope must be "all" or a list of ids of nodes')
      const positions = arrange(saved, dimsOf, { gapX: gapX as number, gapY: gapY as number, only: scope === 'all' ? null : new Set(scope as string[]) })
      const moved = saved.nodes.filter(({ id, position }) => positions.has(id) && (position?.x !== positions.get(id)!.x || position.y !== positions.get(id)!.y)).map(({ id }) => id)
      if (moved.length > 0) {
        const nodes = saved.nodes.map(node => positions.has(node.id) ? { ...node, position: positions.get(node.id)! } : node)
        const graph = { ...workflow.graph, nodes: workflow.graph.nodes.map(node => positions.has(node.id) ? { ...node, position: positions.get(node.id)! } : node) }
        await writing(desk.workflows.change(workflow.id, { graph, unfinished: graph.nodes.length === 0, ...(isDrawnHere ? { wire: wireOf({ ...saved, nodes, hash: hashOf(graph) }) } : {}) }, workflow.revision), workflow, {}, desk)
      }
      const places = [...positions].map(([id, { x, y }]) => ({ x, y, ...dimsOf(saved.nodes.find(node => node.id === id)!) }))
      const bounds = places.length === 0 ? { x: 0, y: 0, width: 0, height: 0 } : (() => {
        const [left, top] = [Math.min(...places.map(({ x }) => x)), Math.min(...places.map(({ y }) => y))]
        return { x: left, y: top, width: Math.max(...places.map(({ x, width }) => x + width)) - left, height: Math.max(...places.map(({ y, height }) => y + height)) - top }
      })()
      return json(both({ positions: Object.fromEntries(positions), moved, bounds }))
    } },
  estimate,
]
