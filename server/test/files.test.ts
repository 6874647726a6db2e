/** Files at the OpenAI, Gemini and Anthropic doors, through their clients unmodified: sent in, listed, read back, used as inputs, removed, and every way to be told no. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import Anthropic, { NotFoundError as AnthropicNotFound } from '@anthropic-ai/sdk'
import { ApiError, createPartFromUri, GoogleGenAI } from '@google/genai'
import OpenAI, { APIError, BadRequestError, NotFoundError, PermissionDeniedError, toFile } from 'openai'
import sharp from 'sharp'
import { testHouse, type TestHouse } from './kit/house.ts'

let house: TestHouse
let folder = ''
let openai: OpenAI
let google: GoogleGenAI
let anthropic: Anthropic
const bytesMax = 3_000_000

before(async () => {
  [house, folder] = await Promise.all([testHouse({ settings: { FILE_BYTES_MAX: String(bytesMax) } }), mkdtemp(join(tmpdir(), 'plantain-files-'))])
  openai = openaiFor(house.testKey)
  google = googleFor(house.testKey)
  anthropic = new Anthropic({ apiKey: house.testKey, baseURL: house.url, maxRetries: 0 })
})
after(async () => {
  await house?.close()
  await rm(folder, { recursive: true, force: true })
})

const openaiFor = (apiKey: string) => new OpenAI({ apiKey, baseURL: `${house.url}/v1`, maxRetries: 0 })
const googleFor = (apiKey: string) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl: house.url } })

const photo = (width = 96, height = 64) => sharp({ create: { width, height, channels: 3, background: '#c83c28' } }).png().toBuffer()
const pngFile = async (name = 'photo.png') => toFile(await photo(), name, { type: 'image/png' })
async function measure(bytes: Uint8Array): Promise<string> {
  const { width, height, format } = await sharp(bytes).metadata()
  return `${width}x${height} ${format}`
}
const count = async (table: string) => (await house.database.query<{ count: number }>(`select count(*)::int as count from ${table}`)).rows[0]!.count

interface Answer { status: number; headers: Headers; bytes: Buffer; body: any }
async function ask(method: string, path: string, { headers = {}, body, key = house.testKey }: { headers?: Record<string, string>; body?: NonNullable<RequestInit['body']>; key?: string | null } = {}): Promise<Answer> {
  const response = await fetch(path.startsWith('http') ? path : house.url + path, { method, headers: { ...(key === null ? {} : { authorization: `Bearer ${key}` }), ...headers }, ...(body === undefined ? {} : { body }) })
  const bytes = Buffer.from(await response.arrayBuffer())
  let parsed: unknown = null
  try { parsed = JSON.parse(bytes.toString()) } catch { /* Bytes of a file. */ }
  return { status: response.status, headers: response.headers, bytes, body: parsed }
}

// OpenAI --------------------------------------------------------------------------------------------------------------

describe('openai', () => {
  test('a file of lines comes in, is told of, read back and removed', async () => {
    const lines = '{"custom_id":"a"}\n{"custom_id":"b"}\n'
    await writeFile(join(folder, 'jobs.jsonl'), lines)
    const file = await openai.files.create({ file: await toFile(Buffer.from(lines), 'jobs.jsonl'), purpose: 'batch' })
    assert.match(file.id, /^file-[0-9a-f]{32}$/)
    assert.deepEqual([file.object, file.bytes, file.filename, file.purpose, file.status], ['file', lines.length, 'jobs.jsonl', 'batch', 'processed'])
    assert.equal(file.expires_at! - file.created_at, 30 * 86_400)
    assert.deepEqual(await openai.files.retrieve(file.id), file)
    assert.equal(await (await openai.files.content(file.id)).text(), lines)
    assert.deepEqual(await openai.files.delete(file.id), { id: file.id, object: 'file', deleted: true })
    await assert.rejects(openai.files.retrieve(file.id), (error: unknown) => error instanceof NotFoundError && error.type === 'invalid_request_error' && error.param === 'id')
    await assert.rejects(openai.files.content(file.id), NotFoundError)
    await assert.rejects(openai.files.delete(file.id), NotFoundError)
  })

  test('it may say when it is to go', async () => {
    const file = await openai.files.create({ file: await pngFile(), purpose: 'user_data', expires_after: { anchor: 'created_at', seconds: 3_600 } })
    assert.equal(file.expires_at! - file.created_at, 3_600)
    await house.database.query(`update file set expires_at = now() where id = $1`, [file.id.slice(5)])
    await house.database.query(`update asset set expires_at = now() where id = $1`, [file.id.slice(5)])
    await assert.rejects(openai.files.retrieve(file.id), NotFoundError)
    await house.house.collect({ graceMs: 0 })
    assert.equal((await house.database.query('select from file where id = $1', [file.id.slice(5)])).rowCount, 0)
  })

  test('a list is paged in both orders, and by purpose', async () => {
    const { testKey } = await house.newAccount()
    const other = openaiFor(testKey)
    const made: string[] = []
    for (const [index, purpose] of (['vision', 'batch', 'user_data', 'vision', 'assistants'] as const).entries()) made.push((await other.files.create({ file: await pngFile(`${index}.png`), purpose })).id)
    const seen: string[] = []
    for await (const file of other.files.list({ limit: 2 })) seen.push(file.id)
    assert.deepEqual(seen, made.toReversed())
    const upward: string[] = []
    for await (const file of other.files.list({ limit: 2, order: 'asc' })) upward.push(file.id)
    assert.deepEqual(upward, made)
    assert.deepEqual((await other.files.list({ purpose: 'vision' })).data.map(file => file.id), [made[3], made[0]])
    const page = await other.files.list({ limit: 2 })
    assert.equal(page.has_more, true)
  })

  test('a picture that was uploaded is an input: of edits as JSON, and of responses', async () => {
    const { id } = await openai.files.create({ file: await pngFile(), purpose: 'vision' })
    const edited = await ask('POST', '/v1/images/edits', { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ model: 'gpt-image-2', prompt: 'make it blue', size: '256x256', quality: 'low', images: [{ file_id: id }] }) })
    assert.equal(edited.status, 200, edited.bytes.toString().slice(0, 300))
    assert.equal(await measure(Buffer.from(edited.body.data[0].b64_json, 'base64')), '256x256 png')
    const response = await openai.responses.create({
      model: 'gpt-5.5', tools: [{ type: 'image_generation', size: '256x256' as never, quality: 'low' }],
      input: [{ role: 'user', content: [{ type: 'input_text', text: 'in winter' }, { type: 'input_image', file_id: id, detail: 'auto' }] }],
    })
    const call = response.output.find(item => item.type === 'image_generation_call')
    assert.equal(await measure(Buffer.from(call!.result!, 'base64')), '256x256 png')
    const { rows: [task] } = await house.database.query<{ inputs: { assetId: string }[] }>('select inputs from task order by id desc limit 1')
    assert.deepEqual(task!.inputs.map(input => `file-${input.assetId}`), [id])
  })

  test('what a task made can be read as a file', async () => {
    const { response } = await openai.images.generate({ model: 'gpt-image-2', prompt: 'a boat', size: '256x256' as never, quality: 'low' }).withResponse()
    const { outputs: [output] } = (await ask('GET', `/plantain/v1/tasks/${response.headers.get('x-task-id')}`)).body
    const file = await openai.files.retrieve(`file-${output.id}`)
    assert.equal(file.purpose, 'vision')
    assert.equal(await measure(Buffer.from(await (await openai.files.content(file.id)).arrayBuffer())), '256x256 png')
  })

  test('a file that a task is working with is not removed', async () => {
    const { id } = await openai.files.create({ file: await pngFile(), purpose: 'vision' })
    const started = await ask('POST', '/plantain/v1/tasks', { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ model: 'gpt-image-2', prompt: 'x sandbox:slow=20s', inputs: [{ asset: id.slice(5) }] }) })
    assert.equal(started.status, 202, started.bytes.toString())
    await assert.rejects(openai.files.delete(id), (error: unknown) => error instanceof BadRequestError && error.code === 'conflict')
    assert.equal((await openai.files.retrieve(id)).id, id)
    await ask('POST', `/plantain/v1/tasks/${started.body.id}/cancel`)
    await openai.files.delete(id)
  })

  test('nobody sees the files of others, nor those of the other mode', async () => {
    const { id } = await openai.files.create({ file: await pngFile(), purpose: 'vision' })
    const { testKey } = await house.newAccount()
    for (const other of [openaiFor(testKey), openaiFor(house.liveKey)]) {
      await assert.rejects(other.files.retrieve(id), NotFoundError)
      await assert.rejects(other.files.content(id), NotFoundError)
      await assert.rejects(other.files.delete(id), NotFoundError)
    }
    const { testKey: reader } = await house.newAccount({ scopes: ['assets:read'] })
    await assert.rejects(openaiFor(reader).files.create({ file: await pngFile(), purpose: 'vision' }), PermissionDeniedError)
  })

  test('in parts that come side by side, in an order said at the end', async () => {
    const bytes = randomBytes(900_000)
    const upload = await openai.uploads.create({ bytes: bytes.length, filename: 'large.bin', mime_type: 'application/x-large', purpose: 'user_data' })
    assert.match(upload.id, /^upload_[A-Za-z0-9]{30}$/)
    assert.deepEqual([upload.object, upload.bytes, upload.filename, upload.purpose, upload.status, upload.file], ['upload', bytes.length, 'large.bin', 'user_data', 'pending', null])
    assert.ok(upload.expires_at > upload.created_at)
    const pieces = [bytes.subarray(0, 300_000), bytes.subarray(300_000, 300_001), bytes.subarray(300_001)]
    const add = async (piece: Buffer) => openai.uploads.parts.create(upload.id, { data: await toFile(piece, 'part') })
    // Backwards, all at once, and one of them twice: its answer may have been lost.
    const [third, second, first, again] = await Promise.all([...pieces.toReversed(), pieces[0]!].map(add))
    assert.deepEqual([first!.object, first!.upload_id, new Set([first!.id, second!.id, third!.id, again!.id]).size], ['upload.part', upload.id, 4])
    const order = { part_ids: [first!.id, second!.id, third!.id], md5: createHash('md5').update(bytes).digest('hex') }
    const [done, beside] = await Promise.all([openai.uploads.complete(upload.id, order), openai.uploads.complete(upload.id, order)])
    assert.deepEqual([done.status, done.file?.bytes, done.file?.filename, done.file?.status], ['completed', bytes.length, 'large.bin', 'processed'])
    assert.deepEqual(beside.file, done.file, 'whoever asks for the end twice is given one file')
    assert.deepEqual((await openai.uploads.complete(upload.id, order)).file, done.file)
    assert.ok(Buffer.from(await (await openai.files.content(done.file!.id)).arrayBuffer()).equals(bytes))
    assert.equal((await openai.files.list({ purpose: 'user_data' })).data.filter(file => file.filename === 'large.bin').length, 1)
    const conflicts = (error: unknown) => error instanceof BadRequestError && error.code === 'conflict'
    await assert.rejects(add(pieces[0]!), conflicts)
    await assert.rejects(openai.uploads.cancel(upload.id), conflicts)
  })

  test('a picture in parts is an input, and goes when it was said to', async () => {
    const png = await photo()
    const upload = await openai.uploads.create({ bytes: png.length, filename: 'photo.png', mime_type: 'image/png', purpose: 'vision', expires_after: { anchor: 'created_at', seconds: 3_600 } })
    const part = await openai.uploads.parts.create(upload.id, { data: await toFile(png, 'part') })
    const { file } = await openai.uploads.complete(upload.id, { part_ids: [part.id] })
    assert.equal(file!.expires_at! - file!.created_at, 3_600)
    const edited = await ask('POST', '/v1/images/edits', { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ model: 'gpt-image-2', prompt: 'make it blue', size: '256x256', quality: 'low', images: [{ file_id: file!.id }] }) })
    assert.equal(edited.status, 200, edited.bytes.toString().slice(0, 300))
  })

  test('an upload in parts that does not keep its word becomes no file, and can still be put right', async () => {
    const upload = await openai.uploads.create({ bytes: 6, filename: 'lines.jsonl', mime_type: 'application/jsonl', purpose: 'batch' })
    const add = async (text: string) => (await openai.uploads.parts.create(upload.id, { data: await toFile(Buffer.from(text), 'part') })).id
    const [first, second] = [await add('{"a"'), await add(':1')]
    const other = await openai.uploads.create({ bytes: 1, filename: 'x', mime_type: 'text/plain', purpose: 'batch' })
    const foreign = (await openai.uploads.parts.create(other.id, { data: await toFile(Buffer.from('x'), 'part') })).id
    const before = await count('file')
    const refused = async (body: OpenAI.UploadCompleteParams, param: string) => assert.rejects(openai.uploads.complete(upload.id, body), (error: unknown) => error instanceof BadRequestError && error.param === param)
    await refused({ part_ids: [] }, 'part_ids')
    await refused({ part_ids: [first] }, 'part_ids')
    await refused({ part_ids: [first, first] }, 'part_ids')
    await refused({ part_ids: [first, foreign] }, 'part_ids[1]')
    await refused({ part_ids: [first, `part_${upload.id.slice(7)}zz`] }, 'part_ids')
    await refused({ part_ids: [first, 'part_0'] }, 'part_ids[1]')
    await refused({ part_ids: [first, second], md5: '0'.repeat(32) }, 'md5')
    await refused({ part_ids: [first, second], md5: 'short' }, 'md5')
    await assert.rejects(openai.uploads.parts.create(upload.id, { data: await toFile(Buffer.alloc(13), 'part') }), (error: unknown) => error instanceof APIError && error.status === 413)
    assert.equal(await count('file'), before)
    const { testKey } = await house.newAccount()
    for (const stranger of [openaiFor(testKey), openaiFor(house.liveKey)]) {
      await assert.rejects(stranger.uploads.complete(upload.id, { part_ids: [first, second] }), NotFoundError)
      await assert.rejects(stranger.uploads.cancel(upload.id), NotFoundError)
      await assert.rejects(stranger.uploads.parts.create(upload.id, { data: await toFile(Buffer.from('x'), 'part') }), NotFoundError)
    }
    const { file } = await openai.uploads.complete(upload.id, { part_ids: [first, second] })
    assert.equal(await (await openai.files.content(file!.id)).text(), '{"a":1')
    assert.deepEqual([(await openai.uploads.cancel(other.id)).status, (await house.database.query('select 1 from upload where id = $1', [other.id.slice(7)])).rowCount], ['cancelled', 0])
    await assert.rejects(openai.uploads.cancel(other.id), NotFoundError)
  })

  test('a file too large is refused while it comes', async () => {
    await assert.rejects(openai.files.create({ file: await toFile(randomBytes(bytesMax + 1), 'big.jsonl'), purpose: 'batch' }), (error: { status?: number }) => error.status === 413)
  })
})

// Gemini --------------------------------------------------------------------------------------------------------------

describe('@google/genai', () => {
  test('upload, get, list, use, download, delete', async () => {
    const bytes = await photo()
    await writeFile(join(folder, 'ref.png'), bytes)
    const file = await google.files.upload({ file: join(folder, 'ref.png'), config: { displayName: 'ref' } })
    assert.match(file.name!, /^files\/[0-9a-f]{32}$/)
    assert.deepEqual([file.displayName, file.mimeType, file.sizeBytes, file.state, file.source], ['ref', 'image/png', String(bytes.length), 'ACTIVE', 'UPLOADED'])
    assert.equal(file.sha256Hash, createHash('sha256').update(bytes).digest('base64'))
    assert.equal(Math.round((Date.parse(file.expirationTime!) - Date.parse(file.createTime!)) / 60_000), 48 * 60)
    assert.equal((await google.files.get({ name: file.name! })).uri, file.uri)
    const listed: (string | undefined)[] = []
    for await (const one of await google.files.list({ config: { pageSize: 2 } })) listed.push(one.name)
    assert.ok(listed.includes(file.name))
    const { candidates } = await google.models.generateContent({
      model: 'gemini-3.1-flash-image', contents: ['give it a red scarf', createPartFromUri(file.uri!, file.mimeType!)], config: { imageConfig: { imageSize: '512' } },
    })
    const picture = candidates![0]!.content!.parts!.find(part => part.inlineData)!
    assert.equal(await measure(Buffer.from(picture.inlineData!.data!, 'base64')), '632x424 png')
    await google.files.download({ file: file.name!, downloadPath: join(folder, 'back.png') })
    assert.deepEqual(await readFile(join(folder, 'back.png')), bytes)
    assert.deepEqual(await google.files.delete({ name: file.name! }).then(answer => answer.sdkHttpResponse !== undefined), true)
    await assert.rejects(google.files.get({ name: file.name! }), (error: unknown) => error instanceof ApiError && error.status === 404)
  })

  test('a blob, and bytes that are no picture', async () => {
    const file = await google.files.upload({ file: new Blob(['{"key":"a"}\n']), config: { mimeType: 'application/jsonl', displayName: 'rows.jsonl' } })
    assert.deepEqual([file.mimeType, file.sizeBytes], ['application/jsonl', '12'])
    const refused = await ask('POST', '/v1beta/models/gemini-3.1-flash-image:generateContent', { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ contents: [{ parts: [{ text: 'x' }, { fileData: { fileUri: file.uri } }] }] }) })
    assert.equal(refused.status, 400)
    assert.match(refused.body.error.message, /application\/jsonl and no picture/)
  })

  const begin = async (headers: Record<string, string> = {}, about: unknown = { file: { displayName: 'parts', mimeType: 'application/octet-stream' } }) => {
    const answer = await ask('POST', '/upload/v1beta/files', { headers: { 'x-goog-upload-protocol': 'resumable', 'x-goog-upload-command': 'start', 'content-type': 'application/json', ...headers }, body: JSON.stringify(about) })
    assert.equal(answer.status, 200, answer.bytes.toString())
    return answer.headers.get('x-goog-upload-url')!
  }
  /** Without a key, as the AI SDK sends it. */
  const send = (url: string, command: string, offset: number | null, body: Buffer = Buffer.alloc(0)) =>
    ask('POST', url, { key: null, headers: { 'x-goog-upload-command': command, ...(offset === null ? {} : { 'x-goog-upload-offset': String(offset) }) }, body: new Uint8Array(body) })

  test('in parts, with a question in between and a part sent twice', async () => {
    const bytes = randomBytes(700_000)
    const url = await begin({ 'x-goog-upload-header-content-length': '700000' })
    const first = await send(url, 'upload', 0, bytes.subarray(0, 300_000))
    assert.deepEqual([first.status, first.headers.get('x-goog-upload-status')], [200, 'active'])
    const again = await send(url, 'upload', 0, bytes.subarray(0, 300_000))
    assert.equal(again.status, 409)
    const asked = await send(url, 'query', null)
    assert.deepEqual([asked.headers.get('x-goog-upload-status'), asked.headers.get('x-goog-upload-size-received')], ['active', '300000'])
    await send(url, 'upload', 300_000, bytes.subarray(300_000, 500_000))
    const last = await send(url, 'upload, finalize', 500_000, bytes.subarray(500_000))
    assert.deepEqual([last.status, last.headers.get('x-goog-upload-status'), last.body.file.sizeBytes], [200, 'final', '700000'])
    // The answer may get lost: it is given again.
    const repeated = await send(url, 'upload, finalize', 500_000, bytes.subarray(500_000))
    assert.equal(repeated.body.file.name, last.body.file.name)
    const back = await ask('GET', `/v1beta/${last.body.file.name}:download?alt=media`)
    assert.ok(back.bytes.equals(bytes))
    // Neither parts nor what was staged for them stays behind.
    assert.equal(await count('upload_part'), 0)
  })

  test('in one request: raw, and as multipart/related', async () => {
    const bytes = await photo(40, 30)
    const raw = await ask('POST', '/upload/v1beta/files', { headers: { 'x-goog-upload-protocol': 'raw', 'content-type': 'image/png', 'x-goog-upload-file-name': 'raw.png' }, body: new Uint8Array(bytes) })
    assert.deepEqual([raw.status, raw.body.file.mimeType, raw.body.file.displayName], [200, 'image/png', 'raw.png'])
    const related = Buffer.concat([Buffer.from('--xyz\r\ncontent-type: application/json\r\n\r\n{"file":{"display_name":"two"}}\r\n--xyz\r\ncontent-type: image/png\r\n\r\n'), bytes, Buffer.from('\r\n--xyz--\r\n')])
    const both = await ask('POST', '/upload/v1beta/files', { headers: { 'x-goog-upload-protocol': 'multipart', 'content-type': 'multipart/related; boundary=xyz' }, body: new Uint8Array(related) })
    assert.deepEqual([both.status, both.body.file?.displayName, both.body.file?.sizeBytes], [200, 'two', String(bytes.length)], both.bytes.toString())
    assert.equal(both.body.file.sha256Hash, raw.body.file.sha256Hash)
  })

  test('an upload can be given up', async () => {
    const url = await begin()
    await send(url, 'upload', 0, Buffer.from('abc'))
    assert.equal((await send(url, 'cancel', null)).headers.get('x-goog-upload-status'), 'cancelled')
    assert.equal((await send(url, 'query', null)).status, 404)
  })

  test('an upload that does not keep its word is refused, and can still be put right', async () => {
    const url = await begin({ 'x-goog-upload-header-content-length': '10' })
    assert.equal((await send(url, 'upload, finalize', 0, Buffer.from('12345'))).status, 400)
    assert.equal((await send(url, 'upload', 0, Buffer.from('123456789012'))).status, 400)
    assert.equal((await send(url, 'upload, finalize', 0, Buffer.from('1234567890'))).body.file.sizeBytes, '10')
  })

  test('files that lie with Google are refused in plain words', async () => {
    const before = await count('task')
    const answer = await ask('POST', '/v1beta/models/gemini-3.1-flash-image:generateContent', { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ contents: [{ parts: [{ text: 'x' }, { fileData: { fileUri: 'https://generativelanguage.googleapis.com/v1beta/files/abc123', mimeType: 'image/png' } }] }] }) })
    assert.equal(answer.status, 400)
    assert.match(answer.body.error.message, /lie with Google cannot be read from here/)
    assert.equal(await count('task'), before)
  })
})

// Anthropic -----------------------------------------------------------------------------------------------------------

describe('@anthropic-ai/sdk', () => {
  test('upload, metadata, list, use, download, delete', async () => {
    const bytes = await photo()
    const file = await anthropic.files.upload({ file: await toFile(bytes, 'photo.png', { type: 'image/png' }) })
    assert.match(file.id, /^file_[0-9a-f]{32}$/)
    assert.deepEqual([file.type, file.filename, file.mime_type, file.size_bytes], ['file', 'photo.png', 'image/png', bytes.length])
    assert.deepEqual(await anthropic.files.retrieveMetadata(file.id), file)
    assert.deepEqual(Buffer.from(await (await anthropic.files.download(file.id)).arrayBuffer()), bytes)
    const message = await anthropic.messages.create({
      model: 'gemini-3.1-flash-image', max_tokens: 1_000, image: { size: '512' },
      messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'file', file_id: file.id } }, { type: 'text', text: 'at night' }] }],
    } as Anthropic.MessageCreateParamsNonStreaming)
    const block = (message.content as unknown as { type: string; source: { data: string } }[]).find(one => one.type === 'image')!
    assert.equal((await measure(Buffer.from(block.source.data, 'base64'))).split(' ')[1], 'png')
    const deleted = await anthropic.files.delete(file.id)
    assert.deepEqual([deleted.id, deleted.type], [file.id, 'file_deleted'])
    await assert.rejects(anthropic.files.retrieveMetadata(file.id), AnthropicNotFound)
  })

  test('a list goes on to its end, and beta clients find what they page by', async () => {
    const { testKey } = await house.newAccount()
    const other = new Anthropic({ apiKey: testKey, baseURL: house.url, maxRetries: 0 })
    const made: string[] = []
    for (let index = 0; index < 3; index++) made.push((await other.files.upload({ file: await toFile(Buffer.from(`file ${index}`), `${index}.txt`) })).id)
    const seen: string[] = []
    for await (const file of other.files.list({ limit: 2 })) seen.push(file.id)
    assert.deepEqual(seen, made.toReversed())
    const { body } = await ask('GET', '/v1/files?limit=2', { key: testKey, headers: { 'anthropic-version': '2023-06-01' } })
    assert.deepEqual([body.has_more, body.first_id, body.last_id], [true, made[2], made[1]])
  })
})

// Told no -------------------------------------------------------------------------------------------------------------

const form = (parts: Record<string, string | Blob>): FormData => {
  const made = new FormData()
  for (const [name, value] of Object.entries(parts)) {
    if (typeof value === 'string') made.append(name, value)
    else made.append(name, value, 'a.txt')
  }
  return made
}
const some = () => new Blob(['hello'])
const id = '0193f1c2a4b57c3d8e9f001122334455'
const asAnthropic = { 'anthropic-version': '2023-06-01' }
const start = { 'x-goog-upload-protocol': 'resumable', 'x-goog-upload-command': 'start', 'content-type': 'application/json' }
const nowhere = `/upload/v1beta/files/${'a'.repeat(30)}`

interface Bad { name: string; method: string; path: string; status: number; headers?: Record<string, string>; body?: () => NonNullable<RequestInit['body']> }
const bad = (name: string, status: number, method: string, path: string, more: Pick<Bad, 'headers' | 'body'> = {}): Bad => ({ name, status, method, path, ...more })

const upload = { bytes: 10, filename: 'x', mime_type: 'text/plain', purpose: 'batch' }
const asJson = (body: unknown): Pick<Bad, 'headers' | 'body'> => ({ headers: { 'content-type': 'application/json' }, body: () => JSON.stringify(body) })

const badInputs: Bad[] = [
  bad('no form', 415, 'POST', '/v1/files', { headers: { 'content-type': 'application/json' }, body: () => '{}' }),
  bad('no boundary', 400, 'POST', '/v1/files', { headers: { 'content-type': 'multipart/form-data' }, body: () => 'x' }),
  bad('a form that is none', 400, 'POST', '/v1/files', { headers: { 'content-type': 'multipart/form-data; boundary=x' }, body: () => 'x' }),
  bad('no file', 400, 'POST', '/v1/files', { body: () => form({ purpose: 'vision' }) }),
  bad('no purpose', 400, 'POST', '/v1/files', { body: () => form({ file: some() }) }),
  bad('a file as text', 400, 'POST', '/v1/files', { body: () => form({ file: 'text', purpose: 'vision' }) }),
  bad('a purpose nobody has', 400, 'POST', '/v1/files', { body: () => form({ file: some(), purpose: 'fun' }) }),
  bad('a purpose of the house', 400, 'POST', '/v1/files', { body: () => form({ file: some(), purpose: 'batch_output' }) }),
  bad('an empty file', 400, 'POST', '/v1/files', { body: () => form({ file: new Blob([]), purpose: 'batch' }) }),
  bad('text as a picture', 400, 'POST', '/v1/files', { body: () => form({ file: some(), purpose: 'vision' }) }),
  bad('half a picture', 400, 'POST', '/v1/files', { body: () => form({ file: new Blob(['\x89PNG\r\n\x1a\n']), purpose: 'vision' }) }),
  bad('a field of another name', 400, 'POST', '/v1/files', { body: () => form({ data: some(), purpose: 'batch' }) }),
  bad('two files', 413, 'POST', '/v1/files', { body: () => { const made = form({ file: some(), purpose: 'batch' }); made.append('file', some(), 'b.txt'); return made } }),
  bad('too many fields', 413, 'POST', '/v1/files', { body: () => form({ file: some(), ...Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`f${index}`, 'x'])) }) }),
  bad('gone too soon', 400, 'POST', '/v1/files', { body: () => form({ file: some(), purpose: 'batch', 'expires_after[anchor]': 'created_at', 'expires_after[seconds]': '59' }) }),
  bad('gone too late', 400, 'POST', '/v1/files', { body: () => form({ file: some(), purpose: 'batch', 'expires_after[anchor]': 'created_at', 'expires_after[seconds]': '2592001' }) }),
  bad('counted from elsewhere', 400, 'POST', '/v1/files', { body: () => form({ file: some(), purpose: 'batch', 'expires_after[anchor]': 'last_active_at', 'expires_after[seconds]': '3600' }) }),
  bad('seconds in words', 400, 'POST', '/v1/files', { body: () => form({ file: some(), purpose: 'batch', 'expires_after[anchor]': 'created_at', 'expires_after[seconds]': 'many' }) }),
  bad('expiry as text', 400, 'POST', '/v1/files', { body: () => form({ file: some(), purpose: 'batch', expires_after: '3600' }) }),
  bad('a field of the prototype', 400, 'POST', '/v1/files', { body: () => form({ file: some(), purpose: 'batch', '__proto__[a]': 'b' }) }),
  bad('compressed', 415, 'POST', '/v1/files', { headers: { 'content-encoding': 'gzip', 'content-type': 'multipart/form-data; boundary=x' }, body: () => 'x' }),
  bad('a limit in words', 400, 'GET', '/v1/files?limit=ten'),
  bad('a limit of none', 400, 'GET', '/v1/files?limit=0'),
  bad('a limit of very many', 400, 'GET', '/v1/files?limit=10001'),
  bad('an order of none', 400, 'GET', '/v1/files?order=best'),
  bad('after nothing', 404, 'GET', '/v1/files?after=file-123'),
  bad('after somebody else', 404, 'GET', `/v1/files?after=file-${id}`),
  bad('a file nobody has', 404, 'GET', `/v1/files/file-${id}`),
  bad('no id', 404, 'GET', '/v1/files/what'),
  bad('content of nothing', 404, 'GET', `/v1/files/file-${id}/content`),
  bad('removing nothing', 404, 'DELETE', `/v1/files/file-${id}`),
  bad('a method nobody knows', 405, 'PATCH', `/v1/files/file-${id}`, { headers: { 'content-type': 'application/json' }, body: () => '{}' }),
  ...([
    ['no size', { bytes: undefined }], ['a size of none', { bytes: 0 }], ['half a byte', { bytes: 1.5 }], ['a size in words', { bytes: 'many' }], ['no name', { filename: undefined }],
    ['a name that is a number', { filename: 7 }], ['no kind', { mime_type: undefined }], ['no purpose', { purpose: undefined }], ['a purpose nobody has', { purpose: 'fun' }],
    ['gone too soon', { expires_after: { anchor: 'created_at', seconds: 1 } }],
  ] as const).map(([name, more]) => bad(`uploads: ${name}`, 400, 'POST', '/v1/uploads', asJson({ ...upload, ...more }))),
  bad('uploads: too much', 413, 'POST', '/v1/uploads', asJson({ ...upload, bytes: bytesMax + 1 })),
  bad('uploads: a list', 400, 'POST', '/v1/uploads', asJson([])),
  bad('uploads: an upload nobody began', 404, 'POST', `/v1/uploads/upload_${'a'.repeat(30)}/parts`, { body: () => form({ data: some() }) }),
  bad('uploads: a part as JSON', 415, 'POST', `/v1/uploads/upload_${'a'.repeat(30)}/parts`, asJson({})),
  bad('uploads: the end of nothing', 404, 'POST', '/v1/uploads/upload_x/complete', asJson({ part_ids: ['x'] })),
  bad('uploads: giving nothing up', 404, 'POST', '/v1/uploads/x/cancel'),
  bad('anthropic: no form', 400, 'POST', '/v1/files', { headers: { ...asAnthropic, 'content-type': 'application/json' }, body: () => '{}' }),
  bad('anthropic: no file', 400, 'POST', '/v1/files', { headers: asAnthropic, body: () => form({ a: 'b' }) }),
  bad('anthropic: an empty file', 400, 'POST', '/v1/files', { headers: asAnthropic, body: () => form({ file: new Blob([]) }) }),
  bad('anthropic: gone too soon', 400, 'POST', '/v1/files', { headers: asAnthropic, body: () => form({ file: some(), expires_in_seconds: '1' }) }),
  bad('anthropic: seconds in words', 400, 'POST', '/v1/files', { headers: asAnthropic, body: () => form({ file: some(), expires_in_seconds: 'soon' }) }),
  bad('anthropic: a limit of none', 400, 'GET', '/v1/files?limit=0', { headers: asAnthropic }),
  bad('anthropic: a page of nothing', 400, 'GET', '/v1/files?page=x', { headers: asAnthropic }),
  bad('anthropic: a file nobody has', 404, 'GET', `/v1/files/file_${id}`, { headers: asAnthropic }),
  bad('anthropic: content of nothing', 404, 'GET', '/v1/files/x/content', { headers: asAnthropic }),
  bad('anthropic: removing nothing', 404, 'DELETE', '/v1/files/x', { headers: asAnthropic }),
  bad('gemini: an unknown way to upload', 400, 'POST', '/upload/v1beta/files', { headers: { 'x-goog-upload-protocol': 'pigeon' }, body: () => 'x' }),
  bad('gemini: beginning in the middle', 400, 'POST', '/upload/v1beta/files', { headers: { ...start, 'x-goog-upload-command': 'upload' }, body: () => '{}' }),
  bad('gemini: files that lie elsewhere', 400, 'POST', '/v1beta/files:register', asJson({ uris: ['gs://bucket/a.png'] })),
  bad('gemini: no JSON', 400, 'POST', '/upload/v1beta/files', { headers: start, body: () => '{' }),
  bad('gemini: a list', 400, 'POST', '/upload/v1beta/files', { headers: start, body: () => '[]' }),
  bad('gemini: an unknown field', 400, 'POST', '/upload/v1beta/files', { headers: start, body: () => '{"file":{"colour":"red"}}' }),
  bad('gemini: a name of its own', 400, 'POST', '/upload/v1beta/files', { headers: start, body: () => '{"file":{"name":"files/mine"}}' }),
  bad('gemini: a size in words', 400, 'POST', '/upload/v1beta/files', { headers: start, body: () => '{"file":{"sizeBytes":"many"}}' }),
  bad('gemini: nothing', 400, 'POST', '/upload/v1beta/files', { headers: start, body: () => '{"file":{"sizeBytes":"0"}}' }),
  bad('gemini: too much', 400, 'POST', '/upload/v1beta/files', { headers: start, body: () => `{"file":{"sizeBytes":"${bytesMax + 1}"}}` }),
  bad('gemini: an empty raw body', 400, 'POST', '/upload/v1beta/files', { headers: { 'x-goog-upload-protocol': 'raw' } }),
  bad('gemini: related to nothing', 400, 'POST', '/upload/v1beta/files', { headers: { 'x-goog-upload-protocol': 'multipart', 'content-type': 'multipart/related; boundary=x' }, body: () => '--x\r\n\r\n{}' }),
  bad('gemini: related without a boundary', 400, 'POST', '/upload/v1beta/files', { headers: { 'x-goog-upload-protocol': 'multipart', 'content-type': 'multipart/related' }, body: () => '--x' }),
  bad('gemini: an upload nobody began', 404, 'POST', nowhere, { headers: { 'x-goog-upload-command': 'upload' }, body: () => 'x' }),
  bad('gemini: a command nobody knows', 400, 'POST', nowhere, { headers: { 'x-goog-upload-command': 'fly' } }),
  bad('gemini: no command', 400, 'POST', nowhere),
  bad('gemini: an offset in words', 400, 'POST', nowhere, { headers: { 'x-goog-upload-command': 'upload', 'x-goog-upload-offset': 'start' } }),
  bad('gemini: a page size in words', 400, 'GET', '/v1beta/files?pageSize=ten'),
  bad('gemini: a page nobody gave', 400, 'GET', '/v1beta/files?pageToken=x'),
  bad('gemini: a file nobody has', 404, 'GET', `/v1beta/files/${id}`),
  bad('gemini: no file', 404, 'GET', '/v1beta/files/x'),
  bad('gemini: removing nothing', 404, 'DELETE', `/v1beta/files/${id}`),
  bad('gemini: fetching nothing', 404, 'GET', `/v1beta/files/${id}:download?alt=media`),
  bad('gemini: a path of no meaning', 404, 'GET', '/v1beta/files/a/b/c'),
]

describe('told no', () => {
  for (const { name, method, path, status, headers, body } of badInputs) {
    test(`${name}: ${status}`, async () => {
      const before = [await count('file'), await count('task'), await count('ledger'), await count('asset')]
      const answer = await ask(method, path, { ...(headers ? { headers } : {}), ...(body ? { body: body() } : {}) })
      assert.equal(answer.status, status, answer.bytes.toString().slice(0, 500))
      const message = answer.body.error?.message
      assert.ok(typeof message === 'string' && message.length > 10, answer.bytes.toString())
      assert.deepEqual([await count('file'), await count('task'), await count('ledger'), await count('asset')], before)
    })
  }

  test('without a key nothing comes in', async () => {
    for (const [method, path] of [['POST', '/v1/files'], ['GET', '/v1/files'], ['POST', '/upload/v1beta/files'], ['GET', '/v1beta/files']] as const) {
      const { status } = await ask(method, path, { key: null })
      assert.ok(status === 401 || status === 403 || status === 400, `${method} ${path}: ${status}`)
    }
  })
})

test('what nobody refers to any more is collected, and what a file names is not', async () => {
  const kept = await openai.files.create({ file: await toFile(Buffer.from('kept'), 'kept.txt'), purpose: 'user_data' })
  const gone = await openai.files.create({ file: await toFile(Buffer.from('gone'), 'gone.txt'), purpose: 'user_data' })
  await openai.files.delete(gone.id)
  const shaOf = (text: string) => createHash('sha256').update(text).digest()
  await house.house.collect({ graceMs: 0 })
  const { rows } = await house.database.query<{ sha256: Buffer }>('select sha256 from blob where sha256 = any($1)', [[shaOf('kept'), shaOf('gone')]])
  assert.deepEqual(rows.map(row => row.sha256.toString('hex')), [shaOf('kept').toString('hex')])
  assert.equal(await (await openai.files.content(kept.id)).text(), 'kept')
})
