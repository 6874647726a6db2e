/** What every benchmark needs: a durable PostgreSQL of its own (also on a slower disk), percentiles, tables. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { startEmbedded } from '../src/db/embedded/start.ts'
import { silent } from '../src/db/log.ts'
import { migrate } from '../src/db/migrate.ts'
import { openDatabase, type Database } from '../src/db/pool.ts'

export interface BenchDatabase { url: string; socket: string; pid: number; database: Database; close(): Promise<void> }

/**
 * A durable database (fsync and synchronous_commit on) with our migrations.
 *
 * `slowerMs` makes every flush of the log that much slower: strace holds each fdatasync of the server back. Without strace there
 * is no honest way here, and the row is left out.
 */
export async function benchDatabase({ max = 24 } = {}): Promise<BenchDatabase> {
  const dataDir = await mkdtemp(join(tmpdir(), 'plantain-bench-'))
  const embedded = await startEmbedded({ dataDir: join(dataDir, 'database'), log: silent })
  await migrate({ url: embedded.url })
  const database = openDatabase({ url: embedded.url, max })
  return {
    url: embedded.url, socket: embedded.connection.host, pid: embedded.pid, database,
    async close() {
      await database.close()
      await embedded.stop()
      await rm(dataDir, { recursive: true, force: true, maxRetries: 10 })
    },
  }
}

/** Slows the disk of a running database: every fdatasync takes `ms` longer until the returned function is called. Null without strace. */
export async function slowDisk({ pid }: Pick<BenchDatabase, 'pid'>, ms: number): Promise<(() => Promise<void>) | null> {
  if (spawnSync('strace', ['-V']).status !== 0) return null
  // Connections that are open already are processes of their own: each must be held, what is forked later is followed.
  const strace = spawn('strace', ['-f', '-qq', '-o', '/dev/null', '-e', 'trace=fdatasync', '-e', `inject=fdatasync:delay_exit=${ms * 1000}`, ...[pid, ...childrenOf(pid)].flatMap(one => ['-p', String(one)])], { stdio: ['ignore', 'ignore', 'pipe'] })
  await new Promise(resolve => { setTimeout(resolve, 500) })
  if (strace.exitCode !== null) return null
  return async () => {
    const ended = new Promise(resolve => { strace.once('exit', resolve) })
    strace.kill('SIGINT')
    await ended
  }
}

const childrenOf = (pid: number): number[] => {
  const children = spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' })
  return children.stdout.split('\n').map(Number).filter(number => number > 0)
}

export const percentile = (values: number[], part: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? NaN
}

export const round = (value: number, digits = 1): number => Number(value.toFixed(digits))

export function table(title: string, rows: Record<string, string | number>[]): void {
  const heads = [...new Set(rows.flatMap(row => Object.keys(row)))]
  console.log(`\n### ${title}\n\n| ${heads.join(' | ')} |\n| ${heads.map(() => '---').join(' | ')} |`)
  for (const row of rows) console.log(`| ${heads.map(head => row[head] ?? '').join(' | ')} |`)
}

export const machine = (): string => `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`

export const pause = (ms: number) => new Promise<void>(resolve => { setTimeout(resolve, ms) })
