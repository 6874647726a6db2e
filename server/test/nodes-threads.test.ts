/** Threads of nodes that die in the middle of their work: it is done again once, then said; nothing is bought twice, and what stands beside goes on. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { testHouse, type TestHouse } from './kit/house.ts'
import { asking, wire } from './kit/workflow.ts'

let house: TestHouse
before(async () => { house = await testHouse() })
after(() => house?.close())

/** How many more times the thread that is handed a node of this kind dies of it. */
const deaths = new Map<string, number>()
const post = Worker.prototype.postMessage
before(() => {
  Worker.prototype.postMessage = function (this: Worker, message: any, ...rest: any[]) {
    const left = message?.kind === 'job' ? deaths.get(message.job?.node) ?? 0 : 0
    post.call(this, message, ...rest)
    if (left === 0) return
    deaths.set(message.job?.node, left - 1)
    void this.terminate()
  }
})
after(() => { Worker.prototype.postMessage = post })

const ask = asking(() => house)
const run = async (body: object) => (await ask('POST', '/executions?wait=60', body)).body
const tasksMade = async () => (await house.database.query<{ count: number }>('select count(*)::int as count from task')).rows[0]!.count
const graph = (prompt: string) => ({
  nodes: [
    { id: 'picture', kind: 'generate', settings: { model: 'sandbox-1', prompt, parameters: { resolution: '512' } } }, { id: 'small', kind: 'resize', settings: { width: 100 } }, { id: 'other', kind: 'convert', settings: { format: 'webp' } },
    { id: 'a', kind: 'output' }, { id: 'b', kind: 'output' },
  ],
  edges: [wire('picture.image', 'small.image'), wire('picture.image', 'other.image'), wire('small.image', 'a.value'), wire('other.image', 'b.value')],
})

describe('a thread that dies in the middle of a node', () => {
  test('once: another one does it, and nobody notices', async () => {
    const before = await tasksMade()
    deaths.set('resize', 1)
    const done = await run({ graph: graph('a lost button') })
    assert.deepEqual([done.state, done.outputs.a.width, done.outputs.b.mime, deaths.get('resize')], ['done', 100, 'image/webp', 0], JSON.stringify(done.problem))
    assert.deepEqual([await tasksMade() - before, await house.audit()], [1, []])
  })

  test('again: the run says so, what stands beside goes on, and resuming pays nothing twice', async () => {
    const before = await tasksMade()
    deaths.set('resize', 2)
    const failed = await run({ graph: graph('a torn sleeve') })
    assert.deepEqual([failed.state, failed.outputs.b.mime, failed.outputs.a], ['failed', 'image/webp', undefined])
    assert.match(failed.problem.message, /^small: The thread that worked on this ended twice/)
    assert.equal((await ask('POST', `/executions/${failed.id}/resume`, {})).status, 200)
    const done = (await ask('GET', `/executions/${failed.id}?wait=60`)).body
    assert.deepEqual([done.state, done.outputs.a.width, done.cost.micros], ['done', 100, failed.cost.micros])
    assert.deepEqual([await tasksMade() - before, await house.audit()], [1, []])
  })

  test('while many work: everybody else is done', async () => {
    deaths.set('resize', 3)
    const all = await Promise.all(Array.from({ length: 6 }, (_, index) => run({ graph: graph(`a button, number ${index}`) })))
    assert.equal(all.every(one => one.outputs.b?.mime === 'image/webp'), true)
    assert.equal(all.filter(one => one.state === 'done').length >= 5, true, 'three deaths are two of one run at most')
    assert.deepEqual(await house.audit(), [])
  })
})
