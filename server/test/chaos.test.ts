/** The short form of `npm run chaos`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runChaos } from './chaos/chaos.ts'
import { runFlowChaos } from './chaos/flows.ts'
import { runSheetChaos } from './chaos/sheets.ts'

const promise = async (lookup: boolean, fallback = false) => {
  const report = await runChaos({ tasks: 60, kills: 5, killAfterMs: [100, 900], lookup, fallback })
  assert.deepEqual(report.broken, [])
  assert.equal(report.tasks, 60)
  if (fallback) assert.ok(report.moved > 0, 'work moved between upstreams')
}

test('a server that is killed again and again keeps every promise', () => promise(true))
test('also where the upstream cannot be asked what became of a lost answer', () => promise(false))
test('and where work moves between three upstreams, nothing is bought twice', () => promise(true, true))
test('workflows go on where they were, and no node is paid twice', async () => {
  const report = await runFlowChaos({ executions: 6, kills: 4, killAfterMs: [150, 1_000] })
  assert.deepEqual(report.broken, [])
})
test('batches of tasks and of executions lose no row and buy none twice', async () => {
  const report = await runSheetChaos({ rows: 30, kills: 4, killAfterMs: [0, 900] })
  assert.deepEqual(report.broken, [])
})
