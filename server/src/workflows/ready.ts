/** Workflows that come with the house: read from `ready/*.json`, copied into a project or run as they are (`ready:<slug>`). */
import { readdirSync, readFileSync } from 'node:fs'
import type { ReadyMade } from '../domain/graph/execution.ts'
import type { Graph } from '../domain/graph/graph.ts'
import type { Json } from '../domain/outcome.ts'

interface ReadyFile { slug: string; name: string; description: string; tags: string[]; example: Record<string, Json>; graph: { nodes: (Omit<Graph['nodes'][number], 'settings'> & { settings?: Record<string, Json> })[]; edges: Graph['edges']; inputs: Graph['exposed'] } }

const folder = new URL('./ready/', import.meta.url)
const prefix = 'ready:'

/** All of them, by slug. */
export const readyMade: ReadonlyMap<string, ReadyMade> = new Map(readdirSync(folder).filter(name => name.endsWith('.json')).sort().map(name => {
  const { graph: { nodes, edges, inputs }, ...words } = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as ReadyFile
  return [words.slug, { ...words, graph: { nodes: nodes.map(node => ({ ...node, settings: node.settings ?? {} })), edges, exposed: inputs } }]
}))

/** The slug in `ready:<slug>`; null for any other name. */
export const readyName = (name: string): string | null => name.startsWith(prefix) ? name.slice(prefix.length) : null
