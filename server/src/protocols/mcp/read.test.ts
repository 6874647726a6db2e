import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Problem } from '../../domain/problem.ts'
import { inWordsOfTheCall, readCall, readDraft, readSource, readTaskId } from './read.ts'
import { defaultMaskModel, defaultModels, tools } from './tools.ts'
import type { TaskView } from './views.ts'
import type { Workshop } from './workshop.ts'

const asset = '0'.repeat(31) + 'a'
const task = '0'.repeat(31) + 'b'
const running = '0'.repeat(31) + 'c'
const outputs = ['1', '2'].map(digit => ({ id: digit.repeat(32) }))
const workshop = {
  hasAsset: async (id: string) => id === asset,
  find: async (id: string) => {
    if (id === task) return { state: 'done', outputs } as TaskView
    if (id === running) return { state: 'running', outputs: [] as TaskView['outputs'] } as TaskView
    throw new Problem('not_found', 'There is no such task.')
  },
  inline: (text: string) => text === '\u0001file' ? { upload: { bytes: new Uint8Array() } } : null,
} as unknown as Workshop

const source = (what: string, text: string, kind: string) => test(`${what} is a ${kind}`, () => assert.equal(readSource(text, 'image').kind, kind))
source('32 hexadecimal characters', asset, 'id')
source('an id with dashes', '01a1fda8-9163-7000-a73d-b337163ecead', 'id')
source('a second output', `${task}/2`, 'id')
source('the address of a task', `plantain://tasks/${task}`, 'id')
source('a link', 'https://example.com/a.png', 'url')
source('a link in capitals', 'HTTP://EXAMPLE.COM/A.PNG', 'url')
source('a data URL', 'data:image/png;base64,AAAA', 'dataUrl')
source('long base64', 'QUJD'.repeat(20), 'base64')
source('base64 in lines', `${'QUJD'.repeat(19)}\n`.repeat(3), 'base64')
for (const text of ['photo.png', '/tmp/a.png', 'file:///a.png', 'ftp://a/b', 'QUJD', '', 'x'.repeat(31), `https://a b/${'c'.repeat(5_000)}`]) {
  test(`"${text.slice(0, 20)}" is no picture`, () => assert.throws(() => readSource(text, 'images[1]'), (thrown: Problem) => thrown.code === 'bad_request' && thrown.details.field === 'images[1]'))
}

const draft = (args: Record<string, unknown>, operation: Parameters<typeof readDraft>[0] = 'edit') => readDraft(operation, args, workshop)
const refuses = (what: string, args: Record<string, unknown>, says: RegExp) => test(what, () => assert.rejects(draft(args), says))

test('pictures keep their order and their roles', async () => {
  const { pictures } = await draft({ prompt: 'x', images: [asset, { image: 'https://example.com/a.png', role: 'style' }, task], mask: '\u0001file' })
  assert.deepEqual(pictures.map(({ role, field }) => [role, field]), [['reference', 'images[0]'], ['style', 'images[1].image'], ['reference', 'images[2]'], ['reference', 'images[2]'], ['mask', 'mask']])
  assert.deepEqual(pictures.map(one => 'assetId' in one ? one.assetId : Object.keys(one.upload)), [asset, ['url'], outputs[0]!.id, outputs[1]!.id, ['bytes']])
})
test('one of several outputs can be named', async () => assert.deepEqual((await draft({ image: `${task}/2` })).pictures, [{ role: 'reference', field: 'image', assetId: outputs[1]!.id }]))
refuses('one picture is not two', { image: task }, /made 2 pictures, and one is wanted/)
refuses('there is no third output', { image: `${task}/3` }, /there is no number 3/)
refuses('a task in the making has no pictures yet', { images: [running] }, /still running\. Call wait_for_task/)
refuses('an id of nothing is refused', { images: ['0'.repeat(32)] }, /no asset and no task/)
refuses('a file is no prompt', { prompt: '\u0001file' }, /prompt is a file/)
refuses('a parameter comes once', { seed: 5, parameters: { seed: 6 } }, /seed is given twice/)

test('shortcuts are parameters', async () => assert.deepEqual((await draft({ seed: 5, aspect_ratio: '1:1', parameters: { quality: 80 } })).parameters, { quality: 80, seed: 5, aspect_ratio: '1:1' }))
test('a model is chosen where none is named', async () => {
  assert.equal((await draft({})).model, defaultModels.edit)
  assert.equal((await draft({ mask: asset })).model, defaultMaskModel)
  assert.equal((await draft({ model: 'x', mask: asset })).model, 'x')
  assert.equal((await draft({}, 'video')).model, defaultModels.video)
})

test('the house counts inputs, the caller knows fields', async () => {
  const asked = await draft({ images: [asset, asset], mask: asset })
  const said = inWordsOfTheCall(new Problem('bad_input_image', 'Too small.', { field: 'inputs[2].width', value: 3 }), asked) as Problem
  assert.deepEqual([said.message, said.details.field, said.details.value], ['mask: Too small.', 'mask', 3])
  const other = new Problem('bad_request', 'x', { field: 'prompt' })
  assert.equal(inWordsOfTheCall(other, asked), other)
})

test('a tool that is not there is null, bad arguments are refused', () => {
  assert.equal(readCall('draw', {}), null)
  assert.equal(readCall('get_balance', undefined)?.tool.name, 'get_balance')
  assert.throws(() => readCall('get_balance', { a: 1 }), Problem)
})
test('a task id comes bare, with dashes or as an address', () => {
  assert.deepEqual([task, `plantain://tasks/${task}`, '00000000-0000-0000-0000-00000000000b'].map(readTaskId), [task, task, task])
  assert.throws(() => readTaskId('task 7'), (thrown: Problem) => thrown.code === 'not_found')
})
test('what makes something says so, and nothing else does', () => {
  for (const { name, makes, annotations } of tools) assert.equal(annotations.readOnlyHint, makes === undefined && name !== 'cancel_task' && name !== 'run_workflow', name)
})
