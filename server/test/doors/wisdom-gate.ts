/** Wisdom Gate's older spelling of videos. Its pictures are made at OpenAI's, Gemini's and Anthropic's addresses. */
import assert from 'node:assert/strict'
import type { Bad as BadCall, Door } from '../kit/door.ts'

export const door: Door = {
  keyForms: (key): Record<string, string>[] => [{ authorization: key }, { authorization: `Bearer ${key}` }, { 'x-api-key': key }, { 'x-goog-api-key': key }],
  look: { method: 'GET', path: '/v1/dashboard/billing/usage' },
  make: (prompt, idempotencyKey) => ({ path: '/v1/video', body: { prompt }, ...(idempotencyKey === undefined ? {} : { headers: { 'idempotency-key': idempotencyKey } }) }),
  resent: { 'x-stainless-retry-count': '1' },
  makes: 'video', isSync: false,
  taskOf: ({ headers }) => ({ id: headers.get('x-task-id')!, replayed: headers.get('idempotent-replayed') === 'true' }),
  read: { video: id => ({ method: 'GET', path: `/v1/video/video_${id}/content` }) },
  pictureOf: async ({ bytes }) => bytes,
  refusalOf({ status, body }) {
    if (status < 400) return null
    assert.deepEqual(Object.keys(body.error), ['message', 'type', 'param', 'code'])
    return { status, message: body.error.message }
  },
  statuses: { unauthorized: 401, credits: 402, notFound: 404, mismatch: 422, limited: 429 },
  limitHeaders: ['x-ratelimit-limit-requests', 'x-ratelimit-remaining-requests', 'x-should-retry'],
  bad: () => Object.entries(bad).map(([what, { path = '/v1/video', body, method = body === undefined ? 'GET' : 'POST', headers = {}, key, status = 400, type = 'invalid_request_error', code, param }]): BadCall => ({
    what, status, call: { method, path, body, headers, ...(key === undefined ? {} : { key: key === '' ? null : key }) },
    check({ body: { error } }) {
      assert.deepEqual([error.type, error.code], [type, code])
      if (param !== undefined) assert.equal(error.param, param)
    },
  })),
}

interface Bad { path?: string; body?: unknown; headers?: Record<string, string>; method?: string; key?: string; status?: number; type?: string; code?: string; param?: string | null }
const video = (more: object, param: string, code = 'invalid_format'): Bad => ({ body: { prompt: 'waves', ...more }, param, code })
const form = (fields: [string, string | Blob][]): FormData => { const made = new FormData(); for (const [name, value] of fields) made.append(name, value); return made }
const nobody = 'video_0123456789abcdef0123456789abcdef'

const bad: Record<string, Bad> = {
  'no body': { body: '', code: 'invalid_format' },
  'half a body': { body: '{"prompt":', code: 'invalid_format' },
  'a list': { body: [], code: 'invalid_format' },
  'XML': { body: '<video/>', headers: { 'content-type': 'application/xml' }, status: 415, code: 'invalid_format' },
  'a compressed body': { body: '{}', headers: { 'content-encoding': 'gzip' }, status: 415, code: 'invalid_format' },
  'a form without a boundary': { body: 'x', headers: { 'content-type': 'multipart/form-data' }, code: 'invalid_format' },
  'a form that breaks off': { body: '--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nwaves', headers: { 'content-type': 'multipart/form-data; boundary=b' }, code: 'invalid_format' },
  'NUL in the prompt': { body: { prompt: 'a\0b' }, code: 'invalid_format' },
  'half a pair': { body: '{"prompt":"\\ud800"}', code: 'invalid_format' },
  'a hand on the prototype': { body: '{"prompt":"x","__proto__":{}}', code: 'invalid_format' },
  'a tower': { body: `${'['.repeat(3_000)}${']'.repeat(3_000)}`, code: 'invalid_format' },
  'no prompt': { body: {}, param: 'prompt', code: 'invalid_format' },
  'a prompt of spaces': video({ prompt: '  ' }, 'prompt'),
  'a prompt that is a list': video({ prompt: ['x'] }, 'prompt'),
  'a prompt that is too long': video({ prompt: 'x'.repeat(10_001) }, 'prompt'),
  'a trigger there is not': video({ prompt: 'sandbox:explode' }, 'prompt'),
  'an unknown field': video({ fps: 30 }, 'fps'),
  'a field twice': { body: form([['prompt', 'a'], ['prompt', 'b']]), param: 'prompt', code: 'invalid_format' },
  'a model that is a number': video({ model: 7 }, 'model'),
  'an empty model': video({ model: '' }, 'model'),
  'an unknown model': { ...video({ model: 'sora-9' }, 'model', 'model_not_found'), status: 404 },
  'a model out of the prototype': { ...video({ model: 'constructor' }, 'model', 'model_not_found'), status: 404 },
  'a model that makes no videos': video({ model: 'nano-banana' }, 'model', 'unsupported_parameter'),
  'a length in words': video({ seconds: 'long' }, 'seconds'),
  'a length of none': video({ seconds: '0' }, 'seconds'),
  'a length in pieces': video({ seconds: 4.5 }, 'seconds'),
  'a length the model has not': video({ seconds: '5' }, 'seconds', 'unsupported_parameter'),
  'a size in words': video({ size: 'large' }, 'size'),
  'a size the model has not': video({ size: '1024x1792' }, 'size', 'unsupported_parameter'),
  'a size of nothing': video({ size: '0x0' }, 'size'),
  'a reference that is a number': video({ input_reference: 7 }, 'input_reference'),
  'a reference by file': video({ input_reference: 'file:///etc/passwd' }, 'input_reference'),
  'a reference that is no picture': video({ input_reference: 'data:image/png;base64,AAAA' }, 'input_reference', 'invalid_image'),
  'a reference where nobody is': video({ input_reference: 'http://127.0.0.1:9/a.png' }, 'input_reference', 'invalid_image_url'),
  'a file that is no picture': { body: form([['prompt', 'x'], ['input_reference', new Blob(['hello'])]]), param: 'input_reference', code: 'invalid_image' },
  'a file under another name': { body: form([['prompt', 'x'], ['image', new Blob(['hello'])]]), param: 'image', code: 'invalid_format' },
  'two files': { body: form([['prompt', 'x'], ['input_reference', new Blob(['a'])], ['input_reference', new Blob(['b'])]]), status: 413, code: 'request_too_large' },
  'a key with spaces for idempotency': { body: { prompt: 'x' }, headers: { 'idempotency-key': 'a b' }, param: 'Idempotency-Key', code: 'invalid_format' },
  'no credit': { body: { prompt: 'x sandbox:credits' }, status: 402, type: 'insufficient_quota', code: 'insufficient_quota' },
  'no key': { body: { prompt: 'x' }, key: '', status: 401, type: 'authentication_error', code: 'invalid_api_key' },
  'a key that is none': { body: { prompt: 'x' }, key: 'sk-test-x', status: 401, type: 'authentication_error', code: 'invalid_api_key' },
  'a basic key': { body: { prompt: 'x' }, key: 'Basic YTpi', status: 401, type: 'authentication_error', code: 'invalid_api_key' },
  'a video that is not there': { path: `/v1/video/${nobody}`, status: 404, code: 'not_found', param: 'video_id' },
  'a video id that is none': { path: '/v1/video/x', status: 404, code: 'not_found', param: 'video_id' },
  'the bytes of no video': { path: `/v1/video/${nobody}/content`, status: 404, code: 'not_found', param: 'video_id' },
  'a variant there is not': { path: `/v1/video/${nobody}/content?variant=spritesheet`, code: 'unsupported_parameter', param: 'variant' },
  'another method': { path: '/v1/video', method: 'DELETE', status: 405, code: 'method_not_allowed' },
  'an address that is none': { path: '/v1/dashboard/nothing', status: 404, code: 'not_found' },
  'billing without a key': { path: '/v1/dashboard/billing/usage', key: '', status: 401, type: 'authentication_error', code: 'invalid_api_key' },
}
