import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Card } from '../../domain/card.ts'
import type { Problem } from '../../domain/problem.ts'
import type { Fields } from './fields.ts'
import { readSettings, readShape } from './settings.ts'

const card = (id: string, properties: object) => ({ id, parameters: { type: 'object', properties } }) as unknown as Card
const pixels = card('pixels', {
  size: { type: 'string' }, quality: { enum: ['low', 'medium', 'high'] }, output_format: { enum: ['png', 'jpeg', 'webp'] }, output_compression: { type: 'integer' },
  background: { enum: ['opaque', 'transparent'] }, moderation: { enum: ['auto', 'low'] }, count: { type: 'integer' },
})
const ratios = card('ratios', { aspect_ratio: { enum: ['auto', '1:1', '16:9', '2:3'] }, resolution: { enum: ['512', '1K', '2K', '4K'] }, output_format: { enum: ['png', 'jpeg'] }, seed: { type: 'integer' } })
const films = card('films', { aspect_ratio: { enum: ['auto', '16:9', '9:16'] }, resolution: { enum: ['480p', '720p', '1080p'] } })

const reads = (to: Card, fields: Fields, parameters: object, warnings = 0) => test(`${to.id} ${JSON.stringify(fields)}`, () => {
  const read = readSettings(fields, to, ['prompt'])
  assert.deepEqual([read.parameters, read.warnings.length], [parameters, warnings])
})
const refuses = (to: Card, fields: Fields, param: string) => test(`${to.id} refuses ${JSON.stringify(fields)}`, () => {
  assert.throws(() => readSettings(fields, to, ['prompt']), (problem: Problem) => problem.details.param === param)
})

reads(pixels, { prompt: 'x', size: 'auto', quality: 'auto', background: 'auto', moderation: 'auto', n: 1 }, {})
reads(pixels, { size: '1536x864', quality: 'high', n: 3 }, { count: 3, size: '1536x864', quality: 'high' })
reads(pixels, { quality: 'hd' }, { quality: 'high' }, 1)
reads(pixels, { output_format: 'webp', output_compression: 80, background: 'transparent' }, { output_format: 'webp', background: 'transparent', output_compression: 80 })
reads(pixels, { style: 'vivid', guidance: 4, count: 9 }, {}, 2)
reads(pixels, { aspect_ratio: '16:9', image_size: '2K' }, { size: '3648x2048' }, 1)
reads(pixels, { size: '512x512', aspect_ratio: '16:9' }, { size: '512x512' }, 1)
reads(pixels, { resolution: '0.5k' }, { size: '512x512' }, 1)
reads(ratios, { image_size: '0.5K', aspect_ratio: '16:9' }, { aspect_ratio: '16:9', resolution: '512' })
reads(ratios, { resolution: '2k' }, { resolution: '2K' })
reads(ratios, { resolution: '512px' }, { resolution: '512' })
reads(films, { resolution: '720p' }, { resolution: '720p' })
refuses(pixels, { aspect_ratio: 'wide' }, 'aspect_ratio')
reads(pixels, { input_fidelity: 'low' }, {}, 1)
refuses(pixels, { input_fidelity: 'high' }, 'input_fidelity')
reads(ratios, { size: '1024x1024' }, { aspect_ratio: '1:1', resolution: '1K' }, 1)
reads(ratios, { size: '1024x1024', aspect_ratio: '16:9' }, { aspect_ratio: '16:9', resolution: '1K' }, 1)
reads(ratios, { size: '1024x1024', resolution: '2K' }, { aspect_ratio: '1:1', resolution: '2K' }, 1)
reads(ratios, { size: '1024x1024', aspect_ratio: '16:9', image_size: '4K' }, { aspect_ratio: '16:9', resolution: '4K' }, 1)
test('what became of a size beside the model\'s own words is told', () => {
  const told = (fields: Fields) => readSettings({ size: '1024x1024', ...fields }, ratios, []).warnings
  assert.deepEqual(told({ aspect_ratio: '16:9' }), ['ratios thinks in ratios: size 1024x1024 became resolution 1K, because aspect_ratio is given.'])
  assert.deepEqual(told({ aspect_ratio: '16:9', resolution: '2K' }), ['ratios thinks in ratios: size 1024x1024 has no effect, because aspect_ratio and resolution are given.'])
})
reads(ratios, { size: '1792x1024' }, { aspect_ratio: '16:9', resolution: '1K' }, 1)
reads(ratios, { size: '2048x2048' }, { aspect_ratio: '1:1', resolution: '2K' }, 1)
reads(ratios, { size: '1024x1536' }, { aspect_ratio: '2:3', resolution: '1K' }, 1)
reads(ratios, { size: '3840x2160' }, { aspect_ratio: '16:9', resolution: '4K' }, 1)
reads(ratios, { seed: '7', quality: 'standard', background: 'opaque', moderation: 'low' }, { seed: 7 }, 1)
reads(films, { size: '1280x720' }, { aspect_ratio: '16:9', resolution: '720p' }, 1)
reads(films, { size: '1080x1920' }, { aspect_ratio: '9:16', resolution: '1080p' }, 1)
refuses(ratios, { size: '1000x900' }, 'size')
refuses(ratios, { size: '0x0' }, 'size')
refuses(ratios, { output_format: 'webp' }, 'output_format')
refuses(ratios, { quality: 'high' }, 'quality')
refuses(ratios, { background: 'transparent' }, 'background')
refuses(pixels, { output_compression: 50, output_format: 'png' }, 'output_compression')
refuses(pixels, { svg: {} }, 'svg')

const shape = (aspectRatio: string | undefined, imageSize: string | undefined, size: string) => test(`${aspectRatio} at ${imageSize} is ${size}`, () => {
  assert.equal(readShape({ aspectRatio, imageSize }, pixels).parameters.size, size)
})
shape('1:1', undefined, '1024x1024')
shape('3:2', '1K', '1536x1024')
shape('2:3', '1K', '1024x1536')
shape('16:9', '4K', '3840x2160')
shape('9:16', '4K', '2160x3840')
shape('1:1', '4K', '2160x2160')
shape(undefined, '2K', '2048x2048')
test('a shape passes through to a model that knows it', () => assert.deepEqual(readShape({ aspectRatio: '16:9', imageSize: '2K' }, ratios), { parameters: { aspect_ratio: '16:9', resolution: '2K' }, warnings: [] }))
test('a shape that is none is refused', () => assert.throws(() => readShape({ aspectRatio: 'wide', imageSize: undefined }, pixels), /aspect_ratio/))
