/**
 * How a sound graph hangs together: in which order, who reads whom, and inside which iterations each node runs.
 *
 * Iterating nodes with the same `group` run side by side (zip), different groups inside each other (product). A node runs once for every
 * combination of items of the groups in its scope.
 */
import type { Edge, Graph, GraphNode, NodeFace } from './graph.ts'

export interface Layout {
  graph: Graph
  nodes: Map<string, GraphNode>
  faceOf(node: string): NodeFace
  /** Every node after all it reads from. */
  order: string[]
  /** Edges by the node they go into, and by the node they come from. */
  into: Map<string, Edge[]>
  outOf: Map<string, Edge[]>
  /** Groups around a node, outermost first. */
  scopeOf: Map<string, string[]>
  /** Iterating nodes of a group, and the scope they stand in. */
  groups: Map<string, { members: string[]; parent: string[] }>
  /** What hinders the scopes, as sentences with the node they speak of; empty for a sound graph. */
  flaws: { rule: string; node: string; message: string; fix: string }[]
}

/** The group an iterating node belongs to: its setting, or one of its own. */
export const groupOf = ({ id, settings }: GraphNode): string => typeof settings.group === 'string' && settings.group !== '' ? `group ${settings.group}` : id

/** Nodes in an order in which each comes after what it reads; those of a cycle are left out. Ties keep the order of the graph. */
export function sortNodes(graph: Pick<Graph, 'nodes' | 'edges'>): string[] {
  const waiting = new Map(graph.nodes.map(({ id }) => [id, 0]))
  const readers = new Map<string, string[]>()
  for (const { from, to } of graph.edges) {
    if (!waiting.has(from.node) || !waiting.has(to.node)) continue
    waiting.set(to.node, waiting.get(to.node)! + 1)
    const list = readers.get(from.node)
    if (list) list.push(to.node)
    else readers.set(from.node, [to.node])
  }
  const ready = graph.nodes.flatMap(({ id }) => waiting.get(id) === 0 ? [id] : [])
  const order: string[] = []
  for (let at = 0; at < ready.length; at++) {
    const node = ready[at]!
    order.push(node)
    for (const reader of readers.get(node) ?? []) {
      const left = waiting.get(reader)! - 1
      waiting.set(reader, left)
      if (left === 0) ready.push(reader)
    }
  }
  return order
}

/** Lays out a graph whose nodes are known and whose edges meet ports (`lint`). */
export function layOut(graph: Graph, faces: ReadonlyMap<string, NodeFace>): Layout {
  const nodes = new Map(graph.nodes.map(node => [node.id, node]))
  const faceOf = (node: string): NodeFace => faces.get(nodes.get(node)!.kind)!
  const order = sortNodes(graph)
  const into = Map.groupBy(graph.edges, edge => edge.to.node)
  const scopeOf = new Map<string, string[]>()
  const groups: Layout['groups'] = new Map()
  const flaws: Layout['flaws'] = []
  /** Groups in the order in which they open; a scope lists its groups in this order. */
  const rank = new Map<string, number>()

  for (const id of order) {
    const around = new Set<string>()
    for (const { from } of into.get(id) ?? []) {
      for (const group of scopeOf.get(from.node) ?? []) around.add(group)
      if (faceOf(from.node).role === 'iterate') around.add(groupOf(nodes.get(from.node)!))
    }
    const scope = [...around].sort((a, b) => rank.get(a)! - rank.get(b)!)
    switch (faceOf(id).role) {
      case 'iterate': {
        const group = groupOf(nodes.get(id)!)
        const known = groups.get(group)
        if (around.has(group)) flaws.push({ rule: 'iterate-inside-itself', node: id, message: `${id} iterates inside its own group.`, fix: 'Give it a group of its own.' })
        else if (!known) {
          groups.set(group, { members: [id], parent: scope })
          rank.set(group, rank.size)
        } else if (known.parent.join() !== scope.join()) {
          flaws.push({ rule: 'group-scopes', node: id, message: `${id} and ${known.members[0]} are in one group but stand inside different iterations.`, fix: 'Give them different groups, or feed both from the same place.' })
        } else known.members.push(id)
        scopeOf.set(id, scope)
        break
      }
      case 'collect': {
        if (scope.length === 0) flaws.push({ rule: 'nothing-to-collect', node: id, message: `${id} collects, but nothing before it iterates.`, fix: 'Put an iterating node before it, or take it out.' })
        scopeOf.set(id, scope.slice(0, -1))
        break
      }
      default: scopeOf.set(id, scope)
    }
  }
  const outOf = Map.groupBy(graph.edges, edge => edge.from.node)
  for (const { members } of groups.values()) {
    if (members.length === 1) continue
    // What stands inside a group begins when all its members have ended: one that reads of it, be it collected, would wait for itself.
    const after = new Set(members.flatMap(readersOf(outOf)))
    for (const node of after) for (const reader of readersOf(outOf)(node)) after.add(reader)
    for (const id of members) {
      if (after.has(id)) flaws.push({ rule: 'group-waits', node: id, message: `${id} reads what is made of the items of its own group, and those are there only when ${id} has ended.`, fix: 'Give it a group of its own.' })
    }
  }
  return { graph, nodes, faceOf, order, into, outOf, scopeOf, groups, flaws }
}

const readersOf = (outOf: Layout['outOf']) => (node: string): string[] => (outOf.get(node) ?? []).map(({ to }) => to.node)

/** The scope in which a value of an edge is given: inside its group, where an iterating node gives it. */
export const givenIn = (layout: Layout, node: string): string[] => {
  const scope = layout.scopeOf.get(node)!
  return layout.faceOf(node).role === 'iterate' ? [...scope, groupOf(layout.nodes.get(node)!)] : scope
}
