import { existsSync } from 'node:fs'
import { readRunning } from './lock.ts'

/** Finds the embedded PostgreSQL that another process runs on this data directory, so that a command can talk to it. */
export const findRunning = (dataDir: string): { pid: number, url: string } | undefined =>
  existsSync(dataDir) ? readRunning(dataDir) : undefined
