import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLanes, firstWidth } from './lanes.ts'

let last = 0
const row = (host: string) => ({ id: String(++last), host })
const rows = (host: string, count: number) => Array.from({ length: count }, () => row(host))

const takeAll = <Row extends { id: string; host: string }>(lanes: { next(): Row | undefined }) => {
  const taken: Row[] = []
  for (let next = lanes.next(); next; next = lanes.next()) taken.push(next)
  return taken
}

const hostsOf = (taken: { host: string }[]) => taken.map(({ host }) => host)

test('one host cannot hold every slot', () => {
  const lanes = createLanes({ slots: 64 })
  for (const one of rows('dead', 100)) lanes.add(one)
  assert.equal(takeAll(lanes).length, firstWidth)
  lanes.add(row('alive'))
  assert.deepEqual(hostsOf(takeAll(lanes)), ['alive'])
})

test('hosts take turns', () => {
  const lanes = createLanes({ slots: 4 })
  for (const one of [...rows('a', 3), ...rows('b', 3)]) lanes.add(one)
  assert.deepEqual(hostsOf(takeAll(lanes)), ['a', 'b', 'a', 'b'])
})

test('quick answers widen a lane up to three quarters of the slots', () => {
  const lanes = createLanes({ slots: 16 })
  const waiting = rows('quick', 200)
  for (const one of waiting) lanes.add(one)
  for (let round = 0; round < 10; round++) for (const one of takeAll(lanes)) lanes.done(one, 'quick')
  assert.equal(takeAll(lanes).length, 12)
})

test('a busy host keeps two slots', () => {
  const lanes = createLanes({ slots: 64 })
  for (const one of rows('busy', 50)) lanes.add(one)
  for (const one of takeAll(lanes)) lanes.done(one, 'busy')
  assert.equal(takeAll(lanes).length, 2)
})

test('the same row is taken once, and again when it is done', () => {
  const lanes = createLanes({ slots: 4 })
  const one = row('a')
  assert.equal(lanes.add(one), true)
  assert.equal(lanes.add(one), false)
  lanes.next()
  assert.equal(lanes.add(one), false)
  lanes.done(one, 'fair')
  assert.equal(lanes.add(one), false)
  lanes.drop(one)
  assert.equal(lanes.add(one), true)
})

test('what may wait has an end, and what waits can be taken out', () => {
  const lanes = createLanes({ slots: 1, waitingMax: 3, waitingPerHostMax: 2 })
  assert.deepEqual([...rows('a', 3), ...rows('b', 2)].map(one => lanes.add(one)), [true, true, false, true, false])
  assert.equal(lanes.empty().length, 3)
  assert.deepEqual([lanes.ids(), lanes.free(), lanes.next()], [[], 1, undefined])
})

test('a host has the room its lane leaves', () => {
  const lanes = createLanes({ slots: 64 })
  for (const one of rows('a', 3)) lanes.add(one)
  lanes.next()
  assert.deepEqual(lanes.rooms(), [{ host: 'a', room: firstWidth - 3 }])
  assert.equal(lanes.free(), 61)
})

test('what waits behind a full lane leaves its slots to others', () => {
  const lanes = createLanes({ slots: 16 })
  for (const one of rows('dead', 100)) lanes.add(one)
  takeAll(lanes)
  assert.equal(lanes.free(), 16 - firstWidth)
})

test('the last row of a host says so', () => {
  const lanes = createLanes({ slots: 1 })
  for (const one of rows('a', 2)) lanes.add(one)
  assert.deepEqual([lanes.done(lanes.next()!, 'quick'), lanes.done(lanes.next()!, 'quick')], [false, true])
})
