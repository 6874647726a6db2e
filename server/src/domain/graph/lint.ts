/**
 * Whether a graph is sound, before it is saved: every mistake at once, each with what to do about it.
 *
 * A violation keeps a graph from running; a warning does not. Absent on purpose: prices, models, whether pictures are there (the planner asks
 * those of the catalogue when it is run).
 */
import type { Json } from '../outcome.ts'
import { graphLimits, type Edge, type Graph, type GraphNode, type NodeFace, type Port, type PortType } from './graph.ts'
import { layOut, sortNodes } from './layout.ts'

export interface Violation { rule: string; message: string; fix: string; node?: string; edge?: number; port?: string }
export interface Lint { ok: boolean; violations: Violation[]; warnings: Violation[] }

/** Checks a value written on a node against its port's schema; a sentence where it does not fit. Handed in: schemas are compiled elsewhere. */
export type CheckSetting = (face: NodeFace, port: Port, value: Json) => string | null

/** The nearest of some names, where one is near enough to be meant. */
export function nearest(name: string, names: Iterable<string>, effort: Effort = fewMoments()): string | null {
  // Nobody mistypes a page; comparing two takes their lengths multiplied.
  if (name.length > 200) return null
  const wanted = name.toLowerCase()
  let best: string | null = null
  let least = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const one of names) {
    if (effort.left < 0) return null
    const far = distance(wanted, one.toLowerCase(), least, effort)
    if (far < least) { least = far; best = one }
  }
  return best
}

/** Letters that may still be compared with letters: a graph of a thousand long names, each misspelt, would take minutes. */
export interface Effort { left: number }
/** Ten milliseconds' worth, for all names of a graph together. */
export const fewMoments = (): Effort => ({ left: 1_000_000 })

/** Edits from one word to another (Levenshtein), given up at `most`. */
function distance(a: string, b: string, most: number, effort: Effort): number {
  effort.left -= 10
  if (Math.abs(a.length - b.length) >= most) return most
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    let nearest = i
    for (let j = 1; j <= b.length; j++) {
      const edits = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a.charCodeAt(i - 1) === b.charCodeAt(j - 1) ? 0 : 1))
      next.push(edits)
      if (edits < nearest) nearest = edits
    }
    effort.left -= b.length
    if (nearest >= most) return most
    row = next
  }
  return row[b.length]!
}

const hintWith = (effort: Effort) => (name: string, names: Iterable<string>, otherwise: string): string => {
  const near = nearest(name, names, effort)
  return near === null ? otherwise : `Did you mean "${near}"?`
}

/** The types of outputs; one that follows an input has the type of what is wired there, however far back that is. Each is found out once. */
function typesIn(graph: Graph, nodes: ReadonlyMap<string, GraphNode>, faces: ReadonlyMap<string, NodeFace>): (node: GraphNode, port: Port) => PortType {
  const into = new Map<string, Edge>()
  for (const edge of graph.edges) {
    const place = `${edge.to.node}\n${edge.to.port}`
    if (!into.has(place)) into.set(place, edge)
  }
  const known = new Map<string, PortType>()
  return (first, firstPort) => {
    const way = new Set<string>()
    let [node, port] = [first, firstPort]
    for (;;) {
      const place = `${node.id}\n${port.id}`
      const edge = port.follows === undefined || way.has(place) ? undefined : into.get(`${node.id}\n${port.follows}`)
      const source = edge && nodes.get(edge.from.node)
      const given = source && faces.get(source.kind)?.outputs.find(({ id }) => id === edge.from.port)
      const type = known.get(place) ?? (source && given ? null : port.type)
      way.add(place)
      if (type !== null) {
        for (const one of way) known.set(one, type)
        return type
      }
      [node, port] = [source!, given!]
    }
  }
}

/** Whether a value of one type may go into a port of another. Numbers and yes/no are written as text where text is wanted. */
const fits = (from: PortType, to: PortType): boolean =>
  from === to || from === 'any' || to === 'any' || to === 'text' && (from === 'number' || from === 'boolean') || to === 'json' && from !== 'image' && from !== 'video' && from !== 'audio'

/** Names every object has a member of: values are kept by the names of nodes and inputs, and such a one would not be theirs alone. */
const isReserved = (name: string): boolean => name in {}

export function lint(graph: Graph, faces: ReadonlyMap<string, NodeFace>, checkSetting: CheckSetting): Lint {
  const violations: Violation[] = []
  const warnings: Violation[] = []
  const say = (violation: Violation) => { violations.push(violation) }
  const nodes = new Map<string, GraphNode>()
  const hint = hintWith(fewMoments())

  if (graph.nodes.length === 0) say({ rule: 'empty', message: 'The graph has no nodes.', fix: 'Add at least one.' })
  if (graph.nodes.length > graphLimits.nodes) say({ rule: 'too-many-nodes', message: `The graph has ${graph.nodes.length} nodes.`, fix: `Up to ${graphLimits.nodes} fit; move a part into a workflow of its own and call it.` })
  if (graph.edges.length > graphLimits.edges) say({ rule: 'too-many-edges', message: `The graph has ${graph.edges.length} edges.`, fix: `Up to ${graphLimits.edges} fit.` })

  for (const node of graph.nodes) {
    if (nodes.has(node.id)) { say({ rule: 'same-id', node: node.id, message: `Two nodes are called ${node.id}.`, fix: 'Give each an id of its own.' }); continue }
    if (isReserved(node.id)) { say({ rule: 'reserved-id', node: node.id, message: `A node cannot be called ${node.id}.`, fix: 'Give it another id.' }); continue }
    nodes.set(node.id, node)
    const face = faces.get(node.kind)
    if (!face) { say({ rule: 'unknown-kind', node: node.id, message: `${node.id} is of the kind ${node.kind}, which does not exist.`, fix: hint(node.kind, faces.keys(), 'GET /plantain/v1/nodes lists the kinds there are.') }); continue }
    const names = face.inputs.map(({ id }) => id)
    for (const [name, value] of Object.entries(node.settings)) {
      const port = face.inputs.find(({ id }) => id === name)
      if (!port) { say({ rule: 'unknown-setting', node: node.id, port: name, message: `${node.id} (${face.title}) has no setting ${name}.`, fix: hint(name, names, names.length > 0 ? `It has ${names.join(', ')}.` : 'It has none.') }); continue }
      const flaw = checkSetting(face, port, value)
      if (flaw !== null) say({ rule: 'bad-setting', node: node.id, port: name, message: `${node.id}: ${flaw}`, fix: `See the schema of ${face.id} at /plantain/v1/nodes.` })
    }
    if (JSON.stringify(node.settings).length > graphLimits.settingsBytes) say({ rule: 'too-large', node: node.id, message: `The settings of ${node.id} are larger than ${graphLimits.settingsBytes / 1024} KB.`, fix: 'Upload pictures and long lists, and name them here.' })
  }

  const wired = new Map<string, number>()
  const seen = new Set<string>()
  const sound: Edge[] = []
  const typeOf = typesIn(graph, nodes, faces)
  for (const [index, edge] of graph.edges.entries()) {
    const { from, to } = edge
    const source = nodes.get(from.node)
    const target = nodes.get(to.node)
    const ends = nodes.keys()
    if (!source || !target) {
      const missing = source ? to.node : from.node
      say({ rule: 'dangling-edge', edge: index, message: `Edge ${index + 1} names the node ${missing}, which is not in the graph.`, fix: hint(missing, ends, 'Remove the edge or add the node.') })
      continue
    }
    const [sourceFace, targetFace] = [faces.get(source.kind), faces.get(target.kind)]
    if (!sourceFace || !targetFace) continue
    const out = sourceFace.outputs.find(({ id }) => id === from.port)
    const input = targetFace.inputs.find(({ id }) => id === to.port)
    if (!out) { say({ rule: 'bad-source-port', edge: index, node: source.id, port: from.port, message: `${source.id} (${sourceFace.title}) gives nothing at ${from.port}.`, fix: hint(from.port, sourceFace.outputs.map(({ id }) => id), `It gives ${sourceFace.outputs.map(({ id }) => id).join(', ') || 'nothing'}.`) }); continue }
    if (!input) { say({ rule: 'bad-target-port', edge: index, node: target.id, port: to.port, message: `${target.id} (${targetFace.title}) takes nothing at ${to.port}.`, fix: hint(to.port, targetFace.inputs.filter(({ wireable }) => wireable).map(({ id }) => id), `It takes ${targetFace.inputs.filter(({ wireable }) => wireable).map(({ id }) => id).join(', ') || 'nothing'}.`) }); continue }
    if (!input.wireable) { say({ rule: 'setting-wired', edge: index, node: target.id, port: to.port, message: `${to.port} of ${target.id} is a setting and cannot be wired.`, fix: `Write it in the settings of ${target.id}.` }); continue }
    const name = `${from.node}\n${from.port}\n${to.node}\n${to.port}`
    if (seen.has(name)) { warnings.push({ rule: 'same-edge', edge: index, node: target.id, message: `Edge ${index + 1} is there twice.`, fix: 'Remove one of the two.' }); continue }
    seen.add(name)
    const type = typeOf(source, out)
    if (!fits(type, input.type)) { say({ rule: 'types', edge: index, node: target.id, port: to.port, message: `${from.node} gives ${type} at ${from.port}, and ${to.node} takes ${input.type} at ${to.port}.`, fix: 'Wire it to a port of that type, or put a node between them that converts it.' }); continue }
    if (out.list && !input.list && input.type !== 'json' && input.type !== 'any') { say({ rule: 'list-into-one', edge: index, node: target.id, port: to.port, message: `${from.node} gives a list at ${from.port}, and ${to.node} takes one ${input.type} at ${to.port}.`, fix: `Put "iterate" between them to run ${to.node} once for each, or "pick" to take one of them.` }); continue }
    const place = `${to.node}\n${to.port}`
    wired.set(place, (wired.get(place) ?? 0) + 1)
    if (wired.get(place)! > 1 && !input.list && targetFace.role !== 'tolerant') { say({ rule: 'port-taken', edge: index, node: target.id, port: to.port, message: `Several edges go into ${to.port} of ${target.id}, which takes one.`, fix: 'Remove all but one, or bring them together with "merge".' }); continue }
    sound.push(edge)
  }

  const names = new Set<string>()
  const fills = new Map<string, string>()
  for (const { name, node, port } of graph.exposed) {
    const other = fills.get(`${node}\n${port}`)
    if (other !== undefined) warnings.push({ rule: 'same-port', node, port, message: `The inputs ${other} and ${name} both fill ${port} of ${node}; where both are given, ${name} counts.`, fix: 'Remove one of the two.' })
    fills.set(`${node}\n${port}`, name)
    if (names.has(name)) say({ rule: 'same-input', node, message: `Two inputs of the workflow are called ${name}.`, fix: 'Give each a name of its own.' })
    names.add(name)
    if (isReserved(name)) say({ rule: 'reserved-id', node, message: `An input cannot be called ${name}.`, fix: 'Give it another name.' })
    const target = nodes.get(node)
    const face = target && faces.get(target.kind)
    if (!target) say({ rule: 'dangling-input', node, message: `The input ${name} belongs to ${node}, which is not in the graph.`, fix: hint(node, nodes.keys(), 'Remove it or add the node.') })
    else if (face && !face.inputs.some(({ id }) => id === port)) say({ rule: 'bad-input', node, port, message: `The input ${name} fills ${port} of ${node}, which has no such port.`, fix: hint(port, face.inputs.map(({ id }) => id), `It has ${face.inputs.map(({ id }) => id).join(', ')}.`) })
    else if (wired.has(`${node}\n${port}`)) say({ rule: 'input-wired', node, port, message: `The input ${name} fills ${port} of ${node}, but an edge goes there as well.`, fix: 'Remove the edge or the input.' })
  }
  if (graph.exposed.length > graphLimits.exposed) say({ rule: 'too-many-inputs', message: `The workflow has ${graph.exposed.length} inputs.`, fix: `Up to ${graphLimits.exposed} fit.` })

  const filled = new Set(graph.exposed.map(({ node, port }) => `${node}\n${port}`))
  for (const node of nodes.values()) {
    const face = faces.get(node.kind)
    for (const port of face?.inputs ?? []) {
      const place = `${node.id}\n${port.id}`
      if (!port.required || wired.has(place) || filled.has(place) || node.settings[port.id] !== undefined || port.schema.default !== undefined) continue
      say({ rule: 'missing-value', node: node.id, port: port.id, message: `${node.id} (${face!.title}) needs ${port.id}.`, fix: port.wireable ? `Wire something to it, write it in the settings, or make it an input of the workflow.` : 'Write it in the settings.' })
    }
  }

  const outputs = new Map<string, string>()
  for (const { id, kind, settings } of nodes.values()) {
    if (kind !== 'output') continue
    const name = String(settings.name ?? id)
    const other = outputs.get(name)
    if (other !== undefined) warnings.push({ rule: 'same-output', node: id, message: `${other} and ${id} are both given as ${name}; where a run reaches both, one of the two is lost.`, fix: 'Give each a name of its own, unless they stand on ways of which one run takes only one.' })
    outputs.set(name, id)
  }

  const order = sortNodes({ nodes: [...nodes.values()], edges: sound })
  if (order.length < nodes.size) {
    const inCycle = [...nodes.keys()].filter(id => !order.includes(id))
    say({ rule: 'cycle', node: inCycle[0]!, message: `${inCycle.slice(0, 5).join(', ')}${inCycle.length > 5 ? ' and others' : ''} wait for each other.`, fix: 'Remove one of the edges between them.' })
  } else if (violations.length === 0) {
    const layout = layOut({ ...graph, edges: sound }, faces)
    for (const flaw of layout.flaws) say(flaw)
    const depth = new Map<string, number>()
    for (const id of layout.order) depth.set(id, Math.max(0, ...(layout.into.get(id) ?? []).map(({ from }) => depth.get(from.node)! + 1)))
    if (Math.max(0, ...depth.values()) > graphLimits.depth) say({ rule: 'too-deep', message: `The graph is more than ${graphLimits.depth} nodes deep.`, fix: 'Move a part into a workflow of its own and call it.' })
    for (const id of layout.order) {
      const face = layout.faceOf(id)
      if (face.role !== 'collect') continue
      const source = layout.into.get(id)?.[0]?.from.node
      if (source !== undefined && layout.faceOf(source).role === 'iterate') say({ rule: 'nothing-between', node: id, message: `${id} collects what ${source} gives, with nothing between.`, fix: `Wire the list of ${source} directly.` })
    }
    for (const id of layout.order) {
      if (layout.outOf.has(id) || layout.faceOf(id).outputs.length === 0 || layout.order.length === 1 || layout.faceOf(id).makes === 'order') continue
      if (layout.faceOf(id).category === 'input') warnings.push({ rule: 'unused', node: id, message: `Nothing reads ${id}.`, fix: 'Wire it, or remove it.' })
    }
  }
  return { ok: violations.length === 0, violations, warnings }
}
