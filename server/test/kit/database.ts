/**
 * A database of its own for every test that asks, empty but migrated.
 *
 * All test files of a checkout share one PostgreSQL (`keeper.ts`), whoever of them comes first; two test runs at a time
 * share it too, which harms neither. Needs no PostgreSQL on the machine, and works as root.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, closeSync, lstatSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { readMigrations } from '../../src/db/migrate.ts'
import { openDatabase, type Database } from '../../src/db/pool.ts'
import { keeperSocket, type Answer, type Question } from './keeper.ts'
import { roomyDirectory } from './room.ts'

export interface TestDatabase {
  url: string
  database: Database
  /** Closes `database` and drops it with everything that is still connected to it. */
  close(): Promise<void>
}

/** @example const { database, close } = await testDatabase(); after(close) */
export async function testDatabase({ max = 5 }: { max?: number } = {}): Promise<TestDatabase> {
  const { ask } = await (keeper ??= meetKeeper())
  const { url, name } = await ask({ ask: 'create' })
  const database = openDatabase({ url, max, applicationName: 'test' })
  let closed: Promise<void> | undefined
  return {
    url,
    database,
    close: () => closed ??= (async () => {
      await database.close()
      await ask({ ask: 'drop', name })
    })(),
  }
}

interface Keeper {
  ask(question: Question): Promise<Extract<Answer, { url: string }>>
}

let keeper: Promise<Keeper> | undefined

const keeperFile = path.join(import.meta.dirname, 'keeper.ts')

async function meetKeeper(): Promise<Keeper> {
  const socket = await findKeeper(await keeperDirectory())
  const waiting: ((answer: Answer) => void)[] = []
  createInterface({ input: socket }).on('line', line => { waiting.shift()?.(JSON.parse(line) as Answer) })
  socket.on('error', () => {})
  socket.on('close', () => {
    keeper = undefined
    for (const tell of waiting.splice(0)) tell({ failure: 'The keeper of the test database ended.' })
  })
  // Only a question under way keeps a test file running.
  socket.unref()
  return {
    ask: async question => {
      socket.ref()
      const answer = await new Promise<Answer>(resolve => {
        waiting.push(resolve)
        socket.write(`${JSON.stringify(question)}\n`)
      })
      if (waiting.length === 0) socket.unref()
      if ('failure' in answer) throw new Error(answer.failure)
      return answer
    },
  }
}

/** One keeper per user, checkout and set of migrations: another set is another template. */
async function keeperDirectory(): Promise<string> {
  const key = [process.getuid?.(), import.meta.dirname, ...(await readMigrations()).map(migration => migration.sha256)].join(' ')
  return path.join(roomyDirectory(), `plantain-test-${createHash('sha256').update(key).digest('hex').slice(0, 12)}`)
}

const patienceMs = 120_000

/** Others may pass through (root starts PostgreSQL as nobody) but not look around. */
function makePrivate(directory: string) {
  if (mkdirSync(directory, { recursive: true })) chmodSync(directory, 0o711)
  const stat = lstatSync(directory, { throwIfNoEntry: false })
  if (stat && stat.uid !== process.getuid?.()) throw new Error(`${directory} belongs to someone else. Remove it.`)
}

async function findKeeper(directory: string): Promise<Socket> {
  const until = Date.now() + patienceMs
  let attempt: ReturnType<typeof startKeeper> | undefined
  for (;;) {
    makePrivate(directory)
    const socket = await reach(keeperSocket(directory))
    if (socket) {
      attempt?.forget()
      return socket
    }
    // One that ended well found another that was quicker; but that one may be ending too, so start again.
    if (!attempt || attempt.code() === 0) attempt = startKeeper(directory)
    const code = attempt.code()
    if (code !== undefined && code !== 0) throw new Error(`The keeper of the test database did not start:\n${attempt.words()}`)
    if (Date.now() > until) throw new Error(`The keeper of the test database does not answer:\n${attempt.words()}`)
    await pause(20)
  }
}

function startKeeper(directory: string) {
  const log = `${directory}.${process.pid}.log`
  const output = openSync(log, 'w', 0o600)
  const child = spawn(process.execPath, [keeperFile, directory], { detached: true, stdio: ['ignore', output, output], cwd: '/' })
  closeSync(output)
  child.unref()
  let code: number | undefined
  child.once('exit', status => { code = status ?? 1 })
  child.once('error', () => { code = 1 })
  return { code: () => code, words: () => readFileSync(log, 'utf8'), forget: () => rmSync(log, { force: true }) }
}

/** Connects, and counts only once the keeper has greeted: it may be on its way out. */
function reach(file: string): Promise<Socket | undefined> {
  return new Promise(resolve => {
    const socket = connect(file)
    socket.once('readable', () => {
      if (socket.read() !== null) resolve(socket)
    })
    socket.once('error', () => resolve(undefined))
    socket.once('close', () => resolve(undefined))
  })
}
