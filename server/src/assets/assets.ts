/**
 * The room of pictures and films: taken in, kept, shown, and let go.
 *
 * Bytes are in the store under their SHA-256, rows say whose they are. Absent on purpose: rows for what a task made (the engine
 * writes them in the transaction that settles the task), base64 in rows or logs, any decision about who may see what beyond owner
 * and signature.
 */
import fs from 'node:fs/promises'
import sharp from 'sharp'
import type { Database } from '../db/pool.ts'
import type { Asset, StoredBlob } from '../domain/asset.ts'
import { asProblem, Problem } from '../domain/problem.ts'
import type { Fetch, Take } from '../kit/fetch.ts'
import { isId } from '../kit/id.ts'
import { tidyName } from '../kit/name.ts'
import type { OpenAsset, Page, Upload } from '../protocols/contract.ts'
import { collect, type Collected } from './collect.ts'
import type { BlobStore } from './contract.ts'
import { hashOf, storeFilm, takeIn } from './intake.ts'
import { dayS, expiryOf, idInLink, readLink, writeLink } from './links.ts'
import { createRecent } from './recent.ts'
import { defaultLimits, receive, receiveAnswer, type Limits, type Received } from './receive.ts'
import { deleteUnused, insertInput, selectAny, selectMany, selectPage, type AssetFilter, type Owner } from './rows.ts'
import { extensions, type Mime } from './sniff.ts'
import { checkPicture, upright } from './verify.ts'

export const thumbnailSides = [64, 256, 512, 1024] as const

export interface AssetsOptions {
  database: Database
  store: BlobStore
  /** Signs links; the same in every process of the house. */
  linkSecret: Buffer
  publicUrl: () => string
  limits?: Partial<Limits>
  /** For links of callers (`intakeCodes`). */
  fetch: typeof globalThis.fetch
  /** For links out of upstreams' answers (`providerCodes`), which may lead where a caller's may not: to a provider in our own network. */
  fetchMade?: typeof globalThis.fetch
  now?: () => Date
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void }
}

export type InputOwner = Owner & { /** Days an input is kept; null for ever. */ inputDays: number | null }

export interface Assets {
  /** Takes a picture or film in; `expiresAt` instead of the owner's days. What is made here (`isMade`) may be as heavy as a film; a sound is taken where `sounds` says so. @throws {Problem} `unsupported_media`, `bad_input_image`, `too_large`, `input_unreachable`, `private_address` */
  keep(owner: InputOwner, upload: Upload, options?: { expiresAt?: Date | null; isMade?: boolean; sounds?: boolean }): Promise<Asset>
  /**
   * Stores what a provider made, durably, and writes no rows: the engine does, in the transaction that settles the task. The bytes are
   * the room's from here on.
   *
   * @throws {Problem} `bad_output` for bytes that are not what was expected, `output_expired` for a link that is not served any more, `provider_down`
   */
  storeMade(made: { bytes: Uint8Array } | { url: string }, expect: { kind: 'image' | 'video' }, signal?: AbortSignal): Promise<StoredBlob>
  find(owner: Owner, id: string): Promise<Asset | null>
  /** The same picture under an id of its own, for another owner or for longer. Kept for good. */
  copy(owner: Owner, asset: Asset): Promise<Asset>
  /** In the order of `ids`; foreign, missing and expired ones are left out. `expiredToo` is for tasks that began before their input expired. */
  findMany(owner: Owner, ids: string[], options?: { expiredToo?: boolean }): Promise<Asset[]>
  /** Newest first. */
  list(owner: Owner, filter: AssetFilter): Promise<Page<Asset>>
  /** @throws {Problem} `not_found`, `conflict` while a task that has not ended uses it */
  remove(owner: Owner, id: string): Promise<void>
  read(sha256: string): Promise<Buffer>
  /** @throws {Problem} `not_found` */
  open(asset: Asset): Promise<OpenAsset>
  /** A WebP of at most `side` pixels, made once and kept. @throws {Problem} `bad_request` for another side, `unsupported_media` for a film */
  thumbnail(asset: Asset, side: number): Promise<OpenAsset>
  /** A signed link; 14 days unless told. */
  link(asset: Pick<Asset, 'id' | 'name' | 'mime'>, options?: { seconds?: number; side?: number; download?: boolean }): string
  /** The owner's asset that a link of ours points at, signed, expired or bare; null for foreign links. */
  resolveLink(owner: Owner, url: string): Promise<Asset | null>
  /** @throws {Problem} `link_expired`, `not_found` */
  openLink(path: string, query: URLSearchParams): Promise<OpenAsset>
  /**
   * Takes away what nobody needs.
   *
   * `graceMs` (default an hour) must be well above the minute for which a process believes a file it has just seen.
   */
  collect(options?: { graceMs?: number }): Promise<Collected>
}

/** How long a process believes that a file it has seen is still there. */
const believedMs = 60_000
const knownMax = 1000
const thumbnailMs = 30 * dayS * 1000

export function createAssets({ database, store, linkSecret, publicUrl, limits: given, fetch, fetchMade = fetch, now = () => new Date(), log }: AssetsOptions): Assets {
  const limits: Limits = { ...defaultLimits, ...given }
  /** What was paid for is not turned away for its weight: a large PNG may be as heavy as a film. */
  const generous = { ...limits, imageBytesMax: Math.max(limits.imageBytesMax, limits.videoBytesMax) }
  /** Made pictures seen lately, by their SHA-256: the same bytes again need no check and no disk. */
  const known = new Map<string, { blob: StoredBlob; seenMs: number }>()
  const recent = createRecent()
  const thumbnailing = new Map<string, Promise<void>>()
  const receiving = (signal?: AbortSignal) => ({ limits, fetch, stagingFile: () => store.stagingFile(), signal })

  const remember = (blob: StoredBlob) => {
    known.delete(blob.sha256)
    known.set(blob.sha256, { blob, seenMs: now().getTime() })
    if (known.size > knownMax) known.delete(known.keys().next().value!)
    return blob
  }

  const storePicture = async ({ bytes, mime }: Extract<Received, { kind: 'image' }>): Promise<StoredBlob> => {
    const sha256 = await hashOf(bytes)
    const seen = known.get(sha256)
    if (seen && now().getTime() - seen.seenMs < believedMs) { recent.keep(sha256, bytes); return seen.blob }
    const blob = seen?.blob ?? { sha256, mime, sizeBytes: bytes.length, ...upright(await checkPicture(bytes, mime, limits)) }
    await store.put(sha256, bytes, { mime, isNew: !seen })
    recent.keep(sha256, bytes)
    return remember(blob)
  }

  const openKey = async (key: string, asset: OpenAsset['asset']): Promise<OpenAsset> => {
    const object = await store.head(key)
    if (!object) {
      log.warn({ sha256: asset.sha256 }, 'a file is missing from the store')
      throw new Problem('not_found', 'The file of this asset is gone.')
    }
    return { asset: { sha256: asset.sha256, mime: asset.mime, sizeBytes: object.sizeBytes, name: asset.name }, stream: range => store.get(key, range) }
  }

  const assets: Assets = {
    async keep(owner, upload, { expiresAt, isMade = false, sounds = false } = {}) {
      const blob = await takeIn(upload, store, { ...receiving(), sounds, ...(isMade ? { limits: generous } : {}) })
      const createdAt = now()
      const ownDays = owner.inputDays === null ? null : new Date(createdAt.getTime() + owner.inputDays * dayS * 1000)
      return insertInput(database, owner, blob, { name: readName(upload), createdAt, expiresAt: expiresAt === undefined ? ownDays : expiresAt })
    },

    async storeMade(made, { kind }, signal) {
      const received = await receiveMade(made, fetchMade, { ...receiving(signal), limits: generous })
      try {
        if (received.kind === 'image') {
          const blob = await storePicture(received)
          // A film may come as an animated picture.
          if (kind === 'image' || blob.mime === 'image/webp' || blob.mime === 'image/gif') return blob
          throw new Problem('bad_output', 'The upstream sent a picture where a film was ordered.')
        }
        if (kind === 'video') return await storeFilm(received, store)
        await fs.rm(received.file, { force: true })
        throw new Problem('bad_output', 'The upstream sent a film where a picture was ordered.')
      } catch (error) {
        throw asBadOutput(error)
      }
    },

    copy: (owner, { sha256, mime, sizeBytes, width, height, name }) => insertInput(database, owner, { sha256, mime, sizeBytes, width, height }, { name, createdAt: now(), expiresAt: null }),

    async find(owner, id) { return (await assets.findMany(owner, [id]))[0] ?? null },

    async findMany(owner, ids, { expiredToo = false } = {}) {
      const asked = ids.filter(isId)
      return asked.length === 0 ? [] : selectMany(database, owner, asked, now(), expiredToo)
    },

    async list(owner, filter) {
      for (const field of ['after', 'taskId'] as const) {
        const id = filter[field]
        if (id !== undefined && !isId(id)) throw new Problem('bad_request', `${field} must be an id as the house gave it.`, { field, value: id.slice(0, 100) })
      }
      const found = await selectPage(database, owner, filter, now())
      const items = found.slice(0, filter.limit)
      return { items, next: found.length > filter.limit ? items.at(-1)?.id ?? null : null }
    },

    async remove(owner, id) {
      const result = isId(id) ? await database.transaction(client => deleteUnused(client, owner, id)) : 'missing'
      if (result === 'missing') throw new Problem('not_found', 'There is no such asset.')
      if (result === 'used') throw new Problem('conflict', 'A task that has not ended uses this asset. Cancel the task or wait for it.')
    },

    async read(sha256) {
      const chunks: Buffer[] = []
      for await (const chunk of store.get(sha256)) chunks.push(chunk as Buffer)
      return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
    },

    async open(asset) {
      if (!recent.has(asset.sha256)) return openKey(asset.sha256, asset)
      const { sha256, mime, sizeBytes, name } = asset
      return { asset: { sha256, mime, sizeBytes, name }, stream: range => store.get(sha256, range), lend: () => recent.lend(sha256) }
    },

    async thumbnail(asset, side) {
      if (!(thumbnailSides as readonly number[]).includes(side)) throw new Problem('bad_request', `A thumbnail has ${thumbnailSides.join(', ')} pixels at most, not ${side}.`, { field: 'side', value: side, allowed: [...thumbnailSides] })
      if (!asset.mime.startsWith('image/')) throw new Problem('unsupported_media', 'Only a picture has a thumbnail. Open the film or sound itself.')
      const key = `${asset.sha256}.${side}.webp`
      const shown = { sha256: `${asset.sha256}.${side}`, mime: 'image/webp', sizeBytes: 0, name: asset.name === null ? null : `${asset.name.replace(/\.[A-Za-z0-9]{1,5}$/, '')}.webp` }
      if (!await store.head(key)) {
        const making = thumbnailing.get(key) ?? makeThumbnail(await assets.read(asset.sha256).catch(missingFile), side)
          .then(bytes => store.put(key, bytes, { mime: 'image/webp' })).finally(() => thumbnailing.delete(key))
        thumbnailing.set(key, making)
        await making
      }
      return openKey(key, shown)
    },

    link(asset, { seconds = 14 * dayS, side, download = false } = {}) {
      const extension = side === undefined ? extensions[asset.mime as Mime] ?? 'bin' : 'webp'
      const stem = (asset.name ?? '').replace(/\.[A-Za-z0-9]{1,5}$/, '').normalize('NFKD').replace(/[^A-Za-z0-9_-]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 60) || (asset.mime.startsWith('video/') ? 'film' : asset.mime.startsWith('audio/') ? 'sound' : 'picture')
      return writeLink(publicUrl(), linkSecret, { assetId: asset.id, fileName: `${stem}.${extension}`, side: side ?? null, download, expiresS: expiryOf(now(), seconds) })
    },

    async resolveLink(owner, url) {
      const id = idInLink(url, publicUrl())
      return id === null ? null : assets.find(owner, id)
    },

    async openLink(path, query) {
      const { assetId, side } = readLink(path, query, linkSecret, now())
      const asset = await selectAny(database, assetId, now())
      if (!asset) throw new Problem('not_found', 'The file behind this link is gone.')
      return side === null ? assets.open(asset) : assets.thumbnail(asset, side)
    },

    async collect({ graceMs = 3_600_000 } = {}) {
      const collected = await collect({ database, store, now: now(), graceMs, thumbnailMs, onGone: sha256 => { known.delete(sha256); recent.forget(sha256) } })
      if (Object.values(collected).some(count => count > 0)) log.info(collected, 'took away what nobody needs')
      return collected
    },
  }
  return assets
}

/** Fetches or reads what a provider handed over; every failure is put down to the upstream. */
async function receiveMade(made: { bytes: Uint8Array } | { url: string }, fetch: typeof globalThis.fetch, receiving: Parameters<typeof receive>[1]): Promise<Received> {
  const { signal } = receiving
  if ('bytes' in made || /^\s*data:/i.test(made.url.slice(0, 100))) return receive(made, receiving).catch(error => { throw asBadOutput(error) })
  const asDown = (error: unknown) => {
    if (signal?.aborted) return signal.reason
    const problem = asProblem(error)
    if (problem.code === 'internal' || problem.code === 'input_unreachable') return new Problem('provider_down', 'The finished picture could not be fetched from the upstream.', { cause: error })
    return problem.code === 'private_address' ? new Problem('provider_failed', 'The upstream handed over a link into a private network.', { cause: error }) : asBadOutput(problem)
  }
  const init = signal ? { signal } : {}
  const { response, bytes } = await ('whole' in fetch ? (fetch as Fetch).whole(made.url, init, isSmallPicture) : fetch(made.url, init).then(response => ({ response, bytes: null })))
    .catch(error => { throw asDown(error) })
  if (!response.ok) {
    await response.body?.cancel().catch(() => {})
    const details = { upstreamCode: String(response.status) }
    if ([401, 403, 404, 410].includes(response.status)) throw new Problem('output_expired', `The upstream does not serve its finished picture any more (${response.status}).`, details)
    throw new Problem('provider_down', `The upstream answered ${response.status} for its finished picture.`, details)
  }
  return (bytes ? receive({ bytes }, receiving) : receiveAnswer(response, receiving)).catch(error => { throw asDown(error) })
}

/** What may be held in memory at once; films and what is as large go to a file while they come. */
const heldBytesMax = 32 * 1024 * 1024
const isSmallPicture: Take = ({ status, sizeBytes, contentType }) => status === 200 && sizeBytes !== null && sizeBytes <= heldBytesMax && !contentType.startsWith('video/')

/** What would be the caller's mistake in an upload is the upstream's in an answer. */
function asBadOutput(error: unknown): unknown {
  if (!(error instanceof Problem)) return error
  const { code, details } = error
  if (code === 'unsupported_media') return new Problem('bad_output', `The upstream sent ${String(details['found'] ?? 'something else')} instead of a picture.`, { cause: error })
  if (code === 'bad_input_image' || code === 'too_large') return new Problem('bad_output', `The upstream's answer is of no use: ${error.message.replace(/ (Send|Save|Make) .*$/, '')}`, { cause: error })
  return error
}

const missingFile = (error: unknown): never => {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new Problem('not_found', 'The file of this asset is gone.', { cause: error })
  throw error
}

const makeThumbnail = (bytes: Buffer, side: number): Promise<Buffer> =>
  sharp(bytes, { limitInputPixels: false, sequentialRead: true, failOn: 'none' }).autoOrient().resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true }).webp({ quality: 80 }).toBuffer()

/** The file name a caller gave, or the link's own. */
function readName(upload: Upload): string | null {
  const last = 'url' in upload && URL.canParse(upload.url) && /^https?:/i.test(upload.url) ? new URL(upload.url).pathname.split('/').at(-1)! : ''
  return tidyName(upload.name ?? decode(last))
}

const decode = (text: string): string => { try { return decodeURIComponent(text) } catch { return text } }

