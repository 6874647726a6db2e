#!/usr/bin/env node
import { run } from './program.ts'
import type { Terminal } from './terminal.ts'

const { env, stdout, stderr } = process
const isWatched = stderr.isTTY === true
const clear = '\r\u001b[2K'

const terminal: Terminal = {
  env, isWatched,
  // npm moves to the root of the repository; the caller meant where they stood.
  folder: env.npm_lifecycle_event === 'plantain' && env.INIT_CWD ? env.INIT_CWD : process.cwd(),
  print: (line) => { stdout.write(`${line}\n`) },
  note: (line) => { stderr.write(`${line}\n`) },
  redraw: (line) => { if (isWatched) stderr.write(clear + (line ?? '')) },
  onInterrupt(act) {
    process.once('SIGINT', act)
    return () => { process.off('SIGINT', act) }
  },
}

// Whoever reads us may stop reading (`| head`).
stdout.on('error', (error: NodeJS.ErrnoException) => { if (error.code === 'EPIPE') process.exit(0) })

process.exitCode = await run(process.argv.slice(2), terminal)
