import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mayLookAt, readBegun, readLook } from './wire.ts'

const look = (status: string, expected: string, more: object = {}) => test(`${status} is ${expected}`, () => {
  const looked = readLook({ id: 'a', status, ...more })
  assert.equal(looked?.kind === 'failed' ? looked.problem.code : looked?.kind, expected)
})
look('Pending', 'pending', { progress: 0.5 })
look('Ready', 'made', { result: { sample: 'https://delivery.bfl.ai/a.png', seed: 4 } })
look('Ready', 'bad_output', { result: {} })
look('Ready', 'bad_output')
look('Request Moderated', 'content_rejected')
look('Content Moderated', 'content_rejected', { details: { 'Moderation Reasons': ['x'] } })
look('Error', 'provider_failed')
look('Failed', 'provider_failed')
look('Task not found', 'gone')
look('Something New', 'pending')

test('what nobody can read is no answer', () => {
  for (const body of [null, 'page', {}, { status: 5 }]) assert.equal(readLook(body), null)
  for (const body of [null, {}, { id: 'a' }, { id: '', polling_url: 'https://api.bfl.ai/x' }, { id: 'a', polling_url: 'ftp://x' }]) assert.equal(readBegun(body), null)
})
test('credits are cents', () => { assert.equal(readBegun({ id: 'a', polling_url: 'https://api.bfl.ai/v1/get_result?id=a', cost: 1.4 })?.costMicros, 14_000) })
test('our key goes to its own hosts', () => {
  const may = (url: string) => mayLookAt(new URL(url), 'https://api.bfl.ai/v1')
  assert.deepEqual(['https://api.bfl.ai/x', 'https://api.eu1.bfl.ai/x', 'http://api.eu1.bfl.ai/x', 'https://bfl.ai.evil.example/x', 'https://evilbfl.ai/x'].map(may), [true, true, false, false, false])
})
