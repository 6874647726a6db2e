/** The real command as a process, with nothing of this environment but what a test hands it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'

export interface Ended { code: number | null; out: string; err: string }

export interface Running { child: ChildProcess; ended: Promise<Ended>; seen: () => { out: string; err: string } }

export function start(words: string[], { env = {}, cwd }: { env?: Record<string, string>; cwd: string }): Running {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../src/main.ts'), ...words], { cwd, env: { PATH: process.env.PATH, HOME: cwd, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const seen = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => { seen.out += text })
  child.stderr.setEncoding('utf8').on('data', (text: string) => { seen.err += text })
  const ended = new Promise<Ended>((resume) => { child.once('close', (code) => resume({ code, ...seen })) })
  return { child, ended, seen: () => seen }
}

export const plantain = (words: string[], options: { env?: Record<string, string>; cwd: string }): Promise<Ended> => start(words, options).ended
