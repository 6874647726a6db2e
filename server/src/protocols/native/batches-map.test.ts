import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Problem } from '../../domain/problem.ts'
import { holesOf, mapRow, taskFields, type Line } from './batches-map.ts'

const fields = taskFields(() => null, [], new Map())
const prompt = (text: string, cells: Record<string, string>): Line => mapRow({ number: 2, cells }, [], { kind: 'model', model: { model: 'm', prompt: text } }, fields)

test('holes are columns by their names, with spaces around them or without', () => {
  assert.deepEqual(holesOf({ a: 'x {{ one }} {{two  words}}', b: ['{{three}}', '{{}} {{ }} {four}'] }), ['one', 'two words', 'three'])
  assert.equal(prompt('a {{ colour }} {{what}}{{ }}', { colour: 'red', what: 'mug' }).order.prompt, 'a red mug{{ }}')
})
test('a hole that is never closed is read in one pass, however long it is', () => {
  const open = `{{${' '.repeat(200_000)}`
  assert.deepEqual([holesOf(open), prompt(open, {}).order.prompt], [[], open])
})
test('holes do not grow a row beyond all measure', () => {
  const cells = { a: 'x'.repeat(1_000_000) }
  assert.equal(String(prompt('{{a}}'.repeat(4), cells).order.prompt).length, 4_000_000)
  assert.throws(() => prompt('{{a}}'.repeat(50_000), cells), thrown => thrown instanceof Problem && thrown.code === 'too_large' && /less often/.test(thrown.message))
})
