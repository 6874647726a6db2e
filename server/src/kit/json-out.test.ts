import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { OpenAsset } from '../protocols/contract.ts'
import { Base64Encoder } from './base64.ts'
import { base64Of, jsonResponse, sseJson, streamJson } from './json-out.ts'
import { eventStream, streamPieces } from './pieces.ts'
import { draws } from '../../test/kit/chance.ts'

/** A file of the store that is read in chunks of a size, and what became of its reader. */
function file(bytes: Buffer, { chunk = 1_000, sizeBytes = bytes.length } = {}) {
  const told = { opened: 0, closed: 0, chunks: 0 }
  const open: OpenAsset = {
    asset: { sha256: 'ab', mime: 'image/png', sizeBytes, name: null },
    stream() {
      told.opened++
      let at = 0
      return new Readable({
        highWaterMark: chunk,
        read() {
          told.chunks++
          this.push(at < bytes.length ? bytes.subarray(at, at += chunk) : null)
        },
        destroy(error, done) { told.closed++; done(error) },
      })
    },
  }
  return { open, told }
}

const bytes = Buffer.from(Array.from({ length: 10_000 }, (_, index) => index * 7 % 251))

test('an answer is what JSON makes of the whole, with its length', async () => {
  const [one, two] = [file(bytes), file(bytes.subarray(0, 1))]
  const response = jsonResponse({ created: 1, data: [{ b64_json: base64Of(one.open), n: 'Über "猫"' }, { url: base64Of(two.open, { dataUrl: true }) }] }, { status: 201, headers: { 'x-task-id': 't' } })
  const text = await response.clone().text()
  assert.equal(text, JSON.stringify({ created: 1, data: [{ b64_json: bytes.toString('base64'), n: 'Über "猫"' }, { url: `data:image/png;base64,${bytes.toString('base64', 0, 1)}` }] }))
  assert.deepEqual([response.status, response.headers.get('content-length'), response.headers.get('content-type'), response.headers.get('x-task-id')],
    [201, String(Buffer.byteLength(text)), 'application/json', 't'])
  assert.deepEqual([one.told.closed, two.told.closed], [1, 1])
})

test('a value without files is an answer as any other', async () => {
  const response = jsonResponse({ a: 'ü' })
  assert.deepEqual([await response.text(), response.headers.get('content-length')], ['{"a":"ü"}', '10'])
  assert.equal(await jsonResponse('just text').text(), '"just text"')
})

test('a file may be all there is, be empty, and stand twice', async () => {
  const { open } = file(bytes)
  assert.equal(await jsonResponse(base64Of(open)).text(), JSON.stringify(bytes.toString('base64')))
  assert.equal(await jsonResponse([base64Of(file(Buffer.alloc(0)).open)]).text(), '[""]')
  const part = base64Of(open)
  assert.deepEqual(await jsonResponse([part, part]).json(), [bytes.toString('base64'), bytes.toString('base64')])
})

test('any bytes in any chunks are the base64 of the whole', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (all, sizes) => {
    const encoder = new Base64Encoder()
    const texts: Buffer[] = []
    for (let at = 0, index = 0; at < all.length; index++) texts.push(encoder.push(Buffer.from(all.subarray(at, at += sizes[index % sizes.length]!))))
    assert.equal(Buffer.concat([...texts, encoder.end()]).toString(), Buffer.from(all).toString('base64'))
  }), draws(500))
})

test('any value is what JSON makes of it', async () => {
  await fc.assert(fc.asyncProperty(fc.jsonValue(), fc.nat({ max: 3_000 }), async (value, size) => {
    const { open } = file(bytes.subarray(0, size), { chunk: 997 })
    const whole = (part: unknown) => [value, { part }, value]
    const response = jsonResponse(whole(base64Of(open)))
    assert.equal(response.headers.get('content-length'), String(Buffer.byteLength(JSON.stringify(whole(bytes.toString('base64', 0, size))))))
    assert.equal(await response.text(), JSON.stringify(whole(bytes.toString('base64', 0, size))))
  }), draws(100))
})

test('what looks like a mark of ours stays text', async () => {
  const { open } = file(bytes)
  const value = (part: unknown) => ({ a: 'base64:0123456789abcdef0123456789abcdef:0;', part })
  assert.equal(await jsonResponse(value(base64Of(open))).text(), JSON.stringify(value(bytes.toString('base64'))))
})

test('an event is one line, however many files it has', async () => {
  const { open } = file(bytes)
  const text = (pieces: AsyncIterable<Uint8Array>) => new Response(Readable.toWeb(Readable.from(pieces)) as ReadableStream).text()
  assert.equal(await text(sseJson('image.done', { b64: base64Of(open), t: 'a\nb' })), `event: image.done\ndata: ${JSON.stringify({ b64: bytes.toString('base64'), t: 'a\nb' })}\n\n`)
  assert.equal(await text(sseJson(null, { a: 1 })), 'data: {"a":1}\n\n')
  assert.equal(await text(streamJson([base64Of(open)])), JSON.stringify([bytes.toString('base64')]))
})

test('a stream is made of events and of what a dialect adds', async () => {
  const { open, told } = file(bytes)
  let ends = 0
  const response = streamPieces((async function* () {
    yield* sseJson(null, { b64: base64Of(open) })
    yield 'data: [DONE]\n\n'
  })(), { headers: eventStream, onEnd: () => { ends++ } })
  assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  assert.equal(await response.text(), `data: ${JSON.stringify({ b64: bytes.toString('base64') })}\n\ndata: [DONE]\n\n`)
  assert.deepEqual([ends, told.closed], [1, 1])
})

test('silence is never filled in the middle of a line', async context => {
  context.mock.timers.enable({ apis: ['setInterval'] })
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const reader = streamPieces((async function* () {
    yield 'data: half'
    await gates[0]!.promise
    yield ' a line\n\n'
    await gates[1]!.promise
  })(), { keepAlive: { everyMs: 1_000, text: ': wait\n\n' } }).body!.pipeThrough(new TextDecoderStream()).getReader()
  assert.equal((await reader.read()).value, 'data: half')
  const rest = reader.read()
  context.mock.timers.tick(5_000)
  gates[0]!.resolve()
  assert.equal((await rest).value, ' a line\n\n')
  const next = reader.read()
  // The pieces pass through a decoder, which takes a turn or two.
  await new Promise(resolve => { setImmediate(resolve) })
  context.mock.timers.tick(1_000)
  assert.equal((await next).value, ': wait\n\n')
  gates[1]!.resolve()
})

test('a slow reader holds the file back, and one that goes closes it', async () => {
  const { open, told } = file(Buffer.alloc(10_000_000), { chunk: 10_000 })
  const other = file(bytes)
  const reader = jsonResponse([base64Of(open), base64Of(other.open)]).body!.getReader()
  assert.equal(told.opened, 0, 'a file is opened when its turn comes')
  for (let count = 0; count < 5; count++) await reader.read()
  assert.ok(told.chunks < 20, `${told.chunks} chunks were read for a reader of five`)
  await reader.cancel()
  for (let count = 0; count < 1_000 && told.closed === 0; count++) await new Promise(resolve => { setImmediate(resolve) })
  assert.deepEqual([told.closed, other.told.opened], [1, 0])
})

for (const sizeBytes of [9_999, 10_001]) {
  test(`a file that is not as long as it is said to be breaks the answer: ${sizeBytes}`, async () => {
    const { open, told } = file(bytes, { sizeBytes })
    await assert.rejects(jsonResponse({ a: base64Of(open) }).text(), /than its .* bytes/)
    assert.equal(told.closed, 1)
  })
}

test('a file that is gone breaks the answer', async () => {
  const open: OpenAsset = { asset: { sha256: 'ab', mime: 'image/png', sizeBytes: 5, name: null }, stream: () => new Readable({ read() { this.destroy(new Error('ENOENT')) } }) }
  await assert.rejects(jsonResponse({ a: base64Of(open) }).text(), /ENOENT/)
})

test('a file never becomes an ordinary string', () => {
  assert.throws(() => JSON.stringify({ a: base64Of(file(bytes).open) }), /Send it with jsonResponse/)
})
