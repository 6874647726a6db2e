/**
 * (g) Workflows: what a node costs beside a bare task, in a graph of a thousand nodes and in a list of ten thousand items.
 *
 * One house, an upstream beside it that answers at once, the same order each time. A node that buys is a task and the keeping of the graph around
 * it; one that computes (`pick`) is the keeping alone.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { readConfig } from '../src/config.ts'
import type { ExecutionOrder } from '../src/domain/graph/execution.ts'
import type { Graph } from '../src/domain/graph/graph.ts'
import { startHouse } from '../src/house.ts'
import { createLog } from '../src/kit/log.ts'
import { grant } from '../src/ledger/ledger.ts'
import type { Desk } from '../src/protocols/contract.ts'
import { testSettings } from '../test/kit/house.ts'
import { benchDatabase, pause, round, table, type BenchDatabase } from './kit.ts'

const wire = (from: string, to: string) => { const [[a, p], [b, q]] = [from.split('.'), to.split('.')] as [[string, string], [string, string]]; return { from: { node: a, port: p }, to: { node: b, port: q } } }
const prompts = (count: number) => Array.from({ length: count }, (_, index) => `a cat on mat ${index}`)
const maker = (id: string) => ({ id, kind: 'generate', settings: { model: 'rehearsal-1' } })

/** A list, a node after it for each item, and all of it in a list again: purchases or, with `pick`, what costs nothing. */
const overList = (count: number, buys: boolean): ExecutionOrder => ({
  graph: {
    nodes: [{ id: 'all', kind: 'list', settings: { items: buys ? prompts(count) : prompts(count).map(one => [one]) } }, { id: 'each', kind: 'iterate', settings: {} }, buys ? maker('one') : { id: 'one', kind: 'pick', settings: {} }, { id: 'again', kind: 'collect', settings: {} }, { id: 'out', kind: 'output', settings: {} }],
    edges: [wire('all.items', 'each.items'), wire('each.item', buys ? 'one.prompt' : 'one.list'), wire(buys ? 'one.image' : 'one.value', 'again.items'), wire('again.items', 'out.value')], exposed: [],
  }, parallelism: 256, force: true,
})

/** A thousand nodes: side by side, each with a prompt of its own, or one behind the other in rows of two hundred. */
const wide = (count: number): Graph => ({ nodes: prompts(count).map((prompt, index) => ({ ...maker(`make-${index}`), settings: { model: 'rehearsal-1', prompt } })), edges: [], exposed: [] })
const deep = (count: number, row = 200): Graph => ({
  nodes: Array.from({ length: count }, (_, index) => ({ id: `n${index}`, ...index % row === 0 ? { kind: 'list', settings: { items: [index] } as Graph['nodes'][number]['settings'] } : { kind: 'merge', settings: {} } })),
  edges: Array.from({ length: count }, (_, index) => index).filter(index => index % row !== 0).map(index => wire(`n${index - 1}.${index % row === 1 ? 'items' : 'values'}`, `n${index}.values`)), exposed: [],
})

/** CPU of PostgreSQL's processes so far, in milliseconds, out of /proc. */
async function databaseCpu({ pid, database }: BenchDatabase): Promise<number> {
  const { rows } = await database.query<{ pid: number }>('select pid from pg_stat_activity where pid is not null')
  const times = await Promise.all([pid, ...rows.map(row => row.pid)].map(async one => {
    const fields = (await readFile(`/proc/${one}/stat`, 'utf8').catch(() => '')).split(') ')[1]?.split(' ')
    return fields ? Number(fields[11]) + Number(fields[12]) : 0
  }))
  return times.reduce((sum, one) => sum + one, 0) * 10
}

export async function workflows(): Promise<void> {
  const bench = await benchDatabase({ max: 4 })
  const dataDir = await mkdtemp(join(tmpdir(), 'plantain-bench-'))
  const upstream = spawn(process.execPath, [join(import.meta.dirname, '../src/providers/rehearsal/upstream.ts'), '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(createInterface(upstream.stdout), 'line') as [string]
  const config = readConfig({ ...testSettings({ databaseUrl: bench.url, dataDir, upstreamUrl: (JSON.parse(line) as { url: string }).url }), DATABASE_POOL: '12', LOG_LEVEL: 'error' })
  const house = await startHouse(config, { roles: ['work'], log: createLog(config.LOG_LEVEL) })
  const rows: Record<string, string | number>[] = []
  try {
    const { rows: [project] } = await bench.database.query<{ id: string; account_id: string }>('select id, account_id from project limit 1')
    await bench.database.transaction(client => grant(client, { accountId: project!.account_id, livemode: true }, 1_000_000_000_000, 'Bench'))
    const { key } = await house.access.createKeyForOperator(project!.id, { name: 'Bench', livemode: true, scopes: ['admin'], expiresAt: null, limits: { requestsPerMinute: null, executionsPerDay: null, concurrent: null } })
    const desk = house.deskFor((await house.access.callerOf(key.id))!)
    await bare(desk, 100)
    let floor = 0
    const measure = async (work: string, count: number, bought: number, act: () => Promise<unknown>) => {
      const [idle, cpu, base] = [process.memoryUsage().rss, process.cpuUsage(), await databaseCpu(bench)]
      let peak = idle
      const watch = setInterval(() => { peak = Math.max(peak, process.memoryUsage().rss) }, 50)
      const begun = performance.now()
      await act()
      const ms = performance.now() - begun
      clearInterval(watch)
      const spent = process.cpuUsage(cpu)
      if (floor === 0) floor = ms / count
      rows.push({
        work, 'nodes run': count, bought, seconds: round(ms / 1_000), 'ms each': round(ms / count, 2), 'of a bare task': round(ms / count / floor, 2),
        'CPU ms each': round((spent.user + spent.system) / 1_000 / count, 2), "PostgreSQL's CPU ms each": round((await databaseCpu(bench) - base) / count, 2), 'peak MB': Math.round(peak / 2 ** 20), 'above idle MB': Math.round((peak - idle) / 2 ** 20),
      })
    }
    await measure('bare tasks, 256 at once', 1_000, 1_000, () => bare(desk, 1_000))
    await measure('1,000 nodes that buy, side by side', 1_000, 1_000, () => run(desk, { graph: wide(1_000), parallelism: 256, force: true }))
    await measure('1,000 nodes that compute, five chains of 200', 1_000, 0, () => run(desk, { graph: deep(1_000), force: true }))
    await measure('10,000 items that are bought', 10_003, 10_000, () => run(desk, overList(10_000, true)))
    await measure('10,000 items that are computed', 10_003, 0, () => run(desk, overList(10_000, false)))
  } finally {
    await house.close()
    upstream.kill()
    await bench.close()
    await rm(dataDir, { recursive: true, force: true })
  }
  table('(g) Workflows: a node beside a bare task', rows)
}

/** So many tasks, 256 under way at once. */
async function bare(desk: Desk, count: number): Promise<void> {
  const waiting = prompts(count)
  await Promise.all(Array.from({ length: 256 }, async () => {
    for (let prompt = waiting.pop(); prompt !== undefined; prompt = waiting.pop()) {
      const { task } = await desk.submit({ model: 'rehearsal-1', prompt, parameters: {}, inputs: [] })
      const ended = await desk.settled(task.id, { waitMs: 60_000 })
      if (ended.state !== 'done') throw new Error(`A task ended as ${ended.state}: ${ended.problem?.message}`)
    }
  }))
}

async function run(desk: Desk, order: ExecutionOrder): Promise<void> {
  const { execution } = await desk.workflows.begin(order)
  for (;;) {
    const found = await desk.workflows.settled(execution.id, 30_000)
    if (found!.state === 'done') return
    if (found!.state !== 'running') throw new Error(`An execution ended as ${found!.state}: ${found!.problem?.message}`)
    await pause(10)
  }
}
