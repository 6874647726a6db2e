import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadFolders } from '../../kit/loader.ts'
import { faceOf, type Node } from '../../nodes/contract.ts'
import type { Card } from '../../domain/card.ts'
import type { Graph } from '../../domain/graph/graph.ts'
import { drawGraph, inputsOf, pickInputs, readGraph, translate, withoutEmpty, type WireGraph } from './graph.ts'
import { cardOf, typesOf, serve, type House } from './kinds.ts'

const nodes = await loadFolders<Node>(new URL('../../nodes/', import.meta.url))
const card = (id: string, operations: string[], properties: object, names: string[] = []) => ({ id, title: id, aliases: [], operations, dialects: names.length > 0 ? { wireflow: names.map(name => ({ id: name })) } : {}, parameters: { properties }, life: { state: 'active' } }) as unknown as Card
const ratio = { aspect_ratio: { enum: ['1:1', '16:9', '3:4'] }, count: { type: 'integer' }, seed: { type: 'integer' } }
const house: House = {
  faces: new Map(nodes.map(one => [one.id, faceOf(one)])),
  cards: [card('nano-banana-pro', ['generate', 'edit'], ratio), card('gpt-image-2', ['generate', 'edit'], { size: { type: 'string' }, count: { type: 'integer' } }, ['generate:openai_gpt_image_2']), card('kling-2.6', ['video'], { duration_s: { type: 'integer' } }), card('topaz-upscale', ['upscale'], { factor: { type: 'integer' } })],
}
const text = (id: string, config: object = { prompt: 'x' }) => ({ id, data: { nodeType: 'input:text', config } })
const pro = (id: string, data: object = {}) => ({ id, data: { nodeType: 'generate:nano_banana_pro', ...data } })
const read = (graphNodes: unknown[], edges: unknown[] = []): WireGraph => readGraph(graphNodes, edges)
const made = (graphNodes: unknown[], edges: unknown[] = []) => translate(read(graphNodes, edges), house)
const settings = (node: object) => made([node]).graph.nodes.at(-1)!.settings
const serveTitle = (nodeType: string) => { const served = serve(nodeType, undefined, house); return 'row' in served ? served.row.label || served.face.title : '' }
const joined = (graph: ReturnType<typeof made>['graph']) => graph.edges.map(({ from, to }) => `${from.node}.${from.port}>${to.node}.${to.port}`)

test('values are looked for in config, params and data, and empty fields are none', () => {
  assert.deepEqual(settings(pro('a', { config: { prompt: '', aspect_ratio: '1:1' }, params: { prompt: 'p', aspect_ratio: '16:9', seed: 3 }, prompt: 'd', seed: 4 })), { prompt: 'p', model: 'nano-banana-pro', parameters: { aspect_ratio: '1:1', seed: 3 } })
  assert.deepEqual(settings(pro('a', { prompt: 'd', label: 'L', icon: 'x', aspect_ratio: '1:1', whatever: 5 })), { prompt: 'd', model: 'nano-banana-pro', parameters: { aspect_ratio: '1:1' } })
})
test('parameters go by the card\'s names, numbers may be text, and unknown ones are kept to be refused', () => {
  assert.deepEqual(settings(pro('a', { prompt: 'd', config: { num_images: '2', image_size: 'landscape_16_9', sharpness: 9 } })).parameters, { count: 2, aspect_ratio: '16:9', sharpness: 9 })
  assert.deepEqual(settings(pro('a', { prompt: 'd', config: { image_size: { width: 1200, height: 1600 } } })).parameters, { aspect_ratio: '3:4' })
  assert.deepEqual(settings({ id: 'a', data: { nodeType: 'generate:openai_gpt_image_2', prompt: 'd', config: { image_size: { width: 512, height: 768 } } } }), { prompt: 'd', model: 'gpt-image-2', parameters: { size: '512x768' } })
  assert.deepEqual(settings({ id: 'a', data: { nodeType: 'video:kling_2_6', prompt: 'd', config: { duration: '5s' } } }).parameters, { duration_s: 5 })
})
test('a node nobody gave a label is called as the catalogue calls it, its input by its id', () => {
  const { graph } = made([text('t'), pro('a'), pro('b', { label: 'Hero' }), { id: 'j', data: { nodeType: 'utility:prompt_concat' } }])
  assert.deepEqual(graph.nodes.map(({ title }) => title), ['Text', 'nano-banana-pro', 'Hero', serveTitle('utility:prompt_concat')])
  assert.equal(graph.exposed[0]!.title, 't')
})
test('a type that names a model is served by whatever does what it does', () => {
  const kinds = ['generate:nano_banana_pro', 'edit:nano_banana_pro', 'video:kling_2_6', 'process:topaz_upscale', 'plantain:resize', 'iterator:anything', 'model:fal:text-to-image'].map(one => { const served = serve(one, undefined, house); return 'row' in served ? served.face.id : served.message })
  assert.deepEqual(kinds, ['generate', 'generate', 'generate_video', 'upscale', 'resize', 'iterate', 'generate'])
  for (const name of ['constructor', '__proto__', 'generate:constructor', 'plantain:toString', '', ':', 'audio:whisper']) assert.ok('message' in serve(name, undefined, house), name)
  assert.equal(cardOf(house.cards, 'generate:Nano-Banana-Pro')?.id, 'nano-banana-pro')
  const unserved = typesOf(house).filter(one => 'message' in serve(one, undefined, house))
  assert.deepEqual(unserved, [])
})
test('handles are read by name, by meaning and by type', () => {
  const join = (edge: object) => joined(made([text('t'), pro('a', { prompt: 'x' }), pro('b', { prompt: 'x' })], [{ source: 'a', target: 'b', ...edge }]).graph)
  for (const edge of [{}, { sourceHandle: 'out-images', targetHandle: 'in-image1' }, { sourceHandle: 'image', targetHandle: 'image' }, { sourceHandle: 'out-media', targetHandle: 'in-url' }, { sourceHandle: null, targetHandle: 'in-image3' }]) assert.deepEqual(join(edge), ['a.image>b.images'], JSON.stringify(edge))
  assert.deepEqual(joined(made([text('t'), pro('a')], [{ source: 't', target: 'a' }]).graph), ['t.text>a.prompt'])
  const { violations } = made([text('t'), pro('a')], [{ id: 'e', source: 't', target: 'a', sourceHandle: 'out-prompt', targetHandle: 'in-promtp' }])
  assert.deepEqual([violations[0]!.rule, violations[0]!.edgeId, violations[0]!.fix], ['bad-target-handle', 'e', 'Did you mean "in-prompt"? It has "in-prompt", "in-image1".'])
})
test('pictures stand in the order of their numbers, wired ones before written ones', () => {
  const { graph } = made([{ id: 'p', data: { nodeType: 'input:image', config: { image: 'https://a/p.png' } } }, { id: 'q', data: { nodeType: 'input:image', config: { url: 'https://a/q.png' } } }, pro('a', { prompt: 'x', config: { image1: 'https://a/one.png' } })],
    [{ source: 'p', target: 'a', targetHandle: 'in-image3' }, { source: 'q', target: 'a', targetHandle: 'in-image2' }])
  assert.deepEqual(joined(graph), ['q.image>a.images', 'p.image>a.images', '~a.1.image>a.images'])
  assert.deepEqual(settings(pro('a', { prompt: 'x', config: { image2: 'https://a/2.png', image1: { url: 'https://a/1.png' } } })).images, ['https://a/1.png', 'https://a/2.png'])
})
test('routers are walked through, also one behind another, and a circle of them leads nowhere', () => {
  const router = (id: string) => ({ id, data: { nodeType: 'logic:router' } })
  const edge = (source: string, target: string) => ({ source, target })
  assert.deepEqual(joined(made([text('t'), router('r'), router('s'), pro('a')], [edge('t', 'r'), edge('r', 's'), edge('s', 'a')]).graph), ['t.text>a.prompt'])
  assert.deepEqual(joined(made([router('r'), router('s'), pro('a', { prompt: 'x' })], [edge('r', 's'), edge('s', 'r'), edge('s', 'a')]).graph), [])
})
test('an input that is wired itself gives on what comes', () => {
  const { graph, violations } = made([text('t'), text('u', {}), pro('a')], [{ source: 't', target: 'u', sourceHandle: 'out-text', targetHandle: 'in-prompt' }, { source: 'u', target: 'a', sourceHandle: 'out-prompt', targetHandle: 'in-prompt' }])
  assert.deepEqual([joined(graph), violations, graph.exposed.map(({ name }) => name)], [['t.text>a.prompt'], [], ['t']])
})
test('inputs are found by id, label and name; a word that means several is refused or fills all', () => {
  const wire = read([{ id: 't1', data: { nodeType: 'input:text', label: 'Motif' } }, { id: 't2', data: { nodeType: 'input:text', label: 'Style', prompt: 'oil' } }, { id: 'c', data: { nodeType: 'utility:prompt_concat' } }], [{ source: 't1', target: 'c', targetHandle: 'in-prompt1' }, { source: 't2', target: 'c', targetHandle: 'in-prompt2' }])
  const faces = inputsOf(translate(wire, house).graph, wire, house)
  assert.deepEqual(faces.map(({ nodeId, required, default: standing }) => [nodeId, required, standing]), [['t1', true, null], ['t2', false, 'oil']])
  assert.deepEqual(pickInputs({ t1: 'a', Style: 'b' }, faces, { isStrict: true }), { t1: 'a', t2: 'b' })
  assert.throws(() => pickInputs({ prompt: 'a' }, faces, { isStrict: true }), /any of t1, t2/)
  assert.throws(() => pickInputs({ nobody: 'a' }, faces, { isStrict: true }), /no input nobody/)
  assert.deepEqual(pickInputs({ prompt: 'a', t2: 'own', nobody: 1 }, faces, { isStrict: false }), { t1: 'a', t2: 'own' })
  assert.deepEqual(translate(wire, house, { nodes: ['t2'] }).graph.exposed.map(({ name }) => name), ['t2'])
})
test('an import that is left empty is left out where nothing needs it', () => {
  const photo = { id: 'p', data: { nodeType: 'input:image' } }
  const { graph } = made([photo, pro('a', { prompt: 'x' })], [{ source: 'p', target: 'a', targetHandle: 'in-image1' }])
  assert.deepEqual([graph.exposed[0]!.required, withoutEmpty(graph, {}).nodes.map(({ id }) => id), withoutEmpty(graph, { p: 'https://a' }).nodes.length], [false, ['a'], 2])
  assert.equal(made([photo, { id: 'u', data: { nodeType: 'process:topaz_upscale' } }], [{ source: 'p', target: 'u' }]).graph.exposed[0]!.required, undefined)
})
test('what was drawn elsewhere is drawn with its own kinds, and is the same graph again', () => {
  const graph: Graph = { nodes: [{ id: 'g', kind: 'generate', title: 'G', settings: { prompt: 'x', model: 'sandbox-1' }, fresh: true, position: { x: 1, y: 2 } }, { id: 'r', kind: 'resize', title: 'R', settings: { width: 9 }, position: { x: 3, y: 4 } }], edges: [{ from: { node: 'g', port: 'image' }, to: { node: 'r', port: 'image' } }], exposed: [{ name: 'what', node: 'g', port: 'prompt' }] }
  assert.deepEqual(translate(drawGraph(graph, house.faces), house, { inputs: graph.exposed }).graph, graph)
})
test('routers that come together again and again are walked through once each', () => {
  const routers = Array.from({ length: 60 }, (_, index) => ({ id: `r${index}`, data: { nodeType: 'logic:router' } }))
  const twice = routers.slice(1).flatMap(({ id }, index) => [{ source: `r${index}`, target: id }, { source: `r${index}`, target: id }])
  const { graph, violations } = made([text('t'), ...routers, pro('a')], [{ source: 't', target: 'r0' }, ...twice, { source: 'r59', target: 'a' }])
  assert.deepEqual([joined(graph), violations], [['t.text>a.prompt'], []])
})

test('thousands of edges into a router and out of it are no millions', () => {
  const many = (count: number, edge: object) => Array.from({ length: count }, () => edge)
  const { edgeIds, violations } = made([text('t'), { id: 'r', data: { nodeType: 'logic:router' } }, pro('a')], [...many(2_500, { source: 't', target: 'r' }), ...many(2_500, { source: 'r', target: 'a' })] as never)
  assert.ok(edgeIds.length > 5_000 && edgeIds.length < 10_000, `${edgeIds.length} edges: too many to run, and few enough to say so`)
  assert.deepEqual(violations, [])
})

test('what is behind one router has all that goes into it, each under its own name', () => {
  const { graph, edgeIds } = made([text('t'), text('u'), { id: 'r', data: { nodeType: 'logic:router' } }, pro('a'), pro('b')], [
    { source: 't', target: 'r', targetHandle: 'in-1' }, { source: 'u', target: 'r', targetHandle: 'in-2' },
    { id: 'x', source: 'r', sourceHandle: 'out-1', target: 'a' }, { id: 'y', source: 'r', sourceHandle: 'out-2', target: 'b' }, { id: 'z', source: 'r', sourceHandle: 'out-1', target: 'b', targetHandle: 'in-prompt' },
  ] as never)
  assert.deepEqual(graph.edges.map(({ from, to }) => `${from.node}>${to.node}`), ['t>a', 'u>b', 't>b'])
  assert.deepEqual(edgeIds, ['x', 'y', 'z'])
})
