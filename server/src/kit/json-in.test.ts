import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { after, test } from 'node:test'
import * as fc from 'fast-check'
import { Problem } from '../domain/problem.ts'
import { inlineFrom, readInlineJson, type InlineBody } from './json-in.ts'
import { parseJson } from './json.ts'
import { draws } from '../../test/kit/chance.ts'

const folder = await mkdtemp(join(tmpdir(), 'plantain-json-in-'))
after(() => rm(folder, { recursive: true, force: true }))

/** A body in pieces of the given sizes, over and over. */
const pieces = (body: string | Buffer, sizes: number[]): Readable => Readable.from((function* () {
  const bytes = Buffer.from(body)
  for (let at = 0, index = 0; at < bytes.length; index++) yield bytes.subarray(at, at += sizes[index % sizes.length]!)
})(), { objectMode: false })

const read = (body: string | Buffer, { sizes = [16_384], ...limits }: { sizes?: number[]; bytesMax?: number; textMax?: number } = {}) => readInlineJson(pieces(body, sizes), { folder, ...limits })

const bytesOf = async (read: InlineBody, text: unknown): Promise<Buffer> => {
  const found = read.inline(text as string)
  assert.ok(found, 'this should be a file')
  assert.ok('stream' in found.upload)
  const bytes = await buffer(found.upload.stream)
  assert.equal(found.sizeBytes, bytes.length)
  return bytes
}

/** Bytes that begin like a PNG; the rest tells every place from every other. */
function picture(sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes)
  for (let at = 0, value = sizeBytes; at < sizeBytes; at++) { value = value * 1_103_515_245 + 12_345 & 0x7fffffff; bytes[at] = value >> 16 }
  Buffer.from('\x89PNG\r\n\x1a\n', 'latin1').copy(bytes)
  return bytes
}
const large = picture(100_000)
const base64 = large.toString('base64')

async function refused(body: string | Buffer, code: string, message: RegExp, limits = {}): Promise<Problem> {
  const problem = await read(body, limits).then(() => assert.fail('this should have been refused'), thrown => thrown)
  assert.ok(problem instanceof Problem, String(problem))
  assert.equal(problem.code, code)
  assert.match(problem.message, message)
  assert.deepEqual(await readdir(folder), [], 'files were left behind')
  return problem
}

for (const [name, written, mime] of [
  ['a picture', base64, null],
  ['a data URL', `data:image/png;base64,${base64}`, 'image/png'],
  ['a data URL with a parameter', `data:Image/PNG;charset=utf-8;base64,${base64}`, 'image/png'],
  ['a data URL without a type', `data:;base64,${base64}`, null],
  ['slashes as PHP writes them', `data:image\\/png;base64,${base64.replaceAll('/', '\\/')}`, 'image/png'],
  ['signs as .NET writes them', base64.replaceAll('+', '\\u002B').replaceAll('/', '\\u002f'), null],
  ['every letter escaped', [...base64].map(letter => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`).join(''), null],
  ['the URL-safe alphabet', large.toString('base64url'), null],
  ['no padding', base64.replace(/=+$/, ''), null],
] as [string, string, string | null][]) {
  for (const sizes of [[65_536], [1_000_000], [7], [1, 333, 70_000]]) {
    test(`goes to a file: ${name}, in pieces of ${sizes.join(', ')}`, async () => {
      const body = await read(`{"model":"m","input":[{"image":"${written}"},"short"],"n":1}`, { sizes })
      const { model, input, n } = body.value as { model: string; input: [{ image: string }, string]; n: number }
      assert.deepEqual([model, input[1], n], ['m', 'short', 1])
      assert.ok(input[0].image.length < 100)
      assert.equal(body.inline(input[0].image)!.mime, mime)
      assert.ok(large.equals(await bytesOf(body, input[0].image)))
      assert.ok(large.equals(await bytesOf(body, input[0].image)), 'a second reader starts at the beginning')
      assert.equal((await readdir(folder)).length, 1)
      await body.release()
      assert.deepEqual(await readdir(folder), [])
    })
  }
}

test('any length of bytes comes out as it went in', async () => {
  for (const more of [0, 1, 2, 3, 4]) {
    const bytes = picture(60_000 + more)
    const body = await read(JSON.stringify([bytes.toString('base64')]), { sizes: [4_001] })
    assert.ok(bytes.equals(await bytesOf(body, (body.value as string[])[0])))
    await body.release()
  }
})

const staysText = (name: string, text: string, limits = {}) => test(`stays text: ${name}`, async () => {
  const body = await read(JSON.stringify({ a: [text], b: 2 }), { sizes: [65_536], ...limits })
  const value = body.value as { a: string[] }
  assert.ok(value.a[0] === text)
  assert.deepEqual({ ...value, a: [] }, { a: [], b: 2 })
  assert.equal(body.inline(text), null)
  await body.release()
  assert.deepEqual(await readdir(folder), [])
})
staysText('a picture of no more than 32 KB of base64', base64.slice(0, inlineFrom))
staysText('a long prompt', 'A meadow at dawn, "quoted", with \\ and \n in it. Über 猫 😀 '.repeat(20_000))
staysText('a prompt of one word without end', 'x'.repeat(1_000_000))
staysText('base64 of something that is no file', Buffer.alloc(100_000, 'signature').toString('base64'))
staysText('a data URL with words behind it', `data:image/png;base64,${base64} and make it blue`)
staysText('a picture with words behind it', `${base64}. Make it blue.`)
staysText('a picture in the URL-safe alphabet with words behind it', `${large.toString('base64url')} is what I mean`)
staysText('a picture with line breaks in it', base64.replace(/.{76}/g, '$&\n'))
staysText('what comes behind the padding', `data:image/png;base64,${base64.slice(0, 99_998)}==${base64}`)
staysText('a data URL that is not base64', `data:image/svg+xml,${'<svg/>'.repeat(10_000)}`)

test('one more letter than 32 KB makes a file', async () => {
  const text = base64.slice(0, inlineFrom + 2)
  const body = await read(JSON.stringify([text]))
  assert.equal((await bytesOf(body, (body.value as string[])[0])).length, Math.floor(text.length * 3 / 4))
  await body.release()
})

test('a key is never a file', async () => {
  const body = await read(JSON.stringify({ [base64]: { [base64]: 1 } }))
  assert.deepEqual(body.value, { [base64]: { [base64]: 1 } })
})

test('files are told apart, and nobody can name one', async () => {
  const [one, two] = [picture(50_000), picture(50_001)]
  const text = JSON.stringify({ one: one.toString('base64'), two: [two.toString('base64')], three: one.toString('base64') })
  const body = await read(text)
  const value = body.value as { one: string; two: string[]; three: string }
  assert.ok(one.equals(await bytesOf(body, value.one)) && two.equals(await bytesOf(body, value.two[0])) && one.equals(await bytesOf(body, value.three)))
  const again = await read(text)
  assert.equal(again.inline(value.one), null)
  assert.notEqual((again.value as typeof value).one, value.one)
  await Promise.all([body.release(), again.release()])
})

test('a body that is one string', async () => {
  const body = await read(` "${base64}" `)
  assert.ok(large.equals(await bytesOf(body, body.value)))
  await body.release()
})

test('an empty body is no value', async () => assert.equal((await read('')).value, undefined))

// No -----------------------------------------------------------------------------------------------------------------

const field = async (body: string, name: string, limits = {}) => assert.equal((await refused(body, 'bad_request', /is not base64/, limits)).details.field, name)
test('wrong padding is refused with the field', () => field(`{"messages":[{},{"content":[{"image_url":{"url":"data:image/png;base64,${base64}="}}]}]}`, 'messages[1].content[0].image_url.url'))
test('a wrong length is refused with the field', () => field(`{"image":"${base64.slice(0, 80_001)}"}`, 'image'))
test('a body that is one bad string is refused', () => field(`"${base64.slice(0, 80_001)}"`, 'body'))
test('a strange character in more base64 than may be text is refused with the field', () => field(`{"a":{"image":"${base64}!${base64}"}}`, 'a.image', { textMax: 100_000 }))
test('both alphabets in one picture are refused with the field', () => field(`{"image":"${base64.slice(0, 80_000)}${large.toString('base64url')} "}`, 'image'))
test('more text than may be is refused', async () => { await refused(JSON.stringify({ prompt: 'a meadow '.repeat(20_000) }), 'too_large', /text of this body/, { textMax: 100_000 }) })
test('more text than may be is refused, in scraps', async () => { await refused(JSON.stringify(Array.from({ length: 30_000 }, () => 'abc')), 'too_large', /text of this body/, { textMax: 100_000 }) })
test('a body larger than may be is refused', async () => { await refused(JSON.stringify({ image: base64 }), 'too_large', /larger than the 100000 bytes/, { bytesMax: 100_000 }) })
test('a picture without end of its string is refused', async () => { await refused(`{"image":"${base64}`, 'bad_request', /not JSON/) })
test('half an escape in a picture is refused', async () => { await refused(`{"image":"${base64}\\u00"}`, 'bad_request', /not JSON/) })
test('a picture in something that is no JSON is refused', async () => { await refused(`{"image":"${base64}",}`, 'bad_request', /not JSON/) })
test('a tower is refused', async () => { await refused(`${'['.repeat(100)}"${base64}"${']'.repeat(100)}`, 'bad_request', /nested deeper/) })
test('a hand on the prototype is refused', async () => { await refused(`{"__proto__":{"image":"${base64}"}}`, 'bad_request', /__proto__/) })
test('a swarm of pictures is refused', async () => {
  const one = picture(25_000).toString('base64')
  await refused(JSON.stringify(Array.from({ length: 257 }, () => one)), 'too_large', /256 files/)
})

test('a body that breaks off leaves nothing behind', async () => {
  const stream = Readable.from((async function* () { yield Buffer.from(`{"image":"${base64}`); throw new Error('gone') })(), { objectMode: false })
  await assert.rejects(readInlineJson(stream, { folder }), (thrown: Problem) => thrown.code === 'bad_request' && /broke off/.test(thrown.message))
  assert.deepEqual(await readdir(folder), [])
})

test('a refusal leaves the stream open', async () => {
  const stream = pieces(JSON.stringify({ image: base64 }), [10_000])
  await assert.rejects(readInlineJson(stream, { folder, bytesMax: 50_000 }))
  assert.equal(stream.destroyed, false)
  assert.ok((await buffer(stream)).length > 50_000)
})

// Everything ---------------------------------------------------------------------------------------------------------

/** Replaces what must be a file by its bytes; what the reader made of it must be the same everywhere else. */
async function same(expected: unknown, got: unknown, body: InlineBody): Promise<void> {
  if (typeof expected === 'string') {
    if (typeof got === 'string' && body.inline(got)) {
      const text = expected.replace(/^data:image\/png;base64,/, '')
      assert.ok(text.length > inlineFrom)
      return assert.ok(Buffer.from(text, 'base64').equals(await bytesOf(body, got)))
    }
    assert.ok(!(expected.length > inlineFrom + 30 && /^(data:image\/png;base64,)?iVBORw0KGgo[A-Za-z0-9+/]+=*$/.test(expected)), 'this should have been a file')
  }
  if (typeof expected !== 'object' || expected === null) return assert.equal(got, expected)
  assert.deepEqual(Object.keys(got as object), Object.keys(expected))
  for (const [key, value] of Object.entries(expected)) await same(value, (got as Record<string, unknown>)[key], body)
}

test('any document in any pieces is what JSON.parse makes of it, but for its files', async () => {
  const size = fc.integer({ min: 24_300, max: 24_700 })
  const long = fc.oneof(
    size.map(bytes => picture(bytes).toString('base64')),
    size.map(bytes => `data:image/png;base64,${picture(bytes).toString('base64')}`),
    size.map(bytes => `${picture(bytes * 2).toString('base64')}${bytes % 2 ? '"' : '\\\n'}`),
    fc.tuple(fc.string({ unit: 'grapheme', minLength: 1 }), fc.integer({ min: 1, max: 9_000 })).map(([text, times]) => text.repeat(times)),
  )
  const { value } = fc.letrec(tie => ({
    value: fc.oneof({ maxDepth: 4 }, fc.string({ unit: 'grapheme' }), long, fc.integer(), fc.boolean(), fc.constant(null), tie('list'), tie('object')),
    list: fc.array(tie('value'), { maxLength: 4 }),
    object: fc.dictionary(fc.string({ unit: 'grapheme' }).filter(key => key !== '__proto__'), tie('value'), { maxKeys: 4 }),
  }))
  await fc.assert(fc.asyncProperty(value, fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 5 }), fc.integer({ min: 0, max: 2 }), fc.boolean(), async (document, sizes, indent, escapes) => {
    const plain = JSON.stringify(document, null, indent)
    const text = escapes ? plain.replaceAll('/', '\\/') : plain
    const expected = parseJsonOrNull(text)
    if (expected === null) return
    const body = await read(text, { sizes })
    await same(expected.value, body.value, body)
    await body.release()
    assert.deepEqual(await readdir(folder), [])
  }), draws(150))
})

/** Null for what is refused for its letters (NUL, half a pair), which is told elsewhere. */
function parseJsonOrNull(text: string): { value: unknown } | null {
  try { return { value: parseJson(Buffer.from(text)) } } catch { return null }
}
