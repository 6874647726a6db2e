/**
 * A workflow's graph: nodes that take values in at ports and give values out, and edges between them.
 *
 * Everything in this folder is pure. Absent on purpose: what a node does (`nodes/`), rows, the clock.
 */
import type { JsonSchema } from '../card.ts'
import type { Json } from '../outcome.ts'

export const portTypes = ['text', 'number', 'boolean', 'image', 'video', 'audio', 'json', 'any'] as const
export type PortType = (typeof portTypes)[number]

/** A picture, film or sound on its way through a graph: an asset of the project. */
export interface Media { asset: string; sha256: string; mime: string; width: number | null; height: number | null }

/** Where a value goes into a node or comes out of it. */
export interface Port {
  id: string
  title: string
  type: PortType
  /** Takes or gives a list. A single value wired to a list is a list of one; several edges into one list follow each other. */
  list: boolean
  /** Of an output: that it always gives something, where its node ends well. */
  required: boolean
  /** False for a setting: it is written on the node and cannot be wired. */
  wireable: boolean
  /** Of an output: its type is that of whatever is wired to this input. */
  follows?: string
  schema: JsonSchema
}

/**
 * What a graph may know of a kind of node.
 *
 * `iterate` gives the items of its list one by one: what follows runs once an item. `collect` puts them in a list again. `tolerant`
 * runs with what there is, where others are skipped because something before them failed.
 */
export interface NodeFace {
  id: string
  title: string
  category: string
  description: string
  /** Raised when the same inputs make something else: results of the version before are not reused. */
  version: number
  role: 'plain' | 'iterate' | 'collect' | 'tolerant'
  /** `order`: it buys something of the engine; `review`: it waits for a person; `call`: it runs another workflow. */
  makes: 'nothing' | 'order' | 'review' | 'call'
  /** False where the same inputs may give another result, or where running is the point (publishing): never reused. */
  reusable: boolean
  inputs: Port[]
  outputs: Port[]
}

export interface GraphNode {
  id: string
  /** A node kind's id. */
  kind: string
  title?: string
  /** Values of inputs that nothing is wired to, by port. */
  settings: Record<string, Json>
  /** Made anew by every execution, where the point is what comes of it today: it takes no earlier results. */
  fresh?: boolean
  position?: { x: number; y: number }
}

export interface Edge { from: { node: string; port: string }; to: { node: string; port: string } }

/** An input that whoever runs the workflow fills in, by a name of its own. */
export interface Exposed { name: string; node: string; port: string; title?: string; description?: string; required?: boolean }

export interface Graph { nodes: GraphNode[]; edges: Edge[]; exposed: Exposed[] }

/** Which run of a node: the positions in the lists around it, outermost first; empty outside of every iteration. */
export type Item = readonly number[]
export interface Instance { node: string; item: Item }

/** What one graph may hold, so that no run of it can grow without end. */
export const graphLimits = { nodes: 1_000, edges: 5_000, depth: 500, exposed: 100, items: 10_000, settingsBytes: 512 * 1024 } as const

export const itemKey = (item: Item): string => item.join('.')
export const instanceKey = ({ node, item }: Instance): string => `${node} ${itemKey(item)}`

/** A problem of one run, told with its node and item; one that names its node already is not told twice. */
export function inPlace({ node, item }: Instance, message: string): string {
  const place = item.length === 0 ? node : `${node} (item ${item.map(index => index + 1).join('.')})`
  return `${place}: ${message.startsWith(`${node}: `) ? message.slice(node.length + 2) : message}`
}
