/** What small readers make of forms, ids, conversations and first bytes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import sharp from 'sharp'
import { Conversation } from './conversation.ts'
import { fieldsOfForm } from './fields.ts'
import { readId, writeId } from './ids.ts'
import { sizeOfPicture } from './pixels.ts'
import { usageOf } from './usage.ts'

test('a form says numbers, truth values, objects and lists as text', () => {
  assert.deepEqual(fieldsOfForm({ fields: [['n', '2'], ['stream', 'true'], ['prompt', '7'], ['input_reference[file_id]', 'file-1'], ['tags[]', 'a'], ['tags[]', 'b']] }),
    { n: 2, stream: true, prompt: '7', input_reference: { file_id: 'file-1' }, tags: ['a', 'b'] })
  for (const fields of [[['a', '1'], ['a', '2']], [['a', '1'], ['a[b]', '2']], [['a[]', '1'], ['a[b]', '2']], [['__proto__[x]', '1']]] as [string, string][][]) assert.throws(() => fieldsOfForm({ fields }))
})

const task = '01a1fdb6da4d7000b18ac76e2d2eac3d'
test('an id carries its task', () => {
  for (const prefix of ['video', 'resp', 'chatcmpl'] as const) assert.deepEqual(readId(prefix, writeId(prefix, task)), { id: task, index: 0 })
  assert.deepEqual(readId('ig', writeId('ig', task, 2)), { id: task, index: 2 })
  assert.deepEqual(readId('resp', task), { id: task, index: 0 })
  for (const text of ['', 'resp_0', `video_${task}`, `resp_${task}_11`, `resp_${task}x`, `resp_${task.toUpperCase()}`]) assert.equal(readId('resp', text), null, text)
})

test('a made picture takes the place of what was said before it', () => {
  const talk = new Conversation()
  talk.instruct('Flat colours.')
  talk.say('a fox')
  talk.show({ param: 'a', role: 'reference', source: { assetId: 'a' } })
  assert.equal(talk.prompt, 'Flat colours.\n\na fox')
  talk.made({ param: 'b', callId: 'ig_b' })
  talk.made({ param: 'c', callId: 'ig_c' })
  assert.equal(talk.hasWords, false)
  talk.say('make it night')
  talk.show({ param: 'd', role: 'reference', source: { assetId: 'd' } })
  assert.equal(talk.prompt, 'Flat colours.\n\nmake it night')
  assert.deepEqual(talk.pictures.map(({ param }) => param), ['b', 'c', 'd'])
})

for (const format of ['png', 'jpeg', 'webp'] as const) {
  test(`the size of a ${format} stands in its first bytes`, async () => {
    for (const lossless of [false, true]) {
      const bytes = await sharp({ create: { width: 123, height: 45, channels: 3, background: 'red' } })[format]({ lossless } as never).toBuffer()
      assert.equal(sizeOfPicture(bytes), '123x45')
    }
    assert.equal(sizeOfPicture(Buffer.from('no picture at all, but text')), null)
  })
}

const used = (more: object) => usageOf({ model: 'gpt-image-2', details: {}, parameters: {}, priceMicros: 53_000, prompt: '', inputs: [], outputs: [{}], ...more } as never)
test('tokens are what was paid for them', () => assert.equal(used({}).imageOut, 1_767))
test('only pictures that came count', () => assert.equal(used({ parameters: { count: 4 }, priceMicros: 212_000, outputs: [{}, {}, {}] }).imageOut, 5_301))
test('by the table where there is one', () => assert.equal(used({ model: 'nano-banana-2', parameters: { resolution: '2K' } }).imageOut, 1_680))
test('what went in is guessed: words by their letters, pictures but no masks', () => {
  const { textIn, imageIn } = used({ prompt: 'Put this mug on a beach at dawn', inputs: [{ role: 'reference' }, { role: 'reference' }, { role: 'mask' }] })
  assert.deepEqual([textIn, imageIn], [8, 516])
})
test('of a model nobody counts in tokens, no picture is', () => assert.equal(used({ model: 'sandbox-1' }).imageOut, 0))
test('the upstream knows best', () => {
  assert.deepEqual(used({ details: { usage: { input_tokens: 22, input_tokens_details: { image_tokens: 2 }, output_tokens: 1_056 } } }), { textIn: 20, imageIn: 2, textOut: 0, imageOut: 1_056 })
})
