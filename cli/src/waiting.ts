import { setTimeout as pause } from 'node:timers/promises'
import { Exit, exitCodes } from './exit.ts'
import { hasEnded, type Remote, type TaskView } from './remote.ts'
import type { Terminal } from './terminal.ts'

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
/** How long a server may be gone while we wait; the task goes on without us. */
const patienceMs = 30_000
const pauseMs = 500

/** What stands in the line while a task is in the making. Pure. */
export const showProgress = ({ state, progress }: Pick<TaskView, 'state' | 'progress'>, seconds: number, frame: number): string =>
  `${frames[frame % frames.length]} ${state}${progress ? ` ${progress} %` : ''}  ${seconds} s`

/** Waits until a task has ended, with a line that moves where somebody looks. Ctrl-C leaves the task alone and says how to come back. */
export async function waitFor(task: TaskView, remote: Remote, terminal: Terminal, interrupted = false): Promise<TaskView> {
  const begun = Date.now()
  let now = task
  let frame = 0
  const draw = () => terminal.redraw(showProgress(now, Math.floor((Date.now() - begun) / 1000), frame++))
  const timer = terminal.isWatched ? setInterval(draw, 100) : undefined
  const gone = new AbortController()
  const leave = () => gone.abort(new Exit(exitCodes.interrupted, 'interrupted', `Stopped waiting. The task goes on; fetch it with: plantain task wait ${task.id}`, { task: task.id }))
  const forget = terminal.onInterrupt(leave)
  if (interrupted) leave()
  // Where somebody looks, the line should say what is; elsewhere one long call is enough.
  const lookS = terminal.isWatched ? 2 : 20
  const rest = () => pause(pauseMs, undefined, { signal: gone.signal }).catch(() => gone.signal.throwIfAborted())
  try {
    let reachedAt = Date.now()
    while (!hasEnded(now)) {
      gone.signal.throwIfAborted()
      try {
        const askedAt = Date.now()
        now = await remote.get<TaskView>(`/plantain/v1/tasks/${task.id}/wait?timeout=${lookS}`, gone.signal)
        reachedAt = Date.now()
        // A proxy that cuts waiting short must not make us ask in circles.
        if (!hasEnded(now) && reachedAt - askedAt < pauseMs) await rest()
      } catch (thrown) {
        if (!(thrown instanceof Exit) || thrown.exitCode !== exitCodes.unreachable) throw thrown
        if (Date.now() - reachedAt > patienceMs) throw new Exit(exitCodes.unreachable, thrown.code, `${thrown.message} The task goes on; fetch it later with: plantain task wait ${task.id}`, { task: task.id })
        await rest()
      }
    }
    return now
  } finally {
    clearInterval(timer)
    forget()
    terminal.redraw(null)
  }
}
