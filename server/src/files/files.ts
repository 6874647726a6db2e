/**
 * The room of files: bytes of any kind under a name of their own, for doors whose clients upload first and refer later.
 *
 * Bytes lie in the same store as pictures, under their SHA-256. A file that is a picture or film is also an asset, with the same id, so
 * whatever takes an asset takes it. Absent on purpose: what a file is for (the doors know that), and bytes in rows or in memory.
 */
import { createHash, type Hash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { BlobStore } from '../assets/contract.ts'
import type { Database } from '../db/pool.ts'
import type { Asset } from '../domain/asset.ts'
import type { StoredFile } from '../domain/file.ts'
import { Problem } from '../domain/problem.ts'
import { isId, newId, randomText } from '../kit/id.ts'
import { tidyName } from '../kit/name.ts'
import type { BegunUpload, CompleteUpload, NewFile, NewUpload, OpenAsset, Page, Taken, Upload as Picture, UploadState } from '../protocols/contract.ts'
import { readStream, takeBytes } from './intake.ts'
import { deleteFile, insertFile, selectFile, selectFiles, type FileFilter, type Owner } from './rows.ts'
import { deleteUpload, endUpload, insertPart, insertPartAnywhere, insertUpload, outOfPlace, selectParts, selectUpload, type Upload, type UploadPart } from './uploads.ts'

export interface FilesOptions {
  database: Database
  store: BlobStore
  /** The room of pictures, as far as it is needed here. */
  pictures: {
    /** Do these first bytes begin a picture or a film that is taken? */
    begins(head: Buffer): boolean
    keep(owner: Owner, upload: Picture, options: { expiresAt: Date | null }): Promise<Asset>
    find(owner: Owner, id: string): Promise<Asset | null>
    remove(owner: Owner, id: string): Promise<void>
  }
  /** Asks addresses that callers name. */
  fetch: typeof globalThis.fetch
  /** Largest file taken in. */
  bytesMax: number
  /** Days an upload is kept where nobody says; null for ever. */
  days: number | null
  now(): Date
}

export interface Files {
  /** @throws {Problem} `too_large`, `bad_request` */
  take(stream: Readable): Promise<Taken>
  /** What a public address answers. @throws {Problem} as `take`, `input_unreachable`, `private_address` */
  fetch(url: string): Promise<Taken>
  openTaken(taken: Taken): Readable
  /** Makes bytes a file of somebody's. @throws {Problem} `bad_request` for an empty one, and for `isPicture` what taking in a picture throws */
  keep(owner: Owner, taken: Taken, file: NewFile): Promise<StoredFile>
  /** A file, or an asset as one: what was made can be read by the same name. */
  find(owner: Owner, id: string): Promise<StoredFile | null>
  list(owner: Owner, filter: FileFilter): Promise<Page<StoredFile>>
  /** @throws {Problem} `not_found`, `conflict` while a task that has not ended uses it */
  remove(owner: Owner, id: string): Promise<void>
  /** @throws {Problem} `not_found` */
  open(file: StoredFile): Promise<OpenAsset>
  begin(owner: Owner, upload: NewUpload): Promise<string>
  /** How far an upload is. @throws {Problem} `not_found` */
  progress(uploadId: string): Promise<UploadState>
  /** @throws {Problem} `not_found`, `conflict` for bytes that are not the next ones, and as `take` and `keep` */
  append(uploadId: string, part: { from: number; stream: Readable; isLast: boolean }): Promise<UploadState>
  drop(uploadId: string): Promise<void>
  /** An upload of this owner's. @throws {Problem} `not_found` */
  upload(owner: Owner, uploadId: string): Promise<BegunUpload>
  /** Adds a part whose place is said at the end: its number. @throws {Problem} `not_found`, `conflict`, `bad_request`, `too_large` */
  addPart(owner: Owner, uploadId: string, part: Taken): Promise<number>
  /** Makes the file of these parts, in this order; of an upload that has its file already, gives that. @throws {Problem} `not_found`, `bad_request`, and as `keep` */
  complete(owner: Owner, uploadId: string, order: CompleteUpload): Promise<StoredFile>
  /** Gives an upload up. @throws {Problem} `not_found`, `conflict` where it has become a file */
  cancel(owner: Owner, uploadId: string): Promise<BegunUpload>
  /** Removes files and uploads whose time is over. */
  sweep(): Promise<number>
}

const dayMs = 86_400_000
/** How long an upload that was begun may take. */
const uploadMs = 2 * dayMs
/** How often an upload's bytes may come: a part that was sent again, because its answer was lost, is another part. */
const sendingsMax = 3

export function createFiles({ database, store, pictures, fetch, bytesMax, days, now }: FilesOptions): Files {
  const open = async ({ sha256, mime, name }: Pick<StoredFile, 'sha256' | 'mime' | 'name'>): Promise<OpenAsset> => {
    const object = await store.head(sha256)
    if (!object) throw new Problem('not_found', 'The bytes of this file are gone.')
    return { asset: { sha256, mime, sizeBytes: object.sizeBytes, name }, stream: range => store.get(sha256, range) }
  }

  /** The file's asset, where it is a picture or film that can be read. */
  const asPicture = async (owner: Owner, taken: Taken, { name, isPicture = false }: NewFile, expiresAt: Date | null): Promise<Asset | null> => {
    if (!isPicture && !pictures.begins(taken.head)) return null
    try {
      return await pictures.keep(owner, { stream: store.get(taken.sha256), ...(name == null ? {} : { name }) }, { expiresAt })
    } catch (thrown) {
      if (!isPicture && thrown instanceof Problem && thrown.status < 500) return null
      throw thrown
    }
  }

  const found = async (uploadId: string): Promise<Upload> => {
    const upload = /^[A-Za-z0-9]{30}$/.test(uploadId) ? await selectUpload(database, uploadId, now()) : null
    if (!upload) throw noUpload()
    return upload
  }

  const ownUpload = async (owner: Owner, uploadId: string): Promise<Upload> => {
    const upload = await found(uploadId)
    if (upload.projectId !== owner.projectId || upload.livemode !== owner.livemode) throw noUpload()
    return upload
  }
  const begunOf = async (upload: Upload): Promise<BegunUpload> => {
    const { id, name, purpose, sizeBytes, createdAt, expiresAt, fileId } = upload
    return { id, name, purpose, sizeBytes, createdAt, expiresAt, file: fileId === null ? null : await files.find(upload, fileId) }
  }

  /** Makes the file of an upload. When several ask for the end at once, the file of one of them is the upload's and the others' are let go. */
  const finish = async (upload: Upload, whole: Taken, more: Pick<NewFile, 'expiresAt' | 'isPicture'>): Promise<StoredFile> => {
    const file = await files.keep(upload, whole, { purpose: upload.purpose, name: upload.name ?? undefined, mime: upload.mime ?? undefined, ...more })
    if (await endUpload(database, upload.id, file.id)) return file
    await files.remove(upload, file.id)
    return madeOf(await found(upload.id))
  }
  const madeOf = async (upload: Upload): Promise<StoredFile> => {
    const file = upload.fileId === null ? null : await files.find(upload, upload.fileId)
    if (!file) throw noUpload()
    return file
  }

  const stateOf = async (upload: Upload): Promise<UploadState> => ({
    receivedBytes: upload.receivedBytes, sizeBytes: upload.sizeBytes, file: upload.fileId === null ? null : await files.find(upload, upload.fileId),
  })

  const files: Files = {
    take: stream => takeBytes(readStream(stream), store, bytesMax),

    async fetch(url) {
      if (!/^https?:\/\/./i.test(url) || !URL.canParse(url)) throw new Problem('bad_request', 'url must be an address that begins with https:// or http://.', { field: 'url', value: url.slice(0, 100) })
      const answer = await fetch(url)
      if (!answer.ok || !answer.body) throw new Problem('input_unreachable', `${new URL(url).host} answered with status ${answer.status}. Check the address.`, { field: 'url' })
      return takeBytes(readStream(Readable.fromWeb(answer.body as Parameters<typeof Readable.fromWeb>[0])), store, bytesMax)
    },

    openTaken: taken => store.get(taken.sha256),

    async keep(owner, taken, wanted) {
      if (taken.sizeBytes === 0) throw new Problem('bad_request', 'The file is empty.', { field: 'file' })
      const createdAt = now()
      const expiresAt = wanted.expiresAt !== undefined ? wanted.expiresAt : days === null ? null : new Date(createdAt.getTime() + days * dayMs)
      const asset = await asPicture(owner, taken, wanted, expiresAt)
      const name = tidyName(wanted.name ?? '')
      const file: StoredFile = {
        id: asset?.id ?? newId(createdAt.getTime()), source: wanted.source ?? 'uploaded', purpose: wanted.purpose, name, mime: asset?.mime ?? mimeOf(wanted.mime, name),
        sha256: asset?.sha256 ?? taken.sha256, sizeBytes: asset?.sizeBytes ?? taken.sizeBytes, createdAt, expiresAt,
      }
      await insertFile(database, owner, file)
      return file
    },

    async find(owner, id) {
      if (!isId(id)) return null
      const file = await selectFile(database, owner, id, now())
      if (file) return file
      const asset = await pictures.find(owner, id)
      return asset && {
        id: asset.id, source: asset.kind === 'output' ? 'generated' : 'uploaded', purpose: 'vision', name: asset.name, mime: asset.mime, sha256: asset.sha256,
        sizeBytes: asset.sizeBytes, createdAt: asset.createdAt, expiresAt: asset.expiresAt,
      }
    },

    async list(owner, filter) {
      if (filter.after !== undefined && !isId(filter.after)) throw new Problem('bad_request', 'after must be the id of a file.', { field: 'after', value: filter.after.slice(0, 100) })
      const all = await selectFiles(database, owner, filter, now())
      const items = all.slice(0, filter.limit)
      return { items, next: all.length > filter.limit ? items.at(-1)?.id ?? null : null }
    },

    async remove(owner, id) {
      if (!await files.find(owner, id)) throw new Problem('not_found', 'There is no such file.')
      // First the asset: a file whose picture is in use stays whole.
      await pictures.remove(owner, id).catch(thrown => { if (!(thrown instanceof Problem && thrown.code === 'not_found')) throw thrown })
      await deleteFile(database, owner, id)
    },

    open,

    async begin(owner, upload) {
      if (upload.sizeBytes !== null && upload.sizeBytes > bytesMax) throw new Problem('too_large', `The file has more than ${bytesMax / 1e6} MB. Send a smaller one, or several.`, { allowed: bytesMax })
      const createdAt = now()
      const id = randomText(30)
      await insertUpload(database, {
        ...owner, id, purpose: upload.purpose, name: tidyName(upload.name ?? ''), mime: upload.mime ?? null, sizeBytes: upload.sizeBytes, receivedBytes: 0, fileExpiresAt: upload.expiresAt, fileId: null,
        createdAt, expiresAt: new Date(createdAt.getTime() + uploadMs),
      })
      return id
    },

    progress: async uploadId => stateOf(await found(uploadId)),

    async append(uploadId, { from, stream, isLast }) {
      const upload = await found(uploadId)
      // Its answer was lost: it is given again, whatever comes with it.
      if (upload.fileId !== null) return stateOf(upload)
      if (from !== upload.receivedBytes) throw outOfPlace(upload.receivedBytes)
      const part = await takeBytes(readStream(stream), store, bytesMax - upload.receivedBytes)
      const receivedBytes = upload.receivedBytes + part.sizeBytes
      if (upload.sizeBytes !== null && (isLast ? receivedBytes !== upload.sizeBytes : receivedBytes > upload.sizeBytes)) {
        throw new Problem('bad_request', `This upload was announced with ${upload.sizeBytes} bytes, and ${receivedBytes} came.`, { field: 'size' })
      }
      if (part.sizeBytes > 0) await insertPart(database, upload, part, now())
      if (!isLast) return { receivedBytes, sizeBytes: upload.sizeBytes, file: null }
      const whole = upload.receivedBytes === 0 ? part : await takeBytes(joined(await selectParts(database, upload.id)), store, bytesMax)
      return { receivedBytes, sizeBytes: receivedBytes, file: await finish(upload, whole, upload.fileExpiresAt === null ? {} : { expiresAt: upload.fileExpiresAt }) }
    },

    async drop(uploadId) { await deleteUpload(database, (await found(uploadId)).id) },

    upload: async (owner, uploadId) => begunOf(await ownUpload(owner, uploadId)),

    async addPart(owner, uploadId, part) {
      const upload = await ownUpload(owner, uploadId)
      if (part.sizeBytes === 0) throw new Problem('bad_request', 'The part is empty.', { field: 'data' })
      const most = sendingsMax * (upload.sizeBytes ?? bytesMax)
      const number = await insertPartAnywhere(database, upload, part, { bytesMax: most, now: now() })
      if (number !== null) return number
      if ((await ownUpload(owner, uploadId)).fileId !== null) throw new Problem('conflict', 'This upload has been completed. Begin a new one for more.')
      throw new Problem('too_large', `This upload was announced with ${upload.sizeBytes} bytes, and far more came. Complete it, or begin a new one.`, { allowed: most })
    },

    async complete(owner, uploadId, { parts: numbers, md5, isPicture = false }) {
      const upload = await ownUpload(owner, uploadId)
      if (upload.fileId !== null) return madeOf(upload)
      const there = new Map((await selectParts(database, upload.id)).map(part => [part.number, part]))
      const parts = numbers.map(number => {
        const part = there.get(number)
        if (!part) throw new Problem('bad_request', 'One of these parts is none of this upload.', { field: 'part_ids' })
        there.delete(number)
        return part
      })
      const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0)
      if (upload.sizeBytes !== null && sizeBytes !== upload.sizeBytes) throw new Problem('bad_request', `This upload was announced with ${upload.sizeBytes} bytes, and these parts have ${sizeBytes}.`, { field: 'part_ids' })
      const sum = createHash('md5')
      const whole = await takeBytes(joined(parts, md5 === undefined ? undefined : sum), store, bytesMax)
      if (md5 !== undefined && sum.digest('hex') !== md5.toLowerCase()) throw new Problem('bad_request', 'The bytes that came have another MD5. Send the parts again in a new upload.', { field: 'md5' })
      const { fileExpiresAt, createdAt } = upload
      // What was to be kept for so long is kept so long from now, when it is there.
      return finish(upload, whole, { isPicture, ...(fileExpiresAt === null ? {} : { expiresAt: new Date(now().getTime() + fileExpiresAt.getTime() - createdAt.getTime()) }) })
    },

    async cancel(owner, uploadId) {
      const upload = await ownUpload(owner, uploadId)
      if (upload.fileId !== null || !await deleteUpload(database, upload.id)) throw new Problem('conflict', 'This upload has been completed. Delete its file instead.')
      return begunOf(upload)
    },

    async sweep() {
      const { rowCount: gone } = await database.query('delete from file where expires_at <= $1', [now()])
      await database.query('delete from upload where expires_at <= $1', [now()])
      return gone ?? 0
    },
  }

  async function* joined(parts: UploadPart[], sum?: Hash): AsyncGenerator<Buffer> {
    for (const { sha256 } of parts) {
      for await (const chunk of store.get(sha256) as AsyncIterable<Buffer>) {
        sum?.update(chunk)
        yield chunk
      }
    }
  }

  return files
}

const noUpload = () => new Problem('not_found', 'There is no such upload. Begin a new one.')

const byEnding: Record<string, string> = { jsonl: 'application/jsonl', json: 'application/json', csv: 'text/csv', txt: 'text/plain', md: 'text/markdown', pdf: 'application/pdf', zip: 'application/zip' }

/** What the caller calls it, where that says anything; else what its name says. It is only ever handed out as something to save. */
function mimeOf(said: string | undefined, name: string | null): string {
  const type = said?.split(';', 1)[0]!.trim().toLowerCase() ?? ''
  if (type !== 'application/octet-stream' && type.length <= 100 && /^[\w.+-]+\/[\w.+-]+$/.test(type)) return type
  return byEnding[/\.([a-z0-9]{1,5})$/i.exec(name ?? '')?.[1]?.toLowerCase() ?? ''] ?? 'application/octet-stream'
}
