import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Problem } from '../../domain/problem.ts'
import { nearestRatio, readFailure, sortFields, takeInputs } from './ai-sdk.ts'
import { readRefusal, wordsOf } from './refusal.ts'

const named = { title: 'Acme', setting: 'ACME_API_KEY' }

const refusal = (status: number, body: unknown, expected: string) => test(`${status} with ${JSON.stringify(body)} is ${expected}`, () => {
  assert.equal(readRefusal({ status, body, retryAfterMs: null }, named).problem.code, expected)
})
const own = { error: { message: 'No.' } }
refusal(400, own, 'provider_rejected')
refusal(422, { detail: [{ msg: 'width is too small' }] }, 'provider_rejected')
refusal(404, own, 'provider_not_configured')
refusal(400, { error: { message: 'Blocked by our content policy' } }, 'content_rejected')
refusal(403, { message: 'The prompt was flagged.' }, 'content_rejected')
refusal(403, own, 'provider_not_configured')
refusal(401, { error: 'Your key violates our policy' }, 'provider_not_configured')
refusal(402, own, 'provider_not_configured')
refusal(429, undefined, 'provider_busy')
refusal(500, own, 'provider_down')
refusal(503, own, 'provider_busy')
// A page, or a gateway in between, says nothing of what was begun.
refusal(500, undefined, 'outcome_unknown')
refusal(503, undefined, 'outcome_unknown')
for (const status of [408, 502, 504, 520]) refusal(status, own, 'outcome_unknown')

const words = (body: unknown, expected: string) => test(`the words of ${JSON.stringify(body)}`, () => assert.equal(wordsOf(body), expected))
words({ error: { message: 'a' } }, 'a')
words({ detail: { error: 'b' } }, 'b')
words({ detail: [{ msg: 'c' }, { msg: 'd' }] }, 'c; d')
words({ error: 'code', message: 'a sentence' }, 'a sentence')
words({ error: 'alone' }, 'alone')
words(null, '')

const heard = (heardThing: Parameters<typeof readFailure>[1], thrown: unknown, expected: string) => test(`${heardThing.kind} and ${String(thrown)} is ${expected}`, () => {
  assert.equal(readFailure(thrown, heardThing, named).problem.code, expected)
})
const answered = { kind: 'answered', status: 200, retryAfterMs: null, body: undefined } as const
heard({ kind: 'nothing' }, new Error('Masks are not supported.'), 'unsupported_parameter')
heard({ kind: 'nothing' }, new DOMException('stopped', 'AbortError'), 'provider_down')
heard({ kind: 'threw', thrown: new Problem('provider_down', 'x', { reached: false }) }, new Error('x'), 'provider_down')
heard({ kind: 'threw', thrown: new Problem('provider_down', 'x') }, new Error('x'), 'outcome_unknown')
heard({ kind: 'threw', thrown: new TypeError('terminated') }, new Error('x'), 'outcome_unknown')
heard(answered, new Error('It was blocked due to a content policy violation.'), 'content_rejected')
heard(answered, new Error('Acme returned no images.'), 'bad_output')
heard(answered, Object.assign(new Error('JSON parsing failed: Text: {"prompt":"a policy violation'), { name: 'AI_JSONParseError' }), 'outcome_unknown')
heard(answered, new Error('something else'), 'outcome_unknown')

const asked = { model: 'm', operation: 'edit' as const, prompt: '', parameters: {}, count: 1, key: 'k' }
const picture = (role: 'reference' | 'mask' | 'style' | 'video', width = 1600, height = 900) => ({ role, mime: 'image/png', sizeBytes: 1, width, height })
test('pictures are counted, masks apart', () => {
  assert.deepEqual(takeInputs({ ...asked, inputs: [picture('reference')] }, 'Acme', { max: 1 }), [])
  assert.match(takeInputs({ ...asked, inputs: [picture('style')] }, 'Acme', { max: 1 })[0]!, /roles/)
  for (const [inputs, limits] of [[[picture('reference'), picture('reference')], { max: 1 }], [[picture('video')], { max: 1 }], [[picture('reference'), picture('mask')], { max: 1 }], [[picture('mask')], { max: 1, mask: true }], [[picture('reference')], { max: 0 }]] as const) {
    assert.throws(() => takeInputs({ ...asked, inputs: [...inputs] }, 'Acme', limits), Problem)
  }
})
test('auto is the nearest ratio, square without a picture', () => {
  assert.deepEqual([nearestRatio(['1:1', '16:9'], { ...asked, inputs: [picture('reference')] }), nearestRatio(['16:9', '1:1'], { ...asked, inputs: [] })], ['16:9', '1:1'])
})
test('fields of the specification are told apart from the package’s own', () => {
  assert.deepEqual(sortFields({ fields: { size: '1x1', seed: 1, steps: 4, resolution: '1k' }, warnings: ['w'] }), { call: { size: '1x1', seed: 1 }, options: { steps: 4, resolution: '1k' }, warnings: ['w'] })
})
