import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBought } from './bought.ts'

test('a run is due once its task has ended and it stands written, whichever comes first', () => {
  const due: string[] = []
  const bought = createBought(ids => due.push(...ids))
  bought.handedIn('a', false)
  bought.written(['a'])
  assert.deepEqual(due, [])
  bought.ended(['a', 'a', 'somebody else’s'])
  assert.deepEqual(due, ['a'])
  bought.handedIn('b', false)
  bought.ended(['b'])
  assert.deepEqual(due, ['a'])
  bought.written(['b'])
  bought.written(['b'])
  assert.deepEqual(due, ['a', 'b'])
  bought.handedIn('c', true)
  bought.written(['c'])
  assert.deepEqual(due, ['a', 'b', 'c'])
})
