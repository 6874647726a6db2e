/** (c) Ten thousand tasks in the making at once, each looked after every 3 s, in one process. */
import { newPerson, until } from '../test/kit/engine.ts'
import { benchEngine, order, waiting } from './engine.ts'
import { benchDatabase, pause, round, table } from './kit.ts'

const tasks = 10_000

export async function inFlight(): Promise<void> {
  const bench = await benchDatabase()
  const { engine, close } = await benchEngine(bench.database, { submit: async () => waiting, poll: async () => waiting })
  const caller = await newPerson(bench.database, { dollars: 1_000 })
  const idle = process.memoryUsage().rss
  const begun = performance.now()
  await Promise.all(Array.from({ length: tasks }, () => order(engine, caller)))
  const submitted = performance.now() - begun
  await until(async () => (await bench.database.query(`select count(*)::int as count from task where state = 'waiting'`)).rows[0].count >= tasks * 0.9, 'all to be in the making', 120_000)
  const started = performance.now() - begun
  let peak = 0
  const before = (await bench.database.query('select sum(polls)::int as polls from task')).rows[0].polls
  const cpu = process.cpuUsage()
  const watched = 10_000
  for (const end = performance.now() + watched; performance.now() < end; await pause(50)) peak = Math.max(peak, process.memoryUsage().rss)
  const spent = process.cpuUsage(cpu)
  const looks = (await bench.database.query('select sum(polls)::int as polls from task')).rows[0].polls - before
  await close()
  await bench.close()
  table('(c) Ten thousand tasks in the making', [{
    tasks, 'all submitted ms': Math.round(submitted), 'all begun ms': Math.round(started), 'looks/s': Math.round(looks / watched * 1000),
    'memory peak MB': Math.round(peak / 2 ** 20), 'above idle MB': Math.round((peak - idle) / 2 ** 20), 'CPU of this process %': round((spent.user + spent.system) / 1000 / watched * 100),
  }])
}
