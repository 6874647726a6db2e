import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Problem } from '../../domain/problem.ts'
import { countTokens, readMessages, type Draft } from './read.ts'

const read = (body: object): Draft => readMessages({ model: 'nano-banana', max_tokens: 100, ...body }, { inline: () => null })
const image = (data: string) => ({ type: 'image', source: { type: 'base64', media_type: 'image/png', data } })
const base64Of = ({ pictures }: Draft) => pictures.map(picture => 'upload' in picture && 'base64' in picture.upload ? picture.upload.base64 : picture)

test('the last turn says what to make; what came before is kept apart', () => {
  const draft = read({
    system: [{ type: 'text', text: 'Be bold.' }, { type: 'text', text: 'Use blue.' }],
    messages: [{ role: 'user', content: 'a fox' }, { role: 'assistant', content: [{ type: 'thinking', thinking: 'hm', signature: 's' }, { type: 'text', text: 'Which style?' }] }, { role: 'user', content: [{ type: 'text', text: 'watercolour' }, { type: 'text', text: 'large' }] }],
  })
  assert.deepEqual([draft.system, draft.prompt, draft.earlier], ['Be bold.\nUse blue.', 'watercolour\nlarge', [{ role: 'user', text: 'a fox' }, { role: 'assistant', text: 'Which style?' }]])
})

test('pictures go in by turn, then out of tool results; the newest of an assistant stands apart', () => {
  const draft = read({ messages: [
    { role: 'user', content: [image('AAAA'), { type: 'text', text: 'a fox' }] },
    { role: 'assistant', content: [{ type: 'text', text: 'Here.' }, image('BBBB'), image('CCCC'), { type: 'tool_use', id: 't1', name: 'look', input: {} }] },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't1', content: [image('DDDD'), { type: 'text', text: 'seen' }] }, image('EEEE'), { type: 'text', text: 'blue' }] },
  ] })
  assert.deepEqual(base64Of(draft), ['EEEE', 'DDDD'])
  assert.deepEqual(draft.latest, { picture: { field: 'messages.1.content.2.source', upload: { base64: 'CCCC' } } })
  assert.deepEqual([draft.prompt, draft.answered], ['blue', [{ id: 't1', name: 'look' }]])
  assert.equal(draft.size.pictures, 5)
})

test('a turn of tool results alone speaks through them', () => {
  const draft = read({ messages: [{ role: 'user', content: 'x' }, { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'n', input: {} }] }, { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: 'a red barn' }] }] })
  assert.equal(draft.prompt, 'a red barn')
})

test('addresses shown by an assistant stand in for pictures it did not send', () => {
  const shown = 'Here it is.\n\n![image 1](https://house.example/files/1/a.png?x=1)'
  const links = (content: unknown) => read({ messages: [{ role: 'user', content: 'x' }, { role: 'assistant', content }, { role: 'user', content: 'y' }] }).latest
  assert.deepEqual(links(shown), { links: [{ field: 'messages.1.content', url: 'https://house.example/files/1/a.png?x=1' }] })
  assert.deepEqual(links([{ type: 'text', text: shown }, image('AAAA')]), { picture: { field: 'messages.1.content.1.source', upload: { base64: 'AAAA' } } })
  assert.equal(links('![x](javascript:1)'), null)
})

test('pictures come as base64, as addresses and as assets', () => {
  const id = '0123456789abcdef0123456789abcdef'
  const source = (source: object) => read({ messages: [{ role: 'user', content: [{ type: 'image', source }] }] }).pictures[0]
  assert.deepEqual(source({ type: 'url', url: 'https://a.example/b.png' }), { field: 'messages.0.content.0.source', upload: { url: 'https://a.example/b.png' } })
  assert.deepEqual(source({ type: 'file', file_id: `file_${id}` }), { field: 'messages.0.content.0.source', assetId: id })
  const upload = { bytes: new Uint8Array([1]) }
  const long = readMessages({ model: 'm', max_tokens: 1, messages: [{ role: 'user', content: [image('<1>')] }] }, { inline: text => text === '<1>' ? { mime: null, sizeBytes: 1, upload } : null })
  assert.deepEqual(long.pictures[0], { field: 'messages.0.content.0.source', upload })
})

test('what only words could honour is named', () => {
  assert.deepEqual(read({ temperature: 0.4, thinking: { type: 'adaptive' }, service_tier: 'auto', messages: [{ role: 'user', content: 'x' }] }).wordsOnly, ['temperature', 'thinking'])
})

const refused = (name: string, body: object, field: string | undefined) => test(`refused: ${name}`, () => {
  assert.throws(() => read({ messages: [{ role: 'user', content: 'x' }], ...body }), (thrown: unknown) => thrown instanceof Problem && thrown.details.field === field && (assert.match(thrown.message, new RegExp(`^${field!.replaceAll('.', '\\.')}: `)), true))
})
const turn = (content: unknown) => ({ messages: [{ role: 'user', content }] })
refused('an unknown field', { imgae: {} }, 'imgae')
refused('a first turn of the assistant', { messages: [{ role: 'assistant', content: 'x' }, { role: 'user', content: 'x' }] }, 'messages.0.role')
refused('a last turn of the assistant', { messages: [{ role: 'user', content: 'x' }, { role: 'assistant', content: 'x' }] }, 'messages.1.role')
refused('a document', turn([{ type: 'document', source: {} }]), 'messages.0.content.0.type')
refused('a type of picture there is not', turn([{ type: 'image', source: { type: 'base64', media_type: 'image/tiff', data: 'AAAA' } }]), 'messages.0.content.0.source.media_type')
refused('a schema for the answer', { output_config: { format: { type: 'json_schema' } } }, 'output_config.format')
refused('options in two places', { image: {}, metadata: { image: {} } }, 'image')
refused('a prefilled tool use', turn([{ type: 'tool_use', id: 'a', name: 'b', input: {} }]), 'messages.0.content.0')

test('tokens are guessed from words and pictures', () => {
  assert.equal(countTokens({ size: { text: ['Put this mug on a beach at dawn, now and here'], pictures: 1 } }), 270)
  assert.ok(countTokens({ size: { text: ['日本語の文章'], pictures: 0 } }) > countTokens({ size: { text: ['abcdef'], pictures: 0 } }))
})
