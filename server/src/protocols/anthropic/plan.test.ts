import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Card } from '../../domain/card.ts'
import { Problem } from '../../domain/problem.ts'
import { readModel, readOptions } from './options.ts'
import { readOutput } from './output.ts'
import { planOrder } from './plan.ts'
import { readMessages } from './read.ts'

const cardOf = (id: string) => JSON.parse(readFileSync(new URL(`../../catalog/cards/${id}.json`, import.meta.url), 'utf8')) as Card
const banana = cardOf('nano-banana-2')
const other = cardOf('sandbox-1')

const options = (text: string, image: Record<string, unknown> = {}, card = banana) => readOptions({ suffixes: readModel(text).suffixes, image, field: 'image' }, card).parameters

test('options stand behind the name of a model', () => {
  assert.equal(readModel('nano-banana-2@16:9@4k').model, 'nano-banana-2')
  assert.deepEqual(options('nano-banana-2@16:9@4k@jpeg'), { aspect_ratio: '16:9', resolution: '4K', output_format: 'jpeg' })
})

test('options stand in the body', () => {
  assert.deepEqual(options('m', { aspect_ratio: '1:1', image_size: '0.5K', n: 2, seed: 7, output_format: 'jpg' }), { aspect_ratio: '1:1', resolution: '512', count: 2, seed: 7, output_format: 'jpeg' })
})

const size = (text: string, ratio: string, resolution: string) => test(`${text} is ${ratio} at ${resolution}`, () => {
  const { parameters, warnings } = readOptions({ suffixes: [], image: { size: text }, field: 'image' }, banana)
  assert.deepEqual(parameters, { aspect_ratio: ratio, resolution })
  assert.match(warnings[0]!, new RegExp(text))
})
size('512x512', '1:1', '512')
size('1024x1024', '1:1', '1K')
size('1024x1536', '2:3', '1K')
size('1792x1024', '16:9', '2K')
size('4096x4096', '1:1', '4K')

const refused = (name: string, run: () => unknown) => test(`refused: ${name}`, () => { assert.throws(run, Problem) })
refused('a shape the model has not', () => options('m', { size: '1000x700' }))
refused('a size in words', () => options('m', { size: 'large' }))
refused('an option there is not', () => options('m', { sparkle: 1 }))
refused('an option that is an object', () => options('m', { n: {} }))
refused('a suffix that is none', () => options('m@huge'))
refused('two ratios', () => options('m@1:1', { aspect_ratio: '16:9' }))

const conversation = { model: 'x', max_tokens: 1, system: 'Be bold.', messages: [{ role: 'user', content: 'a fox' }, { role: 'assistant', content: 'Which style?' }, { role: 'user', content: 'watercolour' }] }
const plan = (card: Card, livemode: boolean, more: object = {}) =>
  planOrder(readMessages({ ...conversation, ...more }, { inline: () => null }), { card, model: card.id, suffixes: [], livemode, callsTool: false }).order

test('a chat model reads the conversation', () => {
  assert.equal(plan(banana, true).prompt, 'Be bold.\n\nThe conversation so far:\nUser: a fox\nAssistant: Which style?\n\nwatercolour')
})
test('no other model does, and the order says so', () => {
  for (const { prompt, warnings } of [plan(banana, false), plan(other, true)]) {
    assert.equal(prompt, 'Be bold.\n\nwatercolour')
    assert.match(warnings!.join(), /What was said before/)
  }
})
test('a conversation that is too long is refused in both modes', () => {
  const messages = [{ role: 'user', content: 'a'.repeat(banana.prompt.charactersMax) }, { role: 'assistant', content: 'Yes.' }, { role: 'user', content: 'b' }]
  for (const livemode of [true, false]) assert.throws(() => plan(banana, livemode, { messages }), /at most/)
})
test('the last picture of the assistant goes in where there is room', () => {
  const picture = (data: string) => ({ type: 'image', source: { type: 'base64', media_type: 'image/png', data } })
  const order = (own: number) => planOrder(readMessages({
    model: 'x', max_tokens: 1, messages: [{ role: 'user', content: 'a' }, { role: 'assistant', content: [picture('AAAA')] }, { role: 'user', content: [...Array.from({ length: own }, () => picture('BBBB')), { type: 'text', text: 'b' }] }],
  }, { inline: () => null }), { card: banana, model: 'x', suffixes: [], livemode: false, callsTool: false })
  assert.equal(order(13).pictures.length, 14)
  assert.equal(order(14).pictures.length, 14)
  assert.match(order(14).order.warnings!.join(), /left out/)
  assert.throws(() => order(15), /at most 14 pictures, not 15/)
})
test('a forced tool is refused, unless the client asked for calls', () => {
  assert.throws(() => plan(banana, false, { tools: [{ name: 'a', input_schema: {} }], tool_choice: { type: 'any' } }), /tool_choice/)
})

const output = (headers: Record<string, string>, expected: string) => test(`${JSON.stringify(headers)} gets ${expected}`, () => { assert.equal(readOutput(headers), expected) })
output({ 'user-agent': 'Anthropic/JS 1.12.0' }, 'block')
output({}, 'block')
output({ 'user-agent': 'ai/7.0.173 ai-sdk/anthropic/4.0.1 runtime/node.js/24' }, 'link')
output({ 'user-agent': 'ai-sdk/anthropic/4.0.1' }, 'link')
// As the two halves of the AI SDK really send it: its newer streams have hyphens.
output({ 'user-agent': 'ai/7.0.173 ai-sdk-provider-utils/5.0.51 node.js/24' }, 'link')
output({ 'user-agent': 'ai-sdk-anthropic/4.0.68 ai-sdk-provider-utils/5.0.51 node.js/24' }, 'link')
output({ 'user-agent': 'mail/1.0' }, 'block')
output({ 'user-agent': 'ai/7', 'x-image-output': 'Block' }, 'block')
refused('a form there is not', () => readOutput({ 'x-image-output': 'hologram' }))
