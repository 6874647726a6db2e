/**
 * What the database reads for a task: rows, not tables. A statement that takes a whole group in goes wrong silently when the planner
 * believes the group to be large: everything stays right, and every task costs as much as the tables have rows.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Database } from '../src/db/pool.ts'
import { testDatabase } from './kit/database.ts'
import { ended, newPerson, submit, testEngine, until } from './kit/engine.ts'

let database: Database
let close: () => Promise<void>
before(async () => { ({ database, close } = await testDatabase()) })
after(() => close())

const rowsMade = 3_000
const tasksMade = 24
const watched = ['task', 'attempt', 'idempotency', 'recent_call', 'balance', 'blob', 'asset', 'endpoint', 'ledger', 'provider_cost']

async function readScans(): Promise<Map<string, { whole: number; byIndex: number }>> {
  const { rows } = await database.query<{ relname: string; whole: number; by_index: number }>(
    'select relname, coalesce(seq_tup_read, 0)::int as whole, coalesce(idx_scan, 0)::int as by_index from pg_stat_user_tables where relname = any($1)', [watched])
  return new Map(rows.map(row => [row.relname, { whole: row.whole, byIndex: row.by_index }]))
}

test('a task’s life reads no table from end to end', async () => {
  const { engine } = testEngine(database)
  await engine.start()
  try {
    const caller = await newPerson(database, { dollars: 1_000 })
    await ended(engine, caller, (await submit(engine, caller)).taskId)
    for (const sql of [
      `insert into account (id, name) select gen_random_uuid(), 'Account ' || n from generate_series(1, $1) n`,
      `insert into project (id, account_id, name) select gen_random_uuid(), id, 'Project' from account limit $1`,
      `insert into balance (account_id, livemode) select id, true from account limit $1 on conflict do nothing`,
      `insert into idempotency (project_id, livemode, key, body_sha256, task_id) select (select project_id from task limit 1), false, 'key ' || n, '\\x00', gen_random_uuid() from generate_series(1, $1) n`,
      `insert into recent_call (key_id, body_sha256, task_id) select (select key_id from task limit 1), sha256(('call ' || n)::bytea), gen_random_uuid() from generate_series(1, $1) n`,
      `insert into attempt (task_id, number, provider, upstream_model) select gen_random_uuid(), 1, 'made-up', 'model' from generate_series(1, $1) n`,
      `insert into blob (sha256, mime, size_bytes) select sha256(('blob ' || n)::bytea), 'image/png', 1 from generate_series(1, $1) n`,
      `insert into asset (id, project_id, livemode, kind, sha256) select gen_random_uuid(), gen_random_uuid(), false, 'output', sha256(('blob ' || n)::bytea) from generate_series(1, $1) n`,
      `insert into endpoint (id, project_id, livemode, url, events, secret) select gen_random_uuid(), id, true, 'https://example.com/', '{*}', 'x' from project limit $1`,
      `insert into ledger (kind, account_id, livemode, task_id, amount_micros) select 'hold', gen_random_uuid(), false, gen_random_uuid(), 0 from generate_series(1, $1) n`,
      `insert into task (id, account_id, project_id, key_id, livemode, state, attempts_max, model, model_asked, operation, prompt, parameters, inputs, count, priority, rank, provider, upstream_model, price_micros, end_by)
       select gen_random_uuid(), account_id, project_id, key_id, livemode, 'done', attempts_max, model, model_asked, operation, prompt, parameters, inputs, count, priority, rank, provider, upstream_model, price_micros, end_by
       from (select * from task limit 1) t, generate_series(1, $1)`,
    ]) await database.query(sql, [rowsMade])
    await database.query('analyze')
    // What was counted so far arrives a moment later.
    const earlier = await readScans()
    let settled = earlier
    await until(async () => {
      const seen = await readScans()
      const still = watched.every(name => seen.get(name)!.whole === settled.get(name)!.whole)
      settled = seen
      await new Promise(resolve => { setTimeout(resolve, 600) })
      return still
    }, 'counters that stand still')
    for (let n = 0; n < tasksMade; n++) {
      const keyed = n % 2 === 0 ? { idempotencyKey: `own ${n}` } : { retryCount: n % 3 }
      const { taskId } = await submit(engine, caller, { prompt: `Picture ${n}`, ...keyed })
      assert.equal((await ended(engine, caller, taskId)).state, 'done')
    }
    await until(async () => (await readScans()).get('idempotency')!.byIndex >= settled.get('idempotency')!.byIndex + tasksMade / 2, 'counters that have arrived')
    const after = await readScans()
    // The database itself looks at a few rows now and then; a table read once for each task would be far more.
    for (const name of watched) assert.ok(after.get(name)!.whole - settled.get(name)!.whole < rowsMade, `${name}: ${after.get(name)!.whole - settled.get(name)!.whole} rows were read from end to end`)
  } finally { await engine.stop(2_000) }
})
