/** Our own door. */
import assert from 'node:assert/strict'
import sharp from 'sharp'
import { problems, type ProblemCode } from '../../src/domain/problem.ts'
import type { Bad, Door } from '../kit/door.ts'
import type { TestHouse } from '../kit/house.ts'

export const door: Door = {
  keyForms: (key): Record<string, string>[] => [{ authorization: `Bearer ${key}` }],
  look: { method: 'GET', path: '/plantain/v1/project' },
  make: (prompt, idempotencyKey) => ({ path: '/plantain/v1/tasks', body: { model: 'nano-banana-2', prompt, parameters: { resolution: '512' } }, ...(idempotencyKey === undefined ? {} : { headers: { 'idempotency-key': idempotencyKey } }) }),
  makes: 'image', isSync: false,
  taskOf: ({ headers, body }) => ({ id: body.id, replayed: headers.get('idempotent-replayed') === 'true' }),
  read: { image: id => ({ method: 'GET', path: `/plantain/v1/tasks/${id}` }), video: id => ({ method: 'GET', path: `/plantain/v1/tasks/${id}` }) },
  pictureOf: async ({ body }, fetch) => fetch(body.outputs[0].url),
  refusalOf({ status, headers, body }) {
    if (status < 400) return null
    assert.ok(body.error.code in problems)
    assert.equal(body.error.request_id, headers.get('x-request-id'))
    return { status, message: body.error.message }
  },
  flawed: {
    call: { path: '/plantain/v1/tasks', body: { model: 'nano-banana-2', prompt: 'x', parameters: { aspect_ratio: '7:5', resolution: '9K' } } },
    told: [/"field":"parameters.aspect_ratio","value":"7:5"/, /"field":"parameters.resolution","value":"9K"/],
  },
  statuses: { unauthorized: 401, credits: 402, notFound: 404, mismatch: 422, limited: 429 },
  limitHeaders: [],
  async bad(given) {
    await furnish(given)
    return Object.entries(cases).map(([what, given]): Bad => {
      const { method, path = 'tasks', body, headers = {}, key = house.liveKey, code, field } = typeof given === 'function' ? given() : given
      return {
        what, status: problems[code].status,
        call: { ...(method === undefined ? {} : { method }), path: path.startsWith('/') ? path : `/plantain/v1/${path}`, body, headers, key },
        check({ body: { error } }) {
          assert.equal(error.code, code)
          if (field) assert.equal(error.field, field)
        },
      }
    })
  },
}

let house: TestHouse
let foreign: Awaited<ReturnType<TestHouse['newAccount']>>
let png: Buffer
let revoked = ''
let expired = ''
let reader = ''
let foreignTask = ''
let foreignAsset = ''
let ownAsset = ''
let poorKey = ''

async function furnish(given: TestHouse): Promise<void> {
  house = given
  foreign = await house.newAccount()
  poorKey = (await house.newAccount({ liveDollars: 0.1 })).liveKey
  png = await sharp({ create: { width: 32, height: 24, channels: 3, background: '#406080' } }).png().toBuffer()
  const ask = async (key: string, path: string, body: unknown) => {
    const answer = await fetch(`${house.url}/plantain/v1/${path}`, { method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, body: JSON.stringify(body) })
    const made = await answer.json() as any
    assert.ok(answer.ok, JSON.stringify(made))
    return made
  }
  const key = await ask(house.liveKey, 'keys', { name: 'Gone' })
  await ask(house.liveKey, `keys/${key.id}/revoke`, {})
  revoked = key.secret
  const short = await ask(house.liveKey, 'keys', { name: 'Short', expires_at: new Date(Date.now() + 60_000).toISOString() })
  await house.database.query('update api_key set expires_at = now() - interval \'1 second\' where id = $1', [short.id])
  expired = short.secret
  reader = (await ask(house.liveKey, 'keys', { name: 'Reader', scopes: ['tasks:read'] })).secret
  foreignTask = (await ask(foreign.liveKey, 'tasks?wait=30', { model: 'rehearsal-1', prompt: 'theirs' })).id
  foreignAsset = (await ask(foreign.liveKey, 'assets', { base64: png.toString('base64') })).id
  ownAsset = (await ask(house.liveKey, 'assets', { base64: png.toString('base64') })).id
}

interface Case {
  method?: string
  path?: string
  /** A value is sent as JSON, text and bytes as they are. */
  body?: unknown
  headers?: Record<string, string>
  key?: string | null
  code: ProblemCode
  field?: string
}

const order = { model: 'rehearsal-1', prompt: 'a boat' }
const task = (more: Record<string, unknown>, code: ProblemCode, field?: string): Case => ({ body: { ...order, ...more }, code, ...(field ? { field } : {}) })
const input = (given: unknown, code: ProblemCode, field = 'inputs[0]') => () => task({ inputs: [given] }, code, field)
const look = (path: string, code: ProblemCode, field?: string): Case => ({ method: 'GET', path, code, ...(field ? { field } : {}) })
const upload = (bytes: () => Uint8Array, code: ProblemCode, type = 'image/png') => (): Case => ({ path: 'assets', body: bytes(), headers: { 'content-type': type }, code })
const link = (url: string, code: ProblemCode = 'private_address') => () => task({ inputs: [{ url }] }, code, 'inputs[0]')

const form = (parts: [name: string, value: string | { bytes: Uint8Array; name: string }][], path = 'tasks', code: ProblemCode = 'bad_request', field?: string): Case => {
  const boundary = 'plantain-boundary'
  const chunks = parts.flatMap(([name, value]) => [
    Buffer.from(`--${boundary}\r\ncontent-disposition: form-data; name="${name}"${typeof value === 'string' ? '' : `; filename="${value.name}"\r\ncontent-type: image/png`}\r\n\r\n`),
    Buffer.from(typeof value === 'string' ? value : value.bytes), Buffer.from('\r\n')])
  return { path, body: Buffer.concat([...chunks, Buffer.from(`--${boundary}--\r\n`)]), headers: { 'content-type': `multipart/form-data; boundary=${boundary}` }, code, ...(field ? { field } : {}) }
}

/** A PNG whose head promises many more pixels than it has bytes. */
const bomb = (): Uint8Array => {
  const bytes = Buffer.from(png)
  bytes.writeUInt32BE(60_000, 16)
  bytes.writeUInt32BE(60_000, 20)
  return bytes
}
const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'

const cases: Record<string, Case | (() => Case)> = {
  // Keys
  'no key': { ...task({}, 'unauthorized'), key: null },
  'a key that never was': { ...task({}, 'unauthorized'), key: 'sk-live-0000000000000000000000000000000000000000' },
  'a key with odd characters': { ...task({}, 'unauthorized'), key: 'sk-live-%00\'"' },
  'a very long key': { ...task({}, 'unauthorized'), key: `sk-live-${'x'.repeat(8_000)}` },
  'a revoked key': () => ({ ...task({}, 'unauthorized'), key: revoked }),
  'an expired key': () => ({ ...task({}, 'unauthorized'), key: expired }),
  'a key without the scope': () => ({ ...task({}, 'forbidden'), key: reader }),
  'another scheme': { ...task({}, 'unauthorized'), key: null, headers: { authorization: 'Basic abc' } },
  // Bodies
  'no body': { body: '', headers: { 'content-type': 'application/json' }, code: 'bad_request' },
  'half a body': { body: '{"model":', headers: { 'content-type': 'application/json' }, code: 'bad_request' },
  'text': { body: '"text"', headers: { 'content-type': 'application/json' }, code: 'bad_request' },
  'a list': { body: '[]', headers: { 'content-type': 'application/json' }, code: 'bad_request' },
  'null': { body: 'null', headers: { 'content-type': 'application/json' }, code: 'bad_request' },
  'bytes that are not UTF-8': { body: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), headers: { 'content-type': 'application/json' }, code: 'bad_request' },
  'a form that is none': { body: 'model=rehearsal-1&prompt=x', headers: { 'content-type': 'application/x-www-form-urlencoded' }, code: 'unsupported_media' },
  'XML': { body: '<order/>', headers: { 'content-type': 'application/xml' }, code: 'unsupported_media' },
  'a compressed body': { body: JSON.stringify(order), headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' }, code: 'unsupported_media' },
  'a tower of objects': { body: `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`, headers: { 'content-type': 'application/json' }, code: 'bad_request' },
  'a body larger than is taken': { path: 'keys', body: { name: 'x'.repeat(3_000_000) }, code: 'too_large' },
  // Fields
  'no model': { body: { prompt: 'x' }, code: 'bad_request', field: 'model' },
  'a model that is a number': task({ model: 7 }, 'bad_request', 'model'),
  'an empty model': task({ model: '' }, 'bad_request', 'model'),
  'an unknown model': task({ model: 'banana-split' }, 'unknown_model', 'model'),
  'a model out of the prototype': task({ model: 'constructor' }, 'unknown_model', 'model'),
  'an unknown field': task({ promt: 'x' }, 'bad_request', 'promt'),
  'no prompt': { body: { model: 'rehearsal-1' }, code: 'bad_request', field: 'prompt' },
  'a prompt of spaces': task({ prompt: '   ' }, 'bad_request', 'prompt'),
  'a prompt that is a list': task({ prompt: ['x'] }, 'bad_request', 'prompt'),
  'a prompt that is null': task({ prompt: null }, 'bad_request', 'prompt'),
  'a prompt that is too long': task({ prompt: 'x'.repeat(2_001) }, 'bad_request', 'prompt'),
  'a prompt with NUL': task({ prompt: 'a\0b' }, 'bad_request'),
  'a prompt with half a pair': { body: '{"model":"rehearsal-1","prompt":"\\ud800"}', headers: { 'content-type': 'application/json' }, code: 'bad_request' },
  'an unknown operation': task({ operation: 'destroy' }, 'bad_request', 'operation'),
  'an operation the model has not': task({ operation: 'video' }, 'unsupported_parameter', 'operation'),
  'an edit of nothing': task({ operation: 'edit' }, 'bad_request', 'inputs'),
  'parameters that are text': task({ parameters: 'x' }, 'bad_request', 'parameters'),
  'an unknown parameter': task({ parameters: { sparkle: 1 } }, 'unsupported_parameter', 'parameters.sparkle'),
  'a value the model has not': task({ parameters: { aspect_ratio: '5:4' } }, 'unsupported_parameter', 'parameters.aspect_ratio'),
  'a count of none': task({ parameters: { count: 0 } }, 'unsupported_parameter', 'parameters.count'),
  'a count that is too large': task({ parameters: { count: 5 } }, 'unsupported_parameter', 'parameters.count'),
  'a count that is text': task({ parameters: { count: '2' } }, 'unsupported_parameter', 'parameters.count'),
  'a count beyond all numbers': { body: '{"model":"rehearsal-1","prompt":"x","parameters":{"count":1e999}}', headers: { 'content-type': 'application/json' }, code: 'unsupported_parameter' },
  'a hand on the prototype': { body: '{"model":"rehearsal-1","prompt":"x","parameters":{"__proto__":{"count":9}}}', headers: { 'content-type': 'application/json' }, code: 'bad_request' },
  'an unknown priority': task({ priority: 'now' }, 'bad_request', 'priority'),
  'a deadline of zero': task({ end_within_s: 0 }, 'bad_request', 'end_within_s'),
  'a deadline in pieces': task({ start_within_s: 1.5 }, 'bad_request', 'start_within_s'),
  'a deadline beyond the day': task({ end_within_s: 90_000 }, 'bad_request', 'end_within_s'),
  'metadata that is a list': task({ metadata: ['a'] }, 'bad_request', 'metadata'),
  'metadata with a number': task({ metadata: { a: 1 } }, 'bad_request', 'metadata.a'),
  'too much metadata': task({ metadata: Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, 'v'])) }, 'bad_request', 'metadata'),
  'a long metadata key': task({ metadata: { ['k'.repeat(65)]: 'v' } }, 'bad_request'),
  'a long metadata value': task({ metadata: { k: 'v'.repeat(513) } }, 'bad_request', 'metadata.k'),
  'a call back to nowhere': task({ callback_url: 'nowhere' }, 'bad_request', 'callback_url'),
  'a call back by file': task({ callback_url: 'file:///etc/passwd' }, 'bad_request', 'callback_url'),
  'a call back into our network': task({ callback_url: 'http://192.168.0.1/hook' }, 'private_address', 'callback_url'),
  'a call back with a password': task({ callback_url: 'https://user:pass@example.com/' }, 'bad_request', 'callback_url'),
  'an Idempotency-Key with spaces': { ...task({}, 'bad_request'), headers: { 'idempotency-key': 'a b' } },
  'an Idempotency-Key without end': { ...task({}, 'bad_request'), headers: { 'idempotency-key': 'x'.repeat(256) } },
  'a wait beyond what is given': { ...task({}, 'bad_request', 'wait'), path: 'tasks?wait=61' },
  'a wait that is no number': { ...task({}, 'bad_request', 'wait'), path: 'tasks?wait=long' },
  // Pictures with an order
  'inputs that are an object': task({ inputs: { url: 'x' } }, 'bad_request', 'inputs'),
  'an input that is a number': task({ inputs: [7] }, 'bad_request', 'inputs[0]'),
  'an input without a source': input({ role: 'reference' }, 'bad_request'),
  'an input with two sources': input({ base64: 'AAAA', url: 'https://example.com/a.png' }, 'bad_request'),
  'an input with an unknown field': input({ link: 'x' }, 'bad_request', 'inputs[0].link'),
  'an input with an unknown role': () => task({ inputs: [{ asset: ownAsset, role: 'muse' }] }, 'bad_request', 'inputs[0].role'),
  'a role the model has not': () => task({ inputs: [{ asset: ownAsset, role: 'mask' }] }, 'unsupported_parameter', 'inputs[0].role'),
  'more inputs than the model takes': () => task({ inputs: Array.from({ length: 5 }, () => ownAsset) }, 'unsupported_parameter', 'inputs'),
  'more inputs than anything takes': () => task({ inputs: Array.from({ length: 33 }, () => ownAsset) }, 'bad_request', 'inputs'),
  'an asset that is none': input('not-an-id', 'bad_input_image'),
  'an asset nobody has': input('0'.repeat(32), 'bad_input_image'),
  'an asset of somebody else': () => task({ inputs: [foreignAsset] }, 'bad_input_image', 'inputs[0]'),
  'an asset of the other mode': () => ({ ...task({ inputs: [ownAsset] }, 'bad_input_image', 'inputs[0]'), key: house.testKey }),
  'base64 that is none': input({ base64: '*** not base64 ***' }, 'bad_input_image'),
  'base64 of nothing': input({ base64: '' }, 'bad_input_image'),
  'base64 of text': input({ base64: Buffer.from('hello, this is text').toString('base64') }, 'unsupported_media'),
  'a data URL without base64': input({ data_url: 'data:image/png,hello' }, 'bad_input_image'),
  'a data URL of a page': input({ data_url: `data:text/html;base64,${Buffer.from('<html>').toString('base64')}` }, 'unsupported_media'),
  'an SVG in disguise': input({ data_url: `data:image/png;base64,${Buffer.from(svg).toString('base64')}` }, 'unsupported_media'),
  'half a picture': () => task({ inputs: [{ base64: png.subarray(0, 40).toString('base64') }] }, 'bad_input_image', 'inputs[0]'),
  'a picture with a good input before it': () => task({ inputs: [{ base64: png.toString('base64') }, { base64: 'AAAA' }] }, 'unsupported_media', 'inputs[1]'),
  'a good picture for an unknown model': () => task({ model: 'nobody', inputs: [{ base64: png.toString('base64') }] }, 'unknown_model', 'model'),
  'a good picture with a bad parameter': () => task({ inputs: [{ base64: png.toString('base64') }], parameters: { count: 9 } }, 'unsupported_parameter', 'parameters.count'),
  'a link that is none': input({ url: 'not a url' }, 'bad_request', 'inputs[0].url'),
  'a link by file': input({ url: 'file:///etc/passwd' }, 'bad_request', 'inputs[0].url'),
  'a link to this machine': link('http://127.0.0.1:8765/a.png'),
  'a link to this machine by number': link('http://2130706433/a.png'),
  'a link to this machine in IPv6': link('http://[::1]/a.png'),
  'a link to this machine in IPv4 in IPv6': link('http://[::ffff:127.0.0.1]/a.png'),
  'a link to this machine by name': link('http://localhost:8765/a.png'),
  'a link to the cloud\'s own data': link('http://169.254.169.254/latest/meta-data/'),
  'a link into a private net': link('http://10.0.0.1/a.png'),
  // Money
  'an order nobody can pay': () => ({ ...task({ parameters: { count: 4 } }, 'credits_required'), key: poorKey }),
  // Forms
  'a form without a boundary': { body: 'x', headers: { 'content-type': 'multipart/form-data' }, code: 'bad_request' },
  'a form cut short': { body: '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nrehears', headers: { 'content-type': 'multipart/form-data; boundary=b' }, code: 'bad_request' },
  'a form with an unknown field': form([['model', 'rehearsal-1'], ['prompt', 'x'], ['colour', 'red']], 'tasks', 'bad_request', 'colour'),
  'a form with a field twice': form([['model', 'rehearsal-1'], ['model', 'rehearsal-1'], ['prompt', 'x']], 'tasks', 'bad_request', 'model'),
  'a form with parameters that are no JSON': form([['model', 'rehearsal-1'], ['prompt', 'x'], ['parameters', '{']], 'tasks', 'bad_request', 'parameters'),
  'a form with a file under another name': () => form([['model', 'rehearsal-1'], ['prompt', 'x'], ['photo', { bytes: png, name: 'a.png' }]], 'tasks', 'bad_request', 'photo'),
  'a form with a file that is no picture': form([['model', 'rehearsal-1'], ['prompt', 'x'], ['image', { bytes: Buffer.from('no picture'), name: 'a.png' }]], 'tasks', 'unsupported_media', 'inputs[0]'),
  'a form with a hand on the prototype': form([['model', 'rehearsal-1'], ['prompt', 'x'], ['parameters[__proto__]', '1']]),
  // Uploads
  'an upload of nothing': upload(() => new Uint8Array(), 'bad_input_image'),
  'an upload of text': upload(() => Buffer.from('hello, this is text'), 'unsupported_media'),
  'an upload of an SVG': upload(() => Buffer.from(svg), 'unsupported_media', 'image/svg+xml'),
  'an upload of a page that begins like a GIF': upload(() => Buffer.from('GIF89a/*<html><script>alert(1)</script>*/'), 'bad_input_image', 'image/gif'),
  'an upload of half a picture': upload(() => png.subarray(0, png.length - 20), 'bad_input_image'),
  'an upload of a bomb': upload(bomb, 'bad_input_image'),
  'an upload of another type': upload(() => png, 'unsupported_media', 'application/pdf'),
  'an upload without a source': { path: 'assets', body: {}, code: 'bad_request' },
  'an upload with an unknown field': { path: 'assets', body: { file: 'x' }, code: 'bad_request', field: 'file' },
  'an upload form without a file': form([['name', 'x']], 'assets', 'bad_request', 'file'),
  'an upload form with two files': () => form([['file', { bytes: png, name: 'a.png' }], ['file', { bytes: png, name: 'b.png' }]], 'assets', 'too_large'),
  'an upload from our own network': { path: 'assets', body: { url: 'http://127.0.0.1:8765/' }, code: 'private_address' },
  // Ids and pages
  'a task that is none': look('tasks/nope', 'not_found'),
  'a task nobody has': look(`tasks/${'0'.repeat(32)}`, 'not_found'),
  'a task of somebody else': () => look(`tasks/${foreignTask}`, 'not_found'),
  'waiting for a task of somebody else': () => look(`tasks/${foreignTask}/wait?timeout=0`, 'not_found'),
  'following a task of somebody else': () => look(`tasks/${foreignTask}/events`, 'not_found'),
  'cancelling a task of somebody else': () => ({ path: `tasks/${foreignTask}/cancel`, body: {}, code: 'not_found' }),
  'an asset of somebody else, to look at': () => look(`assets/${foreignAsset}`, 'not_found'),
  'the bytes of somebody else': () => look(`assets/${foreignAsset}/content`, 'not_found'),
  'a link to somebody else\'s': () => ({ path: `assets/${foreignAsset}/link`, body: {}, code: 'not_found' }),
  'deleting what is somebody else\'s': () => ({ method: 'DELETE', path: `assets/${foreignAsset}`, code: 'not_found' }),
  'a page mark of nobody': look('tasks?after=x', 'bad_request', 'after'),
  'a page of none': look('tasks?limit=0', 'bad_request', 'limit'),
  'a page without end': look('tasks?limit=101', 'bad_request', 'limit'),
  'a filter that is misspelt': look('tasks?stat=done', 'bad_request', 'stat'),
  'a state that is none': look('tasks?state=ready', 'bad_request', 'state[0]'),
  'a day that is none': look('tasks?created_after=2026-02-40', 'bad_request', 'created_after'),
  'a year nobody lives in': look('tasks?created_after=9999999-01-01', 'bad_request', 'created_after'),
  'a query with NUL': look('tasks?model=%00', 'bad_request'),
  'an event id that is none': look('events?after=-1', 'bad_request', 'after'),
  'a Last-Event-ID that is none': { ...look('events', 'bad_request', 'Last-Event-ID'), headers: { 'last-event-id': 'x', accept: 'text/event-stream' } },
  'a thumbnail of any size': () => look(`assets/${ownAsset}/thumbnail?side=65`, 'bad_request', 'side'),
  'a link for ever': () => ({ path: `assets/${ownAsset}/link`, body: { seconds: 1e9 }, code: 'bad_request', field: 'seconds' }),
  'a signed link nobody signed': { method: 'GET', path: `/files/${'0'.repeat(32)}/a.png?expires=9999999999&signature=x`, key: null, code: 'not_found' },
  'a way out of the files': { method: 'GET', path: '/files/..%2f..%2fetc%2fpasswd', key: null, code: 'not_found' },
  'usage backwards': look('usage?from=2026-02-01&to=2026-01-01', 'bad_request', 'from'),
  'a ledger from nowhere': look('ledger?after=x', 'bad_request', 'after'),
  // Keys and webhooks
  'a key without a name': { path: 'keys', body: {}, code: 'bad_request', field: 'name' },
  'a key with an unknown scope': { path: 'keys', body: { name: 'x', scopes: ['all'] }, code: 'bad_request', field: 'scopes[0]' },
  'a key of the past': { path: 'keys', body: { name: 'x', expires_at: '2020-01-01' }, code: 'bad_request', field: 'expires_at' },
  'a live key from a test key': () => ({ path: 'keys', body: { name: 'x', livemode: true }, key: house.testKey, code: 'forbidden' }),
  'revoking a key nobody has': { path: `keys/${'0'.repeat(32)}/revoke`, body: {}, code: 'not_found' },
  'a webhook to nowhere': { path: 'webhooks', body: { url: 'nowhere' }, code: 'bad_request', field: 'url' },
  'a webhook into our network': { path: 'webhooks', body: { url: 'http://127.0.0.1/' }, code: 'private_address', field: 'url' },
  'a webhook for unknown events': { path: 'webhooks', body: { url: 'https://example.com', events: ['task.exploded'] }, code: 'bad_request', field: 'events[0]' },
  'a change of nothing': { method: 'PATCH', path: `webhooks/${'0'.repeat(32)}`, body: {}, code: 'bad_request' },
  'a change of a webhook nobody has': { method: 'PATCH', path: `webhooks/${'0'.repeat(32)}`, body: { enabled: false }, code: 'not_found' },
  'redelivering what nobody has': { path: `deliveries/${'0'.repeat(32)}/redeliver`, body: {}, code: 'not_found' },
  // Addresses
  'an address that is none': look('nothing/here', 'not_found'),
  'another method': { method: 'PUT', path: 'tasks', body: order, code: 'method_not_allowed' },
  'an address with a broken percent sign': look('tasks/%zz', 'bad_request'),
}
