/** OpenAI's pictures, films, responses and chat. */
import assert from 'node:assert/strict'
import sharp from 'sharp'
import type { Bad as BadCall, Door } from '../kit/door.ts'

export const door: Door = {
  keyForms: (key): Record<string, string>[] => [{ authorization: `Bearer ${key}` }, { authorization: key }, { 'x-api-key': key }, { 'x-goog-api-key': key }],
  look: { method: 'GET', path: '/v1/models' },
  make: (prompt, idempotencyKey) => ({ path: made, body: { model: 'gpt-image-2', prompt, size: '256x256', quality: 'low' }, ...(idempotencyKey === undefined ? {} : { headers: { 'idempotency-key': idempotencyKey } }) }),
  resent: { 'x-stainless-retry-count': '1' },
  makes: 'image', isSync: true,
  taskOf: ({ headers }) => ({ id: headers.get('x-task-id')!, replayed: headers.get('idempotent-replayed') === 'true' }),
  read: { image: id => ({ method: 'GET', path: `/v1/responses/resp_${id}` }), video: id => ({ method: 'GET', path: `/v1/videos/video_${id}/content` }) },
  async pictureOf({ body, bytes }) {
    if (body === null) return bytes
    return Buffer.from(body.data?.[0].b64_json ?? (body.output as { type: string; result: string }[]).find(({ type }) => type === 'image_generation_call')!.result, 'base64')
  },
  refusalOf({ status, body }) {
    if (status < 400) return null
    const { details: _ours, ...theirs } = body.error
    assert.deepEqual(Object.keys(theirs).sort(), ['code', 'message', 'param', 'type'])
    return { status, message: body.error.message }
  },
  flawed: {
    call: { path: '/v1/images/generations', body: { model: 'nano-banana-2', prompt: 'a kite', aspect_ratio: '7:5', resolution: '9K' } },
    told: [/"param":"aspect_ratio","message":"aspect_ratio must be one of/, /"param":"resolution","message":"resolution must be one of/],
  },
  statuses: { unauthorized: 401, credits: 429, notFound: 404, mismatch: 422, limited: 429 },
  limitHeaders: ['x-ratelimit-limit-requests', 'x-ratelimit-remaining-requests', 'x-should-retry'],
  async bad() {
    const photo = async (width: number, height: number) => new Blob([new Uint8Array(await sharp({ create: { width, height, channels: 4, background: { r: 200, g: 60, b: 40, alpha: 1 } } }).png().toBuffer())])
    return [...bad, ...forms(await photo(96, 64), await photo(64, 64)).map(([what, path, parts, status, param]): Bad => [`a form: ${what}`, path, formOf(parts), status, param])]
      .map(([what, path, body, status, param, code]): BadCall => ({
        what, status, call: { path, body },
        check({ body: { error } }) {
          assert.deepEqual([error.type, error.param], ['invalid_request_error', param])
          if (code !== undefined) assert.equal(error.code, code)
        },
      }))
  },
}

const formOf = (parts: [string, string | Blob][]): FormData => {
  const form = new FormData()
  for (const [name, value] of parts) if (typeof value === 'string') form.append(name, value); else form.append(name, value, 'blob')
  return form
}

type Bad = [what: string, path: string, body: unknown, status: number, param: string | null, code?: string]
const image = (more: object): unknown => ({ model: 'gpt-image-2', prompt: 'a kite', ...more })
const edit = (more: object): unknown => ({ model: 'gpt-image-2', prompt: 'a kite', images: [{ image_url: 'data:image/png;base64,iVBORw0KGgo=' }], ...more })
const answered = (more: object): unknown => ({ model: 'gpt-5.5', input: 'a fox', tools: [{ type: 'image_generation' }], ...more })
const said = (more: object): unknown => ({ model: 'nano-banana', messages: [{ role: 'user', content: 'a fox' }], ...more })
const made = '/v1/images/generations'

const bad: Bad[] = [
  ['no body', made, undefined, 400, null],
  ['a list', made, [], 400, null],
  ['no JSON', made, '{"prompt":', 400, null],
  ['not UTF-8', made, new Uint8Array([0x7b, 0xff, 0x7d]), 400, null],
  ['half of a surrogate pair', made, '{"prompt":"\\ud800"}', 400, null],
  ['a NUL', made, '{"prompt":"a\\u0000b"}', 400, null],
  ['no prompt', made, { model: 'gpt-image-2' }, 400, 'prompt', 'missing_required_parameter'],
  ['an empty prompt', made, image({ prompt: '  ' }), 400, 'prompt', 'missing_required_parameter'],
  ['a prompt of another kind', made, image({ prompt: 7 }), 400, 'prompt', 'invalid_type'],
  ['a prompt too long', made, image({ prompt: 'x'.repeat(32_001) }), 400, 'prompt'],
  ['a trigger that is none', made, image({ prompt: 'sandbox:what' }), 400, 'prompt'],
  ['a model that is not there', made, image({ model: 'gpt-image-22' }), 404, 'model', 'model_not_found'],
  ['a model of another kind', made, image({ model: 7 }), 400, 'model'],
  ['a model of films', made, image({ model: 'sora-2' }), 400, 'model'],
  ['a model that needs a picture', made, image({ model: 'recraft-remove-background' }), 400, 'model'],
  ['none', made, image({ n: 0 }), 400, 'n'],
  ['too many', made, image({ n: 11 }), 400, 'n', 'integer_out_of_range'],
  ['too many for this model', made, image({ model: 'nano-banana-pro', n: 5 }), 400, 'n'],
  ['n as text', made, image({ n: '2' }), 400, 'n', 'invalid_type'],
  ['a size that is no multiple of 16', made, image({ size: '900x900' }), 400, 'size', 'invalid_value'],
  ['a size too long', made, image({ size: '2048x512' }), 400, 'size'],
  ['a size too large', made, image({ size: '3840x3840' }), 400, 'size'],
  ['a size too small', made, image({ size: '16x16' }), 400, 'size'],
  ['no size', made, image({ size: 'large' }), 400, 'size'],
  ['a size of another model', made, image({ model: 'gpt-image-1.5', size: '1536x864' }), 400, 'size'],
  ['a ratio nobody has', made, image({ model: 'nano-banana', size: '1000x900' }), 400, 'size'],
  ['a quality nobody has', made, image({ quality: 'best' }), 400, 'quality'],
  ['a quality of another model', made, image({ quality: 'xhigh' }), 400, 'quality'],
  ['quality for a model without', made, image({ model: 'nano-banana', quality: 'high' }), 400, 'quality'],
  ['a format nobody has', made, image({ output_format: 'bmp' }), 400, 'output_format'],
  ['a format that is not made here', made, image({ output_format: 'svg' }), 400, 'output_format'],
  ['compression without a format for it', made, image({ output_compression: 50 }), 400, 'output_compression'],
  ['compression beyond', made, image({ output_format: 'jpeg', output_compression: 101 }), 400, 'output_compression'],
  ['transparent jpeg', made, image({ background: 'transparent', output_format: 'jpeg' }), 400, 'background'],
  ['transparent, from a model that cannot', made, image({ model: 'nano-banana', background: 'transparent' }), 400, 'background'],
  ['a background nobody has', made, image({ background: 'green' }), 400, 'background'],
  ['moderation nobody has', made, image({ moderation: 'none' }), 400, 'moderation'],
  ['frames of no GIF', made, image({ frame_count: 4 }), 400, 'frame_count'],
  ['a pace of no GIF', made, image({ frame_duration_ms: 100 }), 400, 'frame_duration_ms'],
  ['one frame', made, image({ output_format: 'gif', frame_count: 1 }), 400, 'frame_count'],
  ['too many frames', made, image({ output_format: 'gif', frame_count: 17 }), 400, 'frame_count'],
  ['a streamed GIF', made, image({ output_format: 'gif', stream: true }), 400, 'stream'],
  ['a compressed GIF', made, image({ output_format: 'gif', output_compression: 50 }), 400, 'output_compression'],
  ['a transparent GIF', made, image({ output_format: 'gif', background: 'transparent' }), 400, 'background'],
  ['a GIF too large', made, image({ output_format: 'gif', size: '2048x2048' }), 400, 'size'],
  ['a GIF of a model without', made, image({ model: 'nano-banana', output_format: 'gif' }), 400, 'output_format'],
  ['partials without a stream', made, image({ partial_images: 2 }), 400, 'partial_images'],
  ['too many partials', made, image({ stream: true, partial_images: 4 }), 400, 'partial_images'],
  ['a stream that is no truth value', made, image({ stream: 'yes' }), 400, 'stream'],
  ['a response format nobody has', made, image({ response_format: 'bytes' }), 400, 'response_format'],
  ['a form where JSON is wanted', made, new FormData(), 415, null],
  ['no pictures to edit', '/v1/images/edits', edit({ images: undefined }), 400, 'images', 'missing_required_parameter'],
  ['an empty list of pictures', '/v1/images/edits', edit({ images: [] }), 400, 'images'],
  ['too many pictures', '/v1/images/edits', edit({ images: Array.from({ length: 17 }, () => ({ image_url: 'https://example.com/a.png' })) }), 400, 'image'],
  ['a picture named twice', '/v1/images/edits', edit({ images: [{ image_url: 'https://example.com/a.png', file_id: 'file-1' }] }), 400, 'images[0]'],
  ['a picture that is none', '/v1/images/edits', edit({}), 400, 'images[0]', 'invalid_image_file'],
  ['text for a picture', '/v1/images/edits', edit({ images: [{ image_url: `data:image/png;base64,${Buffer.from('hello').toString('base64')}` }] }), 400, 'images[0]', 'invalid_image_file'],
  ['another scheme', '/v1/images/edits', edit({ images: [{ image_url: 'file:///etc/passwd' }] }), 400, 'images[0].image_url', 'invalid_image_url'],
  ['a file that is not there', '/v1/images/edits', edit({ images: [{ file_id: 'file-0' }] }), 404, 'images[0].file_id'],
  ['fidelity for a model without', '/v1/images/edits', edit({ input_fidelity: 'high' }), 400, 'input_fidelity'],
  ['a variation as JSON', '/v1/images/variations', {}, 415, null],
  ['a film without words', '/v1/videos', { model: 'sora-2' }, 400, 'prompt', 'missing_required_parameter'],
  ['a film by a model of pictures', '/v1/videos', { model: 'gpt-image-2', prompt: 'x' }, 400, 'model'],
  ['a film too long', '/v1/videos', { prompt: 'x', seconds: '60' }, 400, 'seconds'],
  ['a film of no length', '/v1/videos', { prompt: 'x', seconds: 'long' }, 400, 'seconds'],
  ['a film of another size', '/v1/videos', { prompt: 'x', size: '1000x1000' }, 400, 'size'],
  ['a film size of pro', '/v1/videos', { model: 'sora-2-pro', prompt: 'x', size: '100x100' }, 400, 'size'],
  ['a reference to nothing', '/v1/videos', { prompt: 'x', input_reference: {} }, 400, 'input_reference'],
  ['a remix of nothing', '/v1/videos/video_0/remix', { prompt: 'x' }, 404, 'video_id'],
  ['an edit of no film', '/v1/videos/edits', { prompt: 'x' }, 400, 'video', 'missing_required_parameter'],
  ['an extension without length', '/v1/videos/extensions', { prompt: 'x', video: { id: 'video_0' } }, 400, 'seconds'],
  ['no input', '/v1/responses', answered({ input: undefined }), 400, 'input', 'missing_required_parameter'],
  ['no tool', '/v1/responses', answered({ tools: [] }), 400, 'tools'],
  ['another tool', '/v1/responses', answered({ tools: [{ type: 'web_search' }] }), 400, 'tools'],
  ['a tool that is to be left alone', '/v1/responses', answered({ tool_choice: 'none' }), 400, 'tool_choice'],
  ['an earlier response that is not there', '/v1/responses', answered({ previous_response_id: 'resp_0' }), 400, 'previous_response_id', 'previous_response_not_found'],
  ['an edit of nothing', '/v1/responses', answered({ tools: [{ type: 'image_generation', action: 'edit' }] }), 400, 'tools[0].action'],
  ['a size of the tool', '/v1/responses', answered({ tools: [{ type: 'image_generation', size: '1x1' }] }), 400, 'size'],
  ['a part nobody knows', '/v1/responses', answered({ input: [{ role: 'user', content: [{ type: 'input_audio' }] }] }), 400, 'input[0].content[0].type'],
  ['a file that is none', '/v1/responses', answered({ input: [{ role: 'user', content: [{ type: 'input_file' }] }] }), 400, 'input[0].content[0]'],
  ['a text for a picture', '/v1/responses', answered({ input: [{ role: 'user', content: [{ type: 'input_text', text: 'x' }, { type: 'input_file', file_data: 'data:text/plain;base64,aGVsbG8=' }] }] }), 400, 'input[0].content[1]', 'invalid_image_file'],
  ['a conversation that is kept', '/v1/responses', answered({ conversation: 'conv_1' }), 400, 'conversation', 'unsupported_parameter'],
  ['a stored prompt', '/v1/responses', answered({ prompt: { id: 'pmpt_1' } }), 400, 'prompt', 'unsupported_parameter'],
  ['in the background and not stored', '/v1/responses', answered({ background: true, store: false }), 400, 'background'],
  ['metadata that is no text', '/v1/responses', answered({ metadata: { a: 1 } }), 400, 'metadata'],
  ['no messages', '/v1/chat/completions', said({ messages: [] }), 400, 'messages'],
  ['no model to chat with', '/v1/chat/completions', said({ model: undefined }), 400, 'model', 'missing_required_parameter'],
  ['a model of words', '/v1/chat/completions', said({ model: 'gpt-5.5' }), 404, 'model', 'model_not_found'],
  ['words only', '/v1/chat/completions', said({ modalities: ['text'] }), 400, 'modalities'],
  ['sound', '/v1/chat/completions', said({ modalities: ['image', 'audio'] }), 400, 'modalities'],
  ['tools in a chat', '/v1/chat/completions', said({ tools: [{ type: 'function' }] }), 400, 'tools'],
  ['a ratio nobody has, in a chat', '/v1/chat/completions', said({ image_config: { aspect_ratio: '7:5' } }), 400, 'aspect_ratio'],
  ['a role nobody has', '/v1/chat/completions', said({ messages: [{ role: 'king', content: 'x' }] }), 400, 'messages[0].role'],
]

const forms = (picture: Blob, small: Blob): [what: string, path: string, parts: [string, string | Blob][], status: number, param: string | null][] => [
  ['no picture', '/v1/images/edits', [['prompt', 'x']], 400, 'image'],
  ['a picture as text', '/v1/images/edits', [['prompt', 'x'], ['image', 'x']], 400, 'image'],
  ['a mask alone', '/v1/images/edits', [['prompt', 'x'], ['mask', picture]], 400, 'image'],
  ['a mask of another size', '/v1/images/edits', [['prompt', 'x'], ['mask', small], ['image', picture]], 400, 'mask'],
  ['two masks', '/v1/images/edits', [['prompt', 'x'], ['image', picture], ['mask', picture], ['mask', picture]], 400, 'mask'],
  ['a markup', '/v1/images/edits', [['prompt', 'x'], ['image', picture], ['markup', picture]], 400, 'markup'],
  ['a file nobody knows', '/v1/images/edits', [['prompt', 'x'], ['image', picture], ['photo', picture]], 400, 'photo'],
  ['no words', '/v1/images/edits', [['image', picture]], 400, 'prompt'],
  ['a number that is none', '/v1/images/edits', [['prompt', 'x'], ['image', picture], ['n', 'two']], 400, 'n'],
  ['a prompt twice', '/v1/images/edits', [['prompt', 'x'], ['prompt', 'y'], ['image', picture]], 400, 'prompt'],
  ['a page for a picture', '/v1/images/edits', [['prompt', 'x'], ['image', new Blob(['<html>'])]], 400, 'image'],
  ['two pictures for a variation', '/v1/images/variations', [['image', picture], ['image[]', picture]], 400, 'image'],
  ['too many parts', '/v1/images/variations', Array.from({ length: 130 }, (_, index) => [`f${index}`, 'x'] as [string, string]), 413, null],
  ['a character without a film', '/v1/videos/characters', [['name', 'Otto']], 400, 'video'],
  ['a character without a name', '/v1/videos/characters', [['video', picture]], 400, 'name'],
]
