import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failuresMax, healthy, mayAsk, observe, openMs, windowMs, type Health, type Sign } from './breaker.ts'

const start = new Date('2026-11-29T10:00:00Z')
const at = (ms: number) => new Date(start.getTime() + ms)

/** Runs signs one after another, a second apart. */
const after = (signs: Sign[], from: Health = healthy) => signs.reduce((health, sign, index) => observe(health, sign, { now: at(index * 1_000), isProbe: false }), from)
const failing = (times: number): Sign[] => Array.from({ length: times }, () => 'failing')

test('it stays closed until five fail in a row', () => {
  assert.equal(after(failing(failuresMax - 1)).state, 'closed')
  assert.equal(after(failing(failuresMax)).state, 'open')
})

test('an answer in between begins the count again', () => {
  assert.equal(after([...failing(4), 'alive', ...failing(4)]).state, 'closed')
  assert.deepEqual(after([...failing(4), 'alive']), healthy)
})

test('one order that fails again and again opens nothing; as the probe it does', () => {
  const one = after(failing(4))
  assert.deepEqual(observe(one, 'failing', { now: at(5_000), isProbe: false, again: true }), one)
  assert.equal(observe(one, 'failing', { now: at(5_000), isProbe: false, again: false }).state, 'open')
  assert.equal(observe({ ...healthy, state: 'half_open', trips: 1 }, 'failing', { now: at(5_000), isProbe: true, again: true }).state, 'open')
})

test('failures that are far apart are not one trouble', () => {
  const old = after(failing(4))
  const late = observe(old, 'failing', { now: at(windowMs + 5_000), isProbe: false })
  assert.deepEqual([late.state, late.failures, late.failingSince], ['closed', 1, at(windowMs + 5_000)])
})

test('while it is open nothing but time changes it', () => {
  const open = after(failing(5))
  assert.deepEqual(observe(open, 'alive', { now: at(5_000), isProbe: false }), open)
  assert.deepEqual(observe(open, 'failing', { now: at(5_000), isProbe: false }), open)
  assert.equal(mayAsk(open, { now: at(5_000), probing: false }), 'no')
  assert.equal(mayAsk(open, { now: open.openUntil!, probing: false }), 'once')
})

test('half open: exactly one asks, and its answer decides', () => {
  const half: Health = { ...after(failing(5)), state: 'half_open' }
  assert.equal(mayAsk(half, { now: at(20_000), probing: true }), 'no')
  assert.equal(mayAsk(half, { now: at(20_000), probing: false }), 'once')
  assert.deepEqual(observe(half, 'alive', { now: at(20_000), isProbe: false }), half, 'an answer from before it opened is no answer to the probe')
  assert.deepEqual(observe(half, 'alive', { now: at(20_000), isProbe: true }), healthy)
  const again = observe(half, 'failing', { now: at(20_000), isProbe: true })
  assert.deepEqual([again.state, again.trips, again.openUntil!.getTime() - at(20_000).getTime()], ['open', 2, openMs(2)])
})

test('each time it is left alone longer, up to five minutes', () => {
  assert.deepEqual([1, 2, 3, 6, 20].map(openMs), [10_000, 20_000, 40_000, 300_000, 300_000])
})
