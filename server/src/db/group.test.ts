import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DatabaseDown } from './down.ts'
import { grouped, GroupFull } from './group.ts'

/** A `run` that doubles numbers, remembers its groups, refuses 13, and goes on only when told. */
function fake() {
  const groups: number[][] = []
  const gates: (() => void)[] = []
  const run = async (batch: number[]) => {
    groups.push(batch)
    await new Promise<void>(resolve => { gates.push(resolve) })
    if (batch.includes(13)) throw new Error('13 is refused')
    return batch.map(item => item * 2)
  }
  const open = async () => {
    while (gates.length === 0) await turn()
    gates.shift()?.()
  }
  return { groups, run, open }
}

const turn = () => new Promise(resolve => { setImmediate(resolve) })

test('callers of the same moment share a group', async () => {
  const { groups, run, open } = fake()
  const double = grouped(run)
  const results = Promise.all([double(1), double(2), double(3)])
  await open()
  assert.deepEqual(await results, [2, 4, 6])
  assert.deepEqual(groups, [[1, 2, 3]])
})

test('while one group is under way the next one collects', async () => {
  const { groups, run, open } = fake()
  const double = grouped(run)
  const first = double(1)
  await turn()
  const later = [double(2), double(3)]
  await turn()
  assert.deepEqual(groups, [[1]])
  await open()
  await open()
  assert.deepEqual(await Promise.all([first, ...later]), [2, 4, 6])
  assert.deepEqual(groups, [[1], [2, 3]])
})

test('a group has at most max members', async () => {
  const { groups, run, open } = fake()
  const double = grouped(run, { max: 2 })
  const results = Promise.all([1, 2, 3].map(double))
  await open()
  await open()
  await results
  assert.deepEqual(groups, [[1, 2], [3]])
})

test('groups of many go one after another, groups of few beside each other', async () => {
  const { groups, run, open } = fake()
  const double = grouped(run, { lanes: 2, besideMax: 3 })
  const few = [double(1)]
  await turn()
  few.push(double(2))
  await turn()
  assert.deepEqual(groups, [[1], [2]])
  await open()
  await open()
  const many = [3, 4, 5].map(double)
  await turn()
  const later = double(6)
  await turn()
  assert.deepEqual(groups.slice(2), [[3, 4, 5]])
  await open()
  await open()
  assert.deepEqual(await Promise.all([...few, ...many, later]), [2, 4, 6, 8, 10, 12])
  assert.deepEqual(groups.slice(2), [[3, 4, 5], [6]])
  await double.drain()
})

test('lanes run side by side', async () => {
  const { groups, run, open } = fake()
  const double = grouped(run, { lanes: 2 })
  const first = double(1)
  await turn()
  const second = double(2)
  await turn()
  assert.deepEqual(groups, [[1], [2]])
  await open()
  await open()
  assert.deepEqual(await Promise.all([first, second]), [2, 4])
})

test('a bad member fails alone', async () => {
  const { groups, run, open } = fake()
  const double = grouped(run)
  const results = Promise.allSettled([1, 13, 3].map(double))
  for (let opened = 0; opened < 4; opened++) await open()
  assert.deepEqual((await results).map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled'])
  assert.deepEqual(groups, [[1, 13, 3], [1], [13], [3]])
})

test('a lost database is not asked twice: the group may have been committed', async () => {
  let runs = 0
  const ask = grouped(async (_batch: number[]): Promise<number[]> => {
    runs++
    throw new DatabaseDown('gone', { cause: undefined, mayHaveHappened: true })
  })
  const results = await Promise.allSettled([1, 2, 3].map(ask))
  assert.ok(results.every(result => result.status === 'rejected' && result.reason instanceof DatabaseDown))
  assert.equal(runs, 1)
})

test('a wrong number of results is an error for all, and nothing is done twice', async () => {
  let runs = 0
  const ask = grouped(async (_batch: number[]): Promise<number[]> => {
    runs++
    return [1]
  })
  const results = await Promise.allSettled([1, 2, 3].map(ask))
  assert.ok(results.every(({ status }) => status === 'rejected'))
  assert.equal(runs, 1)
})

test('the line has an end', async () => {
  const { run, open } = fake()
  const double = grouped(run, { waitingMax: 2 })
  const results = Promise.all([double(1), double(2)])
  await assert.rejects(double(3), GroupFull)
  await open()
  await results
})

test('drain waits for what is waiting and what is under way', async () => {
  const { run, open } = fake()
  const double = grouped(run)
  await double.drain()
  const results = Promise.all([double(1), double(2)])
  let drained = false
  const drain = double.drain().then(() => { drained = true })
  await turn()
  assert.equal(drained, false)
  await open()
  await drain
  assert.deepEqual(await results, [2, 4])
})
