import assert from 'node:assert/strict'
import { test } from 'node:test'
import { problems, Problem, type ProblemCode, type StoredProblem } from '../../domain/problem.ts'
import type { Asset } from '../../domain/asset.ts'
import type { Task } from '../../domain/task.ts'
import { blockOf, writeAnswer, writeChunks } from './answer.ts'
import type { GeminiWire } from './generate.ts'
import { writeInteraction } from './interactions.ts'
import { writeError, refuseWith } from './refusal.ts'
import { assetIn, isOurs, signAsset } from './signature.ts'
import { writeOperation } from './veo.ts'

const asset = (id: string): Asset => ({ id: id.repeat(32), projectId: 'p', livemode: false, kind: 'output', sha256: 's', mime: 'image/png', sizeBytes: 3, width: 1, height: 1, name: null, taskId: 't', createdAt: new Date(0), expiresAt: null })
const task = (more: Partial<Task> = {}): Task => ({
  id: 'a'.repeat(32), accountId: 'a', projectId: 'p', keyId: null, livemode: false, state: 'done', turn: 1, attempts: 1, attemptsMax: 8, model: 'nano-banana-2', modelAsked: 'gemini-3.1-flash-image',
  operation: 'generate', prompt: 'a red mug!!!', parameters: { resolution: '1K' }, inputs: [], priority: 'interactive', provider: 'sandbox', upstreamModel: 'm', upstreamId: null, progress: null,
  priceMicros: 1, chargedMicros: 1, outputs: [asset('1')], text: 'A mug.', details: {}, warnings: [], problem: null, tried: [], metadata: {}, callbackUrl: null, wire: null,
  createdAt: new Date(0), startedAt: null, endedAt: new Date(1), dueAt: new Date(0), startBy: null, endBy: new Date(0), ...more,
})
const wire: GeminiWire = { method: 'generateContent', model: 'gemini-3.1-flash-image', text: true, delivery: 'inline' }
const write = (one: Asset) => ({ inlineData: { mimeType: one.mime, data: 'AAAA' } })
const rejected = (upstreamCode?: string): StoredProblem => ({ code: 'content_rejected', message: 'No.', ...(upstreamCode ? { details: { upstreamCode } } : {}) })

test('words first, then the picture with the signature that names it', () => {
  const answer: any = writeAnswer(task(), wire, null, write)
  const [words, picture] = answer.candidates[0].content.parts
  assert.equal(words.text, 'A mug.')
  assert.deepEqual(picture.inlineData, { mimeType: 'image/png', data: 'AAAA' })
  assert.equal(assetIn(picture.thoughtSignature), '1'.repeat(32))
  assert.deepEqual([answer.candidates[0].finishReason, answer.responseId, answer.modelVersion], ['STOP', 'a'.repeat(32), 'gemini-3.1-flash-image'])
  assert.deepEqual(answer.usageMetadata, {
    promptTokenCount: 3, candidatesTokenCount: 1_122, totalTokenCount: 1_125,
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: 3 }], candidatesTokensDetails: [{ modality: 'IMAGE', tokenCount: 1_120 }, { modality: 'TEXT', tokenCount: 2 }],
  })
})
test('a candidate for each picture, and one that says what did not come', () => {
  const { candidates }: any = writeAnswer(task({ parameters: { count: 3 }, outputs: [asset('1'), asset('2')] }), wire, null, write)
  assert.deepEqual(candidates.map((one: any) => [one.index, one.finishReason]), [[0, 'STOP'], [1, 'STOP'], [2, 'IMAGE_OTHER']])
  assert.deepEqual(candidates[2].content, {})
})
test('an upstream\'s own signatures and grounding go out as they came', () => {
  const { candidates: [one] }: any = writeAnswer(task({ details: { thought_signatures: ['EoCC'], grounding_metadata: { webSearchQueries: ['mugs'] } } }), wire, null, write)
  assert.equal(one.content.parts[1].thoughtSignature, 'EoCC')
  assert.deepEqual(one.groundingMetadata, { webSearchQueries: ['mugs'] })
})
test('a prompt that was blocked has no candidates', () => {
  const answer: any = writeAnswer(task({ state: 'failed', outputs: [], problem: rejected() }), wire, null, write)
  assert.deepEqual([answer.candidates, answer.promptFeedback.blockReason, answer.promptFeedback.blockReasonMessage], [undefined, 'SAFETY', 'No.'])
})
test('a picture that was blocked is a candidate that says so', () => {
  const answer: any = writeAnswer(task({ state: 'failed', outputs: [], problem: rejected('IMAGE_SAFETY') }), wire, null, write)
  assert.deepEqual(answer.candidates, [{ index: 0, content: {}, finishReason: 'IMAGE_SAFETY', finishMessage: 'No.' }])
})
test('no picture for reasons of the model is an answer with its reason', () => {
  const answer: any = writeAnswer(task({ state: 'failed', outputs: [], problem: { code: 'bad_output', message: 'Words only.', details: { upstreamCode: 'NO_IMAGE' } } }), wire, null, write)
  assert.equal(answer.candidates[0].finishReason, 'NO_IMAGE')
})
test('what the model thought comes first, for who asked', () => {
  const thoughtful = task({ details: { thoughts: 'A mug, then.' } })
  const parts = (thoughts: boolean) => (writeAnswer(thoughtful, { ...wire, thoughts }, null, write) as any).candidates[0].content.parts
  assert.deepEqual([parts(true)[0], parts(true).length, parts(false).length], [{ text: 'A mug, then.', thought: true }, 3, 2])
})
test('what is not about content is no block', () => assert.equal(blockOf({ code: 'provider_failed', message: '' }), null))

test('in a stream a picture is whole, and the last chunk has a part, the reason and the usage', () => {
  const chunks: any[] = [...writeChunks(task(), wire, null, write)]
  assert.deepEqual(chunks.map(chunk => chunk.candidates[0].finishReason), [undefined, undefined, 'STOP'])
  assert.ok(chunks[1].candidates[0].content.parts[0].inlineData)
  assert.deepEqual(chunks.map(chunk => chunk.usageMetadata !== undefined), [false, false, true])
  assert.deepEqual(chunks.map(chunk => chunk.candidates[0].content.parts.length), [1, 1, 1])
})

test('ours are told from others\'', () => {
  assert.equal(assetIn(signAsset('1'.repeat(32))), '1'.repeat(32))
  assert.equal(assetIn(signAsset('1'.repeat(32)).replace(/=+$/, '')), '1'.repeat(32))
  assert.equal(isOurs('EoCC'), false)
  assert.equal(assetIn(Buffer.from('plantain/1 asset ../x').toString('base64')), null)
})

test('every code has a status their clients know', () => {
  const known = [400, 401, 403, 404, 405, 409, 416, 429, 499, 500, 501, 503, 504]
  for (const code of Object.keys(problems) as ProblemCode[]) {
    const { code: http, status, details } = writeError({ code, message: 'x' })
    assert.ok(known.includes(http) && /^[A-Z_]+$/.test(status), code)
    assert.match(details[0]!['@type'], /ErrorInfo$/)
  }
})
test('too many requests say when to come back, twice', () => {
  const response = refuseWith(new Problem('rate_limited', 'Slow down.', { retryAfterS: 7 }), '/v1/models/x:generateContent')
  assert.equal(response.headers.get('retry-after'), '7')
  const retry = writeError({ code: 'rate_limited', message: 'x', details: { retryAfterS: 7 } }).details.find(detail => detail['@type'].endsWith('RetryInfo'))
  assert.equal(retry?.retryDelay, '7s')
})
test('nobody repeats by himself what may have been made', () => assert.equal(writeError({ code: 'outcome_unknown', message: 'x' }).code, 400))
test('a key that is wrong and a key that is missing are told apart', () => {
  assert.deepEqual([writeError({ code: 'unauthorized', message: 'x' }).details[0]!.reason, writeError({ code: 'unauthorized', message: 'x', details: { missing: true } }).status], ['API_KEY_INVALID', 'UNAUTHENTICATED'])
})

const film = (more: Partial<Task>) => task({ operation: 'video', modelAsked: 'veo-3.1-generate-preview', ...more })
const link = () => 'https://x.example/f'
test('an operation under way, done, blocked and failed', () => {
  const name = `models/veo-3.1-generate-preview/operations/${'a'.repeat(32)}`
  assert.deepEqual([(writeOperation(film({ state: 'running' }), link) as any).name, (writeOperation(film({ state: 'running' }), link) as any).done], [name, false])
  assert.equal((writeOperation(film({}), link) as any).response.generateVideoResponse.generatedSamples[0].video.uri, 'https://x.example/f')
  assert.equal((writeOperation(film({ state: 'failed', outputs: [], problem: rejected() }), link) as any).response.generateVideoResponse.raiMediaFilteredCount, 1)
  assert.equal((writeOperation(film({ state: 'failed', outputs: [], problem: { code: 'provider_timeout', message: 'x' } }), link) as any).error.code, 4)
})

test('an interaction: a thought that signs, then what was made', () => {
  const interaction: any = writeInteraction(task(), wire, one => ({ mime_type: one.mime, data: 'AAAA' }))
  assert.deepEqual([interaction.status, interaction.steps.map((step: any) => step.type)], ['completed', ['thought', 'model_output']])
  assert.deepEqual(interaction.steps[1].content.map((content: any) => content.type), ['text', 'image'])
  assert.equal(interaction.usage.total_tokens, 1_125)
  assert.deepEqual([(writeInteraction(task({ state: 'waiting', outputs: [] }), wire, () => ({})) as any).status], ['in_progress'])
})
