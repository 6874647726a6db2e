/** `npm run chaos -- [tasks] [kills]`: the long form. Exits non-zero when a promise was broken. */
import { runChaos } from './chaos.ts'
import { runFlowChaos } from './flows.ts'

const [tasks = 240, kills = 25] = process.argv.slice(2).map(Number)
const forms = [{ lookup: true }, { lookup: false }, { lookup: true, fallback: true }, { lookup: false, fallback: true }]
for (const form of forms) {
  const report = await runChaos({ tasks, kills, ...form, killAfterMs: [50, 1_500], say: line => console.error(line) })
  console.log(JSON.stringify({ ...form, ...report }, null, 2))
  if (report.broken.length > 0) process.exitCode = 1
}
const report = await runFlowChaos({ executions: Math.ceil(tasks / 6), kills, killAfterMs: [50, 1_500], say: line => console.error(line) })
console.log(JSON.stringify({ workflows: true, ...report }, null, 2))
if (report.broken.length > 0) process.exitCode = 1
