import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createGate } from './gate.ts'

const work = () => {
  let begun = 0
  const ends: (() => void)[] = []
  return { begun: () => begun, ends, do: () => new Promise<number>(resolve => { const number = ++begun; ends.push(() => resolve(number)) }) }
}
const turn = () => new Promise(resolve => { setImmediate(resolve) })

test('as much is inside as there is room for, and the next comes when one goes', async () => {
  const gate = createGate(2)
  const one = work()
  const all = [1, 2, 3, 4].map(() => gate(1, one.do))
  await turn()
  assert.equal(one.begun(), 2)
  one.ends[0]!()
  await turn()
  assert.equal(one.begun(), 3)
  for (const end of one.ends) end()
  await turn()
  one.ends.at(-1)!()
  assert.deepEqual(await Promise.all(all), [1, 2, 3, 4])
})
test('work that fails makes room as well', async () => {
  const gate = createGate(1)
  await assert.rejects(gate(1, () => Promise.reject(new Error('no'))), /no/)
  assert.equal(await gate(1, () => Promise.resolve(7)), 7)
})
test('who is called away while it waits goes, and nobody waits behind it', async () => {
  const gate = createGate(1)
  const one = work()
  const first = gate(1, one.do)
  const stop = new AbortController()
  const second = gate(1, one.do, stop.signal)
  const third = gate(1, () => Promise.resolve('third'))
  await turn()
  stop.abort(new Error('called away'))
  await assert.rejects(second, /called away/)
  one.ends[0]!()
  assert.deepEqual([await first, await third, one.begun()], [1, 'third', 1])
  await assert.rejects(gate(1, one.do, stop.signal), /called away/)
})
test('what is heavy waits for its room, and is not passed by what is light', async () => {
  const gate = createGate(10)
  const order: string[] = []
  const one = work()
  const enter = (name: string, weight: number) => gate(weight, () => { order.push(name); return one.do() })
  const all = [enter('half', 5), enter('most', 8), enter('little', 1), enter('beyond', 50)]
  await turn()
  assert.deepEqual(order, ['half'])
  one.ends[0]!()
  await turn()
  assert.deepEqual(order, ['half', 'most', 'little'])
  one.ends[1]!()
  await turn()
  assert.deepEqual(order.length, 3)
  one.ends[2]!()
  await turn()
  assert.deepEqual(order.at(-1), 'beyond')
  one.ends[3]!()
  await Promise.all(all)
})
