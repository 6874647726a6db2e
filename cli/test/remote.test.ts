/** The command against a server that says what a test tells it to: what is sent, what is shown, and the number it ends with. */
import assert from 'node:assert/strict'
import { mkdtemp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { plantain, start } from './cli.ts'

const id = '0190a3c8d2f07abc8def0123456789ab'
const task = (more: object = {}) => ({
  id, state: 'done', livemode: false, model: 'nano-banana', prompt: 'a dog', outputs: [{ url: `${url}/files/one.png?sig=s`, mime: 'image/png', width: 4, height: 3 }],
  price: { micros: 39_000, usd: '0.039' }, cost: { micros: 39_000, usd: '0.039' }, warnings: [], problem: null, created_at: '2026-01-02T03:04:05.000Z', ...more,
})

interface Seen { method: string; path: string; body: string; headers: IncomingMessage['headers'] }
let seen: Seen[] = []
let answers: Record<string, (response: ServerResponse, request: Seen) => void> = {}
let url = ''
let cwd = ''
const server = createServer((request, response) => {
  const parts: Buffer[] = []
  request.on('data', (part: Buffer) => parts.push(part)).on('end', () => {
    const one = { method: request.method!, path: request.url!, body: Buffer.concat(parts).toString(), headers: request.headers }
    seen.push(one)
    const answer = answers[`${one.method} ${one.path.split('?')[0]!}`]
    if (answer) answer(response, one)
    else send(response, 404, { error: { code: 'not_found', message: 'There is nothing at this address.' } })
  })
})
const send = (response: ServerResponse, status: number, body: unknown) => {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}
const says = (status: number, body: () => unknown) => (response: ServerResponse) => send(response, status, body())

before(async () => {
  await new Promise<void>((resume) => { server.listen(0, '127.0.0.1', resume) })
  const address = server.address()
  assert.ok(address && typeof address === 'object')
  url = `http://127.0.0.1:${address.port}`
})
after(() => { server.closeAllConnections(); server.close() })
beforeEach(async (context) => {
  seen = []
  answers = {
    'POST /plantain/v1/tasks': says(201, () => task({ state: 'queued', outputs: [], cost: null })),
    [`GET /plantain/v1/tasks/${id}`]: says(200, () => task()),
    [`GET /plantain/v1/tasks/${id}/wait`]: says(200, () => task()),
    'GET /files/one.png': (response) => { response.writeHead(200, { 'content-type': 'image/png' }); response.end('PNG!') },
  }
  cwd = await mkdtemp(join(tmpdir(), 'plantain-cli-'))
  if ('after' in context) context.after(() => rm(cwd, { recursive: true, force: true }))
})
const call = (...words: string[]) => plantain(words, { cwd, env: { PLANTAIN_URL: url, PLANTAIN_KEY: 'sk-test-1' } })
const sent = () => JSON.parse(seen[0]!.body) as Record<string, unknown>

test('generate sends the order, saves the picture, shows its path and its cost', async () => {
  const { code, out, err } = await call('generate', 'a dog', '--model', 'nano-banana', '--aspect-ratio', '16:9', '--resolution', '2K', '--count', '2', '--seed', '7', '--format', 'jpg', '--param', 'style=oil', '--param', 'strength=0.5')
  assert.equal(code, 0, err)
  assert.deepEqual(sent(), { model: 'nano-banana', prompt: 'a dog', parameters: { aspect_ratio: '16:9', resolution: '2K', count: 2, seed: 7, output_format: 'jpeg', style: 'oil', strength: 0.5 } })
  assert.equal(seen[0]!.headers.authorization, 'Bearer sk-test-1')
  assert.match(String(seen[0]!.headers['idempotency-key']), /^[0-9a-f-]{36}$/)
  assert.equal(await readFile(join(cwd, 'nano-banana-456789ab-1.png'), 'utf8'), 'PNG!')
  assert.equal(out, `nano-banana-456789ab-1.png  4x3  4 B\nnano-banana-456789ab-1.png cost $0.039 of play money (test key), task ${id}\n`)
  assert.equal(err, '')
})

test('the link to a picture is followed without the key', async () => {
  await call('generate', 'a dog')
  assert.equal(seen.find(({ path }) => path.startsWith('/files/'))!.headers.authorization, undefined)
})

test('--json prints one document and nothing else', async () => {
  const { code, out, err } = await call('generate', 'a dog', '--json')
  const document = JSON.parse(out) as { id: string; files: string[] }
  assert.deepEqual([code, err, document.id, out.trim().split('\n').length], [0, '', id, 1])
  assert.equal(await readFile(document.files[0]!, 'utf8'), 'PNG!')
})

test('--no-wait prints the id and leaves', async () => {
  const { code, out, err } = await call('generate', 'a dog', '--no-wait')
  assert.deepEqual([code, out, seen.length], [0, `${id}\n`, 1])
  assert.match(err, new RegExp(`plantain task wait ${id}`))
})

test('--out takes a folder or a file', async () => {
  await call('generate', 'a dog', '--out', 'deep/folder')
  assert.deepEqual(await readdir(join(cwd, 'deep/folder')), ['nano-banana-456789ab-1.png'])
  await call('generate', 'a dog', '--out', 'my.png')
  assert.equal(await readFile(join(cwd, 'my.png'), 'utf8'), 'PNG!')
})

test('edit sends files as bytes and links as links, a mask by its role', async () => {
  await writeFile(join(cwd, 'photo.jpg'), 'JPG')
  await writeFile(join(cwd, 'mask.png'), 'MASK')
  const { code, err } = await call('edit', 'photo.jpg', 'https://pictures.example/b.png', 'swap them', '--mask', 'mask.png')
  assert.equal(code, 0, err)
  assert.deepEqual(sent(), {
    model: 'sandbox-1', prompt: 'swap them', parameters: {},
    inputs: [
      { data_url: `data:application/octet-stream;base64,${Buffer.from('JPG').toString('base64')}` },
      { url: 'https://pictures.example/b.png' },
      { data_url: `data:application/octet-stream;base64,${Buffer.from('MASK').toString('base64')}`, role: 'mask' },
    ],
  })
})

test('--operation says what a model of many trades is to do', async () => {
  await writeFile(join(cwd, 'photo.jpg'), 'JPG')
  await call('edit', 'photo.jpg', '', '--operation', 'upscale', '--param', 'factor=4')
  assert.deepEqual([sent().operation, sent().parameters], ['upscale', { factor: 4 }])
})

const ends = (what: string, status: number, body: unknown, expected: number, message: RegExp) => test(`${what} ends with ${expected}`, async () => {
  answers['POST /plantain/v1/tasks'] = says(status, () => body)
  const { code, out, err } = await call('generate', 'a dog')
  assert.deepEqual([code, out], [expected, ''])
  assert.match(err, message)
  assert.deepEqual(await readdir(cwd), [])
})
const error = (code: string, message: string) => ({ error: { code, message } })
ends('a refused parameter', 400, error('unsupported_parameter', 'resolution may be 1K.'), 2, /^unsupported_parameter: resolution may be 1K\.\n$/)
ends('an unknown model', 404, error('unknown_model', 'There is no model.'), 2, /unknown_model/)
ends('a wrong key', 401, error('unauthorized', 'This key is not known.'), 4, /unauthorized/)
ends('a key that may not', 403, error('forbidden', 'This key may not.'), 4, /forbidden/)
ends('too little credit', 402, error('credits_required', '$1 is needed.'), 5, /credits_required/)
ends('a server that is stopping', 503, error('shutting_down', 'Come back.'), 3, /shutting_down/)
ends('a server that broke', 500, error('internal', 'Something went wrong.'), 1, /internal/)
ends('an answer that is not ours', 200, '<h1>Welcome</h1>', 3, /is not Plantain's. Check --url/)
ends('text that would repaint the screen', 400, error('bad_request', 'a\u001b[2Jb'), 2, /^bad_request: a \[2Jb\n$/)

test('a task that failed ends with 1 and says why', async () => {
  answers[`GET /plantain/v1/tasks/${id}/wait`] = says(200, () => task({ state: 'failed', outputs: [], problem: { code: 'content_rejected', message: 'Word it differently.' } }))
  const plain = await call('generate', 'a dog')
  assert.deepEqual([plain.code, plain.out, plain.err], [1, '', 'content_rejected: Word it differently.\n'])
  const json = await call('generate', 'a dog', '--json')
  const document = JSON.parse(json.out) as { error: { code: string; task: { id: string } } }
  assert.deepEqual([json.code, document.error.code, document.error.task.id], [1, 'content_rejected', id])
})

test('a server that is not there ends with 3', async () => {
  const gone = createServer()
  await new Promise<void>((resume) => { gone.listen(0, '127.0.0.1', resume) })
  const address = gone.address()
  assert.ok(address && typeof address === 'object')
  await new Promise((resume) => { gone.close(resume) })
  const { code, err } = await call('generate', 'a dog', '--url', `http://127.0.0.1:${address.port}`)
  assert.equal(code, 3)
  assert.match(err, /does not answer .*Is the server up\?/)
})

test('a line that breaks while the order is sent is asked once more, with the same key', async () => {
  let calls = 0
  answers['POST /plantain/v1/tasks'] = (response) => calls++ === 0 ? void response.destroy() : send(response, 201, task())
  const { code, err } = await call('generate', 'a dog')
  assert.equal(code, 0, err)
  const keys = seen.filter(({ method }) => method === 'POST').map(({ headers }) => headers['idempotency-key'])
  assert.deepEqual([keys.length, new Set(keys).size], [2, 1])
})

test('a line that breaks while waiting is taken up again', async () => {
  let calls = 0
  answers[`GET /plantain/v1/tasks/${id}/wait`] = (response) => calls++ === 0 ? void response.destroy() : send(response, 200, task())
  assert.equal((await call('generate', 'a dog')).code, 0)
  assert.equal(calls, 2)
})

test('a picture that cannot be fetched or saved leaves nothing half', async () => {
  answers['GET /files/one.png'] = says(403, () => error('link_expired', 'Expired.'))
  const fetched = await call('generate', 'a dog')
  assert.equal(fetched.code, 1)
  assert.match(fetched.err, /could not be fetched \(HTTP 403\)/)
  answers['GET /files/one.png'] = (response) => { response.writeHead(200, { 'content-length': '100' }); response.write('half', () => response.destroy()) }
  assert.equal((await call('generate', 'a dog')).code, 1)
  assert.deepEqual(await readdir(cwd), [])
})

test('Ctrl-C while waiting says that the task goes on', async () => {
  let waiting: (() => void) | undefined
  const reached = new Promise<void>((resume) => { waiting = resume })
  answers[`GET /plantain/v1/tasks/${id}/wait`] = () => waiting!()
  const running = start(['generate', 'a dog'], { cwd, env: { PLANTAIN_URL: url, PLANTAIN_KEY: 'k' } })
  await reached
  running.child.kill('SIGINT')
  const { code, out, err } = await running.ended
  assert.deepEqual([code, out], [130, ''])
  assert.match(err, new RegExp(`The task goes on; fetch it with: plantain task wait ${id}`))
  assert.deepEqual(seen.map(({ method }) => method), ['POST', 'GET'])
})

test('the first key is found where the server keeps its data', async () => {
  await mkdir(join(cwd, 'data'))
  await writeFile(join(cwd, 'data/first-key.txt'), 'sk-test-first\n')
  await plantain(['generate', 'a dog', '--url', url], { cwd })
  assert.equal(seen[0]!.headers.authorization, 'Bearer sk-test-first')
  await plantain(['generate', 'a dog', '--url', url, '--key', 'sk-test-other'], { cwd })
  assert.equal(seen.findLast(({ method }) => method === 'POST')!.headers.authorization, 'Bearer sk-test-other')
})

const refuses = (what: string, words: string[], expected: number, message: RegExp) => test(`${what} asks nobody`, async () => {
  const { code, err } = await plantain(words, { cwd, env: { PLANTAIN_URL: url, ...(expected === 4 ? {} : { PLANTAIN_KEY: 'k' }) } })
  assert.deepEqual([code, seen.length], [expected, 0])
  assert.match(err, message)
})
refuses('no key', ['generate', 'a dog'], 4, /No key\. Give --key/)
refuses('no prompt', ['generate'], 2, /missing required argument 'prompt'/)
refuses('an unknown command', ['draw', 'a dog'], 2, /unknown command 'draw'/)
refuses('a count that is none', ['generate', 'a dog', '--count', 'two'], 2, /whole number from 1 to 100/)
refuses('a format that is none', ['generate', 'a dog', '--format', 'bmp'], 2, /png, jpeg, jpg, webp/)
refuses('a pair that is none', ['generate', 'a dog', '--param', 'style'], 2, /This takes name=value/)
refuses('an edit of nothing', ['edit', 'make it blue'], 2, /edit takes pictures/)
refuses('an edit of a file that is not there', ['edit', 'none.png', 'make it blue'], 2, /none\.png cannot be read \(ENOENT\)/)
refuses('an id that is none', ['task', 'get', 'abc'], 2, /no task id/)
refuses('an address that is none', ['models', '--url', 'localhost:7700'], 2, /is no address/)

test('task get shows a task', async () => {
  const { code, out } = await call('task', 'get', id)
  assert.equal(code, 0)
  assert.match(out, new RegExp(`task +${id}\nstate +done\nmodel +nano-banana\nprompt +a dog\ncost +\\$0\\.039\noutput +${url}/files/one\\.png\\?sig=s  image/png  4x3\n`))
  assert.deepEqual(JSON.parse((await call('task', 'get', id, '--json')).out), task())
})

test('task wait saves what was made', async () => {
  assert.equal((await call('task', 'wait', id)).code, 0)
  assert.deepEqual(await readdir(cwd), ['nano-banana-456789ab-1.png'])
})

test('task cancel says what was charged', async () => {
  answers[`POST /plantain/v1/tasks/${id}/cancel`] = says(200, () => task({ state: 'cancelled', cost: { micros: 0, usd: '0.00' } }))
  const { code, out } = await call('task', 'cancel', id)
  assert.deepEqual([code, out], [0, 'cancelled, charged $0.00\n'])
})

test('task list and models are tables', async () => {
  answers['GET /plantain/v1/tasks'] = says(200, () => ({ object: 'list', data: [task()], next: null }))
  answers['GET /plantain/v1/models'] = says(200, () => ({ object: 'list', data: [{ id: 'nano-banana', family: 'nano-banana', configured: true, operations: ['generate', 'edit'], prices: [{ price: { usd: '0.02' }, per: 'image' }], life: { state: 'active' } }] }))
  const tasks = await call('task', 'list', '--limit', '3', '--state', 'done')
  assert.match(tasks.out, new RegExp(`${id}  done   nano-banana  \\$0\\.039  2026-01-02 03:04:05  a dog\n`))
  assert.equal(seen[0]!.path, '/plantain/v1/tasks?limit=3&state=done')
  assert.match((await call('models')).out, /nano-banana {2}nano-banana {2}generate, edit {2}\$0\.02 per image {2}set up\n/)
})
