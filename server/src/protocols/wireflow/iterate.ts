/** `iteratorConfigs`: several executions of one graph, one for each item or each combination of items. Wireflow names the field and not its shape; this one is ours. Pure. */
import type { Json } from '../../domain/outcome.ts'
import { fieldsOf, labelOf, type WireGraph, type WireNode } from './graph.ts'
import { wrong } from './read.ts'

/** As many as are begun in one transaction. */
const combinationsMax = 200

export interface Item { nodeId: string; key: string; value: Json }
export type Combination = Item[]

const defaultKeys: Record<string, string> = { 'input:text': 'prompt', 'input:image': 'image', 'input:video': 'video', 'input:audio': 'audio', 'input:number': 'number' }

/** What is to be run: every combination, and how many of them may be at work at once. */
export interface Combinations { all: Combination[]; atOnceMax: number | null }

/**
 * Every combination, in order: lists with `mode: "zip"` go side by side, `product` (the default) combines each with each; of several
 * `maxConcurrency` the smallest counts, over all combinations. Null where nothing iterates. @throws {Problem} `bad_request`
 */
export function combinations(configs: unknown, { nodes, edges }: WireGraph): Combinations | null {
  if (configs === undefined || configs === null) return null
  if (!Array.isArray(configs)) throw wrong('iteratorConfigs', 'iteratorConfigs must be a list')
  if (configs.length === 0) return null
  let atOnceMax: number | null = null
  const zipped: Item[][] = []
  const crossed: Item[][] = []
  for (const [index, one] of configs.entries()) {
    const at = `iteratorConfigs[${index}]`
    const fields = fieldsOf(one)
    if (!fields) throw wrong(at, `${at} must be an object with nodeId, key and items`)
    const node = nodes.find(({ id }) => id === fields.nodeId)
    if (!node) throw wrong(`${at}.nodeId`, `${at}.nodeId names no node of the graph`)
    const nodeType = String(node.data.nodeType ?? '')
    const key = fields.key ?? (Object.hasOwn(defaultKeys, nodeType) ? defaultKeys[nodeType] : undefined)
    if (typeof key !== 'string' || !/^[\w-]{1,100}$/.test(key) || key in {}) throw wrong(`${at}.key`, `${at}.key must say which value of ${labelOf(node)} the items are for`)
    if (!Array.isArray(fields.items) || fields.items.length === 0) throw wrong(`${at}.items`, `${at}.items must be a list of at least one item`)
    if (edges.some(({ target, targetHandle }) => target === node.id && (targetHandle ?? '').replace(/^in-/, '') === key)) throw wrong(`${at}.key`, `${key} of ${labelOf(node)} is wired: iterate over the node it comes from`)
    const { mode = 'product' } = fields
    if (mode !== 'zip' && mode !== 'product') throw wrong(`${at}.mode`, `${at}.mode must be zip or product`)
    const { maxConcurrency } = fields
    if (maxConcurrency !== undefined && maxConcurrency !== null) {
      if (typeof maxConcurrency !== 'number' || !Number.isInteger(maxConcurrency) || maxConcurrency < 1) throw wrong(`${at}.maxConcurrency`, `${at}.maxConcurrency must be a whole number, 1 or more: how many of the executions are at work at once`)
      atOnceMax = Math.min(atOnceMax ?? combinationsMax, maxConcurrency)
    }
    ;(mode === 'zip' ? zipped : crossed).push(fields.items.map(value => ({ nodeId: node.id, key, value })))
  }
  const uneven = zipped.find(list => list.length !== zipped[0]!.length)
  if (uneven) throw wrong('iteratorConfigs', `Lists with mode zip must be equally long: one has ${zipped[0]!.length} items, another ${uneven.length}`)
  const side: Combination[] = zipped.length === 0 ? [[]] : zipped[0]!.map((_, index) => zipped.map(list => list[index]!))
  const count = crossed.reduce((product, list) => product * list.length, side.length)
  if (count > combinationsMax) throw wrong('iteratorConfigs', `These are ${count} executions; up to ${combinationsMax} are begun at once`, { allowed: { max: combinationsMax } })
  return { all: crossed.reduce<Combination[]>((all, list) => all.flatMap(one => list.map(item => [...one, item])), side), atOnceMax }
}

/** The graph with the values of one combination written on its nodes. */
export const withItem = ({ nodes, edges }: WireGraph, combination: Combination): WireGraph => ({
  edges, nodes: nodes.map((node): WireNode => {
    const items = combination.filter(({ nodeId }) => nodeId === node.id)
    return items.length === 0 ? node : { ...node, data: { ...node.data, config: { ...fieldsOf(node.data.config), ...Object.fromEntries(items.map(({ key, value }) => [key, value])) } } }
  }),
})
