/**
 * The process that keeps one PostgreSQL for all test files of a checkout.
 *
 * The first test file starts it (`database.ts`) and every file holds a connection to it. When the last connection has
 * been gone for a moment, it ends and removes its files. A test process that was killed is simply a connection that
 * closed. Durability is switched off here, by name; tests that crash a database start one of their own.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, renameSync, rmdirSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { takeLock } from '../../src/db/embedded/lock.ts'
import { removePlace } from '../../src/db/embedded/place.ts'
import { EmbeddedProblem } from '../../src/db/embedded/refusal.ts'
import { startEmbedded } from '../../src/db/embedded/start.ts'
import { silent } from '../../src/db/log.ts'
import { migrate } from '../../src/db/migrate.ts'
import { openDatabase } from '../../src/db/pool.ts'

/** What a test file asks, one JSON line each; the answer comes in the order of the questions. */
export type Question = { ask: 'create' } | { ask: 'drop', name: string }
export type Answer = { url: string, name: string } | { failure: string }

export const keeperSocket = (directory: string) => path.join(directory, 'keeper')

/** Long enough for the next test file to be started by a busy machine. */
const lingerMs = 5_000

async function keep(directory: string) {
  const dataDir = path.join(directory, 'data')
  // Left by a keeper that was killed. Who still uses it has lost the connection to that keeper and fails anyway.
  const stale = existsSync(dataDir)
  let server
  try {
    server = await startEmbedded({ dataDir, log: silent, fastForTests: true })
  } catch (error) {
    // Another keeper was quicker, or one is just removing the directory. Whoever started us looks again.
    if (isInUse(error) || (error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  const urlOf = (name: string) => server.url.replace('/postgres?', `/${name}?`)
  const administration = openDatabase({ url: server.url, max: 3, applicationName: 'keeper' })
  const sql = (text: string) => administration.query(text)

  if (stale) {
    const { rows } = await administration.query<{ name: string }>(`select datname as name from pg_database where datname <> 'postgres' and not datistemplate`)
    for (const { name } of rows) await sql(`drop database "${name}" with (force)`)
  }
  await sql('create database house')
  await migrate({ url: urlOf('house') })

  const users = new Set<Socket>()
  let linger: NodeJS.Timeout

  const end = async () => {
    door.close()
    rmSync(keeperSocket(directory), { force: true })
    await administration.close()
    await server.stop()
    removeData(directory, dataDir)
  }
  const wait = () => { linger = setTimeout(end, lingerMs) }

  const answer = async (question: Question, theirs: Set<string>): Promise<Answer> => {
    if (question.ask === 'drop') {
      theirs.delete(question.name)
      await sql(`drop database if exists "${question.name}" with (force)`)
      return { url: '', name: question.name }
    }
    // Measured with 40 tables, in memory: file_copy 9 ms alone and 5 ms each when 8 come at once, wal_log 20 ms each.
    const name = `test_${randomBytes(6).toString('hex')}`
    await sql(`create database ${name} template house strategy file_copy`)
    theirs.add(name)
    return { url: urlOf(name), name }
  }

  const door = createServer(socket => {
    clearTimeout(linger)
    users.add(socket)
    // Until they have read this, they may have met a door that is closing.
    socket.write('{}\n')
    const theirs = new Set<string>()
    socket.on('error', () => {})
    createInterface({ input: socket }).on('line', async line => {
      const reply = await answer(JSON.parse(line) as Question, theirs).catch((error: Error): Answer => ({ failure: error.message }))
      socket.write(`${JSON.stringify(reply)}\n`)
    })
    socket.on('close', async () => {
      for (const name of theirs) await sql(`drop database if exists ${name} with (force)`).catch(() => {})
      users.delete(socket)
      if (users.size === 0) wait()
    })
  })
  rmSync(keeperSocket(directory), { force: true })
  door.listen(keeperSocket(directory), wait)
}

const isInUse = (error: unknown) => error instanceof EmbeddedProblem && error.message.includes(' is in use by process ')

/** Removes the files of a server that has ended, unless the next keeper has them already. */
function removeData(directory: string, dataDir: string) {
  const leaving = `${dataDir}.${process.pid}`
  try {
    takeLock(dataDir)
    renameSync(dataDir, leaving)
  } catch (error) {
    if (isInUse(error)) return
    throw error
  }
  removePlace(leaving)
  try {
    rmdirSync(directory)
  } catch {
    // The next one has moved in.
  }
}

if (import.meta.main) await keep(process.argv[2] as string)
