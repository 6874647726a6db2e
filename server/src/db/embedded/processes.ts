/**
 * What the system says about processes. A pid alone proves nothing: it is reused after a reboot or in a new container,
 * and a dead process whose parent does not reap it (PID 1 in many containers) still has one.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync, readlinkSync, realpathSync } from 'node:fs'

const hasProc = process.platform === 'linux'

const ask = (pid: number, field: string) => spawnSync('ps', ['-ww', '-o', `${field}=`, '-p', String(pid)], { encoding: 'utf8' }).stdout?.trim() ?? ''

/**
 * When a process started, in words that are the same every time and differ after a reboot or in another container.
 * `undefined`: there is no such process, or it is a zombie.
 */
export function startOf(pid: number): string | undefined {
  if (!hasProc) return ask(pid, 'lstart') || undefined
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command in brackets may contain spaces and brackets; what follows it starts with field 3, the state.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    return [fields[19], readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(), readlinkSync('/proc/self/ns/pid')].join(' ')
  } catch {
    return undefined
  }
}

/** Whether this pid is a living PostgreSQL server on this directory. */
export function isPostmasterOf(pid: number, directory: string): boolean {
  if (!Number.isInteger(pid) || pid <= 1) return false
  if (!hasProc) {
    const command = ask(pid, 'command')
    return command.includes('postgres') && command.includes(directory)
  }
  try {
    const [program, ...words] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    return (program ?? '').endsWith('postgres') && words.includes(directory) && startOf(pid) !== undefined
  } catch {
    return false
  }
}

/**
 * Server processes of this directory. They have it as their working directory, and may outlive a killed postmaster for
 * some milliseconds. Where there is no /proc the answer is none, and PostgreSQL's own check has to do.
 */
export function backendsOf(directory: string): number[] {
  if (!hasProc) return []
  const real = realpathSync(directory)
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number).filter(pid => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === real
    } catch {
      return false
    }
  })
}
