/** The Model Context Protocol over HTTP. */
import assert from 'node:assert/strict'
import { problems, type ProblemCode } from '../../src/domain/problem.ts'
import { newId } from '../../src/kit/id.ts'
import type { Answer, Bad, Call, Door } from '../kit/door.ts'

const rpc = (method: string, params: object): Call => ({ path: '/mcp', body: { jsonrpc: '2.0', id: 1, method, params }, headers: { accept: 'application/json, text/event-stream' } })
const tool = (name: string, args?: unknown): Call => rpc('tools/call', { name, ...(args === undefined ? {} : { arguments: args }) })
const show = (id: string): Call => tool('get_task', { task_id: id, full: true })

/** A call is answered by a stream whose last message is the answer. */
const messageOf = ({ body, text }: Answer) => body ?? JSON.parse(text.split('\n').findLast((line) => line.startsWith('data: '))!.slice(6))
const wordsOf = (answer: Answer): string => messageOf(answer).result.content.find(({ type }: { type: string }) => type === 'text').text

export const door: Door = {
  keyForms: (key): Record<string, string>[] => [{ authorization: `Bearer ${key}` }, { 'x-api-key': key }],
  look: rpc('ping', {}),
  make: (prompt, idempotencyKey) => tool('generate_image', { prompt, model: 'sandbox-1', resolution: '512', full: true, ...(idempotencyKey === undefined ? {} : { idempotency_key: idempotencyKey }) }),
  makes: 'image', isSync: true,
  taskOf(answer) {
    const { _meta: meta } = messageOf(answer).result
    return { id: meta['x-task-id'], replayed: meta['idempotent-replayed'] === true }
  },
  read: { image: show, video: show },
  async pictureOf(answer, fetch) {
    const { content } = messageOf(answer).result as { content: { type: string; data: string; mimeType: string; uri: string }[] }
    const link = content.find(({ type }) => type === 'resource_link')!
    return link.mimeType.startsWith('image/') ? Buffer.from(content.find(({ type }) => type === 'image')!.data, 'base64') : fetch(link.uri)
  },
  refusalOf(answer) {
    const { result, error } = messageOf(answer)
    if (error) return { status: answer.status, message: error.message }
    assert.equal(answer.status, 200)
    if (!result.isError) return null
    const [code, message] = wordsOf(answer).split('\n')[0]!.split(/: (.*)/s)
    assert.ok((code!) in problems, code)
    return { status: problems[code as ProblemCode].status, message: message! }
  },
  flawed: { call: tool('generate_image', { prompt: 'x', model: 'nano-banana-2', aspect_ratio: '7:5', resolution: '9K' }), told: [/aspect_ratio must be one of/, /resolution must be one of/] },
  statuses: { unauthorized: 401, credits: 402, notFound: 404, mismatch: 422, limited: 429 },
  limitHeaders: [],
  bad: () => refused.map(([name, args, says]): Bad => ({
    what: `${name} ${JSON.stringify(args)?.slice(0, 100)}`, status: null, call: tool(name, args),
    check: (answer) => assert.match(wordsOf(answer), says),
  })),
}

export const refused: [tool: string, args: unknown, says: RegExp][] = [
  ['generate_image', {}, /^bad_request: prompt is missing/],
  ['generate_image', undefined, /^bad_request: prompt is missing/],
  ['generate_image', { prompt: '' }, /^bad_request: prompt must have at least 1/],
  ['generate_image', { prompt: 7 }, /^bad_request: prompt must be text/],
  ['generate_image', { prompt: ['a'] }, /^bad_request: prompt must be text/],
  ['generate_image', { prompt: 'x', size: '1024x1024' }, /^bad_request: There is no field size/],
  ['generate_image', { prompt: 'x', images: ['y'] }, /^bad_request: There is no field images/],
  ['generate_image', { prompt: 'x', model: 'nano-bananna' }, /^unknown_model: /],
  ['generate_image', { prompt: 'x', model: '' }, /^bad_request: model must have/],
  ['generate_image', { prompt: 'x', model: 'x'.repeat(201) }, /^bad_request: model may have at most/],
  ['generate_image', { prompt: 'x', model: 'topaz-image-upscale' }, /^(bad_request|unsupported_parameter): .*generate/],
  ['generate_image', { prompt: 'x', aspect_ratio: '7:1' }, /^unsupported_parameter: .*aspect_ratio/],
  ['generate_image', { prompt: 'x', resolution: '3K' }, /^unsupported_parameter: .*resolution/],
  ['generate_image', { prompt: 'x', count: 0 }, /^bad_request: count/],
  ['generate_image', { prompt: 'x', count: 1.5 }, /^bad_request: count/],
  ['generate_image', { prompt: 'x', count: 99 }, /^unsupported_parameter: .*count/],
  ['generate_image', { prompt: 'x', seed: -1 }, /^bad_request: seed/],
  ['generate_image', { prompt: 'x', seed: '5' }, /^bad_request: seed must be/],
  ['generate_image', { prompt: 'x', output_format: 'gif' }, /^bad_request: output_format must be one of/],
  ['generate_image', { prompt: 'x', parameters: { style: 'oil' } }, /^unsupported_parameter: .*style/],
  ['generate_image', { prompt: 'x', parameters: 'none' }, /^bad_request: parameters must be/],
  ['generate_image', { prompt: 'x', resolution: '512', parameters: { resolution: '1K' } }, /^bad_request: resolution is given twice/],
  ['generate_image', { prompt: 'x', wait_s: 601 }, /^bad_request: wait_s/],
  ['generate_image', { prompt: 'x', wait_s: -1 }, /^bad_request: wait_s/],
  ['generate_image', { prompt: 'x', full: 'yes' }, /^bad_request: full must be/],
  ['generate_image', { prompt: 'x', idempotency_key: 'two words' }, /^bad_request: idempotency_key/],
  ['generate_image', { prompt: 'x', metadata: { a: 1 } }, /^bad_request: metadata/],
  ['generate_image', { prompt: 'x', metadata: { ['k'.repeat(65)]: 'v' } }, /^bad_request: .*metadata/],
  ['generate_image', { prompt: 'x sandbox:slw=2s' }, /^bad_request: There is no trigger/],
  ['generate_image', { prompt: 'x'.repeat(600_000) }, /^(bad_request|unsupported_parameter|too_large): /],
  ['edit_image', { prompt: 'x' }, /^bad_request: images is missing/],
  ['edit_image', { prompt: 'x', images: [] }, /^bad_request: images must have at least 1/],
  ['edit_image', { prompt: 'x', images: 'photo.png' }, /^bad_request: images must be/],
  ['edit_image', { prompt: 'x', images: ['photo.png'] }, /^bad_request: images\[0\] must be a link/],
  ['edit_image', { prompt: 'x', images: ['file:///etc/passwd'] }, /^bad_request: images\[0\] must be a link/],
  ['edit_image', { prompt: 'x', images: ['https://'] }, /^bad_request: images\[0\] must be a link/],
  ['edit_image', { prompt: 'x', images: ['http://127.0.0.1:8080/a.png'] }, /^private_address: images\[0\]/],
  ['edit_image', { prompt: 'x', images: ['http://[::1]/a.png'] }, /^private_address: images\[0\]/],
  ['edit_image', { prompt: 'x', images: ['data:image/png;base64,AAAA'] }, /^(bad_input_image|unsupported_media): images\[0\]/],
  ['edit_image', { prompt: 'x', images: ['data:text/html,<b>'] }, /^(bad_request|bad_input_image|unsupported_media): images\[0\]/],
  ['edit_image', { prompt: 'x', images: ['A'.repeat(200)] }, /^(bad_input_image|unsupported_media): images\[0\]/],
  ['edit_image', { prompt: 'x', images: [`data:image/png;base64,${'iVBORw0KGgo'.padEnd(60_000, 'A')}`] }, /^(bad_input_image|unsupported_media): images\[0\]/],
  ['edit_image', { prompt: 'x', images: ['0123456789abcdef0123456789abcdef'] }, /^bad_input_image: images\[0\]: there is no asset and no task/],
  ['edit_image', { prompt: 'x', images: [`${'0'.repeat(32)}/2`] }, /^bad_input_image: images\[0\]/],
  ['edit_image', { prompt: 'x', images: [{ image: 'https://example.com/a.png', role: 'villain' }] }, /^bad_request: images/],
  ['edit_image', { prompt: 'x', images: [{ url: 'https://example.com/a.png' }] }, /^bad_request: images/],
  ['edit_image', { prompt: 'x', images: Array.from({ length: 33 }, () => 'https://example.com/a.png') }, /^bad_request: images may have at most 32/],
  ['edit_image', { prompt: 'x', model: 'nope', images: ['http://127.0.0.1:8080/a.png'] }, /^unknown_model: /],
  ['upscale_image', {}, /^bad_request: image is missing/],
  ['upscale_image', { image: 'photo.png' }, /^bad_request: image must be a link/],
  ['upscale_image', { image: newId(), factor: 3.5 }, /^bad_request: factor/],
  ['remove_background', { image: 5 }, /^bad_request: image must be/],
  ['generate_video', { prompt: 'x', duration_s: 60 }, /^unsupported_parameter: .*duration_s/],
  ['generate_video', { prompt: 'x', first_frame: 'frame.png' }, /^bad_request: first_frame must be a link/],
  ['get_task', {}, /^bad_request: task_id is missing/],
  ['get_task', { task_id: 'nope' }, /^not_found: /],
  ['get_task', { task_id: newId() }, /^not_found: /],
  ['get_task', { task_id: '../../etc/passwd' }, /^not_found: /],
  ['wait_for_task', { task_id: newId() }, /^not_found: /],
  ['wait_for_task', { task_id: newId(), wait_s: '5' }, /^bad_request: wait_s/],
  ['cancel_task', { task_id: newId() }, /^not_found: /],
  ['cancel_task', { task_id: newId(), now: true }, /^bad_request: There is no field now/],
  ['list_models', { model: 'nope' }, /^unknown_model: /],
  ['list_models', { operation: 'sing' }, /^bad_request: operation must be one of/],
  ['estimate', {}, /^bad_request: operation is missing/],
  ['estimate', { operation: 'generate', prompt: 'x', resolution: '3K' }, /^unsupported_parameter: /],
  ['estimate', { operation: 'edit', prompt: 'x' }, /^(bad_request|bad_input_image|unsupported_parameter): /],
  ['get_balance', { currency: 'EUR' }, /^bad_request: There is no field currency/],
]
