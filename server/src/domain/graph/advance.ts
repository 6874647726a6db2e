/**
 * What may run next when something has ended. Pure: states come in as arguments, what is to be opened goes out.
 *
 * A run of a node is *ready* once everything wired to it has ended, and *skipped* when something it needs failed, was skipped, or gave
 * nothing at the port. Skipped runs have ended too, so what hangs on them is looked at in turn; independent branches go on.
 */
import { graphLimits, type Instance, type Item } from './graph.ts'
import { groupOf, type Layout } from './layout.ts'

export type RunState = 'ready' | 'running' | 'waiting' | 'done' | 'failed' | 'skipped' | 'cancelled'
export const hasRunEnded = (state: RunState): boolean => state === 'done' || state === 'failed' || state === 'skipped' || state === 'cancelled'

/** A run as far as it is known; absent where there is none yet. */
export interface Known {
  state: RunState
  /** Ports that were given a value. */
  ports: readonly string[]
  /** Of an iterating node that is done: how many items. */
  length: number | null
}
export type Look = (instance: Instance) => Known | undefined

export interface Opening extends Instance { state: 'ready' | 'skipped'; because: string | null }

/** The part of an item that belongs to a scope around it. Scopes list their groups in one order, so this only leaves some out. */
export const project = (item: Item, from: readonly string[], to: readonly string[]): Item => from.length === to.length ? item : to.map(group => item[from.indexOf(group)]!)

/**
 * How many items a group has at an item of its parent scope; null while not all of its members have ended well.
 *
 * Members that disagree were refused when they ended (`unequal`), so the first one speaks for all.
 */
export function lengthOf(layout: Layout, group: string, at: Item, look: Look): number | null {
  const { members } = layout.groups.get(group)!
  let length: number | null = null
  for (const node of members) {
    const known = look({ node, item: at })
    if (known?.state !== 'done') return null
    length ??= known.length
  }
  return length
}

/** Why lists that go side by side cannot. */
export const unequal = (group: string, one: number, other: number): string =>
  `The lists of ${group.replace(/^group /, 'the group ')} are not equally long: one has ${one} items, another ${other}. Lists that go side by side need the same number; give them different groups to combine each with each.`

/** Why lists of different groups cannot be combined. */
export const tooMany = `These lists make more than ${graphLimits.items.toLocaleString('en-US')} combinations, and no step runs more often in one execution. Use shorter lists, go through them side by side (one group), or run the workflow several times.`

/** How many runs a node of this scope has, as far as its lists are there; something above `max` where there are more. */
export function countItems(layout: Layout, scope: readonly string[], look: Look, max: number): number {
  if (scope.length === 0) return 1
  const around = scope.slice(0, -1)
  const { parent } = layout.groups.get(scope.at(-1)!)!
  // Bounded before it is gone through: ten thousand by ten thousand by nothing is nothing, and takes an hour to find out.
  const before = countItems(layout, around, look, max)
  if (before > max) return before
  let count = 0
  for (const item of items(layout, around, new Map(), look)) {
    count += lengthOf(layout, scope.at(-1)!, project(item, around, parent), look) ?? 0
    if (count > max) break
  }
  return count
}

/** Runs of a node that agree with `fixed` (some groups of its scope already decided); none while a length is unknown. */
function* items(layout: Layout, scope: readonly string[], fixed: ReadonlyMap<string, number>, look: Look, item: number[] = []): Generator<Item> {
  if (item.length === scope.length) { yield [...item]; return }
  const group = scope[item.length]!
  const given = fixed.get(group)
  if (given !== undefined) { item.push(given); yield* items(layout, scope, fixed, look, item); item.pop(); return }
  const { parent } = layout.groups.get(group)!
  const length = lengthOf(layout, group, parent.map(one => item[scope.indexOf(one)] ?? fixed.get(one)!), look)
  if (length === null) return
  for (let index = 0; index < length; index++) { item.push(index); yield* items(layout, scope, fixed, look, item); item.pop() }
}

const fix = (scope: readonly string[], item: Item): Map<string, number> => new Map(scope.map((group, index) => [group, item[index]!]))

/** Runs that may have become possible because this one ended. Collecting nodes are not among them (`collecting`). */
export function* candidates(layout: Layout, ended: Instance, look: Look): Generator<Instance> {
  const fixed = fix(layout.scopeOf.get(ended.node)!, ended.item)
  // A group opens when the last of its members has ended, for the readers of all of them.
  const givers = layout.faceOf(ended.node).role === 'iterate' ? layout.groups.get(groupOf(layout.nodes.get(ended.node)!))!.members : [ended.node]
  for (const node of new Set(givers.flatMap(giver => layout.outOf.get(giver) ?? []).map(edge => edge.to.node))) {
    if (layout.faceOf(node).role === 'collect') continue
    for (const item of items(layout, layout.scopeOf.get(node)!, fixed, look)) yield { node, item }
  }
}

/** The collecting runs this one belongs to, and by how many it brings them nearer: the single edge of a collecting node is counted run by run. */
export function* collecting(layout: Layout, ended: Instance): Generator<Instance> {
  const scope = layout.scopeOf.get(ended.node)!
  for (const { to } of layout.outOf.get(ended.node) ?? []) {
    if (layout.faceOf(to.node).role !== 'collect') continue
    yield { node: to.node, item: project(ended.item, scope, layout.scopeOf.get(to.node)!) }
  }
}

/** The node a collecting node reads, the scope that one runs in, and the group that is closed. */
export function collected(layout: Layout, node: string): { source: string; group: string; scope: string[] } {
  const source = layout.into.get(node)![0]!.from.node
  const scope = layout.scopeOf.get(source)!
  return { source, group: scope.at(-1)!, scope }
}

/** How many runs a collecting run waits for; null while that is not known. */
export function awaited(layout: Layout, { node, item }: Instance, look: Look): number | null {
  const { group } = collected(layout, node)
  const { parent } = layout.groups.get(group)!
  return lengthOf(layout, group, project(item, layout.scopeOf.get(node)!, parent), look)
}

/** Whether a run may begin, must be skipped, or waits. For nodes that do not collect. */
export function judge(layout: Layout, { node, item }: Instance, look: Look): Opening | null {
  const scope = layout.scopeOf.get(node)!
  const face = layout.faceOf(node)
  let arrived = 0
  let because: string | null = null
  const given = new Set<string>()
  const wired = new Set<string>()
  for (const { from, to } of layout.into.get(node) ?? []) {
    const known = look({ node: from.node, item: project(item, scope, layout.scopeOf.get(from.node)!) })
    if (!known || !hasRunEnded(known.state)) return null
    wired.add(to.port)
    if (known.state !== 'done') because ??= known.state === 'failed' ? `${from.node} failed` : `${from.node} was ${known.state}`
    else if (known.ports.includes(from.port)) { arrived++; given.add(to.port) }
  }
  if (face.role === 'tolerant') {
    return arrived > 0 || wired.size === 0 ? { node, item, state: 'ready', because: null } : { node, item, state: 'skipped', because: because ?? 'nothing came this way' }
  }
  if (because) return { node, item, state: 'skipped', because }
  const missing = [...wired].find(port => !given.has(port) && face.inputs.find(one => one.id === port)?.required)
  return missing === undefined ? { node, item, state: 'ready', because: null } : { node, item, state: 'skipped', because: `nothing came to ${missing}` }
}

/** The runs that begin a graph: those of nodes that read nothing. */
export const roots = (layout: Layout, among: ReadonlySet<string>): Instance[] =>
  layout.order.flatMap(node => among.has(node) && (layout.into.get(node) ?? []).length === 0 ? [{ node, item: [] }] : [])

/** The nodes a target needs, itself included; all of them without a target. */
export function needed(layout: Pick<Layout, 'into' | 'order'>, target: string | null): Set<string> {
  if (target === null) return new Set(layout.order)
  const found = new Set([target])
  for (const node of found) for (const { from } of layout.into.get(node) ?? []) found.add(from.node)
  return found
}

/**
 * Collecting runs that an ended iterating node decides: those whose list is empty are ready, those whose list will never be are skipped.
 *
 * The second only where the collecting node stands just outside the group; further out the missing run says it by itself.
 */
export function* decided(layout: Layout, ended: Instance, state: RunState, look: Look): Generator<Opening> {
  if (layout.faceOf(ended.node).role !== 'iterate') return
  const own = groupOf(layout.nodes.get(ended.node)!)
  const { parent } = layout.groups.get(own)!
  for (const node of layout.order) {
    if (layout.faceOf(node).role !== 'collect') continue
    const { group, scope: inner } = collected(layout, node)
    if (!inner.includes(own)) continue
    const scope = layout.scopeOf.get(node)!
    if (state !== 'done') {
      if (group === own && scope.join() === parent.join()) yield { node, item: ended.item, state: 'skipped', because: `${ended.node} ${state === 'failed' ? 'failed' : `was ${state}`}` }
      continue
    }
    for (const item of items(layout, scope, fix(parent, ended.item), look)) if (awaited(layout, { node, item }, look) === 0) yield { node, item, state: 'ready', because: null }
  }
}
