#!/usr/bin/env node
import { run } from './program.ts'
import { openScreen, type Terminal } from './terminal.ts'

const { env, stdout, stderr } = process
const isWatched = stderr.isTTY === true
const screen = openScreen(text => stderr.write(text), isWatched, () => stderr.columns)

/** Who wants to know of a Ctrl-C, the latest last. Nobody: it ends us. */
const acts: (() => void)[] = []
const interrupt = () => {
  const act = acts.at(-1)
  if (act) act()
  else process.exit(130)
}

const terminal: Terminal = {
  env, isWatched,
  // Looked at only by the command that wants it: reading the input would keep every other one from ending.
  get pipes() { return { input: process.stdin, output: stdout } },
  // npm moves to the root of the repository; the caller meant where they stood.
  folder: env.npm_lifecycle_event === 'plantain' && env.INIT_CWD ? env.INIT_CWD : process.cwd(),
  print: (line) => { screen.redraw(null); stdout.write(`${line}\n`) },
  ...screen,
  onInterrupt(act) {
    // One listener that stays: between taking one away and setting the next, a Ctrl-C would end the process where it stands.
    if (acts.length === 0 && process.listenerCount('SIGINT', interrupt) === 0) process.on('SIGINT', interrupt)
    acts.push(act)
    return () => { acts.splice(acts.indexOf(act), 1) }
  },
}

// Whoever reads us may stop reading (`| head`).
stdout.on('error', (error: NodeJS.ErrnoException) => { if (error.code === 'EPIPE') process.exit(0) })

process.exitCode = await run(process.argv.slice(2), terminal)
