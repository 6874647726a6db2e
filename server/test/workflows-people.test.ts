/** People who cannot answer as they were asked to, answer what cannot be made, or hold a link that is not theirs: nobody else waits for it, and the question stays. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { testHouse, type TestHouse } from './kit/house.ts'
import { asking, wire } from './kit/workflow.ts'

let house: TestHouse
before(async () => { house = await testHouse() })
after(() => house?.close())

const ask = asking(() => house)
const run = async (body: object) => (await ask('POST', '/executions?wait=60', body)).body
const tasksMade = async () => (await house.database.query<{ count: number }>('select count(*)::int as count from task')).rows[0]!.count
const reviewsOf = async (id: string) => (await ask('GET', `/reviews?execution=${id}`)).body.items as any[]
const reviewed = (settings: object = {}) => ({
  nodes: [{ id: 'picture', kind: 'generate', settings: { model: 'sandbox-1', parameters: { resolution: '512', count: 2 } } }, { id: 'choice', kind: 'approval', settings }, { id: 'out', kind: 'output', settings: { name: 'chosen' } }],
  edges: [wire('picture.images', 'choice.candidates'), wire('choice.image', 'out.value')],
  inputs: [{ name: 'prompt', node: 'picture', port: 'prompt' }],
})
const begin = async (prompt: string, settings: object = {}) => {
  const execution = await run({ graph: reviewed(settings), inputs: { prompt } })
  const [review] = await reviewsOf(execution.id)
  return { execution, review }
}

describe('more to choose than came', () => {
  const cases: [string, object, RegExp][] = [
    ['too few candidates', { choose_min: 5 }, /5 pictures are to be chosen and only 2 came/],
  ]
  for (const [what, settings, words] of cases) test(`${what}: the run says so, and nobody is asked`, async () => {
    const { execution, review } = await begin(`a jug, ${what}`, settings)
    assert.deepEqual([execution.state, execution.problem.code, review], ['failed', 'bad_request', undefined])
    assert.match(execution.problem.message, words)
  })
  test('nothing at all, because a list was empty', async () => {
    const graph = {
      nodes: [{ id: 'all', kind: 'list', settings: { items: [] } }, { id: 'each', kind: 'iterate' }, { id: 'picture', kind: 'generate', settings: { model: 'sandbox-1' } }, { id: 'made', kind: 'collect' }, { id: 'choice', kind: 'approval' }],
      edges: [wire('all.items', 'each.items'), wire('each.item', 'picture.prompt'), wire('picture.image', 'made.items'), wire('made.items', 'choice.candidates')],
    }
    const execution = await run({ graph })
    assert.match(execution.problem.message, /1 picture is to be chosen and none came/)
  })
  test('asked so long ago by an older server, it is rejected when its time is over, and keeps no other review waiting', async () => {
    const [stuck, other] = [await begin('a stuck door', { timeout_hours: 1, on_timeout: 'approve' }), await begin('an open door', { timeout_hours: 1, on_timeout: 'approve' })]
    await house.database.query(`update review set choose_min = 5, choose_max = 5, due_at = now() - interval '2 hours' where id = $1`, [stuck.review.id])
    await house.database.query(`update review set due_at = now() - interval '1 hour' where id = $1`, [other.review.id])
    const ended = async (id: string) => { for (;;) { const { body } = await ask('GET', `/executions/${id}?wait=5`); if (body.state === 'done' || body.state === 'failed') return body } }
    assert.equal((await ended(other.execution.id)).outputs.chosen.sha256, other.review.candidates[0].sha256)
    await ended(stuck.execution.id)
    assert.deepEqual((await reviewsOf(stuck.execution.id)).map(one => [one.state, one.decided_by]), [['rejected', 'the clock']])
  })
})

describe('made again', () => {
  test('with a prompt the model refuses is refused at once: nothing is bought, and the review can still be answered', async () => {
    const { execution, review } = await begin('a quiet pond')
    const before = await tasksMade()
    for (const prompt of ['a pond sandbox:nonsense', ' ', 'p'.repeat(1_000_001)]) {
      const refused = await ask('POST', `/reviews/${review.id}`, { action: 'redo', prompt })
      assert.equal(refused.status, 400, JSON.stringify(refused.body).slice(0, 300))
    }
    assert.deepEqual([await tasksMade(), (await ask('GET', `/reviews/${review.id}`)).body.state], [before, 'open'])
    assert.equal((await ask('POST', `/reviews/${review.id}`, { action: 'approve' })).status, 200)
    assert.equal((await ask('GET', `/executions/${execution.id}?wait=30`)).body.state, 'done')
  })
})

describe('a link', () => {
  const open = async (path: string, form?: Record<string, string>) => {
    const answer = await fetch(path, form ? { method: 'POST', body: new URLSearchParams(form) } : {})
    return { status: answer.status, text: await answer.text() }
  }
  test('that was changed anywhere opens nothing, and says so as a page', async () => {
    const { review } = await begin('a locked gate')
    const { url } = (await ask('POST', `/reviews/${review.id}/link`, {})).body
    const [id, expires, signature] = url.split('/').at(-1).split('.')
    const base = url.slice(0, url.lastIndexOf('/') + 1)
    for (const token of [`${id}.${expires}.${signature.slice(0, -1)}é`, `${id}.${expires}.${signature}.x`, `${id}.0${expires}.${signature}`, `${id}.${Number(expires) + 1}.${signature}`, `${id}.${expires}.`, id]) {
      const answer = await open(base + encodeURIComponent(token))
      assert.deepEqual([token, answer.status, answer.text.includes('There is nothing here')], [token, 404, true])
    }
    assert.equal((await open(url)).status, 200)
  })
  test('rejects with a reason only', async () => {
    const { review } = await begin('a plain wall')
    const { url } = (await ask('POST', `/reviews/${review.id}/link`, {})).body
    const silent = await open(url, { action: 'reject', words: ' ' })
    assert.deepEqual([silent.status, silent.text.includes('Please say why'), (await ask('GET', `/reviews/${review.id}`)).body.state], [400, true, 'open'])
    await open(url, { action: 'reject', words: 'Too plain', name: 'Ann' })
    const { state, reason, decided_by } = (await ask('GET', `/reviews/${review.id}`)).body
    assert.deepEqual([state, reason, decided_by], ['rejected', 'Too plain', 'Ann (by link)'])
  })
})
