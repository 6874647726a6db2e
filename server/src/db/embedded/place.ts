/**
 * Where the files of the embedded PostgreSQL are.
 *
 * Usually in the data directory. But root starts PostgreSQL as `nobody`, and `nobody` cannot reach a data directory under
 * a home that only root may enter. Then the files are under /var/lib/plantain, and a note in the data directory says where.
 */
import { randomBytes } from 'node:crypto'
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Log } from '../log.ts'
import { isRoot, mayEnter, type Owner } from './owner.ts'
import { EmbeddedProblem, refusal } from './refusal.ts'

/** What is shared by the embedded servers that root starts on this machine. */
export const systemDirectory = '/var/lib/plantain'

/**
 * Makes a directory through which the user PostgreSQL runs as can pass, whatever the umask of root is. What is worth
 * hiding in there is in directories that only its owner can enter.
 */
export function makePassable(directory: string) {
  mkdirSync(directory, { recursive: true })
  if (isRoot) chmodSync(directory, 0o755)
}

const noteName = 'elsewhere.json'
const originName = 'origin.json'

/**
 * Finds the directory that holds (or will hold) the server's files for this data directory (its real path).
 *
 * @throws {EmbeddedProblem} when a note points to nothing, or belongs to the data directory this one was copied from
 */
export function findPlace(here: string): string {
  const note = path.join(here, noteName)
  if (!existsSync(note)) return here
  const { place } = JSON.parse(readFileSync(note, 'utf8')) as { place: string }
  const origin = path.join(place, originName)
  if (!existsSync(origin)) {
    throw new EmbeddedProblem(`The database of ${here} should be in ${place} (says ${note}), but it is not there. Put it back, or remove the note to start with an empty database.`)
  }
  const { dataDir: first } = JSON.parse(readFileSync(origin, 'utf8')) as { dataDir: string }
  if (first === here) return place
  if (existsSync(path.join(first, noteName))) {
    throw new EmbeddedProblem(`${here} is a copy of ${first}, whose database is in ${place}. Remove ${note} to start with an empty database here.`)
  }
  writeFileSync(origin, JSON.stringify({ dataDir: here }))
  return place
}

/** Makes sure that the owner can reach the place, and moves it to where they can otherwise. Says where it is now. */
export function reachablePlace(place: string, here: string, owner: Owner, log: Log): string {
  if (mayEnter(owner, place)) return place
  if (!isRoot) throw new EmbeddedProblem(`${place} cannot be entered. Give it to the user who starts Plantain.`)
  const elsewhere = path.join(systemDirectory, `data-${randomBytes(6).toString('hex')}`)
  try {
    makePassable(systemDirectory)
    makePassable(elsewhere)
  } catch (cause) {
    throw refusal(`Root starts PostgreSQL as uid ${owner.uid}, who can enter neither ${here} nor ${systemDirectory}, which cannot be made.`, cause)
  }
  if (!mayEnter(owner, elsewhere)) throw refusal(`Root starts PostgreSQL as uid ${owner.uid}, who can enter neither ${here} nor ${elsewhere}.`)
  mentionLeftovers(here, log)
  writeFileSync(path.join(elsewhere, originName), JSON.stringify({ dataDir: here }))
  const old = path.join(place, 'postgres')
  if (existsSync(old)) {
    const draft = path.join(elsewhere, 'postgres.new')
    cpSync(old, draft, { recursive: true, preserveTimestamps: true })
    chmodSync(draft, 0o700)
    renameSync(draft, path.join(elsewhere, 'postgres'))
  }
  writeFileSync(path.join(here, noteName), `${JSON.stringify({ place: elsewhere })}\n`)
  // The note counts from here on; what is left of the old one is only in the way.
  if (existsSync(old)) renameSync(old, `${old}.moved`)
  log.warn({ dataDir: here, place: elsewhere, uid: owner.uid }, 'the database is elsewhere, because the user PostgreSQL runs as cannot reach the data directory')
  return elsewhere
}

/** Gives a whole tree to its owner. PostgreSQL insists on owning its directory. */
export function giveTo(owner: Owner, directory: string) {
  const { uid, gid } = owner
  if (uid === undefined || gid === undefined || statSync(directory).uid === uid) return
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) chownSync(path.join(directory, name), uid, gid)
  chownSync(directory, uid, gid)
}

/** Removes a data directory together with what a note of it points to. The server must not be running. */
export function removePlace(dataDir: string) {
  if (!existsSync(dataDir)) return
  const note = path.join(dataDir, noteName)
  if (existsSync(note)) {
    const { place } = JSON.parse(readFileSync(note, 'utf8')) as { place: string }
    if (path.dirname(place) === systemDirectory) rmSync(place, { recursive: true, force: true })
  }
  rmSync(dataDir, { recursive: true, force: true })
}

function mentionLeftovers(dataDir: string, log: Log) {
  for (const name of readdirSync(systemDirectory)) {
    try {
      const place = path.join(systemDirectory, name)
      const { dataDir: origin } = JSON.parse(readFileSync(path.join(place, originName), 'utf8')) as { dataDir: string }
      if (origin === dataDir) log.warn({ place }, 'an earlier database of this data directory is still here; remove it if you do not need it')
    } catch {
      // Not a place.
    }
  }
}
