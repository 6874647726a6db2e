/** Anthropic's messages. */
import assert from 'node:assert/strict'
import type { Bad as BadCall, Door } from '../kit/door.ts'

const asked = (content: unknown, more: object = {}) => ({ model: 'gemini-3.1-flash-image', max_tokens: 4096, messages: [{ role: 'user', content }], image: { size: '512' }, ...more })

export const door: Door = {
  keyForms: (key): Record<string, string>[] => [{ 'x-api-key': key }, { authorization: `Bearer ${key}` }, { authorization: key }, { 'x-goog-api-key': key }],
  keyQuery: 'key',
  look: { path: '/v1/messages/count_tokens', body: { model: 'nano-banana', messages: [{ role: 'user', content: 'x' }] } },
  make: (prompt, idempotencyKey) => ({ path: '/v1/messages', body: asked(prompt), ...(idempotencyKey === undefined ? {} : { headers: { 'idempotency-key': idempotencyKey } }) }),
  resent: { 'x-stainless-retry-count': '1' },
  makes: 'image', isSync: true,
  taskOf: ({ headers }) => ({ id: headers.get('x-task-id')!, replayed: headers.get('idempotent-replayed') === 'true' }),
  read: {},
  async pictureOf({ body }) {
    return Buffer.from((body.content as { type: string; source?: { data: string } }[]).find(({ type }) => type === 'image')!.source!.data, 'base64')
  },
  refusalOf({ status, headers, body }) {
    if (status < 400) return null
    assert.deepEqual([body.type, typeof body.error.type, typeof body.error.details.error_code, body.request_id], ['error', 'string', 'string', headers.get('request-id')])
    return { status, message: body.error.message }
  },
  flawed: {
    call: { path: '/v1/messages', body: asked('a fox', { image: { aspect_ratio: '7:5', n: 9 } }) },
    told: [/"field":"image.aspect_ratio","message":"image.aspect_ratio: must be one of/, /"field":"image.n","message":"image.n: must be between/],
  },
  statuses: { unauthorized: 401, credits: 402, notFound: 404, mismatch: 422, limited: 429 },
  limitHeaders: ['anthropic-ratelimit-requests-limit', 'anthropic-ratelimit-requests-remaining', 'anthropic-ratelimit-requests-reset'],
  bad: () => Object.entries(bad).map(([what, { body, headers = {}, path = '/v1/messages', method = 'POST', status = 400, type = 'invalid_request_error', code, field }]): BadCall => ({
    what, status, call: { method, path, headers, ...(method === 'GET' ? {} : { body }) },
    check({ body: { error } }) {
      assert.deepEqual([error.type, error.details.error_code], [type, code])
      if (field !== undefined) assert.equal(error.details.field, field)
    },
  })),
}

interface Bad { body?: unknown; headers?: Record<string, string>; path?: string; method?: string; status?: number; type?: string; code?: string; field?: string }
const invalid = (body: unknown, field?: string, code = 'bad_request'): Bad => ({ body, code, ...(field === undefined ? {} : { field }) })
const fields = (more: object, field?: string, code?: string): Bad => invalid({ ...asked('a fox'), ...more }, field, code)
const turn = (content: unknown, field?: string, code?: string): Bad => fields({ messages: [{ role: 'user', content }] }, field, code)
const source = (given: unknown, field?: string, code?: string): Bad => turn([{ type: 'image', source: given }, { type: 'text', text: 'blue' }], field, code)
const png = (data: unknown) => ({ type: 'base64', media_type: 'image/png', data })
const at = 'messages.0.content'

const bad: Record<string, Bad> = {
  'no body': { method: 'POST', body: '', code: 'bad_request' },
  'half a body': { body: '{"model":"nano', code: 'bad_request' },
  'a list': invalid([]),
  'text that is no JSON': { body: 'hello', code: 'bad_request' },
  'a form': { body: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' }, code: 'unsupported_media' },
  'a compressed body': { body: '{}', headers: { 'content-encoding': 'gzip' }, code: 'unsupported_media' },
  'NUL in the prompt': turn('a\0b'),
  'half a pair': { body: '{"model":"nano-banana","max_tokens":1,"messages":[{"role":"user","content":"\\ud800"}]}', code: 'bad_request' },
  'a hand on the prototype': { body: '{"model":"nano-banana","max_tokens":1,"__proto__":{},"messages":[{"role":"user","content":"x"}]}', code: 'bad_request' },
  'a tower': { body: `${'[' .repeat(4_000)}${']'.repeat(4_000)}`, code: 'bad_request' },
  'no model': fields({ model: undefined }, 'model'),
  'a model that is a number': fields({ model: 7 }, 'model'),
  'an empty model': fields({ model: '' }, 'model'),
  'an unknown model': { ...fields({ model: 'banana-split' }, 'model', 'unknown_model'), status: 404, type: 'not_found_error' },
  'a model out of the prototype': { ...fields({ model: 'constructor' }, 'model', 'unknown_model'), status: 404, type: 'not_found_error' },
  'a suffix that is none': fields({ model: 'nano-banana-2@huge' }, 'model', 'unsupported_parameter'),
  'no max_tokens': fields({ max_tokens: undefined }, 'max_tokens'),
  'max_tokens of none': fields({ max_tokens: 0 }, 'max_tokens'),
  'max_tokens in words': fields({ max_tokens: 'many' }, 'max_tokens'),
  'no messages': fields({ messages: undefined }, 'messages'),
  'messages that are text': fields({ messages: 'hi' }, 'messages'),
  'no message': fields({ messages: [] }, 'messages'),
  'a message that is text': fields({ messages: ['hi'] }, 'messages.0'),
  'an unknown role': fields({ messages: [{ role: 'robot', content: 'x' }] }, 'messages.0.role'),
  'no content': turn(undefined, at),
  'content that is a number': turn(7, at),
  'an empty prompt': turn('   ', 'prompt'),
  'the assistant last': fields({ messages: [{ role: 'user', content: 'x' }, { role: 'assistant', content: 'y' }] }, 'messages.1.role'),
  'an extra field in a turn': fields({ messages: [{ role: 'user', content: 'x', name: 'me' }] }, 'messages.0.name'),
  'an extra field': fields({ imgae: {} }, 'imgae'),
  'a block that is text': turn(['x'], `${at}.0`),
  'a document': turn([{ type: 'document', source: { type: 'text' } }], `${at}.0.type`, 'unsupported_parameter'),
  'a block without a type': turn([{ text: 'x' }], `${at}.0.type`, 'unsupported_parameter'),
  'text that is a number': turn([{ type: 'text', text: 1 }], `${at}.0.text`),
  'an image without a source': turn([{ type: 'image' }], `${at}.0.source`),
  'an unknown source': source({ type: 'ftp' }, `${at}.0.source.type`),
  'a TIFF': source({ type: 'base64', media_type: 'image/tiff', data: 'AAAA' }, `${at}.0.source.media_type`),
  'no base64': source(png('!!!'), `${at}.0.source`, 'bad_input_image'),
  'an empty picture': source(png(''), `${at}.0.source.data`),
  'base64 of a page': source(png(Buffer.from('<html>no picture</html>'.repeat(3_000)).toString('base64')), `${at}.0.source`, 'bad_input_image'),
  'half a picture': source(png('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ'), `${at}.0.source`, 'bad_input_image'),
  'an SVG': source(png(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>').toString('base64')), `${at}.0.source`, 'bad_input_image'),
  'a file for an address': source({ type: 'url', url: 'file:///etc/passwd' }, `${at}.0.source.url`),
  'an address where nothing is': source({ type: 'url', url: 'https://pictures.invalid/nothing' }, `${at}.0.source`, 'input_unreachable'),
  'a file that is not there': source({ type: 'file', file_id: 'file_0123456789abcdef0123456789abcdef' }, undefined, 'bad_input_image'),
  'a file id that is none': source({ type: 'file', file_id: '../x' }, `${at}.0.source.file_id`),
  'too many pictures': turn([...Array.from({ length: 15 }, () => ({ type: 'image', source: png('AAAA') })), { type: 'text', text: 'x' }], 'messages', 'unsupported_parameter'),
  'a schema for the answer': fields({ output_config: { format: { type: 'json_schema' } } }, 'output_config.format', 'unsupported_parameter'),
  'a forced tool': fields({ tools: [{ name: 'x' }], tool_choice: { type: 'tool', name: 'x' } }, 'tool_choice', 'unsupported_parameter'),
  'an unknown tool_choice': fields({ tool_choice: { type: 'maybe' } }, 'tool_choice.type'),
  'tools that are text': fields({ tools: 'hammer' }, 'tools'),
  'a stream in words': fields({ stream: 'yes' }, 'stream'),
  'temperature in words': fields({ temperature: 'hot' }, 'temperature'),
  'a system of numbers': fields({ system: [1] }, 'system.0'),
  'metadata with more': fields({ metadata: { colour: 'red' } }, 'metadata.colour'),
  'a long user_id': fields({ metadata: { user_id: 'u'.repeat(513) } }, 'metadata.user_id'),
  'a size that is none': fields({ image: { size: 'large' } }, 'image.size'),
  'a shape the model has not': fields({ image: { size: '1000x700' } }, 'image.size', 'unsupported_parameter'),
  'an option there is not': fields({ image: { sparkle: 1 } }, 'image.sparkle', 'unsupported_parameter'),
  'a count of none': fields({ image: { n: 0 } }, 'image.n', 'unsupported_parameter'),
  'a ratio the model has not': fields({ image: { aspect_ratio: '7:3' } }, 'image.aspect_ratio', 'unsupported_parameter'),
  'a prompt that is too long': turn('x '.repeat(600_000), 'prompt'),
  'a trigger there is not': turn('a fox sandbox:explode', 'prompt'),
  'an output there is not': { ...fields({}, 'x-image-output'), headers: { 'x-image-output': 'hologram' } },
  'a tool nobody offers': { ...fields({}, 'tools'), headers: { 'x-image-output': 'tool' } },
  'an Idempotency-Key with spaces': { ...fields({}, 'Idempotency-Key'), headers: { 'idempotency-key': 'a b' } },
  'no key': { ...fields({}), headers: { 'x-api-key': '' }, status: 401, type: 'authentication_error', code: 'unauthorized' },
  'a key that is none': { ...fields({}), headers: { 'x-api-key': 'sk-test-x' }, status: 401, type: 'authentication_error', code: 'unauthorized' },
  'a basic key': { ...fields({}), headers: { 'x-api-key': '', authorization: 'Basic YTpi' }, status: 401, type: 'authentication_error', code: 'unauthorized' },
  'another method': { path: '/v1/messages', method: 'GET', status: 405, code: 'method_not_allowed' },
  'an address that is none': { path: '/v1/messages/nothing', method: 'GET', status: 404, type: 'not_found_error', code: 'not_found' },
  'an address no door has': { path: '/v1/nothing', method: 'GET', status: 404, type: 'not_found_error', code: 'not_found' },
  'a model nobody knows': { path: '/v1/models/nobody', method: 'GET', status: 404, type: 'not_found_error', code: 'unknown_model' },
  'a limit of none': { path: '/v1/models?limit=0', method: 'GET', code: 'bad_request', field: 'limit' },
  'a page behind nothing': { path: '/v1/models?after_id=nobody', method: 'GET', code: 'bad_request', field: 'after_id' },
  'a lifecycle there is not': { path: '/v1/models?lifecycle=young', method: 'GET', code: 'bad_request', field: 'lifecycle' },
  'tokens of nothing': { path: '/v1/messages/count_tokens', body: { model: 'nano-banana' }, code: 'bad_request', field: 'messages' },
  'tokens of an unknown model': { path: '/v1/messages/count_tokens', body: { model: 'x', messages: [{ role: 'user', content: 'x' }] }, status: 404, type: 'not_found_error', code: 'unknown_model' },
}
