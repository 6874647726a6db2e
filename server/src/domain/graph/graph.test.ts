import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { awaited, candidates, collecting, decided, hasRunEnded, judge, project, roots, type Known, type Opening, type RunState } from './advance.ts'
import { instanceKey, itemKey, type Edge, type Graph, type GraphNode, type Instance, type NodeFace, type Port } from './graph.ts'
import { givenIn, layOut, sortNodes, type Layout } from './layout.ts'
import { lint, nearest } from './lint.ts'
import { chanceOf, draws } from '../../../test/kit/chance.ts'

const portOf = (id: string, more: Partial<Port> = {}): Port => ({ id, title: id, type: 'any', list: false, required: true, wireable: true, schema: {}, ...more })
const face = (id: string, inputs: Port[], outputs: Port[], more: Partial<NodeFace> = {}): [string, NodeFace] =>
  [id, { id, title: id, category: 'flow', description: '', version: 1, role: 'plain', makes: 'nothing', reusable: true, inputs, outputs, ...more }]
const faces = new Map([
  face('source', [portOf('length', { wireable: false, required: false, type: 'number' })], [portOf('list', { list: true }), portOf('one')]),
  face('join', [portOf('a'), portOf('b', { required: false })], [portOf('one')]),
  face('list', [portOf('a')], [portOf('list', { list: true })]),
  face('choose', [portOf('a')], [portOf('yes'), portOf('no')]),
  face('merge', [portOf('a', { required: false, list: true })], [portOf('one')], { role: 'tolerant' }),
  face('iterate', [portOf('items', { list: true }), portOf('group', { wireable: false, required: false })], [portOf('item')], { role: 'iterate' }),
  face('collect', [portOf('items')], [portOf('items', { list: true })], { role: 'collect' }),
  face('text', [portOf('text', { type: 'text', wireable: false })], [portOf('text', { type: 'text' })]),
  face('picture', [portOf('prompt', { type: 'text' }), portOf('images', { type: 'image', list: true, required: false })], [portOf('image', { type: 'image' }), portOf('images', { type: 'image', list: true })], { makes: 'order' }),
  face('resize', [portOf('image', { type: 'image' }), portOf('width', { type: 'number', wireable: false })], [portOf('image', { type: 'image' })]),
])
const node = (id: string, kind: string, settings: GraphNode['settings'] = {}): GraphNode => ({ id, kind, settings })
const edge = (from: string, to: string): Edge => {
  const [[a, p], [b, q]] = [from.split('.'), to.split('.')] as [[string, string], [string, string]]
  return { from: { node: a, port: p }, to: { node: b, port: q } }
}
const graph = (nodes: GraphNode[], edges: Edge[]): Graph => ({ nodes, edges, exposed: [] })
const check = (one: Graph) => lint(one, faces, () => null)
const rules = (one: Graph) => check(one).violations.map(({ rule }) => rule)

/** Runs a graph without a database: `chance` decides which of the ready runs ends next, `fate` how it ends. */
function simulate(layout: Layout, workers: number, chance: () => number, fate: (instance: Instance) => { state: RunState; length: number; ports: string[] }) {
  const known = new Map<string, Known>()
  const missing = new Map<string, number>()
  const hands: Instance[] = []
  const ready: Instance[] = []
  const begun: string[] = []
  const look = (instance: Instance) => known.get(instanceKey(instance))
  const add = (opening: Opening): boolean => {
    const name = instanceKey(opening)
    if (known.has(name)) return false
    known.set(name, { state: opening.state, ports: [], length: null })
    if (opening.state === 'ready') ready.push(opening)
    return true
  }
  const end = (first: Instance) => {
    let ended: Instance[] = [first]
    while (ended.length > 0) {
      const openings: Opening[] = []
      for (const instance of ended) {
        for (const candidate of candidates(layout, instance, look)) { const opening = judge(layout, candidate, look); if (opening) openings.push(opening) }
        openings.push(...decided(layout, instance, look(instance)!.state, look))
        for (const collector of collecting(layout, instance)) {
          const name = instanceKey(collector)
          const left = (missing.get(name) ?? awaited(layout, collector, look)!) - 1
          missing.set(name, left)
          if (left === 0) openings.push({ ...collector, state: 'ready', because: null })
        }
      }
      ended = openings.filter(opening => add(opening) && opening.state === 'skipped')
    }
  }
  for (const instance of roots(layout, new Set(layout.order))) add({ ...instance, state: 'ready', because: null })
  while (ready.length + hands.length > 0) {
    while (hands.length < workers && ready.length > 0) {
      const instance = ready.splice(Math.floor(chance() * ready.length), 1)[0]!
      begun.push(instanceKey(instance))
      for (const { from } of layout.into.get(instance.node) ?? []) {
        const scope = layout.scopeOf.get(instance.node)!
        if (layout.faceOf(instance.node).role === 'collect') continue
        const source = look({ node: from.node, item: project(instance.item, scope, layout.scopeOf.get(from.node)!) })
        assert.ok(source && hasRunEnded(source.state), `${instanceKey(instance)} began before ${from.node} had ended`)
      }
      hands.push(instance)
    }
    const instance = hands.splice(Math.floor(chance() * hands.length), 1)[0]!
    const { state, length, ports } = fate(instance)
    known.set(instanceKey(instance), { state, ports: state === 'done' ? ports : [], length: state === 'done' ? length : null })
    end(instance)
  }
  return { begun, states: new Map([...known].map(([name, { state }]) => [name, state])) }
}

/** Random graphs: nodes added one after another, each reading what is there and fits. */
const graphs = fc.array(fc.tuple(fc.constantFrom('source', 'join', 'list', 'choose', 'merge', 'iterate', 'collect'), fc.nat(), fc.nat(), fc.nat(3)), { minLength: 1, maxLength: 14 }).map(choices => {
  const nodes: GraphNode[] = [node('n0', 'source', { length: 3 })]
  const edges: Edge[] = []
  for (const [index, [kind, a, b, group]] of choices.entries()) {
    const id = `n${index + 1}`
    const outs = (lists: boolean | null) => nodes.flatMap(one => faces.get(one.kind)!.outputs.filter(port => lists === null || port.list === lists).map(port => `${one.id}.${port.id}`))
    const pick = (all: string[], at: number) => all[at % all.length]!
    const added = (): boolean => {
      switch (kind) {
        case 'source': nodes.push(node(id, kind, { length: a % 4 })); return true
        case 'iterate': nodes.push(node(id, kind, group > 1 ? { group: `g${group}` } : {})); edges.push(edge(pick(outs(true), a), `${id}.items`)); return true
        case 'merge': nodes.push(node(id, kind)); edges.push(edge(pick(outs(null).filter(one => !one.startsWith(id)), a), `${id}.a`), edge(pick(outs(null), b), `${id}.a`)); return true
        case 'join': nodes.push(node(id, kind)); edges.push(edge(pick(outs(false), a), `${id}.a`), edge(pick(outs(false), b), `${id}.b`)); return true
        default: nodes.push(node(id, kind)); edges.push(edge(pick(outs(kind === 'collect' ? null : false), a), `${id}.${kind === 'collect' ? 'items' : 'a'}`)); return true
      }
    }
    const before = { nodes: nodes.length, edges: edges.length }
    added()
    // What would make it unsound is left out again.
    if (!check(graph(nodes, edges)).ok) { nodes.length = before.nodes; edges.length = before.edges }
  }
  return graph(nodes, edges)
})

const hash = (text: string, salt: number) => { let sum = salt; for (const letter of text) sum = Math.imul(sum ^ letter.charCodeAt(0), 16777619); return chanceOf(sum)() }

describe('any sound graph', () => {
  const run = (layout: Layout, salt: number, workers: number, order: number) => simulate(layout, workers, chanceOf(order), instance => {
    const luck = hash(instanceKey(instance), salt)
    const outs = layout.faceOf(instance.node).outputs.map(({ id }) => id)
    const { group, length } = layout.nodes.get(instance.node)!.settings
    // Members of a group agree on their length, as what refuses unequal lists sees to.
    return { state: luck < 0.12 ? 'failed' : 'done', ports: layout.nodes.get(instance.node)!.kind === 'choose' ? [luck < 0.5 ? 'yes' : 'no'] : outs, length: typeof length === 'number' ? length : Math.floor(hash(`${group ?? instance.node} ${itemKey(instance.item)}`, salt) * 4) }
  })
  test('runs each node at most once an item, after what it reads, and ends the same whoever works in whatever order', () => {
    fc.assert(fc.property(graphs, fc.nat(), fc.nat(), fc.nat(), (one, salt, order, otherOrder) => {
      assert.deepEqual(check(one).violations, [])
      const layout = layOut(one, faces)
      const alone = run(layout, salt, 1, order)
      const many = run(layout, salt, 7, otherOrder)
      assert.equal(new Set(alone.begun).size, alone.begun.length)
      assert.equal(new Set(many.begun).size, many.begun.length)
      assert.deepEqual([...many.states].sort(), [...alone.states].sort())
    }), draws(400))
  })
  test('without failures and empty lists reaches every node', () => {
    fc.assert(fc.property(graphs, fc.nat(), (one, order) => {
      const layout = layOut(one, faces)
      const { states } = simulate(layout, 3, chanceOf(order), instance => ({ state: 'done', length: 2, ports: layout.faceOf(instance.node).outputs.map(({ id }) => id) }))
      assert.deepEqual(layout.order.filter(id => ![...states.keys()].some(name => name.startsWith(`${id} `))), [])
      assert.ok([...states.values()].every(state => state === 'done'))
    }), draws(200))
  })
})

describe('iterations', () => {
  const layout = layOut(graph(
    [node('a', 'source'), node('x', 'iterate'), node('y', 'iterate'), node('mix', 'join'), node('inner', 'collect'), node('outer', 'collect')],
    [edge('a.list', 'x.items'), edge('a.list', 'y.items'), edge('x.item', 'mix.a'), edge('y.item', 'mix.b'), edge('mix.one', 'inner.items'), edge('inner.items', 'outer.items')]), faces)
  test('of different groups stand inside each other', () => {
    assert.deepEqual([layout.scopeOf.get('mix'), layout.scopeOf.get('inner'), layout.scopeOf.get('outer'), givenIn(layout, 'x')], [['x', 'y'], ['x'], [], ['x']])
  })
  test('run every combination', () => {
    const { states } = simulate(layout, 2, chanceOf(1), ({ node: id }) => ({ state: 'done', length: id === 'x' ? 2 : 3, ports: ['one', 'list', 'item', 'items'] }))
    assert.equal([...states.keys()].filter(name => name.startsWith('mix ')).length, 6)
    assert.equal([...states.keys()].filter(name => name.startsWith('inner ')).length, 2)
    assert.equal(states.get('outer '), 'done')
  })
  test('over nothing collect nothing', () => {
    const { states } = simulate(layout, 2, chanceOf(1), ({ node: id }) => ({ state: 'done', length: id === 'x' ? 2 : 0, ports: ['one', 'list', 'item', 'items'] }))
    assert.deepEqual([...states].filter(([name]) => /^(mix|inner|outer) /.test(name)).sort(), [['inner 0', 'done'], ['inner 1', 'done'], ['outer ', 'done']])
  })
  test('of one group run side by side', () => {
    const zipped = layOut(graph(
      [node('a', 'source'), node('x', 'iterate', { group: 'g' }), node('y', 'iterate', { group: 'g' }), node('mix', 'join')],
      [edge('a.list', 'x.items'), edge('a.list', 'y.items'), edge('x.item', 'mix.a'), edge('y.item', 'mix.b')]), faces)
    const { states } = simulate(zipped, 2, chanceOf(1), () => ({ state: 'done', length: 3, ports: ['one', 'list', 'item'] }))
    assert.deepEqual([...states.keys()].filter(name => name.startsWith('mix ')).sort(), ['mix 0', 'mix 1', 'mix 2'])
  })
  test('keep a failure with its item', () => {
    const { states } = simulate(layout, 2, chanceOf(1), ({ node: id, item }) => ({ state: id === 'mix' && item[0] === 1 && item[1] === 2 ? 'failed' : 'done', length: 3, ports: ['one', 'list', 'item', 'items'] }))
    assert.deepEqual([states.get('mix 1.2'), states.get('inner 1'), states.get('outer ')], ['failed', 'done', 'done'])
  })
})

describe('a graph is refused', () => {
  const cases: [string, Graph, string][] = [
    ['without nodes', graph([], []), 'empty'],
    ['with two nodes of one name', graph([node('a', 'source'), node('a', 'source')], []), 'same-id'],
    ['with a kind that does not exist', graph([node('a', 'sorce')], []), 'unknown-kind'],
    ['with an edge to nowhere', graph([node('a', 'source')], [edge('a.one', 'b.a')]), 'dangling-edge'],
    ['with a port that is not given', graph([node('a', 'source'), node('b', 'list')], [edge('a.on', 'b.a')]), 'bad-source-port'],
    ['with a port that is not taken', graph([node('a', 'source'), node('b', 'list')], [edge('a.one', 'b.b')]), 'bad-target-port'],
    ['with a wired setting', graph([node('a', 'text', { text: 'x' }), node('b', 'text')], [edge('a.text', 'b.text')]), 'setting-wired'],
    ['with types that do not meet', graph([node('a', 'text', { text: 'x' }), node('b', 'resize', { width: 3 })], [edge('a.text', 'b.image')]), 'types'],
    ['with a list where one is taken', graph([node('t', 'text', { text: 'x' }), node('a', 'picture'), node('b', 'resize', { width: 3 })], [edge('t.text', 'a.prompt'), edge('a.images', 'b.image')]), 'list-into-one'],
    ['with two edges into one place', graph([node('a', 'source'), node('b', 'list')], [edge('a.one', 'b.a'), edge('a.list', 'b.a')]), 'port-taken'],
    ['with nodes that wait for each other', graph([node('a', 'join'), node('b', 'join')], [edge('a.one', 'b.a'), edge('b.one', 'a.a')]), 'cycle'],
    ['that collects what nothing iterates', graph([node('a', 'source'), node('b', 'collect')], [edge('a.one', 'b.items')]), 'nothing-to-collect'],
    ['that collects at once what it iterates', graph([node('a', 'source'), node('b', 'iterate'), node('c', 'collect')], [edge('a.list', 'b.items'), edge('b.item', 'c.items')]), 'nothing-between'],
    ['with a value that is missing', graph([node('b', 'list')], []), 'missing-value'],
    ['with a setting that is unknown', graph([node('a', 'source', { lenght: 3 })], []), 'unknown-setting'],
    ['with an input for nobody', { ...graph([node('a', 'source')], []), exposed: [{ name: 'x', node: 'b', port: 'a' }] }, 'dangling-input'],
    ['with an input where an edge goes', { ...graph([node('a', 'source'), node('b', 'list')], [edge('a.one', 'b.a')]), exposed: [{ name: 'x', node: 'b', port: 'a' }] }, 'input-wired'],
    ['that is too large', graph(Array.from({ length: 1_001 }, (_, index) => node(`n${index}`, 'source')), []), 'too-many-nodes'],
    ['that iterates inside its own group', graph([node('a', 'source'), node('x', 'iterate', { group: 'g' }), node('l', 'list'), node('y', 'iterate', { group: 'g' })], [edge('a.list', 'x.items'), edge('x.item', 'l.a'), edge('l.list', 'y.items')]), 'iterate-inside-itself'],
    ['that iterates what its own group has made', graph([node('a', 'source'), node('x', 'iterate', { group: 'g' }), node('mix', 'join'), node('all', 'collect'), node('y', 'iterate', { group: 'g' })], [edge('a.list', 'x.items'), edge('x.item', 'mix.a'), edge('mix.one', 'all.items'), edge('all.items', 'y.items')]), 'group-waits'],
  ]
  for (const [what, one, rule] of cases) test(what, () => {
    const found = check(one).violations.find(violation => violation.rule === rule)
    assert.ok(found, `${rule} is not among ${rules(one).join(', ')}`)
    assert.ok(found.message.length > 10 && found.fix.length > 5)
  })
  test('with the word that was meant', () => assert.equal(check(graph([node('a', 'sorce')], [])).violations[0]!.fix, 'Did you mean "source"?'))
})

test('an order keeps ties as they were drawn', () => assert.deepEqual(sortNodes(graph([node('c', 'join'), node('a', 'source'), node('b', 'source')], [edge('a.one', 'c.a')])), ['a', 'b', 'c']))

describe('graphs that are made to be long in checking', () => {
  test('a thousand long names, each missed five times, are told of and not all guessed at', () => {
    const long = (index: number) => `${'n'.repeat(90)}${String(index).padStart(6, '0')}`
    const all = Array.from({ length: 1_000 }, (_, index) => node(long(index), 'source'))
    const missed = Array.from({ length: 5_000 }, (_, index) => ({ from: { node: `${'m'.repeat(90)}${index}`, port: 'one' }, to: { node: long(0), port: 'length' } }))
    const { violations } = check(graph(all, missed))
    assert.equal(violations.filter(({ rule }) => rule === 'dangling-edge').length, 5_000)
    assert.equal(violations.at(-1)!.fix, 'Remove the edge or add the node.')
    const effort = { left: 10_000 }
    assert.equal(nearest('x'.repeat(100), all.map(({ id }) => id), effort), null)
    assert.ok(effort.left < 0 && effort.left > -10_000, 'it stops where its effort ends')
    assert.equal(nearest('sourse', ['join', 'source'], { left: 1_000 }), 'source')
  })
  const follows = face('pass', [portOf('in', { required: false, list: true })], [portOf('out', { follows: 'in' })], { role: 'tolerant' })
  const checkPassing = (one: Graph) => lint(one, new Map([...faces, follows]), () => null)
  const passes = (count: number) => Array.from({ length: count }, (_, index) => node(`p${index}`, 'pass'))
  const row = (count: number) => Array.from({ length: count - 1 }, (_, index) => edge(`p${index}.out`, `p${index + 1}.in`))
  test('a type is followed through four hundred nodes', () => {
    const [nodes, edges] = [[node('t', 'text', { text: 'x' }), ...passes(400), node('small', 'resize', { width: 1 })], [edge('t.text', 'p0.in'), ...row(400), edge('p399.out', 'small.image')]]
    assert.deepEqual(checkPassing(graph(nodes, edges)).violations.map(({ rule, message }) => [rule, /gives (\w+) at/.exec(message)?.[1]])[0], ['types', 'text'])
  })
  test('five thousand edges over a thousand of them, and a ring of them, come to an end', () => {
    const more = Array.from({ length: 4_000 }, (_, index) => edge(`p${index % 990}.out`, `p${index % 990 + 2 + index % 7}.in`))
    assert.deepEqual(checkPassing(graph(passes(1_000), [...row(1_000), ...more])).violations.map(({ rule }) => rule), ['too-deep'])
    assert.deepEqual(checkPassing(graph(passes(3), [...row(3), edge('p2.out', 'p0.in')])).violations.map(({ rule }) => rule), ['cycle'])
  })
})
