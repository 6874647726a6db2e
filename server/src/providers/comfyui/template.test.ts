import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { findTemplate, readTemplate, readTemplates } from './template.ts'
import { ownWorkflows } from './index.ts'

const workflow = { 1: { class_type: 'LoadImage', inputs: { image: 'a.png' } }, 2: { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: 'x' } } }
const file = (more: object = {}) => JSON.stringify({ workflow, fields: { prompt: '2.inputs.filename_prefix' }, inputs: { reference: '1.inputs.image' }, ...more })

test('a template is read', () => {
  const read = readTemplate('copy', file())
  assert.deepEqual('template' in read && [read.template.fields, read.template.inputs, read.template.outputs], [{ prompt: [{ node: '2', input: 'filename_prefix' }] }, { reference: [{ node: '1', input: 'image' }] }, null])
})

const mistaken = (what: string, text: string, ...messages: RegExp[]) => test(`names ${what}`, () => {
  const read = readTemplate('copy', text)
  assert.ok('mistakes' in read, 'it was taken')
  assert.equal(read.mistakes.length, messages.length, read.mistakes.join('\n'))
  for (const [index, message] of messages.entries()) assert.match(read.mistakes[index]!, message)
})
mistaken('what is no JSON', '{', /no JSON/)
mistaken('the editor’s own format', JSON.stringify({ nodes: [], links: [] }), /Export \(API\)/)
mistaken('the editor’s own format inside', JSON.stringify({ workflow: { nodes: [], links: [] }, fields: {} }), /Export \(API\)/)
mistaken('a node that is not there', file({ fields: { prompt: '9.inputs.text' } }), /fields\.prompt points at node 9/)
mistaken('an input that is not there, and those that are', file({ fields: { prompt: '2.inputs.text' } }), /SaveImage does not have; it has images, filename_prefix/)
mistaken('an input that is linked', file({ fields: { prompt: '2.inputs.images' } }), /linked to another node/)
mistaken('two that go to one place', file({ fields: { prompt: '1.inputs.image' } }), /inputs\.reference and fields\.prompt both point at 1\.inputs\.image/)
mistaken('a role nobody knows', file({ inputs: { picture: '1.inputs.image' } }), /inputs\.picture is no role.*reference/)
mistaken('half a size', file({ fields: { width: '2.inputs.filename_prefix' } }), /both or neither/)
mistaken('a link to nowhere', file({ workflow: { ...workflow, 2: { class_type: 'SaveImage', inputs: { images: ['7', 0], filename_prefix: 'x' } } } }), /workflow\.2\.inputs\.images is linked to node 7/)
mistaken('an output that is not there', file({ outputs: ['7'] }), /outputs names node 7/)
mistaken('a word nobody knows', file({ feilds: {} }), /feilds/)
mistaken('a place that is none', file({ fields: { prompt: 'text', seed: [] } }), /fields\.prompt must be a place.*6\.inputs\.text/, /fields\.seed/)
mistaken('all of them at once', file({ fields: { prompt: '9.inputs.text' }, outputs: ['7'], inputs: { picture: '1.inputs.image' } }), /node 9/, /role/, /node 7/)

test('those that come with the house are without a mistake', () => assert.deepEqual([...readTemplates([ownWorkflows]).keys()], ['flux', 'sdxl.edit', 'sdxl.inpaint', 'sdxl']))

test('every mistake in every file is said at once, and one of a known name takes its place', () => {
  const folder = mkdtempSync(join(tmpdir(), 'plantain-workflows-'))
  try {
    writeFileSync(join(folder, 'sdxl.json'), file())
    assert.deepEqual(Object.keys(readTemplates([ownWorkflows, folder]).get('sdxl')!.workflow), ['1', '2'])
    writeFileSync(join(folder, 'a.json'), '{')
    writeFileSync(join(folder, 'b.json'), file({ outputs: ['7'] }))
    assert.throws(() => readTemplates([folder, '/there/is/none']), /3 mistakes:\n.*a\.json: it is no JSON.*\n.*b\.json: outputs.*\n.*\/there\/is\/none: there is no such folder/)
  } finally { rmSync(folder, { recursive: true }) }
})

test('what is asked decides which template of a model is taken', () => {
  const templates = readTemplates([ownWorkflows])
  const find = (model: string, operation: string, ...roles: ('reference' | 'mask')[]) => findTemplate(templates, { model, operation, inputs: roles.map(role => ({ role })) })?.name
  assert.deepEqual([find('sdxl', 'generate'), find('sdxl', 'edit', 'reference'), find('sdxl', 'edit', 'reference', 'mask'), find('flux', 'edit', 'reference'), find('none', 'generate')], ['sdxl', 'sdxl.edit', 'sdxl.inpaint', 'flux', undefined])
})
