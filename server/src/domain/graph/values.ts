/**
 * What goes into one run of a node: values that came along edges, that the caller gave, that stand on the node, or the port's default, the
 * first there is. Pure; the same function serves the planner and the run, so the two cannot disagree.
 */
import type { Json } from '../outcome.ts'
import { Problem } from '../problem.ts'
import type { Edge, GraphNode, Media, NodeFace, Port } from './graph.ts'

export type Values = Record<string, Json>

/** Values by node and port that were handed in with an execution. */
export type Given = Record<string, Values>

/** A value that came along an edge, or `unknown`: it will come, only the run can tell. */
export type Arrived = { edge: Edge; value: Json; list: boolean } | { edge: Edge; unknown: true }

/** A port whose value only the run will tell. */
export const unknown: unique symbol = Symbol('unknown')
export type Resolved = Record<string, Json | typeof unknown>

export const isMedia = (value: unknown): value is Media =>
  typeof value === 'object' && value !== null && 'asset' in value && 'sha256' in value && 'mime' in value && typeof value.asset === 'string' && typeof value.sha256 === 'string' && typeof value.mime === 'string'

/**
 * The inputs of one run.
 *
 * Single values wired to a list are a list of one, several edges follow each other in the order of the graph, numbers and yes/no become text
 * where text is wanted. An item that is a list itself is iterated over item by item. A port with neither value nor default is left out.
 */
export function resolve(node: GraphNode, face: NodeFace, arrived: Arrived[], given: Given, override: Values | null = null): Resolved {
  const resolved: Resolved = {}
  for (const port of face.inputs) {
    const came = arrived.filter(({ edge }) => edge.to.port === port.id)
    if (override && Object.hasOwn(override, port.id)) resolved[port.id] = override[port.id]!
    else if (came.length > 0) resolved[port.id] = join(port, face, came)
    else {
      const value = given[node.id]?.[port.id] ?? node.settings[port.id] ?? (port.schema.default as Json | undefined)
      if (value !== undefined) resolved[port.id] = port.list && !Array.isArray(value) ? [value] : value
    }
  }
  return resolved
}

function join(port: Port, face: NodeFace, came: Arrived[]): Json | typeof unknown {
  if (came.some(one => 'unknown' in one)) return unknown
  const values = came as Extract<Arrived, { value: Json }>[]
  if (port.list && face.role !== 'collect') return values.flatMap(({ value, list }) => (list || face.role === 'iterate') && Array.isArray(value) ? value.map(one => convert(port, one)) : [convert(port, value)])
  // A tolerant node takes the first that came.
  return convert(port, values[0]!.value)
}

const convert = ({ type }: Port, value: Json): Json => type === 'text' && (typeof value === 'number' || typeof value === 'boolean') ? String(value) : value

/** Whether everything is known; narrows. */
export const isKnown = (resolved: Resolved): resolved is Values => Object.values(resolved).every(value => value !== unknown)

/** @throws {Problem} `bad_request` naming the node and the port, where a value does not fit its port */
export function refuse(node: string, flaw: { port: string; message: string }): never {
  throw new Problem('bad_request', `${node}: ${flaw.port} ${flaw.message}`, { field: `nodes.${node}.${flaw.port}` })
}

/**
 * What of a run's inputs decides its result: pictures by their bytes, not by their ids, keys in one order.
 *
 * `more` is what else decides (the card a model's name stands for).
 */
export function keyText(face: Pick<NodeFace, 'id' | 'version'>, values: Values, more: Json = null): string {
  return JSON.stringify([face.id, face.version, values, more], (_name, value: unknown) => {
    if (isMedia(value)) return { sha256: value.sha256 }
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1)) : value
  })
}

/** What one value may be at most, and all that goes into one run: every megabyte on its way holds everybody up for some milliseconds, and values that are put together grow by themselves. */
export const valueLimits = { characters: 4_000_000, charactersIn: 16_000_000, depth: 100 } as const

const sizes = new WeakMap<object, number>()

/** About how many characters a value is when it is written down; Infinity for one that is nested too deep. What stands in several places counts in each. */
export function sizeOf(value: Json | undefined, depth = 0): number {
  if (typeof value === 'string') return value.length + 2
  if (value === null || typeof value !== 'object') return 8
  const known = depth === 0 ? sizes.get(value) : undefined
  if (known !== undefined) return known
  if (depth >= valueLimits.depth) return Infinity
  let size = 2
  if (Array.isArray(value)) for (const one of value) size += sizeOf(one, depth + 1)
  else for (const name in value) size += name.length + 3 + sizeOf(value[name], depth + 1)
  if (depth === 0) sizes.set(value, size)
  return size
}

/** @throws {Problem} `too_large` for what goes into a run, or comes out of it, where it is more than may be on its way */
export function refuseLarge(node: string, values: Resolved, side: 'in' | 'out'): void {
  let all = 0
  for (const [port, value] of Object.entries(values)) {
    if (value === unknown) continue
    const size = sizeOf(value)
    all += size
    if (size === Infinity) throw new Problem('too_large', `${node}: what ${side === 'in' ? 'goes in' : 'comes out'} at ${port} is nested more than ${valueLimits.depth} deep. Make it flatter.`, { field: `nodes.${node}.${port}` })
    if (size > valueLimits.characters) throw new Problem('too_large', `${node}: what ${side === 'in' ? 'goes in' : 'comes out'} at ${port} is more than ${valueLimits.characters / 1e6} million characters, written down. Take a part of it, or send long lists as a batch.`, { field: `nodes.${node}.${port}`, allowed: { maximum: valueLimits.characters } })
  }
  if (side === 'in' && all > valueLimits.charactersIn) throw new Problem('too_large', `${node}: all that goes in is more than ${valueLimits.charactersIn / 1e6} million characters, written down. Give it less at once.`, { field: `nodes.${node}`, allowed: { maximum: valueLimits.charactersIn } })
}

/** Every picture, film and sound in a value, however deep. */
export function* mediaIn(value: Json | undefined): Generator<Media> {
  if (value === null || typeof value !== 'object') return
  if (isMedia(value)) { yield value as Media; return }
  for (const one of Array.isArray(value) ? value : Object.values(value)) yield* mediaIn(one)
}
