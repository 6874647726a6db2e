/** A server in a process of its own, for tests that kill it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'

export interface ServerProcess {
  /** Returns when it has said that it is open. */
  start(): Promise<void>
  /** `kill -9`. */
  kill(): Promise<void>
  /** Asks it to stop, and waits until it has. */
  stop(): Promise<void>
  /** Kills it where it still runs. */
  close(): Promise<void>
}

/** A start makes a database or recovers one; a machine that does other things as well takes its time. */
const startWithinMs = 120_000

export function serverProcess(environment: Record<string, string>, args: string[] = []): ServerProcess {
  let running: ChildProcess | null = null
  let errors = ''

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const child = running
    if (!child || child.exitCode !== null || child.signalCode !== null) throw new Error(`The server ended by itself: ${errors}`)
    const ended = new Promise(resolve => { child.once('exit', resolve) })
    child.kill(signal)
    await ended
    running = null
  }

  return {
    async start() {
      const child = spawn(process.execPath, [join(import.meta.dirname, '../../src/main.ts'), ...args], { env: { PATH: process.env.PATH ?? '', ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
      running = child
      child.stderr.on('data', chunk => { errors = (errors + String(chunk)).slice(-4_000) })
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`The server did not open in time: ${errors}`)), startWithinMs)
        child.stdout.once('data', () => { clearTimeout(timer); resolve() })
        child.once('exit', () => { clearTimeout(timer); reject(new Error(`The server did not start: ${errors}`)) })
      })
      child.stdout.resume()
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    close: async () => { if (running) await end('SIGKILL').catch(() => {}) },
  }
}
