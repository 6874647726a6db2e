import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { faceOf } from '../../nodes/contract.ts'
import iterate from '../../nodes/iterate.ts'
import list from '../../nodes/list.ts'
import concat from '../../nodes/concat.ts'
import { allot, boundsOf, type Standing } from './bounds.ts'
import { chanceOf, draws } from '../../../test/kit/chance.ts'
import { layOut } from './layout.ts'

const faces = new Map([iterate, list, concat].map(node => [node.id, faceOf(node as never)]))
const wire = (from: string, to: string) => { const [[a, p], [b, q]] = [from.split('.'), to.split('.')]; return { from: { node: a!, port: p! }, to: { node: b!, port: q! } } }
/** Two iterations side by side or inside each other, and what stands inside both. */
const graph = (one: object, two: object) => layOut({
  nodes: [{ id: 'l', kind: 'list', settings: {} }, { id: 'x', kind: 'iterate', settings: { ...one } }, { id: 'y', kind: 'iterate', settings: { ...two } }, { id: 'a', kind: 'concat', settings: {} }, { id: 'b', kind: 'concat', settings: {} }],
  edges: [wire('l.items', 'x.items'), wire('l.items', 'y.items'), wire('x.item', 'a.text1'), wire('a.text', 'b.text1'), wire('y.item', 'b.text2')], exposed: [],
}, faces)

describe('the bounds of a graph', () => {
  test('hold for what stands inside, last first', () => assert.deepEqual(boundsOf(graph({ parallelism: 3 }, {}), {}), [{ max: 3, nodes: ['b', 'a'] }]))
  test('are the smallest of a group', () => assert.deepEqual(boundsOf(graph({ parallelism: 3, group: 'g' }, { parallelism: 2, group: 'g' }), {}), [{ max: 2, nodes: ['b', 'a'] }]))
  test('are as whoever runs it says', () => assert.deepEqual(boundsOf(graph({ parallelism: 3 }, {}), { x: { parallelism: 7 } }), [{ max: 7, nodes: ['b', 'a'] }]))
  test('are one for each iteration', () => assert.deepEqual(boundsOf(graph({ parallelism: 3 }, { parallelism: 1 }), {}), [{ max: 3, nodes: ['b', 'a'] }, { max: 1, nodes: ['b'] }]))
  test('are none where nothing is said', () => assert.deepEqual(boundsOf(graph({}, {}), {}), []))
})

describe('what may be begun', () => {
  const bounds = [{ max: 3, nodes: ['b', 'a'] }, { max: 1, nodes: ['b'] }]
  const check = (title: string, standing: Standing[], places: number, wanted: Record<string, number>) => test(title, () => assert.deepEqual(Object.fromEntries(allot(standing, bounds, places)), wanted))
  check('goes on before it begins', [{ node: 'a', making: 0, ready: 9 }, { node: 'b', making: 0, ready: 9 }], 32, { b: 1, a: 2 })
  check('counts what is being made', [{ node: 'a', making: 2, ready: 9 }, { node: 'b', making: 1, ready: 9 }], 32, {})
  check('leaves room that nobody takes to the others', [{ node: 'a', making: 1, ready: 9 }], 32, { a: 2 })
  check('keeps to the places of the whole', [{ node: 'a', making: 0, ready: 9 }, { node: 'c', making: 0, ready: 9 }], 4, { a: 3, c: 1 })
  check('is not less than nothing where a bound was made smaller', [{ node: 'a', making: 7, ready: 9 }], 32, {})

  test('never goes beyond any bound, and never stands still while there is room', () => {
    fc.assert(fc.property(fc.nat(), seed => {
      const chance = chanceOf(seed)
      const pick = (count: number) => Math.floor(chance() * count)
      const nodes = ['a', 'b', 'c', 'd'].slice(0, 1 + pick(4))
      const some = Array.from({ length: pick(4) }, () => ({ max: 1 + pick(4), nodes: nodes.filter(() => chance() < 0.6) }))
      const standing = nodes.map(node => ({ node, making: pick(3), ready: pick(5) }))
      const places = pick(8)
      const allotted = allot(standing, some, places)
      const after = (node: string) => standing.find(one => one.node === node)!.making + (allotted.get(node) ?? 0)
      const begun = [...allotted.values()].reduce((sum, count) => sum + count, 0)
      assert.ok(begun <= places)
      for (const { max, nodes: inside } of some) {
        const before = inside.reduce((sum, node) => sum + standing.find(one => one.node === node)!.making, 0)
        assert.ok(inside.reduce((sum, node) => sum + after(node), 0) <= Math.max(max, before))
      }
      for (const { node, ready } of standing) {
        assert.ok((allotted.get(node) ?? 0) <= ready)
        const isFull = begun === places || some.some(({ max, nodes: inside }) => inside.includes(node) && inside.reduce((sum, one) => sum + after(one), 0) >= max)
        assert.ok(isFull || (allotted.get(node) ?? 0) === ready, `${node} might have begun`)
      }
    }), draws(2_000))
  })
})
