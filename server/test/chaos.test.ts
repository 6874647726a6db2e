/** The short form of `npm run chaos`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runChaos } from './chaos/chaos.ts'

const promise = async (lookup: boolean, fallback = false) => {
  const report = await runChaos({ tasks: 60, kills: 5, killAfterMs: [100, 900], lookup, fallback })
  assert.deepEqual(report.broken, [])
  assert.equal(report.tasks, 60)
  if (fallback) assert.ok(report.moved > 0, 'work moved between upstreams')
}

test('a server that is killed again and again keeps every promise', () => promise(true))
test('also where the upstream cannot be asked what became of a lost answer', () => promise(false))
test('and where work moves between three upstreams, nothing is bought twice', () => promise(true, true))
