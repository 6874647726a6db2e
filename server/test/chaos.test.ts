/** The short form of `npm run chaos`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runChaos } from './chaos/chaos.ts'

const promise = async (lookup: boolean) => {
  const report = await runChaos({ tasks: 60, kills: 5, killAfterMs: [100, 900], lookup })
  assert.deepEqual(report.broken, [])
  assert.equal(report.tasks, 60)
}

test('a server that is killed again and again keeps every promise', () => promise(true))
test('also where the upstream cannot be asked what became of a lost answer', () => promise(false))
