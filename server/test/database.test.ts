import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { DatabaseDown } from '../src/db/down.ts'
import { openListener, openNotifier, writePayloads } from '../src/db/listen.ts'
import { migrate } from '../src/db/migrate.ts'
import { openDatabase } from '../src/db/pool.ts'
import { testDatabase } from './kit/database.ts'

async function fresh(t: TestContext) {
  const made = await testDatabase()
  t.after(made.close)
  return made
}

/** Waits for a condition; the test's own time limit is the end of its patience. */
async function until(condition: () => boolean | Promise<boolean>) {
  while (!await condition()) await new Promise(resolve => { setTimeout(resolve, 5) })
}

test('every test has a database of its own, migrated', async t => {
  const [one, other] = [await fresh(t), await fresh(t)]
  await one.database.query('create table only_here ()')
  const { rows } = await other.database.query(`select to_regclass('only_here') as here, (select count(*) from schema_migration) as migrations`)
  assert.equal(rows[0].here, null)
  assert.ok(rows[0].migrations > 0)
})

test('types: int8 is a number, numeric is text, timestamptz is a Date, date is text', async t => {
  const { database } = await fresh(t)
  const { rows } = await database.query(
    `select 9007199254740991::int8 as int8, array[1, null]::int8[] as many, 1.10::numeric as numeric, '2026-01-02 03:04:05.678+00'::timestamptz as at, '2026-01-02'::date as day`)
  assert.deepEqual({ ...rows[0] }, { int8: 9007199254740991, many: [1, null], numeric: '1.10', at: new Date('2026-01-02T03:04:05.678Z'), day: '2026-01-02' })
})

test('an int8 that a number cannot hold is an error, not another amount', async t => {
  const { database } = await fresh(t)
  await assert.rejects(database.query('select 9007199254740993::int8'), RangeError)
  assert.equal((await database.query('select 1 as one')).rows[0].one, 1)
})

test('a statement with a name is prepared once', async t => {
  const { url } = await fresh(t)
  const single = openDatabase({ url, max: 1 })
  t.after(single.close)
  for (const number of [1, 2]) assert.equal((await single.query({ name: 'same', text: 'select $1::int as number' }, [number])).rows[0].number, number)
  const { rows } = await single.query('select name from pg_prepared_statements')
  assert.deepEqual(rows.map(({ name }) => name), ['same'])
})

test('a transaction that throws leaves nothing', async t => {
  const { database } = await fresh(t)
  await database.query('create table thing (id int8)')
  await assert.rejects(database.transaction(async client => {
    await client.query('insert into thing values (1)')
    throw new Error('no')
  }), /^Error: no$/)
  await database.transaction(client => client.query('insert into thing values (2)'))
  assert.deepEqual((await database.query('select id from thing')).rows, [{ id: 2 }])
})

test('a transaction that swallowed a failure is not reported as done', async t => {
  const { database } = await fresh(t)
  await assert.rejects(database.transaction(client => client.query('select 1/0').catch(() => {})), /was rolled back/)
})

test('a connection lost in a transaction is DatabaseDown, did not happen, and the next one works', async t => {
  const { database } = await fresh(t)
  await assert.rejects(database.transaction(async client => {
    const { rows: [{ pid }] } = await client.query('select pg_backend_pid() as pid')
    await database.query('select pg_terminate_backend($1)', [pid])
    await client.query('select 1')
  }), (error: DatabaseDown) => error instanceof DatabaseDown && !error.mayHaveHappened)
  await database.transaction(client => client.query('select 1'))
})

test('a statement whose connection is lost may have happened', async t => {
  const { database } = await fresh(t)
  await assert.rejects(
    database.query('select pg_terminate_backend(pg_backend_pid())'),
    (error: DatabaseDown) => error instanceof DatabaseDown && error.mayHaveHappened)
})

test('a database that is not there is DatabaseDown and nothing happened', async () => {
  const database = openDatabase({ connection: { host: os.tmpdir(), port: 1, user: 'postgres', database: 'postgres' } })
  await assert.rejects(database.query('select 1'), (error: DatabaseDown) => error instanceof DatabaseDown && !error.mayHaveHappened)
  await database.close()
})

test('ids that are told arrive, whole and in several payloads', async t => {
  const { url } = await fresh(t)
  const heard: string[] = []
  const listener = await openListener({ url, channels: { 'task.done': ids => heard.push(...ids) }, onGap: () => {} })
  const notifier = openNotifier({ url })
  const ids = Array.from({ length: 1_000 }, (_, index) => `task_${String(index).padStart(20, '0')}`)
  for (const id of ids) notifier.notify('task.done', [id, id])
  await notifier.close()
  await until(() => heard.length >= ids.length)
  assert.deepEqual(heard, ids)
  await listener.close()
})

test('what one says oneself is not heard', async t => {
  const { url } = await fresh(t)
  const heard: string[] = []
  const listener = await openListener({ url, channels: { done: ids => heard.push(...ids) }, onGap: () => {}, except: 'me' })
  const [mine, yours] = [openNotifier({ url, from: 'me' }), openNotifier({ url, from: 'you' })]
  mine.notify('done', ['one', 'two'])
  await mine.close()
  yours.notify('done', ['three', 'four'])
  await yours.close()
  await until(() => heard.length >= 2)
  assert.deepEqual(heard, ['three', 'four'])
  await listener.close()
})

test('who listens alone knows it, hears of who comes, and finds out who has gone', async t => {
  const { url, database } = await fresh(t)
  const open = () => openListener({ url, channels: { done: () => {} }, onGap: () => {} })
  const first = await open()
  assert.equal(first.isAlone(), true)
  const second = await open()
  await until(() => !first.isAlone())
  assert.equal(second.isAlone(), false)
  await second.close()
  // A connection that was lost counts anew when it is back.
  await until(async () => (await database.query(`select from pg_stat_activity where application_name = 'plantain listen' and datname = current_database()`)).rowCount === 1)
  await database.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'plantain listen' and datname = current_database()`)
  await until(() => first.isAlone())
  await first.close()
})

test('payloads stay below what PostgreSQL takes', () => {
  const ids = Array.from({ length: 999 }, (_, index) => `ä${index}`.padEnd(30, 'x'))
  const payloads = writePayloads(ids)
  assert.ok(payloads.every(payload => Buffer.byteLength(payload) < 8_000))
  assert.deepEqual(payloads.join(',').split(','), ids)
})

test('an id with a comma is refused', async t => {
  const { url } = await fresh(t)
  const notifier = openNotifier({ url })
  assert.throws(() => notifier.notify('task.done', ['a,b']), TypeError)
  await notifier.close()
})

test('a listener and a notifier that lost their connections come back, and the listener says so', async t => {
  const { url, database } = await fresh(t)
  const heard: string[] = []
  let gaps = 0
  const listener = await openListener({ url, channels: { done: ids => heard.push(...ids) }, onGap: () => { gaps++ } })
  const notifier = openNotifier({ url })
  notifier.notify('done', ['before'])
  await until(() => heard.includes('before'))
  await database.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name in ('plantain listen', 'plantain notify') and datname = current_database()`)
  await until(() => gaps === 1)
  notifier.notify('done', ['after'])
  await until(() => heard.includes('after'))
  assert.deepEqual(heard, ['before', 'after'])
  await notifier.close()
  await listener.close()
})

test('migrations: applied once, by several at a time, and an edited or unknown one is refused', async t => {
  const { url, database } = await fresh(t)
  await database.query('drop table schema_migration')
  const directory = mkdtempSync(path.join(os.tmpdir(), 'plantain-migrations-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const write = (name: string, sql: string) => writeFileSync(path.join(directory, name), sql)
  const run = () => migrate({ url, directory })

  write('0001_first.sql', 'create table first_thing (id int8);\ninsert into first_thing values (1);\n')
  write('0002_second.sql', 'create table second_thing (id int8);\n')
  const answers = await Promise.all([run(), run(), run()])
  assert.deepEqual(answers.flatMap(({ applied }) => applied).sort(), [1, 2])
  assert.deepEqual((await database.query('select count(*) as count from first_thing')).rows, [{ count: 1 }])
  assert.deepEqual(await run(), { applied: [], version: 2 })

  write('0003_third.sql', 'create table third_thing (id int8);\n\nselect nonsense from nowhere;\n')
  await assert.rejects(run(), /0003_third failed in line 3: .*nowhere.* Nothing of it was kept/)
  assert.equal((await database.query(`select to_regclass('third_thing') as there`)).rows[0].there, null)
  write('0003_third.sql', 'create table third_thing (id int8);\n')
  assert.deepEqual(await run(), { applied: [3], version: 3 })

  write('0002_second.sql', 'create table second_thing (id int8, more text);\n')
  await assert.rejects(run(), /0002_second was edited/)
  write('0002_second.sql', 'create table second_thing (id int8);\n')
  rmSync(path.join(directory, '0003_third.sql'))
  await assert.rejects(run(), /newer than this code/)
})
