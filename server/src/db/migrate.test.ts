import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { MigrationProblem, plan, readMigrations } from './migrate.ts'

const directoryWith = (t: TestContext, files: Record<string, string>) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'plantain-migrations-'))
  t.after(() => rmSync(directory, { recursive: true }))
  for (const [name, sql] of Object.entries(files)) writeFileSync(path.join(directory, name), sql)
  return directory
}

const refuses = (title: string, files: Record<string, string>, message: RegExp) => test(title, async t => {
  await assert.rejects(readMigrations(directoryWith(t, files)), (error: Error) => error instanceof MigrationProblem && message.test(error.message))
})

refuses('a number may not be there twice', { '0001_a.sql': '', '0001_b.sql': '' }, /0001_b\.sql has the number of 0001_a\.sql/)
test('a number may be missing: it may come later', async t => {
  const migrations = await readMigrations(directoryWith(t, { '0001_a.sql': 'select 1;', '0003_c.sql': 'select 3;' }))
  assert.deepEqual(migrations.map(({ number }) => number), [1, 3])
  const [a, c] = migrations
  const b = { ...a!, number: 2, name: 'b' }
  assert.deepEqual(plan([a!, b, c!], [a!, c!]), [b])
})
refuses('a file is called NNNN_name.sql', { '1-a.sql': '' }, /NNNN_name\.sql/)

test('line ends do not make another migration', async t => {
  const [unix] = await readMigrations(directoryWith(t, { '0001_a.sql': 'select 1;\n' }))
  const [windows] = await readMigrations(directoryWith(t, { '0001_a.sql': 'select 1;\r\n' }))
  assert.deepEqual(unix, windows)
})

const migration = (number: number) => ({ number, name: `m${number}`, sha256: `sha${number}`, sql: '' })

test('what is not applied yet is planned, in order', () => {
  assert.deepEqual(plan([migration(1), migration(2), migration(3)], [migration(1)]).map(({ number }) => number), [2, 3])
})

test('an edited file is refused', () => {
  assert.throws(() => plan([migration(1)], [{ ...migration(1), sha256: 'other' }]), /0001_m1 was edited after it was applied/)
})

test('a database newer than the code is refused', () => {
  assert.throws(() => plan([migration(1)], [migration(1), migration(2)]), /The database is newer than this code: it has migration 0002_m2, and the last one here is 0001/)
})

test('the migrations of the house can be read', async () => {
  await readMigrations()
})
