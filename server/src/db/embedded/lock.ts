/**
 * One server per directory.
 *
 * The lock is the file `lock.N` with the highest N. It counts while the process it names lives: a pid with the time that
 * process started. A new holder links N+1, which only one can, and then looks whether it is still the highest; so nobody
 * ever has to remove a file to get in, and two who find the same dead holder cannot both win. A release says so in the
 * file and leaves it, because counting down would let two numbers be the highest.
 *
 * Limits: processes in different containers on one directory cannot see each other.
 */
import { existsSync, linkSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { startOf } from './processes.ts'
import { EmbeddedProblem } from './refusal.ts'

interface Holder {
  pid: number
  /** As `startOf` says it. */
  startedAt: string | undefined
  released?: true
  /** Where its database answers, once it does. */
  url?: string
}

export interface Lock {
  /** Writes down where the database answers, for others who look. */
  tell(url: string): void
  release(): void
}

/**
 * @throws {EmbeddedProblem} when a living process has it
 */
export function takeLock(directory: string): Lock {
  const me: Holder = { pid: process.pid, startedAt: startOf(process.pid) }
  for (;;) {
    const last = highest(directory)
    const holder = last && readHolder(directory, last)
    if (holder && isAlive(holder)) {
      throw new EmbeddedProblem(`${directory} is in use by process ${holder.pid}. Stop that one first, or give this one another data directory. Several servers share a database through DATABASE_URL.`)
    }
    const mine = last + 1
    if (!place(directory, mine, me)) continue
    if (highest(directory) !== mine) {
      rmSync(file(directory, mine), { force: true })
      continue
    }
    for (const number of numbers(directory)) if (number < mine) rmSync(file(directory, number), { force: true })
    return {
      tell: url => replace(directory, mine, { ...me, url }),
      release() {
        // A directory that was removed needs no release.
        if (existsSync(directory)) replace(directory, mine, { ...me, released: true })
      },
    }
  }
}

/** Where the database of this directory answers, when a living process says so. */
export function readRunning(directory: string): { pid: number, url: string } | undefined {
  const last = highest(directory)
  const holder = last && readHolder(directory, last)
  return holder && isAlive(holder) && holder.url !== undefined ? { pid: holder.pid, url: holder.url } : undefined
}

const isAlive = ({ pid, startedAt, released }: Holder) => !released && startedAt !== undefined && startOf(pid) === startedAt

const file = (directory: string, number: number) => path.join(directory, `lock.${number}`)

const numbers = (directory: string) => readdirSync(directory).flatMap(name => /^lock\.\d+$/.test(name) ? [Number(name.slice(5))] : [])

const highest = (directory: string) => Math.max(0, ...numbers(directory))

function readHolder(directory: string, number: number): Holder | undefined {
  try {
    return JSON.parse(readFileSync(file(directory, number), 'utf8')) as Holder
  } catch {
    // Removed by a newer holder, or unreadable after a power cut.
    return undefined
  }
}

/** Puts the file there whole, or says that the number is taken. */
function place(directory: string, number: number, holder: Holder): boolean {
  const draft = path.join(directory, `lock-draft.${process.pid}`)
  writeFileSync(draft, JSON.stringify(holder), { mode: 0o600 })
  try {
    linkSync(draft, file(directory, number))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

function replace(directory: string, number: number, holder: Holder) {
  const draft = path.join(directory, `lock-draft.${process.pid}`)
  writeFileSync(draft, JSON.stringify(holder), { mode: 0o600 })
  renameSync(draft, file(directory, number))
}
