/** What never changes of an execution and all its runs need: its graph by content, laid out, and what its caller gave. Read once by each process. */
import { layOut, type Layout } from '../domain/graph/layout.ts'
import type { Graph } from '../domain/graph/graph.ts'
import { needed } from '../domain/graph/advance.ts'
import type { Given } from '../domain/graph/values.ts'
import { Problem } from '../domain/problem.ts'
import type { Client } from '../db/pool.ts'
import { remember } from '../kit/remember.ts'
import type { Kinds } from './kinds.ts'

export interface Graphs {
  layout(client: Client, sha256: Buffer): Promise<Layout>
  /** Values of nodes that the caller of an execution gave. */
  given(client: Client, executionId: string): Promise<Given>
}

export function createGraphs(kinds: Kinds): Graphs {
  const layouts = remember<Layout>(200)
  const givens = remember<Given>(100)
  return {
    layout: (client, sha256) => layouts(sha256.toString('hex'), async () => {
      const { rows: [row] } = await client.query<{ body: Graph }>({ name: 'graph read', text: 'select body from graph where sha256 = $1' }, [sha256])
      if (!row) throw new Problem('internal', 'The graph of this execution is gone.')
      return layOut(row.body, kinds.faces)
    }),
    given: (client, executionId) => givens(executionId, async () => {
      const { rows: [row] } = await client.query<{ given: Given }>({ name: 'execution given', text: 'select given from execution where id = $1' }, [executionId])
      return row?.given ?? {}
    }),
  }
}

/** The part of a graph a target needs. @throws {Problem} `bad_request` for a target that is not there */
export function prune(graph: Graph, target: string, kinds: Kinds): Graph {
  if (!graph.nodes.some(node => node.id === target)) throw new Problem('bad_request', `There is no node ${target} in this workflow.`, { field: 'target', value: target })
  const wanted = needed(layOut(graph, kinds.faces), target)
  return { nodes: graph.nodes.filter(node => wanted.has(node.id)), edges: graph.edges.filter(edge => wanted.has(edge.from.node) && wanted.has(edge.to.node)), exposed: graph.exposed.filter(one => wanted.has(one.node)) }
}
