/** Gemini's contents, predictions, films and interactions. */
import assert from 'node:assert/strict'
import sharp from 'sharp'
import type { Bad, Call, Door } from '../kit/door.ts'
import type { TestHouse } from '../kit/house.ts'

const model = 'gemini-3.1-flash-image'
const words = (text: string) => ({ contents: [{ parts: [{ text }] }], generationConfig: { imageConfig: { imageSize: '512' } } })
const photo = () => sharp({ create: { width: 96, height: 64, channels: 3, background: { r: 200, g: 60, b: 40 } } }).png().toBuffer()

export const door: Door = {
  keyForms: (key): Record<string, string>[] => [{ 'x-goog-api-key': key }, { authorization: `Bearer ${key}` }, { authorization: key }, { 'x-api-key': key }],
  keyQuery: 'key',
  look: { method: 'GET', path: '/v1beta/models?pageSize=1' },
  make: (prompt, idempotencyKey) => ({ path: `/v1beta/models/${model}:generateContent`, body: words(prompt), ...(idempotencyKey === undefined ? {} : { headers: { 'idempotency-key': idempotencyKey } }) }),
  resent: { 'x-stainless-retry-count': '1' },
  makes: 'image', isSync: true,
  taskOf: ({ headers }) => ({ id: headers.get('x-task-id')!, replayed: headers.get('idempotent-replayed') === 'true' }),
  read: { image: id => ({ method: 'GET', path: `/v1/interactions/${id}` }), video: id => ({ method: 'GET', path: `/v1/interactions/${id}` }) },
  async pictureOf({ body }, fetch) {
    const inline = body.candidates?.[0].content.parts.find((part: { inlineData?: unknown; thought?: boolean }) => part.inlineData && !part.thought)
    if (inline) return Buffer.from(inline.inlineData.data, 'base64')
    const shown = body.steps.flatMap((step: { content?: unknown[] }) => step.content ?? []).find(({ type }: { type: string }) => type === 'image' || type === 'video')
    return shown.data === undefined ? fetch(shown.uri) : Buffer.from(shown.data, 'base64')
  },
  refusalOf({ status, body }) {
    if (status < 400) return null
    assert.ok(typeof body.error.message === 'string')
    return { status, message: body.error.message }
  },
  flawed: {
    call: { path: `/v1beta/models/${model}:generateContent`, body: { contents: [{ parts: [{ text: 'x' }] }], generationConfig: { candidateCount: 9, imageConfig: { imageSize: '9K' } } } },
    told: [/"field":"generationConfig.candidateCount","description":"generationConfig.candidateCount must be between/, /"field":"generationConfig.imageConfig.imageSize","description":"generationConfig.imageConfig.imageSize must be one of/],
  },
  statuses: { unauthorized: 400, credits: 400, notFound: 404, mismatch: 409, limited: 429 },
  limitHeaders: [],
  bad,
}

async function bad(house: TestHouse): Promise<Bad[]> {
  const contents = [{ parts: [{ text: 'x' }] }]
  const parts = (...list: unknown[]) => ({ contents: [{ parts: list }] })
  const inline = (data: unknown, mimeType: unknown = 'image/png') => parts({ text: 'x' }, { inlineData: { mimeType, data } })
  const link = (fileUri: unknown) => parts({ text: 'x' }, { fileData: { fileUri } })
  const config = (generationConfig: unknown) => ({ contents, generationConfig })
  const veo = 'veo-3.1-lite-generate-preview:predictLongRunning'
  const imagen = 'imagen-4.0-generate-001:predict'

  /** [what, status, path behind /v1beta/models/ or whole, body, options] */
  const cases: [what: string, status: number, path: string, body: unknown, options?: () => Partial<Call> | Promise<Partial<Call>>][] = [
    ['an empty body', 400, '', ''],
    ['no JSON', 400, '', '{"contents":'],
    ['a number', 400, '', 5],
    ['null', 400, '', null],
    ['a list', 400, '', [{ contents }]],
    ['nesting without end', 400, '', '['.repeat(10_000)],
    ['a prototype', 400, '', '{"__proto__":{},"contents":[]}'],
    ['bytes that are no UTF-8', 400, '', new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])],
    ['NUL in the words', 400, '', '{"contents":[{"parts":[{"text":"a\\u0000b"}]}]}'],
    ['half a surrogate pair', 400, '', '{"contents":[{"parts":[{"text":"\\ud800"}]}]}'],
    ['another media type', 400, '', 'contents=x', () => ({ headers: { 'content-type': 'application/x-www-form-urlencoded' } })],
    ['a compressed body', 400, '', 'xxxx', () => ({ headers: { 'content-encoding': 'gzip' } })],
    ['no contents', 400, '', {}],
    ['empty contents', 400, '', { contents: [] }],
    ['contents that are a number', 400, '', { contents: 5 }],
    ['parts that are text', 400, '', { contents: [{ parts: 'x' }] }],
    ['words that are a number', 400, '', parts({ text: 5 })],
    ['no words', 400, '', { contents: [{ parts: [] }] }],
    ['blank words', 400, '', parts({ text: ' \n' })],
    ['words without end', 400, '', parts({ text: 'x '.repeat(600_000) })],
    ['a role nobody has', 400, '', { contents: [{ role: 'system', parts: [{ text: 'x' }] }] }],
    ['a field nobody knows', 400, '', { contents, prompt: 'x' }],
    ['a setting nobody knows', 400, '', config({ aspectRatio: '1:1' })],
    ['settings that are a list', 400, '', config([])],
    ['a trigger that is none', 400, '', parts({ text: 'sandbox:nothing' })],
    ['a ratio there is not', 400, '', config({ imageConfig: { aspectRatio: '7:3' } })],
    ['a ratio that is a number', 400, '', config({ imageConfig: { aspectRatio: 1.5 } })],
    ['a ratio of the newer model', 400, 'gemini-3-pro-image:generateContent', config({ imageConfig: { aspectRatio: '1:8' } })],
    ['a size there is not', 400, '', config({ imageConfig: { imageSize: '8K' } })],
    ['a size in small letters', 400, '', config({ imageConfig: { imageSize: '2k' } })],
    ['512 where there is none', 400, 'gemini-nano-banana-2.1:generateContent', config({ imageConfig: { imageSize: '512' } })],
    ['a size for the one without', 400, 'gemini-3.1-flash-lite-image:generateContent', config({ imageConfig: { imageSize: '2K' } })],
    ['a format nobody has', 400, '', config({ responseFormat: { image: { mimeType: 'image/bmp' } } })],
    ['a delivery nobody has', 400, '', config({ responseFormat: { image: { delivery: 'POST' } } })],
    ['too many candidates', 400, '', config({ candidateCount: 99 })],
    ['no candidates', 400, '', config({ candidateCount: 0 })],
    ['half a seed', 400, '', config({ seed: 0.5 })],
    ['words alone', 400, '', config({ responseModalities: ['TEXT'] })],
    ['a modality nobody has', 400, '', config({ responseModalities: ['SMELL'] })],
    ['structured output', 400, '', config({ responseMimeType: 'application/json', responseSchema: { type: 'OBJECT' } })],
    ['functions', 400, '', { contents, tools: [{ functionDeclarations: [{ name: 'f' }] }] }],
    ['search for a model without', 400, 'gemini-2.5-flash-image:generateContent', { contents, tools: [{ googleSearch: {} }] }],
    ['a cache', 400, '', { contents, cachedContent: 'cachedContents/a' }],
    ['a harm nobody knows', 400, '', { contents, safetySettings: [{ category: 'HARM', threshold: 'OFF' }] }],
    ['a picture that is a number', 400, '', inline(5)],
    ['an empty picture', 400, '', inline('')],
    ['a picture that is no base64', 400, '', inline('§§§§')],
    ['a picture that is text', 400, '', inline(Buffer.from('hello there').toString('base64'))],
    ['a page that says it is a picture', 400, '', inline(btoa('<svg onload=alert(1)>'))],
    ['half a picture', 400, '', inline('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ')],
    ['a media type that is none', 400, '', inline('iVBORw0KGgo=', 'png')],
    ['a picture where words belong', 400, '', async () => parts({ text: (await sharp({ create: { width: 200, height: 200, channels: 3, background: '#888', noise: { type: 'gaussian', mean: 128, sigma: 40 } } }).png().toBuffer()).toString('base64') })],
    ['a good picture and a bad one', 400, '', async () => parts({ text: 'x' }, { inlineData: { mimeType: 'image/png', data: (await photo()).toString('base64') } }, { inlineData: { mimeType: 'image/png', data: 'aGVsbG8=' } })],
    ['too many pictures', 400, '', async () => { const data = (await photo()).toString('base64'); return parts({ text: 'x' }, ...Array.from({ length: 15 }, () => ({ inlineData: { mimeType: 'image/png', data } }))) }],
    ['words for a link', 400, '', link('a picture')],
    ['a file of ours', 400, '', link('file:///etc/passwd')],
    ['a bucket', 400, '', link('gs://bucket/a.png')],
    ['a file nobody has', 400, '', link('files/abc123')],
    ['a link nobody serves', 400, '', link('https://pictures.invalid/a.png')],
    ['a link to this machine', 400, '', () => link('http://127.0.0.1:9/page')],
    ['a link to the cloud\'s own data', 400, '', () => link('http://169.254.169.254/a.png')],
    ['a signature for a picture nobody has', 400, '', { contents: [{ role: 'model', parts: [{ thoughtSignature: Buffer.from(`plantain/1 asset ${'0'.repeat(32)}`).toString('base64') }] }, { role: 'user', parts: [{ text: 'x' }] }] }],
    ['a stream of another kind', 400, `${model}:streamGenerateContent?alt=xml`, { contents }],
    ['a stream of nothing', 400, `${model}:streamGenerateContent?alt=sse`, {}],
    ['a model nobody knows', 404, 'gemini-nano-apple:generateContent', { contents }],
    ['a model called like a method', 404, 'constructor:generateContent', { contents }],
    ['a model\'s name without end', 404, `${'m'.repeat(1_500)}:generateContent`, { contents }],
    ['a film where a picture is made', 404, 'veo-3.1-generate-preview:generateContent', { contents }],
    ['a picture where a film is made', 404, `${model}:predictLongRunning`, { instances: [{ prompt: 'x' }] }],
    ['a tuned model', 404, '/v1beta/tunedModels/mine:generateContent', { contents }],
    ['counting nothing', 400, `${model}:countTokens`, {}],
    ['predict without instances', 400, imagen, {}],
    ['predict with two', 400, imagen, { instances: [{ prompt: 'x' }, { prompt: 'y' }] }],
    ['predict without words', 400, imagen, { instances: [{}] }],
    ['predict five', 400, imagen, { instances: [{ prompt: 'x' }], parameters: { sampleCount: 5 } }],
    ['predict in a ratio there is not', 400, imagen, { instances: [{ prompt: 'x' }], parameters: { aspectRatio: '21:9' } }],
    ['predict with what it may not have', 400, imagen, { instances: [{ prompt: 'x' }], parameters: { negativePrompt: 'y' } }],
    ['predict on a picture', 400, imagen, { instances: [{ prompt: 'x', image: { bytesBase64Encoded: 'AAAA' } }] }],
    ['a film of five seconds', 400, veo, { instances: [{ prompt: 'x' }], parameters: { durationSeconds: 5 } }],
    ['a film in 4K where there is none', 400, veo, { instances: [{ prompt: 'x' }], parameters: { resolution: '4k' } }],
    ['a film into a bucket', 400, veo, { instances: [{ prompt: 'x' }], parameters: { storageUri: 'gs://b' } }],
    ['a film with a frame of nothing', 400, veo, { instances: [{ prompt: 'x', image: {} }] }],
    ['a film with two call backs', 400, veo, { instances: [{ prompt: 'x' }], webhookConfig: { uris: ['https://a.example/', 'https://b.example/'] } }],
    ['a film with a call back to nowhere', 400, veo, { instances: [{ prompt: 'x' }], webhookConfig: { uris: ['nowhere'] } }],
    ['an interaction without a model', 400, '/v1/interactions', { input: 'x' }],
    ['an interaction with an agent', 400, '/v1/interactions', { agent: 'deep-research', input: 'x' }],
    ['an interaction without input', 400, '/v1/interactions', { model }],
    ['an interaction with sound', 400, '/v1/interactions', { model, input: [{ type: 'audio', data: 'AAAA' }] }],
    ['an interaction that wants a film of a painter', 400, '/v1/interactions', { model, input: 'x', response_format: { type: 'video' } }],
    ['an interaction in a ratio there is not', 400, '/v1/interactions', { model, input: 'x', response_format: { type: 'image', aspect_ratio: '7:3' } }],
    ['an interaction in the background that is not kept', 400, '/v1/interactions', { model, input: 'x', background: true, store: false }],
    ['an interaction after one nobody has', 404, '/v1/interactions', { model, input: 'x', previous_interaction_id: 'nobody' }],
    ['an interaction with a function', 400, '/v1/interactions', { model, input: 'x', tools: [{ type: 'function', name: 'f' }] }],
    ['an Idempotency-Key with spaces', 400, '', { contents }, () => ({ headers: { 'idempotency-key': 'a b' } })],
    ['no key', 401, '', { contents }, () => ({ key: null })],
    ['a wrong key', 400, '', { contents }, () => ({ key: 'sk-test-nobodyhasthiskeynobodyhasthis' })],
    ['a key that may only look', 403, '', { contents }, async () => ({ key: (await house.newAccount({ scopes: ['tasks:read'] })).testKey })],
    ['an empty purse', 400, '', { contents }, async () => ({ key: (await house.newAccount({ testDollars: 0.001 })).testKey })],
    ['an empty purse, with a picture', 400, '', async () => inline((await photo()).toString('base64')), async () => ({ key: (await house.newAccount({ testDollars: 0.001 })).testKey })],
    ['a live model that was retired', 404, imagen, { instances: [{ prompt: 'x' }] }, () => ({ key: house.liveKey })],
    ['a live model nobody is configured for', 400, 'gemini-3-pro-image:generateContent', { contents }, () => ({ key: house.liveKey })],
  ]
  const made = async (key: string) => (await (await fetch(`${house.url}/v1beta/models/${model}:generateContent`, {
    method: 'POST', headers: { 'x-goog-api-key': key, 'content-type': 'application/json' }, body: JSON.stringify(words('a mug')) })).json() as { responseId: string }).responseId
  const [mine, theirs] = [await made(house.testKey), await made((await house.newAccount()).testKey)]
  const looks: [what: string, status: number, path: () => string, method?: string][] = [
    ['an operation nobody has', 404, () => `/v1beta/models/veo-3.1-generate-preview/operations/${'0'.repeat(32)}`],
    ['an operation with another id', 404, () => '/v1beta/models/veo-3.1-generate-preview/operations/op5'],
    ['somebody else\'s operation', 404, () => `/v1beta/models/veo-3.1-generate-preview/operations/${theirs}`],
    ['an interaction nobody has', 404, () => `/v1/interactions/${'0'.repeat(32)}`],
    ['somebody else\'s interaction', 404, () => `/v1/interactions/${theirs}`],
    ['somebody else\'s interaction, to be let go', 404, () => `/v1/interactions/${theirs}`, 'DELETE'],
    ['a place in a stream that is none', 400, () => `/v1/interactions/${mine}?stream=true&last_event_id=x`],
    ['a file nobody has', 404, () => `/v1beta/files/${'0'.repeat(32)}:download?alt=media`],
    ['a file with SQL', 404, () => `/v1beta/files/${encodeURIComponent("' or 1=1 --")}:download`],
    ['a file to look at', 404, () => `/v1beta/files/${'0'.repeat(32)}`],
    ['a page that is none', 400, () => '/v1beta/models?pageToken=x'],
    ['a size of page that is none', 400, () => '/v1beta/models?pageSize=-1'],
    ['tuned models', 404, () => '/v1beta/tunedModels'],
    ['an address nobody knows', 404, () => '/v1beta/nothing'],
    ['a method nobody takes', 405, () => '/v1beta/interactions', 'PUT'],
  ]
  return [
    ...cases.map(([what, status, path, body, options]): Bad => ({
      what, status,
      call: async () => ({ path: path.startsWith('/') ? path : `/v1beta/models/${path || `${model}:generateContent`}`, body: typeof body === 'function' ? await body() as unknown : body, ...await options?.() }),
      check({ headers, body: { error } }) {
        if (!path.includes('interactions')) assert.deepEqual([error.code, /^[A-Z_]+$/.test(error.status), error.details.length > 0], [status, true, true])
        assert.match(headers.get('content-type')!, /^application\/json/)
      },
    })),
    ...looks.map(([what, status, path, method = 'GET']): Bad => ({ what, status, call: () => ({ method, path: path() }) })),
  ]
}
