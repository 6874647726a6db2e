/**
 * Where bytes are kept: seven verbs over keys, so that a disk and an S3 bucket are the same to everyone else.
 *
 * Keys are content-addressed (`<sha256>`, and `<sha256>.<side>.webp` for what is derived from it), so whatever is under a key is
 * right or absent, and writing twice is harmless. Absent on purpose: owners, types, limits; the rows know those.
 */
import type { Readable } from 'node:stream'

export interface StoredObject { key: string; sizeBytes: number; /** When it was last written or asked for again by a writer. */ touchedAt: Date }

/** Bytes in hand, or a staging file, which the store takes away. */
export type Body = Uint8Array | { file: string; sizeBytes: number }

export interface BlobStore {
  /** A fresh file name where bytes may wait on their way in; what a dead process left there is swept. */
  stagingFile(): string
  /**
   * Keeps the bytes durably: when it returns they survive a power cut. What is there already is touched and not written again; of what
   * is most likely new (`isNew`) nobody asks whether it is there.
   */
  put(key: string, body: Body, options: { mime: string; isNew?: boolean }): Promise<void>
  /** @throws `ENOENT` (while reading) when it is gone. Both ends of a range are included. */
  get(key: string, range?: { start: number; end: number }): Readable
  head(key: string): Promise<StoredObject | null>
  /**
   * Removes; `false` when it was not there or was left alone.
   *
   * `untouchedSince` and `wanted` make it the collector's: what a writer touched since, or what somebody wants when asked at the
   * last moment, stays.
   */
  delete(key: string, unless?: { untouchedSince: Date; wanted(): Promise<boolean> }): Promise<boolean>
  list(): AsyncIterable<StoredObject>
  copy(from: string, to: string): Promise<void>
  /** A link straight to the store, where it has such a thing. */
  signedUrl(key: string, seconds: number): Promise<string | null>
}
