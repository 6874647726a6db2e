/** `npm run bench [-- throughput latency inflight size cold pictures workflows nodes]`: tables in Markdown on standard output. */
import { coldStart } from './cold.ts'
import { inFlight } from './inflight.ts'
import { machine } from './kit.ts'
import { latency } from './latency.ts'
import { nodes } from './nodes.ts'
import { pictures } from './pictures.ts'
import { size } from './size.ts'
import { throughput } from './throughput.ts'
import { workflows } from './workflows.ts'

const benches: Record<string, () => Promise<void>> = { throughput, latency, inflight: inFlight, size, cold: coldStart, pictures, workflows, nodes }
const wanted = process.argv.slice(2)
const unknown = wanted.filter(name => !(name in benches))
if (unknown.length > 0) {
  console.error(`There is no benchmark ${unknown.join(', ')}. There are: ${Object.keys(benches).join(', ')}.`)
  process.exit(2)
}
console.log(`${machine()}; PostgreSQL 18 embedded, fsync and synchronous_commit on; ${new Date().toISOString().slice(0, 10)}`)
for (const [name, bench] of Object.entries(benches)) if (wanted.length === 0 || wanted.includes(name)) await bench()
