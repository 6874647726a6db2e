import assert from 'node:assert/strict'
import { test } from 'node:test'
import { historyMax, withoutHistory, writePrompt } from './session.ts'

const brand = { notes: 'Acme', style: 'ink', negative: 'text' }
test('what is asked comes first, then the notes, then what was asked before', () => {
  assert.equal(writePrompt(' bluer ', brand, ['a cup', 'on\n oak'], 5_000), 'bluer\n\nBrand: Acme\n\nStyle: ink\n\nAvoid: text\n\nDone before, and already in the first picture:\n- a cup\n- on oak')
  assert.equal(writePrompt('a cup', {}, [], 5_000), 'a cup')
})
test('the newest of the history stays where there is little room, and gives way to everything else', () => {
  const told = writePrompt('x', {}, ['first', 'second'], 60)
  assert.equal(told, 'x\n\nDone before, and already in the first picture:\n- second')
  assert.ok(told.length <= 60)
  assert.equal(writePrompt('x', brand, ['first'], 20), writePrompt('x', brand, [], 20))
})
test('a long way here is told shortly', () => {
  const told = writePrompt('x', {}, Array.from({ length: 100 }, (_, index) => `${index} ${'y'.repeat(1_000)}`), 1e9)
  const lines = told.split('\n').slice(3)
  assert.ok(lines.length <= historyMax.turns && lines.join('\n').length <= historyMax.characters)
  assert.match(lines.at(-1)!, /^- 99 y+…$/)
})
test('a renderer gets the words without the history', () => {
  assert.equal(withoutHistory(writePrompt('x', brand, ['a', 'b'], 5_000)), writePrompt('x', brand, [], 5_000))
  assert.equal(withoutHistory('x'), 'x')
})
