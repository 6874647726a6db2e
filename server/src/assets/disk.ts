/**
 * Files on a disk, named by their content: `<folder>/ab/cd/<key>`.
 *
 * A file under its name is whole and durable: bytes are written to `staging`, synced, renamed, and the folder is synced. The race of
 * collector and writer is settled by two facts: a writer that finds its file touches it, and the collector moves a file aside,
 * looks again, and puts it back if anything changed. A writer whose touch finds nothing writes anew.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, createReadStream, fsync, mkdir as makeFolder, openSync, rename as renameFile } from 'node:fs'
import fs from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import type { BlobStore, Body, StoredObject } from './contract.ts'
import { writeDurably } from './write.ts'
import { isAlive } from '../kit/process.ts'

export interface DiskOptions {
  /** A folder of the store's own (`<data>/blobs`). */
  folder: string
  now?: () => Date
}

export interface DiskStore extends BlobStore {
  /** Removes what dead processes left half written, and puts back what a dead collector had moved aside. Run at start. */
  sweep(): Promise<{ staged: number; restored: number }>
}

/** Tells this process from an earlier one that had the same number: in a container everyone is process 1. */
const life = randomBytes(6).toString('hex')
const host = hostname().replace(/[^a-zA-Z0-9-]/g, '-')
const foreignStagingMaxMs = 24 * 3600 * 1000

// Without what `node:fs/promises` does around each call: these are made for every picture.
const [mkdir, rename, sync] = [promisify(makeFolder), promisify(renameFile), promisify(fsync)]
const isMissing = (error: unknown) => (error as NodeJS.ErrnoException | null)?.code === 'ENOENT'
const orMissing = <T>(missing: T) => (error: unknown): T => { if (isMissing(error)) return missing; throw error }

export async function openDiskStore({ folder, now = () => new Date() }: DiskOptions): Promise<DiskStore> {
  const staging = path.join(folder, 'staging')
  const trash = path.join(folder, 'trash')
  const foldersMade = new Set<string>()
  const writing = new Map<string, Promise<void>>()
  let staged = 0
  await fs.mkdir(staging, { recursive: true, mode: 0o700 })
  await fs.mkdir(trash, { recursive: true, mode: 0o700 })

  const place = (key: string) => {
    if (!/^[0-9a-f]{64}(\.[0-9]{1,5}\.webp)?$/.test(key)) throw new Error(`"${key.slice(0, 100)}" is not a key of the store.`)
    return path.join(folder, key.slice(0, 2), key.slice(2, 4), key)
  }
  const stagingName = () => path.join(staging, `${host}.${process.pid}.${life}.${staged++}`)

  /** There, and so are the folders above it. */
  const ensureFolder = async (wanted: string): Promise<void> => {
    if (wanted === folder || foldersMade.has(wanted)) return
    const above = path.dirname(wanted)
    await ensureFolder(above)
    await mkdir(wanted, { mode: 0o700 }).catch(error => { if (error.code !== 'EEXIST') throw error })
    await syncFolder(above)
    foldersMade.add(wanted)
  }
  const forgetFolder = (gone: string) => { foldersMade.delete(gone); foldersMade.delete(path.dirname(gone)) }

  const write = async (key: string, body: Body, isNew: boolean) => {
    const target = place(key)
    const sizeBytes = body instanceof Uint8Array ? body.byteLength : body.sizeBytes
    const there = isNew ? null : await touch(target, now())
    if (there && there.sizeBytes === sizeBytes) {
      // Another process may have renamed it this instant and not yet synced the folder.
      if (Date.now() - there.bornMs < 60_000) await syncFolder(path.dirname(target))
      if (!(body instanceof Uint8Array)) await fs.rm(body.file, { force: true })
      return
    }
    const own = stagingName()
    try {
      if (body instanceof Uint8Array) await writeDurably(own, body, folder)
      else { await moveInto(body.file, own); await syncFile(own) }
      await ensureFolder(path.dirname(target))
      await rename(own, target).catch(async error => {
        if (!isMissing(error)) throw error
        // Somebody tidied the folder away: made again, once.
        forgetFolder(path.dirname(target))
        await ensureFolder(path.dirname(target))
        await rename(own, target)
      })
      await syncFolder(path.dirname(target))
    } catch (error) {
      await fs.rm(own, { force: true })
      throw error
    }
  }

  /** Puts a file that was moved aside back under its name, unless a writer has written it anew meanwhile. */
  const restore = async (key: string) => {
    const target = place(key)
    await ensureFolder(path.dirname(target))
    await fs.link(path.join(trash, key), target).catch(error => { if (error.code !== 'EEXIST' && !isMissing(error)) throw error })
    await syncFolder(path.dirname(target))
    await fs.rm(path.join(trash, key), { force: true })
  }

  const store: DiskStore = {
    stagingFile: stagingName,

    async put(key, body, { isNew = false }) {
      // The same picture twice at once is written once.
      const before = writing.get(key)
      if (before) {
        await before.catch(() => {})
        return store.put(key, body, { mime: '' })
      }
      const under = write(key, body, isNew).finally(() => writing.delete(key))
      writing.set(key, under)
      return under
    },

    get(key, range): Readable {
      return createReadStream(place(key), range ? { start: range.start, end: range.end, highWaterMark: 256 * 1024 } : { highWaterMark: 256 * 1024 })
    },

    head: key => describe(key, place(key)),

    async delete(key, unless) {
      const target = place(key)
      if (!unless) return fs.rm(target).then(() => true, orMissing(false))
      const isStale = (object: StoredObject | null) => object !== null && object.touchedAt < unless.untouchedSince
      if (!isStale(await describe(key, target)) || await unless.wanted()) return false
      const aside = path.join(trash, key)
      if (!await fs.rename(target, aside).then(() => true, orMissing(false))) return false
      if (!isStale(await describe(key, aside)) || await unless.wanted()) {
        await restore(key)
        return false
      }
      return fs.rm(aside).then(() => true, orMissing(false))
    },

    async* list() {
      for (const first of await names(folder, /^[0-9a-f]{2}$/)) {
        for (const second of await names(path.join(folder, first), /^[0-9a-f]{2}$/)) {
          for (const key of await names(path.join(folder, first, second), /^[0-9a-f]{64}(\.[0-9]{1,5}\.webp)?$/)) {
            const object = await describe(key, place(key))
            if (object) yield object
          }
        }
      }
    },

    async copy(from, to) {
      const own = stagingName()
      await fs.copyFile(place(from), own)
      await store.put(to, { file: own, sizeBytes: (await fs.stat(own)).size }, { mime: '' })
    },

    signedUrl: async () => null,

    async sweep() {
      let swept = 0
      let restored = 0
      for (const name of await fs.readdir(staging)) {
        if (await isLeftover(path.join(staging, name))) { await fs.rm(path.join(staging, name), { force: true, recursive: true }); swept += 1 }
      }
      for (const name of await names(trash, /^[0-9a-f]{64}(\.[0-9]{1,5}\.webp)?$/)) { await restore(name); restored += 1 }
      return { staged: swept, restored }
    },
  }
  return store
}

/** Did whoever wrote this die? Of our own machine we know; elsewhere (a shared disk) age must tell. */
async function isLeftover(file: string): Promise<boolean> {
  const match = /^(.+)\.(\d+)\.([0-9a-f]{12})\.[^.]+$/.exec(path.basename(file))
  if (match?.[1] === host) return Number(match[2]) === process.pid ? match[3] !== life : !isAlive(Number(match[2]))
  const found = await fs.stat(file).catch(orMissing(null))
  return found !== null && Date.now() - found.mtimeMs > foreignStagingMaxMs
}

/** Says "still wanted" on a file; null when it is not there. */
async function touch(file: string, at: Date): Promise<{ sizeBytes: number; bornMs: number } | null> {
  const before = await fs.stat(file).catch(orMissing(null))
  if (!before || !await fs.utimes(file, at, at).then(() => true, orMissing(false))) return null
  return { sizeBytes: before.size, bornMs: before.ctimeMs }
}

async function describe(key: string, file: string): Promise<StoredObject | null> {
  const found = await fs.stat(file).catch(orMissing(null))
  return found?.isFile() ? { key, sizeBytes: found.size, touchedAt: found.mtime } : null
}

const names = async (folder: string, pattern: RegExp): Promise<string[]> => (await fs.readdir(folder).catch(orMissing([] as string[]))).filter(name => pattern.test(name)).sort()

async function syncFolder(folder: string): Promise<void> { await syncFile(folder) }

async function syncFile(file: string): Promise<void> {
  // Neither opening what was just there nor closing what nothing was written through waits for a disk.
  const descriptor = openSync(file, 'r')
  try { await sync(descriptor) } finally { closeSync(descriptor) }
}

/** Moves a file; copies where `from` is on another disk. */
async function moveInto(from: string, to: string): Promise<void> {
  try {
    await fs.rename(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error
    await fs.copyFile(from, to)
    await fs.rm(from, { force: true })
  }
}
