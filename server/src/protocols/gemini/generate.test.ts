import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Card } from '../../domain/card.ts'
import { readGenerate } from './generate.ts'
import { signAsset } from './signature.ts'

const id = '0123456789abcdef0123456789abcdef'
const card = { id: 'nano-banana-2', output: { kind: 'image' }, parameters: { properties: { google_search: {} } } } as unknown as Card
const read = (body: unknown, livemode = false) => readGenerate(body, { model: 'gemini-3.1-flash-image', card, livemode })
const user = (...parts: unknown[]) => ({ role: 'user', parts })
const model = (...parts: unknown[]) => ({ role: 'model', parts })
const picture = (data = 'iVBORw0KGgo') => ({ inlineData: { mimeType: 'image/png', data } })
const settings = (generationConfig: unknown) => read({ contents: [user({ text: 'a mug' })], generationConfig })

test('words and pictures of one turn', () => {
  const { order, pictures, wire } = read({ contents: [user({ text: 'Give the dog' }, picture('AAAA'), { text: 'a red scarf' })] })
  assert.equal(order.prompt, 'Give the dog\na red scarf')
  assert.deepEqual(pictures, [{ field: 'contents[0].parts[1].inlineData', role: 'reference', source: { data: 'AAAA' } }])
  assert.deepEqual([wire.text, wire.delivery], [true, 'inline'])
})

test('both spellings, and a role left out', () => {
  const { order, pictures } = read({
    contents: [{ parts: [{ text: 'a mug' }, { inline_data: { mime_type: 'image/png', data: 'AAAA' } }, { file_data: { file_uri: 'https://x.example/a.png' } }] }],
    system_instruction: { parts: [{ text: 'Keep faces.' }] },
    generation_config: { response_modalities: ['Image'], image_config: { aspect_ratio: '16:9', image_size: '0.5K' }, candidate_count: 2 },
  })
  assert.equal(order.prompt, 'Keep faces.\n\na mug')
  assert.deepEqual(order.parameters, { aspect_ratio: '16:9', resolution: '512', count: 2 })
  assert.deepEqual(pictures.map(({ source }) => source), [{ data: 'AAAA' }, { uri: 'https://x.example/a.png' }])
})

const ratios: Record<string, string> = {
  ONE_BY_ONE: '1:1', TWO_BY_THREE: '2:3', THREE_BY_TWO: '3:2', THREE_BY_FOUR: '3:4', FOUR_BY_THREE: '4:3', FOUR_BY_FIVE: '4:5', FIVE_BY_FOUR: '5:4',
  NINE_BY_SIXTEEN: '9:16', SIXTEEN_BY_NINE: '16:9', TWENTY_ONE_BY_NINE: '21:9', ONE_BY_FOUR: '1:4', FOUR_BY_ONE: '4:1', ONE_BY_EIGHT: '1:8', EIGHT_BY_ONE: '8:1',
}
for (const [token, ratio] of Object.entries(ratios)) {
  test(`the newer form knows ${token}`, () =>
    assert.equal(settings({ responseFormat: { image: { aspectRatio: `ASPECT_RATIO_${token}` } } }).order.parameters.aspect_ratio, ratio))
}
for (const [token, size] of Object.entries({ IMAGE_SIZE_FIVE_TWELVE: '512', IMAGE_SIZE_ONE_K: '1K', IMAGE_SIZE_TWO_K: '2K', IMAGE_SIZE_FOUR_K: '4K' })) {
  test(`the newer form knows ${token}`, () => assert.equal(settings({ responseFormat: { image: { imageSize: token } } }).order.parameters.resolution, size))
}
test('the newer form wins, and asks for links and JPEG', () => {
  const { order, wire, names } = settings({ imageConfig: { aspectRatio: '1:1', imageSize: '512px' }, responseFormat: { image: { aspectRatio: '4:3', mimeType: 'image/jpeg', delivery: 'URI' } } })
  assert.deepEqual(order.parameters, { aspect_ratio: '4:3', resolution: '512', output_format: 'jpeg' })
  assert.equal(wire.delivery, 'uri')
  assert.equal(names['parameters.aspect_ratio'], 'generationConfig.responseFormat.image.aspectRatio')
})

test('only the picture, where only the picture is wanted', () => assert.equal(settings({ responseModalities: ['IMAGE'] }).wire.text, false))
test('labels become notes on the task', () => assert.deepEqual(read({ contents: [user({ text: 'a mug' })], labels: { shop: 'mugs' } }).order.metadata, { shop: 'mugs' }))

test('what has no effect is said', () => {
  const { order } = read({
    contents: [user({ text: 'a mug' })], safetySettings: [{ category: 'HARM_CATEGORY_HARASSMENT', threshold: 'BLOCK_ONLY_HIGH' }],
    generationConfig: { temperature: 1, topK: 3, imageConfig: { personGeneration: 'ALLOW_ALL' }, thinkingConfig: { thinkingLevel: 'LOW' } },
  })
  const said = order.warnings!.join(' ')
  for (const name of ['temperature, topK', 'personGeneration', 'thinkingLevel', 'safetySettings']) assert.ok(said.includes(name), name)
})

test('search is for live keys; a test key is told', () => {
  const body = { contents: [user({ text: 'a mug' })], tools: [{ google_search: {} }] }
  assert.match(read(body).order.warnings!.join(' '), /not available under a test key/)
  assert.equal(read(body).order.parameters.google_search, undefined)
  assert.equal(read(body, true).order.parameters.google_search, true)
  assert.throws(() => readGenerate(body, { model: 'x', card: { id: 'x', output: { kind: 'image' }, parameters: {} } as unknown as Card, livemode: true }), /does not search/)
})

test('the last picture made carries what was said before it', () => {
  const { order, pictures } = read({ contents: [user({ text: 'a cat' }, picture('AAAA')), model({ text: 'Here.' }, { ...picture('BBBB'), thoughtSignature: signAsset(id) }), user({ text: 'in winter' }, picture('CCCC'))] })
  assert.equal(order.prompt, 'in winter')
  assert.deepEqual(pictures.map(({ source, signed }) => [source, signed]), [[{ data: 'BBBB' }, id], [{ data: 'CCCC' }, undefined]])
  assert.match(order.warnings!.join(' '), /before the last picture/)
})
test('without a picture everything said goes along, and who said it', () => {
  const { order } = read({ contents: [user({ text: 'My colours are teal and coral.' }), model({ text: 'Noted.' }), user({ text: 'A poster in my colours.' })] })
  assert.equal(order.prompt, 'User: My colours are teal and coral.\n\nModel: Noted.\n\nUser: A poster in my colours.')
})
test('chunks of a stream are one turn, in whatever order they came', () => {
  const { order } = read({ contents: [user({ text: 'a cat' }), model(picture('BBBB')), model({ text: 'Here it is.' }), model({ text: '' }), user({ text: 'in winter' })] })
  assert.equal(order.prompt, 'in winter')
})
test('drafts and thoughts are not shown to the model again', () => {
  const { order, pictures } = read({ contents: [user({ text: 'a cat' }), model({ thought: true, text: 'hm' }, { thought: true, ...picture() }, { ...picture('BBBB') }), user({ text: 'blue' })] })
  assert.deepEqual([order.prompt, pictures.length], ['blue', 1])
})
test('a picture left out is named by its signature', () => {
  for (const part of [{ thoughtSignature: signAsset(id) }, { inlineData: { mimeType: 'image/png', data: '' }, thought_signature: signAsset(id) }]) {
    assert.deepEqual(read({ contents: [model(part), user({ text: 'blue' })] }).pictures[0]!.source, { assetId: id })
  }
})
test('signatures of others are kept as they are, and never checked', () => {
  const { wire, pictures } = read({ contents: [model({ ...picture('BBBB'), thoughtSignature: 'skip_thought_signature_validator' }), user({ text: 'blue' })] })
  assert.deepEqual(wire.signatures, ['skip_thought_signature_validator'])
  assert.equal(pictures[0]!.signed, undefined)
})

const refuses = (what: string, body: unknown, field: RegExp) => test(`refused: ${what}`, () => {
  assert.throws(() => read(body), (thrown: { code: string; details: { field: string } }) => {
    assert.ok(['bad_request', 'unsupported_parameter'].includes(thrown.code))
    assert.match(thrown.details.field, field)
    return true
  })
})
const contents = [user({ text: 'a mug' })]
refuses('no object', 5, /body/)
refuses('no contents', {}, /^contents/)
refuses('a field nobody knows', { contents, prompt: 'x' }, /^prompt/)
refuses('a setting nobody knows', { contents, generationConfig: { aspectRatio: '1:1' } }, /aspectRatio/)
refuses('both spellings at once', { contents, generationConfig: { imageConfig: { imageSize: '1K', image_size: '2K' } } }, /imageSize/)
refuses('a role nobody has', { contents: [{ role: 'system', parts: [] }] }, /role/)
refuses('a model\'s turn at the end', { contents: [user({ text: 'x' }), model({ text: 'y' })] }, /^contents/)
refuses('two kinds in a part', { contents: [user({ text: 'x', ...picture() })] }, /parts\[0\]/)
refuses('a part without anything', { contents: [user({})] }, /parts\[0\]/)
refuses('a function call', { contents: [user({ functionCall: { name: 'f' } })] }, /functionCall/)
refuses('functions', { contents, tools: [{ functionDeclarations: [{ name: 'f' }] }] }, /functionDeclarations/)
refuses('words alone', { contents, generationConfig: { responseModalities: ['TEXT'] } }, /responseModalities/)
refuses('sound', { contents, generationConfig: { responseModalities: ['AUDIO'] } }, /responseModalities/)
refuses('a schema', { contents, generationConfig: { responseMimeType: 'application/json', responseSchema: {} } }, /responseSchema/)
refuses('a cache', { contents, cachedContent: 'cachedContents/x' }, /cachedContent/)
refuses('a bucket', { contents: [user({ fileData: { fileUri: 'gs://b/a.png' } })] }, /fileUri/)
refuses('a picture that is empty', { contents: [user({ inlineData: { mimeType: 'image/png', data: '' } })] }, /data/)
refuses('half a candidate', { contents, generationConfig: { candidateCount: 1.5 } }, /candidateCount/)
refuses('a threshold nobody knows', { contents, safetySettings: [{ category: 'HARM_CATEGORY_HARASSMENT', threshold: 'SOME' }] }, /threshold/)
