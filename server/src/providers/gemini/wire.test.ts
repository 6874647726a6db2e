import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { readRetryAfter } from '../../kit/fetch.ts'
import type { JobOutcome } from '../contract.ts'
import type { Asked, Reply } from '../toolkit.ts'
import { readBegun, readLook, writeFilm } from './film.ts'
import { addUp, blockReasons, finishReasons, readBlock, readFinish, readUsage, writeGeneration } from '../toolkit/gemini.ts'
import { handlingsOf, readError, readOperationError, statuses } from '../toolkit/google.ts'
import { readGeneration } from './wire.ts'

function reply(name: string): Extract<Reply, { kind: 'answered' }> {
  const { status, headers = {}, body } = JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8')) as { status: number; headers?: Record<string, string>; body: unknown }
  const all = new Headers(headers)
  return { kind: 'answered', status, headers: all, retryAfterMs: readRetryAfter(all, new Date()), body: typeof body === 'string' ? undefined : body, bytesOf: text => Buffer.from(text, 'base64') }
}
const said = (outcome: JobOutcome): unknown => outcome.kind === 'failed' ? outcome.problem.code : outcome.kind === 'wait' ? outcome.receipt : outcome.value.made.length
const expected = { seed: undefined }

const made = (name: string, what: unknown) => test(`asked for a picture, answered with ${name}`, () => assert.deepEqual(said(readGeneration(reply(name), expected)), what))
made('picture', 1)
made('thoughts', 1)
made('blocked-picture', 'content_rejected')
made('blocked-prompt', 'content_rejected')
made('words-only', 'bad_output')
made('nothing', 'bad_output')
made('key', 'provider_not_configured')
made('busy', 'provider_busy')
made('internal', 'provider_down')
made('gateway', 'outcome_unknown')

test('words of whoever stands before Google are read by their status: a key is the operator’s, and a call that was given up may have been read', () => {
  const code = (status: number, error: object) => said(readError({ ...reply('internal'), status, body: { error } }, { isCall: true }))
  assert.deepEqual([401, 403, 400, 422, 429, 408, 499, 500, 503].map(status => code(status, { code: 'a_word', message: 'x' })), [
    'provider_not_configured', 'provider_not_configured', 'provider_rejected', 'provider_rejected', 'provider_busy', 'outcome_unknown', 'outcome_unknown', 'outcome_unknown', 'outcome_unknown'])
  assert.equal(code(400, { message: 'blocked by our content policy' }), 'content_rejected')
})

test('words, usage and signatures come along; thinking stays apart', () => {
  const outcome = readGeneration(reply('picture'), { seed: 4 })
  assert.ok(outcome.kind === 'done')
  const { text, details, upstreamId, made: [first] } = outcome.value
  assert.deepEqual([text, upstreamId, first?.seed, details?.thought_signatures], ['Here is the dog with a scarf.', 'vR0faZ2kK', 4, ['Eo8CDg==']])
  const thinking = readGeneration(reply('thoughts'), expected)
  assert.ok(thinking.kind === 'done')
  assert.deepEqual([thinking.value.text, thinking.value.details?.thoughts, thinking.value.details?.thought_signatures], [undefined, 'A dog needs wool.', undefined])
})

test('a model that answers in words is quoted', () => {
  const outcome = readGeneration(reply('words-only'), expected)
  assert.ok(outcome.kind === 'failed')
  assert.match(outcome.problem.message, /What colour/)
})

test('a pause Google names in the body is heard', () => {
  const outcome = readGeneration(reply('busy'), expected)
  assert.equal(outcome.kind === 'failed' && outcome.retryAfterMs, 7_000)
})

test('every reason has a sentence; those that refuse do so with a picture too', () => {
  for (const reason of finishReasons) assert.ok(readFinish(reason, '', false)!.message.length > 10, reason)
  const kept = finishReasons.filter(reason => readFinish(reason, '', true) === null)
  assert.deepEqual(kept.filter(reason => /SAFETY|PROHIBITED|BLOCKLIST|SPII|RECITATION/.test(reason)), [])
  assert.ok(kept.includes('STOP') && kept.includes('MAX_TOKENS'))
  for (const reason of [...blockReasons, 'NEVER_HEARD_OF']) assert.equal(readBlock(reason, '').code, 'content_rejected')
  assert.equal(readFinish('NEVER_HEARD_OF', '', true), null)
})

test('what may have begun a film is not asked again; what has ended a call may be', () => {
  const code = (status: string, isCall: boolean) => said(readError({ ...reply('internal'), body: { error: { code: 500, status, message: 'x' } } }, { isCall }))
  assert.deepEqual([code('INTERNAL', true), code('INTERNAL', false)], ['provider_down', 'outcome_unknown'])
  const again = statuses.filter(status => ['provider_busy', 'provider_down'].includes(code(status, false) as string))
  assert.deepEqual(again, ['RESOURCE_EXHAUSTED', 'UNAVAILABLE'])
})

test('a film that is begun brings a receipt; a name that leads elsewhere is none', () => {
  assert.deepEqual(said(readBegun(reply('film-begun'), [])), { id: 'models/veo-3.1-generate-preview/operations/op5', warnings: [] })
  assert.equal(said(readBegun(reply('film-begun-elsewhere'), [])), 'outcome_unknown')
  assert.equal(said(readBegun(reply('gateway'), [])), 'outcome_unknown')
})

const looked = (name: string, what: unknown) => test(`looked at a film, answered with ${name}`, () => {
  const read = readLook(reply(name))
  assert.equal(read.kind === 'failed' ? read.problem.code : read.kind === 'made' ? read.films.length : read.kind, what)
})
looked('film-going-on', 'pending')
looked('film-made', 1)
looked('film-filtered', 'content_rejected')
looked('film-failed', 'provider_failed')
looked('film-missing', 'missing')
looked('gateway', 'pending')
looked('busy', 'pending')

test('every code of an operation has a problem', () => {
  for (let code = 0; code <= 17; code++) assert.notEqual(readOperationError(code, 'x').code, 'internal')
  assert.equal(readOperationError(3, 'This violates our policies').code, 'content_rejected')
})

const job = (more: Partial<Asked> = {}): Asked => ({ model: 'gemini-nano-banana-2.1', operation: 'generate', prompt: 'a boat', parameters: {}, count: 1, key: 'k', inputs: [], ...more })
const write = (asked: Asked) => writeGeneration(asked, [], handlingsOf(asked.model))
const input = (role: Asked['inputs'][number]['role']): Asked['inputs'][number] => ({ role, mime: 'image/png', sizeBytes: 3, width: 1, height: 1 })

test('one call for each picture, each with its own seed', () => {
  const { bodies } = write(job({ count: 2, parameters: { seed: 2_147_483_647 } }))
  assert.deepEqual(bodies.map(body => (body as any).generationConfig.seed), [2_147_483_647, 0])
})

test('auto names no ratio', () => assert.equal((write(job({ parameters: { aspect_ratio: 'auto' } })).bodies[0] as any).generationConfig.imageConfig, undefined))

const refused = (name: string, asked: Asked, code = 'unsupported_parameter') => test(`refuses ${name}`, () => assert.throws(() => write(asked), { code }))
refused('a size the model does not know', job({ parameters: { resolution: '512' } }))
refused('a search by a model that cannot', job({ model: 'gemini-2.5-flash-image', parameters: { google_search: true } }))
refused('a mask', job({ inputs: [input('reference'), input('mask')] }))
refused('more bytes than fit into a call', job({ inputs: [{ ...input('reference'), sizeBytes: 80_000_000 }] }), 'too_large')

test('pictures of a film go by what they are for', () => {
  const roles = ['first_frame', 'last_frame', 'reference', 'style'] as const
  const { body } = writeFilm(job({ model: 'veo-3.1-generate-preview', operation: 'video', parameters: { duration_s: 8, resolution: '4K' }, inputs: roles.map(input) }), roles.map(role => ({ mime: 'image/png', base64: role })))
  const [instance] = (body as any).instances
  assert.deepEqual([instance.image.bytesBase64Encoded, instance.lastFrame.bytesBase64Encoded, instance.referenceImages.map((one: any) => one.referenceType)], ['first_frame', 'last_frame', ['asset', 'style']])
  assert.deepEqual((body as any).parameters, { sampleCount: 1, durationSeconds: 8, resolution: '4k' })
})

test('usages add up by modality', () =>
  assert.deepEqual(addUp({ total: 3, by: [{ modality: 'TEXT', tokenCount: 1 }] }, { total: 4, by: [{ modality: 'IMAGE', tokenCount: 2 }, { modality: 'TEXT', tokenCount: 5 }], more: 1 }),
    { total: 7, by: [{ modality: 'TEXT', tokenCount: 6 }, { modality: 'IMAGE', tokenCount: 2 }], more: 1 }))

test('tokens are told apart by modality, thinking is text, and searches are counted', () => {
  const usageMetadata = {
    promptTokenCount: 274, candidatesTokenCount: 1132, thoughtsTokenCount: 88, totalTokenCount: 1494,
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: 16 }, { modality: 'IMAGE', tokenCount: 258 }], candidatesTokensDetails: [{ modality: 'IMAGE', tokenCount: 1120 }, { modality: 'TEXT', tokenCount: 12 }],
  }
  assert.deepEqual(readUsage({ usageMetadata, candidates: [{ groundingMetadata: { webSearchQueries: ['boats', 'sails'], imageSearchQueries: ['boat'] } }] }).usage, { textIn: 16, imageIn: 258, textOut: 100, imageOut: 1120, searches: 3 })
  assert.deepEqual(readUsage({ usageMetadata: { promptTokenCount: 16, candidatesTokenCount: 1290 } }).usage, { textIn: 16, imageIn: 0, textOut: 0, imageOut: 1290 })
})
test('a prompt that was blocked took what went in', () => assert.deepEqual(readUsage({ usageMetadata: { promptTokenCount: 16 } }).usage, { textIn: 16, imageIn: 0, textOut: 0, imageOut: 0 }))
test('counts nobody can read are not told, and no reason to lose a picture', () => {
  assert.deepEqual([readUsage({}), readUsage({ usageMetadata: { promptTokenCount: 'many' } as object })], [{}, {}])
  const { body, ...answer } = reply('picture')
  assert.equal(readGeneration({ ...answer, body: { ...body as object, usageMetadata: { candidatesTokensDetails: 'none' } } }, expected).kind, 'done')
})
