/**
 * What Wireflow's door keeps with a workflow of the house, and a workflow as Wireflow shows it.
 *
 * The drawing is kept as it came, beside the graph that was made of it and that graph's hash: when somebody has changed the graph elsewhere
 * since, the drawing is out of date, and one is made of the graph instead.
 */
import { createHash } from 'node:crypto'
import type { Workflow } from '../../domain/graph/execution.ts'
import type { Exposed, Graph } from '../../domain/graph/graph.ts'
import type { Json } from '../../domain/outcome.ts'
import { isId } from '../../kit/id.ts'
import type { Desk } from '../contract.ts'
import { drawGraph, fieldsOf, tellLint, translate, type Filling, type Translation, type Violation, type WireGraph, type WireNode } from './graph.ts'
import type { House } from './kinds.ts'
import { no, noWorkflow } from './words.ts'

export interface Saved {
  protocol: 'wireflow'
  /** Of the graph that was made of the drawing. */
  hash: string
  nodes: WireGraph['nodes']
  edges: WireGraph['edges']
  /** Ids of the nodes whoever runs it fills in; null: every input node that nothing is wired to. */
  exposedInputs: string[] | null
  /** Inputs by names of their own, where it was drawn elsewhere in the house first. */
  inputs: Exposed[] | null
  webhookId: string | null
  /** The trigger behind it, and whose it is: those of live and of test keys do not see each other. */
  webhookTrigger: { id: string; livemode: boolean } | null
  webhookUrl: string | null
  mediaId: string | null
  isPublished: boolean
}

/** The same whatever order the keys come back in. */
export const hashOf = (graph: Graph): string => createHash('sha256').update(JSON.stringify(graph, (_name, value: unknown) =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1)) : value)).digest('hex')

export const houseOf = (desk: Desk): House => ({ faces: new Map(desk.workflows.kinds().map(face => [face.id, face])), cards: desk.models.all() })

export interface Opened {
  saved: Saved
  /** Its graph is what was made of the drawing; otherwise the drawing was made of the graph just now. */
  isDrawnHere: boolean
}

/** What was kept with a workflow, and what it looks like now. */
export function open(workflow: Workflow, house: House): Opened {
  const kept = fieldsOf(workflow.wire)
  const own = kept?.protocol === 'wireflow' ? kept as unknown as Saved : null
  const hash = hashOf(workflow.graph)
  const isDrawnHere = own?.hash === hash
  return {
    isDrawnHere,
    saved: {
      protocol: 'wireflow', hash, ...(isDrawnHere ? { nodes: own.nodes, edges: own.edges } : drawGraph(workflow.graph, house.faces)), exposedInputs: isDrawnHere ? own.exposedInputs : null, inputs: isDrawnHere ? own.inputs ?? null : workflow.graph.exposed,
      webhookId: own?.webhookId ?? null, webhookTrigger: own?.webhookTrigger ?? null, webhookUrl: own?.webhookUrl ?? null, mediaId: own?.mediaId ?? null, isPublished: own?.isPublished ?? false,
    },
  }
}

export const fillingOf = ({ exposedInputs, inputs }: Pick<Saved, 'exposedInputs' | 'inputs'>): Filling => exposedInputs !== null ? { nodes: exposedInputs } : inputs !== null ? { inputs } : null

/** What a saved workflow runs: its drawing, translated as of today; a graph that was drawn elsewhere as it is, with its own names for inputs. @throws {Problem} Wireflow's 422 */
export function runnable(workflow: Workflow, { saved, isDrawnHere }: Opened, house: House): Pick<Translation, 'graph' | 'edgeIds' | 'warnings'> {
  if (!isDrawnHere) return { warnings: [], graph: workflow.graph, edgeIds: saved.edges.map(({ id }, index) => id ?? `${index + 1}`) }
  const made = translate(saved, house, fillingOf(saved))
  refuseUnsound(made)
  return made
}

/** A graph with everything that is wrong with it, in Wireflow's words. */
export function examine(wire: WireGraph, desk: Desk, house: House, filling: Filling): Translation {
  const made = translate(wire, house, filling)
  if (made.violations.length > 0) return made
  const told = tellLint(desk.workflows.lint(made.graph), made)
  return { ...made, violations: told.violations, warnings: [...made.warnings, ...told.warnings] }
}

/** @throws {Problem} Wireflow's 422 with every violation */
export function refuseUnsound({ violations, warnings, migrations }: Pick<Translation, 'violations' | 'warnings' | 'migrations'>): void {
  if (violations.length === 0) return
  const shown = violations.slice(0, 100).map(one => ({ ...one, message: one.message.slice(0, 400) }))
  throw no('bad_request', `Workflow graph failed validation (${violations.length} errors). ${shown[0]!.message} ${shown[0]!.fix}`.slice(0, 900), { status: 422, code: 'invalid_graph', isObject: true, extra: { violations: shown, warnings, migrations } })
}

/** What is wrong with a graph and what is to be known of it, as its tools read it. */
export const diagnosticsOf = (violations: Violation[], warnings: Violation[]) => {
  const tell = (severity: 'error' | 'warning') => ({ rule, message, fix, nodeId, path }: Violation) => ({ code: rule, severity, message, target: { nodeId: nodeId ?? null, ...(path === undefined ? {} : { path }) }, hint: fix })
  return { version: 1, counts: { error: violations.length, warning: warnings.length, info: 0 }, diagnostics: [...violations.map(tell('error')), ...warnings.map(tell('warning'))] }
}

/** By id, dashes or not, or by slug. @throws {Problem} Wireflow's 404 */
export async function theWorkflow(desk: Desk, name: string | undefined): Promise<Workflow> {
  const text = name ?? ''
  const found = text.length > 100 ? null : await desk.workflows.find(isId(text) ? text.replaceAll('-', '') : text)
  if (!found) throw noWorkflow()
  return found
}

const stamp = (date: Date): string => date.toISOString()

export interface Tally { count: number; lastAt: Date }

export const viewListed = (workflow: Workflow, saved: Pick<Saved, 'webhookId' | 'webhookUrl' | 'isPublished' | 'mediaId'>, tally: Tally | undefined) => ({
  id: workflow.id, name: workflow.name, description: workflow.description, webhookId: saved.webhookId, webhookUrl: saved.webhookUrl, isActive: workflow.active, isPublished: saved.isPublished,
  executionCount: tally?.count ?? 0, lastExecutedAt: tally ? stamp(tally.lastAt) : null, tags: workflow.tags, createdAt: stamp(workflow.createdAt), updatedAt: stamp(workflow.updatedAt),
  slug: workflow.slug, mediaId: saved.mediaId, linkPermission: saved.isPublished ? 'VIEW' : 'PRIVATE',
})

export const viewWorkflow = (workflow: Workflow, saved: Saved, tally: Tally | undefined) => ({
  ...viewListed(workflow, saved, tally), exposedInputs: saved.exposedInputs, nodes: saved.nodes.map(withDims), edges: saved.edges,
})

/** How large a node is on the board: as it was measured, where its editor did, or as it is likely to be. */
export function dimsOf(node: WireNode): { width: number; height: number; source: 'measured' | 'estimated' } {
  const measured = [fieldsOf(node.dims), fieldsOf(node.measured), fieldsOf(node.style), node].find(one => Number.isFinite(one?.width) && Number.isFinite(one?.height)) as { width: number; height: number } | undefined
  if (measured) return { width: measured.width, height: measured.height, source: 'measured' }
  const ports = Math.max(...[node.data.inputs, node.data.outputs].map(list => Array.isArray(list) ? list.length : 0))
  return { width: 320, height: 160 + 32 * Math.max(2, ports), source: 'estimated' }
}

const withDims = (node: WireNode) => ({ ...node, dims: dimsOf(node) })

export const wireOf = (saved: Saved): Json => saved as unknown as Json
