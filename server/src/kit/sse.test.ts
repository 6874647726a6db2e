import assert from 'node:assert/strict'
import { test } from 'node:test'
import { streamEvents, writeEvent, type ServerEvent } from './sse.ts'

/** A source that has nothing to say until it is stopped. */
const quiet = (signal: AbortSignal): AsyncIterable<ServerEvent> => ({
  [Symbol.asyncIterator]: () => ({
    next: () => new Promise(resolve => { signal.addEventListener('abort', () => resolve({ done: true, value: undefined }), { once: true }) }),
  }),
})

const text = (chunk: Uint8Array | undefined) => new TextDecoder().decode(chunk)

test('an event has its id, its kind and one line of data', () => {
  assert.equal(writeEvent({ id: 7, event: 'task.completed', data: { text: 'two\nlines' } }), 'id: 7\nevent: task.completed\ndata: {"text":"two\\nlines"}\n\n')
  assert.equal(writeEvent({ data: 1 }), 'data: 1\n\n')
})

test('silence is filled with comments, but never ahead of a slow reader', async context => {
  context.mock.timers.enable({ apis: ['setInterval'] })
  const stop = new AbortController()
  const reader = streamEvents(quiet(stop.signal)).body!.getReader()
  assert.equal(text((await reader.read()).value), ': hello\n\n')
  const waiting = reader.read()
  context.mock.timers.tick(15_000)
  assert.equal(text((await waiting).value), ': still here\n\n')
  for (let count = 0; count < 10; count++) context.mock.timers.tick(15_000)
  stop.abort()
  let more = 0
  for (let next = await reader.read(); !next.done; next = await reader.read()) more++
  assert.equal(more, 1)
})

test('the source is told once when the reader goes, and pulled no further', async () => {
  let ends = 0
  let pulled = 0
  const reader = streamEvents((async function* () { for (;;) yield { data: pulled++ } })(), { onEnd: () => { ends++ } }).body!.getReader()
  await reader.read()
  await reader.read()
  await reader.cancel()
  assert.equal(ends, 1)
  assert.ok(pulled <= 3, `${pulled} events were made for a reader of one`)
})

test('a source that ends, ends the stream; one that breaks, breaks it', async () => {
  let ends = 0
  const whole = await streamEvents((async function* () { yield { id: 1, data: 'a' } })(), { onEnd: () => { ends++ } }).text()
  assert.equal(whole, ': hello\n\nid: 1\ndata: "a"\n\n')
  await assert.rejects(streamEvents((async function* () { yield { data: 1 }; throw new Error('gone') })(), { onEnd: () => { ends++ } }).text(), /gone/)
  assert.equal(ends, 2)
})
