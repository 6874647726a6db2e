/** `npm run chaos -- [tasks] [kills]`: the long form. Exits non-zero when a promise was broken. */
import { runChaos } from './chaos.ts'
import { runFlowChaos } from './flows.ts'
import { runSheetChaos } from './sheets.ts'

const [tasks = 240, kills = 25] = process.argv.slice(2).map(Number)
const forms = [{ lookup: true }, { lookup: false }, { lookup: true, fallback: true }, { lookup: false, fallback: true }]
for (const form of forms) {
  const report = await runChaos({ tasks, kills, ...form, killAfterMs: [50, 1_500], say: line => console.error(line) })
  console.log(JSON.stringify({ ...form, ...report }, null, 2))
  if (report.broken.length > 0) process.exitCode = 1
}
const others = {
  workflows: () => runFlowChaos({ executions: Math.ceil(tasks / 6), kills, killAfterMs: [50, 1_500], say: line => console.error(line) }),
  batches: () => runSheetChaos({ rows: Math.ceil(tasks / 2), kills, killAfterMs: [0, 1_500], say: line => console.error(line) }),
}
for (const [form, run] of Object.entries(others)) {
  const report = await run()
  console.log(JSON.stringify({ form, ...report }, null, 2))
  if (report.broken.length > 0) process.exitCode = 1
}
