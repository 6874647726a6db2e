/** (d) Submit and status with a thousand and with a million tasks in the table. */
import { newPerson, ownerOf } from '../test/kit/engine.ts'
import { benchEngine, order } from './engine.ts'
import { benchDatabase, percentile, round, table } from './kit.ts'

const samples = 400

export async function size(): Promise<void> {
  const rows: Record<string, string | number>[] = []
  const bench = await benchDatabase()
  const { engine, close } = await benchEngine(bench.database)
  const caller = await newPerson(bench.database, { dollars: 1_000 })
  try {
    for (const count of [1_000, 1_000_000]) {
      const { rows: [{ have }] } = await bench.database.query('select count(*)::int as have from task')
      await bench.database.query(`
        insert into task (id, account_id, project_id, key_id, livemode, state, attempts_max, model, model_asked, operation, prompt, parameters, inputs, count, priority, rank, provider, upstream_model, price_micros, charged_micros, ended_at, end_by)
        select uuidv7(- interval '30 days' * random() - interval '1 minute'), $1, $2, $3, false, 'done', 8, 'model', 'model', 'generate', 'a cat on a mat, in the manner of a tired photographer', '{}', '[]', 1, 'interactive', number, 'made-up', 'model', 5, 5, now(), now()
        from generate_series(1, $4::int) number`, [caller.accountId, caller.projectId, caller.keyId, Math.max(0, count - have)])
      await bench.database.query('vacuum analyze task')
      // What loading a million rows left to be written must not be measured as the price of a submit.
      await bench.database.query('checkpoint')
      const [submits, finds, lists]: number[][] = [[], [], []]
      for (let index = 0; index < samples; index++) {
        const begun = performance.now()
        const { taskId } = await order(engine, caller)
        submits!.push(performance.now() - begun)
        await engine.settled(ownerOf(caller), taskId, 10_000)
        const asked = performance.now()
        await engine.find(ownerOf(caller), taskId)
        finds!.push(performance.now() - asked)
        if (index % 10 === 0) {
          const listed = performance.now()
          await engine.list({ ...ownerOf(caller), after: null, limit: 20, states: null, model: null, operation: null, createdAfter: null, createdBefore: null, metadata: null, template: null })
          lists!.push(performance.now() - listed)
        }
      }
      rows.push({
        'rows in task': count, 'submit p50 / p99 ms': `${round(percentile(submits!, 0.5), 2)} / ${round(percentile(submits!, 0.99), 2)}`,
        'status p50 / p99 ms': `${round(percentile(finds!, 0.5), 2)} / ${round(percentile(finds!, 0.99), 2)}`, 'first page of 20 p50 ms': round(percentile(lists!, 0.5), 2),
      })
    }
  } finally {
    await close()
    await bench.close()
  }
  table('(d) Submit and status by table size', rows)
}
