import { setTimeout as pause } from 'node:timers/promises'
import { Exit, exitCodes } from './exit.ts'
import { hasEnded, type Remote, type TaskView } from './remote.ts'
import type { Terminal } from './terminal.ts'

/** A mark that turns while something is under way. */
export const turning = (frame: number): string => frames[frame % frames.length]!
const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
/** How long a server may be gone while we wait; the task goes on without us. */
const patienceStandardMs = 30_000
const pauseMs = 500

/** What stands in the line while a task is in the making. Pure. */
export const showProgress = ({ state, progress }: Pick<TaskView, 'state' | 'progress'>, seconds: number, frame: number): string =>
  `${turning(frame)} ${state}${progress ? ` ${progress} %` : ''}  ${seconds} s`

/** What is waited for: how to look at it, when it is over, how it is shown, and how somebody who left comes back to it. */
export interface Watched<T> {
  now: T
  /** Looks for up to so many seconds; sooner when it is over. */
  look(seconds: number, signal: AbortSignal): Promise<T>
  isOver(now: T): boolean
  show(now: T, seconds: number, frame: number): string
  /** `The task goes on; fetch it with: …` */
  comeBack: string
  /** The same for who leaves by Ctrl-C, where there is more to say. */
  left?: string
  /** How long the server may be gone, in milliseconds. */
  patienceMs?: number
  /** For programs, beside the error. */
  details: Record<string, unknown>
}

/** Waits until it is over, with a line that moves where somebody looks. Ctrl-C leaves it alone and says how to come back. */
export async function watch<T>({ now: first, look, isOver, show, comeBack, left = `Stopped waiting. ${comeBack}`, patienceMs = patienceStandardMs, details }: Watched<T>, terminal: Terminal, interrupted = false): Promise<T> {
  const begun = Date.now()
  let now = first
  let frame = 0
  const draw = () => terminal.redraw(show(now, Math.floor((Date.now() - begun) / 1000), frame++))
  const timer = terminal.isWatched ? setInterval(draw, 100) : undefined
  const gone = new AbortController()
  const leave = () => gone.abort(new Exit(exitCodes.interrupted, 'interrupted', left, details))
  const forget = terminal.onInterrupt(leave)
  if (interrupted) leave()
  // Where somebody looks, the line should say what is; elsewhere one long call is enough.
  const lookS = terminal.isWatched ? 2 : 20
  const rest = () => pause(pauseMs, undefined, { signal: gone.signal }).catch(() => gone.signal.throwIfAborted())
  try {
    let reachedAt = Date.now()
    while (!isOver(now)) {
      gone.signal.throwIfAborted()
      try {
        const askedAt = Date.now()
        now = await look(lookS, gone.signal)
        reachedAt = Date.now()
        // A proxy that cuts waiting short must not make us ask in circles.
        if (!isOver(now) && reachedAt - askedAt < pauseMs) await rest()
      } catch (thrown) {
        if (!(thrown instanceof Exit) || thrown.exitCode !== exitCodes.unreachable) throw thrown
        if (Date.now() - reachedAt > patienceMs) throw new Exit(exitCodes.unreachable, thrown.code, `${thrown.message} ${comeBack}`, details)
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

/** Waits until a task has ended. */
export const waitFor = (task: TaskView, remote: Remote, terminal: Terminal, interrupted = false): Promise<TaskView> => watch<TaskView>({
  now: task, isOver: hasEnded, show: showProgress, comeBack: `The task goes on; fetch it with: plantain task wait ${task.id}`, details: { task: task.id },
  look: (seconds, signal) => remote.get<TaskView>(`/plantain/v1/tasks/${task.id}/wait?timeout=${seconds}`, signal),
}, terminal, interrupted)
