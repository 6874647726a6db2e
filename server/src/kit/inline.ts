/**
 * Files that hold what a request carried inline, until it is answered.
 *
 * A folder belongs to one process; what a dead one left is swept when the next one starts.
 */
import { createReadStream, type ReadStream } from 'node:fs'
import fs, { type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { randomText } from './id.ts'
import { isAlive } from './process.ts'

const prefix = 'plantain-inline-'
/** A folder of a process we cannot see (another container) is believed to be in use this long after its last change. */
const strangeMaxMs = 3_600_000
const folders = new Map<string, Promise<string>>()

/** Where files wait unless the house says otherwise. */
export const inlineFolderDefault = (): string => path.join(tmpdir(), `${prefix}${process.pid}`)

/** Makes the folder, for this user alone, and empties it of what an earlier process left; the same folder once in a process. */
export function openInlineFolder(wanted = inlineFolderDefault()): Promise<string> {
  const open = folders.get(wanted) ?? prepare(wanted)
  folders.set(wanted, open)
  open.catch(() => folders.delete(wanted))
  return open
}

async function prepare(wanted: string): Promise<string> {
  const isDefault = wanted === inlineFolderDefault()
  if (isDefault) await sweepDead(path.dirname(wanted))
  await fs.mkdir(wanted, { recursive: true, mode: 0o700 })
  const found = await fs.lstat(wanted)
  if (!found.isDirectory() || (process.getuid && found.uid !== process.getuid())) {
    // Anybody may make folders in the machine's own for temporary files, so ours may be there already and be a trap.
    if (isDefault) return fs.mkdtemp(`${wanted}-`)
    throw new Error(`${wanted} is not a folder of this user. Name another one for files that come inline.`)
  }
  if (found.mode & 0o077) await fs.chmod(wanted, 0o700)
  for (const name of await fs.readdir(wanted)) await fs.rm(path.join(wanted, name), { recursive: true, force: true })
  return wanted
}

async function sweepDead(parent: string): Promise<void> {
  for (const name of await fs.readdir(parent).catch(() => [])) {
    const match = /^plantain-inline-(\d+)(-.+)?$/.exec(name)
    if (!match || Number(match[1]) === process.pid || isAlive(Number(match[1]))) continue
    const folder = path.join(parent, name)
    const found = await fs.lstat(folder).catch(() => null)
    if (!found?.isDirectory() || (process.getuid && found.uid !== process.getuid()) || Date.now() - found.mtimeMs < strangeMaxMs) continue
    await fs.rm(folder, { recursive: true, force: true }).catch(() => {})
  }
}

/** Bytes on their way to the disk above which their writer should wait. */
export const pendingMax = 512 * 1024
/** Files are written in blocks of this size, which are used again: megabytes of fresh memory would keep the collector busy. */
const blockBytes = 128 * 1024

/** One file on its way in: written while more comes, read as often as it is wanted, removed at the end. */
export class InlineFile {
  readonly path: string
  sizeBytes = 0
  /** What is being filled; full ones wait in the queue, written ones to be filled again. */
  #block: Buffer | null = null
  #filled = 0
  #queue: Buffer[] = []
  readonly #spare: Buffer[] = []
  #pendingBytes = 0
  #isWriting = false
  #writing: Promise<void> | null = null
  #failure: { reason: unknown } | null = null
  #handle: FileHandle | null = null
  #isReleased = false
  readonly #streams = new Set<ReadStream>()

  constructor(folder: string) { this.path = path.join(folder, randomText(20)) }

  /** Copies the bytes: whoever has them may use their place again. */
  write(bytes: Buffer): void {
    this.sizeBytes += bytes.length
    for (let from = 0; from < bytes.length;) {
      this.#block ??= this.#spare.pop() ?? Buffer.allocUnsafeSlow(blockBytes)
      const copied = bytes.copy(this.#block, this.#filled, from)
      from += copied
      this.#filled += copied
      if (this.#filled === blockBytes) this.#push()
    }
  }

  #push(): void {
    if (!this.#block || this.#filled === 0) return
    this.#queue.push(this.#block.subarray(0, this.#filled))
    this.#pendingBytes += this.#filled
    this.#block = null
    this.#filled = 0
    if (this.#isWriting) return
    this.#isWriting = true
    this.#writing = this.#drain()
  }

  async #drain(): Promise<void> {
    try {
      this.#handle ??= await this.#open()
      for (let bytes = this.#queue.shift(); bytes && !this.#isReleased; bytes = this.#queue.shift()) {
        await this.#handle.appendFile(bytes)
        this.#pendingBytes -= bytes.length
        if (bytes.length === blockBytes) this.#spare.push(bytes)
      }
    } catch (reason) {
      this.#failure ??= { reason }
    } finally {
      // In the same breath as the last look at the queue: what is written next starts anew.
      this.#isWriting = false
    }
  }

  async #open(): Promise<FileHandle> {
    const open = () => fs.open(this.path, 'wx', 0o600)
    return open().catch(async error => {
      if (error.code !== 'ENOENT') throw error
      // Somebody tidied the machine's temporary files.
      await fs.mkdir(path.dirname(this.path), { recursive: true, mode: 0o700 })
      return open()
    })
  }

  get pendingBytes(): number { return this.#pendingBytes }

  /** When this returns, every full block is in the file. */
  async settled(): Promise<void> {
    while (this.#isWriting) await this.#writing
    if (this.#failure) throw this.#failure.reason
  }

  /** When this returns, all that was written can be read. */
  async finish(): Promise<void> {
    this.#push()
    await this.settled()
    await this.#handle?.close()
    this.#handle = null
    this.#spare.length = 0
  }

  /** From the beginning, anew each time. */
  stream(): ReadStream {
    const stream = createReadStream(this.path, { highWaterMark: 256 * 1024 })
    this.#streams.add(stream)
    // One that nobody came to read must not bring the process down.
    stream.on('error', () => {})
    stream.once('close', () => this.#streams.delete(stream))
    return stream
  }

  async release(): Promise<void> {
    this.#isReleased = true
    while (this.#isWriting) await this.#writing
    this.#queue = []
    this.#block = null
    await this.#handle?.close().catch(() => {})
    this.#handle = null
    for (const stream of this.#streams) stream.destroy()
    await fs.rm(this.path, { force: true })
  }
}
