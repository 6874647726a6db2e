/** Kie's door through HTTP, the way its clients use it: pictures, edits, uploads, call backs, credits, and every way to be told no. */
import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import * as fc from 'fast-check'
import sharp from 'sharp'
import { modelsOf, readCreateTask } from '../src/protocols/kie/wire.ts'
import { testHouse, type TestHouse } from './kit/house.ts'
import { draws } from './kit/chance.ts'

interface Kie { code: number; msg: string; data: any; success?: boolean }
interface Answer extends Kie { status: number; headers: Headers; text: string }
type Ask = { key?: string | null; headers?: Record<string, string>; method?: string }

let house: TestHouse
/** The same house, but it may look into private addresses, and has somebody to talk to there. */
let open: TestHouse
const outside = await startOutside()

before(async () => {
  house = await testHouse({ settings: { ALLOW_PRIVATE_ADDRESSES: 'false' } })
  open = await testHouse()
})
after(async () => {
  await house?.close()
  await open?.close()
  await outside.close()
})

async function ask(at: TestHouse, path: string, body?: unknown, { key = at.testKey, headers = {}, method = body === undefined ? 'GET' : 'POST' }: Ask = {}): Promise<Answer> {
  const isRaw = typeof body === 'string' || body instanceof Uint8Array || body instanceof FormData
  const response = await fetch(at.url + path, {
    method,
    headers: { ...(key === null ? {} : { authorization: `Bearer ${key}` }), ...(body === undefined || body instanceof FormData ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: isRaw ? body as NonNullable<RequestInit['body']> : JSON.stringify(body) }),
  })
  const text = await response.text()
  const parsed = text.startsWith('{') ? JSON.parse(text) : {}
  return { ...parsed, status: response.status, headers: response.headers, text }
}

const create = (at: TestHouse, body: unknown, options: Ask = {}) => ask(at, '/api/v1/jobs/createTask', body, options)
const record = async (at: TestHouse, taskId: string, options: Ask = {}) => ask(at, `/api/v1/jobs/recordInfo?taskId=${taskId}`, undefined, options)

async function made(at: TestHouse, body: unknown, options: Ask = {}): Promise<{ taskId: string; data: any }> {
  const created = await create(at, body, options)
  assert.equal(created.code, 200, created.msg)
  return { taskId: created.data.taskId, data: await ended(at, created.data.taskId, options) }
}

async function ended(at: TestHouse, taskId: string, options: Ask = {}): Promise<any> {
  for (let looks = 0; looks < 2_400; looks++) {
    const { code, msg, data } = await record(at, taskId, options)
    assert.equal(code, 200, msg)
    if (data.state === 'success' || data.state === 'fail') return data
    assert.ok(['waiting', 'queuing', 'generating'].includes(data.state))
    await pause(50)
  }
  throw new Error('The task does not end.')
}

/** Everything that may not change when the answer is no. Looked at once everything under way has ended. */
const traces = async (at: TestHouse) => {
  for (let looks = 0; looks < 2_400; looks++) {
    const { rows } = await at.database.query("select 1 from task where state not in ('done', 'failed', 'cancelled') limit 1")
    if (rows.length === 0) break
    await pause(50)
  }
  const { rows } = await at.database.query<Record<string, number>>(`select
    (select count(*) from task)::int as tasks, (select count(*) from ledger)::int as rows, (select coalesce(sum(amount_micros), 0) from ledger)::bigint as money,
    (select count(*) from asset)::int as assets, (select count(*) from event)::int as events, (select count(*) from idempotency)::int as keys`)
  return rows[0]!
}

const photo = (width = 96, height = 64) => sharp({ create: { width, height, channels: 3, background: { r: 200, g: 60, b: 40 } } }).png().toBuffer()
const kite = { model: 'nano-banana-2', input: { prompt: 'a red kite over a grey sea', aspect_ratio: '16:9', resolution: '1K', output_format: 'png' } }

async function upload(at: TestHouse, bytes: Uint8Array, fields: [string, string][] = [['uploadPath', 'images/refs'], ['fileName', 'ref-1.png']], options: Ask = {}): Promise<Answer> {
  const form = new FormData()
  form.append('file', new Blob([new Uint8Array(bytes)]), 'local.png')
  for (const [name, text] of fields) form.append(name, text)
  return ask(at, '/api/file-stream-upload', form, options)
}

/** Somebody outside: shows pictures, hears call backs. */
async function startOutside() {
  const heard: { path: string; headers: IncomingMessage['headers']; body: string }[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    if (request.method === 'POST') {
      heard.push({ path: request.url!, headers: request.headers, body })
      return response.end('{"code":200}')
    }
    if (request.url === '/photo.png') return response.setHeader('content-type', 'image/png').end(await photo(120, 80))
    if (request.url === '/page') return response.setHeader('content-type', 'image/png').end('<html>no picture</html>')
    response.statusCode = 404
    response.end()
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url, heard,
    async hear(path: string) {
      for (let looks = 0; looks < 2_400; looks++) {
        const call = heard.find(one => one.path === path)
        if (call) return call
        await pause(50)
      }
      throw new Error(`Nobody called ${path}.`)
    },
    close: () => new Promise<void>(resolve => { server.closeAllConnections(); server.close(() => resolve()) }),
  }
}

// Pictures ------------------------------------------------------------------------------------------------------------

test('from a prompt to a picture, as a client of theirs would', async () => {
  const before = (await ask(house, '/api/v1/chat/credit')).data as number
  const created = await create(house, kite)
  assert.deepEqual([created.status, created.code, created.msg], [200, 200, 'success'])
  assert.match(created.data.taskId, /^[0-9a-f]{32}$/)
  assert.equal(created.data.recordId, created.data.taskId)

  const data = await ended(house, created.data.taskId)
  assert.deepEqual(Object.keys(data).slice(0, 11), ['taskId', 'model', 'state', 'param', 'resultJson', 'failCode', 'failMsg', 'costTime', 'completeTime', 'createTime', 'creditsConsumed'])
  assert.deepEqual([data.state, data.model, data.failCode, data.failMsg, data.creditsConsumed, data.successFlag], ['success', 'nano-banana-2', null, null, 8, 1])
  const param = JSON.parse(data.param)
  assert.deepEqual(JSON.parse(param.input), { ...kite.input, nsfw_checker: false })

  const { resultUrls } = JSON.parse(data.resultJson)
  assert.equal(resultUrls.length, 1)
  assert.match(new URL(resultUrls[0]).pathname, /\.png$/)
  const head = await fetch(resultUrls[0], { method: 'HEAD' })
  assert.deepEqual([head.status, head.headers.get('content-type')], [200, 'image/png'])
  const { width, height } = await sharp(Buffer.from(await (await fetch(resultUrls[0])).arrayBuffer())).metadata()
  assert.deepEqual([width, height], [1376, 768])

  const left = (await ask(house, '/api/v1/chat/credit')).data as number
  assert.ok(Math.abs(before - left - 8) < 1e-6, `${before} - ${left}`)
  assert.deepEqual(await house.audit(), [])

  const link = await ask(house, '/api/v1/common/download-url', { url: resultUrls[0] })
  assert.equal(link.code, 200)
  assert.equal((await fetch(link.data)).status, 200)
})

test('an uploaded photo is edited', async () => {
  const uploaded = await upload(house, await photo())
  assert.deepEqual([uploaded.status, uploaded.success, uploaded.code, uploaded.msg], [200, true, 200, 'File uploaded successfully'])
  const { fileName, filePath, downloadUrl, fileSize, mimeType, uploadedAt, success } = uploaded.data
  assert.deepEqual([success, fileName, mimeType, fileSize > 0], [true, 'ref-1.png', 'image/png', true])
  assert.match(filePath, /^kieai\/[^/]+\/images\/refs\/ref-1\.png$/)
  assert.ok(Math.abs(Date.parse(uploadedAt) - Date.now()) < 60_000)
  assert.equal((await fetch(downloadUrl)).headers.get('content-type'), 'image/png')

  const { data } = await made(house, { model: 'google/nano-banana-edit', input: { prompt: 'make it blue', image_urls: [downloadUrl], image_size: '3:2' } })
  assert.deepEqual([data.state, data.creditsConsumed], ['success', 4])
  // A link of ours is used as it is and not taken in again.
  const { rows } = await house.database.query<{ operation: string; inputs: { assetId: string }[] }>('select operation, inputs from task order by id desc limit 1')
  assert.equal(rows[0]!.operation, 'edit')
  assert.ok(downloadUrl.includes(rows[0]!.inputs[0]!.assetId.replaceAll('-', '')))
})

test('base64 uploads come bare and as a data URL, with a made-up name', async () => {
  const base64 = (await photo()).toString('base64')
  for (const base64Data of [base64, `data:image/png;base64,${base64}`]) {
    const { code, msg, data } = await ask(house, '/api/file-base64-upload', { base64Data, uploadPath: 'images' })
    assert.equal(code, 200, msg)
    assert.match(data.fileName, /^[0-9a-f]{32}\.png$/)
  }
})

test('a picture at an address goes in', async () => {
  const uploaded = await ask(open, '/api/file-url-upload', { fileUrl: `${outside.url}/photo.png`, uploadPath: 'images', fileName: 'theirs.png' })
  assert.equal(uploaded.data?.fileName, 'theirs.png', uploaded.msg)
  const { data } = await made(open, { model: 'nano-banana-pro', input: { prompt: 'more sky', image_input: [`${outside.url}/photo.png`] } })
  assert.deepEqual([data.state, data.creditsConsumed], ['success', 18])
})

const tool = (model: string, field: string, more: object, credits: number, size: [number, number] | null) => test(`${model} works on an upload`, async () => {
  const { data: { downloadUrl } } = await upload(house, await photo())
  const { data } = await made(house, { model, input: { [field]: downloadUrl, ...more } })
  assert.equal(data.state, 'success', data.failMsg)
  assert.equal(data.creditsConsumed, credits)
  const { width, height } = await sharp(Buffer.from(await (await fetch(JSON.parse(data.resultJson).resultUrls[0])).arrayBuffer())).metadata()
  if (size) assert.deepEqual([width, height], size)
})
tool('topaz/image-upscale', 'image_url', { upscale_factor: '4' }, 10, [384, 256])
tool('recraft/remove-background', 'image', {}, 1, [96, 64])
tool('recraft/crisp-upscale', 'image', {}, 0.5, null)

test('a film', async () => {
  const { data } = await made(house, { model: 'kling-2.6/text-to-video', input: { prompt: 'a red kite', aspect_ratio: '16:9', duration: '5', sound: false } })
  assert.equal(data.state, 'success', data.failMsg)
  assert.equal(data.creditsConsumed, 55)
  assert.equal((await fetch(JSON.parse(data.resultJson).resultUrls[0])).status, 200)
})

test('a withdrawn model still answers a test key, and is paused for a live one', async () => {
  const body = { model: 'sora-2-text-to-video', input: { prompt: 'a kite', aspect_ratio: 'portrait', n_frames: '10', upload_method: 's3' } }
  assert.equal((await create(house, body)).code, 200)
  const { code, msg } = await create(house, body, { key: house.liveKey })
  assert.deepEqual([code, msg], [500, 'This interface is temporarily paused.'])
})

test('a failed task says why and costs nothing', async () => {
  const before = (await ask(house, '/api/v1/chat/credit')).data
  const { data } = await made(house, { model: 'nano-banana-pro', input: { prompt: 'a kite sandbox:fail=501' } })
  assert.deepEqual([data.state, data.resultJson, data.creditsConsumed, data.failCode], ['fail', '', 0, '501'])
  assert.ok(data.failMsg.length > 5)
  assert.equal((await ask(house, '/api/v1/chat/credit')).data, before)
})

test('unknown fields never fail a request', async () => {
  const { taskId, data } = await made(house, { model: 'nano-banana-2', input: { ...kite.input, google_search: true, mood: 'calm', nsfw_checker: true }, progressCallBackUrl: 'https://app.example/p' })
  assert.equal(data.state, 'success')
  const { rows } = await house.database.query<{ warnings: string[] }>('select warnings from task where id = $1', [taskId])
  assert.match(rows[0]!.warnings.join(' '), /google_search, mood/)
  assert.match(rows[0]!.warnings.join(' '), /progressCallBackUrl/)
})

test('a task of another door is read here', async () => {
  const response = await fetch(`${house.url}/plantain/v1/tasks?wait=60`, {
    method: 'POST', headers: { authorization: `Bearer ${house.testKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'sandbox-1', prompt: 'a red kite', parameters: { resolution: '512', output_format: 'webp' } }),
  })
  const { id } = await response.json() as { id: string }
  const data = await ended(house, id)
  assert.deepEqual([data.state, data.model, data.creditsConsumed], ['success', 'sandbox-1', 0.2])
  assert.equal(JSON.parse(JSON.parse(data.param).input).prompt, 'a red kite')
  assert.match(new URL(JSON.parse(data.resultJson).resultUrls[0]).pathname, /\.webp$/)
})

test('a call back carries the id in all three places', async () => {
  const { taskId } = await made(open, { ...kite, callBackUrl: `${outside.url}/done` })
  const { body, headers } = await outside.hear('/done')
  const told = JSON.parse(body)
  assert.deepEqual([told.code, told.taskId, told.data.taskId, told.data.task_id, told.data.state], [200, taskId, taskId, taskId, 'success'])
  assert.match(headers['content-type']!, /application\/json/)
  assert.equal((await fetch(JSON.parse(told.data.resultJson).resultUrls[0])).status, 200)

  const failing = await made(open, { model: 'nano-banana-2', input: { prompt: 'a kite sandbox:fail=501' }, callBackUrl: `${outside.url}/failed` })
  const no = JSON.parse((await outside.hear('/failed')).body)
  assert.deepEqual([no.code, no.data.taskId, no.data.state, no.data.resultJson], [501, failing.taskId, 'fail', null])
})

test('the same Idempotency-Key makes one task, also with a picture from outside', async () => {
  const body = { model: 'nano-banana-2', input: { prompt: 'once', image_input: [`${outside.url}/photo.png`] } }
  const send = (prompt = 'once') => create(open, { ...body, input: { ...body.input, prompt } }, { headers: { 'idempotency-key': 'kie-once' } })
  const first = await send()
  assert.equal(first.code, 200, first.msg)
  const before = await traces(open)
  const again = await send()
  assert.deepEqual([again.code, again.data?.taskId], [200, first.data.taskId])
  assert.equal((await send('twice')).code, 422)
  assert.deepEqual(await traces(open), before)
})

test('the same picture is taken in once, however often it is named', async () => {
  const before = await traces(open)
  const { data } = await made(open, { model: 'nano-banana-2', input: { prompt: 'x', image_input: Array(3).fill(`${outside.url}/photo.png`) } })
  assert.equal(data.state, 'success')
  assert.equal((await traces(open)).assets, before.assets! + 2)
})

test('a key that asks too often is told when to come back; asking how a task stands does not count', async () => {
  const { testKey: key } = await house.newAccount({ limits: { requestsPerMinute: 1 } })
  const { data: { taskId } } = await create(house, kite, { key })
  const { status, code, headers } = await create(house, kite, { key })
  assert.deepEqual([status, code], [200, 429])
  assert.ok(Number(headers.get('retry-after')) > 0)
  assert.equal((await ended(house, taskId, { key })).state, 'success')
})

test('a wrong method is told in the body', async () => {
  const { status, code, headers } = await ask(house, '/api/v1/jobs/createTask')
  assert.deepEqual([status, code], [200, 405])
  assert.match(headers.get('allow')!, /POST/)
})

test('slashes too many in the configured base do no harm', async () => {
  assert.equal((await ask(house, '//api/v1/chat/credit/')).code, 200)
})

// Catalogue -----------------------------------------------------------------------------------------------------------

test('the catalogue lists what Kie calls them, filtered', async () => {
  const all = await ask(house, '/api/v1/models')
  assert.equal(all.data.total, all.data.models.length)
  const names = all.data.models.map((one: { model: string }) => one.model)
  for (const name of ['google/nano-banana', 'google/nano-banana-edit', 'nano-banana-2', 'nano-banana-pro', 'kling-2.6/text-to-video', 'topaz/image-upscale', 'sandbox-1']) assert.ok(names.includes(name), name)
  const films = await ask(house, '/api/v1/models?taskType=Text%20to%20Video,Image%20to%20Video&provider=kuaishou&q=kling')
  assert.ok(films.data.total > 2 && films.data.models.every((one: { model: string }) => one.model.startsWith('kling')))
  for (const name of names) {
    const { data } = await ask(house, `/api/v1/models/${name}/schema`)
    assert.equal(data.model, name)
    assert.ok(!JSON.stringify(data.openapi).includes('x-house'))
  }
  const { data } = await ask(house, '/api/v1/models/google/nano-banana-edit/price')
  assert.match(data.pricingDesc, /^4 credits/)
})
test('every value a schema of Kie\'s allows is one the card takes', () => {
  const { catalog } = house.house
  const url = 'https://pictures.example/a.png'
  const now = new Date()
  const asset = { id: '0'.repeat(32), projectId: '', livemode: false, kind: 'input' as const, sha256: '', mime: 'image/png', sizeBytes: 1, width: 100, height: 100, name: null, taskId: null, createdAt: now, expiresAt: null }
  let tried = 0
  for (const { card, name } of modelsOf(catalog.all())) {
    const properties = (name.input?.properties ?? {}) as Record<string, { enum?: unknown[]; type?: string; default?: unknown; minimum?: number }>
    const full: Record<string, unknown> = {}
    for (const [field, { enum: values, type, default: fallback, minimum }] of Object.entries(properties)) {
      if (field === 'prompt') full[field] = 'a kite'
      else if (name.fields?.[field]?.startsWith('inputs')) { if ((name.input!.required as string[]).includes(field)) full[field] = type === 'array' ? [url] : url }
      else if (values) full[field] = fallback ?? values[0]
      else if (type === 'boolean') full[field] = false
      else if ((type === 'integer' || type === 'number') && (name.input!.required as string[] | undefined)?.includes(field)) full[field] = fallback ?? minimum ?? 1
    }
    const take = (input: Record<string, unknown>) => {
      const { order, pictures } = readCreateTask({ model: name.id, input }, { find: () => ({ card, name }), livemode: false })
      const checked = catalog.check({ ...order, inputs: pictures.map(({ role }) => ({ assetId: asset.id, role })) }, pictures.map(() => asset), now, { livemode: false })
      assert.ok(checked.priceMicros > 0)
      tried++
    }
    if (Object.keys(properties).length > 0) take(full)
    for (const [field, { enum: values = [] }] of Object.entries(properties)) {
      const { aspect_ratio: _ratio, ...rest } = full
      for (const value of values) take(field === 'image_size' ? { ...rest, image_size: value } : { ...full, [field]: value })
    }
  }
  assert.ok(tried > 150, String(tried))
})
test('a model nobody sells has no schema', async () => {
  const { status, code, data } = await ask(house, '/api/v1/models/google/nano-apple/schema')
  assert.deepEqual([status, code, data], [200, 404, null])
})
test('without a key the catalogue says so, without data', async () => {
  const { status, code, text } = await ask(house, '/api/v1/models', undefined, { key: null })
  assert.deepEqual([status, code, text.includes('"data"')], [200, 401, false])
})
test('an address nobody knows answers in the words of their framework', async () => {
  for (const path of ['/api/v1/nope', '/api/v1/models/x/success-rate', '/api/v1/jobs']) {
    const { status, text } = await ask(house, path)
    assert.equal(status, 404, path)
    const body = JSON.parse(text)
    assert.deepEqual([body.status, body.error, body.message, body.path], [404, 'Not Found', 'No message available', path])
  }
})

// No ------------------------------------------------------------------------------------------------------------------

describe('bad input gets its code, costs nothing and leaves nothing', () => {
  const url = 'https://pictures.invalid/a.png'
  const edit = (image_urls: unknown) => ({ model: 'google/nano-banana-edit', input: { prompt: 'x', image_urls } })

  test('a picture behind an address is none, or is not there', async () => {
    for (const [path, code] of [['/page', 500], ['/missing.png', 451]] as const) {
      const before = await traces(open)
      const answer = await create(open, edit([`${outside.url}/photo.png`, `${outside.url}${path}`]))
      assert.equal(answer.code, code, answer.msg)
      assert.deepEqual(await traces(open), before)
    }
  })

  const foreign = async () => (await create(house, kite, { key: (await house.newAccount()).testKey })).data.taskId as string
  const records: [what: string, code: number, query: () => string | Promise<string>][] = [
    ['no id', 400, () => ''],
    ['an empty id', 400, () => '?taskId='],
    ['an id nobody has', 422, () => `?taskId=${'0'.repeat(32)}`],
    ['an id in their docs\' form', 422, () => '?taskId=task_nano-banana-2_1765178625768'],
    ['an id with SQL', 422, () => `?taskId=${encodeURIComponent("' or 1=1 --")}`],
    ['an id without end', 422, () => `?taskId=${'a'.repeat(5_000)}`],
    ['somebody else\'s task', 422, async () => `?taskId=${await foreign()}`],
    ['a task of the other mode', 422, async () => `?taskId=${await liveTask()}`],
  ]
  const liveTask = async () => {
    const { data, msg } = await create(house, { model: 'rehearsal-1', input: { prompt: 'x' } }, { key: house.liveKey })
    assert.ok(data, msg)
    return data.taskId as string
  }
  for (const [what, code, query] of records) {
    test(`recordInfo: ${what}`, async () => {
      const answer = await ask(house, `/api/v1/jobs/recordInfo${await query()}`)
      assert.deepEqual([answer.status, answer.code, answer.data], [200, code, null], answer.text)
      if (code === 422) assert.equal(answer.msg, 'recordInfo is null')
    })
  }

  for (const body of [{}, { url: 5 }, { url: 'https://elsewhere.example/a.png' }, { url: 'nowhere' }, [], null]) {
    test(`download-url: ${JSON.stringify(body)}`, async () => {
      const answer = await ask(house, '/api/v1/common/download-url', body)
      assert.deepEqual([answer.status, answer.code, answer.msg, answer.data], [200, 422, 'url is wrong', null])
    })
  }

  const png = photo()
  const uploads: [what: string, status: number, msg: RegExp, send: () => Promise<Answer>][] = [
    ['base64 without a path', 400, /Missing required parameter: uploadPath/, async () => ask(house, '/api/file-base64-upload', { base64Data: 'aGk=' })],
    ['base64 without data', 400, /Missing required parameter: base64Data/, async () => ask(house, '/api/file-base64-upload', { uploadPath: 'a' })],
    ['base64 that is none', 400, /Invalid Base64 format/, async () => ask(house, '/api/file-base64-upload', { uploadPath: 'a', base64Data: '§§§' })],
    ['base64 that is no picture', 400, /./, async () => ask(house, '/api/file-base64-upload', { uploadPath: 'a', base64Data: 'aGVsbG8=' })],
    ['a page that says it is a picture', 400, /./, async () => ask(house, '/api/file-base64-upload', { uploadPath: 'a', base64Data: `data:image/png;base64,${btoa('<svg onload=alert(1)>')}` })],
    ['a path that climbs', 400, /uploadPath/, async () => ask(house, '/api/file-base64-upload', { uploadPath: '../../etc', base64Data: (await png).toString('base64') })],
    ['a name that climbs', 400, /fileName/, async () => ask(house, '/api/file-base64-upload', { uploadPath: 'a', fileName: '../x.png', base64Data: (await png).toString('base64') })],
    ['a list', 400, /./, async () => ask(house, '/api/file-base64-upload', [])],
    ['an address without a path', 400, /uploadPath/, async () => ask(house, '/api/file-url-upload', { fileUrl: 'https://pictures.invalid/a.png' })],
    ['no address', 400, /fileUrl/, async () => ask(house, '/api/file-url-upload', { uploadPath: 'a' })],
    ['an address of another scheme', 400, /fileUrl/, async () => ask(house, '/api/file-url-upload', { uploadPath: 'a', fileUrl: 'file:///etc/passwd' })],
    ['a private address', 400, /./, async () => ask(house, '/api/file-url-upload', { uploadPath: 'a', fileUrl: 'http://127.0.0.1/a.png' })],
    ['a form without a path', 400, /uploadPath/, async () => upload(house, await png, [])],
    ['a form without a file', 400, /Missing required parameter: file/, async () => { const form = new FormData(); form.append('uploadPath', 'a'); return ask(house, '/api/file-stream-upload', form) }],
    ['a form whose file is no picture', 400, /./, async () => upload(house, Buffer.from('hello'))],
    ['a form whose file is empty', 400, /./, async () => upload(house, Buffer.alloc(0))],
    ['half a picture', 400, /./, async () => upload(house, (await png).subarray(0, 60))],
    ['JSON where a form is wanted', 400, /multipart/, async () => ask(house, '/api/file-stream-upload', {})],
    ['a form without a boundary', 400, /./, async () => ask(house, '/api/file-stream-upload', 'x', { headers: { 'content-type': 'multipart/form-data' } })],
    ['no key', 401, /Authentication failed/, async () => upload(house, await png, undefined, { key: null })],
    ['a key that may not', 401, /permission/, async () => upload(house, await png, undefined, { key: (await house.newAccount({ scopes: ['tasks:read'] })).testKey })],
    ['another method', 405, /./, async () => ask(house, '/api/file-stream-upload')],
  ]
  for (const [what, status, msg, send] of uploads) {
    test(`upload: ${what}`, async () => {
      const before = await assets()
      const answer = await send()
      assert.deepEqual([answer.status, answer.code, answer.success], [status, status, false], answer.text)
      assert.match(answer.msg, msg)
      assert.equal(await assets(), before)
    })
  }
  const assets = async () => (await traces(house)).assets

  test('whatever is sent, nothing breaks, and what is refused leaves nothing', async () => {
    const value = fc.oneof(fc.string({ maxLength: 20 }), fc.integer(), fc.double(), fc.boolean(), fc.constant(null), fc.constantFrom('auto', '1:1', '4K', 'png', '5', url, 'http://127.0.0.1/'), fc.array(fc.constantFrom(url, '', 'x', 5, null), { maxLength: 3 }), fc.object({ maxDepth: 2 }))
    const model = fc.oneof(fc.constantFrom('nano-banana-2', 'google/nano-banana', 'google/nano-banana-edit', 'nano-banana-pro', 'kling-2.6/text-to-video', 'kling-3.0/video', 'topaz/image-upscale', 'sandbox-1', 'sora-2-text-to-video'), value)
    const fields = fc.dictionary(fc.constantFrom('prompt', 'aspect_ratio', 'resolution', 'output_format', 'image_input', 'image_urls', 'image_url', 'duration', 'sound', 'seed', 'mode', 'upscale_factor', 'nsfw_checker', '__proto__', 'constructor'), value, { maxKeys: 8 })
    const bodies = fc.oneof({ weight: 8, arbitrary: fc.record({ model, input: fc.oneof({ weight: 6, arbitrary: fields }, { weight: 1, arbitrary: value }), callBackUrl: value }, { requiredKeys: [] }) }, { weight: 1, arbitrary: fc.anything() })
    const { testKey: key } = await house.newAccount({ testDollars: 0 })
    await fc.assert(fc.asyncProperty(bodies, async body => {
      const before = await traces(house)
      const answer = await create(house, JSON.stringify(body) ?? '', { key })
      assert.equal(answer.status, 200, answer.text)
      assert.ok([400, 402, 422, 451, 500].includes(answer.code), answer.text)
      assert.notEqual(answer.msg, 'Server exception, please try again later')
      assert.deepEqual(await traces(house), before)
    }), draws(200))
  })

  test('the books add up in the end', async () => {
    assert.deepEqual(await house.audit(), [])
    assert.deepEqual(await open.audit(), [])
  })
})
