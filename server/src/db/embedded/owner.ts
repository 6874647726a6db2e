import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import os from 'node:os'
import { refusal } from './refusal.ts'

/** As whom PostgreSQL runs. Without ids: as we do. PostgreSQL refuses to run as root. */
export interface Owner {
  uid?: number
  gid?: number
}

export const isRoot = process.getuid?.() === 0

/**
 * Says as whom PostgreSQL runs: as we do, or, for root, as whoever has the data already, or as `nobody`.
 *
 * @throws {EmbeddedProblem} when our uid has no passwd entry (`initdb` wants a name), or root may not become someone else
 */
export function findOwner(directory: string): Owner {
  if (!isRoot) {
    try {
      os.userInfo()
    } catch (cause) {
      throw refusal(`The embedded PostgreSQL needs a user with a name, and uid ${process.getuid?.()} has no entry in /etc/passwd.`, cause)
    }
    return {}
  }
  const owner = ownerOf(directory) ?? { uid: lookUp('-u'), gid: lookUp('-g') }
  const { status, error } = spawnSync('/bin/sh', ['-c', ':'], { ...owner, cwd: '/' })
  if (status !== 0) throw refusal(`PostgreSQL does not run as root, and root may not start a process as uid ${owner.uid} here.`, error)
  return owner
}

function ownerOf(directory: string): Required<Owner> | undefined {
  const stat = statSync(directory, { throwIfNoEntry: false })
  return stat && stat.uid !== 0 ? { uid: stat.uid, gid: stat.gid } : undefined
}

function lookUp(flag: '-u' | '-g'): number {
  const { stdout, status, error } = spawnSync('id', [flag, 'nobody'], { encoding: 'utf8' })
  if (status !== 0) throw refusal('PostgreSQL does not run as root, and there is no user "nobody" to run it as.', error)
  return Number(stdout)
}

/** Whether the owner may go into a directory. Asked rather than computed: access lists and mounts have a say too. */
export function mayEnter(owner: Owner, directory: string): boolean {
  return spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', directory], { ...owner, cwd: '/', stdio: 'ignore' }).status === 0
}
