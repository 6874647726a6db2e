/** Graphs by their content, laid out: many runs of one graph read it once. */
import { layOut, type Layout } from '../domain/graph/layout.ts'
import type { Graph } from '../domain/graph/graph.ts'
import { needed } from '../domain/graph/advance.ts'
import { Problem } from '../domain/problem.ts'
import type { Client } from '../db/pool.ts'
import type { Kinds } from './kinds.ts'

const keptMax = 200

export interface Graphs { layout(client: Client, sha256: Buffer): Promise<Layout> }

/** A bounded memory; the graph longest unused goes first. Graphs never change, so nothing in it can be old. */
export function createGraphs(kinds: Kinds): Graphs {
  const kept = new Map<string, Layout>()
  return {
    async layout(client, sha256) {
      const name = sha256.toString('hex')
      const known = kept.get(name)
      if (known) { kept.delete(name); kept.set(name, known); return known }
      const { rows: [row] } = await client.query<{ body: Graph }>({ name: 'graph read', text: 'select body from graph where sha256 = $1' }, [sha256])
      if (!row) throw new Problem('internal', 'The graph of this execution is gone.')
      const layout = layOut(row.body, kinds.faces)
      kept.set(name, layout)
      if (kept.size > keptMax) kept.delete(kept.keys().next().value!)
      return layout
    },
  }
}

/** The part of a graph a target needs. @throws {Problem} `bad_request` for a target that is not there */
export function prune(graph: Graph, target: string, kinds: Kinds): Graph {
  if (!graph.nodes.some(node => node.id === target)) throw new Problem('bad_request', `There is no node ${target} in this workflow.`, { field: 'target', value: target })
  const wanted = needed(layOut(graph, kinds.faces), target)
  return { nodes: graph.nodes.filter(node => wanted.has(node.id)), edges: graph.edges.filter(edge => wanted.has(edge.from.node) && wanted.has(edge.to.node)), exposed: graph.exposed.filter(one => wanted.has(one.node)) }
}
