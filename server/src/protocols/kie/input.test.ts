import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import * as fc from 'fast-check'
import type { Card, DialectName } from '../../domain/card.ts'
import { Problem } from '../../domain/problem.ts'
import { knownWords, readInput } from './input.ts'
import { draws } from '../../../test/kit/chance.ts'

const folder = path.join(import.meta.dirname, '../../catalog/cards')
const cards = readdirSync(folder).map(name => JSON.parse(readFileSync(path.join(folder, name), 'utf8')) as Card)
const names = new Map(cards.flatMap(card => (card.dialects.kie ?? []).map(name => [name.id, name])))
const nameOf = (model: string): DialectName => names.get(model)!

const url = 'https://pictures.example/a.png'
const read = (model: string, input: unknown) => readInput(input, nameOf(model))
const no = (model: string, msg: string | RegExp, input: unknown) => test(`${model}: ${msg}`, () => {
  assert.throws(() => read(model, input), thrown => {
    assert.ok(thrown instanceof Problem)
    if (typeof msg === 'string') assert.equal(thrown.message, msg)
    else assert.match(thrown.message, msg)
    assert.equal(thrown.details.kieCode, 500)
    return true
  })
})

test('every word of the cards\' schemas is one this reader honours', () => {
  assert.ok(names.size >= 14)
  for (const { id, input } of names.values()) {
    for (const field of Object.values(input!.properties as Record<string, { items?: object }>)) {
      for (const word of [...Object.keys(field), ...Object.keys(field.items ?? {})]) assert.ok(knownWords.includes(word), `${id}: ${word}`)
    }
  }
})

test('fields become the house\'s', () => {
  assert.deepEqual(read('nano-banana-2', { prompt: 'a kite', image_input: [url], aspect_ratio: '16:9', resolution: '2K', output_format: 'jpg' }), {
    prompt: 'a kite', parameters: { aspect_ratio: '16:9', resolution: '2K', output_format: 'jpeg' }, pictures: [{ field: 'image_input', url, role: 'reference' }], warnings: [],
    kept: { prompt: 'a kite', image_input: [url], aspect_ratio: '16:9', resolution: '2K', output_format: 'jpg', nsfw_checker: false },
  })
})
test('what is given back stands as it was sent, defaults behind it', () => {
  assert.deepEqual(Object.keys(read('nano-banana-2', { mood: 'calm', resolution: '2K', prompt: 'x' }).kept), ['mood', 'resolution', 'prompt', 'nsfw_checker'])
})
test('a model without a schema of its own for Kie is read by its fields', () => {
  const name = { id: 'plain', fields: { prompt: 'prompt', ratio: 'aspect_ratio', image_input: 'inputs' } }
  assert.deepEqual(readInput({ prompt: 'x', ratio: '1:1', image_input: [url] }, name).pictures, [{ field: 'image_input', url, role: 'reference' }])
  assert.throws(() => readInput({ prompt: 5 }, name), /must be a string/)
})
test('optional fields have the dialect\'s own defaults', () => {
  assert.deepEqual(read('nano-banana-2', { prompt: 'x' }).parameters, { aspect_ratio: 'auto', resolution: '1K', output_format: 'jpeg' })
  assert.deepEqual(read('google/nano-banana', { prompt: 'x' }).parameters, { aspect_ratio: '1:1', output_format: 'png' })
})
test('image_size is the old aspect_ratio', () => {
  assert.equal(read('google/nano-banana', { prompt: 'x', image_size: '9:16' }).parameters.aspect_ratio, '9:16')
  const both = read('google/nano-banana', { prompt: 'x', image_size: '9:16', aspect_ratio: '16:9' })
  assert.equal(both.parameters.aspect_ratio, '16:9')
  assert.match(both.warnings[0]!, /image_size was ignored/)
})
test('a name for a shape and a size is both', () => {
  const sized = (image_size: string) => { const { aspect_ratio, resolution } = read('ideogram/v3-text-to-image', { prompt: 'x', image_size }).parameters; return [aspect_ratio, resolution] }
  assert.deepEqual([sized('square'), sized('square_hd'), sized('portrait_16_9')], [['1:1', '512'], ['1:1', '1K'], ['9:16', '1K']])
})
test('numbers that the page writes as strings are strings', () => {
  assert.equal(read('kling-2.6/text-to-video', { prompt: 'x', aspect_ratio: '1:1', duration: '10', sound: true }).parameters.duration_s, 10)
  assert.equal(read('topaz/image-upscale', { image_url: url, upscale_factor: '4' }).parameters.factor, 4)
})
test('first and last frame', () => {
  const { pictures, parameters } = read('kling-3.0/video', { prompt: 'x', duration: '3', mode: 'std', multi_shots: false, sound: false, image_urls: [url, url] })
  assert.deepEqual(pictures.map(({ role }) => role), ['first_frame', 'last_frame'])
  assert.equal(parameters.resolution, '720p')
})
test('what nobody knows is ignored, said, and kept only where it is small', () => {
  const { warnings, kept, parameters } = read('nano-banana-2', { prompt: 'x', google_search: true, mood: 'm'.repeat(100_000), extra: { deep: [] } })
  assert.match(warnings[0]!, /google_search, mood, extra/)
  assert.equal(kept.google_search, true)
  assert.deepEqual([kept.mood, kept.extra, parameters.google_search], [undefined, undefined, undefined])
})
test('a filter we do not have is not passed over in silence', () => {
  assert.match(read('nano-banana-2', { prompt: 'x', nsfw_checker: true }).warnings[0]!, /nsfw_checker has no effect/)
  assert.deepEqual(read('nano-banana-2', { prompt: 'x', nsfw_checker: false }).warnings, [])
})
test('null is as good as nothing', () => { assert.equal(read('nano-banana-2', { prompt: 'x', resolution: null }).parameters.resolution, '1K') })

no('nano-banana-2', 'input is required', undefined)
no('nano-banana-2', 'input is required', 'a kite')
no('nano-banana-2', 'input is required', ['a kite'])
no('nano-banana-2', 'prompt is required', {})
no('nano-banana-2', 'prompt is required', { prompt: '  ' })
no('nano-banana-2', 'prompt must be a string', { prompt: 5 })
no('nano-banana-2', 'prompt contains invalid characters', { prompt: 'a\0' })
no('nano-banana-2', /maximum length of 20000/, { prompt: 'x'.repeat(20_001) })
no('nano-banana-2', 'resolution is not within the range of allowed options', { prompt: 'x', resolution: '512' })
no('nano-banana-2', 'output_format is not within the range of allowed options', { prompt: 'x', output_format: 'jpeg' })
no('nano-banana-2', 'image_input must be an array', { prompt: 'x', image_input: url })
no('nano-banana-2', 'image_input must be a string', { prompt: 'x', image_input: [5] })
no('nano-banana-2', 'image_input is not a valid URL', { prompt: 'x', image_input: ['data:image/png;base64,AAAA'] })
no('nano-banana-2', /maximum number of items: 14/, { prompt: 'x', image_input: Array(15).fill(url) })
no('google/nano-banana-edit', 'image_urls is required', { prompt: 'x' })
no('google/nano-banana-edit', 'image_urls is required', { prompt: 'x', image_urls: [] })
no('nano-banana-2-lite', 'This field is required', { prompt: 'x' })
no('kling-2.6/text-to-video', 'This field is required', { prompt: 'x', aspect_ratio: '1:1', sound: true })
no('kling-2.6/text-to-video', 'duration is not within the range of allowed options', { prompt: 'x', aspect_ratio: '1:1', duration: 5, sound: true })
no('kling-2.6/text-to-video', 'sound must be a boolean', { prompt: 'x', aspect_ratio: '1:1', duration: '5', sound: 'yes' })
no('kling-3.0/video', 'multi_shots is not within the range of allowed options', { prompt: 'x', duration: '5', mode: 'pro', multi_shots: true, sound: true })
no('kling/v2-1-standard', 'image_url is required', { prompt: 'x' })
no('kling/v2-1-standard', 'cfg_scale is not within the range of allowed options', { prompt: 'x', image_url: url, cfg_scale: 2 })
no('topaz/image-upscale', 'upscale_factor is not within the range of allowed options', { image_url: url, upscale_factor: '8' })
no('recraft/remove-background', 'image is required', {})
no('sandbox-1', 'seed must be an integer', { prompt: 'x', seed: 1.5 })

test('whatever is sent, it is read or refused with a sentence', () => {
  const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom('auto', '1:1', '5', url, [url], [], ''))
  for (const name of names.values()) {
    const fields = Object.keys(name.input!.properties as object)
    fc.assert(fc.property(fc.oneof(fc.dictionary(fc.oneof(fc.constantFrom(...fields), fc.string({ maxLength: 5 })), value), fc.jsonValue()), input => {
      try {
        JSON.stringify(readInput(input, name))
      } catch (thrown) {
        assert.ok(thrown instanceof Problem && thrown.message.length > 5, String(thrown))
      }
    }), draws(200))
  }
})
