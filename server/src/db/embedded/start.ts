/**
 * Runs the PostgreSQL that npm brought, for a house that was not given one.
 *
 * The server is ours alone: no TCP, a socket in a directory only its owner can enter, and it ends when we end, however
 * we end. Absent on purpose: passwords (the directory is the door), and any change to the users of the system.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { chmodSync, chownSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, readdirSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Connection } from '../address.ts'
import type { Log } from '../log.ts'
import { findBinaries, type Binaries } from './binaries.ts'
import { takeLock, type Lock } from './lock.ts'
import { findOwner, type Owner } from './owner.ts'
import { findPlace, giveTo, makePassable, reachablePlace } from './place.ts'
import { backendsOf, isPostmasterOf } from './processes.ts'
import { EmbeddedProblem, refusal } from './refusal.ts'
import { writeSettings } from './settings.ts'
import { makeSocketDirectory, port } from './socket.ts'

export interface EmbeddedOptions {
  /** A directory of its own, made if missing. */
  dataDir: string
  log: Log
  /** Gives durability away for speed. Only for tests that do not crash anything. */
  fastForTests?: boolean
  /** Other programs than those npm brought. Only for tests. */
  native?: string
}

export interface Embedded {
  connection: Connection
  url: string
  /** The server process. Another one after a crash of the server, from which it is started again. */
  readonly pid: number
  /** Where the files are: the data directory, or where its note says. */
  place: string
  /** Ends every connection and the server. A second call is the first one. */
  stop(): Promise<void>
}

/**
 * @throws {EmbeddedProblem} when it cannot run here (the message says what to do), or the data directory is in use
 */
export async function startEmbedded({ dataDir, log, fastForTests = false, native }: EmbeddedOptions): Promise<Embedded> {
  if (process.platform === 'win32') throw refusal('The embedded PostgreSQL is not supported on Windows.')
  const { here, lock } = enter(path.resolve(dataDir))
  // The data directory stays locked whatever its note says, or two who start at once would each write one.
  const locks = [lock]
  try {
    const found = findPlace(here)
    if (found !== here) locks.push(takeLock(found))
    const owner = findOwner(path.join(found, 'postgres'))
    await endOrphan(path.join(found, 'postgres'), log)
    const place = reachablePlace(found, here, owner, log)
    if (place !== found) locks.push(takeLock(place))
    const binaries = findBinaries({ owner, place, log, native })
    const directory = path.join(place, 'postgres')
    if (existsSync(directory)) {
      giveTo(owner, directory)
      checkVersion(directory, binaries)
    } else {
      makeCluster({ directory, binaries, owner, fastForTests })
    }
    const socket = makeSocketDirectory(place, owner)
    const connection = { host: socket, port, user: 'postgres', database: 'postgres' }
    const url = `postgresql://postgres@/postgres?host=${encodeURIComponent(socket)}&port=${port}`
    const server = await keepRunning({ binaries, directory, socket, owner, log, fastForTests, logFile: path.join(place, 'postgres.log') })
    for (const { tell } of locks) tell(url)
    let stopped: Promise<void> | undefined
    return {
      connection,
      url,
      place,
      get pid() { return server.pid() },
      stop: () => stopped ??= server.stop().finally(() => releaseAll(locks)),
    }
  } catch (error) {
    releaseAll(locks)
    throw error
  }
}

const releaseAll = (locks: Lock[]) => { for (const { release } of locks) release() }

function enter(dataDir: string): { here: string, lock: Lock } {
  try {
    if (!existsSync(dataDir)) makePassable(dataDir)
    const here = realpathSync(dataDir)
    return { here, lock: takeLock(here) }
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    throw new EmbeddedProblem(`${dataDir} cannot be written (${(error as Error).message}). Give it to the user who starts Plantain, or choose another data directory.`, { cause: error })
  }
}

/** A plain environment: the server must not depend on ours. */
const environment = () => ({ PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', TZ: 'UTC' })

interface Cluster {
  directory: string
  binaries: Binaries
  owner: Owner
  fastForTests: boolean
}

/** Makes an empty cluster, under another name until it is whole: a start that was interrupted leaves nothing half. */
function makeCluster({ directory, binaries, owner, fastForTests }: Cluster) {
  const draft = `${directory}.new`
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft, { mode: 0o700 })
  if (owner.uid !== undefined && owner.gid !== undefined) chownSync(draft, owner.uid, owner.gid)
  const { status, error, stdout, stderr } = spawnSync(binaries.initdb, [
    '--pgdata', draft, '--username=postgres', '--auth=trust', '--encoding=UTF8',
    // The order of text does not depend on the C library of the machine.
    '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C',
    ...fastForTests ? ['--no-sync'] : [],
  ], { ...owner, cwd: '/', encoding: 'utf8', env: environment() })
  if (status !== 0) throw refusal(`The embedded PostgreSQL could not make its files in ${directory} (${error?.message ?? `${stderr}${stdout}`.trim()}).`, error)
  renameSync(draft, directory)
}

function checkVersion(directory: string, { major }: Binaries) {
  const file = path.join(directory, 'PG_VERSION')
  if (!existsSync(file)) throw new EmbeddedProblem(`${directory} is there but holds no database. Put back what was in it, or remove it to start with an empty database.`)
  const version = Number(readFileSync(file, 'utf8'))
  if (version !== major) throw new EmbeddedProblem(`${directory} was made by PostgreSQL ${version}, and this is PostgreSQL ${major}, which cannot read it. Use the release of Plantain that made it.`)
}

const readPid = (directory: string) => {
  try {
    return Number(readFileSync(path.join(directory, 'postmaster.pid'), 'utf8').split('\n')[0])
  } catch {
    return 0
  }
}

/**
 * Ends a server that outlived the process that started it, and removes what a crash left.
 *
 * PostgreSQL's own check is not enough: it refuses to start while the pid in its file is a zombie or belongs to someone
 * else by now. Removing the file skips that check, so the living are looked for here first.
 */
async function endOrphan(directory: string, log: Log) {
  if (!existsSync(directory)) return
  const pid = readPid(directory)
  if (isPostmasterOf(pid, directory)) {
    log.warn({ pid }, 'ending a PostgreSQL that outlived the process that started it')
    await end(pid, directory)
  }
  const until = Date.now() + 10_000
  for (let left = backendsOf(directory); left.length > 0; left = backendsOf(directory)) {
    if (Date.now() > until) throw new EmbeddedProblem(`Processes ${left.join(', ')} still use ${directory}. End them first.`)
    await pause(10)
  }
  if (process.platform === 'linux') rmSync(path.join(directory, 'postmaster.pid'), { force: true })
}

/** Asks a server to end now; one that does not listen is told to crash, which loses nothing that was acknowledged. */
async function end(pid: number, directory: string) {
  const started = Date.now()
  let asked = 0
  while (isPostmasterOf(pid, directory)) {
    const waitedMs = Date.now() - started
    if (waitedMs > 40_000) throw new EmbeddedProblem(`PostgreSQL (process ${pid}) on ${directory} does not end.`)
    // Again every second: one that is just starting after a crash may miss the first.
    if (waitedMs >= asked * 1_000) {
      send(pid, waitedMs > 30_000 ? 'SIGQUIT' : 'SIGINT')
      asked++
    }
    await pause(5)
  }
}

function send(pid: number, signal: NodeJS.Signals) {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/**
 * The shell becomes the server, and leaves a watchdog behind that reads from us. When we are gone, however that came,
 * the read ends and the server is asked to end; a line from us means that it already has.
 *
 * The watchdog is nobody's child (two pairs of brackets): PostgreSQL takes an unknown child that was killed for a crash.
 */
const watched = '( ( read -r line <&3 || kill -INT $$ ) & ); exec "$@" 3<&-'

interface Run extends Cluster {
  socket: string
  log: Log
  logFile: string
}

async function launch({ directory, binaries, owner, fastForTests, socket, logFile }: Run): Promise<ChildProcess> {
  // Nothing else may be in there, and the lock file of a crashed server can name a pid that is alive again.
  for (const name of readdirSync(socket)) rmSync(path.join(socket, name), { force: true })
  const output = openLog(logFile)
  const child = spawn('/bin/sh', ['-c', watched, 'sh', binaries.postgres, '-D', directory, '-k', socket, '-p', String(port), ...writeSettings(fastForTests)], {
    ...owner, cwd: '/', detached: true, env: environment(), stdio: ['ignore', 'ignore', output, 'pipe'],
  })
  closeSync(output)
  const pipe = child.stdio[3] as import('node:net').Socket
  pipe.on('error', () => {})
  pipe.unref()
  child.unref()
  let ended: string | undefined
  child.once('error', error => { ended = error.message })
  child.once('exit', (code, signal) => {
    ended = String(code ?? signal)
    pipe.end('ended\n')
  })
  for (;;) {
    if (ended !== undefined) throw new EmbeddedProblem(`PostgreSQL did not start (${ended}). The end of ${logFile}:\n${readFileSync(logFile, 'utf8').slice(-1_500)}`)
    if (isReady(directory, child.pid)) return child
    await pause(5)
  }
}

/** The file of a crashed server says "ready" as well, so the pid has to be the one we started. */
function isReady(directory: string, pid: number | undefined): boolean {
  try {
    const lines = readFileSync(path.join(directory, 'postmaster.pid'), 'utf8').split('\n')
    return Number(lines[0]) === pid && lines[7]?.trim() === 'ready'
  } catch {
    return false
  }
}

const logBytesMax = 10_000_000

function openLog(file: string): number {
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > logBytesMax) renameSync(file, `${file}.1`)
  const output = openSync(file, 'a', 0o600)
  chmodSync(file, 0o600)
  return output
}

const restartsMax = 5
const restartsWithinMs = 60_000

/** Starts the server, and again when it ends although nobody asked it to, as after the kernel ran out of memory. */
async function keepRunning(run: Run) {
  let stopping = false
  let starting: Promise<unknown> | undefined
  let crashes: number[] = []
  let child = await launch(run)

  const watch = () => child.once('exit', (code, signal) => {
    if (stopping) return
    crashes = [...crashes.filter(at => Date.now() - at < restartsWithinMs), Date.now()]
    run.log.error({ code, signal, logFile: run.logFile }, 'PostgreSQL ended by itself')
    if (crashes.length > restartsMax) {
      run.log.error({ restartsMax, restartsWithinMs }, 'PostgreSQL is not started again')
      return
    }
    starting = restart()
  })

  const restart = async () => {
    for (let attempt = 1; attempt <= restartsMax; attempt++) {
      try {
        await endOrphan(run.directory, run.log)
        if (stopping) return
        child = await launch(run)
        watch()
        run.log.info({ pid: child.pid }, 'PostgreSQL is back')
        return
      } catch (error) {
        run.log.error({ err: error, attempt, restartsMax }, 'PostgreSQL could not be started again')
        await pause(1_000)
      }
    }
  }

  watch()
  return {
    pid: () => child.pid as number,
    async stop() {
      stopping = true
      await starting
      if (child.exitCode === null && child.signalCode === null) {
        const exited = new Promise(resolve => { child.once('exit', resolve) })
        child.ref()
        await end(child.pid as number, run.directory)
        await exited
      }
      rmSync(run.socket, { recursive: true, force: true })
    },
  }
}
