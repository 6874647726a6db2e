import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { RenderError } from '../src/contract.ts'
import type { RenderRequest } from '../src/contract.ts'
import { startPool } from '../src/pool.ts'
import { generate } from './pictures.ts'

const request = (prompt: string, more: Partial<RenderRequest> = {}): RenderRequest => ({ operation: 'generate', prompt, inputs: [], format: 'png', seed: 3, width: 160, height: 160, ...more })
const crashing = new URL('crashing-worker.ts', import.meta.url)

const pool = startPool({ threads: 2 })
after(() => pool.close())

test('threads draw what the caller would have drawn', async () => {
  const alone = await generate('a red apple on a table')
  const [one, two] = await Promise.all([pool.render(request('a red apple on a table')), pool.render(request('a red apple on a table'))])
  assert.ok(Buffer.from(one.bytes).equals(Buffer.from(alone.bytes)) && Buffer.from(two.bytes).equals(Buffer.from(alone.bytes)))
  assert.equal(pool.busy(), 0)
})

test('a request that cannot be honoured comes back as such', () => assert.rejects(pool.render(request('')), RenderError))

test('partials cross the threads', async () => {
  let heard = 0
  await pool.render(request('a mountain', { partials: 2 }), { onPartial: ({ bytes }) => { heard += bytes.length > 100 ? 1 : 0 } })
  assert.equal(heard, 2)
})

test('an abort while waiting leaves the queue, while running ends the thread, and the pool goes on', async () => {
  const single = startPool({ threads: 1 })
  const slow = request('oil painting of two people in a forest', { width: 1024, height: 1024 })
  const running = new AbortController()
  const waiting = new AbortController()
  const first = single.render(slow, { signal: running.signal })
  const second = single.render(request('a mountain'), { signal: waiting.signal })
  const third = single.render(request('a red apple'))
  waiting.abort(new Error('changed my mind'))
  await assert.rejects(second, /changed my mind/)
  assert.equal(single.busy(), 1)
  running.abort(new Error('took too long'))
  await assert.rejects(first, /took too long/)
  assert.equal((await third).width, 160)
  await single.close()
})

test('a crash rejects its own picture only, and another thread takes over', async () => {
  const frail = startPool({ threads: 1, script: crashing })
  const doomed = frail.render(request('crash'))
  const next = frail.render(request('live'))
  await assert.rejects(doomed, /thread that drew this picture ended.*Asking again is safe/s)
  assert.equal((await next).description, 'live')
  await frail.close()
})

test('very large pictures are drawn one at a time', async () => {
  const counting = startPool({ threads: 2, script: crashing })
  const large = { width: 4096, height: 4096 }
  const jobs = [counting.render(request('wait', large)), counting.render(request('wait', large)), counting.render(request('wait'))]
  assert.equal(counting.busy(), 2, 'one large, one small')
  await Promise.all(jobs)
  await counting.close()
})

test('a worker is replaced after its share of pictures', async () => {
  const ageing = startPool({ threads: 1, script: crashing, recycleAfter: 1 })
  const names = [(await ageing.render(request('thread'))).seed, (await ageing.render(request('thread'))).seed]
  assert.notEqual(names[0], names[1])
  await ageing.close()
})

test('closing refuses what waits and what comes', async () => {
  const closing = startPool({ threads: 1, script: crashing })
  const jobs = [closing.render(request('wait')), closing.render(request('wait'))]
  const refused = Promise.all(jobs.map((job) => assert.rejects(job, /closed/)))
  await closing.close()
  await refused
  await assert.rejects(closing.render(request('late')), /closed/)
})
