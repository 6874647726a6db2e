/**
 * Wireflow's graphs into the house's, and back. Pure.
 *
 * What its editor draws and nobody runs (notes, groups) is left out of what runs, a router's way is walked through, pictures that stand on a
 * node beside wired ones become nodes of their own (`~` before their ids: they are not shown). Mistakes are gathered, all of them, in
 * Wireflow's words and with what to do.
 */
import type { Card } from '../../domain/card.ts'
import { graphLimits, type Edge, type Exposed, type Graph, type GraphNode, type NodeFace, type Port } from '../../domain/graph/graph.ts'
import { fewMoments, nearest, type Effort, type Lint, type Violation as HouseViolation } from '../../domain/graph/lint.ts'
import type { Values } from '../../domain/graph/values.ts'
import type { Json } from '../../domain/outcome.ts'
import { readCompositor } from './compositor.ts'
import { imageSizes, inputOf, isDrawnOnly, nameOf, outputOf, own, parameterNames, serve, settingOf, wordsFor, type House, type Service } from './kinds.ts'
import { no } from './words.ts'

type Fields = Record<string, Json>
export interface WireNode { id: string; type?: Json; position?: { x: number; y: number }; data: Fields; [more: string]: Json | undefined }
export interface WireEdge { id?: string; source: string; target: string; sourceHandle?: string | null; targetHandle?: string | null; [more: string]: Json | undefined }
export interface WireGraph { nodes: WireNode[]; edges: WireEdge[] }

export interface Violation { rule: string; message: string; fix: string; nodeId?: string; edgeId?: string; path?: string }

/** A node of ours that Wireflow's graph does not have. */
export const isHidden = (node: string): boolean => node.startsWith('~')

// Reading ---------------------------------------------------------------------------------------------------------------

export const fieldsOf = (value: unknown): Fields | null => typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Fields : null
const isPlace = (value: unknown): value is { x: number; y: number } => Number.isFinite(fieldsOf(value)?.x) && Number.isFinite(fieldsOf(value)?.y)

/** An id, of a node or an edge: any text that can be shown on one line. */
const isName = (value: unknown): value is string => typeof value === 'string' && value.length >= 1 && value.length <= 100 && !/\p{Cc}/u.test(value) && !isHidden(value) && !(value in {})

/** Reads nodes and edges as they were sent; what they say is looked at when they are translated. @throws {Problem} `bad_request` in Wireflow's words */
export function readGraph(nodes: unknown, edges: unknown): WireGraph {
  const bad = (message: string, field: string) => no('bad_request', message, { code: 'invalid_request' }, { field })
  if (!Array.isArray(nodes)) throw bad('nodes must be a list', 'nodes')
  if (edges !== undefined && edges !== null && !Array.isArray(edges)) throw bad('edges must be a list', 'edges')
  if (nodes.length > graphLimits.nodes) throw bad(`A workflow has up to ${graphLimits.nodes} nodes, not ${nodes.length}`, 'nodes')
  if ((edges?.length ?? 0) > graphLimits.edges) throw bad(`A workflow has up to ${graphLimits.edges} edges, not ${edges!.length}`, 'edges')
  return {
    nodes: nodes.map((one: unknown, index): WireNode => {
      const node = fieldsOf(one)
      if (!node) throw bad(`nodes[${index}] must be an object`, `nodes[${index}]`)
      if (node.id === undefined || node.id === null || node.id === '') throw bad('All nodes must have an id', `nodes[${index}].id`)
      if (!isName(node.id)) throw bad(`nodes[${index}].id must be text of 1 to 100 characters on one line, without ~ in front`, `nodes[${index}].id`)
      if (node.data !== undefined && !fieldsOf(node.data)) throw bad(`The data of ${node.id} must be an object`, `nodes[${index}].data`)
      if (node.position !== undefined && node.position !== null && !isPlace(node.position)) throw bad(`The position of ${node.id} must have the numbers x and y`, `nodes[${index}].position`)
      const { position, data = {}, ...rest } = node as unknown as WireNode
      return { ...rest, ...(position == null ? {} : { position }), data }
    }),
    edges: (edges ?? []).map((one: unknown, index: number): WireEdge => {
      const edge = fieldsOf(one)
      if (!edge || typeof edge.source !== 'string' || typeof edge.target !== 'string') throw bad(`edges[${index}] must have source and target`, `edges[${index}]`)
      for (const handle of ['sourceHandle', 'targetHandle']) if (edge[handle] !== undefined && edge[handle] !== null && typeof edge[handle] !== 'string') throw bad(`${handle} of edges[${index}] must be text`, `edges[${index}].${handle}`)
      return edge as unknown as WireEdge
    }),
  }
}

const hasLabel = ({ data }: WireNode): boolean => typeof data.label === 'string' && data.label !== ''
export const labelOf = (node: WireNode): string => hasLabel(node) ? (node.data.label as string).slice(0, 200) : node.id
export const typeOf = ({ data }: WireNode): string => typeof data.nodeType === 'string' ? data.nodeType : ''

/** Nothing was chosen: an empty field of its editor is no value. */
const isBlank = (value: Json | undefined): value is undefined => value === undefined || value === null || value === ''

/** Members of `data` that are the editor's, never a value of the node. */
const editors = new Set(['label', 'nodeType', 'category', 'config', 'params', 'inputs', 'outputs', 'output', 'result', 'selectedOutput', 'selectedIndex', 'isExecuting', 'inputType', 'childNodeIds', 'description', 'dims', 'model', 'icon', 'color', 'provider', 'status', 'error'])

/** What is written on a node: in `config`, in `params`, on `data` itself, the first of them that says something. `isLoose`: on `data` itself, where names may be anything. */
function writtenOn({ data }: WireNode): Map<string, { value: Json; isLoose: boolean }> {
  const written = new Map<string, { value: Json; isLoose: boolean }>()
  const take = (fields: Fields | null, isLoose: boolean) => {
    for (const [name, value] of Object.entries(fields ?? {})) if (!written.has(name) && !isBlank(value) && !(isLoose && editors.has(name))) written.set(name, { value, isLoose })
  }
  take(fieldsOf(data.config), false)
  take(fieldsOf(data.params), false)
  take(data, true)
  return written
}

// Translating -----------------------------------------------------------------------------------------------------------

export interface Translation {
  graph: Graph
  /** What the edges of the graph are called in the drawing, in their order. */
  edgeIds: string[]
  violations: Violation[]
  warnings: Violation[]
  /** What was mended on the way: an old name for a node type. */
  migrations: { nodeId: string; from: string; to: string }[]
}

interface Served { node: WireNode; service: Service }

/** What may be filled in: input nodes by their ids, inputs that were named elsewhere in the house, or every input node that nothing is wired to. */
export type Filling = { nodes: string[] } | { inputs: Exposed[] } | null

/** Translates a graph. */
export function translate(wire: WireGraph, given: House, filling: Filling = null): Translation {
  const effort = fewMoments()
  const house = { ...given, effort }
  const violations: Violation[] = []
  const warnings: Violation[] = []
  const migrations: Translation['migrations'] = []
  const served = new Map<string, Served>()
  const drawn = new Set<string>()
  const routers = new Set<string>()
  const seen = new Set<string>()
  const targets = new Set(wire.edges.map(({ target }) => target))

  for (const node of wire.nodes) {
    if (seen.has(node.id)) { violations.push({ rule: 'duplicate-node-id', nodeId: node.id, message: `Two nodes have the id ${node.id}.`, fix: 'Give each an id of its own.' }); continue }
    seen.add(node.id)
    const nodeType = typeOf(node)
    if (isDrawnOnly(node.type, nodeType)) { drawn.add(node.id); continue }
    if (nodeType === 'logic:router') { routers.add(node.id); continue }
    const service = serveNode(node, house)
    if ('message' in service) violations.push({ rule: 'unknown-node-type', nodeId: node.id, message: `${labelOf(node)}: ${service.message}`, fix: service.fix })
    // Wireflow's inputs may be wired themselves, and then give on what comes.
    else if (targets.has(node.id) && service.face.category === 'input' && !service.face.inputs.some(({ wireable }) => wireable)) routers.add(node.id)
    else {
      served.set(node.id, { node, service })
      if (service.instead === undefined) continue
      migrations.push({ nodeId: node.id, from: nodeType, to: service.instead })
      warnings.push({ rule: 'replaced-model', nodeId: node.id, message: `${labelOf(node)}: ${nodeType} is no more; it is made with ${service.card!.title} instead, at its price.`, fix: `Draw it as "${service.instead}", or name another model.` })
    }
  }

  const edges = throughRouters(wire.edges, routers, seen)
  const wired: { edge: Edge; place: number; edgeId: string }[] = []
  for (const [index, one] of edges.entries()) {
    if (drawn.has(one.source) || drawn.has(one.target)) continue
    const edgeId = one.id ?? `${index + 1}`
    const missing = [one.source, one.target].find(end => !seen.has(end))
    if (missing !== undefined) { violations.push({ rule: 'dangling-edge', edgeId, message: `Edge ${edgeId} names the node ${missing.slice(0, 100)}, which is not in the graph.`, fix: 'Remove the edge or add the node.' }); continue }
    const source = served.get(one.source)
    const target = served.get(one.target)
    if (!source || !target) continue
    const ends = meet(one, source, target, effort)
    if ('rule' in ends) violations.push({ ...ends, edgeId })
    else wired.push({ edge: { from: { node: one.source, port: ends.from }, to: { node: one.target, port: ends.to } }, place: ends.place, edgeId })
  }
  // Of many pictures the numbers of their handles say the order; edges without one stay where they are.
  wired.sort((one, other) => one.edge.to.node === other.edge.to.node && one.edge.to.port === other.edge.to.port ? one.place - other.place : 0)

  const into = Map.groupBy(wired, ({ edge }) => edge.to.node)
  const nodes: GraphNode[] = []
  const more: Edge[] = []
  for (const { node, service } of served.values()) {
    const taken = new Set((into.get(node.id) ?? []).map(({ edge }) => edge.to.port))
    const compositor = service.row.kind === 'layered' ? readCompositor(writtenOn(node), taken, (into.get(node.id) ?? []).filter(({ edge }) => edge.to.port === 'images').length) : null
    const read = readSettings({ node, service }, taken, violations, compositor?.rest)
    const settings = { ...read.settings, ...compositor?.settings }
    const beside = [...read.beside, ...(compositor?.links ?? []).map(value => ({ port: 'images', value }))]
    for (const flaw of compositor?.flaws ?? []) violations.push({ rule: 'layers', nodeId: node.id, path: 'config.layers', message: `${labelOf(node)} (${typeOf(node)}): ${flaw}`, fix: 'Change the layer as it says, or run this workflow at Wireflow.' })
    for (const note of compositor?.notes ?? []) warnings.push({ rule: 'layers', nodeId: node.id, path: 'config.layers', message: `${labelOf(node)} (${typeOf(node)}): ${note}`, fix: 'Look at what is made.' })
    for (const [index, image] of beside.entries()) {
      const id = `~${node.id}.${index + 1}`.slice(0, 100)
      nodes.push({ id, kind: 'image', settings: { image: image.value } })
      more.push({ from: { node: id, port: 'image' }, to: { node: node.id, port: image.port } })
    }
    // Where nobody wrote a label, estimates and polls say what the catalogue calls it.
    nodes.push({ id: node.id, kind: service.face.id, title: hasLabel(node) ? labelOf(node) : service.card?.title ?? (service.row.label || service.face.title), settings, ...(node.data.fresh === true ? { fresh: true } : {}), ...(node.position ? { position: { x: node.position.x, y: node.position.y } } : {}) })
  }
  const graph = { nodes, edges: [...wired.map(({ edge }) => edge), ...more], exposed: exposable(served, into, filling, [...wired.map(({ edge }) => edge), ...more]) }
  return { graph, edgeIds: wired.map(({ edgeId }) => edgeId), violations, warnings, migrations }
}

/** A node's type; a node of its docs' oldest form has a model and no type. @throws {Problem} `bad_request` */
function serveNode(node: WireNode, house: House): ReturnType<typeof serve> {
  const nodeType = typeOf(node)
  if (nodeType === '' && node.data.model !== undefined) {
    const name = fieldsOf(node.data.model)?.name ?? (typeof node.data.model === 'string' ? node.data.model : undefined)
    if (typeof name !== 'string' || name === '') throw no('bad_request', `Node ${node.id} is missing model.name`, { code: 'missing_fields' }, { field: `nodes.${node.id}.data.model.name` })
    return serve(`model:${name.split('/').at(-1)!}`, undefined, house)
  }
  if (nodeType === '') return { message: 'data.nodeType is missing.', fix: 'Name one of GET /api/v1/nodes.' }
  return serve(nodeType, node.data.inputType, house)
}

/** Edges as if routers were not there: what goes into one goes to whatever is wired behind it, by the name of the handle where several come in. */
function throughRouters(edges: WireEdge[], routers: ReadonlySet<string>, known: ReadonlySet<string>): WireEdge[] {
  if (routers.size === 0) return edges
  const into = Map.groupBy(edges, edge => edge.target)
  const keyOf = (handle: string | null | undefined) => handle?.replace(/^(in|out)-/, '') ?? null
  // Each router and handle is walked through once: routers that come together again behind each other have more ways than anybody could walk.
  const before = (edge: WireEdge, walked: Set<string>): WireEdge[] => {
    if (!routers.has(edge.source)) return [edge]
    const key = keyOf(edge.sourceHandle)
    const place = JSON.stringify([edge.source, key])
    if (walked.has(place)) return []
    walked.add(place)
    const coming = (into.get(edge.source) ?? []).filter(one => known.has(one.source))
    const same = coming.filter(one => keyOf(one.targetHandle) === key)
    return (same.length > 0 ? same : coming).flatMap(one => before({ ...edge, source: one.source, sourceHandle: one.sourceHandle ?? null }, walked))
  }
  // What stands before a router is the same for all that is wired behind it.
  const behind = new Map<string, WireEdge[]>()
  const sourcesOf = (edge: WireEdge): WireEdge[] => {
    const place = JSON.stringify([edge.source, keyOf(edge.sourceHandle)])
    let found = behind.get(place)
    if (!found) behind.set(place, found = before(edge, new Set()))
    return found
  }
  const all: WireEdge[] = []
  for (const edge of edges) {
    if (routers.has(edge.target)) continue
    if (routers.has(edge.source)) for (const { source, sourceHandle } of sourcesOf(edge)) all.push({ ...edge, source, sourceHandle: sourceHandle ?? null })
    else all.push(edge)
    // More than a graph may have: a thousand edges into a router and a thousand out of it would be a million.
    if (all.length > graphLimits.edges) break
  }
  return all
}

/** Which ports an edge joins. Handles may be missing: then the types say which. */
function meet(edge: WireEdge, source: Served, target: Served, effort: Effort): { from: string; to: string; place: number } | Violation {
  const give = source.service.face.outputs
  const take = target.service.face.inputs.filter(({ wireable }) => wireable)
  const [out, into] = [bare(edge.sourceHandle, 'out-'), bare(edge.targetHandle, 'in-')]
  const to = into === null ? null : inputOf(target.service, into)
  if (into !== null && to === null) return wrongHandle('target', target, into, take.map(({ id }) => nameOf(target.service.row.inputs, id)), effort)
  const from = out === null ? null : outputOf(source.service, out)
  if (out !== null && from === null) return wrongHandle('source', source, out, give.map(({ id }) => nameOf(source.service.row.outputs, id)), effort)
  const given = from ? give.find(({ id }) => id === from.port) : give.find(one => to === null || fits(one, take.find(({ id }) => id === to.port)))
  const taken = to ? take.find(({ id }) => id === to.port) : take.find(one => one.required && fits(given, one)) ?? take.find(one => fits(given, one))
  if (!given || !taken) return { rule: 'no-handle', nodeId: target.node.id, message: `${labelOf(source.node)} gives nothing that ${labelOf(target.node)} takes.`, fix: 'Name both handles of the edge (out-…, in-…), or wire other nodes.' }
  return { from: single(given, taken, give), to: taken.id, place: to?.place ?? 0 }
}

const bare = (handle: string | null | undefined, prefix: string): string | null => handle == null || handle === '' ? null : handle.startsWith(prefix) ? handle.slice(prefix.length) : handle
const fits = (one: Port | undefined, other: Port | undefined): boolean => one !== undefined && other !== undefined && (one.type === other.type || one.type === 'any' || other.type === 'any' || other.type === 'json')

/** Wireflow hands on one picture where one is wanted, whatever the handle is called: a list only goes where anything goes. */
const single = (given: Port, taken: Port, give: Port[]): string =>
  given.list && given.type === 'image' && taken.type === 'image' ? give.find(one => one.type === 'image' && !one.list)?.id ?? given.id : given.id

function wrongHandle(end: 'source' | 'target', { node }: Served, handle: string, names: string[], effort: Effort): Violation {
  const prefix = end === 'source' ? 'out-' : 'in-'
  const near = nearest(handle, names, effort)
  const all = names.map(name => `"${prefix}${name}"`).join(', ')
  return {
    rule: `bad-${end}-handle`, nodeId: node.id, message: `${labelOf(node)} (${typeOf(node)}) has no ${end === 'source' ? 'output' : 'input'} "${prefix}${handle.slice(0, 100)}".`,
    fix: near !== null ? `Did you mean "${prefix}${near}"? It has ${all}.` : names.length > 0 ? `It has ${all}.` : 'It has none.',
  }
}

// Settings --------------------------------------------------------------------------------------------------------------

/** What is written on a node, as settings of ours. `beside`: pictures for a port that takes wired ones as well. */
function readSettings({ node, service }: Served, taken: ReadonlySet<string>, violations: Violation[], written = writtenOn(node)): { settings: Values; beside: { port: string; value: Json }[] } {
  const { row, face, card } = service
  const settings: Values = {}
  const lists = new Map<string, { value: Json; place: number }[]>()
  const parameters = new Map<string, Json>()
  const parameter = (name: string, value: Json) => { if (!parameters.has(name)) parameters.set(name, value) }
  const has = (name: string) => face.inputs.some(({ id }) => id === name)
  for (const [name, { value, isLoose }] of written) {
    if (row.idle?.includes(name)) continue
    const found = settingOf(service, name)
    if (found) {
      const port = face.inputs.find(({ id }) => id === found.port)!
      if (taken.has(port.id) && !(port.list && isMedia(port))) continue
      if (port.list) {
        const list = lists.get(port.id) ?? []
        for (const one of Array.isArray(value) ? value : [value]) list.push({ value: isMedia(port) ? linkOf(one) : one, place: found.place })
        lists.set(port.id, list)
      } else settings[port.id] ??= isMedia(port) ? linkOf(value) : valueFor(port, value)
    } else if (card && has('parameters')) {
      const [key, one] = parameterOf(name, value, card)
      if (!isLoose || Object.hasOwn(propertiesOf(card), key)) parameter(key, one)
    } else if (has('parameters') && !isLoose) parameter(own(parameterNames, name) ?? name, value)
    else if (!isLoose) violations.push({ rule: 'unknown-setting', nodeId: node.id, path: `config.${name}`, message: `${labelOf(node)} (${typeOf(node)}) has no setting ${name.slice(0, 100)}.`, fix: `It has ${face.inputs.map(({ id }) => nameOf(row.inputs, id)).join(', ') || 'none'}.` })
  }
  const beside: { port: string; value: Json }[] = []
  for (const [port, values] of lists) {
    const sorted = values.sort((a, b) => a.place - b.place).map(({ value }) => value)
    if (taken.has(port)) beside.push(...sorted.map(value => ({ port, value })))
    else settings[port] = sorted
  }
  if (card) settings.model = card.id
  // A router's name for a model has its maker in front.
  else if (row.kind === 'write' && typeof settings.model === 'string') settings.model = settings.model.slice(settings.model.lastIndexOf('/') + 1)
  if (parameters.size > 0) settings.parameters = Object.fromEntries(parameters)
  if (face.role === 'plain' && row.kind === 'output') settings.name ??= node.id
  for (const [port, value] of Object.entries(row.standing ?? {})) settings[port] ??= value
  return { settings, beside }
}

const isMedia = ({ type }: Port): boolean => type === 'image' || type === 'video' || type === 'audio'
const propertiesOf = ({ parameters }: Card) => (parameters.properties ?? {}) as Record<string, { type?: string; enum?: Json[]; oneOf?: unknown }>

/** A picture as its editor writes it: a link, or an object that has one. */
const linkOf = (value: Json): Json => {
  const fields = fieldsOf(value)
  return fields && typeof fields.asset !== 'string' ? fields.url ?? fields.imageUrl ?? fields.src ?? value : value
}

/** Its editor keeps numbers and ticks as text now and then. */
function valueFor({ type }: Pick<Port, 'type'>, value: Json): Json {
  if (typeof value === 'string' && type === 'number' && /^-?\d+(\.\d+)?$/.test(value)) return Number(value)
  if (typeof value === 'string' && type === 'boolean' && /^(true|false)$/.test(value)) return value === 'true'
  return type === 'text' && (typeof value === 'number' || typeof value === 'boolean') ? String(value) : value
}

/** A parameter by the card's name for it. What the card does not have keeps its name, and is refused by it when it is priced. */
function parameterOf(name: string, value: Json, card: Card): [string, Json] {
  const properties = propertiesOf(card)
  if ((name === 'image_size' || name === 'imageSize') && !Object.hasOwn(properties, name)) {
    const size = fieldsOf(value)
    const [width, height] = [Number(size?.width), Number(size?.height)]
    if (size && width > 0 && height > 0) {
      const by = greatest(width, height)
      return Object.hasOwn(properties, 'size') ? ['size', `${width}x${height}`] : ['aspect_ratio', `${width / by}:${height / by}`]
    }
    const ratio = typeof value === 'string' ? own(imageSizes, value) : undefined
    if (ratio !== undefined && Object.hasOwn(properties, 'aspect_ratio')) return ['aspect_ratio', ratio]
  }
  const key = Object.hasOwn(properties, name) ? name : own(parameterNames, name) ?? name
  const { type } = own(properties, key) ?? {}
  return [key, valueFor({ type: type === 'integer' || type === 'number' ? 'number' : type === 'boolean' ? 'boolean' : 'any' }, key === 'duration_s' && typeof value === 'string' ? value.replace(/s$/, '') : value)]
}

const greatest = (a: number, b: number): number => b === 0 ? a : greatest(b, a % b)

// Inputs ----------------------------------------------------------------------------------------------------------------

/** The port an input node is filled at. */
const filledAt = ({ face }: Service): Port | undefined => face.inputs[0]

function exposable(served: Map<string, Served>, into: Map<string, unknown>, filling: Filling, edges: Edge[]): Exposed[] {
  // Whatever reads it can do without: it may be left empty.
  const isSpared = (id: string) => { const read = edges.filter(({ from }) => from.node === id); return read.length > 0 && read.every(({ to }) => served.get(to.node)?.service.face.inputs.some(port => port.id === to.port && !port.required)) }

  if (filling && 'inputs' in filling) return filling.inputs.filter(({ node, port }) => served.get(node)?.service.face.inputs.some(({ id }) => id === port))
  return [...served.values()].flatMap(({ node, service }): Exposed[] => {
    const port = filledAt(service)
    if (!port || into.has(node.id) || service.face.category !== 'input' || (filling !== null && !filling.nodes.includes(node.id))) return []
    return [{ name: node.id, node: node.id, port: port.id, title: labelOf(node), ...(isMedia(port) && isSpared(node.id) ? { required: false } : {}), ...(typeof node.data.description === 'string' ? { description: node.data.description.slice(0, 2_000) } : {}) }]
  }).slice(0, graphLimits.exposed)
}

/** The graph without inputs that may be left empty and were. */
export function withoutEmpty(graph: Graph, inputs: Fields): Graph {
  const settings = new Map(graph.nodes.map(node => [node.id, node.settings]))
  const empty = new Set(graph.exposed.flatMap(({ name, node, port, required }) => required === false && inputs[name] == null && settings.get(node)?.[port] === undefined ? [node] : []))
  return empty.size === 0 ? graph : { nodes: graph.nodes.filter(({ id }) => !empty.has(id)), edges: graph.edges.filter(({ from, to }) => !empty.has(from.node) && !empty.has(to.node)), exposed: graph.exposed.filter(({ node }) => !empty.has(node)) }
}

export interface InputFace { name: string; nodeId: string; label: string; type: string; required: boolean; description: string | null; default: Json | null; words: string[] }

const inputTypes: Partial<Record<string, string>> = { text: 'text', number: 'number', boolean: 'boolean', image: 'image', video: 'url', audio: 'url' }

const wordsOf = (drawn: WireNode | undefined, id: string, port: string): string[] => [...new Set([id, ...(drawn ? wordsFor(typeOf(drawn), drawn.data.inputType, port) : [port])])]

export type InputName = Pick<InputFace, 'name' | 'label' | 'words'>

/** What inputs are called, for whoever may not look at more. */
export const namesOfInputs = (graph: Graph, drawn: WireNode[]): InputName[] =>
  graph.exposed.map(({ name, node, port, title }) => ({ name, label: title ?? name, words: wordsOf(drawn.find(({ id }) => id === node), node, port) }))

/** What whoever runs a graph fills in. */
export function inputsOf(graph: Graph, wire: WireGraph, house: House): InputFace[] {
  const nodes = new Map(graph.nodes.map(node => [node.id, node]))
  return graph.exposed.map(({ name, node: id, port, title, description, required }) => {
    const node = nodes.get(id)
    const input = house.faces.get(node?.kind ?? '')?.inputs.find(one => one.id === port)
    const drawn = wire.nodes.find(one => one.id === id)
    const standing = node?.settings[port] ?? (input?.schema.default as Json | undefined) ?? null
    return {
      name, nodeId: name, label: title ?? node?.title ?? id, type: input?.list ? 'json' : inputTypes[input?.type ?? ''] ?? (Array.isArray(input?.schema.enum) ? 'select' : 'json'), required: (required ?? input?.required ?? false) && standing === null,
      description: description ?? null, default: standing, words: wordsOf(drawn, id, port),
    }
  })
}

/**
 * Values by the names a caller knows: the node's id, its label, or what it is called on the node, where that means one input only.
 *
 * `isStrict`: what fits nothing is refused; otherwise it is left aside, and a word that means several fills them all (webhooks).
 */
export function pickInputs(values: Fields, inputs: InputName[], { isStrict }: { isStrict: boolean }): Fields {
  const picked: Fields = {}
  const waysToMean = (word: string) => [inputs.filter(({ name }) => name === word), inputs.filter(({ label }) => label === word), inputs.filter(({ words }) => words.includes(word))]
  // The more exact word goes first, whatever the order they came in.
  const said = Object.entries(values).map(([word, value]) => { const ways = waysToMean(word); const way = ways.findIndex(found => found.length > 0); return { word, value, way, meant: ways[way] ?? [] } }).sort((a, b) => a.way - b.way)
  for (const { word, value, meant } of said) {
    if (isStrict && meant.length === 0) {
      const names = inputs.map(({ name }) => name)
      throw no('bad_request', `There is no input ${word.slice(0, 100)}. ${names.length > 0 ? `This workflow has ${names.join(', ').slice(0, 400)}.` : 'This workflow has none.'}`, { code: 'unknown_input' }, { field: `inputs.${word.slice(0, 100)}`, allowed: names })
    }
    if (isStrict && meant.length > 1) throw no('bad_request', `${word.slice(0, 100)} may be any of ${meant.map(({ name }) => name).join(', ').slice(0, 400)}. Name one by its id.`, { code: 'ambiguous_input' }, { field: `inputs.${word.slice(0, 100)}` })
    for (const { name } of meant) if (!Object.hasOwn(picked, name)) picked[name] = value
  }
  return picked
}

// Back ------------------------------------------------------------------------------------------------------------------

/** A graph that was drawn elsewhere in the house, as Wireflow's editor would write it: `plantain:<kind>` with our own ports. */
export function drawGraph({ nodes, edges }: Graph, faces: ReadonlyMap<string, NodeFace>): WireGraph {
  return {
    nodes: nodes.map(({ id, kind, title, settings, fresh, position }, index) => ({
      id, type: 'basedNode', position: position ?? { x: 100 + index % 5 * 400, y: 100 + Math.floor(index / 5) * 260 },
      data: { label: title ?? faces.get(kind)?.title ?? id, nodeType: `plantain:${kind}`, category: faces.get(kind)?.category ?? 'process', config: settings, params: settings, ...(fresh ? { fresh } : {}) },
    })),
    edges: edges.map(({ from, to }, index) => ({ id: `e${index + 1}`, source: from.node, target: to.node, sourceHandle: `out-${from.port}`, targetHandle: `in-${to.port}` })),
  }
}

const rules: Record<string, string> = { 'bad-target-port': 'bad-target-handle', 'bad-source-port': 'bad-source-handle', 'unknown-kind': 'unknown-node-type' }

/** The house's own mistakes found in a translated graph, in Wireflow's words. */
export const tellLint = ({ violations, warnings }: Pick<Lint, 'violations' | 'warnings'>, { graph, edgeIds }: Pick<Translation, 'graph' | 'edgeIds'>): { violations: Violation[]; warnings: Violation[] } => {
  const tell = ({ rule, message, fix, node, edge, port }: HouseViolation): Violation => {
    const to = edge === undefined ? undefined : graph.edges[edge]?.to.node
    const nodeId = node ?? to
    return { rule: own(rules, rule) ?? rule, message, fix, ...(nodeId === undefined ? {} : { nodeId: isHidden(nodeId) ? nodeId.slice(1).replace(/\.\d+$/, '') : nodeId }), ...(edge === undefined ? {} : { edgeId: edgeIds[edge] ?? `${edge + 1}` }), ...(port === undefined ? {} : { path: port }) }
  }
  return { violations: violations.map(tell), warnings: warnings.filter(({ rule }) => rule !== 'unused').map(tell) }
}
