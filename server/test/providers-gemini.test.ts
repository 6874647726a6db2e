/** The Gemini API rehearsed: real cards and a live key against a server that follows its wire page, fault by fault. Nothing here has met Google. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { ApiError, GoogleGenAI } from '@google/genai'
import gemini from '../src/providers/gemini/index.ts'
import { handlingsOf, statuses } from '../src/providers/toolkit/google.ts'
import { blockReasons, finishReasons } from '../src/providers/toolkit/gemini.ts'
import type { Job, JobOutcome } from '../src/providers/contract.ts'
import { createFetch, providerCodes } from '../src/kit/fetch.ts'
import { isOmni, omniHandlings } from '../src/providers/gemini/interaction.ts'
import { filmHandlings, isFilm } from '../src/providers/gemini/models.ts'
import { textHandlings } from '../src/providers/toolkit/gemini-text.ts'
import { openCatalog } from './kit/catalog.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { jobInput } from './kit/job.ts'
import { moneyTable, send } from './kit/live.ts'
import { geminiKey, startGemini, type GeminiUpstream } from './upstreams/gemini.ts'
import { paint } from './upstreams/loopback.ts'

let upstream: GeminiUpstream
let house: TestHouse
before(async () => {
  upstream = await startGemini()
  house = await testHouse({ settings: { GEMINI_API_KEY: geminiKey, GEMINI_BASE_URL: upstream.url } })
})
after(async () => {
  await house?.close()
  await upstream?.close()
})
beforeEach(() => upstream.clear())

const fault = moneyTable({ house: () => house, upstream: () => upstream, model: 'nano-banana-2-1', key: geminiKey })

describe('a live order', () => {
  test('becomes a picture in the call, with words, usage and signatures', async () => {
    const { body } = await send(house, { model: 'nano-banana-2-1', prompt: 'a boat', parameters: { aspect_ratio: '16:9', resolution: '2K', seed: 5 } })
    assert.deepEqual([body.state, body.served_by, body.text, body.outputs[0].mime], ['done', 'gemini', 'Here it is.', 'image/png'], JSON.stringify(body.problem))
    assert.equal(body.details.usage_metadata.candidatesTokenCount, 1132)
    assert.equal(body.details.thought_signatures.length, 1)
    assert.deepEqual(body.details.seeds, [5])
    const [{ model, body: asked }] = upstream.orders() as [{ model: string; body: any }]
    assert.equal(model, 'gemini-nano-banana-2.1')
    assert.deepEqual(asked.generationConfig, { responseModalities: ['TEXT', 'IMAGE'], imageConfig: { aspectRatio: '16:9', imageSize: '2K' }, seed: 5 })
  })

  test('for several becomes as many calls, tokens added up', async () => {
    const { body } = await send(house, { model: 'nano-banana-2-1', prompt: 'boats', parameters: { count: 3, seed: 5 } })
    assert.deepEqual([body.outputs.length, body.details.usage_metadata.candidatesTokenCount, body.details.thought_signatures.length], [3, 3 * 1132, 3])
    assert.deepEqual(body.details.seeds, [5, 6, 7])
    assert.deepEqual(body.details.usage_metadata.candidatesTokensDetails, [{ modality: 'IMAGE', tokenCount: 3360 }, { modality: 'TEXT', tokenCount: 36 }])
  })

  test('with pictures sends them inline', async () => {
    const bytes = await paint(40, 40)
    const { body } = await send(house, { model: 'nano-banana-pro', prompt: 'make it blue', inputs: [{ base64: bytes.toString('base64'), role: 'character' }] })
    assert.equal(body.state, 'done', JSON.stringify(body.problem ?? body.error))
    const { parts } = upstream.orders()[0]!.body.contents[0]
    assert.deepEqual(parts.map((part: any) => Object.keys(part)[0]), ['text', 'inlineData'])
    assert.equal(parts[1].inlineData.mimeType, 'image/png')
    assert.ok(body.warnings.some((one: string) => one.includes('roles')))
  })

  test('never names a size to the model that only knows one', async () => {
    const { body } = await send(house, { model: 'nano-banana-2-lite', prompt: 'a boat', parameters: { aspect_ratio: '1:8' } })
    assert.equal(body.state, 'done', JSON.stringify(body.problem))
    assert.deepEqual(upstream.orders()[0]!.body.generationConfig.imageConfig, { aspectRatio: '1:8' })
  })

  test('for JPEG uses the form that can say so', async () => {
    const { body } = await send(house, { model: 'nano-banana-2-1', prompt: 'a boat', parameters: { output_format: 'jpeg', aspect_ratio: '4:3' } })
    assert.deepEqual([body.state, body.outputs[0].mime, body.warnings], ['done', 'image/jpeg', []])
    assert.deepEqual(upstream.orders()[0]!.body.generationConfig.responseFormat, { image: { aspectRatio: 'ASPECT_RATIO_FOUR_BY_THREE', imageSize: 'IMAGE_SIZE_ONE_K', mimeType: 'image/jpeg', delivery: 'INLINE' } })
  })

  test('that brings another file type says so', async () => {
    const { body } = await send(house, { model: 'nano-banana-2-1', prompt: 'fault:jpeg' })
    assert.deepEqual([body.state, body.outputs[0].mime], ['done', 'image/jpeg'])
    assert.ok(body.warnings.includes('png was asked and image/jpeg was made; the file is kept as it came.'), JSON.stringify(body.warnings))
  })

  test('keeps thinking apart from the result', async () => {
    const { body } = await send(house, { model: 'nano-banana-2-1', prompt: 'fault:thinks' })
    assert.deepEqual([body.outputs.length, body.text, body.details.thoughts], [1, 'Here it is.', 'A boat needs water.'])
  })

  test('that searches says where it looked', async () => {
    const { body } = await send(house, { model: 'nano-banana-2-1', prompt: 'a boat', parameters: { google_search: true } })
    assert.deepEqual(body.details.grounding_metadata.webSearchQueries, ['boats'])
    assert.deepEqual(upstream.orders()[0]!.body.tools, [{ googleSearch: {} }])
  })
})

describe('what goes wrong', () => {
  fault('status_unavailable_once', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 })
  fault('status_internal_once', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2 })
  fault('status_invalid_argument', { asked: 1, bought: 0, captured: 0, code: 'provider_rejected' })
  fault('status_not_found', { asked: 1, bought: 0, captured: 0, code: 'provider_not_configured' })
  fault('status_deadline_exceeded', { asked: 1, bought: 0, captured: 0, code: 'outcome_unknown' })
  fault('finish_image_safety', { asked: 1, bought: 1, captured: 0, code: 'content_rejected', costs: ['told'] })
  fault('finish_no_image', { asked: 1, bought: 1, captured: 0, code: 'bad_output', costs: ['told'] })
  fault('block_prohibited_content', { asked: 1, bought: 1, captured: 0, code: 'content_rejected', costs: ['told'] })
  fault('words', { asked: 1, bought: 1, captured: 0, code: 'bad_output', costs: ['told'] })
  fault('one_busy', { asked: 3, bought: 2, captured: 2, made: 2 }, { parameters: { count: 3 } })
  fault('one_lost', { asked: 3, bought: 3, captured: 2, made: 2, costs: ['open'] }, { parameters: { count: 3 } })
})

describe('films', () => {
  const veo = { model: 'veo-3.1-fast', parameters: { duration_s: 8, resolution: '720p' } }
  test('are begun, looked at, and fetched with the key', async () => {
    const { body } = await send(house, { ...veo, prompt: 'waves', inputs: [{ base64: (await paint(400, 300)).toString('base64'), role: 'first_frame' }] })
    assert.deepEqual([body.state, body.outputs?.[0]?.mime], ['done', 'video/mp4'], JSON.stringify(body.problem ?? body.error))
    const { model, body: asked } = upstream.orders()[0]!
    assert.equal(model, 'veo-3.1-fast-generate-preview')
    assert.deepEqual(asked.parameters, { sampleCount: 1, aspectRatio: '16:9', resolution: '720p', durationSeconds: 8 })
    assert.equal(typeof asked.instances[0].image.bytesBase64Encoded, 'string')
    assert.match(body.upstream_id, /^models\/veo-3\.1-fast-generate-preview\/operations\/op\d+$/)
    assert.deepEqual({ ...upstream.stats() }, { asked: 1, bought: 1, looks: 2, files: 1, lists: 0, cancelled: 0 })
  })

  fault('blind', { asked: 1, bought: 1, captured: 1, made: 1, costs: ['open'] }, veo)
  fault('inline', { asked: 1, bought: 1, captured: 1, made: 1, costs: ['open'] }, veo)
  fault('refused_once', { asked: 1, bought: 1, captured: 1, made: 1, costs: ['open'] }, veo)
  fault('refused', { asked: 1, bought: 1, captured: 0, code: 'output_expired' }, veo)
  fault('filtered', { asked: 1, bought: 1, captured: 0, code: 'content_rejected' }, veo)
  fault('one_filtered', { asked: 1, bought: 1, captured: 1, made: 1, costs: ['open'] }, { ...veo, parameters: { ...veo.parameters, count: 2 } })
  fault('no_files', { asked: 1, bought: 1, captured: 0, code: 'bad_output' }, veo)
  fault('operation_13', { asked: 1, bought: 1, captured: 0, code: 'provider_failed' }, veo)
  fault('cut_after', { asked: 1, bought: 1, captured: 0, code: 'outcome_unknown' }, veo)
  // It may have begun one: unlike a call that brings the picture, this is not asked again.
  fault('status_internal', { asked: 1, bought: 0, captured: 0, code: 'outcome_unknown' }, veo)
  fault('status_unavailable_once', { asked: 2, bought: 1, captured: 1, made: 1, attempts: 2, costs: ['open'] }, veo)

  test('shorter than eight seconds in 1080p are refused before anything is asked', async () => {
    const { body } = await send(house, { model: 'veo-3.1', prompt: 'waves', parameters: { duration_s: 4, resolution: '1080p' } })
    assert.deepEqual([body.problem?.code, upstream.stats().asked], ['unsupported_parameter', 0], JSON.stringify(body))
  })

  test('of a family that is not known are refused before anything is asked', async () => {
    assert.equal(codeOf(await connect().submit(job({ operation: 'video', model: 'gemini-of-tomorrow' }), AbortSignal.timeout(60_000))), 'unsupported_parameter')
    assert.equal(upstream.stats().asked, 0)
  })

  test('are given up when Google has forgotten them for a minute, and their key goes nowhere else', async () => {
    let now = new Date('2026-11-21T12:00:00Z')
    const connection = gemini.connect({ apiKey: geminiKey, baseUrl: upstream.url }, { fetch: fetchRaw, now: () => now, log: { info() {}, warn() {} } })
    const signal = AbortSignal.timeout(60_000)
    const film = (prompt: string) => job({ operation: 'video', model: 'veo-3.1-generate-preview', prompt, parameters: { duration_s: 8, resolution: '720p', aspect_ratio: '16:9' } })
    const lost = await connection.submit(film('fault:lost'), signal)
    assert.ok(lost.kind === 'wait')
    const missing = await connection.poll!(lost.receipt, film(''), signal)
    assert.ok(missing.kind === 'wait')
    now = new Date(now.getTime() + 61_000)
    assert.equal(codeOf(await connection.poll!(missing.receipt, film(''), signal)), 'provider_failed')

    const elsewhere = await connection.submit(film('fault:elsewhere'), signal)
    assert.ok(elsewhere.kind === 'wait')
    await connection.poll!(elsewhere.receipt, film(''), signal)
    const ended = await connection.poll!(elsewhere.receipt, film(''), signal)
    assert.ok(ended.kind === 'done' && 'url' in ended.value.made[0]!, 'a link elsewhere is left to the house, which asks without a key')
  })
})

describe('films of the Omni family', () => {
  const omni = { model: 'gemini-omni-flash', parameters: { duration_s: 6 } }
  const film = (prompt: string) => job({ operation: 'video', model: 'gemini-omni-flash-preview', prompt, parameters: { duration_s: 8, resolution: '720p', aspect_ratio: '16:9' } })
  const within = () => AbortSignal.timeout(60_000)

  test('are begun as interactions in the background, looked at, and fetched with the key', async () => {
    const { body } = await send(house, { model: 'gemini-omni-flash', prompt: 'waves', parameters: { duration_s: 6, aspect_ratio: '9:16', resolution: '4K', seed: 3 }, inputs: [{ base64: (await paint(400, 300)).toString('base64'), role: 'first_frame' }] })
    assert.deepEqual([body.state, body.outputs?.[0]?.mime, body.details?.gemini.usage.total_tokens], ['done', 'video/mp4', 5_798], JSON.stringify(body.problem ?? body.error))
    const { input: [text, picture], ...asked } = upstream.orders()[0]!.body
    assert.deepEqual([text, picture.type, picture.mime_type], [{ type: 'text', text: 'waves' }, 'image', 'image/png'])
    assert.deepEqual(asked, {
      model: 'gemini-omni-flash-preview', background: true, store: true, response_format: { type: 'video', aspect_ratio: '9:16', resolution: '4k', duration: '6s', delivery: 'uri' }, generation_config: { seed: 3, video_config: { task: 'image_to_video' } } })
    assert.match(body.upstream_id, /^interactions\/int_\d+$/)
  })
  fault('inline', { asked: 1, bought: 1, captured: 1, made: 1, costs: ['open'] }, omni)
  fault('refused_once', { asked: 1, bought: 1, captured: 1, made: 1, costs: ['open'] }, omni)
  fault('refused', { asked: 1, bought: 1, captured: 0, code: 'output_expired' }, omni)
  fault('blind', { asked: 1, bought: 1, captured: 1, made: 1, costs: ['open'] }, omni)
  fault('cut_after', { asked: 1, bought: 1, captured: 0, code: 'outcome_unknown' }, omni)
  fault('omni_refused', { asked: 1, bought: 1, captured: 0, code: 'content_rejected' }, omni)

  test('end in a problem that is known, whatever state or refusal they end in', async () => {
    const end = async (word: string): Promise<string> => {
      const connection = connect()
      const begun = await connection.submit(film(`fault:${word}`), within())
      if (begun.kind !== 'wait') return codeOf(begun)
      assert.equal((await connection.poll!(begun.receipt, film(''), within())).kind, 'wait')
      return codeOf(await connection.poll!(begun.receipt, film(''), within()))
    }
    const ends = {
      omni_stuck: 'wait', omni_failed: 'provider_failed', omni_refused: 'content_rejected', omni_words: 'bad_output', omni_empty: 'bad_output', omni_cancelled: 'provider_failed', omni_incomplete: 'provider_failed',
      omni_requires_action: 'provider_failed', omni_requires_continuation: 'provider_failed', omni_budget_exceeded: 'provider_not_configured',
      omni_http_400: 'provider_rejected', omni_http_401: 'provider_not_configured', omni_http_404: 'provider_not_configured', omni_http_429: 'provider_busy', omni_http_500: 'outcome_unknown', omni_http_503: 'outcome_unknown',
    }
    for (const [word, code] of Object.entries(ends)) assert.equal(await end(word), code, word)
  })

  test('are told to stop, and given up when Google has forgotten them for a minute', async () => {
    let now = new Date('2026-11-21T12:00:00Z')
    const connection = connect(() => now)
    const begun = await connection.submit(film('fault:omni_stuck'), within())
    assert.ok(begun.kind === 'wait')
    assert.deepEqual([await connection.cancel!(begun.receipt, film(''), within()), upstream.stats().cancelled], [true, 1])
    const veo = await connection.submit({ ...film('waves'), model: 'veo-3.1-generate-preview' }, within())
    assert.ok(veo.kind === 'wait')
    assert.deepEqual([await connection.cancel!(veo.receipt, film(''), within()), upstream.stats().cancelled], [false, 1], 'operations have no such call')
    const lost = await connection.submit(film('fault:lost'), within())
    assert.ok(lost.kind === 'wait')
    const missing = await connection.poll!(lost.receipt, film(''), within())
    assert.ok(missing.kind === 'wait')
    now = new Date(now.getTime() + 61_000)
    assert.equal(codeOf(await connection.poll!(missing.receipt, film(''), within())), 'provider_failed')
  })

  test('of what they cannot honour are refused before anything is asked', async () => {
    const last = { ...jobInput, role: 'last_frame' as const }
    for (const more of [{ count: 2 }, { inputs: [last] }, { parameters: { negative_prompt: 'rain' } }] satisfies Partial<Job>[]) {
      assert.equal(codeOf(await connect().submit({ ...film('waves'), ...more }, within())), 'unsupported_parameter')
    }
    assert.equal(upstream.stats().asked, 0)
  })
})

const connect = (now = () => new Date()) => gemini.connect({ apiKey: geminiKey, baseUrl: upstream.url }, { fetch: fetchRaw, now, log: { info() {}, warn() {} } })
const fetchRaw = createFetch({ ...providerCodes, allowPrivate: true, deadlineMs: 60_000, sizeMax: 50_000_000, redirectsMax: 0 })
after(() => fetchRaw.close())
const job = (more: Partial<Job> = {}): Job => ({
  taskId: '0'.repeat(32), attempt: 1, key: 'key-1', cardId: 'nano-banana-2-1', model: 'gemini-nano-banana-2.1', operation: 'generate', prompt: 'a boat', parameters: {},
  count: 1, width: 64, height: 64, inputs: [], livemode: true, callbackUrl: null, ...more })
const codeOf = (outcome: JobOutcome) => outcome.kind === 'failed' ? outcome.problem.code : outcome.kind
const ask = (prompt: string, apiKey = geminiKey, baseUrl = upstream.url) =>
  gemini.connect({ apiKey, baseUrl }, { fetch: fetchRaw, now: () => new Date(), log: { info() {}, warn() {} } }).submit(job({ prompt }), AbortSignal.timeout(60_000))

test('every finish reason, block reason and status is one of the problems that are known', async () => {
  const codes = new Map<string, string>()
  for (const reason of finishReasons) codes.set(reason, codeOf(await ask(`fault:finish_${reason.toLowerCase()}`)))
  for (const reason of blockReasons) assert.equal(codeOf(await ask(`fault:block_${reason.toLowerCase()}`)), 'content_rejected', reason)
  for (const status of statuses) codes.set(`status ${status}`, codeOf(await ask(`fault:status_${status.toLowerCase()}`)))
  assert.deepEqual([...codes].filter(([name, code]) => code === 'outcome_unknown' && !name.startsWith('status')), [])
  assert.deepEqual([...codes].flatMap(([name, code]) => code === 'outcome_unknown' ? [name] : []).sort(), ['status CANCELLED', 'status DEADLINE_EXCEEDED'])
  assert.equal(codes.get('SAFETY'), 'content_rejected')
  assert.equal(codes.get('status FAILED_PRECONDITION'), 'provider_not_configured')
})

test('a key that is not taken, and a server that is not there, are the operator’s to mend', async () => {
  assert.equal(codeOf(await ask('a boat', 'wrong')), 'provider_not_configured')
  assert.equal(codeOf(await ask('a boat', geminiKey, 'http://127.0.0.1:1')), 'provider_down')
  assert.equal(upstream.stats().bought, 0)
})

test('how long Google asks to be left alone is heard', async () => {
  const outcome = await ask('fault:status_resource_exhausted')
  assert.equal(outcome.kind === 'failed' && outcome.retryAfterMs, 1_000)
})

test('Google’s own client takes the rehearsal for Google', async () => {
  const client = new GoogleGenAI({ apiKey: geminiKey, httpOptions: { baseUrl: upstream.url, apiVersion: 'v1beta' } })
  const answer = await client.models.generateContent({ model: 'gemini-nano-banana-2.1', contents: 'a boat' })
  assert.equal(answer.candidates?.[0]?.content?.parts?.find(({ inlineData }) => inlineData)?.inlineData?.mimeType, 'image/png')
  assert.equal(answer.usageMetadata?.totalTokenCount, 1494)
  const begun = await client.interactions.create({ model: 'gemini-omni-flash-preview', background: true, input: [{ type: 'text', text: 'waves' }], response_format: { type: 'video', aspect_ratio: '16:9', resolution: '720p', duration: '8s', delivery: 'uri' } })
  await client.interactions.get(begun.id!)
  assert.match((await client.interactions.get(begun.id!)).output_video?.uri ?? '', /:download/)
  await assert.rejects(client.models.generateContent({ model: 'gemini-nano-banana-2.1', contents: 'fault:status_unavailable' }), (thrown: unknown) => thrown instanceof ApiError && thrown.status === 503)
})

test('every card that is made by Google is written, or refused before it is asked', () => {
  const routes = openCatalog().filter(({ life }) => life.state !== 'retired').flatMap(({ kind, parameters, routes }) => routes.filter(({ provider }) => provider === 'gemini').map(({ model }) => ({ kind, model, names: Object.keys(parameters.properties as object) })))
  assert.ok(routes.length >= 8)
  for (const { kind, model, names } of routes) {
    const known = isOmni(model) ? omniHandlings : kind === 'video' ? filmHandlings : kind === 'text' ? textHandlings : handlingsOf(model)
    assert.deepEqual(names.filter(name => name !== 'count' && !(name in known)), [], model)
    if (kind === 'video') assert.ok(isFilm(model) || isOmni(model), model)
  }
})
