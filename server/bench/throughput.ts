/**
 * (a) Whole tasks a second: submit → made → settled → delivered to a loopback receiver, against raw commits on the same PostgreSQL.
 *
 * The raw floor is what a task costs when every step is one transaction of its own with its ledger row (submit, claim, settle),
 * once with pgbench (a C client) and once with our own driver.
 */
import { spawnSync } from 'node:child_process'
import { writeFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Database } from '../src/db/pool.ts'
import { newPerson } from '../test/kit/engine.ts'
import { benchEngine, benchReceiver, order } from './engine.ts'
import { benchDatabase, percentile, round, slowDisk, table, type BenchDatabase } from './kit.ts'

const secondsEach = 5

const rawTables = `
  create table raw_account (id int primary key, balance bigint not null check (balance >= 0)) with (fillfactor = 50);
  create table raw_ledger (id bigint generated always as identity primary key, account_id int not null, task_id uuid not null, kind text not null, amount bigint not null, unique (task_id, kind));
  create table raw_task (id uuid primary key, account_id int not null, input jsonb not null, cost bigint not null, status text not null default 'queued', created_at timestamptz not null default now()) with (fillfactor = 80);
  create index on raw_task (created_at) where status = 'queued';
  insert into raw_account select number, 1000000000000 from generate_series(1, 500) number`

/** One task as three transactions, for pgbench. */
const script = `\\set account random(1, 500)
select gen_random_uuid()::text as id \\gset
with d as (update raw_account set balance = balance - 5 where id = :account and balance >= 5 returning id), h as (insert into raw_ledger (account_id, task_id, kind, amount) select id, :id::uuid, 'hold', -5 from d) insert into raw_task (id, account_id, input, cost) select :id::uuid, id, '{"prompt": "a cat on a mat, in the manner of a tired photographer"}', 5 from d;
update raw_task set status = 'running' where id = :id::uuid and status = 'queued';
with t as (update raw_task set status = 'done' where id = :id::uuid and status = 'running' returning id, account_id) insert into raw_ledger (account_id, task_id, kind, amount) select account_id, id, 'settle', 0 from t;
`

async function pgbench(bench: BenchDatabase, clients: number): Promise<number | null> {
  if (spawnSync('pgbench', ['--version']).status !== 0) return null
  const file = join(tmpdir(), `plantain-raw-${process.pid}.sql`)
  await writeFile(file, script)
  const run = spawnSync('pgbench', ['-h', bench.socket, '-p', '5432', '-U', 'postgres', '-n', '-M', 'prepared', '-f', file, '-c', String(clients), '-j', '2', '-T', String(secondsEach), 'postgres'], { encoding: 'utf8' })
  await rm(file)
  const match = /tps = ([\d.]+)/.exec(run.stdout)
  return match ? Number(match[1]) : null
}

async function driver(database: Database, clients: number): Promise<number> {
  let count = 0
  const end = performance.now() + secondsEach * 1000
  await Promise.all(Array.from({ length: clients }, async () => {
    while (performance.now() < end) {
      const { rows: [{ id }] } = await database.query({ name: 'raw submit', text: `with d as (update raw_account set balance = balance - 5 where id = $1 and balance >= 5 returning id), i as (select gen_random_uuid() as task), h as (insert into raw_ledger (account_id, task_id, kind, amount) select id, task, 'hold', -5 from d, i) insert into raw_task (id, account_id, input, cost) select task, id, '{"prompt": "a cat on a mat, in the manner of a tired photographer"}', 5 from d, i returning id` }, [1 + Math.floor(Math.random() * 500)])
      await database.query({ name: 'raw claim', text: `update raw_task set status = 'running' where id = $1 and status = 'queued'` }, [id])
      await database.query({ name: 'raw settle', text: `with t as (update raw_task set status = 'done' where id = $1 and status = 'running' returning id, account_id) insert into raw_ledger (account_id, task_id, kind, amount) select account_id, id, 'settle', 0 from t` }, [id])
      count++
    }
  }))
  return count / secondsEach
}

export async function ours(database: Database, clients: number, deliver: boolean) {
  const receiver = await benchReceiver()
  const { engine, close } = await benchEngine(database)
  const people = await Promise.all(Array.from({ length: 20 }, () => newPerson(database, { dollars: 1_000 })))
  const latencies: number[] = []
  let index = 0
  const one = async () => {
    const caller = people[index++ % people.length]!
    const begun = performance.now()
    const { taskId } = await order(engine, caller, deliver ? receiver.url : undefined)
    const task = await engine.settled({ projectId: caller.projectId, livemode: false }, taskId, 60_000)
    if (task?.state !== 'done') throw new Error(`A task ended as ${task?.state}: ${task?.problem?.message}`)
    latencies.push(performance.now() - begun)
  }
  for (let warm = 0; warm < 50; warm++) await one()
  latencies.length = 0
  const told = receiver.count()
  const begun = performance.now()
  const end = begun + secondsEach * 1000
  await Promise.all(Array.from({ length: clients }, async () => { while (performance.now() < end) await one() }))
  const target = latencies.length
  if (deliver) while (receiver.count() - told < target) await new Promise(resolve => { setTimeout(resolve, 5) })
  const seconds = (performance.now() - begun) / 1000
  await close()
  await receiver.close()
  return { perSecond: target / seconds, p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) }
}

export async function throughput(): Promise<void> {
  const bench = await benchDatabase()
  await bench.database.query(rawTables)
  const rows: Record<string, string | number>[] = []
  try {
    for (const slower of [0, 2]) {
      const restore = slower === 0 ? async () => {} : await slowDisk(bench, slower)
      if (restore === null) { console.log('(no strace: the slower disk is left out)'); break }
      for (const clients of [1, 16, 256]) {
        const floor = await driver(bench.database, clients)
        const c = await pgbench(bench, Math.min(clients, 64))
        const whole = await ours(bench.database, clients, true)
        const plain = await ours(bench.database, clients, false)
        rows.push({
          disk: slower === 0 ? 'as it is' : `+${slower} ms`, callers: clients, 'delivered tasks/s': Math.round(whole.perSecond), 'p50 / p99 ms': `${round(whole.p50)} / ${round(whole.p99)}`,
          'without webhook /s': Math.round(plain.perSecond), 'raw pgbench /s': c === null ? 'not installed' : Math.round(c), 'raw driver /s': Math.round(floor),
          'ratio to pgbench': c === null ? '' : round(whole.perSecond / c, 2), 'ratio without webhook': c === null ? '' : round(plain.perSecond / c, 2),
        })
      }
      await restore()
    }
  } finally { await bench.close() }
  table('(a) Whole tasks a second', rows)
}
