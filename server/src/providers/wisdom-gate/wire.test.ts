import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { readRetryAfter } from '../../kit/fetch.ts'
import type { JobOutcome } from '../contract.ts'
import type { Asked, Reply } from '../toolkit.ts'
import { filmStates, readBalance, readBegun, readLook, readNo, readPicture, readPictures, saysSpent, surfaceOf, writeFilm, writePictures } from './wire.ts'

type Answered = Extract<Reply, { kind: 'answered' }>
function reply(name: string): Answered {
  const { status, headers = {}, body } = JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8')) as { status: number; headers?: Record<string, string>; body: unknown }
  const all = new Headers(headers)
  return { kind: 'answered', status, headers: all, retryAfterMs: readRetryAfter(all, new Date()), body: typeof body === 'string' ? undefined : body, bytesOf: text => Buffer.from(text, 'base64') }
}
const said = (outcome: JobOutcome): unknown => outcome.kind === 'failed' ? outcome.problem.code : outcome.kind === 'done' ? outcome.value.made.length : outcome.receipt

const answered = (name: string, expected: unknown, retryAfterMs: number | null = null) => test(`asked for a picture, answered with ${name}`, () => {
  const outcome = readPicture(reply(name), undefined)
  assert.deepEqual([said(outcome), outcome.kind === 'failed' ? outcome.retryAfterMs : null], [expected, retryAfterMs])
  if (!name.startsWith('picture')) assert.deepEqual(said(readPictures(reply(name), { asked: {}, warnings: [] })), expected, 'in both dialects')
})
answered('picture', 1)
answered('picture-refused', 'content_rejected')
answered('malformed', 'provider_rejected')
answered('policy', 'content_rejected')
answered('key', 'provider_not_configured')
answered('group', 'provider_not_configured')
answered('parameter', 'provider_rejected')
answered('spent', 'provider_not_configured')
answered('spent-429', 'provider_not_configured')
answered('spent-402', 'provider_not_configured')
answered('busy', 'provider_busy', 4_000)
answered('busy-google', 'provider_busy')
answered('anthropic', 'provider_rejected')
answered('string', 'provider_rejected')
answered('trouble', 'outcome_unknown')
answered('overloaded', 'provider_busy')
answered('gateway', 'outcome_unknown')
answered('html-200', 'outcome_unknown')
answered('under-200', 'provider_failed')
answered('under-200-busy', 'provider_busy')
answered('under-200-policy', 'content_rejected')

test('pictures in the other dialect come as links or as base64, with usage', () => {
  const read = (name: string) => readPictures(reply(name), { asked: {}, warnings: [] })
  assert.deepEqual([said(read('images-link')), said(read('images-base64'))], [1, 1])
  const outcome = read('images-base64')
  assert.deepEqual(outcome.kind === 'done' && outcome.value.usage, { textIn: 12, imageIn: 0, textOut: 0, imageOut: 1290 })
})

test('silence is a lost answer, unless nobody was there', () => {
  for (const read of [(one: Reply) => readPicture(one, undefined), (one: Reply) => readPictures(one, { asked: {}, warnings: [] }), (one: Reply) => readBegun(one, [])]) {
    assert.deepEqual([said(read({ kind: 'lost' })), said(read({ kind: 'unreached' }))], ['outcome_unknown', 'provider_down'])
  }
})

test('whatever the status, only a limit and an overload are asked again: trouble behind a gateway may have been bought', () => {
  const codes = Array.from({ length: 200 }, (_, index) => 400 + index).filter(status => ['provider_busy', 'provider_down'].includes(said(readNo({ ...reply('trouble'), status })) as string))
  assert.deepEqual(codes, [429, 503])
  assert.deepEqual(['spent', 'spent-429', 'spent-402', 'busy', 'key', 'group'].map(name => saysSpent(reply(name))), [true, true, true, false, false, false])
})

test('a film that is begun brings a receipt', () => {
  assert.deepEqual(said(readBegun(reply('film-begun'), ['w'])), { id: 'video_abc', warnings: ['w'] })
  assert.deepEqual(['spent', 'under-200', 'gateway', 'html-200', 'images-link'].map(name => said(readBegun(reply(name), []))), ['provider_not_configured', 'provider_failed', 'outcome_unknown', 'outcome_unknown', 'outcome_unknown'])
})

const looked = (name: string, expected: unknown) => test(`looked at a film, answered with ${name}`, () => {
  const read = readLook(reply(name))
  assert.deepEqual(read.kind === 'failed' ? read.problem.code : read.kind === 'made' ? read.url : read.kind === 'missing' ? 'missing' : [read.kind, read.progress], expected)
})
looked('film-begun', ['pending', 0])
looked('film-processing', ['pending', 33])
looked('film-new-state', ['pending', null])
looked('film-completed', 'https://cdn.example/a.mp4')
looked('film-completed-bare', null)
looked('film-failed', 'provider_failed')
looked('film-refused', 'content_rejected')
looked('film-missing', 'missing')
looked('gateway', ['pending', null])
looked('busy', ['pending', null])
test('every state of a film has a meaning', () => {
  for (const status of filmStates) assert.equal(readLook({ ...reply('film-begun'), body: { id: 'v', status } }).kind, status === 'completed' ? 'made' : status === 'failed' ? 'failed' : 'pending')
})

test('what is left of the account is worked out, or not known', () => {
  assert.equal(readBalance(reply('subscription'), reply('usage')), 0.16)
  assert.equal(readBalance(reply('subscription'), reply('gateway')), null)
  assert.equal(readBalance({ kind: 'lost' }, reply('usage')), null)
})

const job = (more: Partial<Asked> = {}): Asked => ({ model: 'gemini-3.1-flash-image-preview', operation: 'generate', prompt: 'a desk', parameters: {}, count: 1, key: 'k', inputs: [], ...more })
const input = (role: Asked['inputs'][number]['role']): Asked['inputs'][number] => ({ role, mime: 'image/png', sizeBytes: 3, width: 1, height: 1 })

test('each model is asked where it can be', () =>
  assert.deepEqual([surfaceOf(job()), surfaceOf(job({ model: 'gpt-image-2' })), surfaceOf(job({ model: 'sora-2', operation: 'video' }))], ['gemini', 'images', 'video']))

test('Gemini’s words are spelled as this gateway spells them', () => {
  const { path, bodies } = writePictures(job({ parameters: { aspect_ratio: '1:8', resolution: '512', google_search: true, output_format: 'png' } }), [])
  assert.deepEqual([path, bodies], ['v1beta/models/gemini-3.1-flash-image-preview:generateContent', [{
    contents: [{ role: 'user', parts: [{ text: 'a desk' }] }], generationConfig: { responseModalities: ['TEXT', 'IMAGE'], imageConfig: { aspectRatio: '1:8', imageSize: '0.5K' } }, tools: [{ google_search: {} }] }]])
})
test('what comes by itself is not said', () => assert.equal((writePictures(job({ parameters: { aspect_ratio: 'auto', resolution: '1K' } }), []).bodies[0] as any).generationConfig.imageConfig, undefined))

const refused = (name: string, asked: Asked, code = 'unsupported_parameter') => test(`refuses ${name}`, () => assert.throws(() => asked.operation === 'video' ? writeFilm(asked) : writePictures(asked, []), { code }))
refused('a small picture of a model that has none', job({ model: 'gemini-3-pro-image-preview', parameters: { resolution: '512' } }))
refused('a very wide picture of a model that has none', job({ model: 'gemini-3-pro-image-preview', parameters: { aspect_ratio: '8:1' } }))
refused('a search by the oldest', job({ model: 'gemini-2.5-flash-image', parameters: { google_search: true } }))
refused('JPEG', job({ parameters: { output_format: 'jpeg' } }))
refused('a mask', job({ inputs: [input('reference'), input('mask')] }))
const filmJob = (more: Partial<Asked>) => job({ model: 'sora-2', operation: 'video', ...more })
refused('a film of five seconds', filmJob({ parameters: { duration_s: 5 } }))
refused('a square film', filmJob({ parameters: { aspect_ratio: '1:1' } }))
refused('a film with a last picture', filmJob({ inputs: [input('first_frame'), input('last_frame')] }))
refused('two films', filmJob({ count: 2 }))
test('a film is said in seconds and pixels', () => assert.deepEqual(writeFilm(filmJob({ parameters: { duration_s: 8, aspect_ratio: '16:9' } })), { fields: { model: 'sora-2', prompt: 'a desk', seconds: '8', size: '1280x720' }, warnings: [] }))
