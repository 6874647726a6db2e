import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, chownSync, lstatSync, mkdirSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { mayEnter, type Owner } from './owner.ts'
import { refusal } from './refusal.ts'

/** The length of `sun_path` on macOS, with its end; Linux has four more. */
const pathBytesMax = 103

export const port = 5432

/**
 * Makes the private directory for the server's socket.
 *
 * Not in the data directory: paths of sockets are short, and not every mounted file system has sockets. The name is the
 * same every time, so nothing piles up after crashes; should someone else sit on it, another name is taken.
 */
export function makeSocketDirectory(place: string, owner: Owner): string {
  const uid = owner.uid ?? process.getuid?.()
  const name = `plantain-${createHash('sha256').update(`${place} ${uid}`).digest('hex').slice(0, 16)}`
  for (const base of new Set([os.tmpdir(), '/tmp', '/var/tmp'])) {
    for (const candidate of [name, `${name}-${randomBytes(4).toString('hex')}`]) {
      const directory = path.join(base, candidate)
      if (Buffer.byteLength(path.join(directory, `.s.PGSQL.${port}.lock`)) > pathBytesMax) continue
      if (makePrivate(directory, uid, owner) && mayEnter(owner, directory)) return directory
    }
  }
  throw refusal(`No directory for the socket of PostgreSQL could be made in ${os.tmpdir()}, /tmp or /var/tmp.`)
}

function makePrivate(directory: string, uid: number | undefined, { gid }: Owner): boolean {
  try {
    mkdirSync(directory, { mode: 0o700 })
    if (uid !== undefined && gid !== undefined) chownSync(directory, uid, gid)
    return true
  } catch {
    const stat = lstatSync(directory, { throwIfNoEntry: false })
    if (!stat?.isDirectory() || stat.uid !== uid) return false
    chmodSync(directory, 0o700)
    return true
  }
}
