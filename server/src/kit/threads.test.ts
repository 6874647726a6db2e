import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { Problem } from '../domain/problem.ts'
import type { Told } from '../../test/kit/thread-worker.ts'
import { handOver, openThreads, type ThreadsOptions } from './threads.ts'

const script = new URL('../../test/kit/thread-worker.ts', import.meta.url)
const open = (options: Partial<ThreadsOptions> = {}) => openThreads({ script, threads: 1, ...options })
const told = (deed: Told['deed'], more: Partial<Told> = {}): Told => ({ deed, ...more })
const flag = () => new Int32Array(new SharedArrayBuffer(4))
const raised = async (until: Int32Array) => { while (Atomics.load(until, 0) === 0) await new Promise(setImmediate) }
const isProblem = (code: string, words = /./) => (thrown: unknown) => thrown instanceof Problem && thrown.code === code && words.test(thrown.message) || assert.fail(String(thrown))

const threads = open()
after(() => threads.close())

test('no thread is started before there is something to do', async () => {
  const own = open()
  assert.equal(own.size(), 0)
  assert.deepEqual(await own.run(told('say', { value: { a: [1, null, 'x'] } })), { a: [1, null, 'x'] })
  assert.deepEqual([own.size(), own.busy()], [1, 0])
  await own.close()
  assert.equal(own.size(), 0)
})

test('a job holds nobody up: others have their turn while it is at work', async () => {
  const until = flag()
  const waited = threads.run<string>(told('wait', { until }))
  // Only a turn of this thread ends the other one's wait.
  setImmediate(() => { Atomics.store(until, 0, 1); Atomics.notify(until, 0) })
  assert.notEqual(await waited, 'timed-out')
})

describe('what goes wrong comes back as what it was', () => {
  test('a problem', () => assert.rejects(threads.run(told('refuse')), thrown => {
    assert.ok(thrown instanceof Problem)
    assert.deepEqual([thrown.code, thrown.message, thrown.details], ['bad_request', 'It is too wide.', { field: 'width', value: 9, allowed: { maximum: 8 } }])
    return true
  }))
  test('a mistake of ours, with where it was made', () => assert.rejects(threads.run(told('break')), thrown => thrown instanceof Error && !(thrown instanceof Problem) && thrown.message === 'no such thing' && /thread-worker/.test(thrown.stack!)))
  test('a job that cannot be handed over fails by itself', async () => {
    await assert.rejects(threads.run({ deed: 'say', value: () => {} }), /could not be cloned/)
    assert.equal(await threads.run(told('say', { value: 1 })), 1)
  })
})

describe('asking back', () => {
  test('is answered', async () => assert.equal(await threads.run(told('ask'), { calls: { answer: async (half: number) => half * 2 } }), 40))
  test('a refusal goes through the job', () => assert.rejects(threads.run(told('ask and forward'), { calls: { answer: () => { throw new Problem('not_found', 'It is gone.') } } }), isProblem('not_found', /gone/)))
  test('an answer that cannot be handed over is a refusal', () => assert.rejects(threads.run(told('ask'), { calls: { answer: () => () => {} } }), /could not be cloned/))
  test('for what there is not', () => assert.rejects(threads.run(told('ask')), /not a function/))
})

describe('bytes', () => {
  test('that are whole change owner, both ways', async () => {
    const bytes = new Uint8Array(100_000).fill(3)
    const doubled = await threads.run<Uint8Array>({ ...handOver(bytes), value: told('double', { value: bytes }) })
    assert.deepEqual([bytes.byteLength, doubled.length, doubled[99_999]], [0, 100_000, 6])
  })
  test('of which others have a part are copied', () => {
    const all = Buffer.alloc(100, 1)
    const { value, memory } = handOver(all.subarray(10, 20))
    assert.deepEqual([value.length, memory[0]!.byteLength, all.length], [10, 10, 100])
  })
})

describe('threads end', () => {
  test('by themselves: only their job fails', async () => {
    const own = open({ threads: 2 })
    const until = flag()
    const other = own.run<string>(told('wait', { until }))
    await assert.rejects(own.run(told('leave')), /ended before it was done \(it left with code 3\)/)
    Atomics.store(until, 0, 1)
    Atomics.notify(until, 0)
    assert.notEqual(await other, 'timed-out')
    assert.equal(await own.run(told('say', { value: 'on' })), 'on')
    await own.close()
  })
  test('by what they eat', async () => {
    const own = open({ heapMb: 32 })
    await assert.rejects(own.run(told('eat')), /memory/i)
    assert.equal(await own.run(told('say', { value: 'on' })), 'on')
    await own.close()
  })
  test('when their job is given up, and the next one is done', async () => {
    const own = open()
    const [until, patience] = [flag(), new AbortController()]
    const spun = own.run(told('spin', { until }), { signal: patience.signal })
    const next = own.run(told('say', { value: 'next' }))
    await raised(until)
    patience.abort(new Error('took too long'))
    await assert.rejects(spun, /took too long/)
    assert.equal(await next, 'next')
    await own.close()
  })
  test('a job that waits leaves the queue when it is given up', async () => {
    const own = open()
    const [until, patience] = [flag(), new AbortController()]
    const first = own.run<string>(told('wait', { until }))
    const second = own.run(told('leave'), { signal: patience.signal })
    patience.abort(new Error('changed my mind'))
    await assert.rejects(second, /changed my mind/)
    await assert.rejects(own.run(told('say'), { signal: AbortSignal.abort(new Error('gone before')) }), /gone before/)
    Atomics.store(until, 0, 1)
    Atomics.notify(until, 0)
    assert.notEqual(await first, 'timed-out')
    await own.close()
  })
  test('of age, and when nothing is to do', async () => {
    const own = open({ jobsMax: 1, idleMs: 1 })
    for (const value of [1, 2, 3]) assert.equal(await own.run(told('say', { value })), value)
    while (own.size() > 0) await new Promise(setImmediate)
    const idle = open({ idleMs: 1 })
    await idle.run(told('say'))
    while (idle.size() > 0) await new Promise(resolve => { setTimeout(resolve, 1) })
    assert.equal(await idle.run(told('say', { value: 'again' })), 'again')
    await Promise.all([own.close(), idle.close()])
  })
})

test('no more threads than were asked for, and no more waiting than there is room', async () => {
  const own = open({ threads: 2, queueMax: 1 })
  const until = flag()
  const all = [own.run(told('wait', { until })), own.run(told('wait', { until })), own.run(told('say', { value: 'waited' }))]
  assert.deepEqual([own.size(), own.busy()], [2, 2])
  await assert.rejects(own.run(told('say')), isProblem('unavailable', /Try again/))
  Atomics.store(until, 0, 1)
  Atomics.notify(until, 0)
  assert.equal((await Promise.all(all))[2], 'waited')
  await own.close()
})

test('closing while it is at work refuses what runs, what waits and what comes', async () => {
  const own = open()
  const until = flag()
  const [running, waiting] = [own.run(told('spin', { until })), own.run(told('say'))]
  const refused = Promise.all([running, waiting].map(one => assert.rejects(one, isProblem('shutting_down'))))
  await raised(until)
  await own.close()
  await refused
  assert.deepEqual([own.size(), own.busy()], [0, 0])
  await assert.rejects(own.run(told('say')), isProblem('shutting_down'))
})
