/**
 * Brings a database to the shape this code expects.
 *
 * Forward only, numbered, each file in a transaction of its own. A file is not edited once it has been applied anywhere:
 * its sha256 is written down and checked at every start.
 */
import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import { Client } from 'pg'
import { type Address, clientConfig } from './address.ts'
import { readLoss } from './down.ts'
import { locks } from './locks.ts'
import { type Log, silent } from './log.ts'

export const migrationsDirectory = path.join(import.meta.dirname, 'migrations')

export interface Migration {
  number: number
  name: string
  sha256: string
  sql: string
}

export type AppliedMigration = Pick<Migration, 'number' | 'name' | 'sha256'>

/** The migrations cannot be applied to this database; the message says what to do. */
export class MigrationProblem extends Error {
  override name = 'MigrationProblem'
}

/**
 * Reads the numbered files, in order. Numbers may have gaps: work that began later may be done earlier.
 *
 * @throws {MigrationProblem} when a name is not `NNNN_name.sql`, or a number is there twice
 */
export async function readMigrations(directory = migrationsDirectory): Promise<Migration[]> {
  const names = (await readdir(directory)).filter(name => name.endsWith('.sql')).sort()
  const seen = new Map<string, string>()
  return Promise.all(names.map(async file => {
    const [, number, name] = /^(\d{4})_([a-z0-9_]+)\.sql$/.exec(file) ?? []
    if (number === undefined || name === undefined) throw new MigrationProblem(`${file} is no migration: call it NNNN_name.sql.`)
    if (seen.has(number)) throw new MigrationProblem(`${file} has the number of ${seen.get(number)}. Give it the next free one.`)
    seen.set(number, file)
    // A checkout with other line ends is still the same migration.
    const sql = (await readFile(path.join(directory, file), 'utf8')).replaceAll('\r\n', '\n')
    return { number: Number(number), name, sha256: createHash('sha256').update(sql).digest('hex'), sql }
  }))
}

/**
 * Says which migrations are still to be done.
 *
 * @throws {MigrationProblem} when the database has one we do not know, or an applied file was edited
 */
export function plan(migrations: Migration[], applied: AppliedMigration[]): Migration[] {
  const known = new Map(migrations.map(migration => [migration.number, migration]))
  for (const old of applied) {
    const migration = known.get(old.number)
    const title = `${writeNumber(old.number)}_${old.name}`
    if (!migration) {
      throw new MigrationProblem(`The database is newer than this code: it has migration ${title}, and the last one here is ${writeNumber(migrations.at(-1)?.number ?? 0)}. Start the version that made it, or a later one.`)
    }
    if (migration.sha256 !== old.sha256) {
      throw new MigrationProblem(`Migration ${title} was edited after it was applied to this database. Put the file back as it was and write the change as a new migration.`)
    }
  }
  const done = new Set(applied.map(old => old.number))
  return migrations.filter(migration => !done.has(migration.number))
}

export type MigrateOptions = Address & { directory?: string, log?: Log }

/**
 * Applies what is missing and says which numbers it applied and where the database stands now.
 *
 * Several processes may start at once: every step takes an advisory lock that ends with its transaction (which also
 * works behind a pooler) and looks again at what is still to be done.
 *
 * @throws {MigrationProblem} when the database and the files do not fit, or a statement fails; the failed file left no trace
 */
export async function migrate({ directory, log = silent, ...address }: MigrateOptions): Promise<{ applied: number[], version: number }> {
  const migrations = await readMigrations(directory)
  const client = new Client(clientConfig(address, 'plantain migrate'))
  client.on('error', () => {})
  try {
    await client.connect()
    const applied: number[] = []
    for (;;) {
      const migration = await applyNext(client, migrations)
      if (!migration) return { applied, version: migrations.at(-1)?.number ?? 0 }
      applied.push(migration.number)
      log.info({ migration: `${writeNumber(migration.number)}_${migration.name}` }, 'migration applied')
    }
  } catch (error) {
    throw readLoss(error, true)
  } finally {
    await client.end().catch(() => {})
  }
}

async function applyNext(client: Client, migrations: Migration[]): Promise<Migration | undefined> {
  await client.query('begin')
  try {
    await client.query('select pg_advisory_xact_lock($1)', [locks.migration])
    const { rows: [{ present }] } = await client.query(`select to_regclass('public.schema_migration') is not null as present`)
    if (!present) {
      await client.query(
        `create table public.schema_migration (
           number integer primary key,
           name text not null,
           sha256 text not null,
           applied_at timestamptz not null default now()
         )`)
    }
    const { rows } = await client.query<AppliedMigration>('select number, name, sha256 from public.schema_migration order by number')
    const [migration] = plan(migrations, rows)
    if (migration) {
      await client.query(migration.sql).catch(error => { throw readFailure(migration, error) })
      await client.query(
        'insert into public.schema_migration (number, name, sha256) values ($1, $2, $3)',
        [migration.number, migration.name, migration.sha256])
    }
    await client.query('commit')
    return migration
  } catch (error) {
    await client.query('rollback').catch(() => {})
    throw error
  }
}

const writeNumber = (number: number) => String(number).padStart(4, '0')

function readFailure({ number, name, sql }: Migration, error: Error & { position?: string }): unknown {
  const loss = readLoss(error, false)
  if (loss !== error) return loss
  const line = error.position ? ` in line ${sql.slice(0, Number(error.position)).split('\n').length}` : ''
  return new MigrationProblem(`Migration ${writeNumber(number)}_${name} failed${line}: ${error.message}. Nothing of it was kept.`, { cause: error })
}
