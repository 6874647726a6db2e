/** (b) From the acknowledged submit to the provider being called: in one process, and with the worker in another (NOTIFY). */
import { newPerson } from '../test/kit/engine.ts'
import { createEngine } from '../src/engine/engine.ts'
import { openListener, openNotifier } from '../src/db/listen.ts'
import { newId } from '../src/kit/id.ts'
import { createLog } from '../src/kit/log.ts'
import { benchEngine, order } from './engine.ts'
import { benchDatabase, pause, percentile, round, table } from './kit.ts'

const samples = 300

export async function latency(): Promise<void> {
  const rows: Record<string, string | number>[] = []
  for (const apart of [false, true]) {
    const bench = await benchDatabase()
    const begunAt = new Map<string, number>()
    const worker = await benchEngine(bench.database, { begun: taskId => { begunAt.set(taskId, performance.now()) } })
    const notifier = openNotifier({ url: bench.url })
    const listener = await openListener({ url: bench.url, channels: { plantain_work: ids => worker.engine.hear('plantain_work', ids) }, onGap: () => {} })
    const now = () => new Date()
    const log = createLog('error')
    // The other process takes orders and does no work: its hints go through the database.
    const door = apart ? createEngine({
      database: bench.database, workerId: newId(), benches: new Map(), work: null, delivers: false, deliver: () => {}, freeDeliveries: async () => {}, lostAfterMs: 10_000, log, now,
      notify: (channel, ids) => notifier.notify(channel, ids),
      tools: { findCard: () => null, inputsOf: async () => [], readBytes: async () => Buffer.alloc(0), linkFor: () => null, storeMade: async () => { throw new Error() }, callbackUrl: () => null, outputExpiry: () => null, now, chance: Math.random, log },
    }) : worker.engine
    const caller = await newPerson(bench.database)
    const latencies: number[] = []
    for (let index = 0; index < samples; index++) {
      const { taskId } = await order(door, caller)
      const acknowledged = performance.now()
      await worker.engine.settled({ projectId: caller.projectId, livemode: false }, taskId, 5_000)
      latencies.push(Math.max(0, begunAt.get(taskId)! - acknowledged))
      await pause(5)
    }
    await notifier.close()
    await listener.close()
    await worker.close()
    await bench.close()
    rows.push({ worker: apart ? 'another process (NOTIFY)' : 'same process', samples, 'p50 ms': round(percentile(latencies, 0.5), 2), 'p99 ms': round(percentile(latencies, 0.99), 2) })
  }
  table('(b) Wake-up: acknowledged submit to provider call', rows)
}
