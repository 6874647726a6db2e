/** Kie's jobs. Its own numbers come inside a 200. */
import assert from 'node:assert/strict'
import type { Bad, Call, Door } from '../kit/door.ts'
import type { TestHouse } from '../kit/house.ts'

const kite = { model: 'nano-banana-2', input: { prompt: 'a red kite over a grey sea', aspect_ratio: '16:9', resolution: '1K', output_format: 'png' } }
const create = '/api/v1/jobs/createTask'

export const door: Door = {
  keyForms: (key): Record<string, string>[] => [{ authorization: `Bearer ${key}` }],
  look: { method: 'GET', path: '/api/v1/chat/credit' },
  make: (prompt, idempotencyKey) => ({ path: create, body: { model: 'sandbox-1', input: { prompt } }, ...(idempotencyKey === undefined ? {} : { headers: { 'idempotency-key': idempotencyKey } }) }),
  makes: 'image', isSync: false,
  taskOf: ({ headers, body }) => ({ id: body.data.taskId, replayed: headers.get('idempotent-replayed') === 'true' }),
  read: { image: record, video: record },
  pictureOf: async ({ body }, fetch) => fetch(JSON.parse(body.data.resultJson).resultUrls[0]),
  refusalOf({ status, headers, body }) {
    if (status < 400 && body.code === 200) return null
    assert.equal(status, 200)
    assert.ok(typeof body.code === 'number' && (body.data ?? null) === null)
    assert.notEqual(body.msg, 'Server exception, please try again later')
    assert.match(headers.get('content-type')!, /^application\/json/)
    return { status: body.code, message: body.msg }
  },
  statuses: { unauthorized: 401, credits: 402, notFound: 422, mismatch: 422, limited: 429 },
  limitHeaders: [],
  bad,
}

function record(taskId: string): Call { return { method: 'GET', path: `/api/v1/jobs/recordInfo?taskId=${taskId}` } }

function bad(house: TestHouse): Bad[] {
  const input = kite.input
  const url = 'https://pictures.invalid/a.png'
  const edit = (image_urls: unknown) => ({ model: 'google/nano-banana-edit', input: { prompt: 'x', image_urls } })
  const film = { prompt: 'x', aspect_ratio: '1:1', duration: '5', sound: true }

  /** [what, code, body, options]: what createTask is sent. */
  const creations: [what: string, code: number, body: unknown, options?: () => Partial<Call> | Promise<Partial<Call>>][] = [
    ['an empty body', 400, ''],
    ['no JSON', 400, '{"model":'],
    ['a number', 400, 5],
    ['null', 400, null],
    ['a list', 400, [kite]],
    ['text', 400, '"kite"'],
    ['nesting without end', 400, '['.repeat(10_000)],
    ['a prototype', 400, '{"__proto__":{"model":"nano-banana-2"},"model":"nano-banana-2"}'],
    ['bytes that are no UTF-8', 400, new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])],
    ['NUL in a prompt', 400, '{"model":"nano-banana-2","input":{"prompt":"a\\u0000b"}}'],
    ['half a surrogate pair', 400, '{"model":"nano-banana-2","input":{"prompt":"\\ud800"}}'],
    ['a huge body', 400, `{"model":"nano-banana-2","input":{"prompt":"${'x'.repeat(3_000_000)}"}}`],
    ['another media type', 400, 'model=nano-banana-2', () => ({ headers: { 'content-type': 'application/x-www-form-urlencoded' } })],
    ['a compressed body', 400, 'xxxx', () => ({ headers: { 'content-encoding': 'gzip' } })],
    ['no model', 422, { input }],
    ['a model that is null', 422, { model: null, input }],
    ['a model that is a number', 422, { model: 5, input }],
    ['a model that is an object', 422, { model: {}, input }],
    ['a model nobody knows', 422, { model: 'nano-apple', input }],
    ['a model in capitals', 422, { model: 'Nano-Banana-2', input }],
    ['a name of ours Kie does not have', 422, { model: 'kling-2.6', input }],
    ['a name of another dialect', 422, { model: 'gemini-3.1-flash-image', input }],
    ['an alias of ours', 422, { model: 'demo', input }],
    ['a model called like a method', 422, { model: 'constructor', input }],
    ['a model\'s name without end', 422, { model: 'm'.repeat(100_000), input }],
    ['an unknown model before a bad input', 422, { model: 'nano-apple', input: 5 }],
    ['no input', 500, { model: 'nano-banana-2' }],
    ['an input that is text', 500, { model: 'nano-banana-2', input: '{}' }],
    ['an input that is a list', 500, { model: 'nano-banana-2', input: [] }],
    ['an empty input', 500, { model: 'nano-banana-2', input: {} }],
    ['a prompt that is empty', 500, { model: 'nano-banana-2', input: { ...input, prompt: '' } }],
    ['a prompt that is blank', 500, { model: 'nano-banana-2', input: { ...input, prompt: ' \n ' } }],
    ['a prompt that is a number', 500, { model: 'nano-banana-2', input: { ...input, prompt: 7 } }],
    ['a prompt that is a list', 500, { model: 'nano-banana-2', input: { ...input, prompt: ['x'] } }],
    ['a prompt too long', 500, { model: 'nano-banana-2', input: { ...input, prompt: 'x'.repeat(20_001) } }],
    ['a ratio there is not', 500, { model: 'nano-banana-2', input: { ...input, aspect_ratio: '7:3' } }],
    ['a ratio that is a number', 500, { model: 'nano-banana-2', input: { ...input, aspect_ratio: 1.77 } }],
    ['a ratio of the newer model', 500, { model: 'nano-banana-pro', input: { prompt: 'x', aspect_ratio: '1:8' } }],
    ['a resolution Kie does not have', 500, { model: 'nano-banana-2', input: { ...input, resolution: '512' } }],
    ['a resolution in small letters', 500, { model: 'nano-banana-2', input: { ...input, resolution: '2k' } }],
    ['a format of the other model', 500, { model: 'nano-banana-2', input: { ...input, output_format: 'jpeg' } }],
    ['a format nobody has', 500, { model: 'google/nano-banana', input: { prompt: 'x', output_format: 'bmp' } }],
    ['a filter that is text', 500, { model: 'nano-banana-2', input: { ...input, nsfw_checker: 'no' } }],
    ['an old ratio there is not', 500, { model: 'google/nano-banana', input: { prompt: 'x', image_size: 'square' } }],
    ['pictures as text', 500, edit(url)],
    ['no pictures', 500, edit([])],
    ['pictures missing', 500, { model: 'google/nano-banana-edit', input: { prompt: 'x' } }],
    ['a picture that is a number', 500, edit([5])],
    ['a picture that is nothing', 500, edit([null])],
    ['an empty address', 500, edit([''])],
    ['words for an address', 500, edit(['a picture'])],
    ['bytes for an address', 500, edit([`data:image/png;base64,${'A'.repeat(100)}`])],
    ['a file of ours', 500, edit(['file:///etc/passwd'])],
    ['another scheme', 500, edit(['ftp://pictures.example/a.png'])],
    ['too many pictures', 500, edit(Array(11).fill(url))],
    ['an address nobody has', 451, edit([url])],
    ['a loopback address', 451, edit(['http://127.0.0.1:80/a.png'])],
    ['loopback by name', 451, edit(['http://localhost/a.png'])],
    ['loopback as IPv6', 451, edit(['http://[::1]/a.png'])],
    ['loopback as a mapped address', 451, edit(['http://[::ffff:127.0.0.1]/a.png'])],
    ['loopback as a number', 451, edit(['http://2130706433/a.png'])],
    ['the cloud\'s metadata', 451, edit(['http://169.254.169.254/latest/meta-data'])],
    ['a private network', 451, edit(['http://10.0.0.1/a.png'])],
    ['required with a default, missing', 500, { model: 'kling-2.6/text-to-video', input: { ...film, duration: undefined } }],
    ['a duration that is a number', 500, { model: 'kling-2.6/text-to-video', input: { ...film, duration: 5 } }],
    ['a duration there is not', 500, { model: 'kling-2.6/text-to-video', input: { ...film, duration: '7' } }],
    ['sound that is text', 500, { model: 'kling-2.6/text-to-video', input: { ...film, sound: 'true' } }],
    ['a factor that is a number', 500, { model: 'topaz/image-upscale', input: { image_url: url, upscale_factor: 2 } }],
    ['a factor there is not', 500, { model: 'topaz/image-upscale', input: { image_url: url, upscale_factor: '3' } }],
    ['a cut-out of nothing', 500, { model: 'recraft/remove-background', input: {} }],
    ['a seed that is broken', 500, { model: 'sandbox-1', input: { prompt: 'x', seed: 0.5 } }],
    ['a call back to nowhere', 400, { ...kite, callBackUrl: 'nowhere' }],
    ['a call back that is a number', 400, { ...kite, callBackUrl: 5 }],
    ['a call back by another scheme', 400, { ...kite, callBackUrl: 'file:///etc/passwd' }],
    ['a call back to a private address', 400, { ...kite, callBackUrl: 'http://127.0.0.1:9/hook' }],
    ['an Idempotency-Key with spaces', 400, kite, () => ({ headers: { 'idempotency-key': 'a b' } })],
    ['an Idempotency-Key without end', 400, kite, () => ({ headers: { 'idempotency-key': 'k'.repeat(300) } })],
    ['no key', 401, kite, () => ({ key: null })],
    ['a wrong key', 401, kite, () => ({ key: 'sk-test-nobodyhasthiskeynobodyhasthis' })],
    ['a key in another form', 401, kite, () => ({ key: null, headers: { 'x-api-key': house.testKey } })],
    ['a key that is no text', 401, kite, () => ({ key: null, headers: { authorization: 'Bearer' } })],
    ['a revoked key', 401, kite, async () => ({ key: await revokedKey() })],
    ['a key that may only look', 401, kite, async () => ({ key: (await house.newAccount({ scopes: ['tasks:read'] })).testKey })],
    ['an empty purse', 402, kite, async () => ({ key: (await house.newAccount({ testDollars: 0.001 })).testKey })],
    ['a purse the trigger empties', 402, { model: 'nano-banana-2', input: { prompt: 'a kite sandbox:credits' } }],
    ['a live model nobody is configured for', 455, { model: 'nano-banana-pro', input: { prompt: 'x' } }, () => ({ key: house.liveKey })],
  ]
  return creations.map(([what, status, body, options]): Bad => ({
    what, status, call: async () => ({ path: create, body, ...await options?.() }),
    check: (answer) => assert.equal(answer.body.data, null),
  }))

  async function revokedKey(): Promise<string> {
    const headers = { authorization: `Bearer ${house.testKey}`, 'content-type': 'application/json' }
    const made = await (await fetch(`${house.url}/plantain/v1/keys`, { method: 'POST', headers, body: JSON.stringify({ name: 'short', livemode: false, scopes: ['tasks:write', 'tasks:read'] }) })).json() as { id: string; secret: string }
    assert.ok(made.secret, JSON.stringify(made))
    const revoked = await fetch(`${house.url}/plantain/v1/keys/${made.id}/revoke`, { method: 'POST', headers: { authorization: headers.authorization } })
    assert.ok(revoked.ok, String(revoked.status))
    return made.secret
  }
}
